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

/* --- flags ----------------------------------------------------------------------------------- */

static bool destination_keeps(const struct copy_pass *pass, struct bytes flag)
{
	_cleanup_(buf_done) struct buf lower = BUF_NULL;

	if (flag.p[0] == '\\' || !pass->permanent_known || pass->permanent_star)
		return true;

	buf_append_char(&lower, ' ');
	for (size_t i = 0; i < flag.n; i++)
		buf_append_char(&lower, ascii_lower(flag.p[i]));
	buf_append_char(&lower, ' ');
	return bytes_find(buf_bytes(&pass->permanent), buf_bytes(&lower)) >= 0;
}

static void prepare_flag_set(struct copy_pass *pass, size_t index)
{
	struct bytes rest = bytes_of(pass->messages.flag_sets[index]);
	struct buf *to = &pass->flags[index];

	while (rest.n) {
		struct bytes flag = bytes_cut(&rest, ' ');

		if (!imap_flag_is_sendable(flag) || !destination_keeps(pass, flag)) {
			pass->flags_cut[index] = true;
			continue;
		}
		if (to->n)
			buf_append_char(to, ' ');
		buf_append_bytes(to, flag);
	}
}

static bool has_keywords(const struct copy_pass *pass)
{
	for (size_t i = 0; i < pass->messages.flag_sets_n; i++) {
		struct bytes rest = bytes_of(pass->messages.flag_sets[i]);

		while (rest.n)
			if (bytes_cut(&rest, ' ').p[0] != '\\')
				return true;
	}
	return false;
}

/* Which keywords a folder keeps is told by SELECT only. It is left again at once, without CLOSE, which
 * would expunge: a selected folder makes servers report every APPEND twice. */
static int learn_permanent_flags(struct copy_pass *pass, struct fault *fault)
{
	struct imap_session *to = pass->worker->to;
	struct bytes name = pass->folder->destination_name;

	if (pass->permanent_known || !has_keywords(pass))
		return 0;

	if (imap_select(to, name, false, fault) < 0)
		return -1;

	pass->permanent_known = to->selected.permanent_told;
	pass->permanent_star = to->selected.permanent_star;
	buf_reset(&pass->permanent);
	buf_append_char(&pass->permanent, ' ');
	buf_append_bytes(&pass->permanent, buf_bytes(&to->selected.permanent));

	return imap_unselect(to, name, fault);
}

static void forget_flags(struct copy_pass *pass)
{
	for (size_t i = 0; i < pass->flags_n; i++)
		buf_done(&pass->flags[i]);
	free(pass->flags);
	free(pass->flags_cut);
	pass->flags = NULL;
	pass->flags_cut = NULL;
	pass->flags_n = 0;
}

static int prepare_flags(struct copy_pass *pass, struct fault *fault)
{
	if (learn_permanent_flags(pass, fault) < 0)
		return -1;

	forget_flags(pass);
	pass->flags_n = pass->messages.flag_sets_n;
	pass->flags = xzalloc(pass->flags_n * sizeof(*pass->flags));
	pass->flags_cut = xzalloc(pass->flags_n * sizeof(*pass->flags_cut));
	for (size_t i = 0; i < pass->flags_n; i++)
		prepare_flag_set(pass, i);
	return 0;
}

const char *copy_pass_flags(struct copy_pass *pass, const struct imap_message *m)
{
	return m->state & MESSAGE_NO_KEYWORDS ? "" : buf_str(&pass->flags[m->flags]);
}

/* --- exceptions ------------------------------------------------------------------------------ */

void copy_pass_put_off(struct copy_pass *pass, struct imap_message *message, enum copy_cause cause,
		       uint64_t size, const char *detail)
{
	struct put_off *p;

	pass->put_off = xgrow(pass->put_off, &pass->put_off_size, pass->put_off_n + 1, sizeof(*p));
	p = &pass->put_off[pass->put_off_n++];
	*p = (struct put_off){ message, cause, size, xstrdup(detail) };
}

static void forget_put_off(struct copy_pass *pass)
{
	for (size_t i = 0; i < pass->put_off_n; i++)
		free(pass->put_off[i].detail);
	pass->put_off_n = 0;
}

/* Whether the message is still in the source folder: a UID FETCH of its flags brings it or not. */
static int still_there(struct imap_session *from, uint32_t uid, bool *ret, struct fault *fault)
{
	struct imap_messages found;
	int r;

	imap_messages_init(&found);
	r = imap_fetch_messages(from, uid, uid, false, &found, fault);
	*ret = found.n > 0;
	imap_messages_done(&found);
	if (r < 0 && fault->reach < REACH_SESSION) /* refused: something is there */
		*ret = true, r = 0;
	return r;
}

/* A step that is done again after a lost connection must not say the same twice. */
static bool is_recorded(const struct books *books, size_t folder, enum copy_cause cause, uint32_t uid,
			const char *detail)
{
	enum { LATELY = 100 };

	for (size_t i = books->exceptions_n, n = 0; i > 0 && n < LATELY; i--, n++) {
		const struct copy_exception *e = &books->exceptions[i - 1];

		if (e->folder == folder && e->cause == cause && e->uid == uid &&
		    strcmp(e->detail, detail) == 0)
			return true;
	}
	return false;
}

static int record(struct copy_pass *pass, enum copy_cause cause, uint32_t uid, uint64_t size,
		  const char *message_id, const char *detail, struct fault *fault)
{
	struct copy *copy = pass->worker->copy;

	if (is_recorded(&copy->books, pass->index, cause, uid, detail))
		return 0;

	books_except(&copy->books, pass->index, cause, uid, size, 1, message_id, detail);
	return copy_tell(copy, EVENT_EXCEPTION, copy->books.exceptions_n - 1, fault);
}

