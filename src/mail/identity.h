/* SPDX-License-Identifier: Apache-2.0 */
/* By what a message is known again when its UID no longer tells: after UIDVALIDITY changed, or when another tool
 * brought it. Never proof that two messages are the same bytes: a digest of the whole is. */
#ifndef MAIL_IDENTITY_H
#define MAIL_IDENTITY_H

#include <stdint.h>

#include "base/bytes.h"
#include "mail/header.h"

struct mail_identity {
	/* First half of the SHA-256 of the header block: every byte before the empty line, CRs left out; its last
	 * line ends, whether or not it does (servers differ in the line ends of a header they serve apart: Courier
	 * serves half of that one where there is no empty line). */
	unsigned char header[16];

	/* The same of what survives servers that add, reorder and fold fields anew: of the first Date and the first
	 * Subject the first 64 and 256 bytes that are no blanks. All zero when there is neither. */
	unsigned char core[16];

	char message_id[256]; /* the first, cut, without blanks; "" */
};

struct mail_identify;

/* Watches a message (or its header block alone) go by. Slices may be cut anywhere; what stands behind the empty line
 * costs nothing. */
struct mail_identify *mail_identify_new(void);
struct mail_identify *mail_identify_free(struct mail_identify *identify); /* accepts NULL, returns NULL */

void mail_identify_begin(struct mail_identify *identify); /* another message */
void mail_identify_feed(struct mail_identify *identify, struct bytes slice);
void mail_identify_end(struct mail_identify *identify, struct mail_identity *ret);

/* What header_feed() noted of the header block (enum header_note), after the end. */
unsigned mail_identify_notes(const struct mail_identify *identify);

#endif
