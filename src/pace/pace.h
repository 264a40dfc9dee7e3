/* SPDX-License-Identifier: Apache-2.0 */
/* How hard servers may be pressed. A limit stands for a server, an account, or the whole process;
 * limits form a chain (account → server → all), and what is taken is taken from every one of the
 * chain. What the settings allow, what the time of day allows, and what the server's answers show
 * to be bearable all bound the same few numbers. The rules, and why: docs/design/pace.md.
 *
 * limits.c keeps the arithmetic, told.c what the server said, calm.c judges answer times (none has
 * a clock of its own), pressure.c asks about the local disks, window.c knows times of day,
 * presets.c platforms. pace.c is a limit; take.c waits for rates, places.c for connections. */
#ifndef PACE_PACE_H
#define PACE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "run/run.h"

struct os_tz;

/* --- settings --------------------------------------------------------------------------------- */

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
	unsigned days;                /* bit 0 Monday … bit 6 Sunday: those on which it begins */
	int from_minute, to_minute;   /* of the local day; to < from goes over midnight */
	const char *zone;             /* tz database name, or "" for the machine's own */
	const struct os_tz *tz;       /* that zone (os/tz.h); NULL: UTC */
};

/* Reads such a text, and the zone's file, so it blocks; all goes to the arena. FAULT_USAGE says
 * what would be right (an unknown time zone too). */
int pace_window_parse(const char *text, struct arena *arena, struct pace_window *ret,
		      struct fault *fault);

/* Whether the moment (µs since 1970) lies within; *ret_change_us (may be NULL): how long until that
 * changes; MOMENT_NEVER for never. What a clock on the wall there shows counts, through daylight
 * saving changes too: an hour left out is not there, one that comes twice counts twice. Reads no
 * file, but takes a microsecond or so: not for the hot path (those below keep the result). */
bool pace_window_holds(const struct pace_window *window, int64_t wall_us, int64_t *ret_change_us);

/* Limits that hold within a window; outside it `limits` of the settings hold. */
struct pace_times {
	struct pace_window window;
	struct pace_limits limits;    /* a 0 here means the general limit */
	bool closed;                  /* nothing may begin then */
};

struct pace_settings {
	const char *name;             /* for people: "server old.example" */
	struct pace_limits limits;
	const struct pace_times *times; /* the first that holds counts, a closed one before all */
	size_t times_n;
	bool adaptive;                /* watch answer times, and the local disks if `local` */
	bool local;                   /* the store is on this machine: /proc/pressure/io counts */
	int64_t bearable_us;          /* slower answers are too slow whatever is usual; 0: 2 s */
};

/* --- a limit ---------------------------------------------------------------------------------- */

struct pace;

/* above: the next in the chain, or NULL; it must outlive this one. The array of times is copied,
 * strings and time zones are not. */
struct pace *pace_new(const struct pace_settings *settings, struct pace *above);

/* Accepts NULL, returns NULL. Nobody may be waiting or have a place, and no limit be below it. */
struct pace *pace_free(struct pace *pace);

/* Waits until so many messages and bytes may go, and takes them. To be called with messages as they
 * begin, and with bytes for each slice: without a limit in the chain it costs a few nanoseconds and
 * never suspends. Rates are waited for, however long. What has begun may end: only a call with
 * messages can be held up by a closed window, a day's bytes used up, or what the server said; and
 * when that would take longer than 3 minutes it is not waited for: FAULT_LIMIT, REACH_MAILBOX,
 * AGAIN_LATER with after_us, so that connections can be given up meanwhile. */
SUSPENDS int pace_take(struct pace *pace, uint64_t messages, uint64_t bytes, struct fault *fault);

/* Whether work may begin or go on now; to be asked between batches. Held up and refused like
 * pace_take() with messages; keeps the pauses that slow answers call for; asks about the local
 * disks. When fewer connections are bearable than are in use it waits its turn, the connection
 * staying open: each account keeps one before any keeps two, who holds his the longest goes on, and
 * after 5 minutes another may. One at each server always goes on. */
