/* SPDX-License-Identifier: Apache-2.0 */
/* The client's session, see client.h: from the connection to the first transaction. Transactions are in
 * client-send.c. */
#include "smtp/client.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "smtp/client-inside.h"

enum { READ_SIZE = 4096, OFFERS_MAX = 128 };

#define QUIT_TIMEOUT (5 * SECOND)

static void set_timeouts(struct smtp_timeouts *t)
{
	t->connect = t->connect ? t->connect : 5 * MINUTE;
	t->greeting = t->greeting ? t->greeting : 5 * MINUTE;
	t->command = t->command ? t->command : 5 * MINUTE;
	t->data = t->data ? t->data : 2 * MINUTE;
	t->block = t->block ? t->block : 3 * MINUTE;
	t->end = t->end ? t->end : 10 * MINUTE;
}

struct smtp_client *smtp_client_new(const struct smtp_client_settings *settings)
{
	struct smtp_client *client = xzalloc(sizeof(*client));

	client->settings = *settings;
	client->tls = settings->tls;
	set_timeouts(&client->settings.timeouts);
	return client;
}

struct smtp_client *smtp_client_free(struct smtp_client *client)
{
	if (!client)
		return NULL;

	client_close(client);
	buf_done(&client->in);
	buf_done(&client->out);
	free(client);
	return NULL;
}

void client_close(struct smtp_client *client)
{
	client->stream = stream_free(client->stream);
	buf_reset(&client->in);
	buf_reset(&client->out);
}

const struct smtp_reply *smtp_client_refusal(const struct smtp_client *client,
					     enum smtp_stage *ret_stage)
{
	if (!client->refused)
		return NULL;

	*ret_stage = client->refused_at;
	return &client->reader.reply;
}

const char *smtp_client_tls(const struct smtp_client *client)
{
	return client->stream ? tls_describe(client->stream) : NULL;
}

unsigned smtp_client_offers(const struct smtp_client *client)
{
	return client->extensions;
}

uint64_t smtp_client_size_limit(const struct smtp_client *client)
{
	return client->size_limit;
}

/* --- reading and writing --------------------------------------------------------------------------- */

/* More bytes into client->in: 1; 0: the peer ended the stream. */
SUSPENDS static int fill(struct smtp_client *client, struct fault *fault)
{
	char *to = buf_reserve(&client->in, READ_SIZE);
	int got = stream_read(client->stream, to, READ_SIZE, fault);

	if (got > 0)
		client->in.n += (size_t)got;
	return got > 0 ? 1 : got;
}

/* What it says is heard to its end, so that it can be told: its first bytes are there. */
SUSPENDS static int out_of_step(struct smtp_client *client, const char *when, struct fault *fault)
{
	struct smtp_reply_reader *reader = &client->reader;
	struct fault ignored;
	_deadline_(5 * SECOND);
	int r;

	*reader = (struct smtp_reply_reader){ 0 };
	do {
		struct bytes in = buf_bytes(&client->in);

		r = smtp_reply_read(reader, &in);
		buf_consume(&client->in, client->in.n - in.n);
	} while (r == 0 && fill(client, &ignored) > 0);

	fault_protocol(fault, "%s sent a reply that nobody asked for %s", client->stream->peer, when);
	if (r > 0)
		fault_server(fault, (struct bytes){ reader->reply.text, reader->reply.text_n });
	else
		reader->reply.code = 0;
	client_close(client);
	return -1;
}

SUSPENDS int client_read(struct smtp_client *client, int64_t timeout_us, const char *what,
			 struct fault *fault)
{
	_deadline_(timeout_us);

	client->reader = (struct smtp_reply_reader){ 0 };
	for (;;) {
		struct bytes in = buf_bytes(&client->in);
		int r = smtp_reply_read(&client->reader, &in);

		buf_consume(&client->in, client->in.n - in.n);
		if (r > 0)
			return 0;
		if (r < 0) {
			fault_protocol(fault, "%s answered %s with %s", client->stream->peer, what,
				       smtp_reply_wrong_text(client->reader.wrong));
			break;
		}

		r = fill(client, fault);
		if (r == 0)
			fault_transport(fault, "%s closed the connection instead of answering %s",
					client->stream->peer, what);
		else if (r < 0)
			fault_prefix(fault, "waiting for the answer to %s", what);
		if (r <= 0)
			break;
	}
	client_close(client);
	return -1;
}

