/* SPDX-License-Identifier: Apache-2.0 */
/* Batches for the index: gathered from the books, written as one transaction. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "gateway/index-inside.h"
#include "journal/fields.h"
#include "os/step.h"

/* --- places as bytes --------------------------------------------------------------------------- */

static uint64_t zigzag(uint64_t now, uint64_t before)
{
	int64_t d = (int64_t)(now - before);

	return (uint64_t)d << 1 ^ (uint64_t)(d >> 63);
}

static uint64_t unzigzag(uint64_t value, uint64_t before)
{
	return before + (value >> 1 ^ -(value & 1));
}

void index_pack(struct buf *to, const struct book_place *places, size_t n)
{
	struct book_place before = { 0 };

	for (size_t i = 0; i < n; i++) {
		varint_put(to, zigzag(places[i].sequence, before.sequence));
		varint_put(to, zigzag(places[i].segment, before.segment));
		varint_put(to, places[i].offset / JOURNAL_ALIGN);
		varint_put(to, places[i].length);
		before = places[i];
	}
}

int index_unpack(struct bytes from, struct arena *arena, struct book_place **ret, size_t *ret_n)
{
	struct book_place before = { 0 };
	size_t n = 0;

	*ret = arena_alloc(arena, (from.n / 4 + 1) * sizeof(**ret)); /* each takes 4 bytes at least */
	while (from.n > 0) {
		struct book_place *place = &(*ret)[n++];
		uint64_t sequence, segment, offset, length;

		if (varint_take(&from, &sequence) < 0 || varint_take(&from, &segment) < 0 || varint_take(&from, &offset) < 0 ||
		    varint_take(&from, &length) < 0 || offset > UINT32_MAX / JOURNAL_ALIGN || length > JOURNAL_BODY_MAX)
			return -1;
		place->sequence = unzigzag(sequence, before.sequence);
		place->segment = unzigzag(segment, before.segment);
		place->offset = (uint32_t)offset * JOURNAL_ALIGN;
		place->length = (uint32_t)length;
		before = *place;
	}
	*ret_n = n;
	return 0;
}

/* --- gathering --------------------------------------------------------------------------------- */

static void gather_legs(struct index_batch *batch, struct book_message *message, struct index_change *c)
{
	size_t n = 0;

	list_for_each(link, &message->legs)
		n += list_entry(link, struct book_leg, of_message)->is_dirty;
	c->legs = n ? arena_alloc(&batch->arena, n * sizeof(*c->legs)) : NULL;
	list_for_each(link, &message->legs) {
		struct book_leg *leg = list_entry(link, struct book_leg, of_message);
		struct index_leg *to;

		if (!leg->is_dirty)
			continue;
		leg->is_dirty = 0;
		leg->in_index = 1;
		to = &c->legs[c->n_legs++];
		memcpy(&to->leg, leg, sizeof(*leg));
		to->key = arena_copy(&batch->arena, book_leg_key(leg));
		to->cause = book_cause_name(leg->cause); /* lives as long as the book */
	}
}

static void gather(struct book *book, struct index_batch *batch, struct book_message *message)
{
	struct index_change *c = &batch->changes[batch->n++];

	*c = (struct index_change){ .message = message, .number = message->number, .accepted_us = message->accepted_us,
				    .size = message->size, .n_recipients = message->n_recipients,
				    .n_live = message->n_legs + message->n_away, .is_dsn = message->is_dsn,
				    .place = message->place, .bodies = message->bodies, .n_bodies = message->n_bodies };
	gather_legs(batch, message, c);
	c->is_put = c->n_live > 0;
	c->is_dropped = c->n_live == 0 && message->in_index;
	message->in_index = c->is_put;
	c->events = TAKE_PTR(message->events);
	c->n_events = message->n_events;
	c->names = TAKE_PTR(message->names);
	c->n_names = message->n_names;
	c->gone = TAKE_PTR(message->gone);
	c->n_gone = message->n_gone;
	message->n_events = message->events_size = message->n_names = message->n_gone = message->gone_size = 0;
	message->users++;
	book_clean(book, message);
}

void index_gather(struct book *book, struct index_batch *batch)
{
	batch->changes = xreallocarray(NULL, book_n_dirty(book) + 1, sizeof(*batch->changes));
	batch->n = 0;
	list_for_each_safe(link, book_dirty(book))
		gather(book, batch, list_entry(link, struct book_message, of_dirty));
	batch->totals = (struct book_totals){ .tallies = *book_tallies(book), .last_number = book_last_number(book),
					      .last_attempt = book_last_attempt(book), .position = book_position(book) };
}

void index_release(struct book *book, struct index_batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		batch->changes[i].message->users--;
		free(batch->changes[i].events);
		free(batch->changes[i].names);
		free(batch->changes[i].gone);
	}
	free(batch->changes);
	arena_done(&batch->arena);
	*batch = (struct index_batch){ 0 };
}

/* --- writing ----------------------------------------------------------------------------------- */

