/* SPDX-License-Identifier: Apache-2.0 */
/* A limit on messages and bytes a second, shared by all connections of a pass. */
#ifndef COPY_THROTTLE_H
#define COPY_THROTTLE_H

#include <stdint.h>

#include "base/fault.h"
#include "run/run.h"

struct copy_throttle {
	uint64_t bytes_per_second, messages_per_second; /* 0: no limit */
	int64_t bytes_free_at, messages_free_at; /* run_now() at which what was taken is paid for */
};

void copy_throttle_init(struct copy_throttle *throttle, uint64_t bytes_per_second,
			uint64_t messages_per_second);

/* Takes so many messages and bytes, and waits until they fit. Up to a quarter of a second of unused time is
 * carried over, not more. */
SUSPENDS int copy_throttle_take(struct copy_throttle *throttle, uint64_t messages, uint64_t bytes,
				struct fault *fault);

#endif
