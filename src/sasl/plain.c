/* SPDX-License-Identifier: Apache-2.0 */
/* PLAIN (RFC 4616): authzid NUL user NUL password. The bytes are sent as they were given:
 * servers that prepare strings do so themselves, and the many that do not compare bytes. */
#include "sasl/mechanism.h"

static bool fits(const struct sasl_mechanism *mechanism, const struct sasl_credentials *c)
{
	return c->encrypted && sasl_is_given(c->user) && sasl_is_given(c->password);
}

static int step(struct sasl_exchange *e, struct bytes challenge, struct buf *response,
		struct fault *fault)
{
	const struct sasl_credentials *c = e->credentials;

	if (e->step > 0)
		return sasl_surplus_challenge(e, fault);

	buf_append_str(response, sasl_authzid(c));
	buf_append_char(response, '\0');
	buf_append_str(response, c->user);
	buf_append_char(response, '\0');
	buf_append_str(response, c->password);
	e->done = true;
	return 0;
}

const struct sasl_mechanism sasl_plain = {
	.name = "PLAIN", .client_first = true, .fits = fits, .step = step,
};
