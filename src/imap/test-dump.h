/* SPDX-License-Identifier: Apache-2.0 */
/* For tests and fuzzers of the parser: what it says, as text. */
#ifndef IMAP_TEST_DUMP_H
#define IMAP_TEST_DUMP_H

#include "base/buf.h"
#include "imap/response.h"

/* Feeds all input, cut into pieces of at most next_size(context) bytes (NULL: one piece).
 * Each call of the parser gets a copy of its own that dies right after. Appends a line an
 * event; BODY events side by side become one. Aborts when a slice does not lie where it
 * must, or an event comes where it must not. */
void imap_dump(struct buf *to, struct imap_parser_limits limits, struct bytes input,
	       size_t (*next_size)(void *context), void *context);

/* Appends one response in one line, without the events. */
void imap_dump_response(struct buf *to, const struct imap_response *response);

#endif
