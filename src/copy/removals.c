/* SPDX-License-Identifier: Apache-2.0 */
/* Copies that were being taken out of their folder at the destination when a pass stopped, or its connection was lost: each
 * removal that the ledger still knows is finished or undone. A move that was done is finished, whatever became of the
 * message at the source meanwhile: the rest of the pass starts from a message that is in one place. A deletion is undone: it
 * is for the pass at hand to decide whether it deletes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/looks.h"
#include "copy/rematch.h"
#include "copy/settle-inside.h"
#include "copy/survey.h"
#include "imap/write.h"

/* A server may be at work on what it was told before we were gone. */
static const int64_t quiet_us = 400 * MSEC;

struct removal {
	struct ledger_removal known;
	unsigned char digest[32]; /* of the copy, … */
	uint64_t size;
	int64_t date;             /* … as its row has it; of moves only … */
	bool has_digest;          /* … whose row knows its bytes */
	bool handled;             /* done or undone: its row goes */
};

struct removals {
	struct copy_worker *w;
	struct ledger *ledger;
	struct removal *p; /* by folder and uid */
	size_t n;
};

static struct ledger_folder *folder_of(const struct copy *copy, uint32_t id)
{
	for (size_t i = 0; i < copy->known_n; i++)
		if (copy->known[i].id == id)
			return &copy->known[i];
	for (size_t i = 0; copy->links && i < copy->books.n; i++) /* begun by this very pass */
		if (copy->links[i].known && copy->links[i].known->id == id)
			return copy->links[i].known;

	return NULL;
}

static struct copy_link *link_of(const struct copy *copy, uint32_t id)
{
	for (size_t i = 0; i < copy->books.n; i++)
		if (copy->links[i].known && copy->links[i].known->id == id)
			return &copy->links[i];

	return NULL;
}

/* new_folder: only moves to that one; 0: all. */
static int load(struct removals *s, uint32_t new_folder, struct fault *fault)
{
	_cleanup_(freep) struct ledger_removal *rows = NULL;
	size_t n;

	if (ledger_load_removals(s->ledger, &rows, &n, fault) < 0)
		return -1;

	s->p = xzalloc((n + 1) * sizeof(*s->p));
	for (size_t i = 0; i < n; i++)
		if (!new_folder || rows[i].new_folder == new_folder)
			s->p[s->n++].known = rows[i];
	return 0;
}

/* --- what was moved --------------------------------------------------------------------------- */

/* What the copy is: where the destination altered the bytes, those it has instead. */
static int load_digest(struct removals *s, struct removal *r, struct fault *fault)
{
	struct ledger_messages row;

	if (ledger_load_bare(s->ledger, r->known.folder, r->known.uid, r->known.uid, &row, fault) < 0) {
		ledger_messages_done(&row);
		return -1;
	}
	if (row.n && row.p[0].has & (LEDGER_HAS_COPY_DIGEST | LEDGER_HAS_DIGEST)) {
		r->has_digest = true;
		r->size = row.p[0].has & LEDGER_HAS_COPY_DIGEST ? row.p[0].copy_size : row.p[0].size;
		r->date = row.p[0].date;
		memcpy(r->digest, row.p[0].has & LEDGER_HAS_COPY_DIGEST ? row.p[0].copy_digest
									: row.p[0].digest,
		       sizeof(r->digest));
	}
	ledger_messages_done(&row);
	return 0;
}

