/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of dialogue files: one line, one thing; a heading opens a section, and what
 * follows belongs to it. Indentation is for the reader's eyes. Everything lives in the
 * dialogue's arena. */
#include "lib/dialogue.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"

struct reader {
	struct dialogue *d;
	struct arena *arena;
	int line;
	struct fault *fault;

	/* Where the next line belongs; NULL: not here. */
	struct dialogue_server *server;
	struct dialogue_folder *folder;
	struct dialogue_step **steps;
	bool in_run;
};

/* Lists are short and in the file's order. */
#define LINK_LAST(head, element)                                                                   \
	do {                                                                                       \
		__typeof__(&(head)) end_ = &(head);                                                \
		while (*end_)                                                                      \
			end_ = &(*end_)->next;                                                     \
		*end_ = (element);                                                                 \
	} while (0)

static int wrong(struct reader *r, const char *what, struct bytes which)
{
	return fault_usage(r->fault, "%s:%d: %s \"%.*s\"", r->d->name, r->line, what,
			   BYTES_ARG(which));
}

/* --- words and numbers ----------------------------------------------------------------------- */

/* The next word, which must be there. */
static int need_word(struct reader *r, struct bytes *rest, struct bytes *ret)
{
	struct bytes before = *rest;

	if (dialogue_word(r->arena, rest, ret) != 1)
		return wrong(r, "a word is missing or does not end in", before);
	return 0;
}

/* A number, with K, M or G for 1024 and its powers. */
static int read_number(struct reader *r, struct bytes word, uint64_t max, uint64_t *ret)
{
	static const char units[] = "KMG";
	const char *unit = word.n > 1 ? strchr(units, word.p[word.n - 1]) : NULL;
	unsigned shift = unit && *unit ? (unsigned)(unit - units + 1) * 10 : 0;

	if (bytes_to_u64(bytes_head(word, word.n - (shift != 0)), max >> shift, ret) < 0)
		return wrong(r, "not a number here:", word);

	*ret <<= shift;
	return 0;
}

static int need_number(struct reader *r, struct bytes *rest, uint64_t max, uint64_t *ret)
{
	struct bytes word;

	return need_word(r, rest, &word) < 0 ? -1 : read_number(r, word, max, ret);
}

static int need_u32(struct reader *r, struct bytes *rest, uint32_t *ret)
{
	uint64_t number;

	if (need_number(r, rest, UINT32_MAX, &number) < 0)
		return -1;
	*ret = (uint32_t)number;
	return 0;
}

static bool is(struct bytes word, const char *s)
{
	return bytes_equal(word, bytes_of(s));
}

/* --- headings -------------------------------------------------------------------------------- */

/* The "run" sections are for tests/dialogue/run.py; only their shape is checked here. */
static int read_run(struct reader *r, struct bytes rest)
{
	r->in_run = true;
	return rest.n ? wrong(r, "nothing belongs behind run:", rest) : 0;
}

static int read_server(struct reader *r, struct bytes rest)
{
	struct dialogue_server *server = arena_alloc(r->arena, sizeof(*server));

	server->line = r->line;
	if (need_word(r, &rest, &server->name) < 0)
		return -1;
	LINK_LAST(r->d->servers, server);
	r->server = server;
	return 0;
}

static int need_server(struct reader *r)
{
	return r->server ? 0 : wrong(r, "no server was named before", BYTES("this line"));
}

static int read_connection(struct reader *r, struct bytes rest)
{
	struct dialogue_script *script = arena_alloc(r->arena, sizeof(*script));
	uint32_t number = 0;

	if (need_server(r) < 0)
		return -1;
	if (!is(rest, "any") && need_u32(r, &rest, &number) < 0)
		return -1;

	script->line = r->line;
	script->connection = number;
	LINK_LAST(r->server->scripts, script);
	r->steps = &script->steps;
	return 0;
}

static int read_rule_word(struct reader *r, struct dialogue_rule *rule, struct bytes word,
			  struct bytes *rest)
{
	uint32_t number;

	if (is(word, "early")) {
		rule->when = RULE_EARLY;
		return 0;
	}
	if (is(word, "at")) {
		rule->when = RULE_AT;
		return need_number(r, rest, UINT64_MAX, &rule->at);
	}
	if (!is(word, "nth") && !is(word, "from") && !is(word, "until"))
		return wrong(r, "on knows early, at, nth, from and until, not", word);

	if (need_u32(r, rest, &number) < 0)
		return -1;
	if (!is(word, "until"))
		rule->first = number;
	if (!is(word, "from"))
		rule->last = number;
	return 0;
}

