/* SPDX-License-Identifier: Apache-2.0 */
/* The index: its file and what is written to it, see index.h. */
#include "gateway/index.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "gateway/index-inside.h"
#include "journal/fields.h"
#include "os/file.h"

enum { APPLICATION = 1298549865, VERSION = 2 }; /* "MfLi" */

/* Exclusive, so that there is no shared memory. A crash of the machine may cost the last transactions, never the file's order:
 * they are in the journal. */
static const char settings[] =
	"PRAGMA locking_mode = EXCLUSIVE;"
	"PRAGMA journal_mode = WAL;"
	"PRAGMA synchronous = NORMAL;"
	"PRAGMA wal_autocheckpoint = 8000;"
	"PRAGMA journal_size_limit = 67108864;"
	"PRAGMA cache_size = -32768;"
	"PRAGMA temp_store = MEMORY;"
	"PRAGMA trusted_schema = OFF;"
	"PRAGMA cell_size_check = ON;";

static const char schema[] =
	"BEGIN;"
	"CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), journal TEXT NOT NULL, names INTEGER NOT NULL,"
	" position INTEGER NOT NULL, last_number INTEGER NOT NULL, last_attempt INTEGER NOT NULL,"
	" messages INTEGER NOT NULL, legs INTEGER NOT NULL, delivered INTEGER NOT NULL, returned INTEGER NOT NULL,"
	" epoch INTEGER NOT NULL, routed INTEGER NOT NULL, kept BLOB NOT NULL) STRICT;"
	"CREATE TABLE route (key BLOB PRIMARY KEY, target BLOB NOT NULL, route INTEGER NOT NULL, changed INTEGER NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE message (number INTEGER PRIMARY KEY, accepted INTEGER NOT NULL, size INTEGER NOT NULL,"
	" recipients INTEGER NOT NULL, live INTEGER NOT NULL, dsn INTEGER NOT NULL, place BLOB NOT NULL,"
	" bodies BLOB NOT NULL, first INTEGER NOT NULL) STRICT;"
	"CREATE TABLE leg (message INTEGER NOT NULL, slot INTEGER NOT NULL, fate INTEGER NOT NULL, target INTEGER NOT NULL,"
	" due INTEGER NOT NULL, since INTEGER NOT NULL, born INTEGER NOT NULL, attempts INTEGER NOT NULL,"
	" attempt INTEGER NOT NULL, code INTEGER NOT NULL, flags INTEGER NOT NULL, cause TEXT NOT NULL, key BLOB NOT NULL,"
	" PRIMARY KEY (message, slot)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX leg_by_due ON leg (target, due) WHERE fate = 1;"
	"CREATE INDEX leg_by_fate ON leg (fate) WHERE fate != 1;"
	"CREATE TABLE event (message INTEGER NOT NULL, sequence INTEGER NOT NULL, places BLOB NOT NULL,"
	" PRIMARY KEY (message, sequence)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE name (hash INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY (hash, message))"
	" STRICT, WITHOUT ROWID;";

#define ROW                                                                                                            \
	"SELECT l.message, l.slot, l.fate, l.target, l.due, l.since, l.born, l.attempts, l.attempt, l.code, l.flags,"  \
	" l.cause, l.key, m.accepted, m.size, m.recipients, m.live, m.dsn, m.place, m.bodies FROM leg l"               \
	" JOIN message m ON m.number = l.message "

