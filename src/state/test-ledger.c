/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger as its users see it: where it lies, messages, sets of flags, reading only. What is kept of folders and of the
 * mailbox as a whole: test-ledger-mailbox.c. */
#include <sys/stat.h>

#include "base/xalloc.h"
#include "lib/check.h"
#include "state/test-common.h"

/* --- where it lies --------------------------------------------------------------------------- */

static void paths(struct check *check)
{
	static const struct {
		struct ledger_ends ends;
		const char *path;
	} cases[] = {
		/* printf '%s\0%s' … | sha256sum */
		{ { "imaps://anna@old.example:993", "imaps://anna.b@new.example:993" },
		  "/s/ledger/anna-anna.b-f1ece53f755ec109.db" },
		{ { "imaps://Anna%40old@h:993", "imap+pipe:dovecot --exec-mail imap" },
		  "/s/ledger/anna_40old-mailbox-86dbfb75f6436ae7.db" },
		{ { "imaps://../../x/y@h/@z", "imaps://.hidden@h" },
		  "/s/ledger/mailbox-_hidden-0a76f52c7f6c43ed.db" },
		{ { "imaps://a-very-long-name-of-somebody@h", "imaps://@h" },
		  "/s/ledger/a-very-long-name-of-some-mailbox-08e372af54d33779.db" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf path = BUF_NULL;

		ledger_path("/s", &cases[i].ends, &path);
		CHECK_STR(buf_str(&path), cases[i].path);
	}
}

/* --- messages -------------------------------------------------------------------------------- */

static int load_one(struct testing_ledger *t, uint32_t folder, uint32_t uid,
		    const struct ledger_message *want, struct fault *fault)
{
	struct check *check = t->check;
	struct ledger_messages m;
	int r = ledger_load_messages(t->ledger, folder, uid, uid, &m, fault);

	if (r == 0) {
		EXPECT(m.n == (want ? 1 : 0));
		EXPECT(m.n != 1 || !want || testing_same_message(&m.p[0], want));
	}
	ledger_messages_done(&m);
	return r;
}

/* Everything in a row comes back, whatever it is. */
static int all_fields(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct ledger_message m[4];

	OPEN(t, LEDGER_CREATE);
	m[0] = testing_message(1, 1, 0);
	m[1] = testing_message(1, UINT32_MAX, 7);
	m[1].has = 63;
	m[1].cause = LEDGER_CAUSES - 1;
	m[1].copy_uid = UINT32_MAX;
	m[1].size = m[1].copy_size = INT64_MAX;
	m[1].date = INT64_MAX;
	m[1].zone_minutes = INT16_MIN;
	m[1].flags = ledger_flags_id(t->ledger, "\\Seen");
	m[1].copy_flags = ledger_flags_id(t->ledger, "\\Seen \\Flagged");
	m[1].detail = "the server said: \xff\xfe no";
	memset(m[1].copy_digest, 9, 32);
	m[2] = (struct ledger_message){ .folder = UINT32_MAX - 1,
					.uid = 3,
					.state = LEDGER_EXCEPTED,
					.cause = 1,
					.date = INT64_MIN };
	m[3] = (struct ledger_message){
		.folder = 2, .uid = 3, .state = LEDGER_REMOVED, .date = -1
	};
	for (size_t i = 0; i < ARRAY_SIZE(m); i++)
		ledger_put_message(t->ledger, &m[i]);
	for (size_t i = 0; i < ARRAY_SIZE(m); i++)
		TRY(load_one(t, m[i].folder, m[i].uid, &m[i], fault));
	TRY(testing_ledger_reopen(t, fault));
	for (size_t i = 0; i < ARRAY_SIZE(m); i++)
		TRY(load_one(t, m[i].folder, m[i].uid, &m[i], fault));

	/* in place of the one with this key */
	m[0] = testing_message(1, 1, 99);
	ledger_put_message(t->ledger, &m[0]);
	TRY(load_one(t, 1, 1, &m[0], fault));
	return testing_ledger_finish(t);
}

static int long_texts(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	struct ledger_message m = testing_message(1, 1, 0);
	struct ledger_messages got;
	char id[300], detail[500];

	memset(id, 'x', sizeof(id));
	id[sizeof(id) - 1] = '\0';
	memset(detail, 'y', sizeof(detail));
	detail[sizeof(detail) - 1] = '\0';
	memcpy(detail + 398, "\xe2\x82\xac", 3); /* a character across byte 400 */
	m.message_id = id;
	m.detail = detail;
	m.size = UINT64_MAX; /* a server's nonsense */

	OPEN(t, LEDGER_CREATE);
	ledger_put_message(t->ledger, &m);
	TRY(ledger_load_messages(t->ledger, 1, 1, 1, &got, fault));
	EXPECT(got.n == 1 && strlen(got.p[0].message_id) == 255 && strlen(got.p[0].detail) == 398);
	EXPECT(got.n == 1 && got.p[0].size == INT64_MAX);
	ledger_messages_done(&got);
	return testing_ledger_finish(t);
}

static int changes(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct ledger_message m = testing_message(1, 5, 0);
	unsigned char digest[32];

	OPEN(t, LEDGER_CREATE);
	ledger_put_message(t->ledger, &m);
	m.flags = ledger_flags_id(t->ledger, "a");
	m.copy_flags = ledger_flags_id(t->ledger, "b");
	ledger_set_flags(t->ledger, 1, 5, m.flags, m.copy_flags);
	m.state = LEDGER_GONE;
	m.has |= LEDGER_MIRRORED;
	ledger_set_state(t->ledger, 1, 5, LEDGER_GONE, LEDGER_MIRRORED);
	m.copy_uid = 77;
	ledger_set_copy_uid(t->ledger, 1, 5, 77);
	memset(digest, 0xab, 32);
	memset(m.digest, 0xab, 32);
	m.size = 12;
	ledger_set_digest(t->ledger, 1, 5, 12, digest);
	TRY(load_one(t, 1, 5, &m, fault));

	/* what is not there stays away */
	ledger_set_flags(t->ledger, 1, 6, m.flags, m.copy_flags);
	ledger_set_state(t->ledger, 1, 6, LEDGER_GONE, 0);
	ledger_set_copy_uid(t->ledger, 1, 6, 77);
	ledger_set_digest(t->ledger, 1, 6, 12, digest);
	ledger_set_cause(t->ledger, 1, 6, 1, "", 0, NULL);
	ledger_move_message(t->ledger, 1, 6, 1, 7, 0);
	ledger_forget_message(t->ledger, 1, 6);
	TRY(load_one(t, 1, 6, NULL, fault));
	TRY(load_one(t, 1, 7, NULL, fault));

	ledger_move_message(t->ledger, 1, 5, 2, 9, 500);
	m.folder = 2;
	m.uid = 9;
	m.copy_uid = 500;
	TRY(load_one(t, 1, 5, NULL, fault));
	TRY(load_one(t, 2, 9, &m, fault));
	ledger_forget_message(t->ledger, 2, 9);
	TRY(load_one(t, 2, 9, NULL, fault));
	return testing_ledger_finish(t);
}

static int causes_later(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct ledger_message m = testing_message(1, 5, 0), gone = testing_message(1, 6, 0);
	unsigned char digest[32];

	memset(digest, 0xcd, 32);
	OPEN(t, LEDGER_CREATE);
	gone.state = LEDGER_GONE;
	ledger_put_message(t->ledger, &m);
	ledger_put_message(t->ledger, &gone);
	ledger_set_cause(t->ledger, 1, 5, 9, "flags", 0, NULL);
	ledger_set_cause(t->ledger, 1, 6, 9, "flags", 5, digest);
	m.cause = 9;
	m.detail = "flags";
	TRY(load_one(t, 1, 5, &m, fault));
	TRY(load_one(t, 1, 6, &gone, fault)); /* not COPIED */

	ledger_set_cause(t->ledger, 1, 5, 8, "altered", 5, digest);
	m.cause = 8;
	m.detail = "altered";
	m.has |= LEDGER_HAS_COPY_DIGEST;
	m.copy_size = 5;
	memcpy(m.copy_digest, digest, 32);
	TRY(load_one(t, 1, 5, &m, fault));
	ledger_set_cause(t->ledger, 1, 5, 10, "date", 0, NULL); /* is weightier already */
	TRY(load_one(t, 1, 5, &m, fault));
	return testing_ledger_finish(t);
}

static int windows(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	struct ledger_messages m;
	uint32_t after = 0, n = 0;

	OPEN(t, LEDGER_CREATE);
	for (uint32_t uid = 100; uid > 0; uid--) {
		struct ledger_message row = testing_message(1 + uid % 2, uid, 0);

		ledger_put_message(t->ledger, &row);
	}
	TRY(ledger_load_bare(t->ledger, 1, 10, 20, &m, fault));
	EXPECT(m.n == 6 && m.p[0].uid == 10 && m.p[5].uid == 20);
	EXPECT(m.n == 6 && !m.p[0].message_id && !m.p[0].detail && m.p[0].digest[31] == 10);
	ledger_messages_done(&m);
	TRY(ledger_load_messages(t->ledger, 3, 1, UINT32_MAX, &m, fault));
	EXPECT(m.n == 0);
	ledger_messages_done(&m);
	TRY(ledger_load_messages(t->ledger, 1, 20, 10, &m, fault));
	EXPECT(m.n == 0);
	ledger_messages_done(&m);

	do {
		TRY(ledger_load_next(t->ledger, 2, after, 7, &m, fault));
		for (size_t i = 0; i < m.n; i++) {
			EXPECT(m.p[i].uid > after && m.p[i].uid % 2 == 1 && m.p[i].message_id[0]);
			after = m.p[i].uid;
		}
		n += (uint32_t)m.n;
		ledger_messages_done(&m);
	} while (n < 50 && !check->failed);
	TRY(ledger_load_next(t->ledger, 2, after, SIZE_MAX, &m, fault));
	EXPECT(n == 50 && m.n == 0);
	ledger_messages_done(&m);
	return testing_ledger_finish(t);
}

/* --- searching ------------------------------------------------------------------------------- */

static int message_ids(void *arg, struct fault *fault)
{
	static const struct {
		const char *query;
		size_t n;
	} queries[] = {
		{ "<one@X>", 2 }, { "ONE@x", 2 }, { " <one@x> ", 2 }, { "two@x", 1 },
		{ "<two@x", 1 },  { "one@", 0 },  { "", 0 },          { "<>", 0 },    { "%", 0 },
	};
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	static const char *const ids[] = { "<One@x>", "<two@x>", "", NULL, "<>", "one@X" };
	struct ledger_messages m;

	OPEN(t, LEDGER_CREATE);
	for (uint32_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct ledger_message row = testing_message(1 + i, 10 - i, 0);

		row.message_id = ids[i];
		ledger_put_message(t->ledger, &row);
	}
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
		TRY(ledger_find_message_id(t->ledger, queries[i].query, 10, &m, fault));
		check_expect(check, m.n == queries[i].n, __FILE__, __LINE__, "\"%s\" found %zu",
			     queries[i].query, m.n);
		ledger_messages_done(&m);
	}
	TRY(ledger_find_message_id(t->ledger, "one@x", 1, &m, fault));
	EXPECT(m.n == 1 && m.p[0].folder == 1);
	ledger_messages_done(&m);
	return testing_ledger_finish(t);
}