/* on [early|at N] [nth N|from N|until N]: PATTERN */
static int read_on(struct reader *r, struct bytes rest)
{
	struct dialogue_rule *rule = arena_alloc(r->arena, sizeof(*rule));
	struct bytes words = bytes_cut(&rest, ':'), word;
	int more;

	if (need_server(r) < 0)
		return -1;

	*rule = (struct dialogue_rule){ .line = r->line, .index = r->server->n_rules++,
					.first = 1, .last = UINT_MAX };
	rule->pattern = bytes_trim(rest);
	if (rule->pattern.n == 0)
		return wrong(r, "on needs a pattern behind a colon:", words);
	while ((more = dialogue_word(r->arena, &words, &word)) > 0)
		if (read_rule_word(r, rule, word, &words) < 0)
			return -1;

	LINK_LAST(r->server->rules, rule);
	r->steps = &rule->steps;
	return more;
}

static int read_folder_word(struct reader *r, struct dialogue_folder *folder, struct bytes word,
			    struct bytes *rest)
{
	if (is(word, "uidvalidity"))
		return need_u32(r, rest, &folder->uidvalidity);
	if (is(word, "uidnext"))
		return need_u32(r, rest, &folder->uidnext);
	if (is(word, "repeat"))
		return need_u32(r, rest, &folder->repeat);
	if (is(word, "attributes"))
		return need_word(r, rest, &folder->attributes);
	if (!is(word, "unsubscribed"))
		return wrong(r, "a folder has no", word);

	folder->unsubscribed = true;
	return 0;
}

static int read_folder(struct reader *r, struct bytes rest)
{
	struct dialogue_folder *folder = arena_alloc(r->arena, sizeof(*folder));
	struct bytes word;
	int more;

	folder->line = r->line;
	if (need_server(r) < 0 || need_word(r, &rest, &folder->name) < 0)
		return -1;
	while ((more = dialogue_word(r->arena, &rest, &word)) > 0)
		if (read_folder_word(r, folder, word, &rest) < 0)
			return -1;

	LINK_LAST(r->server->folders, folder);
	r->folder = folder;
	return more;
}

static int read_message_word(struct reader *r, struct dialogue_message *message, struct bytes word,
			     struct bytes *rest)
{
	if (is(word, "flags"))
		return need_word(r, rest, &message->flags);
	if (is(word, "date"))
		return need_word(r, rest, &message->date);
	if (is(word, "text"))
		return need_word(r, rest, &message->text);
	if (is(word, "size"))
		return need_number(r, rest, UINT64_MAX, &message->size);
	if (!is(word, "claims"))
		return wrong(r, "a message has no", word);

	message->has_claim = true;
	return need_number(r, rest, UINT64_MAX, &message->claim);
}

/* message UID[..UID] [flags (…)] [date "…"] [text "…"] [size N] [claims N] */
static int read_message(struct reader *r, struct bytes rest)
{
	struct dialogue_message *message = arena_alloc(r->arena, sizeof(*message));
	struct bytes word, uids;
	uint64_t first, last;
	int more;

	if (!r->folder)
		return wrong(r, "a message outside a folder:", rest);

	message->line = r->line;
	message->size = 512;
	if (need_word(r, &rest, &uids) < 0)
		return -1;
	word = bytes_cut(&uids, '.');
	if (read_number(r, word, UINT32_MAX, &first) < 0)
		return -1;
	last = first;
	if (uids.n && read_number(r, bytes_skip(uids, 1), UINT32_MAX, &last) < 0)
		return -1;
	while ((more = dialogue_word(r->arena, &rest, &word)) > 0)
		if (read_message_word(r, message, word, &rest) < 0)
			return -1;

	message->first = (uint32_t)first;
	message->last = (uint32_t)last;
	LINK_LAST(r->folder->messages, message);
	return more;
}

static int read_expect(struct reader *r, struct bytes rest)
{
	struct dialogue_expectation *expectation = arena_alloc(r->arena, sizeof(*expectation));

	if (need_server(r) < 0)
		return -1;
	expectation->line = r->line;
	expectation->text = rest;
	LINK_LAST(r->server->expectations, expectation);
	return 0;
}

/* --- steps ----------------------------------------------------------------------------------- */

enum argument { NONE, LINE, PATTERN, ESCAPED, NUMBER, NUMBER_ESCAPED, CLIENT_LITERAL };

