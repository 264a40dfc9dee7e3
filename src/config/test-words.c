/* SPDX-License-Identifier: Apache-2.0 */
/* {address} and the like: what they become, and that no address becomes a command or leaves a folder. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config/settings.h"
#include "config/testing.h"
#include "lib/check.h"
#include "os/spawn.h"
#include "run/run.h"
#include "sasl/sasl.h"

#define FOLDER                                                                                     \
	_cleanup_(testing_folder_remove) struct testing_folder folder;                             \
	testing_folder_make(&folder)

static void expanding(struct check *check)
{
	static const struct config_mailbox anna = { .address = "anna@b@example.org" };
	static const struct {
		const char *text, *expanded;
	} cases[] = {
		{ "", "" }, { "as it is", "as it is" }, { "{address}", "anna@b@example.org" },
		{ "{login}*master", "log{in}*master" }, { "{local}/{domain}", "anna@b/example.org" },
		{ "{{address}", "{address}" }, { "{{{address}", "{anna@b@example.org" }, { "{", "{" },
		{ "{}", "{}" }, { "${HOME} {print $1}", "${HOME} {print $1}" }, { "{{}}", "{}}" },
		{ "{address", "{address" },
	};
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct fault fault = FAULT_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_STR(config_expand(cases[i].text, &anna, "log{in}", &arena), cases[i].expanded);
		CHECK(expand_words(cases[i].text, &fault) >= 0);
	}
	CHECK(!config_expand(NULL, &anna, "x", &arena));
	CHECK_EQ(expand_words("{local} {domain}", &fault), EXPAND_LOCAL | EXPAND_DOMAIN);
	CHECK_EQ(expand_words("{{local}", &fault), 0);
	CHECK_EQ(expand_words("{adress}", &fault), -1);
	CHECK(strstr(fault.text, "{adress}") && strstr(fault.text, "{address}"));
}

/* Whether the file is read; if not, it must be for this. */
static bool is_taken(struct check *check, const char *conf, const char *address, const char *said)
{
	_cleanup_(config_done) struct config config = { .path = NULL };
	_cleanup_(buf_done) struct buf list = BUF_NULL;
	struct fault fault = FAULT_INIT;
	FOLDER;

	buf_append_str(&list, "address,skip,new_login\n\"");
	for (const char *p = address; *p; p++)
		buf_appendf(&list, *p == '"' ? "\"%c" : "%c", *p);
	buf_append_str(&list, "\",no,x\n");
	if (testing_config(&folder, conf, buf_str(&list), &config, &fault) == 0)
		return true;
	if (!strstr(fault.text, said))
		CHECK_FAIL("\"%s\" does not say \"%s\"", fault.text, said);
	return false;
}

/* Everything that a shell is given comes out as it went in, wherever it stands. */
static void shells(struct check *check)
{
	static const char conf[] = "[platform old]\nurl = imaps://h\n"
		"password_command = printf '%s\\n' {address} \"{address}\" '{address}'\n"
		"[platform new]\nurl = imaps://h\npassword_command = x\n";
	const char *command = "printf '%s\\n' {address} \"{address}\" '{address}'";
	unsigned taken = 0;

	for (int c = ' '; c < 0x7f; c++)
		for (int first = 0; first < 2; first++) {
			char address[] = { (char)(first ? c : 'a'), (char)c, 'b', '@', 'x', '\0' }, want[32];
			struct config_mailbox mailbox = { .address = address };
			_cleanup_(arena_done) struct arena arena = { NULL };
			_cleanup_(buf_done) struct buf out = BUF_NULL;
			struct fault fault = FAULT_INIT;
			int status = -1;

			if (!is_taken(check, conf, address, first && c == ' ' ? "blank" : "to a shell"))
				continue;
			/* Patterns depend on what lies around; "/" and "~" are other files. */
			CHECK(!strchr("*?[]{}~^!#/", c));
			taken++;
			snprintf(want, sizeof(want), "%s\n%s\n%s\n", address, address, address);
			CHECK_EQ(os_command_output(config_expand(command, &mailbox, address, &arena), 1000,
						   10 * SECOND, &out, &status, &fault), 0);
			CHECK_STR(buf_str(&out), want);
		}
	CHECK(taken > 2 * 62);
}

