/* SPDX-License-Identifier: Apache-2.0 */
/* HELO and EHLO: who the client says it is, and what it may use. */
#include "smtp/session.h"

static void line(struct buf *to, const char *text)
{
	buf_appendf(to, "250-%s\r\n", text);
}

static void append_extensions(const struct smtp_session *s, struct buf *to)
{
	const struct smtp_settings *set = s->settings;

	line(to, "PIPELINING");
	if (s->offered & SMTP_SIZE)
		buf_appendf(to, "250-SIZE %llu\r\n", (unsigned long long)s->max_size);
	if (set->tls && !s->client.tls)
		line(to, "STARTTLS");
	if (s->offered & SMTP_8BITMIME)
		line(to, "8BITMIME");
	if (s->offered & SMTP_SMTPUTF8)
		line(to, "SMTPUTF8");
	if (s->offered & SMTP_DSN)
		line(to, "DSN");
	if (s->may_xclient)
		line(to, "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT");
	if (s->may_xforward)
		line(to, "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE");
	buf_appendf(to, "250-LIMITS RCPTMAX=%u\r\n", set->max_recipients); /* RFC 9422 */
	buf_append_str(to, "250 ENHANCEDSTATUSCODES\r\n");
}

SUSPENDS int smtp_serve_hello(struct smtp_session *s, const struct smtp_command *c, struct fault *fault)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	bool esmtp = c->verb == SMTP_EHLO;

	smtp_session_reset(s);
	s->greeted = true;
	s->offered = s->settings->offered;
	s->max_size = s->settings->max_size;
	s->client.esmtp = esmtp;
	smtp_session_know(s, c->argument, s->client.name, s->client.login);
	buf_appendf(&text, "250%c%.200s\r\n", esmtp ? '-' : ' ', s->settings->hostname);
	if (esmtp)
		append_extensions(s, &text);
	return smtp_session_text(s, buf_bytes(&text), fault);
}
