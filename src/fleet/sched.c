/* SPDX-License-Identifier: Apache-2.0 */
/* Slots, waits and gates, see sched.h. The scheduler's own fiber starts jobs and waits for news;
 * each job's fiber settles what became of it. With n jobs a step costs log n: ready jobs are in two
 * heaps (and skipped in the one they were not taken from), parked ones in a third, those behind a
 * shut gate in its list. */
#include "fleet/sched-inside.h"

#include <stdlib.h>

#include "base/xalloc.h"

enum { ONE_IN = 4 }; /* slots, for the shortest */

/* Limits by time of day are asked about again after this at the latest: clocks are set, settings
 * adapt. */
static const int64_t closed_look_us = MINUTE;

static bool longer(const void *a, const void *b)
{
	return order_before(&((const struct sched_job *)a)->order,
			    &((const struct sched_job *)b)->order);
}

static bool shorter(const void *a, const void *b)
{
	return order_shorter(&((const struct sched_job *)a)->order,
			     &((const struct sched_job *)b)->order);
}

static bool earlier(const void *a, const void *b)
{
	const struct sched_job *x = a, *y = b;

	return x->retry_at != y->retry_at ? x->retry_at < y->retry_at
					  : order_before(&x->order, &y->order);
}

static bool tried_earlier(const void *a, const void *b)
{
	return ((const struct sched_gate *)a)->try_at < ((const struct sched_gate *)b)->try_at;
}

void sched_init(struct sched *s, const struct sched_settings *settings,
		const struct sched_calls *calls, void *arg)
{
	*s = (struct sched){ .settings = *settings, .calls = calls, .arg = arg };
	s->longest.before = longer;
	s->shortest.before = shorter;
	s->later.before = earlier;
	rand_init(&s->rand, settings->seed);
	nursery_init(&s->fibers, "mailboxes");
	waiters_init(&s->news);
	s->gates.before = tried_earlier;
}

void sched_done(struct sched *s)
{
	order_heap_done(&s->longest);
	order_heap_done(&s->shortest);
	order_heap_done(&s->later);
	order_heap_done(&s->gates);
	free(s->jobs);
	s->jobs = NULL;
}

void sched_gate_init(struct sched_gate *gate, void *user)
{
	*gate = (struct sched_gate){ .state = GATE_OPEN, .user = user };
	list_init(&gate->waiting);
}

/* --- phases ---------------------------------------------------------------------------------- */

static size_t *count_of(struct sched *s, enum sched_phase phase)
{
	size_t *const counts[] = { &s->ready, &s->active, &s->parked, &s->gated, &s->ended };

	return counts[phase];
}

void sched_set_phase(struct sched_job *job, enum sched_phase phase)
{
	--*count_of(job->sched, job->phase);
	++*count_of(job->sched, phase);
	job->phase = phase;
}

void sched_make_ready(struct sched_job *job)
{
	sched_set_phase(job, SCHED_READY);
	order_heap_push(&job->sched->longest, job);
	order_heap_push(&job->sched->shortest, job);
}

void sched_add(struct sched *s, struct sched_job *job)
{
	job->sched = s;
	job->phase = SCHED_READY;
	job->tries = job->failures = 0;
	list_init(&job->link);
	s->jobs = xgrow(s->jobs, &s->jobs_size, s->jobs_n + 1, sizeof(*s->jobs));
	s->jobs[s->jobs_n++] = job;
	s->ready++;
	sched_make_ready(job);
}

static void tell_ended(struct sched_job *job, enum sched_end end, const struct fault *why)
{
	struct sched *s = job->sched;
	int64_t former = run_shield(SCHED_LAST_WORDS);

	s->calls->ended(s->arg, job, end, why);
	run_unshield(former);
}

void sched_end_job(struct sched_job *job, enum sched_end end, const struct fault *why)
{
	sched_set_phase(job, SCHED_ENDED);
	tell_ended(job, end, why);
}

