/* SPDX-License-Identifier: Apache-2.0 */
/* A moment as people plan it: the local time somewhere. */
#include "base/clock.h"
#include "config/settings.h"
#include "imap/date.h"
#include "os/tz.h"

enum { DAY_SECONDS = 24 * 3600 };

/* "20:00" or "20:00:30", in seconds of the day. */
static int read_clock(struct bytes text, int64_t *ret)
{
	uint64_t parts[3] = { 0 };
	static const uint64_t most[3] = { 23, 59, 59 };
	size_t n = 0;

	for (; text.n > 0; n++) {
		struct bytes part = bytes_cut(&text, ':');

		if (n == 3 || part.n != 2 || bytes_to_u64(part, most[n], &parts[n]) < 0)
			return -1;
	}
	*ret = (int64_t)(parts[0] * 3600 + parts[1] * 60 + parts[2]);
	return n >= 2 ? 0 : -1;
}

/* Of a time that comes twice (clocks go back) the first is meant. -1: it never comes (they go
 * forward). */
static int find_moment(const struct os_tz *tz, int64_t local, int64_t *ret)
{
	int32_t before = os_tz_offset(tz, local - DAY_SECONDS, NULL);
	int32_t after = os_tz_offset(tz, local + DAY_SECONDS, NULL);

	if (os_tz_offset(tz, local - before, NULL) == before)
		*ret = local - before;
	else if (os_tz_offset(tz, local - after, NULL) == after)
		*ret = local - after;
	else
		return -1;
	return 0;
}

int value_moment(const char *text, int64_t *ret_us, struct fault *fault)
{
	struct bytes zone = bytes_of(text), day = bytes_cut(&zone, ' '), clock;
	int64_t seconds = 0, of_day = 0, at = 0;
	struct arena arena = { NULL };
	const struct os_tz *tz;
	char shown[200];
	int r;

	zone = bytes_trim(zone);
	clock = bytes_cut(&zone, ' ');
	zone = bytes_trim(zone);
	value_shown(text, 60, shown);
	if (day.n != 10 || !ascii_is_digit(day.p[0]) || imap_day_parse(day, &seconds) < 0 ||
	    read_clock(clock, &of_day) < 0)
		return fault_usage(fault,
				   "\"%s\" will not do: write a day, a time and where that is the "
				   "time, as 2026-12-05 20:00 Europe/Berlin",
				   shown);
	if (zone.n == 0)
		return fault_usage(fault,
				   "\"%s\" does not say where that is the time: add a zone, such "
				   "as Europe/Berlin or UTC",
				   shown);

	r = os_tz_load(arena_str(&arena, zone), &arena, &tz, fault);
	if (r == 0) {
		r = find_moment(tz, seconds + of_day, &at);
		if (r < 0)
			fault_usage(fault,
				    "there is no such time as \"%s\": clocks go forward then",
				    shown);
	}
	arena_done(&arena);
	if (r == 0)
		*ret_us = at * SECOND;
	return r;
}
