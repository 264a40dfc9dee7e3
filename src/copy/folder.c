/* SPDX-License-Identifier: Apache-2.0 */
/* One folder: list its messages in windows, feed them through (feed.c) in rounds until each is copied or has
 * a reason not to be, then compare the count the destination shows. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/worker.h"
#include "imap/write.h"

enum { WINDOW = 16384 }; /* messages listed at a time: bounds memory for folders of any size */

/* --- windows --------------------------------------------------------------------------------- */

static void filter(struct copy_pass *pass)
{
	const struct copy_options *o = &pass->worker->copy->options;
	/* RFC822.SIZE may be a little wrong (Q24); when it is far above the limit the body is not even
	 * asked for, when it is near the body's own length decides. */
	uint64_t certainly_too_large = pass->limit ? pass->limit + (64 << 10) : UINT64_MAX;

	for (size_t i = 0; i < pass->messages.n; i++) {
		struct imap_message *m = &pass->messages.p[i];

		if (m->date != IMAP_NO_DATE &&
		    ((o->since != IMAP_NO_DATE && m->date < o->since) ||
		     (o->before != IMAP_NO_DATE && m->date >= o->before))) {
			m->state |= MESSAGE_SETTLED;
			pass->folder->filtered++;
		} else if (m->size > certainly_too_large) {
			m->state |= MESSAGE_SETTLED;
			copy_pass_put_off(pass, m, CAUSE_TOO_LARGE, m->size, "");
		}
	}
}

static bool any_waiting(const struct copy_pass *pass)
{
	for (size_t i = 0; i < pass->messages.n; i++)
		if ((pass->messages.p[i].state & MESSAGE_STATE_MASK) == MESSAGE_WAITING)
			return true;

	return false;
}

/* The destination took the messages but does not let us look at them: said once, and no reason to stop. */
static int cannot_look(struct copy_pass *pass, struct fault *fault)
{
	struct copy *copy = pass->worker->copy;
	char detail[700];

	if (fault->reach > REACH_FOLDER)
		return -1;
	if (pass->cannot_look)
		return 0;

	pass->cannot_look = true;
	fault_format(fault, detail, sizeof(detail));
	books_except(&copy->books, pass->index, CAUSE_COUNT_DIFFERS, 0, 0, 0, "", detail);
	return copy_tell(copy, EVENT_EXCEPTION, copy->books.exceptions_n - 1, fault);
}

/* Each round settles a message or takes a way of sending it out of use, so the rounds end. */
static int copy_rounds(struct copy_pass *pass, struct fault *fault)
{
	int r;

	copy_pass_give_up(pass);
	if (copy_pass_settle(pass, fault) < 0 || copy_pass_prepare_flags(pass, fault) < 0)
		return -1;

	while (any_waiting(pass)) {
		r = copy_feed(pass, fault);
		if (r > 0)
			r = copy_reconnect(pass, fault);
		if (r < 0 || copy_pass_settle(pass, fault) < 0)
			return -1;
	}
	if (copy_pass_tell_losses(pass, fault) < 0)
		return -1;

	return copy_check_window(pass, fault) < 0 ? cannot_look(pass, fault) : 0;
}

/* Runs a step of the folder, again after each fault that a new connection can mend. */
static int persist(struct copy_pass *pass, int (*step)(struct copy_pass *pass, struct fault *fault),
		   struct fault *fault)
{
	int r;

	while ((r = step(pass, fault)) < 0 && copy_may_recover(pass, fault))
		if (copy_recover(pass, fault) < 0)
			return -1;

	return r;
}

/* The UID at which a window of WINDOW more messages ends; UINT32_MAX: all the rest fits. */
static int window_end(struct copy_pass *pass, uint64_t behind, uint32_t *ret, struct fault *fault)
{
	struct imap_session *from = pass->worker->from;

	*ret = UINT32_MAX;
	if (from->selected.exists <= behind + WINDOW)
		return 0;

	if (imap_fetch_uid(from, (uint32_t)(behind + WINDOW), ret, fault) < 0)
		return -1;
	if (*ret < pass->low) /* none told, or one that would make us turn in circles */
		*ret = UINT32_MAX;
	return 0;
}

static int list_window(struct copy_pass *pass, struct fault *fault)
{
	struct imap_session *from = pass->worker->from;

	if (window_end(pass, pass->folder->listed, &pass->high, fault) < 0 ||
	    imap_fetch_messages(from, pass->low, pass->high, pass->limit != 0, &pass->messages,
				fault) < 0)
		return -1;

	if (from->selected.exists < pass->counted) /* expunged before it was listed */
		pass->counted = from->selected.exists;
	return 0;
}

