/* SPDX-License-Identifier: Apache-2.0 */
/* The schedule against simulated targets: hosts that bear so many connections each, a limit of messages a
 * second, broken hosts. Time is a number, so an hour takes a moment. */
#include <stdio.h>

#include "base/rand.h"
#include "base/xalloc.h"
#include "gateway/schedule.h"
#include "lib/check.h"

enum { HOSTS = 4, RECIPIENTS = 500 };

struct target_like {
	unsigned hosts;
	unsigned connections;  /* each host bears; 0: any number */
	double per_second;     /* messages; 0: any number */
	int64_t served_us;     /* a transaction takes */
	bool by_window;        /* the limit counts calendar seconds, not a token bucket */
	int64_t told_us;       /* it says for how long to wait */
	bool at_greeting;      /* the limit is said at the greeting */
	unsigned broken;       /* host number + 1 that never answers */
	unsigned full;         /* host number + 1 that says 421 to everybody */
	int64_t heals;         /* when it does answer again */
	unsigned most_connections;
};

struct sim {
	struct check *check;
	const struct target_like *like;
	struct schedule *schedule;
	struct schedule_target *target;
	struct rand rand;
	int64_t now;
	unsigned open[HOSTS];
	double tokens;
	int64_t tokens_at, second;
	unsigned in_second;
	struct heap events;    /* answers to come */
	uint64_t order;
	unsigned accepted, deferred, unreachable, by_host[HOSTS];
	struct schedule_item *items; /* a backlog that never ends: who is accepted comes again */
	unsigned n_items;
};

struct event {
	struct heap_node node;
	struct schedule_job *job;
	enum schedule_end end;
	enum schedule_answer answer;
	bool connected;
};

/* Whether the target's limit lets one more message pass. */
static bool may_pass(struct sim *sim)
{
	const struct target_like *like = sim->like;

	if (like->per_second <= 0)
		return true;
	if (like->by_window) {
		if (sim->now / SECOND != sim->second) {
			sim->second = sim->now / SECOND;
			sim->in_second = 0;
		}
		return sim->in_second++ < (unsigned)like->per_second;
	}

	sim->tokens += (double)(sim->now - sim->tokens_at) / SECOND * like->per_second;
	if (sim->tokens > like->per_second)
		sim->tokens = like->per_second;
	sim->tokens_at = sim->now;
	if (sim->tokens < 1)
		return false;

	sim->tokens -= 1;
	return true;
}

static void begin(struct sim *sim, struct schedule_job *job)
{
	const struct target_like *like = sim->like;
	struct event *event = xzalloc(sizeof(*event));
	unsigned host = schedule_host(job);
	int64_t takes = 2 * MSEC;

	event->job = job;
	event->answer = SCHEDULE_UNTRIED;
	if (host + 1 == like->broken && (!like->heals || sim->now < like->heals)) {
		event->end = SCHEDULE_UNREACHABLE;
		takes = 10 * SECOND;
	} else if (host + 1 == like->full ||
		   (like->connections && sim->open[host] >= like->connections)) {
		event->end = SCHEDULE_TOO_MANY;
	} else if (!may_pass(sim)) {
		event->end = like->at_greeting ? SCHEDULE_TOO_MANY : SCHEDULE_WORKED;
		event->answer = like->at_greeting ? SCHEDULE_UNTRIED : SCHEDULE_SERVER;
	} else {
		event->end = SCHEDULE_WORKED;
		event->answer = SCHEDULE_ACCEPTED;
		event->connected = true;
		sim->open[host]++;
		takes = rand_jitter(&sim->rand, like->served_us);
	}
	heap_push(&sim->events, &event->node, sim->now + takes, sim->order++);
}

static void add(struct sim *sim, struct schedule_item *item)
{
	char name[32];
	size_t n = (size_t)snprintf(name, sizeof(name), "%u@example.org",
				    (unsigned)rand_below(&sim->rand, RECIPIENTS));

	schedule_add(sim->target, item, (struct bytes){ name, n }, 0, sim->now,
		     sim->now + 1000 * HOUR, sim->now);
}

static void answer(struct sim *sim, struct event *event)
{
	unsigned host = schedule_host(event->job);
	struct list *items = schedule_items(event->job);

	if (event->connected)
		sim->open[host]--;
	while (!list_is_empty(items)) {
		struct schedule_item *item = list_entry(items->next, struct schedule_item, of_job);
		int64_t told = event->answer == SCHEDULE_SERVER ? sim->like->told_us : 0;

		if (!schedule_settle(item, event->answer, told, sim->now))
			add(sim, item);
	}
	schedule_done(event->job, event->end, 0, sim->now);
	if (event->answer == SCHEDULE_ACCEPTED) {
		sim->accepted++;
		sim->by_host[host]++;
	} else if (event->end == SCHEDULE_UNREACHABLE) {
		sim->unreachable++;
	} else {
		sim->deferred++;
	}
	free(event);
}

