/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in server: takes commands one by one, asks the rules, and does what RFC 3501 and
 * the advertised extensions say (login here, the rest in its own files). A client that asks for
 * what was not advertised gets BAD and a complaint. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "lib/fake-imap-parts.h"

static const char default_capabilities[] =
	"IMAP4rev1 LITERAL+ SASL-IR ID NAMESPACE UIDPLUS UNSELECT CHILDREN SPECIAL-USE "
	"LIST-EXTENDED LIST-STATUS MULTIAPPEND ENABLE CONDSTORE QRESYNC MOVE AUTH=PLAIN";

/* --- capabilities ---------------------------------------------------------------------------- */

static void remove_word(struct buf *words, struct bytes word)
{
	_cleanup_(buf_done) struct buf kept = BUF_NULL;
	struct bytes rest = buf_bytes(words);

	while (rest.n) {
		struct bytes one = bytes_cut(&rest, ' ');

		if (one.n && !bytes_equal_nocase(one, word)) {
			buf_append_bytes(&kept, one);
			buf_append_char(&kept, ' ');
		}
	}

	buf_reset(words);
	buf_append_bytes(words, buf_bytes(&kept));
}

/* "A B": these; "+A -B": what was there, and A, but not B. */
static void apply(struct buf *words, struct bytes change)
{
	if (change.n && change.p[0] != '+' && change.p[0] != '-')
		buf_reset(words);
	while (change.n) {
		struct bytes word = bytes_cut(&change, ' ');
		bool remove = word.n && word.p[0] == '-';

		if (word.n && (remove || word.p[0] == '+'))
			word = bytes_skip(word, 1);
		remove_word(words, word);
		if (!remove && word.n) {
			buf_append_bytes(words, word);
			buf_append_char(words, ' ');
		}
	}
}

static void capabilities(const struct fake_connection *c, struct buf *to)
{
	const struct dialogue_server *told = c->fake->told;

	apply(to, bytes_of(default_capabilities));
	apply(to, dialogue_setting(told, "capability", ""));
	if (c->state != FAKE_GREETED)
		apply(to, BYTES("-AUTH=PLAIN -SASL-IR -STARTTLS -LOGINDISABLED"));
	if (c->state != FAKE_GREETED)
		apply(to, dialogue_setting(told, "capability after login", ""));
	if (stream_find(c->stream, "tls"))
		apply(to, BYTES("-STARTTLS -LOGINDISABLED"));
	if (c->deflated)
		apply(to, BYTES("-COMPRESS=DEFLATE"));
	to->n = bytes_trim(buf_bytes(to)).n;
	buf_append_str(to, "");
}

bool fake_can(const struct fake_connection *c, const char *capability)
{
	_cleanup_(buf_done) struct buf all = BUF_NULL;
	struct bytes rest;

	capabilities(c, &all);
	rest = buf_bytes(&all);
	while (rest.n)
		if (bytes_equal_nocase(bytes_cut(&rest, ' '), bytes_of(capability)))
			return true;

	return false;
}

static bool volunteers(const struct fake_connection *c, const char *where)
{
	return bytes_find(dialogue_setting(c->fake->told, "volunteers", "greeting login"),
			  bytes_of(where)) >= 0;
}

/* "[CAPABILITY …] " where the server volunteers it, else "". */
static void capability_code(const struct fake_connection *c, const char *where, struct buf *to)
{
	_cleanup_(buf_done) struct buf all = BUF_NULL;

	if (!volunteers(c, where))
		return;
	capabilities(c, &all);
	buf_appendf(to, "[CAPABILITY %s] ", buf_str(&all));
}

/* --- any state ------------------------------------------------------------------------------- */

int fake_bad(struct fake_connection *c, const char *why)
{
	fake_complain(c->fake, 0, "%s: %.*s", why, BYTES_ARG(buf_bytes(&c->command)));
	return fake_answer(c, "BAD %s", why);
}

