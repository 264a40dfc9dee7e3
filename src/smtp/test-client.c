/* SPDX-License-Identifier: Apache-2.0 */
/* The client against peers that follow a script, good and bad. */
#include <stdio.h>

#include "smtp/test-client-talk.h"

#define SCRIPT(...) (const char *const[]){ __VA_ARGS__, NULL }
#define PLAY(client_fn, ...)                                                                       \
	play(check, &(struct play){ .script = SCRIPT(__VA_ARGS__), .client = (client_fn),          \
				    .settings.helo = "gw.example" })
#define PLAY_LMTP(client_fn, ...)                                                                  \
	play(check, &(struct play){ .script = SCRIPT(__VA_ARGS__), .client = (client_fn),          \
				    .settings = { .helo = "gw.example", .lmtp = true } })

#define MAIL "> MAIL FROM:<s@y.org> SIZE=0"
#define HELLO "< 220 mx\r\n", "ehlo"
#define TEXT "> Subject: hi", "> ", "> ..dot", "> ."

/* --- transactions ---------------------------------------------------------------------------------- */

static int send_one(struct talk_client *t, struct fault *fault)
{
	if (send_to(t, "a", fault) < 0)
		return -1;

	has_results(t, "a: accepted 250 2.0.0 id=4XyZ\n");
	check_expect(t->check, t->before_dots == 1, __FILE__, __LINE__, "before_dot: %u", t->before_dots);
	check_expect(t->check, smtp_client_is_usable(t->client), __FILE__, __LINE__, "not usable");
	smtp_client_quit(t->client);
	check_expect(t->check, !smtp_client_is_usable(t->client), __FILE__, __LINE__, "still usable");
	return 0;
}

static void a_message(struct check *check)
{
	PLAY(send_one, HELLO, MAIL, "> RCPT TO:<a@x.org>", "> DATA", "= ",
	     "< 250 ok\r\n250 ok\r\n354 go\r\n", TEXT, "< 250 2.0.0 Ok: queued as 4XyZ\r\n", "> QUIT",
	     "< 221 bye\r\n");
	PLAY(send_one, "< 220-mx\r\n220 there\r\n", "> EHLO gw.example", "< 250 mx\r\n",
	     "> MAIL FROM:<s@y.org>", "= ", "< 250 ok\r\n", "> RCPT TO:<a@x.org>", "= ", "< 250 ok\r\n",
	     "> DATA", "= ", "< 354 go\r\n", TEXT, "< 250 2.0.0 Ok: queued as 4XyZ\r\n", "> QUIT",
	     "< 221 bye\r\n");
	PLAY(send_one, "< 220 old\r\n", "> EHLO gw.example", "< 502 what\r\n", "> HELO gw.example",
	     "< 250 old\r\n", "> MAIL FROM:<s@y.org>", "< 250 ok\r\n", "> RCPT TO:<a@x.org>",
	     "< 250 ok\r\n", "> DATA", "< 354 go\r\n", TEXT, "< 250 2.0.0 Ok: queued as 4XyZ\r\n",
	     "> QUIT", "< 221 bye\r\n");
}

static int send_with_parameters(struct talk_client *t, struct fault *fault)
{
	t->message.has_8bit = true;
	t->message.size = 123;
	t->message.ret = SMTP_RET_HDRS;
	t->message.envid = BYTES("QQ+20");
	t->message.from = BYTES("\"a b\"@y.org");
	t->recipients[0].notify = SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE;
	return send_to(t, "a", fault);
}

static void parameters_where_offered(struct check *check)
{
	PLAY(send_with_parameters, HELLO,
	     "> MAIL FROM:<\"a b\"@y.org> SIZE=123 BODY=8BITMIME RET=HDRS ENVID=QQ+20",
	     "> RCPT TO:<a@x.org> NOTIFY=SUCCESS,FAILURE", "> DATA",
	     "< 250 ok\r\n250 ok\r\n354 go\r\n", ">> ", "< 250 ok\r\n");
	PLAY(send_with_parameters, "< 220 mx\r\n", "> EHLO gw.example", "< 250-mx\r\n250 PIPELINING\r\n",
	     "> MAIL FROM:<\"a b\"@y.org>", "> RCPT TO:<a@x.org>", "> DATA",
	     "< 250 ok\r\n250 ok\r\n354 go\r\n", ">> ", "< 250 ok\r\n");
}

