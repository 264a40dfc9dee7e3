/* SPDX-License-Identifier: Apache-2.0 */
/* Legs whose final dot may have been sent and was not answered: looked for where they would be, else by policy. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/deliver-inside.h"
#include "gateway/doubt-account.h"
#include "gateway/doubt.h"
#include "smtp/address.h"
#include "smtp/trace.h"

#define LOOK_TIME (2 * MINUTE)

/* --- looking --------------------------------------------------------------------------------- */

/* The mailbox's address: without the subaddress. */
static struct bytes mailbox_of(const struct deliver *d, struct bytes key, struct arena *arena)
{
	const char *separator = d->settings.config->gateway.subaddress;
	struct bytes rest = key, local, user, detail;
	ptrdiff_t at = -1;

	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] == '@')
			at = (ptrdiff_t)i;
	if (at < 0 || !separator || separator[1])
		return key;
	local = bytes_head(key, (size_t)at);
	rest = bytes_skip(key, (size_t)at);
	if (!smtp_local_split(local, separator, &user, &detail))
		return key;
	return bytes_of(arena_printf(arena, "%.*s%.*s", BYTES_ARG(user), BYTES_ARG(rest)));
}

SUSPENDS static int open_account(const struct deliver *d, const struct book_leg *leg, struct arena *arena,
				 struct doubt_account **ret, struct fault *fault)
{
	struct bytes key = arena_copy(arena, book_leg_key(leg)), tries[3] = { key, mailbox_of(d, key, arena), key };
	struct router_answer answer = router_find(queue_router(d->settings.queue), key);

	/* An alias leads to the entry that decides. */
	if (answer.key.n > 0 && answer.key.p[0] != '@')
		tries[2] = arena_copy(arena, answer.key);
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		if (i > 0 && (fault->kind != FAULT_USAGE || bytes_equal(tries[i], tries[i - 1])))
			continue;
		if (doubt_account_open(d->settings.config, leg->target == BOOK_NEW, tries[i], ret, fault) == 0)
			return 0;
	}
	return -1;
}

/* 0 and an answer, or why there is none. */
SUSPENDS static int look(const struct deliver *d, struct book_leg *leg, struct doubt_answer *ret, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(doubt_account_freep) struct doubt_account *account = NULL;
	_cleanup_(freep) struct smtp_trace_scan *scan = xzalloc(sizeof(*scan));
	char id[QUEUE_ID_SIZE];
	struct journal_accept accept;
	struct doubt_question question;

	_deadline_(LOOK_TIME);

	if (queue_envelope(d->settings.queue, leg->message, &arena, &accept, fault) < 0 ||
	    open_account(d, leg, &arena, &account, fault) < 0)
		return -1;
	queue_id_write(id, journal_id(queue_journal(d->settings.queue)), leg->message->number);
	smtp_trace_feed(scan, accept.trace);
	smtp_trace_finish(scan);
	question = (struct doubt_question){
		.token = bytes_of(scan->tokens_n ? scan->tokens[0] : ""), .queue_id = bytes_of(id),
		.message_id = accept.message_id,
	};
	return doubt_look(doubt_account(account), &question, ret, fault);
}

/* --- what follows ---------------------------------------------------------------------------- */

SUSPENDS static int found(struct deliver *d, struct book_leg *leg, const struct doubt_answer *answer, struct fault *fault)
{
	char how[64];
	struct queue_doubt doubt = {
		.fate = JOURNAL_DELIVERED, .how = how, .cause = "", .folder = bytes_of(answer->folder),
		.uid = answer->uid,
	};

	snprintf(how, sizeof(how), "found by %s", doubt_evidence_name(answer->evidence));
	d->view.doubts_found++;
	return queue_settle_doubt(d->settings.queue, leg, &doubt, fault);
}

/* Whatever goes out again is flagged: a server may be slow to show what it took. */
SUSPENDS static int send_again(struct deliver *d, struct book_leg *leg, const char *how, struct fault *fault)
{
	struct queue_doubt doubt = { .fate = JOURNAL_OPEN, .how = how, .cause = "no answer", .is_flagged = true };

	d->view.doubts_again++;
	return queue_settle_doubt(d->settings.queue, leg, &doubt, fault);
}

SUSPENDS static int cannot_look(struct deliver *d, struct book_leg *leg, const char *why, struct fault *fault)
{
	struct queue_doubt doubt = { .fate = JOURNAL_HELD, .how = why, .cause = "doubt" };

	if (d->settings.config->gateway.doubt == CONFIG_DOUBT_AGAIN)
		return send_again(d, leg, why, fault);
	deliver_alarm(d, "doubt", "mail for %.*s is held: the server did not answer at the end, and it cannot be looked for: %s",
		      BYTES_ARG(book_leg_key(leg)), why);
	return queue_settle_doubt(d->settings.queue, leg, &doubt, fault);
}

SUSPENDS int deliver_settle_doubt(struct deliver *d, struct book_leg *leg, struct fault *fault)
{
	const struct deliver_settings *s = &d->settings;
	int64_t age = run_wall() - leg->since_us;
	struct fault why = FAULT_INIT;
	struct doubt_answer answer;

	if (age < 0) /* the clock was set back: begin anew rather than wait for it */
		age = s->doubt_first_us;
	/* The server may be at work still. */
	if (age < s->doubt_first_us) {
		queue_put_doubt(s->queue, leg, s->doubt_first_us - age);
		return 0;
	}
	if (look(d, leg, &answer, &why) == 0) {
		if (answer.evidence != DOUBT_NOT_FOUND)
			return found(d, leg, &answer, fault);
		/* Absent once may be late. */
		if (age < s->doubt_first_us + s->doubt_again_us) {
			queue_put_doubt(s->queue, leg, s->doubt_first_us + s->doubt_again_us - age);
			return 0;
		}
		return send_again(d, leg, "looked for, not there", fault);
	}
	if (run_is_cancelled()) {
		queue_put_doubt(s->queue, leg, 0);
		*fault = why;
		return -1;
	}
	if (why.again == AGAIN_NEVER || age > s->doubt_most_us)
		return cannot_look(d, leg, why.text, fault);
	queue_put_doubt(s->queue, leg, s->doubt_again_us);
	return 0;
}
