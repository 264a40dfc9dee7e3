/* SPDX-License-Identifier: Apache-2.0 */
/* What must be asked for before anything can be paired: headers, and the bytes of what has no
 * header. Only of items that may have a mate. */
#include "base/xalloc.h"
#include "copy/rematch-inside.h"

void rematch_want_nothing(struct rematch_keys *k)
{
	k->want_n[0] = k->want_n[1] = 0;
}

void rematch_want(struct rematch_keys *k, unsigned s, size_t index)
{
	k->want_n[s] += !k->marks[s][index];
	k->marks[s][index] = true;
}

void rematch_want_listed(struct rematch_keys *k)
{
	for (unsigned s = 0; s < 2; s++) {
		size_t n = 0;

		if (!k->want_n[s])
			continue;
		k->want[s] = xgrow(k->want[s], &k->want_size[s], k->want_n[s], sizeof(*k->want[s]));
		for (size_t i = 0; n < k->want_n[s]; i++)
			if (k->marks[s][i]) {
				k->marks[s][i] = false;
				k->want[s][n++] = (uint32_t)i;
			}
	}
}

/* --- headers --------------------------------------------------------------------------------- */

static bool can_ask_header(const struct rematch_keys *k, unsigned s, const struct rematch_item *x)
{
	return !x->mate && !(x->has & (REMATCH_HEADER | REMATCH_NO_HEADER)) &&
	       rematch_can_ask(k->side[s]);
}

static bool any_can_ask(const struct rematch_keys *k, unsigned s)
{
	for (size_t i = 0; i < k->side[s]->n; i++)
		if (can_ask_header(k, s, &k->side[s]->p[i]))
			return true;

	return false;
}

enum index { BY_DATE, BY_SIZE };

/* A side's items that have, or may get, a header: refs[BY_DATE] by date and size, refs[BY_SIZE] by
 * size. How many. */
static size_t index_mates(struct rematch_keys *k, unsigned s)
{
	const struct rematch_side *side = k->side[s];
	size_t n = 0;

	for (size_t i = 0; i < side->n; i++) {
		const struct rematch_item *x = &side->p[i];

		if (x->mate || !(has_header(x) || can_ask_header(k, s, x)))
			continue;
		k->refs[BY_DATE][n] =
			(struct rematch_ref){ { (uint64_t)x->date, x->size }, (uint32_t)i };
		k->refs[BY_SIZE][n++] = (struct rematch_ref){ { x->size, 0 }, (uint32_t)i };
	}
	rematch_sort(k, k->refs[BY_DATE], n);
	rematch_sort(k, k->refs[BY_SIZE], n);
	return n;
}

/* Whether one of the n mates has its size and its date. Unknown ones match all. */
static bool may_be_exact(const struct rematch_keys *k, size_t n, const struct rematch_item *x)
{
	const struct rematch_ref *by_date = k->refs[BY_DATE], *by_size = k->refs[BY_SIZE];
	const uint64_t date = (uint64_t)x->date, no_date = (uint64_t)REMATCH_NO_DATE, no_size = 0;

	if (x->date == REMATCH_NO_DATE && !x->size)
		return true;
	if (x->date == REMATCH_NO_DATE)
		return rematch_has_key(by_size, n, x->size, NULL) ||
		       rematch_has_key(by_size, n, no_size, NULL);
	if (!x->size)
		return rematch_has_key(by_date, n, date, NULL) ||
		       rematch_has_key(by_date, n, no_date, NULL);

	return rematch_has_key(by_date, n, date, &x->size) ||
	       rematch_has_key(by_date, n, date, &no_size) ||
	       rematch_has_key(by_date, n, no_date, &x->size) ||
	       rematch_has_key(by_date, n, no_date, &no_size);
}

void rematch_want_headers(struct rematch_keys *k, bool all)
{
	rematch_want_nothing(k);
	for (unsigned s = 0; s < 2; s++) {
		const struct rematch_side *side = k->side[s];
		size_t mates = any_can_ask(k, s) ? index_mates(k, !s) : 0;

		for (size_t i = 0; i < side->n && mates; i++)
			if (can_ask_header(k, s, &side->p[i]) &&
			    (all || may_be_exact(k, mates, &side->p[i])))
				rematch_want(k, s, i);
	}
	rematch_want_listed(k);
}

/* --- bytes without a header ------------------------------------------------------------------ */

/* Its header is of no use, but its bytes may be: they were known before, or have no header block. */
static bool is_lost(const struct rematch_keys *k, unsigned s, const struct rematch_item *x)
{
	return !x->mate && !has_header(x) &&
	       (has_digest(x) || (x->has & REMATCH_HEADER && can_read(k, s, x)));
}

/* Those of side s, by size into refs[s]. How many. */
static size_t index_lost(struct rematch_keys *k, unsigned s)
{
	const struct rematch_side *side = k->side[s];
	size_t n = 0;

	for (size_t i = 0; i < side->n; i++)
		if (is_lost(k, s, &side->p[i]))
			k->refs[s][n++] =
				(struct rematch_ref){ { side->p[i].size, 0 }, (uint32_t)i };
	rematch_sort(k, k->refs[s], n);
	return n;
}

static size_t count_left(const struct rematch_side *side)
{
	size_t n = 0;

	for (size_t i = 0; i < side->n; i++)
		n += !side->p[i].mate;
	return n;
}

/* Those of the same size. Servers tell wrong sizes, so where little more is left than is looked for,
 * all of it. */
void rematch_want_lost(struct rematch_keys *k)
{
	enum { TIMES = 4, MORE = 100 };

	for (unsigned s = 0; s < 2; s++) {
		const struct rematch_side *other = k->side[!s];
		const struct rematch_ref *p = k->refs[s];
		size_t n = index_lost(k, s), mates = 0;
		bool all = rematch_has_key(p, n, 0, NULL) || count_left(other) <= TIMES * n + MORE;

		for (size_t i = 0; i < other->n && n; i++) {
			const struct rematch_item *x = &other->p[i];

			if (x->mate || !(has_digest(x) || can_read(k, !s, x)) ||
			    !(all || !x->size || rematch_has_key(p, n, x->size, NULL)))
				continue;
			mates++;
			if (!has_digest(x))
				rematch_want(k, !s, i);
		}
		for (size_t i = 0; i < n && mates; i++)
			if (!has_digest(item_of(k, s, &p[i])))
				rematch_want(k, s, p[i].index);
	}
}
