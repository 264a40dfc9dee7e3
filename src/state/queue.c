/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's queue and its one connection. Whoever first needs what is queued to be durable, or to
 * be read, leads: in its turn it takes all there is and writes it as one transaction on the pool; what
 * others queue meanwhile goes with the next one, led by the first of those who waited. A leader
 * that was cancelled before a thread had begun puts everything back. For readers nothing is synced:
 * the next one who wants it durable syncs that, too. */
#include <assert.h>

#include "state/inside.h"

size_t ledger_queued(const struct ledger *ledger)
{
	return (size_t)(ledger->queued - ledger->written);
}

struct batch *ledger_queue(struct ledger *ledger)
{
	if (ledger->db.read_only) {
		ledger->refused = true;
		return NULL;
	}
	if (ledger->dead)
		return NULL;

	if (!ledger->last) {
		ledger->last = ledger->spare ? TAKE_PTR(ledger->spare) : batch_new();
		ledger->first = ledger->last;
	}
	return ledger->last;
}

void ledger_queue_op(struct ledger *ledger, struct batch *batch, struct op op)
{
	batch_add(batch, op);
	ledger->queued++;
}

void ledger_drop_queue(struct ledger *ledger)
{
	while (ledger->first) {
		struct batch *next = ledger->first->next;

		batch_free(ledger->first);
		ledger->first = next;
	}
	ledger->last = NULL;
	ledger->spare = batch_free(ledger->spare);
}

/* --- the connection -------------------------------------------------------------------------- */

struct job {
	struct ledger *ledger;
	ledger_fn fn;
	void *arg;
	bool began; /* on a thread: only then was anything done */
};

static int on_pool(void *arg, struct fault *fault)
{
	struct job *job = arg;
	int r;

	job->began = true;
	assert(!atomic_flag_test_and_set(&job->ledger->on_thread));
	r = job->fn(&job->ledger->db, job->arg, fault);
	atomic_flag_clear(&job->ledger->on_thread);
	return r;
}

/* Turns are handed on, first come, first served: who has just had one cannot take the next
 * before those who wait, and what they queue meanwhile goes with one commit. */
static int take_turn(struct ledger *ledger, const char *what, struct fault *fault)
{
	if (ledger->busy)
		return waiters_wait(&ledger->turn, what, fault); /* woken: ours, still busy */

	ledger->busy = true;
	return 0;
}

static void end_turn(struct ledger *ledger)
{
	if (list_is_empty(&ledger->turn.fibers))
		ledger->busy = false;
	else
		waiters_wake_one(&ledger->turn);
}

struct writing {
	const struct batch *first;
	bool durable;
};

static int write_all(struct db *db, void *arg, struct fault *fault)
{
	const struct writing *writing = arg;

	return ops_write(db, writing->first, writing->durable, fault);
}

/* Returns how many operations they were. Keeps the memory of one batch. */
static size_t drop(struct ledger *ledger, struct batch *batch)
{
	size_t n = 0;

	while (batch) {
		struct batch *next = batch->next;

		n += batch->n;
		if (ledger->spare) {
			batch_free(batch);
		} else {
			batch->n = 0;
			batch->next = NULL;
			arena_reset(&batch->arena);
			ledger->spare = batch;
		}
		batch = next;
	}
	return n;
}

static void put_back(struct ledger *ledger, struct batch *first, struct batch *last)
{
	if (!last)
		return;
	last->next = ledger->first;
	ledger->first = first;
	if (!ledger->last)
		ledger->last = last;
}

/* In the caller's turn. */
static int write_queued(struct ledger *ledger, bool durable, struct fault *fault)
{
	struct batch *first = TAKE_PTR(ledger->first), *last = TAKE_PTR(ledger->last);
	struct writing writing = { .first = first, .durable = durable };
	struct job job = { .ledger = ledger, .fn = write_all, .arg = &writing };
	int r = pool_call("a commit of the ledger", on_pool, &job, fault);

	if (!job.began) {
		put_back(ledger, first, last);
		return -1;
	}

	ledger->written += drop(ledger, first);
	if (r == 0 && durable)
		ledger->synced = ledger->written;
	if (r == 0)
		return 0;

	ledger->dead = true;
	ledger->why = *fault;
	ledger->written += drop(ledger, TAKE_PTR(ledger->first));
	ledger->last = NULL;
	return -1;
}

static int lead(struct ledger *ledger, bool durable, struct fault *fault)
{
	int r;

	ledger->leading = true;
	r = take_turn(ledger, "its turn to commit to the ledger", fault);
	if (r == 0) {
		r = write_queued(ledger, durable, fault);
		end_turn(ledger);
	}
	ledger->leading = false;
	waiters_wake_all(&ledger->followers);
	return r;
}

static int commit(struct ledger *ledger, bool durable, struct fault *fault)
{
	const uint64_t *done = durable ? &ledger->synced : &ledger->written;
	uint64_t want = ledger->queued;

	while (!ledger->dead && *done < want) {
		if (!ledger->leading) {
			if (lead(ledger, durable, fault) < 0)
				return -1;
		} else if (waiters_wait(&ledger->followers, "a commit of the ledger", fault) < 0) {
			return -1;
		}
	}

	if (!ledger->dead)
		return 0;
	*fault = ledger->why;
	return -1;
}

int ledger_commit(struct ledger *ledger, struct fault *fault)
{
	if (ledger->refused)
		return fault_usage(
			fault, "the ledger %s is open for reading: nothing can be written to it",
			db_words(&ledger->db));
	return commit(ledger, true, fault);
}

int ledger_run(struct ledger *ledger, const char *what, ledger_fn fn, void *arg,
	       struct fault *fault)
{
	struct job job = { .ledger = ledger, .fn = fn, .arg = arg };
	int r;

	if (commit(ledger, false, fault) < 0 || take_turn(ledger, what, fault) < 0)
		return -1;

	if (ledger->dead) { /* meanwhile */
		*fault = ledger->why;
		r = -1;
	} else {
		r = pool_call(what, on_pool, &job, fault);
	}
	end_turn(ledger);
	return r;
}
