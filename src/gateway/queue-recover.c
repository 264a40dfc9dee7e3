/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery: the index, then what the journal has beyond it, then attempts that nobody answered. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/queue-inside.h"
#include "journal/moves.h"
#include "os/file.h"
#include "os/look.h"

enum { REPLAY_BATCH = 50000, STALE_LEGS = 2000 };

int64_t queue_moment_of(int64_t wall_us)
{
	return run_now() + (wall_us - run_wall());
}

int64_t queue_wall_of(int64_t moment)
{
	return run_wall() + (moment - run_now());
}

int64_t queue_see_clock(struct queue *queue)
{
	int64_t now = run_now(), wall = run_wall();

	queue->wall_us += now - queue->wall_at;
	queue->wall_at = now;
	if (wall > queue->wall_us) {
		if (wall > queue->wall_us + MINUTE)
			queue->began = now;
		queue->wall_us = wall;
	}
	return queue->wall_us - wall;
}

/* What the worker thread works on while the journal is opened. Nothing else touches it meanwhile. */
struct replay {
	struct queue *queue;
	struct arena arena;      /* of one record */
	uint64_t records;
	size_t kept;             /* legs that may stay in memory */
	uint64_t from;           /* the record that was asked for first */
	uint64_t first_segment;  /* where replaying began; 0: it has not */
	/* The last ACCEPT said so, and no RETURNED has come yet. */
	struct {
		uint64_t dsn;
		struct journal_leg *legs; /* owned */
		size_t n;
	} owed;
	bool in_the_middle;      /* book_begin_in_the_middle(), until the end */
	bool index_failed;       /* the index is at fault, not the journal */
};

/* --- the index --------------------------------------------------------------------------------- */

static int put_route(void *arg, const struct index_route *route, struct fault *fault)
{
	struct router_change *change = arg;

	if (route->target.n)
		return router_change_alias(change, route->key, route->target, route->changed_s, fault);
	return router_change_put(change, route->key, route->route, route->changed_s, fault);
}

static int load_routes(struct queue *queue, struct fault *fault)
{
	_cleanup_(router_change_freep) struct router_change *change = NULL;
	struct router *next;

	if (index_epoch(queue->index) == 0)
		return 0;
	change = router_change_new(queue->latest);
	if (index_routes(queue->index, put_route, change, fault) < 0)
		return -1;
	next = router_change_finish(TAKE_PTR(change), index_epoch(queue->index));
	router_free(queue->latest);
	queue->latest = next;
	return 0;
}

static int load_index(struct queue *queue, struct fault *fault)
{
	if (index_totals(queue->index, queue->book, fault) < 0 || load_routes(queue, fault) < 0)
		return -1;
	queue->routed = index_routed(queue->index);
	queue->kept = *index_kept(queue->index);
	queue->indexed = book_position(queue->book);
	return 0;
}

/* "" when there is no journal yet. */
static int read_id(struct queue *queue, char id[JOURNAL_ID_LEN + 1], struct fault *fault)
{
	_cleanup_(buf_done) struct buf path = BUF_NULL, text = BUF_NULL;

	id[0] = '\0';
	buf_appendf(&path, "%s/journal/journal.id", queue->state);
	if (!os_is_there(buf_str(&path)))
		return 0;
	if (os_read_file(buf_str(&path), 64, &text, fault) < 0)
		return -1;
	snprintf(id, JOURNAL_ID_LEN + 1, "%s", buf_str(&text));
	return 0;
}

struct open_job {
	struct queue *queue;
	uint64_t seed, names;
	bool anew;
	char why[160];
};

static void forget_all(struct queue *queue, const struct open_job *job)
{
	/* its legs in doubt, if a replay failed half-way */
	list_init(&queue->doubts);
	queue->book = book_free(queue->book);
	queue->book = book_new(job->seed, index_names(queue->index));
	router_free(queue->latest);
	queue->latest = router_new((const uint64_t[2]){ job->seed, job->names }, queue->settings.separator);
	queue->indexed = queue->routed = 0;
	queue->kept = (struct index_kept){ 0 };
}

