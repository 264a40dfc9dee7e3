/* SPDX-License-Identifier: Apache-2.0 */
/* Programs as peers: talking, ending well, ending badly, not ending. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "net/testing.h"

static void expect_no_children(struct check *check)
{
	EXPECT(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static int echo_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct stream *s;
	struct flow flow = { .check = check, .seed = 3, .n = 3000000, .end = true }, back;
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "echo");
	if (pipe_stream_new("cat", &s, fault) < 0)
		return -1;

	EXPECT(strcmp(s->peer, "the command 'cat'") == 0);
	flow.stream = s;
	back = flow;
	nursery_start(&nursery, flow_send, &flow, "sender");
	nursery_start(&nursery, flow_receive, &back, "receiver");
	if (nursery_wait(&nursery, fault) < 0) {
		stream_free(s);
		return -1;
	}
	s = stream_free(s);
	expect_no_children(check);
	return 0;
}

static void echo(struct check *check)
{
	in_fiber(check, echo_run);
}

static const struct {
	const char *command, *words;
} bad_starts[] = {
	{ "no-such-program-anywhere 2>&-",
	  "the command 'no-such-program-anywhere 2>&-' ended with status 127 before saying anything" },
	{ "exit 3", "the command 'exit 3' ended with status 3 before saying anything" },
	{ "kill -9 $$", "was ended by signal 9 before saying anything" },
};

static int bad_start_run(void *arg, struct fault *fault)
{
	struct check *check = arg;

	for (size_t i = 0; i < ARRAY_SIZE(bad_starts); i++) {
		struct stream *s;
		char got[10];

		if (pipe_stream_new(bad_starts[i].command, &s, fault) < 0)
			return -1;
		EXPECT(stream_read(s, got, sizeof(got), fault) < 0);
		expect_fault(check, fault, FAULT_LOCAL, bad_starts[i].words);
		EXPECT(fault->again == AGAIN_NEVER);
		s = stream_free(s);
		expect_no_children(check);
	}
	return 0;
}

static void bad_start(struct check *check)
{
	in_fiber(check, bad_start_run);
}

static int last_words_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct stream *s;
	char line[200];

	if (pipe_stream_new("echo '* BYE no'; exit 1", &s, fault) < 0)
		return -1;
	if (read_line(s, line, fault) < 0)
		return failed(check, "line", fault);
	EXPECT(strcmp(line, "* BYE no") == 0);
	EXPECT(stream_read(s, line, 1, fault) == 0);
	s = stream_free(s);
	return 0;
}

static void last_words(struct check *check)
{
	in_fiber(check, last_words_run);
}

/* Programs that do not leave by themselves, nor even when asked. */
static int stubborn_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	static const char *const commands[] = {
		"echo ready; while :; do sleep 60; done",
		"trap '' TERM; echo ready; while :; do sleep 60; done",
	};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		struct stream *s;
		char line[200];

		if (pipe_stream_new(commands[i], &s, fault) < 0)
			return -1;
		if (read_line(s, line, fault) < 0)
			return failed(check, "line", fault);
		s = stream_free(s);
		expect_no_children(check);
	}
	return 0;
}

static void stubborn(struct check *check)
{
	in_fiber(check, stubborn_run);
}

/* It can be told by SIGPIPE that nobody listens, though we ignore that signal ourselves. */
static int signals_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct stream *s;
	char line[200];

	if (pipe_stream_new("(kill -PIPE $(sh -c 'echo $PPID'); echo alive) || echo gone", &s,
			    fault) < 0)
		return -1;
	if (read_line(s, line, fault) < 0)
		return failed(check, "line", fault);
	EXPECT(strcmp(line, "gone") == 0);
	s = stream_free(s);
	return 0;
}

static void signals_are_default(struct check *check)
{
	in_fiber(check, signals_run);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "echo", echo },
		{ "bad-start", bad_start },
		{ "last-words", last_words },
		{ "stubborn", stubborn },
		{ "signals-are-default", signals_are_default },
		{ 0 },
	};
	return check_main(argc, argv, cases);
}
