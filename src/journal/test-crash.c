/* SPDX-License-Identifier: Apache-2.0 */
/* Killed at every step, and failing disks. A writer tells what it was told is durable; after recovery all of that is there, nothing is
 * there in half, and recovering again changes nothing. Everything runs in forked processes: the environment is read at the
 * first use of os/, so this process must never be that.
 *
 * Kill points of the gateway's list that are the journal's: K3 journal-append, K4 journal-flush to block-sync, K5 and K6
 * journal-flushed and journal-committed, K7 told, K8 journal-replay (an index reads there), K9 journal-roll to sync-folder, K10
 * journal-drop and block-punch, K17 and K20 as K4 for RESULT and ROUTES, K21 journal-replay, K22 the second kill here,
 * K23 test-damage.c. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "journal/audit.h"
#include "journal/test-common.h"

/* Per round: messages, a route change, an attempt with its result, a body dropped, a checkpoint. */
enum { ROUNDS = 4, PER_ROUND = 6, LARGE = 230000, STEPS_MAX = 2000 };

/* --- the writer ------------------------------------------------------------------------------ */

static void tell(struct testing_journal *t, uint64_t sequence)
{
	char path[330], line[30];
	int fd, n = snprintf(line, sizeof(line), "%" PRIu64 "\n", sequence);

	snprintf(path, sizeof(path), "%s/told", t->folder.path);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		abort();
	close(fd);
}

static int commit(struct testing_journal *t, uint64_t sequence, struct fault *fault)
{
	if (journal_commit(t->journal, sequence, fault) < 0)
		return -1;
	tell(t, sequence);
	return 0;
}

static int note_message(void *arg, const struct journal_record *record, struct fault *fault)
{
	struct testing_journal *t = arg;
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct journal_accept accept;

	if (record->head.type != JOURNAL_ACCEPT)
		return 0;
	if (fields_decode(journal_table(JOURNAL_ACCEPT), record->payload, &arena, &accept, fault) < 0)
		return -1;
	*(uint64_t *)t->data = accept.message;
	return 0;
}

static int one_round(struct testing_journal *t, uint64_t *number, struct fault *fault)
{
	struct journal_routes routes = { .epoch = *number + 1, .operator = BYTES("test") };
	struct journal_drop drop = { .length = LARGE };
	struct journal_dropped dropped = { .bodies = &drop, .n_bodies = 1, .reason = BYTES("delivered") };
	uint64_t sequence, body = 0, first = *number + 1;

	for (int i = 0; i < PER_ROUND; i++) {
		if (testing_message(t->journal, ++*number, LARGE, &sequence, fault) < 0)
			return -1;
		if (i == 0)
			body = sequence - 1;
	}
	if (commit(t, sequence, fault) < 0 || journal_put(t->journal, JOURNAL_ROUTES, &routes, &sequence, fault) < 0 ||
	    commit(t, sequence, fault) < 0 ||
	    testing_attempt(t->journal, JOURNAL_ATTEMPT, first, first, 0, &sequence, fault) < 0 ||
	    testing_attempt(t->journal, JOURNAL_INTENT, first, first, 0, &sequence, fault) < 0 ||
	    commit(t, sequence, fault) < 0 ||
	    testing_outcome(t->journal, first, first, 0, JOURNAL_DELIVERED, &sequence, fault) < 0 ||
	    commit(t, sequence, fault) < 0)
		return -1;

	drop.sequence = body;
	if (journal_place(t->journal, body, &drop.segment, &drop.offset, fault) < 0)
		return -1;
	return journal_drop(t->journal, &dropped, fault);
}

static int write_all(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	uint64_t number = 0;

	t->data = &number;
	t->config.replay = note_message;
	t->config.arg = t;
	if (journal_open(&t->config, &t->journal, fault) < 0)
		return -1;
	for (int i = 0; i < ROUNDS; i++)
		if (one_round(t, &number, fault) < 0 || journal_sign_off(t->journal, NULL, fault) < 0)
			return -1;
	return 0;
}

