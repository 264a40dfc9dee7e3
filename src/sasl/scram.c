/* SPDX-License-Identifier: Apache-2.0 */
/* SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, 7677), with and without channel binding (RFC 9266,
 * 5929).
 *
 * Both sides prove that they know the password, neither learns it. What must stay true: the
 * server's nonce continues ours; an exchange is done only after the server's signature was
 * compared; nothing derived from the password outlives the step that needs it, but for that
 * signature. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/xalloc.h"
#include "sasl/base64.h"
#include "sasl/mechanism.h"
#include "sasl/prep.h"

enum {
	NONCE_BYTES = 18,
	MAX_MESSAGE = 4096,
	MIN_ITERATIONS = 1000,
	MAX_ITERATIONS = 10 * 1000 * 1000,
};

static bool has_channel(const struct sasl_credentials *c)
{
	return c->tls_exporter.n || c->tls_end_point.n;
}

/* A password that cannot be prepared cannot be hashed as the server did: then PLAIN is the only
 * way. */
static bool fits(const struct sasl_mechanism *mechanism, const struct sasl_credentials *c)
{
	_cleanup_(buf_wipe) struct buf user = BUF_NULL, password = BUF_NULL;

	return sasl_is_given(c->user) && sasl_is_given(c->password) && c->random &&
	       (!mechanism->plus || has_channel(c)) && sasl_prep(c->user, &user) == 0 &&
	       sasl_prep(c->password, &password) == 0;
}

/* --- our first message ----------------------------------------------------------------------- */

static void write_gs2(const struct sasl_exchange *e, struct buf *to)
{
	const struct sasl_credentials *c = e->credentials;

	if (e->mechanism->plus)
		buf_append_str(to, c->tls_exporter.n ? "p=tls-exporter" : "p=tls-server-end-point");
	else /* "y": had the server offered it, we would have bound the channel */
		buf_append_char(to, has_channel(c) && !e->offered_plus ? 'y' : 'n');

	buf_append_char(to, ',');
	if (sasl_is_given(c->authzid)) {
		buf_append_str(to, "a=");
		sasl_append_name(to, c->authzid);
	}
	buf_append_char(to, ',');
}

static char *make_nonce(const struct sasl_credentials *c)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	char bytes[NONCE_BYTES];

	c->random(bytes, sizeof(bytes));
	base64_encode((struct bytes){ bytes, sizeof(bytes) }, &text);
	return buf_take(&text);
}

static int client_first(struct sasl_exchange *e, struct buf *response, struct fault *fault)
{
	_cleanup_(buf_done) struct buf user = BUF_NULL;
	struct scram *s = &e->scram;

	if (sasl_prep(e->credentials->user, &user) < 0)
		return auth_fault(fault,
				  "the user name is not UTF-8 or holds characters that %s forbids",
				  e->mechanism->name);

	if (!s->nonce)
		s->nonce = make_nonce(e->credentials);

	write_gs2(e, &s->gs2);
	buf_append_str(&s->first_bare, "n=");
	sasl_append_name(&s->first_bare, buf_str(&user));
	buf_append_str(&s->first_bare, ",r=");
	buf_append_str(&s->first_bare, s->nonce);

	buf_append_bytes(response, buf_bytes(&s->gs2));
	buf_append_bytes(response, buf_bytes(&s->first_bare));
	return 0;
}

/* --- the server's first message -------------------------------------------------------------- */

struct server_first {
	struct bytes nonce; /* ours and the server's */
	struct buf salt;
	uint64_t iterations;
};

/* Takes "x=value" and its comma off *rest. -1 when the next attribute is another one. */
static int take_attribute(struct bytes *rest, char name, struct bytes *ret_value)
{
	struct bytes attribute = bytes_cut(rest, ',');

	if (attribute.n < 2 || attribute.p[0] != name || attribute.p[1] != '=')
		return -1;

	*ret_value = bytes_skip(attribute, 2);
	return 0;
}

