/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include "base/xalloc.h"
#include "lib/check.h"

static void cuts_off(struct check *check)
{
	struct bytes b = BYTES("abcdef");

	CHECK_BYTES(bytes_skip(b, 2), BYTES("cdef"));
	CHECK_EQ(bytes_skip(b, 99).n, 0);
	CHECK_BYTES(bytes_head(b, 2), BYTES("ab"));
	CHECK_BYTES(bytes_head(b, 99), b);
	CHECK_EQ(bytes_skip(BYTES_NULL, 1).n, 0);
	CHECK_EQ(bytes_of(NULL).n, 0);
	CHECK_EQ(bytes_of("ab").n, 2);
}

static void trims(struct check *check)
{
	CHECK_BYTES(bytes_trim(BYTES(" \t\r\n a b\r\n ")), BYTES("a b"));
	CHECK_EQ(bytes_trim(BYTES(" \t ")).n, 0);
	CHECK_EQ(bytes_trim(BYTES_NULL).n, 0);
	CHECK_BYTES(bytes_trim(BYTES("\0 ")), BYTES("\0"));
}

static void compares(struct check *check)
{
	CHECK(bytes_equal(BYTES("a\0b"), BYTES("a\0b")));
	CHECK(!bytes_equal(BYTES("a\0b"), BYTES("a\0c")));
	CHECK(bytes_equal(BYTES(""), BYTES_NULL));
	CHECK(bytes_equal_nocase(BYTES("InBoX"), BYTES("INBOX")));
	CHECK(!bytes_equal_nocase(BYTES("\xc3\xa4"), BYTES("\xc3\x84"))); /* ASCII only */
	CHECK(!bytes_equal_nocase(BYTES("[{"), BYTES("{[")));
	CHECK(bytes_starts(BYTES("abc"), BYTES("ab")));
	CHECK(bytes_starts(BYTES("abc"), BYTES_NULL));
	CHECK(!bytes_starts(BYTES("a"), BYTES("ab")));
	CHECK(bytes_starts_nocase(BYTES("AUTH=PLAIN"), BYTES("auth=")));
	CHECK(bytes_compare(BYTES("a"), BYTES("b")) < 0);
	CHECK(bytes_compare(BYTES("a"), BYTES("aa")) < 0);
	CHECK(bytes_compare(BYTES("\xff"), BYTES("a")) > 0); /* unsigned */
	CHECK_EQ(bytes_compare(BYTES("ab"), BYTES("ab")), 0);
	CHECK_EQ(bytes_compare(BYTES_NULL, BYTES("")), 0);
}

static void finds(struct check *check)
{
	CHECK_EQ(bytes_find_char(BYTES("abcb"), 'b'), 1);
	CHECK_EQ(bytes_find_char(BYTES("abc"), 'x'), -1);
	CHECK_EQ(bytes_find_char(BYTES("ab\0"), '\0'), 2);
	CHECK_EQ(bytes_find_char(BYTES_NULL, 'x'), -1);
	CHECK_EQ(bytes_find(BYTES("a\r\n\r\nb"), BYTES("\r\n\r\n")), 1);
	CHECK_EQ(bytes_find(BYTES("abc"), BYTES("cd")), -1);
	CHECK_EQ(bytes_find(BYTES("abc"), BYTES_NULL), -1);
}

static void cuts_at(struct check *check)
{
	struct bytes rest = BYTES("a,,b");

	CHECK_BYTES(bytes_cut(&rest, ','), BYTES("a"));
	CHECK_BYTES(bytes_cut(&rest, ','), BYTES(""));
	CHECK_BYTES(bytes_cut(&rest, ','), BYTES("b"));
	CHECK_EQ(rest.n, 0);
	CHECK_EQ(bytes_cut(&rest, ',').n, 0);
}

static void makes_strings(struct check *check)
{
	_cleanup_(freep) char *s = bytes_to_str(BYTES("ab"));
	_cleanup_(freep) char *empty = bytes_to_str(BYTES_NULL);

	CHECK_STR(s, "ab");
	CHECK_STR(empty, "");
	CHECK(bytes_to_str(BYTES("a\0b")) == NULL);
}

static void reads_numbers(struct check *check)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x1", "1a",
					   "18446744073709551616",
					   "99999999999999999999999" };
	uint64_t n = 7;

	CHECK_EQ(bytes_to_u64(BYTES("0"), 10, &n), 0);
	CHECK_EQ(n, 0);
	CHECK_EQ(bytes_to_u64(BYTES("0010"), 10, &n), 0);
	CHECK_EQ(n, 10);
	CHECK_EQ(bytes_to_u64(BYTES("11"), 10, &n), -1);
	CHECK_EQ(n, 10); /* written on success only */
	CHECK_EQ(bytes_to_u64(BYTES("18446744073709551615"), UINT64_MAX, &n), 0);
	CHECK(n == UINT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(bytes_to_u64(bytes_of(bad[i]), UINT64_MAX, &n), -1);
}

static void knows_ascii(struct check *check)
{
	for (int c = 0; c < 256; c++) {
		bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';

		CHECK_EQ(ascii_is_alpha((char)c), lower || upper);
		CHECK_EQ(ascii_is_digit((char)c), c >= '0' && c <= '9');
		CHECK_EQ(ascii_is_blank((char)c), c == ' ' || c == '\t');
		CHECK_EQ((unsigned char)ascii_lower((char)c), upper ? c + 32 : c);
		CHECK_EQ((unsigned char)ascii_upper((char)c), lower ? c - 32 : c);
	}
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "cuts-off", cuts_off },
		{ "trims", trims },
		{ "compares", compares },
		{ "finds", finds },
		{ "cuts-at", cuts_at },
		{ "makes-strings", makes_strings },
		{ "reads-numbers", reads_numbers },
		{ "knows-ascii", knows_ascii },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
