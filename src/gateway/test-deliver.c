/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery as a whole but for processes: a queue on disk, a courier over a stream in memory, servers on loopback. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "gateway/courier-frames.h"
#include "gateway/courier.h"
#include "gateway/deliver.h"
#include "gateway/test-sink.h"
#include "smtp/client.h"

/* --- a keeper -------------------------------------------------------------------------------- */

struct world {
	struct check *check;
	char folder[64];
	struct config config, next;
	struct endpoint hosts[BOOK_TARGETS][4];
	struct schedule_settings schedule[BOOK_TARGETS];
	struct sink *old, *new;
	struct queue *queue;
	struct deliver *deliver;
	struct nursery nursery; /* of everything */
	struct nursery couriers;
	struct buf alarms;
	int64_t life_us;
	size_t cache_bytes;
	bool no_courier, two_hosts;
	struct stream *to_courier;
	const struct config *config_of_courier; /* that is started next */
	unsigned n_ready, n_let_go;
	bool is_courier_over;
	int courier_result;
	struct fault courier_fault;
};

SUSPENDS static int run_courier(void *arg, struct fault *fault)
{
	return courier_serve(arg, fault);
}

static void courier_is_ready(void *arg)
{
	((struct world *)arg)->n_ready++;
}

SUSPENDS static int keep_courier(void *arg, struct fault *fault)
{
	struct world *w = arg;
	struct stream *stream = TAKE_PTR(w->to_courier);

	(void)fault;
	w->courier_result = deliver_courier(w->deliver, w->config_of_courier, stream, courier_is_ready, w, &w->courier_fault);
	w->is_courier_over = true;
	w->n_let_go += w->courier_result == 0;
	return 0;
}

static void start_courier(struct world *w)
{
	struct stream *courier;

	memory_stream_pair(0, &w->to_courier, &courier);
	nursery_start(&w->couriers, run_courier, courier, "courier");
	nursery_start(&w->nursery, keep_courier, w, "link");
}

SUSPENDS static int run_deliver(void *arg, struct fault *fault)
{
	struct world *w = arg;

	return deliver_run(w->deliver, fault);
}

static void alarm_came(void *arg, const char *kind, const char *text)
{
	struct world *w = arg;

	buf_appendf(&w->alarms, "%s: %s\n", kind, text);
}

static void set_platform(struct world *w, unsigned target, struct config_platform *platform, const char *name,
			 struct sink *sink)
{
	w->hosts[target][0] = (struct endpoint){ .scheme = CONFIG_SMTP, .host = "127.0.0.1", .port = sink_port(sink) };
	platform->name = name;
	platform->smtp = (struct config_smtp){
		.text = "smtp://127.0.0.1", .hosts = { w->hosts[target], 1 }, .tls = CONFIG_TLS_NONE,
		.connections = 5, .messages_a_connection = 100,
	};
	w->schedule[target] = (struct schedule_settings){
		.name = name, .hosts = 1, .first_backoff_us = 50 * MSEC, .most_backoff_us = 200 * MSEC,
	};
}

SUSPENDS static int open_queue(struct world *w, struct fault *fault)
{
	struct queue_settings settings = {
		.state = w->folder, .segment_size = 4 << 20, .life_us = w->life_us,
		.targets = { &w->schedule[BOOK_OLD], &w->schedule[BOOK_NEW] }, .own = BOOK_OLD,
		.cache_bytes = w->cache_bytes,
	};

	return queue_open(&settings, &w->queue, fault);
}

SUSPENDS static int open_world(struct world *w, const char *old, const char *new, struct fault *fault)
{
	struct deliver_settings settings = { .config = &w->config, .alarm = alarm_came, .arg = w,
					     .courier_timeout_us = 2 * SECOND, .doubt_first_us = 50 * MSEC,
					     .doubt_again_us = 50 * MSEC, .doubt_most_us = 200 * MSEC };

	snprintf(w->folder, sizeof(w->folder), "/tmp/test-deliver-XXXXXX");
	if (!mkdtemp(w->folder))
		return fault_local(fault, "no folder");
	w->old = sink_start(w->check, old, fault);
	w->new = sink_start(w->check, new, fault);
	set_platform(w, BOOK_OLD, &w->config.old, "old", w->old);
	set_platform(w, BOOK_NEW, &w->config.new, "new", w->new);
	if (w->two_hosts) {
		w->hosts[BOOK_NEW][1] = w->hosts[BOOK_OLD][0];
		w->config.new.smtp.hosts.n = w->schedule[BOOK_NEW].hosts = 2;
	}
	w->config_of_courier = &w->config;
	w->config.gateway.hostname = "gw.example";
	w->config.gateway.subaddress = "+";
	nursery_init(&w->nursery, "world");
	nursery_init(&w->couriers, "couriers");
	if (open_queue(w, fault) < 0)
		return -1;
	settings.queue = w->queue;
	w->deliver = deliver_new(&settings);
	nursery_start(&w->nursery, run_deliver, w, "delivery");
	if (!w->no_courier)
		start_courier(w);
	return 0;
}

