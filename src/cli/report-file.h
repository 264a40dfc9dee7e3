/* SPDX-License-Identifier: Apache-2.0 */
/* A report on its way to a file: gathered, and written on the worker pool. The file is a new one, made before any
 * work begins, so that an earlier report is never overwritten and a wrong name is noticed early. */
#ifndef CLI_REPORT_FILE_H
#define CLI_REPORT_FILE_H

#include "base/buf.h"
#include "base/fault.h"

struct os_file;

struct report_file {
	struct os_file *file; /* NULL: none is wanted */
	struct buf text;      /* to be written: append to it */
};

/* path NULL: nothing is ever written. */
SUSPENDS int report_file_open(struct report_file *file, const char *path, struct fault *fault);

/* Writes when much has gathered. */
SUSPENDS int report_file_put(struct report_file *file, struct fault *fault);

/* Writes the rest, durably. */
SUSPENDS int report_file_end(struct report_file *file, struct fault *fault);
void report_file_done(struct report_file *file);

#endif
