/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger of one mailbox: which message of the source became which message of the destination, and
 * what became of the others. One SQLite file for each pair of mailboxes, written by one process over one
 * connection, behind a lock that names its holder.
 *
 * Writing is queued and cheap; ledger_commit() makes everything queued so far durable, in one transaction,
 * together with whatever other fibers queued meanwhile. Reading sees everything queued, durable or not.
 * SQLite runs on the worker pool; any number of fibers of the process may share a ledger.
 *
 * What must stay true:
 *   L1  nothing is APPENDed before the folder's mark (ledger_set_mark) is durable
 *   L2  a row says COPIED only after the destination said OK, or showed the message
 *   L3  after a crash the ledger is one of its committed states: what is missing is found at the destination,
 *       among the UIDs from the mark on */
#ifndef STATE_LEDGER_H
#define STATE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "run/run.h"

struct ledger;

/* Both ends as one writes them without secrets: "imaps://anna@old.example:993". The same words mean the same
 * mailbox: the caller writes default ports out. */
struct ledger_ends {
	const char *source, *destination;
};

/* Where the ledger of these ends lies: DIR/ledger/WORDS-HASH.db, where WORDS are for people (the two users, cut,
 * nothing but a-z 0-9 . _ -) and HASH is the first 16 hex digits of the SHA-256 of both ends. */
void ledger_path(const char *state_dir, const struct ledger_ends *ends, struct buf *to);

enum ledger_mode {
	LEDGER_CREATE, /* open it, or begin it */
	LEDGER_READ,   /* for dry runs and reports: nothing is written, no folder is made, writes are refused; the
			* lock is held all the same. 1 is returned when there is none */
};

/* Opens the ledger, making folders on the way (mode 0700), takes its lock (FAULT_REFUSED, AGAIN_LATER, with the
 * holder, when another process has it), migrates the schema forward, and checks it: the small tables each time, all
 * of it (quick_check) when it was not closed in order or the last whole check is a day old. FAULT_USAGE for a
 * ledger of a newer schema or of other ends, FAULT_DATA for a damaged one: both name the file and what to do.
 * 0 opened, 1 (LEDGER_READ only) there is none. */
SUSPENDS int ledger_open(const char *path, const struct ledger_ends *ends, enum ledger_mode mode,
			 struct ledger **ret, struct fault *fault);

/* Commits what is queued, notes that it was closed in order, checkpoints, unlocks. NULL is fine. Returns NULL. A
 * failure of this last commit is lost: commit before, if it matters. Works when cancelled, too. */
SUSPENDS struct ledger *ledger_close(struct ledger *ledger);

const char *ledger_file(const struct ledger *ledger); /* its path, for messages */

/* Whether it was begun by this very ledger_open(). */
bool ledger_is_new(const struct ledger *ledger);

/* Everything queued before the call is durable when it returns 0. A failure is FAULT_LOCAL, REACH_MAILBOX (the disk),
 * and final: every later call that suspends fails with the same words, because what an fsync lost stays lost. (A file
 * that turns out to be damaged is FAULT_DATA instead.) When this fiber is cancelled while a thread writes, what
 * the thread did is what is returned. */
SUSPENDS int ledger_commit(struct ledger *ledger, struct fault *fault);

/* Operations queued and not yet committed: commit when it is some hundreds. */
size_t ledger_queued(const struct ledger *ledger);

/* --- words --------------------------------------------------------------------------------------
 * Sets of flags are kept once and known by number. 0 is the empty set. Texts are as IMAP writes them ("\Seen
 * Work"); two that differ in order or in the case of letters are the same set, and the first one's text is kept. */

/* A flag with this before it, in a row's set, was about to be changed at the destination when the row was written: whether the
 * copy has it is not known. No flag begins with it (RFC 9051: an atom holds none). */
enum { LEDGER_IN_DOUBT = '%' };

uint32_t ledger_flags_id(struct ledger *ledger, const char *flags); /* queues a set that is new */
const char *ledger_flags(const struct ledger *ledger, uint32_t id); /* lives as long as the ledger */

