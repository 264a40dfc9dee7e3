/* SPDX-License-Identifier: Apache-2.0 */
/* Giving back the content of what is settled. The journal is walked in its order, behind the present: a message is looked at when the
 * last record that names it has become old, so each is looked at once. Whole segments: queue-expire.c. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/queue-inside.h"
#include "gateway/queue-segment.h"
#include "journal/moves.h"
#include "os/step.h"

enum {
	PORTION = 2000, /* records */
	DROP = 2000,    /* bodies named by a DROPPED record */
	SAY = 2000,     /* records that were looked at for nothing until that is said */
	TABLES = 2,
};

/* Where a segment's bodies are. */
struct table {
	uint64_t segment;
	struct journal_drop *bodies; /* by sequence */
	size_t n, size;
};

struct queue_walk {
	struct journal_reader *reader;
	uint64_t to;   /* looked at up to there */
	uint64_t said; /* … and this is what the journal knows */
	struct table tables[TABLES];
	unsigned next_table;
};

void queue_walk_free(struct queue_walk *walk)
{
	if (!walk)
		return;

	journal_reader_close(walk->reader);
	for (unsigned i = 0; i < TABLES; i++)
		free(walk->tables[i].bodies);
	free(walk);
}

static struct queue_walk *walk_of(struct queue *queue)
{
	if (!queue->walk) {
		queue->walk = xzalloc(sizeof(*queue->walk));
		queue->walk->to = queue->walk->said = queue->kept.looked_to;
	}
	return queue->walk;
}

void queue_note_dropped(struct queue *queue, const struct journal_dropped *dropped)
{
	struct index_kept *kept = &queue->kept;

	if (dropped->looked_to > kept->looked_to)
		kept->looked_to = dropped->looked_to;
	if (dropped->routes_from > kept->routes_from)
		kept->routes_from = dropped->routes_from;
	if (dropped->segments_to <= kept->removed_to)
		return;
	kept->removed_to = dropped->segments_to;
	if (dropped->n_base)
		kept->base = dropped->base[0];
}

/* --- who is named ------------------------------------------------------------------------------ */

static size_t add_names(unsigned type, const void *record, uint64_t **to, size_t *size, size_t n)
{
	size_t moves = journal_moves((enum journal_type)type, record), room = n + moves + 1;
	struct journal_move move;

	*to = xgrow(*to, size, room, sizeof(**to));
	if (type == JOURNAL_ACCEPT)
		(*to)[n++] = ((const struct journal_accept *)record)->message;
	if (type == JOURNAL_SUPPRESSED)
		(*to)[n++] = ((const struct journal_suppressed *)record)->message;
	for (size_t i = 0; i < moves; i++)
		if (journal_move((enum journal_type)type, record, i, &move) == 0)
			(*to)[n++] = move.leg.message;
	return n;
}

/* What becomes of a portion, on worker threads. */
struct portion {
	const char *path;
	struct index *index;
	struct queue_walk *walk;
	uint64_t most;         /* the last record that the index has */
	int64_t before_us;
	uint64_t to;           /* looked at up to there */
	bool is_more;
	uint64_t *numbers;     /* of messages */
	size_t n, size;
	struct book_place *accepts; /* of those whose content goes */
	size_t n_accepts;
	struct journal_reader *segments; /* to know which there are */
	struct journal_drop *bodies;
	size_t n_bodies, bodies_size;
};

