/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: who gets a place, and who rests when there are more than is bearable.
 *
 * A place is taken in every limit of the chain at once or in none: there is nothing to deadlock on
 * and nothing to give back when one gives up waiting. So all who wait stand in one line, the
 * root's, and pace_settle() looks through it whenever something changed. Nobody tells us that time
 * has passed: the first in each line looks once a second. */
#include "pace/inside.h"

#include <assert.h>

static const int64_t look_every = SECOND;
static const int64_t long_rest = 5 * MINUTE;   /* then another's turn to rest has come */
static const int64_t quiet_for = 10 * SECOND;  /* nobody works: one of those who rest must */
enum { PASSED_MOST = 16 }; /* how many may come before one who was there first */

static void turn_init(struct turn *turn, struct pace *pace)
{
	*turn = (struct turn){ .pace = pace, .since = run_now(), .quiet_since = run_now() };
	waiters_init(&turn->waiters);
	list_init(&turn->link);
}

static struct turn *turn_of(struct list *link)
{
	return list_entry(link, struct turn, link);
}

static unsigned working(const struct pace *p)
{
	return p->connections > p->resting ? p->connections - p->resting : 0;
}

/* Only the first has its timer running; a new first must start it. */
static int wait_in(struct list *line, struct turn *turn, const char *what, struct fault *fault)
{
	return turn_wait(turn, line->next == &turn->link ? look_every : MOMENT_NEVER, what, fault);
}

static void leave_line(struct list *line, struct turn *turn)
{
	list_remove(&turn->link);
	if (!list_is_empty(line))
		turn_wake(turn_of(line->next));
}

static void refresh_chain(struct pace *pace)
{
	int64_t now = run_now(), wall = run_wall();

	for (struct pace *p = pace; p; p = p->above)
		pace_refresh(p, now, wall);
}

/* --- places ----------------------------------------------------------------------------------- */

/* Of the places of a limit that several servers share, each has its part. Whoever moves mail needs
 * a place at both, one after the other: if all were taken at the first, nobody would get one at the
 * second. */
static unsigned part_of(const struct pace *p, unsigned places)
{
	unsigned part = p->servers > 1 ? places / p->servers : places;

	return part ? part : 1;
}

static bool has_room(struct pace *pace, int64_t now)
{
	const struct pace *through = NULL;

	for (struct pace *p = pace; p; through = p, p = p->above) {
		unsigned places = pace_places(p, now);

		if (places && (p->connections >= places ||
			       (through && through->connections >= part_of(p, places))))
			return false;
	}
	return true;
}

static void take_place(struct pace *pace)
{
	for (struct pace *p = pace; p; p = p->above) {
		if (p->connections++ == 0 && p->above)
			list_append(&p->above->holders, &p->holder);
	}
}

/* The first in line, but one whose account has fewer places goes before: what has none cannot even
 * begin. */
static struct turn *next_to_enter(struct pace *root, int64_t now, int64_t wall)
{
	struct turn *next = NULL;

	list_for_each(link, &root->entering) {
		struct turn *turn = turn_of(link);
		struct pace *which;
		const char *why;
		int64_t shut = pace_shut_chain(turn->pace, now, wall, &which, &why);

		if (shut > PACE_PATIENCE)
			turn_wake(turn); /* it will find out itself */
		if (shut || !has_room(turn->pace, now))
			continue;
		if (!next || (turn->pace->connections < next->pace->connections &&
			      next->passed < PASSED_MOST))
			next = turn;
	}
	return next;
}

static void let_in(struct pace *root, int64_t now, int64_t wall)
{
	struct turn *turn;

	while ((turn = next_to_enter(root, now, wall))) {
		list_for_each(link, &root->entering) {
			if (link == &turn->link)
				break;
			turn_of(link)->passed++;
		}
		take_place(turn->pace);
		turn->granted = true;
		list_remove(&turn->link);
		turn_wake(turn);
	}
}

int pace_enter(void *arg, struct fault *fault)
{
	struct pace *pace = arg, *root = pace->root;
	struct turn turn;
	int64_t wait;
	int r = 0;

	if (run_is_cancelled())
		return fault_cancelled(fault);

	turn_init(&turn, pace);
	list_append(&root->entering, &turn.link);
	pace_settle(root);
	while (!turn.granted && r == 0) {
		r = pace_gate(pace, &wait, fault);
		if (r == 0)
			r = wait_in(&root->entering, &turn, "a place among the connections", fault);
		if (r == 0 && !turn.granted)
			pace_settle(root);
	}
	leave_line(&root->entering, &turn);
	if (r < 0 && turn.granted)
		pace_leave(pace);
	return r;
}

