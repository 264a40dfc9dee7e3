/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in server's commands on folders: CREATE, DELETE, RENAME, subscriptions, SELECT
 * with CONDSTORE and QRESYNC (RFC 7162), MAILBOXID (RFC 8474). */
#include <inttypes.h>

#include "lib/fake-imap-parts.h"

/* --- making, renaming, removing -------------------------------------------------------------- */

int fake_create(struct fake_connection *c)
{
	struct bytes name = fake_word(c), use = fake_word(c);
	struct bytes prefix = dialogue_setting(c->fake->told, "prefix", "");
	struct fake_folder *folder;

	if (fake_folder_find(c->fake, name))
		return fake_answer(c, "NO [ALREADYEXISTS] Mailbox already exists");
	if (name.n == 0 || !bytes_starts(name, prefix))
		return fake_answer(c, "NO [CANNOT] Invalid mailbox name");
	if (use.n && !fake_can(c, "CREATE-SPECIAL-USE"))
		return fake_bad(c, "USE without CREATE-SPECIAL-USE");

	folder = fake_folder_add(c->fake, name);
	folder->is_created = true;
	if (use.n)
		dialogue_word(&c->fake->arena, &(struct bytes){ use.p + 4, use.n - 4 },
			      &folder->attributes);
	if (fake_can(c, "OBJECTID"))
		return fake_answer(c, "OK [MAILBOXID (F%u)] created", folder->object);
	return fake_answer(c, "OK created");
}

static bool has_children(const struct fake_imap *fake, const struct fake_folder *folder)
{
	char stop = fake_separator(fake);

	for (const struct fake_folder *f = fake->folders; f && stop; f = f->next)
		if (f->name.n > folder->name.n && f->name.p[folder->name.n] == stop &&
		    bytes_starts(f->name, folder->name))
			return true;

	return false;
}

int fake_delete(struct fake_connection *c)
{
	struct fake_folder *folder = fake_folder_find(c->fake, fake_word(c));

	if (!folder)
		return fake_answer(c, "NO [NONEXISTENT] No such mailbox");
	if (bytes_equal_nocase(folder->name, BYTES("INBOX")))
		return fake_answer(c, "NO [CANNOT] INBOX stays");
	if (has_children(c->fake, folder))
		return fake_answer(c, "NO [HASCHILDREN] Mailbox has children");

	fake_folder_remove(c->fake, folder);
	return fake_answer(c, "OK deleted");
}

int fake_rename(struct fake_connection *c)
{
	struct fake_folder *folder = fake_folder_find(c->fake, fake_word(c));
	struct bytes to = fake_word(c);

	if (!folder)
		return fake_answer(c, "NO [NONEXISTENT] No such mailbox");
	if (fake_folder_find(c->fake, to))
		return fake_answer(c, "NO [ALREADYEXISTS] Mailbox already exists");
	if (to.n == 0 || bytes_equal_nocase(folder->name, BYTES("INBOX")))
		return fake_answer(c, "NO [CANNOT] INBOX stays");

	fake_folder_rename(c->fake, folder, to);
	return fake_answer(c, "OK renamed");
}

static int set_subscribed(struct fake_connection *c, bool subscribed)
{
	struct fake_folder *folder = fake_folder_find(c->fake, fake_word(c));

	if (!folder)
		return fake_answer(c, "NO [NONEXISTENT] No such mailbox");
	folder->subscribed = subscribed;
	return fake_answer(c, "OK done");
}

int fake_subscribe(struct fake_connection *c)
{
	return set_subscribed(c, true);
}

int fake_unsubscribe(struct fake_connection *c)
{
	return set_subscribed(c, false);
}

int fake_namespace(struct fake_connection *c)
{
	struct bytes told = dialogue_setting(c->fake->told, "namespace", "");
	struct bytes prefix = dialogue_setting(c->fake->told, "prefix", "");
	struct bytes separator = dialogue_setting(c->fake->told, "separator", "/");
	int r;

	if (told.n)
		r = fake_sendf(c, "* NAMESPACE %.*s", BYTES_ARG(told));
	else if (bytes_equal_nocase(separator, BYTES("nil")))
		r = fake_sendf(c, "* NAMESPACE ((\"%.*s\" NIL)) NIL NIL", BYTES_ARG(prefix));
	else
		r = fake_sendf(c, "* NAMESPACE ((\"%.*s\" \"%.*s\")) NIL NIL", BYTES_ARG(prefix),
			       BYTES_ARG(separator));
	return r < 0 ? -1 : fake_answer(c, "OK done");
}

