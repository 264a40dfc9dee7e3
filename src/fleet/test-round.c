/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of mailboxes among processes that come and die. */
#include "fleet/round.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/check.h"
#include "os/folder.h"
#include "os/testing.h"

struct asked {
	const char *state;
	const char *id, *slug;
	bool note, dies;
};

static int ask(void *arg)
{
	struct asked *a = arg;
	enum round_answer answer;
	struct fault fault;

	if (round_claim(a->state, a->id, a->slug, &answer, &fault) < 0)
		return 99;
	if (answer == ROUND_OURS && a->note &&
	    round_note(a->state, a->id, a->slug, "3 well", &fault) < 0)
		return 98;
	if (a->dies)
		kill(getpid(), SIGKILL);
	return (int)answer;
}

static int make(void *arg)
{
	_cleanup_(buf_done) struct buf id = BUF_NULL;
	struct fault fault;

	return round_make(arg, &id, &fault) < 0;
}

static void remove_state(struct testing_folder *state, const char *id)
{
	char path[300];
	struct fault fault;

	round_remove(state->path, id);
	snprintf(path, sizeof(path), "%s/rounds", state->path);
	os_remove_folder(path, &fault);
	testing_folder_remove(state);
}

static void claims(struct check *check)
{
	struct testing_folder state;
	_cleanup_(buf_done) struct buf id = BUF_NULL;
	enum round_answer answer;
	struct fault fault;
	char text[100];
	struct asked asked;

	testing_folder_make(&state);
	CHECK_EQ(round_make(state.path, &id, &fault), 0);
	asked = (struct asked){ state.path, buf_str(&id), "anna", false, false };

	/* A process that lives holds it. */
	CHECK_EQ(round_claim(state.path, buf_str(&id), "anna", &answer, &fault), 0);
	CHECK_EQ(answer, ROUND_OURS);
	CHECK_EQ(testing_fork(ask, &asked, NULL, NULL), ROUND_THEIRS);
	CHECK_EQ(round_ask(state.path, buf_str(&id), "anna", text, sizeof(text), &fault), 1);
	CHECK_EQ(round_note(state.path, buf_str(&id), "anna", "0 well", &fault), 0);
	CHECK_EQ(round_ask(state.path, buf_str(&id), "anna", text, sizeof(text), &fault), 0);
	CHECK_STR(text, "0 well");

	/* Done with by one that has ended since. */
	asked.slug = "berta";
	asked.note = true;
	CHECK_EQ(testing_fork(ask, &asked, NULL, NULL), ROUND_OURS);
	asked.note = false;
	CHECK_EQ(testing_fork(ask, &asked, NULL, NULL), ROUND_DONE);

	/* Ended in the middle of it: the next one takes it over, but not for ever. */
	asked.slug = "carla";
	asked.dies = true;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(testing_fork(ask, &asked, NULL, NULL), -SIGKILL);
	asked.dies = false;
	CHECK_EQ(testing_fork(ask, &asked, NULL, NULL), ROUND_CURSED);
	CHECK_EQ(testing_fork(ask, &asked, NULL, NULL), ROUND_CURSED);

	/* Taken over by one that lives. */
	asked.slug = "dora";
	asked.dies = true;
	CHECK_EQ(testing_fork(ask, &asked, NULL, NULL), -SIGKILL);
	CHECK_EQ(round_claim(state.path, buf_str(&id), "dora", &answer, &fault), 0);
	CHECK_EQ(answer, ROUND_OURS);
	asked.dies = false;
	CHECK_EQ(testing_fork(ask, &asked, NULL, NULL), ROUND_THEIRS);
	remove_state(&state, buf_str(&id));
}

/* Many at the same moment, over mailboxes of which some are a dead process's: each goes to one. */
static void a_race(struct check *check)
{
	enum { PROCESSES = 4, MAILBOXES = 50 };
	struct testing_folder state;
	_cleanup_(buf_done) struct buf id = BUF_NULL;
	struct fault fault;
	int ends[2], got[MAILBOXES] = { 0 };
	pid_t pids[PROCESSES];
	unsigned char number;
	char slug[16];

	testing_folder_make(&state);
	CHECK_EQ(round_make(state.path, &id, &fault), 0);
	for (int i = 0; i < MAILBOXES; i += 2) {
		struct asked asked = { state.path, buf_str(&id), slug, false, true };

		snprintf(slug, sizeof(slug), "m%d", i);
		testing_fork(ask, &asked, NULL, NULL);
	}
	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	for (int p = 0; p < PROCESSES; p++) {
		pids[p] = fork();
		if (pids[p] != 0)
			continue;
		for (int i = 0; i < MAILBOXES; i++) {
			enum round_answer answer;

			snprintf(slug, sizeof(slug), "m%d", i);
			number = (unsigned char)i;
			if (round_claim(state.path, buf_str(&id), slug, &answer, &fault) < 0)
				_exit(1);
			if (answer == ROUND_OURS && write(ends[1], &number, 1) != 1)
				_exit(2);
		}
		close(ends[1]);
		sleep(600); /* alive until all have tried */
		_exit(0);
	}
	for (int i = 0; i < MAILBOXES; i++) {
		CHECK_EQ(read(ends[0], &number, 1), 1);
		got[number]++;
	}
	for (int i = 0; i < MAILBOXES; i++)
		CHECK_EQ(got[i], 1);
	for (int p = 0; p < PROCESSES; p++)
		kill(pids[p], SIGKILL);
	close(ends[0]);
	close(ends[1]);
	remove_state(&state, buf_str(&id));
}

/* What a killed process left goes away with the next round; what belongs to a living one stays. */
static void old_rounds(struct check *check)
{
	struct testing_folder state;
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(buf_done) struct buf first = BUF_NULL, second = BUF_NULL;
	const char **names;
	struct fault fault;
	char path[300];
	size_t n;

	testing_folder_make(&state);
	CHECK_EQ(testing_fork(make, state.path, NULL, NULL), 0);
	CHECK_EQ(round_make(state.path, &first, &fault), 0);
	CHECK_EQ(round_make(state.path, &second, &fault), 0);
	snprintf(path, sizeof(path), "%s/rounds", state.path);
	CHECK_EQ(os_list_folder(path, &arena, &names, &n, &fault), 0);
	CHECK_EQ(n, 2);
	round_remove(state.path, buf_str(&first));
	remove_state(&state, buf_str(&second));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "claims", claims },
		{ "a race", a_race },
		{ "old rounds", old_rounds },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