void sched_park(struct sched_job *job, int64_t for_us, const struct fault *why)
{
	struct sched *s = job->sched;
	int64_t former;

	job->retry_at = run_now() + for_us;
	sched_set_phase(job, SCHED_PARKED);
	former = run_shield(SCHED_LAST_WORDS);
	s->calls->parked(s->arg, job, why, for_us);
	run_unshield(former);
	order_heap_push(&s->later, job); /* only now: it must not begin while its end is told */
}

/* --- one job --------------------------------------------------------------------------------- */

static void free_slot(struct sched_job *job)
{
	job->sched->granted -= job->connections;
	job->sched->shortest_active -= job->shortest;
}

static int run_job(void *arg, struct fault *fault)
{
	struct sched_job *job = arg;
	struct sched *s = job->sched;
	int r;

	if (job->gate->state != GATE_OPEN && job->gate->trying != job) {
		free_slot(job);
		job->tries--;
		sched_make_ready(job); /* to wait at the gate, or to end with it */
		waiters_wake_all(&s->news);
		return 0;
	}

	fault->kind = FAULT_NONE;
	r = s->calls->work(s->arg, job, fault);
	free_slot(job);
	if (r < 0) {
		sched_settle(job, fault);
	} else {
		if (r == 0)
			sched_connected(job);
		else
			sched_stop_trying(job);
		sched_end_job(job, r == 0 ? SCHED_DONE : SCHED_SKIPPED, NULL);
	}
	waiters_wake_all(&s->news);
	return 0;
}

/* --- starting -------------------------------------------------------------------------------- */

/* The connections a job gets: an equal part of what is left for all that could begin now. 0: it has
 * to wait. */
static unsigned grant(const struct sched *s)
{
	unsigned room = s->calls->room ? s->calls->room(s->arg) : 0;
	size_t slots = s->settings.at_once - s->active;
	size_t takers = s->ready < slots ? s->ready : slots;
	size_t part;

	if (!room)
		return s->settings.connections;
	if (s->granted >= room)
		return 0;

	part = (room - s->granted) / (takers ? takers : 1);
	if (part < 1)
		part = 1;
	return part < s->settings.connections ? (unsigned)part : s->settings.connections;
}

static struct sched_job *next_ready(struct sched *s, bool *ret_shortest)
{
	struct sched_job *job;

	*ret_shortest = s->shortest_active < s->settings.at_once / ONE_IN;
	while ((job = order_heap_pop(*ret_shortest ? &s->shortest : &s->longest))) {
		if (job->phase != SCHED_READY)
			continue;
		if (job->gate->state == GATE_OPEN)
			return job;
		if (job->gate->state == GATE_DEAD)
			sched_end_job(job, SCHED_STOPPED, &job->gate->why);
		else
			sched_wait_at_gate(job);
	}
	return NULL;
}

static void start(struct sched *s, struct sched_job *job, bool shortest, unsigned connections)
{
	sched_set_phase(job, SCHED_ACTIVE);
	job->connections = connections;
	job->shortest = shortest;
	job->connected = job->progressed = false;
	job->began_at = run_now();
	job->tries++;
	s->granted += connections;
	s->shortest_active += shortest;
	nursery_start(&s->fibers, run_job, job, "mailbox %zu", job->order.number + 1);
}

/* Whether the hour allows it; else notes when to ask again. */
static bool may_begin(struct sched *s)
{
	const char *why = "";
	int64_t closed = s->calls->closed ? s->calls->closed(s->arg, &why) : 0;
	bool first = s->closed_until == 0;

	if (closed <= 0) {
		s->closed_until = 0;
		return true;
	}
	s->closed_until = run_now() + (closed < closed_look_us ? closed : closed_look_us);
	if (first && s->calls->waiting)
		s->calls->waiting(s->arg, why, closed);
	return false;
}

