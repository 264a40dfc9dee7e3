/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines, the timers behind them, and shields. */
#include "lib/check.h"
#include "run/testing.h"

static void in_fiber(struct check *check, fiber_fn fn)
{
	struct fault fault = FAULT_INIT;

	CHECK_EQ(run_main("test", fn, check, &fault), 0);
}

static int narrow_and_restore(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct fiber *me = fiber_current();
	int64_t outer;

	EXPECT(me->deadline == MOMENT_NEVER);
	{
		_deadline_(HOUR);

		outer = me->deadline;
		EXPECT(outer != MOMENT_NEVER);
		{
			_deadline_(2 * HOUR);

			EXPECT(me->deadline == outer);
		}
		{
			_deadline_(MINUTE);

			EXPECT(me->deadline < outer);
		}
		EXPECT(me->deadline == outer);
		{
			_deadline_(-1);

			EXPECT(run_yield(fault) == -1);
			EXPECT(fault->kind == FAULT_TIMEOUT);
		}
		{
			_deadline_(MOMENT_NEVER);

			EXPECT(me->deadline == outer);
		}
	}
	EXPECT(me->deadline == MOMENT_NEVER);
	return 0;
}

static void deadline_scopes(struct check *check)
{
	in_fiber(check, narrow_and_restore);
}

static int timer_moves(void *arg, struct fault *fault)
{
	struct check *check = arg;

	for (int i = 0; i < 3; i++) {
		{
			_deadline_(10 * MSEC);

			EXPECT(run_sleep(1 * MSEC, fault) == 0);
		}
		EXPECT(run_sleep(15 * MSEC, fault) == 0);
		{
			_deadline_(HOUR);

			EXPECT(run_sleep(1 * MSEC, fault) == 0);
			{
				_deadline_(2 * MSEC);

				EXPECT(run_sleep(HOUR, fault) == -1);
				EXPECT(fault->kind == FAULT_TIMEOUT);
			}
		}
	}
	return 0;
}

static void deadline_timer(struct check *check)
{
	in_fiber(check, timer_moves);
}

static int open_gate(void *arg, struct fault *fault)
{
	waiters_wake_all(arg);
	return 0;
}

/* Waits with a deadline, but is woken long before it: its timer stays. */
static int leave_timer(struct waiters *gate, int64_t duration_us, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;
	_deadline_(duration_us);

	nursery_init(&nursery, "opener");
	nursery_start(&nursery, open_gate, gate, "opener");
	return waiters_wait(gate, "the gate", fault);
}

static int timer_left(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct waiters gate;

	waiters_init(&gate);
	EXPECT(leave_timer(&gate, HOUR, fault) == 0);
	EXPECT(run_sleep(MSEC, fault) == 0);
	EXPECT(leave_timer(&gate, 3 * MSEC, fault) == 0);
	{
		_deadline_(6 * MSEC);

		EXPECT(waiters_wait(&gate, "the gate", fault) == -1);
		EXPECT(fault->kind == FAULT_TIMEOUT);
	}
	return 0;
}

static void deadline_timer_left(struct check *check)
{
	in_fiber(check, timer_left);
}

static int inherits(void *arg, struct fault *fault)
{
	int64_t *ret = arg;

	*ret = fiber_current()->deadline;
	return 0;
}

static int child_inherits(void *arg, struct fault *fault)
{
	struct check *check = arg;
	int64_t mine, childs = 0;
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "outer");
	{
		_deadline_(HOUR);

		mine = fiber_current()->deadline;
		nursery_start(&nursery, inherits, &childs, "child");
	}
	EXPECT(nursery_wait(&nursery, fault) == 0);
	EXPECT(childs == mine);
	return 0;
}

static void deadline_of_child(struct check *check)
{
	in_fiber(check, child_inherits);
}

static int shielded(void *arg, struct fault *fault)
{
	struct check *check = arg;
	int64_t former;

	_deadline_(0);
	fiber_cancel(fiber_current());
	EXPECT(run_is_cancelled());
	EXPECT(run_yield(fault) == -1);
	EXPECT(fault->kind == FAULT_CANCELLED);

	former = run_shield(5 * MSEC);
	EXPECT(!run_is_cancelled());
	EXPECT(run_yield(fault) == 0);
	EXPECT(run_sleep(HOUR, fault) == -1);
	EXPECT(fault->kind == FAULT_TIMEOUT);
	{
		int64_t inner = run_shield(MINUTE);

		EXPECT(run_sleep(MSEC, fault) == 0);
		run_unshield(inner);
	}
	EXPECT(run_yield(fault) == -1);
	EXPECT(fault->kind == FAULT_TIMEOUT);
	run_unshield(former);

	EXPECT(run_is_cancelled());
	EXPECT(run_yield(fault) == -1);
	EXPECT(fault->kind == FAULT_CANCELLED);
	return 0;
}

static void shields(struct check *check)
{
	in_fiber(check, shielded);
}

struct shielded {
	struct waiters gate;
	int result;
};

static int wait_shielded(void *arg, struct fault *fault)
{
	struct shielded *shielded = arg;
	int64_t former = run_shield(MINUTE);

	shielded->result = waiters_wait(&shielded->gate, "the gate", fault);
	run_unshield(former);
	return run_yield(fault);
}

static int cancel_shielded(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct shielded child = { .result = 99 };
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "outer");
	waiters_init(&child.gate);
	nursery_start(&nursery, wait_shielded, &child, "child");
	EXPECT(let_all_wait(fault) == 0);
	nursery_cancel(&nursery);
	EXPECT(let_all_wait(fault) == 0);
	EXPECT(child.result == 99);
	waiters_wake_all(&child.gate);
	EXPECT(nursery_wait(&nursery, fault) == -1);
	EXPECT(fault->kind == FAULT_CANCELLED);
	EXPECT(child.result == 0);
	return 0;
}

static void shield_while_waiting(struct check *check)
{
	in_fiber(check, cancel_shielded);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "deadlines narrow and come back", deadline_scopes },
		{ "a timer moves", deadline_timer },
		{ "a timer left running", deadline_timer_left },
		{ "a child has its starter's deadline", deadline_of_child },
		{ "shields", shields },
		{ "a shield while waiting", shield_while_waiting },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
