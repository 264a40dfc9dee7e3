/* SPDX-License-Identifier: Apache-2.0 */
/* The queue and its index: one fiber writes batches, lets legs go that need not be in memory, and brings them back
 * when they are due. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/queue-inside.h"
#include "os/file.h"

/* --- turns ------------------------------------------------------------------------------------- */

int queue_take_turn(struct queue *queue, struct fault *fault)
{
	if (queue->busy)
		return waiters_wait(&queue->turn, "the index", fault); /* woken: ours, still busy */
	queue->busy = true;
	return 0;
}

void queue_end_turn(struct queue *queue)
{
	if (list_is_empty(&queue->turn.fibers))
		queue->busy = false;
	else
		waiters_wake_one(&queue->turn);
}

/* Until the index has more, or never will. */
static int wait_for_index(struct queue *queue, struct fault *fault)
{
	if (queue->why.kind) {
		*fault = queue->why;
		return -1;
	}
	if (queue->index_ended)
		return fault_cancelled(fault);
	waiters_wake_one(&queue->upkeep);
	return waiters_wait(&queue->caught_up, "the index to catch up", fault);
}

int queue_flush(struct queue *queue, struct fault *fault)
{
	uint64_t position = book_position(queue->book);

	if (position > queue->wanted)
		queue->wanted = position;
	while (queue->indexed < position)
		if (wait_for_index(queue, fault) < 0)
			return -1;
	return 0;
}

static bool is_behind(const struct queue *queue)
{
	uint64_t lag = book_position(queue->book) - queue->indexed;

	return lag > QUEUE_LAG_MAX ||
	       (lag > 0 && book_legs_in_memory(queue->book) > queue->settings.max_legs + queue->settings.max_legs / 2);
}

int queue_wait_index(struct queue *queue, struct fault *fault)
{
	while (is_behind(queue))
		if (wait_for_index(queue, fault) < 0)
			return -1;
	return 0;
}

/* --- leaving and coming back ------------------------------------------------------------------- */

void queue_uncache(struct queue *queue, struct book_message *message)
{
	queue->cached -= message->envelope.n + message->content.n;
	free((void *)(uintptr_t)message->envelope.p);
	free((void *)(uintptr_t)message->content.p);
	message->envelope = message->content = BYTES_NULL;
	list_remove(&message->of_cache);
}

static void note_away(struct queue *queue, const struct book_leg *leg)
{
	struct queue_side *side;

	if (leg->fate != JOURNAL_OPEN)
		return;
	if (leg->target == BOOK_NOWHERE) {
		queue->undirected_away = true;
		queue->undirected = (struct index_due){ .due_us = INT64_MIN };
		return;
	}
	side = &queue->sides[leg->target];
	if (leg->due_us <= side->cursor.due_us)
		side->cursor = (struct index_due){ .due_us = leg->due_us - 1, .number = INT64_MAX };
	if (leg->due_us < side->next_due_us)
		side->next_due_us = leg->due_us;
}

static size_t most_waiting(const struct queue *queue)
{
	return queue->settings.max_legs / BOOK_TARGETS;
}

static bool is_far(const struct queue *queue, const struct book_leg *leg)
{
	struct schedule_view view;

	if (leg->item.job || leg->due_us < run_wall() + QUEUE_FAR_US)
		return false;
	schedule_look(queue->sides[leg->target].target, run_now(), &view);
	return view.waiting > most_waiting(queue) / 2;
}

static bool may_leave(const struct queue *queue, const struct book_leg *leg)
{
	if (leg->is_dirty || leg->is_parked || leg->is_taken || !list_is_empty(&leg->of_queue))
		return false;
	if (leg->fate == JOURNAL_HELD)
		return true;
	if (leg->fate != JOURNAL_OPEN)
		return false;
	return !leg->item.recipient || is_far(queue, leg);
}

void queue_evict(struct queue *queue, struct book_message *message)
{
	if (message->is_dirty || message->users > 0)
		return;
	list_for_each_safe(link, &message->legs) {
		struct book_leg *leg = list_entry(link, struct book_leg, of_message);

		if (!may_leave(queue, leg))
			continue;
		if (leg->item.recipient)
			schedule_remove(&leg->item, run_now());
		note_away(queue, leg);
		book_forget_leg(queue->book, leg);
	}
	if (message->n_legs == 0)
		queue_uncache(queue, message);
	book_tidy(queue->book, message);
}

