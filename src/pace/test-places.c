/* SPDX-License-Identifier: Apache-2.0 */
/* Connections in fibers: places, resting, being cancelled. Where minutes matter, the moments noted inside
 * are moved back instead of waiting. */
#include "pace/testing.h"

/* --- places ----------------------------------------------------------------------------------- */

struct user {
	struct pace *pace;
	struct buf *log;
	char name;
	int yields; /* how long it holds its place */
};

static int use_place(void *arg, struct fault *fault)
{
	struct user *u = arg;

	if (pace_enter(u->pace, fault) < 0)
		return -1;

	buf_append_char(u->log, u->name);
	for (int i = 0; i < u->yields; i++) {
		if (run_yield(fault) < 0)
			break;
	}
	pace_leave(u->pace);
	return 0;
}

/* Two places at the server; a has one for long. b comes last and has none: it goes before a's
 * second and third. */
static int take_turns(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(buf_done) struct buf log = BUF_NULL;
	_cleanup_(nursery_done) struct nursery nursery;
	struct pace_state state;
	struct tree t;

	tree_init(&t, 0, 2, 0);

	struct user users[] = {
		{ t.accounts[0], &log, 'a', 20 }, { t.accounts[2], &log, 'c', 2 }, { t.accounts[0], &log, 'A', 1 },
		{ t.accounts[0], &log, 'x', 1 }, { t.accounts[1], &log, 'b', 1 },
	};

	nursery_init(&nursery, "users");
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		nursery_start(&nursery, use_place, &users[i], "%c", users[i].name);
	EXPECT(run_yield(fault) == 0);
	pace_look(t.server, &state);
	EXPECT(state.connections == 2 && state.bearable == 2 && state.pause_us == 0 && !state.why[0]);
	EXPECT(nursery_wait(&nursery, fault) == 0);
	EXPECT(strcmp(buf_str(&log), "acbAx") == 0);
	EXPECT(t.all->connections == 0 && t.server->connections == 0 && t.accounts[0]->connections == 0);
	EXPECT(list_is_empty(&t.server->holders));
	tree_done(&t);
	return 0;
}

static void places(struct check *check)
{
	in_fiber(check, take_turns);
}

/* Many newcomers: one who has a place already waits longer for his second, but not for ever. */
static int not_for_ever(void *arg, struct fault *fault)
{
	enum { MANY = 40 };
	struct check *check = arg;
	_cleanup_(buf_done) struct buf log = BUF_NULL;
	_cleanup_(nursery_done) struct nursery nursery;
	struct pace *server = limit(2, NULL), *a = limit(0, server), *others[MANY];
	struct user users[MANY], first = { a, &log, 'a', 1000 }, second = { a, &log, 'A', 1 };
	const char *at;

	nursery_init(&nursery, "users");
	nursery_start(&nursery, use_place, &first, "a");
	EXPECT(run_yield(fault) == 0);
	for (int i = 0; i < MANY; i++) {
		others[i] = limit(0, server);
		users[i] = (struct user){ others[i], &log, 'o', 1 };
		nursery_start(&nursery, use_place, &users[i], "o");
		if (i == 0)
			nursery_start(&nursery, use_place, &second, "A");
	}
	EXPECT(nursery_wait(&nursery, fault) == 0);
	at = strchr(buf_str(&log), 'A');
	EXPECT(log.n == MANY + 2 && at && at - log.p > 10 && at - log.p < 20);
	for (int i = 0; i < MANY; i++)
		pace_free(others[i]);
	pace_free(a);
	pace_free(server);
	return 0;
}

static void second_place(struct check *check)
{
	in_fiber(check, not_for_ever);
}

/* Whatever is asked for in whatever order, cancelled here and there: never too many, and nothing
 * left behind. */
struct busy {
	struct tree *tree;
	struct check *check;
	unsigned seed, rounds;
};

static int come_and_go(void *arg, struct fault *fault)
{
	struct busy *b = arg;
	struct check *check = b->check;

	while (b->rounds-- > 0) {
		struct pace *p = b->tree->accounts[(b->seed = b->seed * 1103515245 + 12345) >> 16 & 3];

		if (pace_enter(p, fault) < 0)
			return -1;
		EXPECT(b->tree->all->connections <= 5 && b->tree->server->connections <= 4 && p->connections <= 2);
		for (unsigned i = 0; i < (b->seed >> 20 & 3); i++) {
			if (run_yield(fault) < 0) {
				pace_leave(p);
				return -1;
			}
		}
		if (pace_pause(p, fault) < 0) {
			pace_leave(p);
			return -1;
		}
		pace_leave(p);
	}
	return 0;
}