struct bytes fake_word(struct fake_connection *c)
{
	struct bytes word = BYTES_NULL;

	if (dialogue_word(&c->fake->arena, &c->arguments, &word) < 0)
		fake_complain(c->fake, 0, "unbalanced: %.*s", BYTES_ARG(buf_bytes(&c->command)));
	return word;
}

static int do_capability(struct fake_connection *c)
{
	_cleanup_(buf_done) struct buf all = BUF_NULL;

	capabilities(c, &all);
	return fake_sendf(c, "* CAPABILITY %s", buf_str(&all)) < 0 ? -1 : fake_answer(c, "OK done");
}

static int do_noop(struct fake_connection *c)
{
	return fake_answer(c, "OK done");
}

static int do_id(struct fake_connection *c)
{
	if (fake_sendf(c, "* ID (\"name\" \"fake\" \"version\" \"1\")") < 0)
		return -1;
	return fake_answer(c, "OK done");
}

static int do_logout(struct fake_connection *c)
{
	if (fake_sendf(c, "* BYE see you") == 0)
		fake_answer(c, "OK done");
	return -1;
}

/* --- logging in ------------------------------------------------------------------------------ */

static int do_starttls(struct fake_connection *c)
{
	return fake_answer(c, "OK begin TLS") < 0 ? -1 : fake_start_tls(c);
}

static int log_in(struct fake_connection *c, struct bytes user, struct bytes password)
{
	_cleanup_(buf_done) struct buf code = BUF_NULL;
	struct bytes known = dialogue_setting(c->fake->told, "login", "u secret"), wanted;

	if (fake_can(c, "LOGINDISABLED"))
		return fake_bad(c, "a password although the server said LOGINDISABLED");
	dialogue_word(&c->fake->arena, &known, &wanted);
	if (!bytes_equal(user, wanted))
		return fake_answer(c, "NO [AUTHENTICATIONFAILED] Authentication failed.");
	dialogue_word(&c->fake->arena, &known, &wanted);
	if (!bytes_equal(password, wanted))
		return fake_answer(c, "NO [AUTHENTICATIONFAILED] Authentication failed.");

	c->state = FAKE_LOGGED_IN;
	capability_code(c, "login", &code);
	return fake_answer(c, "OK %sLogged in", buf_str(&code));
}

static int do_login(struct fake_connection *c)
{
	struct bytes user = fake_word(c);

	return log_in(c, user, fake_word(c));
}

/* authzid NUL user NUL password, in base64 */
static int log_in_plain(struct fake_connection *c, struct bytes response)
{
	unsigned char plain[768];
	struct bytes rest, user;
	int n;

	if (response.n == 0 || response.n > 1000 || response.n % 4)
		return fake_bad(c, "not base64");
	n = EVP_DecodeBlock(plain, (const unsigned char *)response.p, (int)response.n);
	if (n < 0)
		return fake_bad(c, "not base64");
	n -= response.p[response.n - 1] == '=';
	n -= response.p[response.n - 2] == '=';

	rest = (struct bytes){ (const char *)plain, (size_t)n };
	bytes_cut(&rest, '\0');
	user = bytes_cut(&rest, '\0');
	return log_in(c, user, rest);
}

static int do_authenticate(struct fake_connection *c)
{
	_cleanup_(buf_done) struct buf line = BUF_NULL;
	struct bytes mechanism = fake_word(c), response = fake_word(c);

	if (!bytes_equal_nocase(mechanism, BYTES("PLAIN")) || !fake_can(c, "AUTH=PLAIN"))
		return fake_bad(c, "a mechanism that was not offered");
	if (response.n && !fake_can(c, "SASL-IR"))
		return fake_bad(c, "an initial response without SASL-IR");
	if (response.n)
		return log_in_plain(c, response);

	if (fake_sendf(c, "+ ") < 0 || fake_read_line(c, &line) < 0)
		return -1;
	if (bytes_equal(buf_bytes(&line), BYTES("*")))
		return fake_answer(c, "BAD cancelled");
	return log_in_plain(c, buf_bytes(&line));
}