static int open_index(void *arg, struct fault *fault)
{
	struct open_job *job = arg;
	struct queue *queue = job->queue;
	_cleanup_(buf_done) struct buf path = BUF_NULL;
	char id[JOURNAL_ID_LEN + 1];

	buf_appendf(&path, "%s/gateway/index.db", queue->state);
	if (!queue->index && index_open(buf_str(&path), job->names, &queue->index, job->why, fault) < 0)
		return -1;
	if (read_id(queue, id, fault) < 0)
		return -1;
	if (!job->anew && index_journal(queue->index)[0] && strcmp(index_journal(queue->index), id) != 0) {
		snprintf(job->why, sizeof(job->why), "the index was another journal's");
		job->anew = true;
	}
	if (job->anew && index_clear(queue->index, fault) < 0)
		return -1;
	forget_all(queue, job);
	if (load_index(queue, fault) == 0)
		return 0;
	if (fault->kind != FAULT_DATA)
		return -1;
	snprintf(job->why, sizeof(job->why), "%.159s", fault->text);
	if (index_clear(queue->index, fault) < 0)
		return -1;
	forget_all(queue, job);
	return load_index(queue, fault);
}

/* --- replaying --------------------------------------------------------------------------------- */

static void let_all_go(struct queue *queue)
{
	list_for_each_safe(at, book_messages(queue->book)) {
		struct book_message *message = list_entry(at, struct book_message, of_book);

		if (message->is_dirty)
			continue;
		list_for_each_safe(link, &message->legs) {
			struct book_leg *leg = list_entry(link, struct book_leg, of_message);

			list_remove(&leg->of_queue);
			book_forget_leg(queue->book, leg);
		}
		book_tidy(queue->book, message);
	}
}

/* In the worker thread: all places are known. */
static int flush_replay(struct replay *replay, struct fault *fault)
{
	struct queue *queue = replay->queue;
	struct index_batch batch = { .epoch = router_epoch(queue->latest), .routed = queue->routed,
				     .kept = queue->kept };
	uint64_t position = book_position(queue->book);
	int r;

	index_gather(queue->book, &batch);
	batch.routes = TAKE_PTR(queue->routes);
	batch.n_routes = queue->n_routes;
	batch.is_whole = queue->routes_whole;
	queue->n_routes = queue->routes_size = 0;
	queue->routes_whole = false;
	/* Half of that is of no use to a later start. */
	memcpy(batch.journal, replay->in_the_middle ? "-----" : queue->id, sizeof(batch.journal));
	r = index_write(queue->index, &batch, fault);
	for (size_t i = 0; i < batch.n_routes; i++) {
		free((void *)(uintptr_t)batch.routes[i].key.p);
		free((void *)(uintptr_t)batch.routes[i].target.p);
	}
	free(batch.routes);
	for (size_t i = 0; i < batch.n; i++)
		batch.changes[i].message->is_durable = true;
	index_release(queue->book, &batch);
	if (r < 0) {
		replay->index_failed = true;
		return -1;
	}
	queue->indexed = position;

	/* Settled ones, in any case; the others when they are many. */
	list_for_each_safe(at, book_messages(queue->book)) {
		struct book_message *message = list_entry(at, struct book_message, of_book);

		book_tidy(queue->book, message);
	}
	if (book_legs_in_memory(queue->book) > replay->kept)
		let_all_go(queue);
	return 0;
}

static int bring_in(struct replay *replay, uint64_t number, struct fault *fault)
{
	struct index_rows rows = { 0 };
	int r = index_read_message(replay->queue->index, number, &rows, fault);

	if (r < 0)
		replay->index_failed = true;
	for (size_t i = 0; r == 0 && i < rows.n; i++)
		queue_restore(replay->queue, &rows.rows[i]);
	index_rows_done(&rows);
	return r;
}

static int bring_in_for(struct replay *replay, unsigned type, const void *record, struct fault *fault)
{
	const struct journal_suppressed *suppressed = record;
	struct queue *queue = replay->queue;
	size_t n = journal_moves((enum journal_type)type, record);
	struct journal_move m;

	if (type == JOURNAL_SUPPRESSED && !book_message(queue->book, suppressed->message))
		return bring_in(replay, suppressed->message, fault);
	for (size_t i = 0; i < n; i++) {
		struct journal_leg primary;
		const struct book_message *message;

		if (journal_move((enum journal_type)type, record, i, &m) < 0)
			continue; /* the books will say so */
		primary = m.leg;
		if (type == JOURNAL_LEG)
			primary.copy = 0;
		message = book_message(queue->book, m.leg.message);
		if (message && (message->n_away == 0 || book_leg(queue->book, &primary)))
			continue;
		if (bring_in(replay, m.leg.message, fault) < 0)
			return -1;
	}
	return 0;
}

