/* SPDX-License-Identifier: Apache-2.0 */
/* One folder: list its messages in windows, feed them through (feed.c) in rounds until each is copied or has
 * a reason not to be, then compare the count the destination shows. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/late.h"
#include "copy/links.h"
#include "copy/record.h"
#include "copy/stores.h"
#include "copy/survey.h"
#include "copy/worker.h"
#include "imap/write.h"

enum { WINDOW = 16384 }; /* messages listed at a time: bounds memory for folders of any size */

/* --- windows --------------------------------------------------------------------------------- */

/* It will not be sent, so its intent keeps the folder's mark only as long as an earlier try may turn up. */
static void leave_out(struct copy_pass *pass, struct imap_message *m)
{
	const struct copy *copy = pass->worker->copy;

	if (m->state & MESSAGE_AGAIN && !copy_late_is_news(copy))
		ledger_forget_message(copy->options.ledger, copy->links[pass->index].known->id, m->uid);
	m->state |= MESSAGE_SETTLED;
	pass->folder->filtered++;
}

static void filter(struct copy_pass *pass)
{
	const struct copy_options *o = &pass->worker->copy->options;
	/* RFC822.SIZE may be a little wrong (Q24); when it is far above the limit the body is not even
	 * asked for, when it is near the body's own length decides. */
	uint64_t certainly_too_large = pass->limit ? pass->limit + (64 << 10) : UINT64_MAX;

	for (size_t i = 0; i < pass->messages.n; i++) {
		struct imap_message *m = &pass->messages.p[i];

		if ((m->state & MESSAGE_STATE_MASK) != MESSAGE_WAITING)
			continue;
		if (m->date != IMAP_NO_DATE &&
		    ((o->since != IMAP_NO_DATE && m->date < o->since) ||
		     (o->before != IMAP_NO_DATE && m->date >= o->before))) {
			leave_out(pass, m);
		} else if (m->size > certainly_too_large) {
			m->state |= MESSAGE_SETTLED;
			copy_pass_put_off(pass, m, CAUSE_TOO_LARGE, m->size, "");
		}
	}
}

static bool any_waiting(const struct copy_pass *pass)
{
	for (size_t i = 0; i < pass->messages.n; i++)
		if ((pass->messages.p[i].state & MESSAGE_STATE_MASK) == MESSAGE_WAITING)
			return true;

	return false;
}

/* The destination took the messages but does not let us look at them: said once, and no reason to stop. */
static int cannot_look(struct copy_pass *pass, struct fault *fault)
{
	struct copy *copy = pass->worker->copy;
	char detail[700];

	if (fault->reach > REACH_FOLDER)
		return -1;
	if (pass->cannot_look)
		return 0;

	pass->cannot_look = true;
	fault_format(fault, detail, sizeof(detail));
	books_except(&copy->books, pass->index, CAUSE_COUNT_DIFFERS, 0, 0, 0, "", detail);
	return copy_tell(copy, EVENT_EXCEPTION, copy->books.exceptions_n - 1, fault);
}

void copy_pass_set_mark(struct copy_pass *pass)
{
	copy_record_mark(pass, pass->there_uidnext);
}

/* Each round settles a message or takes a way of sending it out of use, so the rounds end. */
static int copy_rounds(struct copy_pass *pass, struct fault *fault)
{
	int r;

	copy_pass_give_up(pass);
	pass->first = copy_aside_decide(pass, run_now());
	if (copy_pass_settle(pass, fault) < 0 || copy_pass_prepare_flags(pass, fault) < 0)
		return -1;
	if (any_waiting(pass) && copy_settle_unseen(pass, fault) < 0)
		return -1;
	if ((any_waiting(pass) || pass->moving) && copy_moves(pass, fault) < 0)
		return -1;
	if (any_waiting(pass))
		copy_pass_set_mark(pass);

	if (copy_stores_run(pass, fault) < 0) /* of a try before that was interrupted */
		return -1;

	while (any_waiting(pass)) {
		r = copy_feed(pass, fault);
		if (r > 0)
			r = copy_reconnect(pass, fault);
		if (r < 0 || copy_pass_settle(pass, fault) < 0)
			return -1;
		pass->first = copy_aside_decide(pass, run_now());
	}
	if (copy_pass_tell_losses(pass, fault) < 0)
		return -1;

	return copy_check_window(pass, fault) < 0 ? cannot_look(pass, fault) : 0;
}

