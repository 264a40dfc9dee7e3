/* SPDX-License-Identifier: Apache-2.0 */
/* The queue for the delivery: jobs, their answers, parked legs, doubts. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/queue-inside.h"

enum { TRIES = 64 }; /* of items that have another way by now, before others get their turn */

static const char *const target_names[BOOK_TARGETS] = { "old", "new" };

static struct book_leg *leg_of(struct schedule_item *item)
{
	return (struct book_leg *)(void *)((char *)item - offsetof(struct book_leg, item));
}

/* --- jobs -------------------------------------------------------------------------------------- */

/* Its life is over: somebody must say what becomes of it. */
static void park_expired(struct queue *queue, struct book_leg *leg)
{
	leg->is_parked = 1;
	leg->message->users++;
	list_append(&queue->expired, &leg->of_queue);
	waiters_wake_all(&queue->work);
}

/* An item of a job that is not to go there. */
static void turn_away(struct queue *queue, struct book_leg *leg, int64_t now)
{
	if (!schedule_settle(&leg->item, SCHEDULE_UNTRIED, 0, now)) {
		park_expired(queue, leg);
		return;
	}
	schedule_remove(&leg->item, now);
	queue_place(queue, leg);
}

static bool goes_there(const struct queue *queue, const struct book_leg *leg, enum book_target target)
{
	return leg->fate == JOURNAL_OPEN && queue_way(queue, leg) == (enum queue_way)target;
}

static void join_others(struct queue *queue, struct schedule_job *job, struct book_message *message,
			enum book_target target, unsigned *n, int64_t now)
{
	list_for_each_safe(link, &message->legs) {
		struct book_leg *leg = list_entry(link, struct book_leg, of_message);

		if (leg->target != target || !leg->item.recipient || leg->item.job || leg->item.due.key > now)
			continue;
		if (!goes_there(queue, leg, target)) {
			schedule_remove(&leg->item, now);
			queue_place(queue, leg);
			continue;
		}
		if (schedule_join(job, &leg->item, now))
			(*n)++;
	}
}

static int compare_legs(const void *a, const void *b)
{
	const struct book_leg *x = *(struct book_leg *const *)a, *y = *(struct book_leg *const *)b;

	return (x->recipient > y->recipient) - (x->recipient < y->recipient);
}

static struct queue_job *job_new(struct queue *queue, struct schedule_job *schedule_job, struct book_message *message,
				 enum book_target target, unsigned n)
{
	struct queue_job *job = xzalloc(sizeof(*job));

	message->users++;
	job->message = message;
	job->target = target;
	job->host = schedule_host(schedule_job);
	job->epoch = router_epoch(queue->router);
	job->legs = xreallocarray(NULL, n, sizeof(struct book_leg *));
	job->schedule_job = schedule_job;
	list_for_each(link, schedule_items(schedule_job))
		job->legs[job->n++] = leg_of(list_entry(link, struct schedule_item, of_job));
	assert(job->n == n);
	qsort(job->legs, n, sizeof(struct book_leg *), compare_legs);
	return job;
}

struct queue_job *queue_next(struct queue *queue, enum book_target target)
{
	struct schedule_target *side = queue->sides[target].target;
	int64_t now = run_now();

	for (unsigned i = 0; side && i < TRIES; i++) {
		struct schedule_job *job = schedule_next(side, now);
		struct book_leg *leg;
		unsigned n = 1;

		if (!job)
			return NULL;
		leg = leg_of(list_entry(schedule_items(job)->next, struct schedule_item, of_job));
		if (!goes_there(queue, leg, target)) {
			turn_away(queue, leg, now);
			schedule_done(job, SCHEDULE_UNUSED, 0, now);
			continue;
		}
		if (leg->message->n_legs > 1)
			join_others(queue, job, leg->message, target, &n, now);
		return job_new(queue, job, leg->message, target, n);
	}
	return NULL;
}

int64_t queue_moment(struct queue *queue, enum book_target target)
{
	struct schedule_target *side = queue->sides[target].target;

	return side ? schedule_moment(side, run_now()) : MOMENT_NEVER;
}

static struct journal_leg *names_of(struct book_leg *const *legs, unsigned n)
{
	struct journal_leg *names = xreallocarray(NULL, n + 1, sizeof(*names));

	for (unsigned i = 0; i < n; i++)
		names[i] = queue_leg_name(legs[i]);
	return names;
}

