/* SPDX-License-Identifier: Apache-2.0 */
/* The audit, see audit.h. */
#include "journal/audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/xalloc.h"
#include "journal/fold.h"
#include "journal/key.h"
#include "os/file.h"
#include "os/folder.h"

/* A body whose payload is not what was written: as it should be if a DROPPED says so. */
struct suspect {
	uint64_t sequence, segment, offset;
	bool is_dropped;
};

/* Digest of a body, to hold the messages' own against: kept from BODY to ACCEPT only. */
struct body {
	uint64_t sequence, segment, offset;
	uint32_t length;
	bool is_punched;
};

struct audit {
	const char *path;
	const struct journal_audit_options *options;
	struct journal_audit *result;
	struct journal_key *key;
	struct journal_reader *reader;
	struct journal_hash *hash;
	struct fold fold;
	struct arena arena;
	struct journal_record *at; /* the record at hand, or NULL */

	struct suspect *suspects; /* by sequence */
	size_t n_suspects, suspects_size;
	struct body *bodies;      /* by sequence: those that no ACCEPT has named yet */
	size_t n_bodies, bodies_size, bodies_full; /* full: then those that were named go */
	uint64_t first_segment;
	uint64_t dropped_to;      /* segments that were removed, as the journal says */
	bool is_whole;            /* no damage was met: what is not there was removed in order */
	bool is_based;            /* result->base is what was before the first segment there is */
	struct os_block *block;   /* the segment that content was last read from */
	uint64_t block_segment;

	/* What checkpoints/ signs, by sequence. */
	struct signed_point {
		uint64_t sequence;
		unsigned char chain[JOURNAL_DIGEST];
		bool is_seen;
	} *points;
	size_t n_points, points_size;
};

/* --- findings -------------------------------------------------------------------------------- */

static void found(struct audit *a, enum journal_finding_kind kind, uint64_t segment, uint64_t offset,
		  uint64_t sequence, const char *name, const char *text)
{
	struct journal_finding finding = { kind, name, segment, offset, sequence, text };

	a->result->found++;
	if (a->options->found)
		a->options->found(a->options->arg, &finding);
}

static void found_here(struct audit *a, enum journal_finding_kind kind, const char *format, ...)
	PRINTF_LIKE(3, 4);

static void found_here(struct audit *a, enum journal_finding_kind kind, const char *format, ...)
{
	static const char *const names[] = { "damage", "content", "record", "leg", "books", "checkpoint" };
	char text[400];
	int n = 0;
	va_list args;

	if (a->at)
		n = snprintf(text, sizeof(text), "segment %010" PRIu64 ".seg, offset %" PRIu64 ": record %" PRIu64 ": ",
			     a->at->segment, a->at->offset, a->at->head.sequence);
	va_start(args, format);
	vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
	va_end(args);
	found(a, kind, a->at ? a->at->segment : 0, a->at ? a->at->offset : 0, a->at ? a->at->head.sequence : 0,
	      names[kind], text);
}

static void on_wrong(void *arg, bool is_leg, const char *text)
{
	found_here(arg, is_leg ? JOURNAL_FINDING_LEG : JOURNAL_FINDING_RECORD, "%s", text);
}

/* --- content --------------------------------------------------------------------------------- */

static struct body *find_body(struct audit *a, uint64_t sequence)
{
	size_t low = 0, high = a->n_bodies;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (a->bodies[mid].sequence < sequence)
			low = mid + 1;
		else
			high = mid;
	}
	return low < a->n_bodies && a->bodies[low].sequence == sequence ? &a->bodies[low] : NULL;
}

