/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a journal's files: making them, and what a crash left. Blocks; inside journal/ only. */
#ifndef JOURNAL_RECOVER_H
#define JOURNAL_RECOVER_H

#include "journal/journal.h"
#include "os/lock.h"

struct journal_files {
	struct os_lock *lock;
	struct journal_key *key;
	char id[JOURNAL_ID_LEN + 1];
	struct journal_tail tail; /* salt: set also when there is no segment yet */
	uint64_t segments;        /* how many there are */
	int64_t wall_us;          /* the clock when the last record was put; 0: there is none */
	char said[256];           /* what was done, or "" */
};

/* chance: unpredictable, for id and salt of a new journal. */
int journal_recover(const struct journal_config *config, const uint64_t chance[2], struct journal_files *ret,
		    struct fault *fault);

void journal_files_done(struct journal_files *files);

#endif
