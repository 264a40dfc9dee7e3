/* SPDX-License-Identifier: Apache-2.0 */
/* Routes: where a leg goes, and what a changed table changes. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/queue-inside.h"

enum { PAGE = 1000 };

/* A leg that was ever part of both is bound: primary to the new side, copy to the old one. So no later change sends
 * both to one side. */
static enum queue_way way_of(const struct queue *queue, struct bytes key, const struct book_leg *leg, bool is_dsn)
{
	struct router_answer answer = router_find(queue->router, key);

	if (is_dsn && answer.match == ROUTER_NOT_OURS)
		return (enum queue_way)queue->settings.own;
	switch (answer.route) {
	case ROUTE_OLD:
		return leg->has_copy ? QUEUE_WAY_NEW : QUEUE_WAY_OLD;
	case ROUTE_NEW:
		return leg->copy ? QUEUE_WAY_OLD : QUEUE_WAY_NEW;
	case ROUTE_BOTH:
		if (leg->copy)
			return QUEUE_WAY_OLD;
		return leg->has_copy ? QUEUE_WAY_NEW : QUEUE_WAY_BOTH;
	case ROUTE_HOLD:
		return QUEUE_WAY_HOLD;
	default:
		return QUEUE_WAY_UNKNOWN;
	}
}

enum queue_way queue_way(const struct queue *queue, const struct book_leg *leg)
{
	return way_of(queue, book_leg_key(leg), leg, leg->message->is_dsn);
}

static int64_t most_backoff(const struct queue *queue, enum queue_way way)
{
	int64_t most = queue->settings.targets[way]->most_backoff_us;

	return most ? most : 70 * MINUTE;
}

/* Wall clocks are set, or are wrong for some time after a machine began. Nobody waits longer for that than for a try. */
static int64_t due_of(struct queue *queue, enum queue_way way, const struct book_leg *leg, int64_t now)
{
	int64_t due = queue_moment_of(leg->due_us), most = now + most_backoff(queue, way);

	if (queue_see_clock(queue) > SECOND && due > most)
		due = most;
	return due > now ? due : now;
}

/* Nor is anything returned for it before it was tried for some time. */
static int64_t end_of_life(const struct queue *queue, const struct book_leg *leg, int64_t now)
{
	int64_t life = queue->settings.life_us, born = queue_moment_of(leg->born_us), end = born + life;
	int64_t least = queue->began + (life < QUEUE_GRACE_US ? life : QUEUE_GRACE_US);

	if (born < queue->began && end < least)
		return least;
	return end < now + life ? end : now + life;
}

void queue_place(struct queue *queue, struct book_leg *leg)
{
	int64_t now = run_now(), due;
	struct schedule_view view;
	struct queue_side *side;
	enum queue_way way;

	if (leg->fate != JOURNAL_OPEN || leg->is_parked || leg->item.recipient || !leg->message->is_durable)
		return;
	list_remove(&leg->of_queue);
	way = queue_way(queue, leg);
	if (way > QUEUE_WAY_NEW) {
		list_append(&queue->undecided, &leg->of_queue);
		waiters_wake_one(&queue->direct);
		return;
	}

	book_direct(queue->book, leg, (enum book_target)way);
	side = &queue->sides[way];
	if (!side->target)
		return;
	schedule_look(side->target, now, &view);
	if (view.waiting + view.going >= queue->settings.max_legs / BOOK_TARGETS) {
		/* It goes away with the next batch, which needs to have it. */
		book_touch(queue->book, leg->message);
		return;
	}
	due = due_of(queue, way, leg, now);
	schedule_add(side->target, &leg->item, book_leg_key(leg), leg->attempts, due, end_of_life(queue, leg, now), now);
}

/* --- undecided ones ---------------------------------------------------------------------------- */

static int open_copy(struct queue *queue, const struct book_leg *leg, struct fault *fault)
{
	struct journal_leg_opened opened = { .message = leg->message->number, .recipient = leg->recipient,
					     .route = JOURNAL_ROUTE_BOTH, .epoch = router_epoch(queue->router),
					     .target = BYTES("old") };
	uint64_t sequence;

	return queue_put(queue, JOURNAL_LEG, &opened, &sequence, fault);
}

static int hold_legs(struct queue *queue, const struct journal_leg *legs, size_t n, const char *operator,
		     const char *reason, struct fault *fault)
{
	struct journal_order order = { .operator = bytes_of(operator), .reason = bytes_of(reason),
				       .legs = (struct journal_leg *)(uintptr_t)legs, .n_legs = n };
	uint64_t sequence;

	return n ? queue_put(queue, JOURNAL_HOLD, &order, &sequence, fault) : 0;
}