SUSPENDS static int close_world(struct world *w, struct fault *fault)
{
	int r;

	deliver_stop(w->deliver);
	r = nursery_wait(&w->nursery, fault);
	nursery_done(&w->couriers);
	deliver_free(w->deliver);
	queue_close(w->queue);
	sink_stop(w->old);
	sink_stop(w->new);
	buf_done(&w->alarms);
	return r;
}

SUSPENDS static int route(struct world *w, const char *key, unsigned to, struct fault *fault)
{
	struct journal_route_entry entry = { .address = bytes_of(key), .route = to };
	struct journal_routes routes = { .operator = BYTES("test"), .reason = BYTES("test"), .entries = &entry,
					 .n_entries = 1 };

	return queue_change_routes(w->queue, &routes, fault);
}

static struct bytes trace(void *arg, uint64_t number, const char *queue_id)
{
	static char text[100];

	(void)arg;
	(void)number;
	snprintf(text, sizeof(text), "Received: by gw id %s;\r\n\tx\r\n", queue_id);
	return bytes_of(text);
}

/* To the words of `to` (at x.org), each with that NOTIFY. */
SUSPENDS static int accept_mail(struct world *w, const char *from, const char *to, unsigned notify, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct queue_accept accept = { .content = BYTES("Subject: hi\r\nMessage-ID: <1@y.org>\r\n\r\nbody\r\n"),
				       .trace = trace };
	struct journal_recipient recipients[32] = { { .notify = 0 } };
	struct bytes rest = bytes_of(to);
	size_t n = 0;
	uint64_t number;

	while (rest.n > 0 && n < 32) {
		struct bytes word = bytes_cut(&rest, ' ');

		recipients[n].notify = notify;
		recipients[n++].address = bytes_of(arena_printf(&arena, "%.*s@x.org", BYTES_ARG(word)));
	}
	accept.record = (struct journal_accept){
		.reverse_path = bytes_of(from), .size = accept.content.n, .recipients = recipients, .n_recipients = n,
		.peer = BYTES("192.0.2.1"), .helo = BYTES("c"), .message_id = BYTES("<1@y.org>"),
	};
	if (queue_put_content(w->queue, accept.content, &arena, &accept.record.bodies, &accept.record.n_bodies, fault) < 0)
		return -1;
	return queue_accept(w->queue, &accept, &number, fault);
}

/* Waits until so many legs are delivered, held and returned. */
SUSPENDS static int wait_tallies(struct world *w, uint64_t delivered, uint64_t held, uint64_t returned, struct fault *fault)
{
	const struct journal_tallies *t = book_tallies(queue_book(w->queue));

	for (int i = 0; i < 1000; i++) {
		if (t->delivered == delivered && t->held == held && t->returned == returned && t->attempting == 0)
			return 0;
		if (run_sleep(10 * MSEC, fault) < 0)
			return -1;
	}
	check_expect(w->check, false, __FILE__, __LINE__,
		     "delivered %llu, held %llu, returned %llu, open %llu, attempting %llu, doubt %llu",
		     (unsigned long long)t->delivered, (unsigned long long)t->held, (unsigned long long)t->returned,
		     (unsigned long long)t->open, (unsigned long long)t->attempting, (unsigned long long)t->doubt);
	return 0;
}

/* Waits until so many legs are held for that cause. */
SUSPENDS static int wait_held(struct world *w, const char *cause, size_t n, struct fault *fault)
{
	struct queue_filter filter = { .target = -1, .fate = JOURNAL_HELD, .cause = bytes_of(cause) };

	for (int i = 0; i < 1000; i++) {
		_cleanup_(arena_done) struct arena arena = { NULL };
		struct journal_leg first = { 0 };
		struct queue_row *rows;
		size_t n_rows;

		if (queue_list(w->queue, &filter, &first, 100, &arena, &rows, &n_rows, fault) < 0 ||
		    run_sleep(10 * MSEC, fault) < 0)
			return -1;
		if (n_rows == n)
			return 0;
	}
	check_expect(w->check, false, __FILE__, __LINE__, "not %zu legs are held for %s", n, cause);
	return 0;
}

