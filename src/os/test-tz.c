/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones, against tables made by others; files that are not what they should be. */
#include "base/buf.h"
#include "base/xalloc.h"
#include "lib/check.h"
#include "os/testing.h"
#include "os/tz.h"

struct moment {
	const char *zone;
	int64_t at;
	int32_t offset;
};

static const struct moment zones[] = {
	{ "UTC", INT64_C(0), 0 },
	{ "UTC", INT64_C(1893456000), 0 },
	{ "Europe/Berlin", INT64_C(1774745999), 3600 },
	{ "Europe/Berlin", INT64_C(1774746000), 7200 },
	{ "Europe/Berlin", INT64_C(1792889999), 7200 },
	{ "Europe/Berlin", INT64_C(1792890000), 3600 },
	{ "Europe/Berlin", INT64_C(4086547200), 7200 },
	{ "Europe/Berlin", INT64_C(4099766400), 3600 },
	{ "Europe/Berlin", INT64_C(-775872000), 10800 },
	{ "Europe/Berlin", INT64_C(-3786825600), 3208 },
	{ "Europe/Berlin", INT64_C(320716800), 3600 },
	{ "Asia/Shanghai", INT64_C(1782864000), 28800 },
	{ "Asia/Shanghai", INT64_C(646790400), 32400 },
	{ "Asia/Shanghai", INT64_C(-3786825600), 29143 },
	{ "Asia/Shanghai", INT64_C(13585190400), 28800 },
	{ "America/New_York", INT64_C(1772953199), -18000 },
	{ "America/New_York", INT64_C(1772953200), -14400 },
	{ "America/New_York", INT64_C(1793512799), -14400 },
	{ "America/New_York", INT64_C(1793512800), -18000 },
	{ "America/New_York", INT64_C(7271164800), -14400 },
	{ "Asia/Kathmandu", INT64_C(1767225600), 20700 },
	{ "Asia/Kathmandu", INT64_C(315532800), 19800 },
	{ "Australia/Lord_Howe", INT64_C(1767225600), 39600 },
	{ "Australia/Lord_Howe", INT64_C(1782864000), 37800 },
	{ "Australia/Lord_Howe", INT64_C(2840140800), 39600 },
	{ "Australia/Lord_Howe", INT64_C(2855865600), 37800 },
	{ "Europe/Dublin", INT64_C(1767225600), 0 },
	{ "Europe/Dublin", INT64_C(1782864000), 3600 },
	{ "Europe/Dublin", INT64_C(3376684800), 0 },
	{ "Europe/Dublin", INT64_C(3392323200), 3600 },
	{ "Pacific/Apia", INT64_C(1325160000), -36000 },
	{ "Pacific/Apia", INT64_C(1325332800), 50400 },
};

