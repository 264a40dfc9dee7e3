/* SPDX-License-Identifier: Apache-2.0 */
/* From words to an account, see side.h. Secrets come from files and commands, never from arguments;
 * what holds them is wiped when done. */
#include "fleet/side.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "os/file.h"
#include "os/spawn.h"

enum { COMMAND_TIMEOUT_S = 60, SECRET_MAX = 64 << 10 };

/* --- secrets --------------------------------------------------------------------------------- */

void side_forget_secret(char **secret)
{
	if (*secret)
		wipe(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

static int command_secret(const char *command, const char *what, char **ret, struct fault *fault)
{
	_cleanup_(buf_wipe) struct buf out = BUF_NULL;
	struct bytes line;
	int status = 0;

	if (os_command_output(command, SECRET_MAX, COMMAND_TIMEOUT_S * SECOND, &out, &status,
			      fault) < 0)
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

int side_read_password(const struct side_options *o, char **ret, struct fault *fault)
{
	if (o->password_file)
		return os_read_secret(o->password_file, ret, fault);
	if (o->password_command)
		return command_secret(o->password_command, "password", ret, fault);
	return 1;
}

bool side_wants_password(const struct side *side, const struct side_options *o)
{
	/* The program of a pipe has no business with it either. */
	return side->url.kind != URL_IMAP_PIPE && !o->token_file && !o->token_command &&
	       !o->cert_file;
}

void side_set_password(struct side *side, char *password)
{
	side_forget_secret(&side->password);
	side->password = password;
	side->account.password = password;
}

struct token_call {
	const struct side *side;
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

/* --- the account ----------------------------------------------------------------------------- */

static int check_kind(struct side *side, struct fault *fault)
{
	enum url_kind kind = side->url.kind;

	if (side->url.folder)
		return fault_usage(fault,
				   "the URL of the %s names a folder: write it without, and choose "
				   "folders with --folder and --map",
				   side->name);
	if (kind == URL_IMAPS || kind == URL_IMAP || kind == URL_IMAP_PIPE)
		return 0;

	return fault_usage(fault,
			   "the %s is a %s store, which this version does not copy: use imaps://, "
			   "imap:// or imap+pipe:",
			   side->name, url_kind_name(kind));
}

static enum imap_security security(const struct side *side, const struct side_options *o)
{
	if (side->url.kind == URL_IMAPS)
		return IMAP_TLS;
	if (side->url.kind == URL_IMAP_PIPE || o->plaintext)
		return IMAP_PLAIN;
	/* On this machine plain is the rule, unless a CA or certificate is named for this very
	 * server. */
	return host_is_loopback(side->url.host) && !o->ca_file && !o->cert_file ? IMAP_PLAIN
										: IMAP_STARTTLS;
}

/* The URL with the user put in, if it names none. What means something in a URL is written %XX. */
static void put_user(const char *url, const char *user, struct buf *to)
{
	const char *at = strstr(url, "://");
	size_t host = at ? strcspn(at + 3, "/") : 0;

	if (!at || !user || memchr(at + 3, '@', host)) {
		buf_append_str(to, url);
		return;
	}

	buf_append(to, url, (size_t)(at + 3 - url));
	for (; *user; user++) {
		if (strchr(":/%", *user))
			buf_appendf(to, "%%%02X", (unsigned)*user);
		else
			buf_append_char(to, *user);
	}
	buf_appendf(to, "@%s", at + 3);
}

int side_begin(struct side *side, const char *name, const struct side_options *o, const char *where,
	       struct fault *fault)
{
	_cleanup_(buf_done) struct buf url = BUF_NULL;

	*side = (struct side){ .name = name, .token_file = o->token_file,
			       .token_command = o->token_command };
	put_user(o->url, o->user, &url);
	if (url_parse(buf_str(&url), &side->url, fault) < 0)
		return fault_prefix(fault, "%s", where);
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
		.no_pipelining = o->no_pipelining, .no_qresync = o->no_qresync,
	};
	if (side->url.kind != URL_IMAP_PIPE && (o->token_file || o->token_command)) {
		side->account.token = token;
		side->account.token_arg = side;
	}
	return 0;
}

bool side_wants_tls(const struct side *side, const struct side_options *o,
		    const char *common_ca_file, struct tls_config *ret)
{
	*ret = (struct tls_config){
		.ca_file = o->ca_file ? o->ca_file : common_ca_file,
		.insecure = o->tls_unverified, .cert_file = o->cert_file, .key_file = o->key_file,
	};
	if (side->url.kind == URL_IMAP_PIPE)
		return false;

	/* On this machine plain imap:// is the rule; a CA given for it asks for STARTTLS. */
	return side->account.security != IMAP_PLAIN || ret->ca_file || ret->cert_file;
}

void side_set_tls(struct side *side, struct tls_context *tls)
{
	side->tls = tls_context_use(tls);
	side->account.tls = side->tls;
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

void side_end(const struct side *side, struct buf *to)
{
	const struct store_url *url = &side->url;
	/* An administrator who opens somebody's mailbox may be another one tomorrow. */
	const char *whose = side->account.authzid ? side->account.authzid : url->user;

	buf_appendf(to, "%s:", url_kind_name(url->kind));
	if (url->command) {
		buf_append_str(to, url->command);
		return;
	}

	buf_append_str(to, "//");
	if (whose)
		buf_appendf(to, "%s@", whose);
	for (const char *p = url->host; *p; p++)
		buf_append_char(to, ascii_lower(*p));
	buf_appendf(to, ":%u", url->port);
}