static void portion_done(struct portion *p)
{
	journal_reader_close(p->segments);
	free(p->numbers);
	free(p->accepts);
	free(p->bodies);
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void sort_numbers(struct portion *p)
{
	size_t kept = 0;

	if (p->n > 0)
		qsort(p->numbers, p->n, sizeof(*p->numbers), compare_numbers);
	for (size_t i = 0; i < p->n; i++)
		if (kept == 0 || p->numbers[kept - 1] != p->numbers[i])
			p->numbers[kept++] = p->numbers[i];
	p->n = kept;
}

static int note_names(struct portion *p, const struct journal_record *record, struct arena *arena, struct fault *fault)
{
	const struct field_table *table = journal_table(record->head.type);
	void *decoded;

	if (!table)
		return 0;
	arena_reset(arena);
	decoded = arena_alloc(arena, table->size);
	if (fields_decode(table, record->payload, arena, decoded, fault) < 0)
		return -1;
	p->n = add_names(record->head.type, decoded, &p->numbers, &p->size, p->n);
	return 0;
}

/* The reader stays where it is while portions follow each other. */
static int open_reader(struct queue_walk *walk, const char *path, struct fault *fault)
{
	if (walk->reader)
		return 0;
	return journal_reader_open(path, walk->to + 1, JOURNAL_READ_NO_BODIES, &walk->reader, fault);
}

static int walk_job(void *arg, struct fault *fault)
{
	struct portion *p = arg;
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct journal_record record;
	size_t n = 0;
	int r = 0;

	p->to = p->walk->to;
	if (open_reader(p->walk, p->path, fault) < 0)
		return -1;
	while (n < PORTION && p->to < p->most && (r = journal_reader_next(p->walk->reader, &record, fault)) > 0) {
		if (record.head.sequence <= p->to)
			continue;
		if (record.head.wall_us > p->before_us || record.head.sequence > p->most)
			break;
		if (note_names(p, &record, &arena, fault) < 0)
			return -1;
		p->to = record.head.sequence;
		n++;
	}
	if (r < 0)
		return -1;
	/* At its end, or past what it is to look at: what comes after that it does not know. */
	if (n < PORTION)
		p->walk->reader = journal_reader_close(p->walk->reader);
	p->is_more = n == PORTION;
	sort_numbers(p);
	return 0;
}

/* --- whose content goes ------------------------------------------------------------------------ */

/* In the turn. */
static int choose_job(void *arg, struct fault *fault)
{
	struct portion *p = arg;
	_cleanup_(arena_done) struct arena arena = { NULL };

	p->accepts = xreallocarray(NULL, p->n + 1, sizeof(*p->accepts));
	for (size_t i = 0; i < p->n; i++) {
		struct book_place *places;
		bool is_live;
		size_t n;

		arena_reset(&arena);
		if (index_is_live(p->index, p->numbers[i], &is_live, fault) < 0)
			return -1;
		if (is_live)
			continue;
		if (index_events(p->index, p->numbers[i], &arena, &places, &n, fault) < 0)
			return -1;
		/* Something more came later: it is looked at again then. */
		if (n > 0 && places[n - 1].sequence <= p->to)
			p->accepts[p->n_accepts++] = places[0];
	}
	return 0;
}

/* --- where it is ------------------------------------------------------------------------------- */

static int load_table(const char *path, const struct journal_segment *segment, struct table *to, struct fault *fault)
{
	_cleanup_(journal_reader_closep) struct journal_reader *reader = NULL;
	struct journal_record record;
	int r;

	to->segment = segment->number;
	to->n = 0;
	if (journal_reader_open(path, segment->head.first, JOURNAL_READ_NO_BODIES, &reader, fault) < 0)
		return -1;
	while ((r = journal_reader_next(reader, &record, fault)) > 0 && record.segment <= segment->number) {
		if (record.segment < segment->number || record.head.type != JOURNAL_BODY)
			continue;
		to->bodies = xgrow(to->bodies, &to->size, to->n + 1, sizeof(*to->bodies));
		to->bodies[to->n++] = (struct journal_drop){ .sequence = record.head.sequence, .segment = record.segment,
							     .offset = record.offset, .length = record.head.length };
	}
	return r < 0 ? -1 : 0;
}

static int compare_bodies(const void *a, const void *b)
{
	const struct journal_drop *x = a, *y = b;

	return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

/* NULL in *ret: it is in no segment any more. */
static int find_body(struct portion *p, uint64_t sequence, const struct journal_drop **ret, struct fault *fault)
{
	const struct journal_segment *segments, *in = NULL;
	size_t n = journal_reader_segments(p->segments, &segments);
	struct journal_drop key = { .sequence = sequence };
	struct table *table = NULL;

	*ret = NULL;
	for (size_t i = 0; i < n && segments[i].is_good && segments[i].head.first <= sequence; i++)
		in = &segments[i];
	if (!in)
		return 0;
	for (unsigned i = 0; i < TABLES; i++)
		if (p->walk->tables[i].segment == in->number)
			table = &p->walk->tables[i];
	if (!table) {
		table = &p->walk->tables[p->walk->next_table++ % TABLES];
		if (load_table(p->path, in, table, fault) < 0) {
			table->segment = 0;
			return -1;
		}
	}
	if (table->n > 0)
		*ret = bsearch(&key, table->bodies, table->n, sizeof(key), compare_bodies);
	/* The segment that is written to has more by now. */
	if (!*ret && in == &segments[n - 1])
		table->segment = 0;
	return 0;
}

static int note_bodies(struct portion *p, const uint64_t *sequences, size_t n, struct fault *fault)
{
	const struct journal_drop *body;

	p->bodies = xgrow(p->bodies, &p->bodies_size, p->n_bodies + n + 1, sizeof(*p->bodies));
	for (size_t i = 0; i < n; i++) {
		if (find_body(p, sequences[i], &body, fault) < 0)
			return -1;
		if (body && body->length > 0)
			p->bodies[p->n_bodies++] = *body;
	}
	return 0;
}

static int find_job(void *arg, struct fault *fault)
{
	struct portion *p = arg;
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(buf_done) struct buf payload = BUF_NULL;

	if (journal_reader_open(p->path, UINT64_MAX, JOURNAL_READ_NO_BODIES, &p->segments, fault) < 0)
		return -1;
	for (size_t i = 0; i < p->n_accepts; i++) {
		struct journal_accept accept;
		struct journal_head head;

		arena_reset(&arena);
		buf_reset(&payload);
		if (queue_read_record(p->path, &p->accepts[i], &head, &payload, fault) < 0)
			return -1;
		if (head.type != JOURNAL_ACCEPT)
			continue; /* its segment was removed: what is left are later records */
		if (fields_decode(journal_table(JOURNAL_ACCEPT), buf_bytes(&payload), &arena, &accept, fault) < 0 ||
		    note_bodies(p, accept.bodies, accept.n_bodies, fault) < 0)
			return -1;
	}
	if (p->n_bodies > 0)
		qsort(p->bodies, p->n_bodies, sizeof(*p->bodies), compare_bodies);
	return 0;
}

/* --- giving it back ---------------------------------------------------------------------------- */

static int drop(struct queue *queue, struct journal_drop *bodies, size_t n, const char *reason, struct queue_given *ret,
		struct fault *fault)
{
	for (size_t at = 0; at < n; at += DROP) {
		struct journal_dropped dropped = { .bodies = bodies + at, .n_bodies = n - at < DROP ? n - at : DROP,
						   .reason = bytes_of(reason) };

		if (journal_drop(queue->journal, &dropped, fault) < 0)
			return -1;
		step_point("retain-dropped");
		for (size_t i = 0; i < dropped.n_bodies; i++)
			ret->bytes += dropped.bodies[i].length;
		ret->bodies += dropped.n_bodies;
	}
	return 0;
}

/* What was looked at needs not be again. It is durable with whatever follows. */
static int say_looked(struct queue *queue, struct queue_walk *walk, struct fault *fault)
{
	struct journal_dropped dropped = { .looked_to = walk->to, .reason = BYTES("looked at") };
	uint64_t sequence;

	if (journal_put(queue->journal, JOURNAL_DROPPED, &dropped, &sequence, fault) < 0)
		return -1;
	queue_note_dropped(queue, &dropped);
	walk->said = walk->to;
	return 0;
}

static int drop_portion(struct queue *queue, struct portion *p, const char *reason, struct queue_given *ret, struct fault *fault)
{
	struct queue_walk *walk = p->walk;
	int r;

	if (pool_call("what is old in the journal", walk_job, p, fault) < 0)
		return -1;
	if (p->n > 0) {
		if (queue_take_turn(queue, fault) < 0)
			return -1;
		r = pool_call("what is settled", choose_job, p, fault);
		queue_end_turn(queue);
		if (r < 0 || pool_call("contents to be given back", find_job, p, fault) < 0)
			return -1;
	}
	step_point("retain-looked");
	if (drop(queue, p->bodies, p->n_bodies, reason, ret, fault) < 0)
		return -1;
	ret->messages = p->n_accepts;
	ret->is_more = p->is_more;
	walk->to = p->to;
	return p->n_bodies > 0 || walk->to >= walk->said + SAY ? say_looked(queue, walk, fault) : 0;
}

int queue_drop_contents(struct queue *queue, int64_t before_us, const char *reason, struct queue_given *ret,
			struct fault *fault)
{
	struct portion p = { .path = journal_path(queue->journal), .index = queue->index, .walk = walk_of(queue),
			     .before_us = before_us };
	int r;

	*ret = (struct queue_given){ 0 };
	if (queue_flush(queue, fault) < 0)
		return -1;
	p.most = queue->indexed;
	r = drop_portion(queue, &p, reason, ret, fault);
	if (r < 0) /* it has read what was not looked at to the end */
		p.walk->reader = journal_reader_close(p.walk->reader);
	portion_done(&p);
	return r;
}

/* --- what was given up ------------------------------------------------------------------------- */

void queue_give_up(struct queue *queue, const uint64_t *bodies, size_t n)
{
	/* More at once are left to the time when their segment goes. */
	if (n == 0 || queue->n_abandoned + n > QUEUE_ABANDONED_MAX)
		return;
	queue->abandoned = xgrow(queue->abandoned, &queue->abandoned_size, queue->n_abandoned + n, sizeof(*queue->abandoned));
	memcpy(queue->abandoned + queue->n_abandoned, bodies, n * sizeof(*bodies));
	queue->n_abandoned += n;
}

static int abandoned_job(void *arg, struct fault *fault)
{
	struct portion *p = arg;

	if (journal_reader_open(p->path, UINT64_MAX, JOURNAL_READ_NO_BODIES, &p->segments, fault) < 0)
		return -1;
	sort_numbers(p);
	return note_bodies(p, p->numbers, p->n, fault);
}

int queue_drop_abandoned(struct queue *queue, struct queue_given *ret, struct fault *fault)
{
	struct portion p = { .path = journal_path(queue->journal), .walk = walk_of(queue),
			     .numbers = TAKE_PTR(queue->abandoned), .n = queue->n_abandoned };
	int r = 0;

	queue->n_abandoned = queue->abandoned_size = 0;
	*ret = (struct queue_given){ 0 };
	if (p.n == 0)
		return 0;
	for (size_t i = 0; r == 0 && i < p.n; i++)
		r = journal_commit(queue->journal, p.numbers[i], fault);
	if (r == 0)
		r = pool_call("contents that were given up", abandoned_job, &p, fault);
	if (r == 0)
		r = drop(queue, p.bodies, p.n_bodies, "never accepted", ret, fault);
	portion_done(&p);
	return r;
}