static int done(struct index *index, sqlite3_stmt *s, struct fault *fault)
{
	return index_step(index, s, fault) < 0 ? -1 : 0;
}

static void bind(sqlite3_stmt *s, int i, uint64_t value)
{
	sqlite3_bind_int64(s, i, (int64_t)value);
}

static void bind_blob(sqlite3_stmt *s, int i, struct bytes b)
{
	sqlite3_bind_blob(s, i, b.n ? b.p : "", (int)b.n, SQLITE_STATIC);
}

static int put_message(struct index *index, const struct index_change *c, struct buf *scratch, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_PUT_MESSAGE);
	size_t n;

	if (!s)
		return index_fault(index, fault);
	buf_reset(scratch);
	index_pack(scratch, &c->place, 1);
	n = scratch->n;
	index_pack(scratch, c->bodies, c->n_bodies);
	bind(s, 1, c->number);
	bind(s, 2, (uint64_t)c->accepted_us);
	bind(s, 3, c->size);
	bind(s, 4, c->n_recipients);
	bind(s, 5, c->n_live);
	bind(s, 6, c->is_dsn);
	bind_blob(s, 7, (struct bytes){ scratch->p, n });
	bind_blob(s, 8, (struct bytes){ scratch->p + n, scratch->n - n });
	bind(s, 9, c->n_bodies && c->bodies[0].sequence < c->place.sequence ? c->bodies[0].sequence : c->place.sequence);
	return done(index, s, fault);
}

static int put_leg(struct index *index, uint64_t number, const struct index_leg *l, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_PUT_LEG);
	const struct book_leg *leg = &l->leg;

	if (!s)
		return index_fault(index, fault);
	bind(s, 1, number);
	bind(s, 2, index_slot(leg->recipient, leg->copy));
	bind(s, 3, leg->fate);
	bind(s, 4, leg->target);
	bind(s, 5, (uint64_t)leg->due_us);
	bind(s, 6, (uint64_t)leg->since_us);
	bind(s, 7, (uint64_t)leg->born_us);
	bind(s, 8, leg->attempts);
	bind(s, 9, leg->attempt);
	bind(s, 10, leg->code);
	bind(s, 11, (leg->has_intent ? INDEX_INTENT : 0u) | (leg->is_flagged ? INDEX_FLAGGED : 0u) |
			    (leg->has_copy ? INDEX_HAS_COPY : 0u));
	sqlite3_bind_text(s, 12, l->cause, -1, SQLITE_STATIC);
	bind_blob(s, 13, l->key);
	return done(index, s, fault);
}

static int drop_leg(struct index *index, const struct journal_leg *leg, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_DROP_LEG);

	if (!s)
		return index_fault(index, fault);
	bind(s, 1, leg->message);
	bind(s, 2, index_slot(leg->recipient, leg->copy));
	return done(index, s, fault);
}

static int put_events(struct index *index, const struct index_change *c, struct buf *scratch, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_PUT_EVENTS);

	if (!s)
		return index_fault(index, fault);
	buf_reset(scratch);
	index_pack(scratch, c->events, c->n_events);
	bind(s, 1, c->number);
	bind(s, 2, c->events[0].sequence);
	bind_blob(s, 3, buf_bytes(scratch));
	return done(index, s, fault);
}

static int drop_message(struct index *index, uint64_t number, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_DROP_MESSAGE);

	if (!s)
		return index_fault(index, fault);
	bind(s, 1, number);
	return done(index, s, fault);
}

static int write_change(struct index *index, const struct index_change *c, struct buf *scratch, struct fault *fault)
{
	/* A leg that was settled and opened anew is both: gone first. */
	for (size_t i = 0; i < c->n_gone; i++)
		if (drop_leg(index, &c->gone[i], fault) < 0)
			return -1;
	for (size_t i = 0; i < c->n_legs; i++)
		if (put_leg(index, c->number, &c->legs[i], fault) < 0)
			return -1;
	if (c->n_events > 0 && put_events(index, c, scratch, fault) < 0)
		return -1;
	if (c->is_put && put_message(index, c, scratch, fault) < 0)
		return -1;
	return c->is_dropped ? drop_message(index, c->number, fault) : 0;
}

struct name {
	uint64_t hash, number;
};

static int compare_names(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

/* In the order of the tree, so that neighbours are written together. */
static int write_names(struct index *index, const struct index_batch *batch, struct fault *fault)
{
	_cleanup_(freep) struct name *names = NULL;
	size_t n = 0, at = 0;

	for (size_t i = 0; i < batch->n; i++)
		n += batch->changes[i].n_names;
	names = xreallocarray(NULL, n + 1, sizeof(*names));
	for (size_t i = 0; i < batch->n; i++)
		for (size_t k = 0; k < batch->changes[i].n_names; k++)
			names[at++] = (struct name){ batch->changes[i].names[k], batch->changes[i].number };
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n; i++) {
		sqlite3_stmt *s = index_statement(index, INDEX_PUT_NAME);

		if (!s)
			return index_fault(index, fault);
		bind(s, 1, names[i].hash);
		bind(s, 2, names[i].number);
		if (done(index, s, fault) < 0)
			return -1;
	}
	return 0;
}

