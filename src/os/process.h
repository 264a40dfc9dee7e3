/* SPDX-License-Identifier: Apache-2.0 */
/* What this process asks of the kernel for itself. */
#ifndef OS_PROCESS_H
#define OS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* No core files, and no reading of our memory by other processes of the same user: passwords are in
 * it. Call it before the first secret is read. Programs we start are as they always are. */
void os_forbid_dumps(void);

/* Whether a line of some hundred bytes can be written without waiting: to a pipe or socket that nobody reads it cannot. */
bool os_has_room(int fd);

/* Lets this process open as many files as its hard limit allows; returns how many that is. */
unsigned os_raise_file_limit(void);

/* Memory that is given back is kept for the next use, some MiB of it: for processes that take and give back the same
 * all the time. */
void os_keep_memory(void);

/* When there is more to do than the processors can, others of this machine come first. */
void os_yield_to_others(void);

/* A process as others can know it: numbers are used again, so the moment it began belongs to it. */
struct os_process {
	long pid;
	uint64_t began; /* clock ticks since the machine did; 0: not known */
};

struct os_process os_this_process(void);

/* Whether it runs still, on this machine. Reads /proc: blocks for a moment at most. */
bool os_process_runs(const struct os_process *process);

/* The name of a user, or "uid 1000" of one that has none. Blocks. */
void os_user_name(unsigned uid, char to[65]);

/* This machine's name, cut to fit. */
void os_host_name(char to[65]);

#endif
