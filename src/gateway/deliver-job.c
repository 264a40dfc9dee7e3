/* SPDX-License-Identifier: Apache-2.0 */
/* One job, the keeper's side: a transaction of some legs of one message with one host, from its ATTEMPT to its RESULT. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/deliver-inside.h"
#include "os/step.h"
#include "smtp/client.h"

#define SETTLE_TIME (30 * SECOND) /* for the last records of a job that is cancelled */

/* --- which legs, and the JOB ----------------------------------------------------------------- */

static const struct journal_recipient *recipient_of(const struct deliver_job *j, const struct book_leg *leg)
{
	return leg->recipient < j->accept.n_recipients ? &j->accept.recipients[leg->recipient] : NULL;
}

static void fill_recipient(const struct deliver_job *j, const struct book_leg *leg, struct courier_recipient *to)
{
	const struct journal_recipient *r = recipient_of(j, leg);

	*to = (struct courier_recipient){ .to = r->address, .orcpt = r->orcpt,
					  .notify = leg->copy ? SMTP_NOTIFY_NEVER : r->notify };
}

/* What does not fit into a frame goes with the next job. */
SUSPENDS static int choose_legs(struct deliver_job *j, struct courier_recipient *recipients, struct fault *fault)
{
	struct queue_job *job = j->job;
	struct queue_answer *late = arena_alloc(&j->arena, job->n * sizeof(*late));
	struct queue_how how = { BYTES_NULL, BYTES_NULL, BYTES_NULL, BYTES_NULL };
	unsigned n_late = 0;
	size_t room = 0;

	for (unsigned i = 0; i < job->n; i++) {
		struct courier_recipient *to = &recipients[j->n];

		if (!recipient_of(j, job->legs[i]))
			return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER,
					 "message %llu has no recipient %u", (unsigned long long)job->message->number,
					 job->legs[i]->recipient);
		fill_recipient(j, job->legs[i], to);
		room += courier_room(to);
		if (j->n > 0 && room > COURIER_JOB_BYTES)
			late[n_late++] = (struct queue_answer){ .leg = job->legs[i], .answer = SCHEDULE_UNTRIED,
								.fate = JOURNAL_OPEN, .cause = "" };
		else
			j->legs[j->n++] = job->legs[i];
	}
	return n_late ? queue_result(j->deliver->settings.queue, job, &how, late, n_late, fault) : 0;
}

/* XFORWARD_README: IPv6 addresses with a prefix; SMTP or ESMTP, whatever else is known. */
static void fill_origin(struct deliver_job *j, struct courier_job *to)
{
	const struct journal_accept *a = &j->accept;

	to->addr = a->peer;
	if (bytes_find_char(a->peer, ':') >= 0)
		to->addr = bytes_of(arena_printf(&j->arena, "IPV6:%.*s", BYTES_ARG(a->peer)));
	if (a->peer_port)
		to->port = bytes_of(arena_printf(&j->arena, "%llu", (unsigned long long)a->peer_port));
	to->proto = bytes_starts(a->protocol, BYTES("SMTP")) ? BYTES("SMTP") : BYTES("ESMTP");
	to->helo = a->helo;
}

static void put_job(struct deliver_job *j, struct courier_recipient *recipients)
{
	const struct journal_accept *a = &j->accept;
	struct courier_job job = {
		.target = j->job->target, .host = j->job->host, .from = a->reverse_path, .envid = a->envid,
		.ret = a->ret, .has_8bit = a->body_kind == 1, .smtputf8 = a->smtputf8, .size = j->size,
		.recipients = recipients, .n_recipients = j->n,
	};

	fill_origin(j, &job);
	map_put(&j->peer->by_id, (struct bytes){ (const char *)&j->id, sizeof(j->id) }, j);
	courier_put_order(j->peer->link, ORDER_JOB, j->id, &job);
}

/* --- content --------------------------------------------------------------------------------- */

/* Whatever keeps a message from being read, the others can be. LIMIT: we have too much open for now. */
static int unreadable(struct fault *fault)
{
	if (fault->kind != FAULT_CANCELLED && fault->kind != FAULT_LIMIT)
		fault->kind = FAULT_DATA;
	return -1;
}

