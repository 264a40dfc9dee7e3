/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's socket: questions and answers, and what is no question. An operator and a keeper in one loop. */
/* Cases run on the stack that main() has, which is large. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

#include <stdio.h>

#include "base/rand.h"
#include "base/xalloc.h"
#include "gateway/control-frames.h"
#include "gateway/control.h"
#include "gateway/link-frames.h"
#include "gateway/testing-keeper.h"
#include "lib/check.h"
#include "os/testing.h"

enum { SEED = 20261201, QUESTIONS = 800 };

struct scene {
	struct check *check;
	struct testing_folder folder;
	struct testing_keeper keeper;
	struct nursery nursery;
	struct stream *theirs; /* the keeper's end */
	bool over;             /* it ended the connection */
	int (*run)(struct scene *s, struct fault *fault);
};

/* What was answered. */
struct said {
	unsigned n[CONTROL_SAYS + 1];
	struct control_end end;
	bool is_refused;
	char why[512], first[200]; /* first: name or key of the first route or leg */
};

/* --- the scene ------------------------------------------------------------------------------- */

static int serve(void *arg, struct fault *fault)
{
	struct scene *s = arg;

	control_serve(&s->keeper.k, s->theirs, 0);
	s->over = true;
	return 0;
}

static struct stream *connect_raw(struct scene *s)
{
	struct stream *ours;

	memory_stream_pair(0, &ours, &s->theirs);
	ours->peer = s->theirs->peer = "the other end";
	s->over = false;
	nursery_start(&s->nursery, serve, s, "operator");
	return ours;
}

static struct link *connect(struct scene *s)
{
	return link_new(connect_raw(s), CONTROL_SAYS);
}

static int scene_main(void *arg, struct fault *fault)
{
	struct scene *s = arg;
	int r;

	nursery_init(&s->nursery, "scene");
	r = testing_keeper_open(&s->keeper, s->folder.path, fault);
	if (r == 0)
		r = s->run(s, fault);
	nursery_done(&s->nursery);
	testing_keeper_close(&s->keeper);
	return r;
}

static void remove_folder(const char *path, const char *name)
{
	struct testing_folder folder;

	snprintf(folder.path, sizeof(folder.path), "%.100s/%s", path, name);
	testing_folder_remove(&folder);
}

static void play(struct check *check, int (*run)(struct scene *s, struct fault *fault))
{
	struct scene s = { .check = check, .run = run };
	struct fault fault = FAULT_INIT;
	int r;

	testing_folder_make(&s.folder);
	r = run_main("test", scene_main, &s, &fault);
	remove_folder(s.folder.path, "journal/checkpoints");
	remove_folder(s.folder.path, "journal");
	remove_folder(s.folder.path, "gateway");
	testing_folder_remove(&s.folder);
	if (r < 0)
		CHECK_FAIL("%s", fault.text);
}

/* --- asking ---------------------------------------------------------------------------------- */

static const struct field_table *const tables[] = {
	[CONTROL_ROUTE] = &control_route_table, [CONTROL_LEG] = &control_leg_table, [CONTROL_COUNT] = &control_count_table,
	[CONTROL_MESSAGE] = &control_message_table, [CONTROL_STEP] = &control_step_table, [CONTROL_END] = &control_end_table,
	[CONTROL_REFUSED] = &link_word_table,
};

static void hear(struct said *said, uint16_t type, const void *answer)
{
	const struct control_route *route = answer;
	const struct control_leg *leg = answer;
	struct bytes first = BYTES_NULL;

	said->n[type]++;
	switch (type) {
	case CONTROL_ROUTE:
		first = route->name;
		break;
	case CONTROL_LEG:
		first = leg->key;
		break;
	case CONTROL_END:
		said->end = *(const struct control_end *)answer;
		break;
	case CONTROL_REFUSED:
		said->is_refused = true;
		snprintf(said->why, sizeof(said->why), "%.*s", BYTES_ARG(((const struct link_word *)answer)->text));
		break;
	default:
		break;
	}
	if (first.n && !said->first[0])
		snprintf(said->first, sizeof(said->first), "%.*s", BYTES_ARG(first));
}

