/* SPDX-License-Identifier: Apache-2.0 */
/* Hash map from bytes to pointers. Keys are copied and owned by the map; values are the
 * caller's.
 *
 * Hashing is SipHash-1-3 with a seed, so that a peer who chooses the keys (folder names,
 * Message-IDs) cannot make it slow: give an unpredictable seed in life, a fixed one in tests.
 * Order does not depend on the seed: walks go by insertion. A zeroed struct is a valid empty
 * map with the seed 0. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct map_entry {
	struct bytes key; /* with a NUL behind it that is not counted */
	void *value;
	uint64_t hash;
};

struct map {
	uint64_t seed;
	struct map_entry *entries; /* by insertion; a removed one has key.p NULL for a while */
	size_t n_entries, n_removed, capacity;
	uint32_t *slots; /* index into entries + 1, or 0; a power of two of them */
	size_t n_slots;
};

void map_init(struct map *map, uint64_t seed);
void map_done(struct map *map); /* frees keys, not values; leaves it empty; for _cleanup_ */

size_t map_count(const struct map *map);

/* NULL when the key is not there (or its value is NULL: see map_has()). */
void *map_get(const struct map *map, struct bytes key);
bool map_has(const struct map *map, struct bytes key);

/* Adds or replaces; a replaced key keeps its place in the order. Returns the former value or
 * NULL. */
void *map_put(struct map *map, struct bytes key, void *value);

/* Returns the value that was there or NULL. */
void *map_remove(struct map *map, struct bytes key);

/* Walks by insertion: size_t at = 0; while (map_next(&map, &at, &entry)) … The body may remove
 * what it likes, and replace values, but not add keys. entry.key dies with its removal. */
bool map_next(const struct map *map, size_t *at, struct map_entry *ret_entry);

/* The hash itself: SipHash with 1 compression and 3 finalisation rounds. */
uint64_t siphash13(uint64_t key0, uint64_t key1, struct bytes b);

#endif
