/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/utf8.h"

#include "lib/check.h"

static void validity(struct check *check)
{
	static const struct bytes good[] = {
		BYTES(""), BYTES("abc"), BYTES("ä€😀"), BYTES("\0"), BYTES("\x7f\xc2\x80\xdf\xbf"),
		BYTES("\xe0\xa0\x80\xef\xbf\xbf"), BYTES("\xed\x9f\xbf\xee\x80\x80"),
		BYTES("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
	};
	static const struct bytes bad[] = {
		BYTES("\x80"), BYTES("\xc3"), BYTES("\xc0\x80"), BYTES("\xc1\xbf"),
		BYTES("\xe0\x9f\xbf"),
		BYTES("\xed\xa0\x80"), BYTES("\xf0\x8f\xbf\xbf"), BYTES("\xf4\x90\x80\x80"),
		BYTES("\xf5\x80\x80\x80"), BYTES("\xff"), BYTES("\xe2\x82"), BYTES("\xc3" "a"),
		BYTES("ok\xc3\xa4\xfc"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		CHECK(utf8_is_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(!utf8_is_valid(bad[i]));
	CHECK(utf8_is_ascii(BYTES("a\x7f")));
	CHECK(!utf8_is_ascii(BYTES("ä")));
}

static void walks_and_appends(struct check *check)
{
	for (uint32_t c = 0; c <= 0x10ffff; c += c < 0x900 ? 1 : 61) {
		_cleanup_(buf_done) struct buf b = BUF_NULL;
		struct bytes rest;
		uint32_t got;

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		utf8_append(&b, c);
		rest = buf_bytes(&b);
		CHECK_EQ(utf8_next(&rest, &got), 0);
		CHECK_EQ(got, c);
		CHECK_EQ(rest.n, 0);
	}
}

static void bad_bytes_go_one_by_one(struct check *check)
{
	struct bytes rest = BYTES("\xe2\x82" "a");
	uint32_t c;

	CHECK_EQ(utf8_next(&rest, &c), -1);
	CHECK_EQ(c, 0xfffd);
	CHECK_EQ(utf8_next(&rest, &c), -1);
	CHECK_EQ(utf8_next(&rest, &c), 0);
	CHECK_EQ(c, 'a');
	CHECK_EQ(rest.n, 0);
}

static void check_printable(struct check *check, struct bytes in, const char *want)
{
	_cleanup_(buf_done) struct buf b = BUF_NULL;

	utf8_printable(&b, in);
	CHECK_STR(buf_str(&b), want);
}

static void terminals_are_safe(struct check *check)
{
	check_printable(check, BYTES("Entwürfe 日本 😀"), "Entwürfe 日本 😀");
	check_printable(check, BYTES("a\x1b[31mb\r\n\t\x7f"), "a�[31mb����");
	check_printable(check, BYTES("\xc2\x9b" "31m"), "�31m");   /* C1 CSI in UTF-8 */
	check_printable(check, BYTES("\x9b" "31m"), "�31m");       /* and raw */
	check_printable(check, BYTES("a\0b"), "a�b");
	check_printable(check, BYTES("\xe2\x80\xae" "fdp.exe"), "�fdp.exe"); /* U+202E */
	check_printable(check, BYTES("\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\xa8"), "���");
	check_printable(check, BYTES("x\xe2\x80\x8dy"), "x\xe2\x80\x8dy"); /* a joiner is needed */
}

static void widths(struct check *check)
{
	CHECK_EQ(utf8_width(BYTES("")), 0);
	CHECK_EQ(utf8_width(BYTES("INBOX")), 5);
	CHECK_EQ(utf8_width(BYTES("Entwürfe")), 8);
	CHECK_EQ(utf8_width(BYTES("Entwu\xcc\x88rfe")), 8); /* combining */
	CHECK_EQ(utf8_width(BYTES("日本語")), 6);
	CHECK_EQ(utf8_width(BYTES("\x1b\xff")), 2);
}

static void check_truncate(struct check *check, const char *in, size_t columns, const char *want)
{
	_cleanup_(buf_done) struct buf b = BUF_NULL;

	utf8_truncate(&b, bytes_of(in), columns);
	CHECK_STR(buf_str(&b), want);
	CHECK(utf8_width(buf_bytes(&b)) <= columns);
}

static void truncates(struct check *check)
{
	check_truncate(check, "INBOX", 5, "INBOX");
	check_truncate(check, "INBOX", 4, "INB…");
	check_truncate(check, "INBOX", 1, "…");
	check_truncate(check, "INBOX", 0, "");
	check_truncate(check, "", 0, "");
	check_truncate(check, "日本語", 6, "日本語");
	check_truncate(check, "日本語", 5, "日本…");
	check_truncate(check, "日本語", 4, "日…");
	check_truncate(check, "日本語", 2, "…");
	check_truncate(check, "ab\x1b" "cd", 4, "ab�…");
}

static void cells(struct check *check)
{
	_cleanup_(buf_done) struct buf b = BUF_NULL;

	buf_append_str(&b, "|");
	utf8_cell(&b, BYTES("日本語"), 4);
	buf_append_str(&b, "|");
	utf8_cell(&b, BYTES("ü"), 3);
	buf_append_str(&b, "|");
	CHECK_STR(buf_str(&b), "|日… |ü  |");
}

static void composes(struct check *check)
{
	_cleanup_(buf_done) struct buf b = BUF_NULL;

	CHECK_EQ(utf8_nfc(BYTES("Entwu\xcc\x88rfe"), &b), 0);
	CHECK_STR(buf_str(&b), "Entwürfe");
	buf_reset(&b);
	CHECK_EQ(utf8_nfc(BYTES("\xe2\x84\xab"), &b), 0); /* ANGSTROM SIGN */
	CHECK_STR(buf_str(&b), "Å");
	buf_reset(&b);
	CHECK_EQ(utf8_nfc(BYTES(""), &b), 0);
	CHECK_EQ(utf8_nfc(BYTES("a\xff"), &b), -1);
	CHECK_EQ(b.n, 0);
}

static bool same_key(struct check *check, const char *a, const char *b)
{
	_cleanup_(buf_done) struct buf ka = BUF_NULL, kb = BUF_NULL;

	CHECK_EQ(utf8_key(bytes_of(a), &ka), 0);
	CHECK_EQ(utf8_key(bytes_of(b), &kb), 0);
	return bytes_equal(buf_bytes(&ka), buf_bytes(&kb));
}

static void keys(struct check *check)
{
	CHECK(same_key(check, "INBOX", "Inbox"));
	CHECK(same_key(check, "ENTWÜRFE", "entwu\xcc\x88rfe"));
	CHECK(same_key(check, "Straße", "STRASSE"));
	CHECK(same_key(check, "ОТПРАВЛЕННЫЕ", "отправленные"));
	CHECK(same_key(check, "Σίσυφος", "ΣΊΣΥΦΟΣ"));
	CHECK(same_key(check, "A\xcc\x8a", "\xe2\x84\xab"));
	CHECK(same_key(check, "ﬀ", "FF"));
	CHECK(!same_key(check, "Entwürfe", "Entwurfe"));
	CHECK(!same_key(check, "a", "b"));
	CHECK(!same_key(check, "x²", "x2")); /* canonical, not compatible */

	_cleanup_(buf_done) struct buf b = BUF_NULL;

	CHECK_EQ(utf8_key(BYTES("\xff"), &b), -1);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "validity", validity },
		{ "walks-and-appends", walks_and_appends },
		{ "bad-bytes-go-one-by-one", bad_bytes_go_one_by_one },
		{ "terminals-are-safe", terminals_are_safe },
		{ "widths", widths },
		{ "truncates", truncates },
		{ "cells", cells },
		{ "composes", composes },
		{ "keys", keys },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
