/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a job that met a fault, and of all those behind the same servers: gates, see
 * sched.h. */
#include "fleet/sched-inside.h"

/* How much sooner "never" is tried again than other faults: it is another mailbox that tries. */
enum { SOONER = 5 };

static struct sched_job *job_of(struct list *link)
{
	return list_entry(link, struct sched_job, link);
}

/* --- gates ----------------------------------------------------------------------------------- */

static void tell_gate(struct sched *s, struct sched_gate *gate)
{
	if (s->calls->gate)
		s->calls->gate(s->arg, gate);
}

/* try_at does not change while it is queued. */
static void queue_gate(struct sched *s, struct sched_gate *gate)
{
	if (gate->queued || gate->state != GATE_SHUT)
		return;

	gate->queued = true;
	order_heap_push(&s->gates, gate);
}

void sched_wait_at_gate(struct sched_job *job)
{
	sched_set_phase(job, SCHED_GATED);
	list_append(&job->gate->waiting, &job->link);
	queue_gate(job->sched, job->gate);
}

static void open_gate(struct sched *s, struct sched_gate *gate)
{
	gate->state = GATE_OPEN;
	gate->trying = NULL;
	gate->pause_us = 0;
	gate->nevers = 0;
	list_for_each_safe(link, &gate->waiting) {
		list_remove(link);
		sched_make_ready(job_of(link));
	}
	tell_gate(s, gate);
	waiters_wake_all(&s->news);
}

/* Nothing will come of it: all who wait there have ended. */
static void end_waiting(struct sched_gate *gate)
{
	gate->state = GATE_DEAD;
	gate->trying = NULL;
	while (!list_is_empty(&gate->waiting)) {
		struct sched_job *job = job_of(gate->waiting.next);

		list_remove(&job->link);
		sched_end_job(job, SCHED_STOPPED, &gate->why);
	}
}

static void close_for_good(struct sched *s, struct sched_gate *gate)
{
	gate->state = GATE_DEAD;
	tell_gate(s, gate);
	end_waiting(gate);
}

/* Those that are ready or parked end when their turn comes. */
void sched_give_up(struct sched *s, struct sched_gate *gate, const struct fault *why)
{
	if (gate->state == GATE_DEAD)
		return;

	gate->why = *why;
	end_waiting(gate);
	waiters_wake_all(&s->news);
}

static void shut_gate(struct sched *s, struct sched_gate *gate, const struct fault *why)
{
	int64_t now = run_now();

	if (gate->state == GATE_OPEN)
		gate->shut_at = now;
	gate->pause_us = gate->pause_us ? gate->pause_us * 2 : s->settings.gate_us;
	if (gate->pause_us > s->settings.gate_longest_us)
		gate->pause_us = s->settings.gate_longest_us;
	if (why->again == AGAIN_NEVER)
		gate->pause_us = s->settings.gate_us / SOONER;
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
	queue_gate(s, gate);
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
void sched_stop_trying(struct sched_job *job)
{
	if (job->gate->trying != job)
		return;

	job->gate->state = GATE_SHUT;
	job->gate->trying = NULL;
	queue_gate(job->sched, job->gate);
}

/* Whether others get in and this one does not, or it does again and again and gets nowhere: then it
 * is one mailbox's trouble. */
static bool goes_in_circles(struct sched_job *job, const struct fault *fault)
{
	unsigned most = fault->again == AGAIN_NEVER ? 1 : job->sched->settings.later_tries;

	if (!job->connected && job->gate->state != GATE_OPEN)
		return false;

	job->failures = job->progressed ? 1 : job->failures + 1;
	return job->failures > most;
}

/* It keeps its slot until this is told, so that nobody begins it again meanwhile. */
static void server_fault(struct sched_job *job, const struct fault *fault)
{
	struct sched *s = job->sched;
	struct sched_gate *gate = job->gate;
	int64_t now = run_now(), former;

	if (goes_in_circles(job, fault)) {
		sched_stop_trying(job);
		sched_end_job(job, SCHED_FAILED, fault);
		return;
	}
	if (is_news(job))
		shut_gate(s, gate, fault);
	if (gate->state == GATE_SHUT || gate->state == GATE_TRIED) {
		former = run_shield(SCHED_LAST_WORDS);
		s->calls->parked(s->arg, job, fault, gate->try_at > now ? gate->try_at - now : 0);
		run_unshield(former);
	}

	if (gate->state == GATE_DEAD)
		sched_end_job(job, SCHED_STOPPED, fault);
	else if (gate->state == GATE_OPEN)
		sched_make_ready(job);
	else
		sched_wait_at_gate(job);
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

/* Whether the servers are there, whatever they said. A missing file or a limit of our own tells
 * nothing of them. */
static bool is_an_answer(const struct sched_job *job, const struct fault *fault)
{
	return job->connected || fault->kind == FAULT_AUTH || fault->kind == FAULT_REFUSED ||
	       fault->kind == FAULT_PROTOCOL;
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
		sched_end_job(job, SCHED_FAILED, fault);
		return;
	}

	wait = rand_jitter(&job->sched->rand,
			   doubled(now ? o->now_us : o->later_us, failures, o->longest_us));
	sched_park(job, fault->after_us > wait ? fault->after_us : wait, fault);
}

void sched_settle(struct sched_job *job, struct fault *fault)
{
	struct sched *s = job->sched;

	if (s->fatal.kind || run_is_cancelled()) {
		sched_end_job(job, SCHED_STOPPED, fault);
		return;
	}
	if (fault->reach == REACH_PROCESS && fault->kind == FAULT_LOCAL) {
		s->fatal = *fault;
		sched_end_job(job, SCHED_STOPPED, fault);
		nursery_cancel(&s->fibers);
		return;
	}
	if (is_servers(job, fault)) {
		server_fault(job, fault);
		return;
	}

	if (is_an_answer(job, fault))
		sched_connected(job);
	else
		sched_stop_trying(job);
	own_fault(job, fault);
}
