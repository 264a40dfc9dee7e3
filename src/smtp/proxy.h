/* SPDX-License-Identifier: Apache-2.0 */
/* The PROXY protocol's header, versions 1 and 2 (haproxy's proxy-protocol.txt): who the client is that a balancer
 * in front of us passes on. No I/O; whether the peer may say so is the session's business. */
#ifndef SMTP_PROXY_H
#define SMTP_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/ip.h"

/* The most bytes a header may have here: v1 has 107, v2 16 and addresses and what it adds (TLVs). */
enum { SMTP_PROXY_MAX = 2048 };

struct smtp_proxy {
	bool is_local; /* the balancer itself speaks, or the address is of no IP family: nothing below */
	struct ip source, destination;
	uint16_t source_port, destination_port;
};

/* Looks at the front of what was read: the header's length when it is whole, 0 when more is needed, -1 when it
 * is none (the connection is to be closed without a word, as the specification says). TLVs are bounded, checked
 * to fill the header exactly, and not used. */
int smtp_proxy_parse(struct bytes in, struct smtp_proxy *ret);

#endif
