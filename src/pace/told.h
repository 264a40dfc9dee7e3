/* SPDX-License-Identifier: Apache-2.0 */
/* What the server said outright: stay away so long, not so many connections. No clock, no chance:
 * both are parameters. */
#ifndef PACE_TOLD_H
#define PACE_TOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum { TOLD_OTHERS = 3 }; /* so many different accounts, and it is the server */

/* A zeroed struct was told nothing. */
struct told {
	int64_t until;      /* run_now() before which nothing goes */
	unsigned in_a_row;  /* without a time told, and nothing got through between */
	unsigned most;      /* connections; 0: not told */
	int64_t most_until; /* run_now() at which one more is tried */
	int64_t most_for;   /* how long it is kept */

	/* Of those below: the last different ones that were told off. */
	struct {
		const void *who;
		int64_t at, wait;
	} others[TOLD_OTHERS];
};

/* Told to stay away for after_us, or (0) that it is too much: 1 s, 2 s … 5 min. chance: random
 * bits; a wait is never made shorter, and longer by a tenth (an own one: a quarter) at most. What
 * is told while one stays away already is the same event and counts once. Returns how long to stay
 * away from now. */
int64_t told_off(struct told *told, int64_t after_us, uint64_t chance, int64_t now);

/* The same from an earlier run, exactly. */
void told_away(struct told *told, int64_t wait_us, int64_t now);

/* One fewer than are open: kept for half an hour, an hour …, then one more is tried. */
void told_too_many(struct told *told, unsigned open, int64_t now);

/* How many connections are not too many as of now; 0: not told. */
unsigned told_most(struct told *told, int64_t now);

/* `who`, one of those below, must stay away for wait_us. When it is the third within two minutes,
 * returns the shortest of their waits; else 0. */
int64_t told_of(struct told *told, const void *who, int64_t wait_us, int64_t now);
void told_forget(struct told *told, const void *who); /* it goes away */

/* Something got through: the doubling starts over. */
static inline void told_well(struct told *told, int64_t now)
{
	if (told->in_a_row && now >= told->until)
		told->in_a_row = 0;
}

#endif
