/* SPDX-License-Identifier: Apache-2.0 */
/* ESMTP parameters of MAIL and RCPT (RFC 5321 section 4.1.1.11), and xtext. A parameter may come once. */
#include <string.h>

#include "mail/utf8.h"
#include "smtp/command-inside.h"

enum { ENVID_MAX = 100, ORCPT_MAX = 500 }; /* RFC 3461 sections 4.4 and 4.2 */

static const struct smtp_answer unknown = { 555, "5.5.4", "Parameter not recognized or not implemented" };
static const struct smtp_answer twice = { 501, "5.5.4", "A parameter came twice" };

struct parameter {
	struct bytes keyword, value;
	bool has_value;
};

/* --- xtext ----------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int smtp_xtext_decode(struct bytes text, struct arena *arena, struct bytes *ret)
{
	char *to = arena_alloc(arena, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		int c = (unsigned char)text.p[i];

		if (c <= ' ' || c >= 0x7f || c == '=')
			return -1;
		if (c == '+') {
			if (text.n - i < 3 || hex_digit(text.p[i + 1]) < 0 || hex_digit(text.p[i + 2]) < 0)
				return -1;
			c = hex_digit(text.p[i + 1]) * 16 + hex_digit(text.p[i + 2]);
			i += 2;
		}
		if (c < ' ' || c >= 0x7f)
			return -1;
		to[n++] = (char)c;
	}

	*ret = (struct bytes){ to, n };
	return 0;
}

void smtp_xtext_append(struct buf *to, struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c <= ' ' || c >= 0x7f || c == '+' || c == '=')
			buf_appendf(to, "+%02X", c);
		else
			buf_append_char(to, (char)c);
	}
}

/* --- one parameter --------------------------------------------------------------------------- */

/* Takes " KEYWORD[=value]" off *rest, which is not empty. -1: it is none. */
static int take_parameter(struct bytes *rest, struct parameter *ret)
{
	struct bytes word;
	ptrdiff_t equals;

	if (rest->p[0] != ' ')
		return -1;
	while (rest->n && rest->p[0] == ' ')
		*rest = bytes_skip(*rest, 1);

	word = *rest;
	for (size_t n = 0; n < rest->n; n++)
		if (rest->p[n] == ' ') {
			word = bytes_head(*rest, n);
			break;
		}
	*rest = bytes_skip(*rest, word.n);
	equals = bytes_find_char(word, '=');
	ret->has_value = equals >= 0;
	ret->keyword = bytes_head(word, equals < 0 ? word.n : (size_t)equals);
	ret->value = bytes_skip(word, equals < 0 ? word.n : (size_t)equals + 1);
	if (ret->has_value && (ret->value.n == 0 || bytes_find_char(ret->value, '=') >= 0))
		return -1;
	return ret->keyword.n ? 0 : -1;
}

/* An argument is parsed already as trimmed: blanks at its end are gone. */
static bool named(const struct parameter *p, const char *keyword)
{
	return bytes_equal_nocase(p->keyword, bytes_of(keyword));
}

static bool valued(const struct parameter *p, const char *value)
{
	return bytes_equal_nocase(p->value, bytes_of(value));
}

/* --- MAIL ------------------------------------------------------------------------------------ */

static const struct smtp_answer *set_size(const struct parameter *p, struct smtp_mail_parameters *m)
{
	if (m->has_size)
		return &twice;
	if (p->value.n > 20 || bytes_to_u64(p->value, UINT64_MAX, &m->size) < 0)
		return &smtp_bad_syntax;
	m->has_size = true;
	return NULL;
}

static const struct smtp_answer *set_body(const struct parameter *p, struct smtp_mail_parameters *m)
{
	if (m->body)
		return &twice;
	if (valued(p, "7BIT"))
		m->body = SMTP_BODY_7BIT;
	else if (valued(p, "8BITMIME"))
		m->body = SMTP_BODY_8BITMIME;
	else
		return &unknown; /* BINARYMIME is another extension's */
	return NULL;
}

static const struct smtp_answer *set_ret(const struct parameter *p, struct smtp_mail_parameters *m)
{
	if (m->ret)
		return &twice;
	if (valued(p, "FULL"))
		m->ret = SMTP_RET_FULL;
	else if (valued(p, "HDRS"))
		m->ret = SMTP_RET_HDRS;
	else
		return &smtp_bad_syntax;
	return NULL;
}

bool smtp_envid_is_good(struct bytes text, struct arena *arena)
{
	struct bytes decoded;

	return text.n > 0 && text.n <= ENVID_MAX && smtp_xtext_decode(text, arena, &decoded) == 0;
}

static const struct smtp_answer *set_envid(const struct parameter *p, struct arena *arena,
					   struct smtp_mail_parameters *m)
{
	if (m->envid.n)
		return &twice;
	if (!smtp_envid_is_good(p->value, arena))
		return &smtp_bad_syntax;
	m->envid = p->value;
	return NULL;
}

