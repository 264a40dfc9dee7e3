/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the TLS layer share; not for other folders, which use stream.h. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <openssl/ssl.h>

#include "net/stream.h"

struct tls_context {
	SSL_CTX *ctx;
	BIO_METHOD *bio; /* the way between OpenSSL and a tls_stream's lower stream */
	char *ca_file; /* as in struct tls_config */
	bool insecure, own;
	int users; /* who made it and every stream: a stream may outlive its maker's interest */
};

struct tls_stream {
	struct stream stream;
	struct tls_context *context;
	SSL *ssl;
	char *host; /* whom the certificate must name; NULL on the server's side */
	struct fault broken; /* what ended the stream for good; kind FAULT_NONE: nothing yet */
	bool ended;          /* shutdown was called: nothing more goes out */
	bool looks_plain;    /* the peer's first byte cannot begin TLS */

	/* The first thing that is wrong with the peer's certificates, as the handshake found it. */
	int verify_error, verify_depth;
	X509 *verify_cert;

	unsigned char *in; /* ciphertext: in_n bytes from in_start on are still to be read */
	size_t in_start, in_n;
	char description[96];
};

/* tls-explain.c: fills in the fault for what OpenSSL just failed at, from its error queue (which is
 * emptied) and the certificate's. Returns -1. */
int tls_explain(struct tls_stream *self, struct fault *fault);

/* For SSL_set_verify(): remembers the first thing that is wrong, for tls_explain(). */
int tls_note_verify(int good, X509_STORE_CTX *store);

/* The last reason OpenSSL has for what just failed, in words; empties its queue. */
const char *tls_last_reason(void);

#endif
