/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing a ledger, see ledger.h and docs/design/ledger.md. */
#include <assert.h>

#include "base/xalloc.h"
#include "os/file.h"
#include "os/step.h"
#include "state/inside.h"
#include "state/schema.h"

enum { ENDS_MAX = 4096 };

static const int64_t CHECK_EVERY = 24 * HOUR;

const char *ledger_file(const struct ledger *ledger)
{
	return ledger->db.path;
}

bool ledger_is_new(const struct ledger *ledger)
{
	return ledger->new;
}

/* --- opening: on the pool -------------------------------------------------------------------- */

struct opening {
	const char *path;
	const struct ledger_ends *ends;
	bool read_only;
	int64_t now; /* µs since 1970 */
	uint64_t seed;
	struct ledger *ledger;
	bool check_all;
};

static bool has_wal(const char *path)
{
	_cleanup_(buf_done) struct buf wal = BUF_NULL;

	buf_appendf(&wal, "%s-wal", path);
	return disk_has(buf_str(&wal));
}

static int begin_state(struct db *db, void *arg, struct fault *fault)
{
	const struct opening *opening = arg;
	sqlite3_stmt *s = db_statement(db, SQL_BEGIN_STATE);

	if (!s)
		return db_fault(db, fault);
	sqlite3_bind_text(s, 1, opening->ends->source, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, opening->ends->destination, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 3, opening->now);
	db->marked = true;
	return db_step(db, s, fault);
}

/* 0: it has our schema. 1: there is nothing in it, and it is open for reading. */
static int bring_schema(struct opening *opening, struct fault *fault)
{
	struct db *db = &opening->ledger->db;
	int64_t version;
	int empty = schema_look(db, &version, fault);

	if (empty < 0 || (empty && opening->read_only))
		return empty;
	if (version > (int64_t)schema_n_steps)
		return fault_set(
			fault, FAULT_USAGE, REACH_MAILBOX, AGAIN_NEVER,
			"the ledger %s was written by a newer mailferry (its schema is %lld, this "
			"one knows up to %zu): use that one",
			db_words(db), (long long)version, schema_n_steps);
	if (version < (int64_t)schema_n_steps && opening->read_only)
		return fault_set(
			fault, FAULT_USAGE, REACH_MAILBOX, AGAIN_NEVER,
			"the ledger %s was written by an older mailferry: it must be opened for "
			"writing once (a copy that is not --dry-run)",
			db_words(db));

	/* first of all: nothing is written to what only looks like a ledger */
	if (!empty && schema_verify(db, schema_steps, (size_t)version, fault) < 0)
		return -1;
	opening->ledger->new = empty;
	if (opening->read_only)
		return 0;
	if (db_use_wal(db, fault) < 0)
		return -1;
	return schema_migrate(db, version, schema_steps, schema_n_steps, begin_state, opening, fault);
}

static int fault_others(struct db *db, const char *source, const char *destination,
			struct fault *fault)
{
	char from[61], to[61];

	snprintf(from, sizeof(from), "%s", source);
	snprintf(to, sizeof(to), "%s", destination);
	db_printable(from);
	db_printable(to);
	return fault_set(
		fault, FAULT_USAGE, REACH_MAILBOX, AGAIN_NEVER,
		"the ledger %s is that of %s to %s: name another folder with --state, or move it "
		"away",
		db_words(db), from, to);
}

/* The state row: whose ledger it is, and whether all of it must be checked. */
static int read_state(struct opening *opening, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct db *db = &opening->ledger->db;
	sqlite3_stmt *s = db_statement(db, SQL_STATE);
	struct row row = { s };
	const char *source, *destination;
	int64_t checked;
	int r = db_step(db, s, fault);

	if (r < 0)
		return -1;
	if (r == 0)
		return db_damaged(db, "it does not say whose it is", fault);

	source = row_string(&row, ENDS_MAX, &arena);
	destination = row_string(&row, ENDS_MAX, &arena);
	checked = row_signed(&row, INT64_MIN, INT64_MAX);
	if (row_number(&row, 1) == 0 && !opening->ledger->new)
		opening->check_all = true;
	sqlite3_reset(s);
	if (row.bad)
		return db_damaged(db, "it does not say whose it is", fault);

	if (strcmp(source, opening->ends->source) != 0 ||
	    strcmp(destination, opening->ends->destination) != 0)
		return fault_others(db, source, destination, fault);
	if (checked > opening->now || opening->now - checked >= CHECK_EVERY)
		opening->check_all = true;
	return 0;
}

/* Of every table but the long one, whichever the schema has: it was compared before this. */
#define SMALL_TABLES                                                                               \
	"SELECT quick_check FROM sqlite_schema AS t, pragma_quick_check(t.name) "                  \
	"WHERE t.type = 'table' AND t.name <> 'message' AND quick_check <> 'ok'"

