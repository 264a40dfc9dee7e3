/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: each reads as it should or has its answer; no control character gets through in any of them. */
#include "smtp/command.h"

#include <stdio.h>

#include "lib/check.h"

enum { ALL = SMTP_SIZE | SMTP_8BITMIME | SMTP_SMTPUTF8 | SMTP_DSN };

static const struct smtp_answer *parse(struct bytes line, unsigned offered, struct arena *arena, struct smtp_command *c)
{
	return smtp_command_parse(line, offered, arena, c);
}

/* --- lines ------------------------------------------------------------------------------------ */

static void lines(struct check *check)
{
	_cleanup_(buf_done) struct buf longest = BUF_NULL;
	struct bytes line;
	size_t n;

	CHECK_EQ(smtp_line_find(BYTES(""), &line, &n), SMTP_LINE_MORE);
	CHECK_EQ(smtp_line_find(BYTES("NOOP"), &line, &n), SMTP_LINE_MORE);
	CHECK_EQ(smtp_line_find(BYTES("NOOP\r"), &line, &n), SMTP_LINE_MORE);
	CHECK_EQ(smtp_line_find(BYTES("NOOP\r\nQUIT\r\n"), &line, &n), SMTP_LINE_READY);
	CHECK_BYTES(line, BYTES("NOOP"));
	CHECK_EQ(n, 6);
	CHECK_EQ(smtp_line_find(BYTES("\r\n"), &line, &n), SMTP_LINE_READY);
	CHECK_EQ(line.n, 0);
	CHECK_EQ(smtp_line_find(BYTES("NOOP\nQUIT\r\n"), &line, &n), SMTP_LINE_BARE_LF);
	CHECK_EQ(smtp_line_find(BYTES("\n"), &line, &n), SMTP_LINE_BARE_LF);

	for (size_t i = 0; i < SMTP_LINE_MAX - 2; i++)
		buf_append_char(&longest, 'x');
	CHECK_EQ(smtp_line_find(buf_bytes(&longest), &line, &n), SMTP_LINE_MORE);
	buf_append_str(&longest, "\r\n");
	CHECK_EQ(smtp_line_find(buf_bytes(&longest), &line, &n), SMTP_LINE_READY);
	CHECK_EQ(n, SMTP_LINE_MAX);
	longest.p[0] = '\0';
	buf_reset(&longest);
	for (size_t i = 0; i < SMTP_LINE_MAX - 1; i++)
		buf_append_char(&longest, 'x');
	buf_append_str(&longest, "\r\n");
	CHECK_EQ(smtp_line_find(buf_bytes(&longest), &line, &n), SMTP_LINE_LONG);
}

/* --- answers ---------------------------------------------------------------------------------- */

struct line {
	const char *line;
	const char *answer; /* "501 5.5.4", or "" for none */
	enum smtp_verb verb;
};