static const struct step_word {
	const char *word;
	enum dialogue_step_kind kind;
	enum argument argument;
} step_words[] = {
	{ "S:", STEP_SEND, LINE },
	{ "S-raw:", STEP_SEND, ESCAPED },
	{ "S-literal:", STEP_SEND_LITERAL, ESCAPED },
	{ "S-message", STEP_SEND_MESSAGE, NONE },
	{ "S-repeat:", STEP_SEND_REPEATED, NUMBER_ESCAPED },
	{ "C:", STEP_EXPECT, PATTERN },
	{ "C-optional:", STEP_EXPECT_OPTIONAL, PATTERN },
	{ "C-literal:", STEP_EXPECT_LITERAL, CLIENT_LITERAL },
	{ "C-end", STEP_EXPECT_END, NONE },
	{ "pause", STEP_PAUSE, NONE },
	{ "hang", STEP_HANG, NONE },
	{ "close", STEP_CLOSE, NONE },
	{ "reset", STEP_RESET, NONE },
	{ "tls", STEP_TLS, NONE },
	{ "starttls", STEP_STARTTLS, NONE },
	{ "deflate", STEP_DEFLATE, NONE },
	{ "split", STEP_SPLIT, NUMBER },
	{ "serve", STEP_SERVE, NONE },
	{ "bye", STEP_BYE, NONE },
	{ "default", STEP_DEFAULT, NONE },
	{ "answer:", STEP_ANSWER, PATTERN },
	{ "later", STEP_LATER, NONE },
};

/* C-literal: N bytes · C-literal: sha256 HEX · C-literal: "the bytes themselves" */
static int read_client_literal(struct reader *r, struct dialogue_step *step, struct bytes rest)
{
	struct bytes first;

	if (rest.n && rest.p[0] == '"')
		return need_word(r, &rest, &step->text);
	if (need_word(r, &rest, &first) < 0)
		return -1;
	if (is(first, "sha256")) {
		step->kind = STEP_EXPECT_SHA256;
		return need_word(r, &rest, &step->text);
	}

	step->kind = STEP_EXPECT_BYTES;
	return read_number(r, first, UINT64_MAX, &step->number);
}

static int read_argument(struct reader *r, struct dialogue_step *step, enum argument argument,
			 struct bytes rest)
{
	switch (argument) {
	case NONE:
		return rest.n ? wrong(r, "nothing belongs behind this step:", rest) : 0;
	case LINE:
		step->text = bytes_of(arena_printf(r->arena, "%.*s\r\n", (int)rest.n,
						   rest.n ? rest.p : ""));
		return 0;
	case PATTERN:
		step->text = rest;
		return 0;
	case NUMBER:
		return need_number(r, &rest, UINT64_MAX, &step->number);
	case NUMBER_ESCAPED:
		if (need_number(r, &rest, UINT64_MAX, &step->number) < 0)
			return -1;
		__attribute__((fallthrough));
	case ESCAPED:
		if (dialogue_unescape(r->arena, rest, &step->text) < 0)
			return wrong(r, "an escape that does not exist (a backslash is \\\\) in",
				     rest);
		return 0;
	case CLIENT_LITERAL:
		return read_client_literal(r, step, rest);
	}

	return 0;
}

static int read_step(struct reader *r, const struct step_word *word, struct bytes rest)
{
	struct dialogue_step *step = arena_alloc(r->arena, sizeof(*step));

	*step = (struct dialogue_step){ .kind = word->kind, .line = r->line };
	LINK_LAST(*r->steps, step);
	return read_argument(r, step, word->argument, rest);
}

/* --- settings -------------------------------------------------------------------------------- */

static const char *const server_settings[] = {
	"login", "capability", "capability after login", "volunteers", "separator", "prefix",
	"namespace", "permanentflags", "flags", "tls", "split", "complaints",
	"case",
};

static const char *const run_settings[] = {
	"about", "options", "exit", "stdout", "stderr", "not stdout", "not stderr", "max-rss",
	"from", "to", "password", "slow",
};

static bool is_one_of(struct bytes name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is(name, names[i]))
			return true;

	return false;
}

static int read_setting(struct reader *r, struct bytes text)
{
	struct dialogue_setting *setting = arena_alloc(r->arena, sizeof(*setting));
	bool known;

	setting->line = r->line;
	setting->value = text;
	setting->name = bytes_trim(bytes_cut(&setting->value, ':'));
	setting->value = bytes_trim(setting->value);

	known = r->in_run ? is_one_of(setting->name, run_settings, ARRAY_SIZE(run_settings))
			  : is_one_of(setting->name, server_settings, ARRAY_SIZE(server_settings));
	if (!known)
		return wrong(r, "not a heading, step or setting that belongs here:", text);
	if (!r->in_run)
		LINK_LAST(r->server->settings, setting);
	return 0;
}

