/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes on the operator's socket: each question is answered or refused, in the grammar; the connection ends in the end; and whatever
 * reaches the queue is what it may be asked. The queue is one of ours, which answers at once: the real one, with any questions
 * and hostile ones, is test-control.c's.
 *
 * The first byte of an input: R, raw bytes of the connection; else questions, each {u8 type, u8 how it is cut into frames, u16 length,
 * payload}, so that frames need not be guessed. */
/* It runs on the stack that main() has, which is large. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

#include <stdlib.h>
#include <string.h>

#include "gateway/control-frames.h"
#include "gateway/control.h"
#include "gateway/events.h"
#include "gateway/keep.h"
#include "gateway/link-frames.h"
#include "gateway/metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LEGS = 1100, FOUND = 3, WORD_MAX = 512, LONGEST = 1000 };

static void insist(bool condition)
{
	if (!condition)
		abort();
}

/* --- the queue ------------------------------------------------------------------------------- */

struct queue {
	struct router *router;
	struct book *book;
	uint64_t epoch;
};

struct router *queue_router(const struct queue *queue)
{
	return queue->router;
}

const struct book *queue_book(const struct queue *queue)
{
	return queue->book;
}

struct journal *queue_journal(struct queue *queue)
{
	return NULL;
}

const char *journal_id(const struct journal *journal)
{
	return "k3f9z";
}

static void check_key(struct bytes key)
{
	insist(key.n > 1 && key.n <= ROUTER_MAX_KEY && bytes_find_char(key, '@') >= 0);
}

int queue_change_routes(struct queue *queue, struct journal_routes *routes, struct fault *fault)
{
	_cleanup_(buf_done) struct buf payload = BUF_NULL;

	insist(routes->n_entries > 0 && !routes->whole && routes->operator.n <= WORD_MAX && routes->reason.n <= WORD_MAX);
	for (size_t i = 0; i < routes->n_entries; i++) {
		struct bytes key = routes->entries[i].address, domain = key;
		ptrdiff_t at;

		check_key(key);
		while ((at = bytes_find_char(domain, '@')) >= 0)
			domain = bytes_skip(domain, (size_t)at + 1);
		insist(bytes_equal(domain, BYTES("example.org")) || bytes_equal(domain, BYTES("example.net")));
		insist(routes->entries[i].route >= JOURNAL_ROUTE_OLD && routes->entries[i].route <= JOURNAL_ROUTE_HOLD);
		insist(routes->entries[i].target.n == 0);
	}
	routes->epoch = 0;
	fields_encode(journal_table(JOURNAL_ROUTES), routes, &payload);
	insist(payload.n <= JOURNAL_PAYLOAD_MAX);
	routes->epoch = ++queue->epoch;
	return run_yield(fault);
}

static void check_filter(const struct queue_filter *filter)
{
	if (filter->key.n)
		check_key(filter->key);
	insist(filter->fate < JOURNAL_FATES && filter->target >= -1 && filter->target <= (int)BOOK_NOWHERE);
	insist(filter->cause.n <= WORD_MAX && (filter->message == 0 || filter->key.n == 0));
}

int queue_list(struct queue *queue, const struct queue_filter *filter, const struct journal_leg *after, size_t limit,
	       struct arena *arena, struct queue_row **ret, size_t *ret_n, struct fault *fault)
{
	size_t n = filter->message ? 2 : LEGS, from = (size_t)after->recipient;

	check_filter(filter);
	insist(limit > 0 && limit <= 10000 && from <= n);
	*ret_n = n - from < limit ? n - from : limit;
	*ret = arena_alloc(arena, (*ret_n + 1) * sizeof(**ret));
	for (size_t i = 0; i < *ret_n; i++)
		(*ret)[i] = (struct queue_row){ .leg = { 1, from + i + 1, 0 }, .key = BYTES("anna@example.org"), .fate = JOURNAL_OPEN };
	return run_yield(fault);
}

