/* SPDX-License-Identifier: Apache-2.0 */
/* The journal on the loop: queueing, waiting, one fiber that has batches written. See journal.h. */
#include "journal/journal.h"

#include <assert.h>

#include "base/xalloc.h"
#include "journal/inside.h"
#include "os/step.h"

/* --- chunks ---------------------------------------------------------------------------------- */

static struct journal_chunk *chunk_new(struct journal *j, size_t need)
{
	size_t size = need > JOURNAL_CHUNK ? need : JOURNAL_CHUNK;
	struct journal_chunk *chunk;

	if (size == JOURNAL_CHUNK && j->n_free > 0) {
		chunk = list_entry(j->free_chunks.next, struct journal_chunk, link);
		list_remove(&chunk->link);
		j->n_free--;
	} else {
		chunk = xmalloc(sizeof(*chunk) + size);
		chunk->size = size;
	}
	chunk->n = 0;
	return chunk;
}

static void chunks_free(struct journal *j, struct list *chunks)
{
	list_for_each_safe(link, chunks) {
		struct journal_chunk *chunk = list_entry(link, struct journal_chunk, link);

		list_remove(link);
		if (chunk->size == JOURNAL_CHUNK && j->n_free < JOURNAL_FREE_CHUNKS) {
			list_append(&j->free_chunks, link);
			j->n_free++;
		} else {
			free(chunk);
		}
	}
}

static void batch_init(struct journal_batch *batch, uint64_t first)
{
	*batch = (struct journal_batch){ .first = first };
	list_init(&batch->chunks);
}

/* Room for a record in the batch being filled. */
static unsigned char *make_room(struct journal *j, size_t size)
{
	struct list *last = j->filling.chunks.prev;
	struct journal_chunk *chunk = NULL;

	if (last != &j->filling.chunks)
		chunk = list_entry(last, struct journal_chunk, link);
	if (!chunk || chunk->size - chunk->n < size) {
		chunk = chunk_new(j, size);
		list_append(&j->filling.chunks, &chunk->link);
	}
	chunk->n += size;
	j->filling.bytes += size;
	j->filling.records++;
	return chunk->data + chunk->n - size;
}

/* --- flushing -------------------------------------------------------------------------------- */

struct flush_job {
	struct journal_writer *writer;
	struct journal_batch batch;
	journal_packed_place *places;
	int64_t wall_us;
};

static int flush_job(void *arg, struct fault *fault)
{
	struct flush_job *job = arg;

	return journal_writer_flush(job->writer, &job->batch, job->places, job->wall_us, fault);
}

static void take_batch(struct journal *j, struct journal_batch *to)
{
	*to = j->filling;
	to->chunks.next->prev = to->chunks.prev->next = &to->chunks;
	batch_init(&j->filling, j->next);
	j->flushing = to->bytes;
}

/* What the loop may know of the writer. */
static void settle(struct journal *j)
{
	j->segments += j->writer.made;
	j->writer.made = 0;
	j->segment = j->writer.segment;
	j->offset = j->writer.offset;
	if (j->writer.block)
		j->end = os_block_size(j->writer.block);
	j->bytes = j->writer.bytes;
	j->retired = j->writer.retired;
	memcpy(j->chain, j->writer.chain, JOURNAL_DIGEST);
}

static void after_flush(struct journal *j, const struct flush_job *job)
{
	uint64_t end = job->batch.first + job->batch.records;

	journal_note_places(j, job->batch.first, job->places, job->batch.records);
	j->durable = end - 1;
	j->batches++;
	j->records += job->batch.records;
	settle(j);
	if (j->writer.took_spare) {
		j->writer.took_spare = false;
		j->spare = JOURNAL_SPARE_NONE;
		waiters_wake_all(&j->upkeep);
	}
}

static int flush(struct journal *j, struct fault *fault)
{
	struct flush_job job = { .writer = &j->writer, .wall_us = run_wall() };
	int64_t began;
	int r;

	take_batch(j, &job.batch);
	/* A spare is only ever taken by a flush. */
	j->writer.has_spare = j->spare == JOURNAL_SPARE_READY;
	job.places = xreallocarray(NULL, job.batch.records, sizeof(*job.places));
	waiters_wake_all(&j->room);
	began = run_now();
	r = pool_call("the journal", flush_job, &job, fault);
	j->commit_us += run_now() - began;
	j->flushing = 0;
	if (r == 0)
		after_flush(j, &job);
	chunks_free(j, &job.batch.chunks);
	free(job.places);
	return r;
}

static bool has_work(const struct journal *j)
{
	return j->filling.records > 0 &&
	       (j->wanted > j->durable || j->filling.bytes >= JOURNAL_KICK || j->is_closing);
}

/* Whoever became ready with us may have something for the same batch, and so may whom these start. */
static void let_others_append(void)
{
	struct fault ignored;

	run_yield(&ignored);
	run_yield(&ignored);
}

