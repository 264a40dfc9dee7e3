/* SPDX-License-Identifier: Apache-2.0 */
/* See dsn.h. */
#include "gateway/dsn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "imap/date.h"
#include "smtp/command.h"

enum { LINE_TEXT = 800 }; /* bytes of a text in a field: its line stays below 998 */

bool dsn_is_wanted(const struct journal_accept *accept, const struct journal_recipient *recipient, bool is_copy,
		   enum dsn_action action)
{
	uint64_t notify = recipient->notify;

	if (accept->reverse_path.n == 0 || is_copy || notify & SMTP_NOTIFY_NEVER)
		return false;

	switch (action) {
	case DSN_FAILED:
		return notify == 0 || notify & SMTP_NOTIFY_FAILURE;
	case DSN_DELAYED:
		return notify & SMTP_NOTIFY_DELAY;
	default:
		return notify & SMTP_NOTIFY_SUCCESS;
	}
}

/* --- words ----------------------------------------------------------------------------------- */

static bool has_8bit(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] & 0x80)
			return true;
	return false;
}

/* On one line; with utf8 false in ASCII. */
static void append_text(struct buf *to, struct bytes text, bool utf8)
{
	for (size_t i = 0; i < text.n && i < LINE_TEXT; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool bad = c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8);

		buf_append_char(to, bad ? (c == '\n' || c == '\t' ? ' ' : '?') : text.p[i]);
	}
}

static void append_date(struct buf *to, int64_t wall_us)
{
	_cleanup_(buf_done) struct buf date = BUF_NULL;

	imap_date_write(&date, wall_us / SECOND, 0);
	for (size_t i = 1; i + 1 < date.n; i++)
		buf_append_char(to, date.p[i] == '-' ? ' ' : date.p[i]);
}

static void append_boundary(struct buf *to, const struct dsn *dsn)
{
	buf_appendf(to, "=_%016" PRIx64 "%016" PRIx64, dsn->nonce[0], dsn->nonce[1]);
}

static bool is_status(struct bytes s, char class)
{
	int dots = 0;

	if (s.n < 5 || s.n > 9 || s.p[0] != class || s.p[1] != '.')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' && i > 0 && i + 1 < s.n && s.p[i - 1] != '.')
			dots++;
		else if (!ascii_is_digit(s.p[i]))
			return false;
	}
	return dots == 2;
}

static const char *action_name(enum dsn_action action)
{
	static const char *const names[] = { "failed", "delayed", "delivered", "relayed" };

	return names[action];
}

/* RFC 3464 section 2.3.4: the class of the status must fit the action. What was told to come again until its life was
 * over has failed for good. */
static void append_status(struct buf *to, const struct dsn_recipient *r)
{
	char class = r->action == DSN_FAILED ? '5' : r->action == DSN_DELAYED ? '4' : '2';

	if (is_status(r->status, class))
		buf_append_bytes(to, r->status);
	else if (r->action == DSN_FAILED && is_status(r->status, '4'))
		buf_append_bytes(to, r->status);
	else if (r->action == DSN_FAILED && r->code / 100 != 5)
		buf_append_str(to, "5.4.7"); /* delivery time expired */
	else
		buf_appendf(to, "%c.0.0", class);
}

/* --- parts ----------------------------------------------------------------------------------- */

static bool has_failed(const struct dsn *dsn)
{
	for (size_t i = 0; i < dsn->n_recipients; i++)
		if (dsn->recipients[i].action == DSN_FAILED)
			return true;
	return false;
}

static void append_header(struct buf *to, const struct dsn *dsn, bool eight_bit, bool utf8)
{
	buf_append_str(to, "Date: ");
	append_date(to, dsn->now_us);
	buf_appendf(to, "\r\nFrom: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <", dsn->hostname);
	append_text(to, dsn->sender, utf8);
	buf_appendf(to, ">\r\nSubject: %s\r\nMessage-ID: <%016" PRIx64 ".%s@%s>\r\n",
		    has_failed(dsn) ? "Undelivered mail returned to sender" : "Delivery status notification",
		    dsn->nonce[0], dsn->queue_id, dsn->hostname);
	if (dsn->message_id.n) {
		buf_append_str(to, "In-Reply-To: ");
		append_text(to, dsn->message_id, utf8);
		buf_append_str(to, "\r\n");
	}
	buf_append_str(to, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
			   "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"");
	append_boundary(to, dsn);
	buf_append_str(to, "\"\r\n");
	if (eight_bit)
		buf_append_str(to, "Content-Transfer-Encoding: 8bit\r\n");
	buf_append_str(to, "\r\n");
}

static void begin_part(struct buf *to, const struct dsn *dsn, const char *description, const char *type,
		       bool eight_bit)
{
	buf_append_str(to, "--");
	append_boundary(to, dsn);
	buf_appendf(to, "\r\nContent-Description: %s\r\nContent-Type: %s\r\n%s\r\n", description, type,
		    eight_bit ? "Content-Transfer-Encoding: 8bit\r\n" : "");
}

static const char *words_of(enum dsn_action action)
{
	switch (action) {
	case DSN_FAILED:
		return "could not be delivered";
	case DSN_DELAYED:
		return "has not been delivered so far; it is tried again";
	case DSN_DELIVERED:
		return "was delivered";
	case DSN_RELAYED:
		break;
	}
	return "was handed to a server that sends no notifications";
}

static void append_sentence(struct buf *to, const struct dsn_recipient *r, bool utf8)
{
	buf_append_char(to, '<');
	append_text(to, r->address, utf8);
	buf_appendf(to, ">: %s", words_of(r->action));
	if (r->host && r->code)
		buf_appendf(to, ".\r\n    %s said: %u ", r->host, r->code);
	else if (r->text.n)
		buf_append_str(to, ".\r\n    ");
	append_text(to, r->text, utf8);
	buf_append_str(to, "\r\n\r\n");
}

static void append_explanation(struct buf *to, const struct dsn *dsn, bool utf8)
{
	begin_part(to, dsn, "Notification", utf8 ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii",
		   utf8);
	buf_appendf(to, "This is the mail system at %s.\r\n\r\n", dsn->hostname);
	for (size_t i = 0; i < dsn->n_recipients; i++)
		append_sentence(to, &dsn->recipients[i], utf8);
	buf_appendf(to, "%s of your message follows. Its number here was %s.\r\n\r\n",
		    dsn->is_whole ? "The text" : "The header", dsn->queue_id);
}

static void append_xtext(struct buf *to, struct bytes text, bool utf8)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct bytes decoded;

	append_text(to, smtp_xtext_decode(text, &arena, &decoded) == 0 ? decoded : text, utf8);
}

