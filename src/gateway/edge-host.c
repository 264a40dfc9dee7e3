/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind an SMTP session at the edge: questions, content and the envelope become frames, the keeper's answers
 * replies. Content is gathered, so that a usual message is two frames in one system call. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/edge.h"
#include "os/step.h"

enum { BODY_FIRST = 8192, WELCOME_MAX = 16384 };

static struct edge_session *session_of(struct smtp_host *host)
{
	return (struct edge_session *)host;
}

/* --- slots ----------------------------------------------------------------------------------- */

struct edge_slot *edge_slot_take(struct edge *edge)
{
	struct edge_slot *slot = edge->free_slots;

	if (slot) {
		edge->free_slots = slot->next_free;
		slot->turn++;
		return slot;
	}
	if (edge->n_slots >= edge->max_sessions)
		return NULL;

	edge->slots = xgrow(edge->slots, &edge->size_slots, edge->n_slots + 1, sizeof(struct edge_slot *));
	slot = xzalloc(sizeof(*slot));
	slot->index = (uint32_t)edge->n_slots;
	edge->slots[edge->n_slots++] = slot;
	return slot;
}

static uint64_t id_of(const struct edge_slot *slot)
{
	return (uint64_t)slot->turn << 32 | slot->index;
}

static void give_back(struct edge *edge, struct edge_slot *slot)
{
	slot->next_free = edge->free_slots;
	edge->free_slots = slot;
}

/* What the client has heard goes before whatever else is said of its slot: so it takes no system call of its own. */
static void say_heard(struct edge_session *s)
{
	if (s->owes_heard)
		link_put(s->edge->link, EDGE_HEARD, id_of(s->slot), BYTES_NULL, BYTES_NULL);
	s->owes_heard = false;
}

static void put(struct edge_session *s, enum edge_frame type, struct bytes payload)
{
	say_heard(s);
	link_put(s->edge->link, type, id_of(s->slot), payload, BYTES_NULL);
}

void edge_slot_leave(struct edge *edge, struct edge_slot *slot)
{
	struct edge_session *s = slot->session;

	if (s)
		say_heard(s);
	if (s && s->unheard)
		link_put(edge->link, EDGE_UNHEARD, id_of(slot), BYTES_NULL, BYTES_NULL);
	slot->session = NULL;
	if (slot->owed == EDGE_OWED_NOTHING)
		give_back(edge, slot);
}

/* --- answers --------------------------------------------------------------------------------- */

/* A yes is no promise: what the keeper takes it decides when the message is there. */
static void remember_welcome(struct edge *edge, struct bytes key)
{
	if (map_count(&edge->welcome) >= WELCOME_MAX)
		map_done(&edge->welcome);
	if (map_count(&edge->welcome) == 0)
		edge->welcome_since = run_now();
	map_put(&edge->welcome, key, edge);
}

static void take_answer(struct edge *edge, struct edge_slot *slot, const struct keep_say *say)
{
	struct edge_session *s = slot->session;
	enum edge_owed owed = slot->owed;
	char text[sizeof(s->say.text)], enhanced[sizeof(s->say.enhanced)];

	slot->owed = EDGE_OWED_NOTHING;
	if (!s) {
		/* Nobody heard that it was accepted. */
		if (owed == EDGE_OWED_FINISH && say->code < 300)
			link_put(edge->link, EDGE_UNHEARD, id_of(slot), BYTES_NULL, BYTES_NULL);
		give_back(edge, slot);
		return;
	}

	if (owed == EDGE_OWED_ASK && say->code < 300)
		remember_welcome(edge, s->asked);
	snprintf(text, sizeof(text), "%.*s", BYTES_ARG(say->text));
	snprintf(enhanced, sizeof(enhanced), "%.*s", BYTES_ARG(say->enhanced));
	smtp_say_set(&s->say, (unsigned)say->code, enhanced, "%s", text);
	waiters_wake_all(&s->answered);
}

void edge_give_up(struct edge *edge)
{
	edge->is_over = true;
	for (size_t i = 0; i < edge->n_slots; i++)
		if (edge->slots[i]->session)
			waiters_wake_all(&edge->slots[i]->session->answered);
}

int edge_hear(struct edge *edge, const struct link_frame *frame, struct fault *fault)
{
	size_t index = (size_t)(frame->id & UINT32_MAX);
	struct edge_slot *slot = index < edge->n_slots ? edge->slots[index] : NULL;
	struct arena none = { NULL };
	struct keep_say say;

	if (fields_decode(&keep_say_table, frame->payload, &none, &say, fault) < 0)
		return -1;
	if (!slot || id_of(slot) != frame->id || slot->owed == EDGE_OWED_NOTHING || say.code < 200 || say.code > 599)
		return fault_protocol(fault, "the keeper answered what nobody asked");
	take_answer(edge, slot, &say);
	return 0;
}