/* 1: answered. 0: the connection was ended. */
SUSPENDS static int ask(struct link *link, uint16_t type, const struct control_ask *question, struct said *said, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(buf_done) struct buf payload = BUF_NULL;
	_Alignas(16) char answer[512];
	uint16_t of;
	int r;

	*said = (struct said){ .is_refused = false };
	if (question)
		control_put(link, type, CONTROL_ASK_PART, &control_ask_table, question, &payload);
	while ((r = control_next(link, CONTROL_SAY_MAX, &of, &payload, fault)) > 0) {
		arena_reset(&arena);
		if (fields_decode(tables[of], buf_bytes(&payload), &arena, answer, fault) < 0)
			return -1;
		hear(said, of, answer);
		if (of == CONTROL_END || of == CONTROL_REFUSED)
			return 1;
	}
	return r;
}

/* On a connection of its own. */
SUSPENDS static int ask_once(struct scene *s, uint16_t type, const struct control_ask *question, struct said *said,
			     struct fault *fault)
{
	struct link *link = connect(s);
	int r = ask(link, type, question, said, fault);

	link_free(link);
	nursery_done(&s->nursery);
	nursery_init(&s->nursery, "scene");
	return r;
}

/* --- routes ---------------------------------------------------------------------------------- */

static int routes(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	struct control_name names[] = { { BYTES("Anna+x@EXAMPLE.org") }, { BYTES("@Example.ORG") }, { BYTES("bob@example.net") } };
	struct control_ask question = { .names = names, .n_names = 3 }, set = { .names = names, .n_names = 3, .route = JOURNAL_ROUTE_NEW };
	struct control_name bad[] = { { BYTES("bob@example.org") }, { BYTES("x@elsewhere.example") } };
	struct control_ask refused = { .names = bad, .n_names = 2, .route = JOURNAL_ROUTE_OLD };
	struct link *link = connect(s);
	struct said said;
	uint64_t epoch = router_epoch(queue_router(s->keeper.k.queue));

	if (ask(link, CONTROL_ROUTE_SHOW, &(struct control_ask){ .n_names = 0 }, &said, fault) < 0)
		return -1;
	EXPECT(said.n[CONTROL_ROUTE] == 3 && said.end.n == 3 && said.end.epoch == epoch);
	if (ask(link, CONTROL_ROUTE_SHOW, &question, &said, fault) < 0)
		return -1;
	EXPECT(said.n[CONTROL_ROUTE] == 3 && strcmp(said.first, "Anna+x@EXAMPLE.org") == 0);
	if (ask(link, CONTROL_ROUTE_SET, &refused, &said, fault) < 0)
		return -1;
	EXPECT(said.is_refused && strstr(said.why, "none of the gateway's domains"));
	EXPECT(router_epoch(queue_router(s->keeper.k.queue)) == epoch);
	if (ask(link, CONTROL_ROUTE_SET, &set, &said, fault) < 0)
		return -1;
	EXPECT(!said.is_refused && said.end.n == 3 && said.end.epoch == epoch + 1);
	EXPECT(router_find(queue_router(s->keeper.k.queue), BYTES("nobody@example.org")).route == ROUTE_NEW);
	EXPECT(router_find(queue_router(s->keeper.k.queue), BYTES("anna@example.org")).route == ROUTE_OLD);
	EXPECT(router_find(queue_router(s->keeper.k.queue), BYTES("anna+x@example.org")).route == ROUTE_NEW);
	for (uint64_t route = 0; route < 10; route++) {
		set.route = route;
		if (ask(link, CONTROL_ROUTE_SET, &set, &said, fault) < 0)
			return -1;
		EXPECT(said.is_refused == (route < JOURNAL_ROUTE_OLD || route > JOURNAL_ROUTE_HOLD));
	}
	set.n_names = 0;
	if (ask(link, CONTROL_ROUTE_SET, &set, &said, fault) < 0)
		return -1;
	EXPECT(said.is_refused);
	link_free(link);
	return 0;
}

static void about_routes(struct check *check)
{
	play(check, routes);
}

/* --- the queue, traces ----------------------------------------------------------------------- */

enum { MANY = 620 }; /* more than a page */

