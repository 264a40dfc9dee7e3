/* SPDX-License-Identifier: Apache-2.0 */
/* What keeper and courier say to each other over a link (link.h). The keeper begins with SETUP; then each JOB is a
 * transaction with one host of one target, known by its number of the attempt:
 *
 *	keeper	JOB, CONTENT …, as far as COURIER_WINDOW goes
 *	courier	TAKEN: so much content is out of its memory, more may come
 *	courier	ASK: the server has all of it but the dot; these recipients depend on it
 *	keeper	GO (the intent is durable), or NO_GO
 *	courier	RESULT …, the last one marked: the job is over
 *
 * A job that never gets as far as ASK may have its result at any time; content that comes after it is
 * dropped. Payloads but CONTENT's are fields. No I/O here. */
#ifndef GATEWAY_COURIER_FRAMES_H
#define GATEWAY_COURIER_FRAMES_H

#include "gateway/link.h"
#include "journal/fields.h"

enum courier_order {
	ORDER_SETUP = 1,
	ORDER_JOB,
	ORDER_CONTENT,
	ORDER_GO,
	ORDER_NO_GO,
	ORDER_PROBE,  /* courier_offers, of which target and host count: connect to it, to hear what it offers */
	ORDER_SHRINK, /* keep no more than so many idle connections to a host */
	ORDER_ORDERS = ORDER_SHRINK,
};

enum courier_report {
	REPORT_READY = 1, /* after SETUP */
	REPORT_TAKEN,
	REPORT_ASK,
	REPORT_RESULT,
	REPORT_OFFERS, /* courier_offers: of each new connection */
	REPORT_REPORTS = REPORT_OFFERS,
};

enum {
	COURIER_WINDOW = 256 << 10,     /* content of a job under way to a courier that has not taken it */
	COURIER_PIECE = 32 << 10,       /* of content in a frame */
	COURIER_JOB_BYTES = 48 << 10,   /* what the recipients of a job may need in its frame, see courier_room() */
	COURIER_OUTCOMES = 48,          /* in a frame */
	COURIER_TEXT = 512,             /* bytes of a reply's text that are reported */
};

struct courier_host {
	uint64_t scheme; /* enum config_smtp_scheme */
	struct bytes name;
	uint64_t port;
};

struct courier_target {
	struct bytes name;
	uint64_t tls; /* enum config_smtp_tls */
	struct bytes pin; /* 64 hexadecimal digits */
	struct bytes ca_file; /* trusted besides the system's, or empty */
	uint64_t client; /* enum config_smtp_client */
	uint64_t messages_a_connection;
	struct courier_host *hosts;
	size_t n_hosts;
};

struct courier_setup {
	struct bytes helo;
	uint64_t timeout_us; /* 0: those of RFC 5321; else at most this for every wait: for tests */
	uint64_t sandbox;
	struct courier_target *targets;
	size_t n_targets;
};

struct courier_recipient {
	struct bytes to, orcpt;
	uint64_t notify;
};

struct courier_job {
	uint64_t target, host; /* indices of SETUP */
	struct bytes from, envid;
	uint64_t ret, has_8bit, smtputf8;
	uint64_t size; /* of the content in all */
	struct bytes name, addr, port, proto, helo, ident; /* who sent it, as struct smtp_origin */
	struct courier_recipient *recipients;
	size_t n_recipients;
};

/* ASK */
struct courier_ask {
	uint64_t *recipients; /* indices of the job's */
	size_t n_recipients;
};

struct courier_outcome {
	uint64_t recipient; /* index of the job's */
	uint64_t outcome, stage, about; /* enum smtp_outcome, smtp_stage, smtp_about */
	uint64_t code, after_us, closes;
	struct bytes enhanced, text, remote_id; /* enhanced: "5.1.1" or empty */
};

enum courier_end {
	COURIER_WORKED,
	COURIER_UNREACHABLE, /* no connection, no greeting, no TLS */
	COURIER_TOO_MANY,    /* 421 and the like before any transaction */
	COURIER_LOST,        /* lost or too slow in the middle */
	COURIER_STOPPED,     /* NO_GO, or content that may not leave: it says nothing about the host */
};

struct courier_result {
	struct courier_outcome *outcomes;
	size_t n_outcomes;
	uint64_t last; /* the rest is told then: */
	uint64_t end, after_us, reused; /* reused: on a connection that was there */
	uint64_t offers_dsn;
	struct bytes tls;  /* "TLSv1.3, …" or empty */
	struct bytes text; /* why it ended so; empty: it worked */
	uint64_t code;     /* of the reply that kept the session from beginning, or 0 */
};

/* What a host said to EHLO, or LHLO. */
struct courier_offers {
	uint64_t target, host;
	uint64_t offers; /* of enum smtp_extension */
	uint64_t size;   /* of a message, at most; 0: it names no limit */
};

struct courier_shrink {
	uint64_t target, host, keep;
};

/* The table of a frame's payload; NULL: it has none, or is CONTENT or not known. */
const struct field_table *courier_order_table(unsigned type);
const struct field_table *courier_report_table(unsigned type);

/* Puts a frame whose payload is that struct. TAKEN: a struct courier_taken. */
struct courier_taken {
	uint64_t bytes;
};
void courier_put_order(struct link *link, enum courier_order type, uint64_t id, const void *payload);
void courier_put_report(struct link *link, enum courier_report type, uint64_t id, const void *payload);

/* What a recipient needs in a JOB at most; who fills a job stops before COURIER_JOB_BYTES. */
size_t courier_room(const struct courier_recipient *recipient);

#endif