static int do_enable(struct fake_connection *c)
{
	_cleanup_(buf_done) struct buf enabled = BUF_NULL;
	_cleanup_(buf_done) struct buf name = BUF_NULL;
	struct bytes word;

	while ((word = fake_word(c)).n) {
		buf_reset(&name);
		buf_append_bytes(&name, word);
		c->qresync |= bytes_equal_nocase(word, BYTES("QRESYNC"));
		c->condstore |= c->qresync || bytes_equal_nocase(word, BYTES("CONDSTORE"));
		if (fake_can(c, buf_str(&name)))
			buf_appendf(&enabled, " %s", buf_str(&name));
		else
			fake_complain(c->fake, 0, "ENABLE of what was not advertised: %s",
				      buf_str(&name));
	}
	if (fake_sendf(c, "* ENABLED%s", buf_str(&enabled)) < 0)
		return -1;
	return fake_answer(c, "OK done");
}

static int do_compress(struct fake_connection *c)
{
	struct fault fault;

	if (!bytes_equal_nocase(fake_word(c), BYTES("DEFLATE")))
		return fake_bad(c, "only DEFLATE is known");
	if (fake_answer(c, "OK deflating") < 0 || deflate_start(&c->stream, &fault) < 0)
		return -1;
	c->deflated = true;
	return 0;
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct command {
	const char *name;
	unsigned states;
	const char *needs; /* the capability, or NULL */
	int (*run)(struct fake_connection *c);
	bool tells; /* begins with what happened to the folder: where numbers may change then */
} commands[] = {
	{ "CAPABILITY", FAKE_ANY, NULL, do_capability },
	{ "NOOP", FAKE_ANY, NULL, do_noop, true },
	{ "LOGOUT", FAKE_ANY, NULL, do_logout },
	{ "ID", FAKE_ANY, "ID", do_id },
	{ "STARTTLS", FAKE_GREETED, "STARTTLS", do_starttls },
	{ "LOGIN", FAKE_GREETED, NULL, do_login },
	{ "AUTHENTICATE", FAKE_GREETED, NULL, do_authenticate },
	{ "ENABLE", FAKE_LOGGED_IN, "ENABLE", do_enable },
	{ "COMPRESS", FAKE_LOGGED_IN | FAKE_SELECTED, "COMPRESS=DEFLATE", do_compress },
	{ "NAMESPACE", FAKE_LOGGED_IN | FAKE_SELECTED, "NAMESPACE", fake_namespace },
	{ "LIST", FAKE_LOGGED_IN | FAKE_SELECTED, NULL, fake_list },
	{ "LSUB", FAKE_LOGGED_IN | FAKE_SELECTED, NULL, fake_lsub },
	{ "XLIST", FAKE_LOGGED_IN | FAKE_SELECTED, "XLIST", fake_xlist },
	{ "STATUS", FAKE_LOGGED_IN | FAKE_SELECTED, NULL, fake_status },
	{ "CREATE", FAKE_LOGGED_IN | FAKE_SELECTED, NULL, fake_create },
	{ "DELETE", FAKE_LOGGED_IN | FAKE_SELECTED, NULL, fake_delete },
	{ "RENAME", FAKE_LOGGED_IN | FAKE_SELECTED, NULL, fake_rename },
	{ "SUBSCRIBE", FAKE_LOGGED_IN | FAKE_SELECTED, NULL, fake_subscribe },
	{ "UNSUBSCRIBE", FAKE_LOGGED_IN | FAKE_SELECTED, NULL, fake_unsubscribe },
	{ "SELECT", FAKE_LOGGED_IN | FAKE_SELECTED, NULL, fake_select },
	{ "EXAMINE", FAKE_LOGGED_IN | FAKE_SELECTED, NULL, fake_examine },
	{ "APPEND", FAKE_LOGGED_IN | FAKE_SELECTED, NULL, fake_append, true },
	{ "UNSELECT", FAKE_SELECTED, "UNSELECT", fake_unselect },
	{ "CLOSE", FAKE_SELECTED, NULL, fake_close },
	{ "EXPUNGE", FAKE_SELECTED, NULL, fake_expunge, true },
	{ "FETCH", FAKE_SELECTED, NULL, fake_fetch },
	{ "SEARCH", FAKE_SELECTED, NULL, fake_search },
	{ "STORE", FAKE_SELECTED, NULL, fake_store },
	{ "UID FETCH", FAKE_SELECTED, NULL, fake_uid_fetch, true },
	{ "UID SEARCH", FAKE_SELECTED, NULL, fake_uid_search, true },
	{ "UID STORE", FAKE_SELECTED, NULL, fake_uid_store, true },
	{ "UID EXPUNGE", FAKE_SELECTED, "UIDPLUS", fake_uid_expunge, true },
	{ "UID COPY", FAKE_SELECTED, NULL, fake_uid_copy, true },
	{ "UID MOVE", FAKE_SELECTED, "MOVE", fake_uid_move, true },
};

/* Finds the command and leaves its arguments in c->arguments; NULL: nobody knows it. */
static const struct command *find_command(struct fake_connection *c)
{
	struct bytes all = buf_bytes(&c->command);

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		struct bytes name = bytes_of(commands[i].name);

		if (!bytes_starts(all, name) || (all.n > name.n && all.p[name.n] != ' '))
			continue;
		c->arguments = bytes_skip(all, name.n);
		return &commands[i];
	}

	return NULL;
}

