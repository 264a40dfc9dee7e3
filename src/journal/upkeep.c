/* SPDX-License-Identifier: Apache-2.0 */
/* What a journal needs besides writing: a spare segment, free space, bodies dropped, checkpoints. */
#include <assert.h>
#include <inttypes.h>

#include "base/xalloc.h"
#include "journal/inside.h"
#include "os/file.h"
#include "os/folder.h"
#include "os/step.h"

#define LOOK_US (2 * SECOND) /* others use the disk, and free it, too */

/* --- a spare, and space ---------------------------------------------------------------------- */

struct upkeep_job {
	const char *path;
	uint64_t size, max_bytes, free_bytes, used_bytes;
	bool make, made;
};

/* Of the segments: the spare is not counted, as it is made for the next one. One that went meanwhile takes nothing. */
static int sum_up(struct upkeep_job *job, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	const char **names;
	size_t n;

	if (os_list_folder(job->path, &arena, &names, &n, fault) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		_cleanup_(buf_done) struct buf name = BUF_NULL;
		uint64_t bytes;

		if (strlen(names[i]) != 14 || strcmp(names[i] + 10, ".seg") != 0)
			continue;
		buf_appendf(&name, "%s/%s", job->path, names[i]);
		if (os_space_of(buf_str(&name), &bytes, fault) == 0)
			job->used_bytes += bytes;
	}
	return 0;
}

/* One more segment would be too much. */
static bool is_over(const struct upkeep_job *job)
{
	return job->max_bytes && job->used_bytes + job->size > job->max_bytes;
}


static int upkeep_job(void *arg, struct fault *fault)
{
	struct upkeep_job *job = arg;
	_cleanup_(os_block_closep) struct os_block *block = NULL;
	_cleanup_(buf_done) struct buf name = BUF_NULL;

	buf_appendf(&name, "%s/spare", job->path);
	if (sum_up(job, fault) < 0 || os_free_space(job->path, &job->free_bytes, fault) < 0)
		return -1;
	/* Not to take the last of a disk that it does not fit on, only to give it back, again and again. */
	if (!job->make || is_over(job) || job->free_bytes < job->size)
		return 0;
	job->made = os_block_create(buf_str(&name), job->size, &block, fault) == 0;
	return os_free_space(job->path, &job->free_bytes, fault);
}

static void look(struct journal *j)
{
	j->is_look_wanted = true;
	waiters_wake_all(&j->upkeep);
}

void journal_look_for_space(struct journal *j)
{
	if (run_now() - j->looked_us >= SECOND)
		look(j);
}

static bool needs_upkeep(const struct journal *j)
{
	return j->spare == JOURNAL_SPARE_NONE || j->is_look_wanted || run_now() - j->looked_us >= LOOK_US;
}

static int tend(struct journal *j, struct fault *fault)
{
	struct upkeep_job job = { .path = j->path, .size = j->config.segment_size, .max_bytes = j->config.max_bytes };
	struct fault ignored;

	job.make = j->spare != JOURNAL_SPARE_READY;
	j->is_look_wanted = false;
	j->looked_us = run_now();
	if (pool_call("a spare segment", upkeep_job, &job, &ignored) == 0) {
		j->free_bytes = job.free_bytes;
		j->used_bytes = job.used_bytes;
	}
	/* One that was taken meanwhile is for the next round. */
	if (job.made)
		j->spare = JOURNAL_SPARE_READY;
	else if (job.make)
		j->spare = JOURNAL_SPARE_FAILED;
	j->is_low = j->free_bytes < j->config.low_water || is_over(&job);
	waiters_wake_all(&j->room);
	return 0;
}

static int wait_for_upkeep(struct journal *j, struct fault *fault)
{
	_deadline_(LOOK_US);

	if (waiters_wait(&j->upkeep, "the journal's spare to be used", fault) == 0)
		return 0;
	return fault->kind == FAULT_TIMEOUT ? 0 : -1;
}

int journal_upkeep(void *arg, struct fault *fault)
{
	struct journal *j = arg;

	run_shield(MOMENT_NEVER);
	while (!j->is_closing && !j->why.kind) {
		if (needs_upkeep(j))
			tend(j, fault);
		else if (wait_for_upkeep(j, fault) < 0)
			return -1;
	}
	return 0;
}

/* --- places ---------------------------------------------------------------------------------- */

