/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the messages of a ledger. What a row holds is checked: anybody may have written the
 * file. */
#include "base/xalloc.h"
#include "state/inside.h"

void ledger_messages_done(struct ledger_messages *messages)
{
	free(messages->p);
	arena_done(&messages->arena);
	*messages = (struct ledger_messages){ 0 };
}

/* --- on the pool ----------------------------------------------------------------------------- */

struct load_job {
	enum sql sql;
	int64_t numbers[4]; /* ?1 … */
	size_t n_numbers;
	const char *text;   /* ?1, then there is no numbers[0] */
	bool bare;
	struct ledger_messages *to;
	size_t capacity;
};

enum { HAS_ALL = LEDGER_HAS_DIGEST | LEDGER_HAS_COPY_DIGEST | LEDGER_HAS_HEADER | LEDGER_ADOPTED |
		 LEDGER_MIRRORED | LEDGER_VERIFIED | LEDGER_AGAIN };

static void read_message(struct row *row, struct ledger_message *m, const struct load_job *job)
{
	m->folder = (uint32_t)row_number(row, UINT32_MAX);
	m->uid = (uint32_t)row_number(row, UINT32_MAX);
	m->copy_uid = (uint32_t)row_number(row, UINT32_MAX);
	m->state = (uint8_t)row_number(row, LEDGER_SENDING);
	m->cause = (uint8_t)row_number(row, LEDGER_CAUSES - 1);
	m->has = (uint16_t)row_number(row, HAS_ALL);
	m->flags = (uint32_t)row_number(row, UINT32_MAX);
	m->copy_flags = (uint32_t)row_number(row, UINT32_MAX);
	m->size = row_number(row, INT64_MAX);
	m->copy_size = row_number(row, INT64_MAX);
	m->date = row_date(row);
	m->zone_minutes = (int16_t)row_signed(row, INT16_MIN, INT16_MAX);
	row_digest(row, m->has & LEDGER_HAS_DIGEST, m->digest, sizeof(m->digest));
	row_digest(row, m->has & LEDGER_HAS_COPY_DIGEST, m->copy_digest, sizeof(m->copy_digest));
	row_digest(row, m->has & LEDGER_HAS_HEADER, m->header, sizeof(m->header));
	row->bad |= m->folder == 0 || m->uid == 0 || m->state == 0;

	m->message_id = job->bare ? NULL : row_string(row, MESSAGE_ID_MAX, &job->to->arena);
	m->detail = job->bare ? NULL : row_string(row, DETAIL_MAX, &job->to->arena);
}

static void bind(sqlite3_stmt *s, const struct load_job *job)
{
	if (job->text)
		sqlite3_bind_text(s, 1, job->text, -1, SQLITE_STATIC);
	for (size_t i = job->text ? 1 : 0; i < job->n_numbers; i++)
		sqlite3_bind_int64(s, (int)i + 1, job->numbers[i]);
}

static int load(struct db *db, void *arg, struct fault *fault)
{
	struct load_job *job = arg;
	struct ledger_messages *to = job->to;
	sqlite3_stmt *s = db_statement(db, job->sql);
	int r;

	if (s)
		bind(s, job);
	while ((r = db_step(db, s, fault)) > 0) {
		struct row row = { s };

		to->p = xgrow(to->p, &job->capacity, to->n + 1, sizeof(*to->p));
		read_message(&row, &to->p[to->n], job);
		if (row.bad)
			return db_damaged(db, "a message in it is out of range", fault);
		to->n++;
	}
	return r;
}

/* --- by fibers ------------------------------------------------------------------------------- */

static int64_t limit(size_t most)
{
	return most > INT64_MAX ? INT64_MAX : (int64_t)most;
}

/* Here, not on the pool: other fibers may have found new sets meanwhile. */
static int check_flags(struct ledger *ledger, const struct ledger_messages *messages,
		       struct fault *fault)
{
	for (size_t i = 0; i < messages->n; i++) {
		const struct ledger_message *m = &messages->p[i];

		if (m->flags > ledger->words.n || m->copy_flags > ledger->words.n)
			return db_damaged(&ledger->db,
					  "a message in it has flags that it does not know", fault);
	}
	return 0;
}

static int run(struct ledger *ledger, struct load_job job, struct ledger_messages *ret,
	       struct fault *fault)
{
	*ret = (struct ledger_messages){ 0 };
	job.to = ret;
	if (ledger_run(ledger, "messages in the ledger", load, &job, fault) < 0)
		return -1;
	return check_flags(ledger, ret, fault);
}

