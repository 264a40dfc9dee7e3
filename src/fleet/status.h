/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a mailbox at the moment, in one small file each: STATE/status/SLUG.json. Whoever
 * works on the mailbox writes it, anybody may read it, nobody needs it: the ledger has the truth.
 * It says what a run does, and tells the next run how large the mailbox is.
 *
 * Names of keys and states are promises: add, never change. */
#ifndef FLEET_STATUS_H
#define FLEET_STATUS_H

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fault.h"
#include "copy/books.h"
#include "os/process.h"

enum fleet_state {
	FLEET_WAITING,     /* not begun yet; without a file that is what a mailbox is */
	FLEET_SEEDING,     /* at work: the first pass, or one that goes on with it */
	FLEET_DELTA,       /* at work: a later pass */
	FLEET_DONE,        /* the last pass went through; exit_status tells of exceptions */
	FLEET_PARKED,      /* will be tried again at retry_at by the process that has it */
	FLEET_FAILED,      /* will not be tried again by itself */
	FLEET_HELD,        /* another process had the ledger */
	FLEET_INTERRUPTED, /* stopped on request; or whoever worked on it is no more */
	FLEET_STATES_
};

const char *fleet_state_name(enum fleet_state state); /* "waiting" … */
bool fleet_state_is_open(enum fleet_state state);     /* a process has it: seeding, delta, parked */

struct fleet_status {
	const char *mailbox, *wave;  /* never NULL, as all strings here */
	enum fleet_state state;
	const char *pass;            /* "seed", "delta" or "" */
	uint64_t folders, folders_done;
	uint64_t messages,
		messages_done; /* of this pass: expected, and settled one way or another */
	uint64_t bytes, bytes_done;  /* expected (0: not told), and of them done, by earlier passes too */
	uint64_t bytes_read;         /* in this try */
	uint64_t bytes_per_second;   /* of them, since copying began in this try */
	int64_t left_us;             /* -1: not known */

	/* The books of the pass so far, all folders together: copy/books.h. */
	uint64_t source, present, copied, moved, excepted, changed, not_reached, copied_bytes,
		flags_changed, deleted;
	uint64_t causes[CAUSE_COUNT_]; /* exceptions by cause, earlier ones too */

	const char *error;           /* the last fault's sentence, or "" */
	const char *error_kind;      /* fault_kind_name(), or "" */
	unsigned tries;              /* of this run */
	int64_t retry_at, began, ended, updated; /* µs since 1970; 0: not so */
	int exit_status;             /* of the pass that ended: 0, 1 or 3; -1: none has */
	struct os_process process;   /* who wrote this, … */
	const char *host;            /* … and where */
	const char *round;           /* of the run, "" when it is one process's */

	/* What the next run wants to know. */
	bool seeded;                 /* a pass went through once */
	uint64_t size;               /* bytes of the whole mailbox; 0: not known */
	int64_t delta_us;            /* how long the last delta took; 0: there was none */
	int64_t last_change;         /* µs since 1970: the end of the last pass that went through and did or found anything; 0: not known */
};

/* Of nothing: waiting, strings empty. */
void fleet_status_init(struct fleet_status *status, const char *mailbox, const char *wave);

/* Appends a name fit for a file: what can be kept of the address, and a hash of all of it. */
void fleet_slug(const char *address, struct buf *to);
void fleet_status_path(const char *state_dir, const char *address, struct buf *to);

/* Of a file beside it that holds what the ledger's fact VERIFY_FACT says, of the last verification of all folders: whoever
 * works on the mailbox has the ledger, but this is to be seen. */
void fleet_verified_path(const char *state_dir, const char *address, struct buf *to);

/* As a JSON object, for files and for events; the caller owns it. Text is made printable. */
json_t *fleet_status_json(const struct fleet_status *status);

/* The other way; strings go to the arena, cut to sensible lengths. What is missing or of a wrong
 * type is as in fleet_status_init(). -1: it is no status at all. */
int fleet_status_of_json(const json_t *object, struct arena *arena, struct fleet_status *ret);

/* Reads the file at `path`; blocks. 0, or 1 when there is none, or none that can be understood: as
 * good as none. */
int fleet_status_read(const char *path, struct arena *arena, struct fleet_status *ret);

/* What the file is to hold, for os_replace_quickly(); the caller frees it. */
char *fleet_status_words(const struct fleet_status *status);

/* Open states whose process is no more become FLEET_INTERRUPTED. now: µs since 1970. Of another
 * machine's processes only their silence is known. Reads /proc. */
void fleet_status_look(struct fleet_status *status, const char *this_host, int64_t now);

/* Takes over the books of a pass, exceptions included. */
void fleet_status_count(struct fleet_status *status, const struct books *books);

#endif
