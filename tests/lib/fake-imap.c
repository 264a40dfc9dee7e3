/* SPDX-License-Identifier: Apache-2.0 */
/* The fake server's connection: reading, sending, and playing steps, those of a script and those of
 * rules. It knows lines and bytes; what commands mean is in fake-commands.c. */
#include <inttypes.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/xalloc.h"
#include "lib/fake-imap-parts.h"

enum { MAX_LINE = 1 << 20 };

/* --- complaints ------------------------------------------------------------------------------ */

void fake_complain(struct fake_imap *fake, int line, const char *format, ...)
{
	va_list args;

	if (bytes_equal(dialogue_setting(fake->told, "complaints", "on"), BYTES("off")))
		return;
	buf_append_str(&fake->complaints, fake->dialogue->name);
	if (line)
		buf_appendf(&fake->complaints, ":%d", line);
	buf_append_str(&fake->complaints, ": ");
	va_start(args, format);
	buf_vappendf(&fake->complaints, format, args);
	va_end(args);
	buf_append_char(&fake->complaints, '\n');
}

/* --- sending --------------------------------------------------------------------------------- */

static int over(struct fake_connection *c)
{
	c->is_over = true;
	return -1;
}

int fake_send(struct fake_connection *c, struct bytes bytes)
{
	struct fault fault;
	size_t piece = c->split ? (size_t)c->split : bytes.n;

	if (c->is_over)
		return -1;
	while (bytes.n) {
		if (stream_write(c->stream, bytes_head(bytes, piece), &fault) < 0)
			return over(c);
		if (c->split && stream_drain(c->stream, &fault) < 0)
			return over(c);
		bytes = bytes_skip(bytes, piece);
	}

	return 0;
}

PRINTF_LIKE(3, 0)
static int send_formatted(struct fake_connection *c, const char *prefix, const char *format,
			  va_list args)
{
	_cleanup_(buf_done) struct buf line = BUF_NULL;

	buf_append_str(&line, prefix);
	buf_vappendf(&line, format, args);
	buf_append_str(&line, "\r\n");
	return fake_send(c, buf_bytes(&line));
}

int fake_sendf(struct fake_connection *c, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = send_formatted(c, "", format, args);
	va_end(args);
	return r;
}

int fake_answer(struct fake_connection *c, const char *format, ...)
{
	char prefix[80];
	va_list args;
	int r;

	if (bytes_equal(c->answer, BYTES("nothing")))
		return 0;
	if (c->answer.n)
		return fake_sendf(c, "%s %.*s", c->tag, BYTES_ARG(c->answer));
	snprintf(prefix, sizeof(prefix), "%s ", c->tag);
	va_start(args, format);
	r = send_formatted(c, prefix, format, args);
	va_end(args);
	return r;
}

static int send_body(struct fake_connection *c, uint64_t from, uint64_t to)
{
	char piece[1500];

	while (from < to) {
		size_t n = to - from < sizeof(piece) ? (size_t)(to - from) : sizeof(piece);

		n = fake_body(c->message, from, piece, n);
		if (n == 0) {
			fake_complain(c->fake, 0, "message %u was not kept", c->message->uid);
			return over(c);
		}
		if (fake_send(c, (struct bytes){ piece, n }) < 0)
			return -1;
		from += n;
	}

	return 0;
}

int fake_send_message(struct fake_connection *c)
{
	const struct dialogue_rule *rule;
	uint64_t size, stop;
	char event[512];

	if (!c->message)
		return 0;
	size = c->message->size;
	snprintf(event, sizeof(event), "message %.*s %u", BYTES_ARG(c->message_folder->name),
		 c->message->uid);
	stop = fake_rule_at(c, bytes_of(event), &rule);
	if (stop > size)
		stop = size;
	if (fake_sendf(c, "{%" PRIu64 "}", size) < 0 || send_body(c, 0, stop) < 0)
		return -1;
	if (rule && fake_play(c, rule->steps, NULL, NULL) < 0)
		return -1;

	return send_body(c, stop, size);
}

/* --- reading --------------------------------------------------------------------------------- */

/* More of what the client sends. -1: it closed, or we are over, or (without that) it is late. */
static int fill(struct fake_connection *c)
{
	struct fault fault;
	int n;

	if (c->is_over)
		return -1;
	n = stream_read(c->stream, buf_reserve(&c->in, 16384), 16384, &fault);
	if (n < 0 && fault.kind == FAULT_TIMEOUT)
		return -1;
	if (n <= 0)
		return over(c);

	c->in.n += (size_t)n;
	return 0;
}