static void put_content(struct deliver_job *j, struct bytes content)
{
	while (content.n > 0) {
		struct bytes piece = bytes_head(content, COURIER_PIECE);

		link_put(j->peer->link, ORDER_CONTENT, j->id, piece, BYTES_NULL);
		j->sent += piece.n;
		content = bytes_skip(content, piece.n);
	}
}

/* What there is room for: the trace first, then what came. 1: all of it is sent, or there is no room. */
SUSPENDS static int send_content(struct deliver_job *j, struct fault *fault)
{
	struct queue *queue = j->deliver->settings.queue;
	struct bytes trace = j->accept.trace, all;
	uint64_t room = COURIER_WINDOW - (j->sent - j->taken);
	_cleanup_(freep) char *piece = NULL;
	size_t n, got;

	/* Of what fits as a whole the courier does not tell what it took. */
	if (j->sent == j->size || (j->size > COURIER_WINDOW && room < COURIER_PIECE))
		return 1;
	if (j->sent == 0 && j->size <= COURIER_PIECE && queue_content(queue, j->job->message, &all)) {
		link_put(j->peer->link, ORDER_CONTENT, j->id, trace, all);
		j->sent = j->size;
		return 1;
	}
	if (j->sent == 0)
		put_content(j, trace); /* some 500 bytes */
	if (j->size <= COURIER_WINDOW && queue_content(queue, j->job->message, &all)) {
		put_content(j, bytes_skip(all, j->sent - trace.n));
		return 1;
	}

	n = j->size - j->sent < COURIER_PIECE ? (size_t)(j->size - j->sent) : COURIER_PIECE;
	piece = xmalloc(n + 1);
	if (n > 0 && queue_read(queue, j->job->message, j->sent - trace.n, piece, n, &got, fault) < 0)
		return unreadable(fault);
	if (n > 0 && got == 0)
		return fault_set(fault, FAULT_DATA, REACH_MESSAGE, AGAIN_NEVER,
				 "the content of message %llu is shorter than it was",
				 (unsigned long long)j->job->message->number);
	if (j->peer)
		put_content(j, (struct bytes){ piece, n > 0 ? got : 0 });
	return 0;
}

/* --- the intent ------------------------------------------------------------------------------ */

SUSPENDS static int say_go(struct deliver_job *j, struct fault *fault)
{
	struct book_leg **legs = arena_alloc(&j->arena, j->n * sizeof(struct book_leg *));
	unsigned n = 0;

	for (unsigned i = 0; i < j->n; i++)
		if (j->said[i].was_asked)
			legs[n++] = j->legs[i];
	if (queue_intent(j->deliver->settings.queue, j->job, legs, n, fault) < 0)
		return -1;

	step_point("deliver intent");
	j->is_asking = false;
	if (j->peer)
		courier_put_order(j->peer->link, ORDER_GO, j->id, NULL);
	return 0;
}

SUSPENDS static int converse(struct deliver_job *j, struct fault *fault)
{
	while (!j->is_over) {
		int r = send_content(j, fault);

		if (r < 0)
			return -1;
		if (r == 0 || j->is_over)
			continue;
		if (j->is_asking) {
			if (say_go(j, fault) < 0)
				return -1;
			continue;
		}
		if (waiters_wait(&j->news, "what came of a job", fault) < 0)
			return -1;
	}
	return 0;
}

/* --- answers --------------------------------------------------------------------------------- */

static const char *cause_of_end(unsigned end)
{
	switch (end) {
	case COURIER_UNREACHABLE:
		return "unreachable";
	case COURIER_TOO_MANY:
		return "too many connections";
	case COURIER_STOPPED:
		return "stopped";
	default:
		return "lost";
	}
}

static enum schedule_answer answer_to_temporary(const struct courier_outcome *o, bool reused)
{
	switch (o->about) {
	case SMTP_ABOUT_MAILBOX_THROTTLE:
		return SCHEDULE_MAILBOX;
	case SMTP_ABOUT_SERVER_THROTTLE:
		return SCHEDULE_SERVER;
	case SMTP_ABOUT_MANY_RECIPIENTS:
		return SCHEDULE_UNTRIED;
	case SMTP_ABOUT_CONNECTION:
		/* So many messages a connection, and no more: the next one is made at once. */
		return o->closes && reused && o->stage == SMTP_AT_MAIL ? SCHEDULE_UNTRIED : SCHEDULE_DEFERRED;
	default:
		return SCHEDULE_DEFERRED;
	}
}

