/* SPDX-License-Identifier: Apache-2.0 */
/* Removing the journal's oldest segment. What its messages came to is counted first, record by record, beyond it where they were
 * settled later: if all of them are, nothing open lives in it. The sums go into the DROPPED record, so that books made anew
 * from what is left are the same. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/queue-inside.h"
#include "gateway/queue-segment.h"
#include "journal/moves.h"
#include "os/step.h"

enum { FORGET = 100, ROUTES_SIZE = 512 << 10 };

struct expiring_message {
	uint64_t number;
	uint64_t legs, delivered, returned;
	uint64_t *names;
	size_t n_names;
};

/* What worker threads find out of the segment. */
struct expiring {
	struct queue *queue;
	const char *path;
	struct index *index;
	int64_t before_us;
	uint64_t under_way, names;
	uint64_t segment, end;  /* end: the first record that is not in it */
	bool may_go, has_routes;
	struct expiring_message *messages; /* accepted in it, by number */
	size_t n, size;
	uint64_t last_attempt;
	struct arena arena;
};

static void expiring_done(struct expiring *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->messages[i].names);
	free(e->messages);
	arena_done(&e->arena);
}

/* --- is it old, and unneeded? ------------------------------------------------------------------ */

static int look_job(void *arg, struct fault *fault)
{
	struct expiring *e = arg;
	_cleanup_(journal_reader_closep) struct journal_reader *reader = NULL;
	const struct journal_segment *segments;
	uint64_t needed;
	size_t n;

	if (journal_reader_open(e->path, UINT64_MAX, JOURNAL_READ_NO_BODIES, &reader, fault) < 0)
		return -1;
	n = journal_reader_segments(reader, &segments);
	if (n < 2 || segments[0].number != e->segment || !segments[0].is_good || !segments[1].is_good)
		return 0;
	e->end = segments[1].head.first;
	/* The next one was begun when this one had its last record. */
	if (segments[1].head.wall_us > e->before_us || e->under_way < e->end)
		return 0;
	if (index_first_needed(e->index, &needed, fault) < 0)
		return -1;
	e->may_go = needed >= e->end;
	return 0;
}

/* --- what is in it ----------------------------------------------------------------------------- */

static void name_message(struct expiring *e, const struct journal_accept *a, struct expiring_message *m)
{
	m->names = xreallocarray(NULL, a->n_recipients + 3, sizeof(*m->names));
	if (a->message_id.n)
		m->names[m->n_names++] = book_name(e->names, 'm', a->message_id);
	if (a->reverse_path.n)
		m->names[m->n_names++] = book_name(e->names, 'a', book_key(a->reverse_path, &e->arena));
	m->names[m->n_names++] = book_name(e->names, 'c', (struct bytes){ (const char *)a->digest, JOURNAL_DIGEST });
	for (size_t i = 0; i < a->n_recipients; i++)
		m->names[m->n_names++] = book_name(e->names, 'a', book_key(a->recipients[i].address, &e->arena));
}

