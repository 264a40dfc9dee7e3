/* SPDX-License-Identifier: Apache-2.0 */
/* Opening what is not, or not quite, a ledger: locked, newer, another's, no database, damaged,
 * hostile. Never a crash, never a wrong answer: a sentence that names the file and what to do. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/rand.h"
#include "lib/check.h"
#include "state/test-common.h"

/* --- a ledger with something of everything ---------------------------------------------------- */

enum { ROWS = 120 };

static int fill(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct ledger_folder folder = testing_ledger_folder("INBOX");
	struct ledger_accepted accepted = { .cause = "too-large" };
	struct ledger_removal removal = { .folder = 1, .uid = 7, .copy_uid = 70, .uidvalidity = 1000,
					  .stage = LEDGER_DELETES };

	TRY(testing_ledger_open(t, LEDGER_CREATE, fault));
	ledger_add_folder(t->ledger, &folder);
	for (uint32_t uid = 1; uid <= ROWS; uid++) {
		struct ledger_message m = testing_message(1, uid, 0);

		m.flags = ledger_flags_id(t->ledger, uid % 2 ? "\\Seen" : "\\Seen Work");
		m.cause = uid % 10 == 0;
		m.state = uid % 10 == 0 ? LEDGER_EXCEPTED : LEDGER_COPIED;
		ledger_put_message(t->ledger, &m);
	}
	TRY(ledger_count_folder(t->ledger, &folder, fault));
	ledger_set_fact(t->ledger, "hold", "yes");
	ledger_begin_pass(t->ledger, "seed", 1);
	ledger_accept(t->ledger, &accepted);
	ledger_put_removal(t->ledger, &removal);
	t->ledger = ledger_close(t->ledger);
	return 0;
}

/* Reads all there is, in whatever way there is. */
static int read_messages(struct ledger *ledger, struct fault *fault)
{
	struct ledger_messages m;
	int r = ledger_load_messages(ledger, 1, 0, UINT32_MAX, &m, fault);

	ledger_messages_done(&m);
	for (int state = LEDGER_COPIED; r == 0 && state <= LEDGER_SENDING; state++) {
		r = ledger_load_state(ledger, 0, (enum ledger_state)state, 1000, &m, fault);
		ledger_messages_done(&m);
	}
	if (r == 0) {
		r = ledger_load_causes(ledger, 0, 1000, &m, fault);
		ledger_messages_done(&m);
	}
	if (r == 0) {
		r = ledger_find_message_id(ledger, "a.1@old.example", 1000, &m, fault);
		ledger_messages_done(&m);
	}
	return r;
}

static int read_all(struct testing_ledger *t, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct ledger_folder *folders, folder = { .id = 1 };
	struct ledger_pass *passes;
	struct ledger_accepted *accepted;
	uint32_t *uids;
	size_t n;

	TRY(read_messages(t->ledger, fault));
	TRY(ledger_load_copy_uids(t->ledger, 1, 0, &uids, &n, fault));
	free(uids);
	TRY(ledger_load_folders(t->ledger, &arena, &folders, &n, fault));
	TRY(ledger_load_passes(t->ledger, 1000, &arena, &passes, &n, fault));
	TRY(ledger_load_accepted(t->ledger, &arena, &accepted, &n, fault));
	return ledger_count_folder(t->ledger, &folder, fault);
}

/* Opens it, reads all, changes something, closes. */
static int use(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct ledger_message m = testing_message(1, ROWS / 2, 5);
	int r;

	TRY(testing_ledger_open(t, LEDGER_CREATE, fault));
	r = read_all(t, fault);
	if (r == 0) {
		ledger_put_message(t->ledger, &m);
		ledger_set_fact(t->ledger, "hold", "no");
		r = ledger_commit(t->ledger, fault);
	}
	t->ledger = ledger_close(t->ledger);
	return r;
}

static void check_damaged(struct check *check, struct testing_ledger *t, fiber_fn fn,
			  const char *what)
{
	struct fault fault = testing_ledger_fails(t, fn);

	if (fault.kind != FAULT_DATA || fault.reach != REACH_MAILBOX ||
	    !strstr(fault.text, t->path) || !strstr(fault.text, ": move it") ||
	    (!strstr(fault.text, " away and run again with --adopt") && !strstr(fault.text, "no ledger of mailferry")) ||
	    !strstr(fault.text, what))
		CHECK_FAIL("not \"%s\", but %s", what, fault.text);
}

