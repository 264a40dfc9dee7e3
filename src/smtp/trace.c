/* SPDX-License-Identifier: Apache-2.0 */
/* Trace fields, see trace.h. The scan looks at a line's first bytes only, and with memchr() for its end; the few
 * fields that are kept it takes byte by byte. */
#include "smtp/trace.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "imap/date.h"

static const char token_field[] = "X-Mailferry-Trace";

/* --- writing --------------------------------------------------------------------------------- */

/* Fit for a comment or a word in a header: no bytes that end or begin something there. */
static void append_safe(struct buf *to, struct bytes text, size_t max)
{
	for (size_t i = 0; i < text.n && i < max; i++) {
		char c = text.p[i];
		bool bad = (unsigned char)c <= 0x20 || (unsigned char)c >= 0x7f || strchr("()<>;\\\"", c);

		buf_append_char(to, bad ? '?' : c);
	}
}

/* A path may hold quotes and UTF-8 that its grammar has allowed; only controls cannot be there. */
static void append_path(struct buf *to, struct bytes path)
{
	for (size_t i = 0; i < path.n && i < 600; i++) {
		unsigned char c = (unsigned char)path.p[i];

		buf_append_char(to, c < 0x20 || c == 0x7f ? '?' : path.p[i]);
	}
}

/* "01 Dec 2026 13:40:46 +0000", from what IMAP writes as "01-Dec-2026 13:40:46 +0000" with its quotes. */
static void append_date(struct buf *to, int64_t wall_us)
{
	_cleanup_(buf_done) struct buf date = BUF_NULL;

	imap_date_write(&date, wall_us / SECOND, 0);
	for (size_t i = 1; i + 1 < date.n; i++)
		buf_append_char(to, date.p[i] == '-' ? ' ' : date.p[i]);
}

static void append_hex(struct buf *to, struct bytes raw)
{
	for (size_t i = 0; i < raw.n; i++)
		buf_appendf(to, "%02x", (unsigned char)raw.p[i]);
}

void smtp_trace_append(struct buf *to, const struct smtp_trace *t)
{
	buf_append_str(to, "Received: from ");
	append_safe(to, t->helo.n ? t->helo : BYTES("unknown"), 255);
	if (t->peer.family) {
		buf_append_str(to, t->peer.family == 6 ? " ([IPv6:" : " ([");
		ip_append(to, &t->peer);
		buf_append_str(to, "])");
	}
	buf_appendf(to, "\r\n\tby %s with %s", t->by, t->with);
	if (t->tls) {
		buf_append_str(to, " (");
		buf_append_str(to, t->tls);
		buf_append_char(to, ')');
	}
	buf_append_str(to, " id ");
	append_safe(to, t->queue_id, 64);
	buf_append_str(to, "\r\n\t");
	if (t->for_path.n) {
		buf_append_str(to, "for <");
		append_path(to, t->for_path);
		buf_append_str(to, ">");
	}
	buf_append_str(to, "; ");
	append_date(to, t->wall_us);
	buf_appendf(to, "\r\n%s: ", token_field);
	append_safe(to, t->queue_id, 64);
	buf_append_char(to, ' ');
	append_hex(to, t->token);
	buf_append_str(to, "\r\n");
}

const char *smtp_trace_with(bool esmtp, bool tls, bool utf8)
{
	if (!esmtp)
		return "SMTP";
	if (utf8)
		return tls ? "UTF8SMTPS" : "UTF8SMTP";
	return tls ? "ESMTPS" : "ESMTP";
}

/* --- scanning -------------------------------------------------------------------------------- */

enum { AT_LINE, AT_LINE_CR, IN_NAME, IN_VALUE, IN_KEPT };
enum { FIELD_NONE, FIELD_TOKEN, FIELD_MESSAGE_ID };

static char *kept_text(struct smtp_trace_scan *s, size_t *ret_max)
{
	*ret_max = s->field == FIELD_TOKEN ? SMTP_TRACE_TOKEN_MAX - 1 : SMTP_MESSAGE_ID_MAX;
	return s->field == FIELD_TOKEN ? s->tokens[s->tokens_n - 1] : s->message_id;
}

