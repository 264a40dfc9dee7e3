/* SPDX-License-Identifier: Apache-2.0 */
/* What happened, as JSON: see tell.h. */
#include <string.h>

#include "base/buf.h"
#include "gateway/tell.h"
#include "mail/utf8.h"

enum { ADDRESS_MAX = 320 };

/* At most max bytes, and not in the middle of a character, which has at most four. */
static size_t character_end(struct bytes text, size_t max)
{
	size_t end = max;

	while (max < text.n && end > 0 && max - end < 4 && ((unsigned char)text.p[end] & 0xc0) == 0x80)
		end--;
	return end > 0 && max - end < 4 ? end : max;
}

void tell_put(json_t *object, const char *key, struct bytes text, size_t max)
{
	json_t *value;

	if (text.n == 0)
		return;
	text = bytes_head(text, character_end(text, max));
	value = json_stringn(text.p, text.n);
	if (!value) {
		_cleanup_(buf_done) struct buf plain = BUF_NULL;

		for (size_t i = 0; i < text.n; i++)
			buf_append_char(&plain, text.p[i] > 0 ? text.p[i] : '?');
		value = json_stringn(buf_str(&plain), plain.n);
	}
	json_object_set_new(object, key, value);
}

static void put(json_t *object, const char *key, struct bytes text)
{
	tell_put(object, key, text, TELL_TEXT);
}

static void put_number(json_t *object, const char *key, uint64_t n)
{
	if (n)
		json_object_set_new(object, key, json_integer(n < INT64_MAX ? (json_int_t)n : INT64_MAX));
}

static void put_time(json_t *object, const char *key, int64_t wall_us)
{
	char text[TELL_TIME_SIZE];

	if (wall_us > 0)
		json_object_set_new(object, key, json_string(tell_time(text, wall_us, true)));
}

static void put_id(json_t *object, const char *key, const struct tell_frame *frame, uint64_t number)
{
	char id[QUEUE_ID_SIZE];

	if (!number)
		return;
	queue_id_write(id, frame->journal_id, number);
	json_object_set_new(object, key, json_string(id));
}

static void put_digest(json_t *object, const char *key, const unsigned char digest[JOURNAL_DIGEST])
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * JOURNAL_DIGEST + 1];

	for (size_t i = 0; i < JOURNAL_DIGEST; i++) {
		text[2 * i] = digits[digest[i] >> 4];
		text[2 * i + 1] = digits[digest[i] & 15];
	}
	text[sizeof(text) - 1] = '\0';
	json_object_set_new(object, key, json_string(text));
}

static void put_tls(json_t *object, struct bytes version, struct bytes cipher)
{
	put(object, "tls", version);
	put(object, "cipher", cipher);
}

static void put_accept(json_t *object, const struct tell_frame *frame, const struct journal_accept *a)
{
	static const char *const kinds[] = { "", "proxy", "xclient", "xforward" };
	json_t *list = json_array();

	json_object_set_new(object, "from", json_string(""));
	tell_put(object, "from", a->reverse_path, ADDRESS_MAX);
	json_object_set_new(object, "recipients", list);
	for (size_t i = 0; i < a->n_recipients && i < TELL_LIST; i++) {
		json_t *one = json_object();

		tell_put(one, "address", a->recipients[i].address, ADDRESS_MAX);
		json_array_append(list, json_object_get(one, "address"));
		json_decref(one);
	}
	put_number(object, "n_recipients", a->n_recipients);
	put(object, "peer", a->peer);
	put_number(object, "peer_port", a->peer_port);
	put(object, "helo", a->helo);
	put(object, "protocol", a->protocol);
	put_tls(object, a->tls_version, a->tls_cipher);
	put(object, "listener", a->listener);
	put(object, "front", a->front);
	if (a->front_kind && a->front_kind < 4)
		json_object_set_new(object, "front_kind", json_string(kinds[a->front_kind]));
	put(object, "envid", a->envid);
	json_object_set_new(object, "size", json_integer((json_int_t)a->size));
	put(object, "message_id", a->message_id);
	put_digest(object, "sha256", a->digest);
	put_number(object, "epoch", a->epoch);
	put_id(object, "notice_of", frame, a->dsn_for);
}

