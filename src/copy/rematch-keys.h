/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of copy/rematch.c: who could be whose mate, whose bytes must be read to tell, and who is.
 * No I/O, nothing suspends: it may run on a worker thread. Time is O(n log n) and memory some 30
 * bytes an item, whatever the items are: also when all of them are equal. */
#ifndef COPY_REMATCH_KEYS_H
#define COPY_REMATCH_KEYS_H

#include "copy/rematch.h"

/* What two items must have in common, from the strongest to the weakest; each step is among what is
 * left. */
enum rematch_step {
	REMATCH_EXACT,     /* header, size and date */
	REMATCH_HEADERS,   /* header. Where several have the same one and some are left at both sides, what
			    * was paired by size and date is not believed either: bytes decide for all */
	REMATCH_BYTES,     /* bytes: a digest is known, but no header, or there is none */
	REMATCH_REWRITTEN, /* Message-ID and core */
	REMATCH_UNNAMED,   /* core and date, and one of the two has no Message-ID */
	REMATCH_BARE,      /* size and date of an item that has nothing else and nowhere to ask */
	REMATCH_STEPS,
};

/* An item with what it is sorted by. */
struct rematch_ref {
	uint64_t key[2];
	uint32_t index;
};

/* Items of both sides with the same key: runs in refs[0] and refs[1]. */
struct rematch_group {
	uint32_t at[2], n[2];
};

struct rematch_keys {
	struct rematch_side *side[2];
	bool prove;

	struct rematch_ref *refs[2];    /* room for the longer side */
	struct rematch_ref *scratch;
	bool *marks[2];                 /* per item: it goes into want; all false between questions */
	struct rematch_group *groups;   /* of the step under way */
	size_t groups_n, groups_size;
	uint32_t *want[2];              /* result of a question: indexes of items, rising */
	size_t want_n[2], want_size[2];
};

/* Forgets all mates. The sides and their items must outlive keys. */
void rematch_keys_init(struct rematch_keys *keys, struct rematch_side *a, struct rematch_side *b,
		       bool prove);
void rematch_keys_done(struct rematch_keys *keys); /* fit for _cleanup_ */

/* Whether a side has a folder open to ask. */
bool rematch_can_ask(const struct rematch_side *side);

/* Whether both sides have items without a mate. */
bool rematch_is_open(const struct rematch_keys *keys);

/* Into want: items whose header is not known, can be asked for, and may lead to a mate. all: of all
 * that are left; else of those only for which the other side has one of the same size and date. */
void rematch_want_headers(struct rematch_keys *keys, bool all);

/* A step: groups what is left; want are the items whose bytes must be read before it can be
 * settled. */
void rematch_find(struct rematch_keys *keys, enum rematch_step step);

/* … and once they were, or could not be: sets mate and differs. */
void rematch_settle(struct rematch_keys *keys, enum rematch_step step);

/* --- rematch.c, for its tests ------------------------------------------------------------------ */

/* How what is not known is asked for: sets what is learnt of the items side->p[want[…]], or that it
 * cannot be learnt (REMATCH_NO_HEADER, REMATCH_NO_BODY). */
typedef SUSPENDS int (*rematch_ask_fn)(void *arg, struct rematch_side *side, const uint32_t *want,
				       size_t n, struct fault *fault);

struct rematch_wire {
	rematch_ask_fn headers, digests;
	void *arg;
};

SUSPENDS int rematch_by_wire(const struct rematch_wire *wire, struct rematch_side *a,
			     struct rematch_side *b, bool prove, struct fault *fault);

#endif
