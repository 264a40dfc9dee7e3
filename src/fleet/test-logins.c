/* SPDX-License-Identifier: Apache-2.0 */
/* Logins that are shared: who shares what, and how often one that is refused is tried, by many at once, in one process
 * and in two of a round. */
#include "fleet/logins.h"

#include <stdio.h>
#include <string.h>

#include "fleet/round.h"
#include "lib/check.h"
#include "os/folder.h"
#include "os/testing.h"
#include "run/run.h"

static const struct login_words words = { "source old.example", "master", "anna@example.org", "password_file of it" };

static void add(struct logins *l, size_t i, const char *url, const char *user, const char *file)
{
	struct side_options o = { .url = url, .user = user, .password_file = file };

	logins_add(l, i, false, &o);
}

static void who_shares(struct check *check)
{
	struct logins *l = logins_new(10);

	add(l, 0, "imaps://old.example", "master", "a");       /* one user, whatever the file */
	add(l, 1, "imaps://OLD.example:993", "master", "b");
	add(l, 2, "imaps://old.example", "anna*master", "c");  /* one secret */
	add(l, 3, "imaps://old.example", "ben*master", "c");
	add(l, 4, "imaps://old.example", "chen", "chen.pw");   /* nothing */
	add(l, 5, "imaps://new.example", "master", "a");       /* another server's */
	add(l, 6, "imap+pipe:program", "x", NULL);
	add(l, 7, "imap+pipe:program", "x", NULL);
	add(l, 8, "nonsense", "master", "a");
	logins_sort(l);
	EXPECT(logins_of(l, 0, false) && logins_of(l, 0, false) == logins_of(l, 1, false));
	EXPECT(logins_of(l, 2, false) && logins_of(l, 2, false) == logins_of(l, 3, false));
	EXPECT(logins_of(l, 0, false) != logins_of(l, 2, false));
	for (size_t i = 4; i < 12; i++)
		EXPECT(!logins_of(l, i, false));
	EXPECT(!logins_of(l, 0, true)); /* the other side was not added */
	logins_free(l);
}

/* --- trying ------------------------------------------------------------------------------------ */

enum outcome { LET_IN, REFUSED, KNOWN, LOST, LATER };

struct trial {
	struct check *check;
	struct login *login;
	enum outcome outcome;
	int tried, at_once, most, put_off;
	const char *state, *id; /* of a round */
};

static struct logins *shared(void)
{
	struct logins *l = logins_new(2);

	add(l, 0, "imaps://old.example", "master", "a");
	add(l, 1, "imaps://old.example", "master", "a");
	logins_sort(l);
	return l;
}

static void answer(struct login *login, enum outcome outcome)
{
	struct fault why;

	fault_set(&why, FAULT_AUTH, REACH_MAILBOX, AGAIN_NEVER, "login as master was refused");
	if (outcome == LOST)
		fault_transport(&why, "lost");
	if (outcome == LATER)
		why.again = AGAIN_LATER;
	login_tried(login, outcome == LET_IN ? NULL : &why, outcome == KNOWN, &words);
}

static int try_it(void *arg, struct fault *fault)
{
	struct trial *t = arg;
	struct check *check = t->check;

	if (login_enter(t->login, fault) < 0) {
		EXPECT(fault->kind == FAULT_AUTH && fault->reach == REACH_SERVER && fault->again == AGAIN_NEVER);
		EXPECT(strstr(fault->text, "source old.example: login as master was refused 3 times in a row") &&
		       strstr(fault->text, "anna@example.org") && strstr(fault->text, "password_file of it"));
		t->put_off++;
		return 0;
	}
	t->tried++;
	if (++t->at_once > t->most)
		t->most = t->at_once;
	if (run_sleep(MSEC, fault) < 0)
		return -1;
	t->at_once--;
	answer(t->login, t->outcome);
	return 0;
}

static void try_many(struct trial *t, int times)
{
	struct nursery nursery;
	struct fault ignored;

	nursery_init(&nursery, "tries");
	for (int i = 0; i < times; i++)
		nursery_start(&nursery, try_it, t, "try %d", i);
	nursery_wait(&nursery, &ignored);
}

static int refused_for_all(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct logins *l = shared();
	struct trial t = { .check = check, .login = logins_of(l, 0, false), .outcome = REFUSED };
	bool news;

	try_many(&t, 100);
	CHECK_EQ(t.tried, 3);
	CHECK_EQ(t.put_off, 97);
	EXPECT(login_given_up(t.login, &news) && news);
	EXPECT(login_given_up(t.login, &news) && !news); /* told once */
	logins_free(l);
	return 0;
}

