/* SPDX-License-Identifier: Apache-2.0 */
/* UID FETCH of headers: what names a message, its Message-ID, its Date. Header blocks stream through a scanner, none
 * is kept. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "imap/commands.h"
#include "imap/date.h"
#include "imap/messages.h"
#include "imap/write.h"

enum { BEHIND = 64, MAX_IDENTITIES = 1 << 20 };

/* --- many messages, one response at a time ---------------------------------------------------- */

/* Who takes what comes. Of a response with several bodies the first counts. */
struct taker {
	void (*begin)(void *arg);
	void (*feed)(void *arg, struct bytes data);
	void (*end)(void *arg);
	int (*message)(void *arg, uint32_t uid, uint64_t size); /* after the response; < 0: no more can be held */
	void *arg;
};

static int take(struct imap_session *s, struct imap_command *c, const struct imap_range *uids,
		size_t n, const struct taker *t, struct fault *fault)
{
	struct imap_input input;
	uint64_t size = 0;
	unsigned bodies = 0;

	while (!c->done) {
		if (imap_read(s, &input, fault) < 0)
			return -1;
		if (input.event == IMAP_EVENT_BODY_BEGIN && bodies++ == 0) {
			size = 0;
			t->begin(t->arg);
		} else if (input.event == IMAP_EVENT_BODY && bodies == 1) {
			size += input.data.n;
			t->feed(t->arg, input.data);
		} else if (input.event == IMAP_EVENT_BODY_END && bodies == 1) {
			t->end(t->arg);
		} else if (input.event == IMAP_EVENT_RESPONSE && input.response->kind == IMAP_FETCH) {
			const struct imap_fetch_data *f = &input.response->fetch;
			bool is_answer = f->has & (IMAP_FETCH_BODY | IMAP_FETCH_BODY_NIL);

			if (is_answer && f->has & IMAP_FETCH_UID && imap_set_has(uids, n, f->uid) &&
			    t->message(t->arg, f->uid, bodies ? size : 0) < 0)
				return imap_fault_endless(s, MAX_IDENTITIES, "headers", fault);
			bodies = 0;
		}
	}
	return 0;
}

/* Asks for the section of each of these messages, in as many commands as their UIDs need. */
static int fetch(struct imap_session *s, const struct imap_range *uids, size_t n, const char *section,
		 const struct taker *t, struct fault *fault)
{
	while (n) {
		_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
		size_t taken;

		imap_begin(s, &c, "UID FETCH ");
		taken = imap_put_set(s, uids, n, BEHIND);
		imap_put(s, " (UID BODY.PEEK[%s])", section);
		if (imap_send(s, &c, fault) < 0 || take(s, &c, uids, taken, t, fault) < 0)
			return -1;

		/* NO for one message of many (Q25): the others came, and what did not is missed. */
		if (imap_told_off(s, &c, "cannot read the headers of messages", fault) < 0)
			return -1;
		uids += taken;
		n -= taken;
	}
	return 0;
}

/* --- identities ------------------------------------------------------------------------------- */

struct identifying {
	struct mail_identify *identify;
	struct mail_identity last;
	struct imap_identities *ret;
	size_t most; /* who tells more repeats himself */
};

static void identify_begin(void *arg)
{
	struct identifying *i = arg;

	mail_identify_begin(i->identify);
}

static void identify_feed(void *arg, struct bytes data)
{
	struct identifying *i = arg;

	mail_identify_feed(i->identify, data);
}

static void identify_end(void *arg)
{
	struct identifying *i = arg;

	mail_identify_end(i->identify, &i->last);
}

