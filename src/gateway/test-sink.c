/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/test-sink.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum where { GREETING, EHLO, MAIL, RCPT, DATA, END, WHERES };

static const char *const where_names[] = { "greeting", "ehlo", "mail", "rcpt", "data", "end" };

struct seat { /* a connection */
	struct sink *sink;
	struct stream *stream;
	unsigned number;         /* of the sink's connections, from 1 */
	unsigned counts[WHERES]; /* passed on it */
	struct buf sender, recipients;
	unsigned n_recipients;
	bool has_sender;
	struct buf in;
	bool drips;
};

/* --- script ---------------------------------------------------------------------------------- */

static bool fits_number(struct bytes word, unsigned here, unsigned of_all)
{
	bool all = bytes_starts(word, BYTES("*"));
	unsigned at = all ? of_all : here;
	uint64_t n;

	if (all)
		word = bytes_skip(word, 1);
	if (word.n > 1 && word.p[word.n - 1] == '+')
		return bytes_to_u64(bytes_head(word, word.n - 1), 10000, &n) == 0 && at >= n;
	return bytes_to_u64(word, 10000, &n) == 0 && at == n;
}

static bool is_number(struct bytes word)
{
	return word.n > 0 && (word.p[0] == '*' || (ascii_is_digit(word.p[0]) &&
						   (word.n < 3 || word.p[word.n - 1] == '+')));
}

/* The action of the first rule that fits, or empty. */
static struct bytes find_rule(const struct seat *seat, enum where where, const char *local)
{
	struct bytes rest = bytes_of(seat->sink->script);

	while (rest.n > 0) {
		struct bytes rule = bytes_trim(bytes_cut(&rest, ';')), name = bytes_cut(&rule, ' ');
		struct bytes before = rule, word = bytes_cut(&rule, ' ');
		struct bytes of = name, at = bytes_cut(&of, '=');

		if (!bytes_equal(at, bytes_of(where_names[where])))
			continue;
		if (of.n > 0 && !(local && bytes_equal(of, bytes_of(local))))
			continue;
		if (!is_number(word))
			return before;
		if (fits_number(word, seat->counts[where], seat->sink->counts[where]))
			return rule;
	}
	return BYTES_NULL;
}

/* --- talking --------------------------------------------------------------------------------- */

SUSPENDS static int say(struct seat *seat, struct bytes text, struct fault *fault)
{
	for (size_t i = 0; seat->drips && i < text.n; i++)
		if (run_sleep(10 * MSEC, fault) < 0 ||
		    stream_write(seat->stream, (struct bytes){ text.p + i, 1 }, fault) < 0)
			return -1;
	return seat->drips ? 0 : stream_write(seat->stream, text, fault);
}

/* Follows the rule of that place, or says `usual`. 1: go on as usual; 0: another answer was given; -1: it is over. */
SUSPENDS static int answer(struct seat *seat, enum where where, const char *local, const char *usual,
			   struct fault *fault)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct bytes action, words;
	bool closes, good;

	seat->counts[where]++;
	seat->sink->counts[where]++;
	action = find_rule(seat, where, local);
	seat->drips = bytes_equal(action, BYTES("drip"));
	if (bytes_equal(action, BYTES("hang"))) {
		run_sleep(MINUTE, fault);
		return -1;
	}
	if (bytes_equal(action, BYTES("close")) || bytes_equal(action, BYTES("take+close")))
		return fault_cancelled(fault);
	if (action.n == 0 || seat->drips)
		return say(seat, bytes_of(usual), fault) < 0 ? -1 : 1;

	closes = bytes_find(action, BYTES("+close")) >= 0;
	words = closes ? bytes_head(action, (size_t)bytes_find(action, BYTES("+close"))) : action;
	while (words.n > 0) {
		buf_append_bytes(&text, bytes_cut(&words, '|'));
		buf_append_str(&text, "\r\n");
	}
	good = action.p[0] == '2' || action.p[0] == '3';
	if (say(seat, buf_bytes(&text), fault) < 0)
		return -1;
	stream_drain(seat->stream, fault);
	return closes ? -1 : good;
}

