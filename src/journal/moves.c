/* SPDX-License-Identifier: Apache-2.0 */
/* The ways a leg may go, see moves.h. */
#include "journal/moves.h"

#include <assert.h>

#define BIT(fate) (1u << (fate))

struct rule {
	const char *what;
	unsigned from;
	enum journal_fate to; /* NONE: the outcome says */
	bool is_same;
};

static const struct rule rules[JOURNAL_TYPES] = {
	[JOURNAL_LEG] = { "opening", BIT(JOURNAL_FATE_NONE), JOURNAL_OPEN, false },
	[JOURNAL_ATTEMPT] = { "attempt", BIT(JOURNAL_OPEN), JOURNAL_ATTEMPTING, false },
	[JOURNAL_INTENT] = { "intent", BIT(JOURNAL_ATTEMPTING), JOURNAL_ATTEMPTING, true },
	[JOURNAL_RESULT] = { "result", BIT(JOURNAL_ATTEMPTING), JOURNAL_FATE_NONE, true },
	[JOURNAL_DOUBT] = { "doubt", BIT(JOURNAL_ATTEMPTING) | BIT(JOURNAL_IN_DOUBT), JOURNAL_FATE_NONE, true },
	[JOURNAL_HOLD] = { "hold", BIT(JOURNAL_OPEN) | BIT(JOURNAL_IN_DOUBT), JOURNAL_HELD, false },
	[JOURNAL_RELEASE] = { "release", BIT(JOURNAL_HELD), JOURNAL_OPEN, false },
	[JOURNAL_RETRY] = { "retry", BIT(JOURNAL_OPEN), JOURNAL_OPEN, false },
	[JOURNAL_RETURNED] = { "return", BIT(JOURNAL_OPEN) | BIT(JOURNAL_HELD) | BIT(JOURNAL_IN_DOUBT),
			       JOURNAL_IS_RETURNED, false },
};

size_t journal_moves(enum journal_type type, const void *record)
{
	switch (type) {
	case JOURNAL_LEG:
		return 1;
	case JOURNAL_ATTEMPT:
	case JOURNAL_INTENT:
		return ((const struct journal_attempt *)record)->n_legs;
	case JOURNAL_RESULT:
	case JOURNAL_DOUBT:
		return ((const struct journal_result *)record)->n_outcomes;
	case JOURNAL_HOLD:
	case JOURNAL_RELEASE:
	case JOURNAL_RETRY:
	case JOURNAL_RETURNED:
		return ((const struct journal_order *)record)->n_legs;
	default:
		return 0;
	}
}

static void of_opened(const struct journal_leg_opened *opened, struct journal_move *ret)
{
	ret->leg = (struct journal_leg){ opened->message, opened->recipient, 1 };
}

static void of_attempt(const struct journal_attempt *a, size_t i, struct journal_move *ret)
{
	ret->leg = a->legs[i];
	ret->attempt = a->attempt;
}

static int of_result(const struct journal_result *r, size_t i, struct journal_move *ret)
{
	const struct journal_outcome *o = &r->outcomes[i];

	ret->leg = (struct journal_leg){ o->message, o->recipient, o->copy };
	ret->attempt = r->attempt;
	ret->outcome = o;
	if (o->fate == JOURNAL_FATE_NONE || o->fate == JOURNAL_ATTEMPTING || o->fate >= JOURNAL_FATES)
		return -1;
	ret->to = (enum journal_fate)o->fate;
	return 0;
}

int journal_move(enum journal_type type, const void *record, size_t i, struct journal_move *ret)
{
	const struct rule *rule = &rules[type];

	assert(type < JOURNAL_TYPES && rule->what && i < journal_moves(type, record));
	*ret = (struct journal_move){ .from = rule->from, .to = rule->to, .is_same = rule->is_same, .what = rule->what };
	switch (type) {
	case JOURNAL_LEG:
		of_opened(record, ret);
		return 0;
	case JOURNAL_ATTEMPT:
	case JOURNAL_INTENT:
		of_attempt(record, i, ret);
		return 0;
	case JOURNAL_RESULT:
	case JOURNAL_DOUBT:
		return of_result(record, i, ret);
	default:
		ret->leg = ((const struct journal_order *)record)->legs[i];
		return 0;
	}
}

bool journal_move_fits(const struct journal_move *move, enum journal_fate fate, uint64_t attempt)
{
	return (move->from & BIT(fate)) && (!move->is_same || move->attempt == attempt);
}
