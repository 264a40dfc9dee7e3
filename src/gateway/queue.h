/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of the gateway: the keeper's one door to journal, books, index, routes and schedule. Each change is a record
 * that is put into the journal and applied to the books in the same moment, so the two never differ at a point where another
 * fiber may look. docs/design/delivery.md numbers what must stay true (G1 …).
 *
 *	STATE/journal/          the truth (journal.h)
 *	STATE/gateway/index.db  rebuilt from it whenever it is missing, damaged or behind
 *
 * A leg that is OPEN is in exactly one place:
 *	waiting     in the schedule of its target
 *	in a job    from queue_next() until its answer
 *	parked      given to the delivery, which owes it queue_return() or queue_hold(): after a refusal for good, or when
 *		    its life is over. At a restart it simply waits again.
 *	away        in the index only; it comes in when it is due and there is room
 * HELD legs are in the index only, but for a moment. Legs in doubt wait in a list for queue_next_doubt().
 *
 * All of it runs in fibers of one loop. What does not say SUSPENDS does not suspend. */
#ifndef GATEWAY_QUEUE_H
#define GATEWAY_QUEUE_H

#include "base/arena.h"
#include "gateway/book.h"
#include "gateway/queue-id.h"
#include "gateway/router.h"
#include "journal/journal.h"

struct queue;

struct queue_settings {
	const char *state;       /* the folder that journal/ and gateway/ are in; exists */
	uint64_t segment_size;   /* of the journal; 0: 64 MiB */
	uint64_t max_bytes;      /* the journal's quota, 0: none */
	uint64_t keep_free;      /* what must be left free in the file system to accept anything */
	size_t max_legs;         /* in memory; 0: 100,000. A target has at most half of them */
	size_t cache_bytes;      /* envelopes and contents of fresh messages; 0: 64 MiB */
	int64_t life_us;         /* of a leg, from its acceptance; 0: 5 days */
	char separator;          /* of subaddresses, for the router; '\0': none */
	const struct schedule_settings *targets[BOOK_TARGETS]; /* NULL: no mail goes there; legs wait */
	enum book_target own;    /* where messages of our own go whose recipient is not ours */

	/* Every record, when it was put (not durable yet) and before it is applied, so that its legs are in the books as they
	 * were: for events and metrics. record is the struct of records.h. Must not suspend. May be NULL. Not called for what
	 * is replayed, but for the RESULT records of recovery, before queue_open() returns. */
	void (*seen)(void *arg, const struct book *book, enum journal_type type, const void *record, uint64_t sequence,
		     int64_t wall_us);
	void *arg;
};

/* Recovers: index, then what the journal has beyond it; attempts that were not answered become doubts (with an
 * intent) or are open again (without), which RESULT records say, durably, before this returns. A missing or
 * damaged index is rebuilt. The fiber that opens it closes it. Faults as of journal_open(). */
SUSPENDS int queue_open(const struct queue_settings *settings, struct queue **ret, struct fault *fault);

/* Jobs must have ended. The index gets what it lacks (at most some seconds), the journal is closed. Accepts NULL, returns NULL. */
SUSPENDS struct queue *queue_close(struct queue *queue);

/* Other settings of targets (of those that were there) and another life of legs (0: as above), from this moment on; also of what waits.
 * are_others: as of schedule_change(). */
void queue_change_targets(struct queue *queue, const struct schedule_settings *const targets[BOOK_TARGETS],
			  const bool are_others[BOOK_TARGETS], int64_t life_us);

struct journal *queue_journal(struct queue *queue);
const struct book *queue_book(const struct queue *queue);
struct schedule *queue_schedule(struct queue *queue);
struct schedule_target *queue_target(struct queue *queue, enum book_target target); /* NULL: not configured */

/* What recovery did, a sentence or two; for the events. */
const char *queue_recovered(const struct queue *queue);

/* Has failed for good (the journal cannot be written): NULL, or why. End the process: the journal has the truth. */
const struct fault *queue_failed(const struct queue *queue);

/* --- routes ---------------------------------------------------------------------------------- */

/* The table in force; router_use() it if it must outlive a suspension. */
struct router *queue_router(const struct queue *queue);

/* Puts a change (epoch is filled in: one more than the last), makes it durable, then it takes effect, for all legs: those
 * that wait for the wrong side go over; those held for their route ("route", "unknown") are released if it says so now,
 * by records of their own. entries: address "user@domain" or "@domain" in compare form; route 0 takes the entry out; a target
 * makes it an alias. FAULT_DATA: an entry is none; FAULT_LIMIT: more than a record holds (1 MiB): in portions. Nothing happened. */