/* A line without its end: 1; 0: the client has gone. */
SUSPENDS static int next_line(struct seat *seat, struct buf *to, struct fault *fault)
{
	buf_reset(to);
	for (;;) {
		ptrdiff_t end = bytes_find(buf_bytes(&seat->in), BYTES("\r\n"));
		char *room;
		int got;

		if (end >= 0) {
			buf_append(to, seat->in.p, (size_t)end);
			buf_consume(&seat->in, (size_t)end + 2);
			return 1;
		}
		room = buf_reserve(&seat->in, 65536);
		got = stream_read(seat->stream, room, 65536, fault);
		if (got <= 0)
			return 0;
		seat->in.n += (size_t)got;
	}
}

/* --- a message ------------------------------------------------------------------------------- */

static void write_down(struct seat *seat)
{
	struct sink *sink = seat->sink;

	sink->messages++;
	buf_append_bytes(&sink->books, buf_bytes(&seat->sender));
	buf_append_char(&sink->books, '>');
	buf_append_bytes(&sink->books, buf_bytes(&seat->recipients));
	buf_append_char(&sink->books, '\n');
}

static void forget_message(struct seat *seat)
{
	buf_reset(&seat->sender);
	buf_reset(&seat->recipients);
	seat->n_recipients = 0;
	seat->has_sender = false;
}

SUSPENDS static int read_content(struct seat *seat, struct fault *fault)
{
	_cleanup_(buf_done) struct buf line = BUF_NULL;

	buf_reset(&seat->sink->content);
	for (;;) {
		if (next_line(seat, &line, fault) <= 0)
			return -1;
		if (line.n == 1 && line.p[0] == '.')
			break;
		buf_append_bytes(&seat->sink->content,
				 bytes_skip(buf_bytes(&line), line.n > 0 && line.p[0] == '.'));
		buf_append_str(&seat->sink->content, "\r\n");
	}
	seat->sink->dots++;
	return 0;
}

SUSPENDS static int end_message(struct seat *seat, struct fault *fault)
{
	_cleanup_(buf_done) struct buf all = BUF_NULL, taken = BUF_NULL;
	struct bytes rest;
	bool any = false;

	if (!seat->sink->lmtp) {
		struct bytes rule;
		int r;

		seat->counts[END]++;
		seat->sink->counts[END]++;
		rule = find_rule(seat, END, NULL);
		seat->counts[END]--;
		seat->sink->counts[END]--;
		if (bytes_equal(rule, BYTES("take+close")))
			write_down(seat);
		r = answer(seat, END, NULL, "250 2.0.0 Ok: queued as SINK1\r\n", fault);
		if (r > 0)
			write_down(seat);
		return r;
	}

	/* One answer each; the book names those that were good. */
	buf_append_bytes(&all, buf_bytes(&seat->recipients));
	rest = buf_bytes(&all);
	while (rest.n > 0) {
		struct bytes who = bytes_cut(&rest, ',');
		char local[80] = "";
		int r;

		memcpy(local, who.p, who.n < 79 ? who.n : 79);
		r = answer(seat, END, local, "250 2.1.5 delivered\r\n", fault);
		if (r < 0)
			return -1;
		if (r > 0) {
			buf_append_str(&taken, taken.n ? "," : "");
			buf_append_bytes(&taken, who);
			any = true;
		}
	}
	buf_reset(&seat->recipients);
	buf_append_bytes(&seat->recipients, buf_bytes(&taken));
	if (any)
		write_down(seat);
	return 0;
}

static void local_part(const char *line, char to[80])
{
	const char *begin = strchr(line, '<');
	size_t n = begin ? strcspn(begin + 1, "@>") : 0;

	memcpy(to, begin ? begin + 1 : "", n < 79 ? n : 0);
	to[n < 79 ? n : 0] = '\0';
}