static const struct line all_lines[] = {
	{ "EHLO client.example", "", SMTP_EHLO },
	{ "ehlo [192.0.2.1]", "", SMTP_EHLO },
	{ "HELO x_y", "", SMTP_HELO },
	{ "HELO", "501 5.5.4", SMTP_HELO },
	{ "EHLO ", "501 5.5.4", SMTP_EHLO },
	{ "EHLO two names", "501 5.5.4", SMTP_EHLO },
	{ "EHLO \xc3\xbc", "501 5.5.4", SMTP_EHLO },
	{ "MAIL FROM:<>", "", SMTP_MAIL },
	{ "mail from:<a@b.example>", "", SMTP_MAIL },
	{ "MAIL FROM: <a@b.example>", "", SMTP_MAIL },
	{ "MAIL  FROM:<a@b.example> ", "", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> SIZE=10 BODY=8BITMIME RET=HDRS ENVID=x+2By SMTPUTF8", "", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example>  size=10", "", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> SIZE=18446744073709551615", "", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> SIZE=18446744073709551616", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> SIZE=-1", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> SIZE=", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> SIZE", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> SIZE=1 SIZE=1", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example>SIZE=1", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> =1", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> SIZE=1=1", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> BODY=BINARYMIME", "555 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> BODY=7BIT BODY=7BIT", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> RET=ALL", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> RET=FULL RET=FULL", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> ENVID=a+0D+0A", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> ENVID=a+00", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> ENVID=a+4", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> ENVID=a+4x", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> SMTPUTF8=1", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> AUTH=<>", "555 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> HOLDFOR=1", "555 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<a@b.example> NOTIFY=NEVER", "555 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:<\xc3\xbc@b.example>", "553 5.6.7", SMTP_MAIL },
	{ "MAIL FROM:<\xc3\xbc@b.example> SMTPUTF8", "", SMTP_MAIL },
	{ "MAIL", "501 5.5.4", SMTP_MAIL },
	{ "MAIL TO:<a@b.example>", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM <a@b.example>", "501 5.5.4", SMTP_MAIL },
	{ "MAIL FROM:a@b.example", "501 5.1.7", SMTP_MAIL },
	{ "RCPT TO:<a@b.example>", "", SMTP_RCPT },
	{ "RCPT TO:<postmaster>", "", SMTP_RCPT },
	{ "RCPT TO:<>", "553 5.1.3", SMTP_RCPT },
	{ "RCPT TO:<a@b.example> NOTIFY=SUCCESS,FAILURE,delay ORCPT=rfc822;a+2Bb@c", "", SMTP_RCPT },
	{ "RCPT TO:<a@b.example> NOTIFY=NEVER", "", SMTP_RCPT },
	{ "RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY", "501 5.5.4", SMTP_RCPT },
	{ "RCPT TO:<a@b.example> NOTIFY=DELAY,", "501 5.5.4", SMTP_RCPT },
	{ "RCPT TO:<a@b.example> NOTIFY=", "501 5.5.4", SMTP_RCPT },
	{ "RCPT TO:<a@b.example> NOTIFY=NEVER NOTIFY=NEVER", "501 5.5.4", SMTP_RCPT },
	{ "RCPT TO:<a@b.example> ORCPT=rfc822", "501 5.5.4", SMTP_RCPT },
	{ "RCPT TO:<a@b.example> ORCPT=;x", "501 5.5.4", SMTP_RCPT },
	{ "RCPT TO:<a@b.example> ORCPT=rfc822;a+0Ab", "501 5.5.4", SMTP_RCPT },
	{ "RCPT TO:<a@b.example> ORCPT=rfc822;a+7Fb", "501 5.5.4", SMTP_RCPT },
	{ "RCPT TO:<a@b.example> ORCPT=rfc822;\xc3\xbc", "501 5.5.4", SMTP_RCPT },
	{ "RCPT TO:<a@b.example> ORCPT=utf-8;\xc3\xbc@c", "", SMTP_RCPT },
	{ "RCPT TO:<a@b.example> ORCPT=utf-8;\xc2\x9b@c", "501 5.5.4", SMTP_RCPT },
	{ "RCPT TO:<a@b.example> ORCPT=rfc822;a ORCPT=rfc822;a", "501 5.5.4", SMTP_RCPT },
	{ "RCPT TO:<a@b.example> SIZE=1", "555 5.5.4", SMTP_RCPT },
	{ "DATA", "", SMTP_DATA },
	{ "DATA ", "", SMTP_DATA },
	{ "DATA x", "501 5.5.4", SMTP_DATA },
	{ "RSET x", "501 5.5.4", SMTP_RSET },
	{ "QUIT", "", SMTP_QUIT },
	{ "NOOP \xc3\xbc anything", "", SMTP_NOOP },
	{ "VRFY \xc3\xbc", "", SMTP_VRFY },
	{ "HELP me", "", SMTP_HELP },
	{ "STARTTLS", "", SMTP_STARTTLS },
	{ "STARTTLS x", "501 5.5.4", SMTP_STARTTLS },
	{ "AUTH PLAIN x", "502 5.5.1", SMTP_NOT_OFFERED },
	{ "BDAT 1 LAST", "502 5.5.1", SMTP_NOT_OFFERED }, /* S24 to S27: there is no BDAT */
	{ "EXPN x", "502 5.5.1", SMTP_NOT_OFFERED },
	{ "ETRN x", "502 5.5.1", SMTP_NOT_OFFERED },
	{ "BURL x", "502 5.5.1", SMTP_NOT_OFFERED },
	{ "TURN", "502 5.5.1", SMTP_NOT_OFFERED },
	{ "", "500 5.5.1", SMTP_UNKNOWN },
	{ " NOOP", "500 5.5.1", SMTP_UNKNOWN },
	{ "NOOPX", "500 5.5.1", SMTP_UNKNOWN },
	{ "GET / HTTP/1.1", "500 5.5.1", SMTP_UNKNOWN },
	{ "Subject: hello", "500 5.5.1", SMTP_UNKNOWN },
	{ "\xff\xfe", "500 5.5.1", SMTP_UNKNOWN },
	{ "XCLIENT ADDR=192.0.2.1 NAME=[UNAVAILABLE] PORT=25 HELO=a+2Bb PROTO=ESMTP LOGIN=x", "", SMTP_XCLIENT },
	{ "XCLIENT ADDR=IPV6:2001:db8::1", "", SMTP_XCLIENT },
	{ "XCLIENT DESTADDR=192.0.2.1 DESTPORT=25", "", SMTP_XCLIENT },
	{ "XCLIENT", "501 5.5.4", SMTP_XCLIENT },
	{ "XCLIENT ADDR", "501 5.5.4", SMTP_XCLIENT },
	{ "XCLIENT ADDR=x", "501 5.5.4", SMTP_XCLIENT },
	{ "XCLIENT PORT=65536", "501 5.5.4", SMTP_XCLIENT },
	{ "XCLIENT IDENT=x", "501 5.5.4", SMTP_XCLIENT },
	{ "XCLIENT HELO=a+0D+0Ab", "501 5.5.4", SMTP_XCLIENT },
	{ "XCLIENT HELO=a HELO=a", "501 5.5.4", SMTP_XCLIENT },
	{ "XFORWARD NAME=c.example ADDR=192.0.2.1 IDENT=4F1 SOURCE=REMOTE", "", SMTP_XFORWARD },
	{ "XFORWARD LOGIN=x", "501 5.5.4", SMTP_XFORWARD },
};

static void every_line_has_its_answer(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(all_lines); i++) {
		_cleanup_(arena_done) struct arena arena = { NULL };
		const struct line *l = &all_lines[i];
		struct smtp_command c;
		const struct smtp_answer *wrong = parse(bytes_of(l->line), ALL, &arena, &c);
		char answer[32] = "";

		if (wrong)
			snprintf(answer, sizeof(answer), "%u %s", wrong->code, wrong->enhanced);
		if (strcmp(answer, l->answer) != 0 || c.verb != l->verb)
			CHECK_FAIL("%s: \"%s\" %s", l->line, answer, smtp_verb_name(c.verb));
	}
}

