/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that need no socket: memory pairs, DEFLATE, and taps over them. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/xalloc.h"
#include "net/chunks.h"
#include "net/testing.h"

enum { SEED = 20240601 };

/* --- chunks ----------------------------------------------------------------- */

static void chunks_keep_order(struct check *check)
{
	struct chunks chunks;
	struct rand rand;
	unsigned char in = 0, out = 0;
	char piece[2500];

	chunks_init(&chunks);
	rand_init(&rand, SEED);
	for (int i = 0; i < 2000; i++) {
		size_t n = (size_t)rand_below(&rand, sizeof(piece));

		for (size_t k = 0; k < n; k++)
			piece[k] = (char)in++;
		chunks_append(&chunks, (struct bytes){ piece, n });
		n = chunks_take(&chunks, piece, (size_t)rand_below(&rand, sizeof(piece)));
		for (size_t k = 0; k < n; k++)
			CHECK_EQ((unsigned char)piece[k], out++);
	}
	chunks_done(&chunks);
	CHECK_EQ(chunks.n, 0);
}

static void chunks_show_spans(struct check *check)
{
	struct chunks chunks;
	struct iovec spans[2];
	char *big = xzalloc(40000);

	chunks_init(&chunks);
	CHECK_EQ(chunks_spans(&chunks, spans, 2), 0);
	chunks_append(&chunks, BYTES("abc"));
	chunks_append(&chunks, (struct bytes){ big, 40000 });
	CHECK_EQ(chunks_spans(&chunks, spans, 2), 2);
	CHECK(memcmp(spans[0].iov_base, "abc", 3) == 0);
	chunks_consume(&chunks, 40002);
	CHECK_EQ(chunks_spans(&chunks, spans, 2), 1);
	CHECK_EQ(spans[0].iov_len, 1);
	chunks_done(&chunks);
	free(big);
}

/* --- memory ----------------------------------------------------------------- */

static int pair_both_ways(void *arg, struct fault *fault)
{
	struct check *check = arg;
	static const size_t max_reads[] = { 0, 1, 7, 4096 };

	for (size_t i = 0; i < ARRAY_SIZE(max_reads); i++) {
		_cleanup_(stream_freep) struct stream *a = NULL, *b = NULL;
		size_t n = max_reads[i] == 1 ? 100000 : 1000000;

		memory_stream_pair(max_reads[i], &a, &b);
		if (flow_both_ways(check, a, b, &(struct flow){ .seed = SEED, .n = n }, fault) < 0)
			return -1;
		EXPECT(a->bytes_out == n && b->bytes_in == n);
	}
	return 0;
}

static void memory_both_ways(struct check *check)
{
	in_fiber(check, pair_both_ways);
}

static int fill_until_late(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(stream_freep) struct stream *a = NULL, *b = NULL;
	static const char piece[STREAM_PIECE];
	int r = 0, pieces = 0;

	_deadline_(SECOND / 50);

	memory_stream_pair(0, &a, &b);
	while (r == 0 && pieces < 1000) {
		r = stream_write(a, (struct bytes){ piece, sizeof(piece) }, fault);
		pieces++;
	}
	EXPECT(r == -1 && fault->kind == FAULT_TIMEOUT);
	EXPECT(pieces == STREAM_HIGH_WATER / STREAM_PIECE + 1);
	return 0;
}

static void memory_holds_back(struct check *check)
{
	in_fiber(check, fill_until_late);
}

static int ends(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct stream *a, *b;
	char got[10];

	memory_stream_pair(0, &a, &b);
	EXPECT(stream_write(a, BYTES("last"), fault) == 0);
	a = stream_free(a);
	EXPECT(stream_read(b, got, sizeof(got), fault) == 4);
	EXPECT(stream_read(b, got, sizeof(got), fault) == 0);
	EXPECT(stream_read(b, got, sizeof(got), fault) == 0);
	EXPECT(stream_enqueue(b, BYTES("x"), fault) < 0);
	expect_fault(check, fault, FAULT_TRANSPORT, "the other end closed the connection");
	EXPECT(stream_wait_room(b, fault) < 0);
	b = stream_free(b);
	return 0;
}

static void memory_ends(struct check *check)
{
	in_fiber(check, ends);
}

/* --- deflate ---------------------------------------------------------------- */

static int deflated_pair(size_t max_read, struct stream **ret_a, struct stream **ret_b,
			 struct fault *fault)
{
	memory_stream_pair(max_read, ret_a, ret_b);
	if (deflate_start(ret_a, fault) < 0)
		return -1;
	return deflate_start(ret_b, fault);
}

