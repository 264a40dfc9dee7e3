/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of a server, command by command: in clear and in TLS, as they come and byte by byte. */
/* Cases run on the stack that main() has, which is large. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

#include <stdio.h>

#include "base/xalloc.h"
#include "smtp/test-serve.h"

#define GREETING STEP("", "220")
#define HELLO STEP("EHLO c.example\r\n", "250")
#define MAIL STEP("MAIL FROM:<a@x>\r\n", "250")
#define RCPT STEP("RCPT TO:<b@y>\r\n", "250")
#define DATA STEP("DATA\r\n", "354")
#define QUIT STEP("QUIT\r\n", "221 end")

/* Runs in clear and in TLS, with splits. */
static void run_all(struct check *check, struct talk *talk)
{
	static const size_t splits[] = { 0, 1, 7 };
	struct certs certs;

	talk->check = check;
	talk_certs(check, &certs, talk);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(splits); i++) {
		talk->max_read = splits[i / 2];
		talk->in_tls = i % 2;
		talk_run(talk);
	}
	talk_certs_done(&certs, talk);
}

static void run_clear(struct check *check, struct talk *talk)
{
	talk->check = check;
	talk_run(talk);
}

#define TALK(steps_array, ...)                                                                         \
	{ .steps = (steps_array), .steps_n = ARRAY_SIZE(steps_array), .settings = test_settings(), __VA_ARGS__ }

static void a_message(struct check *check)
{
	static const struct step steps[] = { GREETING, HELLO, MAIL, RCPT, STEP("RCPT TO:<no@y>\r\n", "550"),
					     STEP("RCPT TO:<later@y>\r\n", "450"), STEP("RCPT TO:<c@y>\r\n", "250"), DATA,
					     STEP("Subject: x\r\n\r\n..dot\r\n.\r\n", "250"), QUIT };
	struct talk talk = TALK(steps, .want_books = "a>b,c:Subject: x\r\n\r\n.dot\r\n\n",
				.want_log = "mail a\nrcpt b\nrcpt no\nrcpt later\nrcpt c\nbegin\nfinish\n");

	run_all(check, &talk);
}

/* P5: legal groups, whatever is in them. */
static void pipelined(struct check *check)
{
	static const struct step steps[] = {
		GREETING,
		HELLO,
		STEP("MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nRCPT TO:<no@y>\r\nDATA\r\n", "250 250 550 354"),
		STEP("one\r\n.\r\nMAIL FROM:<a@x>\r\nRCPT TO:<c@y>\r\nDATA\r\n", "250 250 250 354"),
		STEP("two\r\n.\r\nRSET\r\nNOOP\r\nQUIT\r\n", "250 250 250 221 end"),
	};
	struct talk talk = TALK(steps, .want_books = "a>b:one\r\n\na>c:two\r\n\n");

	run_all(check, &talk);
}

/* P5: what comes behind a command that must be waited for. */
static void out_of_step(struct check *check)
{
	static const struct step hello[] = { GREETING, STEP("EHLO c\r\nMAIL FROM:<a@x>\r\n", "554 end") };
	static const struct step data[] = { GREETING, HELLO, MAIL, RCPT,
					    STEP("DATA\r\nSubject: x\r\n\r\n.\r\n", "554 end") };
	static const struct step refused[] = { GREETING, HELLO, STEP("DATA\r\nRSET\r\n", "554 end") };
	struct talk talks[] = { TALK(hello, .want_log = ""), TALK(data, .want_books = ""), TALK(refused, .want_log = "") };

	for (size_t i = 0; i < ARRAY_SIZE(talks); i++)
		run_clear(check, &talks[i]);
}

static void early_talkers(struct check *check)
{
	static const struct step early[] = { STEP("EHLO c\r\n", "554 end") };
	static const struct step patient[] = { GREETING, QUIT };
	struct talk a = TALK(early, .want_log = ""), b = TALK(patient, .want_log = "");

	a.settings.greet_delay_us = b.settings.greet_delay_us = 20 * MSEC;
	run_clear(check, &a);
	run_clear(check, &b);
}

/* --- P1: after each of these nothing of the transaction is left ------------------------------- */

