/* SPDX-License-Identifier: Apache-2.0 */
/* mailferry copy: one mailbox from one IMAP server to another. */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/show.h"
#include "cli/side-lines.h"
#include "cli/side.h"
#include "cli/state-dir.h"
#include "os/process.h"
#include "os/term.h"

struct options {
	struct side_options from, to;
	const char *ca_file, *transcript, *state;
	struct string_list folders, excludes, maps;
	int64_t since, before, timeout_us;
	unsigned connections, retries, flags, deletes, delete_limit, missing;
	struct rate rate;
	bool adopt, retry_exceptions, dry_run, json, quiet, progress, compress;
};

#define OF_A_CONFIGURATION \
	"is about the mailboxes of a configuration: leave out --from and --to and what belongs to them"

static const struct option_line lines[] = {
	{ "What and where", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "from", OPTION_STRING, offsetof(struct options, from.url), "URL",
	  "source: imaps://USER@HOST[:PORT], imap://USER@HOST[:PORT]\n"
	  "(STARTTLS; plain on this machine), imap+pipe:COMMAND" },
	{ "to", OPTION_STRING, offsetof(struct options, to.url), "URL", "destination, likewise" },
	{ "folder", OPTION_LIST, offsetof(struct options, folders), "GLOB",
	  "only folders that match (\"/\" between levels; * within a level,\n"
	  "** across); may be given again" },
	{ "exclude", OPTION_LIST, offsetof(struct options, excludes), "GLOB",
	  "not these; may be given again" },
	{ "map", OPTION_LIST, offsetof(struct options, maps), "SRC=DST",
	  "source folder SRC becomes DST; may be given again" },
	{ "since", OPTION_DAY, offsetof(struct options, since), "DAY",
	  "only messages that arrived on DAY (YYYY-MM-DD, UTC) or later" },
	{ "before", OPTION_DAY, offsetof(struct options, before), "DAY",
	  "only messages that arrived before DAY" },
	{ "state", OPTION_STRING, offsetof(struct options, state), "DIR",
	  "where the ledger is, which remembers what was copied\n"
	  "(default $XDG_STATE_HOME/mailferry or ~/.local/state/mailferry)" },
	{ "dry-run", OPTION_FLAG, offsetof(struct options, dry_run), NULL,
	  "show what would become what, and stop" },
	{ "What a pass after the first one does", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "adopt", OPTION_FLAG, offsetof(struct options, adopt), NULL,
	  "folders of the destination hold messages that no ledger knows:\n"
	  "match them with the source's, and copy what is missing" },
	{ "flags", OPTION_CHOICE, offsetof(struct options, flags), "source|newer|add-only",
	  "repeat changes of flags made at the source (default source);\n"
	  "newer: not where they were changed at the destination, too" },
	{ "deletes", OPTION_CHOICE, offsetof(struct options, deletes), "record|mirror",
	  "what left the source is only noted (default), or removed from\n"
	  "the destination" },
	{ "delete-limit", OPTION_COUNT, offsetof(struct options, delete_limit), "PERCENT",
	  "mirror no more than this share of a folder in a pass (default 10),\nor ten messages, if others "
	  "stay; 0: none, 100: all", 0, 100 },
	{ "missing", OPTION_CHOICE, offsetof(struct options, missing), "leave|recopy",
	  "what somebody removed from the destination is named (default),\nor copied again" },
	{ "retry-exceptions", OPTION_FLAG, offsetof(struct options, retry_exceptions), NULL,
	  "try again what earlier passes could not copy" },
	{ "How", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "connections", OPTION_COUNT, offsetof(struct options, connections), "N",
	  "at most N connections to either side (default 4)", 1, 64 },
	{ "rate", OPTION_RATE, offsetof(struct options, rate), "RATE",
	  "at most so many bytes (\"500K\", \"2M\") or messages (\"4/s\")\na second" },
	{ "timeout", OPTION_SECONDS, offsetof(struct options, timeout_us), "SECONDS",
	  "give a server up that says nothing for so long (default 120)" },
	{ "retries", OPTION_COUNT, offsetof(struct options, retries), "N",
	  "connect anew so often in a row after a connection was lost\n(default 5)", 0, 1000 },
	{ "compress", OPTION_FLAG, offsetof(struct options, compress), NULL,
	  "use COMPRESS=DEFLATE where the server has it: for slow lines" },
	{ "ca-file", OPTION_STRING, offsetof(struct options, ca_file), "FILE",
	  "trust this CA or certificate (PEM) besides the system's" },
	{ "Who we are at the source", OPTION_HEADING, 0, NULL, "", 0, 0 },
	SIDE_LINES(struct options, "from", from, "source"),
	{ "Who we are at the destination", OPTION_HEADING, 0, NULL, "", 0, 0 },
	SIDE_LINES(struct options, "to", to, "destination"),
	{ "What is shown", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "json", OPTION_FLAG, offsetof(struct options, json), NULL,
	  "one JSON object a line on standard output" },
	{ "quiet", OPTION_FLAG, offsetof(struct options, quiet), NULL,
	  "nothing but exceptions and errors" },
	{ "progress", OPTION_FLAG, offsetof(struct options, progress), NULL,
	  "the live progress line, also when not on a terminal" },
	{ "transcript", OPTION_STRING, offsetof(struct options, transcript), "FILE",
	  "write the protocol to FILE, without secrets and message text" },
	{ "config", OPTION_ELSEWHERE, 0, NULL, OF_A_CONFIGURATION, 0, 0 },
	{ "wave", OPTION_ELSEWHERE, 0, NULL, OF_A_CONFIGURATION, 0, 0 },
	{ "processes", OPTION_ELSEWHERE, 0, NULL, OF_A_CONFIGURATION, 0, 0 },
	{ "at-once", OPTION_ELSEWHERE, 0, NULL, OF_A_CONFIGURATION, 0, 0 },
};

