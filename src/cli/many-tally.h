/* SPDX-License-Identifier: Apache-2.0 */
/* The closing summary of a run over many mailboxes: sums in all and by wave, exceptions by cause,
 * who failed and why. */
#ifndef CLI_MANY_TALLY_H
#define CLI_MANY_TALLY_H

#include <jansson.h>

#include "base/arena.h"
#include "base/map.h"
#include "cli/choose.h"
#include "fleet/fleet.h"

struct tally_line {
	const char *wave;        /* "": none; NULL: the total */
	uint64_t mailboxes;
	uint64_t done, excepted; /* excepted: those of `done` that have exceptions */
	uint64_t failed, stopped, held;
	uint64_t source, present, copied, missing, changed, flags_changed, deleted; /* messages */
	uint64_t bytes;
	uint64_t causes[CAUSE_COUNT_];
};

enum { TALLY_NAMED = 20 };

/* A mailbox that did not get through, and why. */
struct tally_named {
	const char *mailbox, *why;
	enum fleet_end end;
};

struct tally {
	struct arena arena;
	struct tally_line total;
	struct map by_wave;      /* struct tally_line, in the order they came */
	struct tally_named failed[TALLY_NAMED], held[TALLY_NAMED];
	uint64_t planned, planned_bytes; /* of a dry run: messages at the source */
	int64_t took_us;
	bool given_up;           /* servers, or a login that mailboxes share: why was told */
	int status;              /* a fault that stopped all: at least this exit status */
};

/* Waves are shown in the order of the mailboxes of the choice. */
void tally_init(struct tally *tally, const struct choice *choice);
void tally_done(struct tally *tally);

/* status: NULL when it was never begun; why: "" or a sentence. Copies are kept. */
void tally_add(struct tally *tally, const char *mailbox, const char *wave, enum fleet_end end,
	       const struct fleet_status *status, const char *why);

/* 0, 1 or 3: commands.h. */
int tally_exit_status(const struct tally *tally);

void tally_show(const struct tally *tally, bool dry);   /* tables to stdout */
json_t *tally_json(const struct tally *tally);

#endif
