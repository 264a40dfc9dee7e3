/* SPDX-License-Identifier: Apache-2.0 */
/* STARTTLS (RFC 3207): nothing that was said in clear counts afterwards, whether it was obeyed or only read. */
#include "smtp/session.h"

static const struct smtp_answer *why_not(const struct smtp_session *s)
{
	static const struct smtp_answer none = { 502, "5.5.1", "Command not implemented" };
	static const struct smtp_answer twice = { 503, "5.5.1", "TLS is active already" };

	if (s->client.tls)
		return &twice;
	return s->settings->tls ? NULL : &none;
}

SUSPENDS int smtp_serve_starttls(struct smtp_session *s, const struct smtp_command *c, struct fault *fault)
{
	static const struct smtp_answer ready = { 220, "2.0.0", "Ready to start TLS" };
	const struct smtp_answer *wrong = why_not(s);
	_deadline_(s->settings->handshake_us);

	if (wrong)
		return smtp_session_answer(s, wrong, fault);
	if (smtp_session_answer(s, &ready, fault) < 0)
		return -1;

	smtp_session_reset(s);
	smtp_session_forget_input(s);
	s->greeted = false;
	smtp_session_know(s, BYTES_NULL, s->client.name, s->client.login);
	if (tls_server_start(s->stream, s->settings->tls, fault) < 0) {
		s->over = true; /* there is no language left to say anything in */
		return -1;
	}

	s->client.tls = tls_describe(*s->stream);
	if (!s->client.tls)
		s->client.tls = "TLS";
	return 0;
}
