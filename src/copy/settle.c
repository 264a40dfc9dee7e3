/* SPDX-License-Identifier: Apache-2.0 */
/* What the destination folder holds that no row of the ledger knows, held against what is without a copy: after a
 * crash, after a lost answer, after the folder got other UIDs, and when a folder is adopted.
 *
 * An APPEND whose answer was lost may have been done or not, and a ledger may have lost its last commits. Nothing is
 * guessed: the UIDs from the mark on that no row has are strangers; each is one of ours if its bytes are (prove), and
 * somebody else's if not. What is found gets its row, what is not found is sent (again). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/late.h"
#include "copy/record.h"
#include "copy/settle-inside.h"
#include "copy/stores.h"

enum { ROWS = 4096 };

void settle_done(struct settle *s)
{
	free(s->ours.p);
	free(s->theirs.p);
	free(s->lone);
	free(s->copy_uids);
	free(s->orphans);
	imap_messages_done(&s->there);
}

void settle_begin(struct settle *s, struct copy_pass *pass)
{
	struct copy *copy = pass->worker->copy;

	*s = (struct settle){ .pass = pass, .ledger = copy->options.ledger,
			      .link = &copy->links[pass->index], .known = copy->links[pass->index].known };
	s->ours.session = pass->worker->from->selected.is_selected ? pass->worker->from : NULL;
	s->theirs.session = pass->worker->to;
	imap_messages_init(&s->there);
}

/* --- strangers -------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Adds the copies that a folder's rows have there. */
static int add_copies(struct ledger *ledger, const struct ledger_folder *folder, uint32_t low, uint32_t **copies,
		      size_t *n, struct fault *fault)
{
	_cleanup_(freep) uint32_t *more = NULL;
	size_t more_n;

	if (ledger_load_copy_uids(ledger, folder->id, low, &more, &more_n, fault) < 0)
		return -1;

	*copies = xreallocarray(*copies, *n + more_n + 1, sizeof(**copies));
	if (more_n)
		memcpy(*copies + *n, more, more_n * sizeof(**copies));
	*n += more_n;
	return 0;
}

int settle_load_copies(struct copy_worker *w, const struct ledger_folder *known, const struct copy_link *link,
		       uint32_t low, uint32_t **copies, size_t *n, struct fault *fault)
{
	const struct copy *copy = w->copy;
	struct ledger *ledger = copy->options.ledger;

	*n = 0;
	if (add_copies(ledger, known, low, copies, n, fault) < 0)
		return -1;
	if (link && !link->there_shared && !link->formers)
		return 0;

	for (size_t i = 0; i < copy->known_n; i++) {
		const struct ledger_folder *f = &copy->known[i];

		if (f != known && f->destination_uidvalidity &&
		    f->destination_uidvalidity == w->to->selected.uidvalidity &&
		    bytes_equal(f->destination_name, known->destination_name) &&
		    add_copies(ledger, f, low, copies, n, fault) < 0)
			return -1;
	}
	qsort(*copies, *n, sizeof(**copies), by_number);
	return 0;
}

int settle_list_strangers(struct settle *s, uint32_t low, uint32_t high, struct fault *fault)
{
	_cleanup_(freep) uint32_t *copies = NULL;
	size_t n, at = 0;

	if (settle_load_copies(s->pass->worker, s->known, s->link, low, &copies, &n, fault) < 0 ||
	    imap_fetch_items(s->pass->worker->to, low, high,
			     IMAP_ITEM_FLAGS | IMAP_ITEM_DATE | IMAP_ITEM_SIZE, &s->there, fault) < 0)
		return -1;

	if (s->there.incomplete)
		return fault_set(fault, FAULT_DATA, REACH_MAILBOX, AGAIN_LATER,
				 "folder %.*s: the destination does not list all its messages; whether it holds what "
				 "was sent before cannot be told", BYTES_ARG(s->known->destination_name));

	s->theirs.p = xzalloc((s->there.n + 1) * sizeof(*s->theirs.p));
	for (size_t i = 0; i < s->there.n; i++) {
		const struct imap_message *m = &s->there.p[i];

		while (at < n && copies[at] < m->uid)
			at++;
		if (at < n && copies[at] == m->uid)
			continue;
		s->theirs.p[s->theirs.n++] = (struct rematch_item){
			.uid = m->uid, .size = m->size, .date = m->date,
		};
	}
	return 0;
}

