/* SPDX-License-Identifier: Apache-2.0 */
/* UID STORE, UID EXPUNGE (RFC 4315), UID COPY and UID MOVE (RFC 6851), with what COPYUID tells. */
#include <string.h>

#include "base/xalloc.h"
#include "imap/commands.h"
#include "imap/messages.h"
#include "imap/write.h"

/* --- STORE and EXPUNGE ------------------------------------------------------------------------ */

/* "tag verb set rest" for as many of the ranges as a line holds, and its answer. Returns how many, or -1. */
static ptrdiff_t send_some(struct imap_session *s, struct imap_command *c, const char *verb,
			   const struct imap_range *uids, size_t n, const char *rest,
			   struct fault *fault)
{
	size_t taken;

	imap_begin(s, c, verb);
	taken = imap_put_set(s, uids, n, strlen(rest));
	imap_put(s, "%s", rest);
	if (imap_send(s, c, fault) < 0 || imap_wait(s, c, fault) < 0)
		return -1;

	return (ptrdiff_t)taken;
}

int imap_store(struct imap_session *s, const struct imap_range *uids, size_t n, bool add,
	       const char *flags, struct fault *fault)
{
	_cleanup_(buf_done) struct buf rest = BUF_NULL;

	if (!flags[0])
		return 0;

	buf_appendf(&rest, " %cFLAGS.SILENT (%s)", add ? '+' : '-', flags);
	while (n) {
		_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
		ptrdiff_t taken = send_some(s, &c, "UID STORE ", uids, n, buf_str(&rest), fault);

		if (taken < 0)
			return -1;
		/* RFC 5530: others expunged some of them, the rest was done. */
		if (strcmp(c.code, "EXPUNGEISSUED") != 0 &&
		    imap_refused(s, &c, fault, "cannot change flags") < 0)
			return -1;
		uids += taken;
		n -= (size_t)taken;
	}
	return 0;
}

int imap_expunge(struct imap_session *s, const struct imap_range *uids, size_t n, struct fault *fault)
{
	if (!imap_can(&s->capabilities, IMAP_CAP_UIDPLUS))
		return fault_set(fault, FAULT_REFUSED, REACH_MAILBOX, AGAIN_NEVER,
				 "%s: the server cannot remove single messages (it has no UIDPLUS)",
				 s->account->label);

	while (n) {
		_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
		ptrdiff_t taken = send_some(s, &c, "UID EXPUNGE ", uids, n, "", fault);

		if (taken < 0 || imap_refused(s, &c, fault, "cannot remove messages") < 0)
			return -1;
		uids += taken;
		n -= (size_t)taken;
	}
	return 0;
}

/* --- COPY and MOVE ---------------------------------------------------------------------------- */

/* Walks two sets side by side, each number with its partner. */
struct walk {
	const struct imap_range *at, *end;
	uint32_t next;
};

static struct walk walk_of(struct imap_set set)
{
	return (struct walk){ set.p, set.p + set.n, set.n ? set.p->low : 0 };
}

static uint32_t walk_on(struct walk *w)
{
	uint32_t number = w->next;

	if (number < w->at->high)
		w->next++;
	else if (++w->at < w->end)
		w->next = w->at->low;
	return number;
}

/* Takes a COPYUID's pairs, if it is what RFC 4315 says it is: as many there as here, none that was not asked for.
 * Its ranges may come in any order; number for number they belong together. */
static void take_pairs(struct imap_copied *to, const struct imap_code *code,
		       const struct imap_range *asked, size_t asked_n)
{
	uint64_t n = imap_set_count(code->source.p, code->source.n);
	struct walk from, there;
	size_t before = to->n;

	if (!n || n > IMAP_MAX_MESSAGES || n > imap_set_count(asked, asked_n) ||
	    n != imap_set_count(code->uids.p, code->uids.n) || !code->number || code->number > UINT32_MAX)
		return;
	if (to->uidvalidity && to->uidvalidity != code->number) { /* another folder by now: none of them hold */
		to->n = 0;
		to->contradicts = true;
	}
	if (to->contradicts)
		return;

	to->uidvalidity = (uint32_t)code->number;
	to->p = xgrow(to->p, &to->size, to->n + (size_t)n, sizeof(*to->p));
	from = walk_of(code->source);
	there = walk_of(code->uids);
	for (uint64_t i = 0; i < n; i++) {
		struct imap_uid_pair pair = { walk_on(&from), walk_on(&there) };

		if (!imap_set_has(asked, asked_n, pair.from)) {
			to->n = before;
			return;
		}
		to->p[to->n++] = pair;
	}
}

/* COPY has its COPYUID in the tagged answer, MOVE in an untagged OK before it (RFC 6851 section 4.3). */
static int take_copied(struct imap_session *s, struct imap_command *c, struct imap_copied *to,
		       const struct imap_range *asked, size_t asked_n, struct fault *fault)
{
	struct imap_input input;
	bool told = false;

	while (!c->done) {
		const struct imap_response *r;

		if (imap_read(s, &input, fault) < 0)
			return -1;
		r = input.response;
		if (input.event != IMAP_EVENT_RESPONSE || r->condition != IMAP_OK || told ||
		    (r->kind != IMAP_CONDITION && !(r->kind == IMAP_TAGGED && c->done)) ||
		    !bytes_equal(r->code.name, BYTES("COPYUID")))
			continue;
		take_pairs(to, &r->code, asked, asked_n);
		told = true; /* once; some say it again at the end */
	}
	return 0;
}

/* One command for as many of the ranges as a line holds. Returns how many, or -1. */
static ptrdiff_t copy_some(struct imap_session *s, const struct imap_range *uids, size_t n, bool move,
			   struct bytes folder_name, struct imap_copied *to, struct fault *fault)
{
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
	size_t taken;
	int r;

	imap_begin(s, &c, move ? "UID MOVE " : "UID COPY ");
	taken = imap_put_set(s, uids, n, 2 * folder_name.n + 16);
	imap_put(s, " ");
	r = imap_put_string(s, &c, folder_name, fault);
	if (r < 0 || (r == 0 && imap_send(s, &c, fault) < 0) ||
	    take_copied(s, &c, to, uids, taken, fault) < 0)
		return -1;

	if (imap_refused(s, &c, fault, "cannot %s messages to folder %.*s", move ? "move" : "copy",
			 BYTES_ARG(folder_name)) < 0) {
		if (fault->reach < REACH_FOLDER)
			fault->reach = REACH_FOLDER;
		return -1;
	}
	return (ptrdiff_t)taken;
}

int imap_copy(struct imap_session *s, const struct imap_range *uids, size_t n, bool move,
	      struct bytes folder_name, struct imap_copied *ret, struct fault *fault)
{
	*ret = (struct imap_copied){ .n = 0 };
	if (move && !imap_can(&s->capabilities, IMAP_CAP_MOVE))
		return fault_set(fault, FAULT_REFUSED, REACH_MAILBOX, AGAIN_NEVER,
				 "%s: the server cannot move messages (it has no MOVE)", s->account->label);

	while (n) {
		ptrdiff_t taken = copy_some(s, uids, n, move, folder_name, ret, fault);

		if (taken < 0)
			return -1;
		uids += taken;
		n -= (size_t)taken;
	}
	return 0;
}
