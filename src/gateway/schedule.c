/* SPDX-License-Identifier: Apache-2.0 */
/* The schedule, see schedule.h: targets with their hosts, and what answers change. */
#include "gateway/schedule.h"

#include <assert.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "gateway/schedule-inside.h"

#define THROTTLED_FIRST SECOND          /* an item that met the server's throttle */
#define MAILBOX_FIRST (5 * SECOND)      /* a recipient that gets too much */
#define HOST_FIRST SECOND               /* a host that has no room for one connection */
#define HOST_MOST (5 * MINUTE)
#define TOLD_MOST (4 * HOUR)            /* nobody may tell us to wait longer than that */

struct schedule *schedule_new(uint64_t seed)
{
	struct schedule *schedule = xzalloc(sizeof(*schedule));

	list_init(&schedule->targets);
	rand_init(&schedule->rand, seed);
	return schedule;
}

static void target_free(struct schedule_target *target)
{
	assert(target->waiting == 0 && target->going == 0);

	list_for_each_safe(link, &target->idle)
		recipient_free(list_entry(link, struct schedule_recipient, forgetful));
	map_done(&target->recipients);
	list_remove(&target->of_schedule);
	free(target->hosts);
	free(target);
}

struct schedule *schedule_free(struct schedule *schedule)
{
	if (!schedule)
		return NULL;

	list_for_each_safe(link, &schedule->targets)
		target_free(list_entry(link, struct schedule_target, of_schedule));
	free(schedule);
	return NULL;
}

static void set_defaults(struct schedule_settings *s)
{
	s->first_connections = s->first_connections ? s->first_connections : 5;
	s->most_connections = s->most_connections ? s->most_connections : 20;
	s->most_recipients = s->most_recipients ? s->most_recipients : 100;
	s->recipient_at_once = s->recipient_at_once ? s->recipient_at_once : 3;
	s->first_backoff_us = s->first_backoff_us ? s->first_backoff_us : 5 * MINUTE;
	s->most_backoff_us = s->most_backoff_us ? s->most_backoff_us : 70 * MINUTE;
}

/* Those that are not there yet, or all of them. */
static void begin_hosts(struct schedule_target *target, bool all)
{
	const struct schedule_settings *s = &target->settings;

	if (s->hosts > target->size_hosts)
		target->hosts = xreallocarray(target->hosts, s->hosts, sizeof(*target->hosts));
	for (; target->size_hosts < s->hosts; target->size_hosts++) {
		struct host *host = &target->hosts[target->size_hosts];

		*host = (struct host){ .in_use = 0 };
		window_init(&host->window, s->first_connections, s->most_connections);
	}
	for (unsigned i = 0; i < s->hosts; i++) {
		struct host *host = &target->hosts[i];

		window_limit(&host->window, s->first_connections, s->most_connections);
		if (!all)
			continue;
		*host = (struct host){ .in_use = host->in_use };
		window_init(&host->window, s->first_connections, s->most_connections);
	}
}

void schedule_change(struct schedule_target *target, const struct schedule_settings *settings, bool are_others, int64_t now)
{
	assert(settings->hosts >= 1);

	target->settings = *settings;
	set_defaults(&target->settings);
	target->turnover += are_others;
	begin_hosts(target, are_others);
	rate_bucket_change(&target->bucket, settings->per_second, settings->burst, now);
	if (are_others)
		rate_init(&target->rate, now);
	lanes_change(target, now);
}

struct schedule_target *schedule_add_target(struct schedule *schedule,
					    const struct schedule_settings *settings, int64_t now)
{
	struct schedule_target *target = xzalloc(sizeof(*target));

	assert(settings->hosts >= 1);

	target->schedule = schedule;
	target->settings = *settings;
	set_defaults(&target->settings);
	begin_hosts(target, true);
	rate_bucket_init(&target->bucket, settings->per_second, settings->burst, now);
	rate_init(&target->rate, now);
	map_init(&target->recipients, rand_u64(&schedule->rand));
	list_init(&target->rings[LANE_FRESH]);
	list_init(&target->rings[LANE_DEFERRED]);
	list_init(&target->idle);
	list_append(&schedule->targets, &target->of_schedule);
	return target;
}

