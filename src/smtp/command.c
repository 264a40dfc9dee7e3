/* SPDX-License-Identifier: Apache-2.0 */
/* Commands, see command.h. Verbs and keywords are in tables; parameters.c reads what follows MAIL and RCPT,
 * attributes.c what follows XCLIENT and XFORWARD. */
#include "smtp/command.h"

#include <string.h>

#include "smtp/command-inside.h"

enum smtp_line smtp_line_find(struct bytes in, struct bytes *ret_line, size_t *ret_n)
{
	ptrdiff_t lf = bytes_find_char(bytes_head(in, SMTP_LINE_MAX), '\n');

	if (lf < 0)
		return in.n >= SMTP_LINE_MAX ? SMTP_LINE_LONG : SMTP_LINE_MORE;
	if (lf == 0 || in.p[lf - 1] != '\r')
		return SMTP_LINE_BARE_LF;

	*ret_line = bytes_head(in, (size_t)lf - 1);
	*ret_n = (size_t)lf + 1;
	return SMTP_LINE_READY;
}

/* --- verbs ----------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum smtp_verb verb;
} verbs[] = {
	{ "MAIL", SMTP_MAIL },	       { "RCPT", SMTP_RCPT },	      { "DATA", SMTP_DATA },
	{ "RSET", SMTP_RSET },	       { "QUIT", SMTP_QUIT },	      { "EHLO", SMTP_EHLO },
	{ "HELO", SMTP_HELO },	       { "NOOP", SMTP_NOOP },	      { "STARTTLS", SMTP_STARTTLS },
	{ "VRFY", SMTP_VRFY },	       { "HELP", SMTP_HELP },	      { "XCLIENT", SMTP_XCLIENT },
	{ "XFORWARD", SMTP_XFORWARD }, { "AUTH", SMTP_NOT_OFFERED },  { "BDAT", SMTP_NOT_OFFERED },
	{ "EXPN", SMTP_NOT_OFFERED },  { "ETRN", SMTP_NOT_OFFERED },  { "BURL", SMTP_NOT_OFFERED },
	{ "TURN", SMTP_NOT_OFFERED },  { "ATRN", SMTP_NOT_OFFERED },  { "SEND", SMTP_NOT_OFFERED },
	{ "SOML", SMTP_NOT_OFFERED },  { "SAML", SMTP_NOT_OFFERED },
};

const char *smtp_verb_name(enum smtp_verb verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (verbs[i].verb == verb && verb != SMTP_NOT_OFFERED)
			return verbs[i].name;

	return verb == SMTP_NOT_OFFERED ? "not offered" : "unknown";
}

static enum smtp_verb verb_of(struct bytes word)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (bytes_equal_nocase(word, bytes_of(verbs[i].name)))
			return verbs[i].verb;

	return SMTP_UNKNOWN;
}

/* --- arguments ------------------------------------------------------------------------------- */

const struct smtp_answer smtp_bad_syntax = { 501, "5.5.4", "Syntax error in arguments" };

static bool is_hello_name(struct bytes name)
{
	if (name.n == 0 || name.n > SMTP_DOMAIN_MAX)
		return false;

	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= 0x20 || (unsigned char)name.p[i] >= 0x7f)
			return false;
	return true;
}

static const struct smtp_answer *parse_hello(struct smtp_command *c)
{
	static const struct smtp_answer wrong = { 501, "5.5.4", "Syntax: HELO or EHLO and a host name" };

	return is_hello_name(c->argument) ? NULL : &wrong;
}

static const struct smtp_answer *parse_nothing(struct smtp_command *c)
{
	static const struct smtp_answer wrong = { 501, "5.5.4", "This command takes no argument" };

	return c->argument.n ? &wrong : NULL;
}

/* "FROM:" or "TO:", then blanks that should not be there, then the path. */
static const struct smtp_answer *parse_path(struct bytes *rest, struct bytes keyword, enum smtp_path_role role,
					    struct arena *arena, struct smtp_address *ret)
{
	if (!bytes_starts_nocase(*rest, keyword))
		return &smtp_bad_syntax;

	*rest = bytes_skip(*rest, keyword.n);
	while (rest->n && rest->p[0] == ' ')
		*rest = bytes_skip(*rest, 1);
	return smtp_path_take(rest, role, arena, ret);
}

static const struct smtp_answer *parse_mail(struct smtp_command *c, unsigned offered, struct arena *arena)
{
	static const struct smtp_answer needs_utf8 = { 553, "5.6.7", "This address needs SMTPUTF8" };
	struct bytes rest = c->argument;
	const struct smtp_answer *wrong = parse_path(&rest, BYTES("FROM:"), SMTP_PATH_REVERSE, arena, &c->path);

	if (!wrong)
		wrong = smtp_mail_parameters_parse(rest, offered, arena, &c->mail);
	if (!wrong && c->path.is_utf8 && !c->mail.smtputf8)
		wrong = &needs_utf8;
	return wrong;
}

static const struct smtp_answer *parse_rcpt(struct smtp_command *c, unsigned offered, struct arena *arena)
{
	struct bytes rest = c->argument;
	const struct smtp_answer *wrong = parse_path(&rest, BYTES("TO:"), SMTP_PATH_FORWARD, arena, &c->path);

	return wrong ? wrong : smtp_rcpt_parameters_parse(rest, offered, arena, &c->rcpt);
}

static const struct smtp_answer *parse_argument(struct smtp_command *c, unsigned offered, struct arena *arena)
{
	switch (c->verb) {
	case SMTP_HELO:
	case SMTP_EHLO:
		return parse_hello(c);
	case SMTP_MAIL:
		return parse_mail(c, offered, arena);
	case SMTP_RCPT:
		return parse_rcpt(c, offered, arena);
	case SMTP_DATA:
	case SMTP_RSET:
	case SMTP_QUIT:
	case SMTP_STARTTLS:
		return parse_nothing(c);
	case SMTP_XCLIENT:
	case SMTP_XFORWARD:
		return smtp_attributes_parse(c->argument, c->verb, arena, &c->attributes);
	default:
		return NULL; /* NOOP, HELP and VRFY take anything; the others are refused by their verb */
	}
}

static bool has_controls(struct bytes line)
{
	for (size_t i = 0; i < line.n; i++)
		if ((unsigned char)line.p[i] < 0x20 || line.p[i] == 0x7f)
			return true;

	return false;
}

const struct smtp_answer *smtp_command_parse(struct bytes line, unsigned offered, struct arena *arena,
					     struct smtp_command *ret)
{
	static const struct smtp_answer controls = { 500, "5.5.2", "A command has no control characters" };
	static const struct smtp_answer unknown = { 500, "5.5.1", "Command not recognized" };
	static const struct smtp_answer not_offered = { 502, "5.5.1", "Command not implemented" };
	struct bytes rest = line;

	*ret = (struct smtp_command){ 0 };
	if (has_controls(line))
		return &controls;

	ret->verb = verb_of(bytes_cut(&rest, ' '));
	ret->argument = bytes_trim(rest);
	if (ret->verb == SMTP_UNKNOWN)
		return &unknown;
	if (ret->verb == SMTP_NOT_OFFERED)
		return &not_offered;
	return parse_argument(ret, offered, arena);
}
