/* SPDX-License-Identifier: Apache-2.0 */
/* Whose turn it is, see schedule.h: recipients with their lanes of fresh and deferred items. A lane that may
 * go stands in a ring and goes to its end after each item, so one recipient's thousand items let another's one
 * pass. Of the two rings the deferred one has every fourth turn. */
#include <assert.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "gateway/schedule-inside.h"

enum {
	DEFERRED_TURN = 4,
	IDLE_LOOKED_AT = 2, /* idle recipients looked at whenever one becomes idle */
	IDLE_MOST = 65536,  /* remembered at most; the others begin anew */
};

static void lane_init(struct lane *lane, struct schedule_recipient *recipient, enum lane_kind kind)
{
	list_init(&lane->ring);
	lane->recipient = recipient;
	lane->kind = kind;
}

struct schedule_recipient *recipient_of(struct schedule_target *target, struct bytes key,
					int64_t now)
{
	struct schedule_recipient *recipient = map_get(&target->recipients, key);

	if (recipient)
		return recipient;

	recipient = xzalloc(sizeof(*recipient));
	recipient->target = target;
	recipient->key = (struct bytes){ xstrndup(key.n ? key.p : "", key.n), key.n };
	list_init(&recipient->forgetful);
	rate_bucket_init(&recipient->bucket, target->settings.recipient_per_second,
		    target->settings.recipient_burst, now);
	lane_init(&recipient->lanes[LANE_FRESH], recipient, LANE_FRESH);
	lane_init(&recipient->lanes[LANE_DEFERRED], recipient, LANE_DEFERRED);
	map_put(&target->recipients, recipient->key, recipient);
	return recipient;
}

void recipient_free(struct schedule_recipient *recipient)
{
	assert(recipient->n_items == 0);

	map_remove(&recipient->target->recipients, recipient->key);
	list_remove(&recipient->forgetful);
	free((char *)(uintptr_t)recipient->key.p); /* our own copy: const only for others */
	free(recipient);
}

/* Nothing about it differs from a new one. */
static bool is_as_new(const struct schedule_recipient *recipient, int64_t now)
{
	return now >= recipient->pause_until && rate_bucket_is_full(&recipient->bucket, now);
}

static void forget_some(struct schedule_target *target, int64_t now)
{
	for (unsigned i = 0; i < IDLE_LOOKED_AT && !list_is_empty(&target->idle); i++) {
		struct schedule_recipient *oldest =
			list_entry(target->idle.next, struct schedule_recipient, forgetful);

		if (target->n_idle <= IDLE_MOST && !is_as_new(oldest, now))
			return;
		target->n_idle--;
		recipient_free(oldest);
	}
}

bool recipient_may(const struct schedule_recipient *recipient, int64_t now)
{
	return now >= recipient->pause_until &&
	       recipient->going < recipient->target->settings.recipient_at_once &&
	       rate_bucket_moment(&recipient->bucket, now) <= now;
}

static void lane_place(struct lane *lane, int64_t now)
{
	struct schedule_recipient *recipient = lane->recipient;
	struct schedule_target *target = recipient->target;
	struct heap_node *first = heap_first(&lane->items);
	int64_t moment, bucket = rate_bucket_moment(&recipient->bucket, now);

	if (heap_is_in(&lane->wait))
		heap_remove(&target->waits, &lane->wait);
	if (!first || recipient->going >= target->settings.recipient_at_once) {
		list_remove(&lane->ring);
		return;
	}

	moment = first->key > recipient->pause_until ? first->key : recipient->pause_until;
	moment = moment > bucket ? moment : bucket;
	if (moment > now) {
		list_remove(&lane->ring);
		heap_push(&target->waits, &lane->wait, moment, first->order);
	} else if (list_is_empty(&lane->ring)) {
		list_append(&target->rings[lane->kind], &lane->ring);
	}
}

void recipient_place(struct schedule_recipient *recipient, int64_t now)
{
	lane_place(&recipient->lanes[LANE_FRESH], now);
	lane_place(&recipient->lanes[LANE_DEFERRED], now);
	if (!list_is_empty(&recipient->forgetful)) {
		list_remove(&recipient->forgetful);
		recipient->target->n_idle--;
	}
	if (recipient->n_items > 0)
		return;

	list_append(&recipient->target->idle, &recipient->forgetful);
	recipient->target->n_idle++;
	forget_some(recipient->target, now);
}

void lanes_change(struct schedule_target *target, int64_t now)
{
	struct map_entry entry;
	size_t at = 0;

	while (map_next(&target->recipients, &at, &entry)) {
		struct schedule_recipient *recipient = entry.value;

		rate_bucket_change(&recipient->bucket, target->settings.recipient_per_second,
				   target->settings.recipient_burst, now);
		lane_place(&recipient->lanes[LANE_FRESH], now);
		lane_place(&recipient->lanes[LANE_DEFERRED], now);
	}
}

void lane_put(struct schedule_item *item, int64_t due, int64_t life_ends)
{
	struct schedule_recipient *recipient = item->recipient;
	struct schedule_target *target = recipient->target;
	struct lane *lane = &recipient->lanes[item->deferred ? LANE_DEFERRED : LANE_FRESH];
	uint64_t order = target->schedule->order++;

	heap_push(&lane->items, &item->due, due, order);
	heap_push(&target->lives, &item->life, life_ends, order);
	target->waiting++;
}

void lane_take(struct schedule_item *item)
{
	struct schedule_recipient *recipient = item->recipient;
	struct lane *lane = &recipient->lanes[item->deferred ? LANE_DEFERRED : LANE_FRESH];

	heap_remove(&lane->items, &item->due);
	heap_remove(&recipient->target->lives, &item->life);
	recipient->target->waiting--;
}

/* Lanes whose moment has come go into their rings. */
static void wake_lanes(struct schedule_target *target, int64_t now)
{
	struct heap_node *first;

	while ((first = heap_first(&target->waits)) && first->key <= now)
		lane_place(heap_entry(first, struct lane, wait), now);
}

static struct lane *pick_lane(struct schedule_target *target)
{
	struct list *fresh = &target->rings[LANE_FRESH], *deferred = &target->rings[LANE_DEFERRED];
	bool late = target->turn % DEFERRED_TURN == DEFERRED_TURN - 1;

	if (list_is_empty(fresh) && list_is_empty(deferred))
		return NULL;
	if (list_is_empty(fresh) || (late && !list_is_empty(deferred)))
		return list_entry(deferred->next, struct lane, ring);

	return list_entry(fresh->next, struct lane, ring);
}

struct schedule_item *lanes_first(struct schedule_target *target, int64_t now)
{
	struct lane *lane;

	wake_lanes(target, now);
	lane = pick_lane(target);
	if (!lane)
		return NULL;

	target->turn++;
	list_remove(&lane->ring); /* it is placed last again, or elsewhere, by recipient_place() */
	return heap_entry(heap_first(&lane->items), struct schedule_item, due);
}

int64_t lanes_moment(struct schedule_target *target, int64_t now)
{
	struct heap_node *first;

	wake_lanes(target, now);
	if (pick_lane(target))
		return now;

	first = heap_first(&target->waits);
	return first ? first->key : MOMENT_NEVER;
}
