/* SPDX-License-Identifier: Apache-2.0 */
/* After a lost connection: wait, connect anew. What was under way is settled in settle.c. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/xalloc.h"
#include "copy/worker.h"

static const int64_t first_wait_us = SECOND, longest_wait_us = 5 * MINUTE;

static bool is_mendable(const struct fault *fault)
{
	return imap_is_throttle(fault) ||
	       (fault->reach == REACH_SESSION && fault->again != AGAIN_NEVER &&
		fault->kind != FAULT_CANCELLED && fault->kind != FAULT_PROTOCOL);
}

/* Whether to wait and try again. A server that wants less of us is no trouble that could become too much: it is
 * waited for as often as it likes, unless the caller has better to do meanwhile. */
static bool may_try_again(struct copy *copy, unsigned *failures, const struct fault *fault)
{
	if (!copy->options.retries || !is_mendable(fault))
		return false;
	if (!imap_is_throttle(fault))
		return (*failures)++ < copy->options.retries;

	copy->throttles++;
	return !copy->options.patience_us || fault->after_us <= copy->options.patience_us;
}

/* Twice in a row nothing got through: if one message is the cause, it is among the next. */
static void be_careful(struct copy_pass *pass)
{
	enum { SUSPECTS = 200 };

	pass->careful_until = pass->folder->copied + SUSPECTS;
}

bool copy_may_recover(struct copy_pass *pass, const struct fault *fault)
{
	struct copy *copy = pass->worker->copy;
	/* What no grammar allows may be one message's fault. */
	bool garbage = fault->kind == FAULT_PROTOCOL && fault->reach == REACH_SESSION;

	if (!is_mendable(fault) && !garbage)
		return false;

	if (pass->folder->copied > pass->copied_then)
		pass->failures = pass->throttled = copy->throttles = 0;
	if (pass->failures || pass->throttled)
		be_careful(pass);
	pass->throttled += imap_is_throttle(fault);
	pass->copied_then = pass->folder->copied;
	return garbage ? pass->failures++ < copy->options.retries
		       : may_try_again(copy, &pass->failures, fault);
}

static int64_t wait_for(const struct copy *copy, unsigned failures, const struct fault *fault)
{
	int64_t wait = first_wait_us;
	uint64_t seed;
	struct rand rand;

	if (imap_is_throttle(fault))
		failures = copy->throttles;
	for (unsigned i = 1; i < failures && wait < longest_wait_us; i++)
		wait *= 2;
	run_random(&seed, sizeof(seed));
	rand_init(&rand, seed);
	wait = rand_jitter(&rand, wait);
	return fault->after_us > wait ? fault->after_us : wait;
}

int copy_connect_both(const struct copy *copy, struct imap_session **from, struct imap_session **to,
		      struct fault *fault)
{
	if (!*from && imap_connect(copy->options.from, from, fault) < 0)
		return -1;

	if (!*to && imap_connect(copy->options.to, to, fault) < 0)
		return -1;

	return 0;
}

/* While connecting anything that may be over later is worth another try. */
static bool may_go_on(struct copy *copy, unsigned *failures, const struct fault *fault)
{
	return is_mendable(fault) ? may_try_again(copy, failures, fault)
				  : (*failures)++ < copy->options.retries;
}

static int reconnect_patiently(struct copy *copy, struct imap_session **from,
			       struct imap_session **to, unsigned *failures, struct fault *fault)
{
	*from = imap_session_free(*from);
	*to = imap_session_free(*to);
	for (;;) {
		int64_t wait = wait_for(copy, *failures, fault);
		char why[340]; /* less than a note holds: when it goes on must not be cut off */

		fault_format(fault, why, sizeof(why));
		if (copy_note(copy, fault, "%s; trying again in %.1f s", why,
			      (double)wait / (double)SECOND) < 0 ||
		    run_sleep(wait, fault) < 0)
			return -1;

		if (copy_connect_both(copy, from, to, fault) == 0)
			return 0;
		if (fault->again == AGAIN_NEVER || fault->kind == FAULT_CANCELLED ||
		    !may_go_on(copy, failures, fault))
			return -1;
	}
}

