/* SPDX-License-Identifier: Apache-2.0 */
/* What a front (a Postfix before us) says of its client: "NAME=value …" of XCLIENT and XFORWARD, with values
 * in xtext. Whether this peer may say so is the session's business. */
#include <string.h>

#include "smtp/command-inside.h"

enum { VALUE_MAX = 255 };

struct known {
	const char *name;
	enum smtp_attribute attribute;
	bool xclient, xforward;
};

static const struct known attributes[] = {
	{ "NAME", SMTP_ATTR_NAME, true, true },	      { "ADDR", SMTP_ATTR_ADDR, true, true },
	{ "PORT", SMTP_ATTR_PORT, true, true },	      { "PROTO", SMTP_ATTR_PROTO, true, true },
	{ "HELO", SMTP_ATTR_HELO, true, true },	      { "LOGIN", SMTP_ATTR_LOGIN, true, false },
	{ "DESTADDR", SMTP_ATTR_DESTADDR, true, false }, { "DESTPORT", SMTP_ATTR_DESTPORT, true, false },
	{ "IDENT", SMTP_ATTR_IDENT, false, true },    { "SOURCE", SMTP_ATTR_SOURCE, false, true },
};

static const struct known *known_of(struct bytes name, enum smtp_verb verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		if (bytes_equal_nocase(name, bytes_of(attributes[i].name)) &&
		    (verb == SMTP_XCLIENT ? attributes[i].xclient : attributes[i].xforward))
			return &attributes[i];

	return NULL;
}

static int parse_address(struct bytes value, struct ip *ret)
{
	bool v6 = bytes_starts_nocase(value, BYTES("IPV6:"));

	return ip_parse(v6 ? bytes_skip(value, 5) : value, ret);
}

static int parse_port(struct bytes value, uint16_t *ret)
{
	uint64_t port;

	if (bytes_to_u64(value, UINT16_MAX, &port) < 0)
		return -1;
	*ret = (uint16_t)port;
	return 0;
}

static bool is_unavailable(struct bytes value)
{
	return bytes_equal_nocase(value, BYTES("[UNAVAILABLE]")) || bytes_equal_nocase(value, BYTES("[TEMPUNAVAIL]"));
}

static int set(struct smtp_attributes *a, enum smtp_attribute which, struct bytes value)
{
	a->named |= which;
	if (is_unavailable(value))
		return 0;

	switch (which) {
	case SMTP_ATTR_ADDR:
		return parse_address(value, &a->address);
	case SMTP_ATTR_PORT:
		return parse_port(value, &a->port);
	case SMTP_ATTR_NAME:
		a->name = value;
		return 0;
	case SMTP_ATTR_PROTO:
		a->proto = value;
		return 0;
	case SMTP_ATTR_HELO:
		a->helo = value;
		return 0;
	case SMTP_ATTR_LOGIN:
		a->login = value;
		return 0;
	case SMTP_ATTR_IDENT:
		a->ident = value;
		return 0;
	default:
		return 0; /* DESTADDR, DESTPORT, SOURCE: nothing follows from them */
	}
}

const struct smtp_answer *smtp_attributes_parse(struct bytes rest, enum smtp_verb verb, struct arena *arena,
						struct smtp_attributes *ret)
{
	if (rest.n == 0)
		return &smtp_bad_syntax;

	while (rest.n) {
		struct bytes value = bytes_cut(&rest, ' '), name, text;
		const struct known *known;

		if (value.n == 0)
			continue;
		if (bytes_find_char(value, '=') < 0)
			return &smtp_bad_syntax;
		name = bytes_cut(&value, '=');
		known = known_of(name, verb);
		if (!known || ret->named & known->attribute || smtp_xtext_decode(value, arena, &text) < 0 ||
		    text.n > VALUE_MAX || set(ret, known->attribute, text) < 0)
			return &smtp_bad_syntax;
	}
	return NULL;
}
