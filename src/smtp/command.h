/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of an SMTP client: one line to a struct. No I/O, no state: whether a command may come now is the
 * session's business (server.h).
 *
 * A line is whatever ends in CRLF. One that ends in LF alone is not a command but an attempt at a second
 * meaning: the session ends (521). A line with any control character, tab included, is refused (500): so
 * no argument, address, ENVID, ORCPT or attribute can carry CR, LF or NUL anywhere. What xtext (RFC 3461
 * section 4) hides is decoded to check it, and must be printable as well. */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/ip.h"
#include "smtp/address.h"
#include "smtp/answer.h"

/* The longest line, CRLF included: 512 of RFC 5321 and what the extensions below add to MAIL and RCPT. */
enum { SMTP_LINE_MAX = 2048 };

enum smtp_line { SMTP_LINE_READY, SMTP_LINE_MORE, SMTP_LINE_BARE_LF, SMTP_LINE_LONG };

/* Looks for a line at the front of what was read. READY: *ret_line without its CRLF, *ret_n with. MORE: read
 * on. BARE_LF: it ends in LF without CR. LONG: more than SMTP_LINE_MAX bytes and no end yet. */
enum smtp_line smtp_line_find(struct bytes in, struct bytes *ret_line, size_t *ret_n);

enum smtp_verb {
	SMTP_UNKNOWN,
	SMTP_HELO,
	SMTP_EHLO,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_RSET,
	SMTP_NOOP,
	SMTP_QUIT,
	SMTP_VRFY,
	SMTP_HELP,
	SMTP_STARTTLS,
	SMTP_XCLIENT,
	SMTP_XFORWARD,
	SMTP_NOT_OFFERED, /* known, and not for here: AUTH ETRN EXPN BDAT BURL TURN SEND SOML SAML */
	SMTP_VERBS,
};

const char *smtp_verb_name(enum smtp_verb verb); /* "MAIL"; "unknown" */

/* What a session offers: parameters of what is not offered are refused (555). */
enum smtp_extension {
	SMTP_SIZE = 1 << 0,     /* RFC 1870 */
	SMTP_8BITMIME = 1 << 1, /* RFC 6152 */
	SMTP_SMTPUTF8 = 1 << 2, /* RFC 6531 */
	SMTP_DSN = 1 << 3,      /* RFC 3461 */
};

enum smtp_body { SMTP_BODY_NONE, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };
enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS };
enum smtp_notify {
	SMTP_NOTIFY_NEVER = 1 << 0,
	SMTP_NOTIFY_SUCCESS = 1 << 1,
	SMTP_NOTIFY_FAILURE = 1 << 2,
	SMTP_NOTIFY_DELAY = 1 << 3,
};

struct smtp_mail_parameters {
	bool has_size, smtputf8;
	uint64_t size;
	enum smtp_body body;
	enum smtp_ret ret;
	struct bytes envid; /* as it came, in xtext: it is passed on unchanged; empty: none */
};

struct smtp_rcpt_parameters {
	unsigned notify;    /* of enum smtp_notify; 0: not said */
	struct bytes orcpt; /* "rfc822;…" as it came; empty: none */
};

/* XCLIENT and XFORWARD (Postfix's XCLIENT_README and XFORWARD_README). What is [UNAVAILABLE] or
 * [TEMPUNAVAIL] was named and is empty. */
enum smtp_attribute {
	SMTP_ATTR_NAME = 1 << 0,
	SMTP_ATTR_ADDR = 1 << 1,
	SMTP_ATTR_PORT = 1 << 2,
	SMTP_ATTR_PROTO = 1 << 3,
	SMTP_ATTR_HELO = 1 << 4,
	SMTP_ATTR_LOGIN = 1 << 5,    /* XCLIENT */
	SMTP_ATTR_DESTADDR = 1 << 6, /* XCLIENT; read and left alone */
	SMTP_ATTR_DESTPORT = 1 << 7,
	SMTP_ATTR_IDENT = 1 << 8,    /* XFORWARD: the front's queue id */
	SMTP_ATTR_SOURCE = 1 << 9,   /* XFORWARD: LOCAL or REMOTE */
};

struct smtp_attributes {
	unsigned named; /* of enum smtp_attribute */
	struct ip address;
	uint16_t port;
	struct bytes name, proto, helo, login, ident; /* decoded, printable ASCII, at most 255 bytes */
};

struct smtp_command {
	enum smtp_verb verb;
	struct bytes argument; /* what stood behind the verb, trimmed; of HELO and EHLO the name */
	struct smtp_address path; /* MAIL, RCPT */
	struct smtp_mail_parameters mail;
	struct smtp_rcpt_parameters rcpt;
	struct smtp_attributes attributes; /* XCLIENT, XFORWARD */
};

/* Reads a line without its CRLF. NULL when it can be obeyed, else the answer to give (ret->verb is set in any
 * case). Slices are of the line or the arena. */
const struct smtp_answer *smtp_command_parse(struct bytes line, unsigned offered, struct arena *arena,
					     struct smtp_command *ret);

/* RFC 3461 section 4: decodes xtext that stands for printable ASCII, blanks included. -1: it is no xtext, or
 * stands for something else. */
int smtp_xtext_decode(struct bytes text, struct arena *arena, struct bytes *ret);

/* What ENVID and ORCPT may be (RFC 3461 section 4): not empty, bounded, nothing that could end a parameter. */
bool smtp_envid_is_good(struct bytes text, struct arena *arena);
bool smtp_orcpt_is_good(struct bytes text, struct arena *arena);
void smtp_xtext_append(struct buf *to, struct bytes text);

#endif