static int queue(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	struct control_name name = { BYTES("anna@example.org") };
	struct control_ask question = { .target = BOOK_OLD + 1 }, named = { .names = &name, .n_names = 1 };
	struct link *link = connect(s);
	struct said said;
	uint64_t number;

	for (unsigned i = 0; i < MANY; i++) {
		char id[40];

		snprintf(id, sizeof(id), "<%u@far.example>", i);
		if (testing_keeper_accept(&s->keeper, "x@far.example", "anna@example.org", id, &number, fault) < 0)
			return -1;
	}
	if (ask(link, CONTROL_QUEUE_LIST, &question, &said, fault) < 0)
		return -1;
	EXPECT(said.n[CONTROL_LEG] == MANY && said.end.n == MANY);
	question.limit = 501;
	if (ask(link, CONTROL_QUEUE_LIST, &question, &said, fault) < 0)
		return -1;
	EXPECT(said.n[CONTROL_LEG] == 501);
	question = (struct control_ask){ .target = BOOK_NEW + 1 };
	if (ask(link, CONTROL_QUEUE_LIST, &question, &said, fault) < 0)
		return -1;
	EXPECT(said.n[CONTROL_LEG] == 0);
	if (ask(link, CONTROL_QUEUE_COUNT, &question, &said, fault) < 0)
		return -1;
	EXPECT(said.n[CONTROL_COUNT] == 1 && said.end.n == MANY);

	named.order = QUEUE_HOLD + 1;
	named.reason = BYTES("why not");
	if (ask(link, CONTROL_QUEUE_ORDER, &named, &said, fault) < 0)
		return -1;
	EXPECT(said.end.n == MANY && book_count(queue_book(s->keeper.k.queue), BOOK_OLD, JOURNAL_HELD) == MANY);
	if (ask(link, CONTROL_QUEUE_ORDER, &named, &said, fault) < 0)
		return -1;
	EXPECT(said.end.n == 0);
	named.order = QUEUE_RELEASE + 1;
	if (ask(link, CONTROL_QUEUE_ORDER, &named, &said, fault) < 0)
		return -1;
	EXPECT(said.end.n == MANY && book_count(queue_book(s->keeper.k.queue), BOOK_OLD, JOURNAL_OPEN) == MANY);

	for (uint64_t limit = 0; limit < 700; limit += 300) {
		named = (struct control_ask){ .names = &name, .n_names = 1, .limit = limit };
		if (ask(link, CONTROL_TRACE, &named, &said, fault) < 0)
			return -1;
		EXPECT(said.n[CONTROL_MESSAGE] == (limit && limit < MANY ? limit : MANY));
		EXPECT(said.n[CONTROL_STEP] == 3 * said.n[CONTROL_MESSAGE]); /* accepted, held, released */
		EXPECT(said.n[CONTROL_LEG] == said.n[CONTROL_MESSAGE]);
		EXPECT(said.end.n + said.end.more == MANY);
	}
	name.text = BYTES("nobody@example.org");
	if (ask(link, CONTROL_TRACE, &named, &said, fault) < 0)
		return -1;
	EXPECT(said.n[CONTROL_MESSAGE] == 0 && said.end.n == 0 && said.end.more == 0);
	link_free(link);
	return 0;
}

static void about_the_queue(struct check *check)
{
	play(check, queue);
}

/* --- what is no question ----------------------------------------------------------------------- */

/* The words of a refusal, on a connection that goes on. */
SUSPENDS static int refused(struct scene *s, uint16_t type, const struct control_ask *question, const char *words,
			    struct fault *fault)
{
	struct check *check = s->check;
	struct said said;

	if (ask_once(s, type, question, &said, fault) < 0)
		return -1;
	check_expect(check, said.is_refused && strstr(said.why, words), __FILE__, __LINE__, "\"%s\" does not say \"%s\"", said.why, words);
	return 0;
}

