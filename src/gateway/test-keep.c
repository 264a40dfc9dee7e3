/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting, from a client's words to the journal and back: an edge and a keeper in one loop, with a link and clients in memory and
 * a journal on disk. And an edge that says what it may not. */
/* Cases run on the stack that main() has, which is large. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

#include <stdio.h>
#include <sys/socket.h>

#include "base/xalloc.h"
#include "gateway/edge.h"
#include "gateway/keep.h"
#include "journal/audit.h"
#include "journal/inside.h"
#include "lib/check.h"
#include "os/testing.h"

struct scene {
	struct check *check;
	struct testing_folder folder;
	char journal[300];
	struct keeper k;
	struct config config;
	struct queue_settings settings;
	struct nursery nursery;
	struct edge edge;
	struct keep_edge *keeps;
	struct listener *listener; /* of the edge; NULL: none */
	int edge_result;
	struct fault edge_fault;
	struct stream *raw; /* the edge's end of the link, when there is no edge */
	int served;
	struct fault why;
	bool over;
	int (*run)(struct scene *scene, struct fault *fault);
};

/* --- both ends ------------------------------------------------------------------------------- */

static int run_edge(void *arg, struct fault *fault)
{
	struct scene *s = arg;

	(void)fault;
	s->edge_result = edge_serve(&s->edge, false, &s->edge_fault);
	link_free(TAKE_PTR(s->edge.link)); /* as the end of a process does */
	return 0;
}

static int run_keep(void *arg, struct fault *fault)
{
	struct scene *s = arg;

	s->served = keep_edge_serve(s->keeps, &s->why);
	s->over = true;
	return 0;
}

static void set_config(struct scene *s)
{
	static const char *const domains[] = { "example.org", "example.net", NULL };
	struct config_gateway *g = &s->config.gateway;

	g->hostname = "mx.example.org";
	g->domains = domains;
	g->max_message = 1 << 20;
	g->max_recipients = 1000;
	g->sessions = 8;
	g->sessions_per_address = 4;
	g->received_limit = 10;
	g->queue_life_us = 24 * HOUR;
	s->k.config = &s->config;
}

SUSPENDS static int set_routes(struct scene *s, struct fault *fault)
{
	struct journal_route_entry entries[] = {
		{ .address = BYTES("@example.org"), .route = JOURNAL_ROUTE_OLD },
		{ .address = BYTES("@example.net"), .route = JOURNAL_ROUTE_UNKNOWN },
		{ .address = BYTES("anna@example.net"), .route = JOURNAL_ROUTE_NEW },
	};
	struct journal_routes routes = { .operator = BYTES("test"), .entries = entries, .n_entries = ARRAY_SIZE(entries) };

	return queue_change_routes(s->k.queue, &routes, fault);
}

SUSPENDS static int open_keeper(struct scene *s, struct fault *fault)
{
	s->settings = (struct queue_settings){ .state = s->folder.path, .segment_size = 4 << 20 };
	if (queue_open(&s->settings, &s->k.queue, fault) < 0)
		return -1;
	if (set_routes(s, fault) < 0)
		return -1;
	return keep_open(&s->k, fault);
}

SUSPENDS static void close_keeper(struct scene *s)
{
	s->k.keep = keep_free(s->k.keep);
	s->k.queue = queue_close(s->k.queue);
}

/* with: an edge at the other end; else s->raw is it. */
static void connect_edge(struct scene *s, bool with)
{
	struct stream *a, *b;

	memory_stream_pair(0, &a, &b);
	a->peer = b->peer = "the other end";
	s->over = false;
	s->k.max_size = s->k.config->gateway.max_message;
	s->keeps = keep_edge_new(s->k.keep, &s->config.gateway, a, 1);
	nursery_start(&s->nursery, run_keep, s, "keep");
	if (!with) {
		s->raw = b;
		return;
	}
	s->edge = (struct edge){ .link = link_new(b, KEEP_FRAMES) };
	map_init(&s->edge.addresses, 1);
	if (s->listener) {
		s->edge.listeners = xzalloc(sizeof(struct listener *));
		s->edge.listeners[s->edge.n_listeners++] = TAKE_PTR(s->listener);
	}
	nursery_start(&s->nursery, run_edge, s, "edge");
}

