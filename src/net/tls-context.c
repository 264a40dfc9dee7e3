/* SPDX-License-Identifier: Apache-2.0 */
/* What TLS connections have in common: trust, our own certificate, versions. Reads files, so it runs
 * before the loop or in the pool. Verification itself is OpenSSL's; what it must verify is set here and
 * in tls.c. */
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "net/tls.h"

static struct tls_context *context_new(const SSL_METHOD *method)
{
	struct tls_context *context = xzalloc(sizeof(*context));

	ERR_clear_error();
	context->users = 1;
	context->ctx = SSL_CTX_new(method);
	if (!context->ctx)
		abort(); /* out of memory, as in xmalloc() */

	SSL_CTX_set_min_proto_version(context->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(context->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	/* Idle connections are many and keep no buffers. */
	SSL_CTX_set_mode(context->ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context->ctx, SSL_SESS_CACHE_OFF);
	return context;
}

struct tls_context *tls_context_use(struct tls_context *context)
{
	context->users++;
	return context;
}

struct tls_context *tls_context_free(struct tls_context *context)
{
	if (!context)
		return NULL;

	assert(context->users > 0);
	if (--context->users == 0) {
		SSL_CTX_free(context->ctx);
		BIO_meth_free(context->bio);
		free(context->ca_file);
		free(context);
	}
	return NULL;
}

/* OpenSSL's reasons for files are about what it tried ("no start line"); most often the file is not
 * there or not ours to read, and the kernel says that better. */
static int fault_file(const char *what, const char *path, struct fault *fault)
{
	const char *reason = tls_last_reason();

	if (access(path, R_OK) < 0)
		return fault_usage(fault, "cannot read the %s %s: %s", what, path, strerror(errno));
	return fault_usage(fault, "cannot use the %s %s: %s; it must be in PEM form", what, path,
			   reason);
}

static int load_trust(struct tls_context *context, const char *ca_file, struct fault *fault)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context->ctx);

	/* A machine without a CA bundle trusts nobody, which is then said certificate by certificate. */
	SSL_CTX_set_default_verify_paths(context->ctx);
	if (!ca_file)
		return 0;

	ERR_clear_error();
	if (SSL_CTX_load_verify_file(context->ctx, ca_file) != 1)
		return fault_file("CA file", ca_file, fault);

	/* The file may hold a server's own certificate, or an intermediate CA: trust ends there. */
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	return 0;
}

/* A key with a passphrase would make OpenSSL ask on the terminal, in the middle of everything. */
static int no_passphrase(char *to, int size, int for_writing, void *arg)
{
	return 0;
}

static bool is_of_another_certificate(unsigned long code)
{
	return ERR_GET_LIB(code) == ERR_LIB_X509 &&
	       (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH ||
		ERR_GET_REASON(code) == X509_R_KEY_TYPE_MISMATCH);
}

static int load_own(struct tls_context *context, const char *cert_file, const char *key_file,
		    struct fault *fault)
{
	ERR_clear_error();
	SSL_CTX_set_default_passwd_cb(context->ctx, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(context->ctx, cert_file) != 1)
		return fault_file("certificate", cert_file, fault);
	/* With a certificate there already, this compares the two as well. */
	if (SSL_CTX_use_PrivateKey_file(context->ctx, key_file, SSL_FILETYPE_PEM) != 1 &&
	    !is_of_another_certificate(ERR_peek_error()))
		return fault_file("private key", key_file, fault);
	if (SSL_CTX_check_private_key(context->ctx) != 1) {
		ERR_clear_error();
		return fault_usage(fault, "the private key %s does not belong to the certificate %s",
				   key_file, cert_file);
	}
	return 0;
}

int tls_context_new(const struct tls_config *config, struct tls_context **ret, struct fault *fault)
{
	_cleanup_(tls_context_freep) struct tls_context *context =
		context_new(TLS_client_method());

	context->insecure = config->insecure;
	context->own = config->cert_file;
	context->ca_file = config->ca_file ? xstrdup(config->ca_file) : NULL;
	if (!config->insecure)
		SSL_CTX_set_verify(context->ctx, SSL_VERIFY_PEER, tls_note_verify);
	if (load_trust(context, config->ca_file, fault) < 0)
		return -1;
	if (config->cert_file) {
		const char *key_file = config->key_file ? config->key_file : config->cert_file;

		if (load_own(context, config->cert_file, key_file, fault) < 0)
			return -1;
	}

	ERR_clear_error();
	*ret = TAKE_PTR(context);
	return 0;
}

struct tls_context *tls_context_share(struct tls_context *other, const struct tls_config *config)
{
	bool same;

	if (!other || other->own || config->cert_file || other->insecure != config->insecure)
		return NULL;

	same = other->ca_file && config->ca_file ? strcmp(other->ca_file, config->ca_file) == 0
						 : other->ca_file == config->ca_file;
	return same ? tls_context_use(other) : NULL;
}

int tls_server_context_new(const char *cert_file, const char *key_file, struct tls_context **ret,
			   struct fault *fault)
{
	_cleanup_(tls_context_freep) struct tls_context *context =
		context_new(TLS_server_method());

	/* A ticket is a key to a former session wherever its own key is known. */
	SSL_CTX_set_options(context->ctx, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_num_tickets(context->ctx, 0);
	if (load_own(context, cert_file, key_file, fault) < 0)
		return -1;

	ERR_clear_error();
	*ret = TAKE_PTR(context);
	return 0;
}
