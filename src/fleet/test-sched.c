/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler, with work that is made up: how long it takes and which faults it meets follow from
 * a number. Waits are milliseconds here. */
#include "fleet/sched.h"

#include <stdio.h>

#include "base/xalloc.h"
#include "lib/check.h"
#include "run/loop.h"

/* What a job does in each of its tries; after the last, nothing but succeed. */
struct script {
	const struct fault *tries[8];
	bool progresses, skipped, lets_in, gives_up;
	int64_t takes_us;
};

struct job {
	struct sched_job sched; /* first */
	struct script script;
	unsigned ends, parks;
	enum sched_end end;
	bool working;
};

struct world {
	struct check *check;
	struct sched sched;
	struct sched_settings settings;
	struct sched_calls calls;
	struct job *jobs;
	size_t n;
	struct sched_gate *gates;
	size_t gates_n;

	struct rand rand;
	bool dead[3];            /* servers that nobody reaches */
	int64_t back_at[3];      /* run_now() when they are back */
	unsigned tries[3];       /* into a dead server */
	unsigned active, most_active, connections, most_connections, room;
	unsigned opened, shut, given_up, waits;
	int64_t closed_until;
	size_t order[64], order_n; /* numbers of jobs, as begun */
	uint64_t shuffle;
	bool cancel;
	bool parks_quickly;
	bool before;             /* `words` are met before the server is */
	int result;
	struct fault fault;
};

static const struct fault not_now = { FAULT_TRANSPORT, REACH_SESSION, AGAIN_NOW, 0, "lost", "" };
static const struct fault later = { FAULT_LIMIT, REACH_MAILBOX, AGAIN_LATER, 0, "too much", "" };
static const struct fault much_later = { FAULT_LIMIT, REACH_MAILBOX, AGAIN_LATER,
					 60 * MSEC,   "wait",	     "" };
static const struct fault never = {
	FAULT_AUTH, REACH_MAILBOX, AGAIN_NEVER, 0, "wrong password", ""
};
static const struct fault server = { FAULT_TRANSPORT, REACH_SERVER, AGAIN_LATER, 0, "refused", "" };
static const struct fault certificate = { FAULT_TLS, REACH_SERVER,     AGAIN_NEVER,
					  0,	     "unknown issuer", "" };
static const struct fault disk = { FAULT_LOCAL, REACH_PROCESS, AGAIN_NEVER, 0, "disk full", "" };
static const struct fault words = {
	FAULT_USAGE, REACH_PROCESS, AGAIN_NEVER, 0, "no such folder", ""
};

/* Its number; behind the last: a gate of the case's own. */
static size_t gate_of(const struct world *w, const struct sched_job *job)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(w->dead) && job->gate != &w->gates[i])
		i++;
	return i;
}

static int try(struct world *w, struct job *job, struct fault *fault)
{
	struct check *check = w->check;
	size_t gate = gate_of(w, &job->sched);
	unsigned number = job->sched.tries - 1;
	const struct fault *meets = number < ARRAY_SIZE(job->script.tries)
					    ? job->script.tries[number]
					    : NULL;

	if (w->before && meets == &words) {
		*fault = words;
		return -1;
	}
	EXPECT(job->sched.gate->state == GATE_OPEN ||
	       (job->sched.gate->state == GATE_TRIED && job->sched.gate->trying == &job->sched));
	if (gate < ARRAY_SIZE(w->dead) && w->dead[gate] && (!w->back_at[gate] || run_now() < w->back_at[gate])) {
		w->tries[gate]++;
		if (run_sleep(MSEC, fault) < 0)
			return -1;
		*fault = server;
		return -1;
	}
	if (job->script.skipped)
		return 1;

	if (!meets || (meets->reach != REACH_SERVER && meets != &words) || job->script.lets_in)
		sched_connected(&job->sched);
	if (job->script.takes_us ? run_sleep(job->script.takes_us, fault) < 0
				 : run_yield(fault) < 0)
		return -1;

	job->sched.progressed = job->script.progresses;
	if (!meets)
		return 0;

	*fault = *meets;
	return -1;
}