static void note_body(struct audit *a, const struct journal_record *record)
{
	/* What was named already goes; one that stays is a message under way, or an orphan. Seldom, when most of them stay. */
	if (a->n_bodies > a->bodies_full) {
		size_t kept = 0;

		for (size_t i = 0; i < a->n_bodies; i++)
			if (a->bodies[i].length != UINT32_MAX)
				a->bodies[kept++] = a->bodies[i];
		a->n_bodies = kept;
		a->bodies_full = 2 * kept + 4096;
	}
	a->bodies = xgrow(a->bodies, &a->bodies_size, a->n_bodies + 1, sizeof(*a->bodies));
	a->bodies[a->n_bodies++] = (struct body){ record->head.sequence, record->segment, record->offset,
						  record->head.length, record->is_punched };
	if (!record->is_punched)
		return;
	a->suspects = xgrow(a->suspects, &a->suspects_size, a->n_suspects + 1, sizeof(*a->suspects));
	a->suspects[a->n_suspects++] = (struct suspect){ record->head.sequence, record->segment, record->offset, false };
}

static int feed_body(struct audit *a, const struct body *body)
{
	_cleanup_(buf_done) struct buf name = BUF_NULL;
	_cleanup_(freep) char *content = xmalloc(body->length + 1);
	struct fault fault;

	if (!a->block || a->block_segment != body->segment) {
		a->block = os_block_close(a->block);
		journal_segment_path(&name, a->path, body->segment);
		if (os_block_open(buf_str(&name), false, &a->block, &fault) < 0)
			return -1;
		a->block_segment = body->segment;
	}
	if (os_block_read(a->block, body->offset + JOURNAL_HEAD, content, body->length, &fault) < (int64_t)body->length)
		return -1;
	journal_hash_feed(a->hash, (struct bytes){ content, body->length });
	return 0;
}

static void check_content(struct audit *a, const struct journal_accept *accept)
{
	unsigned char digest[JOURNAL_DIGEST];
	uint64_t size = 0;
	bool whole = true;

	journal_hash_begin(a->hash);
	for (size_t i = 0; i < accept->n_bodies; i++) {
		struct body *body = find_body(a, accept->bodies[i]);

		if (!body || body->length == UINT32_MAX) {
			if (accept->bodies[i] >= a->result->first)
				found_here(a, JOURNAL_FINDING_CONTENT, "message %" PRIu64 " names body %" PRIu64
					   ", which is %s", accept->message, accept->bodies[i],
					   body ? "another message's, too" : "not there");
			whole = false;
			break;
		}
		size += body->length;
		whole = whole && !body->is_punched && feed_body(a, body) == 0;
		body->length = UINT32_MAX;
	}
	journal_hash_end(a->hash, digest);
	if (whole && (size != accept->size || memcmp(digest, accept->digest, JOURNAL_DIGEST) != 0))
		found_here(a, JOURNAL_FINDING_CONTENT, "message %" PRIu64 ": its bodies are not the content that was accepted",
			   accept->message);
}

static int by_sequence(const void *a, const void *b)
{
	const struct suspect *x = a, *y = b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static void check_dropped(struct audit *a, const struct journal_dropped *dropped)
{
	for (size_t i = 0; i < dropped->n_bodies; i++) {
		struct suspect key = { .sequence = dropped->bodies[i].sequence }, *s = NULL;

		if (a->n_suspects)
			s = bsearch(&key, a->suspects, a->n_suspects, sizeof(key), by_sequence);
		a->result->dropped++;
		if (s)
			s->is_dropped = true;
	}
	if (dropped->segments_to > a->dropped_to)
		a->dropped_to = dropped->segments_to;
	/* Segments go one after the other, each with a record: only that of the last one that went is about all of them. */
	if (dropped->n_base && dropped->segments_to + 1 == a->first_segment) {
		a->result->base = dropped->base[0];
		a->result->removed = dropped->segments_to;
		a->is_based = true;
	}
}

/* --- checkpoints ----------------------------------------------------------------------------- */

static void check_signed(struct audit *a, uint64_t sequence, const unsigned char chain[JOURNAL_DIGEST],
			 struct bytes signature)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	journal_checkpoint_text(&text, a->result->id, sequence, chain);
	if (journal_signature_is_good(a->key, buf_bytes(&text), signature))
		a->result->checkpoints++;
	else
		found_here(a, JOURNAL_FINDING_CHECKPOINT, "the signature of the checkpoint at record %" PRIu64 " is wrong",
			   sequence);
}

