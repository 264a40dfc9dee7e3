/* SPDX-License-Identifier: Apache-2.0 */
/* STATUS (RFC 3501 §6.3.10, RFC 8438 SIZE). */
#include <stdlib.h>

#include "base/xalloc.h"
#include "imap/commands.h"
#include "imap/status.h"

enum { WINDOW = 64 }; /* STATUS commands under way at once */

void imap_status_items(const struct imap_session *s, bool with_size, struct buf *to)
{
	buf_append_str(to, "(MESSAGES UIDNEXT UIDVALIDITY");
	if (imap_can(&s->capabilities, IMAP_CAP_CONDSTORE))
		buf_append_str(to, " HIGHESTMODSEQ");
	if (with_size && imap_can(&s->capabilities, IMAP_CAP_STATUS_SIZE))
		buf_append_str(to, " SIZE");
	buf_append_char(to, ')');
}

void imap_status_note(struct imap_folder *folder, const struct imap_status_data *data)
{
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

/* Reads until c is done. A STATUS answer belongs to the command at the head of the queue when its name
 * says so; servers spell names in ways of their own, so the order decides, the name only confirms. */
static int take_status(struct imap_session *s, struct imap_command *c, struct imap_folder *folder,
		       struct fault *fault)
{
	struct imap_input input;

	while (!c->done) {
		if (imap_read(s, &input, fault) < 0)
			return -1;
		if (input.event == IMAP_EVENT_RESPONSE && input.response->kind == IMAP_STATUS)
			imap_status_note(folder, &input.response->status);
	}
	return 0;
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
	return imap_unselect(s, name, fault);
}

int imap_status(struct imap_session *s, struct bytes name, struct imap_folder *ret,
		struct fault *fault)
{
	_cleanup_(buf_done) struct buf items = BUF_NULL;
	struct imap_command c;

	*ret = (struct imap_folder){ .name = name };
	imap_status_items(s, false, &items);
	if (imap_can(&s->capabilities, IMAP_CAP_APPENDLIMIT) && !s->capabilities.append_limit) {
		items.p[items.n - 1] = ' '; /* RFC 7889: this server has a limit a mailbox */
		buf_append_str(&items, "APPENDLIMIT)");
	}
	if (send_status(s, &c, name, buf_bytes(&items), fault) < 0 ||
	    take_status(s, &c, ret, fault) < 0)
		return -1;

	if (c.condition != IMAP_OK || !(ret->flags & IMAP_FOLDER_STATUS))
		return status_by_examine(s, name, ret, fault);
	return 0;
}

static struct imap_folder *next_without(struct imap_folders *folders, size_t *at)
{
	while (*at < folders->n) {
		struct imap_folder *folder = &folders->p[(*at)++];

		if (!(folder->flags & (IMAP_FOLDER_STATUS | IMAP_FOLDER_NOSELECT)))
			return folder;
	}
	return NULL;
}

int imap_status_all(struct imap_session *s, struct imap_folders *folders, bool with_size,
		    struct fault *fault)
{
	_cleanup_(freep) struct imap_command *commands = xzalloc(WINDOW * sizeof(*commands));
	_cleanup_(freep) struct imap_folder **asked = xzalloc(WINDOW * sizeof(*asked));
	_cleanup_(buf_done) struct buf items = BUF_NULL;
	size_t window = s->account->no_pipelining ? 1 : WINDOW, at = 0, sent = 0, taken = 0;
	struct imap_folder *folder;

	imap_status_items(s, with_size, &items);
	while ((folder = next_without(folders, &at)) || taken < sent) {
		if (folder) {
			asked[sent % WINDOW] = folder;
			if (send_status(s, &commands[sent++ % WINDOW], folder->name,
					buf_bytes(&items), fault) < 0)
				return -1;
		}
		if (folder && sent - taken < window)
			continue;

		if (take_status(s, &commands[taken % WINDOW], asked[taken % WINDOW], fault) < 0)
			return -1;
		taken++;
	}
	return 0;
}
