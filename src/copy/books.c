/* SPDX-License-Identifier: Apache-2.0 */
/* The books of a pass, see books.h. */
#include "copy/books.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"

static const struct {
	const char *name;
	bool loses;
} causes[CAUSE_COUNT_] = {
	[CAUSE_TOO_LARGE] = { "too-large", true },
	[CAUSE_REFUSED] = { "refused", true },
	[CAUSE_REFUSED_NUL] = { "refused-nul", true },
	[CAUSE_REFUSED_HEADER] = { "refused-header", true },
	[CAUSE_REFUSED_VIRUS] = { "refused-virus", true },
	[CAUSE_UNREADABLE] = { "unreadable", true },
	[CAUSE_FOLDER] = { "folder", true },
	[CAUSE_ALTERED] = { "altered", false },
	[CAUSE_FLAGS_CUT] = { "flags-cut", false },
	[CAUSE_DATE_LOST] = { "date-lost", false },
	[CAUSE_COUNT_DIFFERS] = { "count-differs", false },
	[CAUSE_NOT_SUBSCRIBED] = { "not-subscribed", false },
	[CAUSE_REMOVED] = { "removed", true },
	[CAUSE_DELETES_HELD] = { "deletes-held", false },
	[CAUSE_FLAGS_KEPT] = { "flags-kept", false },
	[CAUSE_UNAVAILABLE] = { "unavailable", true },
};

const char *books_cause_name(enum copy_cause cause)
{
	return causes[cause].name;
}

bool books_cause_loses(enum copy_cause cause)
{
	return causes[cause].loses;
}

void books_done(struct books *b)
{
	free(b->folders);
	free(b->order);
	free(b->exceptions);
	arena_done(&b->arena);
	*b = (struct books){ .n = 0 };
}

static struct copy_exception *add(struct books *b, enum copy_cause cause, uint64_t messages, const char *detail)
{
	struct copy_exception *e;

	b->exceptions = xgrow(b->exceptions, &b->exceptions_size, b->exceptions_n + 1, sizeof(*e));
	e = &b->exceptions[b->exceptions_n++];
	*e = (struct copy_exception){
		.cause = cause, .messages = messages, .message_id = "",
		.detail = arena_strdup(&b->arena, detail),
	};
	return e;
}

const struct copy_exception *books_except(struct books *b, size_t folder, enum copy_cause cause,
					  uint32_t uid, uint64_t size, uint64_t messages,
					  const char *message_id, const char *detail)
{
	struct copy_exception *e = add(b, cause, messages, detail);

	e->folder = folder;
	e->name = b->folders[folder].source_utf8;
	e->uid = uid;
	e->size = size;
	e->message_id = arena_strdup(&b->arena, message_id);
	if (books_cause_loses(cause))
		b->folders[folder].excepted += messages;
	return e;
}

const struct copy_exception *books_except_lost(struct books *b, struct bytes name, enum copy_cause cause,
					       uint64_t messages, const char *detail)
{
	struct copy_exception *e = add(b, cause, messages, detail);

	assert(!books_cause_loses(cause));
	e->folder = BOOKS_NO_FOLDER;
	e->name = arena_copy(&b->arena, name);
	return e;
}

void books_close(struct books *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct copy_folder *f = &b->folders[i];

		if ((f->state == FOLDER_WAITING || f->state == FOLDER_COPYING) &&
		    f->listed < f->expected)
			f->listed = f->expected;
	}
}

struct copy_folder books_total(const struct books *b)
{
	struct copy_folder t = { .state = FOLDER_DONE, .gone = b->lost.gone, .deleted = b->lost.deleted };

	for (size_t i = 0; i < b->n; i++) {
		const struct copy_folder *f = &b->folders[i];

		t.expected += f->expected;
		t.expected_bytes += f->expected_bytes;
		t.listed += f->listed;
		t.filtered += f->filtered;
		t.present += f->present;
		t.adopted += f->adopted;
		t.moved += f->moved;
		t.flags_changed += f->flags_changed;
		t.gone += f->gone;
		t.deleted += f->deleted;
		t.removed += f->removed;
		t.copied += f->copied;
		t.excepted += f->excepted;
		t.changed += f->changed;
		t.bytes += f->bytes;
		t.bytes_read += f->bytes_read;
		t.arrived += f->arrived;
		t.in_doubt += f->in_doubt;
	}
	return t;
}

uint64_t books_not_reached(const struct copy_folder *f)
{
	uint64_t settled = f->filtered + f->present + f->moved + f->copied + f->excepted + f->changed;

	return f->listed > settled ? f->listed - settled : 0;
}

/* --- progress -------------------------------------------------------------------------------- */

static uint64_t bytes_done(const struct copy_folder *f)
{
	uint64_t before = f->bytes_known > f->bytes_present ? f->bytes_known : f->bytes_present;

	if (f->state == FOLDER_DONE || f->state == FOLDER_FAILED || before >= f->expected_bytes)
		return f->expected_bytes;
	return f->bytes_read < f->expected_bytes - before ? before + f->bytes_read : f->expected_bytes;
}

uint64_t books_bytes_done(const struct books *b)
{
	uint64_t done = 0;

	for (size_t i = 0; i < b->n; i++)
		done += bytes_done(&b->folders[i]);
	return done;
}

void books_messages(const struct books *b, uint64_t *ret_all, uint64_t *ret_settled)
{
	struct copy_folder t = books_total(b);

	*ret_all = (t.listed > t.expected ? t.listed : t.expected) - t.filtered;
	*ret_settled = t.present + t.moved + t.copied + t.excepted + t.changed;
}

uint64_t books_bytes_per_second(const struct books *b, int64_t took_us)
{
	double seconds = (double)took_us / (double)SECOND;

	return took_us > 0 ? (uint64_t)((double)books_total(b).bytes_read / seconds) : 0;
}

int64_t books_left_us(const struct books *b, int64_t took_us)
{
	struct copy_folder t = books_total(b);
	double left = (double)(t.expected_bytes - books_bytes_done(b)), did = (double)t.bytes_read;
	uint64_t all, settled;

	if (!t.expected_bytes) {
		books_messages(b, &all, &settled);
		left = all > settled ? (double)(all - settled) : 0;
		did = (double)(t.copied + t.moved);
	}
	if (left <= 0 || did <= 0 || took_us <= 0)
		return -1;
	left *= (double)took_us / did;
	return left < (double)INT64_MAX / 2 ? (int64_t)left : -1;
}
