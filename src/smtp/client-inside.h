/* SPDX-License-Identifier: Apache-2.0 */
/* What client*.c share. */
#ifndef SMTP_CLIENT_INSIDE_H
#define SMTP_CLIENT_INSIDE_H

#include "base/buf.h"
#include "smtp/client.h"

enum client_offer {
	OFFER_PIPELINING = 1 << 0,
	OFFER_STARTTLS = 1 << 1,
	OFFER_XFORWARD = 1 << 2,
	OFFER_XCLIENT = 1 << 3,
};

struct smtp_client {
	struct smtp_client_settings settings;
	enum smtp_tls tls; /* the policy in force: a second try is in clear */
	struct stream *stream; /* NULL: closed */
	struct buf in;     /* read and not taken yet */
	struct buf out;    /* the command at hand */
	struct smtp_reply_reader reader; /* its reply is valid until the next is read */
	bool refused;      /* reader.reply kept the session from beginning */
	enum smtp_stage refused_at;
	bool tls_failed;   /* the handshake did, or was cut off */
	bool was_silent;   /* it was looked at, and nothing was said or sent since */
	bool dirty;        /* a transaction was begun and not ended by a reply to its dot */
	unsigned offers;   /* of enum client_offer */
	unsigned extensions; /* of enum smtp_extension */
	uint64_t size_limit; /* 0: none known */
	unsigned forward_attributes, client_attributes; /* of enum smtp_attribute */
};

/* Reads the next reply. On failure the connection is closed. */
SUSPENDS int client_read(struct smtp_client *client, int64_t timeout_us, const char *what,
			 struct fault *fault);

/* Fails when the server has said something that nobody asked for (reader has it, if it is a reply), or has closed; `when` is for
 * the fault. */
SUSPENDS int client_expect_silence(struct smtp_client *client, const char *when, struct fault *fault);

/* Sends client->out, and empties it. */
SUSPENDS int client_write(struct smtp_client *client, int64_t timeout_us, struct fault *fault);

void client_close(struct smtp_client *client);

/* " NAME=value" for each attribute that is both known and in `attributes`. */
void client_append_origin(struct buf *to, const struct smtp_origin *origin, unsigned attributes);

#endif
