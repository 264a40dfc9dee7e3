/* SPDX-License-Identifier: Apache-2.0 */
/* An edge's link: one fiber reads frames in their order; each message that is complete goes on in a fiber of its own, so that
 * all of them share the journal's next sync. */
#include "gateway/keep.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "os/step.h"

/* Of messages whose last frame has not come: an edge sends all frames of one at once. */
enum { ENVELOPES_MAX = 16 << 20 };

/* --- saying ---------------------------------------------------------------------------------- */

void keep_say_text(struct keep_edge *edge, uint64_t id, unsigned code, const char *enhanced, const char *text)
{
	struct keep_say say = { code, bytes_of(enhanced), bytes_of(text) };

	if (edge->is_gone)
		return;
	buf_reset(&edge->payload);
	fields_encode(&keep_say_table, &say, &edge->payload);
	link_put(edge->link, KEEP_SAY, id, buf_bytes(&edge->payload), BYTES_NULL);
}

void keep_say(struct keep_edge *edge, uint64_t id, const struct smtp_answer *answer)
{
	keep_say_text(edge, id, answer->code, answer->enhanced, answer->text);
}

static void set_state(struct keep_edge *edge, enum keep_edge_state state)
{
	edge->state = state;
	waiters_wake_all(&edge->news);
}

void keep_edge_stop(struct keep_edge *edge, int64_t within_us, bool idle_too)
{
	struct keep_stop stop = { (uint64_t)within_us, idle_too };

	if (edge->is_gone || edge->state == KEEP_EDGE_DONE)
		return;
	buf_reset(&edge->payload);
	fields_encode(&keep_stop_table, &stop, &edge->payload);
	link_put(edge->link, KEEP_STOP, 0, buf_bytes(&edge->payload), BYTES_NULL);
	if (edge->state < KEEP_EDGE_STOPPING)
		set_state(edge, KEEP_EDGE_STOPPING);
}

/* The limits are those of all edges together: connections fall to them by chance, so each may have an equal share. */
static unsigned share_of(unsigned limit, unsigned edges)
{
	return edges ? (limit + edges - 1) / edges : limit;
}

static void send_settings(struct keep_edge *edge, const struct config_gateway *g)
{
	struct keep_setup setup = {
		.hostname = bytes_of(g->hostname), .cert_file = bytes_of(g->cert_file), .key_file = bytes_of(g->key_file),
		.offered = edge->keep->k->offered, .max_message = edge->keep->k->max_size, .max_recipients = g->max_recipients,
		.sessions = edge->max_slots, .sessions_per_address = share_of(g->sessions_per_address, g->edges),
		.normalise = g->line_ends == CONFIG_LINE_ENDS_NORMALISE, .proxy = g->proxy,
	};

	for (const char *const *text = g->trusted_texts; text && *text; text++)
		setup.n_trusted++;
	setup.trusted = arena_alloc(&edge->arena, (setup.n_trusted + 1) * sizeof(*setup.trusted));
	for (size_t i = 0; i < setup.n_trusted; i++)
		setup.trusted[i].text = bytes_of(g->trusted_texts[i]);
	buf_reset(&edge->payload);
	fields_encode(&keep_setup_table, &setup, &edge->payload);
	link_put(edge->link, KEEP_SETUP, 0, buf_bytes(&edge->payload), BYTES_NULL);
	arena_reset(&edge->arena);
}

void keep_tell_offer(struct keep *keep)
{
	struct keep_offer offer = { keep->k->offered, keep->k->max_size };

	list_for_each(link, &keep->edges) {
		struct keep_edge *edge = list_entry(link, struct keep_edge, of_keep);

		if (edge->is_gone || edge->state == KEEP_EDGE_DONE)
			continue;
		buf_reset(&edge->payload);
		fields_encode(&keep_offer_table, &offer, &edge->payload);
		link_put(edge->link, KEEP_OFFER, 0, buf_bytes(&edge->payload), BYTES_NULL);
	}
}

/* --- recipients ------------------------------------------------------------------------------ */

