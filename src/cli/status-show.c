/* SPDX-License-Identifier: Apache-2.0 */
/* The status of many mailboxes as text and as JSON, see status-show.h. What comes from files is
 * printable when it was read, and passes utf8_truncate() or show_name() again. */
#include "cli/status-show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/show.h"
#include "mail/utf8.h"
#include "verify/report.h"
#include "verify/sample.h"

enum { NAMED_MOST = 20, AT_WORK_MOST = 100 };

/* Lines on their way to the screen: cut to its width, and no more than it has. */
struct page {
	const struct status_view *view;
	size_t printed;
};

static bool has_room(const struct page *page)
{
	return !page->view->rows || page->printed + 2 < page->view->rows;
}

static void put_line(struct page *page, struct buf *line)
{
	_cleanup_(buf_done) struct buf cut = BUF_NULL;

	if (has_room(page)) {
		if (page->view->columns)
			utf8_truncate(&cut, buf_bytes(line), page->view->columns);
		else
			utf8_printable(&cut, buf_bytes(line));
		puts(buf_str(&cut));
		page->printed++;
	}
	buf_reset(line);
}

static void put_cell(struct buf *line, const char *text, size_t columns)
{
	utf8_cell(line, bytes_of(text), columns);
}

static bool is_at_work(const struct status_row *row)
{
	return row->status.state == FLEET_SEEDING || row->status.state == FLEET_DELTA;
}

static bool is_bad(const struct status_row *row)
{
	enum fleet_state state = row->status.state;

	return state == FLEET_FAILED || state == FLEET_INTERRUPTED || state == FLEET_HELD;
}

/* --- sums ------------------------------------------------------------------------------------ */

static const struct {
	const char *title;
	enum fleet_state state;
} shown_states[] = {
	{ "done", FLEET_DONE },
	{ "seeding", FLEET_SEEDING },
	{ "delta", FLEET_DELTA },
	{ "parked", FLEET_PARKED },
	{ "failed", FLEET_FAILED },
	{ "stopped", FLEET_INTERRUPTED },
	{ "waiting", FLEET_WAITING },
};

static void sum_line(struct page *page, const struct status_sum *sum)
{
	const char *wave = !sum->wave ? "total" : sum->wave[0] ? sum->wave : "no wave";
	_cleanup_(buf_done) struct buf line = BUF_NULL;
	char number[32];

	put_cell(&line, wave, 14);
	buf_appendf(&line, " %9s", show_count(number, sum->mailboxes));
	for (size_t i = 0; i < ARRAY_SIZE(shown_states); i++)
		buf_appendf(&line, " %8s", show_count(number, sum->states[shown_states[i].state]));
	buf_appendf(&line, " %9s", show_bytes(number, sum->size));
	put_line(page, &line);
}

static void show_sums(struct page *page, const struct status_sum *total,
		      const struct status_sum *sums, size_t n)
{
	_cleanup_(buf_done) struct buf line = BUF_NULL;
	char number[32];
	bool first = true;

	put_cell(&line, "wave", 14);
	buf_appendf(&line, " %9s", "mailboxes");
	for (size_t i = 0; i < ARRAY_SIZE(shown_states); i++)
		buf_appendf(&line, " %8s", shown_states[i].title);
	buf_appendf(&line, " %9s", "size");
	put_line(page, &line);
	for (size_t i = 0; i < n; i++)
		sum_line(page, &sums[i]);
	if (n != 1)
		sum_line(page, total);

	if (total->states[FLEET_HELD])
		buf_appendf(&line, "%s in use by other processes",
			    show_count(number, total->states[FLEET_HELD]));
	if (line.n)
		put_line(page, &line);
	for (size_t i = 0; i < CAUSE_COUNT_; i++) {
		if (!total->exceptions[i])
			continue;
		buf_appendf(&line, "%s%s %s", first ? "exceptions: " : ", ", books_cause_name(i),
			    show_count(number, total->exceptions[i]));
		first = false;
	}
	if (line.n)
		put_line(page, &line);
}

