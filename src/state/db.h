/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of SQLite to one ledger's file: opened with the settings of
 * docs/design/ledger.md, its statements, its faults. Everything blocks; one call at a time,
 * from any thread. */
#ifndef STATE_DB_H
#define STATE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/arena.h"
#include "base/fault.h"
#include "state/disk.h"
#include "state/sql.h"

struct db {
	sqlite3 *sqlite;
	struct disk *disk;
	char *path;
	bool read_only;
	bool not_durable; /* commits are not synced at the moment */
	bool marked; /* the file says that it is in use */
	sqlite3_stmt *statements[SQL_COUNT_];
};

/* Embedded; db_done() whatever it returned. Without read_only an empty file is begun, mode 0600. */
int db_open(struct db *db, const char *path, bool read_only, struct fault *fault);
void db_done(struct db *db);

/* Whether closing it may move the WAL into the file: at first not, since it may be damaged, or
 * no ledger. */
void db_trust(struct db *db, bool trust);

/* Makes the file keep a WAL (or checks that it does); before anything is written to it. */
int db_use_wal(struct db *db, struct fault *fault);

/* Runs SQL that gives no rows we want. */
int db_exec(struct db *db, const char *sql, struct fault *fault);

/* The first number that SQL gives; 0 when it gives none. */
int db_number(struct db *db, const char *sql, int64_t *ret, struct fault *fault);

/* The statement, reset and with nothing bound. NULL when SQLite does not take it: db_fault(). */
sqlite3_stmt *db_statement(struct db *db, enum sql sql);

/* 1: there is a row. 0: there is none, and the statement is reset. */
int db_step(struct db *db, sqlite3_stmt *statement, struct fault *fault);

/* What SQLite says about its last call, in our words. Returns -1. */
int db_fault(struct db *db, struct fault *fault);

/* The file holds what we never wrote. `what` is a short sentence. Returns -1. */
int db_damaged(struct db *db, const char *what, struct fault *fault);

/* Text from a file, fit for a message: what is not printable ASCII becomes '?'. */
void db_printable(char *text);

/* The path for messages: its last 160 bytes when it is long. */
const char *db_words(const struct db *db);

/* --- rows ------------------------------------------------------------------------------------
 * A row at hand; whatever does not fit sets `bad` and reads as 0 or "". Anybody may have written
 * the file. */

struct row {
	sqlite3_stmt *statement;
	int column; /* the next one */
	bool bad;
};

uint64_t row_number(struct row *row, uint64_t max);
int64_t row_signed(struct row *row, int64_t min, int64_t max);
int64_t row_date(struct row *row); /* INT64_MIN for NULL */

/* Zeroes when it is not wanted. */
void row_digest(struct row *row, bool wanted, unsigned char *to, size_t n);

struct bytes row_text(struct row *row, size_t max, struct arena *arena);
const char *row_string(struct row *row, size_t max, struct arena *arena); /* refuses NUL */

#endif
