/* SPDX-License-Identifier: Apache-2.0 */
/* Many fibers on one ledger: commits in common, reading meanwhile, cancellation; and a long run
 * of everything against a model in memory. */
#include <threads.h>
#include <unistd.h>

#include "base/rand.h"
#include "lib/check.h"
#include "state/test-common.h"

enum { FIBERS = 20, ROUNDS = 10 };

static int count_rows(struct testing_ledger *t, size_t *ret, struct fault *fault)
{
	struct ledger_messages m;
	int r = ledger_load_bare(t->ledger, 1, 1, UINT32_MAX, &m, fault);

	*ret = m.n;
	ledger_messages_done(&m);
	return r;
}

/* --- commits in common ------------------------------------------------------------------------ */

struct member {
	struct testing_ledger *t;
	uint32_t number;
};

/* Queues, commits, and finds what it committed. */
static int take_part(void *arg, struct fault *fault)
{
	struct member *member = arg;
	struct testing_ledger *t = member->t;
	struct check *check = t->check;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t uid = 1 + member->number * ROUNDS + i;
		struct ledger_message m = testing_message(1, uid, 0);
		struct ledger_messages got;

		m.flags = ledger_flags_id(t->ledger, uid % 3 ? "\\Seen" : "\\Seen Work");
		ledger_put_message(t->ledger, &m);
		TRY(ledger_commit(t->ledger, fault));
		if (i % 4 != 0)
			continue;
		TRY(ledger_load_messages(t->ledger, 1, uid, uid, &got, fault));
		EXPECT(got.n == 1 && testing_same_message(&got.p[0], &m));
		ledger_messages_done(&got);
	}
	return 0;
}

static int commit_together(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	struct member members[FIBERS];
	struct nursery nursery;
	size_t n;

	TRY(testing_ledger_open(t, LEDGER_CREATE, fault));
	nursery_init(&nursery, "members");
	for (uint32_t i = 0; i < FIBERS; i++) {
		members[i] = (struct member){ t, i };
		nursery_start(&nursery, take_part, &members[i], "member %u", i);
	}
	TRY(nursery_wait(&nursery, fault));
	EXPECT(ledger_queued(t->ledger) == 0);
	TRY(count_rows(t, &n, fault));
	EXPECT(n == FIBERS * ROUNDS);
	t->ledger = ledger_close(t->ledger);
	return check->failed ? -1 : 0;
}

static int forked_commits(void *arg)
{
	struct fault fault;

	return run_main("test", commit_together, arg, &fault) < 0;
}

static size_t count_lines(struct bytes text, const char *line)
{
	size_t n = 0;

	while (text.n)
		n += bytes_equal(bytes_cut(&text, '\n'), bytes_of(line));
	return n;
}

/* In a process of its own, whose environment asks for a trace. */
static void in_common(struct check *check)
{
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf trace = BUF_NULL;
	size_t commits;

	CHECK_EQ(testing_fork(forked_commits, &t, "MAILFERRY_STEP_TRACE",
			      testing_path(&t.folder, "trace")),
		 0);
	trace = testing_file(testing_path(&t.folder, "trace"));
	commits = count_lines(buf_bytes(&trace), "ledger-committed");
	printf("# %d commits were asked for, %zu were made\n", FIBERS * ROUNDS, commits);
	CHECK(commits >= ROUNDS && commits < FIBERS * ROUNDS / 4);
}

/* --- cancelled ------------------------------------------------------------------------------- */

static void queue_rows(struct testing_ledger *t, uint32_t first, uint32_t n)
{
	for (uint32_t uid = first; uid < first + n; uid++) {
		struct ledger_message m = testing_message(1, uid, 0);

		ledger_put_message(t->ledger, &m);
	}
}

static int commit_now(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;

	return ledger_commit(t->ledger, fault);
}

/* While a thread writes: it is waited for, and what it did counts. */
static int cancel_writing(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	struct nursery nursery;
	size_t n;

	TRY(testing_ledger_open(t, LEDGER_CREATE, fault));
	queue_rows(t, 1, 5000);
	nursery_init(&nursery, "commits");
	nursery_start(&nursery, commit_now, t, "leader");
	nursery_start(&nursery, commit_now, t, "follower");
	TRY(run_sleep(2 * MSEC, fault));
	queue_rows(t, 5001, 10);
	nursery_cancel(&nursery);
	nursery_done(&nursery);
	EXPECT(ledger_queued(t->ledger) == 10); /* the large one was not waited for in vain */

	queue_rows(t, 5011, 10);
	TRY(ledger_commit(t->ledger, fault));
	TRY(count_rows(t, &n, fault));
	EXPECT(n == 5020);
	t->ledger = ledger_close(t->ledger);
	return 0;
}

static int block(void *arg, struct fault *fault)
{
	thrd_sleep(&(struct timespec){ .tv_nsec = 100 * 1000 * 1000 }, NULL);
	return 0;
}

static int hold_a_thread(void *arg, struct fault *fault)
{
	return pool_call("nothing", block, NULL, fault);
}

