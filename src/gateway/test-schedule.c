/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/schedule.h"

#include <stdio.h>

#include "base/rand.h"
#include "base/xalloc.h"
#include "lib/check.h"

#define LIFE (5 * 24 * HOUR)

struct fixture {
	struct schedule *schedule;
	struct schedule_target *target;
	int64_t now;
};

static void set_up(struct fixture *f, const struct schedule_settings *like)
{
	struct schedule_settings settings = *like;

	settings.name = "new";
	settings.hosts = settings.hosts ? settings.hosts : 1;
	f->now = 1000 * SECOND;
	f->schedule = schedule_new(1);
	f->target = schedule_add_target(f->schedule, &settings, f->now);
}

static void tear_down(struct fixture *f)
{
	f->schedule = schedule_free(f->schedule);
}

static void add(struct fixture *f, struct schedule_item *item, const char *to)
{
	schedule_add(f->target, item, bytes_of(to), 0, f->now, f->now + LIFE, f->now);
}

static struct schedule_item *first_of(struct schedule_job *job)
{
	return list_entry(schedule_items(job)->next, struct schedule_item, of_job);
}

/* Settles all items of a job in the same way and ends it. */
static void end(struct fixture *f, struct schedule_job *job, enum schedule_answer answer,
		int64_t told_us)
{
	while (!list_is_empty(schedule_items(job)))
		schedule_settle(first_of(job), answer, told_us, f->now);
	schedule_done(job, SCHEDULE_WORKED, 0, f->now);
}

/* The next job takes its item and ends at once; NULL: nothing may go. */
static struct schedule_item *pass_one(struct fixture *f, enum schedule_answer answer)
{
	struct schedule_job *job = schedule_next(f->target, f->now);
	struct schedule_item *item;

	if (!job)
		return NULL;

	item = first_of(job);
	end(f, job, answer, 0);
	return item;
}

static void first_come_first_served(struct check *check)
{
	struct schedule_item items[5] = { 0 };
	struct fixture f;

	set_up(&f, &(struct schedule_settings){ 0 });
	CHECK(schedule_moment(f.target, f.now) == MOMENT_NEVER);
	for (int i = 0; i < 5; i++)
		add(&f, &items[i], "ann@example.org");
	CHECK_EQ(schedule_moment(f.target, f.now), f.now);
	for (int i = 0; i < 5; i++)
		CHECK(pass_one(&f, SCHEDULE_ACCEPTED) == &items[i]);
	CHECK(!pass_one(&f, SCHEDULE_ACCEPTED));
	CHECK(!items[0].recipient);
	tear_down(&f);
}

/* A thousand items for one, then one for another: it is second. */
static void recipients_take_turns(struct check *check)
{
	struct schedule_item *items = xzalloc(1001 * sizeof(*items));
	struct fixture f;

	set_up(&f, &(struct schedule_settings){ 0 });
	for (int i = 0; i < 1000; i++)
		add(&f, &items[i], "ann@example.org");
	add(&f, &items[1000], "bob@example.org");
	CHECK(pass_one(&f, SCHEDULE_ACCEPTED) == &items[0]);
	CHECK(pass_one(&f, SCHEDULE_ACCEPTED) == &items[1000]);
	for (int i = 1; i < 1000; i++)
		CHECK(pass_one(&f, SCHEDULE_ACCEPTED) == &items[i]);
	tear_down(&f);
	free(items);
}

/* Of fresh and deferred mail neither waits for the other's backlog. */
static void fresh_and_deferred_take_turns(struct check *check)
{
	struct schedule_item *items = xzalloc(200 * sizeof(*items));
	int deferred = 0, in_a_row = 0, most = 0;
	struct fixture f;
	char to[32];

	set_up(&f, &(struct schedule_settings){ 0 });
	for (int i = 0; i < 200; i++) {
		snprintf(to, sizeof(to), "%d@example.org", i);
		schedule_add(f.target, &items[i], bytes_of(to), i < 100 ? 2 : 0, f.now,
			     f.now + LIFE, f.now);
	}
	for (int i = 0; i < 100; i++) {
		struct schedule_item *item = pass_one(&f, SCHEDULE_ACCEPTED);

		deferred += item < &items[100];
		in_a_row = item < &items[100] ? 0 : in_a_row + 1;
		most = in_a_row > most ? in_a_row : most;
	}
	CHECK_EQ(deferred, 25);
	CHECK_EQ(most, 3);
	while (pass_one(&f, SCHEDULE_ACCEPTED))
		;
	tear_down(&f);
	free(items);
}