static int write_batches(void *arg, struct fault *fault)
{
	struct journal *j = arg;

	/* What was appended is written, whatever becomes of whoever opened the journal. */
	run_shield(MOMENT_NEVER);
	while (!j->is_closing || has_work(j)) {
		if (!has_work(j)) {
			if (waiters_wait(&j->work, "something to write to the journal", fault) < 0)
				return -1;
			continue;
		}
		let_others_append();
		if (flush(j, fault) < 0) {
			j->why = *fault;
			fault_prefix(&j->why, "the journal cannot be written any more");
			break;
		}
		waiters_wake_all(&j->done);
	}
	waiters_wake_all(&j->done);
	waiters_wake_all(&j->room);
	waiters_wake_all(&j->upkeep);
	return 0;
}

/* --- appending ------------------------------------------------------------------------------- */

/* What only makes more work. Everything else brings what was accepted to its end. */
static bool is_new_work(enum journal_type type)
{
	return type == JOURNAL_BODY || type == JOURNAL_ACCEPT;
}

static bool has_reserve(const struct journal *j, size_t size)
{
	return j->spare == JOURNAL_SPARE_READY ||
	       j->offset + j->flushing + j->filling.bytes + size + j->config.reserve <= j->end;
}

static int refuse(struct journal *j, struct fault *fault)
{
	journal_look_for_space(j);
	return fault_set(fault, FAULT_LIMIT, REACH_PROCESS, AGAIN_LATER,
			 "the journal %s has no room for new messages: %llu MiB are free", j->path,
			 (unsigned long long)(j->free_bytes >> 20));
}

int journal_wait_for_room(struct journal *j, enum journal_type type, size_t size, struct fault *fault)
{
	while (!j->why.kind) {
		if (is_new_work(type) && (j->is_low || (!has_reserve(j, size) && j->spare == JOURNAL_SPARE_FAILED)))
			return refuse(j, fault);
		if (j->filling.bytes == 0 || j->filling.bytes + size <= j->config.queue_max) {
			if (!is_new_work(type) || has_reserve(j, size))
				return 0;
		}
		waiters_wake_one(&j->work);
		if (waiters_wait(&j->room, "room in the journal", fault) < 0)
			return -1;
	}
	*fault = j->why;
	return -1;
}

/* digest: of the payload, or NULL: it is not known yet. */
static void write_record(struct journal *j, enum journal_type type, const struct bytes *pieces, size_t n,
			 size_t length, const unsigned char *digest)
{
	size_t size = journal_record_size(length), at = JOURNAL_HEAD;
	unsigned char *raw = make_room(j, size);
	struct journal_head head = { .length = (uint32_t)length, .type = (uint16_t)type, .sequence = j->next++,
				     .wall_us = run_wall() };

	for (size_t i = 0; i < n; at += pieces[i].n, i++)
		if (pieces[i].n)
			memcpy(raw + at, pieces[i].p, pieces[i].n);
	memset(raw + at, 0, size - at);
	if (digest)
		memcpy(head.digest, digest, JOURNAL_DIGEST);
	else
		journal_hash(j->hash, (struct bytes){ (const char *)raw + JOURNAL_HEAD, length }, BYTES_NULL, head.digest);
	journal_head_write(raw, &head, j->writer.salt);
}

static int append(struct journal *j, enum journal_type type, const struct bytes *pieces, size_t n,
		  const unsigned char *digest, uint64_t *ret_sequence, struct fault *fault)
{
	size_t length = 0;

	for (size_t i = 0; i < n; i++)
		length += pieces[i].n;
	assert(length <= (type == JOURNAL_BODY ? JOURNAL_BODY_MAX : JOURNAL_PAYLOAD_MAX) && !j->is_closing);
	step_point("journal-append");
	if (journal_wait_for_room(j, type, journal_record_size(length), fault) < 0)
		return -1;

	*ret_sequence = j->next;
	write_record(j, type, pieces, n, length, digest);
	if (j->filling.bytes >= JOURNAL_KICK)
		waiters_wake_one(&j->work);
	return 0;
}

int journal_append(struct journal *j, enum journal_type type, const struct bytes *pieces, size_t n,
		   uint64_t *ret_sequence, struct fault *fault)
{
	return append(j, type, pieces, n, NULL, ret_sequence, fault);
}

int journal_append_body(struct journal *j, struct bytes piece, const unsigned char digest[JOURNAL_DIGEST],
			uint64_t *ret_sequence, struct fault *fault)
{
	return append(j, JOURNAL_BODY, &piece, 1, digest, ret_sequence, fault);
}

int journal_put(struct journal *j, enum journal_type type, const void *record, uint64_t *ret_sequence,
		struct fault *fault)
{
	_cleanup_(buf_done) struct buf payload = BUF_NULL;
	struct bytes piece;

	fields_encode(journal_table(type), record, &payload);
	piece = buf_bytes(&payload);
	if (piece.n > JOURNAL_PAYLOAD_MAX)
		return fault_set(fault, FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER,
				 "a record of %zu bytes is too large for the journal", piece.n);
	return journal_append(j, type, &piece, 1, ret_sequence, fault);
}

