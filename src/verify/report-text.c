/* SPDX-License-Identifier: Apache-2.0 */
/* For people: the verdict first, then the table, the books, and what was found, kind by kind. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mail/utf8.h"
#include "verify/fact.h"
#include "verify/report.h"
#include "verify/sample.h"

/* --- findings -------------------------------------------------------------------------------- */

static void add_printable(struct buf *to, const char *before, const char *text)
{
	if (!text || !text[0])
		return;

	buf_append_str(to, before);
	utf8_printable(to, bytes_of(text));
}

static void add_digest(struct buf *to, const char *before, const unsigned char *digest)
{
	char hex[65];

	if (!digest)
		return;

	verify_hex(hex, digest);
	buf_appendf(to, "%s%s", before, hex);
}

/* What a pass of copy noted of an altered message names both digests. */
static bool names_digests(const struct verify_finding *f)
{
	char here[65], there[65];

	if (!f->detail || !f->digest || !f->copy_digest)
		return false;

	verify_hex(here, f->digest);
	verify_hex(there, f->copy_digest);
	return strstr(f->detail, here) && strstr(f->detail, there);
}

static void add_place(struct buf *to, const struct verify_finding *f)
{
	if (f->folder)
		utf8_printable(to, f->folder->source_utf8.n ? f->folder->source_utf8
							    : f->folder->destination_utf8);
	if (f->uid)
		buf_appendf(to, " UID %" PRIu32, f->uid);
	if (f->copy_uid)
		buf_appendf(to, ", at the destination UID %" PRIu32, f->copy_uid);
	if (!f->uid && !f->copy_uid && f->messages)
		buf_appendf(to, ", %" PRIu64 " message%s", f->messages, f->messages == 1 ? "" : "s");
}

static void add_accepted(struct buf *to, const struct ledger_accepted *a)
{
	if (!a)
		return;

	add_printable(to, "; accepted by ", a->who);
	buf_append_str(to, " on ");
	verify_time(to, a->at / SECOND);
	add_printable(to, ": ", a->reason);
}

void verify_text_finding(struct verify_report *r, const struct verify_finding *f)
{
	struct buf *to = &r->kept[f->kind];

	if (r->lines[f->kind]++ >= r->most)
		return;

	buf_append_str(to, "  ");
	add_place(to, f);
	add_printable(to, ": ", f->cause);
	add_printable(to, ": ", f->detail);
	add_printable(to, " ", f->message_id);
	if (names_digests(f)) {
		add_accepted(to, f->accepted);
		buf_append_char(to, '\n');
		return;
	}
	if (f->size && f->copy_size && f->size != f->copy_size)
		buf_appendf(to, ", %" PRIu64 " bytes, at the destination %" PRIu64, f->size, f->copy_size);
	else if (f->size || f->copy_size)
		buf_appendf(to, ", %" PRIu64 " bytes", f->size ? f->size : f->copy_size);
	add_digest(to, ", SHA-256 ", f->digest);
	add_digest(to, ", at the destination ", f->copy_digest);
	add_accepted(to, f->accepted);
	buf_append_char(to, '\n');
}

void verify_text_findings(const struct verify_report *r, const struct verify *v, bool fails, struct buf *to)
{
	for (int kind = 0; kind < VERIFY_KINDS; kind++) {
		const struct verify_tally *t = &v->tally[kind];

		if (!t->found || verify_kind_fails((enum verify_kind)kind) != fails)
			continue;
		buf_appendf(to, "\n%s (%" PRIu64 "): %s\n", verify_kind_name((enum verify_kind)kind), t->found,
			    verify_kind_words((enum verify_kind)kind));
		buf_append_bytes(to, buf_bytes(&r->kept[kind]));
		if (r->lines[kind] > r->most)
			buf_appendf(to, "  … and %" PRIu64 " more; a report in JSON or CSV has them all\n",
				    r->lines[kind] - r->most);
	}
}

/* --- the whole ------------------------------------------------------------------------------- */

static void add_sample(const struct verify *v, const struct verify_folder *total, struct buf *to)
{
	uint64_t wrong = v->tally[VERIFY_ALTERED].found + v->tally[VERIFY_UNREADABLE].found;

	if (v->options.level != VERIFY_CONTENT)
		return;

	buf_append_str(to, "bytes        ");
	verify_share(to, v->options.sample_ppm);
	buf_appendf(to, " of the messages, seed %" PRIu64 ": %" PRIu64 " compared at both sides", v->options.seed,
		    total->compared);
	if (v->options.sample_ppm < VERIFY_ALL_PPM && total->compared > 3 && !wrong)
		buf_appendf(to, "; none differs, so with 95%% confidence fewer than %.3g%% of all do",
			    100 * verify_sample_bound(total->compared));
	buf_append_char(to, '\n');
}

static void add_head(const struct verify_report *r, const struct verify *v, const struct verify_folder *total,
		     struct buf *to)
{
	buf_appendf(to, "mailferry %s verify, level %s%s\n", MAILFERRY_VERSION, verify_level_name(v->options.level),
		    v->options.partial ? ", of chosen folders only" : "");
	add_printable(to, "source       ", r->from);
	add_printable(to, "\n             ", v->from_server);
	add_printable(to, "\ndestination  ", r->to);
	add_printable(to, "\n             ", v->to_server);
	add_printable(to, "\nledger       ", r->ledger);
	buf_append_str(to, "\nfrom         ");
	verify_time(to, v->began_us / SECOND);
	buf_append_str(to, "\nto           ");
	verify_time(to, v->ended_us / SECOND);
	buf_append_char(to, '\n');
	add_sample(v, total, to);
}

