/* SPDX-License-Identifier: Apache-2.0 */
/* What a record of the journal says happened, one thing at a time: for traces and for the log of events. No I/O.
 *
 * As JSON each is one object: event, time, record (its number), queue_id, then what it is about. Texts of peers are cut at
 * TELL_TEXT bytes and lists at TELL_LIST elements, so an object has at most some 16 KiB. */
#ifndef GATEWAY_TELL_H
#define GATEWAY_TELL_H

#include <jansson.h>
#include <stdbool.h>

#include "gateway/queue-id.h"
#include "journal/records.h"

enum { TELL_TEXT = 500, TELL_LIST = 20, TELL_TIME_SIZE = 32 };

enum tell_what {
	TELL_ACCEPTED,
	TELL_SUPPRESSED, /* its sender came again, and got the first one's queue id */
	TELL_COPIED,     /* a copy for the other side, under route both */
	TELL_ROUTED,     /* not a record of its own: who sees an ATTEMPT knows whether it goes another way than before */
	TELL_ATTEMPT,
	TELL_INTENT,     /* the final dot may be sent from here on */
	TELL_DELIVERED,
	TELL_DEFERRED,   /* again later */
	TELL_REFUSED,    /* for good, by the server: held or returned next */
	TELL_DOUBT,
	TELL_HELD,
	TELL_RELEASED,
	TELL_RETRIED,
	TELL_RETURNED,
	TELL_ROUTES,     /* the table was changed */
};

struct tell {
	enum tell_what what;
	struct journal_leg leg;  /* message 0: it is about none */
	bool has_leg;            /* else only leg.message */

	/* What it was read from; the rest are NULL. */
	const struct journal_accept *accept;
	const struct journal_suppressed *suppressed;
	const struct journal_routes *routes;
	const struct journal_leg_opened *opened;
	const struct journal_attempt *attempt;
	const struct journal_result *result;
	const struct journal_outcome *outcome;
	const struct journal_order *order;
};

/* Calls fn for each thing a decoded record says; message: only what is about this one (0: all). */
void tell_record(enum journal_type type, const void *record, uint64_t message,
		 void (*fn)(void *arg, const struct tell *tell), void *arg);

/* "accepted" …, stable. */
const char *tell_name(enum tell_what what);

struct tell_frame { /* what the record itself does not say */
	const char *journal_id;
	int64_t wall_us;
	uint64_t sequence;
	struct bytes address; /* of the leg; empty: not known */
	const char *target;   /* of the leg; NULL: not known */
};

/* A new object. */
json_t *tell_json(const struct tell *tell, const struct tell_frame *frame);

/* Puts a text that may be anything: what is no UTF-8 has '?' in it, what is longer than max ends there. Nothing is put for an
 * empty one. */
void tell_put(json_t *object, const char *key, struct bytes text, size_t max);

/* "2026-12-01T12:00:00Z", or with ".123" before the Z. Returns to. */
const char *tell_time(char to[TELL_TIME_SIZE], int64_t wall_us, bool with_ms);

#endif
