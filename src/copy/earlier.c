/* SPDX-License-Identifier: Apache-2.0 */
/* What earlier passes left: exceptions of folders that need nothing now, and folders that the source has no more. */
#include <stdlib.h>

#include "copy/links.h"
#include "copy/survey.h"
#include "copy/worker.h"

enum { EXCEPTIONS_SHOWN = 10000 };

/* --- folders that need nothing ------------------------------------------------------------------ */

void copy_links_count_unchanged(struct copy *copy, size_t index)
{
	struct copy_folder *folder = &copy->books.folders[index];
	const struct ledger_folder *known = copy->links[index].known;
	const struct ledger_tally *t = &known->tally;
	uint64_t rows = t->copied + t->excepted + t->removed;

	folder->state = FOLDER_DONE;
	folder->unchanged = true;
	folder->uidvalidity = known->source_uidvalidity;
	folder->listed = known->source.messages;
	folder->present = t->copied;
	folder->removed = t->removed;
	if (folder->listed > rows) /* no row is made for what --since and --before leave out */
		folder->filtered = folder->listed - rows;
}

int copy_links_except(struct copy *copy, size_t index, const struct ledger_message *row,
		      struct fault *fault)
{
	enum copy_cause cause = row->cause ? (enum copy_cause)(row->cause - 1) : CAUSE_REFUSED;
	bool lost = row->state == LEDGER_EXCEPTED || row->state == LEDGER_REMOVED;

	if (row->state == LEDGER_REMOVED)
		cause = CAUSE_REMOVED;
	if (cause >= CAUSE_COUNT_ || row->state == LEDGER_GONE || books_cause_loses(cause) != lost)
		return 0;

	books_except(&copy->books, index, cause, row->uid, row->size, 1,
		     row->message_id ? row->message_id : "", row->detail ? row->detail : "");
	copy->books.exceptions[copy->books.exceptions_n - 1].earlier = true;
	return copy_tell(copy, EVENT_EXCEPTION, copy->books.exceptions_n - 1, fault);
}

static int except_rows(struct copy *copy, size_t index, struct ledger_messages *rows, bool removed,
		       struct fault *fault)
{
	int r = 0;

	for (size_t i = 0; i < rows->n && r == 0; i++)
		if (removed == (rows->p[i].state == LEDGER_REMOVED))
			r = copy_links_except(copy, index, &rows->p[i], fault);
	ledger_messages_done(rows);
	return r;
}

int copy_links_except_all(struct copy *copy, size_t index, struct fault *fault)
{
	const struct ledger_folder *known = copy->links[index].known;
	const struct ledger_tally *t = &known->tally;
	uint64_t rows = t->copied + t->gone + t->excepted + t->removed;
	uint64_t lost = t->excepted + t->removed, before = copy->books.folders[index].excepted;
	struct ledger_messages loaded;
	int r;

	if (!lost && t->noted[0] == rows)
		return 0;

	r = ledger_load_causes(copy->options.ledger, known->id, EXCEPTIONS_SHOWN, &loaded, fault);
	if (r < 0)
		return -1;
	r = except_rows(copy, index, &loaded, false, fault);
	if (r == 0 && t->removed) {
		if (ledger_load_state(copy->options.ledger, known->id, LEDGER_REMOVED, EXCEPTIONS_SHOWN,
				      &loaded, fault) < 0)
			return -1;
		r = except_rows(copy, index, &loaded, true, fault);
	}
	copy->books.folders[index].excepted = before + lost; /* also those too many to be listed */
	return r;
}

int copy_links_load_exceptions(struct copy *copy, struct fault *fault)
{
	for (size_t i = 0; i < copy->books.n; i++)
		if (copy->links[i].unchanged && copy_links_except_all(copy, i, fault) < 0)
			return -1;

	return 0;
}

/* --- folders that are no more ------------------------------------------------------------------- */

static bool is_renamed(const struct copy *copy, const struct ledger_folder *known)
{
	struct map_entry entry;
	size_t at = 0;

	while (map_next(&copy->renamed, &at, &entry))
		if (entry.value == known)
			return true;

	return false;
}

/* Excluded folders are listed, and so not lost. */
static void names_at_source(const struct copy *copy, struct map *names)
{
	for (size_t i = 0; i < copy->source.n; i++)
		map_put(names, copy->source.p[i].name, &copy->source.p[i]);
}

static int settle_formers(struct copy *copy, struct fault *fault)
{
	for (size_t i = 0; i < copy->books.n; i++) {
		struct ledger_folder *f;
		size_t at = 0;

		while ((f = copy_link_next_former(copy, i, &at)))
			if (copy_settle_lost(copy, f, fault) < 0)
				return -1;
	}
	return 0;
}

static bool is_lost(const struct copy *copy, const struct ledger_folder *known, const struct map *names)
{
	return known->current && !map_has(names, known->source_name) && !is_renamed(copy, known);
}

bool copy_links_any_lost(const struct copy *copy)
{
	_cleanup_(map_done) struct map names = { .n_slots = 0 };

	names_at_source(copy, &names);
	for (size_t i = 0; i < copy->known_n; i++)
		if (is_lost(copy, &copy->known[i], &names))
			return true;

	return false;
}

int copy_links_lost(struct copy *copy, struct fault *fault)
{
	_cleanup_(map_done) struct map names = { .n_slots = 0 };

	names_at_source(copy, &names);
	for (size_t i = 0; i < copy->known_n; i++)
		if (is_lost(copy, &copy->known[i], &names) &&
		    (copy_settle_lost(copy, &copy->known[i], fault) < 0 ||
		     copy_vanished_add_folder(copy, &copy->known[i], NULL, fault) < 0))
			return -1;

	return settle_formers(copy, fault);
}

/* With a mark the next pass looks once more (D10). */
static void forget(struct copy *copy, struct ledger_folder *folder)
{
	folder->current = folder->mark;
	folder->complete = false;
	ledger_put_folder(copy->options.ledger, folder);
}

void copy_links_forget_lost(struct copy *copy)
{
	_cleanup_(map_done) struct map names = { .n_slots = 0 };

	names_at_source(copy, &names);
	for (size_t i = 0; i < copy->known_n; i++) {
		if (!is_lost(copy, &copy->known[i], &names))
			continue;
		forget(copy, &copy->known[i]);
	}
	for (size_t i = 0; i < copy->books.n; i++) {
		struct ledger_folder *f;
		size_t at = 0;

		while (copy->links[i].formers_lost && (f = copy_link_next_former(copy, i, &at)))
			forget(copy, f);
	}
}
