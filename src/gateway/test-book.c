/* SPDX-License-Identifier: Apache-2.0 */
/* The books: what is replayed is what was done (G2), through the index or not (G4), for histories drawn from seeds; ways there are not. */
/* Cases run on the stack that main() has, which is large. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rand.h"
#include "base/xalloc.h"
#include "gateway/queue-inside.h"
#include "journal/moves.h"
#include "lib/check.h"
#include "os/testing.h"

enum { NAMES = 77 };

union any {
	struct journal_accept accept;
	struct journal_leg_opened opened;
	struct journal_attempt attempt;
	struct journal_result result;
	struct journal_order order;
	struct journal_suppressed suppressed;
};

struct written {
	enum journal_type type;
	struct buf payload;
	int64_t wall_us;
};

/* One world: a book and what was written to make it. */
struct history {
	struct check *check;
	struct rand rand;
	struct book *book;
	struct arena arena;
	struct written *records;
	size_t n, size;
	uint64_t attempts;
};

static void history_done(struct history *h)
{
	for (size_t i = 0; i < h->n; i++)
		buf_done(&h->records[i].payload);
	free(h->records);
	arena_done(&h->arena);
	h->book = book_free(h->book);
}

static struct book_place place_of(size_t i)
{
	return (struct book_place){ .sequence = i + 1, .segment = 1 + i / 1000, .offset = (uint32_t)(4096 + i % 1000 * 512) };
}

static void write_record(struct history *h, enum journal_type type, const void *record)
{
	struct check *check = h->check;
	struct fault fault = FAULT_INIT;
	struct book_place place = place_of(h->n);
	struct written *w;

	h->records = xgrow(h->records, &h->size, h->n + 1, sizeof(*h->records));
	w = &h->records[h->n++];
	*w = (struct written){ .type = type, .wall_us = (int64_t)h->n * 1000 };
	fields_encode(journal_table(type), record, &w->payload);
	CHECK_EQ(book_may(h->book, type, record, &fault), 0);
	CHECK_EQ(book_apply(h->book, type, record, BYTES_NULL, &place, w->wall_us, &fault), 0);
}

/* --- drawing ------------------------------------------------------------------------------------ */

static void draw_accept(struct history *h)
{
	static const char *const users[] = { "ann@a.example", "Bob@a.example", "carl+x@b.example", "\"d e\"@b.example", "postmaster" };
	struct journal_recipient recipients[6] = { 0 };
	uint64_t bodies[2] = { 1000000 + h->n, 2000000 + h->n };
	struct journal_accept a = { .message = book_last_number(h->book) + 1 + rand_below(&h->rand, 3), .size = 10,
				    .reverse_path = BYTES("from@c.example"), .message_id = BYTES("<m@c.example>"),
				    .bodies = bodies, .n_bodies = rand_below(&h->rand, 3), .recipients = recipients };

	a.n_recipients = 1 + rand_below(&h->rand, 6);
	for (size_t i = 0; i < a.n_recipients; i++)
		recipients[i].address = bytes_of(users[rand_below(&h->rand, 5)]);
	write_record(h, JOURNAL_ACCEPT, &a);
}

static struct book_leg *draw_leg(struct history *h)
{
	size_t n = book_legs_in_memory(h->book), at = n ? rand_below(&h->rand, n) : 0;

	list_for_each(link, book_messages(h->book)) {
		struct book_message *message = list_entry(link, struct book_message, of_book);

		if (at >= message->n_legs) {
			at -= message->n_legs;
			continue;
		}
		list_for_each(of_message, &message->legs)
			if (at-- == 0)
				return list_entry(of_message, struct book_leg, of_message);
	}
	return NULL;
}

/* Legs of one message in that fate, at most 4. */
static size_t draw_legs(struct history *h, unsigned fates, struct journal_leg *legs, uint64_t *attempt)
{
	struct book_leg *first = draw_leg(h);
	size_t n = 0;

	if (!first || !(fates & 1u << first->fate))
		return 0;
	*attempt = first->attempt;
	list_for_each(link, &first->message->legs) {
		struct book_leg *leg = list_entry(link, struct book_leg, of_message);

		if (n < 4 && (fates & 1u << leg->fate) && leg->attempt == first->attempt)
			legs[n++] = queue_leg_name(leg);
	}
	return n;
}

