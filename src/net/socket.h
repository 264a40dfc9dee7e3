/* SPDX-License-Identifier: Apache-2.0 */
/* A stream over any connected socket: the common part of tcp.c and pipe.c, not for other folders. */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "net/chunks.h"
#include "net/stream.h"

struct socket_stream {
	struct stream stream;
	char *peer;
	int fd; /* owned, non-blocking */
	struct watch *watch;
	struct chunks queue;    /* what the kernel has not taken yet */
	struct waiters room, empty;
	struct idle_work flush; /* sends what small enqueues left in the queue */
	size_t in_a_row, out_in_a_row; /* bytes that passed since the fiber last let others run */
	int error;     /* errno that ended the connection, or 0 */
	bool drained;  /* the last read got less than it asked for: there was no more */
	bool blocked;  /* the kernel's buffer is full: the loop calls when it takes more */
	bool ended;    /* shutdown was called: FIN once the queue is empty */
	bool fin_sent;
};

/* For the ops of what embeds a socket_stream first. socket_done() closes; the caller frees. */
void socket_init(struct socket_stream *self, const struct stream_ops *ops, int fd, const char *peer);
void socket_done(struct socket_stream *self);

SUSPENDS int socket_read(struct stream *s, void *p, size_t n, struct fault *fault);
int socket_enqueue(struct stream *s, struct bytes bytes, struct fault *fault);
SUSPENDS int socket_wait_room(struct stream *s, struct fault *fault);
SUSPENDS int socket_drain(struct stream *s, struct fault *fault);
void socket_shutdown(struct stream *s);

/* net/tcp.c: what our TCP sockets have set. Those that a listener accepts have it from the listener. */
void tcp_set_options(int fd);
struct stream *tcp_stream_accepted(int fd, const char *peer_name);

/* net/tcp.c: tcp_connect() once the name is looked up; `peer` is for faults. */
SUSPENDS int tcp_connect_any(const struct addresses *addresses, const char *peer,
			     struct stream **ret, struct fault *fault);

#endif
