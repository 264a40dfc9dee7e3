/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, see address.h. One pass over the bytes, no recursion. */
#include "smtp/address.h"

#include <string.h>

#include "base/ip.h"
#include "mail/utf8.h"

/* Whose fault it is stands in the subject of the enhanced code: 5.1.7 sender, 5.1.3 recipient. */
struct wrong {
	struct smtp_answer answers[2]; /* by role */
};

static const struct wrong not_a_path = { { { 501, "5.1.7", "Syntax: a sender's address in angle brackets" },
					   { 501, "5.1.3", "Syntax: a recipient's address in angle brackets" } } };
static const struct wrong not_an_address = { { { 553, "5.1.7", "The sender's address is not a valid one" },
					       { 553, "5.1.3", "The recipient's address is not a valid one" } } };
static const struct wrong not_complete = { { { 553, "5.1.7", "The sender's address needs a domain" },
					     { 553, "5.1.3", "The recipient's address needs a domain" } } };
static const struct wrong too_long = { { { 553, "5.1.7", "The sender's address is too long" },
					 { 553, "5.1.3", "The recipient's address is too long" } } };

static bool is_8bit(char c)
{
	return (unsigned char)c >= 0x80;
}

/* atext of RFC 5322, UTF-8, and the dot between atoms. */
static bool is_dot_atom(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || is_8bit(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static bool has_8bit(struct bytes b)
{
	return !utf8_is_ascii(b);
}

/* UTF-8 that utf8_printable() would leave as it is. */
static bool is_clean(struct bytes b)
{
	_cleanup_(buf_done) struct buf shown = BUF_NULL;

	if (!has_8bit(b))
		return true;
	if (!utf8_is_valid(b))
		return false;

	utf8_printable(&shown, b);
	return bytes_equal(buf_bytes(&shown), b);
}

/* --- domains --------------------------------------------------------------------------------- */

static bool is_literal(struct bytes text)
{
	struct bytes inside = bytes_skip(text, 1);
	struct ip ip;

	if (text.n < 3 || text.p[0] != '[' || text.p[text.n - 1] != ']')
		return false;

	inside.n--;
	if (!bytes_starts_nocase(inside, BYTES("IPv6:")))
		return ip_parse(inside, &ip) == 0 && bytes_find_char(inside, ':') < 0;

	inside = bytes_skip(inside, 5);
	return bytes_find_char(inside, ':') >= 0 && ip_parse(inside, &ip) == 0;
}

static bool is_label(struct bytes label)
{
	if (label.n == 0 || label.n > 63 * 4 || (label.n > 63 && !has_8bit(label)))
		return false;
	if (label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;

	for (size_t i = 0; i < label.n; i++) {
		char c = label.p[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_' && !is_8bit(c))
			return false;
	}
	return true;
}

bool smtp_domain_is_valid(struct bytes domain)
{
	struct bytes rest = domain;

	if (domain.n == 0 || domain.n > SMTP_DOMAIN_MAX || domain.p[domain.n - 1] == '.')
		return false;
	if (domain.p[0] == '[')
		return is_literal(domain);

	while (rest.n)
		if (!is_label(bytes_cut(&rest, '.')))
			return false;

	return is_clean(domain);
}

/* --- mailboxes ------------------------------------------------------------------------------- */

/* Takes `"…"` off *rest, undoing the quoting. False: no end, or a byte that may not stand there. */
static bool take_quoted(struct bytes *rest, struct arena *arena, struct bytes *ret)
{
	struct bytes in = bytes_skip(*rest, 1);
	char *to = arena_alloc(arena, in.n + 1);
	size_t n = 0;

	for (; in.n && in.p[0] != '"'; in = bytes_skip(in, 1)) {
		if (in.p[0] == '\\') {
			in = bytes_skip(in, 1);
			if (in.n == 0 || is_8bit(in.p[0]))
				return false;
		}
		if ((unsigned char)in.p[0] < 0x20 || in.p[0] == 0x7f)
			return false;
		to[n++] = in.p[0];
	}
	if (in.n == 0 || n == 0)
		return false;

	*ret = (struct bytes){ to, n };
	*rest = bytes_skip(in, 1);
	return true;
}

static bool take_local(struct bytes *rest, struct arena *arena, struct bytes *ret)
{
	size_t n = 0;

	if (rest->n && rest->p[0] == '"')
		return take_quoted(rest, arena, ret);

	while (n < rest->n && is_dot_atom(rest->p[n]))
		n++;
	*ret = bytes_head(*rest, n);
	*rest = bytes_skip(*rest, n);
	return n > 0;
}

/* The bytes of a domain, up to what cannot belong to one; not checked yet. */
static struct bytes take_domain(struct bytes *rest)
{
	bool literal = rest->n && rest->p[0] == '[';
	size_t n = 0;
	struct bytes domain;

	while (n < rest->n && (literal ? rest->p[n] != ']' : rest->p[n] != '>' && rest->p[n] != ' '))
		n++;
	n += literal && n < rest->n;
	domain = bytes_head(*rest, n);
	*rest = bytes_skip(*rest, n);
	return domain;
}

static const struct wrong *check_lengths(const struct smtp_address *a)
{
	if (a->domain.n > SMTP_DOMAIN_MAX)
		return &too_long;
	if (a->local.n > SMTP_LOCAL_MAX && a->local.n + a->domain.n + 3 > SMTP_PATH_MAX)
		return &too_long;
	return NULL;
}

static const struct wrong *take_mailbox(struct bytes *rest, struct arena *arena, struct smtp_address *ret)
{
	const struct wrong *wrong;

	if (!take_local(rest, arena, &ret->local) || !is_clean(ret->local))
		return &not_an_address;
	if (rest->n == 0 || rest->p[0] != '@')
		return rest->n == 0 || rest->p[0] == '>' ? &not_complete : &not_an_address;

	*rest = bytes_skip(*rest, 1);
	ret->domain = take_domain(rest);
	wrong = check_lengths(ret);
	if (wrong)
		return wrong;
	if (!smtp_domain_is_valid(ret->domain))
		return &not_an_address;

	ret->is_literal = ret->domain.p[0] == '[';
	ret->is_utf8 = has_8bit(ret->local) || has_8bit(ret->domain);
	return NULL;
}

/* --- paths ----------------------------------------------------------------------------------- */

/* "@one,@two:" in front of the mailbox. */
static bool skip_route(struct bytes *rest)
{
	ptrdiff_t colon = bytes_find_char(*rest, ':');
	struct bytes route;

	if (rest->n == 0 || rest->p[0] != '@')
		return true;
	if (colon < 0)
		return false;

	route = bytes_head(*rest, (size_t)colon);
	*rest = bytes_skip(*rest, (size_t)colon + 1);
	while (route.n) {
		struct bytes hop = bytes_cut(&route, ',');

		if (hop.n < 2 || hop.p[0] != '@' || !smtp_domain_is_valid(bytes_skip(hop, 1)))
			return false;
	}
	return true;
}

static bool is_postmaster(const struct smtp_address *a)
{
	return a->domain.n == 0 && bytes_equal_nocase(a->local, BYTES("postmaster"));
}

static const struct wrong *take_path(struct bytes *rest, enum smtp_path_role role, struct arena *arena,
				     struct smtp_address *ret)
{
	const struct wrong *wrong;

	*ret = (struct smtp_address){ 0 };
	if (rest->n == 0 || rest->p[0] != '<')
		return &not_a_path;

	*rest = bytes_skip(*rest, 1);
	if (rest->n && rest->p[0] == '>') {
		*rest = bytes_skip(*rest, 1);
		return role == SMTP_PATH_REVERSE ? NULL : &not_an_address;
	}
	if (!skip_route(rest))
		return &not_an_address;

	wrong = take_mailbox(rest, arena, ret);
	if (wrong == &not_complete && role == SMTP_PATH_FORWARD && is_postmaster(ret))
		wrong = NULL;
	if (wrong)
		return wrong;
	if (rest->n == 0 || rest->p[0] != '>')
		return &not_a_path;

	*rest = bytes_skip(*rest, 1);
	return NULL;
}

const struct smtp_answer *smtp_path_take(struct bytes *rest, enum smtp_path_role role, struct arena *arena,
					 struct smtp_address *ret)
{
	struct bytes in = *rest;
	const struct wrong *wrong = take_path(&in, role, arena, ret);

	if (wrong)
		return &wrong->answers[role];

	*rest = in;
	return NULL;
}

const struct smtp_answer *smtp_mailbox_parse(struct bytes text, struct arena *arena, struct smtp_address *ret)
{
	const struct wrong *wrong;

	*ret = (struct smtp_address){ 0 };
	wrong = take_mailbox(&text, arena, ret);
	if (!wrong && text.n)
		wrong = &not_an_address;
	return wrong ? &wrong->answers[SMTP_PATH_FORWARD] : NULL;
}

bool smtp_address_is_null(const struct smtp_address *a)
{
	return a->local.n == 0 && a->domain.n == 0;
}

/* --- writing and comparing ------------------------------------------------------------------- */

static bool is_dot_string(struct bytes local)
{
	bool dot = true; /* one may not stand here */

	for (size_t i = 0; i < local.n; i++) {
		if (!is_dot_atom(local.p[i]) || (dot && local.p[i] == '.'))
			return false;
		dot = local.p[i] == '.';
	}
	return !dot;
}

static void append_quoted(struct buf *to, struct bytes local)
{
	buf_append_char(to, '"');
	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			buf_append_char(to, '\\');
		buf_append_char(to, local.p[i]);
	}
	buf_append_char(to, '"');
}

void smtp_address_append(struct buf *to, const struct smtp_address *a)
{
	if (smtp_address_is_null(a))
		return;

	if (is_dot_string(a->local))
		buf_append_bytes(to, a->local);
	else
		append_quoted(to, a->local);
	if (a->domain.n) {
		buf_append_char(to, '@');
		buf_append_bytes(to, a->domain);
	}
}

struct bytes smtp_address_key(const struct smtp_address *a, struct arena *arena)
{
	size_t n = a->local.n + 1 + a->domain.n;
	char *key = arena_alloc(arena, n + 1);

	for (size_t i = 0; i < a->local.n; i++)
		key[i] = ascii_lower(a->local.p[i]);
	key[a->local.n] = '@';
	for (size_t i = 0; i < a->domain.n; i++)
		key[a->local.n + 1 + i] = ascii_lower(a->domain.p[i]);
	return (struct bytes){ key, n };
}

bool smtp_local_split(struct bytes local, const char *separators, struct bytes *ret_user, struct bytes *ret_detail)
{
	*ret_user = local;
	*ret_detail = BYTES_NULL;
	for (size_t i = 1; i + 1 < local.n; i++) {
		if (!local.p[i] || !strchr(separators, local.p[i]))
			continue;
		*ret_user = bytes_head(local, i);
		*ret_detail = bytes_skip(local, i + 1);
		return true;
	}
	return false;
}
