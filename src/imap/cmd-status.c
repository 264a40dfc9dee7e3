/* SPDX-License-Identifier: Apache-2.0 */
/* STATUS (RFC 3501 §6.3.10, RFC 8438 SIZE). */
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "imap/commands.h"
#include "imap/note.h"
#include "imap/status.h"
#include "imap/write.h"

enum { WINDOW = 64 }; /* STATUS commands under way at once */

/* Cyrus 3.6 answers STATUS with bytes of freed memory for a MAILBOXID: at best garbage, at worst the end of the line.
 * What its SELECT tells is right (selected.object). */
static bool tells_object(const struct imap_session *s)
{
	return imap_can(&s->capabilities, IMAP_CAP_OBJECTID) &&
	       !bytes_starts_nocase(bytes_of(s->server_name), BYTES("Cyrus"));
}

void imap_status_items(const struct imap_session *s, bool with_size, struct buf *to)
{
	buf_append_str(to, "(MESSAGES UIDNEXT UIDVALIDITY");
	if (imap_can(&s->capabilities, IMAP_CAP_CONDSTORE))
		buf_append_str(to, " HIGHESTMODSEQ");
	if (with_size && imap_can(&s->capabilities, IMAP_CAP_STATUS_SIZE))
		buf_append_str(to, " SIZE");
	if (tells_object(s))
		buf_append_str(to, " MAILBOXID");
	buf_append_char(to, ')');
}

void imap_status_note(struct imap_folder *folder, const struct imap_status_data *data,
		      struct arena *arena)
{
	char object[256];

	if (!(data->has & IMAP_HAS_MESSAGES))
		return;

	folder->flags |= IMAP_FOLDER_STATUS;
	folder->messages = data->messages;
	folder->uidnext = data->uidnext;
	folder->uidvalidity = data->uidvalidity;
	folder->highestmodseq = data->highestmodseq;
	if (data->has & IMAP_HAS_APPENDLIMIT && data->appendlimit != UINT64_MAX)
		folder->append_limit = data->appendlimit;
	if (data->has & IMAP_HAS_SIZE) {
		folder->flags |= IMAP_FOLDER_SIZE;
		folder->size = data->size;
	}
	if (data->has & IMAP_HAS_MAILBOXID && !folder->object.n) { /* once: more is a way to fill our memory */
		imap_note_object(object, data->mailboxid);
		folder->object = arena_copy(arena, bytes_of(object));
	}
}

static int send_status(struct imap_session *s, struct imap_command *c, struct bytes name,
		       struct bytes items, struct fault *fault)
{
	int r;

	imap_begin(s, c, "STATUS ");
	r = imap_put_string(s, c, name, fault);
	if (r < 0)
		return -1;
	if (r > 0)
		return 0;

	buf_append_char(&s->out, ' ');
	buf_append_bytes(&s->out, items);
	return imap_send(s, c, fault);
}

/* The last STATUS commands, in the order sent; number n stands at n % WINDOW. Answered are those below taken. */
struct asking {
	struct imap_command commands[WINDOW];
	struct imap_folder *folders[WINDOW];
	struct arena *arena; /* of the folders */
	size_t sent, taken;
};

static void asking_freep(struct asking **a)
{
	for (size_t i = 0; i < WINDOW; i++)
		imap_command_done(&(*a)->commands[i]);
	free(*a);
}

/* Whom an answer is for. Some servers answer pipelined commands in an order of their own, so the name counts;
 * some spell a name in a way of their own: then it is for the first command that has none yet. */
static struct imap_folder *answered(const struct asking *a, struct bytes name)
{
	struct imap_folder *first = a->folders[a->taken % WINDOW];

	for (size_t i = a->sent < WINDOW ? 0 : a->sent - WINDOW; i < a->sent; i++)
		if (bytes_equal(a->folders[i % WINDOW]->name, name))
			return a->folders[i % WINDOW];

	return first->flags & IMAP_FOLDER_STATUS ? NULL : first;
}

