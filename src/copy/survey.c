/* SPDX-License-Identifier: Apache-2.0 */
/* See survey.h. */
#include "copy/survey.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/record.h"
#include "copy/stores.h"
#include "imap/write.h"

enum { ROWS = 4096 }; /* loaded at a time */

static struct ledger *ledger_of(const struct copy_pass *pass)
{
	return pass->worker->copy->options.ledger;
}

static struct copy_link *link_of(const struct copy_pass *pass)
{
	return &pass->worker->copy->links[pass->index];
}

/* What happened to known messages could not be found out, or repeated: the next pass tries again, and this one says so. */
static void not_followed(struct copy_pass *pass, const char *why)
{
	link_of(pass)->incomplete = true;
	link_of(pass)->not_followed = arena_strdup(&pass->worker->copy->arena, why);
}

/* --- one row ---------------------------------------------------------------------------------- */

static void row_is_there(struct copy_pass *pass, const struct ledger_message *row, uint32_t flags)
{
	bool back = row->state == LEDGER_GONE && !(row->has & LEDGER_MIRRORED);

	if (back)
		ledger_set_state(ledger_of(pass), row->folder, row->uid, LEDGER_COPIED, 0);
	if ((back || row->state == LEDGER_COPIED) && row->copy_uid && row->flags != flags)
		copy_stores_want(pass, row->uid, row->copy_uid, row->flags, flags, row->copy_flags);
}

static void row_is_missing(struct copy_pass *pass, const struct ledger_message *row)
{
	if (row->state == LEDGER_COPIED)
		copy_vanished_add(pass->worker->copy, link_of(pass)->known, link_of(pass), row);
	else if (row->state != LEDGER_GONE && row->state != LEDGER_SENDING) /* at neither side any more */
		ledger_forget_message(ledger_of(pass), row->folder, row->uid);
}

/* --- with CONDSTORE --------------------------------------------------------------------------- */

/* Rows looked up by rising UIDs, some thousands at a time. */
struct rows {
	struct ledger_messages loaded;
	uint32_t low, high; /* what is loaded; high 0: nothing */
	size_t at;
};

static int find_row(struct copy_pass *pass, struct rows *rows, uint32_t uid,
		    const struct ledger_message **ret, struct fault *fault)
{
	*ret = NULL;
	if (!rows->high || uid > rows->high) {
		if (rows->high)
			ledger_messages_done(&rows->loaded);
		rows->low = uid;
		rows->high = uid > UINT32_MAX - ROWS ? UINT32_MAX : uid + ROWS - 1;
		rows->at = 0;
		if (ledger_load_bare(ledger_of(pass), link_of(pass)->known->id, rows->low, rows->high,
				     &rows->loaded, fault) < 0)
			return -1;
	}

	while (rows->at < rows->loaded.n && rows->loaded.p[rows->at].uid < uid)
		rows->at++;
	if (rows->at < rows->loaded.n && rows->loaded.p[rows->at].uid == uid)
		*ret = &rows->loaded.p[rows->at];
	return 0;
}

static int take_changed(struct copy_pass *pass, const struct imap_messages *changed, struct fault *fault)
{
	struct rows rows = { .high = 0 };
	int r = 0;

	for (size_t i = 0; i < changed->n && r == 0; i++) {
		const struct ledger_message *row;

		r = find_row(pass, &rows, changed->p[i].uid, &row, fault);
		if (r == 0 && row)
			row_is_there(pass, row, copy_record_set(ledger_of(pass),
								changed->flag_sets[changed->p[i].flags]));
	}
	if (rows.high)
		ledger_messages_done(&rows.loaded);
	return r;
}

/* Ranges may be as wide as the server likes: rows are walked, not numbers. */
static int take_vanished(struct copy_pass *pass, const struct imap_range *ranges, size_t n,
			 struct fault *fault)
{
	uint32_t after = ranges[0].low - 1, end = ranges[n - 1].high;
	size_t most = end - after < ROWS ? end - after : ROWS;

	for (;;) {
		struct ledger_messages rows;
		size_t loaded;
		int r = ledger_load_next(ledger_of(pass), link_of(pass)->known->id, after, most, &rows, fault);

		loaded = rows.n;
		for (size_t i = 0; i < rows.n && r == 0 && rows.p[i].uid <= end; i++) {
			after = rows.p[i].uid;
			if (imap_set_has(ranges, n, after))
				row_is_missing(pass, &rows.p[i]);
		}
		if (r == 0 && rows.n && rows.p[rows.n - 1].uid > end)
			loaded = 0;
		ledger_messages_done(&rows);
		if (r < 0 || loaded < most || after >= end)
			return r;
	}
}