struct rematch_item *settle_add_ours(struct settle *s, const struct lone *lone)
{
	struct rematch_item *item;

	s->lone = xgrow(s->lone, &s->lone_size, s->ours.n + 1, sizeof(*s->lone));
	s->ours.p = xgrow(s->ours.p, &s->ours_size, s->ours.n + 1, sizeof(*s->ours.p));
	s->lone[s->ours.n] = *lone;
	item = &s->ours.p[s->ours.n++];
	*item = (struct rematch_item){
		.uid = lone->message.uid, .size = lone->message.size, .date = lone->message.date,
	};
	return item;
}

/* --- a pass that begins ------------------------------------------------------------------------ */

static void add_row(struct settle *s, const struct ledger_message *row)
{
	struct lone lone = {
		.message = { .uid = row->uid, .size = row->size, .date = row->date,
			     .zone_minutes = row->zone_minutes },
		.flags = row->flags, .has_row = true,
	};
	struct rematch_item *item = settle_add_ours(s, &lone);

	if (row->has & LEDGER_HAS_DIGEST) {
		item->has |= REMATCH_DIGEST;
		memcpy(item->digest, row->digest, sizeof(item->digest));
	}
}

void settle_add_message(struct settle *s, const struct imap_message *m, const struct ledger_message *intent)
{
	struct lone lone = {
		.message = *m, .flags = copy_record_flags(s->pass, m->flags), .intended = intent,
		.sent_flags = intent ? intent->flags : 0, .again = intent && intent->has & LEDGER_AGAIN,
	};

	settle_add_ours(s, &lone);
}

/* It may be at the source, which listed only some. */
static void add_intent(struct settle *s, const struct ledger_message *row)
{
	struct lone lone = {
		.message = { .uid = row->uid, .size = row->size, .date = row->date,
			     .zone_minutes = row->zone_minutes },
		.flags = row->flags, .intended = true, .sent_flags = row->flags,
		.again = row->has & LEDGER_AGAIN,
	};

	settle_add_ours(s, &lone);
}

/* here: its message, if the source still has it. */
static void take_row(struct settle *s, const struct ledger_message *row, const struct imap_message *here)
{
	if (row->state == LEDGER_COPIED && !row->copy_uid)
		add_row(s, row);
	else if (row->state == LEDGER_SENDING && here)
		settle_add_message(s, here, row);
	else if (row->state == LEDGER_SENDING && s->pass->messages.incomplete)
		add_intent(s, row);
	else if (row->state == LEDGER_SENDING)
		settle_add_orphan(s, row);
}

/* Of the listed window: messages without a row, and rows without a copy. */
static int take_window(struct settle *s, struct fault *fault)
{
	const struct imap_messages *m = &s->pass->messages;
	uint32_t after = s->pass->low - 1;
	size_t at = 0;

	for (;;) {
		struct ledger_messages rows;
		size_t i = 0, n;
		int r = ledger_load_next(s->ledger, s->known->id, after, ROWS, &rows, fault);

		for (; i < rows.n && r == 0 && rows.p[i].uid <= s->pass->high; i++) {
			after = rows.p[i].uid;
			while (at < m->n && m->p[at].uid < after)
				settle_add_message(s, &m->p[at++], NULL);
			take_row(s, &rows.p[i], at < m->n && m->p[at].uid == after ? &m->p[at++] : NULL);
		}
		n = rows.n;
		ledger_messages_done(&rows);
		if (r < 0)
			return -1;
		if (i < ROWS || n < ROWS)
			break;
	}
	while (at < m->n)
		settle_add_message(s, &m->p[at++], NULL);
	return 0;
}

