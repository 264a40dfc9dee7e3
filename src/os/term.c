/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal, see term.h. Signals are not handled but blocked and watched while echo is off: when one is
 * pending the terminal is put back first, then the signal let through to do whatever it does. */
#include "os/term.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/xalloc.h"

enum { PASSWORD_MAX = 1024 };

bool os_is_terminal(int fd)
{
	return isatty(fd) == 1;
}

int os_terminal_width(int fd)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

int os_terminal_height(int fd)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
		return 24;
	return size.ws_row;
}

struct question {
	int tty, signals;
	struct termios former;
	sigset_t former_mask;
	char answer[PASSWORD_MAX + 1];
	size_t n;
};

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		(void)0; /* the answer is what counts */
}

static int echo_off(struct question *q)
{
	struct termios silent;

	if (tcgetattr(q->tty, &q->former) < 0)
		return -1;
	silent = q->former;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	silent.c_lflag |= ICANON | ISIG;
	return tcsetattr(q->tty, TCSAFLUSH, &silent);
}

/* 1: the line is whole; 0: a signal came first; -1: no answer will come. */
static int read_line(struct question *q)
{
	struct pollfd fds[] = {
		{ .fd = q->signals, .events = POLLIN },
		{ .fd = q->tty, .events = POLLIN },
	};

	while (q->n <= PASSWORD_MAX) {
		ssize_t n;

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return -1;
		if (fds[0].revents)
			return 0;
		if (!fds[1].revents)
			continue;
		n = read(q->tty, q->answer + q->n, PASSWORD_MAX + 1 - q->n);
		if (n <= 0)
			return -1;
		q->n += (size_t)n;
		if (q->answer[q->n - 1] == '\n')
			return 1;
	}
	return -1;
}

static void block_signals(struct question *q)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
	sigset_t mask;

	sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaddset(&mask, numbers[i]);
	sigprocmask(SIG_BLOCK, &mask, &q->former_mask);
	q->signals = signalfd(-1, &mask, SFD_CLOEXEC);
}

/* As read_line(). A signal that is pending takes effect in the last line of this. */
static int ask_once(struct question *q, const char *prompt)
{
	int r = -1;

	q->n = 0;
	block_signals(q);
	if (q->signals >= 0 && echo_off(q) == 0) {
		say(q->tty, prompt);
		r = read_line(q);
		tcsetattr(q->tty, TCSAFLUSH, &q->former);
		say(q->tty, "\n");
	}
	if (q->signals >= 0)
		close(q->signals);
	sigprocmask(SIG_SETMASK, &q->former_mask, NULL);
	return r;
}

int os_read_password(const char *prompt, char **ret, struct fault *fault)
{
	struct question q = { .n = 0 };
	char *answer = NULL;
	int r;

	q.tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (q.tty < 0)
		return fault_usage(fault, "there is no terminal to ask for a password");

	/* Again after a signal that did not end us: ^Z and fg. */
	do
		r = ask_once(&q, prompt);
	while (r == 0);
	close(q.tty);
	while (q.n > 0 && (q.answer[q.n - 1] == '\n' || q.answer[q.n - 1] == '\r'))
		q.n--;
	if (r > 0 && q.n > 0)
		answer = bytes_to_str((struct bytes){ q.answer, q.n });
	wipe(q.answer, sizeof(q.answer));
	if (!answer)
		return fault_usage(fault, "no password was given");

	*ret = answer;
	return 0;
}
