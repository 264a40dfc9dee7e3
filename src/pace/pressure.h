/* SPDX-License-Identifier: Apache-2.0 */
/* How busy this machine's disks are, as the kernel sees it (/proc/pressure/io, Linux 4.20 and
 * later). */
#ifndef PACE_PRESSURE_H
#define PACE_PRESSURE_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fault.h"

#define PRESSURE_EVERY (5 * SECOND)

/* Of the last 10 s, the percentage in which some task, or every one, waited for a disk. */
struct pressure {
	bool known; /* the kernel tells */
	double some, full;
};

/* arg: struct pressure. For pool_call(): reads a file. Never fails: what cannot be read is not
 * known. */
int pressure_read(void *arg, struct fault *fault);

/* The file's content; false when it is not what it should be. */
bool pressure_parse(struct bytes text, struct pressure *ret);

#endif
