/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests beside this file. They are also run with MAILFERRY_RUN_SEED, in which nobody may count on who is next: a
 * test waits until all have gone as far as they can, or says loop_shuffle(0) where the order is what it is about. */
#ifndef RUN_TESTING_H
#define RUN_TESTING_H

#include "run/loop.h"

/* Returns when every other fiber waits. One that only yields would be waited for in vain. */
SUSPENDS static inline int let_all_wait(struct fault *fault)
{
	while (!list_is_empty(&loop_get()->ready))
		if (run_yield(fault) < 0)
			return -1;

	return 0;
}

#endif
