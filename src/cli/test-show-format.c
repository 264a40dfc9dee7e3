/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people read them, at the edges where the form changes. */
#include <stdio.h>

#include "cli/show.h"
#include "lib/check.h"

static void counts(struct check *check)
{
	static const struct {
		uint64_t n;
		const char *text;
	} cases[] = { { 0, "0" }, { 999, "999" }, { 1000, "1,000" }, { 999999, "999,999" }, { 1234567, "1,234,567" },
		      { UINT64_MAX, "18,446,744,073,709,551,615" } };
	char to[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_STR(show_count(to, cases[i].n), cases[i].text);
}

static void sizes(struct check *check)
{
	static const struct {
		uint64_t n;
		const char *text;
	} cases[] = {
		{ 0, "0 B" }, { 1, "1 B" }, { 1023, "1023 B" }, { 1024, "1.0 KiB" }, { 1536, "1.5 KiB" },
		{ 9 << 10, "9.0 KiB" }, { 10 << 10, "10 KiB" }, { (1 << 20) - (1 << 10), "1023 KiB" },
		{ 1 << 20, "1.0 MiB" }, { UINT64_C(5) << 30, "5.0 GiB" }, { UINT64_C(3) << 40, "3.0 TiB" },
		{ UINT64_C(7) << 50, "7.0 PiB" }, { UINT64_MAX, "16384 PiB" },
		{ 10239, "10 KiB" },           /* never "10.0": one digit behind the point below ten only */
		{ (1 << 20) - 1, "1.0 MiB" },  /* never "1024 KiB" */
		{ (1 << 30) - 1, "1.0 GiB" },
	};
	char to[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_STR(show_bytes(to, cases[i].n), cases[i].text);
}

static void durations(struct check *check)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
		{ 0, "0.0 s" }, { -1, "0.0 s" }, { INT64_MIN, "0.0 s" }, { 49999, "0.0 s" }, { 850000, "0.8 s" },
		{ 1500 * MSEC, "1.5 s" }, { 59900 * MSEC, "59.9 s" }, { 60 * SECOND, "1:00" }, { 83 * SECOND, "1:23" },
		{ 3599 * SECOND, "59:59" }, { 3600 * SECOND, "1:00:00" }, { 7384 * SECOND, "2:03:04" },
		{ 400000 * SECOND, "111:06:40" },
		{ 59990 * MSEC, "59.9 s" }, /* never "60.0 s" */
	};
	char to[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_STR(show_duration(to, cases[i].us), cases[i].text);
	CHECK(strlen(show_duration(to, INT64_MAX)) < 32);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "counts", counts }, { "sizes", sizes }, { "durations", durations }, { 0 },
	};

	return check_main(argc, argv, cases);
}
