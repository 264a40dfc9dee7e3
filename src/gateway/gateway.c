/* SPDX-License-Identifier: Apache-2.0 */
/* See gateway.h. */
#include "gateway/gateway.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/control.h"
#include "gateway/deliver.h"
#include "gateway/events.h"
#include "gateway/keep.h"
#include "gateway/metrics.h"
#include "gateway/offers.h"
#include "gateway/parts.h"
#include "gateway/recipients.h"
#include "gateway/retain.h"
#include "os/file.h"
#include "os/folder.h"
#include "os/notify.h"
#include "os/process.h"
#include "os/sandbox.h"
#include "smtp/command.h"

enum { COURIERS = 1 };

#define EDGES_END (3 * SECOND)
#define SESSIONS_END HOUR /* of edges that were replaced */

struct gateway {
	const struct gateway_options *options;
	struct config *config;
	struct keeper k;
	struct parts parts;
	struct nursery nursery;
	char *folder;
	struct schedule_settings targets[BOOK_TARGETS];
	struct deliver_settings delivery;
	struct offers offers;
	bool wants_reload, is_hurried;
};

/* --- listeners ------------------------------------------------------------------------------- */

static struct listener *find_listener(struct listener *const *listeners, size_t n, const struct endpoint *at)
{
	for (size_t i = 0; i < n; i++)
		if (listener_is_at(listeners[i], at->host, at->port))
			return listeners[i];

	return NULL;
}

/* Those that another plan does not have, too. */
static void close_listeners(struct parts_plan *plan, const struct parts_plan *but)
{
	for (size_t i = 0; i < plan->n_listeners; i++) {
		bool stays = false;

		for (size_t j = 0; but && j < but->n_listeners; j++)
			stays = stays || but->listeners[j] == plan->listeners[i];
		if (!stays)
			listener_free(plan->listeners[i]);
	}
	free(plan->listeners);
	plan->listeners = NULL;
	plan->n_listeners = 0;
}

/* What is wanted, sharing what is open: nobody who connects meanwhile is refused. On failure nothing has changed. */
static int open_listeners(struct gateway *g, struct parts_plan *plan, struct fault *fault)
{
	const struct endpoints *wanted = &plan->config->gateway.listen;
	const struct parts_plan *open = &g->parts.plan;

	plan->listeners = xzalloc((wanted->n + 1) * sizeof(struct listener *));
	for (size_t i = 0; i < wanted->n; i++) {
		const struct endpoint *at = &wanted->p[i];
		struct listener *listener = find_listener(open->listeners, open->n_listeners, at);

		if (!listener && listener_new(at->host, at->port, &listener, fault) < 0) {
			close_listeners(plan, open);
			return -1;
		}
		plan->listeners[plan->n_listeners++] = listener;
	}
	return 0;
}

/* A keeper that was killed leaves edges which end in a moment, and have its addresses until then. */
SUSPENDS static int listen_at_start(struct gateway *g, struct fault *fault)
{
	int64_t until = run_now() + EDGES_END;

	struct parts_plan plan = { .config = g->k.config };

	while (open_listeners(g, &plan, fault) < 0) {
		struct fault told;

		if (run_now() > until || fault->kind != FAULT_LOCAL || run_sleep(50 * MSEC, &told) < 0)
			return -1;
	}
	g->parts.plan = plan;
	return 0;
}

/* --- rights ---------------------------------------------------------------------------------- */

/* user: whose it is to be, if we are root; NULL: ours. */
static int make_folder(const char *path, const char *user, struct fault *fault)
{
	_cleanup_(buf_done) struct buf inside = BUF_NULL;

	buf_appendf(&inside, "%s/x", path);
	if (os_make_folder_of(buf_str(&inside), fault) < 0)
		return -1;
	return user ? os_give_folder(path, user, fault) : 0;
}

/* What was there before belongs to whom it did: others have their ledgers in it. */
static int make_folders(const char *state, const char *user, struct fault *fault)
{
	_cleanup_(buf_done) struct buf journal = BUF_NULL, gateway = BUF_NULL;
	struct os_stamp stamp;
	int r = os_stamp(state, &stamp, fault);

	if (r < 0 || make_folder(state, r == 1 ? user : NULL, fault) < 0)
		return -1;
	if (user && r == 0 && os_let_pass(state, fault) < 0)
		return -1;
	buf_appendf(&journal, "%s/journal", state);
	buf_appendf(&gateway, "%s/gateway", state);
	if (make_folder(buf_str(&journal), user, fault) < 0)
		return -1;
	return make_folder(buf_str(&gateway), user, fault);
}

