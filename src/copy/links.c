/* SPDX-License-Identifier: Apache-2.0 */
/* See links.h. A folder is known by its raw source name and its UIDVALIDITY. It is known again under another name by its
 * MAILBOXID, or by its UIDVALIDITY where only one folder has that; at the source a few of its messages are looked at
 * before that is believed, because servers give UIDVALIDITYs by the second. */
#include "copy/links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/survey.h"
#include "copy/worker.h"

enum { RENAMES_LOOKED_FOR = 2000, EXCEPTIONS_SHOWN = 10000 };

struct imap_folder *copy_listed_there(const struct copy *copy, struct bytes name)
{
	return map_get(&copy->destination_by_name, name);
}

static struct ledger_seen seen_of(const struct imap_folder *f)
{
	return (struct ledger_seen){
		.uidvalidity = (uint32_t)f->uidvalidity, .uidnext = (uint32_t)f->uidnext,
		.messages = (uint32_t)f->messages, .modseq = f->highestmodseq,
	};
}

static bool is_inbox(struct bytes name)
{
	return bytes_equal_nocase(name, BYTES("INBOX"));
}

/* The fact by which the ledger knows of a RENAME under way. */
enum { FACT = 32 };

static const char *renaming(const struct ledger_folder *folder, char to[FACT])
{
	snprintf(to, FACT, "renaming-%u", folder->id);
	return to;
}

/* --- renamed folders -------------------------------------------------------------------------- */

static bool could_be(const struct imap_folder *f, struct bytes object, uint32_t uidvalidity,
		     uint32_t uidnext)
{
	if (f->flags & IMAP_FOLDER_NOSELECT || is_inbox(f->name))
		return false;
	if (object.n && f->object.n)
		return bytes_equal(object, f->object);

	return uidvalidity && f->uidvalidity == uidvalidity && f->uidnext >= uidnext;
}

/* The one folder that could be it and whose name is not known; NULL when there is none, or more than one. */
static const struct imap_folder *only_candidate(const struct imap_folders *folders,
						const struct map *names, struct bytes object,
						uint32_t uidvalidity, uint32_t uidnext)
{
	const struct imap_folder *found = NULL;

	for (size_t i = 0; i < folders->n; i++) {
		const struct imap_folder *f = &folders->p[i];

		if (map_has(names, f->name) || !could_be(f, object, uidvalidity, uidnext))
			continue;
		if (found)
			return NULL;
		found = f;
	}
	return found;
}

static int fetch_dates(struct imap_session *session, const struct ledger_messages *rows, bool there,
		       struct imap_messages *found, struct fault *fault)
{
	uint32_t low = UINT32_MAX, high = 0;

	for (size_t i = 0; i < rows->n; i++) {
		uint32_t uid = there ? rows->p[i].copy_uid : rows->p[i].uid;

		if (uid && uid < low)
			low = uid;
		if (uid > high)
			high = uid;
	}
	return high ? imap_fetch_items(session, low, high, IMAP_ITEM_DATE, found, fault) : 0;
}

/* Whether the folder holds the messages that the ledger knows: the first of them, by date. The UIDs are those of the
 * source, or (there) of the copies. */
static int looks_the_same(struct copy *copy, const struct ledger_folder *known,
			  const struct imap_folder *now, bool there, struct fault *fault)
{
	enum { LOOK = 20 };
	struct imap_session *session = there ? copy->to : copy->from;
	struct ledger_messages rows;
	struct imap_messages found;
	unsigned same = 0, others = 0;
	int r;

	imap_messages_init(&found);
	r = ledger_load_next(copy->options.ledger, known->id, 0, LOOK, &rows, fault);
	if (r == 0 && rows.n == 0 && known->source.messages == 0 && now->messages == 0)
		same = 1; /* empty then and now */
	if (r == 0 && rows.n && imap_select(session, now->name, true, fault) < 0)
		r = -1;
	if (r == 0 && rows.n && session->selected.exists)
		r = fetch_dates(session, &rows, there, &found, fault);
	for (size_t i = 0; i < rows.n && r == 0; i++) {
		uint32_t uid = there ? rows.p[i].copy_uid : rows.p[i].uid;
		const struct imap_message *m = uid ? imap_messages_find(&found, uid) : NULL;

		same += m && m->date == rows.p[i].date;
		others += m && m->date != rows.p[i].date;
	}
	ledger_messages_done(&rows);
	imap_messages_done(&found);
	if (r < 0)
		return fault->reach > REACH_FOLDER ? -1 : 0;

	return same > 0 && others == 0;
}