#define AFTER(name, ...)                                                                               \
	static const struct step name[] = { GREETING, HELLO, __VA_ARGS__, STEP("RCPT TO:<z@y>\r\n", "503"),  \
					    STEP("DATA\r\n", "503"), MAIL,                             \
					    STEP("RCPT TO:<z@y>\r\n", "250"), DATA,                    \
					    STEP("last\r\n.\r\n", "250"), QUIT }

AFTER(after_rset, MAIL, RCPT, STEP("RSET\r\n", "250"));
AFTER(after_ehlo, MAIL, RCPT, STEP("EHLO c\r\n", "250"));
AFTER(after_helo, MAIL, RCPT, STEP("HELO c\r\n", "250"));
AFTER(after_end_5xx, STEP("MAIL FROM:<end-no@x>\r\n", "250"), RCPT, DATA, STEP("x\r\n.\r\n", "550"));
AFTER(after_end_4xx, STEP("MAIL FROM:<end-later@x>\r\n", "250"), RCPT, DATA, STEP("x\r\n.\r\n", "450"));
AFTER(after_end_fault, STEP("MAIL FROM:<end-fault@x>\r\n", "250"), RCPT, DATA, STEP("x\r\n.\r\n", "451"));
AFTER(after_end_full, STEP("MAIL FROM:<end-full@x>\r\n", "250"), RCPT, DATA, STEP("x\r\n.\r\n", "452"));
AFTER(after_piece_fault, STEP("MAIL FROM:<piece-fault@x>\r\n", "250"), RCPT, DATA, STEP("x\r\ny\r\n.\r\n", "451"));
AFTER(after_begin_5xx, STEP("MAIL FROM:<begin-no@x>\r\n", "250"), RCPT, STEP("DATA\r\n", "550"));
AFTER(after_begin_4xx, STEP("MAIL FROM:<begin-full@x>\r\n", "250"), RCPT, STEP("DATA\r\n", "452"));
AFTER(after_mail_refused, STEP("MAIL FROM:<no@x>\r\n", "550"));
AFTER(after_mail_nested, MAIL, RCPT, STEP("MAIL FROM:<b@x>\r\n", "503"));
AFTER(after_mail_syntax, MAIL, RCPT, STEP("MAIL FROM:b@x\r\n", "501"));
AFTER(after_mail_size, STEP("MAIL FROM:<b@x> SIZE=100001\r\n", "552"));
AFTER(after_nobody, MAIL, STEP("RCPT TO:<no@y>\r\n", "550"), STEP("DATA\r\n", "554"));
AFTER(after_bare, MAIL, RCPT, DATA, STEP("x\n.\r\nMAIL FROM:<evil@x>\r\n.\r\n", "550"));
AFTER(after_size, MAIL, RCPT, DATA, STEP("x\r\n.\r\n", "250"));

static void resets(struct check *check)
{
#define RESET(name) TALK(name, .want_fault = FAULT_NONE)
	struct talk talks[] = { RESET(after_rset),	    RESET(after_ehlo),	     RESET(after_helo),
				RESET(after_end_5xx),	    RESET(after_end_4xx),    RESET(after_end_fault),
				RESET(after_end_full),	    RESET(after_piece_fault), RESET(after_begin_5xx),
				RESET(after_begin_4xx),	    RESET(after_mail_refused), RESET(after_mail_nested),
				RESET(after_mail_syntax),   RESET(after_mail_size),  RESET(after_nobody),
				RESET(after_bare),	    RESET(after_size) };

	for (size_t i = 0; i < ARRAY_SIZE(talks); i++) {
		printf("# number %zu\n", i);
		talks[i].want_books = i + 1 < ARRAY_SIZE(talks) ? "a>z:last\r\n\n" : "a>b:x\r\n\na>z:last\r\n\n";
		run_all(check, &talks[i]);
	}
}

/* --- order ------------------------------------------------------------------------------------ */

