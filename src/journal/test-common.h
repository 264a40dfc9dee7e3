/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of journal/: journals in folders that go away. */
#ifndef JOURNAL_TEST_COMMON_H
#define JOURNAL_TEST_COMMON_H

#include "journal/journal.h"
#include "lib/check.h"
#include "os/testing.h"

struct testing_journal {
	struct check *check;
	struct testing_folder folder;
	char path[300];
	struct journal_config config;
	struct journal *journal;
	void *data;
};

void testing_journal_make(struct testing_journal *t, struct check *check);
void testing_journal_remove(struct testing_journal *t); /* fit for _cleanup_ */

/* Runs fn(t, fault) in the first fiber of a loop: what it returned, or -1 and *fault. The journal is closed afterwards. */
int testing_run(struct testing_journal *t, int (*fn)(void *arg, struct fault *fault), struct fault *fault);

/* Opens it, or notes a failure of the case. */
SUSPENDS int testing_open(struct testing_journal *t, struct fault *fault);

/* A BODY of n bytes that follow from seed, and an ACCEPT of message `number` with it and two recipients; not committed. */
SUSPENDS int testing_message(struct journal *j, uint64_t number, size_t n, uint64_t *ret_sequence,
			     struct fault *fault);
SUSPENDS int testing_outcome(struct journal *j, uint64_t attempt, uint64_t message, uint64_t recipient,
			     enum journal_fate fate, uint64_t *ret_sequence, struct fault *fault);
SUSPENDS int testing_attempt(struct journal *j, enum journal_type type, uint64_t attempt, uint64_t message,
			     uint64_t recipient, uint64_t *ret_sequence, struct fault *fault);

/* The journal's records as text, a line each, and its damage: "1 accept\n", "! flipped 1 4096 …\n". */
void testing_list(const char *path, struct buf *to);

/* Changes files: XORs a byte; zeros n bytes. */
void testing_flip(const char *path, uint64_t segment, uint64_t offset);
void testing_zero(const char *path, uint64_t segment, uint64_t offset, size_t n);

#endif