/* Waits for a whole line in `in`: its length with its end, or -1. */
static ptrdiff_t peek_line(struct fake_connection *c)
{
	ptrdiff_t end;

	while ((end = bytes_find_char(buf_bytes(&c->in), '\n')) < 0) {
		if (c->in.n > MAX_LINE) {
			fake_complain(c->fake, 0, "the client sent an endless line");
			return over(c);
		}
		if (fill(c) < 0)
			return -1;
	}

	return end + 1;
}

int fake_read_line(struct fake_connection *c, struct buf *line)
{
	ptrdiff_t n = peek_line(c);

	if (n < 0)
		return -1;
	buf_reset(line);
	buf_append(line, c->in.p, (size_t)n);
	buf_consume(&c->in, (size_t)n);
	if (line->n < 2 || line->p[line->n - 2] != '\r')
		fake_complain(c->fake, 0, "the client sent a line without CR");
	while (line->n && (line->p[line->n - 1] == '\n' || line->p[line->n - 1] == '\r'))
		line->n--;
	line->p[line->n] = '\0';
	return 0;
}

int fake_read(struct fake_connection *c, char *to, size_t n)
{
	if (c->in.n == 0 && fill(c) < 0)
		return -1;
	if (n > c->in.n)
		n = c->in.n;
	memcpy(to, c->in.p, n);
	buf_consume(&c->in, n);
	return (int)n;
}

int fake_wait(struct fake_connection *c)
{
	return fill(c);
}

static void swallow(struct fake_connection *c)
{
	while (fill(c) == 0)
		buf_reset(&c->in);
}

int fake_start_tls(struct fake_connection *c)
{
	struct fault fault;

	if (c->in.n)
		fake_complain(c->fake, 0, "the client sent %zu bytes too early for TLS", c->in.n);
	buf_reset(&c->in);
	if (!c->fake->tls) {
		fake_complain(c->fake, 0, "no certificate was given for TLS");
		return over(c);
	}

	return tls_server_start(&c->stream, c->fake->tls, &fault) < 0 ? over(c) : 0;
}

/* --- rules ----------------------------------------------------------------------------------- */

static bool rule_acts(struct fake_connection *c, const struct dialogue_rule *rule,
		      struct bytes text)
{
	struct dialogue_names found = { 0 };
	unsigned n;

	if (c->fake->run < rule->first_run || c->fake->run > rule->last_run)
		return false;
	if (rule->commands_only && !(text.n && text.p[0] >= 'A' && text.p[0] <= 'Z'))
		return false;
	if (!dialogue_match(rule->pattern, text, &found))
		return false;
	n = ++c->fake->rule_matches[rule->index];
	if (n < rule->first || n > rule->last)
		return false;

	for (size_t i = 0; i < found.n; i++)
		dialogue_name_set(&c->names, found.at[i].name, bytes_of(found.at[i].value));
	return true;
}

const struct dialogue_rule *fake_rule(struct fake_connection *c, struct bytes text,
				      enum dialogue_when when)
{
	const struct dialogue_rule *rule = c->fake->told ? c->fake->told->rules : NULL;
	const struct dialogue_rule *acting = NULL;

	for (; rule; rule = rule->next)
		if (rule->when == when && rule_acts(c, rule, text) && !acting)
			acting = rule;

	return acting;
}

uint64_t fake_rule_at(struct fake_connection *c, struct bytes text,
		      const struct dialogue_rule **ret)
{
	*ret = fake_rule(c, text, RULE_AT);
	return *ret ? (*ret)->at : UINT64_MAX;
}

int fake_event(struct fake_connection *c, struct bytes text, fake_default otherwise, void *arg)
{
	const struct dialogue_rule *rule = fake_rule(c, text, RULE_COMPLETE);

	return rule ? fake_play(c, rule->steps, otherwise, arg) : otherwise(c, arg);
}

/* --- steps ----------------------------------------------------------------------------------- */

struct play {
	struct fake_connection *c;
	const struct dialogue_step *step;
	fake_default otherwise;
	void *arg;
	bool stop;
};

static int play_send(struct play *p)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL, ok = BUF_NULL;

	dialogue_fill(&text, p->step->text, &p->c->names);
	buf_appendf(&ok, "%s OK", p->c->tag);
	p->c->said_ok |= bytes_starts(buf_bytes(&text), buf_bytes(&ok));
	return fake_send(p->c, buf_bytes(&text));
}

