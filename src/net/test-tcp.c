/* SPDX-License-Identifier: Apache-2.0 */
/* TCP over the loopback: connecting, ends of all kinds, and much data to a slow reader. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "net/socket.h"
#include "net/testing.h"

enum { SEED = 71 };

/* A connected pair, both ends ours. */
struct ends {
	struct stream *client, *server;
};

static int ends_open(struct ends *ends, struct fault *fault)
{
	_cleanup_(listener_freep) struct listener *listener = NULL;

	*ends = (struct ends){ 0 };
	if (listener_new("127.0.0.1", 0, &listener, fault) < 0)
		return -1;
	if (tcp_connect("127.0.0.1", listener_port(listener), &ends->client, fault) < 0)
		return -1;
	return listener_accept(listener, &ends->server, fault);
}

static void ends_close(struct ends *ends)
{
	ends->client = stream_free(ends->client);
	ends->server = stream_free(ends->server);
}

/* A port where nobody listens: bound, so that nobody else gets it meanwhile. */
static int dead_port(int *ret_fd, uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(address);

	*ret_fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(*ret_fd, (struct sockaddr *)&address, n) < 0 ||
	    getsockname(*ret_fd, (struct sockaddr *)&address, &n) < 0)
		return -1;
	*ret_port = ntohs(address.sin_port);
	return 0;
}

/* --- connecting --------------------------------------------------------------- */

static int refused_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct stream *s;
	char want[80];
	uint16_t port = 0;
	int fd = -1;

	EXPECT(dead_port(&fd, &port) == 0);
	EXPECT(tcp_connect("127.0.0.1", port, &s, fault) < 0);
	snprintf(want, sizeof(want), "cannot connect to 127.0.0.1:%u: Connection refused", port);
	expect_fault(check, fault, FAULT_TRANSPORT, want);
	EXPECT(fault->again == AGAIN_LATER && fault->reach == REACH_SERVER);
	close(fd);
	return 0;
}

static void refused(struct check *check)
{
	in_fiber(check, refused_run);
}

/* "localhost" may be two addresses of which one refuses: the other is taken. */
static int localhost_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(listener_freep) struct listener *listener = NULL;
	_cleanup_(stream_freep) struct stream *s = NULL;

	if (listener_new("127.0.0.1", 0, &listener, fault) < 0)
		return -1;
	if (tcp_connect("localhost", listener_port(listener), &s, fault) < 0)
		return -1;
	EXPECT(strncmp(s->peer, "localhost:", 10) == 0);
	return 0;
}

static void falls_back(struct check *check)
{
	in_fiber(check, localhost_run);
}

/* A listener whose queue is full does not answer: the kernel drops what comes. */
struct mute {
	int fd, fillers[8];
	uint16_t port;
};

static int mute_open(struct mute *mute)
{
	if (dead_port(&mute->fd, &mute->port) < 0 || listen(mute->fd, 0) < 0)
		return -1;

	for (size_t i = 0; i < ARRAY_SIZE(mute->fillers); i++) {
		struct sockaddr_in address = { .sin_family = AF_INET,
					       .sin_port = htons(mute->port),
					       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

		mute->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(mute->fillers[i], (struct sockaddr *)&address, sizeof(address)) < 0 &&
		    errno != EINPROGRESS)
			return -1;
	}
	return 0;
}

static void mute_close(struct mute *mute)
{
	for (size_t i = 0; i < ARRAY_SIZE(mute->fillers); i++)
		close(mute->fillers[i]);
	close(mute->fd);
}

static int late_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct stream *s;
	struct mute mute = { 0 };

	EXPECT(mute_open(&mute) == 0);
	{
		_deadline_(SECOND / 20);
		EXPECT(tcp_connect("127.0.0.1", mute.port, &s, fault) < 0);
	}
	expect_fault(check, fault, FAULT_TIMEOUT, "connecting to 127.0.0.1:");
	mute_close(&mute);
	return 0;
}

static void late(struct check *check)
{
	in_fiber(check, late_run);
}

static void add_address(struct addresses *addresses, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	memcpy(addresses->at[addresses->n].bytes, &address, sizeof(address));
	addresses->at[addresses->n++].len = sizeof(address);
}

