/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a copied mailbox is what the ledger says it is, at both sides, now. Reads only: folders are opened with
 * EXAMINE, nothing is stored at either server (docs/design/verify.md).
 *
 *	verify_new → verify_run (or verify_find) → look at the struct → verify_free
 *
 * While verify_run works other fibers may read the struct at any time (counters only grow). Memory does not depend on
 * the mailbox but for a few bytes per folder and what is kept of messages that are not where they should be, which
 * is bounded (VERIFY_KEPT). All calls but verify_new belong into a fiber. */
#ifndef VERIFY_VERIFY_H
#define VERIFY_VERIFY_H

#include "base/arena.h"
#include "imap/commands.h"
#include "state/ledger.h"
#include "verify/findings.h"

struct pace;
struct verify_side;
struct verify_strays;

enum verify_level {
	VERIFY_COUNTS,   /* folders, messages, bytes, flags in total, against the ledger */
	VERIFY_IDENTITY, /* each message: UID, size, date, flags, header */
	VERIFY_CONTENT,  /* and the bytes of both sides, of all messages or of a sample */
};

const char *verify_level_name(enum verify_level level); /* "counts" … */
int verify_level_of(const char *name);                  /* -1: no such */

enum { VERIFY_WINDOW = 16384, VERIFY_KEPT = 65536 };

struct verify_options {
	const struct imap_account *from, *to;
	struct ledger *ledger;          /* open for writing, outlives the run; verify_find() can do without: NULL */
	struct pace *from_pace, *to_pace; /* shared limits, outlive the run; NULL: none */
	enum verify_level level;
	uint32_t sample_ppm;            /* of CONTENT: messages in a million whose bytes are read; 1000000: all */
	uint64_t seed;                  /* which ones: the same seed, the same messages */
	const char *const *folders, *const *excludes; /* globs on source folders, NULL-terminated; NULL: all, none */
	bool partial;                   /* somebody chose fewer folders than are copied: for the record */
	unsigned connections, retries;  /* as in copy/copy.h */
	int64_t patience_us;            /* … too */

	/* Each finding as it is made, from one of several fibers but never from two at once; what it points to lives for
	 * the call. A failure ends the run. May be NULL. */
	SUSPENDS int (*found)(void *arg, const struct verify_finding *finding, struct fault *fault);
	/* Something to know that is no finding: a connection lost, one fewer. May be NULL. */
	void (*note)(void *arg, const char *text);
	void *arg;
};

/* Messages of one folder at one side. */
struct verify_count {
	uint64_t messages, bytes;       /* bytes: sum of RFC822.SIZE, the server's word */
	uint64_t seen, answered, flagged, deleted, draft, keywords; /* keywords: messages that have any */
	bool counted;                   /* somebody did count; else all is 0 */
	bool from_ledger;               /* the server says nothing changed since the ledger's rows were written */
};

enum verify_state { VERIFY_WAITING, VERIFY_WORKING, VERIFY_DONE, VERIFY_FAILED };

struct verify_folder {
	struct bytes source_name, source_utf8;           /* empty source_name: not at the source any more */
	struct bytes destination_name, destination_utf8; /* empty: never copied */
	struct ledger_folder *known;    /* NULL: no pass has copied it */
	const struct imap_folder *listed, *listed_there; /* as the servers list it; NULL: they do not */
	const char *left_out;           /* "" or why it does not count: in words, as the plan of a copy has them */
	enum verify_state state;
	uint64_t expected;              /* messages to look at, for progress */
	uint64_t looked_at;

	struct verify_count source, destination;
	uint64_t copied, excepted;      /* rows of the ledger */

	/* The books of the source: source.messages is the sum of these. */
	uint64_t there;                 /* copied, and at the destination under its UID (whatever its details) */
	uint64_t elsewhere;             /* … under another UID, or in another folder */
	uint64_t missing;               /* copied, and not at the destination */
	uint64_t not_copied;            /* excepted, with a cause */
	uint64_t fresh;                 /* not copied yet: came since the last pass */
	uint64_t filtered;              /* left out by date */
	uint64_t unaccounted;           /* should be in the ledger, and is not */
	uint64_t unlisted;              /* counted by the server, not listed */

	/* The books of the destination: destination.messages = there + kept + strangers. */
	uint64_t kept;                  /* copies of what has left the source */
	uint64_t strangers;             /* no row knows them: extra, double, or copied to another folder */

	uint64_t compared, bytes;       /* messages whose bytes were read and compared, and bytes read, of both sides */
	struct verify_tally tally[VERIFY_KINDS];
};

struct verify {
	struct verify_options options;
	struct verify_side *from, *to;  /* connections (side.h) */
	struct imap_folders source, destination;
	struct ledger_folder *known;    /* folders of the ledger */
	size_t known_n;
	struct ledger_accepted *accepted;
	size_t accepted_n;
	struct arena arena;

	char from_server[128], to_server[128]; /* name and version, as far as told */
	struct verify_folder *folders;  /* those copied and those to be copied, in the order of the source's list */
	size_t n;
	size_t *order;                  /* indexes, largest first */
	size_t next;                    /* into order: what the next walker takes */
	struct verify_strays *strays;   /* what is missing or extra so far (strays.h) */
	int64_t began_us, ended_us;     /* µs since 1970 */
	bool reading;                   /* folders are being looked at */
	bool finished;                  /* went through */
	struct verify_tally tally[VERIFY_KINDS];
	enum verify_grade grade;
	struct waiters turn;            /* of those who tell findings */
	bool telling;
};

/* options and what it points to must outlive the run. */
struct verify *verify_new(const struct verify_options *options);
SUSPENDS struct verify *verify_free(struct verify *verify); /* logs out; accepts NULL, returns NULL */

/* 0: went through, verify->grade says what of it (and the ledger's fact VERIFY_FACT); negative: stopped early, the
 * counters say how far. FAULT_USAGE: --folder names what is not there. */
SUSPENDS int verify_run(struct verify *verify, struct fault *fault);

/* The last result, as JSON, in the ledger: "at" (seconds since 1970), "level", "sample_ppm", "seed", "grade", "messages",
 * "compared", "new", "failing", "accepted", "findings" {name: count} … What a gate reads: verify_last() (fact.h). */
#define VERIFY_FACT "last-verified"

/* All folders added up; its state is VERIFY_DONE when theirs are. */
struct verify_folder verify_total(const struct verify *verify);

/* --- find.c ----------------------------------------------------------------------------------- */

struct verify_place {
	bool destination;               /* at which side */
	bool there;                     /* the server showed it, under this UID */
	bool recorded;                  /* the ledger named the place; else it was found by asking */
	struct bytes folder_utf8;
	uint32_t uid, other_uid;        /* other_uid: of the ledger's row, at the other side; 0: none */
	uint64_t size;                  /* RFC822.SIZE */
	int64_t date;                   /* INTERNALDATE, IMAP_NO_DATE: not told */
	const char *flags, *message_id;
	const struct ledger_message *row; /* NULL: none */
	const char *detail;             /* "" or why it is not there, or not to be copied */
};

/* Looks for a Message-ID (case and brackets do not matter) at both sides. First the ledger's rows, each confirmed by
 * asking for that very UID; if there are none, all headers of all folders of both sides are read, in windows:
 * SEARCH is not believed (Q36), so this may take minutes. Tells each place. *ret_walked: whether the latter was done. */
SUSPENDS int verify_find(struct verify *verify, const char *message_id,
			 SUSPENDS int (*place)(void *arg, const struct verify_place *place, struct fault *fault),
			 void *arg, bool *ret_walked, struct fault *fault);

#endif
