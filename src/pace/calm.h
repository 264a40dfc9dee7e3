/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a server's users would feel us, judged by how long it takes to answer small commands and
 * by how busy the local disks are; and what follows: how many connections are bearable, how long to
 * pause between batches. No clock: the moment is a parameter. docs/design/pace.md, A1–A7, says why
 * it is done like this. */
#ifndef PACE_CALM_H
#define PACE_CALM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum {
	CALM_LATELY = 7,   /* answers looked at */
	CALM_MINUTE = 32,  /* answers kept of a minute */
	CALM_HISTORY = 60, /* minutes kept */
};

struct calm {
	int64_t bearable_us; /* slower than this is too slow, whatever the baseline */

	/* The last answers since the last change of mind. */
	struct {
		int64_t at, took;
	} lately[CALM_LATELY];
	unsigned lately_n, lately_next;

	/* The minute at hand, and what the calmest minutes were like. */
	int64_t minute_began;
	int64_t minute[CALM_MINUTE];
	unsigned minute_n; /* answers; those above CALM_MINUTE replace earlier ones */
	int64_t history[CALM_HISTORY];
	unsigned history_n, history_next;
	int64_t baseline_us; /* 0: not known yet */
	int64_t floor_since; /* it is too slow however little we do; 0: it is not */

	/* What follows from it. */
	unsigned connections; /* bearable; 0: as many as the settings allow */
	int64_t pause_us;     /* between batches */
	unsigned felt_at;     /* connections that were too many, with such pauses; 0: not known */
	int64_t felt_pause_us;
	unsigned before;      /* connections in use when it was first too many */
	int64_t hold_us, hold_until; /* that is not tried again before */
	int64_t bad_at;       /* last judged too slow */
	int64_t lowered_at, changed_at; /* last lowered; lowered or raised */
	bool disks;           /* the last judgement was about the disks */
};

/* bearable_us 0: 2 s. */
void calm_init(struct calm *calm, int64_t bearable_us, int64_t now);

/* An answer took so long, with in_use connections working. True: fewer are bearable now, or longer
 * pauses. */
bool calm_answer(struct calm *calm, int64_t took_us, unsigned in_use, int64_t now);

/* The local disks: shares of time, in percent, in which some or all work waited for them (the last
 * 10 s). */
bool calm_disks(struct calm *calm, double some, double full, unsigned in_use, int64_t now);

/* Time passes; most: what the settings allow, 0 without limit. True: more is bearable than
 * before. */
bool calm_tick(struct calm *calm, unsigned most, int64_t now);

/* The median of the last answers; 0: none of late. */
int64_t calm_lately(const struct calm *calm, int64_t now);

static inline bool calm_is_slowed(const struct calm *calm)
{
	return calm->connections || calm->pause_us;
}

#endif