static int replay_routes(struct replay *replay, const struct journal_routes *routes, int64_t wall_us, struct fault *fault)
{
	uint32_t at_s = (uint32_t)(wall_us / SECOND);

	if (queue_apply_routes(&replay->queue->latest, routes, at_s, fault) < 0)
		return -1;
	queue_note_routes(replay->queue, routes, at_s);
	return 0;
}

union any {
	struct journal_accept accept;
	struct journal_routes routes;
	struct journal_leg_opened opened;
	struct journal_attempt attempt;
	struct journal_result result;
	struct journal_order order;
	struct journal_suppressed suppressed;
	struct journal_note note;
	struct journal_checkpoint checkpoint;
	struct journal_dropped dropped;
};

/* What was before was removed: the whole journal is what there is. An index that has some of it is too old. */
static int begin_replay(struct replay *replay, const struct journal_record *r, struct fault *fault)
{
	replay->first_segment = r->segment;
	if (r->head.sequence == replay->from)
		return 0;
	if (replay->from == 1) {
		replay->in_the_middle = true;
		book_begin_in_the_middle(replay->queue->book);
		return 0;
	}
	replay->index_failed = true;
	return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER, "the index is older than what is left of the journal");
}

static void replay_dropped(struct replay *replay, const struct journal_dropped *dropped)
{
	queue_note_dropped(replay->queue, dropped);
	for (size_t i = 0; i < dropped->n_bodies; i++)
		book_drop_body(replay->queue->book, dropped->bodies[i].sequence);
	/* Segments go one after the other, each with a record: this is what stood before the first one there is. */
	if (dropped->n_base && replay->in_the_middle && dropped->segments_to + 1 == replay->first_segment)
		book_add_base(replay->queue->book, &dropped->base[0]);
}

static void note_owed(struct replay *replay, unsigned type, const union any *any)
{
	if (type == JOURNAL_ACCEPT || type == JOURNAL_RETURNED) {
		free(replay->owed.legs);
		replay->owed.legs = NULL;
		replay->owed.n = 0;
	}
	if (type != JOURNAL_ACCEPT || any->accept.n_returns == 0)
		return;
	replay->owed.dsn = any->accept.message;
	replay->owed.n = any->accept.n_returns;
	replay->owed.legs = xreallocarray(NULL, replay->owed.n, sizeof(*replay->owed.legs));
	memcpy(replay->owed.legs, any->accept.returns, replay->owed.n * sizeof(*replay->owed.legs));
}

static int replay_record(void *arg, const struct journal_record *r, struct fault *fault)
{
	struct replay *replay = arg;
	struct queue *queue = replay->queue;
	const struct field_table *table = journal_table(r->head.type);
	struct book_place place = { .sequence = r->head.sequence, .segment = r->segment, .offset = (uint32_t)r->offset };
	union any any;

	if (!replay->first_segment && begin_replay(replay, r, fault) < 0)
		return -1;

	if (r->head.type == JOURNAL_BODY) {
		place.length = r->head.length;
		book_body(queue->book, &place);
		return 0;
	}
	if (!table)
		return 0;
	arena_reset(&replay->arena);
	/* Signing off comes after all else: that is no work left undone. */
	replay->records += r->head.type != JOURNAL_CHECKPOINT && r->head.type != JOURNAL_DROPPED;
	if (fields_decode(table, r->payload, &replay->arena, &any, fault) < 0 ||
	    bring_in_for(replay, r->head.type, &any, fault) < 0)
		return -1;
	note_owed(replay, r->head.type, &any);
	if (r->head.type == JOURNAL_DROPPED)
		replay_dropped(replay, &any.dropped);
	if (r->head.type == JOURNAL_ROUTES && replay_routes(replay, &any.routes, r->head.wall_us, fault) < 0)
		return -1;
	if (book_apply(queue->book, (enum journal_type)r->head.type, &any, BYTES_NULL, &place, r->head.wall_us, fault) < 0)
		return fault_prefix(fault, "record %" PRIu64 " of the journal", place.sequence);
	if (book_n_dirty(queue->book) >= REPLAY_BATCH || book_legs_in_memory(queue->book) >= replay->kept + REPLAY_BATCH)
		return flush_replay(replay, fault);
	return 0;
}

