/* SPDX-License-Identifier: Apache-2.0 */
/* See check.h. Mailboxes that are skipped are not looked at. */
#include "config/check.h"

#include <string.h>

#include "base/buf.h"
#include "base/url.h"
#include "config/list.h"
#include "os/look.h"

/* One platform, and which words its values hold. */
struct side {
	const struct conf *conf;
	const struct conf_section *section;
	const struct config_platform *platform;
	bool new, pipe, has_secret;
	int url_words;             /* in its URL */
	int command_words;         /* in password_command and token_command */
	int path_words;            /* in password_file and token_file */
	int other_path_words;      /* in files of certificates: for every mailbox */
	const char *command, *path; /* keys, for faults */
};

/* What the list says of this side. */
struct cells {
	const char *login, *url, *password_file, *password_command, *authzid;
};

static struct cells cells_of(const struct side *side, const struct config_mailbox *m)
{
	if (side->new)
		return (struct cells){ m->new_login, m->new_url, m->new_password_file,
				       m->new_password_command, m->new_authzid };
	return (struct cells){ m->old_login, m->old_url, m->old_password_file,
			       m->old_password_command, m->old_authzid };
}

static bool is_pipe(const char *url)
{
	return bytes_starts_nocase(bytes_of(url), BYTES("imap+pipe:"));
}

/* --- platforms ------------------------------------------------------------------------------ */

static int fault_at(const struct side *side, const char *key, struct fault *fault)
{
	int line = conf_line(side->section, key);

	fault_prefix(fault, "%s", key);
	return conf_fault_at(side->conf->path, line ? line : side->section->line, fault);
}

/* One secret, said in one way. */
static int check_secret_keys(const struct side *side, struct fault *fault)
{
	static const char *const keys[] = { "password_file", "password_command", "token_file",
					    "token_command" };
	const char *last = NULL, *other = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		int line = conf_line(side->section, keys[i]);

		if (line && (!last || line > conf_line(side->section, last))) {
			other = last;
			last = keys[i];
		} else if (line) {
			other = keys[i];
		}
	}
	if (!other)
		return 0;

	fault_usage(fault, "%s is there too: write one of them", other);
	return fault_at(side, last, fault);
}

/* A file that is the same for all mailboxes must be there. */
static int check_file(const struct side *side, const char *key, const char *path,
		      struct fault *fault)
{
	struct fault ignored = FAULT_INIT;

	if (!path || expand_words(path, &ignored) > 0 || os_look_for_file(path, fault) == 0)
		return 0;

	return fault_at(side, key, fault);
}

static int check_files(const struct side *side, struct fault *fault)
{
	const struct config_platform *p = side->platform;

	if (check_file(side, "password_file", p->password_file, fault) < 0 ||
	    check_file(side, "token_file", p->token_file, fault) < 0 ||
	    check_file(side, "ca_file", p->ca_file, fault) < 0 ||
	    check_file(side, "cert_file", p->cert_file, fault) < 0 ||
	    check_file(side, "key_file", p->key_file, fault) < 0)
		return -1;
	if (!p->key_file || p->cert_file)
		return 0;

	fault_usage(fault, "a key without its certificate: add cert_file");
	return fault_at(side, "key_file", fault);
}

static int words_of(const char *text)
{
	struct fault ignored = FAULT_INIT;

	return text ? expand_words(text, &ignored) : 0; /* unknown words were a fault of reading */
}

static struct side side_of(const struct conf *conf, const struct conf_section *section)
{
	const struct config_platform *p = section->base;

	return (struct side){
		.conf = conf, .section = section, .platform = p, .new = section == conf->new,
		.pipe = p->url && is_pipe(p->url),
		.has_secret = p->password_file || p->password_command || p->token_file ||
			      p->token_command || p->cert_file,
		.url_words = words_of(p->url),
		.command_words = words_of(p->password_command) | words_of(p->token_command),
		.path_words = words_of(p->password_file) | words_of(p->token_file),
		.other_path_words = words_of(p->ca_file) | words_of(p->cert_file) |
				    words_of(p->key_file),
		.command = p->password_command ? "password_command" : "token_command",
		.path = p->password_file ? "password_file" : "token_file",
	};
}

