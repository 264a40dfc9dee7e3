/* SPDX-License-Identifier: Apache-2.0 */
/* The program: finds the verb. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/commands.h"

static const struct {
	const char *verb;
	int (*run)(int argc, char **argv);
	const char *help;
} verbs[] = {
	{ "copy", cmd_copy, "copy mailboxes from one IMAP server to another: one, or those of a configuration" },
	{ "verify", cmd_verify, "hold both sides of a copied mailbox against its ledger" },
	{ "status", cmd_status, "tell where the mailboxes of a configuration stand" },
	{ "audit", cmd_audit, "hold the journal of a gateway against itself" },
	{ "gateway", cmd_gateway, "take mail by SMTP and deliver it where each recipient is" },
	{ "route", cmd_route, "show or change where a running gateway sends mail" },
	{ "queue", cmd_queue, "show what waits in a running gateway, and try, hold or release it" },
	{ "trace", cmd_trace, "tell what happened to a message, from acceptance to delivery" },
	{ "init", cmd_init, "write a mailferry.conf and a list of mailboxes to begin with" },
};

static int usage(FILE *to, int status)
{
	fputs("usage: mailferry VERB [option …]\n\n", to);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(to, "  %-8s %s\n", verbs[i].verb, verbs[i].help);
	fputs("\nmailferry VERB --help tells more; mailferry --version the version.\n", to);
	return status;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : NULL;

	if (!verb)
		return usage(stderr, EXIT_USAGE);

	if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0 || strcmp(verb, "help") == 0)
		return usage(stdout, EXIT_DONE);

	if (strcmp(verb, "--version") == 0) {
		puts("mailferry " MAILFERRY_VERSION);
		return EXIT_DONE;
	}

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verb, verbs[i].verb) == 0)
			return verbs[i].run(argc - 1, argv + 1);

	fprintf(stderr, "mailferry: there is no verb \"%s\"\n", verb);
	return usage(stderr, EXIT_USAGE);
}
