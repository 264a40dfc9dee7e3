/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of bytes, see chunks.h. No empty chunk stays in the list. */
#include "net/chunks.h"

#include <assert.h>
#include <string.h>

#include "base/xalloc.h"

enum { CHUNK_SIZE = 16384 };

struct chunk {
	struct list link;
	size_t start, n; /* the bytes in use are p[start] … p[start + n - 1] */
	size_t size;
	char p[];
};

/* Most queues hold a command or two for a moment: those need no 16 KiB. */
static struct chunk *chunk_new(size_t need)
{
	size_t size = need <= 1024 ? 1024 : CHUNK_SIZE;
	struct chunk *chunk = xmalloc(sizeof(*chunk) + size);

	*chunk = (struct chunk){ .size = size };
	return chunk;
}

static struct chunk *chunk_of(struct list *link)
{
	return list_entry(link, struct chunk, link);
}

static void drop(struct chunk *chunk)
{
	list_remove(&chunk->link);
	free(chunk);
}

void chunks_init(struct chunks *chunks)
{
	list_init(&chunks->list);
	chunks->n = 0;
}

void chunks_done(struct chunks *chunks)
{
	list_for_each_safe(link, &chunks->list)
		drop(chunk_of(link));
	chunks->n = 0;
}

void chunks_append(struct chunks *chunks, struct bytes bytes)
{
	while (bytes.n) {
		struct chunk *last = chunk_of(chunks->list.prev);
		size_t room, n;

		if (list_is_empty(&chunks->list) || last->start + last->n == last->size) {
			last = chunk_new(bytes.n);
			list_append(&chunks->list, &last->link);
		}

		room = last->size - last->start - last->n;
		n = bytes.n < room ? bytes.n : room;
		memcpy(last->p + last->start + last->n, bytes.p, n);
		last->n += n;
		chunks->n += n;
		bytes = bytes_skip(bytes, n);
	}
}

int chunks_spans(const struct chunks *chunks, struct iovec *to, int max)
{
	int count = 0;

	list_for_each(link, &chunks->list) {
		struct chunk *chunk = chunk_of(link);

		if (count == max)
			break;
		to[count++] = (struct iovec){ chunk->p + chunk->start, chunk->n };
	}
	return count;
}

void chunks_consume(struct chunks *chunks, size_t n)
{
	assert(n <= chunks->n);
	chunks->n -= n;
	while (n) {
		struct chunk *first = chunk_of(chunks->list.next);

		if (n < first->n) {
			first->start += n;
			first->n -= n;
			return;
		}
		n -= first->n;
		drop(first);
	}
}

size_t chunks_take(struct chunks *chunks, void *p, size_t n)
{
	size_t taken = 0;

	while (taken < n && chunks->n) {
		struct chunk *first = chunk_of(chunks->list.next);
		size_t part = first->n < n - taken ? first->n : n - taken;

		memcpy((char *)p + taken, first->p + first->start, part);
		taken += part;
		chunks_consume(chunks, part);
	}
	return taken;
}
