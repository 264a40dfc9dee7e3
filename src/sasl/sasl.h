/* SPDX-License-Identifier: Apache-2.0 */
/* SASL, the client's side (RFC 4422), without I/O: challenges in, responses out, not yet
 * base64.
 *
 * An exchange knows no thread and no loop: one call at a time may be made from any thread.
 * SCRAM's second step hashes the password as often as the server asks (10 million times take
 * seconds), so call sasl_step() on the worker pool where the loop must not stand still. */
#ifndef SASL_SASL_H
#define SASL_SASL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"

/* What a mechanism may need. Strings are UTF-8 and outlive the exchange. Empty or NULL: not
 * given. */
struct sasl_credentials {
	const char *user;     /* authentication identity */
	const char *authzid;  /* whose mailbox, when not the user's own */
	const char *password; /* for PLAIN LOGIN SCRAM-* */
	const char *token;    /* OAuth bearer token, for OAUTHBEARER XOAUTH2 */
	bool external;        /* a client certificate is in use: EXTERNAL may be chosen */
	const char *host;     /* for OAUTHBEARER's host= and port= */
	uint16_t port;
	bool encrypted;       /* TLS, or the peer is this machine: plain passwords may go */
	struct bytes tls_exporter;     /* channel binding data, empty: none */
	struct bytes tls_end_point;
	void (*random)(void *p, size_t n); /* for nonces; run_random but in tests */
};

struct sasl_mechanism;

/* The best mechanism of those the server offers (names without "AUTH=") that the credentials
 * allow: token and encrypted: OAUTHBEARER, XOAUTH2; external: EXTERNAL; password:
 * SCRAM-SHA-256-PLUS, SCRAM-SHA-256, SCRAM-SHA-1-PLUS, SCRAM-SHA-1 (if RFC 4013 allows the
 * password), then PLAIN, LOGIN when encrypted. `only` (or NULL) names the one to use. NULL:
 * none fits. LOGIN cannot carry an authzid. */
const struct sasl_mechanism *sasl_choose(const struct bytes *offered, size_t n,
					 const struct sasl_credentials *credentials,
					 const char *only);

const char *sasl_name(const struct sasl_mechanism *mechanism); /* "SCRAM-SHA-256" */

/* Whether the client speaks first (an initial response exists; RFC 4959). */
bool sasl_client_first(const struct sasl_mechanism *mechanism);

struct sasl_exchange;

/* `offered_plus`: the server offered a -PLUS variant (SCRAM's protection against a stripped
 * list). */
struct sasl_exchange *sasl_start(const struct sasl_mechanism *mechanism,
				 const struct sasl_credentials *credentials, bool offered_plus);
struct sasl_exchange *sasl_free(struct sasl_exchange *exchange); /* wipes secrets; NULL is fine */
DEFINE_FREEP(struct sasl_exchange, sasl_free);

/* One step: the server's challenge (empty for the initial response) gives our response, which
 * may be empty. The first call of a client-first mechanism is with an empty challenge; what a
 * server says there is not looked at. 0 with the response appended.
 *
 * Negative with a fault (FAULT_AUTH, REACH_MAILBOX): the exchange is over; end it with "*" and
 * read the server's NO. Causes: SCRAM: a nonce that is not ours, an iteration count below 1000
 * (RFC 7677 asks for 4096, servers of old accounts hold less; fewer than 1000 protect nothing)
 * or above 10 million, an extension that we would have to know, an error attribute, a wrong
 * signature; OAuth: the JSON of a refused token, whose status is in the fault and whose text in
 * fault->server. Then *response holds the line that RFC 7628 wants (for XOAUTH2 it is the empty
 * one), which may be sent in place of "*". */
int sasl_step(struct sasl_exchange *exchange, struct bytes challenge, struct buf *response,
	      struct fault *fault);

/* Whether everything the mechanism must check was checked: ask when the server says OK. SCRAM
 * without the server's signature is not done. */
bool sasl_is_done(const struct sasl_exchange *exchange);

#endif
