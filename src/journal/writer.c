/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's half on the worker thread: one batch, one write, one sync.
 *
 * A segment that saw a failed write or sync is never written or synced again (J7): what of the batch is not known
 * durable is written once more into a new segment, whose header says with which record it begins. */
#include <assert.h>
#include <inttypes.h>

#include "base/xalloc.h"
#include "journal/inside.h"
#include "os/file.h"
#include "os/step.h"

enum { TRIES = 3 };

/* --- segments -------------------------------------------------------------------------------- */

/* A spare that was ready when this flush began is the writer's: the loop has none made before the flush is over. Without
 * one, a file of the writer's own: a spare may be in the making. `name` gets which it is. */
static int take_file(struct journal_writer *w, struct buf *name, struct fault *fault)
{
	if (w->has_spare && !w->took_spare) {
		w->took_spare = true;
		buf_appendf(name, "%s/spare", w->path);
		if (os_block_open(buf_str(name), true, &w->block, fault) == 0)
			return 0;
		buf_reset(name);
	}
	buf_appendf(name, "%s/next", w->path);
	return os_block_create(buf_str(name), w->segment_size, &w->block, fault);
}

/* The file gets its name when its header is durable, so a segment never lacks one. */
int journal_writer_roll(struct journal_writer *w, int64_t wall_us, struct fault *fault)
{
	_cleanup_(buf_done) struct buf from = BUF_NULL, to = BUF_NULL;
	unsigned char raw[JOURNAL_SEGMENT_HEAD];
	struct bytes piece = { (const char *)raw, sizeof(raw) };
	struct journal_segment_head head = {
		.number = w->segment + 1, .size = w->segment_size, .first = w->sequence, .wall_us = wall_us,
		.salt = w->salt,
	};

	memcpy(head.id, w->id, sizeof(head.id));
	memcpy(head.chain, w->chain, JOURNAL_DIGEST);
	journal_segment_head_write(raw, &head);
	w->block = os_block_close(w->block);
	step_point("journal-roll");
	journal_segment_path(&to, w->path, head.number);
	if (take_file(w, &from, fault) < 0)
		return -1;
	if (os_block_write(w->block, 0, &piece, 1, fault) < 0 || os_block_sync(w->block, fault) < 0 ||
	    os_move_durably(buf_str(&from), buf_str(&to), fault) < 0 ||
	    os_block_expect_at(w->block, buf_str(&to), fault) < 0) {
		w->block = os_block_close(w->block);
		return -1;
	}

	step_point("journal-rolled");
	w->segment++;
	w->made++;
	w->offset = JOURNAL_FIRST;
	return 0;
}

/* --- a batch --------------------------------------------------------------------------------- */

/* A record of a batch. */
struct cursor {
	struct list *chunk; /* the list's head: behind the last one */
	size_t at;
	uint64_t sequence;
	unsigned char chain[JOURNAL_DIGEST];
};

struct flush {
	struct journal_writer *w;
	struct journal_batch *batch;
	journal_packed_place *places;
	struct cursor done; /* all before it are durable */
	struct bytes *pieces;
	size_t n, size;
};

static struct journal_chunk *chunk_of(const struct cursor *c)
{
	return list_entry(c->chunk, struct journal_chunk, link);
}

static bool is_at_end(const struct flush *f, const struct cursor *c)
{
	return c->chunk == &f->batch->chunks;
}

static void add_piece(struct flush *f, const void *p, size_t n)
{
	struct bytes *last = f->n ? &f->pieces[f->n - 1] : NULL;

	if (last && last->p + last->n == (const char *)p) {
		last->n += n;
		return;
	}
	f->pieces = xgrow(f->pieces, &f->size, f->n + 1, sizeof(*f->pieces));
	f->pieces[f->n++] = (struct bytes){ p, n };
}

/* Moves c over one record, which will stand at `offset`. */
static void pass(struct flush *f, struct cursor *c, const struct journal_head *head, uint64_t offset)
{
	struct journal_chunk *chunk = chunk_of(c);

	f->places[c->sequence - f->batch->first] = f->w->segment << 27 | offset / JOURNAL_ALIGN;
	journal_chain_step(f->w->hash, c->chain, chunk->data + c->at);
	c->sequence++;
	c->at += journal_record_size(head->length);
	if (c->at == chunk->n) {
		c->chunk = c->chunk->next;
		c->at = 0;
	}
}