int journal_commit(struct journal *j, uint64_t sequence, struct fault *fault)
{
	assert(sequence < j->next);
	while (j->durable < sequence) {
		if (j->why.kind) {
			*fault = j->why;
			return -1;
		}
		if (sequence > j->wanted)
			j->wanted = sequence;
		waiters_wake_one(&j->work);
		if (waiters_wait(&j->done, "the journal", fault) < 0)
			return -1;
	}
	step_point("journal-committed");
	return 0;
}

uint64_t journal_durable(const struct journal *j)
{
	return j->durable;
}

/* --- opening and closing --------------------------------------------------------------------- */

struct open_job {
	struct journal *j;
	uint64_t chance[2];
};

static int open_writer(struct journal *j, struct fault *fault)
{
	_cleanup_(buf_done) struct buf name = BUF_NULL;
	struct journal_writer *w = &j->writer;
	const struct journal_tail *tail = &j->files.tail;

	w->path = j->path;
	memcpy(w->id, j->files.id, sizeof(w->id));
	w->salt = tail->salt;
	w->segment = tail->segment;
	w->offset = tail->offset;
	w->sequence = tail->sequence;
	memcpy(w->chain, tail->chain, JOURNAL_DIGEST);
	w->segment_size = j->config.segment_size;
	w->hash = journal_hash_new();
	if (!tail->segment || tail->is_closed)
		return journal_writer_roll(w, run_wall(), fault);

	journal_segment_path(&name, j->path, tail->segment);
	return os_block_open(buf_str(&name), true, &w->block, fault);
}

static int open_job(void *arg, struct fault *fault)
{
	struct open_job *job = arg;
	struct journal *j = job->j;

	if (journal_recover(&j->config, job->chance, &j->files, fault) < 0 || open_writer(j, fault) < 0)
		return -1;
	j->segments = j->files.segments;
	return 0;
}

static void set_defaults(struct journal_config *config)
{
	if (!config->segment_size)
		config->segment_size = 64 << 20;
	if (!config->reserve || config->reserve > config->segment_size / 4)
		config->reserve = config->segment_size / 4 < 4 << 20 ? config->segment_size / 4 : 4 << 20;
	if (!config->queue_max)
		config->queue_max = 8 << 20;
	assert(config->segment_size >= JOURNAL_SEGMENT_MIN && config->segment_size <= JOURNAL_SEGMENT_MAX &&
	       config->segment_size % 4096 == 0);
}

static struct journal *journal_new(const struct journal_config *config)
{
	struct journal *j = xzalloc(sizeof(*j));

	j->config = *config;
	set_defaults(&j->config);
	j->path = xstrdup(config->path);
	j->config.path = j->path;
	j->hash = journal_hash_new();
	j->places = xreallocarray(NULL, JOURNAL_PLACES, sizeof(*j->places));
	list_init(&j->free_chunks);
	waiters_init(&j->work);
	waiters_init(&j->done);
	waiters_init(&j->room);
	waiters_init(&j->upkeep);
	nursery_init(&j->nursery, "journal");
	return j;
}

static void journal_free(struct journal *j)
{
	chunks_free(j, &j->filling.chunks);
	list_for_each_safe(link, &j->free_chunks)
		free(list_entry(link, struct journal_chunk, link));
	os_block_close(j->writer.block);
	journal_hash_free(j->writer.hash);
	journal_hash_free(j->hash);
	journal_files_done(&j->files);
	free(j->places);
	free(j->kept);
	free(j->path);
	free(j);
}

int journal_open(const struct journal_config *config, struct journal **ret, struct fault *fault)
{
	struct journal *j = journal_new(config);
	struct open_job job = { .j = j };

	run_random(job.chance, sizeof(job.chance));
	batch_init(&j->filling, 1);
	if (pool_call("opening the journal", open_job, &job, fault) < 0) {
		journal_free(j);
		return -1;
	}

	j->next = j->first_place = j->writer.sequence;
	j->durable = j->next - 1;
	settle(j);
	batch_init(&j->filling, j->next);
	nursery_start(&j->nursery, write_batches, j, "journal writer");
	nursery_start(&j->nursery, journal_upkeep, j, "journal upkeep");
	*ret = j;
	return 0;
}

struct journal *journal_close(struct journal *j)
{
	struct fault fault;
	int64_t former;

	if (!j)
		return NULL;

	j->is_closing = true;
	waiters_wake_all(&j->work);
	waiters_wake_all(&j->upkeep);
	former = run_shield(MOMENT_NEVER);
	nursery_wait(&j->nursery, &fault);
	run_unshield(former);
	journal_free(j);
	return NULL;
}

const char *journal_id(const struct journal *j)
{
	return j->files.id;
}

const char *journal_path(const struct journal *j)
{
	return j->path;
}

int64_t journal_last_wall(const struct journal *j)
{
	return j->files.wall_us;
}

const char *journal_recovered(const struct journal *j)
{
	return j->files.said;
}

void journal_stand(const struct journal *j, struct journal_stand *ret)
{
	*ret = (struct journal_stand){
		.segments = j->segments, .segment = j->segment, .batches = j->batches, .records = j->records,
		.bytes = j->bytes, .commit_us = j->commit_us, .retired = j->retired, .free_bytes = j->free_bytes,
		.used_bytes = j->used_bytes,
		.is_low = j->is_low,
	};
}