SUSPENDS static void disconnect_edge(struct scene *s)
{
	nursery_done(&s->nursery);
	nursery_init(&s->nursery, "scene");
	s->keeps = keep_edge_free(s->keeps);
	if (s->raw)
		s->raw = stream_free(s->raw);
	edge_done(&s->edge);
}

static int scene_main(void *arg, struct fault *fault)
{
	struct scene *s = arg;
	int r;

	nursery_init(&s->nursery, "scene");
	s->k.nursery = &s->nursery;
	s->k.seed[0] = 1;
	waiters_init(&s->k.changed);
	if (open_keeper(s, fault) < 0)
		return -1;
	r = s->run(s, fault);
	nursery_done(&s->nursery);
	if (s->keeps)
		disconnect_edge(s);
	close_keeper(s);
	return r;
}

static void play(struct check *check, struct scene *s, int (*run)(struct scene *s, struct fault *fault))
{
	struct fault fault = FAULT_INIT;
	int r;

	*s = (struct scene){ .check = check, .run = run };
	testing_folder_make(&s->folder);
	snprintf(s->journal, sizeof(s->journal), "%s/journal", s->folder.path);
	set_config(s);
	r = run_main("main", scene_main, s, &fault);
	if (r < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK(!check->failed);
}

/* The journal proves itself, and has so many messages and legs that are held. */
static void audit(struct check *check, struct scene *s, uint64_t messages, uint64_t legs, uint64_t held)
{
	struct journal_audit_options options = { NULL };
	struct journal_audit result;
	struct fault fault;

	CHECK_EQ(journal_audit(s->journal, &options, &result, &fault), 0);
	CHECK_EQ((int64_t)result.found, 0);
	CHECK_EQ((int64_t)result.tallies.messages, (int64_t)messages);
	CHECK_EQ((int64_t)result.tallies.legs, (int64_t)legs);
	CHECK_EQ((int64_t)result.tallies.held, (int64_t)held);
	testing_folder_remove(&s->folder);
}

/* --- clients --------------------------------------------------------------------------------- */

static struct stream *client_new(struct scene *s)
{
	struct ip address = { .family = 4, .bytes = { 192, 0, 2, 1 } };
	struct stream *a, *b;

	memory_stream_pair(0, &a, &b);
	edge_take(&s->edge, b, "test", &address, 12345);
	return a;
}

/* Reads one reply, of any number of lines; its last line goes to `to`. */
SUSPENDS static int hear(struct stream *client, char to[300], struct fault *fault)
{
	size_t n = 0;

	while (n < 299) {
		int got = stream_read(client, to + n, 1, fault);

		if (got <= 0)
			return got < 0 ? -1 : fault_transport(fault, "the edge hung up");
		n++;
		if (to[n - 1] != '\n')
			continue;
		to[n] = '\0';
		if (n > 3 && to[3] != '-')
			return 0;
		n = 0;
	}
	return fault_protocol(fault, "a long reply");
}

/* want: how the reply begins; NULL: it is not waited for. */
SUSPENDS static int say(struct scene *s, struct stream *client, const char *words, const char *want, struct fault *fault)
{
	char reply[300];

	if (stream_write(client, bytes_of(words), fault) < 0)
		return -1;
	if (!want)
		return 0;
	if (hear(client, reply, fault) < 0)
		return fault_prefix(fault, "after %.60s", words);
	check_expect(s->check, strncmp(reply, want, strlen(want)) == 0, __FILE__, __LINE__, "%.60s: %s", words, reply);
	return 0;
}

SUSPENDS static int greet(struct scene *s, struct stream *client, struct fault *fault)
{
	char reply[300];

	if (hear(client, reply, fault) < 0)
		return -1;
	return say(s, client, "EHLO client.example\r\n", "250 ", fault);
}

/* A message to one recipient, up to the dot and what is said to it: `to` has its text. */
SUSPENDS static int send_to(struct scene *s, struct stream *client, const char *rcpt, const char *content, char to[300],
			    struct fault *fault)
{
	if (say(s, client, "MAIL FROM:<a@sender.example>\r\n", "250", fault) < 0 || say(s, client, rcpt, "250", fault) < 0 ||
	    say(s, client, "DATA\r\n", "354", fault) < 0 || say(s, client, content, NULL, fault) < 0)
		return -1;
	return to ? hear(client, to, fault) : 0;
}

#define RCPT "RCPT TO:<Bob@example.org>\r\n"
#define CONTENT "Subject: one\r\nMessage-ID: <1@sender.example>\r\n\r\nhello\r\n.\r\n"

/* --- cases ----------------------------------------------------------------------------------- */

static int take_one(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	_cleanup_(stream_freep) struct stream *client = NULL;
	char reply[300], want[64];

	connect_edge(s, true);
	if (run_sleep(10 * MSEC, fault) < 0)
		return -1;
	client = client_new(s);
	if (greet(s, client, fault) < 0 || send_to(s, client, RCPT, CONTENT, reply, fault) < 0)
		return -1;
	snprintf(want, sizeof(want), "250 2.0.0 Ok: queued as %s-000001\r\n", journal_id(queue_journal(s->k.queue)));
	EXPECT(strcmp(reply, want) == 0);
	EXPECT(s->k.keep->counts.accepted == 1 && inbound_count(s->k.keep->inbound) == 1);
	/* It goes on, so it has heard: nothing is kept of it. */
	if (say(s, client, "QUIT\r\n", "221", fault) < 0 || run_sleep(10 * MSEC, fault) < 0)
		return -1;
	EXPECT(inbound_count(s->k.keep->inbound) == 0);
	return 0;
}

static void takes_one(struct check *check)
{
	struct scene s;

	play(check, &s, take_one);
	audit(check, &s, 1, 1, 0);
}

static int judge_recipients(struct scene *s, struct fault *fault)
{
	_cleanup_(stream_freep) struct stream *client = NULL;

	connect_edge(s, true);
	if (run_sleep(10 * MSEC, fault) < 0)
		return -1;
	client = client_new(s);
	if (greet(s, client, fault) < 0 || say(s, client, "MAIL FROM:<>\r\n", "250", fault) < 0 ||
	    say(s, client, "RCPT TO:<bob@example.com>\r\n", "550 5.7.1", fault) < 0 ||
	    say(s, client, "RCPT TO:<bob@example.net>\r\n", "550 5.1.1", fault) < 0 ||
	    say(s, client, "RCPT TO:<ANNA@Example.NET>\r\n", "250", fault) < 0 ||
	    say(s, client, "RCPT TO:<postmaster>\r\n", "250", fault) < 0 ||
	    say(s, client, "RCPT TO:<postmaster@example.net>\r\n", "250", fault) < 0)
		return -1;
	s->k.is_unsure = true;
	if (say(s, client, "RCPT TO:<bob@example.net>\r\n", "451 4.3.0", fault) < 0)
		return -1;
	s->config.gateway.unsure = CONFIG_UNSURE_HOLD;
	if (say(s, client, "RCPT TO:<bob@example.net>\r\n", "250", fault) < 0)
		return -1;
	s->k.is_unsure = false;
	s->config.gateway.unknown = CONFIG_UNKNOWN_DEFER;
	return say(s, client, "RCPT TO:<carl@example.net>\r\n", "451 4.1.1", fault);
}

SUSPENDS static int ask_for_anna(struct scene *s, struct stream *client, uint64_t *ret_asked, struct fault *fault)
{
	uint64_t before = s->k.keep->counts.asked;

	if (say(s, client, "RSET\r\n", "250", fault) < 0 || say(s, client, "MAIL FROM:<>\r\n", "250", fault) < 0 ||
	    say(s, client, "RCPT TO:<Anna@example.net>\r\n", "250", fault) < 0)
		return -1;
	*ret_asked = s->k.keep->counts.asked - before;
	return 0;
}

/* A yes is asked for once, until something changes that it depends on; a no each time. */
static int ask_once(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	_cleanup_(stream_freep) struct stream *client = NULL;
	uint64_t first, second, third, before;

	connect_edge(s, true);
	if (run_sleep(10 * MSEC, fault) < 0)
		return -1;
	client = client_new(s);
	if (greet(s, client, fault) < 0 || ask_for_anna(s, client, &first, fault) < 0 || ask_for_anna(s, client, &second, fault) < 0)
		return -1;
	s->k.is_unsure = true;
	keep_look(s->k.keep);
	keep_look(s->k.keep);
	if (run_sleep(10 * MSEC, fault) < 0 || ask_for_anna(s, client, &third, fault) < 0)
		return -1;
	EXPECT(first == 1 && second == 0 && third == 1);
	before = s->k.keep->counts.asked;
	if (say(s, client, "RCPT TO:<bob@example.net>\r\n", "451 4.3.0", fault) < 0 ||
	    say(s, client, "RCPT TO:<bob@example.net>\r\n", "451 4.3.0", fault) < 0)
		return -1;
	EXPECT(s->k.keep->counts.asked == before + 2);
	return 0;
}

static void asks_once(struct check *check)
{
	struct scene s;

	play(check, &s, ask_once);
	audit(check, &s, 0, 0, 0);
}

static void judges_recipients(struct check *check)
{
	struct scene s;

	play(check, &s, judge_recipients);
	audit(check, &s, 0, 0, 0);
}

/* Pieces of every size about a frame's; the audit holds the content against its digest. */
static int take_large(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	_cleanup_(stream_freep) struct stream *client = NULL;
	static const size_t sizes[] = { 0, 1, 65530, 65536 - 13, 65536, 65537, 131072 - 13, 200000, 1048576 - 13 };
	char reply[300];

	connect_edge(s, true);
	if (run_sleep(10 * MSEC, fault) < 0)
		return -1;
	client = client_new(s);
	if (greet(s, client, fault) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_(buf_done) struct buf content = BUF_NULL;
		int r;

		buf_append_str(&content, "A: b\r\n\r\n");
		for (size_t n = 0; n < sizes[i]; n++)
			buf_append_char(&content, "0123456789abcdef"[n * 7 % 16]);
		buf_append_str(&content, "\r\n.\r\n");
		r = send_to(s, client, RCPT, buf_str(&content), reply, fault);
		if (r < 0)
			return -1;
		EXPECT(strncmp(reply, "250", 3) == 0);
		/* it was remembered where the pieces are, and is no longer */
		EXPECT(sizes[i] < 2 * LINK_PAYLOAD_MAX || queue_journal(s->k.queue)->kept_size >= 2);
		EXPECT(queue_journal(s->k.queue)->n_kept == 0);
	}
	return 0;
}

static void takes_large(struct check *check)
{
	struct scene s;

	play(check, &s, take_large);
	audit(check, &s, 9, 9, 0);
}

/* --- listening ------------------------------------------------------------------------------- */

/* A session that outlives its listener, as after a reload. */
static int stop_listening(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	_cleanup_(stream_freep) struct stream *client = NULL;
	char reply[300];

	_deadline_(10 * SECOND);

	if (listener_new("127.0.0.1", 0, &s->listener, fault) < 0)
		return -1;
	connect_edge(s, true);
	if (tcp_connect("127.0.0.1", listener_port(s->edge.listeners[0]), &client, fault) < 0 || greet(s, client, fault) < 0)
		return -1;
	keep_edge_stop(s->keeps, 5 * SECOND, false);
	if (run_sleep(50 * MSEC, fault) < 0)
		return -1;
	EXPECT(s->edge.n_listeners == 0);
	if (send_to(s, client, RCPT, CONTENT, reply, fault) < 0)
		return -1;
	EXPECT(strncmp(reply, "250", 3) == 0);
	return say(s, client, "QUIT\r\n", "221", fault);
}

static void outlives_its_listener(struct check *check)
{
	struct scene s;

	play(check, &s, stop_listening);
	audit(check, &s, 1, 1, 0);
}

static int go_deaf(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	_cleanup_(stream_freep) struct stream *client = NULL;
	struct listener *listener;

	_deadline_(10 * SECOND);

	if (listener_new("127.0.0.1", 0, &s->listener, fault) < 0)
		return -1;
	listener = s->listener;
	connect_edge(s, true);
	if (tcp_connect("127.0.0.1", listener_port(listener), &client, fault) < 0 || greet(s, client, fault) < 0)
		return -1;
	/* accept() says EINVAL from now on. */
	EXPECT(shutdown(listener_fd(listener), SHUT_RD) == 0);
	while (!s->over)
		if (run_sleep(10 * MSEC, fault) < 0)
			return -1;
	EXPECT(s->edge_result < 0 && s->edge_fault.kind == FAULT_LOCAL && s->served < 0);
	return 0;
}

static void does_not_stay_deaf(struct check *check)
{
	struct scene s;

	play(check, &s, go_deaf);
	audit(check, &s, 0, 0, 0);
}

/* --- who did not hear ------------------------------------------------------------------------ */

SUSPENDS static int send_and_go(struct scene *s, bool hears, char reply[300], struct fault *fault)
{
	_cleanup_(stream_freep) struct stream *client = client_new(s);

	if (greet(s, client, fault) < 0 || send_to(s, client, RCPT, CONTENT, hears ? reply : NULL, fault) < 0)
		return -1;
	return hears ? say(s, client, "NOOP\r\n", "250", fault) : 0;
}

/* Who has read the 250 and closes has heard it. */
static int leave_without_quit(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	char reply[300], want[32];

	for (int i = 4; i < 6; i++) {
		_cleanup_(stream_freep) struct stream *client = client_new(s);

		if (greet(s, client, fault) < 0 || send_to(s, client, RCPT, CONTENT, reply, fault) < 0)
			return -1;
		snprintf(want, sizeof(want), "-00000%d\r\n", i);
		EXPECT(strstr(reply, want));
		client = stream_free(client);
		if (run_sleep(100 * MSEC, fault) < 0)
			return -1;
	}
	EXPECT(s->k.keep->counts.suppressed == 1);
	return 0;
}

static int repeat(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	char first[300], again[300], third[300];

	connect_edge(s, true);
	if (run_sleep(10 * MSEC, fault) < 0)
		return -1;
	/* Gone before the reply: accepted, and nobody knows. */
	if (send_and_go(s, false, NULL, fault) < 0 || run_sleep(200 * MSEC, fault) < 0)
		return -1;
	EXPECT(s->k.keep->counts.accepted == 1);
	/* The same after a restart of the edge and of the keeper. */
	disconnect_edge(s);
	close_keeper(s);
	if (open_keeper(s, fault) < 0)
		return -1;
	connect_edge(s, true);
	if (run_sleep(10 * MSEC, fault) < 0)
		return -1;
	if (send_and_go(s, true, first, fault) < 0)
		return -1;
	EXPECT(strstr(first, "-000001\r\n") && s->k.keep->counts.suppressed == 1);
	/* Heard that time: what comes now is meant. */
	if (send_and_go(s, true, again, fault) < 0 || send_and_go(s, true, third, fault) < 0)
		return -1;
	EXPECT(strstr(again, "-000002\r\n") && strstr(third, "-000003\r\n") && s->k.keep->counts.suppressed == 1);
	return leave_without_quit(s, fault);
}

static void gives_the_first_id(struct check *check)
{
	struct scene s;

	play(check, &s, repeat);
	audit(check, &s, 5, 5, 0);
}

/* --- fronts ----------------------------------------------------------------------------------- */

/* Sessions that a front makes its clients' own count for these, not for the front. */
static int count_clients(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	struct stream *clients[6] = { NULL };
	_cleanup_(stream_freep) struct stream *last = NULL;
	struct network front;
	int r = 0;

	connect_edge(s, true);
	if (run_sleep(10 * MSEC, fault) < 0 || network_parse(BYTES("192.0.2.1"), &front, fault) < 0)
		return -1;
	s->edge.trusted = (struct networks){ &front, 1 };
	for (size_t i = 0; i < ARRAY_SIZE(clients) && r == 0; i++) {
		clients[i] = client_new(s);
		r = greet(s, clients[i], fault);
	}
	for (size_t i = 0; i < 5 && r == 0; i++)
		r = say(s, clients[i], "XCLIENT ADDR=192.0.2.77\r\n", i < 4 ? "220" : "421 4.7.0", fault);
	if (r == 0)
		r = say(s, clients[5], "XCLIENT ADDR=192.0.2.78\r\n", "220", fault);
	/* One of them ends: there is room again. */
	clients[0] = stream_free(clients[0]);
	if (r == 0 && run_sleep(50 * MSEC, fault) == 0) {
		last = client_new(s);
		r = greet(s, last, fault) < 0 ? -1 : say(s, last, "XCLIENT ADDR=192.0.2.77\r\n", "220", fault);
	}
	for (size_t i = 1; i < ARRAY_SIZE(clients); i++)
		clients[i] = stream_free(clients[i]);
	if (r == 0 && run_sleep(50 * MSEC, fault) == 0) {
		EXPECT(map_count(&s->edge.addresses) == 1);
		r = say(s, last, "QUIT\r\n", "221", fault);
	}
	s->edge.trusted = (struct networks){ NULL, 0 };
	return r;
}

static void counts_a_fronts_clients(struct check *check)
{
	struct scene s;

	play(check, &s, count_clients);
	audit(check, &s, 0, 0, 0);
}

/* --- loops ----------------------------------------------------------------------------------- */

static int go_round(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	_cleanup_(stream_freep) struct stream *client = NULL;
	_cleanup_(buf_done) struct buf many = BUF_NULL;
	char reply[300], id[QUEUE_ID_SIZE];
	unsigned char token[TOKEN_SIZE];

	connect_edge(s, true);
	if (run_sleep(10 * MSEC, fault) < 0)
		return -1;
	client = client_new(s);
	for (int i = 0; i < 11; i++)
		buf_appendf(&many, "Received: from a by b; %d\r\n", i);
	buf_append_str(&many, "\r\nround\r\n.\r\n");
	if (greet(s, client, fault) < 0 || send_to(s, client, RCPT, buf_str(&many), reply, fault) < 0)
		return -1;
	EXPECT(s->k.keep->counts.looped == 1);

	/* Back with our token: once is a forward, twice is a circle. A token that is not ours is nothing. */
	buf_reset(&many);
	queue_id_write(id, journal_id(queue_journal(s->k.queue)), 1);
	token_make(s->k.keep->tokens, bytes_of(id), token);
	buf_appendf(&many, "X-Mailferry-Trace: %s ", id);
	for (size_t i = 0; i < TOKEN_SIZE; i++)
		buf_appendf(&many, "%02x", token[i]);
	buf_append_str(&many, "\r\n\r\nround\r\n.\r\n");
	if (send_to(s, client, RCPT, buf_str(&many), reply, fault) < 0)
		return -1;
	EXPECT(s->k.keep->counts.looped == 1);
	if (send_to(s, client, "RCPT TO:<carl@example.org>\r\n", buf_str(&many), reply, fault) < 0)
		return -1;
	EXPECT(s->k.keep->counts.looped == 1);
	if (send_to(s, client, RCPT, buf_str(&many), reply, fault) < 0)
		return -1;
	EXPECT(s->k.keep->counts.looped == 2);
	many.p[many.n - 20] ^= 1; /* the token's last digit */
	if (send_to(s, client, RCPT, buf_str(&many), reply, fault) < 0)
		return -1;
	EXPECT(s->k.keep->counts.looped == 2 && s->k.keep->counts.accepted == 5);
	return 0;
}

static void holds_loops(struct check *check)
{
	struct scene s;

	play(check, &s, go_round);
	audit(check, &s, 5, 5, 2);
}

/* --- an edge that lies ------------------------------------------------------------------------- */

struct lie {
	const char *name;
	struct journal_accept accept;
	struct journal_recipient recipient;
	uint16_t type;
	uint64_t id;
	unsigned times;
	bool is_fine;
};

static const struct lie lies[] = {
	{ "a fine one", { .helo = BYTES("x") }, { .address = BYTES("bob@example.org") }, EDGE_FINISH, 1, 1, true },
	{ "nobody", { .helo = BYTES("x") }, { .address = BYTES_NULL }, EDGE_FINISH, 1, 1, false },
	{ "no address", { .helo = BYTES("x") }, { .address = BYTES("bob@@example.org") }, EDGE_FINISH, 1, 1, false },
	{ "a line in an address", { .helo = BYTES("x") }, { .address = BYTES("bob\r\n@example.org") }, EDGE_FINISH, 1, 1, false },
	{ "a line in HELO", { .helo = BYTES("x\r\nEvil: y") }, { .address = BYTES("bob@example.org") }, EDGE_FINISH, 1, 1, false },
	{ "a line in TLS", { .tls_version = BYTES("x\n") }, { .address = BYTES("bob@example.org") }, EDGE_FINISH, 1, 1, false },
	{ "a line in ORCPT", { .helo = BYTES("x") }, { .address = BYTES("bob@example.org"), .orcpt = BYTES("a\rb") }, EDGE_FINISH, 1, 1, false },
	{ "a parameter in ORCPT", { .helo = BYTES("x") }, { .address = BYTES("bob@example.org"), .orcpt = BYTES("rfc822;a X=y") }, EDGE_FINISH, 1, 1, false },
	{ "a parameter in ENVID", { .envid = BYTES("a X=y") }, { .address = BYTES("bob@example.org") }, EDGE_FINISH, 1, 1, false },
	{ "never and more", { .helo = BYTES("x") }, { .address = BYTES("bob@example.org"), .notify = 3 }, EDGE_FINISH, 1, 1, false },
	{ "a sender that is none", { .reverse_path = BYTES("<x") }, { .address = BYTES("bob@example.org") }, EDGE_FINISH, 1, 1, false },
	{ "a slot that is not there", { .helo = BYTES("x") }, { .address = BYTES("bob@example.org") }, EDGE_FINISH, 8, 1, false },
	{ "two at once", { .helo = BYTES("x") }, { .address = BYTES("carl@example.org") }, EDGE_FINISH, 1, 2, false },
	{ "an answer to nothing", { .helo = BYTES("x") }, { .address = BYTES("bob@example.org") }, EDGE_FRAMES + 1, 1, 1, false },
	{ "ready twice", { .helo = BYTES("x") }, { .address = BYTES("bob@example.org") }, EDGE_READY, 1, 2, false },
	{ "content in small pieces", { .helo = BYTES("x") }, { .address = BYTES("bob@example.org") }, EDGE_BODY, 1, 2, false },
};

static void put_lie(struct link *link, const struct lie *lie)
{
	_cleanup_(buf_done) struct buf accept = BUF_NULL, payload = BUF_NULL;
	struct journal_accept record = lie->accept;
	struct journal_recipient recipient = lie->recipient;
	struct edge_finish finish = { 0 };

	record.recipients = &recipient;
	record.n_recipients = recipient.address.n > 0;
	record.protocol = BYTES("ESMTP");
	fields_encode(journal_table(JOURNAL_ACCEPT), &record, &accept);
	finish.accept = buf_bytes(&accept);
	fields_encode(&edge_finish_table, &finish, &payload);
	for (unsigned i = 0; i < lie->times; i++)
		link_put(link, lie->type, lie->id, buf_bytes(&payload), BYTES_NULL);
}

static int lie(struct scene *s, struct fault *fault)
{
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct link *link;
		uint64_t before = s->k.keep->counts.accepted, accepts;

		connect_edge(s, false);
		link = link_new(TAKE_PTR(s->raw), KEEP_FRAMES);
		put_lie(link, &lies[i]);
		accepts = (lies[i].is_fine || lies[i].times == 2) * (lies[i].type == EDGE_FINISH);
		for (int tries = 0; tries < 200 && (s->over == lies[i].is_fine || s->k.keep->counts.accepted - before < accepts); tries++)
			if (run_sleep(25 * MSEC, fault) < 0)
				return -1;
		check_expect(s->check, s->over != lies[i].is_fine && (!s->over || s->why.kind == FAULT_PROTOCOL), __FILE__,
			     __LINE__, "%s: %s", lies[i].name, s->over ? s->why.text : "was believed");
		check_expect(s->check, s->k.keep->counts.accepted - before == accepts,
			     __FILE__, __LINE__, "%s: %s", lies[i].name, "another count");
		link_free(link);
		disconnect_edge(s);
	}
	return 0;
}

