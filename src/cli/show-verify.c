/* SPDX-License-Identifier: Apache-2.0 */
/* See show-verify.h. Names of JSON events and keys are promises: add, never change. */
#include "cli/show-verify.h"

#include <inttypes.h>
#include <stdio.h>

#include "copy/books.h"
#include "imap/date.h"
#include "mail/utf8.h"
#include "verify/fact.h"

enum { FINDINGS_SHOWN = 20 };

static const int64_t draw_every_us = 200 * MSEC, print_every_us = 10 * SECOND;

static void put_line(const struct show_verify *s, const char *event, json_t *object)
{
	json_t *line = json_pack("{s:s}", "event", event);

	if (s->mailbox)
		json_object_set_new(line, "mailbox", verify_json_text(bytes_of(s->mailbox)));
	json_object_update(line, object);
	json_dumpf(line, stdout, JSON_COMPACT);
	fputc('\n', stdout);
	fflush(stdout);
	json_decref(line);
	json_decref(object);
}

static void put_text(json_t *object, const char *key, const char *text)
{
	if (text && text[0])
		json_object_set_new(object, key, verify_json_text(bytes_of(text)));
}

static void print(FILE *to, const char *text)
{
	_cleanup_(buf_done) struct buf printable = BUF_NULL;

	utf8_printable(&printable, bytes_of(text));
	fputs(buf_str(&printable), to);
}

/* Whose lines follow, where it may be one of many. */
void show_verify_heading(const struct show_verify *s)
{
	if (!s->mailbox || s->show.json)
		return;

	fputs("\n=== ", stdout);
	print(stdout, s->mailbox);
	fputc('\n', stdout);
	fflush(stdout); /* what is wrong goes to the other stream */
}

/* --- the run --------------------------------------------------------------------------------- */

void show_verify_begin(struct show_verify *s, const struct verify *v)
{
	json_t *object = json_object();

	s->verify = v;
	s->report.most = FINDINGS_SHOWN;
	if (!s->show.json) {
		json_decref(object);
		if (!s->show.quiet && !s->brief)
			show_verify_heading(s);
		return;
	}

	put_text(object, "from", s->report.from);
	put_text(object, "to", s->report.to);
	put_text(object, "ledger", s->report.ledger);
	verify_json_run(object, v);
	put_line(s, "verify", object);
}

void show_verify_finding(struct show_verify *s, const struct verify *v, const struct verify_finding *f)
{
	struct buf nothing = BUF_NULL;

	if (s->show.json)
		put_line(s, "finding", verify_json_finding(f));
	else
		verify_report_finding(&s->report, v, f, &nothing);
}

void show_verify_note(struct show_verify *s, const char *text)
{
	json_t *object;

	if (s->show.json) {
		object = json_object();
		put_text(object, "text", text);
		put_line(s, "note", object);
		return;
	}
	show_erase_line(&s->show);
	fputs("  ", stderr);
	print(stderr, text);
	fputc('\n', stderr);
}

static json_t *progress_object(const struct verify_folder *t)
{
	json_t *object = json_object();

	json_object_set_new(object, "looked_at", verify_json_number(t->looked_at));
	json_object_set_new(object, "expected", verify_json_number(t->expected));
	json_object_set_new(object, "compared", verify_json_number(t->compared));
	json_object_set_new(object, "bytes_read", verify_json_number(t->bytes));
	return object;
}

static void progress_text(const struct show_verify *s, const struct verify_folder *t, struct buf *to)
{
	double seconds = (double)(run_wall() - s->verify->began_us) / (double)SECOND;
	char a[32], b[32], c[32], d[32];

	if (seconds < 0.001)
		seconds = 0.001;
	buf_appendf(to, "%s of %s messages looked at", show_count(a, t->looked_at),
		    show_count(b, t->expected > t->looked_at ? t->expected : t->looked_at));
	if (t->bytes)
		buf_appendf(to, "  %s compared  %s  %s/s", show_count(c, t->compared), show_bytes(d, t->bytes),
			    show_bytes(a, (uint64_t)((double)t->bytes / seconds)));
}

void show_verify_progress(struct show_verify *s)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL, line = BUF_NULL;
	bool drawn = s->show.progress && !s->show.json;
	struct verify_folder total;
	int64_t now = run_now();

	if (!s->verify || !s->verify->reading || s->show.quiet)
		return;
	if (now - s->show.last_us < (drawn ? draw_every_us : print_every_us))
		return;
	if (!s->show.last_us && !drawn) { /* the first plain line comes after its interval */
		s->show.last_us = now;
		return;
	}

	s->show.last_us = now;
	total = verify_total(s->verify);
	if (s->show.json) {
		put_line(s, "progress", progress_object(&total));
		return;
	}
	progress_text(s, &total, &text);
	if (!drawn) {
		printf("  … %s\n", buf_str(&text));
		fflush(stdout);
		return;
	}
	utf8_truncate(&line, buf_bytes(&text), s->show.columns > 1 ? s->show.columns - 1 : 79);
	fprintf(stderr, "\r\033[K%s", buf_str(&line));
	s->show.line_drawn = true;
}

