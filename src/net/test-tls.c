/* SPDX-License-Identifier: Apache-2.0 */
/* TLS over memory pairs: who is trusted and who is not, in what words; ends; and both directions at once
 * through every way of cutting the ciphertext. */
#include <openssl/err.h>
#include <stdio.h>

#include "net/testing-certs.h"
#include "net/testing.h"
#include "net/tls.h"

enum { SEED = 1312 };

/* A client and a server over a memory pair, with what became of their handshakes. */
struct session {
	struct check *check;
	fiber_fn run;
	struct certs certs;
	struct tls_context *client_context, *server_context;
	struct stream *client, *server;
	const char *host;
	int client_result, server_result;
	struct fault client_fault, server_fault;
};

struct setup {
	const char *server; /* name of its certificate */
	const char *host;   /* NULL: good.example */
	const char *ca;     /* name of the certificate the client is told to trust, or NULL */
	bool insecure;
	size_t max_read;
	int max_version; /* the server's; 0: any */
};

static int client_run(void *arg, struct fault *fault)
{
	struct session *t = arg;

	t->client_result = tls_client_start(&t->client, t->client_context, t->host,
					    &t->client_fault);
	if (t->client_result < 0)
		stream_shutdown(t->client->lower);
	return 0;
}

static int server_run(void *arg, struct fault *fault)
{
	struct session *t = arg;

	t->server_result = tls_server_start(&t->server, t->server_context, &t->server_fault);
	if (t->server_result < 0)
		stream_shutdown(t->server);
	return 0;
}

static const char *file_of(struct session *t, const char *name, const char *end)
{
	char file[40];

	snprintf(file, sizeof(file), "%s.%s", name, end);
	return certs_path(&t->certs, file);
}

static int make_contexts(struct session *t, const struct setup *setup, struct fault *fault)
{
	struct tls_config config = { .insecure = setup->insecure };

	if (setup->ca)
		config.ca_file = file_of(t, setup->ca, "pem");
	if (tls_context_new(&config, &t->client_context, fault) < 0)
		return -1;
	if (tls_server_context_new(file_of(t, setup->server, "pem"), file_of(t, setup->server, "key"),
				   &t->server_context, fault) < 0)
		return -1;
	if (setup->max_version)
		SSL_CTX_set_max_proto_version(t->server_context->ctx, setup->max_version);
	return 0;
}

/* Negative only when nothing could be tried. */
static int session_open(struct session *t, const struct setup *setup, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "handshakes");
	if (make_contexts(t, setup, fault) < 0)
		return -1;

	t->host = setup->host ? setup->host : "good.example";
	memory_stream_pair(setup->max_read, &t->client, &t->server);
	nursery_start(&nursery, client_run, t, "client");
	nursery_start(&nursery, server_run, t, "server");
	return nursery_wait(&nursery, fault);
}

static void session_close(struct session *t)
{
	t->client = stream_free(t->client);
	t->server = stream_free(t->server);
	t->client_context = tls_context_free(t->client_context);
	t->server_context = tls_context_free(t->server_context);
}

static int run_and_close(void *arg, struct fault *fault)
{
	struct session *t = arg;
	int r = t->run(t, fault);

	session_close(t);
	return r;
}

/* The frame of every case: certificates made and removed, a loop around it. */
static void with_session(struct check *check, fiber_fn fn)
{
	struct session t = { .check = check, .run = fn };
	struct fault fault = FAULT_INIT;
	int r;

	certs_make(check, &t.certs);
	r = run_main(check->name, run_and_close, &t, &fault);
	certs_done(&t.certs);
	CHECK_EQ(ERR_peek_error(), 0);
	if (!check->failed && r < 0)
		CHECK_FAIL("%s", fault.text);
}

/* --- who is trusted ------------------------------------------------------------ */

