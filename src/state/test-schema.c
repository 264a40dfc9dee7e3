/* SPDX-License-Identifier: Apache-2.0 */
/* The schema in steps: made, brought forward, left alone when a step fails. */
#include <unistd.h>

#include "lib/check.h"
#include "state/schema.h"
#include "state/test-common.h"

/* Ours, and one or two of the future. */
struct steps {
	struct schema_step at[3];
};

static struct steps steps_of_future(const char *second)
{
	return (struct steps){ { schema_steps[0], { "002-more.sql", second }, { "003-last.sql",
			       "CREATE INDEX fact_value ON fact (value);" } } };
}

static const char more[] = "ALTER TABLE fact ADD COLUMN why TEXT NOT NULL DEFAULT '';"
			   "UPDATE fact SET why = 'because' WHERE name = 'a';";

static int add_fact(struct db *db, void *arg, struct fault *fault)
{
	int *times = arg;

	++*times;
	return db_exec(db, "INSERT INTO fact (name, value) VALUES ('a', 'b')", fault);
}

/* Opens the file as ledger_open() does, and brings it to version n. */
static int migrate(const char *path, const struct schema_step *steps, size_t n, int *ret_first,
		   struct fault *fault)
{
	struct db db;
	int64_t version;
	int r = db_open(&db, path, false, fault);

	*ret_first = 0;
	if (r == 0)
		r = schema_look(&db, &version, fault);
	if (r >= 0)
		r = db_use_wal(&db, fault);
	if (r == 0)
		r = schema_migrate(&db, version, steps, n, add_fact, ret_first, fault);
	if (r == 0)
		r = schema_verify(&db, steps, n, fault);
	db_trust(&db, true);
	db_done(&db);
	return r;
}

static int64_t version_of(const char *path)
{
	return testing_sql_number(path, "PRAGMA user_version");
}

static void from_nothing(struct check *check)
{
	LEDGER_TEST(t);
	struct fault fault = FAULT_INIT;
	int first;

	CHECK_EQ(migrate(t.path, schema_steps, schema_n_steps, &first, &fault), 0);
	CHECK(first == 1 && version_of(t.path) == (int64_t)schema_n_steps);
	CHECK_EQ(testing_sql_number(t.path, "PRAGMA application_id"), SCHEMA_APPLICATION);
	CHECK_EQ(migrate(t.path, schema_steps, schema_n_steps, &first, &fault), 0);
	CHECK(first == 0);
}

static void forward(struct check *check)
{
	LEDGER_TEST(t);
	struct steps future = steps_of_future(more);
	struct fault fault = FAULT_INIT;
	int first;

	CHECK_EQ(migrate(t.path, future.at, 1, &first, &fault), 0);
	CHECK_EQ(migrate(t.path, future.at, 3, &first, &fault), 0);
	CHECK(first == 0 && version_of(t.path) == 3);
	CHECK_EQ(testing_sql_number(
			 t.path, "SELECT count(*) FROM fact WHERE value = 'b' AND why = 'because'"),
		 1);

	/* all steps at once come to the same */
	snprintf(t.path, sizeof(t.path), "%s", testing_path(&t.folder, "b.db"));
	CHECK_EQ(migrate(t.path, future.at, 3, &first, &fault), 0);
	CHECK(first == 1 && version_of(t.path) == 3);
}

static void failing(struct check *check)
{
	LEDGER_TEST(t);
	struct steps future = steps_of_future("DELETE FROM fact; INSERT INTO nowhere VALUES (1);");
	struct fault fault = FAULT_INIT;
	int first;

	CHECK_EQ(migrate(t.path, future.at, 1, &first, &fault), 0);
	CHECK_EQ(migrate(t.path, future.at, 3, &first, &fault), -1);
	CHECK(strstr(fault.text, "002-more.sql") && strstr(fault.text, "nowhere"));
	CHECK_EQ(version_of(t.path), 1);
	CHECK_EQ(testing_sql_number(t.path, "SELECT count(*) FROM fact"), 1);
	CHECK_EQ(migrate(t.path, future.at, 1, &first, &fault), 0);
}

/* What is known beforehand is what the steps make. */
static void known_beforehand(struct check *check)
{
	unsigned char digest[32];
	struct fault fault = FAULT_INIT;

	CHECK_EQ(schema_digest(schema_steps, schema_n_steps, digest, &fault), 0);
	if (memcmp(digest, schema_digest_of_all, sizeof(digest)) != 0) {
		printf("# schema_digest_of_all must be");
		for (size_t i = 0; i < sizeof(digest); i++)
			printf("%s0x%02x,", i % 8 ? " " : "\n#\t", digest[i]);
		printf("\n");
	}
	CHECK(memcmp(digest, schema_digest_of_all, sizeof(digest)) == 0);
}

/* A ledger of the future is refused by this program. */
static void refused(struct check *check)
{
	LEDGER_TEST(t);
	struct steps future = steps_of_future(more);
	struct fault fault = FAULT_INIT;
	int first;

	CHECK_EQ(migrate(t.path, future.at, 3, &first, &fault), 0);
	fault = testing_ledger_fails(&t, testing_ledger_try);
	CHECK(fault.kind == FAULT_USAGE && strstr(fault.text, "newer mailferry"));
}

/* --- crashes: in forked processes, before this one has looked at the environment --------------- */

struct run {
	const char *path;
	size_t n; /* of steps */
};

static int migrate_forked(void *arg)
{
	const struct run *run = arg;
	struct steps future = steps_of_future(more);
	struct fault fault;
	int first;

	return migrate(run->path, future.at, run->n, &first, &fault) < 0;
}

/* Killed anywhere on the way, a ledger has one version or the other, whole. */
static void killed(struct check *check)
{
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf old = BUF_NULL;
	int r, n = 0;

	CHECK_EQ(testing_fork(migrate_forked, &(struct run){ t.path, 1 }, NULL, NULL), 0);
	old = testing_file(t.path);
	do {
		struct run run = { t.path, 3 };
		char nth[20];

		testing_file_write(t.path, buf_bytes(&old));
		unlink(testing_path(&t.folder, "a.db-wal"));
		snprintf(nth, sizeof(nth), ":%d", ++n);
		r = testing_fork(migrate_forked, &run, "MAILFERRY_STEP_KILL", nth);
		CHECK_EQ(testing_fork(migrate_forked, &run, NULL, NULL), 0);
		CHECK_EQ(testing_sql_number(t.path,
					    "SELECT count(*) FROM fact WHERE why = 'because'"),
			 1);
		CHECK_EQ(version_of(t.path), 3);
	} while (r != 0);
	printf("# killed %d times\n", n - 1);
	CHECK(n > 20);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "killed on the way", killed }, /* must be the first */
		{ "known beforehand", known_beforehand },
		{ "from nothing", from_nothing },
		{ "forward", forward },
		{ "a step that fails", failing },
		{ "one of the future is refused", refused },
		{ 0 },
	};

	testing_in_memory();
	return check_main(argc, argv, cases);
}
