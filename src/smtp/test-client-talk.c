/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/test-client-talk.h"

#include <stdio.h>

/* --- the peer -------------------------------------------------------------------------------------- */

SUSPENDS static int read_line(struct stream *s, char to[1200], struct fault *fault)
{
	size_t n = 0;

	while (n < 1199) {
		int r = stream_read(s, to + n, 1, fault);

		if (r < 0)
			return -1;
		if (r == 0)
			return fault_transport(fault, "the client closed after \"%.*s\"", (int)n, to);
		if (to[n++] == '\n')
			break;
	}
	while (n > 0 && (to[n - 1] == '\n' || to[n - 1] == '\r'))
		n--;
	to[n] = '\0';
	return 0;
}

static void heard(struct talk_client *t, const char *line)
{
	if (strcmp(line, ".") == 0)
		t->dots++;
}

SUSPENDS static int hear(struct talk_client *t, const char *want, struct fault *fault)
{
	char line[1200];

	if (read_line(t->server, line, fault) < 0)
		return -1;
	heard(t, line);
	if (strcmp(line, want) != 0)
		return fault_protocol(fault, "heard \"%s\", not \"%s\"", line, want);
	return 0;
}

SUSPENDS static int say(struct talk_client *t, const char *text, struct fault *fault)
{
	return stream_write(t->server, bytes_of(text), fault);
}

SUSPENDS static int hear_to_the_dot(struct talk_client *t, struct fault *fault)
{
	char line[1200];

	do {
		if (read_line(t->server, line, fault) < 0)
			return -1;
		heard(t, line);
	} while (strcmp(line, ".") != 0);
	return 0;
}

SUSPENDS static int expect_quiet(struct talk_client *t, struct fault *fault)
{
	char more[200];
	int r;

	{
		_deadline_(20 * MSEC);
		r = stream_read(t->server, more, sizeof(more), fault);
	}
	if (r == 0 || (r < 0 && fault->kind == FAULT_TIMEOUT))
		return 0;
	return fault_protocol(fault, "more came: \"%.*s\"", r > 0 ? r : 0, more);
}

SUSPENDS static int hear_to_the_end(struct talk_client *t)
{
	struct fault ignored = FAULT_INIT;
	char bytes[512];

	while (stream_read(t->server, bytes, sizeof(bytes), &ignored) > 0)
		;
	return 0;
}

SUSPENDS static int follow(struct talk_client *t, const char *entry, struct fault *fault)
{
	if (strcmp(entry, "ehlo") == 0)
		return hear(t, "EHLO gw.example", fault) < 0 ? -1
		       : say(t, "250-mx\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-DSN\r\n"
				"250 8BITMIME\r\n", fault);
	if (strcmp(entry, "tls") == 0)
		return tls_server_start(&t->server, t->play->server_tls, fault);
	if (strcmp(entry, "tls and no more") == 0) {
		struct fault ignored = FAULT_INIT;

		tls_server_start(&t->server, t->play->server_tls, &ignored);
		return 0;
	}
	if (strcmp(entry, "anything") == 0)
		return hear_to_the_end(t);
	if (strncmp(entry, ">> ", 3) == 0)
		return hear_to_the_dot(t, fault);
	if (strncmp(entry, "> ", 2) == 0)
		return hear(t, entry + 2, fault);
	if (strncmp(entry, "< ", 2) == 0)
		return say(t, entry + 2, fault);
	return expect_quiet(t, fault);
}

SUSPENDS static int serve(void *arg, struct fault *fault)
{
	struct talk_client *t = arg;
	int r = 0;

	for (const char *const *entry = t->play->script; *entry && r >= 0; entry++) {
		r = follow(t, *entry, fault);
		if (r < 0)
			check_expect(t->check, false, __FILE__, __LINE__, "at \"%.80s\": %s", *entry,
				     fault->text);
	}
	t->server = stream_free(t->server);
	return 0;
}

/* --- the client ------------------------------------------------------------------------------------ */

static int next_content(void *arg, struct bytes *ret_piece, struct fault *fault)
{
	struct talk_client *t = arg;

	if (t->next_content == ARRAY_SIZE(t->content) || !t->content[t->next_content])
		return t->fail_content ? fault_local(fault, "the disk is gone") : 0;

	*ret_piece = bytes_of(t->content[t->next_content++]);
	return 1;
}

