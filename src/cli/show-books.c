/* SPDX-License-Identifier: Apache-2.0 */
/* The closing table, the exceptions, and the sentence about the books. */
#include <stdio.h>

#include "cli/show.h"

enum { OTHER_COLUMNS = 2 + 4 * 10 + 11, NOT_REACHED_COLUMNS = 12 };

struct table {
	size_t columns;
	bool not_reached; /* some were: a column more */
};

static void books_line(const struct table *t, struct bytes name, const struct copy_folder *f)
{
	char a[32], b[32], c[32], d[32], e[32];

	fputs("  ", stdout);
	show_cell(name, t->columns);
	printf(" %9s %9s %9s %9s", show_count(a, f->listed - f->filtered), show_count(b, f->copied),
	       show_count(c, f->excepted), show_count(d, f->changed));
	if (t->not_reached)
		printf(" %11s", show_count(e, books_not_reached(f)));
	printf(" %10s\n", show_bytes(e, f->bytes));
}

static void close_books(const struct copy_folder *t, bool stopped)
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
			show_exception(copy, &copy->books.exceptions[i], stdout);
}

void show_books(struct show *s, const struct copy *copy, bool stopped)
{
	struct copy_folder total = books_total(&copy->books);
	struct table table = { .not_reached = books_not_reached(&total) > 0 };
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

	table.columns = show_name_columns(s, copy, OTHER_COLUMNS +
					  (table.not_reached ? NOT_REACHED_COLUMNS : 0));
	printf("\n  ");
	show_cell(BYTES("folder"), table.columns);
	printf(" %9s %9s %9s %9s%s %10s\n", "source", "copied", "excepted", "changed",
	       table.not_reached ? " not reached" : "", "size");
	for (size_t i = 0; i < copy->books.n; i++)
		books_line(&table, copy->books.folders[i].source_utf8, &copy->books.folders[i]);
	books_line(&table, BYTES("total"), &total);
	exceptions_of(copy, true, "not at the destination");
	exceptions_of(copy, false, "at the destination, but not in every detail");
	close_books(&total, stopped);
	printf("%s message%s, %s in %s: %.0f messages/s, %s/s\n", show_count(a, total.copied),
	       total.copied == 1 ? "" : "s", show_bytes(b, total.bytes), show_duration(c, took),
	       (double)total.copied / seconds,
	       show_bytes(d, (uint64_t)((double)total.bytes / seconds)));
	fflush(stdout);
}
