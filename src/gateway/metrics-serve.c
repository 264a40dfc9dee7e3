/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP as far as Prometheus needs it: one request a connection, GET or HEAD of /metrics, answered as HTTP/1.0 and closed. A
 * client may send REQUEST_MAX bytes and take REQUEST_TIME for all of it; CLIENTS may be there at once. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/metrics-inside.h"

enum { REQUEST_MAX = 8192, CLIENTS = 8 };

#define REQUEST_TIME (5 * SECOND)

/* --- a client -------------------------------------------------------------------------------- */

/* Up to the blank line; what follows is nobody's business. 0: it ended before, or said too much. */
SUSPENDS static int read_request(struct stream *stream, struct buf *request, struct fault *fault)
{
	while (request->n < REQUEST_MAX) {
		int n = stream_read(stream, buf_reserve(request, 2048), 2048, fault);

		if (n <= 0)
			return n;
		request->n += (size_t)n;
		if (bytes_find(buf_bytes(request), BYTES("\r\n\r\n")) >= 0 || bytes_find(buf_bytes(request), BYTES("\n\n")) >= 0)
			return 1;
	}
	return 0;
}

static void answer(struct buf *to, const char *status, const char *type, struct bytes body, bool is_head)
{
	buf_appendf(to, "HTTP/1.0 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status, type, body.n);
	if (!is_head)
		buf_append_bytes(to, body);
}

SUSPENDS static int make_answer(struct keeper *k, struct bytes request, struct buf *to, struct fault *fault)
{
	_cleanup_(buf_done) struct buf page = BUF_NULL;
	struct bytes line = bytes_trim(bytes_cut(&request, '\n')), method = bytes_cut(&line, ' ');
	struct bytes target = bytes_cut(&line, ' '), path = bytes_cut(&target, '?');
	bool is_head = bytes_equal(method, BYTES("HEAD"));

	if (!bytes_starts(line, BYTES("HTTP/1."))) {
		answer(to, "400 Bad Request", "text/plain", BYTES("This is HTTP.\n"), false);
		return 0;
	}
	if (!is_head && !bytes_equal(method, BYTES("GET"))) {
		answer(to, "405 Method Not Allowed\r\nAllow: GET, HEAD", "text/plain", BYTES("GET or HEAD, please.\n"), false);
		return 0;
	}
	if (!bytes_equal(path, BYTES("/metrics"))) {
		answer(to, "404 Not Found", "text/plain", BYTES("There is /metrics.\n"), is_head);
		return 0;
	}
	if (metrics_write(k, &page, fault) < 0) {
		if (fault->kind == FAULT_CANCELLED || fault->kind == FAULT_TIMEOUT)
			return -1;
		answer(to, "503 Service Unavailable", "text/plain", BYTES("The index cannot be read.\n"), is_head);
		return 0;
	}
	answer(to, "200 OK", "text/plain; version=0.0.4; charset=utf-8", buf_bytes(&page), is_head);
	return 0;
}

/* A socket that is closed with bytes unread may take the answer with it. */
SUSPENDS static void hear_out(struct stream *stream)
{
	struct fault ignored;
	size_t most = REQUEST_MAX;
	char rest[1024];
	int n;

	_deadline_(SECOND);
	stream_shutdown(stream);
	while (most > 0 && (n = stream_read(stream, rest, sizeof(rest), &ignored)) > 0)
		most -= (size_t)n < most ? (size_t)n : most;
}

void metrics_serve(struct keeper *k, struct stream *stream)
{
	_cleanup_(buf_done) struct buf request = BUF_NULL, response = BUF_NULL;
	struct fault ignored;
	int r;

	{
		_deadline_(REQUEST_TIME);
		r = read_request(stream, &request, &ignored);
		if (r > 0)
			r = make_answer(k, buf_bytes(&request), &response, &ignored);
		else if (r == 0 && request.n >= REQUEST_MAX)
			answer(&response, "431 Request Header Fields Too Large", "text/plain", BYTES("That is too much.\n"), false);
		if (r >= 0 && response.n > 0 && stream_write(stream, buf_bytes(&response), &ignored) == 0 &&
		    stream_drain(stream, &ignored) == 0)
			hear_out(stream);
	}
	stream_free(stream);
}

/* --- listening ------------------------------------------------------------------------------- */

struct visit {
	struct keeper *k;
	struct stream *stream;
};

static int serve(void *arg, struct fault *fault)
{
	struct visit visit = *(struct visit *)arg;
	struct metrics *m = visit.k->metrics;

	free(arg);
	metrics_serve(visit.k, visit.stream);
	m->n_sessions--;
	waiters_wake_one(&m->room);
	return 0;
}

SUSPENDS static int take_clients(void *arg, struct fault *fault)
{
	struct keeper *k = arg;
	struct metrics *m = k->metrics;
	int r = 0;

	while (r == 0) {
		struct stream *stream;
		struct visit *visit;

		r = listener_accept(m->listener, &stream, fault);
		if (r < 0 && fault->kind == FAULT_LIMIT) {
			r = run_sleep(SECOND, fault);
		} else if (r == 0) {
			visit = xmalloc(sizeof(*visit));
			*visit = (struct visit){ k, stream };
			m->n_sessions++;
			nursery_start(&m->sessions, serve, visit, "metrics: a client");
		}
		while (r == 0 && m->n_sessions >= CLIENTS)
			r = waiters_wait(&m->room, "a client to go", fault);
	}
	/* Without figures mail goes on. */
	if (fault->kind != FAULT_CANCELLED)
		keeper_alarm(k, "metrics", "no more figures: %s", fault->text);
	return fault->kind == FAULT_CANCELLED ? -1 : 0;
}

static void listen_at(struct keeper *k, const struct endpoint *at)
{
	struct metrics *m = k->metrics;
	struct fault fault;

	m->listener = listener_free(m->listener);
	if (at->port && listener_new(at->host, at->port, &m->listener, &fault) < 0)
		keeper_alarm(k, "metrics", "no figures: %s", fault.text);
}

SUSPENDS int metrics_run(void *arg, struct fault *fault)
{
	struct keeper *k = arg;
	struct metrics *m = k->metrics;
	struct nursery listening;
	struct endpoint at;
	int r;

	nursery_init(&m->sessions, "metrics");
	nursery_init(&listening, "metrics: listening");
	do {
		at = k->config->gateway.metrics;
		listen_at(k, &at);
		if (m->listener)
			nursery_start(&listening, take_clients, k, "metrics");
		do
			r = waiters_wait(&k->changed, "another configuration", fault);
		while (r == 0 && at.port == k->config->gateway.metrics.port &&
		       strcmp(at.host, k->config->gateway.metrics.host) == 0);
		nursery_done(&listening);
	} while (r == 0);
	nursery_done(&m->sessions);
	return r;
}
