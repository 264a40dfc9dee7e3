/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for what since when. */
#include "run/loop.h"

static void dump_fiber(struct buf *to, const struct fiber *fiber, unsigned depth)
{
	int64_t waited_ms = (int64_t)uv_now(&loop_get()->uv) - fiber->since_ms;

	for (unsigned i = 0; i < depth; i++)
		buf_append_str(to, "  ");
	buf_append_str(to, fiber->name);
	if (fiber->nursery)
		buf_appendf(to, " (%s)", fiber->nursery->name);
	if (fiber->state == FIBER_RUNNING)
		buf_append_str(to, ": runs");
	else
		buf_appendf(to, ": waits for %s, %.1f s", fiber->what, (double)waited_ms / 1000);
	if (fiber->state == FIBER_READY)
		buf_append_str(to, ", ready");
	if (fiber->cancelled)
		buf_append_str(to, ", cancelled");
	buf_append_char(to, '\n');
}

static void dump_children(struct buf *to, const struct nursery *nursery, unsigned depth);

static void dump_tree(struct buf *to, const struct fiber *fiber, unsigned depth)
{
	dump_fiber(to, fiber, depth);
	list_for_each(link, &fiber->nurseries)
		dump_children(to, list_entry(link, struct nursery, of_parent), depth + 1);
}

static void dump_children(struct buf *to, const struct nursery *nursery, unsigned depth)
{
	list_for_each(link, &nursery->children)
		dump_tree(to, list_entry(link, struct fiber, sibling), depth);
}

void run_dump(struct buf *to)
{
	struct loop *loop = loop_get();

	if (loop->first)
		dump_tree(to, loop->first, 0);
	/* Those of a nursery that was made outside any fiber have no parent to stand under. */
	list_for_each(link, &loop->fibers) {
		struct fiber *fiber = list_entry(link, struct fiber, all);

		if (fiber->nursery && !fiber->nursery->parent)
			dump_tree(to, fiber, 0);
	}
}
