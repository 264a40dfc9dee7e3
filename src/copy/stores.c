/* SPDX-License-Identifier: Apache-2.0 */
/* See stores.h. */
#include "copy/stores.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/links.h"
#include "copy/record.h"
#include "imap/write.h"
#include "state/ledger.h"

static struct ledger *ledger_of(const struct copy_pass *pass)
{
	return pass->worker->copy->options.ledger;
}

enum { STORED_AT_ONCE = 16384 }; /* changes that are made durable together, and then stored */

static struct bytes certain(struct bytes flag)
{
	return flag.n && flag.p[0] == LEDGER_IN_DOUBT ? bytes_skip(flag, 1) : flag;
}

static bool has_flag(const char *set, struct bytes flag)
{
	struct bytes rest = bytes_of(set);

	while (rest.n)
		if (bytes_equal_nocase(bytes_cut(&rest, ' '), flag))
			return true;

	return false;
}

static void add_flag(struct buf *to, struct bytes flag)
{
	if (to->n)
		buf_append_char(to, ' ');
	buf_append_bytes(to, flag);
}

/* The flags of `set`, those in doubt too, that `without` does not have for certain, as far as they can be sent and the
 * destination keeps them. */
static uint32_t difference(struct copy_pass *pass, uint32_t set, uint32_t without)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	const char *other = ledger_flags(ledger_of(pass), without);
	struct bytes rest = bytes_of(ledger_flags(ledger_of(pass), set));

	while (rest.n) {
		struct bytes flag = certain(bytes_cut(&rest, ' '));

		if (flag.n && !has_flag(other, flag) && imap_flag_is_sendable(flag) &&
		    copy_pass_keeps_flag(pass, flag))
			add_flag(&text, flag);
	}
	return ledger_flags_id(ledger_of(pass), buf_str(&text));
}

static uint32_t apply(struct copy_pass *pass, uint32_t set, uint32_t add, uint32_t remove)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	const char *had = ledger_flags(ledger_of(pass), set);
	const char *gone = ledger_flags(ledger_of(pass), remove);
	struct bytes rest = bytes_of(had);
	struct bytes more = bytes_of(ledger_flags(ledger_of(pass), add));

	while (rest.n) {
		struct bytes flag = bytes_cut(&rest, ' ');

		if (!has_flag(gone, flag))
			add_flag(&text, flag);
	}
	while (more.n) {
		struct bytes flag = bytes_cut(&more, ' ');

		if (!has_flag(had, flag))
			add_flag(&text, flag);
	}
	return ledger_flags_id(ledger_of(pass), buf_str(&text));
}

static void doubt(struct buf *to, struct bytes flags)
{
	while (flags.n) {
		struct bytes flag = bytes_cut(&flags, ' ');

		if (to->n)
			buf_append_char(to, ' ');
		buf_append_char(to, LEDGER_IN_DOUBT);
		buf_append_bytes(to, flag);
	}
}

/* `set`, with those that are about to be added or removed in doubt. */
static uint32_t with_doubts(struct copy_pass *pass, uint32_t set, uint32_t add, uint32_t remove)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	const char *added = ledger_flags(ledger_of(pass), add);
	const char *removed = ledger_flags(ledger_of(pass), remove);
	struct bytes rest = bytes_of(ledger_flags(ledger_of(pass), set));

	while (rest.n) {
		struct bytes flag = bytes_cut(&rest, ' ');

		if (!has_flag(added, certain(flag)) && !has_flag(removed, certain(flag)))
			add_flag(&text, flag);
	}
	doubt(&text, bytes_of(added));
	doubt(&text, bytes_of(removed));
	return ledger_flags_id(ledger_of(pass), buf_str(&text));
}

/* Whether each flag of one set is in the other, or in doubt. */
static bool holds(const char *set, const char *other, const char *doubts)
{
	struct bytes rest = bytes_of(set);

	while (rest.n) {
		_cleanup_(buf_done) struct buf doubted = BUF_NULL;
		struct bytes flag = bytes_cut(&rest, ' ');

		doubt(&doubted, flag);
		if (!has_flag(other, flag) && !has_flag(doubts, buf_bytes(&doubted)))
			return false;
	}
	return true;
}

uint32_t copy_stores_common(struct copy_pass *pass, uint32_t a, uint32_t b)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	const char *other = ledger_flags(ledger_of(pass), b);
	struct bytes rest = bytes_of(ledger_flags(ledger_of(pass), a));

	while (rest.n) {
		struct bytes flag = bytes_cut(&rest, ' ');

		if (has_flag(other, flag))
			add_flag(&text, flag);
	}
	return ledger_flags_id(ledger_of(pass), buf_str(&text));
}

