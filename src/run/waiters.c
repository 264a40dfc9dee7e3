/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for another fiber: the condition itself is the caller's. */
#include "run/loop.h"

void waiters_init(struct waiters *waiters)
{
	list_init(&waiters->fibers);
}

int waiters_wait(struct waiters *waiters, const char *what, struct fault *fault)
{
	if (fiber_check(what, fault) < 0)
		return -1;

	list_append(&waiters->fibers, &fiber_current()->wait);
	return fiber_suspend(what, fault);
}

void waiters_wake_one(struct waiters *waiters)
{
	if (!list_is_empty(&waiters->fibers))
		fiber_wake(list_entry(waiters->fibers.next, struct fiber, wait));
}

void waiters_wake_all(struct waiters *waiters)
{
	while (!list_is_empty(&waiters->fibers))
		waiters_wake_one(waiters);
}
