/* SPDX-License-Identifier: Apache-2.0 */
/* Changing a table of routes, see router.h. The table being made is nobody else's yet: its groups and pages
 * may be written in place where it is their only user, and are copied where it is not. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/router-inside.h"

struct router_change {
	struct router *made;
};

struct router_change *router_change_new(struct router *base)
{
	struct router_change *change = xzalloc(sizeof(*change));
	struct router *made = xmalloc(sizeof(*made));

	*made = *base;
	made->users = 1;
	made->groups = xreallocarray(NULL, router_n_groups(made), sizeof(struct router_group *));
	for (size_t i = 0; i < router_n_groups(made); i++) {
		made->groups[i] = base->groups[i];
		if (made->groups[i])
			count_up(&made->groups[i]->users);
	}
	change->made = made;
	return change;
}

struct router_change *router_change_free(struct router_change *change)
{
	if (!change)
		return NULL;

	router_free(change->made);
	free(change);
	return NULL;
}

struct router *router_change_finish(struct router_change *change, uint64_t epoch)
{
	struct router *made = TAKE_PTR(change->made);

	assert(epoch > made->epoch);
	made->epoch = epoch;
	router_change_free(change);
	return made;
}

/* A group of our own in *group. */
static void own_group(struct router_group **group, size_t n_pages)
{
	size_t size = sizeof(**group) + n_pages * sizeof((*group)->pages[0]);
	struct router_group *copy;

	if (*group && is_only_user(&(*group)->users))
		return;

	copy = xzalloc(size);
	if (*group) {
		memcpy(copy, *group, size);
		for (size_t i = 0; i < n_pages; i++)
			if (copy->pages[i])
				count_up(&copy->pages[i]->users);
		router_group_free(*group, n_pages);
	}
	copy->users = 1;
	*group = copy;
}

/* Where the page of that hash hangs, in a group of our own. */
static struct router_page **own_place(struct router *made, uint64_t hash)
{
	size_t number = router_page_number(made, hash), size = router_group_size(made);
	struct router_group **group = &made->groups[number >> made->group_bits];

	own_group(group, size);
	return &(*group)->pages[number & (size - 1)];
}

/* A new page with the entries of old (NULL: none) but the one numbered `without` (-1: all), and room for
 * `more` entries of more_bytes behind them. */
static struct router_page *page_with(const struct router_page *old, int without, unsigned more,
				     size_t more_bytes)
{
	unsigned n_old = old ? old->n : 0, n = n_old - (without >= 0) + more, k = 0;
	size_t bytes = more_bytes + (old ? router_begin_of(old, old->n) : 0);
	struct router_page *page = xmalloc(sizeof(*page) + n * sizeof(page->slots[0]) + bytes);
	char *to;
	size_t end = 0;

	/* Some eight entries of at most 640 bytes: a seeded hash makes no page of ten times that. */
	assert(n <= UINT16_MAX && bytes <= UINT16_MAX);
	page->users = 1;
	page->n = (uint16_t)n;
	to = (char *)&page->slots[n];
	for (unsigned i = 0; i < n_old; i++) {
		struct bytes all = router_bytes_at(old, i);

		if ((int)i == without)
			continue;
		memcpy(to + end, all.p, all.n);
		end += all.n;
		page->slots[k] = old->slots[i];
		page->slots[k++].end = (uint16_t)end;
	}
	return page;
}

static void add(struct router_page **place, int instead_of, uint64_t hash,
		const struct router_entry *entry)
{
	size_t bytes = entry->key.n + entry->target.n;
	struct router_page *page = page_with(*place, instead_of, 1, bytes);
	unsigned last = page->n - 1u, begin = router_begin_of(page, last);
	char *to = (char *)&page->slots[page->n] + begin;

	memcpy(to, entry->key.p, entry->key.n);
	if (entry->target.n)
		memcpy(to + entry->key.n, entry->target.p, entry->target.n);
	page->slots[last] = (struct router_slot){
		.changed_s = entry->changed_s, .end = (uint16_t)(begin + bytes),
		.key_n = entry->key.n & 511, .tag = router_tag(hash) & 15,
		.route = entry->route & 7,
	};
	router_page_free(*place);
	*place = page;
}

