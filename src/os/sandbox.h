/* SPDX-License-Identifier: Apache-2.0 */
/* What a process that talks to strangers gives up before it does: rights, files, programs. What the kernel
 * does not have is left out, and told. Nothing is ever given back. */
#ifndef OS_SANDBOX_H
#define OS_SANDBOX_H

#include <stdbool.h>

#include "base/fault.h"

enum os_sandbox {
	/* Who serves clients: sockets that are there already, and those accepted on them. No file, no program, no
	 * connection to anywhere. */
	OS_SANDBOX_SERVER,

	/* Who connects to servers: IP sockets too, and what looking up names and checking certificates reads. Nothing is
	 * written, no program run, no socket opened to a program of this machine by its path. Names are found by files
	 * and DNS only: other ways need such sockets. */
	OS_SANDBOX_CLIENT,
};

/* Which walls stand. */
struct os_walls {
	bool no_new_privileges, landlock, seccomp;
};

/* Neither kind can signal another process or change its limits, or begin one. Threads that are to be started later start all the same. What is needed of files (certificates, time zones)
 * is read before; libraries may be loaded lazily by CLIENT only. *ret is filled in any case. FAULT_LOCAL when a wall that
 * the kernel offers cannot be put up. */
int os_sandbox_enter(enum os_sandbox kind, struct os_walls *ret, struct fault *fault);

/* Becomes that user, with her groups, for good; root only. FAULT_USAGE: there is no such user; FAULT_LOCAL: the kernel
 * refused. Call it before any thread is started. */
int os_become(const char *user, struct fault *fault);

/* Gives that user a folder, which is there; root only, else nothing is done. */
int os_give_folder(const char *path, const char *user, struct fault *fault);

/* Lets everybody pass through a folder that is there, to what lies in it; who may list it stays as it was. Root only, else nothing is
 * done. */
int os_let_pass(const char *path, struct fault *fault);

bool os_is_root(void);

#endif
