/* SPDX-License-Identifier: Apache-2.0 */
/* Fibers on an event loop: straight-line code that waits. The rules are in docs/fibers.md.
 *
 * One loop a process, on one thread; a fiber never changes thread and exactly one runs at a time, so
 * fibers need no locks, but whatever they share must be looked at again after a call that suspends.
 * Every call marked SUSPENDS obeys the fiber's deadline and cancellation: it then returns -1 with
 * FAULT_TIMEOUT or FAULT_CANCELLED, at once if that was already due, and leaves nothing half-done
 * inside run/. This is also the only place that reads clocks and asks the kernel for randomness. */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/list.h"

/* What a fiber runs. 0 or more: done; negative: failed, *fault is filled. */
typedef int (*fiber_fn)(void *arg, struct fault *fault);

/* Makes the loop, runs fn(arg) in the first fiber until it returns, ends the loop. Not re-entrant.
 * Returns what fn returned. SIGPIPE is ignored from here on.
 *
 * Ready fibers run first come, first served. In a test the environment can say otherwise, read once, here:
 *	MAILFERRY_RUN_SEED=N   1 and up: which of the ready fibers is next is drawn from N. The same N draws the same,
 *			       as far as kernel and threads make fibers ready in the same order
 * A value that cannot be understood ends the process. Without the variable nothing is drawn. */
int run_main(const char *name, fiber_fn fn, void *arg, struct fault *fault);

/* Has signal `number` call fn(arg) on the loop, outside any fiber: fn may cancel or wake, not suspend.
 * Stays until run_main() ends. */
void run_on_signal(int number, void (*fn)(void *arg), void *arg);

/* Writes who waits for what since when, a line a fiber, with the nesting of nurseries. */
void run_dump(struct buf *to);

/* --- time and chance ------------------------------------------------------------------------- */

int64_t run_now(void);  /* microseconds of a clock that never jumps; comparable within a process */
int64_t run_wall(void); /* microseconds since 1970 UTC */
void run_random(void *p, size_t n); /* unpredictable bytes, fit for nonces */

SUSPENDS int run_sleep(int64_t duration_us, struct fault *fault);

/* Lets other ready fibers run. Returns -1 if cancelled or past the deadline. */
SUSPENDS int run_yield(struct fault *fault);

/* --- deadlines ------------------------------------------------------------------------------- */

/* Narrows the running fiber's deadline to at most duration_us from now and returns the former one, to
 * be put back with run_deadline_restore(). Never widens. As a scope:
 *	_deadline_(30 * SECOND); */
int64_t run_deadline_narrow(int64_t duration_us);
void run_deadline_restore(int64_t deadline);

static inline void run_deadline_restorep(int64_t *deadline)
{
	run_deadline_restore(*deadline);
}

#define _deadline_(duration_us) RUN_DEADLINE_AS(RUN_DEADLINE_NAME(__COUNTER__), duration_us)

/* Scopes nest, so each needs a name of its own. */
#define RUN_DEADLINE_NAME(n) RUN_DEADLINE_PASTE(n)
#define RUN_DEADLINE_PASTE(n) deadline_scope_##n
#define RUN_DEADLINE_AS(name, duration_us)                                                         \
	_cleanup_(run_deadline_restorep) __attribute__((unused)) int64_t name =                    \
		run_deadline_narrow(duration_us)

/* --- nurseries ------------------------------------------------------------------------------- */

struct fiber;

/* The fibers started in one block. Embedded, nursery_init() before use. It belongs to the fiber that called
 * nursery_init(), though any fiber may start children in it. The block is left through nursery_wait() or
 * nursery_done(), never with children alive. */
struct nursery {
	struct list children; /* of struct fiber */
	struct list waiting;  /* who is in nursery_wait() */
	const char *name;
	struct fault fault;   /* of the first child that failed */
	int result;           /* its result, or 0 */
	bool cancelled;
	struct fiber *parent; /* that opened it, for the dump */
	struct list of_parent; /* links the parent's nurseries that have children */
};

void nursery_init(struct nursery *nursery, const char *name); /* name: a literal */

/* Starts a child fiber, which first runs when the caller suspends. format is the fiber's name. The
 * child's deadline is the caller's at this moment. arg must outlive the child. */
