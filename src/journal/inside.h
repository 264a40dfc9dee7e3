/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a journal that is written. Loop and worker thread share nothing at the same moment: a flush gets the writer
 * and one batch, and the loop touches neither until it has returned. */
#ifndef JOURNAL_INSIDE_H
#define JOURNAL_INSIDE_H

#include "journal/journal.h"
#include "journal/recover.h"

enum {
	JOURNAL_CHUNK = 256 << 10,
	JOURNAL_FREE_CHUNKS = 32,
	JOURNAL_CHECKPOINT_MAX = 1024, /* bytes of such a record, at most */
	JOURNAL_PLACES = 1 << 17, /* of how many of the last records the place is remembered */
	JOURNAL_KICK = 1 << 20,   /* so many bytes are written without anybody waiting for them */
};

/* Whole records, one behind the other. */
struct journal_chunk {
	struct list link;
	size_t n, size;
	unsigned char data[];
};

struct journal_batch {
	struct list chunks;
	uint64_t first; /* sequence */
	size_t records;
	uint64_t bytes;
};

/* segment << 27 | offset / 8 */
typedef uint64_t journal_packed_place;

/* A record whose place somebody wants to know however late. place 0: not durable yet; JOURNAL_FORGOTTEN: nobody does any more. */
struct journal_kept {
	uint64_t sequence;
	journal_packed_place place;
};

#define JOURNAL_FORGOTTEN UINT64_MAX

/* What a flush works on. */
struct journal_writer {
	const char *path;
	char id[JOURNAL_ID_LEN + 1];
	uint64_t salt, segment_size; /* of segments that are made */
	struct os_block *block;   /* NULL: a new segment is needed */
	uint64_t segment, offset; /* where the next record goes */
	uint64_t sequence;        /* its number */
	unsigned char chain[JOURNAL_DIGEST];
	struct journal_hash *hash;
	bool has_spare, took_spare; /* there was one when the flush began; it is used up */
	uint64_t made, retired;   /* segments */
	uint64_t bytes;
};

/* Makes the batch durable; places[] gets where each record is. Blocks. On failure the writer is of no use any more. */
int journal_writer_flush(struct journal_writer *w, struct journal_batch *batch, journal_packed_place *places,
			 int64_t wall_us, struct fault *fault);

/* Begins the next segment. Blocks. */
int journal_writer_roll(struct journal_writer *w, int64_t wall_us, struct fault *fault);

enum journal_spare { JOURNAL_SPARE_NONE, JOURNAL_SPARE_READY, JOURNAL_SPARE_FAILED };

struct journal {
	struct journal_config config;
	struct journal_files files;
	char *path;
	struct journal_writer writer;
	struct journal_hash *hash;

	struct list free_chunks;
	size_t n_free;
	struct journal_batch filling;
	uint64_t flushing;          /* bytes */
	uint64_t next, durable, wanted;
	uint64_t segment, offset, end; /* as the writer had them after the last flush; end: of that segment */
	unsigned char chain[JOURNAL_DIGEST]; /* after record `durable` */
	uint64_t bytes, retired;
	struct waiters work, done, room;
	bool is_closing;
	struct fault why;           /* kind NONE: all is well */

	journal_packed_place *places; /* of record n at n % JOURNAL_PLACES */
	uint64_t first_place;       /* the first record that was written by this process */
	struct journal_kept *kept;  /* by sequence */
	size_t n_kept, kept_size, n_forgotten;

	enum journal_spare spare;
	struct waiters upkeep;
	bool is_look_wanted, is_low;
	int64_t looked_us;
	uint64_t segments, free_bytes, used_bytes;
	uint64_t batches, records;
	int64_t commit_us;

	struct nursery nursery;
};

/* Records first and up were written there. */
void journal_note_places(struct journal *j, uint64_t first, const journal_packed_place *places, size_t n);

/* The fiber that keeps a spare segment and an eye on the free space. */
int journal_upkeep(void *arg, struct fault *fault);

/* Someone was refused: is there space by now? */
void journal_look_for_space(struct journal *j);

#endif