SUSPENDS int client_expect_silence(struct smtp_client *client, const char *when, struct fault *fault)
{
	struct fault ignored = FAULT_INIT;
	int r;

	if (client->in.n > 0)
		return out_of_step(client, when, fault);

	/* What is there is read without waiting: with the deadline past, waiting itself is what fails. */
	{
		_deadline_(0);
		r = fill(client, &ignored);
	}
	if (r > 0)
		return out_of_step(client, when, fault);
	if (r < 0 && ignored.kind == FAULT_TIMEOUT)
		return 0;

	if (r == 0)
		fault_transport(fault, "%s closed the connection %s", client->stream->peer, when);
	else
		*fault = ignored;
	client_close(client);
	return -1;
}

SUSPENDS int client_write(struct smtp_client *client, int64_t timeout_us, struct fault *fault)
{
	_deadline_(timeout_us);

	if (stream_write(client->stream, buf_bytes(&client->out), fault) < 0) {
		client_close(client);
		return -1;
	}
	buf_reset(&client->out);
	return 0;
}

/* One command, and its reply. */
SUSPENDS static int talk(struct smtp_client *client, const char *what, struct fault *fault)
{
	int64_t timeout = client->settings.timeouts.command;

	if (client_expect_silence(client, "before a command", fault) < 0)
		return -1;
	if (client_write(client, timeout, fault) < 0)
		return -1;
	return client_read(client, timeout, what, fault);
}

/* --- the session ----------------------------------------------------------------------------------- */

static unsigned reply_class(const struct smtp_client *client)
{
	return client->reader.reply.code / 100;
}

/* The server said no, and the session cannot begin. */
static int refuse(struct smtp_client *client, enum smtp_stage stage, const char *what,
		  struct fault *fault)
{
	const struct smtp_reply *reply = &client->reader.reply;
	struct smtp_judgement judgement;

	smtp_judge(reply, stage, &judgement);
	fault_set(fault, FAULT_REFUSED, REACH_SESSION, AGAIN_LATER, "%s answered %s with %u",
		  client->stream->peer, what, reply->code);
	fault->after_us = judgement.after_us;
	fault_server(fault, (struct bytes){ reply->text, reply->text_n });
	client->refused = true;
	client->refused_at = stage;
	client_close(client);
	return -1;
}

static int fault_tls(struct smtp_client *client, const char *why, struct fault *fault)
{
	fault_set(fault, FAULT_TLS, REACH_SESSION, AGAIN_LATER, "%s %s", client->stream->peer, why);
	client_close(client);
	return -1;
}

static unsigned read_attributes(struct bytes rest)
{
	static const struct {
		const char *name;
		enum smtp_attribute attribute;
	} known[] = {
		{ "NAME", SMTP_ATTR_NAME }, { "ADDR", SMTP_ATTR_ADDR }, { "PORT", SMTP_ATTR_PORT },
		{ "PROTO", SMTP_ATTR_PROTO }, { "HELO", SMTP_ATTR_HELO }, { "IDENT", SMTP_ATTR_IDENT },
		{ "SOURCE", SMTP_ATTR_SOURCE },
	};
	unsigned found = 0;

	while (rest.n > 0) {
		struct bytes word = bytes_cut(&rest, ' ');

		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			if (bytes_equal_nocase(word, bytes_of(known[i].name)))
				found |= known[i].attribute;
	}
	return found;
}