static const struct smtp_answer *judge_unknown(struct keep *keep, struct bytes key)
{
	static const struct smtp_answer unknown = { 550, "5.1.1", "There is no such mailbox here" };
	static const struct smtp_answer later = { 451, "4.1.1", "This mailbox is not known yet, try again later" };
	static const struct smtp_answer unsure = { 451, "4.3.0", "Cannot tell whether there is such a mailbox, try again later" };
	const struct config_gateway *g = &keep->k->config->gateway;

	/* RFC 5321 section 4.5.1: it is always taken. */
	if (bytes_starts(key, BYTES("postmaster@")))
		return NULL;
	if (keep->k->is_unsure) {
		keep->counts.unsure += g->unsure == CONFIG_UNSURE_DEFER;
		return g->unsure == CONFIG_UNSURE_DEFER ? &unsure : NULL;
	}
	if (g->unknown == CONFIG_UNKNOWN_HOLD)
		return NULL;
	keep->counts.unknown++;
	return g->unknown == CONFIG_UNKNOWN_DEFER ? &later : &unknown;
}

void keep_look(struct keep *keep)
{
	struct keep_grounds now;
	struct journal_stand stand;

	if (!keep)
		return;

	journal_stand(queue_journal(keep->k->queue), &stand);
	now = (struct keep_grounds){ keep->k->config, router_epoch(queue_router(keep->k->queue)), keep->k->is_unsure, stand.is_low };
	if (now.config == keep->grounds.config && now.epoch == keep->grounds.epoch &&
	    now.is_unsure == keep->grounds.is_unsure && now.is_low == keep->grounds.is_low)
		return;
	keep->grounds = now;
	list_for_each(link, &keep->edges) {
		struct keep_edge *edge = list_entry(link, struct keep_edge, of_keep);

		if (!edge->is_gone && edge->state != KEEP_EDGE_STARTING)
			link_put(edge->link, KEEP_FORGET, 0, BYTES_NULL, BYTES_NULL);
	}
}

const struct smtp_answer *keep_judge(struct keep *keep, struct bytes key)
{
	static const struct smtp_answer not_ours = { 550, "5.7.1", "Mail for that domain is not taken here" };
	static const struct smtp_answer low = { 452, "4.3.1", "Out of resources, try again later" };
	struct journal_stand stand;
	struct router_answer answer;

	keep->counts.asked++;
	journal_stand(queue_journal(keep->k->queue), &stand);
	if (stand.is_low) {
		keep->counts.low++;
		return &low;
	}
	if (bytes_equal(key, BYTES("postmaster@")))
		return NULL;
	answer = router_find(queue_router(keep->k->queue), key);
	if (answer.match == ROUTER_NOT_OURS) {
		keep->counts.not_ours++;
		return &not_ours;
	}
	return answer.route == ROUTE_UNKNOWN ? judge_unknown(keep, key) : NULL;
}

static int on_ask(struct keep_edge *edge, const struct link_frame *frame, struct fault *fault)
{
	static const struct smtp_answer yes = { 250, "2.1.5", "Ok" };
	const struct smtp_answer *no;
	struct edge_ask ask;

	if (fields_decode(&edge_ask_table, frame->payload, &edge->arena, &ask, fault) < 0)
		return -1;
	no = keep_judge(edge->keep, ask.key);
	keep_say(edge, frame->id, no ? no : &yes);
	return 0;
}

/* --- content --------------------------------------------------------------------------------- */

struct keep_message *keep_message_free(struct keep_message *m)
{
	if (!m)
		return NULL;

	list_remove(&m->of_coming);
	for (size_t i = 0; i < m->n_bodies; i++)
		journal_forget(m->journal, m->bodies[i]);
	free((char *)(uintptr_t)m->content.p);
	free(m->bodies);
	journal_hash_free(m->hash);
	buf_done(&m->envelope);
	free(m);
	return NULL;
}

void keep_message_abandon(struct keep *keep, struct keep_message *m)
{
	if (m)
		queue_give_up(keep->k->queue, m->bodies, m->n_bodies);
}

