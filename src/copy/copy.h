/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over one mailbox: every message of the source account into the destination account, once. With a
 * ledger of earlier passes only what has changed since is done.
 *
 *	copy_new → copy_prepare (connects, lists, maps, refuses what must not begin) → the caller shows
 *	copy->mapping → copy_run (creates folders, copies, counts) → the caller shows the books → copy_free
 *
 * While copy_run works, other fibers may read `copy` at any time (counters only grow), and the events of
 * copy->events tell what happened, in order. All calls but copy_new belong into a fiber. */
#ifndef COPY_COPY_H
#define COPY_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "copy/books.h"
#include "copy/throttle.h"
#include "imap/commands.h"
#include "run/run.h"

struct ledger;
struct ledger_folder;
struct pace;
struct mapping;
struct mapping_entry;

/* What a pass does about flags that differ. A flag that the source did not change since the last pass is never
 * touched: what the user did on the new side stays. */
enum copy_flags_rule {
	COPY_FLAGS_SOURCE,   /* what was changed at the source is changed at the destination */
	COPY_FLAGS_NEWER,    /* … unless the message's flags were changed there too since the last pass */
	COPY_FLAGS_ADD_ONLY, /* … flags are added, never taken away */
};

struct copy_options {
	const struct imap_account *from, *to;
	struct ledger *ledger;      /* open, outlives the copy; NULL: nothing is known and nothing remembered */
	bool adopt;                 /* match what is at the destination already, instead of refusing filled folders */
	enum copy_flags_rule flags;
	bool mirror_deletes;        /* what left the source is removed from the destination, … */
	unsigned delete_limit;      /* … unless it is more than so many per cent of a folder (and more than 10), or all
				     * of it; 0: nothing is, 100: whatever it is */
	const char *keep_all;       /* why nothing may be deleted, in words ("hold", "cut over on …"); NULL: it may */
	bool recopy_missing;        /* copy again what somebody removed from the destination */
	bool retry_exceptions;      /* try again what earlier passes could not copy */
	struct pace *from_pace, *to_pace; /* shared limits, outlive the copy; NULL: none */
	int64_t patience_us;        /* a server's wish to wait longer than this ends the pass with its fault (AGAIN_LATER,
				     * after_us) instead of being waited for; 0: any wait is waited for */
	const char *const *folders; /* globs to take, NULL-terminated; NULL: all */
	const char *const *excludes;
	const char *const *maps;    /* 'SRC=DST' */
	bool names_may_miss;        /* they were written for many mailboxes: those that fit none of this one's are no fault */
	int64_t since, before;      /* by INTERNALDATE, seconds since 1970; IMAP_NO_DATE: no bound */
	unsigned connections;       /* at most so many to either side; 1 and up */
	unsigned retries;           /* how often to connect anew in a row, without a message copied between */
	uint64_t bytes_per_second, messages_per_second; /* 0: as fast as it goes */
};

enum copy_stage { COPY_CONNECTING, COPY_LISTING, COPY_CREATING, COPY_COPYING, COPY_CHECKING, COPY_ENDED };

struct copy {
	struct copy_options options;
	struct imap_session *from, *to; /* the first pair, taken over by the first worker */
	struct imap_folders source, destination;
	struct mapping *mapping;
	struct arena arena;

	struct map destination_by_name; /* struct imap_folder of `destination`, by its raw name */

	struct ledger_folder *known; /* all folders of the ledger, as of copy_prepare(), in known_arena */
	size_t known_n;
	size_t *known_next;      /* beside `known`: index + 1 of the next with the same source name; 0: none */
	struct arena known_arena;
	bool followed;           /* names in `known` were changed, and not yet written */
	struct map renamed;      /* struct ledger_folder, by the raw name its source has now */
	struct copy_link *links; /* what the ledger knows of books.folders[i], and what is to be done about it */
	struct copy_vanished *vanished; /* messages that left their source folder, see copy/links.h */
	size_t vanished_n, vanished_size;
	bool any_removals;       /* the ledger knows copies whose removal was not ended (copy/removals.c) */
	struct map not_removed;  /* folders with some that this pass could not end either: why, by the folder's id */
	bool vanished_loaded;    /* those that left in earlier passes are among them */
	struct map vanished_by_look; /* first index + 1 of a chain, by size and date */
	struct waiters to_record; /* ledger rows are queued, or the pass has ended */
	bool recorded_all;       /* no more rows will come */
	unsigned commits_begun, commits_done; /* of the fiber that records */
	size_t next_survey, surveys_left; /* folders of earlier passes: into books.order; not yet surveyed */
	struct waiters surveyed;

	struct books books;
	size_t *book_of;         /* index into books.folders, by index of the mapping's entry */
	struct copy_throttle throttle;
	enum copy_stage stage;
	bool destination_filled; /* why copy_prepare failed: a folder there holds messages already */
	int64_t began_us;        /* run_now() when copying began */
	bool nothing_to_do;      /* neither side had changed */
	size_t next_folder;      /* into books.order: what the next free worker takes */
	unsigned workers;        /* at work now */
	struct imap_session *spare[64]; /* connections to the destination that nobody uses now */
	unsigned spare_n, extra; /* extra: those beyond the workers' own, in use or spare */
	unsigned throttles;      /* times in a row that a server wanted less of us */
	unsigned folders_lost;   /* in a row, without a message copied between: each cost the connection */
	uint64_t copied_then;    /* messages of all folders when the last of them was given up */
	bool no_more_lanes;      /* the server refused another connection */
	uint64_t destination_limit; /* APPENDLIMIT of the server, bytes; 0: none told */
	struct channel events;   /* of struct copy_event, the receiver frees them */
};

/* options and what it points to must outlive the copy. */
struct copy *copy_new(const struct copy_options *options);
SUSPENDS struct copy *copy_free(struct copy *copy); /* logs out; accepts NULL, returns NULL */

/* Connects to both sides, lists their folders and decides what becomes what. Nothing is changed. A fault
 * says why it cannot go on; a destination folder that already holds messages is such a fault (FAULT_REFUSED,
 * REACH_MAILBOX): without a ledger a second run could only guess what is there already. */
SUSPENDS int copy_prepare(struct copy *copy, struct fault *fault);

/* How many messages the entry's destination folder held when copy_prepare() looked; 0 also when it is not copied. */
uint64_t copy_already_there(const struct copy *copy, const struct mapping_entry *entry);

/* For a dry run, after copy_prepare(): finds out the sizes of folders whose server did not tell them. */
SUSPENDS int copy_measure(struct copy *copy, struct fault *fault);

/* Copies. 0: went through (look at the books for exceptions); negative: stopped early, what was done is
 * in the books. Ends copy->events. */
SUSPENDS int copy_run(struct copy *copy, struct fault *fault);

/* Of a pass that went through: whether it did or found anything that a verification before it could not know. */
bool copy_found_news(const struct copy *copy);

#endif
