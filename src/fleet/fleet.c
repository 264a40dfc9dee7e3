/* SPDX-License-Identifier: Apache-2.0 */
/* Many mailboxes in one process, see fleet.h: what the scheduler asks, and what is noted of each
 * when its try ended. */
#include "fleet/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "fleet/quota.h"
#include "fleet/round.h"
#include "os/file.h"

/* Pauses shorter than this are waited for by whoever works. */
static const int64_t long_pause_us = 10 * SECOND;

static const int64_t save_days_us = MINUTE;

static struct fleet_mailbox *mailbox_of(struct sched_job *job)
{
	return (struct fleet_mailbox *)job;
}

/* --- opening --------------------------------------------------------------------------------- */

static unsigned least(unsigned a, unsigned limit)
{
	return limit && limit < a ? limit : a;
}

static struct sched_settings settings_of(const struct fleet_options *o)
{
	struct sched_settings settings = SCHED_SETTINGS;
	const struct config *c = o->config;

	settings.at_once = o->at_once;
	settings.connections = least(c->connections, c->old.account.limits.connections);
	settings.connections = least(settings.connections, c->new.account.limits.connections);
	settings.seed = o->seed;
	return settings;
}

/* What a server's fault is shared by: the pair of servers (and the logins that many mailboxes share, as nobody need try
 * those that were given up). Where the URL depends on the mailbox it
 * is written out; a program's arguments are not a server. */
static const char *server_of(const struct config_platform *platform, const char *own_url,
			     const char *login, const struct config_mailbox *m, struct arena *arena)
{
	if (own_url[0])
		return own_url;
	if (bytes_starts(bytes_of(platform->url), BYTES("imap+pipe:")))
		return platform->url;
	return config_expand(platform->url, m, login, arena);
}

static struct sched_gate *gate_of(struct fleet *fleet, const struct config_mailbox *m)
{
	const struct config *c = fleet->options.config;
	_cleanup_(arena_done) struct arena arena = { NULL };
	const char *key = arena_printf(&arena, "%s\n%s\n%p\n%p",
				       server_of(&c->old, m->old_url, m->old_login, m, &arena),
				       server_of(&c->new, m->new_url, m->new_login, m, &arena),
				       (void *)fleet_login(fleet->platforms, m, false),
				       (void *)fleet_login(fleet->platforms, m, true));
	struct sched_gate *gate = map_get(&fleet->gates, bytes_of(key));

	if (!gate) {
		gate = xmalloc(sizeof(*gate));
		sched_gate_init(gate, fleet);
		map_put(&fleet->gates, bytes_of(key), gate);
	}
	return gate;
}

int fleet_open(const struct fleet_options *options, struct fleet **ret, struct fault *fault)
{
	_cleanup_(fleet_freep) struct fleet *fleet = xzalloc(sizeof(*fleet));

	fleet->options = *options;
	map_init(&fleet->gates, options->seed);
	if (fleet_platforms_open(options->config, options->parts, &fleet->platforms, fault) < 0)
		return -1;

	if (options->round)
		fleet_platforms_share(fleet->platforms, options->state_dir, options->round);
	fleet->mailboxes = xzalloc((options->n + 1) * sizeof(*fleet->mailboxes));
	for (size_t i = 0; i < options->n; i++) {
		struct fleet_mailbox *m = &fleet->mailboxes[i];

		m->fleet = fleet;
		m->config = options->mailboxes[i];
		m->wave = m->config->wave[0] ? config_wave(options->config, m->config->wave) : NULL;
		m->job.gate = gate_of(fleet, m->config);
	}
	os_host_name(fleet->host);
	fleet->process = os_this_process();
	*ret = TAKE_PTR(fleet);
	return 0;
}

struct fleet *fleet_free(struct fleet *fleet)
{
	struct map_entry entry;
	size_t at = 0;

	if (!fleet)
		return NULL;

	for (size_t i = 0; fleet->mailboxes && i < fleet->options.n; i++) {
		free(fleet->mailboxes[i].status);
		free(fleet->mailboxes[i].error);
	}
	while (map_next(&fleet->gates, &at, &entry))
		free(entry.value);
	map_done(&fleet->gates);
	free(fleet->mailboxes);
	fleet_platforms_free(fleet->platforms);
	free(fleet);
	return NULL;
}

