/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 for names and tables: checking, walking, measuring, making safe to print, comparing.
 *
 * "Valid" is RFC 3629's: no overlong forms, no surrogates, nothing above U+10FFFF. NUL is valid
 * here; who makes C strings of names checks for it. Nothing here looks at the locale. */
#ifndef MAIL_UTF8_H
#define MAIL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

bool utf8_is_valid(struct bytes b);
bool utf8_is_ascii(struct bytes b); /* no byte above 0x7f */

/* Takes the first character off *rest, which must not be empty. 0 with the character; -1 when
 * the bytes are not valid UTF-8: then one byte is taken off and *ret is U+FFFD. */
int utf8_next(struct bytes *rest, uint32_t *ret);

void utf8_append(struct buf *to, uint32_t c); /* c: not a surrogate, at most 0x10ffff */

/* Appends b fit for a terminal or a log line: what could move the cursor, change its colours,
 * start a line or turn the direction of the text (controls of ASCII and Latin-1, U+2028,
 * U+2029, the bidi controls) and bytes that are not UTF-8 become U+FFFD, one each. Everything
 * else stays. */
void utf8_printable(struct buf *to, struct bytes b);

/* Columns that b takes on a terminal: wide East Asian characters two, combining marks none. What
 * utf8_printable() would replace counts one. */
size_t utf8_width(struct bytes b);

/* Appends b made printable and no wider than columns; the end becomes "…" when it does not fit. */
void utf8_truncate(struct buf *to, struct bytes b, size_t columns);

/* utf8_truncate(), then blanks up to columns: a table's cell. */
void utf8_cell(struct buf *to, struct bytes b, size_t columns);

/* Appends b in normalisation form C. -1 (and nothing appended) when b is not UTF-8. */
int utf8_nfc(struct bytes b, struct buf *to);

/* Appends a key: two names are the same but for case and composition if and only if their keys are
 * equal bytes. Full case folding, no language's own rules. Not meant to be shown. -1 as above. */
int utf8_key(struct bytes b, struct buf *to);

#endif
