/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/dsn.h"

#include "lib/check.h"

static const struct dsn_recipient one = {
	.address = BYTES("a@x.org"), .orcpt = BYTES("rfc822;A+2Bb@x.org"), .action = DSN_FAILED,
	.status = BYTES("5.1.1"), .host = "mx.x.org", .code = 550, .text = BYTES("5.1.1 no such user"),
	.at_us = INT64_C(1764596446) * 1000000,
};

static struct dsn sample(void)
{
	return (struct dsn){
		.hostname = "gw.example", .queue_id = "k3f9z-00001a", .sender = BYTES("s@y.org"),
		.envid = BYTES("QQ+2B1"), .message_id = BYTES("<1@y.org>"),
		.arrived_us = INT64_C(1764596440) * 1000000, .now_us = INT64_C(1764596450) * 1000000,
		.recipients = &one, .n_recipients = 1,
		.original = BYTES("Subject: hi\r\n\r\n"), .nonce = { 1, 2 },
	};
}

static void a_whole_one(struct check *check)
{
	static const char want[] =
		"Date: 01 Dec 2025 13:40:50 +0000\r\n"
		"From: Mail Delivery System <MAILER-DAEMON@gw.example>\r\n"
		"To: <s@y.org>\r\n"
		"Subject: Undelivered mail returned to sender\r\n"
		"Message-ID: <0000000000000001.k3f9z-00001a@gw.example>\r\n"
		"In-Reply-To: <1@y.org>\r\n"
		"Auto-Submitted: auto-replied\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Type: multipart/report; report-type=delivery-status;\r\n"
		"\tboundary=\"=_00000000000000010000000000000002\"\r\n"
		"\r\n"
		"--=_00000000000000010000000000000002\r\n"
		"Content-Description: Notification\r\n"
		"Content-Type: text/plain; charset=us-ascii\r\n"
		"\r\n"
		"This is the mail system at gw.example.\r\n"
		"\r\n"
		"<a@x.org>: could not be delivered.\r\n"
		"    mx.x.org said: 550 5.1.1 no such user\r\n"
		"\r\n"
		"The header of your message follows. Its number here was k3f9z-00001a.\r\n"
		"\r\n"
		"--=_00000000000000010000000000000002\r\n"
		"Content-Description: Delivery report\r\n"
		"Content-Type: message/delivery-status\r\n"
		"\r\n"
		"Reporting-MTA: dns; gw.example\r\n"
		"Original-Envelope-Id: QQ+1\r\n"
		"X-Mailferry-Queue-ID: k3f9z-00001a\r\n"
		"Arrival-Date: 01 Dec 2025 13:40:40 +0000\r\n"
		"\r\n"
		"Original-Recipient: rfc822; A+b@x.org\r\n"
		"Final-Recipient: rfc822; a@x.org\r\n"
		"Action: failed\r\n"
		"Status: 5.1.1\r\n"
		"Remote-MTA: dns; mx.x.org\r\n"
		"Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
		"Last-Attempt-Date: 01 Dec 2025 13:40:46 +0000\r\n"
		"\r\n"
		"--=_00000000000000010000000000000002\r\n"
		"Content-Description: Header of the message\r\n"
		"Content-Type: text/rfc822-headers\r\n"
		"\r\n"
		"Subject: hi\r\n\r\n"
		"\r\n--=_00000000000000010000000000000002--\r\n";
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	struct dsn dsn = sample();
	bool eight_bit, utf8;

	dsn_write(&got, &dsn, &eight_bit, &utf8);
	CHECK_STR(buf_str(&got), want);
	CHECK(!eight_bit && !utf8);
}

static bool writes(struct dsn *dsn, const char *words)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	bool eight_bit, utf8;

	dsn_write(&got, dsn, &eight_bit, &utf8);
	return strstr(buf_str(&got), words) != NULL;
}