/* Before a thread began: nothing is lost, and nothing is out of order. */
static int cancel_waiting(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	struct nursery holders, commits;
	struct ledger_messages m;

	TRY(testing_ledger_open(t, LEDGER_CREATE, fault));
	nursery_init(&holders, "holders");
	for (int i = 0; i < 16; i++)
		nursery_start(&holders, hold_a_thread, NULL, "holder %d", i);
	TRY(run_sleep(5 * MSEC, fault));

	queue_rows(t, 1, 10);
	ledger_set_copy_uid(t->ledger, 1, 1, 1);
	nursery_init(&commits, "commits");
	nursery_start(&commits, commit_now, t, "leader");
	nursery_start(&commits, commit_now, t, "follower");
	TRY(run_sleep(5 * MSEC, fault));
	ledger_set_copy_uid(t->ledger, 1, 1, 2);
	EXPECT(ledger_queued(t->ledger) == 12);
	nursery_cancel(&commits);
	EXPECT(nursery_wait(&commits, fault) < 0 && fault->kind == FAULT_CANCELLED);
	EXPECT(ledger_queued(t->ledger) == 12);
	ledger_set_copy_uid(t->ledger, 1, 2, 3);

	TRY(nursery_wait(&holders, fault));
	TRY(ledger_load_messages(t->ledger, 1, 1, 20, &m, fault));
	EXPECT(m.n == 10 && m.p[0].copy_uid == 2 && m.p[1].copy_uid == 3);
	ledger_messages_done(&m);
	t->ledger = ledger_close(t->ledger);
	return 0;
}

static int cancelled_life(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	struct fault why;

	TRY(testing_ledger_open(t, LEDGER_CREATE, fault));
	queue_rows(t, 1, 10);
	EXPECT(run_sleep(HOUR, &why) < 0 && why.kind == FAULT_CANCELLED);
	EXPECT(ledger_commit(t->ledger, &why) < 0 && why.kind == FAULT_CANCELLED);
	EXPECT(ledger_queued(t->ledger) == 10);
	t->ledger = ledger_close(t->ledger); /* writes them all the same */
	return 0;
}

static int close_cancelled(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	struct nursery nursery;
	size_t n;

	nursery_init(&nursery, "life");
	nursery_start(&nursery, cancelled_life, t, "life");
	TRY(run_sleep(100 * MSEC, fault));
	nursery_cancel(&nursery);
	TRY(nursery_wait(&nursery, fault));
	TRY(testing_ledger_open(t, LEDGER_CREATE, fault));
	TRY(count_rows(t, &n, fault));
	EXPECT(n == 10);
	t->ledger = ledger_close(t->ledger);
	return 0;
}

/* --- against a model ------------------------------------------------------------------------- */

enum { MODEL_FOLDERS = 3, MODEL_UIDS = 25 };

struct model {
	struct ledger_message rows[MODEL_FOLDERS + 1][MODEL_UIDS + 1]; /* state 0: there is none */
};

static void model_put(struct testing_ledger *t, struct model *model, struct rand *rand,
		      uint32_t folder, uint32_t uid)
{
	struct ledger_message m = testing_message(folder, uid, (uint32_t)rand_below(rand, 100));

	m.state = (uint8_t)(1 + rand_below(rand, LEDGER_SENDING));
	m.cause = (uint8_t)(rand_below(rand, 3) == 0 ? rand_below(rand, LEDGER_CAUSES) : 0);
	m.flags = ledger_flags_id(t->ledger, rand_below(rand, 2) ? "a" : "b c");
	if (rand_below(rand, 5) == 0)
		m.copy_uid = 0;
	ledger_put_message(t->ledger, &m);
	model->rows[folder][uid] = m;
}

static void model_move(struct testing_ledger *t, struct model *model, struct ledger_message *row,
		       uint32_t folder, uint32_t uid)
{
	struct ledger_message was = *row;

	ledger_move_message(t->ledger, row->folder, row->uid, folder, uid, 4242);
	row->state = 0;
	was.folder = folder;
	was.uid = uid;
	was.copy_uid = 4242;
	model->rows[folder][uid] = was;
}

static void model_forget_copies(struct testing_ledger *t, struct model *model, uint32_t folder)
{
	ledger_forget_copy_uids(t->ledger, folder);
	for (uint32_t uid = 1; uid <= MODEL_UIDS; uid++)
		model->rows[folder][uid].copy_uid = 0;
}

