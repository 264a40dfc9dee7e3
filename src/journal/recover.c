/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery, see recover.h.
 *
 * First the journal is looked at from where it is to be replayed on, to its end: what is damaged is refused, and nothing was
 * written. Then the last segment's tail is cut if it is torn, and its last batch is written again and synced, for after a sync
 * that failed the kernel may show what the disk does not have. Only then are its records handed out. Killed at any moment,
 * it does the same again. */
#include "journal/recover.h"

#include <inttypes.h>

#include "base/xalloc.h"
#include "os/file.h"
#include "os/folder.h"
#include "os/look.h"
#include "os/step.h"

enum { PIECE = 1 << 20 };

struct recovery {
	const struct journal_config *config;
	struct journal_files *files;

	/* Bodies that are not what was written and that no DROPPED has named yet; by sequence. */
	uint64_t *suspects;
	size_t n, size;
	struct journal_damage first; /* suspect's place */
	uint64_t dropped_to;
};

/* --- making it ------------------------------------------------------------------------------- */

static bool has_segment(const char *path)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct fault fault;
	const char **names;
	size_t n;

	if (os_list_folder(path, &arena, &names, &n, &fault) < 0)
		return true;
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i]) == 14 && strcmp(names[i] + 10, ".seg") == 0)
			return true;
	return false;
}

static int make_files(const char *path, uint64_t chance, struct fault *fault)
{
	_cleanup_(buf_done) struct buf name = BUF_NULL, content = BUF_NULL;
	char id[JOURNAL_ID_LEN + 1];

	buf_appendf(&name, "%s/journal.id", path);
	if (os_is_there(buf_str(&name)))
		return 0;
	if (has_segment(path))
		return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER, "the journal is damaged: %s is missing; "
				 "its segments' headers have the id at offset 48", buf_str(&name));

	journal_id_make(id, (uint32_t)chance);
	buf_appendf(&content, "%s\n", id);
	return os_replace_file(buf_str(&name), buf_bytes(&content), fault);
}

static int open_files(const char *path, uint64_t chance, struct journal_files *files, struct fault *fault)
{
	_cleanup_(buf_done) struct buf name = BUF_NULL;

	buf_appendf(&name, "%s/checkpoints/x", path);
	if (os_make_folder_of(buf_str(&name), fault) < 0)
		return -1;
	buf_reset(&name);
	buf_appendf(&name, "%s/lock", path);
	if (os_lock_take(buf_str(&name), &files->lock, fault) < 0 || make_files(path, chance, fault) < 0)
		return -1;

	/* Of a roll that was not finished; and a name that was seen must stay. */
	for (int i = 0; i < 2; i++) {
		buf_reset(&name);
		buf_appendf(&name, "%s/%s", path, i ? "next" : "spare");
		if (os_remove_durably(buf_str(&name), fault) < 0)
			return -1;
	}
	buf_reset(&name);
	buf_appendf(&name, "%s/key.pem", path);
	if (!os_is_there(buf_str(&name)) && has_segment(path))
		return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER,
				 "the journal is damaged: its key %s is missing", buf_str(&name));
	return journal_key_open(path, &files->key, fault);
}

/* --- the tail -------------------------------------------------------------------------------- */

static int write_again(struct os_block *block, uint64_t from, uint64_t to, bool zeros, struct fault *fault)
{
	_cleanup_(freep) char *piece = xzalloc(PIECE);

	for (uint64_t at = from; at < to; at += PIECE) {
		size_t n = to - at < PIECE ? (size_t)(to - at) : PIECE;
		struct bytes b = { piece, n };

		if (!zeros && os_block_read(block, at, piece, n, fault) < (int64_t)n)
			return -1;
		step_point(zeros ? "journal-cut" : "journal-write-again");
		if (os_block_write(block, at, &b, 1, fault) < 0)
			return -1;
	}
	return 0;
}