static void what_is_not_offered_is_refused(struct check *check)
{
	static const char *const mail[] = { "SIZE=1", "BODY=7BIT", "SMTPUTF8", "RET=FULL", "ENVID=x" };
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct smtp_command c;
	char line[100];

	for (size_t i = 0; i < ARRAY_SIZE(mail); i++) {
		unsigned own = i < 3 ? 1u << i : SMTP_DSN;

		snprintf(line, sizeof(line), "MAIL FROM:<a@b> %s", mail[i]);
		CHECK(!parse(bytes_of(line), own, &arena, &c));
		CHECK_EQ(parse(bytes_of(line), ALL & ~own, &arena, &c)->code, 555);
	}
	CHECK_EQ(parse(BYTES("RCPT TO:<a@b> NOTIFY=NEVER"), ALL & ~SMTP_DSN, &arena, &c)->code, 555);
	CHECK_EQ(parse(BYTES("RCPT TO:<a@b> ORCPT=rfc822;x"), ALL & ~SMTP_DSN, &arena, &c)->code, 555);
}

static void values(struct check *check)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct smtp_command c;

	CHECK(!parse(BYTES("MAIL FROM:<\"a b\"@c> SIZE=10 BODY=8bitmime RET=HDRS ENVID=x+2By SMTPUTF8"), ALL, &arena, &c));
	CHECK_BYTES(c.path.local, BYTES("a b"));
	CHECK(c.mail.has_size && c.mail.size == 10 && c.mail.body == SMTP_BODY_8BITMIME);
	CHECK(c.mail.ret == SMTP_RET_HDRS && c.mail.smtputf8);
	CHECK_BYTES(c.mail.envid, BYTES("x+2By")); /* passed on as it came */

	CHECK(!parse(BYTES("RCPT TO:<a@c> NOTIFY=FAILURE,DELAY ORCPT=rfc822;x+3Dy"), ALL, &arena, &c));
	CHECK_EQ(c.rcpt.notify, SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY);
	CHECK_BYTES(c.rcpt.orcpt, BYTES("rfc822;x+3Dy"));

	CHECK(!parse(BYTES("XCLIENT NAME=[TEMPUNAVAIL] ADDR=::ffff:192.0.2.1 PORT=2525 HELO=a+2Bb"), ALL, &arena, &c));
	CHECK_EQ(c.attributes.named, SMTP_ATTR_NAME | SMTP_ATTR_ADDR | SMTP_ATTR_PORT | SMTP_ATTR_HELO);
	CHECK(c.attributes.name.n == 0 && c.attributes.address.family == 4 && c.attributes.port == 2525);
	CHECK_BYTES(c.attributes.helo, BYTES("a+b"));
}

