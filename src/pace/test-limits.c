/* SPDX-License-Identifier: Apache-2.0 */
/* Rates and a day's bytes, at made-up moments. */
#include "lib/check.h"
#include "pace/limits.h"
#include "base/rand.h"

static const int64_t start_us = 1000 * SECOND; /* any moment */

/* --- rates ------------------------------------------------------------------------------------ */

/* Takes amounts as soon as they may go, for so long: how much went. */
static double rate_of(uint64_t rate, uint64_t amount, int64_t for_us)
{
	struct bucket b = { .rate = rate };
	int64_t now = start_us;
	uint64_t sum = 0;

	while (now < start_us + for_us) {
		int64_t wait = bucket_wait(&b, now);

		if (wait) {
			now += wait + 700; /* timers are late */
			continue;
		}
		bucket_take(&b, amount, now);
		sum += amount;
	}
	return (double)sum / ((double)for_us / SECOND);
}

static void rates(struct check *check)
{
	static const struct {
		uint64_t rate, amount;
	} cases[] = {
		{ 4, 1 }, { 1000, 1 }, { 1 << 20, 16384 }, { 1 << 20, 65536 }, { 100 << 20, 65536 },
		{ 2000000000, 16384 }, { 3, 100 }, { 1000, 999999 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int seconds = cases[i].rate / cases[i].amount > 2000 ? 20 : 1000;
		double got = rate_of(cases[i].rate, cases[i].amount, seconds * SECOND);
		double want = (double)cases[i].rate;

		/* One amount and a quarter of a second are given in advance. */
		CHECK(got <= want * (1 + 0.26 / seconds) + (double)cases[i].amount / seconds);
		CHECK(got >= want * 0.998);
	}
}

static void no_rate(struct check *check)
{
	struct bucket b = { 0 };

	CHECK_EQ(bucket_take(&b, UINT64_MAX, start_us), 0);
	CHECK_EQ(bucket_wait(&b, start_us), 0);
	b.rate = 5;
	CHECK_EQ(bucket_take(&b, 0, start_us), 0);
	CHECK_EQ(bucket_wait(&b, start_us), 0);
}

/* Unused time is carried over, but not for long. */
static void carried_over(struct check *check)
{
	struct bucket b = { .rate = 100 };
	int64_t now = start_us;

	for (int i = 0; i < 26; i++) { /* a quarter of a second's worth, and one */
		CHECK_EQ(bucket_wait(&b, now), 0);
		bucket_take(&b, 1, now);
	}
	CHECK_EQ(bucket_wait(&b, now), SECOND / 100);
	now += HOUR;
	for (int i = 0; i < 26; i++)
		bucket_take(&b, 1, now);
	CHECK_EQ(bucket_wait(&b, now), SECOND / 100);
}

/* The peer names sizes. */
static void absurd_amounts(struct check *check)
{
	struct bucket b = { .rate = 1 };

	for (int i = 0; i < 1000; i++)
		bucket_take(&b, UINT64_MAX, start_us);
	CHECK(bucket_wait(&b, start_us) > HOUR);
	bucket_set_rate(&b, UINT64_MAX, start_us);
	CHECK(bucket_wait(&b, start_us) >= 0);
	bucket_set_rate(&b, 1, start_us);
	bucket_set_rate(&b, 0, start_us);
	CHECK_EQ(bucket_wait(&b, start_us), 0);
}

/* What is owed is paid for at the new rate. */
static void changed_rate(struct check *check)
{
	struct bucket b = { .rate = 1000 };

	bucket_take(&b, 60000, start_us);
	CHECK_EQ(bucket_wait(&b, start_us), 60 * SECOND - SECOND / 4);
	bucket_set_rate(&b, 60000, start_us);
	CHECK(bucket_wait(&b, start_us) < SECOND && bucket_wait(&b, start_us) > SECOND / 2);
	bucket_set_rate(&b, 1000, start_us);
	CHECK(bucket_wait(&b, start_us) > 50 * SECOND);
}

/* --- a day ------------------------------------------------------------------------------------ */

static const int64_t noon_us = INT64_C(1800000000) * SECOND; /* 2027-01-15 08:00 UTC */

static void a_day(struct check *check)
{
	struct day d = { 0 };
	int64_t hour = noon_us - noon_us % HOUR;

	CHECK_EQ(day_wait(&d, 100, noon_us), 0);
	day_add(&d, 60, hour);
	day_add(&d, 39, hour + 3 * HOUR);
	CHECK_EQ(day_sum(&d, hour + 3 * HOUR), 99);
	CHECK_EQ(day_wait(&d, 100, hour + 3 * HOUR), 0);
	day_add(&d, 1, hour + 3 * HOUR);
	CHECK_EQ(day_wait(&d, 100, hour + 3 * HOUR), 22 * HOUR);
	CHECK_EQ(day_wait(&d, 100, hour + 24 * HOUR + 59 * MINUTE), MINUTE);
	CHECK_EQ(day_wait(&d, 100, hour + 25 * HOUR), 0);
	CHECK_EQ(day_sum(&d, hour + 25 * HOUR), 40);
	CHECK_EQ(day_wait(&d, 10, hour + 25 * HOUR), 3 * HOUR);
	CHECK_EQ(day_sum(&d, hour + 1000 * HOUR), 0);
	CHECK_EQ(day_wait(&d, 0, hour), 0);
}

/* Whatever the pattern: never more than the limit and one amount in any 24 hours, and about as much
 * as may be. */
static void any_day(struct check *check)
{
	enum { HOURS = 24 * 20, PER_HOUR = 60 };
	static uint64_t went[HOURS * PER_HOUR];
	struct rand rand;
	struct day d = { 0 };
	uint64_t sum = 0, all = 0;

	rand_init(&rand, 7);
	for (size_t i = 0; i < ARRAY_SIZE(went); i++) {
		int64_t at = noon_us + (int64_t)i * (HOUR / PER_HOUR);
		uint64_t n = rand_below(&rand, i / PER_HOUR % 3 ? 100 : 10);

		went[i] = day_wait(&d, 10000, at) ? 0 : n;
		day_add(&d, went[i], at);
		sum += went[i];
		all += went[i];
		if (i >= 24 * PER_HOUR)
			sum -= went[i - 24 * PER_HOUR];
		CHECK(sum < 10000 + 100);
	}
	CHECK(all > 10000 * 20 * 8 / 10);
}

static void clock_goes_back(struct check *check)
{
	struct day d = { 0 };

	day_add(&d, 50, noon_us);
	day_add(&d, 50, noon_us - 5 * HOUR);
	CHECK_EQ(day_sum(&d, noon_us - 5 * HOUR), 100);
	CHECK_EQ(day_sum(&d, noon_us - 500 * HOUR), 100);
	CHECK_EQ(day_sum(&d, -5), 100);
	CHECK(day_wait(&d, 100, noon_us - 5 * HOUR) > 0);
	day_add(&d, UINT64_MAX, noon_us);
	day_add(&d, UINT64_MAX, noon_us);
	CHECK(day_sum(&d, noon_us) >= UINT64_C(1) << 56); /* no overflow to a small number */
}

static void kept(struct check *check)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct day d = { 0 }, again = { 0 };

	day_add(&d, 60, noon_us);
	day_add(&d, 70, noon_us + 5 * HOUR);
	day_save(&d, noon_us + 6 * HOUR, &text);
	CHECK_STR(buf_str(&text), "hour 500000 60\nhour 500005 70\n");

	day_restore(&again, buf_bytes(&text), noon_us + 6 * HOUR);
	CHECK_EQ(day_sum(&again, noon_us + 6 * HOUR), 130);
	CHECK_EQ(day_sum(&again, noon_us + 25 * HOUR), 70);

	again = (struct day){ 0 };
	day_restore(&again, buf_bytes(&text), noon_us + 27 * HOUR);
	CHECK_EQ(day_sum(&again, noon_us + 27 * HOUR), 70);
}

