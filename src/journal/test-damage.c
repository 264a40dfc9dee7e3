/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a journal's files is named exactly, by reader, recovery and audit. */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "journal/audit.h"
#include "journal/test-common.h"
#include "os/file.h"

#define JOURNAL                                                                                    \
	_cleanup_(testing_journal_remove) struct testing_journal t;                                \
	testing_journal_make(&t, check)

/* A BODY of 200,000 bytes and its ACCEPT; where record n of a segment that holds such only begins. */
enum { BODY = 200000, MESSAGES = 30 };

static int fill(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	uint64_t sequence;

	if (testing_open(t, fault) < 0)
		return -1;
	for (uint64_t i = 1; i <= MESSAGES; i++)
		if (testing_message(t->journal, i, BODY, &sequence, fault) < 0 ||
		    journal_commit(t->journal, sequence, fault) < 0)
			return -1;
	return journal_sign_off(t->journal, NULL, fault);
}

static int just_open(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;

	return journal_open(&t->config, &t->journal, fault);
}

static void make(struct testing_journal *t)
{
	struct check *check = t->check;
	struct fault fault = FAULT_INIT;

	if (testing_run(t, fill, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
}

/* Where record n begins. */
static void place_of(struct testing_journal *t, uint64_t n, uint64_t *segment, uint64_t *offset)
{
	struct check *check = t->check;
	struct journal_reader *reader;
	struct journal_record record;
	struct fault fault;

	CHECK_EQ(journal_reader_open(t->path, 0, JOURNAL_READ_ALL, &reader, &fault), 0);
	while (journal_reader_next(reader, &record, &fault) > 0 && record.head.sequence != n)
		;
	*segment = record.segment;
	*offset = record.offset;
	journal_reader_close(reader);
	CHECK_EQ(record.head.sequence, n);
}

static void note(void *arg, const struct journal_finding *finding)
{
	buf_appendf(arg, "%s %" PRIu64 " %" PRIu64 " %s\n", finding->name, finding->segment, finding->offset, finding->text);
}

/* The audit says exactly this; recovery refuses with the same place, and changes nothing. */
static void expect(struct testing_journal *t, const char *want, const char *refusal)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	struct check *check = t->check;
	struct journal_audit_options options = { .found = note, .arg = &got };
	struct journal_audit audit;
	struct fault fault = FAULT_INIT;

	for (int i = 0; i < 2; i++) {
		buf_reset(&got);
		CHECK_EQ(journal_audit(t->path, &options, &audit, &fault), 0);
		CHECK_STR(buf_str(&got), want);
		CHECK_EQ(testing_run(t, just_open, &fault), -1);
		CHECK_EQ(fault.kind, FAULT_DATA);
		if (!strstr(fault.text, refusal))
			CHECK_FAIL("%s", fault.text);
	}
}

static void flipped_header(struct check *check)
{
	uint64_t segment, offset;
	char want[300];
	JOURNAL;

	make(&t);
	place_of(&t, 6, &segment, &offset);
	testing_flip(t.path, segment, offset + 20);
	snprintf(want, sizeof(want), "flipped 1 %" PRIu64 " segment 0000000001.seg, offset %" PRIu64
		 ": the header of record 6 is damaged\n", offset, offset);
	expect(&t, want, "the header of record 6 is damaged");
}

static void flipped_payload(struct check *check)
{
	uint64_t segment, offset;
	char want[300];
	JOURNAL;

	make(&t);
	place_of(&t, 6, &segment, &offset);
	testing_flip(t.path, segment, offset + JOURNAL_HEAD + 10);
	snprintf(want, sizeof(want), "flipped 1 %" PRIu64 " segment 0000000001.seg, offset %" PRIu64
		 ": the payload of record 6 (accept) is damaged\n", offset, offset);
	expect(&t, want, "the payload of record 6 (accept) is damaged");
}

static void flipped_body(struct check *check)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	struct journal_audit_options options = { .found = note, .arg = &got };
	struct journal_audit audit;
	uint64_t segment, offset;
	struct fault fault;
	char want[300];
	JOURNAL;

	make(&t);
	place_of(&t, 5, &segment, &offset);
	testing_flip(t.path, segment, offset + JOURNAL_HEAD + 100001);
	CHECK_EQ(journal_audit(t.path, &options, &audit, &fault), 0);
	snprintf(want, sizeof(want), "content 1 %" PRIu64 " segment 0000000001.seg, offset %" PRIu64 ": the payload of "
		 "record 5 (body) is not what was written, and nothing says that it was dropped\n", offset, offset);
	CHECK_STR(buf_str(&got), want);

	/* in the last segment, which recovery reads whole */
	testing_flip(t.path, segment, offset + JOURNAL_HEAD + 100001);
	place_of(&t, 2 * MESSAGES - 3, &segment, &offset);
	CHECK_EQ(segment, 2);
	testing_flip(t.path, segment, offset + JOURNAL_HEAD + 100001);
	snprintf(want, sizeof(want), "content 2 %" PRIu64 " segment 0000000002.seg, offset %" PRIu64 ": the payload of "
		 "record %d (body) is not what was written, and nothing says that it was dropped\n", offset, offset,
		 2 * MESSAGES - 3);
	expect(&t, want, "and nothing says that it was dropped");
}