static void answer_unsaid(const struct deliver_job *j, unsigned i, struct queue_answer *to)
{
	unsigned end = (unsigned)j->result.end;

	to->text = j->result.text;
	to->code = (unsigned)j->result.code;
	to->cause = cause_of_end(end);
	to->fate = JOURNAL_OPEN;
	to->answer = end == COURIER_UNREACHABLE || end == COURIER_TOO_MANY ? SCHEDULE_UNTRIED : SCHEDULE_DEFERRED;
	/* Of a courier that is gone nobody knows whether it sent the dot. */
	if (!j->said[i].is_known && j->said[i].was_asked && !j->is_asking) {
		to->fate = JOURNAL_IN_DOUBT;
		to->answer = SCHEDULE_REFUSED;
		to->cause = "no answer";
	}
}

static void fill_answer(const struct deliver_job *j, unsigned i, struct queue_answer *to)
{
	const struct courier_outcome *o = &j->said[i].outcome;

	*to = (struct queue_answer){ .leg = j->legs[i], .cause = "" };
	if (!j->said[i].is_known || o->outcome == SMTP_UNTRIED) {
		answer_unsaid(j, i, to);
		return;
	}

	to->told_us = (int64_t)(o->after_us < (uint64_t)INT64_MAX ? o->after_us : 0);
	to->code = (unsigned)o->code;
	to->enhanced = o->enhanced;
	to->text = o->text;
	to->remote_id = o->remote_id;
	switch (o->outcome) {
	case SMTP_ACCEPTED:
		to->answer = SCHEDULE_ACCEPTED;
		to->fate = JOURNAL_DELIVERED;
		break;
	case SMTP_DOUBT:
		to->answer = SCHEDULE_REFUSED;
		to->fate = JOURNAL_IN_DOUBT;
		to->cause = "no answer";
		to->text = j->result.text;
		break;
	case SMTP_PERMANENT:
		to->answer = SCHEDULE_REFUSED;
		/* The server was not even asked: it does not offer what the message needs, which we took since it was offered once. That
		 * is no fault of the sender's. */
		if (o->code == 0 && (bytes_equal(o->enhanced, BYTES("5.6.7")) || bytes_equal(o->enhanced, BYTES("5.3.4")))) {
			to->fate = JOURNAL_HELD;
			to->cause = "cannot be carried";
			break;
		}
		to->fate = JOURNAL_OPEN;
		to->cause = o->about ? smtp_about_name((enum smtp_about)o->about) : "refused";
		break;
	default:
		to->answer = answer_to_temporary(o, j->result.reused);
		to->fate = JOURNAL_OPEN;
		to->cause = o->about ? smtp_about_name((enum smtp_about)o->about) : "deferred";
		break;
	}
}

static enum schedule_end end_of(const struct deliver_job *j)
{
	switch (j->result.end) {
	case COURIER_UNREACHABLE:
		return SCHEDULE_UNREACHABLE;
	case COURIER_TOO_MANY:
		return SCHEDULE_TOO_MANY;
	case COURIER_LOST: /* a courier of ours that ended says nothing about the host */
		return j->peer ? SCHEDULE_LOST : SCHEDULE_WORKED;
	default:
		return SCHEDULE_WORKED;
	}
}

/* --- after ----------------------------------------------------------------------------------- */

struct after {
	struct deliver_refusal *refusals;
	uint32_t *successes; /* recipients of whom the sender wants to hear */
	enum dsn_action success;
	unsigned n_refusals, n_successes;
};

/* Before the RESULT: a leg that was settled is gone after it. */
static void note_successes(struct deliver_job *j, const struct queue_answer *answers, struct after *after)
{
	if (j->result.offers_dsn && !j->is_lmtp)
		return; /* the other server tells */
	after->success = j->is_lmtp ? DSN_DELIVERED : DSN_RELAYED;
	for (unsigned i = 0; i < j->n; i++) {
		const struct book_leg *leg = answers[i].leg;

		if (answers[i].fate == JOURNAL_DELIVERED &&
		    dsn_is_wanted(&j->accept, recipient_of(j, leg), leg->copy, after->success))
			after->successes[after->n_successes++] = leg->recipient;
	}
}