/* The destination's folder has another name: for every row that speaks of it, also of folders that are no more. The rows
 * are written by copy_links_rename(), in the pass. */
static void destination_renamed(struct copy *copy, struct bytes from, struct bytes to)
{
	for (size_t i = 0; i < copy->known_n; i++)
		if (bytes_equal(copy->known[i].destination_name, from))
			copy->known[i].destination_name = to;

	copy->followed = true;
}

/* A user renamed the folder on the new side: it stays the copy of what it was the copy of. */
static int follow_at_destination(struct copy *copy, struct fault *fault)
{
	_cleanup_(map_done) struct map names = { .n_slots = 0 };
	unsigned looked = 0;

	for (size_t i = 0; i < copy->known_n; i++)
		if (copy->known[i].current)
			map_put(&names, copy->known[i].destination_name, copy);

	for (size_t i = 0; i < copy->known_n; i++) {
		struct ledger_folder *k = &copy->known[i];
		const struct imap_folder *now;
		int r;

		if (!k->current || !k->destination_uidvalidity ||
		    copy_listed_there(copy, k->destination_name) || looked++ > RENAMES_LOOKED_FOR)
			continue;
		now = only_candidate(&copy->destination, &names, BYTES_NULL,
				     k->destination_uidvalidity, k->destination.uidnext);
		r = now ? looks_the_same(copy, k, now, true, fault) : 0;
		if (r < 0)
			return -1;
		if (r == 0)
			continue;
		destination_renamed(copy, k->destination_name, now->name);
		map_put(&names, now->name, copy);
	}
	return 0;
}

/* A pass that stopped had said so before it renamed the folder, and had not got to note that it had. */
static void follow_our_own(struct copy *copy)
{
	for (size_t i = 0; i < copy->known_n; i++) {
		struct ledger_folder *k = &copy->known[i];
		char fact[FACT];
		const char *to = k->current ? ledger_fact(copy->options.ledger, renaming(k, fact)) : NULL;

		if (to && !copy_listed_there(copy, k->destination_name) && copy_listed_there(copy, bytes_of(to)))
			destination_renamed(copy, k->destination_name,
					    arena_copy(&copy->known_arena, bytes_of(to)));
	}
}

static int find_renamed(struct copy *copy, struct fault *fault)
{
	_cleanup_(map_done) struct map listed = { .n_slots = 0 }, names = { .n_slots = 0 };
	unsigned looked = 0;

	for (size_t i = 0; i < copy->source.n; i++)
		map_put(&listed, copy->source.p[i].name, copy);
	for (size_t i = 0; i < copy->known_n; i++)
		if (copy->known[i].current)
			map_put(&names, copy->known[i].source_name, copy);

	for (size_t i = 0; i < copy->known_n; i++) {
		struct ledger_folder *k = &copy->known[i];
		const struct imap_folder *now;
		int r;

		if (!k->current || map_has(&listed, k->source_name) || is_inbox(k->source_name) ||
		    looked++ > RENAMES_LOOKED_FOR)
			continue;
		now = only_candidate(&copy->source, &names, k->source_object, k->source_uidvalidity,
				     k->source.uidnext);
		if (!now)
			continue;
		r = looks_the_same(copy, k, now, false, fault);
		if (r < 0)
			return -1;
		if (r == 0)
			continue;
		map_put(&names, now->name, copy);
		map_put(&copy->renamed, now->name, k);
	}
	return 0;
}