/* --- what verifying said ------------------------------------------------------------------------ */

static const struct {
	const char *words, *name; /* for people, for JSON: promises */
} ready_names[STATUS_READY_] = {
	[STATUS_NEVER] = { "not verified", "never" },
	[STATUS_OUTDATED] = { "verified before the last change", "outdated" },
	[STATUS_NOT_READY] = { "not ready", "not-ready" },
	[STATUS_ACCEPTED] = { "ready with accepted exceptions", "ready-accepted" },
	[STATUS_READY] = { "ready", "ready" },
};

static void ready_line(struct page *page, const struct status_sum *sum)
{
	const char *wave = !sum->wave ? "total" : sum->wave[0] ? sum->wave : "no wave", *before = "";
	_cleanup_(buf_done) struct buf line = BUF_NULL;
	bool ready = sum->ready[STATUS_READY] + sum->ready[STATUS_ACCEPTED] == sum->mailboxes;
	char number[32];

	buf_append_str(&line, "  ");
	put_cell(&line, wave, 14);
	buf_append_str(&line, ready ? " ready: " : " not ready: ");
	for (int i = STATUS_READY; i >= STATUS_NEVER; i--) {
		if (!sum->ready[i])
			continue;
		buf_appendf(&line, "%s%s %s", before, show_count(number, sum->ready[i]), ready_names[i].words);
		before = ", ";
	}
	put_line(page, &line);
}

/* Nothing until something was verified: before that nobody asks. */
static void show_readiness(struct page *page, const struct status_sum *total, const struct status_sum *sums, size_t n)
{
	_cleanup_(buf_done) struct buf line = BUF_NULL;

	if (total->ready[STATUS_NEVER] == total->mailboxes)
		return;

	put_line(page, &line);
	buf_append_str(&line, "Readiness, as last verified");
	put_line(page, &line);
	for (size_t i = 0; i < n; i++)
		ready_line(page, &sums[i]);
	if (n > 1)
		ready_line(page, total);
}

static void ready_words(const struct status_row *row, struct buf *line)
{
	const struct verify_last *v = &row->verified;

	if (row->ready == STATUS_NEVER)
		return;

	buf_appendf(line, "  %s", verify_grade_words(v->grade));
	if (row->ready == STATUS_OUTDATED)
		buf_append_str(line, " before the last change");
	buf_appendf(line, " (%s", verify_level_name(v->level));
	if (v->level == VERIFY_CONTENT && v->sample_ppm < VERIFY_ALL_PPM) {
		buf_append_str(line, " of ");
		verify_share(line, v->sample_ppm);
	}
	buf_append_str(line, ", ");
	verify_time(line, v->at);
	buf_append_char(line, ')');
}

/* --- mailboxes ------------------------------------------------------------------------------- */

static void work_words(const struct fleet_status *s, struct buf *line)
{
	char a[32], b[32];

	if (!s->folders)
		buf_append_str(line, "  connecting");
	else
		buf_appendf(line, "  %s of %s messages", show_count(a, s->messages_done),
			    show_count(b, s->messages));
	if (s->bytes_done || s->bytes)
		buf_appendf(line, "  %s", show_bytes(a, s->bytes_done));
	if (s->bytes)
		buf_appendf(line, " of %s", show_bytes(b, s->bytes));
	if (s->bytes_per_second)
		buf_appendf(line, "  %s/s", show_bytes(a, s->bytes_per_second));
	if (s->left_us >= 0)
		buf_appendf(line, "  %s left", show_duration(a, s->left_us));
}

