/* SPDX-License-Identifier: Apache-2.0 */
/* EXTERNAL (RFC 4422 appendix A): the client certificate says who we are; the response is the
 * identity asked for, or empty for the one that the server takes from the certificate. */
#include "sasl/mechanism.h"

static bool fits(const struct sasl_mechanism *mechanism, const struct sasl_credentials *c)
{
	return c->external;
}

static int step(struct sasl_exchange *e, struct bytes challenge, struct buf *response,
		struct fault *fault)
{
	if (e->step > 0)
		return sasl_surplus_challenge(e, fault);

	buf_append_str(response, sasl_authzid(e->credentials));
	e->done = true;
	return 0;
}

const struct sasl_mechanism sasl_external = {
	.name = "EXTERNAL", .client_first = true, .fits = fits, .step = step,
};