static void read_offer(struct smtp_client *client, struct bytes line)
{
	struct bytes rest = line, word = bytes_cut(&rest, ' ');

	rest = bytes_trim(rest);
	if (bytes_equal_nocase(word, BYTES("PIPELINING"))) {
		client->offers |= OFFER_PIPELINING;
	} else if (bytes_equal_nocase(word, BYTES("STARTTLS"))) {
		client->offers |= OFFER_STARTTLS;
	} else if (bytes_equal_nocase(word, BYTES("8BITMIME"))) {
		client->extensions |= SMTP_8BITMIME;
	} else if (bytes_equal_nocase(word, BYTES("SMTPUTF8"))) {
		client->extensions |= SMTP_SMTPUTF8;
	} else if (bytes_equal_nocase(word, BYTES("DSN"))) {
		client->extensions |= SMTP_DSN;
	} else if (bytes_equal_nocase(word, BYTES("SIZE"))) {
		client->extensions |= SMTP_SIZE;
		if (bytes_to_u64(rest, UINT64_MAX, &client->size_limit) < 0)
			client->size_limit = 0;
	} else if (bytes_equal_nocase(word, BYTES("XFORWARD"))) {
		client->offers |= OFFER_XFORWARD;
		client->forward_attributes = read_attributes(rest);
	} else if (bytes_equal_nocase(word, BYTES("XCLIENT"))) {
		client->offers |= OFFER_XCLIENT;
		client->client_attributes = read_attributes(rest);
	}
}

SUSPENDS static int say_hello(struct smtp_client *client, struct fault *fault)
{
	const char *verb = client->settings.lmtp ? "LHLO" : "EHLO";
	const struct smtp_reply *reply = &client->reader.reply;

	client->offers = client->extensions = 0;
	client->forward_attributes = client->client_attributes = 0;
	client->size_limit = 0;
	buf_appendf(&client->out, "%s %s\r\n", verb, client->settings.helo);
	if (talk(client, verb, fault) < 0)
		return -1;

	if (reply_class(client) == 5 && reply->code != 521 && !client->settings.lmtp) {
		buf_appendf(&client->out, "HELO %s\r\n", client->settings.helo);
		if (talk(client, "HELO", fault) < 0)
			return -1;
		return reply_class(client) == 2 ? 0 : refuse(client, SMTP_AT_HELLO, "HELO", fault);
	}
	if (reply_class(client) != 2)
		return refuse(client, SMTP_AT_HELLO, verb, fault);

	for (unsigned i = 1; i < reply->lines && i < OFFERS_MAX; i++)
		read_offer(client, smtp_reply_line(reply, i));
	return 0;
}

static bool is_pinned(const struct smtp_client *client)
{
	unsigned char certificate[32], key[32];

	if (tls_peer_digests(client->stream, certificate, key) < 0)
		return false;

	for (size_t i = 0; i < client->settings.n_pins; i++) {
		const unsigned char *pin = client->settings.pins[i].sha256;

		if (memcmp(pin, certificate, 32) == 0 || memcmp(pin, key, 32) == 0)
			return true;
	}
	return false;
}

SUSPENDS static int handshake(struct smtp_client *client, struct fault *fault)
{
	_deadline_(client->settings.timeouts.command);

	if (tls_client_start(stream_slot(&client->stream), client->settings.context,
			     client->settings.tls_name, fault) < 0) {
		client->tls_failed = fault->kind != FAULT_CANCELLED;
		client_close(client);
		return -1;
	}
	if (client->tls == SMTP_TLS_PINNED && !is_pinned(client))
		return fault_tls(client, "has a certificate that is not pinned", fault);
	return 0;
}

SUSPENDS static int start_tls(struct smtp_client *client, struct fault *fault)
{
	bool must = client->tls != SMTP_TLS_OPPORTUNISTIC;

	if (!(client->offers & OFFER_STARTTLS))
		return must ? fault_tls(client, "does not offer STARTTLS", fault) : 0;

	buf_append_str(&client->out, "STARTTLS\r\n");
	if (talk(client, "STARTTLS", fault) < 0)
		return -1;
	if (client->reader.reply.code != 220) {
		struct smtp_judgement judgement;

		smtp_judge(&client->reader.reply, SMTP_AT_STARTTLS, &judgement);
		if (must || judgement.closes)
			return refuse(client, SMTP_AT_STARTTLS, "STARTTLS", fault);
		return 0;
	}
	/* Whoever can write into the clear part could put words in the server's mouth. */
	if (client->in.n > 0)
		return fault_tls(client, "sent more in clear behind its answer to STARTTLS", fault);
	if (handshake(client, fault) < 0)
		return -1;
	return say_hello(client, fault);
}