/* What is above STATE is none of our business. */
static int may_pass(const struct gateway *g, const char *user, struct fault *fault)
{
	_cleanup_(buf_done) struct buf inside = BUF_NULL;
	struct os_stamp stamp;

	buf_appendf(&inside, "%s/journal/.", g->options->state);
	if (os_stamp(buf_str(&inside), &stamp, fault) == 0)
		return 0;
	return fault_usage(fault, "%s, who [gateway] user names, cannot get to %s/journal: a folder on the way lets nobody else "
			   "pass (chmod o+x)", user, g->options->state);
}

/* Ports are bound; no thread was started yet. */
static int give_up_rights(struct gateway *g, struct fault *fault)
{
	const char *user = g->k.config->gateway.user;

	if (make_folders(g->options->state, user, fault) < 0)
		return -1;
	if (!os_is_root())
		return 0;
	if (!user)
		return fault_usage(fault, "%s: [gateway] user is not set: as root the gateway needs somebody to become",
				   g->options->config);
	if (os_become(user, fault) < 0)
		return -1;
	os_forbid_dumps(); /* another user may have them again, by the kernel's default */
	return may_pass(g, user, fault);
}

/* --- the queue ------------------------------------------------------------------------------- */

static void set_target(struct gateway *g, enum book_target target, const struct config_smtp *smtp, const char *name)
{
	const struct config_gateway *c = &g->k.config->gateway;

	g->targets[target] = (struct schedule_settings){
		.name = name, .hosts = (unsigned)smtp->hosts.n, .most_connections = smtp->connections,
		.per_second = (double)smtp->messages_per_second, .burst = (double)smtp->messages_per_second,
		.recipient_per_second = (double)smtp->recipient_per_hour / 3600, .recipient_burst = (double)smtp->recipient_per_hour / 60,
		.first_backoff_us = c->retry_min_us, .most_backoff_us = c->retry_max_us,
	};
}

SUSPENDS static int open_queue(struct gateway *g, struct fault *fault)
{
	const struct config *config = g->k.config;
	const struct config_gateway *c = &config->gateway;
	struct queue_settings settings = {
		.state = g->options->state, .max_bytes = c->max_queue, .keep_free = c->keep_free, .life_us = c->queue_life_us,
		.segment_size = (uint64_t)c->journal_segment_mib << 20,
		.own = c->returns_via == CONFIG_ROUTE_NEW ? BOOK_NEW : BOOK_OLD,
		.separator = c->subaddress && strlen(c->subaddress) == 1 ? c->subaddress[0] : '\0',
		.seen = keeper_seen, .arg = &g->k,
	};

	set_target(g, BOOK_OLD, &config->old.smtp, "old");
	set_target(g, BOOK_NEW, &config->new.smtp, "new");
	settings.targets[BOOK_OLD] = config->old.smtp.hosts.n ? &g->targets[BOOK_OLD] : NULL;
	settings.targets[BOOK_NEW] = config->new.smtp.hosts.n ? &g->targets[BOOK_NEW] : NULL;
	if (queue_open(&settings, &g->k.queue, fault) < 0)
		return -1;
	if (queue_recovered(g->k.queue)[0])
		keeper_note(&g->k, "recovered", "%s", queue_recovered(g->k.queue));
	return keep_open(&g->k, fault);
}

/* --- delivery -------------------------------------------------------------------------------- */

static void on_alarm(void *arg, const char *kind, const char *text)
{
	keeper_alarm(arg, kind, "%s", text);
}

static void offer_as_known(struct gateway *g)
{
	const struct config_gateway *c = &g->k.config->gateway;
	unsigned offered = SMTP_SIZE | SMTP_8BITMIME | SMTP_SMTPUTF8 | SMTP_DSN;
	uint64_t size = c->max_message;

	if (c->offer == CONFIG_OFFER_COMMON)
		offered = offers_common(&g->offers, c->max_message, &size);
	if (offered == g->k.offered && size == g->k.max_size)
		return;
	g->k.offered = offered;
	g->k.max_size = size;
	if (!g->k.keep)
		return;
	keep_tell_offer(g->k.keep);
	keeper_note(&g->k, "offer", "clients are offered messages of up to %llu bytes%s%s", (unsigned long long)size,
		    offered & SMTP_8BITMIME ? ", 8BITMIME" : "", offered & SMTP_SMTPUTF8 ? ", SMTPUTF8" : "");
}

static void on_offers(void *arg, unsigned target, unsigned host, unsigned said, uint64_t size)
{
	struct gateway *g = (struct gateway *)((char *)arg - offsetof(struct gateway, k));

	offers_learn(&g->offers, target, host, said, size);
	offer_as_known(g);
}

SUSPENDS static int deliver(void *arg, struct fault *fault)
{
	return deliver_run(arg, fault);
}