struct test {
	struct check *check;
	const char *old, *new;
	int64_t life_us, route_fault_us;
	size_t cache_bytes;
	int doubt;
	bool no_courier, two_hosts;
	SUSPENDS int (*fn)(struct world *w, struct fault *fault);
};

SUSPENDS static int run_test(void *arg, struct fault *fault)
{
	struct test *test = arg;
	struct world *w = xzalloc(sizeof(*w));
	char command[100];
	int r;

	_deadline_(60 * SECOND);

	w->check = test->check;
	w->life_us = test->life_us;
	w->cache_bytes = test->cache_bytes;
	w->no_courier = test->no_courier;
	w->two_hosts = test->two_hosts;
	w->config.gateway.route_fault_us = test->route_fault_us;
	w->config.gateway.doubt = test->doubt;
	r = open_world(w, test->old ? test->old : "", test->new ? test->new : "", fault);
	if (r == 0)
		r = test->fn(w, fault);
	if (r == 0)
		r = close_world(w, fault);
	snprintf(command, sizeof(command), "rm -r %s", w->folder);
	if (system(command) != 0)
		r = -1;
	free(w);
	return r;
}

#define RUN(...)                                                                                   \
	do {                                                                                       \
		struct test test_ = { .check = check, __VA_ARGS__ };                              \
		struct fault fault_ = FAULT_INIT;                                                  \
		if (run_main("test", run_test, &test_, &fault_) < 0)                               \
			check_expect(check, false, __FILE__, __LINE__, "%s", fault_.text);         \
	} while (0)

#define W_EXPECT(condition) check_expect(w->check, (condition), __FILE__, __LINE__, "%s", #condition)

static bool has_books(struct world *w, const struct sink *sink, const char *want)
{
	return check_expect(w->check, strcmp(buf_str(&sink->books), want) == 0, __FILE__, __LINE__,
			    "the books are \"%s\", not \"%s\"", buf_str(&sink->books), want);
}

/* --- cases ----------------------------------------------------------------------------------- */

static int both_sides(struct world *w, struct fault *fault)
{
	if (route(w, "a@x.org", JOURNAL_ROUTE_OLD, fault) < 0 || route(w, "b@x.org", JOURNAL_ROUTE_NEW, fault) < 0 ||
	    route(w, "c@x.org", JOURNAL_ROUTE_NEW, fault) < 0 || accept_mail(w, "s@y.org", "a b c", 0, fault) < 0 ||
	    wait_tallies(w, 3, 0, 0, fault) < 0)
		return -1;

	has_books(w, w->old, "s>a\n");
	has_books(w, w->new, "s>b,c\n");
	W_EXPECT(bytes_starts(buf_bytes(&w->new->content), BYTES("Received: by gw id ")));
	W_EXPECT(bytes_find(buf_bytes(&w->new->content), BYTES(";\r\n\tx\r\nSubject: hi\r\nMessage-ID: <1@y.org>\r\n\r\nbody\r\n")) > 0);
	return 0;
}

static void by_routes(struct check *check)
{
	RUN(.fn = both_sides);
}

static int refused(struct world *w, struct fault *fault)
{
	if (route(w, "@x.org", JOURNAL_ROUTE_NEW, fault) < 0 || accept_mail(w, "s@y.org", "a b c", 0, fault) < 0 ||
	    wait_tallies(w, 3, 0, 1, fault) < 0) /* two of them, and the notification */
		return -1;

	has_books(w, w->new, "s>a,c\n");
	has_books(w, w->old, ">s\n");
	W_EXPECT(strstr(buf_str(&w->old->content), "Final-Recipient: rfc822; b@x.org\r\nAction: failed\r\nStatus: 5.1.1\r\n"));
	W_EXPECT(strstr(buf_str(&w->old->content), "\r\nSubject: hi\r\nMessage-ID: <1@y.org>\r\n"));
	W_EXPECT(w->alarms.n == 0);
	return 0;
}