static int wrong(struct scene *s, struct fault *fault)
{
	_cleanup_(freep) char *much = xmalloc(2000);
	struct control_name name = { { much, 1001 } }, empty = { BYTES_NULL }, odd = { BYTES("no queue id") };
	struct control_name address = { BYTES("anna@example.org") };

	memset(much, 'a', 2000);
	if (refused(s, CONTROL_ROUTE_SHOW, &(struct control_ask){ .names = &name, .n_names = 1 }, "longer than 1,000", fault) < 0 ||
	    refused(s, CONTROL_ROUTE_SHOW, &(struct control_ask){ .names = &empty, .n_names = 1 }, "empty", fault) < 0 ||
	    refused(s, CONTROL_ROUTE_SHOW, &(struct control_ask){ .names = &odd, .n_names = 1 }, "is no address", fault) < 0 ||
	    refused(s, CONTROL_QUEUE_LIST, &(struct control_ask){ .names = &odd, .n_names = 1 }, "no queue id", fault) < 0 ||
	    refused(s, CONTROL_QUEUE_LIST, &(struct control_ask){ .target = 4 }, "too large", fault) < 0 ||
	    refused(s, CONTROL_QUEUE_LIST, &(struct control_ask){ .fate = JOURNAL_FATES }, "too large", fault) < 0 ||
	    refused(s, CONTROL_QUEUE_ORDER, &(struct control_ask){ .order = 4 }, "too large", fault) < 0 ||
	    refused(s, CONTROL_QUEUE_ORDER, &(struct control_ask){ .order = 0 }, "no order", fault) < 0 ||
	    refused(s, CONTROL_QUEUE_ORDER, &(struct control_ask){ .order = UINT64_MAX }, "too large", fault) < 0 ||
	    refused(s, CONTROL_QUEUE_ORDER, &(struct control_ask){ .order = 1, .reason = { much, 513 } }, "too long", fault) < 0 ||
	    refused(s, CONTROL_QUEUE_LIST, &(struct control_ask){ .cause = { much, 2000 } }, "too long", fault) < 0)
		return -1;
	return refused(s, CONTROL_ROUTE_SET, &(struct control_ask){ .names = &address, .n_names = 1, .operator = { much, 513 },
								    .route = JOURNAL_ROUTE_NEW }, "too long", fault);
}

static void questions_that_are_wrong(struct check *check)
{
	play(check, wrong);
}

/* Says these bytes and nothing more. Whatever is answered to that (words are in it, or NULL), the next operator is served. */
SUSPENDS static int say_raw_for(struct scene *s, struct bytes bytes, const char *words, struct fault *fault)
{
	struct check *check = s->check;
	struct stream *stream = connect_raw(s);
	struct said said;
	_cleanup_(buf_done) struct buf heard = BUF_NULL;
	int n = 1;

	if (stream_write(stream, bytes, fault) == 0) {
		stream_shutdown(stream);
		while (n > 0) {
			n = stream_read(stream, buf_reserve(&heard, 4096), 4096, fault);
			heard.n += n > 0 ? (size_t)n : 0;
		}
	}
	EXPECT(!words || bytes_find(buf_bytes(&heard), bytes_of(words)) >= 0);
	stream_free(stream);
	nursery_done(&s->nursery);
	nursery_init(&s->nursery, "scene");
	EXPECT(s->over);
	if (ask_once(s, CONTROL_ROUTE_SHOW, &(struct control_ask){ .n_names = 0 }, &said, fault) < 0)
		return -1;
	EXPECT(said.end.n == 3);
	return 0;
}

SUSPENDS static int say_raw(struct scene *s, struct bytes bytes, struct fault *fault)
{
	return say_raw_for(s, bytes, NULL, fault);
}

static void put_frame(struct buf *to, uint32_t length, uint16_t type, struct bytes payload)
{
	unsigned char head[LINK_HEAD] = { (unsigned char)length, (unsigned char)(length >> 8), (unsigned char)(length >> 16),
					  (unsigned char)(length >> 24), (unsigned char)type, (unsigned char)(type >> 8) };

	buf_append(to, head, sizeof(head));
	buf_append_bytes(to, payload);
}

