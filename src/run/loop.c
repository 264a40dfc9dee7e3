/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: runs ready fibers, flushes idle work, then lets libuv wait for the kernel.
 *
 * Callbacks of libuv never run fibers, they only make them ready; so a fiber is always entered from
 * turn() with nothing of libuv below it on the stack. One turn runs a bounded number of fibers, so that
 * descriptors are polled even when fibers keep each other ready. */
#include "run/loop.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/xalloc.h"

enum { FIBERS_A_TURN = 128 };

/* The one piece of process state. */
static struct loop *running;

struct loop *loop_get(void)
{
	assert(running);
	return running;
}

/* --- ready fibers ---------------------------------------------------------------------------- */

/* Spread, because the first draws of xorshift from a small number are all the same. An odd factor: of what is not 0
 * it makes nothing that is. */
static uint64_t spread(uint64_t seed)
{
	return seed * 0x9e3779b97f4a7c15u;
}

void loop_shuffle(uint64_t seed)
{
	loop_get()->shuffle = spread(seed);
}

/* A test set it up wrong: there is nobody to give a fault to. */
static uint64_t seed_of_environment(void)
{
	const char *value = getenv("MAILFERRY_RUN_SEED");
	uint64_t seed;

	if (!value)
		return 0;
	if (bytes_to_u64(bytes_of(value), UINT64_MAX, &seed) < 0 || seed == 0) {
		fprintf(stderr, "MAILFERRY_RUN_SEED=%s cannot be used\n", value);
		abort();
	}
	return seed;
}

/* xorshift64: good enough to try other orders, and the same for the same seed everywhere. */
static unsigned draw(struct loop *loop, unsigned below)
{
	loop->shuffle ^= loop->shuffle << 13;
	loop->shuffle ^= loop->shuffle >> 7;
	loop->shuffle ^= loop->shuffle << 17;
	return (unsigned)(loop->shuffle >> 32) % below;
}

static struct fiber *next_ready(struct loop *loop)
{
	enum { AMONG = 32 };
	struct list *link = loop->ready.next;
	unsigned n = 0;

