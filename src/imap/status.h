/* SPDX-License-Identifier: Apache-2.0 */
/* What LIST-STATUS (cmd-list.c) and STATUS (cmd-status.c) share. */
#ifndef IMAP_STATUS_H
#define IMAP_STATUS_H

#include "imap/commands.h"

/* Appends the item list that this server can answer: "(MESSAGES UIDNEXT …)". */
void imap_status_items(const struct imap_session *session, bool with_size, struct buf *to);

/* Takes the numbers of a STATUS response into the folder; what is no number is copied to the arena. */
void imap_status_note(struct imap_folder *folder, const struct imap_status_data *data,
		      struct arena *arena);

#endif
