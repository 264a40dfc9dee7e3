/* SPDX-License-Identifier: Apache-2.0 */
/* From the text of a response to struct imap_response: which kind it is, and the kinds that
 * need no file of their own. Names are found in a table; what is not in it is IMAP_OTHER
 * with its text. */
#include "imap/parse.h"

#include <string.h>

static const struct bytes conditions[] = {
	[IMAP_OK] = BYTES("OK"),   [IMAP_NO] = BYTES("NO"),           [IMAP_BAD] = BYTES("BAD"),
	[IMAP_BYE] = BYTES("BYE"), [IMAP_PREAUTH] = BYTES("PREAUTH"),
};

static int condition_of(struct bytes word, enum imap_condition *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++) {
		if (bytes_equal_nocase(word, conditions[i])) {
			*ret = (enum imap_condition)i;
			return 0;
		}
	}
	return -1;
}

bool imap_atoms_has(struct imap_atoms atoms, const char *name)
{
	for (size_t i = 0; i < atoms.n; i++)
		if (bytes_equal_nocase(atoms.p[i], bytes_of(name)))
			return true;

	return false;
}

static int parse_words(struct lex *lex, struct imap_response *to)
{
	lex_words(lex, &to->atoms);
	return 0;
}

static int parse_flags(struct lex *lex, struct imap_response *to)
{
	lex_word_list(lex, &to->atoms);
	return 0; /* without them we ask for nothing special */
}

static int parse_text(struct lex *lex, struct imap_response *to)
{
	return 0; /* the text is there already */
}

int imap_parse_id(struct lex *lex, struct imap_response *to)
{
	struct bytes *names, *values;
	size_t n = 0, room = 4;

	if (lex_at_end(lex) || !lex_take(lex, '('))
		return 0; /* NIL */

	for (struct lex count = *lex; lex_skip(&count) == 0;)
		room++;
	names = arena_alloc(lex->arena, room * sizeof(*names));
	values = arena_alloc(lex->arena, room * sizeof(*values));

	while (!lex_at_end(lex) && !lex_at(lex, ')')) {
		if (lex_astring(lex, &names[n]) < 0 || lex_nstring(lex, &values[n]) < 0)
			break; /* nothing depends on it */
		n++;
	}

	to->id.names = names;
	to->id.values = values;
	to->id.n = n;
	return 0;
}

static const struct {
	struct bytes name;
	enum imap_kind kind;
	int (*parse)(struct lex *lex, struct imap_response *to);
} named[] = {
	{ BYTES("LIST"), IMAP_LIST, imap_parse_list },
	{ BYTES("STATUS"), IMAP_STATUS, imap_parse_status },
	{ BYTES("SEARCH"), IMAP_SEARCH, imap_parse_search },
	{ BYTES("ESEARCH"), IMAP_SEARCH, imap_parse_esearch },
	{ BYTES("FLAGS"), IMAP_FLAGS, parse_flags },
	{ BYTES("CAPABILITY"), IMAP_CAPABILITY, parse_words },
	{ BYTES("ENABLED"), IMAP_ENABLED, parse_words },
	{ BYTES("VANISHED"), IMAP_VANISHED, imap_parse_vanished },
	{ BYTES("LSUB"), IMAP_LIST, imap_parse_lsub },
	{ BYTES("XLIST"), IMAP_LIST, imap_parse_xlist },
	{ BYTES("NAMESPACE"), IMAP_NAMESPACE, imap_parse_namespace },
	{ BYTES("ID"), IMAP_ID, imap_parse_id },
	{ BYTES("QUOTA"), IMAP_QUOTA, parse_text },
	{ BYTES("QUOTAROOT"), IMAP_QUOTA, parse_text },
};

static const struct {
	struct bytes name;
	enum imap_kind kind;
} numbered[] = {
	{ BYTES("EXISTS"), IMAP_EXISTS },
	{ BYTES("RECENT"), IMAP_RECENT },
	{ BYTES("EXPUNGE"), IMAP_EXPUNGE },
};

static bool looks_like_number(struct bytes word)
{
	return word.n && (ascii_is_digit(word.p[0]) || word.p[0] == '-' || word.p[0] == '+');
}

/* "12 EXISTS" */
static int parse_numbered(struct lex *lex, struct bytes number, struct imap_response *to)
{
	struct bytes name;
	uint64_t value;

	lex_blanks(lex);
	name = lex_word(lex);
	for (size_t i = 0; i < ARRAY_SIZE(numbered); i++) {
		if (!bytes_equal_nocase(name, numbered[i].name))
			continue;
		if (bytes_to_u64(number, UINT32_MAX, &value) < 0)
			return -1;
		to->kind = numbered[i].kind;
		to->number = (uint32_t)value;
		return 0;
	}

	to->kind = IMAP_OTHER;
	return 0;
}

static int parse_named(struct lex *lex, struct bytes name, struct imap_response *to)
{
	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		if (bytes_equal_nocase(name, named[i].name)) {
			to->kind = named[i].kind;
			return named[i].parse(lex, to);
		}
	}

	to->kind = IMAP_OTHER;
	return 0;
}

static int parse_untagged(struct lex *lex, struct imap_response *to)
{
	struct bytes word;

	lex_blanks(lex);
	to->text = bytes_trim(lex_rest(lex));
	word = lex_word(lex);
	if (looks_like_number(word))
		return parse_numbered(lex, word, to);

	if (condition_of(word, &to->condition) == 0) {
		to->kind = IMAP_CONDITION;
		imap_parse_code(lex, to);
		return 0;
	}

	return parse_named(lex, word, to);
}

static int parse_tagged(struct lex *lex, struct imap_response *to)
{
	to->kind = IMAP_TAGGED;
	to->tag = lex_word(lex);
	lex_blanks(lex);
	if (to->tag.n == 0 || condition_of(lex_word(lex), &to->condition) < 0)
		return -1;

	imap_parse_code(lex, to);
	return 0;
}

int imap_parse(struct bytes text, struct arena *arena, struct imap_response *to)
{
	struct lex lex = lex_of(text, arena);

	if (lex_at(&lex, '+')) {
		to->kind = IMAP_CONTINUATION;
		to->text = bytes_trim(bytes_skip(text, 1));
		return 0;
	}

	if (lex_take(&lex, '*'))
		return parse_untagged(&lex, to);

	return parse_tagged(&lex, to);
}

enum imap_form imap_form(struct bytes line)
{
	struct lex lex = lex_of(line, NULL);
	enum imap_condition ignored;
	struct bytes word;

	if (!lex_take(&lex, '*'))
		return IMAP_FORM_TEXT;

	lex_blanks(&lex);
	word = lex_word(&lex);
	if (looks_like_number(word)) {
		lex_blanks(&lex);
		word = lex_word(&lex);
		return bytes_equal_nocase(word, BYTES("FETCH")) ? IMAP_FORM_FETCH : IMAP_FORM_DATA;
	}

	return condition_of(word, &ignored) == 0 ? IMAP_FORM_TEXT : IMAP_FORM_DATA;
}
