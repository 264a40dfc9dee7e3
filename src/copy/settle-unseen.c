/* SPDX-License-Identifier: Apache-2.0 */
/* What lies at the destination from the UIDNEXT on that the ledger remembers, when it should not: mail from elsewhere, or
 * copies that a later state of the ledger knew, before somebody put an older one back or the disk lost its last commits.
 * Looked at only where there is something, once, and before messages without a row are sent; only those that have the size or
 * the date of one of them are held against it, by bytes, so mail that came from elsewhere costs a listing of what is new. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "copy/looks.h"
#include "copy/settle-inside.h"
#include "imap/write.h"

/* The first UID that no pass has seen; 0: there is none. */
static uint32_t unseen_from(const struct copy_pass *pass)
{
	const struct copy_link *link = &pass->worker->copy->links[pass->index];
	const struct ledger_folder *known = link->known;
	bool same = known->destination.uidvalidity == known->destination_uidvalidity;
	uint32_t next = same ? known->destination.uidnext : 0;

	if (link->settled || !pass->there_messages)
		return 0;
	if (next && pass->there_uidnext)
		return pass->there_uidnext > next ? next : 0;
	if (same && known->complete && known->destination.messages == pass->there_messages)
		return 0; /* of a server that tells no UIDNEXT */

	return next ? next : 1;
}

static bool is_waiting(const struct imap_message *m)
{
	return (m->state & MESSAGE_STATE_MASK) == MESSAGE_WAITING;
}

/* --- who may be who --------------------------------------------------------------------------- */

/* What the destination had from there on when the folder was opened: listed once, whatever the windows are. */
struct copy_unseen {
	struct rematch_item *p; /* strangers, with what was read of them */
	size_t n;
	struct imap_messages there; /* their flags */
};

void copy_settle_unseen_done(struct copy_pass *pass)
{
	if (!pass->unseen)
		return;

	free(pass->unseen->p);
	imap_messages_done(&pass->unseen->there);
	free(pass->unseen);
	pass->unseen = NULL;
}

static void keep_listed(struct settle *s)
{
	struct copy_unseen *unseen = xzalloc(sizeof(*unseen));

	unseen->n = s->theirs.n;
	unseen->p = TAKE_PTR(s->theirs.p);
	s->theirs.n = 0;
	unseen->there = s->there;
	imap_messages_init(&s->there);
	s->pass->unseen = unseen;
}

static int list(struct copy_pass *pass, uint32_t from, struct fault *fault)
{
	struct settle s;
	int r;

	settle_begin(&s, pass);
	r = settle_list_strangers(&s, from, pass->there_uidnext ? pass->there_uidnext - 1 : UINT32_MAX, fault);
	if (r == 0)
		keep_listed(&s);
	settle_done(&s);
	return r;
}

/* The strangers that look like a waiting message, if none of ours before was found to be them. */
static void choose_strangers(struct settle *s)
{
	const struct imap_messages *m = &s->pass->messages;
	const struct copy_unseen *unseen = s->pass->unseen;
	_cleanup_(looks_done) struct looks looks;

	looks_init(&looks, m->n);
	for (size_t i = 0; i < m->n; i++)
		if (is_waiting(&m->p[i]))
			looks_add(&looks, m->p[i].size, m->p[i].date);
	looks_sort(&looks);
	s->theirs.p = xreallocarray(NULL, unseen->n + 1, sizeof(*s->theirs.p));
	for (size_t i = 0; i < unseen->n; i++)
		if (!unseen->p[i].mate && looks_has(&looks, unseen->p[i].size, unseen->p[i].date))
			s->theirs.p[s->theirs.n++] = unseen->p[i];
}

static void list_ours(struct settle *s)
{
	const struct imap_messages *m = &s->pass->messages;
	_cleanup_(looks_done) struct looks looks;

	looks_init(&looks, s->theirs.n);
	for (size_t i = 0; i < s->theirs.n; i++)
		looks_add(&looks, s->theirs.p[i].size, s->theirs.p[i].date);
	looks_sort(&looks);
	for (size_t i = 0; i < m->n; i++)
		if (is_waiting(&m->p[i]) && looks_has(&looks, m->p[i].size, m->p[i].date))
			settle_add_message(s, &m->p[i], NULL);
}

/* --- what was found --------------------------------------------------------------------------- */

static bool is_found(const struct settle *s, const struct rematch_item *ours)
{
	return ours->mate && settle_is_mate(ours, &s->theirs.p[ours->mate - 1]);
}

/* Both rise. What was read of the chosen need not be read again, and each is taken once. */
static void take_back(struct settle *s)
{
	struct copy_unseen *unseen = s->pass->unseen;
	size_t at = 0;

	for (size_t i = 0; i < s->theirs.n; i++) {
		const struct rematch_item *theirs = &s->theirs.p[i];
		bool found = theirs->mate && is_found(s, &s->ours.p[theirs->mate - 1]);

		while (unseen->p[at].uid != theirs->uid)
			at++;
		unseen->p[at] = *theirs;
		unseen->p[at].mate = found;
	}
}

static int take_found(struct settle *s, struct fault *fault)
{
	struct copy_pass *pass = s->pass;

	for (size_t i = 0; i < s->ours.n; i++) {
		const struct rematch_item *item = &s->ours.p[i];
		struct imap_message *m = imap_messages_find(&pass->messages, item->uid);
		struct ledger_message row = { .state = LEDGER_COPIED, .uid = item->uid, .size = item->size };

		if (!is_found(s, item))
			continue;
		row.cause = settle_found(s, i);
		m->copy_uid = s->theirs.p[item->mate - 1].uid;
		m->state |= MESSAGE_SETTLED;
		pass->folder->present++;
		pass->folder->bytes_present += item->size;
		if (row.cause && copy_links_except(pass->worker->copy, pass->index, &row, fault) < 0)
			return -1;
	}
	take_back(s);
	return ledger_commit(s->ledger, fault);
}

static int hold_against(struct copy_pass *pass, struct fault *fault)
{
	struct imap_messages none;
	struct settle s;
	int r = 0;

	settle_begin(&s, pass);
	none = s.there;
	s.there = pass->unseen->there;
	choose_strangers(&s);
	list_ours(&s);
	if (s.theirs.n && s.ours.n)
		r = copy_rematch(pass->worker, &s.ours, &s.theirs, true, fault);
	if (r == 0)
		r = take_found(&s, fault);
	s.there = none;
	settle_done(&s);
	return r;
}

int copy_settle_unseen(struct copy_pass *pass, struct fault *fault)
{
	struct imap_session *to = pass->worker->to;
	uint32_t from = pass->looked_unseen ? 0 : unseen_from(pass);

	if (!from || (pass->unseen && !pass->unseen->n))
		return 0;
	if (imap_select(to, pass->folder->destination_name, true, fault) < 0 ||
	    (!pass->unseen && list(pass, from, fault) < 0) || hold_against(pass, fault) < 0)
		return -1;

	pass->looked_unseen = true;
	return imap_unselect(to, pass->folder->destination_name, fault);
}
