/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS layer. OpenSSL is never called in a way that suspends: ciphertext goes out through
 * stream_enqueue() of the lower stream, and comes in from a buffer that is filled between two calls. So a
 * reading and a writing fiber may share one SSL object, which sees one call at a time.
 *
 * Whoever causes output (a session ticket's answer, a key update) has queued it when the call returns;
 * the lower stream sends it. Contexts are in tls-context.c, sentences about failures in tls-explain.c. */
#include <arpa/inet.h>
#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "net/tls.h"

/* Two full records. */
enum { IN_SIZE = 33 * 1024 };

static struct tls_stream *tls_of(struct stream *s)
{
	return (struct tls_stream *)s;
}

static int report(const struct tls_stream *self, struct fault *fault)
{
	*fault = self->broken;
	return -1;
}

static int keep_fault(struct tls_stream *self, const struct fault *fault)
{
	self->broken = *fault;
	return -1;
}

/* --- the way between OpenSSL and the lower stream ------------------------- */

static int bio_read(BIO *bio, char *p, int n)
{
	struct tls_stream *self = BIO_get_data(bio);
	size_t part = self->in_n < (size_t)n ? self->in_n : (size_t)n;

	BIO_clear_retry_flags(bio);
	if (part == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}

	memcpy(p, self->in + self->in_start, part);
	self->in_start += part;
	self->in_n -= part;
	return (int)part;
}

static int bio_write(BIO *bio, const char *p, int n)
{
	struct tls_stream *self = BIO_get_data(bio);
	struct bytes bytes = { p, (size_t)n };
	struct fault fault;

	BIO_clear_retry_flags(bio);
	while (bytes.n && !self->ended && !self->broken.kind) {
		struct bytes piece = bytes_head(bytes, STREAM_PIECE);

		if (stream_enqueue(self->stream.lower, piece, &fault) < 0)
			return keep_fault(self, &fault);
		bytes = bytes_skip(bytes, piece.n);
	}
	return n;
}

static long bio_control(BIO *bio, int command, long number, void *p)
{
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method(struct tls_context *context)
{
	if (!context->bio) {
		context->bio = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "lower stream");
		BIO_meth_set_read(context->bio, bio_read);
		BIO_meth_set_write(context->bio, bio_write);
		BIO_meth_set_ctrl(context->bio, bio_control);
	}
	return context->bio;
}

/* Reads ciphertext when all there was has been used. 0: the lower stream has ended. */
SUSPENDS static int refill(struct tls_stream *self, struct fault *fault)
{
	int got;

	assert(self->in_n == 0);
	if (!self->in)
		self->in = xmalloc(IN_SIZE);

	got = stream_read(self->stream.lower, self->in, IN_SIZE, fault);
	if (got > 0) {
		self->in_start = 0;
		self->in_n = (size_t)got;
	}
	return got;
}

/* --- the layer ------------------------------------------------------------ */

/* What OpenSSL says for good. An error of the lower stream that it met is the better explanation. */
static int break_off(struct tls_stream *self, struct fault *fault)
{
	if (self->broken.kind) {
		ERR_clear_error();
		return report(self, fault);
	}
	/* What was in order until now was damaged on its way, or the other end broke down: both may be over. */
	if (self->stream.bytes_in > 0)
		fault_transport(fault, "TLS with %.120s broke: %s", self->stream.peer, tls_last_reason());
	else
		tls_explain(self, fault);
	return keep_fault(self, fault);
}

SUSPENDS static int tls_read(struct stream *s, void *p, size_t n, struct fault *fault)
{
	struct tls_stream *self = tls_of(s);

	for (;;) {
		int got, error;

		if (self->broken.kind)
			return report(self, fault);

		ERR_clear_error();
		got = SSL_read(self->ssl, p, (int)n);
		if (got > 0)
			return got;

		error = SSL_get_error(self->ssl, got);
		if (error == SSL_ERROR_ZERO_RETURN)
			return 0;
		if (error != SSL_ERROR_WANT_READ)
			return break_off(self, fault);

		got = refill(self, fault);
		if (got < 0)
			return got;
		if (got == 0) {
			fault_transport(fault, "%s cut the connection: it ended without TLS's "
					       "close_notify", s->peer);
			return keep_fault(self, fault);
		}
	}
}

static int tls_enqueue(struct stream *s, struct bytes bytes, struct fault *fault)
{
	struct tls_stream *self = tls_of(s);

	assert(!self->ended);
	if (self->broken.kind)
		return report(self, fault);

	ERR_clear_error();
	if (SSL_write(self->ssl, bytes.p, (int)bytes.n) != (int)bytes.n || self->broken.kind)
		return break_off(self, fault);
	return 0;
}

SUSPENDS static int tls_wait_room(struct stream *s, struct fault *fault)
{
	if (tls_of(s)->broken.kind)
		return report(tls_of(s), fault);
	return stream_wait_room(s->lower, fault);
}

static void tls_shutdown(struct stream *s)
{
	struct tls_stream *self = tls_of(s);

	if (self->ended)
		return;

	if (!self->broken.kind && SSL_is_init_finished(self->ssl)) {
		ERR_clear_error();
		SSL_shutdown(self->ssl);
		ERR_clear_error();
	}
	self->ended = true;
	stream_shutdown(s->lower);
}

/* Without close_notify: only a shutdown means that the stream is complete. */
static void tls_free(struct stream *s)
{
	struct tls_stream *self = tls_of(s);

	self->ended = true;
	SSL_free(self->ssl);
	X509_free(self->verify_cert);
	ERR_clear_error();
	tls_context_free(self->context);
	if (self->in)
		wipe(self->in, IN_SIZE);
	free(self->in);
	free(self->host);
	free(self);
}

static const struct stream_ops tls_ops = {
	.name = "tls",
	.read = tls_read,
	.enqueue = tls_enqueue,
	.wait_room = tls_wait_room,
	.shutdown = tls_shutdown,
	.free = tls_free,
};

/* --- the handshake -------------------------------------------------------- */

static struct tls_stream *put_on(struct stream **stream, struct tls_context *context)
{
	struct stream **slot = stream_slot(stream);
	struct tls_stream *self = xzalloc(sizeof(*self));
	BIO *bio;

	stream_init(&self->stream, &tls_ops, *slot);
	self->context = tls_context_use(context);
	self->ssl = SSL_new(context->ctx);
	bio = BIO_new(bio_method(context));
	if (!self->ssl || !bio)
		abort(); /* out of memory, as in xmalloc() */

	BIO_set_data(bio, self);
	BIO_set_init(bio, 1);
	SSL_set_bio(self->ssl, bio, bio);
	SSL_set_app_data(self->ssl, self);
	*slot = &self->stream;
	return self;
}

static bool is_address(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* Says what the certificate must name. A failure here must not pass for a success: then nothing would
 * be compared. */
static int expect_host(struct tls_stream *self, const char *host, struct fault *fault)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(self->ssl);
	size_t n = strlen(host);
	bool good;

	/* "example.org." is the same host, but no certificate is written that way. */
	if (n && host[n - 1] == '.')
		n--;
	self->host = xstrndup(host, n);

	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_address(self->host))
		good = X509_VERIFY_PARAM_set1_ip_asc(param, self->host) == 1;
	else
		good = n > 0 && X509_VERIFY_PARAM_set1_host(param, self->host, n) == 1 &&
		       SSL_set_tlsext_host_name(self->ssl, self->host) == 1;
	if (good)
		return 0;

	ERR_clear_error();
	fault_usage(fault, "'%.200s' is not a host name that a certificate could have", host);
	return keep_fault(self, fault);
}