static void backs_off(struct check *check)
{
	struct schedule_item item = { 0 };
	int64_t expected = 5 * MINUTE, least = INT64_MAX, most = 0;
	struct fixture f;

	set_up(&f, &(struct schedule_settings){ 0 });
	add(&f, &item, "ann@example.org");
	for (unsigned i = 0; i < 60; i++) {
		int64_t wait;

		CHECK(pass_one(&f, SCHEDULE_DEFERRED) == &item);
		CHECK_EQ(item.attempts, i + 1);
		wait = item.due.key - f.now;
		CHECK(wait >= expected - expected / 4 && wait <= expected + expected / 4);
		if (expected == 70 * MINUTE) {
			least = wait < least ? wait : least;
			most = wait > most ? wait : most;
		}
		CHECK_EQ(schedule_moment(f.target, f.now), item.due.key);
		f.now = item.due.key - 1;
		CHECK(!pass_one(&f, SCHEDULE_DEFERRED));
		f.now++;
		expected = expected * 2 < 70 * MINUTE ? expected * 2 : 70 * MINUTE;
	}
	CHECK(most - least > 20 * MINUTE); /* they do not all come at once */
	schedule_remove(&item, f.now);
	tear_down(&f);
}

static void waits_at_least_as_told(struct check *check)
{
	struct schedule_item item = { 0 };
	struct fixture f;

	set_up(&f, &(struct schedule_settings){ 0 });
	add(&f, &item, "ann@example.org");
	end(&f, schedule_next(f.target, f.now), SCHEDULE_DEFERRED, HOUR);
	CHECK_EQ(item.due.key, f.now + HOUR);
	f.now += HOUR;
	end(&f, schedule_next(f.target, f.now), SCHEDULE_DEFERRED, 1000 * HOUR); /* not for ever */
	CHECK_EQ(item.due.key, f.now + 4 * HOUR);
	schedule_remove(&item, f.now);
	tear_down(&f);
}

/* A mailbox that gets too much: all for it wait, and nobody else. */
static void a_throttled_mailbox_waits_alone(struct check *check)
{
	struct schedule_item items[3] = { 0 }, other = { 0 }, late = { 0 };
	struct fixture f;

	set_up(&f, &(struct schedule_settings){ 0 });
	for (int i = 0; i < 3; i++)
		add(&f, &items[i], "ann@example.org");
	end(&f, schedule_next(f.target, f.now), SCHEDULE_MAILBOX, 2 * MINUTE);
	CHECK(!schedule_next(f.target, f.now));
	add(&f, &other, "bob@example.org");
	add(&f, &late, "ann@example.org");
	CHECK(pass_one(&f, SCHEDULE_ACCEPTED) == &other);
	CHECK(!schedule_next(f.target, f.now + 2 * MINUTE - 1));
	CHECK_EQ(schedule_moment(f.target, f.now), f.now + 2 * MINUTE);
	CHECK_EQ(items[0].attempts, 0);

	schedule_retry(&items[1], f.now); /* the operator knows better */
	CHECK(pass_one(&f, SCHEDULE_ACCEPTED) != NULL);
	f.now += 2 * MINUTE;
	for (int i = 0; i < 3; i++)
		CHECK(pass_one(&f, SCHEDULE_ACCEPTED) != NULL);
	CHECK(!schedule_next(f.target, f.now));
	tear_down(&f);
}

static void keeps_the_rates(struct check *check)
{
	struct schedule_item *items = xzalloc(300 * sizeof(*items));
	int64_t began;
	int n = 0, of_ann = 0;
	struct fixture f;

	set_up(&f, &(struct schedule_settings){ .per_second = 10, .burst = 5,
						.recipient_per_second = 1, .recipient_burst = 3 });
	for (int i = 0; i < 300; i++)
		add(&f, &items[i], i % 3 ? "ann@example.org"
					 : i % 2 ? "bob@example.org" : "eve@example.org");
	began = f.now;
	while (f.now < began + 20 * SECOND) {
		struct schedule_item *item = pass_one(&f, SCHEDULE_ACCEPTED);

		if (!item) {
			int64_t next = schedule_moment(f.target, f.now);

			CHECK(next > f.now);
			f.now = next;
			continue;
		}
		n++;
		of_ann += (item - items) % 3 != 0;
		CHECK(n <= 5 + 10 * (f.now - began) / SECOND + 1);
		CHECK(of_ann <= 3 + (f.now - began) / SECOND + 1);
	}
	CHECK(of_ann >= 22 && n >= 66); /* each recipient gets what it may */
	for (int i = 0; i < 300; i++)
		if (items[i].recipient)
			schedule_remove(&items[i], f.now);
	tear_down(&f);
	free(items);
}

