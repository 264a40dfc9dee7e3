/* SPDX-License-Identifier: Apache-2.0 */
/* Replies: at once and byte by byte; what no reply may be (P10); what servers say and what that means (T1 to T15). */
#include "smtp/reply.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "lib/check.h"

struct reply_case {
	struct bytes in;
	int got;
	unsigned code, enhanced[3];
	const char *text; /* or the wrong's text */
	size_t left;
};

static const struct reply_case replies[] = {
	{ BYTES("250 2.0.0 Ok: queued as 4F1\r\n"), 1, 250, { 2, 0, 0 }, "2.0.0 Ok: queued as 4F1", 0 },
	{ BYTES("250\r\n"), 1, 250, { 0 }, "", 0 },
	{ BYTES("250 \r\n"), 1, 250, { 0 }, "", 0 },
	{ BYTES("250 ok\n"), 1, 250, { 0 }, "ok", 0 },
	{ BYTES("250-mx\r\n250-PIPELINING\r\n250 DSN\r\n"), 1, 250, { 0 }, "mx\nPIPELINING\nDSN", 0 },
	{ BYTES("250-\r\n250\r\n"), 1, 250, { 0 }, "\n", 0 },
	{ BYTES("550-5.1.1 no\r\n550 5.1.1 such user\r\n"), 1, 550, { 5, 1, 1 }, "5.1.1 no\n5.1.1 such user", 0 },
	{ BYTES("250 a\r\n250 b\r\n"), 1, 250, { 0 }, "a", 7 },       /* T11: the second stays where it is */
	{ BYTES("220 go\r\n250-x\r\n"), 1, 220, { 0 }, "go", 7 },     /* P10: injected behind STARTTLS's answer */
	{ BYTES("250 a\0b\x1b[1mc\rd\x7f\r\n"), 1, 250, { 0 }, "a?b?[1mc?d?", 0 },
	{ BYTES("250 a\r\r\n"), 1, 250, { 0 }, "a?", 0 },
	{ BYTES("250 a\tb\r\n"), 1, 250, { 0 }, "a b", 0 },
	{ BYTES("250 5.1.1 other class\r\n"), 1, 250, { 0 }, "5.1.1 other class", 0 },    /* T15 */
	{ BYTES("200 9.9.9.9 garbage\r\n"), 1, 200, { 0 }, "9.9.9.9 garbage", 0 },
	{ BYTES("200 2.1234.0 garbage\r\n"), 1, 200, { 0 }, "2.1234.0 garbage", 0 },
	{ BYTES("250 2.0.0x\r\n"), 1, 250, { 0 }, "2.0.0x", 0 },
	{ BYTES("250 2.0.0\r\n"), 1, 250, { 2, 0, 0 }, "2.0.0", 0 },
	{ BYTES("354 3.0.0 go\r\n"), 1, 354, { 0 }, "3.0.0 go", 0 },
	{ BYTES("250"), 0, 0, { 0 }, NULL, 0 },
	{ BYTES("250-a\r\n"), 0, 250, { 0 }, NULL, 0 },
	{ BYTES(""), 0, 0, { 0 }, NULL, 0 },
	{ BYTES("hello there\r\n"), -1, 0, { 0 }, "a reply without a code", 0 },
	{ BYTES("\r\n"), -1, 0, { 0 }, "a reply without a code", 0 },
	{ BYTES("25\r\n"), -1, 0, { 0 }, "a reply without a code", 0 },
	{ BYTES("2500 x\r\n"), -1, 0, { 0 }, "a reply without a code", 0 },
	{ BYTES("199 x\r\n"), -1, 0, { 0 }, "a reply without a code", 0 },
	{ BYTES("600 x\r\n"), -1, 0, { 0 }, "a reply without a code", 0 },
	{ BYTES("250-a\r\nb\r\n"), -1, 250, { 0 }, "a reply without a code", 0 },
	{ BYTES("\0\0\0\0"), -1, 0, { 0 }, "a reply without a code", 0 },
	{ BYTES("250-a\r\n550 b\r\n"), -1, 250, { 0 }, "a reply whose lines have different codes", 0 },
	{ BYTES("250-a\r\n251 b\r\n"), -1, 250, { 0 }, "a reply whose lines have different codes", 0 },
};

static void check_reply(struct check *check, const struct reply_case *c, size_t first)
{
	struct smtp_reply_reader r = { 0 };
	struct bytes a = bytes_head(c->in, first), b = bytes_skip(c->in, first);
	int got = smtp_reply_read(&r, &a);

	if (got == 0)
		got = smtp_reply_read(&r, &b);
	CHECK_EQ(got, c->got);
	if (got < 0)
		CHECK_STR(smtp_reply_wrong_text(r.wrong), c->text);
	if (got <= 0)
		return;
	CHECK_EQ(r.reply.code, c->code);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(r.reply.enhanced[i], c->enhanced[i]);
	CHECK_STR(r.reply.text, c->text);
	CHECK_EQ(a.n + b.n, c->left);
}