int copy_links_load(struct copy *copy, struct fault *fault)
{
	arena_done(&copy->known_arena);
	map_done(&copy->destination_by_name);
	map_done(&copy->renamed);
	copy->known_n = 0;
	for (size_t i = 0; i < copy->destination.n; i++)
		map_put(&copy->destination_by_name, copy->destination.p[i].name,
			&copy->destination.p[i]);
	if (!copy->options.ledger)
		return 0;

	if (ledger_load_folders(copy->options.ledger, &copy->known_arena, &copy->known, &copy->known_n,
				fault) < 0)
		return -1;

	follow_our_own(copy);
	if (follow_at_destination(copy, fault) < 0)
		return -1;

	return find_renamed(copy, fault);
}

void copy_links_wishes(struct copy *copy, struct mapping_options *options)
{
	struct mapping_wish *p = arena_alloc(&copy->arena, (copy->known_n + 1) * sizeof(*p));
	size_t n = 0;

	for (size_t i = 0; i < copy->known_n; i++)
		if (copy->known[i].current)
			p[n++] = (struct mapping_wish){ copy->known[i].source_name,
							copy->known[i].destination_name };
	options->known = p;
	options->n_known = n;
}

/* --- what is to be done ----------------------------------------------------------------------- */

static bool same_uids(const struct ledger_seen *a, const struct ledger_seen *b)
{
	return a->uidvalidity && a->uidvalidity == b->uidvalidity && a->uidnext &&
	       a->uidnext == b->uidnext && a->messages == b->messages;
}

/* Something that an earlier pass left, and this one is told to do. */
static bool has_leftovers(const struct copy *copy, const struct ledger_folder *known)
{
	const struct copy_options *o = &copy->options;

	return (o->retry_exceptions && known->tally.excepted) ||
	       (o->recopy_missing && known->tally.removed) ||
	       (o->mirror_deletes && !o->keep_all && known->tally.gone);
}

static bool is_unchanged(const struct copy *copy, const struct copy_link *link)
{
	const struct ledger_folder *known = link->known;

	return known && known->complete && !known->mark && link->source_told &&
	       link->destination_told && !link->rename && known->since == copy->options.since &&
	       known->before == copy->options.before &&
	       same_uids(&known->source, &link->source) && known->source.modseq &&
	       known->source.modseq == link->source.modseq &&
	       same_uids(&known->destination, &link->destination) && !has_leftovers(copy, known);
}

struct ledger_folder *copy_link_next_former(const struct copy *copy, size_t index, size_t *at)
{
	const struct copy_link *link = &copy->links[index];

	while (link->formers && *at < copy->known_n) {
		struct ledger_folder *f = &copy->known[(*at)++];

		if (f->current && f != link->known &&
		    bytes_equal(f->source_name, copy->books.folders[index].source_name))
			return f;
	}
	return NULL;
}

/* The row that speaks of the folder as it is now, of those that have its name: the newest. */
static void put_newest(struct map *by_name, struct ledger_folder *f)
{
	const struct ledger_folder *other = map_get(by_name, f->source_name);

	if (!other || (f->current && !other->current) || (f->current == other->current && f->id > other->id))
		map_put(by_name, f->source_name, f);
}

static int link_folder(struct copy *copy, const struct map *by_name, const struct mapping_entry *entry,
		       struct copy_link *link, struct fault *fault)
{
	const struct imap_folder *source = &copy->source.p[entry->source];
	const struct imap_folder *there = copy_listed_there(copy, entry->wire);
	struct ledger_folder *known = map_get(by_name, source->name);

	link->source = seen_of(source);
	link->source_told = source->flags & IMAP_FOLDER_STATUS;
	if (there) {
		link->destination = seen_of(there);
		link->destination_told = there->flags & IMAP_FOLDER_STATUS;
	}
	if (!known) {
		known = map_get(&copy->renamed, source->name);
		link->rename = known && !bytes_equal(known->destination_name, entry->wire);
		if (known && !link->rename)
			known->source_name = source->name;
		/* A folder of the new name is there already: its messages come over one by one. */
		if (link->rename && (there || !copy_listed_there(copy, known->destination_name))) {
			link->rename = false;
			return 0;
		}
	}
	if (!known)
		return 0;

	if (!link->rename && !bytes_equal(known->destination_name, entry->wire) &&
	    copy_listed_there(copy, known->destination_name))
		return fault_usage(fault, "--map: folder %.*s was copied to another one by earlier passes; "
				   "rename that at the destination, or leave this --map out",
				   BYTES_ARG(entry->source_path));

