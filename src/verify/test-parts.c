/* SPDX-License-Identifier: Apache-2.0 */
/* The parts that decide without asking anybody: samples, flags, bytes, Message-IDs. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "lib/check.h"
#include "verify/fact.h"
#include "verify/flags.h"
#include "verify/message-id.h"
#include "verify/sample.h"
#include "verify/walk.h"

/* --- samples --------------------------------------------------------------------------------- */

static void shares(struct check *check)
{
	static const struct {
		const char *text;
		uint32_t ppm;
	} good[] = { { "5%", 50000 }, { "100%", 1000000 }, { "0.25%", 2500 }, { "0.0001%", 1 },
		     { "99.9999%", 999999 }, { "1.5%", 15000 }, { "100.0%", 1000000 } };
	static const char *const bad[] = { "", "5", "%", "0%", "0.0%", "101%", "100.1%", "-5%", "5 %", "0.00001%",
					   "5.x%", "1e2%", ".5%", "99999999999999999999%" };
	struct fault fault;
	uint32_t ppm;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CHECK_EQ(verify_sample_parse(good[i].text, &ppm, &fault), 0);
		CHECK_EQ(ppm, good[i].ppm);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (verify_sample_parse(bad[i], &ppm, &fault) == 0)
			CHECK_FAIL("\"%s\" was taken for a share", bad[i]);
}

static unsigned count(const struct verify_sample *s, uint32_t n)
{
	unsigned found = 0;

	for (uint32_t uid = 1; uid <= n; uid++)
		found += verify_sample_has(s, uid);
	return found;
}

static void sampling(struct check *check)
{
	struct verify_sample a = verify_sample_of(42, 50000, BYTES("INBOX"), 7);
	struct verify_sample b = verify_sample_of(43, 50000, BYTES("INBOX"), 7);
	struct verify_sample c = verify_sample_of(42, 50000, BYTES("Sent"), 7);
	struct verify_sample all = verify_sample_of(42, VERIFY_ALL_PPM, BYTES("INBOX"), 7);
	unsigned same_b = 0, same_c = 0, n = count(&a, 100000);

	CHECK(n > 4700 && n < 5300);
	CHECK_EQ(count(&all, 1000), 1000);
	for (uint32_t uid = 1; uid <= 100000; uid++) {
		same_b += verify_sample_has(&a, uid) && verify_sample_has(&b, uid);
		same_c += verify_sample_has(&a, uid) && verify_sample_has(&c, uid);
	}
	CHECK(same_b < 400 && same_c < 400); /* 250 expected */
	CHECK(verify_sample_bound(0) == 1.0);
	CHECK(verify_sample_bound(3000) == 0.001);
}

/* Somebody who draws the sample again with a later version must get the same messages. */
static void drawn_again(struct check *check)
{
	struct verify_sample s = verify_sample_of(42, 50000, BYTES("INBOX"), 1700000000);
	static const uint32_t first[] = { 24, 33, 61, 109, 148 };
	size_t at = 0;

	for (uint32_t uid = 1; at < ARRAY_SIZE(first); uid++)
		if (verify_sample_has(&s, uid))
			CHECK_EQ(uid, first[at++]);
}

/* --- flags ----------------------------------------------------------------------------------- */

static void canonical(struct check *check)
{
	static const char *const same[][2] = {
		{ "\\Seen Work", "work \\SEEN" }, { "", "\\Recent" }, { "a b b", "B a" }, { " a  ", "a" },
		{ "%\\Seen a %b", "a" },
	};
	_cleanup_(freep) char *none = verify_flags_canonical("");

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		char *a = verify_flags_canonical(same[i][0]), *b = verify_flags_canonical(same[i][1]);
		bool equal = strcmp(a, b) == 0;

		free(a);
		free(b);
		CHECK(equal);
	}
	CHECK_STR(none, "");
}

static void who_changed(struct check *check)
{
	const char *x = "\\seen ", *y = "", *z = "\\flagged ";

	CHECK_EQ(verify_flags_judge(x, x, y, y, false), VERIFY_FLAGS_SAME);
	CHECK_EQ(verify_flags_judge(x, y, x, x, false), VERIFY_FLAGS_DIFFER); /* removed there */
	CHECK_EQ(verify_flags_judge(x, z, x, x, true), VERIFY_FLAGS_DIFFER);
	CHECK_EQ(verify_flags_judge(z, y, x, x, false), VERIFY_FLAGS_DIFFER); /* changed at both */
	CHECK_EQ(verify_flags_judge(x, y, y, y, false), VERIFY_FLAGS_SOURCE_NEW);
	CHECK_EQ(verify_flags_judge(x, y, x, y, false), VERIFY_FLAGS_USER);
	CHECK_EQ(verify_flags_judge(x, y, x, y, true), VERIFY_FLAGS_RECORDED);
	CHECK_EQ(verify_flags_judge(NULL, y, x, y, false), VERIFY_FLAGS_SAME);
	CHECK_EQ(verify_flags_judge(NULL, x, x, y, false), VERIFY_FLAGS_USER);
}

