/* SPDX-License-Identifier: Apache-2.0 */
/* Which items could be mates, see rematch-keys.h. Each step sorts references to what is left by the
 * step's key, walks the two sides side by side, and so has groups of equal keys. A group is one to
 * one, or bytes decide.
 *
 * What one item does not know (a size of 0, no date, no core) cannot tell the others of its group
 * apart: the column is then left out for the whole group. So an unknown matches everything, and
 * still nothing is paired past it. */
#include <assert.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/xalloc.h"
#include "copy/rematch-inside.h"

uint64_t rematch_id(const char *message_id)
{
	enum { ID_BYTES = 240 }; /* less than whoever keeps Message-IDs cuts them to */
	char folded[ID_BYTES];
	size_t n = 0;
	uint64_t hash;

	for (const char *p = message_id ? message_id : ""; *p && n < ID_BYTES; p++)
		if (*p != '<' && *p != '>' && !ascii_is_blank(*p))
			folded[n++] = ascii_lower(*p);
	if (!n)
		return 0;

	hash = siphash13(0, 0, (struct bytes){ folded, n });
	return hash ? hash : 1;
}

bool rematch_can_ask(const struct rematch_side *side)
{
	return side->session && side->session->selected.is_selected;
}

void rematch_keys_init(struct rematch_keys *k, struct rematch_side *a, struct rematch_side *b,
		       bool prove)
{
	size_t longer = a->n > b->n ? a->n : b->n;

	assert(longer < UINT32_MAX);
	*k = (struct rematch_keys){ .side = { a, b }, .prove = prove };
	for (unsigned s = 0; s < 2; s++) {
		k->refs[s] = xreallocarray(NULL, longer + 1, sizeof(*k->refs[s]));
		k->marks[s] = xzalloc(k->side[s]->n + 1);
		for (size_t i = 0; i < k->side[s]->n; i++) {
			k->side[s]->p[i].mate = 0;
			k->side[s]->p[i].differs = false;
			k->side[s]->p[i].has &= ~(uint32_t)REMATCH_NO_HEADER;
		}
	}
	k->scratch = xreallocarray(NULL, longer + 1, sizeof(*k->scratch));
}

void rematch_keys_done(struct rematch_keys *k)
{
	for (unsigned s = 0; s < 2; s++) {
		free(k->refs[s]);
		free(k->marks[s]);
		free(k->want[s]);
	}
	free(k->scratch);
	free(k->groups);
	*k = (struct rematch_keys){ .prove = false };
}

static bool has_left(const struct rematch_side *side)
{
	for (size_t i = 0; i < side->n; i++)
		if (!side->p[i].mate)
			return true;

	return false;
}

bool rematch_is_open(const struct rematch_keys *k)
{
	return has_left(k->side[0]) && has_left(k->side[1]);
}

/* --- groups ---------------------------------------------------------------------------------- */

/* The step's key; false: the item has none, or is none of what is left. */
static bool key_of(const struct rematch_item *x, enum rematch_step step, uint64_t key[2])
{
	key[0] = key[1] = 0;
	if (x->mate && step != REMATCH_HEADERS)
		return false;

	switch (step) {
	case REMATCH_EXACT:
	case REMATCH_HEADERS:
		key_from(key, x->header);
		return has_header(x);
	case REMATCH_BYTES:
		return has_digest(x);
	case REMATCH_REWRITTEN:
		key[0] = x->id;
		return x->id;
	case REMATCH_UNNAMED:
		key_from(key, x->core);
		return !is_zero(x->core);
	case REMATCH_BARE:
		key[0] = x->size;
		key[1] = (uint64_t)x->date;
		return x->size && x->date != REMATCH_NO_DATE;
	case REMATCH_STEPS:
		break;
	}
	return false;
}

struct rematch_group rematch_collect(struct rematch_keys *k, enum rematch_step step)
{
	struct rematch_group all = { .at = { 0, 0 } };

	for (unsigned s = 0; s < 2; s++) {
		struct rematch_ref *p = k->refs[s];
		uint32_t n = 0;

		for (size_t i = 0; i < k->side[s]->n; i++) {
			p[n].index = (uint32_t)i;
			n += key_of(&k->side[s]->p[i], step, p[n].key);
		}
		rematch_sort(k, p, n);
		all.n[s] = n;
	}
	return all;
}

struct rematch_columns rematch_known_columns(const struct rematch_keys *k,
					     const struct rematch_group *g)
{
	struct rematch_columns known = { true, true, true };

	for (unsigned s = 0; s < 2; s++)
		for (uint32_t i = 0; i < g->n[s]; i++) {
			const struct rematch_item *x = item_of(k, s, &refs_of(k, g, s)[i]);

			known.size &= x->size != 0;
			known.date &= x->date != REMATCH_NO_DATE;
			known.core &= !is_zero(x->core);
		}
	return known;
}

static void key_by_columns(struct rematch_keys *k, const struct rematch_group *g,
			   enum rematch_step step)
{
	struct rematch_columns known = rematch_known_columns(k, g);

