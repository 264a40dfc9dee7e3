/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of limits: buckets for rates, hours for a day's bytes. No clock: the moment is a
 * parameter. */
#ifndef PACE_LIMITS_H
#define PACE_LIMITS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "pace/pace.h"

/* --- a rate ----------------------------------------------------------------------------------- */

/* So many units a second. What is taken moves on the moment from which more may go, so an amount
 * larger than a second's worth goes at once and is paid for by whoever comes next. Up to a quarter
 * of a second of unused time is carried over: timers are coarser than slices. */
struct bucket {
	uint64_t rate;   /* units a second; 0: no limit */
	int64_t free_at; /* run_now() from which more may go */
	double rest;     /* of a microsecond, owed */
};

/* What was taken before is paid for at the new rate. */
void bucket_set_rate(struct bucket *bucket, uint64_t rate, int64_t now);

/* How long until something may go; 0: now. */
int64_t bucket_wait(const struct bucket *bucket, int64_t now);

/* Takes it, whatever bucket_wait() says. Returns how long it takes at this rate. */
int64_t bucket_take(struct bucket *bucket, uint64_t amount, int64_t now);

/* --- a day's bytes ---------------------------------------------------------------------------- */

/* The hour at hand and the 24 before it: "in any 24 hours" holds to the byte, at the price of at
 * most an hour. */
enum { DAY_HOURS = 25 };

/* A zeroed struct is a valid empty one. Hours are those of the wall clock, so that they survive the
 * process. */
struct day {
	int64_t hour; /* the newest, since 1970 */
	uint64_t bytes[DAY_HOURS]; /* of hour h at h % DAY_HOURS */
};

/* A clock that goes back forgets nothing: what lies ahead of it counts as of now. */
void day_add(struct day *day, uint64_t bytes, int64_t wall_us);
uint64_t day_sum(const struct day *day, int64_t wall_us);

/* How long until fewer than per_day bytes count; 0: now, or per_day is 0 (no limit). */
int64_t day_wait(const struct day *day, uint64_t per_day, int64_t wall_us);

/* Lines "hour H BYTES". What cannot be read, is of another day or too large to be true is passed
 * over. */
void day_save(const struct day *day, int64_t wall_us, struct buf *to);
void day_restore(struct day *day, struct bytes saved, int64_t wall_us);

/* --- several ---------------------------------------------------------------------------------- */

/* The smaller of two limits where 0 is none. */
uint64_t limits_least(uint64_t a, uint64_t b);

/* Where `over` says nothing, `general` holds. */
struct pace_limits limits_merge(const struct pace_limits *over, const struct pace_limits *general);

#endif