/* A page of our own in *place, the same otherwise. */
static void own_page(struct router_page **place)
{
	size_t size = router_page_size(*place);
	struct router_page *copy;

	if (is_only_user(&(*place)->users))
		return;

	copy = xmalloc(size);
	memcpy(copy, *place, size);
	copy->users = 1;
	router_page_free(*place);
	*place = copy;
}

/* Twice as many pages: the entries move to a directory of their own. */
static void grow(struct router *made)
{
	struct router larger = *made;
	struct router_entry entry;
	size_t at[3] = { 0 };

	router_make_directory(&larger, made->page_bits + 1u);
	while (router_next(made, at, &entry)) {
		uint64_t hash = router_hash(&larger, entry.key);

		add(own_place(&larger, hash), -1, hash, &entry);
	}
	for (size_t i = 0; i < router_n_groups(made); i++)
		router_group_free(made->groups[i], router_group_size(made));
	free(made->groups);
	*made = larger;
}

static void put(struct router *made, struct router_entry entry)
{
	uint64_t hash = router_hash(made, entry.key);
	struct router_page **place = own_place(made, hash);
	int i = *place ? router_page_find(*place, hash, entry.key) : -1;
	struct router_entry old;

	if (i < 0) {
		add(place, -1, hash, &entry);
		if (++made->n_entries > (size_t)ROUTER_PAGE_FULL << made->page_bits)
			grow(made);
		return;
	}

	old = router_entry_at(*place, (unsigned)i);
	if (!bytes_equal(old.target, entry.target)) {
		add(place, i, hash, &entry);
		return;
	}
	if (old.route == entry.route)
		return;

	own_page(place);
	(*place)->slots[i].route = entry.route & 7;
	(*place)->slots[i].changed_s = entry.changed_s;
}

static int check_key(struct bytes key, bool domain_too, struct fault *fault)
{
	const char *at = key.n ? memrchr(key.p, '@', key.n) : NULL;
	const char *why = NULL;

	if (key.n > ROUTER_MAX_KEY)
		why = "is longer than 320 bytes";
	else if (!at)
		why = "has no @";
	else if (at + 1 == key.p + key.n)
		why = "has no domain";
	else if (at == key.p && !domain_too)
		why = "has no local part";
	else if (memchr(key.p, '\0', key.n))
		why = "holds a NUL";
	if (!why)
		return 0;

	return fault_set(fault, FAULT_DATA, REACH_MESSAGE, AGAIN_NEVER,
			 "the address \"%.*s\" cannot be routed: it %s", BYTES_ARG(bytes_head(key, 64)),
			 why);
}

int router_change_put(struct router_change *change, struct bytes key, enum route route,
		      uint32_t changed_s, struct fault *fault)
{
	if (check_key(key, true, fault) < 0)
		return -1;

	put(change->made, (struct router_entry){ key, BYTES_NULL, route, changed_s });
	return 0;
}

int router_change_alias(struct router_change *change, struct bytes key, struct bytes target,
			uint32_t changed_s, struct fault *fault)
{
	if (check_key(key, false, fault) < 0 || check_key(target, false, fault) < 0)
		return -1;

	put(change->made, (struct router_entry){ key, target, ROUTE_UNKNOWN, changed_s });
	return 0;
}

bool router_change_remove(struct router_change *change, struct bytes key)
{
	struct router *made = change->made;
	uint64_t hash = router_hash(made, key);
	struct router_page **place = own_place(made, hash), *old = *place;
	int i = old ? router_page_find(old, hash, key) : -1;

	if (i < 0)
		return false;

	*place = old->n > 1 ? page_with(old, i, 0, 0) : NULL;
	router_page_free(old);
	made->n_entries--;
	return true;
}
