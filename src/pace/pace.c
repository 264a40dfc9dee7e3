/* SPDX-License-Identifier: Apache-2.0 */
/* A limit: what holds now, what forbids, what was learnt. Waiting is in take.c and places.c. */
#include "pace/inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"

static const int64_t look_at_least_every = MINUTE; /* the wall clock may be set */
static const int64_t ask_again_after = 24 * HOUR; /* at the latest */
enum { CLOSED_IN_A_ROW = 64 }; /* windows that follow each other without a gap */

static const char why_told[] = "told to wait", why_closed[] = "closed";
static const char why_used_up[] = "the day's bytes are used up";

struct pace *pace_new(const struct pace_settings *settings, struct pace *above)
{
	struct pace *p = xzalloc(sizeof(*p));
	int64_t now = run_now();

	p->settings = *settings;
	if (settings->times_n) {
		p->times = xreallocarray(NULL, settings->times_n, sizeof(*p->times));
		memcpy(p->times, settings->times, settings->times_n * sizeof(*p->times));
	}
	p->settings.times = p->times;
	p->above = above;
	p->root = above ? above->root : p;
	if (above && above->below++ == 0 && above->above)
		above->above->servers++;
	list_init(&p->holders);
	list_init(&p->holder);
	list_init(&p->entering);
	list_init(&p->rests);
	for (int i = 0; i < LINES; i++)
		list_init(&p->lines[i].turns);
	calm_init(&p->calm, settings->bearable_us, now);
	pace_refresh(p, now, run_wall());
	return p;
}

struct pace *pace_free(struct pace *p)
{
	if (!p)
		return NULL;

	assert(p->below == 0 && p->connections == 0);
	assert(list_is_empty(&p->entering) && list_is_empty(&p->rests));
	for (int i = 0; i < LINES; i++)
		assert(list_is_empty(&p->lines[i].turns));
	if (p->above) {
		told_forget(&p->above->told, p);
		if (--p->above->below == 0 && p->above->above)
			p->above->above->servers--;
	}
	list_remove(&p->holder);
	free(p->times);
	free(p);
	return NULL;
}

/* --- what holds now --------------------------------------------------------------------------- */

/* How long it stays closed from then on: one closed window may follow the other. */
static int64_t closed_for(const struct pace *p, int64_t wall)
{
	int64_t start = wall;

	for (int row = 0; row < CLOSED_IN_A_ROW; row++) {
		int64_t longest = 0;

		for (size_t i = 0; i < p->settings.times_n; i++) {
			const struct pace_times *t = &p->times[i];
			int64_t in;

			if (t->closed && pace_window_holds(&t->window, wall, &in) && in > longest)
				longest = in;
		}
		if (longest == MOMENT_NEVER)
			return MOMENT_NEVER;
		if (longest == 0)
			break;
		wall += longest;
	}
	return wall - start;
}

/* The first window that holds counts; a closed one before all. */
static void look_at_windows(struct pace *p, int64_t now, int64_t wall)
{
	const struct pace_times *holds = NULL, *closed = NULL;
	int64_t change = look_at_least_every, away;

	for (size_t i = 0; i < p->settings.times_n; i++) {
		const struct pace_times *t = &p->times[i];
		int64_t in = MOMENT_NEVER;

		if (pace_window_holds(&t->window, wall, &in)) {
			closed = t->closed && !closed ? t : closed;
			holds = !t->closed && !holds ? t : holds;
		}
		if (in < change)
			change = in;
	}

	away = closed ? closed_for(p, wall) : 0;
	p->closed_by = closed ? closed->window.text : NULL;
	p->closed_until = away == MOMENT_NEVER ? MOMENT_NEVER : away ? now + away : 0;
	p->limits = holds ? limits_merge(&holds->limits, &p->settings.limits) : p->settings.limits;
	p->look_again = now + change;
}

void pace_refresh(struct pace *p, int64_t now, int64_t wall)
{
	struct line *messages = &p->lines[LINE_MESSAGES], *bytes = &p->lines[LINE_BYTES];

	if (now >= p->look_again) {
		p->limits = p->settings.limits;
		p->look_again = MOMENT_NEVER;
		if (p->settings.times_n)
			look_at_windows(p, now, wall);
		bucket_set_rate(&messages->bucket, p->limits.messages_per_second, now);
		bucket_set_rate(&bytes->bucket, p->limits.bytes_per_second, now);
	}
	if (p->settings.adaptive)
		calm_tick(&p->calm, p->limits.connections, now);
	p->open = !p->settings.times_n && !messages->bucket.rate && !bytes->bucket.rate &&
		  !p->limits.bytes_per_day && p->told.until <= now;
}

