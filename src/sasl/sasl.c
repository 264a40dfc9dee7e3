/* SPDX-License-Identifier: Apache-2.0 */
/* The table of mechanisms and the life of an exchange, see sasl.h. The mechanisms have a file
 * each. */
#include "sasl/sasl.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "sasl/mechanism.h"

/* Best first. SHA-256 without channel binding goes before SHA-1 with it: the order that users
 * see in sasl.h. */
static const struct sasl_mechanism *const mechanisms[] = {
	&sasl_oauthbearer, &sasl_xoauth2, &sasl_external, &sasl_scram_sha_256_plus,
	&sasl_scram_sha_256, &sasl_scram_sha_1_plus, &sasl_scram_sha_1, &sasl_plain, &sasl_login,
};

static bool is_offered(const struct sasl_mechanism *mechanism, const struct bytes *offered,
		       size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes_equal_nocase(offered[i], bytes_of(mechanism->name)))
			return true;

	return false;
}

const struct sasl_mechanism *sasl_choose(const struct bytes *offered, size_t n,
					 const struct sasl_credentials *credentials,
					 const char *only)
{
	for (size_t i = 0; i < ARRAY_SIZE(mechanisms); i++) {
		const struct sasl_mechanism *m = mechanisms[i];

		if (only && !bytes_equal_nocase(bytes_of(only), bytes_of(m->name)))
			continue;
		if (is_offered(m, offered, n) && m->fits(m, credentials))
			return m;
	}

	return NULL;
}

const char *sasl_name(const struct sasl_mechanism *mechanism)
{
	return mechanism->name;
}

bool sasl_client_first(const struct sasl_mechanism *mechanism)
{
	return mechanism->client_first;
}

struct sasl_exchange *sasl_start(const struct sasl_mechanism *mechanism,
				 const struct sasl_credentials *credentials, bool offered_plus)
{
	struct sasl_exchange *e = xzalloc(sizeof(*e));

	e->mechanism = mechanism;
	e->credentials = credentials;
	e->offered_plus = offered_plus;
	return e;
}

struct sasl_exchange *sasl_free(struct sasl_exchange *exchange)
{
	if (!exchange)
		return NULL;

	free(exchange->scram.nonce);
	buf_wipe(&exchange->scram.gs2);
	buf_wipe(&exchange->scram.first_bare);
	wipe(exchange, sizeof(*exchange));
	free(exchange);
	return NULL;
}

int sasl_step(struct sasl_exchange *exchange, struct bytes challenge, struct buf *response,
	      struct fault *fault)
{
	int r;

	if (exchange->failed) /* going on could end with a "done" that nothing was checked for */
		return auth_fault(fault, "%s has failed already", exchange->mechanism->name);

	r = exchange->mechanism->step(exchange, challenge, response, fault);
	exchange->step++;
	if (r < 0) {
		exchange->failed = true;
		exchange->done = false;
	}
	return r;
}

bool sasl_is_done(const struct sasl_exchange *exchange)
{
	return exchange->done;
}

int sasl_surplus_challenge(struct sasl_exchange *e, struct fault *fault)
{
	return auth_fault(fault, "the server went on asking after %s was complete",
			  e->mechanism->name);
}

const char *sasl_authzid(const struct sasl_credentials *c)
{
	return c->authzid ? c->authzid : "";
}

void sasl_append_name(struct buf *to, const char *s)
{
	for (; *s; s++) {
		if (*s == '=')
			buf_append_str(to, "=3D");
		else if (*s == ',')
			buf_append_str(to, "=2C");
		else
			buf_append_char(to, *s);
	}
}