/* Rules, at each change of 2026 and 2028 and the second before. */
static const struct moment rules[] = {
	{ "CST-8", INT64_C(1767225600), 28800 },
	{ "CST-8", INT64_C(1782777600), 28800 },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", INT64_C(1774745999), 3600 },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", INT64_C(1774746000), 7200 },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", INT64_C(1792889999), 7200 },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", INT64_C(1792890000), 3600 },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", INT64_C(1837645199), 3600 },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", INT64_C(1837645200), 7200 },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", INT64_C(1856393999), 7200 },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", INT64_C(1856394000), 3600 },
	{ "EST5EDT,M3.2.0,M11.1.0", INT64_C(1772953199), -18000 },
	{ "EST5EDT,M3.2.0,M11.1.0", INT64_C(1772953200), -14400 },
	{ "EST5EDT,M3.2.0,M11.1.0", INT64_C(1793512799), -14400 },
	{ "EST5EDT,M3.2.0,M11.1.0", INT64_C(1793512800), -18000 },
	{ "EST5EDT,M3.2.0,M11.1.0", INT64_C(1836457199), -18000 },
	{ "EST5EDT,M3.2.0,M11.1.0", INT64_C(1836457200), -14400 },
	{ "EST5EDT,M3.2.0,M11.1.0", INT64_C(1857016799), -14400 },
	{ "EST5EDT,M3.2.0,M11.1.0", INT64_C(1857016800), -18000 },
	{ "IST-1GMT0,M10.5.0,M3.5.0/1", INT64_C(1774745999), 0 },
	{ "IST-1GMT0,M10.5.0,M3.5.0/1", INT64_C(1774746000), 3600 },
	{ "IST-1GMT0,M10.5.0,M3.5.0/1", INT64_C(1792889999), 3600 },
	{ "IST-1GMT0,M10.5.0,M3.5.0/1", INT64_C(1792890000), 0 },
	{ "IST-1GMT0,M10.5.0,M3.5.0/1", INT64_C(1837645199), 0 },
	{ "IST-1GMT0,M10.5.0,M3.5.0/1", INT64_C(1837645200), 3600 },
	{ "IST-1GMT0,M10.5.0,M3.5.0/1", INT64_C(1856393999), 3600 },
	{ "IST-1GMT0,M10.5.0,M3.5.0/1", INT64_C(1856394000), 0 },
	{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", INT64_C(1774745999), -7200 },
	{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", INT64_C(1774746000), -3600 },
	{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", INT64_C(1792889999), -3600 },
	{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", INT64_C(1792890000), -7200 },
	{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", INT64_C(1837645199), -7200 },
	{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", INT64_C(1837645200), -3600 },
	{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", INT64_C(1856393999), -3600 },
	{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", INT64_C(1856394000), -7200 },
	{ "EET-2EEST,M3.4.4/50,M10.4.4/50", INT64_C(1774655999), 7200 },
	{ "EET-2EEST,M3.4.4/50,M10.4.4/50", INT64_C(1774656000), 10800 },
	{ "EET-2EEST,M3.4.4/50,M10.4.4/50", INT64_C(1792796399), 10800 },
	{ "EET-2EEST,M3.4.4/50,M10.4.4/50", INT64_C(1792796400), 7200 },
	{ "EET-2EEST,M3.4.4/50,M10.4.4/50", INT64_C(1837555199), 7200 },
	{ "EET-2EEST,M3.4.4/50,M10.4.4/50", INT64_C(1837555200), 10800 },
	{ "EET-2EEST,M3.4.4/50,M10.4.4/50", INT64_C(1856300399), 10800 },
	{ "EET-2EEST,M3.4.4/50,M10.4.4/50", INT64_C(1856300400), 7200 },
	{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", INT64_C(1775314799), 39600 },
	{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", INT64_C(1775314800), 37800 },
	{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", INT64_C(1791041399), 37800 },
	{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", INT64_C(1791041400), 39600 },
	{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", INT64_C(1838213999), 39600 },
	{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", INT64_C(1838214000), 37800 },
	{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", INT64_C(1853940599), 37800 },
	{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", INT64_C(1853940600), 39600 },
	{ "<+0330>-3:30<+0430>,J79/24,J263/24", INT64_C(1774038599), 12600 },
	{ "<+0330>-3:30<+0430>,J79/24,J263/24", INT64_C(1774038600), 16200 },
	{ "<+0330>-3:30<+0430>,J79/24,J263/24", INT64_C(1789932599), 16200 },
	{ "<+0330>-3:30<+0430>,J79/24,J263/24", INT64_C(1789932600), 12600 },
	{ "<+0330>-3:30<+0430>,J79/24,J263/24", INT64_C(1837196999), 12600 },
	{ "<+0330>-3:30<+0430>,J79/24,J263/24", INT64_C(1837197000), 16200 },
	{ "<+0330>-3:30<+0430>,J79/24,J263/24", INT64_C(1853090999), 16200 },
	{ "<+0330>-3:30<+0430>,J79/24,J263/24", INT64_C(1853091000), 12600 },
	{ "XXX3EDT4,0/0,J365/23", INT64_C(1767225600), -14400 },
	{ "XXX3EDT4,0/0,J365/23", INT64_C(1782777600), -14400 },
	{ "<-04>4<-03>,M9.1.6/24,M4.1.6/24", INT64_C(1775357999), -10800 },
	{ "<-04>4<-03>,M9.1.6/24,M4.1.6/24", INT64_C(1775358000), -14400 },
	{ "<-04>4<-03>,M9.1.6/24,M4.1.6/24", INT64_C(1788667199), -14400 },
	{ "<-04>4<-03>,M9.1.6/24,M4.1.6/24", INT64_C(1788667200), -10800 },
	{ "<-04>4<-03>,M9.1.6/24,M4.1.6/24", INT64_C(1838257199), -10800 },
	{ "<-04>4<-03>,M9.1.6/24,M4.1.6/24", INT64_C(1838257200), -14400 },
	{ "<-04>4<-03>,M9.1.6/24,M4.1.6/24", INT64_C(1851566399), -14400 },
	{ "<-04>4<-03>,M9.1.6/24,M4.1.6/24", INT64_C(1851566400), -10800 },

	/* zoneinfo of Python 3.11 is a day off here; these are from glibc. */
	{ "AAA0BBB,59,300", INT64_C(1772330399), 0 },
	{ "AAA0BBB,59,300", INT64_C(1772330400), 3600 },
	{ "AAA0BBB,59,300", INT64_C(1793149199), 3600 },
	{ "AAA0BBB,59,300", INT64_C(1793149200), 0 },
	{ "AAA0BBB,59,300", INT64_C(1835402399), 0 },
	{ "AAA0BBB,59,300", INT64_C(1835402400), 3600 },
	{ "AAA0BBB,59,300", INT64_C(1856221199), 3600 },
	{ "AAA0BBB,59,300", INT64_C(1856221200), 0 },
	{ "AAA0BBB,J59,J60", INT64_C(1772243999), 0 },
	{ "AAA0BBB,J59,J60", INT64_C(1772244000), 3600 },
	{ "AAA0BBB,J59,J60", INT64_C(1772326799), 3600 },
	{ "AAA0BBB,J59,J60", INT64_C(1772326800), 0 },
	{ "AAA0BBB,J59,J60", INT64_C(1835315999), 0 },
	{ "AAA0BBB,J59,J60", INT64_C(1835316000), 3600 },
	{ "AAA0BBB,J59,J60", INT64_C(1835485199), 3600 },
	{ "AAA0BBB,J59,J60", INT64_C(1835485200), 0 },
};

static bool has_database(void)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	const struct os_tz *tz;
	struct fault fault;

	return os_tz_load("Europe/Berlin", &arena, &tz, &fault) == 0;
}

static void check_moment(struct check *check, const struct os_tz *tz, const struct moment *m)
{
	int64_t until = 0;
	int32_t got = os_tz_offset(tz, m->at, &until);

	if (got != m->offset)
		CHECK_FAIL("%s at %lld: %d, not %d", m->zone, (long long)m->at, got, m->offset);
	CHECK(until > m->at);
	CHECK_EQ(os_tz_offset(tz, m->at, NULL), got);
	if (until != INT64_MAX)
		CHECK_EQ(os_tz_offset(tz, until - 1, NULL), got);
}

static void database(struct check *check)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct fault fault = FAULT_INIT;
	const struct os_tz *tz;

	if (!has_database())
		check_skip(check, "no tz database");
	for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
		if (os_tz_load(zones[i].zone, &arena, &tz, &fault) < 0)
			CHECK_FAIL("%s", fault.text);
		check_moment(check, tz, &zones[i]);
	}
}

static void by_rule(struct check *check)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct fault fault = FAULT_INIT;
	const struct os_tz *tz;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (os_tz_parse_rule(bytes_of(rules[i].zone), &arena, &tz, &fault) < 0)
			CHECK_FAIL("%s", fault.text);
		check_moment(check, tz, &rules[i]);
	}
	CHECK_EQ(os_tz_parse_rule(BYTES("EST5EDT"), &arena, &tz, &fault), 0); /* as libc has it */
	CHECK_EQ(os_tz_offset(tz, 1767225600 + 180 * 86400, NULL), -4 * 3600);
	CHECK(os_tz_offset(tz, INT64_MAX, NULL) != 1 && os_tz_offset(tz, INT64_MIN, NULL) != 1); /* no overflow */
}

static void no_rules(struct check *check)
{
	static const char *const texts[] = {
		"", "C", "CE-1", "CET", "CET-", "CET-25", "CET-1:60", "CET-1X", "<CET-1", "<+01-1", "CET-1CEST,",
		"CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
		"CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,M3.5.0/168,M10.5.0", "CET-1CEST,J0,J5", "CET-1CEST,J366,J5",
		"CET-1CEST,366,5", "CET-1CEST,M3.5.0,M10.5.0/3x", "CET-99999999999999999999", "CET--1", "CET-1 ",
	};
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct fault fault = FAULT_INIT;
	const struct os_tz *tz;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (os_tz_parse_rule(bytes_of(texts[i]), &arena, &tz, &fault) == 0)
			CHECK_FAIL("\"%s\" was taken", texts[i]);
		CHECK_EQ(fault.kind, FAULT_DATA);
	}
	CHECK(os_tz_parse_rule(BYTES("CET-1\0CEST"), &arena, &tz, &fault) < 0);
}

/* --- files ------------------------------------------------------------------------------------ */

static void put(struct buf *to, uint64_t value, int n)
{
	while (n-- > 0)
		buf_append_char(to, n < 8 ? (char)(value >> (8 * n)) : 0);
}

/* A header and its block: two transitions, two types. */
static void put_block(struct buf *to, char version, int word, uint32_t leaps)
{
	buf_append_str(to, "TZif");
	buf_append_char(to, version);
	put(to, 0, 8);
	put(to, 0, 7);
	put(to, 0, 4);
	put(to, 0, 4);
	put(to, leaps, 4);
	put(to, 2, 4);
	put(to, 2, 4);
	put(to, 8, 4);
	put(to, 1000, word);
	put(to, 2000, word);
	put(to, 1, 1);
	put(to, 0, 1);
	put(to, 3600, 4);
	put(to, 0, 2);
	put(to, 7200, 4);
	put(to, 0x0104, 2);
	buf_append(to, "CET\0CES\0", 8);
	for (uint32_t i = 0; i < leaps; i++)
		put(to, 1, word + 4);
}

static struct buf made_file(char version, uint32_t leaps, const char *footer)
{
	struct buf file = BUF_NULL;

	put_block(&file, version, 4, leaps);
	if (version >= '2') {
		put_block(&file, version, 8, leaps);
		buf_append_str(&file, footer);
	}
	return file;
}

static void versions(struct check *check)
{
	static const struct {
		char version;
		const char *footer;
		int32_t later; /* offset in July of a later year */
	} cases[] = { { '\0', "", 3600 }, { '2', "\n\n", 3600 }, { '2', "\nCET-1CEST,M3.5.0,M10.5.0/3\n", 7200 },
		      { '4', "\nIST-5:30\n", 19800 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf file = made_file(cases[i].version, 0, cases[i].footer);
		_cleanup_(arena_done) struct arena arena = { 0 };
		struct fault fault = FAULT_INIT;
		const struct os_tz *tz;
		int64_t until;

		CHECK_EQ(os_tz_parse("made", buf_bytes(&file), &arena, &tz, &fault), 0);
		CHECK_EQ(os_tz_offset(tz, 999, &until), 3600);
		CHECK_EQ(until, 1000);
		CHECK_EQ(os_tz_offset(tz, 1000, &until), 7200);
		CHECK_EQ(until, 2000);
		CHECK_EQ(os_tz_offset(tz, 1767225600 + 180 * 86400, NULL), cases[i].later);
	}
}

/* Cut anywhere, and with any byte changed: refused or harmless. */
static void damaged(struct check *check)
{
	_cleanup_(buf_done) struct buf file = made_file('2', 1, "\nCET-1CEST,M3.5.0,M10.5.0/3\n");
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct fault fault = FAULT_INIT;
	const struct os_tz *tz;

	CHECK(os_tz_parse("right/made", buf_bytes(&file), &arena, &tz, &fault) < 0); /* leap seconds */
	CHECK(strstr(fault.text, "leap seconds") != NULL);
	buf_done(&file);
	file = made_file('2', 0, "\nCET-1CEST,M3.5.0,M10.5.0/3\n");

	for (size_t n = 0; n < file.n; n++) {
		_cleanup_(freep) char *part = xmalloc(n + 1); /* of that size, so that ASan sees reading too far */

		memcpy(part, file.p, n);
		if (os_tz_parse("cut", (struct bytes){ part, n }, &arena, &tz, &fault) == 0)
			CHECK_FAIL("cut at %zu, and taken", n);
		CHECK_EQ(fault.kind, FAULT_DATA);
	}
	for (size_t i = 0; i < file.n; i++) {
		static const unsigned char values[] = { 0, 1, 3, 0x7f, 0x80, 0xff };

		for (size_t k = 0; k < sizeof(values); k++) {
			char was = file.p[i];

			file.p[i] = (char)values[k];
			if (os_tz_parse("changed", buf_bytes(&file), &arena, &tz, &fault) == 0) {
				for (int64_t at = 500; at < 4000000000; at = at * 3 / 2) {
					int32_t offset = os_tz_offset(tz, at, NULL);

					CHECK(offset >= -26 * 3600 && offset <= 26 * 3600);
				}
			}
			file.p[i] = was;
		}
		arena_reset(&arena);
	}
}

/* --- names ------------------------------------------------------------------------------------ */

static void names(struct check *check)
{
	static const char *const bad[] = {
		"../etc/passwd", "/etc/localtime", "Europe/../UTC", ".", "Europe//Berlin", "Europe/", "Europe/Berlin ",
		"Europe/Berl\xc3\xadn", "Europe\\Berlin", "tzdata.zi", "Nowhere/Atall", "Europe",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct fault fault = FAULT_INIT;
	const struct os_tz *tz;

	CHECK_EQ(os_tz_load("UTC", &arena, &tz, &fault), 0);
	CHECK_EQ(os_tz_offset(tz, 0, NULL), 0);
	if (!has_database())
		check_skip(check, "no tz database");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fault = FAULT_INIT;
		if (os_tz_load(bad[i], &arena, &tz, &fault) == 0)
			CHECK_FAIL("\"%s\" was taken", bad[i]);
		CHECK_EQ(fault.kind, FAULT_USAGE);
		CHECK(strstr(fault.text, "there is no time zone") != NULL);
	}
}

static int offset_of_own(void *arg)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct fault fault = FAULT_INIT;
	const struct os_tz *tz;

	if (os_tz_load("", &arena, &tz, &fault) < 0)
		return 99;
	return (int)(os_tz_offset(tz, 1767225600, NULL) / 3600);
}

static int missing_database(void *arg)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct fault fault = FAULT_INIT;
	const struct os_tz *tz;

	if (os_tz_load("UTC", &arena, &tz, &fault) < 0)
		return 1;
	if (os_tz_load("Europe/Berlin", &arena, &tz, &fault) == 0 || fault.kind != FAULT_USAGE)
		return 2;
	return strstr(fault.text, "install the package tzdata") && strstr(fault.text, "/nowhere") ? 0 : 3;
}

static void surroundings(struct check *check)
{
	CHECK_EQ(testing_fork(missing_database, NULL, "TZDIR", "/nowhere"), 0);
	CHECK_EQ(testing_fork(offset_of_own, NULL, "TZ", "UTC"), 0);
	CHECK_EQ(testing_fork(offset_of_own, NULL, "TZ", "<x>5"), 99);
	CHECK_EQ(testing_fork(offset_of_own, NULL, "TZ", "CET-1CEST,M3.5.0,M10.5.0/3"), 1);
	CHECK(testing_fork(offset_of_own, NULL, NULL, NULL) >= 0);
	if (!has_database())
		check_skip(check, "no tz database");
	CHECK_EQ(testing_fork(offset_of_own, NULL, "TZ", "Asia/Shanghai"), 8);
	CHECK_EQ(testing_fork(offset_of_own, NULL, "TZ", ":Asia/Shanghai"), 8);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "the database, against zoneinfo", database },
		{ "rules, against zoneinfo", by_rule },
		{ "what is no rule", no_rules },
		{ "versions of the file", versions },
		{ "damaged files", damaged },
		{ "names", names },
		{ "what is around", surroundings },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
