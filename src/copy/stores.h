/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of flags, repeated at the destination: by STORE of exactly the flags that the source gained or lost, many
 * messages to a command. A flag that the source did not change is never touched. */
#ifndef COPY_STORES_H
#define COPY_STORES_H

#include "copy/worker.h"

struct flag_change {
	uint32_t uid, copy_uid;
	uint32_t was, now;    /* at the source, then and now: numbers of the ledger */
	uint32_t copy_flags;  /* at the destination, as last seen */
	uint32_t add, remove; /* what follows, after the rule of the pass */
	bool leave;           /* changed at the destination too, and the rule lets that stand */
};

/* The flags that are in both of these sets of the ledger. */
uint32_t copy_stores_common(struct copy_pass *pass, uint32_t a, uint32_t b);

/* The message's flags differ from those of the last pass. */
void copy_stores_want(struct copy_pass *pass, uint32_t uid, uint32_t copy_uid, uint32_t was,
		      uint32_t now, uint32_t copy_flags);

/* Stores all that is wanted with the worker's session to the destination, and notes it in the ledger. */
SUSPENDS int copy_stores_run(struct copy_pass *pass, struct fault *fault);

void copy_stores_done(struct copy_pass *pass);

#endif
