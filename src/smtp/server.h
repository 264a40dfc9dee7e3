/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of an SMTP session (RFC 5321), in one fiber over one stream. What mail means is the host's
 * business: it decides recipients, takes content as it comes, and answers for the whole when it is safe.
 *
 * What holds, whatever a client does:
 * - Each command has exactly one reply (DATA two: 354, then the message's). After a refusal nothing of the
 *   refused command remains.
 * - A transaction is one object, freed as a whole: by RSET, EHLO, HELO, STARTTLS, XCLIENT, the end of data
 *   however answered, a DATA that is refused, a MAIL that is refused. After it RCPT and DATA are 503.
 * - The data ends at CRLF.CRLF only (data.h). A command line that ends in LF alone ends the session (521).
 * - Nothing that came before a TLS handshake is used after it.
 * - Pipelining (RFC 2920) is free but behind EHLO, HELO, DATA and XCLIENT: what has come behind one of these when
 *   it is read is a client out of step, and ends the session (554).
 * - Memory is bounded by the settings: a line, a buffer of data, the recipients.
 * - Time too: a command line has command_us in all, data may pause data_us in all and must come at min_rate. */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "net/stream.h"
#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/trace.h"

struct smtp_settings {
	const char *hostname; /* in greeting and EHLO */
	unsigned offered;     /* of enum smtp_extension: what all targets can carry */
	uint64_t max_size;    /* of a message's content */
	uint64_t max_line;    /* in content, without CRLF: a longer one is refused (5.6.0); 0: any */
	unsigned max_recipients;    /* of a transaction; one more is 452 4.5.3, the others stay */
	unsigned max_refused;       /* recipients of a transaction that are refused, for good or for now; then 421. 0: any number */
	unsigned max_errors;        /* replies of 5xx to commands, since the last accepted message; then 421 */
	unsigned max_idle_commands; /* that moved no mail (NOOP, RSET, EHLO …), likewise; then 421 */
	int64_t greet_delay_us;     /* who talks before the greeting is refused; 0: greet at once */
	int64_t command_us, data_us, handshake_us;
	int64_t finish_us;      /* for the host's finish(), also when the session was cancelled meanwhile */
	uint64_t min_rate;      /* bytes a second that data must come at, beyond data_us of patience; 0: any */
	bool normalise;         /* bare LF and CR in data are made CRLF; else refused, 550 5.6.11 */
	bool refuse_nul;        /* NUL in data: 550 5.6.0 */
	bool refuse_8bit;       /* 8-bit data without BODY=8BITMIME or SMTPUTF8: 554 5.6.1 */
	bool tls_required;      /* no MAIL without STARTTLS: 530 */
	struct tls_context *tls; /* NULL: STARTTLS is not offered. Not owned */
	uint64_t seed;          /* of hashes; unpredictable in life */
};

/* Who connected, and what we let it say of others. Whoever a PROXY header names is a stranger: it may say nothing. */
struct smtp_peer {
	struct ip address;
	uint16_t port;
	bool must_proxy;   /* a PROXY header comes before all else */
	bool may_xclient, may_xforward;
};

/* Who the client is, for the host. Slices live until the next EHLO or XCLIENT. */
struct smtp_client {
	struct ip address; /* by XCLIENT, PROXY or the connection */
	uint16_t port;
	struct ip connected; /* always the connection's */
	struct bytes helo;
	struct bytes name, login; /* by XCLIENT; empty: not told */
	bool esmtp;
	const char *tls; /* "TLSv1.3, TLS_…", or NULL */
};

struct smtp_recipient {
	struct smtp_recipient *next;
	struct smtp_address path;
	struct smtp_rcpt_parameters parameters;
	struct bytes key; /* smtp_address_key() */
	uint64_t hash;
};

struct smtp_transaction {
	struct arena arena;
	bool is_open; /* MAIL was accepted */
	struct smtp_address sender;
	struct smtp_mail_parameters mail;
	struct smtp_recipient *recipients, **last; /* accepted ones, in order, no key twice */
	unsigned recipients_n, refused_n;
	struct smtp_attributes forward; /* by XFORWARD */
};

/* What is known of the content at its end. */
struct smtp_content {
	struct smtp_data_reader data;
	struct smtp_trace_scan trace;
};

/* A reply to be given: 2xx accepts, 4xx and 5xx refuse. */
struct smtp_say {
	unsigned code;
	char enhanced[12];
	char text[256];
};

/* The text may hold anything: control characters become "?", it is cut. */
void smtp_say_set(struct smtp_say *say, unsigned code, const char *enhanced, const char *format, ...) PRINTF_LIKE(4, 5);

/* What stands behind a session. Each gets *say with the usual acceptance in it, and leaves it or sets another.
 * 0: that is the answer. -1: with a fault; the client hears 452 4.3.1 (FAULT_LIMIT), 421 (FAULT_CANCELLED, the
 * session ends) or 451 4.3.0. All but came, heard and drop may SUSPEND. came, mail and begin may be NULL. */
struct smtp_host;

struct smtp_host_ops {
	/* The client is another one than connected: a PROXY header or XCLIENT named its address. Never suspends. What it
	 * refuses is the last word of the session. */
	int (*came)(struct smtp_host *host, const struct smtp_client *client, struct smtp_say *say, struct fault *fault);

	/* MAIL: t has sender and parameters. */
	int (*mail)(struct smtp_host *host, const struct smtp_client *client, struct smtp_transaction *t,
		    struct smtp_say *say, struct fault *fault);

	/* RCPT: r is not in t yet. A recipient that is in t already is not asked again. */
	int (*rcpt)(struct smtp_host *host, const struct smtp_client *client, struct smtp_transaction *t,
		    struct smtp_recipient *r, struct smtp_say *say, struct fault *fault);

	/* DATA, before 354. Once it accepts, exactly one of finish and drop follows. */
	int (*begin)(struct smtp_host *host, const struct smtp_client *client, struct smtp_transaction *t,
		     struct smtp_say *say, struct fault *fault);

	/* Content, in order; the slice is the session's and good for this call. */
	int (*piece)(struct smtp_host *host, struct bytes piece, struct fault *fault);

	/* All content has come. Answer 250 only when the message cannot be lost any more. */
	int (*finish)(struct smtp_host *host, const struct smtp_client *client, struct smtp_transaction *t,
		      const struct smtp_content *content, struct smtp_say *say, struct fault *fault);

	/* After finish() accepted: the reply has come to the client, as far as its machine says. May be NULL; never
	 * suspends. */
	void (*heard)(struct smtp_host *host);

	/* The begun message will not come: refused, too large, the client or the session is gone. */
	void (*drop)(struct smtp_host *host);
};

struct smtp_host { /* first member of every implementation */
	const struct smtp_host_ops *ops;

	/* The session waits for a command, and no transaction is open: who has its fiber stop now (421) interrupts nothing. */
	bool is_idle;
	/* Set by the host: it is to end (421) as soon as that is so. */
	bool is_stopping;
};

/* Serves *stream until the session is over; TLS replaces *stream, which stays the caller's to free, drained and
 * shut down. 0: it ended with QUIT, by the client's closing in order, or by a last word of ours (4xx, 5xx).
 * -1: the connection broke, timed out or was cancelled; where that is possible, 421 was said. */
SUSPENDS int smtp_serve(struct stream **stream, const struct smtp_settings *settings, const struct smtp_peer *peer,
			struct smtp_host *host, struct fault *fault);

#endif
