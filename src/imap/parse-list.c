/* SPDX-License-Identifier: Apache-2.0 */
/* LIST, LSUB, XLIST and NAMESPACE: names of folders as the server writes them, not decoded. */
#include "imap/parse.h"

#include <string.h>

/* A quoted character or NIL. Some servers write an unescaped backslash: "\". */
static int separator(struct lex *lex, char *ret)
{
	struct bytes text;

	lex_blanks(lex);
	if (lex->end - lex->p > 3 && memcmp(lex->p, "\"\\\"", 3) == 0 && lex->p[3] == ' ') {
		lex->p += 3;
		*ret = '\\';
		return 0;
	}

	if (lex_nstring(lex, &text) < 0)
		return -1;

	*ret = text.n ? text.p[0] : '\0';
	return 0;
}

/* RFC 5258: ("CHILDINFO" ("SUBSCRIBED") "OLDNAME" ("name")). What cannot be read is left out. */
static void extended(struct lex *lex, struct imap_list_data *to)
{
	struct bytes name;

	if (!lex_take(lex, '('))
		return;

	while (lex_astring(lex, &name) == 0) {
		struct lex value = *lex;
		struct bytes old;

		if (bytes_equal_nocase(name, BYTES("OLDNAME")) && lex_take(&value, '(') &&
		    lex_astring(&value, &old) == 0) {
			to->has_old_name = true;
			to->old_name = old;
		}
		if (lex_skip(lex) < 0)
			return;
	}
}

static int list(struct lex *lex, struct imap_list_data *to)
{
	if (lex_word_list(lex, &to->attributes) < 0 || separator(lex, &to->separator) < 0)
		return -1;

	if (lex_at_end(lex)) { /* a root without name, its "" forgotten */
		to->name = BYTES_NULL;
		return 0;
	}

	if (lex_mailbox(lex, &to->name) < 0)
		return -1;

	extended(lex, to);
	return 0;
}

int imap_parse_list(struct lex *lex, struct imap_response *to)
{
	to->list.verb = IMAP_VERB_LIST;
	return list(lex, &to->list);
}

int imap_parse_lsub(struct lex *lex, struct imap_response *to)
{
	to->list.verb = IMAP_VERB_LSUB;
	return list(lex, &to->list);
}

int imap_parse_xlist(struct lex *lex, struct imap_response *to)
{
	to->list.verb = IMAP_VERB_XLIST;
	return list(lex, &to->list);
}

/* ("prefix" "/" …extensions…) */
static int namespace_one(struct lex *lex, struct imap_namespace *to)
{
	if (!lex_take(lex, '(') || lex_string(lex, &to->prefix) < 0 ||
	    separator(lex, &to->separator) < 0)
		return -1;

	while (!lex_take(lex, ')'))
		if (lex_skip(lex) < 0)
			return -1;

	return 0;
}

static int namespaces(struct lex *lex, struct imap_namespaces *to)
{
	struct imap_namespace *all = NULL, *more;
	size_t n = 0, room = 0;

	if (lex_at_end(lex) || lex_nil(lex))
		return 0;
	if (!lex_take(lex, '('))
		return -1;

	while (!lex_take(lex, ')')) {
		if (n == room) {
			room = room ? 2 * room : 4;
			more = arena_alloc(lex->arena, room * sizeof(*more));
			if (n)
				memcpy(more, all, n * sizeof(*more));
			all = more;
		}
		if (namespace_one(lex, &all[n]) < 0)
			return -1;
		n++;
	}

	*to = (struct imap_namespaces){ all, n };
	return 0;
}

int imap_parse_namespace(struct lex *lex, struct imap_response *to)
{
	/* Up to what cannot be read: LIST tells the rest. */
	if (namespaces(lex, &to->namespaces.personal) == 0 &&
	    namespaces(lex, &to->namespaces.others) == 0)
		namespaces(lex, &to->namespaces.shared);
	return 0;
}
