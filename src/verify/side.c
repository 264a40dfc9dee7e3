/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that do jobs, see side.h. */
#include "verify/side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/xalloc.h"

struct verify_connection {
	struct verify_side *side;
	struct imap_session *session;
	struct buf folder;   /* that is open, raw */
	unsigned in_a_row;   /* jobs of that folder taken before others that waited longer */
	bool was_open;       /* the server did let us in once */
	bool dials;
	struct nursery dialing;
};

enum { FAVOURS = 16 };

static const int64_t first_wait_us = SECOND, longest_wait_us = 5 * MINUTE;

static void note(const struct verify_side *side, const char *what, const struct fault *why)
{
	char text[500], words[400];

	if (!side->note)
		return;

	fault_format(why, words, sizeof(words));
	snprintf(text, sizeof(text), "%s%s%s", what, what[0] ? ": " : "", words);
	side->note(side->arg, text);
}

/* --- jobs ------------------------------------------------------------------------------------ */

static void finish(struct verify_job *job, int result, const struct fault *fault)
{
	job->result = result;
	if (result < 0) {
		job->fault = xmalloc(sizeof(*job->fault));
		*job->fault = *fault;
	}
	job->done = true;
	waiters_wake_all(&job->finished);
}

static void put_back(struct verify_side *side, struct verify_job *job)
{
	list_prepend(&side->jobs, &job->link);
	waiters_wake_all(&side->changed);
}

static void fail_side(struct verify_side *side, const struct fault *fault)
{
	if (!side->failed) {
		side->failed = true;
		side->fault = *fault;
		if (side->fault.reach < REACH_MAILBOX)
			side->fault.reach = REACH_MAILBOX;
	}
	list_for_each_safe(link, &side->jobs) {
		list_remove(link);
		finish(list_entry(link, struct verify_job, link), -1, &side->fault);
	}
	waiters_wake_all(&side->changed);
}

void verify_job_submit(struct verify_side *side, struct verify_job *job)
{
	job->side = side;
	job->done = false;
	job->fault = NULL;
	job->losses = 0;
	waiters_init(&job->finished);
	if (side->failed) {
		finish(job, -1, &side->fault);
		return;
	}
	list_append(&side->jobs, &job->link);
	waiters_wake_all(&side->changed);
}

/* Nobody may leave while a connection still works on a job of his. All are of one nursery, so that the
 * connection is told to stop at the same moment. */
static void wait_shielded(struct verify_job *job)
{
	struct fault ignored;

	while (!job->done) {
		int64_t before = run_shield(MINUTE);

		waiters_wait(&job->finished, "a job that ends", &ignored);
		run_unshield(before);
	}
}

int verify_job_wait(struct verify_job *job, struct fault *fault)
{
	while (!job->done) {
		if (waiters_wait(&job->finished, "a job", fault) == 0)
			continue;

		if (!job->done && job->link.next != &job->link) {
			list_remove(&job->link);
			job->done = true;
		}
		wait_shielded(job);
		free(job->fault);
		job->fault = NULL;
		return -1;
	}

	if (job->fault)
		*fault = *job->fault;
	free(job->fault);
	job->fault = NULL;
	return job->result;
}

int verify_job_do(struct verify_side *side, struct verify_job *job, struct fault *fault)
{
	verify_job_submit(side, job);
	return verify_job_wait(job, fault);
}

/* --- faults ---------------------------------------------------------------------------------- */

bool verify_side_mendable(const struct verify_side *side, const struct fault *fault)
{
	if (side->patience_us && fault->after_us > side->patience_us)
		return false;
	if (imap_is_throttle(fault))
		return true;

	return fault->reach == REACH_SESSION && fault->again != AGAIN_NEVER && fault->kind != FAULT_CANCELLED;
}

static int64_t wait_for(const struct verify_side *side, const struct fault *fault)
{
	int64_t wait = first_wait_us;
	uint64_t seed;
	struct rand rand;

	for (unsigned i = 1; i < side->failures && wait < longest_wait_us; i++)
		wait *= 2;
	run_random(&seed, sizeof(seed));
	rand_init(&rand, seed);
	wait = rand_jitter(&rand, wait);
	return fault->after_us > wait ? fault->after_us : wait;
}

