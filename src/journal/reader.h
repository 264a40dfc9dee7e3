/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a journal's records in order and proves the chain on the way; names what is damaged, exactly. Changes nothing and
 * takes no lock: fit for a journal that is in use, whose last batch may then be seen in part. Everything blocks: inside
 * run_main() call it through pool_call(). */
#ifndef JOURNAL_READER_H
#define JOURNAL_READER_H

#include "base/fault.h"
#include "journal/records.h"
#include "os/block.h"

enum journal_damage_kind {
	JOURNAL_SOUND = 0,
	JOURNAL_FLIPPED,    /* bytes are not those that were written */
	JOURNAL_ZEROED,     /* zeros where something was written */
	JOURNAL_MISSING,    /* a segment is not there */
	JOURNAL_GAP,        /* sequence numbers do not go on */
	JOURNAL_UNCHAINED,  /* whole in itself, but not what once followed here */
	JOURNAL_UNREADABLE, /* the disk says so */
};

struct journal_damage {
	enum journal_damage_kind kind;
	uint64_t segment, offset, sequence;
	char text[320]; /* names all of these */
};

struct journal_record {
	struct journal_head head;
	uint64_t segment, offset; /* where its header is */
	unsigned char raw[JOURNAL_HEAD];
	unsigned char chain[JOURNAL_DIGEST]; /* after it; not known behind a damaged header */
	bool is_chained;       /* it is */
	struct bytes payload; /* until the next call; of a BODY that was not read: empty */

	/* Of a BODY only: its payload is not what was written. That is as it should be if a DROPPED says so. */
	bool is_punched;
};

struct journal_segment {
	struct journal_segment_head head;
	uint64_t number, size; /* of the file */
	bool is_good;          /* its header is */
};

/* How a journal ends. */
struct journal_tail {
	uint64_t segment, offset;   /* where the next record belongs; segment 0: there is none yet */
	uint64_t salt, batch;       /* batch: where the last one in the segment begins */
	uint64_t sequence;          /* the next record's */
	unsigned char chain[JOURNAL_DIGEST];
	bool is_closed;             /* an END stands there: the next record belongs into a new segment */
	uint64_t torn_to;           /* behind the last byte of a batch that was not written whole; 0: none was */
};

struct journal_reader;

enum journal_read {
	JOURNAL_READ_ALL = 0,
	JOURNAL_READ_NO_BODIES = 1, /* payloads of BODY are not read but in the last segment */
};

/* `path` is the journal's folder. Begins with the segment that holds record `from` (0: the first there is). -1 when there is
 * no journal or it cannot be read; damage shows while reading. */
int journal_reader_open(const char *path, uint64_t from, enum journal_read how, struct journal_reader **ret,
			struct fault *fault);
struct journal_reader *journal_reader_close(struct journal_reader *reader); /* accepts NULL, returns NULL */
DEFINE_FREEP(struct journal_reader, journal_reader_close);

const char *journal_reader_id(const struct journal_reader *reader);
size_t journal_reader_segments(const struct journal_reader *reader, const struct journal_segment **ret);

/* 1 and a record; 0 at the end; -1 with FAULT_DATA at damage: journal_reader_damage() has it, and the next call goes on
 * behind it, at the next record that can be found. */
int journal_reader_next(struct journal_reader *reader, struct journal_record *ret, struct fault *fault);
const struct journal_damage *journal_reader_damage(const struct journal_reader *reader);

/* After the end. */
void journal_reader_tail(const struct journal_reader *reader, struct journal_tail *ret);

/* "flipped", … */
const char *journal_damage_name(enum journal_damage_kind kind);

/* PATH/NNNNNNNNNN.seg */
void journal_segment_path(struct buf *to, const char *path, uint64_t number);

#endif
