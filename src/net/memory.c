/* SPDX-License-Identifier: Apache-2.0 */
/* A stream in memory with two ends, see stream.h. For tests: it keeps the same promises about room and
 * ends as a socket, so that what works over it works over one. Its only way to fail is that the other
 * end was freed. */
#include <assert.h>

#include "base/xalloc.h"
#include "net/chunks.h"
#include "net/stream.h"

struct one_way {
	struct chunks data;
	struct waiters reader, writer;
	bool ended; /* the writer was freed or shut down */
	bool deaf;  /* the reader was freed */
	bool lost;  /* and had not read all */
};

/* Shared by the two ends; the last one frees it. */
struct pair {
	struct one_way way[2];
	int ends;
	size_t max_read;
};

struct memory_stream {
	struct stream stream;
	struct pair *pair;
	struct one_way *in, *out;
};

static struct memory_stream *memory_of(struct stream *s)
{
	return (struct memory_stream *)s;
}

SUSPENDS static int memory_read(struct stream *s, void *p, size_t n, struct fault *fault)
{
	struct memory_stream *self = memory_of(s);
	size_t max = self->pair->max_read;

	while (self->in->data.n == 0) {
		if (self->in->ended)
			return 0;
		if (waiters_wait(&self->in->reader, "bytes in memory", fault) < 0)
			return -1;
	}

	n = chunks_take(&self->in->data, p, max && n > max ? max : n);
	if (self->in->data.n <= STREAM_HIGH_WATER / 2)
		waiters_wake_all(&self->in->writer);
	return (int)n;
}

static int closed(struct stream *s, struct fault *fault)
{
	return fault_transport(fault, "%s closed the connection", s->peer);
}

static int memory_enqueue(struct stream *s, struct bytes bytes, struct fault *fault)
{
	struct memory_stream *self = memory_of(s);

	assert(!self->out->ended);
	if (self->out->deaf)
		return closed(s, fault);

	chunks_append(&self->out->data, bytes);
	waiters_wake_all(&self->out->reader);
	return 0;
}

SUSPENDS static int memory_wait_room(struct stream *s, struct fault *fault)
{
	struct memory_stream *self = memory_of(s);

	while (self->out->data.n > STREAM_HIGH_WATER && !self->out->deaf) {
		if (waiters_wait(&self->out->writer, "room in memory", fault) < 0)
			return -1;
	}
	return self->out->deaf ? closed(s, fault) : 0;
}

/* There is no kernel to give anything to. */
SUSPENDS static int memory_drain(struct stream *s, struct fault *fault)
{
	return memory_of(s)->out->deaf ? closed(s, fault) : 0;
}

static void memory_shutdown(struct stream *s)
{
	struct memory_stream *self = memory_of(s);

	self->out->ended = true;
	waiters_wake_all(&self->out->reader);
}

/* The other end has no machine of its own: what waits there is as good as read. */
static bool memory_is_taken(struct stream *s)
{
	return !memory_of(s)->out->lost;
}

static void memory_free(struct stream *s)
{
	struct memory_stream *self = memory_of(s);
	struct pair *pair = self->pair;

	memory_shutdown(s);
	self->in->deaf = true;
	self->in->lost = self->in->data.n > 0;
	chunks_done(&self->in->data);
	waiters_wake_all(&self->in->writer);
	free(self);

	if (--pair->ends == 0)
		free(pair);
}

static const struct stream_ops memory_ops = {
	.name = "memory",
	.read = memory_read,
	.enqueue = memory_enqueue,
	.wait_room = memory_wait_room,
	.drain = memory_drain,
	.shutdown = memory_shutdown,
	.is_taken = memory_is_taken,
	.free = memory_free,
};

static struct stream *end_new(struct pair *pair, int out)
{
	struct memory_stream *self = xzalloc(sizeof(*self));

	stream_init(&self->stream, &memory_ops, NULL);
	self->stream.peer = "the other end";
	self->pair = pair;
	self->out = &pair->way[out];
	self->in = &pair->way[!out];
	pair->ends++;
	return &self->stream;
}

void memory_stream_pair(size_t max_read, struct stream **ret_a, struct stream **ret_b)
{
	struct pair *pair = xzalloc(sizeof(*pair));

	pair->max_read = max_read;
	for (int i = 0; i < 2; i++) {
		chunks_init(&pair->way[i].data);
		waiters_init(&pair->way[i].reader);
		waiters_init(&pair->way[i].writer);
	}
	*ret_a = end_new(pair, 0);
	*ret_b = end_new(pair, 1);
}
