/* SPDX-License-Identifier: Apache-2.0 */
/* A courier between a keeper and servers that do what a case says. For tests. */
#ifndef GATEWAY_TEST_COURIER_TALK_H
#define GATEWAY_TEST_COURIER_TALK_H

#include "gateway/courier-frames.h"
#include "gateway/courier.h"
#include "gateway/test-sink.h"
#include "lib/check.h"

struct courier_talk {
	struct check *check;
	struct sink *sinks[4]; /* a host each */
	unsigned n_sinks;
	struct link *link;
	struct arena arena;
	struct buf results; /* of all jobs: "1 a: accepted 250 id=…" a line a recipient, then "1 worked" */
	unsigned asked, went;
	bool refuses_go;    /* NO_GO */
	uint64_t content_taken;
};

/* How a case runs: setup is filled in with the sinks as hosts of target 0. */
struct courier_case {
	const char *const *scripts; /* of the sinks, NULL-terminated: see test-sink.h */
	struct courier_target target;
	bool lmtp;
	int64_t timeout_us;
	bool refuses_go;
	SUSPENDS int (*keeper)(struct courier_talk *t, struct fault *fault);
};

void courier_case_run(struct check *check, const struct courier_case *c);

/* Gives a job to `host`: recipients are the words of `to`, "@x.org" is added. */
void courier_talk_job(struct courier_talk *t, uint64_t id, unsigned host, const char *to, struct bytes content);

/* Reads what the courier says until that many jobs have their last result. */
SUSPENDS int courier_talk_wait(struct courier_talk *t, unsigned jobs, struct fault *fault);

bool courier_talk_has(struct courier_talk *t, const char *want);

#endif
