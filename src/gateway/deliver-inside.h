/* SPDX-License-Identifier: Apache-2.0 */
/* What deliver*.c share. */
#ifndef GATEWAY_DELIVER_INSIDE_H
#define GATEWAY_DELIVER_INSIDE_H

#include "base/map.h"
#include "gateway/courier-frames.h"
#include "gateway/deliver.h"
#include "gateway/dsn.h"
#include "run/run.h"
#include "smtp/client.h"

enum { DELIVER_DOUBTS = 4 }; /* looked up at once */

struct deliver {
	struct deliver_settings settings;
	struct list couriers; /* of struct deliver_peer */
	struct nursery *nursery; /* deliver_run()'s: jobs, doubts, returns */
	bool is_stopping;
	unsigned n_jobs, n_doubts, n_returns;
	struct deliver_view view;
};

/* A courier as the keeper sees it. */
struct deliver_peer {
	struct list of_deliver;
	struct deliver *deliver;
	struct link *link;
	struct arena arena; /* of a frame */
	struct list jobs;   /* of struct deliver_job: all it has, … */
	struct map by_id;   /* … and those it was told of and has not ended */
	const struct config *config; /* that it was set up by: to compare with only */
	unsigned hosts[BOOK_TARGETS]; /* that it knows */
	void (*ready)(void *arg);
	void *arg;
	bool is_ready, is_over, is_retired;
	int result;
	struct fault fault;
	struct waiters changed;
	unsigned n_jobs;
};

/* What a courier said of a leg. */
struct deliver_said {
	bool was_asked, is_known;
	struct courier_outcome outcome; /* bytes in the job's arena */
};

struct deliver_job {
	struct list of_peer;
	struct deliver *deliver;
	struct deliver_peer *peer; /* NULL: lost */
	struct queue_job *job;
	uint64_t id; /* the attempt */
	struct arena arena;
	struct journal_accept accept;
	const char *host;
	bool is_lmtp;
	struct book_leg **legs; /* those that were sent, by index of the JOB */
	struct deliver_said *said;
	unsigned n;
	uint64_t size, sent, taken;
	bool is_asking, has_asked, is_over;
	struct courier_result result; /* the last one; text in the arena */
	struct waiters news;
};

const struct config_smtp *deliver_smtp(const struct deliver *deliver, unsigned target);
void deliver_alarm(struct deliver *deliver, const char *kind, const char *format, ...) PRINTF_LIKE(3, 4);

/* deliver-courier.c. The courier with the fewest jobs, or NULL. */
struct deliver_peer *deliver_choose(struct deliver *deliver);

/* deliver-job.c. Runs a queue_job by that courier to its end, in a fiber of its own. */
void deliver_start_job(struct deliver *deliver, struct deliver_peer *peer, struct queue_job *job);

/* deliver-return.c. What is to become of parked legs of one message: held or returned. */
struct deliver_refusal {
	struct book_leg *leg;
	bool is_refused;  /* for good by the server; else its life is over */
	const char *host; /* NULL: nobody answered */
	unsigned code;
	struct bytes enhanced, text; /* what was said last */
};
SUSPENDS int deliver_give_up(struct deliver *deliver, const struct journal_accept *accept,
			     const struct deliver_refusal *refusals, unsigned n, struct fault *fault);

/* A parked leg whose life ended while it waited. */
SUSPENDS int deliver_expire(struct deliver *deliver, struct book_leg *leg, struct fault *fault);

/* RFC 3461 section 4.1: tells a sender who asked for it that these recipients' mail (indices) was delivered, or handed to a
 * server that sends no notifications. The job still holds the message. */
SUSPENDS int deliver_tell_success(struct deliver_job *job, const uint32_t *recipients, unsigned n,
				  enum dsn_action action, struct fault *fault);

/* deliver-doubt.c */
SUSPENDS int deliver_settle_doubt(struct deliver *deliver, struct book_leg *leg, struct fault *fault);

#endif
