/* SPDX-License-Identifier: Apache-2.0 */
/* Torn or damaged? See look.h and docs/design/journal.md (J8).
 *
 * A batch is begun only when the one before is durable. So what is wrong somewhere is damage if a later batch was begun (a
 * record with JOURNAL_FLAG_BATCH, or a segment, follows), and may be the tail of a crash if none was. A crash leaves
 * sectors that were never written, which read as zeros, or stops in the middle; a record that was written to its last
 * byte and is wrong all the same is damage, too. */
#include "journal/look.h"

#include <inttypes.h>
#include <stdarg.h>

enum { SCAN = 1 << 20 };

/* --- saying it ------------------------------------------------------------------------------- */

static int report(struct journal_reader *r, enum journal_damage_kind kind, uint64_t segment, uint64_t offset,
		  const char *what, struct fault *fault)
{
	struct journal_damage *d = &r->damage;

	*d = (struct journal_damage){ .kind = kind, .segment = segment, .offset = offset, .sequence = r->sequence };
	snprintf(d->text, sizeof(d->text), "segment %010" PRIu64 ".seg, offset %" PRIu64 ": %s", segment, offset, what);
	return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER, "the journal is damaged: %s", d->text);
}

int journal_damaged(struct journal_reader *r, enum journal_damage_kind kind, uint64_t offset,
		    struct fault *fault, const char *format, ...)
{
	char what[200];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return report(r, kind, r->segments[r->at].number, offset, what, fault);
}

int journal_damaged_at(struct journal_reader *r, enum journal_damage_kind kind, uint64_t segment, uint64_t offset,
		       struct fault *fault, const char *what)
{
	return report(r, kind, segment, offset, what, fault);
}

int journal_missing(struct journal_reader *r, uint64_t from, uint64_t to, uint64_t first, uint64_t last,
		    struct fault *fault)
{
	struct journal_damage *d = &r->damage;

	*d = (struct journal_damage){ .kind = JOURNAL_MISSING, .segment = from, .sequence = first };
	if (from == to)
		snprintf(d->text, sizeof(d->text), "segment %010" PRIu64 ".seg is missing", from);
	else
		snprintf(d->text, sizeof(d->text), "segments %010" PRIu64 ".seg to %010" PRIu64 ".seg are missing", from,
			 to);
	if (first <= last)
		snprintf(d->text + strlen(d->text), sizeof(d->text) - strlen(d->text),
			 ", with records %" PRIu64 " to %" PRIu64, first, last);
	return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER, "the journal is damaged: %s", d->text);
}

/* --- what follows ---------------------------------------------------------------------------- */

/* Calls fn for each whole header from `from` on to the segment's end; stops when it returns true. -1 fault. */
static int scan_heads(struct journal_reader *r, uint64_t from,
		      bool (*fn)(struct journal_reader *r, uint64_t offset, const struct journal_head *head),
		      struct fault *fault)
{
	uint64_t size = r->segments[r->at].size, salt = r->segments[r->at].head.salt;
	char magic[4] = { (char)salt, (char)(salt >> 8), (char)(salt >> 16), (char)(salt >> 24) };

	for (uint64_t at = from; at + JOURNAL_HEAD <= size; at += SCAN - JOURNAL_HEAD) {
		struct journal_head head;
		struct bytes b;

		if (journal_reader_bytes(r, at, SCAN, &b, fault) < 0)
			return -1;
		for (size_t i = 0; i + JOURNAL_HEAD <= b.n; i += JOURNAL_ALIGN) {
			if (memcmp(b.p + i, magic, sizeof(magic)) == 0 &&
			    journal_head_read((const unsigned char *)b.p + i, salt, &head) == JOURNAL_HEAD_GOOD &&
			    fn(r, at + i, &head))
				return 0;
		}
	}
	return 0;
}

static bool note_batch(struct journal_reader *r, uint64_t offset, const struct journal_head *head)
{
	if ((head->flags & JOURNAL_FLAG_BATCH) && head->sequence > r->sequence && head->type != JOURNAL_END)
		r->last_batch = offset;
	return false;
}

/* Whether what stands at the offset at hand must once have been durable. -1 fault. */
static int is_settled(struct journal_reader *r, struct fault *fault)
{
	if (r->at + 1 < r->n)
		return 1;
	if (!r->has_last_batch) {
		if (scan_heads(r, r->offset + JOURNAL_ALIGN, note_batch, fault) < 0)
			return -1;
		r->has_last_batch = true;
	}
	return r->last_batch > r->offset;
}

static bool move_to(struct journal_reader *r, uint64_t offset, const struct journal_head *head)
{
	if (head->sequence <= r->sequence)
		return false;
	r->offset = offset;
	r->sequence = head->sequence;
	r->is_chained = false;
	return true;
}

/* Behind the damage: the next record of this segment, or the next segment. */
static void go_on(struct journal_reader *r, uint64_t from)
{
	struct journal_damage damage = r->damage;
	uint64_t before = r->sequence;
	struct fault fault;

	r->is_chained = false;
	if (scan_heads(r, from, move_to, &fault) < 0 || r->sequence == before) {
		r->at++;
		r->is_inside = false;
		r->is_over = r->at >= r->n;
	}
	r->damage = damage;
}

/* --- zeros ----------------------------------------------------------------------------------- */

static size_t zeros_at_end(struct bytes b)
{
	size_t n = 0;

	while (n < b.n && b.p[b.n - 1 - n] == '\0')
		n++;
	return n;
}

static bool all_zero(struct bytes b)
{
	return b.n == 0 || (b.p[0] == '\0' && memcmp(b.p, b.p + 1, b.n - 1) == 0);
}