static void does_not_believe(struct check *check)
{
	struct scene s;

	play(check, &s, lie);
	audit(check, &s, 2, 2, 0);
}

/* Random bytes in frames of every type: the keeper ends the edge, and stays. */
static int babble(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	uint64_t chance = 12345;

	for (unsigned round = 0; round < 300; round++) {
		struct link *link;
		char payload[64];

		connect_edge(s, false);
		link = link_new(TAKE_PTR(s->raw), KEEP_FRAMES);
		for (unsigned i = 0; i < 8; i++) {
			for (size_t n = 0; n < sizeof(payload); n++) {
				chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407;
				payload[n] = (char)(n % 3 ? chance >> 33 & 7 : chance >> 33);
			}
			link_put(link, (uint16_t)(1 + (chance >> 40) % EDGE_FRAMES), chance >> 50 & 3,
				 (struct bytes){ payload, chance >> 44 & 63 }, BYTES_NULL);
		}
		if (run_yield(fault) < 0 || run_yield(fault) < 0)
			return -1;
		link_free(link);
		disconnect_edge(s);
	}
	EXPECT(!queue_failed(s->k.queue));
	return 0;
}

static void outlives_babble(struct check *check)
{
	struct scene s;

	play(check, &s, babble);
	audit(check, &s, 0, 0, 0);
}

