/* SPDX-License-Identifier: Apache-2.0 */
/* Programs we start: commands that print passwords and tokens, and more of ourselves. */
#ifndef OS_SPAWN_H
#define OS_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"

/* Runs `sh -c command` with an empty standard input and our standard error, and appends what it
 * prints to *out. Blocks until it has ended: fit for pool_call(). *ret_status is its exit status,
 * or 128 and the number of the signal that ended it; what that means is the caller's business. It
 * is killed, with FAULT_TIMEOUT after timeout_us or FAULT_LIMIT when it prints more than max_bytes.
 * *out is grown to max_bytes once at the start, so that buf_wipe() leaves no copy of a secret. */
int os_command_output(const char *command, size_t max_bytes, int64_t timeout_us, struct buf *out,
		      int *ret_status, struct fault *fault);

/* This very program once more. */
struct os_child {
	long pid;
	int watch; /* readable once it has ended */
	int in; /* its standard input: never written to, and closed when we end, however we end */
	int out, err; /* ends of socket pairs: its standard output and error */
};

/* Starts it with these arguments (argv[0] is the name it goes by, NULL-terminated). The caller ends
 * with os_child_reap(). */
int os_child_start(const char *const *argv, struct os_child *ret, struct fault *fault);

/* Asks it to end (SIGTERM); does nothing when it has ended already. */
void os_child_stop(const struct os_child *child);

/* Waits for its end and closes what is still open (an fd given away is set to -1 before). Its exit
 * status, or 128 and the number of the signal that ended it. */
int os_child_reap(struct os_child *child);

/* A process of this program that does a part of its work, and talks to us over a socket: in it 0 is its end, 1 is our
 * standard error as 2 is, and 3 and up are copies of what it is given. */
struct os_part {
	long pid;
	int watch; /* readable once it has ended */
	int link;  /* our end, non-blocking; who takes it sets it to -1 */
};

enum { OS_PART_FDS = 3 }; /* number of the first */

/* argv as of os_child_start(); n is at most 64. The caller ends with os_part_reap(). */
int os_part_start(const char *const *argv, const int *fds, size_t n, struct os_part *ret, struct fault *fault);

/* Sends it SIGTERM or, if `now`, SIGKILL; does nothing when it has ended already. */
void os_part_stop(const struct os_part *part, bool now);

/* As os_child_reap(). */
int os_part_reap(struct os_part *part);

#endif
