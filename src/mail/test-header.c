/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/header.h"

#include "base/buf.h"
#include "lib/check.h"

/* The result lives until the next call. */
static const struct header_scan *scan(struct bytes message)
{
	static struct header_scan s;

	s = (struct header_scan){ 0 };
	header_feed(&s, message);
	header_finish(&s);
	return &s;
}

static void ordinary(struct check *check)
{
	struct bytes m = BYTES(
		"Received: from a\r\n\tby b\r\nMessage-ID: <a@b>\r\n"
		"Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
		"SUBJECT:  Hello\r\n  world\t! \r\n\r\nMessage-ID: <not@me>\r\n");
	const struct header_scan *s = scan(m);

	CHECK_EQ(s->notes, 0);
	CHECK(s->ended);
	CHECK_STR(s->message_id, "<a@b>");
	CHECK_STR(s->date, "Mon, 1 Jan 2024 00:00:00 +0000");
	CHECK_STR(s->subject, "Hello  world !");
	CHECK_EQ(s->longest, 36);
	CHECK_EQ(s->size, m.n - strlen("Message-ID: <not@me>\r\n"));
}

static void message_ids(struct check *check)
{
	static const struct { struct bytes message; const char *id; } known[] = {
		{ BYTES("Message-ID:\r\n <folded@x>\r\n\r\n"), "<folded@x>" },
		{ BYTES("message-id:<lower@x>\r\n\r\n"), "<lower@x>" },
		{ BYTES("Message-Id : <obsolete@x>\r\n\r\n"), "<obsolete@x>" },
		{ BYTES("Message-ID: <1@x>\r\nMessage-ID: <2@x>\r\n\r\n"), "<1@x>" },
		{ BYTES("Message-ID:\r\nMessage-ID: <2@x>\r\n\r\n"), "" },
		{ BYTES("X-Message-ID: <x@x>\r\n\r\n"), "" },
		{ BYTES("Message-IDx: <x@x>\r\n\r\n"), "" },
		{ BYTES("Resent-Message-ID-of-something-long: <x@x>\r\n\r\n"), "" },
		{ BYTES("Message-ID <x@x>\r\n\r\n"), "" },
		{ BYTES("Message-ID: a\0b\x1b\rc\x7f\td\r\n\r\n"), "a?b??c? d" },
		{ BYTES("Message-ID: <\xc3\xa4@x>\r\n\r\n"), "<\xc3\xa4@x>" },
		{ BYTES("Message-ID: <lf@x>\nSubject: x\n\nbody"), "<lf@x>" },
		{ BYTES("Message-ID: <end@x>"), "<end@x>" },
		{ BYTES("Message-ID: <end@x>\r\n"), "<end@x>" },
		{ BYTES("\r\nMessage-ID: <body@x>\r\n\r\n"), "" },
		{ BYTES("From x Mon Jan 1\r\nMessage-ID: <mbox@x>\r\n\r\n"), "<mbox@x>" },
		{ BYTES(" \r\nMessage-ID: <blank@x>\r\n\r\n"), "<blank@x>" },
		{ BYTES(": x\r\nMessage-ID: <colon@x>\r\n\r\n"), "<colon@x>" },
		{ BYTES("Message-ID: <a\r\n b\r\n\tc@x>\r\n \r\n\r\n"), "<a b c@x>" },
		{ BYTES(""), "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const struct header_scan *s = scan(known[i].message);

		CHECK_STR(s->message_id, known[i].id);
	}
}

static void notes(struct check *check)
{
	static const struct { struct bytes message; unsigned notes; } known[] = {
		{ BYTES("A: b\r\n\r\nbody\r\n"), 0 },
		{ BYTES("A: b\r\n\r\nbody"), 0 },
		{ BYTES("A: b\r\n\r\nbo\0dy\r\n"), HEADER_NUL },
		{ BYTES("A: \0\r\n\r\n"), HEADER_NUL },
		{ BYTES("A: b\n\r\nbody\r\n"), HEADER_BARE_LF },
		{ BYTES("A: b\r\n\r\nbo\ndy\r\n"), HEADER_BARE_LF },
		{ BYTES("A: b\r\n\nbody\r\n"), HEADER_BARE_LF },
		{ BYTES("A: b\rc\r\n\r\nbo\rdy\r\n"), HEADER_BARE_CR },
		{ BYTES("A: b\r\r\n\r\n"), HEADER_BARE_CR },
		{ BYTES("A: b\r\n\r\nbo\rdy\r\n"), 0 },
		{ BYTES("A: \xe4\r\n\r\n"), HEADER_8BIT },
		{ BYTES("A: b\r\n\r\n\xe4\r\n"), 0 },
		{ BYTES("A b\r\n\r\n"), HEADER_NO_COLON },
		{ BYTES(" A: b\r\n\r\n"), HEADER_NO_COLON },
		{ BYTES("A: b\r\n c\r\n\r\n"), 0 },
		{ BYTES("A: b\r\n"), HEADER_UNENDED },
		{ BYTES("A"), HEADER_UNENDED | HEADER_NO_COLON },
		{ BYTES("A: b\r"), HEADER_UNENDED | HEADER_BARE_CR },
		{ BYTES("\rA: b\r\n\r\n"), HEADER_BARE_CR },
		{ BYTES(""), HEADER_UNENDED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const struct header_scan *s = scan(known[i].message);

		if (s->notes != known[i].notes)
			CHECK_FAIL("message %zu has the notes %x, not %x", i, s->notes,
				   known[i].notes);
	}
}

static void longest_lines(struct check *check)
{
	CHECK_EQ(scan(BYTES(""))->longest, 0);
	CHECK_EQ(scan(BYTES("\r\n\r\n"))->longest, 0);
	CHECK_EQ(scan(BYTES("A: b\r\n\r\n12345678\r\n123\r\n"))->longest, 8);
	CHECK_EQ(scan(BYTES("A: b\r\n\r\n12345678\n123\n"))->longest, 8);
	CHECK_EQ(scan(BYTES("A: b\r\n\r\n123\r\n123456"))->longest, 6);
	CHECK_EQ(scan(BYTES("A: b\r\n\r\n12\r345\r\n"))->longest, 6);
	CHECK_EQ(scan(BYTES("A: b\r\n\r\n12345\r"))->longest, 6);
	CHECK_EQ(scan(BYTES("A: b\r\n\r\n12345\r\r\n"))->longest, 6);
}

static void same(struct check *check, const struct header_scan *a, const struct header_scan *b)
{
	CHECK_EQ(a->notes, b->notes);
	CHECK_EQ(a->longest, b->longest);
	CHECK_EQ(a->size, b->size);
	CHECK_EQ(a->ended, b->ended);
	CHECK_STR(a->message_id, b->message_id);
	CHECK_STR(a->date, b->date);
	CHECK_STR(a->subject, b->subject);
}

static void any_cut_gives_the_same(struct check *check)
{
	static const struct bytes messages[] = {
		BYTES("Message-ID:\r\n <a@b>\r\n\r\nbody\r\n.\r\n"),
		BYTES("Date: x\r\nSubject: a\r b\r\r\n c\nMessage-ID: \xe4\r\n\r\n\0x\r\ry\n\r"),
		BYTES("\r\r\n \r\nA\r\n\r\n\r\n\r"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		static struct header_scan whole, single;

		whole = *scan(messages[i]);
		single = (struct header_scan){ 0 };
		for (size_t at = 0; at <= messages[i].n; at++) {
			static struct header_scan cut;

			cut = (struct header_scan){ 0 };
			header_feed(&cut, bytes_head(messages[i], at));
			header_feed(&cut, BYTES_NULL);
			header_feed(&cut, bytes_skip(messages[i], at));
			header_finish(&cut);
			same(check, &cut, &whole);
		}
		for (size_t at = 0; at < messages[i].n; at++)
			header_feed(&single, bytes_head(bytes_skip(messages[i], at), 1));
		header_finish(&single);
		same(check, &single, &whole);
	}
}

static void cuts_what_is_too_long(struct check *check)
{
	_cleanup_(buf_done) struct buf m = BUF_NULL;
	const struct header_scan *s;

	buf_append_str(&m, "Message-ID: <");
	for (int i = 0; i < 100000; i++)
		buf_append_char(&m, 'x');
	buf_append_str(&m, ">\r\nDate: ");
	for (int i = 0; i < 1000; i++)
		buf_append_char(&m, 'y');
	buf_append_str(&m, "\r\nSubject: ");
	for (int i = 0; i < 1000; i++)
		buf_append_char(&m, 'z');
	buf_append_str(&m, "\r\n\r\n");
	s = scan(buf_bytes(&m));
	CHECK_EQ(strlen(s->message_id), 998);
	CHECK_EQ(strlen(s->date), 100);
	CHECK_EQ(strlen(s->subject), 500);
	CHECK_EQ(s->longest, 100000 + strlen("Message-ID: <>"));
	CHECK_EQ(s->notes, 0);
}

static void body_can_be_skipped(struct check *check)
{
	struct header_scan s = { .skip_body = true };

	header_feed(&s, BYTES("A: b\r\n\r\n1234567\0\n"));
	header_feed(&s, BYTES("1234567\0\n"));
	header_finish(&s);
	CHECK_EQ(s.notes, 0);
	CHECK_EQ(s.longest, 4);
	CHECK_EQ(s.size, 8);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "ordinary", ordinary },
		{ "message-ids", message_ids },
		{ "notes", notes },
		{ "longest-lines", longest_lines },
		{ "any-cut-gives-the-same", any_cut_gives_the_same },
		{ "cuts-what-is-too-long", cuts_what_is_too_long },
		{ "body-can-be-skipped", body_can_be_skipped },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
