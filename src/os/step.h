/* SPDX-License-Identifier: Apache-2.0 */
/* Named steps at which a test can kill the process or make the disk fail. Without these variables in the
 * environment (read once, at the first use) every call is a test of one flag:
 *	MAILFERRY_STEP_KILL=NAME:N   SIGKILL at the Nth pass of step NAME; ":N": at the Nth pass of any
 *	MAILFERRY_STEP_TRACE=FILE    appends the name of each step passed, a line each
 *	MAILFERRY_STEP_FAIL=KIND:N   the Nth open, write, sync, rename, fill, read or punch of os/, or accept of net/, fails;
 *				     write and fill for want of space, the others with EIO
 * A value that cannot be understood ends the process: a crash test that kills nobody proves nothing. The calls
 * may come from any thread. (Another order of fibers, for such tests: MAILFERRY_RUN_SEED, run/run.h.) */
#ifndef OS_STEP_H
#define OS_STEP_H

#include <stdbool.h>

void step_point(const char *name);

/* True once, when this operation is to fail; errno is then what the disk would say. */
bool step_fails(const char *kind);

/* Whether any of the variables is set. */
bool step_is_on(void);

#endif