SUSPENDS int pace_pause(struct pace *pace, struct fault *fault);

/* A connection's place: waits until there is one in the whole chain, taking none before there is;
 * as `enter` and `leave` of imap_account. First come, first served, but an account that has fewer
 * places goes before (16 times at most). Held up and refused like pace_take(). */
SUSPENDS int pace_enter(void *pace, struct fault *fault);
void pace_leave(void *pace);

/* What one of the connections that are open now may expect of the rates, if all want the same: messages and bytes a second,
 * at least 1; 0: there is no such rate. So who sends many in one command knows how long that will take. pace: NULL is no
 * limit. */
void pace_share(const struct pace *pace, uint64_t *ret_messages, uint64_t *ret_bytes);

unsigned pace_commands(const struct pace *pace); /* the least of the chain; 0: no limit */

/* --- what is learnt --------------------------------------------------------------------------- */

/* How long the server took to answer a small command (NOOP), to be noted every few seconds while
 * there is work. Feeds the baseline of the nearest adaptive limit and, when users would feel it,
 * lowers what is bearable: halves connections and stretches pauses; back up slowly, one by one,
 * after calm minutes. */
void pace_answered(struct pace *pace, int64_t took_us);

/* How long ago the last answer was noted, to decide whether to ask again. MOMENT_NEVER: none was
 * yet; 0 when nobody wants to know, for want of an adaptive limit. */
int64_t pace_silence(const struct pace *pace);

/* The server said to stay away so long, or (0) that it is too much: this one limit pauses, 1 s and
 * doubling with each time in a row to 5 min. `too_many`: it was about connections, so one fewer
 * than are in use is bearable for the next half hour or more; with no time told, the others that
 * are open go on. When three of those below a limit are told off within two minutes, that limit
 * pauses too. */
void pace_told_off(struct pace *pace, int64_t after_us, bool too_many);
void pace_went_well(struct pace *pace); /* something got through: the doubling starts over */

struct pace_state {
	unsigned connections, bearable; /* in use; allowed now (0: no limit) */
	int64_t pause_us;             /* how long nothing will begin, as of now, by the whole chain */
	const char *why;              /* "" or in a few words: "told to wait", "slow answers" … */
	int64_t baseline_us, answer_us; /* of small commands: calm, and lately; 0: not known */
	uint64_t bytes_today, messages, bytes; /* of the last 24 hours (or 25); in all */
};

/* why lives until the next call for the same limit. */
void pace_look(const struct pace *pace, struct pace_state *ret);

/* The bytes of the last 24 hours, and a wait that was told, survive the process: what to keep (some
 * lines of text), and to give it back. What cannot be read or true is passed over. */
void pace_save(const struct pace *pace, int64_t wall_us, struct buf *to);
void pace_restore(struct pace *pace, struct bytes saved, int64_t wall_us);

/* --- presets ---------------------------------------------------------------------------------- */

/* What is known of a platform; the configuration overrides all of it, and what the connection
 * itself shows (APPENDLIMIT, being told off) counts more than either. */
struct pace_preset {
	const char *name;             /* "dovecot", "m365", … */
	const char *title;            /* for people: "Microsoft 365, global" */
	struct pace_limits limits;    /* of one account */
	uint64_t append_bytes_per_day; /* where that differs from bytes read; 0: it does not */

	/* Bytes taken by APPEND unless an administrator changed it: to warn by, never a reason to
	 * leave a message out; 0: not known. */
	uint64_t largest_message;

	bool no_pipelining, no_qresync;
	const char *hosts;            /* globs with blanks between: "imap.gmail.com *.x", or "" */
	const char *source, *date;    /* where the numbers come from; as of when: "YYYY-MM" */
	const char *advice;           /* what an administrator should know or set, one sentence */
};

const struct pace_preset *pace_preset(const char *name); /* NULL: no such; case does not count */
const struct pace_preset *pace_preset_of_host(const char *host);  /* NULL: none knows it */
const struct pace_preset *pace_presets(size_t *ret_n);

#endif
