/* SPDX-License-Identifier: Apache-2.0 */
/* What metrics*.c share. */
#ifndef GATEWAY_METRICS_INSIDE_H
#define GATEWAY_METRICS_INSIDE_H

#include "gateway/metrics.h"

enum { METRICS_BOUNDS = 16, METRICS_WORDS = 64, METRICS_WORD = 48 };

struct metrics_histogram {
	uint64_t counts[METRICS_BOUNDS + 1]; /* not cumulative; the last: above all bounds */
	int64_t sum_us;
};

/* How often each of a set of words came, by target. What comes when there are too many counts as the last one, "other". */
struct metrics_words {
	struct {
		char name[METRICS_WORD];
		uint64_t n[BOOK_TARGETS + 1];
	} at[METRICS_WORDS];
	size_t n;
};

struct metrics {
	uint64_t messages, bytes, recipients, notices, copies, suppressed, route_changes;
	uint64_t attempts[BOOK_TARGETS + 1], delivered[BOOK_TARGETS + 1], doubts[BOOK_TARGETS + 1], refused[BOOK_TARGETS + 1],
		returned[BOOK_TARGETS + 1], duplicates[BOOK_TARGETS + 1], released, retried;
	struct metrics_words deferred, held, alarms;
	struct metrics_histogram delivery[BOOK_TARGETS + 1], answer;
	int64_t started_us; /* wall clock */

	struct listener *listener;
	struct nursery sessions;
	unsigned n_sessions;
	struct waiters room;
};

/* Upper bounds in microseconds, rising, 0 behind the last. */
extern const int64_t metrics_answer_bounds[METRICS_BOUNDS + 1], metrics_delivery_bounds[METRICS_BOUNDS + 1];

#endif