void pace_leave(void *arg)
{
	struct pace *pace = arg;

	for (struct pace *p = pace; p; p = p->above) {
		assert(p->connections > 0);
		if (--p->connections == 0)
			list_remove(&p->holder);
	}
	pace_settle(pace->root);
}

/* --- resting ---------------------------------------------------------------------------------- */

/* Of so many places, how many are for `holder`: one for each in turn, those first that hold theirs
 * the longest. */
static unsigned share_of(const struct pace *p, const struct pace *holder, unsigned places)
{
	unsigned share = 0;
	bool any = true;

	for (unsigned round = 1; places > 0 && any; round++) {
		any = false;
		list_for_each(link, &p->holders) {
			const struct pace *other = list_entry(link, struct pace, holder);

			if (other->connections < round)
				continue;
			any = true;
			share += other == holder;
			if (--places == 0)
				break;
		}
	}
	return share;
}

/* Whether there are too many at work, and the caller is of those who should not be. */
static bool is_surplus(struct pace *pace, int64_t now)
{
	const struct pace *through = NULL;

	for (struct pace *p = pace; p; through = p, p = p->above) {
		unsigned places = pace_places(p, now);

		if (places && working(p) > places &&
		    (!through || working(through) > share_of(p, through, places)))
			return true;
	}
	return false;
}

static bool is_in_chain(const struct pace *p, const struct pace *chain)
{
	while (chain && chain != p)
		chain = chain->above;
	return chain;
}

/* The limit that keeps one who rests from going on, or NULL; instead: a chain in which one would
 * rest for him. */
static struct pace *in_the_way(struct pace *pace, const struct pace *instead, int64_t now)
{
	for (struct pace *p = pace; p; p = p->above) {
		unsigned places = pace_places(p, now);
		unsigned others = working(p) - (working(p) && instead && is_in_chain(p, instead));

		if (places && others >= places)
			return p;
	}
	return NULL;
}

/* Whether somebody rests for so long that the caller should take his place. */
static bool should_swap(struct pace *pace, int64_t now)
{
	list_for_each(link, &pace->root->rests) {
		struct turn *turn = turn_of(link);

		if (now - turn->since < long_rest)
			return false; /* those behind came later */
		if (!in_the_way(turn->pace, pace, now))
			return true;
	}
	return false;
}

static void count_resting(struct pace *pace, int change)
{
	for (struct pace *p = pace; p; p = p->above)
		p->resting += (unsigned)change;
}

static void wake_rests(struct pace *root, int64_t now)
{
	list_for_each_safe(link, &root->rests) {
		struct turn *turn = turn_of(link);

		if (in_the_way(turn->pace, NULL, now))
			continue;
		count_resting(turn->pace, -1);
		turn->granted = true;
		list_remove(&turn->link);
		turn_wake(turn);
	}
}

/* Places may be held by connections that nobody works with at the moment. When nothing was done at
 * the limit in the way for a while, whoever asks goes on: one at least works always. */
static bool is_quiet(struct turn *turn, int64_t now)
{
	const struct pace *p = in_the_way(turn->pace, NULL, now);
	uint64_t mark = p ? p->messages + p->bytes + p->passes : 0;

	if (mark != turn->mark) {
		turn->mark = mark;
		turn->quiet_since = now;
	}
	return now - turn->quiet_since >= quiet_for;
}

int pace_rest(struct pace *pace, struct fault *fault)
{
	struct pace *root = pace->root;
	int64_t now = run_now();
	struct turn turn;
	int r = 0;

	refresh_chain(pace);
	if (!is_surplus(pace, now) && !should_swap(pace, now))
		return 0;

	turn_init(&turn, pace);
	is_quiet(&turn, now);
	count_resting(pace, 1);
	list_append(&root->rests, &turn.link);
	pace_settle(root);
	while (!turn.granted && r == 0) {
		r = wait_in(&root->rests, &turn, "its turn with a server that is slow", fault);
		if (r == 0 && !turn.granted) {
			refresh_chain(pace);
			pace_settle(root);
		}
		if (r == 0 && is_quiet(&turn, run_now()))
			break;
	}
	if (!turn.granted)
		count_resting(pace, -1);
	leave_line(&root->rests, &turn);
	return r;
}

void pace_settle(struct pace *root)
{
	int64_t now = run_now();

	if (!list_is_empty(&root->entering))
		let_in(root, now, run_wall());
	if (!list_is_empty(&root->rests))
		wake_rests(root, now);
}