static int writer(void *arg)
{
	struct fault fault = FAULT_INIT;
	int r = testing_run(arg, write_all, &fault);

	if (r < 0 && getenv("MAILFERRY_TEST_SAY"))
		fprintf(stderr, "# %s\n", fault.text);
	return r < 0 ? 1 : 0;
}

/* --- the check ------------------------------------------------------------------------------- */

enum { LOST = 10, FOUND, CHANGED, REFUSED, UNREAD };

static int just_open(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;

	return journal_open(&t->config, &t->journal, fault);
}

static int recover(void *arg)
{
	struct fault fault = FAULT_INIT;

	if (testing_run(arg, just_open, &fault) == 0)
		return 0;
	fprintf(stderr, "# %s\n", fault.text);
	return REFUSED;
}

static void say(void *arg, const struct journal_finding *finding)
{
	fprintf(stderr, "# %s\n", finding->text);
}

static uint64_t last_told(struct testing_journal *t)
{
	_cleanup_(buf_done) struct buf told = BUF_NULL;
	char path[330];
	uint64_t last = 0, n;
	struct bytes rest;

	snprintf(path, sizeof(path), "%s/told", t->folder.path);
	told = testing_read(path);
	rest = buf_bytes(&told);
	while (rest.n > 0)
		if (bytes_to_u64(bytes_cut(&rest, '\n'), UINT64_MAX, &n) == 0 && n > last)
			last = n;
	return last;
}

/* Without a writer: nothing wrong, all that was told is there, and recovering changes nothing. */
static int look(void *arg)
{
	_cleanup_(buf_done) struct buf before = BUF_NULL, after = BUF_NULL;
	struct journal_audit_options options = { .found = say };
	struct testing_journal *t = arg;
	struct journal_audit audit;
	struct fault fault = FAULT_INIT;

	if (journal_audit(t->path, &options, &audit, &fault) < 0)
		return UNREAD;
	if (audit.found > 0 || audit.torn > 0)
		return FOUND;
	if (audit.records < last_told(t))
		return LOST;
	testing_list(t->path, &before);
	if (recover(arg) != 0)
		return REFUSED;
	testing_list(t->path, &after);
	return bytes_equal(buf_bytes(&before), buf_bytes(&after)) ? 0 : CHANGED;
}

static bool has_journal(struct testing_journal *t)
{
	char path[330];

	snprintf(path, sizeof(path), "%s/journal.id", t->path);
	return access(path, F_OK) == 0;
}

static void killed_at(struct testing_journal *t, int step, int *ret_ended)
{
	struct check *check = t->check;
	char nth[24];
	int r, second = 1 + step % 7;

	snprintf(nth, sizeof(nth), ":%d", step);
	*ret_ended = testing_fork(writer, t, "MAILFERRY_STEP_KILL", nth);
	CHECK(*ret_ended == 0 || *ret_ended == -SIGKILL);
	/* and recovery in its turn, a few times (K22) */
	for (int i = 0; i < 3; i++, second += 5) {
		snprintf(nth, sizeof(nth), ":%d", second);
		r = testing_fork(recover, t, "MAILFERRY_STEP_KILL", nth);
		CHECK(r == 0 || r == -SIGKILL);
	}
	CHECK_EQ(testing_fork(recover, t, NULL, NULL), 0);
	CHECK(has_journal(t));
	r = testing_fork(look, t, NULL, NULL);
	if (r != 0)
		CHECK_FAIL("killed at step %d: %d", step, r);
}

