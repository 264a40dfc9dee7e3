/* SPDX-License-Identifier: Apache-2.0 */
/* The queue: opening, closing, the fibers behind it. See queue.h. */
#include "gateway/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/queue-inside.h"

#define SOON (5 * MSEC) /* within which results become durable */

enum { LEGS_DEFAULT = 100000, CACHE_DEFAULT = 64 << 20 };

/* Results and the like: nobody waits for them, but they must not wait for long. Mostly others' commits take them along. */
static int commit_fiber(void *arg, struct fault *fault)
{
	struct queue *queue = arg;

	run_shield(MOMENT_NEVER);
	while (!queue->is_closing && !queue->why.kind) {
		uint64_t soon = queue->soon;

		if (soon <= journal_durable(queue->journal)) {
			if (waiters_wait(&queue->commit, "records to be made durable", fault) < 0)
				return -1;
			continue;
		}
		if (run_sleep(SOON, fault) < 0)
			return -1;
		if (soon > journal_durable(queue->journal) && queue_commit(queue, soon, fault) < 0)
			queue_fail(queue, fault);
	}
	return 0;
}

static int64_t life_of(int64_t life_us)
{
	return life_us ? life_us : 5 * 24 * HOUR;
}

static struct queue *queue_new(const struct queue_settings *settings)
{
	struct queue *queue = xzalloc(sizeof(*queue));

	queue->settings = *settings;
	if (!queue->settings.max_legs)
		queue->settings.max_legs = LEGS_DEFAULT;
	if (!queue->settings.cache_bytes)
		queue->settings.cache_bytes = CACHE_DEFAULT;
	queue->settings.life_us = life_of(settings->life_us);
	queue->state = xstrdup(settings->state);
	waiters_init(&queue->work);
	waiters_init(&queue->commit);
	waiters_init(&queue->turn);
	waiters_init(&queue->upkeep);
	waiters_init(&queue->caught_up);
	waiters_init(&queue->direct);
	list_init(&queue->doubts);
	list_init(&queue->undecided);
	list_init(&queue->expired);
	list_init(&queue->cache);
	queue->doubts_away = queue->undirected_away = true;
	queue->undirected.due_us = INT64_MIN;
	nursery_init(&queue->nursery, "queue");
	return queue;
}

static void open_sides(struct queue *queue)
{
	uint64_t seed;

	run_random(&seed, sizeof(seed));
	queue->schedule = schedule_new(seed);
	for (unsigned t = 0; t < BOOK_TARGETS; t++) {
		struct queue_side *side = &queue->sides[t];

		side->cursor.due_us = INT64_MIN;
		side->next_due_us = INT64_MIN;
		if (queue->settings.targets[t])
			side->target = schedule_add_target(queue->schedule, queue->settings.targets[t], run_now());
	}
}

/* Legs that are in memory for another reason than that they are due. */
static void place_all(struct queue *queue)
{
	list_for_each_safe(at, book_messages(queue->book)) {
		struct book_message *message = list_entry(at, struct book_message, of_book);

		message->is_durable = true;
		list_for_each_safe(link, &message->legs) {
			struct book_leg *leg = list_entry(link, struct book_leg, of_message);

			list_remove(&leg->of_queue);
			if (leg->fate == JOURNAL_IN_DOUBT)
				list_append(&queue->doubts, &leg->of_queue);
			queue_place(queue, leg);
		}
	}
}

/* So that the schedule can be freed. */
static void take_all(struct queue *queue)
{
	if (!queue->book)
		return;
	list_for_each(at, book_messages(queue->book)) {
		struct book_message *message = list_entry(at, struct book_message, of_book);

		list_remove(&message->of_cache);
		list_for_each(link, &message->legs) {
			struct book_leg *leg = list_entry(link, struct book_leg, of_message);

			list_remove(&leg->of_queue);
			if (leg->item.recipient)
				schedule_remove(&leg->item, run_now());
		}
	}
}

