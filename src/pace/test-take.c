/* SPDX-License-Identifier: Apache-2.0 */
/* Taking from rates in fibers: fast when there are none, fair when there are. Each case waits some
 * 50 ms. */
#include "lib/check.h"
#include "pace/inside.h"

static void in_fiber(struct check *check, fiber_fn fn)
{
	struct fault fault = FAULT_INIT;

	CHECK_EQ(run_main("test", fn, check, &fault), 0);
}

static struct pace *limit(uint64_t messages, uint64_t bytes, struct pace *above)
{
	struct pace_settings settings = {
		.limits = { .messages_per_second = messages, .bytes_per_second = bytes },
	};
	struct pace *p = pace_new(&settings, above);

	/* Nothing is carried over into the test. */
	for (int i = 0; i < LINES; i++)
		p->lines[i].bucket.free_at = run_now();
	return p;
}

struct taker {
	struct pace *pace;
	uint64_t messages, bytes, taken;
	int *times;           /* how often, all who share this together */
	enum fault_kind kind; /* why it stopped */
};

static int take(void *arg, struct fault *fault)
{
	struct taker *t = arg;

	while (*t->times > 0) {
		--*t->times;
		if (pace_take(t->pace, t->messages, t->bytes, fault) < 0) {
			t->kind = fault->kind;
			break;
		}
		t->taken++;
		if (t->messages && run_yield(fault) < 0)
			break;
	}
	return 0;
}

/* --- without limits --------------------------------------------------------------------------- */

static int unlimited(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pace *all = limit(0, 0, NULL), *server = limit(0, 0, all), *account = limit(0, 0, server);
	struct pace_state state;

	EXPECT(account->open && server->open && all->open);
	for (int i = 0; i < 1000; i++)
		EXPECT(pace_take(account, i % 4 == 0, 65536, fault) == 0);
	EXPECT(pace_take(server, 1, 1, fault) == 0);
	pace_look(account, &state);
	EXPECT(state.messages == 250 && state.bytes == 65536000 && state.bytes_today == state.bytes);
	account->day.hour -= 25; /* a day later only what is new counts */
	EXPECT(pace_take(account, 0, 7, fault) == 0);
	pace_look(account, &state);
	EXPECT(state.bytes_today == 7 && state.bytes == 65536007);
	pace_look(server, &state);
	EXPECT(state.messages == 251 && state.bytes == 65536008 && state.bytes_today == state.bytes);
	pace_free(account);
	pace_free(server);
	pace_free(all);
	return 0;
}

static void no_limits(struct check *check)
{
	in_fiber(check, unlimited);
}

/* --- a rate ----------------------------------------------------------------------------------- */

/* The server's rate is shared alike between accounts, however many connections each has. */
static int share(void *arg, struct fault *fault)
{
	enum { CONNECTIONS = 8 };
	struct check *check = arg;
	struct pace *server = limit(0, 16 << 20, NULL);
	struct pace *large = limit(0, 0, server), *small = limit(0, 0, server);
	struct taker takers[CONNECTIONS + 1];
	_cleanup_(nursery_done) struct nursery nursery;
	struct line *line = &server->lines[LINE_BYTES];
	uint64_t sum = 0;
	int times = 24;

	line->bucket.free_at = run_now() + HOUR; /* until all stand in line */
	nursery_init(&nursery, "takers");
	for (int i = 0; i <= CONNECTIONS; i++) {
		takers[i] = (struct taker){
			.pace = i < CONNECTIONS ? large : small, .bytes = 65536, .times = &times,
		};
		nursery_start(&nursery, take, &takers[i], "%d", i);
	}
	EXPECT(run_yield(fault) == 0);
	line->bucket.free_at = run_now();
	turn_wake(list_entry(line->turns.next, struct turn, link));
	EXPECT(nursery_wait(&nursery, fault) == 0);
	for (int i = 0; i < CONNECTIONS; i++) {
		EXPECT(takers[i].taken >= 1); /* nobody is forgotten */
		sum += takers[i].taken;
	}
	/* Of 24 the large one has 8 in line at the end; those before are shared. */
	EXPECT(takers[CONNECTIONS].taken >= 7 && takers[CONNECTIONS].taken <= 9);
	EXPECT(sum + takers[CONNECTIONS].taken == 24);
	EXPECT(server->bytes == 24 * 65536);
	EXPECT(list_is_empty(&server->lines[LINE_BYTES].turns));
	pace_free(small);
	pace_free(large);
	pace_free(server);
	return 0;
}

static void fair(struct check *check)
{
	in_fiber(check, share);
}

