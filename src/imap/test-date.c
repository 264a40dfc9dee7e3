/* SPDX-License-Identifier: Apache-2.0 */
/* Dates: what servers write, what we write, and that one survives the other. */
#include "imap/date.h"
#include "lib/check.h"

static const struct {
	const char *in;
	int64_t seconds;
	int zone;
} readable[] = {
	{ "17-Jul-1996 02:44:25 -0700", 837596665, -420 },
	{ "02-Jan-2016 10:00:00 +0100", 1451725200, 60 },
	{ " 2-Jan-2016 10:00:00 +0100", 1451725200, 60 },
	{ "2-Jan-2016 10:00:00 +0100", 1451725200, 60 },
	{ "02-jan-2016 10:00:00 +0100  ", 1451725200, 60 },
	{ "02-JAN-2016 09:00:00", 1451725200, 0 },
	{ "02-Jan-2016 14:30:00 +0530", 1451725200, 330 },
	{ "02-Jan-2016 14:45:00 +0545", 1451725200, 345 },
	{ "02-Jan-2016 09:00:00 -0000", 1451725200, 0 },
	{ "02-Jan-2016 09:00:00 +0000 (UTC)", 1451725200, 0 },
	{ "02-Jan-2016 09:00:00 (UTC)", 1451725200, 0 },
	{ "02-Jan-2016 09:00:00 GMT", 1451725200, 0 },
	{ "02-Jan-2016 09:00:00Z", 1451725200, 0 },
	{ "02-Jan-2016 9:00 +0000", 1451725200, 0 },
	{ "02-Jan-2016 10:00:00 +01:00", 1451725200, 60 },
	{ "Sat, 2 Jan 2016 10:00:00 +0100 (CET)", 1451725200, 60 },
	{ "02-Jan-2016  10:00:00  +0100", 1451725200, 60 },
	{ "01-Jan-1970 00:00:00 +0000", 0, 0 },
	{ "01-Jan-1970 00:00:00 +0100", -3600, 60 },
	{ "01-Jan-1900 00:00:00 +0000", -2208988800, 0 },
	{ "29-Feb-2000 23:59:60 +0000", 951868799, 0 },
	{ "19-Jan-2038 03:14:08 +0000", 2147483648, 0 },
	{ "01-Jan-0001 00:00:00 +0000", -62135596800, 0 },
	{ "31-Dec-9999 23:59:59 +0000", 253402300799, 0 },
	{ "31-Dec-9999 23:59:59 -2359", 253402300799 + 86340, -1439 },
};

static void test_readable(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(readable); i++) {
		int64_t seconds = 0;
		int zone = 0;

		if (imap_date_parse(bytes_of(readable[i].in), &seconds, &zone) < 0)
			CHECK_FAIL("'%s' is refused", readable[i].in);
		if (seconds != readable[i].seconds || zone != readable[i].zone)
			CHECK_FAIL("'%s' gives %lld zone %d", readable[i].in, (long long)seconds,
				   zone);
	}
}

static void test_unreadable(struct check *check)
{
	static const char *const texts[] = {
		"", " ", "garbage", "00-Jan-2016 10:00:00 +0000", "32-Jan-2016 10:00:00 +0000",
		"29-Feb-2015 10:00:00 +0000", "29-Feb-1900 10:00:00 +0000",
		"02-Foo-2016 10:00:00 +0000", "02-Jan-16 10:00:00 +0000", "02-Jan-2016",
		"02-Jan-2016 10:00:00+", "02-Jan-2016 24:00:00 +0000", "02-Jan-2016 10:60:00 +0000",
		"02-Jan-2016 10:00:61 +0000", "02-Jan-2016 10:00:00 +2400",
		"02-Jan-2016 10:00:00 +0060", "02-Jan-2016 10:00:00 +1", "02-Jan-2016 10:00:00 EST",
		"02-Jan-2016 10:00:00 +0000 x", "02-Jan-0000 10:00:00 +0000", "2-", "2-Jan",
		"2-Jan-",
		"002-Jan-2016 10:00:00 +0000", "02-Jan-20160 10:00:00 +0000", ",", "Sat,",
		"02Jan2016 10:00:00 +0000", "02-Jan-2016T10:00:00 +0000",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int64_t seconds = 42;
		int zone = 43;

		if (imap_date_parse(bytes_of(texts[i]), &seconds, &zone) == 0)
			CHECK_FAIL("'%s' is taken", texts[i]);
		CHECK(seconds == 42 && zone == 43);
	}
}

