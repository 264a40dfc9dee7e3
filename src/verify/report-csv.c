/* SPDX-License-Identifier: Apache-2.0 */
/* One table: a line for each finding, before them one about the run, behind them one for each folder and the total. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mail/utf8.h"
#include "verify/fact.h"
#include "verify/report.h"

static const char columns[] =
	"record,finding,fails,folder,destination_folder,uid,copy_uid,messages,size,copy_size,sha256,"
	"copy_sha256,message_id,cause,detail,accepted_by,accepted_at,accepted_reason\r\n";

/* What a spreadsheet takes for the beginning of a formula (also behind a tab or CR, which become U+FFFD here). */
static bool is_formula(struct bytes text)
{
	static const char *const wide[] = { "\uff1d", "\uff0b", "\uff0d", "\uff20" };

	if (text.n && strchr("=+-@|%", text.p[0]))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(wide); i++)
		if (bytes_starts(text, bytes_of(wide[i])))
			return true;

	return false;
}

static void cell(struct buf *to, struct bytes text)
{
	_cleanup_(buf_done) struct buf printable = BUF_NULL;

	utf8_printable(&printable, text);
	buf_append_char(to, '"');
	if (is_formula(bytes_trim(buf_bytes(&printable))))
		buf_append_char(to, '\'');
	for (size_t i = 0; i < printable.n; i++) {
		if (printable.p[i] == '"')
			buf_append_char(to, '"');
		buf_append_char(to, printable.p[i]);
	}
	buf_append_str(to, "\",");
}

void verify_csv_cell(struct buf *to, const char *text)
{
	if (text && text[0])
		cell(to, bytes_of(text));
	else
		buf_append_char(to, ',');
}

static void bytes_cell(struct buf *to, struct bytes text)
{
	if (text.n)
		cell(to, text);
	else
		buf_append_char(to, ',');
}

static void number_cell(struct buf *to, uint64_t n)
{
	if (n)
		buf_append_u64(to, n);
	buf_append_char(to, ',');
}

static void digest_cell(struct buf *to, const unsigned char *digest)
{
	char hex[65] = "";

	if (digest)
		verify_hex(hex, digest);
	buf_appendf(to, "%s,", hex);
}

static void end_line(struct buf *to)
{
	to->p[--to->n] = '\0'; /* the comma behind the last cell */
	buf_append_str(to, "\r\n");
}

static void plain_line(struct buf *to, const char *record, const char *finding, struct bytes folder,
		       struct bytes there, uint64_t messages, const char *detail)
{
	verify_csv_cell(to, record);
	verify_csv_cell(to, finding);
	buf_append_char(to, ',');
	bytes_cell(to, folder);
	bytes_cell(to, there);
	buf_append_str(to, ",,");
	number_cell(to, messages);
	buf_append_str(to, ",,,,,,");
	verify_csv_cell(to, detail);
	buf_append_str(to, ",,,");
	end_line(to);
}

void verify_csv_head(const struct verify_report *r, const struct verify *v, struct buf *to)
{
	_cleanup_(buf_done) struct buf detail = BUF_NULL;

	buf_append_str(to, columns);
	buf_appendf(&detail, "mailferry %s verify; from %s (%s) to %s (%s); level %s", MAILFERRY_VERSION, r->from,
		    v->from_server, r->to, v->to_server, verify_level_name(v->options.level));
	if (v->options.level == VERIFY_CONTENT) {
		buf_append_str(&detail, "; sample ");
		verify_share(&detail, v->options.sample_ppm);
		buf_appendf(&detail, "; seed %" PRIu64, v->options.seed);
	}
	buf_append_str(&detail, "; began ");
	verify_time(&detail, v->began_us / SECOND);
	plain_line(to, "report", "", BYTES_NULL, BYTES_NULL, 0, buf_str(&detail));
}

static void accepted_cells(struct buf *to, const struct ledger_accepted *a)
{
	_cleanup_(buf_done) struct buf at = BUF_NULL;

	if (!a) {
		buf_append_str(to, ",,,");
		return;
	}

	verify_time(&at, a->at / SECOND);
	verify_csv_cell(to, a->who);
	verify_csv_cell(to, buf_str(&at));
	verify_csv_cell(to, a->reason);
}

void verify_csv_finding(const struct verify_finding *f, struct buf *to)
{
	buf_appendf(to, "finding,%s,%s,", verify_kind_name(f->kind), verify_kind_fails(f->kind) ? "yes" : "no");
	bytes_cell(to, f->folder ? f->folder->source_utf8 : BYTES_NULL);
	bytes_cell(to, f->folder ? f->folder->destination_utf8 : BYTES_NULL);
	number_cell(to, f->uid);
	number_cell(to, f->copy_uid);
	number_cell(to, f->messages);
	number_cell(to, f->size);
	number_cell(to, f->copy_size);
	digest_cell(to, f->digest);
	digest_cell(to, f->copy_digest);
	verify_csv_cell(to, f->message_id);
	verify_csv_cell(to, f->cause);
	verify_csv_cell(to, f->detail);
	accepted_cells(to, f->accepted);
	end_line(to);
}

static void books(struct buf *to, const char *record, const struct verify_folder *f)
{
	_cleanup_(buf_done) struct buf detail = BUF_NULL;

	buf_appendf(&detail, "source %" PRIu64 ": there %" PRIu64 ", elsewhere %" PRIu64 ", missing %" PRIu64
		    ", not copied %" PRIu64 ", new %" PRIu64 ", left out by date %" PRIu64
		    ", unaccounted %" PRIu64 ", unlisted %" PRIu64, f->source.messages, f->there, f->elsewhere,
		    f->missing, f->not_copied, f->fresh, f->filtered, f->unaccounted, f->unlisted);
	buf_appendf(&detail, "; destination %" PRIu64 ": there %" PRIu64 ", kept %" PRIu64 ", strangers %" PRIu64
		    "; bytes compared of %" PRIu64, f->destination.messages, f->there, f->kept, f->strangers,
		    f->compared);
	plain_line(to, record, verify_closes(f) ? "closed" : "open", f->source_utf8, f->destination_utf8,
		   f->source.messages, buf_str(&detail));
}

void verify_csv_end(const struct verify_report *r, const struct verify *v, const struct fault *stopped,
		    struct buf *to)
{
	struct verify_folder total = verify_total(v);
	_cleanup_(buf_done) struct buf ended = BUF_NULL;

	for (size_t i = 0; i < v->n; i++) {
		const struct verify_folder *f = &v->folders[i];

		if (f->left_out[0])
			plain_line(to, "left-out", "", f->source_utf8, BYTES_NULL, 0, f->left_out);
		else
			books(to, "folder", f);
	}
	books(to, "total", &total);
	if (stopped)
		buf_appendf(&ended, "stopped: %s; ", stopped->text);
	buf_append_str(&ended, "ended ");
	verify_time(&ended, v->ended_us / SECOND);
	plain_line(to, "grade", verify_grade_name(v->grade), BYTES_NULL, BYTES_NULL, 0, buf_str(&ended));
}