SUSPENDS int queue_change_routes(struct queue *queue, struct journal_routes *routes, struct fault *fault);

/* settings.own, from now on: messages of our own that wait go over, too. */
void queue_set_own(struct queue *queue, enum book_target target);

/* --- accepting ------------------------------------------------------------------------------- */

struct queue_accept {
	struct journal_accept record; /* message, epoch, trace are filled in; bodies are appended and named by the caller */
	struct bytes content;  /* all of the content if it is at hand and small, for the first attempt; or empty. Copied */

	size_t beside; /* bytes of payload of another record, which is put in the same moment */

	/* Gives the trace fields for this number, which is decided now. Must not suspend; what it returns must live until
	 * queue_accept() returns. NULL: record.trace is it. */
	struct bytes (*trace)(void *arg, uint64_t number, const char *queue_id);
	void *arg;

	/* Recipients to be held whatever their route says, by HOLD records that are durable with the ACCEPT: holds[i] of recipient i. NULL:
	 * none. */
	const bool *holds;
	const char *hold_cause, *hold_reason;
};

/* ACCEPT, and for each recipient its route: LEG records for copies under route both, HOLD for those routed to hold (cause
 * "route") and those nobody knows (cause "unknown"). All of it is durable when this returns 0: only then say 250. Then the legs
 * wait in the schedule. FAULT_LIMIT, AGAIN_LATER: no room (452 4.3.1). On any other failure nobody knows (451). Once ACCEPT is
 * put, neither cancellation nor a deadline ends it. */
SUSPENDS int queue_accept(struct queue *queue, struct queue_accept *accept, uint64_t *ret_number, struct fault *fault);

/* Appends content as BODY records, for messages of our own. seqs in the arena. */
SUSPENDS int queue_put_content(struct queue *queue, struct bytes content, struct arena *arena, uint64_t **ret_bodies,
			       size_t *ret_n, struct fault *fault);

/* Puts any record that is about no leg (NOTE, SUPPRESSED), durable when it returns. */
SUSPENDS int queue_note(struct queue *queue, enum journal_type type, const void *record, struct fault *fault);

/* --- giving back -----------------------------------------------------------------------------

 * What is settled needs its content no more, and what is settled for long its records neither. In portions: who calls again
 * and again pauses between. Killed at any moment, it goes on where it was, or does the last portion again, which is harmless. */

struct queue_given {
	uint64_t messages, bodies, bytes; /* of content */
	bool is_more;                     /* there may be more at once */
};

/* Content of messages whose last record is older than `before_us` (wall clock) and of which nothing is unsettled. */
SUSPENDS int queue_drop_contents(struct queue *queue, int64_t before_us, const char *reason, struct queue_given *ret,
				 struct fault *fault);

/* These BODY records will be named by no ACCEPT: a transaction that was given up. */
void queue_give_up(struct queue *queue, const uint64_t *bodies, size_t n);

/* … and goes with the next one of these. */
SUSPENDS int queue_drop_abandoned(struct queue *queue, struct queue_given *ret, struct fault *fault);

/* Removes the oldest segment if its last record is older than `before_us`, nothing unsettled began in it, and no BODY from
 * `under_way` on (UINT64_MAX: none) lies in it: a message that is not accepted yet. Routes that only it tells of are written
 * anew, the index forgets its messages; what the books count stays. 1: it has gone; 0: it may not. */
SUSPENDS int queue_expire(struct queue *queue, int64_t before_us, uint64_t under_way, struct fault *fault);

/* --- delivering ------------------------------------------------------------------------------ */

struct queue_job {
	struct book_message *message; /* stays in memory as long as the job */
	enum book_target target;
	unsigned host;           /* of the target's, 0 and up */
	uint64_t attempt, epoch; /* epoch: of the routes by which its legs go here */
	unsigned n;              /* legs */
	struct book_leg **legs;  /* one message's, ordered by recipient; each until its answer */
	struct schedule_job *schedule_job;
	bool is_put;             /* the ATTEMPT was */
};

/* The next job for a target, NULL: none may go now. Routes are looked up here, per leg: a leg that is to go elsewhere
 * now moves there, and is not in the job. */
struct queue_job *queue_next(struct queue *queue, enum book_target target);

/* When to ask again if nothing happens: a moment of run_now(), or MOMENT_NEVER. */
int64_t queue_moment(struct queue *queue, enum book_target target);

