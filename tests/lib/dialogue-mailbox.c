/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of what stands in a mailbox (folders, messages) and of what happens to it between
 * the client's runs or at a rule. */
#include <string.h>

#include "lib/dialogue-parts.h"

/* --- folders --------------------------------------------------------------------------------- */

static int read_folder_word(struct dialogue_reader *r, struct dialogue_folder *folder,
			    struct bytes word, struct bytes *rest)
{
	if (dialogue_is(word, "uidvalidity"))
		return dialogue_need_u32(r, rest, &folder->uidvalidity);
	if (dialogue_is(word, "uidnext"))
		return dialogue_need_u32(r, rest, &folder->uidnext);
	if (dialogue_is(word, "repeat"))
		return dialogue_need_u32(r, rest, &folder->repeat);
	if (dialogue_is(word, "attributes"))
		return dialogue_need_word(r, rest, &folder->attributes);
	if (dialogue_is(word, "unsubscribed"))
		folder->unsubscribed = true;
	else if (dialogue_is(word, "nomodseq"))
		folder->no_modseq = true;
	else
		return dialogue_wrong(r, "a folder has no", word);

	return 0;
}

static int read_folder_line(struct dialogue_reader *r, struct bytes rest,
			    struct dialogue_folder **ret)
{
	struct dialogue_folder *folder = arena_alloc(r->arena, sizeof(*folder));
	struct bytes word;
	int more;

	folder->line = r->line;
	if (dialogue_need_word(r, &rest, &folder->name) < 0)
		return -1;
	while ((more = dialogue_word(r->arena, &rest, &word)) > 0)
		if (read_folder_word(r, folder, word, &rest) < 0)
			return -1;

	*ret = folder;
	return more;
}

int dialogue_read_folder(struct dialogue_reader *r, struct bytes rest)
{
	struct dialogue_folder *folder;

	if (!r->server)
		return dialogue_wrong(r, "no server was named before", BYTES("this line"));
	if (read_folder_line(r, rest, &folder) < 0)
		return -1;

	LINK_LAST(r->server->folders, folder);
	r->folder = folder;
	return 0;
}

/* --- messages -------------------------------------------------------------------------------- */

/* like SERVER FOLDER [UID] */
static int read_like(struct dialogue_reader *r, struct dialogue_message *message,
		     struct bytes *rest)
{
	if (dialogue_need_word(r, rest, &message->like_server) < 0 ||
	    dialogue_need_word(r, rest, &message->like_folder) < 0)
		return -1;
	message->like_uid = message->first;
	if (rest->n == 0 || !ascii_is_digit(rest->p[0]))
		return 0;
	return dialogue_need_u32(r, rest, &message->like_uid);
}

static int read_message_word(struct dialogue_reader *r, struct dialogue_message *message,
			     struct bytes word, struct bytes *rest)
{
	if (dialogue_is(word, "flags")) {
		message->has_flags = true;
		return dialogue_need_word(r, rest, &message->flags);
	}
	if (dialogue_is(word, "date"))
		return dialogue_need_word(r, rest, &message->date);
	if (dialogue_is(word, "text"))
		return dialogue_need_word(r, rest, &message->text);
	if (dialogue_is(word, "front"))
		return dialogue_need_word(r, rest, &message->front);
	if (dialogue_is(word, "like"))
		return read_like(r, message, rest);
	if (dialogue_is(word, "size"))
		return dialogue_need_number(r, rest, UINT64_MAX, &message->size);
	if (!dialogue_is(word, "claims"))
		return dialogue_wrong(r, "a message has no", word);

	message->has_claim = true;
	return dialogue_need_number(r, rest, UINT64_MAX, &message->claim);
}

static int read_message_line(struct dialogue_reader *r, struct bytes rest,
			     struct dialogue_message **ret)
{
	struct dialogue_message *message = arena_alloc(r->arena, sizeof(*message));
	struct bytes word, uids;
	uint64_t first, last;
	int more;

	message->line = r->line;
	message->size = 512;
	if (dialogue_need_word(r, &rest, &uids) < 0 || dialogue_range(r, uids, &first, &last) < 0)
		return -1;
	message->first = (uint32_t)first;
	message->last = (uint32_t)last;
	while ((more = dialogue_word(r->arena, &rest, &word)) > 0) {
		rest = bytes_trim(rest);
		if (read_message_word(r, message, word, &rest) < 0)
			return -1;
	}

	*ret = message;
	return more;
}

/* message UID[..UID] [flags (…)] [date "…"] [text "…"] [size N] [claims N] [front "…"]
 * [like SERVER FOLDER [UID]] */
int dialogue_read_message(struct dialogue_reader *r, struct bytes rest)
{
	struct dialogue_message *message;

	if (!r->folder)
		return dialogue_wrong(r, "a message outside a folder:", rest);
	if (read_message_line(r, rest, &message) < 0)
		return -1;
	LINK_LAST(r->folder->messages, message);
	return 0;
}

/* --- changes --------------------------------------------------------------------------------- */

typedef int (*argument_fn)(struct dialogue_reader *r, struct dialogue_change *change,
			   struct bytes *rest);

/* message … */
static int take_message(struct dialogue_reader *r, struct dialogue_change *change,
			struct bytes *rest)
{
	struct bytes word, all;

	if (dialogue_need_word(r, rest, &word) < 0)
		return -1;
	if (!dialogue_is(word, "message"))
		return dialogue_wrong(r, "add needs the word message, not", word);
	all = *rest;
	*rest = BYTES_NULL;
	return read_message_line(r, all, &change->message);
}