static const struct verdict {
	struct setup setup;
	const char *words; /* of the client's fault; NULL: trusted */
} verdicts[] = {
	{ { "good", NULL, "ca" }, NULL },
	{ { "good", "good.example.", "ca" }, NULL },
	{ { "good", "a.wild.example", "ca" }, NULL },
	{ { "good", "127.0.0.1", "ca" }, NULL },
	{ { "good", NULL, "good" }, NULL },
	{ { "plain", NULL, "ca" }, NULL },
	{ { "self", NULL, "self" }, NULL },
	{ { "self", "other.example", NULL, true }, NULL },
	{ { "expired", "other.example", NULL, true }, NULL },
	{ { "good", "a.b.wild.example", "ca" },
	  "the certificate of the other end is for good.example, *.wild.example, 127.0.0.1, not for "
	  "a.b.wild.example" },
	{ { "good", "127.0.0.2", "ca" }, "not for 127.0.0.2" },
	{ { "good", "anything", "ca" }, "not for anything" },
	{ { "plain", "other.example", "ca" }, "is for good.example, not for other.example" },
	{ { "expired", NULL, "ca" }, "the certificate of the other end expired on 20" },
	{ { "future", NULL, "ca" }, "is not valid before 20" },
	{ { "good", NULL, NULL }, "comes from 'mailferry test CA', which is not among the CAs" },
	{ { "good", NULL, "self" }, "comes from 'mailferry test CA'" },
	{ { "self", NULL, "ca" }, "is self-signed" },
	{ { "self", NULL, NULL }, "--ca-file" },
	{ { "good", "", "ca" }, "is not a host name" },
};

static void check_verdict(struct session *t, const struct verdict *verdict)
{
	struct check *check = t->check;
	const struct fault *fault = &t->client_fault;

	if (!verdict->words) {
		check_expect(check, t->client_result == 0, __FILE__, __LINE__, "%s", fault->text);
		EXPECT(t->server_result == 0);
		return;
	}
	EXPECT(t->client_result < 0);
	check_expect(check, strstr(fault->text, verdict->words) != NULL, __FILE__, __LINE__,
		     "\"%s\" does not say \"%s\"", fault->text, verdict->words);
	if (fault->kind != FAULT_USAGE) {
		EXPECT(fault->kind == FAULT_TLS && fault->reach == REACH_SERVER);
		EXPECT(fault->again == AGAIN_NEVER);
		EXPECT(t->server_result < 0 ||
		       SSL_version(((struct tls_stream *)t->server)->ssl) == TLS1_3_VERSION);
	}
}

static int verdicts_run(void *arg, struct fault *fault)
{
	struct session *t = arg;

	for (size_t i = 0; i < ARRAY_SIZE(verdicts) * 2; i++) {
		struct setup setup = verdicts[i / 2].setup;

		setup.max_version = i % 2 ? TLS1_2_VERSION : 0;
		if (session_open(t, &setup, fault) < 0)
			return -1;
		check_verdict(t, &verdicts[i / 2]);
		session_close(t);
	}
	return 0;
}

static void trusts_whom_it_should(struct check *check)
{
	with_session(check, verdicts_run);
}

static int faults_stay_run(void *arg, struct fault *fault)
{
	struct session *t = arg;
	struct check *check = t->check;
	char got[10];

	if (session_open(t, &(struct setup){ "self" }, fault) < 0)
		return -1;
	EXPECT(stream_read(t->client, got, sizeof(got), fault) < 0);
	expect_fault(check, fault, FAULT_TLS, "self-signed");
	EXPECT(stream_enqueue(t->client, BYTES("password"), fault) < 0);
	expect_fault(check, fault, FAULT_TLS, "self-signed");
	EXPECT(stream_wait_room(t->client, fault) < 0);
	EXPECT(tls_describe(t->client) == NULL);
	return 0;
}

static void a_refused_peer_hears_nothing(struct check *check)
{
	with_session(check, faults_stay_run);
}

static void files_are_checked(struct check *check)
{
	struct certs certs = { 0 };
	struct tls_context *context;
	struct fault fault = FAULT_INIT;
	int missing, not_pem, not_its_key;
	struct fault faults[3];

	certs_make(check, &certs);
	missing = tls_context_new(&(struct tls_config){ .ca_file = certs_path(&certs, "none.pem") },
				  &context, &fault);
	faults[0] = fault;
	not_pem = tls_context_new(&(struct tls_config){ .ca_file = certs_path(&certs, "ca.key") },
				  &context, &fault);
	faults[1] = fault;
	not_its_key = tls_server_context_new(certs_path(&certs, "good.pem"),
					     certs_path(&certs, "self.key"), &context, &fault);
	faults[2] = fault;
	certs_done(&certs);

	CHECK(missing < 0 && not_pem < 0 && not_its_key < 0);
	CHECK(strstr(faults[0].text, "cannot read the CA file certs-"));
	CHECK(strstr(faults[0].text, "none.pem: No such file"));
	CHECK(strstr(faults[1].text, "cannot use the CA file"));
	CHECK(strstr(faults[2].text, "self.key"));
	CHECK_EQ(faults[0].kind, FAULT_USAGE);
	CHECK_EQ(faults[1].kind, FAULT_USAGE);
	CHECK_EQ(faults[2].kind, FAULT_USAGE);
}