/* Beginnings of envelopes in every slot it has: how many until it is ended. */
static int hoard(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	_cleanup_(buf_done) struct buf piece = BUF_NULL;
	struct link *link;
	unsigned n = 0;

	_deadline_(30 * SECOND);

	memset(buf_reserve(&piece, LINK_PAYLOAD_MAX), 'x', LINK_PAYLOAD_MAX);
	piece.n = LINK_PAYLOAD_MAX;
	s->config.gateway.sessions = 1000;
	connect_edge(s, false);
	link = link_new(TAKE_PTR(s->raw), KEEP_FRAMES);
	/* Dropped ones do not count. */
	for (; n < 2000 && !s->over; n++) {
		link_put(link, EDGE_ENVELOPE, n % 1000, buf_bytes(&piece), BYTES_NULL);
		if (n < 600)
			link_put(link, EDGE_DROP, n % 1000, BYTES_NULL, BYTES_NULL);
		if (run_yield(fault) < 0)
			return -1;
	}
	EXPECT(s->over && s->served < 0 && s->why.kind == FAULT_PROTOCOL);
	check_expect(check, n > 800 && n < 1000, __FILE__, __LINE__, "ended after %u", n);
	link_free(link);
	disconnect_edge(s);
	return 0;
}

static void bounds_envelopes(struct check *check)
{
	struct scene s;

	play(check, &s, hoard);
	audit(check, &s, 0, 0, 0);
}