static int churn(void *arg, struct fault *fault)
{
	enum { FIBERS = 24 };
	struct check *check = arg;
	struct busy busy[FIBERS];
	struct tree t;

	tree_init(&t, 5, 4, 2);
	for (unsigned round = 0; round < 30; round++) {
		_cleanup_(nursery_done) struct nursery stay, go;
		struct fault ignored;

		nursery_init(&stay, "stay");
		nursery_init(&go, "go");
		for (unsigned i = 0; i < FIBERS; i++) {
			busy[i] = (struct busy){ &t, check, round * 100 + i, i % 3 ? 10 : 1000000 };
			nursery_start(i % 3 ? &stay : &go, come_and_go, &busy[i], "%u", i);
		}
		for (unsigned i = 0; i < round; i++)
			EXPECT(run_yield(fault) == 0);
		nursery_cancel(&go);
		EXPECT(nursery_wait(&go, &ignored) == -1 && ignored.kind == FAULT_CANCELLED);
		EXPECT(nursery_wait(&stay, fault) == 0);
		EXPECT(t.all->connections == 0 && t.server->connections == 0 && t.all->resting == 0);
		EXPECT(list_is_empty(&t.all->entering) && list_is_empty(&t.server->holders));
	}
	tree_done(&t);
	return 0;
}

static void many(struct check *check)
{
	in_fiber(check, churn);
}

/* Eight who each need a place at the old server and then one at the new: with four for both
 * together, none may wait for ever. */
struct mover {
	struct pace *old, *new;
	int done;
};

static int move(void *arg, struct fault *fault)
{
	struct mover *m = arg;

	if (pace_enter(m->old, fault) < 0)
		return -1;
	if (run_yield(fault) < 0 || pace_enter(m->new, fault) < 0) {
		pace_leave(m->old);
		return -1;
	}
	m->done += run_yield(fault) == 0;
	pace_leave(m->new);
	pace_leave(m->old);
	return 0;
}

static int pairs(void *arg, struct fault *fault)
{
	enum { MOVERS = 8 };
	struct check *check = arg;
	struct pace *all = limit(4, NULL), *old = limit(0, all), *new = limit(0, all);
	struct mover movers[MOVERS];
	_cleanup_(nursery_done) struct nursery nursery;
	_deadline_(5 * SECOND);

	nursery_init(&nursery, "movers");
	for (int i = 0; i < MOVERS; i++) {
		movers[i] = (struct mover){ limit(0, old), limit(0, new), 0 };
		nursery_start(&nursery, move, &movers[i], "%d", i);
	}
	EXPECT(all->servers == 2);
	EXPECT(run_yield(fault) == 0);
	EXPECT(old->connections == 2);
	EXPECT(nursery_wait(&nursery, fault) == 0);
	for (int i = 0; i < MOVERS; i++) {
		EXPECT(movers[i].done == 1);
		pace_free(movers[i].old);
		pace_free(movers[i].new);
	}
	EXPECT(all->servers == 0);
	pace_free(old);
	pace_free(new);
	pace_free(all);
	return 0;
}

static void two_servers(struct check *check)
{
	in_fiber(check, pairs);
}

/* Waits no longer than its deadline, and leaves nothing. */
static int late(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pace *p = limit(1, NULL);
	int64_t before = run_now();
	struct fault why = FAULT_INIT;

	EXPECT(pace_enter(p, fault) == 0);
	{
		_deadline_(20 * MSEC);
		EXPECT(pace_enter(p, &why) == -1 && why.kind == FAULT_TIMEOUT);
	}
	EXPECT(run_now() - before < SECOND / 2);
	EXPECT(p->connections == 1 && list_is_empty(&p->entering));
	pace_leave(p);
	pace_free(p);
	return 0;
}

static void deadline(struct check *check)
{
	in_fiber(check, late);
}

/* --- resting ---------------------------------------------------------------------------------- */

struct worker {
	struct pace *pace;
	int batches; /* done */
	bool stop;
};

static int work(void *arg, struct fault *fault)
{
	struct worker *w = arg;
	int r = 0;

	if (pace_enter(w->pace, fault) < 0)
		return -1;
	while (!w->stop && r == 0) {
		r = pace_pause(w->pace, fault);
		if (r == 0)
			w->batches++;
		if (r == 0)
			r = run_yield(fault);
	}
	pace_leave(w->pace);
	return r;
}

static int some_time(struct fault *fault)
{
	for (int i = 0; i < 40; i++) {
		if (run_yield(fault) < 0)
			return -1;
	}
	return 0;
}

static int batches_of(struct worker *workers, int n, int *counts, struct fault *fault)
{
	for (int i = 0; i < n; i++)
		workers[i].batches = 0;
	if (some_time(fault) < 0)
		return -1;
	for (int i = 0; i < n; i++)
		counts[i] = workers[i].batches;
	return 0;
}

static struct turn *first_resting(struct pace *root)
{
	return list_entry(root->rests.next, struct turn, link);
}