static int play_send_literal(struct play *p)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	buf_appendf(&text, "{%zu}\r\n", p->step->text.n);
	buf_append_bytes(&text, p->step->text);
	return fake_send(p->c, buf_bytes(&text));
}

static int play_send_message(struct play *p)
{
	return fake_send_message(p->c);
}

static int play_send_repeated(struct play *p)
{
	_cleanup_(buf_done) struct buf piece = BUF_NULL;
	uint64_t left = p->step->number, times = 1;

	while (p->step->text.n && piece.n < 32768 && piece.n / p->step->text.n < left)
		buf_append_bytes(&piece, p->step->text);
	if (piece.n)
		times = piece.n / p->step->text.n;
	for (; piece.n && left >= times; left -= times)
		if (fake_send(p->c, buf_bytes(&piece)) < 0)
			return -1;

	return fake_send(p->c, bytes_head(buf_bytes(&piece), left * p->step->text.n));
}

void fake_note_literal(struct fake_connection *c, struct bytes line)
{
	struct bytes number = BYTES_NULL;

	c->has_literal = false;
	if (line.n && line.p[line.n - 1] == '}') {
		line.n--;
		c->literal_waits = !(line.n && line.p[line.n - 1] == '+');
		line.n -= !c->literal_waits;
		for (size_t n = line.n; n > 0 && !number.p; n--)
			if (line.p[n - 1] == '{')
				number = bytes_skip(line, n);
		c->has_literal = bytes_to_u64(number, INT64_MAX, &c->literal) == 0;
	}
}

static int play_expect(struct play *p)
{
	struct fake_connection *c = p->c;
	_cleanup_(buf_done) struct buf line = BUF_NULL;
	ptrdiff_t n = peek_line(c);
	bool good;

	if (n < 0) {
		if (p->step->kind == STEP_EXPECT_OPTIONAL)
			return -1;
		fake_complain(c->fake, p->step->line, "expected \"%.*s\", but the client closed",
			      BYTES_ARG(p->step->text));
		return -1;
	}

	good = dialogue_match(p->step->text, bytes_trim((struct bytes){ c->in.p, (size_t)n }),
			      &c->names);
	if (!good && p->step->kind == STEP_EXPECT_OPTIONAL)
		return 0;
	if (fake_read_line(c, &line) < 0)
		return -1;
	if (!good) {
		fake_complain(c->fake, p->step->line, "expected \"%.*s\", got \"%s\"",
			      BYTES_ARG(p->step->text), buf_str(&line));
		return over(c);
	}

	if (strstr(buf_str(&line), " LOGIN ") || strstr(buf_str(&line), " AUTHENTICATE "))
		c->state = FAKE_LOGGED_IN;
	fake_note_literal(c, buf_bytes(&line));
	return 0;
}

static int read_client_literal(struct play *p, struct buf *kept, char hex[65])
{
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	unsigned char sum[EVP_MAX_MD_SIZE];
	uint64_t left = p->c->literal;
	char piece[1500];
	int n = 0;

	EVP_DigestInit_ex(sha, EVP_sha256(), NULL);
	while (left) {
		n = fake_read(p->c, piece, left < sizeof(piece) ? (size_t)left : sizeof(piece));
		if (n < 0)
			break;
		left -= (uint64_t)n;
		EVP_DigestUpdate(sha, piece, (size_t)n);
		if (kept->n < 65536)
			buf_append(kept, piece, (size_t)n);
	}
	EVP_DigestFinal_ex(sha, sum, NULL);
	EVP_MD_CTX_free(sha);
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	return n < 0 ? -1 : 0;
}

static int play_expect_literal(struct play *p)
{
	_cleanup_(buf_done) struct buf kept = BUF_NULL;
	uint64_t announced = p->c->literal;
	char hex[65];
	bool good = p->c->has_literal;

	if (good && p->step->kind == STEP_EXPECT_BYTES)
		good = announced == p->step->number;
	if (good && read_client_literal(p, &kept, hex) < 0) {
		fake_complain(p->c->fake, p->step->line, "the client closed within its literal");
		return -1;
	}
	if (good && p->step->kind == STEP_EXPECT_LITERAL)
		good = bytes_equal(buf_bytes(&kept), p->step->text);
	if (good && p->step->kind == STEP_EXPECT_SHA256)
		good = bytes_equal_nocase(bytes_of(hex), p->step->text);
	p->c->has_literal = false;
	if (good)
		return 0;

	fake_complain(p->c->fake, p->step->line,
		      "another literal was expected than that of %" PRIu64 " bytes: \"%.*s\"",
		      announced, BYTES_ARG(bytes_head(buf_bytes(&kept), 200)));
	return over(p->c);
}

