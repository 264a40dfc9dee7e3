/* SPDX-License-Identifier: Apache-2.0 */
/* See links.h. A folder is known by its raw source name and its UIDVALIDITY; renames.c finds it under other names. */
#include "copy/links.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/worker.h"

struct imap_folder *copy_listed_there(const struct copy *copy, struct bytes name)
{
	return map_get(&copy->destination_by_name, name);
}

struct ledger_seen copy_seen_of(const struct imap_folder *f)
{
	return (struct ledger_seen){
		.uidvalidity = (uint32_t)f->uidvalidity, .uidnext = (uint32_t)f->uidnext,
		.messages = (uint32_t)f->messages, .modseq = f->highestmodseq,
	};
}

static int look_for_removals(struct copy *copy, struct fault *fault)
{
	_cleanup_(freep) struct ledger_removal *removals = NULL;
	size_t n;

	if (ledger_load_removals(copy->options.ledger, &removals, &n, fault) < 0)
		return -1;

	copy->any_removals = n;
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
				fault) < 0 || look_for_removals(copy, fault) < 0)
		return -1;

	return copy_links_find_renames(copy, fault);
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

/* Something that an earlier pass left, and this one is to do. */
static bool has_leftovers(const struct copy *copy, const struct ledger_folder *known)
{
	const struct copy_options *o = &copy->options;

	return (o->retry_exceptions && known->tally.excepted) || known->tally.noted[CAUSE_UNAVAILABLE + 1] ||
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
	enum { END = SIZE_MAX };
	const struct copy_link *link = &copy->links[index];
	size_t next = *at ? *at : link->named;

	while (link->formers && next && next != END) {
		struct ledger_folder *f = &copy->known[next - 1];

		next = copy->known_next[next - 1];
		*at = next ? next : END;
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

	link->source = copy_seen_of(source);
	link->object = source->object;
	link->source_told = source->flags & IMAP_FOLDER_STATUS;
	if (there) {
		link->destination = copy_seen_of(there);
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
			map_remove(&copy->renamed, source->name);
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
	if (known->complete) /* else it has not been counted */
		copy->books.folders[link - copy->links].bytes_known = known->tally.bytes;
	link->unchanged = !link->formers && is_unchanged(copy, link);
	return 0;
}

/* Chains of rows that have one source name, in the order of copy->known. */
static void chain_names(struct copy *copy, uint64_t seed)
{
	_cleanup_(map_done) struct map named = { .n_slots = 0 };

	map_init(&named, seed);
	copy->known_next = arena_alloc(&copy->known_arena, (copy->known_n + 1) * sizeof(*copy->known_next));
	for (size_t i = copy->known_n; i-- > 0;)
		copy->known_next[i] = (size_t)(uintptr_t)map_put(&named, copy->known[i].source_name,
								 (void *)(uintptr_t)(i + 1));
	for (size_t i = 0; i < copy->books.n; i++)
		copy->links[i].named = (size_t)(uintptr_t)map_get(&named, copy->books.folders[i].source_name);
}

void copy_link_take_name(struct copy *copy, size_t index)
{
	struct copy_link *link = &copy->links[index];
	size_t i = (size_t)(link->known - copy->known);

	link->known->source_name = copy->books.folders[index].source_name;
	if (link->named == i + 1) /* done before, by a try that was interrupted */
		return;
	copy->known_next[i] = link->named; /* its old name is no folder's any more */
	link->named = i + 1;
}

/* Whether other rows than the folder's own speak of its destination. */
static bool is_shared(const struct map *rows_of, const struct copy_link *link, struct bytes destination)
{
	return (uintptr_t)map_get(rows_of, destination) > (link->known ? 1 : 0);
}

/* A pass that adopts may have stopped while it still looked at what is there. Some servers tell no UIDVALIDITY. */
static bool was_filled(const struct ledger_folder *known)
{
	return known->destination_uidvalidity || known->complete || known->mark;
}

int copy_links_make(struct copy *copy, struct fault *fault)
{
	_cleanup_(map_done) struct map by_name = { .n_slots = 0 }, there = { .n_slots = 0 };
	_cleanup_(map_done) struct map several = { .n_slots = 0 }, rows_of = { .n_slots = 0 };
	uint64_t seed;

	run_random(&seed, sizeof(seed));
	map_init(&by_name, seed);
	map_init(&there, seed);
	map_init(&several, seed);
	map_init(&rows_of, seed);
	for (size_t i = 0; i < copy->known_n; i++) {
		struct ledger_folder *f = &copy->known[i];

		if (f->current && map_has(&by_name, f->source_name))
			map_put(&several, f->source_name, copy);
		put_newest(&by_name, f);
		if (was_filled(f))
			map_put(&there, f->destination_name, copy);
		map_put(&rows_of, f->destination_name,
			(void *)((uintptr_t)map_get(&rows_of, f->destination_name) + 1));
	}

	copy->links = xzalloc((copy->books.n + 1) * sizeof(*copy->links));
	for (size_t i = 0; i < copy->mapping->n_entries; i++) {
		const struct mapping_entry *entry = &copy->mapping->entries[i];
		struct copy_link *link;

		if (entry->action != MAPPING_COPY)
			continue;
		link = &copy->links[copy->book_of[i]];
		link->there_known = map_has(&there, entry->wire);
		link->formers = map_has(&several, copy->source.p[entry->source].name);
		if (link_folder(copy, &by_name, entry, link, fault) < 0)
			return -1;
		link->there_shared = is_shared(&rows_of, link,
					       link->rename ? link->known->destination_name : entry->wire);
	}
	chain_names(copy, seed);
	return 0;
}

/* --- after the pass --------------------------------------------------------------------------- */

/* What the destination holds is what it held when we looked for our copies, and what we did since. If not, somebody else
 * was at work, and may have removed some: another message that came meanwhile makes up for the number, but not for the
 * UID it got. */
static bool adds_up(const struct copy *copy, size_t index, const struct ledger_seen *now)
{
	const struct copy_link *link = &copy->links[index];
	const struct copy_folder *folder = &copy->books.folders[index];
	const struct ledger_seen *then = &link->surveyed_there;
	uint64_t in = folder->copied + link->taken_in, out = link->taken_out + folder->deleted;

	return now->uidvalidity == then->uidvalidity && now->messages + out == then->messages + in &&
	       now->uidnext - then->uidnext <= in;
}

static int complete(struct copy *copy, size_t index, const struct imap_folder *now, struct fault *fault)
{
	struct copy_link *link = &copy->links[index];
	struct ledger_folder *known = link->known;

	/* Before it says complete: the next pass believes the numbers of a complete folder. */
	if (ledger_count_folder(copy->options.ledger, known, fault) < 0)
		return -1;

	link->done = false;
	known->complete = true;
	known->source = link->begun;
	known->destination = copy_seen_of(now);
	/* Numbers of the end would hide what was removed by then: with none the next pass looks. */
	if (link->surveyed_there.uidvalidity && !adds_up(copy, index, &known->destination))
		known->destination = (struct ledger_seen){ .uidvalidity = (uint32_t)now->uidvalidity };
	if (!known->destination_uidvalidity)
		known->destination_uidvalidity = known->destination.uidvalidity;
	known->since = copy->options.since;
	known->before = copy->options.before;
	ledger_put_folder(copy->options.ledger, known);
	copy_link_forget_rename(copy, known);
	return 0;
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
