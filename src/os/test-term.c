/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal, with a pseudo terminal whose other end the test holds; and core dumps. */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "lib/check.h"
#include "os/process.h"
#include "os/term.h"
#include "os/testing.h"

static void not_a_terminal(struct check *check)
{
	int ends[2];

	CHECK_EQ(pipe(ends), 0);
	CHECK(!os_is_terminal(ends[0]));
	CHECK_EQ(os_terminal_width(ends[0]), 80);
	CHECK(!os_is_terminal(-1));
	close(ends[0]);
	close(ends[1]);
}

static void width(struct check *check)
{
	struct winsize size = { .ws_row = 24, .ws_col = 132 };
	int master, slave;

	CHECK_EQ(openpty(&master, &slave, NULL, NULL, &size), 0);
	CHECK(os_is_terminal(slave));
	CHECK_EQ(os_terminal_width(slave), 132);
	close(slave);
	close(master);
}

/* --- passwords ------------------------------------------------------------------------------- */

/* A process on a terminal of its own that asks; answers with its exit status. */
struct asking {
	int master;
	pid_t pid;
	struct buf shown;
};

static int ask(const char *want)
{
	_cleanup_(freep) char *got = NULL;
	struct termios before, after;
	struct fault fault = FAULT_INIT;
	int r;

	if (tcgetattr(0, &before) < 0)
		return 10;
	r = os_read_password("Password: ", &got, &fault);
	if (tcgetattr(0, &after) < 0 || before.c_lflag != after.c_lflag)
		return 11;
	if (r < 0)
		return fault.kind == FAULT_USAGE ? 12 : 13;
	return strcmp(got, want) == 0 ? 0 : 14;
}

static void ask_in_terminal(struct asking *asking, const char *want)
{
	*asking = (struct asking){ .master = -1 };
	asking->pid = forkpty(&asking->master, NULL, NULL, NULL);
	if (asking->pid < 0)
		abort();
	if (asking->pid == 0)
		_exit(ask(want));
}

static void read_shown(struct asking *asking)
{
	ssize_t n = read(asking->master, buf_reserve(&asking->shown, 1000), 1000);

	if (n > 0) {
		asking->shown.n += (size_t)n;
		asking->shown.p[asking->shown.n] = '\0';
	}
}

static void wait_for_prompt(struct asking *asking, int times)
{
	int seen;

	do {
		const char *p = buf_str(&asking->shown);

		for (seen = 0; (p = strstr(p, "Password: ")); seen++)
			p++;
		if (seen < times)
			read_shown(asking);
	} while (seen < times);
}

static void type(struct asking *asking, const char *keys)
{
	if (write(asking->master, keys, strlen(keys)) < 0)
		abort();
}

/* The exit status or minus the signal. */
static int answer_of(struct asking *asking)
{
	int status = 0;

	waitpid(asking->pid, &status, 0);
	read_shown(asking);
	close(asking->master);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void password(struct check *check)
{
	struct asking asking;

	ask_in_terminal(&asking, "s3cret w\303\266rd");
	wait_for_prompt(&asking, 1);
	type(&asking, "s3cret w\303\266rd\n");
	CHECK_EQ(answer_of(&asking), 0);
	CHECK(!strstr(buf_str(&asking.shown), "s3cret"));
	buf_done(&asking.shown);
}

static void no_password(struct check *check)
{
	static const char *const keys[] = { "\n", "\004" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct asking asking;

		ask_in_terminal(&asking, "never");
		wait_for_prompt(&asking, 1);
		type(&asking, keys[i]);
		CHECK_EQ(answer_of(&asking), 12);
		buf_done(&asking.shown);
	}
}

static void interrupted(struct check *check)
{
	struct asking asking;
	struct termios now;

	ask_in_terminal(&asking, "never");
	wait_for_prompt(&asking, 1);
	CHECK_EQ(tcgetattr(asking.master, &now), 0);
	CHECK(!(now.c_lflag & ECHO));
	type(&asking, "half a pass\003");
	CHECK_EQ(waitid(P_PID, (id_t)asking.pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	CHECK_EQ(tcgetattr(asking.master, &now), 0);
	CHECK(now.c_lflag & ECHO);
	CHECK_EQ(answer_of(&asking), -SIGINT);
	buf_done(&asking.shown);
}

/* Stopped and continued: it asks again. (Only a handler or a shell can stop a process whose group is orphaned,
 * as here; so the signal that comes is one that does nothing.) */
static void asked_again(struct check *check)
{
	struct asking asking;

	signal(SIGHUP, SIG_IGN);
	ask_in_terminal(&asking, "second try");
	signal(SIGHUP, SIG_DFL);
	wait_for_prompt(&asking, 1);
	type(&asking, "lost");
	CHECK_EQ(kill(asking.pid, SIGHUP), 0);
	wait_for_prompt(&asking, 2);
	type(&asking, "second try\n");
	CHECK_EQ(answer_of(&asking), 0);
	buf_done(&asking.shown);
}

static int ask_without_terminal(void *arg)
{
	struct fault fault = FAULT_INIT;
	char *got = NULL;

	(void)arg;
	setsid();
	return os_read_password("Password: ", &got, &fault) < 0 && fault.kind == FAULT_USAGE ? 5 : 1;
}

static void nobody_to_ask(struct check *check)
{
	CHECK_EQ(testing_fork(ask_without_terminal, NULL, NULL, NULL), 5);
}

/* --- core dumps ------------------------------------------------------------------------------ */

static int forbid(void *arg)
{
	struct rlimit limit;

	(void)arg;
	os_forbid_dumps();
	if (getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_cur != 0)
		return 1;
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 5 : 2;
}

static void dumps(struct check *check)
{
	CHECK_EQ(testing_fork(forbid, NULL, NULL, NULL), 5);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "not a terminal", not_a_terminal },
		{ "width", width },
		{ "a password without echo", password },
		{ "no password", no_password },
		{ "interrupted", interrupted },
		{ "asked again", asked_again },
		{ "nobody to ask", nobody_to_ask },
		{ "core dumps", dumps },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