static const char *const texts[INDEX_STATEMENTS] = {
	[INDEX_BEGIN] = "BEGIN IMMEDIATE",
	[INDEX_COMMIT] = "COMMIT",
	[INDEX_ROLLBACK] = "ROLLBACK",
	[INDEX_STATE] = "SELECT journal, names, position, last_number, last_attempt, messages, legs, delivered, returned,"
			" epoch, routed, kept FROM state",
	[INDEX_SET_STATE] = "UPDATE state SET journal = ?1, position = ?2, last_number = ?3, last_attempt = ?4, messages = ?5,"
			    " legs = ?6, delivered = ?7, returned = ?8, epoch = ?9, routed = ?10,"
			    " kept = ?11",
	[INDEX_CLEAR_ROUTES] = "DELETE FROM route",
	[INDEX_PUT_ROUTE] = "INSERT OR REPLACE INTO route VALUES (?1, ?2, ?3, ?4)",
	[INDEX_DROP_ROUTE] = "DELETE FROM route WHERE key = ?1",
	[INDEX_ROUTES] = "SELECT key, target, route, changed FROM route",
	[INDEX_PUT_MESSAGE] = "INSERT OR REPLACE INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[INDEX_DROP_MESSAGE] = "DELETE FROM message WHERE number = ?1",
	[INDEX_PUT_LEG] = "INSERT OR REPLACE INTO leg VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
	[INDEX_DROP_LEG] = "DELETE FROM leg WHERE message = ?1 AND slot = ?2",
	[INDEX_PUT_EVENTS] = "INSERT OR REPLACE INTO event VALUES (?1, ?2, ?3)",
	[INDEX_PUT_NAME] = "INSERT OR IGNORE INTO name VALUES (?1, ?2)",
	[INDEX_COUNTS] = "SELECT target, fate, cause, count(*) FROM leg GROUP BY target, fate, cause",
	[INDEX_READ_MESSAGE] = ROW "WHERE l.message = ?1 ORDER BY l.slot",
	[INDEX_READ_DUE] = ROW "WHERE l.fate = 1 AND l.target = ?1 AND (l.due, l.message, l.slot) > (?2, ?3, ?4) AND l.due <= ?5"
			   " ORDER BY l.due, l.message, l.slot LIMIT ?6",
	[INDEX_NEXT_DUE] = "SELECT due FROM leg WHERE fate = 1 AND target = ?1 AND (due, message, slot) > (?2, ?3, ?4)"
			   " ORDER BY due, message, slot LIMIT 1",
	[INDEX_READ_FATE] = ROW "WHERE l.fate = ?1 AND l.fate != 1 ORDER BY l.message, l.slot LIMIT ?2",
	[INDEX_OLDEST] = "SELECT accepted FROM message ORDER BY number LIMIT 1",
	[INDEX_LIST] = ROW "WHERE (l.message, l.slot) > (?1, ?2) AND l.message >= ?3 AND l.message <= ?9 AND (?4 = 0 OR ?4 >> l.fate & 1)"
			   " AND (?5 < 0 OR l.target = ?5) AND (?6 = '' OR l.cause = ?6)"
			   " AND (?7 = x'' OR l.key = ?7 OR (substr(?7, 1, 1) = x'40' AND substr(l.key, -length(?7)) = ?7))"
			   " ORDER BY l.message, l.slot LIMIT ?8",
	[INDEX_FIND] = "SELECT message FROM name WHERE hash = ?1 AND message < ?2 ORDER BY message DESC LIMIT ?3",
	[INDEX_COUNT] = "SELECT count(*) FROM (SELECT 1 FROM name WHERE hash = ?1 AND message < ?2 LIMIT ?3)",
	[INDEX_EVENTS] = "SELECT places FROM event WHERE message = ?1 ORDER BY sequence",
	[INDEX_IS_LIVE] = "SELECT 1 FROM message WHERE number = ?1",
	[INDEX_FIRST] = "SELECT min(first) FROM message",
	[INDEX_DROP_EVENTS] = "DELETE FROM event WHERE message = ?1",
	[INDEX_DROP_NAME] = "DELETE FROM name WHERE hash = ?1 AND message = ?2",
};

/* --- faults and statements --------------------------------------------------------------------- */

int index_damaged(struct index *index, const char *what, struct fault *fault)
{
	return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NOW, "the index %s is damaged (%.120s)", index->path, what);
}

