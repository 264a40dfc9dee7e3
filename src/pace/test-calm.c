/* SPDX-License-Identifier: Apache-2.0 */
/* Judging answer times, on made-up servers: how long they take to answer grows with their users'
 * load and ours. */
#include "base/rand.h"
#include "lib/check.h"
#include "pace/calm.h"

enum { ASK_EVERY = 3 }; /* seconds */

/* A server that is busy for a share of the time waits in a queue: the answer takes base / (1 -
 * share). */
struct server {
	double base_us, users, ours; /* shares: users', each of our connections' */
	double noise;                /* of the answer, at random */
	struct rand rand;
};

struct run {
	struct calm calm;
	struct server server;
	unsigned want, most; /* connections we would use; the settings' limit */
	int64_t now;
	unsigned lowered, raised; /* how often */
	unsigned slow, seconds;   /* in which users would feel it, compared with the server left alone */
	double usual_us;
	double worked;            /* connection-seconds */
};

static void run_init(struct run *r, unsigned want, double base_us, double ours)
{
	memset(r, 0, sizeof(*r));
	r->now = 1000 * SECOND;
	r->want = r->most = want;
	r->server = (struct server){ .base_us = base_us, .ours = ours, .noise = 0.3 };
	rand_init(&r->server.rand, 42);
	r->usual_us = base_us;
	calm_init(&r->calm, 0, r->now);
}

static unsigned in_use(const struct run *r)
{
	return r->calm.connections && r->calm.connections < r->want ? r->calm.connections : r->want;
}

/* A batch takes a second of work, then comes the pause. */
static double load(const struct run *r)
{
	double pause = (double)r->calm.pause_us / (double)SECOND;

	return in_use(r) / (1 + pause);
}

static double expected_us(const struct run *r)
{
	double share = r->server.users + r->server.ours * load(r);

	return r->server.base_us / (1 - (share > 0.995 ? 0.995 : share));
}

static int64_t answer(struct run *r)
{
	double noise = 1 + r->server.noise * ((double)rand_below(&r->server.rand, 2001) / 1000 - 1);

	if (rand_below(&r->server.rand, 50) == 0)
		noise *= 20; /* one in fifty is an outlier */
	return (int64_t)(expected_us(r) * noise);
}

static void pass(struct run *r, int64_t seconds)
{
	for (int64_t i = 0; i < seconds; i++) {
		r->now += SECOND;
		r->worked += load(r);
		r->seconds++;
		r->slow += expected_us(r) > 3 * r->usual_us && expected_us(r) > r->usual_us + 100 * MSEC;
		if (i % ASK_EVERY == 0)
			r->lowered += calm_answer(&r->calm, answer(r), in_use(r), r->now);
		r->raised += calm_tick(&r->calm, r->most, r->now);
	}
}

static void hours(struct run *r, double n)
{
	r->lowered = r->raised = r->slow = r->seconds = 0;
	r->worked = 0;
	pass(r, (int64_t)(n * 3600));
}

/* --- a server that bears us ------------------------------------------------------------------- */

static void quiet(struct check *check)
{
	struct run r;

	run_init(&r, 8, 20 * MSEC, 0.05);
	hours(&r, 12);
	CHECK_EQ(r.lowered, 0);
	CHECK(!calm_is_slowed(&r.calm));
	CHECK(r.calm.baseline_us > 20 * MSEC && r.calm.baseline_us < 40 * MSEC);
}

/* --- a server that does not ------------------------------------------------------------------- */

/* It could bear five of our eight: it is found out, kept to, and tried again ever more seldom. */
static void settles(struct check *check)
{
	struct run r;

	run_init(&r, 2, 40 * MSEC, 0.14);
	hours(&r, 0.5); /* the baseline */
	CHECK_EQ(r.lowered, 0);
	r.want = r.most = 8;
	hours(&r, 1); /* first experience */
	CHECK(r.lowered >= 1);
	hours(&r, 10);
	CHECK(r.lowered <= 20);
	CHECK(r.slow * 20 <= r.seconds);            /* users felt it in less than 5 % of the time */
	CHECK(r.worked / 36000 > 3.5);              /* and we were not timid either */
	CHECK(r.calm.connections <= 7);
}

