/* SPDX-License-Identifier: Apache-2.0 */
/* How hard servers may be pressed. A limit stands for a server, an account, or the whole process; limits form a chain
 * (account → server → all), and what is taken is taken from every one of the chain. What the settings allow, what the
 * time of day allows, and what the server's answers show to be bearable all bound the same few numbers.
 *
 * limits.c keeps the arithmetic (no clock of its own), calm.c judges answer times, pressure.c the local
 * machine's, presets.c knows platforms, pace.c waits. */
#ifndef PACE_PACE_H
#define PACE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "run/run.h"

struct os_tz;

/* --- settings ---------------------------------------------------------------------------------- */

/* 0: no limit. */
struct pace_limits {
	unsigned connections;         /* at once */
	unsigned commands;            /* under way on one connection; 1: no pipelining */
	uint64_t messages_per_second, bytes_per_second;
	uint64_t bytes_per_day;       /* in any 24 hours */
};

/* "20:00-06:00 Asia/Shanghai", or with days in front: "Sat-Sun 00:00-24:00 Europe/Berlin". */
struct pace_window {
	const char *text;             /* as it was written */
	unsigned days;                /* bit 0 Monday … bit 6 Sunday, of the day on which it begins */
	int from_minute, to_minute;   /* of the local day; to < from goes over midnight */
	const char *zone;             /* tz database name, or "" for the machine's own */
	const struct os_tz *tz;       /* that zone (os/tz.h); NULL: UTC */
};

/* Reads such a text, and the zone's file, so it blocks; all goes to the arena. FAULT_USAGE says what would be right (an
 * unknown time zone too). */
int pace_window_parse(const char *text, struct arena *arena, struct pace_window *ret, struct fault *fault);

/* Whether the moment (µs since 1970) lies within; *ret_change_us (may be NULL): how long until that changes
 * (MOMENT_NEVER: never; at the latest to be asked again after it). It is what a clock there shows that counts, through
 * daylight saving changes too: an hour left out is not there. Reads nothing; some hundred nanoseconds and more, so
 * not for the hot path (the result is cached by those below). */
bool pace_window_holds(const struct pace_window *window, int64_t wall_us, int64_t *ret_change_us);

/* Limits that hold within a window; outside it `limits` of the settings hold. */
struct pace_times {
	struct pace_window window;
	struct pace_limits limits;    /* a 0 here means the general limit */
	bool closed;                  /* nothing may run then */
};

struct pace_settings {
	const char *name;             /* for people: "server old.example" */
	struct pace_limits limits;
	const struct pace_times *times;
	size_t times_n;
	bool adaptive;                /* watch answer times, and the local disks if `local` */
	bool local;                   /* the store is on this machine: /proc/pressure/io counts */
	int64_t bearable_us;          /* answers slower than this are too slow whatever the baseline; 0: 2 s */
};

/* --- a limit ----------------------------------------------------------------------------------- */

struct pace;

/* above: the next in the chain, or NULL; it must outlive this one. Settings are copied, strings are not. */
struct pace *pace_new(const struct pace_settings *settings, struct pace *above);
struct pace *pace_free(struct pace *pace); /* accepts NULL, returns NULL; nobody may be waiting */

/* Waits until so many messages and bytes may go, and takes them. A wait longer than some minutes (a day's bytes are
 * used up, a window is closed, the server said so) is not waited for: FAULT_LIMIT, REACH_MAILBOX, AGAIN_LATER with
 * after_us, so that connections can be given up meanwhile. */
SUSPENDS int pace_take(struct pace *pace, uint64_t messages, uint64_t bytes, struct fault *fault);

/* Like pace_take() for nothing: whether work may begin or go on now. To be asked between batches. When fewer
 * connections are bearable than are in use it waits its turn. */
SUSPENDS int pace_pause(struct pace *pace, struct fault *fault);

/* A connection's place: waits until there is one in the whole chain; as `enter` and `leave` of imap_account. */
SUSPENDS int pace_enter(void *pace, struct fault *fault);
void pace_leave(void *pace);

unsigned pace_commands(const struct pace *pace); /* the least of the chain; 0: no limit */

/* --- what is learnt ---------------------------------------------------------------------------- */

/* How long the server took to answer a small command (NOOP). Feeds the baseline of the nearest adaptive limit and, when
 * users would feel it, lowers what is bearable: halves connections and stretches pauses; back up slowly, one by
 * one, after calm minutes. */
void pace_answered(struct pace *pace, int64_t took_us);

/* How long ago the last answer was noted, to decide whether to ask again. */
int64_t pace_silence(const struct pace *pace);

/* The server said to stay away so long, or (0) that it is too much: this account's limit pauses, doubling with each
 * time in a row; `too_many`: it was about connections, so one fewer is bearable from now on. */
void pace_told_off(struct pace *pace, int64_t after_us, bool too_many);
void pace_went_well(struct pace *pace); /* something got through: the doubling starts over */

struct pace_state {
	unsigned connections, bearable; /* in use; allowed now (0: no limit) */
	int64_t pause_us;             /* how long nothing will go, as of now */
	const char *why;              /* "" or in a few words: "told to wait", "outside the window …", "slow answers" */
	int64_t baseline_us, answer_us; /* of small commands: calm, and lately; 0: not known */
	uint64_t bytes_today, messages, bytes; /* of the last 24 hours; in all */
};

void pace_look(const struct pace *pace, struct pace_state *ret);

/* The bytes of the last 24 hours survive the process: what to keep (some text), and to give it back. */
void pace_save(const struct pace *pace, int64_t wall_us, struct buf *to);
void pace_restore(struct pace *pace, struct bytes saved, int64_t wall_us);

/* --- presets ----------------------------------------------------------------------------------- */

/* What is known of a platform; the configuration overrides all of it, and what the connection itself shows (APPENDLIMIT,
 * being told off) counts more than either. */
struct pace_preset {
	const char *name;             /* "dovecot", "m365", … */
	const char *title;            /* for people: "Microsoft 365, global" */
	struct pace_limits limits;    /* of one account */
	uint64_t append_bytes_per_day; /* where it counts those differently from bytes read; 0: it does not */
	uint64_t largest_message;     /* bytes taken by APPEND unless an administrator changed it: to warn by, never a reason
				       * to leave a message out; 0: not known */
	bool no_pipelining, no_qresync;
	const char *hosts;            /* globs with blanks between: "outlook.office365.com *.outlook.com", or "" */
	const char *source, *date;    /* where the numbers come from, and as of when: "YYYY-MM" */
	const char *advice;           /* what an administrator should know or set, one sentence; "" */
};

const struct pace_preset *pace_preset(const char *name);          /* case does not count; NULL: no such */
const struct pace_preset *pace_preset_of_host(const char *host);  /* NULL: none knows it */
const struct pace_preset *pace_presets(size_t *ret_n);

#endif
