/* SPDX-License-Identifier: Apache-2.0 */
/* The edge's process: settings from the keeper, walls, listeners, who is served and who is not. */
#include "gateway/edge.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "os/process.h"
#include "os/sandbox.h"
#include "os/spawn.h"

#define COUNTS_EVERY (2 * SECOND)
#define WITHOUT_ACCEPTING (200 * MSEC) /* for want of descriptors, memory … */

/* --- settings -------------------------------------------------------------------------------- */

static void set_limits(struct edge *edge, const struct keep_setup *setup)
{
	struct smtp_settings *to = &edge->settings;

	*to = (struct smtp_settings){
		.hostname = arena_str(&edge->arena, setup->hostname), .offered = (unsigned)setup->offered,
		.max_size = setup->max_message, .max_recipients = (unsigned)setup->max_recipients, .max_errors = 20,
		.max_refused = 10 * (unsigned)setup->max_recipients + 1000,
		.max_idle_commands = 100, .command_us = 5 * MINUTE, .data_us = 3 * MINUTE,
		.handshake_us = MINUTE, .finish_us = 10 * MINUTE, .min_rate = 500,
		.normalise = setup->normalise, .refuse_nul = true,
	};
	run_random(&to->seed, sizeof(to->seed));
	edge->max_sessions = (unsigned)setup->sessions;
	edge->max_per_address = (unsigned)setup->sessions_per_address;
	edge->proxy = setup->proxy;
}

static int set_trusted(struct edge *edge, const struct keep_setup *setup, struct fault *fault)
{
	edge->trusted.p = arena_alloc(&edge->arena, (setup->n_trusted + 1) * sizeof(*edge->trusted.p));
	for (; edge->trusted.n < setup->n_trusted; edge->trusted.n++)
		if (network_parse(setup->trusted[edge->trusted.n].text, &edge->trusted.p[edge->trusted.n], fault) < 0)
			return -1;

	return 0;
}

static int set_tls(struct edge *edge, const struct keep_setup *setup, struct fault *fault)
{
	const char *cert = arena_str(&edge->arena, setup->cert_file);
	const char *key = arena_str(&edge->arena, setup->key_file.n ? setup->key_file : setup->cert_file);

	return setup->cert_file.n ? tls_server_context_new(cert, key, &edge->settings.tls, fault) : 0;
}

/* Certificates are read here, before the walls. */
SUSPENDS static int set_up(struct edge *edge, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct keep_setup setup;
	struct link_frame frame;
	int got = link_next(edge->link, &frame, fault);

	if (got < 0)
		return -1;
	if (got == 0)
		return fault_cancelled(fault);
	if (frame.type != KEEP_SETUP)
		return fault_protocol(fault, "the keeper did not begin with the settings");
	if (fields_decode(&keep_setup_table, frame.payload, &arena, &setup, fault) < 0)
		return -1;

	set_limits(edge, &setup);
	if (set_trusted(edge, &setup, fault) < 0)
		return -1;
	return set_tls(edge, &setup, fault);
}

/* --- sessions -------------------------------------------------------------------------------- */

/* An IPv4 address, or the /64 of an IPv6 one. */
static struct bytes prefix_of(const struct ip *address, char to[40])
{
	size_t n = address->family == 6 ? 8 : 4;

	to[0] = (char)address->family;
	memcpy(to + 1, address->bytes, n);
	return (struct bytes){ to, n + 1 };
}

static bool count_address(struct edge_session *s, const struct ip *address)
{
	struct bytes key = prefix_of(address, s->prefix);
	uintptr_t n = (uintptr_t)map_get(&s->edge->addresses, key);

	if (n >= s->edge->max_per_address)
		return false;
	map_put(&s->edge->addresses, key, (void *)(n + 1));
	s->counted = key.n;
	return true;
}

static void uncount_address(struct edge_session *s)
{
	struct bytes key = { s->prefix, s->counted };
	uintptr_t n = (uintptr_t)map_get(&s->edge->addresses, key);

	if (key.n == 0)
		return;
	s->counted = 0;
	if (n > 1)
		map_put(&s->edge->addresses, key, (void *)(n - 1));
	else
		map_remove(&s->edge->addresses, key);
}