static void row_line(struct page *page, const struct status_row *row)
{
	const struct fleet_status *s = &row->status;
	_cleanup_(buf_done) struct buf line = BUF_NULL;
	uint64_t exceptions = 0;
	char number[32];

	buf_append_str(&line, "  ");
	put_cell(&line, s->mailbox, 32);
	buf_append_str(&line, "  ");
	put_cell(&line, fleet_state_name(s->state), 11);
	for (size_t i = 0; i < CAUSE_COUNT_; i++)
		exceptions += s->causes[i];
	if (is_at_work(row))
		work_words(s, &line);
	else if (s->state != FLEET_WAITING && s->folders) /* else the pass came not so far as to know */
		buf_appendf(&line, "  %s messages", show_count(number, s->messages_done));
	if (exceptions)
		buf_appendf(&line, "  %s exception%s", show_count(number, exceptions), exceptions == 1 ? "" : "s");
	ready_words(row, &line);
	if (s->state == FLEET_PARKED && s->retry_at > page->view->now)
		buf_appendf(&line, "  again in %s",
			    show_duration(number, s->retry_at - page->view->now));
	if (s->state != FLEET_DONE && s->error[0])
		buf_appendf(&line, "  %s", s->error);
	put_line(page, &line);
}

static uint64_t bytes_left(const struct fleet_status *s)
{
	return s->bytes > s->bytes_done ? s->bytes - s->bytes_done : 0;
}

static int most_left_first(const void *a, const void *b)
{
	const struct status_row *const *x = a, *const *y = b;
	uint64_t here = bytes_left(&(*x)->status), there = bytes_left(&(*y)->status);

	if (here != there)
		return here > there ? -1 : 1;
	return strcmp((*x)->status.mailbox, (*y)->status.mailbox);
}

/* Those that `belongs` takes, at most so many; as listed, or sorted. */
static void show_group(struct page *page, const char *title,
		       bool (*belongs)(const struct status_row *row), size_t most, bool sorted)
{
	const struct status_view *view = page->view;
	_cleanup_(freep) const struct status_row **found = NULL;
	_cleanup_(buf_done) struct buf line = BUF_NULL;
	char number[32];
	size_t n = 0, i = 0;

	found = xmalloc((view->n + 1) * sizeof(*found));
	for (size_t k = 0; k < view->n; k++)
		if (belongs(&view->rows_p[k]))
			found[n++] = &view->rows_p[k];
	if (!n)
		return;

	if (sorted)
		qsort(found, n, sizeof(*found), most_left_first);
	put_line(page, &line);
	buf_appendf(&line, "%s (%s)", title, show_count(number, n));
	put_line(page, &line);
	for (; i < n && i < most && has_room(page); i++)
		row_line(page, found[i]);
	if (i < n && !view->rows) {
		buf_appendf(&line, "  … and %s more", show_count(number, n - i));
		put_line(page, &line);
	}
}

static bool is_any(const struct status_row *row)
{
	return true;
}

static bool is_parked(const struct status_row *row)
{
	return row->status.state == FLEET_PARKED;
}

static bool has_exceptions(const struct status_row *row)
{
	return row->status.state == FLEET_DONE && row->status.exit_status == 1;
}

static bool is_not_ready(const struct status_row *row)
{
	return row->ready == STATUS_NOT_READY;
}

static void show_mailboxes(struct page *page)
{
	const struct status_view *view = page->view;

	if (view->all || view->named) {
		show_group(page, "Mailboxes", is_any, SIZE_MAX, false);
		return;
	}
	if (!view->failed) {
		show_group(page, "At work", is_at_work, AT_WORK_MOST, true);
		show_group(page, "Parked", is_parked, NAMED_MOST, false);
	}
	show_group(page, "Failed, interrupted or in use by others", is_bad,
		   view->failed ? SIZE_MAX : NAMED_MOST, false);
	if (view->failed)
		show_group(page, "Done, with exceptions", has_exceptions, SIZE_MAX, false);
	show_group(page, "Not ready when last verified", is_not_ready, view->failed ? SIZE_MAX : NAMED_MOST, false);
}

