/* SPDX-License-Identifier: Apache-2.0 */
/* See offers.h. */
#include "gateway/offers.h"

#include "smtp/command.h"

enum { TRACE_MOST = 2048 }; /* what we put before a message */

void offers_learn(struct offers *offers, unsigned target, unsigned host, unsigned said, uint64_t size)
{
	if (target >= OFFERS_TARGETS || host >= OFFERS_HOSTS)
		return;
	offers->hosts[target][host].is_known = true;
	offers->hosts[target][host].offers = said;
	offers->hosts[target][host].size = size;
}

unsigned offers_common(const struct offers *offers, uint64_t max_size, uint64_t *ret_size)
{
	unsigned common = SMTP_8BITMIME | SMTP_SMTPUTF8;

	*ret_size = max_size;
	for (unsigned t = 0; t < OFFERS_TARGETS; t++) {
		bool is_known = false;

		for (unsigned h = 0; h < OFFERS_HOSTS; h++) {
			uint64_t size = offers->hosts[t][h].size;

			if (!offers->hosts[t][h].is_known)
				continue;
			is_known = true;
			common &= offers->hosts[t][h].offers;
			size = size > 2 * TRACE_MOST ? size - TRACE_MOST : size;
			if (size && (*ret_size == 0 || size < *ret_size))
				*ret_size = size;
		}
		if (!is_known)
			common &= ~(unsigned)SMTP_SMTPUTF8;
	}
	return common | SMTP_SIZE | SMTP_DSN;
}