static void run_until(struct sim *sim, int64_t until)
{
	while (sim->now < until) {
		struct heap_node *first;
		struct schedule_job *job;
		int64_t next;

		while ((job = schedule_next(sim->target, sim->now)))
			begin(sim, job);
		next = schedule_moment(sim->target, sim->now);
		if (next <= sim->now)
			check_fail(sim->check, __FILE__, __LINE__, "nothing goes, and it is time");
		first = heap_first(&sim->events);
		if (first && first->key <= next) {
			sim->now = first->key > sim->now ? first->key : sim->now;
			heap_remove(&sim->events, first);
			answer(sim, heap_entry(first, struct event, node));
		} else {
			sim->now = next < until ? next : until;
		}
	}
}

static void sim_init(struct sim *sim, struct check *check, const struct target_like *like,
		     unsigned n_items, uint64_t seed)
{
	struct schedule_settings settings = {
		.name = "new", .hosts = like->hosts, .most_connections = like->most_connections,
	};

	*sim = (struct sim){ .check = check, .like = like, .n_items = n_items, .now = 5 * HOUR };
	sim->tokens = like->per_second;
	sim->tokens_at = sim->now;
	rand_init(&sim->rand, seed);
	sim->schedule = schedule_new(seed);
	sim->target = schedule_add_target(sim->schedule, &settings, sim->now);
	sim->items = xzalloc(n_items * sizeof(*sim->items));
	for (unsigned i = 0; i < n_items; i++)
		add(sim, &sim->items[i]);
}

static void sim_done(struct sim *sim)
{
	struct heap_node *first;

	while ((first = heap_first(&sim->events))) {
		heap_remove(&sim->events, first);
		answer(sim, heap_entry(first, struct event, node));
	}
	for (unsigned i = 0; i < sim->n_items; i++)
		schedule_remove(&sim->items[i], sim->now);
	sim->schedule = schedule_free(sim->schedule);
	free(sim->items);
}

/* After a minute: what passes in the next two against what could, and what is deferred. */
static void converges(struct check *check, const char *name, const struct target_like *like,
		      double capacity)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		double passed, deferred;
		struct sim sim;

		sim_init(&sim, check, like, 3000, seed);
		run_until(&sim, sim.now + 60 * SECOND);
		passed = sim.accepted;
		deferred = sim.deferred;
		run_until(&sim, sim.now + 120 * SECOND);
		passed = (sim.accepted - passed) / 120;
		deferred = (sim.deferred - deferred) / 120;
		sim_done(&sim);
		printf("# %s, seed %u: %.1f/s of %.1f/s, %.2f %% deferred\n", name, (unsigned)seed,
		       passed, capacity, 100 * deferred / (passed + deferred));
		if (passed < 0.9 * capacity || deferred > 0.05 * (passed + deferred))
			CHECK_FAIL("%s, seed %u: %.1f/s of %.1f/s, %.1f/s deferred", name,
				   (unsigned)seed, passed, capacity, deferred);
	}
}

static void finds_the_connections(struct check *check)
{
	static const unsigned connections[] = { 1, 2, 3, 7, 20, 64 };

	for (size_t i = 0; i < ARRAY_SIZE(connections); i++) {
		struct target_like like = {
			.hosts = 1, .connections = connections[i], .served_us = 100 * MSEC,
			.most_connections = 100,
		};
		char name[32];

		snprintf(name, sizeof(name), "%u connections", connections[i]);
		converges(check, name, &like, connections[i] * 10.0);
		like.served_us = SECOND;
		converges(check, name, &like, connections[i]);
	}
}

static void finds_the_rate(struct check *check)
{
	static const double rates[] = { 1, 5, 30, 200 };

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		struct target_like like = { .hosts = 1, .per_second = rates[i], .served_us = 20 * MSEC };
		char name[32];

		snprintf(name, sizeof(name), "%.0f a second", rates[i]);
		converges(check, name, &like, rates[i]);
		like.by_window = true;
		converges(check, name, &like, rates[i]);
	}
}

static void finds_both(struct check *check)
{
	struct target_like like = {
		.hosts = 1, .connections = 8, .per_second = 40, .served_us = 50 * MSEC,
	};

	converges(check, "8 connections, 40 a second", &like, 40);
	like.connections = 3;
	converges(check, "3 connections of 20, 100 a second", &like, 40);
	like.hosts = 3;
	converges(check, "3 hosts, 3 connections each, 40 a second", &like, 40);
}

/* The limit is said at the greeting, where only connections can be meant. */
static void finds_a_rate_said_at_the_greeting(struct check *check)
{
	struct target_like like = {
		.hosts = 1, .per_second = 20, .served_us = 20 * MSEC, .at_greeting = true,
	};

	converges(check, "20 a second, by 421", &like, 20);
}