/* One refused, one asked to wait, one accepted; then another message on the same connection. */
static int send_three_then_one(struct talk_client *t, struct fault *fault)
{
	if (send_to(t, "a b c", fault) < 0)
		return -1;
	has_results(t, "a: accepted 250\nb: permanent 550 5.1.1 (unknown user)\n"
		       "c: temporary 452 4.2.2 (mailbox full)\n");
	if (send_to(t, "d", fault) < 0)
		return -1;
	has_results(t, "d: accepted 250\n");
	return 0;
}

static void a_result_for_each(struct check *check)
{
	PLAY(send_three_then_one, HELLO, MAIL, "> RCPT TO:<a@x.org>", "> RCPT TO:<b@x.org>",
	     "> RCPT TO:<c@x.org>", "> DATA",
	     "< 250 ok\r\n250 ok\r\n550-5.1.1 no such\r\n550 5.1.1 user\r\n452 4.2.2 full\r\n354 go\r\n",
	     TEXT, "< 250 ok\r\n", MAIL, "> RCPT TO:<d@x.org>", "> DATA",
	     "< 250 ok\r\n250 ok\r\n354 go\r\n", TEXT, "< 250 ok\r\n");
}

/* What was begun and not ended by a dot is reset, and only that. */
static int send_twice(struct talk_client *t, struct fault *fault)
{
	if (send_to(t, "a", fault) < 0)
		return -1;
	has_results(t, "a: permanent 550 5.1.1 (unknown user)\n");
	if (send_to(t, "b", fault) < 0)
		return -1;
	has_results(t, "b: accepted 250\n");
	check_expect(t->check, t->before_dots == 1, __FILE__, __LINE__, "before_dot: %u", t->before_dots);
	return 0;
}

static void resets_when_needed(struct check *check)
{
	PLAY(send_twice, HELLO, MAIL, "> RCPT TO:<a@x.org>", "> DATA",
	     "< 250 ok\r\n550 5.1.1 no\r\n503 no recipients\r\n", "> RSET", MAIL, "> RCPT TO:<b@x.org>",
	     "> DATA", "< 250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", TEXT, "< 250 ok\r\n");
	/* 354 for nobody: ended at once, with nothing in it. */
	PLAY(send_twice, HELLO, MAIL, "> RCPT TO:<a@x.org>", "> DATA",
	     "< 250 ok\r\n550 5.1.1 no\r\n354 go\r\n", "> .", "< 554 no recipients\r\n", MAIL,
	     "> RCPT TO:<b@x.org>", "> DATA", "< 250 ok\r\n250 ok\r\n354 go\r\n", TEXT,
	     "< 250 ok\r\n");
	/* Without pipelining DATA is not even tried. */
	PLAY(send_twice, "< 220 mx\r\n", "> EHLO gw.example", "< 250 mx\r\n", "> MAIL FROM:<s@y.org>",
	     "< 250 ok\r\n", "> RCPT TO:<a@x.org>", "< 550 5.1.1 no\r\n", "> RSET", "< 250 ok\r\n",
	     "> MAIL FROM:<s@y.org>", "< 250 ok\r\n", "> RCPT TO:<b@x.org>", "< 250 ok\r\n", "> DATA",
	     "< 354 go\r\n", TEXT, "< 250 ok\r\n");
}

static int send_refused(struct talk_client *t, struct fault *fault)
{
	if (send_to(t, "a b", fault) < 0)
		return -1;
	has_results(t, "a: temporary 451 4.7.1 (policy)\nb: temporary 451 4.7.1 (policy)\n");
	check_expect(t->check, t->before_dots == 0, __FILE__, __LINE__, "before_dot: %u", t->before_dots);
	return 0;
}

static void mail_is_refused(struct check *check)
{
	PLAY(send_refused, HELLO, MAIL, "> RCPT TO:<a@x.org>", "> RCPT TO:<b@x.org>", "> DATA",
	     "< 451 4.7.1 quiet\r\n503 no\r\n503 no\r\n503 no\r\n");
}