static const struct smtp_answer *set_smtputf8(const struct parameter *p, struct smtp_mail_parameters *m)
{
	if (m->smtputf8)
		return &twice;
	if (p->has_value)
		return &smtp_bad_syntax;
	m->smtputf8 = true;
	return NULL;
}

static const struct smtp_answer *set_mail(const struct parameter *p, unsigned offered, struct arena *arena,
					  struct smtp_mail_parameters *m)
{
	if (named(p, "SIZE") && offered & SMTP_SIZE)
		return set_size(p, m);
	if (named(p, "BODY") && offered & SMTP_8BITMIME)
		return set_body(p, m);
	if (named(p, "SMTPUTF8") && offered & SMTP_SMTPUTF8)
		return set_smtputf8(p, m);
	if (named(p, "RET") && offered & SMTP_DSN)
		return set_ret(p, m);
	if (named(p, "ENVID") && offered & SMTP_DSN)
		return set_envid(p, arena, m);
	return &unknown;
}

const struct smtp_answer *smtp_mail_parameters_parse(struct bytes rest, unsigned offered, struct arena *arena,
						     struct smtp_mail_parameters *ret)
{
	const struct smtp_answer *wrong = NULL;
	struct parameter p;

	while (rest.n && !wrong)
		wrong = take_parameter(&rest, &p) < 0 ? &smtp_bad_syntax : set_mail(&p, offered, arena, ret);
	return wrong;
}

/* --- RCPT ------------------------------------------------------------------------------------ */

static const struct smtp_answer *set_notify(const struct parameter *p, struct smtp_rcpt_parameters *r)
{
	static const char *const names[] = { "NEVER", "SUCCESS", "FAILURE", "DELAY" };
	struct bytes rest = p->value;
	unsigned notify = 0;

	if (r->notify)
		return &twice;
	if (rest.n == 0 || rest.p[rest.n - 1] == ',')
		return &smtp_bad_syntax;

	while (rest.n) {
		struct bytes word = bytes_cut(&rest, ',');
		size_t i = 0;

		while (i < ARRAY_SIZE(names) && !bytes_equal_nocase(word, bytes_of(names[i])))
			i++;
		if (i == ARRAY_SIZE(names))
			return &smtp_bad_syntax;
		notify |= 1u << i;
	}
	if (notify & SMTP_NOTIFY_NEVER && notify != SMTP_NOTIFY_NEVER)
		return &smtp_bad_syntax;
	r->notify = notify;
	return NULL;
}

/* RFC 6533 section 3: characters as they are, or "\x{…}". What is printable passes; it is not undone here. */
static bool is_utf8_address(struct bytes text)
{
	_cleanup_(buf_done) struct buf shown = BUF_NULL;

	if (!utf8_is_valid(text))
		return false;
	utf8_printable(&shown, text);
	return bytes_equal(buf_bytes(&shown), text);
}

static bool is_atom(struct bytes word)
{
	for (size_t i = 0; i < word.n; i++)
		if (!ascii_is_alpha(word.p[i]) && !ascii_is_digit(word.p[i]) && word.p[i] != '-')
			return false;

	return word.n > 0;
}

bool smtp_orcpt_is_good(struct bytes text, struct arena *arena)
{
	struct bytes address = text, type = bytes_cut(&address, ';'), decoded;

	if (text.n > ORCPT_MAX || !is_atom(type) || address.n == 0)
		return false;
	return bytes_equal_nocase(type, BYTES("utf-8")) ? is_utf8_address(address) :
							  smtp_xtext_decode(address, arena, &decoded) == 0;
}

static const struct smtp_answer *set_orcpt(const struct parameter *p, struct arena *arena,
					   struct smtp_rcpt_parameters *r)
{
	if (r->orcpt.n)
		return &twice;
	if (!smtp_orcpt_is_good(p->value, arena))
		return &smtp_bad_syntax;
	r->orcpt = p->value;
	return NULL;
}

static const struct smtp_answer *set_rcpt(const struct parameter *p, unsigned offered, struct arena *arena,
					  struct smtp_rcpt_parameters *r)
{
	if (named(p, "NOTIFY") && offered & SMTP_DSN)
		return set_notify(p, r);
	if (named(p, "ORCPT") && offered & SMTP_DSN)
		return set_orcpt(p, arena, r);
	return &unknown;
}

const struct smtp_answer *smtp_rcpt_parameters_parse(struct bytes rest, unsigned offered, struct arena *arena,
						     struct smtp_rcpt_parameters *ret)
{
	const struct smtp_answer *wrong = NULL;
	struct parameter p;

	while (rest.n && !wrong)
		wrong = take_parameter(&rest, &p) < 0 ? &smtp_bad_syntax : set_rcpt(&p, offered, arena, ret);
	return wrong;
}
