/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of message bodies: many to a command, streamed, nothing kept. A message that does not come is asked for once
 * more, by itself; one that costs the connection several times is given up (jobs.h). */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "imap/write.h"
#include "verify/jobs.h"

enum {
	AT_ONCE = 256,           /* messages in one command … */
	SET_RANGES = 350,        /* … and ranges: under 8,192 bytes of command line */
	LEAST = 16,              /* messages that are worth a job of their own */
	MOST_BYTES = 16 << 20,
	DEATHS = 3,
};

struct reading {
	struct verify_body_job *job;
	struct imap_session *session;
	struct imap_command command;
	EVP_MD_CTX *hash;
	size_t first, end;       /* of those asked for, with others between them */
	unsigned asked;
	struct verify_body *now; /* whose body streams; NULL: nobody's */
};

/* --- one command ----------------------------------------------------------------------------- */

static struct verify_body *find(const struct verify_body_job *job, uint32_t uid)
{
	size_t low = 0, high = job->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (job->p[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < job->n && job->p[low].uid == uid ? &job->p[low] : NULL;
}

static int begin_body(struct reading *r, const struct imap_fetch_data *data, struct fault *fault)
{
	struct verify_body *body = NULL;
	struct pace *pace = r->job->job.side->pace;

	if (data->has & IMAP_FETCH_UID)
		body = find(r->job, data->uid);
	else if (r->asked == 1)
		body = &r->job->p[r->first];
	else
		r->job->alone = true; /* Q31: whose body it is would be told behind it */

	r->now = body && body->state == VERIFY_BODY_WAITING ? body : NULL;
	if (!r->now)
		return 0;

	r->now->size = 0;
	EVP_DigestInit_ex(r->hash, EVP_sha256(), NULL);
	return pace ? pace_take(pace, 1, 0, fault) : 0;
}

static int take_data(struct reading *r, struct bytes data, struct fault *fault)
{
	struct pace *pace = r->job->job.side->pace;

	if (r->job->read)
		*r->job->read += data.n;
	if (!r->now)
		return 0;

	EVP_DigestUpdate(r->hash, data.p, data.n);
	r->now->size += data.n;
	return pace ? pace_take(pace, 0, data.n, fault) : 0;
}

static void end_body(struct reading *r)
{
	if (!r->now)
		return;

	EVP_DigestFinal_ex(r->hash, r->now->digest, NULL);
	r->now->state = VERIFY_BODY_READ;
	r->now = NULL;
	r->job->job.losses = 0; /* it goes on */
}

static int read_answers(struct reading *r, struct fault *fault)
{
	struct imap_input input;

	while (!r->command.done) {
		int result = 0;

		if (imap_read(r->session, &input, fault) < 0)
			return -1;
		if (input.event == IMAP_EVENT_BODY_BEGIN)
			result = begin_body(r, &input.response->fetch, fault);
		else if (input.event == IMAP_EVENT_BODY)
			result = take_data(r, input.data, fault);
		else if (input.event == IMAP_EVENT_BODY_END)
			end_body(r);
		if (result < 0)
			return -1;
	}
	return 0;
}

/* --- what did not come ------------------------------------------------------------------------ */

static void give_up(struct verify_body *body, const char *why)
{
	body->state = VERIFY_BODY_UNREADABLE;
	snprintf(body->why, sizeof(body->why), "%s", why);
}

/* The connection was lost, perhaps over one message: the one that streamed, or the one asked for alone. */
static void blame(struct reading *r, const struct fault *fault)
{
	struct verify_body *body = r->now ? r->now : r->asked == 1 ? &r->job->p[r->first] : NULL;

	r->job->alone = true;
	if (fault->kind == FAULT_CANCELLED || fault->reach != REACH_SESSION || !body ||
	    body->state != VERIFY_BODY_WAITING || ++body->deaths < DEATHS)
		return;

	give_up(body, fault->text);
	r->job->job.losses = 0;
}

/* Asked for alone, and it did not come: has it gone? */
static int settle(struct reading *r, struct verify_body *body, struct fault *fault)
{
	struct imap_messages there;
	int result;

	imap_messages_init(&there);
	result = imap_fetch_items(r->session, body->uid, body->uid, 0, &there, fault);
	if (result == 0 && !there.n)
		body->state = VERIFY_BODY_VANISHED;
	else if (result == 0 || fault->reach <= REACH_FOLDER)
		give_up(body, r->command.condition == IMAP_OK ? "the server lists it and sends nothing"
							       : r->command.text);
	imap_messages_done(&there);
	return body->state == VERIFY_BODY_WAITING ? -1 : 0;
}

static int after_answer(struct reading *r, struct fault *fault)
{
	struct fault why;

	/* NO may be for one message of many (Q25); one that wants to be left in peace is another matter. */
	if (imap_refused(r->session, &r->command, &why, "cannot read messages") < 0 &&
	    (imap_is_throttle(&why) || why.reach > REACH_FOLDER)) {
		*fault = why;
		return -1;
	}

	for (size_t i = r->first; i < r->end; i++) {
		struct verify_body *body = &r->job->p[i];

		if (body->state != VERIFY_BODY_WAITING)
			continue;
		if (r->asked > 1) {
			body->tries += !r->job->alone;
			continue;
		}
		if (settle(r, body, fault) < 0)
			return -1;
	}
	return 0;
}

/* --- the job --------------------------------------------------------------------------------- */

/* The next ones to ask for; false: none is left. */
static bool choose(struct reading *r, struct imap_range **ranges, size_t *n)
{
	struct verify_body_job *job = r->job;
	size_t capacity = 0, i = 0;

	while (i < job->n && job->p[i].state != VERIFY_BODY_WAITING)
		i++;
	r->first = i;
	r->asked = 0;
	for (; i < job->n && r->asked < AT_ONCE && *n < SET_RANGES; i++) {
		bool alone = job->alone || job->p[i].tries;

		if (job->p[i].state != VERIFY_BODY_WAITING)
			continue;
		if (alone && r->asked)
			break;
		imap_set_add(ranges, n, &capacity, job->p[i].uid);
		r->asked++;
		if (alone) {
			i++;
			break;
		}
	}
	r->end = i;
	return r->asked > 0;
}

static int ask(struct reading *r, const struct imap_range *ranges, size_t n, struct fault *fault)
{
	int result;

	r->command = (struct imap_command){ .sent = false };
	r->now = NULL;
	result = imap_fetch_bodies(r->session, &r->command, ranges, n, fault);
	if (result == 0)
		result = read_answers(r, fault);
	if (result < 0) {
		blame(r, fault);
		imap_break(r->session, fault); /* in the middle of an answer it is of no use to others */
	} else {
		result = after_answer(r, fault);
	}
	imap_command_done(&r->command);
	return result;
}

static int read_all(struct verify_job *base, struct imap_session *session, struct fault *fault)
{
	struct verify_body_job *job = list_entry(base, struct verify_body_job, job);
	struct reading *r = xzalloc(sizeof(*r)); /* too large for a stack */
	int result = 0;

	r->job = job;
	r->session = session;
	r->hash = EVP_MD_CTX_new();
	while (result == 0) {
		_cleanup_(freep) struct imap_range *ranges = NULL;
		size_t n = 0;

		if (!choose(r, &ranges, &n))
			break;
		result = ask(r, ranges, n, fault);
	}
	EVP_MD_CTX_free(r->hash);
	free(r);
	return result;
}

void verify_body_job(struct verify_body_job *job, struct bytes folder, uint32_t uidvalidity)
{
	job->job.folder = folder;
	job->job.uidvalidity = uidvalidity;
	job->job.run = read_all;
}

/* --- many jobs ------------------------------------------------------------------------------- */

/* How many of these make a job, so that every connection gets some and none waits long for the last. */
static size_t share(const struct verify_side *side, const struct verify_body *p, size_t n, size_t all)
{
	size_t most = all / (4 * (size_t)side->connections), k = 0;
	uint64_t bytes = 0;

	most = most < LEAST ? LEAST : most > AT_ONCE ? AT_ONCE : most;
	while (k < n && k < most && (k == 0 || bytes < MOST_BYTES))
		bytes += p[k++].expected;
	return k;
}

/* The fault of a folder is that of all its messages that did not come. */
static void give_up_rest(struct verify_body_job *job, const struct fault *why)
{
	for (size_t i = 0; i < job->n; i++)
		if (job->p[i].state == VERIFY_BODY_WAITING)
			give_up(&job->p[i], why->text);
}

static int wait_for_all(struct verify_body_job *jobs, size_t n, struct fault *fault)
{
	struct fault why;
	int result = 0;

	for (size_t i = 0; i < n; i++) {
		if (verify_job_wait(&jobs[i].job, &why) == 0)
			continue;
		if (why.reach <= REACH_FOLDER) {
			give_up_rest(&jobs[i], &why);
			continue;
		}
		if (result == 0)
			*fault = why;
		result = -1;
	}
	return result;
}

int verify_read_bodies(struct verify_side *side, struct bytes folder, uint32_t uidvalidity,
		       struct verify_body *p, size_t n, uint64_t *read, struct fault *fault)
{
	enum { WAVE = 128 }; /* jobs at a time */
	_cleanup_(freep) struct verify_body_job *jobs = n ? xzalloc(WAVE * sizeof(*jobs)) : NULL;
	size_t at = 0;

	while (at < n) {
		size_t jobs_n = 0;

		for (; at < n && jobs_n < WAVE; jobs_n++) {
			struct verify_body_job *job = &jobs[jobs_n];

			*job = (struct verify_body_job){ .p = p + at, .read = read };
			job->n = share(side, p + at, n - at, n);
			at += job->n;
			verify_body_job(job, folder, uidvalidity);
			verify_job_submit(side, &job->job);
		}
		if (wait_for_all(jobs, jobs_n, fault) < 0)
			return -1;
	}
	return 0;
}