/* Until the answer is there, in s->say. */
SUSPENDS static int wait_for_answer(struct edge_session *s, struct smtp_say *say, struct fault *fault)
{
	while (s->slot->owed != EDGE_OWED_NOTHING) {
		if (s->edge->is_over)
			return fault_cancelled(fault);
		if (waiters_wait(&s->answered, "the keeper", fault) < 0)
			return -1;
	}

	*say = s->say;
	return 0;
}

/* --- the host -------------------------------------------------------------------------------- */

SUSPENDS static int ask(struct smtp_host *host, const struct smtp_client *client, struct smtp_transaction *t,
			struct smtp_recipient *r, struct smtp_say *say, struct fault *fault)
{
	struct edge_session *s = session_of(host);
	struct edge *edge = s->edge;
	struct edge_ask question = { .key = r->key };
	size_t needs;

	if (!t->recipients)
		s->envelope = 4096;
	needs = 64 + r->path.local.n * 2 + r->path.domain.n + r->parameters.orcpt.n;
	if (s->envelope + needs > LINK_ENVELOPE_MAX) {
		smtp_say_set(say, 452, "4.5.3", "Too many recipients");
		return 0;
	}
	if (!s->slot)
		return fault_cancelled(fault);
	/* What the keeper forgets to say, such as a disk that fills up while nobody asks, is found out so. */
	if (run_now() - edge->welcome_since > SECOND)
		map_done(&edge->welcome);
	if (map_has(&edge->welcome, r->key)) {
		edge->counts.recipients_known++;
		edge->counts_changed = true;
		return 0;
	}

	buf_reset(&edge->payload);
	fields_encode(&edge_ask_table, &question, &edge->payload);
	s->slot->owed = EDGE_OWED_ASK;
	s->asked = r->key;
	put(s, EDGE_ASK, buf_bytes(&edge->payload));
	if (wait_for_answer(s, say, fault) < 0)
		return -1;
	if (say->code >= 300)
		edge->counts.recipients_refused++;
	else
		s->envelope += needs;
	return 0;
}

SUSPENDS static int begin(struct smtp_host *host, const struct smtp_client *client, struct smtp_transaction *t,
			  struct smtp_say *say, struct fault *fault)
{
	struct edge_session *s = session_of(host);

	step_point("edge-begin");
	s->has_sent = false;
	buf_reset(&s->body);
	buf_reserve(&s->body, BODY_FIRST);
	return 0;
}

static void send_body(struct edge_session *s)
{
	put(s, EDGE_BODY, buf_bytes(&s->body));
	buf_reset(&s->body);
	s->has_sent = true;
}

SUSPENDS static int piece(struct smtp_host *host, struct bytes content, struct fault *fault)
{
	struct edge_session *s = session_of(host);

	step_point("edge-piece");
	while (s->body.n + content.n > LINK_PAYLOAD_MAX) {
		struct bytes fits = bytes_head(content, LINK_PAYLOAD_MAX - s->body.n);

		buf_append_bytes(&s->body, fits);
		content = bytes_skip(content, fits.n);
		send_body(s);
		if (link_wait_room(s->edge->link, fault) < 0)
			return -1;
	}
	buf_append_bytes(&s->body, content);
	return 0;
}

static struct bytes address_text(struct arena *arena, const struct smtp_address *a)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	smtp_address_append(&text, a);
	return arena_copy(arena, buf_bytes(&text));
}

static struct bytes ip_text(struct arena *arena, const struct ip *ip)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	ip_append(&text, ip);
	return arena_copy(arena, buf_bytes(&text));
}

static void describe_client(const struct edge_session *s, const struct smtp_client *client,
			    const struct smtp_attributes *forward, struct arena *arena, struct journal_accept *to)
{
	struct bytes tls = bytes_of(client->tls);

	to->listener = bytes_of(s->listener);
	to->peer = ip_text(arena, &client->address);
	to->peer_port = client->port;
	to->helo = client->helo;
	to->tls_version = bytes_cut(&tls, ',');
	to->tls_cipher = bytes_trim(tls);
	if (!ip_equal(&client->address, &client->connected))
		to->front_kind = s->peer.must_proxy ? 1 : 2;
	if (forward->named & SMTP_ATTR_ADDR && forward->address.family) {
		to->front_kind = 3;
		to->peer = ip_text(arena, &forward->address);
		to->peer_port = forward->port;
		if (forward->helo.n)
			to->helo = forward->helo;
	}
	if (to->front_kind) {
		to->front = ip_text(arena, &client->connected);
		to->front_port = s->peer.port;
	}
}

