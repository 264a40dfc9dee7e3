/* SPDX-License-Identifier: Apache-2.0 */
/* The parser's events as text, see test-dump.h. Only what is there is written, so that
 * expectations in tests stay short. Bytes that do not print are written as <0a>. */
#include "imap/test-dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define INSIST(condition) ((condition) ? (void)0 : insist_failed(#condition, __LINE__))

static void insist_failed(const char *condition, int line)
{
	fprintf(stderr, "test-dump.c:%d: %s\n", line, condition);
	abort();
}

static void put(struct buf *to, struct bytes b)
{
	INSIST(b.p || b.n == 0);
	for (size_t i = 0; i < b.n; i++) {
		unsigned char c = (unsigned char)b.p[i];

		if (c >= ' ' && c < 127)
			buf_append_char(to, (char)c);
		else
			buf_appendf(to, "<%02x>", c);
	}
}

static void put_named(struct buf *to, const char *name, struct bytes b)
{
	buf_appendf(to, " %s=", name);
	put(to, b);
}

static void put_number(struct buf *to, const char *name, uint64_t number)
{
	buf_appendf(to, " %s=%llu", name, (unsigned long long)number);
}

static void put_atoms(struct buf *to, const char *name, struct imap_atoms atoms)
{
	buf_appendf(to, " %s=(", name);
	for (size_t i = 0; i < atoms.n; i++) {
		if (i > 0)
			buf_append_char(to, ' ');
		put(to, atoms.p[i]);
	}
	buf_append_char(to, ')');
}

static void put_set(struct buf *to, const char *name, struct imap_set set)
{
	buf_appendf(to, " %s=", name);
	for (size_t i = 0; i < set.n; i++) {
		INSIST(set.p[i].low > 0 && set.p[i].low <= set.p[i].high);
		buf_appendf(to, "%s%u", i ? "," : "", set.p[i].low);
		if (set.p[i].low != set.p[i].high)
			buf_appendf(to, ":%u", set.p[i].high);
	}
}

static void put_code(struct buf *to, const struct imap_code *code)
{
	if (code->name.n == 0)
		return;

	put_named(to, "code", code->name);
	if (code->rest.n)
		put_named(to, "rest", code->rest);
	if (code->number)
		put_number(to, "number", code->number);
	if (code->atoms.n)
		put_atoms(to, "atoms", code->atoms);
	if (code->source.n)
		put_set(to, "source", code->source);
	if (code->uids.n)
		put_set(to, "uids", code->uids);
}

static void dump_condition(struct buf *to, const struct imap_response *r)
{
	static const char *const names[] = { "OK", "NO", "BAD", "BYE", "PREAUTH" };

	buf_appendf(to, " %s", names[r->condition]);
	put_code(to, &r->code);
	put_named(to, "text", r->text);
}

static void dump_tagged(struct buf *to, const struct imap_response *r)
{
	put_named(to, "tag", r->tag);
	dump_condition(to, r);
}

static void dump_text(struct buf *to, const struct imap_response *r)
{
	put_named(to, "text", r->text);
}

static void dump_atoms(struct buf *to, const struct imap_response *r)
{
	put_atoms(to, "atoms", r->atoms);
}

static void dump_number(struct buf *to, const struct imap_response *r)
{
	put_number(to, "number", r->number);
}

static void put_separator(struct buf *to, char separator)
{
	if (separator)
		put(to, (struct bytes){ &separator, 1 });
	else
		buf_append_str(to, "NIL");
}

static void dump_list(struct buf *to, const struct imap_response *r)
{
	static const char *const verbs[] = { "list", "lsub", "xlist" };

	buf_appendf(to, " %s", verbs[r->list.verb]);
	put_atoms(to, "attributes", r->list.attributes);
	buf_append_str(to, " separator=");
	put_separator(to, r->list.separator);
	put_named(to, "name", r->list.name);
	if (r->list.has_old_name)
		put_named(to, "old", r->list.old_name);
}

