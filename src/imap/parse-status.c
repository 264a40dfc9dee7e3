/* SPDX-License-Identifier: Apache-2.0 */
/* STATUS, with the items of RFC 3501, 7162, 7889, 8438, 8474 and 9051. An item we do not
 * know, or whose value is not what it should be, is skipped: `has` then lacks it. */
#include <stddef.h>

#include "imap/parse.h"

static const struct item {
	struct bytes name;
	unsigned bit;
	size_t offset; /* of its uint64_t */
} items[] = {
	{ BYTES("MESSAGES"), IMAP_HAS_MESSAGES, offsetof(struct imap_status_data, messages) },
	{ BYTES("UIDNEXT"), IMAP_HAS_UIDNEXT, offsetof(struct imap_status_data, uidnext) },
	{ BYTES("UIDVALIDITY"), IMAP_HAS_UIDVALIDITY,
	  offsetof(struct imap_status_data, uidvalidity) },
	{ BYTES("UNSEEN"), IMAP_HAS_UNSEEN, offsetof(struct imap_status_data, unseen) },
	{ BYTES("HIGHESTMODSEQ"), IMAP_HAS_HIGHESTMODSEQ,
	  offsetof(struct imap_status_data, highestmodseq) },
	{ BYTES("SIZE"), IMAP_HAS_SIZE, offsetof(struct imap_status_data, size) },
	{ BYTES("APPENDLIMIT"), IMAP_HAS_APPENDLIMIT,
	  offsetof(struct imap_status_data, appendlimit) },
	{ BYTES("DELETED"), IMAP_HAS_DELETED, offsetof(struct imap_status_data, deleted) },
};

static int number(struct lex *lex, struct imap_status_data *to, const struct item *item)
{
	uint64_t *value = (void *)((char *)to + item->offset);

	if (item->bit == IMAP_HAS_APPENDLIMIT && lex_nil(lex))
		*value = UINT64_MAX;
	else if (lex_number(lex, UINT64_MAX, value) < 0)
		return -1;

	to->has |= item->bit;
	return 0;
}

static int mailboxid(struct lex *lex, struct imap_status_data *to)
{
	struct imap_atoms ids;

	if (lex_word_list(lex, &ids) < 0 || ids.n == 0)
		return -1;

	to->mailboxid = ids.p[0];
	to->has |= IMAP_HAS_MAILBOXID;
	return 0;
}

static int known_value(struct lex *lex, struct imap_status_data *to, struct bytes name)
{
	if (bytes_equal_nocase(name, BYTES("MAILBOXID")))
		return mailboxid(lex, to);

	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		if (bytes_equal_nocase(name, items[i].name))
			return number(lex, to, &items[i]);

	return -1;
}

int imap_parse_status(struct lex *lex, struct imap_response *to)
{
	struct imap_status_data *status = &to->status;
	struct bytes name;

	if (lex_mailbox(lex, &status->name) < 0 || !lex_take(lex, '(')) {
		to->kind = IMAP_OTHER; /* as if it had not been answered: SELECT tells the same */
		return 0;
	}

	while (!lex_at_end(lex) && !lex_at(lex, ')')) {
		struct lex start;

		name = lex_word(lex);
		start = *lex;
		if (known_value(lex, status, name) == 0)
			continue;

		*lex = start;
		if (lex_skip(lex) < 0)
			break;
	}
	return 0;
}
