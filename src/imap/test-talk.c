/* SPDX-License-Identifier: Apache-2.0 */
/* A session and its peer in memory, see test-talk.h. */
#include "imap/test-talk.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/xalloc.h"

/* --- the server's side ----------------------------------------------------------------------- */

int say(struct talk *t, const char *text, struct fault *fault)
{
	return text[0] ? stream_write(t->server_end, bytes_of(text), fault) : 0;
}

int hear(struct talk *t, const char *text, struct fault *fault)
{
	struct check *check = t->check;
	size_t n = strlen(text), got = 0;
	_cleanup_(freep) char *heard = xmalloc(n + 1);

	while (got < n) {
		int r = stream_read(t->server_end, heard + got, n - got, fault);

		if (r <= 0) {
			EXPECT(!"the client ended too early");
			return -1;
		}
		got += (size_t)r;
	}
	if (memcmp(heard, text, n) == 0)
		return 0;

	heard[n] = '\0';
	check_expect(check, false, __FILE__, __LINE__, "heard \"%s\", not \"%s\"", heard, text);
	return fault_protocol(fault, "heard something else");
}

int let_wait(struct fault *fault)
{
	for (int i = 0; i < 5; i++)
		if (run_yield(fault) < 0)
			return -1;

	return 0;
}

int hear_and_say(struct talk *t, const char *heard, const char *said, struct fault *fault)
{
	return hear(t, heard, fault) < 0 || let_wait(fault) < 0 || say(t, said, fault) < 0 ? -1 : 0;
}

int hear_end(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	char more[100];

	EXPECT(stream_read(t->server_end, more, sizeof(more), fault) == 0);
	return 0;
}

void close_server(struct talk *t)
{
	t->server_end = stream_free(t->server_end);
}

/* --- running a case -------------------------------------------------------------------------- */

static int dial(void *arg, struct stream **ret, struct fault *fault)
{
	struct talk *t = arg;

	*ret = TAKE_PTR(t->client_end);
	return 0;
}

static int serve(void *arg, struct fault *fault)
{
	struct talk *t = arg;
	const char *const *line = t->play->script;
	int r = line ? 0 : t->play->server(t, fault);

	for (; line && line[0] && r == 0; line += 2)
		r = hear_and_say(t, line[0], line[1], fault);
	if (line || r < 0) /* the client need not wait any longer */
		close_server(t);
	return r;
}

static int connect_and_talk(struct talk *t, struct fault *fault)
{
	char greeting[200];

	if (t->play->greeting)
		return say(t, t->play->greeting, fault) < 0 ? -1 : t->play->client(t, fault);

	snprintf(greeting, sizeof(greeting), "* PREAUTH [CAPABILITY IMAP4rev1 %s] hi\r\n",
		 t->play->capabilities ? t->play->capabilities : "");
	if (say(t, greeting, fault) < 0 || imap_connect(&t->account, &t->s, fault) < 0)
		return -1;

	return t->play->client(t, fault);
}

static int run(void *arg, struct fault *fault)
{
	struct talk *t = arg;
	struct nursery nursery;
	int r;

	memory_stream_pair(t->max_read, &t->client_end, &t->server_end);
	nursery_init(&nursery, "case");
	nursery_start(&nursery, serve, t, "server");
	r = connect_and_talk(t, fault);
	t->s = imap_session_free(t->s);
	if (r == 0)
		r = nursery_wait(&nursery, fault);
	nursery_done(&nursery);
	stream_free(t->server_end);
	stream_free(t->client_end);
	return r;
}

void play(struct check *check, const struct play *p)
{
	for (size_t max_read = 0; max_read < 2; max_read++) {
		_cleanup_(freep) struct talk *t = xzalloc(sizeof(*t));
		struct fault fault = FAULT_INIT;
		int r;

		t->check = check;
		t->play = p;
		t->max_read = max_read;
		t->account = (struct imap_account){
			.label = "source", .host = "fake", .security = IMAP_PLAIN,
			.silence_us = p->silence_us ? p->silence_us : 20 * SECOND, .dial = dial,
			.dial_arg = t, .no_qresync = p->no_qresync,
		};
		r = run_main("test", run, t, &fault);
		if (r < 0 && !check->failed)
			check_expect(check, false, __FILE__, __LINE__, "%s %s", fault.text, fault.server);
	}
}

/* --- what came, as text ------------------------------------------------------------------------ */

void same(struct talk *t, const struct buf *got)
{
	struct check *check = t->check;
	const char *want = t->play->want;

	check_expect(check, strcmp(buf_str(got), want) == 0, __FILE__, __LINE__, "got \"%s\", not \"%s\"",
		     buf_str(got), want);
}

void put_messages(struct buf *to, const struct imap_messages *m)
{
	for (size_t i = 0; i < m->n; i++) {
		buf_appendf(to, "%" PRIu32 "(%s)", m->p[i].uid, m->flag_sets[m->p[i].flags]);
		if (m->p[i].size)
			buf_appendf(to, "s%" PRIu64, m->p[i].size);
		if (m->p[i].date != IMAP_NO_DATE)
			buf_appendf(to, "d%" PRId64, m->p[i].date);
		buf_append_str(to, m->p[i].state ? "?" : " ");
	}
}

void put_fault(struct buf *to, const struct fault *fault)
{
	buf_appendf(to, "%s %s %d", fault_kind_name(fault->kind), fault_reach_name(fault->reach), fault->again);
}