int verify_side_patience(struct verify_side *side, struct fault *fault)
{
	struct fault why = *fault;
	char text[80];

	/* Several connections lost at once are one misfortune. */
	if (run_now() >= side->calm_at) {
		if (side->failures++ >= side->retries)
			return -1;

		side->calm_at = run_now() + wait_for(side, &why);
		if (imap_is_throttle(&why)) {
			side->pause_until = side->calm_at;
			if (side->pace)
				pace_told_off(side->pace, why.after_us, imap_is_one_too_many(&why));
		}
		snprintf(text, sizeof(text), "trying again in %.1f s",
			 (double)(side->calm_at - run_now()) / (double)SECOND);
		note(side, text, &why);
	}
	return run_sleep(side->calm_at - run_now(), fault) < 0 ? -1 : 0;
}

int verify_side_connect(struct verify_side *side, struct fault *fault)
{
	while (!side->first && imap_connect(side->account, &side->first, fault) < 0)
		/* A server that is silent from the start is more likely a wrong port than a bad moment. */
		if (!verify_side_mendable(side, fault) || fault->kind == FAULT_TIMEOUT ||
		    verify_side_patience(side, fault) < 0)
			return -1;

	return 0;
}

/* --- one connection -------------------------------------------------------------------------- */

static bool has_open(const struct verify_connection *c, struct bytes folder)
{
	return c->session && c->session->selected.is_selected && bytes_equal(buf_bytes(&c->folder), folder);
}

static struct verify_job *choose(struct verify_connection *c)
{
	struct list *jobs = &c->side->jobs;

	if (c->in_a_row++ < FAVOURS)
		list_for_each(link, jobs) {
			struct verify_job *job = list_entry(link, struct verify_job, link);

			if (has_open(c, job->folder))
				return job;
		}
	c->in_a_row = 0;
	return list_entry(jobs->next, struct verify_job, link);
}

/* 0: there is a job; 1: there will be none. Who is not connected leaves the work to those who are and have none. */
static int wait_for_work(struct verify_connection *c, struct fault *fault)
{
	struct verify_side *side = c->side;

	while (list_is_empty(&side->jobs) || (!c->session && side->idle)) {
		int r;

		if ((side->closed && list_is_empty(&side->jobs)) || side->failed)
			return 1;
		side->idle += c->session != NULL;
		r = waiters_wait(&side->changed, "work", fault);
		side->idle -= c->session != NULL;
		if (r < 0)
			return -1;
	}
	return side->failed;
}

static void drop(struct verify_connection *c)
{
	c->session = imap_session_free(c->session);
	buf_reset(&c->folder);
}

static int open_folder(struct verify_connection *c, struct verify_job *job, struct fault *fault)
{
	struct imap_selected *selected = &c->session->selected;

	if (!has_open(c, job->folder)) {
		buf_reset(&c->folder);
		if (imap_select(c->session, job->folder, true, fault) < 0)
			return -1;
		buf_append_bytes(&c->folder, job->folder);
	}
	if (job->uidvalidity && selected->uidvalidity && selected->uidvalidity != job->uidvalidity)
		return fault_set(fault, FAULT_DATA, REACH_FOLDER, AGAIN_LATER,
				 "%s: the folder was replaced by another of the same name meanwhile",
				 c->side->account->label);
	job->exists = selected->exists;
	return 0;
}

/* The others can go on without, but not when the server wants less of all of them. */
static bool can_be_spared(const struct verify_connection *c, const struct fault *fault)
{
	if (imap_is_throttle(fault))
		return imap_is_one_too_many(fault);

	return !c->was_open || fault->again == AGAIN_NEVER;
}

/* 0: try again; 1: this connection is one too many; negative: stop. */
static int cannot_connect(struct verify_connection *c, struct fault *fault)
{
	struct verify_side *side = c->side;

	if (fault->kind == FAULT_CANCELLED)
		return side->closed ? 1 : -1;

	if (side->alive > 1 && can_be_spared(c, fault)) {
		if (side->pace && imap_is_one_too_many(fault))
			pace_told_off(side->pace, fault->after_us, true);
		note(side, "one connection fewer", fault);
		return 1;
	}
	if (verify_side_mendable(side, fault) && verify_side_patience(side, fault) == 0)
		return 0;
	if (fault->kind == FAULT_CANCELLED)
		return -1;

	fail_side(side, fault);
	return 1;
}

static int dial(void *arg, struct fault *fault)
{
	struct verify_connection *c = arg;

	return imap_connect(c->side->account, &c->session, fault);
}

