/* SPDX-License-Identifier: Apache-2.0 */
/* Fibers, nurseries, waiters, and the dump. Deadlines and shields are in test-deadline.c; what each suspending
 * call does when it is stopped in test-run-stop.c; descriptors, signals and the pool in test-run-io.c. */
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "lib/check.h"
#include "run/testing.h"

static void in_fiber(struct check *check, fiber_fn fn)
{
	struct fault fault = FAULT_INIT;

	CHECK_EQ(run_main("test", fn, check, &fault), 0);
}

/* A diary that fibers write into, to compare the order of things. */
struct diary {
	struct check *check;
	struct buf text;
	struct waiters gate;
};

struct writer {
	struct diary *diary;
	const char *name;
	int times;
	int result; /* what the fiber returns */
};

static void note(struct diary *diary, const char *format, ...) PRINTF_LIKE(2, 3);
static void note(struct diary *diary, const char *format, ...)
{
	va_list args;

	if (diary->text.n > 0)
		buf_append_char(&diary->text, ' ');
	va_start(args, format);
	buf_vappendf(&diary->text, format, args);
	va_end(args);
}

static void expect_diary(struct diary *diary, const char *want)
{
	check_expect(diary->check, strcmp(buf_str(&diary->text), want) == 0, __FILE__, __LINE__,
		     "diary is \"%s\", not \"%s\"", buf_str(&diary->text), want);
	buf_done(&diary->text);
}

static int write_and_yield(void *arg, struct fault *fault)
{
	struct writer *w = arg;

	for (int i = 1; i <= w->times; i++) {
		note(w->diary, "%s%d", w->name, i);
		if (run_yield(fault) < 0)
			return -1;
	}
	if (w->result < 0)
		return fault_local(fault, "%s failed", w->name) * -w->result;
	return w->result;
}

static int write_and_sleep(void *arg, struct fault *fault)
{
	struct writer *w = arg;

	if (run_sleep(HOUR, fault) < 0) {
		note(w->diary, "%s:%s", w->name, fault_kind_name(fault->kind));
		return -1;
	}
	return 0;
}

/* --- order ----------------------------------------------------------------------------------- */

static int first_come_first_served(void *arg, struct fault *fault)
{
	struct diary diary = { .check = arg };
	struct writer a = { &diary, "a", 2, 0 }, b = { &diary, "b", 1, 5 }, c = { &diary, "c", 3, 0 };
	_cleanup_(nursery_done) struct nursery nursery;

	loop_shuffle(0);
	nursery_init(&nursery, "writers");
	nursery_start(&nursery, write_and_yield, &a, "a");
	nursery_start(&nursery, write_and_yield, &b, "b");
	nursery_start(&nursery, write_and_yield, &c, "c");
	note(&diary, "started");
	if (nursery_wait(&nursery, fault) < 0)
		return -1;
	expect_diary(&diary, "started a1 b1 c1 a2 c2 c3");
	return 0;
}

static void order(struct check *check)
{
	in_fiber(check, first_come_first_served);
}

static int write_all(struct diary *diary, struct fault *fault)
{
	struct writer writers[6];
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "writers");
	for (int i = 0; i < 6; i++) {
		writers[i] = (struct writer){ diary, &"a\0b\0c\0d\0e\0f"[2 * i], 2, 0 };
		nursery_start(&nursery, write_and_yield, &writers[i], "%s", writers[i].name);
	}
	return nursery_wait(&nursery, fault);
}

static int shuffle_once(struct diary *diary, uint64_t seed, struct fault *fault)
{
	loop_shuffle(seed);
	return write_all(diary, fault);
}

