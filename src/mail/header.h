/* SPDX-License-Identifier: Apache-2.0 */
/* Watches a message stream by and takes down what one wants to know of it: the fields that name
 * it in reports and that match it again, and oddities that explain a server's refusal. It
 * changes nothing and refuses nothing: a message is what it is.
 *
 * Bounded: a struct of less than 2.5 KiB whatever passes, embedded where it is used. A zeroed
 * struct is ready. Slices may be cut anywhere, the result is the same. */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum header_note {
	HEADER_NUL = 1 << 0,      /* a NUL, anywhere */
	HEADER_BARE_LF = 1 << 1,  /* an LF without its CR, anywhere */
	HEADER_BARE_CR = 1 << 2,  /* a CR without its LF, in the header */
	HEADER_8BIT = 1 << 3,     /* bytes above 0x7f in the header */
	HEADER_NO_COLON = 1 << 4, /* a header line that is neither a field nor a continuation */
	HEADER_UNENDED = 1 << 5,  /* no empty line: all is header (known after header_finish()) */
};

enum header_field {
	HEADER_NONE,
	HEADER_MESSAGE_ID,
	HEADER_DATE,
	HEADER_SUBJECT,
	HEADER_FIELDS,
};

struct header_scan {
	bool skip_body;   /* set it before the first slice: nothing of the body is looked at */
	bool ended;       /* the empty line was seen: the fields below are final */
	unsigned notes;   /* of enum header_note, so far */
	uint64_t size;    /* bytes of the header, its empty line included, so far */
	uint64_t longest; /* bytes of the longest line so far, without its line end */

	/* The first of each, unfolded, without blanks at its ends, cut to what fits. Tabs are
	 * blanks, other control characters (NUL too) "?"; 8-bit bytes stay. "" when there is
	 * none. */
	char message_id[999], date[101], subject[501];

	/* Private from here on. */
	uint64_t line; /* bytes of the unfinished line */
	char name[16]; /* of the unfinished field */
	uint16_t lengths[HEADER_FIELDS];
	uint8_t state, name_n, field, seen;
	bool after_cr, line_after_cr;
};

void header_feed(struct header_scan *scan, struct bytes slice);

/* After the last slice: counts a last line without an end, and a CR that was the very last byte. */
void header_finish(struct header_scan *scan);

#endif