static int send_many(struct talk_client *t, struct fault *fault)
{
	struct buf to = BUF_NULL;
	int r;

	for (int i = 0; i < 205; i++)
		buf_appendf(&to, "%sr%d", i ? " " : "", i);
	r = send_to(t, buf_str(&to), fault);
	buf_done(&to);
	for (int i = 0; i < 205; i++)
		check_expect(t->check, t->recipients[i].outcome == SMTP_ACCEPTED, __FILE__, __LINE__,
			     "recipient %d", i);
	return r;
}

/* More commands than a group holds: their replies are read in between. */
static void groups_are_bounded(struct check *check)
{
	enum { N = 205 };
	static char lines[N][32];
	static char hundred[1100] = "< ";
	const char *script[N + 16], **to = script;

	for (size_t k = 0; k < 100; k++)
		memcpy(hundred + 2 + 8 * k, "250 ok\r\n", 9);
	*to++ = "< 220 mx\r\n";
	*to++ = "ehlo";
	*to++ = MAIL;
	for (int i = 0; i < N; i++) {
		snprintf(lines[i], sizeof(lines[i]), "> RCPT TO:<r%d@x.org>", i);
		*to++ = lines[i];
		if (i == 98 || i == 198) { /* a hundred commands */
			*to++ = "= ";
			*to++ = hundred;
		}
	}
	*to++ = "> DATA";
	*to++ = "< 250 1\r\n250 2\r\n250 3\r\n250 4\r\n250 5\r\n250 6\r\n354 go\r\n";
	*to++ = ">> ";
	*to++ = "< 250 ok\r\n";
	*to = NULL;
	play(check, &(struct play){ .script = script, .client = send_many,
				    .settings.helo = "gw.example" });
}

static int send_local_refusals(struct talk_client *t, struct fault *fault)
{
	t->message.smtputf8 = true;
	if (send_to(t, "a", fault) < 0)
		return -1;
	has_results(t, "a: permanent 5.6.7 (content)\n");
	t->message.smtputf8 = false;
	t->message.size = 1000001;
	if (send_to(t, "a", fault) < 0)
		return -1;
	has_results(t, "a: permanent 5.3.4 (message size)\n");
	t->message.size = 1;
	if (send_to(t, "a\r\nRSET", fault) < 0)
		return -1;
	has_results(t, "a: permanent 5.1.3 (content)\n");
	check_expect(t->check, smtp_client_is_usable(t->client), __FILE__, __LINE__, "not usable");
	return 0;
}

static void what_need_not_be_asked(struct check *check)
{
	PLAY(send_local_refusals, HELLO, "= ");
}

static int send_forwarded(struct talk_client *t, struct fault *fault)
{
	static const struct smtp_origin origin = {
		.addr = BYTES("127.0.0.9"), .helo = BYTES("a=b c"), .ident = BYTES("k3f9z-00001a"),
	};

	t->message.origin = &origin;
	return send_to(t, "a", fault);
}

static void says_who_it_came_from(struct check *check)
{
	static const struct smtp_origin origin = { .addr = BYTES("127.0.0.9"), .name = BYTES("n.org") };

	PLAY(send_forwarded, "< 220 mx\r\n", "> EHLO gw.example",
	     "< 250-mx\r\n250-PIPELINING\r\n250 XFORWARD NAME ADDR HELO IDENT TASTE\r\n",
	     "> XFORWARD NAME=[UNAVAILABLE] ADDR=127.0.0.9 HELO=a+3Db+20c IDENT=k3f9z-00001a",
	     "> MAIL FROM:<s@y.org>", "> RCPT TO:<a@x.org>", "> DATA",
	     "< 250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", ">> ", "< 250 ok\r\n");
	PLAY(send_forwarded, HELLO, MAIL, "> RCPT TO:<a@x.org>", "> DATA",
	     "< 250 ok\r\n250 ok\r\n354 go\r\n", ">> ", "< 250 ok\r\n");
	play(check, &(struct play){
		.script = SCRIPT("< 220 mx\r\n", "> EHLO gw.example",
				 "< 250-mx\r\n250 XCLIENT NAME ADDR\r\n",
				 "> XCLIENT NAME=n.org ADDR=127.0.0.9", "< 220 mx\r\n", "ehlo", "= "),
		.settings = { .helo = "gw.example", .xclient = &origin } });
}

/* --- LMTP ------------------------------------------------------------------------------------------- */

