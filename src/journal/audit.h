/* SPDX-License-Identifier: Apache-2.0 */
/* Holds a journal against itself, from its files alone, without a lock and without changing anything: chain, digests,
 * signatures, and what became of each leg. Blocks. */
#ifndef JOURNAL_AUDIT_H
#define JOURNAL_AUDIT_H

#include "journal/reader.h"

enum journal_finding_kind {
	JOURNAL_FINDING_DAMAGE,     /* what the reader says of the files */
	JOURNAL_FINDING_CONTENT,    /* a body, or a message as a whole, is not what was accepted */
	JOURNAL_FINDING_RECORD,     /* a record that says what none may say */
	JOURNAL_FINDING_LEG,        /* a leg went a way that there is not */
	JOURNAL_FINDING_BOOKS,      /* the keeper counted otherwise */
	JOURNAL_FINDING_CHECKPOINT, /* a signature or a signed chain is wrong, or signs what is not there */
};

struct journal_finding {
	enum journal_finding_kind kind;
	const char *name;  /* "damage" …, or of damage its own: "flipped" … */
	uint64_t segment, offset, sequence; /* 0: none */
	const char *text;
};

struct journal_audit {
	char id[JOURNAL_ID_LEN + 1];
	uint64_t segments, first, records; /* first: sequence of the first record there is */
	uint64_t checkpoints; /* with a good signature */
	uint64_t dropped;     /* bodies that were given back, as the journal itself says */
	uint64_t removed;     /* segments that were, likewise; what they held is in the tallies */
	struct journal_base base; /* … and this is what they held */
	uint64_t torn;        /* bytes of a last batch that was not written whole: as after any crash */
	uint64_t found;       /* findings */
	struct journal_tallies tallies;
};

struct journal_audit_options {
	/* Each finding, as it is found. */
	void (*found)(void *arg, const struct journal_finding *finding);

	/* Of message `message` (0: of none) each record that names it, in order. */
	void (*record)(void *arg, const struct journal_record *record, const char *what);
	uint64_t message;
	void *arg;
};

/* 0 when all was read, whatever was found; -1 when it could not be. */
int journal_audit(const char *path, const struct journal_audit_options *options, struct journal_audit *ret,
		  struct fault *fault);

#endif
