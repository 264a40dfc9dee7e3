/* SPDX-License-Identifier: Apache-2.0 */
/* The queue on a journal and an index in a folder of its own: accepting, delivering, recovering, routes, orders, bounds. */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "base/rand.h"
#include "base/xalloc.h"
#include "gateway/test-queue-common.h"
#include "os/file.h"

/* --- accepting and delivering ------------------------------------------------------------------- */

static int way_through(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct queue_step *steps;
	struct queue_job *job;
	struct journal_accept envelope;
	struct bytes content;
	uint64_t number, *found;
	size_t n;
	uint64_t more;

	if (route(t, "@a.example", JOURNAL_ROUTE_OLD, fault) < 0 || route(t, "ann@a.example", JOURNAL_ROUTE_NEW, fault) < 0 ||
	    accept(t, "Ann+x@A.example bob@a.example", BYTES("Subject: x\r\n\r\nhello\r\n"), &number, fault) < 0)
		return -1;
	EXPECT(number == 1 && tallies(t)->open == 2);
	job = queue_next(t->queue, BOOK_NEW);
	if (!EXPECT(job && job->n == 1 && job->legs[0]->recipient == 0 && job->epoch == 2))
		return 0;
	EXPECT(queue_content(t->queue, job->message, &content) && content.n == 21);
	if (queue_envelope(t->queue, job->message, &arena, &envelope, fault) < 0)
		return -1;
	EXPECT(envelope.n_recipients == 2 && bytes_starts(envelope.trace, BYTES("Received: by test id ")));
	EXPECT(bytes_equal(envelope.recipients[0].address, BYTES("Ann+x@A.example")));
	EXPECT(queue_next(t->queue, BOOK_NEW) == NULL);

	/* never tried: it waits as it was */
	struct queue_answer untried = { .leg = job->legs[0], .answer = SCHEDULE_UNTRIED, .fate = JOURNAL_OPEN, .cause = "" };
	if (queue_result(t->queue, job, &how, &untried, 1, fault) < 0)
		return -1;
	queue_end(t->queue, job, SCHEDULE_WORKED, 0);
	EXPECT(t->seen[JOURNAL_ATTEMPT] == 0 && !untried.is_parked);

	EXPECT(deliver(t, BOOK_NEW, good, NULL, fault) == 1 && deliver(t, BOOK_OLD, good, NULL, fault) == 1);
	EXPECT(tallies(t)->delivered == 2 && tallies(t)->open == 0);
	if (queue_trace(t->queue, number, &arena, &steps, &n, fault) < 0)
		return -1;
	EXPECT(n == 7 && steps[0].type == JOURNAL_ACCEPT && steps[6].type == JOURNAL_RESULT);
	EXPECT(((const struct journal_attempt *)steps[1].record)->epoch == 2);

	if (queue_find(t->queue, BYTES("<one@far.example>"), 10, &arena, &found, &n, &more, fault) < 0)
		return -1;
	EXPECT(n == 1 && found[0] == 1);
	if (queue_find(t->queue, BYTES("ANN+x@a.example"), 10, &arena, &found, &n, &more, fault) < 0)
		return -1;
	EXPECT(n == 1);
	if (queue_find(t->queue, BYTES("sender@FAR.example"), 10, &arena, &found, &n, &more, fault) < 0)
		return -1;
	EXPECT(n == 1);
	if (queue_find(t->queue, BYTES("nobody@a.example"), 10, &arena, &found, &n, &more, fault) < 0)
		return -1;
	EXPECT(n == 0);
	EXPECT(book_legs_in_memory(queue_book(t->queue)) == 0 && list_is_empty(book_messages(t->queue->book)));
	return 0;
}

static void passes(struct check *check)
{
	TEST;
	run(&t, way_through);
}

/* --- content ------------------------------------------------------------------------------------ */

static int accept_large(struct test *t, struct fault *fault)
{
	_cleanup_(buf_done) struct buf content = BUF_NULL;
	uint64_t number;

	for (unsigned i = 0; i < 100000; i++)
		buf_appendf(&content, "line %u\r\n", i);
	if (route(t, "@a.example", JOURNAL_ROUTE_NEW, fault) < 0)
		return -1;
	return accept(t, "a@a.example", buf_bytes(&content), &number, fault);
}