static int send_lmtp(struct talk_client *t, struct fault *fault)
{
	if (send_to(t, "a b c", fault) < 0)
		return -1;
	has_results(t, "a: accepted 250 2.0.0 id=AbC+12\nb: permanent 550 5.1.1 (unknown user)\n"
		       "c: temporary 452 4.2.2 (mailbox full)\n");
	check_expect(t->check, smtp_client_is_usable(t->client), __FILE__, __LINE__, "not usable");
	return 0;
}

static void lmtp_has_a_reply_for_each(struct check *check)
{
	PLAY_LMTP(send_lmtp, "< 220 mx\r\n", "> LHLO gw.example", "< 250-mx\r\n250 PIPELINING\r\n",
		  "> MAIL FROM:<s@y.org>", "> RCPT TO:<a@x.org>", "> RCPT TO:<b@x.org>",
		  "> RCPT TO:<c@x.org>", "> DATA",
		  "< 250 ok\r\n250 ok\r\n550 5.1.1 no\r\n250 ok\r\n354 go\r\n", TEXT,
		  "< 250 2.0.0 <a@x.org> AbC+12 Saved\r\n452 4.2.2 full\r\n", "= ");
}

static int send_lmtp_cut(struct talk_client *t, struct fault *fault)
{
	struct fault why = FAULT_INIT;

	if (send_to(t, "a b", &why) >= 0)
		return fault_local(fault, "it went well");
	has_results(t, "a: accepted 250\nb: doubt\n");
	return 0;
}

static void lmtp_doubts_only_what_was_not_answered(struct check *check)
{
	PLAY_LMTP(send_lmtp_cut, "< 220 mx\r\n", "> LHLO gw.example", "< 250-mx\r\n250 PIPELINING\r\n",
		  "> MAIL FROM:<s@y.org>", "> RCPT TO:<a@x.org>", "> RCPT TO:<b@x.org>", "> DATA",
		  "< 250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", TEXT, "< 250 ok\r\n");
}

/* --- what goes wrong --------------------------------------------------------------------------------- */

/* What send_to(t, "a") must come to. */
static const char *want_results, *want_words;
static enum fault_kind want_kind;

static int fail_to_send(struct talk_client *t, struct fault *fault)
{
	struct fault why = FAULT_INIT;

	if (send_to(t, "a", &why) >= 0)
		return fault_local(fault, "it went well: %s", buf_str(&t->results));
	has_results(t, want_results);
	is_fault(t, &why, want_kind, want_words);
	check_expect(t->check, !smtp_client_is_usable(t->client), __FILE__, __LINE__, "still usable");
	return 0;
}

/* It has not seen all of it: whatever it says is for now, and the connection is given up. */
static int refused_before_the_dot(struct talk_client *t, struct fault *fault)
{
	if (send_to(t, "a", fault) < 0)
		return -1;
	has_results(t, want_results);
	check_expect(t->check, !smtp_client_is_usable(t->client) && t->dots == t->dots_before, __FILE__, __LINE__, "went on");
	return 0;
}

static void wants(const char *results, enum fault_kind kind, const char *words)
{
	want_results = results;
	want_kind = kind;
	want_words = words;
}

#define UP_TO_TEXT HELLO, MAIL, "> RCPT TO:<a@x.org>", "> DATA"
#define GO "< 250 ok\r\n250 ok\r\n354 go\r\n"

static void no_reply_is_doubt(struct check *check)
{
	wants("a: doubt\n", FAULT_TRANSPORT, "closed the connection instead of answering the end");
	PLAY(fail_to_send, UP_TO_TEXT, GO, TEXT);
	wants("a: doubt\n", FAULT_PROTOCOL, "without a code");
	PLAY(fail_to_send, UP_TO_TEXT, GO, TEXT, "< hello?\r\n");
	wants("a: doubt\n", FAULT_PROTOCOL, "different codes");
	PLAY(fail_to_send, UP_TO_TEXT, GO, TEXT, "< 250-ok\r\n451 no\r\n");
	wants("a: doubt\n", FAULT_PROTOCOL, "with 354");
	PLAY(fail_to_send, UP_TO_TEXT, GO, TEXT, "< 354 go on\r\n");
}

static void a_late_reply_is_doubt(struct check *check)
{
	wants("a: doubt\n", FAULT_TIMEOUT, "the end of the message");
	play(check, &(struct play){ .script = SCRIPT(UP_TO_TEXT, GO, TEXT, "= ", "= ", "= "),
				    .client = fail_to_send,
				    .settings = { .helo = "gw.example", .timeouts.end = 10 * MSEC } });
}

