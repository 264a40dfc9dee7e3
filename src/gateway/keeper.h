/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper: the process that has the journal, and with it the truth about every message. Its parts share this struct;
 * all run on one loop, so what one of them changes the others see at their next turn.
 *
 * Whatever becomes of mail goes through the queue (queue.h): records, books, routes, schedule.
 *
 * Parts and who starts them: gateway.c opens the queue, makes keep and deliver, then runs everything in one nursery: a fiber for
 * each edge (keep.h) and courier (deliver.h), deliver_run(), control, metrics, recipients. All of these return when cancelled, and
 * a negative result of one of them is the end of the process (keeper_start()): what it needs to go on is the journal. */
#ifndef GATEWAY_KEEPER_H
#define GATEWAY_KEEPER_H

#include "config/config.h"
#include "gateway/queue.h"
#include "run/run.h"

struct keep;    /* keep.h: accepting */
struct deliver; /* deliver.h: jobs of couriers */
struct recipients; /* recipients.h: who they are */
struct events;  /* events.h; NULL: nobody listens */
struct metrics; /* metrics.h */
struct control; /* control.h */

struct keeper {
	/* Replaced by a reload: neither it nor what it points to may be used any more after a suspension. */
	const struct config *config;
	uint64_t reloads;       /* how often it was */
	const char *folder;     /* STATE/gateway: the index, the control socket */
	uint64_t seed[2];       /* of hash tables; unpredictable */

	struct queue *queue;
	struct keep *keep;
	struct deliver *deliver;
	struct recipients *recipients;
	struct events *events;
	struct metrics *metrics;
	struct control *control;

	unsigned offered;       /* of enum smtp_extension: what clients are offered: what all hosts can carry (offers.h) */
	uint64_t max_size;      /* of a message, likewise; 0: any */
	/* Shows a line to whoever watches the process. NULL: nobody does. Must not suspend, nor wait: false when there was no
	 * room for it. */
	bool (*show)(bool is_alarm, const char *kind, const char *text);
	unsigned unshown; /* lines since one was shown */
	bool is_unsure;         /* recipients could not be read lately: who is not in the table may exist (recipients.c) */

	bool are_routes_taken;   /* keeper_take_routes() */
	struct waiters routes_given;

	struct nursery *nursery; /* of all parts; who starts a fiber in it sees to its own end when is_stopping */
	bool is_stopping;        /* SIGTERM: nothing new is begun, what is under way ends */
	struct fault failed;     /* of the first part that ended and must not: the end of the process. kind 0: none has */
	struct waiters changed;  /* woken when is_stopping or failed is set, and when config was replaced */
};

/* Starts a part in k->nursery. When it fails, or ends while the keeper is not stopping, that is k->failed. name: a literal. */
void keeper_start(struct keeper *k, fiber_fn fn, void *arg, const char *name);

/* keeper.c: One fiber at a time looks at the table of routes and changes it by what it saw. */
SUSPENDS int keeper_take_routes(struct keeper *k, struct fault *fault);
void keeper_give_routes(struct keeper *k);

/* Every record: to metrics and events. queue_settings.seen; arg: struct keeper. */
void keeper_seen(void *arg, const struct book *book, enum journal_type type, const void *record, uint64_t sequence,
		 int64_t wall_us);

/* Something an operator should look at: a line that is shown, a NOTE in the journal, an event. kind is a word: "loop",
 * "route-fault". Never suspends; the NOTE is written soon, by a fiber of its own. */
void keeper_alarm(struct keeper *k, const char *kind, const char *format, ...) PRINTF_LIKE(3, 4);

/* For the journal alone. */
void keeper_note_quietly(struct keeper *k, const char *kind, const char *text);

/* The same for what is only worth knowing: starts, stops, reloads. */
void keeper_note(struct keeper *k, const char *kind, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
