/* SPDX-License-Identifier: Apache-2.0 */
/* Writing what was queued, see ops.h. Each function binds one operation to its statement; the
 * statements are in sql.c. Pointers stay valid until the step is done, so nothing is copied
 * (SQLITE_STATIC). */
#include "state/ops.h"

#include "base/xalloc.h"
#include "os/step.h"

enum { PASSES_KEPT = 1000 };

struct batch *batch_new(void)
{
	return xzalloc(sizeof(struct batch));
}

struct batch *batch_free(struct batch *batch)
{
	if (!batch)
		return NULL;

	free(batch->ops);
	arena_done(&batch->arena);
	free(batch);
	return NULL;
}

void batch_add(struct batch *batch, struct op op)
{
	batch->ops = xgrow(batch->ops, &batch->capacity, batch->n + 1, sizeof(*batch->ops));
	batch->ops[batch->n++] = op;
}

/* --- binding --------------------------------------------------------------------------------- */

static void bind_number(sqlite3_stmt *s, int at, uint64_t value)
{
	/* SQLite's numbers are signed; sizes and MODSEQs beyond 2^63 are a server's nonsense. */
	sqlite3_bind_int64(s, at, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

static void bind_date(sqlite3_stmt *s, int at, int64_t date)
{
	if (date != INT64_MIN)
		sqlite3_bind_int64(s, at, date); /* else NULL, as after clearing */
}

static void bind_string(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text ? text : "", -1, SQLITE_STATIC);
}

static void bind_bytes(sqlite3_stmt *s, int at, struct bytes b)
{
	sqlite3_bind_text(s, at, b.n ? b.p : "", (int)b.n, SQLITE_STATIC);
}

static void bind_key(sqlite3_stmt *s, const struct op *op)
{
	bind_number(s, 1, op->folder);
	bind_number(s, 2, op->uid);
}

static int run(sqlite3_stmt *s)
{
	int r = sqlite3_step(s);

	sqlite3_reset(s);
	return r == SQLITE_DONE || r == SQLITE_ROW ? 0 : -1;
}

static int run_plain(struct db *db, enum sql sql)
{
	sqlite3_stmt *s = db_statement(db, sql);

	return s ? run(s) : -1;
}

/* --- folders --------------------------------------------------------------------------------- */

static void bind_seen(sqlite3_stmt *s, int at, const struct ledger_seen *seen)
{
	bind_number(s, at, seen->uidvalidity);
	bind_number(s, at + 1, seen->uidnext);
	bind_number(s, at + 2, seen->messages);
	bind_number(s, at + 3, seen->modseq);
}

static int write_folder(struct db *db, sqlite3_stmt *s, const struct op *op)
{
	const struct ledger_folder *folder = op->p;

	bind_number(s, 1, folder->id);
	bind_number(s, 2, folder->current);
	bind_bytes(s, 3, folder->source_name);
	bind_bytes(s, 4, folder->destination_name);
	bind_bytes(s, 5, folder->source_object);
	bind_number(s, 6, folder->source_uidvalidity);
	bind_number(s, 7, folder->destination_uidvalidity);
	bind_number(s, 8, folder->complete);
	bind_seen(s, 9, &folder->source);
	bind_seen(s, 13, &folder->destination);
	bind_date(s, 17, folder->since);
	bind_date(s, 18, folder->before);
	if (op->kind == OP_ADD_FOLDER)
		bind_number(s, 19, folder->mark);
	return run(s);
}

static int write_mark(struct db *db, sqlite3_stmt *s, const struct op *op)
{
	bind_number(s, 1, op->folder);
	bind_number(s, 2, op->a);
	return run(s);
}

static int write_noted(struct db *db, uint32_t folder, const struct ledger_tally *tally)
{
	sqlite3_stmt *s = db_statement(db, SQL_DROP_NOTED);

	if (!s)
		return -1;
	bind_number(s, 1, folder);
	if (run(s) < 0)
		return -1;

	for (uint32_t cause = 0; cause < LEDGER_CAUSES; cause++) {
		if (tally->noted[cause] == 0)
			continue;
		s = db_statement(db, SQL_PUT_NOTED);
		if (!s)
			return -1;
		bind_number(s, 1, folder);
		bind_number(s, 2, cause);
		bind_number(s, 3, tally->noted[cause]);
		if (run(s) < 0)
			return -1;
	}
	return 0;
}

static int write_tally(struct db *db, sqlite3_stmt *s, const struct op *op)
{
	const struct ledger_tally *tally = op->p;

	bind_number(s, 1, op->folder);
	bind_number(s, 2, tally->copied);
	bind_number(s, 3, tally->bytes);
	bind_number(s, 4, tally->excepted);
	bind_number(s, 5, tally->gone);
	bind_number(s, 6, tally->removed);
	return run(s) < 0 ? -1 : write_noted(db, op->folder, tally);
}

/* --- messages -------------------------------------------------------------------------------- */

static int write_message(struct db *db, sqlite3_stmt *s, const struct op *op)
{
	const struct ledger_message *message = op->p;

	bind_number(s, 1, message->folder);
	bind_number(s, 2, message->uid);
	bind_number(s, 3, message->copy_uid);
	bind_number(s, 4, message->state);
	bind_number(s, 5, message->cause);
	bind_number(s, 6, message->has);
	bind_number(s, 7, message->flags);
	bind_number(s, 8, message->copy_flags);
	bind_number(s, 9, message->size);
	bind_number(s, 10, message->copy_size);
	bind_date(s, 11, message->date);
	sqlite3_bind_int(s, 12, message->zone_minutes);
	if (message->has & LEDGER_HAS_DIGEST)
		sqlite3_bind_blob(s, 13, message->digest, sizeof(message->digest), SQLITE_STATIC);
	if (message->has & LEDGER_HAS_COPY_DIGEST)
		sqlite3_bind_blob(s, 14, message->copy_digest, sizeof(message->copy_digest),
				  SQLITE_STATIC);
	if (message->has & LEDGER_HAS_HEADER)
		sqlite3_bind_blob(s, 15, message->header, sizeof(message->header), SQLITE_STATIC);
	bind_string(s, 16, message->message_id);
	bind_string(s, 17, message->detail);
	return run(s);
}

/* The key, and as many of a, b, c behind it as the statement takes. */
static int write_key(struct db *db, sqlite3_stmt *s, const struct op *op)
{
	const uint64_t numbers[] = { op->a, op->b, op->c };
	int n = sqlite3_bind_parameter_count(s) - 2;

	bind_key(s, op);
	for (int i = 0; i < n; i++)
		bind_number(s, 3 + i, numbers[i]);
	return run(s);
}

static int write_cause(struct db *db, sqlite3_stmt *s, const struct op *op)
{
	bind_key(s, op);
	bind_number(s, 3, op->a);
	bind_string(s, 4, op->p);
	return run(s);
}

/* Of either side. */
static int write_digest(struct db *db, sqlite3_stmt *s, const struct op *op)
{
	bind_key(s, op);
	sqlite3_bind_int64(s, 3, op->at);
	sqlite3_bind_blob(s, 4, op->p, 32, SQLITE_STATIC);
	return run(s);
}

static int write_forget_copy_uids(struct db *db, sqlite3_stmt *s, const struct op *op)
{
	bind_number(s, 1, op->folder);
	return run(s);
}

static int write_removal(struct db *db, sqlite3_stmt *s, const struct op *op)
{
	const struct ledger_removal *removal = op->p;

	bind_number(s, 1, removal->folder);
	bind_number(s, 2, removal->uid);
	bind_number(s, 3, removal->copy_uid);
	bind_number(s, 4, removal->uidvalidity);
	bind_number(s, 5, removal->was_deleted);
	bind_number(s, 6, removal->stage);
	bind_number(s, 7, removal->new_folder);
	bind_number(s, 8, removal->new_uid);
	return run(s);
}

/* --- the mailbox as a whole ------------------------------------------------------------------ */

static int write_checked(struct db *db, sqlite3_stmt *s, const struct op *op)
{
	sqlite3_bind_int64(s, 1, op->at);
	return run(s);
}

static int write_flags(struct db *db, sqlite3_stmt *s, const struct op *op)
{
	bind_number(s, 1, op->a);
	bind_string(s, 2, op->p);
	return run(s);
}

static int write_fact(struct db *db, sqlite3_stmt *s, const struct op *op)
{
	if (!op->q)
		s = db_statement(db, SQL_DROP_FACT);
	if (!s)
		return -1;
	bind_string(s, 1, op->p);
	if (op->q)
		bind_string(s, 2, op->q);
	return run(s);
}

static int write_begin_pass(struct db *db, sqlite3_stmt *s, const struct op *op)
{
	const struct ledger_pass *pass = op->p;

	sqlite3_bind_int64(s, 1, op->at);
	sqlite3_bind_int64(s, 2, pass->began);
	bind_string(s, 3, pass->kind);
	if (run(s) < 0)
		return -1;

	s = db_statement(db, SQL_DROP_PASSES);
	if (!s)
		return -1;
	sqlite3_bind_int64(s, 1, op->at - PASSES_KEPT);
	return run(s);
}

static int write_end_pass(struct db *db, sqlite3_stmt *s, const struct op *op)
{
	const struct ledger_pass *pass = op->p;

	sqlite3_bind_int64(s, 1, op->at);
	sqlite3_bind_int64(s, 2, pass->began);
	sqlite3_bind_int64(s, 3, pass->ended);
	bind_string(s, 4, pass->kind);
	bind_number(s, 5, pass->copied);
	bind_number(s, 6, pass->bytes);
	bind_number(s, 7, pass->flags_changed);
	bind_number(s, 8, pass->moved);
	bind_number(s, 9, pass->deleted);
	bind_number(s, 10, pass->excepted);
	sqlite3_bind_int(s, 11, pass->exit_status);
	bind_string(s, 12, pass->error);
	return run(s);
}

static int write_accepted(struct db *db, sqlite3_stmt *s, const struct op *op)
{
	const struct ledger_accepted *accepted = op->p;

	bind_string(s, 1, accepted->cause);
	bind_string(s, 2, accepted->folder);
	bind_number(s, 3, accepted->uid);
	bind_string(s, 4, accepted->reason);
	bind_string(s, 5, accepted->who);
	sqlite3_bind_int64(s, 6, accepted->at);
	return run(s);
}

/* --- transactions ---------------------------------------------------------------------------- */

static const struct {
	enum sql sql;
	int (*write)(struct db *db, sqlite3_stmt *s, const struct op *op);
} writers[OP_COUNT_] = {
	[OP_CHECKED] = { SQL_SET_CHECKED, write_checked },
	[OP_FLAGS] = { SQL_PUT_FLAGS, write_flags },
	[OP_FACT] = { SQL_PUT_FACT, write_fact },
	[OP_ADD_FOLDER] = { SQL_ADD_FOLDER, write_folder },
	[OP_PUT_FOLDER] = { SQL_PUT_FOLDER, write_folder },
	[OP_SET_MARK] = { SQL_SET_MARK, write_mark },
	[OP_SET_TALLY] = { SQL_SET_TALLY, write_tally },
	[OP_PUT_MESSAGE] = { SQL_PUT_MESSAGE, write_message },
	[OP_SET_FLAGS] = { SQL_SET_FLAGS, write_key },
	[OP_SET_STATE] = { SQL_SET_STATE, write_key },
	[OP_SET_COPY_UID] = { SQL_SET_COPY_UID, write_key },
	[OP_SET_CAUSE] = { SQL_SET_CAUSE, write_cause },
	[OP_SET_COPY_DIGEST] = { SQL_SET_COPY_DIGEST, write_digest },
	[OP_SET_DIGEST] = { SQL_SET_DIGEST, write_digest },
	[OP_FORGET_MESSAGE] = { SQL_FORGET_MESSAGE, write_key },
	[OP_MOVE_MESSAGE] = { SQL_MOVE_MESSAGE, write_key },
	[OP_FORGET_COPY_UIDS] = { SQL_FORGET_COPY_UIDS, write_forget_copy_uids },
	[OP_PUT_REMOVAL] = { SQL_PUT_REMOVAL, write_removal },
	[OP_DROP_REMOVAL] = { SQL_DROP_REMOVAL, write_key },
	[OP_BEGIN_PASS] = { SQL_BEGIN_PASS, write_begin_pass },
	[OP_END_PASS] = { SQL_END_PASS, write_end_pass },
	[OP_ACCEPT] = { SQL_ACCEPT, write_accepted },
};

static int write_batches(struct db *db, const struct batch *batch)
{
	for (; batch; batch = batch->next) {
		for (size_t i = 0; i < batch->n; i++) {
			const struct op *op = &batch->ops[i];
			sqlite3_stmt *s = db_statement(db, writers[op->kind].sql);

			if (!s || writers[op->kind].write(db, s, op) < 0)
				return -1;
		}
	}
	return 0;
}

/* A transaction that is not synced lies in the WAL, in order; the next one that is takes it along. */
static int set_durable(struct db *db, bool durable, struct fault *fault)
{
	if (db->not_durable == !durable)
		return 0;
	if (db_exec(db, durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", fault) < 0)
		return -1;

	db->not_durable = !durable;
	return 0;
}

int ops_write(struct db *db, const struct batch *first, bool durable, struct fault *fault)
{
	step_point("ledger-commit");
	if (set_durable(db, durable, fault) < 0)
		return -1;
	if (run_plain(db, SQL_BEGIN) < 0)
		return db_fault(db, fault);

	/* A transaction that changes nothing syncs nothing; one that changes a row twice, to what it was, does. */
	if ((!first && run_plain(db, SQL_MARK_IN_ORDER) < 0) ||
	    ((!db->marked || !first) && run_plain(db, SQL_MARK_USED) < 0) || write_batches(db, first) < 0 ||
	    run_plain(db, SQL_COMMIT) < 0) {
		db_fault(db, fault);
		run_plain(db, SQL_ROLLBACK);
		return -1;
	}

	db->marked = true;
	step_point("ledger-committed");
	return 0;
}
