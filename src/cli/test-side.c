/* SPDX-License-Identifier: Apache-2.0 */
/* From options to an account, without a network: which URL gives which security, where secrets come from, and
 * that none stays behind where others can read it. */
#include "cli/side.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/check.h"
#include "net/testing-certs.h"
#include "os/testing.h"

#define ENV "MAILFERRY_TEST_PASSWORD"

static int open_side(struct side *side, const struct side_options *o, struct fault *fault)
{
	_cleanup_(side_forget_secret) char *environment = side_take_environment(ENV);

	return side_open(side, "source", o, NULL, NULL, &environment, fault);
}

static void opens(struct check *check, struct side *side, const struct side_options *o)
{
	struct fault fault;

	if (open_side(side, o, &fault) < 0)
		CHECK_FAIL("%s: %s", o->url, fault.text);
}

static void fails(struct check *check, const struct side_options *o, const char *words)
{
	_cleanup_(side_done) struct side side = { .name = NULL };
	struct fault fault = FAULT_INIT;

	if (open_side(&side, o, &fault) == 0)
		CHECK_FAIL("%s was taken", o->url ? o->url : "no URL");
	CHECK(fault.kind == FAULT_USAGE || fault.kind == FAULT_LIMIT);
	CHECK_EQ(fault.again, AGAIN_NEVER);
	if (!strstr(fault.text, words))
		CHECK_FAIL("\"%s\" is not in: %s", words, fault.text);
}

static void security(struct check *check)
{
	static const struct {
		const char *url;
		bool plaintext, has_ca, unverified;
		enum imap_security security;
		bool has_tls;
	} cases[] = {
		{ "imaps://u@far.example", false, false, false, IMAP_TLS, true },
		{ "imaps://u@far.example", true, false, false, IMAP_TLS, true }, /* never less than asked for */
		{ "imaps://u@far.example", false, true, true, IMAP_TLS, true },
		{ "imaps://u@127.0.0.1", false, false, false, IMAP_TLS, true },
		{ "imap://u@far.example", false, false, false, IMAP_STARTTLS, true },
		{ "imap://u@far.example", false, false, true, IMAP_STARTTLS, true },
		{ "imap://u@127.example", false, false, false, IMAP_STARTTLS, true },
		{ "imap://u@far.example", true, false, false, IMAP_PLAIN, false },
		{ "imap://u@far.example", true, true, false, IMAP_PLAIN, true },
		{ "imap://u@127.0.0.1", false, false, false, IMAP_PLAIN, false },
		{ "imap://u@localhost", false, true, false, IMAP_STARTTLS, true }, /* a CA for it was named */
		{ "imap://u@[::1]:1143", false, false, false, IMAP_PLAIN, false },
		{ "imap+pipe:server", false, true, false, IMAP_PLAIN, false },
	};
	struct certs certs;

	certs_make(check, &certs);
	setenv(ENV, "secret", 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct side side;
		struct side_options o = {
			.url = cases[i].url, .plaintext = cases[i].plaintext,
			.tls_unverified = cases[i].unverified,
			.ca_file = cases[i].has_ca ? certs_path(&certs, "ca.pem") : NULL,
		};

		setenv(ENV, "secret", 1);
		opens(check, &side, &o);
		CHECK_EQ(side.account.security, cases[i].security);
		CHECK_EQ(side.account.tls != NULL, cases[i].has_tls);
		side_done(&side);
	}
	certs_done(&certs);
}

static void account(struct check *check)
{
	struct side_options o = { .url = "imap://ann%2Fe@127.0.0.1:1143", .authzid = "boss", .mechanism = "PLAIN",
				  .no_pipelining = true };
	struct side side;

	setenv(ENV, "secret", 1);
	opens(check, &side, &o);
	CHECK_STR(side.account.label, "source 127.0.0.1");
	CHECK_STR(side.account.host, "127.0.0.1");
	CHECK_EQ(side.account.port, 1143);
	CHECK_STR(side.account.user, "ann/e");
	CHECK_STR(side.account.authzid, "boss");
	CHECK_STR(side.account.mechanism, "PLAIN");
	CHECK_STR(side.account.password, "secret");
	CHECK(side.account.no_pipelining && !side.account.external && !side.account.token);
	CHECK(!strstr(buf_str(&side.shown_url), "secret"));
	side_done(&side);
	side_done(&side);
}

