/* SPDX-License-Identifier: Apache-2.0 */
/* See verify-one.h. */
#include "cli/verify-one.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/report-file.h"
#include "os/folder.h"
#include "verify/fact.h"

struct one {
	const struct verify_wishes *wishes;
	const struct verify_target *target;
	struct show_verify *show;
	struct ledger *ledger;
	struct verify_report report; /* what goes to the file */
	struct report_file file;
	struct verify *verify;
	bool never_copied;
};

int verify_worse(int a, int b)
{
	static const int order[] = { EXIT_DONE, EXIT_EXCEPTIONS, EXIT_USAGE, EXIT_STOPPED, EXIT_GATE };
	int worst = EXIT_DONE;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (order[i] == a || order[i] == b)
			worst = order[i];
	return worst;
}

/* --- the ledger ------------------------------------------------------------------------------ */

/* Verifying begins no ledger: what was never copied cannot be held against anything. 1: there is none. */
static int open_ledger(struct one *one, struct fault *fault)
{
	const struct verify_target *t = one->target;
	int r = ledger_open(t->ledger, t->ends, LEDGER_READ, &one->ledger, fault);

	if (r)
		return r;

	one->ledger = ledger_close(one->ledger);
	return ledger_open(t->ledger, t->ends, LEDGER_CREATE, &one->ledger, fault) < 0 ? -1 : 0;
}

static int no_ledger(struct one *one, struct fault *fault)
{
	one->never_copied = true;
	return fault_set(fault, FAULT_USAGE, REACH_MAILBOX, AGAIN_NEVER,
			 "there is no ledger of this mailbox: run mailferry copy first, or say with --state where it "
			 "is (%s)", one->target->ledger);
}

/* --- acceptance ------------------------------------------------------------------------------- */

static const char *who(char *buffer, size_t size)
{
	const char *name = getenv("USER");

	if (!name || !name[0])
		name = getenv("LOGNAME");
	if (name && name[0])
		return name;

	snprintf(buffer, size, "uid %lu", (unsigned long)getuid());
	return buffer;
}

static bool is_in_force(const struct ledger_accepted *list, size_t n, const struct ledger_accepted *a)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].uid == a->uid && strcmp(list[i].cause, a->cause) == 0 &&
		    strcmp(list[i].folder, a->folder) == 0)
			return true;

	return false;
}

/* Reads the words; none is believed before all are right. */
static int read_accepted(struct one *one, struct arena *arena, const struct string_list *words, bool withdraw,
			 struct ledger_accepted *to, struct fault *fault)
{
	struct ledger_accepted *list;
	const char *shown = ledger_fact(one->ledger, VERIFY_FOLDERS_FACT);
	struct ledger_folder *known;
	char buffer[40];
	size_t n, known_n;

	if (ledger_load_accepted(one->ledger, arena, &list, &n, fault) < 0 ||
	    ledger_load_folders(one->ledger, arena, &known, &known_n, fault) < 0)
		return -1;

	n = verify_accepted_now(list, n);
	for (size_t i = 0; i < words->n; i++) {
		if (verify_accept_parse(words->p[i], arena, &to[i], fault) < 0)
			return -1;
		to[i].reason = withdraw ? "" : one->wishes->reason;
		to[i].who = arena_strdup(arena, who(buffer, sizeof(buffer)));
		to[i].at = run_wall();
		if (withdraw && !is_in_force(list, n, &to[i]))
			return fault_usage(fault, "--withdraw %s: nothing like that is accepted; --accepted lists "
					   "what is", words->p[i]);
		if (!withdraw && verify_accept_folder(shown, known, known_n, to[i].folder, arena, fault) < 0)
			return fault_prefix(fault, "--accept %s", words->p[i]);
	}
	return 0;
}

static int take_accepted(struct one *one, struct arena *arena, struct fault *fault)
{
	const struct string_list *withdraw = &one->wishes->withdraw, *accept = &one->wishes->accept;
	struct ledger_accepted *list = arena_alloc(arena, (withdraw->n + accept->n + 1) * sizeof(*list));

	if (read_accepted(one, arena, withdraw, true, list, fault) < 0 ||
	    read_accepted(one, arena, accept, false, list + withdraw->n, fault) < 0)
		return -1;

	for (size_t i = 0; i < withdraw->n + accept->n; i++)
		ledger_accept(one->ledger, &list[i]);
	return ledger_commit(one->ledger, fault);
}

static int accept(struct one *one, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct ledger_accepted *list;
	size_t n;

	if (take_accepted(one, &arena, fault) < 0 ||
	    ledger_load_accepted(one->ledger, &arena, &list, &n, fault) < 0)
		return -1;

	show_verify_heading(one->show);
	show_verify_accepted(one->show, list, verify_accepted_now(list, n));
	return 0;
}

/* --- a verification --------------------------------------------------------------------------- */

static int found(void *arg, const struct verify_finding *f, struct fault *fault)
{
	struct one *one = arg;

	show_verify_finding(one->show, one->verify, f);
	if (!one->file.file)
		return 0;

	verify_report_finding(&one->report, one->verify, f, &one->file.text);
	return report_file_put(&one->file, fault);
}

static void note(void *arg, const char *text)
{
	const struct one *one = arg;

	show_verify_note(one->show, text);
}

static struct verify_options options_of(struct one *one)
{
	const struct verify_wishes *w = one->wishes;
	const struct verify_target *t = one->target;