static void read_head(struct flush *f, const struct cursor *c, struct journal_head *ret)
{
	enum journal_head_state state = journal_head_read(chunk_of(c)->data + c->at, f->w->salt, ret);

	assert(state == JOURNAL_HEAD_GOOD && ret->sequence == c->sequence);
	(void)state;
}

/* Gathers from f->done on what still fits into the segment; *c ends behind it. Returns where the segment then ends. */
static uint64_t gather(struct flush *f, struct cursor *c)
{
	uint64_t offset = f->w->offset;

	f->n = 0;
	while (!is_at_end(f, c)) {
		unsigned char *raw = chunk_of(c)->data + c->at;
		struct journal_head head;
		uint64_t size;

		read_head(f, c, &head);
		size = journal_record_size(head.length);
		if (offset + size + JOURNAL_HEAD > os_block_size(f->w->block))
			break;
		add_piece(f, raw, size);
		pass(f, c, &head, offset);
		offset += size;
	}
	return offset;
}

static void make_end(struct flush *f, const struct cursor *c, int64_t wall_us, unsigned char raw[JOURNAL_HEAD])
{
	struct journal_head end = { .type = JOURNAL_END, .sequence = c->sequence, .wall_us = wall_us };

	memcpy(end.digest, c->chain, JOURNAL_DIGEST);
	journal_head_write(raw, &end, f->w->salt);
	add_piece(f, raw, JOURNAL_HEAD);
}

/* Zeros, which are there already, up to the end of the page: else the kernel would have to read it first. */
static void pad(struct flush *f, uint64_t end)
{
	static const char zeros[OS_BLOCK_PAGE];

	if (end % OS_BLOCK_PAGE && end + OS_BLOCK_PAGE <= f->w->segment_size)
		add_piece(f, zeros, OS_BLOCK_PAGE - end % OS_BLOCK_PAGE);
}

/* Writes and syncs what fits. */
static int write_stretch(struct flush *f, int64_t wall_us, struct fault *fault)
{
	struct journal_writer *w = f->w;
	struct cursor c = f->done;
	unsigned char end[JOURNAL_HEAD];
	uint64_t offset = gather(f, &c);
	bool full = !is_at_end(f, &c);

	if (full)
		make_end(f, &c, wall_us, end);
	else
		pad(f, offset);
	if (os_block_write(w->block, w->offset, f->pieces, f->n, fault) < 0 || os_block_sync(w->block, fault) < 0)
		return -1;

	w->bytes += offset - w->offset;
	w->offset = offset;
	w->sequence = c.sequence;
	memcpy(w->chain, c.chain, JOURNAL_DIGEST);
	f->done = c;
	if (full)
		w->block = os_block_close(w->block);
	return 0;
}

/* Its flag is what recovery tells torn from damaged by (J8). */
static void mark_first(struct flush *f)
{
	unsigned char *raw = chunk_of(&f->done)->data;
	struct journal_head head;

	read_head(f, &f->done, &head);
	head.flags |= JOURNAL_FLAG_BATCH;
	journal_head_write(raw, &head, f->w->salt);
}

static int flush(struct flush *f, int64_t wall_us, struct fault *fault)
{
	struct journal_writer *w = f->w;
	int tries = 0;

	mark_first(f);
	while (!is_at_end(f, &f->done)) {
		if (w->block && write_stretch(f, wall_us, fault) == 0)
			continue;
		if (w->block) {
			/* retired */
			w->block = os_block_close(w->block);
			w->retired++;
			tries++;
		}
		while (!w->block && tries < TRIES && journal_writer_roll(w, wall_us, fault) < 0)
			tries++;
		if (!w->block)
			return -1;
	}
	return 0;
}

int journal_writer_flush(struct journal_writer *w, struct journal_batch *batch, journal_packed_place *places,
			 int64_t wall_us, struct fault *fault)
{
	struct flush f = { .w = w, .batch = batch, .places = places,
			   .done = { .chunk = batch->chunks.next, .sequence = batch->first } };
	int r;

	assert(batch->records > 0 && batch->first == w->sequence);
	memcpy(f.done.chain, w->chain, JOURNAL_DIGEST);
	step_point("journal-flush");
	r = flush(&f, wall_us, fault);
	step_point("journal-flushed");
	free(f.pieces);
	return r;
}