int queue_attempt(struct queue *queue, struct queue_job *job, const char *host, struct fault *fault)
{
	_cleanup_(freep) struct journal_leg *names = names_of(job->legs, job->n);
	struct journal_attempt record = { .epoch = job->epoch, .target = bytes_of(target_names[job->target]),
					  .host = bytes_of(host), .legs = names, .n_legs = job->n };
	uint64_t sequence;

	assert(!job->is_put);
	if (queue_wait_index(queue, fault) < 0 ||
	    queue_room(queue, JOURNAL_ATTEMPT, 64 + record.host.n + 40 * (size_t)job->n, fault) < 0)
		return -1;
	record.attempt = book_last_attempt(queue->book) + 1;
	if (queue_put_now(queue, JOURNAL_ATTEMPT, &record, &sequence, fault) < 0)
		return -1;
	job->attempt = record.attempt;
	job->is_put = true;
	return 0;
}

int queue_intent(struct queue *queue, struct queue_job *job, struct book_leg *const *legs, unsigned n,
		 struct fault *fault)
{
	_cleanup_(freep) struct journal_leg *names = names_of(legs, n);
	struct journal_attempt record = { .attempt = job->attempt, .legs = names, .n_legs = n };
	uint64_t sequence;

	assert(job->is_put && n > 0);
	if (queue_put(queue, JOURNAL_INTENT, &record, &sequence, fault) < 0)
		return -1;
	return queue_commit(queue, sequence, fault);
}

/* --- answers ----------------------------------------------------------------------------------- */

static void leave_job(struct queue_job *job, const struct book_leg *leg)
{
	for (unsigned i = 0; i < job->n; i++) {
		if (job->legs[i] != leg)
			continue;
		memmove(&job->legs[i], &job->legs[i + 1], (job->n - i - 1) * sizeof(struct book_leg *));
		job->n--;
		return;
	}
	assert(!"a leg of the job");
}

static bool waits_again(const struct queue_answer *a)
{
	return a->fate == JOURNAL_OPEN && a->answer != SCHEDULE_REFUSED && a->answer != SCHEDULE_ACCEPTED;
}

/* Tells the schedule, and makes of it what the record says. */
static void settle_answer(struct queue_answer *a, struct journal_outcome *o, int64_t now)
{
	struct book_leg *leg = a->leg;
	enum schedule_answer answer = a->answer;

	if (!waits_again(a) && a->fate != JOURNAL_DELIVERED)
		answer = SCHEDULE_REFUSED;
	assert(a->fate != JOURNAL_DELIVERED || answer == SCHEDULE_ACCEPTED);
	a->is_parked = !schedule_settle(&leg->item, answer, a->told_us, now) && a->fate == JOURNAL_OPEN;
	*o = (struct journal_outcome){
		.message = leg->message->number, .recipient = leg->recipient, .copy = leg->copy, .fate = a->fate,
		.code = a->code, .enhanced = a->enhanced, .text = a->text, .remote_id = a->remote_id,
		.reason = bytes_of(a->cause), .flagged = a->is_flagged, .attempts = leg->item.attempts,
	};
	if (a->fate == JOURNAL_OPEN)
		o->next_us = queue_wall_of(leg->item.recipient ? leg->item.due.key : now);
}

/* After the record was applied. Legs that were settled are gone. */
static void after_answer(struct queue *queue, struct queue_answer *a, int64_t now)
{
	struct book_leg *leg = a->leg;

	switch (a->fate) {
	case JOURNAL_IN_DOUBT:
		list_append(&queue->doubts, &leg->of_queue);
		break;
	case JOURNAL_OPEN:
		if (a->is_parked) {
			leg->is_parked = 1;
			leg->message->users++;
		} else if (queue_way(queue, leg) != (enum queue_way)leg->target) {
			/* Its route changed while it was tried. */
			schedule_remove(&leg->item, now);
			queue_place(queue, leg);
		}
		break;
	default:
		break;
	}
}

/* Nothing was tried: nothing is written. */
static int settle_untried(struct queue *queue, struct queue_job *job, struct queue_answer *answers, unsigned n)
{
	int64_t now = run_now();

	for (unsigned i = 0; i < n; i++) {
		assert(answers[i].answer == SCHEDULE_UNTRIED && answers[i].fate == JOURNAL_OPEN);
		leave_job(job, answers[i].leg);
		answers[i].is_parked = false;
		if (schedule_settle(&answers[i].leg->item, SCHEDULE_UNTRIED, 0, now))
			after_answer(queue, &answers[i], now);
		else
			park_expired(queue, answers[i].leg);
	}
	waiters_wake_all(&queue->work);
	return 0;
}

