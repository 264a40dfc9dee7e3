/* SPDX-License-Identifier: Apache-2.0 */
/* mailferry copy without --from and --to: the mailboxes of mailferry.conf. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/commands.h"
#include "cli/many.h"
#include "cli/show.h"
#include "os/process.h"

/* Names are looked up, ledgers written and commands run on these: one slow name server must not
 * hold up all. */
static const char pool_threads[] = "16";

/* Files of a mailbox that is at work besides its connections: the ledger's three, a status file,
 * one to spare. */
enum { FILES_EACH = 6, FILES_IN_ALL = 64 };

struct options {
	const char *config, *state, *wave, *transcript;
	unsigned processes, at_once;
	bool dry_run, adopt, retry_exceptions, json, quiet, progress;
};

#define OF_ONE "is about a single mailbox, with --from and --to; for many, write "
#define IN_IT " in the configuration"
#define COPY_KEY(key) OF_ONE key " under [copy]" IN_IT
#define PLATFORM_KEY(key) OF_ONE key " under [platform old] and [platform new]" IN_IT

static const struct option_line lines[] = {
	{ "Many mailboxes, of a configuration", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "config", OPTION_STRING, offsetof(struct options, config), "FILE",
	  "the configuration (default " CHOOSE_CONFIG
	  " in the current\nfolder); it names the list of mailboxes" },
	{ "wave", OPTION_STRING, offsetof(struct options, wave), "WAVE",
	  "only the mailboxes of this wave; or name mailboxes" },
	{ "processes", OPTION_COUNT, offsetof(struct options, processes), "N",
	  "share the work among N processes, and the limits too", 1, 64 },
	{ "at-once", OPTION_COUNT, offsetof(struct options, at_once), "N",
	  "at most N mailboxes at once in a process", 1, 10000 },
	{ "state", OPTION_STRING, offsetof(struct options, state), "DIR",
	  "in place of the configuration's" },
	{ "adopt", OPTION_FLAG, offsetof(struct options, adopt), NULL,
	  "folders of the destination hold messages that no ledger knows:\n"
	  "match them with the source's, and copy what is missing" },
	{ "retry-exceptions", OPTION_FLAG, offsetof(struct options, retry_exceptions), NULL,
	  "try again what earlier passes could not copy" },
	{ "dry-run", OPTION_FLAG, offsetof(struct options, dry_run), NULL,
	  "connect, look, tell what there is to do, and stop" },
	{ "json", OPTION_FLAG, offsetof(struct options, json), NULL,
	  "one JSON object a line on standard output" },
	{ "quiet", OPTION_FLAG, offsetof(struct options, quiet), NULL,
	  "nothing but exceptions, failures and errors" },
	{ "progress", OPTION_FLAG, offsetof(struct options, progress), NULL,
	  "the live progress line, also when not on a terminal" },
	{ "transcript", OPTION_STRING, offsetof(struct options, transcript), "FILE",
	  "write the protocol to FILE, without secrets and message text" },
	{ "folder", OPTION_ELSEWHERE, 0, NULL, COPY_KEY("folder"), 0, 0 },
	{ "exclude", OPTION_ELSEWHERE, 0, NULL, COPY_KEY("exclude"), 0, 0 },
	{ "map", OPTION_ELSEWHERE, 0, NULL, COPY_KEY("map"), 0, 0 },
	{ "since", OPTION_ELSEWHERE, 0, NULL, COPY_KEY("since"), 0, 0 },
	{ "before", OPTION_ELSEWHERE, 0, NULL, COPY_KEY("before"), 0, 0 },
	{ "flags", OPTION_ELSEWHERE, 0, NULL, COPY_KEY("flags"), 0, 0 },
	{ "deletes", OPTION_ELSEWHERE, 0, NULL, COPY_KEY("deletes"), 0, 0 },
	{ "delete-limit", OPTION_ELSEWHERE, 0, NULL, COPY_KEY("delete_limit"), 0, 0 },
	{ "missing", OPTION_ELSEWHERE, 0, NULL, COPY_KEY("missing"), 0, 0 },
	{ "connections", OPTION_ELSEWHERE, 0, NULL, COPY_KEY("connections"), 0, 0 },
	{ "retries", OPTION_ELSEWHERE, 0, NULL, COPY_KEY("retries"), 0, 0 },
	{ "rate", OPTION_ELSEWHERE, 0, NULL,
	  OF_ONE "bytes_per_second or messages_per_second under [limits]" IN_IT, 0, 0 },
	{ "timeout", OPTION_ELSEWHERE, 0, NULL, PLATFORM_KEY("timeout"), 0, 0 },
	{ "compress", OPTION_ELSEWHERE, 0, NULL, PLATFORM_KEY("compress"), 0, 0 },
	{ "ca-file", OPTION_ELSEWHERE, 0, NULL, OF_ONE "ca_file under [mailferry]" IN_IT, 0, 0 },
};

