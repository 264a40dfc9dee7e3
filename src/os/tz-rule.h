/* SPDX-License-Identifier: Apache-2.0 */
/* The rule that a time zone follows from year to year, as in $TZ and at the end of the tz
 * database's files (POSIX XBD 8.3; RFC 8536, 3.3). No I/O. */
#ifndef OS_TZ_RULE_H
#define OS_TZ_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* A moment of each year. */
struct tz_day {
	/* Jn, from 1 and without 29 February; n, from 0 and with it; Mm.w.d */
	enum { TZ_JULIAN, TZ_DAY, TZ_WEEKDAY } kind;
	int month, week, day;
	int32_t seconds; /* from midnight, by the clock before the change; may be of other days */
};

struct tz_rule {
	int32_t standard, summer; /* seconds east of UTC */
	bool has_summer;
	struct tz_day begins, ends; /* of summer time */
};

/* -1: not such a rule. */
int tz_rule_parse(struct bytes text, struct tz_rule *ret);

/* Seconds east of UTC, and until when. */
int32_t tz_rule_offset(const struct tz_rule *rule, int64_t at, int64_t *ret_until);

/* Days since 1970 of a day of the Gregorian calendar, and the year a day lies in. */
int64_t tz_days(int64_t year, int month, int day);
int64_t tz_year(int64_t days);

#endif
