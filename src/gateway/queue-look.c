/* SPDX-License-Identifier: Apache-2.0 */
/* What operators ask and order: lists, traces, holding, releasing, trying again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/queue-inside.h"
#include "gateway/queue-segment.h"

enum { LIST_MAX = 10000, ORDER_MAX = 2000, CANDIDATES = 1000, COUNTED = 1000000 };

/* --- listing ----------------------------------------------------------------------------------- */

struct list_job {
	struct index *index;
	struct index_filter filter;
	size_t limit;
	struct index_rows rows;
};

static int list_job(void *arg, struct fault *fault)
{
	struct list_job *job = arg;

	return index_list(job->index, &job->filter, job->limit, &job->rows, fault);
}

/* The caller has the turn, and what is asked for is in the index. */
static int read_list(struct queue *queue, const struct queue_filter *filter, unsigned fates,
		     const struct journal_leg *after, size_t limit, struct index_rows *ret, struct fault *fault)
{
	struct list_job job = { .index = queue->index, .limit = limit };
	int r;

	job.filter = (struct index_filter){ .message = filter->message, .key = filter->key, .target = filter->target,
					    .cause = filter->cause, .after = *after };
	job.filter.fates = filter->fate ? (fates & 1u << filter->fate) : fates;
	if (job.filter.fates == 0)
		return 0;
	if (filter->message && after->message < filter->message)
		job.filter.after = (struct journal_leg){ filter->message - 1, INT32_MAX, 1 };
	r = pool_call("the list of the queue", list_job, &job, fault);
	*ret = job.rows;
	return r;
}

static void show_row(const struct index_row *from, struct arena *arena, struct queue_row *to)
{
	const struct book_leg *leg = &from->leg.leg;

	*to = (struct queue_row){
		.leg = { from->message.number, leg->recipient, leg->copy }, .key = arena_copy(arena, from->leg.key),
		.cause = arena_copy(arena, bytes_of(from->leg.cause)), .fate = (enum journal_fate)leg->fate,
		.target = (enum book_target)leg->target, .accepted_us = from->message.accepted_us,
		.since_us = leg->since_us, .due_us = leg->due_us, .size = from->message.size, .attempt = leg->attempt,
		.attempts = leg->attempts, .code = leg->code, .is_flagged = leg->is_flagged,
	};
}

static const unsigned unsettled = 1u << JOURNAL_OPEN | 1u << JOURNAL_ATTEMPTING | 1u << JOURNAL_IN_DOUBT |
				  1u << JOURNAL_HELD;

int queue_list(struct queue *queue, const struct queue_filter *filter, const struct journal_leg *after, size_t limit,
	       struct arena *arena, struct queue_row **ret, size_t *ret_n, struct fault *fault)
{
	struct index_rows rows = { 0 };
	int r;

	limit = limit < LIST_MAX ? limit : LIST_MAX;
	*ret_n = 0;
	if (queue_flush(queue, fault) < 0 || queue_take_turn(queue, fault) < 0)
		return -1;
	r = read_list(queue, filter, unsettled, after, limit, &rows, fault);
	queue_end_turn(queue);
	if (r == 0) {
		*ret = arena_alloc(arena, (rows.n + 1) * sizeof(**ret));
		for (size_t i = 0; i < rows.n; i++)
			show_row(&rows.rows[i], arena, &(*ret)[i]);
		*ret_n = rows.n;
	}
	index_rows_done(&rows);
	return r;
}

struct oldest_job {
	struct index *index;
	int64_t us;
};

static int oldest_job(void *arg, struct fault *fault)
{
	struct oldest_job *job = arg;

	return index_oldest(job->index, &job->us, fault);
}

int queue_oldest(struct queue *queue, int64_t *ret_us, struct fault *fault)
{
	struct oldest_job job = { .index = queue->index };
	int r;

	if (queue_take_turn(queue, fault) < 0)
		return -1;
	r = pool_call("the oldest message", oldest_job, &job, fault);
	queue_end_turn(queue);
	if (r < 0)
		return -1;
	/* What the index does not have yet is younger than what it has. */
	if (!job.us)
		list_for_each(link, book_messages(queue->book)) {
			const struct book_message *message = list_entry(link, struct book_message, of_book);

			if (message->n_legs > 0 && (!job.us || message->accepted_us < job.us))
				job.us = message->accepted_us;
		}
	*ret_us = job.us;
	return 0;
}

