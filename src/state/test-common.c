/* SPDX-License-Identifier: Apache-2.0 */
/* See test-common.h. What fails here is the machine's fault, so it ends the test program. */
#include "state/test-common.h"

#include <sqlite3.h>
#include <unistd.h>

#include "lib/check.h"

const struct ledger_ends testing_ends = { "imaps://anna@old.example:993",
					  "imaps://anna.b@new.example:993" };

void testing_in_memory(void)
{
	static const char memory[] = "/dev/shm";

	if (access(memory, W_OK) == 0)
		setenv("TMPDIR", memory, 0);
}

int testing_effort(void)
{
	const char *preloaded = getenv("LD_PRELOAD");

	if (preloaded && strstr(preloaded, "vgpreload"))
		return 1;
	return getenv("MAILFERRY_NIGHTLY") ? 16 : 4;
}

void testing_ledger_make(struct testing_ledger *t, struct check *check)
{
	*t = (struct testing_ledger){ .check = check };
	testing_folder_make(&t->folder);
	snprintf(t->path, sizeof(t->path), "%s", testing_path(&t->folder, "a.db"));
}

void testing_ledger_remove(struct testing_ledger *t)
{
	testing_folder_remove(&t->folder);
}

void testing_ledger_run(struct testing_ledger *t, fiber_fn fn)
{
	struct fault fault = FAULT_INIT;
	struct check *check = t->check;
	int r = run_main("test", fn, t, &fault);

	if (r < 0)
		check_expect(check, false, __FILE__, __LINE__, "%s", fault.text);
	if (check->failed)
		longjmp(check->end, 1);
}

struct fault testing_ledger_fails(struct testing_ledger *t, fiber_fn fn)
{
	struct fault fault = FAULT_INIT;
	struct check *check = t->check;

	if (run_main("test", fn, t, &fault) >= 0)
		CHECK_FAIL("it did not fail");
	return fault;
}

int testing_ledger_open(struct testing_ledger *t, enum ledger_mode mode, struct fault *fault)
{
	return ledger_open(t->path, &testing_ends, mode, &t->ledger, fault);
}

int testing_ledger_reopen(struct testing_ledger *t, struct fault *fault)
{
	t->ledger = ledger_close(t->ledger);
	return testing_ledger_open(t, LEDGER_CREATE, fault);
}

int testing_ledger_finish(struct testing_ledger *t)
{
	t->ledger = ledger_close(t->ledger);
	return 0;
}

int testing_ledger_try(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;

	if (testing_ledger_open(t, LEDGER_CREATE, fault) < 0)
		return -1;
	t->ledger = ledger_close(t->ledger);
	return 0;
}

struct ledger_message testing_message(uint32_t folder, uint32_t uid, uint32_t mix)
{
	struct ledger_message m = {
		.folder = folder,
		.uid = uid,
		.copy_uid = 1000 + uid + mix,
		.state = LEDGER_COPIED,
		.has = LEDGER_HAS_DIGEST | LEDGER_HAS_HEADER,
		.size = 100 * (uint64_t)uid + mix,
		.date = 1700000000 + (int64_t)uid + mix,
		.zone_minutes = (int16_t)(uid % 2 ? -90 : 600),
		.message_id = "<A.1@Old.example>",
		.detail = "",
	};

	memset(m.digest, (int)(uid + mix), sizeof(m.digest));
	memset(m.header, (int)(uid + mix + 1), sizeof(m.header));
	return m;
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

bool testing_same_message(const struct ledger_message *a, const struct ledger_message *b)
{
	return a->folder == b->folder && a->uid == b->uid && a->copy_uid == b->copy_uid &&
	       a->state == b->state && a->cause == b->cause && a->has == b->has &&
	       a->flags == b->flags && a->copy_flags == b->copy_flags && a->size == b->size &&
	       a->copy_size == b->copy_size && a->date == b->date &&
	       a->zone_minutes == b->zone_minutes &&
	       memcmp(a->digest, b->digest, sizeof(a->digest)) == 0 &&
	       memcmp(a->copy_digest, b->copy_digest, sizeof(a->copy_digest)) == 0 &&
	       memcmp(a->header, b->header, sizeof(a->header)) == 0 &&
	       same_text(a->message_id, b->message_id) && same_text(a->detail, b->detail);
}

struct ledger_folder testing_ledger_folder(const char *name)
{
	return (struct ledger_folder){ .current = true,
				       .source_name = bytes_of(name),
				       .destination_name = bytes_of(name),
				       .since = INT64_MIN,
				       .before = INT64_MIN };
}

/* --- by SQLite alone ------------------------------------------------------------------------- */

static __attribute__((noreturn)) void die(sqlite3 *sqlite, const char *sql)
{
	fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(sqlite));
	abort();
}

void testing_sql(const char *path, const char *sql)
{
	sqlite3 *sqlite;

	if (sqlite3_open(path, &sqlite) != SQLITE_OK ||
	    sqlite3_exec(sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
		die(sqlite, sql);
	sqlite3_close(sqlite);
}

int64_t testing_sql_number(const char *path, const char *sql)
{
	sqlite3 *sqlite;
	sqlite3_stmt *s = NULL;
	int64_t number;

	if (sqlite3_open(path, &sqlite) != SQLITE_OK ||
	    sqlite3_prepare_v2(sqlite, sql, -1, &s, NULL) != SQLITE_OK ||
	    sqlite3_step(s) != SQLITE_ROW)
		die(sqlite, sql);
	number = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(sqlite);
	return number;
}

/* --- files ----------------------------------------------------------------------------------- */

struct buf testing_file(const char *path)
{
	struct buf content = BUF_NULL;
	FILE *f = fopen(path, "re");
	char part[2048];
	size_t n;

	while (f && (n = fread(part, 1, sizeof(part), f)) > 0)
		buf_append(&content, part, n);
	if (f)
		fclose(f);
	return content;
}

void testing_file_write(const char *path, struct bytes content)
{
	FILE *f = fopen(path, "we");

	if (!f || (content.n && fwrite(content.p, 1, content.n, f) != content.n) || fclose(f) != 0)
		abort();
}
