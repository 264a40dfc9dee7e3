/* SPDX-License-Identifier: Apache-2.0 */
/* See test-serve.h. */
#include "smtp/test-serve.h"

#include <stdio.h>

#include "base/xalloc.h"

static struct test_host *of(struct smtp_host *host)
{
	return (struct test_host *)host;
}

/* --- the host --------------------------------------------------------------------------------- */

static int decide(struct bytes local, struct smtp_say *say, struct fault *fault)
{
	if (bytes_equal(local, BYTES("fault")))
		return fault_local(fault, "the host broke");
	if (bytes_equal(local, BYTES("full")))
		return fault_set(fault, FAULT_LIMIT, REACH_MESSAGE, AGAIN_LATER, "the host is full");
	if (bytes_equal(local, BYTES("no")))
		smtp_say_set(say, 550, "5.1.1", "No\r\n250 such %s", "user");
	if (bytes_equal(local, BYTES("later")))
		smtp_say_set(say, 450, "4.2.1", "Later");
	return 0;
}

/* As the sender says of that stage. */
static int decide_at(const struct smtp_transaction *t, struct bytes stage, struct smtp_say *say, struct fault *fault)
{
	if (!bytes_starts(t->sender.local, stage))
		return 0;
	return decide(bytes_skip(t->sender.local, stage.n), say, fault);
}

static int host_mail(struct smtp_host *host, const struct smtp_client *client, struct smtp_transaction *t,
		     struct smtp_say *say, struct fault *fault)
{
	buf_appendf(&of(host)->log, "mail %.*s\n", BYTES_ARG(t->sender.local));
	return decide(t->sender.local, say, fault);
}

static int host_rcpt(struct smtp_host *host, const struct smtp_client *client, struct smtp_transaction *t,
		     struct smtp_recipient *r, struct smtp_say *say, struct fault *fault)
{
	buf_appendf(&of(host)->log, "rcpt %.*s\n", BYTES_ARG(r->path.local));
	return decide(r->path.local, say, fault);
}

static int host_begin(struct smtp_host *host, const struct smtp_client *client, struct smtp_transaction *t,
		      struct smtp_say *say, struct fault *fault)
{
	struct test_host *h = of(host);
	struct check *check = h->check;
	int r;

	EXPECT(!h->has_message && t->recipients_n > 0);
	buf_append_str(&h->log, "begin\n");
	r = decide_at(t, BYTES("begin-"), say, fault);
	h->has_message = r == 0 && say->code < 300;
	buf_reset(&h->content);
	h->breaks = bytes_equal(t->sender.local, BYTES("piece-fault"));
	return r;
}

static int host_piece(struct smtp_host *host, struct bytes piece, struct fault *fault)
{
	struct test_host *h = of(host);
	struct check *check = h->check;

	EXPECT(h->has_message && piece.n > 0);
	if (h->breaks)
		return fault_local(fault, "the host broke");
	buf_append_bytes(&h->content, piece);
	return 0;
}

static void keep_client(struct test_host *h, const struct smtp_client *client)
{
	_cleanup_(buf_done) struct buf address = BUF_NULL;

	ip_append(&address, &client->address);
	snprintf(h->client, sizeof(h->client), "%.*s %s %u %s %.*s", BYTES_ARG(client->helo), buf_str(&address),
		 client->port, client->tls ? "tls" : "clear", BYTES_ARG(client->name));
}

static int host_finish(struct smtp_host *host, const struct smtp_client *client, struct smtp_transaction *t,
		       const struct smtp_content *content, struct smtp_say *say, struct fault *fault)
{
	struct test_host *h = of(host);
	struct check *check = h->check;
	int r;

	EXPECT(h->has_message && content->data.size == h->content.n && t->is_open);
	h->has_message = false;
	buf_append_str(&h->log, "finish\n");
	h->trace = content->trace;
	keep_client(h, client);
	if (h->finish_takes_us && run_sleep(h->finish_takes_us, fault) < 0)
		return -1;
	r = decide_at(t, BYTES("end-"), say, fault);
	if (r < 0 || say->code >= 300)
		return r;

	buf_append_bytes(&h->books, t->sender.local);
	for (const struct smtp_recipient *to = t->recipients; to; to = to->next) {
		buf_append_char(&h->books, to == t->recipients ? '>' : ',');
		buf_append_bytes(&h->books, to->path.local);
	}
	buf_append_char(&h->books, ':');
	buf_append_bytes(&h->books, buf_bytes(&h->content));
	buf_append_char(&h->books, '\n');
	return 0;
}

