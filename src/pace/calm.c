/* SPDX-License-Identifier: Apache-2.0 */
/* See calm.h. What must stay true: memory is bounded, one odd answer decides nothing, and after
 * being slowed down nothing changes before there are answers from under the new conditions. */
#include "pace/calm.h"

#include <stdlib.h>
#include <string.h>

static const int64_t default_bearable = 2 * SECOND;
static const int64_t felt = 100 * MSEC;           /* people notice no less */
static const int64_t stale_after = 2 * MINUTE;    /* an answer says nothing about now */
static const int64_t between_changes = 10 * SECOND;
static const int64_t calm_for = MINUTE;           /* before each step up */
static const int64_t first_pause = SECOND / 4, longest_pause = 15 * SECOND;
static const int64_t first_hold = 10 * MINUTE, longest_hold = 40 * MINUTE;
static const int64_t new_usual_after = 12 * HOUR;
static const double disks_some = 50, disks_full = 25; /* percent */

enum { JUDGE_FROM = 4, MINUTE_FROM = 3 }; /* answers needed */

void calm_init(struct calm *c, int64_t bearable_us, int64_t now)
{
	memset(c, 0, sizeof(*c));
	c->bearable_us = bearable_us > 0 ? bearable_us : default_bearable;
	c->minute_began = c->changed_at = now;
	c->bad_at = c->lowered_at = now - 2 * longest_hold;
	c->hold_us = first_hold;
}

/* --- what is usual ---------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The value below which `percent` of them lie. */
static int64_t percentile(const int64_t *values, unsigned n, unsigned percent)
{
	int64_t sorted[CALM_HISTORY > CALM_MINUTE ? CALM_HISTORY : CALM_MINUTE];

	if (n == 0)
		return 0;

	memcpy(sorted, values, n * sizeof(*values));
	qsort(sorted, n, sizeof(*sorted), compare);
	return sorted[(n - 1) * percent / 100];
}

/* As far down as it goes: what the server is like now it is without us. */
static bool at_the_floor(const struct calm *c)
{
	return c->connections == 1 && c->pause_us >= longest_pause;
}

static void remember(struct calm *c, int64_t low)
{
	c->history[c->history_next] = low;
	c->history_next = (c->history_next + 1) % CALM_HISTORY;
	if (c->history_n < CALM_HISTORY)
		c->history_n++;
	c->baseline_us = percentile(c->history, c->history_n, 25);
}

/* The baseline is what the server is like when we press it least. A minute that is as calm or
 * calmer is taken in at any time. A slower one is not, however slowly it came to that: it may be
 * our own doing. Only when it stays too slow for longer than any working day, though we do next to
 * nothing, it may raise the baseline, by little at a time: else a server that became slower for
 * good would be left alone for ever. */
static void end_minute(struct calm *c, int64_t now)
{
	unsigned n = c->minute_n < CALM_MINUTE ? c->minute_n : CALM_MINUTE;
	int64_t low = percentile(c->minute, n, 10), most = 2 * c->baseline_us + 25 * MSEC;

	if (!at_the_floor(c))
		c->floor_since = 0;
	else if (!c->floor_since)
		c->floor_since = now;

	if (low < 1)
		low = 1;
	if (!c->baseline_us || low <= c->baseline_us)
		remember(c, low);
	else if (c->floor_since && now - c->floor_since >= new_usual_after)
		remember(c, low < most ? low : most);
	c->minute_n = 0;
	c->minute_began = now;
}

static void note(struct calm *c, int64_t took, int64_t now)
{
	if (now - c->minute_began >= MINUTE && c->minute_n >= MINUTE_FROM)
		end_minute(c, now);

	c->minute[c->minute_n % CALM_MINUTE] = took;
	c->minute_n++;

	c->lately[c->lately_next].at = now;
	c->lately[c->lately_next].took = took;
	c->lately_next = (c->lately_next + 1) % CALM_LATELY;
	if (c->lately_n < CALM_LATELY)
		c->lately_n++;
}

/* --- judging ---------------------------------------------------------------------------------- */

static unsigned fresh(const struct calm *c, int64_t now, int64_t *to)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->lately_n; i++) {
		if (now - c->lately[i].at <= stale_after)
			to[n++] = c->lately[i].took;
	}
	return n;
}