int copy_persist(struct copy_pass *pass, int (*step)(struct copy_pass *pass, struct fault *fault),
		 struct fault *fault)
{
	int r;

	while ((r = step(pass, fault)) < 0 && copy_may_recover(pass, fault))
		if (copy_recover(pass, fault) < 0)
			return -1;

	return r;
}

int copy_window_end(struct copy_pass *pass, uint64_t behind, uint32_t *ret, struct fault *fault)
{
	struct imap_session *from = pass->worker->from;

	*ret = UINT32_MAX;
	if (from->selected.exists <= behind + WINDOW)
		return 0;

	if (imap_fetch_uid(from, (uint32_t)(behind + WINDOW), ret, fault) < 0)
		return -1;
	if (*ret < pass->low) /* none told, or one that would make us turn in circles */
		*ret = UINT32_MAX;
	return 0;
}

static int list_window(struct copy_pass *pass, struct fault *fault)
{
	struct imap_session *from = pass->worker->from;

	if (copy_window_end(pass, pass->behind, &pass->high, fault) < 0 ||
	    imap_fetch_messages(from, pass->low, pass->high, true, &pass->messages, fault) < 0)
		return -1;

	if (from->selected.exists < pass->counted) /* expunged before it was listed */
		pass->counted = from->selected.exists;
	return 0;
}

/* A message without INTERNALDATE gets the date of its own header, if it has one (Q29). */
static int find_dates(struct copy_pass *pass, struct fault *fault)
{
	for (size_t i = 0; i < pass->messages.n; i++) {
		struct imap_message *m = &pass->messages.p[i];
		int r;

		if (m->date != IMAP_NO_DATE || m->state & MESSAGE_OWN_DATE)
			continue;
		r = imap_fetch_date_header(pass->worker->from, m, fault);
		if (r < 0)
			return -1;
		m->state |= MESSAGE_OWN_DATE; /* asked, whatever the answer */
	}
	return 0;
}

/* --- what earlier passes did ------------------------------------------------------------------- */

/* What a row means for the message it is of. */
static int know_message(struct copy_pass *pass, struct imap_message *m, const struct ledger_message *row,
			struct fault *fault)
{
	struct copy *copy = pass->worker->copy;
	const struct copy_options *o = &copy->options;
	struct copy_folder *folder = pass->folder;

	switch ((enum ledger_state)row->state) {
	case LEDGER_GONE:
		if (row->has & LEDGER_MIRRORED)
			return 0;
		ledger_set_state(o->ledger, row->folder, row->uid, LEDGER_COPIED, 0);
		break;
	case LEDGER_COPIED:
		if (!row->copy_uid && copy->links[pass->index].settled) /* not to be found */
			return 0;
		break;
	case LEDGER_SENDING: /* what will be sent may have other flags by now: then the intent is another one */
		if (row->has & LEDGER_AGAIN)
			m->state |= MESSAGE_AGAIN; /* and the moment is another one */
		else if (row->flags == copy_record_flags(pass, m->flags) && row->size == m->size)
			m->state |= MESSAGE_INTENDED;
		return 0;
	case LEDGER_EXCEPTED:
		if (row->cause == CAUSE_UNAVAILABLE + 1)
			m->state |= MESSAGE_ASIDE | MESSAGE_ASIDE_BEFORE;
		if (o->retry_exceptions || row->cause == CAUSE_UNAVAILABLE + 1)
			return 0;
		break;
	case LEDGER_REMOVED:
		if (o->recopy_missing)
			return 0;
		break;
	}
	m->state |= MESSAGE_SETTLED;
	if (pass->partial) /* counted with the others */
		return 0;

	folder->removed += row->state == LEDGER_REMOVED;
	if (row->state == LEDGER_COPIED || row->state == LEDGER_GONE) {
		folder->present++;
		folder->bytes_present += m->size;
	}
	if (row->cause || row->state == LEDGER_REMOVED)
		return copy_links_except(copy, pass->index, row, fault);
	return 0;
}

static int know_window(struct copy_pass *pass, struct fault *fault)
{
	enum { ROWS = 4096 };
	const struct copy *copy = pass->worker->copy;
	struct imap_messages *m = &pass->messages;
	size_t at = 0;

	while (at < m->n) {
		struct ledger_messages rows;
		uint32_t after = m->p[at].uid - 1;
		size_t i = 0, n;
		int r = ledger_load_next(copy->options.ledger, copy->links[pass->index].known->id, after,
					 ROWS, &rows, fault);

		for (; i < rows.n && r == 0 && at < m->n; i++) {
			while (at < m->n && m->p[at].uid < rows.p[i].uid)
				at++;
			if (at < m->n && m->p[at].uid == rows.p[i].uid)
				r = know_message(pass, &m->p[at++], &rows.p[i], fault);
		}
		n = rows.n;
		ledger_messages_done(&rows);
		if (r < 0)
			return -1;
		if (n < ROWS)
			return 0;
	}
	return 0;
}

