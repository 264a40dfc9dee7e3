/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of which a server says, each time, that they are not available for the time being. Being told to slow down is waited
 * for, as often as the server likes; but it is no wish for less when it is said of one message, and others go through.
 *
 * So the second time in a row that nothing gets through, messages go one at a time. One that is told to wait for WAITS times in a
 * row is set aside: the others of the window come first. (Right after it the next one needs to be told only once: perhaps all are.)
 * When only those set aside are left, they are tried again, by turns. Who is told so once more, although others went through since
 * it first was, is given up for this pass. When nothing at all went through for half an hour, all of them are. Each pass tries
 * again; of those that the pass before gave up, once. */
#include <stdio.h>

#include "copy/worker.h"

enum { WAITS = 3 };

static const int64_t long_enough_us = 30 * MINUTE;

static bool is_waiting(const struct imap_message *m)
{
	return (m->state & MESSAGE_STATE_MASK) == MESSAGE_WAITING;
}

void copy_aside_begin(struct copy_pass *pass)
{
	pass->aside = (struct copy_aside){ .n = 0 };
}

void copy_aside_note(struct copy_pass *pass, const struct imap_message *m, const struct fault *fault, int64_t now)
{
	struct copy_aside *a = &pass->aside;

	if (a->uid != m->uid) {
		a->waits = 0;
		a->copied_at_first = pass->folder->copied;
	}
	a->uid = m->uid;
	a->waits++;
	if (!a->since || a->copied_since != pass->folder->copied) {
		a->since = now;
		a->copied_since = pass->folder->copied;
	}
	fault_format(fault, a->words, sizeof(a->words));
}

/* --- what follows ------------------------------------------------------------------------------ */

static void give_up(struct copy_pass *pass, struct imap_message *m)
{
	char detail[400];

	snprintf(detail, sizeof(detail), "not available for the time being, each time it was tried: %.300s",
		 pass->aside.words);
	m->state |= MESSAGE_SETTLED;
	copy_pass_put_off(pass, m, CAUSE_UNAVAILABLE, m->size, detail);
	pass->aside.waits = 0;
}

static void give_up_all(struct copy_pass *pass)
{
	for (size_t i = 0; i < pass->messages.n; i++)
		if (is_waiting(&pass->messages.p[i]) && pass->messages.p[i].state & MESSAGE_ASIDE)
			give_up(pass, &pass->messages.p[i]);
}

static void set_aside(struct copy_pass *pass, struct imap_message *m)
{
	struct copy_aside *a = &pass->aside;

	m->state |= MESSAGE_ASIDE;
	if (!a->n++ || a->copied_at_first < a->copied_before)
		a->copied_before = a->copied_at_first;
	a->copied_at_last = pass->folder->copied;
	a->waits = 0;
}

static void decide(struct copy_pass *pass, struct imap_message *m, int64_t now)
{
	struct copy_aside *a = &pass->aside;
	uint64_t copied = pass->folder->copied;
	bool right_after = a->n && copied == a->copied_at_last;
	bool others_passed = a->n && a->copied_since > a->copied_before; /* before it was told once more */

	if (m->state & MESSAGE_ASIDE && (m->state & MESSAGE_ASIDE_BEFORE || others_passed)) {
		pass->throttled = pass->worker->copy->throttles = 0; /* it is not the server */
		give_up(pass, m);
	} else if (m->state & MESSAGE_ASIDE && copied == a->copied_since && now - a->since >= long_enough_us) {
		give_up_all(pass);
	} else if (!(m->state & MESSAGE_ASIDE) && (right_after || a->waits >= WAITS)) {
		set_aside(pass, m);
	}
}

/* Whether there is anything but those set aside. */
static bool any_others(const struct copy_pass *pass)
{
	for (size_t i = 0; i < pass->messages.n; i++)
		if (is_waiting(&pass->messages.p[i]) && !(pass->messages.p[i].state & MESSAGE_ASIDE))
			return true;

	return false;
}

size_t copy_aside_decide(struct copy_pass *pass, int64_t now)
{
	struct copy_aside *a = &pass->aside;
	struct imap_message *m = a->uid ? imap_messages_find(&pass->messages, a->uid) : NULL;

	if (m && a->waits && is_waiting(m))
		decide(pass, m, now);
	a->only = !any_others(pass);
	if (!a->only || !m)
		return 0;

	for (size_t i = (size_t)(m - pass->messages.p) + 1; i < pass->messages.n; i++)
		if (is_waiting(&pass->messages.p[i]))
			return i;

	return 0;
}
