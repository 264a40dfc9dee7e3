/* SPDX-License-Identifier: Apache-2.0 */
/* The closing table, the exceptions, and the sentence about the books. */
#include <stdio.h>

#include "cli/show.h"

enum { OTHER_COLUMNS = 2 + 4 * 10 + 11, NOT_REACHED_COLUMNS = 12, PRESENT_COLUMNS = 10 };

struct table {
	size_t columns;
	bool not_reached; /* some were: a column more */
	bool present;     /* some were there before: likewise */
	bool unchanged;   /* folders that nothing was done about have a line, too */
};

/* At the destination without having been copied in this pass. */
static uint64_t there_before(const struct copy_folder *f)
{
	return f->present + f->moved;
}

static void books_line(const struct table *t, struct bytes name, const struct copy_folder *f)
{
	char a[32], b[32], c[32], d[32], e[32];

	if (f->unchanged && !t->unchanged)
		return;
	fputs("  ", stdout);
	show_cell(name, t->columns);
	printf(" %9s", show_count(a, f->listed - f->filtered));
	if (t->present)
		printf(" %9s", show_count(a, there_before(f)));
	printf(" %9s %9s %9s", show_count(b, f->copied), show_count(c, f->excepted),
	       show_count(d, f->changed));
	if (t->not_reached)
		printf(" %11s", show_count(e, books_not_reached(f)));
	printf(" %10s\n", show_bytes(e, f->bytes));
}

static void close_books(const struct copy_folder *t, bool stopped)
{
	uint64_t open = books_not_reached(t);
	char a[32], b[32], c[32], d[32], e[32];

	printf("\nsource %s =", show_count(a, t->listed - t->filtered));
	if (there_before(t))
		printf(" there before %s +", show_count(a, there_before(t)));
	printf(" copied %s + excepted %s + changed meanwhile %s", show_count(b, t->copied),
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

/* What else was done, or left alone, to follow the source. */
static void show_deltas(const struct copy *copy, const struct copy_folder *t)
{
	const struct {
		uint64_t n;
		const char *what;
	} lines[] = {
		{ t->adopted, "found at the destination already, and taken into the ledger" },
		{ t->moved, "moved at the destination, as at the source" },
		{ t->flags_changed, "with flags changed, as at the source" },
		{ t->gone, "left the source since the last pass" },
		{ t->deleted, "of those removed from the destination, too" },
		{ t->removed, "were removed from the destination by others" },
	};
	char n[32];

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (lines[i].n)
			printf("%s message%s %s.\n", show_count(n, lines[i].n), lines[i].n == 1 ? "" : "s",
			       lines[i].what);
	if (t->gone && !copy->options.mirror_deletes)
		puts("What left the source stays at the destination (--deletes mirror removes it).");
}

/* Not at the destination, or there but not in every detail. */
static void exceptions_of(const struct copy *copy, bool missing, const char *heading)
{
	size_t n = 0;

	for (size_t i = 0; i < copy->books.exceptions_n; i++)
		n += books_cause_loses(copy->books.exceptions[i].cause) == missing;
	if (!n)
		return;

	printf("\nExceptions (%zu): %s\n", n, heading);
	for (size_t i = 0; i < copy->books.exceptions_n; i++)
		if (books_cause_loses(copy->books.exceptions[i].cause) == missing)
			show_exception(&copy->books.exceptions[i], stdout);
}

void show_books(struct show *s, const struct copy *copy, bool stopped)
{
	struct copy_folder total = books_total(&copy->books);
	struct table table = { .not_reached = books_not_reached(&total) > 0,
			       .present = there_before(&total) > 0 };
	size_t unchanged = 0;
	int64_t took = copy->began_us ? run_now() - copy->began_us : 0;
	double seconds = (double)(took ? took : 1) / (double)SECOND;
	char a[32], b[32], c[32], d[32];

	show_erase_line(s);
	if (s->json) {
		show_json_books(copy, stopped);
		return;
	}
	if (s->quiet)
		return;

	for (size_t i = 0; i < copy->books.n; i++)
		unchanged += copy->books.folders[i].unchanged;
	table.columns = show_name_columns(s, copy, OTHER_COLUMNS +
					  (table.not_reached ? NOT_REACHED_COLUMNS : 0) +
					  (table.present ? PRESENT_COLUMNS : 0));
	printf("\n  ");
	show_cell(BYTES("folder"), table.columns);
	printf(" %9s%s %9s %9s %9s%s %10s\n", "source", table.present ? "    before" : "", "copied", "excepted", "changed",
	       table.not_reached ? " not reached" : "", "size");
	for (size_t i = 0; i < copy->books.n; i++)
		books_line(&table, copy->books.folders[i].source_utf8, &copy->books.folders[i]);
	books_line(&table, BYTES("total"), &total);
	if (unchanged)
		printf("  %zu folder%s unchanged since the last pass\n", unchanged,
		       unchanged == 1 ? "" : "s");
	exceptions_of(copy, true, "not at the destination");
	exceptions_of(copy, false, "at the destination, but not in every detail");
	close_books(&total, stopped);
	show_deltas(copy, &total);
	if (total.copied)
		printf("%s message%s, %s in %s: %.0f messages/s, %s/s\n", show_count(a, total.copied),
		       total.copied == 1 ? "" : "s", show_bytes(b, total.bytes), show_duration(c, took),
		       (double)total.copied / seconds,
		       show_bytes(d, (uint64_t)((double)total.bytes / seconds)));
	else
		printf("nothing to copy, %s\n", show_duration(c, took));
	fflush(stdout);
}
