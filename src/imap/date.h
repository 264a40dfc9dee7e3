/* SPDX-License-Identifier: Apache-2.0 */
/* Dates of IMAP (RFC 3501 section 9): INTERNALDATE and the days of SEARCH. No clock, no
 * time zone of this machine: only what stands in the text. */
#ifndef IMAP_DATE_H
#define IMAP_DATE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

/* "17-Jul-1996 02:44:25 -0700", without quotes: seconds since 1970 in UTC, and the zone in
 * minutes east. Forgives: a day of one digit, with or without a blank before it; no zone
 * (taken as UTC); "GMT", "UTC", "Z"; a comment after the zone; a weekday in front; blanks
 * for hyphens; no seconds. -1: not a date. */
int imap_date_parse(struct bytes text, int64_t *ret_seconds, int *ret_zone_minutes);

/* Appends "17-Jul-1996 02:44:25 -0700" with its quotes, as APPEND wants it. Years outside 1
 * to 9999 cannot be written: such a date becomes the nearest that can. */
void imap_date_write(struct buf *to, int64_t seconds, int zone_minutes);

/* "1-Feb-2016" or "2016-02-01": seconds at the beginning of that day in UTC. -1: not a day. */
int imap_day_parse(struct bytes text, int64_t *ret_seconds);

/* Appends "1-Feb-2016", as SEARCH wants it: the day in UTC that holds this second. */
void imap_day_write(struct buf *to, int64_t seconds);

#endif
