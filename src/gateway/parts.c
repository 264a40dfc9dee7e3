/* SPDX-License-Identifier: Apache-2.0 */
/* See parts.h. A fiber for each process. */
#include "gateway/parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "gateway/deliver.h"

#define FIRST_PAUSE (100 * MSEC)
#define LONGEST_PAUSE (30 * SECOND)
#define LONG_LIFE MINUTE
#define TO_END (5 * SECOND) /* from the end of its link to that of the process */
#define TO_BE_READY MINUTE

static const char *kind_name(enum part_kind kind)
{
	return kind == PART_EDGE ? "edge" : "courier";
}

static const struct parts_plan *plan_of(const struct part *part)
{
	return part->is_next ? part->parts->next : &part->parts->plan;
}

/* --- one life -------------------------------------------------------------------------------- */

static int start_child(struct part *part, struct fault *fault)
{
	const struct parts_plan *plan = plan_of(part);
	size_t n = part->kind == PART_EDGE ? plan->n_listeners : 0;
	int *fds = xreallocarray(NULL, n + 1, sizeof(*fds));
	char count[16];
	const char *argv[] = { "mailferry", "gateway", "--part", kind_name(part->kind), "--listeners", count, NULL };
	int r;

	snprintf(count, sizeof(count), "%zu", n);
	for (size_t i = 0; i < n; i++)
		fds[i] = listener_fd(plan->listeners[i]);
	r = os_part_start(argv, fds, n, &part->child, fault);
	free(fds);
	return r;
}

/* Its link is closed: it ends by itself, or is ended. */
SUSPENDS static int reap(struct part *part)
{
	struct watch *watch = watch_new(part->child.watch);
	int64_t former = run_shield(TO_END);
	struct fault late;
	int status;

	if (!watch || watch_wait(watch, RUN_READABLE, "a process to end", &late) < 0)
		os_part_stop(&part->child, true);
	run_unshield(former);
	watch_free(watch);
	status = os_part_reap(&part->child);
	waiters_wake_all(&part->parts->changed);
	return status;
}

struct news {
	struct part *part;
	struct keep_edge *edge;
};

/* Tells whoever waits when the edge is ready. */
SUSPENDS static int watch_edge(void *arg, struct fault *fault)
{
	struct news *news = arg;
	struct keep_edge_view view;

	for (;;) {
		keep_edge_look(news->edge, &view);
		if (view.state >= KEEP_EDGE_READY && view.state != KEEP_EDGE_DONE && !news->part->is_ready) {
			news->part->is_ready = true;
			waiters_wake_all(&news->part->parts->changed);
		}
		if (view.state == KEEP_EDGE_DONE)
			return 0;
		if (waiters_wait(keep_edge_news(news->edge), "an edge", fault) < 0)
			return -1;
	}
}

SUSPENDS static int serve_edge(struct part *part, struct stream *stream, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery watching;
	struct keep_edge *edge = keep_edge_new(part->parts->k->keep, &plan_of(part)->config->gateway, stream, part->number);
	struct news news = { part, edge };
	int r;

	nursery_init(&watching, "watching an edge");
	part->edge = edge;
	nursery_start(&watching, watch_edge, &news, "watch edge %u", part->number);
	r = keep_edge_serve(edge, fault);
	nursery_done(&watching);
	part->edge = NULL;
	keep_edge_free(edge);
	return r;
}

static void courier_is_ready(void *arg)
{
	struct part *part = arg;

	part->is_ready = true;
	waiters_wake_all(&part->parts->changed);
}

SUSPENDS static int serve_courier(struct part *part, struct stream *stream, struct fault *fault)
{
	return deliver_courier(part->parts->k->deliver, plan_of(part)->config, stream, courier_is_ready, part, fault);
}

SUSPENDS static int live(struct part *part, struct fault *fault)
{
	char name[32];
	struct stream *stream;
	struct fault why = FAULT_INIT;
	int r, status;

	if (start_child(part, fault) < 0)
		return -1;
	snprintf(name, sizeof(name), "%s %u", kind_name(part->kind), part->number);
	stream = tcp_stream_new(part->child.link, name);
	part->child.link = -1;
	r = part->kind == PART_EDGE ? serve_edge(part, stream, &why) : serve_courier(part, stream, &why);
	status = reap(part);
	if (r == 0)
		return 0;
	*fault = why;
	if (fault->kind != FAULT_CANCELLED && status != 0)
		fault_prefix(fault, status > 128 ? "ended by signal %d" : "ended with status %d",
			     status > 128 ? status - 128 : status);
	return -1;
}

/* --- and the next ---------------------------------------------------------------------------- */

static bool is_over(const struct part *part)
{
	return part->is_retired || part->parts->k->is_stopping || (part->is_trial && !part->is_ready);
}

/* Not longer than until it is over. */
SUSPENDS static int wait_a_while(struct part *part, int64_t pause, struct fault *fault)
{
	int64_t former = run_deadline_narrow(pause);
	int r = 0;

	while (r == 0 && !is_over(part))
		r = waiters_wait(&part->parts->changed, "the time to start it again", fault);
	run_deadline_restore(former);
	return r < 0 && fault->kind != FAULT_TIMEOUT ? -1 : 0;
}