static void draw_attempt(struct history *h, bool is_intent)
{
	struct journal_leg legs[4];
	struct journal_attempt a = { .legs = legs, .target = rand_below(&h->rand, 2) ? BYTES("old") : BYTES("new") };

	a.n_legs = draw_legs(h, is_intent ? 1u << JOURNAL_ATTEMPTING : 1u << JOURNAL_OPEN, legs, &a.attempt);
	if (!is_intent)
		a.attempt = ++h->attempts;
	if (a.n_legs)
		write_record(h, is_intent ? JOURNAL_INTENT : JOURNAL_ATTEMPT, &a);
}

static void draw_result(struct history *h, bool is_doubt)
{
	static const enum journal_fate ends[] = { JOURNAL_OPEN, JOURNAL_HELD, JOURNAL_DELIVERED, JOURNAL_IN_DOUBT };
	static const char *const causes[] = { "throttled", "mailbox", "connection" };
	struct journal_outcome outcomes[4] = { 0 };
	struct journal_leg legs[4];
	struct journal_result r = { .outcomes = outcomes };

	r.n_outcomes = draw_legs(h, is_doubt ? 1u << JOURNAL_IN_DOUBT : 1u << JOURNAL_ATTEMPTING, legs, &r.attempt);
	for (size_t i = 0; i < r.n_outcomes; i++) {
		const struct book_leg *leg = book_leg(h->book, &legs[i]);

		outcomes[i] = (struct journal_outcome){ .message = legs[i].message, .recipient = legs[i].recipient,
							.copy = legs[i].copy, .code = 400 + rand_below(&h->rand, 100),
							.next_us = (int64_t)rand_below(&h->rand, 1000000),
							.attempts = rand_below(&h->rand, 9), .flagged = rand_below(&h->rand, 2) };
		outcomes[i].fate = ends[rand_below(&h->rand, is_doubt || leg->has_intent ? 4 : 2)];
		if (outcomes[i].fate != JOURNAL_DELIVERED)
			outcomes[i].reason = bytes_of(causes[rand_below(&h->rand, 3)]);
	}
	if (r.n_outcomes)
		write_record(h, is_doubt ? JOURNAL_DOUBT : JOURNAL_RESULT, &r);
}

static void draw_order(struct history *h, enum journal_type type, unsigned fates)
{
	struct journal_leg legs[4];
	struct journal_order o = { .legs = legs, .next_us = (int64_t)rand_below(&h->rand, 1000000) };
	uint64_t attempt;

	o.operator = rand_below(&h->rand, 2) ? BYTES("rule:route") : BYTES("someone");
	o.n_legs = draw_legs(h, fates, legs, &attempt);
	if (o.n_legs)
		write_record(h, type, &o);
}

static void draw_copy(struct history *h)
{
	const struct book_leg *leg = draw_leg(h);
	struct journal_leg_opened opened = { .target = BYTES("old") };

	if (!leg || leg->copy || leg->has_copy)
		return;
	opened.message = leg->message->number;
	opened.recipient = leg->recipient;
	write_record(h, JOURNAL_LEG, &opened);
}

static void draw_one(struct history *h)
{
	struct journal_suppressed suppressed = { .message = 1 + rand_below(&h->rand, book_last_number(h->book) + 1) };

	switch (rand_below(&h->rand, 16)) {
	case 0:
	case 1:
		draw_accept(h);
		break;
	case 2:
		draw_copy(h);
		break;
	case 3:
	case 4:
	case 5:
		draw_attempt(h, false);
		break;
	case 6:
	case 7:
	case 8:
		draw_attempt(h, true);
		break;
	case 9:
	case 10:
		draw_result(h, false);
		break;
	case 11:
		draw_result(h, true);
		break;
	case 12:
		draw_order(h, JOURNAL_HOLD, 1u << JOURNAL_OPEN | 1u << JOURNAL_IN_DOUBT);
		break;
	case 13:
		draw_order(h, JOURNAL_RELEASE, 1u << JOURNAL_HELD);
		break;
	case 14:
		draw_order(h, JOURNAL_RETRY, 1u << JOURNAL_OPEN);
		break;
	default:
		if (rand_below(&h->rand, 4) == 0)
			write_record(h, JOURNAL_SUPPRESSED, &suppressed);
		else
			draw_order(h, JOURNAL_RETURNED, 1u << JOURNAL_OPEN | 1u << JOURNAL_HELD | 1u << JOURNAL_IN_DOUBT);
	}
}

