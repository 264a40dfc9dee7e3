/* SPDX-License-Identifier: Apache-2.0 */
/* One try of one mailbox: claim, accounts, ledger, copy, and the news of it on the way. Whatever it
 * opens is closed when it returns: a parked mailbox holds nothing. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/event.h"
#include "fleet/fleet.h"
#include "fleet/quota.h"
#include "fleet/round.h"
#include "os/file.h"
#include "os/folder.h"
#include "state/ledger.h"

/* A server that wants to be left alone for longer gets its connections back meanwhile. */
static const int64_t patience_us = 2 * MINUTE;

/* Closing in order: LOGOUT of both sides, and a last commit. */
static const int64_t closing_us = 20 * SECOND;

struct pass {
	struct fleet_mailbox *mailbox;
	struct fleet *fleet;
	struct fleet_sides *sides;
	struct ledger *ledger;
	struct copy *copy;
	struct arena arena;
	bool seed;
};

/* --- the status ------------------------------------------------------------------------------ */

struct save_call {
	const char *path, *words;
};

static int save(void *arg, struct fault *fault)
{
	struct save_call *call = arg;

	return os_replace_quickly(call->path, bytes_of(call->words), fault);
}

void fleet_save_status(struct fleet_mailbox *m)
{
	_cleanup_(buf_done) struct buf path = BUF_NULL;
	_cleanup_(freep) char *words = NULL;
	struct save_call call;
	struct fault ignored;

	if (m->fleet->options.dry_run)
		return;

	m->status->updated = run_wall();
	words = fleet_status_words(m->status);
	fleet_status_path(m->fleet->options.state_dir, m->config->address, &path);
	call = (struct save_call){ buf_str(&path), words };
	pool_call("a status file", save, &call, &ignored);
}

static void begin_status(struct fleet_mailbox *m)
{
	const struct fleet *fleet = m->fleet;
	struct fleet_status *s = m->status;

	if (!s)
		s = m->status = xmalloc(sizeof(*s));
	fleet_status_init(s, m->config->address, m->config->wave);
	s->state = m->seeded ? FLEET_DELTA : FLEET_SEEDING;
	s->pass = m->seeded ? "delta" : "seed";
	s->began = run_wall();
	s->tries = m->job.tries;
	s->process = fleet->process;
	s->host = fleet->host;
	s->round = fleet->options.round ? fleet->options.round : "";
	s->seeded = m->seeded;
	s->size = m->size;
	s->delta_us = m->delta_us;
	s->last_change = m->last_change;
	if (m->error)
		s->error = m->error;
}

static void count(struct pass *p)
{
	struct fleet_status *s = p->mailbox->status;

	if (!p->copy || p->copy->stage < COPY_CREATING)
		return;

	fleet_status_count(s, &p->copy->books);
	if (s->bytes)
		s->size = s->bytes;
}

/* Since copying began: neither what earlier passes did nor the time it took to list folders says how fast it is. */
static void measure(const struct pass *p, struct fleet_status *s)
{
	int64_t took_us = p->copy ? run_now() - p->copy->began_us : 0;

	if (!p->copy || p->copy->stage != COPY_COPYING)
		return;

	s->bytes_per_second = books_bytes_per_second(&p->copy->books, took_us);
	s->left_us = books_left_us(&p->copy->books, took_us);
}

static int tick(void *arg, struct fault *fault)
{
	struct pass *p = arg;

	while (run_sleep(SECOND, fault) == 0) {
		count(p);
		measure(p, p->mailbox->status);
		fleet_save_status(p->mailbox);
	}
	return 0; /* cancelled when the work is done */
}

/* --- the engine ------------------------------------------------------------------------------ */

static const char *const *together(const char *const *a, const char *const *b, struct arena *arena)
{
	size_t n = 0, k = 0;
	const char **both;

	if (!b || !b[0])
		return a && a[0] ? a : NULL;

	while (a && a[n])
		n++;
	while (b[k])
		k++;
	both = arena_alloc(arena, (n + k + 1) * sizeof(*both));
	for (size_t i = 0; i < n; i++)
		both[i] = a[i];
	for (size_t i = 0; i < k; i++)
		both[n + i] = b[i];
	return both;
}

/* Why nothing may be deleted at the destination; NULL: it may. */
static const char *why_keep_all(const struct pass *p)
{
	const struct fleet_mailbox *m = p->mailbox;
	const char *cut_over = p->ledger ? ledger_fact(p->ledger, "cut-over-at") : NULL;

	if (m->config->hold || (p->ledger && ledger_fact(p->ledger, "hold")))
		return "the mailbox is on hold";
	if (m->wave && m->wave->hold)
		return "its wave is on hold";
	if (cut_over || (m->wave && m->wave->cutover_us && m->wave->cutover_us <= run_wall()))
		return "its wave was cut over";
	return NULL;
}