static void counting(struct check *check)
{
	struct verify_count c = { .messages = 0 };

	verify_flags_count(&c, "\\answered \\seen work zeit ");
	verify_flags_count(&c, "\\deleted \\draft \\flagged ");
	verify_flags_count(&c, "");
	CHECK_EQ(c.seen, 1);
	CHECK_EQ(c.answered, 1);
	CHECK_EQ(c.flagged, 1);
	CHECK_EQ(c.deleted, 1);
	CHECK_EQ(c.draft, 1);
	CHECK_EQ(c.keywords, 1);
}

/* --- bytes ----------------------------------------------------------------------------------- */

/* Digests are named by letters; ' ' is one that is not known. */
static enum verify_match match(char row, char copy, char source, char destination)
{
	unsigned char s[32], d[32];
	struct ledger_message m = { .uid = 1 };
	struct verify_bytes here = { source != ' ', 5, s }, there = { destination != ' ', 5, d };

	memset(s, source, sizeof(s));
	memset(d, destination, sizeof(d));
	memset(m.digest, row, sizeof(m.digest));
	memset(m.copy_digest, copy, sizeof(m.copy_digest));
	m.has = (uint16_t)((row != ' ' ? LEDGER_HAS_DIGEST : 0) | (copy != ' ' ? LEDGER_HAS_COPY_DIGEST : 0));
	return verify_match(&m, &here, &there);
}

static void bytes_decide(struct check *check)
{
	CHECK_EQ(match('a', ' ', 'a', 'a'), VERIFY_MATCH_SAME);
	CHECK_EQ(match('a', ' ', ' ', 'a'), VERIFY_MATCH_SAME);
	CHECK_EQ(match(' ', ' ', 'a', 'a'), VERIFY_MATCH_SAME);   /* adopted */
	CHECK_EQ(match('a', ' ', 'a', 'b'), VERIFY_MATCH_ALTERED);
	CHECK_EQ(match('a', ' ', ' ', 'b'), VERIFY_MATCH_ALTERED);
	CHECK_EQ(match(' ', ' ', 'a', 'b'), VERIFY_MATCH_ALTERED);
	CHECK_EQ(match('a', 'c', 'a', 'c'), VERIFY_MATCH_RECORDED);
	CHECK_EQ(match('a', 'c', ' ', 'c'), VERIFY_MATCH_RECORDED);
	CHECK_EQ(match('a', 'c', 'a', 'a'), VERIFY_MATCH_SAME);
	CHECK_EQ(match('a', 'c', 'a', 'd'), VERIFY_MATCH_ALTERED); /* altered once more */
	CHECK_EQ(match('a', ' ', 'b', 'a'), VERIFY_MATCH_SOURCE);
	CHECK_EQ(match('a', 'c', 'b', 'c'), VERIFY_MATCH_SOURCE);
	CHECK_EQ(match('a', ' ', 'b', 'b'), VERIFY_MATCH_LEDGER);
	CHECK_EQ(match('a', ' ', 'b', 'c'), VERIFY_MATCH_ALTERED);
	CHECK_EQ(match('a', ' ', 'a', ' '), VERIFY_MATCH_UNKNOWN);
	CHECK_EQ(match(' ', ' ', ' ', 'a'), VERIFY_MATCH_UNKNOWN);
}

/* --- the rest -------------------------------------------------------------------------------- */

static void ids(struct check *check)
{
	CHECK(verify_id_same("<A@b>", "a@B"));
	CHECK(verify_id_same(" <a@b> ", "<a@b>"));
	CHECK(!verify_id_same("", ""));
	CHECK(!verify_id_same(NULL, "a"));
	CHECK(!verify_id_same("<a@b>", "<a@c>"));
	CHECK_EQ(verify_id_hash("<A@b>"), verify_id_hash("a@B"));
	CHECK_EQ(verify_id_hash(NULL), 0);
	CHECK_EQ(verify_id_hash("<>"), 0);
	CHECK(verify_id_hash("a") != verify_id_hash("b"));
}

static void times(struct check *check)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00Z" }, { -1, "1969-12-31T23:59:59Z" },
		{ 951782400, "2000-02-29T00:00:00Z" }, { 1764037124, "2025-11-25T02:18:44Z" },
		{ 4107542400, "2100-03-01T00:00:00Z" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf text = BUF_NULL;

		verify_time(&text, cases[i].seconds);
		CHECK_STR(buf_str(&text), cases[i].text);
	}
}

static void levels(struct check *check)
{
	CHECK_EQ(verify_level_of("counts"), VERIFY_COUNTS);
	CHECK_EQ(verify_level_of("identity"), VERIFY_IDENTITY);
	CHECK_EQ(verify_level_of("content"), VERIFY_CONTENT);
	CHECK_EQ(verify_level_of("all"), -1);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "shares", shares },
		{ "samples have their size and do not resemble", sampling },
		{ "a sample can be drawn again", drawn_again },
		{ "canonical flags", canonical },
		{ "whose flags changed", who_changed },
		{ "flags are counted", counting },
		{ "bytes decide", bytes_decide },
		{ "Message-IDs", ids },
		{ "times", times },
		{ "levels", levels },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
