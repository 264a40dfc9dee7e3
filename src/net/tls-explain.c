/* SPDX-License-Identifier: Apache-2.0 */
/* Why a TLS handshake failed, in a sentence that says what to do. OpenSSL's own words are kept only for
 * what nobody has met often enough. All text that comes out of certificates is the peer's: printable
 * ASCII only, and cut. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "net/tls.h"

enum { MAX_NAMES = 5, MAX_TEXT = 120 };

static int fault_tls(struct fault *fault, const char *format, ...) PRINTF_LIKE(2, 3);

static int fault_tls(struct fault *fault, const char *format, ...)
{
	char text[sizeof(fault->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return fault_set(fault, FAULT_TLS, REACH_SERVER, AGAIN_NEVER, "%s", text);
}

const char *tls_last_reason(void)
{
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return reason ? reason : "no reason given";
}

int tls_note_verify(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_stream *self = SSL_get_app_data(ssl);
	X509 *cert = X509_STORE_CTX_get_current_cert(store);

	if (!good && !self->verify_error) {
		self->verify_error = X509_STORE_CTX_get_error(store);
		self->verify_depth = X509_STORE_CTX_get_error_depth(store);
		if (cert && X509_up_ref(cert))
			self->verify_cert = cert;
	}
	return good;
}

/* --- what certificates say ------------------------------------------------- */

static void append_printable(struct buf *to, const void *p, int n)
{
	const unsigned char *bytes = p;

	for (int i = 0; i < n && i < MAX_TEXT; i++)
		buf_append_char(to, bytes[i] > 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '?');
}

static void append_address(struct buf *to, const ASN1_OCTET_STRING *address)
{
	int n = ASN1_STRING_length(address);
	char text[INET6_ADDRSTRLEN] = "an address";

	if (n == 4 || n == 16)
		inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text,
			  sizeof(text));
	buf_append_str(to, text);
}

static bool append_name(struct buf *to, const GENERAL_NAME *name)
{
	if (name->type != GEN_DNS && name->type != GEN_IPADD)
		return false;

	if (to->n)
		buf_append_str(to, ", ");
	if (name->type == GEN_IPADD)
		append_address(to, name->d.iPAddress);
	else
		append_printable(to, ASN1_STRING_get0_data(name->d.dNSName),
				 ASN1_STRING_length(name->d.dNSName));
	return true;
}

/* Where there are no subject alternative names, the common name counts. */
static void append_common_name(struct buf *to, X509 *cert)
{
	char name[MAX_TEXT];
	int n = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name,
					  sizeof(name));

	if (n > 0)
		append_printable(to, name, n);
	else
		buf_append_str(to, "nobody in particular");
}

static void append_names(struct buf *to, X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int shown = 0, more = 0;

	for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
		if (shown == MAX_NAMES || to->n > MAX_TEXT)
			more++;
		else if (append_name(to, sk_GENERAL_NAME_value(names, i)))
			shown++;
	}
	GENERAL_NAMES_free(names);

	if (more)
		buf_appendf(to, " and %d more", more);
	if (to->n == 0)
		append_common_name(to, cert);
}

/* The most telling part of a CA's name. */
static void name_of(const X509_NAME *name, char to[MAX_TEXT])
{
	static const int parts[] = { NID_commonName, NID_organizationalUnitName,
				     NID_organizationName };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (X509_NAME_get_text_by_NID((X509_NAME *)(uintptr_t)name, parts[i], to,
					      MAX_TEXT) > 0) {
			for (char *p = to; *p; p++)
				*p = *p >= 0x20 && *p < 0x7f ? *p : '?';
			return;
		}
	}
	snprintf(to, MAX_TEXT, "somebody without a name");
}

static void print_time(const ASN1_TIME *time, char *to, size_t size)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) != 1 ||
	    strftime(to, size, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		snprintf(to, size, "an unreadable date");
}

/* --- verification ---------------------------------------------------------- */

/* "the certificate of host:993" or "the CA certificate X in the chain of host:993". */
static void print_whose(const struct tls_stream *self, char *to, size_t size)
{
	char name[MAX_TEXT];

	if (self->verify_depth == 0) {
		snprintf(to, size, "the certificate of %.120s", self->stream.peer);
		return;
	}
	name_of(X509_get_subject_name(self->verify_cert), name);
	snprintf(to, size, "the CA certificate '%s' behind that of %.120s", name,
		 self->stream.peer);
}

