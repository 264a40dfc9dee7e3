/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a journal, see reader.h: segments, records, the chain. What is wrong where a record should be: look.c.
 *
 * A segment counts up to the record with which the next one begins: one that was retired after a failed write may hold
 * more, which was written again in the next. */
#include "journal/reader.h"

#include <assert.h>
#include <inttypes.h>

#include "base/xalloc.h"
#include "journal/look.h"
#include "os/file.h"
#include "os/folder.h"

enum { WINDOW = 2 << 20 };

const char *journal_damage_name(enum journal_damage_kind kind)
{
	static const char *const names[] = { "sound", "flipped", "zeroed", "missing", "gap", "unchained",
					     "unreadable" };

	return kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}

void journal_segment_path(struct buf *to, const char *path, uint64_t number)
{
	buf_appendf(to, "%s/%010" PRIu64 ".seg", path, number);
}

/* --- opening --------------------------------------------------------------------------------- */

static int read_id(const char *path, char to[JOURNAL_ID_LEN + 1], struct fault *fault)
{
	_cleanup_(buf_done) struct buf name = BUF_NULL, content = BUF_NULL;
	struct bytes id;

	buf_appendf(&name, "%s/journal.id", path);
	if (os_read_file(buf_str(&name), 64, &content, fault) < 0)
		return fault_prefix(fault, "%s is not a journal", path);

	id = bytes_trim(buf_bytes(&content));
	if (!journal_id_is_good(id))
		return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER,
				 "%s does not hold a journal's id of %d characters", buf_str(&name), JOURNAL_ID_LEN);
	memcpy(to, id.p, id.n);
	to[id.n] = '\0';
	return 0;
}

static bool is_segment_name(const char *name, uint64_t *ret)
{
	struct bytes b = bytes_of(name);

	return b.n == 14 && strcmp(name + 10, ".seg") == 0 &&
	       bytes_to_u64(bytes_head(b, 10), UINT64_MAX, ret) == 0 && *ret > 0;
}