/* --- mailboxes ------------------------------------------------------------------------------ */

/* The first word whose value does not fit; 0: all do. */
static int unfit(int words, bool (*fits)(struct bytes value), const struct config_mailbox *m,
		 const char *login)
{
	for (int word = EXPAND_ADDRESS; word <= EXPAND_DOMAIN; word <<= 1)
		if ((words & word) && !fits(expand_word((enum expand_words)word, m, login)))
			return word;

	return 0;
}

static int unfit_fault(const struct side *side, const struct config_mailbox *m, int word,
		       const char *key, const char *why, const char *right, struct fault *fault)
{
	const char *column =
		word == EXPAND_LOGIN ? (side->new ? "new_login" : "old_login") : "address";

	fault_usage(fault,
		    "%s of [platform %s] puts %s here, and this one holds %s; give this mailbox %s",
		    key, side->platform->name, expand_name((enum expand_words)word), why, right);
	return list_fault_at(side->conf->config, m->line, column, fault);
}

static int check_url_words(const struct side *side, const struct config_mailbox *m,
			   const char *login, struct fault *fault)
{
	const char *right = side->new ? "its own new_url" : "its own old_url";
	struct arena arena = { NULL };
	int word, r;

	if (side->pipe) {
		word = unfit(side->url_words, expand_fits_command, m, login);
		return word ? unfit_fault(side, m, word, "url", "what means something to a shell",
					  right, fault)
			    : 0;
	}

	r = value_url(config_expand(side->platform->url, m, login, &arena), false, fault);
	arena_done(&arena);
	if (r < 0) {
		fault_prefix(fault, "in url of [platform %s] this gives no URL",
			     side->platform->name);
		return list_fault_at(side->conf->config, m->line, NULL, fault);
	}
	return 0;
}

static int check_secret_words(const struct side *side, const struct config_mailbox *m,
			      const char *login, struct fault *fault)
{
	const char *right = side->new ? "its own new_password_file or new_password_command"
				      : "its own old_password_file or old_password_command";
	int word = unfit(side->command_words, expand_fits_command, m, login);

	if (word)
		return unfit_fault(side, m, word, side->command, "what means something to a shell",
				   right, fault);

	word = unfit(side->path_words, expand_fits_path, m, login);
	if (word)
		return unfit_fault(side, m, word, side->path, "a \"/\", or begins with a dot",
				   right, fault);
	return 0;
}

static int check_mailbox(const struct side *side, const struct config_mailbox *m,
			 struct fault *fault)
{
	struct cells cells = cells_of(side, m);
	bool own_secret = cells.password_file[0] || cells.password_command[0];
	bool pipe = cells.url[0] ? is_pipe(cells.url) : side->pipe;
	int word;

	if (!cells.url[0] && !side->platform->url) {
		fault_usage(fault,
			    "[platform %s] does not say where the mail is: add url = imaps://HOST",
			    side->platform->name);
		return conf_fault_at(side->conf->path, side->section->line, fault);
	}
	if (!pipe && !own_secret && !side->has_secret) {
		fault_usage(fault,
			    "there is no password for line %d of the list: add password_file, "
			    "password_command, token_file or token_command to [platform %s], or "
			    "give the list a column %s_password_file",
			    m->line, side->platform->name, side->platform->name);
		return conf_fault_at(side->conf->path, side->section->line, fault);
	}
	if (!cells.url[0] && side->url_words && check_url_words(side, m, cells.login, fault) < 0)
		return -1;
	if (!pipe && !own_secret && check_secret_words(side, m, cells.login, fault) < 0)
		return -1;

