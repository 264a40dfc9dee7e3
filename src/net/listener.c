/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for connections on an address, see stream.h. One listener, one address, one socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "net/stream.h"

struct listener {
	int fd;
	struct watch *watch;
	uint16_t port;
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int parse_address(const char *text, uint16_t port, union address *ret, struct fault *fault)
{
	*ret = (union address){ 0 };
	if (inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port);
		return 0;
	}
	return fault_usage(fault, "cannot listen on %s: it is not an IP address", text);
}

static uint16_t port_of(const union address *address)
{
	return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port :
							  address->v4.sin_port);
}

static int bind_and_listen(struct listener *self, union address *address)
{
	int on = 1;
	socklen_t n = sizeof(*address);

	self->fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (self->fd < 0)
		return -1;

	/* Or a restart would have to wait for the last connections' TIME_WAIT. */
	if (setsockopt(self->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(self->fd, &address->any, sizeof(*address)) < 0 ||
	    listen(self->fd, SOMAXCONN) < 0 || getsockname(self->fd, &address->any, &n) < 0)
		return -1;

	self->port = port_of(address);
	self->watch = watch_new(self->fd);
	return self->watch ? 0 : -1;
}

int listener_new(const char *address_text, uint16_t port, struct listener **ret,
		 struct fault *fault)
{
	_cleanup_(listener_freep) struct listener *self = xzalloc(sizeof(*self));
	union address address;

	self->fd = -1;
	if (parse_address(address_text, port, &address, fault) < 0)
		return -1;
	if (bind_and_listen(self, &address) < 0)
		return fault_local(fault, "cannot listen on %s port %u: %s", address_text, port,
				   strerror(errno));

	*ret = TAKE_PTR(self);
	return 0;
}

uint16_t listener_port(const struct listener *listener)
{
	return listener->port;
}

static struct stream *accepted(int fd, const union address *address)
{
	char text[INET6_ADDRSTRLEN] = "unknown", peer[INET6_ADDRSTRLEN + 16];

	if (address->any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET, &address->v4.sin_addr, text, sizeof(text));
	snprintf(peer, sizeof(peer), strchr(text, ':') ? "[%s]:%u" : "%s:%u", text,
		 port_of(address));
	return tcp_stream_new(fd, peer);
}

/* What accept(2) reports of a connection that died in the queue says nothing about the listener. */
static bool is_about_one_connection(int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case ENETDOWN:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENOPROTOOPT:
		return true;
	default:
		return false;
	}
}

SUSPENDS int listener_accept(struct listener *self, struct stream **ret, struct fault *fault)
{
	for (;;) {
		union address address;
		socklen_t n = sizeof(address);
		int fd = accept4(self->fd, &address.any, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			*ret = accepted(fd, &address);
			return 0;
		}
		if (is_about_one_connection(errno))
			continue;
		if (errno != EAGAIN)
			return fault_local(fault, "cannot accept connections on port %u: %s",
					   self->port, strerror(errno));
		if (watch_wait(self->watch, RUN_READABLE, "a connection", fault) < 0)
			return -1;
	}
}

struct listener *listener_free(struct listener *self)
{
	if (!self)
		return NULL;

	watch_free(self->watch);
	if (self->fd >= 0)
		close(self->fd);
	free(self);
	return NULL;
}