static bool is_trusted(const struct edge *edge, const struct ip *address)
{
	for (size_t i = 0; i < edge->trusted.n; i++)
		if (network_holds(&edge->trusted.p[i], address))
			return true;

	return false;
}

bool edge_session_is_of(struct edge_session *s, const struct ip *address)
{
	uncount_address(s);
	return is_trusted(s->edge, address) || address->family == 0 || count_address(s, address);
}

static void session_free(struct edge_session *s)
{
	if (s->slot)
		edge_slot_leave(s->edge, s->slot);
	uncount_address(s);
	s->edge->counts.sessions--;
	s->edge->counts_changed = true;
	waiters_wake_all(&s->edge->ended);
	stream_free(s->stream);
	buf_done(&s->body);
	free(s);
}

SUSPENDS static int session(void *arg, struct fault *fault)
{
	struct edge_session *s = arg;
	struct edge *edge = s->edge;

	s->fiber = run_fiber();
	/* However it ended: it is one client's affair. */
	(void)smtp_serve(&s->stream, &edge->settings, &s->peer, &s->host, fault);
	session_free(s);
	return 0;
}

/* One line, as far as the socket takes it, and the end. */
static void turn_away(struct edge *edge, struct stream *stream, const char *line)
{
	struct fault unheard;

	edge->counts.turned_away++;
	edge->counts_changed = true;
	if (stream_enqueue(stream, bytes_of(line), &unheard) == 0)
		stream_shutdown(stream);
	stream_free(stream);
}

void edge_take(struct edge *edge, struct stream *stream, const char *listener, const struct ip *address, uint16_t port)
{
	bool trusted = is_trusted(edge, address);
	struct edge_session *s = xzalloc(sizeof(*s));

	edge->counts.connections++;
	s->host.ops = &edge_host_ops;
	s->edge = edge;
	s->stream = stream;
	s->listener = listener;
	s->peer = (struct smtp_peer){ .address = *address, .port = port, .must_proxy = trusted && edge->proxy,
				      .may_xclient = trusted, .may_xforward = trusted };
	waiters_init(&s->answered);
	if (!edge_session_is_of(s, address)) {
		turn_away(edge, stream, "421 4.7.0 " EDGE_TOO_MANY "\r\n");
		free(s);
		return;
	}
	s->slot = edge_slot_take(edge);
	if (!s->slot) {
		turn_away(edge, stream, "421 4.3.2 Too many connections, try again later\r\n");
		uncount_address(s);
		free(s);
		return;
	}

	s->slot->session = s;
	edge->counts.sessions++;
	edge->counts_changed = true;
	nursery_start(&edge->sessions, session, s, "session %u", s->slot->index);
}

/* --- listening ------------------------------------------------------------------------------- */

struct accepting {
	struct edge *edge;
	struct listener *listener;
	const char *name; /* sessions outlive the listener */
};

SUSPENDS static int accept_all(void *arg, struct fault *fault)
{
	struct accepting *a = arg;

	for (;;) {
		struct stream *stream;
		struct ip address;
		uint16_t port;

		if (listener_accept_from(a->listener, &stream, &address, &port, fault) == 0) {
			edge_take(a->edge, stream, a->name, &address, port);
			if (run_yield(fault) < 0)
				return -1;
			continue;
		}
		if (fault->kind != FAULT_LIMIT)
			break;
		a->edge->counts.accept_errors++;
		a->edge->counts_changed = true;
		if (run_sleep(WITHOUT_ACCEPTING, fault) < 0)
			return -1;
	}
	/* An edge that does not hear is worse than none: there will be another. */
	if (fault->kind != FAULT_CANCELLED) {
		a->edge->deaf = *fault;
		nursery_cancel(&a->edge->work);
	}
	return -1;
}

static void start_accepting(struct edge *edge)
{
	for (size_t i = 0; i < edge->n_listeners; i++) {
		struct accepting *a = arena_alloc(&edge->arena, sizeof(*a));

		*a = (struct accepting){ edge, edge->listeners[i],
					 arena_strdup(&edge->arena, listener_name(edge->listeners[i])) };
		nursery_start(&edge->accepting, accept_all, a, "listener %s", a->name);
	}
}

static void close_listeners(struct edge *edge)
{
	for (size_t i = 0; i < edge->n_listeners; i++)
		listener_free(edge->listeners[i]);
	edge->n_listeners = 0;
}

