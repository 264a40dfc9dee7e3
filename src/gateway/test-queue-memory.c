/* SPDX-License-Identifier: Apache-2.0 */
/* Legs that leave the memory and come back: none stays away when it is due. */
#include "gateway/test-queue-common.h"
#include "journal/inside.h"

/* Fills the schedule of the new side, then accepts two more for which there is no room, and holds the last in memory;
 * delivers the others, and the first of these two comes in: the index was read up to the last. */
enum { ROOM = 8 }; /* half of max_legs */

static bool is_passed(struct test *t, const struct book_leg *leg)
{
	return t->queue->sides[BOOK_NEW].cursor.due_us >= leg->due_us && !t->queue->busy;
}

static int without_room(struct test *t, struct book_message **ret, struct fault *fault)
{
	struct check *check = t->check;
	const struct book_leg *leg;
	uint64_t number;

	if (route(t, "@a.example", JOURNAL_ROUTE_NEW, fault) < 0)
		return -1;
	for (unsigned i = 0; i < ROOM + 2; i++) {
		char to[30];

		snprintf(to, sizeof(to), "user%u@a.example", i);
		if (accept(t, to, BYTES("x"), &number, fault) < 0)
			return -1;
	}
	if (queue_use(t->queue, number, ret, fault) < 0 || !EXPECT(*ret && (*ret)->n_legs == 1))
		return -1;
	leg = list_entry((*ret)->legs.next, struct book_leg, of_message);
	EXPECT(!leg->item.recipient);
	for (unsigned i = 0; i < ROOM; i++)
		EXPECT(deliver(t, BOOK_NEW, good, NULL, fault) == 1);
	if (queue_flush(t->queue, fault) < 0)
		return -1;

	_deadline_(20 * SECOND);
	while (!is_passed(t, leg))
		if (run_sleep(5 * MSEC, fault) < 0)
			return -1;
	EXPECT(deliver(t, BOOK_NEW, good, NULL, fault) == 1);
	EXPECT(!leg->item.recipient && (*ret)->users == 1);
	return queue_flush(t->queue, fault);
}

static int deliver_one(struct test *t, struct fault *fault)
{
	_deadline_(10 * SECOND);
	for (;;) {
		int r = deliver(t, BOOK_NEW, good, NULL, fault);

		if (r != 0)
			return r < 0 ? -1 : 0;
		if (queue_failed(t->queue))
			return fault_local(fault, "%s", queue_failed(t->queue)->text);
		if (waiters_wait(queue_work(t->queue), "the leg to come in", fault) < 0)
			return -1;
	}
}

/* It is the very one that the index was read up to. */
static int let_go(struct test *t, struct fault *fault)
{
	struct book_message *message;

	if (without_room(t, &message, fault) < 0)
		return -1;
	queue_release(t->queue, message);
	return deliver_one(t, fault);
}

static void behind_the_cursor(struct check *check)
{
	TEST;
	t.settings.max_legs = 2 * ROOM;
	run(&t, let_go);
}

/* --- while the index is read -------------------------------------------------------------------- */

static int sleep_in_thread(void *arg, struct fault *fault)
{
	usleep(400000);
	return 0;
}

static int take_a_thread(void *arg, struct fault *fault)
{
	return pool_call("a thread", sleep_in_thread, NULL, fault);
}

static int let_go_meanwhile(struct test *t, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;
	struct check *check = t->check;
	struct book_message *message;

	nursery_init(&nursery, "threads");
	if (without_room(t, &message, fault) < 0)
		return -1;
	for (unsigned i = 0; i < 8; i++)
		nursery_start(&nursery, take_a_thread, NULL, "thread %u", i);
	if (run_yield(fault) < 0)
		return -1;
	t->queue->sides[BOOK_NEW].next_due_us = 0;
	waiters_wake_all(&t->queue->upkeep);
	for (unsigned i = 0; i < 10 && !t->queue->busy; i++)
		if (run_sleep(5 * MSEC, fault) < 0)
			return -1;
	EXPECT(t->queue->busy && t->queue->indexed == book_position(t->queue->book));
	queue_release(t->queue, message);
	if (nursery_wait(&nursery, fault) < 0)
		return -1;
	return deliver_one(t, fault);
}

static void while_reading(struct check *check)
{
	TEST;
	t.settings.max_legs = 2 * ROOM;
	run(&t, let_go_meanwhile);
}

/* --- while there is no room in the journal -------------------------------------------------------- */

static int put_note(struct test *t, struct fault *fault)
{
	struct journal_note note = { .kind = BYTES("test") };
	uint64_t sequence;

	return queue_put(t->queue, JOURNAL_NOTE, &note, &sequence, fault) < 0 ? -1 : run_sleep(20 * MSEC, fault);
}

static int block_threads(struct nursery *nursery, struct fault *fault)
{
	for (unsigned i = 0; i < 8; i++)
		nursery_start(nursery, take_a_thread, NULL, "thread %u", i);
	return run_yield(fault);
}

/* A message with a held leg in memory, whose route is not to hold any more, which nobody followed yet. */
static int held_by_route(struct test *t, struct book_message **ret, struct fault *fault)
{
	struct check *check = t->check;
	uint64_t number;

	if (route(t, "@a.example", JOURNAL_ROUTE_HOLD, fault) < 0 || accept(t, "a@a.example", BYTES("x"), &number, fault) < 0 ||
	    queue_use(t->queue, number, ret, fault) < 0)
		return -1;
	while (t->queue->routed < router_epoch(t->queue->router))
		if (run_sleep(5 * MSEC, fault) < 0)
			return -1;
	t->queue->routed = UINT32_MAX;
	if (route(t, "a@a.example", JOURNAL_ROUTE_NEW, fault) < 0 || queue_flush(t->queue, fault) < 0)
		return -1;
	while (t->queue->busy || (*ret)->is_dirty)
		if (run_sleep(5 * MSEC, fault) < 0)
			return -1;
	EXPECT(*ret && (*ret)->n_legs == 1 && !(*ret)->is_dirty && tallies(t)->held == 1);
	return 0;
}