/* After a survey only what is new needs to be listed, if the numbers add up: what was there and is not new has a row
 * or was left out by date. Else everything is looked at. */
static int count_known(struct copy_pass *pass, uint64_t arrived, uint64_t fresh, bool *ret_adds_up,
		       struct fault *fault)
{
	struct copy *copy = pass->worker->copy;
	struct copy_link *link = &copy->links[pass->index];
	struct ledger_folder *known = link->known;
	struct copy_folder *folder = pass->folder;
	uint64_t exists = pass->worker->from->selected.exists, there, rows, left;
	bool filtered = known->since != IMAP_NO_DATE || known->before != IMAP_NO_DATE;

	if (ledger_count_folder(copy->options.ledger, known, fault) < 0)
		return -1;

	there = exists > fresh ? exists - fresh : 0; /* with a row, or left out by date */
	left = link->vanished - link->without_copy; /* their rows say COPIED until the end of the pass */
	rows = known->tally.copied - (left < known->tally.copied ? left : known->tally.copied) +
	       known->tally.excepted + known->tally.removed;
	*ret_adds_up = there == rows || (filtered && there > rows);
	if (!*ret_adds_up)
		return 0;

	folder->listed += there - (arrived - fresh);
	folder->present += rows - known->tally.excepted - known->tally.removed;
	folder->filtered += there - rows;
	folder->removed += known->tally.removed;
	return copy_links_except_all(copy, pass->index, fault);
}

static bool only_new_matters(const struct copy_pass *pass)
{
	const struct copy *copy = pass->worker->copy;
	const struct copy_link *link = &copy->links[pass->index];
	const struct copy_options *o = &copy->options;

	return link->surveyed && link->known->complete && link->known->source.uidnext && !link->settled &&
	       link->known->since == o->since && link->known->before == o->before &&
	       !o->retry_exceptions && !o->recopy_missing && !link->known->tally.noted[CAUSE_UNAVAILABLE + 1];
}

static void begin_windows(struct copy_pass *pass, bool all)
{
	const struct copy_link *link = &pass->worker->copy->links[pass->index];

	pass->partial = !all && only_new_matters(pass);
	pass->low = pass->partial ? link->known->source.uidnext : 1;
	pass->behind = pass->partial && link->known->source.messages > link->vanished
		       ? link->known->source.messages - link->vanished : 0;
}

/* Of a folder of which only the new messages are listed: the others, too, go into the books. */
static int check_partial(struct copy_pass *pass, struct fault *fault)
{
	const struct copy *copy = pass->worker->copy;
	struct ledger_messages rows;
	uint64_t fresh = pass->messages.n;
	bool adds_up;
	int r;

	if (!pass->partial)
		return 0;

	/* Some came when the pass before this had begun already, and were copied by it. */
	r = ledger_load_bare(copy->options.ledger, copy->links[pass->index].known->id, pass->low, pass->high,
			     &rows, fault);
	for (size_t i = 0; i < rows.n && r == 0; i++)
		fresh -= fresh && rows.p[i].state != LEDGER_GONE && rows.p[i].state != LEDGER_SENDING;
	ledger_messages_done(&rows);
	if (r < 0 || count_known(pass, pass->messages.n, fresh, &adds_up, fault) < 0)
		return -1;
	if (adds_up)
		return 0;

	begin_windows(pass, true);
	return list_window(pass, fault);
}

static int copy_window(struct copy_pass *pass, struct fault *fault)
{
	pass->folder->listed += pass->messages.n;
	pass->behind += pass->messages.n;
	pass->looked_unseen = false;
	copy_aside_begin(pass);
	if (copy_persist(pass, know_window, fault) < 0 || copy_persist(pass, find_dates, fault) < 0)
		return -1;

	pass->digests = xreallocarray(pass->digests, pass->messages.n + 1, 32);
	filter(pass);
	return copy_persist(pass, copy_rounds, fault);
}