void verify_verdict(struct buf *to, const struct verify *v)
{
	const char *before = ": ";

	buf_append_str(to, verify_grade_words(v->grade));
	for (int kind = 0; kind < VERIFY_KINDS; kind++) {
		const struct verify_tally *t = &v->tally[kind];

		if (!verify_kind_fails((enum verify_kind)kind) || !t->found)
			continue;
		buf_appendf(to, "%s%" PRIu64 " %s", before, t->found, verify_kind_name((enum verify_kind)kind));
		if (t->accepted)
			buf_appendf(to, " (%" PRIu64 " accepted)", t->accepted);
		before = ", ";
	}
}

static void add_verdict(const struct verify *v, const struct verify_folder *total,
			const struct fault *stopped, struct buf *to)
{
	buf_append_str(to, "\nverdict      ");
	verify_verdict(to, v);
	buf_append_char(to, '\n');
	if (stopped)
		add_printable(to, "stopped      ", stopped->text);
	if (stopped)
		buf_append_char(to, '\n');
	if (total->fresh)
		buf_appendf(to, "             %" PRIu64 " message%s came to the source since the last pass: the next "
			    "pass of copy brings them\n", total->fresh, total->fresh == 1 ? "" : "s");
}

static void add_row(const char *name, struct bytes folder, const struct verify_folder *f, struct buf *to)
{
	_cleanup_(buf_done) struct buf here = BUF_NULL, there = BUF_NULL;

	buf_append_str(to, "  ");
	utf8_cell(to, name ? bytes_of(name) : folder, 30);
	if (f->source.counted)
		buf_append_u64(&here, f->source.messages);
	if (f->destination.counted)
		buf_append_u64(&there, f->destination.messages);
	buf_appendf(to, " %9s %9" PRIu64 " %9s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "%s\n",
		    here.n ? buf_str(&here) : "?", f->copied, there.n ? buf_str(&there) : "?", f->missing,
		    f->not_copied, f->fresh, f->state == VERIFY_FAILED ? "  not looked through" : "");
}

static void add_table(const struct verify *v, const struct verify_folder *total, struct buf *to)
{
	bool left_out = false;

	buf_append_str(to, "\n  ");
	utf8_cell(to, BYTES("folder"), 30);
	buf_appendf(to, " %9s %9s %9s %9s %9s %9s\n", "source", "ledger", "there", "missing", "excepted", "new");
	for (size_t i = 0; i < v->n; i++) {
		if (!v->folders[i].left_out[0])
			add_row(NULL, v->folders[i].source_utf8, &v->folders[i], to);
		left_out = left_out || v->folders[i].left_out[0];
	}
	add_row("total", BYTES_NULL, total, to);
	if (!left_out)
		return;

	buf_append_str(to, "\nnot looked at\n");
	for (size_t i = 0; i < v->n; i++)
		if (v->folders[i].left_out[0]) {
			buf_append_str(to, "  ");
			utf8_printable(to, v->folders[i].source_utf8);
			add_printable(to, ": ", v->folders[i].left_out);
			buf_append_char(to, '\n');
		}
}

static void add_flags(const char *name, const struct verify_count *c, struct buf *to)
{
	buf_appendf(to, "  %-12s %" PRIu64 " messages, %" PRIu64 " bytes as the server tells them; seen %" PRIu64
		    ", answered %" PRIu64 ", flagged %" PRIu64 ", deleted %" PRIu64 ", draft %" PRIu64
		    ", with keywords %" PRIu64 "%s\n", name, c->messages, c->bytes, c->seen, c->answered,
		    c->flagged, c->deleted, c->draft, c->keywords,
		    c->from_ledger ? " (of folders unchanged since the last pass as the ledger has them)" : "");
}

static void add_books(const struct verify_folder *t, bool finished, struct buf *to)
{
	bool whole = t->state == VERIFY_DONE && t->source.counted && t->destination.counted;

	buf_append_str(to, "\n");
	add_flags("source", &t->source, to);
	add_flags("destination", &t->destination, to);
	buf_appendf(to, "\nsource %" PRIu64 " = at the destination %" PRIu64 " + elsewhere there %" PRIu64
		    " + missing %" PRIu64 " + excepted %" PRIu64 " + new %" PRIu64 " + left out by date %" PRIu64
		    " + unaccounted %" PRIu64 " + not listed %" PRIu64 "\n", t->source.messages, t->there,
		    t->elsewhere, t->missing, t->not_copied, t->fresh, t->filtered, t->unaccounted, t->unlisted);
	buf_appendf(to, "destination %" PRIu64 " = copies %" PRIu64 " + copies of what has left the source %" PRIu64
		    " + others %" PRIu64 "\n", t->destination.messages, t->there, t->kept, t->strangers);
	buf_append_str(to, finished && verify_closes(t) ? "The books close.\n"
			   : finished && whole ? "The books do not close.\n" : "The books are open: not all was looked at.\n");
}

void verify_text_end(struct verify_report *r, const struct verify *v, const struct fault *stopped,
		     struct buf *to)
{
	struct verify_folder total = verify_total(v);

	add_head(r, v, &total, to);
	add_verdict(v, &total, stopped, to);
	add_table(v, &total, to);
	add_books(&total, !stopped, to);
	verify_text_findings(r, v, true, to);
	verify_text_findings(r, v, false, to);
	if (v->accepted_n)
		buf_append_str(to, "\naccepted\n");
	for (size_t i = 0; i < v->accepted_n; i++) {
		const struct ledger_accepted *a = &v->accepted[i];

		add_printable(to, "  ", a->cause);
		add_printable(to, " in ", a->folder);
		if (a->uid)
			buf_appendf(to, " UID %" PRIu32, a->uid);
		add_accepted(to, a);
		buf_append_char(to, '\n');
	}
}