/* Behind the last byte of the segment that is not zero. */
static int end_of_bytes(struct journal_reader *r, uint64_t *ret, struct fault *fault)
{
	uint64_t size = r->segments[r->at].size, end = r->offset;

	for (uint64_t at = r->offset; at < size; at += SCAN) {
		struct bytes b;

		if (journal_reader_bytes(r, at, SCAN, &b, fault) < 0)
			return -1;
		if (!all_zero(b))
			end = at + b.n - zeros_at_end(b);
	}
	*ret = end;
	return 0;
}

/* Whether a sector's share of [from, from + n), and of the zeros up to the next record, was never written, or the writing
 * stopped within it. */
static int is_unwritten(struct journal_reader *r, uint64_t from, uint64_t n, uint64_t end, struct fault *fault)
{
	struct bytes b;

	if (end + JOURNAL_ALIGN <= from + n)
		return 1;
	if (journal_reader_bytes(r, from, (n + JOURNAL_ALIGN - 1) / JOURNAL_ALIGN * JOURNAL_ALIGN, &b, fault) < 0)
		return -1;

	for (size_t i = 0; i < b.n;) {
		size_t to_edge = JOURNAL_SECTOR - (from + i) % JOURNAL_SECTOR;
		struct bytes share = bytes_head(bytes_skip(b, i), to_edge);

		if (all_zero(share))
			return 1;
		i += share.n;
	}
	return 0;
}

/* --- the verdicts ---------------------------------------------------------------------------- */

static int torn(struct journal_reader *r, uint64_t end)
{
	r->torn_to = end > r->offset ? end : 0;
	return 0;
}

static int head_damage(struct journal_reader *r, enum journal_head_state state, const struct journal_head *head,
		       struct fault *fault)
{
	uint64_t want = r->sequence;

	if (state == JOURNAL_HEAD_NONE)
		journal_damaged(r, JOURNAL_ZEROED, r->offset, fault, "zeros where record %" PRIu64 " should be", want);
	else if (state == JOURNAL_HEAD_BAD)
		journal_damaged(r, JOURNAL_FLIPPED, r->offset, fault, "the header of record %" PRIu64 " is damaged", want);
	else if (head->sequence != want)
		journal_damaged(r, JOURNAL_GAP, r->offset, fault, "record %" PRIu64 " stands where record %" PRIu64
				" should be", head->sequence, want);
	else
		journal_damaged(r, JOURNAL_GAP, r->offset, fault, "record %" PRIu64 " is longer than its segment", want);
	/* A whole record that is merely another one is the next to go on with. */
	go_on(r, state == JOURNAL_HEAD_GOOD && head->sequence > want ? r->offset : r->offset + JOURNAL_ALIGN);
	return -1;
}

/* A journal may be written while it is read: what came from the disk in one go need not be of one moment. But what was
 * wrong when something stood behind it, and is wrong still, is wrong. */
static int is_as_before(struct journal_reader *r, const unsigned char raw[JOURNAL_HEAD], struct fault *fault)
{
	struct bytes b;

	r->window_n = 0;
	if (journal_reader_bytes(r, r->offset, JOURNAL_HEAD, &b, fault) < 0)
		return -1;
	return b.n == 0 || memcmp(b.p, raw, b.n) == 0;
}

static int is_good_by_now(struct journal_reader *r, const struct journal_head *head, struct fault *fault)
{
	unsigned char digest[JOURNAL_DIGEST];
	struct bytes b;

	r->window_n = 0;
	if (journal_reader_bytes(r, r->offset + JOURNAL_HEAD, head->length, &b, fault) < 0)
		return -1;
	journal_hash(r->hash, b, BYTES_NULL, digest);
	return memcmp(digest, head->digest, JOURNAL_DIGEST) == 0;
}

int journal_look(struct journal_reader *r, const unsigned char raw[JOURNAL_HEAD], enum journal_head_state state,
		 const struct journal_head *head, struct fault *fault)
{
	int settled = is_settled(r, fault), unwritten, as_before;
	uint64_t end;

	if (settled < 0 || end_of_bytes(r, &end, fault) < 0)
		return -1;
	as_before = is_as_before(r, raw, fault);
	if (as_before <= 0)
		return as_before;
	if (settled)
		return head_damage(r, state, head, fault);
	if (state == JOURNAL_HEAD_NONE || end == r->offset) {
		torn(r, end);
		return 2;
	}

	unwritten = state == JOURNAL_HEAD_GOOD ? 0 : is_unwritten(r, r->offset, JOURNAL_HEAD, end, fault);
	if (unwritten < 0)
		return -1;
	if (!unwritten)
		return head_damage(r, state, head, fault);
	torn(r, end);
	return 2;
}

int journal_look_payload(struct journal_reader *r, const struct journal_head *head, struct fault *fault)
{
	uint64_t start = r->offset + JOURNAL_HEAD, end;
	int settled = is_settled(r, fault), good, unwritten;

	if (settled < 0 || (good = is_good_by_now(r, head, fault)) < 0)
		return -1;
	if (good)
		return 2;
	if (settled && head->type == JOURNAL_BODY)
		return 1;
	if (end_of_bytes(r, &end, fault) < 0)
		return -1;
	unwritten = is_unwritten(r, start, head->length, end, fault);
	if (unwritten < 0)
		return -1;
	if (!settled && unwritten) {
		torn(r, end);
		return 0;
	}

	journal_damaged(r, unwritten ? JOURNAL_ZEROED : JOURNAL_FLIPPED, r->offset, fault,
			"the payload of record %" PRIu64 " (%s) is %s", head->sequence,
			journal_type_name(head->type) ? journal_type_name(head->type) : "of a type not known",
			unwritten ? "zeros in part" : "damaged");
	return -1;
}