static void check_written(struct check *check, int64_t seconds, int zone, const char *want)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;

	imap_date_write(&got, seconds, zone);
	CHECK_STR(buf_str(&got), want);
}

static void test_write(struct check *check)
{
	check_written(check, 1451725200, 60, "\"02-Jan-2016 10:00:00 +0100\"");
	check_written(check, 1451725200, -570, "\"01-Jan-2016 23:30:00 -0930\"");
	check_written(check, 1451725200, 345, "\"02-Jan-2016 14:45:00 +0545\"");
	check_written(check, 0, 0, "\"01-Jan-1970 00:00:00 +0000\"");
	check_written(check, -1, 0, "\"31-Dec-1969 23:59:59 +0000\"");
	check_written(check, -2208988800, 0, "\"01-Jan-1900 00:00:00 +0000\"");
	check_written(check, 951782400, 0, "\"29-Feb-2000 00:00:00 +0000\"");
	check_written(check, INT64_MAX, 60, "\"31-Dec-9999 23:59:59 +0100\"");
	check_written(check, 253402300799 + 86340, -1439, "\"31-Dec-9999 23:59:59 -2359\"");
	check_written(check, INT64_MIN, -60, "\"01-Jan-0001 00:00:00 -0100\"");
	check_written(check, 0, INT32_MIN, "\"31-Dec-1969 00:01:00 -2359\"");
}

/* Every day from 1600 to 2400, at odd times and in odd zones. */
static void test_round_trip(struct check *check)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	int zone = -1439;

	for (int64_t at = -11676096000; at < 13569465600; at += 86399 * 3 + 7) {
		int64_t seconds;
		struct bytes inside;
		int got_zone;

		zone = zone >= 1439 ? -1439 : zone + 1;
		buf_reset(&text);
		imap_date_write(&text, at, zone);
		inside = bytes_skip(buf_bytes(&text), 1);
		inside.n--;
		CHECK_EQ(imap_date_parse(inside, &seconds, &got_zone), 0);
		CHECK_EQ(seconds, at);
		CHECK_EQ(got_zone, zone);
	}
}

static void test_days(struct check *check)
{
	static const struct {
		const char *in;
		int64_t seconds;
		const char *out;
	} days[] = {
		{ "2016-02-01", 1454284800, "1-Feb-2016" },
		{ "1-Feb-2016", 1454284800, "1-Feb-2016" },
		{ "01-feb-2016", 1454284800, "1-Feb-2016" },
		{ "1970-01-01", 0, "1-Jan-1970" },
		{ "1969-12-31", -86400, "31-Dec-1969" },
		{ "2024-02-29", 1709164800, "29-Feb-2024" },
		{ "0001-01-01", -62135596800, "1-Jan-0001" },
		{ "9999-12-31", 253402214400, "31-Dec-9999" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(days); i++) {
		_cleanup_(buf_done) struct buf out = BUF_NULL;
		int64_t seconds = 0;

		CHECK_EQ(imap_day_parse(bytes_of(days[i].in), &seconds), 0);
		CHECK_EQ(seconds, days[i].seconds);
		imap_day_write(&out, seconds + 86399);
		CHECK_STR(buf_str(&out), days[i].out);
	}
}

static void test_no_days(struct check *check)
{
	static const char *const texts[] = {
		"", "2016", "2016-02", "2016-02-30", "2016-2-1", "2016-13-01", "2016-02-01 ",
		"1-Feb-16", "1-Feb-2016x", "yesterday", "0000-01-01", "2015-02-29",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int64_t seconds;

		if (imap_day_parse(bytes_of(texts[i]), &seconds) == 0)
			CHECK_FAIL("'%s' is taken", texts[i]);
	}
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "readable", test_readable },	   { "unreadable", test_unreadable },
		{ "write", test_write },	   { "round trip", test_round_trip },
		{ "days", test_days },		   { "no days", test_no_days },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
