/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to targets' hosts: made as the target's policy says, kept a while for the next message. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/gateway.h"
#include "gateway/courier-inside.h"

enum { IDLE_MOST = 20 }; /* connections kept to a host */

static int hex_digit(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_pin(struct bytes text, unsigned char to[32])
{
	if (text.n != 64)
		return false;

	for (size_t i = 0; i < 32; i++) {
		int high = hex_digit(text.p[2 * i]), low = hex_digit(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		to[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

enum smtp_tls courier_tls_of(uint64_t tls)
{
	switch (tls) {
	case CONFIG_TLS_NONE:
		return SMTP_TLS_NONE;
	case CONFIG_TLS_OPPORTUNISTIC:
		return SMTP_TLS_OPPORTUNISTIC;
	case CONFIG_TLS_PINNED:
		return SMTP_TLS_PINNED;
	default: /* what is not known must not become less */
		return SMTP_TLS_VERIFIED;
	}
}

void courier_place_init(struct courier *courier, struct courier_place *place, struct tls_context *tls)
{
	struct smtp_client_settings *s = &place->settings;
	int64_t most = (int64_t)courier->setup.timeout_us;

	list_init(&place->idle);
	*s = (struct smtp_client_settings){
		.helo = arena_str(&courier->arena, courier->setup.helo),
		.lmtp = place->scheme == CONFIG_LMTP,
		.tls = courier_tls_of(place->target->tls),
		.tls_name = place->name,
		.timeouts = { most, most, most, most, most, most },
	};
	if (most == 0)
		s->timeouts.connect = 30 * SECOND;
	s->context = tls;
	if (read_pin(place->target->pin, place->pin.sha256)) {
		s->pins = &place->pin;
		s->n_pins = 1;
	}
}

struct courier_connection *courier_connection_free(struct courier_connection *connection)
{
	if (!connection)
		return NULL;

	smtp_client_free(connection->client);
	free(connection);
	return NULL;
}

void courier_place_done(struct courier_place *place)
{
	list_for_each_safe(link, &place->idle)
		courier_connection_free(list_entry(link, struct courier_connection, link));
	list_init(&place->idle);
	place->n_idle = 0;
}

static struct courier_connection *take(struct courier_place *place, struct list *link)
{
	list_remove(link);
	place->n_idle--;
	return list_entry(link, struct courier_connection, link);
}

SUSPENDS struct courier_connection *courier_take_idle(struct courier_place *place)
{
	while (!list_is_empty(&place->idle)) {
		struct courier_connection *connection = take(place, place->idle.next);

		if (smtp_client_is_usable(connection->client))
			return connection;
		courier_connection_free(connection);
	}
	return NULL;
}

/* TLS from the first byte; the client itself knows STARTTLS only. */
SUSPENDS static int connect_smtps(struct courier_place *place, struct smtp_client *client,
				  struct fault *fault)
{
	const struct smtp_client_settings *s = &place->settings;
	_cleanup_(stream_freep) struct stream *stream = NULL;
	unsigned char certificate[32], key[32];

	{
		_deadline_(s->timeouts.connect);

		if (tcp_connect(place->name, place->port, &stream, fault) < 0)
			return -1;
	}
	{
		_deadline_(s->timeouts.command ? s->timeouts.command : 5 * MINUTE);

		if (tls_client_start(&stream, s->context, place->name, fault) < 0)
			return -1;
	}
	if (s->tls == SMTP_TLS_PINNED &&
	    (tls_peer_digests(stream, certificate, key) < 0 ||
	     (memcmp(place->pin.sha256, certificate, 32) != 0 &&
	      memcmp(place->pin.sha256, key, 32) != 0)))
		return fault_set(fault, FAULT_TLS, REACH_SESSION, AGAIN_LATER,
				 "%s has a certificate that is not pinned", stream->peer);
	return smtp_client_start(client, TAKE_PTR(stream), fault);
}

static void tell_offers(const struct courier_place *place, const struct smtp_client *client)
{
	struct courier_offers said = { .target = place->number_of_target, .host = place->number,
				       .offers = smtp_client_offers(client), .size = smtp_client_size_limit(client) };

	courier_put_report(place->link, REPORT_OFFERS, 0, &said);
}

SUSPENDS int courier_connect(struct courier_place *place, const struct smtp_origin *origin,
			     struct courier_connection **ret, struct fault *fault)
{
	struct courier_connection *connection = xzalloc(sizeof(*connection));
	struct smtp_client_settings settings = place->settings;
	int r;

	settings.xclient = origin;
	if (place->scheme == CONFIG_SMTPS)
		settings.tls = SMTP_TLS_NONE; /* it is there already */
	connection->client = smtp_client_new(&settings);
	*ret = connection;
	if (place->scheme == CONFIG_SMTPS)
		r = connect_smtps(place, connection->client, fault);
	else
		r = smtp_client_connect(connection->client, place->name, place->port, fault);
	if (r == 0)
		tell_offers(place, connection->client);
	return r;
}

SUSPENDS void courier_give_back(struct courier_place *place, struct courier_connection *connection)
{
	bool is_used_up = connection->messages >= place->target->messages_a_connection ||
			  place->target->client == CONFIG_CLIENT_XCLIENT ||
			  place->n_idle >= IDLE_MOST || run_is_cancelled();

	/* What the server says meanwhile is looked at when it is taken again. */
	if (!is_used_up && smtp_client_is_open(connection->client)) {
		connection->idle_since = run_now();
		list_prepend(&place->idle, &connection->link);
		place->n_idle++;
		return;
	}
	smtp_client_quit(connection->client);
	courier_connection_free(connection);
}

SUSPENDS void courier_shrink(struct courier_place *place, unsigned keep, int64_t since)
{
	while (!list_is_empty(&place->idle)) {
		struct list *oldest = place->idle.prev;
		struct courier_connection *connection =
			list_entry(oldest, struct courier_connection, link);

		if (place->n_idle <= keep && connection->idle_since > since)
			return;
		take(place, oldest);
		smtp_client_quit(connection->client);
		courier_connection_free(connection);
	}
}
