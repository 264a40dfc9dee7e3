/* SPDX-License-Identifier: Apache-2.0 */
/* Giving back what is settled: contents, then segments. The disk must have it again, the audit must find nothing wrong, and
 * books made anew from what is left must be the same; also when it is interrupted at each step. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "gateway/queue-inside.h"
#include "journal/audit.h"
#include "lib/check.h"
#include "os/testing.h"

enum { BIG = 700 << 10, EACH = 24 };

struct test {
	struct check *check;
	struct testing_folder folder;
	struct queue_settings settings;
	struct schedule_settings old, new;
	struct queue *queue;
	int (*fn)(struct test *t, struct fault *fault);
	char *content;
	struct journal_tallies want; /* what a start is to find */
};

static void test_make(struct test *t, struct check *check)
{
	*t = (struct test){ .check = check };
	testing_folder_make(&t->folder);
	t->old = (struct schedule_settings){ .name = "old", .hosts = 1, .first_connections = 50, .most_connections = 50,
					     .recipient_at_once = 50 };
	t->new = t->old;
	t->new.name = "new";
	t->settings = (struct queue_settings){ .state = t->folder.path, .segment_size = JOURNAL_SEGMENT_MIN, .separator = '+',
					       .targets = { &t->old, &t->new } };
	t->content = xmalloc(BIG);
	for (size_t i = 0; i < BIG; i++)
		t->content[i] = (char)('a' + i * i % 23);
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
	free(t->content);
}

#define TEST _cleanup_(test_remove) struct test t; test_make(&t, check)

static int in_loop(void *arg, struct fault *fault)
{
	struct test *t = arg;
	int r = queue_open(&t->settings, &t->queue, fault);

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

	alarm(60);
	if (run_main("test", in_loop, t, &fault) == 0)
		return 0;
	printf("# %s\n", fault.text);
	return 1;
}

/* --- doing -------------------------------------------------------------------------------------- */

static int route(struct test *t, const char *key, enum journal_route way, struct fault *fault)
{
	struct journal_route_entry entry = { .address = bytes_of(key), .route = way };
	struct journal_routes routes = { .operator = BYTES("test"), .entries = &entry, .n_entries = 1 };

	return queue_change_routes(t->queue, &routes, fault);
}

static int accept(struct test *t, const char *to, size_t size, uint64_t *ret, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(journal_hash_freep) struct journal_hash *hash = journal_hash_new();
	struct journal_recipient recipient = { .address = bytes_of(to) };
	struct bytes content = { t->content, size };
	struct queue_accept a = { .record = { .reverse_path = BYTES("sender@far.example"), .recipients = &recipient,
					      .n_recipients = 1, .size = size, .trace = BYTES("Received: here\r\n") } };

	journal_hash(hash, content, BYTES_NULL, a.record.digest);
	if (queue_put_content(t->queue, content, &arena, &a.record.bodies, &a.record.n_bodies, fault) < 0)
		return -1;
	return queue_accept(t->queue, &a, ret, fault);
}

static int deliver(struct test *t, enum book_target target, struct fault *fault)
{
	static const struct queue_how how = { .host = { "mx", 2 } };
	struct queue_job *job = queue_next(t->queue, target);
	struct queue_answer answer = { .answer = SCHEDULE_ACCEPTED, .fate = JOURNAL_DELIVERED, .code = 250, .cause = "" };

	if (!job)
		return 0;
	answer.leg = job->legs[0];
	if (queue_attempt(t->queue, job, "mx", fault) < 0 || queue_intent(t->queue, job, job->legs, 1, fault) < 0 ||
	    queue_result(t->queue, job, &how, &answer, 1, fault) < 0)
		return -1;
	queue_end(t->queue, job, SCHEDULE_WORKED, 0);
	return 1;
}

/* All that is open, once it is in memory and due. */
static int deliver_all(struct test *t, struct fault *fault)
{
	_deadline_(20 * SECOND);

	while (book_tallies(queue_book(t->queue))->open > 0) {
		int r = deliver(t, BOOK_NEW, fault);

		r = r == 0 ? deliver(t, BOOK_OLD, fault) : r;
		if (r < 0 || (r == 0 && run_sleep(MSEC, fault) < 0))
			return -1;
	}
	return 0;
}

