/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: order, the bound in bytes, fairness, closing. */
#include "lib/check.h"
#include "run/testing.h"

static void in_fiber(struct check *check, fiber_fn fn)
{
	struct fault fault = FAULT_INIT;

	CHECK_EQ(run_main("test", fn, check, &fault), 0);
}

struct traffic {
	struct check *check;
	struct channel channel;
	int items;
	size_t bytes; /* each item stands for */
	size_t most;  /* bytes ever seen in the channel */
	int sent, received;
	bool slow_sender, slow_receiver;
};

/* Items are numbers dressed as pointers. */
static void *item_of(int n)
{
	return (void *)(intptr_t)n;
}

static int send_all(void *arg, struct fault *fault)
{
	struct traffic *t = arg;

	for (int i = 0; i < t->items; i++) {
		if (channel_send(&t->channel, item_of(i + 1), t->bytes, fault) < 0)
			return -1;
		t->sent++;
		if (t->channel.bytes > t->most)
			t->most = t->channel.bytes;
		if (t->slow_sender && i % 4 == 0 && run_sleep(MSEC, fault) < 0)
			return -1;
	}
	channel_close(&t->channel);
	return 0;
}

static int receive_all(void *arg, struct fault *fault)
{
	struct traffic *t = arg;
	struct check *check = t->check;
	void *item;
	int r;

	while ((r = channel_receive(&t->channel, &item, fault)) == 0) {
		t->received++;
		EXPECT(item == item_of(t->received));
		if (t->slow_receiver && t->received % 4 == 0 && run_sleep(MSEC, fault) < 0)
			return -1;
	}
	return r;
}

static int carry(struct check *check, size_t bytes, bool slow_sender, bool slow_receiver,
		 struct fault *fault)
{
	struct traffic t = { .check = check, .items = 60, .bytes = bytes };
	_cleanup_(nursery_done) struct nursery nursery;

	t.slow_sender = slow_sender;
	t.slow_receiver = slow_receiver;
	channel_init(&t.channel, 1000);
	nursery_init(&nursery, "traffic");
	nursery_start(&nursery, receive_all, &t, "receiver");
	nursery_start(&nursery, send_all, &t, "sender");
	EXPECT(nursery_wait(&nursery, fault) == 0);
	EXPECT(t.received == t.items);
	EXPECT(t.most <= (bytes > 1000 ? bytes : 1000));
	if (slow_receiver && !slow_sender)
		EXPECT(t.most == (bytes > 1000 ? bytes : 1000 / bytes * bytes));
	EXPECT(t.channel.bytes == 0);
	channel_done(&t.channel, NULL);
	return 0;
}

static int carry_all(void *arg, struct fault *fault)
{
	static const size_t sizes[] = { 1000, 300, 100, 70, 5000 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (int slow = 0; slow < 4; slow++) {
			if (carry(arg, sizes[i], slow & 1, slow & 2, fault) < 0)
				return -1;
		}
	}
	return 0;
}

static void bound(struct check *check)
{
	in_fiber(check, carry_all);
}

/* --- several senders ------------------------------------------------------------------------- */

struct sender {
	struct channel *channel;
	int number;
	size_t bytes;
	int result;
};

static int send_one(void *arg, struct fault *fault)
{
	struct sender *s = arg;

	s->result = channel_send(s->channel, item_of(s->number), s->bytes, fault);
	return s->result;
}

static int receive_numbers(struct channel *channel, int n, struct buf *to, struct fault *fault)
{
	void *item = NULL;

	for (int i = 0; i < n; i++) {
		if (channel_receive(channel, &item, fault) != 0)
			return -1;
		buf_appendf(to, "%d", (int)(intptr_t)item);
		if (run_yield(fault) < 0)
			return -1;
	}
	return 0;
}

/* A large item waits for room; small ones that would fit stay behind it. */
static int large_first(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct channel channel;
	struct sender senders[] = {
		{ &channel, 1, 60, 0 }, { &channel, 2, 40, 0 }, { &channel, 3, 90, 0 },
		{ &channel, 4, 10, 0 }, { &channel, 5, 10, 0 },
	};
	_cleanup_(nursery_done) struct nursery nursery;
	_cleanup_(buf_done) struct buf got = BUF_NULL;

	loop_shuffle(0);
	channel_init(&channel, 100);
	nursery_init(&nursery, "senders");
	for (size_t i = 0; i < ARRAY_SIZE(senders); i++)
		nursery_start(&nursery, send_one, &senders[i], "sender %zu", i);
	EXPECT(let_all_wait(fault) == 0);
	EXPECT(channel.bytes == 100);
	EXPECT(receive_numbers(&channel, 5, &got, fault) == 0);
	EXPECT(strcmp(buf_str(&got), "12345") == 0);
	EXPECT(nursery_wait(&nursery, fault) == 0);
	channel_done(&channel, NULL);
	return 0;
}