/* A few ranges far apart are looked up one by one, many in one walk. */
static int take_vanished_ranges(struct copy_pass *pass, const struct imap_changes *changes,
				struct fault *fault)
{
	enum { ONE_BY_ONE = 64 };

	if (changes->vanished_n > ONE_BY_ONE)
		return take_vanished(pass, changes->vanished, changes->vanished_n, fault);

	for (size_t i = 0; i < changes->vanished_n; i++)
		if (take_vanished(pass, &changes->vanished[i], 1, fault) < 0)
			return -1;

	return 0;
}

static int take_unlisted(struct copy_pass *pass, struct fault *fault);

/* 1: the server refuses to tell. */
static int survey_changes(struct copy_pass *pass, struct fault *fault)
{
	const struct ledger_seen *before = &link_of(pass)->known->source;
	const struct imap_selected *now = &pass->worker->from->selected;
	struct imap_changes changes;
	uint32_t high = now->uidnext ? now->uidnext - 1 : UINT32_MAX; /* messages that came during the last pass too */
	int r;

	if (now->highestmodseq == before->modseq && now->exists == before->messages &&
	    now->uidnext == before->uidnext)
		return 0;
	if (!high)
		return 0;

	r = imap_fetch_changes(pass->worker->from, before->modseq, high, &changes, fault);
	if (r < 0 && fault->reach <= REACH_FOLDER) {
		imap_changes_done(&changes);
		return 1;
	}
	if (r == 0)
		r = take_changed(pass, &changes.changed, fault);
	if (r == 0)
		r = take_vanished_ranges(pass, &changes, fault);
	if (r == 0 && !changes.knows_vanished &&
	    (now->exists != before->messages || now->uidnext != before->uidnext))
		r = take_unlisted(pass, fault);
	imap_changes_done(&changes);
	return r;
}

/* --- by listing ------------------------------------------------------------------------------- */

/* The window pass->low to pass->high was listed: rows against messages. What is missing in half an answer may be there. */
static int merge_window(struct copy_pass *pass, bool with_flags, struct fault *fault)
{
	const struct imap_messages *m = &pass->messages;
	uint32_t after = pass->low - 1;
	size_t at = 0;

	for (;;) {
		struct ledger_messages rows;
		size_t i = 0, n;
		int r = ledger_load_next(ledger_of(pass), link_of(pass)->known->id, after, ROWS, &rows,
					 fault);

		for (; i < rows.n && r == 0 && rows.p[i].uid <= pass->high; i++) {
			const struct ledger_message *row = &rows.p[i];

			after = row->uid;
			while (at < m->n && m->p[at].uid < row->uid)
				at++;
			if ((at == m->n || m->p[at].uid != row->uid) && m->incomplete)
				continue;
			if (at == m->n || m->p[at].uid != row->uid)
				row_is_missing(pass, row);
			else if (with_flags)
				row_is_there(pass, row, copy_record_flags(pass, m->p[at].flags));
		}
		n = rows.n;
		ledger_messages_done(&rows);
		if (r < 0 || i < ROWS || n < ROWS)
			return r;
	}
}

/* A server that lists fewer messages than it counts may have those that are missing: then none of them has vanished, as
 * far as this pass is concerned. Some wait for a NOOP to tell what was expunged. */
static int doubt_missing(struct copy_pass *pass, uint64_t listed, bool whole, struct fault *fault)
{
	struct imap_session *from = pass->worker->from;
	char why[200];

	if (whole && listed < from->selected.exists && imap_simple(from, "NOOP", fault) < 0)
		return -1;
	if (whole && listed >= from->selected.exists)
		return 0;

	copy_vanished_forget_link(pass->worker->copy, link_of(pass));
	snprintf(why, sizeof(why), "the source counts %" PRIu32 " messages but lists only %" PRIu64,
		 from->selected.exists, listed);
	not_followed(pass, why);
	return 0;
}

static int list_windows(struct copy_pass *pass, unsigned items, struct fault *fault)
{
	uint64_t behind = 0;
	bool whole = true;

	pass->low = 1;
	if (!pass->worker->from->selected.exists) {
		pass->messages.n = 0;
		pass->messages.incomplete = false;
		pass->high = UINT32_MAX;
		return merge_window(pass, false, fault);
	}
	do {
		if (copy_window_end(pass, behind, &pass->high, fault) < 0)
			return -1;
		if (imap_fetch_items(pass->worker->from, pass->low, pass->high, items, &pass->messages,
				     fault) < 0 ||
		    merge_window(pass, items & IMAP_ITEM_FLAGS, fault) < 0)
			return -1;
		behind += pass->messages.n;
		whole &= !pass->messages.incomplete;
		pass->low = pass->high + 1;
	} while (pass->high != UINT32_MAX);

	return doubt_missing(pass, behind, whole, fault);
}

