/* SPDX-License-Identifier: Apache-2.0 */
/* Replies of an SMTP or LMTP server: a bounded reader, and what a reply means for the delivery. No I/O.
 *
 * The reader takes what servers really send: LF for CRLF, blanks or nothing behind the code, text of any
 * length (cut), control characters (shown as "?"). It refuses, once and for good, what could be taken for another
 * reply than the one that was meant: see enum smtp_reply_wrong. */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
	SMTP_REPLY_TEXT = 2048,        /* bytes of text kept */
	SMTP_REPLY_BYTES_MAX = 65536,  /* of a whole reply; beyond, the server is not one */
};

struct smtp_reply {
	uint16_t code; /* 200 … 599 */

	/* 5.1.1 of the first line, when its class is the code's; else 0, 0, 0. */
	uint16_t enhanced[3];

	/* Lines without their codes, LF between them, enhanced codes as they stand; printable ASCII and bytes above
	 * 0x7f. A C string, cut to what fits. */
	char text[SMTP_REPLY_TEXT];
	size_t text_n;
	unsigned lines;
	bool cut;         /* text does not hold all */
	bool controls;    /* there were control characters, NUL or CR without LF among them */
	bool odd_enhanced; /* an enhanced code that cannot be: class of another code, letters, too many digits */
};

enum smtp_reply_wrong {
	SMTP_REPLY_OK,
	SMTP_REPLY_NO_CODE,    /* a line does not begin with three digits, of 200 to 599 */
	SMTP_REPLY_MIXED,      /* its lines have different codes */
	SMTP_REPLY_TOO_LONG,   /* more than SMTP_REPLY_BYTES_MAX, or no end */
};

const char *smtp_reply_wrong_text(enum smtp_reply_wrong wrong); /* "a reply without a code" … for a fault */

/* A zeroed struct is ready; zero it again for the next reply. */
struct smtp_reply_reader {
	struct smtp_reply reply;
	enum smtp_reply_wrong wrong;

	/* Private. */
	size_t bytes;
	char head[16]; /* of the line at hand: code, separator, enhanced code */
	uint8_t head_n;
	bool after_cr, in_text;
};

/* Takes from the front of *in. 1: the reply is whole, *in is what follows (which nobody asked for: the caller
 * judges). 0: *in is used up. -1: reader->wrong says why; the connection cannot go on. */
int smtp_reply_read(struct smtp_reply_reader *reader, struct bytes *in);

/* Line number `at` of the text, without enhanced code: "PIPELINING" of an EHLO's. Empty behind the last. */
struct bytes smtp_reply_line(const struct smtp_reply *reply, unsigned at);

/* --- what it means --------------------------------------------------------------------------- */

enum smtp_stage { SMTP_AT_GREETING, SMTP_AT_HELLO, SMTP_AT_STARTTLS, SMTP_AT_MAIL, SMTP_AT_RCPT, SMTP_AT_DATA, SMTP_AT_END };

enum smtp_class { SMTP_CLASS_OK, SMTP_CLASS_TEMPORARY, SMTP_CLASS_PERMANENT };

enum smtp_about {
	SMTP_ABOUT_NOTHING,         /* accepted; or nothing known of the reason */
	SMTP_ABOUT_CONNECTION,      /* the server ends this connection, or is not able to serve now */
	SMTP_ABOUT_SERVER_THROTTLE, /* too much from us: fewer connections, slower */
	SMTP_ABOUT_MAILBOX_THROTTLE,/* too much for this mailbox: slower for this recipient only */
	SMTP_ABOUT_MANY_RECIPIENTS, /* the rest of this transaction's recipients in another: no penalty */
	SMTP_ABOUT_MAILBOX_FULL,
	SMTP_ABOUT_UNKNOWN_USER,    /* no such mailbox, disabled, moved */
	SMTP_ABOUT_STORAGE,         /* the server's own disk */
	SMTP_ABOUT_SIZE,            /* this message is too large for it */
	SMTP_ABOUT_CONTENT,         /* bytes it does not take: bare LF, 8 bit, SMTPUTF8, malformed */
	SMTP_ABOUT_POLICY,          /* spam, reputation, authorisation */
	SMTP_ABOUT_TLS,
	SMTP_ABOUT_LOOP,            /* too many hops */
	SMTP_ABOUT_PROTOCOL,        /* it does not know the command or its order */
	SMTP_ABOUTS,
};

const char *smtp_about_name(enum smtp_about about); /* "mailbox full": stable, for journals and metrics */

struct smtp_judgement {
	enum smtp_class class;
	enum smtp_about about;
	int64_t after_us; /* the reply says when to come again; 0: it does not */
	bool closes;      /* 421, or 521: this connection is over */
};

/* What a reply at that stage says. Anything but 2xx (at DATA: 354) is no success, whatever its text: a 2xx or 3xx
 * that was not asked for is temporary, about the protocol. A 552 or 550 that means "too many recipients" (RFC 5321
 * section 4.5.3.1.10) is temporary. The rules are a table in judge.c, each with its source. */
void smtp_judge(const struct smtp_reply *reply, enum smtp_stage stage, struct smtp_judgement *ret);

#endif
