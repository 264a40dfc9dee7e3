/* SPDX-License-Identifier: Apache-2.0 */
/* How mailferry trace shows a message: from its steps to lines or JSON, and where its recipients are at the end. */
#ifndef CLI_TRACE_SHOW_H
#define CLI_TRACE_SHOW_H

#include "base/arena.h"
#include "gateway/control-frames.h"

/* What the steps so far have made of a leg. */
struct trace_leg {
	bool is_there;
	uint64_t fate, epoch, attempt, code, attempts;
	int64_t since_us, due_us; /* due_us: of the next attempt, 0: not known */
	struct bytes target, host, cause, text;
	bool is_flagged;
};

struct trace {
	bool json, is_offline;
	struct bytes name;         /* what was asked for */

	struct arena arena;        /* of the message at hand */
	uint64_t number;           /* 0: none is at hand */
	char queue_id[32], journal_id[8];
	const struct journal_accept *accept; /* NULL: not seen */
	struct trace_leg *legs;    /* by index_slot() */
	size_t n_legs, legs_size;
	bool only_some;            /* the name is a recipient's: only his legs are shown */
	struct bytes key;
	const struct control_step *step; /* at hand */
};

/* An answer to CONTROL_TRACE. arg: struct trace. */
int trace_said(void *arg, enum control_say_type type, const void *said, struct fault *fault);

/* Ends the message at hand: after the last answer. */
void trace_end(struct trace *trace);
void trace_done(struct trace *trace);

#endif
