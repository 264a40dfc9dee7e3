/* SPDX-License-Identifier: Apache-2.0 */
/* LOGIN (draft-murchison-sasl-login): the server asks for the user, then for the password. What
 * it says when asking differs ("Username:", "User Name", nothing, Chinese), so only the order
 * counts. It cannot name another mailbox than the user's own. */
#include "sasl/mechanism.h"

static bool fits(const struct sasl_mechanism *mechanism, const struct sasl_credentials *c)
{
	return c->encrypted && sasl_is_given(c->user) && sasl_is_given(c->password) &&
	       !sasl_is_given(c->authzid);
}

static int step(struct sasl_exchange *e, struct bytes challenge, struct buf *response,
		struct fault *fault)
{
	if (e->step > 1)
		return sasl_surplus_challenge(e, fault);

	buf_append_str(response, e->step == 0 ? e->credentials->user : e->credentials->password);
	e->done = e->step == 1;
	return 0;
}

const struct sasl_mechanism sasl_login = {
	.name = "LOGIN", .client_first = false, .fits = fits, .step = step,
};
