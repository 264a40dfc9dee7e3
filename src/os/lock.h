/* SPDX-License-Identifier: Apache-2.0 */
/* A lock file that names its holder. The lock itself is the kernel's and ends with the process, however that
 * ends; the file stays, and what it says counts only while it is locked. */
#ifndef OS_LOCK_H
#define OS_LOCK_H

#include "base/cleanup.h"
#include "base/fault.h"

struct os_lock;

/* Takes the lock, without waiting. Held by another: FAULT_REFUSED, AGAIN_LATER, with the holder's process
 * number, host and since when. */
int os_lock_take(const char *path, struct os_lock **ret, struct fault *fault);

struct os_lock *os_lock_release(struct os_lock *lock); /* accepts NULL, returns NULL */
DEFINE_FREEP(struct os_lock, os_lock_release);

#endif
