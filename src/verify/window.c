/* SPDX-License-Identifier: Apache-2.0 */
/* One window of a folder: the ledger's rows, what the source lists under the same UIDs, and what the destination lists
 * under the UIDs of their copies. Here it is settled what is where; what the messages are like comes after. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/books.h"
#include "imap/write.h"
#include "verify/flags.h"
#include "verify/strays.h"
#include "verify/walk.h"

/* --- loading --------------------------------------------------------------------------------- */

static struct bytes name_of(const struct verify_walk *w, bool destination)
{
	return destination ? w->folder->destination_name : w->folder->source_name;
}

/* Where it ends: behind so many rows or so many messages, whatever comes first, so that neither fills the memory. */
static int choose_end(struct verify_walk *w, struct fault *fault)
{
	struct verify *v = w->verify;

	ledger_messages_done(&w->rows);
	if (ledger_load_next(v->options.ledger, w->folder->known->id, w->after, VERIFY_WINDOW, &w->rows,
			     fault) < 0)
		return -1;

	w->high = w->rows.n == VERIFY_WINDOW ? w->rows.p[w->rows.n - 1].uid : UINT32_MAX;
	if (w->source) {
		struct verify_end_job end = { .behind = w->listed, .most = VERIFY_WINDOW,
					      .low = w->after + 1 };

		verify_end_job(&end, name_of(w, false), w->folder->known->source_uidvalidity);
		if (verify_job_do(v->from, &end.job, fault) < 0)
			return -1;
		if (end.ret_uid < w->high)
			w->high = end.ret_uid;
		if (end.job.exists < w->exists)
			w->exists = end.job.exists;
	}
	w->rows_n = w->rows.n;
	while (w->rows_n && w->rows.p[w->rows_n - 1].uid > w->high)
		w->rows_n--;
	w->last = w->high == UINT32_MAX;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static struct imap_range *copies_of(const struct verify_walk *w, size_t *ret_n)
{
	_cleanup_(freep) uint32_t *uids = xreallocarray(NULL, w->rows_n + 1, sizeof(*uids));
	struct imap_range *ranges = NULL;
	size_t n = 0, capacity = 0;

	*ret_n = 0;
	for (size_t i = 0; i < w->rows_n; i++)
		if (w->rows.p[i].copy_uid)
			uids[n++] = w->rows.p[i].copy_uid;
	if (n)
		qsort(uids, n, sizeof(*uids), by_number);
	for (size_t i = 0; i < n; i++)
		if (!i || uids[i] != uids[i - 1])
			imap_set_add(&ranges, ret_n, &capacity, uids[i]);
	return ranges;
}

static char **canonical_sets(const struct imap_messages *m)
{
	char **sets = xzalloc((m->flag_sets_n + 1) * sizeof(*sets));

	for (size_t i = 0; i < m->flag_sets_n; i++)
		sets[i] = verify_flags_canonical(m->flag_sets[i]);
	return sets;
}

static void forget_sets(char ***sets, const struct verify_list_job *list)
{
	for (size_t i = 0; *sets && i < list->messages.flag_sets_n; i++)
		free((*sets)[i]);
	free(*sets);
	*sets = NULL;
}

static int list_both(struct verify_walk *w, const struct imap_range *copies, size_t n, struct fault *fault)
{
	struct verify *v = w->verify;
	const struct ledger_folder *known = w->folder->known;
	unsigned items = IMAP_ITEM_FLAGS | IMAP_ITEM_SIZE |
			 (v->options.level > VERIFY_COUNTS || w->with_dates ? IMAP_ITEM_DATE : 0);
	struct fault why;
	int r = 0;

	w->here = (struct verify_list_job){ .low = w->after + 1, .high = w->high, .items = items };
	w->there = (struct verify_list_job){ .ranges = copies, .n = n, .items = items };
	verify_list_job(&w->here, name_of(w, false), known->source_uidvalidity);
	verify_list_job(&w->there, name_of(w, true), known->destination_uidvalidity);
	if (w->source)
		verify_job_submit(v->from, &w->here.job);
	if (w->destination && n)
		verify_job_submit(v->to, &w->there.job);
	if (w->source)
		r = verify_job_wait(&w->here.job, fault);
	if (w->destination && n && verify_job_wait(&w->there.job, &why) < 0) {
		if (r == 0)
			*fault = why;
		r = -1;
	}
	return r;
}

/* --- lists ----------------------------------------------------------------------------------- */

const struct imap_message *verify_here(const struct verify_walk *w, const struct ledger_message *row)
{
	return w->here.begun ? imap_messages_find(&w->here.messages, row->uid) : NULL;
}

const struct imap_message *verify_there(const struct verify_walk *w, const struct ledger_message *row)
{
	return w->there.begun && row->copy_uid ? imap_messages_find(&w->there.messages, row->copy_uid) : NULL;
}

const char *verify_known_flags(struct verify_walk *w, uint32_t id)
{
	struct bytes key = { (const char *)&id, sizeof(id) };
	char *text = map_get(&w->words, key);

	if (!text) {
		text = verify_flags_canonical(ledger_flags(w->verify->options.ledger, id));
		map_put(&w->words, key, text);
	}
	return text;
}

static void count_message(struct verify_count *count, const struct imap_message *m, char **sets)
{
	count->messages++;
	count->bytes += m->size;
	verify_flags_count(count, sets[m->flags]);
}

static const struct ledger_message *find_row(const struct verify_walk *w, uint32_t uid)
{
	size_t low = 0, high = w->rows_n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (w->rows.p[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < w->rows_n && w->rows.p[low].uid == uid ? &w->rows.p[low] : NULL;
}

/* --- messages without a row ------------------------------------------------------------------- */

static bool is_filtered(const struct ledger_folder *known, const struct imap_message *m)
{
	if (m->date == IMAP_NO_DATE)
		return false;

	return (known->since != INT64_MIN && m->date < known->since) ||
	       (known->before != INT64_MIN && m->date >= known->before);
}

static int fresh(struct verify_walk *w, const struct imap_message *m, struct fault *fault)
{
	struct verify_finding f = { .kind = VERIFY_NEW, .folder = w->folder, .uid = m->uid,
				    .messages = 1, .size = m->size };

	if (is_filtered(w->folder->known, m)) {
		w->folder->filtered++;
		return 0;
	}
	w->folder->fresh++;
	return verify_tell(w->verify, &f, fault);
}

/* Those the last pass must have seen are in its books, or it lost them; the others wait for the next. */
static bool must_be_known(const struct ledger_folder *known, const struct imap_message *m)
{
	return known->complete && known->source.uidnext && m->uid < known->source.uidnext &&
	       !is_filtered(known, m);
}

static int unaccounted(struct verify_walk *w, const struct imap_range *uids, size_t n, struct fault *fault)
{
	struct verify_identity_job job = { .ranges = uids, .n = n };
	int r = 0;

	verify_identity_job(&job, name_of(w, false), w->folder->known->source_uidvalidity);
	if (n && verify_job_do(w->verify->from, &job.job, fault) < 0)
		r = fault->reach <= REACH_FOLDER ? 0 : -1; /* then without Message-IDs */

	for (size_t i = 0; i < n && r == 0; i++)
		for (uint64_t uid = uids[i].low; uid <= uids[i].high && r == 0; uid++) {
			const struct imap_message *m =
				imap_messages_find(&w->here.messages, (uint32_t)uid);
			const struct imap_identity *id =
				job.begun ? imap_identities_find(&job.identities, (uint32_t)uid) : NULL;
			struct verify_finding f = {
				.kind = VERIFY_UNACCOUNTED, .folder = w->folder, .uid = m->uid,
				.messages = 1, .size = m->size,
				.message_id = id ? id->identity.message_id : "",
			};

			w->folder->unaccounted++;
			r = verify_tell(w->verify, &f, fault);
		}
	verify_identity_done(&job);
	return r;
}

static int settle_source(struct verify_walk *w, struct fault *fault)
{
	const struct imap_messages *m = &w->here.messages;
	_cleanup_(freep) struct imap_range *lost = NULL;
	size_t n = 0, capacity = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct ledger_message *row = find_row(w, m->p[i].uid);

		if (row && row->state == LEDGER_SENDING) /* no more than an intent */
			row = NULL;
		count_message(&w->folder->source, &m->p[i], w->here_flags);
		w->folder->looked_at++;
		if (row)
			w->seen[row - w->rows.p] |= ROW_HERE;
		else if (must_be_known(w->folder->known, &m->p[i]))
			imap_set_add(&lost, &n, &capacity, m->p[i].uid);
		else if (fresh(w, &m->p[i], fault) < 0)
			return -1;
	}
	w->listed += m->n;
	return unaccounted(w, lost, n, fault);
}

/* --- rows ------------------------------------------------------------------------------------ */

struct verify_finding verify_row_finding(const struct verify_walk *w, const struct ledger_message *row,
					 enum verify_kind kind)
{
	return (struct verify_finding){
		.kind = kind, .folder = w->folder, .uid = row->uid, .copy_uid = row->copy_uid,
		.messages = 1, .size = row->size,
		.copy_size = row->has & LEDGER_HAS_COPY_DIGEST ? row->copy_size : 0,
		.digest = row->has & LEDGER_HAS_DIGEST ? row->digest : NULL,
		.copy_digest = row->has & LEDGER_HAS_COPY_DIGEST ? row->copy_digest : NULL,
		.message_id = row->message_id,
	};
}

static const char *cause_of(const struct ledger_message *row)
{
	return row->cause && row->cause <= CAUSE_COUNT_
		       ? books_cause_name((enum copy_cause)(row->cause - 1))
		       : "";
}

/* In the books as left out, and the source still has it. */
int verify_not_copied(struct verify_walk *w, const struct ledger_message *row, struct fault *fault)
{
	struct verify_finding f = verify_row_finding(w, row, VERIFY_NOT_COPIED);

	f.cause = row->state == LEDGER_REMOVED ? books_cause_name(CAUSE_REMOVED) : cause_of(row);
	f.detail = row->detail;
	w->folder->excepted++;
	w->folder->not_copied++;
	return verify_tell(w->verify, &f, fault);
}

static int missing(struct verify_walk *w, const struct ledger_message *row, bool here, struct fault *fault)
{
	struct verify_finding f = verify_row_finding(w, row, VERIFY_MISSING);

	w->folder->missing += here;
	if (!w->destination)
		return 0; /* said once, for the folder */

	f.detail = here ? "" : "it has left the source, too";
	return verify_stray_missing(w->verify, &f, row, here, fault);
}

static int gone(struct verify_walk *w, const struct ledger_message *row, struct fault *fault)
{
	struct verify_finding f = verify_row_finding(w, row, VERIFY_GONE);

	return verify_tell(w->verify, &f, fault);
}

/* here: the source has it, or may have. */
static int settle_copy(struct verify_walk *w, const struct ledger_message *row, bool here,
		       struct fault *fault)
{
	const struct imap_message *there = verify_there(w, row);

	if (there) {
		w->seen[row - w->rows.p] |= ROW_THERE;
		count_message(&w->folder->destination, there, w->there_flags);
		if (here)
			w->folder->there++;
		else
			w->folder->kept++;
	}
	w->folder->copied += row->state == LEDGER_COPIED;
	if (w->source && !here && row->state == LEDGER_COPIED && gone(w, row, fault) < 0)
		return -1;
	/* Deleted at both sides, as far as anybody can tell. */
	if (there || (!here && row->state == LEDGER_GONE))
		return 0;
	return missing(w, row, here, fault);
}

static int settle_row(struct verify_walk *w, const struct ledger_message *row, struct fault *fault)
{
	bool here = w->seen[row - w->rows.p] & ROW_HERE || !w->source_known;

	w->folder->looked_at += !(w->seen[row - w->rows.p] & ROW_HERE);
	switch ((enum ledger_state)row->state) {
	case LEDGER_EXCEPTED:
	case LEDGER_REMOVED:
		/* What has left the source since is nobody's loss. */
		return here ? verify_not_copied(w, row, fault) : 0;
	case LEDGER_GONE:
		if (row->has & LEDGER_MIRRORED)
			return 0;
		return settle_copy(w, row, here && w->source_known, fault);
	case LEDGER_SENDING: /* as if there were no row */
		break;
	case LEDGER_COPIED:
		return settle_copy(w, row, here, fault);
	}
	return 0;
}

/* --- the window ------------------------------------------------------------------------------ */

static int settle(struct verify_walk *w, struct fault *fault)
{
	w->seen = xzalloc(w->rows_n + 1);
	if (w->here.begun)
		w->here_flags = canonical_sets(&w->here.messages);
	if (w->there.begun)
		w->there_flags = canonical_sets(&w->there.messages);
	if (w->here.begun && settle_source(w, fault) < 0)
		return -1;
	for (size_t i = 0; i < w->rows_n; i++)
		if (settle_row(w, &w->rows.p[i], fault) < 0)
			return -1;

	return 0;
}

int verify_window(struct verify_walk *w, struct fault *fault)
{
	_cleanup_(freep) struct imap_range *copies = NULL;
	size_t n = 0;

	if (choose_end(w, fault) < 0)
		return -1;

	copies = copies_of(w, &n);
	if (list_both(w, copies, n, fault) < 0)
		return -1;

	if (w->there.begun && w->there.job.exists < w->exists_there)
		w->exists_there = w->there.job.exists;
	return settle(w, fault);
}

void verify_window_done(struct verify_walk *w)
{
	forget_sets(&w->here_flags, &w->here);
	forget_sets(&w->there_flags, &w->there);
	verify_list_done(&w->here);
	verify_list_done(&w->there);
	ledger_messages_done(&w->rows);
	free(w->seen);
	w->seen = NULL;
	w->rows_n = 0;
}
