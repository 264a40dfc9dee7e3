/* SPDX-License-Identifier: Apache-2.0 */
/* What became of each leg, from records alone. No I/O; inside journal/ only. */
#ifndef JOURNAL_FOLD_H
#define JOURNAL_FOLD_H

#include "journal/records.h"

struct fold_leg {
	uint64_t attempt; /* the last one */
	uint8_t fate;     /* enum journal_fate; NONE: a copy leg that was not opened */
};

struct fold_message {
	uint64_t number;
	uint32_t n;
	struct fold_leg *legs; /* recipient 0 and its copy, recipient 1 … : 2 n */
};

struct fold {
	struct fold_message *messages; /* by number */
	size_t n, size;
	bool is_whole; /* from the first record on: a message that is not known is none */
	uint64_t counts[JOURNAL_FATES], n_messages, n_legs;

	/* Each thing wrong, one sentence. */
	void (*wrong)(void *arg, bool is_leg, const char *text);
	void *arg;
};

void fold_done(struct fold *fold);

/* Applies one decoded record. ROUTES, NOTE, DROPPED and so on do nothing. */
void fold_record(struct fold *fold, unsigned type, const void *record);

void fold_tallies(const struct fold *fold, struct journal_tallies *ret);

#endif
