/* SPDX-License-Identifier: Apache-2.0 */
/* See link.h. */
#include "gateway/link.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* Room for the largest frame, and for many small ones read at once. */
enum { ROOM = 2 * (LINK_PAYLOAD_MAX + LINK_HEAD) };

struct link {
	struct stream *stream;
	uint16_t types;
	bool failed;
	struct fault fault; /* of the first put that failed */
	size_t start, end;  /* of what was read and not handed out */
	char in[ROOM];
};

struct link *link_new(struct stream *stream, uint16_t types)
{
	struct link *link = xmalloc(sizeof(*link));

	link->stream = stream;
	link->types = types;
	link->failed = false;
	link->start = link->end = 0;
	return link;
}

struct link *link_free(struct link *link)
{
	if (!link)
		return NULL;

	stream_free(link->stream);
	free(link);
	return NULL;
}

/* --- sending --------------------------------------------------------------------------------- */

static void put_number(unsigned char *to, unsigned n, uint64_t value)
{
	for (unsigned i = 0; i < n; i++)
		to[i] = (unsigned char)(value >> (8 * i));
}

static void enqueue(struct link *link, struct bytes bytes)
{
	while (bytes.n > 0 && !link->failed) {
		struct bytes piece = bytes_head(bytes, STREAM_PIECE);

		if (stream_enqueue(link->stream, piece, &link->fault) < 0)
			link->failed = true;
		bytes = bytes_skip(bytes, piece.n);
	}
}

void link_put(struct link *link, uint16_t type, uint64_t id, struct bytes first, struct bytes second)
{
	unsigned char head[LINK_HEAD];

	assert(first.n + second.n <= LINK_PAYLOAD_MAX);
	put_number(head, 4, first.n + second.n);
	put_number(head + 4, 2, type);
	put_number(head + 6, 2, 0);
	put_number(head + 8, 8, id);
	enqueue(link, (struct bytes){ (const char *)head, sizeof(head) });
	enqueue(link, first);
	enqueue(link, second);
}

int link_wait_room(struct link *link, struct fault *fault)
{
	if (link->failed) {
		*fault = link->fault;
		return -1;
	}
	return stream_wait_room(link->stream, fault);
}

/* --- receiving ------------------------------------------------------------------------------- */

static uint64_t number_at(const char *p, unsigned n)
{
	uint64_t value = 0;

	for (unsigned i = n; i-- > 0;)
		value = value << 8 | (unsigned char)p[i];
	return value;
}

/* The bytes of the frame at the front, as far as they are here; 0: not even its head. */
static size_t frame_size(const struct link *link)
{
	if (link->end - link->start < LINK_HEAD)
		return 0;
	return LINK_HEAD + number_at(link->in + link->start, 4);
}

static bool is_sound(const struct link *link)
{
	const char *head = link->in + link->start;
	uint64_t type = number_at(head + 4, 2);

	return number_at(head, 4) <= LINK_PAYLOAD_MAX && type >= 1 && type <= link->types && number_at(head + 6, 2) == 0;
}

static int fill(struct link *link, struct fault *fault)
{
	int r;

	if (link->start > 0 && (link->start == link->end || link->start > ROOM / 2)) {
		memmove(link->in, link->in + link->start, link->end - link->start);
		link->end -= link->start;
		link->start = 0;
	}
	r = stream_read(link->stream, link->in + link->end, ROOM - link->end, fault);
	if (r > 0)
		link->end += (size_t)r;
	if (r == 0 && link->end > link->start)
		return fault_protocol(fault, "%s ended in the middle of a frame", link->stream->peer);
	return r;
}

int link_next(struct link *link, struct link_frame *ret, struct fault *fault)
{
	for (;;) {
		size_t size = frame_size(link);
		int r;

		if (size && !is_sound(link))
			return fault_protocol(fault, "%s sent what is no frame", link->stream->peer);
		if (size && link->end - link->start >= size) {
			const char *head = link->in + link->start;

			*ret = (struct link_frame){
				.type = (uint16_t)number_at(head + 4, 2), .id = number_at(head + 8, 8),
				.payload = { head + LINK_HEAD, size - LINK_HEAD },
			};
			link->start += size;
			return 1;
		}
		r = fill(link, fault);
		if (r <= 0)
			return r;
	}
}

bool link_has_frame(const struct link *link)
{
	size_t size = frame_size(link);

	return size && (!is_sound(link) || link->end - link->start >= size);
}
