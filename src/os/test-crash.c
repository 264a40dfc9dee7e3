/* SPDX-License-Identifier: Apache-2.0 */
/* What a crash or a failing disk leaves behind, at each step. Everything runs in forked processes, because the
 * environment is read at the first use of os/: this process must never be that. */
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "lib/check.h"
#include "os/file.h"
#include "os/testing.h"

#define FOLDER                                                                                     \
	_cleanup_(testing_folder_remove) struct testing_folder folder;                             \
	testing_folder_make(&folder)

static bool file_is(const char *path, const char *want)
{
	_cleanup_(buf_done) struct buf got = testing_read(path);

	return strcmp(buf_str(&got), want) == 0;
}

static int replace(void *arg)
{
	struct fault fault;

	return os_replace_file(arg, BYTES("new content"), &fault) < 0 ? 7 : 0;
}

/* Killed at every step in turn until it gets through: each time the old file or the new one is there. */
static void killed_while_replacing(struct check *check)
{
	FOLDER;
	_cleanup_(freep) char *path = xstrdup(testing_path(&folder, "state"));
	int killed = 0, r;

	do {
		char nth[24];

		testing_write(path, "old");
		snprintf(nth, sizeof(nth), ":%d", killed + 1);
		r = testing_fork(replace, path, "MAILFERRY_STEP_KILL", nth);
		CHECK(r == 0 || r == -SIGKILL);
		CHECK(file_is(path, "old") || file_is(path, "new content"));
		killed += r != 0;
	} while (r != 0);
	/* write, write-half, sync, rename, sync-folder */
	CHECK_EQ(killed, 5);
	CHECK(file_is(path, "new content"));
}

static void failing_while_replacing(struct check *check)
{
	static const struct {
		const char *fail, *left;
	} disks[] = {
		{ "open:1", "old" },   { "write:1", "old" }, { "sync:1", "old" },
		{ "rename:1", "old" }, { "open:2", "new content" }, { "sync:2", "new content" },
	};
	FOLDER;
	_cleanup_(freep) char *path = xstrdup(testing_path(&folder, "state"));
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(disks); i++) {
		testing_write(path, "old");
		CHECK_EQ(testing_fork(replace, path, "MAILFERRY_STEP_FAIL", disks[i].fail), 7);
		CHECK(file_is(path, disks[i].left));
		CHECK(stat(testing_path(&folder, "state.new"), &st) < 0);
	}
}

static int grow_on_bad_disk(void *arg)
{
	_cleanup_(os_file_closep) struct os_file *file = NULL;
	struct fault one, two;

	if (os_file_create(arg, &file, &one) < 0)
		return 1;
	if (os_file_write(file, BYTES("one\n"), &one) < 0)
		return 2;
	if (os_sync(file, &one) != -1)
		return 3;
	/* The disk is well again, but nobody knows what it has. */
	if (os_sync(file, &two) != -1 || strcmp(one.text, two.text) != 0)
		return 4;
	if (os_file_write(file, BYTES("two\n"), &two) != -1 || strcmp(one.text, two.text) != 0)
		return 5;
	return one.kind == FAULT_LOCAL ? 0 : 6;
}

static void no_second_sync(struct check *check)
{
	FOLDER;
	_cleanup_(freep) char *path = xstrdup(testing_path(&folder, "journal"));

	CHECK_EQ(testing_fork(grow_on_bad_disk, path, "MAILFERRY_STEP_FAIL", "sync:1"), 0);
	CHECK(file_is(path, "one\n"));
	unlink(path);
	/* the folder's */
	CHECK_EQ(testing_fork(grow_on_bad_disk, path, "MAILFERRY_STEP_FAIL", "sync:2"), 0);
}

static int grow(void *arg)
{
	_cleanup_(os_file_closep) struct os_file *file = NULL;
	struct fault fault;

	if (os_file_append(arg, &file, &fault) < 0 ||
	    os_file_write(file, BYTES("123456"), &fault) < 0)
		return 1;
	return os_sync(file, &fault) < 0;
}

static void torn_write(struct check *check)
{
	FOLDER;
	_cleanup_(freep) char *path = xstrdup(testing_path(&folder, "journal"));

	CHECK_EQ(testing_fork(grow, path, "MAILFERRY_STEP_KILL", "write-half:1"), -SIGKILL);
	CHECK(file_is(path, "123"));
	CHECK_EQ(testing_fork(grow, path, NULL, NULL), 0);
	CHECK(file_is(path, "123123456"));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "killed while replacing", killed_while_replacing },
		{ "a disk that fails while replacing", failing_while_replacing },
		{ "no second sync after a failure", no_second_sync },
		{ "a torn write", torn_write },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
