/* SPDX-License-Identifier: Apache-2.0 */
/* The audit: books counted anew, ways that there are not, signatures that the openssl command accepts. */
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "journal/audit.h"
#include "journal/test-common.h"

#define JOURNAL                                                                                    \
	_cleanup_(testing_journal_remove) struct testing_journal t;                                \
	testing_journal_make(&t, check)

static void note(void *arg, const struct journal_finding *finding)
{
	buf_appendf(arg, "%s: %s\n", finding->name, finding->text);
}

static void note_record(void *arg, const struct journal_record *record, const char *what)
{
	buf_appendf(arg, "%" PRIu64 " %s\n", record->head.sequence, what);
}

static struct journal_audit audit_of(struct testing_journal *t, uint64_t message, struct buf *to)
{
	struct journal_audit_options options = { .found = note, .record = note_record, .message = message, .arg = to };
	struct check *check = t->check;
	struct journal_audit audit;
	struct fault fault;

	if (journal_audit(t->path, &options, &audit, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	return audit;
}

static void run_in(struct testing_journal *t, int (*fn)(void *arg, struct fault *fault))
{
	struct check *check = t->check;
	struct fault fault = FAULT_INIT;

	if (testing_run(t, fn, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
}

static int order(struct journal *j, enum journal_type type, uint64_t message, uint64_t recipient, uint64_t copy,
		 struct fault *fault)
{
	struct journal_leg leg = { message, recipient, copy };
	struct journal_order o = { .operator = BYTES("anna"), .legs = &leg, .n_legs = 1 };
	uint64_t sequence;

	return journal_put(j, type, &o, &sequence, fault);
}

static int attempt(struct journal *j, uint64_t number, uint64_t message, uint64_t recipient, enum journal_fate fate,
		   struct fault *fault)
{
	uint64_t sequence;

	if (testing_attempt(j, JOURNAL_ATTEMPT, number, message, recipient, &sequence, fault) < 0 ||
	    testing_attempt(j, JOURNAL_INTENT, number, message, recipient, &sequence, fault) < 0)
		return -1;
	return fate ? testing_outcome(j, number, message, recipient, fate, &sequence, fault) : 0;
}

/* Ends with one leg in each fate. */
static int all_fates(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct journal_tallies books = { .messages = 3, .legs = 7, .open = 2, .attempting = 1, .doubt = 1, .held = 1,
					 .delivered = 1, .returned = 1 };
	struct journal_leg_opened copy = { .message = 3, .recipient = 0 };
	uint64_t sequence;
	struct journal *j;

	if (testing_open(t, fault) < 0)
		return -1;
	j = t->journal;
	for (uint64_t i = 1; i <= 3; i++)
		if (testing_message(j, i, 1000, &sequence, fault) < 0)
			return -1;
	if (journal_put(j, JOURNAL_LEG, &copy, &sequence, fault) < 0 || attempt(j, 1, 1, 0, JOURNAL_OPEN, fault) < 0 ||
	    attempt(j, 2, 1, 0, JOURNAL_DELIVERED, fault) < 0 || attempt(j, 3, 1, 1, JOURNAL_OPEN, fault) < 0 ||
	    order(j, JOURNAL_RETURNED, 1, 1, 0, fault) < 0 || order(j, JOURNAL_HOLD, 2, 0, 0, fault) < 0 ||
	    order(j, JOURNAL_RELEASE, 2, 0, 0, fault) < 0 || order(j, JOURNAL_HOLD, 2, 0, 0, fault) < 0 ||
	    attempt(j, 4, 2, 1, JOURNAL_IN_DOUBT, fault) < 0 || attempt(j, 5, 3, 0, JOURNAL_FATE_NONE, fault) < 0)
		return -1;
	return journal_sign_off(j, &books, fault);
}

static void books(struct check *check)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	struct journal_audit a;
	JOURNAL;

	run_in(&t, all_fates);
	a = audit_of(&t, 2, &got);
	CHECK_STR(buf_str(&got), "4 accept\n18 hold\n19 release\n20 hold\n21 attempt\n22 intent\n23 result\n");
	CHECK(a.found == 0 && a.checkpoints == 1 && a.torn == 0 && a.segments == 1 && a.first == 1);
	CHECK(a.tallies.messages == 3 && a.tallies.legs == 7 && a.tallies.open == 2 && a.tallies.attempting == 1);
	CHECK(a.tallies.doubt == 1 && a.tallies.held == 1 && a.tallies.delivered == 1 && a.tallies.returned == 1);
}

/* What a keeper with a bug would write. */
static int nonsense(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct journal_tallies books = { .messages = 1, .legs = 2, .open = 2 };
	struct bytes junk = BYTES("\x01\x05x");
	uint64_t sequence;
	struct journal *j;

	if (testing_open(t, fault) < 0)
		return -1;
	j = t->journal;
	if (testing_message(j, 5, 1000, &sequence, fault) < 0 || attempt(j, 1, 5, 0, JOURNAL_DELIVERED, fault) < 0 ||
	    attempt(j, 2, 5, 0, JOURNAL_FATE_NONE, fault) < 0 ||
	    testing_outcome(j, 3, 5, 0, JOURNAL_DELIVERED, &sequence, fault) < 0 ||
	    order(j, JOURNAL_HOLD, 5, 2, 0, fault) < 0 || order(j, JOURNAL_HOLD, 6, 0, 0, fault) < 0 ||
	    order(j, JOURNAL_HOLD, 5, 1, 1, fault) < 0 || testing_message(j, 5, 1, &sequence, fault) < 0 ||
	    journal_append(j, JOURNAL_NOTE, &junk, 1, &sequence, fault) < 0)
		return -1;
	return journal_sign_off(j, &books, fault);
}

static void wrong_ways(struct check *check)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	struct journal_audit a;
	JOURNAL;

	run_in(&t, nonsense);
	a = audit_of(&t, 0, &got);
	CHECK_EQ(a.found, 8);
	CHECK(strstr(buf_str(&got), "record 6: attempt of leg 5/0, which is delivered\n"));
	CHECK(strstr(buf_str(&got), "record 8: result of leg 5/0 in attempt 3, but its last attempt is 2\n"));
	CHECK(strstr(buf_str(&got), "record 9: hold of leg 5/2, which was never accepted\n"));
	CHECK(strstr(buf_str(&got), "record 10: hold of leg 6/0, which was never accepted\n"));
	CHECK(strstr(buf_str(&got), "record 11: hold of leg 5/1/copy, which is not open\n"));
	CHECK(strstr(buf_str(&got), "record 13: message 5 is accepted after message 5: numbers only rise\n"));
	CHECK(strstr(buf_str(&got), "record 14: 3 bytes that are no field\n"));
	CHECK(strstr(buf_str(&got), "record 15: the keeper counted 2 legs, 0 delivered, 0 held, 0 returned; the records say 3, "
				    "1, 1, 0\n"));
}

static int wrong_content(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct journal_recipient recipient = { .address = BYTES("a@b") };
	uint64_t bodies[2] = { 1, 7 }, sequence;
	struct journal_accept accept = { .message = 1, .size = 3, .bodies = bodies, .n_bodies = 1,
					 .recipients = &recipient, .n_recipients = 1 };
	struct bytes piece = BYTES("abc");

	accept.digest[0] = 1;
	if (testing_open(t, fault) < 0 || journal_append(t->journal, JOURNAL_BODY, &piece, 1, &sequence, fault) < 0 ||
	    journal_put(t->journal, JOURNAL_ACCEPT, &accept, &sequence, fault) < 0)
		return -1;
	accept.message = 2;
	if (journal_put(t->journal, JOURNAL_ACCEPT, &accept, &sequence, fault) < 0)
		return -1;
	accept.message = 3;
	bodies[0] = 7;
	return journal_put(t->journal, JOURNAL_ACCEPT, &accept, &sequence, fault);
}

static void content(struct check *check)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	JOURNAL;

	run_in(&t, wrong_content);
	CHECK_EQ(audit_of(&t, 0, &got).found, 3);
	CHECK(strstr(buf_str(&got), "message 1: its bodies are not the content that was accepted\n"));
	CHECK(strstr(buf_str(&got), "message 2 names body 1, which is another message's, too\n"));
	CHECK(strstr(buf_str(&got), "message 3 names body 7, which is not there\n"));
}

/* What docs/design/journal.md tells an auditor to do. */
static int openssl_verify(struct testing_journal *t, const char *stem)
{
	_cleanup_(buf_done) struct buf command = BUF_NULL;

	buf_appendf(&command, "openssl pkeyutl -verify -rawin -pubin -inkey %s/key.pub.pem -in %s/checkpoints/%s.txt "
		    "-sigfile %s/checkpoints/%s.sig >%s/out 2>&1", t->path, t->path, stem, t->path, stem, t->folder.path);
	return system(buf_str(&command));
}

static void signatures(struct check *check)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL, out = BUF_NULL, text = BUF_NULL;
	char path[400], want[100];
	JOURNAL;

