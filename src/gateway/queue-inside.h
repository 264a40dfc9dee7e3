/* SPDX-License-Identifier: Apache-2.0 */
/* What queue*.c share. */
#ifndef GATEWAY_QUEUE_INSIDE_H
#define GATEWAY_QUEUE_INSIDE_H

#include "base/map.h"
#include "gateway/index.h"
#include "gateway/queue.h"
#include "run/run.h"

enum {
	QUEUE_BATCH_MESSAGES = 20000,  /* so many that differ from the index are written at once */
	QUEUE_BATCH_RECORDS = 20000,
	QUEUE_LAG_MAX = 60000,         /* that the index may be behind before new work waits; below JOURNAL_PLACES */
	QUEUE_LOAD = 2000,             /* legs that come in at once */
	QUEUE_DOUBTS = 10000,          /* in memory */
};

#define QUEUE_BATCH_US SECOND
#define QUEUE_FAR_US (2 * MINUTE) /* what is due later may leave the memory while it is half full */

#define QUEUE_GRACE_US (4 * HOUR) /* no life ends sooner after a start, or after the clock was set forward */
#define QUEUE_DOUBT_MOST_US (15 * MINUTE) /* longest wait for a doubt's next look */

struct queue_side {
	struct schedule_target *target; /* NULL: not configured */
	struct index_due cursor; /* legs up to there that are due have come in, or are in memory */
	int64_t next_due_us;     /* wall clock: no leg that is away is due before */
};

struct queue {
	struct queue_settings settings;
	char *state;
	struct journal *journal;
	struct book *book;
	struct index *index;
	struct schedule *schedule;
	struct queue_side sides[BOOK_TARGETS];
	struct router *router;   /* in force */
	struct router *latest;   /* with what was put and is not durable yet */
	char id[JOURNAL_ID_LEN + 1];
	char said[512];
	struct nursery nursery;
	bool is_closing;
	int64_t wall_us, wall_at; /* the latest the wall clock ever was, and then (run_now()) */
	int64_t began;            /* when it was opened, or the clock was last set forward */
	struct fault why;        /* kind NONE: all is well */
	struct waiters work;     /* for the delivery */

	/* The fiber that makes records durable that nobody waits for. */
	struct waiters commit;
	uint64_t soon;           /* this one and those before are to be durable soon */

	/* The index: one at a time. */
	bool busy;
	struct waiters turn;
	struct waiters upkeep, caught_up;
	uint64_t indexed;        /* position */
	bool index_ended;        /* its fiber has */
	bool doubts_away;        /* the index may have legs in doubt that are not in memory */
	bool undirected_away;    /* … or such as go nowhere yet, … */
	struct index_due undirected; /* … behind this one */
	uint64_t wanted;         /* somebody waits for this one to be indexed */
	struct index_route *routes; /* changed since, keys owned */
	size_t n_routes, routes_size;
	bool routes_whole;
	uint64_t routed;         /* as index_routed() will be */
	struct index_kept kept;  /* as index_kept() will be */
	struct waiters direct;   /* for the fiber that follows changed routes */

	struct list doubts;      /* legs IN_DOUBT */
	struct list undecided;   /* legs that must be held, or get a copy, by their route */
	struct list expired;     /* parked ones that nobody has yet */
	uint64_t *abandoned;     /* bodies that no message will name */
	size_t n_abandoned, abandoned_size;
	struct queue_walk *walk; /* queue-retain.c */

	struct list cache;       /* messages with envelope or content in memory, the oldest first */
	size_t cached;
};

/* Looks at the wall clock, which may be set while we run or do not. Returns how far it is behind the latest it ever was: what was
 * written by a clock that was ahead is due no later for it. */
int64_t queue_see_clock(struct queue *queue);

/* Fails for good, once. */
void queue_fail(struct queue *queue, const struct fault *fault);

/* --- queue-put.c ------------------------------------------------------------------------------ */

