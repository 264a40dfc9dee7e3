/* SPDX-License-Identifier: Apache-2.0 */
/* One run of many processes over the same mailboxes: a folder STATE/rounds/ID in which each mailbox
 * is claimed by the one process that works on it, and noted when it is done with. A claim of a
 * process that is no more is taken over. Once is enough in a round; the ledgers see to it that
 * twice would do no harm.
 *
 * Everything here blocks: inside run_main() through pool_call(). */
#ifndef FLEET_ROUND_H
#define FLEET_ROUND_H

#include "base/buf.h"
#include "base/fault.h"

/* Makes a round, which lives as long as this process, and removes those whose makers are no more.
 * Appends its ID. */
int round_make(const char *state_dir, struct buf *id, struct fault *fault);
void round_remove(const char *state_dir, const char *id);

enum round_answer {
	ROUND_OURS,
	ROUND_THEIRS, /* another process works on it */
	ROUND_DONE,   /* done with, in this round */
	ROUND_CURSED, /* some processes have ended in the middle of it: nobody should try again */
};

/* Asks for a mailbox, by its slug. *ret is an enum round_answer. */
int round_claim(const char *state_dir, const char *id, const char *slug, enum round_answer *ret,
		struct fault *fault);

/* Notes that it is done with, and how: a text of at most 900 bytes, not empty. */
int round_note(const char *state_dir, const char *id, const char *slug, const char *how,
	       struct fault *fault);

/* That text, cut to size. 1: it is not done with. */
int round_ask(const char *state_dir, const char *id, const char *slug, char *to, size_t size,
	      struct fault *fault);

#endif
