/* SPDX-License-Identifier: Apache-2.0 */
/* Every call that suspends, in every way it can be stopped: cancelled or late, before it or in it. One table
 * of calls, one case a way. */
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/check.h"
#include "run/testing.h"

/* What the calls wait on; nothing in it ever comes by itself. */
struct world {
	struct check *check;
	const struct call *call;
	struct waiters waiters;
	struct channel full, empty;
	struct watch *watch;
	int ends[2];    /* of a socket pair: ends[0] is watched, unreadable and unwritable */
	int release[2]; /* of a pipe: closing its end lets the pool's threads go */
	atomic_int blocked;
	bool worked, moved;
};

/* The pool has this many threads here, and all are kept busy, so that requests stay in its queue. */
enum { THREADS = 2 };

struct call {
	const char *name;
	int (*fn)(struct world *world, struct fault *fault);
	bool may_suspend; /* even when it is stopped already: it waits for its children */
};

static int call_sleep(struct world *world, struct fault *fault)
{
	return run_sleep(HOUR, fault);
}

static int call_waiters(struct world *world, struct fault *fault)
{
	return waiters_wait(&world->waiters, "nothing", fault);
}

static int call_send(struct world *world, struct fault *fault)
{
	return channel_send(&world->full, world, 1, fault);
}

static int call_receive(struct world *world, struct fault *fault)
{
	void *item;

	return channel_receive(&world->empty, &item, fault);
}

static int call_watch_readable(struct world *world, struct fault *fault)
{
	return watch_wait(world->watch, RUN_READABLE, "data", fault);
}

static int call_watch_writable(struct world *world, struct fault *fault)
{
	return watch_wait(world->watch, RUN_WRITABLE, "room", fault);
}

static int sleep_long(void *arg, struct fault *fault)
{
	struct fault own;

	/* Its own fault must not be taken for that of the waiting call. */
	return run_sleep(HOUR, &own) < 0 ? fault_usage(fault, "a child's fault") : 0;
}

static int call_nursery(struct world *world, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;
	int64_t former = fiber_current()->deadline;

	nursery_init(&nursery, "inner");
	run_deadline_restore(MOMENT_NEVER);
	nursery_start(&nursery, sleep_long, NULL, "grandchild");
	run_deadline_restore(former);
	return nursery_wait(&nursery, fault);
}

static int work(void *arg, struct fault *fault)
{
	struct world *world = arg;

	world->worked = true;
	return 0;
}

static int call_pool(struct world *world, struct fault *fault)
{
	return pool_call("work", work, world, fault);
}

static int call_resolve(struct world *world, struct fault *fault)
{
	struct addresses addresses;

	return resolve("localhost", 1, &addresses, fault);
}

static const struct call calls[] = {
	{ "run_sleep", call_sleep, false },
	{ "waiters_wait", call_waiters, false },
	{ "channel_send", call_send, false },
	{ "channel_receive", call_receive, false },
	{ "watch_wait readable", call_watch_readable, false },
	{ "watch_wait writable", call_watch_writable, false },
	{ "nursery_wait", call_nursery, true },
	{ "pool_call", call_pool, false },
	{ "resolve", call_resolve, false },
};

/* --- the world ------------------------------------------------------------------------------- */

static int block(void *arg, struct fault *fault)
{
	struct world *world = arg;
	char c;

	atomic_fetch_add(&world->blocked, 1);
	return read(world->release[0], &c, 1) == 0 ? 0 : fault_local(fault, "not released");
}

static int block_thread(void *arg, struct fault *fault)
{
	return pool_call("release", block, arg, fault);
}

static int fill(struct world *world, struct fault *fault)
{
	static const char zeros[4096];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, world->ends) < 0 ||
	    pipe(world->release) < 0)
		return fault_local(fault, "no socket pair");
	while (write(world->ends[0], zeros, sizeof(zeros)) > 0)
		;
	world->watch = watch_new(world->ends[0]);
	waiters_init(&world->waiters);
	channel_init(&world->full, 1);
	channel_init(&world->empty, 1);
	return channel_send(&world->full, world, 1, fault);
}

static void empty(struct world *world)
{
	channel_done(&world->full, NULL);
	channel_done(&world->empty, NULL);
	watch_free(world->watch);
	close(world->ends[0]);
	close(world->ends[1]);
	close(world->release[0]);
}

static void expect_stopped(struct world *world, int r, const struct fault *fault,
			   enum fault_kind want)
{
	check_expect(world->check, r == -1 && fault->kind == want, __FILE__, __LINE__,
		     "%s returned %d, %s, not %s", world->call->name, r,
		     fault_kind_name(fault->kind), fault_kind_name(want));
}

typedef int (*way_fn)(struct world *world, struct fault *fault);

static int all_calls(struct world *world, way_fn way, struct fault *fault)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		world->call = &calls[i];
		if (way(world, fault) < 0)
			return -1;
	}
	return 0;
}

struct plan {
	struct check *check;
	way_fn way;
};

static int in_world(void *arg, struct fault *fault)
{
	struct plan *plan = arg;
	struct check *check = plan->check;
	struct world world = { .check = check };
	_cleanup_(nursery_done) struct nursery blockers;
	int r;

	nursery_init(&blockers, "blockers");
	if (fill(&world, fault) < 0)
		return -1;
	for (int i = 0; i < THREADS; i++)
		nursery_start(&blockers, block_thread, &world, "blocker");
	while (atomic_load(&world.blocked) < THREADS)
		run_yield(fault);

	r = all_calls(&world, plan->way, fault);
	EXPECT(!world.worked);
	close(world.release[1]);
	if (nursery_wait(&blockers, fault) < 0)
		r = -1;
	empty(&world);
	return r;
}

