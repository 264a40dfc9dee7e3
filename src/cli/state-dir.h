/* SPDX-License-Identifier: Apache-2.0 */
/* Where ledgers and locks lie, for every verb that takes --state: one answer for all of them. */
#ifndef CLI_STATE_DIR_H
#define CLI_STATE_DIR_H

#include "base/buf.h"
#include "fleet/side.h"
#include "state/ledger.h"

/* Appends the directory of --state (NULL: not given), else $XDG_STATE_HOME/mailferry, else ~/.local/state/mailferry.
 * FAULT_USAGE when nothing says where. */
int state_dir(const char *option, struct buf *to, struct fault *fault);

/* What the ledger of two sides is called by; embedded, state_ends_done() in any case. */
struct state_ends {
	struct buf source, destination, path;
	struct ledger_ends ends; /* points into the buffers */
};

/* Fills it for these two sides below this directory. */
void state_ends(const char *dir, const struct side *from, const struct side *to, struct state_ends *ret);
void state_ends_done(struct state_ends *ends);

#endif
