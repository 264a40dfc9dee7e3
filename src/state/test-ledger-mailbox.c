/* SPDX-License-Identifier: Apache-2.0 */
/* What the ledger keeps of folders, counts of their messages, and of the mailbox as a whole. */
#include "base/xalloc.h"
#include "lib/check.h"
#include "state/test-common.h"

/* --- messages by state and cause --------------------------------------------------------------- */

static int count(struct testing_ledger *t, uint32_t folder, enum ledger_state state, size_t most,
		 size_t want, struct fault *fault)
{
	struct check *check = t->check;
	struct ledger_messages m;
	int r = ledger_load_state(t->ledger, folder, state, most, &m, fault);

	if (r == 0)
		EXPECT(m.n == want);
	for (size_t i = 0; r == 0 && i < m.n; i++)
		EXPECT(m.p[i].state == state && (!folder || m.p[i].folder == folder));
	ledger_messages_done(&m);
	return r;
}

/* In each of two folders: UIDs 1 to 8 COPIED (8 with a cause), 9 to 12 GONE (12 mirrored), 13
 * and 14 EXCEPTED, 15 REMOVED. */
static void put_states(struct ledger *ledger)
{
	for (uint32_t i = 0; i < 30; i++) {
		uint32_t uid = 1 + i % 15;
		struct ledger_message m = testing_message(1 + i / 15, uid, 0);

		m.state = uid > 14   ? LEDGER_REMOVED
			  : uid > 12 ? LEDGER_EXCEPTED
			  : uid > 8  ? LEDGER_GONE
				     : LEDGER_COPIED;
		if (uid == 12)
			m.has |= LEDGER_MIRRORED;
		if (uid == 8)
			m.cause = 8;
		if (m.state == LEDGER_EXCEPTED)
			m.cause = (uint8_t)(uid - 12);
		ledger_put_message(ledger, &m);
	}
}

static int states(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	struct ledger_messages m;

	OPEN(t, LEDGER_CREATE);
	put_states(t->ledger);
	TRY(count(t, 0, LEDGER_COPIED, 100, 16, fault));
	TRY(count(t, 2, LEDGER_COPIED, 100, 8, fault));
	TRY(count(t, 0, LEDGER_GONE, 100, 6, fault));
	TRY(count(t, 1, LEDGER_GONE, 100, 3, fault));
	TRY(count(t, 0, LEDGER_EXCEPTED, 100, 4, fault));
	TRY(count(t, 0, LEDGER_REMOVED, 1, 1, fault));
	TRY(count(t, 3, LEDGER_REMOVED, 1, 0, fault));

	TRY(ledger_load_causes(t->ledger, 0, 100, &m, fault));
	EXPECT(m.n == 6 && m.p[0].folder == 1 && m.p[0].uid == 8 && m.p[5].folder == 2 &&
	       m.p[5].uid == 14);
	ledger_messages_done(&m);
	TRY(ledger_load_causes(t->ledger, 2, 2, &m, fault));
	EXPECT(m.n == 2 && m.p[0].folder == 2 && m.p[0].cause == 8 && m.p[0].message_id[0]);
	ledger_messages_done(&m);

	/* indexes follow changes */
	ledger_set_state(t->ledger, 1, 9, LEDGER_GONE, LEDGER_MIRRORED);
	ledger_set_state(t->ledger, 1, 10, LEDGER_COPIED, 0);
	ledger_set_state(t->ledger, 1, 1, LEDGER_GONE, 0);
	TRY(count(t, 1, LEDGER_GONE, 100, 2, fault));
	TRY(count(t, 1, LEDGER_COPIED, 100, 8, fault));
	return testing_ledger_finish(t);
}

/* --- folders --------------------------------------------------------------------------------- */

static bool same_seen(const struct ledger_seen *a, const struct ledger_seen *b)
{
	return a->uidvalidity == b->uidvalidity && a->uidnext == b->uidnext &&
	       a->messages == b->messages && a->modseq == b->modseq;
}

static bool same_folder(const struct ledger_folder *a, const struct ledger_folder *b)
{
	return a->id == b->id && a->current == b->current &&
	       bytes_equal(a->source_name, b->source_name) &&
	       bytes_equal(a->destination_name, b->destination_name) &&
	       bytes_equal(a->source_object, b->source_object) &&
	       a->source_uidvalidity == b->source_uidvalidity &&
	       a->destination_uidvalidity == b->destination_uidvalidity &&
	       a->complete == b->complete && same_seen(&a->source, &b->source) &&
	       same_seen(&a->destination, &b->destination) && a->since == b->since &&
	       a->before == b->before && a->mark == b->mark &&
	       memcmp(&a->tally, &b->tally, sizeof(a->tally)) == 0;
}