static void in_any_split(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(replies); i++)
		for (size_t first = 0; first <= replies[i].in.n; first++)
			check_reply(check, &replies[i], first);
}

static void wrong_stays_wrong(struct check *check)
{
	struct smtp_reply_reader r = { 0 };
	struct bytes in = BYTES("nonsense\r\n250 ok\r\n");

	CHECK_EQ(smtp_reply_read(&r, &in), -1);
	in = BYTES("250 ok\r\n");
	CHECK_EQ(smtp_reply_read(&r, &in), -1);
}

/* P10: 1 MB in one line, in lines, and a multi-line reply that never ends. */
static void is_bounded(struct check *check)
{
	struct smtp_reply_reader r = { 0 };
	struct bytes in = BYTES("250 ");
	int got = smtp_reply_read(&r, &in), pieces = 0;

	while (got == 0 && pieces++ < 1 << 20) {
		in = BYTES("x");
		got = smtp_reply_read(&r, &in);
	}
	CHECK_EQ(got, -1);
	CHECK_EQ(pieces, SMTP_REPLY_BYTES_MAX - 4 + 1);
	CHECK_EQ(r.wrong, SMTP_REPLY_TOO_LONG);

	r = (struct smtp_reply_reader){ 0 };
	for (got = 0, pieces = 0; got == 0 && pieces < 1 << 20; pieces++) {
		in = BYTES("250-lines and lines\r\n");
		got = smtp_reply_read(&r, &in);
	}
	CHECK_EQ(got, -1);
	CHECK(r.reply.cut && strlen(r.reply.text) == SMTP_REPLY_TEXT - 1);
}

static void lines_of_a_reply(struct check *check)
{
	struct smtp_reply_reader r = { 0 };
	struct bytes in = BYTES("250-mx\r\n250-SIZE 1000\r\n250 2.0.0 DSN\r\n");

	CHECK_EQ(smtp_reply_read(&r, &in), 1);
	CHECK_BYTES(smtp_reply_line(&r.reply, 0), BYTES("mx"));
	CHECK_BYTES(smtp_reply_line(&r.reply, 1), BYTES("SIZE 1000"));
	CHECK_BYTES(smtp_reply_line(&r.reply, 2), BYTES("DSN"));
	CHECK_EQ(smtp_reply_line(&r.reply, 3).n, 0);
	CHECK(!r.reply.odd_enhanced && !r.reply.controls);
}

/* --- what it means ---------------------------------------------------------------------------- */

#define OK SMTP_CLASS_OK
#define TEMP SMTP_CLASS_TEMPORARY
#define PERM SMTP_CLASS_PERMANENT

