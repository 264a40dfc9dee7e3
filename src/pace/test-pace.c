/* SPDX-License-Identifier: Apache-2.0 */
/* Limits in fibers: places, resting, being told off, being cancelled. Where minutes matter, the
 * moments noted inside are moved back instead of waiting. */
#include "lib/check.h"
#include "pace/inside.h"

static void in_fiber(struct check *check, fiber_fn fn)
{
	struct fault fault = FAULT_INIT;

	CHECK_EQ(run_main("test", fn, check, &fault), 0);
}

static struct pace *limit(unsigned connections, struct pace *above)
{
	struct pace_settings settings = { .name = "server old.example", .limits.connections = connections };

	return pace_new(&settings, above);
}

/* A server and its accounts. */
enum { ACCOUNTS = 6 };

struct tree {
	struct pace *all, *server, *accounts[ACCOUNTS];
};

static void tree_init(struct tree *t, unsigned of_all, unsigned of_server, unsigned of_account)
{
	t->all = limit(of_all, NULL);
	t->server = limit(of_server, t->all);
	for (int i = 0; i < ACCOUNTS; i++)
		t->accounts[i] = limit(of_account, t->server);
}

static void tree_done(struct tree *t)
{
	for (int i = 0; i < ACCOUNTS; i++)
		t->accounts[i] = pace_free(t->accounts[i]);
	t->server = pace_free(t->server);
	t->all = pace_free(t->all);
}

/* --- places ----------------------------------------------------------------------------------- */

struct user {
	struct pace *pace;
	struct buf *log;
	char name;
	int yields; /* how long it holds its place */
	struct fault fault;
	int result;
};