/* --- items ----------------------------------------------------------------------------------------- */

void schedule_add(struct schedule_target *target, struct schedule_item *item,
		  struct bytes recipient, unsigned attempts, int64_t due, int64_t life_ends,
		  int64_t now)
{
	assert(!item->recipient);

	*item = (struct schedule_item){ .attempts = attempts, .deferred = attempts > 0 };
	list_init(&item->of_job);
	item->recipient = recipient_of(target, recipient, now);
	item->recipient->n_items++;
	lane_put(item, due, life_ends);
	recipient_place(item->recipient, now);
}

/* The schedule has it no more. It waits nowhere and is in no job. */
static void give_back(struct schedule_item *item, int64_t now)
{
	struct schedule_recipient *recipient = TAKE_PTR(item->recipient);

	recipient->n_items--;
	recipient_place(recipient, now);
}

void schedule_remove(struct schedule_item *item, int64_t now)
{
	assert(item->recipient && !item->job);

	lane_take(item);
	give_back(item, now);
}

void schedule_retry(struct schedule_item *item, int64_t now)
{
	int64_t life_ends = item->life.key;

	assert(item->recipient && !item->job);

	lane_take(item);
	lane_put(item, now, life_ends);
	item->recipient->pause_until = 0;
	recipient_place(item->recipient, now);
}

void schedule_live_until(struct schedule_item *item, int64_t life_ends)
{
	assert(item->recipient);

	if (!heap_is_in(&item->life)) {
		item->life.key = life_ends; /* in a job: when it comes back */
		return;
	}
	heap_remove(&item->recipient->target->lives, &item->life);
	heap_push(&item->recipient->target->lives, &item->life, life_ends, item->life.order);
}

struct schedule_item *schedule_expired(struct schedule_target *target, int64_t now)
{
	struct heap_node *first = heap_first(&target->lives);
	struct schedule_item *item;

	if (!first || first->key > now)
		return NULL;

	item = heap_entry(first, struct schedule_item, life);
	schedule_remove(item, now);
	return item;
}

/* --- hosts ----------------------------------------------------------------------------------------- */

static bool host_is_free(const struct host *host, int64_t now)
{
	return now >= host->pause_until && host->in_use < window_size(&host->window, now);
}

/* A dead host that is due to be tried, else the free one with the smallest part of its window in use;
 * -1: none. */
static int pick_host(struct schedule_target *target, int64_t now)
{
	int best = -1;

	for (unsigned k = 0; k < target->settings.hosts; k++) {
		unsigned i = (target->next_host + k) % target->settings.hosts;
		const struct host *host = &target->hosts[i], *other = &target->hosts[best < 0 ? i : (unsigned)best];

		if (!host_is_free(host, now))
			continue;
		if (window_is_dead(&host->window))
			return (int)i;
		if (best < 0 || (uint64_t)host->in_use * other->window.size <
					(uint64_t)other->in_use * host->window.size)
			best = (int)i;
	}
	return best;
}

/* When a host is free: MOMENT_NEVER when only the end of a job makes one so. */
static int64_t hosts_moment(const struct schedule_target *target, int64_t now)
{
	int64_t moment = MOMENT_NEVER;

	for (unsigned i = 0; i < target->settings.hosts; i++) {
		const struct host *host = &target->hosts[i];
		int64_t at = host->pause_until > now ? host->pause_until : now;

		if (window_is_dead(&host->window) && at < host->window.dead_until)
			at = host->window.dead_until;
		if (host->in_use < window_size(&host->window, at) && at < moment)
			moment = at;
	}
	return moment;
}

