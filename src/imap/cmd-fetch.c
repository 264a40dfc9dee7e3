/* SPDX-License-Identifier: Apache-2.0 */
/* UID FETCH: what there is (UID, flags, dates, sizes) and the bodies. Nothing is believed that is not
 * needed: not SEARCH (Q36), not RFC822.SIZE (Q24), not the order of attributes (Q31). */
#include "imap/commands.h"
#include "imap/messages.h"
#include "imap/write.h"

static void put_items(struct imap_session *s, unsigned items)
{
	imap_put(s, " (UID%s%s%s)", items & IMAP_ITEM_FLAGS ? " FLAGS" : "",
		 items & IMAP_ITEM_DATE ? " INTERNALDATE" : "",
		 items & IMAP_ITEM_SIZE ? " RFC822.SIZE" : "");
}

/* "low:*" is what servers expect of who wants all there is; what it brings too many is not taken. */
static size_t put_uids(struct imap_session *s, const struct imap_range *uids, size_t n)
{
	enum { ITEMS = 64 };

	if (n > 1 || uids->high < UINT32_MAX)
		return imap_put_set(s, uids, n, ITEMS);

	imap_write_set(&s->out, uids, 1);
	return 1;
}

/* One command for as many of the ranges as a line holds. Returns how many, or -1. */
static ptrdiff_t fetch_some(struct imap_session *s, const struct imap_range *uids, size_t n,
			    unsigned items, struct imap_messages *m, struct fault *fault)
{
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
	size_t before = m->n, taken;
	struct fault why;

	imap_begin(s, &c, "UID FETCH ");
	taken = put_uids(s, uids, n);
	put_items(s, items);
	if (imap_send(s, &c, fault) < 0 || imap_messages_take(m, s, &c, uids, taken, fault) < 0)
		return -1;

	/* Some say NO because one message of many could not be read and still give the rest (Q25), some BAD for
	 * a range without messages (Q39): what came counts, and the caller knows how many there should be. A
	 * server that wants to be left in peace is another matter. */
	if (imap_refused(s, &c, &why, "cannot list the folder's messages") < 0 &&
	    (m->n == before || imap_is_throttle(&why))) {
		*fault = why;
		return -1;
	}
	m->incomplete |= c.condition != IMAP_OK;
	return (ptrdiff_t)taken;
}

int imap_fetch_items_of(struct imap_session *s, const struct imap_range *uids, size_t n,
			unsigned items, struct imap_messages *m, struct fault *fault)
{
	m->n = 0;
	m->incomplete = false;
	while (n) {
		ptrdiff_t taken = fetch_some(s, uids, n, items, m, fault);

		if (taken < 0)
			return -1;
		uids += taken;
		n -= (size_t)taken;
	}
	imap_messages_sort(m);
	return 0;
}

int imap_fetch_items(struct imap_session *s, uint32_t low, uint32_t high, unsigned items,
		     struct imap_messages *m, struct fault *fault)
{
	struct imap_range range = { low, high };

	return imap_fetch_items_of(s, &range, 1, items, m, fault);
}

int imap_fetch_messages(struct imap_session *s, uint32_t low, uint32_t high, bool with_size,
			struct imap_messages *m, struct fault *fault)
{
	unsigned items = IMAP_ITEM_FLAGS | IMAP_ITEM_DATE | (with_size ? IMAP_ITEM_SIZE : 0);

	return imap_fetch_items(s, low, high, items, m, fault);
}

int imap_fetch_uid(struct imap_session *s, uint32_t sequence, uint32_t *ret_uid,
		   struct fault *fault)
{
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
	struct imap_input input;

	*ret_uid = 0;
	imap_begin(s, &c, "FETCH ");
	imap_put(s, "%u (UID)", sequence);
	if (imap_send(s, &c, fault) < 0)
		return -1;

	while (!c.done) {
		if (imap_read(s, &input, fault) < 0)
			return -1;
		if (input.event == IMAP_EVENT_RESPONSE && input.response->kind == IMAP_FETCH &&
		    input.response->fetch.sequence == sequence &&
		    input.response->fetch.has & IMAP_FETCH_UID)
			*ret_uid = input.response->fetch.uid;
	}
	return imap_told_off(s, &c, "cannot list the folder's messages", fault);
}

int imap_fetch_bodies(struct imap_session *s, struct imap_command *c,
		      const struct imap_range *uids, size_t n, struct fault *fault)
{
	imap_begin(s, c, "UID FETCH ");
	imap_write_set(&s->out, uids, n);
	imap_put(s, " (UID BODY.PEEK[])");
	return imap_send(s, c, fault);
}
