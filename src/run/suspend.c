/* SPDX-License-Identifier: Apache-2.0 */
/* Suspending and waking: deadlines, cancellation, sleep.
 *
 * A fiber is made ready by exactly one reason, and leaves the list it waits in at that moment: so a
 * wake-up is never spent on a fiber that was just cancelled, and a fiber that was woken first reports
 * success first; its cancellation waits for its next suspension. */
#include "run/loop.h"

#include <assert.h>
#include <inttypes.h>

#include "base/xalloc.h"

struct fiber *fiber_current(void)
{
	struct fiber *fiber = loop_get()->current;

	assert(fiber);
	return fiber;
}

/* --- the fiber itself ------------------------------------------------------------------------ */

static void fiber_main(void *arg)
{
	struct fiber *fiber = arg;
	struct loop *loop = loop_get();
	struct fault fault = FAULT_INIT;
	int r;

	r = fiber->fn(fiber->arg, &fault);
	if (fiber->nursery) {
		nursery_child_ended(fiber, r, &fault);
		return;
	}
	loop->result = r;
	if (r < 0)
		*loop->fault = fault;
}

struct fiber *fiber_new(struct nursery *nursery, int64_t deadline, fiber_fn fn, void *arg)
{
	struct loop *loop = loop_get();
	struct fiber *fiber = xzalloc(sizeof(*fiber));

	fiber->fn = fn;
	fiber->arg = arg;
	fiber->nursery = nursery;
	fiber->deadline = deadline;
	fiber->what = "its first turn";
	fiber->since_ms = (int64_t)uv_now(&loop->uv);
	list_init(&fiber->wait);
	list_init(&fiber->sibling);
	list_init(&fiber->nurseries);
	fiber_context_init(&fiber->context, &loop->stacks, fiber_main, fiber);
	list_append(&loop->fibers, &fiber->all);
	fiber->state = FIBER_READY;
	list_append(&loop->ready, &fiber->ready);
	return fiber;
}

/* --- waking ---------------------------------------------------------------------------------- */

static void make_ready(struct fiber *fiber, enum fiber_reason reason)
{
	assert(fiber->state == FIBER_WAITING);
	fiber->state = FIBER_READY;
	fiber->reason = reason;
	list_remove(&fiber->wait);
	list_append(&loop_get()->ready, &fiber->ready);
}

void fiber_wake(struct fiber *fiber)
{
	if (fiber->state == FIBER_WAITING)
		make_ready(fiber, FIBER_WOKEN);
}

void fiber_cancel(struct fiber *fiber)
{
	fiber->cancelled = true;
	if (fiber->state == FIBER_WAITING && !fiber->firm && fiber->shields == 0)
		make_ready(fiber, FIBER_CANCELLED);
}

struct fiber *run_fiber(void)
{
	return fiber_current();
}

void run_cancel(struct fiber *fiber)
{
	fiber_cancel(fiber);
}

/* --- suspending ------------------------------------------------------------------------------ */

static void on_timer(uv_timer_t *timer);

