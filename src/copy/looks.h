/* SPDX-License-Identifier: Apache-2.0 */
/* Which messages may be copies of which others, by what a listing shows: before bodies are read, to read only a few. */
#ifndef COPY_LOOKS_H
#define COPY_LOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct looks {
	uint64_t *sizes;
	int64_t *dates;
	size_t n;
};

void looks_init(struct looks *looks, size_t most); /* that will be added */
void looks_done(struct looks *looks);
void looks_add(struct looks *looks, uint64_t size, int64_t date);
void looks_sort(struct looks *looks); /* after all were added */

/* Whether one has this size, or this date: a message that was rewritten by its server keeps its date, and one whose date its
 * server does not keep its size. */
bool looks_has(const struct looks *looks, uint64_t size, int64_t date);

#endif
