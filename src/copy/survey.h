/* SPDX-License-Identifier: Apache-2.0 */
/* What became of messages that earlier passes copied: at the source (left it, other flags), at the destination (removed by
 * somebody). Proportional to what changed where the servers have CONDSTORE and QRESYNC; else by listing. */
#ifndef COPY_SURVEY_H
#define COPY_SURVEY_H

#include "copy/links.h"
#include "copy/worker.h"

/* Surveys one folder with the worker's sessions, repeats changes of flags, and collects what vanished. A fault of
 * reach folder is none: the folder is copied all the same, and copy_survey_tell() says it. */
SUSPENDS int copy_survey(struct copy_pass *pass, struct fault *fault);

/* After the folder went through: what its survey could not find out is an exception. */
SUSPENDS int copy_survey_tell(struct copy_pass *pass, struct fault *fault);

/* Remembers what the source was when this pass first opened the folder. */
void copy_note_begun(struct copy_pass *pass);

/* --- vanished.c ------------------------------------------------------------------------------ */

/* A row whose message is no longer in its source folder. */
void copy_vanished_add(struct copy *copy, struct ledger_folder *folder, struct copy_link *link,
		       const struct ledger_message *row);

/* The same of one that had been sent and had no row that says so: no survey finds it. */
void copy_vanished_claim(struct copy *copy, struct ledger_folder *folder, struct copy_link *link,
			 const struct ledger_message *row);

/* Of those of a folder, the ones whose copies are among `missing` (they rise) are at neither side any more: nothing can be
 * moved or removed, and no row speaks of them. */
void copy_vanished_without_copy(struct copy *copy, struct copy_link *link, const uint32_t *missing, size_t n);

/* Forgets those of a folder that a survey finds, before it is surveyed once more. */
void copy_vanished_forget_link(struct copy *copy, struct copy_link *link);

/* All rows of a folder that the source has no more, or (place) has under another UIDVALIDITY. */
SUSPENDS int copy_vanished_add_folder(struct copy *copy, struct ledger_folder *folder,
				      struct copy_link *place, struct fault *fault);

/* Those of earlier passes too; once. After it copy_vanished_find() works. */
SUSPENDS int copy_vanished_index(struct copy *copy, struct fault *fault);

/* The first of those with this size and date that was not found again, or NULL; copy->vanished[x->next - 1] is another. */
struct copy_vanished *copy_vanished_find(struct copy *copy, uint64_t size, int64_t date);

/* Whether folders that the source has no more have copies that are still to be removed. */
bool copy_vanished_any_left(const struct copy *copy);

/* At the end of a pass: what was not found again is gone. Its rows say so; where deletions are mirrored the copies
 * are removed, over worker->to, which is opened if it is NULL. */
SUSPENDS int copy_vanished_settle(struct copy_worker *worker, struct fault *fault);

/* --- removals.c ------------------------------------------------------------------------------ */

/* Finishes or undoes the removals of copies that the ledger still knows: of moves to one folder (its number in the ledger),
 * or (0) all. Moves that turn out to be done have their rows afterwards. With the worker's session to the destination; no folder
 * of it may be needed any more. What a folder refuses stays for the next pass, and
 * is told by copy_removals_tell(). */
SUSPENDS int copy_removals_settle(struct copy_worker *worker, uint32_t new_folder, struct fault *fault);

/* Those that earlier passes left, before anything is surveyed; with the first pair of sessions. */
SUSPENDS int copy_removals_resume(struct copy *copy, struct fault *fault);

/* At the end of a pass: what a folder refused is an exception of that folder. */
SUSPENDS int copy_removals_tell(struct copy *copy, struct fault *fault);

/* Whether a message of a listing has \Deleted. */
bool copy_is_marked_deleted(const struct imap_messages *messages, const struct imap_message *message);

/* --- moves.c --------------------------------------------------------------------------------- */

/* Of the waiting messages of the window, those that left another folder are moved at the destination, too. */
SUSPENDS int copy_moves(struct copy_pass *pass, struct fault *fault);

#endif
