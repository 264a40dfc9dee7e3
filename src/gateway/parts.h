/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's other processes: edges and couriers. Each is started, served over its link, and started again when it
 * ends without having been asked to, after a pause that grows while it does not live long. */
#ifndef GATEWAY_PARTS_H
#define GATEWAY_PARTS_H

#include "gateway/keep.h"
#include "os/spawn.h"

enum part_kind { PART_EDGE, PART_COURIER };

/* All of them. */
struct parts {
	struct keeper *k;
	struct listener **listeners; /* what edges get */
	size_t n_listeners;
	unsigned couriers;
	struct list list;            /* of struct part */
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
	bool is_ready;          /* it was at least once */
	bool is_trial;          /* it is not started again before it was ready once */
	bool is_retired;        /* it was asked to end: it is not started again */
};

void parts_init(struct parts *parts, struct keeper *k);

/* Starts as many as the configuration says, and waits for the edges to be ready. FAULT_LOCAL: one of them ended before it
 * was; it has said why. */
SUSPENDS int parts_start(struct parts *parts, struct fault *fault);

/* Puts new edges in place of those there are, one after the other: the old one is asked to stop when the new one is ready, and has
 * within_us for its sessions. On failure the rest stay as they are. */
SUSPENDS int parts_renew_edges(struct parts *parts, int64_t within_us, struct fault *fault);

/* Asks all to end. */
void parts_stop(struct parts *parts, int64_t within_us);

/* Until all have ended; if told to stop meanwhile, they are made to. Negative: one of them failed in a way that is the
 * keeper's end. */
SUSPENDS int parts_wait(struct parts *parts, struct fault *fault);

#endif