static int work(void *arg, struct sched_job *sched_job, struct fault *fault)
{
	struct world *w = arg;
	struct job *job = (struct job *)sched_job;
	struct check *check = w->check;
	int r;

	EXPECT(!job->working && !job->ends);
	job->working = true;
	if (w->order_n < ARRAY_SIZE(w->order))
		w->order[w->order_n++] = sched_job->order.number;
	w->active++;
	w->connections += sched_job->connections;
	if (w->active > w->most_active)
		w->most_active = w->active;
	if (w->connections > w->most_connections)
		w->most_connections = w->connections;
	EXPECT(sched_job->connections >= 1 && sched_job->connections <= w->settings.connections);

	r = try(w, job, fault);
	if (job->script.gives_up)
		sched_give_up(&w->sched, sched_job->gate, &never);
	w->active--;
	w->connections -= sched_job->connections;
	job->working = false;
	return r;
}

static void parked(void *arg, struct sched_job *sched_job, const struct fault *why, int64_t for_us)
{
	struct job *job = (struct job *)sched_job;
	struct world *w = arg;
	struct check *check = w->check;
	struct fault ignored;

	EXPECT(!job->working && why->kind && for_us >= 0);
	job->parks++;
	if (!w->parks_quickly)
		run_sleep(MSEC, &ignored); /* a status file is written; nobody may begin it meanwhile */
	EXPECT(!job->working);
}

static void ended(void *arg, struct sched_job *sched_job, enum sched_end end,
		  const struct fault *why)
{
	struct job *job = (struct job *)sched_job;
	struct world *w = arg;
	struct check *check = w->check;

	EXPECT(!job->working);
	EXPECT((why != NULL) == (end == SCHED_FAILED || end == SCHED_STOPPED));
	job->ends++;
	job->end = end;
}

static void gate(void *arg, const struct sched_gate *g)
{
	struct world *w = arg;

	w->opened += g->state == GATE_OPEN;
	w->shut += g->state == GATE_SHUT;
	w->given_up += g->state == GATE_DEAD;
}

static int64_t closed(void *arg, const char **ret_why)
{
	struct world *w = arg;
	int64_t left = w->closed_until - run_now();

	*ret_why = "outside the window";
	return left > 0 ? left : 0;
}

static void waiting(void *arg, const char *why, int64_t for_us)
{
	((struct world *)arg)->waits++;
}

static unsigned room(void *arg)
{
	return ((struct world *)arg)->room;
}

static void world_init(struct world *w, struct check *check, size_t n, unsigned at_once)
{
	*w = (struct world){ .check = check, .n = n, .gates_n = 1 };
	w->jobs = xzalloc(n * sizeof(*w->jobs));
	w->gates = xzalloc(ARRAY_SIZE(w->dead) * sizeof(*w->gates));
	w->settings = SCHED_SETTINGS;
	w->settings.at_once = at_once;
	w->settings.now_us = w->settings.later_us = 2 * MSEC;
	w->settings.gate_us = 3 * MSEC;
	w->settings.longest_us = w->settings.gate_longest_us = 20 * MSEC;
	w->settings.gate_patience_us = HOUR;
	w->calls = (struct sched_calls){ work, parked, ended, gate, closed, waiting, room };
	rand_init(&w->rand, 1);
	for (size_t i = 0; i < n; i++)
		w->jobs[i].sched.order = (struct order){ ORDER_ORDINARY, (int64_t)(n - i) * SECOND,
							 i };
}

static void world_done(struct world *w)
{
	free(w->jobs);
	free(w->gates);
}

static int run_sched(void *arg, struct fault *fault)
{
	struct world *w = arg;

	w->result = sched_run(&w->sched, fault);
	return w->result;
}

static int world_main(void *arg, struct fault *fault)
{
	struct world *w = arg;
	struct nursery nursery;

	loop_shuffle(w->shuffle);
	for (size_t i = 0; i < w->gates_n; i++) {
		sched_gate_init(&w->gates[i], NULL);
		if (w->back_at[i])
			w->back_at[i] += run_now();
	}
	if (w->closed_until)
		w->closed_until += run_now();
	sched_init(&w->sched, &w->settings, &w->calls, w);
	for (size_t i = 0; i < w->n; i++) {
		if (!w->jobs[i].sched.gate)
			w->jobs[i].sched.gate = &w->gates[i % w->gates_n];
		sched_add(&w->sched, &w->jobs[i].sched);
	}

	nursery_init(&nursery, "run");
	nursery_start(&nursery, run_sched, w, "scheduler");
	if (w->cancel && run_sleep(20 * MSEC, fault) == 0)
		nursery_cancel(&nursery);
	nursery_wait(&nursery, &w->fault);
	sched_done(&w->sched);
	return 0;
}

