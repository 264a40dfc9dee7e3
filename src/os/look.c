/* SPDX-License-Identifier: Apache-2.0 */
/* See look.h. */
#include "os/look.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int os_look_for_file(const char *path, struct fault *fault)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return fault_usage(fault, "cannot open %s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return fault_usage(fault, "%s is a folder, not a file", path);
	return 0;
}

bool os_is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}