/* --- folders ----------------------------------------------------------------------------------- */

/* What a server told of a folder; 0: not told. */
struct ledger_seen {
	uint32_t uidvalidity, uidnext, messages;
	uint64_t modseq; /* HIGHESTMODSEQ */
};

/* Of the messages of a folder, by state (and for exceptions by cause: copy/books.h); those MIRRORED are not counted. */
enum { LEDGER_CAUSES = 32 };

struct ledger_tally {
	uint64_t copied, bytes;              /* at both sides, in order or altered */
	uint64_t excepted, gone, removed;
	uint64_t noted[LEDGER_CAUSES];       /* rows by cause, whatever their state; [0] those without */
};

struct ledger_folder {
	uint32_t id;                         /* given by ledger_add_folder(); from 1 */
	bool current;                        /* false: the source has it no more, or under another UIDVALIDITY */
	struct bytes source_name, destination_name; /* raw, as on the wire */
	struct bytes source_object;          /* MAILBOXID (RFC 8474), or empty */
	uint32_t source_uidvalidity, destination_uidvalidity; /* those its rows' UIDs belong to; 0: not known yet */
	bool complete;                       /* the last pass over it went through; then … */
	struct ledger_seen source, destination; /* … this is what both servers told, when it began and when it ended */
	int64_t since, before;               /* … and these dates were asked for, INT64_MIN: no bound */
	uint32_t mark;                       /* UIDNEXT of the destination before a pass appended; 0: none is open */
	struct ledger_tally tally;           /* as of the last ledger_count_folder() */
};

/* All folders, the current ones first; in the arena. */
SUSPENDS int ledger_load_folders(struct ledger *ledger, struct arena *arena,
				 struct ledger_folder **ret, size_t *ret_n, struct fault *fault);

/* Begins a folder: folder->id is set, the rest is queued. */
void ledger_add_folder(struct ledger *ledger, struct ledger_folder *folder);

/* Queues everything of it but the mark and the tally. */
void ledger_put_folder(struct ledger *ledger, const struct ledger_folder *folder);

/* The intent: from now on there may be messages at the destination, with UIDs from `uidnext` on, that no row
 * knows. Commit before the first APPEND. 0: all of them are settled. */
void ledger_set_mark(struct ledger *ledger, struct ledger_folder *folder, uint32_t uidnext);

/* Counts its rows anew, into *folder and the file. */
SUSPENDS int ledger_count_folder(struct ledger *ledger, struct ledger_folder *folder,
				 struct fault *fault);

/* --- messages ---------------------------------------------------------------------------------- */

enum ledger_state {
	LEDGER_COPIED = 1, /* at both sides; `cause` may name what it lost */
	LEDGER_EXCEPTED,   /* not at the destination, `cause` says why */
	LEDGER_GONE,       /* was copied, and has left the source since (deleted, or moved and not yet found again) */
	LEDGER_REMOVED,    /* was copied, and somebody removed the copy */
	LEDGER_SENDING,    /* is about to be sent, or was when the pass stopped: the intent. UID, size and date are known */
};

enum {
	LEDGER_HAS_DIGEST = 1,      /* digest is that of the source's bytes */
	LEDGER_HAS_COPY_DIGEST = 2, /* the destination has other bytes: copy_size, copy_digest */
	LEDGER_HAS_HEADER = 4,      /* header is known */
	LEDGER_ADOPTED = 8,         /* was found at the destination, not sent by us */
	LEDGER_MIRRORED = 16,       /* GONE, and its copy was removed by us */
	LEDGER_VERIFIED = 32,       /* both sides' bytes were read and compared (mailferry verify) */
	LEDGER_AGAIN = 64,          /* was looked for and not found when it may have been sent: one may turn up late,
				     * beside the copy that was sent then */
};

