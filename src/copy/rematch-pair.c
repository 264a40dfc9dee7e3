/* SPDX-License-Identifier: Apache-2.0 */
/* Who is whose mate, once the bytes that had to be read were read, see rematch-keys.h. What is the
 * same is paired in order; what cannot be told is left alone: to copy a message twice is a
 * nuisance, to take one for another loses one. */
#include <assert.h>

#include "copy/rematch-inside.h"

/* All there is of it is what somebody wrote down. */
static bool is_bare(const struct rematch_keys *k, unsigned s, const struct rematch_item *x)
{
	return !has_header(x) && !has_digest(x) && !rematch_can_ask(k->side[s]);
}

static void pair(struct rematch_keys *k, const struct rematch_ref *a, const struct rematch_ref *b,
		 bool differs)
{
	struct rematch_item *x = item_of(k, 0, a), *y = item_of(k, 1, b);

	assert(!x->mate && !y->mate);
	x->mate = b->index + 1;
	y->mate = a->index + 1;
	x->differs = y->differs = differs;
}

enum order { BY_INDEX, BY_DATE, BY_DIGEST };

static bool is_left(const struct rematch_item *x)
{
	return !x->mate;
}

static bool is_left_and_known(const struct rematch_item *x)
{
	return !x->mate && has_digest(x);
}

/* Of a group's items at one side those left (BY_DIGEST: whose bytes are known) come first, in
 * order; how many. */
static uint32_t arrange(struct rematch_keys *k, const struct rematch_group *g, unsigned s,
			enum order by)
{
	struct rematch_ref *p = refs_of(k, g, s);
	uint32_t n = rematch_keep(k, g, s, by == BY_DIGEST ? is_left_and_known : is_left);

	for (uint32_t i = 0; i < n; i++) {
		const struct rematch_item *x = item_of(k, s, &p[i]);

		p[i].key[0] = p[i].key[1] = 0;
		if (by == BY_DATE)
			p[i].key[0] = (uint64_t)x->date;
		if (by == BY_DIGEST)
			key_from(p[i].key, x->digest);
	}
	rematch_sort(k, p, n);
	return n;
}

static struct rematch_group arrange_both(struct rematch_keys *k, const struct rematch_group *g,
					 enum order by)
{
	struct rematch_group part = *g;

	for (unsigned s = 0; s < 2; s++)
		part.n[s] = arrange(k, g, s, by);
	return part;
}

/* Equal bytes, in order. */
static void pair_equal(struct rematch_keys *k, const struct rematch_group *g)
{
	struct rematch_group known = arrange_both(k, g, BY_DIGEST);
	const struct rematch_ref *p = refs_of(k, g, 0), *q = refs_of(k, g, 1);
	uint32_t i = 0, j = 0;

	while (i < known.n[0] && j < known.n[1]) {
		bool same = same_key(&p[i], &q[j]);

		if (same && are_proved(item_of(k, 0, &p[i]), item_of(k, 1, &q[j])))
			pair(k, &p[i++], &q[j++], false);
		else if (same || is_before(&p[i], &q[j]))
			i++;
		else
			j++;
	}
}

/* Items of side s whose bytes nobody can tell, with whatever the other has left, in order. */
static void pair_untold(struct rematch_keys *k, const struct rematch_group *left, unsigned s)
{
	const struct rematch_ref *p = refs_of(k, left, s), *q = refs_of(k, left, !s);
	uint32_t j = 0;

	if (rematch_can_ask(k->side[s]))
		return;

	for (uint32_t i = 0; i < left->n[s]; i++) {
		const struct rematch_item *x = item_of(k, s, &p[i]);

		while (j < left->n[!s] && item_of(k, !s, &q[j])->mate)
			j++;
		if (j == left->n[!s])
			return;
		if (!x->mate && !has_digest(x))
			pair(k, s ? &q[j] : &p[i], s ? &p[i] : &q[j], false);
	}
}

/* After equal bytes: what cannot be held against bytes is compared by what is known. */
static void pair_unproved(struct rematch_keys *k, const struct rematch_group *g)
{
	struct rematch_group left = arrange_both(k, g, BY_INDEX);
	const struct rematch_ref *p = refs_of(k, g, 0), *q = refs_of(k, g, 1);

	if (left.n[0] == 1 && left.n[1] == 1) {
		if (!are_different(item_of(k, 0, p), item_of(k, 1, q)))
			pair(k, p, q, false);
		return;
	}
	pair_untold(k, &left, 0);
	pair_untold(k, &left, 1);
}

