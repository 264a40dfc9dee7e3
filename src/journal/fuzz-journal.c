/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a journal's only segment, behind a header that is good: the reader ends, names what it does not understand, and what
 * it hands out is chained; records decode or are refused, and what decodes encodes to something that decodes to the
 * same. */
/* It runs on the stack that main() has, which is large. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE = JOURNAL_SEGMENT_MIN, SALT = 0x31524d };

static void insist(bool condition)
{
	if (!condition)
		abort();
}

static void write_file(const char *folder, const char *name, const void *p, size_t n, off_t size)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	insist(fd >= 0 && write(fd, p, n) == (ssize_t)n && ftruncate(fd, size) == 0);
	close(fd);
}

/* One folder for all runs of a process. */
static const char *folder(void)
{
	static char path[100];

	if (!path[0]) {
		snprintf(path, sizeof(path), "/dev/shm/mailferry-fuzz-XXXXXX");
		if (!mkdtemp(path)) {
			snprintf(path, sizeof(path), "/tmp/mailferry-fuzz-XXXXXX");
			insist(mkdtemp(path) != NULL);
		}
		write_file(path, "journal.id", "k3f9z\n", 6, 6);
	}
	return path;
}

/* A header that holds, where the input says so: else no record would ever be seen. */
static size_t make_records(unsigned char *to, struct bytes in, struct journal_hash *hash)
{
	size_t at = 0;
	uint64_t sequence = 1;

	while (in.n >= 4) {
		unsigned char type = (unsigned char)in.p[0], mode = (unsigned char)in.p[1];
		struct bytes payload = bytes_head(bytes_skip(in, 4), (unsigned char)in.p[2] | (size_t)(in.p[3] & 3) << 8);
		struct journal_head head = { .length = (uint32_t)payload.n, .type = type, .flags = mode & 1,
					     .sequence = sequence + (mode & 2) / 2 * (mode >> 5) };

		if (at + journal_record_size(payload.n) > 65536)
			break;
		journal_hash(hash, payload, BYTES_NULL, head.digest);
		journal_head_write(to + at, &head, SALT);
		if (payload.n)
			memcpy(to + at + JOURNAL_HEAD, payload.p, payload.n);
		if (mode & 4)
			to[at + (mode >> 3)] ^= (unsigned char)(1 + sequence % 255);
		if (mode & 8)
			memset(to + at, 0, JOURNAL_HEAD);
		at += journal_record_size(payload.n);
		sequence++;
		in = bytes_skip(in, 4 + payload.n);
	}
	return at;
}

static void check_record(const struct journal_record *record)
{
	_cleanup_(buf_done) struct buf one = BUF_NULL, two = BUF_NULL;
	_cleanup_(arena_done) struct arena arena = { NULL };
	const struct field_table *table = journal_table(record->head.type);
	_Alignas(16) unsigned char any[1024];
	struct fault fault;

	if (!table)
		return;
	insist(table->size <= sizeof(any));
	if (fields_decode(table, record->payload, &arena, any, &fault) < 0) {
		insist(fault.kind == FAULT_DATA);
		return;
	}
	fields_encode(table, any, &one);
	insist(fields_decode(table, buf_bytes(&one), &arena, any, &fault) == 0);
	fields_encode(table, any, &two);
	insist(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
}

static void read_all(struct journal_hash *hash)
{
	_cleanup_(journal_reader_closep) struct journal_reader *reader = NULL;
	unsigned char chain[JOURNAL_DIGEST];
	struct journal_record record;
	struct journal_tail tail;
	struct fault fault;
	uint64_t last = 0;
	int r;

	insist(journal_reader_open(folder(), 0, JOURNAL_READ_ALL, &reader, &fault) == 0);
	journal_chain_start(hash, "k3f9z", chain);
	while ((r = journal_reader_next(reader, &record, &fault)) != 0) {
		if (r < 0) {
			insist(fault.kind == FAULT_DATA && journal_reader_damage(reader)->kind != JOURNAL_SOUND);
			continue;
		}
		insist(record.head.sequence > last);
		last = record.head.sequence;
		journal_chain_step(hash, chain, record.raw);
		insist(!record.is_chained || memcmp(chain, record.chain, JOURNAL_DIGEST) == 0);
		check_record(&record);
	}
	journal_reader_tail(reader, &tail);
	insist(tail.sequence > last && tail.torn_to <= SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char segment[JOURNAL_FIRST + 65536];
	_cleanup_(journal_hash_freep) struct journal_hash *hash = journal_hash_new();
	struct journal_segment_head head = { .number = 1, .size = SIZE, .first = 1, .id = "k3f9z", .salt = SALT };
	struct bytes in = { (const char *)data, size };
	size_t n;

	memset(segment, 0, sizeof(segment));
	journal_chain_start(hash, "k3f9z", head.chain);
	journal_segment_head_write(segment, &head);
	n = make_records(segment + JOURNAL_FIRST, bytes_skip(in, 1), hash);
	write_file(folder(), "0000000001.seg", segment, JOURNAL_FIRST + n, size && data[0] & 1 ? JOURNAL_FIRST + (off_t)n : SIZE);
	if (size && data[0] & 1) {
		/* shorter than its header says: no segment at all */
		_cleanup_(journal_reader_closep) struct journal_reader *reader = NULL;
		struct journal_record record;
		struct fault fault;

		insist(journal_reader_open(folder(), 0, JOURNAL_READ_ALL, &reader, &fault) == 0);
		insist(journal_reader_next(reader, &record, &fault) < 0);
		insist(journal_reader_damage(reader)->kind == JOURNAL_FLIPPED);
		return 0;
	}
	read_all(hash);
	return 0;
}