static void order(struct check *check)
{
	static const struct step steps[] = {
		GREETING,
		STEP("MAIL FROM:<a@x>\r\n", "503"), /* in TLS as well: what was said in clear is forgotten */
		STEP("RCPT TO:<b@y>\r\n", "503"),
		STEP("DATA\r\n", "503"),
		STEP("NOOP x\r\nRSET\r\nHELP\r\n", "250 250 214"),
		HELLO,
		STEP("RCPT TO:<b@y>\r\n", "503"),
		STEP("DATA\r\n", "503"),
		MAIL,
		STEP("DATA\r\n", "554"),
		MAIL,
		STEP("VRFY \xc3\xbc\r\nEXPN l\r\nNOOP\r\nHELP x\r\n", "252 502 250 214"), /* P3 */
		STEP("AUTH PLAIN x\r\nETRN x\r\nBDAT 3 LAST\r\nXCLIENT NAME=x\r\n", "502 502 502 502"),
		STEP("XFORWARD NAME=x\r\n", "502"),
		STEP("RCPT TO:<\xc3\xbc@y>\r\n", "553"), /* P4 */
		STEP("RCPT TO:<b@y> ORCPT=utf-8;\xc3\xbc\r\n", "553"),
		RCPT,
		STEP("nonsense\r\n\r\n", "500 500"),
		DATA,
		STEP(".\r\n", "250"),
		STEP("MAIL FROM:<\xc3\xbc@x> SMTPUTF8\r\nRCPT TO:<\xc3\xbc@y>\r\n", "250 250"),
		QUIT,
	};
	struct talk talk = TALK(steps, .want_books = "a>b:\n");

	run_all(check, &talk);
}

