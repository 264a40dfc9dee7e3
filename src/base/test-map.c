/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <stdio.h>

#include "base/rand.h"
#include "lib/check.h"

/* Against another implementation (CPython's hash of bytes with a zero key). */
static void is_siphash13(struct check *check)
{
	static const struct { const char *in; uint64_t hash; } known[] = {
		{ "a", UINT64_C(0x407448d2b89b1813) },
		{ "ab", UINT64_C(0x555508cbc6add439) },
		{ "1234567", UINT64_C(0xa33d651594fdae81) },
		{ "12345678", UINT64_C(0x3489982430560a87) },
		{ "123456789", UINT64_C(0x0fbc0f0007965fcf) },
		{ "abcdefghijklmnopqrstuvwxyz", UINT64_C(0x323ccd2fd30709df) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		CHECK_EQ(siphash13(0, 0, bytes_of(known[i].in)), known[i].hash);
	CHECK(siphash13(1, 0, BYTES("a")) != siphash13(0, 0, BYTES("a")));
	CHECK(siphash13(0, 1, BYTES("a")) != siphash13(0, 0, BYTES("a")));
}

static void puts_gets_removes(struct check *check)
{
	_cleanup_(map_done) struct map map = { 0 };
	char key[] = "key";
	int one, two;

	CHECK(map_get(&map, BYTES("key")) == NULL);
	CHECK(map_remove(&map, BYTES("key")) == NULL);
	CHECK(map_put(&map, bytes_of(key), &one) == NULL);
	key[0] = 'X'; /* the map has its own copy */
	CHECK(map_get(&map, BYTES("key")) == &one);
	CHECK(map_put(&map, BYTES("key"), &two) == &one);
	CHECK_EQ(map_count(&map), 1);
	CHECK(map_put(&map, BYTES_NULL, &one) == NULL); /* the empty key is a key */
	CHECK(map_put(&map, BYTES("a\0b"), NULL) == NULL);
	CHECK(map_has(&map, BYTES("a\0b")) && !map_has(&map, BYTES("a")));
	CHECK(map_get(&map, BYTES("")) == &one);
	CHECK_EQ(map_count(&map), 3);
	CHECK(map_remove(&map, BYTES("key")) == &two);
	CHECK(map_remove(&map, BYTES("key")) == NULL);
	CHECK(!map_has(&map, BYTES("key")));
	CHECK_EQ(map_count(&map), 2);
}

static struct bytes number_key(char *to, unsigned number)
{
	return (struct bytes){ to, (size_t)snprintf(to, 16, "%u", number) };
}

enum { NUMBERS = 512 };

/* Random steps against an array; the order against the moments of insertion. */
static void agrees_with_an_array(struct check *check)
{
	_cleanup_(map_done) struct map map;
	static unsigned born[NUMBERS];
	size_t count = 0;
	struct rand r;
	char text[16];

	rand_init(&r, 11);
	map_init(&map, 99);
	memset(born, 0, sizeof(born));
	for (unsigned step = 1; step <= 50000; step++) {
		unsigned number = (unsigned)rand_below(&r, NUMBERS);
		struct bytes key = number_key(text, number);

		CHECK_EQ(map_has(&map, key), born[number] != 0);
		if (rand_below(&r, 2)) {
			CHECK_EQ(map_put(&map, key, &born[number]) != NULL, born[number] != 0);
			count += !born[number];
			born[number] = born[number] ? born[number] : step;
		} else {
			CHECK(map_remove(&map, key) == (born[number] ? &born[number] : NULL));
			count -= born[number] != 0;
			born[number] = 0;
		}
		CHECK_EQ(map_count(&map), count);
	}
	CHECK(map.n_slots <= 4 * NUMBERS); /* removed ones do not pile up */

	struct map_entry entry;
	unsigned last = 0;
	size_t walked = 0;

	for (size_t at = 0; map_next(&map, &at, &entry); walked++) {
		unsigned when = *(unsigned *)entry.value;

		CHECK(when > last);
		last = when;
		CHECK_BYTES(entry.key,
			    number_key(text, (unsigned)((unsigned *)entry.value - born)));
	}
	CHECK_EQ(walked, count);
}

static void walk_may_remove(struct check *check)
{
	_cleanup_(map_done) struct map map = { 0 };
	struct map_entry entry;
	char text[16];

	for (unsigned i = 0; i < 100; i++)
		map_put(&map, number_key(text, i), &map);
	for (size_t at = 0; map_next(&map, &at, &entry);)
		CHECK(map_remove(&map, entry.key) == &map);
	CHECK_EQ(map_count(&map), 0);
	map_put(&map, BYTES("again"), &map);
	CHECK(map_get(&map, BYTES("again")) == &map);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "is-siphash13", is_siphash13 },
		{ "puts-gets-removes", puts_gets_removes },
		{ "agrees-with-an-array", agrees_with_an_array },
		{ "walk-may-remove", walk_may_remove },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