uint64_t keep_first_body(const struct keep *keep)
{
	uint64_t first = UINT64_MAX;

	list_for_each(link, &keep->coming) {
		const struct keep_message *m = list_entry(link, struct keep_message, of_coming);

		if (m->bodies[0] < first)
			first = m->bodies[0];
	}
	return first;
}

static struct keep_message *message_of(struct keep_slot *slot)
{
	if (!slot->message) {
		slot->message = xzalloc(sizeof(*slot->message));
		list_init(&slot->message->of_coming);
	}
	return slot->message;
}

static int too_much(const struct keep_edge *edge, struct fault *fault)
{
	return fault_protocol(fault, "edge %u sent more than a message may have", edge->number);
}

static void take_whole(struct keep_message *m, struct bytes piece)
{
	char *p = xmalloc(piece.n);

	memcpy(p, piece.p, piece.n);
	m->content = (struct bytes){ p, piece.n };
}

SUSPENDS static int append_piece(struct keep_edge *edge, struct keep_message *m, struct bytes piece, struct fault *fault)
{
	struct journal *journal = queue_journal(edge->keep->k->queue);
	uint64_t sequence;

	if (!m->hash) {
		m->hash = journal_hash_new();
		journal_hash_begin(m->hash);
	}
	journal_hash_feed(m->hash, piece);
	if (journal_append(journal, JOURNAL_BODY, &piece, 1, &sequence, fault) < 0)
		return -1;
	m->bodies = xgrow(m->bodies, &m->size_bodies, m->n_bodies + 1, sizeof(*m->bodies));
	m->bodies[m->n_bodies++] = sequence;
	if (m->n_bodies == 1)
		list_append(&edge->keep->coming, &m->of_coming);
	m->journal = journal;
	journal_remember(journal, sequence);
	return 0;
}

/* Pieces are as large as a frame may be, but for the last. A message of one piece waits in memory for its envelope. What
 * the journal has no room for is forgotten, and said with the answer: n_bodies tells. */
SUSPENDS static int on_body(struct keep_edge *edge, struct keep_slot *slot, struct bytes piece, struct fault *fault)
{
	struct keep_message *m = message_of(slot);

	step_point("keep-body");
	if (slot->is_finishing || m->is_last || piece.n == 0)
		return fault_protocol(fault, "edge %u sent content out of order", edge->number);
	if (m->size + piece.n > edge->max_message + LINK_PAYLOAD_MAX)
		return too_much(edge, fault);
	if (m->size == 0)
		m->text = loops_text(edge->keep->loops, piece);
	m->size += piece.n;
	m->is_last = piece.n < LINK_PAYLOAD_MAX;
	if (m->is_last && m->size == piece.n) {
		take_whole(m, piece);
		return 0;
	}
	if (append_piece(edge, m, piece, fault) == 0)
		return 0;
	if (fault->kind != FAULT_LIMIT)
		return -1;
	m->is_refused = true;
	return 0;
}

static int on_envelope(struct keep_edge *edge, struct keep_slot *slot, struct bytes piece, struct fault *fault)
{
	struct keep_message *m = message_of(slot);

	if (m->envelope.n + piece.n > LINK_ENVELOPE_MAX + LINK_PAYLOAD_MAX)
		return too_much(edge, fault);
	if (edge->envelopes + piece.n > ENVELOPES_MAX)
		return fault_protocol(fault, "edge %u keeps too many envelopes waiting", edge->number);
	edge->envelopes += piece.n;
	buf_append_bytes(&m->envelope, piece);
	return 0;
}

static void on_drop(struct keep_edge *edge, struct keep_slot *slot)
{
	if (slot->message)
		edge->envelopes -= slot->message->envelope.n;
	slot->message = keep_message_free(slot->message);
}

/* --- who heard ------------------------------------------------------------------------------- */

static void on_heard(struct keep_edge *edge, struct keep_slot *slot)
{
	while (!list_is_empty(&slot->unheard))
		inbound_forget(edge->keep->inbound, list_entry(slot->unheard.next, struct inbound_entry, of_slot));
}