struct ledger_message {
	uint32_t folder, uid;       /* ledger_folder.id, source UID: the key */
	uint32_t copy_uid;          /* at the destination; 0: not known, or none */
	uint8_t state;              /* enum ledger_state */
	uint8_t cause;              /* enum copy_cause + 1; 0: none */
	uint16_t has;               /* LEDGER_HAS_… */
	uint32_t flags, copy_flags; /* ledger_flags_id(), as last seen (or set) at either side; of flags, those with % before
				     * them are about to be changed at the destination, or were when the pass stopped */
	uint64_t size, copy_size;   /* bytes; size is that of the literal once there is a digest */
	int64_t date;               /* INTERNALDATE, seconds since 1970; INT64_MIN: none */
	int16_t zone_minutes;
	unsigned char digest[32], copy_digest[32]; /* SHA-256 */
	unsigned char header[16];   /* first half of the SHA-256 of its header block, to know it again by */
	const char *message_id;     /* "" when it has none; NULL is as good */
	const char *detail;         /* of the cause, for people; "" or NULL */
};

struct ledger_messages {
	struct ledger_message *p;   /* by rising uid */
	size_t n;
	struct arena arena;         /* message_id and detail */
};

void ledger_messages_done(struct ledger_messages *messages);

/* Queues the row, in place of the one with this key. Strings are copied, at most 255 bytes of message_id and
 * 400 of detail. */
void ledger_put_message(struct ledger *ledger, const struct ledger_message *message);

/* Queue a change of one row; one that does not exist stays away. */
void ledger_set_flags(struct ledger *ledger, uint32_t folder, uint32_t uid, uint32_t flags,
		      uint32_t copy_flags);
void ledger_set_state(struct ledger *ledger, uint32_t folder, uint32_t uid, enum ledger_state state,
		      unsigned add_has); /* add_has: LEDGER_… bits to add */
void ledger_set_copy_uid(struct ledger *ledger, uint32_t folder, uint32_t uid, uint32_t copy_uid);
/* The row of a COPIED message gets a cause, unless it has a weightier one (a smaller number); copy_digest: what the
 * destination has instead of its bytes, with LEDGER_HAS_COPY_DIGEST, or NULL. */
void ledger_set_cause(struct ledger *ledger, uint32_t folder, uint32_t uid, uint8_t cause,
		      const char *detail, uint64_t copy_size, const unsigned char copy_digest[32]);
void ledger_set_digest(struct ledger *ledger, uint32_t folder, uint32_t uid, uint64_t size,
		       const unsigned char digest[32]); /* … and LEDGER_HAS_DIGEST */
void ledger_forget_message(struct ledger *ledger, uint32_t folder, uint32_t uid);

/* The row gets another key: a message that moved, or whose folder has new UIDs. A row that has that key already is
 * replaced by it: to give a folder's rows new UIDs, move them to a folder of a new id. */
void ledger_move_message(struct ledger *ledger, uint32_t folder, uint32_t uid, uint32_t new_folder,
			 uint32_t new_uid, uint32_t new_copy_uid);

/* The destination's folder is another one under this name: its rows' copy_uid become 0. */
void ledger_forget_copy_uids(struct ledger *ledger, uint32_t folder);

/* Rows of a folder with UIDs low..high; *ret is initialised by the call, and freed with ledger_messages_done()
 * even after a failure. */
SUSPENDS int ledger_load_messages(struct ledger *ledger, uint32_t folder, uint32_t low, uint32_t high,
				  struct ledger_messages *ret, struct fault *fault);

/* The same without message_id and detail (NULL), for long folders: half the memory; 200,000 rows take 0.1 s. */
SUSPENDS int ledger_load_bare(struct ledger *ledger, uint32_t folder, uint32_t low, uint32_t high,
			      struct ledger_messages *ret, struct fault *fault);

/* The first `most` rows of a folder with UIDs above `after`, with strings: to walk through it. */
SUSPENDS int ledger_load_next(struct ledger *ledger, uint32_t folder, uint32_t after, size_t most,
			      struct ledger_messages *ret, struct fault *fault);

/* Up to `most` rows in this state, of one folder or (0) of all; of GONE ones those not MIRRORED. */
SUSPENDS int ledger_load_state(struct ledger *ledger, uint32_t folder, enum ledger_state state,
			       size_t most, struct ledger_messages *ret, struct fault *fault);

