/* SPDX-License-Identifier: Apache-2.0 */
/* Being told off, at made-up moments. */
#include "lib/check.h"
#include "pace/told.h"

static const int64_t start_us = 1000 * SECOND;

static void exact(struct check *check)
{
	struct told t = { 0 };

	CHECK_EQ(told_off(&t, 299609 * MSEC, 0, start_us), 299609 * MSEC);
	CHECK_EQ(t.until, start_us + 299609 * MSEC);

	/* Another connection is told less meanwhile: the longer one holds. */
	told_off(&t, 5 * SECOND, 0, start_us + SECOND);
	CHECK_EQ(t.until, start_us + 299609 * MSEC);
	told_off(&t, 400 * SECOND, 0, start_us + SECOND);
	CHECK_EQ(t.until, start_us + 401 * SECOND);

	/* Never shorter, whatever chance says; absurd words are bounded. */
	for (uint64_t chance = 1; chance; chance <<= 1) {
		struct told u = { 0 };
		int64_t wait = told_off(&u, MINUTE, chance, start_us);

		CHECK(wait >= MINUTE && wait <= MINUTE + 6 * SECOND);
		u = (struct told){ 0 };
		CHECK(told_off(&u, INT64_MAX, chance, start_us) <= 27 * HOUR);
	}
}

static void doubling(struct check *check)
{
	static const int seconds[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300 };
	struct told t = { 0 };
	int64_t now = start_us;

	for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
		CHECK_EQ(told_off(&t, 0, 0, now), seconds[i] * SECOND);
		CHECK_EQ(told_off(&t, 0, 0, now + SECOND / 2), seconds[i] * SECOND - SECOND / 2); /* the same event */
		told_well(&t, now + SECOND / 2); /* what was under way already */
		now = t.until;
	}
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(told_off(&t, 0, 0, now), 300 * SECOND);
		now = t.until;
	}
	told_well(&t, now);
	CHECK_EQ(told_off(&t, 0, 0, now), SECOND);
}

static void too_many(struct check *check)
{
	struct told t = { 0 };
	int64_t now = start_us;

	CHECK_EQ(told_most(&t, now), 0);
	told_too_many(&t, 8, now);
	CHECK_EQ(told_most(&t, now), 7);
	told_too_many(&t, 8, now + SECOND); /* it is not closed yet */
	CHECK_EQ(told_most(&t, now + SECOND), 7);
	told_too_many(&t, 7, now + 2 * SECOND);
	CHECK_EQ(told_most(&t, now + 2 * SECOND), 6);
	now += 2 * SECOND;
	CHECK_EQ(told_most(&t, now + HOUR - 1), 6); /* the second time for an hour */
	CHECK_EQ(told_most(&t, now + HOUR), 7);
	CHECK_EQ(told_most(&t, now + 2 * HOUR), 8);

	t = (struct told){ 0 };
	told_too_many(&t, 1, now);
	CHECK_EQ(told_most(&t, now), 1);
	told_too_many(&t, 0, now + HOUR);
	CHECK_EQ(told_most(&t, now + HOUR), 1);
}

static void several(struct check *check)
{
	struct told t = { 0 };
	int a = 0, b = 0, c = 0, d = 0; /* only their addresses matter */

	CHECK_EQ(told_of(&t, &a, 30 * SECOND, start_us), 0);
	CHECK_EQ(told_of(&t, &b, 20 * SECOND, start_us), 0);
	CHECK_EQ(told_of(&t, &a, 30 * SECOND, start_us), 0); /* the same again */
	CHECK_EQ(told_of(&t, &c, 40 * SECOND, start_us + MINUTE), 20 * SECOND);
	CHECK_EQ(told_of(&t, &d, 40 * SECOND, start_us + 10 * MINUTE), 0); /* the others are long ago */
	CHECK_EQ(told_of(&t, &c, 40 * SECOND, start_us + 10 * MINUTE), 0);
	told_forget(&t, &c);
	CHECK_EQ(told_of(&t, &a, 40 * SECOND, start_us + 10 * MINUTE), 0);
	CHECK_EQ(told_of(&t, &b, 40 * SECOND, start_us + 10 * MINUTE), 40 * SECOND);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "exact waits", exact },
		{ "doubling", doubling },
		{ "too many connections", too_many },
		{ "several accounts", several },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