static void settle_headers(struct rematch_keys *k, const struct rematch_group *g)
{
	pair_equal(k, g);
	if (!rematch_must_prove(k, g))
		pair_unproved(k, g);
}

/* Pairs of step 1 whose bytes, read since, are not the same. */
static void part_different(struct rematch_keys *k, const struct rematch_group *g)
{
	for (uint32_t i = 0; i < g->n[0]; i++) {
		struct rematch_item *x = item_of(k, 0, &refs_of(k, g, 0)[i]);
		struct rematch_item *y = x->mate ? &k->side[1]->p[x->mate - 1] : NULL;

		if (y && are_different(x, y))
			x->mate = y->mate = 0;
	}
}

/* Two at one side that are the same, or as far as can be told where nobody can be asked. */
static bool are_alike(const struct rematch_keys *k, unsigned s, const struct rematch_item *x,
		      const struct rematch_item *y)
{
	if (has_digest(x) || has_digest(y))
		return are_proved(x, y);

	return !rematch_can_ask(k->side[s]) && has_header(x) && has_header(y) &&
	       memcmp(x->header, y->header, sizeof(x->header)) == 0 && x->size == y->size &&
	       x->date == y->date;
}

static bool all_alike(const struct rematch_keys *k, const struct rematch_group *g, unsigned s)
{
	const struct rematch_ref *p = refs_of(k, g, s);

	for (uint32_t i = 1; i < g->n[s]; i++)
		if (!are_alike(k, s, item_of(k, s, &p[0]), item_of(k, s, &p[i])))
			return false;

	return true;
}

/* Any is as good as any other of its side, or there is but one: in order. Else it would be guessed. */
static void pair_rewritten(struct rematch_keys *k, const struct rematch_group *g,
			   enum rematch_step step)
{
	const struct rematch_ref *p = refs_of(k, g, 0), *q = refs_of(k, g, 1);

	if (!g->n[0] || !g->n[1] || !all_alike(k, g, 0) || !all_alike(k, g, 1))
		return;
	if (step == REMATCH_UNNAMED && item_of(k, 0, p)->id && item_of(k, 1, q)->id)
		return;

	for (uint32_t i = 0; i < g->n[0] && i < g->n[1]; i++)
		pair(k, &p[i], &q[i], true);
}

static void settle_rewritten(struct rematch_keys *k, const struct rematch_group *g,
			     enum rematch_step step)
{
	size_t first = k->groups_n;
	struct rematch_group left;

	pair_equal(k, g);
	left = arrange_both(k, g, BY_DATE);
	if (rematch_known_columns(k, &left).date)
		rematch_match(k, &left);
	for (size_t i = first; i < k->groups_n; i++) {
		struct rematch_group same_date = k->groups[i];

		pair_rewritten(k, &same_date, step);
	}
	k->groups_n = first;

	left = arrange_both(k, g, BY_INDEX);
	pair_rewritten(k, &left, step);
}

static void settle_bare(struct rematch_keys *k, const struct rematch_group *g)
{
	const struct rematch_ref *p = refs_of(k, g, 0), *q = refs_of(k, g, 1);
	const struct rematch_item *x = item_of(k, 0, p), *y = item_of(k, 1, q);

	if (g->n[0] == 1 && g->n[1] == 1 && !k->prove && (is_bare(k, 0, x) || is_bare(k, 1, y)))
		pair(k, p, q, false);
}

static void settle_bytes(struct rematch_keys *k)
{
	struct rematch_group all = rematch_collect(k, REMATCH_BYTES);

	pair_equal(k, &all);
}

void rematch_settle(struct rematch_keys *k, enum rematch_step step)
{
	if (step == REMATCH_BYTES)
		settle_bytes(k);

	for (size_t i = 0; i < k->groups_n; i++) {
		struct rematch_group g = k->groups[i]; /* a copy: the array may move */

		if (step == REMATCH_HEADERS)
			part_different(k, &g);
		if (step == REMATCH_EXACT || step == REMATCH_HEADERS)
			settle_headers(k, &g);
		else if (step == REMATCH_BARE)
			settle_bare(k, &g);
		else
			settle_rewritten(k, &g, step);
	}
}