unsigned pace_places(struct pace *p, int64_t now)
{
	uint64_t least = limits_least(p->limits.connections, told_most(&p->told, now));

	return (unsigned)limits_least(least, p->calm.connections);
}

unsigned pace_commands(const struct pace *pace)
{
	uint64_t least = 0;

	for (const struct pace *p = pace; p; p = p->above)
		least = limits_least(least, p->limits.commands);
	return (unsigned)least;
}

void pace_share(const struct pace *pace, uint64_t *ret_messages, uint64_t *ret_bytes)
{
	uint64_t shares[LINES] = { 0, 0 };

	for (const struct pace *p = pace; p; p = p->above) {
		for (int i = 0; i < LINES; i++) {
			uint64_t rate = p->lines[i].bucket.rate;
			uint64_t share = p->connections > 1 ? rate / p->connections : rate;

			shares[i] = limits_least(shares[i], rate && !share ? 1 : share);
		}
	}
	*ret_messages = shares[LINE_MESSAGES];
	*ret_bytes = shares[LINE_BYTES];
}

/* --- what forbids ----------------------------------------------------------------------------- */

void pace_note_day(struct pace *p, int64_t wall)
{
	day_add(&p->day, p->bytes - p->day_noted, wall);
	p->day_noted = p->bytes;
}

uint64_t pace_day_sum(const struct pace *p, int64_t wall)
{
	return day_sum(&p->day, wall) + (p->bytes - p->day_noted);
}

static void later(int64_t *wait, int64_t other, const char *why, const char **ret_why)
{
	if (other <= *wait)
		return;

	*wait = other;
	if (ret_why)
		*ret_why = why;
}

int64_t pace_shut(const struct pace *p, int64_t now, int64_t wall, const char **ret_why)
{
	int64_t wait = 0, closed = p->closed_until;

	if (p->told.until > now)
		later(&wait, p->told.until - now, why_told, ret_why);
	if (closed > now)
		later(&wait, closed == MOMENT_NEVER ? closed : closed - now, why_closed, ret_why);
	if (p->limits.bytes_per_day)
		later(&wait, day_wait(&p->day, p->limits.bytes_per_day, wall), why_used_up,
		      ret_why);
	return wait;
}

int64_t pace_shut_chain(struct pace *pace, int64_t now, int64_t wall, struct pace **ret_which,
			const char **ret_why)
{
	int64_t wait = 0;

	for (struct pace *p = pace; p; p = p->above) {
		const char *why = "";
		int64_t here;

		pace_refresh(p, now, wall);
		if (p->limits.bytes_per_day)
			pace_note_day(p, wall);
		here = pace_shut(p, now, wall, &why);
		if (here > wait) {
			wait = here;
			*ret_which = p;
			*ret_why = why;
		}
	}
	return wait;
}

static void format_wait(int64_t wait, char *to, size_t size)
{
	long long minutes = wait / MINUTE;

	if (wait == MOMENT_NEVER)
		snprintf(to, size, "for good");
	else if (minutes >= 60)
		snprintf(to, size, "for %lld h %lld min", minutes / 60, minutes % 60);
	else
		snprintf(to, size, "for %lld min", minutes);
}

/* `why` in full: of a window, which. */
static const char *in_full(const struct pace *which, const char *why, char *to, size_t size)
{
	if (why != why_closed)
		return why;

	snprintf(to, size, "closed by the window %s", which->closed_by);
	return to;
}

int pace_gate(struct pace *pace, int64_t *ret_wait, struct fault *fault)
{
	struct pace *which = pace;
	const char *why = "";
	char how_long[40], text[160];
	int64_t wait = pace_shut_chain(pace, run_now(), run_wall(), &which, &why);

	*ret_wait = wait;
	if (wait <= PACE_PATIENCE)
		return 0;

	format_wait(wait, how_long, sizeof(how_long));
	fault_set(fault, FAULT_LIMIT, REACH_MAILBOX, AGAIN_LATER, "%s is paused %s: %s",
		  which->settings.name ? which->settings.name : "the server", how_long,
		  in_full(which, why, text, sizeof(text)));
	fault->after_us = wait < ask_again_after ? wait : ask_again_after;
	return -1;
}

/* --- what is learnt --------------------------------------------------------------------------- */

/* The nearest that watches answer times, or NULL. */
static const struct pace *adaptive(const struct pace *p)
{
	while (p && !p->settings.adaptive)
		p = p->above;
	return p;
}

/* What is worked out anew as time passes is no change that anybody could see. */
static struct pace *mutable(const struct pace *p)
{
	return (struct pace *)(uintptr_t)p;
}