/* --- comparing ---------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const struct book_message *x = *(struct book_message *const *)a, *y = *(struct book_message *const *)b;

	return (x->number > y->number) - (x->number < y->number);
}

static void show_leg(const struct book_leg *leg, struct buf *to)
{
	buf_appendf(to, " %u/%u fate %u target %u intent %u flagged %u copy %u code %u attempts %u attempt %" PRIu64
		    " born %" PRId64 " due %" PRId64 " since %" PRId64 " cause %s key %.*s\n",
		    leg->recipient, leg->copy, leg->fate, leg->target, leg->has_intent, leg->is_flagged, leg->has_copy, leg->code,
		    leg->attempts, leg->attempt, leg->born_us, leg->due_us, leg->since_us, book_cause_name(leg->cause),
		    (int)leg->key_n, leg->key);
}

static void show_message(const struct book_message *m, struct buf *to)
{
	buf_appendf(to, "%" PRIu64 " accepted %" PRId64 " size %" PRIu64 " recipients %u legs %u at %" PRIu64 "\n", m->number,
		    m->accepted_us, m->size, m->n_recipients, m->n_legs + m->n_away, m->place.sequence);
	for (size_t i = 0; i < m->n_bodies; i++)
		buf_appendf(to, " body %" PRIu64 "\n", m->bodies[i].sequence);
	for (uint32_t slot = 0; slot < 2 * m->n_recipients; slot++)
		list_for_each(link, &m->legs) {
			const struct book_leg *leg = list_entry(link, struct book_leg, of_message);

			if (index_slot(leg->recipient, leg->copy) == slot)
				show_leg(leg, to);
		}
}

static int by_line(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_causes(const struct book *book, struct buf *to)
{
	char *lines[80];
	struct book_cause_view view;
	size_t at = 0, n = 0;

	while (book_next_cause(book, &at, &view)) {
		struct buf line = BUF_NULL;

		buf_appendf(&line, "%s", view.name);
		for (unsigned t = 0; t <= BOOK_TARGETS; t++)
			for (unsigned f = JOURNAL_OPEN; f <= JOURNAL_HELD; f++)
				buf_appendf(&line, " %" PRIu64, view.legs[t][f]);
		if (strpbrk(buf_str(&line) + strlen(view.name), "123456789"))
			lines[n++] = buf_take(&line);
		buf_done(&line);
	}
	qsort(lines, n, sizeof(lines[0]), by_line);
	for (size_t i = 0; i < n; i++) {
		buf_appendf(to, "cause %s\n", lines[i]);
		free(lines[i]);
	}
}

/* Everything that is unsettled, and all counts. */
static void show(struct book *book, struct buf *to)
{
	const struct journal_tallies *t = book_tallies(book);
	struct book_message **messages = NULL;
	size_t n = 0, size = 0;

	list_for_each(link, book_messages(book)) {
		messages = xgrow(messages, &size, n + 1, sizeof(struct book_message *));
		messages[n++] = list_entry(link, struct book_message, of_book);
	}
	if (n)
		qsort(messages, n, sizeof(struct book_message *), by_number);
	for (size_t i = 0; i < n; i++)
		if (messages[i]->n_legs + messages[i]->n_away > 0)
			show_message(messages[i], to);
	free(messages);
	buf_appendf(to, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
		    " last %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", t->messages, t->legs, t->open, t->attempting, t->doubt, t->held,
		    t->delivered, t->returned, book_last_number(book), book_last_attempt(book), book_position(book));
	for (unsigned k = 0; k <= BOOK_TARGETS; k++)
		for (unsigned f = JOURNAL_OPEN; f <= JOURNAL_HELD; f++)
			buf_appendf(to, "%" PRIu64 " ", book_count(book, (enum book_target)k, (enum journal_fate)f));
	buf_append_char(to, '\n');
	show_causes(book, to);
}

