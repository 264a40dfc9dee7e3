/* SPDX-License-Identifier: Apache-2.0 */
/* The books: sums that close, names that stay, strings that are the books' own. */
#include "copy/books.h"

#include <stdio.h>

#include "base/xalloc.h"
#include "base/clock.h"
#include "lib/check.h"

static struct books two_folders(void)
{
	struct books b = { .n = 2 };

	b.folders = xzalloc(b.n * sizeof(*b.folders));
	return b;
}

/* Programs read them from --json: they never change. */
static void names(struct check *check)
{
	static const struct {
		enum copy_cause cause;
		const char *name;
		bool loses;
	} causes[] = {
		{ CAUSE_TOO_LARGE, "too-large", true },
		{ CAUSE_REFUSED, "refused", true },
		{ CAUSE_REFUSED_NUL, "refused-nul", true },
		{ CAUSE_REFUSED_HEADER, "refused-header", true },
		{ CAUSE_REFUSED_VIRUS, "refused-virus", true },
		{ CAUSE_UNREADABLE, "unreadable", true },
		{ CAUSE_FOLDER, "folder", true },
		{ CAUSE_ALTERED, "altered", false },
		{ CAUSE_FLAGS_CUT, "flags-cut", false },
		{ CAUSE_DATE_LOST, "date-lost", false },
		{ CAUSE_COUNT_DIFFERS, "count-differs", false },
		{ CAUSE_NOT_SUBSCRIBED, "not-subscribed", false },
		{ CAUSE_REMOVED, "removed", true },
		{ CAUSE_DELETES_HELD, "deletes-held", false },
		{ CAUSE_FLAGS_KEPT, "flags-kept", false },
		{ CAUSE_UNAVAILABLE, "unavailable", true },
	};

	CHECK_EQ(ARRAY_SIZE(causes), CAUSE_COUNT_);
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++) {
		CHECK_STR(books_cause_name(causes[i].cause), causes[i].name);
		CHECK_EQ(books_cause_loses(causes[i].cause), causes[i].loses);
	}
}

static void exceptions(struct check *check)
{
	_cleanup_(books_done) struct books b = two_folders();
	char id[] = "<a@b>", detail[] = "no";
	const struct copy_exception *e = books_except(&b, 1, CAUSE_REFUSED, 7, 100, 1, id, detail);

	id[0] = detail[0] = 'X';
	CHECK_STR(e->message_id, "<a@b>");
	CHECK_STR(e->detail, "no");
	CHECK_EQ(e->folder, 1);
	CHECK_EQ(e->uid, 7);
	CHECK_EQ(e->size, 100);
	CHECK_EQ(b.folders[1].excepted, 1);

	books_except(&b, 1, CAUSE_FLAGS_CUT, 8, 0, 1, "", ""); /* is there, only with less */
	books_except(&b, 1, CAUSE_COUNT_DIFFERS, 0, 0, 0, "", "");
	CHECK_EQ(b.folders[1].excepted, 1);
	books_except(&b, 0, CAUSE_FOLDER, 0, 0, 40, "", "");
	CHECK_EQ(b.folders[0].excepted, 40);
	CHECK_EQ(b.exceptions_n, 4);
}

/* A folder that the source has no more has no line in the books. */
static void exceptions_of_lost(struct check *check)
{
	_cleanup_(books_done) struct books b = two_folders();
	char name[] = "Old";
	const struct copy_exception *e = books_except_lost(&b, bytes_of(name), CAUSE_DELETES_HELD, 3, "no");

	name[0] = 'X';
	CHECK(e->folder == BOOKS_NO_FOLDER && bytes_equal(e->name, BYTES("Old")));
	CHECK_STR(e->detail, "no");
	CHECK_STR(e->message_id, "");
	CHECK_EQ(e->messages, 3);
	CHECK_EQ(b.exceptions_n, 1);
	CHECK_EQ(books_total(&b).excepted, 0);
}

static void many_exceptions(struct check *check)
{
	enum { N = 3000 };
	_cleanup_(books_done) struct books b = two_folders();
	char detail[20];

	for (uint32_t i = 0; i < N; i++) {
		snprintf(detail, sizeof(detail), "%u", i);
		books_except(&b, i % 2, CAUSE_UNREADABLE, i + 1, 0, 1, "", detail);
	}
	CHECK_EQ(b.exceptions_n, N);
	for (uint32_t i = 0; i < N; i++) {
		snprintf(detail, sizeof(detail), "%u", i);
		CHECK_EQ(b.exceptions[i].uid, i + 1);
		CHECK_STR(b.exceptions[i].detail, detail);
	}
	CHECK_EQ(b.folders[0].excepted + b.folders[1].excepted, N);
}