static void describe(const struct edge_session *s, const struct smtp_client *client, struct smtp_transaction *t,
		     const struct smtp_content *content, struct journal_accept *to)
{
	struct arena *arena = &t->arena;
	size_t n = 0;

	describe_client(s, client, &t->forward, arena, to);
	to->protocol = bytes_of(smtp_trace_with(client->esmtp, client->tls, t->mail.smtputf8));
	to->reverse_path = address_text(arena, &t->sender);
	to->envid = t->mail.envid;
	to->ret = t->mail.ret;
	to->body_kind = content->data.has_8bit;
	to->smtputf8 = t->mail.smtputf8;
	to->message_id = bytes_of(content->trace.message_id);
	to->received = content->trace.received;
	to->recipients = arena_alloc(arena, t->recipients_n * sizeof(*to->recipients));
	to->n_recipients = t->recipients_n;
	for (const struct smtp_recipient *r = t->recipients; r; r = r->next)
		to->recipients[n++] = (struct journal_recipient){
			.address = address_text(arena, &r->path), .orcpt = r->parameters.orcpt,
			.notify = r->parameters.notify,
		};
}

static void send_finish(struct edge_session *s, const struct journal_accept *accept, const struct smtp_trace_scan *scan)
{
	struct edge_token tokens[SMTP_TRACE_TOKENS];
	struct edge_finish finish = { .tokens = tokens };
	struct edge *edge = s->edge;
	struct bytes rest;

	for (uint32_t i = 0; i < scan->tokens_n && i < SMTP_TRACE_TOKENS; i++)
		if (scan->tokens[i][0])
			tokens[finish.n_tokens++].text = bytes_of(scan->tokens[i]);
	buf_reset(&edge->scratch);
	fields_encode(journal_table(JOURNAL_ACCEPT), accept, &edge->scratch);
	finish.accept = buf_bytes(&edge->scratch);
	buf_reset(&edge->payload);
	fields_encode(&edge_finish_table, &finish, &edge->payload);
	for (rest = buf_bytes(&edge->payload); rest.n > LINK_PAYLOAD_MAX; rest = bytes_skip(rest, LINK_PAYLOAD_MAX))
		put(s, EDGE_ENVELOPE, bytes_head(rest, LINK_PAYLOAD_MAX));
	put(s, EDGE_FINISH, rest);
}

SUSPENDS static int finish(struct smtp_host *host, const struct smtp_client *client, struct smtp_transaction *t,
			   const struct smtp_content *content, struct smtp_say *say, struct fault *fault)
{
	struct edge_session *s = session_of(host);
	struct journal_accept accept = { 0 };

	step_point("edge-finish");
	describe(s, client, t, content, &accept);
	s->slot->owed = EDGE_OWED_FINISH;
	if (s->body.n)
		send_body(s);
	buf_done(&s->body);
	send_finish(s, &accept, &content->trace);
	if (wait_for_answer(s, say, fault) < 0) {
		/* The keeper may accept it still, and nobody will hear it. Nothing more goes this way. */
		s->slot->session = NULL;
		s->slot = NULL;
		return -1;
	}

	s->slot->turn++;
	s->unheard = s->unheard || say->code < 300;
	step_point("edge-answer");
	return 0;
}

static void heard(struct smtp_host *host)
{
	struct edge_session *s = session_of(host);

	s->unheard = false;
	s->owes_heard = true;
}

static void drop(struct smtp_host *host)
{
	struct edge_session *s = session_of(host);

	if (s->has_sent)
		put(s, EDGE_DROP, BYTES_NULL);
	s->slot->turn++;
	buf_done(&s->body);
}

static int came(struct smtp_host *host, const struct smtp_client *client, struct smtp_say *say, struct fault *fault)
{
	struct edge_session *s = session_of(host);

	if (!edge_session_is_of(s, &client->address)) {
		s->edge->counts.turned_away++;
		smtp_say_set(say, 421, "4.7.0", EDGE_TOO_MANY);
	}
	return 0;
}

const struct smtp_host_ops edge_host_ops = {
	.came = came, .rcpt = ask, .begin = begin, .piece = piece, .finish = finish, .heard = heard, .drop = drop,
};
