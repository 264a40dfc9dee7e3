/* SPDX-License-Identifier: Apache-2.0 */
/* Lines for others to read: appended to a file that may be moved away meanwhile, or given to the system's log, a datagram a
 * line. Nothing is synced. Everything here may block (a full disk, a log daemon that does not read): inside run_main() call
 * it through pool_call(). */
#ifndef OS_LOG_H
#define OS_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fault.h"

struct os_log;

/* Opens the file for appending, or makes it (mode 0600). FAULT_USAGE: it cannot be opened, or is no plain file; a pipe that nobody
 * reads would hold us up. */
int os_log_file(const char *path, struct os_log **ret, struct fault *fault);

/* path: the log daemon's socket, "/dev/log". name: what we are called there. The facility is mail. */
int os_log_system(const char *path, const char *name, struct os_log **ret, struct fault *fault);

enum os_log_level { OS_LOG_WARNING = 4, OS_LOG_INFO = 6 };

/* Writes whole lines, each with its line end; level_of tells the system's log how grave a line is (NULL: INFO). On failure *ret_n lines
 * were written; a file that has half of one more gets a line end before the next write. */
int os_log_write(struct os_log *log, struct bytes lines, enum os_log_level (*level_of)(struct bytes line), size_t *ret_n,
		 struct fault *fault);

struct os_log *os_log_close(struct os_log *log); /* accepts NULL, returns NULL */
DEFINE_FREEP(struct os_log, os_log_close);

#endif
