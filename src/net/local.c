/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets with a name in the file system, see stream.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "net/accept.h"
#include "net/stream.h"

enum { BACKLOG = 16 };

struct local_listener {
	int fd;
	struct watch *watch;
	char *path;
};

static int make_address(const char *path, struct sockaddr_un *ret, struct fault *fault)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(ret->sun_path))
		return fault_usage(fault, "%s is too long a name for a socket: at most %zu bytes", path, sizeof(ret->sun_path) - 1);
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return 0;
}

int local_listener_new(const char *path, struct local_listener **ret, struct fault *fault)
{
	_cleanup_(local_listener_freep) struct local_listener *self = xzalloc(sizeof(*self));
	struct sockaddr_un address;

	self->fd = -1;
	if (make_address(path, &address, fault) < 0)
		return -1;
	self->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (self->fd < 0 || (unlink(path) < 0 && errno != ENOENT) ||
	    bind(self->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fault_local(fault, "cannot listen on %s: %s", path, strerror(errno));
	self->path = xstrdup(path);

	/* Nobody can connect before listen(): nobody but us ever could. */
	if (chmod(path, 0600) < 0 || listen(self->fd, BACKLOG) < 0 || !(self->watch = watch_new(self->fd)))
		return fault_local(fault, "cannot listen on %s: %s", path, strerror(errno));
	*ret = TAKE_PTR(self);
	return 0;
}

int local_listener_accept(struct local_listener *self, struct stream **ret, unsigned *ret_uid, struct fault *fault)
{
	struct ucred who;
	socklen_t n = sizeof(who);
	int fd;

	if (net_accept(self->fd, self->watch, self->path, NULL, NULL, &fd, fault) < 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0) {
		fault_set(fault, FAULT_LIMIT, REACH_SESSION, AGAIN_NOW, "%s: nobody knows who connected: %s", self->path,
			  strerror(errno));
		close(fd);
		return -1;
	}
	*ret_uid = who.uid;
	*ret = tcp_stream_new(fd, self->path);
	return 0;
}

struct local_listener *local_listener_free(struct local_listener *self)
{
	if (!self)
		return NULL;

	watch_free(self->watch);
	if (self->fd >= 0)
		close(self->fd);
	if (self->path)
		unlink(self->path);
	free(self->path);
	free(self);
	return NULL;
}

int local_connect(const char *path, struct stream **ret, struct fault *fault)
{
	struct sockaddr_un address;
	int fd, error;

	if (make_address(path, &address, fault) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		*ret = tcp_stream_new(fd, path);
		return 0;
	}
	error = errno;
	if (fd >= 0)
		close(fd);
	if (error == ENOENT || error == ECONNREFUSED || error == ENOTDIR)
		return fault_set(fault, FAULT_TRANSPORT, REACH_PROCESS, AGAIN_LATER, "nobody listens on %s", path);
	return fault_local(fault, "cannot connect to %s: %s", path, strerror(error));
}
