/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a reader, and what it does where a record should be and is not: a torn tail, or damage. Inside
 * journal/ only. */
#ifndef JOURNAL_LOOK_H
#define JOURNAL_LOOK_H

#include "base/cleanup.h"
#include "journal/reader.h"

struct journal_reader {
	char *path;
	char id[JOURNAL_ID_LEN + 1];
	enum journal_read how;
	struct journal_hash *hash;
	struct journal_segment *segments; /* by number */
	size_t n, at;      /* at: the segment at hand */
	bool is_inside;    /* it was entered */
	bool is_anchored;  /* sequence and chain are what must follow */
	bool is_chained;   /* chain is that before the next record */
	bool is_over, is_closed;
	uint64_t batch;    /* where the last batch began in this segment */
	struct os_block *block;
	uint64_t offset;   /* of the next record */
	uint64_t sequence; /* its number */
	unsigned char chain[JOURNAL_DIGEST]; /* before it */
	uint64_t torn_to;
	struct journal_damage damage;

	/* What was last read of the block. */
	char *window;
	uint64_t window_at;
	size_t window_n;

	/* The last record of the segment with JOURNAL_FLAG_BATCH, when it was looked for. */
	bool has_last_batch;
	uint64_t last_batch;
};

/* n bytes of the segment at hand, fewer at its end; until the next call. */
int journal_reader_bytes(struct journal_reader *r, uint64_t offset, size_t n, struct bytes *ret,
			 struct fault *fault);

/* Where the header of the next record should be is none, or another's: these bytes. 2: the journal ends here, torn or not; -1: damage,
 * and the reader stands at the next record it can find; 0: by now there is something else, look again. `head` is good if
 * state is. */
int journal_look(struct journal_reader *r, const unsigned char raw[JOURNAL_HEAD], enum journal_head_state state,
		 const struct journal_head *head, struct fault *fault);

/* The header is good and the payload is not what was written. 1: a BODY that may have been dropped; 0: the journal ends
 * here, torn; -1: damage; 2: by now it is, look again. The reader stands where it stood. */
int journal_look_payload(struct journal_reader *r, const struct journal_head *head, struct fault *fault);

/* Fill in damage and fault (FAULT_DATA) and return -1. The first: of the segment at hand. */
int journal_damaged(struct journal_reader *r, enum journal_damage_kind kind, uint64_t offset,
		    struct fault *fault, const char *format, ...) PRINTF_LIKE(5, 6);
int journal_damaged_at(struct journal_reader *r, enum journal_damage_kind kind, uint64_t segment, uint64_t offset,
		       struct fault *fault, const char *what);
int journal_missing(struct journal_reader *r, uint64_t from, uint64_t to, uint64_t first, uint64_t last,
		    struct fault *fault);

#endif