static int shuffled(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct diary one = { .check = check }, again = { .check = check }, fifo = { .check = check };

	if (shuffle_once(&one, 42, fault) < 0 || shuffle_once(&again, 42, fault) < 0 ||
	    shuffle_once(&fifo, 0, fault) < 0)
		return -1;
	EXPECT(strcmp(buf_str(&one.text), buf_str(&fifo.text)) != 0);
	expect_diary(&again, buf_str(&one.text));
	expect_diary(&fifo, "a1 b1 c1 d1 e1 f1 a2 b2 c2 d2 e2 f2");
	buf_done(&one.text);
	return 0;
}

static void order_from_a_seed(struct check *check)
{
	in_fiber(check, shuffled);
}

static int in_environment(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct diary one = { .check = check }, again = { .check = check };

	if (write_all(&one, fault) < 0)
		return -1;
	EXPECT(strcmp(buf_str(&one.text), "a1 b1 c1 d1 e1 f1 a2 b2 c2 d2 e2 f2") != 0);
	loop_shuffle(42);
	if (write_all(&again, fault) < 0)
		return -1;
	expect_diary(&again, buf_str(&one.text));
	buf_done(&one.text);
	return 0;
}

static int do_nothing(void *arg, struct fault *fault)
{
	return 0;
}

static int status_of(fiber_fn fn);

static void order_from_the_environment(struct check *check)
{
	static const char name[] = "MAILFERRY_RUN_SEED";
	static const char *const wrong[] = { "", "0", "-1", "1x", "99999999999999999999" };
	_cleanup_(freep) char *former = getenv(name) ? xstrdup(getenv(name)) : NULL;

	setenv(name, "42", 1);
	in_fiber(check, in_environment);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		int status;

		setenv(name, wrong[i], 1);
		status = status_of(do_nothing);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
	if (former)
		setenv(name, former, 1);
	else
		unsetenv(name);
}

static int sleep_for(void *arg, struct fault *fault)
{
	struct writer *w = arg;

	if (run_sleep(w->times * MSEC, fault) < 0)
		return -1;
	note(w->diary, "%s", w->name);
	return 0;
}

static int sleep_in_order(void *arg, struct fault *fault)
{
	struct diary diary = { .check = arg };
	struct writer a = { &diary, "late", 30, 0 }, b = { &diary, "soon", 3, 0 };
	struct check *check = arg;
	_cleanup_(nursery_done) struct nursery nursery;
	int64_t began = run_now();

	nursery_init(&nursery, "sleepers");
	nursery_start(&nursery, sleep_for, &a, "late");
	nursery_start(&nursery, sleep_for, &b, "soon");
	if (nursery_wait(&nursery, fault) < 0)
		return -1;
	expect_diary(&diary, "soon late");
	EXPECT(run_now() - began >= 30 * MSEC);
	return 0;
}

static void sleep_order(struct check *check)
{
	in_fiber(check, sleep_in_order);
}

/* --- nurseries ------------------------------------------------------------------------------- */

static int failing_sibling(void *arg, struct fault *fault)
{
	struct diary diary = { .check = arg };
	struct check *check = arg;
	struct writer a = { &diary, "a", 0, 0 }, b = { &diary, "b", 1, -7 }, c = { &diary, "c", 0, 0 };
	_cleanup_(nursery_done) struct nursery nursery;

	loop_shuffle(0);
	nursery_init(&nursery, "writers");
	nursery_start(&nursery, write_and_sleep, &a, "a");
	nursery_start(&nursery, write_and_yield, &b, "b");
	nursery_start(&nursery, write_and_sleep, &c, "c");
	EXPECT(nursery_wait(&nursery, fault) == -7);
	EXPECT(fault->kind == FAULT_LOCAL);
	EXPECT(strcmp(fault->text, "b failed") == 0);
	expect_diary(&diary, "b1 a:cancelled c:cancelled");

	/* It can be used again, and what was is forgotten. */
	b.result = 3;
	nursery_start(&nursery, write_and_yield, &b, "b");
	EXPECT(nursery_wait(&nursery, fault) == 0);
	expect_diary(&diary, "b1");
	return 0;
}

