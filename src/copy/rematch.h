/* SPDX-License-Identifier: Apache-2.0 */
/* Which message here is which one there, when no UID tells: after UIDVALIDITY changed (ledger rows
 * and a listing), after a lost answer (messages without a row, and what is new at the destination),
 * and when a mailbox is adopted that another tool, or a lost ledger, filled.
 *
 * From the strongest key to the weakest, and never by guessing: within a group of equal keys that is
 * not one to one, or when `prove` is set, bytes decide (SHA-256 of the bodies, read from whichever side
 * can be read). Twins stay as many as they are: one is paired with one, in order. */
#ifndef COPY_REMATCH_H
#define COPY_REMATCH_H

#include "copy/worker.h"

enum {
	REMATCH_HEADER = 1,    /* header, core and id are known (or known to be none: zero) */
	REMATCH_DIGEST = 2,    /* digest is known; where header is known, too, both are of the same bytes */
	REMATCH_NO_BODY = 4,   /* its bytes could not be had: it cannot be proved */
	REMATCH_NO_HEADER = 8, /* result: its header was asked for, and did not come */
};

struct rematch_item {
	uint32_t uid;  /* at its side; any number the caller likes where nothing can be fetched */
	uint32_t has;  /* REMATCH_… */
	uint64_t size; /* RFC822.SIZE or better; 0: not known, matches every size */
	int64_t date;  /* INTERNALDATE; INT64_MIN: not known, matches every date */
	unsigned char header[16]; /* of struct mail_identity */
	unsigned char core[16];   /* of struct mail_identity; 0: none or not known, matches every core */
	uint64_t id;              /* rematch_id() of the Message-ID; 0: none */
	unsigned char digest[32]; /* SHA-256 of its bytes */
	uint32_t mate;            /* result: index into the other side + 1; 0: none there */
	bool differs;             /* result: paired, although their bytes (or headers) are not the same */
};

struct rematch_side {
	struct rematch_item *p;   /* by rising uid */
	size_t n;
	struct imap_session *session; /* in which its folder is selected, to fetch what is not known; NULL,
				       * or no folder is selected: what is known is all there is */
};

/* For item.id: case and brackets do not count; 0 for "" or NULL. */
uint64_t rematch_id(const char *message_id);

/* Pairs what can be paired: in this order, each step among what is left,
 *	1  size, date and header equal
 *	2  header equal (another tool set another date; a server tells wrong sizes): dates or sizes
 *	   differ. If then several with this header are left at both sides, sizes and dates contradict
 *	   each other, and bytes decide for all of them, those of step 1 too
 *	3  Message-ID and core equal, or core and date equal where one has no Message-ID: rewritten by a
 *	   server or tool; `differs` is set unless the digests turn out equal. What is ambiguous here, and
 *	   neither dates nor bytes can tell, is not paired
 * Headers are fetched only of items that could have a mate. prove: a pair of steps 1 and 2 counts only
 * when the digests are equal; else digests are read only where a group is not one to one, or where the
 * headers hold neither Message-ID nor Date nor Subject. Step 3 always reads both digests when it can, so
 * that the caller can record them; whoever cannot do with other bytes leaves pairs that differ alone.
 *
 * An item whose header cannot be had is found by its digest, if that is known (between steps 2 and 3),
 * against items of the same size, or against all when they are few; one that has neither, at a side
 * without session, by size and date if only one has them (at the end, never with prove). Rows without
 * digest of a side without session are paired in order within their group.
 *
 * mate and differs of all items are set anew, has, size, header, core, id and digest where they were
 * fetched. A fault is that of a session, or its server's wish to be left alone (imap_is_throttle()): what was
 * learnt by then stays in the items, and the call may be made again. */
SUSPENDS int copy_rematch(struct copy_worker *worker, struct rematch_side *a, struct rematch_side *b,
			  bool prove, struct fault *fault);

/* Reads the bytes of these messages of the selected folder, many to a command, into digest and size;
 * REMATCH_DIGEST or REMATCH_NO_BODY is set for each. What does not come (NIL, NO, gone) is asked for
 * again in smaller sets, which has an end. Counts towards --rate. want: indexes into side->p, rising. */
SUSPENDS int rematch_read_digests(struct copy_worker *worker, struct rematch_side *side,
				  const uint32_t *want, size_t n, struct fault *fault);

#endif