/* --- orders ------------------------------------------------------------------------------------ */

struct order_rule {
	enum journal_type type;
	unsigned fates;
};

static const struct order_rule order_rules[] = {
	[QUEUE_RETRY] = { JOURNAL_RETRY, 1u << JOURNAL_OPEN },
	[QUEUE_HOLD] = { JOURNAL_HOLD, 1u << JOURNAL_OPEN | 1u << JOURNAL_IN_DOUBT },
	[QUEUE_RELEASE] = { JOURNAL_RELEASE, 1u << JOURNAL_HELD },
};

/* One that is being delivered, or looked at, is in other hands. */
static bool may_order(const struct book_leg *leg, const struct order_rule *rule)
{
	return (rule->fates & 1u << leg->fate) && !leg->item.job && !leg->is_parked && !leg->is_taken;
}

static void after_order(struct queue *queue, struct book_leg *leg, enum queue_order order)
{
	int64_t now = run_now();

	if (order == QUEUE_HOLD)
		return;
	if (order == QUEUE_RETRY && leg->item.recipient)
		schedule_retry(&leg->item, now);
	else
		queue_place(queue, leg);
}

/* In the turn that read them. */
static int order_page(struct queue *queue, enum queue_order order, const struct index_rows *rows, const char *operator,
		      const char *reason, uint64_t *n_done, struct fault *fault)
{
	const struct order_rule *rule = &order_rules[order];
	_cleanup_(freep) struct journal_leg *names = xreallocarray(NULL, rows->n + 1, sizeof(*names));
	struct journal_order record = { .operator = bytes_of(operator), .reason = bytes_of(reason), .legs = names };
	uint64_t sequence;

	/* Room first: what may be ordered now may not be a moment later. */
	if (queue_room(queue, rule->type, 256 + strlen(operator) + strlen(reason) + 40 * rows->n, fault) < 0)
		return -1;
	for (size_t i = 0; i < rows->n; i++) {
		struct journal_leg name = { rows->rows[i].message.number, rows->rows[i].leg.leg.recipient,
					    rows->rows[i].leg.leg.copy };
		struct book_leg *leg = book_leg(queue->book, &name);

		leg = leg ? leg : queue_restore(queue, &rows->rows[i]);
		if (leg && may_order(leg, rule))
			names[record.n_legs++] = name;
	}
	if (record.n_legs == 0)
		return 0;
	record.next_us = order == QUEUE_HOLD ? 0 : run_wall();
	for (size_t i = 0; order == QUEUE_HOLD && i < record.n_legs; i++) {
		struct book_leg *leg = book_leg(queue->book, &names[i]);

		list_remove(&leg->of_queue);
		if (leg->item.recipient)
			schedule_remove(&leg->item, run_now());
	}
	if (queue_put_now(queue, rule->type, &record, &sequence, fault) < 0) {
		queue_fail(queue, fault);
		return -1;
	}
	for (size_t i = 0; i < record.n_legs; i++)
		after_order(queue, book_leg(queue->book, &names[i]), order);
	*n_done += record.n_legs;
	return 0;
}

/* What was brought in and not ordered goes again. */
static void let_go(struct queue *queue, const struct index_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		struct book_message *message = book_message(queue->book, rows->rows[i].message.number);

		if (message)
			queue_evict(queue, message);
	}
}

static int order_some(struct queue *queue, enum queue_order order, const struct queue_filter *filter,
		      struct journal_leg *after, const char *operator, const char *reason, uint64_t *n_done, size_t *ret_n,
		      struct fault *fault)
{
	struct index_rows rows = { 0 };
	int r;

	if (queue_wait_index(queue, fault) < 0 || queue_take_turn(queue, fault) < 0)
		return -1;
	r = read_list(queue, filter, order_rules[order].fates, after, ORDER_MAX, &rows, fault);
	if (r == 0)
		r = order_page(queue, order, &rows, operator, reason, n_done, fault);
	if (r == 0)
		let_go(queue, &rows);
	*ret_n = rows.n;
	if (rows.n > 0) {
		const struct index_row *last = &rows.rows[rows.n - 1];

		*after = (struct journal_leg){ last->message.number, last->leg.leg.recipient, last->leg.leg.copy };
	}
	index_rows_done(&rows);
	queue_end_turn(queue);
	return r;
}

