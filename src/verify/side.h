/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of verify/: the connections to one server, and the jobs they do. A job is some reading from one folder; whichever
 * connection is free does it, first one that has that folder open already. A job whose connection is lost is done again on
 * another, so it must be written to start over, or to go on, and after some losses it fails alone: one poisoned
 * message or folder costs only itself.
 *
 * Folders are opened with EXAMINE only. */
#ifndef VERIFY_SIDE_H
#define VERIFY_SIDE_H

#include "imap/commands.h"
#include "pace/pace.h"

struct verify_side {
	const struct imap_account *account;
	struct pace *pace;            /* or NULL */
	const char *name;             /* "source", "destination" */
	void (*note)(void *arg, const char *text); /* or NULL */
	void *arg;
	unsigned connections, retries;

	struct list jobs;             /* that wait, first come, first served */
	struct waiters changed;       /* of connections without a job */
	struct imap_session *first;   /* open already: the first connection takes it over */
	unsigned alive, idle;         /* connections; idle: those that are open and have no job */
	unsigned failures;            /* in a row, without a job done between */
	int64_t calm_at;              /* run_now() until which those wait who failed */
	int64_t pause_until;          /* … and all of them: the server wants less of us */
	int64_t patience_us;          /* a wish to wait longer ends the run; 0: any is waited for */
	bool closed;
	bool failed;                  /* no connection is to be had any more: every job fails with … */
	struct fault fault;           /* … this */
	struct verify_connection *crew;
};

struct verify_job {
	struct list link;
	struct bytes folder;          /* raw name; lives as long as the job */
	uint32_t uidvalidity;         /* the folder must have it; 0: any */

	/* Does it on a session that has the folder open. */
	SUSPENDS int (*run)(struct verify_job *job, struct imap_session *session, struct fault *fault);
	struct verify_side *side;     /* that does it */
	unsigned losses;              /* connections lost over it so far */
	uint32_t exists;              /* messages of the folder, as told before it ran */
	bool done;
	int result;
	struct fault *fault;          /* when it failed, until it is waited for: stacks are small */
	struct waiters finished;
};

enum { VERIFY_LOSSES = 4 };       /* of connections that a job may cost */

/* Starts the connections in the nursery; each is opened when there is work for it. */
void verify_side_start(struct verify_side *side, struct nursery *nursery);

/* No more jobs come: the connections log out. */
void verify_side_stop(struct verify_side *side);
void verify_side_done(struct verify_side *side); /* after the nursery has ended */

/* Queues a job; it stays where it is until verify_job_wait() has returned, or verify_job_drop(). */
void verify_job_submit(struct verify_side *side, struct verify_job *job);

/* Its result. A fault of reach REACH_FOLDER or less is the folder's own; a larger one ends the run. */
SUSPENDS int verify_job_wait(struct verify_job *job, struct fault *fault);

/* Both at once. */
SUSPENDS int verify_job_do(struct verify_side *side, struct verify_job *job, struct fault *fault);

/* Opens the first connection, patiently, and waits as often as retries allow. */
SUSPENDS int verify_side_connect(struct verify_side *side, struct fault *fault);

/* Whether time or a new connection may mend it. */
bool verify_side_mendable(const struct verify_side *side, const struct fault *fault);

/* After such a fault (the session is freed by the caller): waits, the longer the more failed in a row, or as long as
 * the server asked. Negative: too many in a row, *fault is as it was. */
SUSPENDS int verify_side_patience(struct verify_side *side, struct fault *fault);

#endif
