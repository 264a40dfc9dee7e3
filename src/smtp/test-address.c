/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: what is one, what is none and what is said then; spellings of the same mailbox; limits (V4). */
#include "smtp/address.h"

#include "base/xalloc.h"
#include "lib/check.h"

struct spelling {
	const char *in, *out, *key; /* out NULL: refused, key is the reply's code and enhanced code */
};

static void check_path(struct check *check, enum smtp_path_role role, const struct spelling *s)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct bytes rest = bytes_of(s->in);
	struct smtp_address a;
	const struct smtp_answer *wrong = smtp_path_take(&rest, role, &arena, &a);

	if (wrong)
		buf_appendf(&text, "%u %s", wrong->code, wrong->enhanced);
	else
		smtp_address_append(&text, &a);
	CHECK_STR(buf_str(&text), s->out ? s->out : s->key);
	if (wrong)
		CHECK_BYTES(rest, bytes_of(s->in));
	else
		CHECK_BYTES(smtp_address_key(&a, &arena), bytes_of(s->key));
}

static const struct spelling good[] = {
	{ "<a@b.example>", "a@b.example", "a@b.example" },
	{ "<A.B@B.Example>", "A.B@B.Example", "a.b@b.example" },
	{ "<\"a.b\"@b.example>", "a.b@b.example", "a.b@b.example" },
	{ "<\"a\\.\\b\"@b.example>", "a.b@b.example", "a.b@b.example" },
	{ "<\"a b\"@b.example>", "\"a b\"@b.example", "a b@b.example" },
	{ "<\"a\\\"\\\\b\"@b.example>", "\"a\\\"\\\\b\"@b.example", "a\"\\b@b.example" },
	{ "<\"a@c\"@b.example>", "\"a@c\"@b.example", "a@c@b.example" },
	{ "<\"a>c\"@b.example>", "\"a>c\"@b.example", "a>c@b.example" },
	{ "<a+x@b.example>", "a+x@b.example", "a+x@b.example" },
	{ "<a..b@b.example>", "\"a..b\"@b.example", "a..b@b.example" },
	{ "<.a.@b.example>", "\".a.\"@b.example", ".a.@b.example" },
	{ "<@r.example,@s.example:a@b.example>", "a@b.example", "a@b.example" },
	{ "<a@[192.0.2.1]>", "a@[192.0.2.1]", "a@[192.0.2.1]" },
	{ "<a@[IPv6:2001:DB8::1]>", "a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]" },
	{ "<a@under_score.example>", "a@under_score.example", "a@under_score.example" },
	{ "<a@localhost>", "a@localhost", "a@localhost" },
	{ "<j\xc3\xb6rg@b\xc3\xbc.example>", "j\xc3\xb6rg@b\xc3\xbc.example", "j\xc3\xb6rg@b\xc3\xbc.example" },
	{ "<!#$%&'*+-/=?^_`{|}~@b.example>", "!#$%&'*+-/=?^_`{|}~@b.example", "!#$%&'*+-/=?^_`{|}~@b.example" },
};

static const struct spelling bad[] = {
	{ "", NULL, "501 5.1.3" },
	{ "a@b.example", NULL, "501 5.1.3" },
	{ "<a@b.example", NULL, "501 5.1.3" },
	{ "<a@b.example x>", NULL, "501 5.1.3" },
	{ "<>", NULL, "553 5.1.3" },
	{ "<@b.example>", NULL, "553 5.1.3" },
	{ "<\"\"@b.example>", NULL, "553 5.1.3" },
	{ "<a>", NULL, "553 5.1.3" },
	{ "<a@>", NULL, "553 5.1.3" },
	{ "<a@b@c>", NULL, "553 5.1.3" },
	{ "<a b@c>", NULL, "553 5.1.3" },
	{ "<a,b@c>", NULL, "553 5.1.3" },
	{ "<a@b..c>", NULL, "553 5.1.3" },
	{ "<a@.c>", NULL, "553 5.1.3" },
	{ "<a@c.>", NULL, "553 5.1.3" },
	{ "<a@-c>", NULL, "553 5.1.3" },
	{ "<a@c->", NULL, "553 5.1.3" },
	{ "<a@c d>", NULL, "501 5.1.3" },
	{ "<a@[1.2.3]>", NULL, "553 5.1.3" },
	{ "<a@[IPv6:1.2.3.4]>", NULL, "553 5.1.3" },
	{ "<a@[::1]>", NULL, "553 5.1.3" },
	{ "<a@[x400:c=us]>", NULL, "553 5.1.3" },
	{ "<a@[1.2.3.4>", NULL, "553 5.1.3" },
	{ "<@r.example a@b.example>", NULL, "553 5.1.3" },
	{ "<@r.example,:a@b.example>", "a@b.example", "a@b.example" },
	{ "<@:a@b.example>", NULL, "553 5.1.3" },
	{ "<\"a@b.example>", NULL, "553 5.1.3" },
	{ "<\"a\\", NULL, "553 5.1.3" },
	{ "<\"a\r\n\"@b.example>", NULL, "553 5.1.3" },
	{ "<\"a\\\n\"@b.example>", NULL, "553 5.1.3" },
	{ "<a\xff@b.example>", NULL, "553 5.1.3" },              /* not UTF-8 */
	{ "<a\xc2\x9b@b.example>", NULL, "553 5.1.3" },          /* CSI: a control of Latin-1 */
	{ "<a\xe2\x80\xae@b.example>", NULL, "553 5.1.3" },      /* turns the text around */
	{ "<a@b\xe2\x80\xa8.example>", NULL, "553 5.1.3" },      /* a line separator */
};