/* --- users come and go ------------------------------------------------------------------------ */

static void working_day(struct check *check)
{
	static const struct {
		double users, least, most; /* connections at work that we expect to get */
	} days[] = {
		{ 0.6, 1.5, 3 },  /* 75 ms without us, 120 ms with three */
		{ 0.75, 0, 0.5 }, /* 120 ms without us: even one that pauses is nearly felt */
	};

	for (size_t i = 0; i < ARRAY_SIZE(days); i++) {
		struct run r;

		run_init(&r, 8, 30 * MSEC, 0.05);
		hours(&r, 6);
		CHECK_EQ(r.lowered, 0);

		r.server.users = days[i].users;
		hours(&r, 0.1);
		CHECK(r.lowered >= 1);
		hours(&r, 8);
		CHECK(r.worked > days[i].least * r.seconds && r.worked < days[i].most * r.seconds);
		CHECK(r.slow * 50 <= r.seconds);
		CHECK(r.lowered <= 60); /* one in eight minutes, of a quarter of a minute each */

		r.server.users = 0;
		hours(&r, 1.5);
		CHECK(r.lowered <= 1);
		CHECK(!calm_is_slowed(&r.calm)); /* all as before */
		hours(&r, 3);
		CHECK_EQ(r.lowered, 0);
	}
}

/* The server stands still for two minutes, for reasons of its own. */
static void hiccup(struct check *check)
{
	struct run r;

	run_init(&r, 6, 20 * MSEC, 0.03);
	hours(&r, 2);
	r.server.base_us = 3 * SECOND;
	pass(&r, 120);
	CHECK_EQ(r.calm.connections, 1);
	CHECK(r.calm.pause_us >= SECOND);
	r.server.base_us = 20 * MSEC;
	hours(&r, 1);
	CHECK(!calm_is_slowed(&r.calm));
}

/* --- the baseline ----------------------------------------------------------------------------- */

/* Cold caches at the start: seconds at first, then as usual. */
static void cold_start(struct check *check)
{
	struct run r;

	run_init(&r, 4, 1500 * MSEC, 0.03);
	pass(&r, 75);
	r.server.base_us = 20 * MSEC;
	pass(&r, 5 * 60);
	CHECK(r.calm.baseline_us < 40 * MSEC);
	hours(&r, 2);
	CHECK(r.calm.baseline_us < 30 * MSEC);
	CHECK(!calm_is_slowed(&r.calm));
}

/* Slower by a half each hour: the baseline does not go along for ever, and we slow down long before
 * 2 s. */
static void drift(struct check *check)
{
	struct run r;

	run_init(&r, 4, 20 * MSEC, 0.03);
	hours(&r, 5);
	CHECK_EQ(r.lowered, 0);
	for (int i = 0; i < 60 * 10 && !r.lowered; i++) {
		pass(&r, 60);
		r.server.base_us *= 1.007;
	}
	CHECK(r.lowered > 0);
	CHECK(r.server.base_us < 600 * MSEC);
	CHECK(r.calm.baseline_us < 200 * MSEC);
}

/* A longer way to the server from now on: after half a day at the floor, that is the new usual. */
static void longer_way(struct check *check)
{
	struct run r;

	run_init(&r, 4, 2 * MSEC, 0.03);
	hours(&r, 5);
	r.server.base_us = 150 * MSEC;
	hours(&r, 11);
	CHECK_EQ(r.calm.connections, 1);
	CHECK(r.calm.baseline_us < 5 * MSEC);
	hours(&r, 6);
	CHECK(r.calm.baseline_us > 50 * MSEC);
	CHECK(!calm_is_slowed(&r.calm));
}

/* --- single rules ----------------------------------------------------------------------------- */