static unsigned working(const struct pace *p)
{
	return p->connections > p->resting ? p->connections - p->resting : 0;
}

void pace_answered(struct pace *pace, int64_t took_us)
{
	struct pace *p = mutable(adaptive(pace));
	int64_t now = run_now();

	if (!p)
		return;

	p->answered_at = now;
	calm_answer(&p->calm, took_us, working(p), now);
	pace_refresh(p, now, run_wall());
}

int64_t pace_silence(const struct pace *pace)
{
	const struct pace *p = adaptive(pace);

	if (!p)
		return 0;
	return p->answered_at ? run_now() - p->answered_at : MOMENT_NEVER;
}

static uint64_t chance(void)
{
	uint64_t bits;

	run_random(&bits, sizeof(bits));
	return bits;
}

void pace_told_off(struct pace *p, int64_t after_us, bool too_many)
{
	int64_t now = run_now(), wait = SECOND;

	/* One connection too many, while others are open: those may go on. */
	if (too_many)
		told_too_many(&p->told, p->connections, now);
	if (!too_many || after_us > 0 || p->connections <= 1) {
		wait = told_off(&p->told, after_us, chance(), now);
		p->open = false;
	}
	if (!p->above)
		return;

	/* Several of its accounts: it is the server. */
	wait = told_of(&p->above->told, p, wait, now);
	if (!wait)
		return;
	told_off(&p->above->told, wait, chance(), now);
	if (too_many)
		told_too_many(&p->above->told, p->above->connections, now);
	p->above->open = false;
}

void pace_went_well(struct pace *pace)
{
	for (struct pace *p = pace; p; p = p->above) {
		if (p->told.in_a_row)
			told_well(&p->told, run_now());
	}
}

int pace_watch_disks(struct pace *pace, struct fault *fault)
{
	for (struct pace *p = pace; p; p = p->above) {
		struct pressure pressure = { 0 };
		int64_t now = run_now();

		if (!p->settings.adaptive || !p->settings.local || p->disks_unknown ||
		    (p->disks_at && now - p->disks_at < PRESSURE_EVERY))
			continue;

		p->disks_at = now;
		if (pool_call("disk pressure", pressure_read, &pressure, fault) < 0)
			return -1;
		if (!pressure.known)
			p->disks_unknown = true;
		else
			calm_disks(&p->calm, pressure.some, pressure.full, working(p), run_now());
	}
	return 0;
}

/* --- showing and keeping ---------------------------------------------------------------------- */

static const char *why_slowed(const struct pace *p)
{
	if (!p || !calm_is_slowed(&p->calm))
		return "";
	return p->calm.disks ? "busy disks" : "slow answers";
}

void pace_look(const struct pace *pace, struct pace_state *ret)
{
	int64_t now = run_now(), wall = run_wall();
	struct pace *p = mutable(pace);
	const struct pace *judge = adaptive(pace);
	struct pace *which = p;
	const char *why = "";

	*ret = (struct pace_state){ .messages = p->messages, .bytes = p->bytes };
	ret->pause_us = pace_shut_chain(p, now, wall, &which, &why);
	pace_note_day(p, wall);
	ret->connections = p->connections;
	ret->bearable = pace_places(p, now);
	ret->bytes_today = pace_day_sum(p, wall);
	if (judge) {
		ret->baseline_us = judge->calm.baseline_us;
		ret->answer_us = calm_lately(&judge->calm, now);
	}

	ret->why = ret->pause_us ? in_full(which, why, p->why, sizeof(p->why)) : why_slowed(judge);
}

void pace_save(const struct pace *pace, int64_t wall_us, struct buf *to)
{
	struct pace *p = mutable(pace);
	int64_t now = run_now();

	pace_note_day(p, wall_us);
	day_save(&p->day, wall_us, to);
	if (p->told.until > now)
		buf_appendf(to, "away %lld\n", (long long)(wall_us + (p->told.until - now)));
}

void pace_restore(struct pace *p, struct bytes saved, int64_t wall_us)
{
	int64_t now = run_now();
	uint64_t until;

	if (wall_us < 0)
		return; /* a clock that is not set cannot tell what is of today */

	day_restore(&p->day, saved, wall_us);
	for (int lines = 0; saved.n > 0 && lines < 1000; lines++) {
		struct bytes line = bytes_cut(&saved, '\n');

		if (!bytes_equal(bytes_cut(&line, ' '), BYTES("away")) ||
		    bytes_to_u64(line, INT64_MAX, &until) < 0 || (int64_t)until <= wall_us)
			continue;
		told_away(&p->told, (int64_t)until - wall_us, now);
	}
	p->open = false; /* until looked at again */
}