/* --- lines ----------------------------------------------------------------------------------- */

static const struct heading {
	const char *word;
	int (*read)(struct reader *r, struct bytes rest);
	bool stays; /* in the section it stands in */
} headings[] = {
	{ "run", read_run, false },	     { "server", read_server, false },
	{ "connection", read_connection, false }, { "on", read_on, false },
	{ "on:", read_on, false },	     { "folder", read_folder, false },
	{ "message", read_message, true },   { "expect", read_expect, false },
};

static int read_heading(struct reader *r, const struct heading *heading, struct bytes text,
			struct bytes rest)
{
	if (!heading->stays) {
		r->folder = NULL;
		r->steps = NULL;
		r->in_run = false;
	}
	if (is(bytes_of(heading->word), "on:"))
		rest = bytes_skip(text, 2);
	return heading->read(r, rest);
}

static int read_line(struct reader *r, struct bytes text)
{
	struct bytes rest = text, word = bytes_cut(&rest, ' ');

	for (size_t i = 0; i < ARRAY_SIZE(headings); i++)
		if (is(word, headings[i].word))
			return read_heading(r, &headings[i], text, rest);
	for (size_t i = 0; r->steps && i < ARRAY_SIZE(step_words); i++)
		if (is(word, step_words[i].word))
			return read_step(r, &step_words[i], rest);
	if (r->steps || r->folder || (!r->in_run && !r->server))
		return wrong(r, "not a heading or step that belongs here:", text);

	return read_setting(r, text);
}

/* Blanks at the end of a line count: a server may send them. */
static struct bytes without_indent(struct bytes line)
{
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	while (line.n && ascii_is_blank(line.p[0]))
		line = bytes_skip(line, 1);
	return line;
}

int dialogue_parse(const char *name, struct bytes text, struct dialogue **ret, struct fault *fault)
{
	_cleanup_(dialogue_freep) struct dialogue *d = xzalloc(sizeof(*d));
	struct reader r = { .d = d, .arena = &d->arena, .fault = fault };

	d->name = arena_strdup(&d->arena, name);
	*fault = FAULT_INIT;
	text = arena_copy(&d->arena, text);
	while (text.n) {
		struct bytes line = without_indent(bytes_cut(&text, '\n'));

		r.line++;
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (read_line(&r, line) < 0) {
			if (fault->kind == FAULT_NONE)
				wrong(&r, "a quote, group or escape that does not end in", line);
			return -1;
		}
	}

	*ret = TAKE_PTR(d);
	return 0;
}

static void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

int dialogue_load(const char *path, struct dialogue **ret, struct fault *fault)
{
	_cleanup_(close_file) FILE *file = fopen(path, "rb");
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	const char *slash = strrchr(path, '/');
	size_t n;

	if (!file)
		return fault_usage(fault, "cannot read %s: %s", path, strerror(errno));
	do {
		n = fread(buf_reserve(&text, 65536), 1, 65536, file);
		text.n += n;
	} while (n);

	return dialogue_parse(slash ? slash + 1 : path, buf_bytes(&text), ret, fault);
}

struct dialogue *dialogue_free(struct dialogue *dialogue)
{
	if (dialogue) {
		arena_done(&dialogue->arena);
		free(dialogue);
	}
	return NULL;
}

/* --- asking ---------------------------------------------------------------------------------- */

const struct dialogue_server *dialogue_server(const struct dialogue *dialogue, const char *name)
{
	for (const struct dialogue_server *s = dialogue->servers; s; s = s->next)
		if (is(s->name, name))
			return s;

	return NULL;
}

const struct dialogue_folder *dialogue_folder(const struct dialogue_server *server,
					      struct bytes name)
{
	for (const struct dialogue_folder *f = server ? server->folders : NULL; f; f = f->next)
		if (bytes_equal(f->name, name))
			return f;

	return NULL;
}

struct bytes dialogue_setting(const struct dialogue_server *server, const char *name,
			      const char *otherwise)
{
	struct bytes value = bytes_of(otherwise);

	for (const struct dialogue_setting *s = server ? server->settings : NULL; s; s = s->next)
		if (is(s->name, name))
			value = s->value;

	return value;
}