static int list_ours(struct settle *s, struct fault *fault)
{
	struct copy_pass *pass = s->pass;
	uint64_t behind = 0;

	pass->low = 1;
	pass->messages.n = 0;
	pass->messages.incomplete = false;
	if (!pass->worker->from->selected.exists) {
		pass->high = UINT32_MAX;
		return take_window(s, fault);
	}
	do {
		if (copy_window_end(pass, behind, &pass->high, fault) < 0 ||
		    imap_fetch_messages(pass->worker->from, pass->low, pass->high, true, &pass->messages,
					fault) < 0 ||
		    take_window(s, fault) < 0)
			return -1;
		behind += pass->messages.n;
		pass->low = pass->high + 1;
	} while (pass->high != UINT32_MAX);

	return 0;
}

/* --- what was found ---------------------------------------------------------------------------- */

/* A copy in other bytes is ours, rewritten by the server, only if it has the date that we gave it: mail that comes
 * from elsewhere arrives now. */
bool settle_is_mate(const struct rematch_item *ours, const struct rematch_item *theirs)
{
	return !ours->differs || ours->date == IMAP_NO_DATE || ours->date == theirs->date;
}

void settle_expect_late(struct settle *s, uint32_t uid, bool again)
{
	s->late = true;
	if (again)
		return;

	ledger_set_state(s->ledger, s->known->id, uid, LEDGER_SENDING, LEDGER_AGAIN);
	copy_late_expect(s->pass->worker->copy);
}

static void found_row(struct settle *s, const struct rematch_item *item, const struct rematch_item *mate)
{
	ledger_set_copy_uid(s->ledger, s->known->id, item->uid, mate->uid);
	if (item->differs)
		ledger_set_cause(s->ledger, s->known->id, item->uid, CAUSE_ALTERED + 1,
				 "the destination has it in other bytes", mate->size,
				 mate->has & REMATCH_DIGEST ? mate->digest : NULL);
}

uint8_t settle_found(struct settle *s, size_t index)
{
	const struct rematch_item *item = &s->ours.p[index];
	const struct rematch_item *mate = &s->theirs.p[item->mate - 1];
	const struct imap_message *copy = imap_messages_find(&s->there, mate->uid);
	const struct lone *lone = &s->lone[index];
	bool proved = item->has & mate->has & REMATCH_DIGEST;
	struct ledger_message row = {
		.folder = s->known->id, .uid = item->uid, .copy_uid = mate->uid, .state = LEDGER_COPIED,
		.has = LEDGER_ADOPTED, .size = item->size,
		.date = lone->message.date, .zone_minutes = (int16_t)lone->message.zone_minutes,
	};

	if (lone->has_row) {
		found_row(s, item, mate);
		return item->differs ? CAUSE_ALTERED + 1 : 0;
	}

	row.has |= lone->again ? LEDGER_AGAIN : 0;
	row.copy_flags = copy ? copy_record_set(s->ledger, s->there.flag_sets[copy->flags]) : 0;
	if (item->has & REMATCH_DIGEST) {
		row.has |= LEDGER_HAS_DIGEST;
		memcpy(row.digest, item->digest, sizeof(row.digest));
	}
	if (item->has & REMATCH_HEADER) {
		row.has |= LEDGER_HAS_HEADER;
		memcpy(row.header, item->header, sizeof(row.header));
	}
	if (item->differs) {
		row.cause = CAUSE_ALTERED + 1;
		row.detail = "it was at the destination already, in other bytes";
		row.copy_size = mate->size;
		if (proved) {
			row.has |= LEDGER_HAS_COPY_DIGEST;
			memcpy(row.copy_digest, mate->digest, sizeof(row.copy_digest));
		}
	} else if (copy && copy->date != lone->message.date && lone->message.date != IMAP_NO_DATE) {
		row.cause = CAUSE_DATE_LOST + 1;
		row.detail = "it was at the destination already, with another date of arrival";
	}
	/* Until the difference is stored: what was sent may have been changed at the source since; what was found may have
	 * more flags, which are its user's. */
	row.flags = lone->intended ? lone->sent_flags
				   : copy_stores_common(s->pass, lone->flags, row.copy_flags);
	ledger_put_message(s->ledger, &row);
	s->pass->folder->adopted++;
	if (row.flags != lone->flags)
		copy_stores_want(s->pass, item->uid, mate->uid, row.flags, lone->flags, row.copy_flags);
	return row.cause;
}

