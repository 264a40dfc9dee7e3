/* SPDX-License-Identifier: Apache-2.0 */
/* UID FETCH: what there is (UID, flags, dates, sizes) and the bodies. Nothing is believed that is not
 * needed: not SEARCH (Q36), not RFC822.SIZE (Q24), not the order of attributes (Q31). */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "imap/commands.h"
#include "imap/date.h"
#include "imap/write.h"

/* What one listing may hold: far beyond every folder that was ever met, far below all memory. */
enum { MAX_MESSAGES = 4 << 20, MAX_FLAG_SETS = 1 << 20, MAX_FLAG_BYTES = 32 << 20 };

void imap_messages_init(struct imap_messages *m)
{
	uint64_t seed;

	*m = (struct imap_messages){ .n = 0 };
	run_random(&seed, sizeof(seed));
	map_init(&m->flag_index, seed);
	m->flag_sets = xgrow(NULL, &m->flag_sets_size, 1, sizeof(*m->flag_sets));
	m->flag_sets[m->flag_sets_n++] = xstrdup("");
}

void imap_messages_done(struct imap_messages *m)
{
	for (size_t i = 0; i < m->flag_sets_n; i++)
		free(m->flag_sets[i]);
	free(m->flag_sets);
	free(m->p);
	map_done(&m->flag_index);
	*m = (struct imap_messages){ .n = 0 };
}

/* \Recent is the session's, not the message's. */
static bool is_kept(struct bytes flag)
{
	return !bytes_equal_nocase(flag, BYTES("\\Recent"));
}

/* 0, or -1: a server that invents keywords without end. */
static int flag_set(struct imap_messages *m, struct imap_atoms flags, uint32_t *ret)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	size_t index;

	*ret = 0;

	for (size_t i = 0; i < flags.n; i++) {
		if (!is_kept(flags.p[i]))
			continue;
		if (text.n)
			buf_append_char(&text, ' ');
		buf_append_bytes(&text, flags.p[i]);
	}
	if (!text.n)
		return 0;

	index = (size_t)(uintptr_t)map_get(&m->flag_index, buf_bytes(&text));
	if (index) {
		*ret = (uint32_t)(index - 1);
		return 0;
	}
	if (m->flag_sets_n == MAX_FLAG_SETS || text.n > MAX_FLAG_BYTES - m->flag_bytes)
		return -1;

	index = m->flag_sets_n++;
	m->flag_bytes += text.n;
	m->flag_sets = xgrow(m->flag_sets, &m->flag_sets_size, index + 1, sizeof(*m->flag_sets));
	map_put(&m->flag_index, buf_bytes(&text), (void *)(uintptr_t)(index + 1));
	m->flag_sets[index] = buf_take(&text);
	*ret = (uint32_t)index;
	return 0;
}

struct imap_message *imap_messages_find(const struct imap_messages *m, uint32_t uid)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->p[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < m->n && m->p[low].uid == uid ? &m->p[low] : NULL;
}

