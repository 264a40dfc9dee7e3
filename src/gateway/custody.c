/* SPDX-License-Identifier: Apache-2.0 */
/* See custody.h. */
#include "gateway/custody.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/book.h"
#include "gateway/queue-id.h"
#include "journal/moves.h"
#include "journal/reader.h"

/* A message that is traced. */
struct traced {
	uint64_t number;
	struct buf payloads; /* of its steps, one behind the other */
	struct {
		struct control_step step;
		size_t at;
	} *steps;
	size_t n, size;
};

struct custody {
	struct bytes name, bracketed, key;
	uint64_t number;     /* the name is this queue id; 0: it is none */
	bool has_id;         /* a message of that Message-ID was seen: the name is no address then */
	struct traced *kept; /* by number; at most limit */
	size_t n, limit;
	uint64_t more;
	struct arena arena;  /* of a record */
};

static void traced_done(struct traced *t)
{
	buf_done(&t->payloads);
	free(t->steps);
}

static void forget_all(struct custody *c)
{
	for (size_t i = 0; i < c->n; i++)
		traced_done(&c->kept[i]);
	c->n = 0;
	c->more = 0;
}

static struct traced *find(struct custody *c, uint64_t number)
{
	size_t low = 0, high = c->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->kept[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < c->n && c->kept[low].number == number ? &c->kept[low] : NULL;
}

/* Numbers rise in the journal's order; one that does not is of a damaged journal. */
static struct traced *keep(struct custody *c, uint64_t number)
{
	if (c->n > 0 && c->kept[c->n - 1].number >= number)
		return find(c, number);
	if (c->n == c->limit) {
		traced_done(&c->kept[0]);
		memmove(c->kept, c->kept + 1, (c->n - 1) * sizeof(*c->kept));
		c->n--;
		c->more++;
	}
	c->kept[c->n] = (struct traced){ .number = number };
	return &c->kept[c->n++];
}

static bool is_of(struct custody *c, struct bytes address)
{
	return address.n && bytes_equal(book_key(address, &c->arena), c->key);
}

static bool has_address(struct custody *c, const struct journal_accept *a)
{
	if (is_of(c, a->reverse_path))
		return true;
	for (size_t i = 0; i < a->n_recipients; i++)
		if (is_of(c, a->recipients[i].address))
			return true;
	return false;
}

static bool is_wanted(struct custody *c, const struct journal_accept *a)
{
	if (c->number)
		return a->message == c->number;
	if (a->message_id.n && (bytes_equal(a->message_id, c->name) || bytes_equal(a->message_id, c->bracketed))) {
		if (!c->has_id)
			forget_all(c);
		c->has_id = true;
		return true;
	}
	return !c->has_id && has_address(c, a);
}

static void add(struct traced *t, const struct journal_record *record)
{
	if (!t)
		return;
	t->steps = xgrow(t->steps, &t->size, t->n + 1, sizeof(*t->steps));
	t->steps[t->n].at = t->payloads.n;
	t->steps[t->n].step = (struct control_step){
		.type = record->head.type, .sequence = record->head.sequence, .segment = record->segment,
		.offset = record->offset, .wall_us = record->head.wall_us, .record = record->payload,
	};
	t->n++;
	buf_append_bytes(&t->payloads, record->payload);
}

/* Once for each message that it names. */
static void add_moves(struct custody *c, const struct journal_record *record, const void *decoded)
{
	enum journal_type type = (enum journal_type)record->head.type;
	uint64_t last = 0;

	for (size_t i = 0; i < journal_moves(type, decoded); i++) {
		struct journal_move move;

		if (journal_move(type, decoded, i, &move) < 0 || move.leg.message == last)
			continue;
		last = move.leg.message;
		add(find(c, last), record);
	}
}

static int look_at(struct custody *c, const struct journal_record *record, struct fault *fault)
{
	const struct field_table *table = journal_table(record->head.type);
	const struct journal_accept *accept;
	void *decoded;

	if (!table || record->head.type == JOURNAL_CHECKPOINT || record->head.type == JOURNAL_DROPPED)
		return 0;
	arena_reset(&c->arena);
	decoded = arena_alloc(&c->arena, table->size);
	if (fields_decode(table, record->payload, &c->arena, decoded, fault) < 0)
		return -1;
	switch (record->head.type) {
	case JOURNAL_ACCEPT:
		accept = decoded;
		if (is_wanted(c, accept))
			add(keep(c, accept->message), record);
		break;
	case JOURNAL_SUPPRESSED:
		add(find(c, ((const struct journal_suppressed *)decoded)->message), record);
		break;
	default:
		add_moves(c, record, decoded);
		break;
	}
	return 0;
}

static int read_all(struct custody *c, struct journal_reader *reader, struct custody_result *ret, struct fault *fault)
{
	for (;;) {
		struct journal_record record;
		int r = journal_reader_next(reader, &record, fault);

		if (r > 0)
			r = look_at(c, &record, fault) < 0 ? -1 : 1;
		if (r == 0)
			return 0;
		if (r < 0 && fault->kind != FAULT_DATA)
			return -1;
		if (r < 0 && ret->damaged++ == 0)
			snprintf(ret->damage, sizeof(ret->damage), "%.319s", fault->text);
	}
}

static int tell(struct custody *c, const char *journal_id,
		int (*fn)(void *arg, enum control_say_type type, const void *said, struct fault *fault), void *arg,
		struct fault *fault)
{
	for (size_t i = 0; i < c->n; i++) {
		struct traced *t = &c->kept[i];
		struct control_message message = { .number = t->number };
		char id[QUEUE_ID_SIZE];

		queue_id_write(id, journal_id, t->number);
		message.queue_id = bytes_of(id);
		if (fn(arg, CONTROL_MESSAGE, &message, fault) < 0)
			return -1;
		for (size_t j = 0; j < t->n; j++) {
			struct control_step step = t->steps[j].step;

			step.record = bytes_head(bytes_skip(buf_bytes(&t->payloads), t->steps[j].at), step.record.n);
			if (fn(arg, CONTROL_STEP, &step, fault) < 0)
				return -1;
		}
	}
	return 0;
}

int custody_read(const char *state, struct bytes name, size_t limit,
		 int (*fn)(void *arg, enum control_say_type type, const void *said, struct fault *fault), void *arg,
		 struct custody_result *ret, struct fault *fault)
{
	_cleanup_(journal_reader_closep) struct journal_reader *reader = NULL;
	_cleanup_(buf_done) struct buf path = BUF_NULL;
	_cleanup_(arena_done) struct arena names = { NULL };
	struct custody c = { .name = name, .limit = limit };
	int r;

	*ret = (struct custody_result){ .damaged = 0 };
	buf_appendf(&path, "%s/journal", state);
	if (journal_reader_open(buf_str(&path), 0, JOURNAL_READ_NO_BODIES, &reader, fault) < 0)
		return -1;
	c.kept = xreallocarray(NULL, limit, sizeof(*c.kept));
	c.bracketed = bytes_of(arena_printf(&names, "<%.*s>", BYTES_ARG(name)));
	c.key = book_key(name, &names);
	if (queue_id_read(name, journal_reader_id(reader), &c.number) < 0)
		c.number = 0;
	r = read_all(&c, reader, ret, fault);
	if (r == 0)
		r = tell(&c, journal_reader_id(reader), fn, arg, fault);
	ret->end = (struct control_end){ .n = c.n, .more = c.more };
	forget_all(&c);
	free(c.kept);
	arena_done(&c.arena);
	return r;
}
