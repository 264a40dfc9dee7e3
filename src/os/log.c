/* SPDX-License-Identifier: Apache-2.0 */
/* See log.h. The system's log is spoken to as syslog(3) does (RFC 3164, section 4.1, without a time: the daemon has one), but a
 * daemon that does not take a line in time is a failure, not a line lost in silence. */
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "os/step.h"

enum { FACILITY_MAIL = 2 << 3 };

struct os_log {
	int fd;
	char *path, *name; /* name: of the system's log only */
	bool is_torn;      /* the file does not end with a line end */
};

static struct os_log *log_new(int fd, const char *path, const char *name)
{
	struct os_log *log = xmalloc(sizeof(*log));

	*log = (struct os_log){ .fd = fd, .path = xstrdup(path), .name = name ? xstrdup(name) : NULL };
	return log;
}

int os_log_file(const char *path, struct os_log **ret, struct fault *fault)
{
	struct stat st;
	int fd;

	/* NONBLOCK: a pipe without a reader fails at once. */
	do
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return fault_usage(fault, "cannot open %s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return fault_usage(fault, "%s is no plain file", path);
	}
	*ret = log_new(fd, path, NULL);
	return 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 1 };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int os_log_system(const char *path, const char *name, struct os_log **ret, struct fault *fault)
{
	int fd = connect_to(path);

	if (fd < 0)
		return fault_local(fault, "cannot reach the system's log at %s: %s", path, strerror(errno));
	*ret = log_new(fd, path, name);
	return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

static size_t count_lines(struct bytes b)
{
	size_t n = 0;

	for (size_t i = 0; i < b.n; i++)
		n += b.p[i] == '\n';
	return n;
}

static int write_file(struct os_log *log, struct bytes lines, size_t *ret_n, struct fault *fault)
{
	struct bytes rest = lines;

	if (log->is_torn && (step_fails("write") || write(log->fd, "\n", 1) != 1))
		return fault_local(fault, "cannot write %s: %s", log->path, strerror(errno));
	log->is_torn = false;
	while (rest.n > 0) {
		ssize_t n = step_fails("write") ? -1 : write(log->fd, rest.p, rest.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			struct bytes done = bytes_head(lines, lines.n - rest.n);

			log->is_torn = done.n > 0 && done.p[done.n - 1] != '\n';
			*ret_n = count_lines(done);
			return fault_local(fault, "cannot write %s: %s", log->path, strerror(errno));
		}
		rest = bytes_skip(rest, (size_t)n);
	}
	*ret_n = count_lines(lines);
	return 0;
}

/* A daemon that was started anew has another socket of that name. */
static ssize_t send_line(struct os_log *log, struct bytes datagram)
{
	ssize_t n = step_fails("write") ? -1 : send(log->fd, datagram.p, datagram.n, MSG_NOSIGNAL);

	if (n < 0 && (errno == ECONNREFUSED || errno == ENOTCONN || errno == ECONNRESET)) {
		int fd = connect_to(log->path);

		if (fd < 0)
			return -1;
		close(log->fd);
		log->fd = fd;
		n = send(log->fd, datagram.p, datagram.n, MSG_NOSIGNAL);
	}
	return n;
}

static int write_system(struct os_log *log, struct bytes lines, enum os_log_level (*level_of)(struct bytes line),
			size_t *ret_n, struct fault *fault)
{
	_cleanup_(buf_done) struct buf datagram = BUF_NULL;

	while (lines.n > 0) {
		struct bytes line = bytes_cut(&lines, '\n');

		buf_reset(&datagram);
		buf_appendf(&datagram, "<%d>%s[%ld]: ", FACILITY_MAIL | (int)(level_of ? level_of(line) : OS_LOG_INFO), log->name,
			    (long)getpid());
		buf_append_bytes(&datagram, line);
		if (send_line(log, buf_bytes(&datagram)) < 0)
			return fault_local(fault, "the system's log at %s does not take a line: %s", log->path, strerror(errno));
		++*ret_n;
	}
	return 0;
}

int os_log_write(struct os_log *log, struct bytes lines, enum os_log_level (*level_of)(struct bytes line), size_t *ret_n,
		 struct fault *fault)
{
	*ret_n = 0;
	return log->name ? write_system(log, lines, level_of, ret_n, fault) : write_file(log, lines, ret_n, fault);
}

struct os_log *os_log_close(struct os_log *log)
{
	if (!log)
		return NULL;

	close(log->fd);
	free(log->path);
	free(log->name);
	free(log);
	return NULL;
}
