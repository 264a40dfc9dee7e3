/* SPDX-License-Identifier: Apache-2.0 */
/* One folder: what it is as a whole, then its messages in windows, then what the destination holds besides. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "verify/flags.h"
#include "verify/walk.h"

/* --- the folder as a whole --------------------------------------------------------------------- */

static int tell_folder(struct verify *v, struct verify_folder *folder, enum verify_kind kind,
		       uint64_t messages, const char *detail, struct fault *fault)
{
	struct verify_finding f = { .kind = kind, .folder = folder, .messages = messages,
				    .detail = detail };

	return verify_tell(v, &f, fault);
}

/* No pass has been here: what it holds is all still to come. */
static int unknown(struct verify *v, struct verify_folder *folder, struct fault *fault)
{
	uint64_t messages = folder->listed->flags & IMAP_FOLDER_STATUS ? folder->listed->messages : 0;

	folder->source.messages = folder->fresh = folder->looked_at = messages < UINT32_MAX ? messages : UINT32_MAX;
	folder->source.counted = true;
	folder->state = VERIFY_DONE;
	return tell_folder(v, folder, VERIFY_FOLDER_UNKNOWN, folder->fresh, "", fault);
}

static bool is_replaced(const struct imap_folder *listed, uint32_t uidvalidity)
{
	return listed && listed->flags & IMAP_FOLDER_STATUS && uidvalidity && listed->uidvalidity &&
	       listed->uidvalidity != uidvalidity;
}

static int tell_replaced(struct verify_walk *w, const char *side, uint32_t was, uint64_t is,
			 struct fault *fault)
{
	char detail[200];

	snprintf(detail, sizeof(detail), "at the %s: UIDVALIDITY %" PRIu32 " became %" PRIu64
		 "; the next pass of copy finds its messages again", side, was, is);
	return tell_folder(w->verify, w->folder, VERIFY_FOLDER_REPLACED, w->folder->known->tally.copied, detail,
			   fault);
}

/* Which sides there are to look at, and what is wrong with them. */
static int begin(struct verify_walk *w, struct fault *fault)
{
	struct verify_folder *f = w->folder;
	const struct ledger_folder *known = f->known;
	bool here = is_replaced(f->listed, known->source_uidvalidity);
	bool there = is_replaced(f->listed_there, known->destination_uidvalidity);

	w->source = f->listed && !(f->listed->flags & IMAP_FOLDER_NOSELECT) && !here;
	w->source_known = !here;
	w->destination = f->listed_there && !there;
	w->with_dates = known->since != INT64_MIN || known->before != INT64_MIN;
	w->exists = w->exists_there = UINT32_MAX;
	w->sample = verify_sample_of(w->verify->options.seed, w->verify->options.sample_ppm,
				     known->source_name, known->source_uidvalidity);
	f->source.counted = w->source_known;
	f->destination.counted = w->destination || !f->listed_there;
	if (here && tell_replaced(w, "source", known->source_uidvalidity, f->listed->uidvalidity, fault) < 0)
		return -1;
	if (there && tell_replaced(w, "destination", known->destination_uidvalidity,
				   f->listed_there->uidvalidity, fault) < 0)
		return -1;
	return 0;
}

/* --- nothing changed -------------------------------------------------------------------------- */

static bool is_unchanged(const struct imap_folder *listed, const struct ledger_seen *seen,
			 uint64_t rows)
{
	return listed && listed->flags & IMAP_FOLDER_STATUS && seen->modseq && seen->uidvalidity &&
	       listed->highestmodseq == seen->modseq && listed->uidvalidity == seen->uidvalidity &&
	       listed->uidnext == seen->uidnext && listed->messages == seen->messages &&
	       listed->messages == rows;
}

/* Both servers say that nothing happened since the rows were written (CONDSTORE): counting those is counting the
 * folder. For the level that counts; the others look at every message. */
static bool may_count_rows(const struct verify_walk *w)
{
	const struct ledger_folder *known = w->folder->known;
	const struct ledger_tally *t = &known->tally;

	return w->verify->options.level == VERIFY_COUNTS && known->complete && w->source && w->destination &&
	       is_unchanged(w->folder->listed, &known->source, t->copied + t->excepted + t->removed) &&
	       is_unchanged(w->folder->listed_there, &known->destination, t->copied);
}

static int count_row(struct verify_walk *w, const struct ledger_message *row, struct fault *fault)
{
	struct verify_folder *f = w->folder;

	if (row->state == LEDGER_GONE || row->state == LEDGER_SENDING)
		return 0;

	f->source.messages++;
	f->source.bytes += row->size;
	verify_flags_count(&f->source, verify_known_flags(w, row->flags));
	f->looked_at++;
	if (row->state != LEDGER_COPIED)
		return verify_not_copied(w, row, fault);

	f->there++;
	f->copied++;
	f->destination.messages++;
	f->destination.bytes += row->has & LEDGER_HAS_COPY_DIGEST ? row->copy_size : row->size;
	verify_flags_count(&f->destination, verify_known_flags(w, row->copy_flags));
	return verify_recorded(w, row, fault);
}