/* A message without INTERNALDATE gets the date of its own header, if it has one (Q29). */
static int find_dates(struct copy_pass *pass, struct fault *fault)
{
	for (size_t i = 0; i < pass->messages.n; i++) {
		struct imap_message *m = &pass->messages.p[i];
		int r;

		if (m->date != IMAP_NO_DATE || m->state & MESSAGE_OWN_DATE)
			continue;
		r = imap_fetch_date_header(pass->worker->from, m, fault);
		if (r < 0)
			return -1;
		m->state |= MESSAGE_OWN_DATE; /* asked, whatever the answer */
	}
	return 0;
}

static int copy_windows(struct copy_pass *pass, struct fault *fault)
{
	pass->low = 1;
	do {
		if (persist(pass, list_window, fault) < 0)
			return -1;
		pass->folder->listed += pass->messages.n;
		if (persist(pass, find_dates, fault) < 0)
			return -1;
		pass->digests = xreallocarray(pass->digests, pass->messages.n + 1, 32);
		filter(pass);
		if (persist(pass, copy_rounds, fault) < 0)
			return -1;
		pass->low = pass->high + 1;
	} while (pass->high != UINT32_MAX);

	pass->listed_all = true;
	return 0;
}

/* --- the folder ------------------------------------------------------------------------------ */

/* Messages the server counts but never lists must not vanish from the books (Q25). Servers may wait for a NOOP to
 * tell what was expunged. What arrived since it was listed must not make up for that, so the lowest count stands. */
static int account_unlisted(struct copy_pass *pass, struct fault *fault)
{
	struct copy *copy = pass->worker->copy;
	struct imap_session *from = pass->worker->from;
	uint64_t missing;
	char detail[200];

	if (pass->counted <= pass->folder->listed)
		return 0;
	if (imap_simple(from, "NOOP", fault) < 0)
		return -1;
	if (from->selected.exists < pass->counted)
		pass->counted = from->selected.exists;
	if (pass->counted <= pass->folder->listed)
		return 0;

	missing = pass->counted - pass->folder->listed;
	snprintf(detail, sizeof(detail),
		 "the source counts %" PRIu32 " messages in the folder but lists only %" PRIu64,
		 pass->counted, pass->folder->listed);
	pass->folder->listed += missing;
	books_except(&copy->books, pass->index, CAUSE_UNREADABLE, 0, 0, missing, "", detail);
	return copy_tell(copy, EVENT_EXCEPTION, copy->books.exceptions_n - 1, fault);
}

/* What the server said OK to must be there: the folder was empty before, so the counts agree. */
static int check_count(struct copy_pass *pass, struct fault *fault)
{
	struct copy *copy = pass->worker->copy;
	struct imap_folder now;
	char detail[200];

	if (imap_status(pass->worker->to, pass->folder->destination_name, &now, fault) < 0)
		return cannot_look(pass, fault);

	if (!(now.flags & IMAP_FOLDER_STATUS) || now.messages == pass->folder->copied)
		return 0;

	snprintf(detail, sizeof(detail),
		 "the destination took %" PRIu64 " messages but shows %" PRIu64, pass->folder->copied,
		 now.messages);
	books_except(&copy->books, pass->index, CAUSE_COUNT_DIFFERS, 0, 0, 0, "", detail);
	return copy_tell(copy, EVENT_EXCEPTION, copy->books.exceptions_n - 1, fault);
}


static int learn_limit(struct copy_pass *pass, struct fault *fault)
{
	struct imap_session *to = pass->worker->to;
	struct imap_folder now;

	pass->limit = to->capabilities.append_limit;
	if (pass->limit || !imap_can(&to->capabilities, IMAP_CAP_APPENDLIMIT))
		return 0;

	if (imap_status(to, pass->folder->destination_name, &now, fault) < 0)
		return -1;

	pass->limit = now.append_limit;
	return 0;
}

static int open_source(struct copy_pass *pass, struct fault *fault)
{
	return imap_select(pass->worker->from, pass->folder->source_name, true, fault);
}

/* Before the pass only folders were looked at that the source said hold messages. It may have told no number or
 * a wrong one, or mail came since. */
static int refuse_filled(struct copy_pass *pass, struct fault *fault)
{
	struct imap_folder now;

	if (imap_status(pass->worker->to, pass->folder->destination_name, &now, fault) < 0)
		return -1;
	if (now.messages == 0)
		return 0;

	return fault_set(fault, FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER,
			 "folder %.*s of the destination already holds %" PRIu64 " messages; copying "
			 "into it again would double them",
			 BYTES_ARG(pass->folder->destination_utf8), now.messages);
}