static void host_drop(struct smtp_host *host)
{
	struct test_host *h = of(host);
	struct check *check = h->check;

	EXPECT(h->has_message);
	h->has_message = false;
	buf_append_str(&h->log, "drop\n");
}

static int host_came(struct smtp_host *host, const struct smtp_client *client, struct smtp_say *say, struct fault *fault)
{
	struct test_host *h = of(host);

	if (client->address.bytes[3] == h->full_for)
		smtp_say_set(say, 421, "4.7.0", "Too many of you");
	return 0;
}

static const struct smtp_host_ops ops = {
	.came = host_came,
	.mail = host_mail,
	.rcpt = host_rcpt,
	.begin = host_begin,
	.piece = host_piece,
	.finish = host_finish,
	.drop = host_drop,
};

void test_host_init(struct test_host *host, struct check *check)
{
	*host = (struct test_host){ .host.ops = &ops, .check = check };
}

void test_host_done(struct test_host *host)
{
	buf_done(&host->log);
	buf_done(&host->content);
	buf_done(&host->books);
}

/* --- the conversation ------------------------------------------------------------------------- */

struct smtp_settings test_settings(void)
{
	return (struct smtp_settings){
		.hostname = "mx.example",
		.offered = SMTP_SIZE | SMTP_8BITMIME | SMTP_SMTPUTF8 | SMTP_DSN,
		.max_size = 100000,
		.max_recipients = 5,
		.max_errors = 20,
		.max_idle_commands = 30,
		.command_us = 5 * MINUTE,
		.data_us = 5 * MINUTE,
		.handshake_us = MINUTE,
		.finish_us = MINUTE,
		.seed = 1,
	};
}

