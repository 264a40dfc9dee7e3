/* SPDX-License-Identifier: Apache-2.0 */
/* What a verification found, written down: as text for people, as JSON, as CSV. Everything is appended to a buffer as it
 * comes; JSON and CSV hold every finding whatever their number, text the first `most` of each kind and the number of
 * the others. Names of keys and columns are promises: add, never change. No I/O.
 *
 * Text of servers is made printable. A CSV cell that a spreadsheet would take for a formula gets an apostrophe. */
#ifndef VERIFY_REPORT_H
#define VERIFY_REPORT_H

#include <jansson.h>

#include "verify/verify.h"

enum verify_format { VERIFY_TEXT, VERIFY_JSON, VERIFY_CSV };

/* From the end of a file's name: .txt, .json, .csv. FAULT_USAGE for others. */
int verify_format_of(const char *path, enum verify_format *ret, struct fault *fault);

struct verify_report {
	enum verify_format format;
	const char *from, *to;     /* the mailboxes, as shown; outlive the report */
	const char *ledger;        /* its file */
	unsigned most;             /* of TEXT: findings of a kind that are listed */

	bool begun;
	uint64_t findings;
	struct buf kept[VERIFY_KINDS]; /* of TEXT: lines */
	uint64_t lines[VERIFY_KINDS];
};

/* First all findings, then the end, which says what is known of the whole. stopped: why it did not get through, or
 * NULL. */
void verify_report_finding(struct verify_report *report, const struct verify *verify,
			   const struct verify_finding *finding, struct buf *to);
void verify_report_end(struct verify_report *report, const struct verify *verify,
		       const struct fault *stopped, struct buf *to);
void verify_report_done(struct verify_report *report);

/* Whether the books of a folder, or of the total, add up at both sides. */
bool verify_closes(const struct verify_folder *folder);

/* In one line: "not ready: 2 missing, 1 flags (1 accepted)". */
void verify_verdict(struct buf *to, const struct verify *verify);

/* "5%", "0.25%". */
void verify_share(struct buf *to, uint32_t ppm);

/* --- the formats ------------------------------------------------------------------------------- */

void verify_text_finding(struct verify_report *report, const struct verify_finding *finding);
/* The findings so far, of kinds that fail or of the others. */
void verify_text_findings(const struct verify_report *report, const struct verify *verify, bool fails, struct buf *to);
void verify_text_end(struct verify_report *report, const struct verify *verify, const struct fault *stopped,
		     struct buf *to);

void verify_csv_head(const struct verify_report *report, const struct verify *verify, struct buf *to);
void verify_csv_finding(const struct verify_finding *finding, struct buf *to);
void verify_csv_end(const struct verify_report *report, const struct verify *verify,
		    const struct fault *stopped, struct buf *to);
void verify_csv_cell(struct buf *to, const char *text); /* with a comma behind it */

void verify_json_head(const struct verify_report *report, const struct verify *verify, struct buf *to);
void verify_json_end(const struct verify_report *report, const struct verify *verify,
		     const struct fault *stopped, struct buf *to);

/* Objects that the lines of --json are made of, too; the caller owns them. */
json_t *verify_json_finding(const struct verify_finding *finding);
json_t *verify_json_folder(const struct verify_folder *folder);
json_t *verify_json_tally(const struct verify_tally tally[VERIFY_KINDS]);
void verify_json_run(json_t *object, const struct verify *verify); /* level, sample, seed, servers, when */
json_t *verify_json_text(struct bytes text);
json_t *verify_json_number(uint64_t n);

/* 64 digits and a NUL. */
void verify_hex(char to[65], const unsigned char digest[32]);

#endif
