/* SPDX-License-Identifier: Apache-2.0 */
#include "os/folder.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/check.h"
#include "os/testing.h"

static void replacing(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	struct os_stamp before, after;
	struct fault fault;

	testing_folder_make(&folder);
	testing_path(&folder, "news");
	CHECK_EQ(os_stamp(folder.file, &before, &fault), 1);
	CHECK_EQ(os_replace_quickly(folder.file, BYTES("one"), &fault), 0);
	CHECK_EQ(os_stamp(folder.file, &before, &fault), 0);
	CHECK_EQ(os_replace_quickly(folder.file, BYTES("two"), &fault), 0);
	CHECK_EQ(os_stamp(folder.file, &after, &fault), 0);
	CHECK(before.inode != after.inode || before.changed_ns != after.changed_ns);

	_cleanup_(buf_done) struct buf text = testing_read(folder.file);
	CHECK_STR(buf_str(&text), "two");
	CHECK_EQ(os_replace_quickly("/nowhere/news", BYTES("three"), &fault), -1);
	CHECK(strstr(fault.text, "/nowhere/news"));
}

/* Of several who try at once one gets it, and what it said is there from the start. */
struct race {
	const char *path;
	int number;
};

static int take(void *arg)
{
	struct race *race = arg;
	struct fault fault;
	char text[32];

	snprintf(text, sizeof(text), "process %d", race->number);
	return os_claim(race->path, text, &fault) + 10;
}

static void claims(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	char text[100], shorter[4];
	struct fault fault;
	int winners = 0, winner = -1;

	testing_folder_make(&folder);
	testing_path(&folder, "claim");
	CHECK_EQ(os_read_claim(folder.file, text, sizeof(text), &fault), 1);
	for (int i = 0; i < 4; i++) {
		struct race race = { folder.file, i };

		if (testing_fork(take, &race, NULL, NULL) == 10) {
			winners++;
			winner = i;
		}
	}
	CHECK_EQ(winners, 1);
	CHECK_EQ(os_claim(folder.file, "mine", &fault), 1);
	CHECK_EQ(os_read_claim(folder.file, text, sizeof(text), &fault), 0);
	CHECK_EQ(text[8] - '0', winner);
	CHECK_EQ(os_read_claim(folder.file, shorter, sizeof(shorter), &fault), 0);
	CHECK_STR(shorter, "pro");
	CHECK_EQ(os_claim("/nowhere/claim", "x", &fault), -1);
}

static void listing(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct fault fault;
	const char **names;
	char path[300];
	size_t n;

	testing_folder_make(&folder);
	CHECK_EQ(os_list_folder("/nowhere/at all", &arena, &names, &n, &fault), 0);
	CHECK_EQ(n, 0);

	snprintf(path, sizeof(path), "%s/inner", folder.path);
	CHECK_EQ(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/inner/a", folder.path);
	CHECK_EQ(os_claim(path, "text", &fault), 0);
	snprintf(path, sizeof(path), "%s/inner/.hidden", folder.path);
	CHECK_EQ(os_replace_quickly(path, BYTES(""), &fault), 0);
	snprintf(path, sizeof(path), "%s/inner", folder.path);
	CHECK_EQ(os_list_folder(path, &arena, &names, &n, &fault), 0);
	CHECK_EQ(n, 1);
	CHECK_STR(names[0], "a");
	CHECK(!names[1]);

	CHECK_EQ(os_remove_folder(path, &fault), -1); /* a hidden file is nobody's to remove */
	snprintf(path, sizeof(path), "%s/inner/.hidden", folder.path);
	unlink(path);
	snprintf(path, sizeof(path), "%s/inner", folder.path);
	CHECK_EQ(os_remove_folder(path, &fault), 0);
	CHECK_EQ(os_remove_folder(path, &fault), 0);
	CHECK_EQ(access(path, F_OK), -1);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "replacing", replacing },
		{ "claims", claims },
		{ "listing and removing", listing },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
