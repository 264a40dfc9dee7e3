/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer that its user owns and embeds.
 *
 * Invariant: after any append p[n] is '\0' and not counted, so p is a C string when it holds no NUL.
 * A zeroed struct (BUF_NULL) is a valid empty buffer; then p is NULL: use buf_str(). */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/cleanup.h"

struct buf {
	char *p;
	size_t n;    /* bytes in use */
	size_t size; /* bytes allocated */
};

#define BUF_NULL ((struct buf){ NULL, 0, 0 })

void buf_done(struct buf *b); /* frees, and leaves it empty; fit for _cleanup_ */
void buf_wipe(struct buf *b); /* overwrites, then buf_done(): for secrets */
void buf_reset(struct buf *b); /* empties, keeps the memory */

void buf_append(struct buf *b, const void *p, size_t n);
void buf_append_bytes(struct buf *b, struct bytes bytes);
void buf_append_str(struct buf *b, const char *s);
void buf_append_char(struct buf *b, char c);
void buf_append_u64(struct buf *b, uint64_t value); /* in decimal */
void buf_appendf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_vappendf(struct buf *b, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* Room for at least n more bytes; returns where to write them. Count them with b->n += written. */
char *buf_reserve(struct buf *b, size_t n);

/* Drops the first n bytes (at most all), moving the rest down. */
void buf_consume(struct buf *b, size_t n);

struct bytes buf_bytes(const struct buf *b);
const char *buf_str(const struct buf *b); /* never NULL */
char *buf_take(struct buf *b); /* the C string, owned by the caller; b is empty afterwards */

#endif