int queue_order(struct queue *queue, enum queue_order order, const struct queue_filter *filter, const char *operator,
		const char *reason, uint64_t *ret_n, struct fault *fault)
{
	check_filter(filter);
	insist(order <= QUEUE_RELEASE && strlen(operator) <= WORD_MAX && strlen(reason) <= WORD_MAX);
	*ret_n = 1;
	return run_yield(fault);
}

int queue_find(struct queue *queue, struct bytes text, size_t limit, struct arena *arena, uint64_t **ret, size_t *ret_n,
	       uint64_t *ret_more, struct fault *fault)
{
	insist(text.n > 0 && text.n <= LONGEST && limit > 0 && limit <= CONTROL_TRACED);
	*ret = arena_alloc(arena, FOUND * sizeof(**ret));
	*ret_n = limit < FOUND ? limit : FOUND;
	*ret_more = text.n;
	for (size_t i = 0; i < *ret_n; i++)
		(*ret)[i] = FOUND - i;
	return run_yield(fault);
}

int queue_trace(struct queue *queue, uint64_t number, struct arena *arena, struct queue_step **ret, size_t *ret_n,
		struct fault *fault)
{
	struct journal_accept *accept = arena_alloc(arena, sizeof(*accept));
	struct bytes large = { arena_alloc(arena, 3 * LINK_PAYLOAD_MAX), 3 * LINK_PAYLOAD_MAX };

	accept->message = number;
	accept->trace = number == 1 ? large : BYTES_NULL; /* one that comes in parts */
	*ret = arena_alloc(arena, sizeof(**ret));
	**ret = (struct queue_step){ .type = JOURNAL_ACCEPT, .record = accept, .wall_us = 1 };
	*ret_n = 1;
	return run_yield(fault);
}

int queue_note(struct queue *queue, enum journal_type type, const void *record, struct fault *fault)
{
	abort(); /* a question makes no notes */
}

void keep_look(struct keep *keep)
{
}

void events_note(struct events *events, bool is_alarm, const char *kind, const char *text)
{
	abort();
}

void events_record(struct events *events, const struct book *book, enum journal_type type, const void *record,
		   uint64_t sequence, int64_t wall_us)
{
	abort();
}

void metrics_alarm(struct metrics *metrics, const char *kind)
{
	abort();
}

void metrics_record(struct metrics *metrics, const struct book *book, enum journal_type type, const void *record,
		    int64_t wall_us)
{
	abort();
}

/* --- what is said ---------------------------------------------------------------------------- */

static void put_frame(struct buf *to, uint16_t type, struct bytes payload)
{
	unsigned char head[LINK_HEAD] = { (unsigned char)payload.n, (unsigned char)(payload.n >> 8), 0, 0, (unsigned char)type,
					  (unsigned char)(type >> 8) };

	buf_append(to, head, sizeof(head));
	buf_append_bytes(to, payload);
}

static void put_questions(struct bytes in, struct buf *to)
{
	while (in.n >= 4) {
		unsigned type = (unsigned char)in.p[0], cut = (unsigned char)in.p[1];
		struct bytes payload = bytes_head(bytes_skip(in, 4), (unsigned char)in.p[2] | (size_t)(in.p[3] & 15) << 8);

		in = bytes_skip(in, 4 + payload.n);
		if (cut && payload.n > cut)
			put_frame(to, CONTROL_ASK_PART, bytes_head(payload, cut));
		put_frame(to, (uint16_t)(type < 16 ? type : 2 + type % (CONTROL_ASKS - 1)),
			  cut && payload.n > cut ? bytes_skip(payload, cut) : payload);
	}
}

/* --- what is answered ------------------------------------------------------------------------ */

static const struct field_table *const tables[CONTROL_SAYS + 1] = {
	[CONTROL_ROUTE] = &control_route_table, [CONTROL_LEG] = &control_leg_table, [CONTROL_COUNT] = &control_count_table,
	[CONTROL_MESSAGE] = &control_message_table, [CONTROL_STEP] = &control_step_table, [CONTROL_END] = &control_end_table,
	[CONTROL_REFUSED] = &link_word_table,
};

