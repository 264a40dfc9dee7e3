/* SPDX-License-Identifier: Apache-2.0 */
/* Many mailboxes in several processes: this one starts the others, passes on what they say line by
 * line, starts another one for each that was killed, and sums up from what they left in the round
 * and in status files. It has no ledger and no connection of its own. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cli/commands.h"
#include "cli/many.h"
#include "cli/show.h"
#include "fleet/round.h"
#include "net/stream.h"
#include "os/spawn.h"

enum { LINE_MAX_BYTES = 256 << 10, READ_AT_ONCE = 8192, RESTARTS = 3 };

static const int64_t tick_us = SECOND;

struct parent;

struct child {
	struct parent *parent;
	unsigned part;
	unsigned restarts;
	struct os_child process;
	bool runs;
	int status;                  /* of the last that ended */
	struct many_progress progress, before; /* of the one that runs, and of those before it */
};

struct parent {
	const struct many_options *options;
	struct many_show show;
	struct tally tally;
	struct buf round;
	struct child *children;
	unsigned n;
	bool stopping;
	int64_t began_at;
	struct nursery work;
};

int many_worker_of(const char *text, struct many_worker *ret)
{
	char end;

	if (strncmp(text, MANY_WORKER, strlen(MANY_WORKER)) != 0)
		return 0;
	if (sscanf(text + strlen(MANY_WORKER), "%79[0-9-]:%u/%u%c", ret->round, &ret->part,
		   &ret->parts, &end) != 3 ||
	    ret->part >= ret->parts || ret->parts > 1000)
		return -1;
	return 1;
}

void many_worker_word(const struct many_worker *worker, char to[128])
{
	snprintf(to, 128, MANY_WORKER "%.79s:%u/%u", worker->round, worker->part, worker->parts);
}

/* --- what they say --------------------------------------------------------------------------- */

/* Servers, or a login that many share. */
static bool is_given_up(const json_t *event)
{
	const char *state = json_string_value(json_object_get(event, "state"));

	return state && strcmp(state, "given-up") == 0;
}

/* A line of standard output: an event. */
static void take_event(struct child *child, struct bytes line)
{
	struct parent *p = child->parent;
	json_t *event = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(event, "event"));

	if (name && strcmp(name, "progress") == 0) {
		many_progress_of(event, &child->progress);
		json_decref(event);
	} else if (name) {
		p->tally.given_up |= is_given_up(event);
		many_tell(&p->show, event);
	} else {
		json_decref(event);
	}
}

/* A line of standard error: theirs. */
static void take_words(struct child *child, struct bytes line)
{
	many_erase_line(&child->parent->show);
	show_name(stderr, line);
	fputc('\n', stderr);
}

struct listening {
	struct child *child;
	int fd;
	void (*take)(struct child *child, struct bytes line);
};

/* Lines that have no end are cut: nobody's output may fill our memory. */
static void take_lines(struct listening *l, struct buf *text, bool last)
{
	for (;;) {
		struct bytes rest = buf_bytes(text);
		ptrdiff_t at = bytes_find_char(rest, '\n');

		if (at < 0 && rest.n < LINE_MAX_BYTES && !(last && rest.n))
			return;
		if (at < 0)
			at = (ptrdiff_t)rest.n;
		l->take(l->child, bytes_head(rest, (size_t)at));
		buf_consume(text, (size_t)at + 1);
	}
}

static int listen_to(void *arg, struct fault *fault)
{
	struct listening *l = arg;
	_cleanup_(stream_freep) struct stream *s = tcp_stream_new(l->fd, "another process");
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	int n;

	while ((n = stream_read(s, buf_reserve(&text, READ_AT_ONCE), READ_AT_ONCE, fault)) > 0) {
		text.n += (size_t)n;
		text.p[text.n] = '\0';
		take_lines(l, &text, false);
	}
	take_lines(l, &text, true);
	return 0; /* however it ended: how the process did tells more */
}

/* --- one of them ----------------------------------------------------------------------------- */