static bool is_token(struct bytes text)
{
	struct bytes rest = text, id = bytes_cut(&rest, ' ');

	for (size_t i = 0; i < id.n; i++)
		if (!ascii_is_alpha(id.p[i]) && !ascii_is_digit(id.p[i]) && id.p[i] != '-')
			return false;
	for (size_t i = 0; i < rest.n; i++)
		if (!ascii_is_digit(rest.p[i]) && (rest.p[i] < 'a' || rest.p[i] > 'f'))
			return false;
	return id.n > 0 && rest.n > 0;
}

static void end_field(struct smtp_trace_scan *s)
{
	size_t max;
	char *text;

	if (s->field == FIELD_NONE)
		return;

	text = kept_text(s, &max);
	while (s->value_n && text[s->value_n - 1] == ' ')
		s->value_n--;
	text[s->value_n] = '\0';
	if (s->field == FIELD_TOKEN && !is_token((struct bytes){ text, s->value_n }))
		text[0] = '\0';
	s->field = FIELD_NONE;
}

static void keep(struct smtp_trace_scan *s, char c)
{
	size_t max;
	char *text = kept_text(s, &max);

	if (c == '\r' || s->value_n == max)
		return;
	if (c == '\t')
		c = ' ';
	if ((unsigned char)c < 0x20 || (unsigned char)c >= 0x7f)
		c = '?';
	if (c != ' ' || s->value_n)
		text[s->value_n++] = c;
}

static bool is_name(const struct smtp_trace_scan *s, const char *name)
{
	return bytes_equal_nocase(bytes_trim((struct bytes){ s->name, s->name_n }), bytes_of(name));
}

/* At the colon: which field it is. */
static void begin_field(struct smtp_trace_scan *s)
{
	s->state = IN_VALUE;
	if (is_name(s, "Received")) {
		s->received += s->received < UINT32_MAX;
	} else if (is_name(s, token_field)) {
		s->tokens_n += s->tokens_n < UINT32_MAX;
		s->field = s->tokens_n <= SMTP_TRACE_TOKENS ? FIELD_TOKEN : FIELD_NONE;
	} else if (is_name(s, "Message-ID") && !s->id_seen) {
		s->id_seen = true;
		s->field = FIELD_MESSAGE_ID;
	}
	s->value_n = 0;
	if (s->field != FIELD_NONE)
		s->state = IN_KEPT;
}

static void begin_line(struct smtp_trace_scan *s, char c)
{
	if (ascii_is_blank(c)) { /* goes on with the field above */
		s->state = s->field != FIELD_NONE ? IN_KEPT : IN_VALUE;
		return;
	}

	end_field(s);
	s->name[0] = c;
	s->name_n = 1;
	s->state = IN_NAME;
}

static void put_name(struct smtp_trace_scan *s, char c)
{
	if (c == ':')
		begin_field(s);
	else if (s->name_n == sizeof(s->name))
		s->state = IN_VALUE; /* longer than any of ours */
	else
		s->name[s->name_n++] = c;
}

static void put(struct smtp_trace_scan *s, char c)
{
	if (c == '\n') {
		s->ended = s->state == AT_LINE || s->state == AT_LINE_CR;
		s->state = AT_LINE;
	} else if (s->state == AT_LINE && c == '\r') {
		s->state = AT_LINE_CR;
	} else if (s->state == AT_LINE || s->state == AT_LINE_CR) {
		begin_line(s, c);
		if (s->state == IN_KEPT)
			keep(s, c);
	} else if (s->state == IN_NAME) {
		put_name(s, c);
	} else {
		keep(s, c);
	}
}

void smtp_trace_feed(struct smtp_trace_scan *s, struct bytes slice)
{
	while (slice.n && !s->ended) {
		if (s->state == IN_VALUE) {
			ptrdiff_t lf = bytes_find_char(slice, '\n');

			slice = bytes_skip(slice, lf < 0 ? slice.n : (size_t)lf);
			if (slice.n == 0)
				break;
		}
		put(s, slice.p[0]);
		slice = bytes_skip(slice, 1);
	}
	if (s->ended)
		end_field(s);
}

void smtp_trace_finish(struct smtp_trace_scan *s)
{
	end_field(s);
	s->ended = true;
}
