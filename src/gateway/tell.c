/* SPDX-License-Identifier: Apache-2.0 */
/* What a record says happened, see tell.h. */
#include "gateway/tell.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "journal/moves.h"

static enum tell_what what_of_outcome(const struct journal_outcome *o)
{
	switch (o->fate) {
	case JOURNAL_DELIVERED:
		return TELL_DELIVERED;
	case JOURNAL_IN_DOUBT:
		return TELL_DOUBT;
	case JOURNAL_HELD:
		return TELL_HELD;
	default:
		return o->code >= 500 ? TELL_REFUSED : TELL_DEFERRED;
	}
}

static enum tell_what what_of(enum journal_type type, const struct journal_move *move)
{
	switch (type) {
	case JOURNAL_LEG:
		return TELL_COPIED;
	case JOURNAL_ATTEMPT:
		return TELL_ATTEMPT;
	case JOURNAL_INTENT:
		return TELL_INTENT;
	case JOURNAL_HOLD:
		return TELL_HELD;
	case JOURNAL_RELEASE:
		return TELL_RELEASED;
	case JOURNAL_RETRY:
		return TELL_RETRIED;
	case JOURNAL_RETURNED:
		return TELL_RETURNED;
	default:
		return what_of_outcome(move->outcome);
	}
}

static void tell_legs(enum journal_type type, const void *record, uint64_t message,
		      void (*fn)(void *arg, const struct tell *tell), void *arg)
{
	for (size_t i = 0; i < journal_moves(type, record); i++) {
		struct journal_move move;
		struct tell tell = { .has_leg = true };

		if (journal_move(type, record, i, &move) < 0 || (message && move.leg.message != message))
			continue;
		tell.what = what_of(type, &move);
		tell.leg = move.leg;
		tell.outcome = move.outcome;
		switch (type) {
		case JOURNAL_LEG:
			tell.opened = record;
			break;
		case JOURNAL_ATTEMPT:
		case JOURNAL_INTENT:
			tell.attempt = record;
			break;
		case JOURNAL_RESULT:
		case JOURNAL_DOUBT:
			tell.result = record;
			break;
		default:
			tell.order = record;
			break;
		}
		fn(arg, &tell);
	}
}

void tell_record(enum journal_type type, const void *record, uint64_t message,
		 void (*fn)(void *arg, const struct tell *tell), void *arg)
{
	const struct journal_accept *accept = record;
	const struct journal_suppressed *suppressed = record;
	struct tell tell = { .leg = { 0, 0, 0 } };

	switch (type) {
	case JOURNAL_ACCEPT:
		tell.what = TELL_ACCEPTED;
		tell.accept = accept;
		tell.leg.message = accept->message;
		break;
	case JOURNAL_SUPPRESSED:
		tell.what = TELL_SUPPRESSED;
		tell.suppressed = suppressed;
		tell.leg.message = suppressed->message;
		break;
	case JOURNAL_ROUTES:
		tell.what = TELL_ROUTES;
		tell.routes = record;
		break;
	default:
		tell_legs(type, record, message, fn, arg);
		return;
	}
	if (message == 0 || tell.leg.message == message)
		fn(arg, &tell);
}

const char *tell_name(enum tell_what what)
{
	static const char *const names[] = {
		[TELL_ACCEPTED] = "accepted",   [TELL_SUPPRESSED] = "suppressed", [TELL_COPIED] = "copied",
		[TELL_ROUTED] = "routed",       [TELL_ATTEMPT] = "attempt",       [TELL_INTENT] = "intent",
		[TELL_DELIVERED] = "delivered", [TELL_DEFERRED] = "deferred",     [TELL_REFUSED] = "refused",
		[TELL_DOUBT] = "doubt",         [TELL_HELD] = "held",             [TELL_RELEASED] = "released",
		[TELL_RETRIED] = "retried",     [TELL_RETURNED] = "returned",     [TELL_ROUTES] = "routes",
	};

	return (size_t)what < ARRAY_SIZE(names) ? names[what] : "?";
}

const char *tell_time(char to[TELL_TIME_SIZE], int64_t wall_us, bool with_ms)
{
	int64_t s = wall_us / SECOND, day = s / 86400, rest = s % 86400;
	/* Days since 1970 to a date: counted from a March, so that the leap day is the last. */
	int64_t z = day + 719468, era = z / 146097, doe = z % 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153, month = mp < 10 ? mp + 3 : mp - 9;
	int n = snprintf(to, TELL_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", (int)(yoe + era * 400 + (month <= 2)) % 10000,
			 (int)month % 100, (int)(doy - (153 * mp + 2) / 5 + 1) % 100, (int)(rest / 3600),
			 (int)(rest / 60 % 60), (int)(rest % 60));

	if (with_ms)
		snprintf(to + n, TELL_TIME_SIZE - (size_t)n, ".%03dZ", (int)(wall_us / MSEC % 1000) % 1000);
	else
		snprintf(to + n, TELL_TIME_SIZE - (size_t)n, "Z");
	return to;
}