static bool is_gone(const struct book_message *message, const struct book_leg *leg)
{
	for (size_t i = 0; i < message->n_gone; i++)
		if (message->gone[i].recipient == leg->recipient && message->gone[i].copy == leg->copy)
			return true;
	return false;
}

static void restore_message(struct book_message *message, const struct index_message *from)
{
	message->accepted_us = from->accepted_us;
	message->size = from->size;
	message->n_recipients = from->n_recipients;
	message->n_away = from->n_legs;
	message->place = from->place;
	message->is_dsn = from->is_dsn;
	message->is_durable = message->in_index = true;
	if (from->n_bodies > 0) {
		message->bodies = xreallocarray(NULL, from->n_bodies, sizeof(*message->bodies));
		memcpy(message->bodies, from->bodies, from->n_bodies * sizeof(*message->bodies));
		message->n_bodies = from->n_bodies;
	}
}

struct book_leg *queue_restore(struct queue *queue, const struct index_row *row)
{
	struct book_message *message = book_message(queue->book, row->message.number);
	struct journal_leg name = { row->message.number, row->leg.leg.recipient, row->leg.leg.copy };
	struct book_leg *leg;

	if (message && (book_leg(queue->book, &name) || is_gone(message, &row->leg.leg) || message->n_away == 0))
		return NULL;
	if (!message) {
		message = book_restore(queue->book, row->message.number);
		restore_message(message, &row->message);
	}
	leg = book_restore_leg(queue->book, message, &row->leg.leg, row->leg.key, row->leg.cause);
	if (leg->fate == JOURNAL_IN_DOUBT)
		list_append(&queue->doubts, &leg->of_queue);
	return leg;
}

static size_t load_size(const struct queue *queue)
{
	return queue->settings.max_legs / 8 < QUEUE_LOAD ? queue->settings.max_legs / 8 + 1 : QUEUE_LOAD;
}

static struct index_due place_in_time(const struct index_row *row)
{
	return (struct index_due){ row->leg.leg.due_us, row->message.number,
				   index_slot(row->leg.leg.recipient, row->leg.leg.copy) };
}

struct load_job {
	struct index *index;
	size_t limit;
	enum book_target target;
	struct index_due after;
	int64_t to, next_due_us;
	struct index_rows rows;
};

static int load_job(void *arg, struct fault *fault)
{
	struct load_job *job = arg;

	if (index_read_due(job->index, job->target, &job->after, job->to, job->limit, &job->rows, fault) < 0)
		return -1;
	job->next_due_us = 0;
	if (job->rows.n == job->limit)
		return 0;
	if (job->rows.n > 0)
		job->after = place_in_time(&job->rows.rows[job->rows.n - 1]);
	return index_next_due(job->index, job->target, &job->after, &job->next_due_us, fault);
}

static bool has_room(const struct queue *queue, const struct queue_side *side)
{
	struct schedule_view view;

	schedule_look(side->target, run_now(), &view);
	return view.waiting + view.going + load_size(queue) <= most_waiting(queue) &&
	       book_legs_in_memory(queue->book) + load_size(queue) <= queue->settings.max_legs;
}

/* In the turn. Legs that are due come in, if there is room. */
static int load_due(struct queue *queue, enum book_target target, struct fault *fault)
{
	struct queue_side *side = &queue->sides[target];
	struct index_due before = side->cursor;
	struct load_job job = { .index = queue->index, .limit = load_size(queue), .target = target, .after = before,
				.to = run_wall() + queue_see_clock(queue) + SECOND };
	int r = pool_call("what is due", load_job, &job, fault);

	for (size_t i = 0; r == 0 && i < job.rows.n; i++) {
		struct book_leg *leg = queue_restore(queue, &job.rows.rows[i]);

		if (leg)
			queue_place(queue, leg);
	}
	/* A leg that went away meanwhile may have put the cursor back: then it stays there. */
	if (r == 0 && side->cursor.due_us == before.due_us && side->cursor.number == before.number) {
		if (job.rows.n > 0)
			side->cursor = place_in_time(&job.rows.rows[job.rows.n - 1]);
		side->next_due_us = job.next_due_us;
	}
	if (r == 0 && job.rows.n > 0)
		waiters_wake_all(&queue->work);
	index_rows_done(&job.rows);
	return r;
}

