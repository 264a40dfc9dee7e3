/* SPDX-License-Identifier: Apache-2.0 */
/* MAIL: begins a transaction. One that is refused leaves none, also not the one that was there: what follows in
 * the same pipelined group must not end up in another message's envelope. */
#include "smtp/session.h"

static struct smtp_address keep_address(struct arena *arena, const struct smtp_address *a)
{
	struct smtp_address kept = *a;

	kept.local = arena_copy(arena, a->local);
	kept.domain = arena_copy(arena, a->domain);
	return kept;
}

static const struct smtp_answer *why_not(const struct smtp_session *s, const struct smtp_command *c)
{
	static const struct smtp_answer nested = { 503, "5.5.1", "There is a transaction already" };
	static const struct smtp_answer too_large = { 552, "5.3.4", "Message size exceeds the limit" };

	if (s->t.is_open)
		return &nested;
	return c->mail.has_size && c->mail.size > s->max_size ? &too_large : NULL;
}

SUSPENDS int smtp_serve_mail(struct smtp_session *s, const struct smtp_command *c, struct fault *fault)
{
	const struct smtp_answer *wrong = why_not(s, c);
	struct smtp_transaction *t = &s->t;
	struct smtp_say say;

	if (wrong) {
		smtp_session_reset(s);
		return smtp_session_answer(s, wrong, fault);
	}

	t->is_open = true;
	t->last = &t->recipients;
	t->sender = keep_address(&t->arena, &c->path);
	t->mail = c->mail;
	t->mail.envid = arena_copy(&t->arena, c->mail.envid);
	smtp_say_set(&say, 250, "2.1.0", "Ok");
	if (s->host->ops->mail && s->host->ops->mail(s->host, &s->client, t, &say, fault) < 0 &&
	    smtp_session_excuse(fault, &say) < 0)
		return -1;
	if (say.code >= 300)
		smtp_session_reset(s);
	return smtp_session_say(s, &say, fault);
}
