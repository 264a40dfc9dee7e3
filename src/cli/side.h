/* SPDX-License-Identifier: Apache-2.0 */
/* One side of a copy as the command line gives it: what fleet/side.h does for everybody, and secrets from the
 * environment or a prompt. */
#ifndef CLI_SIDE_H
#define CLI_SIDE_H

#include "fleet/side.h"

/* The value of an environment variable, or NULL, which is then gone from the environment: commands we start, and
 * whoever may read this process's environment, must not see passwords. Take all of them before side_open(). */
char *side_take_environment(const char *name);

/* Whether there is a URL; before the other side's password is asked for. FAULT_USAGE. */
int side_given(const char *name, const struct side_options *o, struct fault *fault);

/* Checks and reads everything that needs no network; may prompt for a password on the terminal. *environment is
 * the password that the environment held, or NULL; it is taken when no option names another. Faults are
 * FAULT_USAGE. other: the other side's context, or NULL; it is shared where both trust the same. */
int side_open(struct side *side, const char *name, const struct side_options *options,
	      const char *common_ca_file, struct tls_context *other, char **environment,
	      struct fault *fault);

#endif
