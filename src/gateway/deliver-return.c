/* SPDX-License-Identifier: Apache-2.0 */
/* What cannot be delivered: held for an operator's look if the route may be what is wrong, else returned to its
 * sender. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/deliver-inside.h"
#include "gateway/loops.h"
#include "imap/date.h"
#include "os/step.h"
#include "smtp/command.h"

/* --- the message that says so ---------------------------------------------------------------- */

/* What is made for one notification. */
struct notice {
	struct deliver *deliver;
	struct arena arena;
	const char *hostname; /* the configuration may be replaced meanwhile */
	struct journal_recipient to;
	struct queue_accept accept;
};

static void notice_done(struct notice *notice)
{
	arena_done(&notice->arena);
}

static const char *queue_id_of(struct notice *notice, uint64_t number)
{
	char id[QUEUE_ID_SIZE];

	queue_id_write(id, journal_id(queue_journal(notice->deliver->settings.queue)), number);
	return arena_strdup(&notice->arena, id);
}

/* So that one which comes back is known as ours. */
static const char *token_field(struct notice *notice, const char *queue_id)
{
	struct token_maker *tokens = notice->deliver->settings.tokens;
	unsigned char token[TOKEN_SIZE];
	char hex[2 * TOKEN_SIZE + 1];

	if (!tokens)
		return "";
	token_make(tokens, bytes_of(queue_id), token);
	for (unsigned i = 0; i < TOKEN_SIZE; i++)
		snprintf(hex + 2 * (size_t)i, 3, "%02x", token[i]);
	return arena_printf(&notice->arena, "X-Mailferry-Trace: %s %s\r\n", queue_id, hex);
}

/* A Received field without a "from": it came from nowhere. */
static struct bytes trace(void *arg, uint64_t number, const char *queue_id)
{
	struct notice *notice = arg;
	_cleanup_(buf_done) struct buf date = BUF_NULL;

	(void)number;
	imap_date_write(&date, run_wall() / SECOND, 0);
	for (size_t i = 0; i < date.n; i++)
		if (date.p[i] == '-')
			date.p[i] = ' ';
	return bytes_of(arena_printf(&notice->arena, "Received: by %s id %s;\r\n\t%.*s\r\n%s",
				     notice->hostname, queue_id,
				     (int)date.n - 2, date.p + 1, token_field(notice, queue_id)));
}

/* What of the message is returned: all of it if the sender asked for that and it is not large, else its header. */
SUSPENDS static int read_original(struct notice *notice, struct book_message *message,
				  const struct journal_accept *accept, bool whole, struct bytes *ret,
				  struct fault *fault)
{
	size_t most = whole ? DSN_RETURN_MAX : DSN_HEADER_MAX, n = 0;
	size_t want = accept->size < most ? (size_t)accept->size : most;
	char *content = arena_alloc(&notice->arena, accept->trace.n + want + 1);

	memcpy(content, accept->trace.p, accept->trace.n);
	while (n < want) {
		size_t got;

		if (queue_read(notice->deliver->settings.queue, message, n, content + accept->trace.n + n, want - n,
			       &got, fault) < 0)
			return -1;
		if (got == 0)
			break;
		n += got;
	}
	*ret = (struct bytes){ content, accept->trace.n + n };
	if (!whole)
		*ret = dsn_header_of(*ret);
	return 0;
}

static void digest(struct bytes content, unsigned char to[JOURNAL_DIGEST])
{
	_cleanup_(journal_hash_freep) struct journal_hash *hash = journal_hash_new();

	journal_hash(hash, content, BYTES_NULL, to);
}

