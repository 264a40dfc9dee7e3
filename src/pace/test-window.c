/* SPDX-License-Identifier: Apache-2.0 */
/* Windows: what is taken for one, and when they hold, through changes of the clock. */
#include "lib/check.h"
#include "pace/inside.h"

/* When it begins and ends after a moment at which it does not hold; made minute by minute with
 * Python's zoneinfo. */
static const struct {
	const char *text;
	int64_t start;
	int64_t changes[12];
} held[] = {
	{ "20:00-06:00 Asia/Shanghai", INT64_C(1777604400),
	  { 1777636800, 1777672800, 1777723200, 1777759200 } },
	{ "Mon-Fri 08:00-18:00 Europe/Berlin", INT64_C(1774483200),
	  { 1774508400, 1774544400, 1774594800, 1774630800, 1774850400, 1774886400 } },
	{ "Sat,Sun 00:00-24:00 Europe/Berlin", INT64_C(1792627200),
	  { 1792792800, 1792969200, 1793401200, 1793574000 } },
	{ "20:00-06:00 Europe/Berlin", INT64_C(1774612800),
	  { 1774638000, 1774674000, 1774724400, 1774756800, 1774807200, 1774843200 } },
	{ "20:00-06:00 Europe/Berlin", INT64_C(1792756800),
	  { 1792778400, 1792814400, 1792864800, 1792904400, 1792954800, 1792990800 } },
	{ "02:00-03:00 Europe/Berlin", INT64_C(1774612800),
	  { 1774659600, 1774663200, 1774828800, 1774832400 } },
	{ "02:00-02:30 Europe/Berlin", INT64_C(1792843200),
	  { 1792886400, 1792888200, 1792890000, 1792891800, 1792976400, 1792978200 } },
	{ "Sun 02:15-02:45 Europe/Berlin", INT64_C(1774008000),
	  { 1774142100, 1774143900, 1775348100, 1775349900 } },
	{ "Fri 22:00-00:00 America/New_York", INT64_C(1772668800),
	  { 1772852400, 1772859600, 1773453600, 1773460800 } },
	{ "Fri-Mon 23:30-01:15 America/New_York", INT64_C(1793232000),
	  { 1793417400, 1793423700, 1793503800, 1793510100, 1793512800, 1793513700,
	    1793593800, 1793600100, 1793680200, 1793686500 } },
	{ "Sun 00:00-24:00 Australia/Lord_Howe", INT64_C(1775001600),
	  { 1775307600, 1775395800, 1775914200, 1776000600 } },
	{ "09:00-17:30 Asia/Kathmandu", INT64_C(1767225600),
	  { 1767237300, 1767267900, 1767323700, 1767354300 } },
};

static bool has_database(void)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct pace_window window;
	struct fault fault;

	return pace_window_parse("00:00-24:00 Europe/Berlin", &arena, &window, &fault) == 0;
}

static void holding(struct check *check)
{
	if (!has_database())
		check_skip(check, "no tz database");

	for (size_t i = 0; i < ARRAY_SIZE(held); i++) {
		_cleanup_(arena_done) struct arena arena = { 0 };
		struct fault fault = FAULT_INIT;
		int64_t at = held[i].start * SECOND + 123, in;
		struct pace_window w;
		bool holds = false;

		if (pace_window_parse(held[i].text, &arena, &w, &fault) < 0)
			CHECK_FAIL("%s", fault.text);
		for (size_t k = 0; held[i].changes[k]; k++) {
			if (pace_window_holds(&w, at, &in) != holds)
				CHECK_FAIL("%s at %lld", held[i].text, (long long)(at / SECOND));
			if (at + in != held[i].changes[k] * SECOND)
				CHECK_FAIL("%s changes at %lld, not %lld", held[i].text,
					   (long long)((at + in) / SECOND), (long long)held[i].changes[k]);
			CHECK_EQ(pace_window_holds(&w, at + in - 1, NULL), holds);
			at += in;
			holds = !holds;
			CHECK_EQ(pace_window_holds(&w, at, NULL), holds);
		}
	}
}

