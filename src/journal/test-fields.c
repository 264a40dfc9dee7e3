/* SPDX-License-Identifier: Apache-2.0 */
/* Fields: what is written comes back, what is not a field is refused. */
#include "journal/records.h"
#include "lib/check.h"

static void known_bytes(struct check *check)
{
	struct journal_leg legs[2] = { { .message = 300, .recipient = 0, .copy = 1 }, { 0 } };
	struct journal_order order = { .reason = BYTES("why"), .next_us = -2, .legs = legs, .n_legs = 2 };
	_cleanup_(buf_done) struct buf got = BUF_NULL;

	fields_encode(journal_table(JOURNAL_HOLD), &order, &got);
	CHECK_BYTES(buf_bytes(&got), BYTES("\x02\x03why\x04\x01\x03\x05\x07\x01\x02\xac\x02\x03\x01\x01\x05\x00"));
}

static void round_trip(struct check *check)
{
	struct journal_recipient recipients[3] = { { .address = BYTES("a@b"), .notify = UINT64_MAX }, { .address = BYTES("c") },
						   { .orcpt = BYTES("rfc822;x") } };
	uint64_t bodies[] = { 0, 1, 127, 128, UINT64_MAX };
	struct journal_accept a = { .message = 1, .bodies = bodies, .n_bodies = 5, .recipients = recipients,
				    .n_recipients = 3, .helo = BYTES("h\0x"), .size = UINT64_C(1) << 40 }, b;
	_cleanup_(buf_done) struct buf raw = BUF_NULL, again = BUF_NULL;
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct fault fault;

	a.digest[31] = 1;
	fields_encode(journal_table(JOURNAL_ACCEPT), &a, &raw);
	buf_append(&raw, "\xfe\x02xy", 4); /* a tag of the future */
	CHECK_EQ(fields_decode(journal_table(JOURNAL_ACCEPT), buf_bytes(&raw), &arena, &b, &fault), 0);
	CHECK(b.n_bodies == 5 && memcmp(b.bodies, bodies, sizeof(bodies)) == 0 && b.n_recipients == 3);
	CHECK(b.recipients[0].notify == UINT64_MAX && b.digest[31] == 1 && b.size == UINT64_C(1) << 40);
	CHECK_BYTES(b.recipients[2].orcpt, BYTES("rfc822;x"));
	CHECK_BYTES(b.helo, BYTES("h\0x"));
	fields_encode(journal_table(JOURNAL_ACCEPT), &b, &again);
	CHECK_BYTES(buf_bytes(&again), bytes_head(buf_bytes(&raw), raw.n - 4));
}

static void refused(struct check *check)
{
	static const struct {
		struct bytes b;
		const char *words;
	} cases[] = {
		{ BYTES("\x01"), "no field" },
		{ BYTES("\x00\x01x"), "no field" },
		{ BYTES("\x01\x05xxxx"), "no field" },
		{ BYTES("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "no field" },
		{ BYTES("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "no field" },
		{ BYTES("\x01\x81\x00x"), "no field" },
		{ BYTES("\x01\x00"), "not a number" },
		{ BYTES("\x01\x02\x81\x00"), "not a number" },
		{ BYTES("\x01\x02\x01\x01"), "not a number" },
		{ BYTES("\x01\x01\x01\x01\x01\x01"), "twice" },
		{ BYTES("\x13\x1fxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), "32 bytes" },
		{ BYTES("\x14\x02\x01\x80"), "not a number" },
		{ BYTES("\x1a\x02\x04\x00"), "not a number" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(arena_done) struct arena arena = { NULL };
		struct journal_accept accept;
		struct fault fault;

		CHECK_EQ(fields_decode(journal_table(JOURNAL_ACCEPT), cases[i].b, &arena, &accept, &fault), -1);
		CHECK(fault.kind == FAULT_DATA);
		if (!strstr(fault.text, cases[i].words))
			CHECK_FAIL("case %zu: %s", i, fault.text);
	}
}

static void too_many(struct check *check)
{
	_cleanup_(buf_done) struct buf raw = BUF_NULL;
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct journal_attempt attempt;
	struct fault fault;

	for (size_t i = 0; i <= FIELD_ELEMENTS_MAX; i++)
		buf_append(&raw, "\x05\x00", 2);
	CHECK_EQ(fields_decode(journal_table(JOURNAL_ATTEMPT), buf_bytes(&raw), &arena, &attempt, &fault), -1);
	raw.n -= 2;
	CHECK_EQ(fields_decode(journal_table(JOURNAL_ATTEMPT), buf_bytes(&raw), &arena, &attempt, &fault), 0);
	CHECK_EQ(attempt.n_legs, FIELD_ELEMENTS_MAX);
}

/* Tags are for ever, rising, and every type that has fields has a name. */
static void tables(struct check *check)
{
	for (unsigned type = 1; type < JOURNAL_TYPES; type++) {
		const struct field_table *table = journal_table(type);

		CHECK(journal_type_name(type));
		CHECK((table != NULL) == (type != JOURNAL_BODY && type != JOURNAL_END));
		for (size_t i = 1; table && i < table->n; i++)
			CHECK(table->lines[i].tag > table->lines[i - 1].tag);
	}
	CHECK(!journal_table(0) && !journal_table(JOURNAL_TYPES) && !journal_type_name(JOURNAL_TYPES));
	CHECK_STR(journal_fate_name(JOURNAL_DELIVERED), "delivered");
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "known bytes", known_bytes },
		{ "round trip", round_trip },
		{ "what is refused", refused },
		{ "too many", too_many },
		{ "the tables", tables },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