/* --- peers that are no TLS 1.2 servers ------------------------------------------ */

static const struct odd_peer {
	const char *name, *says;
	size_t says_n;
	enum fault_kind kind;
	const char *words, *server;
} odd_peers[] = {
#define SAYS(bytes) bytes, sizeof(bytes) - 1
	{ "plain IMAP", SAYS("* OK ready\r\n* more\r\n"), FAULT_TLS,
	  "the other end does not speak TLS on this port", "* OK ready" },
	{ "plain SMTP", SAYS("220 mx ESMTP\r\n"), FAULT_TLS, "does not speak TLS", "220 mx ESMTP" },
	{ "old by alert", SAYS("\x15\x03\x01\x00\x02\x02\x46"), FAULT_TLS,
	  "the other end and we have no TLS version in common", "" },
	{ "old by hello",
	  SAYS("\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02"
	       "01234567890123456789012345678901\x00\x00\x2f\x00"),
	  FAULT_TLS, "no TLS version in common", "" },
	{ "picky", SAYS("\x15\x03\x03\x00\x02\x02\x28"), FAULT_TLS, "refused the TLS handshake", "" },
	{ "mute", SAYS(""), FAULT_TRANSPORT,
	  "the other end closed the connection during the TLS handshake", "" },
	{ "cut", SAYS("\x16\x03\x03\x00\x2a\x02"), FAULT_TRANSPORT, "closed the connection during", "" },
#undef SAYS
};

static int odd_peers_run(void *arg, struct fault *fault)
{
	struct session *t = arg;
	struct check *check = t->check;

	if (make_contexts(t, &(struct setup){ "good", NULL, "ca" }, fault) < 0)
		return -1;

	for (size_t i = 0; i < ARRAY_SIZE(odd_peers) * 2; i++) {
		const struct odd_peer *odd = &odd_peers[i / 2];
		_cleanup_(stream_freep) struct stream *client = NULL, *peer = NULL;
		struct bytes says = { odd->says, odd->says_n };

		memory_stream_pair(i % 2, &client, &peer);
		EXPECT(stream_enqueue(peer, says, fault) == 0);
		stream_shutdown(peer);
		EXPECT(tls_client_start(&client, t->client_context, "good.example", fault) < 0);
		check_expect(check, expect_fault(check, fault, odd->kind, odd->words), odd->name, 0,
			     "%s", fault->text);
		/* Byte by byte only the beginning of what it said is there to be quoted. */
		if (i % 2 == 0)
			EXPECT(strcmp(fault->server, odd->server) == 0);
	}
	return 0;
}

static void says_what_odd_peers_are(struct check *check)
{
	with_session(check, odd_peers_run);
}

/* --- STARTTLS -------------------------------------------------------------------- */

static int injecting_server(void *arg, struct fault *fault)
{
	struct session *t = arg;

	if (stream_write(t->server, BYTES("a1 OK begin\r\na2 OK injected\r\n"), fault) < 0)
		return -1;
	t->server_result = tls_server_start(&t->server, t->server_context, fault);
	if (t->server_result < 0)
		return -1;
	return stream_write(t->server, BYTES("a2 OK true\r\n"), fault);
}

/* The client reads ahead, as any does, and drops what it has before the handshake: what was injected is
 * gone, and nothing of the handshake was lost with it. */
static int starttls_run(void *arg, struct fault *fault)
{
	struct session *t = arg;
	struct check *check = t->check;
	_cleanup_(nursery_done) struct nursery nursery;
	char got[200];

	nursery_init(&nursery, "server");
	if (make_contexts(t, &(struct setup){ "good", NULL, "ca" }, fault) < 0)
		return -1;

	memory_stream_pair(0, &t->client, &t->server);
	nursery_start(&nursery, injecting_server, t, "server");
	EXPECT(stream_read(t->client, got, sizeof(got), fault) == 29);
	if (tls_client_start(&t->client, t->client_context, "good.example", fault) < 0)
		return -1;
	if (read_line(t->client, got, fault) < 0)
		return -1;
	EXPECT(strcmp(got, "a2 OK true") == 0);
	return nursery_wait(&nursery, fault);
}

