/* SPDX-License-Identifier: Apache-2.0 */
/* What a run over many mailboxes tells on its way. Every event is a JSON object first: printed as a
 * line (--json, and by processes that another one started), or turned into text. Names of events
 * and keys are promises: add, never change. */
#ifndef CLI_MANY_SHOW_H
#define CLI_MANY_SHOW_H

#include <jansson.h>

#include "fleet/fleet.h"

struct many_show {
	bool json, quiet;
	bool progress;      /* a line that is drawn again and again on stderr */
	bool line_drawn;
	size_t columns;     /* of the terminal behind stderr */
	int64_t printed_us; /* run_now() of the last progress line that stays */
};

/* Prints the event in the form that is asked for, and frees it. */
void many_tell(struct many_show *show, json_t *event);

void many_erase_line(struct many_show *show);

/* --- events, many-events.c -------------------------------------------------------------------- */

json_t *many_begun(const struct fleet_mailbox *mailbox);
json_t *many_plan(const struct fleet_mailbox *mailbox, const struct copy *copy);
json_t *many_exception(const struct fleet_mailbox *mailbox, const struct copy_exception *exception);
json_t *many_note(const struct fleet_mailbox *mailbox, const char *text);
json_t *many_parked(const struct fleet_mailbox *mailbox, const struct fault *why, int64_t for_us);
json_t *many_ended(const struct fleet_mailbox *mailbox, enum fleet_end end,
		   const struct fault *why);
json_t *many_server(const struct sched_gate *gate);
json_t *many_waiting(const char *why, int64_t for_us);
json_t *many_login(const struct fault *why);

/* Where a run stands. */
struct many_progress {
	uint64_t mailboxes, done, failed, parked, active; /* done: settled in any way but failed */
	uint64_t messages, bytes;    /* copied, and read, so far */
	uint64_t bytes_per_second;
};

json_t *many_progress(const struct many_progress *progress);
void many_progress_of(const json_t *event, struct many_progress *ret);
void many_progress_add(struct many_progress *sum, const struct many_progress *part);

/* --- text, many-text.c ------------------------------------------------------------------------ */

void many_text(struct many_show *show, const json_t *event);
void many_draw(struct many_show *show, const struct many_progress *progress);

#endif
