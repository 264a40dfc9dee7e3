/* SPDX-License-Identifier: Apache-2.0 */
/* What a crash, a power loss or a failing disk leaves of a ledger: one of its committed states,
 * and none before the last that somebody was told of. Everything runs in forked processes,
 * because the environment is read at the first use of os/: this process must never be that. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "lib/check.h"
#include "state/test-common.h"

/* A transaction k puts rows 10k - 9 … 10k, rewrites row 1 with size k, and sets the fact "k". */
enum { PER_COMMIT = 10, LOST = 200, BROKEN, WRONG, WENT_ON };

struct plan {
	int commits;
	bool read;  /* between queueing and commit, twice */
	bool large; /* rows of 700 bytes, ten times as many: checkpoints happen on the way */
};

static int rows_of(const struct plan *plan)
{
	return plan->large ? 10 * PER_COMMIT : PER_COMMIT;
}

/* --- the writer ------------------------------------------------------------------------------ */

/* One byte more in a file, for each commit that was said to be done. */
static void tell(struct testing_ledger *t)
{
	char path[320];
	int fd;

	snprintf(path, sizeof(path), "%s.told", t->path);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1)
		abort();
	close(fd);
}

static void queue(struct testing_ledger *t, int k)
{
	const struct plan *plan = t->data;
	struct ledger_message m = testing_message(1, 1, 0);
	char text[400], number[12];
	int n = rows_of(plan);

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (int i = n * (k - 1) + 1; i <= n * k; i++) {
		m = testing_message(1, (uint32_t)i, 0);
		m.detail = plan->large ? text : "";
		m.message_id = plan->large ? text : "";
		ledger_put_message(t->ledger, &m);
	}
	m = testing_message(1, 1, 0);
	m.size = (uint64_t)k;
	ledger_put_message(t->ledger, &m);
	snprintf(number, sizeof(number), "%d", k);
	ledger_set_fact(t->ledger, "k", number);
}

/* What is queued by then can be seen, and is not durable. The same again is queued and seen. */
static int read_twice(struct testing_ledger *t, int k, struct fault *fault)
{
	for (int i = 0; i < 2; i++) {
		struct ledger_message row = testing_message(1, 1, 0);
		struct ledger_messages m;
		int r;

		row.size = (uint64_t)k;
		ledger_put_message(t->ledger, &row);
		r = ledger_load_bare(t->ledger, 1, 1, 1, &m, fault);
		if (r == 0 && (m.n != 1 || m.p[0].size != (uint64_t)k))
			abort();
		ledger_messages_done(&m);
		if (r < 0)
			return -1;
	}
	return 0;
}

static int write_rows(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	const struct plan *plan = t->data;
	int k;

	if (testing_ledger_open(t, LEDGER_CREATE, fault) < 0)
		return -1;
	k = ledger_fact(t->ledger, "k") ? (int)strtol(ledger_fact(t->ledger, "k"), NULL, 10) : 0;
	for (int i = 0; i < plan->commits; i++) {
		queue(t, ++k);
		if (plan->read && read_twice(t, k, fault) < 0)
			return -1;
		if (ledger_commit(t->ledger, fault) < 0)
			return -1;
		tell(t);
	}
	t->ledger = ledger_close(t->ledger);
	return 0;
}

static int writer(void *arg)
{
	struct fault fault;

	return run_main("writer", write_rows, arg, &fault) < 0;
}

/* --- the reader ------------------------------------------------------------------------------ */

/* Which commit is the last one in it: 0 … or an exit status from LOST on. */
static int look(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct ledger_messages m;
	const char *fact = ledger_fact(t->ledger, "k");
	int k = fact ? (int)strtol(fact, NULL, 10) : 0, n = k * rows_of(t->data);

	if (ledger_load_messages(t->ledger, 1, 1, UINT32_MAX, &m, fault) < 0)
		return -1;
	if (m.n != (size_t)n ||
	    (n && (m.p[0].size != (uint64_t)k || m.p[n - 1].uid != (uint32_t)n)))
		k = WRONG;
	for (size_t i = 1; k != WRONG && i < m.n; i++) {
		struct ledger_message want = testing_message(1, (uint32_t)i + 1, 0);

		want.message_id = m.p[i].message_id;
		want.detail = m.p[i].detail;
		if (!testing_same_message(&m.p[i], &want))
			k = WRONG;
	}
	ledger_messages_done(&m);
	return k;
}