static void same(struct check *check, const struct history *h, struct book *other)
{
	_cleanup_(buf_done) struct buf a = BUF_NULL, b = BUF_NULL;
	const struct journal_tallies *t = book_tallies(h->book);

	CHECK_EQ(t->legs, t->open + t->attempting + t->doubt + t->held + t->delivered + t->returned);
	show(h->book, &a);
	show(other, &b);
	CHECK_BYTES(buf_bytes(&b), buf_bytes(&a));
}

static void draw_history(struct history *h, struct check *check, uint64_t seed, size_t n)
{
	*h = (struct history){ .check = check, .book = book_new(1, NAMES) };
	rand_init(&h->rand, seed);
	draw_accept(h);
	while (h->n < n)
		draw_one(h);
}

static int apply(struct history *h, struct book *book, size_t i, union any *any)
{
	struct book_place place = place_of(i);
	struct fault fault = FAULT_INIT;

	return book_apply(book, h->records[i].type, any, BYTES_NULL, &place, h->records[i].wall_us, &fault);
}

static int decode(struct history *h, size_t i, union any *any)
{
	struct fault fault = FAULT_INIT;

	arena_reset(&h->arena);
	return fields_decode(journal_table(h->records[i].type), buf_bytes(&h->records[i].payload), &h->arena, any, &fault);
}

static void replays(struct check *check)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct history h;
		struct book *other = book_new(2, NAMES);
		union any any;

		draw_history(&h, check, seed, 500);
		for (size_t i = 0; i < h.n; i++) {
			CHECK_EQ(decode(&h, i, &any), 0);
			CHECK_EQ(apply(&h, other, i, &any), 0);
		}
		same(check, &h, other);
		CHECK(book_tallies(other)->delivered > 3 && book_tallies(other)->returned > 3);
		book_free(other);
		history_done(&h);
	}
}

/* --- through the index -------------------------------------------------------------------------- */

/* Writes what is new, and forgets some or all of it. */
static void pass_on(struct check *check, struct queue *q, struct rand *rand)
{
	struct index_batch batch = { 0 };
	struct fault fault = FAULT_INIT;

	index_gather(q->book, &batch);
	CHECK_EQ(index_write(q->index, &batch, &fault), 0);
	index_release(q->book, &batch);
	list_for_each_safe(at, book_messages(q->book)) {
		struct book_message *message = list_entry(at, struct book_message, of_book);

		list_for_each_safe(link, &message->legs) {
			struct book_leg *leg = list_entry(link, struct book_leg, of_message);

			list_remove(&leg->of_queue);
			if (rand_below(rand, 4) > 0)
				book_forget_leg(q->book, leg);
		}
		book_tidy(q->book, message);
	}
}

static void bring_in(struct check *check, struct queue *q, uint64_t number)
{
	struct index_rows rows = { 0 };
	struct fault fault = FAULT_INIT;

	CHECK_EQ(index_read_message(q->index, number, &rows, &fault), 0);
	for (size_t i = 0; i < rows.n; i++)
		queue_restore(q, &rows.rows[i]);
	index_rows_done(&rows);
}

static void bring_in_all(struct check *check, struct queue *q)
{
	for (uint64_t number = 1; number <= book_last_number(q->book); number++)
		bring_in(check, q, number);
}

static void bring_in_for(struct check *check, struct queue *q, enum journal_type type, const union any *any)
{
	struct journal_move m;

	if (type == JOURNAL_SUPPRESSED)
		bring_in(check, q, any->suppressed.message);
	for (size_t i = 0; i < journal_moves(type, any); i++)
		if (journal_move(type, any, i, &m) == 0)
			bring_in(check, q, m.leg.message);
}

static void open_index(struct check *check, struct queue *q, const char *path)
{
	struct fault fault = FAULT_INIT;
	char said[160];

	CHECK_EQ(index_open(path, NAMES, &q->index, said, &fault), 0);
	CHECK_STR(said, "");
	CHECK_EQ(index_names(q->index), NAMES);
	q->book = book_new(3, index_names(q->index));
	CHECK_EQ(index_totals(q->index, q->book, &fault), 0);
	list_init(&q->doubts);
}

