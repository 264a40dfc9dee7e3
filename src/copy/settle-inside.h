/* SPDX-License-Identifier: Apache-2.0 */
/* What the files settle*.c share: the strangers of a destination folder, and what they are held against. */
#ifndef COPY_SETTLE_INSIDE_H
#define COPY_SETTLE_INSIDE_H

#include "copy/links.h"
#include "copy/rematch.h"
#include "copy/worker.h"

/* A message of the source that may have its copy among the strangers. */
struct lone {
	struct imap_message message;
	uint32_t flags;  /* in the ledger */
	bool has_row;    /* it says COPIED, without knowing where */
	bool intended;   /* it says SENDING, with these flags: */
	uint32_t sent_flags;
	bool again;      /* it was looked for by a pass before, and not found */
	bool orphan;     /* it has left the source */
};

struct settle {
	struct copy_pass *pass;
	struct ledger *ledger;
	struct ledger_folder *known;
	struct copy_link *link;         /* of the folder; NULL: the source has it no more, or under another UIDVALIDITY */
	struct rematch_side ours, theirs;
	struct lone *lone;              /* beside ours.p */
	size_t lone_size, ours_size;
	uint32_t *copy_uids;            /* beside theirs.p, when those are rows */
	size_t theirs_size, copy_uids_size;
	struct ledger_message *orphans; /* rows, without strings: may have been sent, and are no longer at the source */
	size_t orphans_n, orphans_size;
	struct imap_messages there;     /* strangers' flags and dates */
	bool late;                      /* something may turn up later (D29) */
};

/* --- settle.c -------------------------------------------------------------------------------- */

/* With the worker's sessions as they are: a side whose folder is not selected cannot be asked. */
void settle_begin(struct settle *s, struct copy_pass *pass);
void settle_done(struct settle *s);

/* The copies with UIDs from low on that rows have in the folder's destination, which is selected; rising, xmalloc()ed, also after a
 * failure. Several folders of the ledger may speak of one: one that the source has no more, under its name or the same one,
 * and the one that is there now. link: of the folder, or NULL. */
SUSPENDS int settle_load_copies(struct copy_worker *worker, const struct ledger_folder *known,
				const struct copy_link *link, uint32_t low, uint32_t **copies, size_t *n,
				struct fault *fault);

/* The messages with UIDs low to high that no row has, into theirs. The destination's folder is selected. */
SUSPENDS int settle_list_strangers(struct settle *s, uint32_t low, uint32_t high, struct fault *fault);

/* Another one that is looked for. intent: its row that says SENDING, or NULL. */
struct rematch_item *settle_add_ours(struct settle *s, const struct lone *lone);
void settle_add_message(struct settle *s, const struct imap_message *m, const struct ledger_message *intent);

/* Whether the mate that rematching found, with proof, is believed. */
bool settle_is_mate(const struct rematch_item *ours, const struct rematch_item *theirs);

/* The one at index was found: its row is queued, and how its flags differ. What the row's cause is: 0, none. */
uint8_t settle_found(struct settle *s, size_t index);

/* An intent whose message was not found may be stored a moment later: that is in its row before it is sent again, with the
 * next commit. again: it says so already. */
void settle_expect_late(struct settle *s, uint32_t uid, bool again);

/* When everything is settled and committed: what is left of the strangers may be ours and one too many. What cannot be
 * removed is named, in each pass. */
SUSPENDS int settle_surplus(struct settle *s, struct fault *fault);

/* --- settle-orphans.c ------------------------------------------------------------------------ */

void settle_add_orphan(struct settle *s, const struct ledger_message *row);

/* After all others found their mates: what is left of the strangers against the orphans. */
SUSPENDS int settle_orphans(struct settle *s, struct fault *fault);

#endif
