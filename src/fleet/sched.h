/* SPDX-License-Identifier: Apache-2.0 */
/* Many pieces of work, some at a time, each until it is done or cannot be: who comes next
 * (order.h), who tries again and when, and what stops all. What the work is, it does not know: that
 * is `calls`.
 *
 * A job's fault is its own business: AGAIN_NOW is tried a few times after short waits, AGAIN_LATER
 * after what the fault says or growing waits, AGAIN_NEVER not again. A fault that reaches the
 * server shuts the gate of all jobs that go through it: nobody else runs into it, and after a while
 * one job alone tries whether it is over. A fault of this machine stops everything. */
#ifndef FLEET_SCHED_H
#define FLEET_SCHED_H

#include "base/rand.h"
#include "fleet/order.h"
#include "run/run.h"

struct sched;

enum sched_phase { SCHED_READY, SCHED_ACTIVE, SCHED_PARKED, SCHED_GATED, SCHED_ENDED };

/* The way to a pair of servers. */
struct sched_gate {
	enum { GATE_OPEN, GATE_SHUT, GATE_TRIED, GATE_DEAD } state;
	int64_t shut_at, try_at;  /* run_now() */
	int64_t pause_us;         /* the last wait */
	unsigned nevers;          /* faults in a row that say never again */
	struct sched_job *trying; /* who tries it; GATE_TRIED */
	struct fault why;
	struct list waiting;      /* of struct sched_job */
	bool queued;              /* in the scheduler's heap of gates; GATE_SHUT */
	void *user;
};

/* Embedded in what its user knows of a mailbox. */
struct sched_job {
	struct sched *sched;
	struct order order;
	struct sched_gate *gate;
	enum sched_phase phase;
	unsigned tries;           /* begun */
	unsigned failures;        /* in a row, without progress */
	unsigned connections;     /* to either side in this try */
	bool shortest;            /* came by a slot for short ones */
	bool connected;           /* in this try */
	bool progressed;          /* in this try something was done for good: set by the work */
	int64_t began_at;         /* of this try, run_now() */
	int64_t retry_at;         /* SCHED_PARKED: run_now() */
	struct list link;         /* in its gate's waiting list */
};

enum sched_end {
	SCHED_DONE,    /* the work returned 0 */
	SCHED_SKIPPED, /* … 1: somebody else's */
	SCHED_FAILED,  /* it will not be tried again */
	SCHED_STOPPED, /* all was stopped before it was done; or its server cannot be reached */
};

struct sched_calls {
	/* One try, in a fiber of its own. 0 done, 1 it is not ours to do, -1 fault. */
	SUSPENDS int (*work)(void *arg, struct sched_job *job, struct fault *fault);

	/* What became of it, in the same fiber (of one that was not begun: in the scheduler's),
	 * shielded from being cancelled for some seconds. why: NULL for DONE and SKIPPED. */
	SUSPENDS void (*parked)(void *arg, struct sched_job *job, const struct fault *why,
				int64_t for_us);
	SUSPENDS void (*ended)(void *arg, struct sched_job *job, enum sched_end end,
			       const struct fault *why);

	/* A gate was shut (why is in it), opened again, or given up. */
	void (*gate)(void *arg, const struct sched_gate *gate);

	/* How long nothing may begin by what the time of day allows; 0: now. NULL: always 0.
	 * *ret_why: in words. */
	int64_t (*closed)(void *arg, const char **ret_why);
	void (*waiting)(void *arg, const char *why, int64_t for_us); /* … and we wait for it */

	/* How many connections to either side there may be in all; 0, or NULL: no limit. */
	unsigned (*room)(void *arg);
};

struct sched_settings {
	unsigned at_once;            /* jobs; 1 and up */
	unsigned connections;        /* of one job, at most; 1 and up */
	unsigned now_tries, later_tries; /* in a row without progress, by the fault's `again` */
	int64_t now_us, later_us, longest_us; /* first waits, doubling; the longest of them */
	int64_t gate_us, gate_longest_us, gate_patience_us; /* … of gates; then it is given up */
	uint64_t seed;               /* of the jitter */
};

/* Those of life; seed and at_once are the user's. */
#define SCHED_SETTINGS                                                                             \
	((struct sched_settings){                                                                  \
		.at_once = 100, .connections = 4, .now_tries = 3, .later_tries = 6,                \
		.now_us = 2 * SECOND, .later_us = MINUTE, .longest_us = 30 * MINUTE,               \
		.gate_us = 5 * SECOND, .gate_longest_us = 5 * MINUTE, .gate_patience_us = HOUR })

struct sched {
	struct sched_settings settings;
	const struct sched_calls *calls;
	void *arg;
	struct rand rand;
	struct nursery fibers;
	struct waiters news;
	struct order_heap longest, shortest; /* of ready jobs; others may be in them yet */
	struct order_heap later;             /* of parked ones, by retry_at */
	struct order_heap gates;             /* that are shut, by try_at */
	struct sched_job **jobs;             /* all */
	size_t jobs_n, jobs_size;
	size_t ready, active, parked, gated, ended; /* jobs by phase */
	unsigned shortest_active, granted;   /* granted: connections of active jobs */
	int64_t closed_until;                /* run_now(); 0: not closed */
	struct fault fatal;                  /* why all was stopped; FAULT_NONE: it was not */
};

void sched_init(struct sched *sched, const struct sched_settings *settings,
		const struct sched_calls *calls, void *arg);
void sched_done(struct sched *sched);

void sched_gate_init(struct sched_gate *gate, void *user);

/* Before sched_run(). job->order and job->gate are set; the rest is initialised here. */
void sched_add(struct sched *sched, struct sched_job *job);

/* Until all have ended. -1: stopped, by cancellation or by a fault of this machine; every job has
 * ended then, too. */
SUSPENDS int sched_run(struct sched *sched, struct fault *fault);

/* Called by the work: both servers answered and let it in. */
void sched_connected(struct sched_job *job);

/* Called by the work: nobody else need try this gate in this run. All who have not begun end, STOPPED; those under way
 * go on. Of the gate itself nothing is told. */
SUSPENDS void sched_give_up(struct sched *sched, struct sched_gate *gate, const struct fault *why);

#endif
