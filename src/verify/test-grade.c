/* SPDX-License-Identifier: Apache-2.0 */
/* Findings, acceptance and grades: names that stay, and no way to be ready by accident. */
#include "verify/findings.h"

#include <string.h>

#include "lib/check.h"
#include "verify/verify.h"

/* Programs read them: they never change. */
static void names(struct check *check)
{
	static const struct {
		enum verify_kind kind;
		const char *name;
		bool fails;
	} kinds[] = {
		{ VERIFY_MISSING, "missing", true },
		{ VERIFY_MISFILED, "misfiled", true },
		{ VERIFY_ALTERED, "altered", true },
		{ VERIFY_UNREADABLE, "unreadable", true },
		{ VERIFY_DOUBLE, "double", true },
		{ VERIFY_NOT_COPIED, "not-copied", true },
		{ VERIFY_UNACCOUNTED, "unaccounted", true },
		{ VERIFY_FLAGS, "flags", true },
		{ VERIFY_DATE, "date", true },
		{ VERIFY_COUNT, "count", true },
		{ VERIFY_FOLDER_MISSING, "folder-missing", true },
		{ VERIFY_FOLDER_REPLACED, "folder-replaced", true },
		{ VERIFY_FOLDER_UNKNOWN, "folder-unknown", true },
		{ VERIFY_FOLDER_INCOMPLETE, "folder-incomplete", true },
		{ VERIFY_FOLDER_UNREADABLE, "folder-unreadable", true },
		{ VERIFY_NEW, "new", false },
		{ VERIFY_GONE, "gone", false },
		{ VERIFY_EXTRA, "extra", false },
		{ VERIFY_RENUMBERED, "renumbered", false },
		{ VERIFY_FLAGS_NEW, "flags-new", false },
		{ VERIFY_FLAGS_THERE, "flags-there", false },
		{ VERIFY_SIZE, "size", false },
	};

	CHECK_EQ(ARRAY_SIZE(kinds), VERIFY_KINDS);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		CHECK_STR(verify_kind_name(kinds[i].kind), kinds[i].name);
		CHECK_EQ(verify_kind_fails(kinds[i].kind), kinds[i].fails);
		CHECK(verify_kind_words(kinds[i].kind)[0]);
	}
	CHECK_STR(verify_grade_name(VERIFY_READY), "ready");
	CHECK_STR(verify_grade_name(VERIFY_READY_ACCEPTED), "ready-accepted");
	CHECK_STR(verify_grade_name(VERIFY_NOT_READY), "not-ready");
	CHECK_STR(verify_grade_name(VERIFY_UNFINISHED), "unfinished");
}

static void grades(struct check *check)
{
	struct verify_tally tally[VERIFY_KINDS] = { { 0 } };
	struct ledger_accepted someone = { "missing", "", 0, "why", "who", 0 };
	struct verify_finding f = { .kind = VERIFY_EXTRA, .messages = 1 };

	CHECK_EQ(verify_grade_of(tally), VERIFY_READY);
	verify_tally_add(tally, &f); /* to be known, no more */
	CHECK_EQ(verify_grade_of(tally), VERIFY_READY);

	f.kind = VERIFY_MISSING;
	f.accepted = &someone;
	verify_tally_add(tally, &f);
	CHECK_EQ(verify_grade_of(tally), VERIFY_READY_ACCEPTED);

	f.accepted = NULL;
	verify_tally_add(tally, &f); /* one accepted does not cover two */
	CHECK_EQ(verify_grade_of(tally), VERIFY_NOT_READY);
	CHECK_EQ(tally[VERIFY_MISSING].found, 2);
	CHECK_EQ(tally[VERIFY_MISSING].accepted, 1);
}

/* A finding of a folder that stands for no message fails all the same. */
static void folders_fail(struct check *check)
{
	struct verify_tally tally[VERIFY_KINDS] = { { 0 } };
	struct verify_finding f = { .kind = VERIFY_FOLDER_MISSING };

	verify_tally_add(tally, &f);
	CHECK_EQ(verify_grade_of(tally), VERIFY_NOT_READY);
}