static const struct meaning {
	enum smtp_stage stage;
	const char *line;
	enum smtp_class class;
	enum smtp_about about;
	int seconds;
	bool closes;
} meanings[] = {
	{ SMTP_AT_END, "250 2.0.0 Ok", OK, SMTP_ABOUT_NOTHING, 0, false },
	{ SMTP_AT_END, "250 5.1.1 no", OK, SMTP_ABOUT_NOTHING, 0, false },
	{ SMTP_AT_RCPT, "251 will forward", OK, SMTP_ABOUT_NOTHING, 0, false },
	{ SMTP_AT_DATA, "354 go", OK, SMTP_ABOUT_NOTHING, 0, false },
	{ SMTP_AT_DATA, "250 ok", TEMP, SMTP_ABOUT_PROTOCOL, 0, false },
	{ SMTP_AT_END, "354 go", TEMP, SMTP_ABOUT_PROTOCOL, 0, false },

	/* T1 to T8 */
	{ SMTP_AT_GREETING, "421 4.3.2 not now", TEMP, SMTP_ABOUT_CONNECTION, 0, true },
	{ SMTP_AT_MAIL, "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)", TEMP,
	  SMTP_ABOUT_SERVER_THROTTLE, 0, false },
	{ SMTP_AT_RCPT, "452 4.5.3 Too many recipients", TEMP, SMTP_ABOUT_MANY_RECIPIENTS, 0, false },
	{ SMTP_AT_RCPT, "552 Too many recipients", TEMP, SMTP_ABOUT_MANY_RECIPIENTS, 0, false },
	{ SMTP_AT_END, "432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded", TEMP, SMTP_ABOUT_MAILBOX_THROTTLE, 0, false },
	{ SMTP_AT_RCPT,
	  "450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages",
	  TEMP, SMTP_ABOUT_MAILBOX_THROTTLE, 0, false },
	{ SMTP_AT_RCPT, "552 5.2.2 Mailbox full", PERM, SMTP_ABOUT_MAILBOX_FULL, 0, false },
	{ SMTP_AT_END, "452 4.2.2 Quota exceeded", TEMP, SMTP_ABOUT_MAILBOX_FULL, 0, false },
	{ SMTP_AT_RCPT, "550 5.1.1 <a@b>: Recipient address rejected: User unknown", PERM, SMTP_ABOUT_UNKNOWN_USER, 0, false },
	{ SMTP_AT_RCPT, "550 5.1.10 RESOLVER.ADR.RecipientNotFound", PERM, SMTP_ABOUT_UNKNOWN_USER, 0, false },
	{ SMTP_AT_RCPT, "550 Invalid recipient: <a@b>", PERM, SMTP_ABOUT_UNKNOWN_USER, 0, false },
	{ SMTP_AT_RCPT, "550 5.2.1 account is disabled", PERM, SMTP_ABOUT_UNKNOWN_USER, 0, false },
	{ SMTP_AT_RCPT, "450 4.1.1 unverified address", TEMP, SMTP_ABOUT_UNKNOWN_USER, 0, false },

	{ SMTP_AT_MAIL, "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred", TEMP, SMTP_ABOUT_SERVER_THROTTLE, 0, true },
	{ SMTP_AT_MAIL, "421 4.7.28 unusual rate of mail", TEMP, SMTP_ABOUT_SERVER_THROTTLE, 0, true },
	{ SMTP_AT_GREETING, "421 Too many concurrent SMTP connections; please try again later", TEMP,
	  SMTP_ABOUT_SERVER_THROTTLE, 0, true },
	{ SMTP_AT_RCPT, "450 4.2.0 Greylisted, try again in 5 minutes", TEMP, SMTP_ABOUT_POLICY, 300, false },
	{ SMTP_AT_RCPT, "451 4.7.1 Greylisting in action, please come back: retry after 300 seconds", TEMP, SMTP_ABOUT_POLICY, 300, false },
	{ SMTP_AT_MAIL, "450 4.7.1 rate limit, wait 2h", TEMP, SMTP_ABOUT_SERVER_THROTTLE, 7200, false },
	{ SMTP_AT_MAIL, "450 4.7.1 rate limit, try again in 99999999999 hours", TEMP, SMTP_ABOUT_SERVER_THROTTLE, 86400, false },
	{ SMTP_AT_MAIL, "550 5.7.1 try again in 5 minutes", PERM, SMTP_ABOUT_POLICY, 0, false },
	{ SMTP_AT_MAIL, "530 5.7.0 Must issue a STARTTLS command first", PERM, SMTP_ABOUT_TLS, 0, false },
	{ SMTP_AT_STARTTLS, "454 4.7.0 TLS not available", TEMP, SMTP_ABOUT_TLS, 0, false },
	{ SMTP_AT_MAIL, "552 5.3.4 Message size exceeds fixed limit", PERM, SMTP_ABOUT_SIZE, 0, false },
	{ SMTP_AT_MAIL, "452 4.3.1 Insufficient system storage", TEMP, SMTP_ABOUT_STORAGE, 0, false },
	{ SMTP_AT_END, "550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal", PERM, SMTP_ABOUT_CONTENT, 0, false },
	{ SMTP_AT_END, "554 5.4.14 Hop count exceeded - possible mail loop", PERM, SMTP_ABOUT_LOOP, 0, false },
	{ SMTP_AT_END, "554 5.4.6 Too many hops", PERM, SMTP_ABOUT_LOOP, 0, false },
	{ SMTP_AT_END, "554 5.7.1 rejected as spam", PERM, SMTP_ABOUT_POLICY, 0, false },
	{ SMTP_AT_END, "554 looks like spam", PERM, SMTP_ABOUT_POLICY, 0, false },
	{ SMTP_AT_MAIL, "503 5.5.1 bad sequence", PERM, SMTP_ABOUT_PROTOCOL, 0, false },
	{ SMTP_AT_MAIL, "500 what", PERM, SMTP_ABOUT_PROTOCOL, 0, false },
	{ SMTP_AT_GREETING, "521 no mail here", PERM, SMTP_ABOUT_CONNECTION, 0, true },
	{ SMTP_AT_END, "599 ?", PERM, SMTP_ABOUT_NOTHING, 0, false },
	{ SMTP_AT_END, "450 4.9.9.9 ?", TEMP, SMTP_ABOUT_NOTHING, 0, false },
};

static void judges(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
		const struct meaning *m = &meanings[i];
		_cleanup_(buf_done) struct buf line = BUF_NULL;
		struct smtp_reply_reader r = { 0 };
		struct smtp_judgement j;
		struct bytes in;

		buf_appendf(&line, "%s\r\n", m->line);
		in = buf_bytes(&line);
		CHECK_EQ(smtp_reply_read(&r, &in), 1);
		smtp_judge(&r.reply, m->stage, &j);
		if (j.class != m->class || j.about != m->about || j.after_us != m->seconds * SECOND || j.closes != m->closes)
			CHECK_FAIL("%s: class %d, %s, %d s", m->line, (int)j.class, smtp_about_name(j.about),
				   (int)(j.after_us / SECOND));
	}
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "replies, in any split", in_any_split },
		{ "what is no reply ends it for good", wrong_stays_wrong },
		{ "P10: bounded", is_bounded },
		{ "lines of a reply", lines_of_a_reply },
		{ "what servers say", judges },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