/* --- what the scheduler asks ------------------------------------------------------------------ */

/* When a login that this mailbox shares has been given up, all who share it are. */
static void look_at_logins(struct fleet *fleet, struct fleet_mailbox *m)
{
	bool news;
	const struct fault *why = fleet_given_up(fleet->platforms, m->config, &news);

	if (news && fleet->options.calls.login_given_up)
		fleet->options.calls.login_given_up(fleet->options.arg, why);
	if (why)
		sched_give_up(&fleet->sched, m->job.gate, why);
}

static int work(void *arg, struct sched_job *job, struct fault *fault)
{
	struct fleet_mailbox *m = mailbox_of(job);
	int r = fleet_pass(m, fault);

	if (r < 0)
		look_at_logins(arg, m);
	return r < 0 && m->held ? 1 : r;
}

static void parked(void *arg, struct sched_job *job, const struct fault *why, int64_t for_us)
{
	struct fleet *fleet = arg;
	struct fleet_mailbox *m = mailbox_of(job);

	m->status->state = FLEET_PARKED;
	m->status->retry_at = run_wall() + for_us;
	m->status->bytes_per_second = 0;
	m->status->left_us = -1;
	fleet_save_status(m);
	if (fleet->options.calls.parked)
		fleet->options.calls.parked(fleet->options.arg, m, why, for_us);
}

static enum fleet_end end_of(const struct fleet_mailbox *m, enum sched_end end)
{
	switch (end) {
	case SCHED_DONE:
		return FLEET_ENDED_DONE;
	case SCHED_FAILED:
		return FLEET_ENDED_FAILED;
	case SCHED_STOPPED:
		return FLEET_ENDED_STOPPED;
	case SCHED_SKIPPED:
		return m->held ? FLEET_ENDED_HELD : FLEET_ENDED_SKIPPED;
	}
	return FLEET_ENDED_FAILED;
}

struct note_call {
	struct fleet_mailbox *mailbox;
	const char *how;
};

static int note(void *arg, struct fault *fault)
{
	struct note_call *call = arg;
	const struct fleet_options *o = &call->mailbox->fleet->options;
	_cleanup_(buf_done) struct buf slug = BUF_NULL;

	fleet_slug(call->mailbox->config->address, &slug);
	return round_note(o->state_dir, o->round, buf_str(&slug), call->how, fault);
}

/* For the process that started this one, and for those that come after it. What was stopped is not
 * done with. */
static void note_end(struct fleet_mailbox *m, enum fleet_end end)
{
	static const char *const words[] = {
		[FLEET_ENDED_DONE] = "done",  [FLEET_ENDED_FAILED] = "failed",
		[FLEET_ENDED_HELD] = "held",  [FLEET_ENDED_STOPPED] = NULL,
		[FLEET_ENDED_SKIPPED] = NULL,
	};
	_cleanup_(buf_done) struct buf how = BUF_NULL;
	struct note_call call = { m, NULL };
	struct fault ignored;

	if (!m->fleet->options.round || !words[end])
		return;

	buf_appendf(&how, "%s %d %s", words[end],
		    end == FLEET_ENDED_DONE ? m->status->exit_status : 3,
		    end != FLEET_ENDED_DONE && m->error ? m->error : "");
	call.how = buf_str(&how);
	pool_call("noting the end of a mailbox", note, &call, &ignored);
}

static void note_status(struct fleet_mailbox *m, enum fleet_end end)
{
	struct fleet_status *s = m->status;

	s->ended = run_wall();
	s->bytes_per_second = 0;
	s->left_us = -1;
	s->retry_at = 0;
	if (end == FLEET_ENDED_DONE) {
		s->state = FLEET_DONE;
		s->error = s->error_kind = "";
	} else if (end == FLEET_ENDED_FAILED) {
		s->state = FLEET_FAILED;
		s->exit_status = 3;
	} else {
		s->state = FLEET_INTERRUPTED;
		s->exit_status = 3;
	}
	fleet_save_status(m);
}