static int read_and_write(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	int r = testing_ledger_open(t, LEDGER_READ, fault), k;

	/* for reading first: the same is to be seen, and nothing changes by it */
	if (r < 0 && fault->kind != FAULT_USAGE) /* interrupted while begun */
		return BROKEN;
	r = r < 0 ? 1 : r;
	k = r == 0 ? look(t, fault) : 0;
	if (r == 0)
		t->ledger = ledger_close(t->ledger);
	if (k < 0 || testing_ledger_open(t, LEDGER_CREATE, fault) < 0)
		return BROKEN;
	r = look(t, fault);
	t->ledger = ledger_close(t->ledger);
	return r < 0 || r != k ? BROKEN : r;
}

static int reader(void *arg)
{
	struct fault fault = FAULT_INIT;
	int k = run_main("reader", read_and_write, arg, &fault);

	if (k == BROKEN)
		printf("# %s\n", fault.text);
	fflush(stdout);
	return k < 0 ? BROKEN : k;
}

static int told(struct testing_ledger *t)
{
	_cleanup_(buf_done) struct buf all = BUF_NULL;
	char path[320];

	snprintf(path, sizeof(path), "%s.told", t->path);
	all = testing_file(path);
	return (int)all.n;
}

/* Reads it as the next run would: all that was told is there, and at most one commit more. */
static void check_state(struct check *check, struct testing_ledger *t, const char *when)
{
	int k = testing_fork(reader, t, NULL, NULL), n = told(t);

	if (k != n && k != n + 1)
		CHECK_FAIL("%s: %d commits were told, the ledger says %d", when, n, k);
}

static void forget(struct testing_ledger *t)
{
	static const char *const ends[] = { "", "-wal", "-journal", ".lock", ".told" };
	char path[320];

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		snprintf(path, sizeof(path), "%s%s", t->path, ends[i]);
		unlink(path);
	}
}

/* --- killed ---------------------------------------------------------------------------------- */

/* At step `first` of this name, then every `stride`th, each time in a new ledger; it is then
 * written on. */
static int kill_all(struct check *check, struct testing_ledger *t, const char *name, int stride)
{
	int killed = 0, r;

	for (int i = 1;; i += stride) {
		char nth[60];

		forget(t);
		snprintf(nth, sizeof(nth), "%s:%d", name, i);
		r = testing_fork(writer, t, "MAILFERRY_STEP_KILL", nth);
		if (r != 0 && r != -SIGKILL)
			CHECK_FAIL("killed at %s: the writer ended with %d", nth, r);
		check_state(check, t, nth);
		if (r == 0)
			return killed;
		killed++;

		CHECK_EQ(testing_fork(writer, t, NULL, NULL), 0);
		check_state(check, t, "written on");
	}
}

static int stride(int usual)
{
	return (4 * usual + testing_effort() - 1) / testing_effort();
}

/* The plan with checkpoints. */
static struct plan large_plan(struct check *check)
{
	if (testing_effort() == 1)
		check_skip(check, "too much for Valgrind");
	return (struct plan){ .commits = 60, .large = true };
}

static void killed_anywhere(struct check *check)
{
	LEDGER_TEST(t);
	struct plan plan = { .commits = 3 };
	int n;

	t.data = &plan;
	n = kill_all(check, &t, "", stride(11));
	printf("# killed %d times\n", n);
	CHECK(n > 3);
}

/* Who reads waits for no disk, and who commits does, for all that was read before. */
static void read_before_commits(struct check *check)
{
	LEDGER_TEST(t);
	struct plan plan = { .commits = 3 }, reading = { .commits = 3, .read = true };
	int syncs;

	t.data = &plan;
	syncs = kill_all(check, &t, "ledger-sync", 1);
	t.data = &reading;
	CHECK_EQ(kill_all(check, &t, "ledger-sync", 1), syncs);
	CHECK_EQ(kill_all(check, &t, "ledger-commit", 1), 3 * 3);
	CHECK(kill_all(check, &t, "", stride(11)) > 3);
}

