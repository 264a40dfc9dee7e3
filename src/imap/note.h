/* SPDX-License-Identifier: Apache-2.0 */
/* Noting what comes. Inside imap/ only. */
#ifndef IMAP_NOTE_H
#define IMAP_NOTE_H

#include "imap/session.h"

/* Takes down what the response says about the session, and ends the command it answers. */
void imap_note(struct imap_session *session, const struct imap_response *response);

/* Takes a MAILBOXID as a C string. What is not 1 to 255 letters, digits, "_" and "-" (RFC 8474) leaves it empty. */
void imap_note_object(char to[256], struct bytes id);

#endif
