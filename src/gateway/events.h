/* SPDX-License-Identifier: Apache-2.0 */
/* The log of events: [gateway] events, a file or syslog; an event a line, as JSON. What happened to messages and routes is told as
 * tell.h has it ("accepted", "routed", "attempt", "delivered" …); besides these
 *
 *	{"event":"note","time":…,"kind":"start","text":…}    starts, stops, reloads; "alarm": what an operator should look at
 *	{"event":"dropped","time":…,"lines":N}               here N lines are missing
 *
 * "routed" stands before a recipient's first attempt; each attempt has target and epoch. "intent" is not told.
 *
 * What must stay true (G27): a record's lines are written when it is durable, so the log never says more than the journal;
 * whoever puts an event never waits: at most EVENTS_MAX bytes wait to be written, what comes beyond is dropped and
 * counted, and that is said. The log is for people and machines that watch; the journal is the truth. */
#ifndef GATEWAY_EVENTS_H
#define GATEWAY_EVENTS_H

#include "gateway/keeper.h"

enum { EVENTS_MAX = 4 << 20 };

/* Sets k->events, which takes events from now on. Writes nothing yet. */
void events_open(struct keeper *k);

/* Writes what waits, for at most some seconds, and frees it. The journal is open still. Accepts NULL, returns NULL. */
SUSPENDS struct events *events_close(struct events *events);

/* A record, as queue_settings.seen has it. */
void events_record(struct events *events, const struct book *book, enum journal_type type, const void *record,
		   uint64_t sequence, int64_t wall_us);

void events_note(struct events *events, bool is_alarm, const char *kind, const char *text);

/* Opens the file anew, before the next line: it was moved away, or the configuration says another one. */
void events_reopen(struct events *events);

/* Writes, until cancelled: a fiber. arg: struct events. */
SUSPENDS int events_run(void *arg, struct fault *fault);

struct events_view {
	uint64_t written, dropped; /* lines */
};
void events_look(const struct events *events, struct events_view *ret);

#endif
