/* SPDX-License-Identifier: Apache-2.0 */
/* Any two files: mailferry.conf, a line "%%%%", the list. What is taken keeps the promises of
 * config.h; what is not is told in one printable sentence that names a place. */
#include <stdlib.h>
#include <string.h>

#include "config/conf.h"
#include "mail/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
	if (!condition)
		abort();
}

static bool is_clean(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;

	return true;
}

static void check_limits(const struct pace_settings *pace)
{
	insist(pace->limits.connections <= 100000 && pace->bearable_us >= 0);
	for (size_t i = 0; i < pace->times_n; i++)
		insist(pace->times[i].window.text[0] && is_clean(pace->times[i].window.zone));
}

static bool is_harmless(const char *command, const char *expanded)
{
	/* A word adds none of these; a text that has none of them has none afterwards. */
	for (const char *p = "'\"`$;&|<>()\\*?~! \t"; *p; p++)
		if (!strchr(command, *p) && strchr(expanded, *p))
			return false;

	return true;
}

static void check_side(const struct config_platform *p, const struct config_mailbox *m,
		       const char *login, const char *own_file, const char *own_command,
		       const char *own_url)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	bool own = own_file[0] || own_command[0];
	struct fault fault = FAULT_INIT;

	insist(login[0] && is_clean(login) && is_clean(own_file) && is_clean(own_command));
	insist(is_clean(config_expand(p->login, m, login, &arena)));
	insist(m->skip || own_url[0] || p->url);
	if (m->skip)
		return;

	if (!own_url[0] && !bytes_starts_nocase(bytes_of(p->url), BYTES("imap+pipe:")))
		insist(value_url(config_expand(p->url, m, login, &arena), false, &fault) == 0);
	else if (!own_url[0])
		insist(is_harmless(p->url, config_expand(p->url, m, login, &arena)));
	else
		return;
	if (!own && p->password_command &&
	    !bytes_starts_nocase(bytes_of(p->url), BYTES("imap+pipe:")))
		insist(is_harmless(p->password_command,
				   config_expand(p->password_command, m, login, &arena)));
}

static void check_mailboxes(const struct config *config)
{
	for (size_t i = 0; i < config->mailboxes_n; i++) {
		const struct config_mailbox *m = &config->mailboxes[i];

		insist(config_mailbox(config, m->address) == m && m->line > 0);
		insist(utf8_is_valid(bytes_of(m->address)) && is_clean(m->address) &&
		       strchr(m->address, '@'));
		insist(!m->wave[0] || config_wave(config, m->wave));
		insist(m->folders && m->excludes && m->maps);
		for (size_t j = 0; m->maps[j]; j++)
			insist(strchr(m->maps[j], '='));
		check_side(&config->old, m, m->old_login, m->old_password_file,
			   m->old_password_command, m->old_url);
		check_side(&config->new, m, m->new_login, m->new_password_file,
			   m->new_password_command, m->new_url);
	}
}

static void check_config(const struct config *config)
{
	insist(config->state[0] && config->list_path[0] && config->folders && config->excludes &&
	       config->maps);
	insist(config->connections >= 1 && config->at_once >= 1 && config->processes >= 1);
	insist(config->old.timeout_us > 0 && config->new.timeout_us > 0 && config->soon_us >= 0);
	check_limits(&config->total);
	check_limits(&config->old.server);
	check_limits(&config->new.server);
	check_limits(&config->new.account);
	for (size_t i = 0; i < config->waves_n; i++)
		insist(config_wave(config, config->waves[i].name) == &config->waves[i]);
	check_mailboxes(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(config_done) struct config config = { .path = NULL };
	struct bytes input = { (const char *)data, size };
	ptrdiff_t at = bytes_find(input, BYTES("\n%%%%\n"));
	struct config_texts texts = {
		.conf = at < 0 ? input : bytes_head(input, (size_t)at + 1),
		.list = at < 0 ? BYTES("address\nanna@example.org\n")
			       : bytes_skip(input, (size_t)at + 6),
	};
	struct fault fault = FAULT_INIT;

	setenv("XDG_STATE_HOME", "/nowhere", 1);
	if (config_read_texts("/nowhere/mailferry.conf", &texts, input.n & 1, &config, &fault) == 0) {
		check_config(&config);
		return 0;
	}
	insist(fault.kind == FAULT_USAGE && is_clean(fault.text));
	insist(bytes_starts(bytes_of(fault.text), BYTES("/")) ||
	       bytes_starts(bytes_of(fault.text), BYTES("…")));
	insist(!config.arena.chunks);
	return 0;
}