static int start(struct child *child, struct fault *fault)
{
	const struct many_options *o = child->parent->options;
	struct many_worker worker = { .part = child->part, .parts = child->parent->n };
	const char **argv = xzalloc(((size_t)o->argc + 3) * sizeof(*argv));
	char word[128];
	int r, n = 0;

	snprintf(worker.round, sizeof(worker.round), "%s", buf_str(&child->parent->round));
	many_worker_word(&worker, word);
	argv[n++] = "mailferry";
	argv[n++] = o->argv[0];
	argv[n++] = word;
	for (int i = 1; i < o->argc; i++)
		argv[n++] = o->argv[i];
	r = os_child_start(argv, &child->process, fault);
	free(argv);
	return r;
}

static int wait_for_end(struct child *child, struct fault *fault)
{
	struct watch *watch = watch_new(child->process.watch);
	int r = watch_wait(watch, RUN_READABLE, "the end of a process of this run", fault);

	watch_free(watch);
	return r;
}

/* Another one could not be started, so all end. They close what they have open; that is bounded. */
static void end_it(struct child *child)
{
	int64_t former = run_shield(2 * MINUTE);
	struct fault ignored;

	os_child_stop(&child->process);
	wait_for_end(child, &ignored);
	run_unshield(former);
}

/* Runs one to its end. What it started and left behind may hold its standard error open: that is
 * not waited for. */
static int run_one(struct child *child, struct fault *fault)
{
	struct listening out = { child, -1, take_event }, err = { child, -1, take_words };
	struct nursery nursery;
	struct fault ignored;
	int r;

	if (start(child, fault) < 0)
		return -1;

	out.fd = child->process.out;
	err.fd = child->process.err;
	child->process.out = child->process.err = -1;
	child->runs = true;
	nursery_init(&nursery, "listening");
	nursery_start(&nursery, listen_to, &out, "events of process %u", child->part + 1);
	nursery_start(&nursery, listen_to, &err, "words of process %u", child->part + 1);
	r = wait_for_end(child, fault);
	if (r < 0)
		end_it(child);
	else
		run_sleep(50 * MSEC, &ignored); /* for what it said last */
	child->runs = false;
	nursery_cancel(&nursery);
	nursery_wait(&nursery, &ignored);
	child->status = os_child_reap(&child->process);
	many_progress_add(&child->before, &child->progress);
	child->before.active = child->before.parked = child->before.bytes_per_second = 0;
	child->progress = (struct many_progress){ .mailboxes = 0 };
	return r;
}

/* Killed ones are replaced: the next finds what was left, by the claims. */
static int run_child(void *arg, struct fault *fault)
{
	struct child *child = arg;
	struct parent *p = child->parent;

	for (;;) {
		if (run_one(child, fault) < 0)
			return -1;
		if (child->status <= 128 || p->stopping)
			return 0;

		many_erase_line(&p->show);
		fprintf(stderr, "mailferry: a process of this run was ended by signal %d%s\n",
			child->status - 128,
			child->restarts < RESTARTS ? "; another one takes over what it left" : "");
		if (child->restarts++ >= RESTARTS)
			return 0;
	}
}

static void stop(void *arg)
{
	struct parent *p = arg;

	p->stopping = true;
	for (unsigned i = 0; i < p->n; i++)
		if (p->children[i].runs)
			os_child_stop(&p->children[i].process);
}

static void dump(void *arg)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	run_dump(&text);
	fputs(buf_str(&text), stderr);
}

static int tick(void *arg, struct fault *fault)
{
	struct parent *p = arg;

	while (run_sleep(tick_us, fault) == 0) {
		struct many_progress sum = { .mailboxes = p->options->choice->n };

		for (unsigned i = 0; i < p->n; i++) {
			many_progress_add(&sum, &p->children[i].progress);
			many_progress_add(&sum, &p->children[i].before);
		}
		many_draw(&p->show, &sum);
	}
	return 0; /* cancelled when all have ended */
}

/* --- the sum --------------------------------------------------------------------------------- */

static enum fleet_end end_of(const char *how)
{
	if (strncmp(how, "done ", 5) == 0)
		return FLEET_ENDED_DONE;
	if (strncmp(how, "held ", 5) == 0)
		return FLEET_ENDED_HELD;
	return FLEET_ENDED_FAILED;
}

/* "failed 3 sentence" */
static const char *sentence_of(const char *how)
{
	const char *at = strchr(how, ' ');

	at = at ? strchr(at + 1, ' ') : NULL;
	return at ? at + 1 : "";
}