	for (unsigned s = 0; s < 2; s++) {
		struct rematch_ref *p = refs_of(k, g, s);

		for (uint32_t i = 0; i < g->n[s]; i++) {
			const struct rematch_item *x = item_of(k, s, &p[i]);

			p[i].key[0] = p[i].key[1] = 0;
			if (step == REMATCH_EXACT && known.size)
				p[i].key[0] = x->size;
			if (step != REMATCH_REWRITTEN && known.date)
				p[i].key[1] = (uint64_t)x->date;
			if (step == REMATCH_REWRITTEN && known.core)
				key_from(p[i].key, x->core);
		}
		rematch_sort(k, p, g->n[s]);
	}
}

/* Parts each group by the columns of the step that its items know. */
static void split(struct rematch_keys *k, enum rematch_step step)
{
	size_t n = k->groups_n;

	for (size_t i = 0; i < n; i++) {
		struct rematch_group g = k->groups[i];

		key_by_columns(k, &g, step);
		rematch_match(k, &g);
	}
	k->groups_n -= n;
	if (k->groups_n)
		memmove(k->groups, k->groups + n, k->groups_n * sizeof(*k->groups));
}

uint32_t rematch_keep(struct rematch_keys *k, const struct rematch_group *g, unsigned s,
		      bool (*passes)(const struct rematch_item *x))
{
	struct rematch_ref *p = refs_of(k, g, s);
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->n[s]; i++)
		if (passes(item_of(k, s, &p[i]))) {
			struct rematch_ref ref = p[i];

			p[i] = p[n];
			p[n++] = ref;
		}
	return n;
}

static bool is_unnamed(const struct rematch_item *x)
{
	return !x->id;
}

/* Of the two one must have no Message-ID. */
static void keep_unnamed(struct rematch_keys *k, struct rematch_group *g)
{
	uint32_t unnamed[2] = { rematch_keep(k, g, 0, is_unnamed),
				rematch_keep(k, g, 1, is_unnamed) };

	for (unsigned s = 0; s < 2; s++)
		if (!unnamed[!s])
			g->n[s] = unnamed[s];
}

static bool any_in(const struct rematch_keys *k, const struct rematch_group *g, unsigned s,
		   bool (*is)(const struct rematch_keys *k, unsigned s,
			      const struct rematch_item *x))
{
	for (uint32_t i = 0; i < g->n[s]; i++)
		if (is(k, s, item_of(k, s, &refs_of(k, g, s)[i])))
			return true;

	return false;
}

static bool is_open(const struct rematch_keys *k, unsigned s, const struct rematch_item *x)
{
	return !x->mate;
}

static bool can_know_bytes(const struct rematch_keys *k, unsigned s, const struct rematch_item *x)
{
	return has_digest(x) || can_read(k, s, x);
}

static bool says_something(const struct rematch_keys *k, unsigned s, const struct rematch_item *x)
{
	return x->id || !is_zero(x->core);
}

/* Headers without Message-ID, Date and Subject, or none at all, do not make two messages one. */
bool rematch_must_prove(const struct rematch_keys *k, const struct rematch_group *g)
{
	return k->prove || (!any_in(k, g, 0, says_something) && !any_in(k, g, 1, says_something));
}

static bool needs_bytes(const struct rematch_keys *k, const struct rematch_group *g,
			enum rematch_step step)
{
	if (step == REMATCH_REWRITTEN || step == REMATCH_UNNAMED)
		return true; /* for the books */
	if (step == REMATCH_BARE || (g->n[0] == 1 && g->n[1] == 1 && !rematch_must_prove(k, g)))
		return false;

	return any_in(k, g, 0, can_know_bytes) && any_in(k, g, 1, can_know_bytes);
}

static void mark_bytes(struct rematch_keys *k, const struct rematch_group *g)
{
	for (unsigned s = 0; s < 2; s++)
		for (uint32_t i = 0; i < g->n[s]; i++) {
			const struct rematch_ref *ref = &refs_of(k, g, s)[i];

			if (can_read(k, s, item_of(k, s, ref)))
				rematch_want(k, s, ref->index);
		}
}

/* Drops groups that have nothing to pair. */
static void choose(struct rematch_keys *k, enum rematch_step step)
{
	size_t n = 0;

	for (size_t i = 0; i < k->groups_n; i++) {
		struct rematch_group g = k->groups[i];

		if (step == REMATCH_HEADERS &&
		    !(any_in(k, &g, 0, is_open) && any_in(k, &g, 1, is_open)))
			continue;
		if (step == REMATCH_UNNAMED)
			keep_unnamed(k, &g);
		if (!g.n[0] || !g.n[1])
			continue;
		if (needs_bytes(k, &g, step))
			mark_bytes(k, &g);
		k->groups[n++] = g;
	}
	k->groups_n = n;
}

void rematch_find(struct rematch_keys *k, enum rematch_step step)
{
	struct rematch_group all;

	k->groups_n = 0;
	rematch_want_nothing(k);
	if (step == REMATCH_BYTES) {
		rematch_want_lost(k);
	} else {
		all = rematch_collect(k, step);
		rematch_match(k, &all);
		if (step != REMATCH_HEADERS && step != REMATCH_BARE)
			split(k, step);
		choose(k, step);
	}
	rematch_want_listed(k);
}
