/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in server's FETCH, SEARCH and STORE, over sequence numbers and UIDs. Each message
 * it answers for is an event, so that a rule can answer in its place: "message FOLDER UID"
 * when its bytes are wanted, "item FOLDER UID" when they are not. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/fake-imap-parts.h"

/* --- sets ------------------------------------------------------------------------------------ */

static int read_end(struct bytes word, uint64_t largest, uint64_t *ret)
{
	*ret = largest;
	if (bytes_equal(word, BYTES("*")))
		return 0;
	return bytes_to_u64(word, UINT32_MAX, ret);
}

/* 1 number is in the set, 0 not, -1 it is no set. */
static int in_set(struct bytes set, uint64_t number, uint64_t largest)
{
	int found = 0;

	if (set.n == 0)
		return -1;
	while (set.n) {
		struct bytes high = bytes_cut(&set, ','), low = bytes_cut(&high, ':');
		uint64_t a, b;

		if (read_end(low, largest, &a) < 0 || a == 0)
			return -1;
		b = a;
		if (high.n && read_end(high, largest, &b) < 0)
			return -1;
		found |= (number >= a && number <= b) || (number >= b && number <= a);
	}

	return found;
}

/* The smallest and largest number of a set that in_set() has taken. */
static void set_bounds(struct bytes set, uint64_t largest, uint64_t *ret_low, uint64_t *ret_high)
{
	*ret_low = UINT64_MAX;
	*ret_high = 0;
	while (set.n) {
		struct bytes range = bytes_cut(&set, ',');

		while (range.n) {
			uint64_t number = 0;

			read_end(bytes_cut(&range, ':'), largest, &number);
			*ret_low = number < *ret_low ? number : *ret_low;
			*ret_high = number > *ret_high ? number : *ret_high;
		}
	}
}