int queue_order(struct queue *queue, enum queue_order order, const struct queue_filter *filter, const char *operator,
		const char *reason, uint64_t *ret_n, struct fault *fault)
{
	struct journal_leg after = { 0 };
	uint64_t n_done = 0;
	size_t n;

	if (queue_flush(queue, fault) < 0)
		return -1;
	do {
		if (order_some(queue, order, filter, &after, operator, reason, &n_done, &n, fault) < 0)
			return -1;
	} while (n == ORDER_MAX);

	waiters_wake_all(&queue->work);
	*ret_n = n_done;
	return n_done ? queue_commit(queue, book_position(queue->book), fault) : 0;
}

/* --- finding ----------------------------------------------------------------------------------- */

/* What a search finds: candidates by hash, then their envelopes, since hashes may collide. */
struct find_job {
	struct index *index;
	const char *path;
	char kind;             /* as of book_name() */
	struct bytes name;
	int64_t since_us;
	size_t limit;
	struct arena *arena;
	struct queue_accepted *found;
	uint64_t *numbers;     /* in place of found, when only numbers are wanted */
	uint64_t more;         /* with these: how many others have that hash */
	size_t n;
};

static bool is_named(const struct find_job *job, const struct journal_accept *accept, struct arena *scratch)
{
	switch (job->kind) {
	case 'm':
		return bytes_equal(accept->message_id, job->name);
	case 'c':
		return job->name.n == JOURNAL_DIGEST && memcmp(accept->digest, job->name.p, JOURNAL_DIGEST) == 0;
	default:
		break;
	}
	if (accept->reverse_path.n && bytes_equal(book_key(accept->reverse_path, scratch), job->name))
		return true;
	for (size_t i = 0; i < accept->n_recipients; i++)
		if (bytes_equal(book_key(accept->recipients[i].address, scratch), job->name))
			return true;
	return false;
}

static int read_accept(struct find_job *job, uint64_t number, struct arena *arena, struct queue_accepted *to,
		       struct fault *fault)
{
	_cleanup_(buf_done) struct buf payload = BUF_NULL;
	struct book_place *places;
	struct journal_head head;
	size_t n;

	if (index_events(job->index, number, arena, &places, &n, fault) < 0)
		return -1;
	if (n == 0)
		return 0;
	if (queue_read_record(job->path, &places[0], &head, &payload, fault) < 0 || head.type != JOURNAL_ACCEPT)
		return 0; /* its segment has gone */
	*to = (struct queue_accepted){ .number = number, .wall_us = head.wall_us };
	return fields_decode(journal_table(JOURNAL_ACCEPT), arena_copy(arena, buf_bytes(&payload)), arena, &to->record,
			     fault) < 0 ? -1 : 1;
}

/* 1: the next one is wanted, too. */
static int find_one(struct find_job *job, uint64_t number, struct arena *scratch, struct fault *fault)
{
	struct queue_accepted accepted = { .number = number };
	int r = read_accept(job, number, job->numbers ? scratch : job->arena, &accepted, fault);

	if (r < 0)
		return -1;
	if (r > 0 && accepted.wall_us < job->since_us)
		return 0;
	if (r > 0 && is_named(job, &accepted.record, scratch)) {
		if (job->numbers)
			job->numbers[job->n++] = number;
		else
			job->found[job->n++] = accepted;
	}
	return job->n < job->limit;
}

static int find_job(void *arg, struct fault *fault)
{
	struct find_job *job = arg;
	_cleanup_(arena_done) struct arena page = { NULL }, scratch = { NULL };
	uint64_t name = book_name(index_names(job->index), job->kind, job->name), *numbers, below = 0;
	size_t n;
	int r = 1;

	do {
		arena_reset(&page);
		if (index_find(job->index, name, below, CANDIDATES, &page, &numbers, &n, fault) < 0)
			return -1;
		for (size_t i = 0; i < n && r > 0; i++) {
			below = numbers[i];
			arena_reset(&scratch);
			r = find_one(job, below, &scratch, fault);
		}
	} while (r > 0 && n == CANDIDATES);

	if (r >= 0 && job->numbers && job->n == job->limit)
		r = index_count(job->index, name, below, COUNTED, &job->more, fault);
	return r < 0 ? -1 : 0;
}

