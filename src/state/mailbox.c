/* SPDX-License-Identifier: Apache-2.0 */
/* What a ledger knows of the mailbox as a whole: facts, passes, what was accepted. */
#include "base/xalloc.h"
#include "state/inside.h"

/* What is longer would be taken for damage when it is read. */
static const char *keep(struct batch *batch, const char *text)
{
	return arena_str(&batch->arena, bytes_head(bytes_of(text), TEXT_MAX));
}

/* --- facts ----------------------------------------------------------------------------------- */

const char *ledger_fact(const struct ledger *ledger, const char *name)
{
	return map_get(&ledger->facts, bytes_of(name));
}

static void keep_fact(struct ledger *ledger, const char *name, const char *value)
{
	if (value)
		free(map_put(&ledger->facts, bytes_of(name), xstrdup(value)));
	else
		free(map_remove(&ledger->facts, bytes_of(name)));
}

void ledger_set_fact(struct ledger *ledger, const char *name, const char *value)
{
	struct batch *batch = ledger_queue(ledger);

	if (batch)
		ledger_queue_op(ledger, batch, (struct op){
			.kind = OP_FACT,
			.p = keep(batch, name),
			.q = value ? keep(batch, value) : NULL,
		});
	keep_fact(ledger, name, value);
}

static int read_facts(struct ledger *ledger, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct db *db = &ledger->db;
	sqlite3_stmt *s = db_statement(db, SQL_FACTS);
	int r;

	while ((r = db_step(db, s, fault)) > 0) {
		struct row row = { s };
		const char *name = row_string(&row, TEXT_MAX, &arena);
		const char *value = row_string(&row, TEXT_MAX, &arena);

		if (row.bad)
			return db_damaged(db, "a fact in it is out of range", fault);
		keep_fact(ledger, name, value);
		arena_reset(&arena);
	}
	return r;
}

int ledger_read_mailbox(struct ledger *ledger, struct fault *fault)
{
	struct db *db = &ledger->db;
	int64_t folder;

	if (read_facts(ledger, fault) < 0 ||
	    db_number(db, "SELECT max(id) FROM folder", &folder, fault) < 0 ||
	    db_number(db, "SELECT max(number) FROM pass", &ledger->last_pass, fault) < 0)
		return -1;
	if (folder < 0 || folder >= UINT32_MAX || ledger->last_pass < 0 ||
	    ledger->last_pass >= INT64_MAX / 2)
		return db_damaged(db, "its numbers are out of range", fault);

	ledger->last_folder = (uint32_t)folder;
	return 0;
}

void ledger_mailbox_done(struct ledger *ledger)
{
	struct map_entry entry;
	size_t at = 0;

	while (map_next(&ledger->facts, &at, &entry))
		free(entry.value);
	map_done(&ledger->facts);
}

/* --- passes ---------------------------------------------------------------------------------- */

static void queue_pass(struct ledger *ledger, enum op_kind kind, int64_t number,
		       const struct ledger_pass *pass)
{
	struct batch *batch = ledger_queue(ledger);
	struct ledger_pass *copy;

	if (!batch)
		return;

	copy = arena_alloc(&batch->arena, sizeof(*copy));
	*copy = *pass;
	copy->kind = keep(batch, pass->kind);
	copy->error = keep(batch, pass->error);
	ledger_queue_op(ledger, batch, (struct op){ .kind = kind, .at = number, .p = copy });
}

int64_t ledger_begin_pass(struct ledger *ledger, const char *kind, int64_t now_us)
{
	queue_pass(ledger, OP_BEGIN_PASS, ++ledger->last_pass,
		   &(struct ledger_pass){ .began = now_us, .kind = kind });
	return ledger->last_pass;
}

void ledger_end_pass(struct ledger *ledger, int64_t number, const struct ledger_pass *pass)
{
	queue_pass(ledger, OP_END_PASS, number, pass);
}

/* --- lists ----------------------------------------------------------------------------------- */

/* Reads rows of one kind into an arena. */
struct list_job {
	enum sql sql;
	int64_t most; /* bound as ?1 when the statement has it */
	size_t size;  /* of an element */
	void (*read)(struct row *row, void *to, struct arena *arena);
	struct arena *arena;
	char *p; /* xmalloc()ed */
	size_t n;
};

