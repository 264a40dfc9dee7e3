/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery, the keeper's side of it: what is due goes to a courier, and what came of it into the books. Invariants:
 * docs/design/delivery.md.
 *
 *	queue_next() ─► the route of this moment ─► ATTEMPT, queued ─► JOB and content to a courier
 *	ASK ─► INTENT, durable ─► GO ─► dot ─► RESULT, queued ─► the schedule knows
 *
 * A leg whose INTENT has no RESULT is in doubt: looked for in the destination's mailbox (doubt.h), then delivered, tried
 * again or held. A refusal for good soon after the leg's route changed is held, with an alarm; any other, and a life
 * that is over, is returned to the sender (dsn.h). */
#ifndef GATEWAY_DELIVER_H
#define GATEWAY_DELIVER_H

#include "config/config.h"
#include "gateway/queue.h"
#include "net/stream.h"

struct deliver;

struct deliver_settings {
	struct queue *queue;
	const struct config *config; /* [gateway], platforms, mailbox list: replaced by deliver_reload() */
	bool sandbox;                /* couriers give up their rights */

	/* What a host of a target says that it offers (of enum smtp_extension), and its limit of a message's size (0: none). Told at
	 * each new connection, and at least every ten minutes. Must not suspend. May be NULL. */
	void (*offers)(void *arg, unsigned target, unsigned host, unsigned offers, uint64_t size);
	struct token_maker *tokens;  /* for what is sent in our own name; loops.h. May be NULL */

	/* An operator should look: kind is a word ("route-fault", "content"), text a sentence. Must not suspend. May be NULL. */
	void (*alarm)(void *arg, const char *kind, const char *text);
	void *arg;

	/* For tests; 0: as docs/design/delivery.md has it. */
	int64_t courier_timeout_us;  /* most a courier waits for a server, at each step */
	int64_t doubt_first_us, doubt_again_us, doubt_most_us; /* 30 seconds, a minute, a quarter of an hour */
};

/* Everything in settings outlives the result. */
struct deliver *deliver_new(const struct deliver_settings *settings);
struct deliver *deliver_free(struct deliver *deliver); /* after its fibers ended; accepts NULL, returns NULL */
DEFINE_FREEP(struct deliver, deliver_free);

/* A fiber: begins jobs as they come due and couriers have come, settles doubts, returns what is over. 0: deliver_stop() was
 * called and no job is under way. Negative: the journal failed, or it was cancelled. */
SUSPENDS int deliver_run(struct deliver *deliver, struct fault *fault);

/* A courier is at the other end of `stream` (owned): a process that runs courier_serve(). It is set up as config says (which is not
 * looked at any more after the first suspension), and gets jobs while that is the configuration in force. ready(arg) is called when it
 * is set up; NULL: nobody asks. Returns when the link has ended: 0 when it was let go, after deliver_stop() or deliver_reload() with
 * no job left; negative: lost, or it said what it may not. Its jobs are settled then: those with an intent are doubts. */
SUSPENDS int deliver_courier(struct deliver *deliver, const struct config *config, struct stream *stream,
			     void (*ready)(void *arg), void *arg, struct fault *fault);

/* No new jobs. What is under way ends. */
void deliver_stop(struct deliver *deliver);

/* The configuration in force from the next job on. Couriers that were set up by another get no more jobs, and are let go when they have
 * none. The schedule must have been told of its hosts in the same moment (queue_change_targets()). */
void deliver_reload(struct deliver *deliver, const struct config *config);

struct deliver_view {
	unsigned couriers, jobs, doubts; /* at this moment */
	uint64_t attempts, connections_reused, returned, route_faults, doubts_found, doubts_again;
};
void deliver_look(const struct deliver *deliver, struct deliver_view *ret);

#endif