static void describe(struct tls_stream *self)
{
	snprintf(self->description, sizeof(self->description), "%s, %s",
		 SSL_get_version(self->ssl), SSL_get_cipher_name(self->ssl));
}

static int fault_closed(struct tls_stream *self, struct fault *fault)
{
	return fault_transport(fault, "%s closed the connection during the TLS handshake",
			       self->stream.peer);
}

SUSPENDS static int handshake(struct tls_stream *self, struct fault *fault)
{
	bool first = true;

	for (;;) {
		int r;

		ERR_clear_error();
		r = SSL_do_handshake(self->ssl);
		if (r == 1)
			break;
		if (SSL_get_error(self->ssl, r) != SSL_ERROR_WANT_READ || self->broken.kind)
			return break_off(self, fault);

		r = refill(self, fault);
		if (r == 0)
			r = fault_closed(self, fault);
		else if (r < 0)
			r = fault_prefix(fault, "TLS handshake with %s", self->stream.peer);
		if (r < 0)
			return keep_fault(self, fault);

		/* Records of a handshake are of type 22, alerts of 21. */
		if (first)
			self->looks_plain = self->in[0] != 22 && self->in[0] != 21;
		first = false;
	}
	if (self->broken.kind)
		return report(self, fault);

	describe(self);
	return 0;
}

SUSPENDS int tls_client_start(struct stream **stream, struct tls_context *context, const char *host,
			      struct fault *fault)
{
	struct tls_stream *self = put_on(stream, context);

	SSL_set_connect_state(self->ssl);
	if (expect_host(self, host, fault) < 0)
		return -1;
	return handshake(self, fault);
}

SUSPENDS int tls_server_start(struct stream **stream, struct tls_context *context,
			      struct fault *fault)
{
	struct tls_stream *self = put_on(stream, context);

	SSL_set_accept_state(self->ssl);
	return handshake(self, fault);
}

const char *tls_describe(struct stream *s)
{
	struct stream *found = stream_find(s, "tls");

	return found && tls_of(found)->description[0] ? tls_of(found)->description : NULL;
}