/* Which of the known messages are no more, where nobody tells. */
static int take_unlisted(struct copy_pass *pass, struct fault *fault)
{
	return list_windows(pass, 0, fault);
}

static int survey_all(struct copy_pass *pass, struct fault *fault)
{
	return list_windows(pass, IMAP_ITEM_FLAGS, fault);
}

/* --- the destination -------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The copies that the destination does not have any more: their rows say so, or go, if the message has left the source,
 * too (deleted at both sides, or moved at both and not noted, because the pass was killed). */
static int note_removed(struct copy_pass *pass, const uint32_t *missing, size_t n, struct fault *fault)
{
	uint32_t after = 0;

	copy_vanished_without_copy(pass->worker->copy, link_of(pass), missing, n);

	while (n) {
		struct ledger_messages rows;
		size_t loaded;
		int r = ledger_load_next(ledger_of(pass), link_of(pass)->known->id, after, ROWS, &rows, fault);

		for (size_t i = 0; i < rows.n && r == 0; i++) {
			const struct ledger_message *row = &rows.p[i];

			after = row->uid;
			if (!row->copy_uid ||
			    !bsearch(&row->copy_uid, missing, n, sizeof(*missing), by_number))
				continue;
			if (row->state == LEDGER_COPIED)
				ledger_set_state(ledger_of(pass), row->folder, row->uid, LEDGER_REMOVED, 0);
			else if (row->state == LEDGER_GONE && !(row->has & LEDGER_MIRRORED))
				ledger_forget_message(ledger_of(pass), row->folder, row->uid);
		}
		loaded = rows.n;
		ledger_messages_done(&rows);
		if (r < 0 || loaded < ROWS)
			return r;
	}
	return 0;
}

/* Keeps of the copies those that `there` does not hold; both rise. */
static size_t keep_missing(uint32_t *copies, size_t n, const struct imap_messages *there)
{
	size_t kept = 0, at = 0;

	for (size_t i = 0; i < n; i++) {
		while (at < there->n && there->p[at].uid < copies[i])
			at++;
		if (at == there->n || there->p[at].uid != copies[i])
			copies[kept++] = copies[i];
	}
	return kept;
}

static size_t keep_vanished(uint32_t *copies, size_t n, const struct imap_changes *changes)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (imap_set_has(changes->vanished, changes->vanished_n, copies[i]))
			copies[kept++] = copies[i];

	return kept;
}

static int find_missing_copies(struct copy_pass *pass, uint32_t *copies, size_t *n, struct fault *fault)
{
	const struct ledger_seen *before = &link_of(pass)->known->destination;
	struct imap_session *to = pass->worker->to;
	struct imap_messages there;
	int r;

	if (to->qresync && !to->no_changes && link_of(pass)->known->complete && before->modseq &&
	    before->uidvalidity == to->selected.uidvalidity && to->selected.uidnext > 1 &&
	    to->selected.highestmodseq >= before->modseq) {
		struct imap_changes changes;

		r = imap_fetch_changes(to, before->modseq, to->selected.uidnext - 1, &changes, fault);
		if (r == 0 && changes.knows_vanished) {
			*n = keep_vanished(copies, *n, &changes);
			imap_changes_done(&changes);
			return 0;
		}
		imap_changes_done(&changes);
		if (r < 0 && fault->reach > REACH_FOLDER)
			return -1;
	}

	imap_messages_init(&there);
	r = imap_fetch_items(to, 1, UINT32_MAX, 0, &there, fault);
	if (r == 0 && (there.incomplete || there.n < to->selected.exists)) {
		char why[200];

		snprintf(why, sizeof(why), "the destination counts %" PRIu32 " messages but lists only %zu",
			 to->selected.exists, there.n);
		not_followed(pass, why);
		*n = 0; /* who does not come may be there */
	} else if (r == 0) {
		*n = keep_missing(copies, *n, &there);
	}
	imap_messages_done(&there);
	return r;
}

/* Nobody changed the folder since the last pass, as far as numbers tell. */
static bool is_as_left(const struct copy_link *link)
{
	const struct ledger_folder *known = link->known;

	return known->complete && known->destination.uidnext && link->destination_told && !link->there_changed &&
	       link->destination.uidvalidity == known->destination_uidvalidity &&
	       link->destination.uidnext == known->destination.uidnext &&
	       link->destination.messages == known->destination.messages;
}