/* --- the keeper ------------------------------------------------------------------------------ */

static uint64_t count_tls(const struct edge *edge)
{
	uint64_t n = 0;

	for (size_t i = 0; i < edge->n_slots; i++)
		n += edge->slots[i]->session && stream_find(edge->slots[i]->session->stream, "tls");
	return n;
}

SUSPENDS static int tell_counts(void *arg, struct fault *fault)
{
	struct edge *edge = arg;

	while (run_sleep(COUNTS_EVERY, fault) == 0) {
		uint64_t tls = count_tls(edge);

		if (!edge->counts_changed && tls == edge->counts.tls_sessions)
			continue;
		edge->counts.tls_sessions = tls;
		edge->counts_changed = false;
		buf_reset(&edge->payload);
		fields_encode(&edge_counts_table, &edge->counts, &edge->payload);
		link_put(edge->link, EDGE_COUNTS, 0, buf_bytes(&edge->payload), BYTES_NULL);
	}
	return -1;
}

/* Waits for the sessions to end by themselves, then has them end. */
SUSPENDS static int stop(void *arg, struct fault *fault)
{
	struct edge *edge = arg;

	/* Whoever comes now goes to those who still listen, or is refused at once. */
	nursery_done(&edge->accepting);
	close_listeners(edge);
	while (edge->counts.sessions > 0) {
		int64_t left = edge->stop_at - run_now();
		int64_t former;

		if (left <= 0)
			nursery_cancel(&edge->sessions);
		former = run_deadline_narrow(left > 0 ? left : 10 * MINUTE);
		if (waiters_wait(&edge->ended, "the last sessions", fault) < 0 && fault->kind != FAULT_TIMEOUT) {
			run_deadline_restore(former);
			return -1;
		}
		run_deadline_restore(former);
	}
	link_put(edge->link, EDGE_DONE, 0, BYTES_NULL, BYTES_NULL);
	return 0;
}

/* Whoever has no transaction has nothing to lose. */
static void stop_idle(struct edge *edge)
{
	for (size_t i = 0; i < edge->n_slots; i++) {
		struct edge_session *s = edge->slots[i]->session;

		if (!s)
			continue;
		s->host.is_stopping = true;
		if (s->host.is_idle && s->fiber)
			run_cancel(s->fiber);
	}
}

static int begin_stop(struct edge *edge, struct bytes payload, struct fault *fault)
{
	struct arena none = { NULL };
	struct keep_stop told;
	int64_t at;

	if (fields_decode(&keep_stop_table, payload, &none, &told, fault) < 0)
		return -1;
	at = run_now() + (told.within_us > (uint64_t)HOUR ? HOUR : (int64_t)told.within_us);
	if (told.idle_too)
		stop_idle(edge);
	if (edge->is_stopping) {
		edge->stop_at = at < edge->stop_at ? at : edge->stop_at;
		waiters_wake_all(&edge->ended);
		return 0;
	}
	edge->is_stopping = true;
	edge->stop_at = at;
	nursery_start(&edge->work, stop, edge, "stopping");
	return 0;
}

static int take_offer(struct edge *edge, struct bytes payload, struct fault *fault)
{
	struct arena none = { NULL };
	struct keep_offer offer;

	if (fields_decode(&keep_offer_table, payload, &none, &offer, fault) < 0)
		return -1;
	edge->settings.offered = (unsigned)offer.offered;
	edge->settings.max_size = offer.max_message;
	return 0;
}

/* Until the keeper ends the link. */
SUSPENDS static int listen_to_keeper(void *arg, struct fault *fault)
{
	struct edge *edge = arg;
	struct link_frame frame;
	int got;

	while ((got = link_next(edge->link, &frame, fault)) > 0) {
		int r = 0;

		if (frame.type == KEEP_SAY)
			r = edge_hear(edge, &frame, fault);
		else if (frame.type == KEEP_STOP)
			r = begin_stop(edge, frame.payload, fault);
		else if (frame.type == KEEP_FORGET)
			map_done(&edge->welcome);
		else if (frame.type == KEEP_OFFER)
			r = take_offer(edge, frame.payload, fault);
		else
			r = fault_protocol(fault, "the keeper gave settings twice");
		if (r < 0)
			return -1;
	}
	if (got == 0)
		edge->was_left = true;
	nursery_cancel(&edge->work);
	return got;
}

