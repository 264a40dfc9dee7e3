/* SPDX-License-Identifier: Apache-2.0 */
/* The destination's side of a round: messages go into batches (an APPEND or a MULTIAPPEND), batches into
 * lanes (connections), and the answers are taken in order.
 *
 * A folder keeps its order at the destination although several connections fill it. Every lane takes in
 * the data of its batch as fast as it can, but a batch is ended (its final CRLF sent) only when all before
 * it were accepted; so the server stores in parallel and commits in turn. Single appends on one lane need
 * not wait for each other: a server takes the commands of a connection in order.
 *
 * If a MULTIAPPEND is refused, nothing behind it has been ended: dropping the lanes undoes it (RFC 3502: all
 * or nothing), and the messages of the refused one go again, each in an APPEND of its own. */
#ifndef COPY_SENDER_H
#define COPY_SENDER_H

#include "copy/worker.h"

enum { SENDER_LANES = 16, SENDER_RING = 64 };

struct sent {
	struct imap_message *message;
	uint64_t size;
	bool has_nul, complete; /* complete: all its bytes went out, digest and notes are set */
	unsigned notes;         /* of its header: enum header_note */
	unsigned char digest[32], header[16];
	char *message_id;       /* for the ledger; NULL: none */
};

enum batch_state { BATCH_OPEN, BATCH_SEALED, BATCH_ENDED };

struct batch {
	struct imap_append append;
	enum batch_state state;
	unsigned lane;
	struct sent *sent;
	size_t n, size;
	uint64_t bytes;
	bool alone; /* takes no other message */
	bool cut;   /* refused before its data was sent: the command is over without an end */
};

struct sender {
	struct copy_pass *pass;
	struct imap_session *lanes[SENDER_LANES]; /* [0] is the worker's own */
	unsigned lanes_n;

	/* Batches by number: answered ≤ ended ≤ begun; number b stands in ring[b % SENDER_RING]. The last
	 * one begun may be open, those between are sealed. */
	struct batch ring[SENDER_RING];
	size_t begun, ended, answered;
	bool ending;            /* a fiber is sending the end of number `ended` */
	struct waiters changed; /* any of the above, or below, moved on */
	bool closing;           /* no batch will follow */
	bool abandoned;         /* the round failed: only what was ended is still waited for */
	bool refused;           /* a MULTIAPPEND was: nothing more is sent in this round */
	bool stopped;           /* the answers' fiber failed, with `fault` */
	struct fault fault;

	struct imap_session *session; /* of the message at hand … */
	struct sent *at_hand;         /* … or NULL: there is none, or it was refused already */
};

void sender_init(struct sender *sender, struct copy_pass *pass);

/* The fiber that takes answers: sender_close() lets it end when all have come. */
SUSPENDS int sender_take_answers(void *sender, struct fault *fault);

/* A message of that size begins. 0: give its data; 1: stop, something was refused. */
SUSPENDS int sender_begin(struct sender *sender, struct imap_message *message, uint64_t size,
			  struct fault *fault);
SUSPENDS int sender_data(struct sender *sender, struct bytes data, struct fault *fault);
/* notes: enum header_note of its header. */
SUSPENDS int sender_end(struct sender *sender, const unsigned char digest[32], unsigned notes,
			const struct mail_identity *identity, struct fault *fault);

/* No message follows: the last batch is sealed. */
SUSPENDS int sender_close(struct sender *sender, struct fault *fault);

/* Waits for all answers, or until something was refused. The caller's cancellation does not reach the fiber that
 * takes them, as it would in nursery_wait(): what was sent can still be accounted for. */
SUSPENDS int sender_wait(struct sender *sender, struct fault *fault);

/* After the fibers have ended. With `good` the lanes beyond the worker's own go back to be used by others, else
 * they are dropped, and what was sent whole but not answered goes to pass->doubts. */
void sender_done(struct sender *sender, bool good);

#endif
