/* SPDX-License-Identifier: Apache-2.0 */
/* Step points: which pass kills, what the trace says, which operation fails. */
#include <signal.h>

#include "base/xalloc.h"
#include "lib/check.h"
#include "os/step.h"
#include "os/testing.h"

static int walk(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++) {
		step_point("one");
		step_point("two");
	}
	return step_is_on();
}

static void nothing_set(struct check *check)
{
	CHECK_EQ(testing_fork(walk, NULL, NULL, NULL), 0);
}

/* How many lines a walk leaves in the trace when it is killed at `when`. */
static int lines_until(struct check *check, const char *when, int want_end)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	_cleanup_(buf_done) struct buf trace = BUF_NULL;
	int lines = 0;

	testing_folder_make(&folder);
	setenv("MAILFERRY_STEP_TRACE", testing_path(&folder, "trace"), 1);
	CHECK_EQ(testing_fork(walk, NULL, "MAILFERRY_STEP_KILL", when), want_end);
	unsetenv("MAILFERRY_STEP_TRACE");
	trace = testing_read(testing_path(&folder, "trace"));
	for (size_t i = 0; i < trace.n; i++)
		lines += trace.p[i] == '\n';
	CHECK(bytes_starts(buf_bytes(&trace), BYTES("one\ntwo\none\n")) || lines < 3);
	return lines;
}

static void kill_and_trace(struct check *check)
{
	CHECK_EQ(lines_until(check, ":1", -SIGKILL), 1);
	CHECK_EQ(lines_until(check, ":4", -SIGKILL), 4);
	CHECK_EQ(lines_until(check, "one:2", -SIGKILL), 3);
	CHECK_EQ(lines_until(check, "two:3", -SIGKILL), 6);
	CHECK_EQ(lines_until(check, "two:4", 1), 6);
	CHECK_EQ(lines_until(check, "three:1", 1), 6);
}

static int count_failures(void *arg)
{
	int failed = 0;

	(void)arg;
	for (int i = 1; i <= 5; i++) {
		if (step_fails("write"))
			failed += 10;
		if (step_fails("sync"))
			failed += i;
	}
	return failed;
}

static void failures(struct check *check)
{
	CHECK_EQ(testing_fork(count_failures, NULL, NULL, NULL), 0);
	CHECK_EQ(testing_fork(count_failures, NULL, "MAILFERRY_STEP_FAIL", "sync:3"), 3);
	CHECK_EQ(testing_fork(count_failures, NULL, "MAILFERRY_STEP_FAIL", "write:2"), 10);
	CHECK_EQ(testing_fork(count_failures, NULL, "MAILFERRY_STEP_FAIL", "rename:1"), 0);
}

static int walk_silently(void *arg)
{
	if (!freopen("/dev/null", "w", stderr))
		return 0;
	return walk(arg);
}

static void nonsense(struct check *check)
{
	static const char *const values[] = { "", "one", "one:", "one:0", "one:x", ":-1", "one:2:3" };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		CHECK_EQ(testing_fork(walk_silently, NULL, "MAILFERRY_STEP_KILL", values[i]), -SIGABRT);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "nothing set", nothing_set },
		{ "kill and trace", kill_and_trace },
		{ "failures", failures },
		{ "what cannot be understood", nonsense },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
