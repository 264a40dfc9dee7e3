/* SPDX-License-Identifier: Apache-2.0 */
/* Status files, see status.h. They lie where others may write: what is read is bounded and believed
 * in nothing that matters. */
#include "fleet/status.h"

#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "mail/utf8.h"
#include "os/file.h"

enum { FILE_MAX = 64 << 10, TEXT_MAX = 700, SLUG_WORDS = 60 };

/* Without news from another machine for so long, nobody works there any more. */
static const int64_t silence_us = 60 * SECOND;

static const char *const states[] = {
	[FLEET_WAITING] = "waiting", [FLEET_SEEDING] = "seeding", [FLEET_DELTA] = "delta",
	[FLEET_DONE] = "done", [FLEET_PARKED] = "parked", [FLEET_FAILED] = "failed",
	[FLEET_HELD] = "held", [FLEET_INTERRUPTED] = "interrupted",
};

const char *fleet_state_name(enum fleet_state state)
{
	return states[state];
}

bool fleet_state_is_open(enum fleet_state state)
{
	return state == FLEET_SEEDING || state == FLEET_DELTA || state == FLEET_PARKED;
}

void fleet_status_init(struct fleet_status *s, const char *mailbox, const char *wave)
{
	*s = (struct fleet_status){ .mailbox = mailbox,
				    .wave = wave,
				    .pass = "",
				    .error = "",
				    .error_kind = "",
				    .host = "",
				    .round = "",
				    .left_us = -1,
				    .exit_status = -1 };
}

/* --- names ----------------------------------------------------------------------------------- */

void fleet_slug(const char *address, struct buf *to)
{
	size_t kept = 0;

	for (const char *p = address; *p && kept < SLUG_WORDS; p++, kept++) {
		char c = ascii_lower(*p);
		bool plain = ascii_is_alpha(c) || ascii_is_digit(c) || c == '@' || c == '-' ||
			     c == '_' || (c == '.' && kept > 0);

		buf_append_char(to, plain ? c : '_');
	}
	buf_appendf(to, "-%016llx", (unsigned long long)siphash13(0, 0, bytes_of(address)));
}

void fleet_status_path(const char *state_dir, const char *address, struct buf *to)
{
	buf_appendf(to, "%s/status/", state_dir);
	fleet_slug(address, to);
	buf_append_str(to, ".json");
}

void fleet_verified_path(const char *state_dir, const char *address, struct buf *to)
{
	buf_appendf(to, "%s/status/", state_dir);
	fleet_slug(address, to);
	buf_append_str(to, ".verified");
}

/* --- what is kept, as a table ---------------------------------------------------------------- */

enum field_type { TEXT, COUNT, MOMENT, SIGNED, TRUTH };

struct field {
	const char *name;
	enum field_type type;
	size_t offset;
};

#define FIELD(name, type, member) { name, type, offsetof(struct fleet_status, member) }

/* state, causes and process have forms of their own. */
static const struct field fields[] = {
	FIELD("mailbox", TEXT, mailbox),
	FIELD("wave", TEXT, wave),
	FIELD("pass", TEXT, pass),
	FIELD("folders", COUNT, folders),
	FIELD("folders_done", COUNT, folders_done),
	FIELD("messages", COUNT, messages),
	FIELD("messages_done", COUNT, messages_done),
	FIELD("bytes", COUNT, bytes),
	FIELD("bytes_done", COUNT, bytes_done),
	FIELD("bytes_read", COUNT, bytes_read),
	FIELD("bytes_per_second", COUNT, bytes_per_second),
	FIELD("left_us", SIGNED, left_us),
	FIELD("source", COUNT, source),
	FIELD("present", COUNT, present),
	FIELD("copied", COUNT, copied),
	FIELD("moved", COUNT, moved),
	FIELD("excepted", COUNT, excepted),
	FIELD("changed", COUNT, changed),
	FIELD("not_reached", COUNT, not_reached),
	FIELD("copied_bytes", COUNT, copied_bytes),
	FIELD("flags_changed", COUNT, flags_changed),
	FIELD("deleted", COUNT, deleted),
	FIELD("error", TEXT, error),
	FIELD("error_kind", TEXT, error_kind),
	FIELD("retry_at", MOMENT, retry_at),
	FIELD("began", MOMENT, began),
	FIELD("ended", MOMENT, ended),
	FIELD("updated", MOMENT, updated),
	FIELD("host", TEXT, host),
	FIELD("round", TEXT, round),
	FIELD("seeded", TRUTH, seeded),
	FIELD("size", COUNT, size),
	FIELD("delta_us", SIGNED, delta_us),
	FIELD("last_change", MOMENT, last_change),
};