static int play_expect_end(struct play *p)
{
	if (p->c->in.n == 0 && fill(p->c) < 0)
		return -1;
	fake_complain(p->c->fake, p->step->line, "expected the client to close, got \"%.*s\"",
		      BYTES_ARG(bytes_head(buf_bytes(&p->c->in), 200)));
	return over(p->c);
}

static int play_pause(struct play *p)
{
	return p->c->in.n ? 0 : fill(p->c);
}

static int play_hang(struct play *p)
{
	swallow(p->c);
	return over(p->c);
}

/* In order: FIN, then whatever the client still has to say. */
static int play_close(struct play *p)
{
	struct fault fault;

	if (p->c->is_over || stream_drain(p->c->stream, &fault) < 0)
		return over(p->c);
	stream_shutdown(p->c->stream);
	swallow(p->c);
	return over(p->c);
}

static int play_reset(struct play *p)
{
	static const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	struct fault fault;

	if (!p->c->is_over)
		stream_drain(p->c->stream, &fault);
	if (p->c->fd >= 0)
		setsockopt(p->c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	return over(p->c);
}

static int play_tls(struct play *p)
{
	return fake_start_tls(p->c);
}

static int play_starttls(struct play *p)
{
	struct dialogue_step expect = { .kind = STEP_EXPECT, .line = p->step->line,
					.text = BYTES("{starttls} STARTTLS") };
	struct dialogue_step answer = { .kind = STEP_SEND,
					.text = BYTES("{starttls} OK begin TLS\r\n") };
	struct play one = { .c = p->c, .step = &expect }, two = { .c = p->c, .step = &answer };

	if (play_expect(&one) < 0 || play_send(&two) < 0)
		return -1;
	return fake_start_tls(p->c);
}

static int play_deflate(struct play *p)
{
	struct fault fault;

	return deflate_start(&p->c->stream, &fault) < 0 ? over(p->c) : 0;
}

static int play_split(struct play *p)
{
	p->c->split = p->step->number;
	return 0;
}

static int play_serve(struct play *p)
{
	return fake_commands(p->c, true);
}

static int play_bye(struct play *p)
{
	_cleanup_(buf_done) struct buf line = BUF_NULL;
	struct dialogue_names names = { 0 };

	if (fake_read_line(p->c, &line) < 0)
		return -1;
	if (!dialogue_match(BYTES("{tag} LOGOUT"), buf_bytes(&line), &names))
		fake_complain(p->c->fake, p->step->line, "expected LOGOUT, got \"%s\"",
			      buf_str(&line));
	else if (fake_sendf(p->c, "* BYE\r\n%s OK", names.at[0].value) < 0)
		return -1;
	return play_close(p);
}

static int play_default(struct play *p)
{
	return p->otherwise ? p->otherwise(p->c, p->arg) : 0;
}

static int play_answer(struct play *p)
{
	p->c->answer = p->step->text;
	return 0;
}

static int play_later(struct play *p)
{
	p->c->later = p->step->next;
	snprintf(p->c->later_tag, sizeof(p->c->later_tag), "%s", p->c->tag);
	p->stop = true;
	return 0;
}

static int play_do(struct play *p)
{
	fake_change(p->c->fake, p->step->change);
	return 0;
}

/* It sends nothing more; what it sent before is still read. */
static int play_kill(struct play *p)
{
	if (!p->c->fake->client || kill(p->c->fake->client, SIGKILL) < 0)
		fake_complain(p->c->fake, p->step->line, "there is no client to kill");
	p->c->fake->client = 0;
	return 0;
}

static int play_wait(struct play *p)
{
	struct fault fault;

	return run_sleep((int64_t)p->step->number * MSEC, &fault) < 0 ? over(p->c) : 0;
}

static int (*const players[STEP_KINDS])(struct play *) = {
	[STEP_SEND] = play_send,
	[STEP_SEND_LITERAL] = play_send_literal,
	[STEP_SEND_MESSAGE] = play_send_message,
	[STEP_SEND_REPEATED] = play_send_repeated,
	[STEP_EXPECT] = play_expect,
	[STEP_EXPECT_OPTIONAL] = play_expect,
	[STEP_EXPECT_LITERAL] = play_expect_literal,
	[STEP_EXPECT_BYTES] = play_expect_literal,
	[STEP_EXPECT_SHA256] = play_expect_literal,
	[STEP_EXPECT_END] = play_expect_end,
	[STEP_PAUSE] = play_pause,
	[STEP_HANG] = play_hang,
	[STEP_CLOSE] = play_close,
	[STEP_RESET] = play_reset,
	[STEP_TLS] = play_tls,
	[STEP_STARTTLS] = play_starttls,
	[STEP_DEFLATE] = play_deflate,
	[STEP_SPLIT] = play_split,
	[STEP_SERVE] = play_serve,
	[STEP_BYE] = play_bye,
	[STEP_DEFAULT] = play_default,
	[STEP_ANSWER] = play_answer,
	[STEP_LATER] = play_later,
	[STEP_DO] = play_do,
	[STEP_KILL] = play_kill,
	[STEP_WAIT] = play_wait,
};

/* The client went away while we were sending, and the script was still to expect something. */
static void complain_about_rest(struct fake_connection *c, const struct dialogue_step *failed)
{
	const struct dialogue_step *step = failed->next;

	if (failed->kind > STEP_SEND_REPEATED)
		return;
	while (step && step->kind != STEP_EXPECT)
		step = step->next;
	if (step)
		fake_complain(c->fake, step->line, "the connection ended before this was reached");
}

int fake_play(struct fake_connection *c, const struct dialogue_step *steps,
	      fake_default otherwise, void *arg)
{
	struct play p = { .c = c, .otherwise = otherwise, .arg = arg };
	int r = 0;

	for (p.step = steps; p.step && r == 0 && !p.stop; p.step = p.step->next) {
		r = players[p.step->kind](&p);
		if (r < 0)
			complain_about_rest(c, p.step);
	}

	return r;
}

/* --- one connection -------------------------------------------------------------------------- */

static const struct dialogue_script *script_for(const struct fake_imap *fake, unsigned number)
{
	const struct dialogue_script *s = fake->told ? fake->told->scripts : NULL;

	for (; s; s = s->next) {
		unsigned n = s->run ? fake->run_connections : number;

		if ((s->run == 0 || s->run == fake->run) &&
		    (s->connection == 0 || s->connection == n))
			return s;
	}
	return NULL;
}

static void run_connection(struct fake_connection *c)
{
	const struct dialogue_script *script = script_for(c->fake, c->number);
	struct play end = { .c = c };

	if (bytes_equal(dialogue_setting(c->fake->told, "tls", "no"), BYTES("yes")) &&
	    fake_start_tls(c) < 0)
		return;
	if (script)
		fake_play(c, script->steps, NULL, NULL);
	else
		fake_commands(c, false);
	if (!c->is_over)
		play_close(&end);
}

void fake_imap_serve(struct fake_imap *fake, struct stream *stream, int fd)
{
	struct fake_connection c = { .fake = fake, .stream = stream, .fd = fd };

	c.number = ++fake->connections;
	fake->run_connections++;
	c.state = FAKE_GREETED;
	bytes_to_u64(dialogue_setting(fake->told, "split", "0"), UINT32_MAX, &c.split);
	run_connection(&c);
	stream_free(c.stream);
	buf_done(&c.in);
	buf_done(&c.command);
}

/* --- the whole ------------------------------------------------------------------------------- */

struct fake_imap *fake_imap_new(const struct dialogue *dialogue, const char *name)
{
	struct fake_imap *fake = xzalloc(sizeof(*fake));

	fake->dialogue = dialogue;
	fake->told = dialogue_server(dialogue, name);
	fake->run = 1;
	fake->rule_matches = xzalloc(sizeof(unsigned) * (fake->told ? fake->told->n_rules + 1 : 1));
	fake_store_fill(fake);
	return fake;
}

struct fake_imap *fake_imap_free(struct fake_imap *fake)
{
	if (fake) {
		fake_store_free(fake);
		free(fake->rule_matches);
		buf_done(&fake->commands);
		buf_done(&fake->complaints);
		free(fake);
	}
	return NULL;
}

void fake_imap_client(struct fake_imap *fake, int pid)
{
	fake->client = pid;
}

void fake_imap_tls(struct fake_imap *fake, struct tls_context *context)
{
	fake->tls = context;
}
