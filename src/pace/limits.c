/* SPDX-License-Identifier: Apache-2.0 */
/* Rates as moments, a day as 25 hours. See limits.h. */
#include "pace/limits.h"

static const int64_t carry_over = SECOND / 4;
static const double longest_us = 3600 * 24 * 365 * (double)SECOND; /* sizes are the peer's word */
static const uint64_t day_most = UINT64_C(1) << 56; /* sums of 25 such cannot overflow */

/* --- a rate ----------------------------------------------------------------------------------- */

void bucket_set_rate(struct bucket *b, uint64_t rate, int64_t now)
{
	double owed = b->free_at > now ? (double)(b->free_at - now) : 0;

	if (rate == b->rate)
		return;

	if (!rate)
		b->free_at = 0;
	else if (b->rate && owed > 0) {
		owed = owed * (double)b->rate / (double)rate;
		b->free_at = now + (int64_t)(owed < longest_us ? owed : longest_us);
	}
	b->rate = rate;
	b->rest = 0;
}

int64_t bucket_wait(const struct bucket *b, int64_t now)
{
	return b->rate && b->free_at > now ? b->free_at - now : 0;
}

int64_t bucket_take(struct bucket *b, uint64_t amount, int64_t now)
{
	double cost;
	int64_t whole;

	if (!b->rate || !amount)
		return 0;

	if (b->free_at < now - carry_over)
		b->free_at = now - carry_over;
	cost = (double)amount * (double)SECOND / (double)b->rate + b->rest;
	if (cost > longest_us)
		cost = longest_us;
	whole = (int64_t)cost;
	b->rest = cost - (double)whole;
	if (b->free_at < INT64_MAX / 2)
		b->free_at += whole;
	return whole;
}

/* --- a day's bytes ---------------------------------------------------------------------------- */

static int64_t hour_of(int64_t wall_us)
{
	return wall_us > 0 ? wall_us / HOUR : 0;
}

static uint64_t *slot(struct day *d, int64_t hour)
{
	return &d->bytes[hour % DAY_HOURS];
}

static void add_bounded(uint64_t *to, uint64_t n)
{
	*to = n > day_most - *to ? day_most : *to + n;
}

/* Makes `hour` the newest; hours that are over are emptied. */
static void turn_to(struct day *d, int64_t hour)
{
	uint64_t sum = 0;

	if (hour >= d->hour) {
		for (int64_t i = 1; i <= hour - d->hour && i <= DAY_HOURS; i++)
			*slot(d, d->hour + i) = 0;
		d->hour = hour;
		return;
	}

	/* The clock was set back: which hour was which is not known any more, so all of it is this
	 * hour's. */
	for (int i = 0; i < DAY_HOURS; i++) {
		add_bounded(&sum, d->bytes[i]);
		d->bytes[i] = 0;
	}
	d->hour = hour;
	*slot(d, hour) = sum;
}

void day_add(struct day *d, uint64_t bytes, int64_t wall_us)
{
	turn_to(d, hour_of(wall_us));
	add_bounded(slot(d, d->hour), bytes);
}

uint64_t day_sum(const struct day *d, int64_t wall_us)
{
	struct day now = *d;
	uint64_t sum = 0;

	turn_to(&now, hour_of(wall_us));
	for (int i = 0; i < DAY_HOURS; i++)
		sum += now.bytes[i];
	return sum;
}

int64_t day_wait(const struct day *d, uint64_t per_day, int64_t wall_us)
{
	struct day now = *d;
	uint64_t sum;

	if (!per_day)
		return 0;

	turn_to(&now, hour_of(wall_us));
	sum = day_sum(&now, wall_us);
	if (sum < per_day)
		return 0;

	/* The oldest hours go first; the last of them always suffices. */
	for (int64_t hour = now.hour - DAY_HOURS + 1; hour < now.hour; hour++) {
		if (hour >= 0)
			sum -= *slot(&now, hour);
		if (sum < per_day)
			return (hour + DAY_HOURS) * HOUR - wall_us;
	}
	return (now.hour + DAY_HOURS) * HOUR - wall_us;
}

void day_save(const struct day *d, int64_t wall_us, struct buf *to)
{
	struct day now = *d;

	turn_to(&now, hour_of(wall_us));
	for (int64_t hour = now.hour - DAY_HOURS + 1; hour <= now.hour; hour++) {
		if (hour >= 0 && *slot(&now, hour))
			buf_appendf(to, "hour %lld %llu\n", (long long)hour,
				    (unsigned long long)*slot(&now, hour));
	}
}

void day_restore(struct day *d, struct bytes saved, int64_t wall_us)
{
	int64_t now = hour_of(wall_us);
	uint64_t hour, bytes;

	turn_to(d, now);
	for (int lines = 0; saved.n > 0 && lines < 1000; lines++) {
		struct bytes line = bytes_cut(&saved, '\n');

		if (!bytes_equal(bytes_cut(&line, ' '), BYTES("hour")))
			continue;
		if (bytes_to_u64(bytes_cut(&line, ' '), INT64_MAX, &hour) < 0 ||
		    bytes_to_u64(line, day_most, &bytes) < 0)
			continue;
		if ((int64_t)hour > now - DAY_HOURS && (int64_t)hour <= now)
			add_bounded(slot(d, (int64_t)hour), bytes);
	}
}

/* --- several ---------------------------------------------------------------------------------- */

uint64_t limits_least(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

struct pace_limits limits_merge(const struct pace_limits *over, const struct pace_limits *general)
{
	return (struct pace_limits){
		.connections = over->connections ? over->connections : general->connections,
		.commands = over->commands ? over->commands : general->commands,
		.messages_per_second = over->messages_per_second ? over->messages_per_second
								 : general->messages_per_second,
		.bytes_per_second = over->bytes_per_second ? over->bytes_per_second
							   : general->bytes_per_second,
		.bytes_per_day = over->bytes_per_day ? over->bytes_per_day : general->bytes_per_day,
	};
}
