/* SPDX-License-Identifier: Apache-2.0 */
/* UID FETCH … (CHANGEDSINCE n [VANISHED]), RFC 7162 sections 3.1.4.1 and 3.2.6: what became of messages since a
 * moment, without listing them all. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "imap/commands.h"
#include "imap/messages.h"
#include "imap/write.h"

/* A server says all that vanished in one line, and a line may hold IMAP_PARSER_LIMITS: of so many UIDs every second one
 * fits. Of folders with very many UIDs the windows grow. */
enum { WINDOW = 1 << 17, MOST_WINDOWS = 64, MAX_VANISHED = 4 << 20 };

void imap_changes_done(struct imap_changes *changes)
{
	imap_messages_done(&changes->changed);
	free(changes->vanished);
	*changes = (struct imap_changes){ .vanished_n = 0 };
}

static int by_low(const void *a, const void *b)
{
	const struct imap_range *x = a, *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

/* Rising, and those that touch made one. */
static void join(struct imap_changes *c)
{
	struct imap_range *p = c->vanished;
	size_t kept = 0;

	if (c->vanished_n)
		qsort(p, c->vanished_n, sizeof(*p), by_low);
	for (size_t i = 0; i < c->vanished_n; i++) {
		if (!kept || (uint64_t)p[kept - 1].high + 1 < p[i].low)
			p[kept++] = p[i];
		else if (p[i].high > p[kept - 1].high)
			p[kept - 1].high = p[i].high;
	}
	c->vanished_n = kept;
}

/* EARLIER or not, they are gone. 0, or -1: more ranges than anybody has messages. */
static int note_vanished(struct imap_changes *c, const struct imap_set *uids, uint32_t high)
{
	for (size_t i = 0; i < uids->n; i++) {
		struct imap_range range = uids->p[i];

		if (range.low > high)
			continue;
		if (range.high > high)
			range.high = high;
		if (c->vanished_n == MAX_VANISHED) /* with many twice or more? */
			join(c);
		if (c->vanished_n == MAX_VANISHED)
			return -1;

		c->vanished = xgrow(c->vanished, &c->vanished_size, c->vanished_n + 1,
				    sizeof(*c->vanished));
		c->vanished[c->vanished_n++] = range;
	}
	return 0;
}

/* A server may tell both of a message (Dovecot does, of one that another connection expunged): gone it is. */
static void drop_vanished(struct imap_changes *c)
{
	struct imap_messages *m = &c->changed;
	size_t kept = 0;

	for (size_t i = 0; i < m->n; i++)
		if (!imap_set_has(c->vanished, c->vanished_n, m->p[i].uid))
			m->p[kept++] = m->p[i];
	m->n = kept;
}

/* high: of the whole question, since what happens meanwhile is told unasked. */
static int note_change(struct imap_changes *c, const struct imap_response *r, uint32_t high)
{
	struct imap_range all = { 1, high };

	if (r->kind == IMAP_VANISHED)
		return note_vanished(c, &r->vanished.uids, high);

	/* A new modseq may be told without flags, but never in answer to us. */
	if (r->kind == IMAP_FETCH && r->fetch.has & IMAP_FETCH_FLAGS)
		return imap_messages_note(&c->changed, &r->fetch, &all, 1);

	return 0;
}

/* One command. Returns 1 when it was refused; the fault says why. */
static int fetch_window(struct imap_session *s, struct imap_range window, uint64_t modseq,
			uint32_t high, struct imap_changes *ret, struct fault *fault)
{
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
	struct imap_input input;

	imap_begin(s, &c, "UID FETCH ");
	imap_put(s, "%" PRIu32 ":%" PRIu32 " (UID FLAGS)", window.low, window.high);
	if (modseq)
		imap_put(s, " (CHANGEDSINCE %" PRIu64 "%s)", modseq,
			 ret->knows_vanished ? " VANISHED" : "");
	if (imap_send(s, &c, fault) < 0)
		return -1;

	while (!c.done) {
		if (imap_read(s, &input, fault) < 0)
			return -1;
		if (input.event == IMAP_EVENT_RESPONSE && note_change(ret, input.response, high) < 0)
			return imap_fault_endless(s, MAX_VANISHED, "ranges of vanished messages, or messages",
						  fault);
	}

	/* Unlike a listing, half an answer is none: what it leaves out would pass for unchanged. */
	return imap_refused(s, &c, fault, "cannot ask what changed in the folder") < 0;
}

static int fetch_all(struct imap_session *s, uint64_t modseq, uint32_t high,
		     struct imap_changes *ret, struct fault *fault)
{
	uint32_t step = high / MOST_WINDOWS < WINDOW ? WINDOW : high / MOST_WINDOWS + 1;
	struct imap_range window = { 1, 0 };

	while (window.high < high) {
		struct fault why;
		int r;

		window.low = window.high + 1;
		window.high = high - window.low < step ? high : window.low + step - 1;
		r = fetch_window(s, window, modseq, high, ret, &why);
		if (r > 0 && ret->knows_vanished && why.again == AGAIN_NEVER) {
			ret->knows_vanished = false;
			r = fetch_window(s, window, modseq, high, ret, &why);
		}
		if (r) {
			s->no_changes = r > 0 && modseq && why.kind == FAULT_REFUSED && why.again == AGAIN_NEVER;
			*fault = why;
			return -1;
		}
	}
	return 0;
}

int imap_fetch_changes(struct imap_session *s, uint64_t modseq, uint32_t high,
		       struct imap_changes *ret, struct fault *fault)
{
	int r;

	*ret = (struct imap_changes){ .knows_vanished = s->qresync && modseq };
	imap_messages_init(&ret->changed);
	r = fetch_all(s, modseq, high, ret, fault);
	imap_messages_sort(&ret->changed);
	join(ret);
	drop_vanished(ret);
	return r;
}
