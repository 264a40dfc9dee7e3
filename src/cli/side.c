/* SPDX-License-Identifier: Apache-2.0 */
/* From options to an account, see side.h. Secrets come from files, commands, the environment or a prompt,
 * never from arguments; what holds them is wiped when done. */
#include "cli/side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "os/file.h"
#include "os/spawn.h"
#include "os/term.h"

enum { COMMAND_TIMEOUT_S = 60, SECRET_MAX = 64 << 10 };

/* The environment is readable by whoever may read this process's: once read, the value goes. */
char *side_take_environment(const char *name)
{
	char *value = getenv(name);
	char *copy;

	if (!value)
		return NULL;

	copy = xstrdup(value);
	wipe(value, strlen(value));
	unsetenv(name);
	return copy;
}

static int command_secret(const char *command, const char *what, char **ret, struct fault *fault)
{
	_cleanup_(buf_wipe) struct buf out = BUF_NULL;
	struct bytes line;
	int status = 0;

	if (os_command_output(command, SECRET_MAX, COMMAND_TIMEOUT_S * SECOND, &out, &status, fault) < 0)
		return fault_prefix(fault, "the command for the %s", what);

	if (status != 0)
		return fault_set(fault, FAULT_USAGE, REACH_MAILBOX, AGAIN_NEVER,
				 "the command for the %s ended with status %d", what, status);

	line = buf_bytes(&out);
	line = bytes_trim(bytes_cut(&line, '\n'));
	if (line.n == 0 || !(*ret = bytes_to_str(line)))
		return fault_set(fault, FAULT_USAGE, REACH_MAILBOX, AGAIN_NEVER,
				 "the command for the %s printed nothing on its first line", what);
	return 0;
}

static int prompt(struct side *side, struct fault *fault)
{
	char text[300];

	if (!os_is_terminal(0))
		return fault_usage(fault, "no password for the %s: give --%s-password-file FILE, set "
				   "MAILFERRY_%s_PASSWORD, or run on a terminal to be asked",
				   side->name, side->name[0] == 's' ? "from" : "to",
				   side->name[0] == 's' ? "FROM" : "TO");

	snprintf(text, sizeof(text), "Password of %s: ", buf_str(&side->shown_url));
	return os_read_password(text, &side->password, fault);
}

void side_forget_secret(char **secret)
{
	if (*secret)
		wipe(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

static int find_secret(struct side *side, const struct side_options *o, char **environment,
		       struct fault *fault)
{
	/* The program of a pipe has no business with it either. */
	if (side->url.kind == URL_IMAP_PIPE || o->token_file || o->token_command || o->cert_file)
		return 0;

	if (o->password_file)
		return os_read_secret(o->password_file, &side->password, fault);
	if (o->password_command)
		return command_secret(o->password_command, "password", &side->password, fault);

	side->password = TAKE_PTR(*environment);
	return side->password ? 0 : prompt(side, fault);
}

struct token_call {
	struct side *side;
	char *token;
};

/* Tokens live an hour or so: each login asks anew. */
static int read_token(void *arg, struct fault *fault)
{
	struct token_call *call = arg;

	if (call->side->token_file)
		return os_read_secret(call->side->token_file, &call->token, fault);

	return command_secret(call->side->token_command, "token", &call->token, fault);
}

static int token(void *arg, char **ret, struct fault *fault)
{
	struct token_call call = { arg, NULL };

	if (pool_call("an access token", read_token, &call, fault) < 0)
		return -1;

	*ret = call.token;
	return 0;
}

static int check_kind(struct side *side, struct fault *fault)
{
	enum url_kind kind = side->url.kind;

	if (side->url.folder)
		return fault_usage(fault, "the URL of the %s names a folder: write it without, and choose "
				   "folders with --folder and --map", side->name);
	if (kind == URL_IMAPS || kind == URL_IMAP || kind == URL_IMAP_PIPE)
		return 0;

	return fault_usage(fault, "the %s is a %s store, which this version does not copy: use imaps://, "
			   "imap:// or imap+pipe:", side->name, url_kind_name(kind));
}

static enum imap_security security(const struct side *side, const struct side_options *o)
{
	if (side->url.kind == URL_IMAPS)
		return IMAP_TLS;
	if (side->url.kind == URL_IMAP_PIPE || o->plaintext)
		return IMAP_PLAIN;
	/* On this machine plain is the rule, unless a CA or certificate is named for this very server. */
	return host_is_loopback(side->url.host) && !o->ca_file && !o->cert_file ? IMAP_PLAIN
										: IMAP_STARTTLS;
}

static int open_tls(struct side *side, const struct side_options *o, const char *common_ca_file,
		    struct fault *fault)
{
	struct tls_config config = {
		.ca_file = o->ca_file ? o->ca_file : common_ca_file,
		.insecure = o->tls_unverified, .cert_file = o->cert_file, .key_file = o->key_file,
	};

	if (side->url.kind == URL_IMAP_PIPE)
		return 0;

	/* On this machine plain imap:// is the rule; a CA given for it asks for STARTTLS. */
	if (side->account.security == IMAP_PLAIN && !config.ca_file && !config.cert_file)
		return 0;

	return tls_context_new(&config, &side->tls, fault);
}

int side_open(struct side *side, const char *name, const struct side_options *o,
	      const char *common_ca_file, char **environment, struct fault *fault)
{
	*side = (struct side){ .name = name, .token_file = o->token_file,
			       .token_command = o->token_command };
	if (!o->url)
		return fault_usage(fault, "no %s: give --%s URL, for example imaps://alice@mail.example",
				   name, name[0] == 's' ? "from" : "to");
	if (url_parse(o->url, &side->url, fault) < 0)
		return fault_prefix(fault, "--%s", name[0] == 's' ? "from" : "to");
	if (check_kind(side, fault) < 0)
		return -1;

	url_format(&side->url, &side->shown_url);
	buf_appendf(&side->label, "%s %s", name,
		    side->url.host ? side->url.host : buf_str(&side->shown_url));
	side->account = (struct imap_account){
		.label = buf_str(&side->label), .host = side->url.host, .port = side->url.port,
		.security = security(side, o), .command = side->url.command,
		.user = side->url.user, .authzid = o->authzid, .mechanism = o->mechanism,
		.external = o->cert_file != NULL, .compress = true,
		.no_pipelining = o->no_pipelining,
	};
	if (open_tls(side, o, common_ca_file, fault) < 0 || find_secret(side, o, environment, fault) < 0)
		return -1;
	if (side->url.kind == URL_IMAP_PIPE)
		return 0;

	side->account.tls = side->tls;
	side->account.password = side->password;
	if (o->token_file || o->token_command) {
		side->account.token = token;
		side->account.token_arg = side;
	}
	return 0;
}

void side_done(struct side *side)
{
	side_forget_secret(&side->password);
	tls_context_free(side->tls);
	url_done(&side->url);
	buf_done(&side->label);
	buf_done(&side->shown_url);
	*side = (struct side){ .name = NULL };
}
