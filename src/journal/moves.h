/* SPDX-License-Identifier: Apache-2.0 */
/* Which legs a record moves, from which fates to which: the one list of the ways a leg may go. The keeper's books and the
 * audit both follow it. No I/O. */
#ifndef JOURNAL_MOVES_H
#define JOURNAL_MOVES_H

#include <stdbool.h>

#include "journal/records.h"

struct journal_move {
	struct journal_leg leg;
	unsigned from;          /* 1 << fate for each it may come from; FATE_NONE: a copy leg that was not opened */
	enum journal_fate to;
	uint64_t attempt;       /* of ATTEMPT, INTENT, RESULT, DOUBT; else 0 */
	bool is_same;           /* attempt must be the leg's last one */
	const struct journal_outcome *outcome; /* of RESULT and DOUBT; else NULL */
	const char *what;       /* "attempt", for sentences */
};

/* How many legs a decoded record moves; 0 for ACCEPT, which brings its own, and for what is about no leg. */
size_t journal_moves(enum journal_type type, const void *record);

/* The i-th. 0, or -1: its fate is none that this record may name. */
int journal_move(enum journal_type type, const void *record, size_t i, struct journal_move *ret);

/* Whether a leg in this fate, with this last attempt, may go that way. */
bool journal_move_fits(const struct journal_move *move, enum journal_fate fate, uint64_t attempt);

#endif