int64_t calm_lately(const struct calm *c, int64_t now)
{
	int64_t answers[CALM_LATELY];
	unsigned n = fresh(c, now, answers);

	return percentile(answers, n, 50);
}

static bool users_feel_it(const struct calm *c, int64_t now)
{
	int64_t answers[CALM_LATELY], median, unusual;
	unsigned n = fresh(c, now, answers);

	if (n < JUDGE_FROM)
		return false;

	median = percentile(answers, n, 50);
	if (median > c->bearable_us)
		return true;
	if (!c->baseline_us)
		return false;

	unusual = 3 * c->baseline_us;
	if (unusual < c->baseline_us + felt)
		unusual = c->baseline_us + felt;
	return median > unusual;
}

/* What was too much. Lowering several times in a row is one event: it was the first that was too
 * much for certain. If that was tried for the second time, it is not tried so soon again. */
static void note_felt(struct calm *c, unsigned from, int64_t now)
{
	c->hold_us = now - c->lowered_at < 2 * longest_hold ? c->hold_us * 2 : first_hold;
	if (c->hold_us > longest_hold)
		c->hold_us = longest_hold;
	c->felt_at = from;
	c->felt_pause_us = c->pause_us;
}

/* Fewer connections, longer pauses; what it was like before says nothing any more. */
static bool lower(struct calm *c, unsigned in_use, int64_t now)
{
	unsigned from = c->connections && c->connections < in_use ? c->connections : in_use;

	c->bad_at = now;
	if (now - c->lowered_at < between_changes || at_the_floor(c))
		return false;

	if (from < 1)
		from = 1;
	if (!c->connections)
		c->before = from;
	if (c->changed_at != c->lowered_at)
		note_felt(c, from, now);
	c->hold_until = now + c->hold_us;

	c->connections = from > 1 ? from / 2 : 1;
	c->pause_us = c->pause_us ? c->pause_us * 2 : first_pause;
	if (c->pause_us > longest_pause)
		c->pause_us = longest_pause;
	c->lowered_at = c->changed_at = now;
	c->lately_n = c->lately_next = 0;
	return true;
}

bool calm_answer(struct calm *c, int64_t took_us, unsigned in_use, int64_t now)
{
	note(c, took_us > 0 ? took_us : 0, now);
	if (!users_feel_it(c, now))
		return false;

	c->disks = false;
	return lower(c, in_use, now);
}

bool calm_disks(struct calm *c, double some, double full, unsigned in_use, int64_t now)
{
	if (!(some > disks_some || full > disks_full))
		return false;

	c->disks = true;
	return lower(c, in_use, now);
}

/* --- going up again --------------------------------------------------------------------------- */

static bool shorter_pause(struct calm *c, int64_t now)
{
	int64_t next = c->pause_us > first_pause ? c->pause_us / 2 : 0;

	if (!c->pause_us)
		return false;
	if (c->felt_at && c->connections >= c->felt_at && next <= c->felt_pause_us &&
	    now < c->hold_until)
		return false;

	c->pause_us = next;
	return true;
}

static bool more_connections(struct calm *c, unsigned most, int64_t now)
{
	unsigned next = c->connections + 1;

	if (!c->connections || (c->felt_at && next >= c->felt_at && now < c->hold_until))
		return false;

	c->connections = next;
	if (next >= (most ? most : c->before) && next > c->felt_at)
		c->connections = 0;
	return true;
}

bool calm_tick(struct calm *c, unsigned most, int64_t now)
{
	int64_t since = c->bad_at > c->changed_at ? c->bad_at : c->changed_at;
	bool changed;

	if (!calm_is_slowed(c) || now - since < calm_for)
		return false;

	if (c->felt_at && c->connections >= c->felt_at && c->pause_us <= c->felt_pause_us) {
		c->felt_at = 0; /* what was too much was not, for a minute */
		c->hold_us = c->hold_us / 2 > first_hold ? c->hold_us / 2 : first_hold;
	}
	changed = shorter_pause(c, now);
	if (more_connections(c, most, now))
		changed = true;
	if (changed)
		c->changed_at = now;
	return changed;
}
