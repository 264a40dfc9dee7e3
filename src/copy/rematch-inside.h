/* SPDX-License-Identifier: Apache-2.0 */
/* What the files rematch-*.c share: looking at items, sorting, and what a question wants. */
#ifndef COPY_REMATCH_INSIDE_H
#define COPY_REMATCH_INSIDE_H

#include <string.h>

#include "copy/rematch-keys.h"

#define REMATCH_NO_DATE INT64_MIN

static inline bool is_zero(const unsigned char p[16])
{
	static const unsigned char zero[16];

	return memcmp(p, zero, sizeof(zero)) == 0;
}

static inline bool has_header(const struct rematch_item *x)
{
	return x->has & REMATCH_HEADER && !is_zero(x->header);
}

static inline bool has_digest(const struct rematch_item *x)
{
	return x->has & REMATCH_DIGEST;
}

static inline bool are_proved(const struct rematch_item *x, const struct rematch_item *y)
{
	return has_digest(x) && has_digest(y) &&
	       memcmp(x->digest, y->digest, sizeof(x->digest)) == 0;
}

static inline bool are_different(const struct rematch_item *x, const struct rematch_item *y)
{
	return has_digest(x) && has_digest(y) && !are_proved(x, y);
}

static inline struct rematch_item *item_of(const struct rematch_keys *k, unsigned s,
					   const struct rematch_ref *ref)
{
	return &k->side[s]->p[ref->index];
}

/* The refs of a group at one side. */
static inline struct rematch_ref *refs_of(const struct rematch_keys *k,
					  const struct rematch_group *g, unsigned s)
{
	return k->refs[s] + g->at[s];
}

static inline bool can_read(const struct rematch_keys *k, unsigned s, const struct rematch_item *x)
{
	return !(x->has & (REMATCH_DIGEST | REMATCH_NO_BODY)) && rematch_can_ask(k->side[s]);
}

static inline bool same_key(const struct rematch_ref *a, const struct rematch_ref *b)
{
	return a->key[0] == b->key[0] && a->key[1] == b->key[1];
}

/* By key; what is equal by index, and so by UID. */
static inline bool is_before(const struct rematch_ref *a, const struct rematch_ref *b)
{
	if (a->key[0] != b->key[0])
		return a->key[0] < b->key[0];
	if (a->key[1] != b->key[1])
		return a->key[1] < b->key[1];

	return a->index < b->index;
}

static inline void key_from(uint64_t key[2], const unsigned char from[16])
{
	memcpy(key, from, 16);
}

/* --- rematch-sort.c -------------------------------------------------------------------------- */

void rematch_sort(struct rematch_keys *k, struct rematch_ref *p, size_t n);

/* Appends to groups those of equal keys within two sorted runs. */
void rematch_match(struct rematch_keys *k, const struct rematch_group *within);

/* Whether a sorted array has these keys; the second may be NULL: any. */
bool rematch_has_key(const struct rematch_ref *p, size_t n, uint64_t key, const uint64_t *second);

/* --- rematch-keys.c -------------------------------------------------------------------------- */

/* The items a step is about, by its key, into refs. */
struct rematch_group rematch_collect(struct rematch_keys *k, enum rematch_step step);

/* What every item of a group knows. */
struct rematch_columns {
	bool size, date, core;
};

struct rematch_columns rematch_known_columns(const struct rematch_keys *k,
					     const struct rematch_group *g);

/* Puts those of a group's items at one side that pass before the others. How many; in no order. */
uint32_t rematch_keep(struct rematch_keys *k, const struct rematch_group *g, unsigned s,
		      bool (*passes)(const struct rematch_item *x));

/* Whether equal headers are not enough for this group. */
bool rematch_must_prove(const struct rematch_keys *k, const struct rematch_group *g);

/* --- rematch-want.c -------------------------------------------------------------------------- */

/* A question: none marked yet; these are; and they are listed in want. */
void rematch_want_nothing(struct rematch_keys *k);
void rematch_want(struct rematch_keys *k, unsigned s, size_t index);
void rematch_want_listed(struct rematch_keys *k);

/* Items whose bytes may be those of a message that has a digest and no header. */
void rematch_want_lost(struct rematch_keys *k);

#endif