	if (loop->shuffle) {
		for (struct list *l = link; l != &loop->ready && n < AMONG; l = l->next)
			n++;
		for (n = n > 1 ? draw(loop, n) : 0; n > 0; n--)
			link = link->next;
	}
	list_remove(link);
	return list_entry(link, struct fiber, ready);
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void free_fiber(struct loop *loop, struct fiber *fiber)
{
	fiber_context_done(&fiber->context, &loop->stacks);
	list_remove(&fiber->all);
	if (fiber == loop->first)
		loop->first = NULL;
	if (fiber->has_timer)
		uv_close((uv_handle_t *)&fiber->timer, on_timer_closed);
	else
		free(fiber);
}

static void run_ready(struct loop *loop)
{
	for (int n = 0; n < FIBERS_A_TURN && !list_is_empty(&loop->ready); n++) {
		struct fiber *fiber = next_ready(loop);

		fiber->state = FIBER_RUNNING;
		loop->current = fiber;
		fiber_enter(&fiber->context);
		loop->current = NULL;
		if (fiber->context.ended)
			free_fiber(loop, fiber);
	}
}

/* --- idle work ------------------------------------------------------------------------------- */

void idle_work_init(struct idle_work *work, void (*fn)(void *arg), void *arg)
{
	list_init(&work->link);
	work->fn = fn;
	work->arg = arg;
}

void idle_work_schedule(struct idle_work *work)
{
	if (list_is_empty(&work->link))
		list_append(&loop_get()->idle, &work->link);
}

void idle_work_cancel(struct idle_work *work)
{
	list_remove(&work->link);
}

/* What is scheduled by this very work comes in the next turn. */
static void flush_idle(struct loop *loop)
{
	struct list end;

	list_append(&loop->idle, &end);
	while (loop->idle.next != &end) {
		struct idle_work *work = list_entry(loop->idle.next, struct idle_work, link);

		list_remove(&work->link);
		work->fn(work->arg);
	}
	list_remove(&end);
}

/* --- turning --------------------------------------------------------------------------------- */

static void die_of_deadlock(void)
{
	struct buf text = BUF_NULL;

	run_dump(&text);
	fprintf(stderr, "every fiber waits and nothing can wake one:\n%s", buf_str(&text));
	abort();
}

static void turn(struct loop *loop)
{
	bool busy;

	run_ready(loop);
	flush_idle(loop);
	if (!loop->first)
		return;

	busy = !list_is_empty(&loop->ready) || !list_is_empty(&loop->idle);
	if (uv_run(&loop->uv, busy ? UV_RUN_NOWAIT : UV_RUN_ONCE) == 0 &&
	    list_is_empty(&loop->ready) && list_is_empty(&loop->idle))
		die_of_deadlock();
}

/* --- signals --------------------------------------------------------------------------------- */

struct signal_handle {
	struct list link; /* in loop->signals */
	uv_signal_t uv;
	void (*fn)(void *arg);
	void *arg;
};

static void on_signal(uv_signal_t *uv, int number)
{
	struct signal_handle *handle = uv->data;

	(void)number;
	handle->fn(handle->arg);
}

void run_on_signal(int number, void (*fn)(void *arg), void *arg)
{
	struct loop *loop = loop_get();
	struct signal_handle *handle = xzalloc(sizeof(*handle));
	int r;

	handle->fn = fn;
	handle->arg = arg;
	handle->uv.data = handle;
	r = uv_signal_init(&loop->uv, &handle->uv);
	assert(r == 0);
	r = uv_signal_start(&handle->uv, on_signal, number);
	assert(r == 0);
	list_append(&loop->signals, &handle->link);
}

static void on_signal_closed(uv_handle_t *uv)
{
	free(uv->data);
}

/* --- begin and end --------------------------------------------------------------------------- */

static struct loop *loop_new(void)
{
	struct loop *loop = xzalloc(sizeof(*loop));

	if (uv_loop_init(&loop->uv) < 0) {
		free(loop);
		return NULL;
	}
	list_init(&loop->fibers);
	list_init(&loop->ready);
	list_init(&loop->idle);
	list_init(&loop->signals);
	loop->shuffle = spread(seed_of_environment());
	return loop;
}

static void loop_free(struct loop *loop)
{
	int r;

	/* The first fiber waited for its nurseries, they for theirs. */
	assert(list_is_empty(&loop->fibers));
	list_for_each_safe(link, &loop->signals) {
		struct signal_handle *handle = list_entry(link, struct signal_handle, link);

		uv_close((uv_handle_t *)&handle->uv, on_signal_closed);
	}
	/* Whoever cancels such work later must not touch the loop that was. */
	while (!list_is_empty(&loop->idle))
		list_remove(loop->idle.next);
	/* Closing takes libuv a turn or two; more means that somebody left a watch behind. */
	for (int i = 0; (r = uv_loop_close(&loop->uv)) == UV_EBUSY && i < 10; i++)
		uv_run(&loop->uv, UV_RUN_NOWAIT);
	assert(r == 0);
	fiber_pool_done(&loop->stacks);
	free(loop);
}

int run_main(const char *name, fiber_fn fn, void *arg, struct fault *fault)
{
	struct loop *loop;
	int r;

	assert(!running);
	signal(SIGPIPE, SIG_IGN);
	loop = loop_new();
	if (!loop)
		return fault_local(fault, "cannot make an event loop: too many open files, or no "
					  "memory");

	running = loop;
	loop->fault = fault;
	loop->first = fiber_new(NULL, MOMENT_NEVER, fn, arg);
	snprintf(loop->first->name, sizeof(loop->first->name), "%s", name);
	while (loop->first)
		turn(loop);
	r = loop->result;
	loop_free(loop);
	running = NULL;
	return r;
}