static int close_index(void *arg, struct fault *fault)
{
	struct queue *queue = arg;

	queue->index = index_close(queue->index);
	return 0;
}

static void queue_free(struct queue *queue)
{
	struct fault ignored;

	take_all(queue);
	schedule_free(queue->schedule);
	pool_call("the index", close_index, queue, &ignored);
	queue->index = index_close(queue->index);
	book_free(queue->book);
	router_free(queue->router);
	router_free(queue->latest);
	for (size_t i = 0; i < queue->n_routes; i++) {
		free((void *)(uintptr_t)queue->routes[i].key.p);
		free((void *)(uintptr_t)queue->routes[i].target.p);
	}
	free(queue->routes);
	free(queue->abandoned);
	queue_walk_free(queue->walk);
	free(queue->state);
	free(queue);
}

struct queue *queue_close(struct queue *queue)
{
	struct fault ignored;
	int64_t former;

	if (!queue)
		return NULL;

	former = run_shield(MOMENT_NEVER);
	queue->is_closing = true;
	waiters_wake_all(&queue->commit);
	waiters_wake_all(&queue->upkeep);
	waiters_wake_all(&queue->direct);
	nursery_wait(&queue->nursery, &ignored);
	queue->journal = journal_close(queue->journal);
	queue_free(queue);
	run_unshield(former);
	return NULL;
}

int queue_open(const struct queue_settings *settings, struct queue **ret, struct fault *fault)
{
	struct queue *queue = queue_new(settings);

	open_sides(queue);
	if (queue_recover(queue, fault) < 0) {
		queue_close(queue);
		return -1;
	}
	queue->wall_us = journal_last_wall(queue->journal);
	queue->wall_at = queue->began = run_now();
	queue_see_clock(queue);
	place_all(queue);
	nursery_start(&queue->nursery, commit_fiber, queue, "queue: commits");
	nursery_start(&queue->nursery, queue_index_fiber, queue, "queue: index");
	nursery_start(&queue->nursery, queue_route_fiber, queue, "queue: routes");
	*ret = queue;
	return 0;
}

static void change_lives(struct queue *queue)
{
	list_for_each(at, book_messages(queue->book)) {
		struct book_message *message = list_entry(at, struct book_message, of_book);

		list_for_each(link, &message->legs) {
			struct book_leg *leg = list_entry(link, struct book_leg, of_message);

			if (leg->item.recipient)
				schedule_live_until(&leg->item,
						    queue_moment_of(leg->born_us + queue->settings.life_us));
		}
	}
}

void queue_change_targets(struct queue *queue, const struct schedule_settings *const targets[BOOK_TARGETS],
			  const bool are_others[BOOK_TARGETS], int64_t life_us)
{
	for (unsigned t = 0; t < BOOK_TARGETS; t++)
		if (queue->sides[t].target && targets[t])
			schedule_change(queue->sides[t].target, targets[t], are_others[t], run_now());
	if (life_of(life_us) != queue->settings.life_us) {
		queue->settings.life_us = life_of(life_us);
		change_lives(queue);
	}
	waiters_wake_all(&queue->work);
}

struct journal *queue_journal(struct queue *queue)
{
	return queue->journal;
}

const struct book *queue_book(const struct queue *queue)
{
	return queue->book;
}

struct schedule *queue_schedule(struct queue *queue)
{
	return queue->schedule;
}

struct schedule_target *queue_target(struct queue *queue, enum book_target target)
{
	return queue->sides[target].target;
}

struct router *queue_router(const struct queue *queue)
{
	return queue->router;
}

const char *queue_recovered(const struct queue *queue)
{
	return queue->said;
}

const struct fault *queue_failed(const struct queue *queue)
{
	return queue->why.kind ? &queue->why : NULL;
}

struct waiters *queue_work(struct queue *queue)
{
	return &queue->work;
}
