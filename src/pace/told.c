/* SPDX-License-Identifier: Apache-2.0 */
/* See told.h. */
#include "pace/told.h"

#include <stddef.h>

static const int64_t first_wait = SECOND, longest_own = 5 * MINUTE;
static const int64_t longest_told = 24 * HOUR; /* the peer's word, bounded */
static const int64_t short_while = 2 * MINUTE;
static const int64_t first_most = 30 * MINUTE, longest_most = 8 * HOUR;

/* Up to 1/part more, so that not all come back at the same moment. */
static int64_t with_chance(int64_t wait, int part, uint64_t chance)
{
	return wait + (int64_t)(chance % (uint64_t)(wait / part + 1));
}

int64_t told_off(struct told *t, int64_t after_us, uint64_t chance, int64_t now)
{
	bool away = now < t->until;
	int64_t wait, until;

	if (after_us > 0)
		wait = with_chance(after_us < longest_told ? after_us : longest_told, 10, chance);
	else if (away)
		return t->until - now;
	else {
		wait = t->in_a_row < 20 ? first_wait << t->in_a_row : longest_own;
		wait = with_chance(wait < longest_own ? wait : longest_own, 4, chance);
		t->in_a_row++;
	}

	until = now + wait;
	if (until > t->until)
		t->until = until;
	return t->until - now;
}

void told_away(struct told *t, int64_t wait_us, int64_t now)
{
	int64_t until = now + (wait_us < longest_told ? wait_us : longest_told);

	if (until > t->until)
		t->until = until;
}

/* --- connections ------------------------------------------------------------------------------ */

void told_too_many(struct told *t, unsigned open, int64_t now)
{
	unsigned fewer = open > 1 ? open - 1 : 1;

	if (t->most && t->most <= fewer && now < t->most_until)
		return; /* those of before are still being closed */

	t->most_for = t->most_for ? t->most_for * 2 : first_most;
	if (t->most_for > longest_most)
		t->most_for = longest_most;
	t->most = fewer;
	t->most_until = now + t->most_for;
}

unsigned told_most(struct told *t, int64_t now)
{
	/* Its limit may have been raised, or sessions of an earlier run were still open. One more
	 * each time; what others allow bounds it, so it need not be given up. */
	while (t->most && now >= t->most_until && t->most < 100000) {
		t->most++;
		t->most_until += t->most_for;
	}
	return t->most;
}

/* --- those below ------------------------------------------------------------------------------ */

int64_t told_of(struct told *t, const void *who, int64_t wait_us, int64_t now)
{
	int64_t shortest = INT64_MAX;
	int oldest = 0;

	for (int i = 0; i < TOLD_OTHERS; i++) {
		if (t->others[i].who == who) {
			oldest = i;
			break;
		}
		if (t->others[i].at < t->others[oldest].at)
			oldest = i;
	}
	t->others[oldest].who = who;
	t->others[oldest].at = now;
	t->others[oldest].wait = wait_us;

	for (int i = 0; i < TOLD_OTHERS; i++) {
		if (!t->others[i].who || now - t->others[i].at > short_while)
			return 0;
		if (t->others[i].wait < shortest)
			shortest = t->others[i].wait;
	}
	return shortest;
}

void told_forget(struct told *t, const void *who)
{
	for (int i = 0; i < TOLD_OTHERS; i++) {
		if (t->others[i].who == who) {
			t->others[i].who = NULL;
			t->others[i].at = 0;
		}
	}
}