static int run_command(struct fake_connection *c, void *arg)
{
	const struct command *command = find_command(c);

	if (!command)
		return fake_bad(c, "a command the server does not know");
	if (!(command->states & c->state))
		return fake_bad(c, "a command that this state does not allow");
	if (command->needs && !fake_can(c, command->needs))
		return fake_bad(c, "a command that was not advertised");
	if (command->tells && fake_tell(c) < 0)
		return -1;

	return command->run(c);
}

/* --- taking commands ------------------------------------------------------------------------- */

static void upper_case_name(struct buf *command)
{
	bool uid = bytes_starts_nocase(buf_bytes(command), BYTES("UID "));

	for (size_t i = 0; i < command->n && (command->p[i] != ' ' || (uid && i == 3)); i++)
		command->p[i] = ascii_upper(command->p[i]);
}

static int take_tag(struct fake_connection *c)
{
	struct bytes all = buf_bytes(&c->command), tag = bytes_cut(&all, ' ');

	snprintf(c->tag, sizeof(c->tag), "%.*s", BYTES_ARG(tag));
	if (tag.n == 0 || tag.n >= sizeof(c->tag) || all.n == 0) {
		fake_complain(c->fake, 0, "not a command: %s", buf_str(&c->command));
		return fake_sendf(c, "* BAD not a command") < 0 ? -1 : 1;
	}

	buf_consume(&c->command, tag.n + 1);
	upper_case_name(&c->command);
	dialogue_name_set(&c->names, "tag", bytes_of(c->tag));
	return 0;
}

/* What an APPEND announces last is a message: it is left unread. */
static bool is_message_ahead(const struct fake_connection *c)
{
	struct bytes all = buf_bytes(&c->command);

	return c->has_literal && bytes_starts(all, BYTES("APPEND ")) && all.n > 7;
}

static void log_command(struct fake_connection *c)
{
	struct buf *log = &c->fake->commands;

	for (size_t i = 0; i < c->command.n; i++)
		buf_append_char(log, (unsigned char)c->command.p[i] < ' ' ? '?' : c->command.p[i]);
	buf_append_char(log, '\n');
}

/* 0 a command is there, 1 none but go on, -1 over. A rule that acts early ends the reading:
 * *ret_early. */