int copy_connect_again(struct copy *copy, unsigned *failures, struct fault *fault)
{
	if (!may_try_again(copy, failures, fault))
		return -1;

	return reconnect_patiently(copy, &copy->from, &copy->to, failures, fault);
}

int copy_connect_destination(struct copy_worker *w, struct fault *fault)
{
	unsigned failures = 0;

	while (!w->to && imap_connect(w->copy->options.to, &w->to, fault) < 0) {
		if (!may_try_again(w->copy, &failures, fault) ||
		    run_sleep(wait_for(w->copy, failures, fault), fault) < 0)
			return -1;
	}
	return 0;
}

int copy_connect_worker(struct copy_worker *w, struct fault *fault)
{
	unsigned failures = 1;

	if (!is_mendable(fault) || w->copy->options.retries == 0)
		return -1;

	return reconnect_patiently(w->copy, &w->from, &w->to, &failures, fault);
}

/* A folder deleted and made again under the same name has other messages under the same UIDs (Q34, Q35). */
static int reopen_source(struct copy_pass *pass, struct fault *fault)
{
	struct imap_session *from = pass->worker->from;
	uint32_t before = pass->folder->uidvalidity;

	if (imap_select(from, pass->folder->source_name, true, fault) < 0)
		return -1;

	if (before && from->selected.uidvalidity != before)
		return fault_set(fault, FAULT_DATA, REACH_FOLDER, AGAIN_LATER,
				 "the source replaced the folder by another of the same name while it "
				 "was copied (UIDVALIDITY %" PRIu32 " became %" PRIu32 ")", before,
				 from->selected.uidvalidity);
	return 0;
}

int copy_reconnect(struct copy_pass *pass, struct fault *fault)
{
	struct copy_worker *w = pass->worker;

	w->from = imap_session_free(w->from);
	w->to = imap_session_free(w->to);
	if (copy_connect_both(w->copy, &w->from, &w->to, fault) < 0)
		return -1;

	return reopen_source(pass, fault);
}

/* --- doubt ----------------------------------------------------------------------------------- */

int copy_read_back(struct copy_worker *w, uint32_t uid, unsigned char digest[32], uint64_t *ret_size,
		   struct fault *fault)
{
	struct imap_range range = { uid, uid };
	struct imap_command c;
	struct imap_input input;

	*ret_size = 0;
	if (imap_fetch_bodies(w->to, &c, &range, 1, fault) < 0)
		return -1;

	EVP_DigestInit_ex(w->hash, NULL, NULL);
	while (!c.done) {
		if (imap_read(w->to, &input, fault) < 0)
			return -1;
		if (input.event != IMAP_EVENT_BODY)
			continue;
		EVP_DigestUpdate(w->hash, input.data.p, input.data.n);
		*ret_size += input.data.n;
	}
	EVP_DigestFinal_ex(w->hash, digest, NULL);
	return imap_told_off(w->to, &c, "cannot read messages back", fault);
}

int copy_recover(struct copy_pass *pass, struct fault *fault)
{
	struct copy_worker *w = pass->worker;
	struct fault why = *fault;

	pass->resent = true;
	do {
		struct fault reopened;
		int r;

		if (reconnect_patiently(w->copy, &w->from, &w->to, &pass->failures, &why) < 0) {
			*fault = why;
			return -1;
		}
		/* Doubts are settled even when the source cannot go on. */
		r = reopen_source(pass, &reopened);
		if (r < 0)
			w->from->selected.is_selected = false;
		if (copy_settle_doubts(pass, &why) == 0) {
			if (r == 0)
				return 0;
			why = reopened;
		}
	} while (copy_may_recover(pass, &why));

	*fault = why;
	return -1;
}
