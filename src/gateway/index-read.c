/* SPDX-License-Identifier: Apache-2.0 */
/* What is read from the index. The file may have been changed by anybody: what does not fit is FAULT_DATA. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/index-inside.h"

enum { KEY_MAX = 1024, CAUSE_MAX = 64 };

static struct bytes blob(sqlite3_stmt *s, int i, struct arena *arena)
{
	const void *p = sqlite3_column_blob(s, i);

	return arena_copy(arena, (struct bytes){ p, (size_t)sqlite3_column_bytes(s, i) });
}

static uint64_t number(sqlite3_stmt *s, int i, uint64_t max, bool *bad)
{
	int64_t value = sqlite3_column_int64(s, i);

	if (value >= 0 && (uint64_t)value <= max)
		return (uint64_t)value;
	*bad = true;
	return 0;
}

static void read_leg(sqlite3_stmt *s, struct arena *arena, struct index_row *row, bool *bad)
{
	struct book_leg *leg = &row->leg.leg;
	uint64_t slot = number(s, 1, UINT32_MAX, bad), flags = number(s, 10, 7, bad);
	const char *cause = (const char *)sqlite3_column_text(s, 11);

	leg->recipient = (uint32_t)(slot / 2);
	leg->copy = slot & 1;
	leg->fate = (uint8_t)number(s, 2, JOURNAL_HELD, bad);
	leg->target = (uint8_t)number(s, 3, BOOK_NOWHERE, bad);
	leg->due_us = sqlite3_column_int64(s, 4);
	leg->since_us = sqlite3_column_int64(s, 5);
	leg->born_us = sqlite3_column_int64(s, 6);
	leg->attempts = (uint32_t)number(s, 7, UINT32_MAX, bad);
	leg->attempt = number(s, 8, INT64_MAX, bad);
	leg->code = (uint16_t)number(s, 9, 999, bad);
	leg->has_intent = (flags & INDEX_INTENT) != 0;
	leg->is_flagged = (flags & INDEX_FLAGGED) != 0;
	leg->has_copy = (flags & INDEX_HAS_COPY) != 0;
	leg->in_index = 1;
	row->leg.cause = cause && strlen(cause) < CAUSE_MAX ? arena_strdup(arena, cause) : "";
	row->leg.key = blob(s, 12, arena);
	*bad |= leg->fate == JOURNAL_FATE_NONE || row->leg.key.n > KEY_MAX;
}

static void read_message(sqlite3_stmt *s, struct arena *arena, struct index_message *m, bool *bad)
{
	struct book_place *place;
	size_t n;

	m->number = number(s, 0, INT64_MAX, bad);
	m->accepted_us = sqlite3_column_int64(s, 13);
	m->size = number(s, 14, INT64_MAX, bad);
	m->n_recipients = (uint32_t)number(s, 15, UINT32_MAX, bad);
	m->n_legs = (uint32_t)number(s, 16, UINT32_MAX, bad);
	m->is_dsn = sqlite3_column_int(s, 17);
	if (index_unpack(blob(s, 18, arena), arena, &place, &n) < 0 || n != 1)
		*bad = true;
	else
		m->place = place[0];
	*bad |= index_unpack(blob(s, 19, arena), arena, &m->bodies, &m->n_bodies) < 0;
}

void index_rows_done(struct index_rows *rows)
{
	arena_done(&rows->arena);
	free(rows->rows);
	*rows = (struct index_rows){ 0 };
}

static int read_rows(struct index *index, sqlite3_stmt *s, struct index_rows *ret, struct fault *fault)
{
	bool bad = false;
	int r;

	while ((r = index_step(index, s, fault)) > 0) {
		struct index_row *row;

		ret->rows = xgrow(ret->rows, &ret->size, ret->n + 1, sizeof(*ret->rows));
		row = &ret->rows[ret->n++];
		*row = (struct index_row){ 0 };
		read_leg(s, &ret->arena, row, &bad);
		read_message(s, &ret->arena, &row->message, &bad);
		if (bad) {
			sqlite3_reset(s);
			return index_damaged(index, "a row of it is none", fault);
		}
	}
	return r;
}

static void bind(sqlite3_stmt *s, int i, uint64_t value)
{
	sqlite3_bind_int64(s, i, (int64_t)value);
}

static void bind_due(sqlite3_stmt *s, int i, const struct index_due *after)
{
	sqlite3_bind_int64(s, i, after->due_us);
	bind(s, i + 1, after->number);
	bind(s, i + 2, after->slot);
}

int index_read_message(struct index *index, uint64_t of, struct index_rows *ret, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_READ_MESSAGE);

	if (!s)
		return index_fault(index, fault);
	bind(s, 1, of);
	return read_rows(index, s, ret, fault);
}

int index_read_due(struct index *index, enum book_target target, const struct index_due *after, int64_t to, size_t limit,
		   struct index_rows *ret, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_READ_DUE);

	if (!s)
		return index_fault(index, fault);
	bind(s, 1, target);
	bind_due(s, 2, after);
	sqlite3_bind_int64(s, 5, to);
	bind(s, 6, limit);
	return read_rows(index, s, ret, fault);
}

int index_next_due(struct index *index, enum book_target target, const struct index_due *after, int64_t *ret_us,
		   struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_NEXT_DUE);
	int r;

	if (!s)
		return index_fault(index, fault);
	bind(s, 1, target);
	bind_due(s, 2, after);
	r = index_step(index, s, fault);
	*ret_us = r > 0 ? sqlite3_column_int64(s, 0) : INT64_MAX;
	sqlite3_reset(s);
	return r < 0 ? -1 : 0;
}

int index_read_fate(struct index *index, enum journal_fate fate, size_t limit, struct index_rows *ret,
		    struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_READ_FATE);

	if (!s)
		return index_fault(index, fault);
	bind(s, 1, fate);
	bind(s, 2, limit);
	return read_rows(index, s, ret, fault);
}

int index_oldest(struct index *index, int64_t *ret_us, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_OLDEST);
	int r;

	if (!s)
		return index_fault(index, fault);
	r = index_step(index, s, fault);
	*ret_us = r > 0 ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_reset(s);
	return r < 0 ? -1 : 0;
}

int index_list(struct index *index, const struct index_filter *filter, size_t limit, struct index_rows *ret,
	       struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_LIST);

	if (!s)
		return index_fault(index, fault);
	bind(s, 1, filter->after.message);
	/* behind (0, 0) is slot 0 of message 1, too: numbers begin with 1 */
	bind(s, 2, index_slot(filter->after.recipient, filter->after.copy));
	bind(s, 3, filter->message);
	bind(s, 4, filter->fates);
	sqlite3_bind_int64(s, 5, filter->target);
	sqlite3_bind_text(s, 6, filter->cause.n ? filter->cause.p : "", (int)filter->cause.n, SQLITE_STATIC);
	sqlite3_bind_blob(s, 7, filter->key.n ? filter->key.p : "", (int)filter->key.n, SQLITE_STATIC);
	bind(s, 8, limit);
	bind(s, 9, filter->message ? filter->message : INT64_MAX);
	return read_rows(index, s, ret, fault);
}

