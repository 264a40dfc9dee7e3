/* SPDX-License-Identifier: Apache-2.0 */
/* Plan, progress and books as text, see show.h. Names come from servers: they pass utf8_printable() or a
 * cell, so that none can drive the terminal. */
#include "cli/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "copy/mapping.h"
#include "mail/utf8.h"

static const int64_t draw_every_us = 200 * MSEC, print_every_us = 10 * SECOND;

enum { NAME_COLUMNS = 30 };

static void erase_line(struct show *s)
{
	if (s->line_drawn)
		fputs("\r\033[K", stderr);
	s->line_drawn = false;
}

/* A name as a cell of the given width. */
static void put_cell(struct bytes name, size_t columns)
{
	_cleanup_(buf_done) struct buf cell = BUF_NULL;

	utf8_cell(&cell, name, columns);
	fputs(buf_str(&cell), stdout);
}

static void put_name(FILE *to, struct bytes name)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	utf8_printable(&text, name);
	fputs(buf_str(&text), to);
}

/* --- plan ------------------------------------------------------------------------------------ */

static const struct imap_folder *source_folder(const struct copy *copy, const struct mapping_entry *e)
{
	return &copy->source.p[e->source];
}

static void plan_line(const struct copy *copy, const struct mapping_entry *e)
{
	const struct imap_folder *f = source_folder(copy, e);
	char count[32] = "?", size[32] = "";

	if (f->flags & IMAP_FOLDER_STATUS)
		show_count(count, f->messages);
	if (f->flags & IMAP_FOLDER_SIZE)
		show_bytes(size, f->size);
	if (e->action == MAPPING_STRUCTURE)
		snprintf(count, sizeof(count), "-");

	fputs("  ", stdout);
	put_cell(e->source_path, NAME_COLUMNS);
	fputs("  ", stdout);
	put_cell(e->action == MAPPING_COPY ? e->path
		 : e->action == MAPPING_STRUCTURE ? BYTES("(only a parent)") : BYTES("(not copied)"),
		 NAME_COLUMNS);
	printf(" %9s  %9s  %s%s\n", count, size, e->text,
	       e->action != MAPPING_COPY ? "" : e->create ? e->text[0] ? "; new" : "new" : "");
}

void show_plan(struct show *s, const struct copy *copy, bool dry)
{
	const struct mapping *m = copy->mapping;
	struct copy_folder total = books_total(&copy->books);
	char count[32], size[32];

	if (s->json) {
		show_json_plan(s, copy);
		return;
	}
	if (s->quiet && !dry)
		return;

	printf("from %s\nto   %s\n\n  ", s->from, s->to);
	put_cell(BYTES("source folder"), NAME_COLUMNS);
	fputs("  ", stdout);
	put_cell(BYTES("becomes"), NAME_COLUMNS);
	printf(" %9s  %9s  %s\n", "messages", "size", "why");
	for (size_t i = 0; i < m->n_entries; i++)
		plan_line(copy, &m->entries[i]);
	printf("\n%zu folders, %s messages", copy->books.n, show_count(count, total.expected));
	if (total.expected_bytes)
		printf(", %s", show_bytes(size, total.expected_bytes));
	printf(" to copy.\n%s", dry ? "This was a dry run: nothing was changed.\n" : "");
	fflush(stdout);
}

/* --- events ---------------------------------------------------------------------------------- */

static void exception_text(const struct copy *copy, const struct copy_exception *e, FILE *to)
{
	const struct copy_folder *f = &copy->books.folders[e->folder];
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	fputs("  ", to);
	put_name(to, f->source_utf8);
	if (e->uid)
		fprintf(to, " UID %" PRIu32, e->uid);
	else if (e->messages)
		fprintf(to, ", %" PRIu64 " messages", e->messages);
	fprintf(to, ": %s", books_cause_name(e->cause));
	if (e->detail[0]) {
		utf8_printable(&text, bytes_of(e->detail));
		fprintf(to, ": %s", buf_str(&text));
	}
	if (e->message_id[0]) {
		buf_reset(&text);
		utf8_printable(&text, bytes_of(e->message_id));
		fprintf(to, " %s", buf_str(&text));
	}
	fputc('\n', to);
}

