/* SPDX-License-Identifier: Apache-2.0 */
/* Slots, waits and gates, see sched.h. The scheduler's own fiber starts jobs and waits for news;
 * each job's fiber settles what became of it. With n jobs a step costs log n: ready jobs are in two
 * heaps (and skipped in the one they were not taken from), parked ones in a third, those behind a
 * shut gate in its list. */
#include "fleet/sched.h"

#include <assert.h>
#include <stdlib.h>

#include "base/xalloc.h"

enum { ONE_IN = 4 }; /* slots, for the shortest */

/* For a last status file or line. */
static const int64_t last_words_us = 10 * SECOND;

/* Limits by time of day are asked about again after this at the latest: clocks are set, settings
 * adapt. */
static const int64_t closed_look_us = MINUTE;

static struct sched_job *job_of(struct list *link)
{
	return list_entry(link, struct sched_job, link);
}

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
	list_init(&s->gates);
}

void sched_done(struct sched *s)
{
	order_heap_done(&s->longest);
	order_heap_done(&s->shortest);
	order_heap_done(&s->later);
	free(s->jobs);
	s->jobs = NULL;
}

void sched_gate_init(struct sched_gate *gate, void *user)
{
	*gate = (struct sched_gate){ .state = GATE_OPEN, .user = user };
	list_init(&gate->waiting);
	list_init(&gate->link);
}

/* --- phases ---------------------------------------------------------------------------------- */

static size_t *count_of(struct sched *s, enum sched_phase phase)
{
	size_t *const counts[] = { &s->ready, &s->active, &s->parked, &s->gated, &s->ended };

	return counts[phase];
}

static void set_phase(struct sched_job *job, enum sched_phase phase)
{
	--*count_of(job->sched, job->phase);
	++*count_of(job->sched, phase);
	job->phase = phase;
}

static void make_ready(struct sched_job *job)
{
	set_phase(job, SCHED_READY);
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
	make_ready(job);
}

static void tell_ended(struct sched_job *job, enum sched_end end, const struct fault *why)
{
	struct sched *s = job->sched;
	int64_t former = run_shield(last_words_us);

	s->calls->ended(s->arg, job, end, why);
	run_unshield(former);
}

static void end_job(struct sched_job *job, enum sched_end end, const struct fault *why)
{
	set_phase(job, SCHED_ENDED);
	tell_ended(job, end, why);
}

static void park(struct sched_job *job, int64_t for_us, const struct fault *why)
{
	struct sched *s = job->sched;
	int64_t former;

	job->retry_at = run_now() + for_us;
	set_phase(job, SCHED_PARKED);
	former = run_shield(last_words_us);
	s->calls->parked(s->arg, job, why, for_us);
	run_unshield(former);
	order_heap_push(&s->later, job); /* only now: it must not begin while its end is told */
}

/* --- gates ----------------------------------------------------------------------------------- */

static void tell_gate(struct sched *s, struct sched_gate *gate)
{
	if (s->calls->gate)
		s->calls->gate(s->arg, gate);
}

static void wait_at_gate(struct sched_job *job)
{
	set_phase(job, SCHED_GATED);
	list_append(&job->gate->waiting, &job->link);
}

static void open_gate(struct sched *s, struct sched_gate *gate)
{
	gate->state = GATE_OPEN;
	gate->trying = NULL;
	gate->pause_us = 0;
	gate->nevers = 0;
	list_remove(&gate->link);
	list_for_each_safe(link, &gate->waiting) {
		list_remove(link);
		make_ready(job_of(link));
	}
	tell_gate(s, gate);
	waiters_wake_all(&s->news);
}

/* Nothing will come of it: all who wait there have ended. */
static void close_for_good(struct sched *s, struct sched_gate *gate)
{
	gate->state = GATE_DEAD;
	gate->trying = NULL;
	list_remove(&gate->link);
	tell_gate(s, gate);
	while (!list_is_empty(&gate->waiting)) {
		struct sched_job *job = job_of(gate->waiting.next);

		list_remove(&job->link);
		end_job(job, SCHED_STOPPED, &gate->why);
	}
}

static void shut_gate(struct sched *s, struct sched_gate *gate, const struct fault *why)
{
	int64_t now = run_now();

	if (gate->state == GATE_OPEN) {
		gate->shut_at = now;
		list_append(&s->gates, &gate->link);
	}
	gate->pause_us = gate->pause_us ? gate->pause_us * 2 : s->settings.gate_us;
	if (gate->pause_us > s->settings.gate_longest_us)
		gate->pause_us = s->settings.gate_longest_us;
	gate->nevers = why->again == AGAIN_NEVER ? gate->nevers + 1 : 0;
	gate->why = *why;
	gate->trying = NULL;
	gate->state = GATE_SHUT;
	gate->try_at = now + rand_jitter(&s->rand, gate->pause_us);
	if (why->again != AGAIN_NEVER && why->after_us > gate->pause_us)
		gate->try_at = now + why->after_us;

	/* "Never" may be one mailbox's: a second one has to say it as well. */
	if (gate->nevers >= 2 || now - gate->shut_at >= s->settings.gate_patience_us)
		close_for_good(s, gate);
	else
		tell_gate(s, gate);
	waiters_wake_all(&s->news);
}

/* Whether what this job met says something new of the servers. Those who were on their way when the
 * gate was shut met the same. */
static bool is_news(const struct sched_job *job)
{
	const struct sched_gate *gate = job->gate;

	return gate->state == GATE_OPEN || (gate->state == GATE_TRIED && gate->trying == job);
}

void sched_connected(struct sched_job *job)
{
	job->connected = true;
	if (job->gate->state == GATE_TRIED && job->gate->trying == job)
		open_gate(job->sched, job->gate);
}