/* --- jobs ------------------------------------------------------------------------------------------ */

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* When the target may get another job as far as rates and pauses say. */
static int64_t gate_moment(struct schedule_target *target, int64_t now)
{
	int64_t moment = later(now, target->paused_until);

	moment = later(moment, rate_bucket_moment(&target->bucket, now));
	return later(moment, rate_moment(&target->rate, now));
}

static void begin_item(struct schedule_job *job, struct schedule_item *item, int64_t now)
{
	struct schedule_recipient *recipient = item->recipient;

	lane_take(item);
	item->job = job;
	list_append(&job->items, &item->of_job);
	job->n++;
	job->target->going++;
	recipient->going++;
	rate_bucket_take(&recipient->bucket, now);
	recipient_place(recipient, now);
}

struct schedule_job *schedule_next(struct schedule_target *target, int64_t now)
{
	struct schedule_item *item;
	struct schedule_job *job;
	int host;

	if (lanes_moment(target, now) > now || gate_moment(target, now) > now)
		return NULL;
	host = pick_host(target, now);
	if (host < 0)
		return NULL;
	item = lanes_first(target, now);
	if (!item)
		return NULL;

	job = xzalloc(sizeof(*job));
	job->target = target;
	job->host = (unsigned)host;
	job->turnover = target->turnover;
	job->began = now;
	list_init(&job->items);
	target->next_host = (unsigned)host + 1;
	target->hosts[host].in_use++;
	rate_bucket_take(&target->bucket, now);
	rate_take(&target->rate, now);
	begin_item(job, item, now);
	return job;
}

bool schedule_join(struct schedule_job *job, struct schedule_item *item, int64_t now)
{
	struct schedule_recipient *recipient = item->recipient;

	if (!recipient || item->job || recipient->target != job->target)
		return false;
	if (job->n >= job->target->settings.most_recipients || item->due.key > now ||
	    !recipient_may(recipient, now))
		return false;

	begin_item(job, item, now);
	return true;
}

unsigned schedule_host(const struct schedule_job *job)
{
	return job->host;
}

struct list *schedule_items(struct schedule_job *job)
{
	return &job->items;
}

/* first, doubled `times` times, at most most; with jitter; at least what was told. */
static int64_t backoff(struct schedule_target *target, int64_t first, unsigned times, int64_t most,
		       int64_t told_us)
{
	int64_t us = first;

	while (times-- > 0 && us < most)
		us *= 2;
	us = rand_jitter(&target->schedule->rand, us < most ? us : most);
	told_us = told_us < TOLD_MOST ? told_us : TOLD_MOST;
	return later(us, told_us);
}

/* How long the item must wait after such an answer, and what the answer says about others. */
static int64_t take_answer(struct schedule_item *item, enum schedule_answer answer, int64_t told_us,
			   int64_t now)
{
	struct schedule_recipient *recipient = item->recipient;
	struct schedule_target *target = recipient->target;
	int64_t most = target->settings.most_backoff_us, wait = 0;

	switch (answer) {
	case SCHEDULE_ACCEPTED:
		item->job->accepted = true;
		recipient->pause_us = 0;
		break;
	case SCHEDULE_DEFERRED:
		wait = backoff(target, target->settings.first_backoff_us, item->attempts, most, told_us);
		item->attempts++;
		item->throttled = 0;
		item->deferred = true;
		break;
	case SCHEDULE_MAILBOX:
		recipient->pause_us = recipient->pause_us ? 2 * recipient->pause_us : MAILBOX_FIRST;
		if (recipient->pause_us > most)
			recipient->pause_us = most;
		wait = backoff(target, recipient->pause_us, 0, most, told_us);
		recipient->pause_until = later(recipient->pause_until, now + wait);
		break;
	case SCHEDULE_SERVER:
		rate_throttled(&target->rate, item->job->began,
			       told_us < TOLD_MOST ? told_us : TOLD_MOST, &target->schedule->rand, now);
		wait = backoff(target, THROTTLED_FIRST, item->throttled, most, 0);
		item->throttled++;
		break;
	case SCHEDULE_REFUSED:
	case SCHEDULE_UNTRIED:
		break;
	}
	return wait;
}