/* Woken whenever the answer of queue_next(), queue_moment(), queue_next_expired() or queue_next_doubt() may have changed
 * otherwise than by time. */
struct waiters *queue_work(struct queue *queue);

/* ATTEMPT: before RCPT is sent. Not durable when it returns; the INTENT makes it so. */
SUSPENDS int queue_attempt(struct queue *queue, struct queue_job *job, const char *host, struct fault *fault);

/* INTENT for those of the job's legs that were accepted by RCPT. Durable when it returns 0: then send the final dot. On failure
 * nobody knows: do not send it. */
SUSPENDS int queue_intent(struct queue *queue, struct queue_job *job, struct book_leg *const *legs, unsigned n,
			  struct fault *fault);

struct queue_answer {
	struct book_leg *leg;    /* of the job */
	enum schedule_answer answer;
	int64_t told_us;         /* how long it was told to wait, or 0 */
	enum journal_fate fate;  /* DELIVERED, OPEN (again later; or with REFUSED: parked), IN_DOUBT, HELD */
	unsigned code;
	struct bytes enhanced, text, remote_id;
	const char *cause;       /* a short word, of a small set: for the counts and the record; "" when delivered */
	bool is_flagged;         /* OPEN: what goes out again may be a duplicate */
	bool is_parked;          /* set on return: the leg is OPEN and yours: queue_return() or queue_hold() it */
};

struct queue_how { /* of the connection */
	struct bytes host, tls_version, tls_cipher, how;
};

/* RESULT for some legs of the job, which leave it: settled, waiting again, in doubt, held, or parked (REFUSED with fate OPEN;
 * or not ACCEPTED and its life is over). The record is durable soon; nobody waits for that. A leg that was settled is
 * freed: do not use answers[].leg afterwards unless is_parked. Without a queue_attempt() before: only UNTRIED with OPEN,
 * and no record is written; a leg whose life is over is then for queue_next_expired(). */
SUSPENDS int queue_result(struct queue *queue, struct queue_job *job, const struct queue_how *how,
			  struct queue_answer *answers, unsigned n, struct fault *fault);

/* The job's end; frees it. Each leg must have had its answer. */
void queue_end(struct queue *queue, struct queue_job *job, enum schedule_end end, int64_t told_us);

/* Frees a job that nobody can bring to its end: the queue has failed, or is about to be closed. Its legs stay as the books have them
 * until a start looks at them (G6). */
void queue_abandon(struct queue *queue, struct queue_job *job);

/* A leg whose life is over while it waited: parked, yours. NULL: none. (When whole targets are down for days.) */
struct book_leg *queue_next_expired(struct queue *queue);

/* RETURNED for parked, held or doubtful legs of one message: not delivered, for good. dsn (may be NULL: none is wanted) is
 * accepted in the same batch as a message of our own, with its number in the record; dsn->record.dsn_for is filled in.
 * Durable when it returns 0. */
SUSPENDS int queue_return(struct queue *queue, struct book_leg *const *legs, unsigned n, const char *reason,
			  struct queue_accept *dsn, struct fault *fault);

/* HOLD of legs at hand (parked or in doubt), by a rule. cause: a short word. */
SUSPENDS int queue_hold(struct queue *queue, struct book_leg *const *legs, unsigned n, const char *cause,
			const char *reason, struct fault *fault);

/* --- doubts ---------------------------------------------------------------------------------- */

/* A leg in doubt that nobody has, the one that has been so longest; yours until queue_settle_doubt(), queue_hold(),
 * queue_return() or queue_put_doubt(). NULL: none. */
struct book_leg *queue_next_doubt(struct queue *queue);

/* When queue_next_doubt() may have one again, if nothing happens: run_now(), or MOMENT_NEVER. */
int64_t queue_doubt_moment(struct queue *queue);

/* Cannot be settled now: asked for again after that time. */
void queue_put_doubt(struct queue *queue, struct book_leg *leg, int64_t wait_us);

struct queue_doubt {
	enum journal_fate fate;  /* DELIVERED, OPEN (send again), HELD */
	const char *how;         /* "imap", "policy" … */
	const char *cause;       /* OPEN, HELD */
	struct bytes folder;     /* DELIVERED: where it is */
	uint64_t uid;
	bool is_flagged;         /* OPEN: the next one may be a duplicate */
};

/* DOUBT: how it was settled; durable when it returns. */
SUSPENDS int queue_settle_doubt(struct queue *queue, struct book_leg *leg, const struct queue_doubt *doubt,
				struct fault *fault);

