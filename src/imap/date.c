/* SPDX-License-Identifier: Apache-2.0 */
/* Dates of IMAP, see date.h. Days are counted with the calendar's own arithmetic (proleptic
 * Gregorian), so that no C library and no zone database has a say. */
#include "imap/date.h"

#include <stdbool.h>

enum { DAY_SECONDS = 86400, YEAR_LAST = 9999, ZONE_MOST = 24 * 60 - 1 };

static const char months[12][4] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
};

struct day {
	int year, month, day; /* month 1 to 12 */
};

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int year, int month)
{
	static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days before 1 January of a year, counted from 1 January of year 1. */
static int64_t days_before_year(int year)
{
	int64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400;
}

static int64_t days_since_1970(struct day d)
{
	int64_t days = days_before_year(d.year) - days_before_year(1970) + d.day - 1;

	for (int month = 1; month < d.month; month++)
		days += month_days(d.year, month);
	return days;
}

static struct day day_of(int64_t days)
{
	int64_t since_year_1 = days + days_before_year(1970);
	struct day d = { (int)(since_year_1 * 400 / 146097) + 1, 1, 1 };

	/* The estimate is off by one year at most, at the ends of years. */
	while (days_before_year(d.year) > since_year_1)
		d.year--;
	while (days_before_year(d.year + 1) <= since_year_1)
		d.year++;

	since_year_1 -= days_before_year(d.year);
	while (since_year_1 >= month_days(d.year, d.month))
		since_year_1 -= month_days(d.year, d.month++);
	d.day = (int)since_year_1 + 1;
	return d;
}

static bool take(struct bytes *text, char c)
{
	if (text->n == 0 || text->p[0] != c)
		return false;

	*text = bytes_skip(*text, 1);
	return true;
}

static void skip_blanks(struct bytes *text)
{
	while (text->n && ascii_is_blank(text->p[0]))
		*text = bytes_skip(*text, 1);
}

/* least to most digits. */
static int digits(struct bytes *text, size_t least, size_t most, int *ret)
{
	size_t n = 0;
	int value = 0;

	while (n < text->n && n < most && ascii_is_digit(text->p[n]))
		value = value * 10 + (text->p[n++] - '0');
	if (n < least)
		return -1;

	*text = bytes_skip(*text, n);
	*ret = value;
	return 0;
}

static int month_name(struct bytes *text, int *ret)
{
	struct bytes name = bytes_head(*text, 3);

	for (int i = 0; i < 12; i++) {
		if (bytes_equal_nocase(name, bytes_of(months[i]))) {
			*text = bytes_skip(*text, 3);
			*ret = i + 1;
			return 0;
		}
	}
	return -1;
}

static bool take_hyphen(struct bytes *text)
{
	if (take(text, '-'))
		return true;
	if (text->n == 0 || !ascii_is_blank(text->p[0]))
		return false;

	skip_blanks(text);
	return true;
}

static bool is_day(struct day d)
{
	return d.year >= 1 && d.year <= YEAR_LAST && d.month >= 1 && d.month <= 12 && d.day >= 1 &&
	       d.day <= month_days(d.year, d.month);
}

/* "17-Jul-1996" */
static int take_day(struct bytes *text, struct day *ret)
{
	struct day d;

	if (digits(text, 1, 2, &d.day) < 0 || !take_hyphen(text) ||
	    month_name(text, &d.month) < 0 || !take_hyphen(text) ||
	    digits(text, 4, 4, &d.year) < 0 || !is_day(d))
		return -1;

	*ret = d;
	return 0;
}

/* "02:44:25"; a leap second counts as the one before, so that it stays on its day. */
static int take_time(struct bytes *text, int *ret_seconds)
{
	int hour, minute, second = 0;

	if (digits(text, 1, 2, &hour) < 0 || !take(text, ':') || digits(text, 2, 2, &minute) < 0)
		return -1;
	if (take(text, ':') && digits(text, 2, 2, &second) < 0)
		return -1;
	if (hour > 23 || minute > 59 || second > 60)
		return -1;

	*ret_seconds = (hour * 60 + minute) * 60 + (second == 60 ? 59 : second);
	return 0;
}

static bool take_utc(struct bytes *text)
{
	static const struct bytes names[] = { BYTES("GMT"), BYTES("UTC"), BYTES("UT"), BYTES("Z") };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (bytes_starts_nocase(*text, names[i])) {
			*text = bytes_skip(*text, names[i].n);
			return true;
		}
	}
	return false;
}

