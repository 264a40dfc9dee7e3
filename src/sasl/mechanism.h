/* SPDX-License-Identifier: Apache-2.0 */
/* What a mechanism is made of. Only for the files of this folder and their tests. */
#ifndef SASL_MECHANISM_H
#define SASL_MECHANISM_H

#include "sasl/sasl.h"

struct sasl_mechanism {
	const char *name;
	bool client_first;
	bool (*fits)(const struct sasl_mechanism *mechanism, const struct sasl_credentials *c);
	int (*step)(struct sasl_exchange *e, struct bytes challenge, struct buf *response,
		    struct fault *fault);
	const char *digest; /* SCRAM: OpenSSL's name */
	bool plus;          /* SCRAM: bound to the TLS channel */
};

extern const struct sasl_mechanism sasl_oauthbearer, sasl_xoauth2, sasl_external, sasl_plain,
	sasl_login, sasl_scram_sha_256_plus, sasl_scram_sha_256, sasl_scram_sha_1_plus,
	sasl_scram_sha_1;

enum { SCRAM_MAX_DIGEST = 32 };

struct scram {
	char *nonce;           /* ours; a test may set it before the first step */
	struct buf gs2;        /* header that says how the channel is bound and who is meant */
	struct buf first_bare; /* our first message without that header */
	unsigned char server_signature[SCRAM_MAX_DIGEST]; /* the one that the server must show */
};

struct sasl_exchange {
	const struct sasl_mechanism *mechanism;
	const struct sasl_credentials *credentials;
	bool offered_plus;
	unsigned step; /* how many were taken before this one */
	bool done, failed;
	struct scram scram;
};

#define auth_fault(fault, ...)                                                                     \
	fault_set((fault), FAULT_AUTH, REACH_MAILBOX, AGAIN_NEVER, __VA_ARGS__)

/* For a challenge after the last one that the mechanism knows. Returns -1. */
int sasl_surplus_challenge(struct sasl_exchange *e, struct fault *fault);

/* Appends s as a saslname of RFC 5802: "=" and "," escaped. */
void sasl_append_name(struct buf *to, const char *s);

/* The identity whose mailbox is meant, when it is not the user's own; never NULL. */
const char *sasl_authzid(const struct sasl_credentials *c);

/* NULL and "" are both "not given". */
static inline bool sasl_is_given(const char *s)
{
	return s && *s;
}

#endif
