/* SPDX-License-Identifier: Apache-2.0 */
/* A journal that is written and read again: order, group commit, rolls, drops, checkpoints, refusals. */
#include <inttypes.h>
#include <sys/stat.h>

#include "journal/inside.h"
#include "journal/test-common.h"

#define JOURNAL                                                                                    \
	_cleanup_(testing_journal_remove) struct testing_journal t;                                \
	testing_journal_make(&t, check)

static void run_in(struct testing_journal *t, int (*fn)(void *arg, struct fault *fault))
{
	struct check *check = t->check;
	struct fault fault = FAULT_INIT;

	if (testing_run(t, fn, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK(!check->failed);
}

/* --- writing --------------------------------------------------------------------------------- */

static int two_messages(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct check *check = t->check;
	uint64_t first, second, segment, offset;

	if (testing_open(t, fault) < 0 || testing_message(t->journal, 1, 1000, &first, fault) < 0 ||
	    testing_message(t->journal, 2, 0, &second, fault) < 0)
		return -1;
	EXPECT(first == 2 && second == 4 && journal_durable(t->journal) == 0);
	if (journal_commit(t->journal, first, fault) < 0)
		return -1;
	/* what was queued meanwhile is durable with it */
	EXPECT(journal_durable(t->journal) == 4);
	if (journal_place(t->journal, 1, &segment, &offset, fault) < 0)
		return -1;
	EXPECT(segment == 1 && offset == JOURNAL_FIRST);
	if (journal_place(t->journal, 2, &segment, &offset, fault) < 0)
		return -1;
	EXPECT(segment == 1 && offset == JOURNAL_FIRST + 64 + 1000);
	return 0;
}

static int append_one(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct check *check = t->check;
	uint64_t sequence, segment, offset;

	if (testing_open(t, fault) < 0)
		return -1;
	EXPECT(journal_durable(t->journal) == 4 && journal_recovered(t->journal)[0] == '\0');
	/* found by looking: this process did not write it */
	if (journal_place(t->journal, 2, &segment, &offset, fault) < 0)
		return -1;
	EXPECT(segment == 1 && offset == JOURNAL_FIRST + 64 + 1000);
	if (testing_message(t->journal, 3, 5, &sequence, fault) < 0)
		return -1;
	EXPECT(sequence == 6);
	return 0; /* closing writes it */
}

static void append_and_read(struct check *check)
{
	_cleanup_(buf_done) struct buf list = BUF_NULL;
	JOURNAL;

	run_in(&t, two_messages);
	run_in(&t, append_one);
	testing_list(t.path, &list);
	CHECK_STR(buf_str(&list), "1 body\n2 accept\n3 body\n4 accept\n5 body\n6 accept\n");
}

/* --- places ---------------------------------------------------------------------------------- */

static int long_ago(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct check *check = t->check;
	struct bytes piece = BYTES("x");
	uint64_t forgotten, sequence = 0, segment, offset;

	if (testing_open(t, fault) < 0 || journal_append(t->journal, JOURNAL_BODY, &piece, 1, &forgotten, fault) < 0)
		return -1;
	journal_remember(t->journal, forgotten);
	if (journal_append(t->journal, JOURNAL_BODY, &piece, 1, &sequence, fault) < 0)
		return -1;
	journal_remember(t->journal, sequence);
	EXPECT(!journal_known_place(t->journal, 2, &segment, &offset));
	for (unsigned i = 0; i < JOURNAL_PLACES; i++)
		if (journal_append(t->journal, JOURNAL_NOTE, &piece, 1, &sequence, fault) < 0)
			return -1;
	if (journal_commit(t->journal, sequence, fault) < 0)
		return -1;
	EXPECT(journal_known_place(t->journal, 2, &segment, &offset) && segment == 1 && offset == JOURNAL_FIRST + 72);
	EXPECT(journal_known_place(t->journal, sequence, &segment, &offset) && segment > 1);
	journal_forget(t->journal, forgotten);
	EXPECT(!journal_known_place(t->journal, forgotten, &segment, &offset) && t->journal->n_kept == 2);
	EXPECT(journal_known_place(t->journal, 2, &segment, &offset) && segment == 1 && offset == JOURNAL_FIRST + 72);
	journal_forget(t->journal, 2);
	journal_forget(t->journal, 2);
	EXPECT(t->journal->n_kept == 0 && !journal_known_place(t->journal, 2, &segment, &offset));
	return journal_place(t->journal, 2, &segment, &offset, fault);
}

static void places(struct check *check)
{
	JOURNAL;

	run_in(&t, long_ago);
}

/* --- many fibers ----------------------------------------------------------------------------- */

enum { FIBERS = 50, EACH = 40 };

static int many_messages(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	uint64_t sequence;

	for (int i = 0; i < EACH; i++) {
		if (testing_message(t->journal, 1, 8000, &sequence, fault) < 0 ||
		    journal_commit(t->journal, sequence, fault) < 0)
			return -1;
		if (journal_durable(t->journal) < sequence)
			return fault_local(fault, "told too early");
	}
	return 0;
}

static int with_many(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct check *check = t->check;
	_cleanup_(nursery_done) struct nursery nursery;
	struct journal_stand stand;

	nursery_init(&nursery, "writers");
	if (testing_open(t, fault) < 0)
		return -1;
	for (int i = 0; i < FIBERS; i++)
		nursery_start(&nursery, many_messages, t, "writer %d", i);
	if (nursery_wait(&nursery, fault) < 0)
		return -1;
	journal_stand(t->journal, &stand);
	EXPECT(stand.records == 2 * FIBERS * EACH);
	/* in common: far fewer syncs than commits */
	EXPECT(stand.batches >= EACH && stand.batches < FIBERS * EACH / 4);
	EXPECT(stand.segment >= 4 && stand.segments == stand.segment && stand.retired == 0);
	return 0;
}

static void group_commit(struct check *check)
{
	_cleanup_(journal_reader_closep) struct journal_reader *reader = NULL;
	struct journal_record record;
	struct fault fault = FAULT_INIT;
	uint64_t n = 0;
	int r;
	JOURNAL;

	run_in(&t, with_many);
	CHECK_EQ(journal_reader_open(t.path, 0, JOURNAL_READ_ALL, &reader, &fault), 0);
	while ((r = journal_reader_next(reader, &record, &fault)) > 0)
		CHECK_EQ(record.head.sequence, ++n);
	if (r < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK_EQ(n, 2 * FIBERS * EACH);

	/* from the middle on, without bodies */
	reader = journal_reader_close(reader);
	CHECK_EQ(journal_reader_open(t.path, 2000, JOURNAL_READ_NO_BODIES, &reader, &fault), 0);
	CHECK_EQ(journal_reader_next(reader, &record, &fault), 1);
	CHECK(record.head.sequence > 1 && record.head.sequence <= 2000);
	CHECK(record.payload.n == 0 || record.head.type == JOURNAL_ACCEPT);
}

/* --- dropping -------------------------------------------------------------------------------- */

static int drop_first(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct journal_drop drop = { .sequence = 1, .segment = 1, .offset = JOURNAL_FIRST, .length = 100000 };
	struct check *check = t->check;
	struct journal_dropped dropped = { .bodies = &drop, .n_bodies = 1, .reason = BYTES("delivered") };
	uint64_t sequence;

	if (testing_open(t, fault) < 0 || testing_message(t->journal, 1, 100000, &sequence, fault) < 0 ||
	    testing_message(t->journal, 2, 100, &sequence, fault) < 0 ||
	    journal_commit(t->journal, sequence, fault) < 0 ||
	    journal_drop(t->journal, &dropped, fault) < 0)
		return -1;
	/* nothing but what it is said to be */
	drop.sequence = 2;
	EXPECT(journal_punch(t->path, &drop, 1, fault) < 0 && fault->kind == FAULT_DATA);
	drop.offset += 64 + 100000;
	EXPECT(journal_punch(t->path, &drop, 1, fault) < 0 && fault->kind == FAULT_DATA);
	return 0;
}

static int just_open(void *arg, struct fault *fault)
{
	return testing_open(arg, fault);
}

static void dropping(struct check *check)
{
	_cleanup_(buf_done) struct buf list = BUF_NULL, name = BUF_NULL;
	struct stat st;
	JOURNAL;

	run_in(&t, drop_first);
	testing_list(t.path, &list);
	CHECK_STR(buf_str(&list), "1 body punched\n2 accept\n3 body\n4 accept\n5 dropped\n");
	journal_segment_path(&name, t.path, 1);
	CHECK(stat(buf_str(&name), &st) == 0 && st.st_size == JOURNAL_SEGMENT_MIN);
	run_in(&t, just_open);
}

static int fill_segments(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	uint64_t sequence;

	if (testing_open(t, fault) < 0)
		return -1;
	for (int i = 1; i <= 80; i++)
		if (testing_message(t->journal, (uint64_t)i, 200000, &sequence, fault) < 0 ||
		    journal_commit(t->journal, sequence, fault) < 0)
			return -1;
	return 0;
}

static int expire_two(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct check *check = t->check;
	struct journal_dropped dropped = { .reason = BYTES("old") };
	struct journal_stand stand;

	if (fill_segments(arg, fault) < 0)
		return -1;
	journal_stand(t->journal, &stand);
	dropped.segments_to = stand.segment;
	EXPECT(stand.segment >= 4 && journal_expire(t->journal, &dropped, fault) < 0);
	dropped.segments_to = 2;
	if (journal_expire(t->journal, &dropped, fault) < 0 || journal_remove(t->journal, 2, fault) < 0)
		return -1;
	journal_stand(t->journal, &stand);
	EXPECT(stand.segments == stand.segment - 2);
	return journal_remove(t->journal, 1, fault);
}

static void expiring(struct check *check)
{
	_cleanup_(buf_done) struct buf list = BUF_NULL;
	JOURNAL;

	run_in(&t, expire_two);
	testing_list(t.path, &list);
	CHECK(!strchr(buf_str(&list), '!') && !strstr(buf_str(&list), "\n2 ") && strstr(buf_str(&list), "dropped"));
	run_in(&t, just_open);
}

/* --- refusals -------------------------------------------------------------------------------- */

/* Whether new messages are refused within some seconds, without anybody trying. */
static bool gets_low(struct testing_journal *t, bool low, struct fault *fault)
{
	struct journal_stand stand;

	for (int i = 0; i < 60; i++) {
		journal_stand(t->journal, &stand);
		if (stand.is_low == low)
			return true;
		if (run_sleep(100 * MSEC, fault) < 0)
			return false;
	}
	return false;
}

/* Of a quota of three segments new messages get two and what is not the reserve, results more. */
static int fill_quota(void *arg, struct fault *fault)
{
	struct journal_dropped dropped = { .segments_to = 1, .reason = BYTES("old") };
	struct testing_journal *t = arg;
	struct check *check = t->check;
	uint64_t sequence = 0, accepted = 0;
	struct journal_stand stand;

	t->config.max_bytes = 3 * (uint64_t)JOURNAL_SEGMENT_MIN;
	if (testing_open(t, fault) < 0)
		return -1;
	while (testing_message(t->journal, 1, 100000, &sequence, fault) == 0) {
		if (journal_commit(t->journal, sequence, fault) < 0)
			return -1;
		accepted++;
	}
	EXPECT(fault->kind == FAULT_LIMIT && fault->again == AGAIN_LATER);
	EXPECT(accepted > 60 && accepted < 125);
	journal_stand(t->journal, &stand);
	EXPECT(stand.is_low);
	for (int i = 0; i < 2000; i++)
		if (testing_outcome(t->journal, 1, 1, 0, JOURNAL_DELIVERED, &sequence, fault) < 0 ||
		    journal_commit(t->journal, sequence, fault) < 0)
			return -1;
	/* what is removed makes room */
	if (journal_expire(t->journal, &dropped, fault) < 0 || journal_remove(t->journal, 1, fault) < 0)
		return -1;
	EXPECT(gets_low(t, false, fault));
	return testing_message(t->journal, 1, 100000, &sequence, fault);
}

static void quota(struct check *check)
{
	JOURNAL;

	run_in(&t, fill_quota);
}

static int low_water(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct check *check = t->check;
	uint64_t sequence;

	t->config.low_water = UINT64_MAX;
	if (testing_open(t, fault) < 0 || run_sleep(300 * MSEC, fault) < 0)
		return -1;
	EXPECT(testing_message(t->journal, 1, 100, &sequence, fault) < 0 && fault->kind == FAULT_LIMIT);
	EXPECT(strstr(fault->text, "no room for new messages"));
	if (testing_outcome(t->journal, 1, 1, 0, JOURNAL_DELIVERED, &sequence, fault) < 0)
		return -1;
	return journal_commit(t->journal, sequence, fault);
}

/* As if others used the disk, and then no more. */
static int water_rises_and_falls(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct check *check = t->check;
	uint64_t sequence;

	if (testing_open(t, fault) < 0)
		return -1;
	EXPECT(gets_low(t, false, fault));
	t->journal->config.low_water = UINT64_MAX;
	EXPECT(gets_low(t, true, fault));
	EXPECT(testing_message(t->journal, 1, 100, &sequence, fault) < 0 && fault->kind == FAULT_LIMIT);
	t->journal->config.low_water = 0;
	EXPECT(gets_low(t, false, fault));
	return testing_message(t->journal, 1, 100, &sequence, fault);
}

static void water(struct check *check)
{
	JOURNAL;

	run_in(&t, low_water);
	t.config.low_water = 0;
	run_in(&t, water_rises_and_falls);
}

static int open_twice(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct check *check = t->check;
	struct journal *second;

	if (testing_open(t, fault) < 0)
		return -1;
	EXPECT(journal_open(&t->config, &second, fault) < 0 && fault->kind == FAULT_REFUSED);
	return 0;
}

static void one_writer(struct check *check)
{
	JOURNAL;

	run_in(&t, open_twice);
}

/* --- cancellation ---------------------------------------------------------------------------- */

static int commit_late(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct check *check = t->check;
	uint64_t sequence;

	{
		/* the journal outlives the deadline it was opened under */
		_deadline_(5 * SECOND);
		if (testing_open(t, fault) < 0 || testing_message(t->journal, 1, 100, &sequence, fault) < 0)
			return -1;
	}
	{
		_deadline_(0);
		EXPECT(journal_commit(t->journal, sequence, fault) < 0 && fault->kind == FAULT_TIMEOUT);
	}
	/* and the record is written all the same */
	return journal_commit(t->journal, sequence, fault);
}

static void late(struct check *check)
{
	JOURNAL;

	run_in(&t, commit_late);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "append and read (J1)", append_and_read },
		{ "places that are remembered", places },
		{ "group commit and rolls (J3)", group_commit },
		{ "dropping bodies (J10)", dropping },
		{ "removing segments (J10)", expiring },
		{ "a quota, and the reserve (J12)", quota },
		{ "low water (J12)", water },
		{ "one writer (J2)", one_writer },
		{ "a commit that is late (J3)", late },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