static void a_refusal_is_returned(struct check *check)
{
	RUN(.fn = refused, .new = "rcpt=b 550 5.1.1 no such user");
}

static int not_told(struct world *w, struct fault *fault)
{
	if (route(w, "@x.org", JOURNAL_ROUTE_NEW, fault) < 0 || accept_mail(w, "", "b", 0, fault) < 0 ||
	    accept_mail(w, "s@y.org", "b", 1, fault) < 0 || wait_tallies(w, 0, 0, 2, fault) < 0)
		return -1;
	W_EXPECT(w->old->messages == 0);
	return 0;
}

static void nobody_is_told_who_does_not_want_it(struct check *check)
{
	RUN(.fn = not_told, .new = "rcpt=b 550 5.1.1 no such user");
}

/* T7: the route has just changed. */
static int route_fault(struct world *w, struct fault *fault)
{
	if (route(w, "@x.org", JOURNAL_ROUTE_NEW, fault) < 0 || accept_mail(w, "s@y.org", "a b", 0, fault) < 0 ||
	    wait_tallies(w, 1, 1, 0, fault) < 0)
		return -1;

	W_EXPECT(strstr(buf_str(&w->alarms), "route-fault: ") && strstr(buf_str(&w->alarms), "b@x.org"));
	W_EXPECT(w->old->messages == 0);
	return 0;
}

static void a_route_fault_is_held(struct check *check)
{
	RUN(.fn = route_fault, .new = "rcpt=b 550 5.1.1 no such user", .route_fault_us = HOUR);
}

static int told_of_success(struct world *w, struct fault *fault)
{
	if (route(w, "@x.org", JOURNAL_ROUTE_NEW, fault) < 0 || accept_mail(w, "s@y.org", "a", 2, fault) < 0 ||
	    wait_tallies(w, 2, 0, 0, fault) < 0)
		return -1;

	W_EXPECT(strstr(buf_str(&w->old->content), "Action: relayed\r\nStatus: 2.0.0\r\n"));
	return 0;
}

static void success_is_told_to_who_asked(struct check *check)
{
	RUN(.fn = told_of_success);
}

/* T1, T2, T4, T5, T8, T9: whatever a server does at first, each message arrives once in the end. */
static int in_the_end(struct world *w, struct fault *fault)
{
	if (route(w, "@x.org", JOURNAL_ROUTE_NEW, fault) < 0 || accept_mail(w, "s@y.org", "a", 0, fault) < 0 ||
	    accept_mail(w, "s@y.org", "b", 0, fault) < 0 || wait_tallies(w, 2, 0, 0, fault) < 0)
		return -1;
	W_EXPECT(w->new->messages == 2);
	return 0;
}

static void what_is_put_off_arrives(struct check *check)
{
	static const char *const scripts[] = {
		"greeting *1 421 4.7.0 busy+close", "mail *1 421 4.3.2 bye+close", "mail *1 451 4.3.0 later",
		"rcpt *1 450 4.2.0 later", "data *1 451 4.3.0 later", "end *1 451 4.3.0 later",
		"data *1 354 go+close", "greeting *1 close", "ehlo *1 421 4.3.2 bye+close",
		"rcpt *1 452 4.5.3 too many recipients",
	};

	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
		RUN(.fn = in_the_end, .new = scripts[i]);
}

/* T9, K16: the answer to the dot does not come, the message was taken. Nobody can look: again and flagged, by policy. */
static int doubtful(struct world *w, struct fault *fault)
{
	struct deliver_view view;

	if (route(w, "@x.org", JOURNAL_ROUTE_NEW, fault) < 0 || accept_mail(w, "s@y.org", "a", 0, fault) < 0 ||
	    wait_tallies(w, 1, 0, 0, fault) < 0)
		return -1;
	deliver_look(w->deliver, &view);
	W_EXPECT(w->new->messages == 2 && view.doubts_again == 1);
	return 0;
}

static int doubtful_held(struct world *w, struct fault *fault)
{
	if (route(w, "@x.org", JOURNAL_ROUTE_NEW, fault) < 0 || accept_mail(w, "s@y.org", "a", 0, fault) < 0 ||
	    wait_tallies(w, 0, 1, 0, fault) < 0)
		return -1;
	W_EXPECT(w->new->messages == 1 && strstr(buf_str(&w->alarms), "doubt: "));
	return 0;
}

