/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones: a table of transitions, and a rule for what comes after them. See tz.h. */
#include "os/tz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "os/file.h"
#include "os/tz-rule.h"

enum {
	FILE_MAX = 256 * 1024,
	TRANSITIONS_MAX = 8192,
	OFFSET_MAX = 26 * 3600, /* RFC 8536, 3.2 */
	HEADER = 44,
};

struct transition {
	int64_t at;
	int32_t offset; /* from then on */
};

struct os_tz {
	int32_t first; /* offset before all transitions */
	uint32_t n;
	const struct transition *transitions;
	const struct tz_rule *rule; /* after the last, or NULL */
};

int32_t os_tz_offset(const struct os_tz *tz, int64_t at, int64_t *ret_until)
{
	uint32_t low = 0, high = tz ? tz->n : 0;
	int64_t until = INT64_MAX;
	int32_t offset;

	/* The transitions before `low` have happened, those from `high` on have not. */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (tz->transitions[middle].at <= at)
			low = middle + 1;
		else
			high = middle;
	}

	if (tz && low == tz->n && tz->rule)
		offset = tz_rule_offset(tz->rule, at, &until);
	else
		offset = !tz ? 0 : low ? tz->transitions[low - 1].offset : tz->first;
	if (tz && low < tz->n)
		until = tz->transitions[low].at;
	if (ret_until)
		*ret_until = until;
	return offset;
}

/* --- TZif ------------------------------------------------------------------------------------- */

struct counts {
	uint32_t isut, isstd, leap, time, type, chars;
};

struct block {
	struct counts n;
	size_t word; /* 4 or 8 bytes a moment */
	const unsigned char *times, *indices, *types;
	size_t size;
};

static uint64_t big_endian(const unsigned char *p, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | p[i];
	return value;
}

static int64_t moment_at(const struct block *b, uint32_t i)
{
	uint64_t value = big_endian(b->times + i * b->word, b->word);

	return b->word == 4 ? (int32_t)(uint32_t)value : (int64_t)value;
}

static int32_t offset_of(const struct block *b, uint32_t type)
{
	return (int32_t)(uint32_t)big_endian(b->types + type * 6, 4);
}

/* A header and the block behind it, word bytes a moment; -1 when it does not hold together. */
static int read_block(struct bytes content, size_t word, struct block *ret)
{
	const unsigned char *p = (const unsigned char *)content.p;
	struct block b = { .word = word };

	if (content.n < HEADER || memcmp(p, "TZif", 4) != 0)
		return -1;

	b.n.isut = (uint32_t)big_endian(p + 20, 4);
	b.n.isstd = (uint32_t)big_endian(p + 24, 4);
	b.n.leap = (uint32_t)big_endian(p + 28, 4);
	b.n.time = (uint32_t)big_endian(p + 32, 4);
	b.n.type = (uint32_t)big_endian(p + 36, 4);
	b.n.chars = (uint32_t)big_endian(p + 40, 4);
	if (b.n.isut > 256 || b.n.isstd > 256 || b.n.leap > 1024 || b.n.time > TRANSITIONS_MAX ||
	    b.n.type > 256 || b.n.chars > 65536)
		return -1;

	b.times = p + HEADER;
	b.indices = b.times + b.n.time * word;
	b.types = b.indices + b.n.time;
	b.size = HEADER + b.n.time * (word + 1) + b.n.type * 6 + b.n.chars + b.n.leap * (word + 4) +
		 b.n.isstd + b.n.isut;
	if (b.size > content.n)
		return -1;

	*ret = b;
	return 0;
}

/* The block with 64-bit moments where there is one, and *rest: what is behind it. */
static int find_block(struct bytes content, struct block *ret, struct bytes *rest)
{
	if (read_block(content, 4, ret) < 0)
		return -1;

	*rest = BYTES_NULL;
	if (content.p[4] < '2')
		return 0;

	content = bytes_skip(content, ret->size);
	if (read_block(content, 8, ret) < 0)
		return -1;
	*rest = bytes_skip(content, ret->size);
	return 0;
}

static int read_transitions(const struct block *b, struct arena *arena, struct os_tz *tz)
{
	struct transition *all;

	if (b->n.type == 0)
		return -1;
	for (uint32_t i = 0; i < b->n.type; i++) {
		int32_t offset = offset_of(b, i);

		if (offset < -OFFSET_MAX || offset > OFFSET_MAX)
			return -1;
	}

	all = arena_alloc(arena, (b->n.time + 1) * sizeof(*all));
	for (uint32_t i = 0; i < b->n.time; i++) {
		if (b->indices[i] >= b->n.type || (i > 0 && moment_at(b, i) <= all[i - 1].at))
			return -1;
		all[i].at = moment_at(b, i);
		all[i].offset = offset_of(b, b->indices[i]);
	}
	tz->first = offset_of(b, 0);
	tz->transitions = all;
	tz->n = b->n.time;
	return 0;
}

/* The footer: a newline, the rule or nothing, a newline. Version 1 has none. */
static int read_footer(const struct block *b, struct bytes rest, struct arena *arena,
		       struct os_tz *tz)
{
	struct tz_rule rule;
	ptrdiff_t end;