static int read_large(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	_cleanup_(buf_done) struct buf want = BUF_NULL, got = BUF_NULL;
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct book_message *message;
	struct journal_accept envelope;
	size_t n = 1;

	for (unsigned i = 0; i < 100000; i++)
		buf_appendf(&want, "line %u\r\n", i);
	if (queue_use(t->queue, 1, &message, fault) < 0)
		return -1;
	if (!EXPECT(message && message->size == want.n))
		return 0;
	if (queue_envelope(t->queue, message, &arena, &envelope, fault) < 0)
		return -1;
	EXPECT(envelope.message == 1 && envelope.n_bodies == want.n / JOURNAL_BODY_MAX + 1);
	while (n > 0) {
		if (queue_read(t->queue, message, got.n, buf_reserve(&got, 100001), 100001, &n, fault) < 0)
			return -1;
		got.n += n;
	}
	EXPECT(got.n == want.n && memcmp(got.p, want.p, got.n) == 0);
	queue_release(t->queue, message);
	EXPECT(queue_use(t->queue, 7, &message, fault) == 0 && !message);
	return 0;
}

static void contents(struct check *check)
{
	char path[300];
	TEST;

	run(&t, accept_large);
	run(&t, read_large);

	/* places are found without the index, too */
	snprintf(path, sizeof(path), "%s/gateway/index.db", t.folder.path);
	CHECK_EQ(unlink(path), 0);
	run(&t, read_large);
}

/* --- later, never, held ------------------------------------------------------------------------- */

static int refusals(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct queue_accept dsn = { 0 };
	struct journal_recipient back = { .address = BYTES("sender@far.example") };
	struct queue_job *job;
	struct book_leg *leg;
	uint64_t number;
	bool parked;

	if (route(t, "@a.example", JOURNAL_ROUTE_NEW, fault) < 0 || accept(t, "a@a.example", BYTES("x"), &number, fault) < 0)
		return -1;
	EXPECT(deliver(t, BOOK_NEW, later, &parked, fault) == 1 && !parked);
	EXPECT(deliver(t, BOOK_NEW, good, NULL, fault) == 0); /* not now */
	EXPECT(queue_moment(t->queue, BOOK_NEW) > run_now() + MINUTE);

	if (accept(t, "b@a.example", BYTES("x"), &number, fault) < 0)
		return -1;
	job = queue_next(t->queue, BOOK_NEW);
	if (!EXPECT(job && job->message->number == 2))
		return 0;
	leg = job->legs[0];
	struct queue_answer no = never;
	no.leg = leg;
	if (queue_attempt(t->queue, job, "mx", fault) < 0 || queue_result(t->queue, job, &how, &no, 1, fault) < 0)
		return -1;
	queue_end(t->queue, job, SCHEDULE_WORKED, 0);
	EXPECT(no.is_parked && leg->is_parked && leg->fate == JOURNAL_OPEN && leg->code == 550);
	EXPECT(deliver(t, BOOK_NEW, good, NULL, fault) == 0);

	dsn.record.recipients = &back;
	dsn.record.n_recipients = 1;
	if (queue_return(t->queue, &leg, 1, "no such user", &dsn, fault) < 0)
		return -1;
	EXPECT(tallies(t)->returned == 1 && tallies(t)->open == 2 && dsn.record.dsn_for == 2);

	/* ours, to somebody who is not: to the side that settings say */
	EXPECT(deliver(t, BOOK_OLD, good, NULL, fault) == 1);
	EXPECT(tallies(t)->delivered == 1 && tallies(t)->messages == 3);
	return 0;
}

