/* SPDX-License-Identifier: Apache-2.0 */
/* See stores.h. */
#include "copy/stores.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/links.h"
#include "imap/write.h"
#include "state/ledger.h"

static struct ledger *ledger_of(const struct copy_pass *pass)
{
	return pass->worker->copy->options.ledger;
}

static bool has_flag(const char *set, struct bytes flag)
{
	struct bytes rest = bytes_of(set);

	while (rest.n)
		if (bytes_equal_nocase(bytes_cut(&rest, ' '), flag))
			return true;

	return false;
}

/* The flags of `set` that `without` lacks, as far as they can be sent and the destination keeps them. */
static uint32_t difference(struct copy_pass *pass, uint32_t set, uint32_t without)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	const char *other = ledger_flags(ledger_of(pass), without);
	struct bytes rest = bytes_of(ledger_flags(ledger_of(pass), set));

	while (rest.n) {
		struct bytes flag = bytes_cut(&rest, ' ');

		if (!flag.n || has_flag(other, flag) || !imap_flag_is_sendable(flag) ||
		    !copy_pass_keeps_flag(pass, flag))
			continue;
		if (text.n)
			buf_append_char(&text, ' ');
		buf_append_bytes(&text, flag);
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
			buf_appendf(&text, "%s%.*s", text.n ? " " : "", BYTES_ARG(flag));
	}
	while (more.n) {
		struct bytes flag = bytes_cut(&more, ' ');

		if (!has_flag(had, flag))
			buf_appendf(&text, "%s%.*s", text.n ? " " : "", BYTES_ARG(flag));
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
		there = ledger_flags_id(ledger_of(pass), found.flag_sets[m->flags]);
		c->leave = there != c->copy_flags;
		c->copy_flags = there;
	}
	imap_messages_done(&found);
	return r;
}

static void decide(struct copy_pass *pass)
{
	bool only_add = pass->only_add_flags || pass->worker->copy->options.flags == COPY_FLAGS_ADD_ONLY;

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
	struct copy *copy = pass->worker->copy;
	char detail[700];

	snprintf(detail, sizeof(detail), "%zu messages: %.600s", n, why->server[0] ? why->server : why->text);
	books_except(&copy->books, pass->index, CAUSE_FLAGS_KEPT, 0, 0, n, "", detail);
	return copy_tell(copy, EVENT_EXCEPTION, copy->books.exceptions_n - 1, fault);
}

static int store_groups(struct copy_pass *pass, struct fault *fault)
{
	size_t first = 0;

	while (first < pass->changes_n) {
		const struct flag_change *c = &pass->changes[first];
		size_t end = first;
		int r = 0;

		while (end < pass->changes_n && pass->changes[end].add == c->add &&
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
		return -1;
	if (is_another_folder(pass)) {
		copy_stores_done(pass);
		pass->worker->copy->links[pass->index].incomplete = true;
		return imap_unselect(to, name, fault);
	}
	copy_pass_take_permanent(pass);
	if (!pass->only_add_flags && pass->worker->copy->options.flags == COPY_FLAGS_NEWER &&
	    look_at_copies(pass, fault) < 0)
		return -1;

	decide(pass);
	if (store_groups(pass, fault) < 0)
		return -1;

	pass->changes_n = 0;
	return imap_unselect(to, name, fault);
}
