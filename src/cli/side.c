/* SPDX-License-Identifier: Apache-2.0 */
/* From options to an account, see side.h. */
#include "cli/side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "os/term.h"

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

static int prompt(struct side *side, char **ret, struct fault *fault)
{
	char text[300];

	if (!os_is_terminal(0))
		return fault_usage(fault, "no password for the %s: give --%s-password-file FILE, set "
				   "MAILFERRY_%s_PASSWORD, or run on a terminal to be asked",
				   side->name, side->name[0] == 's' ? "from" : "to",
				   side->name[0] == 's' ? "FROM" : "TO");

	snprintf(text, sizeof(text), "Password of %s: ", buf_str(&side->shown_url));
	return os_read_password(text, ret, fault);
}

static int find_secret(struct side *side, const struct side_options *o, char **environment,
		       struct fault *fault)
{
	char *password = NULL;
	int r;

	if (!side_wants_password(side, o))
		return 0;

	r = side_read_password(o, &password, fault);
	if (r < 0)
		return -1;

	if (r > 0)
		password = TAKE_PTR(*environment);
	if (!password && prompt(side, &password, fault) < 0)
		return -1;

	side_set_password(side, password);
	return 0;
}

static int open_tls(struct side *side, const struct side_options *o, const char *common_ca_file,
		    struct tls_context *other, struct fault *fault)
{
	_cleanup_(tls_context_freep) struct tls_context *tls = NULL;
	struct tls_config config;

	if (!side_wants_tls(side, o, common_ca_file, &config))
		return 0;
	tls = tls_context_share(other, &config);
	if (!tls && tls_context_new(&config, &tls, fault) < 0)
		return -1;

	side_set_tls(side, tls);
	return 0;
}

int side_given(const char *name, const struct side_options *o, struct fault *fault)
{
	if (o->url)
		return 0;

	return fault_usage(fault, "no %s: give --%s URL, for example imaps://alice@mail.example", name,
			   name[0] == 's' ? "from" : "to");
}

int side_open(struct side *side, const char *name, const struct side_options *o,
	      const char *common_ca_file, struct tls_context *other, char **environment,
	      struct fault *fault)
{
	bool from = name[0] == 's';

	*side = (struct side){ .name = name };
	if (side_given(name, o, fault) < 0)
		return -1;
	if (side_begin(side, name, o, from ? "--from" : "--to", fault) < 0)
		return -1;
	if (open_tls(side, o, common_ca_file, other, fault) < 0)
		return -1;
	return find_secret(side, o, environment, fault);
}