static enum copy_flags_rule flags_rule(enum config_flags flags)
{
	return flags == CONFIG_FLAGS_NEWER ? COPY_FLAGS_NEWER
	       : flags == CONFIG_FLAGS_ADD_ONLY ? COPY_FLAGS_ADD_ONLY : COPY_FLAGS_SOURCE;
}

static struct copy_options copy_options(struct pass *p)
{
	const struct fleet_mailbox *m = p->mailbox;
	const struct config *c = p->fleet->options.config;

	return (struct copy_options){
		.from = &p->sides->from.account,
		.to = &p->sides->to.account,
		.ledger = p->ledger,
		.adopt = c->adopt,
		.flags = flags_rule(c->flags),
		.mirror_deletes = c->mirror_deletes,
		.delete_limit = c->delete_limit_percent,
		.keep_all = why_keep_all(p),
		.recopy_missing = c->recopy_missing,
		.retry_exceptions = p->fleet->options.retry_exceptions,
		.from_pace = p->sides->from_pace,
		.to_pace = p->sides->to_pace,
		.patience_us = patience_us,
		.folders = together(c->folders, m->config->folders, &p->arena),
		.excludes = together(c->excludes, m->config->excludes, &p->arena),
		.maps = together(c->maps, m->config->maps, &p->arena),
		.names_may_miss = true,
		.since = c->since,
		.before = c->before,
		.connections = m->job.connections,
		.retries = c->retries,
	};
}

static int run_engine(void *arg, struct fault *fault)
{
	struct pass *p = arg;
	const struct fleet_options *o = &p->fleet->options;

	/* Whether and when to knock again is decided for all mailboxes together. */
	p->copy->options.retries = 0;
	if (copy_prepare(p->copy, fault) < 0) {
		channel_close(&p->copy->events);
		return -1;
	}

	p->copy->options.retries = o->config->retries;
	sched_connected(&p->mailbox->job);
	if (o->dry_run && copy_measure(p->copy, fault) < 0) {
		channel_close(&p->copy->events);
		return -1;
	}
	fleet_status_count(p->mailbox->status, &p->copy->books);
	if (o->calls.prepared)
		o->calls.prepared(o->arg, p->mailbox, p->copy);
	if (!o->dry_run)
		return copy_run(p->copy, fault);

	channel_close(&p->copy->events);
	return 0;
}

static int take_events(void *arg, struct fault *fault)
{
	struct pass *p = arg;
	const struct fleet_options *o = &p->fleet->options;
	void *item;
	int r;

	while ((r = channel_receive(&p->copy->events, &item, fault)) == 0) {
		_cleanup_(freep) struct copy_event *event = item;

		if (event->kind == EVENT_EXCEPTION && o->calls.exception)
			o->calls.exception(o->arg, p->mailbox,
					   &p->copy->books.exceptions[event->exception]);
		if (event->kind == EVENT_NOTE && o->calls.note)
			o->calls.note(o->arg, p->mailbox, event->text);
	}
	return r < 0 ? -1 : 0;
}

static int copy_it(struct pass *p, struct fault *fault)
{
	struct copy_options options = copy_options(p);
	struct nursery engine, watching;
	struct fault ignored;
	int r;

	p->copy = copy_new(&options);
	nursery_init(&engine, "copy");
	nursery_init(&watching, "status");
	nursery_start(&engine, run_engine, p, "engine");
	nursery_start(&engine, take_events, p, "events");
	nursery_start(&watching, tick, p, "status");
	r = nursery_wait(&engine, fault);
	nursery_cancel(&watching);
	nursery_wait(&watching, &ignored);
	count(p);
	return r;
}

/* --- the ledger ------------------------------------------------------------------------------ */

static int open_ledger(struct pass *p, struct fault *fault)
{
	_cleanup_(buf_done) struct buf path = BUF_NULL;
	bool dry = p->fleet->options.dry_run;
	int r;

	ledger_path(p->fleet->options.state_dir, &p->sides->ends, &path);
	r = ledger_open(buf_str(&path), &p->sides->ends, dry ? LEDGER_READ : LEDGER_CREATE,
			&p->ledger, fault);
	if (r >= 0)
		return 0;

	/* Whoever has it works on this mailbox: nothing of it is our business now. */
	p->mailbox->held = fault->kind == FAULT_REFUSED && fault->again == AGAIN_LATER;
	if (fault->reach == REACH_PROCESS && fault->kind != FAULT_LOCAL &&
	    fault->kind != FAULT_CANCELLED)
		fault->reach = REACH_MAILBOX;
	return -1;
}

/* Whether a pass ever went through: the ledger knows better than the last status, but keeps no
 * passes that found nothing to do. */
