/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that left their source folder: found again elsewhere (moves.c), or gone. What is gone at the source stays
 * at the destination, and its row says so; where deletions are mirrored it is removed there too, but never more of
 * a folder than the limit allows, and never where anything speaks for keeping it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/survey.h"
#include "imap/write.h"

enum {
	EARLIER = 1000000,  /* rows of earlier passes that are looked through for moves */
	ALWAYS_FEW = 10,    /* so many may be deleted whatever their share, if others stay */
};

static struct copy_vanished *add(struct copy *copy, struct ledger_folder *folder, struct copy_link *link,
				 const struct ledger_message *row)
{
	struct copy_vanished *v;

	copy->vanished = xgrow(copy->vanished, &copy->vanished_size, copy->vanished_n + 1, sizeof(*v));
	v = &copy->vanished[copy->vanished_n++];
	*v = (struct copy_vanished){
		.folder = folder, .link = link, .place = link, .uid = row->uid, .copy_uid = row->copy_uid,
		.copy_uidvalidity = folder->destination_uidvalidity,
		.size = row->size, .date = row->date, .has_digest = row->has & LEDGER_HAS_DIGEST,
		.before = row->state == LEDGER_GONE, .flags = row->flags,
		.copy_flags = row->copy_flags,
	};
	memcpy(v->digest, row->digest, sizeof(v->digest));
	if (link && !v->before)
		link->vanished++;
	return v;
}

/* A survey that lists all rows meets those claimed, too. */
static bool is_claimed(const struct copy *copy, const struct copy_link *link, uint32_t uid)
{
	size_t left = link ? link->claimed : 0; /* they come before what a survey adds */

	for (size_t i = 0; left && i < copy->vanished_n; i++) {
		if (copy->vanished[i].link != link || !copy->vanished[i].claimed)
			continue;
		if (copy->vanished[i].uid == uid)
			return true;
		left--;
	}
	return false;
}

void copy_vanished_add(struct copy *copy, struct ledger_folder *folder, struct copy_link *link,
		       const struct ledger_message *row)
{
	if (!is_claimed(copy, link, row->uid))
		add(copy, folder, link, row);
}

void copy_vanished_claim(struct copy *copy, struct ledger_folder *folder, struct copy_link *link,
			 const struct ledger_message *row)
{
	add(copy, folder, link, row)->claimed = true;
	link->claimed++;
}

