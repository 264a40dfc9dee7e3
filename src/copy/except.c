/* SPDX-License-Identifier: Apache-2.0 */
/* What is not copied, or not in every detail, and how it gets into the books. While messages stream the source
 * cannot be asked anything, so a refused message is put off and settled after the round, when it can be asked
 * for its Message-ID, or whether it is still there. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/links.h"
#include "copy/record.h"
#include "copy/worker.h"
#include "mail/mutf7.h"

void copy_pass_put_off(struct copy_pass *pass, struct imap_message *message, enum copy_cause cause,
		       uint64_t size, const char *detail)
{
	struct put_off *p;

	pass->put_off = xgrow(pass->put_off, &pass->put_off_size, pass->put_off_n + 1, sizeof(*p));
	p = &pass->put_off[pass->put_off_n++];
	*p = (struct put_off){ message, cause, size, xstrdup(detail) };
}

void copy_pass_forget_put_off(struct copy_pass *pass)
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
static bool is_recorded(const struct books *books, struct bytes folder, enum copy_cause cause, uint32_t uid,
			const char *detail)
{
	enum { LATELY = 100 };

	for (size_t i = books->exceptions_n, n = 0; i > 0 && n < LATELY; i--, n++) {
		const struct copy_exception *e = &books->exceptions[i - 1];

		if (e->cause == cause && e->uid == uid && strcmp(e->detail, detail) == 0 &&
		    bytes_equal(e->name, folder))
			return true;
	}
	return false;
}

static int record_some(struct copy_pass *pass, enum copy_cause cause, uint32_t uid, uint64_t size,
		       uint64_t messages, const char *message_id, const char *detail, struct fault *fault)
{
	struct copy *copy = pass->worker->copy;

	if (is_recorded(&copy->books, pass->folder->source_utf8, cause, uid, detail))
		return 0;

	books_except(&copy->books, pass->index, cause, uid, size, messages, message_id, detail);
	return copy_tell(copy, EVENT_EXCEPTION, copy->books.exceptions_n - 1, fault);
}

static int record(struct copy_pass *pass, enum copy_cause cause, uint32_t uid, uint64_t size,
		  const char *message_id, const char *detail, struct fault *fault)
{
	return record_some(pass, cause, uid, size, 1, message_id, detail, fault);
}

int copy_pass_except_folder(struct copy_pass *pass, enum copy_cause cause, uint64_t messages,
			    const char *detail, struct fault *fault)
{
	return record_some(pass, cause, 0, 0, messages, "", detail, fault);
}

/* Of a folder that is in the books under its name; else BOOKS_NO_FOLDER. */
static size_t book_of(const struct copy *copy, const struct ledger_folder *known)
{
	for (size_t i = 0; i < copy->books.n; i++)
		if (copy->links[i].known == known ||
		    bytes_equal(copy->books.folders[i].source_name, known->source_name))
			return i;

	return BOOKS_NO_FOLDER;
}

int copy_except_known(struct copy *copy, const struct ledger_folder *known, enum copy_cause cause,
		      uint64_t messages, const char *detail, struct fault *fault)
{
	_cleanup_(buf_done) struct buf utf8 = BUF_NULL;
	size_t index = book_of(copy, known);
	struct bytes name = known->source_name;

	if (index != BOOKS_NO_FOLDER)
		name = copy->books.folders[index].source_utf8;
	else if (mutf7_decode(known->source_name, &utf8) >= 0)
		name = buf_bytes(&utf8);
	if (is_recorded(&copy->books, name, cause, 0, detail))
		return 0;

	if (index != BOOKS_NO_FOLDER)
		books_except(&copy->books, index, cause, 0, 0, messages, "", detail);
	else
		books_except_lost(&copy->books, name, cause, messages, detail);
	return copy_tell(copy, EVENT_EXCEPTION, copy->books.exceptions_n - 1, fault);
}

static int ask_message_id(struct copy_pass *pass, uint32_t uid, char *to, size_t size, struct fault *fault)
{
	enum { IDS = 200 }; /* asked for in a folder: each takes a round trip */

	to[0] = '\0';
	return pass->ids_asked++ < IDS ? imap_fetch_message_id(pass->worker->from, uid, to, size, fault) : 0;
}

int copy_pass_except(struct copy_pass *pass, enum copy_cause cause, uint32_t uid, uint64_t size,
		     const char *detail, struct fault *fault)
{
	char message_id[300];

	if (ask_message_id(pass, uid, message_id, sizeof(message_id), fault) < 0)
		return -1;

	return record(pass, cause, uid, size, message_id, detail, fault);
}

static int except_message(struct copy_pass *pass, const struct put_off *p, uint64_t size, const char *detail,
			  struct fault *fault)
{
	char message_id[300];

	if (ask_message_id(pass, p->message->uid, message_id, sizeof(message_id), fault) < 0)
		return -1;

	copy_record_excepted(pass, p->message, p->cause, size, message_id, detail);
	return record(pass, p->cause, p->message->uid, size, message_id, detail, fault);
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
void copy_pass_give_up(struct copy_pass *pass)
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
	if (is_fatal(pass, p->message) || p->cause == CAUSE_UNAVAILABLE) { /* better not touched again */
		copy_record_excepted(pass, p->message, p->cause, size, "", detail);
		return record(pass, p->cause, p->message->uid, size, "", detail, fault);
	}
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

	return except_message(pass, p, size, detail, fault);
}

int copy_pass_settle(struct copy_pass *pass, struct fault *fault)
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
int copy_pass_tell_losses(struct copy_pass *pass, struct fault *fault)
{
	for (size_t i = 0; i < pass->messages.n; i++) {
		struct imap_message *m = &pass->messages.p[i];
		const char *flags = pass->messages.flag_sets[m->flags];
		char detail[400];

		if ((m->state & MESSAGE_STATE_MASK) != MESSAGE_COPIED || m->state & MESSAGE_TOLD)
			continue;

		if (lost_date(m)) {
			snprintf(detail, sizeof(detail), "%s", lost_date(m));
			copy_record_loss(pass, m, CAUSE_DATE_LOST, detail, 0, NULL);
			if (copy_pass_except(pass, CAUSE_DATE_LOST, m->uid, m->size, detail,
					     fault) < 0)
				return -1;
		}
		if (pass->flags_cut[m->flags] || m->state & MESSAGE_NO_KEYWORDS) {
			snprintf(detail, sizeof(detail), "had \"%s\", kept \"%s\"", flags,
				 copy_pass_flags(pass, m));
			copy_record_loss(pass, m, CAUSE_FLAGS_CUT, detail, 0, NULL);
			if (copy_pass_except(pass, CAUSE_FLAGS_CUT, m->uid, m->size, detail,
					     fault) < 0)
				return -1;
		}
		m->state |= MESSAGE_TOLD;
	}
	return 0;
}
