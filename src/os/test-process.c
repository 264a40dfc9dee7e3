/* SPDX-License-Identifier: Apache-2.0 */
/* Knowing processes, and starting this program once more. */
#include "os/process.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/check.h"
#include "os/spawn.h"

static void this_one(struct check *check)
{
	struct os_process self = os_this_process(), other;
	char host[65];

	CHECK_EQ(self.pid, getpid());
	CHECK(self.began > 0);
	CHECK(os_process_runs(&self));
	other = (struct os_process){ self.pid, self.began + 1 }; /* the number was used before */
	CHECK(!os_process_runs(&other));
	other = (struct os_process){ self.pid, 0 };
	CHECK(os_process_runs(&other));
	other = (struct os_process){ -1, 0 };
	CHECK(!os_process_runs(&other));
	other = (struct os_process){ 0, 0 };
	CHECK(!os_process_runs(&other));
	other = (struct os_process){ INT64_C(1) << 40, 0 };
	CHECK(!os_process_runs(&other));
	os_host_name(host);
	CHECK(host[0]);
}

static void files(struct check *check)
{
	unsigned limit = os_raise_file_limit();

	CHECK(limit >= 256);
	CHECK_EQ(os_raise_file_limit(), limit);
	CHECK(dup2(0, (int)(limit < 4096 ? limit : 4096) - 1) >= 0);
}

static void one_that_ended(struct check *check)
{
	struct os_child child;
	const char *argv[] = { "test", "child", "wait", NULL };
	struct os_process known;
	struct fault fault;

	CHECK_EQ(os_child_start(argv, &child, &fault), 0);
	known = (struct os_process){ child.pid, 0 };
	CHECK(os_process_runs(&known));
	close(child.in); /* which it waits for */
	child.in = -1;
	CHECK_EQ(os_child_reap(&child), 7);
	CHECK(!os_process_runs(&known));
}

static void speaking(struct check *check)
{
	const char *argv[] = { "test", "child", "speak", NULL };
	struct os_child child;
	struct fault fault;
	char out[20] = "", err[20] = "";

	CHECK_EQ(os_child_start(argv, &child, &fault), 0);
	CHECK_EQ(read(child.out, out, sizeof(out) - 1), 4);
	CHECK_EQ(read(child.err, err, sizeof(err) - 1), 4);
	CHECK_STR(out, "out\n");
	CHECK_STR(err, "err\n");
	CHECK_EQ(os_child_reap(&child), 0);
	CHECK_EQ(child.out, -1);
}

static void stopping(struct check *check)
{
	const char *argv[] = { "test", "child", "wait", NULL };
	struct os_child child;
	struct fault fault;
	struct pollfd end;

	CHECK_EQ(os_child_start(argv, &child, &fault), 0);
	end = (struct pollfd){ .fd = child.watch, .events = POLLIN };
	CHECK_EQ(poll(&end, 1, 0), 0);
	os_child_stop(&child);
	CHECK_EQ(poll(&end, 1, 60000), 1);
	os_child_stop(&child); /* of one that has ended already */
	CHECK_EQ(os_child_reap(&child), 128 + SIGTERM);
}

static int be_child(const char *what)
{
	char c;

	if (strcmp(what, "speak") == 0) {
		puts("out");
		fputs("err\n", stderr);
		return 0;
	}
	return read(0, &c, 1) == 0 ? 7 : 8;
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "this process", this_one },
		{ "many files", files },
		{ "one that ended", one_that_ended },
		{ "a child that speaks", speaking },
		{ "a child that is stopped", stopping },
		{ 0 },
	};

	if (argc == 3 && strcmp(argv[1], "child") == 0)
		return be_child(argv[2]);
	return check_main(argc, argv, cases);
}
