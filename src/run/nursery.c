/* SPDX-License-Identifier: Apache-2.0 */
/* Nurseries: no fiber outlives the block that started it. */
#include "run/loop.h"

#include <assert.h>
#include <stdarg.h>

static struct fiber *fiber_running_or_null(void)
{
	return loop_get()->current;
}

void nursery_init(struct nursery *nursery, const char *name)
{
	*nursery = (struct nursery){ .name = name, .parent = fiber_running_or_null() };
	list_init(&nursery->children);
	list_init(&nursery->waiting);
	list_init(&nursery->of_parent);
}

/* Names may hold what a server called a folder; they are shown on terminals. */
static void make_printable(char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
	}
}

void nursery_start(struct nursery *nursery, fiber_fn fn, void *arg, const char *format, ...)
{
	struct fiber *parent = fiber_running_or_null();
	struct fiber *child = fiber_new(nursery, parent ? parent->deadline : MOMENT_NEVER, fn, arg);
	va_list args;

	va_start(args, format);
	vsnprintf(child->name, sizeof(child->name), format, args);
	va_end(args);
	make_printable(child->name);

	child->cancelled = nursery->cancelled;
	if (list_is_empty(&nursery->children) && nursery->parent)
		list_append(&nursery->parent->nurseries, &nursery->of_parent);
	list_append(&nursery->children, &child->sibling);
}

void nursery_cancel(struct nursery *nursery)
{
	nursery->cancelled = true;
	list_for_each(link, &nursery->children)
		fiber_cancel(list_entry(link, struct fiber, sibling));
}

/* Only the first failure counts: the others mostly are its consequence. */
static void fail(struct nursery *nursery, int result, const struct fault *fault)
{
	if (nursery->result < 0)
		return;

	nursery->result = result;
	nursery->fault = *fault;
	nursery_cancel(nursery);
}

void nursery_child_ended(struct fiber *child, int result, const struct fault *fault)
{
	struct nursery *nursery = child->nursery;

	/* A child may not end with children of its own: they use its stack. */
	assert(list_is_empty(&child->nurseries));
	list_remove(&child->sibling);
	if (result < 0)
		fail(nursery, result, fault);
	if (!list_is_empty(&nursery->children))
		return;

	list_remove(&nursery->of_parent);
	if (!list_is_empty(&nursery->waiting))
		fiber_wake(list_entry(nursery->waiting.next, struct fiber, wait));
}

static void wait_firmly(struct nursery *nursery)
{
	while (!list_is_empty(&nursery->children)) {
		assert(list_is_empty(&nursery->waiting));
		list_append(&nursery->waiting, &fiber_current()->wait);
		fiber_suspend_firmly("its cancelled children");
	}
}

static int wait_or_be_told(struct nursery *nursery, struct fault *fault)
{
	if (fiber_check("its children", fault) < 0)
		return -1;

	while (!list_is_empty(&nursery->children)) {
		assert(list_is_empty(&nursery->waiting));
		list_append(&nursery->waiting, &fiber_current()->wait);
		if (fiber_suspend("its children", fault) < 0)
			return -1;
	}
	return 0;
}

int nursery_wait(struct nursery *nursery, struct fault *fault)
{
	struct fault own;
	int r;

	if (!list_is_empty(&nursery->children) && wait_or_be_told(nursery, &own) < 0) {
		fail(nursery, -1, &own);
		nursery_cancel(nursery);
		wait_firmly(nursery);
	}

	r = nursery->result;
	if (r < 0)
		*fault = nursery->fault;
	nursery->result = 0;
	nursery->cancelled = false;
	return r;
}

void nursery_done(struct nursery *nursery)
{
	if (!list_is_empty(&nursery->children)) {
		nursery_cancel(nursery);
		wait_firmly(nursery);
	}
	nursery->result = 0;
	nursery->cancelled = false;
}
