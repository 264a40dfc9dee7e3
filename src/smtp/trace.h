/* SPDX-License-Identifier: Apache-2.0 */
/* Trace fields: what is put before a message, and what is found in one that comes. No I/O.
 *
 * Two fields are prepended, fixed when a message is accepted, so that it is the same at every attempt:
 *
 *	Received: from HELO ([192.0.2.1])
 *		by mx.example.org with ESMTPS (TLSv1.3, TLS_AES_256_GCM_SHA384) id k3f9z-00001a
 *		for <user@example.org>; 01 Dec 2026 13:40:46 +0000
 *	X-Mailferry-Trace: k3f9z-00001a 0123456789abcdef0123456789abcdef
 *
 * The second one is for loops whose Received lines a platform took away: its token is a signature over the
 * queue id, which the caller makes and checks. */
#ifndef SMTP_TRACE_H
#define SMTP_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/ip.h"

struct smtp_trace {
	struct bytes helo;     /* as said; empty: "unknown" */
	struct ip peer;        /* family 0: not known */
	const char *by;        /* our own name */
	const char *with;      /* "ESMTPS", see smtp_trace_with() */
	const char *tls;       /* "TLSv1.3, TLS_…", or NULL */
	struct bytes queue_id;
	struct bytes for_path; /* the only recipient, as written between brackets; empty: none is named */
	struct bytes token;    /* raw bytes, written in hexadecimal */
	int64_t wall_us;       /* since 1970, UTC */
};

/* Appends both fields with their CRLFs. Bytes of the peer that may not stand in a header (controls, 8 bit, blanks,
 * brackets of comments) become "?"; no line is longer than 998. */
void smtp_trace_append(struct buf *to, const struct smtp_trace *trace);

/* RFC 3848 and RFC 6531: SMTP, ESMTP, ESMTPS, UTF8SMTP, UTF8SMTPS. */
const char *smtp_trace_with(bool esmtp, bool tls, bool utf8);

/* --- what is in a message -------------------------------------------------------------------- */

enum { SMTP_TRACE_TOKENS = 8, SMTP_TRACE_TOKEN_MAX = 96, SMTP_MESSAGE_ID_MAX = 998 };

/* Looks at the header as it passes, in one scan, whatever its size and splits: bounded, ready when zeroed. Fields
 * are found by their names at the beginning of lines (LF ends a line, as some reader will see it so). */
struct smtp_trace_scan {
	bool ended;        /* the empty line was seen: feeding more does nothing */
	uint32_t received; /* Received fields */
	uint32_t tokens_n; /* X-Mailferry-Trace fields; the first SMTP_TRACE_TOKENS are kept */
	char tokens[SMTP_TRACE_TOKENS][SMTP_TRACE_TOKEN_MAX]; /* "QUEUE-ID HEX", or "" if it holds anything else */
	char message_id[SMTP_MESSAGE_ID_MAX + 1]; /* of the first, unfolded, trimmed, printable ASCII or "?"; "": none */

	/* Private. */
	uint16_t value_n;
	uint8_t state, name_n, field;
	bool id_seen;
	char name[20];
};

void smtp_trace_feed(struct smtp_trace_scan *scan, struct bytes slice);

/* After the last slice: a header may have no end. */
void smtp_trace_finish(struct smtp_trace_scan *scan);

#endif