static int by_uid(const void *a, const void *b)
{
	const struct imap_message *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* Two answers for one message: the one that was asked for, and news of it that came before. */
static void merge(struct imap_message *into, const struct imap_message *other)
{
	if (into->date == IMAP_NO_DATE) {
		into->date = other->date;
		into->zone_minutes = other->zone_minutes;
	}
	if (!into->size)
		into->size = other->size;
	if (!into->flags)
		into->flags = other->flags;
}

/* Servers answer in rising order, but for what they say unasked in between (Q31). */
static void put_in_order(struct imap_messages *m)
{
	size_t kept = 0;

	for (size_t i = 1; i < m->n; i++)
		if (m->p[i - 1].uid >= m->p[i].uid) {
			qsort(m->p, m->n, sizeof(*m->p), by_uid);
			break;
		}

	for (size_t i = 0; i < m->n; i++)
		if (kept && m->p[kept - 1].uid == m->p[i].uid)
			merge(&m->p[kept - 1], &m->p[i]);
		else
			m->p[kept++] = m->p[i];
	m->n = kept;
}

static struct imap_message *find_or_add(struct imap_messages *m, uint32_t uid)
{
	struct imap_message *message = m->n && m->p[m->n - 1].uid < uid ? NULL : imap_messages_find(m, uid);

	if (message)
		return message;

	if (m->n == MAX_MESSAGES) /* with many twice or more? */
		put_in_order(m);
	if (m->n == MAX_MESSAGES)
		return NULL;

	m->p = xgrow(m->p, &m->size, m->n + 1, sizeof(*m->p));
	m->p[m->n] = (struct imap_message){ .uid = uid, .date = IMAP_NO_DATE };
	return &m->p[m->n++];
}

/* 0, or -1: more than we can hold. */
static int note_fetch(struct imap_messages *m, const struct imap_fetch_data *f, uint32_t low,
		      uint32_t high)
{
	struct imap_message *message;

	if (!(f->has & IMAP_FETCH_UID) || f->uid < low || f->uid > high)
		return 0;

	message = find_or_add(m, f->uid);
	if (!message || (f->has & IMAP_FETCH_FLAGS && flag_set(m, f->flags, &message->flags) < 0))
		return -1;

	if (f->has & IMAP_FETCH_SIZE)
		message->size = f->size;
	if (f->has & IMAP_FETCH_DATE) {
		int zone = 0;

		if (imap_date_parse(f->date_text, &message->date, &zone) == 0)
			message->zone_minutes = zone;
		else
			message->date = IMAP_NO_DATE;
	}
	return 0;
}

/* The rest of the answer is still to come: the session ends here. */
static int fault_endless(struct imap_session *s, struct fault *fault)
{
	fault_set(fault, FAULT_LIMIT, REACH_FOLDER, AGAIN_NEVER,
		  "%s: the server lists more than %d messages at once, or more than %d MiB of their "
		  "flags", s->account->label, MAX_MESSAGES, MAX_FLAG_BYTES >> 20);
	return imap_break(s, fault);
}

static int take_messages(struct imap_session *s, struct imap_command *c, uint32_t low,
			 uint32_t high, struct imap_messages *m, struct fault *fault)
{
	struct imap_input input;

	while (!c->done) {
		if (imap_read(s, &input, fault) < 0)
			return -1;
		if (input.event == IMAP_EVENT_RESPONSE && input.response->kind == IMAP_FETCH &&
		    note_fetch(m, &input.response->fetch, low, high) < 0)
			return fault_endless(s, fault);
	}
	put_in_order(m);
	return 0;
}

int imap_fetch_messages(struct imap_session *s, uint32_t low, uint32_t high, bool with_size,
			struct imap_messages *m, struct fault *fault)
{
	struct imap_range range = { low, high };
	struct imap_command c;

	m->n = 0;
	imap_begin(s, &c, "UID FETCH ");
	imap_write_set(&s->out, &range, 1);
	imap_put(s, " (UID FLAGS INTERNALDATE%s)", with_size ? " RFC822.SIZE" : "");
	if (imap_send(s, &c, fault) < 0 || take_messages(s, &c, low, high, m, fault) < 0)
		return -1;

	/* Some say NO because one message of many could not be read and still give the rest (Q25), some BAD for
	 * a range without messages (Q39): what came counts, and the caller knows how many there should be. */
	if (c.condition != IMAP_OK && m->n == 0)
		return imap_refused(s, &c, fault, "cannot list the folder's messages");
	return 0;
}

int imap_fetch_uid(struct imap_session *s, uint32_t sequence, uint32_t *ret_uid,
		   struct fault *fault)
{
	struct imap_input input;
	struct imap_command c;

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
	return 0;
}

int imap_fetch_bodies(struct imap_session *s, struct imap_command *c,
		      const struct imap_range *uids, size_t n, struct fault *fault)
{
	imap_begin(s, c, "UID FETCH ");
	imap_write_set(&s->out, uids, n);
	imap_put(s, " (UID BODY.PEEK[])");
	return imap_send(s, c, fault);
}

/* What stands behind the field's name; folds and control characters are left out, blanks too if `squeeze`. */
static void take_field(struct bytes header, bool squeeze, char *to, size_t size)
{
	ptrdiff_t colon = bytes_find_char(header, ':');
	struct bytes value = bytes_trim(bytes_skip(header, colon < 0 ? header.n : (size_t)colon + 1));
	size_t n = 0;

	for (size_t i = 0; i < value.n && n < size - 1; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c > 0x20 && c != 0x7f)
			to[n++] = (char)c;
		else if (c == ' ' && !squeeze)
			to[n++] = ' ';
	}
	to[n] = '\0';
}

static int fetch_field(struct imap_session *s, uint32_t uid, const char *name, struct buf *header,
		       struct fault *fault)
{
	enum { MOST = 4096 };
	struct imap_input input;
	struct imap_command c;

	imap_begin(s, &c, "UID FETCH ");
	imap_put(s, "%u (UID BODY.PEEK[HEADER.FIELDS (%s)])", uid, name);
	if (imap_send(s, &c, fault) < 0)
		return -1;

	while (!c.done) {
		if (imap_read(s, &input, fault) < 0)
			return -1;
		if (input.event == IMAP_EVENT_BODY && header->n < MOST)
			buf_append_bytes(header, bytes_head(input.data, MOST));
	}
	return 0;
}

int imap_fetch_message_id(struct imap_session *s, uint32_t uid, char *to, size_t size,
			  struct fault *fault)
{
	_cleanup_(buf_done) struct buf header = BUF_NULL;

	if (fetch_field(s, uid, "MESSAGE-ID", &header, fault) < 0)
		return -1;

	take_field(buf_bytes(&header), true, to, size);
	return 0;
}

int imap_fetch_date_header(struct imap_session *s, struct imap_message *m, struct fault *fault)
{
	_cleanup_(buf_done) struct buf header = BUF_NULL;
	char text[200];
	int zone;

	if (fetch_field(s, m->uid, "DATE", &header, fault) < 0)
		return -1;

	take_field(buf_bytes(&header), false, text, sizeof(text));
	if (imap_date_parse(bytes_of(text), &m->date, &zone) < 0) {
		m->date = IMAP_NO_DATE;
		return 1;
	}

	m->zone_minutes = zone;
	return 0;
}
