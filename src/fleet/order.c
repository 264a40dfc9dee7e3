/* SPDX-License-Identifier: Apache-2.0 */
/* Which mailbox comes next, see order.h. */
#include "fleet/order.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"

/* For comparing seeds with deltas a guess is good enough. */
enum { SEED_BYTES_PER_SECOND = 2 << 20 };

struct order order_make(const struct order_facts *f, size_t number, int64_t now_us, int64_t soon_us)
{
	bool soon = f->cutover_us && f->cutover_us - now_us <= soon_us &&
		    now_us - f->cutover_us <= soon_us;
	struct order order = { .class = ORDER_ORDINARY, .expected_us = -1, .number = number };

	if (soon)
		order.class = f->seeded ? ORDER_SOON_DELTA : ORDER_SOON_SEED;
	if (f->refused)
		order.class = ORDER_REFUSED;
	if (f->seeded && f->delta_us > 0)
		order.expected_us = f->delta_us;
	else if (f->seeded)
		order.expected_us = 0; /* a seed is what takes long */
	else if (f->bytes_left)
		order.expected_us = (int64_t)(f->bytes_left / SEED_BYTES_PER_SECOND) * SECOND;
	return order;
}

bool order_before(const struct order *a, const struct order *b)
{
	if (a->class != b->class)
		return a->class < b->class;
	if ((a->expected_us < 0) != (b->expected_us < 0))
		return a->expected_us < 0;
	if (a->expected_us != b->expected_us)
		return a->expected_us > b->expected_us;
	return a->number < b->number;
}

bool order_shorter(const struct order *a, const struct order *b)
{
	if (a->class != b->class)
		return a->class < b->class;
	if ((a->expected_us < 0) != (b->expected_us < 0))
		return b->expected_us < 0;
	if (a->expected_us != b->expected_us)
		return a->expected_us < b->expected_us;
	return a->number < b->number;
}

/* --- heap ------------------------------------------------------------------------------------ */

static void swap(struct order_heap *heap, size_t i, size_t k)
{
	void *item = heap->p[i];

	heap->p[i] = heap->p[k];
	heap->p[k] = item;
}

void order_heap_push(struct order_heap *heap, void *item)
{
	size_t at = heap->n;

	heap->p = xgrow(heap->p, &heap->size, heap->n + 1, sizeof(*heap->p));
	heap->p[heap->n++] = item;
	for (; at > 0 && heap->before(heap->p[at], heap->p[(at - 1) / 2]); at = (at - 1) / 2)
		swap(heap, at, (at - 1) / 2);
}

void *order_heap_top(const struct order_heap *heap)
{
	return heap->n ? heap->p[0] : NULL;
}

void *order_heap_pop(struct order_heap *heap)
{
	void *top = order_heap_top(heap);
	size_t at = 0;

	if (!top)
		return NULL;

	heap->p[0] = heap->p[--heap->n];
	for (;;) {
		size_t left = 2 * at + 1, right = left + 1, first = at;

		if (left < heap->n && heap->before(heap->p[left], heap->p[first]))
			first = left;
		if (right < heap->n && heap->before(heap->p[right], heap->p[first]))
			first = right;
		if (first == at)
			return top;
		swap(heap, at, first);
		at = first;
	}
}

void order_heap_done(struct order_heap *heap)
{
	free(heap->p);
	heap->p = NULL;
	heap->n = heap->size = 0;
}
