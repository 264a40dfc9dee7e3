/* SPDX-License-Identifier: Apache-2.0 */
/* Trace fields as they are written, and what is found in headers, in any split and of any size (V6). */
#include "smtp/trace.h"

#include "base/xalloc.h"
#include "lib/check.h"

static struct smtp_trace ordinary(void)
{
	struct smtp_trace t = { .helo = BYTES("client.example"),
				.by = "mx.example",
				.with = smtp_trace_with(true, true, false),
				.tls = "TLSv1.3, TLS_AES_256_GCM_SHA384",
				.queue_id = BYTES("k3f9z-00001a"),
				.for_path = BYTES("user@example"),
				.token = BYTES("\x01\xab"),
				.wall_us = INT64_C(1796132446000000) };

	(void)ip_parse(BYTES("192.0.2.1"), &t.peer);
	return t;
}

static void writes(struct check *check)
{
	struct smtp_trace t = ordinary();
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	smtp_trace_append(&text, &t);
	CHECK_STR(buf_str(&text), "Received: from client.example ([192.0.2.1])\r\n"
				  "\tby mx.example with ESMTPS (TLSv1.3, TLS_AES_256_GCM_SHA384) id k3f9z-00001a\r\n"
				  "\tfor <user@example>; 01 Dec 2026 13:40:46 +0000\r\n"
				  "X-Mailferry-Trace: k3f9z-00001a 01ab\r\n");

	buf_reset(&text);
	t = (struct smtp_trace){ .by = "mx.example", .with = "SMTP", .queue_id = BYTES("a-1"), .token = BYTES("\xff") };
	smtp_trace_append(&text, &t);
	CHECK_STR(buf_str(&text), "Received: from unknown\r\n\tby mx.example with SMTP id a-1\r\n"
				  "\t; 01 Jan 1970 00:00:00 +0000\r\nX-Mailferry-Trace: a-1 ff\r\n");
	CHECK_STR(smtp_trace_with(false, true, true), "SMTP");
	CHECK_STR(smtp_trace_with(true, false, false), "ESMTP");
	CHECK_STR(smtp_trace_with(true, false, true), "UTF8SMTP");
	CHECK_STR(smtp_trace_with(true, true, true), "UTF8SMTPS");
}

/* S28: whatever stands in what a peer said, the lines stay four. */
static void no_bytes_of_a_peer_make_lines(struct check *check)
{
	for (int c = 0; c < 256; c++) {
		char evil[3] = { 'a', (char)c, 'b' };
		struct smtp_trace t = ordinary();
		_cleanup_(buf_done) struct buf text = BUF_NULL;
		size_t lines = 0;

		t.helo = t.queue_id = t.for_path = (struct bytes){ evil, 3 };
		smtp_trace_append(&text, &t);
		for (size_t i = 0; i < text.n; i++) {
			unsigned char at = (unsigned char)text.p[i];

			lines += at == '\n';
			CHECK(at >= 0x20 || at == '\t' || at == '\r' || at == '\n');
			CHECK((at == '\r') == (i + 1 < text.n && text.p[i + 1] == '\n'));
		}
		CHECK_EQ(lines, 4);
	}
}

/* --- scanning --------------------------------------------------------------------------------- */

