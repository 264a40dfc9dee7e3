/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting, the keeper's side: what edges ask and bring. A recipient is taken by routes and policy, a message when it and
 * its envelope are durable; only then the edge may say 250.
 *
 * keep.c: an edge's link. keep-accept.c: from the last frame of a message to its answer. keep-open.c: what of it outlives a
 * process: the key of our tokens, and senders who may not have heard us (inbound.h). */
#ifndef GATEWAY_KEEP_H
#define GATEWAY_KEEP_H

#include "gateway/inbound.h"
#include "gateway/keeper.h"
#include "gateway/link-frames.h"
#include "gateway/link.h"
#include "gateway/loops.h"
#include "smtp/answer.h"

struct keep_edge;

struct keep_counts {
	uint64_t accepted, suppressed, looped; /* messages */
	uint64_t deferred, failed;  /* messages: 452 for want of room, 451 */
	uint64_t asked, unknown, not_ours, unsure, low; /* recipients: in all; refused or deferred, why */
};

/* What it depends on whether a recipient is taken. */
struct keep_grounds {
	const struct config *config;
	uint64_t epoch;
	bool is_unsure, is_low;
};

struct keep {
	struct keeper *k;
	struct keep_grounds grounds; /* of what edges know */
	struct inbound *inbound;
	struct loops *loops;
	struct token_maker *tokens;
	struct journal_hash *hash;
	struct keep_counts counts;
	struct list edges; /* of struct keep_edge */
	bool walls_told;
	struct list coming; /* of struct keep_message: those that have bodies in the journal */
};

/* Reads the key of the tokens, or makes it, and what the journal's end says of senders. The queue is open; sets k->keep. */
SUSPENDS int keep_open(struct keeper *k, struct fault *fault);
struct keep *keep_free(struct keep *keep); /* after its edges; accepts NULL, returns NULL */

/* The keeper's `offered` and `max_size` are others now: edges are told. */
void keep_tell_offer(struct keep *keep);

/* The first BODY record of messages that are on their way in; UINT64_MAX: there is none. */
uint64_t keep_first_body(const struct keep *keep);

/* An edge at the other end of `stream` (owned), which is told to serve as g says. */
struct keep_edge *keep_edge_new(struct keep *keep, const struct config_gateway *g, struct stream *stream, unsigned number);
struct keep_edge *keep_edge_free(struct keep_edge *edge); /* accepts NULL, returns NULL */

/* Serves it until its link has ended and all that it brought was answered: 0, and negative when it said
 * what it may not, or was lost. Queue failures are keeper's: queue_failed(). */
SUSPENDS int keep_edge_serve(struct keep_edge *edge, struct fault *fault);

/* No more connections; sessions that are left after within_us are cut, those without a transaction at once if `idle_too`. Its link
 * ends by itself then. */
void keep_edge_stop(struct keep_edge *edge, int64_t within_us, bool idle_too);

/* Routes, recipients or configuration may have changed: edges ask anew, if so. NULL does nothing. */
void keep_look(struct keep *keep);

enum keep_edge_state { KEEP_EDGE_STARTING, KEEP_EDGE_READY, KEEP_EDGE_STOPPING, KEEP_EDGE_DONE };

struct keep_edge_view {
	unsigned number;
	enum keep_edge_state state;
	const char *walls;         /* what it says of its sandbox */
	struct edge_counts counts; /* as it said last */
};

void keep_edge_look(const struct keep_edge *edge, struct keep_edge_view *ret);
struct waiters *keep_edge_news(struct keep_edge *edge); /* woken when its state changes */

/* --- inside; for keep*.c ----------------------------------------------------------------------- */

/* A message that is on its way in. */
struct keep_message {
	struct bytes content;       /* of one with a single piece: all of it; owned, not in the journal yet */
	struct list of_coming;
	uint64_t *bodies;           /* else: the records it is in */
	size_t n_bodies, size_bodies;
	struct journal *journal;    /* which remembers where they are, as long as this is there */
	uint64_t size;
	struct journal_hash *hash;  /* else */
	uint64_t text;              /* loops_text() */
	bool is_last;               /* the piece that ends it has come */
	bool is_refused;            /* the journal had no room for a piece of it */
	struct buf envelope;
};

struct keep_slot {
	uint64_t id;
	struct keep_message *message;
	struct list unheard; /* of inbound_entry.of_slot: accepted, and the client may not have heard it */
	bool is_finishing;
};

struct keep_edge {
	struct keep *keep;
	struct link *link;
	unsigned number;
	struct list of_keep;
	struct keep_slot **slots; /* which do not move: lists begin in them */
	size_t n_slots, max_slots;
	uint64_t max_message, max_recipients; /* as it was told */
	enum keep_edge_state state;
	char walls[100];
	struct edge_counts counts;
	int64_t alarm_next; /* not before that moment, about accepting */
	struct waiters news;
	struct nursery accepting;
	struct arena arena; /* of a frame */
	struct buf payload;
	size_t envelopes;   /* bytes of them that wait for their last frame */
	bool is_gone;       /* nothing can be said any more */
};

struct keep_message *keep_message_free(struct keep_message *m);

/* It will not be accepted: what the journal has of it may go. */
void keep_message_abandon(struct keep *keep, struct keep_message *m);

void keep_say(struct keep_edge *edge, uint64_t id, const struct smtp_answer *answer);
void keep_say_text(struct keep_edge *edge, uint64_t id, unsigned code, const char *enhanced, const char *text);

/* NULL: the recipient may come. */
const struct smtp_answer *keep_judge(struct keep *keep, struct bytes key);

/* EDGE_FINISH: takes the slot's message, and answers when it is durable. What is wrong with the envelope is found at once. */
int keep_finish(struct keep_edge *edge, struct keep_slot *slot, struct bytes envelope, struct fault *fault);

#endif