/* --- the lock -------------------------------------------------------------------------------- */

static int open_twice(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	struct ledger *second;
	char holder[40];

	snprintf(holder, sizeof(holder), "process %ld on", (long)getpid());
	TRY(testing_ledger_open(t, LEDGER_CREATE, fault));
	for (int mode = LEDGER_CREATE; mode <= LEDGER_READ; mode++) {
		EXPECT(ledger_open(t->path, &testing_ends, (enum ledger_mode)mode, &second,
				   fault) == -1);
		EXPECT(fault->kind == FAULT_REFUSED && fault->again == AGAIN_LATER);
		EXPECT(fault->reach == REACH_MAILBOX && strstr(fault->text, holder));
	}
	ledger_set_fact(t->ledger, "a", "b");
	TRY(ledger_commit(t->ledger, fault)); /* the attempts left it alone */
	t->ledger = ledger_close(t->ledger);

	TRY(testing_ledger_open(t, LEDGER_READ, fault));
	EXPECT(ledger_open(t->path, &testing_ends, LEDGER_CREATE, &second, fault) == -1);
	EXPECT(fault->kind == FAULT_REFUSED);
	t->ledger = ledger_close(t->ledger);
	return testing_ledger_try(t, fault);
}

static void locked(struct check *check)
{
	LEDGER_TEST(t);

	testing_ledger_run(&t, open_twice);
}

/* --- whose it is ----------------------------------------------------------------------------- */

static int open_as_others(void *arg, struct fault *fault)
{
	static const struct ledger_ends others[] = {
		{ "imaps://bob@old.example:993", "imaps://anna.b@new.example:993" },
		{ "imaps://anna@old.example:993", "imaps://anna.b@new.example:143" },
		{ "imaps://anna.b@new.example:993", "imaps://anna@old.example:993" },
	};
	struct testing_ledger *t = arg;
	struct check *check = t->check;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		EXPECT(ledger_open(t->path, &others[i], LEDGER_CREATE, &t->ledger, fault) == -1);
		EXPECT(fault->kind == FAULT_USAGE && strstr(fault->text, t->path));
		EXPECT(strstr(fault->text, testing_ends.source) && strstr(fault->text, "--state"));
	}
	return 0;
}

static void another_mailbox(struct check *check)
{
	LEDGER_TEST(t);
	struct fault fault;

	testing_ledger_run(&t, fill);
	testing_ledger_run(&t, open_as_others);
	testing_ledger_run(&t, use); /* unharmed */

	testing_sql(t.path,
		    "UPDATE state SET source = 'imaps://' || char(27) || '[2J' || char(10) || 'x'");
	fault = testing_ledger_fails(&t, testing_ledger_try);
	CHECK(fault.kind == FAULT_USAGE && !strpbrk(fault.text, "\033\n"));
}

static void newer(struct check *check)
{
	LEDGER_TEST(t);
	struct fault fault;

	testing_ledger_run(&t, fill);
	testing_sql(t.path, "PRAGMA user_version = 99");
	fault = testing_ledger_fails(&t, testing_ledger_try);
	CHECK_EQ(fault.kind, FAULT_USAGE);
	CHECK(strstr(fault.text, t.path) && strstr(fault.text, "newer mailferry") &&
	      strstr(fault.text, "99"));
	CHECK_EQ(testing_sql_number(t.path, "PRAGMA user_version"), 99);
}

/* --- no ledger at all ------------------------------------------------------------------------- */

static void no_database(struct check *check)
{
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf noise = BUF_NULL, after = BUF_NULL;
	struct rand rand;

	rand_init(&rand, 1);
	while (noise.n < 20000)
		buf_append_char(&noise, (char)rand_u64(&rand));
	for (size_t n = 2; n < noise.n; n = n * 3 + 1) {
		testing_file_write(t.path, bytes_head(buf_bytes(&noise), n));
		check_damaged(check, &t, testing_ledger_try, "no database");
	}
	testing_file_write(t.path, BYTES("From: anna@old.example\r\n\r\nDear Bob,\r\n"));
	check_damaged(check, &t, testing_ledger_try, "no database");
	after = testing_file(t.path); /* somebody may still want it */
	CHECK_STR(buf_str(&after), "From: anna@old.example\r\n\r\nDear Bob,\r\n");
}

