/* SPDX-License-Identifier: Apache-2.0 */
/* SASLprep (RFC 4013) of user names and passwords, for SCRAM, whose two sides must hash equal
 * bytes. */
#ifndef SASL_PREP_H
#define SASL_PREP_H

#include "base/buf.h"

/* Appends s prepared: other blanks become U+0020, what is invisible (soft hyphen, zero-width
 * joiners, variation selectors) goes, the rest is brought into normalisation form KC. -1, and
 * nothing appended, when s is not UTF-8 or holds what RFC 4013 §2.3 prohibits (controls,
 * private use, tags, direction marks …). Left out, as by other clients: the check of mixed
 * directions (§2.4) and, since the tables of normalisation are today's and not Unicode 3.2's,
 * the one of unassigned code points (§2.5). */
int sasl_prep(const char *s, struct buf *to);

#endif