static void append_original(struct buf *to, struct bytes orcpt, bool utf8)
{
	struct bytes rest = orcpt, type = bytes_cut(&rest, ';');

	if (rest.n == 0)
		return;
	buf_append_str(to, "Original-Recipient: ");
	append_text(to, type, utf8);
	buf_append_str(to, "; ");
	append_xtext(to, rest, utf8);
	buf_append_str(to, "\r\n");
}

static void append_recipient(struct buf *to, const struct dsn_recipient *r, bool utf8)
{
	append_original(to, r->orcpt, utf8);
	buf_append_str(to, has_8bit(r->address) && utf8 ? "Final-Recipient: utf-8; " : "Final-Recipient: rfc822; ");
	append_text(to, r->address, utf8);
	buf_appendf(to, "\r\nAction: %s\r\nStatus: ", action_name(r->action));
	append_status(to, r);
	buf_append_str(to, "\r\n");
	if (r->host)
		buf_appendf(to, "Remote-MTA: dns; %s\r\n", r->host);
	if (r->code) {
		buf_appendf(to, "Diagnostic-Code: smtp; %u ", r->code);
		append_text(to, r->text, utf8);
		buf_append_str(to, "\r\n");
	} else if (r->text.n) {
		buf_append_str(to, "Diagnostic-Code: X-Mailferry; ");
		append_text(to, r->text, utf8);
		buf_append_str(to, "\r\n");
	}
	if (r->at_us) {
		buf_append_str(to, "Last-Attempt-Date: ");
		append_date(to, r->at_us);
		buf_append_str(to, "\r\n");
	}
	buf_append_str(to, "\r\n");
}

static void append_status_part(struct buf *to, const struct dsn *dsn, bool utf8)
{
	begin_part(to, dsn, "Delivery report", utf8 ? "message/global-delivery-status" : "message/delivery-status",
		   utf8);
	buf_appendf(to, "Reporting-MTA: dns; %s\r\n", dsn->hostname);
	if (dsn->envid.n) {
		buf_append_str(to, "Original-Envelope-Id: ");
		append_xtext(to, dsn->envid, utf8);
		buf_append_str(to, "\r\n");
	}
	buf_appendf(to, "X-Mailferry-Queue-ID: %s\r\nArrival-Date: ", dsn->queue_id);
	append_date(to, dsn->arrived_us);
	buf_append_str(to, "\r\n\r\n");
	for (size_t i = 0; i < dsn->n_recipients; i++)
		append_recipient(to, &dsn->recipients[i], utf8);
}

static void append_original_part(struct buf *to, const struct dsn *dsn, bool eight_bit, bool utf8)
{
	const char *type = dsn->is_whole ? (utf8 ? "message/global" : "message/rfc822")
					 : (utf8 ? "message/global-headers" : "text/rfc822-headers");

	begin_part(to, dsn, dsn->is_whole ? "Undelivered message" : "Header of the message", type, eight_bit);
	buf_append_bytes(to, dsn->original);
	if (dsn->original.n < 2 || memcmp(dsn->original.p + dsn->original.n - 2, "\r\n", 2) != 0)
		buf_append_str(to, "\r\n");
	buf_append_str(to, "\r\n--");
	append_boundary(to, dsn);
	buf_append_str(to, "--\r\n");
}

void dsn_write(struct buf *to, const struct dsn *dsn, bool *ret_8bit, bool *ret_utf8)
{
	bool original = has_8bit(dsn->original), utf8 = false;

	/* Only addresses make it a UTF-8 message: replies in another language do not bind the sender's server. */
	if (dsn->smtputf8) {
		utf8 = has_8bit(dsn->sender);
		for (size_t i = 0; i < dsn->n_recipients; i++)
			utf8 = utf8 || has_8bit(dsn->recipients[i].address);
	}
	append_header(to, dsn, original || utf8, utf8);
	append_explanation(to, dsn, utf8);
	append_status_part(to, dsn, utf8);
	append_original_part(to, dsn, original, utf8);
	*ret_8bit = original || utf8;
	*ret_utf8 = utf8;
}

struct bytes dsn_header_of(struct bytes content)
{
	ptrdiff_t end = bytes_find(content, BYTES("\r\n\r\n"));
	struct bytes header = end < 0 ? content : bytes_head(content, (size_t)end + 4);

	if (bytes_starts(content, BYTES("\r\n")))
		return bytes_head(content, 2);
	if (header.n <= DSN_HEADER_MAX)
		return header;

	header = bytes_head(header, DSN_HEADER_MAX);
	while (header.n > 0 && header.p[header.n - 1] != '\n')
		header.n--;
	return header;
}