/* --- windows --------------------------------------------------------------------------------- */

static int count_window(struct verify_walk *w, struct fault *fault)
{
	if (ledger_load_next(w->verify->options.ledger, w->folder->known->id, w->after, VERIFY_WINDOW,
			     &w->rows, fault) < 0)
		return -1;

	w->rows_n = w->rows.n;
	w->last = w->rows.n < VERIFY_WINDOW;
	w->high = w->rows.n ? w->rows.p[w->rows.n - 1].uid : w->after;
	for (size_t i = 0; i < w->rows_n; i++)
		if (count_row(w, &w->rows.p[i], fault) < 0)
			return -1;
	return 0;
}

static int look_window(struct verify_walk *w, struct fault *fault)
{
	if (verify_window(w, fault) < 0 || verify_details(w, fault) < 0)
		return -1;

	return verify_content(w, fault);
}

static int walk_windows(struct verify_walk *w, struct fault *fault)
{
	bool rows_do = may_count_rows(w);
	int r;

	w->folder->source.from_ledger = w->folder->destination.from_ledger = rows_do;
	do {
		r = rows_do ? count_window(w, fault) : look_window(w, fault);
		verify_window_done(w);
		w->after = w->high;
	} while (r == 0 && !w->last);
	if (r < 0)
		return -1;

	return w->destination && !rows_do ? verify_strangers(w, fault) : 0;
}

/* --- the end --------------------------------------------------------------------------------- */

/* The source counts more than it lists, and goes on saying so. */
static int tell_unlisted(struct verify_walk *w, struct fault *fault)
{
	struct verify_folder *f = w->folder;
	struct verify_job count = { .exists = 0 };

	if (!w->source || w->exists == UINT32_MAX || w->exists <= w->listed)
		return 0;

	verify_count_job(&count, f->source_name, f->known->source_uidvalidity);
	if (verify_job_do(w->verify->from, &count, fault) < 0)
		return -1;
	if (count.exists < w->exists)
		w->exists = count.exists;
	if (w->exists <= w->listed)
		return 0;

	f->unlisted = w->exists - w->listed;
	f->source.messages += f->unlisted;
	return tell_folder(w->verify, f, VERIFY_COUNT, f->unlisted, "at the source", fault);
}

static int end(struct verify_walk *w, struct fault *fault)
{
	struct verify *v = w->verify;
	struct verify_folder *f = w->folder;

	if (tell_unlisted(w, fault) < 0)
		return -1;
	/* Nobody misses an empty one that the source has not got either. */
	if (!f->listed_there && (f->source_name.n || f->missing) &&
	    tell_folder(v, f, VERIFY_FOLDER_MISSING, f->missing, "", fault) < 0)
		return -1;
	if (!f->known->complete && f->fresh &&
	    tell_folder(v, f, VERIFY_FOLDER_INCOMPLETE, f->fresh, "run the copy again", fault) < 0)
		return -1;
	if (!f->source_name.n && f->copied &&
	    tell_folder(v, f, VERIFY_GONE, f->copied, "the folder has left the source", fault) < 0)
		return -1;
	if (w->wrong_sizes && tell_folder(v, f, VERIFY_SIZE, w->wrong_sizes, "", fault) < 0)
		return -1;
	return 0;
}

static void walk_done(struct verify_walk *w)
{
	struct map_entry entry;
	size_t at = 0;

	while (map_next(&w->words, &at, &entry))
		free(entry.value);
	map_done(&w->words);
}

int verify_folder_run(struct verify *v, struct verify_folder *folder, struct fault *fault)
{
	struct verify_walk *w;
	char detail[700];
	int r;

	folder->state = VERIFY_WORKING;
	if (!folder->known)
		return unknown(v, folder, fault);

	w = xzalloc(sizeof(*w)); /* too large for a stack */
	w->verify = v;
	w->folder = folder;
	r = ledger_count_folder(v->options.ledger, folder->known, fault);
	if (r == 0)
		r = begin(w, fault);
	if (r == 0)
		r = walk_windows(w, fault);
	if (r == 0)
		r = end(w, fault);
	walk_done(w);
	free(w);

	if (r == 0) {
		folder->state = VERIFY_DONE;
		return 0;
	}
	folder->state = VERIFY_FAILED;
	if (fault->reach > REACH_FOLDER)
		return -1;

	fault_format(fault, detail, sizeof(detail));
	return tell_folder(v, folder, VERIFY_FOLDER_UNREADABLE,
			   folder->expected > folder->looked_at ? folder->expected - folder->looked_at : 0,
			   detail, fault);
}
