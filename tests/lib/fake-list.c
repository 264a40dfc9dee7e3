/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in server's LIST (RFC 3501, 5258, 5819, 6154), LSUB, XLIST and STATUS. */
#include <inttypes.h>
#include <string.h>

#include "lib/fake-imap-parts.h"

/* "%" stops at the separator, "*" does not. */
static bool name_matches(struct bytes pattern, struct bytes name, char stop)
{
	while (pattern.n && pattern.p[0] != '*' && pattern.p[0] != '%') {
		if (name.n == 0 || name.p[0] != pattern.p[0])
			return false;
		pattern = bytes_skip(pattern, 1);
		name = bytes_skip(name, 1);
	}
	if (pattern.n == 0)
		return name.n == 0;

	for (size_t i = 0; i <= name.n; i++) {
		if (name_matches(bytes_skip(pattern, 1), bytes_skip(name, i), stop))
			return true;
		if (i < name.n && pattern.p[0] == '%' && stop && name.p[i] == stop)
			return false;
	}

	return false;
}

static bool has_children(const struct fake_connection *c, const struct fake_folder *folder)
{
	char stop = fake_separator(c->fake);

	for (const struct fake_folder *f = c->fake->folders; f && stop; f = f->next)
		if (f->name.n > folder->name.n && f->name.p[folder->name.n] == stop &&
		    bytes_starts(f->name, folder->name))
			return true;

	return false;
}

struct list_command {
	const char *verb;
	struct bytes selection, reference, pattern, returns, status;
	bool subscribed_only, show_subscribed;
};

static void quote(struct buf *to, struct bytes name)
{
	buf_append_char(to, '"');
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			buf_append_char(to, '\\');
		buf_append_char(to, name.p[i]);
	}
	buf_append_char(to, '"');
}

static int send_entry(struct fake_connection *c, const struct list_command *l,
		      const struct fake_folder *folder)
{
	_cleanup_(buf_done) struct buf line = BUF_NULL;
	char stop = fake_separator(c->fake);

	buf_appendf(&line, "* %s (%.*s", l->verb, BYTES_ARG(folder->attributes));
	if (fake_can(c, "CHILDREN") && strcmp(l->verb, "LIST") == 0)
		buf_appendf(&line, "%s%s", folder->attributes.n ? " " : "",
			    has_children(c, folder) ? "\\HasChildren" : "\\HasNoChildren");
	if (l->show_subscribed && folder->subscribed)
		buf_appendf(&line, "%s\\Subscribed", line.p[line.n - 1] == '(' ? "" : " ");
	buf_append_str(&line, ") ");
	if (stop)
		quote(&line, (struct bytes){ &stop, 1 });
	else
		buf_append_str(&line, "NIL");
	buf_append_char(&line, ' ');
	quote(&line, folder->name);
	buf_append_str(&line, "\r\n");
	return fake_send(c, buf_bytes(&line));
}

/* --- STATUS ---------------------------------------------------------------------------------- */

static uint64_t folder_size(const struct fake_folder *folder)
{
	uint64_t size = 0;

	for (size_t i = 0; i < folder->n; i++)
		size += folder->messages[i].size;
	return size;
}

static uint64_t folder_unseen(const struct fake_folder *folder)
{
	uint64_t n = 0;

	for (size_t i = 0; i < folder->n; i++)
		n += !fake_has_flag(folder->messages[i].flags, BYTES("\\Seen"));
	return n;
}

static void put_status_item(struct fake_connection *c, struct buf *to,
			    const struct fake_folder *folder, struct bytes item)
{
	if (bytes_equal_nocase(item, BYTES("MESSAGES")))
		buf_appendf(to, " MESSAGES %zu", folder->n);
	else if (bytes_equal_nocase(item, BYTES("UIDNEXT")))
		buf_appendf(to, " UIDNEXT %u", folder->uidnext);
	else if (bytes_equal_nocase(item, BYTES("UIDVALIDITY")))
		buf_appendf(to, " UIDVALIDITY %u", folder->uidvalidity);
	else if (bytes_equal_nocase(item, BYTES("UNSEEN")))
		buf_appendf(to, " UNSEEN %" PRIu64, folder_unseen(folder));
	else if (bytes_equal_nocase(item, BYTES("RECENT")))
		buf_append_str(to, " RECENT 0");
	else if (bytes_equal_nocase(item, BYTES("SIZE")) && fake_can(c, "STATUS=SIZE"))
		buf_appendf(to, " SIZE %" PRIu64, folder_size(folder));
	else if (bytes_equal_nocase(item, BYTES("HIGHESTMODSEQ")) && fake_can(c, "CONDSTORE"))
		buf_appendf(to, " HIGHESTMODSEQ %" PRIu64,
			    folder->no_modseq ? 0 : folder->modseq);
	else if (bytes_equal_nocase(item, BYTES("APPENDLIMIT")) && fake_can(c, "APPENDLIMIT"))
		buf_append_str(to, " APPENDLIMIT NIL");
	else if (bytes_equal_nocase(item, BYTES("MAILBOXID")) && fake_can(c, "OBJECTID"))
		buf_appendf(to, " MAILBOXID (F%u)", folder->object);
	else
		fake_complain(c->fake, 0, "a STATUS item that was not advertised: %.*s",
			      BYTES_ARG(item));
}

