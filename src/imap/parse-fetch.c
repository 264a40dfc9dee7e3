/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of a FETCH response (RFC 3501 section 7.4.2), as far as we use them; all
 * others are skipped.
 *
 * ENVELOPE and BODYSTRUCTURE are never looked at: NetEase sends them with quotes that do
 * not match. When such a value cannot even be skipped, reading ends there and keeps what it
 * has. The body of a message is not here: parser.c streams it and calls again for what
 * follows. */
#include "imap/date.h"
#include "imap/parse.h"

#include <string.h>

static int read_uid(struct lex *lex, struct imap_fetch_data *to)
{
	uint64_t uid;

	if (lex_number(lex, UINT32_MAX, &uid) < 0 || uid == 0)
		return -1;

	to->uid = (uint32_t)uid;
	return 0;
}

static int read_flags(struct lex *lex, struct imap_fetch_data *to)
{
	return lex_word_list(lex, &to->flags);
}

static int read_date(struct lex *lex, struct imap_fetch_data *to)
{
	int64_t seconds;
	struct bytes text;
	int zone;

	if (lex_string(lex, &text) < 0)
		return -1;

	to->date_text = text;
	if (imap_date_parse(text, &seconds, &zone) == 0) {
		to->has &= ~(unsigned)IMAP_FETCH_BAD_DATE;
		return 0;
	}

	to->has &= ~(unsigned)IMAP_FETCH_DATE;
	to->has |= IMAP_FETCH_BAD_DATE;
	return 1;
}

static int read_size(struct lex *lex, struct imap_fetch_data *to)
{
	return lex_number(lex, UINT64_MAX, &to->size);
}

static int read_modseq(struct lex *lex, struct imap_fetch_data *to)
{
	uint64_t modseq;
	bool list = lex_take(lex, '(');

	if (lex_number(lex, UINT64_MAX, &modseq) < 0)
		return -1;
	if (list && !lex_take(lex, ')'))
		return -1;

	to->modseq = modseq;
	return 0;
}

static int read_emailid(struct lex *lex, struct imap_fetch_data *to)
{
	struct imap_atoms ids;

	if (lex_word_list(lex, &ids) < 0 || ids.n == 0)
		return -1;

	to->emailid = ids.p[0];
	return 0;
}

static int read_gm_msgid(struct lex *lex, struct imap_fetch_data *to)
{
	return lex_number(lex, UINT64_MAX, &to->gm_msgid);
}

/* 0: read, has gets the bit; 1: read but worth nothing; -1: not what it should be, skip it. */
static const struct attribute {
	struct bytes name;
	unsigned bit;
	int (*read)(struct lex *lex, struct imap_fetch_data *to);
} attributes[] = {
	{ BYTES("UID"), IMAP_FETCH_UID, read_uid },
	{ BYTES("FLAGS"), IMAP_FETCH_FLAGS, read_flags },
	{ BYTES("INTERNALDATE"), IMAP_FETCH_DATE, read_date },
	{ BYTES("RFC822.SIZE"), IMAP_FETCH_SIZE, read_size },
	{ BYTES("MODSEQ"), IMAP_FETCH_MODSEQ, read_modseq },
	{ BYTES("EMAILID"), IMAP_FETCH_EMAILID, read_emailid },
	{ BYTES("X-GM-MSGID"), IMAP_FETCH_GM, read_gm_msgid },
};

/* Bodies that are not called BODY[…] or BINARY[…]. */
static const struct {
	struct bytes name, section;
} plain_bodies[] = {
	{ BYTES("RFC822"), BYTES("") },
	{ BYTES("RFC822.HEADER"), BYTES("HEADER") },
	{ BYTES("RFC822.TEXT"), BYTES("TEXT") },
};

static bool plain_body(struct bytes name, struct bytes *ret_section)
{
	for (size_t i = 0; i < ARRAY_SIZE(plain_bodies); i++) {
		if (bytes_equal_nocase(name, plain_bodies[i].name)) {
			*ret_section = plain_bodies[i].section;
			return true;
		}
	}
	return false;
}

/* Nobody should echo the PEEK; should somebody, it must not turn a message into a small
 * literal. */
static bool bracket_body(struct bytes name)
{
	return bytes_equal_nocase(name, BYTES("BODY")) ||
	       bytes_equal_nocase(name, BYTES("BINARY")) ||
	       bytes_equal_nocase(name, BYTES("BODY.PEEK")) ||
	       bytes_equal_nocase(name, BYTES("BINARY.PEEK"));
}

/* After "[": up to "]" and over "<origin>". Header names in a section may be quoted. */
static int section(struct lex *lex, struct bytes *ret)
{
	const char *start = ++lex->p;
	bool quoted = false;

	for (; lex->p < lex->end && (quoted || *lex->p != ']'); lex->p++)
		quoted ^= *lex->p == '"';
	if (lex->p == lex->end)
		return -1;

	*ret = (struct bytes){ start, (size_t)(lex->p - start) };
	lex_word(lex);
	return 0;
}

