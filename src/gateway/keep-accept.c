/* SPDX-License-Identifier: Apache-2.0 */
/* From a message's last frame to its answer. What the edge says is looked at as what a stranger says: addresses are read again, and
 * nothing that could end a line gets into a trace field or a record. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/keep.h"
#include "gateway/metrics.h"
#include "os/step.h"
#include "smtp/address.h"
#include "smtp/command.h"
#include "smtp/trace.h"

struct accepting {
	struct keep_edge *edge;
	struct keep_slot *slot;
	uint64_t id;
	struct keep_message *message;
	struct arena arena;           /* of what follows */
	struct queue_accept accept;
	struct bytes *keys;           /* of the recipients */
	bool *holds;                  /* which of them go round in circles */
	enum loops_sign sign;         /* why */
	uint64_t origin;
	uint64_t key[2];              /* inbound_key() */
	int64_t began;                /* all of it had come */
};

static struct accepting *accepting_free(struct accepting *a)
{
	keep_message_free(a->message);
	arena_done(&a->arena);
	free(a);
	return NULL;
}

/* --- what the edge says ---------------------------------------------------------------------- */

static bool is_clean(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
			return false;
	return true;
}

static bool is_address(struct bytes text, struct arena *arena, struct smtp_address *ret)
{
	return !smtp_mailbox_parse(text, arena, ret);
}

/* RCPT TO:<postmaster> means that of our first domain. */
static struct bytes whole_address(const struct keep *keep, struct bytes text, struct arena *arena)
{
	const char *const *domains = keep->k->config->gateway.domains;

	if (!bytes_equal_nocase(text, BYTES("postmaster")) || !domains || !domains[0])
		return text;
	return bytes_of(arena_printf(arena, "postmaster@%s", domains[0]));
}

/* RFC 3461 section 4.1: NEVER stands alone. */
static bool is_notify(uint64_t notify)
{
	const unsigned all = SMTP_NOTIFY_NEVER | SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY;

	return notify == SMTP_NOTIFY_NEVER || !(notify & ~(uint64_t)(all & ~SMTP_NOTIFY_NEVER));
}

static int check_recipients(struct accepting *a, struct fault *fault)
{
	struct journal_accept *r = &a->accept.record;

	a->keys = arena_alloc(&a->arena, (r->n_recipients + 1) * sizeof(*a->keys));
	a->holds = arena_alloc(&a->arena, r->n_recipients + 1);
	for (size_t i = 0; i < r->n_recipients; i++) {
		struct journal_recipient *to = &r->recipients[i];
		struct smtp_address address;

		to->address = whole_address(a->edge->keep, to->address, &a->arena);
		if (!is_address(to->address, &a->arena, &address) || to->parameters.n ||
		    (to->orcpt.n && !smtp_orcpt_is_good(to->orcpt, &a->arena)) || !is_notify(to->notify))
			return fault_protocol(fault, "edge %u sent a recipient that is none", a->edge->number);
		a->keys[i] = smtp_address_key(&address, &a->arena);
	}
	return 0;
}

static int check(struct accepting *a, struct fault *fault)
{
	const struct journal_accept *r = &a->accept.record;
	const struct bytes texts[] = { r->listener, r->peer, r->helo, r->protocol, r->tls_version, r->tls_cipher,
				       r->front, r->message_id };
	struct smtp_address sender;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!is_clean(texts[i]))
			return fault_protocol(fault, "edge %u sent words with control characters", a->edge->number);
	if (r->reverse_path.n && !is_address(r->reverse_path, &a->arena, &sender))
		return fault_protocol(fault, "edge %u sent a sender that is none", a->edge->number);
	if (r->envid.n && !smtp_envid_is_good(r->envid, &a->arena))
		return fault_protocol(fault, "edge %u sent an ENVID that is none", a->edge->number);
	if (r->n_recipients == 0 || r->n_recipients > a->edge->max_recipients)
		return fault_protocol(fault, "edge %u sent a message for nobody", a->edge->number);
	return check_recipients(a, fault);
}

/* The earliest message of ours that this one has been. */
static uint64_t origin_of(struct keep *keep, const struct edge_finish *finish)
{
	const char *id = journal_id(queue_journal(keep->k->queue));
	uint64_t origin = 0, number;

	for (size_t i = 0; i < finish->n_tokens; i++) {
		struct bytes queue_id;

		if (token_is_good(keep->tokens, finish->tokens[i].text, &queue_id) &&
		    queue_id_read(queue_id, id, &number) == 0 && (!origin || number < origin))
			origin = number;
	}
	return origin;
}

/* What the keeper alone says. */
static void clear(struct journal_accept *r)
{
	r->message = r->size = r->epoch = r->dsn_for = 0;
	memset(r->digest, 0, sizeof(r->digest));
	r->bodies = NULL;
	r->returns = NULL;
	r->n_bodies = r->n_returns = 0;
	r->trace = r->parameters = BYTES_NULL;
}

