/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in server's FETCH, over sequence numbers and UIDs, with CHANGEDSINCE and VANISHED
 * (RFC 7162). Each message it answers for is an event, so that a rule can answer in its place:
 * "message FOLDER UID" when its bytes are wanted, "item FOLDER UID" when they are not. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/fake-imap-parts.h"

struct fetch {
	struct bytes items;
	bool by_uid, wants_body, changed_only, vanished;
	uint64_t changed_since;
	struct buf line;
};

/* --- parts of messages ----------------------------------------------------------------------- */

/* Items stand between blanks, but for those in brackets and parentheses. */
static struct bytes cut_item(struct bytes *rest)
{
	size_t n = 0, depth = 0;
	struct bytes item;

	while (n < rest->n && (depth || rest->p[n] != ' ')) {
		depth += rest->p[n] == '[' || rest->p[n] == '(';
		depth -= depth && (rest->p[n] == ']' || rest->p[n] == ')');
		n++;
	}
	item = bytes_head(*rest, n);
	*rest = bytes_skip(*rest, n + 1);
	return item;
}

/* "BODY.PEEK[…]<0.5>": the section, and what stands behind it. */
static bool body_section(struct bytes item, struct bytes *ret_section, struct bytes *ret_behind)
{
	ptrdiff_t end = bytes_find_char(item, ']');

	if (!bytes_starts(item, BYTES("BODY.PEEK[")) || end < 0)
		return false;
	*ret_section = bytes_skip(bytes_head(item, (size_t)end), 10);
	*ret_behind = bytes_skip(item, (size_t)end + 1);
	return true;
}

void fake_read_header(const struct fake_message *message, struct buf *to)
{
	ptrdiff_t end;
	char *room = buf_reserve(to, 65536);
	size_t n;

	while (to->n < 65536 && (n = fake_body(message, to->n, room + to->n, 65536 - to->n)))
		to->n += n;
	end = bytes_find(buf_bytes(to), BYTES("\r\n\r\n"));
	if (end >= 0)
		to->n = (size_t)end + 4;
}

static bool wants_field(struct bytes fields, struct bytes line)
{
	struct bytes name = bytes_trim(bytes_cut(&line, ':'));

	while (fields.n)
		if (bytes_equal_nocase(bytes_trim(bytes_cut(&fields, ' ')), name))
			return true;

	return false;
}

void fake_pick_fields(struct bytes header, struct bytes fields, struct buf *to)
{
	bool wanted = false;

	while (header.n) {
		ptrdiff_t end = bytes_find_char(header, '\n');
		struct bytes line = bytes_head(header, end < 0 ? header.n : (size_t)end + 1);

		if (!ascii_is_blank(line.p[0]))
			wanted = wants_field(fields, line);
		if (wanted)
			buf_append_bytes(to, line);
		header = bytes_skip(header, line.n);
	}
	buf_append_str(to, "\r\n");
}

/* Sends what is in the line so far, then the part as a literal. */
static int send_part(struct fake_connection *c, struct fetch *f, struct bytes part)
{
	buf_appendf(&f->line, "{%zu}\r\n", part.n);
	buf_append_bytes(&f->line, part);
	if (fake_send(c, buf_bytes(&f->line)) < 0)
		return -1;
	buf_reset(&f->line);
	return 0;
}

static int send_partial(struct fake_connection *c, struct fetch *f, struct bytes behind)
{
	_cleanup_(buf_done) struct buf part = BUF_NULL;
	struct bytes count = bytes_head(bytes_skip(behind, 1), behind.n - 2), origin;
	uint64_t from, most;
	size_t n;

	origin = bytes_cut(&count, '.');
	if (bytes_to_u64(origin, UINT64_MAX, &from) < 0 || bytes_to_u64(count, 1 << 24, &most) < 0)
		return fake_bad(c, "a partial nobody understands");
	buf_appendf(&f->line, "<%" PRIu64 "> ", from);
	while (part.n < most && (n = fake_body(c->message, from + part.n,
					       buf_reserve(&part, most - part.n), most - part.n)))
		part.n += n;
	return send_part(c, f, buf_bytes(&part));
}