static int explain_name(const struct tls_stream *self, struct fault *fault)
{
	_cleanup_(buf_done) struct buf names = BUF_NULL;

	append_names(&names, self->verify_cert);
	return fault_tls(fault, "the certificate of %.80s is for %s, not for %.80s",
			 self->stream.peer, buf_str(&names), self->host);
}

static int explain_expired(const struct tls_stream *self, struct fault *fault)
{
	char when[40], whose[280];

	print_whose(self, whose, sizeof(whose));
	print_time(X509_get0_notAfter(self->verify_cert), when, sizeof(when));
	return fault_tls(fault, "%s expired on %s", whose, when);
}

static int explain_not_yet_valid(const struct tls_stream *self, struct fault *fault)
{
	char when[40], whose[280];

	print_whose(self, whose, sizeof(whose));
	print_time(X509_get0_notBefore(self->verify_cert), when, sizeof(when));
	return fault_tls(fault, "%s is not valid before %s (is this machine's clock right?)", whose,
			 when);
}

static int explain_self_signed(const struct tls_stream *self, struct fault *fault)
{
	return fault_tls(fault, "the certificate of %.120s is self-signed, so nobody vouches for it; "
				"if it is the right one, give it with --ca-file", self->stream.peer);
}

/* At depth 0 the leaf's issuer is missing; above, the last certificate that the server sent is at hand,
 * and a root that it sent is the unknown issuer itself. */
static int explain_issuer(const struct tls_stream *self, struct fault *fault)
{
	char issuer[MAX_TEXT];

	name_of(X509_get_issuer_name(self->verify_cert), issuer);
	return fault_tls(fault, "the certificate of %.100s comes from '%s', which is not among the "
				"CAs this machine trusts; --ca-file adds one", self->stream.peer, issuer);
}

static int explain_verify(const struct tls_stream *self, struct fault *fault)
{
	switch (self->verify_error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return explain_name(self, fault);
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return explain_expired(self, fault);
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return explain_not_yet_valid(self, fault);
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return explain_self_signed(self, fault);
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return explain_issuer(self, fault);
	default:
		return fault_tls(fault, "the certificate of %.120s is not acceptable: %s",
				 self->stream.peer,
				 X509_verify_cert_error_string(self->verify_error));
	}
}

/* --- the rest -------------------------------------------------------------- */

static const struct {
	int reason;
	const char *sentence; /* goes on after the peer's name */
} sentences[] = {
#define NO_VERSION "and we have no TLS version in common: it has nothing from TLS 1.2 on"
	{ SSL_R_UNSUPPORTED_PROTOCOL, NO_VERSION },
	{ SSL_R_WRONG_SSL_VERSION, NO_VERSION },
	{ SSL_R_VERSION_TOO_LOW, NO_VERSION },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, NO_VERSION },
#undef NO_VERSION
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
	  "refused the TLS handshake: no cipher in common, or it wants a client certificate" },
	{ SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "wants a client certificate" },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, "does not trust the CA of our certificate" },
	{ SSL_R_TLSV1_UNRECOGNIZED_NAME, "does not know itself by the name we asked for" },
	{ SSL_R_DH_KEY_TOO_SMALL,
	  "offers Diffie-Hellman parameters too small to be safe; it needs an update" },
};

/* What a server that does not speak TLS said instead is worth quoting: "* OK ready", "220 smtp". */
static int explain_plain(const struct tls_stream *self, struct fault *fault)
{
	size_t all = self->in_start + self->in_n;
	struct bytes said = { (const char *)self->in, all };

	fault_tls(fault, "%.120s does not speak TLS on this port; perhaps it wants STARTTLS",
		  self->stream.peer);
	return fault_server(fault, bytes_trim(bytes_cut(&said, '\n')));
}

/* The last reason is the outermost; the first is what happened. */
static int explain_reason(const struct tls_stream *self, struct fault *fault)
{
	unsigned long code = ERR_peek_error();

	for (size_t i = 0; i < ARRAY_SIZE(sentences); i++) {
		if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == sentences[i].reason)
			return fault_tls(fault, "%.120s %s", self->stream.peer,
					 sentences[i].sentence);
	}
	return fault_tls(fault, "TLS with %.120s failed: %s", self->stream.peer, tls_last_reason());
}

int tls_explain(struct tls_stream *self, struct fault *fault)
{
	if (self->looks_plain)
		explain_plain(self, fault);
	else if (self->verify_error && self->verify_cert)
		explain_verify(self, fault);
	else
		explain_reason(self, fault);
	ERR_clear_error();
	return -1;
}