struct run {
	struct options options;
	struct side from, to;
	struct transcript *transcript;
	struct show show;
	struct state_ends ends;
	struct ledger *ledger;
	struct copy *copy;
	struct nursery engine;
	bool prepared, interrupted;
	int status;
};

static void help(void)
{
	puts("usage: mailferry copy --from URL --to URL [option …]\n"
	     "       mailferry copy [--config FILE] [--wave WAVE | MAILBOX …] [option …]\n\n"
	     "The first form, whose options come first:\n\n"
	     "Copies every folder and message of one mailbox to another server: bytes, flags,\n"
	     "keywords, dates and subscriptions. Run again, it copies only what is new and repeats\n"
	     "what was changed. A password that no option names is taken from\n"
	     "MAILFERRY_FROM_PASSWORD or MAILFERRY_TO_PASSWORD, or asked for on the terminal.");
	options_help(lines, ARRAY_SIZE(lines));
	puts("\nExit status: 0 all copied; 1 done, with exceptions that are listed; 2 wrong usage or\n"
	     "configuration; 3 stopped early; 4 refused to begin (the destination holds mail that no\nledger knows).");
	copy_many_help();
}

/* Without accounts it is about those of a configuration. */
static bool is_about_one(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "--from", 6) == 0 || strncmp(argv[i], "--to", 4) == 0 ||
		    strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

/* --- the engine's fiber ----------------------------------------------------------------------- */

static int open_ledger(struct run *run, struct fault *fault)
{
	enum ledger_mode mode = run->options.dry_run ? LEDGER_READ : LEDGER_CREATE;

	if (ledger_open(buf_str(&run->ends.path), &run->ends.ends, mode, &run->ledger, fault) < 0)
		return -1;

	run->copy->options.ledger = run->ledger;
	return 0;
}