static int by_digest(const void *a, const void *b)
{
	const struct rematch_item *x = a, *y = b;
	int order = memcmp(x->digest, y->digest, sizeof(x->digest));

	return order ? order : x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* Of the strangers, which are sorted, the first with this digest that was not taken. */
static struct rematch_item *take_stranger(struct rematch_side *side, const unsigned char digest[32])
{
	size_t low = 0;

	for (size_t high = side->n; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(side->p[middle].digest, digest, 32) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < side->n && memcmp(side->p[low].digest, digest, 32) == 0; low++)
		if (!side->p[low].mate)
			return &side->p[low];

	return NULL;
}

/* Sizes and dates of the moves to one folder: mail that came from elsewhere, as large and as old as none of them, is not read. */
static void look_of_moves(const struct removals *s, const struct ledger_folder *known, struct looks *looks)
{
	looks_init(looks, s->n);
	for (size_t i = 0; i < s->n; i++)
		if (s->p[i].known.stage == LEDGER_MOVES && s->p[i].known.new_folder == known->id && s->p[i].has_digest)
			looks_add(looks, s->p[i].size, s->p[i].date);
	looks_sort(looks);
}

static int list_there(struct removals *s, const struct ledger_folder *known, struct imap_messages *there,
		      struct fault *fault)
{
	if (imap_fetch_items(s->w->to, known->mark, UINT32_MAX, IMAP_ITEM_SIZE | IMAP_ITEM_DATE, there, fault) < 0)
		return -1;
	if (there->incomplete)
		return fault_set(fault, FAULT_DATA, REACH_MAILBOX, AGAIN_LATER,
				 "folder %.*s: the destination does not list all its messages; whether it holds what "
				 "was moved there before cannot be told", BYTES_ARG(known->destination_name));
	return 0;
}

/* What the selected folder holds from the mark on, no row knows, and may be one of those moved; with its bytes. */
static int list_strangers(struct removals *s, struct ledger_folder *known, struct rematch_side *side,
			  struct fault *fault)
{
	_cleanup_(freep) uint32_t *copies = NULL, *want = NULL;
	_cleanup_(looks_done) struct looks looks;
	struct imap_messages there;
	size_t n = 0, at = 0, kept = 0;
	int r;

	imap_messages_init(&there);
	look_of_moves(s, known, &looks);
	r = settle_load_copies(s->w, known, NULL, known->mark, &copies, &n, fault);
	if (r == 0)
		r = list_there(s, known, &there, fault);
	side->p = xzalloc((there.n + 1) * sizeof(*side->p));
	want = xreallocarray(NULL, there.n + 1, sizeof(*want));
	for (size_t i = 0; i < there.n && r == 0; i++) {
		const struct imap_message *m = &there.p[i];

		while (at < n && copies[at] < m->uid)
			at++;
		if ((at < n && copies[at] == m->uid) || !looks_has(&looks, m->size, m->date))
			continue;
		want[side->n] = (uint32_t)side->n;
		side->p[side->n++] = (struct rematch_item){ .uid = m->uid, .size = m->size, .date = m->date };
	}
	imap_messages_done(&there);
	if (r < 0 || (side->n && rematch_read_digests(s->w, side, want, side->n, fault) < 0))
		return -1;

	for (size_t i = 0; i < side->n; i++)
		if (side->p[i].has & REMATCH_DIGEST)
			side->p[kept++] = side->p[i];
	side->n = kept;
	qsort(side->p, side->n, sizeof(*side->p), by_digest);
	return 0;
}

static void was_moved(struct removals *s, struct removal *r, uint32_t copy_uid)
{
	const struct ledger_removal *k = &r->known;
	struct copy *copy = s->w->copy;
	struct copy_link *out = link_of(copy, k->folder), *in = link_of(copy, k->new_folder);

	ledger_move_message(s->ledger, k->folder, k->uid, k->new_folder, k->new_uid, copy_uid);
	ledger_set_state(s->ledger, k->new_folder, k->new_uid, LEDGER_COPIED, 0);
	r->known.stage = LEDGER_MOVED;
	ledger_put_removal(s->ledger, &r->known);
	if (out)
		out->taken_out++;
	if (in)
		in->taken_in++;
}

static int by_key(const void *a, const void *b)
{
	const struct removal *x = a, *y = b;

	if (x->known.folder != y->known.folder)
		return x->known.folder < y->known.folder ? -1 : 1;
	return x->known.uid < y->known.uid ? -1 : x->known.uid > y->known.uid;
}

/* Those that this very pass saw vanish, when a connection was lost over their move: found now, or by a try before. */
static void note_found(struct removals *s)
{
	struct copy *copy = s->w->copy;

	for (size_t i = 0; i < copy->vanished_n; i++) {
		struct copy_vanished *v = &copy->vanished[i];
		struct removal key = { .known = { .folder = v->folder->id, .uid = v->uid } };
		const struct removal *m = bsearch(&key, s->p, s->n, sizeof(*s->p), by_key);

		if (m && m->known.stage == LEDGER_MOVED)
			v->moved = true;
	}
}

/* Which of the moves to one folder were done. What is under another UIDVALIDITY by now is found as all that is (D15). */
static int find_moved(struct removals *s, struct ledger_folder *known, struct fault *fault)
{
	struct rematch_side side = { .session = s->w->to };
	int r;

	if (!known->mark)
		return 0;
	if (imap_select(s->w->to, known->destination_name, true, fault) < 0)
		return fault->reach > REACH_FOLDER ? -1 : 0;
	if (s->w->to->selected.uidvalidity != known->destination_uidvalidity)
		return imap_unselect(s->w->to, known->destination_name, fault);

	r = list_strangers(s, known, &side, fault);
	for (size_t i = 0; i < s->n && r == 0; i++) {
		struct removal *m = &s->p[i];
		struct rematch_item *stranger;

		if (m->known.stage != LEDGER_MOVES || m->known.new_folder != known->id || !m->has_digest)
			continue;
		stranger = take_stranger(&side, m->digest);
		if (!stranger)
			continue;
		stranger->mate = 1;
		was_moved(s, m, stranger->uid);
	}
	free(side.p);
	return r < 0 ? -1 : imap_unselect(s->w->to, known->destination_name, fault);
}

static int find_all_moved(struct removals *s, struct fault *fault)
{
	struct copy *copy = s->w->copy;
	uint32_t last = 0;
	bool any = false;

	for (size_t i = 0; i < s->n; i++) {
		any |= s->p[i].known.stage == LEDGER_MOVES;
		if (s->p[i].known.stage == LEDGER_MOVES && load_digest(s, &s->p[i], fault) < 0)
			return -1;
	}
	if (any && run_sleep(quiet_us, fault) < 0)
		return -1;

	while (any) { /* each folder that any was moved to, by rising id */
		struct ledger_folder *known;
		uint32_t next = 0;

		for (size_t i = 0; i < s->n; i++)
			if (s->p[i].known.new_folder > last && (!next || s->p[i].known.new_folder < next))
				next = s->p[i].known.new_folder;
		if (!next)
			break;
		last = next;
		known = folder_of(copy, next);
		if (known && find_moved(s, known, fault) < 0)
			return -1;
	}
	note_found(s);
	return ledger_commit(s->ledger, fault);
}

/* --- what is where it was --------------------------------------------------------------------- */

bool copy_is_marked_deleted(const struct imap_messages *messages, const struct imap_message *m)
{
	struct bytes rest = bytes_of(messages->flag_sets[m->flags]);

	while (rest.n)
		if (bytes_equal_nocase(bytes_cut(&rest, ' '), BYTES("\\Deleted")))
			return true;

	return false;
}

/* Whether something is to be done about a copy that is still there. */
static bool is_to_end(const struct removal *r, bool remove, const struct imap_messages *there)
{
	const struct imap_message *m = imap_messages_find(there, r->known.copy_uid);

	return m && (remove || (!r->known.was_deleted && copy_is_marked_deleted(there, m)));
}

/* Removals of one folder that is selected: what is to be removed (a move that was done) or unmarked (nothing was). */
static int end_those(struct removals *s, struct removal *p, size_t n, bool remove,
		     const struct imap_messages *there, struct fault *fault)
{
	_cleanup_(freep) struct imap_range *ranges = NULL;
	struct imap_session *to = s->w->to;
	size_t ranges_n = 0, capacity = 0;
	uint32_t last = 0;
	int r = 0;

	if (remove && !imap_can(&to->capabilities, IMAP_CAP_UIDPLUS))
		return 0;

	for (size_t i = 0; i < n; i++) {
		const struct ledger_removal *k = &p[i].known;

		if ((k->stage == LEDGER_MOVED) != remove)
			continue;
		p[i].handled = true;
		if (k->uidvalidity != to->selected.uidvalidity || k->copy_uid <= last ||
		    !is_to_end(&p[i], remove, there))
			continue;
		imap_set_add(&ranges, &ranges_n, &capacity, last = k->copy_uid);
	}
	if (ranges_n)
		r = imap_store(to, ranges, ranges_n, remove, "\\Deleted", fault);
	if (r == 0 && ranges_n && remove)
		r = imap_expunge(to, ranges, ranges_n, fault);
	for (size_t i = 0; i < n && r < 0; i++)
		p[i].handled &= (p[i].known.stage == LEDGER_MOVED) != remove;
	return r;
}

static int end_folder(struct removals *s, struct removal *p, size_t n, const struct ledger_folder *known,
		      struct fault *fault)
{
	_cleanup_(freep) struct imap_range *ranges = NULL;
	struct copy_link *link = link_of(s->w->copy, known->id);
	struct imap_messages there;
	size_t ranges_n = 0, capacity = 0;
	int r;

	if (link)
		link->there_changed = true;
	if (imap_select(s->w->to, known->destination_name, false, fault) < 0)
		return -1;

	imap_messages_init(&there);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || p[i].known.copy_uid > p[i - 1].known.copy_uid)
			imap_set_add(&ranges, &ranges_n, &capacity, p[i].known.copy_uid);
	r = imap_fetch_items_of(s->w->to, ranges, ranges_n, IMAP_ITEM_FLAGS, &there, fault);
	if (r == 0 && !there.incomplete &&
	    (end_those(s, p, n, false, &there, fault) < 0 || end_those(s, p, n, true, &there, fault) < 0))
		r = -1;
	imap_messages_done(&there);
	return r < 0 ? -1 : imap_unselect(s->w->to, known->destination_name, fault);
}

