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
#include "net/accept.h"
#include "net/socket.h"

struct listener {
	int fd;
	struct watch *watch;
	uint16_t port;
	char name[INET6_ADDRSTRLEN + 16];
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

static void format_address(const union address *address, char *to, size_t size)
{
	char text[INET6_ADDRSTRLEN] = "unknown";

	if (address->any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET, &address->v4.sin_addr, text, sizeof(text));
	snprintf(to, size, strchr(text, ':') ? "[%s]:%u" : "%s:%u", text, port_of(address));
}

/* Learns what an open socket is bound to, and watches it. */
static int settle(struct listener *self)
{
	union address address;
	socklen_t n = sizeof(address);

	if (getsockname(self->fd, &address.any, &n) < 0)
		return -1;
	tcp_set_options(self->fd);
	self->port = port_of(&address);
	format_address(&address, self->name, sizeof(self->name));
	self->watch = watch_new(self->fd);
	return self->watch ? 0 : -1;
}

static int bind_and_listen(struct listener *self, union address *address)
{
	bool is_v6 = address->any.sa_family == AF_INET6;
	int on = 1;

	self->fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (self->fd < 0)
		return -1;

	/* Or a restart would have to wait for the last connections' TIME_WAIT. */
	if (setsockopt(self->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -1;
	/* "[::]" beside "0.0.0.0" on one port, as configurations have it. */
	if (is_v6 && setsockopt(self->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return -1;
	if (bind(self->fd, &address->any, is_v6 ? sizeof(address->v6) : sizeof(address->v4)) < 0 ||
	    listen(self->fd, SOMAXCONN) < 0)
		return -1;
	return settle(self);
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
	char peer[INET6_ADDRSTRLEN + 16];

	format_address(address, peer, sizeof(peer));
	return tcp_stream_accepted(fd, peer);
}

SUSPENDS static int accept_one(struct listener *self, int *ret_fd, union address *ret_address, struct fault *fault)
{
	unsigned n = sizeof(*ret_address);

	return net_accept(self->fd, self->watch, self->name, &ret_address->any, &n, ret_fd, fault);
}

SUSPENDS int listener_accept(struct listener *self, struct stream **ret, struct fault *fault)
{
	union address address;
	int fd;

	if (accept_one(self, &fd, &address, fault) < 0)
		return -1;
	*ret = accepted(fd, &address);
	return 0;
}

SUSPENDS int listener_accept_from(struct listener *self, struct stream **ret, struct ip *ret_address,
				  uint16_t *ret_port, struct fault *fault)
{
	union address address;
	int fd;

	if (accept_one(self, &fd, &address, fault) < 0)
		return -1;
	*ret = accepted(fd, &address);
	*ret_address = address.any.sa_family == AF_INET6 ? ip_of(&address.v6.sin6_addr, 16) : ip_of(&address.v4.sin_addr, 4);
	*ret_port = port_of(&address);
	return 0;
}

int listener_fd(const struct listener *listener)
{
	return listener->fd;
}

int listener_inherit(int fd, struct listener **ret, struct fault *fault)
{
	_cleanup_(listener_freep) struct listener *self = xzalloc(sizeof(*self));

	self->fd = fd;
	if (settle(self) < 0)
		return fault_local(fault, "cannot listen on what was handed on: %s", strerror(errno));
	*ret = TAKE_PTR(self);
	return 0;
}

const char *listener_name(const struct listener *listener)
{
	return listener->name;
}

bool listener_is_at(const struct listener *listener, const char *address_text, uint16_t port)
{
	char name[sizeof(listener->name)];
	union address address;
	struct fault ignored;

	if (parse_address(address_text, port, &address, &ignored) < 0)
		return false;
	format_address(&address, name, sizeof(name));
	return strcmp(name, listener->name) == 0;
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