	return (struct verify_options){
		.from = t->from, .to = t->to, .ledger = one->ledger, .from_pace = t->from_pace,
		.to_pace = t->to_pace, .level = w->level, .sample_ppm = w->sample_ppm, .seed = w->seed,
		.folders = t->folders, .excludes = t->excludes, .partial = t->partial,
		.connections = t->connections, .retries = t->retries,
		.patience_us = t->patience_us, .found = found, .note = note, .arg = one,
	};
}

static int status_of(const struct verify *v)
{
	switch (v->grade) {
	case VERIFY_READY:
		return EXIT_DONE;
	case VERIFY_READY_ACCEPTED:
		return EXIT_EXCEPTIONS;
	case VERIFY_NOT_READY:
		return EXIT_GATE;
	case VERIFY_UNFINISHED:
		break;
	}
	return EXIT_STOPPED;
}

static int end_report(struct one *one, const struct fault *stopped, struct fault *fault)
{
	int64_t before;
	int r;

	if (!one->file.file)
		return 0;

	verify_report_end(&one->report, one->verify, stopped, &one->file.text);
	before = run_shield(MINUTE); /* also when we were told to stop */
	r = report_file_end(&one->file, fault);
	run_unshield(before);
	return r;
}

struct save_call {
	const char *path, *text;
};

static int save(void *arg, struct fault *fault)
{
	struct save_call *call = arg;

	return os_replace_quickly(call->path, bytes_of(call->text), fault);
}

/* What the ledger remembers, for who may not open it. It does not have to work. */
static void save_verified(const struct one *one)
{
	struct save_call call = { one->target->verified, ledger_fact(one->ledger, VERIFY_FACT) };
	struct fault ignored;

	if (call.path && call.text)
		pool_call("a status file", save, &call, &ignored);
}

static int run(struct one *one, int *ret_status, struct fault *fault)
{
	struct verify_report *shown = &one->show->report;
	struct fault why;
	int r;

	if (report_file_open(&one->file, one->wishes->report, fault) < 0)
		return -1;

	*shown = (struct verify_report){ .format = VERIFY_TEXT, .from = one->target->from_url,
					 .to = one->target->to_url, .ledger = one->target->ledger };
	one->report = *shown;
	one->report.most = 1000;
	if (one->file.file && verify_format_of(one->wishes->report, &one->report.format, fault) < 0)
		return -1;

	show_verify_begin(one->show, one->verify);
	r = verify_run(one->verify, fault);
	*ret_status = status_of(one->verify);
	if (r == 0)
		save_verified(one);
	show_verify_end(one->show, one->verify, r < 0 ? fault : NULL);
	if (end_report(one, r < 0 ? fault : NULL, &why) < 0 && r == 0) {
		*fault = why;
		r = -1;
	}
	return r;
}

/* --- finding --------------------------------------------------------------------------------- */

static int place(void *arg, const struct verify_place *p, struct fault *fault)
{
	const struct one *one = arg;

	show_verify_place(one->show, p);
	return 0;
}

static int find(struct one *one, int *ret_status, struct fault *fault)
{
	bool walked = false;

	one->show->places[0] = one->show->places[1] = 0;
	if (!one->show->show.quiet)
		show_verify_heading(one->show);
	if (verify_find(one->verify, one->wishes->find, place, one, &walked, fault) < 0)
		return -1;

	show_verify_found(one->show, one->wishes->find, walked);
	*ret_status = one->show->places[0] && one->show->places[1] ? EXIT_DONE : EXIT_EXCEPTIONS;
	return 0;
}

/* --- one mailbox ------------------------------------------------------------------------------ */

static bool is_about_accepting(const struct verify_wishes *w)
{
	return w->accepted || w->accept.n || w->withdraw.n;
}

static int work(struct one *one, int *ret_status, struct fault *fault)
{
	const struct verify_wishes *w = one->wishes;
	struct verify_options options;
	int r = open_ledger(one, fault);

	if (r < 0)
		return -1;
	if (r > 0 && !w->find)
		return no_ledger(one, fault);
	if (is_about_accepting(w))
		return accept(one, fault);

	options = options_of(one);
	one->verify = verify_new(&options);
	return w->find ? find(one, ret_status, fault) : run(one, ret_status, fault);
}

/* What the same command cannot mend by being run again is in its words or its configuration. */
static int status_of_fault(const struct one *one, const struct fault *fault)
{
	bool began = one->verify && one->verify->n;

	if (one->never_copied && one->target->mailbox) /* not a wrong word, but a mailbox that is not ready */
		return EXIT_GATE;
	return fault->kind == FAULT_USAGE || (!began && fault->again == AGAIN_NEVER) ? EXIT_USAGE : EXIT_STOPPED;
}

int verify_one(const struct verify_wishes *wishes, const struct verify_target *target, struct show_verify *show)
{
	struct one one = { .wishes = wishes, .target = target, .show = show };
	struct fault fault;
	int status = EXIT_DONE;

	show->mailbox = target->mailbox;
	if (work(&one, &status, &fault) < 0) {
		status = status_of_fault(&one, &fault);
		if (fault.kind == FAULT_CANCELLED)
			fault_set(&fault, FAULT_CANCELLED, REACH_PROCESS, AGAIN_LATER, "stopped on request");
		if (target->mailbox)
			fault_prefix(&fault, "%s", target->mailbox);
		show_fault(&show->show, &fault);
	}
	show->verify = NULL;
	one.verify = verify_free(one.verify);
	one.ledger = ledger_close(one.ledger);
	report_file_done(&one.file);
	verify_report_done(&one.report);
	return status;
}