	word = pipe ? 0 : unfit(side->other_path_words, expand_fits_path, m, cells.login);
	if (word)
		return unfit_fault(side, m, word, "a file's name", "a \"/\", or begins with a dot",
				   "another address or login", fault);
	return 0;
}

/* A login that is the same for all opens the same mailbox for all, unless it says on whose behalf: one person's mail would
 * be copied into everybody's mailbox, or everybody's into one. */
static int check_whose(const struct side *side, struct fault *fault)
{
	const struct config *config = side->conf->config;
	const struct config_platform *p = side->platform;
	const struct config_mailbox *first = NULL;

	if (side->pipe || side->url_words || !p->login || words_of(p->login) || words_of(p->authzid))
		return 0;

	for (size_t i = 0; i < config->mailboxes_n; i++) {
		const struct config_mailbox *m = &config->mailboxes[i];
		struct cells cells = cells_of(side, m);

		if (m->skip || cells.url[0] || cells.authzid[0])
			continue;
		if (!first) {
			first = m;
			continue;
		}
		fault_usage(fault, "%.60s is the same for all, so %.80s and %.80s (lines %d and %d of the list) would be one "
			    "mailbox: write authzid = {login} for a login that opens others' mailboxes, or leave this out",
			    p->authzid ? p->authzid : p->login, first->address, m->address, first->line, m->line);
		return fault_at(side, p->authzid ? "authzid" : "login", fault);
	}
	return 0;
}

static int check_side(const struct conf *conf, const struct conf_section *section,
		      struct fault *fault)
{
	const struct config *config = conf->config;
	struct side side = side_of(conf, section);

	if (check_secret_keys(&side, fault) < 0 || check_files(&side, fault) < 0)
		return -1;
	if (conf->for_gateway && !side.platform->url)
		return 0; /* it will not look into this one's mailboxes */

	for (size_t i = 0; i < config->mailboxes_n; i++)
		if (!config->mailboxes[i].skip &&
		    check_mailbox(&side, &config->mailboxes[i], fault) < 0)
			return -1;
	return check_whose(&side, fault);
}

int check_all(const struct conf *conf, struct fault *fault)
{
	const struct config *config = conf->config;

	if (config->ca_file && os_look_for_file(config->ca_file, fault) < 0) {
		fault_prefix(fault, "ca_file");
		return conf_fault_at(conf->path, conf_line(conf->top, "ca_file"), fault);
	}
	if (config->since != INT64_MIN && config->before != INT64_MIN &&
	    config->since >= config->before) {
		fault_usage(fault, "before: not later than since: no message could be copied");
		return conf_fault_at(conf->path, conf_line(conf->copy, "before"), fault);
	}
	if (check_gateway(conf, fault) < 0)
		return -1;
	return check_side(conf, conf->old, fault) < 0 ? -1 : check_side(conf, conf->new, fault);
}

/* --- notes ---------------------------------------------------------------------------------- */

const char *const *check_notes(const struct conf *conf)
{
	const struct config *config = conf->config;
	struct arena *arena = conf->place.arena;
	struct string_items notes = { .n = 0 };
	const char *const *result;
	size_t moved = 0;

	for (size_t i = 0; i < config->waves_n; i++) {
		const struct config_wave *wave = &config->waves[i];

		if (wave->mailboxes == 0)
			string_items_add(&notes,
					 arena_printf(arena, "%s:%d: no mailbox of the list "
							     "belongs to "
						      "[wave %s]", conf->path, wave->line,
						      wave->name));
	}
	for (size_t i = 0; i < config->mailboxes_n; i++)
		moved += !config->mailboxes[i].skip;
	if (moved == 0)
		string_items_add(&notes, arena_printf(arena, "%s: the list names no mailbox that "
							     "is to "
						      "be moved", config->list_path));
	result = string_items_copy(&notes, arena);
	string_items_done(&notes);
	return result;
}