/* Every step in a nightly run; else the first ones and then some, other ones each time the code changes its steps. */
static void killed(struct check *check)
{
	int stride = getenv("MAILFERRY_NIGHTLY") ? 1 : 9, ended = -1, runs = 0;

	for (int step = 1; ended != 0 && step < STEPS_MAX; step += step < 12 ? 1 : stride, runs++) {
		_cleanup_(testing_journal_remove) struct testing_journal t;

		testing_journal_make(&t, check);
		killed_at(&t, step, &ended);
		/* the next writer goes on where it ended */
		if (runs % 8 == 0) {
			CHECK_EQ(testing_fork(writer, &t, NULL, NULL), 0);
			CHECK_EQ(testing_fork(look, &t, NULL, NULL), 0);
		}
	}
	CHECK_EQ(ended, 0);
	CHECK(runs > 20);
	printf("# killed %d times\n", runs - 1);
}

/* The steps that the list names, each by its name. */
static void killed_by_name(struct check *check)
{
	static const char *const names[] = {
		"journal-append:9", "journal-flush:2", "block-write:3", "block-write-half:3", "block-write-half:5",
		"block-sync:3", "block-synced:3", "journal-flushed:2", "journal-committed:2", "journal-roll:2", "rename:6",
		"journal-rolled:2", "sync-folder:12", "journal-drop:1", "block-punch:1", "block-fill:6",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(testing_journal_remove) struct testing_journal t;
		int r;

		testing_journal_make(&t, check);
		r = testing_fork(writer, &t, "MAILFERRY_STEP_KILL", names[i]);
		if (r != -SIGKILL)
			CHECK_FAIL("%s: %d", names[i], r);
		CHECK_EQ(testing_fork(recover, &t, NULL, NULL), 0);
		r = testing_fork(look, &t, NULL, NULL);
		if (r != 0)
			CHECK_FAIL("%s: %d", names[i], r);
	}
}

/* --- failing disks --------------------------------------------------------------------------- */

static int count_retired(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct journal_stand stand;

	if (write_all(arg, fault) < 0)
		return -1;
	journal_stand(t->journal, &stand);
	return (int)stand.retired;
}

static int retirer(void *arg)
{
	struct fault fault = FAULT_INIT;
	int r = testing_run(arg, count_retired, &fault);

	return r < 0 ? 100 : r;
}

/* 100: the writer was told; else how many segments were retired. Either way all is there, and the next one goes on. */
static int with_disk(struct check *check, const char *fail)
{
	_cleanup_(testing_journal_remove) struct testing_journal t;
	int r, seen;

	testing_journal_make(&t, check);
	r = testing_fork(retirer, &t, "MAILFERRY_STEP_FAIL", fail);
	CHECK(r == 0 || r == 1 || r == 100);
	seen = testing_fork(recover, &t, NULL, NULL);
	if (seen != 0)
		CHECK_FAIL("%s (%d): %d", fail, r, seen);
	seen = testing_fork(look, &t, NULL, NULL);
	if (seen != 0)
		CHECK_FAIL("%s: %d", fail, seen);
	if (r != 0) {
		CHECK_EQ(testing_fork(writer, &t, NULL, NULL), 0);
		CHECK_EQ(testing_fork(look, &t, NULL, NULL), 0);
	}
	return r;
}

/* A write or sync of a batch that failed costs a segment and nothing else. */
static void failing(struct check *check)
{
	int retired[2] = { 0 }, told = 0;

	for (int i = 2; i <= 14; i += 2) {
		char fail[24];
		int r;

		for (int sync = 0; sync < 2; sync++) {
			snprintf(fail, sizeof(fail), "%s:%d", sync ? "sync" : "write", i);
			r = with_disk(check, fail);
			retired[sync] += r == 1;
			told += r == 100;
		}
	}
	CHECK(retired[0] >= 2 && retired[1] >= 1 && told >= 1);
	/* without a spare new messages are refused, until one can be made; what is not given back is told */
	told = with_disk(check, "fill:6");
	CHECK(told == 0 || told == 100);
	CHECK_EQ(with_disk(check, "punch:2"), 100);
	CHECK_EQ(with_disk(check, "open:3"), 100);
}

/* --- whose file the next segment is ---------------------------------------------------------- */

enum { NOTE = 250000, FULL = 16, NOTES = 60 }; /* FULL of them and no more fit into a segment */