static int expiry(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct book_leg *leg;
	uint64_t number;

	if (route(t, "@a.example", JOURNAL_ROUTE_NEW, fault) < 0 || accept(t, "a@a.example", BYTES("x"), &number, fault) < 0 ||
	    run_sleep(60 * MSEC, fault) < 0)
		return -1;
	EXPECT(queue_moment(t->queue, BOOK_NEW) <= run_now());
	leg = queue_next_expired(t->queue);
	if (!EXPECT(leg && leg->is_parked) || !EXPECT(!queue_next_expired(t->queue)))
		return 0;
	if (queue_hold(t->queue, &leg, 1, "expired", "too old", fault) < 0)
		return -1;
	EXPECT(tallies(t)->held == 1 && tallies(t)->open == 0);
	return 0;
}

/* Its life ends while it is in a job that it is then not tried in. */
static int expiry_in_job(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct queue_answer untried = { .answer = SCHEDULE_UNTRIED, .fate = JOURNAL_OPEN, .cause = "" };
	struct queue_job *job;
	struct book_leg *leg;
	uint64_t number;

	if (route(t, "@a.example", JOURNAL_ROUTE_NEW, fault) < 0 || accept(t, "a@a.example", BYTES("x"), &number, fault) < 0)
		return -1;
	job = queue_next(t->queue, BOOK_NEW);
	if (!EXPECT(job) || run_sleep(600 * MSEC, fault) < 0)
		return -1;
	untried.leg = job->legs[0];
	if (queue_result(t->queue, job, &how, &untried, 1, fault) < 0)
		return -1;
	queue_end(t->queue, job, SCHEDULE_UNUSED, 0);
	leg = queue_next_expired(t->queue);
	if (!EXPECT(leg && leg == untried.leg && leg->is_parked && !untried.is_parked))
		return 0;
	if (queue_hold(t->queue, &leg, 1, "expired", "too old", fault) < 0)
		return -1;
	EXPECT(tallies(t)->held == 1 && tallies(t)->open == 0);
	return 0;
}

static void ends(struct check *check)
{
	TEST;
	run(&t, refusals);
}

static void expires(struct check *check)
{
	TEST;
	t.settings.life_us = 50 * MSEC;
	run(&t, expiry);
}

static void expires_in_job(struct check *check)
{
	TEST;
	t.settings.life_us = 500 * MSEC;
	run(&t, expiry_in_job);
}

/* --- crashes ------------------------------------------------------------------------------------ */

/* One with an intent, one without. */
static int begin_attempts(struct test *t, struct queue_job **ret, struct queue_job **ret_other, struct fault *fault)
{
	struct queue_job *job, *other;
	uint64_t number;

	if (route(t, "@a.example", JOURNAL_ROUTE_NEW, fault) < 0 || accept(t, "a@a.example b@a.example", BYTES("x"), &number, fault) < 0 ||
	    accept(t, "c@a.example", BYTES("y"), &number, fault) < 0 || accept(t, "d@a.example", BYTES("z"), &number, fault) < 0)
		return -1;
	job = queue_next(t->queue, BOOK_NEW);
	other = queue_next(t->queue, BOOK_NEW);
	if (queue_attempt(t->queue, job, "mx", fault) < 0 || queue_attempt(t->queue, other, "mx", fault) < 0 ||
	    queue_intent(t->queue, job, job->legs, 1, fault) < 0)
		return -1;
	*ret = job;
	*ret_other = other;
	return 0;
}

static int die_in_attempts(struct test *t, struct fault *fault)
{
	struct queue_job *job, *other;

	if (begin_attempts(t, &job, &other, fault) < 0)
		return -1;
	_exit(77);
}

/* As at the end of a keeper that cannot go on: then the queue is closed. */
static int abandon(struct test *t, struct fault *fault)
{
	struct queue_job *job, *other;

	if (begin_attempts(t, &job, &other, fault) < 0)
		return -1;
	queue_abandon(t->queue, job);
	queue_abandon(t->queue, other);
	return 0;
}