static void add_mailbox(struct parent *p, const struct config_mailbox *m, struct arena *arena)
{
	_cleanup_(buf_done) struct buf slug = BUF_NULL, path = BUF_NULL;
	const char *state = p->options->choice->state;
	struct fleet_status status;
	struct fault ignored;
	char how[1000] = "";
	bool known;

	fleet_slug(m->address, &slug);
	fleet_status_path(state, m->address, &path);
	known = fleet_status_read(buf_str(&path), arena, &status) == 0 &&
		strcmp(status.round, buf_str(&p->round)) == 0;
	if (round_ask(state, buf_str(&p->round), buf_str(&slug), how, sizeof(how), &ignored) == 0)
		tally_add(&p->tally, m->address, m->wave, end_of(how), known ? &status : NULL,
			  sentence_of(how));
	else
		tally_add(&p->tally, m->address, m->wave, FLEET_ENDED_STOPPED,
			  known ? &status : NULL, "");
}

static int sum_up(void *arg, struct fault *fault)
{
	struct parent *p = arg;
	_cleanup_(arena_done) struct arena arena = { NULL };

	for (size_t i = 0; i < p->options->choice->n; i++) {
		arena_reset(&arena);
		add_mailbox(p, p->options->choice->mailboxes[i], &arena);
	}
	round_remove(p->options->choice->state, buf_str(&p->round));
	return 0;
}

static int make_round(void *arg, struct fault *fault)
{
	struct parent *p = arg;

	return round_make(p->options->choice->state, &p->round, fault);
}

/* --- the run --------------------------------------------------------------------------------- */

static int parent_main(void *arg, struct fault *fault)
{
	struct parent *p = arg;
	struct nursery beside;
	struct fault ignored;
	int r;

	if (pool_call("beginning a round", make_round, p, fault) < 0)
		return -1;

	nursery_init(&p->work, "processes");
	nursery_init(&beside, "beside");
	run_on_signal(SIGINT, stop, p);
	run_on_signal(SIGTERM, stop, p);
	run_on_signal(SIGHUP, stop, p);
	run_on_signal(SIGUSR1, dump, p);
	p->began_at = run_now();
	for (unsigned i = 0; i < p->n; i++) {
		p->children[i] = (struct child){ .parent = p, .part = i };
		nursery_start(&p->work, run_child, &p->children[i], "process %u", i + 1);
	}
	nursery_start(&beside, tick, p, "progress");
	r = nursery_wait(&p->work, fault);
	nursery_cancel(&beside);
	nursery_wait(&beside, &ignored);
	p->tally.took_us = run_now() - p->began_at;
	if (pool_call("summing up", sum_up, p, r < 0 ? &ignored : fault) < 0)
		return -1;
	return r;
}

/* A process that stopped for a reason of its own has said it. */
static int status_of_children(const struct parent *p)
{
	int status = p->stopping ? EXIT_STOPPED : EXIT_DONE;

	for (unsigned i = 0; i < p->n; i++)
		if (p->children[i].status > EXIT_EXCEPTIONS)
			status = p->children[i].status == EXIT_USAGE ? EXIT_USAGE : EXIT_STOPPED;
	return status;
}

static void close_parent(struct parent *p)
{
	many_erase_line(&p->show);
	if (p->show.json)
		many_tell(&p->show, tally_json(&p->tally));
	else if (!p->show.quiet)
		tally_show(&p->tally, p->options->dry_run);
}

int many_run_parent(const struct many_options *options)
{
	struct parent p = { .options = options, .n = options->processes };
	struct fault fault;
	int status = EXIT_STOPPED;

	many_show_init(&p.show, options);
	tally_init(&p.tally, options->choice);
	p.children = xzalloc(p.n * sizeof(*p.children));
	if (run_main("main", parent_main, &p, &fault) < 0) {
		many_fault(&p.show, &fault);
	} else {
		p.tally.status = status_of_children(&p);
		if (p.stopping && !p.show.quiet)
			fputs("mailferry: stopped on request; the same command goes on\n", stderr);
		status = p.tally.status == EXIT_USAGE ? EXIT_USAGE : tally_exit_status(&p.tally);
		close_parent(&p);
	}
	free(p.children);
	buf_done(&p.round);
	tally_done(&p.tally);
	return status;
}
