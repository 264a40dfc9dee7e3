/* SPDX-License-Identifier: Apache-2.0 */
/* Many mailboxes in this process, see many.h. */
#include "cli/many.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/show.h"
#include "mail/utf8.h"
#include "os/term.h"

/* As drawn on a terminal, and as told to the process that started this one. */
static const int64_t tick_us = SECOND;

struct run {
	const struct many_options *options;
	const struct many_worker *worker; /* or NULL */
	struct fleet *fleet;
	struct many_show show;
	struct tally tally;
	struct nursery work;
	bool interrupted;

	/* Of mailboxes that have ended; those at work are looked at. */
	struct many_progress ended;
	uint64_t bytes_then;
	int64_t began_at, looked_at;
	double rate;
};

/* --- events ---------------------------------------------------------------------------------- */

static void on_begun(void *arg, const struct fleet_mailbox *m)
{
	struct run *run = arg;

	if (run->show.json)
		many_tell(&run->show, many_begun(m));
}

static void on_prepared(void *arg, const struct fleet_mailbox *m, const struct copy *copy)
{
	struct run *run = arg;
	struct copy_folder t;

	if (!run->options->dry_run)
		return;

	t = books_total(&copy->books);
	run->tally.planned += t.expected;
	run->tally.planned_bytes += t.expected_bytes;
	many_tell(&run->show, many_plan(m, copy));
}

static void on_exception(void *arg, const struct fleet_mailbox *m, const struct copy_exception *e)
{
	struct run *run = arg;

	many_tell(&run->show, many_exception(m, e));
}

static void on_note(void *arg, const struct fleet_mailbox *m, const char *text)
{
	struct run *run = arg;

	if (run->show.json)
		many_tell(&run->show, many_note(m, text));
}

static void on_parked(void *arg, const struct fleet_mailbox *m, const struct fault *why,
		      int64_t for_us)
{
	struct run *run = arg;

	many_tell(&run->show, many_parked(m, why, for_us));
}

static void on_ended(void *arg, const struct fleet_mailbox *m, enum fleet_end end,
		     const struct fault *why)
{
	struct run *run = arg;
	char words[700] = "";

	if (why)
		fault_format(why, words, sizeof(words));
	else if (end == FLEET_ENDED_HELD && m->error)
		snprintf(words, sizeof(words), "%s", m->error);
	if (m->status) {
		run->ended.messages += m->status->copied;
		run->ended.bytes += m->status->bytes_read;
	}
	if (end == FLEET_ENDED_FAILED || end == FLEET_ENDED_HELD)
		run->ended.failed++;
	else if (end == FLEET_ENDED_DONE)
		run->ended.done++;

	tally_add(&run->tally, m->config->address, m->config->wave, end, m->status, words);
	if (end != FLEET_ENDED_SKIPPED && (end != FLEET_ENDED_STOPPED || m->status))
		many_tell(&run->show, many_ended(m, end, why));
}

static void on_gate(void *arg, const struct sched_gate *gate)
{
	struct run *run = arg;

	run->tally.given_up |= gate->state == GATE_DEAD;
	many_tell(&run->show, many_server(gate));
}

static void on_waiting(void *arg, const char *why, int64_t for_us)
{
	struct run *run = arg;

	many_tell(&run->show, many_waiting(why, for_us));
}

static void on_login_given_up(void *arg, const struct fault *why)
{
	struct run *run = arg;

	run->tally.given_up = true;
	many_tell(&run->show, many_login(why));
}

/* --- progress -------------------------------------------------------------------------------- */

static void look(struct run *run, struct many_progress *ret)
{
	const struct fleet *fleet = run->fleet;
	int64_t now = run_now();

	*ret = run->ended;
	ret->mailboxes = fleet->options.n;
	ret->active = fleet->sched.active;
	ret->parked = fleet->sched.parked + fleet->sched.gated;
	for (size_t i = 0; i < fleet->options.n; i++) {
		const struct fleet_mailbox *m = &fleet->mailboxes[i];

		if (!m->status || m->job.phase != SCHED_ACTIVE)
			continue;
		ret->messages += m->status->copied;
		ret->bytes += m->status->bytes_read;
	}
	if (run->looked_at && now > run->looked_at && ret->bytes >= run->bytes_then) {
		double seconds = (double)(now - run->looked_at) / (double)SECOND;

		run->rate += 0.2 * ((double)(ret->bytes - run->bytes_then) / seconds - run->rate);
	}
	run->looked_at = now;
	run->bytes_then = ret->bytes;
	ret->bytes_per_second = (uint64_t)run->rate;
}

static int tick(void *arg, struct fault *fault)
{
	struct run *run = arg;
	struct many_progress progress;

	while (run_sleep(tick_us, fault) == 0) {
		look(run, &progress);
		if (run->worker)
			many_tell(&run->show, many_progress(&progress));
		else
			many_draw(&run->show, &progress);
	}
	return 0; /* cancelled when the work is done */
}

