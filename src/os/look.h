/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a file is there, without opening it: for what is read later, so that a wrong name is told
 * early. Blocks: inside run_main() call it through pool_call(). */
#ifndef OS_LOOK_H
#define OS_LOOK_H

#include <stdbool.h>

#include "base/fault.h"

/* 0 when there is a file (or a pipe or the like, anything but a folder); else -1 with FAULT_USAGE,
 * which names it. Whether it can be read shows when it is. */
int os_look_for_file(const char *path, struct fault *fault);

/* Whether there is anything of that name, be it a link that leads nowhere. */
bool os_is_there(const char *path);

#endif