static uint64_t disk_use(struct test *t, uint64_t *ret_files)
{
	uint64_t sum = 0;
	char path[300];
	struct stat st;

	*ret_files = 0;
	for (unsigned i = 1; i < 50; i++) {
		snprintf(path, sizeof(path), "%s/journal/%010u.seg", t->folder.path, i);
		if (stat(path, &st) < 0)
			continue;
		sum += (uint64_t)st.st_blocks * 512;
		(*ret_files)++;
	}
	return sum;
}

static void on_found(void *arg, const struct journal_finding *finding)
{
	printf("# %s: %s\n", finding->name, finding->text);
}

static struct journal_audit audit(struct test *t)
{
	struct journal_audit_options options = { .found = on_found };
	struct check *check = t->check;
	struct journal_audit result = { .found = 1 };
	struct fault fault = FAULT_INIT;
	char path[300];

	snprintf(path, sizeof(path), "%s/journal", t->folder.path);
	if (journal_audit(path, &options, &result, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK_EQ(result.found, 0);
	return result;
}

static int drop_all(struct test *t, struct queue_given *sum, struct fault *fault)
{
	struct queue_given given;

	*sum = (struct queue_given){ 0 };
	do {
		if (queue_drop_contents(t->queue, INT64_MAX, "settled", &given, fault) < 0)
			return -1;
		sum->messages += given.messages;
		sum->bodies += given.bodies;
		sum->bytes += given.bytes;
	} while (given.is_more);
	return 0;
}

/* --- contents ----------------------------------------------------------------------------------- */

/* Of EACH large messages all are delivered but one that is held, and one that waits. */
static int fill(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	uint64_t number;
	int r;

	if (route(t, "@a.example", JOURNAL_ROUTE_NEW, fault) < 0 || route(t, "held@a.example", JOURNAL_ROUTE_HOLD, fault) < 0 ||
	    route(t, "@b.example", JOURNAL_ROUTE_OLD, fault) < 0)
		return -1;
	for (unsigned i = 0; i < EACH; i++)
		if (accept(t, i == 3 ? "held@a.example" : i == 4 ? "waits@b.example" : "ann@a.example", BIG, &number, fault) < 0)
			return -1;
	while ((r = deliver(t, BOOK_NEW, fault)) > 0)
		;
	EXPECT(book_tallies(queue_book(t->queue))->delivered == EACH - 2);
	return r;
}

static int give_back(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct queue_given given;
	struct book_message *message;
	char byte;
	size_t n;

	if (drop_all(t, &given, fault) < 0)
		return -1;
	EXPECT(given.messages == EACH - 2 && given.bytes == (uint64_t)(EACH - 2) * BIG);
	/* once is enough */
	if (drop_all(t, &given, fault) < 0)
		return -1;
	EXPECT(given.messages == 0 && given.bodies == 0);
	/* what is not settled is there */
	if (queue_use(t->queue, 4, &message, fault) < 0 || !EXPECT(message) ||
	    queue_read(t->queue, message, BIG - 1, &byte, 1, &n, fault) < 0)
		return -1;
	EXPECT(n == 1 && byte == t->content[BIG - 1]);
	queue_release(t->queue, message);
	return 0;
}

static int too_young(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct queue_given given;

	if (fill(t, fault) < 0)
		return -1;
	if (queue_drop_contents(t->queue, run_wall() - HOUR, "settled", &given, fault) < 0)
		return -1;
	EXPECT(given.messages == 0 && given.bodies == 0 && !given.is_more);
	return 0;
}

/* Goes on where it was. */
static int nothing_more(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct queue_given given;

	if (drop_all(t, &given, fault) < 0)
		return -1;
	EXPECT(given.bodies == 0);
	if (deliver_all(t, fault) < 0)
		return -1;
	if (drop_all(t, &given, fault) < 0)
		return -1;
	EXPECT(given.messages == 1 && given.bytes == BIG);
	return 0;
}

static void contents(struct check *check)
{
	uint64_t before, after, files;
	TEST;

	run(&t, too_young);
	before = disk_use(&t, &files);
	run(&t, give_back);
	after = disk_use(&t, &files);
	printf("# %" PRIu64 " KiB before, %" PRIu64 " KiB after\n", before >> 10, after >> 10);
	CHECK(before >= after + (EACH - 2) * (uint64_t)(BIG - 64 * 1024));
	CHECK_EQ(audit(&t).dropped, (EACH - 2) * (uint64_t)(BIG / JOURNAL_BODY_MAX + 1));
	run(&t, nothing_more);
	audit(&t);
}

static int abandon(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct queue_given given;
	uint64_t *bodies;
	size_t n;

	if (queue_put_content(t->queue, (struct bytes){ t->content, BIG }, &arena, &bodies, &n, fault) < 0)
		return -1;
	queue_give_up(t->queue, bodies, n);
	if (queue_drop_abandoned(t->queue, &given, fault) < 0)
		return -1;
	EXPECT(given.bodies == n && given.bytes == BIG);
	/* the end of this process is that of a message that was on its way */
	if (queue_put_content(t->queue, (struct bytes){ t->content, BIG }, &arena, &bodies, &n, fault) < 0)
		return -1;
	return journal_commit(t->queue->journal, bodies[n - 1], fault);
}

static int found_orphans(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	struct queue_given given;

	if (queue_drop_abandoned(t->queue, &given, fault) < 0)
		return -1;
	EXPECT(given.bytes == BIG);
	return 0;
}

static void abandoned(struct check *check)
{
	TEST;

	run(&t, abandon);
	run(&t, found_orphans);
	CHECK_EQ(audit(&t).dropped, 2 * (uint64_t)(BIG / JOURNAL_BODY_MAX + 1));
}

/* --- segments ----------------------------------------------------------------------------------- */

static void remember(struct test *t)
{
	t->want = *book_tallies(queue_book(t->queue));
}

static int expire_all(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	uint64_t number;
	int r, n = 0;

	/* a message that waits keeps its segment, and all behind it */
	if (fill(t, fault) < 0)
		return -1;
	while ((r = queue_expire(t->queue, INT64_MAX, UINT64_MAX, fault)) > 0)
		n++;
	if (r < 0)
		return -1;
	EXPECT(n == 0);
	if (deliver_all(t, fault) < 0)
		return -1;
	if (route(t, "held@a.example", JOURNAL_ROUTE_NEW, fault) < 0)
		return -1;
	while (book_tallies(queue_book(t->queue))->held > 0)
		if (run_sleep(MSEC, fault) < 0)
			return -1;
	if (deliver_all(t, fault) < 0)
		return -1;
	/* too young; a message that is coming in */
	EXPECT(queue_expire(t->queue, run_wall() - HOUR, UINT64_MAX, fault) == 0);
	EXPECT(queue_expire(t->queue, INT64_MAX, 5, fault) == 0);
	while ((r = queue_expire(t->queue, INT64_MAX, UINT64_MAX, fault)) > 0)
		n++;
	if (r < 0)
		return -1;
	EXPECT(n >= 3);
	if (accept(t, "waits@b.example", 100, &number, fault) < 0)
		return -1;
	EXPECT(number == EACH + 1);
	remember(t);
	return journal_sign_off(t->queue->journal, book_tallies(queue_book(t->queue)), fault);
}

static int as_before(struct test *t, struct fault *fault)
{
	struct check *check = t->check;
	_cleanup_(arena_done) struct arena arena = { NULL };
	uint64_t *found, number, more;
	struct router_answer answer;
	size_t n;

	EXPECT(memcmp(book_tallies(queue_book(t->queue)), &t->want, sizeof(t->want)) == 0);
	answer = router_find(queue_router(t->queue), BYTES("held@a.example"));
	EXPECT(answer.route == ROUTE_NEW && answer.match == ROUTER_ADDRESS);
	EXPECT(router_find(queue_router(t->queue), BYTES("x@b.example")).route == ROUTE_OLD);
	/* what was removed is not found, what is there is */
	if (queue_find(t->queue, BYTES("ann@a.example"), 50, &arena, &found, &n, &more, fault) < 0)
		return -1;
	EXPECT(n < EACH / 2);
	if (queue_find(t->queue, BYTES("waits@b.example"), 50, &arena, &found, &n, &more, fault) < 0)
		return -1;
	EXPECT(n >= 1 && n < 5 && found[0] >= EACH + 1);
	/* numbers go on */
	if (accept(t, "waits@b.example", 100, &number, fault) < 0)
		return -1;
	EXPECT(number > EACH + 1);
	if (deliver_all(t, fault) < 0)
		return -1;
	remember(t);
	return journal_sign_off(t->queue->journal, book_tallies(queue_book(t->queue)), fault);
}

static void segments(struct check *check)
{
	uint64_t files;
	char path[300];
	struct journal_audit a;
	TEST;

	run(&t, expire_all);
	disk_use(&t, &files);
	CHECK(files >= 1 && files <= 3);
	a = audit(&t);
	CHECK(a.removed >= 3 && a.base.messages > EACH / 2 && a.tallies.messages == EACH + 1 && a.tallies.delivered == EACH);
	run(&t, as_before);
	audit(&t);

	/* an index made anew knows as much */
	snprintf(path, sizeof(path), "%s/gateway/index.db", t.folder.path);
	CHECK_EQ(unlink(path), 0);
	run(&t, as_before);
	a = audit(&t);
	CHECK(a.checkpoints >= 3 && a.tallies.messages == EACH + 3);
}

/* --- interrupted -------------------------------------------------------------------------------- */

static int all_of_it(struct test *t, struct fault *fault)
{
	struct queue_given given;
	int r;

	if (deliver_all(t, fault) < 0 || drop_all(t, &given, fault) < 0)
		return -1;
	while ((r = queue_expire(t->queue, INT64_MAX, UINT64_MAX, fault)) > 0)
		;
	return r;
}

static int fill_for_it(struct test *t, struct fault *fault)
{
	if (fill(t, fault) < 0 || route(t, "held@a.example", JOURNAL_ROUTE_NEW, fault) < 0)
		return -1;
	while (book_tallies(queue_book(t->queue))->held > 0)
		if (run_sleep(MSEC, fault) < 0)
			return -1;
	return 0;
}

static int at_the_end(struct test *t, struct fault *fault)
{
	const struct journal_tallies *books = book_tallies(queue_book(t->queue));

	if (books->messages == EACH && books->legs == EACH && books->delivered == EACH &&
	    router_find(queue_router(t->queue), BYTES("held@a.example")).route == ROUTE_NEW)
		return 0;
	return fault_local(fault, "the books are not what they were: %" PRIu64 " messages, %" PRIu64 " legs, %" PRIu64
			   " delivered", books->messages, books->legs, books->delivered);
}

/* Status: findings, or 99. */
static int audit_in_child(void *arg)
{
	struct test *t = arg;
	struct journal_audit_options options = { .found = on_found };
	struct journal_audit result;
	struct fault fault = FAULT_INIT;
	char path[300];

	snprintf(path, sizeof(path), "%s/journal", t->folder.path);
	if (journal_audit(path, &options, &result, &fault) < 0)
		return 99;
	return result.found ? (int)result.found : result.tallies.legs == EACH ? 0 : 98;
}

/* Steps are read from the environment once in a process: so each begins from one that has passed none. */
static int fork_it(struct test *t, int (*fn)(struct test *t, struct fault *fault), const char *kill)
{
	t->fn = fn;
	return testing_fork(in_child, t, kill ? "MAILFERRY_STEP_KILL" : NULL, kill);
}

static void interrupt(struct check *check, const char *step, unsigned n)
{
	char kill[60], path[300];
	int status;
	TEST;

	snprintf(kill, sizeof(kill), "%s:%u", step, n);
	CHECK_EQ(fork_it(&t, fill_for_it, NULL), 0);
	status = fork_it(&t, all_of_it, kill);
	if (status != -9)
		CHECK_FAIL("%s: ended with %d", kill, status);
	CHECK_EQ(testing_fork(audit_in_child, &t, NULL, NULL), 0);
	CHECK_EQ(fork_it(&t, all_of_it, NULL), 0);
	CHECK_EQ(testing_fork(audit_in_child, &t, NULL, NULL), 0);
	CHECK_EQ(fork_it(&t, at_the_end, NULL), 0);
	snprintf(path, sizeof(path), "%s/gateway/index.db", t.folder.path);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(fork_it(&t, at_the_end, NULL), 0);
	CHECK_EQ(testing_fork(audit_in_child, &t, NULL, NULL), 0);
}

static void interrupted(struct check *check)
{
	static const char *const steps[] = { "retain-looked", "retain-dropped", "retain-routes", "journal-drop", "block-punch",
					     "retain-examined", "retain-expired", "retain-forgotten", "journal-remove" };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		for (unsigned n = 1; n <= 2; n++)
			if (n == 1 || i >= 4)
				interrupt(check, steps[i], n);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "interrupted at each step", interrupted }, /* the first: see fork_it() */
		{ "contents of what is settled (J15)", contents },
		{ "contents that no message has", abandoned },
		{ "segments (J16)", segments },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
