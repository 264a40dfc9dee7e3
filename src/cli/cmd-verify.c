/* SPDX-License-Identifier: Apache-2.0 */
/* mailferry verify: of one mailbox by URLs, or of those of mailferry.conf, one after the other. */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cli/choose.h"
#include "cli/commands.h"
#include "cli/side-lines.h"
#include "cli/side.h"
#include "cli/state-dir.h"
#include "cli/verify-one.h"
#include "fleet/account.h"
#include "fleet/status.h"
#include "os/process.h"
#include "os/term.h"
#include "verify/sample.h"

struct options {
	struct side_options from, to;
	const char *config, *wave, *state, *ca_file, *transcript;
	const char *sample, *seed, *report, *find, *reason;
	struct string_list folders, excludes, accept, withdraw;
	int64_t timeout_us;
	unsigned level, connections, retries;
	bool accepted, json, quiet, details, progress, compress;
};

static const struct option_line lines[] = {
	{ "Which mailbox", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "from", OPTION_STRING, offsetof(struct options, from.url), "URL",
	  "source, as it was given to mailferry copy" },
	{ "to", OPTION_STRING, offsetof(struct options, to.url), "URL", "destination, likewise" },
	{ "config", OPTION_STRING, offsetof(struct options, config), "FILE",
	  "without --from and --to: the configuration\n(default " CHOOSE_CONFIG " in the current folder)" },
	{ "wave", OPTION_STRING, offsetof(struct options, wave), "WAVE",
	  "… and of it the mailboxes of this wave; or name mailboxes" },
	{ "state", OPTION_STRING, offsetof(struct options, state), "DIR",
	  "where the ledger is, as for mailferry copy" },
	{ "folder", OPTION_LIST, offsetof(struct options, folders), "GLOB",
	  "only source folders that match; may be given again" },
	{ "exclude", OPTION_LIST, offsetof(struct options, excludes), "GLOB",
	  "not these; may be given again" },
	{ "How much is looked at", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "level", OPTION_CHOICE, offsetof(struct options, level), "counts|identity|content",
	  "counts: messages, sizes and flags in total (default);\n"
	  "identity: each message's UID, size, date, flags, header;\n"
	  "content: and the bytes at both sides" },
	{ "sample", OPTION_STRING, offsetof(struct options, sample), "PERCENT",
	  "of content: read so many of the messages, such as 5%" },
	{ "seed", OPTION_STRING, offsetof(struct options, seed), "N",
	  "the sample that was drawn with this number" },
	{ "What comes of it", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "report", OPTION_STRING, offsetof(struct options, report), "FILE",
	  "write a report; FILE is new and ends in .txt, .json or .csv,\n"
	  "{mailbox} in it stands for the mailbox's address" },
	{ "accept", OPTION_LIST, offsetof(struct options, accept), "CAUSE[:FOLDER[:UID]]",
	  "accept such exceptions from now on; may be given again" },
	{ "reason", OPTION_STRING, offsetof(struct options, reason), "TEXT", "why they are accepted" },
	{ "withdraw", OPTION_LIST, offsetof(struct options, withdraw), "CAUSE[:FOLDER[:UID]]",
	  "accept them no more" },
	{ "accepted", OPTION_FLAG, offsetof(struct options, accepted), NULL, "list what is accepted" },
	{ "Where a message is", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "find", OPTION_STRING, offsetof(struct options, find), "MESSAGE-ID",
	  "at both sides: from the ledger, confirmed by the servers;\n"
	  "what the ledger does not know is looked for in all headers" },
	{ "How", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "connections", OPTION_COUNT, offsetof(struct options, connections), "N",
	  "at most N connections to either side (default 4)", 1, 64 },
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
	{ "details", OPTION_FLAG, offsetof(struct options, details), NULL,
	  "of several mailboxes, too: all folders and findings of each" },
	{ "quiet", OPTION_FLAG, offsetof(struct options, quiet), NULL, "only what is wrong, and the verdict" },
	{ "progress", OPTION_FLAG, offsetof(struct options, progress), NULL,
	  "the live progress line, also when not on a terminal" },
	{ "transcript", OPTION_STRING, offsetof(struct options, transcript), "FILE",
	  "write the protocol to FILE, without secrets and message text" },
};

