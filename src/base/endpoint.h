/* SPDX-License-Identifier: Apache-2.0 */
/* Where something listens, or is to be connected to: "mx.example.org", "127.0.0.1:2525", "[::1]:25",
 * "lmtp://127.0.0.1:24". Nothing is looked up. */
#ifndef BASE_ENDPOINT_H
#define BASE_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/ip.h"

struct endpoint_scheme {
	const char *name; /* "smtp"; "": none is written */
	uint16_t port;    /* when none is written; 0: it must be */
};

struct endpoint {
	unsigned scheme;  /* index of the scheme it is written with */
	char host[256];   /* a name, or an address; IPv6 without brackets */
	uint16_t port;    /* never 0 */
};

/* Takes one of n schemes. A host is letters, digits, "-", "." and "_", or an address literal; what else
 * stands there is refused. FAULT_USAGE says what would be right. */
int endpoint_parse(struct bytes text, const struct endpoint_scheme *schemes, unsigned n,
		   struct endpoint *ret, struct fault *fault);

/* "host:port", "[v6]:port". */
void endpoint_format(const struct endpoint *endpoint, char to[264]);

/* "192.0.2.0/24", "2001:db8::/32", or an address alone. */
struct network {
	struct ip address;
	unsigned bits; /* of its 32 or 128 */
};

int network_parse(struct bytes text, struct network *ret, struct fault *fault);

bool network_holds(const struct network *network, const struct ip *address);

#endif