/* "-0700", with what may come after it. */
static int take_zone(struct bytes *text, int *ret_minutes)
{
	bool east = take(text, '+');
	int hours = 0, minutes = 0;

	if (east || take(text, '-')) {
		if (digits(text, 2, 2, &hours) < 0)
			return -1;
		take(text, ':');
		if (digits(text, 2, 2, &minutes) < 0 || hours > 23 || minutes > 59)
			return -1;
	} else if (text->n && text->p[0] != '(' && !take_utc(text)) {
		return -1;
	}

	skip_blanks(text);
	*ret_minutes = (hours * 60 + minutes) * (east ? 1 : -1);
	return text->n == 0 || text->p[0] == '(' ? 0 : -1;
}

/* "Wed, " */
static void skip_weekday(struct bytes *text)
{
	ptrdiff_t comma = bytes_find_char(bytes_head(*text, 4), ',');

	if (comma < 0)
		return;

	*text = bytes_skip(*text, (size_t)comma + 1);
	skip_blanks(text);
}

int imap_date_parse(struct bytes text, int64_t *ret_seconds, int *ret_zone_minutes)
{
	int seconds, zone;
	struct day d;

	text = bytes_trim(text);
	skip_weekday(&text);
	if (take_day(&text, &d) < 0 || text.n == 0 || !ascii_is_blank(text.p[0]))
		return -1;

	skip_blanks(&text);
	if (take_time(&text, &seconds) < 0)
		return -1;

	skip_blanks(&text);
	if (take_zone(&text, &zone) < 0)
		return -1;

	*ret_seconds = days_since_1970(d) * DAY_SECONDS + seconds - zone * 60;
	*ret_zone_minutes = zone;
	return 0;
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

/* What can be written: 1 January of year 1 to 31 December 9999. */
static int64_t clamp_seconds(int64_t seconds)
{
	int64_t first = -days_before_year(1970) * DAY_SECONDS;
	int64_t last = (days_before_year(YEAR_LAST + 1) - days_before_year(1970)) * DAY_SECONDS - 1;

	return clamp(seconds, first, last);
}

/* Splits into whole days, rounded down, and what is left. */
static int64_t split_days(int64_t seconds, int *ret_rest)
{
	int64_t rest = seconds % DAY_SECONDS;

	if (rest < 0)
		rest += DAY_SECONDS;

	*ret_rest = (int)rest;
	return (seconds - rest) / DAY_SECONDS;
}

void imap_date_write(struct buf *to, int64_t seconds, int zone_minutes)
{
	int zone = (int)clamp(zone_minutes, -ZONE_MOST, ZONE_MOST), rest;
	int64_t local = clamp_seconds(clamp(seconds, INT64_MIN / 2, INT64_MAX / 2) + zone * 60);
	struct day d = day_of(split_days(local, &rest));
	int east = zone < 0 ? -zone : zone;

	buf_appendf(to, "\"%02d-%s-%04d %02d:%02d:%02d %c%02d%02d\"", d.day, months[d.month - 1],
		    d.year, rest / 3600, rest / 60 % 60, rest % 60, zone < 0 ? '-' : '+',
		    east / 60, east % 60);
}

/* "2016-02-01" */
static int take_iso_day(struct bytes *text, struct day *ret)
{
	struct day d;

	if (digits(text, 4, 4, &d.year) < 0 || !take(text, '-') ||
	    digits(text, 2, 2, &d.month) < 0 || !take(text, '-') ||
	    digits(text, 2, 2, &d.day) < 0 || !is_day(d))
		return -1;

	*ret = d;
	return 0;
}

int imap_day_parse(struct bytes text, int64_t *ret_seconds)
{
	struct bytes rest = text;
	struct day d;

	if (take_iso_day(&rest, &d) < 0) {
		rest = text;
		if (take_day(&rest, &d) < 0)
			return -1;
	}
	if (rest.n > 0)
		return -1;

	*ret_seconds = days_since_1970(d) * DAY_SECONDS;
	return 0;
}

void imap_day_write(struct buf *to, int64_t seconds)
{
	int rest;
	struct day d = day_of(split_days(clamp_seconds(seconds), &rest));

	buf_appendf(to, "%d-%s-%04d", d.day, months[d.month - 1], d.year);
}