static void folder_line(const struct copy *copy, size_t index)
{
	const struct copy_folder *f = &copy->books.folders[index];
	char count[32], size[32];

	fputs("  ", stdout);
	put_cell(f->source_utf8, NAME_COLUMNS);
	printf("  %9s messages  %9s", show_count(count, f->copied), show_bytes(size, f->bytes));
	if (f->excepted)
		printf("  %" PRIu64 " not copied", f->excepted);
	fputc('\n', stdout);
}

void show_event(struct show *s, const struct copy *copy, const struct copy_event *event)
{
	if (s->json) {
		show_json_event(copy, event);
		return;
	}

	switch (event->kind) {
	case EVENT_EXCEPTION:
		erase_line(s);
		exception_text(copy, &copy->books.exceptions[event->exception], stderr);
		break;
	case EVENT_NOTE:
		erase_line(s);
		fputs("  ", stderr);
		put_name(stderr, bytes_of(event->text));
		fputc('\n', stderr);
		break;
	case EVENT_FOLDER_ENDED:
		if (s->quiet || s->progress || !copy->books.folders[event->folder].listed)
			break;
		folder_line(copy, event->folder);
		break;
	case EVENT_FOLDER_BEGUN:
		break;
	}
	fflush(stdout);
}

/* --- progress -------------------------------------------------------------------------------- */

void show_busy(const struct copy *copy, struct buf *to)
{
	const char *before = "  ";

	for (size_t i = 0; i < copy->books.n; i++) {
		if (copy->books.folders[i].state != FOLDER_COPYING)
			continue;
		buf_append_str(to, before);
		before = ", ";
		utf8_printable(to, copy->books.folders[i].source_utf8);
		if (to->n > 200)
			return;
	}
}

static void progress_text(const struct copy *copy, struct buf *to)
{
	struct copy_folder t = books_total(&copy->books);
	double seconds = (double)(run_now() - copy->began_us) / (double)SECOND;
	uint64_t settled = t.copied + t.excepted + t.changed + t.filtered;
	uint64_t all = t.listed > t.expected ? t.listed : t.expected;
	char a[32], b[32], c[32], d[32];

	if (seconds < 0.001)
		seconds = 0.001;
	buf_appendf(to, "%s of %s messages", show_count(a, settled), show_count(b, all));
	if (t.expected_bytes)
		buf_appendf(to, "  %s of %s", show_bytes(c, t.bytes_read),
			    show_bytes(d, t.expected_bytes));
	else
		buf_appendf(to, "  %s", show_bytes(c, t.bytes_read));
	buf_appendf(to, "  %.0f/s  %s/s", (double)settled / seconds,
		    show_bytes(d, (uint64_t)((double)t.bytes_read / seconds)));
	if (settled && settled < all) {
		/* By bytes when they are known: a folder of large messages is not as fast as one of small. */
		double done = t.expected_bytes && t.bytes_read < t.expected_bytes
				      ? (double)t.bytes_read / (double)t.expected_bytes
				      : (double)settled / (double)all;

		if (done > 0)
			buf_appendf(to, "  %s left",
				    show_duration(a, (int64_t)(seconds * (1 - done) / done *
							       (double)SECOND)));
	}
	show_busy(copy, to);
}

void show_progress(struct show *s, const struct copy *copy)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL, line = BUF_NULL;
	int64_t now = run_now();

	if (s->quiet || copy->stage != COPY_COPYING)
		return;
	if (now - s->last_us < (s->progress && !s->json ? draw_every_us : print_every_us))
		return;
	if (!s->last_us && !s->progress) { /* the first plain line comes after its interval */
		s->last_us = now;
		return;
	}
	s->last_us = now;
	if (s->json) {
		show_json_progress(copy);
		return;
	}

	progress_text(copy, &text);
	if (!s->progress) {
		fprintf(stdout, "  … %s\n", buf_str(&text));
		fflush(stdout);
		return;
	}
	utf8_truncate(&line, buf_bytes(&text), s->columns > 1 ? s->columns - 1 : 79);
	fprintf(stderr, "\r\033[K%s", buf_str(&line));
	s->line_drawn = true;
}

