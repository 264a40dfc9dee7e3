/* SPDX-License-Identifier: Apache-2.0 */
/* See inbound.h. */
#include "gateway/inbound.h"

#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/map.h"
#include "base/xalloc.h"

enum { BUCKETS = 1 << 14 };

struct inbound {
	uint64_t seed[2];
	struct list by_age; /* oldest first */
	size_t n;
	struct inbound_entry *buckets[BUCKETS], *numbers[BUCKETS]; /* by key, by message */
};

struct inbound *inbound_new(const uint64_t seed[2])
{
	struct inbound *inbound = xzalloc(sizeof(*inbound));

	inbound->seed[0] = seed[0];
	inbound->seed[1] = seed[1];
	list_init(&inbound->by_age);
	return inbound;
}

struct inbound *inbound_free(struct inbound *inbound)
{
	if (!inbound)
		return NULL;

	while (!list_is_empty(&inbound->by_age))
		inbound_forget(inbound, list_entry(inbound->by_age.next, struct inbound_entry, of_age));
	free(inbound);
	return NULL;
}

/* Where a sender's next attempt comes from, often another machine of the same farm. */
static struct bytes network_of(struct bytes peer, char to[9])
{
	struct ip ip;

	if (ip_parse(peer, &ip) < 0)
		return peer;
	to[0] = (char)ip.family;
	memcpy(to + 1, ip.bytes, 8);
	return (struct bytes){ to, ip.family == 6 ? 9 : 4 };
}

void inbound_key(const struct inbound *inbound, const struct journal_accept *accept, uint64_t to[2])
{
	struct bytes digest = { (const char *)accept->digest, sizeof(accept->digest) };
	char network[9];
	struct bytes from = network_of(accept->peer, network);

	/* Two hashes with unlike keys; a sum, as order does not count. */
	for (unsigned i = 0; i < 2; i++) {
		uint64_t k0 = inbound->seed[0] + i, k1 = inbound->seed[1];

		to[i] = siphash13(k0, k1, digest) + siphash13(k0, k1 ^ 1, accept->reverse_path) +
			siphash13(k0, k1 ^ 3, from);
		for (size_t r = 0; r < accept->n_recipients; r++)
			to[i] += siphash13(k0, k1 ^ 2, accept->recipients[r].address);
	}
}

static struct inbound_entry **bucket_of(struct inbound *inbound, const uint64_t key[2])
{
	return &inbound->buckets[key[0] % BUCKETS];
}

struct inbound_entry *inbound_add(struct inbound *inbound, const uint64_t key[2], uint64_t message, int64_t wall_us)
{
	struct inbound_entry *entry = xmalloc(sizeof(*entry));
	struct inbound_entry **bucket = bucket_of(inbound, key);

	if (inbound->n >= INBOUND_MAX)
		inbound_forget(inbound, list_entry(inbound->by_age.next, struct inbound_entry, of_age));
	*entry = (struct inbound_entry){ .key = { key[0], key[1] }, .message = message, .wall_us = wall_us };
	entry->next_of_hash = *bucket;
	*bucket = entry;
	bucket = &inbound->numbers[message % BUCKETS];
	entry->next_of_number = *bucket;
	*bucket = entry;
	list_init(&entry->of_slot);
	list_append(&inbound->by_age, &entry->of_age);
	inbound->n++;
	return entry;
}

void inbound_forget(struct inbound *inbound, struct inbound_entry *entry)
{
	struct inbound_entry **at = bucket_of(inbound, entry->key);

	while (*at != entry)
		at = &(*at)->next_of_hash;
	*at = entry->next_of_hash;
	at = &inbound->numbers[entry->message % BUCKETS];
	while (*at != entry)
		at = &(*at)->next_of_number;
	*at = entry->next_of_number;
	list_remove(&entry->of_age);
	list_remove(&entry->of_slot);
	inbound->n--;
	free(entry);
}

struct inbound_entry *inbound_find(const struct inbound *inbound, const uint64_t key[2], int64_t since_us)
{
	for (struct inbound_entry *e = inbound->buckets[key[0] % BUCKETS]; e; e = e->next_of_hash)
		if (e->key[0] == key[0] && e->key[1] == key[1] && e->is_unheard && e->wall_us >= since_us)
			return e;

	return NULL;
}

struct inbound_entry *inbound_of(const struct inbound *inbound, uint64_t message)
{
	for (struct inbound_entry *e = inbound->numbers[message % BUCKETS]; e; e = e->next_of_number)
		if (e->message == message)
			return e;

	return NULL;
}

void inbound_end_replay(struct inbound *inbound, int64_t since_us)
{
	list_for_each_safe(link, &inbound->by_age) {
		struct inbound_entry *e = list_entry(link, struct inbound_entry, of_age);

		if (e->wall_us >= since_us)
			e->is_unheard = true;
		if (!e->is_unheard)
			inbound_forget(inbound, e);
	}
}

size_t inbound_count(const struct inbound *inbound)
{
	return inbound->n;
}
