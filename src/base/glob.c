/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns for folder names, see glob.h.
 *
 * The pattern is cut into tokens; a set of "matched so far up to here" is carried through the
 * name, a character at a time. No backtracking, so nothing can blow up. */
#include "base/glob.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/xalloc.h"

enum token_kind {
	TOKEN_LITERAL,   /* text: the character */
	TOKEN_ANY,       /* ? */
	TOKEN_CLASS,     /* text: what stands in the brackets */
	TOKEN_STAR,      /* * */
	TOKEN_DEEP_STAR, /* ** */
};

struct token {
	enum token_kind kind;
	struct bytes text;
};

/* The next UTF-8 character, or a single byte where there is none. Comparing characters as bytes
 * orders them by code point. */
static struct bytes take_char(struct bytes *rest)
{
	unsigned char c = (unsigned char)rest->p[0];
	size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	struct bytes taken;

	for (size_t i = 1; i < n; i++)
		if (i >= rest->n || ((unsigned char)rest->p[i] & 0xc0) != 0x80)
			n = 1;

	taken = bytes_head(*rest, n);
	*rest = bytes_skip(*rest, n);
	return taken;
}

static bool is_char(struct bytes character, char c)
{
	return character.n == 1 && character.p[0] == c;
}

/* Offset of the "]" that ends a class whose "[" was taken off, or -1. */
static ptrdiff_t class_end(struct bytes rest)
{
	size_t first = bytes_starts(rest, BYTES("!")) ? 2 : 1;
	ptrdiff_t at = bytes_find_char(bytes_skip(rest, first), ']');

	return at < 0 ? -1 : at + (ptrdiff_t)first;
}

static struct token take_token(struct bytes *rest)
{
	struct token token = { TOKEN_LITERAL, take_char(rest) };
	ptrdiff_t end;

	if (is_char(token.text, '\\') && rest->n) {
		token.text = take_char(rest);
	} else if (is_char(token.text, '?')) {
		token.kind = TOKEN_ANY;
	} else if (is_char(token.text, '*')) {
		token.kind = TOKEN_STAR;
		for (; bytes_starts(*rest, BYTES("*")); *rest = bytes_skip(*rest, 1))
			token.kind = TOKEN_DEEP_STAR;
	} else if (is_char(token.text, '[') && (end = class_end(*rest)) >= 0) {
		token.kind = TOKEN_CLASS;
		token.text = bytes_head(*rest, (size_t)end);
		*rest = bytes_skip(*rest, (size_t)end + 1);
	}
	return token;
}

static bool class_has(struct bytes members, struct bytes character)
{
	bool wanted = !bytes_starts(members, BYTES("!"));

	if (!wanted)
		members = bytes_skip(members, 1);

	while (members.n) {
		struct bytes first = take_char(&members), last = first;

		if (members.n >= 2 && members.p[0] == '-') {
			members = bytes_skip(members, 1);
			last = take_char(&members);
		}
		if (bytes_compare(character, first) >= 0 && bytes_compare(character, last) <= 0)
			return wanted;
	}

	return !wanted;
}

/* Whether the token can take this character. */
static bool takes(const struct token *token, struct bytes character)
{
	bool separator = is_char(character, '/');

	switch (token->kind) {
	case TOKEN_LITERAL:
		return bytes_equal(token->text, character);
	case TOKEN_CLASS:
		return !separator && class_has(token->text, character);
	case TOKEN_ANY:
	case TOKEN_STAR:
		return !separator;
	case TOKEN_DEEP_STAR:
		return true;
	}
	return false;
}

static bool is_star(const struct token *token)
{
	return token->kind == TOKEN_STAR || token->kind == TOKEN_DEEP_STAR;
}

struct matcher {
	struct token *tokens;
	size_t n;
	bool *at, *next; /* n + 1 each: all tokens before this one are matched */
};

/* A star may also take nothing. */
static void pass_stars(const struct matcher *m, bool *at)
{
	for (size_t i = 0; i < m->n; i++)
		if (at[i] && is_star(&m->tokens[i]))
			at[i + 1] = true;
}

static void advance(struct matcher *m, struct bytes character)
{
	bool *now = m->at;

	memset(m->next, 0, (m->n + 1) * sizeof(*m->next));
	for (size_t i = 0; i < m->n; i++)
		if (now[i] && takes(&m->tokens[i], character))
			m->next[is_star(&m->tokens[i]) ? i : i + 1] = true;

	pass_stars(m, m->next);
	m->at = m->next;
	m->next = now;
}

static bool ends_in_children(const struct matcher *m)
{
	return m->n >= 2 && m->tokens[m->n - 1].kind == TOKEN_DEEP_STAR &&
	       m->tokens[m->n - 2].kind == TOKEN_LITERAL && is_char(m->tokens[m->n - 2].text, '/');
}

static bool run(struct matcher *m, struct bytes pattern, struct bytes name)
{
	while (pattern.n)
		m->tokens[m->n++] = take_token(&pattern);

	m->at[0] = true;
	pass_stars(m, m->at);
	while (name.n)
		advance(m, take_char(&name));

	return m->at[m->n] || (ends_in_children(m) && m->at[m->n - 2]);
}

bool glob_match(struct bytes pattern, struct bytes name)
{
	_cleanup_(freep) struct token *tokens = xreallocarray(NULL, pattern.n, sizeof(*tokens));
	_cleanup_(freep) bool *sets = xzalloc(2 * (pattern.n + 1) * sizeof(*sets));
	struct matcher m = { tokens, 0, sets, sets + pattern.n + 1 };

	return run(&m, pattern, name);
}

bool glob_is_plain(struct bytes pattern)
{
	while (pattern.n)
		if (take_token(&pattern).kind != TOKEN_LITERAL)
			return false;

	return true;
}
