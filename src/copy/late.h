/* SPDX-License-Identifier: Apache-2.0 */
/* Copies that turn up late. A server may go on working on what it received before the connection was lost, or before we
 * were killed, and store it after we looked for it (docs/design/deltas.md, D10). So:
 *
 * - we look only when the folder is quiet (copy_late_quiet());
 * - what was looked for and not found has LEDGER_AGAIN in its row, durable before it is sent again or given up; while
 *   that is news (copy_late_is_news()), the folder's mark stays, and each pass looks from there on;
 * - what turned up beside the copy that was sent again is ours and one too many: copy_late_remove(). */
#ifndef COPY_LATE_H
#define COPY_LATE_H

#include "copy/rematch.h"
#include "copy/worker.h"

/* Waits until the folder that is selected has not changed for a while: less than half a second where the server answers
 * at once, more where it is slow, 10 s at most. */
SUSPENDS int copy_late_quiet(struct imap_session *to, struct fault *fault);

/* Something may turn up late from now on. Queued: durable with the next commit. */
void copy_late_expect(struct copy *copy);

/* Whether that was so recently that it is not over yet. */
bool copy_late_is_news(const struct copy *copy);

/* Of the strangers without a mate, those that are surplus copies of ours are removed from the folder, which is
 * selected. Each of these must hold, or it is left alone: a row has LEDGER_AGAIN and its copy is among `there`, what the
 * folder holds from the mark on, without \Deleted; each row of the folder knows where its copy is; the stranger has the
 * same SHA-256, size and date of arrival and no flag (but \Deleted) that we did not give it; there is no more than one for
 * each such row; the server has UIDPLUS, and options.keep_all does not forbid it.
 *
 * What was removed gets a mate, UINT32_MAX. *ret_left: surplus copies that were not removed, but have the same bytes,
 * size and date. All rows of the folder are to be in the ledger's file. */
SUSPENDS int copy_late_remove(struct copy_worker *worker, const struct ledger_folder *folder,
			      const struct imap_messages *there, struct rematch_side *strangers,
			      unsigned *ret_removed, unsigned *ret_left, struct fault *fault);

#endif