static void urls(struct check *check)
{
	setenv(ENV, "secret", 1);
	fails(check, &(struct side_options){ .url = NULL }, "give --from URL");
	fails(check, &(struct side_options){ .url = "http://u@far.example" }, "--from");
	fails(check, &(struct side_options){ .url = "maildir:/x" }, "maildir");
	fails(check, &(struct side_options){ .url = "imaps://u@far.example/INBOX" }, "--folder");
	fails(check, &(struct side_options){ .url = "imaps://u@far.example", .ca_file = "/nowhere/ca" }, "/nowhere/ca");
	fails(check, &(struct side_options){ .url = "imaps://u@far.example", .cert_file = "/nowhere/c" }, "/nowhere/c");
}

/* Files go before commands, these before the environment; whatever is used, the environment is emptied. */
static void where_secrets_come_from(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	struct side_options o = { .url = "imap://u@127.0.0.1" };
	static const struct {
		bool file;
		const char *command, *password;
	} cases[] = {
		{ true, "echo of command", "of file" },
		{ false, "printf ' of command \\r\\nmore\\n'", "of command" },
		{ false, NULL, "of environment" },
	};

	testing_folder_make(&folder);
	testing_write(testing_path(&folder, "password"), "of file\r\nsecond line\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct side side;
		const char *there;

		setenv(ENV, "of environment", 1);
		there = getenv(ENV);
		o.password_file = cases[i].file ? folder.file : NULL;
		o.password_command = cases[i].command;
		opens(check, &side, &o);
		CHECK_STR(side.account.password, cases[i].password);
		CHECK(!getenv(ENV));
		for (size_t k = 0; k < strlen("of environment"); k++)
			CHECK_EQ(there[k], 0);
		side_done(&side);
	}
}

/* A program that is the server's end, or whoever gives a token, gets no password to see. */
static void emptied_when_not_used(struct check *check)
{
	static const struct side_options cases[] = {
		{ .url = "imap+pipe:server" },
		{ .url = "imap://u@127.0.0.1", .token_command = "echo token" },
		{ .url = "imap://u@127.0.0.1", .token_file = "/nowhere/token" }, /* read at the login */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct side side;

		setenv(ENV, "of environment", 1);
		opens(check, &side, &cases[i]);
		CHECK(!getenv(ENV));
		CHECK(!side.password && !side.account.password);
		CHECK_EQ(side.account.token != NULL, i > 0);
		side_done(&side);

		opens(check, &side, &cases[i]); /* and none is asked for */
		side_done(&side);
	}
}

static void secrets_that_are_none(struct check *check)
{
	struct side_options o = { .url = "imap://u@127.0.0.1" };

	unsetenv(ENV);
	fails(check, &o, "--from-password-file"); /* standard input is no terminal */
	o.password_command = "exit 3";
	fails(check, &o, "status 3");
	o.password_command = "echo; echo secret";
	fails(check, &o, "nothing on its first line");
	o.password_command = "printf 'a\\0b\\n'";
	fails(check, &o, "first line");
	o.password_command = "head -c 100000 /dev/zero | tr '\\0' x";
	fails(check, &o, "password");
	o.password_command = NULL;
	o.password_file = "/nowhere/password";
	fails(check, &o, "/nowhere/password");
}

struct token_call {
	struct side *side;
	char tokens[2][32];
};

static int ask_tokens(void *arg, struct fault *fault)
{
	struct token_call *call = arg;
	const struct imap_account *a = &call->side->account;

	for (int i = 0; i < 2; i++) {
		char *token;

		if (a->token(a->token_arg, &token, fault) < 0)
			return -1;
		snprintf(call->tokens[i], sizeof(call->tokens[i]), "%s", token);
		free(token);
	}
	return 0;
}

static void tokens_are_read_anew(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	struct side side;
	char command[500];
	struct side_options o = { .url = "imap://u@127.0.0.1", .token_command = command };
	struct token_call call = { .side = &side };
	struct fault fault = FAULT_INIT;

	testing_folder_make(&folder);
	snprintf(command, sizeof(command), "echo x >>%s; wc -l <%s", testing_path(&folder, "count"), folder.file);
	opens(check, &side, &o);
	if (run_main("test", ask_tokens, &call, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK_STR(call.tokens[0], "1");
	CHECK_STR(call.tokens[1], "2");
	side_done(&side);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "which URL gives which security", security },
		{ "the account", account },
		{ "URLs and files that cannot be used", urls },
		{ "where secrets come from", where_secrets_come_from },
		{ "the environment is emptied even when not used", emptied_when_not_used },
		{ "secrets that are none", secrets_that_are_none },
		{ "tokens are read anew", tokens_are_read_anew },
		{ 0 },
	};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	dup2(null, 0); /* nobody is to be asked for a password */
	close(null);
	return check_main(argc, argv, cases);
}
