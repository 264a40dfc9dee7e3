/* SPDX-License-Identifier: Apache-2.0 */
/* What clients are offered: what every host of both platforms has said that it can carry. No I/O. */
#ifndef GATEWAY_OFFERS_H
#define GATEWAY_OFFERS_H

#include <stdbool.h>
#include <stdint.h>

enum { OFFERS_TARGETS = 2, OFFERS_HOSTS = 64 };

struct offers {
	struct {
		bool is_known;
		unsigned offers; /* of enum smtp_extension */
		uint64_t size;   /* 0: no limit */
	} hosts[OFFERS_TARGETS][OFFERS_HOSTS];
};

/* Others are not kept. */
void offers_learn(struct offers *offers, unsigned target, unsigned host, unsigned said, uint64_t size);

/* Extensions, and the largest message (0: any), of which max_size is the configuration's. DSN is ours: where a platform has it not, we
 * tell senders ourselves (RFC 3461 section 5.2.2). SMTPUTF8 is offered only once each platform has said that it has it; 8BITMIME unless
 * one has said that it has not. A host that was never reached says nothing. */
unsigned offers_common(const struct offers *offers, uint64_t max_size, uint64_t *ret_size);

#endif
