/* SPDX-License-Identifier: Apache-2.0 */
/* Every statement that is kept prepared. Indexes are named: without statistics SQLite would
 * guess. Numbers of states and bits are those of ledger.h. */
#include "state/sql.h"

#define KEY "WHERE folder = ?1 AND uid = ?2"
#define BARE "folder, uid, copy_uid, state, cause, has, flags, copy_flags, size, copy_size, "       \
	     "date, zone, digest, copy_digest, header"
#define WHOLE BARE ", message_id, detail"
#define SEEN(side)                                                                                 \
	side "_seen_uidvalidity, " side "_seen_uidnext, " side "_seen_messages, " side "_seen_modseq"
#define FOLDER                                                                                     \
	"current, source_name, destination_name, source_object, source_uidvalidity, "               \
	"destination_uidvalidity, complete, " SEEN("source") ", " SEEN("destination") ", since, before"
#define TALLY "copied, bytes, excepted, gone, removed"
#define PASS                                                                                       \
	"began, ended, kind, copied, bytes, flags_changed, moved, deleted, excepted, exit_status, error"
#define REMOVAL "folder, uid, copy_uid, uidvalidity, was_deleted, stage, new_folder, new_uid"
#define ACCEPTED "cause, folder, uid, reason, who, at"
#define BY_STATE "SELECT " WHOLE " FROM message INDEXED BY message_state WHERE state <> 1 "
#define BY_CAUSE "SELECT " WHOLE " FROM message INDEXED BY message_cause WHERE cause <> 0 "