/* What the words of RFC 5802 §7 mean for the user. */
static const char *explain(struct bytes error)
{
	static const struct { const char *word, *meaning; } known[] = {
		{ "invalid-proof", "user or password is wrong" },
		{ "unknown-user", "user or password is wrong" },
		{ "channel-bindings-dont-match",
		  "the TLS channel it sees is not ours: something between us opens the "
		  "encryption" },
		{ "server-does-support-channel-binding",
		  "it offers channel binding but the offer did not reach us: something between us "
		  "changes what it says" },
		{ "unsupported-channel-binding-type",
		  "it does not know our kind of channel binding" },
		{ "channel-binding-not-supported", "it does not support channel binding" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (bytes_equal(error, bytes_of(known[i].word)))
			return known[i].meaning;

	return "see its own word";
}

static int server_error(struct bytes error, struct fault *fault)
{
	auth_fault(fault, "the server ended the login: %s", explain(error));
	return fault_server(fault, error);
}

static bool is_our_nonce(const struct scram *s, struct bytes nonce)
{
	struct bytes ours = bytes_of(s->nonce);

	if (nonce.n <= ours.n || !bytes_starts(nonce, ours))
		return false;

	for (size_t i = 0; i < nonce.n; i++)
		if (nonce.p[i] < 0x21 || nonce.p[i] > 0x7e)
			return false;

	return true;
}

static int parse_server_first(const struct sasl_exchange *e, struct bytes message,
			      struct server_first *to, struct fault *fault)
{
	struct bytes rest = message, salt, iterations, error;

	if (take_attribute(&rest, 'e', &error) == 0)
		return server_error(error, fault);

	if (bytes_starts(message, BYTES("m=")) || bytes_find(message, BYTES(",m=")) >= 0)
		return auth_fault(
			fault, "the server demands an extension of SCRAM that does not exist here");

	rest = message;
	if (message.n > MAX_MESSAGE || take_attribute(&rest, 'r', &to->nonce) < 0 ||
	    take_attribute(&rest, 's', &salt) < 0 || take_attribute(&rest, 'i', &iterations) < 0 ||
	    base64_decode(salt, &to->salt) < 0 || to->salt.n == 0)
		return auth_fault(fault, "the server's first message is not SCRAM's (RFC 5802)");

	if (!is_our_nonce(&e->scram, to->nonce))
		return auth_fault(
			fault, "the server's nonce does not continue ours: this is the answer to "
			       "somebody else's login");

	if (bytes_to_u64(iterations, MAX_ITERATIONS, &to->iterations) < 0 ||
	    to->iterations < MIN_ITERATIONS)
		return auth_fault(fault, "the server wants an iteration count out of %d to %d",
				  MIN_ITERATIONS, MAX_ITERATIONS);

	return 0;
}

/* --- keys and proofs ------------------------------------------------------------------------- */

struct secrets {
	const EVP_MD *md;
	int n; /* bytes of a digest */
	unsigned char salted[SCRAM_MAX_DIGEST], client_key[SCRAM_MAX_DIGEST],
		stored_key[SCRAM_MAX_DIGEST], server_key[SCRAM_MAX_DIGEST], proof[SCRAM_MAX_DIGEST];
};

static void secrets_done(struct secrets *s)
{
	wipe(s, sizeof(*s));
}

static bool hmac(const struct secrets *s, const unsigned char *key, struct bytes text,
		 unsigned char *to)
{
	return HMAC(s->md, key, s->n, (const unsigned char *)text.p, text.n, to, NULL);
}

/* RFC 5802 §3, up to the server key. */
static bool derive_keys(const struct server_first *first, struct bytes password, struct secrets *s)
{
	return PKCS5_PBKDF2_HMAC(password.n ? password.p : "", (int)password.n,
				 (const unsigned char *)first->salt.p, (int)first->salt.n,
				 (int)first->iterations, s->md, s->n, s->salted) == 1 &&
	       hmac(s, s->salted, BYTES("Client Key"), s->client_key) &&
	       hmac(s, s->salted, BYTES("Server Key"), s->server_key) &&
	       EVP_Digest(s->client_key, (size_t)s->n, s->stored_key, NULL, s->md, NULL) == 1;
}

static bool sign(struct bytes auth_message, struct secrets *s, unsigned char *ret_server_signature)
{
	unsigned char client_signature[SCRAM_MAX_DIGEST];

	if (!hmac(s, s->stored_key, auth_message, client_signature) ||
	    !hmac(s, s->server_key, auth_message, ret_server_signature))
		return false;

	for (int i = 0; i < s->n; i++)
		s->proof[i] = s->client_key[i] ^ client_signature[i];
	wipe(client_signature, sizeof(client_signature));
	return true;
}

static int prove(struct sasl_exchange *e, const struct server_first *first,
		 struct bytes auth_message, struct secrets *s, struct fault *fault)
{
	_cleanup_(buf_wipe) struct buf password = BUF_NULL;

	if (sasl_prep(e->credentials->password, &password) < 0)
		return auth_fault(fault,
				  "the password is not UTF-8 or holds characters that %s forbids",
				  e->mechanism->name);

	s->md = EVP_get_digestbyname(e->mechanism->digest);
	s->n = s->md ? EVP_MD_get_size(s->md) : 0;
	if (s->n <= 0 || s->n > SCRAM_MAX_DIGEST || password.n > INT32_MAX ||
	    !derive_keys(first, buf_bytes(&password), s) ||
	    !sign(auth_message, s, e->scram.server_signature))
		return fault_local(fault, "the TLS library does not compute %s",
				   e->mechanism->digest);

	return 0;
}

/* --- our second message ---------------------------------------------------------------------- */

static void write_without_proof(const struct sasl_exchange *e, struct bytes nonce, struct buf *to)
{
	const struct sasl_credentials *c = e->credentials;
	_cleanup_(buf_done) struct buf binding = BUF_NULL;

	buf_append_bytes(&binding, buf_bytes(&e->scram.gs2));
	if (e->mechanism->plus)
		buf_append_bytes(&binding, c->tls_exporter.n ? c->tls_exporter : c->tls_end_point);

	buf_append_str(to, "c=");
	base64_encode(buf_bytes(&binding), to);
	buf_append_str(to, ",r=");
	buf_append_bytes(to, nonce);
}

static int client_final(struct sasl_exchange *e, struct bytes challenge,
			const struct server_first *first, struct buf *response, struct fault *fault)
{
	_cleanup_(buf_done) struct buf without_proof = BUF_NULL, auth_message = BUF_NULL;
	_cleanup_(secrets_done) struct secrets secrets = { 0 };

	write_without_proof(e, first->nonce, &without_proof);
	buf_append_bytes(&auth_message, buf_bytes(&e->scram.first_bare));
	buf_append_char(&auth_message, ',');
	buf_append_bytes(&auth_message, challenge);
	buf_append_char(&auth_message, ',');
	buf_append_bytes(&auth_message, buf_bytes(&without_proof));
	if (prove(e, first, buf_bytes(&auth_message), &secrets, fault) < 0)
		return -1;

	buf_append_bytes(response, buf_bytes(&without_proof));
	buf_append_str(response, ",p=");
	base64_encode((struct bytes){ (char *)secrets.proof, (size_t)secrets.n }, response);
	return 0;
}

static int answer_server_first(struct sasl_exchange *e, struct bytes challenge,
			       struct buf *response, struct fault *fault)
{
	struct server_first first = { 0 };
	int r = parse_server_first(e, challenge, &first, fault);

	if (r == 0)
		r = client_final(e, challenge, &first, response, fault);
	buf_done(&first.salt);
	return r;
}

/* --- the server's proof ---------------------------------------------------------------------- */

static int check_server_final(struct sasl_exchange *e, struct bytes message, struct fault *fault)
{
	_cleanup_(buf_done) struct buf signature = BUF_NULL;
	const EVP_MD *md = EVP_get_digestbyname(e->mechanism->digest);
	struct bytes rest = message, value;

	if (take_attribute(&rest, 'e', &value) == 0)
		return server_error(value, fault);

	rest = message;
	if (message.n > MAX_MESSAGE || take_attribute(&rest, 'v', &value) < 0 ||
	    base64_decode(value, &signature) < 0)
		return auth_fault(fault, "the server's last message is not SCRAM's (RFC 5802)");

	if (signature.n != (size_t)EVP_MD_get_size(md) ||
	    CRYPTO_memcmp(signature.p, e->scram.server_signature, signature.n) != 0)
		return auth_fault(fault,
				  "the server does not know the password: it is not the one it "
				  "claims to be");

	e->done = true;
	return 0;
}

static int step(struct sasl_exchange *e, struct bytes challenge, struct buf *response,
		struct fault *fault)
{
	switch (e->step) {
	case 0:
		return client_first(e, response, fault);
	case 1:
		return answer_server_first(e, challenge, response, fault);
	case 2:
		return check_server_final(e, challenge, fault);
	default:
		return sasl_surplus_challenge(e, fault);
	}
}

#define SCRAM(text, openssl_name, is_plus)                                                         \
	{                                                                                          \
		.name = (text), .client_first = true, .fits = fits, .step = step,                  \
		.digest = (openssl_name), .plus = (is_plus),                                       \
	}

const struct sasl_mechanism sasl_scram_sha_256_plus = SCRAM("SCRAM-SHA-256-PLUS", "SHA256", true);
const struct sasl_mechanism sasl_scram_sha_256 = SCRAM("SCRAM-SHA-256", "SHA256", false);
const struct sasl_mechanism sasl_scram_sha_1_plus = SCRAM("SCRAM-SHA-1-PLUS", "SHA1", true);
const struct sasl_mechanism sasl_scram_sha_1 = SCRAM("SCRAM-SHA-1", "SHA1", false);