bool schedule_settle(struct schedule_item *item, enum schedule_answer answer, int64_t told_us,
		     int64_t now)
{
	struct schedule_recipient *recipient = item->recipient;
	int64_t life_ends = item->life.key, wait;

	assert(recipient && item->job);

	wait = take_answer(item, answer, told_us, now);
	list_remove(&item->of_job);
	item->job->target->going--;
	item->job = NULL;
	recipient->going--;
	if (answer == SCHEDULE_ACCEPTED || answer == SCHEDULE_REFUSED || now >= life_ends) {
		give_back(item, now);
		return false;
	}

	lane_put(item, now + wait, life_ends);
	recipient_place(recipient, now);
	return true;
}

/* A host that has too many with one connection of ours is left alone for a while. When all are like
 * that it is not connections that are too many. */
static void too_many(struct schedule_target *target, struct host *host, int64_t began, int64_t now)
{
	struct rand *rand = &target->schedule->rand;
	bool all = true;

	for (unsigned i = 0; i < target->settings.hosts; i++)
		all = all && target->hosts[i].window.size == 1;
	if (all)
		rate_throttled(&target->rate, began, 0, rand, now);
	if (host->window.size == 1) {
		host->pause_us = host->pause_us ? 2 * host->pause_us : HOST_FIRST;
		host->pause_us = host->pause_us < HOST_MOST ? host->pause_us : HOST_MOST;
		host->pause_until = later(host->pause_until,
					  now + rand_jitter(rand, host->pause_us));
	}
	window_too_many(&host->window, rand, now);
}

void schedule_done(struct schedule_job *job, enum schedule_end end, int64_t told_us, int64_t now)
{
	struct schedule_target *target = job->target;
	struct host *host = &target->hosts[job->host];

	assert(list_is_empty(&job->items));

	if (job->turnover != target->turnover || job->host >= target->settings.hosts)
		end = SCHEDULE_UNUSED; /* it says nothing of those that are there now */
	else if (job->accepted)
		rate_accepted(&target->rate, now);
	switch (end) {
	case SCHEDULE_WORKED:
		host->pause_us = 0;
		window_worked(&host->window, host->in_use, now);
		break;
	case SCHEDULE_UNREACHABLE:
		window_unreachable(&host->window, &target->schedule->rand, now);
		break;
	case SCHEDULE_TOO_MANY:
		too_many(target, host, job->began, now);
		break;
	case SCHEDULE_LOST:
		window_lost(&host->window);
		break;
	case SCHEDULE_UNUSED:
		break;
	}
	if (told_us > 0 && end != SCHEDULE_UNUSED)
		host->pause_until = later(host->pause_until,
					  now + (told_us < TOLD_MOST ? told_us : TOLD_MOST));
	host->in_use--;
	free(job);
}

int64_t schedule_moment(struct schedule_target *target, int64_t now)
{
	struct heap_node *life = heap_first(&target->lives);
	int64_t moment = lanes_moment(target, now);

	if (moment < MOMENT_NEVER) {
		moment = later(moment, gate_moment(target, now));
		moment = later(moment, hosts_moment(target, now));
	}
	if (life && life->key < moment)
		moment = later(life->key, now);
	return moment;
}

void schedule_pause(struct schedule_target *target, int64_t until)
{
	target->paused_until = until;
}

void schedule_look(const struct schedule_target *target, int64_t now, struct schedule_view *ret)
{
	*ret = (struct schedule_view){
		.waiting = target->waiting, .going = target->going,
		.recipients = map_count(&target->recipients),
		.per_second = target->rate.bucket.per_second,
		.pause_until = later(target->paused_until, target->rate.pause_until),
	};
	for (unsigned i = 0; i < target->settings.hosts; i++) {
		ret->dead_hosts += window_is_dead(&target->hosts[i].window);
		ret->connections += window_size(&target->hosts[i].window, now);
	}
}
