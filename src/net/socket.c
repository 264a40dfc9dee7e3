/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes through a non-blocking socket. Small pieces are gathered and leave in one send before the loop
 * waits; large ones go to the kernel at once, and only what it does not take is copied. It does not know
 * what it is connected to. An error of either direction is kept: both report it from then on. */
#include "net/socket.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xalloc.h"

enum {
	SEND_AT_ONCE = 8192,   /* a piece of that size is not worth gathering */
	SEND_GATHERED = 65536, /* nor is a queue of this size */
	MAX_SPANS = 32,
	IN_A_ROW = 1048576, /* bytes after which a fiber that never had to wait lets others run */
};

static struct socket_stream *socket_of(struct stream *s)
{
	return (struct socket_stream *)s;
}

static int report(const struct socket_stream *self, struct fault *fault)
{
	if (self->error == EPIPE || self->error == ECONNRESET)
		return fault_transport(fault, "%s closed the connection (%s)", self->stream.peer,
				       strerror(self->error));
	return fault_transport(fault, "the connection to %s broke: %s", self->stream.peer,
			       strerror(self->error));
}

static void on_writable(void *arg);

static void set_blocked(struct socket_stream *self, bool blocked)
{
	if (self->blocked == blocked)
		return;

	self->blocked = blocked;
	watch_on_writable(self->watch, blocked ? on_writable : NULL, self);
}

/* Brings everything in line with the state of queue and error. */
static void settle(struct socket_stream *self)
{
	set_blocked(self, self->queue.n > 0);
	if (self->queue.n <= STREAM_HIGH_WATER / 2)
		waiters_wake_all(&self->room);
	if (self->queue.n > 0)
		return;

	idle_work_cancel(&self->flush);
	waiters_wake_all(&self->empty);
	if (self->ended && !self->fin_sent) {
		self->fin_sent = true;
		shutdown(self->fd, SHUT_WR);
	}
}

static void fail(struct socket_stream *self, int error)
{
	if (!self->error)
		self->error = error;
	chunks_done(&self->queue);
	settle(self);
}

/* One send of the queue and, behind it, *extra, which shrinks by what was taken. True: there may be
 * room for more. */
static bool send_some(struct socket_stream *self, struct bytes *extra)
{
	struct iovec spans[MAX_SPANS + 1];
	int count = chunks_spans(&self->queue, spans, MAX_SPANS);
	struct msghdr message = { .msg_iov = spans };
	size_t total = 0, queued, n;
	ssize_t sent;

	for (int i = 0; i < count; i++)
		total += spans[i].iov_len;
	if (total == self->queue.n) {
		spans[count++] = (struct iovec){ (char *)(uintptr_t)extra->p, extra->n };
		total += extra->n;
	}
	message.msg_iovlen = (size_t)count;

	sent = sendmsg(self->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0) {
		if (errno != EAGAIN && errno != EINTR)
			fail(self, errno);
		return errno == EINTR;
	}

	n = (size_t)sent;
	queued = n < self->queue.n ? n : self->queue.n;
	chunks_consume(&self->queue, queued);
	*extra = bytes_skip(*extra, n - queued);
	self->out_in_a_row += n;
	return n == total;
}

/* Sends what is queued and `extra` behind it; what the kernel does not take is queued. */
static void push(struct socket_stream *self, struct bytes extra)
{
	while (!self->error && self->queue.n + extra.n > 0) {
		if (!send_some(self, &extra))
			break;
	}
	if (self->error)
		return;

	chunks_append(&self->queue, extra);
	settle(self);
}

static void on_writable(void *arg)
{
	push(arg, BYTES_NULL);
}

static void on_idle(void *arg)
{
	struct socket_stream *self = arg;

	if (!self->blocked)
		push(self, BYTES_NULL);
}