/* Writes it and gives its content to the journal; it is accepted with the record that is about it. */
SUSPENDS static int make_notice(struct notice *notice, struct book_message *message,
				const struct journal_accept *accept, const struct dsn_recipient *recipients,
				size_t n, struct fault *fault)
{
	struct deliver *d = notice->deliver;
	bool whole = accept->ret == SMTP_RET_FULL && accept->size <= DSN_RETURN_MAX, eight_bit, utf8;
	struct journal_accept *record = &notice->accept.record;
	struct buf content = BUF_NULL;
	const char *hostname = arena_strdup(&notice->arena, d->settings.config->gateway.hostname);
	struct dsn dsn = {
		.hostname = hostname,
		.queue_id = queue_id_of(notice, message->number), .sender = accept->reverse_path,
		.envid = accept->envid, .message_id = accept->message_id,
		.arrived_us = message->accepted_us, .now_us = run_wall(), .smtputf8 = accept->smtputf8,
		.recipients = recipients, .n_recipients = n, .is_whole = whole,
	};
	struct fault ignored = FAULT_INIT;
	int r;

	notice->hostname = hostname;
	run_random(dsn.nonce, sizeof(dsn.nonce));
	/* Content that cannot be read is no reason to keep silent. */
	if (read_original(notice, message, accept, whole, &dsn.original, &ignored) < 0) {
		dsn.original = accept->trace;
		dsn.is_whole = false;
	}
	dsn_write(&content, &dsn, &eight_bit, &utf8);
	notice->to = (struct journal_recipient){ .address = accept->reverse_path };
	*record = (struct journal_accept){
		.body_kind = eight_bit, .smtputf8 = utf8, .size = content.n, .recipients = &notice->to,
		.n_recipients = 1, .dsn_for = message->number,
	};
	digest(buf_bytes(&content), record->digest);
	notice->accept.content = arena_copy(&notice->arena, buf_bytes(&content));
	notice->accept.trace = trace;
	notice->accept.arg = notice;
	r = queue_put_content(d->settings.queue, notice->accept.content, &notice->arena, &record->bodies,
			      &record->n_bodies, fault);
	buf_done(&content);
	step_point("deliver dsn");
	return r;
}

SUSPENDS int deliver_tell_success(struct deliver_job *j, const uint32_t *recipients, unsigned n,
				  enum dsn_action action, struct fault *fault)
{
	_cleanup_(notice_done) struct notice notice = { .deliver = j->deliver };
	struct dsn_recipient *told = arena_alloc(&notice.arena, n * sizeof(*told));
	uint64_t number;

	for (unsigned i = 0; i < n; i++)
		told[i] = (struct dsn_recipient){
			.address = j->accept.recipients[recipients[i]].address,
			.orcpt = j->accept.recipients[recipients[i]].orcpt,
			.action = action, .host = j->host, .at_us = run_wall(),
		};
	if (make_notice(&notice, j->job->message, &j->accept, told, n, fault) == 0 &&
	    queue_accept(j->deliver->settings.queue, &notice.accept, &number, fault) == 0)
		return 0;
	/* The mail itself was delivered: for want of room, that is not told. */
	return fault->kind == FAULT_LIMIT && fault->again == AGAIN_LATER ? 0 : -1;
}

/* --- held, or returned ----------------------------------------------------------------------- */

/* A refusal for good soon after the route of its recipient changed: the directory of the other side may lag, or the
 * change was wrong. */
static bool is_route_fault(const struct deliver *d, const struct deliver_refusal *r)
{
	struct router_answer answer = router_find(queue_router(d->settings.queue), book_leg_key(r->leg));
	int64_t changed_us = (int64_t)answer.changed_s * SECOND;

	return r->is_refused && answer.match != ROUTER_NOT_OURS && !r->leg->message->is_dsn &&
	       run_wall() - changed_us < d->settings.config->gateway.route_fault_us;
}

SUSPENDS static int hold(struct deliver *d, const struct deliver_refusal *r, struct fault *fault)
{
	char id[QUEUE_ID_SIZE], reason[COURIER_TEXT + 100];
	struct book_leg *leg = r->leg;

	queue_id_write(id, journal_id(queue_journal(d->settings.queue)), leg->message->number);
	snprintf(reason, sizeof(reason), "%s said %u %.*s", r->host, r->code, BYTES_ARG(r->text));
	d->view.route_faults++;
	deliver_alarm(d, "route-fault", "%s for %.*s is held: the %s platform refused it soon after its route changed: %s",
		      id, BYTES_ARG(book_leg_key(leg)), leg->target == BOOK_NEW ? "new" : "old", reason);
	return queue_hold(d->settings.queue, &leg, 1, "route fault", reason, fault);
}