static void start_delivery(struct gateway *g)
{
	struct deliver_settings settings = {
		.queue = g->k.queue, .config = g->k.config, .sandbox = true, .alarm = on_alarm, .arg = &g->k,
		.tokens = g->k.keep->tokens, .offers = on_offers,
	};

	g->delivery = settings;
	g->k.deliver = deliver_new(&g->delivery);
	g->parts.couriers = COURIERS;
	keeper_start(&g->k, deliver, g->k.deliver, "delivery");
}

/* --- reloading ------------------------------------------------------------------------------- */

struct read_job {
	const char *path;
	struct config *config;
};

static int read_config(void *arg, struct fault *fault)
{
	struct read_job *job = arg;

	return config_read_for_gateway(job->path, job->config, fault);
}

static void config_free(struct config *config)
{
	if (config)
		config_done(config);
	free(config);
}

static bool are_others(const struct endpoints *before, const struct endpoints *now)
{
	if (before->n != now->n)
		return true;
	for (size_t i = 0; i < now->n; i++)
		if (before->p[i].scheme != now->p[i].scheme || before->p[i].port != now->p[i].port ||
		    strcmp(before->p[i].host, now->p[i].host) != 0)
			return true;
	return false;
}

/* All that can fail was done. No suspension in between: nobody sees a part of it, and nobody may look at the former configuration
 * after one (keeper.h). */
static void put_in_force(struct gateway *g, struct config *config, struct parts_plan *plan)
{
	struct parts_plan former_plan = g->parts.plan;
	struct config *former = g->config;
	const struct schedule_settings *targets[BOOK_TARGETS] = { &g->targets[BOOK_OLD], &g->targets[BOOK_NEW] };
	bool others[BOOK_TARGETS] = { are_others(&former->old.smtp.hosts, &config->old.smtp.hosts),
				      are_others(&former->new.smtp.hosts, &config->new.smtp.hosts) };

	g->config = config;
	g->k.config = config;
	g->k.reloads++;
	set_target(g, BOOK_OLD, &config->old.smtp, "old");
	set_target(g, BOOK_NEW, &config->new.smtp, "new");
	queue_change_targets(g->k.queue, targets, others, config->gateway.queue_life_us);
	queue_set_own(g->k.queue, config->gateway.returns_via == CONFIG_ROUTE_NEW ? BOOK_NEW : BOOK_OLD);
	parts_commit(&g->parts, SESSIONS_END);
	deliver_reload(g->k.deliver, config);
	close_listeners(&former_plan, plan);
	config_free(former);
	/* Hosts may be others; those that are not say it again soon. */
	g->offers = (struct offers){ 0 };
	offer_as_known(g);
	keep_look(g->k.keep);
	waiters_wake_all(&g->k.changed);
}

/* First everything is made ready beside what there is, then it takes over. */
SUSPENDS static int reload(struct gateway *g, struct fault *fault)
{
	struct config *config = xzalloc(sizeof(*config));
	struct read_job job = { g->options->config, config };
	struct parts_plan plan = { .config = config };

	if (pool_call("the configuration", read_config, &job, fault) < 0) {
		free(config);
		return -1;
	}
	if (open_listeners(g, &plan, fault) < 0) {
		config_free(config);
		return -1;
	}
	if (parts_prepare(&g->parts, &plan, fault) < 0) {
		deliver_reload(g->k.deliver, g->config); /* couriers that were ready go */
		close_listeners(&plan, &g->parts.plan);
		config_free(config);
		return -1;
	}
	put_in_force(g, config, &plan);
	return 0;
}

SUSPENDS static int reload_and_tell(struct gateway *g, struct fault *fault)
{
	g->wants_reload = false;
	os_notify_reloading();
	if (reload(g, fault) < 0) {
		if (g->k.is_stopping)
			return 0;
		if (fault->kind == FAULT_CANCELLED || queue_failed(g->k.queue))
			return -1;
		keeper_alarm(&g->k, "reload", "%s; the gateway goes on as it was", fault->text);
	} else {
		keeper_note(&g->k, "reload", "the configuration was read anew, and certificates");
	}
	/* Whatever came of it: whoever moved the log away wants a new one. */
	events_reopen(g->k.events);
	os_notify("READY=1");
	return 0;
}

/* --- the life -------------------------------------------------------------------------------- */

static void on_stop(void *arg)
{
	struct gateway *g = arg;

	if (g->k.is_stopping) {
		g->is_hurried = true;
		nursery_cancel(&g->parts.nursery);
	}
	g->k.is_stopping = true;
	waiters_wake_all(&g->k.changed);
	waiters_wake_all(&g->parts.changed);
}

static void on_reload(void *arg)
{
	struct gateway *g = arg;

	g->wants_reload = true;
	waiters_wake_all(&g->k.changed);
}

/* What the gateway cannot go on without. */
static int failed(const struct gateway *g, struct fault *fault)
{
	const struct fault *of_queue = queue_failed(g->k.queue);

	if (!of_queue && !g->k.failed.kind)
		return 0;
	*fault = of_queue ? *of_queue : g->k.failed;
	return -1;
}

