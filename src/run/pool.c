/* SPDX-License-Identifier: Apache-2.0 */
/* Blocking work and name lookups on libuv's worker threads.
 *
 * Requests and arguments live on the fiber's stack, so a fiber never leaves before its request did. When
 * it is cancelled or late, a request that still stands in the queue is taken out of it; one that a
 * thread already works on is waited for. */
#include "run/loop.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>

struct request {
	struct fiber *fiber;
	bool done;
	int status;
};

/* 0: the request ended by itself. -1: it was taken out of the queue, with the fault that is why. */
static int wait_for(struct request *request, uv_req_t *uv, const char *what, struct fault *fault)
{
	struct fault why;

	request->fiber = fiber_current();
	while (!request->done) {
		if (fiber_suspend(what, &why) == 0)
			continue;
		uv_cancel(uv);
		while (!request->done)
			fiber_suspend_firmly(what);
	}
	if (request->status != UV_ECANCELED && request->status != UV_EAI_CANCELED)
		return 0;

	*fault = why;
	return -1;
}

static void finish(struct request *request, int status)
{
	request->done = true;
	request->status = status;
	fiber_wake(request->fiber);
}

/* --- calls ----------------------------------------------------------------------------------- */

struct call {
	struct request request;
	uv_work_t uv;
	fiber_fn fn;
	void *arg;
	struct fault fault;
	int result;
};

static void on_work(uv_work_t *uv)
{
	struct call *call = uv->data;

	call->result = call->fn(call->arg, &call->fault);
}

static void on_work_done(uv_work_t *uv, int status)
{
	struct call *call = uv->data;

	finish(&call->request, status);
}

int pool_call(const char *what, fiber_fn fn, void *arg, struct fault *fault)
{
	struct call call = { .fn = fn, .arg = arg, .uv.data = &call };
	int r;

	if (fiber_check(what, fault) < 0)
		return -1;
	r = uv_queue_work(&loop_get()->uv, &call.uv, on_work, on_work_done);
	assert(r == 0);
	if (wait_for(&call.request, (uv_req_t *)&call.uv, what, fault) < 0)
		return -1;

	if (call.result < 0)
		*fault = call.fault;
	return call.result;
}

/* --- names ----------------------------------------------------------------------------------- */

struct lookup {
	struct request request;
	uv_getaddrinfo_t uv;
	struct addrinfo *found;
};

static void on_lookup(uv_getaddrinfo_t *uv, int status, struct addrinfo *found)
{
	struct lookup *lookup = uv->data;

	lookup->found = found;
	finish(&lookup->request, status);
}

static void add_address(struct addresses *to, const struct sockaddr *address, size_t len,
			uint16_t port)
{
	struct sockaddr_in6 sin6 = { 0 };
	struct sockaddr_in sin = { 0 };

	if (to->n == ARRAY_SIZE(to->at))
		return;

	if (address->sa_family == AF_INET && len >= sizeof(sin)) {
		memcpy(&sin, address, sizeof(sin));
		sin.sin_port = htons(port);
		memcpy(to->at[to->n].bytes, &sin, sizeof(sin));
		to->at[to->n++].len = sizeof(sin);
	} else if (address->sa_family == AF_INET6 && len >= sizeof(sin6)) {
		memcpy(&sin6, address, sizeof(sin6));
		sin6.sin6_port = htons(port);
		memcpy(to->at[to->n].bytes, &sin6, sizeof(sin6));
		to->at[to->n++].len = sizeof(sin6);
	}
}

static bool is_literal(const char *host, uint16_t port, struct addresses *ret)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in sin = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, host, &sin.sin_addr) == 1)
		add_address(ret, (struct sockaddr *)&sin, sizeof(sin), port);
	else if (inet_pton(AF_INET6, host, &sin6.sin6_addr) == 1)
		add_address(ret, (struct sockaddr *)&sin6, sizeof(sin6), port);
	return ret->n > 0;
}

static int fault_lookup(struct fault *fault, const char *host, int status)
{
	bool never = status == UV_EAI_NONAME || status == UV_EAI_NODATA || status == UV_EINVAL ||
		     status == UV_EAI_ADDRFAMILY || status == UV_ENAMETOOLONG;

	if (never)
		return fault_set(fault, FAULT_TRANSPORT, REACH_SERVER, AGAIN_NEVER,
				 "there is no host named \"%.255s\"", host);
	return fault_set(fault, FAULT_TRANSPORT, REACH_SERVER, AGAIN_LATER,
			 "the name \"%.255s\" cannot be looked up now: %s", host,
			 uv_strerror(status));
}

int resolve(const char *host, uint16_t port, struct addresses *ret, struct fault *fault)
{
	static const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct lookup lookup = { .uv.data = &lookup };
	struct addresses found = { 0 };
	int r;

	if (fiber_check("a name lookup", fault) < 0)
		return -1;
	if (is_literal(host, port, &found)) {
		*ret = found;
		return 0;
	}

	r = uv_getaddrinfo(&loop_get()->uv, &lookup.uv, on_lookup, host, NULL, &hints);
	if (r < 0)
		return fault_lookup(fault, host, r);
	if (wait_for(&lookup.request, (uv_req_t *)&lookup.uv, "a name lookup", fault) < 0)
		return -1;
	if (lookup.request.status < 0)
		return fault_lookup(fault, host, lookup.request.status);

	for (struct addrinfo *a = lookup.found; a; a = a->ai_next)
		add_address(&found, a->ai_addr, a->ai_addrlen, port);
	uv_freeaddrinfo(lookup.found);
	if (found.n == 0)
		return fault_lookup(fault, host, UV_EAI_NODATA);
	*ret = found;
	return 0;
}
