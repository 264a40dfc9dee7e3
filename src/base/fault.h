/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, how far the damage reaches, and whether trying again helps.
 *
 * Every call that talks to a peer or touches mail takes a `struct fault *fault` last, writes it only on
 * failure, and returns a negative number then. Callers branch on kind, reach and again, never on text.
 * Libraries do not log: who decides what to do about a fault says it, once. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdarg.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"

enum fault_kind {
	FAULT_NONE = 0,
	FAULT_TRANSPORT, /* name not found, refused, reset, closed in the middle */
	FAULT_TIMEOUT,   /* a deadline passed */
	FAULT_TLS,       /* handshake or certificate */
	FAULT_AUTH,      /* who we are was not accepted */
	FAULT_PROTOCOL,  /* the peer said something that no grammar allows */
	FAULT_REFUSED,   /* the peer understood and said no */
	FAULT_LIMIT,     /* too large, too many, full, or over a rate */
	FAULT_DATA,      /* a message, name or file is not what it should be */
	FAULT_LOCAL,     /* this machine: disk, memory, a program that cannot be started */
	FAULT_USAGE,     /* wrong arguments or configuration */
	FAULT_CANCELLED, /* we were told to stop */
};

/* Ordered: a larger reach includes the smaller ones. */
enum fault_reach {
	REACH_MESSAGE,
	REACH_FOLDER,
	REACH_SESSION, /* this connection is of no use any more; another may be */
	REACH_MAILBOX,
	REACH_SERVER,
	REACH_PROCESS,
};

enum fault_again {
	AGAIN_NOW,
	AGAIN_LATER, /* not before after_us have passed; 0: the caller's own pace */
	AGAIN_NEVER,
};

struct fault {
	enum fault_kind kind;
	enum fault_reach reach;
	enum fault_again again;
	int64_t after_us;
	char text[384];   /* our sentence: what, where, what would be right; no final full stop */
	char server[256]; /* the peer's own words, printable, cut, secrets removed; or empty */
};

#define FAULT_INIT ((struct fault){ .kind = FAULT_NONE })

/* Fill in a fault and return -1, so that `return fault_set(…)` is the whole failure path. */
int fault_set(struct fault *fault, enum fault_kind kind, enum fault_reach reach,
	      enum fault_again again, const char *format, ...) PRINTF_LIKE(5, 6);

/* The everyday ones, also returning -1. */
int fault_transport(struct fault *fault, const char *format, ...) PRINTF_LIKE(2, 3); /* session, now */
int fault_protocol(struct fault *fault, const char *format, ...) PRINTF_LIKE(2, 3);  /* session, now */
int fault_local(struct fault *fault, const char *format, ...) PRINTF_LIKE(2, 3);     /* process, never */
int fault_usage(struct fault *fault, const char *format, ...) PRINTF_LIKE(2, 3);     /* process, never */
int fault_cancelled(struct fault *fault); /* process, later */

/* Adds the peer's words: control characters become '?', the text is cut. Returns -1. */
int fault_server(struct fault *fault, struct bytes words);

/* Puts "format: " before the text: "folder Sent: …". Returns -1. */
int fault_prefix(struct fault *fault, const char *format, ...) PRINTF_LIKE(2, 3);

const char *fault_kind_name(enum fault_kind kind); /* stable, lower case: "transport" … for JSON */
const char *fault_reach_name(enum fault_reach reach);

/* Appends "text; the server said: words" (or just the text) to a C string of the given size. */
void fault_format(const struct fault *fault, char *to, size_t size);

#endif
