/* SPDX-License-Identifier: Apache-2.0 */
/* The books of a pass: per folder, source = present + copied + moved + excepted + changed meanwhile (+ not reached,
 * when the pass was stopped early). No I/O. */
#ifndef COPY_BOOKS_H
#define COPY_BOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"

/* Why a message was not copied, or not copied in every detail. Stable names: books_cause_name(); ledgers hold the
 * numbers, so new ones go to the end. */
enum copy_cause {
	CAUSE_TOO_LARGE,       /* larger than the destination takes; known before sending */
	CAUSE_REFUSED,         /* the destination said no */
	CAUSE_REFUSED_NUL,     /* … and the message holds a NUL byte */
	CAUSE_REFUSED_HEADER,  /* … and a header line has no colon, or raw 8-bit bytes */
	CAUSE_REFUSED_VIRUS,   /* … for what it says is a virus */
	CAUSE_UNREADABLE,      /* the source did not hand out the message */
	CAUSE_FOLDER,          /* the whole folder could not be copied */
	CAUSE_ALTERED,         /* copied, but the destination changed its bytes */
	CAUSE_FLAGS_CUT,       /* copied, without some flags */
	CAUSE_DATE_LOST,       /* copied, but the source gave no date that can be kept */
	CAUSE_COUNT_DIFFERS,   /* the destination shows another number of messages than it took */
	CAUSE_NOT_SUBSCRIBED,  /* the folder is there, but could not be subscribed */
	CAUSE_REMOVED,         /* was copied, and somebody removed the copy from the destination */
	CAUSE_DELETES_HELD,    /* left the source, and is kept at the destination although deletions are mirrored */
	CAUSE_FLAGS_KEPT,      /* the source's change of flags could not be repeated */
	CAUSE_UNAVAILABLE,     /* one server says that the message is not available for the time being: tried again by each
				* pass */
	CAUSE_COUNT_
};

const char *books_cause_name(enum copy_cause cause); /* "too-large" … */
bool books_cause_loses(enum copy_cause cause);       /* whether the message is not at the destination */

#define BOOKS_NO_FOLDER SIZE_MAX

struct copy_exception {
	enum copy_cause cause;
	size_t folder;          /* index into books.folders; BOOKS_NO_FOLDER: one that the source has no more */
	struct bytes name;      /* of that folder at the source, in UTF-8 */
	uint32_t uid;           /* at the source; 0: of the folder itself */
	uint64_t size;          /* bytes, 0: not known */
	uint64_t messages;      /* how many it stands for: 1, or all of a folder; 0: none is missing */
	const char *message_id; /* "" when it has none or could not be asked for */
	const char *detail;     /* what was said or seen */
	bool earlier;           /* of an earlier pass, and still so */
};

enum copy_folder_state { FOLDER_WAITING, FOLDER_COPYING, FOLDER_DONE, FOLDER_FAILED };

struct copy_folder {
	struct bytes source_name, source_utf8;           /* raw, for people */
	struct bytes destination_name, destination_utf8;
	enum copy_folder_state state;
	bool structure_only;     /* nothing to copy in it: \Noselect */
	uint64_t already_there;  /* messages in the destination folder before the pass */
	uint64_t expected;       /* messages as STATUS told, for progress */
	uint64_t expected_bytes; /* 0: not told */
	uint64_t listed;         /* messages found at the source */
	uint64_t filtered;       /* of them, left out by --since/--before: not part of the sum below */
	bool unchanged;          /* neither side changed since the last pass: it was not opened */
	uint64_t present;        /* at the destination already: of earlier passes, or adopted in this one */
	uint64_t adopted;        /* of present: found there in this pass */
	uint64_t moved;          /* new here, and moved at the destination instead of copied */
	uint64_t copied, excepted, changed;
	uint64_t flags_changed;  /* messages whose flags were changed at the destination, as at the source */
	uint64_t gone;           /* left the source since the last pass (those moved are not among them) */
	uint64_t deleted;        /* of those gone now or before, removed from the destination in this pass */
	uint64_t removed;        /* of present in the ledger, no longer at the destination: by others */
	uint64_t bytes;          /* of the copied messages */
	uint64_t bytes_read;     /* for progress: includes what is under way or was sent twice */
	uint64_t bytes_known;    /* for progress: of present messages, as the ledger told before the pass, … */
	uint64_t bytes_present;  /* … and as they were come across; also of moved ones */
	uint64_t in_doubt;       /* of those not reached: sent when the pass stopped, and never answered */
	uint64_t arrived;        /* new at the source since it was listed, left for the next pass */
	uint32_t uidvalidity;
	unsigned char digest[32]; /* SHA-256 over the SHA-256 of each copied message, in order */
};

struct books {
	struct copy_folder *folders;
	size_t n;
	size_t *order;           /* indexes of folders, in the order of copying: largest first */
	struct copy_exception *exceptions;
	size_t exceptions_n, exceptions_size;
	struct copy_folder lost; /* `gone` and `deleted` of folders that the source has no more */
	struct arena arena;      /* strings of the exceptions */
};

void books_done(struct books *books);

/* Adds an exception and counts it in its folder; strings are copied. The result lives until the next. */
const struct copy_exception *books_except(struct books *books, size_t folder, enum copy_cause cause,
					  uint32_t uid, uint64_t size, uint64_t messages,
					  const char *message_id, const char *detail);

/* The same of a folder that the source has no more, and that is in no other line of the books: its name in UTF-8, which is
 * copied. Of causes that lose nothing. */
const struct copy_exception *books_except_lost(struct books *books, struct bytes name, enum copy_cause cause,
					       uint64_t messages, const char *detail);

/* After the pass: what was expected in folders that were not listed to their end is not reached. */
void books_close(struct books *books);

/* The totals of all folders, in the same terms. */
struct copy_folder books_total(const struct books *books);

/* What a folder (or the total) still owes: listed - filtered - copied - excepted - changed. */
uint64_t books_not_reached(const struct copy_folder *folder);

/* --- progress: what is done, in this pass or by earlier ones; the rest is left. --------------------- */

/* Of the expected bytes, all folders together; at most those. */
uint64_t books_bytes_done(const struct books *books);

/* Of messages, all folders together: how many there are, and how many are settled one way or another. */
void books_messages(const struct books *books, uint64_t *ret_all, uint64_t *ret_settled);

/* What this pass did in took_us: bytes it read a second; and how long what is left will take at that pace, by bytes when
 * they are known (a folder of large messages is not as fast as one of small). -1: not to be known, or nothing is left. */
uint64_t books_bytes_per_second(const struct books *books, int64_t took_us);
int64_t books_left_us(const struct books *books, int64_t took_us);

#endif