SUSPENDS static int live_again(struct part *part, struct fault *fault)
{
	struct keeper *k = part->parts->k;
	int64_t pause = FIRST_PAUSE;

	while (!part->is_retired) {
		int64_t began = run_now();
		int r = live(part, fault);
		const struct fault *failed = queue_failed(k->queue);

		if (failed) {
			*fault = *failed;
			return -1;
		}
		if (run_is_cancelled())
			return fault_cancelled(fault);
		if (is_over(part))
			return 0;
		if (run_now() - began > LONG_LIFE)
			pause = FIRST_PAUSE;
		keeper_alarm(k, "process", "%s %u: %s; it is started again", kind_name(part->kind), part->number,
			     r < 0 ? fault->text : "it ended unasked");
		if (wait_a_while(part, pause, fault) < 0)
			return -1;
		if (is_over(part))
			return 0;
		pause = pause * 2 < LONGEST_PAUSE ? pause * 2 : LONGEST_PAUSE;
	}
	return 0;
}

SUSPENDS static int run_part(void *arg, struct fault *fault)
{
	struct part *part = arg;
	struct parts *parts = part->parts;
	int r = live_again(part, fault);

	list_remove(&part->of_parts);
	free(part);
	waiters_wake_all(&parts->changed);
	if (r < 0)
		waiters_wake_all(&parts->k->changed);
	return r;
}

/* --- all of them ----------------------------------------------------------------------------- */

void parts_init(struct parts *parts, struct keeper *k)
{
	*parts = (struct parts){ .k = k };
	list_init(&parts->list);
	waiters_init(&parts->changed);
	nursery_init(&parts->nursery, "processes");
}

static struct part *add(struct parts *parts, enum part_kind kind, unsigned number, bool is_trial)
{
	struct part *part = xzalloc(sizeof(*part));

	part->parts = parts;
	part->kind = kind;
	part->number = number;
	part->is_next = parts->next != NULL;
	part->is_trial = is_trial;
	part->child.pid = part->child.watch = part->child.link = -1;
	list_append(&parts->list, &part->of_parts);
	nursery_start(&parts->nursery, run_part, part, "%s %u", kind_name(kind), number);
	return part;
}

/* Until so many that are tried are ready: 0. -1: one of them ended before. */
SUSPENDS static int wait_until_ready(struct parts *parts, unsigned n, struct fault *fault)
{
	for (;;) {
		unsigned there = 0, ready = 0;

		list_for_each(link, &parts->list) {
			const struct part *part = list_entry(link, struct part, of_parts);

			there += part->is_trial && !part->is_retired;
			ready += part->is_trial && !part->is_retired && part->is_ready;
		}
		if (ready >= n)
			return 0;
		if (there < n)
			return fault_local(fault, "one of the gateway's processes ended before it was ready");
		if (parts->k->is_stopping)
			return fault_cancelled(fault);
		if (waiters_wait(&parts->changed, "processes to be ready", fault) < 0)
			return -1;
	}
}

/* It counts like any other from now on. */
static void end_trials(struct parts *parts)
{
	list_for_each(link, &parts->list) {
		struct part *part = list_entry(link, struct part, of_parts);

		part->is_trial = part->is_next = false;
	}
}

SUSPENDS int parts_start(struct parts *parts, struct fault *fault)
{
	unsigned edges = parts->plan.config->gateway.edges;

	for (unsigned i = 0; i < parts->couriers; i++)
		add(parts, PART_COURIER, i + 1, false);
	for (unsigned i = 0; i < edges; i++)
		add(parts, PART_EDGE, i + 1, true);
	if (wait_until_ready(parts, edges, fault) < 0)
		return -1;
	end_trials(parts);
	return 0;
}

/* Couriers end by themselves when they have no more jobs: deliver_stop(). */
static void retire(struct part *part, int64_t within_us, bool idle_too)
{
	part->is_retired = true;
	if (part->edge)
		keep_edge_stop(part->edge, within_us, idle_too);
}

/* Those of the plan in force, or of the next. */
static void retire_all(struct parts *parts, bool are_next, int64_t within_us)
{
	list_for_each(link, &parts->list) {
		struct part *part = list_entry(link, struct part, of_parts);

		if (part->is_next == are_next && !part->is_retired)
			retire(part, within_us, are_next);
	}
	waiters_wake_all(&parts->changed);
}

SUSPENDS static int wait_a_minute(struct parts *parts, unsigned n, struct fault *fault)
{
	_deadline_(TO_BE_READY);

	return wait_until_ready(parts, n, fault);
}

SUSPENDS int parts_prepare(struct parts *parts, const struct parts_plan *next, struct fault *fault)
{
	unsigned edges = next->config->gateway.edges;
	int r;

	parts->next = next;
	for (unsigned i = 0; i < parts->couriers; i++)
		add(parts, PART_COURIER, i + 1, true);
	r = wait_a_minute(parts, parts->couriers, fault);
	/* Last: clients may come to them as soon as they are ready. */
	for (unsigned i = 0; i < edges && r == 0; i++)
		add(parts, PART_EDGE, i + 1, true);
	if (r == 0)
		r = wait_a_minute(parts, parts->couriers + edges, fault);
	if (r == 0)
		return 0;
	retire_all(parts, true, TO_END);
	end_trials(parts);
	parts->next = NULL;
	return -1;
}

void parts_commit(struct parts *parts, int64_t within_us)
{
	retire_all(parts, false, within_us);
	parts->plan = *parts->next;
	parts->next = NULL;
	end_trials(parts);
}

void parts_stop(struct parts *parts, int64_t within_us)
{
	list_for_each(link, &parts->list)
		retire(list_entry(link, struct part, of_parts), within_us, true);
	waiters_wake_all(&parts->changed);
}

SUSPENDS int parts_wait(struct parts *parts, struct fault *fault)
{
	return nursery_wait(&parts->nursery, fault);
}
