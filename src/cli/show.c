/* SPDX-License-Identifier: Apache-2.0 */
/* Events and progress as text, see show.h; plan and books have files of their own. Names come from
 * servers: they pass utf8_printable() or a cell, so that none can drive the terminal. */
#include "cli/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mail/utf8.h"
#include "verify/fact.h"

static const int64_t draw_every_us = 200 * MSEC, print_every_us = 10 * SECOND;

/* --- events ---------------------------------------------------------------------------------- */

void show_exception(const struct copy_exception *e, FILE *to)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	fputs("  ", to);
	show_name(to, e->name);
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
	show_cell(f->source_utf8, 30);
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
		show_erase_line(s);
		show_exception(&copy->books.exceptions[event->exception], stderr);
		break;
	case EVENT_NOTE:
		show_erase_line(s);
		fputs("  ", stderr);
		show_name(stderr, bytes_of(event->text));
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
	const struct books *books = &copy->books;
	struct copy_folder t = books_total(books);
	int64_t took_us = run_now() - copy->began_us, left_us;
	uint64_t all, settled;
	char a[32], b[32], c[32], d[32];

	if (took_us < MSEC)
		took_us = MSEC;
	books_messages(books, &all, &settled);
	buf_appendf(to, "%s of %s messages", show_count(a, settled), show_count(b, all));
	if (t.expected_bytes)
		buf_appendf(to, "  %s of %s", show_bytes(c, books_bytes_done(books)),
			    show_bytes(d, t.expected_bytes));
	else
		buf_appendf(to, "  %s", show_bytes(c, t.bytes_read));
	buf_appendf(to, "  %.0f/s  %s/s", (double)(t.copied + t.moved) * (double)SECOND / (double)took_us,
		    show_bytes(d, books_bytes_per_second(books, took_us)));
	left_us = books_left_us(books, took_us);
	if (left_us >= 0)
		buf_appendf(to, "  %s left", show_duration(a, left_us));
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

/* Who is asked to stay away for hours, by a quota of the day, need not find out by trying. */
static void when_again(const struct fault *fault)
{
	_cleanup_(buf_done) struct buf until = BUF_NULL;
	char wait[32];

	if (fault->again != AGAIN_LATER || fault->after_us <= SHOW_LONG_WAIT)
		return;

	verify_time(&until, (run_wall() + fault->after_us) / SECOND);
	fprintf(stderr, "; it wants to be left alone for %s hours, until %s: then the same command goes on",
		show_duration(wait, fault->after_us), buf_str(&until));
}

void show_fault(struct show *s, const struct fault *fault)
{
	_cleanup_(buf_done) struct buf printable = BUF_NULL;
	char text[700];

	show_erase_line(s);
	fault_format(fault, text, sizeof(text));
	utf8_printable(&printable, bytes_of(text));
	fprintf(stderr, "mailferry: %s", buf_str(&printable));
	when_again(fault);
	fputc('\n', stderr);
	if (s->json)
		show_json_fault(fault);
}
