/* SPDX-License-Identifier: Apache-2.0 */
/* Times of day. A window holds by what a clock on the wall of that zone shows, days included: an
 * hour that a change to summer time leaves out is not there, one that comes twice counts twice. */
#include "pace/pace.h"

#include <string.h>

#include "os/tz.h"

enum { DAY_MINUTES = 24 * 60, WEEK = 7 };
enum { LOOK_AHEAD = 16 }; /* days: a weekly hour may be left out once */

/* --- reading ---------------------------------------------------------------------------------- */

static const char day_names[WEEK][4] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

static int day_of(struct bytes name)
{
	for (int i = 0; i < WEEK; i++) {
		if (bytes_equal_nocase(name, bytes_of(day_names[i])))
			return i;
	}
	return -1;
}

/* "Mon-Fri,Sun"; 0 when it is not that. */
static unsigned parse_days(struct bytes text)
{
	unsigned days = 0;

	for (bool more = true; more;) {
		struct bytes part, last;
		int from, to;

		more = bytes_find_char(text, ',') >= 0;
		part = last = bytes_cut(&text, ',');
		from = to = day_of(bytes_cut(&last, '-'));
		if (bytes_find_char(part, '-') >= 0)
			to = day_of(last);
		if (from < 0 || to < 0)
			return 0;
		for (int d = from; d != to; d = (d + 1) % WEEK)
			days |= 1U << d;
		days |= 1U << to;
	}
	return days;
}

/* "20:00"; -1 when it is not that. */
static int parse_minute(struct bytes text)
{
	struct bytes hour = bytes_cut(&text, ':');
	uint64_t h, m;

	if (hour.n < 1 || hour.n > 2 || text.n != 2 || bytes_to_u64(hour, 24, &h) < 0 ||
	    bytes_to_u64(text, 59, &m) < 0 || (h == 24 && m != 0))
		return -1;

	return (int)(h * 60 + m);
}

static struct bytes next_word(struct bytes *text)
{
	*text = bytes_trim(*text);
	return bytes_cut(text, ' ');
}

int pace_window_parse(const char *text, struct arena *arena, struct pace_window *ret,
		      struct fault *fault)
{
	struct pace_window w = { .text = text, .days = (1U << WEEK) - 1 };
	struct bytes rest = bytes_of(text), word = next_word(&rest), from;

	if (word.n && ascii_is_alpha(word.p[0])) {
		w.days = parse_days(word);
		word = next_word(&rest);
	}
	from = bytes_cut(&word, '-');
	w.from_minute = parse_minute(from);
	w.to_minute = parse_minute(word);
	if (!w.days || w.from_minute < 0 || w.to_minute < 0 || w.from_minute == DAY_MINUTES)
		return fault_usage(fault, "\"%.100s\" is no time of day: write \"20:00-06:00\", with days "
				   "in front and a time zone behind if need be: "
				   "\"Mon-Fri 08:00-18:00 Europe/Berlin\"", text);
	if (w.from_minute == w.to_minute)
		return fault_usage(fault, "\"%.100s\" ends when it begins: write 00:00-24:00 for whole "
				   "days", text);

	word = next_word(&rest);
	rest = bytes_trim(rest);
	if (rest.n)
		return fault_usage(fault, "\"%.100s\" has something after its time zone: %.*s",
				   text, BYTES_ARG(rest));
	w.zone = arena_str(arena, word);
	if (os_tz_load(w.zone, arena, &w.tz, fault) < 0)
		return fault_prefix(fault, "\"%.100s\"", text);

	w.text = arena_strdup(arena, text);
	*ret = w;
	return 0;
}

/* --- holding ---------------------------------------------------------------------------------- */

static int64_t divide_down(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* What the clock shows, in seconds as if it were UTC. */
static bool holds_by_clock(const struct pace_window *w, int64_t local)
{
	int64_t day = divide_down(local, 86400);
	int minute = (int)((local - day * 86400) / 60);
	int today = (int)(((day + 3) % WEEK + WEEK) % WEEK); /* 1 January 1970 was a Thursday */
	int yesterday = (today + WEEK - 1) % WEEK;

	if (w->from_minute < w->to_minute)
		return (w->days >> today & 1) && minute >= w->from_minute && minute < w->to_minute;
	return ((w->days >> today & 1) && minute >= w->from_minute) ||
	       ((w->days >> yesterday & 1) && minute < w->to_minute);
}

/* The next moment the clock shows from, to or midnight. */
static int64_t next_mark(const struct pace_window *w, int64_t local)
{
	int64_t midnight = divide_down(local, 86400) * 86400;
	int64_t next = midnight + 86400;
	int minutes[] = { w->from_minute, w->to_minute };

	for (size_t i = 0; i < ARRAY_SIZE(minutes); i++) {
		int64_t mark = midnight + minutes[i] * INT64_C(60);

		if (mark > local && mark < next)
			next = mark;
	}
	return next;
}

static bool holds_always(const struct pace_window *w)
{
	return w->days == (1U << WEEK) - 1 && w->from_minute == 0 && w->to_minute == DAY_MINUTES;
}

bool pace_window_holds(const struct pace_window *w, int64_t wall_us, int64_t *ret_change_us)
{
	int64_t at = divide_down(wall_us, SECOND), start = at, until;
	int32_t offset = os_tz_offset(w->tz, at, &until);
	bool holds = holds_by_clock(w, at + offset);

	if (!ret_change_us)
		return holds;

	*ret_change_us = MOMENT_NEVER;
	if (holds_always(w))
		return holds;

	/* From mark to mark, and to each change of the clock, until it is otherwise. */
	while (at < start + LOOK_AHEAD * 86400) {
		int64_t next = next_mark(w, at + offset) - offset;

		at = next < until ? next : until;
		offset = os_tz_offset(w->tz, at, &until);
		if (holds_by_clock(w, at + offset) != holds)
			break;
	}
	*ret_change_us = at * SECOND - wall_us;
	return holds;
}
