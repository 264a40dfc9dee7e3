/* SPDX-License-Identifier: Apache-2.0 */
/* Watched descriptors.
 *
 * libuv pays two epoll_ctl() for every change of what a descriptor is polled for. So it stays polled
 * after the wait is over, and is narrowed only when an event comes that nobody waits for: a fiber that
 * reads, waits, reads, waits never changes anything. */
#include "run/loop.h"

#include <assert.h>
#include <errno.h>

#include "base/xalloc.h"

struct watch {
	uv_poll_t poll;
	int polled; /* what libuv polls for now: RUN_READABLE | RUN_WRITABLE */
	struct fiber *reader, *writer;
	void (*on_writable)(void *arg);
	void *arg;
};

_Static_assert((int)RUN_READABLE == (int)UV_READABLE, "the same numbers as libuv's");
_Static_assert((int)RUN_WRITABLE == (int)UV_WRITABLE, "the same numbers as libuv's");

static int wanted(const struct watch *watch)
{
	return (watch->reader ? RUN_READABLE : 0) |
	       (watch->writer || watch->on_writable ? RUN_WRITABLE : 0);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void poll_for(struct watch *watch, int events)
{
	int r;

	watch->polled = events;
	r = events ? uv_poll_start(&watch->poll, events, on_poll) : uv_poll_stop(&watch->poll);
	assert(r == 0);
}

static void wake(struct fiber **waiting)
{
	struct fiber *fiber = *waiting;

	*waiting = NULL;
	if (fiber)
		fiber_wake(fiber);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	int unwanted;

	if (status < 0) {
		/* The socket has an error and libuv stopped: the next read or write will tell which. */
		watch->polled = 0;
		events = wanted(watch);
	}
	unwanted = events & ~wanted(watch);
	if (events & RUN_READABLE)
		wake(&watch->reader);
	if (events & RUN_WRITABLE)
		wake(&watch->writer);
	if (status < 0)
		poll_for(watch, wanted(watch));
	else if (unwanted)
		poll_for(watch, watch->polled & ~unwanted);
	/* Last: it may free the watch. */
	if ((events & RUN_WRITABLE) && watch->on_writable)
		watch->on_writable(watch->arg);
}

struct watch *watch_new(int fd)
{
	struct watch *watch = xzalloc(sizeof(*watch));
	int r = uv_poll_init(&loop_get()->uv, &watch->poll, fd);

	if (r < 0) {
		free(watch);
		errno = -r;
		return NULL;
	}
	watch->poll.data = watch;
	return watch;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct watch *watch_free(struct watch *watch)
{
	if (!watch)
		return NULL;

	assert(!watch->reader && !watch->writer);
	watch->on_writable = NULL;
	uv_close((uv_handle_t *)&watch->poll, on_closed);
	return NULL;
}

int watch_wait(struct watch *watch, int event, const char *what, struct fault *fault)
{
	struct fiber **waiting = event == RUN_READABLE ? &watch->reader : &watch->writer;
	int r;

	assert(event == RUN_READABLE || event == RUN_WRITABLE);
	assert(!*waiting);
	assert(event == RUN_READABLE || !watch->on_writable);
	if (fiber_check(what, fault) < 0)
		return -1;

	*waiting = fiber_current();
	if (!(watch->polled & event))
		poll_for(watch, wanted(watch));
	r = fiber_suspend(what, fault);
	/* If it was woken long ago, another may be waiting by now. */
	if (*waiting == fiber_current())
		*waiting = NULL;
	return r;
}

void watch_on_writable(struct watch *watch, void (*fn)(void *arg), void *arg)
{
	assert(!watch->writer);
	watch->on_writable = fn;
	watch->arg = arg;
	if (fn && !(watch->polled & RUN_WRITABLE))
		poll_for(watch, wanted(watch));
}