static int copy_uids(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	_cleanup_(freep) uint32_t *uids = NULL;
	size_t n;

	OPEN(t, LEDGER_CREATE);
	for (uint32_t uid = 1; uid <= 20; uid++) {
		struct ledger_message m = testing_message(1 + uid % 2, uid, 0);

		m.copy_uid = uid % 4 == 0 ? 0 : 1000 - uid;
		ledger_put_message(t->ledger, &m);
	}
	TRY(ledger_load_copy_uids(t->ledger, 1, 0, &uids, &n, fault));
	EXPECT(n == 5 && uids[0] == 982 && uids[4] == 998);
	free(TAKE_PTR(uids));
	TRY(ledger_load_copy_uids(t->ledger, 2, 989, &uids, &n, fault));
	EXPECT(n == 6 && uids[0] == 989 && uids[5] == 999);
	free(TAKE_PTR(uids));

	ledger_forget_copy_uids(t->ledger, 2);
	TRY(ledger_load_copy_uids(t->ledger, 2, 0, &uids, &n, fault));
	EXPECT(n == 0 && uids);
	free(TAKE_PTR(uids));
	TRY(ledger_load_copy_uids(t->ledger, 1, 0, &uids, &n, fault));
	EXPECT(n == 5);
	return testing_ledger_finish(t);
}

