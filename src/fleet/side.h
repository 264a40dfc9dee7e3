/* SPDX-License-Identifier: Apache-2.0 */
/* One side of a copy: URL, secrets and TLS, turned into an imap_account. What the command line's
 * options say and what the configuration says of a mailbox both come here as struct side_options;
 * who a person may be asked is the command line's business (cli/side.h). */
#ifndef FLEET_SIDE_H
#define FLEET_SIDE_H

#include <stdbool.h>

#include "base/url.h"
#include "imap/session.h"

/* What is said of one side, before it is checked. Strings outlive the side. */
struct side_options {
	const char *url;
	const char *user;          /* when the URL names none */
	const char *password_file, *password_command;
	const char *token_file, *token_command;
	const char *authzid, *mechanism;
	const char *ca_file, *cert_file, *key_file;
	bool tls_unverified, plaintext, no_pipelining, no_qresync;
};

struct side {
	const char *name;          /* "source" or "destination" */
	struct store_url url;
	struct buf label, shown_url;
	char *password;
	const char *token_file, *token_command;
	struct tls_context *tls;
	struct imap_account account; /* points into this struct: do not move it */
};

/* Checks URL and words, and fills the account but for TLS and secrets: no I/O. `where` names what
 * holds the URL, for faults ("--from"). Faults are FAULT_USAGE. side_done() in any case. */
int side_begin(struct side *side, const char *name, const struct side_options *options,
	       const char *where, struct fault *fault);

/* Whether the account needs a TLS context, and what to make it of; no I/O. */
bool side_wants_tls(const struct side *side, const struct side_options *options,
		    const char *common_ca_file, struct tls_config *ret);

/* Gives the side a context, of which it keeps a use of its own. */
void side_set_tls(struct side *side, struct tls_context *tls);

/* Whether there is any use for a password: not with a token, a certificate or a program's pipe. */
bool side_wants_password(const struct side *side, const struct side_options *options);

/* The password from its file or command. Blocks: before run_main(), or through pool_call(). 1:
 * neither is named. The faults say what is wrong with file or command. */
int side_read_password(const struct side_options *options, char **ret, struct fault *fault);

/* Takes over the password. */
void side_set_password(struct side *side, char *password);

void side_done(struct side *side);        /* wipes secrets; fine on a zeroed struct */
void side_forget_secret(char **secret);   /* wipes and frees; for _cleanup_ */

/* Appends this side's mailbox as ledgers know it (struct ledger_ends): scheme, who the mailbox
 * belongs to, host and port, or a pipe's whole command. The same from options and from
 * configuration. */
void side_end(const struct side *side, struct buf *to);

#endif