static void kept_badly(struct check *check)
{
	static const char *const texts[] = {
		"", "\n\n\n", "hour", "hour 500000", "hour 500000 ", "hour 500000 -5", "hour -1 5",
		"hour 500001 5" /* to come */, "hour 9223372036854775807 5", "hour 18446744073709551615 5",
		"hour 499975 5" /* long ago */, "hour 500000 99999999999999999999", "hour 500000 72057594037927937",
		"hour 500000 5 5", "minute 500000 5", "{\"hour\": 500000}", "hour  500000 5",
	};
	struct day d = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		day_restore(&d, bytes_of(texts[i]), noon_us);
		CHECK_EQ(day_sum(&d, noon_us), 0);
	}
	day_restore(&d, BYTES("x\0\nhour 500000 3\nhour 500000 4\n\377\nhour 499976 5"), noon_us);
	CHECK_EQ(day_sum(&d, noon_us), 12);
}

/* --- several ---------------------------------------------------------------------------------- */

static void merged(struct check *check)
{
	struct pace_limits general = { .connections = 4, .bytes_per_second = 100, .bytes_per_day = 7 };
	struct pace_limits night = { .connections = 8, .messages_per_second = 3 };
	struct pace_limits both = limits_merge(&night, &general);

	CHECK_EQ(both.connections, 8);
	CHECK_EQ(both.bytes_per_second, 100);
	CHECK_EQ(both.messages_per_second, 3);
	CHECK_EQ(both.bytes_per_day, 7);
	CHECK_EQ(both.commands, 0);
	CHECK_EQ(limits_least(0, 5), 5);
	CHECK_EQ(limits_least(5, 0), 5);
	CHECK_EQ(limits_least(5, 4), 4);
	CHECK_EQ(limits_least(0, 0), 0);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "rates", rates },
		{ "no rate", no_rate },
		{ "carried over", carried_over },
		{ "absurd amounts", absurd_amounts },
		{ "a changed rate", changed_rate },
		{ "a day's bytes", a_day },
		{ "any 24 hours", any_day },
		{ "the clock goes back", clock_goes_back },
		{ "kept", kept },
		{ "kept badly", kept_badly },
		{ "merged", merged },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