static void killed_at_names(struct check *check)
{
	static const struct {
		const char *name;
		int least;
	} steps[] = {
		{ "ledger-open", 1 },	{ "ledger-migrate", 1 },   { "ledger-migrated", 1 },
		{ "ledger-commit", 3 }, { "ledger-committed", 3 }, { "ledger-sync", 8 },
		{ "ledger-synced", 8 }, { "ledger-delete", 2 },	   { "ledger-close", 1 },
		{ "ledger-closed", 1 },
	};
	int every = testing_effort() == 1 ? 4 : 1;
	LEDGER_TEST(t);
	struct plan plan = { .commits = 3 };

	t.data = &plan;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int n = kill_all(check, &t, steps[i].name, every);

		check_expect(check, n * every >= steps[i].least, __FILE__, __LINE__,
			     "%s was passed %d times", steps[i].name, n);
	}
	CHECK(!check->failed);
}

/* While the WAL is moved into the file. */
static void killed_at_checkpoints(struct check *check)
{
	struct plan plan = large_plan(check);
	LEDGER_TEST(t);

	t.data = &plan;
	CHECK(kill_all(check, &t, "ledger-sync", stride(17)) >= 4);
	CHECK(kill_all(check, &t, "ledger-write-half", stride(2501)) >= 2);
}

/* --- power loss ------------------------------------------------------------------------------ */

static void place(struct testing_ledger *t, struct bytes file, struct bytes wal)
{
	char path[320];

	forget(t);
	testing_file_write(t->path, file);
	snprintf(path, sizeof(path), "%s-wal", t->path);
	if (wal.n)
		testing_file_write(path, wal);
}

/* A ledger as it lies there when its writer is killed before closing it. */
static void leave(struct check *check, struct testing_ledger *t, struct buf *file, struct buf *wal)
{
	char path[320];

	CHECK_EQ(testing_fork(writer, t, "MAILFERRY_STEP_KILL", "ledger-close:1"), -SIGKILL);
	*file = testing_file(t->path);
	snprintf(path, sizeof(path), "%s-wal", t->path);
	*wal = testing_file(path);
	CHECK(file->n > 0 && wal->n > 0);
}

/* The disk kept less and less of the log's end. */
static void power_lost(struct check *check, const struct plan *plan, size_t step)
{
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf file = BUF_NULL, wal = BUF_NULL;
	int before = -1, k = 0, states = 0;

	t.data = plan;
	leave(check, &t, &file, &wal);
	for (size_t n = 0; n < wal.n; n += step) {
		place(&t, buf_bytes(&file), bytes_head(buf_bytes(&wal), n));
		k = testing_fork(reader, &t, NULL, NULL);
		if (k < before || k > plan->commits)
			CHECK_FAIL("%zu of %zu bytes of the log: state %d after %d", n, wal.n, k,
				   before);
		states += k != before;
		before = k;
	}
	place(&t, buf_bytes(&file), buf_bytes(&wal));
	CHECK_EQ(testing_fork(reader, &t, NULL, NULL), plan->commits);
	CHECK(states > 3);
}

static void short_logs(struct check *check)
{
	struct plan plan = { .commits = 6 };

	power_lost(check, &plan, (size_t)stride(3001));
}

static void short_logs_after_checkpoint(struct check *check)
{
	struct plan plan = large_plan(check);

	power_lost(check, &plan, 250001);
}

/* Without its log, too, a ledger says that it was not closed in order. */
static void no_log(struct check *check)
{
	struct plan plan = large_plan(check);
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf file = BUF_NULL, wal = BUF_NULL;

	t.data = &plan;
	CHECK_EQ(testing_fork(writer, &t, NULL, NULL), 0);
	CHECK_EQ(testing_sql_number(t.path, "SELECT in_order FROM state"), 1);
	leave(check, &t, &file, &wal);
	place(&t, buf_bytes(&file), BYTES_NULL);
	CHECK_EQ(testing_sql_number(t.path, "SELECT in_order FROM state"), 0);
	CHECK(testing_sql_number(t.path, "SELECT count(*) FROM message") > 0);
}