static void *place_of(const struct field *f, struct fleet_status *s)
{
	return (char *)s + f->offset;
}

static const void *value_of(const struct field *f, const struct fleet_status *s)
{
	return (const char *)s + f->offset;
}

/* --- writing --------------------------------------------------------------------------------- */

static json_t *text(const char *s)
{
	_cleanup_(buf_done) struct buf printable = BUF_NULL;

	utf8_printable(&printable, bytes_of(s));
	return json_stringn(buf_str(&printable), printable.n);
}

/* Some are a server's word; above 2^53 readers that know only doubles begin to err. */
static json_t *count(uint64_t n)
{
	const uint64_t most = (uint64_t)1 << 53;

	return json_integer((json_int_t)(n < most ? n : most));
}

static json_t *field_json(const struct field *f, const struct fleet_status *s)
{
	const void *at = value_of(f, s);

	switch (f->type) {
	case TEXT:
		return text(*(const char *const *)at);
	case COUNT:
		return count(*(const uint64_t *)at);
	case MOMENT:
	case SIGNED:
		return json_integer(*(const int64_t *)at);
	case TRUTH:
		return json_boolean(*(const bool *)at);
	}
	return json_null();
}

json_t *fleet_status_json(const struct fleet_status *s)
{
	json_t *object = json_object(), *causes = json_object();

	json_object_set_new(object, "state", json_string(states[s->state]));
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		json_object_set_new(object, fields[i].name, field_json(&fields[i], s));
	for (size_t i = 0; i < CAUSE_COUNT_; i++)
		if (s->causes[i])
			json_object_set_new(causes, books_cause_name(i), count(s->causes[i]));
	json_object_set_new(object, "exceptions", causes);
	json_object_set_new(object, "tries", json_integer(s->tries));
	if (s->exit_status >= 0)
		json_object_set_new(object, "exit_status", json_integer(s->exit_status));
	json_object_set_new(object, "pid", json_integer(s->process.pid));
	json_object_set_new(object, "pid_began", count(s->process.began));
	return object;
}

char *fleet_status_words(const struct fleet_status *s)
{
	json_t *object = fleet_status_json(s);
	char *words = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	return words;
}

/* --- reading --------------------------------------------------------------------------------- */

static const char *text_of(const json_t *value, struct arena *arena)
{
	struct bytes b = { json_string_value(value), json_string_length(value) };
	_cleanup_(buf_done) struct buf printable = BUF_NULL;

	utf8_printable(&printable, bytes_head(b, TEXT_MAX));
	return arena_str(arena, buf_bytes(&printable));
}

static uint64_t count_of(const json_t *value)
{
	json_int_t n = json_integer_value(value); /* 0 when it is something else */

	return n > 0 ? (uint64_t)n : 0;
}

static void read_field(const struct field *f, const json_t *value, struct arena *arena,
		       struct fleet_status *s)
{
	void *at = place_of(f, s);

	if (f->type == TEXT && json_is_string(value))
		*(const char **)at = text_of(value, arena);
	else if (f->type == COUNT && json_is_integer(value))
		*(uint64_t *)at = count_of(value);
	else if (f->type == MOMENT && json_is_integer(value))
		*(int64_t *)at = (int64_t)count_of(value);
	else if (f->type == SIGNED && json_is_integer(value))
		*(int64_t *)at = json_integer_value(value) < 0 ? -1 : json_integer_value(value);
	else if (f->type == TRUTH)
		*(bool *)at = json_is_true(value);
}