static int by_place(const void *a, const void *b)
{
	const struct removal *x = a, *y = b;

	if (x->known.folder != y->known.folder)
		return x->known.folder < y->known.folder ? -1 : 1;
	return x->known.copy_uid < y->known.copy_uid ? -1 : x->known.copy_uid > y->known.copy_uid;
}

static struct bytes id_of(const struct ledger_folder *folder)
{
	return (struct bytes){ (const char *)&folder->id, sizeof(folder->id) };
}

/* refused: what the folder said; NULL: it was left alone. */
static void note_not_removed(struct removals *s, const struct ledger_folder *known, const struct fault *refused)
{
	struct copy *copy = s->w->copy;
	const char *why = "it does not list all its messages";

	if (refused)
		why = refused->server[0] ? refused->server : refused->text;
	else if (!imap_can(&s->w->to->capabilities, IMAP_CAP_UIDPLUS))
		why = "this server cannot remove single messages (no UIDPLUS)";
	map_put(&copy->not_removed, id_of(known), arena_strdup(&copy->arena, why));
}

/* What a folder refuses stays, and is tried again by the next pass. Of a folder that is no more nothing is left. */
static int end_all(struct removals *s, struct fault *fault)
{
	qsort(s->p, s->n, sizeof(*s->p), by_place);
	for (size_t first = 0, end; first < s->n; first = end) {
		const struct ledger_folder *known = folder_of(s->w->copy, s->p[first].known.folder);
		struct removal *p = &s->p[first];
		bool is_no_more, all = true;
		int r;

		for (end = first; end < s->n && s->p[end].known.folder == p->known.folder;)
			end++;
		r = known ? end_folder(s, p, end - first, known, fault) : 0;
		if (r < 0 && fault->reach > REACH_FOLDER)
			return -1;
		is_no_more = !known || (r < 0 && !copy_listed_there(s->w->copy, known->destination_name));
		for (size_t i = first; i < end; i++) {
			all &= s->p[i].handled || is_no_more;
			if (s->p[i].handled || is_no_more)
				ledger_drop_removal(s->ledger, s->p[i].known.folder, s->p[i].known.uid);
		}
		if (!all)
			note_not_removed(s, known, r < 0 ? fault : NULL);
	}
	return ledger_commit(s->ledger, fault);
}

