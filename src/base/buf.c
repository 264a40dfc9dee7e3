/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer, see buf.h. */
#include "base/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void buf_done(struct buf *b)
{
	free(b->p);
	*b = BUF_NULL;
}

void buf_wipe(struct buf *b)
{
	wipe(b->p, b->size);
	buf_done(b);
}

void buf_reset(struct buf *b)
{
	b->n = 0;
	if (b->p)
		b->p[0] = '\0';
}

/* Not realloc(), which leaves copies behind: many a buffer holds a password for a while. */
static void grow(struct buf *b, size_t size)
{
	char *p = xmalloc(size);

	if (b->p) {
		memcpy(p, b->p, b->n + 1);
		wipe(b->p, b->size);
		free(b->p);
	}
	b->p = p;
	b->size = size;
}

char *buf_reserve(struct buf *b, size_t n)
{
	assert(n < SIZE_MAX / 2 - b->n);

	if (b->size - b->n <= n) {
		size_t size = b->size ? b->size : 64;

		while (size - b->n <= n)
			size *= 2;
		grow(b, size);
	}

	return b->p + b->n;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
	char *at = buf_reserve(b, n);

	if (n)
		memcpy(at, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void buf_append_bytes(struct buf *b, struct bytes bytes)
{
	buf_append(b, bytes.p, bytes.n);
}

void buf_append_str(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s));
}

void buf_append_char(struct buf *b, char c)
{
	buf_append(b, &c, 1);
}

void buf_append_u64(struct buf *b, uint64_t value)
{
	char digits[20], *at = digits + sizeof(digits);

	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value);

	buf_append(b, at, (size_t)(digits + sizeof(digits) - at));
}

void buf_vappendf(struct buf *b, const char *format, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0)
		return;

	buf_reserve(b, (size_t)n);
	vsnprintf(b->p + b->n, (size_t)n + 1, format, args);
	b->n += (size_t)n;
}

void buf_appendf(struct buf *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vappendf(b, format, args);
	va_end(args);
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= b->n) {
		buf_reset(b);
		return;
	}

	memmove(b->p, b->p + n, b->n - n + 1);
	b->n -= n;
}

struct bytes buf_bytes(const struct buf *b)
{
	return (struct bytes){ b->p, b->n };
}

const char *buf_str(const struct buf *b)
{
	return b->p ? b->p : "";
}

char *buf_take(struct buf *b)
{
	char *p = b->p ? b->p : xstrdup("");

	*b = BUF_NULL;
	return p;
}