static int finish_replay(void *arg, struct fault *fault)
{
	struct replay *replay = arg;
	struct queue *queue = replay->queue;
	bool is_needed = replay->in_the_middle;
	struct book_place *orphans;
	size_t n = book_orphans(queue->book, &orphans);

	for (size_t i = 0; i < n; i++)
		queue_give_up(queue, &orphans[i].sequence, 1);
	free(orphans);
	book_end_replay(queue->book);
	replay->in_the_middle = false;
	if (book_position(queue->book) == queue->indexed && queue->n_routes == 0 && !is_needed)
		return 0;
	return flush_replay(replay, fault);
}

/* --- attempts that nobody answered ------------------------------------------------------------- */

struct stale_job {
	struct index *index;
	struct index_rows rows;
};

static int stale_job(void *arg, struct fault *fault)
{
	struct stale_job *job = arg;

	return index_read_fate(job->index, JOURNAL_ATTEMPTING, STALE_LEGS, &job->rows, fault);
}

/* The legs of one attempt, from rows[at] on. */
static int end_attempt(struct queue *queue, const struct index_rows *rows, bool *seen, size_t at, struct fault *fault)
{
	_cleanup_(freep) struct journal_outcome *outcomes = xreallocarray(NULL, rows->n - at, sizeof(*outcomes));
	uint64_t attempt = rows->rows[at].leg.leg.attempt, sequence;
	struct journal_result record = { .attempt = attempt, .how = BYTES("recovery"), .outcomes = outcomes };

	for (size_t i = at; i < rows->n; i++) {
		const struct book_leg *leg = &rows->rows[i].leg.leg;
		bool may_be_sent = leg->has_intent;

		if (seen[i] || leg->attempt != attempt)
			continue;
		seen[i] = true;
		queue_restore(queue, &rows->rows[i]);
		outcomes[record.n_outcomes++] = (struct journal_outcome){
			.message = rows->rows[i].message.number, .recipient = leg->recipient, .copy = leg->copy,
			.fate = may_be_sent ? JOURNAL_IN_DOUBT : JOURNAL_OPEN, .reason = BYTES("interrupted"),
			.text = may_be_sent ? BYTES("the gateway ended before the answer came")
					    : BYTES("the gateway ended before the message was sent"),
			.next_us = run_wall(), .attempts = leg->attempts,
		};
	}
	if (queue_put(queue, JOURNAL_RESULT, &record, &sequence, fault) < 0)
		return -1;
	for (size_t i = 0; i < record.n_outcomes; i++) {
		struct book_leg *leg = book_leg(queue->book, &(struct journal_leg){ outcomes[i].message, outcomes[i].recipient,
										     outcomes[i].copy });

		if (leg->fate == JOURNAL_IN_DOUBT)
			list_append(&queue->doubts, &leg->of_queue);
	}
	return queue_commit(queue, sequence, fault);
}

/* Before the fibers begin: nobody else uses the index. */
static int end_attempts(struct queue *queue, uint64_t *ret_n, struct fault *fault)
{
	*ret_n = 0;
	for (;;) {
		struct stale_job job = { .index = queue->index };
		_cleanup_(freep) bool *seen = NULL;
		size_t n;
		int r = pool_call("attempts without an answer", stale_job, &job, fault);

		n = job.rows.n;
		seen = xzalloc(n + 1);
		for (size_t i = 0; r == 0 && i < n; i++)
			r = seen[i] ? 0 : end_attempt(queue, &job.rows, seen, i, fault);
		index_rows_done(&job.rows);
		*ret_n += n;
		if (r < 0 || n == 0)
			return r;
		/* What was changed must be in the index before it is asked again. */
		if (queue_index_now(queue, fault) < 0)
			return -1;
	}
}

struct owed_job {
	struct index *index;
	uint64_t number;
	struct index_rows rows;
};

static int owed_job(void *arg, struct fault *fault)
{
	struct owed_job *job = arg;

	return index_read_message(job->index, job->number, &job->rows, fault);
}