int ledger_load_messages(struct ledger *ledger, uint32_t folder, uint32_t low, uint32_t high,
			 struct ledger_messages *ret, struct fault *fault)
{
	return run(ledger,
		   (struct load_job){ .sql = SQL_LOAD_MESSAGES,
				      .numbers = { folder, low, high },
				      .n_numbers = 3 },
		   ret, fault);
}

int ledger_load_bare(struct ledger *ledger, uint32_t folder, uint32_t low, uint32_t high,
		     struct ledger_messages *ret, struct fault *fault)
{
	return run(ledger,
		   (struct load_job){ .sql = SQL_LOAD_BARE,
				      .numbers = { folder, low, high },
				      .n_numbers = 3,
				      .bare = true },
		   ret, fault);
}

int ledger_load_next(struct ledger *ledger, uint32_t folder, uint32_t after, size_t most,
		     struct ledger_messages *ret, struct fault *fault)
{
	return run(ledger,
		   (struct load_job){ .sql = SQL_LOAD_NEXT,
				      .numbers = { folder, after, limit(most) },
				      .n_numbers = 3 },
		   ret, fault);
}

int ledger_load_state(struct ledger *ledger, uint32_t folder, enum ledger_state state, size_t most,
		      struct ledger_messages *ret, struct fault *fault)
{
	struct load_job job = {
		.sql = folder ? SQL_LOAD_STATE_OF : SQL_LOAD_STATE,
		.numbers = { state, state == LEDGER_GONE ? LEDGER_MIRRORED : 0, limit(most),
			     folder },
		.n_numbers = folder ? 4 : 3,
	};

	if (state == LEDGER_COPIED)
		job.sql = folder ? SQL_LOAD_COPIED_OF : SQL_LOAD_COPIED;
	return run(ledger, job, ret, fault);
}

int ledger_load_causes(struct ledger *ledger, uint32_t folder, size_t most,
		       struct ledger_messages *ret, struct fault *fault)
{
	return run(ledger, (struct load_job){ .sql = folder ? SQL_LOAD_CAUSES_OF : SQL_LOAD_CAUSES,
					      .numbers = { limit(most), folder },
					      .n_numbers = folder ? 2 : 1 }, ret, fault);
}

/* As the statement has it: without blanks and brackets around it, in lower case. */
static void fold(struct bytes id, struct buf *to)
{
	while (id.n > 0 && strchr("<> ", id.p[0]))
		id = bytes_skip(id, 1);
	while (id.n > 0 && strchr("<> ", id.p[id.n - 1]))
		id.n--;
	for (size_t i = 0; i < id.n; i++)
		buf_append_char(to, ascii_lower(id.p[i]));
}

int ledger_find_message_id(struct ledger *ledger, const char *message_id, size_t most,
			   struct ledger_messages *ret, struct fault *fault)
{
	_cleanup_(buf_done) struct buf folded = BUF_NULL;

	*ret = (struct ledger_messages){ 0 };
	fold(bytes_head(bytes_of(message_id), MESSAGE_ID_MAX), &folded);
	if (folded.n == 0)
		return 0;
	return run(ledger,
		   (struct load_job){ .sql = SQL_FIND_MESSAGE_ID,
				      .text = buf_str(&folded),
				      .numbers = { 0, limit(most) },
				      .n_numbers = 2 },
		   ret, fault);
}

/* --- UIDs at the destination ----------------------------------------------------------------- */

struct uids_job {
	uint32_t folder, low;
	uint32_t *p;
	size_t n;
};

static int load_uids(struct db *db, void *arg, struct fault *fault)
{
	struct uids_job *job = arg;
	sqlite3_stmt *s = db_statement(db, SQL_LOAD_COPY_UIDS);
	size_t capacity = 0;
	int r;

	if (s) {
		sqlite3_bind_int64(s, 1, job->folder);
		sqlite3_bind_int64(s, 2, job->low);
	}
	while ((r = db_step(db, s, fault)) > 0) {
		struct row row = { s };

		job->p = xgrow(job->p, &capacity, job->n + 1, sizeof(*job->p));
		job->p[job->n++] = (uint32_t)row_number(&row, UINT32_MAX);
		if (row.bad)
			return db_damaged(db, "a UID in it is out of range", fault);
	}
	return r;
}

int ledger_load_copy_uids(struct ledger *ledger, uint32_t folder, uint32_t low, uint32_t **ret,
			  size_t *ret_n, struct fault *fault)
{
	struct uids_job job = { .folder = folder, .low = low };

	if (ledger_run(ledger, "UIDs in the ledger", load_uids, &job, fault) < 0) {
		free(job.p);
		return -1;
	}
	*ret = job.p ? job.p : xmalloc(sizeof(*job.p));
	*ret_n = job.n;
	return 0;
}