static int take_found(struct settle *s, bool prove, struct fault *fault)
{
	for (size_t i = 0; i < s->ours.n; i++) {
		const struct rematch_item *item = &s->ours.p[i];
		const struct lone *lone = &s->lone[i];

		if (item->mate && (!prove || settle_is_mate(item, &s->theirs.p[item->mate - 1])))
			settle_found(s, i);
		else if (lone->intended && !lone->orphan)
			settle_expect_late(s, item->uid, lone->again);
	}

	return ledger_commit(s->ledger, fault);
}

/* Those that left the source between being listed and being read. */
static void orphan_unread(struct settle *s)
{
	for (size_t i = 0; i < s->ours.n; i++) {
		const struct rematch_item *item = &s->ours.p[i];
		struct lone *lone = &s->lone[i];
		struct ledger_message row = {
			.folder = s->known->id, .uid = item->uid, .state = LEDGER_SENDING, .size = item->size,
			.has = lone->again ? LEDGER_AGAIN : 0,
			.date = item->date, .zone_minutes = (int16_t)lone->message.zone_minutes,
			.flags = lone->sent_flags, .copy_flags = lone->sent_flags,
		};

		if (item->mate || !lone->intended || !(item->has & (REMATCH_NO_BODY | REMATCH_NO_HEADER)))
			continue;
		lone->orphan = true;
		settle_add_orphan(s, &row);
	}
}

int settle_surplus(struct settle *s, struct fault *fault)
{
	struct copy *copy = s->pass->worker->copy;
	unsigned removed, left;
	char detail[300];

	if (copy_late_remove(s->pass->worker, s->known, &s->there, &s->theirs, &removed, &left, fault) < 0)
		return -1;

	if (s->link)
		s->link->moved_out += removed;
	s->late |= removed || left || copy_late_is_news(copy);
	if (!left)
		return 0;

	snprintf(detail, sizeof(detail), "the destination stored %u messages after their connection was lost and they "
		 "were sent again: folder %.*s has them twice", left,
		 BYTES_ARG(bytes_head(s->known->destination_name, 100)));
	return copy_except_known(copy, s->known, CAUSE_COUNT_DIFFERS, 0, detail, fault);
}

int copy_settle(struct copy_pass *pass, bool prove, struct fault *fault)
{
	struct imap_session *to = pass->worker->to;
	struct copy_link *link = &pass->worker->copy->links[pass->index];
	struct ledger_folder *known = link->known;
	struct settle s;
	int r;

	if (imap_select(to, known->destination_name, true, fault) < 0 ||
	    (prove && copy_late_quiet(to, fault) < 0))
		return -1;

	settle_begin(&s, pass);
	r = settle_list_strangers(&s, known->mark ? known->mark : 1, UINT32_MAX, fault);
	if (r == 0)
		r = list_ours(&s, fault);
	if (r == 0 && s.theirs.n)
		r = copy_rematch(pass->worker, &s.ours, &s.theirs, prove, fault);
	if (r == 0)
		orphan_unread(&s);
	if (r == 0)
		r = settle_orphans(&s, fault);
	if (r == 0)
		r = take_found(&s, prove, fault);
	if (r == 0 && prove)
		r = settle_surplus(&s, fault);
	settle_done(&s);
	link->late |= s.late;
	if (r == 0)
		r = imap_unselect(to, known->destination_name, fault);
	link->settled |= r == 0;
	return r < 0 ? -1 : copy_stores_run(pass, fault);
}

/* --- rows of the folder under another UIDVALIDITY ----------------------------------------------- */