static void zeroed_page(struct check *check)
{
	_cleanup_(buf_done) struct buf list = BUF_NULL;
	uint64_t segment, offset, sixth;
	char want[300];
	JOURNAL;

	make(&t);
	place_of(&t, 6, &segment, &sixth);
	place_of(&t, 7, &segment, &offset);
	/* the page that holds the headers of both */
	CHECK(sixth / 4096 == offset / 4096);
	testing_zero(t.path, segment, offset & ~UINT64_C(4095), 4096);
	snprintf(want, sizeof(want), "\n5 body punched\n! zeroed 1 %" PRIu64 " segment 0000000001.seg, offset %" PRIu64
		 ": zeros where record 6 should be\n8 accept\n9 body\n", sixth, sixth);
	testing_list(t.path, &list);
	if (!strstr(buf_str(&list), want))
		CHECK_FAIL("%.200s", buf_str(&list));
}

static void last_batch(struct check *check)
{
	struct fault fault = FAULT_INIT;
	uint64_t segment, offset;
	JOURNAL;

	make(&t);
	/* written to its last byte and wrong: no crash does that */
	place_of(&t, 2 * MESSAGES + 1, &segment, &offset);
	testing_flip(t.path, segment, offset + JOURNAL_HEAD + 5);
	CHECK_EQ(testing_run(&t, just_open, &fault), -1);
	CHECK(strstr(fault.text, "(checkpoint) is damaged"));
	testing_flip(t.path, segment, offset + JOURNAL_HEAD + 5);
	CHECK_EQ(testing_run(&t, just_open, &fault), 0);
}

static int say(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	uint64_t sequence;

	if (testing_open(t, fault) < 0)
		return -1;
	snprintf(t->data, 300, "%s", journal_recovered(t->journal));
	return testing_message(t->journal, 99, 10, &sequence, fault);
}

/* A batch that was not written whole is cut, once, wherever its hole is. */
static void torn_tail(struct check *check)
{
	static const struct {
		uint64_t record;
		uint64_t from; /* zeros from here on in it */
		size_t n;      /* 0: to the end of all */
	} holes[] = { { 60, 0, 0 }, { 60, 30, 0 }, { 60, 64, 0 }, { 59, 0, 0 }, { 59, 5000, 0 },
		      { 59, 8192, 512 }, { 59, 0, 4096 } };

	for (size_t i = 0; i < ARRAY_SIZE(holes); i++) {
		_cleanup_(buf_done) struct buf list = BUF_NULL, again = BUF_NULL;
		struct fault fault = FAULT_INIT;
		uint64_t segment, offset;
		char said[300] = "", want[300];
		JOURNAL;

		make(&t);
		t.data = said;
		place_of(&t, 61, &segment, &offset); /* the checkpoint, as if it had never been */
		testing_zero(t.path, segment, offset, 4096);
		{
			char path[400];

			snprintf(path, sizeof(path), "%s/checkpoints/%020d.txt", t.path, 60);
			unlink(path);
			snprintf(path, sizeof(path), "%s/checkpoints/%020d.sig", t.path, 60);
			unlink(path);
		}
		place_of(&t, holes[i].record, &segment, &offset);
		testing_zero(t.path, segment,
			     holes[i].n ? (offset + holes[i].from + 511) / 512 * 512 - (holes[i].from ? 0 : 512)
					: offset + holes[i].from,
			     holes[i].n ? holes[i].n : 300000);
		testing_list(t.path, &list);
		CHECK(!strchr(buf_str(&list), '!'));
		if (testing_run(&t, say, &fault) < 0)
			CHECK_FAIL("hole %zu: %s", i, fault.text);
		snprintf(want, sizeof(want), "record %" PRIu64 " is next", holes[i].n ? 59 : holes[i].record);
		if (holes[i].from || holes[i].n || holes[i].record == 59)
			if (!strstr(said, want) && !(holes[i].record == 59 && holes[i].from == 0))
				CHECK_FAIL("hole %zu: %s", i, said);
		said[0] = '\0';
		CHECK_EQ(testing_run(&t, say, &fault), 0);
		CHECK_STR(said, "");
		testing_list(t.path, &again);
		CHECK(!strchr(buf_str(&again), '!'));
	}
}

