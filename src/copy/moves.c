/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that were moved between folders at the source. A new message that has the size and the date of one that left
 * another folder is read and hashed; if its bytes are those, the copy is moved at the destination. So nothing is
 * stored twice, and the copy keeps what its user did to it. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/record.h"
#include "copy/rematch.h"
#include "copy/stores.h"
#include "copy/survey.h"
#include "imap/write.h"

/* A new message and the one it was. */
struct move {
	struct imap_message *message;
	struct copy_vanished was; /* as it was when it was found … */
	size_t index;             /* … in copy->vanished, which grows meanwhile */
	unsigned char digest[32];
	uint64_t size;
	bool was_deleted;         /* has \Deleted at the destination, or was not looked at */
};

struct moves {
	struct move *p;
	size_t n, size;
};

/* COPYUID tells what became of which; without it a moved message would have to be found again. */
static bool destination_can_move(const struct copy_pass *pass)
{
	return imap_can(&pass->worker->to->capabilities, IMAP_CAP_UIDPLUS);
}

static bool is_waiting(const struct imap_message *m)
{
	return (m->state & MESSAGE_STATE_MASK) == MESSAGE_WAITING;
}

/* --- which are which --------------------------------------------------------------------------- */

static size_t candidates(struct copy_pass *pass, struct rematch_item **ret_items, uint32_t **ret_want)
{
	struct rematch_item *items = NULL;
	uint32_t *want = NULL;
	size_t n = 0, size = 0, want_size = 0;

	for (size_t i = 0; i < pass->messages.n; i++) {
		struct imap_message *m = &pass->messages.p[i];

		if (!is_waiting(m) || !copy_vanished_find(pass->worker->copy, m->size, m->date))
			continue;
		items = xgrow(items, &size, n + 1, sizeof(*items));
		want = xgrow(want, &want_size, n + 1, sizeof(*want));
		want[n] = (uint32_t)n;
		items[n++] = (struct rematch_item){ .uid = m->uid };
	}
	*ret_items = items;
	*ret_want = want;
	return n;
}

static struct copy_vanished *find_was(struct copy *copy, const struct imap_message *m,
				      const struct rematch_item *item)
{
	struct copy_vanished *v = copy_vanished_find(copy, m->size, m->date);

	while (v) {
		if (!v->moved && !v->moving && v->copy_uidvalidity &&
		    v->copy_uidvalidity == v->folder->destination_uidvalidity && memcmp(v->digest, item->digest, sizeof(v->digest)) == 0)
			return v;
		v = v->next ? &copy->vanished[v->next - 1] : NULL;
	}
	return NULL;
}

static int match(struct copy_pass *pass, struct moves *moves, struct fault *fault)
{
	_cleanup_(freep) struct rematch_item *items = NULL;
	_cleanup_(freep) uint32_t *want = NULL;
	struct rematch_side side = { .session = pass->worker->from };

	side.n = candidates(pass, &items, &want);
	side.p = items;
	if (!side.n)
		return 0;
	if (rematch_read_digests(pass->worker, &side, want, side.n, fault) < 0)
		return -1;

	for (size_t i = 0; i < side.n; i++) {
		struct imap_message *m = imap_messages_find(&pass->messages, items[i].uid);
		struct copy_vanished *was;

		if (!m || !(items[i].has & REMATCH_DIGEST))
			continue;
		was = find_was(pass->worker->copy, m, &items[i]);
		if (!was)
			continue;
		was->moving = true;
		moves->p = xgrow(moves->p, &moves->size, moves->n + 1, sizeof(*moves->p));
		moves->p[moves->n] = (struct move){
			.message = m, .was = *was, .size = items[i].size,
			.index = (size_t)(was - pass->worker->copy->vanished), .was_deleted = true,
		};
		memcpy(moves->p[moves->n++].digest, items[i].digest, 32);
	}
	return 0;
}

/* --- moving ----------------------------------------------------------------------------------- */

static int by_origin(const void *a, const void *b)
{
	const struct move *x = a, *y = b;

	if (x->was.folder->id != y->was.folder->id)
		return x->was.folder->id < y->was.folder->id ? -1 : 1;
	return x->was.copy_uid < y->was.copy_uid ? -1 : x->was.copy_uid > y->was.copy_uid;
}