static void another_database(struct check *check)
{
	static const char *const others[] = {
		"CREATE TABLE cats (name TEXT)",
		"PRAGMA application_id = 77",
		"PRAGMA user_version = 1",
		"PRAGMA application_id = 1298549863; CREATE TABLE state (one)",
	};
	LEDGER_TEST(t);

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		unlink(t.path);
		testing_sql(t.path, others[i]);
		check_damaged(check, &t, testing_ledger_try, "no ledger of mailferry");
	}
}

static void empty_file(struct check *check)
{
	LEDGER_TEST(t);

	testing_write(t.path, "");
	testing_ledger_run(&t, fill); /* what a crash at the very beginning leaves */
	testing_ledger_run(&t, use);

	testing_write(t.path, "");
	testing_write(testing_path(&t.folder, "a.db-wal"), "something");
	check_damaged(check, &t, testing_ledger_try, "write-ahead log): move it and its -wal file away and run");
}

/* A folder that is a file, a file that is a folder, and no permission are the machine's
 * trouble, not damage. */
static void not_a_file(struct check *check)
{
	LEDGER_TEST(t);
	struct fault fault;

	mkdir(t.path, 0700);
	fault = testing_ledger_fails(&t, testing_ledger_try);
	CHECK(fault.kind == FAULT_LOCAL && strstr(fault.text, t.path));
	rmdir(t.path);

	testing_write(testing_path(&t.folder, "file"), "x");
	snprintf(t.path, sizeof(t.path), "%s/file/a.db", t.folder.path);
	fault = testing_ledger_fails(&t, testing_ledger_try);
	CHECK(fault.kind == FAULT_LOCAL && strstr(fault.text, "/file"));
}

/* --- damage ---------------------------------------------------------------------------------- */

/* Uses a damaged ledger: it works, or says that it is damaged. True: it was found out. */
static bool survives(struct check *check, struct testing_ledger *t, const char *what, size_t at)
{
	struct fault fault = FAULT_INIT;
	int r = run_main("test", use, t, &fault);

	if (r < 0 && (!strstr(fault.text, t->path) || !strstr(fault.text, "move it away")))
		check_expect(check, fault.kind == FAULT_USAGE, __FILE__, __LINE__, "%s at %zu: %s",
			     what, at, fault.text);
	unlink(testing_path(&t->folder, "a.db-wal"));
	return r < 0;
}

static void truncated(struct check *check)
{
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf whole = BUF_NULL;

	testing_ledger_run(&t, fill);
	whole = testing_file(t.path);
	for (size_t n = 2; n < whole.n; n += 1021) {
		testing_file_write(t.path, bytes_head(buf_bytes(&whole), n));
		CHECK(survives(check, &t, "truncated", n));
	}
}

static void bits_flipped(struct check *check)
{
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf whole = BUF_NULL;
	int found = 0, rounds = 75 * testing_effort();
	struct rand rand;

	testing_ledger_run(&t, fill);
	whole = testing_file(t.path);
	rand_init(&rand, 5);
	for (int i = 0; i < rounds && !check->failed; i++) {
		/* where SQLite keeps its own structures: the heads of pages; else anywhere */
		size_t page = rand_below(&rand, whole.n / 4096) * 4096;
		size_t at = page + rand_below(&rand, i % 2 ? 4096 : 120);
		char was = whole.p[at];

		whole.p[at] ^= (char)(1 << rand_below(&rand, 8));
		testing_file_write(t.path, buf_bytes(&whole));
		found += survives(check, &t, "flipped", at);
		whole.p[at] = was;
	}
	printf("# %d of %d flipped bits were found out\n", found, rounds);
	EXPECT(found > rounds / 10);
}

/* --- when all of it is checked ---------------------------------------------------------------- */

/* Puts a NULL where the schema allows none: nobody notices who does not look for it. */
static void damage_column(const char *path, const char *table, const char *column, const char *where)
{
	_cleanup_(buf_done) struct buf loosen = BUF_NULL, damage = BUF_NULL, tighten = BUF_NULL;

	buf_appendf(&loosen, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET "
		    "sql = replace(sql, '%s INTEGER NOT NULL', '%s INTEGER') WHERE name = '%s'", column, column, table);
	buf_appendf(&damage, "UPDATE %s SET %s = NULL WHERE %s", table, column, where);
	buf_appendf(&tighten, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET "
		    "sql = replace(sql, '%s INTEGER', '%s INTEGER NOT NULL') WHERE name = '%s'", column, column, table);
	testing_sql(path, buf_str(&loosen));
	testing_sql(path, buf_str(&damage));
	testing_sql(path, buf_str(&tighten));
}

