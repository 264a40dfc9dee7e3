/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of dialogue files: one line, one thing; a heading opens a section, and what
 * follows belongs to it. Indentation is for the reader's eyes. Everything lives in the
 * dialogue's arena. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "lib/dialogue-parts.h"

int dialogue_wrong(struct dialogue_reader *r, const char *what, struct bytes which)
{
	return fault_usage(r->fault, "%s:%d: %s \"%.*s\"", r->d->name, r->line, what,
			   BYTES_ARG(which));
}

/* --- words and numbers ----------------------------------------------------------------------- */

/* The next word, which must be there. */
int dialogue_need_word(struct dialogue_reader *r, struct bytes *rest, struct bytes *ret)
{
	struct bytes before = *rest;

	if (dialogue_word(r->arena, rest, ret) != 1)
		return dialogue_wrong(r, "a word is missing or does not end in", before);
	return 0;
}

/* A number, with K, M or G for 1024 and its powers. */
int dialogue_number(struct dialogue_reader *r, struct bytes word, uint64_t max, uint64_t *ret)
{
	static const char units[] = "KMG";
	const char *unit = word.n > 1 ? strchr(units, word.p[word.n - 1]) : NULL;
	unsigned shift = unit && *unit ? (unsigned)(unit - units + 1) * 10 : 0;

	if (bytes_to_u64(bytes_head(word, word.n - (shift != 0)), max >> shift, ret) < 0)
		return dialogue_wrong(r, "not a number here:", word);

	*ret <<= shift;
	return 0;
}

int dialogue_need_number(struct dialogue_reader *r, struct bytes *rest, uint64_t max,
			 uint64_t *ret)
{
	struct bytes word;

	return dialogue_need_word(r, rest, &word) < 0 ? -1 : dialogue_number(r, word, max, ret);
}

int dialogue_need_u32(struct dialogue_reader *r, struct bytes *rest, uint32_t *ret)
{
	uint64_t number;

	if (dialogue_need_number(r, rest, UINT32_MAX, &number) < 0)
		return -1;
	*ret = (uint32_t)number;
	return 0;
}

bool dialogue_is(struct bytes word, const char *s)
{
	return bytes_equal(word, bytes_of(s));
}

int dialogue_range(struct dialogue_reader *r, struct bytes word, uint64_t *ret_first,
		   uint64_t *ret_last)
{
	struct bytes rest = word, first = bytes_cut(&rest, '.');

	if (dialogue_number(r, first, UINT32_MAX, ret_first) < 0)
		return -1;
	*ret_last = *ret_first;
	return rest.n ? dialogue_number(r, bytes_skip(rest, 1), UINT32_MAX, ret_last) : 0;
}

/* --- headings -------------------------------------------------------------------------------- */

/* The "run" sections are for tests/dialogue/run.py; only their shape is checked here. */
static int read_run(struct dialogue_reader *r, struct bytes rest)
{
	r->in_run = true;
	r->d->runs = ++r->runs;
	return rest.n ? dialogue_wrong(r, "nothing belongs behind run:", rest) : 0;
}

/* A change may name a server before its own section does. */
static int need_named_server(struct dialogue_reader *r, struct bytes rest,
			     struct dialogue_server **ret)
{
	struct dialogue_server *server;
	struct bytes name;

	if (dialogue_need_word(r, &rest, &name) < 0)
		return -1;
	for (server = r->d->servers; server && !bytes_equal(server->name, name);)
		server = server->next;
	if (!server) {
		server = arena_alloc(r->arena, sizeof(*server));
		server->line = r->line;
		server->name = name;
		LINK_LAST(r->d->servers, server);
	}
	*ret = server;
	return 0;
}

static int read_server(struct dialogue_reader *r, struct bytes rest)
{
	return need_named_server(r, rest, &r->server);
}

static int read_change(struct dialogue_reader *r, struct bytes rest)
{
	return need_named_server(r, rest, &r->changing);
}

/* sweep NAME FIRST..LAST | VALUE…: here the first of them stands for all. */
static int read_sweep(struct dialogue_reader *r, struct bytes rest)
{
	struct dialogue_sweep *sweep = arena_alloc(r->arena, sizeof(*sweep));
	ptrdiff_t dots;

	if (dialogue_need_word(r, &rest, &sweep->name) < 0 ||
	    dialogue_need_word(r, &rest, &sweep->value) < 0)
		return -1;
	dots = bytes_find(sweep->value, BYTES(".."));
	if (dots > 0 && ascii_is_digit(sweep->value.p[0]))
		sweep->value = bytes_head(sweep->value, (size_t)dots);
	LINK_LAST(r->d->sweeps, sweep);
	return 0;
}

static int need_server(struct dialogue_reader *r)
{
	return r->server ? 0 : dialogue_wrong(r, "no server was named before", BYTES("this line"));
}

