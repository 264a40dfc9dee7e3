/* SPDX-License-Identifier: Apache-2.0 */
/* Commands run for what they print: password and token commands. */
#ifndef OS_SPAWN_H
#define OS_SPAWN_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"

/* Runs `sh -c command` with an empty standard input and our standard error, and appends what it prints to
 * *out. Blocks until it has ended: fit for pool_call(). *ret_status is its exit status, or 128 and the
 * number of the signal that ended it; what that means is the caller's business. It is killed, with
 * FAULT_TIMEOUT after timeout_us or FAULT_LIMIT when it prints more than max_bytes. *out is grown to max_bytes
 * once at the start, so that buf_wipe() leaves no copy of a secret. */
int os_command_output(const char *command, size_t max_bytes, int64_t timeout_us, struct buf *out,
		      int *ret_status, struct fault *fault);

#endif