/* Up to `most` rows that have a cause, of one folder or (0) of all: an index has them. */
SUSPENDS int ledger_load_causes(struct ledger *ledger, uint32_t folder, size_t most,
				struct ledger_messages *ret, struct fault *fault);

/* Rows of all folders with this Message-ID, folded to ASCII lower case for comparison, brackets optional. Looks through
 * all rows (200,000 in 0.1 s), because an index of these would cost nine times as much at each row written. */
SUSPENDS int ledger_find_message_id(struct ledger *ledger, const char *message_id, size_t most,
				    struct ledger_messages *ret, struct fault *fault);

/* The copy_uids (not 0) from `low` on that a folder's rows have, rising, xmalloc()ed. */
SUSPENDS int ledger_load_copy_uids(struct ledger *ledger, uint32_t folder, uint32_t low,
				   uint32_t **ret, size_t *ret_n, struct fault *fault);

/* --- removals ----------------------------------------------------------------------------------
 * A copy that is being taken out of its folder at the destination: deleted, or moved to another. The intent is durable
 * before the first command, and goes when all of it is done or undone. */

enum ledger_removal_stage {
	LEDGER_DELETES = 1, /* it may have \Deleted by now, or be no more */
	LEDGER_MOVES,       /* it may be in its new folder by now, under a UID from the mark on; that row says SENDING */
	LEDGER_MOVED,       /* it is there: what is still here is to go */
};

struct ledger_removal {
	uint32_t folder, uid;           /* whose copy: the key of its row when this began */
	uint32_t copy_uid, uidvalidity; /* at the destination */
	bool was_deleted;               /* it had \Deleted before, or nobody looked: the flag is not ours to take away */
	enum ledger_removal_stage stage;
	uint32_t new_folder, new_uid;   /* the row's new key; 0, 0: LEDGER_DELETES */
};

void ledger_put_removal(struct ledger *ledger, const struct ledger_removal *removal);
void ledger_drop_removal(struct ledger *ledger, uint32_t folder, uint32_t uid);

/* All, by folder and uid, xmalloc()ed. */
SUSPENDS int ledger_load_removals(struct ledger *ledger, struct ledger_removal **ret, size_t *ret_n,
				  struct fault *fault);

/* --- the mailbox as a whole -------------------------------------------------------------------- */

/* Small facts by name: "cut-over-at", "hold", "last-verified" … Reading is from memory; NULL: there is none. */
const char *ledger_fact(const struct ledger *ledger, const char *name);
void ledger_set_fact(struct ledger *ledger, const char *name, const char *value); /* NULL removes it */

/* A pass that was run, for reports: kept, the newest 1,000 of them. */
struct ledger_pass {
	int64_t began, ended;       /* µs since 1970; ended 0: it never did */
	const char *kind;           /* "seed", "delta", "adopt", "verify-content" … */
	uint64_t copied, bytes, flags_changed, moved, deleted, excepted;
	int exit_status;
	const char *error;          /* "" or why it stopped */
};

int64_t ledger_begin_pass(struct ledger *ledger, const char *kind, int64_t now_us); /* its number */
void ledger_end_pass(struct ledger *ledger, int64_t number, const struct ledger_pass *pass);
SUSPENDS int ledger_load_passes(struct ledger *ledger, size_t most, struct arena *arena,
				struct ledger_pass **ret, size_t *ret_n, struct fault *fault); /* newest first */

/* Exceptions that somebody took the responsibility for: by cause, and (or NULL, 0) folder and UID. */
struct ledger_accepted {
	const char *cause;          /* books_cause_name(), or a finding's name (verify/) */
	const char *folder;         /* source folder in UTF-8, or "" for all */
	uint32_t uid;               /* 0: all */
	const char *reason, *who;   /* in words; the user who said so */
	int64_t at;                 /* µs since 1970 */
};

void ledger_accept(struct ledger *ledger, const struct ledger_accepted *accepted);
SUSPENDS int ledger_load_accepted(struct ledger *ledger, struct arena *arena,
				  struct ledger_accepted **ret, size_t *ret_n, struct fault *fault);

#endif