/* Two bodies in a batch; the first ends `n` bytes into a page. */
static int two_bodies(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	_cleanup_(freep) char *text = xmalloc(8000);
	struct bytes first = { text, 4096 - JOURNAL_HEAD + *(size_t *)t->data }, second = { text, 8000 };
	uint64_t sequence;

	memset(text, 'y', 8000);
	if (testing_open(t, fault) < 0 || journal_append(t->journal, JOURNAL_BODY, &first, 1, &sequence, fault) < 0 ||
	    journal_append(t->journal, JOURNAL_BODY, &second, 1, &sequence, fault) < 0)
		return -1;
	return journal_commit(t->journal, sequence, fault);
}

/* A page that a crash left unwritten is seen by the last bytes of a payload alone. */
static void torn_at_the_edge(struct check *check)
{
	for (size_t n = 1; n <= 16; n++) {
		_cleanup_(buf_done) struct buf list = BUF_NULL;
		struct fault fault = FAULT_INIT;
		JOURNAL;

		t.data = &n;
		CHECK_EQ(testing_run(&t, two_bodies, &fault), 0);
		testing_zero(t.path, 1, JOURNAL_FIRST + 4096, 4096);
		if (testing_run(&t, just_open, &fault) < 0)
			CHECK_FAIL("%zu bytes in it: %s", n, fault.text);
		testing_list(t.path, &list);
		CHECK_STR(buf_str(&list), "");
	}
}