/* In a nursery of its own: whoever waits for a connection's place (pace) when all is done must be told to stop. */
static int connect_one(struct verify_connection *c, struct fault *fault)
{
	struct verify_side *side = c->side;
	int r;

	if (side->first) {
		c->session = TAKE_PTR(side->first);
	} else {
		nursery_init(&c->dialing, "dialing");
		nursery_start(&c->dialing, dial, c, "dial");
		c->dials = true;
		r = nursery_wait(&c->dialing, fault);
		c->dials = false;
		if (r < 0)
			return cannot_connect(c, fault);
	}
	c->was_open = true;
	return 0;
}

/* The job failed: whose fault is it? As cannot_connect(). */
static int job_failed(struct verify_connection *c, struct verify_job *job, struct fault *fault)
{
	struct verify_side *side = c->side;

	if (fault->kind == FAULT_CANCELLED) {
		finish(job, -1, fault);
		return -1;
	}
	if (c->session->broken || fault->reach == REACH_SESSION)
		drop(c);
	if (fault->reach <= REACH_FOLDER) {
		finish(job, -1, fault);
		return 0;
	}
	if (!verify_side_mendable(side, fault)) {
		finish(job, -1, fault);
		fail_side(side, fault);
		return 1;
	}

	if (!imap_is_throttle(fault) && ++job->losses > VERIFY_LOSSES) {
		fault->reach = REACH_FOLDER;
		finish(job, -1, fault);
		return 0;
	}
	put_back(side, job);
	if (verify_side_patience(side, fault) == 0)
		return 0;
	if (fault->kind == FAULT_CANCELLED)
		return -1;

	fail_side(side, fault);
	return 1;
}

static int do_job(struct verify_connection *c, struct verify_job *job, struct fault *fault)
{
	struct verify_side *side = c->side;

	list_remove(&job->link);
	if (!list_is_empty(&side->jobs)) /* who waited because this one was idle */
		waiters_wake_all(&side->changed);
	if (open_folder(c, job, fault) < 0 || job->run(job, c->session, fault) < 0)
		return job_failed(c, job, fault);

	side->failures = 0;
	if (side->pace)
		pace_went_well(side->pace);
	finish(job, 0, NULL);
	return 0;
}

/* What the server or pace asks for is waited for before a job is taken: others may be able to do it. */
static int hold_back(struct verify_connection *c, struct fault *fault)
{
	struct verify_side *side = c->side;

	if (side->pause_until > run_now() && run_sleep(side->pause_until - run_now(), fault) < 0)
		return -1;
	if (!side->pace || pace_pause(side->pace, fault) == 0)
		return 0;
	if (fault->kind == FAULT_CANCELLED)
		return -1;

	fail_side(side, fault);
	return 1;
}

/* 0: go on; 1: this connection is no longer needed. */
static int serve_once(struct verify_connection *c, struct fault *fault)
{
	struct verify_side *side = c->side;
	int r = wait_for_work(c, fault);

	if (r == 0 && !c->session)
		r = connect_one(c, fault);
	if (r == 0 && c->session)
		r = hold_back(c, fault);
	if (r || !c->session || list_is_empty(&side->jobs))
		return r;

	return do_job(c, choose(c), fault);
}

static int serve(void *arg, struct fault *fault)
{
	struct verify_connection *c = arg;
	struct verify_side *side = c->side;
	int r;

	while ((r = serve_once(c, fault)) == 0)
		;

	side->alive--;
	if (r < 0)
		imap_session_free(c->session);
	else
		imap_logout(c->session);
	c->session = NULL;
	buf_done(&c->folder);
	waiters_wake_all(&side->changed);
	return r < 0 ? -1 : 0;
}

/* --- all of them ----------------------------------------------------------------------------- */

void verify_side_start(struct verify_side *side, struct nursery *nursery)
{
	side->crew = xzalloc(side->connections * sizeof(*side->crew));
	list_init(&side->jobs);
	waiters_init(&side->changed);
	side->alive = side->connections;
	for (unsigned i = 0; i < side->connections; i++) {
		side->crew[i].side = side;
		nursery_start(nursery, serve, &side->crew[i], "%s %u", side->name, i + 1);
	}
}

void verify_side_stop(struct verify_side *side)
{
	side->closed = true;
	for (unsigned i = 0; i < side->connections; i++)
		if (side->crew[i].dials)
			nursery_cancel(&side->crew[i].dialing);
	waiters_wake_all(&side->changed);
}

void verify_side_done(struct verify_side *side)
{
	imap_logout(side->first);
	side->first = NULL;
	free(side->crew);
	side->crew = NULL;
}
