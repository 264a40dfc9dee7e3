/* SPDX-License-Identifier: Apache-2.0 */
/* Folders under other names: which of those listed now is which of the ledger's, and renaming at the destination what was
 * renamed at the source. A folder is known again by its MAILBOXID, or by its UIDVALIDITY where only one folder has that; a
 * few of its messages are looked at before that is believed, because servers give UIDVALIDITYs by the second. */
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "copy/links.h"
#include "copy/worker.h"
#include "imap/write.h"

enum { RENAMES_LOOKED_FOR = 2000 };

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

void copy_link_forget_rename(struct copy *copy, const struct ledger_folder *known)
{
	char fact[FACT];

	if (ledger_fact(copy->options.ledger, renaming(known, fact)))
		ledger_set_fact(copy->options.ledger, fact, NULL);
}

/* --- known again ------------------------------------------------------------------------------ */

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

		if (!could_be(f, object, uidvalidity, uidnext) || map_has(names, f->name))
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
	_cleanup_(freep) struct imap_range *ranges = NULL;
	size_t n = 0, capacity = 0;
	uint32_t last = 0;

	/* Copies stand in the order of their messages, nearly all. */
	for (size_t i = 0; i < rows->n; i++) {
		uint32_t uid = there ? rows->p[i].copy_uid : rows->p[i].uid;

		if (uid <= last)
			continue;
		imap_set_add(&ranges, &n, &capacity, uid);
		last = uid;
	}
	return n ? imap_fetch_items_of(session, ranges, n, IMAP_ITEM_DATE, found, fault) : 0;
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
	if (r == 0 && session->selected.is_selected)
		r = imap_unselect(session, now->name, fault);
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

int copy_links_find_renames(struct copy *copy, struct fault *fault)
{
	follow_our_own(copy);
	if (follow_at_destination(copy, fault) < 0)
		return -1;

	return find_renamed(copy, fault);
}

/* --- renaming --------------------------------------------------------------------------------- */

static int list_destination_again(struct copy *copy, struct fault *fault)
{
	_cleanup_(map_done) struct map by_name = { .n_slots = 0 };
	struct imap_folders now;
	int r = imap_list(copy->to, false, &now, fault);

	map_init(&by_name, copy->renamed.seed);
	if (r == 0)
		r = imap_status_all(copy->to, &now, false, fault);
	for (size_t i = 0; i < now.n && r == 0; i++)
		map_put(&by_name, now.p[i].name, &now.p[i]);
	for (size_t i = 0; i < copy->books.n && r == 0; i++) {
		const struct imap_folder *f = copy->links[i].rename
					      ? map_get(&by_name, copy->books.folders[i].destination_name) : NULL;

		if (!f)
			continue;
		copy->links[i].destination = copy_seen_of(f);
		copy->links[i].destination_told = f->flags & IMAP_FOLDER_STATUS;
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
		map_remove(&copy->renamed, folder->source_name);
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
		copy_link_take_name(copy, i);
		link->known->complete = false;
		ledger_set_fact(copy->options.ledger, renaming(link->known, fact), NULL);
	}
	put_followed(copy);
	return ledger_commit(copy->options.ledger, fault);
}
