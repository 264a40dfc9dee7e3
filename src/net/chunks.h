/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that wait their turn: first in, first out. Kept in chunks, so that memory goes back as they
 * leave and nothing is moved when more arrive. Its users bound it. */
#ifndef NET_CHUNKS_H
#define NET_CHUNKS_H

#include <stddef.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "base/list.h"

/* Embedded. */
struct chunks {
	struct list list;
	size_t n; /* bytes in all */
};

void chunks_init(struct chunks *chunks);
void chunks_done(struct chunks *chunks); /* leaves it empty, fit for use */

void chunks_append(struct chunks *chunks, struct bytes bytes);

/* Points at most `max` spans at the first bytes; returns how many. They are valid until the next call. */
int chunks_spans(const struct chunks *chunks, struct iovec *to, int max);

/* Drops the first n bytes, of which there must be that many. */
void chunks_consume(struct chunks *chunks, size_t n);

/* Moves at most n bytes out; returns how many. */
size_t chunks_take(struct chunks *chunks, void *p, size_t n);

#endif