static int load_former(struct settle *s, struct ledger_folder *former, struct fault *fault)
{
	uint32_t after = 0;

	for (;;) {
		struct ledger_messages rows;
		size_t n;
		int r = ledger_load_next(s->ledger, former->id, after, ROWS, &rows, fault);

		for (size_t i = 0; i < rows.n && r == 0; i++) {
			const struct ledger_message *row = &rows.p[i];
			struct rematch_item *item;

			after = row->uid;
			if (row->state != LEDGER_COPIED && row->state != LEDGER_REMOVED)
				continue;
			s->theirs.p = xgrow(s->theirs.p, &s->theirs_size, s->theirs.n + 1, sizeof(*item));
			s->copy_uids = xgrow(s->copy_uids, &s->copy_uids_size, s->theirs.n + 1,
					     sizeof(*s->copy_uids));
			s->copy_uids[s->theirs.n] = row->copy_uid;
			item = &s->theirs.p[s->theirs.n++];
			*item = (struct rematch_item){ .uid = row->uid, .size = row->size, .date = row->date };
			if (row->has & LEDGER_HAS_DIGEST) {
				item->has |= REMATCH_DIGEST;
				memcpy(item->digest, row->digest, sizeof(item->digest));
			}
			if (row->has & LEDGER_HAS_HEADER) {
				item->has |= REMATCH_HEADER;
				memcpy(item->header, row->header, sizeof(item->header));
				item->id = rematch_id(row->message_id);
			}
		}
		n = rows.n;
		ledger_messages_done(&rows);
		if (r < 0 || n < ROWS)
			return r;
	}
}

int copy_settle_former(struct copy_pass *pass, struct ledger_folder *former, struct fault *fault)
{
	struct copy_link *link = &pass->worker->copy->links[pass->index];
	struct settle s;
	int r;

	settle_begin(&s, pass);
	s.theirs.session = NULL; /* rows: what they know is all there is */
	r = load_former(&s, former, fault);
	if (r == 0)
		r = list_ours(&s, fault);
	if (r == 0 && s.theirs.n && s.ours.n)
		r = copy_rematch(pass->worker, &s.ours, &s.theirs, false, fault);
	for (size_t i = 0; i < s.ours.n && r == 0; i++) {
		const struct rematch_item *item = &s.ours.p[i];

		if (item->mate && !item->differs)
			ledger_move_message(s.ledger, former->id, s.theirs.p[item->mate - 1].uid,
					    link->known->id, item->uid, s.copy_uids[item->mate - 1]);
	}
	settle_done(&s);
	return r < 0 ? -1 : ledger_commit(pass->worker->copy->options.ledger, fault);
}

/* --- in the middle of a pass -------------------------------------------------------------------- */

static bool has_no_place(const struct imap_message *m)
{
	return (m->state & MESSAGE_STATE_MASK) == MESSAGE_COPIED && !m->copy_uid;
}

/* Messages of the window that were answered OK without a UID, and those never answered; by UID, as they lie. */
static void list_doubts(struct settle *s)
{
	struct copy_pass *pass = s->pass;

	for (size_t i = 0; i < pass->doubts_n; i++) {
		const struct doubt *d = &pass->doubts[i];

		memcpy(copy_pass_digest(pass, d->message), d->digest, sizeof(d->digest));
		d->message->state |= MESSAGE_IN_DOUBT;
		d->message->size = d->size;
	}
	for (size_t i = 0; i < pass->messages.n; i++) {
		const struct imap_message *m = &pass->messages.p[i];
		struct lone lone = { .message = *m };
		struct rematch_item *item;

		if (!(m->state & MESSAGE_IN_DOUBT) && !has_no_place(m))
			continue;
		item = settle_add_ours(s, &lone);
		item->has = REMATCH_DIGEST;
		memcpy(item->digest, copy_pass_digest(pass, m), sizeof(item->digest));
	}
}

static void settle_message(struct settle *s, struct imap_message *m, const struct rematch_item *item)
{
	struct copy_pass *pass = s->pass;
	bool doubt = m->state & MESSAGE_IN_DOUBT;
	const struct rematch_item *mate = item->mate ? &s->theirs.p[item->mate - 1] : NULL;

	if (mate && !settle_is_mate(item, mate))
		mate = NULL;
	m->state &= ~(uint32_t)MESSAGE_IN_DOUBT;
	if (mate)
		m->copy_uid = mate->uid;
	if (mate && doubt) {
		m->state = (m->state & ~(uint32_t)MESSAGE_STATE_MASK) | MESSAGE_COPIED | MESSAGE_SUSPECT;
		pass->folder->copied++;
		pass->folder->bytes += m->size;
		EVP_DigestUpdate(pass->digest, copy_pass_digest(pass, m), 32);
		copy_record_copied(pass, m, NULL, NULL);
	} else if (mate) {
		ledger_set_copy_uid(s->ledger, s->known->id, m->uid, m->copy_uid);
	} else if (doubt) {
		m->state = (m->state & ~(uint32_t)MESSAGE_STATE_MASK) | MESSAGE_WAITING | MESSAGE_AGAIN;
		settle_expect_late(s, m->uid, false);
	}
}

