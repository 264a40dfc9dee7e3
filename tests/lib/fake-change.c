/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody else does to the mailbox: between two runs of the client, or at a rule. A
 * change that makes no sense (a message that is not there) is a mistake in the file, and
 * complained about. */
#include <limits.h>

#include "base/xalloc.h"
#include "lib/fake-imap-parts.h"

struct changing {
	struct fake_imap *fake;
	const struct dialogue_change *change;
	struct fake_folder *folder;
};

static void wrong(const struct changing *c, const char *what)
{
	fake_complain(c->fake, c->change->line, "%s: %.*s", what, BYTES_ARG(c->change->folder));
}

/* The UIDs the change names that are in the folder, xmalloc()ed, 0 behind them; each range
 * must hold one. */
static uint32_t *named_uids(const struct changing *c)
{
	uint32_t *uids = xzalloc((c->folder->n + 1) * sizeof(uint32_t));
	struct bytes rest = c->change->uids;
	size_t n = 0;

	while (rest.n) {
		struct bytes range = bytes_cut(&rest, ','), high = range;
		struct bytes low = bytes_cut(&high, '.');
		uint64_t first = 1, last = UINT32_MAX;
		size_t before = n;

		if (!bytes_equal(range, BYTES("*"))) {
			bytes_to_u64(low, UINT32_MAX, &first);
			last = first;
			if (high.n)
				bytes_to_u64(bytes_skip(high, 1), UINT32_MAX, &last);
		}
		for (size_t i = fake_message_index(c->folder, first);
		     i < c->folder->n && n < c->folder->n; i++)
			if (c->folder->messages[i].uid <= last)
				uids[n++] = c->folder->messages[i].uid;
		if (n == before)
			wrong(c, "no such message");
	}

	return uids;
}

/* --- messages -------------------------------------------------------------------------------- */

static void change_add(struct changing *c)
{
	fake_messages_describe(c->fake, c->folder, c->change->message, false);
}

static void change_remove(struct changing *c)
{
	_cleanup_(freep) uint32_t *uids = named_uids(c);

	for (size_t i = 0; uids[i]; i++)
		fake_message_remove(c->folder, uids[i], 0);
}

static void change_flags(struct changing *c)
{
	_cleanup_(freep) uint32_t *uids = named_uids(c);

	for (size_t i = 0; uids[i]; i++)
		fake_message_flags(c->fake, c->folder, fake_message_find(c->folder, uids[i]),
				   c->change->sign, c->change->flags, 0);
}

/* move or copy UIDS to FOLDER [as UID] */
static void change_copy(struct changing *c)
{
	_cleanup_(freep) uint32_t *uids = named_uids(c);
	struct fake_folder *to = fake_folder_find(c->fake, c->change->other);

	if (!to) {
		wrong(c, "no folder to bring messages to from");
		return;
	}
	if (c->change->number && c->change->number < to->uidnext)
		wrong(c, "UIDs would not rise, coming from");
	else if (c->change->number)
		to->uidnext = c->change->number;
	for (size_t i = 0; uids[i]; i++) {
		struct fake_message original = *fake_message_find(c->folder, uids[i]);

		fake_message_copy(to, &original);
		if (c->change->kind == CHANGE_MOVE)
			fake_message_remove(c->folder, uids[i], 0);
	}
}

/* --- folders --------------------------------------------------------------------------------- */

static void change_empty(struct changing *c)
{
	fake_folder_empty(c->folder);
}

static void change_refill(struct changing *c)
{
	if (!c->folder->told)
		wrong(c, "the file does not say what was in");
	for (const struct dialogue_message *m = c->folder->told ? c->folder->told->messages : NULL;
	     m; m = m->next)
		fake_messages_describe(c->fake, c->folder, m, true);
}

static void change_rename(struct changing *c)
{
	if (fake_folder_find(c->fake, c->change->other))
		wrong(c, "there is a folder of that name already, for");
	else
		fake_folder_rename(c->fake, c->folder, c->change->other);
}

static void change_create(struct changing *c)
{
	const struct dialogue_folder *told = c->change->created;

	if (c->folder) {
		wrong(c, "there is such a folder already");
		return;
	}
	c->folder = fake_folder_add(c->fake, told->name);
	c->folder->attributes = told->attributes;
	c->folder->subscribed = !told->unsubscribed;
	c->folder->no_modseq = told->no_modseq;
	if (told->uidvalidity)
		c->folder->uidvalidity = told->uidvalidity;
	if (told->uidnext)
		c->folder->uidnext = told->uidnext;
}

static void change_delete(struct changing *c)
{
	fake_folder_remove(c->fake, c->folder);
}

/* Whoever has the folder open learns that it is another one. */
static void change_uidvalidity(struct changing *c)
{
	struct fake_folder *f = c->folder;

	f->uidvalidity = c->change->number;
	if (!c->change->renumber_from)
		return;
	f->uidnext = c->change->renumber_from;
	for (size_t i = 0; i < f->n; i++)
		f->messages[i].uid = f->uidnext++;
	f->events_n = 0; /* of other UIDs */
}

static void change_modseq(struct changing *c)
{
	struct fake_folder *f = c->folder;

	f->modseq = c->change->number;
	for (size_t i = 0; i < f->n; i++)
		if (f->messages[i].modseq > f->modseq)
			f->messages[i].modseq = f->modseq;
}

static void change_subscription(struct changing *c)
{
	c->folder->subscribed = c->change->kind == CHANGE_SUBSCRIBE;
}

/* --- all of them ----------------------------------------------------------------------------- */

static void (*const changers[])(struct changing *c) = {
	[CHANGE_ADD] = change_add,
	[CHANGE_REMOVE] = change_remove,
	[CHANGE_FLAGS] = change_flags,
	[CHANGE_MOVE] = change_copy,
	[CHANGE_COPY] = change_copy,
	[CHANGE_EMPTY] = change_empty,
	[CHANGE_REFILL] = change_refill,
	[CHANGE_RENAME] = change_rename,
	[CHANGE_CREATE] = change_create,
	[CHANGE_DELETE] = change_delete,
	[CHANGE_UIDVALIDITY] = change_uidvalidity,
	[CHANGE_MODSEQ] = change_modseq,
	[CHANGE_SUBSCRIBE] = change_subscription,
	[CHANGE_UNSUBSCRIBE] = change_subscription,
};

void fake_change(struct fake_imap *fake, const struct dialogue_change *change)
{
	struct changing c = { fake, change, fake_folder_find(fake, change->folder) };

	if (!c.folder && change->kind != CHANGE_CREATE)
		wrong(&c, "there is no folder");
	else
		changers[change->kind](&c);
}

void fake_imap_run(struct fake_imap *fake, unsigned number)
{
	const struct dialogue_change *next = fake->told ? fake->told->changes : NULL;

	if (fake->changed)
		next = fake->changed->next;
	for (; next && next->after_run < number; next = next->next) {
		fake_change(fake, next);
		fake->changed = next;
	}
	fake->run = number;
	fake->run_connections = 0;
	fake->run_commands = fake->commands.n;
}