static int send_status(struct fake_connection *c, const struct fake_folder *folder,
		       struct bytes items)
{
	_cleanup_(buf_done) struct buf line = BUF_NULL, values = BUF_NULL;

	while (items.n) {
		struct bytes item = bytes_cut(&items, ' ');

		c->condstore |= bytes_equal_nocase(item, BYTES("HIGHESTMODSEQ"));
		if (item.n)
			put_status_item(c, &values, folder, item);
	}
	buf_append_str(&line, "* STATUS ");
	quote(&line, folder->name);
	buf_append_str(&line, " (");
	buf_append_bytes(&line, bytes_skip(buf_bytes(&values), 1));
	buf_append_str(&line, ")\r\n");
	return fake_send(c, buf_bytes(&line));
}

int fake_status(struct fake_connection *c)
{
	const struct fake_folder *folder = fake_folder_find(c->fake, fake_word(c));
	struct bytes items = fake_word(c);

	if (!folder)
		return fake_answer(c, "NO [NONEXISTENT] No such mailbox");
	return send_status(c, folder, items) < 0 ? -1 : fake_answer(c, "OK done");
}

/* --- LIST ------------------------------------------------------------------------------------ */

static int send_matching(struct fake_connection *c, const struct list_command *l)
{
	for (const struct fake_folder *f = c->fake->folders; f; f = f->next) {
		if (!name_matches(l->pattern, f->name, fake_separator(c->fake)))
			continue;
		if (l->subscribed_only && !f->subscribed)
			continue;
		if (send_entry(c, l, f) < 0)
			return -1;
		if (l->status.n && bytes_find(f->attributes, BYTES("\\Noselect")) < 0 &&
		    send_status(c, f, l->status) < 0)
			return -1;
	}

	return fake_answer(c, "OK done");
}

/* Asks for extensions that the server never spoke of? */
static bool is_advertised(struct fake_connection *c, const struct list_command *l)
{
	bool extended = l->selection.n || l->returns.n;
	struct bytes both[] = { l->selection, l->returns };

	if (extended && !fake_can(c, "LIST-EXTENDED") && !fake_can(c, "LIST-STATUS"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(both); i++)
		if (bytes_find(both[i], BYTES("SPECIAL-USE")) >= 0 && !fake_can(c, "SPECIAL-USE"))
			return false;
	return bytes_find(l->returns, BYTES("STATUS")) < 0 || fake_can(c, "LIST-STATUS");
}

/* LIST [(selection)] reference pattern [RETURN (options)] */
static int read_list(struct fake_connection *c, struct list_command *l)
{
	ptrdiff_t at;
	struct bytes status;

	c->arguments = bytes_trim(c->arguments);
	if (c->arguments.n && c->arguments.p[0] == '(')
		l->selection = fake_word(c);
	l->reference = fake_word(c);
	l->pattern = fake_word(c);
	if (bytes_equal_nocase(fake_word(c), BYTES("RETURN")))
		l->returns = fake_word(c);

	l->subscribed_only |= bytes_find(l->selection, BYTES("SUBSCRIBED")) >= 0;
	l->show_subscribed = l->subscribed_only || bytes_find(l->returns, BYTES("SUBSCRIBED")) >= 0;
	at = bytes_find(l->returns, BYTES("STATUS ("));
	if (at >= 0) {
		status = bytes_skip(l->returns, (size_t)at + 7);
		if (dialogue_word(&c->fake->arena, &status, &l->status) < 0)
			return -1;
	}
	return 0;
}

static int list(struct fake_connection *c, struct list_command *l)
{
	_cleanup_(buf_done) struct buf root = BUF_NULL;
	char stop = fake_separator(c->fake);

	if (read_list(c, l) < 0)
		return fake_bad(c, "a LIST nobody understands");
	if (!is_advertised(c, l))
		return fake_bad(c, "LIST with what was not advertised");
	if (l->reference.n)
		return fake_bad(c, "LIST with a reference, which servers read differently");

	if (l->pattern.n)
		return send_matching(c, l);
	buf_appendf(&root, "* %s (\\Noselect) ", l->verb);
	if (stop)
		quote(&root, (struct bytes){ &stop, 1 });
	else
		buf_append_str(&root, "NIL");
	if (fake_sendf(c, "%s \"\"", buf_str(&root)) < 0)
		return -1;
	return fake_answer(c, "OK done");
}

int fake_list(struct fake_connection *c)
{
	return list(c, &(struct list_command){ .verb = "LIST" });
}

int fake_lsub(struct fake_connection *c)
{
	return list(c, &(struct list_command){ .verb = "LSUB", .subscribed_only = true });
}

int fake_xlist(struct fake_connection *c)
{
	return list(c, &(struct list_command){ .verb = "XLIST" });
}
