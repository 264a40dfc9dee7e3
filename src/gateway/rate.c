/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets and learned rates, see rate.h. */
#include "gateway/rate.h"

#include <assert.h>
#include <string.h>

#define SLICE (500 * MSEC)
#define LEAST (1.0 / 120) /* per second: slower is no rate but a pause */
#define LOW 0.5           /* the first guess is no lower */
#define STEP 1.04         /* upwards, near a rate that was too much */
#define STRIDE 1.2        /* upwards, when none is known */
#define CLEAR 1.15        /* times that rate without a word: it is no limit any more */
#define BELOW 0.96        /* of what was accepted */
#define HOLD_FIRST (20 * SECOND)
#define HOLD_MOST (5 * MINUTE)
#define HOLD_MESSAGES 40   /* a hold is at least as long as so many take */
#define FEW 8             /* accepted: too few to tell a rate from */
#define PAUSE_FIRST SECOND
#define PAUSE_MOST (5 * MINUTE)

void rate_bucket_init(struct rate_bucket *b, double per_second, double burst, int64_t now)
{
	*b = (struct rate_bucket){ .per_second = per_second, .burst = burst < 1 ? 1 : burst, .at = now };
	b->tokens = b->burst;
}

static double tokens_at(const struct rate_bucket *b, int64_t now)
{
	double tokens = b->tokens;

	if (now > b->at)
		tokens += (double)(now - b->at) / SECOND * b->per_second;

	return tokens < b->burst ? tokens : b->burst;
}

void rate_bucket_change(struct rate_bucket *b, double per_second, double burst, int64_t now)
{
	double tokens = b->per_second > 0 ? tokens_at(b, now) : burst;

	rate_bucket_init(b, per_second, burst, now);
	b->tokens = tokens < b->burst ? tokens : b->burst;
}

int64_t rate_bucket_moment(const struct rate_bucket *b, int64_t now)
{
	double missing;

	if (b->per_second <= 0)
		return now;

	missing = 1 - tokens_at(b, now);
	return missing <= 1e-9 ? now : now + 1 + (int64_t)(missing / b->per_second * SECOND);
}

void rate_bucket_take(struct rate_bucket *b, int64_t now)
{
	if (b->per_second <= 0)
		return;

	b->tokens = tokens_at(b, now) - 1;
	b->at = now;
}

bool rate_bucket_is_full(const struct rate_bucket *b, int64_t now)
{
	return b->per_second <= 0 || tokens_at(b, now) >= b->burst - 1e-9;
}

void rate_init(struct rate *r, int64_t now)
{
	*r = (struct rate){ .slice = now / SLICE, .first = now / SLICE };
	rate_bucket_init(&r->bucket, 0, 1, now);
}

/* Moves on to the slice of now. After a gap what came before says nothing. */
static unsigned *slice_at(struct rate *r, int64_t now)
{
	int64_t slice = now / SLICE;

	if (slice >= r->slice + RATE_SLICES) {
		memset(r->accepted, 0, sizeof(r->accepted));
		r->first = r->slice = slice;
	}
	while (r->slice < slice)
		r->accepted[++r->slice % RATE_SLICES] = 0;
	return &r->accepted[r->slice % RATE_SLICES];
}

void rate_accepted(struct rate *r, int64_t now)
{
	++*slice_at(r, now);
	r->accepted_n += r->accepted_n < FEW;
	r->pause_us = 0;
}

/* Accepted per second since the last pause, in the last 4 s; longer when that were few. *ret_us is the
 * time that looks at. */
static double measure(struct rate *r, int64_t now, int64_t *ret_us)
{
	int64_t slice = (slice_at(r, now), r->slice), oldest = slice - RATE_SLICES + 1;
	unsigned n = 0;

	if (oldest < r->first)
		oldest = r->first;
	while (slice > oldest && (n < 8 || slice > r->slice - 8))
		n += r->accepted[slice-- % RATE_SLICES];
	n += r->accepted[slice % RATE_SLICES];
	*ret_us = now - slice * SLICE;
	return n * (double)SECOND / (double)(*ret_us > SECOND ? *ret_us : SECOND);
}

