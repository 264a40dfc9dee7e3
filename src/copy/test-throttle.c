/* SPDX-License-Identifier: Apache-2.0 */
/* Rates: what is charged at which moment, on a clock of our own; and that taking really waits. */
#include "copy/throttle.h"

#include "lib/check.h"

static const int64_t start_us = 1000 * SECOND; /* any moment: the clock's zero means nothing */

static void no_limit(struct check *check)
{
	struct copy_throttle t;

	copy_throttle_init(&t, 0, 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(copy_throttle_charge(&t, 1000, UINT64_MAX, start_us), 0);
}

/* Whatever is taken when, nothing goes earlier than the rate allows. */
static void never_faster(struct check *check)
{
	static const struct {
		uint64_t rate, amount;
	} cases[] = { { 1, 1 }, { 4, 1 }, { 1000, 1 }, { 1000, 999 }, { 100000, 65536 }, { 3, 10 } };

	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		double cost = (double)cases[k].amount / (double)cases[k].rate * (double)SECOND;
		int64_t now = start_us, began = now;
		struct copy_throttle t;

		copy_throttle_init(&t, cases[k].rate, 0);
		for (int i = 0; i < 100; i++) {
			now += copy_throttle_charge(&t, 1, cases[k].amount, now);
			CHECK(now - began >= (int64_t)(cost * i) - SECOND / 4 - i - 1);
			CHECK(now - began <= (int64_t)(cost * i) + 1);
		}
	}
}

static void carried_over(struct check *check)
{
	struct copy_throttle t;
	int64_t now = start_us;

	copy_throttle_init(&t, 0, 100);
	CHECK_EQ(copy_throttle_charge(&t, 25, 0, now), 0);       /* a quarter of a second's worth */
	CHECK_EQ(copy_throttle_charge(&t, 1, 0, now), 0);
	CHECK_EQ(copy_throttle_charge(&t, 1, 0, now), SECOND / 100);
	now += 3600 * SECOND;                                    /* an hour's rest does not pile up */
	CHECK_EQ(copy_throttle_charge(&t, 25, 0, now), 0);
	CHECK_EQ(copy_throttle_charge(&t, 100, 0, now), 0);
	CHECK_EQ(copy_throttle_charge(&t, 1, 0, now), SECOND);
}

static void stricter_counts(struct check *check)
{
	struct copy_throttle t;

	copy_throttle_init(&t, 1000, 2);
	copy_throttle_charge(&t, 1, 250, start_us);
	CHECK_EQ(copy_throttle_charge(&t, 1, 250, start_us), SECOND / 4); /* half a second less what was unused */
	copy_throttle_init(&t, 1000, 2);
	copy_throttle_charge(&t, 1, 5250, start_us);
	CHECK_EQ(copy_throttle_charge(&t, 1, 1, start_us), 5 * SECOND);
}

/* Several connections share one: each is put behind those before. */
static void shared(struct check *check)
{
	struct copy_throttle t;
	int64_t last = -1;

	copy_throttle_init(&t, 0, 10);
	for (int i = 0; i < 20; i++) {
		int64_t wait = copy_throttle_charge(&t, 1, 0, start_us);

		CHECK(wait >= last);
		last = wait;
	}
	CHECK_EQ(last, 19 * SECOND / 10 - SECOND / 4);
}

static void absurd_sizes(struct check *check)
{
	struct copy_throttle t;
	int64_t wait;

	copy_throttle_init(&t, 1, 1);
	CHECK_EQ(copy_throttle_charge(&t, UINT64_MAX, UINT64_MAX, start_us), 0);
	wait = copy_throttle_charge(&t, 1, 1, start_us);
	CHECK(wait > 300 * 24 * 3600 * SECOND && wait < 400 * 24 * 3600 * SECOND);
	CHECK_EQ(copy_throttle_charge(&t, 0, 0, start_us), 0);
}

static int take(void *arg, struct fault *fault)
{
	int64_t *ret_waited = arg, began = run_now();
	struct copy_throttle t;

	copy_throttle_init(&t, 0, 100);
	for (int i = 0; i < 30; i++) /* 25 of them are carried over */
		if (copy_throttle_take(&t, 1, 0, fault) < 0)
			return -1;

	*ret_waited = run_now() - began;
	return 0;
}

static void waits(struct check *check)
{
	struct fault fault = FAULT_INIT;
	int64_t waited = 0;

	if (run_main("test", take, &waited, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK(waited >= 4 * SECOND / 100);
}

static int take_late(void *arg, struct fault *fault)
{
	struct copy_throttle t;
	_deadline_(0);

	copy_throttle_init(&t, 1, 0);
	copy_throttle_charge(&t, 1, 1000, run_now());
	return copy_throttle_take(&t, 1, 1, fault);
}

static void obeys_deadlines(struct check *check)
{
	struct fault fault = FAULT_INIT;

	CHECK(run_main("test", take_late, NULL, &fault) < 0);
	CHECK_EQ(fault.kind, FAULT_TIMEOUT);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "no limit", no_limit },
		{ "never faster than the rate, nor slower", never_faster },
		{ "a quarter of a second is carried over", carried_over },
		{ "the stricter of two limits counts", stricter_counts },
		{ "a limit is shared", shared },
		{ "absurd sizes", absurd_sizes },
		{ "taking waits", waits },
		{ "waiting obeys deadlines", obeys_deadlines },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