struct bytes fake_permanent_flags(const struct fake_connection *c)
{
	return dialogue_setting(c->fake->told, "permanentflags",
				"\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*");
}

/* --- opening and closing --------------------------------------------------------------------- */

static int send_modseq(struct fake_connection *c)
{
	if (!fake_can(c, "CONDSTORE"))
		return 0;
	if (c->folder->no_modseq)
		return fake_sendf(c, "* OK [NOMODSEQ] none here");
	return fake_sendf(c, "* OK [HIGHESTMODSEQ %" PRIu64 "] highest", c->folder->modseq);
}

static int send_selected(struct fake_connection *c)
{
	const struct fake_folder *f = c->folder;
	struct bytes flags = dialogue_setting(c->fake->told, "flags",
					      "\\Answered \\Flagged \\Deleted \\Seen \\Draft");
	struct bytes permanent = fake_permanent_flags(c);

	if (fake_sendf(c, "* FLAGS (%.*s)", BYTES_ARG(flags)) < 0 ||
	    fake_sendf(c, "* OK [PERMANENTFLAGS (%.*s)] kept", BYTES_ARG(permanent)) < 0 ||
	    fake_sendf(c, "* %zu EXISTS\r\n* 0 RECENT", f->n) < 0 ||
	    fake_sendf(c, "* OK [UIDVALIDITY %u] valid", f->uidvalidity) < 0 ||
	    fake_sendf(c, "* OK [UIDNEXT %u] next", f->uidnext) < 0 || send_modseq(c) < 0)
		return -1;
	return fake_can(c, "OBJECTID") ? fake_sendf(c, "* OK [MAILBOXID (F%u)] id", f->object) : 0;
}

/* CONDSTORE | QRESYNC (…), the latter into *ret_resync. NULL, or what is wrong. */
static const char *read_parameters(struct fake_connection *c, struct bytes parameters,
				   struct bytes *ret_resync)
{
	struct bytes word;

	*ret_resync = BYTES_NULL;
	while (dialogue_word(&c->fake->arena, &parameters, &word) > 0) {
		if (!fake_can(c, "CONDSTORE"))
			return "SELECT with parameters nobody advertised";
		if (bytes_equal(word, BYTES("CONDSTORE"))) {
			c->condstore = true;
			continue;
		}
		if (!bytes_equal(word, BYTES("QRESYNC")) || !c->qresync)
			return "SELECT with QRESYNC that is not enabled, or something else";
		if (dialogue_word(&c->fake->arena, &parameters, ret_resync) <= 0)
			return "QRESYNC without what is known";
	}

	return NULL;
}

static int select_folder(struct fake_connection *c, bool read_only)
{
	struct fake_folder *folder = fake_folder_find(c->fake, fake_word(c));
	struct bytes resync;
	const char *wrong = read_parameters(c, fake_word(c), &resync);
	bool had_folder = c->folder;

	c->state = FAKE_LOGGED_IN;
	c->folder = NULL;
	if (wrong)
		return fake_bad(c, wrong);
	if (had_folder && c->qresync && !c->said_ok && fake_sendf(c, "* OK [CLOSED] before") < 0)
		return -1;
	if (!folder || bytes_find(folder->attributes, BYTES("\\Noselect")) >= 0)
		return fake_answer(c, "NO [NONEXISTENT] Mailbox doesn't exist");

	c->folder = folder;
	c->read_only = read_only;
	c->state = FAKE_SELECTED;
	fake_told(c);
	if (c->said_ok) /* a rule spoke in our place */
		return 0;
	if (send_selected(c) < 0 || (resync.n && fake_resync(c, resync) < 0))
		return -1;
	return fake_answer(c, "OK [READ-%s] selected", read_only ? "ONLY" : "WRITE");
}

int fake_select(struct fake_connection *c)
{
	return select_folder(c, false);
}

int fake_examine(struct fake_connection *c)
{
	return select_folder(c, true);
}

int fake_unselect(struct fake_connection *c)
{
	c->state = FAKE_LOGGED_IN;
	c->folder = NULL;
	return fake_answer(c, "OK done");
}
