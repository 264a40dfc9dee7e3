/* SPDX-License-Identifier: Apache-2.0 */
/* Modified UTF-7 both ways. */
#include "mail/mutf7.h"

#include "lib/check.h"
#include "mail/utf8.h"

/* Canonical pairs: both ways, exactly. */
static void canonical(struct check *check)
{
	static const struct { const char *mutf7, *utf8; } pairs[] = {
		{ "", "" },
		{ "INBOX", "INBOX" },
		{ "A&-B", "A&B" },
		{ "&-", "&" },
		{ "&-&-", "&&" },
		{ "&-AMA-", "&AMA-" },
		{ "&AMA-&-", "À&" },
		{ "~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語" }, /* RFC 3501 */
		{ "Entw&APw-rfe", "Entwürfe" },
		{ "Envoy&AOk-s", "Envoyés" },
		{ "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-", "Отправленные" },
		{ "&2D3eAA-", "😀" },
		{ "x&2D3eANg93gE-y", "x😀😁y" },
		{ "&AAkAfw-", "\t\x7f" },
		{ "&,,8-", "\xef\xbf\xbf" },
		{ "a-b &- c", "a-b & c" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		_cleanup_(buf_done) struct buf utf8 = BUF_NULL, mutf7 = BUF_NULL;

		CHECK_EQ(mutf7_decode(bytes_of(pairs[i].mutf7), &utf8), 0);
		CHECK_STR(buf_str(&utf8), pairs[i].utf8);
		CHECK_EQ(mutf7_encode(bytes_of(pairs[i].utf8), &mutf7), 0);
		CHECK_STR(buf_str(&mutf7), pairs[i].mutf7);
	}
}

static void tolerated(struct check *check)
{
	static const struct { const char *mutf7, *utf8; } pairs[] = {
		{ "Entwürfe", "Entwürfe" },           /* raw 8-bit */
		{ "Entwürfe &- more", "Entwürfe & more" },
		{ "&AMA-&AMA-", "ÀÀ" },               /* two shifts */
		{ "&AGE-", "a" },                     /* printable ASCII in base64 */
		{ "&ACY-", "&" },
		{ "x&AMA", "xÀ" },                    /* no "-" at the end */
		{ "tab\there", "tab\there" },         /* a raw control */
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		_cleanup_(buf_done) struct buf utf8 = BUF_NULL;

		CHECK_EQ(mutf7_decode(bytes_of(pairs[i].mutf7), &utf8), 1);
		CHECK_STR(buf_str(&utf8), pairs[i].utf8);
	}
}

static void refused(struct check *check)
{
	static const struct bytes names[] = {
		BYTES("&"), BYTES("R&"), BYTES("R&D"), BYTES("R&D stuff"), BYTES("Q & A"),
		BYTES("&AMA b-"),      /* ends in the middle of base64 */
		BYTES("&A-"), BYTES("&AM-"),
		BYTES("&AMB-"),        /* stray bits */
		BYTES("&AMAA-"),       /* a digit too many */
		BYTES("&AMA=-"), BYTES("&U/BT-"),
		BYTES("&2D0-"),        /* high surrogate alone */
		BYTES("&3gA-"),        /* low surrogate alone */
		BYTES("&2D0AYQ-"),     /* high, then a letter */
		BYTES("&2D3YPQ-"),     /* two high */
		BYTES("&2D0-&3gA-"),   /* a pair torn over two shifts */
		BYTES("&AAA-"), BYTES("a\0b"),
		BYTES("Entw\xfcrfe"), BYTES("\xc3"), BYTES("\xed\xa0\x80"), BYTES("\xc0\xaf"),
		BYTES("\xf4\x90\x80\x80"), BYTES("\xe0\x80\xaf"), BYTES("\x80"),
		BYTES("&\xc3\xa4-"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(buf_done) struct buf to = BUF_NULL;

		buf_append_str(&to, "kept");
		if (mutf7_decode(names[i], &to) != -1)
			CHECK_FAIL("name %zu was decoded", i);
		CHECK_STR(buf_str(&to), "kept");
	}
}

static void encode_refuses(struct check *check)
{
	_cleanup_(buf_done) struct buf to = BUF_NULL;

	CHECK_EQ(mutf7_encode(BYTES("ab\xff"), &to), -1);
	CHECK_EQ(mutf7_encode(BYTES("ab\0"), &to), -1);
	CHECK_EQ(mutf7_encode(BYTES("\xed\xa0\x80"), &to), -1);
	CHECK_EQ(to.n, 0);
}

static void round_trip(struct check *check, uint32_t c, size_t times, const char *after)
{
	_cleanup_(buf_done) struct buf utf8 = BUF_NULL, mutf7 = BUF_NULL, back = BUF_NULL;

	for (size_t i = 0; i < times; i++)
		utf8_append(&utf8, c);
	buf_append_str(&utf8, after);

	CHECK_EQ(mutf7_encode(buf_bytes(&utf8), &mutf7), 0);
	CHECK_EQ(mutf7_decode(buf_bytes(&mutf7), &back), 0);
	CHECK_BYTES(buf_bytes(&back), buf_bytes(&utf8));
	for (size_t i = 0; i < mutf7.n; i++)
		CHECK(mutf7.p[i] >= 0x20 && mutf7.p[i] <= 0x7e);
}

/* One, two and three units leave each possible number of bits over. */
static void every_character(struct check *check)
{
	for (uint32_t c = 1; c <= 0x10ffff; c += c < 0x10000 ? 1 : 997) {
		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		for (size_t times = 1; times <= 3; times++)
			round_trip(check, c, times, times == 2 ? "-A" : "");
	}
	round_trip(check, 0x10000, 2, "&");
	round_trip(check, 0x10ffff, 2, "");
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "canonical", canonical },
		{ "tolerated", tolerated },
		{ "refused", refused },
		{ "encode-refuses", encode_refuses },
		{ "every-character", every_character },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