static int read_envelope(struct accepting *a, struct bytes payload, struct fault *fault)
{
	struct bytes copy = arena_copy(&a->arena, payload);
	struct edge_finish finish;

	if (fields_decode(&edge_finish_table, copy, &a->arena, &finish, fault) < 0)
		return -1;
	if (fields_decode(journal_table(JOURNAL_ACCEPT), finish.accept, &a->arena, &a->accept.record, fault) < 0)
		return -1;
	clear(&a->accept.record);
	if (check(a, fault) < 0)
		return -1;
	a->origin = origin_of(a->edge->keep, &finish);
	return 0;
}

/* --- accepting ------------------------------------------------------------------------------- */

static struct loops_sight sight_of(const struct accepting *a)
{
	const struct journal_accept *r = &a->accept.record;

	return (struct loops_sight){
		.received = r->received, .received_limit = a->edge->keep->k->config->gateway.received_limit,
		.origin = a->origin, .message_id = r->message_id, .text = a->message ? a->message->text : 0,
	};
}

static void see_loops(struct accepting *a)
{
	struct keep *keep = a->edge->keep;
	const struct journal_accept *r = &a->accept.record;
	struct loops_sight sight = sight_of(a);

	for (size_t i = 0; i < r->n_recipients; i++) {
		enum loops_sign sign = loops_see(keep->loops, &sight, a->keys[i], run_now());

		a->holds[i] = sign != LOOPS_NONE;
		if (sign != LOOPS_NONE)
			a->sign = sign;
	}
	if (!a->sign)
		return;
	a->accept.hold_cause = "loop";
	a->accept.hold_reason = loops_reason(a->sign);
	a->accept.holds = a->holds;
}

static void unsee_loops(struct accepting *a)
{
	struct loops_sight sight = sight_of(a);

	for (size_t i = 0; i < a->accept.record.n_recipients; i++)
		loops_unsee(a->edge->keep->loops, &sight, a->keys[i]);
}

static struct bytes tls_of(const struct journal_accept *r, struct arena *arena)
{
	if (!r->tls_version.n)
		return BYTES_NULL;
	return bytes_of(arena_printf(arena, "%.*s%s%.*s", BYTES_ARG(r->tls_version), r->tls_cipher.n ? ", " : "",
				     BYTES_ARG(r->tls_cipher)));
}

static struct bytes make_trace(void *arg, uint64_t number, const char *queue_id)
{
	struct accepting *a = arg;
	struct keep *keep = a->edge->keep;
	const struct journal_accept *r = &a->accept.record;
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct bytes tls = tls_of(r, &a->arena);
	unsigned char token[TOKEN_SIZE];
	struct smtp_trace trace = {
		.helo = r->helo, .by = keep->k->config->gateway.hostname, .with = arena_str(&a->arena, r->protocol),
		.tls = tls.n ? tls.p : NULL, .queue_id = bytes_of(queue_id),
		.token = { (const char *)token, sizeof(token) }, .wall_us = run_wall(),
	};

	if (ip_parse(r->peer, &trace.peer) < 0)
		trace.peer.family = 0;
	if (r->n_recipients == 1)
		trace.for_path = r->recipients[0].address;
	token_make(keep->tokens, trace.queue_id, token);
	buf_reserve(&text, 512);
	smtp_trace_append(&text, &trace);
	return arena_copy(&a->arena, buf_bytes(&text));
}

/* Content that waited in memory becomes a record; of other content the records are there. */
SUSPENDS static int settle_content(struct accepting *a, struct fault *fault)
{
	struct journal *journal = queue_journal(a->edge->keep->k->queue);
	struct keep_message *m = a->message;
	uint64_t *sequence;

	if (!m || !m->content.n)
		return 0;
	sequence = arena_alloc(&a->arena, sizeof(*sequence));
	if (journal_append_body(journal, m->content, a->accept.record.digest, sequence, fault) < 0)
		return -1;
	a->accept.record.bodies = sequence;
	a->accept.record.n_bodies = 1;
	a->accept.content = m->content;
	return 0;
}

static void digest_content(struct accepting *a)
{
	struct journal_accept *r = &a->accept.record;
	struct keep_message *m = a->message;

	r->size = m ? m->size : 0;
	if (m && m->hash) {
		journal_hash_end(m->hash, r->digest);
		r->bodies = m->bodies;
		r->n_bodies = m->n_bodies;
	} else {
		journal_hash(a->edge->keep->hash, m ? m->content : BYTES_NULL, BYTES_NULL, r->digest);
	}
}

static void say_accepted(struct accepting *a, uint64_t number)
{
	char id[QUEUE_ID_SIZE], text[64];

	queue_id_write(id, journal_id(queue_journal(a->edge->keep->k->queue)), number);
	snprintf(text, sizeof(text), "Ok: queued as %s", id);
	keep_say_text(a->edge, a->id, 250, "2.0.0", text);
	if (a->edge->keep->k->metrics)
		metrics_answered(a->edge->keep->k->metrics, run_now() - a->began);
}

