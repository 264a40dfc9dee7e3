/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks for fibers and the switch between them: no loop, no scheduling, no libuv.
 *
 * ucontext only enters a new stack; after that _setjmp and _longjmp switch, because swapcontext() makes
 * a system call each way for the signal mask. glibc mangles the pointers in a jmp_buf but allows jumps
 * between stacks, unless fortified: the build turns fortify off for this file alone. A stack is given
 * back only after its function returned, so that every cleanup attribute on it has run. */
#include "run/fiber.h"

#include <assert.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/xalloc.h"

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif

#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif

/* Instrumented frames are several times larger. Only pages that are touched cost memory. */
#ifdef FIBER_ASAN
enum { STACK_SIZE = 256 * 1024 };
#else
enum { STACK_SIZE = 64 * 1024 };
#endif

enum { POOL_KEEPS = 256 };

struct fiber_stack {
	struct fiber_stack *next; /* in the pool */
	struct fiber_context *of; /* who runs on it */
	jmp_buf rest;             /* where it goes on with the next one */
	bool is_warm;             /* it is there */
	char *map;                /* a guard page, then STACK_SIZE bytes */
	char *bottom;
	unsigned valgrind_id;
};

/* --- telling the tools ----------------------------------------------------------------------- */

static void tell_leaving(void **fake_save, const void *bottom, size_t size)
{
#ifdef FIBER_ASAN
	__sanitizer_start_switch_fiber(fake_save, bottom, size);
#else
	(void)fake_save, (void)bottom, (void)size;
#endif
}

static void tell_arrived(void *fake_saved, const void **ret_bottom, size_t *ret_size)
{
#ifdef FIBER_ASAN
	__sanitizer_finish_switch_fiber(fake_saved, ret_bottom, ret_size);
#else
	(void)fake_saved, (void)ret_bottom, (void)ret_size;
#endif
}

static void tell_stack_used(struct fiber_stack *stack)
{
#ifdef FIBER_ASAN
	/* The last fiber's red zones are nobody's now. */
	__asan_unpoison_memory_region(stack->bottom, STACK_SIZE);
#endif
#ifdef VALGRIND_STACK_REGISTER
	stack->valgrind_id = VALGRIND_STACK_REGISTER(stack->bottom, stack->bottom + STACK_SIZE);
#else
	(void)stack;
#endif
}

static void tell_stack_unused(struct fiber_stack *stack)
{
#ifdef VALGRIND_STACK_DEREGISTER
	VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
#else
	(void)stack;
#endif
}

/* --- stacks ---------------------------------------------------------------------------------- */

static struct fiber_stack *stack_new(void)
{
	struct fiber_stack *stack = xzalloc(sizeof(*stack));
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	stack->map = mmap(NULL, page + STACK_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (stack->map == MAP_FAILED || mprotect(stack->map, page, PROT_NONE) < 0) {
		fputs("out of memory for another fiber's stack\n", stderr);
		abort();
	}
	stack->bottom = stack->map + page;
	return stack;
}

static void stack_free(struct fiber_stack *stack)
{
	munmap(stack->map, (size_t)(stack->bottom - stack->map) + STACK_SIZE);
	free(stack);
}

static struct fiber_stack *pool_take(struct fiber_pool *pool)
{
	struct fiber_stack *stack = pool->free;

	if (!stack)
		return stack_new();

	pool->free = stack->next;
	pool->n_free--;
	return stack;
}

static void pool_give(struct fiber_pool *pool, struct fiber_stack *stack)
{
	if (pool->n_free >= POOL_KEEPS) {
		stack_free(stack);
		return;
	}
	stack->next = pool->free;
	pool->free = stack;
	pool->n_free++;
}

void fiber_pool_done(struct fiber_pool *pool)
{
	while (pool->free) {
		struct fiber_stack *stack = pool->free;

		pool->free = stack->next;
		stack_free(stack);
	}
	pool->n_free = 0;
}

/* --- switching ------------------------------------------------------------------------------- */

void fiber_context_init(struct fiber_context *c, struct fiber_pool *pool, void (*entry)(void *arg),
			void *arg)
{
	*c = (struct fiber_context){ .entry = entry, .arg = arg, .stack = pool_take(pool) };
	c->stack->of = c;
	tell_stack_used(c->stack);
}

void fiber_context_done(struct fiber_context *c, struct fiber_pool *pool)
{
	assert(c->ended || !c->started);
	tell_stack_unused(c->stack);
	pool_give(pool, c->stack);
	c->stack = NULL;
}

/* What a stack is used for by one context. */
static void serve(struct fiber_context *c)
{
	tell_arrived(NULL, &c->outside_bottom, &c->outside_size);
	c->entry(c->arg);
	c->ended = true;
	/* NULL: this stack's fake frames are not needed again. */
	tell_leaving(NULL, c->outside_bottom, c->outside_size);
}

/* The first function on a new stack, which it never leaves: the next context that gets the stack goes on here, without
 * the system calls that a new one takes. makecontext() passes ints only. Not instrumented: red zones around this frame
 * would be taken away from under it. */
__attribute__((no_sanitize_address)) static void first_frame(unsigned high, unsigned low)
{
	struct fiber_stack *stack =
		(struct fiber_stack *)(((uintptr_t)high << 16 << 16) | (uintptr_t)low);

	for (;;) {
		serve(stack->of);
		stack->is_warm = true;
		if (_setjmp(stack->rest) == 0)
			_longjmp(stack->of->outside, 1);
	}
}

/* Not instrumented: setcontext() leaves this frame, and red zones around it would stay behind. */
__attribute__((no_sanitize_address)) static void start(struct fiber_context *c)
{
	uintptr_t address = (uintptr_t)c->stack;
	ucontext_t context;

	c->started = true;
	if (c->stack->is_warm)
		_longjmp(c->stack->rest, 1);
	if (getcontext(&context) < 0)
		abort();
	context.uc_stack.ss_sp = c->stack->bottom;
	context.uc_stack.ss_size = STACK_SIZE;
	context.uc_link = NULL;
	makecontext(&context, (void (*)(void))first_frame, 2, (unsigned)(address >> 16 >> 16),
		    (unsigned)address);
	setcontext(&context);
	abort();
}

void fiber_enter(struct fiber_context *c)
{
	assert(!c->ended);
	tell_leaving(&c->fake_outside, c->stack->bottom, STACK_SIZE);
	if (_setjmp(c->outside) == 0) {
		if (c->started)
			_longjmp(c->inside, 1);
		start(c);
	}
	tell_arrived(c->fake_outside, NULL, NULL);
}

void fiber_leave(struct fiber_context *c)
{
	tell_leaving(&c->fake_inside, c->outside_bottom, c->outside_size);
	if (_setjmp(c->inside) == 0)
		_longjmp(c->outside, 1);
	tell_arrived(c->fake_inside, &c->outside_bottom, &c->outside_size);
}