static int send_section(struct fake_connection *c, struct fetch *f, struct bytes section,
			struct bytes behind)
{
	_cleanup_(buf_done) struct buf header = BUF_NULL, fields = BUF_NULL;
	struct bytes names = bytes_skip(section, strlen("HEADER.FIELDS ("));

	buf_appendf(&f->line, "BODY[%.*s]", BYTES_ARG(section));
	if (behind.n > 2)
		return send_partial(c, f, behind);
	buf_append_char(&f->line, ' ');
	if (section.n == 0) {
		if (fake_send(c, buf_bytes(&f->line)) < 0)
			return -1;
		buf_reset(&f->line);
		return fake_send_message(c);
	}

	fake_read_header(c->message, &header);
	if (bytes_equal(section, BYTES("HEADER")))
		return send_part(c, f, buf_bytes(&header));
	if (!bytes_starts(section, BYTES("HEADER.FIELDS (")))
		return fake_bad(c, "a section this server does not know");
	fake_pick_fields(buf_bytes(&header), bytes_head(names, names.n - 1), &fields);
	return send_part(c, f, buf_bytes(&fields));
}

static void put_modseq(struct fake_connection *c, struct fetch *f)
{
	c->condstore = true;
	if (c->folder->no_modseq)
		fake_complain(c->fake, 0, "MODSEQ in a folder that has none");
	buf_appendf(&f->line, "MODSEQ (%" PRIu64 ")", c->message->modseq);
}

static int send_item(struct fake_connection *c, struct fetch *f, struct bytes item)
{
	const struct fake_message *m = c->message;
	struct bytes section, behind;
	char date[64];

	if (body_section(item, &section, &behind))
		return send_section(c, f, section, behind);
	fake_date(m, date);
	if (bytes_equal(item, BYTES("UID")))
		buf_appendf(&f->line, "UID %u", m->uid);
	else if (bytes_equal(item, BYTES("FLAGS")))
		buf_appendf(&f->line, "FLAGS (%.*s)", BYTES_ARG(m->flags));
	else if (bytes_equal(item, BYTES("RFC822.SIZE")))
		buf_appendf(&f->line, "RFC822.SIZE %" PRIu64,
			    m->told && m->told->has_claim ? m->told->claim : m->size);
	else if (bytes_equal(item, BYTES("MODSEQ")) && fake_can(c, "CONDSTORE"))
		put_modseq(c, f);
	else if (bytes_equal(item, BYTES("INTERNALDATE")) && date[0])
		buf_appendf(&f->line, "INTERNALDATE \"%s\"", date);
	else if (!bytes_equal(item, BYTES("INTERNALDATE")))
		fake_complain(c->fake, 0, "FETCH of what was not advertised: %.*s",
			      BYTES_ARG(item));
	return 0;
}

/* --- FETCH ----------------------------------------------------------------------------------- */

static int send_fetched(struct fake_connection *c, void *arg)
{
	struct fetch *f = arg;
	struct bytes rest = f->items;
	bool first = true;

	buf_reset(&f->line);
	buf_appendf(&f->line, "* %zu FETCH (", fake_sequence(c, c->message->uid));
	while (rest.n) {
		struct bytes item = cut_item(&rest);

		if (item.n == 0)
			continue;
		if (!first && !(f->line.n && f->line.p[f->line.n - 1] == ' '))
			buf_append_char(&f->line, ' ');
		first = false;
		if (send_item(c, f, item) < 0)
			return -1;
	}
	if (f->line.n && f->line.p[f->line.n - 1] == ' ')
		f->line.n--;
	buf_append_str(&f->line, ")\r\n");
	return fake_send(c, buf_bytes(&f->line));
}

static void name_message(struct fake_connection *c, const struct fake_message *m)
{
	char text[64];

	c->message_folder = c->folder;
	c->message = m;
	snprintf(text, sizeof(text), "%u", m->uid);
	dialogue_name_set(&c->names, "uid", bytes_of(text));
	snprintf(text, sizeof(text), "%zu", fake_sequence(c, m->uid));
	dialogue_name_set(&c->names, "seq", bytes_of(text));
	snprintf(text, sizeof(text), "%" PRIu64, m->size);
	dialogue_name_set(&c->names, "size", bytes_of(text));
	fake_date(m, text);
	dialogue_name_set(&c->names, "date", bytes_of(text));
	dialogue_name_set(&c->names, "flags", m->flags);
}