/* The index of the first message with that UID or a larger one. */
static size_t index_of_uid(const struct fake_folder *f, uint64_t uid)
{
	size_t low = 0, high = f->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (f->messages[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The next message of the set from index *i on; NULL: no more. */
static struct fake_message *next_in_set(struct fake_connection *c, struct bytes set, bool by_uid,
					size_t *i)
{
	struct fake_folder *f = c->folder;
	uint64_t largest = by_uid && f->n ? f->messages[f->n - 1].uid : f->n, low, high;
	size_t first;

	set_bounds(set, largest, &low, &high);
	first = by_uid ? index_of_uid(f, low) : (size_t)low - 1;
	for (*i = *i > first ? *i : first; *i < f->n; (*i)++) {
		struct fake_message *m = &f->messages[*i];
		uint64_t number = by_uid ? m->uid : *i + 1;

		if (number > high)
			return NULL;
		if (in_set(set, number, largest) > 0)
			return m;
	}

	return NULL;
}

/* --- FETCH ----------------------------------------------------------------------------------- */

struct fetch {
	struct bytes items;
	bool by_uid, wants_body;
	size_t index;
	bool is_begun;  /* "* n FETCH (" is in line, or sent */
	struct buf line;
};

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

/* The header with the blank line behind it, as far as it can be had. */
static void read_header(const struct fake_connection *c, struct buf *to)
{
	ptrdiff_t end;
	char *room = buf_reserve(to, 65536);
	size_t n;

	while (to->n < 65536 && (n = fake_body(c->message_folder, c->message, to->n, room + to->n,
					       65536 - to->n)))
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

static void pick_fields(struct bytes header, struct bytes fields, struct buf *to)
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
	while (part.n < most && (n = fake_body(c->message_folder, c->message, from + part.n,
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

	read_header(c, &header);
	if (bytes_equal(section, BYTES("HEADER")))
		return send_part(c, f, buf_bytes(&header));
	if (!bytes_starts(section, BYTES("HEADER.FIELDS (")))
		return fake_bad(c, "a section this server does not know");
	pick_fields(buf_bytes(&header), bytes_head(names, names.n - 1), &fields);
	return send_part(c, f, buf_bytes(&fields));
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
		buf_append_str(&f->line, "MODSEQ (1)");
	else if (bytes_equal(item, BYTES("INTERNALDATE")) && date[0])
		buf_appendf(&f->line, "INTERNALDATE \"%s\"", date);
	else if (!bytes_equal(item, BYTES("INTERNALDATE")))
		fake_complain(c->fake, 0, "FETCH of what was not advertised: %.*s",
			      BYTES_ARG(item));
	return 0;
}

static int send_fetched(struct fake_connection *c, void *arg)
{
	struct fetch *f = arg;
	struct bytes rest = f->items;
	bool first = true;

	buf_reset(&f->line);
	buf_appendf(&f->line, "* %zu FETCH (", f->index + 1);
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

static void name_message(struct fake_connection *c, size_t index, const struct fake_message *m)
{
	char text[64];

	c->message_folder = c->folder;
	c->message = m;
	snprintf(text, sizeof(text), "%u", m->uid);
	dialogue_name_set(&c->names, "uid", bytes_of(text));
	snprintf(text, sizeof(text), "%zu", index + 1);
	dialogue_name_set(&c->names, "seq", bytes_of(text));
	snprintf(text, sizeof(text), "%" PRIu64, m->size);
	dialogue_name_set(&c->names, "size", bytes_of(text));
	fake_date(m, text);
	dialogue_name_set(&c->names, "date", bytes_of(text));
	dialogue_name_set(&c->names, "flags", m->flags);
}

static int fetch_one(struct fake_connection *c, struct fetch *f, const struct fake_message *m)
{
	_cleanup_(buf_done) struct buf event = BUF_NULL;

	name_message(c, f->index, m);
	buf_appendf(&event, "%s %.*s %u", f->wants_body ? "message" : "item",
		    BYTES_ARG(c->folder->name), m->uid);
	return fake_event(c, buf_bytes(&event), send_fetched, f);
}

static int fetch(struct fake_connection *c, bool by_uid)
{
	_cleanup_(buf_done) struct buf items = BUF_NULL;
	struct fetch f = { .by_uid = by_uid };
	struct bytes set = fake_word(c), wanted;
	struct fake_message *m;
	int r = 0;

	wanted = bytes_trim(c->arguments);
	if (wanted.n > 1 && wanted.p[0] == '(' &&
	    dialogue_word(&c->fake->arena, &wanted, &f.items) < 0)
		return fake_bad(c, "unbalanced items");
	if (!f.items.n)
		f.items = wanted;
	else if (wanted.n)
		return fake_bad(c, "FETCH with modifiers nobody advertised");
	if (in_set(set, 1, 1) < 0 || !f.items.n)
		return fake_bad(c, "a FETCH nobody understands");

	f.wants_body = bytes_find(f.items, BYTES("BODY.PEEK[]")) >= 0;
	if (by_uid && bytes_find(f.items, BYTES("UID")) < 0)
		buf_append_str(&items, "UID ");
	buf_append_bytes(&items, f.items);
	f.items = buf_bytes(&items);
	for (; r == 0 && (m = next_in_set(c, set, by_uid, &f.index)); f.index++)
		r = fetch_one(c, &f, m);

	buf_done(&f.line);
	c->message = NULL;
	return r < 0 ? -1 : fake_end(c, "OK done");
}

int fake_fetch(struct fake_connection *c)
{
	return fetch(c, false);
}

int fake_uid_fetch(struct fake_connection *c)
{
	return fetch(c, true);
}

/* --- SEARCH ---------------------------------------------------------------------------------- */

/* Whether the header has `value` in the field. */
static bool header_has(struct fake_connection *c, const struct fake_message *m, struct bytes field,
		       struct bytes value)
{
	_cleanup_(buf_done) struct buf header = BUF_NULL, line = BUF_NULL;

	c->message_folder = c->folder;
	c->message = m;
	read_header(c, &header);
	c->message = NULL;
	pick_fields(buf_bytes(&header), field, &line);
	return bytes_find(buf_bytes(&line), value) >= 0;
}

/* ALL, UID set, a set, HEADER field value, NOT DELETED: one of them or several; 1 0 -1. */
static int is_found(struct fake_connection *c, struct bytes criteria, size_t index)
{
	const struct fake_message *m = &c->folder->messages[index];
	uint32_t largest = c->folder->messages[c->folder->n - 1].uid;
	struct bytes word, field;
	int found = 1;

	while (found > 0 && dialogue_word(&c->fake->arena, &criteria, &word) > 0) {
		if (bytes_equal(word, BYTES("ALL")) || bytes_equal(word, BYTES("NOT")) ||
		    bytes_equal(word, BYTES("DELETED")) || bytes_equal(word, BYTES("UNDELETED")))
			continue;
		if (bytes_equal(word, BYTES("HEADER"))) {
			dialogue_word(&c->fake->arena, &criteria, &field);
			dialogue_word(&c->fake->arena, &criteria, &word);
			found = header_has(c, m, field, word);
		} else if (bytes_equal(word, BYTES("UID"))) {
			dialogue_word(&c->fake->arena, &criteria, &word);
			found = in_set(word, m->uid, largest);
		} else {
			found = in_set(word, index + 1, c->folder->n);
		}
	}

	return found;
}

static int search(struct fake_connection *c, bool by_uid)
{
	_cleanup_(buf_done) struct buf found = BUF_NULL;

	if (bytes_starts(bytes_trim(c->arguments), BYTES("RETURN")) && !fake_can(c, "ESEARCH"))
		return fake_bad(c, "SEARCH RETURN without ESEARCH");
	for (size_t i = 0; i < c->folder->n; i++) {
		int r = is_found(c, c->arguments, i);

		if (r < 0)
			return fake_bad(c, "a SEARCH this server does not know");
		if (r)
			buf_appendf(&found, " %zu", by_uid ? c->folder->messages[i].uid : i + 1);
	}
	if (fake_sendf(c, "* SEARCH%s", buf_str(&found)) < 0)
		return -1;
	return fake_answer(c, "OK done");
}

int fake_search(struct fake_connection *c)
{
	return search(c, false);
}

int fake_uid_search(struct fake_connection *c)
{
	return search(c, true);
}

/* --- STORE ----------------------------------------------------------------------------------- */

static void without(struct buf *to, struct bytes flags, struct bytes taken)
{
	while (flags.n) {
		struct bytes flag = bytes_cut(&flags, ' '), rest = taken;
		bool found = flag.n == 0;

		while (!found && rest.n)
			found = bytes_equal_nocase(bytes_cut(&rest, ' '), flag);
		if (!found)
			buf_appendf(to, "%s%.*s", to->n ? " " : "", BYTES_ARG(flag));
	}
}

/* UID STORE set [+|-]FLAGS[.SILENT] (flags) */
int fake_uid_store(struct fake_connection *c)
{
	struct bytes set = fake_word(c), verb = fake_word(c), flags = fake_word(c);
	bool silent = bytes_find(verb, BYTES(".SILENT")) >= 0;
	struct fake_message *m;

	if (c->read_only)
		return fake_bad(c, "STORE in a folder opened with EXAMINE");
	if (bytes_find(verb, BYTES("FLAGS")) < 0 || in_set(set, 1, 1) < 0)
		return fake_bad(c, "a STORE nobody understands");

	for (size_t i = 0; (m = next_in_set(c, set, true, &i)); i++) {
		_cleanup_(buf_done) struct buf now = BUF_NULL;

		if (verb.p[0] == '+' || verb.p[0] == '-')
			without(&now, m->flags, flags);
		if (verb.p[0] != '-')
			buf_appendf(&now, "%s%.*s", now.n ? " " : "", BYTES_ARG(flags));
		m->flags = arena_copy(&c->fake->arena, buf_bytes(&now));
		if (!silent && fake_sendf(c, "* %zu FETCH (UID %u FLAGS (%s))", i + 1, m->uid,
					  buf_str(&now)) < 0)
			return -1;
	}

	return fake_answer(c, "OK done");
}
