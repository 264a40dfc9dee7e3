/* SPDX-License-Identifier: Apache-2.0 */
/* mailferry copy over many mailboxes, in one process or in several. */
#ifndef CLI_MANY_H
#define CLI_MANY_H

#include "cli/choose.h"
#include "cli/many-show.h"
#include "cli/many-tally.h"

struct many_options {
	const struct choice *choice;
	unsigned at_once, processes;
	bool dry_run, retry_exceptions, json, quiet, progress;
	struct transcript *transcript;
	const char *const *argv; /* of this command, to start it again; NULL-terminated */
	int argc;
};

/* What another process of this program was told in MANY_WORKER (and nobody else should tell it). */
struct many_worker {
	char round[80];
	unsigned part, parts;
};

#define MANY_WORKER "--worker-of-round="

/* 1 when the word is such a one and can be understood, 0 when it is something else, -1 when it
 * makes no sense. */
int many_worker_of(const char *word, struct many_worker *ret);
void many_worker_word(const struct many_worker *worker, char to[128]);

/* All in this process: the exit status. */
int many_run(const struct many_options *options);

/* As one of several: events go to stdout as JSON; ends when standard input does. */
int many_run_worker(const struct many_options *options, const struct many_worker *worker);

/* Starts the others and sums up. */
int many_run_parent(const struct many_options *options);

/* Why all stopped, for people, on stderr; as an event for programs, too. */
void many_fault(struct many_show *show, const struct fault *fault);
void many_show_init(struct many_show *show, const struct many_options *options);

#endif
