/* SPDX-License-Identifier: Apache-2.0 */
/* COMPRESS=DEFLATE (RFC 4978), see stream.h.
 *
 * Out: everything enqueued in one turn of the loop is compressed together and ends in one sync flush,
 * made before the loop waits; so a line is never stuck here and bulk data is not chopped up. In: inflate
 * stops when the reader's buffer is full and goes on at the next read, so a small input that expands
 * without end costs no memory. */
#include <assert.h>
#include <zlib.h>

#include "base/xalloc.h"
#include "net/stream.h"

enum {
	LEVEL = 3,         /* most of the gain for mail; 6 costs twice the time for a few percent */
	WINDOW_BITS = -15, /* negative: raw, as the RFC has it */
	MEMORY_LEVEL = 8,
};

struct deflate_stream {
	struct stream stream;
	z_stream in, out;
	struct idle_work flush;
	struct fault broken; /* what ended one of the directions; kind FAULT_NONE: nothing yet */
	bool pending;        /* bytes went in that no flush has followed */
	bool output_full;    /* the last inflate filled the reader's buffer: it may hold more */
	bool in_ended;       /* the peer ended its DEFLATE stream */
	unsigned char in_bytes[16384];
	unsigned char out_bytes[STREAM_PIECE];
};

static struct deflate_stream *deflate_of(struct stream *s)
{
	return (struct deflate_stream *)s;
}

static int keep_fault(struct deflate_stream *self, const struct fault *fault)
{
	self->broken = *fault;
	return -1;
}

/* Reads compressed bytes. 0: the lower stream has ended. */
SUSPENDS static int refill(struct deflate_stream *self, struct fault *fault)
{
	int got = stream_read(self->stream.lower, self->in_bytes, sizeof(self->in_bytes), fault);

	if (got > 0) {
		self->in.next_in = self->in_bytes;
		self->in.avail_in = (uInt)got;
	}
	return got;
}

/* Expands into p what has been read; 0 when that gave nothing. */
static int expand(struct deflate_stream *self, void *p, size_t n, struct fault *fault)
{
	int r;

	self->in.next_out = p;
	self->in.avail_out = (uInt)n;
	r = inflate(&self->in, Z_SYNC_FLUSH);
	if (r == Z_STREAM_END) {
		self->in_ended = true;
	} else if (r != Z_OK && r != Z_BUF_ERROR) {
		fault_protocol(fault, "%s sent bytes that are not compressed data (%s)",
			       self->stream.peer, self->in.msg ? self->in.msg : "no detail");
		return keep_fault(self, fault);
	}
	self->output_full = self->in.avail_out == 0;
	return (int)(n - self->in.avail_out);
}

SUSPENDS static int deflate_read(struct stream *s, void *p, size_t n, struct fault *fault)
{
	struct deflate_stream *self = deflate_of(s);

	for (;;) {
		int got;

		if (self->broken.kind) {
			*fault = self->broken;
			return -1;
		}
		if (self->in_ended)
			return 0;

		if (self->in.avail_in == 0 && !self->output_full) {
			got = refill(self, fault);
			if (got <= 0)
				return got;
		}
		got = expand(self, p, n, fault);
		if (got != 0)
			return got;
	}
}

/* Compresses what is in self->out.next_in and enqueues it below. */
static int compress_out(struct deflate_stream *self, int how, struct fault *fault)
{
	do {
		struct bytes piece;

		self->out.next_out = self->out_bytes;
		self->out.avail_out = sizeof(self->out_bytes);
		if (deflate(&self->out, how) == Z_STREAM_ERROR)
			assert(!"deflate state is ours alone");

		piece = (struct bytes){ (const char *)self->out_bytes,
					sizeof(self->out_bytes) - self->out.avail_out };
		if (stream_enqueue(self->stream.lower, piece, fault) < 0)
			return keep_fault(self, fault);
	} while (self->out.avail_out == 0);
	return 0;
}

static int flush_out(struct deflate_stream *self, struct fault *fault)
{
	if (self->broken.kind) {
		*fault = self->broken;
		return -1;
	}
	if (!self->pending)
		return 0;

	self->pending = false;
	idle_work_cancel(&self->flush);
	self->out.next_in = NULL;
	self->out.avail_in = 0;
	return compress_out(self, Z_SYNC_FLUSH, fault);
}

/* A failure is kept and reported by the next call. */
static void on_idle(void *arg)
{
	struct fault fault;

	(void)flush_out(arg, &fault);
}

static int deflate_enqueue(struct stream *s, struct bytes bytes, struct fault *fault)
{
	struct deflate_stream *self = deflate_of(s);

	if (self->broken.kind) {
		*fault = self->broken;
		return -1;
	}

	self->pending = true;
	idle_work_schedule(&self->flush);
	self->out.next_in = (Bytef *)(uintptr_t)bytes.p;
	self->out.avail_in = (uInt)bytes.n;
	return compress_out(self, Z_NO_FLUSH, fault);
}

SUSPENDS static int deflate_wait_room(struct stream *s, struct fault *fault)
{
	if (deflate_of(s)->broken.kind) {
		*fault = deflate_of(s)->broken;
		return -1;
	}
	return stream_wait_room(s->lower, fault);
}

SUSPENDS static int deflate_drain(struct stream *s, struct fault *fault)
{
	if (flush_out(deflate_of(s), fault) < 0)
		return -1;
	return stream_drain(s->lower, fault);
}

static void deflate_shutdown(struct stream *s)
{
	on_idle(deflate_of(s));
	stream_shutdown(s->lower);
}

static void deflate_free(struct stream *s)
{
	struct deflate_stream *self = deflate_of(s);

	on_idle(self);
	idle_work_cancel(&self->flush);
	inflateEnd(&self->in);
	deflateEnd(&self->out);
	free(self);
}

static const struct stream_ops deflate_ops = {
	.name = "deflate",
	.read = deflate_read,
	.enqueue = deflate_enqueue,
	.wait_room = deflate_wait_room,
	.drain = deflate_drain,
	.shutdown = deflate_shutdown,
	.free = deflate_free,
};

int deflate_start_with(struct stream **stream, struct bytes read_ahead, struct fault *fault)
{
	struct stream **slot = stream_slot(stream);
	struct deflate_stream *self;

	if (read_ahead.n > sizeof(self->in_bytes))
		return fault_protocol(fault, "%s sent %zu bytes before compression was agreed",
				      (*slot)->peer, read_ahead.n);

	self = xzalloc(sizeof(*self));
	if (inflateInit2(&self->in, WINDOW_BITS) != Z_OK ||
	    deflateInit2(&self->out, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		abort(); /* out of memory, as in xmalloc() */

	stream_init(&self->stream, &deflate_ops, *slot);
	idle_work_init(&self->flush, on_idle, self);
	if (read_ahead.n)
		memcpy(self->in_bytes, read_ahead.p, read_ahead.n);
	self->in.next_in = self->in_bytes;
	self->in.avail_in = (uInt)read_ahead.n;
	*slot = &self->stream;
	return 0;
}

int deflate_start(struct stream **stream, struct fault *fault)
{
	return deflate_start_with(stream, BYTES_NULL, fault);
}