static void world_run(struct world *w)
{
	struct check *check = w->check;
	struct fault fault = FAULT_INIT;

	run_main("test", world_main, w, &fault);
	for (size_t i = 0; i < w->n; i++)
		CHECK_EQ(w->jobs[i].ends, 1);
	CHECK_EQ(w->active, 0);
	CHECK_EQ(w->connections, 0);
	CHECK(w->most_active <= w->settings.at_once);
}

static size_t count(const struct world *w, enum sched_end end)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += w->jobs[i].end == end;
	return n;
}

static void all_done(struct check *check)
{
	struct world w;

	world_init(&w, check, 40, 7);
	w.jobs[3].script.skipped = true;
	for (size_t i = 0; i < w.n; i++)
		w.jobs[i].script.takes_us = (int64_t)(i % 5) * MSEC;
	world_run(&w);
	CHECK_EQ(w.result, 0);
	CHECK_EQ(count(&w, SCHED_DONE), 39);
	CHECK_EQ(count(&w, SCHED_SKIPPED), 1);
	CHECK_EQ(w.most_active, 7);
	world_done(&w);
}

static void nothing_to_do(struct check *check)
{
	struct world w;

	world_init(&w, check, 0, 7);
	world_run(&w);
	CHECK_EQ(w.result, 0);
	world_done(&w);
}

/* Jobs are numbered from the longest to the shortest. */
static void who_comes_first(struct check *check)
{
	struct world w;

	world_init(&w, check, 12, 4);
	w.jobs[11].sched.order.class = ORDER_ORDINARY;
	w.jobs[6].sched.order.class = ORDER_SOON_DELTA;
	for (size_t i = 0; i < w.n; i++)
		w.jobs[i].script.takes_us = i == 0 || i == 1 || i == 2 ? 300 * MSEC : 2 * MSEC;
	world_run(&w);
	CHECK_EQ(w.order[0], 6);  /* the hour is near; it took the slot for short ones */
	CHECK_EQ(w.order[1], 0);
	CHECK_EQ(w.order[2], 1);
	CHECK_EQ(w.order[3], 2);
	CHECK_EQ(w.order[4], 11); /* three large ones go on; the shortest get through beside them */
	CHECK_EQ(w.order[5], 10);
	CHECK_EQ(w.order[6], 9);
	CHECK_EQ(w.order[11], 3);
	world_done(&w);
}

static void own_faults(struct check *check)
{
	static const struct {
		struct script script;
		enum sched_end end;
		unsigned tries, parks;
	} cases[] = {
		{ { { NULL } }, SCHED_DONE, 1, 0 },
		{ { { &not_now, &not_now } }, SCHED_DONE, 3, 2 },
		{ { { &not_now, &not_now, &not_now, &not_now } }, SCHED_FAILED, 4, 3 },
		{ { { &later, &later, &later, &later, &later, &later } }, SCHED_DONE, 7, 6 },
		{ { { &later, &later, &later, &later, &later, &later, &later } },
		  SCHED_FAILED,
		  7,
		  6 },
		{ { { &not_now, &not_now, &not_now, &not_now, &not_now, &not_now, &not_now },
		    true },
		  SCHED_DONE,
		  8,
		  7 },
		{ { { &never } }, SCHED_FAILED, 1, 0 },
		{ { { &not_now, &never } }, SCHED_FAILED, 2, 1 },
		{ { { &words } },
		  SCHED_FAILED,
		  1,
		  0 }, /* usage that reaches "the process": of one pass only */
		{ { { &much_later } }, SCHED_DONE, 2, 1 },
	};
	struct world w;

	world_init(&w, check, ARRAY_SIZE(cases), 3);
	for (size_t i = 0; i < w.n; i++)
		w.jobs[i].script = cases[i].script;
	world_run(&w);
	CHECK_EQ(w.result, 0);
	for (size_t i = 0; i < w.n; i++) {
		CHECK_EQ(w.jobs[i].end, cases[i].end);
		CHECK_EQ(w.jobs[i].sched.tries, cases[i].tries);
		CHECK_EQ(w.jobs[i].parks, cases[i].parks);
	}
	CHECK_EQ(w.shut, 0);
	world_done(&w);
}