static void dump_status(struct buf *to, const struct imap_response *r)
{
	const struct imap_status_data *s = &r->status;
	const struct {
		unsigned bit;
		const char *name;
		uint64_t value;
	} items[] = {
		{ IMAP_HAS_MESSAGES, "messages", s->messages },
		{ IMAP_HAS_UIDNEXT, "uidnext", s->uidnext },
		{ IMAP_HAS_UIDVALIDITY, "uidvalidity", s->uidvalidity },
		{ IMAP_HAS_UNSEEN, "unseen", s->unseen },
		{ IMAP_HAS_HIGHESTMODSEQ, "highestmodseq", s->highestmodseq },
		{ IMAP_HAS_SIZE, "size", s->size },
		{ IMAP_HAS_APPENDLIMIT, "appendlimit", s->appendlimit },
		{ IMAP_HAS_DELETED, "deleted", s->deleted },
	};

	put_named(to, "name", s->name);
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		if (s->has & items[i].bit)
			put_number(to, items[i].name, items[i].value);
	if (s->has & IMAP_HAS_MAILBOXID)
		put_named(to, "mailboxid", s->mailboxid);
}

static void dump_search(struct buf *to, const struct imap_response *r)
{
	if (r->search.tag.n)
		put_named(to, "tag", r->search.tag);
	if (r->search.by_uid)
		buf_append_str(to, " by_uid");
	put_set(to, "found", r->search.found);
	if (r->search.has_count)
		put_number(to, "count", r->search.count);
	if (r->search.min)
		put_number(to, "min", r->search.min);
	if (r->search.max)
		put_number(to, "max", r->search.max);
	if (r->search.modseq)
		put_number(to, "modseq", r->search.modseq);
}

static void dump_vanished(struct buf *to, const struct imap_response *r)
{
	if (r->vanished.earlier)
		buf_append_str(to, " earlier");
	put_set(to, "uids", r->vanished.uids);
}

static void dump_fetch(struct buf *to, const struct imap_response *r)
{
	const struct imap_fetch_data *f = &r->fetch;

	put_number(to, "sequence", f->sequence);
	if (f->has & IMAP_FETCH_UID)
		put_number(to, "uid", f->uid);
	if (f->has & IMAP_FETCH_FLAGS)
		put_atoms(to, "flags", f->flags);
	if (f->has & IMAP_FETCH_DATE)
		put_named(to, "date", f->date_text);
	if (f->has & IMAP_FETCH_BAD_DATE)
		put_named(to, "bad_date", f->date_text);
	if (f->has & IMAP_FETCH_SIZE)
		put_number(to, "size", f->size);
	if (f->has & IMAP_FETCH_MODSEQ)
		put_number(to, "modseq", f->modseq);
	if (f->has & IMAP_FETCH_EMAILID)
		put_named(to, "emailid", f->emailid);
	if (f->has & IMAP_FETCH_GM)
		put_number(to, "gm_msgid", f->gm_msgid);
	if (f->has & IMAP_FETCH_BODY) {
		put_named(to, "section", f->section);
		put_number(to, "body_size", f->body_size);
	}
	if (f->has & IMAP_FETCH_BODY_NIL)
		buf_append_str(to, " body_nil");
}

static void put_namespaces(struct buf *to, const char *name, struct imap_namespaces list)
{
	buf_appendf(to, " %s=(", name);
	for (size_t i = 0; i < list.n; i++) {
		if (i > 0)
			buf_append_char(to, ' ');
		put(to, list.p[i].prefix);
		buf_append_char(to, ':');
		put_separator(to, list.p[i].separator);
	}
	buf_append_char(to, ')');
}

static void dump_namespace(struct buf *to, const struct imap_response *r)
{
	put_namespaces(to, "personal", r->namespaces.personal);
	put_namespaces(to, "others", r->namespaces.others);
	put_namespaces(to, "shared", r->namespaces.shared);
}

static void dump_id(struct buf *to, const struct imap_response *r)
{
	for (size_t i = 0; i < r->id.n; i++) {
		buf_append_char(to, ' ');
		put(to, r->id.names[i]);
		buf_append_char(to, '=');
		if (r->id.values[i].p)
			put(to, r->id.values[i]);
		else
			buf_append_str(to, "NIL");
	}
}