struct run {
	struct options options;
	struct string_list names;
	struct verify_wishes wishes;
	struct show_verify show;
	struct transcript *transcript;
	struct nursery engine;
	int status;

	/* One mailbox. */
	struct side from, to;
	struct state_ends ends;

	/* Those of a configuration. */
	struct choice choice;
	struct fleet_platforms *platforms;
	bool many, chosen;
	struct show_verify_sum sum;
};

/* A mailbox that has to wait longer is left, so that the next one gets its turn. */
static const int64_t others_wait_us = 5 * MINUTE;

static void help(void)
{
	puts("usage: mailferry verify --from URL --to URL [option …]\n"
	     "       mailferry verify [--config FILE] [--wave WAVE | MAILBOX …] [option …]\n\n"
	     "Holds both sides of a copied mailbox against its ledger and says whether it is ready.\n"
	     "Nothing is changed at either side.");
	options_help(lines, ARRAY_SIZE(lines));
	puts("\nExit status: 0 ready; 1 ready, with exceptions that were accepted (--find: not at both\n"
	     "sides); 2 wrong usage or configuration; 3 stopped early; 4 not ready.");
}

/* Whether any server is to be asked at all. */
static bool needs_login(const struct options *o)
{
	return !o->accepted && !o->accept.n && !o->withdraw.n;
}

/* --- mailboxes of a configuration --------------------------------------------------------------- */

/* Both lists as one, in the arena; NULL when there is nothing in them. */
static const char *const *join(struct arena *arena, const char *const *a, const char *const *b)
{
	const char **joined;
	size_t n = 0, m = 0, at = 0;

	while (a && a[n])
		n++;
	while (b && b[m])
		m++;
	if (n + m == 0)
		return NULL;

	joined = arena_alloc(arena, (n + m + 1) * sizeof(*joined));
	for (size_t i = 0; i < n; i++)
		joined[at++] = a[i];
	for (size_t i = 0; i < m; i++)
		joined[at++] = b[i];
	return joined;
}

/* A file's name for this mailbox. */
static const char *report_of(const struct run *run, struct arena *arena, const char *mailbox)
{
	static const struct bytes word = { "{mailbox}", 9 };
	struct bytes rest = bytes_of(run->options.report);
	_cleanup_(buf_done) struct buf name = BUF_NULL;
	ptrdiff_t at;

	if (!run->options.report)
		return NULL;

	while ((at = bytes_find(rest, word)) >= 0) {
		buf_append(&name, rest.p, (size_t)at);
		for (const char *p = mailbox; *p; p++)
			buf_append_char(&name, *p == '/' ? '_' : *p);
		rest = bytes_skip(rest, (size_t)at + word.n);
	}
	buf_append_bytes(&name, rest);
	return arena_str(arena, buf_bytes(&name));
}

static int verify_of_config(struct run *run, const struct config_mailbox *mailbox, struct fleet_sides *sides)
{
	const struct config *config = &run->choice.config;
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(buf_done) struct buf path = BUF_NULL, verified = BUF_NULL;
	struct verify_wishes wishes = run->wishes;
	struct options *o = &run->options;
	struct verify_target target = {
		.mailbox = mailbox->address, .from = &sides->from.account, .to = &sides->to.account,
		.from_pace = sides->from_pace, .to_pace = sides->to_pace,
		.from_url = buf_str(&sides->from.shown_url), .to_url = buf_str(&sides->to.shown_url),
		.ends = &sides->ends, .partial = o->folders.n || o->excludes.n,
		.connections = o->connections ? o->connections : config->connections,
		.retries = config->retries, .patience_us = others_wait_us,
	};

	sides->from.account.transcript = sides->to.account.transcript = run->transcript;
	ledger_path(run->choice.state, &sides->ends, &path);
	target.ledger = buf_str(&path);
	fleet_verified_path(run->choice.state, mailbox->address, &verified);
	target.verified = target.partial ? NULL : buf_str(&verified);
	target.folders = o->folders.n ? o->folders.p : join(&arena, config->folders, mailbox->folders);
	target.excludes = join(&arena, o->excludes.p, join(&arena, config->excludes, mailbox->excludes));
	wishes.report = report_of(run, &arena, mailbox->address);
	return verify_one(&wishes, &target, &run->show);
}