static void describe_walls(const struct os_walls *walls, char *to, size_t size)
{
	snprintf(to, size, "no new privileges %s, Landlock %s, seccomp %s", walls->no_new_privileges ? "yes" : "no",
		 walls->landlock ? "yes" : "no", walls->seccomp ? "yes" : "no");
}

SUSPENDS static int be_ready(struct edge *edge, bool enclosed, struct fault *fault)
{
	struct os_walls walls = { false };
	char text[100] = "none";
	struct link_word word;

	if (set_up(edge, fault) < 0)
		return -1;
	if (enclosed && os_sandbox_enter(OS_SANDBOX_SERVER, &walls, fault) < 0)
		return -1;
	if (enclosed)
		describe_walls(&walls, text, sizeof(text));
	word.text = bytes_of(text);
	buf_reset(&edge->payload);
	fields_encode(&link_word_table, &word, &edge->payload);
	link_put(edge->link, EDGE_READY, 0, buf_bytes(&edge->payload), BYTES_NULL);
	return 0;
}

SUSPENDS int edge_serve(struct edge *edge, bool enclosed, struct fault *fault)
{
	int r;

	waiters_init(&edge->ended);
	nursery_init(&edge->accepting, "accepting");
	nursery_init(&edge->sessions, "sessions");
	nursery_init(&edge->work, "edge");
	if (be_ready(edge, enclosed, fault) < 0)
		return -1;

	nursery_start(&edge->work, tell_counts, edge, "counts");
	nursery_start(&edge->work, listen_to_keeper, edge, "keeper");
	start_accepting(edge);
	r = nursery_wait(&edge->work, fault);
	if (edge->was_left)
		r = 0;
	if (edge->deaf.kind) {
		*fault = edge->deaf;
		r = -1;
	}
	edge_give_up(edge);
	/* First: another keeper may be waiting for the addresses. */
	nursery_done(&edge->accepting);
	close_listeners(edge);
	nursery_done(&edge->sessions);
	return r;
}

void edge_done(struct edge *edge)
{
	for (size_t i = 0; i < edge->n_slots; i++)
		free(edge->slots[i]);
	free(edge->slots);
	close_listeners(edge);
	free(edge->listeners);
	link_free(edge->link);
	tls_context_free(edge->settings.tls);
	map_done(&edge->addresses);
	map_done(&edge->welcome);
	buf_done(&edge->scratch);
	buf_done(&edge->payload);
	arena_done(&edge->arena);
	*edge = (struct edge){ 0 };
}

/* --- the process ----------------------------------------------------------------------------- */

/* Who is to end us is the keeper: a terminal's or a service manager's signal to all of us would end sessions that are to go
 * on until it says so. */
static void let_the_keeper_decide(void *arg)
{
}

static int process(void *arg, struct fault *fault)
{
	unsigned *listeners = arg;
	struct edge edge = { 0 };
	uint64_t seed;
	int r = 0;

	run_on_signal(SIGINT, let_the_keeper_decide, NULL);
	run_on_signal(SIGTERM, let_the_keeper_decide, NULL);
	run_on_signal(SIGHUP, let_the_keeper_decide, NULL);
	os_raise_file_limit();
	run_random(&seed, sizeof(seed));
	map_init(&edge.addresses, seed);
	map_init(&edge.welcome, seed);
	edge.link = link_new(tcp_stream_new(0, "the keeper"), KEEP_FRAMES);
	edge.listeners = xreallocarray(NULL, *listeners + 1, sizeof(struct listener *));
	for (; edge.n_listeners < *listeners && r == 0; edge.n_listeners += r == 0)
		r = listener_inherit(OS_PART_FDS + (int)edge.n_listeners, &edge.listeners[edge.n_listeners], fault);
	if (r == 0)
		r = edge_serve(&edge, true, fault);
	edge_done(&edge);
	return r < 0 && fault->kind != FAULT_CANCELLED ? -1 : 0;
}

int edge_process(unsigned listeners, struct fault *fault)
{
	os_forbid_dumps();
	return run_main("edge", process, &listeners, fault);
}
