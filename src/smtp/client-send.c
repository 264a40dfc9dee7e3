/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction of the client, see client.h: commands in groups as RFC 2920 has it, content, the dot, and who
 * got what. */
#include <string.h>

#include "smtp/client-inside.h"
#include "smtp/data.h"

enum { GROUP_MAX = 100 }; /* commands sent before their replies are read: both fit any server's buffers */

/* The commands of a transaction in order; recipients stand between MAIL and DATA. */
enum command { CMD_RSET, CMD_XFORWARD, CMD_MAIL, CMD_RCPT, CMD_DATA, CMD_END };

struct place {
	enum command command;
	size_t recipient; /* of CMD_RCPT */
};

struct transaction {
	struct smtp_client *client;
	struct smtp_message *message;
	struct arena *arena;
	struct place sent, answered; /* the next to send, the next to be answered */
	size_t accepted;     /* recipients whose RCPT was */
	bool mail_refused;
	bool may_write;      /* DATA was answered with 354 */
	bool is_over;        /* a 421: no more replies come */
	bool dot_sent;
};

/* --- results --------------------------------------------------------------------------------------- */

/* Of this transaction's recipients: nothing is settled yet, and the server accepted its RCPT. */
static bool is_waiting(const struct smtp_delivery *r)
{
	return r->outcome == SMTP_UNTRIED && r->stage == SMTP_AT_DATA;
}

/* The text on one line. */
static struct bytes plain_text(struct arena *arena, const struct smtp_reply *reply)
{
	struct bytes text = arena_copy(arena, (struct bytes){ reply->text, reply->text_n });
	char *p = (char *)(uintptr_t)text.p; /* our own copy */

	for (size_t i = 0; i < text.n; i++)
		if (p[i] == '\n')
			p[i] = ' ';
	return text;
}

static void settle(struct transaction *t, struct smtp_delivery *r, enum smtp_stage stage,
		   const struct smtp_reply *reply)
{
	struct smtp_judgement *judgement = &r->judgement;

	smtp_judge(reply, stage, judgement);
	r->stage = stage;
	r->code = reply->code;
	memcpy(r->enhanced, reply->enhanced, sizeof(r->enhanced));
	r->text = plain_text(t->arena, reply);
	r->outcome = judgement->class == SMTP_CLASS_OK ? SMTP_ACCEPTED
		   : judgement->class == SMTP_CLASS_PERMANENT ? SMTP_PERMANENT : SMTP_TEMPORARY;
	if (r->outcome == SMTP_ACCEPTED)
		r->remote_id = smtp_queue_id(r->text);
}

/* Those that wait for a result of their own get this reply as theirs. `all`: also those not asked for. */
static void settle_rest(struct transaction *t, enum smtp_stage stage, const struct smtp_reply *reply,
			bool all)
{
	for (size_t i = 0; i < t->message->n_recipients; i++) {
		struct smtp_delivery *r = &t->message->recipients[i];

		if (is_waiting(r) || (all && r->outcome == SMTP_UNTRIED))
			settle(t, r, stage, reply);
	}
}

/* We know without asking that this server cannot take it. */
static int refuse_here(struct transaction *t, const uint16_t enhanced[3], enum smtp_about about,
		       const char *why)
{
	for (size_t i = 0; i < t->message->n_recipients; i++) {
		struct smtp_delivery *r = &t->message->recipients[i];

		r->outcome = SMTP_PERMANENT;
		r->stage = SMTP_AT_MAIL;
		r->judgement = (struct smtp_judgement){ SMTP_CLASS_PERMANENT, about, 0, false };
		memcpy(r->enhanced, enhanced, sizeof(r->enhanced));
		r->text = bytes_of(why);
	}
	return 0;
}

/* --- commands -------------------------------------------------------------------------------------- */

static bool has_controls(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if ((unsigned char)b.p[i] < ' ' || b.p[i] == 0x7f)
			return true;

	return false;
}

static bool is_fit_to_send(const struct smtp_message *m)
{
	bool bad = has_controls(m->from) || has_controls(m->envid);

	for (size_t i = 0; i < m->n_recipients; i++)
		bad = bad || has_controls(m->recipients[i].to) ||
		      has_controls(m->recipients[i].orcpt);
	return !bad;
}

static void append_mail(struct buf *out, const struct smtp_client *client,
			const struct smtp_message *m)
{
	buf_append_str(out, "MAIL FROM:<");
	buf_append_bytes(out, m->from);
	buf_append_char(out, '>');
	if (client->extensions & SMTP_SIZE)
		buf_appendf(out, " SIZE=%llu", (unsigned long long)m->size);
	if (m->has_8bit && client->extensions & SMTP_8BITMIME)
		buf_append_str(out, " BODY=8BITMIME");
	if (m->smtputf8)
		buf_append_str(out, " SMTPUTF8");
	if (client->extensions & SMTP_DSN && m->ret != SMTP_RET_NONE)
		buf_append_str(out, m->ret == SMTP_RET_FULL ? " RET=FULL" : " RET=HDRS");
	if (client->extensions & SMTP_DSN && m->envid.n) {
		buf_append_str(out, " ENVID=");
		buf_append_bytes(out, m->envid);
	}
	buf_append_str(out, "\r\n");
}

