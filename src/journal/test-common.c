/* SPDX-License-Identifier: Apache-2.0 */
/* See test-common.h. */
#include "journal/test-common.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/rand.h"
#include "base/xalloc.h"

void testing_journal_make(struct testing_journal *t, struct check *check)
{
	*t = (struct testing_journal){ .check = check };
	testing_folder_make(&t->folder);
	snprintf(t->path, sizeof(t->path), "%s/journal", t->folder.path);
	t->config = (struct journal_config){ .path = t->path, .segment_size = JOURNAL_SEGMENT_MIN };
}

static void empty(const char *path)
{
	struct testing_folder folder;

	snprintf(folder.path, sizeof(folder.path), "%s", path);
	testing_folder_remove(&folder);
}

void testing_journal_remove(struct testing_journal *t)
{
	char checkpoints[320];

	snprintf(checkpoints, sizeof(checkpoints), "%s/checkpoints", t->path);
	empty(checkpoints);
	empty(t->path);
	testing_folder_remove(&t->folder);
}

struct run {
	struct testing_journal *t;
	int (*fn)(void *arg, struct fault *fault);
};

static int run(void *arg, struct fault *fault)
{
	struct run *r = arg;
	int result = r->fn(r->t, fault);

	r->t->journal = journal_close(r->t->journal);
	return result;
}

int testing_run(struct testing_journal *t, int (*fn)(void *arg, struct fault *fault), struct fault *fault)
{
	struct run r = { t, fn };

	return run_main("test", run, &r, fault);
}

int testing_open(struct testing_journal *t, struct fault *fault)
{
	struct check *check = t->check;

	if (journal_open(&t->config, &t->journal, fault) == 0)
		return 0;
	check_expect(check, false, __FILE__, __LINE__, "%s", fault->text);
	return -1;
}

int testing_message(struct journal *j, uint64_t number, size_t n, uint64_t *ret_sequence, struct fault *fault)
{
	struct journal_recipient recipients[2] = { { .address = BYTES("anna@example.net") },
						   { .address = BYTES("bert@example.net"), .notify = 1 } };
	_cleanup_(freep) char *content = xmalloc(n + 1);
	_cleanup_(journal_hash_freep) struct journal_hash *hash = journal_hash_new();
	struct bytes piece = { content, n };
	uint64_t body;
	struct journal_accept accept = {
		.message = number, .reverse_path = BYTES("carl@example.org"), .size = n, .bodies = &body, .n_bodies = 1,
		.peer = BYTES("192.0.2.1"), .peer_port = 4000, .recipients = recipients, .n_recipients = 2,
	};
	struct rand r;

	rand_init(&r, number);
	for (size_t i = 0; i < n; i++)
		content[i] = (char)('a' + rand_below(&r, 26));
	journal_hash(hash, piece, BYTES_NULL, accept.digest);
	if (journal_append(j, JOURNAL_BODY, &piece, 1, &body, fault) < 0)
		return -1;
	return journal_put(j, JOURNAL_ACCEPT, &accept, ret_sequence, fault);
}

int testing_attempt(struct journal *j, enum journal_type type, uint64_t attempt, uint64_t message,
		    uint64_t recipient, uint64_t *ret_sequence, struct fault *fault)
{
	struct journal_leg leg = { .message = message, .recipient = recipient };
	struct journal_attempt a = { .attempt = attempt, .target = BYTES("new"), .legs = &leg, .n_legs = 1 };

	return journal_put(j, type, &a, ret_sequence, fault);
}

int testing_outcome(struct journal *j, uint64_t attempt, uint64_t message, uint64_t recipient,
		    enum journal_fate fate, uint64_t *ret_sequence, struct fault *fault)
{
	struct journal_outcome outcome = { .message = message, .recipient = recipient, .fate = fate, .code = 250,
					   .remote_id = BYTES("X1") };
	struct journal_result result = { .attempt = attempt, .outcomes = &outcome, .n_outcomes = 1 };

	return journal_put(j, JOURNAL_RESULT, &result, ret_sequence, fault);
}

void testing_list(const char *path, struct buf *to)
{
	_cleanup_(journal_reader_closep) struct journal_reader *reader = NULL;
	struct journal_record record;
	struct fault fault;
	int r;

	if (journal_reader_open(path, 0, JOURNAL_READ_ALL, &reader, &fault) < 0) {
		buf_appendf(to, "! %s\n", fault.text);
		return;
	}
	for (int i = 0; i < 100000 && (r = journal_reader_next(reader, &record, &fault)) != 0; i++) {
		const struct journal_damage *d = journal_reader_damage(reader);

		if (r > 0)
			buf_appendf(to, "%" PRIu64 " %s%s\n", record.head.sequence, journal_type_name(record.head.type),
				    record.is_punched ? " punched" : "");
		else
			buf_appendf(to, "! %s %" PRIu64 " %" PRIu64 " %s\n", journal_damage_name(d->kind), d->segment,
				    d->offset, d->text);
	}
}

static int open_segment(const char *path, uint64_t segment)
{
	_cleanup_(buf_done) struct buf name = BUF_NULL;
	int fd;

	journal_segment_path(&name, path, segment);
	fd = open(buf_str(&name), O_RDWR | O_CLOEXEC);
	if (fd < 0)
		abort();
	return fd;
}

void testing_flip(const char *path, uint64_t segment, uint64_t offset)
{
	int fd = open_segment(path, segment);
	char c;

	if (pread(fd, &c, 1, (off_t)offset) != 1)
		abort();
	c ^= 0x10;
	if (pwrite(fd, &c, 1, (off_t)offset) != 1)
		abort();
	close(fd);
}

void testing_zero(const char *path, uint64_t segment, uint64_t offset, size_t n)
{
	_cleanup_(freep) char *zeros = xzalloc(n);
	int fd = open_segment(path, segment);

	if (pwrite(fd, zeros, n, (off_t)offset) != (ssize_t)n)
		abort();
	close(fd);
}