/* Neither an address that refuses nor one that does not answer keeps us from the one that does. */
static int race_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(listener_freep) struct listener *listener = NULL;
	_cleanup_(stream_freep) struct stream *first = NULL, *second = NULL;
	struct addresses addresses = { 0 };
	struct mute mute = { 0 };
	uint16_t dead = 0;
	int fd = -1;

	if (listener_new("127.0.0.1", 0, &listener, fault) < 0)
		return -1;

	EXPECT(mute_open(&mute) == 0 && dead_port(&fd, &dead) == 0);
	add_address(&addresses, dead);
	add_address(&addresses, mute.port);
	add_address(&addresses, dead);
	add_address(&addresses, listener_port(listener));
	if (tcp_connect_any(&addresses, "host:1", &first, fault) < 0)
		return -1;
	EXPECT(listener_accept(listener, &second, fault) == 0);

	mute_close(&mute);
	close(fd);
	return 0;
}

static void races(struct check *check)
{
	in_fiber(check, race_run);
}

static int all_refuse_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct addresses addresses = { 0 };
	struct stream *s;
	uint16_t dead = 0;
	int fd = -1;

	EXPECT(dead_port(&fd, &dead) == 0);
	add_address(&addresses, dead);
	add_address(&addresses, dead);
	EXPECT(tcp_connect_any(&addresses, "host:1", &s, fault) < 0);
	expect_fault(check, fault, FAULT_TRANSPORT,
		     "cannot connect to host:1 at any of 2 addresses: Connection refused");
	close(fd);
	return 0;
}

static void all_refuse(struct check *check)
{
	in_fiber(check, all_refuse_run);
}

static int listen_badly_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct listener *listener;
	_cleanup_(listener_freep) struct listener *first = NULL;

	EXPECT(listener_new("localhost", 0, &listener, fault) < 0);
	expect_fault(check, fault, FAULT_USAGE, "localhost");
	if (listener_new("127.0.0.1", 0, &first, fault) < 0)
		return -1;
	EXPECT(listener_new("127.0.0.1", listener_port(first), &listener, fault) < 0);
	expect_fault(check, fault, FAULT_LOCAL, "already in use");
	return 0;
}

static void listens_only_where_it_can(struct check *check)
{
	in_fiber(check, listen_badly_run);
}

/* --- traffic ------------------------------------------------------------------ */

static int both_ways_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	static const size_t pieces[] = { 100, 0, 300000 };

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		_cleanup_(ends_close) struct ends ends;
		struct flow flow = { .seed = SEED,
				     .n = pieces[i] == 100 ? 500000 : 8000000,
				     .max_piece = pieces[i] };

		if (ends_open(&ends, fault) < 0 ||
		    flow_both_ways(check, ends.client, ends.server, &flow, fault) < 0)
			return -1;
	}
	return 0;
}

static void both_ways(struct check *check)
{
	in_fiber(check, both_ways_run);
}

static size_t queued(struct stream *s)
{
	return ((struct socket_stream *)s)->queue.n;
}

/* 64 MiB to a reader that reads little at a time: what waits in memory stays below the mark. */
static int slow_reader_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(ends_close) struct ends ends;
	_cleanup_(nursery_done) struct nursery nursery;
	struct flow out = { .check = check, .seed = SEED, .n = 64 << 20, .end = true };
	struct flow in = out;

	nursery_init(&nursery, "slow reader");
	if (ends_open(&ends, fault) < 0)
		return -1;

	out.stream = ends.client;
	out.queued = queued;
	in.stream = ends.server;
	in.max_piece = 20000;
	in.one_by_one = true;
	nursery_start(&nursery, flow_send, &out, "sender");
	nursery_start(&nursery, flow_receive, &in, "receiver");
	if (nursery_wait(&nursery, fault) < 0)
		return -1;

	EXPECT(out.most_memory > 0 && out.most_memory <= STREAM_HIGH_WATER + STREAM_PIECE);
	EXPECT(queued(ends.client) == 0);
	return 0;
}

static void slow_reader(struct check *check)
{
	in_fiber(check, slow_reader_run);
}

