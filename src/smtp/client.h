/* SPDX-License-Identifier: Apache-2.0 */
/* An SMTP or LMTP client: one connection, transactions one after the other, a result for each recipient.
 *
 * Order of things (RFC 5321, 2033, 2920, 3207): greeting, EHLO (HELO where that is not known) or LHLO, STARTTLS as
 * the policy says, EHLO again; then for each message MAIL, RCPTs and DATA in one go where the server
 * takes it, the content, and the final dot only after the caller's before_dot() said so.
 *
 * What must stay true:
 * - nothing a server said before TLS counts after it, and bytes behind its answer to STARTTLS end the connection;
 * - a reply nobody asked for, one that comes before its command was sent, or one that is no reply ends the
 *   connection, and the fault names it;
 * - a recipient is ACCEPTED only by a 2xx reply to the dot, and in DOUBT exactly when the dot was given to
 *   the connection and no reply of that recipient was understood;
 * - without a successful before_dot() the dot is not sent, and the connection is given up. */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "net/stream.h"
#include "smtp/command.h"
#include "smtp/reply.h"

enum smtp_tls {
	SMTP_TLS_NONE,          /* never */
	SMTP_TLS_OPPORTUNISTIC, /* when offered, whoever it is; else in clear */
	SMTP_TLS_VERIFIED,      /* with a certificate that is good for the name, or not at all */
	SMTP_TLS_PINNED,        /* with a certificate or key that is pinned, or not at all */
};

/* SHA-256 of a certificate (DER), or of its SubjectPublicKeyInfo. */
struct smtp_pin {
	unsigned char sha256[32];
};

/* Who the message came from, for XFORWARD and XCLIENT; empty: not known. Decoded. */
struct smtp_origin {
	struct bytes name, addr, port, proto, helo, ident; /* addr: "192.0.2.1", "IPV6:2001:db8::1" */
};

/* Waits, in microseconds; 0: those of RFC 5321 section 4.5.3.2. */
struct smtp_timeouts {
	int64_t connect;  /* 5 minutes (the RFC does not say) */
	int64_t greeting; /* 5 minutes */
	int64_t command;  /* of EHLO, STARTTLS and its handshake, MAIL, RCPT, RSET, QUIT: 5 minutes */
	int64_t data;     /* DATA to 354: 2 minutes */
	int64_t block;    /* until a piece of content has room: 3 minutes */
	int64_t end;      /* dot to reply: 10 minutes */
};

/* Everything it points to must outlive the client. */
struct smtp_client_settings {
	const char *helo; /* our name */
	bool lmtp;
	enum smtp_tls tls;
	struct tls_context *context; /* for VERIFIED one that verifies, for the others one that does not */
	const char *tls_name;        /* whom the certificate must name, and SNI */
	const struct smtp_pin *pins; /* of which one must fit */
	size_t n_pins;
	const struct smtp_origin *xclient; /* says so at the beginning, where offered; NULL: does not */
	struct smtp_timeouts timeouts;
};

struct smtp_client;

struct smtp_client *smtp_client_new(const struct smtp_client_settings *settings);
struct smtp_client *smtp_client_free(struct smtp_client *client); /* closes at once; accepts NULL */
DEFINE_FREEP(struct smtp_client, smtp_client_free);

/* Makes a connection and gets it ready for transactions. When the server's TLS does not work and the policy is
 * OPPORTUNISTIC, once more in clear. A fault FAULT_REFUSED: the server answered, see smtp_client_refusal(). */
SUSPENDS int smtp_client_connect(struct smtp_client *client, const char *host, uint16_t port,
				 struct fault *fault);

/* The same over a stream, which the client owns from here on, without the second try. */
SUSPENDS int smtp_client_start(struct smtp_client *client, struct stream *stream, struct fault *fault);

/* The reply that kept the session from beginning, and at what; NULL: there was none. */
const struct smtp_reply *smtp_client_refusal(const struct smtp_client *client,
					     enum smtp_stage *ret_stage);

/* Whether another transaction can be tried: connected, in step, and nothing was said meanwhile. */
SUSPENDS bool smtp_client_is_usable(struct smtp_client *client);

/* The same without a look at the connection: it was fit for another transaction when it was last looked at. */
bool smtp_client_is_open(const struct smtp_client *client);

/* "TLSv1.3, …" or NULL; and what the server offers. */
const char *smtp_client_tls(const struct smtp_client *client);
unsigned smtp_client_offers(const struct smtp_client *client); /* of enum smtp_extension */
uint64_t smtp_client_size_limit(const struct smtp_client *client); /* of a message; 0: it names none */

/* QUIT, waiting for its answer a short while; then closed. */
SUSPENDS void smtp_client_quit(struct smtp_client *client);

/* --- a transaction --------------------------------------------------------------------------------- */

enum smtp_outcome {
	SMTP_UNTRIED,   /* nothing was said about it, and nothing can have been delivered */
	SMTP_ACCEPTED,
	SMTP_TEMPORARY,
	SMTP_PERMANENT,
	SMTP_DOUBT,     /* the dot was sent, and no reply came: it may have been delivered */
};

struct smtp_delivery {
	struct bytes to;     /* as in RCPT TO:<…>, without brackets */
	unsigned notify;     /* of enum smtp_notify; 0: not said */
	struct bytes orcpt;  /* as it came; empty: none */

	/* What came of it. */
	enum smtp_outcome outcome;
	enum smtp_stage stage;  /* whose reply it is */
	struct smtp_judgement judgement;
	uint16_t code;          /* 0: no reply, or we judged ourselves: text says why */
	uint16_t enhanced[3];
	struct bytes text;      /* printable, in the arena, lines joined with blanks */
	struct bytes remote_id; /* the other side's queue id, or empty; of text */
};

struct smtp_message {
	struct bytes from; /* as in MAIL FROM:<…>; empty: the null path */
	uint64_t size;     /* of what content() gives, in all */
	bool has_8bit, smtputf8;
	enum smtp_ret ret;
	struct bytes envid;              /* as it came; empty: none */
	const struct smtp_origin *origin; /* for XFORWARD; NULL: nothing is said */

	struct smtp_delivery *recipients;
	size_t n_recipients;

	/* The next piece of content (CR and LF as pairs only), valid until the next call. 1: *ret_piece; 0: that was
	 * all; negative: fault. May SUSPEND. */
	int (*content)(void *arg, struct bytes *ret_piece, struct fault *fault);

	/* Makes the intent durable; `accepted` recipients (outcome UNTRIED, stage SMTP_AT_DATA) depend on it. Not
	 * called when there are none. May SUSPEND. */
	int (*before_dot)(void *arg, struct fault *fault);
	void *arg;
};

/* Sends a message. 0: each recipient has its outcome, and smtp_client_is_usable() tells about the connection.
 * Negative: the connection failed, or content() or before_dot() did; outcomes hold what is known. */
SUSPENDS int smtp_client_send(struct smtp_client *client, struct smtp_message *message,
			      struct arena *arena, struct fault *fault);

/* smtp/queue-id.c: the queue id in the text of a 2xx reply to the dot, of text; empty: none is known. */
struct bytes smtp_queue_id(struct bytes text);

#endif