static void model_step(struct testing_ledger *t, struct model *model, struct rand *rand)
{
	uint32_t folder = 1 + (uint32_t)rand_below(rand, MODEL_FOLDERS);
	uint32_t uid = 1 + (uint32_t)rand_below(rand, MODEL_UIDS);
	struct ledger_message *row = &model->rows[folder][uid];
	uint64_t what = rand_below(rand, 200);

	if (what == 0) {
		model_forget_copies(t, model, folder);
	} else if (row->state == 0 || what < 30) {
		model_put(t, model, rand, folder, uid);
	} else if (what < 70) {
		row->state = (uint8_t)(1 + what % LEDGER_SENDING);
		row->has |= what % 3 ? LEDGER_MIRRORED : 0;
		ledger_set_state(t->ledger, folder, uid, row->state,
				 what % 3 ? LEDGER_MIRRORED : 0);
	} else if (what < 100) {
		row->copy_uid = (uint32_t)what;
		ledger_set_copy_uid(t->ledger, folder, uid, row->copy_uid);
	} else if (what < 130) {
		ledger_forget_message(t->ledger, folder, uid);
		row->state = 0;
	} else if (what < 160) {
		model_move(t, model, row, 1 + (uint32_t)what % MODEL_FOLDERS,
			   1 + (uint32_t)rand_below(rand, MODEL_UIDS));
	} else {
		row->flags = row->copy_flags = ledger_flags_id(t->ledger, "b c");
		ledger_set_flags(t->ledger, folder, uid, row->flags, row->copy_flags);
	}
}

/* Compares what a query found with the rows that `fits` finds in the model, in the same order. */
static void compare(struct check *check, const struct model *model, const struct ledger_messages *m,
		    bool (*fits)(const struct ledger_message *row), const char *what)
{
	size_t n = 0;

	for (uint32_t folder = 1; folder <= MODEL_FOLDERS; folder++) {
		for (uint32_t uid = 1; uid <= MODEL_UIDS; uid++) {
			const struct ledger_message *row = &model->rows[folder][uid];

			if (row->state == 0 || !fits(row))
				continue;
			check_expect(check, n < m->n && testing_same_message(&m->p[n], row),
				     __FILE__, __LINE__, "%s: row %zu of folder %u, UID %u", what,
				     n, folder, uid);
			n++;
		}
	}
	check_expect(check, n == m->n, __FILE__, __LINE__, "%s: %zu rows, should be %zu", what,
		     m->n, n);
}

static bool is_gone(const struct ledger_message *row)
{
	return row->state == LEDGER_GONE && !(row->has & LEDGER_MIRRORED);
}

static bool is_removed(const struct ledger_message *row)
{
	return row->state == LEDGER_REMOVED;
}

static bool is_sending(const struct ledger_message *row)
{
	return row->state == LEDGER_SENDING;
}

static bool is_copied(const struct ledger_message *row)
{
	return row->state == LEDGER_COPIED;
}

static bool has_cause(const struct ledger_message *row)
{
	return row->cause != 0;
}

static int model_compare(struct testing_ledger *t, const struct model *model, struct fault *fault)
{
	static const struct {
		enum ledger_state state;
		bool (*fits)(const struct ledger_message *row);
		const char *name;
	} states[] = {
		{ LEDGER_GONE, is_gone, "gone" },
		{ LEDGER_REMOVED, is_removed, "removed" },
		{ LEDGER_COPIED, is_copied, "copied" },
		{ LEDGER_SENDING, is_sending, "sending" },
	};
	struct ledger_messages m;

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		TRY(ledger_load_state(t->ledger, 0, states[i].state, 1000, &m, fault));
		compare(t->check, model, &m, states[i].fits, states[i].name);
		ledger_messages_done(&m);
	}
	TRY(ledger_load_causes(t->ledger, 0, 1000, &m, fault));
	compare(t->check, model, &m, has_cause, "with a cause");
	ledger_messages_done(&m);
	return 0;
}

static int run_model(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	static struct model model; /* too large for a fiber's stack */
	struct rand rand;

	rand_init(&rand, 3);
	model = (struct model){ 0 };
	TRY(testing_ledger_open(t, LEDGER_CREATE, fault));
	for (int i = 1; i <= 6000 && !t->check->failed; i++) {
		model_step(t, &model, &rand);
		if (rand_below(&rand, 50) == 0)
			TRY(ledger_commit(t->ledger, fault));
		if (i % 200 == 0)
			TRY(model_compare(t, &model, fault));
		if (i % 1000 == 0) {
			t->ledger = ledger_close(t->ledger);
			TRY(testing_ledger_open(t, LEDGER_CREATE, fault));
			TRY(model_compare(t, &model, fault));
		}
	}
	t->ledger = ledger_close(t->ledger);
	return 0;
}

CASE(cancel_writing)
CASE(cancel_waiting)
CASE(close_cancelled)

/* Its indexes agree with its rows in the end, too. */
static void case_model(struct check *check)
{
	LEDGER_TEST(t);

	testing_ledger_run(&t, run_model);
	CHECK_EQ(testing_sql_number(t.path, "SELECT count(*) FROM pragma_integrity_check "
				    "WHERE integrity_check = 'ok'"), 1);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "commits in common", in_common },
		{ "cancelled while a thread writes", case_cancel_writing },
		{ "cancelled before a thread began", case_cancel_waiting },
		{ "closed by a cancelled fiber", case_close_cancelled },
		{ "a long run against a model", case_model },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