/* --- books ----------------------------------------------------------------------------------- */

static void books_line(const char *name, size_t n, const struct copy_folder *f)
{
	char a[32], b[32], c[32], d[32], e[32];

	fputs("  ", stdout);
	put_cell((struct bytes){ name, n }, NAME_COLUMNS);
	printf(" %9s %9s %9s %9s  %9s\n", show_count(a, f->listed - f->filtered),
	       show_count(b, f->copied), show_count(c, f->excepted), show_count(d, f->changed),
	       show_bytes(e, f->bytes));
}

static void close_books(const struct copy *copy, const struct copy_folder *t, bool stopped)
{
	uint64_t open = books_not_reached(t);
	char a[32], b[32], c[32], d[32], e[32];

	printf("\nsource %s = copied %s + excepted %s + changed meanwhile %s",
	       show_count(a, t->listed - t->filtered), show_count(b, t->copied),
	       show_count(c, t->excepted), show_count(d, t->changed));
	if (open)
		printf(" + not reached %s", show_count(e, open));
	printf(": %s.\n", stopped ? "the pass was stopped early" : open ? "the books do not close"
			 : "the books close");
	if (t->in_doubt)
		printf("%s of those not reached were on their way when it stopped: the destination may hold "
		       "them.\n", show_count(a, t->in_doubt));
	if (t->filtered)
		printf("%s messages were left out by --since or --before.\n",
		       show_count(a, t->filtered));
	if (t->arrived)
		printf("%s messages arrived at the source meanwhile and are not in this pass.\n",
		       show_count(a, t->arrived));
}

static void show_exceptions(const struct copy *copy)
{
	if (!copy->books.exceptions_n)
		return;

	printf("\nExceptions (%zu):\n", copy->books.exceptions_n);
	for (size_t i = 0; i < copy->books.exceptions_n; i++)
		exception_text(copy, &copy->books.exceptions[i], stdout);
}

void show_books(struct show *s, const struct copy *copy, bool stopped)
{
	struct copy_folder t = books_total(&copy->books);
	int64_t took = copy->began_us ? run_now() - copy->began_us : 0;
	double seconds = (double)(took ? took : 1) / (double)SECOND;
	char a[32], b[32], c[32], d[32];

	erase_line(s);
	if (s->json) {
		show_json_books(copy, stopped);
		return;
	}
	if (s->quiet)
		return;

	printf("\n  ");
	put_cell(BYTES("folder"), NAME_COLUMNS);
	printf(" %9s %9s %9s %9s  %9s\n", "source", "copied", "excepted", "changed", "size");
	for (size_t i = 0; i < copy->books.n; i++) {
		const struct copy_folder *f = &copy->books.folders[i];

		books_line(f->source_utf8.p, f->source_utf8.n, f);
	}
	books_line("total", 5, &t);
	show_exceptions(copy);
	close_books(copy, &t, stopped);
	printf("%s message%s, %s in %s: %.0f messages/s, %s/s\n", show_count(a, t.copied),
	       t.copied == 1 ? "" : "s", show_bytes(b, t.bytes), show_duration(c, took), (double)t.copied / seconds,
	       show_bytes(d, (uint64_t)((double)t.bytes / seconds)));
	fflush(stdout);
}

void show_fault(struct show *s, const struct fault *fault)
{
	_cleanup_(buf_done) struct buf printable = BUF_NULL;
	char text[700];

	erase_line(s);
	fault_format(fault, text, sizeof(text));
	utf8_printable(&printable, bytes_of(text));
	fprintf(stderr, "mailferry: %s\n", buf_str(&printable));
	if (s->json)
		show_json_fault(fault);
}
