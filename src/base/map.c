/* SPDX-License-Identifier: Apache-2.0 */
/* Hash map, see map.h: entries in an array by insertion, and a table of indices into it with
 * linear probing. A removed entry stays as a gap, which keeps the chains of the table whole;
 * the gaps go when the table is built anew. */
#include "base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/* Up to eight bytes, little endian. */
static uint64_t load(const char *p, size_t n)
{
	uint64_t word = 0;

	for (size_t i = 0; i < n; i++)
		word |= (uint64_t)(unsigned char)p[i] << (8 * i);

	return word;
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

uint64_t siphash13(uint64_t key0, uint64_t key1, struct bytes b)
{
	uint64_t v[4] = {
		key0 ^ UINT64_C(0x736f6d6570736575), key1 ^ UINT64_C(0x646f72616e646f6d),
		key0 ^ UINT64_C(0x6c7967656e657261), key1 ^ UINT64_C(0x7465646279746573),
	};
	uint64_t length = (uint64_t)b.n << 56;

	for (; b.n >= 8; b = bytes_skip(b, 8))
		sip_word(v, load(b.p, 8));
	sip_word(v, length | load(b.p, b.n));

	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);

	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t hash_of(const struct map *map, struct bytes key)
{
	return siphash13(map->seed, ~map->seed, key);
}

void map_init(struct map *map, uint64_t seed)
{
	*map = (struct map){ .seed = seed };
}

static void free_key(struct map_entry *entry)
{
	free((char *)(uintptr_t)entry->key.p); /* the map's own copy: const only for others */
	*entry = (struct map_entry){ 0 };
}

void map_done(struct map *map)
{
	for (size_t i = 0; i < map->n_entries; i++)
		free_key(&map->entries[i]);
	free(map->entries);
	free(map->slots);
	map_init(map, map->seed);
}

size_t map_count(const struct map *map)
{
	return map->n_entries - map->n_removed;
}

/* The slot that holds key, or the free one where it would go. There is always a free one. */
static size_t find_slot(const struct map *map, struct bytes key, uint64_t hash)
{
	size_t mask = map->n_slots - 1, slot = (size_t)hash & mask;

	for (; map->slots[slot]; slot = (slot + 1) & mask) {
		const struct map_entry *entry = &map->entries[map->slots[slot] - 1];

		if (entry->key.p && entry->hash == hash && bytes_equal(entry->key, key))
			break;
	}
	return slot;
}

static struct map_entry *find(const struct map *map, struct bytes key)
{
	size_t slot;

	if (map_count(map) == 0)
		return NULL;

	slot = find_slot(map, key, hash_of(map, key));
	return map->slots[slot] ? &map->entries[map->slots[slot] - 1] : NULL;
}

void *map_get(const struct map *map, struct bytes key)
{
	const struct map_entry *entry = find(map, key);

	return entry ? entry->value : NULL;
}

bool map_has(const struct map *map, struct bytes key)
{
	return find(map, key);
}

static void close_gaps(struct map *map)
{
	size_t n = 0;

	for (size_t i = 0; i < map->n_entries; i++)
		if (map->entries[i].key.p)
			map->entries[n++] = map->entries[i];
	map->n_entries = n;
	map->n_removed = 0;
}

/* Makes room for one more entry: the table is at most two thirds full, gaps counted. */
static void make_room(struct map *map)
{
	size_t n_slots = 8;

	if ((map->n_entries + 1) * 3 <= map->n_slots * 2)
		return;

	close_gaps(map);
	while ((map->n_entries + 1) * 2 > n_slots) /* half full: something is left to grow into */
		n_slots *= 2;
	assert(n_slots <= UINT32_MAX);

	free(map->slots);
	map->slots = xzalloc(n_slots * sizeof(*map->slots));
	map->n_slots = n_slots;
	for (size_t i = 0; i < map->n_entries; i++) {
		size_t slot = (size_t)map->entries[i].hash & (n_slots - 1);

		while (map->slots[slot])
			slot = (slot + 1) & (n_slots - 1);
		map->slots[slot] = (uint32_t)i + 1;
	}
}

void *map_put(struct map *map, struct bytes key, void *value)
{
	struct map_entry *entry = find(map, key);
	uint64_t hash;

	if (entry) {
		void *former = entry->value;

		entry->value = value;
		return former;
	}

	make_room(map);
	hash = hash_of(map, key);
	map->slots[find_slot(map, key, hash)] = (uint32_t)map->n_entries + 1;
	map->entries =
		xgrow(map->entries, &map->capacity, map->n_entries + 1, sizeof(*map->entries));
	map->entries[map->n_entries++] = (struct map_entry){
		.key = { xstrndup(key.n ? key.p : "", key.n), key.n }, .value = value, .hash = hash,
	};
	return NULL;
}

void *map_remove(struct map *map, struct bytes key)
{
	struct map_entry *entry = find(map, key);
	void *value;

	if (!entry)
		return NULL;

	value = entry->value;
	free_key(entry);
	map->n_removed++;
	return value;
}

bool map_next(const struct map *map, size_t *at, struct map_entry *ret_entry)
{
	while (*at < map->n_entries) {
		const struct map_entry *entry = &map->entries[(*at)++];

		if (entry->key.p) {
			*ret_entry = *entry;
			return true;
		}
	}
	return false;
}
