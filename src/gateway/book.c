/* SPDX-License-Identifier: Apache-2.0 */
/* The books: what each record does to them, see book.h. */
#include "gateway/book.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/book-inside.h"
#include "journal/moves.h"
#include "smtp/address.h"

struct book *book_new(uint64_t seed, uint64_t names)
{
	struct book *book = xzalloc(sizeof(*book));

	book->seed = seed;
	book->names = names;
	list_init(&book->all);
	list_init(&book->dirty);
	return book;
}

struct book *book_free(struct book *book)
{
	if (!book)
		return NULL;

	list_for_each_safe(at, &book->all) {
		struct book_message *message = list_entry(at, struct book_message, of_book);

		list_for_each_safe(link, &message->legs) {
			struct book_leg *leg = list_entry(link, struct book_leg, of_message);

			assert(!leg->item.recipient);
			book_remove_leg(book, leg);
			free(leg);
		}
		message->users = 0;
		book_clean(book, message);
		book_tidy(book, message);
	}
	for (size_t i = 0; i < book->n_causes; i++)
		free(book->causes[i]);
	book_end_replay(book);
	arena_done(&book->arena);
	free(book->messages);
	free(book->legs);
	free(book);
	return NULL;
}

/* --- names ----------------------------------------------------------------------------------- */

uint64_t book_name(uint64_t names, char kind, struct bytes name)
{
	return siphash13(names, (uint64_t)(unsigned char)kind, name) >> 16;
}

struct bytes book_key(struct bytes address, struct arena *arena)
{
	struct smtp_address parsed;
	char *folded;

	if (smtp_mailbox_parse(address, arena, &parsed) == NULL)
		return smtp_address_key(&parsed, arena);

	/* "postmaster" alone, or what no grammar knows: as it is, folded */
	folded = arena_str(arena, address);
	for (size_t i = 0; i < address.n; i++)
		folded[i] = ascii_lower(folded[i]);
	return (struct bytes){ folded, address.n };
}

/* --- faults ---------------------------------------------------------------------------------- */

static int wrong_leg(const struct journal_move *m, const char *why, struct fault *fault)
{
	return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER,
			 "%s of leg %" PRIu64 "/%" PRIu64 "%s, which is %s", m->what, m->leg.message, m->leg.recipient,
			 m->leg.copy ? "/copy" : "", why);
}

static int wrong_message(uint64_t number, const char *why, struct fault *fault)
{
	return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER, "message %" PRIu64 " %s", number, why);
}

/* --- checking -------------------------------------------------------------------------------- */

static int check_opening(const struct book *book, const struct journal_move *m, struct fault *fault)
{
	struct journal_leg primary = { m->leg.message, m->leg.recipient, 0 };
	const struct book_leg *leg = book_leg(book, &primary);

	if (!leg)
		return wrong_leg(m, "not known", fault);
	if (leg->has_copy)
		return wrong_leg(m, "open already", fault);
	return 0;
}

static int check_move(const struct book *book, enum journal_type type, const struct journal_move *m,
		      struct fault *fault)
{
	const struct book_leg *leg;

	if (type == JOURNAL_LEG)
		return check_opening(book, m, fault);
	leg = book_leg(book, &m->leg);
	if (!leg)
		return wrong_leg(m, "not known", fault);
	if (!journal_move_fits(m, (enum journal_fate)leg->fate, leg->attempt))
		return wrong_leg(m, journal_fate_name(leg->fate), fault);

	/* No final dot without an intent. */
	if (type == JOURNAL_RESULT && !leg->has_intent && (m->to == JOURNAL_DELIVERED || m->to == JOURNAL_IN_DOUBT))
		return wrong_leg(m, "without an intent", fault);
	return 0;
}

/* Of a message that was accepted before all that is replayed: it is settled, and counted elsewhere. */
static bool is_before(const struct book *book, const struct journal_move *m)
{
	return book->in_the_middle && (book->first_number == 0 || m->leg.message < book->first_number);
}

static int check_accept(const struct book *book, const struct journal_accept *a, struct fault *fault)
{
	if (a->message <= book->last_number)
		return wrong_message(a->message, "is accepted out of order: numbers only rise", fault);
	if (a->n_recipients == 0)
		return wrong_message(a->message, "has no recipient", fault);
	return 0;
}