static void without_the_dot_nothing_is_in_doubt(struct check *check)
{
	wants("a: untried\n", FAULT_TRANSPORT, "closed the connection");
	PLAY(fail_to_send, UP_TO_TEXT, "< 250 ok\r\n250 ok\r\n354 go\r\n", "> Subject: hi");
	PLAY(fail_to_send, UP_TO_TEXT, "< 250 ok\r\n250 ok\r\n");
	wants("a: untried\n", FAULT_PROTOCOL, "nobody asked for before the end of the message");
	PLAY(fail_to_send, UP_TO_TEXT, "< 250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n");
	PLAY(fail_to_send, UP_TO_TEXT, GO, "> Subject: hi", "< 250 2.0.0 queued as X\r\n");
	wants("a: temporary 552 5.3.4 (message size)\n", 0, NULL);
	PLAY(refused_before_the_dot, UP_TO_TEXT, GO, "> Subject: hi", "< 552 5.3.4 too much\r\n");
	wants("a: temporary 451 4.3.0 (connection)\n", 0, NULL);
	PLAY(refused_before_the_dot, UP_TO_TEXT, GO, "> Subject: hi", "< 451 4.3.0 not now\r\n");
	wants("a: temporary 250 (protocol)\n", FAULT_PROTOCOL, "answered DATA with 250");
	PLAY(fail_to_send, UP_TO_TEXT, "< 250 ok\r\n250 ok\r\n250 what\r\n");
}

static int answer_twice(struct talk_client *t, struct fault *fault)
{
	if (send_to(t, "a", fault) < 0)
		return -1;
	has_results(t, "a: accepted 250\n");
	wants("b: untried\n", FAULT_PROTOCOL, "nobody asked for before a command");
	{
		struct fault why = FAULT_INIT;

		if (run_sleep(10 * MSEC, fault) < 0)
			return -1;
		if (send_to(t, "b", &why) >= 0)
			return fault_local(fault, "it went well");
		has_results(t, want_results);
		is_fault(t, &why, want_kind, want_words);
	}
	return 0;
}

static void a_second_reply_ends_the_connection(struct check *check)
{
	PLAY(answer_twice, UP_TO_TEXT, GO, TEXT, "< 250 ok\r\n250 ok again\r\n", "= ");
	PLAY(answer_twice, UP_TO_TEXT, GO, TEXT, "< 250 ok\r\n", "< 421 goodbye\r\n");
}

static int fail_hooks(struct talk_client *t, struct fault *fault)
{
	struct fault why = FAULT_INIT;

	t->fail_before_dot = true;
	if (send_to(t, "a", &why) >= 0)
		return fault_local(fault, "it went well");
	has_results(t, "a: untried\n");
	is_fault(t, &why, FAULT_LOCAL, "the journal is full");
	check_expect(t->check, t->dots == 0, __FILE__, __LINE__, "a dot was sent");
	return 0;
}

static int fail_content(struct talk_client *t, struct fault *fault)
{
	struct fault why = FAULT_INIT;

	t->fail_content = true;
	if (send_to(t, "a", &why) >= 0)
		return fault_local(fault, "it went well");
	has_results(t, "a: untried\n");
	is_fault(t, &why, FAULT_LOCAL, "the disk is gone");
	return 0;
}

static int smuggle(struct talk_client *t, struct fault *fault)
{
	struct fault why = FAULT_INIT;

	t->content[0] = "Subject: hi\r\n";
	t->content[1] = "\r\nx\n.\r\nMAIL FROM:<evil@y.org>\r\n";
	if (send_to(t, "a", &why) >= 0)
		return fault_local(fault, "it went well");
	has_results(t, "a: untried\n");
	is_fault(t, &why, FAULT_DATA, "must not leave");
	return 0;
}

static void our_own_failures_send_no_dot(struct check *check)
{
	PLAY(fail_hooks, UP_TO_TEXT, GO, "> Subject: hi", "> ", "> ..dot");
	PLAY(fail_content, UP_TO_TEXT, GO, "> Subject: hi", "> ", "> ..dot");
	PLAY(smuggle, UP_TO_TEXT, GO, "> Subject: hi", "= ");
}

