/* SPDX-License-Identifier: Apache-2.0 */
/* Commands, see spawn.h. They stay in our process group, on purpose: a password command may ask on
 * the terminal, which is refused to background groups, and ^C should reach it as it reaches us. So
 * only the shell can be killed; what it started and left behind loses its reader. */
#include "os/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"

extern char **environ;

struct command {
	pid_t pid;
	int pidfd;
	int out; /* our end of its standard output */
	int64_t deadline;
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

/* --- starting -------------------------------------------------------------------------------- */

/* The caller may ignore SIGPIPE or block signals (threads of a pool do); the command must not. */
static int set_signals(posix_spawnattr_t *attributes)
{
	sigset_t none, pipe_only;
	int error;

	sigemptyset(&none);
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	error = posix_spawnattr_setsigmask(attributes, &none);
	if (error == 0)
		error = posix_spawnattr_setsigdefault(attributes, &pipe_only);
	if (error == 0)
		error = posix_spawnattr_setflags(attributes,
						 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	return error;
}

static int spawn_shell(char *command, int out, pid_t *ret_pid)
{
	static char name[] = "sh", option[] = "-c";
	char *argv[] = { name, option, command, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error;

	error = posix_spawn_file_actions_init(&actions);
	if (error != 0)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return error;
	}

	error = set_signals(&attributes);
	/* Not closed but empty: the first file it opened would become its standard input. */
	if (error == 0)
		error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
							 O_RDONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (error == 0)
		error = posix_spawn(ret_pid, "/bin/sh", &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static int fault_start(struct fault *fault, int error)
{
	return fault_local(fault, "cannot start a command: %s", strerror(error));
}

static int reap_pid(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int reap(struct command *c)
{
	return reap_pid(c->pid);
}

static int start(struct command *c, const char *command, struct fault *fault)
{
	_cleanup_(freep) char *own = xstrdup(command);
	int ends[2], error;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fault_start(fault, errno);
	error = spawn_shell(own, ends[1], &c->pid);
	close(ends[1]);
	if (error != 0) {
		close(ends[0]);
		return fault_start(fault, error);
	}

	c->out = ends[0];
	c->pidfd = pidfd_open(c->pid, 0);
	if (c->pidfd >= 0 && fcntl(c->out, F_SETFL, O_NONBLOCK) == 0)
		return 0;

	error = errno;
	kill(c->pid, SIGKILL);
	reap(c);
	close(c->out);
	if (c->pidfd >= 0)
		close(c->pidfd);
	return fault_start(fault, error);
}

/* --- listening ------------------------------------------------------------------------------- */

/* Waits until it printed or ended. -1: too late. */
static int wait_for_it(struct command *c, bool printing)
{
	struct pollfd fds[] = {
		{ .fd = c->pidfd, .events = POLLIN },
		{ .fd = printing ? c->out : -1, .events = POLLIN },
	};

	for (;;) {
		int64_t left = c->deadline - now();
		int r;

		if (left <= 0)
			return -1;
		/* By the hour: a distant deadline does not fit poll()'s int. */
		r = poll(fds, ARRAY_SIZE(fds), (int)(left < HOUR ? left / MSEC + 1 : HOUR / MSEC));
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -1;
	}
}

static bool has_ended(const struct command *c)
{
	struct pollfd fd = { .fd = c->pidfd, .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

/* Reads what there is. 1: more may come; 0: the end of its output; -1: too much. */
static int read_output(struct command *c, size_t limit, struct buf *out)
{
	while (out->n <= limit) {
		size_t want = limit + 1 - out->n;
		ssize_t n = read(c->out, buf_reserve(out, want), want);

		if (n > 0)
			out->n += (size_t)n;
		else if (n == 0)
			return 0;
		else if (errno != EINTR)
			return errno == EAGAIN ? 1 : 0;
	}
	return -1;
}

/* Until the shell has ended and what it printed is read. Something it left in the background may
 * hold the pipe open for ever, so the end of the pipe is not waited for. */
static int listen_to(struct command *c, size_t limit, struct buf *out, enum fault_kind *ret_why)
{
	bool printing = true;

	for (;;) {
		bool ended;
		int r = 0;

		if (wait_for_it(c, printing) < 0) {
			*ret_why = FAULT_TIMEOUT;
			return -1;
		}
		/* Asked before reading, so that nothing printed before the end is missed. */
		ended = has_ended(c);
		if (printing)
			r = read_output(c, limit, out);
		if (r < 0) {
			*ret_why = FAULT_LIMIT;
			return -1;
		}
		if (ended)
			return 0;
		if (r == 0)
			printing = false;
	}
}

int os_command_output(const char *command, size_t max_bytes, int64_t timeout_us, struct buf *out,
		      int *ret_status, struct fault *fault)
{
	struct command c = { .pid = -1 };
	enum fault_kind why = FAULT_NONE;
	size_t limit = out->n + max_bytes;
	int r;

	if (start(&c, command, fault) < 0)
		return -1;

	if (__builtin_add_overflow(now(), timeout_us, &c.deadline))
		c.deadline = MOMENT_NEVER;
	buf_reserve(out, max_bytes + 1);
	r = listen_to(&c, limit, out, &why);
	out->p[out->n] = '\0';
	if (r < 0)
		kill(c.pid, SIGKILL);
	*ret_status = reap(&c);
	close(c.out);
	close(c.pidfd);
	if (r == 0)
		return 0;

	if (why == FAULT_LIMIT)
		return fault_set(fault, FAULT_LIMIT, REACH_PROCESS, AGAIN_NEVER,
				 "the command printed more than %zu bytes", max_bytes);
	return fault_set(fault, FAULT_TIMEOUT, REACH_PROCESS, AGAIN_LATER,
			 "the command did not end within %lld s", (long long)(timeout_us / SECOND));
}

/* --- more of ourselves ----------------------------------------------------------------------- */

/* The ends it gets: of a pipe for its input, so that it can tell our end from nothing to read, and
 * of sockets, so that a loop can wait for ours. */
struct ends {
	int in[2], out[2], err[2];
};

static void close_ends(struct ends *ends, bool ours)
{
	int *fds[] = { ours ? &ends->in[1] : &ends->in[0], ours ? &ends->out[0] : &ends->out[1],
		       ours ? &ends->err[0] : &ends->err[1] };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (*fds[i] >= 0)
			close(*fds[i]);
}

static int open_ends(struct ends *ends)
{
	*ends = (struct ends){ { -1, -1 }, { -1, -1 }, { -1, -1 } };
	if (pipe2(ends->in, O_CLOEXEC) == 0 &&
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends->out) == 0 &&
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends->err) == 0)
		return 0;
	return errno;
}

/* This program once more. add() says which descriptors it gets. Returns an errno. */
static int spawn_self(const char *const *argv, int (*add)(posix_spawn_file_actions_t *actions, const void *arg),
		      const void *arg, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);

	if (error != 0)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return error;
	}

	error = set_signals(&attributes);
	if (error == 0)
		error = add(&actions, arg);
	if (error == 0)
		error = posix_spawn(ret_pid, "/proc/self/exe", &actions, &attributes,
				    (char *const *)(uintptr_t)argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static int add_ends(posix_spawn_file_actions_t *actions, const void *arg)
{
	const struct ends *ends = arg;
	int error = posix_spawn_file_actions_adddup2(actions, ends->in[0], STDIN_FILENO);

	if (error == 0)
		error = posix_spawn_file_actions_adddup2(actions, ends->out[1], STDOUT_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(actions, ends->err[1], STDERR_FILENO);
	return error;
}

int os_child_start(const char *const *argv, struct os_child *ret, struct fault *fault)
{
	struct ends ends;
	pid_t pid = -1;
	int watch = -1, error = open_ends(&ends);

	if (error == 0)
		error = spawn_self(argv, add_ends, &ends, &pid);
	close_ends(&ends, false);
	if (error == 0) {
		watch = pidfd_open(pid, 0);
		error = watch < 0 ? errno : 0;
	}
	if (error == 0) {
		*ret = (struct os_child){ pid, watch, ends.in[1], ends.out[0], ends.err[0] };
		return 0;
	}

	close_ends(&ends, true); /* which ends it, if it was started */
	if (pid > 0)
		reap_pid(pid);
	return fault_local(fault, "cannot start another process of this program: %s",
			   strerror(error));
}

void os_child_stop(const struct os_child *child)
{
	pidfd_send_signal(child->watch, SIGTERM, NULL, 0);
}

int os_child_reap(struct os_child *child)
{
	int fds[] = { child->watch, child->in, child->out, child->err };
	int status = reap_pid((pid_t)child->pid);

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	*child = (struct os_child){ .pid = -1, .watch = -1, .in = -1, .out = -1, .err = -1 };
	return status;
}

/* --- parts ----------------------------------------------------------------------------------- */

enum { PART_FDS_MAX = 64 };

/* Descriptors are first moved out of the way of the numbers they are to get, as copies that end with exec. */
static int lift(const int *fds, size_t n, int link, int *to)
{
	for (size_t i = 0; i <= n; i++) {
		to[i] = fcntl(i < n ? fds[i] : link, F_DUPFD_CLOEXEC, OS_PART_FDS + PART_FDS_MAX);
		if (to[i] < 0) {
			int error = errno;

			while (i-- > 0)
				close(to[i]);
			return error;
		}
	}
	return 0;
}

struct lifted {
	int fds[PART_FDS_MAX + 1]; /* the last is the link */
	size_t n;                  /* without it */
};

static int add_lifted(posix_spawn_file_actions_t *actions, const void *arg)
{
	const struct lifted *l = arg;
	int error = posix_spawn_file_actions_adddup2(actions, l->fds[l->n], STDIN_FILENO);

	if (error == 0)
		error = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
	for (size_t i = 0; i < l->n && error == 0; i++)
		error = posix_spawn_file_actions_adddup2(actions, l->fds[i], OS_PART_FDS + (int)i);
	return error;
}

static int start_part(const char *const *argv, const int *fds, size_t n, int theirs, struct os_part *part)
{
	struct lifted lifted = { .n = n };
	int error = lift(fds, n, theirs, lifted.fds);
	pid_t pid;

	if (error != 0)
		return error;
	error = spawn_self(argv, add_lifted, &lifted, &pid);
	for (size_t i = 0; i <= n; i++)
		close(lifted.fds[i]);
	if (error != 0)
		return error;

	part->pid = pid;
	part->watch = pidfd_open(pid, 0);
	if (part->watch >= 0)
		return 0;
	error = errno;
	kill(pid, SIGKILL);
	reap_pid(pid);
	return error;
}

int os_part_start(const char *const *argv, const int *fds, size_t n, struct os_part *ret, struct fault *fault)
{
	int ends[2], error;

	assert(n <= PART_FDS_MAX);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fault_local(fault, "cannot start another process of this program: %s", strerror(errno));
	ret->link = ends[0];
	error = fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? errno : start_part(argv, fds, n, ends[1], ret);
	close(ends[1]);
	if (error == 0)
		return 0;

	close(ends[0]);
	return fault_local(fault, "cannot start another process of this program: %s", strerror(error));
}

void os_part_stop(const struct os_part *part, bool now)
{
	pidfd_send_signal(part->watch, now ? SIGKILL : SIGTERM, NULL, 0);
}

int os_part_reap(struct os_part *part)
{
	int status = reap_pid((pid_t)part->pid);

	close(part->watch);
	if (part->link >= 0)
		close(part->link);
	*part = (struct os_part){ .pid = -1, .watch = -1, .link = -1 };
	return status;
}
