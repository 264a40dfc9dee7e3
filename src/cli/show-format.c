/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people read them, see show.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/show.h"

const char *show_count(char to[32], uint64_t n)
{
	char digits[24];
	size_t length = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;

	for (size_t i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			to[at++] = ',';
		to[at++] = digits[i];
	}
	to[at] = '\0';
	return to;
}

const char *show_bytes(char to[32], uint64_t n)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB" };
	double value = (double)n / 1024; /* compared as it will be rounded: "1024 KiB" is 1.0 MiB */
	size_t unit = 0;

	if (n < 1024) {
		snprintf(to, 32, "%" PRIu64 " B", n);
		return to;
	}

	while (value >= 1023.5 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(to, 32, value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return to;
}

const char *show_duration(char to[32], int64_t us)
{
	int64_t seconds = us / SECOND;

	if (us < 0)
		us = seconds = 0;
	if (us < 60 * SECOND)
		snprintf(to, 32, "%" PRId64 ".%" PRId64 " s", seconds, us / (SECOND / 10) % 10);
	else if (seconds < 3600)
		snprintf(to, 32, "%" PRId64 ":%02" PRId64, seconds / 60, seconds % 60);
	else
		snprintf(to, 32, "%" PRId64 ":%02" PRId64 ":%02" PRId64, seconds / 3600,
			 seconds / 60 % 60, seconds % 60);
	return to;
}
