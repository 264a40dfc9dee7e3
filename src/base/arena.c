/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for one unit of work, see arena.h. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum { CHUNK_SIZE = 4096 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used;
	max_align_t data[];
};

static struct arena_chunk *chunk_new(struct arena *a, size_t n)
{
	size_t size = n > CHUNK_SIZE ? n : CHUNK_SIZE;
	struct arena_chunk *chunk = xmalloc(sizeof(*chunk) + size);

	chunk->next = a->chunks;
	chunk->size = size;
	chunk->used = 0;
	a->chunks = chunk;
	return chunk;
}

void arena_done(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *keep = a->chunks;

	if (!keep)
		return;

	a->chunks = keep->next;
	arena_done(a);
	if (keep->size > CHUNK_SIZE) { /* one large unit must not hold its memory for ever */
		free(keep);
		return;
	}

	keep->next = NULL;
	keep->used = 0;
	a->chunks = keep;
}

void *arena_alloc(struct arena *a, size_t n)
{
	size_t align = _Alignof(max_align_t);
	size_t need = (n + align - 1) / align * align;
	struct arena_chunk *chunk = a->chunks;
	void *p;

	if (!chunk || chunk->size - chunk->used < need)
		chunk = chunk_new(a, need);

	p = (char *)chunk->data + chunk->used;
	chunk->used += need;
	return memset(p, 0, n);
}

struct bytes arena_copy(struct arena *a, struct bytes b)
{
	return (struct bytes){ arena_str(a, b), b.n };
}

char *arena_str(struct arena *a, struct bytes b)
{
	char *p = arena_alloc(a, b.n + 1);

	if (b.n)
		memcpy(p, b.p, b.n);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_str(a, bytes_of(s));
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;
	char *p;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);

	p = arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1);
	va_start(args, format);
	vsnprintf(p, (size_t)(n < 0 ? 0 : n) + 1, format, args);
	va_end(args);
	return p;
}