/* A parked job has no slot: with a single one, all others are done before it goes on. */
static void parked_without_a_slot(struct check *check)
{
	struct world w;

	world_init(&w, check, 20, 1);
	w.jobs[0].script.tries[0] = &much_later;
	world_run(&w);
	CHECK_EQ(w.order[0], 0);
	CHECK_EQ(w.order[20], 0);
	CHECK_EQ(count(&w, SCHED_DONE), 20);
	world_done(&w);
}

/* The server is away for a while: those who are on their way run into it, then one at a time. */
static void a_server_goes_and_comes(struct check *check)
{
	struct world w;

	world_init(&w, check, 2000, 10);
	w.gates_n = 2;
	w.dead[0] = true;
	w.back_at[0] = 100 * MSEC;
	world_run(&w);
	CHECK_EQ(w.result, 0);
	CHECK_EQ(count(&w, SCHED_DONE), 2000);
	CHECK(w.tries[0] >= 1 && w.tries[0] <= 10 + 20);
	CHECK(w.shut >= 3);
	CHECK(w.shut + 3 <= w.tries[0]); /* those on their way met the same: that is no news */
	CHECK_EQ(w.opened, 1);
	world_done(&w);
}

static void a_server_never_comes(struct check *check)
{
	struct world w;

	world_init(&w, check, 2000, 10);
	w.gates_n = 2;
	w.dead[1] = true;
	w.settings.gate_patience_us = 100 * MSEC;
	world_run(&w);
	CHECK_EQ(w.result, 0);
	CHECK_EQ(count(&w, SCHED_DONE), 1000);
	CHECK_EQ(count(&w, SCHED_STOPPED), 1000);
	CHECK(w.tries[1] <= 10 + 20);
	CHECK_EQ(w.given_up, 1);
	world_done(&w);
}

/* A certificate that is not to be trusted: the second mailbox that meets it is the last. */
static void never_for_all(struct check *check)
{
	struct world w;

	world_init(&w, check, 500, 1);
	for (size_t i = 0; i < w.n; i++)
		for (size_t k = 0; k < 4; k++)
			w.jobs[i].script.tries[k] = &certificate;
	world_run(&w);
	CHECK_EQ(count(&w, SCHED_STOPPED), 500);
	CHECK(w.order_n <= 3);
	world_done(&w);
}

/* A gate is given up from inside, open or shut: its jobs that were not begun end, those of others do not. */
static void given_up(struct check *check)
{
	for (int shut = 0; shut < 2; shut++) {
		struct world w;

		world_init(&w, check, 400, 8);
		w.gates_n = 2;
		for (size_t i = 0; i < w.n; i++)
			w.jobs[i].script.takes_us = MSEC;
		w.jobs[4].script = (struct script){ .tries = { &never }, .gives_up = true, .lets_in = true,
						    .takes_us = 2 * MSEC };
		w.jobs[0].script.tries[0] = shut ? &server : &later;
		w.jobs[2].script.takes_us = 10 * MSEC; /* goes on */
		world_run(&w);
		CHECK_EQ(w.result, 0);
		CHECK(w.jobs[4].end == SCHED_FAILED && w.jobs[0].end == SCHED_STOPPED);
		CHECK_EQ(w.jobs[2].end, SCHED_DONE);
		for (size_t i = 1; i < w.n; i += 2)
			CHECK_EQ(w.jobs[i].end, SCHED_DONE);
		CHECK_EQ(count(&w, SCHED_FAILED), 1);
		CHECK(count(&w, SCHED_STOPPED) > 100);
		CHECK_EQ(w.given_up, 0); /* who gave it up tells */
		world_done(&w);
	}
}

/* Who fails before it meets the server says nothing of it: it stays shut until somebody was let in. */
static void no_answer(struct check *check)
{
	struct world w;

	world_init(&w, check, 40, 1);
	w.dead[0] = true;
	w.back_at[0] = 100 * MSEC;
	w.before = true;
	for (size_t i = 1; i <= 20; i++)
		w.jobs[i].script.tries[0] = &words;
	world_run(&w);
	CHECK_EQ(count(&w, SCHED_DONE), 20);
	CHECK_EQ(count(&w, SCHED_FAILED), 20);
	CHECK_EQ(w.opened, 1);
	world_done(&w);
}

