/* SPDX-License-Identifier: Apache-2.0 */
/* Lock files: who holds it, and that it ends with its holder. */
#include <unistd.h>

#include "base/xalloc.h"
#include "lib/check.h"
#include "os/lock.h"
#include "os/testing.h"

static void one_holder(struct check *check)
{
	_cleanup_(os_lock_releasep) struct os_lock *lock = NULL;
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	struct os_lock *other = NULL;
	struct fault fault;
	char me[40];
	const char *path;

	testing_folder_make(&folder);
	path = testing_path(&folder, "lock");
	snprintf(me, sizeof(me), "process %ld on ", (long)getpid());
	CHECK_EQ(os_lock_take(path, &lock, &fault), 0);
	CHECK_EQ(os_lock_take(path, &other, &fault), -1);
	CHECK_EQ(fault.kind, FAULT_REFUSED);
	CHECK_EQ(fault.again, AGAIN_LATER);
	CHECK(strstr(fault.text, path) && strstr(fault.text, me) && strstr(fault.text, " since 20"));

	lock = os_lock_release(lock);
	CHECK(lock == NULL);
	CHECK_EQ(os_lock_take(path, &lock, &fault), 0);
	CHECK(os_lock_release(NULL) == NULL);
}

static int take_and_leave(void *path)
{
	struct os_lock *lock;
	struct fault fault;

	/* On purpose not released: the kernel does it. */
	return os_lock_take(path, &lock, &fault) < 0 ? 1 : 0;
}

static int find_taken(void *path)
{
	struct os_lock *lock;
	struct fault fault;

	return os_lock_take(path, &lock, &fault) < 0 && fault.kind == FAULT_REFUSED ? 5 : 1;
}

static void other_processes(struct check *check)
{
	_cleanup_(os_lock_releasep) struct os_lock *lock = NULL;
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	struct fault fault;
	char path[300];

	testing_folder_make(&folder);
	snprintf(path, sizeof(path), "%s", testing_path(&folder, "lock"));
	CHECK_EQ(testing_fork(take_and_leave, path, NULL, NULL), 0);
	CHECK_EQ(os_lock_take(path, &lock, &fault), 0);
	CHECK_EQ(testing_fork(find_taken, path, NULL, NULL), 5);
}

/* The file's words may be anybody's. */
static void hostile_words(struct check *check)
{
	_cleanup_(os_lock_releasep) struct os_lock *lock = NULL;
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct os_lock *other = NULL;
	struct fault fault;
	const char *path;

	testing_folder_make(&folder);
	path = testing_path(&folder, "lock");
	CHECK_EQ(os_lock_take(path, &lock, &fault), 0);
	buf_append_str(&text, "evil\033[2J\xff");
	for (int i = 0; i < 1000; i++)
		buf_append_str(&text, "long");
	testing_write(path, buf_str(&text));
	CHECK_EQ(os_lock_take(path, &other, &fault), -1);
	CHECK(strstr(fault.text, "evil?[2J?long"));
	CHECK(strlen(fault.text) < sizeof(fault.text) - 1);

	testing_write(path, "");
	CHECK_EQ(os_lock_take(path, &other, &fault), -1);
	CHECK(strstr(fault.text, "another process"));
}

static void no_place(struct check *check)
{
	struct os_lock *lock = NULL;
	struct fault fault;

	CHECK_EQ(os_lock_take("no/such/folder/lock", &lock, &fault), -1);
	CHECK_EQ(fault.kind, FAULT_LOCAL);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "one holder", one_holder },
		{ "other processes", other_processes },
		{ "hostile words", hostile_words },
		{ "no place for it", no_place },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