/* Workers 0 and 1 are of the first account, 2 of the second, 3 of the third. */
static int fewer(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(nursery_done) struct nursery nursery;
	struct worker workers[4] = { 0 };
	struct tree t;
	int n[4] = { 0 };

	tree_init(&t, 0, 0, 0);
	nursery_init(&nursery, "workers");
	for (int i = 0; i < 4; i++) {
		workers[i].pace = t.accounts[i ? i - 1 : 0];
		nursery_start(&nursery, work, &workers[i], "%d", i);
	}
	EXPECT(some_time(fault) == 0);
	EXPECT(batches_of(workers, 4, n, fault) == 0 && n[0] && n[1] && n[2] && n[3]);

	t.server->calm.connections = 3; /* each account keeps one; the first gives one up */
	EXPECT(some_time(fault) == 0);
	EXPECT(batches_of(workers, 4, n, fault) == 0 && !n[0] != !n[1] && n[2] && n[3]);
	EXPECT(t.server->resting == 1 && t.all->resting == 1);

	t.server->calm.connections = 1; /* who came first goes on */
	EXPECT(some_time(fault) == 0);
	EXPECT(batches_of(workers, 4, n, fault) == 0 && !n[0] != !n[1] && !n[2] && !n[3]);
	EXPECT(t.server->resting == 3 && t.server->connections == 4);

	first_resting(t.all)->since -= 5 * MINUTE; /* long enough: he takes another's turn */
	EXPECT(some_time(fault) == 0);
	EXPECT(t.server->resting == 3);
	EXPECT(batches_of(workers, 4, n, fault) == 0 && !!n[0] + !!n[1] + !!n[2] + !!n[3] == 1);

	t.server->calm.connections = 0; /* no limit any more */
	pace_settle(t.all);
	EXPECT(some_time(fault) == 0);
	EXPECT(batches_of(workers, 4, n, fault) == 0 && n[0] && n[1] && n[2] && n[3]);
	EXPECT(t.all->resting == 0);

	for (int i = 0; i < 4; i++)
		workers[i].stop = true;
	EXPECT(nursery_wait(&nursery, fault) == 0);
	tree_done(&t);
	return 0;
}

static void fewer_bearable(struct check *check)
{
	in_fiber(check, fewer);
}

/* The one that works leaves: another goes on at once. One that rests is cancelled: nothing is
 * left. */
static int leaving(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(nursery_done) struct nursery one, two, three;
	struct worker a = { 0 }, b = { 0 }, c = { 0 };
	struct fault ignored;
	struct tree t;

	tree_init(&t, 0, 0, 0);
	a.pace = t.accounts[0];
	b.pace = t.accounts[1];
	c.pace = t.accounts[2];
	nursery_init(&one, "one");
	nursery_init(&two, "two");
	nursery_init(&three, "three");
	nursery_start(&one, work, &a, "a");
	nursery_start(&two, work, &b, "b");
	nursery_start(&three, work, &c, "c");
	EXPECT(some_time(fault) == 0);
	t.server->calm.connections = 1;
	EXPECT(some_time(fault) == 0);
	EXPECT(t.server->resting == 2);

	nursery_cancel(&three);
	EXPECT(nursery_wait(&three, &ignored) == -1);
	EXPECT(t.server->resting == 1 && t.server->connections == 2 && t.accounts[2]->resting == 0);
	a.stop = true;
	EXPECT(nursery_wait(&one, fault) == 0);
	EXPECT(t.server->resting == 0);
	b.batches = 0;
	EXPECT(some_time(fault) == 0);
	EXPECT(b.batches > 0);
	b.stop = true;
	EXPECT(nursery_wait(&two, fault) == 0);
	tree_done(&t);
	return 0;
}

static void leaving_while_resting(struct check *check)
{
	in_fiber(check, leaving);
}

/* A connection nobody works with holds the only bearable place: whoever asks goes on all the same,
 * if slowly. */
static int idle_holder(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(nursery_done) struct nursery nursery;
	struct worker w = { 0 };
	struct tree t;

	tree_init(&t, 0, 0, 0);
	w.pace = t.accounts[1];
	EXPECT(pace_enter(t.accounts[0], fault) == 0); /* and sits there */
	nursery_init(&nursery, "worker");
	t.server->calm.connections = 2;
	nursery_start(&nursery, work, &w, "w");
	EXPECT(some_time(fault) == 0);
	t.server->calm.connections = 1;
	EXPECT(some_time(fault) == 0);
	EXPECT(t.server->resting == 1);
	w.batches = 0;
	first_resting(t.all)->quiet_since -= 10 * SECOND;
	turn_wake(first_resting(t.all));
	EXPECT(some_time(fault) == 0);
	EXPECT(w.batches == 1);
	w.stop = true;
	pace_leave(t.accounts[0]);
	EXPECT(nursery_wait(&nursery, fault) == 0);
	tree_done(&t);
	return 0;
}

static void one_works_always(struct check *check)
{
	in_fiber(check, idle_holder);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "places, in turn", places },
		{ "a second place", second_place },
		{ "many come and go", many },
		{ "two servers share a limit", two_servers },
		{ "a deadline", deadline },
		{ "fewer are bearable", fewer_bearable },
		{ "leaving while others rest", leaving_while_resting },
		{ "one works always", one_works_always },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