static void commands(struct check *check)
{
	static const char login[] = "[platform old]\nurl = imaps://h\ntoken_command = get {login}\n"
		"[platform new]\nurl = imaps://h\npassword_command = x\n";
	static const char pipe[] = "[platform old]\nurl = imap+pipe:run {local}\n"
		"[platform new]\nurl = imaps://h\npassword_command = x {login}\n";
	static const char own[] = "[platform old]\nurl = imaps://h\npassword_command = echo x\n"
		"[platform new]\nurl = imaps://h\npassword_command = x\n";

	CHECK(is_taken(check, login, "anna@x.org", ""));
	CHECK(!is_taken(check, login, "o'brien@x.org", "token_command of [platform old] puts {login} here"));
	CHECK(!is_taken(check, pipe, "$(id)@x.org", "url of [platform old] puts {local} here"));
	CHECK(!is_taken(check, pipe, "-rf@x.org", "its own old_url"));
	CHECK(!is_taken(check, pipe, "../x@x.org", "its own old_url"));
	CHECK(is_taken(check, pipe, "anna@$(x).org", ""));
	CHECK(is_taken(check, own, "o'brien $(id)@x.org", ""));
}

static void paths(struct check *check)
{
	static const char local[] = "[platform old]\nurl = imaps://h\npassword_file = pw/{local}/pw\n"
		"[platform new]\nurl = imaps://h\npassword_command = x\n";
	static const char cert[] = "[platform old]\nurl = imaps://h\ncert_file = {address}.pem\n"
		"[platform new]\nurl = imaps://h\npassword_command = x\n";

	CHECK(is_taken(check, local, "o'brien@x.org", ""));
	CHECK(!is_taken(check, local, "..@x.org", "begins with a dot"));
	CHECK(!is_taken(check, local, "a/../../b@x.org", "old_password_file"));
	CHECK(!is_taken(check, cert, "a/b@x.org", "another address or login"));
}

static void urls(struct check *check)
{
	static const char domain[] = "[platform old]\nurl = imaps://imap.{domain}:993\npassword_command = x\n"
		"[platform new]\nurl = imaps://h\npassword_command = x\n";

	CHECK(is_taken(check, domain, "anna@x.org", ""));
	CHECK(!is_taken(check, domain, "anna@x.org/y", "in url of [platform old] this gives no URL"));
	CHECK(!is_taken(check, domain, "anna@x:1", "in url of [platform old] this gives no URL"));
}

/* What the list says of a mailbox is not asked of the platform. */
static void cells_of_their_own(struct check *check)
{
	_cleanup_(config_done) struct config config = { .path = NULL };
	struct fault fault = FAULT_INIT;
	FOLDER;

	if (testing_config(&folder, "[platform old]\nurl = imap+pipe:{address}\n[platform new]\n",
			   "address,old_url,old_password_command,new_url,new_password_file,skip\n"
			   "o'brien@x.org,imaps://h,x,imap+pipe:y,,no\n"
			   "d'arcy@x.org,,,,,yes\n"
			   "anna@x.org,,,imap://h,/dev/null,\n", &config, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK_EQ(config.mailboxes_n, 3);
}

/* The names of mechanisms in the table are those that sasl/ knows. */
static void mechanisms(struct check *check)
{
	static const unsigned char binding[32] = { 1 };
	const struct sasl_credentials all = {
		.user = "u", .password = "p", .token = "t", .external = true, .host = "h", .port = 1,
		.encrypted = true, .tls_exporter = { (const char *)binding, sizeof(binding) },
		.tls_end_point = { (const char *)binding, sizeof(binding) },
		.random = run_random,
	};
	struct bytes names = BYTES_NULL;

	for (size_t i = 0; i < settings_n; i++)
		if (strcmp(settings[i].key, "mechanism") == 0)
			names = bytes_of(settings[i].choices);
	CHECK(names.n > 0);
	while (names.n > 0) {
		struct bytes name = bytes_cut(&names, ' ');
		const struct sasl_mechanism *m = sasl_choose(&name, 1, &all, NULL);

		if (!m)
			CHECK_FAIL("sasl/ knows no %.*s", BYTES_ARG(name));
	}
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "expanding", expanding },
		{ "shells", shells },
		{ "commands", commands },
		{ "paths", paths },
		{ "urls", urls },
		{ "cells of their own", cells_of_their_own },
		{ "mechanisms", mechanisms },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