/* The notification was accepted, and the record that its legs are returned was cut off: it would be sent again. */
static int end_return(struct queue *queue, struct replay *replay, struct fault *fault)
{
	struct journal_order order = { .operator = BYTES("gateway"), .reason = BYTES("refused"), .dsn = replay->owed.dsn,
				       .legs = replay->owed.legs, .n_legs = replay->owed.n };
	struct owed_job job = { .index = queue->index };
	uint64_t sequence;
	int r;

	if (order.n_legs == 0)
		return 0;
	job.number = order.legs[0].message;
	r = pool_call("a return that was interrupted", owed_job, &job, fault);
	for (size_t i = 0; r == 0 && i < job.rows.n; i++)
		queue_restore(queue, &job.rows.rows[i]);
	index_rows_done(&job.rows);
	if (r == 0)
		r = queue_put(queue, JOURNAL_RETURNED, &order, &sequence, fault);
	return r < 0 ? -1 : queue_commit(queue, sequence, fault);
}

/* --- all of it --------------------------------------------------------------------------------- */

static int open_journal(struct queue *queue, struct replay *replay, struct fault *fault)
{
	_cleanup_(buf_done) struct buf path = BUF_NULL;
	struct journal_config config = { .segment_size = queue->settings.segment_size,
					 .max_bytes = queue->settings.max_bytes, .low_water = queue->settings.keep_free,
					 .replay = replay_record, .arg = replay,
					 .replay_from = book_position(queue->book) + 1 };

	buf_appendf(&path, "%s/journal", queue->state);
	config.path = buf_str(&path);
	replay->from = config.replay_from;
	replay->first_segment = 0;
	replay->in_the_middle = false;
	return journal_open(&config, &queue->journal, fault);
}

/* 1: the index is not of this journal's records, or damaged: once more without it. */
static int try_recover(struct queue *queue, struct open_job *job, struct replay *replay, struct fault *fault)
{
	if (pool_call("the index", open_index, job, fault) < 0 || read_id(queue, queue->id, fault) < 0)
		return -1;
	if (open_journal(queue, replay, fault) < 0)
		return replay->index_failed && fault->kind == FAULT_DATA ? 1 : -1;
	memcpy(queue->id, journal_id(queue->journal), sizeof(queue->id));
	if (pool_call("the index", finish_replay, replay, fault) < 0)
		return fault->kind == FAULT_DATA ? 1 : -1;
	return 0;
}

static void say(struct queue *queue, const struct open_job *job, const struct replay *replay, uint64_t interrupted)
{
	_cleanup_(buf_done) struct buf to = BUF_NULL;

	if (job->why[0])
		buf_appendf(&to, "%s; it was made anew from the journal. ", job->why);
	if (journal_recovered(queue->journal)[0])
		buf_appendf(&to, "%s. ", journal_recovered(queue->journal));
	if (replay->records > 0)
		buf_appendf(&to, "%" PRIu64 " records were replayed. ", replay->records);
	if (interrupted > 0)
		buf_appendf(&to, "%" PRIu64 " deliveries had been interrupted. ", interrupted);
	snprintf(queue->said, sizeof(queue->said), "%s", buf_str(&to));
}

int queue_recover(struct queue *queue, struct fault *fault)
{
	struct replay replay = { .queue = queue, .kept = queue->settings.max_legs };
	struct open_job job = { .queue = queue };
	uint64_t interrupted;
	int r;

	run_random(&job.seed, sizeof(job.seed));
	run_random(&job.names, sizeof(job.names));
	r = try_recover(queue, &job, &replay, fault);
	if (r > 0) {
		queue->journal = journal_close(queue->journal);
		replay.index_failed = false;
		replay.records = 0;
		job.anew = true;
		if (!job.why[0])
			snprintf(job.why, sizeof(job.why), "%.159s", fault->text);
		r = try_recover(queue, &job, &replay, fault);
	}
	arena_done(&replay.arena);
	if (r == 0) {
		queue->router = router_use(queue->latest);
		r = end_return(queue, &replay, fault);
	}
	free(replay.owed.legs);
	if (r != 0 || end_attempts(queue, &interrupted, fault) < 0)
		return -1;
	say(queue, &job, &replay, interrupted);
	return 0;
}
