/* SPDX-License-Identifier: Apache-2.0 */
/* See tz-rule.h. */
#include "os/tz-rule.h"

#include <stddef.h>

enum { DAY_SECONDS = 86400 };

/* Beyond some hundred million years nobody cares, and sums stay small. */
static const int64_t farthest = INT64_C(1) << 52;

/* --- the calendar ----------------------------------------------------------------------------- */

/* Years begin in March here, so that the odd day is the last; 400 of them are an era of 146,097
 * days. */
int64_t tz_days(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t tz_year(int64_t days)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);

	return era * 400 + y + (of_year >= 306); /* January and February are of the next */
}

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Day of the week of a day since 1970 (a Thursday), Sunday 0. */
static int weekday(int64_t days)
{
	return (int)(((days + 4) % 7 + 7) % 7);
}

/* The day of that year, since 1970. */
static int64_t day_in(const struct tz_day *d, int64_t year)
{
	int64_t first, days;

	if (d->kind == TZ_DAY)
		return tz_days(year, 1, 1) + d->day;
	if (d->kind == TZ_JULIAN)
		return tz_days(year, 1, 1) + d->day - 1 + (is_leap(year) && d->day >= 60);

	/* The week-th such weekday; 5 is the last. */
	first = tz_days(year, d->month, 1);
	days = first + (d->day - weekday(first) + 7) % 7 + 7 * (d->week - 1);
	while (days >= tz_days(d->month == 12 ? year + 1 : year, d->month % 12 + 1, 1))
		days -= 7;
	return days;
}

/* That moment, in seconds since 1970 as if the clock showed UTC. */
static int64_t moment_in(const struct tz_day *d, int64_t year)
{
	return day_in(d, year) * DAY_SECONDS + d->seconds;
}

int32_t tz_rule_offset(const struct tz_rule *rule, int64_t at, int64_t *ret_until)
{
	int64_t year, from = INT64_MIN, until = INT64_MAX;
	int32_t offset = rule->standard;

	*ret_until = INT64_MAX;
	if (!rule->has_summer || at > farthest || at < -farthest)
		return rule->standard;

	/* The last change before and the first after. Of two at the same moment (summer time all
	 * year long) the beginning counts. */
	year = tz_year(at / DAY_SECONDS);
	for (int64_t y = year - 2; y <= year + 2; y++) {
		int64_t begins = moment_in(&rule->begins, y) - rule->standard;
		int64_t ends = moment_in(&rule->ends, y) - rule->summer;

		if (ends <= at && ends > from) {
			from = ends;
			offset = rule->standard;
		}
		if (begins <= at && begins >= from) {
			from = begins;
			offset = rule->summer;
		}
		if (begins > at && begins < until)
			until = begins;
		if (ends > at && ends < until)
			until = ends;
	}
	*ret_until = until;
	return offset;
}

/* --- reading ---------------------------------------------------------------------------------- */

static char peek(const struct bytes *b)
{
	return b->n ? b->p[0] : '\0';
}

static bool take_char(struct bytes *b, char c)
{
	if (peek(b) != c || !b->n)
		return false;

	*b = bytes_skip(*b, 1);
	return true;
}

static int take_number(struct bytes *b, int least, int most, int *ret)
{
	int value = 0, digits = 0;

	while (ascii_is_digit(peek(b)) && digits < 4) {
		value = value * 10 + (peek(b) - '0');
		*b = bytes_skip(*b, 1);
		digits++;
	}
	if (!digits || value < least || value > most)
		return -1;

	*ret = value;
	return 0;
}

/* A name of letters, or of letters, digits and signs between < and >. It is not kept. */
static int take_name(struct bytes *b)
{
	bool quoted = take_char(b, '<');
	int n = 0;

	while (ascii_is_alpha(peek(b)) ||
	       (quoted && (ascii_is_digit(peek(b)) || peek(b) == '+' || peek(b) == '-'))) {
		*b = bytes_skip(*b, 1);
		n++;
	}
	return n < 3 || n > 16 || (quoted && !take_char(b, '>')) ? -1 : 0;
}

/* [+-]hh[:mm[:ss]] */
static int take_time(struct bytes *b, int most_hours, int32_t *ret)
{
	int hours, minutes = 0, seconds = 0;
	bool minus = take_char(b, '-');

	if (!minus)
		take_char(b, '+');
	if (take_number(b, 0, most_hours, &hours) < 0)
		return -1;
	if (take_char(b, ':') && take_number(b, 0, 59, &minutes) < 0)
		return -1;
	if (take_char(b, ':') && take_number(b, 0, 59, &seconds) < 0)
		return -1;

	*ret = (hours * 60 + minutes) * 60 + seconds;
	if (minus)
		*ret = -*ret;
	return 0;
}

static int take_day(struct bytes *b, struct tz_day *ret)
{
	struct tz_day d = { .seconds = 2 * 3600 };

	if (take_char(b, 'M')) {
		d.kind = TZ_WEEKDAY;
		if (take_number(b, 1, 12, &d.month) < 0 || !take_char(b, '.') ||
		    take_number(b, 1, 5, &d.week) < 0 || !take_char(b, '.') ||
		    take_number(b, 0, 6, &d.day) < 0)
			return -1;
	} else if (take_char(b, 'J')) {
		d.kind = TZ_JULIAN;
		if (take_number(b, 1, 365, &d.day) < 0)
			return -1;
	} else {
		d.kind = TZ_DAY;
		if (take_number(b, 0, 365, &d.day) < 0)
			return -1;
	}
	if (take_char(b, '/') && take_time(b, 167, &d.seconds) < 0)
		return -1;

	*ret = d;
	return 0;
}

int tz_rule_parse(struct bytes text, struct tz_rule *ret)
{
	struct tz_rule rule = { 0 };
	int32_t west;

	if (take_name(&text) < 0 || take_time(&text, 24, &west) < 0)
		return -1;

	rule.standard = -west; /* POSIX counts westwards */
	if (text.n) {
		if (take_name(&text) < 0)
			return -1;
		rule.has_summer = true;
		rule.summer = rule.standard + 3600;
		if (text.n && peek(&text) != ',') {
			if (take_time(&text, 24, &west) < 0)
				return -1;
			rule.summer = -west;
		}
		/* Without days: those of the United States, as libc has it. */
		if (!text.n)
			text = BYTES(",M3.2.0,M11.1.0");
		if (!take_char(&text, ',') || take_day(&text, &rule.begins) < 0 ||
		    !take_char(&text, ',') || take_day(&text, &rule.ends) < 0)
			return -1;
	}
	if (text.n)
		return -1;

	*ret = rule;
	return 0;
}