/* A torn tail stays as it is while an earlier segment is damaged. */
static void damaged_and_torn(struct check *check)
{
	_cleanup_(buf_done) struct buf name = BUF_NULL, before = BUF_NULL, after = BUF_NULL;
	struct fault fault = FAULT_INIT;
	uint64_t segment, offset;
	JOURNAL;

	make(&t);
	place_of(&t, 61, &segment, &offset); /* the checkpoint, as if it had never been */
	testing_zero(t.path, segment, offset, 4096);
	place_of(&t, 59, &segment, &offset);
	CHECK_EQ(segment, 2);
	testing_zero(t.path, segment, (offset + 8192) & ~UINT64_C(511), 512);
	place_of(&t, 6, &segment, &offset);
	CHECK_EQ(segment, 1);
	testing_flip(t.path, segment, offset + JOURNAL_HEAD + 10);
	journal_segment_path(&name, t.path, 2);
	CHECK_EQ(os_read_file(buf_str(&name), JOURNAL_SEGMENT_MIN, &before, &fault), 0);
	CHECK_EQ(testing_run(&t, just_open, &fault), -1);
	if (!strstr(fault.text, "the payload of record 6 (accept) is damaged"))
		CHECK_FAIL("%s", fault.text);
	CHECK_EQ(os_read_file(buf_str(&name), JOURNAL_SEGMENT_MIN, &after, &fault), 0);
	CHECK(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
}

static void missing(struct check *check)
{
	_cleanup_(buf_done) struct buf name = BUF_NULL, list = BUF_NULL;
	struct fault fault = FAULT_INIT;
	JOURNAL;

	t.config.segment_size = JOURNAL_SEGMENT_MIN;
	make(&t);
	CHECK_EQ(testing_run(&t, fill, &fault), 0); /* message numbers repeat, which the reader does not mind */
	journal_segment_path(&name, t.path, 2);
	CHECK_EQ(unlink(buf_str(&name)), 0);
	testing_list(t.path, &list);
	CHECK(strstr(buf_str(&list), "! missing 2 0 segment 0000000002.seg is missing, with records "));
	CHECK(strstr(buf_str(&list), "122 checkpoint\n"));
	CHECK_EQ(testing_run(&t, just_open, &fault), -1);
	CHECK(strstr(fault.text, "segment 0000000002.seg is missing"));

	buf_reset(&name);
	journal_segment_path(&name, t.path, 1);
	CHECK_EQ(unlink(buf_str(&name)), 0);
	CHECK_EQ(testing_run(&t, just_open, &fault), -1);
	CHECK(strstr(fault.text, "segments up to 0000000002.seg are missing"));
}

static void missing_end(struct check *check)
{
	_cleanup_(buf_done) struct buf name = BUF_NULL;
	JOURNAL;

	make(&t);
	journal_segment_path(&name, t.path, 2);
	CHECK_EQ(unlink(buf_str(&name)), 0);
	expect(&t, "checkpoint 0 0 checkpoints/ signs record 60, but the journal ends with record 40: its end is missing\n",
	       "its end is missing");
}

static void rewrite_head(struct testing_journal *t, void (*change)(struct journal_segment_head *head))
{
	_cleanup_(buf_done) struct buf name = BUF_NULL;
	unsigned char raw[JOURNAL_SEGMENT_HEAD];
	struct check *check = t->check;
	struct journal_segment_head head;
	int fd;

	journal_segment_path(&name, t->path, 2);
	fd = open(buf_str(&name), O_RDWR | O_CLOEXEC);
	CHECK_EQ(pread(fd, raw, sizeof(raw), 0), sizeof(raw));
	CHECK_EQ(journal_segment_head_read(raw, &head), 0);
	change(&head);
	journal_segment_head_write(raw, &head);
	CHECK_EQ(pwrite(fd, raw, sizeof(raw), 0), sizeof(raw));
	close(fd);
}

static void other_chain(struct journal_segment_head *head)
{
	head->chain[3] ^= 1;
}

static void later(struct journal_segment_head *head)
{
	head->first += 2;
}

static void spliced(struct check *check)
{
	_cleanup_(buf_done) struct buf list = BUF_NULL;
	struct fault fault = FAULT_INIT;
	JOURNAL;

	make(&t);
	rewrite_head(&t, other_chain);
	testing_list(t.path, &list);
	CHECK(strstr(buf_str(&list), "! unchained 2 0 "));
	CHECK_EQ(testing_run(&t, just_open, &fault), -1);
	rewrite_head(&t, other_chain);
	rewrite_head(&t, later);
	buf_reset(&list);
	testing_list(t.path, &list);
	CHECK(strstr(buf_str(&list), "! gap 2 0 segment 0000000002.seg, offset 0: begins with record 43, but record 41 "
				     "should follow"));
	testing_flip(t.path, 2, 33);
	buf_reset(&list);
	testing_list(t.path, &list);
	CHECK(strstr(buf_str(&list), "! flipped 2 0 segment 0000000002.seg, offset 0: has no header that could be true"));
}

/* Mail that looks like records of another journal is only mail, also behind a torn tail. */
static int forge(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct journal_head head = { .length = 8, .type = JOURNAL_NOTE, .flags = JOURNAL_FLAG_BATCH, .sequence = 50 };
	unsigned char raw[64 + 8] = { 0 };
	struct bytes piece = { (const char *)raw, sizeof(raw) };
	uint64_t sequence;

	journal_head_write(raw, &head, 0x1122334455667788);
	if (testing_open(t, fault) < 0 || journal_append(t->journal, JOURNAL_BODY, &piece, 1, &sequence, fault) < 0 ||
	    journal_append(t->journal, JOURNAL_BODY, &piece, 1, &sequence, fault) < 0)
		return -1;
	return journal_commit(t->journal, sequence, fault);
}

static void forged(struct check *check)
{
	_cleanup_(buf_done) struct buf list = BUF_NULL;
	struct fault fault = FAULT_INIT;
	JOURNAL;

	CHECK_EQ(testing_run(&t, forge, &fault), 0);
	testing_zero(t.path, 1, JOURNAL_FIRST, 64);
	testing_list(t.path, &list);
	CHECK_STR(buf_str(&list), "");
	CHECK_EQ(testing_run(&t, just_open, &fault), 0);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "a flipped bit in a header (J8)", flipped_header },
		{ "a flipped bit in a payload (J8)", flipped_payload },
		{ "a flipped bit in a body (J8, J10)", flipped_body },
		{ "a zeroed page (J8)", zeroed_page },
		{ "a flipped bit in the last batch (J8)", last_batch },
		{ "a torn tail (J8)", torn_tail },
		{ "a torn tail at a sector's edge (J8)", torn_at_the_edge },
		{ "a torn tail behind damage (J8)", damaged_and_torn },
		{ "a missing segment (J9)", missing },
		{ "a missing end (J11)", missing_end },
		{ "a splice (J4)", spliced },
		{ "forged records in mail (J5)", forged },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
