/* SPDX-License-Identifier: Apache-2.0 */
/* A message's envelope and content: from memory while it is fresh, else from the journal's segments. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/queue-inside.h"
#include "gateway/queue-segment.h"

/* Of a message that is in memory: known by then, or found. */
static int find_place(struct queue *queue, struct book_place *place, struct fault *fault)
{
	uint64_t segment, offset;

	if (place->segment)
		return 0;
	if (journal_place(queue->journal, place->sequence, &segment, &offset, fault) < 0)
		return -1;
	place->segment = segment;
	place->offset = (uint32_t)offset;
	return 0;
}

struct envelope_job {
	const char *path;
	struct book_place place;
	struct buf payload;
};

static int envelope_job(void *arg, struct fault *fault)
{
	struct envelope_job *job = arg;
	struct journal_head head;

	return queue_read_record(job->path, &job->place, &head, &job->payload, fault);
}

static int read_envelope(struct queue *queue, struct book_message *message, struct arena *arena,
			 struct journal_accept *ret, struct fault *fault)
{
	struct envelope_job job = { .path = journal_path(queue->journal) };
	int r;

	if (find_place(queue, &message->place, fault) < 0)
		return -1;
	job.place = message->place;
	r = pool_call("an envelope", envelope_job, &job, fault);
	if (r == 0)
		r = fields_decode(journal_table(JOURNAL_ACCEPT), arena_copy(arena, buf_bytes(&job.payload)), arena, ret, fault);
	if (r == 0 && ret->message != message->number)
		r = fault_set(fault, FAULT_DATA, REACH_MESSAGE, AGAIN_NEVER, "record %" PRIu64 " is not the envelope of message %"
			      PRIu64, job.place.sequence, message->number);
	buf_done(&job.payload);
	return r;
}

int queue_envelope(struct queue *queue, struct book_message *message, struct arena *arena, struct journal_accept *ret,
		   struct fault *fault)
{
	if (message->envelope.n == 0)
		return read_envelope(queue, message, arena, ret, fault);
	return fields_decode(journal_table(JOURNAL_ACCEPT), arena_copy(arena, message->envelope), arena, ret, fault);
}

bool queue_content(struct queue *queue, const struct book_message *message, struct bytes *ret)
{
	if (message->content.n == 0 && message->size > 0)
		return false;
	*ret = message->content;
	return true;
}

struct content_job {
	const char *path;
	struct book_place *bodies;
	size_t n_bodies;
	uint64_t offset;
	char *to;
	size_t n, got;
};

static int content_job(void *arg, struct fault *fault)
{
	struct content_job *job = arg;

	return queue_read_bodies(job->path, job->bodies, job->n_bodies, job->offset, job->to, job->n, &job->got, fault);
}

static int read_content(struct queue *queue, struct book_message *message, struct content_job *job, struct fault *fault)
{
	int r;

	for (size_t i = 0; i < message->n_bodies; i++)
		if (find_place(queue, &message->bodies[i], fault) < 0)
			return -1;

	/* A copy: the thread learns lengths, and the loop may write the places down meanwhile. */
	job->bodies = xreallocarray(NULL, message->n_bodies + 1, sizeof(*job->bodies));
	job->n_bodies = message->n_bodies;
	if (job->n_bodies)
		memcpy(job->bodies, message->bodies, job->n_bodies * sizeof(*job->bodies));
	r = pool_call("a message's content", content_job, job, fault);
	for (size_t i = 0; r == 0 && i < message->n_bodies; i++)
		message->bodies[i].length = job->bodies[i].length;
	free(job->bodies);
	return r;
}

int queue_read(struct queue *queue, struct book_message *message, uint64_t offset, char *to, size_t n, size_t *ret_n,
	       struct fault *fault)
{
	struct content_job job = { .path = journal_path(queue->journal), .offset = offset, .to = to };

	job.n = offset >= message->size ? 0 : message->size - offset < n ? (size_t)(message->size - offset) : n;
	if (message->content.n > 0) {
		struct bytes have = bytes_head(bytes_skip(message->content, offset), job.n);

		memcpy(to, have.p, have.n);
		job.got = have.n;
	} else if (job.n > 0 && read_content(queue, message, &job, fault) < 0) {
		return -1;
	}
	if (job.got < job.n)
		return fault_set(fault, FAULT_DATA, REACH_MESSAGE, AGAIN_NEVER, "message %" PRIu64 ": %zu bytes of content are missing",
				 message->number, job.n - job.got);
	*ret_n = job.got;
	return 0;
}

/* --- holding messages -------------------------------------------------------------------------- */

struct use_job {
	struct index *index;
	uint64_t number;
	struct index_rows rows;
};

static int use_job(void *arg, struct fault *fault)
{
	struct use_job *job = arg;

	return index_read_message(job->index, job->number, &job->rows, fault);
}

static int bring_in(struct queue *queue, uint64_t number, struct fault *fault)
{
	struct use_job job = { .index = queue->index, .number = number };
	int r;

	if (queue_take_turn(queue, fault) < 0)
		return -1;
	r = pool_call("a message", use_job, &job, fault);
	for (size_t i = 0; r == 0 && i < job.rows.n; i++)
		queue_restore(queue, &job.rows.rows[i]);
	index_rows_done(&job.rows);

	/* Held before the next batch may let it go. */
	if (r == 0 && book_message(queue->book, number))
		book_message(queue->book, number)->users++;
	queue_end_turn(queue);
	return r;
}

int queue_use(struct queue *queue, uint64_t number, struct book_message **ret, struct fault *fault)
{
	struct book_message *message = book_message(queue->book, number);

	*ret = NULL;
	if (message && message->n_away == 0) {
		message->users++;
	} else {
		if (bring_in(queue, number, fault) < 0)
			return -1;
		message = book_message(queue->book, number);
	}
	if (message && message->n_legs == 0) {
		queue_release(queue, message);
		message = NULL;
	}
	*ret = message;
	return 0;
}

void queue_release(struct queue *queue, struct book_message *message)
{
	assert(message->users > 0);
	if (--message->users > 0)
		return;
	if (message->n_legs == 0)
		queue_uncache(queue, message);
	queue_evict(queue, message);
}
