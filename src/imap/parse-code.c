/* SPDX-License-Identifier: Apache-2.0 */
/* Response codes (RFC 3501 section 7.1, 4315, 5530, 7162): "[APPENDUID 38505 3955] done". A
 * code that is not what it should be keeps its name and rest, and gives no numbers. A
 * bracket that is never closed leaves the text whole, since it may be no code at all. */
#include "imap/parse.h"

static int code_number(struct lex *lex, struct imap_code *code)
{
	return lex_number(lex, UINT64_MAX, &code->number);
}

static int code_words(struct lex *lex, struct imap_code *code)
{
	lex_words(lex, &code->atoms);
	return 0;
}

static int code_list(struct lex *lex, struct imap_code *code)
{
	return lex_word_list(lex, &code->atoms);
}

static int set(struct lex *lex, struct imap_set *to)
{
	lex_blanks(lex);
	return lex_set(lex_word(lex), lex->arena, to);
}

static int code_set(struct lex *lex, struct imap_code *code)
{
	return set(lex, &code->uids);
}

/* APPENDUID uidvalidity uids */
static int code_appenduid(struct lex *lex, struct imap_code *code)
{
	if (code_number(lex, code) < 0)
		return -1;

	return set(lex, &code->uids);
}

/* COPYUID uidvalidity source-uids destination-uids */
static int code_copyuid(struct lex *lex, struct imap_code *code)
{
	if (code_number(lex, code) < 0 || set(lex, &code->source) < 0)
		return -1;

	return set(lex, &code->uids);
}

static const struct {
	struct bytes name;
	int (*read)(struct lex *lex, struct imap_code *code);
} codes[] = {
	{ BYTES("UIDVALIDITY"), code_number },
	{ BYTES("UIDNEXT"), code_number },
	{ BYTES("UNSEEN"), code_number },
	{ BYTES("HIGHESTMODSEQ"), code_number },
	{ BYTES("APPENDUID"), code_appenduid },
	{ BYTES("COPYUID"), code_copyuid },
	{ BYTES("MODIFIED"), code_set },
	{ BYTES("CAPABILITY"), code_words },
	{ BYTES("PERMANENTFLAGS"), code_list },
	{ BYTES("BADCHARSET"), code_list },
	{ BYTES("MAILBOXID"), code_list },
};

static struct bytes upper(struct arena *arena, struct bytes word)
{
	char *to = arena_alloc(arena, word.n + 1);

	for (size_t i = 0; i < word.n; i++)
		to[i] = ascii_upper(word.p[i]);
	return (struct bytes){ to, word.n };
}

/* Offset of the bracket that closes: flags may hold brackets, so first outside parentheses
 * and quotes; if those do not match, simply the first. */
static ptrdiff_t closing_bracket(struct bytes text)
{
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == ']' && depth == 0)
			return (ptrdiff_t)i;
	}
	return bytes_find_char(text, ']');
}

static void arguments(struct lex *lex, struct imap_code *code)
{
	struct imap_code plain = *code;

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		if (!bytes_equal(code->name, codes[i].name))
			continue;
		if (codes[i].read(lex, code) < 0)
			*code = plain;
		return;
	}
}

void imap_parse_code(struct lex *lex, struct imap_response *to)
{
	struct bytes text;
	ptrdiff_t close;
	struct lex inside;

	lex_blanks(lex);
	text = lex_rest(lex);
	to->text = bytes_trim(text);
	if (!lex_at(lex, '['))
		return;

	text = bytes_skip(text, 1);
	close = closing_bracket(text);
	inside = lex_of(close < 0 ? text : bytes_head(text, (size_t)close), lex->arena);
	lex_blanks(&inside);
	to->code.name = upper(lex->arena, lex_word(&inside));
	to->code.rest = bytes_trim(lex_rest(&inside));
	arguments(&inside, &to->code);
	if (close >= 0)
		to->text = bytes_trim(bytes_skip(text, (size_t)close + 1));
}