/* 3 · 3..5 · 3,7..9 · * */
static int take_uids(struct dialogue_reader *r, struct dialogue_change *change, struct bytes *rest)
{
	struct bytes each;
	uint64_t first, last;

	if (dialogue_need_word(r, rest, &change->uids) < 0)
		return -1;
	for (each = change->uids; each.n;) {
		struct bytes one = bytes_cut(&each, ',');

		if (!dialogue_is(one, "*") && dialogue_range(r, one, &first, &last) < 0)
			return -1;
	}
	return 0;
}

/* UIDS [add|remove] (…) */
static int take_flags(struct dialogue_reader *r, struct dialogue_change *change,
		      struct bytes *rest)
{
	struct bytes words, word;

	if (take_uids(r, change, rest) < 0)
		return -1;
	words = bytes_trim(*rest);
	if (words.n == 0 || words.p[0] != '(') {
		if (dialogue_need_word(r, rest, &word) < 0)
			return -1;
		change->sign = dialogue_is(word, "add") ? '+' : '-';
		if (change->sign == '-' && !dialogue_is(word, "remove"))
			return dialogue_wrong(r, "flags are added or removed, not", word);
	}
	return dialogue_need_word(r, rest, &change->flags);
}

static int take_other(struct dialogue_reader *r, struct dialogue_change *change,
		      struct bytes *rest)
{
	return dialogue_need_word(r, rest, &change->other);
}

/* UIDS to "G" [as UID] */
static int take_target(struct dialogue_reader *r, struct dialogue_change *change,
		       struct bytes *rest)
{
	struct bytes word;

	if (take_uids(r, change, rest) < 0 || dialogue_need_word(r, rest, &word) < 0)
		return -1;
	if (!dialogue_is(word, "to"))
		return dialogue_wrong(r, "to was expected, not", word);
	if (take_other(r, change, rest) < 0)
		return -1;
	if (dialogue_word(r->arena, rest, &word) <= 0)
		return 0;
	if (!dialogue_is(word, "as"))
		return dialogue_wrong(r, "as UID was expected, not", word);
	return dialogue_need_u32(r, rest, &change->number);
}

static int take_nothing(struct dialogue_reader *r, struct dialogue_change *change,
			struct bytes *rest)
{
	return 0;
}

static int take_number(struct dialogue_reader *r, struct dialogue_change *change,
		       struct bytes *rest)
{
	return dialogue_need_u32(r, rest, &change->number);
}

/* N [renumber from M] */
static int take_uidvalidity(struct dialogue_reader *r, struct dialogue_change *change,
			    struct bytes *rest)
{
	struct bytes word, from;

	if (take_number(r, change, rest) < 0)
		return -1;
	if (dialogue_word(r->arena, rest, &word) <= 0)
		return 0;
	if (!dialogue_is(word, "renumber") || dialogue_word(r->arena, rest, &from) <= 0 ||
	    !dialogue_is(from, "from"))
		return dialogue_wrong(r, "renumber from UID was expected, not", word);
	return dialogue_need_u32(r, rest, &change->renumber_from);
}

/* create "F" [uidvalidity N] and what else a folder has */
static int take_folder(struct dialogue_reader *r, struct dialogue_change *change,
		       struct bytes *rest)
{
	struct bytes word;
	int more;

	change->created = arena_alloc(r->arena, sizeof(*change->created));
	change->created->line = r->line;
	change->created->name = change->folder;
	while ((more = dialogue_word(r->arena, rest, &word)) > 0)
		if (read_folder_word(r, change->created, word, rest) < 0)
			return -1;

	return more;
}

static const struct change_word {
	const char *word;
	enum dialogue_change_kind kind;
	argument_fn take;
} change_words[] = {
	{ "add", CHANGE_ADD, take_message },
	{ "remove", CHANGE_REMOVE, take_uids },
	{ "flags", CHANGE_FLAGS, take_flags },
	{ "move", CHANGE_MOVE, take_target },
	{ "copy", CHANGE_COPY, take_target },
	{ "empty", CHANGE_EMPTY, take_nothing },
	{ "refill", CHANGE_REFILL, take_nothing },
	{ "rename", CHANGE_RENAME, take_other },
	{ "create", CHANGE_CREATE, take_folder },
	{ "delete", CHANGE_DELETE, take_nothing },
	{ "uidvalidity", CHANGE_UIDVALIDITY, take_uidvalidity },
	{ "modseq", CHANGE_MODSEQ, take_number },
	{ "subscribe", CHANGE_SUBSCRIBE, take_nothing },
	{ "unsubscribe", CHANGE_UNSUBSCRIBE, take_nothing },
};

int dialogue_read_change(struct dialogue_reader *r, struct bytes text,
			 struct dialogue_change **ret)
{
	struct dialogue_change *change = arena_alloc(r->arena, sizeof(*change));
	struct bytes rest = text, word = bytes_cut(&rest, ' ');
	const struct change_word *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(change_words) && !found; i++)
		if (dialogue_is(word, change_words[i].word))
			found = &change_words[i];
	if (!found)
		return dialogue_wrong(r, "no change of a mailbox:", text);

	change->line = r->line;
	change->after_run = r->runs;
	change->kind = found->kind;
	if (dialogue_need_word(r, &rest, &change->folder) < 0 || found->take(r, change, &rest) < 0)
		return -1;
	rest = bytes_trim(rest);
	if (rest.n)
		return dialogue_wrong(r, "too much for this change:", rest);

	*ret = change;
	return 0;
}
