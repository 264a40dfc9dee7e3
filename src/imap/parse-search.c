/* SPDX-License-Identifier: Apache-2.0 */
/* SEARCH, ESEARCH (RFC 4731, 9051) and VANISHED (RFC 7162): numbers of messages. A list
 * that cannot be read to its end is refused as a whole: half of it would look like messages
 * that are not there. */
#include "imap/parse.h"

static size_t count_words(struct lex lex)
{
	size_t n = 0;

	while (!lex_at_end(&lex) && lex_word(&lex).n > 0)
		n++;
	return n;
}

/* "(MODSEQ 917162500)" after the numbers. */
static int search_modseq(struct lex *lex, struct imap_response *to)
{
	if (!lex_take(lex, '('))
		return 0;

	lex_blanks(lex);
	if (!bytes_equal_nocase(lex_word(lex), BYTES("MODSEQ")))
		return -1;

	return lex_number(lex, UINT64_MAX, &to->search.modseq);
}

int imap_parse_search(struct lex *lex, struct imap_response *to)
{
	size_t n = 0, room = count_words(*lex);
	struct imap_range *found = room ? arena_alloc(lex->arena, room * sizeof(*found)) : NULL;
	uint64_t number;

	while (!lex_at_end(lex) && !lex_at(lex, '(')) {
		if (lex_number(lex, UINT32_MAX, &number) < 0)
			return -1;
		if (number > 0)
			found[n++] = (struct imap_range){ (uint32_t)number, (uint32_t)number };
	}

	to->search.found = (struct imap_set){ found, n };
	return search_modseq(lex, to);
}

/* (TAG "A1") */
static int esearch_tag(struct lex *lex, struct imap_response *to)
{
	struct bytes word;

	if (!lex_take(lex, '('))
		return 0;

	lex_blanks(lex);
	word = lex_word(lex);
	if (!bytes_equal_nocase(word, BYTES("TAG")) || lex_astring(lex, &to->search.tag) < 0)
		return -1;

	return lex_take(lex, ')') ? 0 : -1;
}

static int esearch_item(struct lex *lex, struct imap_response *to, struct bytes name)
{
	if (bytes_equal_nocase(name, BYTES("ALL"))) {
		lex_blanks(lex);
		return lex_set(lex_word(lex), lex->arena, &to->search.found);
	}
	if (bytes_equal_nocase(name, BYTES("COUNT"))) {
		to->search.has_count = true;
		return lex_number(lex, UINT64_MAX, &to->search.count);
	}
	if (bytes_equal_nocase(name, BYTES("MIN")))
		return lex_number(lex, UINT32_MAX, &to->search.min);
	if (bytes_equal_nocase(name, BYTES("MAX")))
		return lex_number(lex, UINT32_MAX, &to->search.max);
	if (bytes_equal_nocase(name, BYTES("MODSEQ")))
		return lex_number(lex, UINT64_MAX, &to->search.modseq);

	return lex_skip(lex);
}

int imap_parse_esearch(struct lex *lex, struct imap_response *to)
{
	struct bytes name;

	if (esearch_tag(lex, to) < 0)
		return -1;

	while (!lex_at_end(lex)) {
		name = lex_word(lex);
		if (name.n == 0)
			return -1;
		if (bytes_equal_nocase(name, BYTES("UID")))
			to->search.by_uid = true;
		else if (esearch_item(lex, to, name) < 0)
			return -1;
	}
	return 0;
}

int imap_parse_vanished(struct lex *lex, struct imap_response *to)
{
	struct imap_atoms words;

	lex_blanks(lex);
	if (lex_at(lex, '(')) {
		if (lex_word_list(lex, &words) < 0)
			return -1;
		to->vanished.earlier = imap_atoms_has(words, "EARLIER");
	}

	lex_blanks(lex);
	return lex_set(lex_word(lex), lex->arena, &to->vanished.uids);
}