static int hostile(struct scene *s, struct fault *fault)
{
	_cleanup_(buf_done) struct buf raw = BUF_NULL;
	_cleanup_(freep) char *much = xzalloc(LINK_PAYLOAD_MAX);
	struct rand rand;

	rand_init(&rand, SEED);
	if (say_raw(s, BYTES_NULL, fault) < 0 || say_raw(s, BYTES("GET / HTTP/1.0\r\n\r\n"), fault) < 0)
		return -1;
	for (unsigned type = 0; type < 12; type++) { /* each type, with bytes that are no fields */
		buf_reset(&raw);
		put_frame(&raw, 3, (uint16_t)type, BYTES("\xff\xff\xff"));
		put_frame(&raw, 0, CONTROL_QUEUE_COUNT, BYTES_NULL);
		if (say_raw(s, buf_bytes(&raw), fault) < 0)
			return -1;
	}
	buf_reset(&raw);
	put_frame(&raw, UINT32_MAX, CONTROL_TRACE, BYTES("x"));
	if (say_raw(s, buf_bytes(&raw), fault) < 0)
		return -1;
	/* a question that ends in the middle, and one in parts that never ends */
	if (say_raw(s, bytes_head(buf_bytes(&raw), 10), fault) < 0)
		return -1;
	buf_reset(&raw);
	for (unsigned i = 0; i < CONTROL_ASK_MAX / LINK_PAYLOAD_MAX + 2; i++)
		put_frame(&raw, LINK_PAYLOAD_MAX, CONTROL_ASK_PART, (struct bytes){ much, LINK_PAYLOAD_MAX });
	if (say_raw_for(s, buf_bytes(&raw), "bytes at once", fault) < 0)
		return -1;
	for (unsigned i = 0; i < 300; i++) {
		unsigned char bytes[64];
		size_t n = (size_t)rand_below(&rand, sizeof(bytes));

		buf_reset(&raw);
		for (size_t j = 0; j < n; j++)
			bytes[j] = (unsigned char)(rand_below(&rand, 3) ? rand_below(&rand, 12) : rand_u64(&rand));
		put_frame(&raw, (uint32_t)n, (uint16_t)rand_below(&rand, 10), (struct bytes){ (const char *)bytes, n });
		if (say_raw(s, buf_bytes(&raw), fault) < 0)
			return -1;
	}
	return 0;
}

static void what_is_no_question(struct check *check)
{
	printf("# seed %d\n", SEED);
	play(check, hostile);
}

/* --- any questions ----------------------------------------------------------------------------- */

static struct bytes any_name(struct rand *rand)
{
	static const struct bytes names[] = { { "anna@example.org", 16 }, { "@example.org", 12 }, { "<1@far.example>", 15 },
					      { "bob@example.net", 15 }, { "x@far.example", 13 }, { "@", 1 }, { "k3f9z-000001", 12 },
					      { "\"a b\"@example.org", 17 }, { "@example.net", 12 }, { "anna+y@example.org", 18 },
					      { "\xff@example.org", 13 }, { "a@[192.0.2.1]", 13 }, { "no address", 10 } };

	return names[rand_below(rand, ARRAY_SIZE(names))];
}

static uint64_t small_number(struct rand *rand)
{
	return rand_below(rand, 20) ? rand_below(rand, 7) : rand_u64(rand);
}

/* Each is answered or refused; books and journal stay in step. */
static int any(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	struct link *link = connect(s);
	struct said said;
	struct rand rand;
	unsigned n_refused = 0;
	uint64_t number;

	rand_init(&rand, SEED);
	for (unsigned i = 0; i < QUESTIONS && !check->failed; i++) {
		const struct journal_tallies *t = book_tallies(queue_book(s->keeper.k.queue));
		struct control_name names[4];
		struct control_ask question = { .names = names, .n_names = (size_t)rand_below(&rand, 4), .route = small_number(&rand),
						.order = small_number(&rand) % 5, .target = small_number(&rand) % 4,
						.fate = small_number(&rand), .limit = rand_below(&rand, 3),
						.operator = BYTES("me"), .reason = any_name(&rand) };

		if (rand_below(&rand, 10) == 0 &&
		    testing_keeper_accept(&s->keeper, "x@far.example", rand_below(&rand, 2) ? "anna@example.org bob@example.net" : "x@example.org",
				       "<1@far.example>", &number, fault) < 0)
			return -1;
		for (size_t j = 0; j < 4; j++)
			names[j].text = any_name(&rand);
		if (ask(link, (uint16_t)(CONTROL_ROUTE_SHOW + rand_below(&rand, CONTROL_ASKS - 1)), &question, &said, fault) <= 0)
			return EXPECT(!"it went away"), -1;
		n_refused += said.is_refused;
		EXPECT(t->legs == t->open + t->attempting + t->doubt + t->held + t->delivered + t->returned);
	}
	EXPECT(n_refused > QUESTIONS / 10 && n_refused < QUESTIONS * 9 / 10);
	EXPECT(!queue_failed(s->keeper.k.queue));
	link_free(link);
	return 0;
}

static void any_questions(struct check *check)
{
	printf("# seed %d\n", SEED);
	play(check, any);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "routes", about_routes },
		{ "queue and traces", about_the_queue },
		{ "questions that are wrong", questions_that_are_wrong },
		{ "what is no question", what_is_no_question },
		{ "any questions", any_questions },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