/* Whether it left the very folder that it is in now, under another UID. */
static bool is_back(const struct copy_pass *pass, const struct move *move)
{
	return bytes_equal(move->was.folder->destination_name, pass->folder->destination_name);
}

/* The message has its row, which says where its copy is now. */
static void take_over(struct copy_pass *pass, struct imap_message *m, uint32_t copy_uid, uint32_t flags,
		      uint32_t copy_flags)
{
	uint32_t now = copy_record_flags(pass, m->flags);

	m->state |= MESSAGE_SETTLED;
	m->copy_uid = copy_uid;
	if (flags != now)
		copy_stores_want(pass, m->uid, copy_uid, flags, now, copy_flags);
}

static void moved(struct copy_pass *pass, struct move *move, uint32_t copy_uid)
{
	struct copy *copy = pass->worker->copy;
	struct ledger *ledger = copy->options.ledger;
	struct ledger_folder *known = copy->links[pass->index].known;

	ledger_move_message(ledger, move->was.folder->id, move->was.uid, known->id, move->message->uid, copy_uid);
	ledger_set_state(ledger, known->id, move->message->uid, LEDGER_COPIED, 0);
	copy->vanished[move->index].moved = true;
	if (is_back(pass, move))
		pass->folder->present++;
	else
		pass->folder->moved++;
	pass->folder->bytes_present += move->message->size;
	take_over(pass, move->message, copy_uid, move->was.flags, move->was.copy_flags);
}

static struct move *find_move(struct move *p, size_t n, uint32_t copy_uid)
{
	for (size_t low = 0, high = n; low < high;) {
		size_t middle = low + (high - low) / 2;
		uint32_t at = p[middle].was.copy_uid;

		if (at == copy_uid)
			return &p[middle];
		if (at < copy_uid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int expunge_originals(struct imap_session *to, const struct imap_copied *copied, struct fault *fault)
{
	_cleanup_(freep) struct imap_range *ranges = NULL;
	size_t n = 0, capacity = 0;
	uint32_t last = 0;

	for (size_t i = 0; i < copied->n; i++) {
		if (copied->p[i].from > last)
			imap_set_add(&ranges, &n, &capacity, copied->p[i].from);
		last = copied->p[i].from;
	}
	if (!n)
		return 0;
	if (imap_store(to, ranges, n, true, "\\Deleted", fault) < 0)
		return -1;

	return imap_expunge(to, ranges, n, fault);
}

static int by_from(const void *a, const void *b)
{
	const struct imap_uid_pair *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

static size_t set_of_copies(const struct move *p, size_t n, struct imap_range **ranges)
{
	size_t ranges_n = 0, capacity = 0;
	uint32_t last = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i].was.copy_uid > last)
			imap_set_add(ranges, &ranges_n, &capacity, p[i].was.copy_uid);
		last = p[i].was.copy_uid;
	}
	return ranges_n;
}

/* They left this very folder, and are back in it under other UIDs. Their copies count if they are still there. */
static int take_back(struct copy_pass *pass, struct move *p, size_t n, const struct imap_range *ranges,
		     size_t ranges_n, struct fault *fault)
{
	struct imap_messages found;
	int r;

	imap_messages_init(&found);
	r = imap_fetch_items_of(pass->worker->to, ranges, ranges_n, 0, &found, fault);
	for (size_t i = 0; i < found.n; i++) {
		struct move *move = find_move(p, n, found.p[i].uid);

		if (move && !(move->message->state & MESSAGE_SETTLED))
			moved(pass, move, found.p[i].uid);
	}
	imap_messages_done(&found);
	return r;
}

static struct ledger_removal removal_of(const struct copy_pass *pass, const struct move *move)
{
	return (struct ledger_removal){
		.folder = move->was.folder->id, .uid = move->was.uid, .copy_uid = move->was.copy_uid,
		.uidvalidity = move->was.copy_uidvalidity, .was_deleted = move->was_deleted,
		.stage = LEDGER_MOVES, .new_folder = pass->worker->copy->links[pass->index].known->id,
		.new_uid = move->message->uid,
	};
}

/* Before anything is moved: what is to become what, durable. The intent is that of a message which is about to be sent,
 * so it is found wherever the message goes meanwhile (D9); the removal tells what is left in the old place. */
static int make_intents_durable(struct copy_pass *pass, struct move *p, size_t n, struct fault *fault)
{
	struct ledger *ledger = pass->worker->copy->options.ledger;

	for (size_t i = 0; i < n; i++) {
		struct ledger_removal removal = removal_of(pass, &p[i]);
		struct ledger_message row;

		copy_record_fill(pass, p[i].message, LEDGER_SENDING, &row);
		row.has |= LEDGER_HAS_DIGEST;
		row.has |= p[i].message->state & MESSAGE_AGAIN ? LEDGER_AGAIN : 0;
		memcpy(row.digest, p[i].digest, sizeof(row.digest));
		row.size = p[i].size;
		row.flags = p[i].was.flags; /* what the copy follows so far */
		row.copy_flags = p[i].was.copy_flags;
		ledger_put_message(ledger, &row);
		ledger_put_removal(ledger, &removal);
	}
	pass->moving = true;
	if (ledger_commit(ledger, fault) < 0)
		return -1;

	pass->mark_due = false;
	return 0;
}

/* Where \Deleted will have to be set: which have it already. */
static int look_for_deleted(struct imap_session *to, struct move *p, size_t n, const struct imap_range *ranges,
			    size_t ranges_n, struct fault *fault)
{
	struct imap_messages there;
	int r;

	imap_messages_init(&there);
	r = imap_fetch_items_of(to, ranges, ranges_n, IMAP_ITEM_FLAGS, &there, fault);
	for (size_t i = 0; i < n; i++) {
		const struct imap_message *m = imap_messages_find(&there, p[i].was.copy_uid);

		p[i].was_deleted = !m || copy_is_marked_deleted(&there, m);
	}
	imap_messages_done(&there);
	return r;
}

/* Those that the server told of have their rows; what it left in the old place goes. */
static int note_moved(struct copy_pass *pass, struct move *p, size_t n, struct imap_copied *copied, bool can_move,
		      struct fault *fault)
{
	struct copy *copy = pass->worker->copy;
	struct ledger *ledger = copy->options.ledger;