static size_t size_of(const struct queue_how *how, const struct queue_answer *answers, unsigned n)
{
	size_t size = 64 + how->host.n + how->tls_version.n + how->tls_cipher.n + how->how.n;

	for (unsigned i = 0; i < n; i++)
		size += 128 + answers[i].enhanced.n + answers[i].text.n + answers[i].remote_id.n + strlen(answers[i].cause);
	return size;
}

int queue_result(struct queue *queue, struct queue_job *job, const struct queue_how *how, struct queue_answer *answers,
		 unsigned n, struct fault *fault)
{
	struct journal_result record = { .host = how->host, .tls_version = how->tls_version,
					 .tls_cipher = how->tls_cipher, .how = how->how, .n_outcomes = n };
	_cleanup_(freep) struct journal_outcome *outcomes = NULL;
	uint64_t sequence;
	int64_t now;

	if (n == 0)
		return 0;
	if (!job->is_put)
		return settle_untried(queue, job, answers, n);
	if (queue_room(queue, JOURNAL_RESULT, size_of(how, answers, n), fault) < 0)
		return -1;

	now = run_now();
	outcomes = xreallocarray(NULL, n, sizeof(*outcomes));
	for (unsigned i = 0; i < n; i++) {
		leave_job(job, answers[i].leg);
		settle_answer(&answers[i], &outcomes[i], now);
	}
	record.attempt = job->attempt;
	record.outcomes = outcomes;
	if (queue_put_now(queue, JOURNAL_RESULT, &record, &sequence, fault) < 0) {
		queue_fail(queue, fault); /* the schedule knows what the books do not */
		return -1;
	}
	for (unsigned i = 0; i < n; i++)
		after_answer(queue, &answers[i], now);
	waiters_wake_all(&queue->work);
	return 0;
}

void queue_end(struct queue *queue, struct queue_job *job, enum schedule_end end, int64_t told_us)
{
	assert(job->n == 0);
	schedule_done(job->schedule_job, end, told_us, run_now());
	queue_release(queue, job->message);
	free(job->legs);
	free(job);
	waiters_wake_all(&queue->work);
}

void queue_abandon(struct queue *queue, struct queue_job *job)
{
	for (; job->n > 0; job->n--)
		schedule_settle(&job->legs[job->n - 1]->item, SCHEDULE_REFUSED, 0, run_now());
	queue_end(queue, job, SCHEDULE_UNUSED, 0);
}

/* --- parked legs ------------------------------------------------------------------------------- */

struct book_leg *queue_next_expired(struct queue *queue)
{
	struct book_leg *leg;

	for (unsigned t = 0; t < BOOK_TARGETS && list_is_empty(&queue->expired); t++) {
		struct schedule_item *item =
			queue->sides[t].target ? schedule_expired(queue->sides[t].target, run_now()) : NULL;

		if (item)
			park_expired(queue, leg_of(item));
	}
	if (list_is_empty(&queue->expired))
		return NULL;
	leg = list_entry(queue->expired.next, struct book_leg, of_queue);
	list_remove(&leg->of_queue);
	return leg;
}

/* The caller had these legs; how they are held in memory ends with a record that settles or holds them. */
static unsigned claims_on(const struct book_leg *leg)
{
	return leg->is_parked || leg->is_taken;
}

static void unclaim(struct queue *queue, struct book_message *message, unsigned claims)
{
	while (claims-- > 0)
		queue_release(queue, message);
	waiters_wake_all(&queue->work);
}

static int put_return(struct queue *queue, struct book_leg *const *legs, unsigned n, const char *reason,
		      struct queue_accept *dsn, struct fault *fault)
{
	_cleanup_(freep) struct journal_leg *names = names_of(legs, n);
	struct journal_order order = { .operator = BYTES("gateway"), .reason = bytes_of(reason), .legs = names,
				       .n_legs = n };
	struct book_message *message = legs[0]->message, *own = NULL;
	unsigned claims = 0;
	uint64_t sequence;
	int r = 0;

