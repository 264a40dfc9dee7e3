/* SPDX-License-Identifier: Apache-2.0 */
/* See retain.h. How it is done: queue-retain.c, queue-expire.c. */
#include "gateway/retain.h"

#include <inttypes.h>

#include "gateway/keep.h"

#define LOOK_MOST (10 * MINUTE)
#define LOOK_LEAST SECOND
#define PAUSE (20 * MSEC)      /* between two portions: mail goes first */
#define SIGN_EVERY HOUR

struct retain {
	struct keeper *k;
	int64_t signed_us;         /* run_now() */
	uint64_t bytes, segments;  /* given back since it was told */
	bool is_low;               /* and was told so */
	bool has_failed;           /* likewise */
};

/* What must not stop mail is told once, and tried again at the next look. */
static int told(struct retain *r, const struct fault *why, struct fault *fault)
{
	if (why->kind == FAULT_CANCELLED || queue_failed(r->k->queue)) {
		*fault = *why;
		return -1;
	}
	if (!r->has_failed)
		keeper_alarm(r->k, "retention", "%s; what is old stays for now", why->text);
	r->has_failed = true;
	return 0;
}

/* --- contents ---------------------------------------------------------------------------------- */

static bool is_low(const struct retain *r)
{
	struct journal_stand stand;

	journal_stand(queue_journal(r->k->queue), &stand);
	return stand.is_low;
}

/* INT64_MIN: none goes. */
static int64_t bodies_before(const struct retain *r, const char **ret_reason)
{
	const struct config_gateway *g = &r->k->config->gateway;

	*ret_reason = "settled";
	if (is_low(r) && g->low_space == CONFIG_LOW_SPACE_DROP) {
		*ret_reason = "settled, and the disk is full";
		return run_wall();
	}
	return g->keep_bodies_us ? run_wall() - g->keep_bodies_us : INT64_MIN;
}

SUSPENDS static int drop_contents(struct retain *r, struct fault *fault)
{
	struct queue_given given = { .is_more = true };
	const char *reason;

	if (queue_drop_abandoned(r->k->queue, &given, fault) < 0)
		return -1;
	r->bytes += given.bytes;
	for (given.is_more = true; given.is_more && !r->k->is_stopping;) {
		int64_t before = bodies_before(r, &reason);

		if (before == INT64_MIN)
			return 0;
		if (queue_drop_contents(r->k->queue, before, reason, &given, fault) < 0)
			return -1;
		r->bytes += given.bytes;
		if (given.is_more && run_sleep(PAUSE, fault) < 0)
			return -1;
	}
	return 0;
}

/* --- segments ---------------------------------------------------------------------------------- */

SUSPENDS static int expire(struct retain *r, struct fault *fault)
{
	int gone = 1;

	while (gone > 0 && !r->k->is_stopping) {
		int64_t keep = r->k->config->gateway.keep_records_us;

		if (!keep)
			return 0;
		gone = queue_expire(r->k->queue, run_wall() - keep, keep_first_body(r->k->keep), fault);
		if (gone < 0)
			return -1;
		r->segments += (uint64_t)gone;
		if (gone > 0 && run_sleep(PAUSE, fault) < 0)
			return -1;
	}
	return 0;
}

/* --- checkpoints ------------------------------------------------------------------------------- */

SUSPENDS int retain_sign(struct keeper *k, struct fault *fault)
{
	return journal_sign_off(queue_journal(k->queue), book_tallies(queue_book(k->queue)), fault);
}

SUSPENDS static int sign(struct retain *r, struct fault *fault)
{
	if (run_now() - r->signed_us < SIGN_EVERY)
		return 0;
	r->signed_us = run_now();
	return retain_sign(r->k, fault);
}

/* --- all of it --------------------------------------------------------------------------------- */

static void tell(struct retain *r)
{
	bool low = is_low(r);

	if (low && !r->is_low)
		keeper_alarm(r->k, "space", "there is no room for new mail, which is deferred (452): see keep_free and max_queue");
	if (!low && r->is_low)
		keeper_note(r->k, "space", "there is room for new mail again");
	r->is_low = low;
	if (r->bytes || r->segments)
		keeper_note(r->k, "retention", "%" PRIu64 " KiB of settled content and %" PRIu64 " segments of the journal were given back",
			    r->bytes >> 10, r->segments);
	r->bytes = r->segments = 0;
}

static int64_t next_look(const struct retain *r)
{
	int64_t keep = r->k->config->gateway.keep_bodies_us, wait = keep ? keep / 20 : LOOK_MOST;

	if (is_low(r))
		return LOOK_LEAST * 5;
	return wait < LOOK_LEAST ? LOOK_LEAST : wait > LOOK_MOST ? LOOK_MOST : wait;
}

/* Not longer than until the disk becomes full, or other times are configured. */
SUSPENDS static int wait_for_next(struct retain *r, struct fault *fault)
{
	int64_t until = run_now() + next_look(r);

	while (run_now() < until) {
		int64_t left = until - run_now();

		if (run_sleep(left < 5 * SECOND ? left : 5 * SECOND, fault) < 0)
			return -1;
		if (run_now() + next_look(r) < until)
			until = run_now() + next_look(r);
		if (is_low(r) != r->is_low)
			return 0;
	}
	return 0;
}

SUSPENDS int retain_run(void *arg, struct fault *fault)
{
	struct retain r = { .k = arg, .signed_us = run_now() };
	struct fault why = FAULT_INIT;

	while (!r.k->is_stopping) {
		int done = drop_contents(&r, &why);

		if (done == 0)
			done = expire(&r, &why);
		if (done == 0)
			done = sign(&r, &why);
		if (done < 0 && told(&r, &why, fault) < 0)
			return -1;
		r.has_failed = done < 0;
		tell(&r);
		if (wait_for_next(&r, fault) < 0)
			return -1;
	}
	return 0;
}