static void end_json(struct show_verify *s, const struct verify *v, const struct fault *stopped)
{
	struct verify_folder total = verify_total(v);
	json_t *verdict;

	for (size_t i = 0; i < v->n; i++)
		put_line(s, "folder", verify_json_folder(&v->folders[i]));

	verdict = verify_json_folder(&total);
	json_object_del(verdict, "folder");
	json_object_del(verdict, "destination_folder");
	json_object_set_new(verdict, "complete", json_boolean(v->finished));
	verify_json_run(verdict, v);
	json_object_set_new(verdict, "milliseconds",
			    verify_json_number((uint64_t)(v->ended_us - v->began_us) / MSEC));
	put_text(verdict, "stopped", stopped ? stopped->text : "");
	put_text(verdict, "grade", verify_grade_name(v->grade));
	put_line(s, "verdict", verdict);
}

/* Who looks at errors only shall see it, too. A run that was stopped has its own sentence. */
static void say_verdict(const struct show_verify *s, const struct verify *v)
{
	_cleanup_(buf_done) struct buf line = BUF_NULL;

	if (v->grade == VERIFY_READY || v->grade == VERIFY_UNFINISHED)
		return;

	buf_append_str(&line, "mailferry: ");
	if (s->mailbox)
		buf_appendf(&line, "%s: ", s->mailbox);
	verify_verdict(&line, v);
	print(stderr, buf_str(&line));
	fputc('\n', stderr);
}

/* One of many that is ready; the others are told on the other stream. */
static void brief_line(const struct show_verify *s, const struct verify *v)
{
	struct verify_folder total = verify_total(v);
	char a[32], b[32], c[32];
	size_t folders = 0;

	if (v->grade != VERIFY_READY)
		return;

	for (size_t i = 0; i < v->n; i++)
		folders += !v->folders[i].left_out[0];
	fputs("  ", stdout);
	print(stdout, s->mailbox);
	printf(": %s, %s message%s in %s folder%s", verify_grade_words(v->grade),
	       show_count(a, total.source.messages), total.source.messages == 1 ? "" : "s",
	       show_count(b, folders), folders == 1 ? "" : "s");
	if (v->options.level == VERIFY_CONTENT)
		printf(", %s compared", show_count(c, total.compared));
	if (total.fresh)
		printf(", %s of them new since the last pass", show_count(c, total.fresh));
	fputc('\n', stdout);
	fflush(stdout);
}

void show_verify_end(struct show_verify *s, const struct verify *v, const struct fault *stopped)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	s->verify = NULL;
	show_erase_line(&s->show);
	if (s->show.json) {
		end_json(s, v, stopped);
	} else if (s->brief) {
		brief_line(s, v);
	} else {
		if (!s->show.quiet)
			verify_report_end(&s->report, v, stopped, &text);
		else if (v->grade == VERIFY_NOT_READY)
			verify_text_findings(&s->report, v, true, &text);
		if (s->show.quiet && s->mailbox && text.n)
			printf("\n=== %s\n", s->mailbox);
		fputs(buf_str(&text), stdout);
		fflush(stdout);
	}
	say_verdict(s, v);
	verify_report_done(&s->report);
}

void show_verify_sum(struct show_verify *s, const struct show_verify_sum *sum)
{
	json_t *object;

	s->mailbox = NULL;
	if (s->show.json) {
		object = json_pack("{s:i, s:i, s:i, s:i, s:i}", "mailboxes", (int)sum->mailboxes, "ready",
				   (int)sum->ready, "ready_accepted", (int)sum->accepted, "not_ready",
				   (int)sum->not_ready, "unfinished", (int)sum->unfinished);
		put_line(s, "sum", object);
		return;
	}
	if (s->show.quiet && sum->ready == sum->mailboxes)
		return;

	printf("\n%u mailbox%s: %u ready, %u ready with accepted exceptions, %u not ready, %u not finished\n",
	       sum->mailboxes, sum->mailboxes == 1 ? "" : "es", sum->ready, sum->accepted, sum->not_ready,
	       sum->unfinished);
	if (s->brief && sum->not_ready)
		puts("What is wrong with one of them: mailferry verify MAILBOX; of all: --details, or --report");
	fflush(stdout);
}