/* --- words ----------------------------------------------------------------------------------- */

static int flags(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	uint32_t seen, work;

	OPEN(t, LEDGER_CREATE);
	EXPECT(ledger_flags_id(t->ledger, "") == 0 && ledger_flags_id(t->ledger, "  ") == 0);
	seen = ledger_flags_id(t->ledger, "\\Seen Work");
	EXPECT(seen == 1 && ledger_flags_id(t->ledger, "work  \\SEEN work") == 1);
	work = ledger_flags_id(t->ledger, "Work");
	EXPECT(work == 2 && ledger_queued(t->ledger) == 2);
	TRY(ledger_commit(t->ledger, fault));
	ledger_flags_id(t->ledger, "\\Flagged"); /* closing commits it */
	TRY(testing_ledger_reopen(t, fault));
	EXPECT(ledger_flags_id(t->ledger, "WORK \\seen") == seen);
	EXPECT(ledger_flags_id(t->ledger, "\\flagged") == 3 && ledger_queued(t->ledger) == 0);
	EXPECT(strcmp(ledger_flags(t->ledger, seen), "\\Seen Work") == 0);
	EXPECT(strcmp(ledger_flags(t->ledger, 0), "") == 0);
	EXPECT(strcmp(ledger_flags(t->ledger, 4), "") == 0);
	return testing_ledger_finish(t);
}