static const struct {
	const char *name;
	void (*dump)(struct buf *to, const struct imap_response *response);
} kinds[] = {
	[IMAP_TAGGED] = { "tagged", dump_tagged },
	[IMAP_CONTINUATION] = { "continuation", dump_text },
	[IMAP_CONDITION] = { "condition", dump_condition },
	[IMAP_CAPABILITY] = { "capability", dump_atoms },
	[IMAP_ENABLED] = { "enabled", dump_atoms },
	[IMAP_LIST] = { "list", dump_list },
	[IMAP_STATUS] = { "status", dump_status },
	[IMAP_SEARCH] = { "search", dump_search },
	[IMAP_FLAGS] = { "flags", dump_atoms },
	[IMAP_EXISTS] = { "exists", dump_number },
	[IMAP_RECENT] = { "recent", dump_number },
	[IMAP_EXPUNGE] = { "expunge", dump_number },
	[IMAP_VANISHED] = { "vanished", dump_vanished },
	[IMAP_FETCH] = { "fetch", dump_fetch },
	[IMAP_NAMESPACE] = { "namespace", dump_namespace },
	[IMAP_ID] = { "id", dump_id },
	[IMAP_QUOTA] = { "quota", dump_text },
	[IMAP_OTHER] = { "other", dump_text },
};

void imap_dump_response(struct buf *to, const struct imap_response *response)
{
	INSIST(response->kind < ARRAY_SIZE(kinds));
	buf_append_str(to, kinds[response->kind].name);
	kinds[response->kind].dump(to, response);
	buf_append_char(to, '\n');
}

/* One run of the parser over an input. */
struct run {
	struct buf *to;
	struct imap_parser *parser;
	bool in_body, after_data;
	uint64_t body_left;
	bool hungry, over; /* the last event was MORE, or BAD */
};

static void body_data(struct run *run, struct bytes data)
{
	INSIST(run->in_body && data.n > 0 && data.n <= run->body_left);
	if (!run->after_data)
		buf_append_str(run->to, "body ");
	run->after_data = true;
	run->body_left -= data.n;
	put(run->to, data);
}

static void body_begin(struct run *run, const struct imap_response *response)
{
	INSIST(!run->in_body && response->kind == IMAP_FETCH);
	INSIST(response->fetch.has & IMAP_FETCH_BODY);
	run->in_body = true;
	run->body_left = response->fetch.body_size;
	buf_append_str(run->to, "begin ");
	imap_dump_response(run->to, response);
}

static void body_end(struct run *run)
{
	INSIST(run->in_body && run->body_left == 0);
	run->in_body = false;
	if (run->after_data)
		buf_append_char(run->to, '\n');
	run->after_data = false;
	buf_append_str(run->to, "end\n");
}

/* One call, whose input dies right after: returns how much of it was taken. */
static size_t next(struct run *run, struct bytes input)
{
	_cleanup_(freep) char *copy = xmalloc(input.n ? input.n : 1);
	const struct imap_response *response = NULL;
	struct bytes rest = { copy, input.n }, data = BYTES_NULL;
	enum imap_event event;

	memcpy(copy, input.p, input.n);
	event = imap_parser_next(run->parser, &rest, &response, &data);
	INSIST(rest.n <= input.n && (rest.n == 0 || rest.p == copy + input.n - rest.n));
	run->hungry = event == IMAP_EVENT_MORE;
	run->over = event == IMAP_EVENT_BAD;
	if (event == IMAP_EVENT_MORE)
		INSIST(rest.n == 0);
	else if (event == IMAP_EVENT_BODY)
		body_data(run, data);
	else if (event == IMAP_EVENT_BODY_BEGIN)
		body_begin(run, response);
	else if (event == IMAP_EVENT_BODY_END)
		body_end(run);
	else if (event == IMAP_EVENT_RESPONSE)
		imap_dump_response(run->to, response);

	return input.n - rest.n;
}

/* Feeds one piece until the parser wants more. */
static void feed(struct run *run, struct bytes input)
{
	do
		input = bytes_skip(input, next(run, input));
	while (!run->hungry && !run->over);
}

void imap_dump(struct buf *to, struct imap_parser_limits limits, struct bytes input,
	       size_t (*next_size)(void *context), void *context)
{
	_cleanup_(imap_parser_freep) struct imap_parser *parser = imap_parser_new(limits);
	struct run run = { .to = to, .parser = parser };

	while (input.n && !run.over) {
		struct bytes piece = bytes_head(input, next_size ? next_size(context) : input.n);

		feed(&run, piece);
		input = bytes_skip(input, piece.n);
	}

	if (run.after_data)
		buf_append_char(to, '\n');
	if (run.over)
		buf_appendf(to, "bad %s\n", imap_parser_error(parser));
}