int book_may(const struct book *book, enum journal_type type, const void *record, struct fault *fault)
{
	size_t n = journal_moves(type, record);
	struct journal_move m;

	if (type == JOURNAL_ACCEPT)
		return check_accept(book, record, fault);
	for (size_t i = 0; i < n; i++) {
		if (journal_move(type, record, i, &m) < 0)
			return wrong_leg(&m, "ended with a fate there is not", fault);
		if (check_move(book, type, &m, fault) < 0)
			return -1;
	}
	return 0;
}

/* --- applying -------------------------------------------------------------------------------- */

/* The record names the message: a step of its trace. */
static void add_event(struct book *book, struct book_message *message, const struct book_place *place)
{
	if (message->n_events > 0 && message->events[message->n_events - 1].sequence == place->sequence)
		return;
	message->events = xgrow(message->events, &message->events_size, message->n_events + 1, sizeof(*message->events));
	message->events[message->n_events++] = *place;
	book_touch(book, message);
}

static struct book_leg *add_leg(struct book *book, struct book_message *message, const struct journal_leg *at,
				struct bytes key, int64_t wall_us)
{
	struct book_leg *leg = book_leg_new(key);

	leg->message = message;
	leg->recipient = (uint32_t)at->recipient;
	leg->copy = (uint8_t)at->copy;
	leg->fate = JOURNAL_OPEN;
	leg->target = BOOK_NOWHERE;
	leg->born_us = message->accepted_us;
	leg->due_us = leg->since_us = wall_us;
	leg->is_dirty = 1;
	list_init(&leg->of_queue);
	book_add_leg(book, leg);
	book->tallies.legs++;
	book_count_leg(book, leg, 1);
	return leg;
}

static void name_message(struct book *book, struct book_message *message, const struct journal_accept *a)
{
	uint64_t *names = xreallocarray(NULL, a->n_recipients + 3, sizeof(*names));
	size_t n = 0;

	if (a->message_id.n)
		names[n++] = book_name(book->names, 'm', a->message_id);
	if (a->reverse_path.n)
		names[n++] = book_name(book->names, 'a', book_key(a->reverse_path, &book->arena));
	names[n++] = book_name(book->names, 'c', (struct bytes){ (const char *)a->digest, JOURNAL_DIGEST });
	list_for_each(link, &message->legs)
		names[n++] = book_name(book->names, 'a', book_leg_key(list_entry(link, struct book_leg, of_message)));
	message->names = names;
	message->n_names = n;
}

static void name_bodies(struct book *book, struct book_message *message, const struct journal_accept *a)
{
	if (a->n_bodies == 0)
		return;
	message->bodies = xreallocarray(NULL, a->n_bodies, sizeof(*message->bodies));
	message->n_bodies = a->n_bodies;
	for (size_t i = 0; i < a->n_bodies; i++)
		if (!orphans_take(&book->orphans, a->bodies[i], &message->bodies[i]))
			message->bodies[i] = (struct book_place){ .sequence = a->bodies[i] };
}

static void apply_accept(struct book *book, const struct journal_accept *a, struct bytes payload,
			 const struct book_place *place, int64_t wall_us)
{
	struct book_message *message = book_restore(book, a->message);

	message->accepted_us = wall_us;
	message->size = a->size;
	message->n_recipients = (uint32_t)a->n_recipients;
	message->place = *place;
	message->is_dsn = a->dsn_for;
	for (size_t i = 0; i < a->n_recipients; i++)
		add_leg(book, message, &(struct journal_leg){ a->message, i, 0 },
			book_key(a->recipients[i].address, &book->arena), wall_us);
	name_message(book, message, a);
	name_bodies(book, message, a);
	if (payload.n) {
		char *copy = xmalloc(payload.n);

		memcpy(copy, payload.p, payload.n);
		message->envelope = (struct bytes){ copy, payload.n };
	}
	if (!book->first_number)
		book->first_number = a->message;
	book->last_number = a->message;
	book->tallies.messages++;
	add_event(book, message, place);
}

static enum book_target target_of(struct bytes name, enum book_target otherwise)
{
	if (bytes_equal(name, BYTES("old")))
		return BOOK_OLD;
	return bytes_equal(name, BYTES("new")) ? BOOK_NEW : otherwise;
}

static void open_copy(struct book *book, const struct journal_leg_opened *opened, int64_t wall_us)
{
	struct journal_leg at = { opened->message, opened->recipient, 0 };
	struct book_leg *primary = book_leg(book, &at), *copy;

	primary->has_copy = 1;
	primary->is_dirty = 1;
	at.copy = 1;
	copy = add_leg(book, primary->message, &at, book_leg_key(primary), wall_us);
	book_direct(book, copy, target_of(opened->target, BOOK_OLD));
}

