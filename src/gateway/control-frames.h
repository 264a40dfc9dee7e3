/* SPDX-License-Identifier: Apache-2.0 */
/* What operators' commands and the keeper say to each other over STATE/gateway/control: frames of link.h whose payloads
 * are fields. A payload that is too large for a frame comes in parts, CONTROL_PART frames before the one that has its type. */
#ifndef GATEWAY_CONTROL_FRAMES_H
#define GATEWAY_CONTROL_FRAMES_H

#include "gateway/link.h"
#include "journal/records.h"

/* What is asked: all with a struct control_ask. One at a time; answers end with CONTROL_END or CONTROL_REFUSED. */
enum control_ask_type {
	CONTROL_ASK_PART = 1,
	CONTROL_ROUTE_SHOW,  /* names: CONTROL_ROUTE each; none: CONTROL_ROUTE for each entry of the table */
	CONTROL_ROUTE_SET,   /* names, route: all or nothing; the end has the epoch */
	CONTROL_QUEUE_LIST,  /* CONTROL_LEG each */
	CONTROL_QUEUE_COUNT, /* CONTROL_COUNT each */
	CONTROL_QUEUE_ORDER, /* the end has how many */
	CONTROL_TRACE,       /* names: of each message, older ones first, CONTROL_MESSAGE, its CONTROL_STEPs, then a CONTROL_LEG for
			      * each that is not settled; limit (at most CONTROL_TRACED, also if 0) of each name, the newest */
	CONTROL_ASKS = CONTROL_TRACE,
};

/* What is answered. */
enum control_say_type {
	CONTROL_SAY_PART = 1,
	CONTROL_ROUTE,
	CONTROL_LEG,
	CONTROL_COUNT,
	CONTROL_MESSAGE,
	CONTROL_STEP,
	CONTROL_END,         /* control_end */
	CONTROL_REFUSED,     /* link_word: why; nothing was done */
	CONTROL_SAYS = CONTROL_REFUSED,
};

enum {
	CONTROL_TRACED = 1000,
	CONTROL_ASK_MAX = 4 << 20,                  /* bytes of a question */
	CONTROL_SAY_MAX = JOURNAL_PAYLOAD_MAX + 65536, /* of an answer: a record, and what is said of it */
};

struct control_name {
	struct bytes text;
};

struct control_ask {
	struct control_name *names; /* addresses, "@domain", queue ids, Message-IDs */
	size_t n_names;
	uint64_t route;  /* enum journal_route */
	uint64_t order;  /* enum queue_order + 1 */
	uint64_t target; /* enum book_target + 1; 0: any */
	uint64_t fate;   /* enum journal_fate; 0: any */
	uint64_t limit;  /* answers; 0: all */
	struct bytes cause, operator, reason;
};

struct control_route {
	struct bytes name, key, target; /* as asked; of the entry that decided; what an alias stands for */
	uint64_t route;      /* enum journal_route; 0: none */
	uint64_t match;      /* enum router_match */
	uint64_t changed_s;
};

struct control_leg {
	struct bytes queue_id, key, cause;
	uint64_t recipient, copy, fate, target, size, attempt, attempts, code, flagged; /* target: enum book_target */
	int64_t accepted_us, since_us, due_us;
};

struct control_count {
	struct bytes cause;
	uint64_t target, fate, legs;
};

struct control_message {
	struct bytes queue_id;
	uint64_t number;
};

struct control_step {
	uint64_t type, sequence, segment, offset;
	int64_t wall_us;
	struct bytes record; /* its payload */
};

struct control_end {
	uint64_t n, epoch, more; /* more: of a trace, older messages that were not shown */
};

extern const struct field_table control_ask_table, control_route_table, control_leg_table, control_count_table,
	control_message_table, control_step_table, control_end_table;

/* Puts a frame, in parts if need be; `part` is the type of these. */
void control_put(struct link *link, uint16_t type, uint16_t part, const struct field_table *table, const void *from,
		 struct buf *scratch);

/* The next frame that is no part, its whole payload in *payload; as link_next(). FAULT_LIMIT: larger than max. */
SUSPENDS int control_next(struct link *link, size_t max, uint16_t *ret_type, struct buf *payload, struct fault *fault);

#endif
