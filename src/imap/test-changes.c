/* SPDX-License-Identifier: Apache-2.0 */
/* ENABLE, SELECT, and asking what changed: what is sent to the byte, and what is made of answers good and bad. */
#include <inttypes.h>
#include <stdio.h>

#include "imap/test-talk.h"

/* --- ENABLE ---------------------------------------------------------------------------------- */

static int state(struct talk *t, struct fault *fault)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;

	buf_appendf(&got, "%s%s%s", t->s->condstore ? "condstore " : "", t->s->qresync ? "qresync " : "",
		    t->s->utf8 ? "utf8" : "");
	same(t, &got);
	return 0;
}

static void enable(struct check *check)
{
	static const struct {
		const char *capabilities, *want;
		bool no_qresync;
		const char *script[12];
	} cases[] = {
		{ "ENABLE QRESYNC CONDSTORE", "condstore qresync ", false,
		  { "m1 ENABLE QRESYNC\r\n", "* ENABLED QRESYNC\r\nm1 OK\r\n" } },
		{ "ENABLE QRESYNC UTF8=ACCEPT", "condstore qresync utf8", false,
		  { "m1 ENABLE UTF8=ACCEPT QRESYNC\r\n", "* ENABLED CONDSTORE qresync UTF8=ACCEPT\r\nm1 OK\r\n" } },
		{ "ENABLE CONDSTORE", "condstore ", false,
		  { "m1 ENABLE CONDSTORE\r\n", "* ENABLED CONDSTORE\r\nm1 OK\r\n" } },
		{ "ENABLE QRESYNC", "", false, { "m1 ENABLE QRESYNC\r\n", "* ENABLED\r\nm1 OK\r\n" } },
		{ "ENABLE QRESYNC CONDSTORE UTF8=ACCEPT", "utf8", true,
		  { "m1 ENABLE UTF8=ACCEPT\r\n", "* ENABLED UTF8=ACCEPT\r\nm1 OK\r\n" } },
		{ "ENABLE QRESYNC CONDSTORE", "", true, { NULL } },
		{ "QRESYNC CONDSTORE", "", false, { NULL } },
		{ "ENABLE", "", false, { NULL } },
		/* refused together, one of them by itself too */
		{ "ENABLE QRESYNC CONDSTORE UTF8=ACCEPT", "condstore qresync ", false,
		  { "m1 ENABLE UTF8=ACCEPT QRESYNC\r\n", "m1 BAD\r\n", "m2 ENABLE UTF8=ACCEPT\r\n", "m2 NO\r\n",
		    "m3 ENABLE QRESYNC\r\n", "* ENABLED QRESYNC\r\nm3 OK\r\n" } },
		{ "ENABLE QRESYNC CONDSTORE UTF8=ACCEPT", "condstore utf8", false,
		  { "m1 ENABLE UTF8=ACCEPT QRESYNC\r\n", "m1 NO\r\n", "m2 ENABLE UTF8=ACCEPT\r\n",
		    "* ENABLED UTF8=ACCEPT\r\nm2 OK\r\n", "m3 ENABLE QRESYNC\r\n", "m3 BAD\r\n",
		    "m4 ENABLE CONDSTORE\r\n", "* ENABLED CONDSTORE\r\nm4 OK\r\n" } },
		{ "ENABLE QRESYNC", "", false, { "m1 ENABLE QRESYNC\r\n", "m1 BAD\r\n" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		play(check, &(struct play){ .client = state, .capabilities = cases[i].capabilities,
					    .no_qresync = cases[i].no_qresync, .script = cases[i].script,
					    .want = cases[i].want });
}

/* --- SELECT ---------------------------------------------------------------------------------- */

static int select_twice(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;

	if (imap_select(t->s, BYTES("a"), true, fault) < 0 || imap_select(t->s, BYTES("b"), false, fault) < 0)
		return -1;

	EXPECT(t->s->selected.exists == 4 && t->s->selected.uidvalidity == 9);
	EXPECT(strcmp(t->s->selected.object, "F2212ea87-6097-4256-9d51") == 0);
	return state(t, fault);
}

#define SELECTED_B                                                                                 \
	"* OK [CLOSED]\r\n* 4 EXISTS\r\n* OK [UIDVALIDITY 9]\r\n* OK [MAILBOXID (F2212ea87-6097-4256-9d51)]\r\n"

static void select_condstore(struct check *check)
{
	static const char *const taken[] = { "m1 EXAMINE \"a\" (CONDSTORE)\r\n", "* 9 EXISTS\r\nm1 OK\r\n",
					     "m2 SELECT \"b\"\r\n", SELECTED_B "m2 OK\r\n", NULL };
	static const char *const refused[] = { "m1 EXAMINE \"a\" (CONDSTORE)\r\n", "m1 BAD what\r\n",
					       "m2 EXAMINE \"a\"\r\n", "* 9 EXISTS\r\nm2 OK\r\n",
					       "m3 SELECT \"b\"\r\n", SELECTED_B "m3 OK\r\n", NULL };
	static const char *const plain[] = { "m1 EXAMINE \"a\"\r\n", "* 9 EXISTS\r\nm1 OK\r\n",
					     "m2 SELECT \"b\"\r\n", SELECTED_B "m2 OK\r\n", NULL };

	play(check, &(struct play){ .client = select_twice, .capabilities = "CONDSTORE", .script = taken,
				    .want = "condstore " });
	play(check, &(struct play){ .client = select_twice, .capabilities = "CONDSTORE", .script = refused,
				    .want = "" });
	play(check, &(struct play){ .client = select_twice, .capabilities = "CONDSTORE", .script = plain,
				    .no_qresync = true, .want = "" });
}

/* A folder that cannot be opened costs one command, with CONDSTORE or without. */
static int select_missing(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;

	EXPECT(imap_select(t->s, BYTES("a"), true, fault) < 0 && fault->reach == REACH_FOLDER);
	EXPECT(!t->s->condstore && !t->s->selected.is_selected && !t->s->no_condstore);
	return 0;
}

static void select_no(struct check *check)
{
	PLAY(select_missing, "CONDSTORE", "m1 EXAMINE \"a\" (CONDSTORE)\r\n", "m1 NO [NONEXISTENT] no\r\n");
}

static int count(struct talk *t, struct fault *fault)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;

	for (int i = 0; i < 5; i++) {
		if (imap_simple(t->s, "NOOP", fault) < 0)
			return -1;
		buf_appendf(&got, "%" PRIu32 " ", t->s->selected.exists);
	}
	same(t, &got);
	return 0;
}

/* What is gone is counted off, by number or by UID; what was gone before is not. */
static void vanished_counts(struct check *check)
{
	static const char *const script[] = {
		"m1 NOOP\r\n", "* 20 EXISTS\r\n* VANISHED 3:5,9\r\nm1 OK\r\n",
		"m2 NOOP\r\n", "* VANISHED (EARLIER) 1:1000\r\n* 2 EXPUNGE\r\nm2 OK\r\n",
		"m3 NOOP\r\n", "* 1 FETCH (UID 7 MODSEQ (65) FLAGS (\\Seen))\r\n* 17 EXISTS\r\nm3 OK\r\n",
		"m4 NOOP\r\n", "* VANISHED 5:2\r\nm4 OK [HIGHESTMODSEQ 7]\r\n",
		"m5 NOOP\r\n", "* VANISHED 1:4294967295,1:4294967295\r\n* 1 EXPUNGE\r\nm5 OK\r\n", NULL,
	};

	play(check, &(struct play){ .client = count, .script = script, .want = "16 15 17 13 0 " });
}

/* --- what changed ---------------------------------------------------------------------------- */

static int changes_since(struct talk *t, uint64_t modseq, uint32_t high)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	struct imap_changes changes;
	struct fault why;

	if (imap_fetch_changes(t->s, modseq, high, &changes, &why) < 0) {
		put_fault(&got, &why);
	} else {
		put_messages(&got, &changes.changed);
		buf_append_str(&got, changes.knows_vanished ? "gone" : "not told");
		for (size_t i = 0; i < changes.vanished_n; i++)
			buf_appendf(&got, " %" PRIu32 "-%" PRIu32, changes.vanished[i].low, changes.vanished[i].high);
	}
	same(t, &got);
	imap_changes_done(&changes);
	return 0;
}

static int changes_of_90(struct talk *t, struct fault *fault)
{
	return changes_since(t, 5, 90);
}

static int changes_of_all(struct talk *t, struct fault *fault)
{
	return changes_since(t, 0, 90);
}

static int changes_of_300000(struct talk *t, struct fault *fault)
{
	return changes_since(t, UINT64_MAX, 300000);
}

#define QRESYNC_ON "m1 ENABLE QRESYNC\r\n", "* ENABLED QRESYNC\r\nm1 OK\r\n"
#define CONDSTORE_ON "m1 ENABLE CONDSTORE\r\n", "* ENABLED CONDSTORE\r\nm1 OK\r\n"
#define ASKED "m2 UID FETCH 1:90 (UID FLAGS) (CHANGEDSINCE 5 VANISHED)\r\n"
#define ASKED_LESS "UID FETCH 1:90 (UID FLAGS) (CHANGEDSINCE 5)\r\n"

static void changed(struct check *check, int (*client)(struct talk *t, struct fault *fault),
		    const char *capabilities, const char *want, const char *const *script)
{
	play(check, &(struct play){ .client = client, .capabilities = capabilities, .want = want, .script = script });
}

#define CHANGED(client, capabilities, want, ...)                                                   \
	changed(check, client, capabilities, want, (const char *const[]){ __VA_ARGS__, NULL })

static void changes(struct check *check)
{
	CHANGED(changes_of_90, "ENABLE QRESYNC", "4(\\Seen) 9() gone 2-3 20-90", QRESYNC_ON, ASKED,
		"* VANISHED (EARLIER) 20:4294967295,3,2:2,95\r\n* 4 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (9))\r\n"
		"* 5 FETCH (UID 9 MODSEQ (6) FLAGS ())\r\nm2 OK\r\n");
	CHANGED(changes_of_90, "ENABLE QRESYNC", "gone", QRESYNC_ON, ASKED, "m2 OK\r\n");

	/* Several lines, in any order, touching and overlapping; one that went meanwhile has not changed. */
	CHANGED(changes_of_90, "ENABLE QRESYNC", "4(a) gone 5-12 14-14", QRESYNC_ON, ASKED,
		"* VANISHED (EARLIER) 10:12,14\r\n* 4 FETCH (UID 4 FLAGS (a))\r\n* 6 FETCH (UID 6 FLAGS (b))\r\n"
		"* VANISHED (EARLIER) 5:6,8:11\r\n* VANISHED 7\r\nm2 OK\r\n");

	/* News of what was not asked for, without flags, of UIDs beyond. */
	CHANGED(changes_of_90, "ENABLE QRESYNC", "3(x) gone", QRESYNC_ON, ASKED,
		"* 2 FETCH (UID 2 MODSEQ (8))\r\n* 4 FETCH (FLAGS (y) MODSEQ (8))\r\n* 5 FETCH (UID 91 FLAGS (y))\r\n"
		"* 3 FETCH (UID 3 FLAGS (x) MODSEQ (8))\r\n* 99 EXISTS\r\nm2 OK\r\n");

	/* A server that only counts. */
	CHANGED(changes_of_90, "ENABLE CONDSTORE", "4() not told", CONDSTORE_ON, "m2 " ASKED_LESS,
		"* 4 FETCH (UID 4 FLAGS ())\r\n* 7 EXPUNGE\r\nm2 OK\r\n");
	CHANGED(changes_of_all, "ENABLE QRESYNC", "4() not told", QRESYNC_ON, "m2 UID FETCH 1:90 (UID FLAGS)\r\n",
		"* 4 FETCH (UID 4 FLAGS ())\r\nm2 OK\r\n");
}

static void changes_refused(struct check *check)
{
	CHANGED(changes_of_90, "ENABLE QRESYNC", "4() not told", QRESYNC_ON, ASKED, "m2 BAD VANISHED\r\n",
		"m3 " ASKED_LESS, "* 4 FETCH (UID 4 FLAGS ())\r\nm3 OK\r\n");
	CHANGED(changes_of_90, "ENABLE QRESYNC", "refused message 2", QRESYNC_ON, ASKED, "m2 BAD\r\n",
		"m3 " ASKED_LESS, "m3 BAD\r\n");

	/* Half an answer is none. */
	CHANGED(changes_of_90, "ENABLE CONDSTORE", "refused message 2", CONDSTORE_ON, "m2 " ASKED_LESS,
		"* 4 FETCH (UID 4 FLAGS ())\r\nm2 NO some could not be fetched\r\n");

	/* Who says not now is not asked another way at once. */
	CHANGED(changes_of_90, "ENABLE QRESYNC", "limit mailbox 1", QRESYNC_ON, ASKED, "m2 NO [LIMIT] Rate limit hit.\r\n");
}

/* Many UIDs are asked for in parts, so that no line of VANISHED is too long to take. */
static void changes_in_parts(struct check *check)
{
	CHANGED(changes_of_300000, "ENABLE QRESYNC", "7() 250000() gone 1-2 131072-131073 300000-300000", QRESYNC_ON,
		"m2 UID FETCH 1:131072 (UID FLAGS) (CHANGEDSINCE 18446744073709551615 VANISHED)\r\n",
		"* VANISHED (EARLIER) 131072\r\n* 3 FETCH (UID 250000 FLAGS (old))\r\nm2 OK\r\n",
		"m3 UID FETCH 131073:262144 (UID FLAGS) (CHANGEDSINCE 18446744073709551615 VANISHED)\r\n",
		"* VANISHED (EARLIER) 131073\r\n* 3 FETCH (UID 250000 FLAGS ())\r\n* 1 FETCH (UID 7 FLAGS ())\r\nm3 OK\r\n",
		"m4 UID FETCH 262145:300000 (UID FLAGS) (CHANGEDSINCE 18446744073709551615 VANISHED)\r\n",
		"* VANISHED 1:2,300000:400000\r\nm4 OK\r\n");
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "ENABLE", enable },
		{ "SELECT (CONDSTORE)", select_condstore },
		{ "SELECT refused", select_no },
		{ "VANISHED counts", vanished_counts },
		{ "what changed", changes },
		{ "what changed, refused", changes_refused },
		{ "what changed, in parts", changes_in_parts },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