static int find(struct queue *queue, struct find_job *job, struct fault *fault)
{
	int r;

	job->index = queue->index;
	job->path = journal_path(queue->journal);
	if (queue_flush(queue, fault) < 0 || queue_take_turn(queue, fault) < 0)
		return -1;
	r = pool_call("looking for messages", find_job, job, fault);
	queue_end_turn(queue);
	return r;
}

int queue_find(struct queue *queue, struct bytes text, size_t limit, struct arena *arena, uint64_t **ret, size_t *ret_n,
	       uint64_t *ret_more, struct fault *fault)
{
	const char *bracketed = arena_printf(arena, "<%.*s>", BYTES_ARG(text));
	struct { char kind; struct bytes name; } tries[] = {
		{ 'm', text }, { 'm', bytes_of(bracketed) }, { 'a', book_key(text, arena) },
	};
	uint64_t number;

	*ret = arena_alloc(arena, (limit + 1) * sizeof(**ret));
	*ret_n = 0;
	*ret_more = 0;
	if (limit > 0 && queue_id_read(text, queue->id, &number) == 0) {
		if (number >= 1 && number <= book_last_number(queue->book))
			(*ret)[(*ret_n)++] = number;
		return 0;
	}
	for (size_t i = 0; limit > 0 && i < ARRAY_SIZE(tries) && *ret_n == 0; i++) {
		struct find_job job = { .kind = tries[i].kind, .name = tries[i].name, .limit = limit, .arena = arena,
					.numbers = *ret };

		if (find(queue, &job, fault) < 0)
			return -1;
		*ret_n = job.n;
		*ret_more = job.more;
	}
	return 0;
}

int queue_find_content(struct queue *queue, const unsigned char digest[JOURNAL_DIGEST], int64_t since_us, size_t limit,
		       struct arena *arena, struct queue_accepted **ret, size_t *ret_n, struct fault *fault)
{
	struct find_job job = { .kind = 'c', .name = { (const char *)digest, JOURNAL_DIGEST }, .since_us = since_us,
				.limit = limit, .arena = arena };

	job.found = arena_alloc(arena, (limit + 1) * sizeof(*job.found));
	if (limit > 0 && find(queue, &job, fault) < 0)
		return -1;
	*ret = job.found;
	*ret_n = job.n;
	return 0;
}

/* --- tracing ----------------------------------------------------------------------------------- */

struct trace_job {
	struct index *index;
	const char *path;
	uint64_t number;
	struct arena *arena;
	struct queue_step *steps;
	size_t n;
};

static int read_step(struct trace_job *job, const struct book_place *place, struct fault *fault)
{
	_cleanup_(buf_done) struct buf payload = BUF_NULL;
	struct queue_step *step = &job->steps[job->n];
	const struct field_table *table;
	struct journal_head head;
	void *record;

	if (queue_read_record(job->path, place, &head, &payload, fault) < 0)
		return fault->kind == FAULT_LOCAL || fault->kind == FAULT_USAGE ? 0 : -1; /* its segment has gone */
	table = journal_table(head.type);
	if (!table)
		return 0;
	record = arena_alloc(job->arena, table->size);
	*step = (struct queue_step){ .type = (enum journal_type)head.type, .place = *place, .wall_us = head.wall_us,
				     .record = record };
	job->n++;
	return fields_decode(table, arena_copy(job->arena, buf_bytes(&payload)), job->arena, record, fault);
}

static int trace_job(void *arg, struct fault *fault)
{
	struct trace_job *job = arg;
	struct book_place *places;
	size_t n;

	if (index_events(job->index, job->number, job->arena, &places, &n, fault) < 0)
		return -1;
	job->steps = arena_alloc(job->arena, (n + 1) * sizeof(*job->steps));
	for (size_t i = 0; i < n; i++)
		if (read_step(job, &places[i], fault) < 0)
			return -1;
	return 0;
}

int queue_trace(struct queue *queue, uint64_t number, struct arena *arena, struct queue_step **ret, size_t *ret_n,
		struct fault *fault)
{
	struct trace_job job = { .index = queue->index, .path = journal_path(queue->journal), .number = number,
				 .arena = arena };
	int r;

	if (queue_flush(queue, fault) < 0 || queue_take_turn(queue, fault) < 0)
		return -1;
	r = pool_call("a trace", trace_job, &job, fault);
	queue_end_turn(queue);
	*ret = job.steps;
	*ret_n = job.n;
	return r;
}