/* 0: go on, -1: it is over. */
SUSPENDS static int obey(struct seat *seat, const char *line, struct fault *fault)
{
	struct sink *sink = seat->sink;
	char local[80];
	int r = 0;

	if (strncmp(line, "EHLO", 4) == 0 || strncmp(line, "LHLO", 4) == 0) {
		_cleanup_(buf_done) struct buf offer = BUF_NULL;

		buf_appendf(&offer, "250-sink\r\n%s%s%s250 8BITMIME\r\n",
			    sink->pipelining ? "250-PIPELINING\r\n" : "", sink->dsn ? "250-DSN\r\n" : "",
			    sink->xforward ? "250-XFORWARD NAME ADDR PORT PROTO HELO IDENT\r\n" : "");
		r = answer(seat, EHLO, NULL, offer.p, fault);
	} else if (strncmp(line, "MAIL", 4) == 0) {
		forget_message(seat);
		local_part(line, local);
		sink->mails++;
		r = answer(seat, MAIL, local, "250 ok\r\n", fault);
		seat->has_sender = r > 0;
		buf_append_str(&seat->sender, local);
	} else if (strncmp(line, "RCPT", 4) == 0 && !seat->has_sender) {
		return say(seat, BYTES("503 5.5.1 MAIL first\r\n"), fault);
	} else if (strncmp(line, "RCPT", 4) == 0) {
		local_part(line, local);
		r = answer(seat, RCPT, local, "250 ok\r\n", fault);
		if (r > 0) {
			buf_append_str(&seat->recipients, seat->n_recipients++ ? "," : "");
			buf_append_str(&seat->recipients, local);
		}
	} else if (strcmp(line, "DATA") == 0 && seat->n_recipients == 0) {
		return say(seat, BYTES("554 nobody\r\n"), fault);
	} else if (strcmp(line, "DATA") == 0) {
		r = answer(seat, DATA, NULL, "354 go\r\n", fault);
		if (r > 0)
			r = read_content(seat, fault) < 0 ? -1 : end_message(seat, fault);
	} else if (strcmp(line, "QUIT") == 0) {
		sink->quits++;
		say(seat, BYTES("221 bye\r\n"), fault);
		return -1;
	} else {
		return say(seat, BYTES("250 ok\r\n"), fault); /* RSET, XFORWARD */
	}
	return r < 0 ? -1 : 0;
}

SUSPENDS static int serve(void *arg, struct fault *fault)
{
	struct seat *seat = arg;
	struct sink *sink = seat->sink;
	_cleanup_(buf_done) struct buf line = BUF_NULL;
	bool too_many = sink->most && sink->at_once >= sink->most;

	sink->at_once++;
	if (sink->at_once > sink->at_once_most)
		sink->at_once_most = sink->at_once;
	if (too_many) {
		stream_write(seat->stream, BYTES("421 4.7.0 too many connections\r\n"), fault);
		stream_drain(seat->stream, fault);
	} else if (answer(seat, GREETING, NULL, "220 sink\r\n", fault) > 0) {
		while (next_line(seat, &line, fault) > 0) {
			buf_append_bytes(&sink->commands, buf_bytes(&line));
			buf_append_char(&sink->commands, '\n');
			if (obey(seat, buf_str(&line), fault) < 0)
				break;
		}
	}
	sink->at_once--;
	stream_free(seat->stream);
	buf_done(&seat->sender);
	buf_done(&seat->recipients);
	buf_done(&seat->in);
	free(seat);
	return 0;
}

SUSPENDS static int listen_on(void *arg, struct fault *fault)
{
	struct sink *sink = arg;
	struct stream *stream;

	while (listener_accept(sink->listener, &stream, fault) == 0) {
		struct seat *seat = xzalloc(sizeof(*seat));

		seat->sink = sink;
		seat->stream = stream;
		seat->number = ++sink->connections;
		nursery_start(&sink->nursery, serve, seat, "seat %u", seat->number);
	}
	return 0;
}

struct sink *sink_start(struct check *check, const char *script, struct fault *fault)
{
	struct sink *sink = xzalloc(sizeof(*sink));

	sink->check = check;
	sink->script = script;
	sink->pipelining = true;
	nursery_init(&sink->nursery, "sink");
	if (listener_new("127.0.0.1", 0, &sink->listener, fault) < 0) {
		free(sink);
		return NULL;
	}
	nursery_start(&sink->nursery, listen_on, sink, "sink");
	return sink;
}

uint16_t sink_port(const struct sink *sink)
{
	return listener_port(sink->listener);
}

SUSPENDS struct sink *sink_stop(struct sink *sink)
{
	if (!sink)
		return NULL;

	nursery_done(&sink->nursery);
	listener_free(sink->listener);
	buf_done(&sink->books);
	buf_done(&sink->content);
	buf_done(&sink->commands);
	free(sink);
	return NULL;
}