static void totals(struct check *check)
{
	_cleanup_(books_done) struct books b = two_folders();
	struct copy_folder t;

	b.folders[0] = (struct copy_folder){
		.expected = 11, .expected_bytes = 110, .listed = 10, .filtered = 1, .copied = 5,
		.excepted = 2, .changed = 1, .bytes = 50, .bytes_read = 60, .arrived = 3,
	};
	b.folders[1] = b.folders[0];
	t = books_total(&b);
	CHECK_EQ(t.expected, 22);
	CHECK_EQ(t.expected_bytes, 220);
	CHECK_EQ(t.listed, 20);
	CHECK_EQ(t.filtered, 2);
	CHECK_EQ(t.copied, 10);
	CHECK_EQ(t.excepted, 4);
	CHECK_EQ(t.changed, 2);
	CHECK_EQ(t.bytes, 100);
	CHECK_EQ(t.bytes_read, 120);
	CHECK_EQ(t.arrived, 6);
	CHECK_EQ(books_not_reached(&b.folders[0]), 1);
	CHECK_EQ(books_not_reached(&t), 2);
}

/* A pass that goes on with another one: what that did is done, but not at this one's pace. */
static void progress(struct check *check)
{
	_cleanup_(books_done) struct books b = two_folders();
	uint64_t all, settled;

	b.folders[0] = (struct copy_folder){ .state = FOLDER_DONE, .expected = 50, .listed = 50, .expected_bytes = 5000,
					     .present = 50, .bytes_present = 4900 };
	b.folders[1] = (struct copy_folder){ .state = FOLDER_COPYING, .expected = 100, .listed = 100,
					     .expected_bytes = 10000, .present = 60, .bytes_present = 6000 };
	books_messages(&b, &all, &settled);
	EXPECT(all == 150 && settled == 110);
	CHECK_EQ(books_bytes_done(&b), 11000);
	CHECK_EQ(books_bytes_per_second(&b, 10 * SECOND), 0);
	CHECK_EQ(books_left_us(&b, 10 * SECOND), -1); /* nothing read yet: nobody knows */

	b.folders[1].copied = 10;
	b.folders[1].bytes_read = 1000;
	CHECK_EQ(books_bytes_done(&b), 12000);
	CHECK_EQ(books_bytes_per_second(&b, 10 * SECOND), 100);
	CHECK_EQ(books_left_us(&b, 10 * SECOND), 30 * SECOND);
	CHECK_EQ(books_bytes_per_second(&b, 0), 0);
	CHECK_EQ(books_left_us(&b, 0), -1);

	/* What the ledger told before the folder was listed; read again and again it is not more than there is. */
	b.folders[1].bytes_known = 8000;
	CHECK_EQ(books_bytes_done(&b), 14000);
	b.folders[1].bytes_read = UINT64_MAX;
	CHECK_EQ(books_bytes_done(&b), 15000);
	CHECK_EQ(books_left_us(&b, 10 * SECOND), -1);

	/* A server that tells no sizes: by messages, those of this pass. */
	b.folders[0].expected_bytes = b.folders[1].expected_bytes = 0;
	CHECK_EQ(books_left_us(&b, 10 * SECOND), 30 * SECOND);
}

static void closing(struct check *check)
{
	struct copy_folder f = { .listed = 6, .filtered = 1, .copied = 2, .excepted = 2, .changed = 1 };

	CHECK_EQ(books_not_reached(&f), 0);
	f.copied++; /* more than there were: a fault of ours, but never 18 quintillions owed */
	CHECK_EQ(books_not_reached(&f), 0);
	f.copied = 0;
	CHECK_EQ(books_not_reached(&f), 2);
}

static void stopped_early(struct check *check)
{
	_cleanup_(books_done) struct books b = two_folders();

	b.folders[0] = (struct copy_folder){ .state = FOLDER_COPYING, .expected = 100, .listed = 60,
					     .copied = 50 };
	b.folders[1] = (struct copy_folder){ .state = FOLDER_DONE, .expected = 9, .listed = 7,
					     .copied = 7 };
	books_close(&b);
	CHECK_EQ(books_not_reached(&b.folders[0]), 50); /* 40 of them never listed */
	CHECK_EQ(books_not_reached(&b.folders[1]), 0);
	b.folders[0] = (struct copy_folder){ .state = FOLDER_WAITING, .expected = 5 };
	books_close(&b);
	CHECK_EQ(books_not_reached(&b.folders[0]), 5);
}

static void empty(struct check *check)
{
	struct books b = { .n = 0 };

	CHECK_EQ(books_total(&b).listed, 0);
	books_done(&b);
	books_done(&b);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "causes have stable names", names },
		{ "exceptions count when they lose a message", exceptions },
		{ "exceptions of a folder that is no more", exceptions_of_lost },
		{ "thousands of exceptions", many_exceptions },
		{ "totals", totals },
		{ "progress", progress },
		{ "what is not reached", closing },
		{ "what was not even listed is not reached", stopped_early },
		{ "empty books", empty },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