static int before_dot(void *arg, struct fault *fault)
{
	struct talk_client *t = arg;

	check_expect(t->check, t->dots == t->dots_before, __FILE__, __LINE__,
		     "a dot went out before its time");
	if (run_sleep(5 * MSEC, fault) < 0)
		return -1;
	if (t->fail_before_dot)
		return fault_local(fault, "the journal is full");

	t->before_dots++;
	return 0;
}

static void put_result(struct talk_client *t, const struct smtp_delivery *r)
{
	static const char *const outcomes[] = {
		[SMTP_UNTRIED] = "untried", [SMTP_ACCEPTED] = "accepted",
		[SMTP_TEMPORARY] = "temporary", [SMTP_PERMANENT] = "permanent",
		[SMTP_DOUBT] = "doubt",
	};

	buf_appendf(&t->results, "%.1s: %s", r->to.p, outcomes[r->outcome]);
	if (r->code)
		buf_appendf(&t->results, " %u", r->code);
	if (r->enhanced[0])
		buf_appendf(&t->results, " %u.%u.%u", r->enhanced[0], r->enhanced[1], r->enhanced[2]);
	if (r->judgement.about)
		buf_appendf(&t->results, " (%s)", smtp_about_name(r->judgement.about));
	if (r->remote_id.n)
		buf_appendf(&t->results, " id=%.*s", BYTES_ARG(r->remote_id));
	buf_append_char(&t->results, '\n');
}

SUSPENDS int send_to(struct talk_client *t, const char *to, struct fault *fault)
{
	struct bytes rest = bytes_of(to);
	int r;

	t->message.n_recipients = 0;
	while (rest.n > 0) {
		struct bytes name = bytes_cut(&rest, ' ');
		struct smtp_delivery *recipient = &t->recipients[t->message.n_recipients++];

		*recipient = (struct smtp_delivery){ .notify = recipient->notify };
		recipient->to = bytes_of(arena_printf(&t->arena, "%.*s@x.org", BYTES_ARG(name)));
	}
	if (!t->message.from.n)
		t->message.from = BYTES("s@y.org");
	t->message.recipients = t->recipients;
	t->message.content = next_content;
	t->message.before_dot = before_dot;
	t->message.arg = t;
	t->next_content = 0;
	t->dots_before = t->dots;
	if (!t->content[0])
		t->content[0] = "Subject: hi\r\n\r\n.dot\r\n";
	r = smtp_client_send(t->client, &t->message, &t->arena, fault);
	buf_reset(&t->results);
	for (size_t i = 0; i < t->message.n_recipients; i++)
		put_result(t, &t->recipients[i]);
	return r;
}

bool has_results(struct talk_client *t, const char *want)
{
	return check_expect(t->check, strcmp(buf_str(&t->results), want) == 0, __FILE__, __LINE__,
			    "results are \"%s\", not \"%s\"", buf_str(&t->results), want);
}

bool is_fault(struct talk_client *t, const struct fault *fault, enum fault_kind kind, const char *words)
{
	return check_expect(t->check, fault->kind == kind && strstr(fault->text, words), __FILE__,
			    __LINE__, "the fault is %s: \"%s\", not %s: \"%s\"",
			    fault_kind_name(fault->kind), fault->text, fault_kind_name(kind), words);
}

SUSPENDS static int run_play(void *arg, struct fault *fault)
{
	struct talk_client *t = arg;
	struct nursery nursery;
	struct stream *client_end;
	int r;

	memory_stream_pair(t->max_read, &client_end, &t->server);
	nursery_init(&nursery, "talk");
	nursery_start(&nursery, serve, t, "peer");
	t->client = smtp_client_new(&t->play->settings);
	{
		_deadline_(20 * SECOND);

		r = smtp_client_start(t->client, client_end, fault);
		if (t->play->fails) {
			check_expect(t->check, r < 0, __FILE__, __LINE__, "it began");
			is_fault(t, fault, t->play->fails, t->play->fails_with);
			r = 0;
		}
		if (t->play->client)
			r = r < 0 ? r : t->play->client(t, fault);
	}
	t->client = smtp_client_free(t->client);
	arena_done(&t->arena);
	buf_done(&t->results);
	nursery_done(&nursery);
	return r;
}

void play(struct check *check, const struct play *p)
{
	for (size_t max_read = 0; max_read < 2; max_read++) {
		struct talk_client *t = calloc(1, sizeof(*t));
		struct fault fault = FAULT_INIT;

		t->check = check;
		t->play = p;
		t->max_read = max_read;
		if (run_main("test", run_play, t, &fault) < 0)
			check_expect(check, false, __FILE__, __LINE__, "%s; %s", fault.text, fault.server);
		free(t);
	}
}
