/* SPDX-License-Identifier: Apache-2.0 */
/* What a folder's messages are, gathered from FETCH responses: bounded, in order, each once. */
#include "imap/messages.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "imap/date.h"
#include "imap/write.h"

enum { MAX_FLAG_SETS = 1 << 20, MAX_FLAG_BYTES = 32 << 20 };

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

/* Until the messages are in order `state`, the caller's later, says whether flags were told and in which order the
 * answers came. */
enum { FLAGS_TOLD = 1 << 30, ORDER_MASK = FLAGS_TOLD - 1 };

_Static_assert((int)IMAP_MAX_MESSAGES < (int)ORDER_MASK, "an answer's place fits");

/* Of two answers for one message the later first. */
static int by_uid(const void *a, const void *b)
{
	const struct imap_message *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;

	return (x->state & ORDER_MASK) > (y->state & ORDER_MASK) ? -1 : 1;
}

/* Two answers for one message: the one that was asked for, and news of it. What the later does not tell counts from
 * the earlier. */
static void merge(struct imap_message *into, const struct imap_message *earlier)
{
	if (into->date == IMAP_NO_DATE) {
		into->date = earlier->date;
		into->zone_minutes = earlier->zone_minutes;
	}
	if (!into->size)
		into->size = earlier->size;
	if (!(into->state & FLAGS_TOLD)) {
		into->flags = earlier->flags;
		into->state |= earlier->state & FLAGS_TOLD;
	}
}

static bool is_in_order(const struct imap_messages *m)
{
	for (size_t i = 1; i < m->n; i++)
		if (m->p[i - 1].uid >= m->p[i].uid)
			return false;

	return true;
}

/* Servers answer in rising order, but for what they say unasked in between (Q31). */
static void put_in_order(struct imap_messages *m)
{
	size_t kept = 0;

	if (is_in_order(m))
		return;

	for (size_t i = 0; i < m->n; i++)
		m->p[i].state = (m->p[i].state & FLAGS_TOLD) | (uint32_t)i;
	qsort(m->p, m->n, sizeof(*m->p), by_uid);
	for (size_t i = 0; i < m->n; i++)
		if (kept && m->p[kept - 1].uid == m->p[i].uid)
			merge(&m->p[kept - 1], &m->p[i]);
		else
			m->p[kept++] = m->p[i];
	m->n = kept;
}

void imap_messages_sort(struct imap_messages *m)
{
	put_in_order(m);
	for (size_t i = 0; i < m->n; i++)
		m->p[i].state = 0;
}

static struct imap_message *find_or_add(struct imap_messages *m, uint32_t uid)
{
	struct imap_message *message = m->n && m->p[m->n - 1].uid < uid ? NULL : imap_messages_find(m, uid);

	if (message)
		return message;

	if (m->n == IMAP_MAX_MESSAGES) /* with many twice or more? */
		put_in_order(m);
	if (m->n == IMAP_MAX_MESSAGES)
		return NULL;

	m->p = xgrow(m->p, &m->size, m->n + 1, sizeof(*m->p));
	m->p[m->n] = (struct imap_message){ .uid = uid, .date = IMAP_NO_DATE };
	return &m->p[m->n++];
}

int imap_messages_note(struct imap_messages *m, const struct imap_fetch_data *f,
		       const struct imap_range *uids, size_t n)
{
	struct imap_message *message;

	if (!(f->has & IMAP_FETCH_UID) || !imap_set_has(uids, n, f->uid))
		return 0;

	message = find_or_add(m, f->uid);
	if (!message || (f->has & IMAP_FETCH_FLAGS && flag_set(m, f->flags, &message->flags) < 0))
		return -1;

	if (f->has & IMAP_FETCH_FLAGS)
		message->state |= FLAGS_TOLD;
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

int imap_messages_take(struct imap_messages *m, struct imap_session *s, struct imap_command *c,
		       const struct imap_range *uids, size_t n, struct fault *fault)
{
	struct imap_input input;

	while (!c->done) {
		if (imap_read(s, &input, fault) < 0)
			return -1;
		if (input.event == IMAP_EVENT_RESPONSE && input.response->kind == IMAP_FETCH &&
		    imap_messages_note(m, &input.response->fetch, uids, n) < 0)
			return imap_fault_endless(s, IMAP_MAX_MESSAGES, "messages, or too many flags", fault);
	}
	return 0;
}

int imap_fault_endless(struct imap_session *s, unsigned most, const char *of_what, struct fault *fault)
{
	fault_set(fault, FAULT_LIMIT, REACH_FOLDER, AGAIN_NEVER,
		  "%s: the server tells at once of more than %u %s", s->account->label, most, of_what);
	return imap_break(s, fault);
}