/* --- who may come ------------------------------------------------------------------------------ */

static int crowd(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	struct stream *clients[6];
	char reply[300];

	connect_edge(s, true);
	if (run_sleep(10 * MSEC, fault) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		clients[i] = client_new(s);
		if (hear(clients[i], reply, fault) < 0)
			return -1;
		EXPECT(strncmp(reply, i < 4 ? "220" : "421", 3) == 0);
	}
	stream_free(clients[0]);
	if (run_sleep(10 * MSEC, fault) < 0)
		return -1;
	clients[0] = client_new(s);
	if (hear(clients[0], reply, fault) < 0)
		return -1;
	EXPECT(strncmp(reply, "220", 3) == 0);
	/* Told to stop: who is there is served to his end. */
	keep_edge_stop(s->keeps, MINUTE, false);
	if (say(s, clients[1], "EHLO x.example\r\n", "250 ", fault) < 0 ||
	    send_to(s, clients[1], RCPT, CONTENT, reply, fault) < 0)
		return -1;
	EXPECT(strncmp(reply, "250", 3) == 0 && !s->over);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		stream_free(clients[i]);
	if (run_sleep(50 * MSEC, fault) < 0)
		return -1;
	EXPECT(s->over && s->served == 0);
	return 0;
}

static void bounds_clients(struct check *check)
{
	struct scene s;

	play(check, &s, crowd);
	audit(check, &s, 1, 1, 0);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "takes a message", takes_one },
		{ "asks once for a recipient that is taken", asks_once },
		{ "judges recipients", judges_recipients },
		{ "takes large messages", takes_large },
		{ "a session outlives its listener", outlives_its_listener },
		{ "an edge that cannot listen any more ends", does_not_stay_deaf },
		{ "gives the first one's id to who did not hear", gives_the_first_id },
		{ "holds what goes round", holds_loops },
		{ "counts a front's clients", counts_a_fronts_clients },
		{ "does not believe an edge", does_not_believe },
		{ "outlives an edge's babble", outlives_babble },
		{ "bounds an edge's envelopes", bounds_envelopes },
		{ "bounds clients", bounds_clients },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
