/* SPDX-License-Identifier: Apache-2.0 */
/* The schema in steps, see schema.h. */
#include "state/schema.h"

#include "base/buf.h"
#include "os/step.h"

int schema_look(struct db *db, int64_t *ret_version, struct fault *fault)
{
	int64_t application, objects;

	if (db_number(db, "PRAGMA application_id", &application, fault) < 0 ||
	    db_number(db, "PRAGMA user_version", ret_version, fault) < 0 ||
	    db_number(db, "SELECT count(*) FROM sqlite_schema", &objects, fault) < 0)
		return -1;

	if (application == 0 && *ret_version == 0 && objects == 0)
		return 1;
	if (application == SCHEMA_APPLICATION && *ret_version > 0)
		return 0;
	return fault_set(fault, FAULT_DATA, REACH_MAILBOX, AGAIN_NEVER,
			 "%s is a database, but no ledger of mailferry: move it away, or name "
			 "another folder with --state", db_words(db));
}

static int run_step(struct db *db, const struct schema_step *step, size_t version,
		    int (*first)(struct db *db, void *arg, struct fault *fault), void *arg,
		    struct fault *fault)
{
	char set[60];

	snprintf(set, sizeof(set), "PRAGMA user_version = %zu", version);
	if (db_exec(db, "BEGIN IMMEDIATE", fault) < 0)
		return -1;
	if (db_exec(db, step->sql, fault) < 0 || (first && first(db, arg, fault) < 0) ||
	    db_exec(db, set, fault) < 0 || db_exec(db, "COMMIT", fault) < 0) {
		sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
		return -1;
	}
	return 0;
}

int schema_migrate(struct db *db, int64_t from, const struct schema_step *steps, size_t n,
		   int (*first)(struct db *db, void *arg, struct fault *fault), void *arg,
		   struct fault *fault)
{
	for (size_t i = (size_t)from; i < n; i++) {
		step_point("ledger-migrate");
		if (run_step(db, &steps[i], i + 1, i == 0 ? first : NULL, arg, fault) < 0)
			return fault_prefix(fault, "schema %s", steps[i].name);
		step_point("ledger-migrated");
	}
	return 0;
}

/* --- verifying ------------------------------------------------------------------------------- */

static int describe(sqlite3 *sqlite, struct buf *to)
{
	static const char query[] =
		"SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema "
		"WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\' ORDER BY type, name";
	sqlite3_stmt *statement;
	int r;

	if (sqlite3_prepare_v2(sqlite, query, -1, &statement, NULL) != SQLITE_OK)
		return -1;

	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		for (int i = 0; i < 4; i++) {
			const unsigned char *p = sqlite3_column_text(statement, i);

			buf_append_str(to, p ? (const char *)p : "");
			buf_append_char(to, '\0');
		}
	}
	sqlite3_finalize(statement);
	return r == SQLITE_DONE ? 0 : -1;
}

static void closep(sqlite3 **sqlite)
{
	sqlite3_close(*sqlite);
}

/* What the steps make, in a database in memory. */
static int describe_steps(const struct schema_step *steps, size_t n, struct buf *to)
{
	_cleanup_(closep) sqlite3 *sqlite = NULL;

	if (sqlite3_open_v2(":memory:", &sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (sqlite3_exec(sqlite, steps[i].sql, NULL, NULL, NULL) != SQLITE_OK)
			return -1;
	}
	return describe(sqlite, to);
}

int schema_verify(struct db *db, const struct schema_step *steps, size_t n, struct fault *fault)
{
	_cleanup_(buf_done) struct buf is = BUF_NULL, should = BUF_NULL;

	if (describe_steps(steps, n, &should) < 0)
		return fault_local(fault,
				   "the schema of ledgers cannot be made in memory: SQLite %s",
				   sqlite3_libversion());
	if (describe(db->sqlite, &is) < 0)
		return db_fault(db, fault);
	if (!bytes_equal(buf_bytes(&is), buf_bytes(&should)))
		return db_damaged(db, "its tables are not those of a ledger", fault);
	return 0;
}