static void put_routes(json_t *object, const struct journal_routes *routes)
{
	static const char *const words[] = { "none", "old", "new", "both", "hold", "unknown" };
	json_t *list = json_array();

	put_number(object, "epoch", routes->epoch);
	put(object, "operator", routes->operator);
	put(object, "reason", routes->reason);
	json_object_set_new(object, "whole", json_boolean(routes->whole));
	json_object_set_new(object, "n_changes", json_integer((json_int_t)routes->n_entries));
	json_object_set_new(object, "changes", list);
	for (size_t i = 0; i < routes->n_entries && i < TELL_LIST; i++) {
		const struct journal_route_entry *e = &routes->entries[i];
		json_t *one = json_object();

		tell_put(one, "address", e->address, ADDRESS_MAX);
		json_object_set_new(one, "route", json_string(e->route < 6 ? words[e->route] : "?"));
		tell_put(one, "alias_of", e->target, ADDRESS_MAX);
		json_array_append_new(list, one);
	}
}

static void put_result(json_t *object, const struct journal_result *r, const struct journal_outcome *o)
{
	const char *fate = o->fate < JOURNAL_FATES ? journal_fate_name((unsigned)o->fate) : "?";

	put_number(object, "attempt", r->attempt);
	put(object, "host", r->host);
	put_tls(object, r->tls_version, r->tls_cipher);
	json_object_set_new(object, "fate", json_string(fate));
	put_number(object, "code", o->code);
	put(object, "enhanced", o->enhanced);
	put(object, "text", o->text);
	put(object, "remote_id", o->remote_id);
	put(object, "cause", o->reason);
	put(object, "how", r->how);
	put(object, "folder", o->folder);
	put_number(object, "uid", o->uid);
	if (o->fate == JOURNAL_OPEN)
		put_time(object, "next", o->next_us);
	if (o->flagged)
		json_object_set_new(object, "possible_duplicate", json_true());
}

static void put_order(json_t *object, const struct tell *tell, const struct tell_frame *frame)
{
	const struct journal_order *order = tell->order;

	if (bytes_starts(order->operator, BYTES("rule:")))
		put(object, "cause", bytes_skip(order->operator, 5));
	else
		put(object, "operator", order->operator);
	put(object, "reason", order->reason);
	put_id(object, "notice", frame, order->dsn);
}

static void put_suppressed(json_t *object, const struct journal_suppressed *s)
{
	put(object, "peer", s->peer);
	put(object, "helo", s->helo);
	put(object, "message_id", s->message_id);
}

static void put_attempt(json_t *object, const struct tell *tell)
{
	const struct journal_attempt *a = tell->attempt;

	if (tell->what != TELL_ROUTED) {
		put_number(object, "attempt", a->attempt);
		put(object, "host", a->host);
	}
	put_number(object, "epoch", a->epoch);
}

json_t *tell_json(const struct tell *tell, const struct tell_frame *frame)
{
	json_t *object = json_object();

	json_object_set_new(object, "event", json_string(tell_name(tell->what)));
	put_time(object, "time", frame->wall_us);
	put_number(object, "record", frame->sequence);
	put_id(object, "queue_id", frame, tell->leg.message);
	if (tell->has_leg) {
		json_object_set_new(object, "recipient", json_integer((json_int_t)(tell->leg.recipient & UINT32_MAX)));
		tell_put(object, "address", frame->address, ADDRESS_MAX);
		if (tell->leg.copy)
			json_object_set_new(object, "copy", json_true());
		if (frame->target)
			json_object_set_new(object, "target", json_string(frame->target));
	}
	if (tell->accept)
		put_accept(object, frame, tell->accept);
	if (tell->routes)
		put_routes(object, tell->routes);
	if (tell->suppressed)
		put_suppressed(object, tell->suppressed);
	if (tell->opened)
		put_number(object, "epoch", tell->opened->epoch);
	if (tell->attempt)
		put_attempt(object, tell);
	if (tell->outcome)
		put_result(object, tell->result, tell->outcome);
	if (tell->order)
		put_order(object, tell, frame);
	return object;
}