static void starttls_drops_what_was_injected(struct check *check)
{
	with_session(check, starttls_run);
}

/* What is injected and not yet read breaks the handshake: it never passes for the server's word. */
static int unread_run(void *arg, struct fault *fault)
{
	struct session *t = arg;
	struct check *check = t->check;
	_cleanup_(nursery_done) struct nursery nursery;
	char got[200];

	nursery_init(&nursery, "server");
	if (make_contexts(t, &(struct setup){ "good", NULL, "ca" }, fault) < 0)
		return -1;

	memory_stream_pair(0, &t->client, &t->server);
	nursery_start(&nursery, injecting_server, t, "server");
	if (read_line(t->client, got, fault) < 0)
		return -1;
	EXPECT(tls_client_start(&t->client, t->client_context, "good.example", fault) < 0);
	expect_fault(check, fault, FAULT_TLS, "does not speak TLS");
	return 0;
}

static void starttls_refuses_what_was_injected(struct check *check)
{
	with_session(check, unread_run);
}

/* --- traffic ----------------------------------------------------------------------- */

static int flows_run(void *arg, struct fault *fault)
{
	struct session *t = arg;
	static const struct {
		size_t max_read, n;
		int max_version;
	} ways[] = {
		{ 0, 32 << 20, 0 },	  { 1, 100000, 0 },
		{ 1, 100000, TLS1_2_VERSION }, { 3333, 1000000, 0 },
		{ 65536, 4000000, TLS1_2_VERSION },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct setup setup = { .server = "good",
				       .ca = "ca",
				       .max_read = ways[i].max_read,
				       .max_version = ways[i].max_version };
		struct flow flow = { .seed = SEED, .n = ways[i].n };

		if (session_open(t, &setup, fault) < 0 || t->client_result < 0)
			return -1;
		if (flow_both_ways(t->check, t->client, t->server, &flow, fault) < 0)
			return -1;
		session_close(t);
	}
	return 0;
}

static void both_ways(struct check *check)
{
	with_session(check, flows_run);
}

static int over_tcp_run(void *arg, struct fault *fault)
{
	struct session *t = arg;
	_cleanup_(listener_freep) struct listener *listener = NULL;
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "handshakes");
	if (make_contexts(t, &(struct setup){ "good", NULL, "ca" }, fault) < 0 ||
	    listener_new("127.0.0.1", 0, &listener, fault) < 0 ||
	    tcp_connect("127.0.0.1", listener_port(listener), &t->client, fault) < 0 ||
	    listener_accept(listener, &t->server, fault) < 0)
		return -1;

	t->host = "127.0.0.1";
	nursery_start(&nursery, client_run, t, "client");
	nursery_start(&nursery, server_run, t, "server");
	if (nursery_wait(&nursery, fault) < 0)
		return -1;
	return flow_both_ways(t->check, t->client, t->server,
			      &(struct flow){ .seed = SEED, .n = 4 << 20 }, fault);
}

static void both_ways_over_tcp(struct check *check)
{
	with_session(check, over_tcp_run);
}

/* A key update asks for one in return, which goes out in front of the next data. */
static int key_update_run(void *arg, struct fault *fault)
{
	struct session *t = arg;
	struct check *check = t->check;
	char line[200];

	if (session_open(t, &(struct setup){ "good", NULL, "ca" }, fault) < 0)
		return -1;

	for (int i = 0; i < 3; i++) {
		uint64_t before = t->client->lower->bytes_out;

		SSL_key_update(((struct tls_stream *)t->server)->ssl, SSL_KEY_UPDATE_REQUESTED);
		EXPECT(stream_write(t->server, BYTES("* OK new keys\r\n"), fault) == 0);
		if (read_line(t->client, line, fault) < 0)
			return failed(check, "line", fault);
		EXPECT(stream_write(t->client, BYTES("a1 NOOP\r\n"), fault) == 0);
		EXPECT(t->client->lower->bytes_out - before > 50);
		if (read_line(t->server, line, fault) < 0)
			return failed(check, "line", fault);
		EXPECT(strcmp(line, "a1 NOOP") == 0);
	}
	return 0;
}

static void key_updates_are_answered(struct check *check)
{
	with_session(check, key_update_run);
}

/* --- ends --------------------------------------------------------------------------- */

