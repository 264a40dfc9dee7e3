/* SPDX-License-Identifier: Apache-2.0 */
/* How much may go in a time: token buckets, and a rate that is learned from a server that says "slower".
 * No clock, no I/O.
 *
 * Learning: who throttles accepts just what it allows. So at its first such answer the rate is what was
 * accepted of late; what the server says about work begun before that is the same news again. From there the rate
 * rises slowly while it is what limits us; above a rate that was too much only after a while, which doubles
 * each time it was too much again. */
#ifndef GATEWAY_RATE_H
#define GATEWAY_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/rand.h"

struct rate_bucket {
	double per_second; /* 0: no limit */
	double burst;      /* tokens it holds when full, at least 1 */
	double tokens;
	int64_t at;        /* when tokens was right */
};

void rate_bucket_init(struct rate_bucket *b, double per_second, double burst, int64_t now); /* full */

/* Other limits from now on; what is in it stays, as far as it fits. */
void rate_bucket_change(struct rate_bucket *b, double per_second, double burst, int64_t now);

/* When there is a whole token: now, or later. */
int64_t rate_bucket_moment(const struct rate_bucket *b, int64_t now);

/* Takes one, which rate_bucket_moment() said is there. */
void rate_bucket_take(struct rate_bucket *b, int64_t now);

bool rate_bucket_is_full(const struct rate_bucket *b, int64_t now);

enum { RATE_SLICES = 16 };

struct rate {
	struct rate_bucket bucket; /* what was learned */
	double ceiling;       /* per second: was too much; 0: not known */
	double good;          /* per second: before the last step upwards; 0: it was lowered since */
	int64_t hold_us, hold_until;
	int64_t lowered_at, raised_at;
	bool was_short;       /* since raised_at the bucket was empty once */
	int64_t pause_us, pause_until;

	/* What was accepted of late, by slices of time. */
	unsigned accepted[RATE_SLICES];
	unsigned accepted_n; /* in all, as long as that is few */
	int64_t slice; /* number of the newest */
	int64_t first; /* number of the first that counts */
};

void rate_init(struct rate *r, int64_t now);

/* When the next may go. */
int64_t rate_moment(struct rate *r, int64_t now);
void rate_take(struct rate *r, int64_t now);

/* A message was accepted. */
void rate_accepted(struct rate *r, int64_t now);

/* The server asked for less in answer to what began at `began`; told_us: it said for how long to wait,
 * or 0. */
void rate_throttled(struct rate *r, int64_t began, int64_t told_us, struct rand *rand, int64_t now);

#endif