static void a_recipient_has_few_jobs_at_once(struct check *check)
{
	struct schedule_item items[4] = { 0 };
	struct schedule_job *jobs[3];
	struct fixture f;

	set_up(&f, &(struct schedule_settings){ .first_connections = 10 });
	for (int i = 0; i < 4; i++)
		add(&f, &items[i], "ann@example.org");
	for (int i = 0; i < 3; i++)
		CHECK((jobs[i] = schedule_next(f.target, f.now)));
	CHECK(!schedule_next(f.target, f.now));
	CHECK_EQ(schedule_moment(f.target, f.now), f.now + LIFE);
	end(&f, jobs[0], SCHEDULE_ACCEPTED, 0);
	CHECK(pass_one(&f, SCHEDULE_ACCEPTED) == &items[3]);
	end(&f, jobs[1], SCHEDULE_ACCEPTED, 0);
	end(&f, jobs[2], SCHEDULE_ACCEPTED, 0);
	tear_down(&f);
}

static void joins_what_may_go(struct check *check)
{
	struct schedule_item items[5] = { 0 };
	static const char *const to[] = { "a@x.org", "b@x.org", "c@x.org", "d@x.org", "e@x.org" };
	struct schedule_job *job;
	struct fixture f;

	set_up(&f, &(struct schedule_settings){ .most_recipients = 3 });
	for (int i = 0; i < 5; i++)
		schedule_add(f.target, &items[i], bytes_of(to[i]), 0,
			     f.now + (i == 1 ? SECOND : 0), f.now + LIFE, f.now);
	job = schedule_next(f.target, f.now);
	CHECK(first_of(job) == &items[0]);
	CHECK(!schedule_join(job, &items[0], f.now)); /* it is in it */
	CHECK(!schedule_join(job, &items[1], f.now)); /* not due */
	CHECK(schedule_join(job, &items[2], f.now));
	CHECK(schedule_join(job, &items[3], f.now));
	CHECK(!schedule_join(job, &items[4], f.now)); /* full */

	/* Each with a result of its own; what was not tried is first again. */
	CHECK(!schedule_settle(&items[0], SCHEDULE_ACCEPTED, 0, f.now));
	CHECK(!schedule_settle(&items[2], SCHEDULE_REFUSED, 0, f.now));
	CHECK(schedule_settle(&items[3], SCHEDULE_UNTRIED, 0, f.now));
	CHECK_EQ(items[3].due.key, f.now);
	CHECK_EQ(items[3].attempts, 0);
	schedule_done(job, SCHEDULE_WORKED, 0, f.now);
	f.now += SECOND;
	for (int i = 0; i < 3; i++)
		CHECK(pass_one(&f, SCHEDULE_ACCEPTED));
	CHECK(!pass_one(&f, SCHEDULE_ACCEPTED));
	tear_down(&f);
}

static void lives_end(struct check *check)
{
	struct schedule_item items[3] = { 0 };
	struct schedule_job *job;
	struct fixture f;

	set_up(&f, &(struct schedule_settings){ 0 });
	for (int i = 0; i < 3; i++)
		add(&f, &items[i], "ann@example.org");
	schedule_pause(f.target, MOMENT_NEVER);
	CHECK(!schedule_next(f.target, f.now));
	CHECK_EQ(schedule_moment(f.target, f.now), f.now + LIFE);
	schedule_pause(f.target, 0);
	job = schedule_next(f.target, f.now);
	f.now += LIFE;
	CHECK(schedule_expired(f.target, f.now - 1) == NULL);
	CHECK(schedule_expired(f.target, f.now) == &items[1]); /* the first is in a job */
	CHECK(schedule_expired(f.target, f.now) == &items[2]);
	CHECK(schedule_expired(f.target, f.now) == NULL);
	CHECK(!schedule_settle(first_of(job), SCHEDULE_DEFERRED, 0, f.now));
	CHECK(!items[0].recipient);
	schedule_done(job, SCHEDULE_WORKED, 0, f.now);
	tear_down(&f);
}

/* Recipients without items are not kept for ever, and those that are throttled are remembered. */
static void forgets_recipients(struct check *check)
{
	struct schedule_item item = { 0 };
	struct schedule_view view;
	struct fixture f;
	char to[32];

	set_up(&f, &(struct schedule_settings){ .recipient_per_second = 0.1 });
	for (int i = 0; i < 1000; i++) {
		snprintf(to, sizeof(to), "%d@example.org", i);
		add(&f, &item, to);
		CHECK(pass_one(&f, SCHEDULE_ACCEPTED));
		f.now += 100 * MSEC;
	}
	schedule_look(f.target, f.now, &view);
	CHECK(view.recipients >= 90 && view.recipients <= 110); /* the last ten seconds' */
	add(&f, &item, to);
	CHECK(!pass_one(&f, SCHEDULE_ACCEPTED)); /* its bucket is empty still */
	schedule_remove(&item, f.now);
	tear_down(&f);
}