static int after_death(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct queue_doubt doubt = { .fate = JOURNAL_DELIVERED, .how = "imap", .folder = BYTES("INBOX"), .uid = 5, .cause = "" };
	struct book_leg *leg;

	EXPECT(tallies(t)->messages == 3 && tallies(t)->legs == 4 && tallies(t)->doubt == 1 && tallies(t)->open == 3);
	EXPECT(tallies(t)->attempting == 0 && strstr(queue_recovered(t->queue), "3 deliveries had been interrupted"));
	leg = queue_next_doubt(t->queue);
	if (!EXPECT(leg && !queue_next_doubt(t->queue) && leg->message->number == 1))
		return 0;
	queue_put_doubt(t->queue, leg, MINUTE);
	EXPECT(!queue_next_doubt(t->queue) && queue_doubt_moment(t->queue) > run_now() + 50 * SECOND);
	leg->due_us = 0;
	leg = queue_next_doubt(t->queue);
	if (queue_settle_doubt(t->queue, leg, &doubt, fault) < 0)
		return -1;
	EXPECT(tallies(t)->delivered == 1 && tallies(t)->doubt == 0);

	/* come in from the index, since they are due */
	while (tallies(t)->delivered < 4) {
		if (deliver(t, BOOK_NEW, good, NULL, fault) == 0 && waiters_wait(queue_work(t->queue), "legs", fault) < 0)
			return -1;
	}
	EXPECT(book_last_attempt(queue_book(t->queue)) >= 4);
	return 0;
}

static void dies(struct check *check)
{
	TEST;
	run_and_die(&t, die_in_attempts);
	run(&t, after_death);
}

static void abandons(struct check *check)
{
	TEST;
	run(&t, abandon);
	run(&t, after_death);
}

static int die_with_mail(struct test *t, struct fault *fault)
{
	uint64_t number;

	if (route(t, "@a.example", JOURNAL_ROUTE_NEW, fault) < 0 ||
	    accept(t, "a@a.example b@a.example", BYTES("x"), &number, fault) < 0)
		return -1;
	_exit(77);
}

/* The replay has written the index, and nothing was directed. */
static int die_at_once(struct test *t, struct fault *fault)
{
	_exit(77);
}

/* Nothing is replayed that would name these legs. */
static int comes_in(struct test *t, struct fault *fault)
{
	struct check *check = t->check;

	EXPECT(book_legs_in_memory(queue_book(t->queue)) == 0);
	_deadline_(20 * SECOND);
	while (tallies(t)->delivered < 2)
		if (deliver(t, BOOK_NEW, good, NULL, fault) == 0 && waiters_wait(queue_work(t->queue), "legs", fault) < 0)
			return -1;
	return 0;
}

static void dies_undirected(struct check *check)
{
	TEST;
	run_and_die(&t, die_with_mail);
	run_and_die(&t, die_at_once);
	run(&t, comes_in);
}

/* --- routes ------------------------------------------------------------------------------------- */

static int wait_until(struct test *t, bool (*fn)(struct test *t), struct fault *fault)
{
	_deadline_(20 * SECOND);
	while (!fn(t))
		if (run_sleep(5 * MSEC, fault) < 0)
			return -1;
	return 0;
}

static bool two_open(struct test *t)
{
	return tallies(t)->open == 2 && tallies(t)->held == 0;
}

static int changing(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct queue_job *job;
	uint64_t number;

	/* nobody knows one, the other is to be held */
	if (route(t, "@a.example", JOURNAL_ROUTE_HOLD, fault) < 0 ||
	    accept(t, "a@a.example b@elsewhere.example", BYTES("x"), &number, fault) < 0)
		return -1;
	EXPECT(tallies(t)->held == 2 && t->seen[JOURNAL_HOLD] == 2);
	EXPECT(!queue_next(t->queue, BOOK_OLD) && !queue_next(t->queue, BOOK_NEW));
	if (queue_flush(t->queue, fault) < 0)
		return -1;
	EXPECT(book_legs_in_memory(queue_book(t->queue)) == 0); /* held ones are not kept */

	if (route(t, "@elsewhere.example", JOURNAL_ROUTE_OLD, fault) < 0 || route(t, "@a.example", JOURNAL_ROUTE_OLD, fault) < 0 ||
	    wait_until(t, two_open, fault) < 0)
		return -1;
	EXPECT(t->seen[JOURNAL_RELEASE] >= 1);
	job = queue_next(t->queue, BOOK_OLD);
	if (!EXPECT(job && job->n == 2))
		return 0;
	struct queue_answer answers[2] = { later, later };
	answers[0].leg = job->legs[0];
	answers[1].leg = job->legs[1];
	if (queue_attempt(t->queue, job, "mx", fault) < 0)
		return -1;

	/* a user is moved while he is tried: the next attempt goes to the new side */
	if (route(t, "a@a.example", JOURNAL_ROUTE_NEW, fault) < 0 || queue_result(t->queue, job, &how, answers, 2, fault) < 0)
		return -1;
	EXPECT(answers[0].leg->target == BOOK_NEW && answers[1].leg->target == BOOK_OLD);
	queue_end(t->queue, job, SCHEDULE_WORKED, 0);
	return 0;
}