static void count(struct show_verify_sum *sum, int status)
{
	sum->mailboxes++;
	sum->ready += status == EXIT_DONE;
	sum->accepted += status == EXIT_EXCEPTIONS;
	sum->not_ready += status == EXIT_GATE;
	sum->unfinished += status == EXIT_STOPPED || status == EXIT_USAGE;
}

static void say(struct run *run, const struct config_mailbox *mailbox, const struct fault *fault)
{
	struct fault said = *fault;

	if (mailbox)
		fault_prefix(&said, "%s", mailbox->address);
	show_fault(&run->show.show, &said);
}

/* Its exit status. A login that was given up is told once, for all who share it. */
static int verify_next(struct run *run, const struct config_mailbox *mailbox)
{
	_cleanup_(fleet_sides_freep) struct fleet_sides *sides = NULL;
	const struct fault *given_up;
	struct fault fault;
	bool news;

	given_up = fleet_given_up(run->platforms, mailbox, &news);
	if (news)
		say(run, NULL, given_up);
	if (given_up && needs_login(&run->options))
		return EXIT_STOPPED;

	if (fleet_sides_open(run->platforms, mailbox, &sides, &fault) == 0)
		return verify_of_config(run, mailbox, sides);

	say(run, mailbox, &fault);
	return EXIT_STOPPED;
}

static int verify_all(struct run *run, struct fault *fault)
{
	for (size_t i = 0; i < run->choice.n; i++) {
		int status;

		if (run_yield(fault) < 0)
			return -1;

		status = verify_next(run, run->choice.mailboxes[i]);
		run->status = verify_worse(run->status, status);
		count(&run->sum, status);
	}
	if (needs_login(&run->options) && !run->options.find)
		show_verify_sum(&run->show, &run->sum);
	return 0;
}

/* --- the engine ------------------------------------------------------------------------------ */

static int verify_by_url(struct run *run)
{
	struct options *o = &run->options;
	struct verify_target target = {
		.from = &run->from.account, .to = &run->to.account,
		.from_url = buf_str(&run->from.shown_url), .to_url = buf_str(&run->to.shown_url),
		.ends = &run->ends.ends, .ledger = buf_str(&run->ends.path), .folders = o->folders.p,
		.excludes = o->excludes.p, .partial = o->folders.n || o->excludes.n,
		.connections = o->connections ? o->connections : 4, .retries = o->retries,
		.patience_us = SHOW_LONG_WAIT,
	};

	return verify_one(&run->wishes, &target, &run->show);
}

static int work(void *arg, struct fault *fault)
{
	struct run *run = arg;

	if (run->many)
		return verify_all(run, fault);

	run->status = verify_by_url(run);
	return 0;
}

static int tick(void *arg, struct fault *fault)
{
	struct run *run = arg;

	while (run_sleep(200 * MSEC, fault) == 0)
		show_verify_progress(&run->show);

	return 0; /* cancelled when the work is done */
}

static void interrupt(void *arg)
{
	struct run *run = arg;

	nursery_cancel(&run->engine);
}

static void dump(void *arg)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	run_dump(&text);
	fputs(buf_str(&text), stderr);
}