static int by_number(const void *a, const void *b)
{
	const struct journal_segment *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static int read_segment_head(struct journal_reader *r, struct journal_segment *s, struct fault *fault)
{
	_cleanup_(os_block_closep) struct os_block *block = NULL;
	_cleanup_(buf_done) struct buf path = BUF_NULL;
	unsigned char head[JOURNAL_SEGMENT_HEAD];
	int64_t n;

	journal_segment_path(&path, r->path, s->number);
	if (os_block_open(buf_str(&path), false, &block, fault) < 0)
		return -1;
	n = os_block_read(block, 0, head, sizeof(head), fault);
	if (n < 0)
		return -1;

	s->size = os_block_size(block);
	s->is_good = n == (int64_t)sizeof(head) && journal_segment_head_read(head, &s->head) == 0 &&
		     s->head.number == s->number && s->size >= s->head.size && strcmp(s->head.id, r->id) == 0;
	return 0;
}

static int find_segments(struct journal_reader *r, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	const char **names;
	size_t n, size = 0;
	uint64_t number;

	if (os_list_folder(r->path, &arena, &names, &n, fault) < 0)
		return -1;

	for (size_t i = 0; i < n; i++) {
		if (!is_segment_name(names[i], &number))
			continue;
		r->segments = xgrow(r->segments, &size, r->n + 1, sizeof(*r->segments));
		r->segments[r->n++] = (struct journal_segment){ .number = number };
	}
	if (r->n)
		qsort(r->segments, r->n, sizeof(*r->segments), by_number);
	for (size_t i = 0; i < r->n; i++)
		if (read_segment_head(r, &r->segments[i], fault) < 0)
			return -1;
	return 0;
}

/* Records before the first segment there is cannot be asked for. */
static void begin_at(struct journal_reader *r, uint64_t from)
{
	for (size_t i = 1; i < r->n && from > 0; i++)
		if (r->segments[i].is_good && r->segments[i].head.first <= from)
			r->at = i;
	r->sequence = 1;
	journal_chain_start(r->hash, r->id, r->chain);
	r->is_chained = true;
	r->is_anchored = r->n == 0 || r->segments[r->at].number == 1;
}

int journal_reader_open(const char *path, uint64_t from, enum journal_read how, struct journal_reader **ret,
			struct fault *fault)
{
	_cleanup_(journal_reader_closep) struct journal_reader *r = xzalloc(sizeof(*r));

	r->path = xstrdup(path);
	r->how = how;
	r->hash = journal_hash_new();
	if (read_id(path, r->id, fault) < 0 || find_segments(r, fault) < 0)
		return -1;

	begin_at(r, from);
	*ret = TAKE_PTR(r);
	return 0;
}

struct journal_reader *journal_reader_close(struct journal_reader *reader)
{
	if (!reader)
		return NULL;

	os_block_close(reader->block);
	journal_hash_free(reader->hash);
	free(reader->segments);
	free(reader->window);
	free(reader->path);
	free(reader);
	return NULL;
}

/* --- bytes ----------------------------------------------------------------------------------- */

int journal_reader_bytes(struct journal_reader *r, uint64_t offset, size_t n, struct bytes *ret,
			 struct fault *fault)
{
	int64_t got;

	assert(n <= WINDOW);
	if (!r->window)
		r->window = xmalloc(WINDOW);
	if (offset < r->window_at || offset + n > r->window_at + r->window_n) {
		r->window_n = 0;
		got = os_block_read(r->block, offset, r->window, WINDOW, fault);
		if (got < 0)
			return journal_damaged(r, JOURNAL_UNREADABLE, offset, fault, "cannot be read");
		r->window_at = offset;
		r->window_n = (size_t)got;
	}
	*ret = (struct bytes){ r->window + (offset - r->window_at), r->window_n - (offset - r->window_at) };
	*ret = bytes_head(*ret, n);
	return 0;
}

/* --- segments -------------------------------------------------------------------------------- */

static struct journal_segment *current(struct journal_reader *r)
{
	return &r->segments[r->at];
}

/* The record with which the next segment begins: this one counts up to it. */
static uint64_t limit_of(const struct journal_reader *r)
{
	for (size_t i = r->at + 1; i < r->n; i++)
		if (r->segments[i].is_good)
			return i == r->at + 1 ? r->segments[i].head.first : UINT64_MAX;
	return UINT64_MAX;
}

/* Goes on with what the segment's own header says, once it was reported that this does not follow. */
static void adopt(struct journal_reader *r, const struct journal_segment *s)
{
	r->sequence = s->head.first;
	memcpy(r->chain, s->head.chain, JOURNAL_DIGEST);
	r->is_anchored = r->is_chained = true;
}

static int check_entry(struct journal_reader *r, struct journal_segment *s, struct fault *fault)
{
	uint64_t want = r->at > 0 ? r->segments[r->at - 1].number + 1 : 1;
	uint64_t expected = r->sequence;
	bool chained;

	if (!s->is_good)
		return journal_damaged(r, JOURNAL_FLIPPED, 0, fault, "has no header that could be true");

	chained = !r->is_chained || memcmp(r->chain, s->head.chain, JOURNAL_DIGEST) == 0;
	if (!r->is_anchored) {
		adopt(r, s);
		return 0;
	}
	adopt(r, s);
	if (s->number != want && r->at > 0)
		return journal_missing(r, want, s->number - 1, expected, s->head.first - 1, fault);
	if (s->head.first != expected)
		return journal_damaged(r, JOURNAL_GAP, 0, fault, "begins with record %" PRIu64 ", but record %" PRIu64
				       " should follow", s->head.first, expected);
	if (!chained)
		return journal_damaged(r, JOURNAL_UNCHAINED, 0, fault,
				       "does not continue the chain of the segment before it");
	return 0;
}

/* 1 when there is a segment to read in, 0 when there is none. */
static int enter(struct journal_reader *r, struct fault *fault)
{
	_cleanup_(buf_done) struct buf path = BUF_NULL;
	struct journal_segment *s;
	int result;

	if (r->at >= r->n)
		return 0;

	s = current(r);
	r->is_inside = true;
	r->offset = r->batch = JOURNAL_FIRST;
	r->window_n = 0;
	r->last_batch = 0;
	r->has_last_batch = false;
	result = check_entry(r, s, fault);
	if (!s->is_good) {
		/* What is in it cannot be told. */
		r->at++;
		r->is_inside = false;
		return -1;
	}

	journal_segment_path(&path, r->path, s->number);
	r->block = os_block_close(r->block);
	if (os_block_open(buf_str(&path), false, &r->block, fault) < 0)
		return -1;
	return result < 0 ? -1 : 1;
}

static void leave(struct journal_reader *r)
{
	r->is_inside = false;
	r->at++;
}

/* --- records --------------------------------------------------------------------------------- */

/* An END where the next record should be: 0 to go on in the next segment, 1 at the end of all. */
static int at_end(struct journal_reader *r, const struct journal_head *head, struct fault *fault)
{
	bool last = r->at + 1 == r->n;

	if (r->is_chained && memcmp(head->digest, r->chain, JOURNAL_DIGEST) != 0) {
		uint64_t offset = r->offset;

		if (last)
			r->is_closed = r->is_over = true;
		else
			leave(r);
		return journal_damaged_at(r, JOURNAL_UNCHAINED, r->segments[last ? r->at : r->at - 1].number, offset,
					  fault, "the segment's end names another chain");
	}
	if (last) {
		r->is_closed = r->is_over = true;
		return 1;
	}
	leave(r);
	return 0;
}

static int take_record(struct journal_reader *r, const struct journal_head *head, const unsigned char *raw,
		       struct bytes payload, struct journal_record *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->head = *head;
	ret->segment = current(r)->number;
	ret->offset = r->offset;
	memcpy(ret->raw, raw, JOURNAL_HEAD);
	ret->payload = payload;
	journal_chain_step(r->hash, r->chain, raw);
	memcpy(ret->chain, r->chain, JOURNAL_DIGEST);
	ret->is_chained = r->is_chained;
	if (head->flags & JOURNAL_FLAG_BATCH)
		r->batch = r->offset;
	r->offset += journal_record_size(head->length);
	r->sequence++;
	return 1;
}

/* Payload of the record at hand: 1 good, 0 not read, -1 fault, 2 not what was written. */
static int read_payload(struct journal_reader *r, const struct journal_head *head, struct bytes *ret,
			struct fault *fault)
{
	unsigned char digest[JOURNAL_DIGEST];

	*ret = BYTES_NULL;
	if (head->type == JOURNAL_BODY && r->how == JOURNAL_READ_NO_BODIES && r->at + 1 < r->n)
		return 0;
	if (journal_reader_bytes(r, r->offset + JOURNAL_HEAD, head->length, ret, fault) < 0)
		return -1;

	journal_hash(r->hash, *ret, BYTES_NULL, digest);
	return ret->n == head->length && memcmp(digest, head->digest, JOURNAL_DIGEST) == 0 ? 1 : 2;
}

/* 1 a record, 0 look again, -1 damage, 2 the end. */
static int read_record(struct journal_reader *r, struct journal_record *ret, struct fault *fault)
{
	struct bytes b, payload;
	unsigned char raw[JOURNAL_HEAD] = { 0 };
	struct journal_head head;
	enum journal_head_state state;
	int p;

	if (journal_reader_bytes(r, r->offset, JOURNAL_HEAD, &b, fault) < 0) {
		leave(r);
		return -1;
	}
	if (b.n)
		memcpy(raw, b.p, b.n);
	state = journal_head_read(raw, current(r)->head.salt, &head);
	if (state != JOURNAL_HEAD_GOOD || head.sequence != r->sequence ||
	    r->offset + journal_record_size(head.length) > current(r)->size)
		return journal_look(r, raw, state, &head, fault);
	if (head.type == JOURNAL_END) {
		p = at_end(r, &head, fault);
		return p > 0 ? 2 : p;
	}

	p = read_payload(r, &head, &payload, fault);
	if (p < 0) {
		leave(r);
		return -1;
	}
	if (p == 2) {
		p = journal_look_payload(r, &head, fault);
		if (p == 0)
			return 2;
		if (p == 2)
			return 0;
		take_record(r, &head, raw, BYTES_NULL, ret);
		ret->is_punched = p > 0;
		return p;
	}
	return take_record(r, &head, raw, payload, ret);
}

int journal_reader_next(struct journal_reader *r, struct journal_record *ret, struct fault *fault)
{
	r->damage = (struct journal_damage){ .kind = JOURNAL_SOUND };
	while (!r->is_over) {
		int got;

		if (!r->is_inside) {
			got = enter(r, fault);
			if (got <= 0)
				return got;
		}
		if (r->sequence == limit_of(r)) {
			leave(r);
			continue;
		}
		got = read_record(r, ret, fault);
		if (got == 1 || got < 0)
			return got;
		if (got == 2)
			r->is_over = true;
	}
	return 0;
}

/* --- what was found -------------------------------------------------------------------------- */

const char *journal_reader_id(const struct journal_reader *reader)
{
	return reader->id;
}

size_t journal_reader_segments(const struct journal_reader *reader, const struct journal_segment **ret)
{
	*ret = reader->segments;
	return reader->n;
}

const struct journal_damage *journal_reader_damage(const struct journal_reader *reader)
{
	return &reader->damage;
}

void journal_reader_tail(const struct journal_reader *reader, struct journal_tail *ret)
{
	*ret = (struct journal_tail){
		.segment = reader->n ? reader->segments[reader->n - 1].number : 0,
		.salt = reader->n ? reader->segments[reader->n - 1].head.salt : 0, .offset = reader->offset, .sequence = reader->sequence, .is_closed = reader->is_closed,
		.torn_to = reader->torn_to, .batch = reader->batch,
	};
	memcpy(ret->chain, reader->chain, JOURNAL_DIGEST);
}