static bool has_room_for_undirected(const struct queue *queue)
{
	return book_legs_in_memory(queue->book) + load_size(queue) <= queue->settings.max_legs;
}

/* In the turn. A leg's direction is in no record: a batch of the index that was written between a leg's acceptance and its
 * placing, or by a replay, has it going nowhere. Such ones are looked at whatever table the index was gone through for. */
static int load_undirected(struct queue *queue, struct fault *fault)
{
	struct load_job job = { .index = queue->index, .limit = load_size(queue), .target = BOOK_NOWHERE,
				.after = queue->undirected, .to = INT64_MAX };
	int r = pool_call("what goes nowhere yet", load_job, &job, fault);

	for (size_t i = 0; r == 0 && i < job.rows.n; i++) {
		const struct index_row *row = &job.rows.rows[i];
		struct book_leg *leg = queue_restore(queue, row);

		if (leg)
			queue_place(queue, leg);
		queue->undirected = (struct index_due){ row->leg.leg.due_us, row->message.number,
							index_slot(row->leg.leg.recipient, row->leg.leg.copy) };
	}
	if (r == 0)
		queue->undirected_away = job.rows.n == job.limit;
	if (job.rows.n > 0)
		waiters_wake_all(&queue->work);
	index_rows_done(&job.rows);
	return r;
}

struct doubts_job {
	struct index *index;
	struct index_rows rows;
};

static int doubts_job(void *arg, struct fault *fault)
{
	struct doubts_job *job = arg;

	return index_read_fate(job->index, JOURNAL_IN_DOUBT, QUEUE_DOUBTS, &job->rows, fault);
}

/* In the turn. Legs in doubt stay in memory once they are there; others are of an earlier process. */
static int load_doubts(struct queue *queue, struct fault *fault)
{
	struct doubts_job job = { .index = queue->index };
	int r;

	if (!queue->doubts_away || !list_is_empty(&queue->doubts))
		return 0;
	r = pool_call("legs in doubt", doubts_job, &job, fault);
	for (size_t i = 0; r == 0 && i < job.rows.n; i++)
		queue_restore(queue, &job.rows.rows[i]);
	if (r == 0)
		queue->doubts_away = job.rows.n == QUEUE_DOUBTS;
	if (!list_is_empty(&queue->doubts))
		waiters_wake_all(&queue->work);
	index_rows_done(&job.rows);
	return r;
}

/* --- writing ----------------------------------------------------------------------------------- */

static int place_one(struct queue *queue, struct book_place *place, struct fault *fault)
{
	uint64_t offset;

	if (place->segment)
		return 0;
	if (journal_place(queue->journal, place->sequence, &place->segment, &offset, fault) < 0)
		return -1;
	place->offset = (uint32_t)offset;
	return 0;
}

/* All is durable by now, so the journal knows where it is. */
static int find_places(struct queue *queue, struct index_batch *batch, struct fault *fault)
{
	for (size_t i = 0; i < batch->n; i++) {
		struct index_change *c = &batch->changes[i];

		for (size_t k = 0; k < c->n_events; k++)
			if (place_one(queue, &c->events[k], fault) < 0)
				return -1;
		if (!c->is_put)
			continue;
		for (size_t k = 0; k < c->n_bodies; k++)
			if (place_one(queue, &c->bodies[k], fault) < 0)
				return -1;
		if (place_one(queue, &c->place, fault) < 0)
			return -1;
		c->message->place = c->place;
	}
	return 0;
}

struct write_job {
	struct index *index;
	struct index_batch *batch;
};

static int write_job(void *arg, struct fault *fault)
{
	struct write_job *job = arg;

	return index_write(job->index, job->batch, fault);
}

/* What is full or in use now may not be so later. */
static int write_batch(struct queue *queue, struct index_batch *batch, struct fault *fault)
{
	struct write_job job = { .index = queue->index, .batch = batch };

	while (pool_call("the index", write_job, &job, fault) < 0) {
		struct fault ignored;

		if (fault->kind != FAULT_LOCAL || queue->is_closing || queue->why.kind)
			return -1;
		if (run_sleep(QUEUE_BATCH_US, &ignored) < 0)
			return -1;
	}
	return 0;
}

