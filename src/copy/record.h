/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into the ledger, and when. Rows are queued where they come about; a fiber commits them some hundreds at
 * a time, so that the hot path never waits for the disk. */
#ifndef COPY_RECORD_H
#define COPY_RECORD_H

#include "copy/worker.h"
#include "state/ledger.h"

/* The folder's row: made when there is none yet, with the UIDVALIDITYs of both sides as opened now. */
void copy_record_folder(struct copy_pass *pass);

/* The folder's intent: from UID `uidnext` on the destination may hold what no row knows. Does nothing when a mark is set
 * already. It goes with the commit of the first messages' intents; pass->mark_due until then. */
void copy_record_mark(struct copy_pass *pass, uint32_t uidnext);

/* All messages from the mark on are known. */
void copy_record_no_mark(struct copy_pass *pass);

/* Fills a row of this folder with what the listing and the pass know of the message. */
void copy_record_fill(struct copy_pass *pass, const struct imap_message *message, enum ledger_state state,
		      struct ledger_message *ret);

/* A message is about to be sent. Only when this is durable may it be: after a crash the row tells what the destination
 * may hold of it, even if it has left the source by then. */
void copy_record_intent(struct copy_pass *pass, const struct imap_message *message);

/* A message was copied: digest and size are in the pass; header as in struct mail_identity, and the Message-ID, as far
 * as they were seen on the way: else NULL. */
void copy_record_copied(struct copy_pass *pass, const struct imap_message *message,
			const unsigned char *header, const char *message_id);

/* A message of the window is not copied, for a cause. */
void copy_record_excepted(struct copy_pass *pass, const struct imap_message *message, enum copy_cause cause,
			  uint64_t size, const char *message_id, const char *detail);

/* A copied message lost something: cause and detail go into its row. copy_digest: of what the destination has
 * instead, or NULL. */
void copy_record_loss(struct copy_pass *pass, const struct imap_message *message, enum copy_cause cause,
		      const char *detail, uint64_t copy_size, const unsigned char *copy_digest);

/* The fiber that commits; copy_record_end() lets it end after a last commit. arg: struct copy. */
SUSPENDS int copy_record_run(void *arg, struct fault *fault);
void copy_record_end(struct copy *copy);

/* Number of a set of flags that a server told. What no server can keep, and rows could not tell from a flag in doubt, is left out:
 * a word that begins with %. */
uint32_t copy_record_set(struct ledger *ledger, const char *flags);

/* Number of the flag set `index` of the window's listing in the ledger; what is not the message's own is left out. */
uint32_t copy_record_flags(struct copy_pass *pass, uint32_t index);

#endif