static bool moved(struct test *t)
{
	return book_count(queue_book(t->queue), BOOK_NEW, JOURNAL_OPEN) == 2;
}

static int changed(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct router_answer answer = router_find(queue_router(t->queue), BYTES("a@a.example"));

	/* routes and where legs go outlive the process */
	EXPECT(answer.route == ROUTE_NEW && answer.match == ROUTER_ADDRESS && answer.changed_s > 0);
	EXPECT(router_epoch(queue_router(t->queue)) == 4);
	EXPECT(book_count(queue_book(t->queue), BOOK_NEW, JOURNAL_OPEN) == 1);
	EXPECT(book_count(queue_book(t->queue), BOOK_OLD, JOURNAL_OPEN) == 1);
	if (route(t, "b@elsewhere.example", JOURNAL_ROUTE_NEW, fault) < 0 || wait_until(t, moved, fault) < 0)
		return -1;
	return route(t, "@a.example", (enum journal_route)9, fault) < 0 && fault->kind == FAULT_DATA ? 0 : -1;
}

/* The index was of no use: from the journal alone. */
static int moved_again(struct test *t, struct fault *fault)
{
	struct check *check = t->check;

	EXPECT(strstr(queue_recovered(t->queue), "it was made anew from the journal"));
	EXPECT(router_epoch(queue_router(t->queue)) == 5);
	return wait_until(t, moved, fault);
}

/* One message in doubt, one that waits; records that name both, which the index does not have. */
static int die_in_doubt(struct test *t, struct fault *fault)
{
	struct journal_suppressed suppressed = { .message = 1 };
	uint64_t number, sequence;

	if (route(t, "@a.example", JOURNAL_ROUTE_NEW, fault) < 0 || accept(t, "a@a.example", BYTES("x"), &number, fault) < 0 ||
	    deliver(t, BOOK_NEW, unsure, NULL, fault) != 1 || accept(t, "b@a.example", BYTES("y"), &number, fault) < 0 ||
	    queue_flush(t->queue, fault) < 0 ||
	    queue_put(t->queue, JOURNAL_SUPPRESSED, &suppressed, &sequence, fault) < 0)
		return -1;
	suppressed.message = 2;
	if (queue_put(t->queue, JOURNAL_SUPPRESSED, &suppressed, &sequence, fault) < 0 ||
	    journal_commit(t->queue->journal, sequence, fault) < 0)
		return -1;
	_exit(77);
}

static int still_in_doubt(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct book_leg *leg = queue_next_doubt(t->queue);

	EXPECT(strstr(queue_recovered(t->queue), "it was made anew from the journal"));
	EXPECT(tallies(t)->doubt == 1 && tallies(t)->open == 1);
	if (EXPECT(leg && leg->message->number == 1 && !queue_next_doubt(t->queue)))
		queue_put_doubt(t->queue, leg, MINUTE);
	return 0;
}

