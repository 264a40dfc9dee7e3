/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean …": the number of letters to change, add, drop or swap with their neighbour (the
 * optimal string alignment distance). */
#include <string.h>

#include "base/bytes.h"
#include "config/settings.h"

enum { LONGEST = 40 };

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned distance(struct bytes a, struct bytes b)
{
	unsigned rows[3][LONGEST + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];

	for (unsigned j = 0; j <= b.n; j++)
		last[j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *spare = before;

		now[0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			bool same = ascii_lower(a.p[i - 1]) == ascii_lower(b.p[j - 1]);

			now[j] = least(last[j - 1] + !same, least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[b.n];
}

const char *nearest_of(const char *text, const char *const *names, size_t n)
{
	struct bytes wanted = bytes_of(text);
	unsigned best = 1 + (unsigned)least((unsigned)wanted.n / 3, 3);
	const char *found = NULL;

	if (wanted.n > LONGEST)
		return NULL;

	for (size_t i = 0; i < n; i++) {
		struct bytes name = bytes_of(names[i]);
		unsigned d = name.n > LONGEST ? best : distance(wanted, name);

		if (d < best) {
			best = d;
			found = names[i];
		}
	}
	return found;
}