void copy_vanished_forget_link(struct copy *copy, struct copy_link *link)
{
	size_t kept = 0;

	if (!link->vanished)
		return;

	for (size_t i = 0; i < copy->vanished_n; i++)
		if (copy->vanished[i].link != link || copy->vanished[i].claimed)
			copy->vanished[kept++] = copy->vanished[i];
	copy->vanished_n = kept;
	link->vanished = link->claimed;
	link->without_copy = 0;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void copy_vanished_without_copy(struct copy *copy, struct copy_link *link, const uint32_t *missing, size_t n)
{
	for (size_t i = 0; i < copy->vanished_n && link->vanished; i++) {
		struct copy_vanished *v = &copy->vanished[i];

		if (v->link != link || !v->copy_uid ||
		    !bsearch(&v->copy_uid, missing, n, sizeof(*missing), by_number))
			continue;
		ledger_forget_message(copy->options.ledger, v->folder->id, v->uid);
		v->copy_uid = 0;
		link->without_copy++;
	}
}

int copy_vanished_add_folder(struct copy *copy, struct ledger_folder *folder, struct copy_link *place,
			     struct fault *fault)
{
	enum { ROWS = 4096 };
	uint32_t after = 0;

	for (;;) {
		struct ledger_messages rows;
		size_t n;
		int r = ledger_load_next(copy->options.ledger, folder->id, after, ROWS, &rows, fault);

		for (size_t i = 0; i < rows.n && r == 0; i++) {
			after = rows.p[i].uid;
			if (rows.p[i].state == LEDGER_COPIED)
				add(copy, folder, NULL, &rows.p[i])->place = place;
		}
		n = rows.n;
		ledger_messages_done(&rows);
		if (r < 0 || n < ROWS)
			return r;
	}
}

/* --- to be found again ------------------------------------------------------------------------- */

static struct bytes id_of(const struct ledger_folder *folder)
{
	return (struct bytes){ (const char *)&folder->id, sizeof(folder->id) };
}

static void add_earlier(struct copy *copy, const struct ledger_messages *rows)
{
	_cleanup_(map_done) struct map folders = { .n_slots = 0 }, links = { .n_slots = 0 };

	for (size_t i = 0; i < copy->known_n && rows->n; i++)
		map_put(&folders, id_of(&copy->known[i]), &copy->known[i]);
	for (size_t i = 0; i < copy->books.n && rows->n; i++)
		if (copy->links[i].known)
			map_put(&links, id_of(copy->links[i].known), &copy->links[i]);

	for (size_t i = 0; i < rows->n; i++) {
		struct ledger_folder wanted = { .id = rows->p[i].folder };
		struct ledger_folder *folder = map_get(&folders, id_of(&wanted));

		if (folder)
			copy_vanished_add(copy, folder, map_get(&links, id_of(folder)), &rows->p[i]);
	}
}

static struct bytes look_of(const struct copy_vanished *v, char to[16])
{
	memcpy(to, &v->size, 8);
	memcpy(to + 8, &v->date, 8);
	return (struct bytes){ to, 16 };
}

static void build_index(struct copy *copy)
{
	for (size_t i = copy->vanished_n; i-- > 0;) {
		struct copy_vanished *v = &copy->vanished[i];
		char key[16];

		if (!v->copy_uid || !v->has_digest)
			continue;
		v->next = (size_t)(uintptr_t)map_put(&copy->vanished_by_look, look_of(v, key),
						     (void *)(uintptr_t)(i + 1));
	}
}

/* Several workers may come here at once: the first whose rows have come builds it, the others find it built. */
int copy_vanished_index(struct copy *copy, struct fault *fault)
{
	struct ledger_messages rows;
	int r;

	if (copy->vanished_loaded)
		return 0;

	r = ledger_load_state(copy->options.ledger, 0, LEDGER_GONE, EARLIER, &rows, fault);
	if (r == 0 && !copy->vanished_loaded) {
		copy->vanished_loaded = true;
		add_earlier(copy, &rows);
		build_index(copy);
	}
	ledger_messages_done(&rows);
	return r < 0 ? -1 : 0;
}

struct copy_vanished *copy_vanished_find(struct copy *copy, uint64_t size, int64_t date)
{
	struct copy_vanished wanted = { .size = size, .date = date };
	char key[16];
	size_t at = (size_t)(uintptr_t)map_get(&copy->vanished_by_look, look_of(&wanted, key));

	return at ? &copy->vanished[at - 1] : NULL;
}

/* --- gone ------------------------------------------------------------------------------------- */

static int by_folder(const void *a, const void *b)
{
	const struct copy_vanished *x = a, *y = b;

	if (x->folder->id != y->folder->id)
		return x->folder->id < y->folder->id ? -1 : 1;
	return x->copy_uid < y->copy_uid ? -1 : x->copy_uid > y->copy_uid;
}

/* The counter of a folder, or that of folders which the source has no more. */
static uint64_t *count_of(struct copy *copy, const struct copy_vanished *v, bool deleted)
{
	struct copy_folder *f = v->place ? &copy->books.folders[v->place - copy->links] : &copy->books.lost;

	return deleted ? &f->deleted : &f->gone;
}

static void note_gone(struct copy *copy)
{
	for (size_t i = 0; i < copy->vanished_n; i++) {
		struct copy_vanished *v = &copy->vanished[i];

		if (v->moved || v->before)
			continue;
		/* (Those without copy have no row that this could change.) */
		ledger_set_state(copy->options.ledger, v->folder->id, v->uid, LEDGER_GONE, 0);
		++*count_of(copy, v, false);
		v->before = true;
	}
}

/* Of those that no pass will open again. Their numbers tell whether something is left to be mirrored. */
static int count_lost(struct copy *copy, struct fault *fault)
{
	for (size_t i = 0; i < copy->known_n; i++) {
		struct ledger_folder *f = &copy->known[i];

		if (!f->current && (f->tally.copied || (copy->options.mirror_deletes && f->tally.gone)) &&
		    ledger_count_folder(copy->options.ledger, f, fault) < 0)
			return -1;
	}
	return 0;
}

bool copy_vanished_any_left(const struct copy *copy)
{
	for (size_t i = 0; i < copy->known_n; i++)
		if (!copy->known[i].current && copy->known[i].tally.gone)
			return copy->options.mirror_deletes && !copy->options.keep_all;

	return false;
}

/* How many copies of the folder stay: its rows are counted as they are now, with those that got other UIDs at the source. */
static int count_staying(struct copy *copy, const struct copy_vanished *v, uint64_t *ret, struct fault *fault)
{
	struct ledger_folder *now = v->place ? v->place->known : NULL;

	if (ledger_count_folder(copy->options.ledger, v->folder, fault) < 0)
		return -1;

	*ret = v->folder->tally.copied;
	if (!now || now == v->folder || !bytes_equal(now->destination_name, v->folder->destination_name))
		return 0;
	if (ledger_count_folder(copy->options.ledger, now, fault) < 0)
		return -1;

	*ret += now->tally.copied;
	return 0;
}

/* Whether n copies of a folder may be deleted. A few may go whatever their share, or a folder of five would never follow; but
 * not the last ones, because a source that seems empty is more often broken. */
static int within_limit(struct copy *copy, const struct copy_vanished *v, uint64_t n, bool *ret, uint64_t *ret_stay,
			struct fault *fault)
{
	unsigned percent = copy->options.delete_limit;
	uint64_t all;

	if (count_staying(copy, v, ret_stay, fault) < 0)
		return -1;

	all = *ret_stay + v->folder->tally.gone;
	*ret = percent >= 100 ||
	       (percent && *ret_stay && (n <= ALWAYS_FEW || n * 100 <= all * percent));
	return 0;
}

/* The copies are no more. uidvalidity: those that their UIDs were of, 0 for all. */
static void note_mirrored(struct copy *copy, struct copy_vanished *v, size_t n, uint32_t uidvalidity)
{
	for (size_t i = 0; i < n; i++) {
		if (!v[i].copy_uid || (uidvalidity && v[i].copy_uidvalidity != uidvalidity))
			continue;
		ledger_set_state(copy->options.ledger, v->folder->id, v[i].uid, LEDGER_GONE, LEDGER_MIRRORED);
		ledger_drop_removal(copy->options.ledger, v->folder->id, v[i].uid);
		v[i].copy_uid = 0;
	}
}

static int hold(struct copy *copy, const struct copy_vanished *v, uint64_t n, const char *why,
		struct fault *fault)
{
	char detail[500];

	snprintf(detail, sizeof(detail), "%" PRIu64 " messages left it at the source and stay at the destination: %.250s",
		 n, why);
	return copy_except_known(copy, v->folder, CAUSE_DELETES_HELD, n, detail, fault);
}

/* UIDs of another folder that had this name would hit other messages: the next pass knows the right ones. */
static size_t set_of_copies(const struct copy_vanished *v, size_t n, uint32_t uidvalidity,
			    struct imap_range **ranges, size_t *ranges_n)
{
	size_t capacity = 0, found = 0;
	uint32_t last = 0;

	for (size_t i = 0; i < n; i++) {
		if (!v[i].copy_uid || v[i].copy_uidvalidity != uidvalidity)
			continue;
		if (v[i].copy_uid > last)
			imap_set_add(ranges, ranges_n, &capacity, v[i].copy_uid);
		last = v[i].copy_uid;
		found++;
	}
	return found;
}

/* Whether a listing of the copies is all there is. */
static bool is_whole(const struct imap_session *to, const struct imap_messages *there)
{
	return !there->incomplete && there->n >= to->selected.exists;
}

/* Who has gone from the destination, too, is neither removed nor counted as kept. A copy that does not come when it is asked
 * for may be there: only a listing of all tells. Their folder is selected. */
static int drop_absent(struct copy *copy, struct copy_worker *w, struct copy_vanished *v, size_t n,
		       struct fault *fault)
{
	_cleanup_(freep) struct imap_range *ranges = NULL;
	uint32_t uidvalidity = w->to->selected.uidvalidity;
	struct imap_messages there;
	size_t ranges_n = 0, found;
	int r = 0;

	if (!uidvalidity)
		return 0;

	imap_messages_init(&there);
	found = set_of_copies(v, n, uidvalidity, &ranges, &ranges_n);
	if (found)
		r = imap_fetch_items_of(w->to, ranges, ranges_n, IMAP_ITEM_FLAGS, &there, fault);
	for (size_t i = 0; i < n; i++) {
		const struct imap_message *m = imap_messages_find(&there, v[i].copy_uid);

		v[i].was_deleted = !m || copy_is_marked_deleted(&there, m);
	}
	if (r == 0 && there.n < found) {
		r = imap_fetch_items(w->to, 1, UINT32_MAX, 0, &there, fault);
		for (size_t i = 0; i < n && r == 0 && is_whole(w->to, &there); i++) {
			if (!v[i].copy_uid || v[i].copy_uidvalidity != uidvalidity ||
			    imap_messages_find(&there, v[i].copy_uid))
				continue;
			ledger_forget_message(copy->options.ledger, v->folder->id, v[i].uid);
			v[i].copy_uid = 0;
		}
	}
	imap_messages_done(&there);
	return r;
}

static size_t count_copies(const struct copy_vanished *v, size_t n)
{
	size_t copies = 0;

	for (size_t i = 0; i < n; i++)
		copies += v[i].copy_uid != 0;

	return copies;
}

/* Durable before \Deleted is set, so that no copy keeps it if the pass ends before it is expunged. */
static int make_intents_durable(struct copy *copy, const struct copy_vanished *v, size_t n, uint32_t uidvalidity,
				struct fault *fault)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].copy_uid && v[i].copy_uidvalidity == uidvalidity)
			ledger_put_removal(copy->options.ledger, &(struct ledger_removal){
				.folder = v[i].folder->id, .uid = v[i].uid, .copy_uid = v[i].copy_uid,
				.uidvalidity = uidvalidity, .was_deleted = v[i].was_deleted,
				.stage = LEDGER_DELETES,
			});

	return ledger_commit(copy->options.ledger, fault);
}