static int read_command(struct fake_connection *c, const struct dialogue_rule **ret_early)
{
	int r;

	*ret_early = NULL;
	buf_reset(&c->command);
	if (fake_read_plain(c, &c->command) < 0)
		return -1;
	r = take_tag(c);
	if (r)
		return r;

	*ret_early = fake_rule(c, buf_bytes(&c->command), RULE_EARLY);
	while (c->has_literal && !*ret_early && !is_message_ahead(c))
		if (fake_read_string(c, &c->command) < 0 || fake_read_plain(c, &c->command) < 0)
			return -1;

	log_command(c);
	return 0;
}

/* What a client sends without waiting comes, whatever was answered before. */
static int drop_literals(struct fake_connection *c)
{
	_cleanup_(buf_done) struct buf dropped = BUF_NULL;
	char piece[2048];

	while (c->has_literal && !c->literal_waits) {
		while (c->literal) {
			int n = fake_read(c, piece, c->literal < sizeof(piece) ? (size_t)c->literal
									   : sizeof(piece));

			if (n < 0)
				return -1;
			c->literal -= (uint64_t)n;
		}
		if (fake_read_plain(c, &dropped) < 0)
			return -1;
	}

	return 0;
}

/* A rule that let a client in, or a folder be selected, in our place: our state follows. */
static int follow_rule(struct fake_connection *c)
{
	const struct command *command = find_command(c);

	if (!c->said_ok || !command)
		return 0;
	if (c->state == FAKE_GREETED &&
	    (command->run == do_login || command->run == do_authenticate))
		c->state = FAKE_LOGGED_IN;
	if (command->run == fake_select || command->run == fake_examine)
		return command->run(c);
	return 0;
}

static int serve_one(struct fake_connection *c)
{
	const struct dialogue_rule *early;
	int r = read_command(c, &early);

	c->said_ok = false;
	c->answer = BYTES_NULL;
	if (r)
		return r < 0 ? -1 : 0;
	if (early)
		return fake_play(c, early->steps, NULL, NULL) < 0 ? -1 : drop_literals(c);
	if (is_message_ahead(c)) /* asks the rules itself, when it has read the message */
		return run_command(c, NULL) < 0 ? -1 : drop_literals(c);
	if (fake_event(c, buf_bytes(&c->command), run_command, NULL) < 0)
		return -1;

	return follow_rule(c);
}

/* --- answers that come late ------------------------------------------------------------------ */

static int play_later(struct fake_connection *c)
{
	const struct dialogue_step *steps = c->later;

	c->later = NULL;
	snprintf(c->tag, sizeof(c->tag), "%s", c->later_tag);
	dialogue_name_set(&c->names, "tag", bytes_of(c->tag));
	return fake_play(c, steps, run_command, NULL);
}

/* A client that does not pipeline waits for the answer we hold back: after a while it gets it. */
static int serve_with_later(struct fake_connection *c)
{
	int64_t former = run_deadline_narrow(300 * MSEC);
	struct buf held = c->command;
	int r = c->in.n ? 0 : fake_wait(c);

	run_deadline_restore(former);
	if (c->is_over)
		return -1;

	c->command = BUF_NULL;
	if (r == 0)
		r = serve_one(c);
	else
		r = 0;
	buf_done(&c->command);
	c->command = held;
	if (r < 0)
		return -1;
	return play_later(c);
}

static int greet(struct fake_connection *c, void *arg)
{
	_cleanup_(buf_done) struct buf code = BUF_NULL;

	capability_code(c, "greeting", &code);
	return fake_sendf(c, "* OK %sfake server ready", buf_str(&code));
}

int fake_commands(struct fake_connection *c, bool greeted)
{
	if (!greeted && fake_event(c, BYTES("greeting"), greet, NULL) < 0)
		return -1;
	for (;;)
		if ((c->later ? serve_with_later(c) : serve_one(c)) < 0)
			return -1;
}