/* For a replay: so rare that each has a record. */
static void note_unheard(struct keep_edge *edge, const struct inbound_entry *entry)
{
	char id[QUEUE_ID_SIZE];

	queue_id_write(id, journal_id(queue_journal(edge->keep->k->queue)), entry->message);
	keeper_note_quietly(edge->keep->k, "unheard", id);
}

static void on_unheard(struct keep_edge *edge, struct keep_slot *slot)
{
	list_for_each_safe(link, &slot->unheard) {
		struct inbound_entry *entry = list_entry(link, struct inbound_entry, of_slot);

		list_remove(link);
		entry->is_unheard = true;
		note_unheard(edge, entry);
	}
}

/* --- frames ---------------------------------------------------------------------------------- */

/* NULL: there can be no such. */
static struct keep_slot *slot_of(struct keep_edge *edge, uint64_t id)
{
	size_t index = (size_t)(id & UINT32_MAX);

	if (index >= edge->max_slots)
		return NULL;
	if (index >= edge->n_slots) {
		size_t n = index + index / 2 + 16;

		/* Slots do not move: lists begin in them. */
		if (n > edge->max_slots)
			n = edge->max_slots;
		for (size_t i = edge->n_slots; i < n; i++) {
			edge->slots[i] = xzalloc(sizeof(struct keep_slot));
			list_init(&edge->slots[i]->unheard);
		}
		edge->n_slots = n;
	}
	edge->slots[index]->id = id;
	return edge->slots[index];
}

SUSPENDS static int on_slot_frame(struct keep_edge *edge, const struct link_frame *frame, struct fault *fault)
{
	struct keep_slot *slot = slot_of(edge, frame->id);

	keep_look(edge->keep);
	if (!slot)
		return fault_protocol(fault, "edge %u has more sessions than it may", edge->number);
	if (slot->is_finishing)
		return fault_protocol(fault, "edge %u did not wait for an answer", edge->number);
	switch ((enum edge_frame)frame->type) {
	case EDGE_ASK:
		return on_ask(edge, frame, fault);
	case EDGE_BODY:
		return on_body(edge, slot, frame->payload, fault);
	case EDGE_ENVELOPE:
		return on_envelope(edge, slot, frame->payload, fault);
	case EDGE_FINISH:
		return keep_finish(edge, slot, frame->payload, fault);
	case EDGE_DROP:
		keep_message_abandon(edge->keep, slot->message);
		on_drop(edge, slot);
		return 0;
	case EDGE_HEARD:
		on_heard(edge, slot);
		return 0;
	case EDGE_UNHEARD:
		on_unheard(edge, slot);
		return 0;
	default:
		return fault_protocol(fault, "edge %u said what has no meaning", edge->number);
	}
}

/* Once: the kernel is the same for all, couriers too. */
static void tell_of_walls(struct keep_edge *edge)
{
	struct keep *keep = edge->keep;

	if (!strstr(edge->walls, " no") || keep->walls_told)
		return;
	keep->walls_told = true;
	keeper_note(keep->k, "sandbox", "processes that talk to strangers lack a wall that this kernel does not offer: %s", edge->walls);
}

static int on_ready(struct keep_edge *edge, const struct link_frame *frame, struct fault *fault)
{
	struct link_word word;

	if (edge->state != KEEP_EDGE_STARTING && edge->state != KEEP_EDGE_STOPPING)
		return fault_protocol(fault, "edge %u became ready twice", edge->number);
	if (fields_decode(&link_word_table, frame->payload, &edge->arena, &word, fault) < 0)
		return -1;
	snprintf(edge->walls, sizeof(edge->walls), "%.*s", BYTES_ARG(word.text));
	tell_of_walls(edge);
	if (edge->state == KEEP_EDGE_STARTING)
		set_state(edge, KEEP_EDGE_READY);
	return 0;
}