int index_fault(struct index *index, struct fault *fault)
{
	switch (sqlite3_errcode(index->sqlite)) {
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* SQL of ours that its schema does not know */
	case SQLITE_CORRUPT:
	case SQLITE_FORMAT:
	case SQLITE_TOOBIG:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return index_damaged(index, sqlite3_errmsg(index->sqlite), fault);
	default:
		return fault_local(fault, "the index %s: %s", index->path, sqlite3_errmsg(index->sqlite));
	}
}

sqlite3_stmt *index_statement(struct index *index, enum index_sql sql)
{
	sqlite3_stmt **statement = &index->statements[sql];

	if (*statement) {
		sqlite3_reset(*statement);
		sqlite3_clear_bindings(*statement);
		return *statement;
	}
	if (sqlite3_prepare_v3(index->sqlite, texts[sql], -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) != SQLITE_OK)
		return NULL;
	return *statement;
}

int index_step(struct index *index, sqlite3_stmt *statement, struct fault *fault)
{
	int r = statement ? sqlite3_step(statement) : SQLITE_ERROR;

	if (r == SQLITE_ROW)
		return 1;
	if (r != SQLITE_DONE)
		index_fault(index, fault);
	sqlite3_reset(statement);
	return r == SQLITE_DONE ? 0 : -1;
}