	if (b->word == 4)
		return 0;
	if (rest.n == 0 || rest.p[0] != '\n')
		return -1;

	rest = bytes_skip(rest, 1);
	end = bytes_find_char(rest, '\n');
	if (end < 0)
		return -1;
	if (end == 0)
		return 0;
	if (tz_rule_parse(bytes_head(rest, (size_t)end), &rule) < 0)
		return -1;
	tz->rule = memcpy(arena_alloc(arena, sizeof(rule)), &rule, sizeof(rule));
	return 0;
}

int os_tz_parse(const char *name, struct bytes content, struct arena *arena,
		const struct os_tz **ret, struct fault *fault)
{
	struct os_tz *tz = arena_alloc(arena, sizeof(*tz));
	struct block block;
	struct bytes rest;

	if (find_block(content, &block, &rest) < 0 || read_transitions(&block, arena, tz) < 0 ||
	    read_footer(&block, rest, arena, tz) < 0)
		return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER,
				 "the file of the time zone %s is damaged, or of something else",
				 name);
	if (block.n.leap)
		return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER,
				 "the time zone %s counts leap seconds: use the one without "
				 "\"right/\"", name);

	*ret = tz;
	return 0;
}

int os_tz_parse_rule(struct bytes text, struct arena *arena, const struct os_tz **ret,
		     struct fault *fault)
{
	struct os_tz *tz = arena_alloc(arena, sizeof(*tz));
	struct tz_rule rule;

	if (tz_rule_parse(text, &rule) < 0)
		return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER,
				 "%.*s is no time zone: write one such as Europe/Berlin",
				 BYTES_ARG(text));

	tz->rule = memcpy(arena_alloc(arena, sizeof(rule)), &rule, sizeof(rule));
	*ret = tz;
	return 0;
}

/* --- finding it ------------------------------------------------------------------------------- */

/* A file name below the database and nothing else: no dots at all, so no way out. */
static bool is_name(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > 64 || name[0] == '/' || name[n - 1] == '/' || strstr(name, "//"))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!ascii_is_alpha(name[i]) && !ascii_is_digit(name[i]) && !strchr("_+-/", name[i]))
			return false;
	}
	return true;
}

static const char *database(void)
{
	const char *folder = getenv("TZDIR");

	return folder && folder[0] ? folder : "/usr/share/zoneinfo";
}

static int fault_unknown(struct fault *fault, const char *name)
{
	return fault_usage(fault, "there is no time zone \"%.64s\": write one of the tz database, "
			   "such as Asia/Shanghai, Europe/Berlin or UTC", name);
}

static int load_file(const char *name, const char *path, struct arena *arena,
		     const struct os_tz **ret, struct fault *fault)
{
	_cleanup_(buf_done) struct buf content = BUF_NULL;

	if (os_read_file(path, FILE_MAX, &content, fault) < 0)
		return -1;
	return os_tz_parse(name, buf_bytes(&content), arena, ret, fault);
}

static int load_named(const char *name, struct arena *arena, const struct os_tz **ret,
		      struct fault *fault)
{
	const char *path = arena_printf(arena, "%s/%s", database(), name);
	_cleanup_(buf_done) struct buf probe = BUF_NULL;
	struct fault ignored;

	if (load_file(name, path, arena, ret, fault) == 0)
		return 0;
	if (fault->kind != FAULT_USAGE)
		return -1;

	/* Every installation has this one. */
	path = arena_printf(arena, "%s/UTC", database());
	if (os_read_file(path, FILE_MAX, &probe, &ignored) < 0)
		return fault_usage(fault, "the time zone %s cannot be looked up: there is no tz "
				   "database in %s; install the package tzdata, or use UTC", name,
				   database());
	return fault_unknown(fault, name);
}

/* As libc finds it. */
static int load_own(struct arena *arena, const struct os_tz **ret, struct fault *fault)
{
	const char *name = getenv("TZ");
	struct fault why;

	if (name && name[0] == ':')
		name++;
	if (name && name[0] == '/')
		return load_file(name, name, arena, ret, fault);
	if (name && strcmp(name, "UTC") == 0)
		name = "";
	if (name && name[0]) {
		if (is_name(name) && load_named(name, arena, ret, &why) == 0)
			return 0;
		return os_tz_parse_rule(bytes_of(name), arena, ret, fault);
	}

	*ret = NULL;
	if (!name && load_file("of this machine", "/etc/localtime", arena, ret, &why) < 0 &&
	    why.kind != FAULT_USAGE) {
		*fault = why;
		return -1;
	}
	return 0;
}

int os_tz_load(const char *name, struct arena *arena, const struct os_tz **ret, struct fault *fault)
{
	if (name[0] == '\0')
		return load_own(arena, ret, fault);
	if (!is_name(name))
		return fault_unknown(fault, name);
	if (strcmp(name, "UTC") == 0) {
		*ret = NULL;
		return 0;
	}
	return load_named(name, arena, ret, fault);
}