/* Spares the read that would find nothing. Who must not wait, as his time is over, looks all the same. */
SUSPENDS static int wait_if_drained(struct socket_stream *self, struct fault *fault)
{
	struct fault why;

	if (!self->drained || self->error)
		return 0;

	self->drained = false;
	self->in_a_row = 0;
	if (watch_wait(self->watch, RUN_READABLE, "bytes from the peer", &why) == 0 || why.kind == FAULT_TIMEOUT)
		return 0;
	*fault = why;
	return -1;
}

SUSPENDS int socket_read(struct stream *s, void *p, size_t n, struct fault *fault)
{
	struct socket_stream *self = socket_of(s);

	if (self->in_a_row > IN_A_ROW) {
		self->in_a_row = 0;
		if (run_yield(fault) < 0)
			return -1;
	}

	if (wait_if_drained(self, fault) < 0)
		return -1;

	/* What came before an error is still delivered: often it says why. */
	for (;;) {
		ssize_t got = recv(self->fd, p, n, MSG_DONTWAIT);

		if (got > 0) {
			self->in_a_row += (size_t)got;
			self->drained = (size_t)got < n;
			return (int)got;
		}
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno != EAGAIN)
			fail(self, errno);
		if (self->error)
			return report(self, fault);
		if (got == 0)
			return 0;

		self->in_a_row = 0;
		if (watch_wait(self->watch, RUN_READABLE, "bytes from the peer", fault) < 0)
			return -1;
	}
}

int socket_enqueue(struct stream *s, struct bytes bytes, struct fault *fault)
{
	struct socket_stream *self = socket_of(s);

	assert(!self->ended);
	if (self->error)
		return report(self, fault);

	if (self->blocked) {
		chunks_append(&self->queue, bytes);
	} else if (bytes.n < SEND_AT_ONCE && self->queue.n + bytes.n < SEND_GATHERED) {
		chunks_append(&self->queue, bytes);
		idle_work_schedule(&self->flush);
	} else {
		push(self, bytes);
	}
	return self->error ? report(self, fault) : 0;
}

SUSPENDS int socket_wait_room(struct stream *s, struct fault *fault)
{
	struct socket_stream *self = socket_of(s);

	if (self->out_in_a_row > IN_A_ROW) {
		self->out_in_a_row = 0;
		if (run_yield(fault) < 0)
			return -1;
	}
	while (self->queue.n > STREAM_HIGH_WATER) {
		if (waiters_wait(&self->room, "room to send", fault) < 0)
			return -1;
		self->out_in_a_row = 0;
	}
	return self->error ? report(self, fault) : 0;
}

SUSPENDS int socket_drain(struct stream *s, struct fault *fault)
{
	struct socket_stream *self = socket_of(s);

	if (!self->blocked)
		push(self, BYTES_NULL);
	while (self->queue.n > 0) {
		if (waiters_wait(&self->empty, "the peer to take all", fault) < 0)
			return -1;
	}
	return self->error ? report(self, fault) : 0;
}

void socket_shutdown(struct stream *s)
{
	struct socket_stream *self = socket_of(s);

	self->ended = true;
	if (!self->blocked && !self->error)
		push(self, BYTES_NULL);
}

void socket_init(struct socket_stream *self, const struct stream_ops *ops, int fd, const char *peer)
{
	*self = (struct socket_stream){ .fd = fd, .watch = watch_new(fd), .peer = xstrdup(peer) };
	if (!self->watch)
		self->error = errno; /* the kernel has no more room for it: reported when used */
	stream_init(&self->stream, ops, NULL);
	self->stream.peer = self->peer;
	chunks_init(&self->queue);
	waiters_init(&self->room);
	waiters_init(&self->empty);
	idle_work_init(&self->flush, on_idle, self);
}

void socket_done(struct socket_stream *self)
{
	/* A LOGOUT that was queued a moment ago shall leave; a full buffer is not waited for. */
	if (!self->blocked && !self->error)
		push(self, BYTES_NULL);

	set_blocked(self, false);
	idle_work_cancel(&self->flush);
	watch_free(self->watch);
	close(self->fd);
	chunks_done(&self->queue);
	free(self->peer);
}
