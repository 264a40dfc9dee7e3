/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes: of the messages chosen those of both sides, of suspects what is needed to decide. Both sides are read at
 * once, over all their connections, and only digests are kept. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/books.h"
#include "verify/walk.h"

/* Suspects of a folder that are read. When all of them turned out to be right, further sizes are the server's habit; what
 * else they are is told without digests. */
enum { SUSPECTS = 64 };

enum verify_match verify_match(const struct ledger_message *row, const struct verify_bytes *source,
			       const struct verify_bytes *destination)
{
	bool has = row->has & LEDGER_HAS_DIGEST;
	const unsigned char *expected = source->read ? source->digest : has ? row->digest : NULL;
	bool as_copied = !source->read || !has || memcmp(source->digest, row->digest, 32) == 0;
	bool recorded = row->has & LEDGER_HAS_COPY_DIGEST && destination->read &&
			memcmp(destination->digest, row->copy_digest, 32) == 0;

	if (!destination->read)
		return VERIFY_MATCH_UNKNOWN;
	if (!expected)
		return recorded ? VERIFY_MATCH_RECORDED : VERIFY_MATCH_UNKNOWN;
	if (memcmp(destination->digest, expected, 32) == 0)
		return as_copied ? VERIFY_MATCH_SAME : VERIFY_MATCH_LEDGER;
	if (recorded)
		return as_copied ? VERIFY_MATCH_RECORDED : VERIFY_MATCH_SOURCE;
	if (!as_copied && memcmp(destination->digest, row->digest, 32) == 0)
		return VERIFY_MATCH_SOURCE;

	return VERIFY_MATCH_ALTERED;
}

/* --- reading --------------------------------------------------------------------------------- */

struct pile {
	struct verify_walk *walk;
	struct verify_side *side;
	struct bytes folder;
	uint32_t uidvalidity;
	struct verify_body *p;    /* by rising UID */
	size_t n;
	uint32_t *of_row;         /* index into p + 1, by row */
};

static void pile_init(struct pile *pile, struct verify_walk *w, bool destination)
{
	const struct ledger_folder *known = w->folder->known;

	*pile = (struct pile){
		.walk = w, .side = destination ? w->verify->to : w->verify->from,
		.folder = destination ? w->folder->destination_name : w->folder->source_name,
		.uidvalidity = destination ? known->destination_uidvalidity : known->source_uidvalidity,
		.p = xreallocarray(NULL, w->rows_n + 1, sizeof(*pile->p)),
		.of_row = xzalloc((w->rows_n + 1) * sizeof(*pile->of_row)),
	};
}

static void pile_done(struct pile *pile)
{
	free(pile->p);
	free(pile->of_row);
}

static void pile_add(struct pile *pile, size_t row, uint32_t uid, uint64_t expected)
{
	pile->p[pile->n++] = (struct verify_body){ .uid = uid, .row = (uint32_t)row,
						   .expected = expected };
}

static int by_uid(const void *a, const void *b)
{
	const struct verify_body *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* Two rows that name one copy share its body. */
static void pile_sort(struct pile *pile)
{
	size_t kept = 0;

	if (pile->n)
		qsort(pile->p, pile->n, sizeof(*pile->p), by_uid);
	for (size_t i = 0; i < pile->n; i++) {
		uint32_t row = pile->p[i].row;

		if (!kept || pile->p[kept - 1].uid != pile->p[i].uid)
			pile->p[kept++] = pile->p[i];
		pile->of_row[row] = (uint32_t)kept;
	}
	pile->n = kept;
}

static const struct verify_body *body_of(const struct pile *pile, size_t row)
{
	return pile->of_row[row] ? &pile->p[pile->of_row[row] - 1] : NULL;
}

static int read_pile(void *arg, struct fault *fault)
{
	struct pile *pile = arg;

	return verify_read_bodies(pile->side, pile->folder, pile->uidvalidity, pile->p, pile->n,
				  &pile->walk->folder->bytes, fault);
}

static int read_both(struct pile *here, struct pile *there, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "bytes");
	nursery_start(&nursery, read_pile, here, "source %.*s", BYTES_ARG(bytes_head(here->folder, 60)));
	nursery_start(&nursery, read_pile, there, "destination %.*s",
		      BYTES_ARG(bytes_head(there->folder, 60)));
	return nursery_wait(&nursery, fault);
}

/* --- choosing -------------------------------------------------------------------------------- */

static bool is_wanted(struct verify_walk *w, size_t i)
{
	uint8_t seen = w->seen[i];

	if (seen & (ROW_CHOSEN | ROW_UNKNOWN_HEADER))
		return true;

	return seen & ROW_SUSPECT && w->suspects++ < SUSPECTS;
}

static void choose(struct verify_walk *w, struct pile *here, struct pile *there)
{
	for (size_t i = 0; i < w->rows_n; i++) {
		const struct ledger_message *row = &w->rows.p[i];

		if (!is_wanted(w, i))
			continue;
		pile_add(there, i, row->copy_uid, row->size);
		if (w->seen[i] & ROW_HERE && (w->seen[i] & ROW_CHOSEN || !(row->has & LEDGER_HAS_DIGEST)))
			pile_add(here, i, row->uid, row->size);
	}
	pile_sort(here);
	pile_sort(there);
}

/* --- judging --------------------------------------------------------------------------------- */

static struct verify_bytes bytes_of_body(const struct verify_body *body)
{
	if (!body || body->state != VERIFY_BODY_READ)
		return (struct verify_bytes){ .read = false };

	return (struct verify_bytes){ true, body->size, body->digest };
}

static void note_bytes(struct verify_finding *f, const struct verify_bytes *source,
		       const struct verify_bytes *destination)
{
	if (source->read) {
		f->size = source->size;
		f->digest = source->digest;
	}
	if (destination->read) {
		f->copy_size = destination->size;
		f->copy_digest = destination->digest;
	}
}

