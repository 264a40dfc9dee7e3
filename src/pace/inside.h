/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of pace/ share: a limit as it is inside. Nobody else includes this but pace/'s own
 * tests.
 *
 * Limits form trees: each chain leads to its root, which keeps the lines of those who wait for a
 * place or to go on, because who may be next depends on all limits between. Those who wait for a
 * rate stand at that limit. */
#ifndef PACE_INSIDE_H
#define PACE_INSIDE_H

#include "base/list.h"
#include "pace/calm.h"
#include "pace/limits.h"
#include "pace/pace.h"
#include "pace/pressure.h"
#include "pace/told.h"

/* A fiber in a line; on its stack. */
struct turn {
	struct list link;
	struct waiters waiters; /* itself */
	struct pace *pace;      /* it called on */
	bool granted;
	int64_t tag;            /* rates: its place, see take.c */
	unsigned passed;        /* places: how many came first */
	int64_t since;          /* places: run_now() since which it waits … */
	int64_t quiet_since;    /* … and since which nobody worked */
	uint64_t mark;          /* work done by others then */
};

/* A bucket and those who wait for it, by tag. */
struct line {
	struct bucket bucket;
	struct list turns;
	int64_t tag;      /* of the last that was served */
	int64_t own_tag;  /* of the last that called on this limit itself, not through one below */
};

enum { LINE_MESSAGES, LINE_BYTES, LINES };

struct pace {
	struct pace_settings settings;
	struct pace_times *times;
	struct pace *above, *root;

	/* The fast path: nothing of this limit can make anybody wait. */
	bool open;
	uint64_t messages, bytes; /* in all */
	uint64_t passes;          /* of pace_pause() */

	/* What holds now, of settings and windows. */
	struct pace_limits limits;
	int64_t look_again;       /* run_now() */
	int64_t closed_until;     /* run_now(); 0: not closed */
	const char *closed_by;    /* the window's text */

	struct line lines[LINES];
	int64_t tags[LINES];      /* of the last through this limit, in the line of the one above */
	struct day day;
	uint64_t day_noted;       /* so many of `bytes` are in `day` */

	struct told told;
	struct calm calm;
	int64_t answered_at;      /* 0: never */
	int64_t disks_at;         /* run_now() when the disks were last asked about */
	bool disks_unknown;       /* the kernel does not tell */

	unsigned connections;     /* places taken */
	unsigned resting;         /* of these, waiting in pace_pause() */
	struct list holders;      /* of those below that have places, the longest first */
	struct list holder;       /* links it there */
	unsigned below;           /* limits right below this one */
	unsigned servers;         /* those of them that have limits below themselves */

	struct list entering, rests; /* of struct turn; the root's */

	char why[160];            /* for pace_look() */
};

/* Waits longer than this are refused. */
#define PACE_PATIENCE (3 * MINUTE)

/* Brings what depends on the time of day up to date. */
void pace_refresh(struct pace *pace, int64_t now, int64_t wall);

/* How long nothing may begin at this one limit; 0: now. *ret_why (may be NULL) in a few words. */
int64_t pace_shut(const struct pace *pace, int64_t now, int64_t wall, const char **ret_why);

/* The same of the whole chain, brought up to date. *ret_which: the limit it is. */
int64_t pace_shut_chain(struct pace *pace, int64_t now, int64_t wall, struct pace **ret_which,
			const char **ret_why);

/* 0: nothing forbids or only for a while (*ret_wait); -1 and FAULT_LIMIT: for longer than anybody
 * should wait. */
int pace_gate(struct pace *pace, int64_t *ret_wait, struct fault *fault);

/* How many places there may be at this limit now; 0: no limit. */
unsigned pace_places(struct pace *pace, int64_t now);

/* Rests while more are at work than is bearable and it is the caller's turn to. */
SUSPENDS int pace_rest(struct pace *pace, struct fault *fault);

/* Gives places to those who wait and may have them, and lets go on who may. */
void pace_settle(struct pace *root);

/* Waits until woken, or at most so long (MOMENT_NEVER: until woken). -1 only for the fiber's own
 * end. */
int turn_wait(struct turn *turn, int64_t at_most_us, const char *what, struct fault *fault);
void turn_wake(struct turn *turn);

/* Bytes of the last 24 hours. */
uint64_t pace_day_sum(const struct pace *pace, int64_t wall);
void pace_note_day(struct pace *pace, int64_t wall);

/* Asks about the local disks if that is due. */
SUSPENDS int pace_watch_disks(struct pace *pace, struct fault *fault);

#endif
