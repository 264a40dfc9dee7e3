/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of SQLite, see db.h. */
#include "state/db.h"

#include "base/xalloc.h"
#include "os/file.h"

/* A row or a schema of ours has some KiB at most. */
enum { LENGTH_MAX = 1024 * 1024 };

/* The first one must come before the file is looked at: it is what lets SQLite do without
 * shared memory. */
static const char settings[] =
	"PRAGMA locking_mode = EXCLUSIVE;"
	"PRAGMA trusted_schema = OFF;"
	"PRAGMA cell_size_check = ON;"
	"PRAGMA foreign_keys = OFF;"
	"PRAGMA recursive_triggers = OFF;"
	"PRAGMA temp_store = MEMORY;"
	"PRAGMA cache_size = -1024;"
	"PRAGMA mmap_size = 0;"
	"PRAGMA secure_delete = OFF;"
	/* 4 MB of pages to look through after a crash; larger for a large commit, and only once */
	"PRAGMA wal_autocheckpoint = 1000;"
	"PRAGMA journal_size_limit = 16777216;"
	"PRAGMA synchronous = FULL;";

/* --- faults ---------------------------------------------------------------------------------- */

const char *db_words(const struct db *db)
{
	size_t n = strlen(db->path);

	return n > 160 ? db->path + n - 160 : db->path;
}

void db_printable(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			*text = '?';
	}
}

int db_damaged(struct db *db, const char *what, struct fault *fault)
{
	_cleanup_(buf_done) struct buf wal = BUF_NULL;
	char printable[120];

	buf_appendf(&wal, "%s-wal", db->path);
	snprintf(printable, sizeof(printable), "%s", what);
	db_printable(printable);
	return fault_set(fault, FAULT_DATA, REACH_MAILBOX, AGAIN_NEVER,
			 "the ledger %s is damaged (%s): move it%s away and run again with --adopt",
			 db_words(db), printable, disk_has(buf_str(&wal)) ? " and its -wal file" : "");
}

/* Only the first milliseconds of a ledger, before it has a WAL, can leave a journal. */
static int fault_journal(struct db *db, struct fault *fault)
{
	return fault_set(
		fault, FAULT_USAGE, REACH_MAILBOX, AGAIN_NEVER,
		"the ledger %s was interrupted while it was begun: it must be opened for writing "
		"once (a copy that is not --dry-run)",
		db_words(db));
}

static int fault_disk(struct db *db, struct fault *fault)
{
	int error = db->disk ? disk_error(db->disk) : 0;
	const char *why;

	if (!error)
		error = sqlite3_system_errno(db->sqlite);
	why = error ? strerror(error) : sqlite3_errmsg(db->sqlite);
	return fault_set(fault, FAULT_LOCAL, REACH_MAILBOX, AGAIN_NEVER,
			 "cannot %s the ledger %s: %s", db->read_only ? "read" : "write",
			 db_words(db), why);
}

int db_fault(struct db *db, struct fault *fault)
{
	switch (sqlite3_errcode(db->sqlite)) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return fault_set(fault, FAULT_REFUSED, REACH_MAILBOX, AGAIN_LATER,
				 "another program has the ledger %s open", db_words(db));
	case SQLITE_NOTADB:
		return db_damaged(db, "it is no database", fault);
	case SQLITE_ERROR: /* SQL of ours that its schema does not know */
	case SQLITE_CORRUPT:
	case SQLITE_FORMAT:
	case SQLITE_TOOBIG:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return db_damaged(db, sqlite3_errmsg(db->sqlite), fault);
	case SQLITE_READONLY:
		/* make_file() could write it: so it is its header that forbids it to SQLite */
		return db->read_only ? fault_journal(db, fault)
				     : db_damaged(db, sqlite3_errmsg(db->sqlite), fault);
	default:
		return fault_disk(db, fault);
	}
}

/* --- opening ---------------------------------------------------------------------------------- */

/* SQLite would make it readable for others. */
static int make_file(const char *path, struct fault *fault)
{
	_cleanup_(os_file_closep) struct os_file *file = NULL;

	return os_file_append(path, &file, fault);
}

