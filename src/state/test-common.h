/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of the ledger. */
#ifndef STATE_TEST_COMMON_H
#define STATE_TEST_COMMON_H

#include "os/testing.h"
#include "run/run.h"
#include "state/ledger.h"

extern const struct ledger_ends testing_ends;

/* Has the folders made in memory where the system offers that and TMPDIR says nothing else: for
 * tests that sync thousands of times, which a busy disk makes slow to no profit. */
void testing_in_memory(void);

/* How much of a test that could go on for ever is to be done: 1 under Valgrind, 4 as a rule, 16
 * nightly. */
int testing_effort(void);

/* A folder of its own with a ledger's path in it, and a ledger if a test opens one. */
struct testing_ledger {
	struct check *check;
	struct testing_folder folder;
	char path[300];
	struct ledger *ledger;
	const void *data; /* the test's own */
};

void testing_ledger_make(struct testing_ledger *t, struct check *check);
void testing_ledger_remove(struct testing_ledger *t); /* fit for _cleanup_ */

#define LEDGER_TEST(t)                                                                             \
	_cleanup_(testing_ledger_remove) struct testing_ledger t;                                  \
	testing_ledger_make(&t, check)

/* In a fiber_fn: what fails ends it. */
#define TRY(call)                                                                                  \
	do {                                                                                       \
		if ((call) < 0)                                                                    \
			return -1;                                                                 \
	} while (0)

#define OPEN(t, mode)                                                                              \
	do {                                                                                       \
		if (testing_ledger_open((t), (mode), fault) < 0)                                   \
			return -1;                                                                 \
	} while (0)

/* The case of a fiber_fn that needs nothing but a ledger of its own. */
#define CASE(name)                                                                                 \
	static void case_##name(struct check *check)                                               \
	{                                                                                          \
		LEDGER_TEST(t);                                                                    \
		testing_ledger_run(&t, name);                                                      \
	}

/* Runs fn(t) in a loop; a failure and failed EXPECTs are the case's failure. */
void testing_ledger_run(struct testing_ledger *t, fiber_fn fn);

/* The same, where fn is to fail: what it said. */
struct fault testing_ledger_fails(struct testing_ledger *t, fiber_fn fn);

int testing_ledger_open(struct testing_ledger *t, enum ledger_mode mode, struct fault *fault);

/* Closes it and opens it again, for writing. */
int testing_ledger_reopen(struct testing_ledger *t, struct fault *fault);

/* Closes it; 0. */
int testing_ledger_finish(struct testing_ledger *t);

/* Opens, for writing, and closes: a fiber_fn for testing_ledger_run() and …_fails(). */
int testing_ledger_try(void *t, struct fault *fault);

/* A COPIED message with everything in it; `mix` makes it another one. */
struct ledger_message testing_message(uint32_t folder, uint32_t uid, uint32_t mix);
bool testing_same_message(const struct ledger_message *a, const struct ledger_message *b);

/* A current folder called `name`, with no bounds and nothing known. */
struct ledger_folder testing_ledger_folder(const char *name);

/* Runs SQL on the file by SQLite alone, with everything allowed; ends the program when SQLite
 * refuses it. */
void testing_sql(const char *path, const char *sql);

/* The number that a query gives. */
int64_t testing_sql_number(const char *path, const char *sql);

/* Whole files of any content. */
struct buf testing_file(const char *path);
void testing_file_write(const char *path, struct bytes content);

#endif
