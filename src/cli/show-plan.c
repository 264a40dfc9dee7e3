/* SPDX-License-Identifier: Apache-2.0 */
/* The table of what becomes what, before anything is copied. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/show.h"
#include "copy/mapping.h"

enum { OTHER_COLUMNS = 2 + 1 + 9 + 1 + 9 + 2 + 26 }; /* beside the source's name; 26 for what it becomes */

static bool reason_goes_without_saying(enum mapping_reason reason)
{
	return reason == MAPPING_SAME || reason == MAPPING_INBOX;
}

static bool is_unchanged(const struct copy *copy, const struct mapping_entry *e)
{
	return e->action == MAPPING_COPY && copy->book_of &&
	       copy->books.folders[copy->book_of[e - copy->mapping->entries]].unchanged;
}

/* In passes after the first only what something may be done about. */
static bool is_of_interest(const struct copy *copy, const struct mapping_entry *e)
{
	return !copy->known_n || (e->action == MAPPING_COPY && !is_unchanged(copy, e));
}

static void put_becomes(const struct copy *copy, const struct mapping_entry *e)
{
	const char *before = " (";
	uint64_t there = copy_already_there(copy, e);

	if (e->action != MAPPING_COPY) {
		printf("-  %s", e->text);
		return;
	}

	show_name(stdout, e->path);
	if (!reason_goes_without_saying(e->reason)) {
		printf("%s%s", before, e->text);
		before = "; ";
	}
	if (e->create) {
		printf("%snew", before);
		before = "; ";
	}
	if (there) {
		printf("%salready holds %" PRIu64, before, there);
		before = "; ";
	}
	if (before[0] == ';')
		putchar(')');
}

static void plan_line(const struct copy *copy, const struct mapping_entry *e, size_t columns)
{
	const struct imap_folder *f = &copy->source.p[e->source];
	char count[32] = "?", size[32] = "";

	if (f->flags & IMAP_FOLDER_STATUS)
		show_count(count, f->messages);
	if (f->flags & IMAP_FOLDER_SIZE)
		show_bytes(size, f->size);
	if (e->action == MAPPING_STRUCTURE)
		snprintf(count, sizeof(count), "-");

	fputs("  ", stdout);
	show_cell(e->source_path, columns);
	printf(" %9s %9s  ", count, size);
	put_becomes(copy, e);
	putchar('\n');
}

static bool is_dated(const struct copy *copy)
{
	return copy->options.since != IMAP_NO_DATE || copy->options.before != IMAP_NO_DATE;
}

void show_plan(struct show *s, const struct copy *copy, bool dry)
{
	const struct mapping *m = copy->mapping;
	struct copy_folder total = books_total(&copy->books);
	size_t columns = show_name_columns(s, copy, OTHER_COLUMNS), unchanged = 0, lines = 0;
	char count[32], size[32];

	if (s->json) {
		show_json_plan(s, copy, dry);
		return;
	}
	if (s->quiet && !dry)
		return;

	printf("from %s\nto   %s\n\n", s->from, s->to);
	for (size_t i = 0; i < m->n_entries; i++) {
		unchanged += is_unchanged(copy, &m->entries[i]);
		lines += is_of_interest(copy, &m->entries[i]);
	}
	if (lines) {
		fputs("  ", stdout);
		show_cell(BYTES("source folder"), columns);
		printf(" %9s %9s  %s\n", "messages", "size", "becomes");
	}
	for (size_t i = 0; i < m->n_entries; i++)
		if (is_of_interest(copy, &m->entries[i]))
			plan_line(copy, &m->entries[i], columns);
	printf("%s%zu folder%s, %s message%s", lines ? "\n" : "", copy->books.n, copy->books.n == 1 ? "" : "s",
	       show_count(count, total.expected), total.expected == 1 ? "" : "s");
	if (total.expected_bytes)
		printf(", %s", show_bytes(size, total.expected_bytes));
	if (unchanged)
		printf("; %zu of the folders unchanged since the last pass", unchanged);
	printf("%s%s.\n%s", copy->known_n ? "" : " to copy", is_dated(copy) ? ", before --since and --before are applied" : "",
	       dry ? "This was a dry run: nothing was changed.\n" : "");
	fflush(stdout);
}
