/* SPDX-License-Identifier: Apache-2.0 */
/* Cursor over the text of a response, see lex.h. It is generous about which characters make
 * a word: servers put brackets, quotes and raw UTF-8 into flags and names. It never
 * recurses. */
#include "imap/lex.h"

#include <string.h>

/* What ends a word. */
static const bool ends_word[256] = {
	[' '] = true, ['\t'] = true, ['\r'] = true, ['\n'] = true, ['('] = true, [')'] = true,
};

struct lex lex_of(struct bytes text, struct arena *arena)
{
	const char *p = text.n ? text.p : "";

	return (struct lex){ p, p + text.n, arena };
}

struct bytes lex_rest(const struct lex *lex)
{
	return (struct bytes){ lex->p, (size_t)(lex->end - lex->p) };
}

void lex_blanks(struct lex *lex)
{
	while (lex->p < lex->end && ascii_is_blank(*lex->p))
		lex->p++;
}

bool lex_at_end(struct lex *lex)
{
	lex_blanks(lex);
	return lex->p == lex->end;
}

bool lex_at(const struct lex *lex, char c)
{
	return lex->p < lex->end && *lex->p == c;
}

bool lex_take(struct lex *lex, char c)
{
	lex_blanks(lex);
	if (!lex_at(lex, c))
		return false;

	lex->p++;
	return true;
}

struct bytes lex_word(struct lex *lex)
{
	const char *start = lex->p;

	while (lex->p < lex->end && !ends_word[(unsigned char)*lex->p])
		lex->p++;
	return (struct bytes){ start, (size_t)(lex->p - start) };
}

/* Between the quotes, escapes still in. A quoted string never spans lines. */
static int quoted_raw(struct lex *lex, struct bytes *ret, bool *ret_escaped)
{
	const char *start = ++lex->p;
	bool escaped = false;

	for (; lex->p < lex->end; lex->p++) {
		char c = *lex->p;

		if (c == '\r' || c == '\n')
			return -1;
		if (c == '"')
			break;
		if (c == '\\' && lex->p + 1 < lex->end) {
			escaped = true;
			if (lex->p[1] == '"' || lex->p[1] == '\\')
				lex->p++;
		}
	}

	if (lex->p == lex->end)
		return -1;

	*ret = (struct bytes){ start, (size_t)(lex->p - start) };
	*ret_escaped = escaped;
	lex->p++;
	return 0;
}

/* A backslash before anything else than a quote or a backslash is kept: a server that
 * writes "a\b" did not escape, and means it. */
static struct bytes unescape(struct arena *arena, struct bytes raw)
{
	char *to = arena_alloc(arena, raw.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] == '\\' && i + 1 < raw.n &&
		    (raw.p[i + 1] == '"' || raw.p[i + 1] == '\\'))
			i++;
		to[n++] = raw.p[i];
	}
	return (struct bytes){ to, n };
}

/* "{n}" or "~{n+}", a line end, and n bytes. */
static int literal(struct lex *lex, struct bytes *ret)
{
	struct bytes digits;
	uint64_t n;

	if (lex_at(lex, '~'))
		lex->p++;
	if (!lex_at(lex, '{'))
		return -1;

	digits.p = ++lex->p;
	while (lex->p < lex->end && ascii_is_digit(*lex->p))
		lex->p++;
	digits.n = (size_t)(lex->p - digits.p);

	if (lex_at(lex, '+'))
		lex->p++;
	if (!lex_at(lex, '}'))
		return -1;
	lex->p++;
	if (lex_at(lex, '\r'))
		lex->p++;
	if (!lex_at(lex, '\n'))
		return -1;
	lex->p++;

	if (bytes_to_u64(digits, (uint64_t)(lex->end - lex->p), &n) < 0)
		return -1;

	*ret = (struct bytes){ lex->p, (size_t)n };
	lex->p += n;
	return 0;
}

static bool at_literal(const struct lex *lex)
{
	struct lex try = *lex;
	struct bytes ignored;

	return (lex_at(lex, '{') || lex_at(lex, '~')) && literal(&try, &ignored) == 0;
}

int lex_string(struct lex *lex, struct bytes *ret)
{
	struct bytes raw;
	bool escaped;

	lex_blanks(lex);
	if (!lex_at(lex, '"'))
		return literal(lex, ret);

	if (quoted_raw(lex, &raw, &escaped) < 0)
		return -1;

	*ret = escaped ? unescape(lex->arena, raw) : raw;
	return 0;
}