static void note_refusals(struct deliver_job *j, const struct queue_answer *answers, struct after *after)
{
	for (unsigned i = 0; i < j->n; i++)
		if (answers[i].is_parked)
			after->refusals[after->n_refusals++] = (struct deliver_refusal){
				.leg = answers[i].leg, .is_refused = answers[i].answer == SCHEDULE_REFUSED,
				.host = j->host, .code = answers[i].code, .enhanced = answers[i].enhanced,
				.text = answers[i].text,
			};
}

static void alarm_of_held(struct deliver_job *j, const struct queue_answer *answers)
{
	for (unsigned i = 0; i < j->n; i++)
		if (answers[i].fate == JOURNAL_HELD) {
			deliver_alarm(j->deliver, "cannot-carry", "message %llu is held: the %s platform cannot take it: %.*s",
				      (unsigned long long)j->job->message->number, j->job->target == BOOK_NEW ? "new" : "old",
				      BYTES_ARG(answers[i].text));
			return;
		}
}

SUSPENDS static int put_results(struct deliver_job *j, struct after *after, struct fault *fault)
{
	struct queue_answer *answers = arena_alloc(&j->arena, j->n * sizeof(*answers));
	struct bytes cipher = j->result.tls, version = bytes_cut(&cipher, ',');
	struct queue_how how = { bytes_of(j->host), version, bytes_trim(cipher), j->result.text };

	after->refusals = arena_alloc(&j->arena, j->n * sizeof(*after->refusals));
	after->successes = arena_alloc(&j->arena, j->n * sizeof(*after->successes));
	for (unsigned i = 0; i < j->n; i++)
		fill_answer(j, i, &answers[i]);
	note_successes(j, answers, after);
	alarm_of_held(j, answers);
	step_point("deliver result");
	if (queue_result(j->deliver->settings.queue, j->job, &how, answers, j->n, fault) < 0)
		return -1;

	step_point("deliver settled");
	note_refusals(j, answers, after);
	return 0;
}

/* Content that cannot be read any more: nothing can be delivered, and nothing is returned without a person's look. */
SUSPENDS static int hold_damaged(struct deliver_job *j, const struct fault *why, struct fault *fault)
{
	struct queue_answer *answers = arena_alloc(&j->arena, j->n * sizeof(*answers));
	struct queue_how how = { bytes_of(j->host), BYTES_NULL, BYTES_NULL, bytes_of(why->text) };

	for (unsigned i = 0; i < j->n; i++)
		answers[i] = (struct queue_answer){ .leg = j->legs[i], .answer = SCHEDULE_REFUSED,
						    .fate = JOURNAL_HELD, .cause = "damaged",
						    .text = bytes_of(why->text) };
	deliver_alarm(j->deliver, "damaged", "message %llu cannot be delivered: %s",
		      (unsigned long long)j->job->message->number, why->text);
	return queue_result(j->deliver->settings.queue, j->job, &how, answers, j->n, fault);
}

SUSPENDS static int put_off(struct deliver_job *j, const struct fault *why, struct fault *fault)
{
	struct queue_answer *answers = arena_alloc(&j->arena, j->n * sizeof(*answers));
	struct queue_how how = { bytes_of(j->host), BYTES_NULL, BYTES_NULL, bytes_of(why->text) };

	for (unsigned i = 0; i < j->n; i++)
		answers[i] = (struct queue_answer){ .leg = j->legs[i], .answer = SCHEDULE_DEFERRED,
						    .fate = JOURNAL_OPEN, .cause = "not read",
						    .text = bytes_of(why->text) };
	return queue_result(j->deliver->settings.queue, j->job, &how, answers, j->n, fault);
}

SUSPENDS static int end_unread(struct deliver_job *j, const struct fault *why, struct fault *fault)
{
	return why->kind == FAULT_LIMIT ? put_off(j, why, fault) : hold_damaged(j, why, fault);
}

/* --- a job ----------------------------------------------------------------------------------- */

/* While the configuration is the one by which schedule and courier know the host. */
static void name_host(struct deliver_job *j)
{
	const struct endpoints *hosts = &deliver_smtp(j->deliver, j->job->target)->hosts;
	const struct endpoint *host;
	char text[264];

	assert(j->job->host < hosts->n && j->job->host < j->peer->hosts[j->job->target]);
	host = &hosts->p[j->job->host];
	endpoint_format(host, text);
	j->host = arena_strdup(&j->arena, text);
	j->is_lmtp = host->scheme == CONFIG_LMTP;
}