/* The page was read; for what it calls for there is no room at that moment, and the leg goes meanwhile. */
static int let_go_without_room(struct test *t, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;
	struct check *check = t->check;
	struct book_message *message;

	nursery_init(&nursery, "threads");
	if (held_by_route(t, &message, fault) < 0 || queue_take_turn(t->queue, fault) < 0)
		return -1;
	t->queue->routed = 0;
	waiters_wake_all(&t->queue->direct);
	if (run_yield(fault) < 0 || block_threads(&nursery, fault) < 0)
		return -1;
	queue_end_turn(t->queue);
	t->queue->journal->config.queue_max = 0;
	/* the page is read before the first of these is written, and that before there is room for any other */
	if (run_yield(fault) < 0 || block_threads(&nursery, fault) < 0 || put_note(t, fault) < 0 || put_note(t, fault) < 0)
		return -1;
	{
		_deadline_(10 * SECOND);
		while (list_is_empty(&t->queue->journal->room.fibers))
			if (run_sleep(5 * MSEC, fault) < 0)
				return -1;
	}
	EXPECT(message->users == 1);
	queue_release(t->queue, message);
	EXPECT(book_legs_in_memory(t->queue->book) == 0);
	if (nursery_wait(&nursery, fault) < 0)
		return -1;
	return deliver_one(t, fault);
}

static void waiting_for_room(struct check *check)
{
	TEST;
	run(&t, let_go_without_room);
}

/* --- accepting that is given up -------------------------------------------------------------------- */

static int accept_held(void *arg, struct fault *fault)
{
	struct test *t = arg;
	struct journal_recipient recipient = { .address = BYTES("a@a.example") };
	bool holds[1] = { true };
	struct queue_accept a = { .record = { .recipients = &recipient, .n_recipients = 1 }, .holds = holds,
				  .hold_cause = "loop", .hold_reason = "it goes round in circles" };
	uint64_t number;

	return queue_accept(t->queue, &a, &number, fault);
}

/* The ACCEPT is put; for the HOLD there is no room yet. */
static int give_up(struct test *t, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery, accepting;
	struct check *check = t->check;

	nursery_init(&nursery, "threads");
	nursery_init(&accepting, "accepting");
	if (route(t, "@a.example", JOURNAL_ROUTE_NEW, fault) < 0 || queue_flush(t->queue, fault) < 0 ||
	    block_threads(&nursery, fault) < 0 || put_note(t, fault) < 0)
		return -1;
	t->queue->journal->config.queue_max = 0;
	nursery_start(&accepting, accept_held, t, "accepting");
	if (run_sleep(20 * MSEC, fault) < 0)
		return -1;
	EXPECT(tallies(t)->open == 1 && tallies(t)->held == 0);
	nursery_done(&accepting); /* cancels */
	EXPECT(tallies(t)->open == 0 && tallies(t)->held == 1 && deliver(t, BOOK_NEW, good, NULL, fault) == 0);
	return nursery_wait(&nursery, fault);
}

static void given_up(struct check *check)
{
	TEST;
	run(&t, give_up);
}

/* --- bodies that came long before their envelope -------------------------------------------------- */

/* Where they are is known by then. If it were not, each would be looked for by reading a whole segment. */
static int slow_upload(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct journal *journal = t->queue->journal;
	struct journal_recipient recipient = { .address = BYTES("a@a.example") };
	struct bytes piece = BYTES("x");
	uint64_t bodies[2], number;
	struct queue_accept a = { .record = { .recipients = &recipient, .n_recipients = 1, .bodies = bodies, .n_bodies = 2,
					      .size = 2 } };
	struct book_message *message;

	for (unsigned i = 0; i < 2; i++) {
		if (journal_append(journal, JOURNAL_BODY, &piece, 1, &bodies[i], fault) < 0)
			return -1;
		journal_remember(journal, bodies[i]);
	}
	if (journal_commit(journal, bodies[1], fault) < 0)
		return -1;
	journal->first_place = UINT64_MAX; /* as if many records had followed */
	if (queue_put_accept(t->queue, &a, &message, fault) < 0)
		return -1;
	journal->first_place = bodies[1] + 1;
	EXPECT(message->bodies[0].segment == 1 && message->bodies[0].offset == JOURNAL_FIRST);
	EXPECT(message->bodies[1].segment == 1 && message->bodies[1].offset == JOURNAL_FIRST + 72);
	number = message->number;
	queue_accepted(t->queue, message);
	queue_release(t->queue, message);
	return number == 1 ? queue_flush(t->queue, fault) : -1;
}

static void slow_bodies(struct check *check)
{
	TEST;
	run(&t, slow_upload);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "a leg that goes away where the index was read to (G5)", behind_the_cursor },
		{ "a leg that goes away while the index is read (G5)", while_reading },
		{ "a held leg that goes away while its release has no room (G8)", waiting_for_room },
		{ "accepting that is given up keeps its holds (G10)", given_up },
		{ "bodies that came long before their envelope", slow_bodies },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
