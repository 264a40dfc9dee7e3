/* SPDX-License-Identifier: Apache-2.0 */
/* mailferry status: what is known of the mailboxes of a configuration, from their status files.
 * Ledgers are not opened: whoever works on a mailbox has the only connection to its ledger. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/choose.h"
#include "cli/commands.h"
#include "cli/many.h"
#include "cli/status-show.h"
#include "os/folder.h"
#include "os/term.h"

static const int64_t every_us = SECOND;

struct options {
	const char *config, *state, *wave;
	bool watch, json, failed, all;
};

static const struct option_line lines[] = {
	{ "What is asked for", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "config", OPTION_STRING, offsetof(struct options, config), "FILE",
	  "the configuration (default " CHOOSE_CONFIG " in the current folder)" },
	{ "state", OPTION_STRING, offsetof(struct options, state), "DIR",
	  "in place of the configuration's" },
	{ "wave", OPTION_STRING, offsetof(struct options, wave), "WAVE",
	  "only the mailboxes of this wave" },
	{ "failed", OPTION_FLAG, offsetof(struct options, failed), NULL,
	  "name those that failed, were interrupted or have exceptions" },
	{ "all", OPTION_FLAG, offsetof(struct options, all), NULL, "name every mailbox" },
	{ "How it is shown", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "watch", OPTION_FLAG, offsetof(struct options, watch), NULL,
	  "again each second, until Ctrl-C" },
	{ "json", OPTION_FLAG, offsetof(struct options, json), NULL,
	  "one JSON object a line on standard output" },
};

struct run {
	struct options options;
	struct choice choice;
	struct status_view view;
	struct nursery work;
};

static void help(void)
{
	puts("usage: mailferry status [--config FILE] [--wave WAVE | MAILBOX …] [option …]\n\n"
	     "Tells where each mailbox stands: sums by wave, then those at work or in trouble.");
	options_help(lines, ARRAY_SIZE(lines));
	puts("\nExit status: 0 all asked for are done; 1 done, with exceptions; 2 wrong usage or\n"
	     "configuration; 3 some are not done: waiting, at work, parked, failed or interrupted.");
}

/* --- reading --------------------------------------------------------------------------------- */

static int refresh(void *arg, struct fault *fault)
{
	struct run *run = arg;

	return status_view_refresh(&run->view, fault);
}

static int watch(void *arg, struct fault *fault)
{
	struct run *run = arg;

	do {
		if (pool_call("status files", refresh, run, fault) < 0)
			return -1;
		status_show(&run->view);
	} while (run->options.watch && run_sleep(every_us, fault) == 0);
	return 0;
}

static void interrupt(void *arg)
{
	nursery_cancel(&((struct run *)arg)->work);
}

static int status_main(void *arg, struct fault *fault)
{
	struct run *run = arg;
	int r;

	nursery_init(&run->work, "status");
	run_on_signal(SIGINT, interrupt, run);
	run_on_signal(SIGTERM, interrupt, run);
	nursery_start(&run->work, watch, run, "watch");
	r = nursery_wait(&run->work, fault);
	return r < 0 && fault->kind == FAULT_CANCELLED ? 0 : r;
}

static int show(struct run *run, struct fault *fault)
{
	const struct options *o = &run->options;
	bool terminal = os_is_terminal(1);
	int r;

	status_view_open(&run->view, &run->choice);
	run->view.json = o->json;
	run->view.failed = o->failed;
	run->view.all = o->all;
	run->view.watch = o->watch;
	run->view.redraw = o->watch && terminal && !o->json;
	run->view.columns = terminal ? (size_t)os_terminal_width(1) : 0;
	run->view.rows = terminal && o->watch ? (size_t)os_terminal_height(1) : 0;
	r = run_main("main", status_main, run, fault);
	r = r < 0 ? EXIT_STOPPED : status_exit_status(&run->view);
	status_view_close(&run->view);
	return r;
}

int cmd_status(int argc, char **argv)
{
	struct run run = { .options = { .config = NULL } };
	struct options *o = &run.options;
	struct string_list names = { .n = 0 };
	struct fault fault = FAULT_INIT;
	int status = EXIT_USAGE, r;

	r = options_parse(lines, ARRAY_SIZE(lines), argc, argv, o, &names, &fault);
	if (r > 0) {
		help();
		status = EXIT_DONE;
	}
	if (r == 0) {
		struct choice_options options = { o->config, o->state, o->wave, &names };

		r = choice_open(&options, &run.choice, &fault);
		if (r == 0) {
			run.view.named = names.n > 0;
			status = show(&run, &fault);
			choice_done(&run.choice);
		}
	}
	if (fault.kind)
		many_fault(&(struct many_show){ .json = o->json }, &fault);
	string_list_done(&names);
	return status;
}