static int compare_messages(const void *a, const void *b)
{
	const struct expiring_message *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* NULL: accepted elsewhere. */
static struct expiring_message *find_message(struct expiring *e, uint64_t number)
{
	struct expiring_message key = { .number = number };

	return e->n ? bsearch(&key, e->messages, e->n, sizeof(key), compare_messages) : NULL;
}

/* only: of this message; NULL: of all. */
static void count(struct expiring *e, unsigned type, const void *record, const struct expiring_message *only)
{
	size_t n = journal_moves((enum journal_type)type, record);
	struct journal_move move;

	for (size_t i = 0; i < n; i++) {
		struct expiring_message *m;

		if (journal_move((enum journal_type)type, record, i, &move) < 0)
			continue;
		m = find_message(e, move.leg.message);
		if (!m || (only && m != only))
			continue;
		m->legs += type == JOURNAL_LEG;
		m->delivered += move.to == JOURNAL_DELIVERED;
		m->returned += move.to == JOURNAL_IS_RETURNED;
	}
}

/* In the arena, which is begun anew; NULL in *ret: no fields. */
static int decode(struct expiring *e, unsigned type, struct bytes payload, void **ret, struct fault *fault)
{
	const struct field_table *table = journal_table(type);

	*ret = NULL;
	if (!table)
		return 0;
	arena_reset(&e->arena);
	*ret = arena_alloc(&e->arena, table->size);
	return fields_decode(table, payload, &e->arena, *ret, fault);
}

static void note_record(struct expiring *e, unsigned type, const void *record)
{
	const struct journal_accept *accept = record;
	const struct journal_attempt *attempt = record;

	if (type == JOURNAL_ACCEPT) {
		e->messages = xgrow(e->messages, &e->size, e->n + 1, sizeof(*e->messages));
		e->messages[e->n] = (struct expiring_message){ .number = accept->message, .legs = accept->n_recipients };
		name_message(e, accept, &e->messages[e->n++]);
	}
	if (type == JOURNAL_ATTEMPT && attempt->attempt > e->last_attempt)
		e->last_attempt = attempt->attempt;
	e->has_routes = e->has_routes || type == JOURNAL_ROUTES;
	count(e, type, record, NULL);
}

static int read_job(void *arg, struct fault *fault)
{
	struct expiring *e = arg;
	_cleanup_(journal_reader_closep) struct journal_reader *reader = NULL;
	struct journal_record record;
	int r;

	if (journal_reader_open(e->path, 0, JOURNAL_READ_NO_BODIES, &reader, fault) < 0)
		return -1;
	while ((r = journal_reader_next(reader, &record, fault)) > 0 && record.segment == e->segment) {
		void *decoded;

		if (decode(e, record.head.type, record.payload, &decoded, fault) < 0)
			return -1;
		if (decoded)
			note_record(e, record.head.type, decoded);
	}
	return r < 0 ? -1 : 0;
}

/* --- what became of it later ------------------------------------------------------------------- */

static bool is_settled(const struct expiring_message *m)
{
	return m->delivered + m->returned == m->legs;
}

static int follow(struct expiring *e, const struct expiring_message *m, struct arena *arena, struct fault *fault)
{
	_cleanup_(buf_done) struct buf payload = BUF_NULL;
	struct book_place *places;
	size_t n;

	if (index_events(e->index, m->number, arena, &places, &n, fault) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct journal_head head;
		void *record;

		if (places[i].sequence < e->end)
			continue;
		buf_reset(&payload);
		if (queue_read_record(e->path, &places[i], &head, &payload, fault) < 0 ||
		    decode(e, head.type, buf_bytes(&payload), &record, fault) < 0)
			return -1;
		if (record)
			count(e, head.type, record, m);
	}
	return 0;
}

/* In the turn. */
static int follow_job(void *arg, struct fault *fault)
{
	struct expiring *e = arg;
	_cleanup_(arena_done) struct arena arena = { NULL };

	for (size_t i = 0; i < e->n; i++) {
		arena_reset(&arena);
		if (!is_settled(&e->messages[i]) && follow(e, &e->messages[i], &arena, fault) < 0)
			return -1;
		if (!is_settled(&e->messages[i])) {
			e->may_go = false;
			return 0;
		}
	}
	return 0;
}

/* --- routes ------------------------------------------------------------------------------------ */

/* Entries as they are now, from *at on, until a record is large. */
static size_t gather_routes(struct queue *queue, struct router *table, size_t at[3], struct arena *arena,
			    struct journal_route_entry **ret)
{
	struct router_entry entry, now;
	size_t n = 0, size = 0, bytes = 0;

	*ret = NULL;
	while (bytes < ROUTES_SIZE && router_next(table, at, &entry)) {
		if (!router_get(queue->latest, entry.key, &now))
			continue;
		*ret = xgrow(*ret, &size, n + 1, sizeof(**ret));
		(*ret)[n++] = (struct journal_route_entry){
			.address = arena_copy(arena, now.key), .target = arena_copy(arena, now.target), .changed_s = now.changed_s,
			.route = now.target.n ? 0 : now.route == ROUTE_UNKNOWN ? JOURNAL_ROUTE_UNKNOWN : (uint64_t)now.route,
		};
		bytes += 32 + now.key.n + now.target.n;
	}
	return n;
}

/* The whole table once more, as changes that change nothing: whoever begins behind the old records gets all of it. */
static int repeat_routes(struct queue *queue, uint64_t *ret_segment, struct fault *fault)
{
	_cleanup_(router_freep) struct router *table = router_use(queue->latest);
	struct journal_stand stand;
	size_t at[3] = { 0 };
	bool is_first = true;

	journal_stand(queue->journal, &stand);
	*ret_segment = stand.segment;
	for (;; is_first = false) {
		_cleanup_(arena_done) struct arena arena = { NULL };
		struct journal_routes routes = { .operator = BYTES("rule:retention"), .reason = BYTES("what is old is removed") };
		int r = 0;

		/* From here to the record nothing suspends: the entries are those of this moment. */
		if (queue_room(queue, JOURNAL_ROUTES, JOURNAL_PAYLOAD_MAX, fault) < 0)
			return -1;
		routes.n_entries = gather_routes(queue, table, at, &arena, &routes.entries);
		if (routes.n_entries > 0 || is_first)
			r = queue_change_routes(queue, &routes, fault);
		free(routes.entries);
		if (r < 0)
			return -1;
		if (routes.n_entries == 0)
			return 0;
		step_point("retain-routes");
	}
}

/* --- removing it ------------------------------------------------------------------------------- */

static int say_expired(struct queue *queue, struct expiring *e, uint64_t routes_from, struct fault *fault)
{
	struct journal_base base = queue->kept.base;
	struct journal_dropped dropped = { .segments_to = e->segment, .base = &base, .n_base = 1,
					   .routes_from = routes_from, .reason = BYTES("old") };

	base.messages += e->n;
	for (size_t i = 0; i < e->n; i++) {
		base.legs += e->messages[i].legs;
		base.delivered += e->messages[i].delivered;
		base.returned += e->messages[i].returned;
		base.last_number = e->messages[i].number;
	}
	if (e->last_attempt > base.last_attempt)
		base.last_attempt = e->last_attempt;
	if (journal_expire(queue->journal, &dropped, fault) < 0)
		return -1;
	queue_note_dropped(queue, &dropped);
	return 0;
}

struct forget_job {
	struct index *index;
	struct index_forgotten messages[FORGET];
	size_t n;
};

static int forget_job(void *arg, struct fault *fault)
{
	struct forget_job *job = arg;

	return index_forget(job->index, job->messages, job->n, fault);
}

static int forget(struct queue *queue, const struct expiring *e, struct fault *fault)
{
	for (size_t at = 0; at < e->n; at += FORGET) {
		struct forget_job job = { .index = queue->index };
		int r;

		for (; job.n < FORGET && at + job.n < e->n; job.n++)
			job.messages[job.n] = (struct index_forgotten){ e->messages[at + job.n].number,
									e->messages[at + job.n].names,
									e->messages[at + job.n].n_names };
		if (queue_take_turn(queue, fault) < 0)
			return -1;
		r = pool_call("what is old in the index", forget_job, &job, fault);
		queue_end_turn(queue);
		if (r < 0)
			return -1;
	}
	return 0;
}

/* Whether it may go; what is in it stands in e then. */
static int examine(struct queue *queue, struct expiring *e, struct fault *fault)
{
	int r;

	if (queue_flush(queue, fault) < 0 || queue_take_turn(queue, fault) < 0)
		return -1;
	r = pool_call("the oldest segment", look_job, e, fault);
	queue_end_turn(queue);
	if (r < 0 || !e->may_go)
		return r;
	if (pool_call("what is in the oldest segment", read_job, e, fault) < 0 || queue_take_turn(queue, fault) < 0)
		return -1;
	r = pool_call("what became of the oldest segment", follow_job, e, fault);
	queue_end_turn(queue);
	return r;
}

static int expire(struct queue *queue, struct expiring *e, struct fault *fault)
{
	uint64_t routes_from = 0;

	if (examine(queue, e, fault) < 0)
		return -1;
	if (!e->may_go)
		return 0;
	if (e->has_routes && queue->kept.routes_from <= e->segment && repeat_routes(queue, &routes_from, fault) < 0)
		return -1;
	step_point("retain-examined");
	if (say_expired(queue, e, routes_from, fault) < 0)
		return -1;
	step_point("retain-expired");
	return 1;
}

int queue_expire(struct queue *queue, int64_t before_us, uint64_t under_way, struct fault *fault)
{
	struct expiring e = { .queue = queue, .path = journal_path(queue->journal), .index = queue->index,
			      .before_us = before_us, .under_way = under_way, .names = index_names(queue->index) };
	struct journal_stand stand;
	int r = 1;

	journal_stand(queue->journal, &stand);
	e.segment = stand.segment + 1 - stand.segments;
	if (e.segment >= stand.segment)
		return 0;
	/* Said already, and interrupted: the rest of it. */
	if (e.segment <= queue->kept.removed_to)
		r = pool_call("what is in the oldest segment", read_job, &e, fault) < 0 ? -1 : 1;
	else
		r = expire(queue, &e, fault);
	if (r > 0 && forget(queue, &e, fault) < 0)
		r = -1;
	step_point("retain-forgotten");
	if (r > 0 && journal_remove(queue->journal, e.segment, fault) < 0)
		r = -1;
	expiring_done(&e);
	return r;
}
