/* SPDX-License-Identifier: Apache-2.0 */
/* Each case in a process of its own, as nothing is given back. */
#include "os/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/check.h"
#include "os/testing.h"

/* What a forked process found out: bits of its exit status. */
enum { READ_FILE = 1, WROTE_FILE = 2, RAN_PROGRAM = 4, CONNECTED = 8, ACCEPTED = 16, THREAD = 32, LOOKED_UP = 64,
       REACHED = 128 };

/* Instead of them. */
enum { NOT_ENTERED = READ_FILE | REACHED, NO_WALL = WROTE_FILE | REACHED };

static void *nothing(void *arg)
{
	return arg;
}

static int listen_on(uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&address, n) < 0 || listen(fd, 5) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &n) < 0)
		return -1;
	*port = ntohs(address.sin_port);
	return fd;
}

static bool connects(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool done = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

	if (fd >= 0)
		close(fd);
	return done;
}

static bool opens(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool runs(void)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool looks_up(void)
{
	struct addrinfo *found = NULL;
	bool done = getaddrinfo("localhost", NULL, NULL, &found) == 0;

	if (found)
		freeaddrinfo(found);
	return done;
}

/* Other processes, by whatever way: a socket with a path, a signal, their limits, a copy of this one. */
static bool reaches(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct rlimit limit = { 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool done;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	done = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	if (fd >= 0)
		close(fd);
	done |= kill(getppid(), 0) == 0 || syscall(SYS_tgkill, getppid(), getppid(), 0) == 0;
	done |= prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit) == 0;
	return done;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 5) < 0 ? -1 : fd;
}

struct inside {
	enum os_sandbox kind;
	char own[300], socket[300];
	bool enter;
};

static int try_all(void *arg)
{
	const struct inside *inside = arg;
	struct os_walls walls = { 0 };
	struct fault fault = FAULT_INIT;
	pthread_t thread;
	uint16_t port;
	int listener = listen_on(&port), waiting = socket(AF_INET, SOCK_STREAM, 0), found = 0;
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	if (connect(waiting, (struct sockaddr *)&address, sizeof(address)) < 0)
		return NOT_ENTERED;
	if (inside->enter) {
		if (os_sandbox_enter(inside->kind, &walls, &fault) < 0 || !walls.no_new_privileges) {
			fprintf(stderr, "# %s\n", fault.text);
			return NOT_ENTERED;
		}
		if (!walls.landlock && !walls.seccomp)
			return NO_WALL;
	}
	found |= opens("/etc/passwd", O_RDONLY) ? READ_FILE : 0;
	found |= opens(inside->own, O_WRONLY | O_CREAT) ? WROTE_FILE : 0;
	found |= runs() ? RAN_PROGRAM : 0;
	found |= connects(port) ? CONNECTED : 0;
	found |= accept4(listener, NULL, NULL, SOCK_CLOEXEC) >= 0 ? ACCEPTED : 0;
	found |= looks_up() ? LOOKED_UP : 0;
	/* seccomp alone keeps from that; a build with sanitizers has none. */
	found |= (!inside->enter || walls.seccomp) && reaches(inside->socket) ? REACHED : 0;
	if (pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0)
		found |= THREAD;
	return found;
}

static int inside(enum os_sandbox kind, bool enter)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	struct inside what = { .kind = kind, .enter = enter };
	int listener, result;

	testing_folder_make(&folder);
	snprintf(what.own, sizeof(what.own), "%s", testing_path(&folder, "own"));
	snprintf(what.socket, sizeof(what.socket), "%s", testing_path(&folder, "socket"));
	listener = listen_at(what.socket);
	if (listener < 0)
		return NOT_ENTERED;
	result = testing_fork(try_all, &what, NULL, NULL);
	close(listener);
	return result;
}

static void outside(struct check *check)
{
	CHECK_EQ(inside(OS_SANDBOX_SERVER, false),
		 READ_FILE | WROTE_FILE | RAN_PROGRAM | CONNECTED | ACCEPTED | THREAD | LOOKED_UP | REACHED);
}

static void server(struct check *check)
{
	int found = inside(OS_SANDBOX_SERVER, true);

	if (found == NO_WALL)
		check_skip(check, "this kernel has neither Landlock nor seccomp");
	CHECK_EQ(found & (READ_FILE | WROTE_FILE | RAN_PROGRAM | ACCEPTED | THREAD | REACHED), ACCEPTED | THREAD);
}

static void client(struct check *check)
{
	int found = inside(OS_SANDBOX_CLIENT, true);

	if (found == NO_WALL)
		check_skip(check, "this kernel has neither Landlock nor seccomp");
	CHECK_EQ(found & ~READ_FILE, CONNECTED | ACCEPTED | THREAD | LOOKED_UP);
}

/* --- users ----------------------------------------------------------------------------------- */

static int become_nobody(void *arg)
{
	struct fault fault = FAULT_INIT;

	if (os_become("nobody", &fault) < 0)
		return 1;
	return os_is_root() || setuid(0) == 0 || getegid() == 0 ? 2 : 0;
}

static int become_who_is_not(void *arg)
{
	struct fault fault = FAULT_INIT;

	return os_become("no-such-user-here", &fault) == -1 && fault.kind == FAULT_USAGE ? 0 : 1;
}

static void users(struct check *check)
{
	CHECK_EQ(testing_fork(become_who_is_not, NULL, NULL, NULL), 0);
	if (!os_is_root())
		check_skip(check, "only root becomes others");
	CHECK_EQ(testing_fork(become_nobody, NULL, NULL, NULL), 0);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "outside", outside }, { "server", server }, { "client", client }, { "users", users }, { 0 },
	};

	return check_main(argc, argv, cases);
}
