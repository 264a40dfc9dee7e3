/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of this folder share: running in a fiber, and pumping bytes that follow from a seed. */
#ifndef NET_TESTING_H
#define NET_TESTING_H

#include "base/rand.h"
#include "lib/check.h"
#include "net/stream.h"

/* Runs fn(check) in the first fiber of a loop; its fault fails the case. */
void in_fiber(struct check *check, fiber_fn fn);

/* A failed call inside a fiber: notes its fault as the case's failure. Returns -1. */
int failed(struct check *check, const char *what, const struct fault *fault);

/* Whether the fault is of that kind and its text holds `words`; notes a failure if not. */
bool expect_fault(struct check *check, const struct fault *fault, enum fault_kind kind,
		  const char *words);

/* Reads one line, byte by byte; without its end. At most 200 bytes. */
SUSPENDS int read_line(struct stream *s, char to[200], struct fault *fault);

/* One direction of traffic. */
struct flow {
	struct check *check;
	struct stream *stream;
	uint64_t seed;
	size_t n;         /* bytes in all */
	size_t max_piece; /* the largest write or read; 0: 40,000 */
	bool readable;    /* bytes that compress */
	bool end;         /* sender: shut down at the end; receiver: expect the end */
	bool one_by_one;  /* receiver: let others run before each read */
	size_t most_memory; /* out: what the sender's queue held at most, when `queued` is set */
	size_t (*queued)(struct stream *s);
};

SUSPENDS int flow_send(void *flow, struct fault *fault);
SUSPENDS int flow_receive(void *flow, struct fault *fault);

/* n bytes each way between a and b at the same time, then the end of both, in order. */
SUSPENDS int flow_both_ways(struct check *check, struct stream *a, struct stream *b,
			    const struct flow *like, struct fault *fault);

#endif