	if (known->source_uidvalidity && link->source.uidvalidity &&
	    known->source_uidvalidity != link->source.uidvalidity) {
		known->current = true;
		link->formers = true;
		return 0;
	}

	known->current = true; /* it may be back after passes without it */
	link->known = known;
	link->unchanged = !link->formers && is_unchanged(copy, link);
	return 0;
}

int copy_links_make(struct copy *copy, struct fault *fault)
{
	_cleanup_(map_done) struct map by_name = { .n_slots = 0 }, there = { .n_slots = 0 };
	_cleanup_(map_done) struct map several = { .n_slots = 0 };
	uint64_t seed;

	run_random(&seed, sizeof(seed));
	map_init(&by_name, seed);
	map_init(&there, seed);
	map_init(&several, seed);
	for (size_t i = 0; i < copy->known_n; i++) {
		if (copy->known[i].current && map_has(&by_name, copy->known[i].source_name))
			map_put(&several, copy->known[i].source_name, copy);
		put_newest(&by_name, &copy->known[i]);
		map_put(&there, copy->known[i].destination_name, copy);
	}

	copy->links = xzalloc((copy->books.n + 1) * sizeof(*copy->links));
	for (size_t i = 0; i < copy->mapping->n_entries; i++) {
		const struct mapping_entry *entry = &copy->mapping->entries[i];

		if (entry->action != MAPPING_COPY)
			continue;
		copy->links[copy->book_of[i]].there_known = map_has(&there, entry->wire);
		copy->links[copy->book_of[i]].formers = map_has(&several, copy->source.p[entry->source].name);
		if (link_folder(copy, &by_name, entry, &copy->links[copy->book_of[i]], fault) < 0)
			return -1;
	}
	return 0;
}

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

/* --- exceptions of earlier passes -------------------------------------------------------------- */

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

/* --- renaming --------------------------------------------------------------------------------- */

static int list_destination_again(struct copy *copy, struct fault *fault)
{
	struct imap_folders now;
	int r = imap_list(copy->to, false, &now, fault);

	if (r == 0)
		r = imap_status_all(copy->to, &now, false, fault);
	for (size_t i = 0; i < copy->books.n && r == 0; i++)
		for (size_t k = 0; k < now.n; k++)
			if (copy->links[i].rename &&
			    bytes_equal(now.p[k].name, copy->books.folders[i].destination_name)) {
				copy->links[i].destination = seen_of(&now.p[k]);
				copy->links[i].destination_told = now.p[k].flags & IMAP_FOLDER_STATUS;
			}
	imap_folders_done(&now);
	return r;
}

static int rename_one(struct copy *copy, size_t index, struct fault *fault)
{
	struct copy_link *link = &copy->links[index];
	struct copy_folder *folder = &copy->books.folders[index];
	struct imap_folder now;
	char fact[FACT];

	/* It may have come along with its parent. */
	if (imap_status(copy->to, folder->destination_name, &now, fault) == 0)
		return 0;
	if (fault->reach > REACH_FOLDER)
		return -1;

	if (imap_rename(copy->to, link->known->destination_name, folder->destination_name, fault) < 0) {
		if (fault->reach > REACH_FOLDER)
			return -1;
		/* Then its messages move, or are copied, one by one. */
		ledger_set_fact(copy->options.ledger, renaming(link->known, fact), NULL);
		link->known = NULL;
		link->rename = false;
		return copy_note(copy, fault, "%s", fault->text);
	}
	return 0;
}

static int intend_renames(struct copy *copy, bool *ret_any, struct fault *fault)
{
	*ret_any = false;
	for (size_t i = 0; i < copy->books.n; i++) {
		const struct copy_link *link = &copy->links[i];
		_cleanup_(freep) char *name = NULL;
		char fact[FACT];

		if (!link->rename)
			continue;
		name = bytes_to_str(copy->books.folders[i].destination_name);
		ledger_set_fact(copy->options.ledger, renaming(link->known, fact), name);
		*ret_any = true;
	}
	return *ret_any ? ledger_commit(copy->options.ledger, fault) : 0;
}