static void failure_cancels_siblings(struct check *check)
{
	in_fiber(check, failing_sibling);
}

static int parent_of_sleepers(void *arg, struct fault *fault)
{
	struct writer *w = arg;
	struct writer child = { w->diary, "grandchild", 0, 0 };
	_cleanup_(nursery_done) struct nursery nursery;
	int r;

	nursery_init(&nursery, "inner");
	nursery_start(&nursery, write_and_sleep, &child, "grandchild");
	r = nursery_wait(&nursery, fault);
	note(w->diary, "%s:%s", w->name, fault_kind_name(fault->kind));
	return r;
}

static int cancel_reaches_down(void *arg, struct fault *fault)
{
	struct diary diary = { .check = arg };
	struct check *check = arg;
	struct writer child = { &diary, "child", 0, 0 };
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "outer");
	nursery_start(&nursery, parent_of_sleepers, &child, "child");
	if (let_all_wait(fault) < 0)
		return -1;
	nursery_cancel(&nursery);
	EXPECT(nursery_wait(&nursery, fault) == -1);
	EXPECT(fault->kind == FAULT_CANCELLED);
	expect_diary(&diary, "grandchild:cancelled child:cancelled");
	return 0;
}

static void nested_cancel(struct check *check)
{
	in_fiber(check, cancel_reaches_down);
}

/* A child that needs some turns to end after it was cancelled is waited for. */
static int slow_to_end(void *arg, struct fault *fault)
{
	struct writer *w = arg;
	struct fault ignored;
	int64_t former;

	run_sleep(HOUR, fault);
	former = run_shield(MINUTE);
	for (int i = 0; i < 3; i++) {
		if (run_yield(&ignored) < 0)
			note(w->diary, "disturbed");
	}
	run_unshield(former);
	note(w->diary, "ended");
	return -1;
}

static int late_parent(void *arg, struct fault *fault)
{
	struct diary diary = { .check = arg };
	struct check *check = arg;
	struct writer child = { &diary, "child", 0, 0 };
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "outer");
	nursery_start(&nursery, slow_to_end, &child, "child");
	{
		_deadline_(5 * MSEC);

		EXPECT(nursery_wait(&nursery, fault) == -1);
	}
	EXPECT(fault->kind == FAULT_TIMEOUT);
	expect_diary(&diary, "ended");
	return 0;
}

static void late_parent_waits(struct check *check)
{
	in_fiber(check, late_parent);
}

static int done_waits(void *arg, struct fault *fault)
{
	struct diary diary = { .check = arg };
	struct check *check = arg;
	struct writer child = { &diary, "child", 0, 0 };
	{
		_cleanup_(nursery_done) struct nursery nursery;
		_deadline_(0);

		nursery_init(&nursery, "outer");
		nursery_start(&nursery, slow_to_end, &child, "child");
	}
	expect_diary(&diary, "ended");
	EXPECT(run_yield(fault) == 0);
	return 0;
}

static void done_waits_for_all(struct check *check)
{
	in_fiber(check, done_waits);
}

static int started_in_cancelled(void *arg, struct fault *fault)
{
	struct diary diary = { .check = arg };
	struct check *check = arg;
	struct writer child = { &diary, "child", 0, 0 };
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "outer");
	nursery_cancel(&nursery);
	nursery_start(&nursery, write_and_sleep, &child, "child");
	EXPECT(nursery_wait(&nursery, fault) == -1);
	EXPECT(fault->kind == FAULT_CANCELLED);
	expect_diary(&diary, "child:cancelled");
	return 0;
}

static void start_after_cancel(struct check *check)
{
	in_fiber(check, started_in_cancelled);
}

/* --- waiters --------------------------------------------------------------------------------- */

static int wait_at_gate(void *arg, struct fault *fault)
{
	struct writer *w = arg;

	if (waiters_wait(&w->diary->gate, "the gate", fault) < 0)
		return -1;
	note(w->diary, "%s", w->name);
	return 0;
}