static int on_counts(struct keep_edge *edge, const struct link_frame *frame, struct fault *fault)
{
	uint64_t before = edge->counts.accept_errors, known = edge->counts.recipients_known;

	if (fields_decode(&edge_counts_table, frame->payload, &edge->arena, &edge->counts, fault) < 0)
		return -1;
	if (edge->counts.recipients_known > known)
		edge->keep->counts.asked += edge->counts.recipients_known - known;
	if (edge->counts.accept_errors > before && run_now() >= edge->alarm_next) {
		edge->alarm_next = run_now() + MINUTE;
		keeper_alarm(edge->keep->k, "accept",
			     "edge %u could not accept connections %llu times so far: no memory, or no descriptors?",
			     edge->number, (unsigned long long)edge->counts.accept_errors);
	}
	return 0;
}

SUSPENDS static int on_frame(struct keep_edge *edge, const struct link_frame *frame, struct fault *fault)
{
	arena_reset(&edge->arena);
	switch ((enum edge_frame)frame->type) {
	case EDGE_READY:
		return on_ready(edge, frame, fault);
	case EDGE_COUNTS:
		return on_counts(edge, frame, fault);
	case EDGE_DONE:
		return 1;
	default:
		return on_slot_frame(edge, frame, fault);
	}
}

/* 0: it has ended in order. */
SUSPENDS static int listen_to_edge(struct keep_edge *edge, struct fault *fault)
{
	struct link_frame frame;
	int got;

	while ((got = link_next(edge->link, &frame, fault)) > 0) {
		int r = on_frame(edge, &frame, fault);

		if (r != 0)
			return r < 0 ? -1 : 0;
		if (link_wait_room(edge->link, fault) < 0)
			return -1;
	}
	if (got == 0 && edge->state != KEEP_EDGE_STOPPING)
		return fault_transport(fault, "edge %u has ended", edge->number);
	return got;
}

SUSPENDS int keep_edge_serve(struct keep_edge *edge, struct fault *fault)
{
	struct fault unheard;
	int r;

	nursery_init(&edge->accepting, "accepting");
	r = listen_to_edge(edge, fault);
	edge->is_gone = true;
	set_state(edge, KEEP_EDGE_DONE);
	/* What it brought is accepted even so; its clients will come again, and be told. */
	(void)nursery_wait(&edge->accepting, &unheard);
	for (size_t i = 0; i < edge->n_slots; i++)
		on_unheard(edge, edge->slots[i]);
	return r;
}

/* --- an edge --------------------------------------------------------------------------------- */

struct keep_edge *keep_edge_new(struct keep *keep, const struct config_gateway *g, struct stream *stream, unsigned number)
{
	struct keep_edge *edge = xzalloc(sizeof(*edge));

	edge->keep = keep;
	edge->number = number;
	edge->link = link_new(stream, EDGE_FRAMES);
	edge->max_slots = share_of(g->sessions, g->edges);
	edge->max_message = g->max_message;
	edge->max_recipients = g->max_recipients;
	edge->slots = xreallocarray(NULL, edge->max_slots, sizeof(*edge->slots));
	waiters_init(&edge->news);
	list_append(&keep->edges, &edge->of_keep);
	send_settings(edge, g);
	return edge;
}

struct keep_edge *keep_edge_free(struct keep_edge *edge)
{
	if (!edge)
		return NULL;

	list_remove(&edge->of_keep);
	for (size_t i = 0; i < edge->n_slots; i++) {
		keep_message_abandon(edge->keep, edge->slots[i]->message);
		keep_message_free(edge->slots[i]->message);
		list_remove(&edge->slots[i]->unheard);
		free(edge->slots[i]);
	}
	free(edge->slots);
	link_free(edge->link);
	buf_done(&edge->payload);
	arena_done(&edge->arena);
	free(edge);
	return NULL;
}

void keep_edge_look(const struct keep_edge *edge, struct keep_edge_view *ret)
{
	*ret = (struct keep_edge_view){ edge->number, edge->state, edge->walls, edge->counts };
}

struct waiters *keep_edge_news(struct keep_edge *edge)
{
	return &edge->news;
}