static int deflate_flows(void *arg, struct fault *fault)
{
	struct check *check = arg;

	for (int i = 0; i < 6; i++) {
		static const size_t max_reads[] = { 0, 1, 1000 };
		_cleanup_(stream_freep) struct stream *a = NULL, *b = NULL;
		struct flow flow = { .seed = SEED,
				     .n = max_reads[i % 3] == 1 ? 60000 : 2000000,
				     .readable = i < 3 };

		if (deflated_pair(max_reads[i % 3], &a, &b, fault) < 0)
			return -1;
		if (flow_both_ways(check, a, b, &flow, fault) < 0)
			return -1;
		if (flow.readable)
			EXPECT(a->lower->bytes_out < a->bytes_out / 2);
	}
	return 0;
}

static void deflate_both_ways(struct check *check)
{
	in_fiber(check, deflate_flows);
}

static int lines_and_tiny_reads(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(stream_freep) struct stream *a = NULL, *b = NULL;
	char line[200];
	uint64_t before;

	if (deflated_pair(1, &a, &b, fault) < 0)
		return -1;

	/* A line arrives without anybody flushing; three in one turn cost one flush. */
	for (int i = 0; i < 50; i++) {
		EXPECT(stream_enqueue(a, BYTES("a1 NOOP\r\n"), fault) == 0);
		if (read_line(b, line, fault) < 0)
			return -1;
		EXPECT(strcmp(line, "a1 NOOP") == 0);
	}
	before = a->lower->bytes_out;
	EXPECT(stream_enqueue(a, BYTES("a1 NOOP\r\n"), fault) == 0);
	EXPECT(stream_enqueue(a, BYTES("a1 NOOP\r\n"), fault) == 0);
	EXPECT(stream_enqueue(a, BYTES("a1 NOOP\r\n"), fault) == 0);
	EXPECT(stream_drain(a, fault) == 0);
	EXPECT(a->lower->bytes_out - before < 16);
	return 0;
}

static void deflate_sends_lines(struct check *check)
{
	in_fiber(check, lines_and_tiny_reads);
}

/* 64 MiB of zeroes in 64 KiB: each read takes its own n and no more. */
static int read_bomb(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(stream_freep) struct stream *a = NULL, *b = NULL;
	_cleanup_(freep) char *zeroes = xzalloc(STREAM_PIECE);
	size_t total = 0, want = 4096 * (size_t)STREAM_PIECE;

	if (deflated_pair(0, &a, &b, fault) < 0)
		return -1;

	for (size_t i = 0; i < want / STREAM_PIECE; i++)
		EXPECT(stream_enqueue(a, (struct bytes){ zeroes, STREAM_PIECE }, fault) == 0);
	stream_shutdown(a);
	EXPECT(a->lower->bytes_out < 1000000);
	for (;;) {
		int got = stream_read(b, zeroes, 1000, fault);

		if (got <= 0) {
			EXPECT(got == 0);
			break;
		}
		EXPECT(got <= 1000);
		total += (size_t)got;
	}
	EXPECT(total == want);
	return 0;
}

static void deflate_bounds_expansion(struct check *check)
{
	in_fiber(check, read_bomb);
}

static int read_garbage(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(stream_freep) struct stream *a = NULL, *b = NULL;
	char got[100];

	memory_stream_pair(0, &a, &b);
	if (deflate_start(&b, fault) < 0)
		return -1;

	EXPECT(stream_enqueue(a, BYTES("* OK this is not compressed\r\n"), fault) == 0);
	EXPECT(stream_read(b, got, sizeof(got), fault) < 0);
	expect_fault(check, fault, FAULT_PROTOCOL, "the other end sent bytes that are not compressed");
	EXPECT(stream_read(b, got, sizeof(got), fault) < 0);
	EXPECT(stream_enqueue(b, BYTES("x"), fault) < 0);
	return 0;
}

static void deflate_refuses_garbage(struct check *check)
{
	in_fiber(check, read_garbage);
}