/* A wake-up is not lost on a fiber that was cancelled and has not run since. */
static int wake_after_cancel(void *arg, struct fault *fault)
{
	struct diary diary = { .check = arg };
	struct check *check = arg;
	struct writer a = { &diary, "a", 0, 0 }, b = { &diary, "b", 0, 0 }, c = { &diary, "c", 0, 0 };
	_cleanup_(nursery_done) struct nursery one, others;

	loop_shuffle(0);
	nursery_init(&one, "one");
	nursery_init(&others, "others");
	waiters_init(&diary.gate);
	nursery_start(&one, wait_at_gate, &a, "a");
	nursery_start(&others, wait_at_gate, &b, "b");
	nursery_start(&others, wait_at_gate, &c, "c");
	EXPECT(run_yield(fault) == 0);
	nursery_cancel(&one);
	waiters_wake_one(&diary.gate);
	EXPECT(nursery_wait(&one, fault) == -1);
	EXPECT(run_yield(fault) == 0);
	note(&diary, "then");
	waiters_wake_all(&diary.gate);
	EXPECT(nursery_wait(&others, fault) == 0);
	expect_diary(&diary, "b then c");
	return 0;
}

static void waiters(struct check *check)
{
	in_fiber(check, wake_after_cancel);
}

/* --- the dump -------------------------------------------------------------------------------- */

/* Seconds differ from run to run. */
static void hide_times(struct buf *text)
{
	for (size_t i = 0; i < text->n; i++) {
		if (ascii_is_digit(text->p[i]))
			text->p[i] = '0';
	}
}

static int dump_all(void *arg, struct fault *fault)
{
	struct diary diary = { .check = arg };
	struct check *check = arg;
	struct writer child = { &diary, "child", 0, 0 };
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	_cleanup_(nursery_done) struct nursery nursery, gate;

	nursery_init(&nursery, "mailboxes");
	nursery_init(&gate, "gate");
	waiters_init(&diary.gate);
	nursery_start(&nursery, parent_of_sleepers, &child, "copy %s", "In\x1b[2Jbox");
	nursery_start(&gate, wait_at_gate, &child, "guard");
	if (let_all_wait(fault) < 0)
		return -1;
	nursery_cancel(&gate);
	run_dump(&text);
	hide_times(&text);
	check_expect(check,
		     strcmp(buf_str(&text),
			    "test: runs\n"
			    "  copy In?[0Jbox (mailboxes): waits for its children, 0.0 s\n"
			    "    grandchild (inner): waits for sleep, 0.0 s\n"
			    "  guard (gate): waits for the gate, 0.0 s, ready, cancelled\n") == 0,
		     __FILE__, __LINE__, "dump is:\n%s", buf_str(&text));
	nursery_done(&nursery);
	nursery_done(&gate);
	buf_done(&diary.text);
	return 0;
}

static void dump(struct check *check)
{
	in_fiber(check, dump_all);
}

/* --- many, deep, and what must end the process ----------------------------------------------- */

static int count_up(void *arg, struct fault *fault)
{
	_deadline_(HOUR);

	if (run_sleep(MSEC, fault) < 0)
		return -1;
	++*(int *)arg;
	return run_yield(fault);
}

static int start_many(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(nursery_done) struct nursery nursery;
	int count = 0;

	nursery_init(&nursery, "many");
	for (int i = 0; i < 10000; i++)
		nursery_start(&nursery, count_up, &count, "fiber %d", i);
	EXPECT(nursery_wait(&nursery, fault) == 0);
	EXPECT(count == 10000);
	return 0;
}

static void ten_thousand(struct check *check)
{
	in_fiber(check, start_many);
}

/* The frame above is looked at below, so that no compiler makes a loop of this. */
static __attribute__((noinline)) int descend(int levels, volatile const char *above)
{
	volatile char frame[1000];

	frame[0] = (char)levels;
	frame[999] = above ? above[999] : 1;
	return levels == 0 ? 0 : descend(levels - 1, frame) + frame[999];
}

