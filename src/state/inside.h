/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the ledger share; nobody outside of state/ includes it. */
#ifndef STATE_INSIDE_H
#define STATE_INSIDE_H

#include <stdatomic.h>

#include "base/map.h"
#include "os/lock.h"
#include "state/db.h"
#include "state/ledger.h"
#include "state/ops.h"
#include "state/words.h"

/* Longest texts, in bytes; what a file holds beyond them is damage. */
enum {
	MESSAGE_ID_MAX = 255,
	DETAIL_MAX = 400,
	NAME_MAX_BYTES = 65536, /* of a folder */
	TEXT_MAX = 65536,       /* all else */
};

struct ledger {
	/* One fiber at a time uses the connection, on the worker pool; the next one's turn is
	 * handed to it. */
	struct db db;
	bool busy;
	struct waiters turn;
	atomic_flag on_thread; /* a thread is in it: asserts that the above holds */

	/* Operations, oldest first. queued, written (readers see them) and synced (durable) count those of all times. */
	struct batch *first, *last, *spare;
	uint64_t queued, written, synced;
	bool leading; /* a fiber waits for its turn to write all of them, or writes */
	struct waiters followers;

	bool dead; /* a commit failed: why */
	struct fault why;
	bool refused; /* something was queued although it is open for reading */

	struct os_lock *lock;
	bool new;
	struct words words;
	struct map facts; /* values are xstrdup()ed */
	uint32_t last_folder;
	int64_t last_pass;
};

/* The batch to queue in, or NULL: nothing will be written any more. The operation's data go
 * into its arena. */
struct batch *ledger_queue(struct ledger *ledger);
void ledger_queue_op(struct ledger *ledger, struct batch *batch, struct op op);

void ledger_drop_queue(struct ledger *ledger);

/* What ran on the pool: fn gets the connection, and `arg`. */
typedef int (*ledger_fn)(struct db *db, void *arg, struct fault *fault);

/* Writes what is queued, without making it durable, then runs fn on the pool. */
SUSPENDS int ledger_run(struct ledger *ledger, const char *what, ledger_fn fn, void *arg,
			struct fault *fault);

/* Reading the small tables when the ledger is opened, on the pool: sets of flags; facts,
 * last_folder and last_pass. */
int ledger_read_words(struct ledger *ledger, struct fault *fault);
int ledger_read_mailbox(struct ledger *ledger, struct fault *fault);

void ledger_mailbox_done(struct ledger *ledger);

#endif
