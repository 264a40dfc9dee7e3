/* SPDX-License-Identifier: Apache-2.0 */
/* What the ledger remembers of the last verification that went through, for status and gates. No I/O of its own. */
#ifndef VERIFY_FACT_H
#define VERIFY_FACT_H

#include "verify/verify.h"

/* Queues VERIFY_FACT. */
void verify_fact_set(const struct verify *verify);

struct verify_last {
	int64_t at;             /* seconds since 1970: when it ended */
	enum verify_level level;
	uint32_t sample_ppm;
	uint64_t seed;
	bool partial;           /* only some of the folders that are copied */
	enum verify_grade grade;
	uint64_t messages, compared; /* at the source; read and compared */
	uint64_t fresh;         /* came to the source since the last pass */
	uint64_t failing, accepted; /* findings that fail, and those of them that were accepted */
};

/* 0, or 1: never verified, or by a program that wrote something else. */
int verify_last(const struct ledger *ledger, struct verify_last *ret);
int verify_last_of(const char *text, struct verify_last *ret); /* of the fact's text; NULL: there is none */

/* Queues VERIFY_FOLDERS_FACT: the names of all folders that were looked at, as they were shown. */
#define VERIFY_FOLDERS_FACT "last-verified-folders"
void verify_folders_set(const struct verify *verify);

/* Whether the source has a folder of that name, as far as that fact (or NULL) and the ledger's folders (known, n) tell; "" is
 * all of them. -1, FAULT_USAGE: it has none, and which one may be meant. Memory is taken from the arena. */
int verify_accept_folder(const char *fact, const struct ledger_folder *known, size_t n, const char *folder,
			 struct arena *arena, struct fault *fault);

/* "2026-11-25T02:18:44Z". */
void verify_time(struct buf *to, int64_t seconds);

#endif
