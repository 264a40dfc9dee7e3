/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks and the switch between them; inside run/ only. Who runs when is loop.c's business. */
#ifndef RUN_FIBER_H
#define RUN_FIBER_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>

struct fiber_stack;

/* Finished stacks kept for the next fiber. A zeroed struct is a valid empty pool. */
struct fiber_pool {
	struct fiber_stack *free;
	unsigned n_free;
};

void fiber_pool_done(struct fiber_pool *pool);

/* A function that runs on a stack of its own and can be left and entered again. */
struct fiber_context {
	jmp_buf inside;  /* where it goes on */
	jmp_buf outside; /* where fiber_enter() goes on */
	struct fiber_stack *stack;
	void (*entry)(void *arg);
	void *arg;
	bool started, ended;

	/* for AddressSanitizer only */
	void *fake_inside, *fake_outside;
	const void *outside_bottom;
	size_t outside_size;
};

/* entry(arg) first runs at the first fiber_enter(). Ends the process when there is no memory. */
void fiber_context_init(struct fiber_context *c, struct fiber_pool *pool, void (*entry)(void *arg),
			void *arg);

/* Only after c->ended, or before the first fiber_enter(). */
void fiber_context_done(struct fiber_context *c, struct fiber_pool *pool);

/* Runs c until it calls fiber_leave() or its function returns (then c->ended). Not from inside another
 * context: there is one outside, the loop. */
void fiber_enter(struct fiber_context *c);

/* Called inside c: goes back to who entered it; returns at the next fiber_enter(). */
void fiber_leave(struct fiber_context *c);

#endif