/* --- S28 -------------------------------------------------------------------------------------- */

/* Each control character at each place of each good line: never accepted. */
static void controls_get_nowhere(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(all_lines); i++) {
		struct bytes line = bytes_of(all_lines[i].line);

		for (size_t at = 0; at <= line.n; at++) {
			for (int c = 0; c < 33; c++) {
				_cleanup_(arena_done) struct arena arena = { NULL };
				_cleanup_(buf_done) struct buf text = BUF_NULL;
				struct smtp_command command;
				const struct smtp_answer *wrong;

				buf_append_bytes(&text, bytes_head(line, at));
				buf_append_char(&text, c == 32 ? 0x7f : (char)c);
				buf_append_bytes(&text, bytes_skip(line, at));
				wrong = parse(buf_bytes(&text), ALL, &arena, &command);
				CHECK(wrong && wrong->code == 500 && command.argument.n == 0);
			}
		}
	}
}

static void xtext_there_and_back(struct check *check)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	char all[95];
	struct bytes back;

	for (int i = 0; i < 95; i++)
		all[i] = (char)(' ' + i);
	smtp_xtext_append(&text, (struct bytes){ all, sizeof(all) });
	CHECK_EQ(smtp_xtext_decode(buf_bytes(&text), &arena, &back), 0);
	CHECK_BYTES(back, ((struct bytes){ all, sizeof(all) }));
	CHECK(bytes_find(buf_bytes(&text), BYTES("+2B")) > 0 && bytes_find(buf_bytes(&text), BYTES("+3D")) > 0);
	CHECK_EQ(smtp_xtext_decode(BYTES("a=b"), &arena, &back), -1);
	CHECK_EQ(smtp_xtext_decode(BYTES("a+2b"), &arena, &back), -1); /* capitals only */
	CHECK_EQ(smtp_xtext_decode(BYTES("a b"), &arena, &back), -1);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "lines", lines },
		{ "every line has its answer", every_line_has_its_answer },
		{ "parameters of what is not offered", what_is_not_offered_is_refused },
		{ "values", values },
		{ "S28: control characters get nowhere", controls_get_nowhere },
		{ "xtext there and back", xtext_there_and_back },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
