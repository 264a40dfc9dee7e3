/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of mail whose sender may not know that we have it, and of mail that comes back. */
#include "gateway/inbound.h"
#include "gateway/loops.h"
#include "lib/check.h"
#include "run/run.h"

static const uint64_t seed[2] = { 7, 8 };

static void key_of(struct inbound *inbound, const char *peer, const char *sender, uint64_t key[2])
{
	struct journal_recipient to[2] = { { .address = BYTES("a@example.org") }, { .address = BYTES("b@example.org") } };
	struct journal_accept accept = { .peer = bytes_of(peer), .reverse_path = bytes_of(sender), .recipients = to, .n_recipients = 2,
					 .digest = { 1 } };

	inbound_key(inbound, &accept, key);
}

static void keys(struct check *check)
{
	static const struct {
		const char *peer, *sender;
		bool same;
	} cases[] = {
		{ "192.0.2.200", "s@example.net", true }, /* another machine of the same network */
		{ "192.0.3.1", "s@example.net", false },
		{ "192.0.2.1", "t@example.net", false },
		{ "2001:db8::1", "s@example.net", false },
		{ "unknown", "s@example.net", false },
	};
	struct inbound *inbound = inbound_new(seed);
	uint64_t key[2], other[2];

	key_of(inbound, "192.0.2.1", "s@example.net", key);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		key_of(inbound, cases[i].peer, cases[i].sender, other);
		CHECK((key[0] == other[0] && key[1] == other[1]) == cases[i].same);
	}
	key_of(inbound, "2001:db8::1", "s@example.net", key);
	key_of(inbound, "2001:db8::ffff:1", "s@example.net", other);
	CHECK(key[0] == other[0]);
	key_of(inbound, "2001:db8:0:1::1", "s@example.net", other);
	CHECK(key[0] != other[0]);
	inbound_free(inbound);
}

/* As many as are kept, and as many again: the oldest went, all others are found by message and by key. */
static void many(struct check *check)
{
	struct inbound *inbound = inbound_new(seed);
	uint64_t found = 0;

	for (uint64_t i = 1; i <= 2 * INBOUND_MAX; i++) {
		uint64_t key[2] = { i * UINT64_C(0x9e3779b97f4a7c15), i };

		inbound_add(inbound, key, i, (int64_t)i)->is_unheard = true;
	}
	CHECK_EQ((int64_t)inbound_count(inbound), INBOUND_MAX);
	for (uint64_t i = 1; i <= 2 * INBOUND_MAX; i++) {
		uint64_t key[2] = { i * UINT64_C(0x9e3779b97f4a7c15), i };
		struct inbound_entry *e = inbound_of(inbound, i);

		CHECK((e != NULL) == (i > INBOUND_MAX));
		CHECK(inbound_find(inbound, key, 0) == e);
		CHECK(!e || !inbound_find(inbound, key, (int64_t)i + 1));
		found += e != NULL;
	}
	CHECK_EQ((int64_t)found, INBOUND_MAX);
	inbound_free(inbound);
}

static void replay(struct check *check)
{
	struct inbound *inbound = inbound_new(seed);

	for (uint64_t i = 1; i <= 10; i++) {
		uint64_t key[2] = { i, i };

		inbound_add(inbound, key, i, (int64_t)i);
	}
	inbound_of(inbound, 2)->is_unheard = true;
	inbound_end_replay(inbound, 8);
	CHECK_EQ((int64_t)inbound_count(inbound), 4); /* 2, and 8 to 10 */
	CHECK(inbound_of(inbound, 2) && !inbound_of(inbound, 3) && inbound_of(inbound, 8)->is_unheard);
	inbound_free(inbound);
}

/* What was refused in the end (no room) comes again, and did not go round. */
static void unseen(struct check *check)
{
	_cleanup_(loops_freep) struct loops *loops = loops_new(seed);
	struct loops_sight back = { .received = 3, .received_limit = 10, .origin = 5 };
	struct loops_sight repeated = { .received = 3, .received_limit = 10, .message_id = BYTES("<1@x>"), .text = 9 };
	struct bytes key = BYTES("a@example.org");

	for (int i = 0; i < 20; i++) {
		CHECK_EQ(loops_see(loops, &back, key, i), LOOPS_NONE);
		loops_unsee(loops, &back, key);
		CHECK_EQ(loops_see(loops, &repeated, key, i), LOOPS_NONE);
		loops_unsee(loops, &repeated, key);
	}
	CHECK_EQ(loops_see(loops, &back, key, 20), LOOPS_NONE);
	CHECK_EQ(loops_see(loops, &back, key, 21), LOOPS_TOKEN);
	for (int i = 1; i < LOOPS_REPEATS; i++)
		CHECK_EQ(loops_see(loops, &repeated, key, 20 + i), LOOPS_NONE);
	CHECK_EQ(loops_see(loops, &repeated, key, 30), LOOPS_REPEATED);
	CHECK_EQ(loops_see(loops, &repeated, BYTES("b@example.org"), 31), LOOPS_NONE);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "keys", keys },
		{ "bounded, and found", many },
		{ "a replay's end", replay },
		{ "what was not accepted", unseen },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