static void set_rate(struct rate *r, double per_second)
{
	if (per_second < LEAST)
		per_second = LEAST;
	r->bucket.per_second = per_second;
	r->bucket.burst = per_second / 10 < 1 ? 1 : per_second / 10;
}

/* Upwards by a step, at most once a second, while it is what limits us. */
static void rise(struct rate *r, int64_t now)
{
	double next = r->bucket.per_second * (r->ceiling > 0 ? STEP : STRIDE);

	int64_t few = (int64_t)(4 * SECOND / r->bucket.per_second); /* some must have gone at this rate */

	if (!r->was_short || now - r->raised_at < (few > SECOND ? few : SECOND))
		return;
	if (r->ceiling > 0 && next > r->ceiling) {
		if (now < r->hold_until)
			return;
		if (r->bucket.per_second > r->ceiling * CLEAR) { /* that went well */
			r->ceiling = 0;
			r->hold_us = 0;
		}
	}
	r->bucket.tokens = tokens_at(&r->bucket, now);
	r->bucket.at = now;
	r->good = r->bucket.per_second;
	set_rate(r, next);
	r->raised_at = now;
	r->was_short = false;
}

int64_t rate_moment(struct rate *r, int64_t now)
{
	int64_t moment;

	if (r->bucket.per_second > 0)
		rise(r, now);
	moment = rate_bucket_moment(&r->bucket, now);
	if (moment > now)
		r->was_short = true;
	return moment > r->pause_until ? moment : r->pause_until > now ? r->pause_until : now;
}

void rate_take(struct rate *r, int64_t now)
{
	rate_bucket_take(&r->bucket, now);
}

static int64_t doubled(int64_t us, int64_t first, int64_t most)
{
	if (us == 0)
		return first;

	return us > most / 2 ? most : 2 * us;
}

static void pause_until(struct rate *r, int64_t moment)
{
	if (moment <= r->pause_until)
		return;

	r->pause_until = moment;
	r->first = moment / SLICE + 1; /* what is counted next is what comes after it */
}

/* What to try from now on, after it was too much. */
static double lower_rate(struct rate *r, int64_t now)
{
	double former = r->bucket.per_second, rate, least = former / 2;
	int64_t looked_us;

	rate = measure(r, now, &looked_us) * BELOW;
	if (former <= 0)
		return rate > LOW ? rate : LOW;
	if (looked_us < SECOND || rate > former * BELOW)
		rate = former * BELOW;

	/* The first time, halfway back to what was well before the last step upwards. */
	if (r->good > 0) {
		least = (r->good + former) / 2 * BELOW;
		least = least > r->good ? least : r->good;
	}
	return rate < least ? least : rate;
}

void rate_throttled(struct rate *r, int64_t began, int64_t told_us, struct rand *rand, int64_t now)
{
	bool guess;

	if (told_us > 0)
		pause_until(r, now + told_us);
	if (began < r->lowered_at || now < r->lowered_at + SECOND)
		return;

	guess = r->bucket.per_second <= 0 && r->accepted_n < FEW;
	set_rate(r, lower_rate(r, now));
	r->good = 0;
	r->bucket.tokens = 0;
	r->bucket.at = now;
	r->ceiling = guess ? 0 : r->bucket.per_second;
	r->was_short = false;
	r->lowered_at = r->raised_at = now;
	r->pause_us = doubled(r->pause_us, PAUSE_FIRST, PAUSE_MOST);
	pause_until(r, now + rand_jitter(rand, r->pause_us));
	if (!guess && now >= r->hold_until) {
		int64_t many = (int64_t)(HOLD_MESSAGES * SECOND / r->bucket.per_second);

		r->hold_us = doubled(r->hold_us, HOLD_FIRST, HOLD_MOST);
		r->hold_until = now + rand_jitter(rand, r->hold_us > many ? r->hold_us : many);
	}
}
