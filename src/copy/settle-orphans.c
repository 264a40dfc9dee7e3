/* SPDX-License-Identifier: Apache-2.0 */
/* Orphans: what may have been sent, and is no longer at the source. Nobody can ask for its bytes any more, so it is held
 * against strangers that nothing else was like, by size and date (D9): a copy has the date of arrival that we gave it, and
 * mail that came from elsewhere arrived just now. Where both digests are known, they decide. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/late.h"
#include "copy/settle-inside.h"
#include "copy/survey.h"
#include "imap/write.h"

enum { ROWS = 4096 };

void settle_add_orphan(struct settle *s, const struct ledger_message *row)
{
	s->orphans = xgrow(s->orphans, &s->orphans_size, s->orphans_n + 1, sizeof(*s->orphans));
	s->orphans[s->orphans_n] = *row;
	s->orphans[s->orphans_n].message_id = s->orphans[s->orphans_n].detail = NULL;
	s->orphans_n++;
}

/* --- which is which --------------------------------------------------------------------------- */

static int compare_look(uint64_t size, int64_t date, uint64_t other_size, int64_t other_date)
{
	if (date != other_date)
		return date < other_date ? -1 : 1;
	return size < other_size ? -1 : size > other_size;
}

/* Those whose bytes are known first, by digest. */
static int compare_digests(bool has, const unsigned char digest[32], bool other_has,
			   const unsigned char other[32])
{
	if (has != other_has)
		return has ? -1 : 1;
	return has ? memcmp(digest, other, 32) : 0;
}

static int by_look(const void *a, const void *b)
{
	const struct ledger_message *x = a, *y = b;
	int r = compare_look(x->size, x->date, y->size, y->date);

	if (!r)
		r = compare_digests(x->has & LEDGER_HAS_DIGEST, x->digest, y->has & LEDGER_HAS_DIGEST,
				    y->digest);
	return r ? r : x->uid < y->uid ? -1 : x->uid > y->uid;
}