/* Until it is told to stop. */
SUSPENDS static int serve(struct gateway *g, struct fault *fault)
{
	while (!g->k.is_stopping) {
		if (failed(g, fault) < 0)
			return -1;
		if (g->wants_reload && reload_and_tell(g, fault) < 0)
			return -1;
		if (!g->wants_reload && !g->k.is_stopping && waiters_wait(&g->k.changed, "news", fault) < 0)
			return -1;
	}
	return 0;
}

SUSPENDS static int drain(struct gateway *g, struct fault *fault)
{
	int64_t within = g->k.config->gateway.drain_us, former;
	int r;

	os_notify("STOPPING=1");
	close_listeners(&g->parts.plan, NULL);
	deliver_stop(g->k.deliver);
	parts_stop(&g->parts, within);
	former = run_deadline_narrow(within + 10 * SECOND);
	r = parts_wait(&g->parts, fault);
	run_deadline_restore(former);
	if (failed(g, fault) < 0)
		return -1;
	return r < 0 && (fault->kind == FAULT_TIMEOUT || fault->kind == FAULT_CANCELLED) ? 0 : r;
}

/* The last signature. Without its files the journal is as good as it was: that is no reason to have failed. */
SUSPENDS static int sign(struct gateway *g, struct fault *fault)
{
	if (retain_sign(&g->k, fault) == 0)
		return 0;
	if (fault->kind == FAULT_CANCELLED || queue_failed(g->k.queue))
		return -1;
	keeper_alarm(&g->k, "retention", "%s; this end of the journal is not signed", fault->text);
	return 0;
}

SUSPENDS static int live(struct gateway *g, struct fault *fault)
{
	if (listen_at_start(g, fault) < 0 || give_up_rights(g, fault) < 0)
		return -1;
	if (open_queue(g, fault) < 0 || recipients_open(&g->k, fault) < 0 || control_open(&g->k, fault) < 0)
		return -1;
	start_delivery(g);
	if (parts_start(&g->parts, fault) < 0)
		return -1;
	keeper_start(&g->k, recipients_run, g->k.recipients, "recipients");
	keeper_start(&g->k, control_run, g->k.control, "control");
	keeper_start(&g->k, metrics_run, &g->k, "metrics");
	keeper_start(&g->k, events_run, g->k.events, "events");
	keeper_start(&g->k, retain_run, &g->k, "retention");

	keeper_note(&g->k, "start", "the gateway takes mail on %s", g->k.config->gateway.listen_text);
	os_notify("READY=1");
	if (serve(g, fault) < 0 || drain(g, fault) < 0)
		return -1;
	return sign(g, fault);
}

SUSPENDS static int keeper_main(void *arg, struct fault *fault)
{
	struct gateway *g = arg;
	struct fault later;
	int r;

	offer_as_known(g);
	g->k.show = g->options->show;
	run_random(g->k.seed, sizeof(g->k.seed));
	metrics_open(&g->k);
	events_open(&g->k);
	waiters_init(&g->k.changed);
	waiters_init(&g->k.routes_given);
	nursery_init(&g->nursery, "gateway");
	g->k.nursery = &g->nursery;
	parts_init(&g->parts, &g->k);
	run_on_signal(SIGTERM, on_stop, g);
	run_on_signal(SIGINT, on_stop, g);
	run_on_signal(SIGHUP, on_reload, g);

	r = live(g, fault);
	g->k.is_stopping = true;
	nursery_cancel(&g->parts.nursery);
	(void)parts_wait(&g->parts, &later);
	if (r == 0)
		keeper_note(&g->k, "stop", "%s", g->is_hurried ? "told to stop at once" : "stopped in order");
	g->k.nursery = NULL;
	nursery_done(&g->nursery);
	deliver_free(g->k.deliver);
	control_free(g->k.control);
	recipients_free(g->k.recipients);
	keep_free(g->k.keep);
	events_close(g->k.events);
	queue_close(g->k.queue);
	metrics_free(g->k.metrics);
	close_listeners(&g->parts.plan, NULL);
	return r;
}

int gateway_run(const struct gateway_options *options, struct config *config, struct fault *fault)
{
	struct gateway *g = xzalloc(sizeof(*g));
	_cleanup_(buf_done) struct buf folder = BUF_NULL;
	int r;

	g->options = options;
	os_forbid_dumps();
	os_raise_file_limit();
	buf_appendf(&folder, "%s/gateway", options->state);
	g->config = xmalloc(sizeof(*g->config));
	*g->config = *config;
	*config = (struct config){ 0 };
	g->k.config = g->config;
	g->k.folder = buf_str(&folder);
	r = run_main("keeper", keeper_main, g, fault);
	config_free(g->config);
	free(g);
	return r;
}