/* What a log takes each second. */
static void one_line(const struct status_sum *total)
{
	char a[32], b[32], c[32];

	printf("%s of %s done, %s at work", show_count(a, total->states[FLEET_DONE]),
	       show_count(b, total->mailboxes),
	       show_count(c, total->states[FLEET_SEEDING] + total->states[FLEET_DELTA]));
	if (total->states[FLEET_PARKED])
		printf(", %s parked", show_count(a, total->states[FLEET_PARKED]));
	if (total->states[FLEET_FAILED])
		printf(", %s failed", show_count(a, total->states[FLEET_FAILED]));
	if (total->states[FLEET_INTERRUPTED])
		printf(", %s interrupted", show_count(a, total->states[FLEET_INTERRUPTED]));
	printf(", %s of %s messages, %s/s\n", show_count(a, total->messages_done),
	       show_count(b, total->messages), show_bytes(c, total->bytes_per_second));
}

void status_show(struct status_view *view)
{
	struct page page = { view, 0 };
	struct status_sum total, *sums = NULL;
	size_t n;

	if (view->json) {
		status_show_json(view);
		return;
	}

	status_sums(view, &total, &sums, &n);
	if (view->redraw)
		fputs("\033[H\033[2J", stdout);
	if (view->watch && !view->redraw) {
		one_line(&total);
	} else {
		show_sums(&page, &total, sums, n);
		show_readiness(&page, &total, sums, n);
		show_mailboxes(&page);
	}
	fflush(stdout);
	free(sums);
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void print_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	fputc('\n', stdout);
	json_decref(object);
}

static json_t *sum_json(const struct status_sum *sum)
{
	json_t *object = json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "event", sum->wave ? "wave" : "total",
		"mailboxes", (json_int_t)sum->mailboxes, "with_exceptions",
		(json_int_t)sum->with_exceptions, "messages", (json_int_t)sum->messages,
		"messages_done", (json_int_t)sum->messages_done, "bytes_per_second",
		(json_int_t)sum->bytes_per_second, "size", (json_int_t)sum->size);
	json_t *states = json_object(), *causes = json_object(), *ready = json_object();

	for (int i = 0; i < STATUS_READY_; i++)
		json_object_set_new(ready, ready_names[i].name, json_integer((json_int_t)sum->ready[i]));
	json_object_set_new(object, "readiness", ready);
	for (int i = 0; i < FLEET_STATES_; i++)
		json_object_set_new(states, fleet_state_name((enum fleet_state)i),
				    json_integer((json_int_t)sum->states[i]));
	for (size_t i = 0; i < CAUSE_COUNT_; i++)
		if (sum->exceptions[i])
			json_object_set_new(causes, books_cause_name(i),
					    json_integer((json_int_t)sum->exceptions[i]));
	json_object_set_new(object, "states", states);
	json_object_set_new(object, "exceptions", causes);
	if (sum->wave)
		json_object_set_new(object, "wave", json_string(sum->wave));
	return object;
}

static json_t *verified_json(const struct verify_last *v)
{
	_cleanup_(buf_done) struct buf at = BUF_NULL;

	verify_time(&at, v->at);
	return json_pack("{s:s, s:s, s:f, s:s, s:I, s:I}", "at", buf_str(&at), "level", verify_level_name(v->level),
			 "sample_percent", (double)v->sample_ppm * 100 / VERIFY_ALL_PPM, "grade",
			 verify_grade_name(v->grade), "failing", (json_int_t)v->failing, "accepted",
			 (json_int_t)v->accepted);
}

void status_show_json(struct status_view *view)
{
	struct status_sum total, *sums = NULL;
	size_t n;

	for (size_t i = 0; i < view->n; i++) {
		struct status_row *row = &view->rows_p[i];
		json_t *object;

		if (!row->fresh ||
		    (view->failed && !is_bad(row) && !has_exceptions(row) && !is_not_ready(row)))
			continue;
		object = fleet_status_json(&row->status);
		json_object_set_new(object, "event", json_string("status"));
		json_object_set_new(object, "readiness", json_string(ready_names[row->ready].name));
		if (row->ready != STATUS_NEVER)
			json_object_set_new(object, "verified", verified_json(&row->verified));
		print_json(object);
		row->fresh = false;
	}
	status_sums(view, &total, &sums, &n);
	for (size_t i = 0; i < n; i++)
		print_json(sum_json(&sums[i]));
	print_json(sum_json(&total));
	fflush(stdout);
	free(sums);
}