/* --- messages -------------------------------------------------------------------------------- */

/* The ACCEPT record: decoded from memory when the message is fresh, else from the journal (then it SUSPENDS). Bytes and
 * lists live as long as the arena. The message must be held: by a job, a parked leg, a doubt or queue_use(). */
SUSPENDS int queue_envelope(struct queue *queue, struct book_message *message, struct arena *arena,
			    struct journal_accept *ret, struct fault *fault);

/* All content at once when it is in memory: true, good until the next suspension. */
bool queue_content(struct queue *queue, const struct book_message *message, struct bytes *ret);

/* Reads content from `offset` on, up to n bytes, fewer only at its end: *ret_n. From memory, or from the segments
 * (then it SUSPENDS). FAULT_DATA: it was dropped, or is damaged. */
SUSPENDS int queue_read(struct queue *queue, struct book_message *message, uint64_t offset, char *to, size_t n,
			size_t *ret_n, struct fault *fault);

/* The message with all of its unsettled legs in memory, held until queue_release(). NULL in *ret: nothing of it is
 * unsettled. */
SUSPENDS int queue_use(struct queue *queue, uint64_t number, struct book_message **ret, struct fault *fault);
void queue_release(struct queue *queue, struct book_message *message);

/* --- the operator ---------------------------------------------------------------------------- */

struct queue_filter { /* what is zero or empty does not filter */
	uint64_t message;
	struct bytes key;        /* a compare key of a recipient, or "@domain" */
	enum journal_fate fate;
	int target;              /* enum book_target, or -1 */
	struct bytes cause;
};

struct queue_row { /* a leg */
	struct journal_leg leg;
	struct bytes key, cause;
	enum journal_fate fate;
	enum book_target target;
	int64_t accepted_us, since_us, due_us; /* wall clock */
	uint64_t size, attempt;
	unsigned attempts, code;
	bool is_flagged;
};

/* Unsettled legs by message and recipient, behind `after` (zeros: from the start), at most `limit` (10,000). Rows live in the
 * arena. In step with the books at the call. */
SUSPENDS int queue_list(struct queue *queue, const struct queue_filter *filter, const struct journal_leg *after,
			size_t limit, struct arena *arena, struct queue_row **ret, size_t *ret_n, struct fault *fault);

/* When the oldest message was accepted that has a leg which is not settled, by the wall clock; 0: there is none. A second or two behind. */
SUSPENDS int queue_oldest(struct queue *queue, int64_t *ret_us, struct fault *fault);

enum queue_order { QUEUE_RETRY, QUEUE_HOLD, QUEUE_RELEASE };

/* HOLD, RELEASE or RETRY for all legs that fit and may take it, with the operator's name and reason; *ret_n: how many. In
 * portions of some thousand legs; durable when it returns. */
SUSPENDS int queue_order(struct queue *queue, enum queue_order order, const struct queue_filter *filter,
			 const char *operator, const char *reason, uint64_t *ret_n, struct fault *fault);

/* Numbers of the messages that a queue id, a Message-ID (also without its angle brackets) or an address (of sender or recipient,
 * any spelling) names: newest first, at most limit, in the arena; *ret_more: how many older ones there are. Settled ones too,
 * as long as the journal has them. */
SUSPENDS int queue_find(struct queue *queue, struct bytes text, size_t limit, struct arena *arena, uint64_t **ret,
			size_t *ret_n, uint64_t *ret_more, struct fault *fault);

struct queue_step { /* a record that names the message */
	enum journal_type type;
	struct book_place place;
	int64_t wall_us;
	const void *record;      /* the struct of that type, decoded */
};

/* All records that name the message, in order; in the arena. */
SUSPENDS int queue_trace(struct queue *queue, uint64_t number, struct arena *arena, struct queue_step **ret,
			 size_t *ret_n, struct fault *fault);

struct queue_accepted {
	uint64_t number;
	int64_t wall_us;
	struct journal_accept record;
};

/* Messages with exactly this content accepted since `since_us` (wall clock), newest first, at most limit, in the arena, settled
 * ones too: for senders that never saw our 250 and come again, and for loops. It asks the index and the journal on a worker
 * thread, some 100 µs: who asks for every message first asks a table of its own, and comes here only for what was accepted
 * before this process began. */
SUSPENDS int queue_find_content(struct queue *queue, const unsigned char digest[JOURNAL_DIGEST], int64_t since_us, size_t limit,
				struct arena *arena, struct queue_accepted **ret, size_t *ret_n, struct fault *fault);

#endif