/* --- the run --------------------------------------------------------------------------------- */

static void interrupt(void *arg)
{
	struct run *run = arg;

	run->interrupted = true;
	nursery_cancel(&run->work);
}

static void dump(void *arg)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	run_dump(&text);
	fputs(buf_str(&text), stderr);
}

static int work(void *arg, struct fault *fault)
{
	struct run *run = arg;

	return fleet_run(run->fleet, fault);
}

/* The other end is held by the process that started this one, and closed when it ends, however that
 * is. */
static int watch_parent(void *arg, struct fault *fault)
{
	struct run *run = arg;
	struct watch *watch = watch_new(STDIN_FILENO);
	int r = -1;

	if (watch)
		r = watch_wait(watch, RUN_READABLE, "the end of the parent", fault);
	watch_free(watch);
	if (r == 0)
		interrupt(run);
	return 0;
}

static int many_main(void *arg, struct fault *fault)
{
	struct run *run = arg;
	struct nursery beside;
	struct fault ignored;
	int r;

	nursery_init(&run->work, "run");
	nursery_init(&beside, "beside");
	run_on_signal(SIGINT, interrupt, run);
	run_on_signal(SIGTERM, interrupt, run);
	run_on_signal(SIGHUP, interrupt, run);
	run_on_signal(SIGUSR1, dump, run);

	run->began_at = run_now();
	nursery_start(&run->work, work, run, "mailboxes");
	nursery_start(&beside, tick, run, "progress");
	if (run->worker)
		nursery_start(&beside, watch_parent, run, "parent");
	r = nursery_wait(&run->work, fault);
	nursery_cancel(&beside);
	nursery_wait(&beside, &ignored);
	run->tally.took_us = run_now() - run->began_at;
	return r;
}

void many_show_init(struct many_show *show, const struct many_options *o)
{
	*show = (struct many_show){
		.json = o->json, .quiet = o->quiet,
		.progress = !o->json && !o->quiet && (o->progress || os_is_terminal(2)),
		.columns = (size_t)os_terminal_width(2),
	};
}

void many_fault(struct many_show *show, const struct fault *fault)
{
	_cleanup_(buf_done) struct buf printable = BUF_NULL;
	char text[700];

	many_erase_line(show);
	fault_format(fault, text, sizeof(text));
	utf8_printable(&printable, bytes_of(text));
	fprintf(stderr, "mailferry: %s\n", buf_str(&printable));
	if (show->json)
		show_json_fault(fault);
}

static int open_fleet(struct run *run, struct fault *fault)
{
	const struct many_options *o = run->options;
	struct fleet_options options = {
		.config = &o->choice->config,
		.state_dir = o->choice->state,
		.mailboxes = o->choice->mailboxes,
		.n = o->choice->n,
		.at_once = o->at_once,
		.part = run->worker ? run->worker->part : 0,
		.parts = run->worker ? run->worker->parts : 1,
		.round = run->worker ? run->worker->round : NULL,
		.dry_run = o->dry_run,
		.retry_exceptions = o->retry_exceptions,
		.transcript = o->transcript,
		.arg = run,
		.calls = { on_begun, on_prepared, on_exception, on_note, on_parked, on_ended,
			   on_gate, on_waiting, on_login_given_up },
	};

	run_random(&options.seed, sizeof(options.seed));
	tally_init(&run->tally, o->choice);
	return fleet_open(&options, &run->fleet, fault);
}

static void close_run(struct run *run)
{
	many_erase_line(&run->show);
	if (run->worker)
		return;

	if (run->show.json)
		many_tell(&run->show, tally_json(&run->tally));
	else if (!run->show.quiet)
		tally_show(&run->tally, run->options->dry_run);
}

static int go(struct run *run)
{
	struct fault fault;
	int status;

	if (open_fleet(run, &fault) < 0) {
		many_fault(&run->show, &fault);
		return EXIT_USAGE;
	}

	if (run_main("main", many_main, run, &fault) < 0) {
		run->tally.status = EXIT_STOPPED;
		if (run->interrupted)
			fault_set(&fault, FAULT_CANCELLED, REACH_PROCESS, AGAIN_LATER,
				  "stopped on request; the same command goes on");
		if (!run->worker || !run->interrupted)
			many_fault(&run->show, &fault);
	}
	close_run(run);
	status = tally_exit_status(&run->tally);
	fleet_free(run->fleet);
	tally_done(&run->tally);
	return status;
}

int many_run(const struct many_options *options)
{
	struct run run = { .options = options };

	many_show_init(&run.show, options);
	return go(&run);
}

int many_run_worker(const struct many_options *options, const struct many_worker *worker)
{
	struct run run = { .options = options, .worker = worker, .show = { .json = true } };

	return go(&run);
}