static int settle_tail(const char *path, const struct journal_tail *tail, struct journal_files *files,
		       struct fault *fault)
{
	_cleanup_(os_block_closep) struct os_block *block = NULL;
	_cleanup_(buf_done) struct buf name = BUF_NULL;

	journal_segment_path(&name, path, tail->segment);
	if (os_block_open(buf_str(&name), true, &block, fault) < 0)
		return -1;
	/* An END stands behind the last batch. */
	if (write_again(block, tail->batch, tail->offset + (tail->is_closed ? JOURNAL_HEAD : 0), false, fault) < 0 ||
	    (tail->torn_to && write_again(block, tail->offset, tail->torn_to, true, fault) < 0) ||
	    os_block_sync(block, fault) < 0)
		return -1;

	if (tail->torn_to)
		snprintf(files->said, sizeof(files->said), "segment %010" PRIu64 ".seg, offset %" PRIu64 ": a batch was not "
			 "written whole (%" PRIu64 " bytes); cut, record %" PRIu64 " is next", tail->segment, tail->offset,
			 tail->torn_to - tail->offset, tail->sequence);
	return 0;
}

/* --- all of it ------------------------------------------------------------------------------- */

static void suspect(struct recovery *v, const struct journal_record *record)
{
	if (v->n == 0)
		v->first = (struct journal_damage){ .segment = record->segment, .offset = record->offset,
						    .sequence = record->head.sequence };
	v->suspects = xgrow(v->suspects, &v->size, v->n + 1, sizeof(*v->suspects));
	v->suspects[v->n++] = record->head.sequence;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void acquit(struct recovery *v, uint64_t sequence)
{
	uint64_t *found = v->n ? bsearch(&sequence, v->suspects, v->n, sizeof(sequence), by_value) : NULL;

	if (!found)
		return;
	v->n--;
	memmove(found, found + 1, (size_t)(v->suspects + v->n - found) * sizeof(*found));
}

static int note_dropped(struct recovery *v, const struct journal_record *record, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct journal_dropped dropped;

	if (fields_decode(journal_table(JOURNAL_DROPPED), record->payload, &arena, &dropped, fault) < 0)
		return fault_prefix(fault, "record %" PRIu64, record->head.sequence);
	for (size_t i = 0; i < dropped.n_bodies; i++)
		acquit(v, dropped.bodies[i].sequence);
	if (dropped.segments_to > v->dropped_to)
		v->dropped_to = dropped.segments_to;
	return 0;
}

static int look_at_records(struct recovery *v, struct journal_reader *reader, struct fault *fault)
{
	const struct journal_segment *segments;
	size_t n = journal_reader_segments(reader, &segments);
	struct journal_record record;
	int r;

	v->files->wall_us = n > 0 ? segments[n - 1].head.wall_us : 0;
	while ((r = journal_reader_next(reader, &record, fault)) > 0) {
		v->files->wall_us = record.head.wall_us;
		if (record.is_punched)
			suspect(v, &record);
		if (record.head.type == JOURNAL_DROPPED && note_dropped(v, &record, fault) < 0)
			return -1;
	}
	if (r == 0 && v->n > 0)
		return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER, "the journal is damaged: segment %010" PRIu64
				 ".seg, offset %" PRIu64 ": the payload of record %" PRIu64 " (body) is not what was "
				 "written, and nothing says that it was dropped", v->first.segment, v->first.offset,
				 v->first.sequence);
	return r;
}

static int check_start(struct recovery *v, struct journal_reader *reader, struct fault *fault)
{
	const struct journal_segment *segments;
	size_t n = journal_reader_segments(reader, &segments);

	v->files->segments = n;
	/* Read from the middle on, nothing may say it. */
	if (n == 0 || segments[0].number == 1 || v->config->replay_from > segments[0].head.first ||
	    v->dropped_to + 1 >= segments[0].number)
		return 0;
	return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER, "the journal is damaged: segments up to %010"
			 PRIu64 ".seg are missing, and nothing says that they were removed", segments[0].number - 1);
}

