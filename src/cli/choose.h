/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration and the mailboxes of its list that a command is about: --config, --state,
 * --wave and the words behind the options, the same for every verb. */
#ifndef CLI_CHOOSE_H
#define CLI_CHOOSE_H

#include "cli/options.h"
#include "config/config.h"

#define CHOOSE_CONFIG "mailferry.conf" /* where --config looks when not given: the current folder */

struct choice_options {
	const char *config, *state, *wave; /* NULL: not given */
	const struct string_list *names; /* mailboxes by address; empty: all, or all of the wave */
};

struct choice {
	struct config config;
	const char *state;          /* the state directory */
	const struct config_mailbox **mailboxes; /* in the order of the list, each once */
	size_t n;
};

/* Reads files: before run_main(). FAULT_USAGE. choice_done() only after it succeeded. */
int choice_open(const struct choice_options *options, struct choice *ret, struct fault *fault);
/* What to say when nothing was chosen. FAULT_USAGE; wave: NULL: of all. */
int choice_empty(const struct choice *choice, const char *wave, struct fault *fault);
void choice_done(struct choice *choice);

#endif