static bool has_slot(const struct sched *s, unsigned *ret_connections)
{
	if (s->active >= s->settings.at_once)
		return false;

	*ret_connections = grant(s);
	return *ret_connections > 0;
}

static void start_ready(struct sched *s)
{
	struct sched_job *job;
	unsigned connections;
	bool shortest;

	while (s->ready && !s->fatal.kind && has_slot(s, &connections) && may_begin(s)) {
		job = next_ready(s, &shortest);
		if (!job)
			return;
		start(s, job, shortest, connections);
	}
}

/* Who was parked long enough, and gates whose time has come: one job tries each. */
static void wake_parked(struct sched *s)
{
	struct sched_job *job;

	while ((job = order_heap_top(&s->later)) && job->retry_at <= run_now()) {
		order_heap_pop(&s->later);
		sched_make_ready(job);
	}
}

/* One for which nobody waits is queued again by the first who does. */
static void try_gates(struct sched *s)
{
	struct sched_gate *gate;
	struct sched_job *job;
	unsigned connections;

	while ((gate = order_heap_top(&s->gates)) && gate->try_at <= run_now()) {
		bool wanted = !list_is_empty(&gate->waiting);

		if (wanted && (!has_slot(s, &connections) || !may_begin(s)))
			return;
		order_heap_pop(&s->gates);
		gate->queued = false;
		if (!wanted)
			continue;

		job = list_entry(gate->waiting.next, struct sched_job, link);
		list_remove(&job->link);
		gate->state = GATE_TRIED;
		gate->trying = job;
		start(s, job, false, connections);
	}
}

/* --- the run --------------------------------------------------------------------------------- */

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_moment(const struct sched *s)
{
	const struct sched_job *job = order_heap_top(&s->later);
	const struct sched_gate *gate = order_heap_top(&s->gates);
	int64_t moment = job ? job->retry_at : MOMENT_NEVER, now = run_now();
	int64_t try_at = gate ? gate->try_at : MOMENT_NEVER;

	if (try_at > now)
		moment = sooner(moment, try_at);
	if (!s->ready && try_at > now)
		return moment;

	/* Somebody would begin and may not: the hour, or connections that grow by themselves,
	 * without news. */
	if (s->closed_until > now)
		return sooner(moment, s->closed_until);
	return s->calls->room && s->active < s->settings.at_once ? sooner(moment, now + SECOND)
								 : moment;
}

static int wait_for_news(struct sched *s, struct fault *fault)
{
	int64_t moment = next_moment(s), wait = moment - run_now();

	if (moment == MOMENT_NEVER)
		return waiters_wait(&s->news, "news of a mailbox", fault);
	if (wait <= 0)
		return run_yield(fault);

	_deadline_(wait);

	if (waiters_wait(&s->news, "news of a mailbox, or the next try", fault) == 0)
		return 0;
	return fault->kind == FAULT_TIMEOUT ? 0 : -1;
}

/* All that were not begun, parked or behind a gate. */
static void end_rest(struct sched *s, const struct fault *why)
{
	for (size_t i = 0; i < s->jobs_n; i++)
		if (s->jobs[i]->phase != SCHED_ENDED)
			sched_end_job(s->jobs[i], SCHED_STOPPED, why);
}

int sched_run(struct sched *s, struct fault *fault)
{
	struct fault ignored;
	int r = 0;

	while (r == 0 && !s->fatal.kind && s->ended < s->jobs_n) {
		wake_parked(s);
		try_gates(s);
		start_ready(s);
		if (s->ended < s->jobs_n && !s->fatal.kind)
			r = wait_for_news(s, fault);
	}

	if (r < 0 || s->fatal.kind)
		nursery_cancel(&s->fibers);
	nursery_wait(&s->fibers, &ignored);
	if (s->fatal.kind) {
		*fault = s->fatal;
		r = -1;
	}
	if (r < 0)
		end_rest(s, fault);
	return r;
}