static int many_flags(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	OPEN(t, LEDGER_CREATE);
	for (unsigned i = 0; i < 9000; i++)
		buf_appendf(&text, "%sk%u", i ? " " : "", i);
	EXPECT(ledger_flags_id(t->ledger, buf_str(&text)) == 1); /* cut */
	for (unsigned i = 0; i < 3000; i++) {
		buf_reset(&text);
		buf_appendf(&text, "k%u k%u", i, i + 1);
		EXPECT(ledger_flags_id(t->ledger, buf_str(&text)) == i + 2);
	}
	TRY(testing_ledger_reopen(t, fault));
	EXPECT(strcmp(ledger_flags(t->ledger, 3001), "k2999 k3000") == 0);
	EXPECT(strlen(ledger_flags(t->ledger, 1)) <= 16384);
	return testing_ledger_finish(t);
}

/* --- for reading ----------------------------------------------------------------------------- */

static int read_nothing(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	struct stat st;
	char path[400];

	snprintf(path, sizeof(path), "%s/deeper/ledger/a.db", t->folder.path);
	EXPECT(ledger_open(path, &testing_ends, LEDGER_READ, &t->ledger, fault) == 1);
	EXPECT(testing_ledger_open(t, LEDGER_READ, fault) == 1);
	snprintf(path, sizeof(path), "%s/deeper", t->folder.path);
	EXPECT(stat(path, &st) < 0 && stat(t->path, &st) < 0);

	/* nor in a file that was begun, and no more */
	testing_write(t->path, "");
	EXPECT(testing_ledger_open(t, LEDGER_READ, fault) == 1);
	return 0;
}