/* Where the first of the remembered records is that is not before `sequence`. */
static size_t find_kept(const struct journal *j, uint64_t sequence)
{
	size_t low = 0, high = j->n_kept;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (j->kept[middle].sequence < sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void journal_note_places(struct journal *j, uint64_t first, const journal_packed_place *places, size_t n)
{
	for (size_t i = 0; i < n; i++)
		j->places[(first + i) % JOURNAL_PLACES] = places[i];
	for (size_t i = find_kept(j, first); i < j->n_kept && j->kept[i].sequence < first + n; i++)
		if (j->kept[i].place != JOURNAL_FORGOTTEN)
			j->kept[i].place = places[j->kept[i].sequence - first];
}

void journal_remember(struct journal *j, uint64_t sequence)
{
	assert(sequence + 1 == j->next);
	j->kept = xgrow(j->kept, &j->kept_size, j->n_kept + 1, sizeof(*j->kept));
	j->kept[j->n_kept++] = (struct journal_kept){ .sequence = sequence };
}

void journal_forget(struct journal *j, uint64_t sequence)
{
	size_t at = find_kept(j, sequence), n = 0;

	if (at == j->n_kept || j->kept[at].sequence != sequence || j->kept[at].place == JOURNAL_FORGOTTEN)
		return;
	j->kept[at].place = JOURNAL_FORGOTTEN;
	if (++j->n_forgotten * 2 <= j->n_kept)
		return;
	for (size_t i = 0; i < j->n_kept; i++)
		if (j->kept[i].place != JOURNAL_FORGOTTEN)
			j->kept[n++] = j->kept[i];
	j->n_kept = n;
	j->n_forgotten = 0;
}

static bool is_in_ring(const struct journal *j, uint64_t sequence)
{
	return sequence >= j->first_place && sequence <= j->durable && j->durable - sequence < JOURNAL_PLACES;
}

bool journal_known_place(const struct journal *j, uint64_t sequence, uint64_t *ret_segment, uint64_t *ret_offset)
{
	journal_packed_place place = 0;

	if (is_in_ring(j, sequence)) {
		place = j->places[sequence % JOURNAL_PLACES];
	} else if (j->n_kept > 0) {
		size_t at = find_kept(j, sequence);

		if (at < j->n_kept && j->kept[at].sequence == sequence && j->kept[at].place != JOURNAL_FORGOTTEN)
			place = j->kept[at].place;
	}
	*ret_segment = place >> 27;
	*ret_offset = (place & ((1 << 27) - 1)) * JOURNAL_ALIGN;
	return place != 0;
}

struct find_job {
	const char *path;
	uint64_t sequence, segment, offset;
};

static int find_job(void *arg, struct fault *fault)
{
	struct find_job *job = arg;
	_cleanup_(journal_reader_closep) struct journal_reader *reader = NULL;
	struct journal_record record;
	int r;

	if (journal_reader_open(job->path, job->sequence, JOURNAL_READ_NO_BODIES, &reader, fault) < 0)
		return -1;
	while ((r = journal_reader_next(reader, &record, fault)) > 0) {
		if (record.head.sequence != job->sequence)
			continue;
		job->segment = record.segment;
		job->offset = record.offset;
		return 0;
	}
	return r < 0 ? r : fault_local(fault, "record %" PRIu64 " is not in the journal", job->sequence);
}

int journal_place(struct journal *j, uint64_t sequence, uint64_t *ret_segment, uint64_t *ret_offset,
		  struct fault *fault)
{
	struct find_job job = { .path = j->path, .sequence = sequence };

	if (journal_known_place(j, sequence, ret_segment, ret_offset))
		return 0;
	if (pool_call("looking into the journal", find_job, &job, fault) < 0)
		return -1;
	*ret_segment = job.segment;
	*ret_offset = job.offset;
	return 0;
}

/* --- dropping -------------------------------------------------------------------------------- */

static int punch_one(const char *path, const struct journal_drop *drop, struct fault *fault)
{
	_cleanup_(os_block_closep) struct os_block *block = NULL;
	_cleanup_(buf_done) struct buf name = BUF_NULL;
	unsigned char raw[JOURNAL_SEGMENT_HEAD];
	struct journal_segment_head segment;
	struct journal_head head;

	journal_segment_path(&name, path, drop->segment);
	if (os_block_open(buf_str(&name), true, &block, fault) < 0)
		return -1;
	/* Never anything but the payload of this very record. */
	if (os_block_read(block, 0, raw, JOURNAL_SEGMENT_HEAD, fault) == JOURNAL_SEGMENT_HEAD &&
	    journal_segment_head_read(raw, &segment) == 0 &&
	    os_block_read(block, drop->offset, raw, JOURNAL_HEAD, fault) == JOURNAL_HEAD &&
	    journal_head_read(raw, segment.salt, &head) == JOURNAL_HEAD_GOOD && head.type == JOURNAL_BODY &&
	    head.sequence == drop->sequence && head.length == drop->length)
		return os_block_punch(block, drop->offset + JOURNAL_HEAD, drop->length, fault);
	return fault_set(fault, FAULT_DATA, REACH_MESSAGE, AGAIN_NEVER,
			 "segment %010" PRIu64 ".seg, offset %" PRIu64 ": body %" PRIu64 " is not here to be dropped",
			 drop->segment, drop->offset, drop->sequence);
}

int journal_punch(const char *path, const struct journal_drop *bodies, size_t n, struct fault *fault)
{
	int result = 0;

	for (size_t i = 0; i < n; i++)
		if (punch_one(path, &bodies[i], fault) < 0)
			result = -1;
	return result;
}

struct drop_job {
	const char *path;
	const struct journal_drop *bodies;
	size_t n;
	uint64_t from, to; /* segments to remove */
};

static int drop_job(void *arg, struct fault *fault)
{
	struct drop_job *job = arg;

	step_point("journal-drop");
	for (uint64_t i = job->from; i < job->to; i++) {
		_cleanup_(buf_done) struct buf name = BUF_NULL;

		journal_segment_path(&name, job->path, i);
		step_point("journal-remove");
		if (os_remove_durably(buf_str(&name), fault) < 0)
			return -1;
	}
	return journal_punch(job->path, job->bodies, job->n, fault);
}

static int put_and_commit(struct journal *j, enum journal_type type, const void *record, struct fault *fault)
{
	uint64_t sequence;

	if (journal_put(j, type, record, &sequence, fault) < 0)
		return -1;
	return journal_commit(j, sequence, fault);
}

int journal_drop(struct journal *j, const struct journal_dropped *dropped, struct fault *fault)
{
	struct drop_job job = { .path = j->path, .bodies = dropped->bodies, .n = dropped->n_bodies };

	if (put_and_commit(j, JOURNAL_DROPPED, dropped, fault) < 0 ||
	    pool_call("dropping bodies", drop_job, &job, fault) < 0)
		return -1;
	look(j);
	return 0;
}

int journal_expire(struct journal *j, const struct journal_dropped *dropped, struct fault *fault)
{
	if (dropped->segments_to >= j->segment)
		return fault_usage(fault, "segment %010" PRIu64 ".seg is still written to", j->segment);
	return put_and_commit(j, JOURNAL_DROPPED, dropped, fault);
}

int journal_remove(struct journal *j, uint64_t to, struct fault *fault)
{
	struct drop_job job = { .path = j->path, .from = j->segment + 1 - j->segments, .to = to + 1 };

	assert(to < j->segment);
	if (job.from > to)
		return 0;
	if (pool_call("removing segments", drop_job, &job, fault) < 0)
		return -1;
	j->segments -= to + 1 - job.from;
	look(j);
	return 0;
}

/* --- checkpoints ----------------------------------------------------------------------------- */

struct sign_job {
	const char *path;
	struct bytes text, signature;
	uint64_t sequence;
};

static int sign_job(void *arg, struct fault *fault)
{
	struct sign_job *job = arg;
	_cleanup_(buf_done) struct buf text = BUF_NULL, signature = BUF_NULL;

	buf_appendf(&text, "%s/checkpoints/%020" PRIu64 ".txt", job->path, job->sequence);
	buf_appendf(&signature, "%s/checkpoints/%020" PRIu64 ".sig", job->path, job->sequence);
	if (os_replace_file(buf_str(&text), job->text, fault) < 0)
		return -1;
	return os_replace_file(buf_str(&signature), job->signature, fault);
}

/* Nothing suspends from here on to the record's place in the queue: the books are those of this very record. */
static int put_checkpoint(struct journal *j, struct journal_checkpoint *checkpoint,
			  const struct journal_tallies *tallies, uint64_t *ret_sequence, struct fault *fault)
{
	struct journal_tallies copy = { 0 };

	if (tallies)
		copy = *tallies;
	checkpoint->tallies = &copy;
	checkpoint->n_tallies = tallies != NULL;
	return journal_put(j, JOURNAL_CHECKPOINT, checkpoint, ret_sequence, fault);
}

int journal_sign_off(struct journal *j, const struct journal_tallies *tallies, struct fault *fault)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	unsigned char signature[JOURNAL_SIGNATURE];
	struct journal_checkpoint checkpoint = { .signature = { (const char *)signature, sizeof(signature) } };
	struct sign_job job = { .path = j->path };
	uint64_t sequence;

	if (journal_commit(j, j->next - 1, fault) < 0 ||
	    journal_wait_for_room(j, JOURNAL_CHECKPOINT, JOURNAL_CHECKPOINT_MAX, fault) < 0)
		return -1;
	checkpoint.sequence = j->durable;
	memcpy(checkpoint.chain, j->chain, JOURNAL_DIGEST);
	journal_checkpoint_text(&text, j->files.id, checkpoint.sequence, checkpoint.chain);
	journal_sign(j->files.key, buf_bytes(&text), signature);
	if (put_checkpoint(j, &checkpoint, tallies, &sequence, fault) < 0 || journal_commit(j, sequence, fault) < 0)
		return -1;

	job.sequence = checkpoint.sequence;
	job.text = buf_bytes(&text);
	job.signature = checkpoint.signature;
	return pool_call("a checkpoint's files", sign_job, &job, fault);
}