static int use_place(void *arg, struct fault *fault)
{
	struct user *u = arg;

	u->result = pace_enter(u->pace, &u->fault);
	if (u->result < 0)
		return 0;

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

/* --- what forbids ----------------------------------------------------------------------------- */

/* Told off for long: refused with the time; only that account; others go on. */
static int told(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct fault why = FAULT_INIT;
	struct pace_state state;
	struct tree t;

	tree_init(&t, 0, 0, 0);
	pace_told_off(t.accounts[0], 10 * MINUTE, false);
	EXPECT(pace_take(t.accounts[0], 1, 0, &why) == -1);
	EXPECT(why.kind == FAULT_LIMIT && why.reach == REACH_MAILBOX && why.again == AGAIN_LATER);
	EXPECT(why.after_us > 9 * MINUTE && why.after_us <= 11 * MINUTE);
	EXPECT(strstr(why.text, "told to wait") && strstr(why.text, "server old.example"));
	EXPECT(pace_enter(t.accounts[0], &why) == -1 && why.kind == FAULT_LIMIT);
	EXPECT(pace_pause(t.accounts[0], &why) == -1 && why.kind == FAULT_LIMIT);
	EXPECT(pace_take(t.accounts[0], 1, 0, &why) == -1);    /* still */
	EXPECT(pace_take(t.accounts[0], 0, 65536, &why) == 0); /* what has begun may end */
	EXPECT(pace_take(t.accounts[1], 1, 1, fault) == 0);
	pace_look(t.accounts[0], &state);
	EXPECT(state.pause_us > 9 * MINUTE && strcmp(state.why, "told to wait") == 0);
	EXPECT(state.messages == 0 && state.bytes == 65536 && state.bytes_today == 65536);

	pace_told_off(t.accounts[1], 20 * MINUTE, false);
	EXPECT(pace_take(t.accounts[3], 1, 1, fault) == 0);
	pace_told_off(t.accounts[2], 30 * MINUTE, true); /* three of them: it is the server */
	EXPECT(pace_take(t.accounts[3], 1, 1, &why) == -1 && why.after_us < 12 * MINUTE);
	EXPECT(t.all->told.until == 0);
	tree_done(&t);
	return 0;
}

static void told_to_wait(struct check *check)
{
	in_fiber(check, told);
}

/* Told off for a moment: waits for it, and a connection that waits for a place, too. */
static int told_shortly(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct tree t;
	int64_t start;

	tree_init(&t, 0, 0, 0);
	start = run_now();
	pace_told_off(t.accounts[0], 30 * MSEC, false);
	EXPECT(pace_take(t.accounts[0], 1, 0, fault) == 0);
	EXPECT(run_now() - start >= 30 * MSEC && run_now() - start < SECOND);
	start = run_now();
	pace_told_off(t.accounts[0], 30 * MSEC, true);
	EXPECT(pace_pause(t.accounts[0], fault) == 0);
	EXPECT(run_now() - start >= 30 * MSEC && run_now() - start < SECOND);
	pace_went_well(t.accounts[0]);
	EXPECT(pace_places(t.accounts[0], run_now()) == 1);
	tree_done(&t);
	return 0;
}

/* Refused one connection more: those that are open go on, and no other is opened. */
static int one_more(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct fault why = FAULT_INIT;
	struct tree t;
	int64_t start = run_now();

	tree_init(&t, 0, 0, 0);
	for (int i = 0; i < 3; i++)
		EXPECT(pace_enter(t.accounts[0], fault) == 0);
	pace_told_off(t.accounts[0], 0, true);
	pace_leave(t.accounts[0]);
	EXPECT(pace_take(t.accounts[0], 1, 0, fault) == 0 && pace_pause(t.accounts[0], fault) == 0);
	EXPECT(run_now() - start < SECOND / 2);
	{
		_deadline_(10 * MSEC);
		EXPECT(pace_enter(t.accounts[0], &why) == -1 && why.kind == FAULT_TIMEOUT);
	}
	EXPECT(pace_enter(t.accounts[1], fault) == 0);
	pace_leave(t.accounts[1]);
	pace_leave(t.accounts[0]);
	EXPECT(pace_enter(t.accounts[0], fault) == 0);
	pace_leave(t.accounts[0]);
	pace_leave(t.accounts[0]);
	tree_done(&t);
	return 0;
}

static void one_too_many(struct check *check)
{
	in_fiber(check, one_more);
}

static void told_for_a_moment(struct check *check)
{
	in_fiber(check, told_shortly);
}

static int a_day(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pace_settings settings = { .limits = { .bytes_per_day = 100000, .connections = 3 } };
	_cleanup_(buf_done) struct buf saved = BUF_NULL;
	struct pace *p = pace_new(&settings, NULL), *a = limit(0, p), *again;
	struct fault why = FAULT_INIT;
	struct pace_state state;

	EXPECT(pace_take(a, 1, 0, fault) == 0);
	EXPECT(pace_take(a, 0, 90000, fault) == 0);
	EXPECT(pace_take(a, 1, 0, fault) == 0);
	EXPECT(pace_take(a, 0, 65536, fault) == 0); /* the message is under way */
	EXPECT(pace_take(a, 0, 65536, fault) == 0);
	EXPECT(pace_take(a, 1, 0, &why) == -1);
	EXPECT(why.kind == FAULT_LIMIT && why.after_us > 23 * HOUR && why.after_us <= 25 * HOUR);
	EXPECT(strstr(why.text, "used up") && strstr(why.text, "for 24 h"));
	EXPECT(pace_enter(a, &why) == -1);
	pace_look(p, &state);
	EXPECT(state.bytes_today == 90000 + 2 * 65536 && state.messages == 2);

	/* It survives the process. */
	pace_told_off(p, 10 * MINUTE, false);
	pace_save(p, run_wall(), &saved);
	again = pace_new(&settings, NULL);
	pace_restore(again, buf_bytes(&saved), run_wall());
	pace_look(again, &state);
	EXPECT(state.bytes_today == 90000 + 2 * 65536 && state.pause_us > 23 * HOUR);
	EXPECT(again->told.until > run_now() + 9 * MINUTE && again->told.until < run_now() + 12 * MINUTE);
	EXPECT(pace_take(again, 1, 0, &why) == -1);
	pace_free(again);

	/* Rubbish does no harm; a wait for years is not believed. */
	again = pace_new(&settings, NULL);
	pace_restore(again, BYTES("away 99999999999999999\nhour 1 2\naway -1\naway\naway 5\n\0\n"), run_wall());
	EXPECT(again->told.until <= run_now() + 24 * HOUR);
	pace_look(again, &state);
	EXPECT(state.bytes_today == 0);
	pace_free(again);
	pace_free(a);
	pace_free(p);
	return 0;
}

static void days_bytes(struct check *check)
{
	in_fiber(check, a_day);
}

/* --- what is learnt --------------------------------------------------------------------------- */

static int learns(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pace_settings settings = { .adaptive = true, .limits.connections = 8, .bearable_us = 100 * MSEC };
	struct pace *server = pace_new(&settings, NULL), *a = limit(0, server);
	struct pace_state state;

	EXPECT(pace_silence(a) == MOMENT_NEVER);
	for (int i = 0; i < 6; i++)
		EXPECT(pace_enter(a, fault) == 0);
	for (int i = 0; i < 4; i++)
		pace_answered(a, SECOND);
	EXPECT(pace_silence(a) >= 0 && pace_silence(a) < SECOND);
	pace_look(server, &state);
	EXPECT(state.bearable == 3 && state.connections == 6 && strcmp(state.why, "slow answers") == 0);
	pace_look(a, &state);
	EXPECT(strcmp(state.why, "slow answers") == 0);

	server->calm.bad_at = server->calm.changed_at -= 2 * MINUTE; /* a minute in peace */
	pace_answered(a, MSEC);
	pace_look(server, &state);
	EXPECT(state.bearable == 4 && state.answer_us == MSEC);
	for (int i = 0; i < 6; i++)
		pace_leave(a);
	pace_free(a);
	pace_free(server);

	settings.adaptive = false;
	server = pace_new(&settings, NULL);
	pace_answered(server, 100 * SECOND);
	EXPECT(pace_silence(server) == 0); /* nobody needs to ask */
	pace_free(server);
	return 0;
}

static void learnt(struct check *check)
{
	in_fiber(check, learns);
}

/* The local disks are asked about between batches, at most once in some seconds. */
static int local(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pace_settings settings = { .adaptive = true, .local = true };
	struct pace *p = pace_new(&settings, NULL);
	int64_t asked;

	EXPECT(pace_pause(p, fault) == 0);
	asked = p->disks_at;
	EXPECT(asked > 0);
	EXPECT(pace_pause(p, fault) == 0);
	EXPECT(p->disks_at == asked);
	p->disks_unknown = true;
	p->disks_at -= HOUR;
	EXPECT(pace_pause(p, fault) == 0);
	EXPECT(p->disks_at == asked - HOUR);
	pace_free(p);
	return 0;
}

static void local_disks(struct check *check)
{
	in_fiber(check, local);
}

static void commands(struct check *check)
{
	struct pace_settings settings = { .limits.commands = 8 };
	struct pace *all = limit(0, NULL), *server = pace_new(&settings, all), *account;

	settings.limits.commands = 1;
	account = pace_new(&settings, server);
	CHECK_EQ(pace_commands(account), 1);
	CHECK_EQ(pace_commands(server), 8);
	CHECK_EQ(pace_commands(all), 0);
	pace_free(account);
	pace_free(server);
	pace_free(all);
	CHECK(pace_free(NULL) == NULL);
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
		{ "told to wait", told_to_wait },
		{ "told to wait a moment", told_for_a_moment },
		{ "one connection too many", one_too_many },
		{ "a day's bytes", days_bytes },
		{ "what is learnt", learnt },
		{ "local disks", local_disks },
		{ "commands", commands },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