static int tell_unreadable(struct verify_walk *w, const struct ledger_message *row, const char *side,
			   const struct verify_body *body, struct fault *fault)
{
	struct verify_finding f = verify_row_finding(w, row, VERIFY_UNREADABLE);
	char detail[200];

	if (!body || body->state != VERIFY_BODY_UNREADABLE)
		return 0;

	snprintf(detail, sizeof(detail), "%s: %s", side, body->why);
	f.detail = detail;
	return verify_tell(w->verify, &f, fault);
}

/* Removed by somebody between our listing and our reading. */
static int tell_vanished(struct verify_walk *w, const struct ledger_message *row, struct fault *fault)
{
	struct verify_finding f = verify_row_finding(w, row, VERIFY_MISSING);

	f.detail = "it was removed from the destination while this was verified";
	if (w->folder->there && w->seen[row - w->rows.p] & ROW_HERE) {
		w->folder->there--;
		w->folder->missing++;
		w->folder->destination.messages--;
	}
	return verify_tell(w->verify, &f, fault);
}

static int tell_altered(struct verify_walk *w, const struct ledger_message *row, const char *detail,
			const char *cause, const struct verify_bytes *source,
			const struct verify_bytes *destination, struct fault *fault)
{
	struct verify_finding f = verify_row_finding(w, row, VERIFY_ALTERED);

	note_bytes(&f, source, destination);
	f.cause = cause;
	f.detail = detail;
	return verify_tell(w->verify, &f, fault);
}

/* Both sides were read, and the ledger may say so from now on. */
static void mark(struct verify_walk *w, const struct ledger_message *row, const struct verify_bytes *source)
{
	struct ledger *ledger = w->verify->options.ledger;

	if (!source->read)
		return;
	if (!(row->has & LEDGER_HAS_DIGEST))
		ledger_set_digest(ledger, row->folder, row->uid, source->size, source->digest);
	if (!(row->has & LEDGER_VERIFIED))
		ledger_set_state(ledger, row->folder, row->uid, (enum ledger_state)row->state,
				 LEDGER_VERIFIED);
}

static int judge_match(struct verify_walk *w, const struct ledger_message *row,
		       const struct verify_bytes *source, const struct verify_bytes *destination,
		       struct fault *fault)
{
	switch (verify_match(row, source, destination)) {
	case VERIFY_MATCH_SAME:
		w->wrong_sizes += (w->seen[row - w->rows.p] & ROW_SIZE) != 0;
		mark(w, row, source);
		return 0;
	case VERIFY_MATCH_RECORDED:
		mark(w, row, source);
		return tell_altered(w, row, row->detail, books_cause_name(CAUSE_ALTERED), source,
				    destination, fault);
	case VERIFY_MATCH_SOURCE:
		return tell_altered(w, row, "the source serves other bytes now than when it was copied",
				    "", source, destination, fault);
	case VERIFY_MATCH_LEDGER:
		return tell_altered(w, row, "both sides have the same bytes, but others than were copied",
				    "", source, destination, fault);
	case VERIFY_MATCH_ALTERED:
		return tell_altered(w, row, "the destination has other bytes", "", source, destination,
				    fault);
	case VERIFY_MATCH_UNKNOWN:
		break;
	}
	return 0;
}

static int judge(struct verify_walk *w, size_t i, const struct pile *here, const struct pile *there,
		 struct fault *fault)
{
	const struct ledger_message *row = &w->rows.p[i];
	const struct verify_body *h = body_of(here, i), *t = body_of(there, i);
	struct verify_bytes source = bytes_of_body(h), destination = bytes_of_body(t);

	if (!t)
		return 0;
	if (t->state == VERIFY_BODY_VANISHED)
		return tell_vanished(w, row, fault);
	if (tell_unreadable(w, row, "source", h, fault) < 0 ||
	    tell_unreadable(w, row, "destination", t, fault) < 0)
		return -1;

	w->folder->compared += destination.read && (source.read || row->has & LEDGER_HAS_DIGEST);
	return judge_match(w, row, &source, &destination, fault);
}

/* Beyond what is looked into: sizes are believed to lie if those read did, headers are not. */
static int judge_unread(struct verify_walk *w, size_t i, const struct pile *there, struct fault *fault)
{
	const struct ledger_message *row = &w->rows.p[i];
	bool altered = w->folder->tally[VERIFY_ALTERED].found > 0;

	if (!(w->seen[i] & ROW_SUSPECT) || body_of(there, i))
		return 0;

	if (!(w->seen[i] & ROW_HEADER) && !altered) {
		w->wrong_sizes++;
		return 0;
	}
	return tell_altered(w, row, w->seen[i] & ROW_HEADER
					    ? "the destination shows another header; many do, its bytes were not read"
					    : "the destination tells another size; many do, its bytes were not read",
			    "", &(struct verify_bytes){ .read = false },
			    &(struct verify_bytes){ .read = false }, fault);
}

int verify_content(struct verify_walk *w, struct fault *fault)
{
	struct pile here, there;
	int r = 0;

	if (w->verify->options.level == VERIFY_COUNTS)
		return 0;

	pile_init(&here, w, false);
	pile_init(&there, w, true);
	choose(w, &here, &there);
	if (there.n)
		r = read_both(&here, &there, fault);
	for (size_t i = 0; i < w->rows_n && r == 0; i++) {
		r = judge(w, i, &here, &there, fault);
		if (r == 0)
			r = judge_unread(w, i, &there, fault);
	}
	pile_done(&here);
	pile_done(&there);
	return r < 0 ? -1 : verify_commit_some(w->verify, fault);
}
