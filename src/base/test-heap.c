/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include "base/rand.h"
#include "base/xalloc.h"
#include "lib/check.h"

enum { N = 400 };

/* The first of an array, by a plain search; N: none. */
static unsigned first_of(const struct heap_node *nodes)
{
	unsigned best = N;

	for (unsigned i = 0; i < N; i++) {
		if (!heap_is_in(&nodes[i]))
			continue;
		if (best == N || nodes[i].key < nodes[best].key ||
		    (nodes[i].key == nodes[best].key && nodes[i].order < nodes[best].order))
			best = i;
	}
	return best;
}

static void agrees_with_a_search(struct check *check)
{
	struct heap_node *nodes = xzalloc(N * sizeof(*nodes));
	struct heap heap = { 0 };
	struct rand rand;

	rand_init(&rand, 11);
	for (unsigned step = 0; step < 20000; step++) {
		struct heap_node *node = &nodes[rand_below(&rand, N)];
		unsigned best;

		if (rand_below(&rand, 3) == 0 && heap_first(&heap))
			node = heap_first(&heap);
		if (heap_is_in(node))
			heap_remove(&heap, node);
		else
			heap_push(&heap, node, (int64_t)rand_below(&rand, 50) - 25, step);
		best = first_of(nodes);
		CHECK(heap_first(&heap) == (best == N ? NULL : &nodes[best]));
	}
	free(nodes);
}

static void sorts_a_million(struct check *check)
{
	enum { MANY = 1000000 };
	struct heap_node *nodes = xzalloc(MANY * sizeof(*nodes));
	struct heap heap = { 0 };
	int64_t last = INT64_MIN;
	struct rand rand;

	rand_init(&rand, 12);
	for (unsigned i = 0; i < MANY; i++)
		heap_push(&heap, &nodes[i], (int64_t)(rand_u64(&rand) >> 1), i);
	for (unsigned i = 0; i < MANY; i++) {
		CHECK(heap_first(&heap)->key >= last);
		last = heap_first(&heap)->key;
		heap_remove(&heap, heap_first(&heap));
	}
	CHECK(!heap_first(&heap));
	free(nodes);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "agrees with a search", agrees_with_a_search },
		{ "sorts a million", sorts_a_million },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
