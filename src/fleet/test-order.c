/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/order.h"

#include "base/clock.h"
#include "base/rand.h"
#include "lib/check.h"

#define DAY (24 * HOUR)

static const int64_t now = INT64_C(1700000000) * SECOND;

static struct order make(bool seeded, int64_t cutover, uint64_t left, int64_t delta, size_t number)
{
	struct order_facts facts = { seeded, cutover, left, delta };

	return order_make(&facts, number, now, 2 * DAY);
}

static void classes(struct check *check)
{
	static const struct {
		bool seeded;
		int64_t cutover_in; /* 0: none planned */
		int class;
	} cases[] = {
		{ true, 0, ORDER_ORDINARY },
		{ false, 0, ORDER_ORDINARY },
		{ true, DAY, ORDER_SOON_DELTA },
		{ true, 2 * DAY, ORDER_SOON_DELTA },
		{ true, 2 * DAY + 1, ORDER_ORDINARY },
		{ false, DAY, ORDER_SOON_SEED },
		{ true, -DAY, ORDER_SOON_DELTA }, /* what came in meanwhile is missed now */
		{ true, -3 * DAY, ORDER_ORDINARY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct order o = make(cases[i].seeded,
				      cases[i].cutover_in ? now + cases[i].cutover_in : 0, 0, 0, 0);

		CHECK_EQ(o.class, cases[i].class);
	}
}

/* Each goes before all that follow, for an ordinary slot. */
static void longest_first(struct check *check)
{
	struct order orders[] = {
		make(true, now + DAY, 0, HOUR, 9),
		make(true, now + DAY, 0, MINUTE, 8),
		make(false, now + DAY, 0, 0, 7),          /* of unknown length: soon to be known */
		make(false, now + DAY, 1 << 20, 0, 6),
		make(false, 0, 0, 0, 5),
		make(false, 0, UINT64_C(1) << 40, 0, 4),
		make(false, 0, UINT64_C(1) << 33, 0, 3),
		make(true, 0, 0, MINUTE, 2),
		make(true, 0, 0, 0, 0),
		make(true, 0, 0, 0, 1),                   /* equals: as listed */
	};

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		for (size_t k = 0; k < ARRAY_SIZE(orders); k++)
			CHECK_EQ(order_before(&orders[i], &orders[k]), i < k);
}

static void shortest_first(struct check *check)
{
	struct order orders[] = {
		make(true, now + DAY, 0, MINUTE, 8),
		make(true, now + DAY, 0, HOUR, 9),
		make(false, now + DAY, 1 << 20, 0, 6),
		make(false, now + DAY, 0, 0, 7),
		make(true, 0, 0, 0, 0),
		make(true, 0, 0, MINUTE, 2),
		make(false, 0, UINT64_C(1) << 33, 0, 3),
		make(false, 0, UINT64_C(1) << 40, 0, 4),
		make(false, 0, 0, 0, 5), /* it could be the longest */
	};

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		for (size_t k = 0; k < ARRAY_SIZE(orders); k++)
			CHECK_EQ(order_shorter(&orders[i], &orders[k]), i < k);
}

/* Whatever else is known of it: a cutover that is near, or a few seconds of work. */
static void refused_last(struct check *check)
{
	struct order_facts facts = { .seeded = true, .cutover_us = now + DAY, .delta_us = 1, .refused = true };
	struct order refused = order_make(&facts, 0, now, 2 * DAY);
	struct order others[] = { make(true, now + DAY, 0, HOUR, 1), make(false, 0, 0, 0, 2), make(true, 0, 0, 1, 3) };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		CHECK(order_before(&others[i], &refused) && !order_before(&refused, &others[i]));
		CHECK(order_shorter(&others[i], &refused) && !order_shorter(&refused, &others[i]));
	}
}

static bool smaller(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y;
}

static void heap(struct check *check)
{
	struct order_heap heap = { .before = smaller };
	uint64_t numbers[500], last = 0;
	struct rand rand;

	CHECK(!order_heap_pop(&heap));
	rand_init(&rand, 1);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		numbers[i] = rand_below(&rand, 300);
		order_heap_push(&heap, &numbers[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint64_t *top = order_heap_top(&heap), *popped = order_heap_pop(&heap);

		CHECK(top == popped && *popped >= last);
		last = *popped;
	}
	CHECK(!order_heap_top(&heap));
	order_heap_done(&heap);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "classes", classes },
		{ "longest first", longest_first },
		{ "shortest first", shortest_first },
		{ "who was refused comes last", refused_last },
		{ "the heap", heap },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
