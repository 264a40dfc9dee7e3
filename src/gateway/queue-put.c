/* SPDX-License-Identifier: Apache-2.0 */
/* Records: put and applied in one moment; accepting. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/queue-inside.h"

void queue_fail(struct queue *queue, const struct fault *fault)
{
	if (queue->why.kind)
		return;
	queue->why = *fault;
	waiters_wake_all(&queue->work);
	waiters_wake_all(&queue->caught_up);
	waiters_wake_all(&queue->upkeep);
	waiters_wake_all(&queue->commit);
	waiters_wake_all(&queue->direct);
}

static int failed(struct queue *queue, struct fault *fault)
{
	if (!queue->why.kind)
		return 0;
	*fault = queue->why;
	return -1;
}

int queue_commit(struct queue *queue, uint64_t sequence, struct fault *fault)
{
	if (failed(queue, fault) < 0)
		return -1;
	if (journal_commit(queue->journal, sequence, fault) == 0)
		return 0;
	if (fault->kind == FAULT_LOCAL || fault->kind == FAULT_LIMIT)
		queue_fail(queue, fault);
	return -1;
}

int queue_room(struct queue *queue, enum journal_type type, size_t payload, struct fault *fault)
{
	if (failed(queue, fault) < 0)
		return -1;
	return journal_wait_for_room(queue->journal, type, (size_t)journal_record_size(payload), fault);
}

/* There is room. The record may come: it was looked at in this moment. */
static int put_payload(struct queue *queue, enum journal_type type, const void *record, struct bytes payload,
		       uint64_t *ret_sequence, struct fault *fault)
{
	struct book_place place = { 0 };
	bool is_accept = type == JOURNAL_ACCEPT;
	int64_t now = run_wall();

	if (journal_append(queue->journal, type, &payload, 1, &place.sequence, fault) < 0)
		return -1;
	if (queue->settings.seen)
		queue->settings.seen(queue->settings.arg, queue->book, type, record, place.sequence, now);
	if (book_apply(queue->book, type, record, is_accept ? payload : BYTES_NULL, &place, now, fault) < 0)
		assert(!"a record that the books allowed");
	*ret_sequence = place.sequence;
	/* An attempt that is lost was none. */
	if (type != JOURNAL_ATTEMPT) {
		queue->soon = place.sequence;
		waiters_wake_one(&queue->commit);
	}
	if (book_n_dirty(queue->book) >= QUEUE_BATCH_MESSAGES || place.sequence - queue->indexed >= QUEUE_BATCH_RECORDS)
		waiters_wake_one(&queue->upkeep);
	return 0;
}

static int encode(enum journal_type type, const void *record, struct buf *to, struct fault *fault)
{
	buf_reset(to);
	fields_encode(journal_table(type), record, to);
	if (to->n > JOURNAL_PAYLOAD_MAX)
		return fault_set(fault, FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER,
				 "a record of %zu bytes is too large for the journal", to->n);
	return 0;
}

int queue_put_now(struct queue *queue, enum journal_type type, const void *record, uint64_t *ret_sequence,
		  struct fault *fault)
{
	_cleanup_(buf_done) struct buf payload = BUF_NULL;

	if (book_may(queue->book, type, record, fault) < 0 || encode(type, record, &payload, fault) < 0)
		return -1;
	return put_payload(queue, type, record, buf_bytes(&payload), ret_sequence, fault);
}

int queue_put(struct queue *queue, enum journal_type type, const void *record, uint64_t *ret_sequence,
	      struct fault *fault)
{
	_cleanup_(buf_done) struct buf payload = BUF_NULL;

	if (encode(type, record, &payload, fault) < 0 || queue_room(queue, type, payload.n, fault) < 0 ||
	    book_may(queue->book, type, record, fault) < 0)
		return -1;
	return put_payload(queue, type, record, buf_bytes(&payload), ret_sequence, fault);
}

int queue_note(struct queue *queue, enum journal_type type, const void *record, struct fault *fault)
{
	const struct journal_suppressed *suppressed = record;
	struct book_message *message = NULL;
	uint64_t sequence;
	int r;

	assert(type == JOURNAL_NOTE || type == JOURNAL_SUPPRESSED);
	if (type == JOURNAL_SUPPRESSED && queue_use(queue, suppressed->message, &message, fault) < 0)
		return -1;
	r = queue_put(queue, type, record, &sequence, fault);
	if (message)
		queue_release(queue, message);
	return r < 0 ? -1 : queue_commit(queue, sequence, fault);
}

/* --- accepting --------------------------------------------------------------------------------- */

/* Numbers rise in the journal's order, so this one's is decided when there is room for its record: if another took
 * the number while we waited for that, once more. */