static int execute(struct index *index, const char *sql, struct fault *fault)
{
	return sqlite3_exec(index->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : index_fault(index, fault);
}

/* --- opening ----------------------------------------------------------------------------------- */

static void shut(struct index *index)
{
	for (size_t i = 0; i < INDEX_STATEMENTS; i++) {
		sqlite3_finalize(index->statements[i]);
		index->statements[i] = NULL;
	}
	sqlite3_close(index->sqlite);
	index->sqlite = NULL;
}

static void restrict_schema(sqlite3 *sqlite)
{
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(sqlite, SQLITE_LIMIT_ATTACHED, 0);
}

static int number_of(struct index *index, const char *sql, int64_t *ret, struct fault *fault)
{
	sqlite3_stmt *statement;
	int r;

	if (sqlite3_prepare_v2(index->sqlite, sql, -1, &statement, NULL) != SQLITE_OK)
		return index_fault(index, fault);
	r = sqlite3_step(statement);
	*ret = r == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
	if (r != SQLITE_ROW)
		index_fault(index, fault);
	sqlite3_finalize(statement);
	return r == SQLITE_ROW ? 0 : -1;
}

/* SQLite would make it readable for others. */
static int connect_file(struct index *index, struct fault *fault)
{
	_cleanup_(os_file_closep) struct os_file *file = NULL;

	if (os_make_folder_of(index->path, fault) < 0 || os_file_append(index->path, &file, fault) < 0)
		return -1;
	if (sqlite3_open_v2(index->path, &index->sqlite, SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		return index_fault(index, fault);
	restrict_schema(index->sqlite);
	return execute(index, settings, fault);
}

static uint64_t column(sqlite3_stmt *s, int i)
{
	return (uint64_t)sqlite3_column_int64(s, i);
}

static int read_kept(struct index *index, struct bytes blob, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct journal_dropped dropped;

	if (fields_decode(journal_table(JOURNAL_DROPPED), blob, &arena, &dropped, fault) < 0)
		return index_damaged(index, "what of the journal was given back is not told", fault);
	index->kept = (struct index_kept){ .looked_to = dropped.looked_to, .removed_to = dropped.segments_to,
					   .routes_from = dropped.routes_from };
	if (dropped.n_base)
		index->kept.base = dropped.base[0];
	return 0;
}

static int read_state(struct index *index, struct fault *fault)
{
	sqlite3_stmt *s = index_statement(index, INDEX_STATE);
	int r = index_step(index, s, fault);
	const char *journal;

	if (r < 0)
		return -1;
	if (r == 0)
		return index_damaged(index, "it has no state", fault);
	journal = (const char *)sqlite3_column_text(s, 0);
	snprintf(index->journal, sizeof(index->journal), "%s", journal ? journal : "");
	index->names = column(s, 1);
	index->totals = (struct book_totals){ .position = column(s, 2), .last_number = column(s, 3),
					      .last_attempt = column(s, 4) };
	index->totals.tallies = (struct journal_tallies){ .messages = column(s, 5), .legs = column(s, 6),
							  .delivered = column(s, 7), .returned = column(s, 8) };
	index->epoch = column(s, 9);
	index->routed = column(s, 10);
	r = read_kept(index, (struct bytes){ sqlite3_column_blob(s, 11), (size_t)sqlite3_column_bytes(s, 11) }, fault);
	sqlite3_reset(s);
	return r;
}

/* 0: an index of ours that can be used as it is. 1: an empty file. */
static int use_file(struct index *index, struct fault *fault)
{
	int64_t application = 0, version = 0, tables = 0;

	if (number_of(index, "PRAGMA application_id", &application, fault) < 0 ||
	    number_of(index, "PRAGMA user_version", &version, fault) < 0 ||
	    number_of(index, "SELECT count(*) FROM sqlite_schema", &tables, fault) < 0)
		return -1;
	if (application == 0 && version == 0 && tables == 0)
		return 1;
	if (application != APPLICATION || version != VERSION)
		return index_damaged(index, "it is of another kind", fault);
	return read_state(index, fault);
}

static int make_schema(struct index *index, uint64_t names, struct fault *fault)
{
	_cleanup_(buf_done) struct buf sql = BUF_NULL;

	buf_append_str(&sql, schema);
	buf_appendf(&sql, "PRAGMA application_id = %d; PRAGMA user_version = %d;", APPLICATION, VERSION);
	buf_appendf(&sql, "INSERT INTO state VALUES (1, '', %lld, 0, 0, 0, 0, 0, 0, 0, 0, 0, x''); COMMIT;",
		    (long long)names);
	if (execute(index, buf_str(&sql), fault) < 0)
		return -1;
	return read_state(index, fault);
}

static int remove_files(const char *path, struct fault *fault)
{
	static const char *const ends[] = { "-wal", "-shm", "-journal", "" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		_cleanup_(buf_done) struct buf name = BUF_NULL;

		buf_appendf(&name, "%s%s", path, ends[i]);
		if (os_remove_durably(buf_str(&name), fault) < 0)
			return -1;
	}
	return 0;
}

int index_clear(struct index *index, struct fault *fault)
{
	uint64_t names = index->names & INT64_MAX;

	shut(index);
	if (remove_files(index->path, fault) < 0 || connect_file(index, fault) < 0)
		return -1;
	return make_schema(index, names, fault);
}

int index_open(const char *path, uint64_t names, struct index **ret, char ret_said[160], struct fault *fault)
{
	_cleanup_(index_closep) struct index *index = xzalloc(sizeof(*index));
	int r;

	index->path = xstrdup(path);
	index->names = names;
	ret_said[0] = '\0';
	r = connect_file(index, fault) < 0 ? -1 : use_file(index, fault);
	if (r < 0 && fault->kind != FAULT_DATA)
		return -1;
	if (r < 0)
		snprintf(ret_said, 160, "%.159s", fault->text);
	if (r != 0 && index_clear(index, fault) < 0)
		return -1;
	*ret = TAKE_PTR(index);
	return 0;
}

struct index *index_close(struct index *index)
{
	if (!index)
		return NULL;
	shut(index);
	free(index->path);
	free(index);
	return NULL;
}

const char *index_journal(const struct index *index)
{
	return index->journal;
}

uint64_t index_names(const struct index *index)
{
	return index->names;
}

uint64_t index_epoch(const struct index *index)
{
	return index->epoch;
}

uint64_t index_routed(const struct index *index)
{
	return index->routed;
}

const struct index_kept *index_kept(const struct index *index)
{
	return &index->kept;
}

uint64_t index_position(const struct index *index)
{
	return index->totals.position;
}