static void close_index(struct queue *q)
{
	list_for_each(at, book_messages(q->book))
		list_for_each(link, &list_entry(at, struct book_message, of_book)->legs)
			list_remove(&list_entry(link, struct book_leg, of_message)->of_queue);
	q->book = book_free(q->book);
	q->index = index_close(q->index);
}

/* The steps of each message, as the index has them, are the records that name it. */
static void same_events(struct check *check, const struct history *h, struct queue *q)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct fault fault = FAULT_INIT;

	for (uint64_t number = 1; number <= book_last_number(q->book); number++) {
		struct book_place *places;
		size_t n;

		CHECK_EQ(index_events(q->index, number, &arena, &places, &n, &fault), 0);
		for (size_t i = 0; i < n; i++) {
			struct book_place want = place_of(places[i].sequence - 1);

			CHECK(places[i].segment == want.segment && places[i].offset == want.offset);
			CHECK(i == 0 || places[i].sequence > places[i - 1].sequence);
		}
		if (n)
			CHECK_EQ(h->records[places[0].sequence - 1].type == JOURNAL_ACCEPT ||
				 h->records[places[0].sequence - 1].type == JOURNAL_SUPPRESSED, 1);
	}
}

static void indexed(struct check *check)
{
	for (uint64_t seed = 1; seed <= 25; seed++) {
		_cleanup_(testing_folder_remove) struct testing_folder folder;
		struct history h;
		struct queue q = { 0 };
		union any any;

		testing_folder_make(&folder);
		draw_history(&h, check, seed, 400);
		open_index(check, &q, testing_path(&folder, "index.db"));
		for (size_t i = 0; i < h.n; i++) {
			CHECK_EQ(decode(&h, i, &any), 0);
			bring_in_for(check, &q, h.records[i].type, &any);
			CHECK_EQ(apply(&h, q.book, i, &any), 0);
			if (rand_below(&h.rand, 10) == 0)
				pass_on(check, &q, &h.rand);

			/* What is not in the index is lost, and replayed. */
			if (rand_below(&h.rand, 40) == 0) {
				size_t to;

				close_index(&q);
				open_index(check, &q, testing_path(&folder, "index.db"));
				to = i;
				for (i = (size_t)book_position(q.book); i <= to; i++) {
					CHECK_EQ(decode(&h, i, &any), 0);
					bring_in_for(check, &q, h.records[i].type, &any);
					CHECK_EQ(apply(&h, q.book, i, &any), 0);
				}
				i = to;
			}
		}
		pass_on(check, &q, &h.rand);
		same_events(check, &h, &q);
		bring_in_all(check, &q);
		same(check, &h, q.book);
		close_index(&q);
		history_done(&h);
	}
}

/* --- what may not come -------------------------------------------------------------------------- */

