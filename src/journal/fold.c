/* SPDX-License-Identifier: Apache-2.0 */
/* What became of each leg, see fold.h. Each leg is in exactly one fate, so the sums close by themselves; what is checked is that it
 * got there by a way there is. */
#include "journal/fold.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/xalloc.h"
#include "journal/moves.h"

#define BIT(fate) (1u << (fate))

void fold_done(struct fold *fold)
{
	for (size_t i = 0; i < fold->n; i++)
		free(fold->messages[i].legs);
	free(fold->messages);
}

static void wrong(struct fold *fold, bool is_leg, const char *format, ...) PRINTF_LIKE(3, 4);

static void wrong(struct fold *fold, bool is_leg, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fold->wrong(fold->arg, is_leg, text);
}

static struct fold_message *find_message(struct fold *fold, uint64_t number)
{
	size_t low = 0, high = fold->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (fold->messages[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low < fold->n && fold->messages[low].number == number ? &fold->messages[low] : NULL;
}

/* NULL: there is none, which was told unless it may have been before the first segment. */
static struct fold_leg *find_leg(struct fold *fold, const struct journal_leg *leg, const char *what)
{
	struct fold_message *message = find_message(fold, leg->message);

	if (!message && !fold->is_whole && (fold->n == 0 || leg->message < fold->messages[0].number))
		return NULL;
	if (message && leg->recipient < message->n && leg->copy <= 1)
		return &message->legs[2 * leg->recipient + leg->copy];
	wrong(fold, true, "%s of leg %" PRIu64 "/%" PRIu64 "%s, which was never accepted", what, leg->message,
	      leg->recipient, leg->copy ? "/copy" : "");
	return NULL;
}

static void move(struct fold *fold, const struct journal_move *m)
{
	struct fold_leg *l = find_leg(fold, &m->leg, m->what);

	if (!l)
		return;
	if (!(BIT(l->fate) & m->from))
		wrong(fold, true, "%s of leg %" PRIu64 "/%" PRIu64 "%s, which is %s", m->what, m->leg.message, m->leg.recipient,
		      m->leg.copy ? "/copy" : "", l->fate ? journal_fate_name(l->fate) : "not open");
	else if (!journal_move_fits(m, (enum journal_fate)l->fate, l->attempt))
		wrong(fold, true, "%s of leg %" PRIu64 "/%" PRIu64 "%s in attempt %" PRIu64 ", but its last attempt is %" PRIu64,
		      m->what, m->leg.message, m->leg.recipient, m->leg.copy ? "/copy" : "", m->attempt, l->attempt);
	if (l->fate)
		fold->counts[l->fate]--;
	else
		fold->n_legs++;
	l->fate = (uint8_t)m->to;
	fold->counts[m->to]++;
	if (m->attempt)
		l->attempt = m->attempt;
}

static void accept(struct fold *fold, const struct journal_accept *a)
{
	struct fold_message *message;

	if (fold->n > 0 && a->message <= fold->messages[fold->n - 1].number) {
		wrong(fold, false, "message %" PRIu64 " is accepted after message %" PRIu64 ": numbers only rise", a->message,
		      fold->messages[fold->n - 1].number);
		if (find_message(fold, a->message))
			return;
	}
	if (a->n_recipients == 0)
		wrong(fold, false, "message %" PRIu64 " has no recipient", a->message);
	fold->messages = xgrow(fold->messages, &fold->size, fold->n + 1, sizeof(*fold->messages));
	message = &fold->messages[fold->n++];
	*message = (struct fold_message){ .number = a->message, .n = (uint32_t)a->n_recipients };
	message->legs = xzalloc((2 * a->n_recipients + 1) * sizeof(*message->legs));
	for (size_t i = 0; i < a->n_recipients; i++)
		message->legs[2 * i].fate = JOURNAL_OPEN;
	fold->counts[JOURNAL_OPEN] += a->n_recipients;
	fold->n_legs += a->n_recipients;
	fold->n_messages++;
}

void fold_record(struct fold *fold, unsigned type, const void *record)
{
	size_t n = journal_moves(type, record);
	struct journal_move m;

	if (type == JOURNAL_ACCEPT)
		accept(fold, record);
	for (size_t i = 0; i < n; i++) {
		if (journal_move(type, record, i, &m) == 0)
			move(fold, &m);
		else
			wrong(fold, false, "attempt %" PRIu64 " ends leg %" PRIu64 "/%" PRIu64 " with a fate there is not",
			      m.attempt, m.leg.message, m.leg.recipient);
	}
}

void fold_tallies(const struct fold *fold, struct journal_tallies *ret)
{
	*ret = (struct journal_tallies){
		.messages = fold->n_messages, .legs = fold->n_legs, .open = fold->counts[JOURNAL_OPEN],
		.attempting = fold->counts[JOURNAL_ATTEMPTING], .doubt = fold->counts[JOURNAL_IN_DOUBT],
		.held = fold->counts[JOURNAL_HELD], .delivered = fold->counts[JOURNAL_DELIVERED],
		.returned = fold->counts[JOURNAL_IS_RETURNED],
	};
}
