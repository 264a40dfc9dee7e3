/* SPDX-License-Identifier: Apache-2.0 */
/* See deliver.h: what is begun when. */
#include "gateway/deliver.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "gateway/deliver-inside.h"
#include "os/step.h"

#define NO_COURIER (1 * SECOND) /* how often lives are looked at meanwhile */

struct deliver *deliver_new(const struct deliver_settings *settings)
{
	struct deliver *d = xzalloc(sizeof(*d));

	d->settings = *settings;
	if (!d->settings.doubt_first_us)
		d->settings.doubt_first_us = 30 * SECOND;
	if (!d->settings.doubt_again_us)
		d->settings.doubt_again_us = MINUTE;
	if (!d->settings.doubt_most_us)
		d->settings.doubt_most_us = 15 * MINUTE;
	list_init(&d->couriers);
	return d;
}

struct deliver *deliver_free(struct deliver *d)
{
	free(d);
	return NULL;
}

const struct config_smtp *deliver_smtp(const struct deliver *d, unsigned target)
{
	return target == BOOK_NEW ? &d->settings.config->new.smtp : &d->settings.config->old.smtp;
}

void deliver_alarm(struct deliver *d, const char *kind, const char *format, ...)
{
	char text[600];
	va_list args;

	if (!d->settings.alarm)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	d->settings.alarm(d->settings.arg, kind, text);
}

void deliver_look(const struct deliver *d, struct deliver_view *ret)
{
	*ret = d->view;
	ret->couriers = 0;
	list_for_each(link, &d->couriers)
		ret->couriers += list_entry(link, struct deliver_peer, of_deliver)->is_ready;
	ret->jobs = d->n_jobs;
	ret->doubts = d->n_doubts;
}

static void wake(struct deliver *d)
{
	waiters_wake_all(queue_work(d->settings.queue));
	list_for_each(link, &d->couriers)
		waiters_wake_all(&list_entry(link, struct deliver_peer, of_deliver)->changed);
}

void deliver_stop(struct deliver *d)
{
	d->is_stopping = true;
	wake(d);
}

void deliver_reload(struct deliver *d, const struct config *config)
{
	d->settings.config = config;
	list_for_each(link, &d->couriers) {
		struct deliver_peer *peer = list_entry(link, struct deliver_peer, of_deliver);

		if (peer->config != config)
			peer->is_retired = true;
	}
	wake(d);
}

/* --- beginning ------------------------------------------------------------------------------- */

struct task { /* of one leg */
	struct deliver *deliver;
	struct book_leg *leg;
};

SUSPENDS static int settle(void *arg, struct fault *fault)
{
	struct task task = *(struct task *)arg;
	int r;

	free(arg);
	r = deliver_settle_doubt(task.deliver, task.leg, fault);
	task.deliver->n_doubts--;
	waiters_wake_all(queue_work(task.deliver->settings.queue));
	return r;
}

SUSPENDS static int expire(void *arg, struct fault *fault)
{
	struct task task = *(struct task *)arg;
	int r;

	free(arg);
	r = deliver_expire(task.deliver, task.leg, fault);
	task.deliver->n_returns--;
	waiters_wake_all(queue_work(task.deliver->settings.queue));
	return r;
}

static void start_task(struct deliver *d, struct book_leg *leg, fiber_fn fn, const char *what)
{
	struct task *task = xmalloc(sizeof(*task));

	*task = (struct task){ d, leg };
	nursery_start(d->nursery, fn, task, "%s", what);
}

static void start_tasks(struct deliver *d)
{
	struct queue *queue = d->settings.queue;
	struct book_leg *leg;

	while (d->n_doubts < DELIVER_DOUBTS && (leg = queue_next_doubt(queue))) {
		d->n_doubts++;
		start_task(d, leg, settle, "a doubt");
	}
	while (d->n_returns < DELIVER_DOUBTS && (leg = queue_next_expired(queue))) {
		d->n_returns++;
		start_task(d, leg, expire, "a life that is over");
	}
}

/* When to look again if nothing happens. */
static int64_t start_jobs(struct deliver *d)
{
	struct queue *queue = d->settings.queue;
	int64_t moment = MOMENT_NEVER;

	for (unsigned target = 0; target < BOOK_TARGETS; target++) {
		struct deliver_peer *peer;
		struct queue_job *job;
		int64_t next;

		while ((peer = deliver_choose(d)) && (job = queue_next(queue, target)))
			deliver_start_job(d, peer, job);
		next = queue_moment(queue, target);
		if (!deliver_choose(d) && next < run_now() + NO_COURIER)
			next = run_now() + NO_COURIER;
		moment = next < moment ? next : moment;
	}
	if (d->n_doubts < DELIVER_DOUBTS && queue_doubt_moment(queue) < moment)
		moment = queue_doubt_moment(queue);
	return moment;
}

SUSPENDS static int wait_for_work(struct deliver *d, int64_t moment, struct fault *fault)
{
	int64_t now = run_now(), wait = moment == MOMENT_NEVER ? HOUR : moment - now;
	struct fault why = FAULT_INIT;
	int r;

	{
		_deadline_(wait > MSEC ? wait : MSEC);
		r = waiters_wait(queue_work(d->settings.queue), "something to deliver", &why);
	}
	if (r == 0 || why.kind == FAULT_TIMEOUT)
		return 0;
	*fault = why;
	return -1;
}

static bool is_idle(const struct deliver *d)
{
	return d->n_jobs == 0 && d->n_doubts == 0 && d->n_returns == 0;
}

SUSPENDS static int dispatch(struct deliver *d, struct fault *fault)
{
	for (;;) {
		int64_t moment = MOMENT_NEVER;

		if (queue_failed(d->settings.queue)) {
			*fault = *queue_failed(d->settings.queue);
			return -1;
		}
		if (d->nursery->cancelled) /* one of them failed */
			return 0;
		if (d->is_stopping && is_idle(d))
			return 0;
		if (!d->is_stopping) {
			start_tasks(d);
			moment = start_jobs(d);
		}
		if (wait_for_work(d, moment, fault) < 0)
			return -1;
	}
}

SUSPENDS int deliver_run(struct deliver *d, struct fault *fault)
{
	struct nursery nursery;
	struct fault of_child = FAULT_INIT;
	int r;

	nursery_init(&nursery, "delivery");
	d->nursery = &nursery;
	r = dispatch(d, fault);
	if (r < 0)
		nursery_cancel(&nursery);
	if (nursery_wait(&nursery, &of_child) < 0 && r == 0) {
		*fault = of_child;
		r = -1;
	}
	d->nursery = NULL;
	wake(d);
	return r;
}