int queue_hold_some(struct queue *queue, const struct book_message *message, const struct queue_accept *accept,
		    struct fault *fault)
{
	_cleanup_(freep) struct journal_leg *held = NULL;
	char operator[64];
	size_t n = 0;

	if (!accept->holds)
		return 0;
	held = xreallocarray(NULL, accept->record.n_recipients, sizeof(*held));
	for (size_t i = 0; i < accept->record.n_recipients; i++)
		if (accept->holds[i])
			held[n++] = (struct journal_leg){ message->number, i, 0 };
	snprintf(operator, sizeof(operator), "rule:%s", accept->hold_cause);
	return hold_legs(queue, held, n, operator, accept->hold_reason, fault);
}

int queue_decide(struct queue *queue, struct book_message *message, struct fault *fault)
{
	_cleanup_(freep) struct journal_leg *held = NULL, *unknown = NULL;
	size_t n = message->n_legs, n_held = 0, n_unknown = 0, n_both = 0;

	if (n == 0)
		return 0;
	held = xreallocarray(NULL, n, sizeof(*held));
	unknown = xreallocarray(NULL, n, sizeof(*unknown));
	list_for_each(link, &message->legs) {
		struct book_leg *leg = list_entry(link, struct book_leg, of_message);
		enum queue_way way = queue_way(queue, leg);

		if (leg->fate != JOURNAL_OPEN)
			continue;
		if (way == QUEUE_WAY_HOLD)
			held[n_held++] = queue_leg_name(leg);
		if (way == QUEUE_WAY_UNKNOWN)
			unknown[n_unknown++] = queue_leg_name(leg);
		n_both += way == QUEUE_WAY_BOTH;
	}
	if (hold_legs(queue, held, n_held, "rule:route", "its route is to hold", fault) < 0 ||
	    hold_legs(queue, unknown, n_unknown, "rule:unknown", "nobody knows its route", fault) < 0)
		return -1;
	for (uint32_t i = 0; n_both > 0 && i < message->n_recipients; i++) {
		struct journal_leg name = { message->number, i, 0 };
		const struct book_leg *leg = book_leg(queue->book, &name);

		if (leg && leg->fate == JOURNAL_OPEN && queue_way(queue, leg) == QUEUE_WAY_BOTH && open_copy(queue, leg, fault) < 0)
			return -1;
	}
	return 0;
}

/* One leg that was undecided when its time came. */
static int decide_one(struct queue *queue, struct book_leg *leg, struct fault *fault)
{
	struct journal_leg name = queue_leg_name(leg), copy = { name.message, name.recipient, 1 };
	enum queue_way way = queue_way(queue, leg);
	int r = 0;

	list_remove(&leg->of_queue);
	leg->message->users++;
	if (way == QUEUE_WAY_HOLD)
		r = hold_legs(queue, &name, 1, "rule:route", "its route is to hold", fault);
	else if (way == QUEUE_WAY_UNKNOWN)
		r = hold_legs(queue, &name, 1, "rule:unknown", "nobody knows its route", fault);
	else if (way == QUEUE_WAY_BOTH)
		r = open_copy(queue, leg, fault);

	/* Somebody else may have moved it while there was no room. */
	leg = book_leg(queue->book, &name);
	if (leg)
		queue_place(queue, leg);
	leg = book_leg(queue->book, &copy);
	if (leg)
		queue_place(queue, leg);
	queue_release(queue, book_message(queue->book, name.message));
	return r < 0 && fault->kind == FAULT_DATA ? 0 : r;
}

/* --- a changed table --------------------------------------------------------------------------- */

/* Legs that wait for a side they are not to go to any more. */
static void redirect(struct queue *queue, struct book_leg *leg)
{
	if (leg->fate != JOURNAL_OPEN || leg->item.job || leg->is_parked)
		return;
	if (leg->item.recipient)
		schedule_remove(&leg->item, run_now());
	queue_place(queue, leg);
}

static bool must_move(const struct book_leg *leg, const char *cause, enum queue_way way)
{
	if (leg->fate == JOURNAL_OPEN)
		return way != (enum queue_way)leg->target;
	return leg->fate == JOURNAL_HELD && way <= QUEUE_WAY_BOTH &&
	       (strcmp(cause, "route") == 0 || strcmp(cause, "unknown") == 0);
}

/* A leg of the index: NULL, or brought in because something must be done about it. */
static struct book_leg *look_at(struct queue *queue, const struct index_row *row)
{
	struct journal_leg name = { row->message.number, row->leg.leg.recipient, row->leg.leg.copy };
	struct book_leg *leg = book_leg(queue->book, &name);

