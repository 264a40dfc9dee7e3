/* SPDX-License-Identifier: Apache-2.0 */
/* TCP: connecting (RFC 8305, in small) and the stream over the result.
 *
 * Each address is tried in a fiber of its own. An attempt never fails its nursery: the others go on, and
 * who connects decides. The bytes are socket.c's business. */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "net/socket.h"

#define HEAD_START (250 * MSEC) /* RFC 8305, section 5: Connection Attempt Delay */

struct race;

struct attempt {
	struct race *race;
	const void *address;
	socklen_t address_n;
	bool over;
	int error; /* why it failed, when it is over */
};

struct race {
	struct attempt attempts[ARRAY_SIZE(((struct addresses *)NULL)->at)];
	int started, over;
	int fd; /* the first that connected, or -1 */
	struct waiters news;
};

static void set_option(int fd, int level, int option, int value)
{
	/* Each only makes things better; a kernel that refuses one is no reason not to connect. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* Writes are gathered by socket.c, so Nagle's wait only costs. A peer that is gone without a word (a
 * firewall that forgot us) is noticed after two to three minutes. */
void tcp_set_options(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 20);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 5);
}

static void close_fdp(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* 0: connected. Positive: errno. Negative: told to stop. */
SUSPENDS static int finish_connect(int fd, struct fault *fault)
{
	_cleanup_(watch_freep) struct watch *watch = watch_new(fd);
	int error = 0;
	socklen_t n = sizeof(error);

	if (!watch)
		return errno;
	if (watch_wait(watch, RUN_WRITABLE, "a connection", fault) < 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		return errno;
	return error;
}

SUSPENDS static int attempt_connect(struct attempt *attempt, struct fault *fault)
{
	const struct sockaddr *address = attempt->address;
	_cleanup_(close_fdp) int fd = -1;

	fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;

	tcp_set_options(fd);
	if (connect(fd, address, attempt->address_n) < 0) {
		int r = errno == EINPROGRESS ? finish_connect(fd, fault) : errno;

		if (r)
			return r;
	}

	if (attempt->race->fd < 0) {
		attempt->race->fd = fd;
		fd = -1;
	}
	return 0;
}

SUSPENDS static int attempt_run(void *arg, struct fault *fault)
{
	struct attempt *attempt = arg;
	int r = attempt_connect(attempt, fault);

	attempt->error = r < 0 ? ECANCELED : r;
	attempt->over = true;
	attempt->race->over++;
	waiters_wake_all(&attempt->race->news);
	return 0;
}

/* Until somebody connected, or this attempt failed, or it has had its head start. -1: told to stop. */
SUSPENDS static int give_head_start(struct race *race, struct attempt *attempt, struct fault *fault)
{
	_deadline_(HEAD_START);

	while (race->fd < 0 && !attempt->over) {
		if (waiters_wait(&race->news, "a connection", fault) < 0)
			return fault->kind == FAULT_TIMEOUT ? 0 : -1;
	}
	return 0;
}

SUSPENDS static int race_run(struct race *race, const struct addresses *addresses,
			     struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "connect");
	for (size_t i = 0; i < addresses->n && race->fd < 0; i++) {
		struct attempt *attempt = &race->attempts[i];

		*attempt = (struct attempt){ .race = race,
					     .address = addresses->at[i].bytes,
					     .address_n = addresses->at[i].len };
		race->started++;
		nursery_start(&nursery, attempt_run, attempt, "address %zu", i + 1);
		if (give_head_start(race, attempt, fault) < 0)
			return -1;
	}

	while (race->fd < 0 && race->over < race->started) {
		if (waiters_wait(&race->news, "a connection", fault) < 0)
			return -1;
	}
	return 0;
}

/* The first address's reason stands for all: the others are usually the same, or "no route" for a
 * family this machine does not have. */
static int fault_unreachable(const struct race *race, const char *peer, struct fault *fault)
{
	char of_many[40] = "";

	if (race->started > 1)
		snprintf(of_many, sizeof(of_many), " at any of %d addresses", race->started);
	return fault_set(fault, FAULT_TRANSPORT, REACH_SERVER, AGAIN_LATER,
			 "cannot connect to %s%s: %s", peer, of_many,
			 strerror(race->attempts[0].error));
}

static void name_peer(const char *host, uint16_t port, char *to, size_t size)
{
	bool is_v6 = strchr(host, ':') != NULL;

	snprintf(to, size, is_v6 ? "[%.255s]:%u" : "%.255s:%u", host, port);
}

static void tcp_free(struct stream *s)
{
	struct socket_stream *self = (struct socket_stream *)s;

	socket_done(self);
	free(self);
}

/* Nothing is left unacknowledged; and no RST came, as it does from where a program went away with our bytes unread. */
static bool tcp_is_taken(struct stream *s)
{
	struct socket_stream *self = (struct socket_stream *)s;
	struct tcp_info info;
	socklen_t n = sizeof(info);
	int left = 0;

	if (self->queue.n > 0 || self->error || ioctl(self->fd, SIOCOUTQ, &left) < 0 || left > 0)
		return false;
	return getsockopt(self->fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 && info.tcpi_state != TCP_CLOSE;
}

static const struct stream_ops tcp_ops = {
	.name = "tcp",
	.read = socket_read,
	.enqueue = socket_enqueue,
	.wait_room = socket_wait_room,
	.drain = socket_drain,
	.shutdown = socket_shutdown,
	.is_taken = tcp_is_taken,
	.free = tcp_free,
};

struct stream *tcp_stream_accepted(int fd, const char *peer_name)
{
	struct socket_stream *self = xmalloc(sizeof(*self));

	socket_init(self, &tcp_ops, fd, peer_name);
	return &self->stream;
}

struct stream *tcp_stream_new(int fd, const char *peer_name)
{
	tcp_set_options(fd);
	return tcp_stream_accepted(fd, peer_name);
}

SUSPENDS int tcp_connect_any(const struct addresses *addresses, const char *peer,
			     struct stream **ret, struct fault *fault)
{
	_cleanup_(freep) struct race *race = xzalloc(sizeof(*race));
	_cleanup_(close_fdp) int fd = -1;
	int r;

	race->fd = -1;
	waiters_init(&race->news);
	r = race_run(race, addresses, fault);
	fd = race->fd;
	if (r < 0)
		return fault_prefix(fault, "connecting to %s", peer);
	if (fd < 0)
		return fault_unreachable(race, peer, fault);

	*ret = tcp_stream_new(fd, peer);
	fd = -1;
	return 0;
}

SUSPENDS int tcp_connect(const char *host, uint16_t port, struct stream **ret, struct fault *fault)
{
	struct addresses addresses;
	char peer[280];
	int r;

	name_peer(host, port, peer, sizeof(peer));
	r = resolve(host, port, &addresses, fault);
	if (r < 0)
		return r;

	return tcp_connect_any(&addresses, peer, ret, fault);
}