void talk_certs(struct check *check, struct certs *certs, struct talk *talk)
{
	char pem[64];
	struct fault fault;
	struct tls_config config = { .insecure = true };

	*certs = (struct certs){ .turn = 0 };
	certs_make(check, certs);
	snprintf(pem, sizeof(pem), "%s", certs_path(certs, "good.pem"));
	if (tls_server_context_new(pem, certs_path(certs, "good.key"), &talk->settings.tls, &fault) < 0 ||
	    tls_context_new(&config, &talk->client_tls, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
}

void talk_certs_done(struct certs *certs, struct talk *talk)
{
	tls_context_free(talk->settings.tls);
	tls_context_free(talk->client_tls);
	certs_done(certs);
}

SUSPENDS int talk_hear(struct talk *talk, struct fault *fault)
{
	size_t start = talk->heard.n;
	char byte;

	for (;;) {
		int got = stream_read(talk->client, &byte, 1, fault);
		const char *line = buf_str(&talk->heard) + start;

		if (got < 0)
			return -1;
		if (got == 0)
			return talk->heard.n == start ? 0 : fault_protocol(fault, "the end in a reply: %s", line);
		buf_append_char(&talk->heard, byte);
		if (byte != '\n')
			continue;
		line = buf_str(&talk->heard) + start;
		if (talk->heard.n - start < 5)
			return fault_protocol(fault, "no reply: %s", line);
		if (line[3] == ' ')
			return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
		start = talk->heard.n;
	}
}

static int hear_codes(struct talk *talk, const char *codes, struct fault *fault)
{
	struct bytes rest = bytes_of(codes);

	while (rest.n) {
		struct bytes word = bytes_cut(&rest, ' ');
		int got = talk_hear(talk, fault);
		uint64_t want = 0;

		if (got < 0)
			return -1;
		if (!bytes_equal(word, BYTES("end")))
			(void)bytes_to_u64(word, 599, &want);
		if ((uint64_t)got != want)
			return fault_protocol(fault, "%d where \"%.*s\" of \"%s\" should be", got, BYTES_ARG(word), codes);
	}
	return 0;
}

SUSPENDS int talk_step(struct talk *talk, const struct step *step, struct fault *fault)
{
	if (step->pause_us && run_sleep(step->pause_us, fault) < 0)
		return -1;
	if (step->send.n && stream_write(talk->client, step->send, fault) < 0)
		return -1;
	if (step->codes && hear_codes(talk, step->codes, fault) < 0)
		return -1;
	return step->tls ? tls_client_start(&talk->client, talk->client_tls, "good.example", fault) : 0;
}

static int client_steps(void *arg, struct fault *fault)
{
	static const struct step start[] = { STEP("", "220"), STEP("EHLO clear.example\r\n", "250"),
					     { BYTES("STARTTLS\r\n"), "220", true } };
	struct talk *talk = arg;

	for (size_t i = 0; talk->in_tls && i < ARRAY_SIZE(start); i++)
		if (talk_step(talk, &start[i], fault) < 0)
			return -1;
	for (size_t i = 0; i < talk->steps_n; i++) {
		struct step step = talk->steps[i];

		if (i == 0 && talk->in_tls)
			step.codes = NULL;
		if (talk_step(talk, &step, fault) < 0)
			return fault_prefix(fault, "step %zu, splits of %zu%s: ", i, talk->max_read,
					    talk->in_tls ? ", TLS" : "");
	}
	return 0;
}

struct sides {
	struct talk *talk;
	fiber_fn client;
	void *arg;
	struct nursery servers;
};

static int server_run(void *arg, struct fault *fault)
{
	struct sides *sides = arg;
	struct talk *talk = sides->talk;

	talk->fault = FAULT_INIT;
	talk->result = smtp_serve(&talk->server, &talk->settings, &talk->peer, &talk->host.host, &talk->fault);
	return 0;
}

static int both_run(void *arg, struct fault *fault)
{
	struct sides *sides = arg;
	struct talk *talk = sides->talk;
	struct fault ended;
	int r;

	_deadline_(MINUTE);
	nursery_init(&sides->servers, "server");
	memory_stream_pair(talk->max_read, &talk->client, &talk->server);
	nursery_start(&sides->servers, server_run, sides, "server");
	r = sides->client(sides->arg, fault);
	if (talk->cancel_at_end) {
		nursery_cancel(&sides->servers);
		while (r == 0 && (r = talk_hear(talk, fault)) > 0)
			r = 0;
	}
	talk->client = stream_free(talk->client);
	if (nursery_wait(&sides->servers, &ended) < 0)
		r = -1;
	talk->server = stream_free(talk->server);
	return r;
}

void talk_run_with(struct talk *talk, fiber_fn client, void *arg)
{
	struct check *check = talk->check;
	struct sides sides = { .talk = talk, .client = client, .arg = arg };
	struct fault fault = FAULT_INIT;

	buf_reset(&talk->heard);
	if (run_main("talk", both_run, &sides, &fault) < 0)
		CHECK_FAIL("%s (heard: %.200s)", fault.text, buf_str(&talk->heard));
	CHECK(!talk->host.has_message);
	CHECK_EQ(talk->result < 0 ? talk->fault.kind : FAULT_NONE, talk->want_fault);
}

void talk_run(struct talk *talk)
{
	struct check *check = talk->check;

	test_host_init(&talk->host, check);
	talk->host.finish_takes_us = talk->host_takes_us;
	talk->host.full_for = talk->full_for;
	talk_run_with(talk, client_steps, talk);
	if (talk->want_books)
		CHECK_STR(buf_str(&talk->host.books), talk->want_books);
	if (talk->want_log)
		CHECK_STR(buf_str(&talk->host.log), talk->want_log);
	if (talk->want_heard)
		CHECK_STR(buf_str(&talk->heard), talk->want_heard);
	test_host_done(&talk->host);
	buf_done(&talk->heard);
}
