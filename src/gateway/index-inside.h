/* SPDX-License-Identifier: Apache-2.0 */
/* What index*.c share. */
#ifndef GATEWAY_INDEX_INSIDE_H
#define GATEWAY_INDEX_INSIDE_H

#include <sqlite3.h>

#include "gateway/index.h"

enum index_sql {
	INDEX_BEGIN,
	INDEX_COMMIT,
	INDEX_ROLLBACK,
	INDEX_STATE,
	INDEX_SET_STATE,
	INDEX_CLEAR_ROUTES,
	INDEX_PUT_ROUTE,
	INDEX_DROP_ROUTE,
	INDEX_ROUTES,
	INDEX_PUT_MESSAGE,
	INDEX_DROP_MESSAGE,
	INDEX_PUT_LEG,
	INDEX_DROP_LEG,
	INDEX_PUT_EVENTS,
	INDEX_PUT_NAME,
	INDEX_COUNTS,
	INDEX_READ_MESSAGE,
	INDEX_READ_DUE,
	INDEX_NEXT_DUE,
	INDEX_READ_FATE,
	INDEX_OLDEST,
	INDEX_LIST,
	INDEX_FIND,
	INDEX_COUNT,
	INDEX_EVENTS,
	INDEX_IS_LIVE,
	INDEX_FIRST,
	INDEX_DROP_EVENTS,
	INDEX_DROP_NAME,
	INDEX_STATEMENTS,
};

struct index {
	char *path;
	sqlite3 *sqlite;
	sqlite3_stmt *statements[INDEX_STATEMENTS];
	struct book_totals totals;
	uint64_t names, epoch, routed;
	struct index_kept kept;
	char journal[JOURNAL_ID_LEN + 1];
};

/* The statement, reset and with nothing bound; NULL: SQLite does not take it, index_fault(). */
sqlite3_stmt *index_statement(struct index *index, enum index_sql sql);

/* 1: a row. 0: none, and it is reset. -1. NULL is -1, too. */
int index_step(struct index *index, sqlite3_stmt *statement, struct fault *fault);

/* What SQLite said of its last call: FAULT_DATA when the file is damaged, FAULT_LOCAL otherwise. Returns -1. */
int index_fault(struct index *index, struct fault *fault);
int index_damaged(struct index *index, const char *what, struct fault *fault);

/* Places as bytes. Reading: in the arena; -1: no such list. */
void index_pack(struct buf *to, const struct book_place *places, size_t n);
int index_unpack(struct bytes from, struct arena *arena, struct book_place **ret, size_t *ret_n);

enum { INDEX_INTENT = 1, INDEX_FLAGGED = 2, INDEX_HAS_COPY = 4 }; /* leg.flags */

#endif