	message->users++;
	if (dsn) {
		dsn->record.dsn_for = message->number;
		dsn->record.returns = names;
		dsn->record.n_returns = n;
		dsn->beside = 512 + strlen(reason) + 40 * (size_t)n;
		r = queue_put_accept(queue, dsn, &own, fault);
		order.dsn = own ? own->number : 0;
	}
	for (unsigned i = 0; i < n; i++)
		claims += claims_on(legs[i]);
	/* Nothing comes between the two: a start that finds the first alone knows what is missing. */
	if (r == 0)
		r = own ? queue_put_now(queue, JOURNAL_RETURNED, &order, &sequence, fault)
			: queue_put(queue, JOURNAL_RETURNED, &order, &sequence, fault);
	if (r == 0)
		unclaim(queue, message, claims);
	if (r == 0 && own)
		r = queue_decide(queue, own, fault);
	if (r == 0)
		sequence = book_position(queue->book);
	if (r == 0)
		r = queue_commit(queue, sequence, fault);
	if (r == 0 && own)
		queue_accepted(queue, own);
	if (own)
		queue_release(queue, own);
	queue_release(queue, message);
	return r;
}

/* Half of it would be a second notification later. */
int queue_return(struct queue *queue, struct book_leg *const *legs, unsigned n, const char *reason,
		 struct queue_accept *dsn, struct fault *fault)
{
	int64_t former = run_shield(MOMENT_NEVER);
	int r = put_return(queue, legs, n, reason, dsn, fault);

	run_unshield(former);
	return r;
}

int queue_hold(struct queue *queue, struct book_leg *const *legs, unsigned n, const char *cause, const char *reason,
	       struct fault *fault)
{
	_cleanup_(freep) struct journal_leg *names = names_of(legs, n);
	_cleanup_(buf_done) struct buf rule = BUF_NULL;
	struct journal_order order = { .reason = bytes_of(reason), .legs = names, .n_legs = n };
	uint64_t sequence;

	buf_appendf(&rule, "rule:%s", cause);
	order.operator = buf_bytes(&rule);
	if (queue_put(queue, JOURNAL_HOLD, &order, &sequence, fault) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		unsigned claims = claims_on(legs[i]);

		list_remove(&legs[i]->of_queue);
		legs[i]->is_parked = legs[i]->is_taken = 0;
		unclaim(queue, legs[i]->message, claims);
	}
	return queue_commit(queue, sequence, fault);
}

/* --- doubts ------------------------------------------------------------------------------------ */

/* One that is further away was put off by a clock that was ahead. */
static int64_t doubt_due(const struct book_leg *leg, int64_t wall)
{
	return leg->due_us > wall + QUEUE_DOUBT_MOST_US ? wall : leg->due_us;
}

struct book_leg *queue_next_doubt(struct queue *queue)
{
	int64_t now = run_wall();

	list_for_each(link, &queue->doubts) {
		struct book_leg *leg = list_entry(link, struct book_leg, of_queue);

		if (doubt_due(leg, now) > now)
			continue;
		list_remove(&leg->of_queue);
		leg->is_taken = 1;
		leg->message->users++;
		return leg;
	}
	return NULL;
}

int64_t queue_doubt_moment(struct queue *queue)
{
	int64_t moment = MOMENT_NEVER;

	list_for_each(link, &queue->doubts) {
		const struct book_leg *leg = list_entry(link, struct book_leg, of_queue);
		int64_t due = queue_moment_of(doubt_due(leg, run_wall()));

		moment = due < moment ? due : moment;
	}
	return moment;
}

void queue_put_doubt(struct queue *queue, struct book_leg *leg, int64_t wait_us)
{
	assert(leg->is_taken);
	leg->is_taken = 0;
	leg->due_us = run_wall() + wait_us;
	list_append(&queue->doubts, &leg->of_queue);
	queue_release(queue, leg->message);
	waiters_wake_all(&queue->work);
}

int queue_settle_doubt(struct queue *queue, struct book_leg *leg, const struct queue_doubt *doubt, struct fault *fault)
{
	struct book_message *message = leg->message;
	struct journal_outcome outcome = {
		.message = message->number, .recipient = leg->recipient, .copy = leg->copy, .fate = doubt->fate,
		.reason = bytes_of(doubt->cause), .folder = doubt->folder, .uid = doubt->uid,
		.flagged = doubt->is_flagged, .attempts = leg->attempts, .next_us = run_wall(),
	};
	struct journal_result record = { .attempt = leg->attempt, .how = bytes_of(doubt->how), .outcomes = &outcome,
					 .n_outcomes = 1 };
	uint64_t sequence;
	int r;

	assert(leg->is_taken);
	if (queue_put(queue, JOURNAL_DOUBT, &record, &sequence, fault) < 0)
		return -1;
	if (doubt->fate != JOURNAL_DELIVERED)
		leg->is_taken = 0;
	r = queue_commit(queue, sequence, fault);
	if (r == 0 && doubt->fate == JOURNAL_OPEN)
		queue_place(queue, leg);
	unclaim(queue, message, 1);
	return r;
}
