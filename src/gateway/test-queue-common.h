/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of queue*.c: a queue on a journal and an index in a folder that goes away, and what is done with it. */
#ifndef GATEWAY_TEST_QUEUE_COMMON_H
#define GATEWAY_TEST_QUEUE_COMMON_H

#include <stdio.h>
#include <unistd.h>

#include "gateway/queue-inside.h"
#include "lib/check.h"
#include "os/testing.h"

struct test {
	struct check *check;
	struct testing_folder folder;
	struct queue_settings settings;
	struct schedule_settings old, new;
	struct queue *queue;
	int (*fn)(struct test *t, struct fault *fault);
	uint64_t seen[JOURNAL_TYPES];
	uint64_t kept; /* from one run to the next */
};

static inline void seen(void *arg, const struct book *book, enum journal_type type, const void *record, uint64_t sequence,
		 int64_t wall_us)
{
	struct test *t = arg;

	t->seen[type]++;
}

static inline void test_make(struct test *t, struct check *check)
{
	*t = (struct test){ .check = check };
	testing_folder_make(&t->folder);
	t->old = (struct schedule_settings){ .name = "old", .hosts = 1, .first_connections = 50, .most_connections = 50,
					     .recipient_at_once = 50 };
	t->new = t->old;
	t->new.name = "new";
	t->settings = (struct queue_settings){ .state = t->folder.path, .segment_size = JOURNAL_SEGMENT_MIN, .separator = '+',
					       .targets = { &t->old, &t->new }, .seen = seen, .arg = t };
}

static inline void remove_folder(const char *path, const char *name)
{
	struct testing_folder folder;

	snprintf(folder.path, sizeof(folder.path), "%.100s/%s", path, name);
	testing_folder_remove(&folder);
}

static inline void test_remove(struct test *t)
{
	remove_folder(t->folder.path, "journal/checkpoints");
	remove_folder(t->folder.path, "journal");
	remove_folder(t->folder.path, "gateway");
	testing_folder_remove(&t->folder);
}

static inline int in_loop(void *arg, struct fault *fault)
{
	struct test *t = arg;
	int r = queue_open(&t->settings, &t->queue, fault);

	if (r == 0)
		r = t->fn(t, fault);
	t->queue = queue_close(t->queue);
	return r;
}

static inline void run(struct test *t, int (*fn)(struct test *t, struct fault *fault))
{
	struct check *check = t->check;
	struct fault fault = FAULT_INIT;

	t->fn = fn;
	if (run_main("test", in_loop, t, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
}

static inline int in_child(void *arg)
{
	struct test *t = arg;
	struct fault fault = FAULT_INIT;

	alarm(60);
	if (run_main("test", in_loop, t, &fault) < 0)
		printf("# %s\n", fault.text);
	return 1;
}

/* fn ends the process itself, as a crash would: with status 77. */
static inline void run_and_die(struct test *t, int (*fn)(struct test *t, struct fault *fault))
{
	struct check *check = t->check;

	t->fn = fn;
	CHECK_EQ(testing_fork(in_child, t, NULL, NULL), 77);
}

#define TEST _cleanup_(test_remove) struct test t; test_make(&t, check)

/* --- doing -------------------------------------------------------------------------------------- */

static inline int route(struct test *t, const char *key, enum journal_route way, struct fault *fault)
{
	struct journal_route_entry entry = { .address = bytes_of(key), .route = way };
	struct journal_routes routes = { .operator = BYTES("test"), .entries = &entry, .n_entries = 1 };

	return queue_change_routes(t->queue, &routes, fault);
}

static inline struct bytes make_trace(void *arg, uint64_t number, const char *queue_id)
{
	snprintf(arg, 100, "Received: by test id %s\r\n", queue_id);
	return bytes_of(arg);
}

/* to: addresses, with blanks between them. */
static inline int accept(struct test *t, const char *to, struct bytes content, uint64_t *ret, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct journal_recipient recipients[24] = { 0 };
	struct queue_accept a = { .record = { .reverse_path = BYTES("Sender@far.example"), .recipients = recipients,
					      .message_id = BYTES("<one@far.example>"), .size = content.n },
				  .content = content.n < 10000 ? content : BYTES_NULL, .trace = make_trace };
	struct bytes rest = bytes_of(to);
	char trace[100];

	a.arg = trace;
	while (rest.n > 0)
		recipients[a.record.n_recipients++].address = bytes_cut(&rest, ' ');
	a.record.digest[0] = (unsigned char)content.n;
	if (queue_put_content(t->queue, content, &arena, &a.record.bodies, &a.record.n_bodies, fault) < 0)
		return -1;
	return queue_accept(t->queue, &a, ret, fault);
}

static const struct queue_how how = { .host = { "mx", 2 } };

/* One job with the same answer for all. 0: there was none. */
static inline int deliver(struct test *t, enum book_target target, struct queue_answer like, bool *ret_parked,
		   struct fault *fault)
{
	struct queue_job *job = queue_next(t->queue, target);
	struct queue_answer answers[24];
	unsigned n;

	if (!job)
		return 0;
	n = job->n;
	if (queue_attempt(t->queue, job, "mx", fault) < 0)
		return -1;
	if ((like.fate == JOURNAL_DELIVERED || like.fate == JOURNAL_IN_DOUBT) &&
	    queue_intent(t->queue, job, job->legs, n, fault) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		answers[i] = like;
		answers[i].leg = job->legs[i];
	}
	if (queue_result(t->queue, job, &how, answers, n, fault) < 0)
		return -1;
	if (ret_parked)
		*ret_parked = answers[0].is_parked;
	queue_end(t->queue, job, SCHEDULE_WORKED, 0);
	return (int)n;
}

static const struct queue_answer good = { .answer = SCHEDULE_ACCEPTED, .fate = JOURNAL_DELIVERED, .code = 250, .cause = "" };
static const struct queue_answer later = { .answer = SCHEDULE_DEFERRED, .fate = JOURNAL_OPEN, .code = 451,
					   .cause = "greylisted" };
static const struct queue_answer unsure = { .answer = SCHEDULE_ACCEPTED, .fate = JOURNAL_IN_DOUBT, .code = 0, .cause = "" };
static const struct queue_answer never = { .answer = SCHEDULE_REFUSED, .fate = JOURNAL_OPEN, .code = 550,
					   .cause = "unknown user" };

static inline const struct journal_tallies *tallies(struct test *t)
{
	return book_tallies(queue_book(t->queue));
}

#endif