int index_find(struct index *index, uint64_t name, uint64_t below, size_t limit, struct arena *arena, uint64_t **ret,
	       size_t *ret_n, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_FIND);
	int r;

	if (!s)
		return index_fault(index, fault);
	*ret = arena_alloc(arena, limit * sizeof(**ret));
	*ret_n = 0;
	bind(s, 1, name);
	bind(s, 2, below ? below : INT64_MAX);
	bind(s, 3, limit);
	while ((r = index_step(index, s, fault)) > 0)
		(*ret)[(*ret_n)++] = (uint64_t)sqlite3_column_int64(s, 0);
	return r;
}

int index_count(struct index *index, uint64_t name, uint64_t below, uint64_t max, uint64_t *ret, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_COUNT);
	int r;

	if (!s)
		return index_fault(index, fault);
	bind(s, 1, name);
	bind(s, 2, below ? below : INT64_MAX);
	bind(s, 3, max);
	r = index_step(index, s, fault);
	*ret = r > 0 ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
	sqlite3_reset(s);
	return r < 0 ? -1 : 0;
}

int index_events(struct index *index, uint64_t of, struct arena *arena, struct book_place **ret, size_t *ret_n,
		 struct fault *fault)
{
	_cleanup_(buf_done) struct buf all = BUF_NULL;
	sqlite3_stmt *s = index_statement(index, INDEX_EVENTS);
	int r;