static void damage_quietly(const char *path)
{
	damage_column(path, "message", "zone", "uid = 3");
}

/* At each opening, whenever all of it was checked last. */
static void small_tables(struct check *check)
{
	static const struct {
		const char *table, *column;
	} each[] = {
		{ "state", "began" }, { "folder", "gone" }, { "noted", "messages" }, { "pass", "copied" },
		{ "accepted", "uid" }, { "removal", "stage" },
	};
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf sound = BUF_NULL;

	testing_ledger_run(&t, fill);
	sound = testing_file(t.path);
	for (size_t i = 0; i < ARRAY_SIZE(each); i++) {
		char what[100];

		snprintf(what, sizeof(what), "NULL value in %s.%s", each[i].table, each[i].column);
		testing_file_write(t.path, buf_bytes(&sound));
		damage_column(t.path, each[i].table, each[i].column, "true");
		check_damaged(check, &t, testing_ledger_try, what);
	}
	CHECK_EQ(testing_sql_number(t.path, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"),
		 (int64_t)ARRAY_SIZE(each) + 3); /* fact and flags have no numbers, message is the long one */
}

static void when_checked(struct check *check)
{
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf sound = BUF_NULL, damaged = BUF_NULL;

	testing_ledger_run(&t, fill);
	CHECK_EQ(testing_sql_number(t.path, "SELECT in_order FROM state"), 1);
	sound = testing_file(t.path);
	damage_quietly(t.path);
	damaged = testing_file(t.path);

	/* closed in order, and checked today */
	testing_ledger_run(&t, testing_ledger_try);
	testing_sql(t.path, "UPDATE state SET in_order = 0");
	check_damaged(check, &t, testing_ledger_try, "NULL value in message.zone");
	testing_file_write(t.path, buf_bytes(&damaged));
	testing_sql(t.path, "UPDATE state SET checked = checked - 23 * 3600 * 1000000");
	testing_ledger_run(&t, testing_ledger_try);
	testing_sql(t.path, "UPDATE state SET checked = checked - 3600 * 1000000");
	check_damaged(check, &t, testing_ledger_try, "NULL value in message.zone");
	testing_file_write(t.path, buf_bytes(&damaged));
	/* the clock was set back */
	testing_sql(t.path, "UPDATE state SET checked = checked + 3600 * 1000000");
	check_damaged(check, &t, testing_ledger_try, "NULL value in message.zone");

	/* there is a log, whatever is in it */
	testing_file_write(t.path, buf_bytes(&damaged));
	testing_write(testing_path(&t.folder, "a.db-wal"), "x");
	check_damaged(check, &t, testing_ledger_try, "NULL value in message.zone");
	unlink(testing_path(&t.folder, "a.db-wal"));

	/* a sound one is noted as checked */
	testing_file_write(t.path, buf_bytes(&sound));
	testing_sql(t.path, "UPDATE state SET in_order = 0, checked = 5");
	testing_ledger_run(&t, testing_ledger_try);
	CHECK(testing_sql_number(t.path, "SELECT checked FROM state") > 5);
	CHECK_EQ(testing_sql_number(t.path, "SELECT in_order FROM state"), 1);
}

static int open_and_die(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;

	TRY(testing_ledger_open(t, LEDGER_CREATE, fault));
	ledger_set_fact(t->ledger, "a", "b");
	return ledger_commit(t->ledger, fault) < 0 ? -1 : 1;
}

static int forked(void *arg)
{
	struct fault fault;

	return run_main("test", open_and_die, arg, &fault);
}

static void crash_is_noted(struct check *check)
{
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf log = BUF_NULL;

	testing_ledger_run(&t, fill);
	damage_quietly(t.path);
	CHECK_EQ(testing_fork(forked, &t, NULL, NULL), 1);
	check_damaged(check, &t, testing_ledger_try, "NULL value in message.zone");
	/* and nothing was moved into the file, which somebody will want to look at */
	log = testing_file(testing_path(&t.folder, "a.db-wal"));
	CHECK(log.n > 0);
}

static int read_crashed(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;

	TRY(testing_ledger_open(t, LEDGER_READ, fault));
	EXPECT(ledger_fact(t->ledger, "a") && strcmp(ledger_fact(t->ledger, "a"), "b") == 0);
	TRY(read_messages(t->ledger, fault));
	t->ledger = ledger_close(t->ledger);
	return 0;
}

/* What a crash left in the log is read, and stays where it is. */
static void read_after_crash(struct check *check)
{
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf file = BUF_NULL, log = BUF_NULL, file_after = BUF_NULL,
				       log_after = BUF_NULL;

	testing_ledger_run(&t, fill);
	CHECK_EQ(testing_fork(forked, &t, NULL, NULL), 1);
	file = testing_file(t.path);
	log = testing_file(testing_path(&t.folder, "a.db-wal"));
	CHECK(log.n > 0);
	testing_ledger_run(&t, read_crashed);
	file_after = testing_file(t.path);
	log_after = testing_file(testing_path(&t.folder, "a.db-wal"));
	CHECK(bytes_equal(buf_bytes(&file), buf_bytes(&file_after)));
	CHECK(bytes_equal(buf_bytes(&log), buf_bytes(&log_after)));
	testing_ledger_run(&t, use);
}

/* --- rows that nobody of us wrote ------------------------------------------------------------- */

static void hostile_rows(struct check *check)
{
	static const char *const rows[] = {
		"UPDATE message SET state = 0 WHERE uid = 3",
		"UPDATE message SET state = 6 WHERE uid = 3",
		"UPDATE message SET state = -1 WHERE uid = 3",
		"UPDATE message SET cause = 32 WHERE uid = 3",
		"UPDATE message SET cause = -1 WHERE uid = 3",
		"UPDATE message SET has = 128 WHERE uid = 3",
		"UPDATE message SET has = -1 WHERE uid = 3",
		"UPDATE message SET flags = 3 WHERE uid = 3",
		"UPDATE message SET copy_flags = 4294967295 WHERE uid = 3",
		"UPDATE message SET copy_uid = 4294967296 WHERE uid = 3",
		"UPDATE message SET uid = 0 WHERE uid = 3",
		"UPDATE message SET uid = -9223372036854775808 WHERE uid = 3",
		"UPDATE message SET uid = 9223372036854775807, cause = 1 WHERE uid = 3",
		"UPDATE message SET folder = 0, cause = 1 WHERE uid = 3",
		"UPDATE message SET size = -1 WHERE uid = 3",
		"UPDATE message SET copy_size = -1 WHERE uid = 3",
		"UPDATE message SET zone = 32768 WHERE uid = 3",
		"UPDATE message SET digest = NULL WHERE uid = 3",
		"UPDATE message SET digest = x'00' WHERE uid = 3",
		"UPDATE message SET digest = zeroblob(33) WHERE uid = 3",
		"UPDATE message SET digest = zeroblob(900000) WHERE uid = 3",
		"UPDATE message SET has = 7 WHERE uid = 3",
		"UPDATE message SET header = zeroblob(32) WHERE uid = 3",
		"UPDATE message SET message_id = hex(zeroblob(128)) WHERE uid = 3",
		"UPDATE message SET message_id = 'a' || char(0) || 'b' WHERE uid = 3",
		"UPDATE message SET detail = hex(zeroblob(201)) WHERE uid = 3",
		"UPDATE message SET detail = hex(zeroblob(2000000)) WHERE uid = 3",
		"UPDATE flags SET id = 7 WHERE id = 2",
		"UPDATE flags SET text = 'work  \\seen'",
		"UPDATE flags SET text = ''",
		"UPDATE flags SET text = hex(zeroblob(20000)) WHERE id = 2",
		"INSERT INTO flags VALUES (-5, 'x')",
		"UPDATE folder SET id = 0",
		"UPDATE folder SET id = 4294967295",
		"UPDATE folder SET id = 9223372036854775807",
		"UPDATE folder SET current = 2",
		"UPDATE folder SET mark = -1",
		"UPDATE folder SET source_name = hex(zeroblob(40000))",
		"UPDATE folder SET source_seen_modseq = -1",
		"UPDATE folder SET bytes = -1",
		"INSERT INTO noted VALUES (1, 32, 5)",
		"INSERT INTO noted VALUES (1, -1, 5)",
		"UPDATE noted SET messages = -1",
		"UPDATE pass SET number = 9223372036854775807",
		"UPDATE pass SET copied = -1",
		"UPDATE pass SET exit_status = 4294967296",
		"UPDATE pass SET error = 'a' || char(0)",
		"UPDATE accepted SET uid = -1",
		"UPDATE accepted SET reason = hex(zeroblob(40000))",
		"INSERT INTO fact VALUES ('x', hex(zeroblob(40000)))",
		"INSERT INTO fact VALUES ('x' || char(0) || 'y', '')",
		"DELETE FROM state",
		"UPDATE state SET in_order = 2",
		"UPDATE state SET source = 'a' || char(0)",
	};
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf sound = BUF_NULL;

	testing_ledger_run(&t, fill);
	sound = testing_file(t.path);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fault fault = FAULT_INIT;

		testing_file_write(t.path, buf_bytes(&sound));
		testing_sql(t.path, rows[i]);
		check_expect(check,
			     run_main("test", use, &t, &fault) == -1 && fault.kind == FAULT_DATA &&
				     strstr(fault.text, t.path) &&
				     strstr(fault.text, "move it away"),
			     __FILE__, __LINE__, "%s: %s", rows[i], fault.text);
		unlink(testing_path(&t.folder, "a.db-wal"));
	}
}

