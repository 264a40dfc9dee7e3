/* SPDX-License-Identifier: Apache-2.0 */
/* SASL, the client's side (RFC 4422), without I/O: challenges in, responses out, not yet base64. */
#ifndef SASL_SASL_H
#define SASL_SASL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"

/* What a mechanism may need. Strings are UTF-8 and outlive the exchange. Empty or NULL: not given. */
struct sasl_credentials {
	const char *user;     /* authentication identity */
	const char *authzid;  /* whose mailbox, when not the user's own */
	const char *password; /* for PLAIN LOGIN SCRAM-* */
	const char *token;    /* OAuth bearer token, for OAUTHBEARER XOAUTH2 */
	bool external;        /* a client certificate is in use: EXTERNAL may be chosen */
	const char *host;     /* for OAUTHBEARER's host= and port= */
	uint16_t port;
	bool encrypted;       /* the connection is, or the peer is this machine: plain passwords may go */
	struct bytes tls_exporter;     /* channel binding data, empty: none */
	struct bytes tls_end_point;
	void (*random)(void *p, size_t n); /* for nonces: run_random in life, a fixed one in tests */
};

struct sasl_mechanism;

/* The best mechanism of those the server offers (names without "AUTH=") that the credentials allow:
 * token: OAUTHBEARER, XOAUTH2; external: EXTERNAL; password: SCRAM-SHA-256-PLUS, SCRAM-SHA-256,
 * SCRAM-SHA-1-PLUS, SCRAM-SHA-1, then PLAIN, LOGIN when encrypted. `only` (or NULL) names the one to use.
 * NULL: none fits. LOGIN cannot carry an authzid. */
const struct sasl_mechanism *sasl_choose(const struct bytes *offered, size_t n,
					 const struct sasl_credentials *credentials,
					 const char *only);

const char *sasl_name(const struct sasl_mechanism *mechanism); /* "SCRAM-SHA-256" */

/* Whether the client speaks first (an initial response exists; RFC 4959). */
bool sasl_client_first(const struct sasl_mechanism *mechanism);

struct sasl_exchange;

/* `offered_plus`: the server offered a -PLUS variant (SCRAM's protection against a stripped list). */
struct sasl_exchange *sasl_start(const struct sasl_mechanism *mechanism,
				 const struct sasl_credentials *credentials, bool offered_plus);
struct sasl_exchange *sasl_free(struct sasl_exchange *exchange); /* wipes secrets; NULL is fine */
DEFINE_FREEP(struct sasl_exchange, sasl_free);

/* One step: the server's challenge (empty for the initial response) gives our response. The first
 * call of a client-first mechanism is with an empty challenge. 0 with *response appended; negative with a
 * fault (FAULT_AUTH, REACH_MAILBOX: a server that proves nothing, a nonce that is not ours, iteration
 * counts out of 4096..10 million, a JSON error of OAUTHBEARER, whose text is then in the fault). */
int sasl_step(struct sasl_exchange *exchange, struct bytes challenge, struct buf *response,
	      struct fault *fault);

/* Whether everything the mechanism must check was checked: ask when the server says OK. SCRAM without the
 * server's signature is not done. */
bool sasl_is_done(const struct sasl_exchange *exchange);

#endif
