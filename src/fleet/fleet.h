/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over each of many mailboxes, in this process: accounts (account.h), ledger and copy of
 * each, when the scheduler (sched.h) says so, with a status file (status.h) to show for it. Nothing
 * is printed here: `calls` tells what happens.
 *
 * A mailbox that waits costs the size of struct fleet_mailbox and its job; one that is at work what
 * its connections, ledger and folder lists need. */
#ifndef FLEET_FLEET_H
#define FLEET_FLEET_H

#include "copy/copy.h"
#include "fleet/account.h"
#include "fleet/sched.h"
#include "fleet/status.h"

enum fleet_end {
	FLEET_ENDED_DONE,    /* a pass went through: status.exit_status is 0 or 1 */
	FLEET_ENDED_FAILED,
	FLEET_ENDED_STOPPED, /* not reached, or in the middle */
	FLEET_ENDED_HELD,    /* another process had its ledger */
	FLEET_ENDED_SKIPPED, /* another process of this round has it, or has done it */
};

struct fleet_mailbox {
	struct sched_job job; /* first */
	struct fleet *fleet;
	const struct config_mailbox *config;
	const struct config_wave *wave; /* or NULL */

	/* Of earlier passes. */
	bool seeded;
	uint64_t size;
	int64_t delta_us, last_change;

	bool held;                   /* how this try ended: 0, and it was held */
	bool ours;                   /* claimed, in a round */
	struct fleet_status *status; /* from the beginning of its first try until it has ended */
	char *error;                 /* the last fault's sentence, for the status */
};

/* What one wants to know while it goes on. None may suspend; any may be NULL. */
struct fleet_calls {
	void (*begun)(void *arg, const struct fleet_mailbox *mailbox);
	/* It can be copied: what would become what is in copy->mapping, expected numbers in the
	 * books. */
	void (*prepared)(void *arg, const struct fleet_mailbox *mailbox, const struct copy *copy);
	void (*exception)(void *arg, const struct fleet_mailbox *mailbox,
			  const struct copy_exception *exception);
	void (*note)(void *arg, const struct fleet_mailbox *mailbox, const char *text);
	void (*parked)(void *arg, const struct fleet_mailbox *mailbox, const struct fault *why,
		       int64_t for_us);
	/* mailbox->status is NULL when it was never begun; why is NULL unless failed, stopped or
	 * held. */
	void (*ended)(void *arg, const struct fleet_mailbox *mailbox, enum fleet_end end,
		      const struct fault *why);
	void (*gate)(void *arg, const struct sched_gate *gate);
	void (*waiting)(void *arg, const char *why, int64_t for_us);
	/* A login that several mailboxes share was refused too often (logins.h): once for each, in one
	 * of the processes of a round. */
	void (*login_given_up)(void *arg, const struct fault *why);
};

struct fleet_options {
	const struct config *config;
	const char *state_dir;
	const struct config_mailbox *const *mailboxes;
	size_t n;
	unsigned at_once;
	unsigned part, parts;    /* this is one of so many processes; 0, 1 */
	const char *round;       /* its ID, or NULL */
	bool dry_run;            /* connects and looks, changes nothing, writes no status */
	bool retry_exceptions;
	struct transcript *transcript;
	uint64_t seed;           /* of jitter */
	struct fleet_calls calls;
	void *arg;
};

struct fleet {
	struct fleet_options options;
	struct fleet_platforms *platforms;
	struct fleet_mailbox *mailboxes;
	struct sched sched;
	struct map gates;        /* struct sched_gate, by the pair of URLs and the logins shared */
	char host[65], why[240]; /* why: nothing may begin now */
	struct os_process process;
};

/* options, and what it points to, outlive the fleet. Reads certificates: before run_main(). */
int fleet_open(const struct fleet_options *options, struct fleet **ret, struct fault *fault);
struct fleet *fleet_free(struct fleet *fleet); /* accepts NULL, returns NULL */
DEFINE_FREEP(struct fleet, fleet_free);

/* Until every mailbox has ended. -1: stopped, see sched_run(). */
SUSPENDS int fleet_run(struct fleet *fleet, struct fault *fault);

/* --- pieces shared by the files of fleet/ ----------------------------------------------------- */

/* One try of one mailbox: as sched_calls.work. */
SUSPENDS int fleet_pass(struct fleet_mailbox *mailbox, struct fault *fault);

/* Writes the status file, through the pool. A disk that does not take it is not said here: the
 * ledger will. */
SUSPENDS void fleet_save_status(struct fleet_mailbox *mailbox);

/* Reads what earlier runs left in status files, and sets the order; blocks. */
int fleet_survey(struct fleet *fleet, int64_t now, struct fault *fault);

#endif