/* \Deleted is set first, and only what we set it on is expunged: what the user deleted there is hers. The folder is selected. */
static int delete_copies(struct copy *copy, struct copy_worker *w, struct copy_vanished *v, size_t n,
			 struct fault *fault)
{
	_cleanup_(freep) struct imap_range *ranges = NULL;
	uint32_t uidvalidity = w->to->selected.uidvalidity;
	size_t ranges_n = 0, found = set_of_copies(v, n, uidvalidity, &ranges, &ranges_n);

	if (!found)
		return 0;

	if (make_intents_durable(copy, v, n, uidvalidity, fault) < 0 ||
	    imap_store(w->to, ranges, ranges_n, true, "\\Deleted", fault) < 0 ||
	    imap_expunge(w->to, ranges, ranges_n, fault) < 0)
		return -1;

	note_mirrored(copy, v, n, uidvalidity);
	*count_of(copy, v, true) += found;
	return 0;
}

/* What is there to be removed: why it is not, in words, or "" if it may be. */
static int may_delete(struct copy *copy, struct copy_worker *w, const struct copy_vanished *v, uint64_t copies,
		      char why[250], struct fault *fault)
{
	uint64_t stay;
	bool within;

	why[0] = '\0';
	if (copy->options.keep_all)
		snprintf(why, 250, "%s", copy->options.keep_all);
	else if (!imap_can(&w->to->capabilities, IMAP_CAP_UIDPLUS))
		snprintf(why, 250, "this server cannot remove single messages (no UIDPLUS)");
	else if (!w->to->selected.uidvalidity)
		snprintf(why, 250, "this server does not tell which folder its UIDs are of (no UIDVALIDITY)");
	else if (within_limit(copy, v, copies, &within, &stay, fault) < 0)
		return -1;
	else if (!within && !stay && copy->options.delete_limit)
		snprintf(why, 250, "that is all of the folder (--delete-limit 100 lets them go)");
	else if (!within)
		snprintf(why, 250, "that is more than %u %% of the folder (--delete-limit)",
			 copy->options.delete_limit);
	return 0;
}

