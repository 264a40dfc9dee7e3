/* SPDX-License-Identifier: Apache-2.0 */
/* XCLIENT and XFORWARD: what a front that we trust says of its client. XCLIENT makes this session the client's
 * own; XFORWARD is for the next transaction's records only. */
#include "smtp/session.h"

static const struct smtp_answer not_you = { 502, "5.5.1", "Command not implemented" };
static const struct smtp_answer in_transaction = { 503, "5.5.1", "Not in a transaction" };

static void take(struct smtp_transaction *t, struct bytes *to, struct bytes from)
{
	*to = arena_copy(&t->arena, from);
}

SUSPENDS int smtp_serve_xclient(struct smtp_session *s, const struct smtp_command *c, struct fault *fault)
{
	const struct smtp_attributes *a = &c->attributes;
	struct smtp_say say;

	if (!s->may_xclient)
		return smtp_session_answer(s, &not_you, fault);
	if (s->t.is_open)
		return smtp_session_answer(s, &in_transaction, fault);

	smtp_session_reset(s);
	s->greeted = false;
	if (a->named & SMTP_ATTR_ADDR)
		s->client.address = a->address;
	if (a->named & SMTP_ATTR_PORT)
		s->client.port = a->port;
	smtp_session_know(s, a->named & SMTP_ATTR_HELO ? a->helo : s->client.helo,
			  a->named & SMTP_ATTR_NAME ? a->name : s->client.name,
			  a->named & SMTP_ATTR_LOGIN ? a->login : s->client.login);
	smtp_say_set(&say, 220, "", "%.200s ESMTP", s->settings->hostname);
	if (a->named & SMTP_ATTR_ADDR && smtp_session_came(s, &say, fault) < 0)
		return -1;
	s->over = say.code >= 300;
	return smtp_session_say(s, &say, fault);
}

SUSPENDS int smtp_serve_xforward(struct smtp_session *s, const struct smtp_command *c, struct fault *fault)
{
	static const struct smtp_answer ok = { 250, "2.0.0", "Ok" };
	const struct smtp_attributes *a = &c->attributes;
	struct smtp_attributes *to = &s->t.forward;

	if (!s->may_xforward)
		return smtp_session_answer(s, &not_you, fault);
	if (s->t.is_open)
		return smtp_session_answer(s, &in_transaction, fault);

	to->named |= a->named; /* it may come in several commands */
	if (a->named & SMTP_ATTR_ADDR)
		to->address = a->address;
	if (a->named & SMTP_ATTR_PORT)
		to->port = a->port;
	if (a->named & SMTP_ATTR_NAME)
		take(&s->t, &to->name, a->name);
	if (a->named & SMTP_ATTR_PROTO)
		take(&s->t, &to->proto, a->proto);
	if (a->named & SMTP_ATTR_HELO)
		take(&s->t, &to->helo, a->helo);
	if (a->named & SMTP_ATTR_IDENT)
		take(&s->t, &to->ident, a->ident);
	return smtp_session_answer(s, &ok, fault);
}