/* What it says, to the letter; what a host says too, whose line ends would be another reply. */
static void says_what_it_offers(struct check *check)
{
	static const struct step steps[] = { GREETING, HELLO, STEP("HELO c\r\n", "250"), MAIL, STEP("RCPT TO:<no@y>\r\n", "550"), QUIT };
	struct talk few = TALK(steps, .want_heard = "220 mx.example ESMTP\r\n"
						    "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-DSN\r\n"
						    "250-LIMITS RCPTMAX=5\r\n250 ENHANCEDSTATUSCODES\r\n"
						    "250 mx.example\r\n250 2.1.0 Ok\r\n550 5.1.1 No??250 such user\r\n221 2.0.0 Bye\r\n");
	struct talk all = TALK(steps, .want_heard = "220 mx.example ESMTP\r\n"
						    "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-STARTTLS\r\n"
						    "250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n"
						    "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n"
						    "250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n"
						    "250-LIMITS RCPTMAX=5\r\n250 ENHANCEDSTATUSCODES\r\n"
						    "250 mx.example\r\n250 2.1.0 Ok\r\n550 5.1.1 No??250 such user\r\n221 2.0.0 Bye\r\n");
	struct certs certs;

	few.settings.offered = SMTP_SIZE | SMTP_DSN;
	all.peer.may_xclient = all.peer.may_xforward = true;
	run_clear(check, &few);
	talk_certs(check, &certs, &all);
	run_clear(check, &all);
	talk_certs_done(&certs, &all);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void recipients(struct check *check)
{
	static const struct step steps[] = {
		GREETING,
		HELLO,
		MAIL,
		STEP("RCPT TO:<1@y>\r\nRCPT TO:<\"1\"@Y>\r\nRCPT TO:<@r:1@y>\r\n", "250 250 250"), /* V4: the same again */
		STEP("RCPT TO:<2@y>\r\nRCPT TO:<3@y>\r\nRCPT TO:<4@y>\r\nRCPT TO:<5@y>\r\n", "250 250 250 250"),
		STEP("RCPT TO:<6@y>\r\nRCPT TO:<1@y>\r\nRCPT TO:<7@y>\r\n", "452 250 452"),
		DATA,
		STEP("x\r\n.\r\n", "250"),
		QUIT,
	};
	struct talk talk = TALK(steps, .want_books = "a>1,2,3,4,5:x\r\n\n");

	run_all(check, &talk);
}

static void errors_end_it(struct check *check)
{
	static const struct step errors[] = { GREETING, HELLO, STEP("X\r\nX\r\nX\r\nX\r\nX\r\nX\r\n", "500 500 500 421 end") };
	static const struct step idle[] = { GREETING, HELLO, STEP("NOOP\r\nRSET\r\nNOOP\r\nRSET\r\nNOOP\r\n", "250 250 250 421 end") };
	static const struct step moved[] = { GREETING, HELLO, STEP("NOOP\r\nNOOP\r\nNOOP\r\n", "250 250 250"), MAIL, RCPT, DATA,
					     STEP("x\r\n.\r\n", "250"), STEP("NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n", "250 250 250 250"), QUIT };
	struct talk a = TALK(errors, .want_log = ""), b = TALK(idle, .want_log = ""), c = TALK(moved, .want_books = "a>b:x\r\n\n");

	a.settings.max_errors = 3;
	b.settings.max_idle_commands = c.settings.max_idle_commands = 4;
	run_clear(check, &a);
	run_clear(check, &b);
	run_clear(check, &c);
}

static void refusals_end_it(struct check *check)
{
	static const struct step many[] = {
		GREETING, HELLO, MAIL, RCPT, STEP("RCPT TO:<c@x>\r\nRCPT TO:<d@x>\r\nRCPT TO:<e@x>\r\n", "452 452 452"),
		STEP("RCPT TO:<f@x>\r\n", "421 end"),
	};
	struct talk a = TALK(many, .want_books = "");

	a.settings.max_recipients = 1;
	a.settings.max_refused = 3;
	run_clear(check, &a);
}

/* V7: as declared and as it is, at the limit and one off. */
static void sizes(struct check *check)
{
	static const struct step steps[] = {
		GREETING, HELLO,
		STEP("MAIL FROM:<a@x> SIZE=11\r\n", "552"),
		STEP("MAIL FROM:<a@x> SIZE=10\r\n", "250"), RCPT, DATA, STEP("12345678\r\n.\r\n", "250"),
		MAIL, RCPT, DATA, STEP("123456789\r\n.\r\n", "552"),
		STEP("MAIL FROM:<a@x> SIZE=1\r\n", "250"), RCPT, DATA, STEP("1234567\r\n.\r\n", "250"),
		MAIL, RCPT, DATA, STEP("123456789\r\n123456789\r\n\n.\n123456789\r\n.\r\n", "552"), QUIT,
	};
	struct talk talk = TALK(steps, .want_books = "a>b:12345678\r\n\na>b:1234567\r\n\n");

	talk.settings.max_size = 10;
	run_all(check, &talk);
}

/* V9, and lines. */
static void content_policies(struct check *check)
{
	static const struct step steps[] = {
		GREETING, HELLO,
		MAIL, RCPT, DATA, STEP("a\0b\r\n.\r\n", "550"),
		MAIL, RCPT, DATA, STEP("\xc3\xbc\r\n.\r\n", "554"),
		STEP("MAIL FROM:<a@x> BODY=8BITMIME\r\n", "250"), RCPT, DATA, STEP("\xc3\xbc\r\n.\r\n", "250"),
		MAIL, RCPT, DATA, STEP("1234567890\r\n.\r\n", "250"),
		MAIL, RCPT, DATA, STEP("12345678901\r\n.\r\n", "554"), QUIT,
	};
	struct talk talk = TALK(steps, .want_books = "a>b:\xc3\xbc\r\n\na>b:1234567890\r\n\n");

	talk.settings.refuse_nul = talk.settings.refuse_8bit = true;
	talk.settings.max_line = 10;
	run_all(check, &talk);
}

/* S1 to S18: one message or none, and the second's commands are never obeyed. */
static void smuggling(struct check *check)
{
	static const char *const ends[] = { "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n.\r", "\r.\n",
					    "\r\n.\r\r\n", "\n\n.\r\n", "\r\r\n.\r\r\n" };

	for (size_t i = 0; i < 2 * ARRAY_SIZE(ends); i++) {
		char text[200];
		struct step steps[] = { GREETING, HELLO, MAIL, RCPT, DATA, { BYTES_NULL, i % 2 ? "250" : "550" }, QUIT };
		struct talk talk = TALK(steps, .want_fault = FAULT_NONE);

		snprintf(text, sizeof(text), "x%sMAIL FROM:<evil@x>\r\nRCPT TO:<evil@y>\r\nDATA\r\n\r\n.\r\n", ends[i / 2]);
		steps[5].send = bytes_of(text);
		talk.settings.normalise = i % 2;
		talk.want_log = i % 2 ? "mail a\nrcpt b\nbegin\nfinish\n" : "mail a\nrcpt b\nbegin\ndrop\n";
		run_all(check, &talk);
	}
}

static void lines_that_are_none(struct check *check)
{
	static const struct step bare[] = { GREETING, HELLO, STEP("MAIL FROM:<a@x>\nRCPT TO:<b@y>\r\n", "521 end") };
	static const struct step controls[] = { GREETING, HELLO, { BYTES("MAIL FROM:<a\0@x>\r\nNOOP \x1b[2J\r\nVRFY a\rb\r\n"), "500 500 500" }, QUIT };
	struct talk a = TALK(bare, .want_log = ""), b = TALK(controls, .want_log = "");

	run_all(check, &a);
	run_all(check, &b);
}

static void long_lines(struct check *check)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct step steps[] = { GREETING, HELLO, { BYTES_NULL, "500 250" }, { BYTES_NULL, "521 end" } };
	struct talk talk = TALK(steps, .want_log = "");

	for (int i = 0; i < 70000; i++)
		buf_append_char(&text, 'x');
	buf_append_str(&text, "\r\nNOOP\r\n");
	steps[2].send = bytes_skip(buf_bytes(&text), 60000);
	steps[3].send = buf_bytes(&text);
	run_all(check, &talk);
}

