/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted, see metrics.h. */
#include "gateway/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/metrics-inside.h"
#include "journal/moves.h"

const int64_t metrics_answer_bounds[METRICS_BOUNDS + 1] = {
	1 * MSEC, 2 * MSEC, 5 * MSEC, 10 * MSEC, 20 * MSEC, 50 * MSEC, 100 * MSEC, 200 * MSEC, 500 * MSEC,
	1 * SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, 60 * SECOND, 0,
};
const int64_t metrics_delivery_bounds[METRICS_BOUNDS + 1] = {
	10 * MSEC, 50 * MSEC, 100 * MSEC, 500 * MSEC, 1 * SECOND, 5 * SECOND, 15 * SECOND, MINUTE, 5 * MINUTE,
	15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, 24 * HOUR, 72 * HOUR, 0,
};

static void observe(struct metrics_histogram *h, const int64_t *bounds, int64_t us)
{
	size_t i = 0;

	us = us > 0 ? us : 0; /* the wall clock may have been set back */
	while (bounds[i] && us > bounds[i])
		i++;
	h->counts[bounds[i] ? i : METRICS_BOUNDS]++;
	h->sum_us += us;
}

static void count_word(struct metrics_words *words, struct bytes name, unsigned target)
{
	size_t i = 0;

	name = bytes_head(name, METRICS_WORD - 1);
	while (i < words->n && !bytes_equal(bytes_of(words->at[i].name), name))
		i++;
	if (i == METRICS_WORDS)
		i--;
	if (i == words->n) {
		words->n++;
		name = words->n == METRICS_WORDS ? BYTES("other") : name;
		snprintf(words->at[i].name, METRICS_WORD, "%.*s", BYTES_ARG(name));
	}
	words->at[i].n[target]++;
}

static void count_accept(struct metrics *m, const struct journal_accept *accept)
{
	m->notices += accept->dsn_for != 0;
	m->messages += accept->dsn_for == 0;
	m->recipients += accept->n_recipients;
	m->bytes += accept->size;
}

static void count_outcome(struct metrics *m, const struct book_leg *leg, const struct journal_outcome *o, int64_t wall_us)
{
	unsigned target = leg->target;

	switch (o->fate) {
	case JOURNAL_DELIVERED:
		m->delivered[target]++;
		m->duplicates[target] += leg->is_flagged;
		observe(&m->delivery[target], metrics_delivery_bounds, wall_us - leg->message->accepted_us);
		break;
	case JOURNAL_IN_DOUBT:
		m->doubts[target]++;
		break;
	case JOURNAL_HELD:
		count_word(&m->held, o->reason, target);
		break;
	default:
		if (o->code >= 500)
			m->refused[target]++;
		else
			count_word(&m->deferred, o->reason, target);
		break;
	}
}

static void count_order(struct metrics *m, const struct book_leg *leg, enum journal_type type,
			const struct journal_order *order)
{
	struct bytes by = order->operator;

	switch (type) {
	case JOURNAL_HOLD:
		count_word(&m->held, bytes_starts(by, BYTES("rule:")) ? bytes_skip(by, 5) : BYTES("operator"), leg->target);
		break;
	case JOURNAL_RELEASE:
		m->released++;
		break;
	case JOURNAL_RETRY:
		m->retried++;
		break;
	default:
		m->returned[leg->target]++;
		break;
	}
}

static unsigned target_of(struct bytes name)
{
	return bytes_equal(name, BYTES("old")) ? BOOK_OLD : bytes_equal(name, BYTES("new")) ? BOOK_NEW : BOOK_NOWHERE;
}

static void count_move(struct metrics *m, const struct book *book, enum journal_type type, const void *record,
		       const struct journal_move *move, int64_t wall_us)
{
	const struct book_leg *leg = book_leg(book, &move->leg);

	if (type == JOURNAL_LEG)
		m->copies++;
	if (!leg)
		return;
	switch (type) {
	case JOURNAL_ATTEMPT:
		m->attempts[target_of(((const struct journal_attempt *)record)->target)]++;
		break;
	case JOURNAL_RESULT:
	case JOURNAL_DOUBT:
		count_outcome(m, leg, move->outcome, wall_us);
		break;
	case JOURNAL_HOLD:
	case JOURNAL_RELEASE:
	case JOURNAL_RETRY:
	case JOURNAL_RETURNED:
		count_order(m, leg, type, record);
		break;
	default:
		break;
	}
}

void metrics_record(struct metrics *m, const struct book *book, enum journal_type type, const void *record, int64_t wall_us)
{
	m->suppressed += type == JOURNAL_SUPPRESSED;
	m->route_changes += type == JOURNAL_ROUTES;
	if (type == JOURNAL_ACCEPT)
		count_accept(m, record);
	for (size_t i = 0; i < journal_moves(type, record); i++) {
		struct journal_move move;

		if (journal_move(type, record, i, &move) == 0)
			count_move(m, book, type, record, &move, wall_us);
	}
}

void metrics_answered(struct metrics *m, int64_t took_us)
{
	observe(&m->answer, metrics_answer_bounds, took_us);
}

void metrics_alarm(struct metrics *m, const char *kind)
{
	count_word(&m->alarms, bytes_of(kind), BOOK_NOWHERE);
}

void metrics_open(struct keeper *k)
{
	struct metrics *m = xzalloc(sizeof(*m));

	waiters_init(&m->room);
	m->started_us = run_wall();
	k->metrics = m;
}

struct metrics *metrics_free(struct metrics *m)
{
	if (!m)
		return NULL;

	listener_free(m->listener);
	free(m);
	return NULL;
}
