/* SPDX-License-Identifier: Apache-2.0 */
/* The schema in steps, see schema.h. */
#include "state/schema.h"

#include <openssl/evp.h>
#include <string.h>

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

/* Of schema_steps; test-schema says what it must be when a step was added. */
const unsigned char schema_digest_of_all[32] = {
	0xb6, 0x68, 0x4a, 0xde, 0x3b, 0x42, 0xe9, 0x78, 0x5e, 0x4e, 0x42, 0x9d, 0xbe, 0x49, 0xd8, 0xba,
	0xf7, 0x5b, 0x7c, 0x83, 0xf0, 0x0f, 0x44, 0xe5, 0xf4, 0x81, 0x03, 0x83, 0x5c, 0xcb, 0xc2, 0xa0,
};

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

static void hash(struct bytes text, unsigned char to[32])
{
	if (EVP_Digest(text.p, text.n, to, NULL, EVP_sha256(), NULL) != 1)
		abort(); /* out of memory, as in xmalloc() */
}

int schema_digest(const struct schema_step *steps, size_t n, unsigned char to[32], struct fault *fault)
{
	_cleanup_(buf_done) struct buf should = BUF_NULL;

	if (describe_steps(steps, n, &should) < 0)
		return fault_local(fault,
				   "the schema of ledgers cannot be made in memory: SQLite %s",
				   sqlite3_libversion());
	hash(buf_bytes(&should), to);
	return 0;
}

int schema_verify(struct db *db, const struct schema_step *steps, size_t n, struct fault *fault)
{
	_cleanup_(buf_done) struct buf is = BUF_NULL;
	unsigned char is_hash[32], should_hash[32];

	if (describe(db->sqlite, &is) < 0)
		return db_fault(db, fault);
	hash(buf_bytes(&is), is_hash);
	/* To make the schema anew for each of a thousand ledgers would take longer than all the rest of opening them. */
	if (steps == schema_steps && n == schema_n_steps &&
	    memcmp(is_hash, schema_digest_of_all, sizeof(is_hash)) == 0)
		return 0;

	if (schema_digest(steps, n, should_hash, fault) < 0)
		return -1;
	if (memcmp(is_hash, should_hash, sizeof(is_hash)) != 0)
		return db_damaged(db, "its tables are not those of a ledger", fault);
	return 0;
}