static int prepare_and_run(void *arg, struct fault *fault)
{
	struct run *run = arg;

	if (open_ledger(run, fault) < 0) {
		channel_close(&run->copy->events);
		return -1;
	}

	if (copy_prepare(run->copy, fault) < 0) {
		if (run->copy->destination_filled) {
			run->status = EXIT_GATE;
			if (run->options.dry_run)
				show_plan(&run->show, run->copy, true);
		}
		channel_close(&run->copy->events);
		return -1;
	}

	if (run->options.dry_run && copy_measure(run->copy, fault) < 0) {
		channel_close(&run->copy->events);
		return -1;
	}

	show_plan(&run->show, run->copy, run->options.dry_run);
	run->prepared = true;
	if (run->options.dry_run) {
		channel_close(&run->copy->events);
		return 0;
	}
	return copy_run(run->copy, fault);
}

/* --- showing --------------------------------------------------------------------------------- */

static int show_events(void *arg, struct fault *fault)
{
	struct run *run = arg;
	void *event;
	int r;

	while ((r = channel_receive(&run->copy->events, &event, fault)) == 0) {
		show_event(&run->show, run->copy, event);
		free(event);
	}
	return r < 0 ? -1 : 0;
}

static int tick(void *arg, struct fault *fault)
{
	struct run *run = arg;

	while (run_sleep(200 * MSEC, fault) == 0)
		show_progress(&run->show, run->copy);

	return 0; /* cancelled when the work is done */
}

/* --- signals --------------------------------------------------------------------------------- */

static void interrupt(void *arg)
{
	struct run *run = arg;

	run->interrupted = true;
	nursery_cancel(&run->engine);
}

static void dump(void *arg)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	run_dump(&text);
	fputs(buf_str(&text), stderr);
}

/* --- the pass -------------------------------------------------------------------------------- */

static int status_of_fault(const struct run *run, const struct fault *fault)
{
	if (run->status)
		return run->status;

	/* What the same command cannot mend by being run again is in its words or its configuration. */
	if (!run->prepared && fault->again == AGAIN_NEVER)
		return EXIT_USAGE;

	return EXIT_STOPPED;
}

static int books_status(const struct copy *copy)
{
	struct copy_folder t = books_total(&copy->books);

	return copy->books.exceptions_n || books_not_reached(&t) ? EXIT_EXCEPTIONS : EXIT_DONE;
}

static void say_interrupted(const struct run *run, struct fault *fault)
{
	_cleanup_(buf_done) struct buf busy = BUF_NULL;

	show_busy(run->copy, &busy);
	fault_set(fault, FAULT_CANCELLED, REACH_PROCESS, AGAIN_LATER,
		  run->copy->began_us ? "stopped on request%s%s; what was copied so far is at the destination"
				      : "stopped on request%s%s; no message was copied",
		  busy.n ? " while copying " : "", buf_str(&busy));
}

static int copy_main(void *arg, struct fault *fault)
{
	struct run *run = arg;
	struct nursery showing;
	struct fault ignored;
	int r;

	nursery_init(&run->engine, "copy");
	nursery_init(&showing, "showing");
	run_on_signal(SIGINT, interrupt, run);
	run_on_signal(SIGTERM, interrupt, run);
	run_on_signal(SIGHUP, interrupt, run);
	run_on_signal(SIGUSR1, dump, run);

	nursery_start(&run->engine, prepare_and_run, run, "engine");
	nursery_start(&showing, tick, run, "progress");
	nursery_start(&run->engine, show_events, run, "events");
	r = nursery_wait(&run->engine, fault);
	nursery_cancel(&showing);
	nursery_wait(&showing, &ignored);

	if (run->prepared && !run->options.dry_run)
		show_books(&run->show, run->copy, r < 0);
	if (r < 0 && run->interrupted)
		say_interrupted(run, fault);
	if (r < 0)
		show_fault(&run->show, fault);
	run->status = r < 0 ? status_of_fault(run, fault) : books_status(run->copy);
	run->copy = copy_free(run->copy);
	run->ledger = ledger_close(run->ledger);
	return r;
}