/* A rule may change the folder meanwhile: the message at hand is a copy. */
static int fetch_one(struct fake_connection *c, struct fetch *f, const struct fake_message *m)
{
	_cleanup_(buf_done) struct buf event = BUF_NULL;
	const struct fake_message at_hand = *m;
	int r;

	name_message(c, &at_hand);
	buf_appendf(&event, "%s %.*s %u", f->wants_body ? "message" : "item",
		    BYTES_ARG(c->folder->name), m->uid);
	r = fake_event(c, buf_bytes(&event), send_fetched, f);
	c->message = NULL;
	return r;
}

/* (CHANGEDSINCE n [VANISHED]) behind the items. NULL, or what is wrong. */
static const char *read_modifiers(struct fake_connection *c, struct fetch *f, struct bytes rest)
{
	struct bytes words = BYTES_NULL, number;

	if (!fake_can(c, "CONDSTORE"))
		return "FETCH with modifiers nobody advertised";
	if (dialogue_word(&c->fake->arena, &rest, &words) < 0 || bytes_trim(rest).n)
		return "unbalanced modifiers";
	if (!bytes_equal(bytes_cut(&words, ' '), BYTES("CHANGEDSINCE")))
		return "a modifier nobody knows";
	number = bytes_cut(&words, ' ');
	if (bytes_to_u64(number, INT64_MAX, &f->changed_since) < 0)
		return "CHANGEDSINCE without a mod-sequence";

	c->condstore = true;
	f->changed_only = true;
	f->vanished = bytes_equal(words, BYTES("VANISHED"));
	if (words.n && !f->vanished)
		return "a modifier nobody knows";
	return f->vanished && (!c->qresync || !f->by_uid) ? "VANISHED without QRESYNC" : NULL;
}

/* Items in parentheses or one alone, then modifiers. NULL, or what is wrong. */
static const char *read_items(struct fake_connection *c, struct fetch *f, struct buf *items)
{
	struct bytes rest = bytes_trim(c->arguments);
	const char *wrong = NULL;

	if (rest.n && rest.p[0] == '(') {
		if (dialogue_word(&c->fake->arena, &rest, &f->items) < 0)
			return "unbalanced items";
	} else {
		f->items = cut_item(&rest);
	}
	rest = bytes_trim(rest);
	if (rest.n)
		wrong = read_modifiers(c, f, rest);
	if (!f->items.n)
		return "a FETCH nobody understands";

	f->wants_body = bytes_find(f->items, BYTES("BODY.PEEK[]")) >= 0;
	if (f->by_uid && bytes_find(f->items, BYTES("UID")) < 0)
		buf_append_str(items, "UID ");
	buf_append_bytes(items, f->items);
	if (f->changed_only && bytes_find(f->items, BYTES("MODSEQ")) < 0)
		buf_append_str(items, " MODSEQ");
	f->items = buf_bytes(items);
	return wrong;
}

static int fetch(struct fake_connection *c, bool by_uid)
{
	_cleanup_(buf_done) struct buf items = BUF_NULL;
	struct fetch f = { .by_uid = by_uid };
	struct bytes set = fake_word(c);
	const struct fake_message *m;
	const char *wrong = read_items(c, &f, &items);
	uint32_t uid = 0;
	int r = 0;

	if (!wrong && fake_in_set(set, 1, 1) < 0)
		wrong = "a FETCH nobody understands";
	if (wrong)
		return fake_bad(c, wrong);

	if (f.vanished)
		r = fake_send_vanished(c, set, f.changed_since);
	while (r == 0 && (m = fake_next_in_set(c, set, by_uid, uid))) {
		uid = m->uid;
		if (!f.changed_only || m->modseq > f.changed_since)
			r = fetch_one(c, &f, m);
	}
	buf_done(&f.line);
	return r < 0 ? -1 : fake_answer(c, "OK done");
}

int fake_fetch(struct fake_connection *c)
{
	return fetch(c, false);
}

int fake_uid_fetch(struct fake_connection *c)
{
	return fetch(c, true);
}