static int verify_main(void *arg, struct fault *fault)
{
	struct run *run = arg;
	struct nursery showing;
	struct fault ignored;
	int r;

	nursery_init(&run->engine, "verify");
	nursery_init(&showing, "showing");
	run_on_signal(SIGINT, interrupt, run);
	run_on_signal(SIGTERM, interrupt, run);
	run_on_signal(SIGHUP, interrupt, run);
	run_on_signal(SIGUSR1, dump, run);

	nursery_start(&run->engine, work, run, "engine");
	nursery_start(&showing, tick, run, "progress");
	r = nursery_wait(&run->engine, fault);
	nursery_cancel(&showing);
	nursery_wait(&showing, &ignored);
	if (r < 0)
		run->status = verify_worse(run->status, EXIT_STOPPED);
	return r;
}

/* --- arguments ------------------------------------------------------------------------------- */

static int check_accepting(const struct options *o, struct fault *fault)
{
	if (o->accept.n && (!o->reason || !o->reason[0]))
		return fault_usage(fault, "--accept needs --reason TEXT: whoever reads the report will ask for it");
	if (o->reason && !o->accept.n)
		return fault_usage(fault, "--reason belongs to --accept");
	if (!needs_login(o) && (o->find || o->report || o->sample || o->level))
		return fault_usage(fault, "--accept, --withdraw and --accepted do not verify: give them alone");
	return 0;
}

/* Once, and not for each mailbox. */
static int check_causes(const struct string_list *words, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct ledger_accepted ignored;

	for (size_t i = 0; i < words->n; i++)
		if (verify_accept_parse(words->p[i], &arena, &ignored, fault) < 0)
			return -1;
	return 0;
}

static int read_seed(struct run *run, struct fault *fault)
{
	const char *text = run->options.seed;
	uint32_t number;

	if (!text) {
		run_random(&number, sizeof(number)); /* short enough to be typed */
		run->wishes.seed = number;
		return 0;
	}
	if (bytes_to_u64(bytes_of(text), UINT64_MAX, &run->wishes.seed) < 0)
		return fault_usage(fault, "--seed %s: give the number of an earlier report", text);
	return 0;
}

static int read_wishes(struct run *run, struct fault *fault)
{
	struct options *o = &run->options;
	enum verify_format format;

	run->wishes = (struct verify_wishes){
		.level = (enum verify_level)o->level, .sample_ppm = VERIFY_ALL_PPM, .report = o->report,
		.find = o->find, .accept = o->accept, .withdraw = o->withdraw, .reason = o->reason,
		.accepted = o->accepted,
	};
	if (o->sample && o->level != VERIFY_CONTENT)
		return fault_usage(fault, "--sample is for --level content: the others look at every message");
	if (o->sample && verify_sample_parse(o->sample, &run->wishes.sample_ppm, fault) < 0)
		return -1;
	if (o->report && verify_format_of(o->report, &format, fault) < 0)
		return -1;
	if (o->find && !o->find[0])
		return fault_usage(fault, "--find needs a Message-ID");
	if (check_accepting(o, fault) < 0 || check_causes(&o->accept, fault) < 0 ||
	    check_causes(&o->withdraw, fault) < 0)
		return -1;

	return read_seed(run, fault);
}

static int open_many(struct run *run, struct fault *fault)
{
	struct options *o = &run->options;
	struct choice_options options = { o->config, o->state, o->wave, &run->names };

	run->many = true;
	if (choice_open(&options, &run->choice, fault) < 0)
		return -1;

	run->chosen = true;
	if (run->choice.n == 0)
		return choice_empty(&run->choice, o->wave, fault);
	if (run->choice.n > 1 && o->report && !strstr(o->report, "{mailbox}"))
		return fault_usage(fault, "--report %s: of several mailboxes each needs a file of its own: write "
				   "{mailbox} where the address is to stand", o->report);

	run->show.brief = run->choice.n > 1 && !o->details && !o->quiet && !o->json;
	return fleet_platforms_open(&run->choice.config, 1, &run->platforms, fault);
}