/* --- TLS -------------------------------------------------------------------------------------- */

/* P9: what came in clear behind STARTTLS, half a command too, is not used. */
static void starttls_forgets(struct check *check)
{
	static const struct step inject[] = { GREETING, HELLO, { BYTES("STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@x>\r\n"), "220", true },
					      STEP("NOOP\r\n", "250"), STEP("MAIL FROM:<a@x>\r\n", "503"), HELLO, QUIT };
	static const struct step half[] = { GREETING, HELLO, { BYTES("STARTTLS\r\nMAI"), "220", true },
					    STEP("L FROM:<a@x>\r\n", "500"), HELLO, QUIT };
	static const struct step inside[] = { GREETING, HELLO, MAIL, RCPT, { BYTES("STARTTLS\r\n"), "220", true },
					      STEP("DATA\r\n", "503"), HELLO, STEP("DATA\r\n", "503"),
					      STEP("STARTTLS\r\n", "503"), MAIL, RCPT, DATA, STEP("x\r\n.\r\n", "250"), QUIT };
	struct talk talks[] = { TALK(inject, .want_log = ""), TALK(half, .want_log = ""), TALK(inside, .want_books = "a>b:x\r\n\n") };

	for (size_t i = 0; i < ARRAY_SIZE(talks); i++) {
		struct certs certs;

		talk_certs(check, &certs, &talks[i]);
		run_clear(check, &talks[i]);
		CHECK(i < 2 || strcmp(talks[i].host.client, "c.example  0 tls ") == 0);
		talk_certs_done(&certs, &talks[i]);
	}
}

static void tls_required(struct check *check)
{
	static const struct step steps[] = { GREETING, HELLO, STEP("MAIL FROM:<a@x>\r\nVRFY a\r\nNOOP\r\n", "530 530 250"),
					     { BYTES("STARTTLS\r\n"), "220", true }, HELLO, MAIL, QUIT };
	static const struct step none[] = { GREETING, HELLO, STEP("STARTTLS\r\n", "502"), QUIT };
	struct talk a = TALK(steps, .want_log = "mail a\n"), b = TALK(none, .want_log = "");
	struct certs certs;

	talk_certs(check, &certs, &a);
	a.settings.tls_required = true;
	run_clear(check, &a);
	talk_certs_done(&certs, &a);
	run_clear(check, &b);
}

static void handshakes_fail(struct check *check)
{
	static const struct step garbage[] = { GREETING, HELLO, STEP("STARTTLS\r\n", "220"), STEP("MAIL FROM:<a@x>\r\n", NULL) };
	static const struct step silence[] = { GREETING, HELLO, STEP("STARTTLS\r\n", "220 end") };
	struct talk a = TALK(garbage, .want_log = "", .want_fault = FAULT_TLS);
	struct talk b = TALK(silence, .want_log = "", .want_fault = FAULT_TIMEOUT);
	struct certs certs;

	talk_certs(check, &certs, &a);
	b.settings.tls = a.settings.tls;
	b.settings.handshake_us = 30 * MSEC;
	run_clear(check, &a);
	run_clear(check, &b);
	talk_certs_done(&certs, &a);
}