static void append_notify(struct buf *out, unsigned notify)
{
	static const struct {
		enum smtp_notify bit;
		const char *name;
	} names[] = {
		{ SMTP_NOTIFY_NEVER, "NEVER" }, { SMTP_NOTIFY_SUCCESS, "SUCCESS" },
		{ SMTP_NOTIFY_FAILURE, "FAILURE" }, { SMTP_NOTIFY_DELAY, "DELAY" },
	};
	const char *between = " NOTIFY=";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(notify & names[i].bit))
			continue;
		buf_append_str(out, between);
		buf_append_str(out, names[i].name);
		between = ",";
	}
}

static void append_rcpt(struct buf *out, const struct smtp_client *client,
			const struct smtp_delivery *r)
{
	buf_append_str(out, "RCPT TO:<");
	buf_append_bytes(out, r->to);
	buf_append_char(out, '>');
	if (client->extensions & SMTP_DSN) {
		append_notify(out, r->notify);
		if (r->orcpt.n) {
			buf_append_str(out, " ORCPT=");
			buf_append_bytes(out, r->orcpt);
		}
	}
	buf_append_str(out, "\r\n");
}

static bool is_left_out(const struct transaction *t, struct place at)
{
	const struct smtp_client *client = t->client;

	switch (at.command) {
	case CMD_RSET:
		return !client->dirty;
	case CMD_XFORWARD:
		return !t->message->origin || !(client->offers & OFFER_XFORWARD) ||
		       !client->forward_attributes;
	default:
		return false;
	}
}

/* The place behind, or the same one if it is not left out. */
static struct place next_place(const struct transaction *t, struct place at, bool behind)
{
	while (at.command != CMD_END) {
		if (!behind && !is_left_out(t, at))
			break;
		behind = false;
		if (at.command == CMD_RCPT && at.recipient + 1 < t->message->n_recipients)
			at.recipient++;
		else
			at.command++;
	}
	return at;
}

static void append_command(struct transaction *t, struct place at)
{
	struct buf *out = &t->client->out;

	switch (at.command) {
	case CMD_RSET:
		buf_append_str(out, "RSET\r\n");
		break;
	case CMD_XFORWARD:
		buf_append_str(out, "XFORWARD");
		client_append_origin(out, t->message->origin, t->client->forward_attributes);
		buf_append_str(out, "\r\n");
		break;
	case CMD_MAIL:
		append_mail(out, t->client, t->message);
		break;
	case CMD_RCPT:
		append_rcpt(out, t->client, &t->message->recipients[at.recipient]);
		break;
	case CMD_DATA:
		buf_append_str(out, "DATA\r\n");
		break;
	case CMD_END:
		break;
	}
}

/* --- replies --------------------------------------------------------------------------------------- */

static void take_rcpt(struct transaction *t, size_t i, const struct smtp_reply *reply)
{
	struct smtp_delivery *r = &t->message->recipients[i];

	if (t->mail_refused)
		return; /* it has MAIL's reply */
	if (reply->code / 100 == 2) {
		r->stage = SMTP_AT_DATA;
		t->accepted++;
		return;
	}
	settle(t, r, SMTP_AT_RCPT, reply);
}

static int take_data(struct transaction *t, const struct smtp_reply *reply, struct fault *fault)
{
	if (reply->code == 354) {
		t->may_write = true;
		return 0;
	}
	settle_rest(t, SMTP_AT_DATA, reply, false);
	if (reply->code / 100 >= 4)
		return 0;

	fault_protocol(fault, "%s answered DATA with %u", t->client->stream->peer, reply->code);
	client_close(t->client);
	return -1;
}

static int take_reply(struct transaction *t, struct place at, struct fault *fault)
{
	const struct smtp_reply *reply = &t->client->reader.reply;
	bool good = reply->code / 100 == 2;

	switch (at.command) {
	case CMD_RSET:
		if (good)
			t->client->dirty = false;
		break;
	case CMD_MAIL:
		t->mail_refused = !good;
		if (good)
			t->client->dirty = true;
		else
			settle_rest(t, SMTP_AT_MAIL, reply, true);
		break;
	case CMD_RCPT:
		take_rcpt(t, at.recipient, reply);
		break;
	case CMD_DATA:
		if (take_data(t, reply, fault) < 0)
			return -1;
		break;
	case CMD_XFORWARD: /* it is a courtesy: a server that takes none of it takes the message */
	case CMD_END:
		break;
	}
	if (reply->code == 421) {
		settle_rest(t, SMTP_AT_RCPT, reply, true);
		t->is_over = true;
		client_close(t->client);
	}
	return 0;
}

