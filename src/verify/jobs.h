/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of verify/: what is read from a folder, as jobs (side.h). Fill the first lines, leave the rest zero. */
#ifndef VERIFY_JOBS_H
#define VERIFY_JOBS_H

#include "verify/side.h"

/* --- jobs.c ----------------------------------------------------------------------------------- */

/* Where a window of `most` messages behind the first `behind` ends: ret_uid, UINT32_MAX when all the rest fits.
 * job.exists is how many there are. */
struct verify_end_job {
	struct verify_job job;
	uint64_t behind, most;
	uint32_t low;                 /* the window begins here */
	uint32_t ret_uid;
};

/* UIDs low..high, or those of `ranges` if there are any, with these items. */
struct verify_list_job {
	struct verify_job job;
	uint32_t low, high;
	const struct imap_range *ranges;
	size_t n;
	unsigned items;               /* IMAP_ITEM_… */
	struct imap_messages messages; /* initialised by the job: verify_list_done() */
	bool begun;
};

/* Header identities of these UIDs. */
struct verify_identity_job {
	struct verify_job job;
	const struct imap_range *ranges;
	size_t n;
	struct imap_identities identities; /* verify_identity_done() */
	bool begun;
};

/* How many messages there are now: job.exists after NOOP. */
void verify_count_job(struct verify_job *job, struct bytes folder, uint32_t uidvalidity);
void verify_end_job(struct verify_end_job *job, struct bytes folder, uint32_t uidvalidity);
void verify_list_job(struct verify_list_job *job, struct bytes folder, uint32_t uidvalidity);
void verify_identity_job(struct verify_identity_job *job, struct bytes folder, uint32_t uidvalidity);
void verify_list_done(struct verify_list_job *job);
void verify_identity_done(struct verify_identity_job *job);

/* --- bodies.c --------------------------------------------------------------------------------- */

enum verify_body_state {
	VERIFY_BODY_WAITING,
	VERIFY_BODY_READ,
	VERIFY_BODY_VANISHED,         /* listed before, and not any more */
	VERIFY_BODY_UNREADABLE,       /* `why` */
};

struct verify_body {
	uint32_t uid;
	uint32_t row;                 /* for the caller */
	uint64_t expected;            /* bytes, a hint: how many go into one command */
	uint8_t state;                /* enum verify_body_state */
	uint8_t tries, deaths;        /* how often it did not come; connections lost over it */
	uint64_t size;
	unsigned char digest[32];     /* SHA-256 */
	char why[120];                /* when UNREADABLE */
};

/* Reads what is WAITING of these, by rising UID. Never fails over a message: such a one becomes UNREADABLE. */
struct verify_body_job {
	struct verify_job job;
	struct verify_body *p;
	size_t n;
	uint64_t *read;               /* bytes read are added here, for progress; may be NULL */
	bool alone;                   /* one message to a command from now on */
};

void verify_body_job(struct verify_body_job *job, struct bytes folder, uint32_t uidvalidity);

/* All of these bodies (uid, row, expected; the rest zero), cut into jobs for all connections of the side. None is
 * WAITING afterwards. */
SUSPENDS int verify_read_bodies(struct verify_side *side, struct bytes folder, uint32_t uidvalidity,
				struct verify_body *p, size_t n, uint64_t *read, struct fault *fault);

#endif