	for (size_t i = 0; i < copied->n; i++) {
		struct move *move = find_move(p, n, copied->p[i].from);
		struct ledger_removal removal;

		if (!move || move->message->state & MESSAGE_SETTLED)
			continue;
		moved(pass, move, copied->p[i].to);
		copy->links[pass->index].taken_in++;
		if (p->was.place)
			p->was.place->taken_out++;
		removal = removal_of(pass, move);
		removal.stage = LEDGER_MOVED;
		if (can_move)
			ledger_drop_removal(ledger, removal.folder, removal.uid);
		else
			ledger_put_removal(ledger, &removal);
	}
	if (can_move || !copied->n)
		return 0;

	qsort(copied->p, copied->n, sizeof(*copied->p), by_from);
	if (expunge_originals(pass->worker->to, copied, fault) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (p[i].message->state & MESSAGE_SETTLED)
			ledger_drop_removal(ledger, p[i].was.folder->id, p[i].was.uid);
	return 0;
}

/* Messages of one origin. Where MOVE is missing, COPY and the removal of exactly those copied does the same. */
static int move_group(struct copy_pass *pass, struct move *p, size_t n, struct fault *fault)
{
	struct imap_session *to = pass->worker->to;
	struct bytes origin = p->was.folder->destination_name;
	bool can_move = imap_can(&to->capabilities, IMAP_CAP_MOVE);
	_cleanup_(freep) struct imap_range *ranges = NULL;
	size_t ranges_n = set_of_copies(p, n, &ranges);
	bool back = is_back(pass, p);
	struct imap_copied copied;
	struct fault why;
	int r;

	/* Before it happens: another worker may count the folder when the server has done it and we do not know yet. */
	if (p->was.place && !back)
		p->was.place->moved_out += n;
	if (imap_select(to, origin, back, fault) < 0)
		return -1;
	if (!to->selected.uidvalidity || to->selected.uidvalidity != p->was.copy_uidvalidity)
		return imap_unselect(to, origin, fault);
	if (back) {
		r = take_back(pass, p, n, ranges, ranges_n, fault);
		return r < 0 ? -1 : imap_unselect(to, origin, fault);
	}
	if ((!can_move && look_for_deleted(to, p, n, ranges, ranges_n, fault) < 0) ||
	    make_intents_durable(pass, p, n, fault) < 0)
		return -1;

	r = imap_copy(to, ranges, ranges_n, can_move, pass->folder->destination_name, &copied, &why);
	if (r == 0 || why.reach <= REACH_FOLDER)
		r = note_moved(pass, p, n, &copied, can_move, fault);
	else
		*fault = why;
	free(copied.p);
	return r < 0 ? -1 : imap_unselect(to, origin, fault);
}

/* Of moves that were not answered, or not as they should be, some may be done. They are found; the others are copied. */
static int find_out(struct copy_pass *pass, struct fault *fault)
{
	const struct copy *copy = pass->worker->copy;
	const struct ledger_folder *known = copy->links[pass->index].known;
	struct ledger_messages rows;
	int r;

	if (copy_removals_settle(pass->worker, known->id, fault) < 0)
		return -1;

	r = ledger_load_bare(copy->options.ledger, known->id, pass->low, pass->high, &rows, fault);
	for (size_t i = 0; i < rows.n && r == 0; i++) {
		struct imap_message *m = imap_messages_find(&pass->messages, rows.p[i].uid);

		if (m && is_waiting(m) && rows.p[i].state == LEDGER_COPIED && rows.p[i].copy_uid) {
			pass->folder->moved++;
			pass->folder->bytes_present += m->size;
			take_over(pass, m, rows.p[i].copy_uid, rows.p[i].flags, rows.p[i].copy_flags);
		}
	}
	ledger_messages_done(&rows);
	pass->moving = r < 0;
	return r;
}

/* Whether all went as it should: each is where it belongs, and nothing of it where it was. */
static int end_moves(struct copy_pass *pass, const struct moves *moves, bool whole, struct fault *fault)
{
	for (size_t i = 0; i < moves->n && whole; i++)
		whole = moves->p[i].message->state & MESSAGE_SETTLED;
	if (pass->moving && !whole && find_out(pass, fault) < 0)
		return -1;

	pass->moving = false;
	return ledger_commit(pass->worker->copy->options.ledger, fault);
}

static int move_groups(struct copy_pass *pass, struct moves *moves, struct fault *fault)
{
	size_t first = 0;
	bool whole = true;

	qsort(moves->p, moves->n, sizeof(*moves->p), by_origin);
	while (first < moves->n) {
		size_t end = first;

		while (end < moves->n && moves->p[end].was.folder == moves->p[first].was.folder)
			end++;
		if (move_group(pass, &moves->p[first], end - first, fault) < 0) {
			if (fault->reach > REACH_FOLDER)
				return -1;
			whole = false;
		}
		first = end;
	}
	return end_moves(pass, moves, whole, fault);
}

int copy_moves(struct copy_pass *pass, struct fault *fault)
{
	struct copy *copy = pass->worker->copy;
	struct moves moves = { .n = 0 };
	int r;

	if (!destination_can_move(pass) || copy_vanished_index(copy, fault) < 0)
		return destination_can_move(pass) ? -1 : 0;
	if (!map_count(&copy->vanished_by_look))
		return 0;

	if (pass->moving && find_out(pass, fault) < 0) /* a try before was interrupted */
		return -1;

	r = match(pass, &moves, fault);
	if (r == 0 && moves.n)
		copy_pass_set_mark(pass);
	if (r == 0 && moves.n)
		r = move_groups(pass, &moves, fault);
	for (size_t i = 0; i < moves.n; i++) /* those that could not be are copied, and gone where they were */
		copy->vanished[moves.p[i].index].moving = false;
	if (r == 0)
		r = copy_stores_run(pass, fault);
	free(moves.p);
	return r;
}