static int ends_run(void *arg, struct fault *fault)
{
	struct session *t = arg;
	struct check *check = t->check;
	char got[100];

	/* In order: close_notify, and what is queued in the other direction still arrives. */
	if (session_open(t, &(struct setup){ "good", NULL, "ca" }, fault) < 0)
		return -1;
	EXPECT(stream_write(t->server, BYTES("bye"), fault) == 0);
	stream_shutdown(t->server);
	EXPECT(stream_read(t->client, got, sizeof(got), fault) == 3);
	EXPECT(stream_read(t->client, got, sizeof(got), fault) == 0);
	EXPECT(stream_read(t->client, got, sizeof(got), fault) == 0);
	EXPECT(stream_write(t->client, BYTES("and you"), fault) == 0);
	EXPECT(stream_read(t->server, got, sizeof(got), fault) == 7);
	session_close(t);

	/* Cut: the words arrive, the end does not pass for an end. */
	if (session_open(t, &(struct setup){ "good", NULL, "ca" }, fault) < 0)
		return -1;
	EXPECT(stream_write(t->server, BYTES("half a mess"), fault) == 0);
	stream_shutdown(t->server->lower);
	EXPECT(stream_read(t->client, got, sizeof(got), fault) == 11);
	for (int i = 0; i < 2; i++) {
		EXPECT(stream_read(t->client, got, sizeof(got), fault) < 0);
		expect_fault(check, fault, FAULT_TRANSPORT, "the other end cut the connection");
	}
	EXPECT(stream_enqueue(t->client, BYTES("x"), fault) < 0);
	return 0;
}

static void ends_in_order_or_not(struct check *check)
{
	with_session(check, ends_run);
}

/* One flipped bit. */
static int forged_run(void *arg, struct fault *fault)
{
	struct session *t = arg;
	struct check *check = t->check;
	char record[400], got[100];
	int n;

	if (session_open(t, &(struct setup){ "good", NULL, "ca" }, fault) < 0)
		return -1;
	EXPECT(stream_write(t->client, BYTES("a1 NOOP\r\n"), fault) == 0);
	n = stream_read(t->server->lower, record, sizeof(record), fault);
	EXPECT(n > 20);
	record[n - 3] ^= 1;
	EXPECT(stream_write(t->client->lower, (struct bytes){ record, (size_t)n }, fault) == 0);
	EXPECT(stream_read(t->server, got, sizeof(got), fault) < 0);
	expect_fault(check, fault, FAULT_TLS, "failed: ");
	return 0;
}

/* After something good a flipped bit is an accident of this connection: another may be better. */
static int damaged_run(void *arg, struct fault *fault)
{
	struct session *t = arg;
	struct check *check = t->check;
	char record[400], got[100];
	int n;

	if (session_open(t, &(struct setup){ "good", NULL, "ca" }, fault) < 0)
		return -1;
	EXPECT(stream_write(t->server, BYTES("* OK ready\r\n"), fault) == 0);
	EXPECT(stream_read(t->client, got, sizeof(got), fault) > 0);
	EXPECT(stream_write(t->server, BYTES("* 1 EXISTS\r\n"), fault) == 0);
	n = stream_read(t->client->lower, record, sizeof(record), fault);
	EXPECT(n > 20);
	record[n - 3] ^= 1;
	EXPECT(stream_write(t->server->lower, (struct bytes){ record, (size_t)n }, fault) == 0);
	EXPECT(stream_read(t->client, got, sizeof(got), fault) < 0);
	expect_fault(check, fault, FAULT_TRANSPORT, "TLS with the other end broke: ");
	EXPECT(fault->reach == REACH_SESSION && fault->again == AGAIN_NOW);
	return 0;
}

static void forgeries_are_refused(struct check *check)
{
	with_session(check, forged_run);
	with_session(check, damaged_run);
}

/* --- what both ends know --------------------------------------------------------------- */