static void ended(void *arg, struct sched_job *job, enum sched_end sched_end,
		  const struct fault *why)
{
	struct fleet *fleet = arg;
	struct fleet_mailbox *m = mailbox_of(job);
	enum fleet_end end = end_of(m, sched_end);

	/* The file of one that is held is its holder's. */
	if (m->status && end != FLEET_ENDED_HELD && end != FLEET_ENDED_SKIPPED)
		note_status(m, end);
	if (m->status)
		note_end(m, end);
	if (fleet->options.calls.ended)
		fleet->options.calls.ended(fleet->options.arg, m, end, why);
	free(m->status);
	m->status = NULL;
}

static void gate(void *arg, const struct sched_gate *g)
{
	struct fleet *fleet = arg;

	if (fleet->options.calls.gate)
		fleet->options.calls.gate(fleet->options.arg, g);
}

static int64_t closed(void *arg, const char **ret_why)
{
	struct fleet *fleet = arg;
	int64_t longest = 0;

	for (int destination = 0; destination < 2; destination++) {
		struct pace_state state;

		pace_look(fleet_pace_of_server(fleet->platforms, destination), &state);
		if (state.pause_us < long_pause_us || state.pause_us <= longest)
			continue;
		longest = state.pause_us;
		snprintf(fleet->why, sizeof(fleet->why), "%s: %s",
			 destination ? "destination" : "source", state.why);
	}
	*ret_why = fleet->why;
	return longest;
}

static void waiting(void *arg, const char *why, int64_t for_us)
{
	struct fleet *fleet = arg;

	if (fleet->options.calls.waiting)
		fleet->options.calls.waiting(fleet->options.arg, why, for_us);
}

static unsigned room(void *arg)
{
	struct fleet *fleet = arg;

	return fleet_room(fleet->platforms);
}

/* --- the run --------------------------------------------------------------------------------- */

static int prepare(void *arg, struct fault *fault)
{
	struct fleet *fleet = arg;
	_cleanup_(buf_done) struct buf path = BUF_NULL;

	buf_appendf(&path, "%s/status/x", fleet->options.state_dir);
	if (!fleet->options.dry_run && os_make_folder_of(buf_str(&path), fault) < 0)
		return -1;
	return fleet_survey(fleet, run_wall(), fault);
}

/* The limits of the servers as a whole outlive the run, too. */
static void days(struct fleet *fleet, bool saving)
{
	const struct fleet_options *o = &fleet->options;

	for (int destination = 0; destination < 2; destination++) {
		const struct config_platform *platform = destination ? &o->config->new
								     : &o->config->old;
		struct pace *pace = fleet_pace_of_server(fleet->platforms, destination);
		char name[80];

		if (!platform->server.limits.bytes_per_day || o->dry_run)
			continue;
		snprintf(name, sizeof(name), "server-%s-%u-of-%u", platform->name, o->part + 1,
			 o->parts);
		if (saving)
			quota_save(pace, o->state_dir, name);
		else
			quota_load(pace, o->state_dir, name);
	}
}

static int save_days(void *arg, struct fault *fault)
{
	while (run_sleep(save_days_us, fault) == 0)
		days(arg, true);
	return 0; /* cancelled when all is done */
}

int fleet_run(struct fleet *fleet, struct fault *fault)
{
	static const struct sched_calls calls = {
		work, parked, ended, gate, closed, waiting, room
	};
	struct sched_settings settings = settings_of(&fleet->options);
	struct nursery saving;
	struct fault ignored;
	int64_t former;
	int r;

	if (pool_call("the status of all mailboxes", prepare, fleet, fault) < 0)
		return -1;

	days(fleet, false);
	sched_init(&fleet->sched, &settings, &calls, fleet);
	for (size_t i = 0; i < fleet->options.n; i++)
		sched_add(&fleet->sched, &fleet->mailboxes[i].job);

	nursery_init(&saving, "days");
	nursery_start(&saving, save_days, fleet, "bytes of the day");
	r = sched_run(&fleet->sched, fault);
	nursery_cancel(&saving);
	nursery_wait(&saving, &ignored);
	former = run_shield(save_days_us);
	days(fleet, true);
	run_unshield(former);
	sched_done(&fleet->sched);
	return r;
}
