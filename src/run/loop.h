/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of run/ share: the loop, the fiber, and the two ways to suspend. Nobody else includes
 * this but run/'s own tests. */
#ifndef RUN_LOOP_H
#define RUN_LOOP_H

#include <uv.h>

#include "run/fiber.h"
#include "run/run.h"

enum fiber_state { FIBER_READY, FIBER_RUNNING, FIBER_WAITING };

/* Why a suspended fiber was made ready. */
enum fiber_reason { FIBER_WOKEN, FIBER_CANCELLED, FIBER_LATE };

struct fiber {
	struct fiber_context context;
	fiber_fn fn;
	void *arg;

	struct list all;       /* in loop->fibers, in the order they started */
	struct list ready;     /* in loop->ready */
	struct list wait;      /* where it waits: a waiters' or a nursery's list; leaves it on waking */
	struct list sibling;   /* in nursery->children */
	struct list nurseries; /* of struct nursery: those it opened that have children, for the dump */
	struct nursery *nursery; /* NULL: the first fiber */

	enum fiber_state state;
	enum fiber_reason reason;
	bool firm;      /* suspended until woken, whatever happens */
	bool cancelled; /* told to stop */
	unsigned shields;
	int64_t deadline;

	const char *what; /* it waits for, for the dump */
	int64_t since_ms; /* on uv_now()'s clock */

	/* Left running between suspensions: it is moved only when a deadline comes before it, so that a
	 * deadline narrowed again and again for each read costs nothing. */
	uv_timer_t timer;
	bool has_timer;
	int64_t timer_due_ms;

	char name[64];
};

struct loop {
	uv_loop_t uv;
	struct fiber_pool stacks;
	struct list fibers, ready, idle, signals;
	struct fiber *current; /* NULL: outside any fiber */
	struct fiber *first;
	uint64_t shuffle;      /* 0: first come, first served */
	int result;            /* of the first fiber */
	struct fault *fault;
};

/* The running loop; it is a bug to call run/ outside run_main(). */
struct loop *loop_get(void);

/* The running fiber; it is a bug to suspend outside one. */
struct fiber *fiber_current(void);

struct fiber *fiber_new(struct nursery *nursery, int64_t deadline, fiber_fn fn, void *arg);

/* -1 when the running fiber was cancelled or is late, and then the fault. */
int fiber_check(const char *what, struct fault *fault);

/* Suspends the running fiber until it is woken, cancelled or late: 0 or -1. Before it, put fiber->wait in
 * the list of those who may be woken. It does not look first whether that is already due. */
int fiber_suspend(const char *what, struct fault *fault);

/* Suspends until woken, whatever happens. */
void fiber_suspend_firmly(const char *what);

void fiber_wake(struct fiber *fiber);
void fiber_cancel(struct fiber *fiber);

/* The child has returned: called on its own stack. */
void nursery_child_ended(struct fiber *fiber, int result, const struct fault *fault);

/* For tests: from now on ready fibers run in an order drawn from seed; 0 goes back to their own. */
void loop_shuffle(uint64_t seed);

#endif