static const char *const texts[SQL_COUNT_] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_MARK_USED] = "UPDATE state SET in_order = 0",
	[SQL_MARK_IN_ORDER] = "UPDATE state SET in_order = 1",
	[SQL_SET_CHECKED] = "UPDATE state SET checked = ?1",
	[SQL_STATE] = "SELECT source, destination, checked, in_order FROM state WHERE one = 1",
	[SQL_BEGIN_STATE] =
		"INSERT INTO state (one, source, destination, began, checked, in_order) "
		"VALUES (1, ?1, ?2, ?3, ?3, 0)",

	[SQL_PUT_FLAGS] = "INSERT INTO flags (id, text) VALUES (?1, ?2)",
	[SQL_FLAGS] = "SELECT id, text FROM flags ORDER BY id",
	[SQL_PUT_FACT] = "INSERT OR REPLACE INTO fact (name, value) VALUES (?1, ?2)",
	[SQL_DROP_FACT] = "DELETE FROM fact WHERE name = ?1",
	[SQL_FACTS] = "SELECT name, value FROM fact",

	[SQL_ADD_FOLDER] =
		"INSERT INTO folder (id, " FOLDER ", mark, " TALLY ") VALUES (?1, ?2, ?3, ?4, ?5, "
		"?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, 0, 0, 0, 0, 0)",
	[SQL_PUT_FOLDER] =
		"UPDATE folder SET (" FOLDER ") = (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
		"?13, ?14, ?15, ?16, ?17, ?18) WHERE id = ?1",
	[SQL_SET_MARK] = "UPDATE folder SET mark = ?2 WHERE id = ?1",
	[SQL_SET_TALLY] = "UPDATE folder SET (" TALLY ") = (?2, ?3, ?4, ?5, ?6) WHERE id = ?1",
	[SQL_DROP_NOTED] = "DELETE FROM noted WHERE folder = ?1",
	[SQL_PUT_NOTED] = "INSERT INTO noted (folder, cause, messages) VALUES (?1, ?2, ?3)",
	[SQL_FOLDERS] = "SELECT id, " FOLDER ", mark, " TALLY " FROM folder ORDER BY current DESC, id",
	[SQL_NOTED] = "SELECT cause, messages FROM noted WHERE folder = ?1",
	[SQL_COUNT_FOLDER] = /* but those MIRRORED */
		"SELECT state, cause, size FROM message WHERE folder = ?1 AND has & 16 = 0",

	[SQL_PUT_MESSAGE] =
		"INSERT OR REPLACE INTO message (" WHOLE ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
		"?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
	[SQL_SET_FLAGS] = "UPDATE message SET flags = ?3, copy_flags = ?4 " KEY,
	[SQL_SET_STATE] = "UPDATE message SET state = ?3, has = has | ?4 " KEY,
	[SQL_SET_COPY_UID] = "UPDATE message SET copy_uid = ?3 " KEY,
	[SQL_SET_CAUSE] =
		"UPDATE message SET cause = ?3, detail = ?4 " KEY
		" AND state = 1 AND (cause = 0 OR cause >= ?3)",
	[SQL_SET_COPY_DIGEST] =
		"UPDATE message SET copy_size = ?3, copy_digest = ?4, has = has | 2 " KEY
		" AND state = 1",
	[SQL_SET_DIGEST] = "UPDATE message SET size = ?3, digest = ?4, has = has | 1 " KEY,
	[SQL_FORGET_MESSAGE] = "DELETE FROM message " KEY,
	[SQL_MOVE_MESSAGE] =
		"UPDATE OR REPLACE message SET folder = ?3, uid = ?4, copy_uid = ?5 " KEY,
	[SQL_FORGET_COPY_UIDS] =
		/* What was sent twice (LEDGER_AGAIN) was sent to the folder of before. */
		"UPDATE message SET copy_uid = 0, has = has & ~64 WHERE folder = ?1 AND copy_uid <> 0",

	[SQL_LOAD_MESSAGES] =
		"SELECT " WHOLE " FROM message WHERE folder = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid",
	[SQL_LOAD_BARE] =
		"SELECT " BARE " FROM message WHERE folder = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid",
	[SQL_LOAD_NEXT] =
		"SELECT " WHOLE " FROM message WHERE folder = ?1 AND uid > ?2 ORDER BY uid LIMIT ?3",
	[SQL_LOAD_STATE] =
		BY_STATE "AND state = ?1 AND has & ?2 = 0 ORDER BY folder, uid LIMIT ?3",
	[SQL_LOAD_STATE_OF] =
		BY_STATE "AND state = ?1 AND has & ?2 = 0 AND folder = ?4 ORDER BY uid LIMIT ?3",
	[SQL_LOAD_COPIED] =
		"SELECT " WHOLE " FROM message WHERE state = 1 ORDER BY folder, uid LIMIT ?3",
	[SQL_LOAD_COPIED_OF] =
		"SELECT " WHOLE " FROM message WHERE state = 1 AND folder = ?4 ORDER BY uid LIMIT ?3",
	[SQL_LOAD_CAUSES] = BY_CAUSE "ORDER BY folder, uid LIMIT ?1",
	[SQL_LOAD_CAUSES_OF] = BY_CAUSE "AND folder = ?2 ORDER BY uid LIMIT ?1",
	[SQL_FIND_MESSAGE_ID] =
		"SELECT " WHOLE " FROM message WHERE message_id <> '' "
		"AND lower(trim(message_id, '<> ')) = ?1 ORDER BY folder, uid LIMIT ?2",
	[SQL_LOAD_COPY_UIDS] =
		"SELECT copy_uid FROM message INDEXED BY message_copy WHERE folder = ?1 "
		"AND copy_uid <> 0 AND copy_uid >= ?2 ORDER BY copy_uid",

	[SQL_PUT_REMOVAL] =
		"INSERT OR REPLACE INTO removal (" REMOVAL ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[SQL_DROP_REMOVAL] = "DELETE FROM removal " KEY,
	[SQL_REMOVALS] = "SELECT " REMOVAL " FROM removal ORDER BY folder, uid",

	[SQL_BEGIN_PASS] =
		"INSERT INTO pass (number, " PASS ") VALUES (?1, ?2, 0, ?3, 0, 0, 0, 0, 0, 0, 0, '')",
	[SQL_DROP_PASSES] = "DELETE FROM pass WHERE number <= ?1",
	[SQL_END_PASS] =
		"UPDATE pass SET (" PASS ") = (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) "
		"WHERE number = ?1",
	[SQL_PASSES] = "SELECT " PASS " FROM pass ORDER BY number DESC LIMIT ?1",
	[SQL_ACCEPT] = "INSERT INTO accepted (" ACCEPTED ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[SQL_ACCEPTED] = "SELECT " ACCEPTED " FROM accepted ORDER BY number",
};

const char *sql_text(enum sql sql)
{
	return texts[sql];
}
