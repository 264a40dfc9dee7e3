/* SPDX-License-Identifier: Apache-2.0 */
/* A limit in a fiber: what forbids, what is learnt, what is kept. */
#include "pace/testing.h"

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
