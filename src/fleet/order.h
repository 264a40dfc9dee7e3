/* SPDX-License-Identifier: Apache-2.0 */
/* Which mailbox comes next. No I/O, no clock of its own.
 *
 * First the waves whose cutover is near: their deltas, then their seeds. Within a class the longest
 * first, so that the last hours of a run are not spent on one large mailbox; of unknown length
 * first of all, to know it soon. One slot in four takes the shortest instead: while the large ones
 * are on their way the others get through as well. Those whose login was refused the last time come
 * last: a few of them in a row would end a login for all who share it (logins.h). */
#ifndef FLEET_ORDER_H
#define FLEET_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is known of a mailbox that waits. */
struct order_facts {
	bool seeded;        /* next comes a delta */
	int64_t cutover_us; /* of its wave, µs since 1970; 0: none is planned */
	uint64_t bytes_left; /* of the seed; 0: not known */
	int64_t delta_us;   /* how long the last delta took; 0: not known */
	bool refused;       /* the last run ended with a login that was refused */
};

enum order_class { ORDER_SOON_DELTA, ORDER_SOON_SEED, ORDER_ORDINARY, ORDER_REFUSED };

struct order {
	unsigned char class;  /* enum order_class */
	int64_t expected_us;  /* how long it may take; -1: not known */
	size_t number;        /* its place in the list: the order of equals */
};

/* soon_us: a cutover is near when it is no farther away than this, before or after. */
struct order order_make(const struct order_facts *facts, size_t number, int64_t now_us,
			int64_t soon_us);

/* Whether a goes before b for an ordinary slot, and for one that takes the shortest. */
bool order_before(const struct order *a, const struct order *b);
bool order_shorter(const struct order *a, const struct order *b);

/* A binary heap of pointers. A zeroed struct with `before` set is an empty one. */
struct order_heap {
	void **p;
	size_t n, size;
	bool (*before)(const void *a, const void *b);
};

void order_heap_push(struct order_heap *heap, void *item);
void *order_heap_pop(struct order_heap *heap);       /* NULL: it is empty */
void *order_heap_top(const struct order_heap *heap); /* NULL: it is empty */
void order_heap_done(struct order_heap *heap);

#endif
