/* SPDX-License-Identifier: Apache-2.0 */
/* A server's session and a client in memory that says what a case wants said; and a host that writes down what it
 * was asked. */
#ifndef SMTP_TEST_SERVE_H
#define SMTP_TEST_SERVE_H

#include "lib/check.h"
#include "net/testing-certs.h"
#include "smtp/server.h"

/* Its answers follow from local parts: "no" is refused for good, "later" for now, "fault" is a failure, "full" one
 * for want of room; of a sender at MAIL, of a recipient at RCPT; of a sender "begin-…" at DATA, "end-…" at the end,
 * "piece-fault" at the first content. */
struct test_host {
	struct smtp_host host;
	struct check *check;
	struct buf log;     /* "mail a\n", "rcpt b\n", "begin\n", "drop\n", "finish\n" */
	struct buf content; /* of the message at hand */
	struct buf books;   /* of each finished message: "sender>recipient,recipient:content\n" */
	struct smtp_trace_scan trace; /* of the last */
	char client[200];   /* of the last: "helo address tls" */
	bool has_message, breaks;
	int64_t finish_takes_us;
	uint8_t full_for; /* the last byte of an address that may not come */
};

void test_host_init(struct test_host *host, struct check *check);
void test_host_done(struct test_host *host);

struct step {
	struct bytes send;
	const char *codes; /* of the replies, "250 354"; "end": the server closes; "" or NULL: read nothing */
	bool tls;          /* a handshake follows */
	int64_t pause_us;  /* before it is sent */
};

#define STEP(send, codes) { BYTES(send), codes }

/* One conversation. settings and peer begin as test_settings(). */
struct talk {
	struct check *check;
	const struct step *steps;
	size_t steps_n, max_read;
	bool in_tls; /* first EHLO and STARTTLS, then the steps without what the first expects */
	int64_t host_takes_us; /* for finish() */
	uint8_t full_for; /* of the host */
	bool cancel_at_end; /* the server is cancelled when the steps are over */
	struct smtp_settings settings;
	struct smtp_peer peer;
	struct test_host host;
	const char *want_books, *want_log, *want_heard; /* NULL: whatever */
	enum fault_kind want_fault;

	/* Of the run. */
	struct stream *client, *server;
	struct tls_context *client_tls;
	struct buf heard;
	int result;
	struct fault fault;
};

struct smtp_settings test_settings(void);

/* Certificates for the program; made once a case. */
void talk_certs(struct check *check, struct certs *certs, struct talk *talk);
void talk_certs_done(struct certs *certs, struct talk *talk);

/* Runs it in a loop of its own. */
void talk_run(struct talk *talk);

/* Says and hears inside the client's fiber: for other drivers than steps. */
SUSPENDS int talk_step(struct talk *talk, const struct step *step, struct fault *fault);

/* The next reply's code, 0: the end; -1. Its text is added to heard. */
SUSPENDS int talk_hear(struct talk *talk, struct fault *fault);
void talk_run_with(struct talk *talk, fiber_fn client, void *arg);

#endif