static struct bytes attribute_name(struct lex *lex)
{
	struct bytes word = lex_word(lex);
	ptrdiff_t bracket = bytes_find_char(word, '[');

	if (bracket < 0)
		return word;

	lex->p = word.p + bracket;
	return bytes_head(word, (size_t)bracket);
}

/* The value of a body item that stands in the text. */
static int body_value(struct lex *lex, struct imap_fetch_data *to, struct bytes section_text,
		      struct bytes *ret_body)
{
	if (lex_at_end(lex) || lex_at(lex, ')') || lex_nil(lex)) {
		to->has |= IMAP_FETCH_BODY_NIL;
		return 0;
	}

	if (lex_string(lex, ret_body) < 0)
		return -1;

	to->has |= IMAP_FETCH_BODY;
	to->section = section_text;
	to->body_size = ret_body->n;
	return 1;
}

static int known_value(struct lex *lex, struct imap_fetch_data *to, struct bytes name)
{
	struct lex start = *lex;
	int r = -1;

	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		if (!bytes_equal_nocase(name, attributes[i].name))
			continue;

		r = attributes[i].read(lex, to);
		if (r == 0)
			to->has |= attributes[i].bit;
		break;
	}

	if (r >= 0)
		return 0;

	*lex = start;
	return lex_skip(lex);
}

/* As imap_parse_fetch(), for one attribute; -1: cannot be read. */
static int attribute(struct lex *lex, struct imap_fetch_data *to, struct bytes *ret_body)
{
	struct bytes name = attribute_name(lex), section_text = BYTES_NULL;
	bool body;

	if (lex_at(lex, '[')) {
		if (section(lex, &section_text) < 0)
			return -1;
		body = bracket_body(name);
		name = BYTES_NULL; /* "UID[1]" is not UID */
	} else {
		body = plain_body(name, &section_text);
	}

	if (body)
		return body_value(lex, to, section_text, ret_body);

	return known_value(lex, to, name);
}

int imap_parse_fetch(struct lex *lex, struct imap_fetch_data *to, struct bytes *ret_body)
{
	int r;

	while (!lex_at_end(lex) && !lex_at(lex, ')')) {
		r = attribute(lex, to, ret_body);
		if (r != 0)
			return r;
	}
	return 0;
}

void imap_parse_fetch_start(struct lex *lex, struct imap_fetch_data *to)
{
	uint64_t sequence;

	lex_take(lex, '*');
	if (lex_number(lex, UINT32_MAX, &sequence) == 0)
		to->sequence = (uint32_t)sequence;

	lex_blanks(lex);
	lex_word(lex); /* FETCH */
	if (!lex_take(lex, '('))
		lex->p = lex->end;
}

/* The letters, digits, dots and hyphens at the end. */
static struct bytes last_word(struct bytes b)
{
	size_t n = 0;

	while (n < b.n) {
		char c = b.p[b.n - 1 - n];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '.' && c != '-')
			break;
		n++;
	}
	return bytes_skip(b, b.n - n);
}

/* Without the "<0>" that a partial fetch brings. */
static struct bytes without_origin(struct bytes item)
{
	const char *open;

	if (item.n == 0 || item.p[item.n - 1] != '>')
		return item;

	open = memrchr(item.p, '<', item.n);
	return open ? bytes_head(item, (size_t)(open - item.p)) : item;
}

static size_t bracket_item(struct bytes before, struct bytes *ret_section)
{
	struct bytes item = without_origin(before), inside, name;
	const char *open;

	if (item.n == 0 || item.p[item.n - 1] != ']')
		return 0;

	open = memrchr(item.p, '[', item.n);
	if (!open)
		return 0;

	inside = bytes_skip(item, (size_t)(open - item.p) + 1);
	inside.n--;
	name = last_word(bytes_head(item, (size_t)(open - item.p)));
	if (bytes_find_char(inside, ']') >= 0 || !bracket_body(name))
		return 0;

	*ret_section = inside;
	return (size_t)(before.p + before.n - name.p);
}

/* Backwards, because what came earlier in the line may be unreadable. That is safe: outside
 * quotes nothing but a body item is called BODY[…], and quotes cannot span the line end
 * after a literal. */
size_t imap_fetch_body_item(struct bytes before, struct bytes *ret_section)
{
	struct bytes text = before, name;
	size_t blanks, n;

	while (text.n && ascii_is_blank(text.p[text.n - 1]))
		text.n--;

	blanks = before.n - text.n;
	n = bracket_item(text, ret_section);
	if (n)
		return n + blanks;

	name = last_word(text);
	return plain_body(name, ret_section) ? name.n + blanks : 0;
}
