/* SPDX-License-Identifier: Apache-2.0 */
/* Files on a healthy disk; test-crash.c has the others. */
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

/* --- reading --------------------------------------------------------------------------------- */

static void read_file(struct check *check)
{
	_cleanup_(buf_done) struct buf content = BUF_NULL;
	struct fault fault;
	FOLDER;
	const char *path = testing_path(&folder, "small");

	testing_write(path, "0123456789");
	buf_append_str(&content, "before ");
	CHECK_EQ(os_read_file(path, 10, &content, &fault), 0);
	CHECK_STR(buf_str(&content), "before 0123456789");

	CHECK_EQ(os_read_file(path, 9, &content, &fault), -1);
	CHECK_EQ(fault.kind, FAULT_USAGE);
	CHECK(strstr(fault.text, path) && strstr(fault.text, "larger than 9"));
	CHECK_EQ(content.n, 17);

	testing_write(path, "");
	CHECK_EQ(os_read_file(path, 0, &content, &fault), 0);
	CHECK_EQ(content.n, 17);

	CHECK_EQ(os_read_file(testing_path(&folder, "missing"), 9, &content, &fault), -1);
	CHECK_EQ(fault.kind, FAULT_USAGE);
	CHECK(strstr(fault.text, "missing"));
	CHECK_EQ(os_read_file(folder.path, 9, &content, &fault), -1);
	CHECK_EQ(fault.kind, FAULT_USAGE);
	CHECK(strstr(fault.text, "folder"));
}

static void read_large(struct check *check)
{
	_cleanup_(freep) char *text = xmalloc(200001);
	_cleanup_(buf_done) struct buf content = BUF_NULL;
	struct fault fault;
	FOLDER;
	const char *path = testing_path(&folder, "large");

	memset(text, 'x', 200000);
	text[200000] = '\0';
	testing_write(path, text);
	CHECK_EQ(os_read_file(path, 1 << 20, &content, &fault), 0);
	CHECK_EQ(content.n, 200000);
}

static void secrets(struct check *check)
{
	static const struct {
		const char *content, *want, *why;
	} files[] = {
		{ "secret\n", "secret", NULL },
		{ "secret", "secret", NULL },
		{ "secret\r\nsecond line\n", "secret", NULL },
		{ "  with blanks \t\n", "  with blanks \t", NULL },
		{ "s\303\244cret\n", "s\303\244cret", NULL },
		{ "", NULL, "nothing on its first line" },
		{ "\n", NULL, "nothing on its first line" },
		{ "\r\nsecret\n", NULL, "nothing on its first line" },
	};
	FOLDER;
	const char *path = testing_path(&folder, "secret");

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_(freep) char *got = NULL;
		struct fault fault = FAULT_INIT;
		int r;

		testing_write(path, files[i].content);
		r = os_read_secret(path, &got, &fault);
		CHECK_EQ(r, files[i].want ? 0 : -1);
		if (files[i].want)
			CHECK_STR(got, files[i].want);
		else
			CHECK(fault.kind == FAULT_USAGE && strstr(fault.text, files[i].why) &&
			      strstr(fault.text, path));
	}
}

static void bad_secrets(struct check *check)
{
	_cleanup_(freep) char *large = xmalloc(65538);
	char *got = NULL;
	struct fault fault;
	FOLDER;
	const char *path = testing_path(&folder, "secret");
	FILE *f;

	memset(large, '\n', 65537);
	large[65537] = '\0';
	testing_write(path, large);
	CHECK_EQ(os_read_secret(path, &got, &fault), -1);
	CHECK_EQ(fault.kind, FAULT_USAGE);
	CHECK(strstr(fault.text, "65536"));

	f = fopen(path, "we");
	CHECK(f && fwrite("a\0b\n", 1, 4, f) == 4 && fclose(f) == 0);
	CHECK_EQ(os_read_secret(path, &got, &fault), -1);
	CHECK_EQ(fault.kind, FAULT_USAGE);
	CHECK(strstr(fault.text, "NUL"));

	CHECK_EQ(os_read_secret(folder.path, &got, &fault), -1);
	CHECK_EQ(fault.kind, FAULT_USAGE);
	CHECK_EQ(os_read_secret(testing_path(&folder, "none"), &got, &fault), -1);
	CHECK_EQ(fault.kind, FAULT_USAGE);
	CHECK(got == NULL);
}

/* --- writing --------------------------------------------------------------------------------- */

static void growing(struct check *check)
{
	_cleanup_(os_file_closep) struct os_file *file = NULL, *second = NULL;
	struct fault fault;
	struct stat st;
	FOLDER;
	const char *path = testing_path(&folder, "journal");

	CHECK_EQ(os_file_create(path, &file, &fault), 0);
	CHECK_EQ(os_file_size(file), 0);
	CHECK_EQ(os_file_write(file, BYTES("one\n"), &fault), 0);
	CHECK_EQ(os_sync(file, &fault), 0);
	CHECK_EQ(os_file_write(file, BYTES_NULL, &fault), 0);
	CHECK_EQ(os_file_size(file), 4);
	CHECK_EQ(os_file_create(path, &second, &fault), -1);
	CHECK_EQ(fault.kind, FAULT_LOCAL);
	CHECK(strstr(fault.text, path));

	CHECK_EQ(os_file_append(path, &second, &fault), 0);
	CHECK_EQ(os_file_size(second), 4);
	CHECK_EQ(os_file_write(second, BYTES("two\n"), &fault), 0);
	CHECK_EQ(os_sync(second, &fault), 0);
	CHECK(file_is(path, "one\ntwo\n"));
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	CHECK(os_file_close(NULL) == NULL);
}

static void replacing(struct check *check)
{
	struct fault fault;
	struct stat st;
	FOLDER;
	const char *path = testing_path(&folder, "state");

	CHECK_EQ(os_replace_file(path, BYTES("first"), &fault), 0);
	CHECK(file_is(path, "first"));
	CHECK_EQ(os_replace_file(path, BYTES("second"), &fault), 0);
	CHECK(file_is(path, "second"));
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	CHECK(stat(testing_path(&folder, "state.new"), &st) < 0);
	CHECK_EQ(os_replace_file(testing_path(&folder, "no/state"), BYTES("x"), &fault), -1);
	CHECK_EQ(fault.kind, FAULT_LOCAL);
}

/* What was left by a crash is no obstacle, and a planted link is not followed. */
static void left_overs(struct check *check)
{
	FOLDER;
	_cleanup_(freep) char *path = xstrdup(testing_path(&folder, "state"));
	_cleanup_(freep) char *new = xstrdup(testing_path(&folder, "state.new"));
	_cleanup_(freep) char *precious = xstrdup(testing_path(&folder, "precious"));
	struct fault fault;

	testing_write(new, "half a stat");
	CHECK_EQ(os_replace_file(path, BYTES("content"), &fault), 0);
	CHECK(file_is(path, "content"));

	testing_write(precious, "precious");
	CHECK_EQ(symlink(precious, new), 0);
	CHECK_EQ(os_replace_file(path, BYTES("more"), &fault), 0);
	CHECK(file_is(path, "more") && file_is(precious, "precious"));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "a file is read whole", read_file },
		{ "a large file", read_large },
		{ "secrets", secrets },
		{ "bad secrets", bad_secrets },
		{ "a file grows", growing },
		{ "a file is replaced", replacing },
		{ "what a crash left", left_overs },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
