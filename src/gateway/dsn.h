/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent back to a sender: delivery status notifications (RFC 3461, 3464, 3834, 6522, 6533). No I/O.
 *
 * Whether one is to be sent at all is dsn_is_wanted(): never to the null sender, never for a copy leg, never against
 * NOTIFY. What servers said and senders wrote ends up in it only with its control characters replaced, so nothing can
 * add a field or a part. */
#ifndef GATEWAY_DSN_H
#define GATEWAY_DSN_H

#include <stdbool.h>

#include "base/buf.h"
#include "journal/records.h"

enum dsn_action {
	DSN_FAILED,
	DSN_DELAYED,
	DSN_DELIVERED, /* into a mailbox: by LMTP */
	DSN_RELAYED,   /* to a server that sends no notifications itself */
};

enum { DSN_RETURN_MAX = 1 << 20, DSN_HEADER_MAX = 64 << 10 }; /* bytes of a message, of a header that are returned */

struct dsn_recipient {
	struct bytes address;    /* as between brackets */
	struct bytes orcpt;      /* "rfc822;…" in xtext, as it came; or empty */
	enum dsn_action action;
	struct bytes status;     /* "5.1.1"; what is none becomes one that fits action and code */
	const char *host;        /* that said so; NULL: nobody did */
	unsigned code;           /* of its reply; 0: none */
	struct bytes text;       /* what it said, or our own words */
	int64_t at_us;           /* of the last attempt; 0: there was none */
};

struct dsn {
	const char *hostname;    /* ours */
	const char *queue_id;    /* of the message that this is about */
	struct bytes sender;     /* to whom it goes */
	struct bytes envid;      /* in xtext, or empty */
	struct bytes message_id; /* of that message, or empty */
	int64_t arrived_us, now_us; /* wall clock */
	bool smtputf8;           /* the message came with it */
	const struct dsn_recipient *recipients;
	size_t n_recipients;
	bool is_whole;           /* original is a whole message; else its header */
	struct bytes original;   /* CR and LF only as pairs */
	uint64_t nonce[2];       /* drawn by chance: no message can hold the boundary made of it */
};

/* notify: of enum smtp_notify, 0: not said. */
bool dsn_is_wanted(const struct journal_accept *accept, const struct journal_recipient *recipient, bool is_copy,
		   enum dsn_action action);

/* Appends the message, lines ended by CRLF. *ret_8bit: it needs 8BITMIME; *ret_utf8: SMTPUTF8. */
void dsn_write(struct buf *to, const struct dsn *dsn, bool *ret_8bit, bool *ret_utf8);

/* The header at the front of a message, with its empty line, cut at a line's end to DSN_HEADER_MAX. */
struct bytes dsn_header_of(struct bytes content);

#endif