void copy_stores_want(struct copy_pass *pass, uint32_t uid, uint32_t copy_uid, uint32_t was,
		      uint32_t now, uint32_t copy_flags)
{
	pass->changes = xgrow(pass->changes, &pass->changes_size, pass->changes_n + 1,
			      sizeof(*pass->changes));
	pass->changes[pass->changes_n++] = (struct flag_change){
		.uid = uid, .copy_uid = copy_uid, .was = was, .now = now, .copy_flags = copy_flags,
	};
}

void copy_stores_done(struct copy_pass *pass)
{
	free(pass->changes);
	pass->changes = NULL;
	pass->changes_n = pass->changes_size = 0;
}

/* By what is to be stored, then by UID. */
static int by_change(const void *a, const void *b)
{
	const struct flag_change *x = a, *y = b;

	if (x->leave != y->leave)
		return x->leave ? 1 : -1;
	if (x->add != y->add)
		return x->add < y->add ? -1 : 1;
	if (x->remove != y->remove)
		return x->remove < y->remove ? -1 : 1;
	return x->copy_uid < y->copy_uid ? -1 : x->copy_uid > y->copy_uid;
}

static int by_copy_uid(const void *a, const void *b)
{
	const struct flag_change *x = a, *y = b;

	return x->copy_uid < y->copy_uid ? -1 : x->copy_uid > y->copy_uid;
}

/* The copy differs from what was last seen only in what a pass that stopped may have stored. */
static bool is_ours(const struct copy_pass *pass, const struct flag_change *c, uint32_t there)
{
	const char *now = ledger_flags(ledger_of(pass), there);
	const char *then = ledger_flags(ledger_of(pass), c->copy_flags);
	const char *doubts = ledger_flags(ledger_of(pass), c->was);

	return holds(now, then, doubts) && holds(then, now, doubts);
}

/* What the copies have now. One whose flags are not those that were last seen there was changed by its user. */
static int look_at_copies(struct copy_pass *pass, struct fault *fault)
{
	_cleanup_(freep) struct imap_range *ranges = NULL;
	struct imap_messages found;
	size_t n = 0, capacity = 0;
	int r;

	qsort(pass->changes, pass->changes_n, sizeof(*pass->changes), by_copy_uid);
	for (size_t i = 0; i < pass->changes_n; i++)
		if (i == 0 || pass->changes[i].copy_uid != pass->changes[i - 1].copy_uid)
			imap_set_add(&ranges, &n, &capacity, pass->changes[i].copy_uid);

	imap_messages_init(&found);
	r = imap_fetch_items_of(pass->worker->to, ranges, n, IMAP_ITEM_FLAGS, &found, fault);
	for (size_t i = 0; i < pass->changes_n && r == 0; i++) {
		struct flag_change *c = &pass->changes[i];
		const struct imap_message *m = imap_messages_find(&found, c->copy_uid);
		uint32_t there;

		if (!m)
			continue;
		there = copy_record_set(ledger_of(pass), found.flag_sets[m->flags]);
		c->leave = there != c->copy_flags && !is_ours(pass, c, there);
		c->copy_flags = there;
	}
	imap_messages_done(&found);
	return r;
}

static void decide(struct copy_pass *pass)
{
	bool only_add = pass->worker->copy->options.flags == COPY_FLAGS_ADD_ONLY;

	for (size_t i = 0; i < pass->changes_n; i++) {
		struct flag_change *c = &pass->changes[i];

		if (c->leave)
			continue;
		c->add = difference(pass, c->now, c->was);
		if (!only_add)
			c->remove = difference(pass, c->was, c->now);
	}
	qsort(pass->changes, pass->changes_n, sizeof(*pass->changes), by_change);
}

/* Before anything is stored: from now on the copies may have the first n changes, or not. */
static int make_durable(struct copy_pass *pass, size_t n, struct fault *fault)
{
	uint32_t folder = pass->worker->copy->links[pass->index].known->id;
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		struct flag_change *c = &pass->changes[i];

		if (c->leave || (!c->add && !c->remove))
			continue;
		c->was = with_doubts(pass, c->was, c->add, c->remove);
		ledger_set_flags(ledger_of(pass), folder, c->uid, c->was, c->copy_flags);
		any = true;
	}
	return any ? ledger_commit(ledger_of(pass), fault) : 0;
}

