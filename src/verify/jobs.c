/* SPDX-License-Identifier: Apache-2.0 */
/* Listing jobs, see jobs.h. Each starts over when it is done again. */
#include "verify/jobs.h"

#include "imap/write.h"

#include <string.h>

static void begin(struct verify_job *job, struct bytes folder, uint32_t uidvalidity,
		  int (*run)(struct verify_job *job, struct imap_session *session, struct fault *fault))
{
	job->folder = folder;
	job->uidvalidity = uidvalidity;
	job->run = run;
}

static int find_end(struct verify_job *base, struct imap_session *session, struct fault *fault)
{
	struct verify_end_job *job = list_entry(base, struct verify_end_job, job);

	job->ret_uid = UINT32_MAX;
	if (base->exists <= job->behind + job->most)
		return 0;

	if (imap_fetch_uid(session, (uint32_t)(job->behind + job->most), &job->ret_uid, fault) < 0)
		return -1;
	if (job->ret_uid < job->low) /* none told, or one that would make us turn in circles */
		job->ret_uid = UINT32_MAX;
	return 0;
}

void verify_end_job(struct verify_end_job *job, struct bytes folder, uint32_t uidvalidity)
{
	begin(&job->job, folder, uidvalidity, find_end);
}

static int count(struct verify_job *job, struct imap_session *session, struct fault *fault)
{
	if (imap_simple(session, "NOOP", fault) < 0)
		return -1;

	job->exists = session->selected.exists;
	return 0;
}

void verify_count_job(struct verify_job *job, struct bytes folder, uint32_t uidvalidity)
{
	begin(job, folder, uidvalidity, count);
}

static int list(struct verify_job *base, struct imap_session *session, struct fault *fault)
{
	struct verify_list_job *job = list_entry(base, struct verify_list_job, job);

	verify_list_done(job);
	imap_messages_init(&job->messages);
	job->begun = true;
	if (!job->ranges)
		return imap_fetch_items(session, job->low, job->high, job->items, &job->messages, fault);

	return imap_fetch_items_of(session, job->ranges, job->n, job->items, &job->messages, fault);
}

void verify_list_job(struct verify_list_job *job, struct bytes folder, uint32_t uidvalidity)
{
	begin(&job->job, folder, uidvalidity, list);
}

void verify_list_done(struct verify_list_job *job)
{
	if (job->begun)
		imap_messages_done(&job->messages);
	job->begun = false;
}

static int identify(struct verify_job *base, struct imap_session *session, struct fault *fault)
{
	struct verify_identity_job *job = list_entry(base, struct verify_identity_job, job);
	const struct pace *pace = base->side->pace;

	verify_identity_done(job);
	job->begun = true;
	if (pace && pace_take(base->side->pace, imap_set_count(job->ranges, job->n), 0, fault) < 0) {
		job->begun = false;
		return -1;
	}
	return imap_fetch_identities(session, job->ranges, job->n, &job->identities, fault);
}

void verify_identity_job(struct verify_identity_job *job, struct bytes folder, uint32_t uidvalidity)
{
	begin(&job->job, folder, uidvalidity, identify);
}

void verify_identity_done(struct verify_identity_job *job)
{
	if (job->begun)
		imap_identities_done(&job->identities);
	job->begun = false;
}