static int stranger_by_look(const void *a, const void *b, void *arg)
{
	const struct rematch_item *items = arg;
	const struct rematch_item *x = &items[*(const uint32_t *)a], *y = &items[*(const uint32_t *)b];
	int r = compare_look(x->size, x->date, y->size, y->date);

	if (!r)
		r = compare_digests(x->has & REMATCH_DIGEST, x->digest, y->has & REMATCH_DIGEST, y->digest);
	return r ? r : x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* It is at the destination, and has left the source: known from now on, as what it is. */
static void claim(struct settle *s, struct ledger_message *o, struct rematch_item *stranger)
{
	stranger->mate = UINT32_MAX;
	o->has &= (uint16_t)~LEDGER_AGAIN; /* this is it */
	o->state = LEDGER_COPIED;
	o->copy_uid = stranger->uid;
	if (stranger->has & REMATCH_DIGEST && !(o->has & LEDGER_HAS_DIGEST)) {
		o->has |= LEDGER_HAS_DIGEST;
		memcpy(o->digest, stranger->digest, sizeof(o->digest));
	}
	ledger_put_message(s->ledger, o);
	if (s->link) /* the folder's other rows are surveyed, or taken as a whole */
		copy_vanished_claim(s->pass->worker->copy, s->known, s->link, o);
}

/* Orphans and strangers of one size and date, as sorted. */
struct alike {
	struct ledger_message *orphans;
	const uint32_t *left; /* indexes of strangers, … */
	size_t n, left_n;
	size_t bare;          /* … from here on those whose bytes nobody handed out */
};

static void pair_equal(struct settle *s, const struct alike *a, bool *taken)
{
	size_t j = 0;

	for (size_t i = 0; i < a->n && a->orphans[i].has & LEDGER_HAS_DIGEST; i++) {
		struct ledger_message *o = &a->orphans[i];

		while (j < a->bare && memcmp(s->theirs.p[a->left[j]].digest, o->digest, 32) < 0)
			j++;
		if (j == a->bare || memcmp(s->theirs.p[a->left[j]].digest, o->digest, 32) != 0)
			continue;
		taken[j] = true;
		claim(s, o, &s->theirs.p[a->left[j++]]);
	}
}

/* Equal digests; then what has none at one of the sides. */
static void pair_alike(struct settle *s, const struct alike *a)
{
	_cleanup_(freep) bool *taken = xzalloc(a->bare + 1);
	size_t next = 0, bare = a->bare;

	pair_equal(s, a, taken);
	for (size_t i = 0; i < a->n; i++) {
		struct ledger_message *o = &a->orphans[i];

		if (o->copy_uid)
			continue;
		while (next < a->bare && taken[next])
			next++;
		if (!(o->has & LEDGER_HAS_DIGEST) && next < a->bare)
			claim(s, o, &s->theirs.p[a->left[next++]]);
		else if (bare < a->left_n)
			claim(s, o, &s->theirs.p[a->left[bare++]]);
	}
}

static int look_of_stranger(const void *stranger, const void *orphan)
{
	const struct rematch_item *x = stranger;
	const struct ledger_message *o = orphan;

	return compare_look(x->size, x->date, o->size, o->date);
}

/* The strangers that look like an orphan. */
static size_t candidates(const struct settle *s, uint32_t *to)
{
	size_t n = 0;

	for (size_t i = 0; i < s->theirs.n; i++)
		if (!s->theirs.p[i].mate && bsearch(&s->theirs.p[i], s->orphans, s->orphans_n,
						    sizeof(*s->orphans), look_of_stranger))
			to[n++] = (uint32_t)i;

	return n;
}

/* Pairs those that look like the orphan at *first, and moves both positions behind them. */
static void pair_next(struct settle *s, size_t *first, const uint32_t *left, size_t n, size_t *at)
{
	const struct ledger_message *o = &s->orphans[*first];
	struct alike alike = { .orphans = &s->orphans[*first] };
	const struct rematch_item *items = s->theirs.p;

	while (*first + alike.n < s->orphans_n &&
	       compare_look(o[alike.n].size, o[alike.n].date, o->size, o->date) == 0)
		alike.n++;
	while (*at < n && compare_look(items[left[*at]].size, items[left[*at]].date, o->size, o->date) < 0)
		(*at)++;
	alike.left = left + *at;
	while (*at < n && compare_look(items[left[*at]].size, items[left[*at]].date, o->size, o->date) == 0) {
		alike.bare += (items[left[*at]].has & REMATCH_DIGEST) != 0;
		alike.left_n++;
		(*at)++;
	}
	pair_alike(s, &alike);
	*first += alike.n;
}

/* An intent without a stranger was never done, or will be found when it turns up. */
static void give_up(struct settle *s, const struct ledger_message *o)
{
	bool again = o->has & LEDGER_AGAIN;

	if (o->copy_uid)
		return;
	if (o->state == LEDGER_SENDING && (!again || copy_late_is_news(s->pass->worker->copy)))
		settle_expect_late(s, o->uid, again);
	else
		ledger_forget_message(s->ledger, s->known->id, o->uid);
}

/* The strangers that have no orphan are somebody else's. */
int settle_orphans(struct settle *s, struct fault *fault)
{
	_cleanup_(freep) uint32_t *left = NULL;
	size_t n, first = 0, at = 0;

	if (!s->orphans_n)
		return 0;

	qsort(s->orphans, s->orphans_n, sizeof(*s->orphans), by_look);
	left = xreallocarray(NULL, s->theirs.n + 1, sizeof(*left));
	n = candidates(s, left);
	if (n && rematch_read_digests(s->pass->worker, &s->theirs, left, n, fault) < 0)
		return -1;

	qsort_r(left, n, sizeof(*left), stranger_by_look, s->theirs.p);
	while (first < s->orphans_n)
		pair_next(s, &first, left, n, &at);
	for (size_t i = 0; i < s->orphans_n; i++)
		give_up(s, &s->orphans[i]);
	return 0;
}

/* --- of a folder that is gone, or has other UIDs now -------------------------------------------- */

static int load_orphans(struct settle *s, struct fault *fault)
{
	uint32_t after = 0;

	for (;;) {
		struct ledger_messages rows;
		size_t n;
		int r = ledger_load_next(s->ledger, s->known->id, after, ROWS, &rows, fault);

		for (size_t i = 0; i < rows.n && r == 0; i++) {
			const struct ledger_message *row = &rows.p[i];

			after = row->uid;
			if (row->state == LEDGER_SENDING || (row->state == LEDGER_COPIED && !row->copy_uid))
				settle_add_orphan(s, row);
		}
		n = rows.n;
		ledger_messages_done(&rows);
		if (r < 0 || n < ROWS)
			return r;
	}
}

static int settle_lost(struct settle *s, struct fault *fault)
{
	if (copy_late_quiet(s->theirs.session, fault) < 0 || load_orphans(s, fault) < 0 ||
	    settle_list_strangers(s, s->known->mark, UINT32_MAX, fault) < 0 || settle_orphans(s, fault) < 0 ||
	    ledger_commit(s->ledger, fault) < 0)
		return -1;

	return settle_surplus(s, fault);
}

int copy_settle_lost(struct copy *copy, struct ledger_folder *folder, struct fault *fault)
{
	struct copy_worker w = { .copy = copy, .from = copy->from, .to = copy->to };
	struct copy_pass pass = { .worker = &w };
	struct settle s = { .pass = &pass, .ledger = copy->options.ledger, .known = folder };
	int r;

	if (!folder->mark)
		return 0;
	if (imap_select(copy->to, folder->destination_name, true, fault) < 0) {
		if (fault->reach > REACH_FOLDER)
			return -1;
		if (!copy_listed_there(copy, folder->destination_name)) /* nothing can turn up in it */
			ledger_set_mark(copy->options.ledger, folder, 0);
		return 0;
	}

	w.hash = EVP_MD_CTX_new();
	EVP_DigestInit_ex(w.hash, EVP_sha256(), NULL);
	s.theirs.session = copy->to;
	imap_messages_init(&s.there);
	r = settle_lost(&s, fault);
	settle_done(&s);
	EVP_MD_CTX_free(w.hash);
	if (r < 0)
		return -1;

	if (!s.late)
		ledger_set_mark(copy->options.ledger, folder, 0);
	return imap_unselect(copy->to, folder->destination_name, fault);
}
