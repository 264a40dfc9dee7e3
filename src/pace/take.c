/* SPDX-License-Identifier: Apache-2.0 */
/* Taking messages and bytes. Each limit has a line for either; who stands first waits for the
 * bucket, the others for him. Places in a line are given by start-time fair queueing: whoever took
 * much lately stands further back, each limit below counted as one, however many connections it
 * has. So a large mailbox with eight connections and a small one with one get the same, and nobody
 * is passed over for ever. */
#include "pace/inside.h"

static const int64_t longest_sleep = 5 * SECOND; /* limits may change meanwhile */
static const int64_t dearest = HOUR;  /* one amount, in a line's order */

/* --- a fiber in a line ------------------------------------------------------------------------ */

int turn_wait(struct turn *turn, int64_t at_most_us, const char *what, struct fault *fault)
{
	int64_t former = run_deadline_narrow(at_most_us);
	struct fault why = FAULT_INIT;
	int r = waiters_wait(&turn->waiters, what, &why);

	run_deadline_restore(former);
	if (r == 0 || (why.kind == FAULT_TIMEOUT && (former == MOMENT_NEVER || former > run_now())))
		return 0;

	*fault = why;
	return -1;
}

void turn_wake(struct turn *turn)
{
	waiters_wake_all(&turn->waiters);
}

/* --- a line ----------------------------------------------------------------------------------- */

static void stand(struct line *line, struct turn *turn)
{
	struct list *before = line->turns.prev;

	while (before != &line->turns && list_entry(before, struct turn, link)->tag > turn->tag)
		before = before->prev;
	list_prepend(before, &turn->link);
}

static bool is_first(const struct line *line, const struct turn *turn)
{
	return line->turns.next == &turn->link;
}

static void wake_first(struct line *line)
{
	if (!list_is_empty(&line->turns))
		turn_wake(list_entry(line->turns.next, struct turn, link));
}

/* Where it stands, and where the next one from there will. */
static int64_t draw_tag(struct line *line, struct pace *through, int kind, uint64_t amount)
{
	int64_t *last = through ? &through->tags[kind] : &line->own_tag;
	double cost = (double)amount * (double)SECOND / (double)line->bucket.rate;
	int64_t tag = *last > line->tag ? *last : line->tag;

	*last = tag + (cost < (double)dearest ? (int64_t)cost : dearest);
	return tag;
}

static int wait_in(struct pace *p, struct line *line, struct turn *turn, struct fault *fault)
{
	for (;;) {
		int64_t wait = MOMENT_NEVER;

		if (is_first(line, turn)) {
			pace_refresh(p, run_now(), run_wall());
			wait = bucket_wait(&line->bucket, run_now());
			if (!wait)
				return 0;
			if (wait > longest_sleep)
				wait = longest_sleep;
		}
		if (turn_wait(turn, wait, "its share of a rate", fault) < 0)
			return -1;
	}
}

/* through: the limit below, from which one comes; NULL: called on this one. */
static int take_from(struct pace *p, struct pace *through, int kind, uint64_t amount, int64_t *now,
		     struct fault *fault)
{
	struct line *line = &p->lines[kind];
	struct turn turn;
	int r = 0;

	if (!amount || !line->bucket.rate)
		return 0;

	turn.tag = draw_tag(line, through, kind, amount);
	if (!list_is_empty(&line->turns) || bucket_wait(&line->bucket, *now)) {
		waiters_init(&turn.waiters);
		stand(line, &turn);
		r = wait_in(p, line, &turn, fault);
		list_remove(&turn.link);
		*now = run_now();
	}
	if (r == 0) {
		bucket_take(&line->bucket, amount, *now);
		if (turn.tag > line->tag)
			line->tag = turn.tag;
	}
	wake_first(line);
	return r;
}

/* --- a chain ---------------------------------------------------------------------------------- */

static int pass_gate(struct pace *pace, struct fault *fault)
{
	int64_t wait;

	for (;;) {
		if (pace_gate(pace, &wait, fault) < 0)
			return -1;
		if (!wait)
			return 0;
		if (run_sleep(wait < longest_sleep ? wait : longest_sleep, fault) < 0)
			return -1;
	}
}

static int take_slowly(struct pace *pace, uint64_t messages, uint64_t bytes, struct fault *fault)
{
	struct pace *through = NULL;
	int64_t now, wall;

	/* What has begun may end: only a message's first step can be refused. */
	if (messages && pass_gate(pace, fault) < 0)
		return -1;

	now = run_now();
	wall = run_wall();
	for (struct pace *p = pace; p; through = p, p = p->above) {
		pace_refresh(p, now, wall);
		if (take_from(p, through, LINE_MESSAGES, messages, &now, fault) < 0 ||
		    take_from(p, through, LINE_BYTES, bytes, &now, fault) < 0)
			return -1;
	}
	return 0;
}

int pace_take(struct pace *pace, uint64_t messages, uint64_t bytes, struct fault *fault)
{
	bool open = true;

	for (struct pace *p = pace; p; p = p->above)
		open &= p->open;
	if (!open && take_slowly(pace, messages, bytes, fault) < 0)
		return -1;

	for (struct pace *p = pace; p; p = p->above) {
		p->messages += messages;
		p->bytes += bytes;
	}
	return 0;
}

/* --- between batches -------------------------------------------------------------------------- */

/* The longest pause that answers along the chain ask for. */
static int64_t stretch(const struct pace *pace)
{
	int64_t pause = 0;

	for (const struct pace *p = pace; p; p = p->above) {
		if (p->calm.pause_us > pause)
			pause = p->calm.pause_us;
	}
	return pause;
}

int pace_pause(struct pace *pace, struct fault *fault)
{
	int64_t pause;

	if (run_is_cancelled())
		return fault_cancelled(fault);
	if (pace_watch_disks(pace, fault) < 0 || pace_rest(pace, fault) < 0 ||
	    pass_gate(pace, fault) < 0)
		return -1;

	for (struct pace *p = pace; p; p = p->above)
		p->passes++;
	pause = stretch(pace);
	return pause ? run_sleep(pause, fault) : 0;
}
