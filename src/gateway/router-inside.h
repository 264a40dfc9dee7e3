/* SPDX-License-Identifier: Apache-2.0 */
/* How a table of routes is laid out: for router*.c only. */
#ifndef GATEWAY_ROUTER_INSIDE_H
#define GATEWAY_ROUTER_INSIDE_H

#include "gateway/router.h"

enum {
	ROUTER_GROUP_BITS = 8, /* a group is up to 256 pages */
	ROUTER_PAGE_FULL = 8,  /* entries a page on average, at most: then twice as many pages */
};

/* Eight bytes: the slots of a page are one or two cache lines. */
struct router_slot {
	uint32_t changed_s;
	uint16_t end; /* where the entry's bytes end, counted from the first entry's */
	uint16_t key_n : 9; /* of those bytes; what follows is an alias's target */
	uint16_t tag : 4;   /* low bits of the hash */
	uint16_t route : 3; /* enum route */
};

_Static_assert(sizeof(struct router_slot) == 8, "slots are small");
_Static_assert(ROUTER_MAX_KEY < 512 && ROUTE_HOLD < 8, "they fit their bits");

struct router_page {
	uint32_t users;
	uint16_t n;
	struct router_slot slots[]; /* then the bytes of all entries */
};

struct router_group {
	uint32_t users;
	struct router_page *pages[]; /* NULL: empty */
};

struct router {
	uint32_t users;
	char separator;
	uint8_t page_bits;  /* 2^page_bits pages, chosen by the hash's top bits */
	uint8_t group_bits; /* of which so many choose within a group */
	uint64_t seed[2];
	uint64_t epoch;
	size_t n_entries;
	struct router_group **groups; /* NULL: empty */
};

static inline unsigned router_tag(uint64_t hash)
{
	return hash & 15;
}

static inline void count_up(uint32_t *users)
{
	__atomic_add_fetch(users, 1, __ATOMIC_RELAXED);
}

/* Whether that was the last user. */
static inline bool count_down(uint32_t *users)
{
	return __atomic_sub_fetch(users, 1, __ATOMIC_ACQ_REL) == 0;
}

/* Whether nobody else uses it, and so nobody will. */
static inline bool is_only_user(const uint32_t *users)
{
	return __atomic_load_n(users, __ATOMIC_ACQUIRE) == 1;
}

static inline size_t router_n_groups(const struct router *router)
{
	return (size_t)1 << (router->page_bits - router->group_bits);
}

static inline size_t router_group_size(const struct router *router)
{
	return (size_t)1 << router->group_bits;
}

static inline size_t router_page_number(const struct router *router, uint64_t hash)
{
	return router->page_bits ? (size_t)(hash >> (64 - router->page_bits)) : 0;
}

static inline unsigned router_begin_of(const struct router_page *page, unsigned i)
{
	return i ? page->slots[i - 1].end : 0;
}

/* Key and target, one behind the other. */
static inline struct bytes router_bytes_at(const struct router_page *page, unsigned i)
{
	unsigned begin = router_begin_of(page, i);

	return (struct bytes){ (const char *)&page->slots[page->n] + begin,
			       page->slots[i].end - begin };
}

static inline struct router_entry router_entry_at(const struct router_page *page, unsigned i)
{
	const struct router_slot *slot = &page->slots[i];
	struct bytes all = router_bytes_at(page, i);

	return (struct router_entry){ bytes_head(all, slot->key_n), bytes_skip(all, slot->key_n),
				      (enum route)slot->route, slot->changed_s };
}

static inline size_t router_page_size(const struct router_page *page)
{
	return sizeof(*page) + page->n * sizeof(page->slots[0]) + router_begin_of(page, page->n);
}

void router_make_directory(struct router *router, unsigned page_bits);
void router_page_free(struct router_page *page);
void router_group_free(struct router_group *group, size_t n_pages);
uint64_t router_hash(const struct router *router, struct bytes key);
int router_page_find(const struct router_page *page, uint64_t hash, struct bytes key);

#endif
