/* SPDX-License-Identifier: Apache-2.0 */
/* The small languages inside a dialogue's lines: patterns, names in braces, words, escapes. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "lib/dialogue.h"

void dialogue_name_set(struct dialogue_names *names, const char *name, struct bytes value)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		if (strcmp(names->at[i].name, name) == 0)
			break;
	if (i == DIALOGUE_NAMES)
		return;

	snprintf(names->at[i].name, sizeof(names->at[i].name), "%s", name);
	snprintf(names->at[i].value, sizeof(names->at[i].value), "%.*s", BYTES_ARG(value));
	if (i == names->n)
		names->n++;
}

static const char *name_value(const struct dialogue_names *names, const char *name)
{
	for (size_t i = 0; names && i < names->n; i++)
		if (strcmp(names->at[i].name, name) == 0)
			return names->at[i].value;

	return NULL;
}

/* The length of "{name}" at the front of text, with the name; 0 when there is none. */
static size_t name_at(struct bytes text, char name[16])
{
	size_t n = 1;

	if (text.n < 3 || text.p[0] != '{')
		return 0;
	while (n < text.n && n < 16 && (ascii_is_alpha(text.p[n]) || text.p[n] == '-'))
		n++;
	if (n == 1 || n >= text.n || text.p[n] != '}')
		return 0;

	memcpy(name, text.p + 1, n - 1);
	name[n - 1] = '\0';
	return n + 1;
}

static bool match_one(struct bytes pattern, struct bytes text, struct dialogue_names *names);

static bool match_name(struct bytes rest, struct bytes text, const char *name,
		       struct dialogue_names *names)
{
	const char *known = name_value(names, name);
	size_t word = 0;

	if (known)
		return bytes_starts(text, bytes_of(known)) &&
		       match_one(rest, bytes_skip(text, strlen(known)), names);

	while (word < text.n && !ascii_is_blank(text.p[word]))
		word++;
	for (; word > 0; word--) {
		struct dialogue_names before = *names;

		dialogue_name_set(names, name, bytes_head(text, word));
		if (match_one(rest, bytes_skip(text, word), names))
			return true;
		*names = before;
	}

	return false;
}

static bool match_star(struct bytes rest, struct bytes text, struct dialogue_names *names)
{
	if (rest.n == 0)
		return true;
	for (size_t skip = 0; skip <= text.n; skip++)
		if (match_one(rest, bytes_skip(text, skip), names))
			return true;

	return false;
}

static bool match_one(struct bytes pattern, struct bytes text, struct dialogue_names *names)
{
	char name[16];
	size_t n;

	while (pattern.n) {
		if (pattern.p[0] == '*')
			return match_star(bytes_skip(pattern, 1), text, names);
		n = name_at(pattern, name);
		if (n)
			return match_name(bytes_skip(pattern, n), text, name, names);

		if (pattern.p[0] == '\\' && pattern.n > 1 && pattern.p[1] == '*')
			pattern = bytes_skip(pattern, 1);
		if (text.n == 0 || text.p[0] != pattern.p[0])
			return false;
		pattern = bytes_skip(pattern, 1);
		text = bytes_skip(text, 1);
	}

	return text.n == 0;
}

bool dialogue_match(struct bytes pattern, struct bytes text, struct dialogue_names *names)
{
	struct dialogue_names none = { 0 };
	ptrdiff_t bar;

	if (!names)
		names = &none;
	while ((bar = bytes_find(pattern, BYTES(" | "))) >= 0) {
		if (match_one(bytes_head(pattern, (size_t)bar), text, names))
			return true;
		pattern = bytes_skip(pattern, (size_t)bar + 3);
	}

	return match_one(pattern, text, names);
}

void dialogue_fill(struct buf *to, struct bytes text, const struct dialogue_names *names)
{
	char name[16];

	while (text.n) {
		size_t n = name_at(text, name);
		const char *value = n ? name_value(names, name) : NULL;

		if (value) {
			buf_append_str(to, value);
			text = bytes_skip(text, n);
			continue;
		}
		buf_append_char(to, text.p[0]);
		text = bytes_skip(text, 1);
	}
}

/* --- escapes and words ----------------------------------------------------------------------- */

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, ascii_lower(c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Appends what the escape at the front of text (behind its backslash) means; returns its length. */
static int unescape_one(char *to, struct bytes text)
{
	static const char from_to[][2] = { { 'r', '\r' }, { 'n', '\n' }, { 't', '\t' },
					   { '0', '\0' }, { '"', '"' },  { '\\', '\\' } };

	if (text.n == 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(from_to); i++) {
		if (text.p[0] == from_to[i][0]) {
			*to = from_to[i][1];
			return 1;
		}
	}
	if (text.p[0] != 'x' || text.n < 3 || hex_digit(text.p[1]) < 0 || hex_digit(text.p[2]) < 0)
		return -1;

	*to = (char)(hex_digit(text.p[1]) * 16 + hex_digit(text.p[2]));
	return 3;
}

int dialogue_unescape(struct arena *arena, struct bytes text, struct bytes *ret)
{
	char *to = arena_alloc(arena, text.n + 1);
	size_t n = 0;

	while (text.n) {
		int used = 1;

		if (text.p[0] == '\\') {
			text = bytes_skip(text, 1);
			used = unescape_one(to + n, text);
			if (used < 0)
				return -1;
		} else {
			to[n] = text.p[0];
		}
		n++;
		text = bytes_skip(text, (size_t)used);
	}

	*ret = (struct bytes){ to, n };
	return 0;
}

static int quoted_word(struct arena *arena, struct bytes *rest, struct bytes *ret_word)
{
	size_t n = 1;

	while (n < rest->n && rest->p[n] != '"')
		n += rest->p[n] == '\\' ? 2 : 1;
	if (n >= rest->n)
		return -1;
	if (dialogue_unescape(arena, (struct bytes){ rest->p + 1, n - 1 }, ret_word) < 0)
		return -1;

	*rest = bytes_skip(*rest, n + 1);
	return 1;
}

static int group_word(struct bytes *rest, struct bytes *ret_word)
{
	size_t n = 0, depth = 0;

	do {
		if (n == rest->n)
			return -1;
		if (rest->p[n] == '(')
			depth++;
		if (rest->p[n] == ')')
			depth--;
		n++;
	} while (depth);

	*ret_word = (struct bytes){ rest->p + 1, n - 2 };
	*rest = bytes_skip(*rest, n);
	return 1;
}

int dialogue_word(struct arena *arena, struct bytes *rest, struct bytes *ret_word)
{
	while (rest->n && ascii_is_blank(rest->p[0]))
		*rest = bytes_skip(*rest, 1);
	if (rest->n == 0)
		return 0;
	if (rest->p[0] == '"')
		return quoted_word(arena, rest, ret_word);
	if (rest->p[0] == '(')
		return group_word(rest, ret_word);

	*ret_word = bytes_cut(rest, ' ');
	return 1;
}