static int mirror_selected(struct copy *copy, struct copy_worker *w, struct copy_vanished *v, size_t n,
			   const struct fault *refused, struct fault *fault)
{
	uint64_t copies;
	char why[250];

	if (drop_absent(copy, w, v, n, fault) < 0)
		return -1;
	copies = count_copies(v, n);
	if (!copies)
		return 0;
	if (may_delete(copy, w, v, copies, why, fault) < 0)
		return -1;
	if (!why[0] && refused)
		snprintf(why, sizeof(why), "%s", refused->server[0] ? refused->server : refused->text);
	if (why[0])
		return hold(copy, v, copies, why, fault);

	return delete_copies(copy, w, v, n, fault);
}

/* One SELECT for all of it. A folder that cannot be opened for writing is looked at all the same. */
static int mirror_those_there(struct copy *copy, struct copy_worker *w, struct copy_vanished *v, size_t n,
			      struct fault *fault)
{
	struct bytes name = v->folder->destination_name;
	bool read_only = copy->options.keep_all || !imap_can(&w->to->capabilities, IMAP_CAP_UIDPLUS);
	struct fault why;
	bool refused = imap_select(w->to, name, read_only, &why) < 0;

	if (refused && (read_only || why.reach > REACH_FOLDER || imap_is_throttle(&why))) {
		*fault = why;
		return -1;
	}
	if ((refused && imap_select(w->to, name, true, fault) < 0) ||
	    mirror_selected(copy, w, v, n, refused ? &why : NULL, fault) < 0)
		return -1;