/* Those from first to end get the same. Refused is no reason to stop: it is noted with each. */
static int store_group(struct copy_pass *pass, size_t first, size_t end, struct fault *fault)
{
	_cleanup_(freep) struct imap_range *ranges = NULL;
	const struct flag_change *group = &pass->changes[first];
	size_t n = 0, capacity = 0;
	const char *add = ledger_flags(ledger_of(pass), group->add);
	const char *remove = ledger_flags(ledger_of(pass), group->remove);

	for (size_t i = first; i < end; i++)
		if (i == first || pass->changes[i].copy_uid != pass->changes[i - 1].copy_uid)
			imap_set_add(&ranges, &n, &capacity, pass->changes[i].copy_uid);

	if (add[0] && imap_store(pass->worker->to, ranges, n, true, add, fault) < 0)
		return -1;
	if (remove[0] && imap_store(pass->worker->to, ranges, n, false, remove, fault) < 0)
		return -1;
	return 0;
}

static void note_group(struct copy_pass *pass, size_t first, size_t end, const struct fault *refused)
{
	uint32_t folder = pass->worker->copy->links[pass->index].known->id;

	for (size_t i = first; i < end; i++) {
		const struct flag_change *c = &pass->changes[i];
		bool any = c->add || c->remove;

		ledger_set_flags(ledger_of(pass), folder, c->uid, c->now,
				 refused ? c->copy_flags : apply(pass, c->copy_flags, c->add, c->remove));
		if (refused)
			ledger_set_cause(ledger_of(pass), folder, c->uid, CAUSE_FLAGS_KEPT + 1,
					 refused->server[0] ? refused->server : refused->text, 0, NULL);
		else
			pass->folder->flags_changed += any && !c->leave;
	}
}

static int tell_refused(struct copy_pass *pass, size_t n, const struct fault *why, struct fault *fault)
{
	char detail[700];

	snprintf(detail, sizeof(detail), "%zu messages: %.600s", n, why->server[0] ? why->server : why->text);
	return copy_pass_except_folder(pass, CAUSE_FLAGS_KEPT, n, detail, fault);
}

static int store_groups(struct copy_pass *pass, size_t n, struct fault *fault)
{
	size_t first = 0;

	while (first < n) {
		const struct flag_change *c = &pass->changes[first];
		size_t end = first;
		int r = 0;

		while (end < n && pass->changes[end].add == c->add &&
		       pass->changes[end].remove == c->remove && pass->changes[end].leave == c->leave)
			end++;
		if (!c->leave)
			r = store_group(pass, first, end, fault);
		if (r < 0 && fault->reach > REACH_FOLDER)
			return -1;
		note_group(pass, first, end, r < 0 ? fault : NULL);
		if (r < 0) {
			struct fault why = *fault;

			if (tell_refused(pass, end - first, &why, fault) < 0)
				return -1;
		}
		first = end;
	}
	return 0;
}

/* One commit for many changes: a row with doubts says what is to be repaired, whatever the source does until then. */
static int store_all(struct copy_pass *pass, struct fault *fault)
{
	while (pass->changes_n) {
		size_t n = pass->changes_n < STORED_AT_ONCE ? pass->changes_n : STORED_AT_ONCE;

		if (make_durable(pass, n, fault) < 0 || store_groups(pass, n, fault) < 0)
			return -1;
		pass->changes_n -= n;
		memmove(pass->changes, pass->changes + n, pass->changes_n * sizeof(*pass->changes));
	}
	return 0;
}

/* Nothing can be stored in it: that is said, and tried again by the next pass. */
static int cannot_open(struct copy_pass *pass, struct fault *fault)
{
	struct copy_link *link = &pass->worker->copy->links[pass->index];
	size_t n = pass->changes_n;
	struct fault why = *fault;

	if (why.reach > REACH_FOLDER)
		return -1;

	copy_stores_done(pass);
	link->incomplete = true;
	if (link->not_stored)
		return 0;

	link->not_stored = true;
	return tell_refused(pass, n, &why, fault);
}

/* Its UIDs are of other messages than the rows think. */
static bool is_another_folder(const struct copy_pass *pass)
{
	uint32_t known = pass->worker->copy->links[pass->index].known->destination_uidvalidity;
	uint32_t now = pass->worker->to->selected.uidvalidity;

	return known && now && known != now;
}

int copy_stores_run(struct copy_pass *pass, struct fault *fault)
{
	struct imap_session *to = pass->worker->to;
	struct bytes name = pass->folder->destination_name;

	if (!pass->changes_n)
		return 0;

	if (imap_select(to, name, false, fault) < 0)
		return cannot_open(pass, fault);
	if (is_another_folder(pass)) {
		copy_stores_done(pass);
		pass->worker->copy->links[pass->index].incomplete = true;
		return imap_unselect(to, name, fault);
	}
	copy_pass_take_permanent(pass);
	if (pass->worker->copy->options.flags == COPY_FLAGS_NEWER && look_at_copies(pass, fault) < 0)
		return -1;

	decide(pass);
	return store_all(pass, fault) < 0 ? -1 : imap_unselect(to, name, fault);
}