/* Whoever sends it did not hear of it the first time: 1 when that was said now. */
SUSPENDS static int suppress(struct accepting *a, struct fault *fault)
{
	struct keep *keep = a->edge->keep;
	const struct journal_accept *r = &a->accept.record;
	int64_t since = run_wall() - (r->message_id.n ? keep->k->config->gateway.queue_life_us : HOUR);
	struct inbound_entry *first = inbound_find(keep->inbound, a->key, since);
	struct journal_suppressed record = { .peer = r->peer, .helo = r->helo, .message_id = r->message_id };

	if (!first)
		return 0;
	record.message = first->message;
	memcpy(record.digest, r->digest, sizeof(record.digest));
	/* Its bodies, if there are any in the journal, are of no message: dropped. */
	if (queue_note(keep->k->queue, JOURNAL_SUPPRESSED, &record, fault) < 0)
		return -1;
	keep->counts.suppressed++;
	first = inbound_find(keep->inbound, a->key, since);
	if (first) {
		first->is_unheard = false;
		list_append(&a->slot->unheard, &first->of_slot);
	}
	say_accepted(a, record.message);
	return 1;
}

static void alarm_of_loop(struct accepting *a, uint64_t number)
{
	struct keep *keep = a->edge->keep;
	char id[QUEUE_ID_SIZE];

	keep->counts.looped++;
	queue_id_write(id, journal_id(queue_journal(keep->k->queue)), number);
	keeper_alarm(keep->k, "loop", "%s is held: %s", id, loops_reason(a->sign));
}

SUSPENDS static int make_durable(struct accepting *a, uint64_t *ret_number, struct fault *fault)
{
	if (settle_content(a, fault) < 0)
		return -1;
	step_point("keep-appended");
	a->accept.trace = make_trace;
	a->accept.arg = a;
	return queue_accept(a->edge->keep->k->queue, &a->accept, ret_number, fault);
}

SUSPENDS static int accept_message(struct accepting *a, struct fault *fault)
{
	struct keep *keep = a->edge->keep;
	uint64_t number;
	int r;

	step_point("keep-finish");
	digest_content(a);
	inbound_key(keep->inbound, &a->accept.record, a->key);
	r = suppress(a, fault);
	if (r > 0)
		keep_message_abandon(keep, a->message);
	if (r != 0)
		return r < 0 ? -1 : 0;
	see_loops(a);
	if (make_durable(a, &number, fault) < 0) {
		unsee_loops(a);
		return -1;
	}

	step_point("keep-durable");
	keep->counts.accepted++;
	list_append(&a->slot->unheard, &inbound_add(keep->inbound, a->key, number, run_wall())->of_slot);
	say_accepted(a, number);
	if (a->sign)
		alarm_of_loop(a, number);
	step_point("keep-answered");
	return 0;
}

/* A message that was not taken. What ends the keeper is found by who asks queue_failed(). */
static void say_why_not(struct accepting *a, const struct fault *fault)
{
	static const struct smtp_answer full = { 452, "4.3.1", "Out of resources, try again later" };
	static const struct smtp_answer failed = { 451, "4.3.0", "Cannot take this now, try again later" };
	struct keep_counts *counts = &a->edge->keep->counts;

	if (fault->kind == FAULT_LIMIT) {
		counts->deferred++;
		keep_say(a->edge, a->id, &full);
	} else {
		counts->failed++;
		keep_say(a->edge, a->id, &failed);
	}
}

SUSPENDS static int accept_fiber(void *arg, struct fault *fault)
{
	struct accepting *a = arg;

	if (a->message && a->message->is_refused) {
		fault_set(fault, FAULT_LIMIT, REACH_PROCESS, AGAIN_LATER, "the journal had no room for its content");
		keep_message_abandon(a->edge->keep, a->message);
		say_why_not(a, fault);
	} else if (accept_message(a, fault) < 0) {
		say_why_not(a, fault);
	}
	a->slot->is_finishing = false;
	accepting_free(a);
	return 0;
}

int keep_finish(struct keep_edge *edge, struct keep_slot *slot, struct bytes envelope, struct fault *fault)
{
	struct accepting *a = xzalloc(sizeof(*a));

	a->edge = edge;
	a->slot = slot;
	a->id = slot->id;
	a->began = run_now();
	a->message = TAKE_PTR(slot->message);
	if (a->message && a->message->envelope.n) {
		edge->envelopes -= a->message->envelope.n;
		buf_append_bytes(&a->message->envelope, envelope);
		envelope = buf_bytes(&a->message->envelope);
	}
	if (read_envelope(a, envelope, fault) < 0) {
		accepting_free(a);
		return -1;
	}
	slot->is_finishing = true;
	nursery_start(&edge->accepting, accept_fiber, a, "accepting");
	return 0;
}