static int put_note(struct testing_journal *t, uint64_t *ret_sequence, struct fault *fault)
{
	_cleanup_(freep) char *text = xzalloc(NOTE);
	struct journal_note note = { .kind = BYTES("x"), .text = { text, NOTE } };

	return journal_put(t->journal, JOURNAL_NOTE, &note, ret_sequence, fault);
}

static int put_notes(struct testing_journal *t, int n, struct fault *fault)
{
	uint64_t sequence;

	for (int i = 0; i < n; i++)
		if (put_note(t, &sequence, fault) < 0 || commit(t, sequence, fault) < 0)
			return -1;
	return 0;
}

static int put_results(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	int r = put_notes(t, NOTES, fault);

	*(bool *)t->data = true;
	return r;
}

/* New messages, taken or refused, all the while: a refusal has a spare made. */
static int bring_mail(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct bytes piece = BYTES("x");
	uint64_t sequence;

	while (!*(bool *)t->data) {
		if (run_sleep(MSEC / 2, fault) < 0)
			return -1;
		if (journal_append(t->journal, JOURNAL_BODY, &piece, 1, &sequence, fault) < 0 && fault->kind != FAULT_LIMIT)
			return -1;
	}
	return 0;
}

static int roll_with_mail(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	_cleanup_(nursery_done) struct nursery nursery;
	bool is_over = false;

	nursery_init(&nursery, "roll with mail");
	t->data = &is_over;
	/* results roll, and mail comes at that very moment */
	if (journal_open(&t->config, &t->journal, fault) < 0 || put_notes(t, FULL, fault) < 0 ||
	    run_sleep(1100 * MSEC, fault) < 0)
		return -1;
	nursery_start(&nursery, put_results, t, "results");
	nursery_start(&nursery, bring_mail, t, "mail");
	return nursery_wait(&nursery, fault);
}

static int roller(void *arg)
{
	struct fault fault = FAULT_INIT;

	if (testing_run(arg, roll_with_mail, &fault) == 0)
		return 0;
	fprintf(stderr, "# %s\n", fault.text);
	return 1;
}

/* The writer makes a segment for want of a spare while mail has a spare made: each has its own file. */
static void roll_without_spare(struct check *check)
{
	_cleanup_(testing_journal_remove) struct testing_journal t;

	testing_journal_make(&t, check);
	CHECK_EQ(testing_fork(roller, &t, "MAILFERRY_STEP_FAIL", "fill:5"), 0);
	CHECK_EQ(testing_fork(look, &t, NULL, NULL), 0);
}

static unsigned count(struct bytes text, const char *line)
{
	unsigned n = 0;

	while (text.n > 0)
		n += bytes_equal(bytes_cut(&text, '\n'), bytes_of(line));
	return n;
}

/* A spare that gets ready while a batch is written is not made again. */
static void one_spare_a_segment(struct check *check)
{
	_cleanup_(testing_journal_remove) struct testing_journal t;
	_cleanup_(buf_done) struct buf trace = BUF_NULL;
	char path[330];
	unsigned filled, rolled;

	testing_journal_make(&t, check);
	snprintf(path, sizeof(path), "%s/trace", t.folder.path);
	CHECK_EQ(testing_fork(roller, &t, "MAILFERRY_STEP_TRACE", path), 0);
	trace = testing_read(path);
	filled = count(buf_bytes(&trace), "block-fill") / (JOURNAL_SEGMENT_MIN >> 20);
	rolled = count(buf_bytes(&trace), "journal-rolled");
	printf("# %u segments, %u files\n", rolled, filled);
	CHECK(rolled >= 3);
	/* and the spare that is left */
	CHECK(filled <= rolled + 1);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "killed by name (K3 to K10, K17, K20, K21)", killed_by_name },
		{ "killed at any step, and while recovering (K22)", killed },
		{ "a failing disk (J7)", failing },
		{ "a roll without a spare (J6)", roll_without_spare },
		{ "one spare a segment", one_spare_a_segment },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