static void parses(struct check *check)
{
	static const struct {
		const char *text, *cause, *folder;
		uint32_t uid;
	} good[] = {
		{ "flags", "flags", "", 0 },
		{ "too-large", "too-large", "", 0 },
		{ "missing:INBOX", "missing", "INBOX", 0 },
		{ "missing:INBOX:17", "missing", "INBOX", 17 },
		{ "missing:a:b", "missing", "a:b", 0 },
		{ "missing:a:b:4294967295", "missing", "a:b", UINT32_MAX },
		{ "missing:room:101:", "missing", "room:101", 0 },
		{ "missing:Lists/dev", "missing", "Lists/dev", 0 },
		{ "missing:a:0", "missing", "a:0", 0 },
	};
	static const char *const bad[] = { "", "nonsense", "new", "extra:INBOX", "missing::17", "MISSING" };
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct ledger_accepted a;
	struct fault fault;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CHECK_EQ(verify_accept_parse(good[i].text, &arena, &a, &fault), 0);
		CHECK_STR(a.cause, good[i].cause);
		CHECK_STR(a.folder, good[i].folder);
		CHECK_EQ(a.uid, good[i].uid);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_EQ(verify_accept_parse(bad[i], &arena, &a, &fault), -1);
		CHECK_EQ(fault.kind, FAULT_USAGE);
	}
	CHECK_EQ(verify_accept_parse("mising:INBOX", &arena, &a, &fault), -1);
	CHECK_STR(fault.text, "--accept mising: no such cause; did you mean missing?");
	CHECK_EQ(verify_accept_parse("refused-heder", &arena, &a, &fault), -1);
	CHECK_STR(fault.text, "--accept refused-heder: no such cause; did you mean refused-header?");
}

static void covers(struct check *check)
{
	const struct ledger_accepted list[] = {
		{ "not-copied", "", 0, "all", "w", 1 },
		{ "too-large", "Sent", 0, "sent", "w", 2 },
		{ "not-copied", "Sent", 9, "nine", "w", 3 },
	};
	struct verify_finding f = { .kind = VERIFY_NOT_COPIED, .uid = 9, .cause = "too-large" };
	struct bytes sent = BYTES("Sent"), inbox = BYTES("INBOX");

	CHECK(verify_accepted(list, 3, &f, sent) == &list[2]);
	f.uid = 8;
	CHECK(verify_accepted(list, 3, &f, sent) == &list[1]);
	f.cause = "refused";
	CHECK(verify_accepted(list, 3, &f, sent) == &list[0]);
	CHECK(verify_accepted(list + 1, 2, &f, sent) == NULL);
	CHECK(verify_accepted(list, 3, &f, inbox) == &list[0]);
	f.kind = VERIFY_MISSING;
	f.cause = NULL;
	CHECK(verify_accepted(list, 3, &f, sent) == NULL);

	/* Accepted as missing, and noted as removed since. */
	f = (struct verify_finding){ .kind = VERIFY_NOT_COPIED, .uid = 7, .cause = "removed" };
	CHECK(verify_accepted(&(struct ledger_accepted){ "missing", "Sent", 7, "gone", "w", 4 }, 1, &f, sent));
	CHECK(!verify_accepted(&(struct ledger_accepted){ "missing", "Sent", 8, "gone", "w", 4 }, 1, &f, sent));
	f.cause = "refused";
	CHECK(!verify_accepted(&(struct ledger_accepted){ "missing", "Sent", 7, "gone", "w", 4 }, 1, &f, sent));

	/* What was accepted of one message says nothing of its folder. */
	f = (struct verify_finding){ .kind = VERIFY_NOT_COPIED };
	CHECK(verify_accepted(list + 2, 1, &f, sent) == NULL);
}

static void history(struct check *check)
{
	struct ledger_accepted list[] = {
		{ "flags", "", 0, "first", "a", 1 },
		{ "flags", "Sent", 0, "other", "a", 2 },
		{ "flags", "", 0, "", "b", 3 },
		{ "date", "", 0, "once", "a", 4 },
		{ "date", "", 0, "again", "b", 5 },
	};

	CHECK_EQ(verify_accepted_now(list, ARRAY_SIZE(list)), 2);
	CHECK_STR(list[0].reason, "other");
	CHECK_STR(list[1].reason, "again");
	CHECK_EQ(verify_accepted_now(list, 0), 0);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "names never change", names },
		{ "grades", grades },
		{ "a folder's finding fails, whatever it stands for", folders_fail },
		{ "CAUSE:FOLDER:UID", parses },
		{ "the most particular acceptance covers", covers },
		{ "the last line counts, and withdraws", history },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
