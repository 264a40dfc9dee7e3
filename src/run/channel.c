/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: a queue between fibers, bounded by bytes.
 *
 * Senders get room in the order they came, so that a large item is not starved by small ones: who
 * comes while others wait goes behind them, and who was woken in vain waits at the front again. */
#include "run/loop.h"

#include <assert.h>

#include "base/xalloc.h"

struct channel_item {
	struct list link;
	void *item;
	size_t bytes;
};

void channel_init(struct channel *channel, size_t max_bytes)
{
	*channel = (struct channel){ .max_bytes = max_bytes };
	list_init(&channel->items);
	waiters_init(&channel->senders);
	waiters_init(&channel->receivers);
}

static void *take_first(struct channel *channel)
{
	struct channel_item *first = list_entry(channel->items.next, struct channel_item, link);
	void *item = first->item;

	list_remove(&first->link);
	channel->bytes -= first->bytes;
	free(first);
	return item;
}

void channel_done(struct channel *channel, void (*drop)(void *item))
{
	assert(list_is_empty(&channel->senders.fibers));
	assert(list_is_empty(&channel->receivers.fibers));
	while (!list_is_empty(&channel->items)) {
		void *item = take_first(channel);

		if (drop)
			drop(item);
	}
}

static bool has_room(const struct channel *channel, size_t bytes)
{
	if (list_is_empty(&channel->items))
		return true;

	return channel->bytes <= channel->max_bytes && bytes <= channel->max_bytes - channel->bytes;
}

static int wait_for_room(struct channel *channel, size_t bytes, struct fault *fault)
{
	static const char what[] = "room in a channel";
	bool woken = false;

	if (fiber_check(what, fault) < 0)
		return -1;

	while (!channel->closed &&
	       (!has_room(channel, bytes) ||
		(!woken && !list_is_empty(&channel->senders.fibers)))) {
		struct list *wait = &fiber_current()->wait;

		if (woken)
			list_prepend(&channel->senders.fibers, wait);
		else
			list_append(&channel->senders.fibers, wait);
		if (fiber_suspend(what, fault) < 0) {
			/* Those behind may fit where this one did not. */
			waiters_wake_one(&channel->senders);
			return -1;
		}
		woken = true;
	}
	return 0;
}

int channel_send(struct channel *channel, void *item, size_t bytes, struct fault *fault)
{
	struct channel_item *new;

	if (wait_for_room(channel, bytes, fault) < 0)
		return -1;
	if (channel->closed)
		return 1;

	new = xmalloc(sizeof(*new));
	*new = (struct channel_item){ .item = item, .bytes = bytes };
	list_append(&channel->items, &new->link);
	channel->bytes += bytes;
	waiters_wake_one(&channel->receivers);
	if (channel->bytes < channel->max_bytes)
		waiters_wake_one(&channel->senders);
	return 0;
}

int channel_receive(struct channel *channel, void **ret_item, struct fault *fault)
{
	static const char what[] = "an item in a channel";

	if (fiber_check(what, fault) < 0)
		return -1;

	while (list_is_empty(&channel->items)) {
		if (channel->closed)
			return 1;
		if (waiters_wait(&channel->receivers, what, fault) < 0)
			return -1;
	}
	*ret_item = take_first(channel);
	waiters_wake_one(&channel->senders);
	return 0;
}

void channel_close(struct channel *channel)
{
	channel->closed = true;
	waiters_wake_all(&channel->senders);
	waiters_wake_all(&channel->receivers);
}
