/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rand.h"

#include "lib/check.h"

/* First values of the published xoshiro256** with the state 1, 2, 3, 4. */
static void is_xoshiro(struct check *check)
{
	static const uint64_t want[] = { 11520, 0, 1509978240, 1215971899390074240 };
	struct rand r = { { 1, 2, 3, 4 } };

	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		CHECK_EQ(rand_u64(&r), want[i]);
}

static void follows_from_the_seed(struct check *check)
{
	struct rand a, b, c;
	int same = 0;

	rand_init(&a, 42);
	rand_init(&b, 42);
	rand_init(&c, 43);
	for (int i = 0; i < 100; i++) {
		uint64_t value = rand_u64(&a);

		CHECK(value == rand_u64(&b));
		same += value == rand_u64(&c);
	}
	CHECK_EQ(same, 0);
	rand_init(&a, 0); /* an all-zero state would stay zero */
	CHECK(rand_u64(&a) != 0 || rand_u64(&a) != 0);
}

static void stays_below(struct check *check)
{
	unsigned seen[6] = { 0 };
	struct rand r;

	rand_init(&r, 7);
	for (int i = 0; i < 6000; i++) {
		uint64_t value = rand_below(&r, 6);

		CHECK(value < 6);
		seen[value]++;
	}
	for (size_t i = 0; i < 6; i++)
		CHECK(seen[i] > 800 && seen[i] < 1200);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(rand_below(&r, 1), 0);
		CHECK(rand_below(&r, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
	}
}

static void jitters(struct check *check)
{
	int64_t least = INT64_MAX, most = 0;
	struct rand r;

	rand_init(&r, 7);
	for (int i = 0; i < 1000; i++) {
		int64_t value = rand_jitter(&r, 1000);

		CHECK(value >= 750 && value <= 1250);
		least = value < least ? value : least;
		most = value > most ? value : most;
	}
	CHECK(least < 800 && most > 1200);
	CHECK_EQ(rand_jitter(&r, 0), 0);
	CHECK_EQ(rand_jitter(&r, 3), 3);
	CHECK(rand_jitter(&r, INT64_MAX / 2) > 0);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "is-xoshiro", is_xoshiro },
		{ "follows-from-the-seed", follows_from_the_seed },
		{ "stays-below", stays_below },
		{ "jitters", jitters },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