/* A checkpoint is written after what it signs is durable. */
static int check_signed(const char *path, uint64_t next, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(buf_done) struct buf folder = BUF_NULL;
	const char **names;
	uint64_t sequence;
	size_t n;

	buf_appendf(&folder, "%s/checkpoints", path);
	if (os_list_folder(buf_str(&folder), &arena, &names, &n, fault) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct bytes name = bytes_of(names[i]);

		if (name.n < 5 || bytes_to_u64(bytes_head(name, name.n - 4), UINT64_MAX, &sequence) < 0 ||
		    sequence < next)
			continue;
		return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER, "the journal is damaged: it ends with record %"
				 PRIu64 ", but checkpoints/%s signs record %" PRIu64 ": its end is missing", next - 1, names[i],
				 sequence);
	}
	return 0;
}

/* Who replays from a record on had what is before it, and only what is durable is replayed, or made known. */
static int check_known(const struct recovery *v, struct fault *fault)
{
	uint64_t from = v->config->replay_from, next = v->files->tail.sequence;

	if (from <= next)
		return 0;
	return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER, "the journal %s is damaged: it ends with record %" PRIu64
			 ", but records up to %" PRIu64 " are known (to the index): its end is missing, with mail that was "
			 "accepted; bring back its last segments", v->config->path, next - 1, from - 1);
}

/* All of it, before anything is written. */
static int look(struct recovery *v, struct fault *fault)
{
	_cleanup_(journal_reader_closep) struct journal_reader *reader = NULL;
	struct journal_files *files = v->files;
	const char *path = v->config->path;

	if (journal_reader_open(path, v->config->replay_from, JOURNAL_READ_NO_BODIES, &reader, fault) < 0 ||
	    look_at_records(v, reader, fault) < 0)
		return -1;
	memcpy(files->id, journal_reader_id(reader), sizeof(files->id));
	journal_reader_tail(reader, &files->tail);
	if (check_known(v, fault) < 0 || check_start(v, reader, fault) < 0)
		return -1;
	return check_signed(path, files->tail.sequence, fault);
}

static int replay(struct recovery *v, struct fault *fault)
{
	_cleanup_(journal_reader_closep) struct journal_reader *reader = NULL;
	const struct journal_config *config = v->config;
	struct journal_record record;
	int r;

	if (!config->replay)
		return 0;
	if (journal_reader_open(config->path, config->replay_from, JOURNAL_READ_NO_BODIES, &reader, fault) < 0)
		return -1;
	while ((r = journal_reader_next(reader, &record, fault)) > 0) {
		step_point("journal-replay");
		if (record.head.sequence >= config->replay_from && config->replay(config->arg, &record, fault) < 0)
			return -1;
	}
	return r;
}

static int recover(struct recovery *v, uint64_t chance, struct fault *fault)
{
	struct journal_tail *tail = &v->files->tail;

	if (look(v, fault) < 0)
		return -1;
	if (tail->segment && settle_tail(v->config->path, tail, v->files, fault) < 0)
		return -1;
	if (!tail->segment)
		tail->salt = chance | 1; /* the half that headers begin with is not 0 */
	step_point("journal-settled");
	return replay(v, fault);
}

int journal_recover(const struct journal_config *config, const uint64_t chance[2], struct journal_files *ret,
		    struct fault *fault)
{
	struct recovery v = { .config = config, .files = ret };
	int r;

	*ret = (struct journal_files){ .lock = NULL };
	r = open_files(config->path, chance[0], ret, fault);
	if (r == 0)
		r = recover(&v, chance[1], fault);
	if (r < 0)
		journal_files_done(ret);
	free(v.suspects);
	return r;
}

void journal_files_done(struct journal_files *files)
{
	files->key = journal_key_free(files->key);
	files->lock = os_lock_release(files->lock);
}
