/* SPDX-License-Identifier: Apache-2.0 */
/* A session: reading lines, order and limits of commands, replies, and how it ends. What a command does is in
 * serve-*.c. */
#include "smtp/server.h"

#include <assert.h>
#include <stdio.h>

#include "base/xalloc.h"
#include "smtp/proxy.h"
#include "smtp/session.h"

enum { SKIP_MAX = 65536 }; /* of a line that is too long; then the client is none */

#define LAST_WORDS (5 * SECOND)

/* --- replies --------------------------------------------------------------------------------- */

void smtp_say_set(struct smtp_say *say, unsigned code, const char *enhanced, const char *format, ...)
{
	va_list args;

	say->code = code;
	snprintf(say->enhanced, sizeof(say->enhanced), "%s", enhanced);
	va_start(args, format);
	vsnprintf(say->text, sizeof(say->text), format, args);
	va_end(args);
	for (char *c = say->text; *c; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
			*c = '?';
}

static int put(struct smtp_session *s, struct bytes text, struct fault *fault)
{
	return stream_enqueue(*s->stream, text, fault);
}

static int put_reply(struct smtp_session *s, unsigned code, const char *enhanced, const char *text, struct fault *fault)
{
	char line[320];
	int n = snprintf(line, sizeof(line), "%u %s%s%s\r\n", code, enhanced, enhanced[0] ? " " : "", text);

	assert(code >= 200 && code <= 599 && n > 0 && (size_t)n < sizeof(line));
	return put(s, (struct bytes){ line, (size_t)n }, fault);
}

/* A reply that nobody asked for, the last one. */
static int put_last(struct smtp_session *s, const struct smtp_answer *answer, struct fault *fault)
{
	s->over = true;
	return put_reply(s, answer->code, answer->enhanced, answer->text, fault);
}

static int reply(struct smtp_session *s, unsigned code, const char *enhanced, const char *text, struct fault *fault)
{
	static const struct smtp_answer too_many = { 421, "4.7.0", "Too many errors" };

	assert(s->owes);
	s->owes = false;
	s->over = s->over || code == 421;
	if (code >= 500 && ++s->errors > s->settings->max_errors && !s->over)
		return put_last(s, &too_many, fault);
	return put_reply(s, code, enhanced, text, fault);
}

int smtp_session_answer(struct smtp_session *s, const struct smtp_answer *answer, struct fault *fault)
{
	return reply(s, answer->code, answer->enhanced, answer->text, fault);
}

int smtp_session_say(struct smtp_session *s, const struct smtp_say *say, struct fault *fault)
{
	return reply(s, say->code, say->enhanced, say->text, fault);
}

int smtp_session_answer_last(struct smtp_session *s, const struct smtp_answer *answer, struct fault *fault)
{
	s->over = true;
	return smtp_session_answer(s, answer, fault);
}

int smtp_session_line(struct smtp_session *s, const char *line, struct fault *fault)
{
	assert(s->owes);
	return put(s, bytes_of(line), fault);
}

int smtp_session_text(struct smtp_session *s, struct bytes text, struct fault *fault)
{
	assert(s->owes);
	s->owes = false;
	return put(s, text, fault);
}

int smtp_session_excuse(const struct fault *fault, struct smtp_say *say)
{
	if (fault->kind == FAULT_CANCELLED)
		return -1;
	if (fault->kind == FAULT_LIMIT)
		smtp_say_set(say, 452, "4.3.1", "Out of resources, try again later");
	else
		smtp_say_set(say, 451, "4.3.0", "Cannot take this now, try again later");
	return 0;
}

/* --- input ----------------------------------------------------------------------------------- */

struct bytes smtp_session_input(const struct smtp_session *s)
{
	return (struct bytes){ s->in + s->in_start, s->in_n };
}

void smtp_session_consume(struct smtp_session *s, size_t n)
{
	assert(n <= s->in_n);
	s->in_start += n;
	s->in_n -= n;
}

void smtp_session_forget_input(struct smtp_session *s)
{
	s->in_start = s->in_n = 0;
}

/* Makes the buffer `size` bytes, which is room for what it holds, and moves that to its front. */
static void set_buffer(struct smtp_session *s, size_t size)
{
	char *former = s->in;

	if (size == s->in_size) {
		memmove(s->in, s->in + s->in_start, s->in_n);
	} else {
		s->in = xmalloc(size);
		if (s->in_n)
			memcpy(s->in, former + s->in_start, s->in_n);
		free(former);
		s->in_size = size;
	}
	s->in_start = 0;
}

/* Whether the client has the reply to its message. That it says more is not enough: the next transaction may have been on
 * its way before (RFC 2920). */
static void see_heard(struct smtp_session *s)
{
	if (!s->unheard || !stream_is_taken(*s->stream))
		return;
	s->unheard = false;
	if (s->host->ops->heard)
		s->host->ops->heard(s->host);
}

SUSPENDS int smtp_session_fill(struct smtp_session *s, size_t size, struct fault *fault)
{
	size_t at;
	int got;

	if (s->in_n == 0)
		s->in_start = 0;
	if (s->in_size != size || s->in_start + s->in_n == s->in_size)
		set_buffer(s, s->in_n < size ? size : 2 * s->in_n);

	at = s->in_start + s->in_n;
	got = stream_read(*s->stream, s->in + at, s->in_size - at, fault);
	if (got <= 0)
		return got;
	s->in_n += (size_t)got;
	see_heard(s);
	return 1;
}

/* The rest of a line that is too long, as far as *left bytes; none are left when that was not its end. As fill(). */
SUSPENDS static int skip_line(struct smtp_session *s, size_t *left, struct fault *fault)
{
	for (;;) {
		ptrdiff_t lf = bytes_find_char(smtp_session_input(s), '\n');
		size_t n = lf < 0 ? s->in_n : (size_t)lf + 1;
		int got;

		*left = *left > n ? *left - n : 0;
		smtp_session_consume(s, n);
		if (lf >= 0 || *left == 0)
			return 1;
		got = smtp_session_fill(s, 2 * SMTP_LINE_MAX, fault);
		if (got <= 0)
			return got;
	}
}

/* Waits for a whole line. 1 with *ret_what and its line (good until input is read again), 0: the end, -1. */
SUSPENDS static int next_line(struct smtp_session *s, enum smtp_line *ret_what, struct bytes *ret_line, struct fault *fault)
{
	_deadline_(s->settings->command_us);
	size_t n;
	int got;

	if (stream_wait_room(*s->stream, fault) < 0)
		return -1;
	while ((*ret_what = smtp_line_find(smtp_session_input(s), ret_line, &n)) == SMTP_LINE_MORE) {
		got = smtp_session_fill(s, 2 * SMTP_LINE_MAX, fault);
		if (got <= 0)
			return got;
	}
	if (*ret_what == SMTP_LINE_LONG) {
		n = SKIP_MAX;
		got = skip_line(s, &n, fault);
		if (n == 0)
			*ret_what = SMTP_LINE_BARE_LF; /* no end in sight: as bad */
		return got;
	}
	if (*ret_what == SMTP_LINE_READY)
		smtp_session_consume(s, n);
	return 1;
}

void smtp_session_know(struct smtp_session *s, struct bytes helo, struct bytes name, struct bytes login)
{
	struct arena arena = { NULL };

	s->client.helo = arena_copy(&arena, helo);
	s->client.name = arena_copy(&arena, name);
	s->client.login = arena_copy(&arena, login);
	arena_done(&s->client_arena);
	s->client_arena = arena;
}

/* --- commands -------------------------------------------------------------------------------- */

void smtp_session_reset(struct smtp_session *s)
{
	struct arena arena;

	if (s->begun)
		s->host->ops->drop(s->host);
	s->begun = false;
	arena_reset(&s->t.arena);
	arena = s->t.arena;
	s->t = (struct smtp_transaction){ .arena = arena };
}

enum {
	NEEDS_HELLO = 1 << 0,
	NEEDS_TLS = 1 << 1, /* where the settings ask for it */
	SYNC = 1 << 2,      /* nothing may have come behind it */
	IDLE = 1 << 3,      /* moves no mail */
};

static const struct {
	int (*serve)(struct smtp_session *s, const struct smtp_command *c, struct fault *fault);
	unsigned flags;
} verbs[SMTP_VERBS] = {
	[SMTP_HELO] = { smtp_serve_hello, SYNC | IDLE },
	[SMTP_EHLO] = { smtp_serve_hello, SYNC | IDLE },
	[SMTP_MAIL] = { smtp_serve_mail, NEEDS_HELLO | NEEDS_TLS },
	[SMTP_RCPT] = { smtp_serve_rcpt, NEEDS_HELLO | NEEDS_TLS },
	[SMTP_DATA] = { smtp_serve_data, NEEDS_HELLO | NEEDS_TLS | SYNC },
	[SMTP_RSET] = { smtp_serve_rset, IDLE },
	[SMTP_NOOP] = { smtp_serve_noop, IDLE },
	[SMTP_QUIT] = { smtp_serve_quit, 0 },
	[SMTP_VRFY] = { smtp_serve_vrfy, NEEDS_HELLO | NEEDS_TLS | IDLE },
	[SMTP_HELP] = { smtp_serve_help, IDLE },
	[SMTP_STARTTLS] = { smtp_serve_starttls, NEEDS_HELLO | IDLE },
	[SMTP_XCLIENT] = { smtp_serve_xclient, SYNC | IDLE },
	[SMTP_XFORWARD] = { smtp_serve_xforward, NEEDS_HELLO | IDLE },
};

/* Why a command that reads well may not be obeyed now; or NULL. */
static const struct smtp_answer *out_of_order(const struct smtp_session *s, unsigned flags)
{
	static const struct smtp_answer hello = { 503, "5.5.1", "Send EHLO or HELO first" };
	static const struct smtp_answer tls = { 530, "5.7.0", "Must issue a STARTTLS command first" };

	if (flags & NEEDS_HELLO && !s->greeted)
		return &hello;
	if (flags & NEEDS_TLS && s->settings->tls_required && !s->client.tls)
		return &tls;
	return NULL;
}

SUSPENDS static int obey(struct smtp_session *s, struct bytes line, struct fault *fault)
{
	static const struct smtp_answer out_of_step = { 554, "5.5.0", "Wait for the reply before you go on" };
	static const struct smtp_answer idle = { 421, "4.7.0", "Too many commands that move no mail" };
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct smtp_command c;
	const struct smtp_answer *wrong = smtp_command_parse(line, s->offered, &arena, &c);
	unsigned flags = verbs[c.verb].flags;

	if (flags & SYNC && s->in_n > 0)
		return smtp_session_answer_last(s, &out_of_step, fault);
	if (!wrong)
		wrong = out_of_order(s, flags);
	if (wrong && c.verb == SMTP_MAIL)
		smtp_session_reset(s);
	if (wrong)
		return smtp_session_answer(s, wrong, fault);
	if (flags & IDLE && ++s->idle > s->settings->max_idle_commands)
		return smtp_session_answer_last(s, &idle, fault);
	return verbs[c.verb].serve(s, &c, fault);
}

SUSPENDS static int serve_line(struct smtp_session *s, enum smtp_line what, struct bytes line, struct fault *fault)
{
	static const struct smtp_answer bare = { 521, "5.5.2", "Lines end in CR LF" };
	static const struct smtp_answer too_long = { 500, "5.5.2", "Line too long" };
	int r;

	s->owes = true;
	if (what == SMTP_LINE_BARE_LF)
		return smtp_session_answer_last(s, &bare, fault);
	if (what == SMTP_LINE_LONG)
		return smtp_session_answer(s, &too_long, fault);

	r = obey(s, line, fault);
	assert(r < 0 || !s->owes);
	return r;
}

/* --- the session ----------------------------------------------------------------------------- */

int smtp_session_came(struct smtp_session *s, struct smtp_say *say, struct fault *fault)
{
	if (!s->host->ops->came || s->host->ops->came(s->host, &s->client, say, fault) == 0)
		return 0;
	return smtp_session_excuse(fault, say);
}

/* 1 when it came, 0: the connection ended without one, -1. */
SUSPENDS static int read_proxy(struct smtp_session *s, struct fault *fault)
{
	_deadline_(s->settings->command_us);
	struct smtp_proxy proxy;
	int n;

	while ((n = smtp_proxy_parse(smtp_session_input(s), &proxy)) == 0) {
		int got = smtp_session_fill(s, 2 * SMTP_LINE_MAX, fault);

		if (got <= 0)
			return got;
	}
	if (n < 0) {
		s->over = true; /* without a word, as its specification says */
		return fault_protocol(fault, "%s sent no PROXY header", (*s->stream)->peer);
	}
	smtp_session_consume(s, (size_t)n);
	if (!proxy.is_local) {
		s->client.address = proxy.source;
		s->client.port = proxy.source_port;
		s->may_xclient = s->may_xforward = false;
	}
	return 1;
}

/* Whether the client talks before it is greeted: 1, or 0; 0 with s->over: it went away. */
SUSPENDS static int talks_early(struct smtp_session *s, struct fault *fault)
{
	_deadline_(s->settings->greet_delay_us);
	int got;

	if (s->in_n > 0)
		return 1;
	if (s->settings->greet_delay_us == 0)
		return 0;

	got = smtp_session_fill(s, 2 * SMTP_LINE_MAX, fault);
	if (got < 0)
		return fault->kind == FAULT_TIMEOUT ? 0 : -1;
	s->over = got == 0;
	return got;
}

SUSPENDS static int greet(struct smtp_session *s, struct fault *fault)
{
	static const struct smtp_answer early = { 554, "5.5.0", "You spoke before the greeting" };
	int got = s->peer->must_proxy ? read_proxy(s, fault) : 1;
	struct smtp_say say;

	if (got <= 0) {
		s->over = true;
		return got;
	}
	got = talks_early(s, fault);
	if (got < 0 || s->over)
		return got;
	if (got > 0)
		return put_last(s, &early, fault);

	smtp_say_set(&say, 220, "", "%.200s ESMTP", s->settings->hostname);
	if (!ip_equal(&s->client.address, &s->client.connected) && smtp_session_came(s, &say, fault) < 0)
		return -1;
	s->over = say.code >= 300;
	return put_reply(s, say.code, say.enhanced, say.text, fault);
}

SUSPENDS static int converse(struct smtp_session *s, struct fault *fault)
{
	if (greet(s, fault) < 0)
		return -1;

	while (!s->over) {
		enum smtp_line what;
		struct bytes line;
		int got;

		s->host->is_idle = !s->t.is_open;
		if (s->host->is_idle && s->host->is_stopping && s->in_n == 0)
			return fault_cancelled(fault);
		got = next_line(s, &what, &line, fault);
		s->host->is_idle = false;
		if (got <= 0)
			return got;
		if (serve_line(s, what, line, fault) < 0)
			return -1;
	}
	return 0;
}

/* What a client hears that is not to blame, as far as anything can be said. */
static void say_farewell(struct smtp_session *s, enum fault_kind kind)
{
	static const struct smtp_answer late = { 421, "4.4.2", "Timeout, closing connection" };
	static const struct smtp_answer stopping = { 421, "4.3.2", "Service stops, closing connection" };
	struct fault unheard;

	if (s->over)
		return;
	if (kind == FAULT_TIMEOUT)
		(void)put_last(s, &late, &unheard);
	if (kind == FAULT_CANCELLED)
		(void)put_last(s, &stopping, &unheard);
}

SUSPENDS static void close_stream(struct smtp_session *s)
{
	int64_t former = run_shield(LAST_WORDS);
	struct fault unheard;

	if (stream_drain(*s->stream, &unheard) == 0)
		stream_shutdown(*s->stream);
	run_unshield(former);
}

/* Many leave without QUIT, or do not wait for its reply: what they were told is acknowledged all the same. */
SUSPENDS static void wait_until_heard(struct smtp_session *s)
{
	int64_t former = run_shield(LAST_WORDS), pause = 10 * MSEC;
	struct fault late = FAULT_INIT;

	see_heard(s);
	while (s->unheard && run_sleep(pause, &late) == 0) {
		pause *= 2;
		see_heard(s);
	}
	run_unshield(former);
}

SUSPENDS int smtp_serve(struct stream **stream, const struct smtp_settings *settings, const struct smtp_peer *peer,
			struct smtp_host *host, struct fault *fault)
{
	struct smtp_session s = { .stream = stream, .settings = settings, .peer = peer, .host = host,
				  .offered = settings->offered, .max_size = settings->max_size,
				  .may_xclient = peer->may_xclient, .may_xforward = peer->may_xforward };
	int r;

	s.client.address = s.client.connected = peer->address;
	s.client.port = peer->port;
	r = converse(&s, fault);
	smtp_session_reset(&s);
	if (r < 0)
		say_farewell(&s, fault->kind);
	/* Once both sides have closed, in order, the socket looks as if it had been broken off. */
	see_heard(&s);
	close_stream(&s);
	wait_until_heard(&s);
	arena_done(&s.t.arena);
	arena_done(&s.client_arena);
	free(s.in);
	return r;
}
