/* SPDX-License-Identifier: Apache-2.0 */
/* A pairing heap whose links live inside the elements: what is first by key, and among equal keys by
 * order. Push and first are O(1), removing any element O(log n) on average over many. No allocation. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	struct heap_node *child, *next;
	struct heap_node *prev; /* the left sibling, or the parent of a first child; itself: a root; NULL: in no heap */
	int64_t key;
	uint64_t order;
};

/* A zeroed struct is a valid empty heap, a zeroed node is in none. */
struct heap {
	struct heap_node *root;
};

void heap_push(struct heap *heap, struct heap_node *node, int64_t key, uint64_t order);

/* Takes node out; it must be in this heap. */
void heap_remove(struct heap *heap, struct heap_node *node);

static inline bool heap_is_in(const struct heap_node *node)
{
	return node->prev;
}

/* NULL when empty. */
static inline struct heap_node *heap_first(const struct heap *heap)
{
	return heap->root;
}

#define heap_entry(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

#endif