static void a_doubt_is_settled_by_policy(struct check *check)
{
	RUN(.fn = doubtful, .new = "end *1 take+close", .doubt = CONFIG_DOUBT_AGAIN);
	RUN(.fn = doubtful_held, .new = "end *1 take+close", .doubt = CONFIG_DOUBT_HOLD);
}

/* A courier that dies with a job in its hands: what had no intent goes again, what had is in doubt. */
static int courier_dies(struct world *w, struct fault *fault)
{
	if (route(w, "@x.org", JOURNAL_ROUTE_NEW, fault) < 0 || accept_mail(w, "s@y.org", "a", 0, fault) < 0)
		return -1;
	for (int i = 0; i < 500 && w->new->counts[5] == 0 && w->new->counts[3] == 0; i++)
		if (run_sleep(2 * MSEC, fault) < 0)
			return -1;
	nursery_done(&w->couriers);
	nursery_init(&w->couriers, "couriers");
	start_courier(w);
	return wait_tallies(w, 1, 0, 0, fault);
}

static void a_courier_may_die(struct check *check)
{
	RUN(.fn = courier_dies, .new = "rcpt *1 hang");
	RUN(.fn = courier_dies, .new = "end *1 hang");
}

/* --- a courier that lies ----------------------------------------------------------------------- */

/* Takes the next job at the other end of a courier's link, and says that of it; that it ends there. */
SUSPENDS static int lie(struct world *w, const struct courier_result *result, struct fault *fault)
{
	_cleanup_(link_freep) struct link *link = NULL;
	struct link_frame frame;
	struct stream *stream;
	int r;

	memory_stream_pair(0, &w->to_courier, &stream);
	link = link_new(stream, ORDER_ORDERS);
	w->is_courier_over = false;
	nursery_start(&w->nursery, keep_courier, w, "link");
	courier_put_report(link, REPORT_READY, 0, NULL);
	while ((r = link_next(link, &frame, fault)) > 0)
		if (frame.type == ORDER_JOB)
			courier_put_report(link, REPORT_RESULT, frame.id, result);
	while (!w->is_courier_over)
		if (run_sleep(MSEC, fault) < 0)
			return -1;
	return 0;
}

static int lies(struct world *w, struct fault *fault)
{
	static const struct courier_outcome outcomes[] = {
		{ .outcome = SMTP_ACCEPTED, .code = 250 },
		{ .outcome = SMTP_DOUBT },
		{ .outcome = SMTP_DOUBT + 1 },
		{ .recipient = 1, .outcome = SMTP_TEMPORARY },
		{ .outcome = SMTP_PERMANENT, .about = SMTP_ABOUTS },
		{ .outcome = SMTP_TEMPORARY, .about = UINT32_MAX },
		{ .outcome = SMTP_TEMPORARY, .about = (uint64_t)1 << 32 },
		{ .outcome = SMTP_TEMPORARY, .stage = SMTP_AT_END + 1 },
		{ .outcome = SMTP_TEMPORARY, .code = 199 },
		{ .outcome = SMTP_TEMPORARY, .code = 600 },
		{ .outcome = SMTP_TEMPORARY, .code = 451, .enhanced = BYTES("4.x.1") },
		{ .outcome = SMTP_TEMPORARY, .code = 451, .enhanced = BYTES("4.1") },
		{ .outcome = SMTP_TEMPORARY, .code = 451, .enhanced = BYTES("4.1.1\r\nX: y") },
		{ .outcome = SMTP_TEMPORARY, .code = 451, .enhanced = BYTES("3.1.1") },
		{ .outcome = SMTP_TEMPORARY, .code = 451, .text = BYTES("a\r\nX: y") },
		{ .outcome = SMTP_TEMPORARY, .code = 451, .remote_id = BYTES("a\nb") },
	};
	static const struct courier_result ends[] = {
		{ .end = COURIER_STOPPED + 1 }, { .end = (uint64_t)1 << 32 }, { .code = 1000 },
		{ .text = BYTES("a\nb") }, { .tls = BYTES("TLS\x7f") },
	};

	if (route(w, "@x.org", JOURNAL_ROUTE_NEW, fault) < 0 || accept_mail(w, "s@y.org", "a", 0, fault) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(outcomes) + ARRAY_SIZE(ends); i++) {
		struct courier_outcome outcome = { .outcome = SMTP_TEMPORARY, .code = 451, .enhanced = BYTES("4.0.0") };
		struct courier_result result = { .n_outcomes = 0 };

		if (i < ARRAY_SIZE(outcomes))
			outcome = outcomes[i];
		else
			result = ends[i - ARRAY_SIZE(outcomes)];
		result.outcomes = &outcome;
		result.n_outcomes = 1;
		result.last = 1;
		if (lie(w, &result, fault) < 0)
			return -1;
		check_expect(w->check, w->courier_result < 0 && w->courier_fault.kind == FAULT_PROTOCOL, __FILE__, __LINE__,
			     "lie %zu was believed", i);
	}
	start_courier(w);
	if (wait_tallies(w, 1, 0, 0, fault) < 0)
		return -1;
	has_books(w, w->new, "s>a\n");
	return 0;
}