static int copy_windows(struct copy_pass *pass, struct fault *fault)
{
	begin_windows(pass, false);
	if (copy_persist(pass, list_window, fault) < 0 || copy_persist(pass, check_partial, fault) < 0)
		return -1;

	for (;;) {
		if (copy_window(pass, fault) < 0)
			return -1;
		if (pass->high == UINT32_MAX)
			break;
		pass->low = pass->high + 1;
		if (copy_persist(pass, list_window, fault) < 0)
			return -1;
	}

	pass->listed_all = true;
	return 0;
}

/* --- the folder ------------------------------------------------------------------------------ */

/* Messages the server counts but never lists must not vanish from the books (Q25). Servers may wait for a NOOP to
 * tell what was expunged. What arrived since it was listed must not make up for that, so the lowest count stands. */
static int account_unlisted(struct copy_pass *pass, struct fault *fault)
{
	struct copy *copy = pass->worker->copy;
	struct imap_session *from = pass->worker->from;
	uint64_t missing;
	char detail[200];

	if (pass->counted <= pass->folder->listed)
		return 0;
	if (imap_simple(from, "NOOP", fault) < 0)
		return -1;
	if (from->selected.exists < pass->counted)
		pass->counted = from->selected.exists;
	if (pass->counted <= pass->folder->listed)
		return 0;

	missing = pass->counted - pass->folder->listed;
	snprintf(detail, sizeof(detail),
		 "the source counts %" PRIu32 " messages in the folder but lists only %" PRIu64,
		 pass->counted, pass->folder->listed);
	pass->folder->listed += missing;
	books_except(&copy->books, pass->index, CAUSE_UNREADABLE, 0, 0, missing, "", detail);
	return copy_tell(copy, EVENT_EXCEPTION, copy->books.exceptions_n - 1, fault);
}

/* What the server said OK to must be there. More than that may have come from others. */
static int check_count(struct copy_pass *pass, struct fault *fault)
{
	struct copy *copy = pass->worker->copy;
	uint64_t expected = pass->there_messages + pass->folder->copied + pass->folder->moved, out;
	struct imap_folder now;
	char detail[200];

	if (!pass->folder->copied)
		return 0;
	if (copy_settle_late(pass, fault) < 0 ||
	    imap_status(pass->worker->to, pass->folder->destination_name, &now, fault) < 0)
		return cannot_look(pass, fault);
	out = copy->links[pass->index].moved_out; /* read only now: others move while we ask */
	expected = expected > out ? expected - out : 0;
	if (!(now.flags & IMAP_FOLDER_STATUS) || now.messages >= expected)
		return 0;

	snprintf(detail, sizeof(detail), "the destination took %" PRIu64 " messages but shows %" PRIu64
		 " of %" PRIu64, pass->folder->copied, now.messages, expected);
	copy->links[pass->index].incomplete = true;
	books_except(&copy->books, pass->index, CAUSE_COUNT_DIFFERS, 0, 0, 0, "", detail);
	return copy_tell(copy, EVENT_EXCEPTION, copy->books.exceptions_n - 1, fault);
}

static int learn_limit(struct copy_pass *pass, struct fault *fault)
{
	struct imap_session *to = pass->worker->to;
	struct imap_folder now;

	pass->limit = to->capabilities.append_limit;
	if (pass->limit || !imap_can(&to->capabilities, IMAP_CAP_APPENDLIMIT))
		return 0;

	if (imap_status(to, pass->folder->destination_name, &now, fault) < 0)
		return -1;

	pass->limit = now.append_limit;
	return 0;
}

static int open_source(struct copy_pass *pass, struct fault *fault)
{
	return imap_select(pass->worker->from, pass->folder->source_name, true, fault);
}

/* Before the pass only folders were looked at that the source said hold messages. It may have told no number or
 * a wrong one, or mail came since. */
static int refuse_filled(struct copy_pass *pass, uint64_t messages, struct fault *fault)
{
	return fault_set(fault, FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER,
			 "folder %.*s of the destination already holds %" PRIu64 " messages that the ledger "
			 "does not know; --adopt matches them with the source's",
			 BYTES_ARG(pass->folder->destination_utf8), messages);
}

