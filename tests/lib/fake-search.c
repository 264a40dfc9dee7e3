/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in server's SEARCH: the keys a careful client uses, one of them or several (RFC
 * 3501 section 6.4.4). */
#include "lib/fake-imap-parts.h"

static bool header_has(const struct fake_message *m, struct bytes field, struct bytes value)
{
	_cleanup_(buf_done) struct buf header = BUF_NULL, line = BUF_NULL;

	fake_read_header(m, &header);
	fake_pick_fields(buf_bytes(&header), field, &line);
	return bytes_find(buf_bytes(&line), value) >= 0;
}

static const struct flag_key {
	const char *key, *flag;
	bool wanted;
} flag_keys[] = {
	{ "DELETED", "\\Deleted", true },   { "UNDELETED", "\\Deleted", false },
	{ "SEEN", "\\Seen", true },	    { "UNSEEN", "\\Seen", false },
	{ "FLAGGED", "\\Flagged", true },   { "UNFLAGGED", "\\Flagged", false },
	{ "ANSWERED", "\\Answered", true }, { "UNANSWERED", "\\Answered", false },
	{ "DRAFT", "\\Draft", true },	    { "UNDRAFT", "\\Draft", false },
};

static int one_key(struct fake_connection *c, struct bytes key, struct bytes *rest, size_t index)
{
	const struct fake_folder *f = c->folder;
	const struct fake_message *m = &f->messages[index];
	struct bytes word, value;
	uint64_t number;

	for (size_t i = 0; i < ARRAY_SIZE(flag_keys); i++)
		if (bytes_equal_nocase(key, bytes_of(flag_keys[i].key)))
			return fake_has_flag(m->flags, bytes_of(flag_keys[i].flag)) ==
			       flag_keys[i].wanted;
	if (bytes_equal_nocase(key, BYTES("ALL")))
		return 1;
	if (ascii_is_digit(key.p[0]) || key.p[0] == '*')
		return fake_in_set(key, fake_sequence(c, m->uid), f->n);

	if (dialogue_word(&c->fake->arena, rest, &word) <= 0)
		return -1;
	if (bytes_equal_nocase(key, BYTES("UID")))
		return fake_in_set(word, m->uid, f->messages[f->n - 1].uid);
	if (bytes_equal_nocase(key, BYTES("KEYWORD")))
		return fake_has_flag(m->flags, word);
	if (bytes_equal_nocase(key, BYTES("UNKEYWORD")))
		return !fake_has_flag(m->flags, word);
	if (bytes_equal_nocase(key, BYTES("MODSEQ")) && fake_can(c, "CONDSTORE") &&
	    bytes_to_u64(word, INT64_MAX, &number) == 0)
		return m->modseq >= number;
	if (!bytes_equal_nocase(key, BYTES("HEADER")) ||
	    dialogue_word(&c->fake->arena, rest, &value) <= 0)
		return -1;
	return header_has(m, word, value);
}

/* 1 found, 0 not, -1 a key nobody knows. */
static int is_found(struct fake_connection *c, struct bytes criteria, size_t index)
{
	struct bytes key;
	int found = 1;

	while (found >= 0 && dialogue_word(&c->fake->arena, &criteria, &key) > 0) {
		bool negated = bytes_equal_nocase(key, BYTES("NOT"));
		int r;

		if (negated && dialogue_word(&c->fake->arena, &criteria, &key) <= 0)
			return -1;
		r = key.n ? one_key(c, key, &criteria, index) : -1;
		if (r < 0)
			return -1;
		found &= r != negated;
	}

	return found;
}

static int search(struct fake_connection *c, bool by_uid)
{
	_cleanup_(buf_done) struct buf found = BUF_NULL;
	bool by_modseq = bytes_find(c->arguments, BYTES("MODSEQ ")) >= 0;

	if (bytes_starts(bytes_trim(c->arguments), BYTES("RETURN")) && !fake_can(c, "ESEARCH"))
		return fake_bad(c, "SEARCH RETURN without ESEARCH");
	for (size_t i = 0; i < c->folder->n && c->folder->messages[i].uid <= c->told_uid; i++) {
		const struct fake_message *m = &c->folder->messages[i];
		int r = is_found(c, c->arguments, i);

		if (r < 0)
			return fake_bad(c, "a SEARCH this server does not know");
		if (r)
			buf_appendf(&found, " %zu", by_uid ? m->uid : fake_sequence(c, m->uid));
	}
	c->condstore |= by_modseq;
	if (by_modseq && found.n)
		buf_appendf(&found, " (MODSEQ %llu)", (unsigned long long)c->folder->modseq);
	if (fake_sendf(c, "* SEARCH%s", buf_str(&found)) < 0)
		return -1;
	return fake_answer(c, "OK done");
}

int fake_search(struct fake_connection *c)
{
	return search(c, false);
}

int fake_uid_search(struct fake_connection *c)
{
	return search(c, true);
}