/* That a row of the index is damaged is found out while the journal is replayed. */
static void damaged_later(struct check *check)
{
	sqlite3 *db;
	char path[300];
	TEST;

	run_and_die(&t, die_in_doubt);
	snprintf(path, sizeof(path), "%s/gateway/index.db", t.folder.path);
	CHECK_EQ(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_EQ(sqlite3_exec(db, "UPDATE leg SET code = 5000 WHERE message = 2", NULL, NULL, NULL), SQLITE_OK);
	CHECK_EQ(sqlite3_close(db), SQLITE_OK);
	run(&t, still_in_doubt);
}

static int alias_to(struct test *t, const char *key, const char *target, struct fault *fault)
{
	struct journal_route_entry entry = { .address = bytes_of(key), .target = bytes_of(target) };
	struct journal_routes routes = { .operator = BYTES("test"), .entries = &entry, .n_entries = 1 };

	return queue_change_routes(t->queue, &routes, fault);
}

/* Said again, it is no change. */
static int alias_twice(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct router_entry entry;

	if (alias_to(t, "info@a.example", "ann@a.example", fault) < 0)
		return -1;
	EXPECT(router_get(queue_router(t->queue), BYTES("info@a.example"), &entry));
	t->kept = entry.changed_s;
	if (run_sleep(1100 * MSEC, fault) < 0 || alias_to(t, "info@a.example", "ann@a.example", fault) < 0)
		return -1;
	EXPECT(router_get(queue_router(t->queue), BYTES("info@a.example"), &entry) && entry.changed_s == t->kept);
	return 0;
}

static int alias_later(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct router_entry entry;

	EXPECT(router_get(queue_router(t->queue), BYTES("info@a.example"), &entry) && entry.changed_s == t->kept);
	return 0;
}

static void aliases(struct check *check)
{
	TEST;
	run(&t, alias_twice);
	run(&t, alias_later);
}

static int accept_one(struct test *t, struct fault *fault)
{
	uint64_t number;

	return accept(t, "a@a.example", BYTES("x"), &number, fault);
}

static int nothing(struct test *t, struct fault *fault)
{
	return 0;
}

/* The index knows what the journal lost: nothing is opened, and nothing is made anew. */
static void index_ahead(struct check *check)
{
	char path[300];
	_cleanup_(buf_done) struct buf before = BUF_NULL, after = BUF_NULL;
	struct fault fault = FAULT_INIT;
	FILE *f;
	TEST;

	run(&t, accept_one);
	snprintf(path, sizeof(path), "%s/journal/0000000001.seg", t.folder.path);
	CHECK_EQ(os_read_file(path, JOURNAL_SEGMENT_MIN, &before, &fault), 0);
	run(&t, accept_one);

	/* an old copy is put back */
	f = fopen(path, "w");
	CHECK(f && fwrite(before.p, 1, before.n, f) == before.n && fclose(f) == 0);
	for (int i = 0; i < 2; i++) {
		t.fn = nothing;
		CHECK_EQ(run_main("test", in_loop, &t, &fault), -1);
		CHECK_EQ(fault.kind, FAULT_DATA);
		if (!strstr(fault.text, "it ends with record 3, but records up to 6 are known"))
			CHECK_FAIL("%s", fault.text);
	}
	CHECK_EQ(os_read_file(path, JOURNAL_SEGMENT_MIN, &after, &fault), 0);
	CHECK(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
	snprintf(path, sizeof(path), "%s/gateway/index.db", t.folder.path);
	unlink(path);
	run(&t, nothing);
}

static void routes(struct check *check)
{
	char path[300];
	TEST;

	run(&t, changing);
	run(&t, changed);
	snprintf(path, sizeof(path), "%s/gateway/index.db", t.folder.path);
	testing_write(path, "this is no database, and that is found out at the start");
	run(&t, moved_again);
}

/* --- both --------------------------------------------------------------------------------------- */

static int dual(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct queue_job *job;
	uint64_t number;

	if (route(t, "a@a.example", JOURNAL_ROUTE_BOTH, fault) < 0 || accept(t, "a@a.example", BYTES("x"), &number, fault) < 0)
		return -1;
	EXPECT(tallies(t)->legs == 2 && t->seen[JOURNAL_LEG] == 1);
	job = queue_next(t->queue, BOOK_OLD);
	if (!EXPECT(job && job->legs[0]->copy == 1))
		return 0;
	struct queue_answer a = { .leg = job->legs[0], .answer = SCHEDULE_UNTRIED, .fate = JOURNAL_OPEN, .cause = "" };
	if (queue_result(t->queue, job, &how, &a, 1, fault) < 0)
		return -1;
	queue_end(t->queue, job, SCHEDULE_WORKED, 0);

	/* once there are two, each keeps its side: nobody gets it twice */
	if (route(t, "a@a.example", JOURNAL_ROUTE_OLD, fault) < 0)
		return -1;
	EXPECT(deliver(t, BOOK_OLD, good, NULL, fault) == 1 && deliver(t, BOOK_NEW, good, NULL, fault) == 1);
	EXPECT(tallies(t)->delivered == 2 && tallies(t)->open == 0);

	/* a leg that waits when its user gets both gets its copy then */
	if (accept(t, "a@a.example", BYTES("y"), &number, fault) < 0 || route(t, "a@a.example", JOURNAL_ROUTE_BOTH, fault) < 0 ||
	    wait_until(t, two_open, fault) < 0)
		return -1;
	EXPECT(deliver(t, BOOK_OLD, good, NULL, fault) == 1 && deliver(t, BOOK_NEW, good, NULL, fault) == 1);
	return 0;
}

static void both(struct check *check)
{
	TEST;
	run(&t, dual);
}

/* --- orders ------------------------------------------------------------------------------------- */

static int ordering(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct queue_filter filter = { .target = -1 };
	struct journal_leg after = { 0 };
	struct queue_row *rows;
	uint64_t number, n_done;
	size_t n;

	if (route(t, "@a.example", JOURNAL_ROUTE_NEW, fault) < 0)
		return -1;
	for (unsigned i = 0; i < 10; i++)
		if (accept(t, i % 2 ? "odd@a.example x@a.example" : "even@a.example", BYTES("x"), &number, fault) < 0)
			return -1;
	while (deliver(t, BOOK_NEW, later, NULL, fault) > 0)
		;
	if (queue_list(t->queue, &filter, &after, 7, &arena, &rows, &n, fault) < 0)
		return -1;
	EXPECT(n == 7 && rows[0].leg.message == 1 && bytes_equal(rows[0].cause, BYTES("greylisted")) && rows[0].code == 451);
	after = rows[6].leg;
	if (queue_list(t->queue, &filter, &after, 100, &arena, &rows, &n, fault) < 0)
		return -1;
	EXPECT(n == 8);

	filter.key = BYTES("odd@a.example");
	if (queue_order(t->queue, QUEUE_HOLD, &filter, "admin", "look first", &n_done, fault) < 0)
		return -1;
	EXPECT(n_done == 5 && tallies(t)->held == 5);
	filter = (struct queue_filter){ .target = -1, .key = BYTES("@a.example"), .cause = BYTES("operator"), .fate = JOURNAL_HELD };
	after = (struct journal_leg){ 0 };
	if (queue_list(t->queue, &filter, &after, 100, &arena, &rows, &n, fault) < 0)
		return -1;
	EXPECT(n == 5);
	filter = (struct queue_filter){ .target = -1, .message = 2 };
	if (queue_order(t->queue, QUEUE_RELEASE, &filter, "admin", "fine", &n_done, fault) < 0)
		return -1;
	EXPECT(n_done == 1 && deliver(t, BOOK_NEW, good, NULL, fault) == 1); /* released: at once */
	filter.message = 0;
	if (queue_order(t->queue, QUEUE_RETRY, &filter, "admin", "now", &n_done, fault) < 0)
		return -1;
	EXPECT(n_done == 10);
	for (n = 0; tallies(t)->open > 0; n++)
		if (deliver(t, BOOK_NEW, good, NULL, fault) <= 0)
			break;
	EXPECT(tallies(t)->delivered == 11 && tallies(t)->held == 4);
	return 0;
}

static void orders(struct check *check)
{
	TEST;
	run(&t, ordering);
}

/* --- bounds ------------------------------------------------------------------------------------- */

static int flood(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct buf to = BUF_NULL;
	size_t most = 0;
	uint64_t number;

	if (route(t, "@a.example", JOURNAL_ROUTE_NEW, fault) < 0)
		return -1;
	for (unsigned i = 0; i < 300; i++) {
		buf_reset(&to);
		for (unsigned k = 0; k < 20; k++)
			buf_appendf(&to, "%suser%u.%u@a.example", k ? " " : "", i, k);
		if (accept(t, buf_str(&to), BYTES("x"), &number, fault) < 0)
			break;
		if (book_legs_in_memory(queue_book(t->queue)) > most)
			most = book_legs_in_memory(queue_book(t->queue));
	}
	buf_done(&to);
	EXPECT(tallies(t)->open == 6000 && most <= 1600);
	while (tallies(t)->open > 0) {
		_deadline_(20 * SECOND);
		int r = deliver(t, BOOK_NEW, good, NULL, fault);

		if (r < 0 || (r == 0 && waiters_wait(queue_work(t->queue), "legs to come in", fault) < 0))
			return -1;
		if (book_legs_in_memory(queue_book(t->queue)) > most)
			most = book_legs_in_memory(queue_book(t->queue));
	}
	EXPECT(tallies(t)->delivered == 6000 && most <= 1600);
	return 0;
}

static void bounded(struct check *check)
{
	TEST;
	t.settings.max_legs = 1000;
	run(&t, flood);
}

/* --- a notification that was accepted, and no more ------------------------------------------------ */

/* Ends as a crash would that cut the batch between the two records. */
static int accept_notice_and_die(struct test *t, struct fault *fault)
{
	struct journal_recipient back = { .address = BYTES("sender@far.example") };
	struct journal_leg leg = { 0 };
	struct queue_accept dsn = { .record = { .recipients = &back, .n_recipients = 1, .returns = &leg, .n_returns = 1 },
				    .trace = make_trace };
	struct book_message *own;
	char trace[100];
	bool parked = false;

	dsn.arg = trace;
	if (route(t, "@a.example", JOURNAL_ROUTE_NEW, fault) < 0 || accept(t, "a@a.example", BYTES("x"), &leg.message, fault) < 0 ||
	    deliver(t, BOOK_NEW, never, &parked, fault) < 0)
		return -1;
	dsn.record.dsn_for = leg.message;
	if (!parked || queue_put_accept(t->queue, &dsn, &own, fault) < 0 ||
	    queue_commit(t->queue, book_position(queue_book(t->queue)), fault) < 0)
		return -1;
	_exit(77);
}

static int returned_once(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	_cleanup_(arena_done) struct arena arena = { NULL };
	const struct journal_order *order;
	struct queue_step *steps;
	size_t n;

	EXPECT(tallies(t)->messages == 2 && tallies(t)->returned == 1 && tallies(t)->open == 1);
	EXPECT(deliver(t, BOOK_NEW, good, NULL, fault) == 0);
	if (queue_trace(t->queue, 1, &arena, &steps, &n, fault) < 0)
		return -1;
	order = steps[n - 1].record;
	EXPECT(steps[n - 1].type == JOURNAL_RETURNED && order->dsn == 2);
	return 0;
}

static void told_once(struct check *check)
{
	TEST;

	run_and_die(&t, accept_notice_and_die);
	run(&t, returned_once);
	run(&t, returned_once);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "accepted, routed, delivered, traced", passes },
		{ "killed before and after a replay", dies_undirected },
		{ "contents, from memory and segments", contents },
		{ "refusals and returns", ends },
		{ "the end of a leg's life", expires },
		{ "the end of a leg's life, in a job (G14)", expires_in_job },
		{ "attempts that a crash interrupted (G6)", dies },
		{ "attempts that were abandoned (G6)", abandons },
		{ "routes that change (G8)", routes },
		{ "an index whose damage a replay finds (G4)", damaged_later },
		{ "since when an alias is one", aliases },
		{ "an index that is ahead (G4)", index_ahead },
		{ "both sides (G9)", both },
		{ "orders and lists", orders },
		{ "a notification that a crash parted from its RETURNED (G21)", told_once },
		{ "no more legs in memory than allowed (G5)", bounded },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
