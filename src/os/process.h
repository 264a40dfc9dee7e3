/* SPDX-License-Identifier: Apache-2.0 */
/* What this process asks of the kernel for itself. */
#ifndef OS_PROCESS_H
#define OS_PROCESS_H

/* No core files, and no reading of our memory by other processes of the same user: passwords are in it.
 * Call it before the first secret is read. Programs we start are as they always are. */
void os_forbid_dumps(void);

#endif
