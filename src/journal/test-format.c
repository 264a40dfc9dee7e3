/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C, headers, digests and the chain against known values. */
#include "base/rand.h"
#include "journal/crc32c.h"
#include "journal/format.h"
#include "lib/check.h"

static void crc(struct check *check)
{
	char text[300];
	struct rand r;

	/* RFC 3720 appendix B.4, and the check value of the catalogues */
	memset(text, 0, 32);
	CHECK_EQ(crc32c(0, (struct bytes){ text, 32 }), 0x8a9136aa);
	memset(text, 0xff, 32);
	CHECK_EQ(crc32c(0, (struct bytes){ text, 32 }), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		text[i] = (char)i;
	CHECK_EQ(crc32c_plain(0, (struct bytes){ text, 32 }), 0x46dd794e);
	CHECK_EQ(crc32c_plain(0, BYTES("123456789")), 0xe3069283);

	rand_init(&r, 1);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)rand_u64(&r);
	for (size_t n = 0; n < sizeof(text); n++) {
		struct bytes b = { text, n };
		uint32_t whole = crc32c(0, b);

		CHECK_EQ(whole, crc32c_plain(0, b));
		CHECK_EQ(whole, crc32c(crc32c_plain(0, bytes_head(b, n / 3)), bytes_skip(b, n / 3)));
	}
}

static const uint64_t salt = UINT64_C(0x1122334455667788);

static void record_head(struct check *check)
{
	struct journal_head head = { .length = 77, .type = 2, .flags = 1, .sequence = UINT64_C(0x0102030405060708),
				     .wall_us = -5 }, got;
	unsigned char raw[JOURNAL_HEAD];

	memset(head.digest, 0xab, sizeof(head.digest));
	journal_head_write(raw, &head, salt);
	CHECK_BYTES(((struct bytes){ (char *)raw, 12 }), BYTES("\x88\x77\x66\x55\x4d\0\0\0\x02\0\x01\0"));
	CHECK_BYTES(((struct bytes){ (char *)raw + 16, 8 }), BYTES("\x08\x07\x06\x05\x04\x03\x02\x01"));
	CHECK_EQ(journal_head_read(raw, salt, &got), JOURNAL_HEAD_GOOD);
	CHECK(memcmp(&head, &got, sizeof(head)) == 0);

	/* no bit is without a guard, and another salt is another journal */
	for (size_t bit = 0; bit < 8 * sizeof(raw); bit++) {
		raw[bit / 8] ^= (unsigned char)(1 << bit % 8);
		CHECK_EQ(journal_head_read(raw, salt, &got), JOURNAL_HEAD_BAD);
		raw[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	CHECK_EQ(journal_head_read(raw, salt ^ 1, &got), JOURNAL_HEAD_BAD);
	CHECK_EQ(journal_head_read(raw, salt ^ UINT64_C(1) << 40, &got), JOURNAL_HEAD_BAD);
	memset(raw, 0, sizeof(raw));
	CHECK_EQ(journal_head_read(raw, salt, &got), JOURNAL_HEAD_NONE);

	head.length = JOURNAL_PAYLOAD_MAX + 1;
	journal_head_write(raw, &head, salt);
	CHECK_EQ(journal_head_read(raw, salt, &got), JOURNAL_HEAD_BAD);
	CHECK_EQ(journal_record_size(0), 64);
	CHECK_EQ(journal_record_size(1), 72);
	CHECK_EQ(journal_record_size(8), 72);
}

static void segment_head(struct check *check)
{
	struct journal_segment_head head = { .number = 7, .size = 64 << 20, .first = 1000, .wall_us = 5, .id = "k3f9z",
					     .salt = salt }, got;
	unsigned char raw[JOURNAL_SEGMENT_HEAD];

	memset(head.chain, 0x5a, sizeof(head.chain));
	journal_segment_head_write(raw, &head);
	CHECK_EQ(journal_segment_head_read(raw, &got), 0);
	CHECK(memcmp(&head, &got, sizeof(head)) == 0);
	CHECK_BYTES(((struct bytes){ (char *)raw, 8 }), BYTES("mfjourn1"));
	CHECK_BYTES(((struct bytes){ (char *)raw + 48, 5 }), BYTES("k3f9z"));
	for (size_t bit = 0; bit < 8 * sizeof(raw); bit++) {
		raw[bit / 8] ^= (unsigned char)(1 << bit % 8);
		CHECK_EQ(journal_segment_head_read(raw, &got), -1);
		raw[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	head.size = JOURNAL_SEGMENT_MAX + 1;
	journal_segment_head_write(raw, &head);
	CHECK_EQ(journal_segment_head_read(raw, &got), -1);
}

static void chain(struct check *check)
{
	_cleanup_(journal_hash_freep) struct journal_hash *hash = journal_hash_new();
	unsigned char c[JOURNAL_DIGEST], raw[JOURNAL_HEAD];
	char hex[2 * JOURNAL_DIGEST + 1];

	/* printf 'mailferry journal v1k3f9z' | sha256sum */
	journal_chain_start(hash, "k3f9z", c);
	journal_hex(hex, c);
	CHECK_STR(hex, "7edf3805d6cce4cfe6f16c0955ccf3afc43072b292de87b8144360c9beff2808");
	/* (printf CHAIN | xxd -r -p; printf 'A%.0s' {1..64}) | sha256sum */
	memset(raw, 'A', sizeof(raw));
	journal_chain_step(hash, c, raw);
	journal_hex(hex, c);
	CHECK_STR(hex, "4831dd908dd22896a92dbbb2ed941f2941d4b2ebf784c8819912e52174b12f03");
	journal_hash(hash, BYTES("ab"), BYTES("c"), c);
	journal_hex(hex, c);
	CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void ids(struct check *check)
{
	char id[JOURNAL_ID_LEN + 1];

	journal_id_make(id, 0);
	CHECK_STR(id, "00000");
	journal_id_make(id, UINT32_MAX);
	CHECK_STR(id, "zzzzz");
	CHECK(journal_id_is_good(BYTES("k3f9z")));
	CHECK(!journal_id_is_good(BYTES("k3f9i")) && !journal_id_is_good(BYTES("K3f9z")));
	CHECK(!journal_id_is_good(BYTES("k3f9")) && !journal_id_is_good(BYTES("k3f\0z")));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "CRC-32C", crc },
		{ "a record's header", record_head },
		{ "a segment's header", segment_head },
		{ "the chain", chain },
		{ "ids", ids },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
