/* SPDX-License-Identifier: Apache-2.0 */
/* The status of many mailboxes: read, kept while nothing changes, summed by wave, and shown:
 * thousands stay readable. */
#ifndef CLI_STATUS_SHOW_H
#define CLI_STATUS_SHOW_H

#include "cli/choose.h"
#include "fleet/status.h"
#include "os/folder.h"
#include "verify/fact.h"

/* What its last verification said; it says nothing of what later passes did or found, if they did or found anything. */
enum status_ready {
	STATUS_NEVER,    /* verified, all folders together */
	STATUS_OUTDATED,
	STATUS_NOT_READY,
	STATUS_ACCEPTED, /* ready, with exceptions that were accepted */
	STATUS_READY,
	STATUS_READY_
};

/* One mailbox as it was last read. */
struct status_row {
	const struct config_mailbox *mailbox;
	struct os_stamp stamp, verified_stamp; /* of its files; all 0: there was none */
	char *path, *verified_path;
	bool fresh;                /* read anew, and not yet shown as JSON */
	struct arena arena;        /* the status's strings */
	struct fleet_status status;
	enum status_ready ready;
	struct verify_last verified; /* unless STATUS_NEVER */
};

struct status_view {
	const struct choice *choice;
	struct status_row *rows_p; /* one for each mailbox of the choice */
	size_t n;
	char host[65];
	int64_t now;               /* µs since 1970, of the last refresh */

	bool json, failed, all;
	bool named;                /* mailboxes were asked for by name: all are shown */
	bool watch, redraw;        /* redraw: over what was drawn before */
	size_t columns, rows;      /* of the terminal; 0: it is none, or all lines are wanted */
};

void status_view_open(struct status_view *view, const struct choice *choice);
void status_view_close(struct status_view *view);

/* Reads what has changed; blocks. */
int status_view_refresh(struct status_view *view, struct fault *fault);

void status_show(struct status_view *view);     /* to stdout */
void status_show_json(struct status_view *view); /* what is fresh, then the sums */

/* 0, 1 or 3: commands.h. */
int status_exit_status(const struct status_view *view);

/* Sums of a wave, or (wave NULL) of all. */
struct status_sum {
	const char *wave;
	uint64_t mailboxes, states[FLEET_STATES_], ready[STATUS_READY_];
	uint64_t with_exceptions, exceptions[CAUSE_COUNT_];
	uint64_t messages, messages_done, bytes_per_second;
	uint64_t size;             /* bytes of the mailboxes, as far as known */
	int64_t left_us;           /* of those at work, the longest; -1: not known */
};

/* total and, in the order of the list, one for each wave: *ret is xmalloc()ed. */
void status_sums(const struct status_view *view, struct status_sum *total, struct status_sum **ret,
		 size_t *ret_n);

#endif