/* Accepting asks nobody: a URL is enough. */
static int open_side(struct side *side, const char *name, const struct side_options *options,
		     const struct options *o, struct tls_context *other, char **environment,
		     struct fault *fault)
{
	if (needs_login(o))
		return side_open(side, name, options, o->ca_file, other, environment, fault);
	if (!options->url)
		return fault_usage(fault, "no %s: give --from URL and --to URL, as for mailferry copy", name);

	return side_begin(side, name, options, name[0] == 's' ? "--from" : "--to", fault);
}

static void finish_account(const struct run *run, struct side *side)
{
	side->account.silence_us = run->options.timeout_us;
	side->account.transcript = run->transcript;
	side->account.compress = run->options.compress;
}

static int open_one(struct run *run, struct fault *fault)
{
	_cleanup_(side_forget_secret) char *from = side_take_environment("MAILFERRY_FROM_PASSWORD");
	_cleanup_(side_forget_secret) char *to = side_take_environment("MAILFERRY_TO_PASSWORD");
	_cleanup_(buf_done) struct buf dir = BUF_NULL;
	struct options *o = &run->options;

	if (side_given("source", &o->from, fault) < 0 || side_given("destination", &o->to, fault) < 0)
		return -1;
	if (run->names.n)
		return fault_usage(fault, "%s is no option; write mailferry verify --from URL --to URL",
				   run->names.p[0]);
	if (o->wave || o->config)
		return fault_usage(fault, "give --from and --to, or --config and --wave, not both");
	if (open_side(&run->from, "source", &o->from, o, NULL, &from, fault) < 0 ||
	    open_side(&run->to, "destination", &o->to, o, run->from.tls, &to, fault) < 0 ||
	    state_dir(o->state, &dir, fault) < 0)
		return -1;

	finish_account(run, &run->from);
	finish_account(run, &run->to);
	state_ends(buf_str(&dir), &run->from, &run->to, &run->ends);
	return 0;
}

static int open_run(struct run *run, struct fault *fault)
{
	struct options *o = &run->options;

	if (read_wishes(run, fault) < 0)
		return -1;
	if (o->transcript && transcript_open(o->transcript, &run->transcript, fault) < 0)
		return -1;

	run->show.show = (struct show){
		.json = o->json, .quiet = o->quiet,
		.progress = !o->json && (o->progress || os_is_terminal(2)),
		.columns = os_terminal_width(2),
		.out_columns = os_is_terminal(1) ? os_terminal_width(1) : 0,
	};
	return o->from.url || o->to.url ? open_one(run, fault) : open_many(run, fault);
}

static void run_done(struct run *run)
{
	struct options *o = &run->options;

	fleet_platforms_free(run->platforms);
	if (run->chosen)
		choice_done(&run->choice);
	state_ends_done(&run->ends);
	transcript_close(run->transcript);
	side_done(&run->from);
	side_done(&run->to);
	string_list_done(&o->folders);
	string_list_done(&o->excludes);
	string_list_done(&o->accept);
	string_list_done(&o->withdraw);
	string_list_done(&run->names);
}

int cmd_verify(int argc, char **argv)
{
	struct run *run = xzalloc(sizeof(*run)); /* too large for a stack */
	struct fault fault;
	int r, status;

	run->options = (struct options){ .timeout_us = 120 * SECOND, .retries = 5 };
	os_forbid_dumps();
	r = options_parse(lines, ARRAY_SIZE(lines), argc, argv, &run->options, &run->names, &fault);
	if (r > 0)
		help();
	if (r == 0)
		r = open_run(run, &fault);
	if (r < 0) {
		show_fault(&(struct show){ .json = run->options.json }, &fault);
		run->status = EXIT_USAGE;
	}
	if (r == 0)
		run_main("main", verify_main, run, &fault);

	status = run->status;
	run_done(run);
	free(run);
	return status;
}
