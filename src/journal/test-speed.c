/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of 4 KB accepted durably a second by 1, 20 and 100 fibers, and the disk's own limit beside it: bare writes with
 * fdatasync, in place, of what one, 20 and 100 messages take. As TAP comments. MAILFERRY_JOURNAL_SECONDS sets how long each
 * is measured: 3 for the figures of docs/design/journal.md. */
#include <sys/resource.h>

#include "base/xalloc.h"
#include "journal/test-common.h"

enum { CONTENT = 4096 };

struct speed {
	struct testing_journal *t;
	int64_t duration_us, end;
	uint64_t done, number;
	char *content;
};

static int64_t cpu_us(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * SECOND + use.ru_utime.tv_usec + use.ru_stime.tv_usec;
}

/* As the keeper does it: a body, its ACCEPT, one commit. */
static int accept_one(struct journal *j, uint64_t number, struct bytes content, struct fault *fault)
{
	struct journal_recipient recipient = { .address = BYTES("anna@example.net"), .parameters = BYTES(" NOTIFY=NEVER") };
	uint64_t body, sequence;
	struct journal_accept accept = {
		.message = number, .listener = BYTES("mx"), .peer = BYTES("192.0.2.1"), .peer_port = 40000,
		.helo = BYTES("client.example.org"), .protocol = BYTES("ESMTPS"), .tls_version = BYTES("TLSv1.3"),
		.tls_cipher = BYTES("TLS_AES_256_GCM_SHA384"), .reverse_path = BYTES("carl@example.org"),
		.size = content.n, .bodies = &body, .n_bodies = 1, .message_id = BYTES("<1234567890@client.example.org>"),
		.trace = BYTES("Received: from client.example.org (192.0.2.1) by mx.example.net with ESMTPS id k3f9z-00001a;\r\n"
			       "\tTue, 1 Dec 2026 12:00:00 +0000\r\n"), .received = 1, .recipients = &recipient,
		.n_recipients = 1,
	};

	if (journal_append(j, JOURNAL_BODY, &content, 1, &body, fault) < 0 ||
	    journal_put(j, JOURNAL_ACCEPT, &accept, &sequence, fault) < 0)
		return -1;
	return journal_commit(j, sequence, fault);
}

static int session(void *arg, struct fault *fault)
{
	struct speed *s = arg;

	while (run_now() < s->end) {
		if (accept_one(s->t->journal, ++s->number, (struct bytes){ s->content, CONTENT }, fault) < 0)
			return -1;
		s->done++;
	}
	return 0;
}

static int measure(void *arg, struct fault *fault)
{
	static const int fibers[] = { 1, 20, 100 };
	struct testing_journal *t = arg;
	struct speed *s = t->data;
	struct check *check = t->check;

	t->config.segment_size = 64 << 20;
	if (testing_open(t, fault) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(fibers); i++) {
		_cleanup_(nursery_done) struct nursery nursery;
		int64_t begin = run_now(), cpu = cpu_us();
		struct journal_stand before, after;

		journal_stand(t->journal, &before);
		s->done = 0;
		s->end = begin + s->duration_us;
		nursery_init(&nursery, "sessions");
		for (int k = 0; k < fibers[i]; k++)
			nursery_start(&nursery, session, s, "session %d", k);
		if (nursery_wait(&nursery, fault) < 0)
			return -1;
		journal_stand(t->journal, &after);
		printf("# %3d fibers: %7.0f messages/s, %5.1f a batch, %6.1f us CPU a message\n", fibers[i],
		       (double)s->done * 1e6 / (double)(run_now() - begin),
		       (double)s->done / (double)(after.batches - before.batches),
		       (double)(cpu_us() - cpu) / (double)s->done);
		EXPECT(s->done > 0 && after.records - before.records == 2 * s->done);
	}
	return 0;
}

/* The same bytes without a journal. */
static int bare(void *arg, struct fault *fault)
{
	static const size_t messages[] = { 1, 20, 100 };
	struct testing_journal *t = arg;
	struct speed *s = t->data;
	_cleanup_(os_block_closep) struct os_block *block = NULL;
	_cleanup_(freep) char *bytes = xzalloc(1 << 20);
	const uint64_t size = 64 << 20;

	if (os_block_create(testing_path(&t->folder, "bare"), size, &block, fault) < 0)
		return -1;
	memset(bytes, 'x', 1 << 20);
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		struct bytes piece = { bytes, messages[i] * (CONTENT + 600) };
		int64_t begin = run_now();
		uint64_t n = 0;

		for (uint64_t at = 0; run_now() - begin < s->duration_us; at += piece.n, n++) {
			if (at + piece.n > size)
				at = 0;
			if (os_block_write(block, at, &piece, 1, fault) < 0 || os_block_sync(block, fault) < 0)
				return -1;
		}
		printf("# %3zu messages a write and fdatasync, bare: %7.0f messages/s\n", messages[i],
		       (double)(n * messages[i]) * 1e6 / (double)(run_now() - begin));
	}
	return 0;
}

static void speed(struct check *check)
{
	_cleanup_(testing_journal_remove) struct testing_journal t;
	const char *seconds = getenv("MAILFERRY_JOURNAL_SECONDS");
	_cleanup_(freep) char *content = xmalloc(CONTENT);
	struct speed s = { .t = &t, .duration_us = 200 * MSEC };
	struct fault fault = FAULT_INIT;
	uint64_t n;

	testing_journal_make(&t, check);
	if (seconds) {
		CHECK(bytes_to_u64(bytes_of(seconds), 3600, &n) == 0);
		s.duration_us = (int64_t)n * SECOND;
	}
	s.content = memset(content, 'x', CONTENT);
	t.data = &s;
	if (testing_run(&t, bare, &fault) < 0 || testing_run(&t, measure, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK(!check->failed);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "messages a second", speed },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
