/* SPDX-License-Identifier: Apache-2.0 */
/* How fast the queue accepts, delivers and recovers, and how much memory it takes. Sizes by the environment:
 *	MAILFERRY_QUEUE_LEGS=N      legs that are queued and recovered (20,000)
 *	MAILFERRY_QUEUE_MESSAGES=N  messages that pass through (5,000) */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "gateway/queue-inside.h"
#include "lib/check.h"
#include "os/testing.h"

enum { FIBERS = 100 };

struct test {
	struct check *check;
	struct testing_folder folder;
	struct queue_settings settings;
	struct schedule_settings target;
	struct queue *queue;
	int (*fn)(struct test *t, struct fault *fault);
	uint64_t legs, messages, done;
	double opened; /* seconds */
};

static uint64_t size_by(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static double cpu(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 + (double)usage.ru_stime.tv_sec +
	       (double)usage.ru_stime.tv_usec / 1e6;
}

static long memory_kb(void)
{
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%*d %ld", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int in_loop(void *arg, struct fault *fault)
{
	struct test *t = arg;
	int64_t began = run_now();
	int r = queue_open(&t->settings, &t->queue, fault);

	t->opened = (double)(run_now() - began) / SECOND;
	if (r == 0)
		r = t->fn(t, fault);
	t->queue = queue_close(t->queue);
	return r;
}

static void run(struct test *t, int (*fn)(struct test *t, struct fault *fault))
{
	struct check *check = t->check;
	struct fault fault = FAULT_INIT;

	t->fn = fn;
	if (run_main("test", in_loop, t, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
}

static int in_child(void *arg)
{
	struct test *t = arg;
	struct fault fault = FAULT_INIT;
	int r = run_main("test", in_loop, t, &fault);

	if (r < 0)
		printf("# %s\n", fault.text);
	fflush(stdout);
	return r < 0;
}

/* In a process of its own, so that its memory is its own. */
static void run_apart(struct test *t, int (*fn)(struct test *t, struct fault *fault))
{
	struct check *check = t->check;

	t->fn = fn;
	CHECK_EQ(testing_fork(in_child, t, NULL, NULL), 0);
}

static void remove_folder(const char *path, const char *name)
{
	struct testing_folder folder;

	snprintf(folder.path, sizeof(folder.path), "%.100s/%s", path, name);
	testing_folder_remove(&folder);
}

static void test_remove(struct test *t)
{
	remove_folder(t->folder.path, "journal/checkpoints");
	remove_folder(t->folder.path, "journal");
	remove_folder(t->folder.path, "gateway");
	testing_folder_remove(&t->folder);
}

static void test_make(struct test *t, struct check *check)
{
	*t = (struct test){ .check = check, .legs = size_by("MAILFERRY_QUEUE_LEGS", 20000),
			    .messages = size_by("MAILFERRY_QUEUE_MESSAGES", 5000) };
	testing_folder_make(&t->folder);
	t->target = (struct schedule_settings){ .name = "new", .hosts = 1, .first_connections = 100, .most_connections = 100 };
	t->settings = (struct queue_settings){ .state = t->folder.path, .separator = '+', .targets = { NULL, &t->target } };
}

static struct bytes make_trace(void *arg, uint64_t number, const char *queue_id)
{
	snprintf(arg, 200, "Received: from client.example (127.0.0.1) by mx.example with ESMTPS id %s;\r\n"
			   " Tue, 1 Dec 2026 12:00:00 +0000\r\nX-Mailferry-Trace: 0123456789abcdef0123456789abcdef\r\n", queue_id);
	return bytes_of(arg);
}

static int accept_one(struct test *t, uint64_t i, uint64_t users, struct bytes content, struct fault *fault)
{
	char to[60], trace[200], id[60];
	uint64_t sequence = 0, number;
	struct journal_recipient recipient = { .address = { to, 0 } };
	struct queue_accept a = { .record = { .reverse_path = BYTES("sender@far.example"), .recipients = &recipient,
					      .n_recipients = 1, .size = content.n, .peer = BYTES("192.0.2.1"),
					      .helo = BYTES("client.example"), .protocol = BYTES("ESMTP") },
				  .content = content, .trace = make_trace, .arg = trace };

	recipient.address.n = (size_t)snprintf(to, sizeof(to), "user%" PRIu64 "@a.example", i % users);
	a.record.message_id = (struct bytes){ id, (size_t)snprintf(id, sizeof(id), "<%" PRIu64 "@far.example>", i) };
	memcpy(a.record.digest, &i, sizeof(i));
	if (content.n > 0) {
		if (journal_append(queue_journal(t->queue), JOURNAL_BODY, &content, 1, &sequence, fault) < 0)
			return -1;
		a.record.bodies = &sequence;
		a.record.n_bodies = 1;
	}
	return queue_accept(t->queue, &a, &number, fault);
}

static int open_route(struct test *t, struct fault *fault)
{
	struct journal_route_entry entry = { .address = BYTES("@a.example"), .route = JOURNAL_ROUTE_NEW };
	struct journal_routes routes = { .operator = BYTES("test"), .entries = &entry, .n_entries = 1 };

	return queue_change_routes(t->queue, &routes, fault);
}

/* --- a backlog ---------------------------------------------------------------------------------- */

static int fill_fiber(void *arg, struct fault *fault)
{
	struct test *t = arg;

	while (t->done < t->legs)
		if (accept_one(t, t->done++, 200000, BYTES("Subject: a message\r\n\r\nIts content.\r\n"), fault) < 0)
			return -1;
	return 0;
}

static int fill(struct test *t, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;
	int64_t began = run_now();
	double used = cpu();

	if (open_route(t, fault) < 0)
		return -1;
	nursery_init(&nursery, "fill");
	for (unsigned i = 0; i < FIBERS; i++)
		nursery_start(&nursery, fill_fiber, t, "fill %u", i);
	if (nursery_wait(&nursery, fault) < 0)
		return -1;
	printf("# %" PRIu64 " accepted in %.1f s, %.0f µs of CPU each; %zu legs in memory, %ld MiB\n", t->legs,
	       (double)(run_now() - began) / SECOND, (cpu() - used) * 1e6 / (double)t->legs,
	       book_legs_in_memory(queue_book(t->queue)), memory_kb() / 1024);
	return 0;
}

static int look(struct test *t, struct fault *fault)
{
	const struct journal_tallies *tallies = book_tallies(queue_book(t->queue));
	int64_t began = run_now();

	printf("# recovered in %.1f s: %" PRIu64 " open; %s\n", t->opened, tallies->open, queue_recovered(t->queue));
	while (queue_moment(t->queue, BOOK_NEW) > run_now()) {
		_deadline_(60 * SECOND);
		if (waiters_wait(queue_work(t->queue), "the first leg", fault) < 0)
			return -1;
	}
	printf("# the first may be delivered %.2f s later; %zu legs in memory, %ld MiB\n",
	       (double)(run_now() - began) / SECOND, book_legs_in_memory(queue_book(t->queue)), memory_kb() / 1024);
	if (tallies->open != t->legs || t->opened > 30 || book_legs_in_memory(queue_book(t->queue)) > 110000)
		return fault_local(fault, "not what was queued, too slow, or too much memory");
	return 0;
}

static int look_on(struct test *t, struct fault *fault)
{
	if (look(t, fault) < 0 || queue_flush(t->queue, fault) < 0)
		return -1;
	while (t->queue->routed < router_epoch(queue_router(t->queue)))
		if (run_sleep(20 * MSEC, fault) < 0)
			return -1;
	printf("# all have their target by then; %zu legs in memory, %ld MiB\n", book_legs_in_memory(queue_book(t->queue)),
	       memory_kb() / 1024);
	return book_count(queue_book(t->queue), BOOK_NEW, JOURNAL_OPEN) == t->legs
		       ? 0
		       : fault_local(fault, "legs without a target");
}

static void backlog(struct check *check)
{
	_cleanup_(test_remove) struct test t;
	char path[300];

	test_make(&t, check);
	run_apart(&t, fill);
	run_apart(&t, look);
	snprintf(path, sizeof(path), "%s/gateway/index.db", t.folder.path);
	CHECK_EQ(unlink(path), 0);
	run_apart(&t, look_on);
}

/* --- passing through ---------------------------------------------------------------------------- */

static int pass_fiber(void *arg, struct fault *fault)
{
	struct test *t = arg;
	static char content[4096];

	while (t->done < t->messages)
		if (accept_one(t, t->done++, 1000000, (struct bytes){ content, sizeof(content) }, fault) < 0)
			return -1;
	return 0;
}

static int deliver_one(struct test *t, struct queue_job *job, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct queue_how how = { .host = BYTES("mx") };
	struct queue_answer answer = { .leg = job->legs[0], .answer = SCHEDULE_ACCEPTED, .fate = JOURNAL_DELIVERED, .code = 250,
				       .text = BYTES("2.0.0 Ok: queued as 123456789"), .remote_id = BYTES("123456789"), .cause = "" };
	struct journal_accept envelope;
	int r;

	r = queue_attempt(t->queue, job, "mx", fault) < 0 || queue_envelope(t->queue, job->message, &arena, &envelope, fault) < 0 ||
	    queue_intent(t->queue, job, job->legs, 1, fault) < 0 || queue_result(t->queue, job, &how, &answer, 1, fault) < 0;
	if (!r)
		queue_end(t->queue, job, SCHEDULE_WORKED, 0);
	return r ? -1 : 0;
}

static int deliver_fiber(void *arg, struct fault *fault)
{
	struct test *t = arg;

	while (book_tallies(queue_book(t->queue))->delivered < t->messages) {
		struct queue_job *job = queue_next(t->queue, BOOK_NEW);
		int r = job ? deliver_one(t, job, fault) : waiters_wait(queue_work(t->queue), "legs", fault);

		if (r < 0)
			return -1;
	}
	waiters_wake_all(queue_work(t->queue));
	return 0;
}

static int pass(struct test *t, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;
	double used = cpu();
	int64_t began = run_now();

	if (open_route(t, fault) < 0)
		return -1;
	nursery_init(&nursery, "pass");
	for (unsigned i = 0; i < FIBERS; i++) {
		nursery_start(&nursery, pass_fiber, t, "accept %u", i);
		if (i < 20)
			nursery_start(&nursery, deliver_fiber, t, "deliver %u", i);
	}
	if (nursery_wait(&nursery, fault) < 0 || queue_flush(t->queue, fault) < 0)
		return -1;
	printf("# %" PRIu64 " of 4 KB accepted and delivered in %.1f s, %.0f µs of CPU each, the index included\n", t->messages,
	       (double)(run_now() - began) / SECOND, (cpu() - used) * 1e6 / (double)t->messages);
	return book_legs_in_memory(queue_book(t->queue)) == 0 ? 0 : fault_local(fault, "legs are left");
}

static void passing(struct check *check)
{
	_cleanup_(test_remove) struct test t;

	test_make(&t, check);
	run(&t, pass);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "a backlog, queued and recovered (G5, G7)", backlog },
		{ "passing through", passing },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