static void put_followed(struct copy *copy)
{
	for (size_t i = 0; i < copy->known_n && copy->followed; i++)
		ledger_put_folder(copy->options.ledger, &copy->known[i]);

	copy->followed = false;
}

int copy_links_rename(struct copy *copy, struct fault *fault)
{
	bool any;

	put_followed(copy);

	if (intend_renames(copy, &any, fault) < 0)
		return -1;

	for (size_t i = 0; i < copy->books.n; i++) {
		if (!copy->links[i].rename)
			continue;
		if (rename_one(copy, i, fault) < 0)
			return -1;
	}
	if (!any)
		return 0;

	if (list_destination_again(copy, fault) < 0)
		return -1;

	for (size_t i = 0; i < copy->books.n; i++) {
		struct copy_link *link = &copy->links[i];
		char fact[FACT];

		if (!link->rename)
			continue;
		map_put(&copy->destination_by_name, copy->books.folders[i].destination_name,
			map_remove(&copy->destination_by_name, link->known->destination_name));
		destination_renamed(copy, link->known->destination_name, copy->books.folders[i].destination_name);
		link->known->source_name = copy->books.folders[i].source_name;
		link->known->complete = false;
		ledger_set_fact(copy->options.ledger, renaming(link->known, fact), NULL);
	}
	put_followed(copy);
	return ledger_commit(copy->options.ledger, fault);
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
		     copy_vanished_add_folder(copy, &copy->known[i], fault) < 0))
			return -1;

	return settle_formers(copy, fault);
}

static void forget(struct copy *copy, struct ledger_folder *folder)
{
	folder->current = folder->complete = false;
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

/* --- after the pass --------------------------------------------------------------------------- */

static int complete(struct copy *copy, size_t index, const struct imap_folder *now, struct fault *fault)
{
	struct copy_link *link = &copy->links[index];
	struct ledger_folder *known = link->known;
	char fact[FACT];

	link->done = false;
	known->complete = true;
	known->source = link->begun;
	known->destination = seen_of(now);
	if (!known->destination_uidvalidity)
		known->destination_uidvalidity = known->destination.uidvalidity;
	known->since = copy->options.since;
	known->before = copy->options.before;
	ledger_put_folder(copy->options.ledger, known);
	if (ledger_fact(copy->options.ledger, renaming(known, fact)))
		ledger_set_fact(copy->options.ledger, fact, NULL);
	return ledger_count_folder(copy->options.ledger, known, fault);
}

bool copy_link_is_worth_it(const struct copy *copy, size_t index)
{
	enum { LARGE = 1000 }; /* messages: to list them again would take a second */

	return copy->links[index].vanished == 0 && copy->books.folders[index].listed >= LARGE;
}

int copy_link_complete(struct copy_worker *w, size_t index, struct fault *fault)
{
	struct copy_link *link = &w->copy->links[index];
	struct imap_folder now;

	if (!link->known || link->incomplete)
		return 0;
	if (imap_status(w->to, link->known->destination_name, &now, fault) < 0)
		return fault->reach > REACH_FOLDER ? -1 : 0;

	return complete(w->copy, index, &now, fault);
}

int copy_links_complete(struct copy *copy, struct imap_session *to, struct fault *fault)
{
	_cleanup_(map_done) struct map by_name = { .n_slots = 0 };
	struct imap_folders now;
	int r = imap_list(to, false, &now, fault);

	if (r == 0)
		r = imap_status_all(to, &now, false, fault);
	for (size_t i = 0; i < now.n && r == 0; i++)
		map_put(&by_name, now.p[i].name, &now.p[i]);
	for (size_t i = 0; i < copy->books.n && r == 0; i++) {
		const struct copy_link *link = &copy->links[i];
		const struct imap_folder *there = link->known && link->done && !link->incomplete
						  ? map_get(&by_name, link->known->destination_name) : NULL;

		if (there && there->flags & IMAP_FOLDER_STATUS)
			r = complete(copy, i, there, fault);
	}
	imap_folders_done(&now);
	return r < 0 ? -1 : 0;
}