static int by_uid(const void *a, const void *b)
{
	const struct imap_identity *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* Of two answers for one message either will do. */
static void put_in_order(struct imap_identities *all)
{
	size_t kept = 0;

	for (size_t i = 1; i < all->n; i++)
		if (all->p[i - 1].uid >= all->p[i].uid) {
			qsort(all->p, all->n, sizeof(*all->p), by_uid);
			break;
		}

	for (size_t i = 0; i < all->n; i++)
		if (!kept || all->p[kept - 1].uid != all->p[i].uid)
			all->p[kept++] = all->p[i];
	all->n = kept;
}

static int identified(void *arg, uint32_t uid, uint64_t size)
{
	struct identifying *i = arg;
	struct imap_identities *all = i->ret;

	if (all->n == i->most)
		put_in_order(all);
	if (all->n == i->most)
		return -1;

	all->p = xgrow(all->p, &all->size, all->n + 1, sizeof(*all->p));
	all->p[all->n] = (struct imap_identity){ .uid = uid, .header_size = size };
	if (size)
		all->p[all->n].identity = i->last;
	all->n++;
	return 0;
}

int imap_fetch_identities(struct imap_session *s, const struct imap_range *uids, size_t n,
			  struct imap_identities *ret, struct fault *fault)
{
	uint64_t asked = imap_set_count(uids, n);
	struct identifying i = { .ret = ret, .most = MAX_IDENTITIES };
	struct taker taker = { identify_begin, identify_feed, identify_end, identified, &i };
	int r;

	*ret = (struct imap_identities){ .n = 0 };
	if (asked < MAX_IDENTITIES / 2) /* room for all twice: putting them in order is always worth it */
		i.most = 2 * (size_t)asked + 1;
	i.identify = mail_identify_new();
	r = fetch(s, uids, n, "HEADER", &taker, fault);
	mail_identify_free(i.identify);
	put_in_order(ret);
	return r;
}

const struct imap_identity *imap_identities_find(const struct imap_identities *all, uint32_t uid)
{
	struct imap_identity key = { .uid = uid };

	return all->n ? bsearch(&key, all->p, all->n, sizeof(*all->p), by_uid) : NULL;
}

void imap_identities_done(struct imap_identities *all)
{
	free(all->p);
	*all = (struct imap_identities){ .n = 0 };
}

/* --- blocks of fields ------------------------------------------------------------------------- */

struct collecting {
	struct buf block;
	imap_fields_fn fn;
	void *arg;
};

static void collect_begin(void *arg)
{
	struct collecting *x = arg;

	buf_reset(&x->block);
}

static void collect_feed(void *arg, struct bytes data)
{
	struct collecting *x = arg;

	buf_append_bytes(&x->block, bytes_head(data, IMAP_FIELDS_MAX - x->block.n));
}

static void collect_end(void *arg)
{
}

static int collected(void *arg, uint32_t uid, uint64_t size)
{
	struct collecting *x = arg;

	x->fn(x->arg, uid, size ? buf_bytes(&x->block) : BYTES_NULL);
	return 0;
}

int imap_fetch_fields(struct imap_session *s, const struct imap_range *uids, size_t n, const char *fields,
		      imap_fields_fn fn, void *arg, struct fault *fault)
{
	struct collecting x = { .fn = fn, .arg = arg };
	struct taker taker = { collect_begin, collect_feed, collect_end, collected, &x };
	_cleanup_(buf_done) struct buf section = BUF_NULL;
	int r;

	buf_appendf(&section, "HEADER.FIELDS (%s)", fields);
	r = fetch(s, uids, n, section.p, &taker, fault);
	buf_done(&x.block);
	return r;
}

/* --- single fields ---------------------------------------------------------------------------- */

struct scanning {
	struct header_scan scan;
	struct imap_messages *messages; /* whose dates are wanted */
	char *message_id;               /* or this */
	size_t message_id_size;
};

static void scan_begin(void *arg)
{
	struct scanning *x = arg;

	x->scan = (struct header_scan){ .skip_body = true };
}

static void scan_feed(void *arg, struct bytes data)
{
	struct scanning *x = arg;

	header_feed(&x->scan, data);
}

static void scan_end(void *arg)
{
	struct scanning *x = arg;

	header_finish(&x->scan);
}

static int scanned_id(void *arg, uint32_t uid, uint64_t size)
{
	struct scanning *x = arg;
	size_t n = 0;

	for (const char *p = x->scan.message_id; size && *p && n < x->message_id_size - 1; p++)
		if (*p != ' ')
			x->message_id[n++] = *p;
	x->message_id[n] = '\0';
	return 0;
}

int imap_fetch_message_id(struct imap_session *s, uint32_t uid, char *to, size_t size,
			  struct fault *fault)
{
	struct scanning x = { .message_id = to, .message_id_size = size };
	struct taker taker = { scan_begin, scan_feed, scan_end, scanned_id, &x };
	struct imap_range range = { uid, uid };

	to[0] = '\0';
	return fetch(s, &range, 1, "HEADER.FIELDS (MESSAGE-ID)", &taker, fault);
}

static int scanned_date(void *arg, uint32_t uid, uint64_t size)
{
	struct scanning *x = arg;
	struct imap_message *m = imap_messages_find(x->messages, uid);
	int64_t date;
	int zone;

	if (!m || !size || imap_date_parse(bytes_of(x->scan.date), &date, &zone) < 0)
		return 0;

	m->date = date;
	m->zone_minutes = zone;
	return 0;
}

int imap_fetch_dates(struct imap_session *s, const struct imap_range *uids, size_t n,
		     struct imap_messages *messages, struct fault *fault)
{
	struct scanning x = { .messages = messages };
	struct taker taker = { scan_begin, scan_feed, scan_end, scanned_date, &x };

	return fetch(s, uids, n, "HEADER.FIELDS (DATE)", &taker, fault);
}

int imap_fetch_date_header(struct imap_session *s, struct imap_message *m, struct fault *fault)
{
	struct imap_messages one = { .p = m, .n = 1 };
	struct imap_range range = { m->uid, m->uid };

	m->date = IMAP_NO_DATE;
	if (imap_fetch_dates(s, &range, 1, &one, fault) < 0)
		return -1;

	return m->date == IMAP_NO_DATE;
}