static int go_deep(void *arg, struct fault *fault)
{
	struct check *check = arg;

	/* 48 of 64 KiB, on a stack that other fibers used before. */
	for (int i = 0; i < 3; i++) {
		EXPECT(descend(48, NULL) == 48);
		EXPECT(run_yield(fault) == 0);
	}
	return 0;
}

static int go_deep_twice(void *arg, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "deep");
	for (int i = 0; i < 4; i++) {
		nursery_start(&nursery, go_deep, arg, "deep");
		nursery_start(&nursery, go_deep, arg, "deep too");
		if (nursery_wait(&nursery, fault) < 0)
			return -1;
	}
	return go_deep(arg, fault);
}

static void deep_stack(struct check *check)
{
	in_fiber(check, go_deep_twice);
}

/* Other stacks lie below this one: without a guard page nothing would happen here. */
static int fall_off(void *arg, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;
	int count = 0;

	nursery_init(&nursery, "neighbours");
	for (int i = 0; i < 20; i++)
		nursery_start(&nursery, count_up, &count, "neighbour");
	return descend(400, NULL) > 0 ? 0 : 1;
}

static int wait_for_nobody(void *arg, struct fault *fault)
{
	struct waiters nobody;

	waiters_init(&nobody);
	return waiters_wait(&nobody, "nobody", fault);
}

/* The wait status of a process that runs fn. */
static int status_of(fiber_fn fn)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		struct fault fault;

		if (!freopen("/dev/null", "w", stderr))
			_exit(0);
		run_main("child", fn, NULL, &fault);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 0;
	return status;
}

static void guard_page(struct check *check)
{
	/* A signal, or a sanitizer's exit status. */
	CHECK(status_of(fall_off) != 0);
}

static void deadlock_is_noticed(struct check *check)
{
	int status = status_of(wait_for_nobody);

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static int return_seven(void *arg, struct fault *fault)
{
	return arg ? fault_usage(fault, "as told") : 7;
}

static void result_of_main(struct check *check)
{
	struct fault fault = FAULT_INIT;

	CHECK_EQ(run_main("test", return_seven, NULL, &fault), 7);
	CHECK_EQ(fault.kind, FAULT_NONE);
	CHECK_EQ(run_main("test", return_seven, check, &fault), -1);
	CHECK_STR(fault.text, "as told");
}

static int clocks_and_chance(void *arg, struct fault *fault)
{
	struct check *check = arg;
	unsigned char one[32] = { 0 }, two[32] = { 0 };

	EXPECT(run_now() > 0);
	EXPECT(run_wall() > INT64_C(1700000000) * SECOND);
	run_random(one, sizeof(one));
	run_random(two, sizeof(two));
	EXPECT(memcmp(one, two, sizeof(one)) != 0);
	return 0;
}

static void clock_and_random(struct check *check)
{
	in_fiber(check, clocks_and_chance);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "first come, first served", order },
		{ "another order from a seed", order_from_a_seed },
		{ "a seed in the environment", order_from_the_environment },
		{ "sleepers wake in order", sleep_order },
		{ "a failure cancels the siblings", failure_cancels_siblings },
		{ "cancellation reaches grandchildren", nested_cancel },
		{ "a late parent still waits", late_parent_waits },
		{ "nursery_done waits whatever happens", done_waits_for_all },
		{ "a child of a cancelled nursery", start_after_cancel },
		{ "no wake-up is lost", waiters },
		{ "the dump", dump },
		{ "ten thousand fibers", ten_thousand },
		{ "deep stacks", deep_stack },
		{ "a stack overflow is fatal", guard_page },
		{ "a deadlock is noticed", deadlock_is_noticed },
		{ "what run_main returns", result_of_main },
		{ "clocks and randomness", clock_and_random },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
