/* SPDX-License-Identifier: Apache-2.0 */
/* Modified UTF-7: how IMAP writes mailbox names that are not ASCII (RFC 3501 §5.1.3). No I/O.
 *
 * Servers send names that break the rules, and the only name such a server will find again is
 * the very one it sent. So keep the raw name for commands, always; what is decoded here is for
 * people, for mapping and for the other server. */
#ifndef MAIL_MUTF7_H
#define MAIL_MUTF7_H

#include "base/buf.h"
#include "base/bytes.h"

/* Appends the name in UTF-8.
 *  0  in is canonical: mutf7_encode() of what was appended gives in again
 *  1  decoded without doubt although it breaks a rule: raw 8-bit UTF-8 or control characters,
 * printable ASCII in base64, two shifts where one would do ("&AMA-&AMA-"), no "-" at the very end
 * -1  cannot be decoded: base64 that is none or holds stray bits, "&" alone, no "-" in the middle,
 * half a surrogate pair, 8-bit bytes that are not UTF-8, NUL. Nothing is appended; show the raw
 * name. */
int mutf7_decode(struct bytes in, struct buf *to_utf8);

/* Appends the canonical form. -1, and nothing appended, when in is not valid UTF-8 or holds NUL. */
int mutf7_encode(struct bytes utf8, struct buf *to);

#endif