/* --- fronts ----------------------------------------------------------------------------------- */

static void fronts(struct check *check)
{
	static const struct step proxy[] = { STEP("PROXY TCP4 192.0.2.7 192.0.2.2 77 25\r\n", "220"), HELLO, MAIL, RCPT, DATA,
					     STEP("x\r\n.\r\n", "250"), QUIT };
	static const struct step none[] = { STEP("EHLO x\r\n", "end") };
	static const struct step xclient[] = { GREETING, HELLO, STEP("XCLIENT ADDR=192.0.2.8 PORT=88 NAME=n.example\r\n", "220"),
					       STEP("MAIL FROM:<a@x>\r\n", "503"), STEP("EHLO other\r\n", "250"),
					       MAIL, STEP("XCLIENT NAME=x\r\n", "503"), RCPT, DATA, STEP("x\r\n.\r\n", "250"), QUIT };
	static const struct step xforward[] = { GREETING, HELLO, STEP("XFORWARD NAME=n ADDR=192.0.2.9\r\nXFORWARD IDENT=7\r\n", "250 250"),
						MAIL, STEP("XFORWARD NAME=x\r\n", "503"), RCPT, DATA, STEP("x\r\n.\r\n", "250"), QUIT };
	struct talk talks[] = { TALK(proxy, .peer.must_proxy = true), TALK(none, .peer.must_proxy = true, .want_fault = FAULT_PROTOCOL),
				TALK(xclient, .peer.may_xclient = true), TALK(xforward, .peer.may_xforward = true) };
	/* Whoever a header names may say nothing of others; the front itself (LOCAL) still may. */
	static const struct step named[] = { STEP("PROXY TCP4 192.0.2.7 192.0.2.2 77 25\r\n", "220"), HELLO,
					     STEP("XCLIENT ADDR=192.0.2.8\r\n", "502"),
					     STEP("XFORWARD ADDR=192.0.2.8\r\n", "502"), QUIT };
	static const struct step itself[] = { { { "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16 }, "220" }, HELLO,
					      STEP("XCLIENT ADDR=192.0.2.8\r\n", "220"), STEP("EHLO x\r\n", "250"), QUIT };
	static const struct step full[] = { STEP("PROXY TCP4 192.0.2.9 192.0.2.2 77 25\r\n", "421 end") };
	static const struct step full_later[] = { GREETING, HELLO, STEP("XCLIENT ADDR=192.0.2.9\r\n", "421 end") };
#define BOTH .peer.may_xclient = true, .peer.may_xforward = true
	struct talk rights[] = { TALK(named, .peer.must_proxy = true, BOTH), TALK(itself, .peer.must_proxy = true, BOTH),
				 TALK(full, .peer.must_proxy = true), TALK(full_later, BOTH) };
	static const char *const clients[] = { "c.example 192.0.2.7 77 clear ", "", "other 192.0.2.8 88 clear n.example", "c.example  0 clear " };

	for (size_t i = 0; i < ARRAY_SIZE(talks); i++)
		for (size_t split = 0; split < 2; split++) {
			talks[i].max_read = split;
			run_clear(check, &talks[i]);
			CHECK_STR(talks[i].host.client, clients[i]);
		}
	for (size_t i = 0; i < ARRAY_SIZE(rights); i++) {
		rights[i].full_for = 9;
		run_clear(check, &rights[i]);
	}
}

/* --- time ------------------------------------------------------------------------------------- */

/* V1: a command by drops, data by drops, and silence. */
static void slow_clients(struct check *check)
{
	struct step drops[40] = { GREETING };
	struct step data[40] = { GREETING, HELLO, MAIL, RCPT, DATA };
	static const struct step silence[] = { GREETING, HELLO, MAIL, RCPT, DATA, STEP("x\r\n", "421 end") };
	struct talk talks[] = { TALK(drops, .want_fault = FAULT_TIMEOUT), TALK(data, .want_fault = FAULT_TIMEOUT),
				TALK(silence, .want_fault = FAULT_TIMEOUT, .want_log = "mail a\nrcpt b\nbegin\ndrop\n") };

	for (size_t i = 0; i < ARRAY_SIZE(talks); i++) {
		size_t n = talks[i].steps_n;

		for (size_t at = i == 0 ? 1 : 5; i < 2 && at < n; at++)
			(i == 0 ? drops : data)[at] = (struct step){ BYTES("x"), at + 1 == n ? "421 end" : NULL, false,
								     at + 1 == n ? 0 : 10 * MSEC };
		talks[i].settings.command_us = i == 0 ? 100 * MSEC : 5 * MINUTE;
		talks[i].settings.data_us = 100 * MSEC;
		talks[i].settings.min_rate = 1000;
		run_clear(check, &talks[i]);
	}
}

/* Fast enough is not slow, however long it takes. */
static void steady_clients(struct check *check)
{
	struct step data[30] = { GREETING, HELLO, MAIL, RCPT, DATA };
	struct talk talk = TALK(data, .want_fault = FAULT_NONE);

	for (size_t at = 5; at < 28; at++)
		data[at] = (struct step){ BYTES("0123456789"), NULL, false, 10 * MSEC };
	data[28] = (struct step)STEP("\r\n.\r\n", "250");
	data[29] = (struct step)QUIT;
	talk.settings.data_us = 100 * MSEC;
	talk.settings.min_rate = 100;
	run_clear(check, &talk);
}

/* Told to stop, it says so; but who waits for an answer gets it first. */
static void stops_in_order(struct check *check)
{
	static const struct step waiting[] = { GREETING, HELLO, MAIL };
	static const struct step in_data[] = { GREETING, HELLO, MAIL, RCPT, DATA, STEP("x\r\n", NULL) };
	static const struct step finishing[] = { GREETING, HELLO, MAIL, RCPT, DATA, { BYTES("x\r\n.\r\n"), NULL }, { BYTES_NULL, NULL, false, 20 * MSEC } };
	struct talk talks[] = { TALK(waiting, .want_books = ""),
				TALK(in_data, .want_log = "mail a\nrcpt b\nbegin\ndrop\n"),
				TALK(finishing, .want_books = "a>b:x\r\n\n") };

	for (size_t i = 0; i < ARRAY_SIZE(talks); i++) {
		talks[i].host_takes_us = i == 2 ? 60 * MSEC : 0;
		talks[i].cancel_at_end = true;
		talks[i].want_fault = FAULT_CANCELLED;
		run_clear(check, &talks[i]);
	}
}

static void clients_go_away(struct check *check)
{
	static const struct step at_once[] = { GREETING };
	static const struct step in_data[] = { GREETING, HELLO, MAIL, RCPT, DATA, STEP("x\r\n.\r", NULL) };
	struct talk a = TALK(at_once, .want_log = ""), b = TALK(in_data, .want_fault = FAULT_TRANSPORT, .want_books = "");

	run_clear(check, &a);
	run_clear(check, &b);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "a message", a_message },
		{ "P5: pipelined groups", pipelined },
		{ "P5: out of step", out_of_step },
		{ "P5: early talkers", early_talkers },
		{ "P1: nothing is left of a transaction", resets },
		{ "P2, P3, P4: order", order },
		{ "extensions", says_what_it_offers },
		{ "V4: recipients", recipients },
		{ "P6: errors and idle commands end it", errors_end_it },
		{ "P6: refused recipients end it", refusals_end_it },
		{ "V7: sizes", sizes },
		{ "V9: content", content_policies },
		{ "S1-S18: smuggling", smuggling },
		{ "lines that are none", lines_that_are_none },
		{ "long lines", long_lines },
		{ "P9: STARTTLS forgets", starttls_forgets },
		{ "TLS required", tls_required },
		{ "handshakes that fail", handshakes_fail },
		{ "PROXY, XCLIENT, XFORWARD", fronts },
		{ "V1: slow clients", slow_clients },
		{ "V1: steady clients", steady_clients },
		{ "stops in order", stops_in_order },
		{ "clients go away", clients_go_away },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
