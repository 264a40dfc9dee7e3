/* SPDX-License-Identifier: Apache-2.0 */
/* What lies at the destination from the UIDNEXT on that the ledger remembers, when it should not: mail from elsewhere, or
 * copies that a later state of the ledger knew, before somebody put an older one back or the disk lost its last commits.
 * Looked at only where there is something, and before messages without a row are sent; only those that have the size or
 * the date of one of them are held against it, by bytes, so mail that came from elsewhere costs a listing of what is new. */
#include <stdlib.h>

#include "base/xalloc.h"
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

/* Sizes and dates, sorted. */
struct looks {
	uint64_t *sizes;
	int64_t *dates;
	size_t n;
};

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int by_date(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void looks_init(struct looks *l, size_t most)
{
	*l = (struct looks){ .sizes = xreallocarray(NULL, most + 1, sizeof(*l->sizes)),
			     .dates = xreallocarray(NULL, most + 1, sizeof(*l->dates)) };
}

static void looks_done(struct looks *l)
{
	free(l->sizes);
	free(l->dates);
}

static void looks_add(struct looks *l, uint64_t size, int64_t date)
{
	l->sizes[l->n] = size;
	l->dates[l->n++] = date;
}

static void looks_sort(struct looks *l)
{
	qsort(l->sizes, l->n, sizeof(*l->sizes), by_size);
	qsort(l->dates, l->n, sizeof(*l->dates), by_date);
}

/* A message rewritten by the server keeps its date, and one whose date it does not keep its size. */
static bool looks_has(const struct looks *l, uint64_t size, int64_t date)
{
	return bsearch(&size, l->sizes, l->n, sizeof(*l->sizes), by_size) ||
	       bsearch(&date, l->dates, l->n, sizeof(*l->dates), by_date);
}

/* Keeps the strangers that look like a waiting message. */
static void keep_strangers(struct settle *s)
{
	const struct imap_messages *m = &s->pass->messages;
	_cleanup_(looks_done) struct looks looks;
	size_t kept = 0;

	looks_init(&looks, m->n);
	for (size_t i = 0; i < m->n; i++)
		if (is_waiting(&m->p[i]))
			looks_add(&looks, m->p[i].size, m->p[i].date);
	looks_sort(&looks);
	for (size_t i = 0; i < s->theirs.n; i++)
		if (looks_has(&looks, s->theirs.p[i].size, s->theirs.p[i].date))
			s->theirs.p[kept++] = s->theirs.p[i];
	s->theirs.n = kept;
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

static int take_found(struct settle *s, struct fault *fault)
{
	struct copy_pass *pass = s->pass;

	for (size_t i = 0; i < s->ours.n; i++) {
		const struct rematch_item *item = &s->ours.p[i];
		struct imap_message *m = imap_messages_find(&pass->messages, item->uid);
		struct ledger_message row = { .state = LEDGER_COPIED, .uid = item->uid, .size = item->size };

		if (!item->mate || !settle_is_mate(item, &s->theirs.p[item->mate - 1]))
			continue;
		row.cause = settle_found(s, i);
		m->copy_uid = s->theirs.p[item->mate - 1].uid;
		m->state |= MESSAGE_SETTLED;
		pass->folder->present++;
		pass->folder->bytes_present += item->size;
		if (row.cause && copy_links_except(pass->worker->copy, pass->index, &row, fault) < 0)
			return -1;
	}
	return ledger_commit(s->ledger, fault);
}

static int look(struct settle *s, uint32_t from, struct fault *fault)
{
	if (settle_list_strangers(s, from, s->pass->there_uidnext ? s->pass->there_uidnext - 1 : UINT32_MAX,
				  fault) < 0)
		return -1;

	keep_strangers(s);
	list_ours(s);
	if (!s->theirs.n || !s->ours.n)
		return 0;

	return copy_rematch(s->pass->worker, &s->ours, &s->theirs, true, fault) < 0 ? -1
										     : take_found(s, fault);
}

int copy_settle_unseen(struct copy_pass *pass, struct fault *fault)
{
	struct imap_session *to = pass->worker->to;
	uint32_t from = pass->looked_unseen ? 0 : unseen_from(pass);
	struct settle s;
	int r;

	if (!from)
		return 0;
	if (imap_select(to, pass->folder->destination_name, true, fault) < 0)
		return -1;

	settle_begin(&s, pass);
	r = look(&s, from, fault);
	settle_done(&s);
	if (r < 0)
		return -1;

	pass->looked_unseen = true;
	return imap_unselect(to, pass->folder->destination_name, fault);
}