/* One host of several is broken: the others carry on as if it were not there. */
static void a_broken_host_costs_only_itself(struct check *check)
{
	struct target_like like = {
		.hosts = 4, .connections = 5, .served_us = 100 * MSEC, .broken = 2,
	};
	struct sim sim;

	sim_init(&sim, check, &like, 3000, 1);
	run_until(&sim, sim.now + 60 * SECOND);
	sim.accepted = sim.unreachable = 0;
	run_until(&sim, sim.now + 10 * MINUTE);
	printf("# one of four hosts broken: %u accepted of 90000, %u tries of the broken one\n",
	       sim.accepted, sim.unreachable);
	CHECK(sim.accepted > 0.97 * 600 * 150);
	CHECK(sim.unreachable > 0 && sim.unreachable <= 20);
	CHECK_EQ(sim.by_host[1], 0);
	sim_done(&sim);

	like.broken = 0;
	like.full = 3;
	sim_init(&sim, check, &like, 3000, 2);
	run_until(&sim, sim.now + 60 * SECOND);
	sim.accepted = sim.deferred = 0;
	run_until(&sim, sim.now + 10 * MINUTE);
	printf("# one of four hosts full: %u accepted of 90000, %u deferred\n", sim.accepted,
	       sim.deferred);
	CHECK(sim.accepted > 0.97 * 600 * 150);
	CHECK(sim.deferred < 100);
	sim_done(&sim);
}

/* A target that is away is tried now and then, no item is the worse for it, and it is back soon. */
static void a_target_that_is_away_comes_back(struct check *check)
{
	struct target_like like = {
		.hosts = 1, .connections = 5, .served_us = 100 * MSEC, .broken = 1,
		.heals = 7 * HOUR,
	};
	struct schedule_view view;
	struct sim sim;

	sim_init(&sim, check, &like, 1000, 1);
	run_until(&sim, like.heals);
	printf("# away for two hours: %u tries\n", sim.unreachable);
	CHECK(sim.unreachable > 5 && sim.unreachable < 40);
	schedule_look(sim.target, sim.now, &view);
	CHECK_EQ(view.dead_hosts, 1);
	for (unsigned i = 0; i < sim.n_items; i++)
		CHECK_EQ(sim.items[i].attempts, 0);

	run_until(&sim, like.heals + 15 * MINUTE);
	schedule_look(sim.target, sim.now, &view);
	CHECK_EQ(view.dead_hosts, 0);
	CHECK(sim.accepted > 2 * 60 * 50);
	sim_done(&sim);
}

/* What it bears changes while it is used. */
static void follows_what_changes(struct check *check)
{
	struct target_like like = { .hosts = 1, .connections = 15, .served_us = 100 * MSEC };
	unsigned before;
	struct sim sim;

	sim_init(&sim, check, &like, 3000, 3);
	run_until(&sim, sim.now + 60 * SECOND);
	like.connections = 4;
	run_until(&sim, sim.now + 20 * SECOND);
	before = sim.accepted;
	run_until(&sim, sim.now + 60 * SECOND);
	CHECK(sim.accepted - before > 0.9 * 60 * 40);

	like.connections = 15;
	run_until(&sim, sim.now + 8 * MINUTE);
	before = sim.accepted;
	run_until(&sim, sim.now + 60 * SECOND);
	CHECK(sim.accepted - before > 0.9 * 60 * 150);
	sim_done(&sim);
}

/* "Try again in 30 seconds" is obeyed by all. */
static void waits_as_told(struct check *check)
{
	struct target_like like = {
		.hosts = 1, .per_second = 10, .served_us = 20 * MSEC, .told_us = 30 * SECOND,
	};
	unsigned accepted, deferred;
	int64_t until;
	struct sim sim;

	sim_init(&sim, check, &like, 100, 1);
	until = sim.now + MINUTE;
	while (sim.deferred == 0 && sim.now < until)
		run_until(&sim, sim.now + 10 * MSEC);
	run_until(&sim, sim.now + 100 * MSEC); /* what was on its way */
	accepted = sim.accepted;
	deferred = sim.deferred;
	CHECK(deferred > 0);
	run_until(&sim, sim.now + 29 * SECOND);
	CHECK_EQ(sim.accepted, accepted);
	CHECK_EQ(sim.deferred, deferred);
	run_until(&sim, sim.now + 5 * SECOND);
	CHECK(sim.accepted > accepted);
	sim_done(&sim);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "finds the connections", finds_the_connections },
		{ "finds the rate", finds_the_rate },
		{ "finds both", finds_both },
		{ "finds a rate said at the greeting", finds_a_rate_said_at_the_greeting },
		{ "a broken host costs only itself", a_broken_host_costs_only_itself },
		{ "a target that is away comes back", a_target_that_is_away_comes_back },
		{ "follows what changes", follows_what_changes },
		{ "waits as told", waits_as_told },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