int copy_removals_settle(struct copy_worker *w, uint32_t new_folder, struct fault *fault)
{
	struct removals s = { .w = w, .ledger = w->copy->options.ledger };
	EVP_MD_CTX *own = w->hash ? NULL : EVP_MD_CTX_new();
	int r;

	if (own) {
		EVP_DigestInit_ex(own, EVP_sha256(), NULL);
		w->hash = own;
	}
	r = load(&s, new_folder, fault);
	if (r == 0 && s.n)
		r = find_all_moved(&s, fault);
	if (r == 0 && s.n)
		r = end_all(&s, fault);
	free(s.p);
	if (own) {
		EVP_MD_CTX_free(own);
		w->hash = NULL;
	}
	return r;
}

int copy_removals_resume(struct copy *copy, struct fault *fault)
{
	struct copy_worker w = { .copy = copy, .from = copy->from, .to = copy->to };

	if (!copy->any_removals)
		return 0;

	return copy_removals_settle(&w, 0, fault);
}

/* --- what could not be ended ------------------------------------------------------------------- */

static int tell_folder(struct copy *copy, const struct ledger_folder *known, const struct ledger_removal *p, size_t n,
		       struct fault *fault)
{
	const char *why = map_get(&copy->not_removed, id_of(known));
	size_t moved = 0;
	char detail[700];

	for (size_t i = 0; i < n; i++)
		moved += p[i].stage == LEDGER_MOVED;

	snprintf(detail, sizeof(detail), "what was moved to other folders, as at the source, is still here, too: %.500s",
		 why);
	if (moved && copy_except_known(copy, known, CAUSE_COUNT_DIFFERS, moved, detail, fault) < 0)
		return -1;

	snprintf(detail, sizeof(detail), "\\Deleted was set to remove them, and could not be taken back: %.500s", why);
	return moved < n ? copy_except_known(copy, known, CAUSE_FLAGS_KEPT, n - moved, detail, fault) : 0;
}

int copy_removals_tell(struct copy *copy, struct fault *fault)
{
	_cleanup_(freep) struct ledger_removal *p = NULL;
	size_t n, end;

	if (!map_count(&copy->not_removed))
		return 0;
	if (ledger_load_removals(copy->options.ledger, &p, &n, fault) < 0)
		return -1;

	for (size_t first = 0; first < n; first = end) {
		const struct ledger_folder *known = folder_of(copy, p[first].folder);

		for (end = first; end < n && p[end].folder == p[first].folder;)
			end++;
		if (known && map_has(&copy->not_removed, id_of(known)) &&
		    tell_folder(copy, known, &p[first], end - first, fault) < 0)
			return -1;
	}
	return 0;
}
