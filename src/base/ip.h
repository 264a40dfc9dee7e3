/* SPDX-License-Identifier: Apache-2.0 */
/* IP addresses as values: read from text and written as text, without asking anybody. */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

struct ip {
	uint8_t family;    /* 4 or 6; 0: none */
	uint8_t bytes[16]; /* in network order; the first 4 for IPv4, the rest 0 */
};

/* "192.0.2.1" or "2001:db8::1", the whole slice, nothing around it. An IPv4 address mapped into IPv6
 * (::ffff:192.0.2.1) becomes the IPv4 address it is. 0 when done, -1: no address. */
int ip_parse(struct bytes text, struct ip *ret);

/* The same from the bytes of a header or socket address: n is 4 or 16. */
struct ip ip_of(const void *bytes, int n);

bool ip_equal(const struct ip *a, const struct ip *b);
void ip_append(struct buf *to, const struct ip *ip); /* nothing for family 0 */

#endif
