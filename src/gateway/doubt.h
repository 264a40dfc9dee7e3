/* SPDX-License-Identifier: Apache-2.0 */
/* A message whose final dot was sent and never answered: is it in the destination's mailbox? Looked up over IMAP, read
 * only, by what was put before it when it was accepted.
 *
 * SEARCH is not asked: servers answer it from indices that lag, or by words only. The headers of the newest messages of each
 * folder are read instead, INBOX first: what was delivered since, or filed or moved since, is among them. */
#ifndef GATEWAY_DOUBT_H
#define GATEWAY_DOUBT_H

#include "imap/session.h"

enum {
	DOUBT_INBOX = 1000,   /* newest messages looked at in INBOX, … */
	DOUBT_FOLDER = 200,   /* … in every other folder, … */
	DOUBT_FOLDERS = 500,  /* … of which so many */
};

struct doubt_question {
	struct bytes token;      /* of X-Mailferry-Trace, as smtp_trace_scan gives it: "QUEUE-ID HEX" */
	struct bytes queue_id;   /* in the Received field */
	struct bytes message_id; /* or empty */
};

enum doubt_evidence {
	DOUBT_NOT_FOUND,
	DOUBT_BY_TRACE,      /* our trace field */
	DOUBT_BY_RECEIVED,   /* our Received field; a platform took the other away */
	DOUBT_BY_MESSAGE_ID, /* only that, and no trace of another one of ours */
};

struct doubt_answer {
	enum doubt_evidence evidence;
	char folder[512]; /* in UTF-8, cut */
	uint32_t uid;
	unsigned looked_at; /* messages */
};

const char *doubt_evidence_name(enum doubt_evidence evidence); /* "trace", "received", "message-id"; "none" */

/* 0: *ret says whether it is there. Negative: that cannot be told; nobody logs in, a folder cannot be read, headers are missing. */
SUSPENDS int doubt_look(const struct imap_account *account, const struct doubt_question *question,
			struct doubt_answer *ret, struct fault *fault);

/* How a header's block of these fields answers the question. For doubt_look(), and tests. */
enum doubt_evidence doubt_judge(const struct doubt_question *question, struct bytes block);

#endif
