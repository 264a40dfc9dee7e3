/* SPDX-License-Identifier: Apache-2.0 */
/* What book*.c share. */
#ifndef GATEWAY_BOOK_INSIDE_H
#define GATEWAY_BOOK_INSIDE_H

#include "base/map.h"
#include "gateway/book.h"

enum {
	BOOK_CAUSES_MAX = 64, /* with names of their own; what comes later is "other" */
	BOOK_CAUSE_MAX = 32,  /* bytes of a name */
};

struct book_cause {
	char name[BOOK_CAUSE_MAX + 1];
	uint64_t legs[BOOK_TARGETS + 1][JOURNAL_FATES];
};

/* BODY records without an ACCEPT, by sequence. */
struct orphans {
	struct book_place *places; /* sequence 0: free */
	size_t n, size;            /* size: a power of two */
};

struct book {
	uint64_t seed, names;
	struct book_message **messages; /* hash tables, powers of two */
	struct book_leg **legs;
	size_t n_messages, messages_size, n_legs, legs_size;
	struct list all, dirty;
	size_t n_dirty;
	struct book_cause *causes[BOOK_CAUSES_MAX + 1];
	size_t n_causes;
	uint64_t counts[BOOK_TARGETS + 1][JOURNAL_FATES];
	struct journal_tallies tallies;
	uint64_t last_number, last_attempt, position;
	bool in_the_middle;    /* book_begin_in_the_middle() */
	uint64_t first_number; /* … and the first message accepted since, or 0 */
	struct orphans orphans;
	struct arena arena; /* of one record */
};

/* book-tables.c */
void book_add_message(struct book *book, struct book_message *message);
void book_remove_message(struct book *book, struct book_message *message);
void book_add_leg(struct book *book, struct book_leg *leg);
void book_remove_leg(struct book *book, struct book_leg *leg);
struct book_leg *book_leg_new(struct bytes key); /* zeros but for its key */
const struct book_cause *book_cause(struct book *book, struct bytes name); /* NULL of an empty one */

/* The leg counts, or counts no more, as what it is. */
void book_count_leg(struct book *book, const struct book_leg *leg, int by);

bool orphans_take(struct orphans *orphans, uint64_t sequence, struct book_place *ret);

#endif
