/* SPDX-License-Identifier: Apache-2.0 */
/* mailferry init: what it writes can be read, and what is there stays. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "config/config.h"
#include "lib/check.h"
#include "os/testing.h"

#define FOLDER                                                                                     \
	_cleanup_(testing_folder_remove) struct testing_folder folder;                             \
	testing_folder_make(&folder)

/* In a process of its own, in the folder, and silent. */
static int init_in(void *arg)
{
	char **argv = arg;
	int argc = 1;

	while (argv[argc])
		argc++;
	if (chdir(argv[0]) < 0 || !freopen("/dev/null", "w", stdout) ||
	    !freopen("/dev/null", "w", stderr))
		return 99;
	return cmd_init(argc, argv);
}

static int init(struct testing_folder *folder, char *a, char *b, char *c)
{
	char *argv[] = { folder->path, a, b, c, NULL };

	return testing_fork(init_in, argv, NULL, NULL);
}

static bool file_is(struct testing_folder *folder, const char *name, const char *want)
{
	_cleanup_(buf_done) struct buf got = testing_read(testing_path(folder, name));

	return strcmp(buf_str(&got), want) == 0;
}

static void writes(struct check *check)
{
	_cleanup_(config_done) struct config config = { .path = NULL };
	struct fault fault = FAULT_INIT;
	FOLDER;

	CHECK_EQ(init(&folder, NULL, NULL, NULL), EXIT_DONE);
	if (config_read(testing_path(&folder, "mailferry.conf"), &config, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK_EQ(config.mailboxes_n, 0);
}

static void keeps_what_is_there(struct check *check)
{
	FOLDER;

	testing_write(testing_path(&folder, "mailboxes.csv"), "mine");
	CHECK_EQ(init(&folder, NULL, NULL, NULL), EXIT_USAGE);
	CHECK(file_is(&folder, "mailboxes.csv", "mine"));
	CHECK(file_is(&folder, "mailferry.conf", ""));

	CHECK_EQ(init(&folder, (char[]){ "--force" }, NULL, NULL), EXIT_DONE);
	CHECK(!file_is(&folder, "mailboxes.csv", "mine"));
	CHECK(!file_is(&folder, "mailferry.conf", ""));
}

static void usage(struct check *check)
{
	FOLDER;

	CHECK_EQ(init(&folder, (char[]){ "--help" }, NULL, NULL), EXIT_DONE);
	CHECK_EQ(init(&folder, (char[]){ "here" }, NULL, NULL), EXIT_USAGE);
	CHECK_EQ(init(&folder, (char[]){ "--dir" }, (char[]){ "" }, NULL), EXIT_USAGE);
	CHECK_EQ(init(&folder, (char[]){ "--dir" }, (char[]){ "/proc/no" }, NULL), EXIT_STOPPED);
	CHECK(file_is(&folder, "mailferry.conf", ""));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "writes", writes },
		{ "keeps what is there", keeps_what_is_there },
		{ "usage", usage },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