/* Many small enqueues of one turn leave together; drain says when they are gone. */
static int gathers_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(ends_close) struct ends ends;
	char got[1000];

	if (ends_open(&ends, fault) < 0)
		return -1;

	for (int i = 0; i < 10; i++)
		EXPECT(stream_enqueue(ends.client, BYTES("a1 NOOP\r\n"), fault) == 0);
	EXPECT(queued(ends.client) == 90);
	EXPECT(stream_read(ends.server, got, sizeof(got), fault) == 90);
	EXPECT(queued(ends.client) == 0);

	EXPECT(stream_enqueue(ends.client, BYTES("bye"), fault) == 0);
	EXPECT(stream_drain(ends.client, fault) == 0);
	EXPECT(recv(((struct socket_stream *)ends.server)->fd, got, 3, MSG_DONTWAIT) == 3);

	/* What was queued last leaves even when the stream is freed at once. */
	EXPECT(stream_enqueue(ends.client, BYTES("last"), fault) == 0);
	ends.client = stream_free(ends.client);
	EXPECT(stream_read(ends.server, got, sizeof(got), fault) == 4);
	EXPECT(stream_read(ends.server, got, sizeof(got), fault) == 0);
	return 0;
}

static void gathers(struct check *check)
{
	in_fiber(check, gathers_run);
}

/* --- ends ---------------------------------------------------------------------- */

static int half_close_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(ends_close) struct ends ends;
	char got[100];

	if (ends_open(&ends, fault) < 0)
		return -1;

	EXPECT(stream_write(ends.client, BYTES("LOGOUT"), fault) == 0);
	stream_shutdown(ends.client);
	EXPECT(stream_read(ends.server, got, sizeof(got), fault) == 6);
	EXPECT(stream_read(ends.server, got, sizeof(got), fault) == 0);
	EXPECT(stream_write(ends.server, BYTES("BYE"), fault) == 0);
	EXPECT(stream_read(ends.client, got, sizeof(got), fault) == 3);
	return 0;
}

static void half_close(struct check *check)
{
	in_fiber(check, half_close_run);
}

static void reset(struct stream *s)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(((struct socket_stream *)s)->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	stream_free(s);
}

struct waiting_reader {
	struct check *check;
	struct stream *stream;
	struct fault fault;
};

static int read_until_fault(void *arg, struct fault *fault)
{
	struct waiting_reader *reader = arg;
	struct check *check = reader->check;
	char got[100];

	EXPECT(stream_read(reader->stream, got, sizeof(got), &reader->fault) < 0);
	return 0;
}

/* What the peer said before it reset the connection is still heard; then both directions say why. */
static int reset_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(ends_close) struct ends ends;
	char got[100];

	if (ends_open(&ends, fault) < 0)
		return -1;

	EXPECT(stream_write(ends.server, BYTES("* BYE too many"), fault) == 0);
	EXPECT(stream_drain(ends.server, fault) == 0);
	reset(TAKE_PTR(ends.server));
	EXPECT(stream_read(ends.client, got, sizeof(got), fault) == 14);
	EXPECT(stream_read(ends.client, got, sizeof(got), fault) < 0);
	expect_fault(check, fault, FAULT_TRANSPORT, "closed the connection (Connection reset by peer)");
	EXPECT(strncmp(fault->text, "127.0.0.1:", 10) == 0);
	EXPECT(fault->reach == REACH_SESSION && fault->again == AGAIN_NOW);
	EXPECT(stream_enqueue(ends.client, BYTES("x"), fault) < 0);
	expect_fault(check, fault, FAULT_TRANSPORT, "reset by peer");
	EXPECT(stream_wait_room(ends.client, fault) < 0);
	EXPECT(stream_drain(ends.client, fault) < 0);
	EXPECT(stream_read(ends.client, got, sizeof(got), fault) < 0);
	return 0;
}

static void reset_after_words(struct check *check)
{
	in_fiber(check, reset_run);
}

/* What is queued is not taken; what is acknowledged is, also after the other end closed in order; what was thrown away
 * unread is not. */