void nursery_start(struct nursery *nursery, fiber_fn fn, void *arg, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* Tells all children to stop; they notice at their next suspension. Does not wait. May be called from
 * a signal's callback. */
void nursery_cancel(struct nursery *nursery);

/* Waits until all children have ended. The first failure cancels the others and is returned with its
 * fault. When the waiting fiber itself is cancelled or late, the children are cancelled and still
 * waited for. After it the nursery is empty and can be used again. */
SUSPENDS int nursery_wait(struct nursery *nursery, struct fault *fault);

/* Cancels, waits for all (whatever the caller's own state), forgets their faults. For _cleanup_; a
 * nursery without children does not suspend. */
SUSPENDS void nursery_done(struct nursery *nursery);

/* The running fiber, good until it ends; and to tell one fiber to stop, as nursery_cancel() tells all of them. */
struct fiber *run_fiber(void);
void run_cancel(struct fiber *fiber);

/* Whether the running fiber was told to stop (and is not shielded). */
bool run_is_cancelled(void);

/* While shielded, the running fiber neither sees cancellation nor the deadlines it had before: for the
 * few steps that must end well (a LOGOUT, a last record). Give it a deadline of its own inside:
 * run_shield() returns the former deadline and sets one of duration_us; run_unshield() restores. */
int64_t run_shield(int64_t duration_us);
void run_unshield(int64_t former_deadline);

/* --- waiting for a condition ----------------------------------------------------------------- */

/* Fibers that wait for something another fiber will do. Embedded. */
struct waiters {
	struct list fibers;
};

void waiters_init(struct waiters *waiters);

/* Suspends until woken. `what` (a literal) is shown in the dump. Check the condition in a loop. */
SUSPENDS int waiters_wait(struct waiters *waiters, const char *what, struct fault *fault);
void waiters_wake_one(struct waiters *waiters); /* who has waited longest, whatever the seed */
void waiters_wake_all(struct waiters *waiters);

/* --- file descriptors ------------------------------------------------------------------------ */

enum { RUN_READABLE = 1, RUN_WRITABLE = 2 };

/* A watched descriptor: at most one fiber waits for reading and one for writing at a time. */
struct watch;

/* Does not own fd: free the watch before closing it. Makes fd non-blocking. NULL with errno when fd cannot
 * be watched: a regular file, or it is watched already. */
struct watch *watch_new(int fd);
struct watch *watch_free(struct watch *watch); /* accepts NULL, returns NULL; nobody may be waiting */
DEFINE_FREEP(struct watch, watch_free);

/* Waits until fd is readable or writable (one of RUN_READABLE, RUN_WRITABLE). */
SUSPENDS int watch_wait(struct watch *watch, int event, const char *what, struct fault *fault);

/* Calls fn(arg) on the loop, outside any fiber, each time fd is writable, until switched off with
 * NULL. For draining queues; a fiber cannot wait for RUN_WRITABLE on the same watch meanwhile. */
void watch_on_writable(struct watch *watch, void (*fn)(void *arg), void *arg);

/* A piece of work run once, outside any fiber, before the loop next waits for the kernel: for flushing
 * what fibers queued. Embedded; scheduling it twice is once. */
struct idle_work {
	struct list link;
	void (*fn)(void *arg);
	void *arg;
};

void idle_work_init(struct idle_work *work, void (*fn)(void *arg), void *arg);
void idle_work_schedule(struct idle_work *work);
void idle_work_cancel(struct idle_work *work);

/* --- channels -------------------------------------------------------------------------------- */

/* A queue of pointers between fibers, bounded by the bytes its items stand for. Embedded. */
struct channel {
	struct list items;
	struct waiters senders, receivers;
	size_t bytes, max_bytes;
	bool closed;
};

void channel_init(struct channel *channel, size_t max_bytes);

/* Frees the queue; drop(item) is called for each item left (may be NULL). */
void channel_done(struct channel *channel, void (*drop)(void *item));

/* Queues an item that stands for `bytes` bytes; waits while that would pass max_bytes, unless the queue
 * is empty. 0 when queued, 1 when the channel is closed (the caller keeps the item). */
SUSPENDS int channel_send(struct channel *channel, void *item, size_t bytes, struct fault *fault);

/* 0 with *ret_item, or 1 when the channel is closed and empty. */
SUSPENDS int channel_receive(struct channel *channel, void **ret_item, struct fault *fault);

/* No more items will come; waiting fibers wake. */
void channel_close(struct channel *channel);

/* --- blocking work --------------------------------------------------------------------------- */

/* Runs fn(arg) on a worker thread and waits for it. fn must not touch fibers, loop or anything shared
 * without care. Cancellation and deadlines do not interrupt fn: the call returns when fn has returned, unless
 * no thread had begun with it; then it is never run. Returns what fn returned, with its fault. */
SUSPENDS int pool_call(const char *what, fiber_fn fn, void *arg, struct fault *fault);

/* --- names ----------------------------------------------------------------------------------- */

struct sockaddr_storage;

struct addresses {
	size_t n;
	struct {
		unsigned len;
		_Alignas(8) unsigned char bytes[28]; /* a sockaddr_in or sockaddr_in6 */
	} at[16];
};

/* Looks up a host name or address literal, in the system's order, at most 16. Unknown name: FAULT_TRANSPORT
 * with AGAIN_NEVER for "no such name", AGAIN_LATER for a resolver that did not answer. */
SUSPENDS int resolve(const char *host, uint16_t port, struct addresses *ret, struct fault *fault);

#endif
