/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of the ledger, in steps: file schema/002-NAME.sql brings a ledger from version
 * 1 to 2. The version of a file is its PRAGMA user_version. Steps are only ever added. */
#ifndef STATE_SCHEMA_H
#define STATE_SCHEMA_H

#include <stddef.h>

#include "base/fault.h"
#include "state/db.h"

enum { SCHEMA_APPLICATION = 1298549863 }; /* PRAGMA application_id: "MfLg" */

struct schema_step {
	const char *name, *sql;
};

extern const struct schema_step schema_steps[];
extern const size_t schema_n_steps;

/* Whether the file is still empty (1), a ledger of version *ret_version (0); -1: it is
 * something else. */
int schema_look(struct db *db, int64_t *ret_version, struct fault *fault);

/* Takes it from one version to the last, each step in a transaction of its own. first() is
 * called within the transaction of the first step, when `from` is 0. */
int schema_migrate(struct db *db, int64_t from, const struct schema_step *steps, size_t n,
		   int (*first)(struct db *db, void *arg, struct fault *fault), void *arg,
		   struct fault *fault);

/* SHA-256 of the tables and indexes that these steps make, as SQLite tells them. */
int schema_digest(const struct schema_step *steps, size_t n, unsigned char to[32], struct fault *fault);
extern const unsigned char schema_digest_of_all[32]; /* of schema_steps, known beforehand */

/* Whether it has the tables and indexes that these steps make, and nothing else (but what
 * ANALYZE adds). */
int schema_verify(struct db *db, const struct schema_step *steps, size_t n, struct fault *fault);

#endif