/* A file may bring triggers and views of its own; none of them shall run. */
static void restrict_schema(sqlite3 *sqlite)
{
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_limit(sqlite, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
	sqlite3_limit(sqlite, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_limit(sqlite, SQLITE_LIMIT_WORKER_THREADS, 0);
}

int db_open(struct db *db, const char *path, bool read_only, struct fault *fault)
{
	int flags = SQLITE_OPEN_NOMUTEX;

	*db = (struct db){ .path = xstrdup(path), .read_only = read_only };
	if (!read_only && make_file(path, fault) < 0)
		return -1;

	flags |= read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	db->disk = disk_new(read_only);
	if (sqlite3_open_v2(path, &db->sqlite, flags, disk_name(db->disk)) != SQLITE_OK)
		return fault_disk(db, fault);

	restrict_schema(db->sqlite);
	return db_exec(db, settings, fault);
}

void db_trust(struct db *db, bool trust)
{
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !trust, NULL);
}

int db_use_wal(struct db *db, struct fault *fault)
{
	sqlite3_stmt *s;
	bool wal = false;

	if (sqlite3_prepare_v2(db->sqlite, "PRAGMA journal_mode = WAL", -1, &s, NULL) != SQLITE_OK)
		return db_fault(db, fault);
	if (sqlite3_step(s) == SQLITE_ROW)
		wal = strcmp((const char *)sqlite3_column_text(s, 0), "wal") == 0;
	if (sqlite3_finalize(s) != SQLITE_OK)
		return db_fault(db, fault);
	if (!wal)
		return fault_set(
			fault, FAULT_LOCAL, REACH_MAILBOX, AGAIN_NEVER,
			"the ledger %s cannot have a write-ahead log: SQLite %s refuses it",
			db_words(db), sqlite3_libversion());
	return 0;
}

void db_done(struct db *db)
{
	for (size_t i = 0; i < SQL_COUNT_; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close(db->sqlite);
	disk_free(db->disk);
	free(db->path);
	*db = (struct db){ 0 };
}

/* --- statements ------------------------------------------------------------------------------ */

int db_exec(struct db *db, const char *sql, struct fault *fault)
{
	if (sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_fault(db, fault);
	return 0;
}

int db_number(struct db *db, const char *sql, int64_t *ret, struct fault *fault)
{
	sqlite3_stmt *statement;
	int r;

	if (sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL) != SQLITE_OK)
		return db_fault(db, fault);

	r = sqlite3_step(statement);
	*ret = r == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
	if (r != SQLITE_ROW && r != SQLITE_DONE)
		db_fault(db, fault);
	sqlite3_finalize(statement);
	return r == SQLITE_ROW || r == SQLITE_DONE ? 0 : -1;
}

sqlite3_stmt *db_statement(struct db *db, enum sql sql)
{
	sqlite3_stmt **statement = &db->statements[sql];

	if (*statement) {
		sqlite3_reset(*statement);
		sqlite3_clear_bindings(*statement);
		return *statement;
	}
	if (sqlite3_prepare_v3(db->sqlite, sql_text(sql), -1, SQLITE_PREPARE_PERSISTENT, statement,
			       NULL) != SQLITE_OK)
		return NULL;
	return *statement;
}

int db_step(struct db *db, sqlite3_stmt *statement, struct fault *fault)
{
	int r = statement ? sqlite3_step(statement) : SQLITE_ERROR;

	if (r == SQLITE_ROW)
		return 1;
	if (r != SQLITE_DONE)
		db_fault(db, fault);
	sqlite3_reset(statement);
	return r == SQLITE_DONE ? 0 : -1;
}

/* --- rows ------------------------------------------------------------------------------------ */

uint64_t row_number(struct row *row, uint64_t max)
{
	int64_t value = sqlite3_column_int64(row->statement, row->column++);

	if (value >= 0 && (uint64_t)value <= max)
		return (uint64_t)value;
	row->bad = true;
	return 0;
}

int64_t row_signed(struct row *row, int64_t min, int64_t max)
{
	int64_t value = sqlite3_column_int64(row->statement, row->column++);

	if (value >= min && value <= max)
		return value;
	row->bad = true;
	return 0;
}

int64_t row_date(struct row *row)
{
	int column = row->column++;

	if (sqlite3_column_type(row->statement, column) == SQLITE_NULL)
		return INT64_MIN;
	return sqlite3_column_int64(row->statement, column);
}

void row_digest(struct row *row, bool wanted, unsigned char *to, size_t n)
{
	int column = row->column++;
	const void *p = wanted ? sqlite3_column_blob(row->statement, column) : NULL;

	if (p && (size_t)sqlite3_column_bytes(row->statement, column) == n) {
		memcpy(to, p, n);
		return;
	}
	memset(to, 0, n);
	row->bad |= wanted;
}

struct bytes row_text(struct row *row, size_t max, struct arena *arena)
{
	int column = row->column++;
	const unsigned char *p = sqlite3_column_text(row->statement, column);
	size_t n = (size_t)sqlite3_column_bytes(row->statement, column);

	if (p && n <= max)
		return arena_copy(arena, (struct bytes){ (const char *)p, n });
	row->bad = true;
	return BYTES(""); /* a C string all the same */
}

const char *row_string(struct row *row, size_t max, struct arena *arena)
{
	struct bytes text = row_text(row, max, arena);

	if (memchr(text.p, '\0', text.n))
		row->bad = true;
	return text.p;
}