/* --- finding a message ------------------------------------------------------------------------- */

static void place_json(const struct show_verify *s, const struct verify_place *p)
{
	json_t *object = json_object();
	_cleanup_(buf_done) struct buf date = BUF_NULL;

	put_text(object, "side", p->destination ? "destination" : "source");
	json_object_set_new(object, "there", json_boolean(p->there));
	json_object_set_new(object, "recorded", json_boolean(p->recorded));
	json_object_set_new(object, "folder", verify_json_text(p->folder_utf8));
	if (p->uid)
		json_object_set_new(object, "uid", verify_json_number(p->uid));
	if (p->there) {
		json_object_set_new(object, "size", verify_json_number(p->size));
		if (p->date != IMAP_NO_DATE)
			verify_time(&date, p->date);
		put_text(object, "date", buf_str(&date));
		put_text(object, "flags", p->flags);
	}
	put_text(object, "message_id", p->message_id);
	put_text(object, "detail", p->there ? "" : p->detail);
	put_line(s, "place", object);
}

void show_verify_place(struct show_verify *s, const struct verify_place *p)
{
	_cleanup_(buf_done) struct buf line = BUF_NULL;

	s->places[p->destination] += p->there;
	if (s->show.json) {
		place_json(s, p);
		return;
	}

	show_erase_line(&s->show);
	buf_appendf(&line, "%-12s ", p->destination ? "destination" : "source");
	utf8_printable(&line, p->folder_utf8);
	if (p->uid)
		buf_appendf(&line, " UID %" PRIu32, p->uid);
	if (!p->there) {
		buf_append_str(&line, ": not there: ");
		utf8_printable(&line, bytes_of(p->detail));
	} else {
		buf_appendf(&line, ": there, %" PRIu64 " bytes", p->size);
		if (p->date != IMAP_NO_DATE) {
			buf_append_str(&line, ", arrived ");
			verify_time(&line, p->date);
		}
		buf_append_str(&line, p->flags[0] ? ", " : "");
		utf8_printable(&line, bytes_of(p->flags));
	}
	puts(buf_str(&line));
	fflush(stdout);
}

void show_verify_found(struct show_verify *s, const char *message_id, bool walked)
{
	json_t *object;

	if (!s->places[0] || !s->places[1]) {
		show_erase_line(&s->show);
		fputs("mailferry: ", stderr);
		if (s->mailbox)
			print(stderr, s->mailbox), fputs(": ", stderr);
		print(stderr, message_id);
		fputs(s->places[0] ? " is not at the destination\n" : s->places[1] ? " is not at the source\n"
			       : " is at neither side\n", stderr);
	}
	if (s->show.json) {
		object = json_object();
		put_text(object, "message_id", message_id);
		json_object_set_new(object, "at_source", verify_json_number(s->places[0]));
		json_object_set_new(object, "at_destination", verify_json_number(s->places[1]));
		json_object_set_new(object, "headers_read", json_boolean(walked));
		put_line(s, "found", object);
		return;
	}
	if (s->show.quiet)
		return;

	printf("%" PRIu64 " at the source, %" PRIu64 " at the destination (%s)\n", s->places[0], s->places[1],
	       walked ? "the ledger does not know it; all headers of both sides were read"
		      : "as the ledger says where, and the servers confirm");
	fflush(stdout);
}

/* --- acceptance ------------------------------------------------------------------------------- */

void show_verify_accepted(struct show_verify *s, const struct ledger_accepted *accepted, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct ledger_accepted *a = &accepted[i];
		_cleanup_(buf_done) struct buf at = BUF_NULL;
		json_t *object = json_object();

		verify_time(&at, a->at / SECOND);
		put_text(object, "cause", a->cause);
		put_text(object, "folder", a->folder);
		if (a->uid)
			json_object_set_new(object, "uid", verify_json_number(a->uid));
		put_text(object, "who", a->who);
		put_text(object, "at", buf_str(&at));
		put_text(object, "reason", a->reason);
		if (s->show.json) {
			put_line(s, "accepted", object);
			continue;
		}
		json_decref(object);
		print(stdout, a->cause);
		if (a->folder[0])
			print(stdout, ":"), print(stdout, a->folder);
		if (a->uid)
			printf(":%" PRIu32, a->uid);
		printf("  accepted on %s by ", buf_str(&at));
		print(stdout, a->who);
		fputs(": ", stdout);
		print(stdout, a->reason);
		fputc('\n', stdout);
	}
	if (!n && !s->show.json && !s->show.quiet)
		puts("nothing is accepted");
	fflush(stdout);
}
