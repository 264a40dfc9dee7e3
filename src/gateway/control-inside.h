/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the control socket share. */
#ifndef GATEWAY_CONTROL_INSIDE_H
#define GATEWAY_CONTROL_INSIDE_H

#include "gateway/control-frames.h"
#include "gateway/control.h"

/* A question, while it is being answered. */
struct control_session {
	struct keeper *k;
	struct link *link;
	const char *user;   /* who asks, as the kernel says */
	struct arena arena; /* of the question; of an answer at a time: local ones */
	struct control_ask ask;
	struct buf question, scratch;
};

/* Puts an answer and waits for room. */
SUSPENDS int control_say(struct control_session *s, uint16_t type, const struct field_table *table, const void *from,
			 struct fault *fault);

/* control-answer.c: FAULT_USAGE and FAULT_DATA are about the question. ret->n, ret->epoch: for the end. */
SUSPENDS int control_answer(struct control_session *s, uint16_t type, struct control_end *ret, struct fault *fault);

#endif
