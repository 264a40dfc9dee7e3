/* SPDX-License-Identifier: Apache-2.0 */
/* See accept.h. */
#include "net/accept.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "os/step.h"

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

/* Waiting mends anything else. */
static bool is_about_the_socket(int error)
{
	switch (error) {
	case EBADF:
	case EFAULT:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
		return true;
	default:
		return false;
	}
}

int net_accept(int fd, struct watch *watch, const char *name, struct sockaddr *address, unsigned *n, int *ret_fd,
	       struct fault *fault)
{
	unsigned room = n ? *n : 0;

	for (;;) {
		if (n)
			*n = room;
		*ret_fd = step_fails("accept") ? -1 : accept4(fd, address, n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (*ret_fd >= 0)
			return 0;
		if (is_about_one_connection(errno))
			continue;
		if (is_about_the_socket(errno))
			return fault_local(fault, "cannot accept connections on %s: %s", name, strerror(errno));
		if (errno != EAGAIN)
			return fault_set(fault, FAULT_LIMIT, REACH_PROCESS, AGAIN_LATER,
					 "cannot accept connections on %s: %s", name, strerror(errno));
		if (watch_wait(watch, RUN_READABLE, "a connection", fault) < 0)
			return -1;
	}
}