/* Nothing was learnt: another one tries. */
static void stop_trying(struct sched_job *job)
{
	if (job->gate->trying != job)
		return;

	job->gate->state = GATE_SHUT;
	job->gate->trying = NULL;
}

/* Whether it was let in before, again and again, and got nowhere: then it is one mailbox's trouble.
 */
static bool goes_in_circles(struct sched_job *job)
{
	if (!job->connected)
		return false;

	job->failures = job->progressed ? 1 : job->failures + 1;
	return job->failures > job->sched->settings.later_tries;
}

/* It keeps its slot until this is told, so that nobody begins it again meanwhile. */
static void server_fault(struct sched_job *job, const struct fault *fault)
{
	struct sched *s = job->sched;
	struct sched_gate *gate = job->gate;
	int64_t now = run_now(), former;

	if (goes_in_circles(job)) {
		stop_trying(job);
		end_job(job, SCHED_FAILED, fault);
		return;
	}
	if (is_news(job))
		shut_gate(s, gate, fault);
	if (gate->state == GATE_SHUT || gate->state == GATE_TRIED) {
		former = run_shield(last_words_us);
		s->calls->parked(s->arg, job, fault, gate->try_at > now ? gate->try_at - now : 0);
		run_unshield(former);
	}

	if (gate->state == GATE_DEAD)
		end_job(job, SCHED_STOPPED, fault);
	else if (gate->state == GATE_OPEN)
		make_ready(job);
	else
		wait_at_gate(job);
}

/* --- one job --------------------------------------------------------------------------------- */

/* A connection that is cut before anybody was let in is the server's trouble too. */
static bool is_servers(const struct sched_job *job, const struct fault *fault)
{
	if (fault->reach == REACH_SERVER)
		return true;

	return !job->connected && fault->reach == REACH_SESSION &&
	       (fault->kind == FAULT_TRANSPORT || fault->kind == FAULT_TIMEOUT ||
		fault->kind == FAULT_TLS);
}

static int64_t doubled(int64_t first_us, unsigned times, int64_t most_us)
{
	int64_t us = first_us;

	while (times-- > 0 && us < most_us)
		us *= 2;
	return us < most_us ? us : most_us;
}

static void own_fault(struct sched_job *job, const struct fault *fault)
{
	const struct sched_settings *o = &job->sched->settings;
	bool now = fault->again == AGAIN_NOW || fault->kind == FAULT_CANCELLED;
	unsigned failures = job->progressed ? 0 : job->failures;
	int64_t wait;

	job->failures = failures + 1;
	if (fault->again == AGAIN_NEVER || job->failures > (now ? o->now_tries : o->later_tries)) {
		end_job(job, SCHED_FAILED, fault);
		return;
	}

	wait = rand_jitter(&job->sched->rand,
			   doubled(now ? o->now_us : o->later_us, failures, o->longest_us));
	park(job, fault->after_us > wait ? fault->after_us : wait, fault);
}

static void settle_fault(struct sched_job *job, struct fault *fault)
{
	struct sched *s = job->sched;

	if (s->fatal.kind || run_is_cancelled()) {
		end_job(job, SCHED_STOPPED, fault);
		return;
	}
	if (fault->reach == REACH_PROCESS && fault->kind == FAULT_LOCAL) {
		s->fatal = *fault;
		end_job(job, SCHED_STOPPED, fault);
		nursery_cancel(&s->fibers);
		return;
	}
	if (is_servers(job, fault)) {
		server_fault(job, fault);
		return;
	}

	/* Whatever it was, the servers answered. */
	sched_connected(job);
	own_fault(job, fault);
}

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
		make_ready(job); /* to wait at the gate, or to end with it */
		waiters_wake_all(&s->news);
		return 0;
	}

	fault->kind = FAULT_NONE;
	r = s->calls->work(s->arg, job, fault);
	free_slot(job);
	if (r < 0) {
		settle_fault(job, fault);
	} else {
		if (r == 0)
			sched_connected(job);
		else
			stop_trying(job);
		end_job(job, r == 0 ? SCHED_DONE : SCHED_SKIPPED, NULL);
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
			end_job(job, SCHED_STOPPED, &job->gate->why);
		else
			wait_at_gate(job);
	}
	return NULL;
}

static void start(struct sched *s, struct sched_job *job, bool shortest, unsigned connections)
{
	set_phase(job, SCHED_ACTIVE);
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
		make_ready(job);
	}
}

static void try_gates(struct sched *s)
{
	unsigned connections;

	list_for_each_safe(link, &s->gates) {
		struct sched_gate *gate = list_entry(link, struct sched_gate, link);
		struct sched_job *job;

		if (gate->state != GATE_SHUT || gate->try_at > run_now() ||
		    list_is_empty(&gate->waiting))
			continue;
		if (!has_slot(s, &connections) || !may_begin(s))
			return;
		job = job_of(gate->waiting.next);
		list_remove(&job->link);
		gate->state = GATE_TRIED;
		gate->trying = job;
		start(s, job, false, connections);
	}
}

/* --- the run --------------------------------------------------------------------------------- */

static int64_t next_try(const struct sched *s)
{
	int64_t moment = MOMENT_NEVER;

	list_for_each(link, &s->gates) {
		const struct sched_gate *gate = list_entry(link, struct sched_gate, link);

		if (gate->state == GATE_SHUT && !list_is_empty(&gate->waiting) &&
		    gate->try_at < moment)
			moment = gate->try_at;
	}
	return moment;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_moment(const struct sched *s)
{
	const struct sched_job *job = order_heap_top(&s->later);
	int64_t moment = job ? job->retry_at : MOMENT_NEVER, try_at = next_try(s), now = run_now();

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
			end_job(s->jobs[i], SCHED_STOPPED, why);
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