/* A peer that ends its DEFLATE stream in order, and one that came ahead of our switch. */
static int read_ahead(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(stream_freep) struct stream *a = NULL, *b = NULL;
	char text[] = "* 3 EXISTS\r\n", got[200];
	unsigned char packed[100];
	z_stream z = { .next_in = (Bytef *)text,
		       .avail_in = sizeof(text) - 1,
		       .next_out = packed,
		       .avail_out = sizeof(packed) };
	size_t n;

	deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
	EXPECT(deflate(&z, Z_FINISH) == Z_STREAM_END);
	deflateEnd(&z);
	n = sizeof(packed) - z.avail_out;

	memory_stream_pair(0, &a, &b);
	EXPECT(deflate_start_with(&b, (struct bytes){ (char *)packed, 5 }, fault) == 0);
	EXPECT(stream_enqueue(a, (struct bytes){ (char *)packed + 5, n - 5 }, fault) == 0);
	if (read_line(b, got, fault) < 0)
		return -1;
	EXPECT(strcmp(got, "* 3 EXISTS") == 0);
	EXPECT(stream_read(b, got, 1, fault) == 0);
	return 0;
}

static void deflate_takes_what_was_read_ahead(struct check *check)
{
	in_fiber(check, read_ahead);
}

/* --- tap --------------------------------------------------------------------- */

struct tapped {
	struct stream *a, *b; /* a has the tap */
	struct transcript *transcript;
	char path[64];
};

static int tapped_pair(struct tapped *t, struct fault *fault)
{
	int fd;

	snprintf(t->path, sizeof(t->path), "transcript-XXXXXX");
	fd = mkstemp(t->path);
	if (fd < 0)
		return fault_local(fault, "no temporary file");
	close(fd);
	unlink(t->path);
	if (transcript_open(t->path, &t->transcript, fault) < 0)
		return -1;

	memory_stream_pair(0, &t->a, &t->b);
	tap_start(&t->a, t->transcript, "old");
	return 0;
}

/* Without the times, which are not the same twice. */
static char *transcript_text(struct tapped *t)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	FILE *file;
	char line[1400];

	t->a = stream_free(t->a);
	t->b = stream_free(t->b);
	t->transcript = transcript_close(t->transcript);
	file = fopen(t->path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		char *rest = strstr(line, "Z old ");

		buf_append_str(&text, rest && rest - line == 26 ? rest + 6 : line);
	}
	if (file)
		fclose(file);
	unlink(t->path);
	return xstrdup(buf_str(&text));
}

static void expect_transcript(struct check *check, struct tapped *t, const char *want)
{
	_cleanup_(freep) char *got = transcript_text(t);

	check_expect(check, strcmp(got, want) == 0, __FILE__, __LINE__, "transcript is: %s", got);
}

static int say(struct stream *from, struct stream *to, const char *text, struct fault *fault)
{
	struct bytes bytes = bytes_of(text);
	char got[500];

	if (stream_enqueue(from, bytes, fault) < 0)
		return -1;
	while (bytes.n) {
		int n = stream_read(to, got, sizeof(got), fault);

		if (n <= 0)
			return -1;
		bytes = bytes_skip(bytes, (size_t)n);
	}
	return 0;
}

static int tap_lines_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct tapped t = { 0 };
	struct stat st;
	char longest[1100], want[1400];

	if (tapped_pair(&t, fault) < 0)
		return failed(check, "tap", fault);

	EXPECT(stat(t.path, &st) == 0 && (st.st_mode & 0777) == 0600);
	memset(longest, 'x', 1020);
	memcpy(longest + 1020, " {5}\r\nHELLO)\r\n", 15);
	EXPECT(say(t.b, t.a, "* OK rea", fault) == 0);
	EXPECT(say(t.b, t.a, "dy\r\n* second\x1b[2J\r\n", fault) == 0);
	EXPECT(say(t.a, t.b, "a1 NOOP\r\n", fault) == 0);
	EXPECT(say(t.a, t.b, "a2 APPEND x {12+}\r\n", fault) == 0);
	EXPECT(say(t.a, t.b, "secret", fault) == 0);
	EXPECT(say(t.a, t.b, "secret\r\n", fault) == 0);
	EXPECT(say(t.b, t.a, longest, fault) == 0);
	EXPECT(say(t.b, t.a, "* 1 FETCH (BODY[] {99999}\r\nhalf a mess", fault) == 0);

	snprintf(want, sizeof(want),
		 "< * OK ready\n"
		 "< * second\\x1b[2J\n"
		 "> a1 NOOP\n"
		 "> a2 APPEND x {12+}\n"
		 "> [literal, 12 bytes]\n"
		 "< %.1000s[24 bytes more]\n"
		 "< [literal, 5 bytes])\n"
		 "< * 1 FETCH (BODY[] {99999}\n"
		 "< [part of a literal, 11 bytes]\n"
		 "- closed\n", longest);
	expect_transcript(check, &t, want);
	return 0;
}