int copy_folder_look_there(struct copy_pass *pass, struct imap_folder *ret, struct fault *fault)
{
	const struct copy_options *o = &pass->worker->copy->options;
	const struct copy_link *link = &pass->worker->copy->links[pass->index];
	struct ledger_folder *known = link->known;
	bool first = !known->destination_uidvalidity && !link->there_known;
	bool look = false, prove = false;

	if (imap_status(pass->worker->to, pass->folder->destination_name, ret, fault) < 0)
		return -1;
	if (first && ret->messages && !o->adopt && !known->mark)
		return refuse_filled(pass, ret->messages, fault);

	if (known->destination_uidvalidity && ret->uidvalidity &&
	    known->destination_uidvalidity != ret->uidvalidity) {
		ledger_forget_copy_uids(o->ledger, known->id);
		ledger_set_mark(o->ledger, known, 1);
		look = true;
	} else if (!link->settled && (known->mark || (first && ret->messages))) {
		look = true;
		prove = known->mark;
	}
	if (!first) {
		known->destination_uidvalidity = (uint32_t)ret->uidvalidity;
		ledger_put_folder(o->ledger, known);
	}
	/* Who cannot look must not send: it may be there. */
	if (look && copy_settle(pass, prove, fault) < 0)
		return -1;

	/* Only now is a folder that somebody else filled known to have been looked at. */
	known->destination_uidvalidity = (uint32_t)ret->uidvalidity;
	ledger_put_folder(o->ledger, known);
	copy_record_no_mark(pass);
	return 0;
}

static int open_destination(struct copy_pass *pass, struct fault *fault)
{
	struct copy_link *link = &pass->worker->copy->links[pass->index];
	struct imap_folder now;

	if (copy_folder_look_there(pass, &now, fault) < 0)
		return -1;

	pass->there_uidnext = (uint32_t)now.uidnext;
	pass->there_messages = now.messages;
	if (!link->surveyed_there.uidvalidity) /* it had no copies so far */
		link->surveyed_there = copy_seen_of(&now);
	return 0;
}

int copy_folder_record(struct copy_pass *pass, struct fault *fault)
{
	struct copy *copy = pass->worker->copy;
	struct copy_link *link = &copy->links[pass->index];
	struct ledger_folder *former;
	size_t at = 0;

	if (link->known && link->known->source_uidvalidity &&
	    pass->worker->from->selected.uidvalidity != link->known->source_uidvalidity) {
		link->formers = true;
		link->formers_lost = false; /* even if it was replaced after it was surveyed */
		link->known = NULL;
		pass->folder->bytes_known = 0;
	}
	copy_record_folder(pass);
	copy_note_begun(pass);
	while (!link->formers_lost && (former = copy_link_next_former(copy, pass->index, &at)))
		if (copy_settle_former(pass, former, fault) < 0)
			return -1;
	return 0;
}

int copy_folder_lose_formers(struct copy_pass *pass, struct fault *fault)
{
	struct copy *copy = pass->worker->copy;
	struct copy_link *link = &copy->links[pass->index];
	struct ledger_folder *former;
	size_t at = 0;

	if (link->formers_lost)
		return 0;

	link->formers_lost = true;
	while ((former = copy_link_next_former(copy, pass->index, &at)))
		if (copy_vanished_add_folder(copy, former, link, fault) < 0)
			return -1;
	return 0;
}

static int copy_listed(struct copy_pass *pass, struct fault *fault)
{
	if (copy_persist(pass, learn_limit, fault) < 0 || copy_persist(pass, open_destination, fault) < 0 ||
	    copy_windows(pass, fault) < 0 || copy_persist(pass, account_unlisted, fault) < 0 ||
	    copy_persist(pass, check_count, fault) < 0)
		return -1;

	return copy_check_end(pass, fault);
}

/* An earlier pass may have left something at the destination that no row knows. */
static bool is_unsettled(const struct copy_pass *pass)
{
	return pass->worker->copy->links[pass->index].known->mark;
}

static int copy_messages(struct copy_pass *pass, struct fault *fault)
{
	struct copy_worker *w = pass->worker;
	uint32_t exists;

	if (copy_persist(pass, open_source, fault) < 0)
		return -1;

	pass->folder->uidvalidity = w->from->selected.uidvalidity;
	exists = pass->counted = w->from->selected.exists;
	if (exists > pass->folder->expected)
		pass->folder->expected = exists;
	if (copy_persist(pass, copy_folder_record, fault) < 0)
		return -1;
	if (exists ? copy_listed(pass, fault) < 0
		   : is_unsettled(pass) && copy_persist(pass, open_destination, fault) < 0)
		return -1;
	if (copy_folder_lose_formers(pass, fault) < 0)
		return -1;

	copy_record_no_mark(pass);
	if (exists < pass->folder->listed) /* some came just before they were listed */
		exists = (uint32_t)pass->folder->listed;
	if (w->from->selected.exists > exists)
		pass->folder->arrived = w->from->selected.exists - exists;
	return 0;
}