SUSPENDS static int say_xclient(struct smtp_client *client, struct fault *fault)
{
	if (!client->settings.xclient || !(client->offers & OFFER_XCLIENT))
		return 0;

	buf_append_str(&client->out, "XCLIENT");
	client_append_origin(&client->out, client->settings.xclient, client->client_attributes);
	buf_append_str(&client->out, "\r\n");
	if (talk(client, "XCLIENT", fault) < 0)
		return -1;
	if (reply_class(client) != 2)
		return refuse(client, SMTP_AT_GREETING, "XCLIENT", fault);
	return say_hello(client, fault);
}

SUSPENDS int smtp_client_start(struct smtp_client *client, struct stream *stream, struct fault *fault)
{
	assert(!client->stream);

	client->stream = stream;
	client->refused = client->tls_failed = client->dirty = false;
	if (client_read(client, client->settings.timeouts.greeting, "the connection", fault) < 0)
		return -1;
	if (reply_class(client) != 2)
		return refuse(client, SMTP_AT_GREETING, "the connection", fault);
	if (say_hello(client, fault) < 0)
		return -1;
	if (client->tls != SMTP_TLS_NONE && start_tls(client, fault) < 0)
		return -1;
	return say_xclient(client, fault);
}

SUSPENDS static int connect_once(struct smtp_client *client, const char *host, uint16_t port,
				 struct fault *fault)
{
	struct stream *stream;

	{
		_deadline_(client->settings.timeouts.connect);

		if (tcp_connect(host, port, &stream, fault) < 0)
			return -1;
	}
	return smtp_client_start(client, stream, fault);
}

SUSPENDS int smtp_client_connect(struct smtp_client *client, const char *host, uint16_t port,
				 struct fault *fault)
{
	int r;

	client->tls = client->settings.tls;
	r = connect_once(client, host, port, fault);
	if (r == 0 || !client->tls_failed || client->tls != SMTP_TLS_OPPORTUNISTIC)
		return r;

	client->tls = SMTP_TLS_NONE;
	return connect_once(client, host, port, fault);
}

SUSPENDS bool smtp_client_is_usable(struct smtp_client *client)
{
	struct fault ignored = FAULT_INIT;

	client->was_silent = client->stream && client_expect_silence(client, "while nothing was going on", &ignored) == 0;
	return client->was_silent;
}

bool smtp_client_is_open(const struct smtp_client *client)
{
	return client->stream && client->in.n == 0;
}

SUSPENDS void smtp_client_quit(struct smtp_client *client)
{
	struct fault ignored = FAULT_INIT;
	int64_t former = run_shield(QUIT_TIMEOUT);

	if (client->stream) {
		buf_reset(&client->out);
		buf_append_str(&client->out, "QUIT\r\n");
		if (talk(client, "QUIT", &ignored) == 0)
			stream_shutdown(client->stream);
	}
	run_unshield(former);
	client_close(client);
}

static void append_attribute(struct buf *to, const char *name, struct bytes value)
{
	buf_appendf(to, " %s=", name);
	if (value.n)
		smtp_xtext_append(to, bytes_head(value, 255));
	else
		buf_append_str(to, "[UNAVAILABLE]");
}

void client_append_origin(struct buf *to, const struct smtp_origin *origin, unsigned attributes)
{
	if (attributes & SMTP_ATTR_NAME)
		append_attribute(to, "NAME", origin->name);
	if (attributes & SMTP_ATTR_ADDR)
		append_attribute(to, "ADDR", origin->addr);
	if (attributes & SMTP_ATTR_PORT)
		append_attribute(to, "PORT", origin->port);
	if (attributes & SMTP_ATTR_PROTO)
		append_attribute(to, "PROTO", origin->proto);
	if (attributes & SMTP_ATTR_HELO)
		append_attribute(to, "HELO", origin->helo);
	if (attributes & SMTP_ATTR_IDENT)
		append_attribute(to, "IDENT", origin->ident);
	if (attributes & SMTP_ATTR_SOURCE)
		append_attribute(to, "SOURCE", BYTES("REMOTE"));
}