static void tap_writes_lines(struct check *check)
{
	in_fiber(check, tap_lines_run);
}

static int tap_hides_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct tapped t = { 0 };

	if (tapped_pair(&t, fault) < 0)
		return failed(check, "tap", fault);

	EXPECT(say(t.a, t.b, "a1 LOGIN joe ", fault) == 0);
	tap_hide_out(t.a, "password");
	EXPECT(say(t.a, t.b, "hunter", fault) == 0);
	EXPECT(say(t.a, t.b, "2", fault) == 0);
	EXPECT(say(t.b, t.a, "* still heard\r\n", fault) == 0);
	tap_show_out(t.a);
	EXPECT(say(t.a, t.b, "\r\na2 AUTHENTICATE PLAIN\r\n", fault) == 0);
	tap_hide_in(t.a, "challenge");
	EXPECT(say(t.b, t.a, "+ c2VjcmV0\r\n", fault) == 0);
	tap_show_in(t.a);
	tap_hide_out(t.a, "password");
	EXPECT(say(t.a, t.b, "aHVudGVyMg==\r\n", fault) == 0);
	tap_show_out(t.a);
	EXPECT(say(t.a, t.b, "a3 APPEND x {9}\r\n", fault) == 0);
	tap_hide_out(t.a, "message");
	EXPECT(say(t.a, t.b, "hunter222", fault) == 0);
	tap_show_out(t.a);
	EXPECT(say(t.a, t.b, "\r\na4 NOOP\r\n", fault) == 0);
	tap_hide_in(t.a, "message");
	EXPECT(say(t.b, t.a, "hunter2\r\n", fault) == 0);
	expect_transcript(check, &t,
			  "< * still heard\n"
			  "> a1 LOGIN joe [password, 7 bytes]\n"
			  "> a2 AUTHENTICATE PLAIN\n"
			  "< [challenge, 12 bytes]\n"
			  "> [password, 14 bytes]\n"
			  "> a3 APPEND x {9}\n"
			  "> [message, 9 bytes]\n"
			  "> a4 NOOP\n"
			  "< [message, 9 bytes]\n"
			  "- closed\n");
	return 0;
}

static void tap_hides_secrets(struct check *check)
{
	in_fiber(check, tap_hides_run);
}

static int tap_stays_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct tapped t = { 0 };

	if (tapped_pair(&t, fault) < 0)
		return failed(check, "tap", fault);

	EXPECT(deflate_start(&t.a, fault) == 0);
	EXPECT(deflate_start(&t.b, fault) == 0);
	tap_start(&t.a, t.transcript, "again");
	EXPECT(strcmp(t.a->ops->name, "tap") == 0);
	EXPECT(stream_find(t.a, "deflate") == t.a->lower);
	EXPECT(stream_find(t.a, "tls") == NULL);
	EXPECT(say(t.a, t.b, "a1 NOOP\r\n", fault) == 0);
	expect_transcript(check, &t, "> a1 NOOP\n- closed\n");
	return 0;
}

static void tap_stays_on_top(struct check *check)
{
	in_fiber(check, tap_stays_run);
}

static void transcript_cannot_be_opened(struct check *check)
{
	struct transcript *t;
	struct fault fault = FAULT_INIT;

	CHECK(transcript_open("no-such-folder/transcript", &t, &fault) < 0);
	CHECK_EQ(fault.kind, FAULT_USAGE);
	CHECK(strstr(fault.text, "no-such-folder/transcript: No such file"));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "chunks-keep-order", chunks_keep_order },
		{ "chunks-show-spans", chunks_show_spans },
		{ "memory-both-ways", memory_both_ways },
		{ "memory-holds-back", memory_holds_back },
		{ "memory-ends", memory_ends },
		{ "deflate-both-ways", deflate_both_ways },
		{ "deflate-sends-lines", deflate_sends_lines },
		{ "deflate-bounds-expansion", deflate_bounds_expansion },
		{ "deflate-refuses-garbage", deflate_refuses_garbage },
		{ "deflate-takes-what-was-read-ahead", deflate_takes_what_was_read_ahead },
		{ "tap-writes-lines", tap_writes_lines },
		{ "tap-hides-secrets", tap_hides_secrets },
		{ "tap-stays-on-top", tap_stays_on_top },
		{ "transcript-cannot-be-opened", transcript_cannot_be_opened },
		{ 0 },
	};
	return check_main(argc, argv, cases);
}
