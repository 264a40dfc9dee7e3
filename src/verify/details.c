/* SPDX-License-Identifier: Apache-2.0 */
/* What the copies of a window are like, without their bytes: flags, date, size, header. Sizes are the servers' word (Q24)
 * and headers may be served otherwise than inside the message, so what differs there makes a message suspect, and
 * its bytes decide (content.c). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/books.h"
#include "imap/date.h"
#include "imap/write.h"
#include "verify/flags.h"
#include "verify/walk.h"

enum {
	BATCH = 512,  /* headers in one job */
	BATCHES = 16, /* jobs at once */
};

static bool has_cause(const struct ledger_message *row, enum copy_cause cause)
{
	return row->cause == cause + 1;
}

static bool is_altered(const struct ledger_message *row)
{
	return row->has & LEDGER_HAS_COPY_DIGEST || has_cause(row, CAUSE_ALTERED);
}

/* --- flags ----------------------------------------------------------------------------------- */

static int judge_flags(struct verify_walk *w, const struct ledger_message *row,
		       const struct imap_message *here, const struct imap_message *there,
		       struct fault *fault)
{
	static const enum verify_kind kinds[] = {
		[VERIFY_FLAGS_DIFFER] = VERIFY_FLAGS, [VERIFY_FLAGS_RECORDED] = VERIFY_FLAGS,
		[VERIFY_FLAGS_SOURCE_NEW] = VERIFY_FLAGS_NEW, [VERIFY_FLAGS_USER] = VERIFY_FLAGS_THERE,
	};
	bool excepted = has_cause(row, CAUSE_FLAGS_CUT) || has_cause(row, CAUSE_FLAGS_KEPT);
	enum verify_flags verdict =
		verify_flags_judge(here ? w->here_flags[here->flags] : NULL, w->there_flags[there->flags],
				   verify_known_flags(w, row->flags), verify_known_flags(w, row->copy_flags),
				   excepted);
	struct verify_finding f;
	char detail[500];

	if (verdict == VERIFY_FLAGS_SAME)
		return 0;

	f = verify_row_finding(w, row, kinds[verdict]);
	if (verdict == VERIFY_FLAGS_RECORDED)
		f.cause = books_cause_name((enum copy_cause)(row->cause - 1));
	snprintf(detail, sizeof(detail), "source \"%.200s\", destination \"%.200s\"",
		 here ? w->here.messages.flag_sets[here->flags]
		      : ledger_flags(w->verify->options.ledger, row->flags),
		 w->there.messages.flag_sets[there->flags]);
	f.detail = detail;
	return verify_tell(w->verify, &f, fault);
}

/* --- date ------------------------------------------------------------------------------------ */

static int judge_date(struct verify_walk *w, const struct ledger_message *row,
		      const struct imap_message *here, const struct imap_message *there,
		      struct fault *fault)
{
	bool told = here && here->date != IMAP_NO_DATE;
	int64_t date = told ? here->date : row->date;
	int zone = told ? here->zone_minutes : row->zone_minutes;
	struct verify_finding f;
	_cleanup_(buf_done) struct buf detail = BUF_NULL;

	if (date == IMAP_NO_DATE || there->date == date)
		return 0;

	f = verify_row_finding(w, row, VERIFY_DATE);
	if (has_cause(row, CAUSE_DATE_LOST))
		f.cause = books_cause_name(CAUSE_DATE_LOST);
	buf_append_str(&detail, "source ");
	imap_date_write(&detail, date, zone);
	buf_append_str(&detail, ", destination ");
	if (there->date == IMAP_NO_DATE)
		buf_append_str(&detail, "none");
	else
		imap_date_write(&detail, there->date, there->zone_minutes);
	f.detail = buf_str(&detail);
	return verify_tell(w->verify, &f, fault);
}

/* --- size, and what the ledger says ------------------------------------------------------------ */

static void judge_size(struct verify_walk *w, const struct ledger_message *row,
		       const struct imap_message *there)
{
	uint64_t size = row->has & LEDGER_HAS_COPY_DIGEST ? row->copy_size : row->size;

	if (has_cause(row, CAUSE_ALTERED) && !(row->has & LEDGER_HAS_COPY_DIGEST))
		return; /* nobody knows */
	if (size && there->size && size != there->size)
		w->seen[row - w->rows.p] |= ROW_SIZE | ROW_SUSPECT;
}

/* The copy said so itself. */
int verify_recorded(struct verify_walk *w, const struct ledger_message *row, struct fault *fault)
{
	struct verify_finding f = verify_row_finding(w, row, VERIFY_ALTERED);

	if (!is_altered(row))
		return 0;

	f.cause = books_cause_name(CAUSE_ALTERED);
	f.detail = row->detail;
	return verify_tell(w->verify, &f, fault);
}

/* --- headers --------------------------------------------------------------------------------- */

static bool same_id(const char *a, const char *b)
{
	return strncmp(a ? a : "", b ? b : "", 255) == 0;
}

static uint8_t judge_header(const struct ledger_message *row, const struct imap_identity *there)
{
	bool has_id = row->message_id && row->message_id[0];

	if (!there || !there->header_size)
		return ROW_UNKNOWN_HEADER | ROW_SUSPECT;

	if (is_altered(row))
		return !has_id || same_id(row->message_id, there->identity.message_id)
			       ? 0 : ROW_HEADER | ROW_SUSPECT;
	if (row->has & LEDGER_HAS_HEADER)
		return memcmp(row->header, there->identity.header, sizeof(row->header)) == 0
			       ? 0 : ROW_HEADER | ROW_SUSPECT;
	if (has_id)
		return same_id(row->message_id, there->identity.message_id) ? 0 : ROW_HEADER | ROW_SUSPECT;

	return ROW_UNKNOWN_HEADER | ROW_SUSPECT;
}