/* connection N|any [run M] */
static int read_connection(struct dialogue_reader *r, struct bytes rest)
{
	struct dialogue_script *script = arena_alloc(r->arena, sizeof(*script));
	struct bytes word;

	if (need_server(r) < 0)
		return -1;
	if (bytes_starts(rest, BYTES("any")))
		rest = bytes_skip(rest, 3);
	else if (dialogue_need_u32(r, &rest, &script->connection) < 0)
		return -1;
	if (dialogue_word(r->arena, &rest, &word) > 0) {
		if (!dialogue_is(word, "run"))
			return dialogue_wrong(r, "run was expected, not", word);
		if (dialogue_need_u32(r, &rest, &script->run) < 0)
			return -1;
	}

	script->line = r->line;
	LINK_LAST(r->server->scripts, script);
	r->steps = &script->steps;
	return 0;
}

static int read_runs(struct dialogue_reader *r, struct dialogue_rule *rule, bool from, bool until,
		     struct bytes *rest)
{
	uint32_t number;

	if (dialogue_need_u32(r, rest, &number) < 0)
		return -1;
	if (from)
		rule->first_run = number;
	if (until)
		rule->last_run = number;
	return 0;
}

static int read_rule_word(struct dialogue_reader *r, struct dialogue_rule *rule, struct bytes word,
			  struct bytes *rest)
{
	uint32_t number;

	if (dialogue_is(word, "early")) {
		rule->when = RULE_EARLY;
		return 0;
	}
	if (dialogue_is(word, "at")) {
		rule->when = RULE_AT;
		return dialogue_need_number(r, rest, UINT64_MAX, &rule->at);
	}
	if (dialogue_is(word, "command")) {
		rule->commands_only = true;
		return 0;
	}
	if (dialogue_is(word, "run"))
		return read_runs(r, rule, true, true, rest);

	*rest = bytes_trim(*rest);
	if (!dialogue_is(word, "nth") && bytes_starts(*rest, BYTES("run "))) {
		*rest = bytes_skip(*rest, 4);
		return read_runs(r, rule, dialogue_is(word, "from"), dialogue_is(word, "until"),
				 rest);
	}
	if (!dialogue_is(word, "nth") && !dialogue_is(word, "from") && !dialogue_is(word, "until"))
		return dialogue_wrong(r, "on knows command, early, at, nth, run, from and until, "
				      "not", word);

	if (dialogue_need_u32(r, rest, &number) < 0)
		return -1;
	if (!dialogue_is(word, "until"))
		rule->first = number;
	if (!dialogue_is(word, "from"))
		rule->last = number;
	return 0;
}

/* on [command] [early|at N] [nth N|from N|until N] [run N|from run N|until run N]: PATTERN */
static int read_on(struct dialogue_reader *r, struct bytes rest)
{
	struct dialogue_rule *rule = arena_alloc(r->arena, sizeof(*rule));
	struct bytes words = bytes_cut(&rest, ':'), word;
	int more;

	if (need_server(r) < 0)
		return -1;

	*rule = (struct dialogue_rule){ .line = r->line, .index = r->server->n_rules++,
					.first = 1, .last = UINT_MAX, .first_run = 1,
					.last_run = UINT_MAX, .must_act = r->is_swept };
	rule->pattern = bytes_trim(rest);
	if (rule->pattern.n == 0)
		return dialogue_wrong(r, "on needs a pattern behind a colon:", words);
	while ((more = dialogue_word(r->arena, &words, &word)) > 0)
		if (read_rule_word(r, rule, word, &words) < 0)
			return -1;

	LINK_LAST(r->server->rules, rule);
	r->steps = &rule->steps;
	return more;
}

/* expect [after run N:] … */
static int read_expect(struct dialogue_reader *r, struct bytes rest)
{
	struct dialogue_expectation *expectation = arena_alloc(r->arena, sizeof(*expectation));
	uint64_t number;

	if (need_server(r) < 0)
		return -1;
	if (bytes_starts(rest, BYTES("after run "))) {
		struct bytes run = bytes_skip(bytes_cut(&rest, ':'), 10);

		if (dialogue_number(r, run, UINT32_MAX, &number) < 0)
			return -1;
		expectation->after_run = (unsigned)number;
		rest = bytes_trim(rest);
	}
	expectation->line = r->line;
	expectation->text = rest;
	LINK_LAST(r->server->expectations, expectation);
	return 0;
}

/* --- settings -------------------------------------------------------------------------------- */

static const char *const server_settings[] = {
	"login", "capability", "capability after login", "volunteers", "separator", "prefix",
	"namespace", "permanentflags", "flags", "tls", "split", "complaints",
	"case", "rewrites",
};

