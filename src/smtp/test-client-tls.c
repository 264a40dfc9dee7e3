/* SPDX-License-Identifier: Apache-2.0 */
/* The client and TLS: policies, pins, and what must not be believed. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "net/testing-certs.h"
#include "smtp/test-client-talk.h"

#define SCRIPT(...) (const char *const[]){ __VA_ARGS__, NULL }
#define OFFER "< 220 mx\r\n", "> EHLO gw.example", "< 250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n"
#define NO_OFFER "< 220 mx\r\n", "> EHLO gw.example", "< 250-mx\r\n250 PIPELINING\r\n"
#define STARTTLS "> STARTTLS", "< 220 go\r\n", "tls"
#define STARTTLS_ONLY "> STARTTLS", "< 220 go\r\n", "tls and no more"

/* What all cases use. */
struct world {
	struct certs certs;
	struct tls_context *trusting, *verifying; /* the client's */
	struct tls_context *good, *self;          /* the server's */
};

static struct tls_context *server_context(struct check *check, struct world *w, const char *cert,
					  const char *key)
{
	struct tls_context *context;
	struct fault fault = FAULT_INIT;

	if (tls_server_context_new(certs_path(&w->certs, cert), certs_path(&w->certs, key), &context,
				   &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	return context;
}

static void make_world(struct check *check, struct world *w)
{
	struct fault fault = FAULT_INIT;

	w->certs = (struct certs){ 0 };
	certs_make(check, &w->certs);
	CHECK(tls_context_new(&(struct tls_config){ .insecure = true }, &w->trusting, &fault) == 0);
	CHECK(tls_context_new(&(struct tls_config){ .ca_file = certs_path(&w->certs, "ca.pem") },
			      &w->verifying, &fault) == 0);
	w->good = server_context(check, w, "good.pem", "good.key");
	w->self = server_context(check, w, "self.pem", "self.key");
}

static void end_world(struct world *w)
{
	tls_context_free(w->trusting);
	tls_context_free(w->verifying);
	tls_context_free(w->good);
	tls_context_free(w->self);
	certs_done(&w->certs);
}

static struct smtp_client_settings settings_of(struct world *w, enum smtp_tls tls)
{
	return (struct smtp_client_settings){
		.helo = "gw.example", .tls = tls, .tls_name = "good.example",
		.context = tls == SMTP_TLS_VERIFIED ? w->verifying : w->trusting,
	};
}

static int is_in_tls(struct talk_client *t, struct fault *fault)
{
	check_expect(t->check, smtp_client_tls(t->client) != NULL, __FILE__, __LINE__, "in clear");
	return 0;
}

static int is_in_clear(struct talk_client *t, struct fault *fault)
{
	check_expect(t->check, !smtp_client_tls(t->client), __FILE__, __LINE__, "in TLS");
	return 0;
}

/* A message through TLS; the client uses only what was offered there. */
static int send_in_tls(struct talk_client *t, struct fault *fault)
{
	if (send_to(t, "a", fault) < 0)
		return -1;
	has_results(t, "a: accepted 250\n");
	return is_in_tls(t, fault);
}

static void what_was_said_before_is_forgotten(struct check *check)
{
	struct world w;

	make_world(check, &w);
	play(check, &(struct play){
		.script = SCRIPT("< 220 mx\r\n", "> EHLO gw.example",
				 "< 250-mx\r\n250-PIPELINING\r\n250-SIZE 1\r\n250 STARTTLS\r\n", STARTTLS,
				 "> EHLO gw.example", "< 250-mx\r\n250 8BITMIME\r\n",
				 "> MAIL FROM:<s@y.org>", "= ", "< 250 ok\r\n", "> RCPT TO:<a@x.org>",
				 "< 250 ok\r\n", "> DATA", "< 354 go\r\n", ">> ", "< 250 ok\r\n"),
		.settings = settings_of(&w, SMTP_TLS_OPPORTUNISTIC), .client = send_in_tls,
		.server_tls = w.self });
	end_world(&w);
}

static void opportunistic_takes_what_there_is(struct check *check)
{
	struct world w;
	struct smtp_client_settings settings;

	make_world(check, &w);
	settings = settings_of(&w, SMTP_TLS_OPPORTUNISTIC);
	play(check, &(struct play){ .script = SCRIPT(NO_OFFER, "= "), .settings = settings,
				    .client = is_in_clear });
	play(check, &(struct play){ .script = SCRIPT(OFFER, "> STARTTLS", "< 454 not now\r\n", "= "),
				    .settings = settings, .client = is_in_clear });
	settings.tls = SMTP_TLS_NONE;
	play(check, &(struct play){ .script = SCRIPT(OFFER, "= "), .settings = settings,
				    .client = is_in_clear });
	end_world(&w);
}

static void verified_means_it(struct check *check)
{
	struct world w;
	struct smtp_client_settings settings;

	make_world(check, &w);
	settings = settings_of(&w, SMTP_TLS_VERIFIED);
	play(check, &(struct play){
		.script = SCRIPT(OFFER, STARTTLS, "> EHLO gw.example", "< 250 mx\r\n"),
		.settings = settings, .client = is_in_tls, .server_tls = w.good });
	play(check, &(struct play){ .script = SCRIPT(NO_OFFER), .settings = settings,
				    .fails = FAULT_TLS, .fails_with = "does not offer STARTTLS" });
	play(check, &(struct play){ .script = SCRIPT("< 220 mx\r\n", "> EHLO gw.example", "< 502 no\r\n",
						     "> HELO gw.example", "< 250 mx\r\n"),
				    .settings = settings, .fails = FAULT_TLS,
				    .fails_with = "does not offer STARTTLS" });
	play(check, &(struct play){ .script = SCRIPT(OFFER, "> STARTTLS", "< 454 not now\r\n"),
				    .settings = settings, .fails = FAULT_REFUSED,
				    .fails_with = "answered STARTTLS with 454" });
	play(check, &(struct play){ .script = SCRIPT(OFFER, STARTTLS_ONLY), .settings = settings,
				    .server_tls = w.self, .fails = FAULT_TLS, .fails_with = "" });
	settings.tls_name = "other.example";
	play(check, &(struct play){ .script = SCRIPT(OFFER, STARTTLS_ONLY), .settings = settings,
				    .server_tls = w.good, .fails = FAULT_TLS,
				    .fails_with = "other.example" });
	end_world(&w);
}

/* SHA-256 of a certificate file, or of its key. */
static struct smtp_pin pin_of(struct check *check, const char *path, bool of_key)
{
	FILE *file = fopen(path, "r");
	X509 *cert = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
	unsigned char *der = NULL;
	struct smtp_pin pin;
	unsigned n;
	int der_n;

	if (file)
		fclose(file);
	CHECK(cert != NULL);
	der_n = of_key ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der) : i2d_X509(cert, &der);
	CHECK(der_n > 0 && EVP_Digest(der, (size_t)der_n, pin.sha256, &n, EVP_sha256(), NULL) == 1);
	OPENSSL_free(der);
	X509_free(cert);
	return pin;
}

static void pins(struct check *check)
{
	struct world w;
	struct smtp_client_settings settings;
	struct smtp_pin pin[2];

	make_world(check, &w);
	settings = settings_of(&w, SMTP_TLS_PINNED);
	settings.pins = pin;
	settings.n_pins = 2;
	for (int of_key = 0; of_key < 2; of_key++) {
		pin[0] = pin_of(check, certs_path(&w.certs, "good.pem"), of_key);
		pin[1] = pin_of(check, certs_path(&w.certs, "self.pem"), of_key);
		play(check, &(struct play){
			.script = SCRIPT(OFFER, STARTTLS, "> EHLO gw.example", "< 250 mx\r\n"),
			.settings = settings, .client = is_in_tls, .server_tls = w.self });
		pin[1].sha256[31] ^= 1;
		play(check, &(struct play){ .script = SCRIPT(OFFER, STARTTLS_ONLY), .settings = settings,
					    .server_tls = w.self, .fails = FAULT_TLS,
					    .fails_with = "not pinned" });
	}
	settings.n_pins = 0; /* no pin fits: not "any" */
	play(check, &(struct play){ .script = SCRIPT(OFFER, STARTTLS_ONLY), .settings = settings,
				    .server_tls = w.self, .fails = FAULT_TLS,
				    .fails_with = "not pinned" });
	play(check, &(struct play){ .script = SCRIPT(NO_OFFER), .settings = settings,
				    .fails = FAULT_TLS, .fails_with = "does not offer" });
	end_world(&w);
}

/* Lines put behind the answer to STARTTLS are not taken for the server's once TLS is there. */
static void injected_replies_end_it(struct check *check)
{
	static const char *const injected[] = {
		"< 220 go\r\n250 injected\r\n",
		"< 220 go\r\n250 x\r\n",
		"< 220-go\r\n220 go\r\n250-mx\r\n250 SIZE\r\n",
	};
	struct world w;

	make_world(check, &w);
	for (size_t i = 0; i < ARRAY_SIZE(injected); i++)
		for (int tls = SMTP_TLS_OPPORTUNISTIC; tls <= SMTP_TLS_VERIFIED; tls++)
			play(check, &(struct play){
				.script = SCRIPT(OFFER, "> STARTTLS", injected[i], "anything"),
				.settings = settings_of(&w, (enum smtp_tls)tls), .fails = FAULT_TLS,
				.fails_with = "" });
	end_world(&w);
}

/* --- over TCP ----------------------------------------------------------------------------------------- */

struct broken {
	struct check *check;
	struct world w;
	struct listener *listener;
	enum smtp_tls tls;
	unsigned connections;
};

SUSPENDS static int hear(struct stream *s, const char *want, struct fault *fault)
{
	char line[100];
	size_t n = 0;

	do {
		if (n == sizeof(line) || stream_read(s, line + n, 1, fault) != 1)
			return -1;
	} while (line[n++] != '\n');
	return bytes_starts((struct bytes){ line, n }, bytes_of(want)) ? 0 : -1;
}

SUSPENDS static int say(struct stream *s, const char *text, struct fault *fault)
{
	return stream_write(s, bytes_of(text), fault);
}

/* A server that says it speaks TLS, and does not. */
SUSPENDS static int serve_broken(void *arg, struct fault *fault)
{
	struct broken *b = arg;

	for (;;) {
		_cleanup_(stream_freep) struct stream *s = NULL;
		struct fault why = FAULT_INIT;

		if (listener_accept(b->listener, &s, fault) < 0)
			return 0;
		b->connections++;
		if (say(s, "220 mx\r\n", &why) < 0 || hear(s, "EHLO", &why) < 0 ||
		    say(s, "250-mx\r\n250 STARTTLS\r\n", &why) < 0 || hear(s, "STARTTLS", &why) < 0 ||
		    say(s, "220 go\r\n", &why) < 0)
			continue;
		{
			char first;

			stream_read(s, &first, 1, &why); /* of the handshake */
		}
		say(s, "I cannot\r\n", &why);
		stream_drain(s, &why);
	}
}

SUSPENDS static int connect_to_broken(void *arg, struct fault *fault)
{
	struct broken *b = arg;
	struct smtp_client_settings settings = settings_of(&b->w, b->tls);
	_cleanup_(smtp_client_freep) struct smtp_client *client = smtp_client_new(&settings);
	struct nursery nursery;
	int r;

	if (listener_new("127.0.0.1", 0, &b->listener, fault) < 0)
		return -1;
	nursery_init(&nursery, "server");
	nursery_start(&nursery, serve_broken, b, "server");
	{
		_deadline_(20 * SECOND);
		r = smtp_client_connect(client, "127.0.0.1", listener_port(b->listener), fault);
	}
	nursery_done(&nursery);
	b->listener = listener_free(b->listener);
	return r;
}

static void broken_tls_is_done_without_if_it_may(struct check *check)
{
	struct broken b = { .check = check, .tls = SMTP_TLS_OPPORTUNISTIC };
	struct fault fault = FAULT_INIT;

	make_world(check, &b.w);
	if (run_main("test", connect_to_broken, &b, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK_EQ(b.connections, 2);

	b.tls = SMTP_TLS_VERIFIED;
	b.connections = 0;
	CHECK(run_main("test", connect_to_broken, &b, &fault) < 0);
	CHECK_EQ(fault.kind, FAULT_TLS);
	CHECK_EQ(b.connections, 1);
	end_world(&b.w);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "what was said before is forgotten", what_was_said_before_is_forgotten },
		{ "opportunistic takes what there is", opportunistic_takes_what_there_is },
		{ "verified means it", verified_means_it },
		{ "pins", pins },
		{ "injected replies end it", injected_replies_end_it },
		{ "broken TLS is done without if it may", broken_tls_is_done_without_if_it_may },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
