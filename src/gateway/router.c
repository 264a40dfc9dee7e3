/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes, see router.h: a hash table of two levels whose parts are shared among tables.
 *
 * The top bits of a key's hash choose a page, an immutable block that holds all entries of that hash prefix
 * one behind the other, some eight of them. Pages hang in groups, groups in the table; pages and groups
 * count their users. A change copies what it touches unless it is the only user, so flipping k addresses
 * costs k pages, and a lookup touches the group's pointer, the page's slots and one key.
 *
 * router-change.c writes; here is reading and counting. */
#include "gateway/router.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/xalloc.h"
#include "gateway/router-inside.h"

static const char *const route_names[] = {
	[ROUTE_UNKNOWN] = "unknown", [ROUTE_OLD] = "old", [ROUTE_NEW] = "new",
	[ROUTE_BOTH] = "both", [ROUTE_HOLD] = "hold",
};

static const char *const match_names[] = {
	[ROUTER_NOT_OURS] = "not ours", [ROUTER_ADDRESS] = "address",
	[ROUTER_SUBADDRESS] = "subaddress", [ROUTER_ALIAS] = "alias",
	[ROUTER_DOMAIN] = "domain",
};

const char *route_name(enum route route)
{
	return route_names[route];
}

int route_from(struct bytes name, enum route *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(route_names); i++) {
		if (!bytes_equal(name, bytes_of(route_names[i])))
			continue;

		*ret = (enum route)i;
		return 0;
	}
	return -1;
}

const char *router_match_name(enum router_match match)
{
	return match_names[match];
}

struct router *router_new(const uint64_t seed[2], char separator)
{
	struct router *router = xzalloc(sizeof(*router));

	router->users = 1;
	router->seed[0] = seed[0];
	router->seed[1] = seed[1];
	router->separator = separator;
	router_make_directory(router, 0);
	return router;
}

void router_make_directory(struct router *router, unsigned page_bits)
{
	router->page_bits = page_bits;
	router->group_bits = page_bits < ROUTER_GROUP_BITS ? page_bits : ROUTER_GROUP_BITS;
	router->groups = xzalloc(router_n_groups(router) * sizeof(struct router_group *));
}

struct router *router_use(struct router *router)
{
	count_up(&router->users);
	return router;
}

void router_page_free(struct router_page *page)
{
	if (page && count_down(&page->users))
		free(page);
}

void router_group_free(struct router_group *group, size_t n_pages)
{
	if (!group || !count_down(&group->users))
		return;

	for (size_t i = 0; i < n_pages; i++)
		router_page_free(group->pages[i]);
	free(group);
}

struct router *router_free(struct router *router)
{
	if (!router || !count_down(&router->users))
		return NULL;

	for (size_t i = 0; i < router_n_groups(router); i++)
		router_group_free(router->groups[i], router_group_size(router));
	free(router->groups);
	free(router);
	return NULL;
}

uint64_t router_epoch(const struct router *router)
{
	return router->epoch;
}

size_t router_count(const struct router *router)
{
	return router->n_entries;
}

size_t router_memory(const struct router *router)
{
	size_t bytes = sizeof(*router) + router_n_groups(router) * sizeof(struct router_group *);

	for (size_t i = 0; i < router_n_groups(router); i++) {
		const struct router_group *group = router->groups[i];

		if (!group)
			continue;

		bytes += sizeof(*group) + router_group_size(router) * sizeof(group->pages[0]);
		for (size_t j = 0; j < router_group_size(router); j++)
			if (group->pages[j])
				bytes += router_page_size(group->pages[j]);
	}
	return bytes;
}

uint64_t router_hash(const struct router *router, struct bytes key)
{
	return siphash13(router->seed[0], router->seed[1], key);
}

/* The entry's number in the page, or -1. */
int router_page_find(const struct router_page *page, uint64_t hash, struct bytes key)
{
	for (unsigned i = 0; i < page->n; i++)
		if (page->slots[i].tag == router_tag(hash) && page->slots[i].key_n == key.n &&
		    memcmp(router_bytes_at(page, i).p, key.p, key.n) == 0)
			return (int)i;

	return -1;
}

