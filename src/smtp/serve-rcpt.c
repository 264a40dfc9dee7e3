/* SPDX-License-Identifier: Apache-2.0 */
/* RCPT: a recipient, if the host takes it. The same mailbox again, in any spelling, is the same recipient. */
#include "base/map.h"
#include "mail/utf8.h"
#include "smtp/session.h"

static const struct smtp_answer *why_not(const struct smtp_session *s, const struct smtp_command *c)
{
	static const struct smtp_answer no_mail = { 503, "5.5.1", "MAIL comes first" };
	static const struct smtp_answer needs_utf8 = { 553, "5.6.7", "This address needs SMTPUTF8" };

	if (!s->t.is_open)
		return &no_mail;
	if ((c->path.is_utf8 || !utf8_is_ascii(c->rcpt.orcpt)) && !s->t.mail.smtputf8)
		return &needs_utf8;
	return NULL;
}

/* Not in the transaction yet. */
static struct smtp_recipient *recipient_new(struct arena *arena, const struct smtp_recipient *from)
{
	struct smtp_recipient *r = arena_alloc(arena, sizeof(*r));

	*r = *from;
	r->path.local = arena_copy(arena, from->path.local);
	r->path.domain = arena_copy(arena, from->path.domain);
	r->parameters.orcpt = arena_copy(arena, from->parameters.orcpt);
	r->key = arena_copy(arena, from->key);
	r->next = NULL;
	return r;
}

/* Whoever is refused so often does not listen. */
static const struct smtp_answer *refused(struct smtp_session *s)
{
	static const struct smtp_answer enough = { 421, "4.7.0", "Too many recipients that were refused" };
	unsigned most = s->settings->max_refused;

	return s->t.refused_n++ >= most && most ? &enough : NULL;
}

static bool is_there(const struct smtp_transaction *t, struct bytes key, uint64_t hash)
{
	for (const struct smtp_recipient *r = t->recipients; r; r = r->next)
		if (r->hash == hash && bytes_equal(r->key, key))
			return true;

	return false;
}

SUSPENDS int smtp_serve_rcpt(struct smtp_session *s, const struct smtp_command *c, struct fault *fault)
{
	static const struct smtp_answer again = { 250, "2.1.5", "Ok, as before" };
	static const struct smtp_answer too_many = { 452, "4.5.3", "Too many recipients" };
	_cleanup_(arena_done) struct arena scratch = { NULL };
	const struct smtp_answer *wrong = why_not(s, c);
	struct smtp_transaction *t = &s->t;
	struct smtp_recipient *r;
	struct smtp_say say;
	struct bytes key;
	uint64_t hash;

	if (wrong)
		return smtp_session_answer(s, wrong, fault);

	key = smtp_address_key(&c->path, &scratch);
	hash = siphash13(s->settings->seed, 0, key);
	if (is_there(t, key, hash))
		return smtp_session_answer(s, &again, fault);
	if (t->recipients_n >= s->settings->max_recipients) {
		wrong = refused(s);
		return smtp_session_answer(s, wrong ? wrong : &too_many, fault);
	}

	/* What is refused leaves nothing behind. */
	r = recipient_new(&scratch, &(struct smtp_recipient){ .path = c->path, .parameters = c->rcpt, .key = key, .hash = hash });
	smtp_say_set(&say, 250, "2.1.5", "Ok");
	if (s->host->ops->rcpt(s->host, &s->client, t, r, &say, fault) < 0 && smtp_session_excuse(fault, &say) < 0)
		return -1;
	if (say.code >= 300) {
		wrong = refused(s);
		return wrong ? smtp_session_answer(s, wrong, fault) : smtp_session_say(s, &say, fault);
	}
	r = recipient_new(&t->arena, r);
	*t->last = r;
	t->last = &r->next;
	t->recipients_n++;
	return smtp_session_say(s, &say, fault);
}
