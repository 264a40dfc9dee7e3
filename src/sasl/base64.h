/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648 §4) for login exchanges. */
#ifndef SASL_BASE64_H
#define SASL_BASE64_H

#include "base/buf.h"
#include "base/bytes.h"

void base64_encode(struct bytes b, struct buf *to);

/* Appends what b stands for. -1, and nothing appended, when it holds anything but the alphabet,
 * "=" in the wrong place or number, or bits that belong to no byte. All "=" missing is
 * tolerated: some servers leave them out. */
int base64_decode(struct bytes b, struct buf *to);

#endif