/* What one mailbox calls the server's fault and another does not, is the first one's. */
static void a_gate_opened_by_another(struct check *check)
{
	struct world w;

	world_init(&w, check, 50, 5);
	w.jobs[7].script.tries[0] = &server;
	world_run(&w);
	CHECK_EQ(w.result, 0);
	CHECK_EQ(count(&w, SCHED_DONE), 50);
	CHECK_EQ(w.jobs[7].sched.tries, 2);
	CHECK_EQ(w.opened, 1);
	world_done(&w);
}

/* Turned away for good, while others get in: the first time it may be everybody's, the second not. */
static void never_for_one(struct check *check)
{
	struct world w;

	world_init(&w, check, 50, 5);
	for (size_t k = 0; k < ARRAY_SIZE(w.jobs[7].script.tries); k++)
		w.jobs[7].script.tries[k] = &certificate;
	for (size_t k = 0; k < ARRAY_SIZE(w.jobs[9].script.tries); k++)
		w.jobs[9].script.tries[k] = &server;
	world_run(&w);
	CHECK_EQ(count(&w, SCHED_DONE), 48);
	CHECK_EQ(w.jobs[7].end, SCHED_FAILED);
	CHECK_EQ(w.jobs[7].sched.tries, 2);
	CHECK_EQ(w.jobs[9].end, SCHED_FAILED);
	CHECK(w.jobs[9].sched.tries <= 8);
	CHECK_EQ(w.given_up, 0);
	world_done(&w);
}

/* Let in each time, and told that the server is gone: not for ever. */
static void in_circles(struct check *check)
{
	struct world w;

	world_init(&w, check, 30, 5);
	w.jobs[7].script.lets_in = true;
	for (size_t k = 0; k < ARRAY_SIZE(w.jobs[7].script.tries); k++)
		w.jobs[7].script.tries[k] = &server;
	world_run(&w);
	CHECK_EQ(count(&w, SCHED_DONE), 29);
	CHECK_EQ(w.jobs[7].end, SCHED_FAILED);
	CHECK_EQ(w.jobs[7].sched.tries, 7);
	world_done(&w);
}

static void this_machine_stops_all(struct check *check)
{
	struct world w;

	world_init(&w, check, 50, 5);
	for (size_t i = 0; i < w.n; i++)
		w.jobs[i].script.takes_us = 10 * MSEC;
	w.jobs[2].script.tries[0] = &disk;
	w.jobs[3].script.tries[0] = &much_later;
	world_run(&w);
	CHECK_EQ(w.result, -1);
	CHECK_STR(w.fault.text, "disk full");
	CHECK_EQ(count(&w, SCHED_STOPPED) + count(&w, SCHED_DONE), 50);
	CHECK(count(&w, SCHED_STOPPED) >= 40);
	world_done(&w);
}

static void cancelled(struct check *check)
{
	struct world w;

	world_init(&w, check, 50, 5);
	for (size_t i = 0; i < w.n; i++)
		w.jobs[i].script.takes_us = i < 3 ? MSEC : HOUR;
	w.jobs[2].script.tries[0] = &much_later;
	w.cancel = true;
	world_run(&w);
	CHECK_EQ(w.result, -1);
	CHECK_EQ(w.fault.kind, FAULT_CANCELLED);
	CHECK_EQ(count(&w, SCHED_DONE), 2);
	CHECK_EQ(count(&w, SCHED_STOPPED), 48);
	world_done(&w);
}

static void connections(struct check *check)
{
	struct world w;

	world_init(&w, check, 40, 10);
	for (size_t i = 0; i < w.n; i++)
		w.jobs[i].script.takes_us = MSEC;
	w.room = 6; /* less than slots */
	world_run(&w);
	CHECK_EQ(w.most_active, 6);
	CHECK_EQ(w.most_connections, 6);
	world_done(&w);

	world_init(&w, check, 3, 10); /* few jobs share what there is */
	for (size_t i = 0; i < w.n; i++)
		w.jobs[i].script.takes_us = 5 * MSEC;
	w.room = 10;
	world_run(&w);
	CHECK_EQ(w.most_active, 3);
	CHECK_EQ(w.most_connections, 10);
	world_done(&w);
}

