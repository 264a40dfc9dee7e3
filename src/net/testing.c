/* SPDX-License-Identifier: Apache-2.0 */
/* See testing.h. */
#include "net/testing.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/xalloc.h"

void in_fiber(struct check *check, fiber_fn fn)
{
	struct fault fault = FAULT_INIT;

	if (run_main(check->name, fn, check, &fault) < 0 && !check->failed)
		CHECK_FAIL("%s", fault.text);
}

int failed(struct check *check, const char *what, const struct fault *fault)
{
	check_expect(check, false, what, 0, "%s", fault->text);
	return -1;
}

bool expect_fault(struct check *check, const struct fault *fault, enum fault_kind kind,
		  const char *words)
{
	return check_expect(check, fault->kind == kind && strstr(fault->text, words), __FILE__,
			    __LINE__, "the fault is %s: \"%s\", not %s with \"%s\"",
			    fault_kind_name(fault->kind), fault->text, fault_kind_name(kind),
			    words);
}

SUSPENDS int read_line(struct stream *s, char to[200], struct fault *fault)
{
	size_t n = 0;

	for (;;) {
		int got = stream_read(s, to + n, 1, fault);

		if (got < 0)
			return -1;
		if (got == 0 || n == 198)
			return fault_protocol(fault, "no line");
		if (to[n++] != '\n')
			continue;
		to[n - (n > 1 && to[n - 2] == '\r' ? 2 : 1)] = '\0';
		return 0;
	}
}

/* --- flows ----------------------------------------------------------------- */

/* Only the bytes must be the same on both sides, so they come eight at a time from a generator of their
 * own; where pieces are cut is another's business. */
struct source {
	struct rand rand;
	bool readable;
	char left[8];
	size_t left_n;
};

static void make(struct source *source, char *to, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (source->left_n == 0) {
			uint64_t word = rand_u64(&source->rand);

			if (source->readable)
				word = (word & 0x0303030303030303) + 0x6161616161616161;
			memcpy(source->left, &word, 8);
			source->left_n = 8;
		}
		to[i] = source->left[8 - source->left_n--];
	}
}

static size_t piece_max(const struct flow *flow)
{
	return flow->max_piece ? flow->max_piece : 40000;
}

static size_t draw_piece(const struct flow *flow, struct rand *cuts, size_t done)
{
	size_t n = 1 + (size_t)rand_below(cuts, piece_max(flow));

	return n < flow->n - done ? n : flow->n - done;
}

SUSPENDS int flow_send(void *arg, struct fault *fault)
{
	struct flow *flow = arg;
	struct source source = { .readable = flow->readable };
	_cleanup_(freep) char *piece = xmalloc(piece_max(flow));
	struct rand cuts;

	rand_init(&source.rand, flow->seed);
	rand_init(&cuts, flow->seed + 1);
	for (size_t done = 0, n; done < flow->n; done += n) {
		n = draw_piece(flow, &cuts, done);
		make(&source, piece, n);
		if (stream_write(flow->stream, (struct bytes){ piece, n }, fault) < 0)
			return failed(flow->check, "sending", fault);
		if (flow->queued && flow->queued(flow->stream) > flow->most_memory)
			flow->most_memory = flow->queued(flow->stream);
	}
	if (flow->end)
		stream_shutdown(flow->stream);
	return 0;
}

static int expect_end(struct flow *flow, struct fault *fault)
{
	struct check *check = flow->check;
	char byte;
	int got = stream_read(flow->stream, &byte, 1, fault);

	if (got < 0)
		return failed(check, "the end", fault);
	EXPECT(got == 0);
	return 0;
}

SUSPENDS int flow_receive(void *arg, struct fault *fault)
{
	struct flow *flow = arg;
	struct source source = { .readable = flow->readable };
	_cleanup_(freep) char *got = xmalloc(piece_max(flow));
	_cleanup_(freep) char *want = xmalloc(piece_max(flow));
	struct rand cuts;
	int n;

	rand_init(&source.rand, flow->seed);
	rand_init(&cuts, flow->seed + 2);
	for (size_t done = 0; done < flow->n; done += (size_t)n) {
		if (flow->one_by_one && run_yield(fault) < 0)
			return -1;
		n = stream_read(flow->stream, got, draw_piece(flow, &cuts, done), fault);
		if (n < 0)
			return failed(flow->check, "receiving", fault);

		make(&source, want, (size_t)n);
		if (!check_expect(flow->check, n > 0 && memcmp(got, want, (size_t)n) == 0, __FILE__,
				  __LINE__, "%d wrong bytes after %zu of %zu (seed %" PRIu64 ")", n,
				  done, flow->n, flow->seed))
			return fault_protocol(fault, "wrong bytes");
	}
	return flow->end ? expect_end(flow, fault) : 0;
}

SUSPENDS int flow_both_ways(struct check *check, struct stream *a, struct stream *b,
			    const struct flow *like, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;
	struct flow flows[4] = { *like, *like, *like, *like };

	for (int i = 0; i < 4; i++) {
		flows[i].check = check;
		flows[i].stream = i % 2 ? b : a;
		flows[i].end = true;
	}
	flows[1].seed = flows[2].seed = like->seed + 1000;

	nursery_init(&nursery, "both ways");
	nursery_start(&nursery, flow_send, &flows[0], "a sends");
	nursery_start(&nursery, flow_send, &flows[1], "b sends");
	nursery_start(&nursery, flow_receive, &flows[2], "a receives");
	nursery_start(&nursery, flow_receive, &flows[3], "b receives");
	return nursery_wait(&nursery, fault);
}