static int check(struct opening *opening, struct fault *fault)
{
	struct db *db = &opening->ledger->db;
	const char *sql = opening->check_all ? "PRAGMA quick_check(1)" : SMALL_TABLES;
	sqlite3_stmt *s;
	char what[100] = "ok";

	if (sqlite3_prepare_v2(db->sqlite, sql, -1, &s, NULL) != SQLITE_OK)
		return db_fault(db, fault);
	if (sqlite3_step(s) == SQLITE_ROW)
		snprintf(what, sizeof(what), "%.99s", (const char *)sqlite3_column_text(s, 0));
	if (sqlite3_finalize(s) != SQLITE_OK)
		return db_fault(db, fault);
	return strcmp(what, "ok") == 0 ? 0 : db_damaged(db, what, fault);
}

static int open_file(struct opening *opening, struct fault *fault)
{
	struct ledger *ledger = opening->ledger;
	struct db *db = &ledger->db;
	bool unclean = has_wal(opening->path);
	int r;

	if (unclean && !disk_has(opening->path)) {
		db->path = xstrdup(opening->path);
		return db_damaged(db, "it is missing or empty, but has a write-ahead log", fault);
	}

	step_point("ledger-open");
	if (db_open(db, opening->path, opening->read_only, fault) < 0)
		return -1;
	r = bring_schema(opening, fault);
	if (r != 0)
		return r;

	opening->check_all = unclean;
	if (read_state(opening, fault) < 0 || check(opening, fault) < 0 ||
	    ledger_read_words(ledger, fault) < 0 || ledger_read_mailbox(ledger, fault) < 0)
		return -1;
	db_trust(db, true);
	return 0;
}

static void discard(struct ledger *ledger)
{
	db_done(&ledger->db);
	ledger->lock = os_lock_release(ledger->lock);
	words_done(&ledger->words);
	ledger_mailbox_done(ledger);
	ledger_drop_queue(ledger);
	free(ledger);
}

static int open_on_pool(void *arg, struct fault *fault)
{
	struct opening *opening = arg;
	struct ledger *ledger;
	_cleanup_(buf_done) struct buf lock = BUF_NULL;
	int r;

	if (opening->read_only && !disk_has(opening->path) && !has_wal(opening->path))
		return 1;
	if (!opening->read_only && os_make_folder_of(opening->path, fault) < 0)
		return -1;

	ledger = xzalloc(sizeof(*ledger));
	opening->ledger = ledger;
	waiters_init(&ledger->turn);
	atomic_flag_clear(&ledger->on_thread);
	waiters_init(&ledger->followers);
	words_init(&ledger->words, opening->seed);
	map_init(&ledger->facts, opening->seed);

	buf_appendf(&lock, "%s.lock", opening->path);
	r = os_lock_take(buf_str(&lock), &ledger->lock, fault);
	if (r < 0 && fault->kind == FAULT_REFUSED)
		fault->reach = REACH_MAILBOX;
	if (r == 0)
		r = open_file(opening, fault);
	if (r != 0) {
		discard(ledger);
		opening->ledger = NULL;
	}
	return r;
}

int ledger_open(const char *path, const struct ledger_ends *ends, enum ledger_mode mode,
		struct ledger **ret, struct fault *fault)
{
	struct opening opening = {
		.path = path,
		.ends = ends,
		.read_only = mode == LEDGER_READ,
		.now = run_wall(),
	};
	int r;

	if (strlen(ends->source) > ENDS_MAX || strlen(ends->destination) > ENDS_MAX)
		return fault_usage(fault, "the name of a mailbox is longer than %d bytes",
				   ENDS_MAX);
	run_random(&opening.seed, sizeof(opening.seed));
	r = pool_call("opening the ledger", open_on_pool, &opening, fault);
	if (r != 0)
		return r;

	if (opening.check_all && !opening.read_only) {
		struct batch *batch = ledger_queue(opening.ledger);

		ledger_queue_op(opening.ledger, batch,
				(struct op){ .kind = OP_CHECKED, .at = opening.now });
	}
	*ret = opening.ledger;
	return 0;
}

/* --- closing ---------------------------------------------------------------------------------- */

static int close_on_pool(void *arg, struct fault *fault)
{
	struct ledger *ledger = arg;
	struct db *db = &ledger->db;

	step_point("ledger-close");
	if (!ledger->dead && ledger->synced < ledger->queued && ops_write(db, ledger->first, true, fault) < 0)
		ledger->dead = true;
	if (ledger->dead)
		db_trust(db, false);
	else if (db->marked)
		(void)db_step(db, db_statement(db, SQL_MARK_IN_ORDER), fault);
	discard(ledger);
	step_point("ledger-closed");
	return 0;
}

struct ledger *ledger_close(struct ledger *ledger)
{
	struct fault ignored;
	int64_t former;

	if (!ledger)
		return NULL;

	assert(!ledger->busy);
	former = run_shield(MOMENT_NEVER);
	pool_call("closing the ledger", close_on_pool, ledger, &ignored);
	run_unshield(former);
	return NULL;
}