static int read_list(struct db *db, void *arg, struct fault *fault)
{
	struct list_job *job = arg;
	sqlite3_stmt *s = db_statement(db, job->sql);
	size_t capacity = 0;
	int r;

	if (s && sqlite3_bind_parameter_count(s) > 0)
		sqlite3_bind_int64(s, 1, job->most);
	while ((r = db_step(db, s, fault)) > 0) {
		struct row row = { s };

		job->p = xgrow(job->p, &capacity, job->n + 1, job->size);
		memset(job->p + job->n * job->size, 0, job->size);
		job->read(&row, job->p + job->n * job->size, job->arena);
		job->n++;
		if (row.bad)
			return db_damaged(db, "a row in it is out of range", fault);
	}
	return r;
}

static int load_list(struct ledger *ledger, const char *what, struct list_job *job, void **ret,
		     size_t *ret_n, struct fault *fault)
{
	int r = ledger_run(ledger, what, read_list, job, fault);

	if (r == 0) {
		struct bytes all = { job->p, job->n * job->size };

		*ret = arena_alloc(job->arena, all.n);
		if (all.n)
			memcpy(*ret, all.p, all.n);
		*ret_n = job->n;
	}
	free(job->p);
	return r;
}

static void read_pass(struct row *row, void *to, struct arena *arena)
{
	struct ledger_pass *pass = to;

	pass->began = row_signed(row, INT64_MIN, INT64_MAX);
	pass->ended = row_signed(row, INT64_MIN, INT64_MAX);
	pass->kind = row_string(row, TEXT_MAX, arena);
	pass->copied = row_number(row, INT64_MAX);
	pass->bytes = row_number(row, INT64_MAX);
	pass->flags_changed = row_number(row, INT64_MAX);
	pass->moved = row_number(row, INT64_MAX);
	pass->deleted = row_number(row, INT64_MAX);
	pass->excepted = row_number(row, INT64_MAX);
	pass->exit_status = (int)row_signed(row, INT32_MIN, INT32_MAX);
	pass->error = row_string(row, TEXT_MAX, arena);
}

int ledger_load_passes(struct ledger *ledger, size_t most, struct arena *arena,
		       struct ledger_pass **ret, size_t *ret_n, struct fault *fault)
{
	struct list_job job = {
		.sql = SQL_PASSES,
		.most = most > INT64_MAX ? INT64_MAX : (int64_t)most,
		.size = sizeof(struct ledger_pass),
		.read = read_pass,
		.arena = arena,
	};
	void *list = NULL;

	if (load_list(ledger, "the passes in the ledger", &job, &list, ret_n, fault) < 0)
		return -1;
	*ret = list;
	return 0;
}

/* --- accepted -------------------------------------------------------------------------------- */

void ledger_accept(struct ledger *ledger, const struct ledger_accepted *accepted)
{
	struct batch *batch = ledger_queue(ledger);
	struct ledger_accepted *copy;

	if (!batch)
		return;

	copy = arena_alloc(&batch->arena, sizeof(*copy));
	*copy = *accepted;
	copy->cause = keep(batch, accepted->cause);
	copy->folder = keep(batch, accepted->folder);
	copy->reason = keep(batch, accepted->reason);
	copy->who = keep(batch, accepted->who);
	ledger_queue_op(ledger, batch, (struct op){ .kind = OP_ACCEPT, .p = copy });
}

static void read_accepted(struct row *row, void *to, struct arena *arena)
{
	struct ledger_accepted *accepted = to;

	accepted->cause = row_string(row, TEXT_MAX, arena);
	accepted->folder = row_string(row, TEXT_MAX, arena);
	accepted->uid = (uint32_t)row_number(row, UINT32_MAX);
	accepted->reason = row_string(row, TEXT_MAX, arena);
	accepted->who = row_string(row, TEXT_MAX, arena);
	accepted->at = row_signed(row, INT64_MIN, INT64_MAX);
}

int ledger_load_accepted(struct ledger *ledger, struct arena *arena, struct ledger_accepted **ret,
			 size_t *ret_n, struct fault *fault)
{
	struct list_job job = {
		.sql = SQL_ACCEPTED,
		.size = sizeof(struct ledger_accepted),
		.read = read_accepted,
		.arena = arena,
	};
	void *list = NULL;

	if (load_list(ledger, "what was accepted", &job, &list, ret_n, fault) < 0)
		return -1;
	*ret = list;
	return 0;
}
