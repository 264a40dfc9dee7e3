/* SPDX-License-Identifier: Apache-2.0 */
/* A program as the peer, see stream.h: `ssh host imapd` and the like. The bytes are socket.c's business;
 * here are the program's start and its end.
 *
 * It runs in a session of its own: our Ctrl-C is not its Ctrl-C (we still want to say LOGOUT), all its
 * children can be told to end together, and without a terminal an ssh that wants a password fails with a
 * sentence instead of stopping for ever. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "net/socket.h"

extern char **environ;

enum {
	GRACE_TURNS = 50,     /* milliseconds to end by itself once its input is closed */
	TERMINATE_TURNS = 150, /* and after SIGTERM, before SIGKILL */
};

struct pipe_stream {
	struct socket_stream socket;
	char *command;
	pid_t pid;
	bool reaped;
	int status; /* as of waitpid(2), once reaped */
};

static struct pipe_stream *pipe_of(struct stream *s)
{
	return (struct pipe_stream *)s;
}

static bool reap(struct pipe_stream *self, int options)
{
	pid_t r;

	if (self->reaped)
		return true;

	do {
		r = waitpid(self->pid, &self->status, options);
	} while (r < 0 && errno == EINTR);
	self->reaped = r != 0; /* an error means there is nothing left to reap */
	return self->reaped;
}

static int fault_ended(const struct pipe_stream *self, struct fault *fault)
{
	const char *peer = self->socket.stream.peer;

	if (WIFSIGNALED(self->status))
		return fault_set(fault, FAULT_LOCAL, REACH_SERVER, AGAIN_NEVER,
				 "%s was ended by signal %d before saying anything", peer,
				 WTERMSIG(self->status));
	return fault_set(fault, FAULT_LOCAL, REACH_SERVER, AGAIN_NEVER,
			 "%s ended with status %d before saying anything%s", peer,
			 WEXITSTATUS(self->status),
			 WEXITSTATUS(self->status) == 127 ? " (no such program)" : "");
}

/* The end of its output comes a moment before the kernel lets us ask how it ended. */
SUSPENDS static int explain_silence(struct pipe_stream *self, struct fault *fault)
{
	for (int64_t pause = MSEC; pause <= 128 * MSEC; pause *= 2) {
		if (reap(self, WNOHANG))
			return fault_ended(self, fault);
		if (run_sleep(pause, fault) < 0)
			return -1;
	}
	return fault_transport(fault, "%s closed its output before saying anything",
			       self->socket.stream.peer);
}

SUSPENDS static int pipe_read(struct stream *s, void *p, size_t n, struct fault *fault)
{
	int got = socket_read(s, p, n, fault);
	bool over = got == 0 || (got < 0 && fault->kind == FAULT_TRANSPORT);

	if (over && s->bytes_in == 0)
		return explain_silence(pipe_of(s), fault);
	return got;
}

static bool wait_a_little(struct pipe_stream *self, int turns)
{
	const struct timespec millisecond = { .tv_nsec = 1000000 };

	while (!reap(self, WNOHANG)) {
		if (turns-- == 0)
			return false;
		nanosleep(&millisecond, NULL);
	}
	return true;
}

/* The one place that holds up the loop, for a fifth of a second at most: a program that ends at the end
 * of its input, as they do, is gone in one or two turns. */
static void end_program(struct pipe_stream *self)
{
	if (wait_a_little(self, GRACE_TURNS))
		return;

	kill(-self->pid, SIGTERM);
	if (wait_a_little(self, TERMINATE_TURNS))
		return;

	kill(-self->pid, SIGKILL);
	reap(self, 0);
}

static void pipe_free(struct stream *s)
{
	struct pipe_stream *self = pipe_of(s);

	socket_done(&self->socket);
	end_program(self);
	free(self->command);
	free(self);
}

static const struct stream_ops pipe_ops = {
	.name = "pipe",
	.read = pipe_read,
	.enqueue = socket_enqueue,
	.wait_room = socket_wait_room,
	.drain = socket_drain,
	.shutdown = socket_shutdown,
	.free = pipe_free,
};

/* We ignore SIGPIPE; the program shall not inherit that. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, defaults;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &defaults);
	return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
							    POSIX_SPAWN_SETSIGDEF |
							    POSIX_SPAWN_SETSID);
}

/* Returns 0 or errno. */
static int spawn_shell(char *command, int fd, pid_t *ret_pid)
{
	char sh[] = "sh", option[] = "-c";
	char *arguments[] = { sh, option, command, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return ENOMEM;
	}

	error = set_attributes(&attributes);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	if (!error)
		error = posix_spawn(ret_pid, "/bin/sh", &actions, &attributes, arguments, environ);

	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

int pipe_stream_new(const char *command, struct stream **ret, struct fault *fault)
{
	_cleanup_(freep) char *own = xstrdup(command);
	struct pipe_stream *self;
	char peer[160];
	int fds[2], error;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return fault_local(fault, "cannot make a pipe for '%s': %s", command,
				   strerror(errno));

	/* Only our end: programs do not expect EAGAIN on their standard input. */
	error = fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 ? errno : spawn_shell(own, fds[1], &pid);
	close(fds[1]);
	if (error) {
		close(fds[0]);
		return fault_local(fault, "cannot start '%s': %s", command, strerror(error));
	}

	self = xzalloc(sizeof(*self));
	snprintf(peer, sizeof(peer), "the command '%.120s%s'", command,
		 strlen(command) > 120 ? "…" : "");
	socket_init(&self->socket, &pipe_ops, fds[0], peer);
	self->command = TAKE_PTR(own);
	self->pid = pid;
	*ret = &self->socket.stream;
	return 0;
}
