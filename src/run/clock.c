/* SPDX-License-Identifier: Apache-2.0 */
/* The only place that reads clocks and asks the kernel for randomness. */
#include "run/run.h"

#include <errno.h>
#include <sys/random.h>

static int64_t read_clock(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) < 0)
		abort();
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

int64_t run_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t run_wall(void)
{
	return read_clock(CLOCK_REALTIME);
}

void run_random(void *p, size_t n)
{
	char *to = p;

	while (n > 0) {
		ssize_t got = getrandom(to, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			abort(); /* a nonce that is not random is worse than no program */
		to += got;
		n -= (size_t)got;
	}
}