static void without_zones(struct check *check)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct fault fault = FAULT_INIT;
	struct pace_window w;
	int64_t in;

	CHECK_EQ(pace_window_parse("00:00-24:00 UTC", &arena, &w, &fault), 0);
	CHECK(pace_window_holds(&w, 0, &in));
	CHECK_EQ(in, MOMENT_NEVER);
	CHECK(pace_window_holds(&w, -1, &in)); /* a clock that is not set */

	CHECK_EQ(pace_window_parse("Thu 01:00-02:00 UTC", &arena, &w, &fault), 0);
	CHECK(!pace_window_holds(&w, 0, &in)); /* 1 January 1970 was a Thursday */
	CHECK_EQ(in, HOUR);
	CHECK(pace_window_holds(&w, HOUR, &in));
	CHECK(!pace_window_holds(&w, 2 * HOUR, &in));
	CHECK_EQ(in, 7 * 24 * HOUR - HOUR);
	CHECK(!pace_window_holds(&w, -5 * HOUR, &in));
	CHECK_EQ(in, 6 * HOUR);
}

static void taken(struct check *check)
{
	static const struct {
		const char *text;
		unsigned days;
		int from, to;
		const char *zone;
	} cases[] = {
		{ "20:00-06:00", 0x7f, 1200, 360, "" },
		{ "  20:00-6:00   UTC ", 0x7f, 1200, 360, "UTC" },
		{ "Mon-Fri 08:00-18:00", 0x1f, 480, 1080, "" },
		{ "sat,SUN 00:00-24:00 UTC", 0x60, 0, 1440, "UTC" },
		{ "Sat-Mon 00:00-23:59", 0x61, 0, 1439, "" },
		{ "Mon,Wed-Thu,Mon 00:30-00:00", 0x0d, 30, 0, "" },
		{ "Sun-Sun 1:00-2:00", 0x40, 60, 120, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(arena_done) struct arena arena = { 0 };
		struct fault fault = FAULT_INIT;
		struct pace_window w;

		if (pace_window_parse(cases[i].text, &arena, &w, &fault) < 0)
			CHECK_FAIL("%s", fault.text);
		CHECK_STR(w.text, cases[i].text);
		CHECK_EQ(w.days, cases[i].days);
		CHECK_EQ(w.from_minute, cases[i].from);
		CHECK_EQ(w.to_minute, cases[i].to);
		CHECK_STR(w.zone, cases[i].zone);
	}
}

static void refused(struct check *check)
{
	static const char *const texts[] = {
		"", " ", "x", "08:00", "08:00-", "-18:00", "08:00-18:00-20:00", "8-18", "08:00 - 18:00", "24:00-06:00",
		"08:00-24:01", "08:60-09:00", "25:00-26:00", "008:00-09:00", "08:0-09:00", "08:00-08:00", "Mon", "Mon-",
		"Mon- 08:00-18:00", "-Fri 08:00-18:00", "Mo 08:00-18:00", "Mon,,Tue 08:00-18:00", "Mon, 08:00-18:00",
		"Mon Tue 08:00-18:00", "08:00-18:00 UTC UTC", "08:00-18:00 ../UTC", "08:00-18:00 /etc/localtime",
		"08:00-18:00 Nowhere/Atall", "+8:00-18:00",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(arena_done) struct arena arena = { 0 };
		struct fault fault = FAULT_INIT;
		struct pace_window w;

		if (pace_window_parse(texts[i], &arena, &w, &fault) == 0)
			CHECK_FAIL("\"%s\" was taken", texts[i]);
		CHECK_EQ(fault.kind, FAULT_USAGE);
		CHECK(strstr(fault.text, texts[i]) != NULL);
	}
}

/* --- in a limit ------------------------------------------------------------------------------- */

static void parse(struct check *check, struct arena *arena, const char *text, struct pace_times *times)
{
	struct fault fault = FAULT_INIT;

	if (pace_window_parse(text, arena, &times->window, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
}

/* Looks at it at a moment of the wall clock, as if the process had begun then. */
static int64_t shut_at(struct pace *p, int64_t wall)
{
	static int64_t now;

	now += HOUR;
	p->look_again = 0;
	pace_refresh(p, now, wall);
	return pace_shut(p, now, wall, NULL);
}

static void limits_by_time(struct check *check)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct pace_times times[3] = {
		{ .limits = { .connections = 8 } }, { .closed = true }, { .limits = { .connections = 2, .commands = 5 } },
	};
	struct pace_settings settings = {
		.limits = { .connections = 4, .bytes_per_second = 1000 }, .times = times, .times_n = 3,
	};
	struct pace *p;
	int64_t day = 24 * HOUR;

	parse(check, &arena, "20:00-06:00 UTC", &times[0]);
	parse(check, &arena, "08:00-12:00 UTC", &times[1]);
	parse(check, &arena, "05:00-10:00 UTC", &times[2]);
	p = pace_new(&settings, NULL);

	CHECK_EQ(shut_at(p, day + HOUR), 0);
	CHECK_EQ(p->limits.connections, 8);
	CHECK_EQ(p->limits.bytes_per_second, 1000); /* the general one */
	CHECK_EQ(shut_at(p, day + 5 * HOUR + HOUR / 2), 0);
	CHECK_EQ(p->limits.connections, 8); /* the first that holds */
	CHECK_EQ(p->limits.commands, 0);
	CHECK_EQ(shut_at(p, day + 7 * HOUR), 0);
	CHECK_EQ(p->limits.connections, 2);
	CHECK_EQ(shut_at(p, day + 8 * HOUR), 4 * HOUR);
	CHECK_EQ(shut_at(p, day + 11 * HOUR), HOUR);
	CHECK_EQ(shut_at(p, day + 12 * HOUR), 0);
	CHECK_EQ(p->limits.connections, 4);
	p = pace_free(p);
}

/* One closed window may follow another, or last for ever. */
static void closed_in_a_row(struct check *check)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct pace_times times[2] = { { .closed = true }, { .closed = true } };
	struct pace_settings settings = { .times = times, .times_n = 2 };
	struct fault fault = FAULT_INIT;
	struct pace_state state;
	struct pace *p;
	int64_t wait;

	parse(check, &arena, "08:00-12:00 UTC", &times[0]);
	parse(check, &arena, "11:00-23:00 UTC", &times[1]);
	p = pace_new(&settings, NULL);
	CHECK_EQ(shut_at(p, 9 * HOUR), 14 * HOUR);
	p = pace_free(p);

	parse(check, &arena, "12:00-08:00 UTC", &times[1]);
	p = pace_new(&settings, NULL);
	CHECK(shut_at(p, 9 * HOUR) > 20 * 24 * HOUR);
	p = pace_free(p);

	parse(check, &arena, "00:00-24:00 UTC", &times[1]);
	p = pace_new(&settings, NULL);
	CHECK_EQ(shut_at(p, 9 * HOUR), MOMENT_NEVER);
	p = pace_free(p);

	/* What one is told then; to be asked again all the same, for settings may change. */
	settings.name = "server old.example";
	settings.times = &times[1];
	settings.times_n = 1;
	p = pace_new(&settings, NULL);
	CHECK_EQ(pace_gate(p, &wait, &fault), -1);
	CHECK_STR(fault.text, "server old.example is paused for good: closed by the window 00:00-24:00 UTC");
	CHECK(fault.kind == FAULT_LIMIT && fault.again == AGAIN_LATER);
	CHECK_EQ(fault.after_us, 24 * HOUR);
	pace_look(p, &state);
	CHECK_STR(state.why, "closed by the window 00:00-24:00 UTC");
	p = pace_free(p);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "holding, against zoneinfo", holding },
		{ "holding in UTC", without_zones },
		{ "taken", taken },
		{ "refused", refused },
		{ "limits by time of day", limits_by_time },
		{ "closed in a row", closed_in_a_row },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