static int make_accept(struct queue *queue, struct queue_accept *accept, struct buf *payload, struct fault *fault)
{
	struct journal_accept *record = &accept->record;

	do {
		char id[QUEUE_ID_SIZE];

		record->message = book_last_number(queue->book) + 1;
		record->epoch = router_epoch(queue->router);
		queue_id_write(id, queue->id, record->message);
		if (accept->trace)
			record->trace = accept->trace(accept->arg, record->message, id);
		if (encode(JOURNAL_ACCEPT, record, payload, fault) < 0 ||
		    queue_room(queue, JOURNAL_ACCEPT, payload->n + accept->beside, fault) < 0)
			return -1;
	} while (record->message != book_last_number(queue->book) + 1 || record->epoch != router_epoch(queue->router));
	return 0;
}

static void cache_message(struct queue *queue, struct book_message *message, struct bytes content)
{
	size_t max = queue->settings.cache_bytes;

	if (content.n > 0 && content.n <= max / 16) {
		char *copy = xmalloc(content.n);

		memcpy(copy, content.p, content.n);
		message->content = (struct bytes){ copy, content.n };
	}
	list_append(&queue->cache, &message->of_cache);
	queue->cached += message->envelope.n + message->content.n;
	while (queue->cached > max && !list_is_empty(&queue->cache))
		queue_uncache(queue, list_entry(queue->cache.next, struct book_message, of_cache));
}

/* Those that are durable by now may be old, and found in the files only with much reading later. */
static void find_bodies(struct queue *queue, struct book_message *message)
{
	for (size_t i = 0; i < message->n_bodies; i++) {
		struct book_place *place = &message->bodies[i];
		uint64_t offset;

		if (!place->segment && journal_known_place(queue->journal, place->sequence, &place->segment, &offset))
			place->offset = (uint32_t)offset;
	}
}

int queue_put_accept(struct queue *queue, struct queue_accept *accept, struct book_message **ret, struct fault *fault)
{
	_cleanup_(buf_done) struct buf payload = BUF_NULL;
	uint64_t sequence;

	if (make_accept(queue, accept, &payload, fault) < 0 ||
	    book_may(queue->book, JOURNAL_ACCEPT, &accept->record, fault) < 0 ||
	    put_payload(queue, JOURNAL_ACCEPT, &accept->record, buf_bytes(&payload), &sequence, fault) < 0)
		return -1;
	*ret = book_message(queue->book, accept->record.message);
	(*ret)->users++;
	find_bodies(queue, *ret);
	cache_message(queue, *ret, accept->content);
	return 0;
}

void queue_accepted(struct queue *queue, struct book_message *message)
{
	message->is_durable = true;
	list_for_each_safe(link, &message->legs)
		queue_place(queue, list_entry(link, struct book_leg, of_message));
	waiters_wake_all(&queue->work);
}

/* What its routes and rules ask for, and then the disk. */
static int settle_accept(struct queue *queue, struct book_message *message, const struct queue_accept *accept,
			 struct fault *fault)
{
	int r = queue_hold_some(queue, message, accept, fault);

	if (r == 0)
		r = queue_decide(queue, message, fault);
	/* FAULT_DATA: an operator held one of its legs just then. */
	if (r < 0 && fault->kind != FAULT_DATA)
		return -1;
	return queue_commit(queue, book_position(queue->book), fault);
}

int queue_accept(struct queue *queue, struct queue_accept *accept, uint64_t *ret_number, struct fault *fault)
{
	struct book_message *message;
	int64_t former;
	int r;

	if (queue_wait_index(queue, fault) < 0 || queue_put_accept(queue, accept, &message, fault) < 0)
		return -1;

	/* From here on the message is there, and nobody may give up waiting: without its holds it would go out. */
	*ret_number = message->number;
	former = run_shield(MOMENT_NEVER);
	r = settle_accept(queue, message, accept, fault);
	run_unshield(former);
	if (r == 0)
		queue_accepted(queue, message);
	queue_release(queue, message);
	return r;
}

int queue_put_content(struct queue *queue, struct bytes content, struct arena *arena, uint64_t **ret_bodies,
		      size_t *ret_n, struct fault *fault)
{
	uint64_t *bodies = arena_alloc(arena, (content.n / JOURNAL_BODY_MAX + 1) * sizeof(*bodies));
	size_t n = 0;

	while (content.n > 0) {
		struct bytes piece = bytes_head(content, JOURNAL_BODY_MAX);

		if (failed(queue, fault) < 0 ||
		    journal_append(queue->journal, JOURNAL_BODY, &piece, 1, &bodies[n++], fault) < 0)
			return -1;
		content = bytes_skip(content, piece.n);
	}
	*ret_bodies = bodies;
	*ret_n = n;
	return 0;
}