struct headers {
	struct verify_walk *walk;
	uint32_t *rows;  /* indexes, by rising UID of the copy */
	size_t n;
};

static int by_copy(const void *a, const void *b, void *arg)
{
	const struct ledger_message *rows = arg;
	uint32_t x = rows[*(const uint32_t *)a].copy_uid, y = rows[*(const uint32_t *)b].copy_uid;

	return x < y ? -1 : x > y;
}

/* Those whose bytes are not going to be read. */
static void choose_headers(struct headers *h)
{
	struct verify_walk *w = h->walk;

	h->rows = xreallocarray(NULL, w->rows_n + 1, sizeof(*h->rows));
	for (size_t i = 0; i < w->rows_n; i++)
		if (w->seen[i] & ROW_THERE && !(w->seen[i] & (ROW_CHOSEN | ROW_SUSPECT)) &&
		    w->rows.p[i].state == LEDGER_COPIED)
			h->rows[h->n++] = (uint32_t)i;
	if (h->n)
		qsort_r(h->rows, h->n, sizeof(*h->rows), by_copy, w->rows.p);
}

struct batch {
	struct verify_identity_job job;
	struct imap_range *ranges;
	size_t n, capacity, first, end;
};

static void submit(const struct headers *h, struct batch *b, size_t first)
{
	const struct verify_walk *w = h->walk;
	uint32_t last = 0;

	*b = (struct batch){ .first = first, .end = first };
	for (; b->end < h->n && b->end - first < BATCH; b->end++) {
		uint32_t uid = w->rows.p[h->rows[b->end]].copy_uid;

		if (uid != last)
			imap_set_add(&b->ranges, &b->n, &b->capacity, uid);
		last = uid;
	}
	b->job.ranges = b->ranges;
	b->job.n = b->n;
	verify_identity_job(&b->job, w->folder->destination_name, w->folder->known->destination_uidvalidity);
	verify_job_submit(w->verify->to, &b->job.job);
}

static int take(const struct headers *h, struct batch *b, struct fault *fault)
{
	struct verify_walk *w = h->walk;
	int r = verify_job_wait(&b->job.job, fault);

	/* One that costs the connection, perhaps: reading them one by one tells which. */
	if (r < 0 && fault->reach <= REACH_FOLDER) {
		verify_identity_done(&b->job);
		r = 0;
	}
	for (size_t i = b->first; i < b->end && r == 0; i++) {
		const struct ledger_message *row = &w->rows.p[h->rows[i]];

		w->seen[h->rows[i]] |= judge_header(
			row, b->job.begun ? imap_identities_find(&b->job.identities, row->copy_uid) : NULL);
	}
	verify_identity_done(&b->job);
	free(b->ranges);
	return r;
}

static int judge_headers(struct verify_walk *w, struct fault *fault)
{
	struct headers h = { .walk = w };
	_cleanup_(freep) struct batch *batches = xzalloc(BATCHES * sizeof(*batches));
	struct fault why;
	size_t at = 0;
	int r = 0;

	choose_headers(&h);
	while (at < h.n && r == 0) {
		size_t n = 0;

		for (; n < BATCHES && at < h.n; n++) {
			submit(&h, &batches[n], at);
			at = batches[n].end;
		}
		for (size_t i = 0; i < n; i++)
			if (take(&h, &batches[i], &why) < 0 && r == 0) {
				*fault = why;
				r = -1;
			}
	}
	free(h.rows);
	return r;
}

/* --- the window ------------------------------------------------------------------------------ */

static bool is_chosen(const struct verify_walk *w, const struct ledger_message *row)
{
	bool comparable = w->seen[row - w->rows.p] & ROW_HERE || row->has & LEDGER_HAS_DIGEST;

	return w->verify->options.level == VERIFY_CONTENT && comparable &&
	       verify_sample_has(&w->sample, row->uid);
}

static int judge(struct verify_walk *w, const struct ledger_message *row, struct fault *fault)
{
	const struct imap_message *here = verify_here(w, row), *there = verify_there(w, row);

	if (judge_flags(w, row, here, there, fault) < 0 || judge_date(w, row, here, there, fault) < 0)
		return -1;

	if (is_chosen(w, row))
		w->seen[row - w->rows.p] |= ROW_CHOSEN;
	judge_size(w, row, there);
	return 0;
}

int verify_details(struct verify_walk *w, struct fault *fault)
{
	bool counts = w->verify->options.level == VERIFY_COUNTS;

	for (size_t i = 0; i < w->rows_n && !counts; i++)
		if (w->seen[i] & ROW_THERE && w->rows.p[i].state == LEDGER_COPIED &&
		    judge(w, &w->rows.p[i], fault) < 0)
			return -1;

	if (!counts && judge_headers(w, fault) < 0)
		return -1;

	for (size_t i = 0; i < w->rows_n; i++)
		if (w->seen[i] & ROW_THERE && w->rows.p[i].state == LEDGER_COPIED &&
		    !(w->seen[i] & (ROW_CHOSEN | ROW_SUSPECT)) && /* those are to be read anew */
		    verify_recorded(w, &w->rows.p[i], fault) < 0)
			return -1;
	return 0;
}