void copy_many_help(void)
{
	puts("\nThe second form, mailferry copy [--config FILE] [--wave WAVE | MAILBOX …]:\n\n"
	     "Runs one pass over each of these mailboxes, many at once. Accounts, limits and what is\n"
	     "copied are the configuration's: mailferry init writes one to begin with.");
	options_help(lines, ARRAY_SIZE(lines));
	puts("\nExit status: 0 all are done; 1 done, some with exceptions; 2 wrong usage or configuration;\n"
	     "3 some failed, were stopped or not reached.");
}

/* Nobody should run out of files in the middle: then fewer are at work at once. */
static unsigned fit_at_once(unsigned at_once, unsigned connections, bool quiet)
{
	unsigned files = os_raise_file_limit();
	unsigned fit = files > FILES_IN_ALL
			       ? (files - FILES_IN_ALL) / (2 * connections + FILES_EACH)
			       : 1;

	if (fit < 1)
		fit = 1;
	if (at_once <= fit)
		return at_once;

	if (!quiet)
		fprintf(stderr, "mailferry: %u mailboxes at once in place of %u: a process may open %u "
			"files here (ulimit -n)\n", fit, at_once, files);
	return fit;
}

static int parse(struct options *o, struct string_list *names, struct many_worker *worker, int argc,
		 char **argv, bool *ret_worker, struct fault *fault)
{
	int r = argc > 1 ? many_worker_of(argv[1], worker) : 0;

	if (r < 0)
		return fault_usage(fault, "%s is for processes of one run among themselves",
				   argv[1]);

	*ret_worker = r > 0;
	return options_parse(lines, ARRAY_SIZE(lines), argc - r, argv + r, o, names, fault);
}

/* What is no fault, but looks like a mistake: a wave's section that no mailbox belongs to. */
static void tell_notes(const struct config *config)
{
	for (size_t i = 0; config->notes && config->notes[i]; i++) {
		fputs("mailferry: ", stderr);
		show_name(stderr, bytes_of(config->notes[i]));
		fputc('\n', stderr);
	}
}

static int run(const struct options *o, const struct choice *choice,
	       const struct many_worker *worker, int argc, char **argv, struct fault *fault)
{
	_cleanup_(transcript_closep) struct transcript *transcript = NULL;
	struct many_options options = {
		.choice = choice,
		.at_once = o->at_once ? o->at_once : choice->config.at_once,
		.processes = o->processes ? o->processes : choice->config.processes,
		.dry_run = o->dry_run,
		.retry_exceptions = o->retry_exceptions,
		.json = o->json,
		.quiet = o->quiet,
		.progress = o->progress,
		.argv = (const char *const *)argv,
		.argc = argc,
	};

	if (choice->n == 0)
		return choice_empty(choice, o->wave, fault);
	if (!o->quiet && !worker)
		tell_notes(&choice->config);

	if (options.processes > choice->n)
		options.processes = (unsigned)choice->n;
	if (worker || o->dry_run || o->transcript)
		options.processes = 1;
	if (options.processes > 1)
		return many_run_parent(&options);

	if (o->transcript && transcript_open(o->transcript, &transcript, fault) < 0)
		return -1;

	options.transcript = transcript;
	options.at_once = fit_at_once(options.at_once, choice->config.connections,
				      o->quiet || worker);
	return worker ? many_run_worker(&options, worker) : many_run(&options);
}

int cmd_copy_many(int argc, char **argv)
{
	struct options o = { .config = NULL };
	struct string_list names = { .n = 0 };
	struct many_worker worker;
	struct choice choice;
	struct fault fault;
	bool is_worker = false;
	int r, status = EXIT_USAGE;

	os_forbid_dumps();
	setenv("UV_THREADPOOL_SIZE", pool_threads, 0);
	r = parse(&o, &names, &worker, argc, argv, &is_worker, &fault);
	if (r > 0) {
		copy_many_help();
		status = EXIT_DONE;
	}
	if (r == 0) {
		struct choice_options options = { o.config, o.state, o.wave, &names };

		r = choice_open(&options, &choice, &fault);
		if (r == 0) {
			choice.config.adopt |= o.adopt;
			status = run(&o, &choice, is_worker ? &worker : NULL, argc, argv, &fault);
			r = status < 0 ? -1 : 0;
			choice_done(&choice);
		}
	}
	if (r < 0) {
		many_fault(&(struct many_show){ .json = o.json }, &fault);
		status = EXIT_USAGE;
	}
	string_list_done(&names);
	return status;
}
