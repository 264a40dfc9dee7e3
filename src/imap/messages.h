/* SPDX-License-Identifier: Apache-2.0 */
/* Filling struct imap_messages from FETCH responses. Inside imap/ only. */
#ifndef IMAP_MESSAGES_H
#define IMAP_MESSAGES_H

#include "imap/commands.h"

/* What one listing may hold: far beyond every folder that was ever met, far below all memory. */
enum { IMAP_MAX_MESSAGES = 4 << 20 };

/* Takes what the response tells of one of these UIDs (ranges rise). 0, or -1: more than is to be held. */
int imap_messages_note(struct imap_messages *messages, const struct imap_fetch_data *fetch,
		       const struct imap_range *uids, size_t n);

/* By rising UID, each once: to be called when the last response is in. */
void imap_messages_sort(struct imap_messages *messages);

/* Takes what comes until the command is answered, as imap_messages_note() does. */
SUSPENDS int imap_messages_take(struct imap_messages *messages, struct imap_session *session,
				struct imap_command *command, const struct imap_range *uids, size_t n,
				struct fault *fault);

/* The fault for a server that tells without end. The rest of its answer is still to come: the session ends here. */
int imap_fault_endless(struct imap_session *session, unsigned most, const char *of_what, struct fault *fault);

#endif