static void few_answers(struct check *check)
{
	struct calm c;
	int64_t now = HOUR;

	calm_init(&c, 0, now);
	CHECK(!calm_answer(&c, 30 * SECOND, 8, now));
	CHECK(!calm_answer(&c, 30 * SECOND, 8, now + SECOND));
	CHECK_EQ(calm_lately(&c, now + 10 * MINUTE), 0); /* stale */
	CHECK(!calm_answer(&c, 30 * SECOND, 8, now + 10 * MINUTE));
	CHECK(!calm_answer(&c, 30 * SECOND, 8, now + 10 * MINUTE + SECOND));
	CHECK(!calm_answer(&c, 30 * SECOND, 8, now + 10 * MINUTE + 2 * SECOND));
	CHECK(calm_answer(&c, 30 * SECOND, 8, now + 10 * MINUTE + 3 * SECOND));
	CHECK_EQ(c.connections, 4);
	CHECK(c.pause_us > 0);
	CHECK_EQ(calm_lately(&c, now + 10 * MINUTE + 3 * SECOND), 0); /* a new leaf */
}

static void one_odd_answer(struct check *check)
{
	struct calm c;
	int64_t now = HOUR;

	calm_init(&c, 0, now);
	for (int i = 0; i < 300; i++) {
		now += 2 * SECOND;
		CHECK(!calm_answer(&c, i % 3 == 0 ? 20 * SECOND : 20 * MSEC, 4, now));
	}
	CHECK_EQ(c.baseline_us, 20 * MSEC);
}

/* Slow answers one after the other: at most one step in ten seconds, down to one connection, never
 * to none. */
static void steps(struct check *check)
{
	struct calm c;
	int64_t now = HOUR;
	unsigned seen[8], n = 0;

	calm_init(&c, 500 * MSEC, now);
	for (int i = 0; i < 600; i++) {
		now += SECOND / 10;
		if (calm_answer(&c, SECOND, c.connections ? c.connections : 16, now) && n < ARRAY_SIZE(seen))
			seen[n++] = c.connections;
	}
	CHECK_EQ(n, 6);
	CHECK(seen[0] == 8 && seen[1] == 4 && seen[2] == 2 && seen[3] == 1 && seen[5] == 1);
	for (int i = 0; i < 6000; i++) {
		now += SECOND;
		calm_answer(&c, SECOND, 1, now);
	}
	CHECK_EQ(c.connections, 1);
	CHECK_EQ(c.pause_us, 15 * SECOND);
}

/* Up again: one a minute, and nothing before a minute has passed in peace. */
static void recovery(struct check *check)
{
	struct calm c;
	int64_t now = HOUR;

	calm_init(&c, 0, now);
	CHECK(calm_disks(&c, 80, 10, 8, now));
	CHECK_EQ(c.connections, 4);
	CHECK(c.disks);
	CHECK(!calm_disks(&c, 80, 10, 4, now + 9 * SECOND)); /* not so soon */
	CHECK(!calm_tick(&c, 8, now + 68 * SECOND));
	CHECK(calm_tick(&c, 8, now + 69 * SECOND));
	CHECK_EQ(c.connections, 5);
	CHECK_EQ(c.pause_us, 0);
	CHECK(!calm_tick(&c, 8, now + 120 * SECOND));
	CHECK(calm_tick(&c, 8, now + 129 * SECOND));
	CHECK(calm_tick(&c, 8, now + 190 * SECOND));
	CHECK_EQ(c.connections, 7);
	CHECK(!calm_tick(&c, 8, now + 300 * SECOND)); /* eight were too many: not before ten minutes */
	CHECK(calm_tick(&c, 8, now + 700 * SECOND));
	CHECK_EQ(c.connections, 8);
	CHECK(calm_tick(&c, 8, now + 800 * SECOND));
	CHECK(!calm_is_slowed(&c));
}

static void disks(struct check *check)
{
	static const struct {
		double some, full;
		bool busy;
	} cases[] = { { 0, 0, false }, { 50, 25, false }, { 50.1, 0, true }, { 10, 26, true }, { 100, 100, true } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct calm c;

		calm_init(&c, 0, HOUR);
		CHECK_EQ(calm_disks(&c, cases[i].some, cases[i].full, 4, HOUR), cases[i].busy);
	}
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "a server that bears us", quiet },
		{ "one that does not: it settles", settles },
		{ "a working day", working_day },
		{ "a hiccup", hiccup },
		{ "slow at the start", cold_start },
		{ "slower little by little", drift },
		{ "slower for good", longer_way },
		{ "too few answers", few_answers },
		{ "one odd answer", one_odd_answer },
		{ "step by step down", steps },
		{ "and up", recovery },
		{ "disks", disks },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