static const char *const run_settings[] = {
	"about", "verb", "options", "exit", "stdout", "stderr", "not stdout", "not stderr",
	"max-rss", "from", "to", "password", "slow", "kill", "keep", "crown", "then", "fail",
	"save", "restore", "later",
};

static bool is_one_of(struct bytes name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (dialogue_is(name, names[i]))
			return true;

	return false;
}

static int read_setting(struct dialogue_reader *r, struct bytes text)
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
		return dialogue_wrong(r, "not a heading, step or setting that belongs here:", text);
	if (!r->in_run)
		LINK_LAST(r->server->settings, setting);
	return 0;
}

/* --- lines ----------------------------------------------------------------------------------- */

static const struct heading {
	const char *word;
	int (*read)(struct dialogue_reader *r, struct bytes rest);
	bool stays; /* in the section it stands in */
} headings[] = {
	{ "run", read_run, false },
	{ "sweep", read_sweep, false },
	{ "change", read_change, false },
	{ "server", read_server, false },
	{ "connection", read_connection, false },
	{ "on", read_on, false },
	{ "on:", read_on, false },
	{ "folder", dialogue_read_folder, false },
	{ "message", dialogue_read_message, true },
	{ "expect", read_expect, false },
};

static int read_heading(struct dialogue_reader *r, const struct heading *heading, struct bytes text,
			struct bytes rest)
{
	if (!heading->stays) {
		r->folder = NULL;
		r->steps = NULL;
		r->changing = NULL;
		r->in_run = false;
	}
	if (dialogue_is(bytes_of(heading->word), "on:"))
		rest = bytes_skip(text, 2);
	return heading->read(r, rest);
}

static int read_changing_line(struct dialogue_reader *r, struct bytes text)
{
	struct dialogue_change *change;

	if (dialogue_read_change(r, text, &change) < 0)
		return -1;
	LINK_LAST(r->changing->changes, change);
	return 0;
}

static int read_line(struct dialogue_reader *r, struct bytes text)
{
	struct bytes rest = text, word = bytes_cut(&rest, ' ');

	for (size_t i = 0; i < ARRAY_SIZE(headings); i++)
		if (dialogue_is(word, headings[i].word))
			return read_heading(r, &headings[i], text, rest);
	if (r->steps && dialogue_is_step(word))
		return dialogue_read_step(r, word, rest);
	if (r->changing)
		return read_changing_line(r, text);
	if (r->steps || r->folder || (!r->in_run && !r->server))
		return dialogue_wrong(r, "not a heading or step that belongs here:", text);

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

/* The line with the sweeps' names replaced. */
static struct bytes fill_in(struct dialogue_reader *r, struct bytes line)
{
	r->is_swept = false;
	for (const struct dialogue_sweep *s = r->d->sweeps; s; s = s->next) {
		struct bytes name = bytes_of(arena_printf(r->arena, "{%.*s}", BYTES_ARG(s->name)));
		_cleanup_(buf_done) struct buf filled = BUF_NULL;
		ptrdiff_t at;

		while ((at = bytes_find(line, name)) >= 0) {
			buf_append_bytes(&filled, bytes_head(line, (size_t)at));
			buf_append_bytes(&filled, s->value);
			line = bytes_skip(line, (size_t)at + name.n);
			r->is_swept = true;
		}
		buf_append_bytes(&filled, line);
		line = arena_copy(r->arena, buf_bytes(&filled));
	}

	return line;
}

/* No expectation waits for a run that never comes. */
static int check_expectations(struct dialogue_reader *r)
{
	for (const struct dialogue_server *s = r->d->servers; s && r->runs; s = s->next) {
		for (const struct dialogue_expectation *e = s->expectations; e; e = e->next) {
			r->line = e->line;
			if (e->after_run > r->runs)
				return dialogue_wrong(r, "there is no such run:", e->text);
		}
	}

	return 0;
}

int dialogue_parse(const char *name, struct bytes text, struct dialogue **ret, struct fault *fault)
{
	_cleanup_(dialogue_freep) struct dialogue *d = xzalloc(sizeof(*d));
	struct dialogue_reader r = { .d = d, .arena = &d->arena, .fault = fault };

	d->name = arena_strdup(&d->arena, name);
	*fault = FAULT_INIT;
	text = arena_copy(&d->arena, text);
	while (text.n) {
		struct bytes line = without_indent(bytes_cut(&text, '\n'));

		r.line++;
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (read_line(&r, fill_in(&r, line)) < 0) {
			if (fault->kind == FAULT_NONE)
				dialogue_wrong(&r, "a quote, group or escape that does not end in",
					       line);
			return -1;
		}
	}
	if (check_expectations(&r) < 0)
		return -1;

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
		if (dialogue_is(s->name, name))
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
		if (dialogue_is(s->name, name))
			value = s->value;

	return value;
}
