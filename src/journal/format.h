/* SPDX-License-Identifier: Apache-2.0 */
/* How a journal lies in its files: headers of records and segments, the chain. No I/O. docs/design/journal.md tells
 * it byte by byte. Numbers are little endian. */
#ifndef JOURNAL_FORMAT_H
#define JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"

enum {
	JOURNAL_ID_LEN = 5,         /* of Crockford's base 32, lower case */
	JOURNAL_DIGEST = 32,        /* SHA-256 */
	JOURNAL_HEAD = 64,          /* bytes of a record's header */
	JOURNAL_SEGMENT_HEAD = 128, /* bytes of a segment's header, at its start */
	JOURNAL_FIRST = 4096,       /* where a segment's first record begins */
	JOURNAL_ALIGN = 8,          /* records begin at multiples of it */
	JOURNAL_PAYLOAD_MAX = 1 << 20,
	JOURNAL_BODY_MAX = 256 << 10, /* payload of a BODY */
	JOURNAL_SEGMENT_MIN = 4 << 20, /* a segment holds at least a few of the largest */
	JOURNAL_SECTOR = 512,       /* what a disk writes whole or not at all */
};

#define JOURNAL_SEGMENT_MAX (UINT64_C(1) << 30)

enum journal_flag {
	/* The first of a batch: when it was written, all before it was durable. */
	JOURNAL_FLAG_BATCH = 1,
};

struct journal_head {
	uint32_t length; /* of the payload */
	uint16_t type;   /* enum journal_type, records.h */
	uint16_t flags;
	uint64_t sequence;
	int64_t wall_us;
	unsigned char digest[JOURNAL_DIGEST]; /* of the payload; of END: the chain so far */
};

struct journal_segment_head {
	uint64_t number, size, first; /* first: sequence of its first record */
	int64_t wall_us;
	char id[JOURNAL_ID_LEN + 1];
	uint64_t salt; /* the journal's: see below */
	unsigned char chain[JOURNAL_DIGEST]; /* before the first record */
};

/* The salt is a number that nobody outside can know, the same in all of a journal. A header begins with one half of it and its CRC
 * with the other, so that no mail can hold what looks like a record. */
void journal_head_write(unsigned char to[JOURNAL_HEAD], const struct journal_head *head, uint64_t salt);

enum journal_head_state {
	JOURNAL_HEAD_GOOD,
	JOURNAL_HEAD_NONE, /* all zeros: nothing was written here */
	JOURNAL_HEAD_BAD,
};

enum journal_head_state journal_head_read(const unsigned char from[JOURNAL_HEAD], uint64_t salt,
					  struct journal_head *ret);

void journal_segment_head_write(unsigned char to[JOURNAL_SEGMENT_HEAD], const struct journal_segment_head *head);
int journal_segment_head_read(const unsigned char from[JOURNAL_SEGMENT_HEAD],
			      struct journal_segment_head *ret); /* 0 or -1 */

/* What a record takes: header, payload, padding. */
static inline uint64_t journal_record_size(uint64_t length)
{
	return JOURNAL_HEAD + ((length + JOURNAL_ALIGN - 1) & ~(uint64_t)(JOURNAL_ALIGN - 1));
}

bool journal_id_is_good(struct bytes id);
void journal_id_make(char to[JOURNAL_ID_LEN + 1], uint32_t random);

/* --- digests --------------------------------------------------------------------------------- */

struct journal_hash;

struct journal_hash *journal_hash_new(void);
struct journal_hash *journal_hash_free(struct journal_hash *hash); /* accepts NULL, returns NULL */
DEFINE_FREEP(struct journal_hash, journal_hash_free);

/* SHA-256 of a, then b. */
void journal_hash(struct journal_hash *hash, struct bytes a, struct bytes b,
		  unsigned char to[JOURNAL_DIGEST]);

/* In pieces. */
void journal_hash_begin(struct journal_hash *hash);
void journal_hash_feed(struct journal_hash *hash, struct bytes b);
void journal_hash_end(struct journal_hash *hash, unsigned char to[JOURNAL_DIGEST]);

/* chain(0), and chain(n) from chain(n - 1) and the header of record n. */
void journal_chain_start(struct journal_hash *hash, const char *id, unsigned char chain[JOURNAL_DIGEST]);
void journal_chain_step(struct journal_hash *hash, unsigned char chain[JOURNAL_DIGEST],
			const unsigned char head[JOURNAL_HEAD]);

void journal_hex(char to[2 * JOURNAL_DIGEST + 1], const unsigned char digest[JOURNAL_DIGEST]);

#endif
