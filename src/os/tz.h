/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones, read from the tz database's files (TZif, RFC 8536) without touching the process's own
 * zone, which libc keeps as global state. Zones that count leap seconds ("right/") are refused. */
#ifndef OS_TZ_H
#define OS_TZ_H

#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"

struct os_tz;

/* name: "Europe/Berlin", "UTC" (which needs no file), or "": the machine's own, which is $TZ,
 * /etc/localtime or UTC. Reads a file, so it blocks. What is in *ret lives in the arena.
 * FAULT_USAGE when there is no such zone, or no tz database at all; it says which. $TZDIR stands in
 * for /usr/share/zoneinfo. */
int os_tz_load(const char *name, struct arena *arena, const struct os_tz **ret,
	       struct fault *fault);

/* Content of such a file: bounded and checked. `name` is for the fault, which is FAULT_DATA. */
int os_tz_parse(const char *name, struct bytes content, struct arena *arena,
		const struct os_tz **ret, struct fault *fault);

/* A rule as in $TZ: "CET-1CEST,M3.5.0,M10.5.0/3" (POSIX, with the hours of RFC 8536).
 * FAULT_DATA. */
int os_tz_parse_rule(struct bytes text, struct arena *arena, const struct os_tz **ret,
		     struct fault *fault);

/* Seconds east of UTC at a moment (seconds since 1970), and (may be NULL) the moment until which
 * that holds: INT64_MAX when it never changes again. NULL is UTC. */
int32_t os_tz_offset(const struct os_tz *tz, int64_t at, int64_t *ret_until);

#endif
