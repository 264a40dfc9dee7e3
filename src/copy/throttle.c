/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits as moments: each unit moves the moment on at which the next is free. See throttle.h. */
#include "copy/throttle.h"

static const int64_t carry_over = SECOND / 4;
static const double longest_us = 3600 * 24 * 365 * (double)SECOND; /* for one message; sizes are the peer's word */

void copy_throttle_init(struct copy_throttle *t, uint64_t bytes_per_second,
			uint64_t messages_per_second)
{
	*t = (struct copy_throttle){
		.bytes_per_second = bytes_per_second, .messages_per_second = messages_per_second,
	};
}

/* Returns how long to wait before the amount may go. */
static int64_t take(int64_t *free_at, uint64_t rate, uint64_t amount, int64_t now)
{
	double cost = (double)amount * (double)SECOND / (double)(rate ? rate : 1);
	int64_t wait;

	if (!rate || !amount)
		return 0;

	if (*free_at < now - carry_over)
		*free_at = now - carry_over;

	wait = *free_at - now;
	*free_at += (int64_t)(cost < longest_us ? cost : longest_us);
	return wait;
}

int64_t copy_throttle_charge(struct copy_throttle *t, uint64_t messages, uint64_t bytes, int64_t now)
{
	int64_t a = take(&t->bytes_free_at, t->bytes_per_second, bytes, now);
	int64_t b = take(&t->messages_free_at, t->messages_per_second, messages, now);

	if (b > a)
		a = b;
	return a > 0 ? a : 0;
}

int copy_throttle_take(struct copy_throttle *t, uint64_t messages, uint64_t bytes,
		       struct fault *fault)
{
	int64_t wait = copy_throttle_charge(t, messages, bytes, run_now());

	return wait ? run_sleep(wait, fault) : 0;
}
