/* SPDX-License-Identifier: Apache-2.0 */
/* How a verification is shown: progress, the report as text, or JSON lines. */
#ifndef CLI_SHOW_VERIFY_H
#define CLI_SHOW_VERIFY_H

#include "cli/show.h"
#include "verify/report.h"

struct show_verify {
	struct show show;           /* json, quiet, progress … */
	const char *mailbox;        /* of many: its address; or NULL */
	bool brief;                 /* of many: a line each */
	const struct verify *verify; /* under way, for the progress line; or NULL */
	struct verify_report report; /* what goes to the terminal, as text */
	uint64_t places[2];         /* found by --find: at the source, at the destination */
};

void show_verify_heading(const struct show_verify *s); /* "=== mailbox", where it may be one of many */
void show_verify_begin(struct show_verify *show, const struct verify *verify);
void show_verify_finding(struct show_verify *show, const struct verify *verify,
			 const struct verify_finding *finding);
void show_verify_note(struct show_verify *show, const char *text);
void show_verify_progress(struct show_verify *show);

/* The whole. stopped: why it did not get through, or NULL. */
void show_verify_end(struct show_verify *show, const struct verify *verify, const struct fault *stopped);

/* Of many mailboxes. */
struct show_verify_sum {
	unsigned mailboxes, ready, accepted, not_ready, unfinished; /* not_ready: or never copied */
};

void show_verify_sum(struct show_verify *show, const struct show_verify_sum *sum);

/* A place where --find found a message, or did not; and after the last. */
void show_verify_place(struct show_verify *show, const struct verify_place *place);
void show_verify_found(struct show_verify *show, const char *message_id, bool walked);

/* What was accepted, and the sentence when it was nothing. */
void show_verify_accepted(struct show_verify *show, const struct ledger_accepted *accepted, size_t n);

#endif
