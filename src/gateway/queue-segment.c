/* SPDX-License-Identifier: Apache-2.0 */
/* Single records of the journal, see queue-segment.h. */
#include "gateway/queue-segment.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "journal/reader.h"
#include "os/block.h"

enum { GUESS = 8192 }; /* most records fit, so that one read does */

static int wrong(const struct book_place *place, const char *why, struct fault *fault)
{
	return fault_set(fault, FAULT_DATA, REACH_MESSAGE, AGAIN_NEVER,
			 "segment %010" PRIu64 ".seg, offset %" PRIu32 ": record %" PRIu64 " %s", place->segment, place->offset,
			 place->sequence, why);
}

static int open_segment(const char *path, const struct book_place *place, struct os_block **ret, uint64_t *ret_salt,
			struct fault *fault)
{
	_cleanup_(buf_done) struct buf name = BUF_NULL;
	unsigned char raw[JOURNAL_SEGMENT_HEAD];
	struct journal_segment_head head;

	journal_segment_path(&name, path, place->segment);
	if (os_block_open(buf_str(&name), false, ret, fault) < 0)
		return -1;
	if (os_block_read(*ret, 0, raw, sizeof(raw), fault) != (int64_t)sizeof(raw) ||
	    journal_segment_head_read(raw, &head) < 0)
		return wrong(place, "cannot be read: its segment is none", fault);
	*ret_salt = head.salt;
	return 0;
}

static int read_one(struct os_block *block, uint64_t salt, const struct book_place *place, struct journal_head *ret_head,
		    struct buf *payload, struct fault *fault)
{
	_cleanup_(journal_hash_freep) struct journal_hash *hash = NULL;
	unsigned char digest[JOURNAL_DIGEST];
	size_t before = payload->n;
	char *to = buf_reserve(payload, GUESS);
	int64_t got = os_block_read(block, place->offset, to, GUESS, fault);
	size_t have;

	if (got < 0)
		return -1;
	if (got < JOURNAL_HEAD || journal_head_read((const unsigned char *)to, salt, ret_head) != JOURNAL_HEAD_GOOD ||
	    ret_head->sequence != place->sequence || ret_head->length > JOURNAL_PAYLOAD_MAX)
		return wrong(place, "is not there", fault);

	have = (size_t)got - JOURNAL_HEAD;
	have = have < ret_head->length ? have : ret_head->length;
	memmove(to, to + JOURNAL_HEAD, have);
	payload->n += have;
	if (have < ret_head->length) {
		size_t rest = ret_head->length - have;

		got = os_block_read(block, place->offset + JOURNAL_HEAD + have, buf_reserve(payload, rest), rest, fault);
		if (got < 0)
			return -1;
		payload->n += (size_t)got;
	}
	hash = journal_hash_new();
	journal_hash(hash, bytes_skip(buf_bytes(payload), before), BYTES_NULL, digest);
	if (memcmp(digest, ret_head->digest, sizeof(digest)) != 0)
		return wrong(place, "is not what was written: dropped, or damaged", fault);
	return 0;
}

int queue_read_record(const char *path, const struct book_place *place, struct journal_head *ret_head, struct buf *payload,
		      struct fault *fault)
{
	_cleanup_(os_block_closep) struct os_block *block = NULL;
	uint64_t salt = 0;

	if (open_segment(path, place, &block, &salt, fault) < 0)
		return -1;
	return read_one(block, salt, place, ret_head, payload, fault);
}

int queue_read_bodies(const char *path, struct book_place *bodies, size_t n_bodies, uint64_t offset, char *to, size_t n,
		      size_t *ret_n, struct fault *fault)
{
	_cleanup_(buf_done) struct buf payload = BUF_NULL;
	uint64_t at = 0;

	*ret_n = 0;
	for (size_t i = 0; i < n_bodies && *ret_n < n; i++) {
		struct journal_head head;
		struct bytes part;

		/* One that lies before what is wanted, and whose length is known. */
		if (bodies[i].length && at + bodies[i].length <= offset) {
			at += bodies[i].length;
			continue;
		}
		buf_reset(&payload);
		if (queue_read_record(path, &bodies[i], &head, &payload, fault) < 0)
			return -1;
		if (head.type != JOURNAL_BODY)
			return wrong(&bodies[i], "is no body", fault);
		bodies[i].length = (uint32_t)payload.n;
		part = buf_bytes(&payload);
		if (at + part.n > offset) {
			part = bytes_head(bytes_skip(part, offset > at ? (size_t)(offset - at) : 0), n - *ret_n);
			memcpy(to + *ret_n, part.p, part.n);
			*ret_n += part.n;
			offset += part.n;
		}
		at += payload.n;
	}
	return 0;
}
