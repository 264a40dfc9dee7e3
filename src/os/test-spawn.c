/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: what they print, how they end, and that they are ended. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "lib/check.h"
#include "os/spawn.h"

struct told {
	const char *command;
	const char *want;
	int status;
};

static void ordinary(struct check *check)
{
	static const struct told told[] = {
		{ "echo hello", "hello\n", 0 },
		{ "printf a; printf b; exit 3", "ab", 3 },
		{ "true", "", 0 },
		{ "kill -TERM $$", "", 128 + SIGTERM },
		{ "cat", "", 0 },
		{ "exec >&-; exit 4", "", 4 },
		{ "no-such-command-here 2>&-", "", 127 },
		{ "printf '%s' \"$0\"", "sh", 0 },
		/* Something left in the background holds the pipe. */
		{ "sleep 1000 & printf '%s' \"$!\"; kill -9 $!", NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
		_cleanup_(buf_done) struct buf out = BUF_NULL;
		struct fault fault;
		int status = -1;

		CHECK_EQ(os_command_output(told[i].command, 1000, MINUTE, &out, &status, &fault), 0);
		CHECK_EQ(status, told[i].status);
		if (told[i].want)
			CHECK_STR(buf_str(&out), told[i].want);
	}
}

/* The shell ends, what it started does not and keeps the pipe. */
static void left_in_background(struct check *check)
{
	_cleanup_(buf_done) struct buf out = BUF_NULL;
	struct fault fault;
	uint64_t pid = 0;
	int status = -1;

	CHECK_EQ(os_command_output("sleep 1000 & echo $!", 100, HOUR, &out, &status, &fault), 0);
	CHECK_EQ(status, 0);
	CHECK_EQ(bytes_to_u64(bytes_trim(buf_bytes(&out)), INT32_MAX, &pid), 0);
	CHECK_EQ(kill((pid_t)pid, SIGKILL), 0);
}

static void appended(struct check *check)
{
	_cleanup_(buf_done) struct buf out = BUF_NULL;
	struct fault fault;
	int status = -1;

	buf_append_str(&out, "before ");
	CHECK_EQ(os_command_output("printf 12345", 5, MINUTE, &out, &status, &fault), 0);
	CHECK_STR(buf_str(&out), "before 12345");
	CHECK_EQ(os_command_output("printf 123456", 5, MINUTE, &out, &status, &fault), -1);
	CHECK_EQ(fault.kind, FAULT_LIMIT);
	CHECK_EQ(os_command_output("yes", 100000, MINUTE, &out, &status, &fault), -1);
	CHECK_EQ(fault.kind, FAULT_LIMIT);
}

static void too_slow(struct check *check)
{
	static const char *const commands[] = {
		"exec sleep 1000", "exec >&-; exec sleep 1000", "trap '' TERM; while :; do :; done",
	};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		_cleanup_(buf_done) struct buf out = BUF_NULL;
		struct fault fault;
		int status = -1;

		CHECK_EQ(os_command_output(commands[i], 10, 20 * MSEC, &out, &status, &fault), -1);
		CHECK_EQ(fault.kind, FAULT_TIMEOUT);
		CHECK_EQ(status, 128 + SIGKILL);
	}
}

/* What this program ignores or blocks is not passed on. */
static void signals_are_plain(struct check *check)
{
	_cleanup_(buf_done) struct buf out = BUF_NULL;
	struct fault fault;
	int status = -1;
	sigset_t all, former;

	signal(SIGPIPE, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &former);
	CHECK_EQ(os_command_output("kill -PIPE $$; echo ignored", 100, MINUTE, &out, &status, &fault), 0);
	CHECK_EQ(status, 128 + SIGPIPE);
	CHECK_EQ(os_command_output("kill -USR1 $$; echo blocked", 100, MINUTE, &out, &status, &fault), 0);
	CHECK_EQ(status, 128 + SIGUSR1);
	sigprocmask(SIG_SETMASK, &former, NULL);
	signal(SIGPIPE, SIG_DFL);
}

/* Every descriptor of ours that a careful program opens is closed for it. */
static void no_leaks(struct check *check)
{
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC), after;

	close(before);
	ordinary(check);
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(after);
	CHECK_EQ(after, before);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "ordinary", ordinary },
		{ "something left in the background", left_in_background },
		{ "output is appended and bounded", appended },
		{ "too slow", too_slow },
		{ "signals are plain", signals_are_plain },
		{ "no descriptor is lost", no_leaks },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
