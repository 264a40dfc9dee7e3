/* SPDX-License-Identifier: Apache-2.0 */
/* The folders of a ledger, and counting their rows. */
#include <assert.h>

#include "base/xalloc.h"
#include "state/inside.h"

/* --- writing --------------------------------------------------------------------------------- */

static void queue_folder(struct ledger *ledger, enum op_kind kind,
			 const struct ledger_folder *folder)
{
	struct batch *batch = ledger_queue(ledger);
	struct ledger_folder *copy;

	assert(folder->id > 0);
	assert(folder->source_name.n <= NAME_MAX_BYTES &&
	       folder->destination_name.n <= NAME_MAX_BYTES &&
	       folder->source_object.n <= NAME_MAX_BYTES);
	if (!batch)
		return;

	copy = arena_alloc(&batch->arena, sizeof(*copy));
	*copy = *folder;
	copy->source_name = arena_copy(&batch->arena, folder->source_name);
	copy->destination_name = arena_copy(&batch->arena, folder->destination_name);
	copy->source_object = arena_copy(&batch->arena, folder->source_object);
	ledger_queue_op(ledger, batch, (struct op){ .kind = kind, .p = copy });
}

void ledger_add_folder(struct ledger *ledger, struct ledger_folder *folder)
{
	assert(ledger->last_folder < UINT32_MAX);
	folder->id = ++ledger->last_folder;
	queue_folder(ledger, OP_ADD_FOLDER, folder);
}

void ledger_put_folder(struct ledger *ledger, const struct ledger_folder *folder)
{
	queue_folder(ledger, OP_PUT_FOLDER, folder);
}

void ledger_set_mark(struct ledger *ledger, struct ledger_folder *folder, uint32_t uidnext)
{
	struct batch *batch = ledger_queue(ledger);

	folder->mark = uidnext;
	if (batch)
		ledger_queue_op(
			ledger, batch,
			(struct op){ .kind = OP_SET_MARK, .folder = folder->id, .a = uidnext });
}

/* --- reading --------------------------------------------------------------------------------- */

struct load_job {
	struct arena *arena;
	struct ledger_folder *p; /* xmalloc()ed */
	size_t n;
};

static void read_seen(struct row *row, struct ledger_seen *seen)
{
	seen->uidvalidity = (uint32_t)row_number(row, UINT32_MAX);
	seen->uidnext = (uint32_t)row_number(row, UINT32_MAX);
	seen->messages = (uint32_t)row_number(row, UINT32_MAX);
	seen->modseq = row_number(row, INT64_MAX);
}

static void read_folder(struct row *row, struct ledger_folder *folder, struct arena *arena)
{
	*folder = (struct ledger_folder){ 0 };
	folder->id = (uint32_t)row_number(row, UINT32_MAX - 1);
	folder->current = row_number(row, 1) != 0;
	folder->source_name = row_text(row, NAME_MAX_BYTES, arena);
	folder->destination_name = row_text(row, NAME_MAX_BYTES, arena);
	folder->source_object = row_text(row, NAME_MAX_BYTES, arena);
	folder->source_uidvalidity = (uint32_t)row_number(row, UINT32_MAX);
	folder->destination_uidvalidity = (uint32_t)row_number(row, UINT32_MAX);
	folder->complete = row_number(row, 1) != 0;
	read_seen(row, &folder->source);
	read_seen(row, &folder->destination);
	folder->since = row_date(row);
	folder->before = row_date(row);
	folder->mark = (uint32_t)row_number(row, UINT32_MAX);
	folder->tally.copied = row_number(row, INT64_MAX);
	folder->tally.bytes = row_number(row, INT64_MAX);
	folder->tally.excepted = row_number(row, INT64_MAX);
	folder->tally.gone = row_number(row, INT64_MAX);
	folder->tally.removed = row_number(row, INT64_MAX);
	row->bad |= folder->id == 0;
}