static void outside_the_window(struct check *check)
{
	struct world w;

	world_init(&w, check, 10, 5);
	w.closed_until = 50 * MSEC;
	world_run(&w);
	CHECK_EQ(count(&w, SCHED_DONE), 10);
	CHECK_EQ(w.waits, 1);
	world_done(&w);
}

/* Anything, in any order: each ends once, within all bounds (which work() looks at). */
static void anything(struct check *check)
{
	static const struct fault *const faults[] = { NULL,   NULL,   NULL,   &not_now,
						      &later, &never, &server };

	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct world w;

		world_init(&w, check, 120, 1 + (unsigned)(seed % 9));
		rand_init(&w.rand, seed);
		w.shuffle = seed;
		w.settings.seed = seed;
		w.gates_n = 1 + seed % 3;
		w.room = (unsigned)rand_below(&w.rand, 9);
		w.dead[0] = seed % 4 == 0;
		w.back_at[0] = 30 * MSEC;
		w.closed_until = seed % 5 == 0 ? 20 * MSEC : 0;
		w.cancel = seed % 7 == 0;
		for (size_t i = 0; i < w.n; i++) {
			struct job *job = &w.jobs[i];

			job->sched.order.class = (unsigned char)rand_below(&w.rand, 3);
			job->sched.order.expected_us = (int64_t)rand_below(&w.rand, 5) - 1;
			job->script.takes_us = (int64_t)rand_below(&w.rand, 4) * MSEC;
			job->script.progresses = rand_below(&w.rand, 2);
			job->script.skipped = rand_below(&w.rand, 9) == 0;
			for (size_t k = 0; k < ARRAY_SIZE(job->script.tries); k++)
				job->script.tries[k] =
					faults[rand_below(&w.rand, ARRAY_SIZE(faults))];
		}
		world_run(&w);
		CHECK_EQ(w.result, w.cancel && w.result < 0 ? -1 : 0);
		if (w.room)
			CHECK(w.most_connections <= w.room);
		if (!w.cancel)
			CHECK_EQ(count(&w, SCHED_STOPPED), 0);
		world_done(&w);
	}
}

/* Each behind servers of its own, and none of them is there. */
static void as_many_servers(struct check *check)
{
	enum { N = 20000 };
	_cleanup_(freep) struct sched_gate *gates = xzalloc(N * sizeof(*gates));
	struct world w;

	world_init(&w, check, N, 100);
	for (size_t i = 0; i < N; i++) {
		sched_gate_init(&gates[i], NULL);
		w.jobs[i].sched.gate = &gates[i];
		w.jobs[i].script.tries[0] = &server;
		w.jobs[i].script.tries[1] = &certificate;
		w.jobs[i].script.tries[2] = &certificate;
	}
	w.parks_quickly = true;
	world_run(&w);
	CHECK_EQ(count(&w, SCHED_STOPPED), N);
	world_done(&w);
}

static void a_hundred_thousand(struct check *check)
{
	struct world w;

	world_init(&w, check, 100000, 200);
	world_run(&w);
	CHECK_EQ(count(&w, SCHED_DONE), 100000);
	world_done(&w);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "all are done", all_done },
		{ "nothing to do", nothing_to_do },
		{ "who comes first", who_comes_first },
		{ "a job's own faults", own_faults },
		{ "parked without a slot", parked_without_a_slot },
		{ "a server goes and comes back", a_server_goes_and_comes },
		{ "a server that never comes back", a_server_never_comes },
		{ "never, for all", never_for_all },
		{ "given up", given_up },
		{ "faults that say nothing of the server", no_answer },
		{ "a gate opened by another", a_gate_opened_by_another },
		{ "never, for one", never_for_one },
		{ "in circles", in_circles },
		{ "this machine's fault stops all", this_machine_stops_all },
		{ "cancelled", cancelled },
		{ "connections", connections },
		{ "outside the window", outside_the_window },
		{ "anything in any order", anything },
		{ "as many servers as mailboxes", as_many_servers },
		{ "a hundred thousand", a_hundred_thousand },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
