/* SPDX-License-Identifier: Apache-2.0 */
/* Traces from the journal's files alone, for when no gateway runs: what CONTROL_TRACE answers, but for the CONTROL_LEGs. All of the
 * journal is read once, without the contents of messages; nothing is changed, nothing of the index is believed. */
#ifndef GATEWAY_CUSTODY_H
#define GATEWAY_CUSTODY_H

#include "gateway/control-frames.h"

struct custody_result {
	struct control_end end;
	uint64_t damaged;     /* places where the journal is damaged: what stood there is missing */
	char damage[320];     /* the first of them */
};

/* state: the folder that journal/ is in. Calls fn for each message that name names (as queue_find()), the newest `limit` of them,
 * older ones first: CONTROL_MESSAGE, then its CONTROL_STEPs. Blocks; outside of run_main(). FAULT_USAGE or FAULT_LOCAL: there is no
 * journal, or it cannot be read. */
int custody_read(const char *state, struct bytes name, size_t limit,
		 int (*fn)(void *arg, enum control_say_type type, const void *said, struct fault *fault), void *arg,
		 struct custody_result *ret, struct fault *fault);

#endif
