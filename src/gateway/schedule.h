/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent next, to which host of which target, and when again what could not be. No I/O; the moment is a
 * parameter (run_now(), which never jumps), chance is a seed.
 *
 * A target is a platform (old, new) behind one or more hosts. An item is a leg that waits for its target: its
 * owner embeds a `struct schedule_item`. A job is a transaction on one connection to one host, with
 * the items in it.
 *
 * What must stay true (docs/design/delivery.md cites these):
 * - a host never has more jobs than its window allows (window.h); one broken host costs only its own probes;
 * - a target, and a recipient at it, gets no more than their token buckets and what they said allow;
 * - recipients take turns, and so do fresh and deferred mail: neither waits for the other's backlog;
 * - an item is in one place: waiting, in one job, or given back to its owner;
 * - an item whose life is over is given back at its next answer or by schedule_expired(), never tried again;
 * - when a whole target cannot be reached, its items wait as they are: no item's backoff grows.
 *
 * Each call costs O(log n) in the items and recipients waiting. */
#ifndef GATEWAY_SCHEDULE_H
#define GATEWAY_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/list.h"

struct schedule;
struct schedule_target;
struct schedule_recipient;
struct schedule_job;

struct schedule_settings {
	const char *name;           /* "new"; must outlive the schedule */
	unsigned hosts;             /* 1 and up */
	unsigned first_connections; /* to a host, to begin with; 0: 5 */
	unsigned most_connections;  /* to a host; 0: 20 */
	unsigned most_recipients;   /* in a job; 0: 100 */
	double per_second, burst;   /* jobs to the target; 0: no limit */
	double recipient_per_second, recipient_burst; /* items to one recipient; 0: no limit */
	unsigned recipient_at_once; /* jobs with one recipient at the same time; 0: 3 */
	int64_t first_backoff_us;   /* after an item's first temporary refusal; 0: 5 minutes */
	int64_t most_backoff_us;    /* 0: 70 minutes */
};

struct schedule_item {
	struct heap_node due;  /* in its lane; due.key: not before that moment */
	struct heap_node life; /* in the target's; life.key: not after that moment */
	struct list of_job;
	struct schedule_recipient *recipient; /* NULL: the schedule does not have it */
	struct schedule_job *job;             /* that it is in */
	unsigned attempts;                    /* that ended in a temporary refusal of its own */
	unsigned throttled;                   /* answers in a row about the server that met it */
	bool deferred;
};

/* seed: any; what is drawn is jitter only. */
struct schedule *schedule_new(uint64_t seed);

/* Every item must have been taken back: no jobs, nothing waiting. Accepts NULL, returns NULL. */
struct schedule *schedule_free(struct schedule *schedule);
DEFINE_FREEP(struct schedule, schedule_free);

/* Lives as long as the schedule. */
struct schedule_target *schedule_add_target(struct schedule *schedule,
					    const struct schedule_settings *settings, int64_t now);

/* Other settings from now on. What waits stays, jobs that are under way end as they would have. are_others: its hosts are others than
 * before; nothing that was learned of those counts for these. */
void schedule_change(struct schedule_target *target, const struct schedule_settings *settings, bool are_others, int64_t now);

/* --- items ----------------------------------------------------------------------------------------- */

/* Lets item (zeroed, or given back before) wait for target. recipient is the compare key of its address
 * (copied). attempts as counted before; not before `due`; its life ends at `life_ends` (both moments of this
 * process' clock). */
void schedule_add(struct schedule_target *target, struct schedule_item *item,
		  struct bytes recipient, unsigned attempts, int64_t due, int64_t life_ends,
		  int64_t now);

/* Takes back a waiting item: held, rerouted, deleted. It must not be in a job. */
void schedule_remove(struct schedule_item *item, int64_t now);

/* A waiting item is due now, whatever it was told; its recipient's pause ends too. */
void schedule_retry(struct schedule_item *item, int64_t now);

/* Another end of an item's life. */
void schedule_live_until(struct schedule_item *item, int64_t life_ends);

/* An item whose life is over, given back; NULL: none. */
struct schedule_item *schedule_expired(struct schedule_target *target, int64_t now);

/* --- jobs ------------------------------------------------------------------------------------------ */

/* The next job, with one item; NULL: nothing may go now. Each ends with schedule_done(). */
struct schedule_job *schedule_next(struct schedule_target *target, int64_t now);

/* Adds another item of the same message to a job just begun, if it waits for the same target and may go
 * now too. Whether it did. */
bool schedule_join(struct schedule_job *job, struct schedule_item *item, int64_t now);

unsigned schedule_host(const struct schedule_job *job); /* 0 … hosts - 1 */
struct list *schedule_items(struct schedule_job *job);  /* of schedule_item.of_job, the first one first */

enum schedule_answer {
	SCHEDULE_ACCEPTED,
	SCHEDULE_REFUSED,  /* for good; what that means is the owner's business */
	SCHEDULE_DEFERRED, /* not now, for a reason of its own: it backs off */
	SCHEDULE_MAILBOX,  /* this recipient gets too much: all its items wait */
	SCHEDULE_SERVER,   /* the target gets too much: all slow down */
	SCHEDULE_UNTRIED,  /* nothing was said about it: it goes again at once */
};

/* What came of an item; told_us: how long it was told to wait, or 0. True: it waits again, item->due.key is
 * the moment. False: it was given back: settled, or its life is over (not ACCEPTED or REFUSED). */
bool schedule_settle(struct schedule_item *item, enum schedule_answer answer, int64_t told_us,
		     int64_t now);

enum schedule_end {
	SCHEDULE_WORKED,
	SCHEDULE_UNREACHABLE, /* no connection, no greeting, no TLS */
	SCHEDULE_TOO_MANY,    /* 421 and the like before any transaction: too many connections */
	SCHEDULE_LOST,        /* lost or too slow in the middle */
	SCHEDULE_UNUSED,      /* it never came to a connection, for reasons of our own: nothing is learned */
};

/* The job's end, after each of its items was settled; frees it. told_us as above, for the host. */
void schedule_done(struct schedule_job *job, enum schedule_end end, int64_t told_us, int64_t now);

/* When to call schedule_next() and schedule_expired() again if no job ends and nothing is added before:
 * MOMENT_NEVER, or a moment (now: at once). */
int64_t schedule_moment(struct schedule_target *target, int64_t now);

/* The operator's pause; MOMENT_NEVER: until told otherwise, 0: ends it. */
void schedule_pause(struct schedule_target *target, int64_t until);

/* --- looking ---------------------------------------------------------------------------------------- */

struct schedule_view {
	size_t waiting, going, recipients;
	double per_second;   /* learned; 0: no limit */
	int64_t pause_until; /* asked for by the server or the operator; in the past: none */
	unsigned dead_hosts, connections; /* that windows allow now */
};
void schedule_look(const struct schedule_target *target, int64_t now, struct schedule_view *ret);

#endif