static int copy_messages(struct copy_pass *pass, struct fault *fault)
{
	struct copy_worker *w = pass->worker;
	bool checked = pass->folder->expected > 0;
	uint32_t exists;

	if (persist(pass, open_source, fault) < 0)
		return -1;

	pass->folder->uidvalidity = w->from->selected.uidvalidity;
	exists = pass->counted = w->from->selected.exists;
	if (exists && !checked && persist(pass, refuse_filled, fault) < 0)
		return -1;
	if (exists > pass->folder->expected)
		pass->folder->expected = exists;
	if (exists && (persist(pass, learn_limit, fault) < 0 || copy_windows(pass, fault) < 0 ||
		       persist(pass, account_unlisted, fault) < 0 ||
		       persist(pass, check_count, fault) < 0 || copy_check_end(pass, fault) < 0))
		return -1;

	if (exists < pass->folder->listed) /* some came just before they were listed */
		exists = (uint32_t)pass->folder->listed;
	if (w->from->selected.exists > exists)
		pass->folder->arrived = w->from->selected.exists - exists;
	return 0;
}

static void pass_done(struct copy_pass *pass)
{
	copy_pass_forget_flags(pass);
	copy_pass_forget_put_off(pass);
	free(pass->put_off);
	free(pass->doubts);
	free(pass->digests);
	buf_done(&pass->permanent);
	imap_messages_done(&pass->messages);
	EVP_DigestFinal_ex(pass->digest, pass->folder->digest, NULL);
	EVP_MD_CTX_free(pass->digest);
}

/* A folder that cannot be copied is an exception; the others go on, with connections of their own. */
static int folder_failed(struct copy_pass *pass, struct fault *why, struct fault *fault)
{
	struct copy_worker *w = pass->worker;
	struct copy_folder *folder = pass->folder;
	size_t index = pass->index;
	uint64_t missing;
	char detail[700];

	if (!pass->listed_all && folder->listed < folder->expected)
		folder->listed = folder->expected;
	missing = books_not_reached(folder);
	fault_format(why, detail, sizeof(detail));
	folder->state = FOLDER_FAILED;
	books_except(&w->copy->books, index, CAUSE_FOLDER, 0, 0, missing, "", detail);
	w->from = imap_session_free(w->from);
	w->to = imap_session_free(w->to);
	if (copy_tell(w->copy, EVENT_EXCEPTION, w->copy->books.exceptions_n - 1, fault) < 0)
		return -1;

	return copy_tell(w->copy, EVENT_FOLDER_ENDED, index, fault);
}

/* The connection was lost too often, but a new one can be had at once: then this folder is the trouble, and the
 * others may do better. Some in a row that all fail so are the server's trouble again. */
static bool folder_is_to_blame(struct copy_pass *pass, const struct fault *why)
{
	enum { IN_A_ROW = 3 };
	struct copy_worker *w = pass->worker;
	struct copy *copy = w->copy;
	uint64_t copied = books_total(&copy->books).copied;
	struct fault ignored;

	if (why->reach != REACH_SESSION || why->kind == FAULT_CANCELLED ||
	    why->again == AGAIN_NEVER || copy->options.retries < 2 || pass->doubts_n)
		return false;

	if (copied > copy->copied_then)
		copy->folders_lost = 0;
	copy->copied_then = copied;
	if (copy->folders_lost++ >= IN_A_ROW)
		return false;

	w->from = imap_session_free(w->from);
	w->to = imap_session_free(w->to);
	return copy_connect_both(copy, &w->from, &w->to, &ignored) == 0;
}

int copy_folder_run(struct copy_worker *w, size_t index, struct fault *fault)
{
	struct copy_pass pass = { .worker = w, .folder = &w->copy->books.folders[index],
				  .index = index, .digest = EVP_MD_CTX_new() };
	struct fault why;
	int r;

	EVP_DigestInit_ex(pass.digest, EVP_sha256(), NULL);
	imap_messages_init(&pass.messages);
	pass.folder->state = FOLDER_COPYING;
	r = copy_tell(w->copy, EVENT_FOLDER_BEGUN, index, fault);
	if (r == 0)
		r = copy_messages(&pass, fault);
	pass.folder->in_doubt = pass.doubts_n;
	pass_done(&pass);

	why = r < 0 ? *fault : FAULT_INIT;
	if (r < 0 && (why.reach <= REACH_FOLDER || folder_is_to_blame(&pass, &why))) {
		return folder_failed(&pass, &why, fault);
	}
	if (r < 0)
		return -1;

	pass.folder->state = FOLDER_DONE;
	return copy_tell(w->copy, EVENT_FOLDER_ENDED, index, fault);
}