/* Puts a record and applies it in the same moment. -1 with FAULT_DATA: it may not come now; nothing happened. */
SUSPENDS int queue_put(struct queue *queue, enum journal_type type, const void *record, uint64_t *ret_sequence,
		       struct fault *fault);

/* The same when there is room already: does not suspend. */
int queue_put_now(struct queue *queue, enum journal_type type, const void *record, uint64_t *ret_sequence,
		  struct fault *fault);

/* Room for a record of about that many bytes of payload. */
SUSPENDS int queue_room(struct queue *queue, enum journal_type type, size_t payload, struct fault *fault);

/* Applies ACCEPT, not durable yet; the message is held. */
SUSPENDS int queue_put_accept(struct queue *queue, struct queue_accept *accept, struct book_message **ret,
			      struct fault *fault);

/* It is durable: its legs may be delivered. */
void queue_accepted(struct queue *queue, struct book_message *message);

SUSPENDS int queue_commit(struct queue *queue, uint64_t sequence, struct fault *fault);

/* --- queue-index.c ---------------------------------------------------------------------------- */

SUSPENDS int queue_take_turn(struct queue *queue, struct fault *fault);
void queue_end_turn(struct queue *queue);

/* All applied so far is in the index when this returns. */
SUSPENDS int queue_flush(struct queue *queue, struct fault *fault);

/* Waits while too much is in memory that the index does not have. */
SUSPENDS int queue_wait_index(struct queue *queue, struct fault *fault);

/* The same at once, in the turn or before the fibers begin. */
SUSPENDS int queue_index_now(struct queue *queue, struct fault *fault);

int queue_index_fiber(void *arg, struct fault *fault);

/* Brings a row's leg into memory unless it is there, or was settled meanwhile: NULL. In the turn that read it. */
struct book_leg *queue_restore(struct queue *queue, const struct index_row *row);

/* Lets go what need not be in memory. */
void queue_evict(struct queue *queue, struct book_message *message);

void queue_uncache(struct queue *queue, struct book_message *message);

/* --- queue-route.c ---------------------------------------------------------------------------- */

enum queue_way { QUEUE_WAY_OLD = BOOK_OLD, QUEUE_WAY_NEW = BOOK_NEW, QUEUE_WAY_BOTH, QUEUE_WAY_HOLD, QUEUE_WAY_UNKNOWN };

enum queue_way queue_way(const struct queue *queue, const struct book_leg *leg);

/* An OPEN leg that is nowhere goes where its route says: into a schedule, or to the undecided. */
void queue_place(struct queue *queue, struct book_leg *leg);

/* What a message's legs need before it is durable: copies, holds. */
SUSPENDS int queue_decide(struct queue *queue, struct book_message *message, struct fault *fault);

/* HOLD for those recipients that accept->holds names. */
SUSPENDS int queue_hold_some(struct queue *queue, const struct book_message *message, const struct queue_accept *accept,
			     struct fault *fault);

int queue_route_fiber(void *arg, struct fault *fault);
int queue_apply_routes(struct router **router, const struct journal_routes *routes, uint32_t changed_s, struct fault *fault);
void queue_note_routes(struct queue *queue, const struct journal_routes *routes, uint32_t changed_s);

/* --- queue-retain.c --------------------------------------------------------------------------- */

enum { QUEUE_ABANDONED_MAX = 1 << 16 };

/* A DROPPED record: how far we are by it. */
void queue_note_dropped(struct queue *queue, const struct journal_dropped *dropped);

void queue_walk_free(struct queue_walk *walk); /* accepts NULL */

/* --- queue-recover.c -------------------------------------------------------------------------- */

SUSPENDS int queue_recover(struct queue *queue, struct fault *fault);

/* Moments: of the wall clock to this process', and back. */
int64_t queue_moment_of(int64_t wall_us);
int64_t queue_wall_of(int64_t moment);

static inline struct journal_leg queue_leg_name(const struct book_leg *leg)
{
	return (struct journal_leg){ leg->message->number, leg->recipient, leg->copy };
}

#endif
