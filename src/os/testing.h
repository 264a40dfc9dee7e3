/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of os/: a folder that goes away, and processes of their own. */
#ifndef OS_TESTING_H
#define OS_TESTING_H

#include "base/buf.h"

struct testing_folder {
	char path[200];
	char file[300]; /* the last testing_path() */
};

void testing_folder_make(struct testing_folder *folder);
void testing_folder_remove(struct testing_folder *folder); /* and the files in it; fit for _cleanup_ */

const char *testing_path(struct testing_folder *folder, const char *name);
void testing_write(const char *path, const char *text);
struct buf testing_read(const char *path); /* empty when there is no such file */

/* Runs fn(arg) in a forked process, with variable=value in its environment when variable is not NULL: its
 * exit status, or minus the signal that ended it. fn's result is the exit status. */
int testing_fork(int (*fn)(void *arg), void *arg, const char *variable, const char *value);

#endif