static void in_every_call(struct check *check, way_fn way)
{
	struct plan plan = { check, way };
	struct fault fault = FAULT_INIT;
	int r = run_main("test", in_world, &plan, &fault);

	if (r != 0 && !check->failed)
		CHECK_FAIL("run_main returned %d: %s", r, fault.text);
}

/* --- stopped before -------------------------------------------------------------------------- */

static int move(void *arg, struct fault *fault)
{
	*(bool *)arg = true;
	return 0;
}

static int stopped_at_once(struct world *world, enum fault_kind want, struct fault *fault)
{
	struct check *check = world->check;
	_cleanup_(nursery_done) struct nursery nursery;
	struct fault own = FAULT_INIT;
	int r;

	nursery_init(&nursery, "movers");
	world->moved = false;
	nursery_start(&nursery, move, &world->moved, "mover");
	r = world->call->fn(world, &own);
	expect_stopped(world, r, &own, want);
	EXPECT(world->call->may_suspend || !world->moved);
	return 0;
}

static int call_cancelled(void *arg, struct fault *fault)
{
	fiber_cancel(fiber_current());
	return stopped_at_once(arg, FAULT_CANCELLED, fault);
}

static int way_cancelled_before(struct world *world, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "outer");
	nursery_start(&nursery, call_cancelled, world, "caller");
	return nursery_wait(&nursery, fault);
}

static void cancelled_before(struct check *check)
{
	in_every_call(check, way_cancelled_before);
}

static int way_late_before(struct world *world, struct fault *fault)
{
	_deadline_(0);

	return stopped_at_once(world, FAULT_TIMEOUT, fault);
}

static void late_before(struct check *check)
{
	in_every_call(check, way_late_before);
}

/* --- stopped while waiting ------------------------------------------------------------------- */

static int call_it(void *arg, struct fault *fault)
{
	struct world *world = arg;

	return world->call->fn(world, fault);
}

static int way_cancelled_while(struct world *world, struct fault *fault)
{
	struct check *check = world->check;
	_cleanup_(nursery_done) struct nursery nursery;
	struct fault own = FAULT_INIT;
	struct fiber *child;
	int r;

	nursery_init(&nursery, "outer");
	nursery_start(&nursery, call_it, world, "caller");
	child = list_entry(nursery.children.next, struct fiber, sibling);
	if (let_all_wait(fault) < 0)
		return -1;
	EXPECT(child->state == FIBER_WAITING);
	nursery_cancel(&nursery);
	r = nursery_wait(&nursery, &own);
	expect_stopped(world, r, &own, FAULT_CANCELLED);
	return 0;
}

static void cancelled_while(struct check *check)
{
	in_every_call(check, way_cancelled_while);
}

static int way_late_while(struct world *world, struct fault *fault)
{
	struct fault own = FAULT_INIT;
	int r;

	{
		_deadline_(3 * MSEC);

		r = world->call->fn(world, &own);
	}
	expect_stopped(world, r, &own, FAULT_TIMEOUT);
	return 0;
}

static void late_while(struct check *check)
{
	in_every_call(check, way_late_while);
}

/* --- what cannot be stopped ------------------------------------------------------------------ */

static int call_pool_and_return(void *arg, struct fault *fault)
{
	struct world *world = arg;
	int r;

	/* It may be late before a thread has begun: then it was not begun at all. */
	do {
		_deadline_(2 * MSEC);

		r = pool_call("release", block, world, fault);
	} while (r < 0 && atomic_load(&world->blocked) == 0);
	world->moved = true;
	return r < 0 ? r : 5;
}

/* Work that a thread has begun is waited for, by a cancelled and late fiber too. */
static int working(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct world world = { .check = check };
	_cleanup_(nursery_done) struct nursery nursery;

	if (pipe(world.release) < 0)
		return fault_local(fault, "no pipe");
	nursery_init(&nursery, "outer");
	nursery_start(&nursery, call_pool_and_return, &world, "caller");
	while (atomic_load(&world.blocked) == 0)
		run_yield(fault);
	nursery_cancel(&nursery);
	EXPECT(run_sleep(5 * MSEC, fault) == 0);
	EXPECT(!world.moved);
	EXPECT(!list_is_empty(&nursery.children));
	close(world.release[1]);
	EXPECT(nursery_wait(&nursery, fault) == 0);
	EXPECT(world.moved);
	close(world.release[0]);
	return 0;
}

static void work_is_not_stopped(struct check *check)
{
	struct fault fault = FAULT_INIT;

	CHECK_EQ(run_main("test", working, check, &fault), 0);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "cancelled before the call", cancelled_before },
		{ "late before the call", late_before },
		{ "cancelled while waiting", cancelled_while },
		{ "late while waiting", late_while },
		{ "work begun is waited for", work_is_not_stopped },
		{ 0 },
	};
	char threads[12];

	snprintf(threads, sizeof(threads), "%d", THREADS);
	setenv("UV_THREADPOOL_SIZE", threads, 1);
	return check_main(argc, argv, cases);
}
