/* SPDX-License-Identifier: Apache-2.0 */
#include "base/glob.h"

#include "base/buf.h"
#include "lib/check.h"

struct pair {
	const char *pattern, *name;
};

static const struct pair matching[] = {
	{ "", "" }, { "INBOX", "INBOX" }, { "*", "" }, { "*", "Sent" }, { "**", "" },
	{ "**", "a/b/c" },
	{ "S*t", "Sent" }, { "S*t", "St" }, { "a/*", "a/b" }, { "*/b", "a/b" }, { "**/c", "a/b/c" },
	{ "a/**", "a/b/c" }, { "a/**", "a" }, { "a/***", "a" }, { "a/**/d", "a/b/c/d" },
	{ "**x**", "a/bxc/d" },
	{ "?", "x" }, { "?", "ä" }, { "??", "日本" }, { "?", "\xff" },
	{ "[abc]", "b" }, { "[a-c]x", "bx" }, { "[äö]", "ö" }, { "[а-я]*", "отправленные" },
	{ "[!a]", "b" }, { "[]]", "]" }, { "[!]]", "x" }, { "[a-]", "-" }, { "[-a]", "-" },
	{ "[*]", "*" },
	{ "[", "[" }, { "[abc", "[abc" }, { "a]", "a]" },
	{ "[Gmail]/*", "G/x" }, { "\\[Gmail]/*", "[Gmail]/All" },
	{ "\\*", "*" }, { "\\\\", "\\" }, { "a\\", "a\\" }, { "\\ä", "ä" }, { "a\\/**", "a" },
	{ "\\[", "[" },
	{ "a*/b*c", "ax/byc" }, { "**/a*b", "x/y/aqb" }, { "**a*b", "a/ab" },
	{ "*.*.*", "a.b.c.d" }, { "**/**", "a" },
};

static const struct pair differing[] = {
	{ "", "x" }, { "INBOX", "Inbox" }, { "Sent", "Sent/2020" }, { "Sent", "Sen" },
	{ "Sen", "Sent" },
	{ "*", "a/b" }, { "*", "/" }, { "a/*", "a" }, { "a/*", "a/b/c" }, { "*/b", "a/c/b" },
	{ "a/**", "ab" },
	{ "a/**", "A/b" }, { "a/**/d", "a/d" }, { "**/c", "c" }, { "?", "" }, { "?", "/" },
	{ "?", "ab" }, { "[abc]", "d" }, { "[abc]", "" }, { "[!a]", "a" }, { "[!a]", "/" },
	{ "[!a]", "" },
	{ "[.-0]", "/" }, { "[]]", "x" }, { "[äö]", "\xc3" }, { "\\*", "x" }, { "a\\*", "ab" },
	{ "[]", "x" },
	{ "a/x**", "a" }, { "**x", "a/b" }, { "*a/*b", "xa/ya/b" },
};

static void matches(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(matching); i++)
		if (!glob_match(bytes_of(matching[i].pattern), bytes_of(matching[i].name)))
			CHECK_FAIL("\"%s\" does not match \"%s\"", matching[i].pattern,
				   matching[i].name);
}

static void differs(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(differing); i++)
		if (glob_match(bytes_of(differing[i].pattern), bytes_of(differing[i].name)))
			CHECK_FAIL("\"%s\" matches \"%s\"", differing[i].pattern,
				   differing[i].name);
}

static void plain(struct check *check)
{
	CHECK(glob_is_plain(BYTES("Sent/2020")));
	CHECK(glob_is_plain(BYTES("a\\*b")));
	CHECK(glob_is_plain(BYTES("[abc")));
	CHECK(!glob_is_plain(BYTES("a*")));
	CHECK(!glob_is_plain(BYTES("a?")));
	CHECK(!glob_is_plain(BYTES("[a]")));
}

/* With a backtracking matcher this would outlive the universe. */
static void does_not_blow_up(struct check *check)
{
	_cleanup_(buf_done) struct buf pattern = BUF_NULL, name = BUF_NULL;

	for (int i = 0; i < 200; i++)
		buf_append_str(&pattern, i % 2 ? "a*" : "**a?**");
	buf_append_str(&pattern, "b");
	for (int i = 0; i < 2000; i++)
		buf_append_char(&name, 'a');
	CHECK(!glob_match(buf_bytes(&pattern), buf_bytes(&name)));
	buf_append_char(&name, 'b');
	CHECK(glob_match(buf_bytes(&pattern), buf_bytes(&name)));
	CHECK(!glob_match(BYTES("a*a*a*a*b"),
			  BYTES("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "matches", matches },
		{ "differs", differs },
		{ "plain", plain },
		{ "does-not-blow-up", does_not_blow_up },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