static const char *command_name(enum command command)
{
	static const char *const names[] = {
		[CMD_RSET] = "RSET", [CMD_XFORWARD] = "XFORWARD", [CMD_MAIL] = "MAIL",
		[CMD_RCPT] = "RCPT", [CMD_DATA] = "DATA", [CMD_END] = "the end of the message",
	};

	return names[command];
}

/* Whether going on makes sense: without pipelining, a refusal is known in time. */
static bool is_hopeless(const struct transaction *t, struct place at)
{
	if (t->mail_refused)
		return true;

	return at.command == CMD_DATA && t->accepted == 0;
}

/* Envelope and DATA, in groups. After it each recipient is settled or has stage SMTP_AT_DATA. */
SUSPENDS static int send_envelope(struct transaction *t, struct fault *fault)
{
	const struct smtp_timeouts *timeouts = &t->client->settings.timeouts;
	bool pipelining = t->client->offers & OFFER_PIPELINING;

	t->sent = t->answered = next_place(t, (struct place){ CMD_RSET, 0 }, false);
	while (t->sent.command != CMD_END) {
		unsigned in_group = 0;

		if (!t->client->was_silent && client_expect_silence(t->client, "before a command", fault) < 0)
			return -1;
		t->client->was_silent = false;
		do {
			append_command(t, t->sent);
			t->sent = next_place(t, t->sent, true);
		} while (pipelining && t->sent.command != CMD_END && ++in_group < GROUP_MAX);
		if (client_write(t->client, timeouts->command, fault) < 0)
			return -1;

		while (t->answered.command != t->sent.command ||
		       t->answered.recipient != t->sent.recipient) {
			struct place at = t->answered;

			/* Where it goes on is settled before the reply changes what is left out. */
			t->answered = next_place(t, at, true);
			if (client_read(t->client,
					at.command == CMD_DATA ? timeouts->data : timeouts->command,
					command_name(at.command), fault) < 0 ||
			    take_reply(t, at, fault) < 0)
				return -1;
			if (t->is_over)
				return 0;
		}
		if (is_hopeless(t, t->sent))
			return 0;
	}
	return 0;
}

/* --- content --------------------------------------------------------------------------------------- */

/* A server that refuses before the dot has given up on this message, and the connection is of no use any more. It has not seen
 * all, so its word is not the last one, whatever its class. */
SUSPENDS static int expect_no_answer(struct transaction *t, struct fault *fault)
{
	struct smtp_client *client = t->client;

	client->reader = (struct smtp_reply_reader){ 0 };
	if (client_expect_silence(client, "before the end of the message", fault) == 0)
		return 0;
	if (client->reader.reply.code / 100 < 4)
		return -1;

	settle_rest(t, SMTP_AT_DATA, &client->reader.reply, false);
	for (size_t i = 0; i < t->message->n_recipients; i++) {
		struct smtp_delivery *r = &t->message->recipients[i];

		if (r->outcome == SMTP_PERMANENT && r->stage == SMTP_AT_DATA) {
			r->outcome = SMTP_TEMPORARY;
			r->judgement.class = SMTP_CLASS_TEMPORARY;
		}
	}
	t->is_over = true;
	return -1;
}

/* One piece of content, with its dots. */
SUSPENDS static int write_piece(struct transaction *t, struct smtp_data_writer *writer,
				struct bytes piece, struct fault *fault)
{
	struct stream *stream = t->client->stream;
	struct bytes span;
	int r;

	_deadline_(t->client->settings.timeouts.block);

	while ((r = smtp_data_write(writer, &piece, &span)) > 0)
		if (stream_write(stream, span, fault) < 0)
			return -1;
	if (r < 0)
		return fault_set(fault, FAULT_DATA, REACH_MESSAGE, AGAIN_NEVER,
				 "the message holds CR or LF not as a pair, and must not leave");
	return 0;
}

SUSPENDS static int write_content(struct transaction *t, struct bytes *ret_end, struct fault *fault)
{
	struct smtp_message *m = t->message;
	struct smtp_data_writer writer = { 0 };
	struct bytes piece;
	int r;

	while ((r = m->content(m->arg, &piece, fault)) > 0)
		if (expect_no_answer(t, fault) < 0 || write_piece(t, &writer, piece, fault) < 0)
			return -1;
	if (r < 0)
		return -1;
	if (smtp_data_end(&writer, ret_end) < 0)
		return fault_set(fault, FAULT_DATA, REACH_MESSAGE, AGAIN_NEVER,
				 "the message ends in a CR alone, and must not leave");
	return 0;
}

