/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection is told of what happened to its folder meanwhile, and what RFC 7162
 * (CONDSTORE, QRESYNC) lets it ask of what happened before. A client's view of the folder is:
 * messages up to told_uid, and those whose expunge it has not heard of. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/fake-imap-parts.h"

/* --- the client's view ----------------------------------------------------------------------- */

static bool is_news(const struct fake_connection *c, const struct fake_event *e, bool is_expunge)
{
	return e->is_expunge == is_expunge && e->uid <= c->told_uid;
}

/* As the client counts that was told of the events before `from`. */
static size_t sequence_from(const struct fake_connection *c, uint32_t uid, size_t from)
{
	size_t number = fake_message_index(c->folder, uid) + 1;

	for (size_t i = from; i < c->folder->events_n; i++)
		number += is_news(c, &c->folder->events[i], true) && c->folder->events[i].uid < uid;
	return number;
}

size_t fake_sequence(const struct fake_connection *c, uint32_t uid)
{
	return sequence_from(c, uid, c->told_events);
}

void fake_told(struct fake_connection *c)
{
	const struct fake_folder *f = c->folder;

	c->told_events = f->events_n;
	c->told_uid = f->n ? f->messages[f->n - 1].uid : 0;
	if (f->uidnext && c->told_uid < f->uidnext - 1)
		c->told_uid = f->uidnext - 1;
	c->told_uidvalidity = f->uidvalidity;
}

const char *fake_modseq_item(const struct fake_connection *c, const struct fake_message *m,
			     char to[48])
{
	to[0] = '\0';
	if (c->condstore && !c->folder->no_modseq)
		snprintf(to, 48, " MODSEQ (%" PRIu64 ")", m->modseq);
	return to;
}

/* --- telling --------------------------------------------------------------------------------- */

static int tell_expunged(struct fake_connection *c)
{
	_cleanup_(buf_done) struct buf gone = BUF_NULL;
	struct fake_set_writer writer = { 0 };
	const struct fake_folder *f = c->folder;

	for (size_t i = c->told_events; i < f->events_n; i++) {
		if (!is_news(c, &f->events[i], true))
			continue;
		if (c->qresync)
			fake_set_add(&gone, &writer, f->events[i].uid);
		else if (fake_sendf(c, "* %zu EXPUNGE",
				    sequence_from(c, f->events[i].uid, i + 1)) < 0)
			return -1;
	}
	fake_set_end(&gone, &writer);
	return gone.n ? fake_sendf(c, "* VANISHED %s", buf_str(&gone)) : 0;
}

/* The client is told of all expunges by now: numbers are the folder's own. */
static int tell_flags(struct fake_connection *c, size_t from)
{
	const struct fake_folder *f = c->folder;
	char modseq[48];

	for (size_t i = from; i < f->events_n; i++) {
		const struct fake_message *m = fake_message_find(f, f->events[i].uid);

		if (!m || !is_news(c, &f->events[i], false) || f->events[i].by == c->number)
			continue;
		if (fake_sendf(c, "* %zu FETCH (UID %u FLAGS (%.*s)%s)",
			       fake_message_index(f, m->uid) + 1, m->uid, BYTES_ARG(m->flags),
			       fake_modseq_item(c, m, modseq)) < 0)
			return -1;
	}

	return 0;
}

int fake_tell(struct fake_connection *c)
{
	struct fake_folder *f = c->folder;
	size_t from = c->told_events;
	bool grew;

	if (!f)
		return 0;
	if (f->is_gone || f->uidvalidity != c->told_uidvalidity) {
		fake_sendf(c, "* BYE the mailbox is another one now");
		return -1;
	}
	grew = f->n && f->messages[f->n - 1].uid > c->told_uid;
	if (tell_expunged(c) < 0)
		return -1;
	c->told_events = f->events_n;
	if (tell_flags(c, from) < 0)
		return -1;
	fake_told(c);
	return grew ? fake_sendf(c, "* %zu EXISTS", f->n) : 0;
}

/* --- what happened before -------------------------------------------------------------------- */

static int compare_uids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int fake_send_vanished(struct fake_connection *c, struct bytes set, uint64_t modseq)
{
	_cleanup_(buf_done) struct buf uids = BUF_NULL, text = BUF_NULL;
	struct fake_set_writer writer = { 0 };
	const struct fake_folder *f = c->folder;
	const uint32_t *sorted;
	size_t n;

	for (size_t i = 0; i < f->events_n; i++) {
		const struct fake_event *e = &f->events[i];

		if (e->is_expunge && e->modseq > modseq &&
		    (!set.p || fake_in_set(set, e->uid, c->told_uid) > 0))
			buf_append(&uids, &e->uid, sizeof(e->uid));
	}
	n = uids.n / sizeof(uint32_t);
	if (n == 0)
		return 0;
	qsort(uids.p, n, sizeof(uint32_t), compare_uids);
	sorted = (const uint32_t *)(const void *)uids.p;
	for (size_t i = 0; i < n; i++)
		fake_set_add(&text, &writer, sorted[i]);
	fake_set_end(&text, &writer);
	return fake_sendf(c, "* VANISHED (EARLIER) %s", buf_str(&text));
}

/* uidvalidity modseq [known-uids [(numbers uids)]] */
int fake_resync(struct fake_connection *c, struct bytes arguments)
{
	const struct fake_folder *f = c->folder;
	uint64_t uidvalidity, modseq;
	struct bytes word, known = BYTES_NULL;

	if (dialogue_word(&c->fake->arena, &arguments, &word) <= 0 ||
	    bytes_to_u64(word, UINT32_MAX, &uidvalidity) < 0 ||
	    dialogue_word(&c->fake->arena, &arguments, &word) <= 0 ||
	    bytes_to_u64(word, UINT64_MAX, &modseq) < 0 || modseq == 0) {
		fake_complain(c->fake, 0, "QRESYNC without UIDVALIDITY and mod-sequence: %s",
			      buf_str(&c->command));
		return 0;
	}
	if (uidvalidity != f->uidvalidity || f->no_modseq)
		return 0;

	arguments = bytes_trim(arguments);
	if (arguments.n && arguments.p[0] != '(') /* a group is about sequence numbers */
		dialogue_word(&c->fake->arena, &arguments, &known);
	if (fake_send_vanished(c, known.n ? known : BYTES_NULL, modseq) < 0)
		return -1;
	for (size_t i = 0; i < f->n; i++) {
		const struct fake_message *m = &f->messages[i];

		if (m->modseq <= modseq ||
		    (known.n && fake_in_set(known, m->uid, c->told_uid) <= 0))
			continue;
		if (fake_sendf(c, "* %zu FETCH (UID %u FLAGS (%.*s) MODSEQ (%" PRIu64 "))", i + 1,
			       m->uid, BYTES_ARG(m->flags), m->modseq) < 0)
			return -1;
	}

	return 0;
}