static int read_noted(struct db *db, struct ledger_folder *folder, struct fault *fault)
{
	sqlite3_stmt *s = db_statement(db, SQL_NOTED);
	int r;

	if (s)
		sqlite3_bind_int64(s, 1, folder->id);
	while ((r = db_step(db, s, fault)) > 0) {
		struct row row = { s };
		uint64_t cause = row_number(&row, LEDGER_CAUSES - 1);

		folder->tally.noted[cause] = row_number(&row, INT64_MAX);
		if (row.bad)
			return db_damaged(db, "a count in it is out of range", fault);
	}
	return r;
}

static int read_folders(struct db *db, void *arg, struct fault *fault)
{
	struct load_job *job = arg;
	sqlite3_stmt *s = db_statement(db, SQL_FOLDERS);
	size_t capacity = 0;
	int r;

	while ((r = db_step(db, s, fault)) > 0) {
		struct row row = { s };

		job->p = xgrow(job->p, &capacity, job->n + 1, sizeof(*job->p));
		read_folder(&row, &job->p[job->n], job->arena);
		if (row.bad)
			return db_damaged(db, "a folder in it is out of range", fault);
		if (read_noted(db, &job->p[job->n++], fault) < 0)
			return -1;
	}
	return r;
}

int ledger_load_folders(struct ledger *ledger, struct arena *arena, struct ledger_folder **ret,
			size_t *ret_n, struct fault *fault)
{
	struct load_job job = { .arena = arena };
	int r = ledger_run(ledger, "the folders in the ledger", read_folders, &job, fault);

	if (r == 0) {
		*ret = arena_alloc(arena, job.n * sizeof(*job.p));
		if (job.n)
			memcpy(*ret, job.p, job.n * sizeof(*job.p));
		*ret_n = job.n;
	}
	free(job.p);
	return r;
}

/* --- counting -------------------------------------------------------------------------------- */

struct count_job {
	uint32_t folder;
	struct ledger_tally tally;
};

static void count_row(struct ledger_tally *tally, uint64_t state, uint64_t cause, uint64_t size)
{
	if (state == LEDGER_SENDING)
		return;
	tally->noted[cause]++;
	if (state == LEDGER_COPIED) {
		tally->copied++;
		/* sizes are what servers said */
		tally->bytes = size > INT64_MAX - tally->bytes ? INT64_MAX : tally->bytes + size;
	} else if (state == LEDGER_EXCEPTED) {
		tally->excepted++;
	} else if (state == LEDGER_GONE) {
		tally->gone++;
	} else if (state == LEDGER_REMOVED) {
		tally->removed++;
	}
}

/* Not GROUP BY, which would sort them all. */
static int count_rows(struct db *db, void *arg, struct fault *fault)
{
	struct count_job *job = arg;
	sqlite3_stmt *s = db_statement(db, SQL_COUNT_FOLDER);
	int r;

	if (s)
		sqlite3_bind_int64(s, 1, job->folder);
	while ((r = db_step(db, s, fault)) > 0) {
		struct row row = { s };
		uint64_t state = row_number(&row, LEDGER_SENDING);
		uint64_t cause = row_number(&row, LEDGER_CAUSES - 1);
		uint64_t size = row_number(&row, INT64_MAX);

		if (row.bad || state == 0)
			return db_damaged(db, "a message in it is out of range", fault);
		count_row(&job->tally, state, cause, size);
	}
	return r;
}

int ledger_count_folder(struct ledger *ledger, struct ledger_folder *folder, struct fault *fault)
{
	struct count_job job = { .folder = folder->id };
	struct batch *batch;
	struct ledger_tally *copy;

	if (ledger_run(ledger, "counting a folder's messages", count_rows, &job, fault) < 0)
		return -1;

	folder->tally = job.tally;
	if (ledger->db.read_only)
		return 0;
	batch = ledger_queue(ledger);
	if (!batch)
		return 0;
	copy = arena_alloc(&batch->arena, sizeof(*copy));
	*copy = job.tally;
	ledger_queue_op(ledger, batch, (struct op){ .kind = OP_SET_TALLY, .folder = folder->id,
						    .p = copy });
	return 0;
}