/* What is still queued here when the dot is would have the time of its answer, and be in doubt though it never left. */
SUSPENDS static int drain_content(struct transaction *t, struct fault *fault)
{
	_deadline_(t->client->settings.timeouts.block);

	return stream_drain(t->client->stream, fault);
}

/* From here on recipients that wait are in doubt until their reply is there. */
SUSPENDS static int send_dot(struct transaction *t, struct bytes end, struct fault *fault)
{
	if (expect_no_answer(t, fault) < 0 || stream_enqueue(t->client->stream, end, fault) < 0)
		return -1;

	t->dot_sent = true;
	for (size_t i = 0; i < t->message->n_recipients; i++) {
		struct smtp_delivery *r = &t->message->recipients[i];

		if (is_waiting(r)) {
			r->outcome = SMTP_DOUBT;
			r->stage = SMTP_AT_END;
		}
	}
	return 0;
}

/* One reply for all, or one for each (RFC 2033 section 4.2). */
SUSPENDS static int read_results(struct transaction *t, struct fault *fault)
{
	struct smtp_client *client = t->client;
	const struct smtp_reply *reply = &client->reader.reply;
	int64_t timeout = client->settings.timeouts.end;
	bool have = false, closes = false;

	for (size_t i = 0; i < t->message->n_recipients; i++) {
		struct smtp_delivery *r = &t->message->recipients[i];

		if (r->outcome != SMTP_DOUBT)
			continue;
		if ((!have || client->settings.lmtp) &&
		    client_read(client, timeout, "the end of the message", fault) < 0)
			return -1;
		have = true;
		/* A reply of a class that ends nothing leaves the question open. */
		if (reply->code / 100 == 3) {
			fault_protocol(fault, "%s answered the end of the message with %u",
				       client->stream->peer, reply->code);
			client_close(client);
			return -1;
		}
		settle(t, r, SMTP_AT_END, reply);
		closes = closes || r->judgement.closes;
		if (closes && client->settings.lmtp && reply->code == 421)
			break;
	}
	client->dirty = false;
	if (closes)
		client_close(client);
	return 0;
}

/* 354, though no recipient was accepted: nothing, ended at once (RFC 2920 section 3.1). In LMTP that has no
 * reply, and cannot be. */
SUSPENDS static int send_nothing(struct transaction *t, struct fault *fault)
{
	struct smtp_client *client = t->client;

	if (client->settings.lmtp) {
		client_close(client);
		return 0;
	}
	buf_append_str(&client->out, ".\r\n");
	if (client_write(client, client->settings.timeouts.command, fault) < 0 ||
	    client_read(client, client->settings.timeouts.end, "the end of nothing", fault) < 0)
		return -1;

	client->dirty = false;
	return 0;
}

SUSPENDS static int send_message(struct transaction *t, struct fault *fault)
{
	struct smtp_message *m = t->message;
	struct bytes end;

	if (t->accepted == 0)
		return send_nothing(t, fault);
	if (write_content(t, &end, fault) < 0 || drain_content(t, fault) < 0 || m->before_dot(m->arg, fault) < 0 ||
	    send_dot(t, end, fault) < 0)
		return -1;

	return read_results(t, fault);
}

SUSPENDS int smtp_client_send(struct smtp_client *client, struct smtp_message *message,
			      struct arena *arena, struct fault *fault)
{
	static const uint16_t no_utf8[3] = { 5, 6, 7 }, too_large[3] = { 5, 3, 4 }, bad[3] = { 5, 1, 3 };
	struct transaction t = { .client = client, .message = message, .arena = arena };

	for (size_t i = 0; i < message->n_recipients; i++) {
		struct smtp_delivery *r = &message->recipients[i];

		*r = (struct smtp_delivery){ .to = r->to, .notify = r->notify, .orcpt = r->orcpt };
	}
	if (message->n_recipients == 0)
		return 0;
	if (!client->stream)
		return fault_transport(fault, "there is no connection");
	if (!is_fit_to_send(message))
		return refuse_here(&t, bad, SMTP_ABOUT_CONTENT,
				   "an address or parameter holds control characters");
	if (message->smtputf8 && !(client->extensions & SMTP_SMTPUTF8))
		return refuse_here(&t, no_utf8, SMTP_ABOUT_CONTENT,
				   "the server does not offer SMTPUTF8, which the message needs");
	if (client->size_limit && message->size > client->size_limit)
		return refuse_here(&t, too_large, SMTP_ABOUT_SIZE,
				   "the message is larger than the server takes");

	buf_reset(&client->out);
	if (send_envelope(&t, fault) < 0 || (t.may_write && send_message(&t, fault) < 0)) {
		client_close(client); /* in the middle of a message nothing else can be said */
		return t.is_over ? 0 : -1;
	}
	return 0;
}
