/* SPDX-License-Identifier: Apache-2.0 */
/* How a copy is shown to people: plan, progress, exceptions, closing table; and to programs: JSON lines. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include <stdbool.h>
#include <stdio.h>

#include "copy/copy.h"
#include "copy/event.h"

/* A wish to be left alone for longer ends a command about one mailbox, and it is said until when. */
#define SHOW_LONG_WAIT HOUR

struct show {
	bool json, quiet;
	bool progress;   /* a line that is drawn again and again: on a terminal, or --progress */
	bool line_drawn; /* one stands on the screen now */
	size_t columns;  /* of the terminal behind stderr */
	size_t out_columns; /* of the one behind stdout; 0: it is none */
	int64_t last_us; /* of the last progress line */
	const char *from, *to; /* URLs as shown */
};

/* The mapping table, with counts and sizes. `dry`: --dry-run stops after it. */
void show_plan(struct show *show, const struct copy *copy, bool dry);

/* One event, as it comes. */
void show_event(struct show *show, const struct copy *copy, const struct copy_event *event);

/* Appends the names of the folders under way, printable. */
void show_busy(const struct copy *copy, struct buf *to);

/* Draws the progress line when it is time. Rates are of the whole run so far. */
void show_progress(struct show *show, const struct copy *copy);

/* The closing table and the sentence about the books. `stopped`: the pass did not get to its end. */
void show_books(struct show *show, const struct copy *copy, bool stopped);

/* Why the program ends early, on stderr (and as JSON). */
void show_fault(struct show *show, const struct fault *fault);

/* --- pieces shared by show*.c ------------------------------------------------------------------ */

void show_erase_line(struct show *show);          /* the progress line, if one stands */
void show_cell(struct bytes name, size_t columns); /* to stdout, cut and filled to columns, printable */
void show_name(FILE *to, struct bytes name);      /* printable, whole */
void show_exception(const struct copy_exception *exception, FILE *to);

/* How wide a column of names may be beside `taken` other columns: on a terminal what is left of it, elsewhere
 * what the longest of the names needs; 14 to 60. */
size_t show_name_columns(const struct show *show, const struct copy *copy, size_t taken);

/* --- show-json.c ------------------------------------------------------------------------------ */

void show_json_plan(const struct show *show, const struct copy *copy, bool dry);
void show_json_event(const struct copy *copy, const struct copy_event *event);
void show_json_progress(const struct copy *copy);
void show_json_books(const struct copy *copy, bool stopped);
void show_json_fault(const struct fault *fault);

/* --- show-format.c: numbers for people -------------------------------------------------------- */

/* All return `to`. */
const char *show_count(char to[32], uint64_t n);       /* "1,234,567" */
const char *show_bytes(char to[32], uint64_t n);       /* "1.5 GiB" */
const char *show_duration(char to[32], int64_t us);    /* "0.8 s", "1:23", "2:03:04" */

#endif