int copy_settle_doubts(struct copy_pass *pass, struct fault *fault)
{
	struct imap_session *to = pass->worker->to;
	struct settle s;
	int r;

	if (!pass->doubts_n)
		return 0;

	if (imap_select(to, pass->folder->destination_name, true, fault) < 0 ||
	    copy_late_quiet(to, fault) < 0)
		return -1;

	settle_begin(&s, pass);
	list_doubts(&s);
	r = settle_list_strangers(&s, s.known->mark ? s.known->mark : 1, UINT32_MAX, fault);
	if (r == 0 && s.theirs.n)
		r = copy_rematch(pass->worker, &s.ours, &s.theirs, true, fault);
	for (size_t i = 0; i < s.ours.n && r == 0; i++)
		settle_message(&s, imap_messages_find(&pass->messages, s.ours.p[i].uid), &s.ours.p[i]);
	settle_done(&s);
	if (r < 0)
		return -1;
	if (s.late && ledger_commit(s.ledger, fault) < 0)
		return -1;
	pass->worker->copy->links[pass->index].late |= s.late;

	pass->doubts_n = 0;
	return imap_unselect(to, pass->folder->destination_name, fault);
}

/* --- which became which ------------------------------------------------------------------------- */

int copy_settle_places(struct copy_pass *pass, struct fault *fault)
{
	struct settle s;
	uint32_t from, last = 0;
	bool in_order;
	int r;

	settle_begin(&s, pass);
	list_doubts(&s);
	from = s.known->mark ? s.known->mark : 1;
	if (pass->placed_to >= from)
		from = pass->placed_to + 1;
	r = s.ours.n ? settle_list_strangers(&s, from, UINT32_MAX, fault) : 0;
	in_order = !pass->resent && s.theirs.n == s.ours.n;
	if (r == 0 && !in_order && s.theirs.n)
		r = copy_rematch(pass->worker, &s.ours, &s.theirs, true, fault);

	for (size_t i = 0; i < s.ours.n && r == 0; i++) {
		struct imap_message *m = imap_messages_find(&pass->messages, s.ours.p[i].uid);

		if (in_order)
			m->copy_uid = s.theirs.p[i].uid;
		else if (s.ours.p[i].mate)
			m->copy_uid = s.theirs.p[s.ours.p[i].mate - 1].uid;
		if (!m->copy_uid)
			continue;
		ledger_set_copy_uid(s.ledger, s.known->id, m->uid, m->copy_uid);
		if (m->copy_uid > last)
			last = m->copy_uid;
	}
	if (last > pass->placed_to)
		pass->placed_to = last;
	settle_done(&s);
	return r < 0 ? -1 : 0;
}

/* --- at the end ------------------------------------------------------------------------------- */

int copy_settle_late(struct copy_pass *pass, struct fault *fault)
{
	struct imap_session *to = pass->worker->to;
	struct settle s;
	int r;

	if (!pass->worker->copy->links[pass->index].late)
		return 0;
	if (imap_select(to, pass->folder->destination_name, true, fault) < 0)
		return -1;

	settle_begin(&s, pass);
	r = settle_list_strangers(&s, s.known->mark ? s.known->mark : 1, UINT32_MAX, fault);
	if (r == 0)
		r = ledger_commit(s.ledger, fault);
	if (r == 0)
		r = settle_surplus(&s, fault);
	settle_done(&s);
	return r < 0 ? -1 : imap_unselect(to, pass->folder->destination_name, fault);
}