static int fill_for_reading(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	struct ledger_message m = testing_message(1, 1, 0);

	OPEN(t, LEDGER_CREATE);
	EXPECT(ledger_is_new(t->ledger));
	EXPECT(strcmp(ledger_file(t->ledger), t->path) == 0);
	m.flags = ledger_flags_id(t->ledger, "\\Seen");
	ledger_put_message(t->ledger, &m);
	return testing_ledger_finish(t);
}

static int read_it(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	struct ledger_message m = testing_message(1, 1, 0);
	struct fault why;

	OPEN(t, LEDGER_READ);
	EXPECT(!ledger_is_new(t->ledger));
	m.flags = ledger_flags_id(t->ledger, "\\Seen");
	TRY(load_one(t, 1, 1, &m, fault));
	EXPECT(ledger_flags_id(t->ledger, "\\Flagged") == 2); /* may be asked for */
	TRY(ledger_commit(t->ledger, fault));
	EXPECT(strcmp(ledger_flags(t->ledger, 2), "\\Flagged") == 0);

	ledger_forget_message(t->ledger, 1, 1);
	EXPECT(ledger_queued(t->ledger) == 0);
	EXPECT(ledger_commit(t->ledger, &why) < 0 && why.kind == FAULT_USAGE);
	TRY(load_one(t, 1, 1, &m, fault));
	return testing_ledger_finish(t);
}

static void for_reading(struct check *check)
{
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf before = BUF_NULL, after = BUF_NULL;
	struct stat st;

	testing_ledger_run(&t, read_nothing);
	testing_ledger_run(&t, fill_for_reading);
	before = testing_file(t.path);
	testing_ledger_run(&t, read_it);
	after = testing_file(t.path);
	CHECK(before.n > 0 && bytes_equal(buf_bytes(&before), buf_bytes(&after)));
	CHECK(stat(testing_path(&t.folder, "a.db-wal"), &st) < 0);
	CHECK(stat(testing_path(&t.folder, "a.db-shm"), &st) < 0);
}

/* --- files ----------------------------------------------------------------------------------- */

static int make_deep(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;

	return ledger_open(t->path, &testing_ends, LEDGER_CREATE, &t->ledger, fault) < 0
		       ? -1
		       : testing_ledger_finish(t);
}

static unsigned mode_of(const char *path)
{
	struct stat st = { 0 };

	stat(path, &st);
	return st.st_mode & 07777;
}

/* Message-IDs and names of folders are nobody else's business. */
static void modes(struct check *check)
{
	LEDGER_TEST(t);
	char top[300];

	snprintf(top, sizeof(top), "%s/x", t.folder.path);
	snprintf(t.path, sizeof(t.path), "%s/x/ledger/a.db", t.folder.path);
	testing_ledger_run(&t, make_deep);
	CHECK_EQ(mode_of(top), 0700);
	CHECK_EQ(mode_of(t.path), 0600);

	remove(t.path);
	snprintf(t.path, sizeof(t.path), "%s/x/ledger/a.db.lock", t.folder.path);
	CHECK_EQ(mode_of(t.path), 0600);
	remove(t.path);
	snprintf(t.path, sizeof(t.path), "%s/x/ledger", t.folder.path);
	CHECK_EQ(mode_of(t.path), 0700);
	CHECK(remove(t.path) == 0 && remove(top) == 0);
}

CASE(all_fields)
CASE(long_texts)
CASE(changes)
CASE(causes_later)
CASE(windows)
CASE(message_ids)
CASE(copy_uids)
CASE(flags)
CASE(many_flags)

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "where it lies", paths },
		{ "every field of a message", case_all_fields },
		{ "long texts", case_long_texts },
		{ "changes of a message", case_changes },
		{ "causes later", case_causes_later },
		{ "windows of messages", case_windows },
		{ "messages by Message-ID", case_message_ids },
		{ "UIDs at the destination", case_copy_uids },
		{ "sets of flags", case_flags },
		{ "many sets of flags", case_many_flags },
		{ "for reading", for_reading },
		{ "modes of files", modes },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