static void a_courier_is_not_believed(struct check *check)
{
	RUN(.fn = lies, .no_courier = true);
}

/* --- another configuration ----------------------------------------------------------------------- */

/* Two hosts, of which the first is slow, become one: the second. What is under way at the slow one keeps nobody waiting, and nobody is
 * sent to a host that is not there any more. */
static int reload(struct world *w, struct fault *fault)
{
	struct config *next = &w->next;
	const struct schedule_settings *targets[] = { &w->schedule[BOOK_OLD], &w->schedule[BOOK_NEW] };
	const bool others[] = { false, true };
	int64_t began;

	if (route(w, "@x.org", JOURNAL_ROUTE_NEW, fault) < 0 || accept_mail(w, "s@y.org", "a", 0, fault) < 0)
		return -1;
	while (w->new->counts[3] == 0) /* RCPT */
		if (run_sleep(MSEC, fault) < 0)
			return -1;
	began = run_now();

	*next = w->config;
	next->new.smtp.hosts = (struct endpoints){ &w->hosts[BOOK_NEW][1], 1 };
	w->config_of_courier = next;
	start_courier(w);
	while (w->n_ready < 2)
		if (run_sleep(MSEC, fault) < 0)
			return -1;
	W_EXPECT(w->old->messages == 0);
	w->schedule[BOOK_NEW].hosts = 1;
	queue_change_targets(w->queue, targets, others, 0);
	deliver_reload(w->deliver, next);
	w->config.new.smtp.hosts.p = NULL; /* nobody looks at it any more */
	w->config.gateway.hostname = NULL;
	for (unsigned i = 0; i < 20; i++)
		if (accept_mail(w, "s@y.org", "b c d", 0, fault) < 0)
			return -1;
	while (w->old->messages < 20)
		if (run_sleep(MSEC, fault) < 0)
			return -1;
	W_EXPECT(run_now() - began < 1500 * MSEC && w->n_let_go == 0);
	if (wait_tallies(w, 61, 0, 0, fault) < 0)
		return -1;
	W_EXPECT(w->old->messages == 21 && w->new->messages == 0);
	while (w->n_let_go == 0)
		if (run_sleep(MSEC, fault) < 0)
			return -1;
	return 0;
}

static void a_reload_stops_nothing(struct check *check)
{
	RUN(.fn = reload, .new = "rcpt hang", .two_hosts = true);
}

static int too_old(struct world *w, struct fault *fault)
{
	if (route(w, "@x.org", JOURNAL_ROUTE_NEW, fault) < 0 || accept_mail(w, "s@y.org", "a", 0, fault) < 0 ||
	    wait_tallies(w, 1, 0, 1, fault) < 0)
		return -1;
	/* Over while it waited, or at an answer. */
	W_EXPECT(strstr(buf_str(&w->old->content), "Action: failed\r\nStatus: 5.4.7\r\n") ||
		 strstr(buf_str(&w->old->content), "Action: failed\r\nStatus: 4.2.0\r\n"));
	W_EXPECT(strstr(buf_str(&w->old->content), "450"));
	return 0;
}

static void a_life_that_is_over(struct check *check)
{
	RUN(.fn = too_old, .new = "rcpt 450 4.2.0 later", .life_us = SECOND);
}

/* A bit of the first thing in the segments that reads so. */
static void damage(struct world *w, const char *what)
{
	char path[100], byte;
	_cleanup_(freep) char *all = NULL;
	struct stat st;
	ptrdiff_t at = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/journal/0000000001.seg", w->folder);
	fd = open(path, O_RDWR);
	if (fd >= 0 && fstat(fd, &st) == 0) {
		all = xmalloc((size_t)st.st_size);
		if (pread(fd, all, (size_t)st.st_size, 0) == st.st_size)
			at = bytes_find((struct bytes){ all, (size_t)st.st_size }, bytes_of(what));
	}
	W_EXPECT(at >= 0);
	if (at >= 0) {
		byte = (char)(all[at] ^ 1);
		W_EXPECT(pwrite(fd, &byte, 1, at) == 1);
	}
	close(fd);
}