/* Whoever waits for a message's turn does not keep others from going on with theirs. */
static int apart(void *arg, struct fault *fault)
{
	struct check *check = arg;
	int times = 2;
	struct pace *p = limit(1, 100 << 20, NULL);
	struct taker message = { .pace = p, .messages = 1, .times = &times };
	struct fault ignored;
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "message");
	nursery_start(&nursery, take, &message, "message");
	EXPECT(run_sleep(2 * MSEC, fault) == 0);
	EXPECT(message.taken == 1 && !list_is_empty(&p->lines[LINE_MESSAGES].turns));
	for (int i = 0; i < 50; i++)
		EXPECT(pace_take(p, 0, 65536, fault) == 0);
	EXPECT(message.taken == 1);
	nursery_cancel(&nursery);
	EXPECT(nursery_wait(&nursery, &ignored) == 0);
	EXPECT(message.kind == FAULT_CANCELLED && p->messages == 1);
	EXPECT(list_is_empty(&p->lines[LINE_MESSAGES].turns));
	pace_free(p);
	return 0;
}

static void messages_and_bytes(struct check *check)
{
	in_fiber(check, apart);
}

/* The first in line gives up: the next goes on in time. */
static int first_gives_up(void *arg, struct fault *fault)
{
	struct check *check = arg;
	int times = 2;
	struct pace *server = limit(10, 0, NULL), *a = limit(0, 0, server), *b = limit(0, 0, server);
	const struct bucket *bucket = &server->lines[LINE_MESSAGES].bucket;
	struct taker first = { .pace = a, .messages = 1, .times = &times }, second = first;
	_cleanup_(nursery_done) struct nursery one, two;
	struct fault ignored;
	int64_t start = bucket->free_at;

	second.pace = b;
	EXPECT(pace_take(a, 1, 0, fault) == 0); /* 100 ms of it are spent */
	nursery_init(&one, "one");
	nursery_init(&two, "two");
	nursery_start(&one, take, &first, "first");
	nursery_start(&two, take, &second, "second");
	EXPECT(run_sleep(2 * MSEC, fault) == 0);
	EXPECT(first.taken == 0 && second.taken == 0);
	nursery_cancel(&one);
	EXPECT(nursery_wait(&one, &ignored) == 0 && first.kind == FAULT_CANCELLED);
	EXPECT(nursery_wait(&two, fault) == 0 && second.taken == 1);
	EXPECT(bucket->free_at == start + 200 * MSEC); /* two were paid for, not three */
	pace_free(b);
	pace_free(a);
	pace_free(server);
	return 0;
}

static void giving_up(struct check *check)
{
	in_fiber(check, first_gives_up);
}

static int late(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pace *p = limit(0, 1000, NULL);
	struct fault why = FAULT_INIT;
	int64_t start = run_now();

	EXPECT(pace_take(p, 0, 1000000, fault) == 0); /* goes at once, and is paid for by the next */
	{
		_deadline_(20 * MSEC);
		EXPECT(pace_take(p, 0, 1, &why) == -1 && why.kind == FAULT_TIMEOUT);
	}
	EXPECT(run_now() - start < SECOND);
	EXPECT(p->bytes == 1000000);
	pace_free(p);
	return 0;
}

static void deadline(struct check *check)
{
	in_fiber(check, late);
}

/* The limits of another time of day begin while some wait for years under the old ones. */
static int other_times(void *arg, struct fault *fault)
{
	struct check *check = arg;
	int times = 3;
	struct pace *p = limit(0, 1, NULL);
	struct taker t = { .pace = p, .bytes = 65536, .times = &times };
	_cleanup_(nursery_done) struct nursery nursery;

	EXPECT(pace_take(p, 0, 1 << 30, fault) == 0);
	nursery_init(&nursery, "taker");
	nursery_start(&nursery, take, &t, "taker");
	EXPECT(run_sleep(2 * MSEC, fault) == 0);
	EXPECT(t.taken == 0);
	p->settings.limits.bytes_per_second = 0;
	p->look_again = 0;
	turn_wake(list_entry(p->lines[LINE_BYTES].turns.next, struct turn, link));
	EXPECT(nursery_wait(&nursery, fault) == 0 && t.taken == 3);
	EXPECT(p->open);
	pace_free(p);
	return 0;
}

static void another_time(struct check *check)
{
	in_fiber(check, other_times);
}

/* What each of the connections may expect: of the scarcest limit of the chain. */
static int shares(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pace *all = limit(0, 1000000, NULL), *server = limit(10, 0, all), *account = limit(0, 200000, server);
	uint64_t messages, bytes;

	pace_share(NULL, &messages, &bytes);
	EXPECT(messages == 0 && bytes == 0);
	pace_share(account, &messages, &bytes);
	EXPECT(messages == 10 && bytes == 200000);
	account->connections = 2;
	server->connections = 5;
	all->connections = 20;
	pace_share(account, &messages, &bytes);
	EXPECT(messages == 2 && bytes == 50000);
	server->connections = 1000;
	pace_share(account, &messages, &bytes);
	EXPECT(messages == 1 && bytes == 50000);
	account->connections = server->connections = all->connections = 0;
	pace_free(account);
	pace_free(server);
	pace_free(all);
	return 0;
}

static void expected_share(struct check *check)
{
	in_fiber(check, shares);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "no limits", no_limits },
		{ "a fair share", fair },
		{ "messages and bytes", messages_and_bytes },
		{ "giving up", giving_up },
		{ "a deadline", deadline },
		{ "another time of day", another_time },
		{ "what a connection may expect", expected_share },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