static void take_routes(struct queue *queue, struct index_batch *batch)
{
	batch->routes = TAKE_PTR(queue->routes);
	batch->n_routes = queue->n_routes;
	batch->is_whole = queue->routes_whole;
	queue->n_routes = queue->routes_size = 0;
	queue->routes_whole = false;
	batch->epoch = router_epoch(queue->latest);
	batch->routed = queue->routed;
	batch->kept = queue->kept;
	memcpy(batch->journal, queue->id, sizeof(batch->journal));
}

static void free_batch(struct queue *queue, struct index_batch *batch)
{
	_cleanup_(freep) struct book_message **messages = xreallocarray(NULL, batch->n + 1, sizeof(*messages));
	size_t n = batch->n;

	for (size_t i = 0; i < n; i++)
		messages[i] = batch->changes[i].message;
	for (size_t i = 0; i < batch->n_routes; i++) {
		free((void *)(uintptr_t)batch->routes[i].key.p);
		free((void *)(uintptr_t)batch->routes[i].target.p);
	}
	free(batch->routes);
	index_release(queue->book, batch);
	for (size_t i = 0; i < n && !queue->why.kind; i++)
		queue_evict(queue, messages[i]);
}

/* In the turn. */
static int write_changes(struct queue *queue, struct fault *fault)
{
	struct index_batch batch = { 0 };
	uint64_t position;
	int r;

	index_gather(queue->book, &batch);
	take_routes(queue, &batch);
	position = batch.totals.position;
	r = queue_commit(queue, position, fault);
	if (r == 0)
		r = find_places(queue, &batch, fault);
	if (r == 0)
		r = write_batch(queue, &batch, fault);
	if (r == 0)
		queue->indexed = position;
	else
		queue_fail(queue, fault);
	free_batch(queue, &batch);
	waiters_wake_all(&queue->caught_up);
	return r;
}

int queue_index_now(struct queue *queue, struct fault *fault)
{
	return book_position(queue->book) > queue->indexed ? write_changes(queue, fault) : 0;
}

static int tend(struct queue *queue, struct fault *fault)
{
	int r = 0;

	if (queue_take_turn(queue, fault) < 0)
		return -1;
	/* Directions change without a record. */
	if (book_position(queue->book) > queue->indexed || book_n_dirty(queue->book) > 0 || queue->n_routes > 0)
		r = write_changes(queue, fault);
	while (r == 0 && queue->undirected_away && has_room_for_undirected(queue))
		r = load_undirected(queue, fault);
	for (unsigned t = 0; r == 0 && t < BOOK_TARGETS; t++)
		while (r == 0 && queue->sides[t].target && queue->sides[t].next_due_us <= run_wall() + queue_see_clock(queue) &&
		       has_room(queue, &queue->sides[t]))
			r = load_due(queue, (enum book_target)t, fault);
	if (r == 0)
		r = load_doubts(queue, fault);
	queue_end_turn(queue);
	return r;
}

static bool is_urgent(const struct queue *queue)
{
	return is_behind(queue) || queue->wanted > queue->indexed || queue->is_closing ||
	       book_n_dirty(queue->book) >= QUEUE_BATCH_MESSAGES ||
	       book_position(queue->book) - queue->indexed >= QUEUE_BATCH_RECORDS;
}

int queue_index_fiber(void *arg, struct fault *fault)
{
	struct queue *queue = arg;

	run_shield(MOMENT_NEVER);
	while (!queue->why.kind) {
		bool is_last = queue->is_closing;
		int64_t former;
		int r = 0;

		if (tend(queue, fault) < 0) {
			queue_fail(queue, fault);
			break;
		}
		if (is_last)
			break;
		if (is_urgent(queue))
			continue;
		former = run_deadline_narrow(QUEUE_BATCH_US);
		r = waiters_wait(&queue->upkeep, "work for the index", fault);
		run_deadline_restore(former);
		if (r < 0 && fault->kind != FAULT_TIMEOUT)
			break; /* cannot be: we are shielded */
	}
	queue->index_ended = true;
	waiters_wake_all(&queue->caught_up);
	return 0;
}
