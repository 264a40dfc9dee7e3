/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's sets of flags: words.h in memory, a table in the file. */
#include "state/inside.h"

uint32_t ledger_flags_id(struct ledger *ledger, const char *flags)
{
	bool new;
	uint32_t id = words_id(&ledger->words, flags, &new);
	struct batch *batch;

	if (!new || ledger->db.read_only) /* a dry run may ask, and forgets */
		return id;

	batch = ledger_queue(ledger);
	if (batch)
		ledger_queue_op(ledger, batch, (struct op){ .kind = OP_FLAGS, .a = id,
							    .p = words_text(&ledger->words, id) });
	return id;
}

const char *ledger_flags(const struct ledger *ledger, uint32_t id)
{
	return words_text(&ledger->words, id);
}

int ledger_read_words(struct ledger *ledger, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct db *db = &ledger->db;
	sqlite3_stmt *s = db_statement(db, SQL_FLAGS);
	int r;

	while ((r = db_step(db, s, fault)) > 0) {
		struct row row = { s };
		uint64_t id = row_number(&row, UINT32_MAX);
		const char *text = row_string(&row, WORDS_MAX, &arena);
		bool new;

		if (row.bad || words_id(&ledger->words, text, &new) != id || !new)
			return db_damaged(db, "its sets of flags are not in order", fault);
		arena_reset(&arena);
	}
	return r;
}
