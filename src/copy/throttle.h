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

/* Takes so many messages and bytes at the moment `now` and returns how many microseconds to wait before they may
 * go. Up to a quarter of a second of unused time is carried over, not more. */
int64_t copy_throttle_charge(struct copy_throttle *throttle, uint64_t messages, uint64_t bytes,
			     int64_t now);

/* The same at this moment, and waits. */
SUSPENDS int copy_throttle_take(struct copy_throttle *throttle, uint64_t messages, uint64_t bytes,
				struct fault *fault);

#endif