static void hostile_schemas(struct check *check)
{
	static const char *const schemas[] = {
		"CREATE TRIGGER t AFTER INSERT ON message BEGIN DELETE FROM folder; END",
		"CREATE TRIGGER t BEFORE UPDATE ON state BEGIN SELECT load_extension('x'); END",
		"CREATE VIEW v AS SELECT * FROM message",
		"PRAGMA journal_mode = DELETE; CREATE VIEW v AS SELECT * FROM message",
		"CREATE TABLE more (x)",
		"CREATE INDEX i ON message (abs(uid))",
		"ALTER TABLE message ADD COLUMN more TEXT",
		"DROP INDEX message_state",
		"DROP TABLE fact",
		"ALTER TABLE fact RENAME TO facts; CREATE VIEW fact AS SELECT name, value FROM "
		"facts",
		"DROP TABLE fact; CREATE TABLE fact (name, value)",
		"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE fact "
		"(x)' WHERE name = 'fact'",
		"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'nonsense' WHERE name "
		"= 'fact'",
		"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 0 WHERE name = "
		"'fact'",
		"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 1 WHERE name = "
		"'message'",
	};
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf sound = BUF_NULL;

	testing_ledger_run(&t, fill);
	sound = testing_file(t.path);
	for (size_t i = 0; i < ARRAY_SIZE(schemas); i++) {
		_cleanup_(buf_done) struct buf before = BUF_NULL, after = BUF_NULL;
		struct fault fault = FAULT_INIT;

		testing_file_write(t.path, buf_bytes(&sound));
		testing_sql(t.path, schemas[i]);
		before = testing_file(t.path);
		check_expect(check,
			     run_main("test", use, &t, &fault) == -1 && fault.kind == FAULT_DATA &&
				     strstr(fault.text, t.path),
			     __FILE__, __LINE__, "%s: %s", schemas[i], fault.text);
		after = testing_file(t.path);
		check_expect(check, bytes_equal(buf_bytes(&before), buf_bytes(&after)), __FILE__,
			     __LINE__, "%s: the file was changed", schemas[i]);
		unlink(testing_path(&t.folder, "a.db-wal"));
	}

	testing_file_write(t.path, buf_bytes(&sound));
	testing_sql(t.path, "ANALYZE");
	testing_ledger_run(&t, use);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "locked", locked },
		{ "of another mailbox", another_mailbox },
		{ "of a newer mailferry", newer },
		{ "no database", no_database },
		{ "another database", another_database },
		{ "an empty file", empty_file },
		{ "not a file", not_a_file },
		{ "truncated", truncated },
		{ "bits flipped", bits_flipped },
		{ "small tables", small_tables },
		{ "when all of it is checked", when_checked },
		{ "a crash is noted", crash_is_noted },
		{ "read after a crash", read_after_crash },
		{ "hostile rows", hostile_rows },
		{ "hostile schemas", hostile_schemas },
		{ 0 },
	};

	testing_in_memory();
	return check_main(argc, argv, cases);
}
