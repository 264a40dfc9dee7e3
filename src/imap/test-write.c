/* SPDX-License-Identifier: Apache-2.0 */
/* Writing strings and sets, and which flags may be sent. */
#include "imap/write.h"

#include "base/xalloc.h"
#include "lib/check.h"

static void test_forms(struct check *check)
{
	static const struct {
		struct bytes in;
		enum imap_string_form plain, utf8;
	} forms[] = {
		{ BYTES(""), IMAP_STRING_QUOTED, IMAP_STRING_QUOTED },
		{ BYTES("a \"b\\"), IMAP_STRING_QUOTED, IMAP_STRING_QUOTED },
		{ BYTES("a\177\001"), IMAP_STRING_QUOTED, IMAP_STRING_QUOTED },
		{ BYTES("a\rb"), IMAP_STRING_LITERAL, IMAP_STRING_LITERAL },
		{ BYTES("\n"), IMAP_STRING_LITERAL, IMAP_STRING_LITERAL },
		{ BYTES("\303\274"), IMAP_STRING_LITERAL, IMAP_STRING_QUOTED },
		{ BYTES("\303\274\n"), IMAP_STRING_LITERAL, IMAP_STRING_LITERAL },
		{ BYTES("\303"), IMAP_STRING_LITERAL, IMAP_STRING_LITERAL },
		{ BYTES("\303\n\0"), IMAP_STRING_NONE, IMAP_STRING_NONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		CHECK_EQ(imap_string_form(forms[i].in, false), forms[i].plain);
		CHECK_EQ(imap_string_form(forms[i].in, true), forms[i].utf8);
	}
}

static void test_quoted(struct check *check)
{
	_cleanup_(buf_done) struct buf to = BUF_NULL;

	imap_write_quoted(&to, BYTES("a \"b\\c"));
	imap_write_quoted(&to, BYTES(""));
	CHECK_STR(buf_str(&to), "\"a \\\"b\\\\c\"\"\"");
}

static void test_set(struct check *check)
{
	static const struct imap_range ranges[] = {
		{ 1, 1 }, { 3, 7 }, { 9, UINT32_MAX }, { UINT32_MAX, UINT32_MAX },
	};
	_cleanup_(buf_done) struct buf to = BUF_NULL;

	imap_write_set(&to, ranges, ARRAY_SIZE(ranges));
	CHECK_STR(buf_str(&to), "1,3:7,9:*,*");
	buf_reset(&to);
	imap_write_set(&to, ranges, 0);
	CHECK_STR(buf_str(&to), "");
}

static void check_added(struct check *check, const uint32_t *numbers, const char *want)
{
	_cleanup_(freep) struct imap_range *ranges = NULL;
	_cleanup_(buf_done) struct buf to = BUF_NULL;
	size_t n = 0, capacity = 0;

	for (; *numbers; numbers++)
		imap_set_add(&ranges, &n, &capacity, *numbers);
	imap_write_set(&to, ranges, n);
	CHECK_STR(buf_str(&to), want);
}

static void test_set_add(struct check *check)
{
	check_added(check, (const uint32_t[]){ 1, 2, 3, 7, 9, 10, 0 }, "1:3,7,9:10");
	check_added(check, (const uint32_t[]){ 5, 5, 5, 0 }, "5");
	check_added(check, (const uint32_t[]){ 9, 1, 5, 7, 6, 8, 4, 2, 3, 0 }, "1:9");
	check_added(check, (const uint32_t[]){ 10, 20, 30, 15, 11, 19, 9, 31, 25, 0 },
		    "9:11,15,19:20,25,30:31");
	check_added(check, (const uint32_t[]){ UINT32_MAX, UINT32_MAX, UINT32_MAX - 1, 1, 0 },
		    "1,4294967294:*");
	check_added(check, (const uint32_t[]){ 1, UINT32_MAX - 1, UINT32_MAX, UINT32_MAX, 0 },
		    "1,4294967294:*");
}

/* Against a plain table of what is in it. */
static void test_set_add_any_order(struct check *check)
{
	enum { MOST = 400 };
	_cleanup_(freep) struct imap_range *ranges = NULL;
	size_t n = 0, capacity = 0;
	bool in[MOST + 2] = { false };
	uint32_t seed = 12345;

	for (int i = 0; i < 1500; i++) {
		uint32_t number;

		seed = seed * 1103515245 + 12345;
		number = (seed >> 16) % MOST + 1;
		in[number] = true;
		imap_set_add(&ranges, &n, &capacity, number);
	}

	for (size_t i = 0, at = 1; i <= n; i++) {
		size_t low = i < n ? ranges[i].low : MOST + 2, high = i < n ? ranges[i].high : at;

		for (; at < low && at <= MOST; at++)
			CHECK(!in[at]);
		for (; i < n && at <= high; at++)
			CHECK(in[at]);
		CHECK(i + 1 >= n || ranges[i].high + 1 < ranges[i + 1].low);
	}
}

/* As many as fit, one in any case; "*" is never written. */
static void test_set_part(struct check *check)
{
	static const struct imap_range ranges[] = { { 1, 1 }, { 3, 5 }, { 70, UINT32_MAX } };
	static const struct {
		size_t n, room, taken;
		const char *want;
	} cases[] = {
		{ 3, 100, 3, "x1,3:5,70:4294967295" }, { 3, 19, 3, "x1,3:5,70:4294967295" },
		{ 3, 18, 2, "x1,3:5" }, { 3, 5, 2, "x1,3:5" }, { 3, 4, 1, "x1" }, { 3, 0, 1, "x1" },
		{ 2, 100, 2, "x1,3:5" }, { 1, 0, 1, "x1" }, { 0, 100, 0, "x" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf to = BUF_NULL;

		buf_append_char(&to, 'x');
		CHECK_EQ(imap_write_set_part(&to, ranges, cases[i].n, cases[i].room), cases[i].taken);
		CHECK_STR(buf_str(&to), cases[i].want);
		CHECK_EQ(to.n, strlen(cases[i].want));
	}
}

static void test_set_has(struct check *check)
{
	static const struct imap_range ranges[] = { { 2, 2 }, { 4, 6 }, { 70, UINT32_MAX } };
	static const uint32_t in[] = { 2, 4, 5, 6, 70, 71, UINT32_MAX }, out[] = { 0, 1, 3, 7, 69 };

	for (size_t i = 0; i < ARRAY_SIZE(in); i++)
		CHECK(imap_set_has(ranges, 3, in[i]) && !imap_set_has(NULL, 0, in[i]));
	for (size_t i = 0; i < ARRAY_SIZE(out); i++)
		CHECK(!imap_set_has(ranges, 3, out[i]));
	CHECK_EQ(imap_set_count(ranges, 2), 4);
	CHECK_EQ(imap_set_count(ranges, 3), 4 + (int64_t)UINT32_MAX - 69);
	CHECK_EQ(imap_set_count((const struct imap_range[]){ { 0, UINT32_MAX } }, 1), (int64_t)UINT32_MAX + 1);
	CHECK_EQ(imap_set_count(NULL, 0), 0);
}

static void test_flags(struct check *check)
{
	static const char *const good[] = {
		"\\Seen", "\\answered", "\\DRAFT", "\\Flagged", "\\Deleted", "$MDNSent", "$NotJunk",
		"domain.com", "a[b",
	};
	static const char *const wrong[] = {
		"", "\\Recent", "\\X-Foo", "\\", "\\*", "$Not Junk", "[Gmail]", "a)", "a(", "a{",
		"a%", "a*", "a\"", "a\\b", "\303\274", "a\177", "a\r", "a\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!imap_flag_is_sendable(bytes_of(good[i])))
			CHECK_FAIL("%s is refused", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (imap_flag_is_sendable(bytes_of(wrong[i])))
			CHECK_FAIL("%s is taken", wrong[i]);
	CHECK(!imap_flag_is_sendable(BYTES("a\0b")));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "forms", test_forms },
		{ "quoted", test_quoted },
		{ "set", test_set },
		{ "set_add", test_set_add },
		{ "set_add in any order", test_set_add_any_order },
		{ "as much of a set as fits", test_set_part },
		{ "what is in a set", test_set_has },
		{ "flags", test_flags },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