static int look_for_seed(struct pass *p, struct fault *fault)
{
	enum { LOOK_AT = 100 };
	struct ledger_pass *passes;
	size_t n = 0;

	p->seed = !p->ledger || ledger_is_new(p->ledger);
	if (p->seed || p->mailbox->seeded)
		return 0;

	p->seed = true;
	if (ledger_load_passes(p->ledger, LOOK_AT, &p->arena, &passes, &n, fault) < 0)
		return -1;

	for (size_t i = 0; i < n && p->seed; i++)
		p->seed = !(passes[i].ended && passes[i].exit_status >= 0 &&
			    passes[i].exit_status <= 1 &&
			    strncmp(passes[i].kind, "verify", 6) != 0);
	return 0;
}

/* --- one try --------------------------------------------------------------------------------- */

static void day_name(const struct fleet_mailbox *m, bool destination, struct buf *to)
{
	fleet_slug(m->config->address, to);
	buf_append_str(to, destination ? "-new" : "-old");
}

static void load_days(struct pass *p, bool saving)
{
	const struct config *c = p->fleet->options.config;
	const char *dir = p->fleet->options.state_dir;

	for (int destination = 0; destination < 2 && p->sides; destination++) {
		const struct config_platform *platform = destination ? &c->new : &c->old;
		struct pace *pace = destination ? p->sides->to_pace : p->sides->from_pace;
		_cleanup_(buf_done) struct buf name = BUF_NULL;

		if (!platform->account.limits.bytes_per_day || p->fleet->options.dry_run)
			continue;
		day_name(p->mailbox, destination, &name);
		if (saving)
			quota_save(pace, dir, buf_str(&name));
		else
			quota_load(pace, dir, buf_str(&name));
	}
}

static void close_pass(struct pass *p)
{
	int64_t former = run_shield(closing_us);

	load_days(p, true);
	p->copy = copy_free(p->copy);
	p->ledger = ledger_close(p->ledger);
	p->sides = fleet_sides_free(p->sides);
	arena_done(&p->arena);
	run_unshield(former);
}

static int go_through(struct pass *p, struct fault *fault)
{
	struct fleet_mailbox *m = p->mailbox;
	struct fleet_status *s = m->status;
	int64_t began = run_now();
	int r;

	if (fleet_sides_open(p->fleet->platforms, m->config, &p->sides, fault) < 0)
		return -1;
	load_days(p, false);
	if (open_ledger(p, fault) < 0 || look_for_seed(p, fault) < 0)
		return -1;

	s->state = p->seed ? FLEET_SEEDING : FLEET_DELTA;
	s->pass = p->seed ? "seed" : "delta";
	fleet_save_status(m);
	if (p->fleet->options.calls.begun)
		p->fleet->options.calls.begun(p->fleet->options.arg, m);

	r = copy_it(p, fault);
	m->job.progressed = s->copied || s->flags_changed || s->deleted || s->moved;
	if (r < 0)
		return -1;

	s->exit_status = s->not_reached || p->copy->books.exceptions_n ? 1 : 0;
	if (!p->seed)
		m->delta_us = s->delta_us = run_now() - began;
	if (p->seed || !m->last_change || copy_found_news(p->copy))
		m->last_change = s->last_change = run_wall();
	m->seeded = s->seeded = true;
	m->size = s->size;
	return 0;
}

static void remember(struct fleet_mailbox *m, const struct fault *why)
{
	char text[700];

	fault_format(why, text, sizeof(text));
	m->status->error_kind = fault_kind_name(why->kind);
	free(m->error);
	m->error = xstrdup(text);
	m->status->error = m->error;
}

static int claim(void *arg, struct fault *fault)
{
	struct fleet_mailbox *m = arg;
	_cleanup_(buf_done) struct buf slug = BUF_NULL;
	enum round_answer answer;

	fleet_slug(m->config->address, &slug);
	if (round_claim(m->fleet->options.state_dir, m->fleet->options.round, buf_str(&slug),
			&answer, fault) < 0)
		return -1;

	if (answer == ROUND_CURSED)
		return fault_set(
			fault, FAULT_DATA, REACH_MAILBOX, AGAIN_NEVER,
			"three processes have ended in the middle of it, so it is left alone");
	m->ours = answer == ROUND_OURS;
	return 0;
}

int fleet_pass(struct fleet_mailbox *m, struct fault *fault)
{
	struct pass p = { .mailbox = m, .fleet = m->fleet };
	int r;

	if (m->fleet->options.round && !m->ours) {
		if (pool_call("claiming a mailbox", claim, m, fault) < 0) {
			begin_status(m);
			remember(m, fault);
			return -1;
		}
		if (!m->ours)
			return 1;
	}

	m->held = false;
	begin_status(m);
	r = go_through(&p, fault);
	if (r < 0)
		remember(m, fault);
	close_pass(&p);
	return r;
}