static int by_signed(const void *a, const void *b)
{
	const struct signed_point *x = a, *y = b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static struct signed_point *find_point(struct audit *a, uint64_t sequence)
{
	struct signed_point key = { .sequence = sequence };

	return a->n_points ? bsearch(&key, a->points, a->n_points, sizeof(key), by_signed) : NULL;
}

/* What was removed is settled: once it is known, the sums are those from the first record on. */
static void count_all(const struct audit *a, struct journal_tallies *ret)
{
	const struct journal_base *base = &a->result->base;

	fold_tallies(&a->fold, ret);
	ret->messages += base->messages;
	ret->legs += base->legs;
	ret->delivered += base->delivered;
	ret->returned += base->returned;
}

static void check_books(struct audit *a, const struct journal_tallies *theirs)
{
	struct journal_tallies ours;

	if (!a->is_whole || (!a->fold.is_whole && !a->is_based))
		return;
	count_all(a, &ours);
	if (memcmp(&ours, theirs, sizeof(ours)) != 0)
		found_here(a, JOURNAL_FINDING_BOOKS, "the keeper counted %" PRIu64 " legs, %" PRIu64 " delivered, %" PRIu64
			   " held, %" PRIu64 " returned; the records say %" PRIu64 ", %" PRIu64 ", %" PRIu64 ", %" PRIu64,
			   theirs->legs, theirs->delivered, theirs->held, theirs->returned, ours.legs, ours.delivered,
			   ours.held, ours.returned);
}

static void check_checkpoint(struct audit *a, const struct journal_checkpoint *c)
{
	struct signed_point *point;

	check_signed(a, c->sequence, c->chain, c->signature);
	if (c->n_tallies)
		check_books(a, &c->tallies[0]);

	/* The chain at that record went by some time ago: it was noted if somebody signed for it. */
	point = find_point(a, c->sequence);
	if (point && point->is_seen && memcmp(point->chain, c->chain, JOURNAL_DIGEST) != 0)
		found_here(a, JOURNAL_FINDING_CHECKPOINT, "the checkpoint at record %" PRIu64 " signs another chain",
			   c->sequence);
}

static int hex_nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_point(struct bytes text, const char *id, struct signed_point *ret)
{
	struct bytes first = bytes_cut(&text, '\n'), second = bytes_cut(&text, '\n'), hex;
	struct bytes number = bytes_cut(&text, '\n');

	hex = bytes_cut(&text, '\n');
	if (!bytes_equal(first, BYTES("mailferry checkpoint v1")) || !bytes_equal(second, bytes_of(id)) ||
	    hex.n != 2 * JOURNAL_DIGEST || text.n > 0 ||
	    bytes_to_u64(number, UINT64_MAX, &ret->sequence) < 0)
		return false;
	for (size_t i = 0; i < JOURNAL_DIGEST; i++) {
		int high = hex_nibble(hex.p[2 * i]), low = hex_nibble(hex.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret->chain[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static void read_point(struct audit *a, const char *name)
{
	_cleanup_(buf_done) struct buf path = BUF_NULL, text = BUF_NULL, signature = BUF_NULL;
	struct signed_point point = { 0 };
	size_t stem = strlen(name) - 4;
	struct fault fault;

	buf_appendf(&path, "%s/checkpoints/%s", a->path, name);
	if (os_read_file(buf_str(&path), 1024, &text, &fault) < 0) {
		found_here(a, JOURNAL_FINDING_CHECKPOINT, "%s", fault.text);
		return;
	}
	buf_reset(&path);
	buf_appendf(&path, "%s/checkpoints/%.*s.sig", a->path, (int)stem, name);
	if (os_read_file(buf_str(&path), 1024, &signature, &fault) < 0)
		return; /* a crash came between the two: the record has the signature */
	if (!parse_point(buf_bytes(&text), a->result->id, &point) ||
	    !journal_signature_is_good(a->key, buf_bytes(&text), buf_bytes(&signature))) {
		found_here(a, JOURNAL_FINDING_CHECKPOINT, "checkpoints/%s is not what its signature signs", name);
		return;
	}
	a->points = xgrow(a->points, &a->points_size, a->n_points + 1, sizeof(*a->points));
	a->points[a->n_points++] = point;
}

static int read_points(struct audit *a, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(buf_done) struct buf folder = BUF_NULL;
	const char **names;
	size_t n;

	buf_appendf(&folder, "%s/checkpoints", a->path);
	if (os_list_folder(buf_str(&folder), &arena, &names, &n, fault) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i]) > 4 && strcmp(names[i] + strlen(names[i]) - 4, ".txt") == 0)
			read_point(a, names[i]);
	if (a->n_points)
		qsort(a->points, a->n_points, sizeof(*a->points), by_signed);
	return 0;
}

static void pass_point(struct audit *a, const struct journal_record *record)
{
	struct signed_point *point = a->n_points ? find_point(a, record->head.sequence) : NULL;

	if (!point)
		return;
	point->is_seen = true;
	/* behind damage the chain is not known */
	if (record->is_chained && memcmp(point->chain, record->chain, JOURNAL_DIGEST) != 0)
		found_here(a, JOURNAL_FINDING_CHECKPOINT, "checkpoints/ signs another chain");
}

/* --- records --------------------------------------------------------------------------------- */

struct any_record {
	_Alignas(16) unsigned char bytes[1024];
};

static bool names_leg(const struct journal_leg *legs, size_t n, uint64_t message)
{
	for (size_t i = 0; i < n; i++)
		if (legs[i].message == message)
			return true;
	return false;
}

static bool names_outcome(const struct journal_result *r, uint64_t message)
{
	for (size_t i = 0; i < r->n_outcomes; i++)
		if (r->outcomes[i].message == message)
			return true;
	return false;
}

static bool names_message(unsigned type, const struct any_record *any, uint64_t message)
{
	const struct journal_attempt *attempt = (const void *)any;
	const struct journal_order *order = (const void *)any;

	switch (type) {
	case JOURNAL_ACCEPT:
		return ((const struct journal_accept *)(const void *)any)->message == message;
	case JOURNAL_LEG:
		return ((const struct journal_leg_opened *)(const void *)any)->message == message;
	case JOURNAL_SUPPRESSED:
		return ((const struct journal_suppressed *)(const void *)any)->message == message;
	case JOURNAL_ATTEMPT:
	case JOURNAL_INTENT:
		return names_leg(attempt->legs, attempt->n_legs, message);
	case JOURNAL_RESULT:
	case JOURNAL_DOUBT:
		return names_outcome((const void *)any, message);
	case JOURNAL_HOLD:
	case JOURNAL_RELEASE:
	case JOURNAL_RETRY:
	case JOURNAL_RETURNED:
		return names_leg(order->legs, order->n_legs, message);
	default:
		return false;
	}
}

static void check_record(struct audit *a, const struct journal_record *record)
{
	const struct field_table *table = journal_table(record->head.type);
	struct any_record any;
	struct fault fault;

	pass_point(a, record);
	if (record->head.type == JOURNAL_BODY)
		note_body(a, record);
	if (!table)
		return;
	arena_reset(&a->arena);
	if (fields_decode(table, record->payload, &a->arena, &any, &fault) < 0) {
		found_here(a, JOURNAL_FINDING_RECORD, "%s", fault.text);
		return;
	}
	if (record->head.type == JOURNAL_ACCEPT)
		check_content(a, (const void *)&any);
	if (record->head.type == JOURNAL_DROPPED)
		check_dropped(a, (const void *)&any);
	if (record->head.type == JOURNAL_CHECKPOINT)
		check_checkpoint(a, (const void *)&any);
	fold_record(&a->fold, record->head.type, &any);
	if (a->options->message && a->options->record && names_message(record->head.type, &any, a->options->message))
		a->options->record(a->options->arg, record, journal_type_name(record->head.type));
}

static int read_records(struct audit *a, struct fault *fault)
{
	struct journal_record record;
	int r;

	while ((r = journal_reader_next(a->reader, &record, fault)) != 0) {
		const struct journal_damage *d = journal_reader_damage(a->reader);

		if (r < 0 && d->kind == JOURNAL_SOUND)
			return -1;
		if (r < 0) {
			found(a, JOURNAL_FINDING_DAMAGE, d->segment, d->offset, d->sequence,
			      journal_damage_name(d->kind), d->text);
			/* What is behind a gap may speak of what was in it. */
			a->fold.is_whole = a->is_whole = false;
			continue;
		}
		if (a->result->records++ == 0)
			a->result->first = record.head.sequence;
		a->at = &record;
		check_record(a, &record);
		a->at = NULL;
	}
	return 0;
}

static void check_end(struct audit *a)
{
	struct journal_tail tail;

	journal_reader_tail(a->reader, &tail);
	a->result->torn = tail.torn_to ? tail.torn_to - tail.offset : 0;
	for (size_t i = 0; i < a->n_suspects; i++) {
		const struct suspect *s = &a->suspects[i];
		char text[200];

		if (s->is_dropped)
			continue;
		snprintf(text, sizeof(text), "segment %010" PRIu64 ".seg, offset %" PRIu64 ": the payload of record %" PRIu64
			 " (body) is not what was written, and nothing says that it was dropped", s->segment, s->offset,
			 s->sequence);
		found(a, JOURNAL_FINDING_CONTENT, s->segment, s->offset, s->sequence, "content", text);
	}
	for (size_t i = 0; i < a->n_points; i++)
		if (a->points[i].sequence >= tail.sequence)
			found_here(a, JOURNAL_FINDING_CHECKPOINT, "checkpoints/ signs record %" PRIu64
				   ", but the journal ends with record %" PRIu64 ": its end is missing",
				   a->points[i].sequence, tail.sequence - 1);
}

static void check_start(struct audit *a)
{
	const struct journal_segment *segments;
	size_t n = journal_reader_segments(a->reader, &segments);
	char text[200];

	a->result->segments = n;
	if (n == 0 || segments[0].number == 1 || a->dropped_to + 1 >= segments[0].number)
		return;
	snprintf(text, sizeof(text), "segments up to %010" PRIu64 ".seg are missing, and nothing says that they were removed",
		 segments[0].number - 1);
	found(a, JOURNAL_FINDING_DAMAGE, segments[0].number - 1, 0, 0, journal_damage_name(JOURNAL_MISSING), text);
}

static int audit(struct audit *a, struct fault *fault)
{
	const struct journal_segment *segments;
	size_t n;

	if (journal_reader_open(a->path, 0, JOURNAL_READ_ALL, &a->reader, fault) < 0 ||
	    journal_key_public(a->path, &a->key, fault) < 0)
		return -1;
	memcpy(a->result->id, journal_reader_id(a->reader), sizeof(a->result->id));
	n = journal_reader_segments(a->reader, &segments);
	a->first_segment = n > 0 ? segments[0].number : 0;
	a->fold.is_whole = a->first_segment == 1;
	a->is_whole = true;
	if (read_points(a, fault) < 0 || read_records(a, fault) < 0)
		return -1;
	check_start(a);
	check_end(a);
	count_all(a, &a->result->tallies);
	return 0;
}

int journal_audit(const char *path, const struct journal_audit_options *options, struct journal_audit *ret,
		  struct fault *fault)
{
	struct audit a = { .path = path, .options = options, .result = ret };
	int r;

	*ret = (struct journal_audit){ .segments = 0 };
	a.hash = journal_hash_new();
	a.fold.wrong = on_wrong;
	a.fold.arg = &a;
	r = audit(&a, fault);
	journal_reader_close(a.reader);
	journal_hash_free(a.hash);
	journal_key_free(a.key);
	os_block_close(a.block);
	fold_done(&a.fold);
	arena_done(&a.arena);
	free(a.suspects);
	free(a.bodies);
	free(a.points);
	return r;
}