/* told: with a notification. */
SUSPENDS static int give_back(struct deliver *d, const struct journal_accept *accept,
			      const struct deliver_refusal *refusals, unsigned n, bool told, struct fault *fault)
{
	_cleanup_(notice_done) struct notice notice = { .deliver = d };
	struct dsn_recipient *recipients = arena_alloc(&notice.arena, n * sizeof(*recipients));
	struct book_leg **legs = arena_alloc(&notice.arena, n * sizeof(struct book_leg *));
	const char *reason = "";
	int r = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct deliver_refusal *refusal = &refusals[i];
		const struct journal_recipient *recipient = &accept->recipients[refusal->leg->recipient];

		recipients[i] = (struct dsn_recipient){
			.address = recipient->address, .orcpt = recipient->orcpt, .action = DSN_FAILED,
			.status = refusal->enhanced, .host = refusal->host, .code = refusal->code,
			.text = refusal->text, .at_us = refusal->host ? run_wall() : 0,
		};
		reason = refusal->is_refused ? "refused" : "life over";
		legs[i] = refusal->leg;
	}
	if (n == 0)
		return 0;
	if (told)
		r = make_notice(&notice, legs[0]->message, accept, recipients, n, fault);
	if (r == 0)
		r = queue_return(d->settings.queue, legs, n, reason, told ? &notice.accept : NULL, fault);
	/* Without room for the notification nothing is given up: who makes room releases it. */
	if (r < 0 && fault->kind == FAULT_LIMIT && fault->again == AGAIN_LATER)
		return queue_hold(d->settings.queue, legs, n, "no room", fault->text, fault);
	if (r == 0)
		d->view.returned += n;
	return r;
}

SUSPENDS int deliver_give_up(struct deliver *d, const struct journal_accept *accept,
			     const struct deliver_refusal *refusals, unsigned n, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct deliver_refusal *told = arena_alloc(&arena, n * sizeof(*told));
	struct deliver_refusal *untold = arena_alloc(&arena, n * sizeof(*untold));
	unsigned n_told = 0, n_untold = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct deliver_refusal *r = &refusals[i];

		if (is_route_fault(d, r)) {
			if (hold(d, r, fault) < 0)
				return -1;
		} else if (dsn_is_wanted(accept, &accept->recipients[r->leg->recipient], r->leg->copy, DSN_FAILED)) {
			told[n_told++] = *r;
		} else {
			untold[n_untold++] = *r;
		}
	}
	/* The notification first: it reads the message, which goes with its last leg. */
	if (give_back(d, accept, told, n_told, true, fault) < 0)
		return -1;
	return give_back(d, accept, untold, n_untold, false, fault);
}

/* Whose it was is not known: nobody can be told. */
SUSPENDS static int hold_unread(struct deliver *d, struct book_leg *leg, const char *why, struct fault *fault)
{
	deliver_alarm(d, "damaged", "message %llu cannot be returned: %s", (unsigned long long)leg->message->number, why);
	return queue_hold(d->settings.queue, &leg, 1, "damaged", why, fault);
}

SUSPENDS int deliver_expire(struct deliver *d, struct book_leg *leg, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct deliver_refusal refusal = { .leg = leg };
	struct journal_accept accept;
	struct fault why;

	if (queue_envelope(d->settings.queue, leg->message, &arena, &accept, &why) < 0) {
		if (why.kind != FAULT_CANCELLED)
			return hold_unread(d, leg, why.text, fault);
		*fault = why;
		return -1;
	}
	if (leg->recipient >= accept.n_recipients)
		return hold_unread(d, leg, "its envelope has no such recipient", fault);
	refusal.text = bytes_of(leg->code ? arena_printf(&arena, "it could not be delivered in time; the last answer was %u",
							 leg->code)
					  : "it could not be delivered in time");
	return deliver_give_up(d, &accept, &refusal, 1, fault);
}
