/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a fixed size: what is written where, what a crash and a failing disk leave. */
/* Cases run on the stack that main() has, which is large. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

#include <signal.h>
#include <sys/stat.h>

#include "base/xalloc.h"
#include "lib/check.h"
#include "os/block.h"
#include "os/file.h"
#include "os/testing.h"

enum { SIZE = 3 << 20 };

#define FOLDER                                                                                     \
	_cleanup_(testing_folder_remove) struct testing_folder folder;                             \
	testing_folder_make(&folder)

static struct os_block *make(struct check *check, const char *path)
{
	struct os_block *block;
	struct fault fault;

	if (os_block_create(path, SIZE, &block, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	return block;
}

static void many_pieces(struct check *check)
{
	FOLDER;
	_cleanup_(os_block_closep) struct os_block *block = make(check, testing_path(&folder, "a"));
	_cleanup_(freep) struct bytes *pieces = xreallocarray(NULL, 1000, sizeof(*pieces));
	char got[3100], want[3001] = "";
	struct fault fault;
	struct stat st;

	for (size_t i = 0; i < 1000; i++) {
		pieces[i] = i % 2 ? BYTES("abcd") : BYTES("xy");
		memcpy(want + 3 * i - i % 2, pieces[i].p, pieces[i].n);
	}
	CHECK_EQ(os_block_write(block, 500, pieces, 1000, &fault), 0);
	CHECK_EQ(os_block_sync(block, &fault), 0);
	CHECK_EQ(os_block_read(block, 500, got, 3000, &fault), 3000);
	CHECK_BYTES(((struct bytes){ got, 3000 }), ((struct bytes){ want, 3000 }));
	CHECK_EQ(os_block_read(block, 499, got, 1, &fault), 1);
	CHECK_EQ(got[0], 0);
	/* fewer only at the end */
	CHECK_EQ(os_block_read(block, SIZE - 10, got, 100, &fault), 10);
	CHECK(stat(os_block_path(block), &st) == 0 && st.st_size == SIZE && (st.st_mode & 0777) == 0600);
}

static void punching(struct check *check)
{
	FOLDER;
	_cleanup_(os_block_closep) struct os_block *block = make(check, testing_path(&folder, "a"));
	_cleanup_(freep) char *text = xmalloc(100000), *got = xmalloc(100000);
	struct bytes piece = { text, 100000 };
	struct stat before, after;
	struct fault fault;

	memset(text, 'x', 100000);
	CHECK_EQ(os_block_write(block, 0, &piece, 1, &fault), 0);
	CHECK_EQ(os_block_sync(block, &fault), 0);
	CHECK(stat(os_block_path(block), &before) == 0);
	CHECK_EQ(os_block_punch(block, 100, 90000, &fault), 0);
	CHECK_EQ(os_block_read(block, 0, got, 100000, &fault), 100000);
	memset(text + 100, 0, 90000);
	CHECK_BYTES(((struct bytes){ got, 100000 }), piece);
	CHECK(stat(os_block_path(block), &after) == 0 && after.st_size == SIZE);
	CHECK(after.st_blocks <= before.st_blocks);
}

static int fail_at(void *arg)
{
	_cleanup_(os_block_closep) struct os_block *block = NULL;
	struct bytes piece = BYTES("12345678abcdefgh");
	struct fault one, two;

	if (os_block_create(arg, SIZE, &block, &one) < 0)
		return one.kind == FAULT_LIMIT ? 1 : 2;
	if (os_block_write(block, 0, &piece, 1, &one) < 0 || os_block_sync(block, &one) < 0) {
		/* The disk is well again, but nobody knows what it has. */
		if (os_block_write(block, 0, &piece, 1, &two) != -1 || strcmp(one.text, two.text) != 0 ||
		    os_block_sync(block, &two) != -1)
			return 9;
		return one.kind == FAULT_LIMIT ? 3 : 4;
	}
	return 0;
}

static void failing(struct check *check)
{
	static const struct {
		const char *fail;
		int result;
	} disks[] = { { "open:1", 2 }, { "fill:2", 1 }, { "write:1", 3 }, { "sync:1", 4 }, { "sync:2", 0 } };
	FOLDER;
	_cleanup_(freep) char *path = xstrdup(testing_path(&folder, "a"));
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(disks); i++) {
		CHECK_EQ(testing_fork(fail_at, path, "MAILFERRY_STEP_FAIL", disks[i].fail), disks[i].result);
		CHECK((stat(path, &st) == 0) == (disks[i].result != 1 && disks[i].result != 2));
		remove(path);
	}
}

static void torn_write(struct check *check)
{
	FOLDER;
	_cleanup_(freep) char *path = xstrdup(testing_path(&folder, "a"));
	_cleanup_(buf_done) struct buf got = BUF_NULL;

	CHECK_EQ(testing_fork(fail_at, path, "MAILFERRY_STEP_KILL", "block-write-half:1"), -SIGKILL);
	got = testing_read(path);
	CHECK_BYTES(bytes_head(buf_bytes(&got), 16), BYTES("12345678\0\0\0\0\0\0\0\0"));
}

static int move_and_remove(void *arg)
{
	struct fault fault;
	_cleanup_(freep) char *to = xstrndup(arg, strlen(arg) + 1);

	to[strlen(to) - 1] = 'b';
	if (os_move_durably(arg, to, &fault) < 0)
		return 1;
	return os_remove_durably(to, &fault) < 0 ? 2 : 0;
}

/* Somebody else's file under the name of ours is seen. */
static void at_its_place(struct check *check)
{
	FOLDER;
	_cleanup_(os_block_closep) struct os_block *block = NULL;
	_cleanup_(freep) char *path = xstrdup(testing_path(&folder, "a"));
	struct fault fault = FAULT_INIT;

	CHECK_EQ(os_block_create(path, 4096, &block, &fault), 0);
	CHECK_EQ(os_block_expect_at(block, path, &fault), 0);
	unlink(path);
	CHECK_EQ(os_block_expect_at(block, path, &fault), -1);
	CHECK(strstr(fault.text, "cannot look at"));
	testing_write(path, "x");
	CHECK_EQ(os_block_expect_at(block, path, &fault), -1);
	CHECK(strstr(fault.text, "is not the file that was written"));
}

static void moving(struct check *check)
{
	FOLDER;
	_cleanup_(freep) char *path = xstrdup(testing_path(&folder, "a"));
	struct fault fault;
	uint64_t space = 0;
	struct stat st;

	testing_write(path, "x");
	CHECK_EQ(testing_fork(move_and_remove, path, "MAILFERRY_STEP_FAIL", "rename:1"), 1);
	CHECK_EQ(testing_fork(move_and_remove, path, "MAILFERRY_STEP_FAIL", "sync:2"), 2);
	CHECK(stat(path, &st) < 0 && stat(testing_path(&folder, "b"), &st) < 0);
	CHECK_EQ(os_remove_durably(path, &fault), 0);
	CHECK(os_free_space(path, &space, &fault) < 0);
	CHECK_EQ(os_free_space(folder.path, &space, &fault), 0);
	CHECK(space > 0);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		/* the forked ones first: the environment is read at the first use of os/ */
		{ "a failing disk", failing },
		{ "a torn write", torn_write },
		{ "moving and removing", moving },
		{ "another file under its name", at_its_place },
		{ "many pieces", many_pieces },
		{ "punching", punching },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
