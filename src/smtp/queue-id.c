/* SPDX-License-Identifier: Apache-2.0 */
/* Under which name the other side goes on with a message, from the text of its reply to the dot. For
 * people and their logs: nothing depends on it. Each form with the server that has it. */
#include "smtp/client.h"

enum { ID_MAX = 128 };

/* Up to the first of the characters that cannot be in one. */
static struct bytes id_at(struct bytes text, const char *ends)
{
	struct bytes blanks = bytes_of(ends);
	size_t n = 0;

	while (n < text.n && (unsigned char)text.p[n] > ' ' && (unsigned char)text.p[n] < 0x7f &&
	       bytes_find_char(blanks, text.p[n]) < 0)
		n++;
	return n <= ID_MAX ? bytes_head(text, n) : BYTES_NULL;
}

/* The word that ends where `end` begins. */
static struct bytes word_before(struct bytes text, size_t end)
{
	size_t begin;

	while (end > 0 && text.p[end - 1] == ' ')
		end--;
	begin = end;
	while (begin > 0 && text.p[begin - 1] != ' ')
		begin--;
	return id_at(bytes_skip(bytes_head(text, end), begin), "");
}

static ptrdiff_t find_nocase(struct bytes text, struct bytes what)
{
	for (size_t i = 0; i + what.n <= text.n; i++)
		if (bytes_starts_nocase(bytes_skip(text, i), what))
			return (ptrdiff_t)i;

	return -1;
}

struct bytes smtp_queue_id(struct bytes text)
{
	static const struct {
		const char *mark;
		bool before; /* the id stands before the mark, else behind it */
		const char *ends;
	} forms[] = {
		{ "queued as ", false, ".,;)" },            /* Postfix: 2.0.0 Ok: queued as 4XyZ12 */
		{ "InternalId=", false, ",]" },             /* Exchange: [InternalId=81, Hostname=…] */
		{ " - gsmtp", true, "" },                   /* Gmail: OK  1700000000 a1-b2si3.4 - gsmtp */
		{ " Message accepted for delivery", true, "" }, /* OpenSMTPD, Sendmail */
		{ " Saved", true, "" },                     /* Dovecot: <user> 2AbC+Q12D Saved */
		{ "SESSIONID=<", false, ">" },              /* Cyrus */
		{ "Message Queued (", false, ")" },         /* Haraka */
		{ " qp ", false, "" },                      /* qmail: ok 1700000000 qp 12345 */
		{ "OK id=", false, "" },                    /* Exim: OK id=1rXyZa-000abc-2X */
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct bytes mark = bytes_of(forms[i].mark);
		ptrdiff_t at = find_nocase(text, mark);

		if (at < 0)
			continue;
		if (forms[i].before)
			return word_before(text, (size_t)at);
		return id_at(bytes_skip(text, (size_t)at + mark.n), forms[i].ends);
	}
	return BYTES_NULL;
}