static void pass_done(struct copy_pass *pass)
{
	copy_pass_forget_flags(pass);
	copy_pass_forget_put_off(pass);
	free(pass->put_off);
	free(pass->doubts);
	free(pass->told);
	free(pass->digests);
	free(pass->flag_ids);
	copy_stores_done(pass);
	copy_settle_unseen_done(pass);
	buf_done(&pass->permanent);
	imap_messages_done(&pass->messages);
	EVP_DigestFinal_ex(pass->digest, pass->folder->digest, NULL);
	EVP_MD_CTX_free(pass->digest);
}

/* A folder that cannot be copied is an exception; the others go on, with connections of their own. */
static int folder_failed(struct copy_pass *pass, struct fault *why, struct fault *fault)
{
	struct copy_worker *w = pass->worker;
	struct copy_folder *folder = pass->folder;
	size_t index = pass->index;
	uint64_t missing;
	char detail[700];

	if (!pass->listed_all && folder->listed < folder->expected)
		folder->listed = folder->expected;
	missing = books_not_reached(folder);
	fault_format(why, detail, sizeof(detail));
	folder->state = FOLDER_FAILED;
	books_except(&w->copy->books, index, CAUSE_FOLDER, 0, 0, missing, "", detail);
	w->from = imap_session_free(w->from);
	w->to = imap_session_free(w->to);
	if (copy_tell(w->copy, EVENT_EXCEPTION, w->copy->books.exceptions_n - 1, fault) < 0)
		return -1;

	return copy_tell(w->copy, EVENT_FOLDER_ENDED, index, fault);
}

/* The connection was lost too often, but a new one can be had at once: then this folder is the trouble, and the
 * others may do better. Some in a row that all fail so are the server's trouble again. */
static bool folder_is_to_blame(struct copy_pass *pass, const struct fault *why)
{
	enum { IN_A_ROW = 3 };
	struct copy_worker *w = pass->worker;
	struct copy *copy = w->copy;
	uint64_t copied = books_total(&copy->books).copied;
	struct fault ignored;

	if (why->reach != REACH_SESSION || why->kind == FAULT_CANCELLED ||
	    why->again == AGAIN_NEVER || copy->options.retries < 2 || pass->doubts_n)
		return false;

	if (copied > copy->copied_then)
		copy->folders_lost = 0;
	copy->copied_then = copied;
	if (copy->folders_lost++ >= IN_A_ROW)
		return false;

	w->from = imap_session_free(w->from);
	w->to = imap_session_free(w->to);
	return copy_connect_both(copy, &w->from, &w->to, &ignored) == 0;
}

static void pass_begin(struct copy_pass *pass, struct copy_worker *w, size_t index)
{
	*pass = (struct copy_pass){ .worker = w, .folder = &w->copy->books.folders[index],
				    .index = index, .digest = EVP_MD_CTX_new() };
	EVP_DigestInit_ex(pass->digest, EVP_sha256(), NULL);
	imap_messages_init(&pass->messages);
}

int copy_folder_survey(struct copy_worker *w, size_t index, struct fault *fault)
{
	struct copy_pass pass;
	int r;

	pass_begin(&pass, w, index);
	r = copy_survey(&pass, fault);
	pass_done(&pass);
	return r;
}

int copy_folder_run(struct copy_worker *w, size_t index, struct fault *fault)
{
	struct copy_link *link = &w->copy->links[index];
	struct copy_pass pass;
	struct fault why;
	int r;

	pass_begin(&pass, w, index);
	pass.folder->state = FOLDER_COPYING;
	r = copy_tell(w->copy, EVENT_FOLDER_BEGUN, index, fault);
	if (r == 0)
		r = copy_messages(&pass, fault);
	if (r == 0)
		r = copy_survey_tell(&pass, fault);
	pass.folder->in_doubt = pass.doubts_n;
	pass_done(&pass);

	why = r < 0 ? *fault : FAULT_INIT;
	if (r < 0 && (why.reach <= REACH_FOLDER || folder_is_to_blame(&pass, &why)))
		return folder_failed(&pass, &why, fault);
	if (r < 0)
		return -1;

	link->done = true;
	if (copy_link_is_worth_it(w->copy, index) && copy_link_complete(w, index, fault) < 0)
		return -1;
	pass.folder->state = FOLDER_DONE;
	return copy_tell(w->copy, EVENT_FOLDER_ENDED, index, fault);
}
