/* SPDX-License-Identifier: Apache-2.0 */
/* What waits to be written: operations in the order they were queued, in plain memory, and the
 * function that writes them. A batch is filled by fibers and written on the worker pool; never
 * both at once. */
#ifndef STATE_OPS_H
#define STATE_OPS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"
#include "state/db.h"
#include "state/ledger.h"

enum op_kind {
	OP_CHECKED,         /* at */
	OP_FLAGS,           /* a: id; p: text */
	OP_FACT,            /* p: name, q: value or NULL */
	OP_ADD_FOLDER,      /* p: struct ledger_folder */
	OP_PUT_FOLDER,      /* p: struct ledger_folder */
	OP_SET_MARK,        /* folder; a: mark */
	OP_SET_TALLY,       /* folder; p: struct ledger_tally */
	OP_PUT_MESSAGE,     /* p: struct ledger_message */
	OP_SET_FLAGS,       /* folder, uid; a: flags, b: copy_flags */
	OP_SET_STATE,       /* folder, uid; a: state, b: has */
	OP_SET_COPY_UID,    /* folder, uid; a: copy_uid */
	OP_SET_CAUSE,       /* folder, uid; a: cause; p: detail */
	OP_SET_COPY_DIGEST, /* folder, uid; at: size; p: 32 bytes */
	OP_SET_DIGEST,      /* folder, uid; at: size; p: 32 bytes */
	OP_FORGET_MESSAGE,  /* folder, uid */
	OP_MOVE_MESSAGE,    /* folder, uid; a: folder, b: uid, c: copy_uid */
	OP_FORGET_COPY_UIDS, /* folder */
	OP_PUT_REMOVAL,     /* p: struct ledger_removal */
	OP_DROP_REMOVAL,    /* folder, uid */
	OP_BEGIN_PASS,      /* at: number; p: struct ledger_pass */
	OP_END_PASS,        /* at: number; p: struct ledger_pass */
	OP_ACCEPT,          /* p: struct ledger_accepted */
	OP_COUNT_
};

struct op {
	enum op_kind kind;
	uint32_t folder, uid, a, b, c;
	int64_t at;
	const void *p, *q; /* in the batch's arena */
};

struct batch {
	struct batch *next;
	struct op *ops;
	size_t n, capacity;
	struct arena arena;
};

struct batch *batch_new(void);
struct batch *batch_free(struct batch *batch); /* accepts NULL, returns NULL; not those behind it */
void batch_add(struct batch *batch, struct op op);

/* Writes a list of batches (NULL: none) as one transaction. durable: it is synced to the disk before it counts, and so is what was
 * written without before. */
int ops_write(struct db *db, const struct batch *first, bool durable, struct fault *fault);

#endif