/* It is settled: only the totals know it from here on. */
static void settle(struct book *book, struct book_leg *leg)
{
	struct book_message *message = leg->message;

	if (leg->in_index) {
		message->gone = xgrow(message->gone, &message->gone_size, message->n_gone + 1, sizeof(*message->gone));
		message->gone[message->n_gone++] = (struct journal_leg){ message->number, leg->recipient, leg->copy };
	}
	list_remove(&leg->of_queue);
	book_remove_leg(book, leg);
	free(leg);
}

/* A rule names itself "rule:CAUSE"; anybody else is the operator. */
static const struct book_cause *cause_of_order(struct book *book, const struct journal_order *order)
{
	if (bytes_starts(order->operator, BYTES("rule:")))
		return book_cause(book, bytes_skip(order->operator, 5));
	return book_cause(book, BYTES("operator"));
}

static void apply_outcome(struct book *book, struct book_leg *leg, const struct journal_outcome *o)
{
	leg->has_intent = 0;
	leg->cause = book_cause(book, o->reason);
	leg->code = (uint16_t)(o->code < 1000 ? o->code : 0);
	leg->attempts = (uint32_t)o->attempts;
	leg->due_us = o->next_us;
	leg->is_flagged = leg->is_flagged || o->flagged;
}

static void apply_move(struct book *book, enum journal_type type, const void *record, const struct journal_move *m,
		       int64_t wall_us)
{
	struct book_leg *leg = book_leg(book, &m->leg);
	const struct journal_attempt *attempt = record;
	const struct journal_order *order = record;
	bool is_settled;

	book_count_leg(book, leg, -1);
	if (leg->fate != m->to)
		leg->since_us = wall_us;
	leg->fate = (uint8_t)m->to;
	switch (type) {
	case JOURNAL_ATTEMPT:
		leg->attempt = m->attempt;
		leg->target = (uint8_t)target_of(attempt->target, leg->target);
		leg->has_intent = 0;
		leg->cause = NULL;
		break;
	case JOURNAL_INTENT:
		leg->has_intent = 1;
		break;
	case JOURNAL_RESULT:
	case JOURNAL_DOUBT:
		apply_outcome(book, leg, m->outcome);
		break;
	case JOURNAL_HOLD:
		leg->cause = cause_of_order(book, order);
		break;
	case JOURNAL_RELEASE:
		leg->born_us = wall_us;
		leg->attempts = 0;
		leg->cause = NULL;
		leg->due_us = order->next_us;
		break;
	case JOURNAL_RETRY:
		leg->due_us = order->next_us;
		break;
	default:
		break;
	}
	leg->is_dirty = 1;
	is_settled = m->to == JOURNAL_DELIVERED || m->to == JOURNAL_IS_RETURNED;
	if (is_settled)
		leg->cause = NULL; /* causes are of what is still to be done */
	book_count_leg(book, leg, 1);
	if (is_settled)
		settle(book, leg);
}

static int apply_moves(struct book *book, enum journal_type type, const void *record, const struct book_place *place,
		       int64_t wall_us, struct fault *fault)
{
	size_t n = journal_moves(type, record);
	struct journal_move m;

	for (size_t i = 0; i < n; i++) {
		if (journal_move(type, record, i, &m) < 0)
			return wrong_leg(&m, "ended with a fate there is not", fault);
		if (is_before(book, &m))
			continue;
		if (check_move(book, type, &m, fault) < 0)
			return -1;
		add_event(book, book_message(book, m.leg.message), place);
		if (type == JOURNAL_LEG)
			open_copy(book, record, wall_us);
		else
			apply_move(book, type, record, &m, wall_us);
	}
	return 0;
}

int book_apply(struct book *book, enum journal_type type, const void *record, struct bytes payload,
	       const struct book_place *place, int64_t wall_us, struct fault *fault)
{
	const struct journal_suppressed *suppressed = record;
	const struct journal_attempt *attempt = record;

	assert(place->sequence > book->position);
	arena_reset(&book->arena);
	if (type == JOURNAL_ACCEPT) {
		if (check_accept(book, record, fault) < 0)
			return -1;
		apply_accept(book, record, payload, place, wall_us);
	} else if (type == JOURNAL_SUPPRESSED && suppressed->message) {
		add_event(book, book_restore(book, suppressed->message), place);
	} else if (apply_moves(book, type, record, place, wall_us, fault) < 0) {
		return -1;
	}
	if (type == JOURNAL_ATTEMPT && attempt->attempt > book->last_attempt)
		book->last_attempt = attempt->attempt;
	book->position = place->sequence;
	return 0;
}