/* Reads until the first command under way is done. */
static int take_status(struct imap_session *s, struct asking *a, struct fault *fault)
{
	const struct imap_command *c = &a->commands[a->taken % WINDOW];
	struct imap_input input;

	while (!c->done) {
		struct imap_folder *folder;

		if (imap_read(s, &input, fault) < 0)
			return -1;
		if (input.event != IMAP_EVENT_RESPONSE || input.response->kind != IMAP_STATUS)
			continue;
		folder = answered(a, input.response->status.name);
		if (folder)
			imap_status_note(folder, &input.response->status, a->arena);
	}
	a->taken++;
	return 0;
}

static int ask_status(struct imap_session *s, struct asking *a, struct imap_folder *folder,
		      struct bytes items, struct fault *fault)
{
	a->folders[a->sent % WINDOW] = folder;
	return send_status(s, &a->commands[a->sent++ % WINDOW], folder->name, items, fault);
}

/* For servers that refuse STATUS or its items (Q42): opening the folder tells the same. */
static int status_by_examine(struct imap_session *s, struct bytes name, struct imap_folder *ret,
			     struct fault *fault)
{
	if (imap_select(s, name, true, fault) < 0)
		return -1;

	ret->flags |= IMAP_FOLDER_STATUS;
	ret->messages = s->selected.exists;
	ret->uidnext = s->selected.uidnext;
	ret->uidvalidity = s->selected.uidvalidity;
	ret->highestmodseq = s->selected.highestmodseq;
	ret->object = bytes_of(s->selected.object);
	return imap_unselect(s, name, fault);
}

int imap_status(struct imap_session *s, struct bytes name, struct imap_folder *ret,
		struct fault *fault)
{
	_cleanup_(asking_freep) struct asking *a = xzalloc(sizeof(*a));
	_cleanup_(buf_done) struct buf items = BUF_NULL;
	_cleanup_(arena_done) struct arena arena = { .chunks = NULL };
	int r;

	*ret = (struct imap_folder){ .name = name };
	a->arena = &arena;
	imap_status_items(s, false, &items);
	if (imap_can(&s->capabilities, IMAP_CAP_APPENDLIMIT) && !s->capabilities.append_limit) {
		items.p[items.n - 1] = ' '; /* RFC 7889: this server has a limit a mailbox */
		buf_append_str(&items, "APPENDLIMIT)");
	}
	r = ask_status(s, a, ret, buf_bytes(&items), fault);
	if (r == 0)
		r = take_status(s, a, fault);
	if (r == 0 && (a->commands[0].condition != IMAP_OK || !(ret->flags & IMAP_FOLDER_STATUS)))
		r = status_by_examine(s, name, ret, fault);

	/* The arena ends here. */
	snprintf(s->object, sizeof(s->object), "%.*s", BYTES_ARG(ret->object));
	ret->object = bytes_of(s->object);
	return r;
}

/* The next folder to ask for. A name that cannot be sent is left to who wants to open the folder. */
static struct imap_folder *next_without(const struct imap_session *s, struct imap_folders *folders,
					size_t *at)
{
	while (*at < folders->n) {
		struct imap_folder *folder = &folders->p[(*at)++];

		if (!(folder->flags & (IMAP_FOLDER_STATUS | IMAP_FOLDER_NOSELECT)) &&
		    imap_string_form(folder->name, s->utf8) != IMAP_STRING_NONE)
			return folder;
	}
	return NULL;
}

/* How many commands may be under way when one for this folder is sent. */
static size_t window_before(const struct imap_session *s, const struct imap_folder *folder)
{
	bool alone = s->account->no_pipelining || imap_string_waits(s, folder->name);

	return alone ? 0 : WINDOW - 1;
}

int imap_status_all(struct imap_session *s, struct imap_folders *folders, bool with_size,
		    struct fault *fault)
{
	_cleanup_(asking_freep) struct asking *a = xzalloc(sizeof(*a));
	_cleanup_(buf_done) struct buf items = BUF_NULL;
	struct imap_folder *folder;
	size_t at = 0;

	a->arena = &folders->arena;
	imap_status_items(s, with_size, &items);
	while ((folder = next_without(s, folders, &at))) {
		while (a->sent - a->taken > window_before(s, folder))
			if (take_status(s, a, fault) < 0)
				return -1;
		if (ask_status(s, a, folder, buf_bytes(&items), fault) < 0)
			return -1;
	}

	while (a->taken < a->sent)
		if (take_status(s, a, fault) < 0)
			return -1;
	return 0;
}