static int read_state(const json_t *value, enum fleet_state *ret)
{
	const char *name = json_string_value(value);

	for (size_t i = 0; name && i < FLEET_STATES_; i++) {
		if (strcmp(name, states[i]) == 0) {
			*ret = (enum fleet_state)i;
			return 0;
		}
	}
	return -1;
}

int fleet_status_of_json(const json_t *object, struct arena *arena, struct fleet_status *ret)
{
	const json_t *causes = json_object_get(object, "exceptions");
	const json_t *exit_status = json_object_get(object, "exit_status");

	fleet_status_init(ret, "", "");
	if (read_state(json_object_get(object, "state"), &ret->state) < 0)
		return -1;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		read_field(&fields[i], json_object_get(object, fields[i].name), arena, ret);
	for (size_t i = 0; i < CAUSE_COUNT_; i++)
		ret->causes[i] = count_of(json_object_get(causes, books_cause_name(i)));
	ret->tries = (unsigned)(count_of(json_object_get(object, "tries")) & 0xffff);
	if (json_is_integer(exit_status) && json_integer_value(exit_status) >= 0 &&
	    json_integer_value(exit_status) < 128)
		ret->exit_status = (int)json_integer_value(exit_status);
	ret->process.pid = (long)(count_of(json_object_get(object, "pid")) & INT32_MAX);
	ret->process.began = count_of(json_object_get(object, "pid_began"));
	return ret->mailbox[0] ? 0 : -1;
}

int fleet_status_read(const char *path, struct arena *arena, struct fleet_status *ret)
{
	_cleanup_(buf_done) struct buf content = BUF_NULL;
	struct fault ignored;
	json_t *object;
	int r;

	if (os_read_file(path, FILE_MAX, &content, &ignored) < 0)
		return 1;

	object = json_loadb(buf_str(&content), content.n, JSON_REJECT_DUPLICATES, NULL);
	r = fleet_status_of_json(object, arena, ret);
	json_decref(object);
	return r < 0;
}

void fleet_status_look(struct fleet_status *s, const char *this_host, int64_t now)
{
	bool runs;

	if (!fleet_state_is_open(s->state))
		return;

	if (strcmp(s->host, this_host) == 0)
		runs = os_process_runs(&s->process);
	else
		runs = s->state == FLEET_PARKED || now - s->updated < silence_us;
	if (!runs)
		s->state = FLEET_INTERRUPTED;
}

/* --- books ----------------------------------------------------------------------------------- */

void fleet_status_count(struct fleet_status *s, const struct books *books)
{
	struct copy_folder t = books_total(books);

	s->folders = books->n;
	s->folders_done = 0;
	for (size_t i = 0; i < books->n; i++)
		s->folders_done += books->folders[i].state == FOLDER_DONE ||
				   books->folders[i].state == FOLDER_FAILED;

	books_messages(books, &s->messages, &s->messages_done);
	s->bytes = t.expected_bytes;
	s->bytes_done = books_bytes_done(books);
	s->bytes_read = t.bytes_read;
	s->source = t.listed - t.filtered;
	s->present = t.present;
	s->copied = t.copied;
	s->moved = t.moved;
	s->excepted = t.excepted;
	s->changed = t.changed;
	s->not_reached = books_not_reached(&t);
	s->copied_bytes = t.bytes;
	s->flags_changed = t.flags_changed;
	s->deleted = t.deleted;
	for (size_t i = 0; i < CAUSE_COUNT_; i++)
		s->causes[i] = 0;
	for (size_t i = 0; i < books->exceptions_n; i++) {
		const struct copy_exception *e = &books->exceptions[i];

		s->causes[e->cause] += e->messages ? e->messages : 1;
	}
}