static int taken_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(ends_close) struct ends ends;
	char got[100];

	if (ends_open(&ends, fault) < 0)
		return -1;
	EXPECT(stream_is_taken(ends.server));
	EXPECT(stream_enqueue(ends.server, BYTES("250 Ok\r\n"), fault) == 0 && !stream_is_taken(ends.server));
	EXPECT(stream_read(ends.client, got, sizeof(got), fault) == 8);
	EXPECT(run_sleep(10 * MSEC, fault) == 0 && stream_is_taken(ends.server));
	stream_shutdown(ends.client);
	EXPECT(stream_read(ends.server, got, sizeof(got), fault) == 0 && stream_is_taken(ends.server));
	EXPECT(stream_write(ends.server, BYTES("250 Ok\r\n"), fault) == 0 && stream_drain(ends.server, fault) == 0);
	EXPECT(run_sleep(10 * MSEC, fault) == 0 && stream_is_taken(ends.server));
	stream_free(TAKE_PTR(ends.client)); /* with those words unread: its kernel sends RST */
	EXPECT(run_sleep(10 * MSEC, fault) == 0 && !stream_is_taken(ends.server));
	return 0;
}

static void knows_what_is_taken(struct check *check)
{
	in_fiber(check, taken_run);
}

/* The reader and a writer that waits for room both wake up when the peer resets. */
static int wake_both_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(ends_close) struct ends ends;
	_cleanup_(nursery_done) struct nursery nursery;
	_cleanup_(freep) char *zeroes = xzalloc(STREAM_PIECE);
	struct waiting_reader reader = { .check = check };
	int r = 0;

	nursery_init(&nursery, "reader");
	if (ends_open(&ends, fault) < 0)
		return -1;

	reader.stream = ends.client;
	nursery_start(&nursery, read_until_fault, &reader, "reader");
	while (queued(ends.client) <= STREAM_HIGH_WATER)
		EXPECT(stream_enqueue(ends.client, (struct bytes){ zeroes, STREAM_PIECE }, fault) ==
		       0);
	EXPECT(run_yield(fault) == 0);
	reset(TAKE_PTR(ends.server));
	r = stream_wait_room(ends.client, fault);
	EXPECT(r < 0);
	expect_fault(check, fault, FAULT_TRANSPORT, "closed the connection");
	EXPECT(queued(ends.client) == 0);
	if (nursery_wait(&nursery, fault) < 0)
		return -1;
	expect_fault(check, &reader.fault, FAULT_TRANSPORT, "closed the connection");
	return 0;
}

static void reset_wakes_both(struct check *check)
{
	in_fiber(check, wake_both_run);
}

static int cancelled_reader(void *arg, struct fault *fault)
{
	struct stream *s = arg;
	char got[10];

	return stream_read(s, got, sizeof(got), fault);
}

/* A read that was cancelled or late took nothing: the next one gets it all. */
static int cancel_run(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(ends_close) struct ends ends;
	_cleanup_(nursery_done) struct nursery nursery;
	char got[10];

	nursery_init(&nursery, "reader");
	if (ends_open(&ends, fault) < 0)
		return -1;

	nursery_start(&nursery, cancelled_reader, ends.client, "reader");
	EXPECT(run_yield(fault) == 0);
	nursery_cancel(&nursery);
	EXPECT(nursery_wait(&nursery, fault) < 0 && fault->kind == FAULT_CANCELLED);
	{
		_deadline_(SECOND / 100);
		EXPECT(stream_read(ends.client, got, sizeof(got), fault) < 0);
		EXPECT(fault->kind == FAULT_TIMEOUT);
	}
	EXPECT(stream_write(ends.server, BYTES("now"), fault) == 0);
	EXPECT(stream_read(ends.client, got, sizeof(got), fault) == 3);
	return 0;
}

static void reads_can_be_stopped(struct check *check)
{
	in_fiber(check, cancel_run);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "refused", refused },
		{ "falls-back", falls_back },
		{ "late", late },
		{ "races", races },
		{ "all-refuse", all_refuse },
		{ "listens-only-where-it-can", listens_only_where_it_can },
		{ "both-ways", both_ways },
		{ "slow-reader", slow_reader },
		{ "gathers", gathers },
		{ "half-close", half_close },
		{ "reset-after-words", reset_after_words },
		{ "reset-wakes-both", reset_wakes_both },
		{ "knows what is taken", knows_what_is_taken },
		{ "reads-can-be-stopped", reads_can_be_stopped },
		{ 0 },
	};
	return check_main(argc, argv, cases);
}
