/* SPDX-License-Identifier: Apache-2.0 */
/* After a lost connection: wait, connect anew, and settle what was under way.
 *
 * An APPEND whose answer was lost may have been done or not. Nothing is guessed: what the destination
 * folder holds beyond what was answered is read back and compared by digest. Each message found is one that
 * was copied; the others go again. If the folder holds something else there, which could be one of ours
 * altered by the server, the pass stops and says so. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/xalloc.h"
#include "copy/worker.h"

static const int64_t first_wait_us = SECOND, longest_wait_us = 5 * MINUTE;

static bool is_mendable(const struct fault *fault)
{
	return fault->reach == REACH_SESSION && fault->again != AGAIN_NEVER &&
	       fault->kind != FAULT_CANCELLED && fault->kind != FAULT_PROTOCOL;
}

/* Twice in a row nothing got through: if one message is the cause, it is among the next. */
static void be_careful(struct copy_pass *pass)
{
	enum { SUSPECTS = 200 };

	pass->careful_until = pass->folder->copied + SUSPECTS;
}

bool copy_may_recover(struct copy_pass *pass, const struct fault *fault)
{
	/* What no grammar allows may be one message's fault. */
	bool garbage = fault->kind == FAULT_PROTOCOL && fault->reach == REACH_SESSION;

	if (!is_mendable(fault) && !garbage)
		return false;

	if (pass->folder->copied > pass->copied_then)
		pass->failures = 0;
	if (pass->failures)
		be_careful(pass);
	pass->copied_then = pass->folder->copied;
	return pass->failures++ < pass->worker->copy->options.retries;
}

static int64_t wait_for(unsigned failures, const struct fault *fault)
{
	int64_t wait = first_wait_us;
	uint64_t seed;
	struct rand rand;

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

static int reconnect_patiently(struct copy *copy, struct imap_session **from,
			       struct imap_session **to, unsigned *failures, struct fault *fault)
{
	*from = imap_session_free(*from);
	*to = imap_session_free(*to);
	for (;;) {
		int64_t wait = wait_for(*failures, fault);
		char why[340]; /* less than a note holds: when it goes on must not be cut off */

		fault_format(fault, why, sizeof(why));
		if (copy_note(copy, fault, "%s; trying again in %.1f s", why,
			      (double)wait / (double)SECOND) < 0 ||
		    run_sleep(wait, fault) < 0)
			return -1;

		if (copy_connect_both(copy, from, to, fault) == 0)
			return 0;
		if (fault->again == AGAIN_NEVER || fault->kind == FAULT_CANCELLED ||
		    (*failures)++ >= copy->options.retries)
			return -1;
	}
}

int copy_connect_again(struct copy *copy, unsigned *failures, struct fault *fault)
{
	if (!is_mendable(fault) || (*failures)++ >= copy->options.retries)
		return -1;

	return reconnect_patiently(copy, &copy->from, &copy->to, failures, fault);
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
	return 0;
}

static bool take_doubt(struct copy_pass *pass, const unsigned char digest[32], uint32_t uid)
{
	for (size_t i = 0; i < pass->doubts_n; i++) {
		struct doubt *d = &pass->doubts[i];

		if (!d->message || memcmp(d->digest, digest, 32) != 0)
			continue;
		d->message->state = (d->message->state & ~(uint32_t)MESSAGE_STATE_MASK) | MESSAGE_COPIED;
		d->message->copy_uid = uid;
		d->message->size = d->size;
		memcpy(copy_pass_digest(pass, d->message), digest, 32);
		d->message = NULL;
		pass->folder->copied++;
		pass->folder->bytes += d->size;
		EVP_DigestUpdate(pass->digest, digest, 32);
		return true;
	}
	return false;
}

static bool doubt_is_left(const struct copy_pass *pass)
{
	for (size_t i = 0; i < pass->doubts_n; i++)
		if (pass->doubts[i].message)
			return true;

	return false;
}

/* Those not found at the destination are to be sent again. */
static void release_doubts(struct copy_pass *pass)
{
	for (size_t i = 0; i < pass->doubts_n; i++) {
		struct imap_message *m = pass->doubts[i].message;

		if (m)
			m->state = (m->state & ~(uint32_t)MESSAGE_STATE_MASK) | MESSAGE_WAITING;
	}
	pass->doubts_n = 0;
}

/* The messages of the destination folder behind the first `known`. */
static int look(struct copy_pass *pass, uint32_t known, struct fault *fault)
{
	struct copy_worker *w = pass->worker;
	uint32_t low, there = w->to->selected.exists - known;
	struct imap_messages found;
	unsigned strangers = 0;
	int r = imap_fetch_uid(w->to, known + 1, &low, fault);

	imap_messages_init(&found);
	if (r == 0 && low)
		r = imap_fetch_messages(w->to, low, UINT32_MAX, false, &found, fault);
	for (size_t i = 0; i < found.n && r == 0; i++) {
		unsigned char digest[32];
		uint64_t size;

		r = copy_read_back(w, found.p[i].uid, digest, &size, fault);
		if (r == 0 && !take_doubt(pass, digest, found.p[i].uid))
			strangers++;
	}
	if (found.n < there) /* what is not listed cannot be told either */
		strangers += there - (uint32_t)found.n;
	imap_messages_done(&found);
	if (r == 0 && strangers && doubt_is_left(pass))
		return fault_set(fault, FAULT_DATA, REACH_MAILBOX, AGAIN_NEVER,
				 "folder %.*s: after a lost connection the destination holds %u messages "
				 "that are not byte for byte what was sent; whether they are ours cannot "
				 "be told, so the pass stops here",
				 BYTES_ARG(pass->folder->destination_utf8), strangers);
	return r;
}

/* The folder was empty when we began, so what it holds beyond the answered ones are those in doubt. */
static int settle_doubts(struct copy_pass *pass, struct fault *fault)
{
	struct imap_session *to = pass->worker->to;
	uint64_t known = pass->folder->copied;

	if (!pass->doubts_n)
		return 0;

	if (imap_select(to, pass->folder->destination_name, true, fault) < 0)
		return -1;

	if (to->selected.exists > known && look(pass, (uint32_t)known, fault) < 0)
		return -1;

	release_doubts(pass);
	return imap_unselect(to, pass->folder->destination_name, fault);
}

int copy_recover(struct copy_pass *pass, struct fault *fault)
{
	struct copy_worker *w = pass->worker;
	struct fault why = *fault;

	pass->resent = true;
	do {
		if (reconnect_patiently(w->copy, &w->from, &w->to, &pass->failures, &why) < 0) {
			*fault = why;
			return -1;
		}
		/* Doubts first: they are settled even when the source cannot go on. */
		if (settle_doubts(pass, &why) == 0 && reopen_source(pass, &why) == 0)
			return 0;
	} while (copy_may_recover(pass, &why));

	*fault = why;
	return -1;
}