static void refuses(struct check *check)
{
	struct journal_leg leg = { 1, 0, 0 }, other = { 1, 7, 0 };
	struct journal_recipient recipient = { .address = BYTES("a@b.example") };
	struct journal_accept accept = { .message = 1, .recipients = &recipient, .n_recipients = 1 };
	struct journal_attempt attempt = { .attempt = 1, .legs = &leg, .n_legs = 1 };
	struct journal_outcome outcome = { .message = 1, .fate = JOURNAL_DELIVERED };
	struct journal_result result = { .attempt = 1, .outcomes = &outcome, .n_outcomes = 1 };
	struct journal_order order = { .legs = &leg, .n_legs = 1 };
	struct history h = { .check = check, .book = book_new(1, NAMES) };
	struct fault fault = FAULT_INIT;

	CHECK(book_may(h.book, JOURNAL_ATTEMPT, &attempt, &fault) < 0);
	write_record(&h, JOURNAL_ACCEPT, &accept);
	CHECK(book_may(h.book, JOURNAL_ACCEPT, &accept, &fault) < 0 && fault.kind == FAULT_DATA);
	CHECK(book_may(h.book, JOURNAL_RESULT, &result, &fault) < 0);
	CHECK(book_may(h.book, JOURNAL_RELEASE, &order, &fault) < 0);
	attempt.legs = &other;
	CHECK(book_may(h.book, JOURNAL_ATTEMPT, &attempt, &fault) < 0);
	attempt.legs = &leg;
	write_record(&h, JOURNAL_ATTEMPT, &attempt);
	CHECK(book_may(h.book, JOURNAL_ATTEMPT, &attempt, &fault) < 0);

	/* no final dot without an intent */
	CHECK(book_may(h.book, JOURNAL_RESULT, &result, &fault) < 0);
	CHECK(strstr(fault.text, "without an intent"));
	attempt.attempt = 2;
	CHECK(book_may(h.book, JOURNAL_INTENT, &attempt, &fault) < 0);
	attempt.attempt = 1;
	write_record(&h, JOURNAL_INTENT, &attempt);
	CHECK(book_may(h.book, JOURNAL_HOLD, &order, &fault) < 0);
	outcome.fate = JOURNAL_ATTEMPTING;
	CHECK(book_may(h.book, JOURNAL_RESULT, &result, &fault) < 0);
	outcome.fate = JOURNAL_DELIVERED;
	write_record(&h, JOURNAL_RESULT, &result);
	CHECK(book_may(h.book, JOURNAL_RESULT, &result, &fault) < 0);
	CHECK_EQ(book_tallies(h.book)->delivered, 1);
	CHECK_EQ(book_legs_in_memory(h.book), 0);
	history_done(&h);
}

/* Many causes do not make memory of their own. */
static void causes(struct check *check)
{
	struct journal_recipient recipient = { .address = BYTES("a@b.example") };
	struct history h = { .check = check, .book = book_new(1, NAMES) };
	struct book_cause_view view;
	size_t at = 0, n = 0;
	uint64_t others = 0;

	for (uint64_t i = 1; i <= 200; i++) {
		struct journal_accept accept = { .message = i, .recipients = &recipient, .n_recipients = 1 };
		struct journal_leg leg = { i, 0, 0 };
		struct journal_order order = { .legs = &leg, .n_legs = 1 };
		char name[40];

		snprintf(name, sizeof(name), "rule:cause %" PRIu64, i);
		order.operator = bytes_of(name);
		write_record(&h, JOURNAL_ACCEPT, &accept);
		write_record(&h, JOURNAL_HOLD, &order);
	}
	for (; book_next_cause(h.book, &at, &view); n++)
		if (strcmp(view.name, "other") == 0)
			others = view.legs[BOOK_NOWHERE][JOURNAL_HELD];
	CHECK_EQ(n, 65);
	CHECK_EQ(others, 136);
	history_done(&h);
}

static void ids(struct check *check)
{
	char text[QUEUE_ID_SIZE];
	uint64_t numbers[] = { 1, 31, 32, 1000, UINT64_C(1) << 40, UINT64_MAX }, number;

	queue_id_write(text, "k3f9z", 42);
	CHECK_STR(text, "k3f9z-00001a");
	for (size_t i = 0; i < 6; i++) {
		queue_id_write(text, "k3f9z", numbers[i]);
		CHECK(queue_id_read(bytes_of(text), "k3f9z", &number) == 0 && number == numbers[i]);
	}
	CHECK(queue_id_read(BYTES("K3F9Z-OOO0IA"), "k3f9z", &number) == 0 && number == 42);
	CHECK(queue_id_read(BYTES("k3f9y-00001a"), "k3f9z", &number) < 0);
	CHECK(queue_id_read(BYTES("k3f9z-0001a"), "k3f9z", &number) < 0);
	CHECK(queue_id_read(BYTES("k3f9z-00001u"), "k3f9z", &number) < 0);
	CHECK(queue_id_read(BYTES("k3f9z-g000000000000"), "k3f9z", &number) < 0); /* above 64 bits */
	CHECK(queue_id_read(BYTES("k3f9z-00000000000001"), "k3f9z", &number) < 0);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "what is replayed is what was done (G2)", replays },
		{ "the same through the index, killed now and then (G4)", indexed },
		{ "ways that there are not (G1)", refuses },
		{ "causes are bounded", causes },
		{ "queue ids", ids },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