static int bindings_run(void *arg, struct fault *fault)
{
	struct session *t = arg;
	struct check *check = t->check;
	static const int versions[] = { 0, TLS1_2_VERSION };

	for (size_t i = 0; i < ARRAY_SIZE(versions) * 2; i++) {
		enum tls_binding kind = i % 2 ? TLS_BINDING_EXPORTER : TLS_BINDING_SERVER_END_POINT;
		struct setup setup = { "good", NULL, "ca", .max_version = versions[i / 2] };
		char ours[64] = "", theirs[64] = "x";
		size_t ours_n = 0, theirs_n = 0;

		if (session_open(t, &setup, fault) < 0)
			return -1;
		EXPECT(tls_channel_binding(t->client, kind, ours, &ours_n) == 0);
		EXPECT(tls_channel_binding(t->server, kind, theirs, &theirs_n) == 0);
		EXPECT(ours_n == 32 && theirs_n == 32 && memcmp(ours, theirs, 32) == 0);
		EXPECT(strstr(tls_describe(t->client), versions[i / 2] ? "TLSv1.2, " : "TLSv1.3, "));
		EXPECT(strcmp(tls_describe(t->client), tls_describe(t->server)) == 0);
		EXPECT(tls_channel_binding(t->client->lower, kind, ours, &ours_n) < 0);
		session_close(t);
	}
	return 0;
}

static void bindings_are_equal(struct check *check)
{
	with_session(check, bindings_run);
}

/* RFC 5929 against the digest of the certificate's own encoding. */
static int end_point_run(void *arg, struct fault *fault)
{
	struct session *t = arg;
	struct check *check = t->check;
	char binding[64];
	unsigned char digest[32], *der = NULL;
	size_t n;
	int der_n;

	if (session_open(t, &(struct setup){ "good", NULL, "ca" }, fault) < 0)
		return -1;
	der_n = i2d_X509(SSL_get_certificate(((struct tls_stream *)t->server)->ssl), &der);
	EXPECT(der_n > 0 && EVP_Digest(der, (size_t)der_n, digest, NULL, EVP_sha256(), NULL) == 1);
	OPENSSL_free(der);
	EXPECT(tls_channel_binding(t->client, TLS_BINDING_SERVER_END_POINT, binding, &n) == 0);
	EXPECT(n == 32 && memcmp(binding, digest, 32) == 0);
	return 0;
}

static void end_point_is_the_certificate(struct check *check)
{
	with_session(check, end_point_run);
}

static int client_cert_run(void *arg, struct fault *fault)
{
	struct session *t = arg;
	struct check *check = t->check;
	struct tls_config config = { .insecure = true };
	struct tls_context *with_cert;
	X509 *cert;

	config.cert_file = certs_path(&t->certs, "client.pem");
	config.key_file = certs_path(&t->certs, "client.key");
	if (tls_context_new(&config, &with_cert, fault) < 0)
		return -1;
	if (make_contexts(t, &(struct setup){ "good" }, fault) < 0)
		return -1;

	SSL_CTX_load_verify_file(t->server_context->ctx, certs_path(&t->certs, "ca.pem"));
	SSL_CTX_set_verify(t->server_context->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			   NULL);
	tls_context_free(t->client_context);
	t->client_context = with_cert;
	t->host = "good.example";
	memory_stream_pair(0, &t->client, &t->server);
	{
		_cleanup_(nursery_done) struct nursery nursery;

		nursery_init(&nursery, "handshakes");
		nursery_start(&nursery, client_run, t, "client");
		nursery_start(&nursery, server_run, t, "server");
		if (nursery_wait(&nursery, fault) < 0)
			return -1;
	}
	EXPECT(t->client_result == 0 && t->server_result == 0);
	cert = SSL_get0_peer_certificate(((struct tls_stream *)t->server)->ssl);
	EXPECT(cert != NULL);
	return 0;
}

static void client_certificates_are_shown(struct check *check)
{
	with_session(check, client_cert_run);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "trusts-whom-it-should", trusts_whom_it_should },
		{ "a-refused-peer-hears-nothing", a_refused_peer_hears_nothing },
		{ "files-are-checked", files_are_checked },
		{ "says-what-odd-peers-are", says_what_odd_peers_are },
		{ "starttls-drops-what-was-injected", starttls_drops_what_was_injected },
		{ "starttls-refuses-what-was-injected", starttls_refuses_what_was_injected },
		{ "both-ways", both_ways },
		{ "both-ways-over-tcp", both_ways_over_tcp },
		{ "key-updates-are-answered", key_updates_are_answered },
		{ "ends-in-order-or-not", ends_in_order_or_not },
		{ "forgeries-are-refused", forgeries_are_refused },
		{ "bindings-are-equal", bindings_are_equal },
		{ "end-point-is-the-certificate", end_point_is_the_certificate },
		{ "client-certificates-are-shown", client_certificates_are_shown },
		{ 0 },
	};
	return check_main(argc, argv, cases);
}
