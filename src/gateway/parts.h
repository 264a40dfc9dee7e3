/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's other processes: edges and couriers. Each is started, served over its link, and started again when it
 * ends without having been asked to, after a pause that grows while it does not live long. */
#ifndef GATEWAY_PARTS_H
#define GATEWAY_PARTS_H

#include "gateway/keep.h"
#include "os/spawn.h"

enum part_kind { PART_EDGE, PART_COURIER };

/* What they are started with. */
struct parts_plan {
	const struct config *config;
	struct listener **listeners; /* what edges get; the owner's */
	size_t n_listeners;
};

/* All of them. */
struct parts {
	struct keeper *k;
	struct parts_plan plan;        /* in force */
	const struct parts_plan *next; /* between parts_prepare() and parts_commit(), or NULL */
	unsigned couriers;
	struct list list;              /* of struct part */
	struct nursery nursery;
	struct waiters changed;
};

/* One, and who follows it. */
struct part {
	struct list of_parts;
	struct parts *parts;
	enum part_kind kind;
	unsigned number;
	struct os_part child;
	struct keep_edge *edge; /* of an edge that is served; else NULL */
	bool is_next;           /* it belongs to parts->next */
	bool is_ready;          /* it was at least once */
	bool is_trial;          /* it is not started again before it was ready once */
	bool is_retired;        /* it was asked to end: it is not started again */
};

void parts_init(struct parts *parts, struct keeper *k);

/* Starts as many as parts->plan says, and waits for the edges to be ready. FAULT_LOCAL: one of them ended before it
 * was; it has said why. */
SUSPENDS int parts_start(struct parts *parts, struct fault *fault);

/* Starts others by that plan, beside those there are, and waits until all of them are ready. On failure they are asked to end, and
 * nothing has changed. */
SUSPENDS int parts_prepare(struct parts *parts, const struct parts_plan *next, struct fault *fault);

/* The plan that was prepared is in force. Those of the former one are asked to end; edges have within_us for their sessions, couriers
 * end when deliver_reload() lets them go. */
void parts_commit(struct parts *parts, int64_t within_us);

/* Asks all to end. */
void parts_stop(struct parts *parts, int64_t within_us);

/* Until all have ended; if told to stop meanwhile, they are made to. Negative: one of them failed in a way that is the
 * keeper's end. */
SUSPENDS int parts_wait(struct parts *parts, struct fault *fault);

#endif