	if (system("openssl version >/dev/null 2>&1") != 0)
		check_skip(check, "there is no openssl command");
	run_in(&t, all_fates);
	CHECK_EQ(openssl_verify(&t, "00000000000000000025"), 0);
	out = testing_read(testing_path(&t.folder, "out"));
	CHECK(strstr(buf_str(&out), "Signature Verified Successfully"));

	snprintf(path, sizeof(path), "%s/checkpoints/00000000000000000025.txt", t.path);
	text = testing_read(path);
	snprintf(want, sizeof(want), "mailferry checkpoint v1\n");
	CHECK(bytes_starts(buf_bytes(&text), bytes_of(want)) && strstr(buf_str(&text), "\n25\n"));
	text.p[text.n - 2] ^= 1;
	testing_write(path, buf_str(&text));
	CHECK(openssl_verify(&t, "00000000000000000025") != 0);
	CHECK_EQ(audit_of(&t, 0, &got).found, 1);
	CHECK(strstr(buf_str(&got), "checkpoints/00000000000000000025.txt is not what its signature signs\n"));
}

/* Pieces of messages that never came whole, so many that looking through all of them for each would show. */
static int many_orphans(void *arg, struct fault *fault)
{
	struct testing_journal *t = arg;
	struct bytes piece = BYTES("x");
	uint64_t sequence;

	if (testing_open(t, fault) < 0)
		return -1;
	for (int i = 0; i < 150000; i++)
		if (journal_append(t->journal, JOURNAL_BODY, &piece, 1, &sequence, fault) < 0)
			return -1;
	return journal_commit(t->journal, sequence, fault);
}

static void orphans(struct check *check)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	clock_t began;
	JOURNAL;

	run_in(&t, many_orphans);
	began = clock();
	CHECK_EQ(audit_of(&t, 0, &got).records, 150000);
	printf("# %.1f s\n", (double)(clock() - began) / CLOCKS_PER_SEC);
	CHECK(clock() - began < 5 * CLOCKS_PER_SEC);
}

static void nothing_there(struct check *check)
{
	struct journal_audit_options options = { .message = 0 };
	struct journal_audit audit;
	struct fault fault;
	JOURNAL;

	CHECK_EQ(journal_audit(t.path, &options, &audit, &fault), -1);
	CHECK(fault.kind == FAULT_USAGE && strstr(fault.text, "is not a journal"));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "books counted anew (J13)", books },
		{ "ways that there are not (J13)", wrong_ways },
		{ "content (J13)", content },
		{ "signatures (J11)", signatures },
		{ "very many bodies without an envelope", orphans },
		{ "nothing there", nothing_there },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
