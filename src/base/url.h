/* SPDX-License-Identifier: Apache-2.0 */
/* Store URLs: where mail is read from or written to, as given on a command line or in a mailbox
 * list.
 *
 *	imaps://user@host[:port][/folder]     TLS from the first byte, port 993
 *	imap://user@host[:port][/folder]      STARTTLS, port 143
 *	imap+pipe:COMMAND                     a pre-authenticated server on a pipe
 *	maildir:PATH  mbox:PATH  bag:PATH  pst:PATH
 *
 * A user may hold "@" as it is: the last one before the first "/" counts. ":" "/" and "%" in a
 * user are written %3A %2F %25. "?" and "#" mean nothing special. A password has no place here:
 * it would be seen in process lists and shell histories. Nothing of the text given is ever
 * repeated in a fault, because people do put passwords there, and not only where passwords go. */
#ifndef BASE_URL_H
#define BASE_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"

enum url_kind {
	URL_IMAPS,
	URL_IMAP,
	URL_IMAP_PIPE,
	URL_MAILDIR,
	URL_MBOX,
	URL_BAG,
	URL_PST,
};

struct store_url {
	enum url_kind kind;
	char *user;    /* imap, imaps: decoded, not empty, no control characters */
	char *host;    /* imap, imaps: a name (not yet IDNA) or an address, IPv6 without brackets */
	uint16_t port; /* imap, imaps: never 0 */
	char *folder;  /* imap, imaps: decoded, "/" between levels; NULL when there is none */
	char *command; /* imap+pipe: for a shell */
	char *path;    /* maildir, mbox, bag, pst: as given */
};

/* 0, and the caller owns *ret_url (url_done()); -1 with FAULT_USAGE. */
int url_parse(const char *text, struct store_url *ret_url, struct fault *fault);

void url_done(struct store_url *url); /* frees, and leaves it zeroed; fit for _cleanup_ */

/* Appends the one way to write url: default ports left out, no more %XX than needed. Of a pipe
 * only the command's first word, since arguments may be anything. Good for messages; for keys
 * too, but of pipes. */
void url_format(const struct store_url *url, struct buf *to);

const char *url_kind_name(enum url_kind kind); /* "imaps" … as in the URL */

/* Whether a connection to host stays on this machine: localhost, 127.0.0.0/8, ::1 in any
 * spelling. A name that merely resolves to such an address does not count. */
bool host_is_loopback(const char *host);

#endif