/* What cannot be read of one message is that one's affair. */
static int damaged(struct world *w, const char *what, struct fault *fault)
{
	if (route(w, "@x.org", JOURNAL_ROUTE_HOLD, fault) < 0 || accept_mail(w, "s@y.org", "a b", 0, fault) < 0 ||
	    accept_mail(w, "s@y.org", "c", 0, fault) < 0)
		return -1;
	damage(w, what);
	if (route(w, "@x.org", JOURNAL_ROUTE_NEW, fault) < 0 || wait_tallies(w, 1, 2, 0, fault) < 0)
		return -1;
	has_books(w, w->new, "s>c\n");
	W_EXPECT(strstr(buf_str(&w->alarms), "damaged: message 1 cannot be delivered: "));
	return 0;
}

static int damaged_envelope(struct world *w, struct fault *fault)
{
	if (damaged(w, "Received: by gw id ", fault) < 0)
		return -1;
	W_EXPECT(w->new->connections == 1);
	return 0;
}

static int damaged_content(struct world *w, struct fault *fault)
{
	return damaged(w, "\r\n\r\nbody\r\n", fault);
}

/* A segment that is gone for a while: those messages are held, and go when they are released. */
static int lost_segment(struct world *w, struct fault *fault)
{
	struct queue_filter filter = { .target = -1, .cause = BYTES("damaged") };
	char path[100], aside[100];
	uint64_t n;

	snprintf(path, sizeof(path), "%s/journal/0000000001.seg", w->folder);
	snprintf(aside, sizeof(aside), "%s/aside", w->folder);
	if (route(w, "@x.org", JOURNAL_ROUTE_HOLD, fault) < 0 || accept_mail(w, "s@y.org", "a b", 0, fault) < 0)
		return -1;
	W_EXPECT(rename(path, aside) == 0);
	if (route(w, "@x.org", JOURNAL_ROUTE_NEW, fault) < 0 ||
	    wait_held(w, "damaged", 2, fault) < 0)
		return -1;
	W_EXPECT(rename(aside, path) == 0);
	if (queue_order(w->queue, QUEUE_RELEASE, &filter, "test", "it is back", &n, fault) < 0)
		return -1;
	W_EXPECT(n == 2);
	return wait_tallies(w, 2, 0, 0, fault);
}

static int damaged_and_old(struct world *w, struct fault *fault)
{
	schedule_pause(queue_target(w->queue, BOOK_NEW), MOMENT_NEVER);
	if (route(w, "@x.org", JOURNAL_ROUTE_NEW, fault) < 0 || accept_mail(w, "s@y.org", "a", 0, fault) < 0)
		return -1;
	damage(w, "Received: by gw id ");
	if (wait_tallies(w, 0, 1, 0, fault) < 0)
		return -1;
	W_EXPECT(strstr(buf_str(&w->alarms), "damaged: message 1 cannot be returned: "));
	W_EXPECT(w->old->messages == 0);
	return 0;
}

static void what_cannot_be_read_is_held(struct check *check)
{
	RUN(.fn = damaged_envelope, .cache_bytes = 1);
	RUN(.fn = damaged_content, .cache_bytes = 1);
	RUN(.fn = lost_segment, .cache_bytes = 1);
	RUN(.fn = damaged_and_old, .cache_bytes = 1, .life_us = SECOND);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "by routes", by_routes },
		{ "a refusal is returned", a_refusal_is_returned },
		{ "nobody is told who does not want it", nobody_is_told_who_does_not_want_it },
		{ "a route fault is held", a_route_fault_is_held },
		{ "success is told to who asked", success_is_told_to_who_asked },
		{ "what is put off arrives", what_is_put_off_arrives },
		{ "a doubt is settled by policy", a_doubt_is_settled_by_policy },
		{ "a courier may die", a_courier_may_die },
		{ "a courier is not believed", a_courier_is_not_believed },
		{ "a reload stops nothing", a_reload_stops_nothing },
		{ "a life that is over", a_life_that_is_over },
		{ "what cannot be read is held", what_cannot_be_read_is_held },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
