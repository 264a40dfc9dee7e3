/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of flags: whether two are the same, which side changed, how many messages have which. No I/O. */
#ifndef VERIFY_FLAGS_H
#define VERIFY_FLAGS_H

#include <stdbool.h>

#include "verify/verify.h"

/* Lower case, sorted, each once, a blank after each: two sets are the same flags if and only if these are the same
 * text. \Recent is left out, and what is no flag: words that begin with %, LEDGER_IN_DOUBT. The caller frees it. */
char *verify_flags_canonical(const char *flags);

enum verify_flags {
	VERIFY_FLAGS_SAME,
	VERIFY_FLAGS_DIFFER,     /* the destination's are not what the copy left there */
	VERIFY_FLAGS_RECORDED,   /* … but what the ledger names as an exception */
	VERIFY_FLAGS_SOURCE_NEW, /* the source's changed since */
	VERIFY_FLAGS_USER,       /* the destination's user changed them, as a pass saw */
};

/* Canonical sets as the servers show them now and as the ledger has them; source NULL: the message has left it.
 * excepted: the ledger's row says that flags were cut or kept. */
enum verify_flags verify_flags_judge(const char *source, const char *destination, const char *known_source,
				     const char *known_destination, bool excepted);

/* Counts a message's canonical set. */
void verify_flags_count(struct verify_count *count, const char *canonical);

#endif