/* A frame that never reached the disk: what was committed from there on is not taken for good. */
static void torn_logs(struct check *check)
{
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf file = BUF_NULL, wal = BUF_NULL;
	struct plan plan = { .commits = 6 };

	t.data = &plan;
	leave(check, &t, &file, &wal);
	for (size_t at = 40; at < wal.n; at += wal.n / 12) {
		int k;

		wal.p[at] ^= 0x10;
		place(&t, buf_bytes(&file), buf_bytes(&wal));
		k = testing_fork(reader, &t, NULL, NULL);
		if (k >= plan.commits)
			CHECK_FAIL("a flipped bit at %zu of %zu: state %d", at, wal.n, k);
		wal.p[at] ^= 0x10;
	}
}

/* --- a failing disk -------------------------------------------------------------------------- */

/* The disk fails once; everything after it must fail with the same words, though the disk is
 * well again. */
static int insist(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct ledger_messages m;
	struct fault again;
	int r = write_rows(t, fault);

	if (r == 0 || !t->ledger)
		return r;
	if (fault->kind != FAULT_LOCAL || fault->reach != REACH_MAILBOX ||
	    fault->again != AGAIN_NEVER)
		return WRONG;
	ledger_set_fact(t->ledger, "k", "999");
	for (int i = 0; i < 3; i++) {
		if (ledger_commit(t->ledger, &again) != -1 || strcmp(again.text, fault->text) != 0)
			return WENT_ON;
	}
	r = ledger_load_messages(t->ledger, 1, 1, 5, &m, &again);
	ledger_messages_done(&m);
	if (r != -1 || strcmp(again.text, fault->text) != 0 || ledger_queued(t->ledger) != 0)
		return WENT_ON;
	t->ledger = ledger_close(t->ledger);
	return -1;
}

static int insistent(void *arg)
{
	struct fault fault = FAULT_INIT;
	int r = run_main("writer", insist, arg, &fault);

	if (r < 0 && (!strstr(fault.text, "a.db") || fault.kind != FAULT_LOCAL))
		return WRONG;
	return r < 0 ? 1 : r;
}

/* At each operation of this kind in turn, until none fails before the ledger is closed. */
static int fail_all(struct check *check, struct testing_ledger *t, const char *kind, int step)
{
	const struct plan *plan = t->data;

	for (int i = 1;; i += step) {
		char nth[40];
		int r;

		forget(t);
		snprintf(nth, sizeof(nth), "%s:%d", kind, i);
		r = testing_fork(insistent, t, "MAILFERRY_STEP_FAIL", nth);
		if (r > 1)
			CHECK_FAIL("%s: %d", nth, r);
		check_state(check, t, nth);
		CHECK_EQ(r == 0, told(t) == plan->commits);
		if (r == 0)
			return i;
	}
}

static void failing_disk(struct check *check)
{
	LEDGER_TEST(t);
	struct plan plan = { .commits = 3 };

	t.data = &plan;
	CHECK(fail_all(check, &t, "open", 1) > 2);
	CHECK(fail_all(check, &t, "sync", stride(1)) > 7);
	CHECK(fail_all(check, &t, "write", stride(3)) > 10);
}

/* When a checkpoint fails the commit before it is good, the next one fails. */
static void failing_checkpoints(struct check *check)
{
	struct plan plan = large_plan(check);
	LEDGER_TEST(t);

	t.data = &plan;
	CHECK(fail_all(check, &t, "sync", stride(17)) > 60);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "killed anywhere", killed_anywhere },
		{ "killed at named steps", killed_at_names },
		{ "read before commits", read_before_commits },
		{ "killed at checkpoints", killed_at_checkpoints },
		{ "the log's end is lost", short_logs },
		{ "the log's end is lost after a checkpoint", short_logs_after_checkpoint },
		{ "the log is gone", no_log },
		{ "a torn log", torn_logs },
		{ "a failing disk", failing_disk },
		{ "a disk that fails at checkpoints", failing_checkpoints },
		{ 0 },
	};

	testing_in_memory();
	return check_main(argc, argv, cases);
}