int copy_pass_except(struct copy_pass *pass, enum copy_cause cause, uint32_t uid, uint64_t size,
		     const char *detail, struct fault *fault)
{
	enum { IDS = 200 }; /* Message-IDs asked for in a folder: each takes a round trip */
	struct copy_worker *w = pass->worker;
	char message_id[300] = "";

	if (pass->ids_asked++ < IDS &&
	    imap_fetch_message_id(w->from, uid, message_id, sizeof(message_id), fault) < 0)
		return -1;

	return record(pass, cause, uid, size, message_id, detail, fault);
}

/* Whether the connection was lost often enough over it: three times, or as often as the user allows. */
static bool is_fatal(const struct copy_pass *pass, const struct imap_message *m)
{
	unsigned retries = pass->worker->copy->options.retries;
	uint32_t times = (m->state & MESSAGE_FATAL_MOST) / MESSAGE_FATAL;

	return times && times >= (retries < 3 ? retries : 3);
}

/* A message over which the connection was lost again and again: given up, so that the others get on. Not one after
 * the other without an end, though: then it is the server that is in a bad way. */
static void give_up_fatal(struct copy_pass *pass)
{
	for (size_t i = 0; i < pass->messages.n; i++) {
		struct imap_message *m = &pass->messages.p[i];

		if ((m->state & MESSAGE_STATE_MASK) != MESSAGE_WAITING || !is_fatal(pass, m))
			continue;
		m->state |= MESSAGE_SETTLED;
		copy_pass_put_off(pass, m, pass->fatal_cause, m->size, pass->fatal_detail);
		if (!pass->dropped || pass->folder->copied > pass->copied_at_drop)
			pass->failures = 0;
		pass->dropped = true;
		pass->copied_at_drop = pass->folder->copied;
		pass->careful_until = 0;
	}
}

static int settle_one(struct copy_pass *pass, struct put_off *p, struct fault *fault)
{
	uint64_t size = p->size ? p->size : p->message->size;
	char detail[400];
	bool there;

	snprintf(detail, sizeof(detail), "%s", p->detail);
	if (is_fatal(pass, p->message)) /* better not touched again */
		return record(pass, p->cause, p->message->uid, size, "", detail, fault);
	if (p->cause == CAUSE_UNREADABLE) {
		if (still_there(pass->worker->from, p->message->uid, &there, fault) < 0)
			return -1;
		if (!there) {
			pass->folder->changed++;
			return 0;
		}
		if (!detail[0])
			snprintf(detail, sizeof(detail), "the source lists the message but does "
				 "not hand it out");
	}
	if (p->cause == CAUSE_TOO_LARGE && !detail[0])
		snprintf(detail, sizeof(detail),
			 "%" PRIu64 " bytes; the destination takes at most %" PRIu64, size,
			 pass->limit);

	return copy_pass_except(pass, p->cause, p->message->uid, size, detail, fault);
}

static int settle_put_off(struct copy_pass *pass, struct fault *fault)
{
	while (pass->put_off_n) {
		struct put_off *last = &pass->put_off[pass->put_off_n - 1];

		if (settle_one(pass, last, fault) < 0)
			return -1; /* it stays, for another try */
		free(last->detail);
		pass->put_off_n--;
	}
	return 0;
}

static const char *lost_date(const struct imap_message *m)
{
	if (m->date == IMAP_NO_DATE)
		return "the source gave no date that can be read; the destination set its own";
	if (m->state & MESSAGE_NO_DATE)
		return "the destination refused the message with its date and set its own";
	if (m->state & MESSAGE_OWN_DATE)
		return "the source gave no date that can be read; it has the one of its Date header";
	return NULL;
}

/* Copied messages that could not keep everything: one entry each, they are few. */
static int tell_losses(struct copy_pass *pass, struct fault *fault)
{
	for (size_t i = 0; i < pass->messages.n; i++) {
		struct imap_message *m = &pass->messages.p[i];
		const char *flags = pass->messages.flag_sets[m->flags];
		char detail[400];

		if ((m->state & MESSAGE_STATE_MASK) != MESSAGE_COPIED || m->state & MESSAGE_TOLD)
			continue;

		if (lost_date(m)) {
			snprintf(detail, sizeof(detail), "%s", lost_date(m));
			if (copy_pass_except(pass, CAUSE_DATE_LOST, m->uid, m->size, detail,
					     fault) < 0)
				return -1;
		}
		if (pass->flags_cut[m->flags] || m->state & MESSAGE_NO_KEYWORDS) {
			snprintf(detail, sizeof(detail), "had \"%s\", kept \"%s\"", flags,
				 copy_pass_flags(pass, m));
			if (copy_pass_except(pass, CAUSE_FLAGS_CUT, m->uid, m->size, detail,
					     fault) < 0)
				return -1;
		}
		m->state |= MESSAGE_TOLD;
	}
	return 0;
}

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

	give_up_fatal(pass);
	if (settle_put_off(pass, fault) < 0 || prepare_flags(pass, fault) < 0)
		return -1;

	while (any_waiting(pass)) {
		r = copy_feed(pass, fault);
		if (r > 0)
			r = copy_reconnect(pass, fault);
		if (r < 0 || settle_put_off(pass, fault) < 0)
			return -1;
	}
	if (tell_losses(pass, fault) < 0)
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
	forget_flags(pass);
	forget_put_off(pass);
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
