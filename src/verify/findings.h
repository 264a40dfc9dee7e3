/* SPDX-License-Identifier: Apache-2.0 */
/* What a verification may find, under stable names, and what that makes of a mailbox. No I/O. */
#ifndef VERIFY_FINDINGS_H
#define VERIFY_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "state/ledger.h"

struct verify_folder;

enum verify_kind {
	/* These fail a mailbox until somebody accepts them. */
	VERIFY_MISSING,           /* was copied, and is not at the destination */
	VERIFY_MISFILED,          /* is in another folder of the destination than it was copied to */
	VERIFY_ALTERED,           /* other bytes than were copied */
	VERIFY_UNREADABLE,        /* listed, but not handed out */
	VERIFY_DOUBLE,            /* at the destination once more, byte for byte */
	VERIFY_NOT_COPIED,        /* copy left it out, with a cause */
	VERIFY_UNACCOUNTED,       /* should have been copied by the last pass, and is in no book */
	VERIFY_FLAGS,             /* flags differ, and neither side's user explains it */
	VERIFY_DATE,              /* another date of arrival */
	VERIFY_COUNT,             /* a server counts other messages than it lists */
	VERIFY_FOLDER_MISSING,    /* the destination has not got the folder */
	VERIFY_FOLDER_REPLACED,   /* one side has another folder under this name (UIDVALIDITY) */
	VERIFY_FOLDER_UNKNOWN,    /* a folder of the source that no pass has copied */
	VERIFY_FOLDER_INCOMPLETE, /* the last pass did not get through it */
	VERIFY_FOLDER_UNREADABLE, /* could not be looked at */

	/* These are to be known. */
	VERIFY_NEW,               /* came to the source since the last pass */
	VERIFY_GONE,              /* was copied, and has left the source since */
	VERIFY_EXTRA,             /* at the destination, and no row knows it */
	VERIFY_RENUMBERED,        /* in its folder, under another UID than the ledger knows */
	VERIFY_FLAGS_NEW,         /* flags were changed at the source since the last pass */
	VERIFY_FLAGS_THERE,       /* flags were changed at the destination, as the last pass saw */
	VERIFY_SIZE,              /* the server tells a wrong size; the bytes are right */
	VERIFY_KINDS
};

const char *verify_kind_name(enum verify_kind kind);  /* "missing" … for JSON, CSV and acceptance */
const char *verify_kind_words(enum verify_kind kind); /* a few words for people */
bool verify_kind_fails(enum verify_kind kind);

struct verify_finding {
	enum verify_kind kind;
	const struct verify_folder *folder; /* NULL: of no folder */
	uint32_t uid, copy_uid;    /* at source and destination; 0: none, or of the folder as a whole */
	uint64_t messages;         /* how many it stands for */
	uint64_t size, copy_size;  /* bytes at either side; 0: not known */
	const unsigned char *digest, *copy_digest; /* SHA-256 of them; NULL: not known */
	const char *message_id;    /* "" or NULL: none, or not known */
	const char *cause;         /* of the copy's books: "too-large" …; "" or NULL: none */
	const char *detail;        /* what was seen; "" or NULL */
	const struct ledger_accepted *accepted; /* who took the responsibility; NULL: nobody */
};

/* Of one kind. */
struct verify_tally {
	uint64_t found, accepted;  /* findings */
	uint64_t messages;         /* that they stand for */
};

void verify_tally_add(struct verify_tally tally[VERIFY_KINDS], const struct verify_finding *finding);

/* --- grade.c: acceptance and grade ------------------------------------------------------------- */

enum verify_grade {
	VERIFY_UNFINISHED,
	VERIFY_READY,
	VERIFY_READY_ACCEPTED, /* ready, with exceptions that somebody accepted */
	VERIFY_NOT_READY,
};

const char *verify_grade_name(enum verify_grade grade);  /* "ready", "ready-accepted", "not-ready", "unfinished" */
const char *verify_grade_words(enum verify_grade grade); /* "ready with accepted exceptions" */

/* Of a verification that went through. */
enum verify_grade verify_grade_of(const struct verify_tally tally[VERIFY_KINDS]);

/* Reads CAUSE[:FOLDER[:UID]] as given to --accept: a finding's name or a cause of the copy's books, then a source folder (a
 * ":" in it is fine; end it with ":" when it ends in ":" and digits), then the source UID. reason, who and at stay
 * as they are; the strings go to the arena. FAULT_USAGE. */
int verify_accept_parse(const char *text, struct arena *arena, struct ledger_accepted *ret, struct fault *fault);

/* The list as the ledger has it, in order, is a history: of the same cause, folder and UID the last line counts, and one
 * with an empty reason withdraws it. Moves what counts to the front and returns how many that are. */
size_t verify_accepted_now(struct ledger_accepted *accepted, size_t n);

/* The most particular of these that covers the finding, or NULL. folder: its source folder in UTF-8, or "". */
const struct ledger_accepted *verify_accepted(const struct ledger_accepted *accepted, size_t n,
					      const struct verify_finding *finding, struct bytes folder);

#endif