static int send_to_421(struct talk_client *t, struct fault *fault)
{
	if (send_to(t, "a b c", fault) < 0)
		return -1;
	has_results(t, want_results);
	check_expect(t->check, !smtp_client_is_usable(t->client), __FILE__, __LINE__, "still usable");
	return 0;
}

static void a_421_ends_it_for_all(struct check *check)
{
	want_results = "a: temporary 421 4.3.2 (connection)\nb: temporary 421 4.3.2 (connection)\n"
		       "c: temporary 421 4.3.2 (connection)\n";
	PLAY(send_to_421, HELLO, MAIL, "> RCPT TO:<a@x.org>", "> RCPT TO:<b@x.org>",
	     "> RCPT TO:<c@x.org>", "> DATA", "< 250 ok\r\n250 ok\r\n421 4.3.2 shutting down\r\n");
	PLAY(send_to_421, HELLO, MAIL, "> RCPT TO:<a@x.org>", "> RCPT TO:<b@x.org>",
	     "> RCPT TO:<c@x.org>", "> DATA",
	     "< 250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", TEXT,
	     "< 421 4.3.2 shutting down\r\n");
}

/* --- beginnings --------------------------------------------------------------------------------------- */

static struct smtp_client *begun;

SUSPENDS static int begin(void *arg, struct fault *fault)
{
	const char *said = arg;
	struct stream *client_end, *server;
	int r;

	memory_stream_pair(0, &client_end, &server);
	if (stream_write(server, bytes_of(said), fault) < 0)
		return -1;
	stream_shutdown(server);
	r = smtp_client_start(begun, client_end, fault);
	stream_free(server);
	return r;
}

static void begins_badly(struct check *check, const char *said, enum fault_kind kind,
			 const char *words, unsigned code, enum smtp_stage stage)
{
	struct smtp_client_settings settings = { .helo = "gw.example" };
	struct fault fault = FAULT_INIT;
	enum smtp_stage at = SMTP_AT_END;
	const struct smtp_reply *reply;

	begun = smtp_client_new(&settings);
	CHECK(run_main("test", begin, (char *)(uintptr_t)said, &fault) < 0);
	reply = smtp_client_refusal(begun, &at);
	if (fault.kind != kind || !strstr(fault.text, words))
		CHECK_FAIL("\"%s\" gives %s: %s", said, fault_kind_name(fault.kind), fault.text);
	CHECK_EQ(reply ? reply->code : 0, code);
	if (code)
		CHECK_EQ(at, stage);
	begun = smtp_client_free(begun);
}

static void bad_beginnings(struct check *check)
{
	begins_badly(check, "421 too many connections\r\n", FAULT_REFUSED, "with 421", 421,
		     SMTP_AT_GREETING);
	begins_badly(check, "554 no\r\n", FAULT_REFUSED, "with 554", 554, SMTP_AT_GREETING);
	begins_badly(check, "", FAULT_TRANSPORT, "closed the connection", 0, 0);
	begins_badly(check, "HTTP/1.1 400 Bad Request\r\n", FAULT_PROTOCOL, "without a code", 0, 0);
	begins_badly(check, "220 mx\r\n250 early\r\n", FAULT_PROTOCOL, "nobody asked for", 0, 0);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "a message", a_message },
		{ "parameters where offered", parameters_where_offered },
		{ "a result for each", a_result_for_each },
		{ "resets when needed", resets_when_needed },
		{ "MAIL is refused", mail_is_refused },
		{ "groups are bounded", groups_are_bounded },
		{ "what need not be asked", what_need_not_be_asked },
		{ "says who it came from", says_who_it_came_from },
		{ "LMTP has a reply for each", lmtp_has_a_reply_for_each },
		{ "LMTP doubts only what was not answered", lmtp_doubts_only_what_was_not_answered },
		{ "no reply is doubt", no_reply_is_doubt },
		{ "a late reply is doubt", a_late_reply_is_doubt },
		{ "without the dot nothing is in doubt", without_the_dot_nothing_is_in_doubt },
		{ "a second reply ends the connection", a_second_reply_ends_the_connection },
		{ "our own failures send no dot", our_own_failures_send_no_dot },
		{ "a 421 ends it for all", a_421_ends_it_for_all },
		{ "bad beginnings", bad_beginnings },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