static struct ledger_folder full_folder(void)
{
	return (struct ledger_folder){
		.current = true,
		.source_name = BYTES("Entw&APw-rfe\0x"),
		.destination_name = BYTES("INBOX/\xc3\x84"),
		.source_object = BYTES("F2212ea87-6097"),
		.source_uidvalidity = UINT32_MAX,
		.destination_uidvalidity = 7,
		.complete = true,
		.source = { 1, 2, 3, INT64_MAX },
		.destination = { UINT32_MAX, UINT32_MAX, UINT32_MAX, 4 },
		.since = -5,
		.before = INT64_MAX,
	};
}

static int folders(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct ledger_folder f[3] = { testing_ledger_folder("a"), full_folder(),
				      testing_ledger_folder("c") };
	struct ledger_folder *got;
	size_t n;

	OPEN(t, LEDGER_CREATE);
	TRY(ledger_load_folders(t->ledger, &arena, &got, &n, fault));
	EXPECT(n == 0);
	for (int i = 0; i < 3; i++)
		ledger_add_folder(t->ledger, &f[i]);
	EXPECT(f[0].id == 1 && f[1].id == 2 && f[2].id == 3);
	ledger_set_mark(t->ledger, &f[1], 4000000000);
	EXPECT(f[1].mark == 4000000000);
	f[0].current = false;
	ledger_put_folder(t->ledger, &f[0]);
	f[1].mark = 5; /* put_folder leaves it alone */
	ledger_put_folder(t->ledger, &f[1]);
	f[1].mark = 4000000000;
	TRY(testing_ledger_reopen(t, fault));
	TRY(ledger_load_folders(t->ledger, &arena, &got, &n, fault));
	EXPECT(n == 3 && same_folder(&got[0], &f[1]) && same_folder(&got[1], &f[2]) &&
	       same_folder(&got[2], &f[0]));

	ledger_add_folder(t->ledger, &f[2]);
	EXPECT(f[2].id == 4);
	return testing_ledger_finish(t);
}

static int counting(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct ledger_folder f = testing_ledger_folder("a"), *got;
	struct ledger_message huge = testing_message(1, 100, 0),
			      sending = testing_message(1, 200, 0);
	size_t n;

	OPEN(t, LEDGER_CREATE);
	ledger_add_folder(t->ledger, &f);
	put_states(t->ledger);
	TRY(ledger_count_folder(t->ledger, &f, fault));
	EXPECT(f.tally.copied == 8 && f.tally.bytes == 3600);
	EXPECT(f.tally.gone == 3); /* one is mirrored */
	EXPECT(f.tally.excepted == 2 && f.tally.removed == 1);
	EXPECT(f.tally.noted[0] == 11 && f.tally.noted[1] == 1 && f.tally.noted[2] == 1 &&
	       f.tally.noted[8] == 1);
	TRY(testing_ledger_reopen(t, fault));
	TRY(ledger_load_folders(t->ledger, &arena, &got, &n, fault));
	EXPECT(n == 1 && same_folder(&got[0], &f));

	/* what is about to be sent is no message of either side yet */
	sending.state = LEDGER_SENDING;
	ledger_put_message(t->ledger, &sending);
	TRY(count(t, 1, LEDGER_SENDING, 10, 1, fault));
	TRY(ledger_count_folder(t->ledger, &f, fault));
	EXPECT(same_folder(&got[0], &f));

	/* counted anew, not added up; and sizes that a server made up do not overflow */
	huge.size = INT64_MAX;
	ledger_put_message(t->ledger, &huge);
	huge.uid++;
	ledger_put_message(t->ledger, &huge);
	ledger_forget_message(t->ledger, 1, 8);
	TRY(ledger_count_folder(t->ledger, &f, fault));
	EXPECT(f.tally.copied == 9 && f.tally.bytes == INT64_MAX && f.tally.noted[8] == 0);
	TRY(ledger_load_folders(t->ledger, &arena, &got, &n, fault));
	EXPECT(n == 1 && same_folder(&got[0], &f));
	return testing_ledger_finish(t);
}

/* --- the mailbox as a whole ------------------------------------------------------------------ */

static bool fact_is(struct ledger *ledger, const char *name, const char *want)
{
	const char *is = ledger_fact(ledger, name);

	return want ? is && strcmp(is, want) == 0 : !is;
}