static const struct router_page *page_of(const struct router *router, uint64_t hash)
{
	size_t number = router_page_number(router, hash);
	const struct router_group *group = router->groups[number >> router->group_bits];
	const char *page;

	if (!group)
		return NULL;

	/* In a large table none of it is in the cache: what is needed next comes at the same time. */
	page = (const char *)group->pages[number & (router_group_size(router) - 1)];
	for (size_t line = 0; page && line < 256; line += 64)
		__builtin_prefetch(page + line);
	return (const struct router_page *)(const void *)page;
}

static bool find(const struct router *router, struct bytes key, struct router_entry *ret)
{
	uint64_t hash = router_hash(router, key);
	const struct router_page *page = page_of(router, hash);
	int i = page ? router_page_find(page, hash, key) : -1;

	if (i < 0)
		return false;

	*ret = router_entry_at(page, (unsigned)i);
	return true;
}

/* The key without its subaddress, in `to`; empty when it has none. */
static struct bytes without_subaddress(const struct router *router, struct bytes key, size_t at,
				       char to[ROUTER_MAX_KEY])
{
	struct bytes domain = bytes_skip(key, at);
	ptrdiff_t end = router->separator ? bytes_find_char(bytes_head(key, at), router->separator)
					  : -1;

	if (end <= 0)
		return BYTES_NULL;

	memcpy(to, key.p, (size_t)end);
	memcpy(to + end, domain.p, domain.n);
	return (struct bytes){ to, (size_t)end + domain.n };
}

static struct router_answer answer(const struct router_entry *entry, enum router_match match)
{
	return (struct router_answer){ entry->route, match, entry->key, entry->changed_s };
}

/* It changed when either of the two did. */
static struct router_answer answer_by(const struct router_entry *alias, const struct router_entry *meant)
{
	struct router_answer a = answer(meant, ROUTER_ALIAS);

	a.changed_s = alias->changed_s > a.changed_s ? alias->changed_s : a.changed_s;
	return a;
}

static ptrdiff_t find_domain(struct bytes key)
{
	const char *at = key.n ? memrchr(key.p, '@', key.n) : NULL;

	return at ? at - key.p : -1;
}

struct router_answer router_find(const struct router *router, struct bytes key)
{
	struct router_entry whole = { 0 }, base = { 0 }, meant;
	ptrdiff_t at = find_domain(key);
	char shorter[ROUTER_MAX_KEY];
	struct bytes without;

	if (at <= 0 || key.n > ROUTER_MAX_KEY)
		return (struct router_answer){ .match = ROUTER_NOT_OURS };

	if (find(router, key, &whole) && !whole.target.n)
		return answer(&whole, ROUTER_ADDRESS);

	if (whole.target.n && find(router, whole.target, &meant) && !meant.target.n)
		return answer_by(&whole, &meant);

	without = without_subaddress(router, key, (size_t)at, shorter);
	if (without.n && find(router, without, &base) && !base.target.n)
		return answer(&base, ROUTER_SUBADDRESS);
	if (base.target.n && find(router, base.target, &meant) && !meant.target.n)
		return answer_by(&base, &meant);

	if (find(router, bytes_skip(key, (size_t)at), &meant))
		return answer(&meant, ROUTER_DOMAIN);
	return (struct router_answer){ .match = ROUTER_NOT_OURS };
}

bool router_get(const struct router *router, struct bytes key, struct router_entry *ret_entry)
{
	return key.n <= ROUTER_MAX_KEY && find(router, key, ret_entry);
}

bool router_next(const struct router *router, size_t at[3], struct router_entry *ret_entry)
{
	for (; at[0] < router_n_groups(router); at[0]++, at[1] = 0) {
		const struct router_group *group = router->groups[at[0]];

		for (; group && at[1] < router_group_size(router); at[1]++, at[2] = 0) {
			const struct router_page *page = group->pages[at[1]];

			if (page && at[2] < page->n) {
				*ret_entry = router_entry_at(page, (unsigned)at[2]++);
				return true;
			}
		}
	}
	return false;
}