static void check_answer(uint16_t type, struct bytes payload)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	_Alignas(16) char answer[512];
	const struct control_step *step = (const void *)answer;
	struct fault fault;

	insist(type <= CONTROL_SAYS && tables[type] && tables[type]->size <= sizeof(answer));
	insist(fields_decode(tables[type], payload, &arena, answer, &fault) == 0);
	if (type == CONTROL_STEP) {
		_Alignas(16) char record[1024];
		const struct field_table *table = step->type < JOURNAL_TYPES ? journal_table((unsigned)step->type) : NULL;

		insist(table && table->size <= sizeof(record));
		insist(fields_decode(table, step->record, &arena, record, &fault) == 0);
	}
}

static int hear(void *arg, struct fault *fault)
{
	struct link *link = arg;
	_cleanup_(buf_done) struct buf payload = BUF_NULL;
	uint16_t type;
	int r;

	while ((r = control_next(link, CONTROL_SAY_MAX, &type, &payload, fault)) > 0)
		check_answer(type, buf_bytes(&payload));
	/* What the keeper says is frames to its end. */
	insist(r == 0 || fault->kind == FAULT_TRANSPORT);
	return 0;
}

struct scene {
	struct keeper k;
	struct queue queue;
	struct nursery nursery;
	struct stream *theirs;
	struct bytes input;
};

static int serve(void *arg, struct fault *fault)
{
	struct scene *s = arg;

	control_serve(&s->k, s->theirs, 0);
	return 0;
}

SUSPENDS static int talk(struct scene *s, struct fault *fault)
{
	_cleanup_(buf_done) struct buf said = BUF_NULL;
	struct stream *ours;
	struct link *link;

	if (s->input.n > 0 && s->input.p[0] == 'R')
		buf_append_bytes(&said, bytes_skip(s->input, 1));
	else
		put_questions(bytes_skip(s->input, 1), &said);
	memory_stream_pair(0, &ours, &s->theirs);
	ours->peer = s->theirs->peer = "the other end";
	nursery_init(&s->nursery, "fuzz");
	nursery_start(&s->nursery, serve, s, "keeper");
	link = link_new(ours, CONTROL_SAYS);
	nursery_start(&s->nursery, hear, link, "operator");
	/* It may hang up before it has read all. */
	if (stream_write(ours, buf_bytes(&said), fault) == 0)
		stream_shutdown(ours);
	insist(nursery_wait(&s->nursery, fault) == 0);
	link_free(link);
	insist(!s->k.are_routes_taken);
	return 0;
}

static void make_routes(struct queue *queue)
{
	_cleanup_(router_freep) struct router *empty = router_new((uint64_t[2]){ 1, 2 }, '+');
	struct router_change *change = router_change_new(empty);

	struct fault fault;

	insist(router_change_put(change, BYTES("@example.org"), ROUTE_UNKNOWN, 1, &fault) == 0);
	insist(router_change_put(change, BYTES("@example.net"), ROUTE_OLD, 1, &fault) == 0);
	insist(router_change_put(change, BYTES("anna@example.org"), ROUTE_NEW, 1, &fault) == 0);
	insist(router_change_alias(change, BYTES("info@example.org"), BYTES("anna@example.org"), 1, &fault) == 0);
	queue->router = router_change_finish(change, 1);
}

static int scene_main(void *arg, struct fault *fault)
{
	struct scene *s = arg;
	int r;

	make_routes(&s->queue);
	s->queue.book = book_new(1, 1);
	s->k.queue = &s->queue;
	waiters_init(&s->k.routes_given);
	r = talk(s, fault);
	book_free(s->queue.book);
	router_free(s->queue.router);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scene s = { .input = { (const char *)data, size } };
	struct fault fault;

	insist(run_main("fuzz", scene_main, &s, &fault) == 0);
	return 0;
}