static int write_route(struct index *index, const struct index_route *route, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, route->is_out ? INDEX_DROP_ROUTE : INDEX_PUT_ROUTE);

	if (!s)
		return index_fault(index, fault);
	bind_blob(s, 1, route->key);
	if (!route->is_out) {
		bind_blob(s, 2, route->target);
		bind(s, 3, route->route);
		bind(s, 4, route->changed_s);
	}
	return done(index, s, fault);
}

static int write_routes(struct index *index, const struct index_batch *batch, struct fault *fault)
{
	if (batch->is_whole && done(index, index_statement(index, INDEX_CLEAR_ROUTES), fault) < 0)
		return -1;
	for (size_t i = 0; i < batch->n_routes; i++)
		if (write_route(index, &batch->routes[i], fault) < 0)
			return -1;
	return 0;
}

static void encode_kept(const struct index_kept *kept, struct buf *to)
{
	struct journal_base base = kept->base;
	struct journal_dropped dropped = { .looked_to = kept->looked_to, .segments_to = kept->removed_to,
					   .routes_from = kept->routes_from, .base = &base, .n_base = 1 };

	fields_encode(journal_table(JOURNAL_DROPPED), &dropped, to);
}

static int write_state(struct index *index, const struct index_batch *batch, struct fault *fault)
{
	_cleanup_(buf_done) struct buf kept = BUF_NULL;
	sqlite3_stmt *s = index_statement(index, INDEX_SET_STATE);
	const struct book_totals *t = &batch->totals;

	if (!s)
		return index_fault(index, fault);
	sqlite3_bind_text(s, 1, batch->journal, -1, SQLITE_STATIC);
	bind(s, 2, t->position);
	bind(s, 3, t->last_number);
	bind(s, 4, t->last_attempt);
	bind(s, 5, t->tallies.messages);
	bind(s, 6, t->tallies.legs);
	bind(s, 7, t->tallies.delivered);
	bind(s, 8, t->tallies.returned);
	bind(s, 9, batch->epoch);
	bind(s, 10, batch->routed);
	encode_kept(&batch->kept, &kept);
	bind_blob(s, 11, buf_bytes(&kept));
	return done(index, s, fault);
}

static int compare_changes(const void *a, const void *b)
{
	const struct index_change *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int write_all(struct index *index, struct index_batch *batch, struct fault *fault)
{
	_cleanup_(buf_done) struct buf scratch = BUF_NULL;

	for (size_t i = 0; i < batch->n; i++)
		if (write_change(index, &batch->changes[i], &scratch, fault) < 0)
			return -1;
	if (write_names(index, batch, fault) < 0 || write_routes(index, batch, fault) < 0)
		return -1;
	return write_state(index, batch, fault);
}

int index_write(struct index *index, struct index_batch *batch, struct fault *fault)
{
	struct fault ignored;

	qsort(batch->changes, batch->n, sizeof(*batch->changes), compare_changes);
	if (done(index, index_statement(index, INDEX_BEGIN), fault) < 0)
		return -1;
	step_point("index-write");
	if (write_all(index, batch, fault) < 0 || done(index, index_statement(index, INDEX_COMMIT), fault) < 0) {
		done(index, index_statement(index, INDEX_ROLLBACK), &ignored);
		return -1;
	}
	step_point("index-written");
	index->totals = batch->totals;
	index->epoch = batch->epoch;
	index->routed = batch->routed;
	index->kept = batch->kept;
	memcpy(index->journal, batch->journal, sizeof(index->journal));
	return 0;
}

/* --- forgetting -------------------------------------------------------------------------------- */

static int forget_one(struct index *index, const struct index_forgotten *f, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_DROP_EVENTS);

	if (!s)
		return index_fault(index, fault);
	bind(s, 1, f->number);
	if (done(index, s, fault) < 0)
		return -1;
	for (size_t i = 0; i < f->n_names; i++) {
		s = index_statement(index, INDEX_DROP_NAME);
		if (!s)
			return index_fault(index, fault);
		bind(s, 1, f->names[i]);
		bind(s, 2, f->number);
		if (done(index, s, fault) < 0)
			return -1;
	}
	return 0;
}

int index_forget(struct index *index, const struct index_forgotten *messages, size_t n, struct fault *fault)
{
	struct fault ignored;
	int r = 0;

	if (done(index, index_statement(index, INDEX_BEGIN), fault) < 0)
		return -1;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = forget_one(index, &messages[i], fault);
	if (r < 0 || done(index, index_statement(index, INDEX_COMMIT), fault) < 0) {
		done(index, index_statement(index, INDEX_ROLLBACK), &ignored);
		return -1;
	}
	return 0;
}
