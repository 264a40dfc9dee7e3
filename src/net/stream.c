/* SPDX-License-Identifier: Apache-2.0 */
/* What all streams have in common, see stream.h: counting, cutting into pieces, passing on to the lower
 * stream what a layer has no opinion about. */
#include "net/stream.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

void stream_init(struct stream *s, const struct stream_ops *ops, struct stream *lower)
{
	*s = (struct stream){ .ops = ops, .lower = lower, .peer = lower ? lower->peer : NULL };
}

struct stream **stream_slot(struct stream **stream)
{
	while (strcmp((*stream)->ops->name, "tap") == 0)
		stream = &(*stream)->lower;
	return stream;
}

SUSPENDS int stream_read(struct stream *s, void *p, size_t n, struct fault *fault)
{
	int got;

	assert(n > 0);
	got = s->ops->read(s, p, n < INT_MAX ? n : INT_MAX, fault);
	if (got > 0)
		s->bytes_in += (uint64_t)got;
	return got;
}

int stream_enqueue(struct stream *s, struct bytes bytes, struct fault *fault)
{
	int r;

	assert(bytes.n <= STREAM_PIECE);
	if (bytes.n == 0)
		return 0;

	r = s->ops->enqueue(s, bytes, fault);
	if (r < 0)
		return r;

	s->bytes_out += bytes.n;
	return 0;
}

SUSPENDS int stream_wait_room(struct stream *s, struct fault *fault)
{
	while (!s->ops->wait_room)
		s = s->lower;
	return s->ops->wait_room(s, fault);
}

SUSPENDS int stream_write(struct stream *s, struct bytes bytes, struct fault *fault)
{
	while (bytes.n) {
		struct bytes piece = bytes_head(bytes, STREAM_PIECE);
		int r = stream_enqueue(s, piece, fault);

		if (r < 0)
			return r;

		r = stream_wait_room(s, fault);
		if (r < 0)
			return r;
		bytes = bytes_skip(bytes, piece.n);
	}
	return 0;
}

SUSPENDS int stream_drain(struct stream *s, struct fault *fault)
{
	while (!s->ops->drain)
		s = s->lower;
	return s->ops->drain(s, fault);
}

void stream_shutdown(struct stream *s)
{
	while (!s->ops->shutdown)
		s = s->lower;
	s->ops->shutdown(s);
}

bool stream_is_taken(struct stream *s)
{
	while (s && !s->ops->is_taken)
		s = s->lower;
	return s && s->ops->is_taken(s);
}

struct stream *stream_free(struct stream *s)
{
	while (s) {
		struct stream *lower = s->lower;

		s->ops->free(s);
		s = lower;
	}
	return NULL;
}

struct stream *stream_find(struct stream *s, const char *name)
{
	while (s && strcmp(s->ops->name, name) != 0)
		s = s->lower;
	return s;
}
