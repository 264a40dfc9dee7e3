/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzzer's function over files, without libFuzzer: the seeds as a test in every build, and an input that
 * crashed under gdb. The arguments are files and folders of files. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/xalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_path(const char *path);

static int run_file(FILE *file)
{
	_cleanup_(freep) uint8_t *data = NULL;
	size_t n = 0, room = 0;

	for (;;) {
		size_t got;

		if (n == room)
			data = xrealloc(data, room = room ? 2 * room : 4096);
		got = fread(data + n, 1, room - n, file);
		n += got;
		if (got == 0)
			break;
	}

	data = xrealloc(data, n ? n : 1); /* exactly: a sanitizer then sees a read past the end */
	LLVMFuzzerTestOneInput(data, n);
	return 1;
}

static int run_folder(const char *path)
{
	DIR *dir = opendir(path);
	int runs = 0;

	if (!dir)
		return 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		char name[1024];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		runs += run_path(name);
	}
	closedir(dir);
	return runs;
}

static int run_path(const char *path)
{
	struct stat st;
	FILE *file;
	int runs;

	if (stat(path, &st) < 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		return run_folder(path);

	file = fopen(path, "rb");
	if (!file)
		return 0;
	runs = run_file(file);
	fclose(file);
	return runs;
}

int main(int argc, char **argv)
{
	int runs = 0;

	for (int i = 1; i < argc; i++)
		runs += run_path(argv[i]);
	printf("%d inputs\n", runs);
	return runs > 0 ? 0 : 1;
}
