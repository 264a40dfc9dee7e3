/* SPDX-License-Identifier: Apache-2.0 */
/* See doubt.h. */
#include "gateway/doubt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "imap/commands.h"
#include "smtp/trace.h"

static const char fields[] = "X-MAILFERRY-TRACE RECEIVED MESSAGE-ID";

const char *doubt_evidence_name(enum doubt_evidence evidence)
{
	static const char *const names[] = { "none", "trace", "received", "message-id" };

	return names[evidence];
}

/* --- a header -------------------------------------------------------------------------------- */

static bool ends_word(struct bytes text, size_t at)
{
	return at >= text.n || strchr("; \t\r\n", text.p[at]);
}

/* "id QUEUE-ID" in one of the Received fields. */
static bool is_received_by_us(struct bytes block, struct bytes queue_id)
{
	struct bytes rest = block;
	ptrdiff_t at;

	while ((at = bytes_find(rest, BYTES("id "))) >= 0) {
		struct bytes word = bytes_skip(rest, (size_t)at + 3);
		bool begins = at > 0 && strchr(" \t\n", rest.p[at - 1]);

		if (begins && bytes_starts(word, queue_id) && ends_word(word, queue_id.n))
			return true;
		rest = word;
	}
	return false;
}

enum doubt_evidence doubt_judge(const struct doubt_question *question, struct bytes block)
{
	_cleanup_(freep) struct smtp_trace_scan *scan = xzalloc(sizeof(*scan));

	smtp_trace_feed(scan, block);
	smtp_trace_finish(scan);
	for (uint32_t i = 0; i < scan->tokens_n && i < SMTP_TRACE_TOKENS; i++)
		if (question->token.n && bytes_equal(bytes_of(scan->tokens[i]), question->token))
			return DOUBT_BY_TRACE;
	/* Another one's trace: the same message, come to us twice. */
	if (scan->tokens_n > 0)
		return DOUBT_NOT_FOUND;
	if (question->queue_id.n && is_received_by_us(block, question->queue_id))
		return DOUBT_BY_RECEIVED;
	if (question->message_id.n && bytes_equal(bytes_of(scan->message_id), question->message_id))
		return DOUBT_BY_MESSAGE_ID;
	return DOUBT_NOT_FOUND;
}

/* --- a folder -------------------------------------------------------------------------------- */

struct looking {
	const struct doubt_question *question;
	const struct imap_messages *asked;
	struct doubt_answer *best;
	const char *folder;
	size_t came;
	uint32_t last; /* UID that came last */
};

static bool is_better(enum doubt_evidence a, enum doubt_evidence b)
{
	return a != DOUBT_NOT_FOUND && (b == DOUBT_NOT_FOUND || a < b);
}

static void take_block(void *arg, uint32_t uid, struct bytes block)
{
	struct looking *l = arg;
	enum doubt_evidence evidence = doubt_judge(l->question, block);
	struct imap_message *m = imap_messages_find(l->asked, uid);

	if (!m)
		return;
	if (!m->state)
		l->came++;
	m->state = 1;
	if (!is_better(evidence, l->best->evidence))
		return;
	l->best->evidence = evidence;
	l->best->uid = uid;
	snprintf(l->best->folder, sizeof(l->best->folder), "%s", l->folder);
}

SUSPENDS static int read_headers(struct imap_session *s, struct looking *l, struct fault *fault)
{
	const struct imap_messages *all = l->asked;
	_cleanup_(freep) struct imap_range *ranges = xmalloc((all->n + 1) * sizeof(*ranges));
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++) {
		uint32_t uid = all->p[i].uid;

		if (n > 0 && ranges[n - 1].high + 1 == uid)
			ranges[n - 1].high = uid;
		else
			ranges[n++] = (struct imap_range){ uid, uid };
	}
	if (imap_fetch_fields(s, ranges, n, fields, take_block, l, fault) < 0)
		return -1;
	l->best->looked_at += (unsigned)l->came;
	if (l->came < all->n && l->best->evidence == DOUBT_NOT_FOUND)
		return fault_set(fault, FAULT_DATA, REACH_FOLDER, AGAIN_LATER,
				 "%zu of the %zu newest messages of %s cannot be read", all->n - l->came,
				 all->n, l->folder);
	return 0;
}

/* The newest messages of a folder. */
SUSPENDS static int look_into(struct imap_session *s, struct bytes name, const char *shown, unsigned newest,
			      const struct doubt_question *question, struct doubt_answer *best,
			      struct fault *fault)
{
	struct imap_messages messages;
	struct looking l = { question, &messages, best, shown, 0, 0 };
	uint32_t low = 1;
	int r;

	if (imap_select(s, name, true, fault) < 0)
		return -1;
	if (s->selected.exists == 0)
		return 0;
	if (s->selected.exists > newest &&
	    imap_fetch_uid(s, s->selected.exists - newest + 1, &low, fault) < 0)
		return -1;

	imap_messages_init(&messages);
	r = imap_fetch_items(s, low ? low : 1, UINT32_MAX, 0, &messages, fault);
	if (r == 0 && messages.incomplete)
		r = fault_set(fault, FAULT_DATA, REACH_FOLDER, AGAIN_LATER, "the newest messages of %s cannot be listed",
			      shown);
	if (r == 0 && messages.n > 0)
		r = read_headers(s, &l, fault);
	imap_messages_done(&messages);
	return r;
}

/* --- a mailbox ------------------------------------------------------------------------------- */

static bool is_sure(const struct doubt_answer *answer)
{
	return answer->evidence == DOUBT_BY_TRACE || answer->evidence == DOUBT_BY_RECEIVED;
}

SUSPENDS static int look_elsewhere(struct imap_session *s, const struct doubt_question *question,
				   struct doubt_answer *best, struct fault *fault)
{
	struct imap_folders folders;
	unsigned looked = 0;
	int r = imap_list(s, false, &folders, fault);

	for (size_t i = 0; r == 0 && i < folders.n && !is_sure(best); i++) {
		const struct imap_folder *f = &folders.p[i];
		char shown[512];

		if (f->flags & (IMAP_FOLDER_NOSELECT | IMAP_FOLDER_FOREIGN) ||
		    bytes_equal_nocase(f->name, BYTES("INBOX")) || looked++ >= DOUBT_FOLDERS)
			continue;
		snprintf(shown, sizeof(shown), "%.*s", (int)(f->utf8.n < 500 ? f->utf8.n : 500), f->utf8.p);
		r = look_into(s, f->name, shown, DOUBT_FOLDER, question, best, fault);
	}
	imap_folders_done(&folders);
	return r;
}

int doubt_look(const struct imap_account *account, const struct doubt_question *question,
	       struct doubt_answer *ret, struct fault *fault)
{
	struct imap_session *s;
	int r;

	*ret = (struct doubt_answer){ .evidence = DOUBT_NOT_FOUND };
	if (imap_connect(account, &s, fault) < 0)
		return -1;

	r = look_into(s, BYTES("INBOX"), "INBOX", DOUBT_INBOX, question, ret, fault);
	if (r == 0 && !is_sure(ret))
		r = look_elsewhere(s, question, ret, fault);

	/* What was found is there, even if something else cannot be read. */
	if (r < 0 && ret->evidence != DOUBT_NOT_FOUND && fault->kind != FAULT_CANCELLED)
		r = 0;
	if (r < 0)
		imap_session_free(s);
	else
		imap_logout(s);
	return r;
}