SUSPENDS static int read_message(struct deliver_job *j, struct courier_recipient *recipients, struct fault *fault)
{
	if (queue_envelope(j->deliver->settings.queue, j->job->message, &j->arena, &j->accept, fault) < 0)
		return unreadable(fault);
	return choose_legs(j, recipients, fault);
}

/* Nobody knows what it is, or whose. */
SUSPENDS static int end_unknown(struct deliver_job *j, const struct fault *why, struct fault *fault)
{
	j->n = j->job->n;
	memcpy(j->legs, j->job->legs, j->n * sizeof(struct book_leg *));
	if (queue_attempt(j->deliver->settings.queue, j->job, j->host, fault) < 0)
		return -1;
	return end_unread(j, why, fault);
}

/* From the decision to the courier's last word. 1: what was said stands in j; 0: it was not begun, or settled already. */
SUSPENDS static int attempt(struct deliver_job *j, struct fault *fault)
{
	struct queue *queue = j->deliver->settings.queue;
	struct courier_recipient *recipients = arena_alloc(&j->arena, j->job->n * sizeof(*recipients));
	struct fault why = FAULT_INIT;

	j->legs = arena_alloc(&j->arena, j->job->n * sizeof(struct book_leg *));
	j->said = arena_alloc(&j->arena, j->job->n * sizeof(*j->said));
	if (read_message(j, recipients, &why) < 0) {
		if (why.kind == FAULT_DATA || why.kind == FAULT_LIMIT)
			return end_unknown(j, &why, fault);
		*fault = why;
		return -1;
	}
	j->size = j->accept.trace.n + j->accept.size;
	step_point("deliver routed");
	if (queue_attempt(queue, j->job, j->host, fault) < 0)
		return -1;

	step_point("deliver attempt");
	j->id = j->job->attempt;
	j->deliver->view.attempts++;
	if (!j->peer)
		return 1;
	put_job(j, recipients);
	if (converse(j, &why) == 0)
		return 1;
	if (why.kind == FAULT_DATA || why.kind == FAULT_LIMIT) {
		if (j->peer)
			courier_put_order(j->peer->link, ORDER_NO_GO, j->id, NULL);
		return end_unread(j, &why, fault);
	}
	if (why.kind != FAULT_CANCELLED) {
		*fault = why;
		return -1;
	}
	return 1;
}

/* The courier may still say something about it, which nobody needs. */
static void let_go(struct deliver_job *j)
{
	struct deliver_peer *peer = j->peer;

	if (!peer)
		return;
	map_remove(&peer->by_id, (struct bytes){ (const char *)&j->id, sizeof(j->id) });
	list_remove(&j->of_peer);
	peer->n_jobs--;
	waiters_wake_all(&peer->changed);
	j->peer = NULL;
}

SUSPENDS static int run_job(void *arg, struct fault *fault)
{
	struct deliver_job *j = arg;
	struct deliver *d = j->deliver;
	struct after after = { .n_refusals = 0 };
	int64_t former;
	int r = attempt(j, fault);
	bool began = r > 0;

	former = run_shield(SETTLE_TIME);
	if (r > 0)
		r = put_results(j, &after, fault);
	if (r == 0 && after.n_successes)
		r = deliver_tell_success(j, after.successes, after.n_successes, after.success, fault);
	if (r == 0) {
		d->view.connections_reused += j->result.reused != 0;
		queue_end(d->settings.queue, j->job, began ? end_of(j) : SCHEDULE_UNUSED, (int64_t)j->result.after_us);
		j->job = NULL;
	}
	if (r < 0 && j->job)
		queue_abandon(d->settings.queue, j->job);
	if (r == 0 && after.n_refusals)
		r = deliver_give_up(d, &j->accept, after.refusals, after.n_refusals, fault);
	run_unshield(former);
	let_go(j);
	arena_done(&j->arena);
	free(j);
	d->n_jobs--;
	waiters_wake_all(queue_work(d->settings.queue));
	return r;
}

void deliver_start_job(struct deliver *d, struct deliver_peer *peer, struct queue_job *job)
{
	struct deliver_job *j = xzalloc(sizeof(*j));

	j->deliver = d;
	j->peer = peer;
	j->job = job;
	waiters_init(&j->news);
	list_append(&peer->jobs, &j->of_peer);
	peer->n_jobs++;
	name_host(j);
	d->n_jobs++;
	nursery_start(d->nursery, run_job, j, "a job");
}