static int run_copy(struct run *run, struct fault *fault)
{
	struct options *o = &run->options;
	struct copy_options options = {
		.from = &run->from.account, .to = &run->to.account, .folders = o->folders.p,
		.excludes = o->excludes.p, .maps = o->maps.p, .since = o->since,
		.before = o->before, .connections = o->connections, .retries = o->retries,
		.bytes_per_second = o->rate.bytes_per_second,
		.messages_per_second = o->rate.messages_per_second,
		.patience_us = SHOW_LONG_WAIT, .adopt = o->adopt, .flags = o->flags, .mirror_deletes = o->deletes,
		.delete_limit = o->delete_limit, .recopy_missing = o->missing,
		.retry_exceptions = o->retry_exceptions,
	};

	run->copy = copy_new(&options);
	run->show = (struct show){
		.json = o->json, .quiet = o->quiet,
		.progress = !o->json && (o->progress || os_is_terminal(2)),
		.columns = os_terminal_width(2),
		.out_columns = os_is_terminal(1) ? os_terminal_width(1) : 0,
		.from = buf_str(&run->from.shown_url),
		.to = buf_str(&run->to.shown_url),
	};
	run_main("main", copy_main, run, fault);
	return run->status;
}

/* --- arguments ------------------------------------------------------------------------------- */

static void finish_account(const struct options *o, struct side *side, struct transcript *t)
{
	side->account.silence_us = o->timeout_us;
	side->account.transcript = t;
	side->account.compress = o->compress;
}

static int find_ledger(struct run *run, struct fault *fault)
{
	_cleanup_(buf_done) struct buf dir = BUF_NULL;

	if (state_dir(run->options.state, &dir, fault) < 0)
		return -1;

	state_ends(buf_str(&dir), &run->from, &run->to, &run->ends);
	return 0;
}

static int open_run(struct run *run, struct fault *fault)
{
	_cleanup_(side_forget_secret) char *from = side_take_environment("MAILFERRY_FROM_PASSWORD");
	_cleanup_(side_forget_secret) char *to = side_take_environment("MAILFERRY_TO_PASSWORD");
	struct options *o = &run->options;

	if (o->since != IMAP_NO_DATE && o->before != IMAP_NO_DATE && o->since >= o->before)
		return fault_usage(fault, "--since is not before --before: no message could be copied");

	if (side_given("source", &o->from, fault) < 0 || side_given("destination", &o->to, fault) < 0)
		return -1;
	if (side_open(&run->from, "source", &o->from, o->ca_file, NULL, &from, fault) < 0 ||
	    side_open(&run->to, "destination", &o->to, o->ca_file, run->from.tls, &to, fault) < 0)
		return -1;

	if (o->transcript && transcript_open(o->transcript, &run->transcript, fault) < 0)
		return -1;

	finish_account(o, &run->from, run->transcript);
	finish_account(o, &run->to, run->transcript);
	return find_ledger(run, fault);
}

static int parse(struct run *run, int argc, char **argv, struct fault *fault)
{
	struct string_list rest = { .n = 0 };
	int r = options_parse(lines, ARRAY_SIZE(lines), argc, argv, &run->options, &rest, fault);

	if (r == 0 && rest.n)
		r = fault_usage(fault, "%s is no option; write mailferry copy --from URL --to URL",
				rest.p[0]);
	string_list_done(&rest);
	return r;
}

int cmd_copy(int argc, char **argv)
{
	struct run run = { .options = { .since = IMAP_NO_DATE, .before = IMAP_NO_DATE,
					.timeout_us = 120 * SECOND, .connections = 4,
					.retries = 5, .delete_limit = 10 } };
	struct fault fault;
	int r, status = EXIT_USAGE;

	if (!is_about_one(argc, argv))
		return cmd_copy_many(argc, argv);

	os_forbid_dumps();
	r = parse(&run, argc, argv, &fault);
	if (r > 0)
		help();
	if (r == 0)
		r = open_run(&run, &fault);
	if (r > 0)
		status = EXIT_DONE;
	else if (r < 0)
		show_fault(&(struct show){ .json = run.options.json }, &fault);
	else
		status = run_copy(&run, &fault);

	state_ends_done(&run.ends);
	transcript_close(run.transcript);
	side_done(&run.from);
	side_done(&run.to);
	string_list_done(&run.options.folders);
	string_list_done(&run.options.excludes);
	string_list_done(&run.options.maps);
	return status;
}