/* --- at random ---------------------------------------------------------------------------------------- */

enum { ITEMS = 400, STEPS = 60000, JOBS = 64 };

struct walk {
	struct fixture f;
	struct rand rand;
	struct schedule_item items[ITEMS];
	struct schedule_job *jobs[JOBS];
	unsigned n_jobs, by_host[3];
};

static void settle_some_job(struct walk *w)
{
	unsigned i = (unsigned)rand_below(&w->rand, w->n_jobs);
	struct schedule_job *job = w->jobs[i];

	while (!list_is_empty(schedule_items(job)))
		schedule_settle(first_of(job),
				(enum schedule_answer)rand_below(&w->rand, SCHEDULE_UNTRIED + 1),
				rand_below(&w->rand, 9) ? 0 : (int64_t)rand_below(&w->rand, MINUTE),
				w->f.now);
	w->by_host[schedule_host(job)]--;
	schedule_done(job, (enum schedule_end)rand_below(&w->rand, SCHEDULE_LOST + 1), 0, w->f.now);
	w->jobs[i] = w->jobs[--w->n_jobs];
}

static void begin_job(struct check *check, struct walk *w)
{
	int64_t moment = schedule_moment(w->f.target, w->f.now);
	struct schedule_job *job = w->n_jobs < JOBS ? schedule_next(w->f.target, w->f.now) : NULL;

	if (!job)
		return;
	CHECK_EQ(moment, w->f.now);
	CHECK(++w->by_host[schedule_host(job)] <= 20);
	for (int k = 0; k < 5; k++)
		schedule_join(job, &w->items[rand_below(&w->rand, ITEMS)], w->f.now);
	w->jobs[w->n_jobs++] = job;
}

static void step(struct check *check, struct walk *w)
{
	struct schedule_item *item = &w->items[rand_below(&w->rand, ITEMS)];
	char to[32];

	switch (rand_below(&w->rand, 8)) {
	case 0:
	case 1:
		snprintf(to, sizeof(to), "%u@x.org", (unsigned)rand_below(&w->rand, 40));
		if (!item->recipient)
			schedule_add(w->f.target, item, bytes_of(to),
				     (unsigned)rand_below(&w->rand, 3),
				     w->f.now + (int64_t)rand_below(&w->rand, MINUTE),
				     w->f.now + (int64_t)rand_below(&w->rand, HOUR), w->f.now);
		break;
	case 2:
		if (item->recipient && !item->job && rand_below(&w->rand, 2))
			schedule_retry(item, w->f.now);
		else if (item->recipient && !item->job && !rand_below(&w->rand, 9))
			schedule_remove(item, w->f.now);
		break;
	case 3:
		if (w->n_jobs)
			settle_some_job(w);
		break;
	case 4:
		w->f.now += (int64_t)rand_below(&w->rand, 5 * SECOND);
		item = schedule_expired(w->f.target, w->f.now);
		CHECK(!item || !item->recipient);
		break;
	default:
		begin_job(check, w);
	}
}

static void random_steps(struct check *check)
{
	struct walk *w = xzalloc(sizeof(*w));

	set_up(&w->f, &(struct schedule_settings){ .hosts = 3, .recipient_per_second = 2,
						   .recipient_burst = 2, .first_backoff_us = SECOND,
						   .most_backoff_us = MINUTE });
	rand_init(&w->rand, 5);
	for (int i = 0; i < STEPS; i++) {
		struct schedule_view view;
		size_t waiting = 0, going = 0;

		step(check, w);
		if (i % 50)
			continue;
		for (int k = 0; k < ITEMS; k++) {
			waiting += w->items[k].recipient && !w->items[k].job;
			going += w->items[k].job != NULL;
		}
		schedule_look(w->f.target, w->f.now, &view);
		CHECK_EQ(view.waiting, waiting);
		CHECK_EQ(view.going, going);
	}
	while (w->n_jobs)
		settle_some_job(w);
	for (int k = 0; k < ITEMS; k++)
		if (w->items[k].recipient)
			schedule_remove(&w->items[k], w->f.now);
	tear_down(&w->f);
	free(w);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "first come, first served", first_come_first_served },
		{ "recipients take turns", recipients_take_turns },
		{ "fresh and deferred take turns", fresh_and_deferred_take_turns },
		{ "backs off", backs_off },
		{ "waits at least as told", waits_at_least_as_told },
		{ "a throttled mailbox waits alone", a_throttled_mailbox_waits_alone },
		{ "keeps the rates", keeps_the_rates },
		{ "a recipient has few jobs at once", a_recipient_has_few_jobs_at_once },
		{ "joins what may go", joins_what_may_go },
		{ "lives end", lives_end },
		{ "forgets recipients", forgets_recipients },
		{ "random steps", random_steps },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
