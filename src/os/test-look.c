/* SPDX-License-Identifier: Apache-2.0 */
/* What is there and what is not. */
#include <string.h>
#include <unistd.h>

#include "lib/check.h"
#include "os/look.h"
#include "os/testing.h"

static void looks(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	struct fault fault = FAULT_INIT;
	const char *path;

	testing_folder_make(&folder);
	path = testing_path(&folder, "file");
	CHECK(!os_is_there(path));
	CHECK_EQ(os_look_for_file(path, &fault), -1);
	CHECK_EQ(fault.kind, FAULT_USAGE);
	CHECK(strstr(fault.text, path) && strstr(fault.text, "No such file"));

	testing_write(path, "x");
	CHECK(os_is_there(path) && os_is_there(folder.path));
	CHECK_EQ(os_look_for_file(path, &fault), 0);
	CHECK_EQ(os_look_for_file(folder.path, &fault), -1);
	CHECK(strstr(fault.text, "is a folder"));

	/* A link that leads nowhere is there, and no file. */
	path = testing_path(&folder, "link");
	CHECK_EQ(symlink("nowhere", path), 0);
	CHECK(os_is_there(path));
	CHECK_EQ(os_look_for_file(path, &fault), -1);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = { { "looks", looks }, { 0 } };

	return check_main(argc, argv, cases);
}