static void reads_and_writes(struct check *check)
{
	static const struct spelling postmaster = { "<PostMaster>", "PostMaster", "postmaster@" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		check_path(check, SMTP_PATH_FORWARD, &good[i]);
		check_path(check, SMTP_PATH_REVERSE, &good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		check_path(check, SMTP_PATH_FORWARD, &bad[i]);
	check_path(check, SMTP_PATH_FORWARD, &postmaster);
}

static void senders_differ(struct check *check)
{
	static const struct spelling cases[] = {
		{ "<>", "", "@" },
		{ "<postmaster>", NULL, "553 5.1.7" },
		{ "< >", NULL, "553 5.1.7" },
		{ "a@b", NULL, "501 5.1.7" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_path(check, SMTP_PATH_REVERSE, &cases[i]);
}

static const struct smtp_answer *path_of(size_t local, size_t label, size_t labels, struct arena *arena)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct smtp_address a;
	struct bytes rest;

	buf_append_char(&text, '<');
	for (size_t i = 0; i < local; i++)
		buf_append_char(&text, 'l');
	for (size_t n = 0; n < labels; n++) {
		buf_append_char(&text, n ? '.' : '@');
		for (size_t i = 0; i < label; i++)
			buf_append_char(&text, 'd');
	}
	buf_append_char(&text, '>');
	rest = buf_bytes(&text);
	return smtp_path_take(&rest, SMTP_PATH_FORWARD, arena, &a);
}

static void limits(struct check *check)
{
	_cleanup_(arena_done) struct arena arena = { NULL };

	CHECK(!path_of(64, 63, 1, &arena));
	CHECK(!path_of(64, 63, 4, &arena));  /* a domain of 255 */
	CHECK(path_of(64, 50, 6, &arena));   /* of 305 */
	CHECK(path_of(64, 64, 1, &arena));   /* a label of 64 */
	CHECK(!path_of(242, 11, 1, &arena)); /* a path of 256 */
	CHECK(path_of(243, 11, 1, &arena));
	CHECK(path_of(65, 63, 4, &arena));
	CHECK(path_of(0, 11, 1, &arena));
	CHECK_STR(path_of(243, 11, 1, &arena)->text, "The recipient's address is too long");
}

static void splits_subaddresses(struct check *check)
{
	struct bytes user, detail;

	CHECK(smtp_local_split(BYTES("a+b+c"), "+", &user, &detail));
	CHECK_BYTES(user, BYTES("a"));
	CHECK_BYTES(detail, BYTES("b+c"));
	CHECK(smtp_local_split(BYTES("a-b"), "+-", &user, &detail));
	CHECK(!smtp_local_split(BYTES("+a"), "+", &user, &detail));
	CHECK_BYTES(user, BYTES("+a"));
	CHECK(!smtp_local_split(BYTES("a+"), "+", &user, &detail));
	CHECK(!smtp_local_split(BYTES("a-b"), "+", &user, &detail));
	CHECK(!smtp_local_split(BYTES(""), "+", &user, &detail));
}

static void mailboxes(struct check *check)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct smtp_address a;

	CHECK(!smtp_mailbox_parse(BYTES("a@b.example"), &arena, &a));
	CHECK(smtp_mailbox_parse(BYTES("<a@b.example>"), &arena, &a));
	CHECK(smtp_mailbox_parse(BYTES("a@b.example "), &arena, &a));
	CHECK(smtp_mailbox_parse(BYTES("postmaster"), &arena, &a));
	CHECK(smtp_mailbox_parse(BYTES(""), &arena, &a));
	CHECK(!smtp_mailbox_parse(BYTES("j\xc3\xb6@b.example"), &arena, &a) && a.is_utf8);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "what is an address and what is not", reads_and_writes },
		{ "senders may be nobody, but not without domain", senders_differ },
		{ "V4: lengths", limits },
		{ "subaddresses", splits_subaddresses },
		{ "mailboxes without brackets", mailboxes },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