static const struct scan_case {
	struct bytes in;
	unsigned received, tokens;
	const char *id, *token;
	bool ended;
} scans[] = {
	{ BYTES("Received: x\r\nMessage-ID: <a@b>\r\nReceived: y\r\n\r\nReceived: body\r\n"), 2, 0, "<a@b>", "", true },
	{ BYTES("RECEIVED : x\r\nmessage-id:\t<a@b> \r\n\r\n"), 1, 0, "<a@b>", "", true },
	{ BYTES("Message-ID:\r\n <a@b>\r\n\r\n"), 0, 0, "<a@b>", "", true },
	{ BYTES("Message-ID: <a\r\n\t@b>\r\nMessage-ID: <second>\r\n\r\n"), 0, 0, "<a @b>", "", true },
	{ BYTES("Message-ID: a\0b\x1b\xc3\xbc\x7f\r\n\r\n"), 0, 0, "a?b????", "", true },
	{ BYTES("Message-ID:\r\nX: y\r\n\r\n"), 0, 0, "", "", true },
	{ BYTES("X-Mailferry-Trace: k3f9z-00001a 01ab\r\n\r\n"), 0, 1, "", "k3f9z-00001a 01ab", true },
	{ BYTES("X-Mailferry-Trace: k3f9z-00001a\r\n 01ab\r\n\r\n"), 0, 1, "", "k3f9z-00001a 01ab", true },
	{ BYTES("X-Mailferry-Trace: k3f9z;rm 01ab\r\nX-Mailferry-Trace: a 0\r\n\r\n"), 0, 2, "", "", true },
	{ BYTES("X-Mailferry-Tracer: k3f9z 01ab\r\nXReceived: a\r\nReceive: a\r\n\r\n"), 0, 0, "", "", true },
	{ BYTES("X: y\r\n Received: folded\r\n\tMessage-ID: <folded>\r\n\r\n"), 0, 0, "", "", true },
	{ BYTES("Received: x\n\nReceived: body\n"), 1, 0, "", "", true },
	{ BYTES("Received: x\r\nMessage-ID: <open>"), 1, 0, "<open>", "", false },
	{ BYTES("\r\nReceived: body\r\n"), 0, 0, "", "", true },
	{ BYTES(""), 0, 0, "", "", false },
	{ BYTES("no field\r\nReceived: x\r\n\r\n"), 1, 0, "", "", true },
};

static void check_scan(struct check *check, const struct scan_case *c, size_t first, size_t piece)
{
	struct smtp_trace_scan s = { 0 };

	smtp_trace_feed(&s, bytes_head(c->in, first));
	for (size_t at = first; at < c->in.n; at += piece)
		smtp_trace_feed(&s, bytes_head(bytes_skip(c->in, at), piece));
	CHECK_EQ(s.ended, c->ended);
	smtp_trace_finish(&s);
	CHECK_EQ(s.received, c->received);
	CHECK_EQ(s.tokens_n, c->tokens);
	CHECK_STR(s.message_id, c->id);
	CHECK_STR(s.tokens[0], c->token);
}

static void scans_in_any_split(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(scans); i++)
		for (size_t first = 0; first <= scans[i].in.n; first++) {
			check_scan(check, &scans[i], first, scans[i].in.n);
			check_scan(check, &scans[i], first, 1);
		}
}

static void finds_its_own(struct check *check)
{
	struct smtp_trace t = ordinary();
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct smtp_trace_scan s = { 0 };

	smtp_trace_append(&text, &t);
	buf_append_str(&text, "\r\n");
	smtp_trace_feed(&s, buf_bytes(&text));
	CHECK_EQ(s.received, 1);
	CHECK_STR(s.tokens[0], "k3f9z-00001a 01ab");
}

/* V6: 10^4 Received, 10^5 tokens, one field of 10 MB, a Message-ID without end. */
static void bombs(struct check *check)
{
	_cleanup_(freep) struct smtp_trace_scan *s = xzalloc(sizeof(*s));
	char block[1000];

	for (int i = 0; i < 10000; i++)
		smtp_trace_feed(s, BYTES("Received: x\r\n"));
	for (int i = 0; i < 100000; i++)
		smtp_trace_feed(s, BYTES("X-Mailferry-Trace: a 1\r\n"));
	memset(block, 'x', sizeof(block));
	smtp_trace_feed(s, BYTES("Message-ID: "));
	for (int i = 0; i < 10000; i++)
		smtp_trace_feed(s, (struct bytes){ block, sizeof(block) });
	smtp_trace_feed(s, BYTES("\r\n\r\n"));
	CHECK(s->ended);
	CHECK_EQ(s->received, 10000);
	CHECK_EQ(s->tokens_n, 100000);
	CHECK_STR(s->tokens[SMTP_TRACE_TOKENS - 1], "a 1");
	CHECK_EQ(strlen(s->message_id), SMTP_MESSAGE_ID_MAX);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "writes both fields", writes },
		{ "S28: a peer's bytes make no lines", no_bytes_of_a_peer_make_lines },
		{ "scans in any split", scans_in_any_split },
		{ "finds what it wrote", finds_its_own },
		{ "V6: header bombs", bombs },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
