/* SPDX-License-Identifier: Apache-2.0 */
/* Pairing heap, see heap.h. (Fredman, Sedgewick, Sleator, Tarjan: The pairing heap, 1986; two passes.) */
#include "base/heap.h"

#include <assert.h>

static bool is_before(const struct heap_node *a, const struct heap_node *b)
{
	return a->key != b->key ? a->key < b->key : a->order < b->order;
}

/* Two roots without siblings become one. */
static struct heap_node *meld(struct heap_node *a, struct heap_node *b)
{
	if (is_before(b, a)) {
		struct heap_node *swap = a;

		a = b;
		b = swap;
	}
	b->next = a->child;
	if (a->child)
		a->child->prev = b;
	b->prev = a;
	a->child = b;
	return a;
}

/* One root of a row of siblings, or NULL. */
static struct heap_node *meld_all(struct heap_node *row)
{
	struct heap_node *pairs = NULL, *root;

	/* From the left, two at a time; the results are chained by next, the last one first. */
	while (row) {
		struct heap_node *a = row, *b = row->next;

		row = b ? b->next : NULL;
		a->next = NULL;
		if (b) {
			b->next = NULL;
			a = meld(a, b);
		}
		a->next = pairs;
		pairs = a;
	}
	if (!pairs)
		return NULL;

	/* Then from the right. */
	root = pairs;
	pairs = pairs->next;
	root->next = NULL;
	while (pairs) {
		struct heap_node *a = pairs;

		pairs = pairs->next;
		a->next = NULL;
		root = meld(root, a);
	}
	return root;
}

static void set_root(struct heap *heap, struct heap_node *root)
{
	heap->root = root;
	if (root) {
		root->prev = root;
		root->next = NULL;
	}
}

void heap_push(struct heap *heap, struct heap_node *node, int64_t key, uint64_t order)
{
	assert(!heap_is_in(node));

	*node = (struct heap_node){ .key = key, .order = order };
	set_root(heap, heap->root ? meld(heap->root, node) : node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *rest;

	assert(heap_is_in(node));

	rest = meld_all(node->child);
	if (node == heap->root) {
		set_root(heap, rest);
	} else {
		if (node->prev->child == node)
			node->prev->child = node->next;
		else
			node->prev->next = node->next;
		if (node->next)
			node->next->prev = node->prev;
		if (rest)
			set_root(heap, meld(heap->root, rest));
	}
	node->child = node->next = node->prev = NULL;
}