/* Refused while many are on their way: those, and no others. */
static int refused_later(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct logins *l = shared();
	struct trial t = { .check = check, .login = logins_of(l, 0, false), .outcome = LET_IN };
	bool news;

	try_many(&t, 10);
	EXPECT(t.tried == 10);
	try_many(&t, 20);
	EXPECT(t.tried == 30 && t.most == 20);
	for (int round = 0; round < 5; round++) {
		t.outcome = REFUSED;
		try_many(&t, 2);
		t.outcome = round % 2 ? LET_IN : KNOWN; /* starts the counting over */
		try_many(&t, 1);
	}
	EXPECT(t.put_off == 0 && !login_given_up(t.login, &news) && !news);

	t.outcome = REFUSED;
	t.tried = 0;
	try_many(&t, 1);
	try_many(&t, 50);
	EXPECT(t.tried == 3 && t.put_off == 48);
	logins_free(l);
	return 0;
}

static int what_does_not_count(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct logins *l = shared();
	struct trial t = { .check = check, .login = logins_of(l, 0, false), .outcome = LOST };

	try_many(&t, 20);
	t.outcome = LATER;
	try_many(&t, 20);
	EXPECT(t.tried == 40 && t.put_off == 0 && t.most == 3);
	t.outcome = REFUSED;
	try_many(&t, 10);
	EXPECT(t.tried == 43 && t.put_off == 7);
	logins_free(l);
	return 0;
}

/* --- two processes of a round ------------------------------------------------------------------ */

/* What one learns the other need not try. */
static int in_a_round(void *arg, struct fault *fault)
{
	struct trial *given = arg;
	struct check *check = given->check;
	struct logins *l[2] = { shared(), shared() };
	struct trial t[2];
	struct nursery nursery;
	bool news;

	nursery_init(&nursery, "processes");
	for (int i = 0; i < 2; i++) {
		logins_share(l[i], given->state, given->id);
		t[i] = *given;
		t[i].login = logins_of(l[i], 0, false);
		for (int k = 0; k < 10; k++)
			nursery_start(&nursery, try_it, &t[i], "try %d of %d", k, i);
	}
	if (nursery_wait(&nursery, fault) < 0)
		return -1;

	if (given->outcome == REFUSED) {
		EXPECT(t[0].tried + t[1].tried == 3 && t[0].put_off + t[1].put_off == 17);
		EXPECT(login_given_up(t[0].login, &news) && (t[0].tried ? news : !news));
		EXPECT(login_given_up(t[1].login, &news) && (t[1].tried ? news : !news));
	} else {
		EXPECT(t[0].tried == 10 && t[1].tried == 10);
		/* Later one of them is refused three times, and the other once. */
		t[0].outcome = t[1].outcome = REFUSED;
		try_many(&t[0], 1);
		try_many(&t[0], 4);
		try_many(&t[1], 1);
		try_many(&t[1], 5);
		EXPECT(t[0].tried == 13 && t[0].put_off == 2);
		EXPECT(t[1].tried == 11 && t[1].put_off == 5);
	}
	logins_free(l[0]);
	logins_free(l[1]);
	return 0;
}

static void round_with(struct check *check, enum outcome outcome)
{
	struct testing_folder state;
	_cleanup_(buf_done) struct buf id = BUF_NULL;
	struct trial t = { .check = check, .outcome = outcome };
	struct fault fault = FAULT_INIT;
	char path[300];

	testing_folder_make(&state);
	if (round_make(state.path, &id, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	t.state = state.path;
	t.id = buf_str(&id);
	if (run_main("test", in_a_round, &t, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	round_remove(state.path, buf_str(&id));
	snprintf(path, sizeof(path), "%s/rounds", state.path);
	os_remove_folder(path, &fault);
	testing_folder_remove(&state);
}

static void round_refused(struct check *check)
{
	round_with(check, REFUSED);
}

static void round_let_in(struct check *check)
{
	round_with(check, LET_IN);
}

static void alone(struct check *check, fiber_fn fn)
{
	struct fault fault = FAULT_INIT;

	if (run_main("test", fn, check, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
}

static void refused_from_the_start(struct check *check)
{
	alone(check, refused_for_all);
}

static void refused_in_a_row(struct check *check)
{
	alone(check, refused_later);
}

static void other_faults(struct check *check)
{
	alone(check, what_does_not_count);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "who shares a login", who_shares },
		{ "one that is refused is tried three times, by however many", refused_from_the_start },
		{ "being let in, or known, starts the counting over", refused_in_a_row },
		{ "what is no refusal does not count", other_faults },
		{ "in a round: one process tries it for all", round_refused },
		{ "in a round: one that worked, and later does not", round_let_in },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