static void timer_arm(struct fiber *fiber)
{
	struct loop *loop = loop_get();
	int64_t due_ms, now_ms;

	if (fiber->deadline == MOMENT_NEVER)
		return;

	/* Rounded up: a timer that fires has passed the deadline. */
	due_ms = fiber->deadline / 1000 + 1;
	if (fiber->has_timer && uv_is_active((uv_handle_t *)&fiber->timer) &&
	    fiber->timer_due_ms <= due_ms)
		return;

	if (!fiber->has_timer) {
		uv_timer_init(&loop->uv, &fiber->timer);
		fiber->timer.data = fiber;
		fiber->has_timer = true;
	}
	now_ms = (int64_t)uv_now(&loop->uv);
	fiber->timer_due_ms = due_ms;
	uv_timer_start(&fiber->timer, on_timer, due_ms > now_ms ? (uint64_t)(due_ms - now_ms) : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct fiber *fiber = timer->data;

	if (fiber->state != FIBER_WAITING || fiber->firm)
		return;
	if (fiber->deadline <= run_now())
		make_ready(fiber, FIBER_LATE);
	else
		timer_arm(fiber);
}

static void suspend(struct fiber *fiber, const char *what)
{
	struct loop *loop = loop_get();

	fiber->state = FIBER_WAITING;
	fiber->what = what;
	fiber->since_ms = (int64_t)uv_now(&loop->uv);
	fiber_leave(&fiber->context);
}

static int fault_late(struct fault *fault, const char *what)
{
	return fault_set(fault, FAULT_TIMEOUT, REACH_SESSION, AGAIN_NOW,
			 "the time allowed has passed while waiting for %s", what);
}

int fiber_check(const char *what, struct fault *fault)
{
	struct fiber *fiber = fiber_current();

	if (run_is_cancelled())
		return fault_cancelled(fault);
	if (fiber->deadline != MOMENT_NEVER && fiber->deadline <= run_now())
		return fault_late(fault, what);

	return 0;
}

int fiber_suspend(const char *what, struct fault *fault)
{
	struct fiber *fiber = fiber_current();

	timer_arm(fiber);
	suspend(fiber, what);
	if (fiber->reason == FIBER_CANCELLED)
		return fault_cancelled(fault);
	if (fiber->reason == FIBER_LATE)
		return fault_late(fault, what);

	return 0;
}

void fiber_suspend_firmly(const char *what)
{
	struct fiber *fiber = fiber_current();

	fiber->firm = true;
	suspend(fiber, what);
	fiber->firm = false;
}

/* --- deadlines and shields ------------------------------------------------------------------- */

static int64_t moment_after(int64_t duration_us)
{
	int64_t moment;

	if (duration_us == MOMENT_NEVER || __builtin_add_overflow(run_now(), duration_us, &moment))
		return duration_us < 0 ? 0 : MOMENT_NEVER;

	return moment;
}

int64_t run_deadline_narrow(int64_t duration_us)
{
	struct fiber *fiber = fiber_current();
	int64_t former = fiber->deadline;
	int64_t wanted = moment_after(duration_us);

	if (wanted < former)
		fiber->deadline = wanted;
	return former;
}

void run_deadline_restore(int64_t deadline)
{
	fiber_current()->deadline = deadline;
}

bool run_is_cancelled(void)
{
	struct fiber *fiber = fiber_current();

	return fiber->cancelled && fiber->shields == 0;
}

int64_t run_shield(int64_t duration_us)
{
	struct fiber *fiber = fiber_current();
	int64_t former = fiber->deadline;

	fiber->shields++;
	fiber->deadline = moment_after(duration_us);
	return former;
}

void run_unshield(int64_t former_deadline)
{
	struct fiber *fiber = fiber_current();

	assert(fiber->shields > 0);
	fiber->shields--;
	fiber->deadline = former_deadline;
}

/* --- sleep and yield ------------------------------------------------------------------------- */

/* Sleeping is waiting for the deadline itself, if it is not the fiber's own that comes first. */
int run_sleep(int64_t duration_us, struct fault *fault)
{
	struct fiber *fiber = fiber_current();
	int64_t former, wake_at = moment_after(duration_us);
	struct fault ignored;

	if (fiber_check("sleep", fault) < 0)
		return -1;
	if (fiber->deadline < wake_at)
		return fiber_suspend("sleep", fault);

	former = fiber->deadline;
	fiber->deadline = wake_at;
	fiber_suspend("sleep", &ignored);
	fiber->deadline = former;
	return fiber->reason == FIBER_CANCELLED ? fault_cancelled(fault) : 0;
}

int run_yield(struct fault *fault)
{
	struct fiber *fiber = fiber_current();

	if (fiber_check("its turn", fault) < 0)
		return -1;

	fiber->state = FIBER_READY;
	fiber->what = "its turn";
	fiber->since_ms = (int64_t)uv_now(&loop_get()->uv);
	list_append(&loop_get()->ready, &fiber->ready);
	fiber_leave(&fiber->context);
	return fiber_check("its turn", fault);
}