static void statuses(struct check *check)
{
	static const struct {
		enum dsn_action action;
		const char *status;
		unsigned code;
		const char *want;
	} all[] = {
		{ DSN_FAILED, "5.2.2", 552, "Status: 5.2.2\r\n" },
		{ DSN_FAILED, "", 550, "Status: 5.0.0\r\n" },
		{ DSN_FAILED, "5.1.1x", 550, "Status: 5.0.0\r\n" },
		{ DSN_FAILED, "2.1.1", 550, "Status: 5.0.0\r\n" },
		{ DSN_FAILED, "5..11", 550, "Status: 5.0.0\r\n" },
		{ DSN_FAILED, "4.2.2", 452, "Status: 4.2.2\r\n" },
		{ DSN_FAILED, "", 0, "Status: 5.4.7\r\n" },
		{ DSN_DELAYED, "4.2.2", 452, "Action: delayed\r\nStatus: 4.2.2\r\n" },
		{ DSN_RELAYED, "", 250, "Action: relayed\r\nStatus: 2.0.0\r\n" },
		{ DSN_DELIVERED, "2.1.5", 250, "Action: delivered\r\nStatus: 2.1.5\r\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct dsn_recipient r = one;
		struct dsn dsn = sample();

		r.action = all[i].action;
		r.status = bytes_of(all[i].status);
		r.code = all[i].code;
		dsn.recipients = &r;
		if (!writes(&dsn, all[i].want))
			CHECK_FAIL("no \"%s\"", all[i].want);
	}
}

/* What comes from others cannot add a field, a line or a part. */
static void nothing_gets_out_of_its_place(struct check *check)
{
	struct dsn_recipient r = one;
	struct dsn dsn = sample();

	r.text = BYTES("5.1.1 bad\r\nBcc: x\n--=_00000000000000010000000000000002--\r\n");
	r.orcpt = BYTES("rfc822;a+0D+0AAction: delivered");
	dsn.recipients = &r;
	dsn.envid = BYTES("+0D+0AX: y");
	dsn.message_id = BYTES("<1@y>\r\nBcc: z");
	CHECK(!writes(&dsn, "\nBcc"));
	CHECK(!writes(&dsn, "\nAction: delivered"));
	CHECK(!writes(&dsn, "\nX: y"));
	CHECK(!writes(&dsn, "\r\n--=_00000000000000010000000000000002--\r\n\r\n"));
	CHECK(writes(&dsn, "Diagnostic-Code: smtp; 550 5.1.1 bad? Bcc: x --="));
}

static void addresses_in_utf8(struct check *check)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	struct dsn_recipient r = one;
	struct dsn dsn = sample();
	bool eight_bit, utf8;

	r.address = BYTES("\xc3\xa4@x.org");
	dsn.recipients = &r;
	dsn.smtputf8 = true;
	dsn_write(&got, &dsn, &eight_bit, &utf8);
	CHECK(eight_bit && utf8);
	CHECK(strstr(got.p, "Final-Recipient: utf-8; \xc3\xa4@x.org\r\n"));
	CHECK(strstr(got.p, "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n"));
	CHECK(strstr(got.p, "Content-Type: message/global-headers\r\n"));

	/* Without it the report stays ASCII, whatever servers say. */
	dsn.smtputf8 = false;
	CHECK(writes(&dsn, "Final-Recipient: rfc822; ??@x.org\r\n"));
}

static void a_whole_message_of_8_bit(struct check *check)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	struct dsn dsn = sample();
	bool eight_bit, utf8;

	dsn.is_whole = true;
	dsn.original = BYTES("Subject: hi\r\n\r\nf\xfcr dich");
	dsn_write(&got, &dsn, &eight_bit, &utf8);
	CHECK(eight_bit && !utf8);
	CHECK(strstr(got.p, "boundary=\"=_00000000000000010000000000000002\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"));
	CHECK(strstr(got.p, "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: hi\r\n\r\n"
			    "f\xfcr dich\r\n\r\n--="));
}

static void who_wants_one(struct check *check)
{
	static const struct {
		const char *from;
		uint64_t notify;
		bool copy;
		enum dsn_action action;
		bool want;
	} all[] = {
		{ "s@y.org", 0, false, DSN_FAILED, true },	{ "", 0, false, DSN_FAILED, false },
		{ "", 4, false, DSN_FAILED, false },		{ "s@y.org", 1, false, DSN_FAILED, false },
		{ "s@y.org", 2, false, DSN_FAILED, false },	{ "s@y.org", 4, false, DSN_FAILED, true },
		{ "s@y.org", 6, true, DSN_FAILED, false },	{ "s@y.org", 0, true, DSN_FAILED, false },
		{ "s@y.org", 0, false, DSN_RELAYED, false },	{ "s@y.org", 2, false, DSN_RELAYED, true },
		{ "s@y.org", 2, false, DSN_DELIVERED, true },	{ "s@y.org", 0, false, DSN_DELAYED, false },
		{ "s@y.org", 8, false, DSN_DELAYED, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct journal_accept accept = { .reverse_path = bytes_of(all[i].from) };
		struct journal_recipient r = { .notify = all[i].notify };

		if (dsn_is_wanted(&accept, &r, all[i].copy, all[i].action) != all[i].want)
			CHECK_FAIL("case %zu", i);
	}
}

static void headers(struct check *check)
{
	_cleanup_(buf_done) struct buf large = BUF_NULL;

	CHECK_BYTES(dsn_header_of(BYTES("A: b\r\n\r\nbody")), BYTES("A: b\r\n\r\n"));
	CHECK_BYTES(dsn_header_of(BYTES("A: b\r\n")), BYTES("A: b\r\n"));
	CHECK_BYTES(dsn_header_of(BYTES("\r\nbody\r\n\r\n")), BYTES("\r\n"));
	while (large.n < 2 * DSN_HEADER_MAX)
		buf_append_str(&large, "A: some field\r\n");
	CHECK(dsn_header_of(buf_bytes(&large)).n <= DSN_HEADER_MAX);
	CHECK_EQ(dsn_header_of(buf_bytes(&large)).n % 15, 0);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "a whole one", a_whole_one },
		{ "statuses", statuses },
		{ "nothing gets out of its place", nothing_gets_out_of_its_place },
		{ "addresses in utf8", addresses_in_utf8 },
		{ "a whole message of 8 bit", a_whole_message_of_8_bit },
		{ "who wants one", who_wants_one },
		{ "headers", headers },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