	if (leg)
		return must_move(leg, book_cause_name(leg->cause), queue_way(queue, leg)) ? leg : NULL;
	if (!must_move(&row->leg.leg, row->leg.cause, way_of(queue, row->leg.key, &row->leg.leg, row->message.is_dsn)))
		return NULL;
	return queue_restore(queue, row);
}

/* There is room for it. */
static int release_legs(struct queue *queue, struct journal_leg *legs, size_t n, struct fault *fault)
{
	struct journal_order order = { .operator = BYTES("rule:route"), .reason = BYTES("its route changed"),
				       .next_us = run_wall(), .legs = legs, .n_legs = n };
	uint64_t sequence;

	if (n == 0)
		return 0;
	if (queue_put_now(queue, JOURNAL_RELEASE, &order, &sequence, fault) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct book_leg *leg = book_leg(queue->book, &legs[i]);

		if (leg)
			queue_place(queue, leg);
	}
	return 0;
}

/* In the turn. */
static int follow_page(struct queue *queue, const struct index_rows *rows, struct fault *fault)
{
	_cleanup_(freep) struct journal_leg *released = xreallocarray(NULL, rows->n + 1, sizeof(*released));
	size_t n = 0;

	/* Room first: a held leg that is looked at stays in memory only as long as nobody else runs. */
	if (queue_room(queue, JOURNAL_RELEASE, 256 + 40 * rows->n, fault) < 0)
		return -1;
	for (size_t i = 0; i < rows->n; i++) {
		struct book_leg *leg = look_at(queue, &rows->rows[i]);

		if (leg && leg->fate == JOURNAL_HELD)
			released[n++] = queue_leg_name(leg);
		else if (leg)
			redirect(queue, leg);
	}
	return release_legs(queue, released, n, fault);
}

struct page_job {
	struct index *index;
	struct index_filter filter;
	struct index_rows rows;
};

static int page_job(void *arg, struct fault *fault)
{
	struct page_job *job = arg;

	return index_list(job->index, &job->filter, PAGE, &job->rows, fault);
}

/* Looks at all legs there are, a page at a time. */
static int follow_routes(struct queue *queue, struct fault *fault)
{
	struct page_job job = { .index = queue->index,
				.filter = { .fates = 1u << JOURNAL_OPEN | 1u << JOURNAL_HELD, .target = -1 } };
	uint64_t epoch = router_epoch(queue->router);
	size_t n;

	if (queue_flush(queue, fault) < 0)
		return -1;
	do {
		int r;

		if (queue_take_turn(queue, fault) < 0)
			return -1;
		r = pool_call("legs to be directed", page_job, &job, fault);
		if (r == 0)
			r = follow_page(queue, &job.rows, fault);
		n = job.rows.n;
		if (n > 0)
			job.filter.after = (struct journal_leg){ job.rows.rows[n - 1].message.number,
								 job.rows.rows[n - 1].leg.leg.recipient,
								 job.rows.rows[n - 1].leg.leg.copy };
		index_rows_done(&job.rows);
		queue_end_turn(queue);
		waiters_wake_all(&queue->work);
		if (r < 0 || queue_wait_index(queue, fault) < 0)
			return -1;
	} while (n == PAGE && !queue->is_closing && epoch == router_epoch(queue->router));

	/* A newer table came meanwhile, or we end: the next pass begins from the start. */
	if (n < PAGE && epoch == router_epoch(queue->router))
		queue->routed = epoch;
	return 0;
}

int queue_route_fiber(void *arg, struct fault *fault)
{
	struct queue *queue = arg;

	run_shield(MOMENT_NEVER);
	while (!queue->is_closing && !queue->why.kind) {
		int r = 0;

		if (!list_is_empty(&queue->undecided)) {
			r = decide_one(queue, list_entry(queue->undecided.next, struct book_leg, of_queue), fault);
			waiters_wake_all(&queue->work);
		} else if (queue->routed < router_epoch(queue->router)) {
			r = follow_routes(queue, fault);
		} else {
			r = waiters_wait(&queue->direct, "a change of routes", fault);
		}
		if (r < 0 && !queue->is_closing)
			queue_fail(queue, fault);
	}
	return 0;
}

/* --- changing it ------------------------------------------------------------------------------- */

static enum route route_of(const struct journal_route_entry *e)
{
	return e->target.n || e->route == JOURNAL_ROUTE_UNKNOWN ? ROUTE_UNKNOWN : (enum route)e->route;
}