/* Are our copies still there? From here on the folder's numbers are followed (copy_links_complete()). */
static int survey_destination(struct copy_pass *pass, struct fault *fault)
{
	struct copy_link *link = link_of(pass);
	const struct ledger_folder *known = link->known;
	struct imap_session *to = pass->worker->to;
	_cleanup_(freep) uint32_t *copies = NULL;
	size_t n;

	link->taken_in = link->taken_out = 0; /* what was resumed before is in the numbers already */
	if (is_as_left(link)) {
		link->surveyed_there = link->destination;
		return 0;
	}
	if (ledger_load_copy_uids(ledger_of(pass), known->id, 1, &copies, &n, fault) < 0)
		return -1;
	if (!n)
		return 0;
	if (imap_select(to, known->destination_name, true, fault) < 0)
		return -1;
	if (to->selected.uidvalidity == known->destination_uidvalidity) {
		link->surveyed_there = (struct ledger_seen){
			.uidvalidity = to->selected.uidvalidity, .uidnext = to->selected.uidnext,
			.messages = to->selected.exists,
		};
		if (find_missing_copies(pass, copies, &n, fault) < 0 ||
		    note_removed(pass, copies, n, fault) < 0)
			return -1;
	}
	return imap_unselect(to, known->destination_name, fault);
}

/* --- the folder ------------------------------------------------------------------------------- */

static struct ledger_seen seen_now(const struct copy_pass *pass)
{
	const struct imap_selected *s = &pass->worker->from->selected;
	const struct ledger_seen *listed = &link_of(pass)->source;

	return (struct ledger_seen){
		.uidvalidity = s->uidvalidity, .uidnext = s->uidnext ? s->uidnext : listed->uidnext,
		.messages = s->exists, .modseq = s->highestmodseq,
	};
}

void copy_note_begun(struct copy_pass *pass)
{
	struct copy_link *link = link_of(pass);

	if (!link->begun.uidvalidity)
		link->begun = seen_now(pass);
}

static bool changes_can_be_told(const struct copy_pass *pass)
{
	const struct ledger_folder *known = link_of(pass)->known;
	const struct imap_session *from = pass->worker->from;

	return from->condstore && !from->no_changes && known->complete && known->source.modseq && known->source.uidnext &&
	       from->selected.highestmodseq >= known->source.modseq;
}

/* What the rows say of the destination must hold before anything is written there by their UIDs, and what was sent must be
 * known before anything is taken for moved. */
static int look_there(struct copy_pass *pass, struct fault *fault)
{
	const struct copy_link *link = link_of(pass);
	const struct ledger_folder *known = link->known;
	struct imap_folder now;

	if (!known->mark && (!known->destination_uidvalidity ||
			     (link->destination_told &&
			      link->destination.uidvalidity == known->destination_uidvalidity)))
		return 0;

	return copy_folder_look_there(pass, &now, fault);
}

static int survey_source(struct copy_pass *pass, struct fault *fault)
{
	int r = changes_can_be_told(pass) ? survey_changes(pass, fault) : 1;

	if (r > 0)
		r = survey_all(pass, fault);
	if (r < 0) /* what half a listing lacks has not vanished */
		copy_vanished_forget_link(pass->worker->copy, link_of(pass));
	return r;
}

static int survey(struct copy_pass *pass, struct fault *fault)
{
	struct copy_link *link = link_of(pass);

	/* A step done anew after a lost connection begins from scratch. */
	copy_stores_done(pass);
	copy_vanished_forget_link(pass->worker->copy, link);
	link->not_followed = NULL;
	if (imap_select(pass->worker->from, pass->folder->source_name, true, fault) < 0)
		return -1;

	if (copy_folder_record(pass, fault) < 0 || look_there(pass, fault) < 0 ||
	    survey_source(pass, fault) < 0 || copy_folder_lose_formers(pass, fault) < 0 || survey_destination(pass, fault) < 0 ||
	    copy_stores_run(pass, fault) < 0)
		return -1;

	link->surveyed = true;
	return 0;
}

int copy_survey(struct copy_pass *pass, struct fault *fault)
{
	int r = copy_persist(pass, survey, fault);

	copy_stores_done(pass);
	if (r < 0 && fault->reach <= REACH_FOLDER) {
		char why[700];

		fault_format(fault, why, sizeof(why));
		not_followed(pass, why);
		return 0;
	}
	return r;
}

/* What a source does not list is in the books already, if it was missed there, too. */
static bool is_told(const struct copy_pass *pass)
{
	const struct books *books = &pass->worker->copy->books;

	for (size_t i = 0; i < books->exceptions_n; i++)
		if (books->exceptions[i].folder == pass->index && !books->exceptions[i].uid &&
		    books->exceptions[i].cause == CAUSE_UNREADABLE)
			return true;

	return false;
}

int copy_survey_tell(struct copy_pass *pass, struct fault *fault)
{
	const struct copy_link *link = link_of(pass);
	char detail[800];

	if (!link->not_followed || is_told(pass))
		return 0;

	snprintf(detail, sizeof(detail), "what changed since the last pass could not be followed: %s",
		 link->not_followed);
	return copy_pass_except_folder(pass, CAUSE_FLAGS_KEPT, 0, detail, fault);
}