static void fairness(struct check *check)
{
	in_fiber(check, large_first);
}

/* When the large one gives up, those behind it get their room. */
static int large_gives_up(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct channel channel;
	struct sender first = { &channel, 1, 60, 0 }, large = { &channel, 2, 90, 0 };
	struct sender small = { &channel, 3, 10, 0 };
	_cleanup_(nursery_done) struct nursery nursery, giver;

	channel_init(&channel, 100);
	nursery_init(&nursery, "senders");
	nursery_init(&giver, "giver");
	nursery_start(&nursery, send_one, &first, "first");
	EXPECT(let_all_wait(fault) == 0);
	nursery_start(&giver, send_one, &large, "large");
	EXPECT(let_all_wait(fault) == 0);
	nursery_start(&nursery, send_one, &small, "small");
	EXPECT(let_all_wait(fault) == 0);
	EXPECT(channel.bytes == 60);
	nursery_cancel(&giver);
	EXPECT(nursery_wait(&giver, fault) == -1);
	EXPECT(nursery_wait(&nursery, fault) == 0);
	EXPECT(channel.bytes == 70);
	channel_done(&channel, NULL);
	return 0;
}

static void giving_up(struct check *check)
{
	in_fiber(check, large_gives_up);
}

/* One large item taken out makes room for several. */
static int room_for_several(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct channel channel;
	struct sender large = { &channel, 1, 100, 0 }, small = { &channel, 2, 10, 0 };
	_cleanup_(nursery_done) struct nursery nursery;
	void *item = NULL;

	channel_init(&channel, 100);
	nursery_init(&nursery, "senders");
	nursery_start(&nursery, send_one, &large, "large");
	EXPECT(let_all_wait(fault) == 0);
	for (int i = 0; i < 4; i++)
		nursery_start(&nursery, send_one, &small, "small");
	EXPECT(let_all_wait(fault) == 0);
	EXPECT(channel_receive(&channel, &item, fault) == 0 && item == item_of(1));
	EXPECT(nursery_wait(&nursery, fault) == 0);
	EXPECT(channel.bytes == 40);
	channel_done(&channel, NULL);
	return 0;
}

static void several(struct check *check)
{
	in_fiber(check, room_for_several);
}

/* --- closing --------------------------------------------------------------------------------- */

static int dropped;

static void drop(void *item)
{
	dropped += (int)(intptr_t)item;
}

static int close_with_waiters(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct channel channel;
	struct sender one = { &channel, 1, 100, -1 }, two = { &channel, 2, 100, -1 };
	_cleanup_(nursery_done) struct nursery nursery;
	void *item = NULL;

	channel_init(&channel, 100);
	nursery_init(&nursery, "senders");
	nursery_start(&nursery, send_one, &one, "one");
	EXPECT(let_all_wait(fault) == 0);
	nursery_start(&nursery, send_one, &two, "two");
	EXPECT(let_all_wait(fault) == 0);
	channel_close(&channel);
	EXPECT(nursery_wait(&nursery, fault) == 0);
	EXPECT(one.result == 0 && two.result == 1);
	EXPECT(channel_send(&channel, item_of(9), 1, fault) == 1);
	EXPECT(channel_receive(&channel, &item, fault) == 0 && item == item_of(1));
	EXPECT(channel_receive(&channel, &item, fault) == 1);
	channel_done(&channel, drop);
	EXPECT(dropped == 0);

	channel_init(&channel, 100);
	for (int i = 1; i <= 4; i++)
		EXPECT(channel_send(&channel, item_of(i), 1, fault) == 0);
	channel_done(&channel, drop);
	EXPECT(dropped == 10);
	return 0;
}

static void closing(struct check *check)
{
	dropped = 0;
	in_fiber(check, close_with_waiters);
}

static int close_on_receiver(void *arg, struct fault *fault)
{
	struct traffic t = { .check = arg };
	struct check *check = arg;
	_cleanup_(nursery_done) struct nursery nursery;

	channel_init(&t.channel, 100);
	nursery_init(&nursery, "receivers");
	nursery_start(&nursery, receive_all, &t, "one");
	nursery_start(&nursery, receive_all, &t, "two");
	EXPECT(let_all_wait(fault) == 0);
	channel_close(&t.channel);
	EXPECT(nursery_wait(&nursery, fault) == 0);
	channel_done(&t.channel, NULL);
	return 0;
}

static void closing_wakes_receivers(struct check *check)
{
	in_fiber(check, close_on_receiver);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "order and bound, fast and slow", bound },
		{ "a large item is not starved", fairness },
		{ "a sender that gives up", giving_up },
		{ "room for several senders", several },
		{ "closing with senders", closing },
		{ "closing with receivers", closing_wakes_receivers },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
