/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal's records say: one struct a type, as fields (fields.h). A type, a tag, a number of these enums is
 * never changed or used again once released: journals outlive programs. No I/O.
 *
 * Bytes in a decoded record point into its payload; lists lie in the arena given. */
#ifndef JOURNAL_RECORDS_H
#define JOURNAL_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include "journal/fields.h"
#include "journal/format.h"

enum journal_type {
	JOURNAL_BODY = 1,       /* a piece of a message's content: the payload is these bytes, no fields */
	JOURNAL_ACCEPT = 2,
	JOURNAL_ROUTES = 3,
	JOURNAL_LEG = 4,
	JOURNAL_ATTEMPT = 5,
	JOURNAL_INTENT = 6,
	JOURNAL_RESULT = 7,
	JOURNAL_HOLD = 8,
	JOURNAL_RELEASE = 9,
	JOURNAL_RETRY = 10,
	JOURNAL_DOUBT = 11,
	JOURNAL_RETURNED = 12,
	JOURNAL_SUPPRESSED = 13,
	JOURNAL_NOTE = 14,
	JOURNAL_CHECKPOINT = 15,
	JOURNAL_DROPPED = 16,
	JOURNAL_END = 17,       /* closes a segment: no payload, not part of sequence and chain */
	JOURNAL_TYPES,
};

/* Where a leg is. Accepted legs = open + attempting + doubt + held + delivered + returned. */
enum journal_fate {
	JOURNAL_FATE_NONE = 0,
	JOURNAL_OPEN = 1,
	JOURNAL_ATTEMPTING = 2,
	JOURNAL_IN_DOUBT = 3,
	JOURNAL_HELD = 4,
	JOURNAL_DELIVERED = 5,
	JOURNAL_IS_RETURNED = 6,
	JOURNAL_FATES,
};

enum journal_route {
	JOURNAL_ROUTE_OLD = 1,
	JOURNAL_ROUTE_NEW = 2,
	JOURNAL_ROUTE_BOTH = 3,
	JOURNAL_ROUTE_HOLD = 4,
	JOURNAL_ROUTE_UNKNOWN = 5, /* of a domain: ours, and who has no entry of his own is unknown */
};

struct journal_leg {
	uint64_t message, recipient, copy; /* copy: the second leg of a recipient under route both */
};

struct journal_recipient {
	struct bytes address, parameters; /* as the peer gave them; parameters: those of RCPT, each after a blank */
	struct bytes orcpt;
	uint64_t notify; /* 0 not said, else 1 never, or 2 success + 4 failure + 8 delay */
};

/* A message that we answer for from here on. */
struct journal_accept {
	uint64_t message;
	struct bytes listener, peer, helo, protocol, tls_version, tls_cipher;
	uint64_t peer_port;
	struct bytes front;   /* who told of the peer; empty: nobody, it is the connection's */
	uint64_t front_port, front_kind; /* 1 PROXY, 2 XCLIENT, 3 XFORWARD */
	struct bytes reverse_path, parameters, envid; /* parameters: those of MAIL */
	uint64_t ret;         /* 0 not said, 1 FULL, 2 HDRS */
	uint64_t body_kind;   /* 0 7BIT, 1 8BITMIME */
	uint64_t smtputf8;
	uint64_t size;        /* of the content */
	unsigned char digest[JOURNAL_DIGEST]; /* of the content */
	uint64_t *bodies;     /* sequence numbers of its BODY records, in order */
	size_t n_bodies;
	struct bytes trace;   /* what stands before the content at every attempt */
	struct bytes message_id;
	uint64_t received;    /* Received fields in it */
	uint64_t epoch;       /* of the routes it was accepted under */
	uint64_t dsn_for;     /* one of our own: the message whose legs it returns */
	struct journal_recipient *recipients;
	size_t n_recipients;
	struct journal_leg *returns; /* dsn_for: these legs of it are RETURNED, by a record of its own right behind this one, … */
	size_t n_returns;            /* … or, if a crash cut that off, by the next start */
};

struct journal_route_entry {
	struct bytes address; /* or a domain, or old=new of an alias: as the router writes it */
	uint64_t route;       /* enum journal_route; 0: taken out of the table */
	struct bytes target;
	uint64_t changed_s;   /* of one that is written again: when it got its route; else 0 */
};

struct journal_routes {
	uint64_t epoch, whole; /* whole: the table is these entries and no others */
	struct bytes operator, reason;
	struct journal_route_entry *entries;
	size_t n_entries;
};

/* LEG: a copy leg opened. */
struct journal_leg_opened {
	uint64_t message, recipient, route, epoch;
	struct bytes target;
};

/* ATTEMPT, and (with no more than attempt and legs) INTENT. */
struct journal_attempt {
	uint64_t attempt, epoch;
	struct bytes target, host;
	struct journal_leg *legs;
	size_t n_legs;
};

struct journal_outcome {
	uint64_t message, recipient, copy;
	uint64_t fate; /* enum journal_fate */
	uint64_t code;
	struct bytes enhanced, text, remote_id, reason;
	int64_t next_us; /* wall clock, of the next attempt */
	uint64_t flagged; /* what goes out again may be a duplicate */
	struct bytes folder; /* DOUBT: where it was seen */
	uint64_t uid;
	uint64_t attempts; /* of this leg that ended in a temporary refusal of its own, this one included */
};

/* RESULT, DOUBT */
struct journal_result {
	uint64_t attempt;
	struct bytes host, tls_version, tls_cipher, how;
	struct journal_outcome *outcomes;
	size_t n_outcomes;
};

/* HOLD, RELEASE, RETRY, RETURNED */
struct journal_order {
	struct bytes operator, reason;
	uint64_t dsn; /* RETURNED: the message that says so; 0: none was wanted */
	int64_t next_us;
	struct journal_leg *legs;
	size_t n_legs;
};

struct journal_suppressed {
	uint64_t message; /* the original, whose id the sender got */
	struct bytes peer, helo, message_id;
	unsigned char digest[JOURNAL_DIGEST];
};

struct journal_note {
	struct bytes kind, operator, text;
};

/* The books at this record, as the keeper counts them; the audit counts them anew. */
struct journal_tallies {
	uint64_t messages, legs, open, attempting, doubt, held, delivered, returned;
};

struct journal_checkpoint {
	uint64_t sequence; /* chain is that after this record */
	unsigned char chain[JOURNAL_DIGEST];
	struct bytes signature;
	struct journal_tallies *tallies; /* none or one */
	size_t n_tallies;
};

struct journal_drop {
	uint64_t sequence, segment, offset, length; /* of a BODY record; offset: where the record begins */
};

/* What removed segments held, from the first one on: all of these messages are settled. */
struct journal_base {
	uint64_t messages, legs, delivered, returned;
	uint64_t last_number, last_attempt; /* no number of a message or an attempt comes twice */
};

struct journal_dropped {
	struct journal_drop *bodies;
	size_t n_bodies;
	uint64_t segments_to; /* segments up to this one are gone as a whole */
	struct bytes reason;
	struct journal_base *base; /* with segments_to: none or one */
	size_t n_base;
	uint64_t looked_to;   /* bodies of messages whose last record is this one or an earlier one have been given back */
	uint64_t routes_from; /* all routes stand in this segment and later ones */
};

/* Of a type whose payload is fields; NULL for BODY, END and what is unknown. */
const struct field_table *journal_table(unsigned type);

/* "accept" …, stable; NULL when the type is unknown. */
const char *journal_type_name(unsigned type);
const char *journal_fate_name(unsigned fate);

#endif
