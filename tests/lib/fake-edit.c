/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in server's STORE, EXPUNGE (RFC 3501, 4315), COPY and MOVE (RFC 6851). */
#include <inttypes.h>

#include "base/xalloc.h"
#include "lib/fake-imap-parts.h"

/* --- STORE ----------------------------------------------------------------------------------- */

static int send_stored(struct fake_connection *c, const struct fake_message *m, bool silent)
{
	char modseq[48];

	fake_modseq_item(c, m, modseq);
	if (silent && !modseq[0])
		return 0;
	if (silent)
		return fake_sendf(c, "* %zu FETCH (UID %u%s)", fake_sequence(c, m->uid), m->uid,
				  modseq);
	return fake_sendf(c, "* %zu FETCH (UID %u FLAGS (%.*s)%s)", fake_sequence(c, m->uid),
			  m->uid, BYTES_ARG(m->flags), modseq);
}

/* set [+|-]FLAGS[.SILENT] (flags) | flag… */
static int store(struct fake_connection *c, bool by_uid)
{
	_cleanup_(buf_done) struct buf kept = BUF_NULL;
	struct bytes set = fake_word(c), verb = fake_word(c), flags = bytes_trim(c->arguments);
	bool silent = bytes_find(verb, BYTES(".SILENT")) >= 0;
	char sign = verb.n && (verb.p[0] == '+' || verb.p[0] == '-') ? verb.p[0] : '\0';
	struct fake_message *m;
	uint32_t uid = 0;

	if (c->read_only)
		return fake_bad(c, "STORE in a folder opened with EXAMINE");
	if (bytes_find(verb, BYTES("FLAGS")) < 0 || fake_in_set(set, 1, 1) < 0)
		return fake_bad(c, "a STORE nobody understands");
	if (flags.n && flags.p[0] == '(')
		flags = fake_word(c);
	if (fake_keep_flags(c, flags, &kept) < 0)
		return fake_bad(c, "a system flag that does not exist");

	while ((m = fake_next_in_set(c, set, by_uid, uid))) {
		uid = m->uid;
		fake_message_flags(c->fake, c->folder, m, sign, buf_bytes(&kept), c->number);
		if (send_stored(c, m, silent) < 0)
			return -1;
	}

	return fake_answer(c, "OK done");
}

int fake_store(struct fake_connection *c)
{
	return store(c, false);
}

int fake_uid_store(struct fake_connection *c)
{
	return store(c, true);
}

/* --- EXPUNGE --------------------------------------------------------------------------------- */

/* set.p NULL: all that are \Deleted. */
static void expunge(struct fake_connection *c, struct bytes set)
{
	struct fake_folder *f = c->folder;
	uint32_t largest = f->n ? f->messages[f->n - 1].uid : 0;

	for (size_t i = 0; i < f->n;) {
		const struct fake_message *m = &f->messages[i];

		if (fake_has_flag(m->flags, BYTES("\\Deleted")) &&
		    (!set.p || fake_in_set(set, m->uid, largest) > 0))
			fake_message_remove(f, m->uid, c->number);
		else
			i++;
	}
}

static int end_expunge(struct fake_connection *c)
{
	if (fake_tell(c) < 0)
		return -1;
	if (c->qresync && !c->folder->no_modseq)
		return fake_answer(c, "OK [HIGHESTMODSEQ %" PRIu64 "] done", c->folder->modseq);
	return fake_answer(c, "OK done");
}

int fake_expunge(struct fake_connection *c)
{
	if (c->read_only)
		return fake_bad(c, "EXPUNGE in a folder opened with EXAMINE");
	expunge(c, BYTES_NULL);
	return end_expunge(c);
}

int fake_uid_expunge(struct fake_connection *c)
{
	struct bytes set = fake_word(c);

	if (c->read_only)
		return fake_bad(c, "EXPUNGE in a folder opened with EXAMINE");
	if (fake_in_set(set, 1, 1) < 0)
		return fake_bad(c, "an EXPUNGE nobody understands");
	expunge(c, set);
	return end_expunge(c);
}

int fake_close(struct fake_connection *c)
{
	if (!c->read_only)
		expunge(c, BYTES_NULL);
	return fake_unselect(c);
}

/* --- COPY, MOVE ------------------------------------------------------------------------------ */

/* "COPYUID 7 3:4,9 1:3"; both sets rise together. */
static void put_copyuid(struct buf *to, const struct fake_folder *target, const uint32_t *uids,
			size_t n, uint32_t first)
{
	_cleanup_(buf_done) struct buf from = BUF_NULL, there = BUF_NULL;
	struct fake_set_writer writer = { 0 };

	for (size_t i = 0; i < n; i++)
		fake_set_add(&from, &writer, uids[i]);
	fake_set_end(&from, &writer);
	for (size_t i = 0; i < n; i++)
		fake_set_add(&there, &writer, first + (uint32_t)i);
	fake_set_end(&there, &writer);
	buf_appendf(to, "[COPYUID %u %s %s] ", target->uidvalidity, buf_str(&from),
		    buf_str(&there));
}

static int copy(struct fake_connection *c, bool move)
{
	struct bytes set = fake_word(c);
	struct fake_folder *target = fake_folder_find(c->fake, fake_word(c));
	_cleanup_(freep) uint32_t *uids = xzalloc((c->folder->n + 1) * sizeof(uint32_t));
	_cleanup_(buf_done) struct buf code = BUF_NULL;
	const struct fake_message *m;
	uint32_t first, uid = 0;
	size_t n = 0;

	if (fake_in_set(set, 1, 1) < 0)
		return fake_bad(c, "a set nobody understands");
	if (move && c->read_only)
		return fake_bad(c, "MOVE from a folder opened with EXAMINE");
	if (!target)
		return fake_answer(c, "NO [TRYCREATE] No such mailbox");

	first = target->uidnext;
	for (; (m = fake_next_in_set(c, set, true, uid)); n++)
		uid = uids[n] = m->uid;
	for (size_t i = 0; i < n; i++)
		fake_message_copy(target, fake_message_find(c->folder, uids[i]));
	for (size_t i = 0; i < n && move; i++)
		fake_message_remove(c->folder, uids[i], c->number);
	if (n && fake_can(c, "UIDPLUS"))
		put_copyuid(&code, target, uids, n, first);
	if (!move)
		return fake_answer(c, "OK %scopied", buf_str(&code));
	if (code.n && fake_sendf(c, "* OK %smoved", buf_str(&code)) < 0)
		return -1;
	return end_expunge(c);
}

int fake_uid_copy(struct fake_connection *c)
{
	return copy(c, false);
}

int fake_uid_move(struct fake_connection *c)
{
	return copy(c, true);
}
