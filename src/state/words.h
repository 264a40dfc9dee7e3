/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of flags by number, in memory. No I/O. */
#ifndef STATE_WORDS_H
#define STATE_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/map.h"

/* Texts longer than this are cut at a flag's end. */
enum { WORDS_MAX = 16384 };

struct words {
	const char **texts; /* [id - 1] */
	uint32_t n;
	size_t capacity;
	struct map ids; /* by the set's one way to write it: lower case, sorted, each once */
	struct arena arena;
};

void words_init(struct words *words, uint64_t seed);
void words_done(struct words *words);

/* The number of a set, a new one if it is new (*ret_new). */
uint32_t words_id(struct words *words, const char *text, bool *ret_new);

/* "" for 0 and for numbers that were never given. */
const char *words_text(const struct words *words, uint32_t id);

#endif