static int facts(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;

	OPEN(t, LEDGER_CREATE);
	EXPECT(fact_is(t->ledger, "hold", NULL));
	ledger_set_fact(t->ledger, "hold", "yes");
	ledger_set_fact(t->ledger, "cut-over-at", "2026-01-01");
	ledger_set_fact(t->ledger, "empty", "");
	EXPECT(fact_is(t->ledger, "hold", "yes"));
	ledger_set_fact(t->ledger, "hold", "no");
	ledger_set_fact(t->ledger, "cut-over-at", NULL);
	ledger_set_fact(t->ledger, "never", NULL);
	for (int i = 0; i < 2; i++) {
		EXPECT(fact_is(t->ledger, "hold", "no") && fact_is(t->ledger, "cut-over-at", NULL));
		EXPECT(fact_is(t->ledger, "empty", "") && fact_is(t->ledger, "never", NULL));
		TRY(testing_ledger_reopen(t, fault));
	}
	return testing_ledger_finish(t);
}

static int passes(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct ledger_pass pass = { .began = 5,
				    .ended = 9,
				    .kind = "delta",
				    .copied = 1,
				    .bytes = 2,
				    .flags_changed = 3,
				    .moved = 4,
				    .deleted = 5,
				    .excepted = 6,
				    .exit_status = 3,
				    .error = "stopped" };
	struct ledger_pass *got;
	size_t n;

	OPEN(t, LEDGER_CREATE);
	EXPECT(ledger_begin_pass(t->ledger, "seed", 1) == 1);
	EXPECT(ledger_begin_pass(t->ledger, "delta", 5) == 2);
	ledger_end_pass(t->ledger, 2, &pass);
	TRY(ledger_load_passes(t->ledger, 10, &arena, &got, &n, fault));
	EXPECT(n == 2 && strcmp(got[0].kind, "delta") == 0 && strcmp(got[0].error, "stopped") == 0);
	EXPECT(n == 2 && got[0].began == 5 && got[0].ended == 9 && got[0].copied == 1 &&
	       got[0].bytes == 2);
	EXPECT(n == 2 && got[0].flags_changed == 3 && got[0].moved == 4 && got[0].deleted == 5);
	EXPECT(n == 2 && got[0].excepted == 6 && got[0].exit_status == 3);
	EXPECT(n == 2 && strcmp(got[1].kind, "seed") == 0 && got[1].ended == 0 &&
	       got[1].error[0] == '\0');

	TRY(testing_ledger_reopen(t, fault));
	for (int64_t i = 3; i <= 1010; i++)
		EXPECT(ledger_begin_pass(t->ledger, "delta", i) == i);
	TRY(ledger_load_passes(t->ledger, SIZE_MAX, &arena, &got, &n, fault));
	EXPECT(n == 1000 && got[0].began == 1010 && got[999].began == 11);
	TRY(ledger_load_passes(t->ledger, 3, &arena, &got, &n, fault));
	EXPECT(n == 3 && got[2].began == 1008);
	return testing_ledger_finish(t);
}

static int accepted(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct ledger_accepted one = { "too-large", "Archive/\xc3\xa4", 17, "may be lost", "anna",
				       12345 };
	struct ledger_accepted all = { .cause = "virus" }, *got;
	size_t n;

	OPEN(t, LEDGER_CREATE);
	ledger_accept(t->ledger, &one);
	ledger_accept(t->ledger, &all);
	TRY(testing_ledger_reopen(t, fault));
	TRY(ledger_load_accepted(t->ledger, &arena, &got, &n, fault));
	EXPECT(n == 2 && strcmp(got[0].cause, one.cause) == 0 &&
	       strcmp(got[0].folder, one.folder) == 0);
	EXPECT(n == 2 && strcmp(got[0].reason, one.reason) == 0 &&
	       strcmp(got[0].who, one.who) == 0);
	EXPECT(n == 2 && got[0].uid == 17 && got[0].at == 12345);
	EXPECT(n == 2 && strcmp(got[1].folder, "") == 0 && got[1].uid == 0);
	return testing_ledger_finish(t);
}

CASE(states)
CASE(folders)
CASE(counting)
CASE(facts)
CASE(passes)
CASE(accepted)

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "messages by state and cause", case_states },
		{ "folders", case_folders },
		{ "counting", case_counting },
		{ "facts", case_facts },
		{ "passes", case_passes },
		{ "accepted", case_accepted },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