	return imap_unselect(w->to, name, fault);
}

/* Copies of one folder, from v on. */
static int mirror_folder(struct copy *copy, struct copy_worker *w, struct copy_vanished *v, size_t n,
			 struct fault *fault)
{
	struct imap_folder now;
	struct fault why;

	/* It may have been made since the folders were listed. */
	if (!copy_listed_there(copy, v->folder->destination_name) &&
	    imap_status(w->to, v->folder->destination_name, &now, fault) < 0) {
		if (fault->reach > REACH_FOLDER)
			return -1;
		note_mirrored(copy, v, n, 0);
		return 0;
	}

	if (mirror_those_there(copy, w, v, n, &why) == 0)
		return 0;
	if (why.reach > REACH_FOLDER) {
		*fault = why;
		return -1;
	}
	if (copy_removals_settle(w, 0, fault) < 0) /* some may have \Deleted */
		return -1;
	return hold(copy, v, count_copies(v, n), why.server[0] ? why.server : why.text, fault);
}

static int mirror(struct copy *copy, struct copy_worker *w, struct fault *fault)
{
	size_t first = 0;

	while (first < copy->vanished_n) {
		size_t end = first;

		while (end < copy->vanished_n && copy->vanished[end].folder == copy->vanished[first].folder)
			end++;
		if (mirror_folder(copy, w, &copy->vanished[first], end - first, fault) < 0)
			return -1;
		first = end;
	}
	return 0;
}

/* Those with a copy that is still there, by folder. */
static void keep_deletable(struct copy *copy)
{
	size_t kept = 0;

	for (size_t i = 0; i < copy->vanished_n; i++)
		if (!copy->vanished[i].moved && copy->vanished[i].copy_uid)
			copy->vanished[kept++] = copy->vanished[i];
	copy->vanished_n = kept;
	if (kept)
		qsort(copy->vanished, kept, sizeof(*copy->vanished), by_folder);
}

static int mirror_patiently(struct copy *copy, struct copy_worker *w, struct fault *fault)
{
	keep_deletable(copy);
	if (!copy->vanished_n)
		return 0;

	/* What a try before left: its \Deleted would pass for its user's. */
	if (copy_connect_destination(w, fault) < 0 || copy_removals_settle(w, 0, fault) < 0)
		return -1;

	return mirror(copy, w, fault);
}

int copy_vanished_settle(struct copy_worker *w, struct fault *fault)
{
	struct copy *copy = w->copy;

	/* Deletions of passes that did not mirror them count, too. Before those of this one are among them. */
	if (copy->options.mirror_deletes && copy_vanished_index(copy, fault) < 0)
		return -1;

	note_gone(copy);
	copy_links_forget_lost(copy);
	if (copy->options.mirror_deletes && mirror_patiently(copy, w, fault) < 0)
		return -1;

	return count_lost(copy, fault) < 0 ? -1 : ledger_commit(copy->options.ledger, fault);
}