	if (!s)
		return index_fault(index, fault);
	bind(s, 1, of);
	while ((r = index_step(index, s, fault)) > 0) {
		struct book_place *places;
		size_t n;

		if (index_unpack(blob(s, 0, arena), arena, &places, &n) < 0) {
			sqlite3_reset(s);
			return index_damaged(index, "places in it are none", fault);
		}
		buf_append(&all, places, n * sizeof(*places));
	}
	*ret = arena_alloc(arena, all.n + 1);
	if (all.n)
		memcpy(*ret, all.p, all.n);
	*ret_n = all.n / sizeof(**ret);
	return r;
}

int index_is_live(struct index *index, uint64_t of, bool *ret, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_IS_LIVE);
	int r;

	if (!s)
		return index_fault(index, fault);
	bind(s, 1, of);
	r = index_step(index, s, fault);
	*ret = r > 0;
	sqlite3_reset(s);
	return r < 0 ? -1 : 0;
}

int index_first_needed(struct index *index, uint64_t *ret, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_FIRST);
	int r = index_step(index, s, fault);

	if (r < 0)
		return -1;
	*ret = UINT64_MAX;
	if (r > 0 && sqlite3_column_type(s, 0) == SQLITE_INTEGER)
		*ret = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return 0;
}

/* --- at a start -------------------------------------------------------------------------------- */

static int read_counts(struct index *index, struct book *book, struct journal_tallies *t, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_COUNTS);
	bool bad = false;
	int r;

	while ((r = index_step(index, s, fault)) > 0) {
		enum book_target target = (enum book_target)number(s, 0, BOOK_NOWHERE, &bad);
		enum journal_fate fate = (enum journal_fate)number(s, 1, JOURNAL_HELD, &bad);
		const char *cause = (const char *)sqlite3_column_text(s, 2);
		uint64_t n = number(s, 3, INT64_MAX, &bad);

		if (bad || fate == JOURNAL_FATE_NONE)
			break;
		t->open += fate == JOURNAL_OPEN ? n : 0;
		t->attempting += fate == JOURNAL_ATTEMPTING ? n : 0;
		t->doubt += fate == JOURNAL_IN_DOUBT ? n : 0;
		t->held += fate == JOURNAL_HELD ? n : 0;
		book_add_count(book, target, fate, cause ? cause : "", n);
	}
	sqlite3_reset(s);
	if (r > 0)
		return index_damaged(index, "a leg in it is in no fate", fault);
	return r;
}

int index_totals(struct index *index, struct book *book, struct fault *fault)
{
	struct book_totals totals = index->totals;
	struct journal_tallies *t = &totals.tallies;

	if (read_counts(index, book, t, fault) < 0)
		return -1;
	if (t->legs != t->open + t->attempting + t->doubt + t->held + t->delivered + t->returned)
		return index_damaged(index, "legs are missing from it", fault);
	book_set_totals(book, &totals);
	return 0;
}

int index_routes(struct index *index, int (*fn)(void *arg, const struct index_route *route, struct fault *fault),
		 void *arg, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	sqlite3_stmt *s = index_statement(index, INDEX_ROUTES);
	bool bad = false;
	int r;

	while ((r = index_step(index, s, fault)) > 0) {
		struct index_route route = { .key = blob(s, 0, &arena), .target = blob(s, 1, &arena),
					     .route = (enum route)number(s, 2, ROUTE_HOLD, &bad),
					     .changed_s = (uint32_t)number(s, 3, UINT32_MAX, &bad) };

		if (bad || fn(arg, &route, fault) < 0) {
			sqlite3_reset(s);
			return bad ? index_damaged(index, "a route in it is none", fault) : -1;
		}
		arena_reset(&arena);
	}
	return r;
}