int lex_astring(struct lex *lex, struct bytes *ret)
{
	lex_blanks(lex);
	if (lex_at(lex, '"') || at_literal(lex))
		return lex_string(lex, ret);

	*ret = lex_word(lex);
	return ret->n ? 0 : -1;
}

bool lex_nil(struct lex *lex)
{
	struct lex try = *lex;

	lex_blanks(&try);
	if (!bytes_equal_nocase(lex_word(&try), BYTES("NIL")))
		return false;

	*lex = try;
	return true;
}

int lex_nstring(struct lex *lex, struct bytes *ret)
{
	if (lex_nil(lex)) {
		*ret = BYTES_NULL;
		return 0;
	}

	return lex_string(lex, ret);
}

int lex_number(struct lex *lex, uint64_t max, uint64_t *ret)
{
	lex_blanks(lex);
	return bytes_to_u64(lex_word(lex), max, ret);
}

/* Where an unquoted name ends: before blanks and "(", or at the end of the line. */
static const char *loose_name_end(const struct lex *lex)
{
	const char *last = lex->p; /* after the last character that is not blank */

	for (const char *at = lex->p; at < lex->end; at++) {
		if (*at == '\r' || *at == '\n')
			break;
		if (*at == '(' && at > lex->p && ascii_is_blank(at[-1]))
			break;
		if (!ascii_is_blank(*at))
			last = at + 1;
	}
	return last;
}

int lex_mailbox(struct lex *lex, struct bytes *ret)
{
	const char *end;

	lex_blanks(lex);
	if (lex_at(lex, '"') || at_literal(lex))
		return lex_string(lex, ret);

	end = loose_name_end(lex);
	*ret = (struct bytes){ lex->p, (size_t)(end - lex->p) };
	lex->p = end;
	return ret->n ? 0 : -1;
}

/* One token that is not a parenthesis. */
static int skip_token(struct lex *lex)
{
	struct bytes ignored;
	bool escaped;

	if (lex_at(lex, '"'))
		return quoted_raw(lex, &ignored, &escaped);
	if (at_literal(lex))
		return literal(lex, &ignored);

	return lex_word(lex).n ? 0 : -1;
}

int lex_skip(struct lex *lex)
{
	size_t depth = 0;

	do {
		if (lex_take(lex, '(')) {
			depth++;
		} else if (lex_at(lex, ')')) {
			if (depth == 0)
				return -1;
			depth--;
			lex->p++;
		} else if (skip_token(lex) < 0) {
			return -1;
		}
	} while (depth > 0);

	return 0;
}

void lex_words(struct lex *lex, struct imap_atoms *ret)
{
	struct bytes *words = NULL, *more, word;
	size_t n = 0, room = 0;

	while (!lex_at_end(lex) && !lex_at(lex, ')') && lex_astring(lex, &word) == 0) {
		if (n == room) {
			room = room ? 2 * room : 8;
			more = arena_alloc(lex->arena, room * sizeof(*more));
			if (n)
				memcpy(more, words, n * sizeof(*more));
			words = more;
		}
		words[n++] = word;
	}

	*ret = (struct imap_atoms){ words, n };
}

int lex_word_list(struct lex *lex, struct imap_atoms *ret)
{
	struct imap_atoms words;

	if (!lex_take(lex, '('))
		return -1;

	lex_words(lex, &words);
	if (!lex_take(lex, ')') && lex->p < lex->end)
		return -1;

	*ret = words;
	return 0;
}

static int set_number(struct bytes text, uint32_t *ret)
{
	uint64_t number;

	if (bytes_equal(text, BYTES("*"))) {
		*ret = UINT32_MAX;
		return 0;
	}

	if (bytes_to_u64(text, UINT32_MAX, &number) < 0 || number == 0)
		return -1;

	*ret = (uint32_t)number;
	return 0;
}

static int set_range(struct bytes text, struct imap_range *ret)
{
	bool one = bytes_find_char(text, ':') < 0;
	uint32_t a, b;

	if (set_number(bytes_cut(&text, ':'), &a) < 0)
		return -1;

	if (one)
		b = a;
	else if (set_number(text, &b) < 0)
		return -1;

	*ret = a < b ? (struct imap_range){ a, b } : (struct imap_range){ b, a };
	return 0;
}

int lex_set(struct bytes text, struct arena *arena, struct imap_set *ret)
{
	struct imap_range *ranges;
	size_t n = 1;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == ',';

	ranges = arena_alloc(arena, n * sizeof(*ranges));
	for (size_t i = 0; i < n; i++)
		if (set_range(bytes_cut(&text, ','), &ranges[i]) < 0)
			return -1;

	*ret = (struct imap_set){ ranges, n };
	return 0;
}
