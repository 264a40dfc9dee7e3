/* SPDX-License-Identifier: Apache-2.0 */
/* Channel bindings: values that both ends of one TLS connection know and nobody between two connections
 * can make equal. For SASL's -PLUS mechanisms, which get them as bytes. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "net/tls.h"

/* RFC 9266. Before TLS 1.3 the exporter is only unique with the extended master secret. */
static int export(SSL *ssl, char to[64], size_t *ret_n)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	const size_t n = 32;

	if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
		return -1;
	if (SSL_export_keying_material(ssl, (unsigned char *)to, n, label, strlen(label), NULL, 0,
				       0) != 1)
		return -1;

	*ret_n = n;
	return 0;
}

/* RFC 5929, section 4.1: the hash of the certificate's signature, or SHA-256 where that is MD5 or
 * SHA-1. Undefined for signatures without a hash of their own (Ed25519). */
static const EVP_MD *end_point_digest(X509 *cert)
{
	int digest, key;

	if (X509_get_signature_info(cert, &digest, &key, NULL, NULL) != 1 || digest == NID_undef)
		return NULL;
	if (digest == NID_md5 || digest == NID_sha1 || digest == NID_md5_sha1)
		return EVP_sha256();
	return EVP_get_digestbynid(digest);
}

static int hash_end_point(SSL *ssl, char to[64], size_t *ret_n)
{
	X509 *cert = SSL_is_server(ssl) ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
	const EVP_MD *digest = cert ? end_point_digest(cert) : NULL;
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n;

	_Static_assert(sizeof(hash) <= 64, "the caller's array holds any digest");
	if (!digest || X509_digest(cert, digest, hash, &n) != 1)
		return -1;

	memcpy(to, hash, n);
	*ret_n = n;
	return 0;
}

int tls_channel_binding(struct stream *s, enum tls_binding kind, char to[64], size_t *ret_n)
{
	struct stream *found = stream_find(s, "tls");
	struct tls_stream *self = (struct tls_stream *)found;
	int r;

	if (!found || !SSL_is_init_finished(self->ssl))
		return -1;

	r = kind == TLS_BINDING_EXPORTER ? export(self->ssl, to, ret_n) :
					   hash_end_point(self->ssl, to, ret_n);
	ERR_clear_error();
	return r;
}

int tls_peer_digests(struct stream *s, unsigned char certificate[32], unsigned char key[32])
{
	struct tls_stream *self = (struct tls_stream *)stream_find(s, "tls");
	X509 *cert = self ? SSL_get0_peer_certificate(self->ssl) : NULL;
	unsigned char *der = NULL;
	unsigned n;
	int der_n, good;

	ERR_clear_error();
	if (!cert || X509_digest(cert, EVP_sha256(), certificate, &n) != 1 || n != 32)
		return -1;

	der_n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	good = der_n > 0 && EVP_Digest(der, (size_t)der_n, key, &n, EVP_sha256(), NULL) == 1;
	OPENSSL_free(der);
	ERR_clear_error();
	return good && n == 32 ? 0 : -1;
}
