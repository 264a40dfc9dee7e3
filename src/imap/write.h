/* SPDX-License-Identifier: Apache-2.0 */
/* Writing IMAP: strings, sets, flags and dates as RFC 3501 and 9051 want them. No I/O. */
#ifndef IMAP_WRITE_H
#define IMAP_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "imap/response.h"

/* How a string can be written. */
enum imap_string_form {
	IMAP_STRING_QUOTED,  /* "…" with \ before " and \: ASCII (or UTF-8 if allowed), no CR LF NUL */
	IMAP_STRING_LITERAL, /* {n} … : all else without NUL */
	IMAP_STRING_NONE,    /* holds NUL: cannot be sent */
};

enum imap_string_form imap_string_form(struct bytes s, bool utf8_quoted);

/* Appends s quoted. It must be IMAP_STRING_QUOTED. */
void imap_write_quoted(struct buf *to, struct bytes s);

/* Appends "low:high,…" with low:low as one number. UINT32_MAX is "*". */
void imap_write_set(struct buf *to, const struct imap_range *ranges, size_t n);

/* Appends as many of the ranges, from the first, as `room` bytes hold, and one in any case (n > 0). Returns how many.
 * Here UINT32_MAX is a number: "50:*" means the last message even if there is none from 50 on, which is no way to name
 * what is to be changed or removed. */
size_t imap_write_set_part(struct buf *to, const struct imap_range *ranges, size_t n, size_t room);

/* Of rising ranges: whether the number is in one, and how many numbers they are. */
bool imap_set_has(const struct imap_range *ranges, size_t n, uint32_t number);
uint64_t imap_set_count(const struct imap_range *ranges, size_t n);

/* Adds a number that is larger than all before to an array of ranges kept by the caller (xgrow). */
void imap_set_add(struct imap_range **ranges, size_t *n, size_t *capacity, uint32_t number);

/* Whether flag may be sent in an APPEND: a system flag of RFC 3501 other than \Recent, or an atom
 * without "\". What servers invent ("\X-Foo", "$Not Junk", "") is not. */
bool imap_flag_is_sendable(struct bytes flag);

#endif
