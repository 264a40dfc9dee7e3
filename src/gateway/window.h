/* SPDX-License-Identifier: Apache-2.0 */
/* How many connections one host bears, learned from what comes of them. No clock, no I/O.
 *
 * Fractional feedback as in Postfix (SCHEDULER_README): every success adds 1/window, and the window is raised
 * at the end of a run of successes; every loss takes 1/window off, and it is lowered at the start of a run of
 * losses. Besides:
 * - before anything went wrong each success adds one, so the window doubles with each round;
 * - a host that says "too many connections" names its limit: the window goes down by one for each
 *   connection refused, which ends exactly at the limit, and more is tried again only after a while,
 *   which doubles each time it was too many;
 * - a window that is not used up is not raised.
 *
 * Dead is another thing than slow: only what could not be connected to counts, a whole window of it in a row.
 * A dead host is given one connection now and then, with pauses that double. */
#ifndef GATEWAY_WINDOW_H
#define GATEWAY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/rand.h"

struct window {
	unsigned size, first, most;
	double success, failure; /* fractions of a step collected */
	bool unhurt;             /* nothing went wrong yet */
	unsigned ceiling;        /* one more was too many; 0: not known */
	int64_t hold_us, hold_until; /* not above the ceiling before */
	double unreachable;      /* windows full of connections that could not be made, in a row */
	int64_t dead_us, dead_until; /* dead_us 0: alive */
};

/* first: to begin with; most: never above. Both at least 1. */
void window_init(struct window *w, unsigned first, unsigned most);

/* Another most from now on. */
void window_limit(struct window *w, unsigned first, unsigned most);

/* Connections allowed at this moment: 0 or 1 of a dead host. */
unsigned window_size(const struct window *w, int64_t now);

static inline bool window_is_dead(const struct window *w)
{
	return w->dead_us;
}

/* A connection did its work; in_use counts it. */
void window_worked(struct window *w, unsigned in_use, int64_t now);

/* The host answered, and said that it has too many connections. */
void window_too_many(struct window *w, struct rand *rand, int64_t now);

/* A connection was lost in the middle, or nothing came in time. */
void window_lost(struct window *w);

/* It could not be made: no answer, no greeting, no TLS. */
void window_unreachable(struct window *w, struct rand *rand, int64_t now);

#endif
