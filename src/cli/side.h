/* SPDX-License-Identifier: Apache-2.0 */
/* One side of a copy as the command line gives it: URL, secrets, TLS, turned into an imap_account. */
#ifndef CLI_SIDE_H
#define CLI_SIDE_H

#include <stdbool.h>

#include "base/url.h"
#include "imap/session.h"

/* What the options of one side say, before it is checked. */
struct side_options {
	const char *url;
	const char *password_file, *password_command;
	const char *token_file, *token_command;
	const char *authzid, *mechanism;
	const char *ca_file, *cert_file, *key_file;
	bool tls_unverified, plaintext, no_pipelining;
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

/* The value of an environment variable, or NULL, which is then gone from the environment: commands we start, and
 * whoever may read this process's environment, must not see passwords. Take all of them before side_open(). */
char *side_take_environment(const char *name);
void side_forget_secret(char **secret); /* wipes and frees; for _cleanup_ */

/* Checks and reads everything that needs no network; may prompt for a password on the terminal. *environment is
 * the password that the environment held, or NULL; it is taken when no option names another. Faults are
 * FAULT_USAGE. */
int side_open(struct side *side, const char *name, const struct side_options *options,
	      const char *common_ca_file, char **environment, struct fault *fault);
void side_done(struct side *side); /* wipes secrets; fine on a zeroed struct */

#endif