static int apply_entry(struct router_change *change, const struct journal_route_entry *e, uint32_t changed_s,
		       struct fault *fault)
{
	if (e->changed_s && e->changed_s < changed_s)
		changed_s = (uint32_t)e->changed_s;
	if (e->target.n > 0)
		return router_change_alias(change, e->address, e->target, changed_s, fault);
	if (e->route == 0) {
		router_change_remove(change, e->address);
		return 0;
	}
	if (e->route > JOURNAL_ROUTE_UNKNOWN)
		return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER, "route %llu is none",
				 (unsigned long long)e->route);
	return router_change_put(change, e->address, route_of(e), changed_s, fault);
}

/* All entries of base go, but those that the new table has as well. */
static void clear_table(struct router *base, struct router_change *change, const struct journal_routes *routes)
{
	_cleanup_(map_done) struct map kept = { 0 };
	size_t at[3] = { 0 };
	struct router_entry entry;

	map_init(&kept, routes->epoch);
	for (size_t i = 0; i < routes->n_entries; i++)
		map_put(&kept, routes->entries[i].address, &kept);
	while (router_next(base, at, &entry))
		if (!map_has(&kept, entry.key))
			router_change_remove(change, entry.key);
}

int queue_apply_routes(struct router **router, const struct journal_routes *routes, uint32_t changed_s, struct fault *fault)
{
	_cleanup_(router_change_freep) struct router_change *change = router_change_new(*router);
	struct router *next;

	if (routes->epoch <= router_epoch(*router))
		return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER, "a table of routes that is older than the last one");
	if (routes->whole)
		clear_table(*router, change, routes);
	for (size_t i = 0; i < routes->n_entries; i++)
		if (apply_entry(change, &routes->entries[i], changed_s, fault) < 0)
			return -1;
	next = router_change_finish(TAKE_PTR(change), routes->epoch);
	router_free(*router);
	*router = next;
	return 0;
}

static struct bytes own_copy(struct bytes b)
{
	char *p = xmalloc(b.n + 1);

	if (b.n)
		memcpy(p, b.p, b.n);
	return (struct bytes){ p, b.n };
}

void queue_note_routes(struct queue *queue, const struct journal_routes *routes, uint32_t changed_s)
{
	queue->routes_whole = queue->routes_whole || routes->whole;
	if (routes->whole) {
		for (size_t i = 0; i < queue->n_routes; i++) {
			free((void *)(uintptr_t)queue->routes[i].key.p);
			free((void *)(uintptr_t)queue->routes[i].target.p);
		}
		queue->n_routes = 0;
	}
	for (size_t i = 0; i < routes->n_entries; i++) {
		const struct journal_route_entry *e = &routes->entries[i];
		struct router_entry entry;

		/* An entry that had this route before keeps its moment. */
		if (!router_get(queue->latest, e->address, &entry))
			entry.changed_s = changed_s;
		queue->routes = xgrow(queue->routes, &queue->routes_size, queue->n_routes + 1, sizeof(*queue->routes));
		queue->routes[queue->n_routes++] = (struct index_route){
			.key = own_copy(e->address), .target = own_copy(e->target),
			.route = route_of(e), .is_out = e->target.n == 0 && e->route == 0,
			.changed_s = entry.changed_s };
	}
}

void queue_set_own(struct queue *queue, enum book_target target)
{
	if (queue->settings.own == target)
		return;
	queue->settings.own = target;
	/* As after a change of routes: all legs are looked at. */
	queue->routed = 0;
	waiters_wake_one(&queue->direct);
	waiters_wake_all(&queue->work);
}

int queue_change_routes(struct queue *queue, struct journal_routes *routes, struct fault *fault)
{
	uint32_t now_s = (uint32_t)(run_wall() / SECOND);
	struct router *next;
	uint64_t sequence;

	/* Room first: then epoch, table and record are of one moment. */
	if (queue_room(queue, JOURNAL_ROUTES, JOURNAL_PAYLOAD_MAX, fault) < 0)
		return -1;
	routes->epoch = router_epoch(queue->latest) + 1;
	next = router_use(queue->latest);
	if (queue_apply_routes(&next, routes, now_s, fault) < 0 ||
	    queue_put_now(queue, JOURNAL_ROUTES, routes, &sequence, fault) < 0) {
		router_free(next);
		return -1;
	}
	router_free(queue->latest);
	queue->latest = next;
	queue_note_routes(queue, routes, now_s);
	next = router_use(next);
	if (queue_commit(queue, sequence, fault) < 0) {
		router_free(next);
		return -1;
	}

	/* Whoever came later and was durable first has this change in his. */
	if (router_epoch(next) > router_epoch(queue->router)) {
		router_free(queue->router);
		queue->router = router_use(next);
	}
	router_free(next);
	waiters_wake_one(&queue->direct);
	waiters_wake_all(&queue->work);
	return 0;
}
