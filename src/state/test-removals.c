/* SPDX-License-Identifier: Apache-2.0 */
/* Removals: kept, changed, dropped, and read with doubt. */
#include "base/xalloc.h"
#include "lib/check.h"
#include "state/test-common.h"

static const struct ledger_removal deleted = { 2, 7, 70, 1000, true, LEDGER_DELETES, 0, 0 };
static const struct ledger_removal moved = { 1, 9, 4294967295, 1001, false, LEDGER_MOVES, 3, 4294967295 };

static bool is_same(const struct ledger_removal *a, const struct ledger_removal *b)
{
	return a->folder == b->folder && a->uid == b->uid && a->copy_uid == b->copy_uid &&
	       a->uidvalidity == b->uidvalidity && a->was_deleted == b->was_deleted &&
	       a->stage == b->stage && a->new_folder == b->new_folder && a->new_uid == b->new_uid;
}

static int put(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;

	if (testing_ledger_open(t, LEDGER_CREATE, fault) < 0)
		return -1;
	ledger_put_removal(t->ledger, &deleted);
	ledger_put_removal(t->ledger, &moved);
	t->ledger = ledger_close(t->ledger);
	return 0;
}

static int change(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	struct check *check = t->check;
	_cleanup_(freep) struct ledger_removal *p = NULL, *later = NULL, *none = NULL;
	struct ledger_removal done = moved;
	size_t n;

	if (testing_ledger_open(t, LEDGER_CREATE, fault) < 0 ||
	    ledger_load_removals(t->ledger, &p, &n, fault) < 0)
		return -1;
	EXPECT(n == 2 && is_same(&p[0], &moved) && is_same(&p[1], &deleted));

	done.stage = LEDGER_MOVED;
	ledger_put_removal(t->ledger, &done); /* takes the other's place */
	ledger_drop_removal(t->ledger, 2, 7);
	if (ledger_load_removals(t->ledger, &later, &n, fault) < 0)
		return -1;
	EXPECT(n == 1 && is_same(&later[0], &done));

	ledger_drop_removal(t->ledger, 1, 9);
	if (ledger_load_removals(t->ledger, &none, &n, fault) < 0)
		return -1;
	EXPECT(n == 0);
	t->ledger = ledger_close(t->ledger);
	return 0;
}

static int load(void *arg, struct fault *fault)
{
	struct testing_ledger *t = arg;
	_cleanup_(freep) struct ledger_removal *p = NULL;
	size_t n;
	int r = testing_ledger_open(t, LEDGER_CREATE, fault);

	if (r == 0)
		r = ledger_load_removals(t->ledger, &p, &n, fault);
	t->ledger = ledger_close(t->ledger);
	return r;
}

static void kept(struct check *check)
{
	LEDGER_TEST(t);

	testing_ledger_run(&t, put);
	testing_ledger_run(&t, change);
}

static void hostile(struct check *check)
{
	static const char *const rows[] = {
		"UPDATE removal SET copy_uid = 0 WHERE uid = 9",
		"UPDATE removal SET copy_uid = 4294967296 WHERE uid = 9",
		"UPDATE removal SET folder = 0 WHERE uid = 9",
		"UPDATE removal SET uid = 0 WHERE uid = 9",
		"UPDATE removal SET uidvalidity = -1 WHERE uid = 9",
		"UPDATE removal SET was_deleted = 2 WHERE uid = 9",
		"UPDATE removal SET stage = 0 WHERE uid = 9",
		"UPDATE removal SET stage = 4 WHERE uid = 9",
		"UPDATE removal SET stage = 1 WHERE uid = 9",
		"UPDATE removal SET stage = 2 WHERE uid = 7",
		"UPDATE removal SET new_uid = 0 WHERE uid = 9",
	};
	LEDGER_TEST(t);
	_cleanup_(buf_done) struct buf sound = BUF_NULL;

	testing_ledger_run(&t, put);
	sound = testing_file(t.path);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fault fault;

		testing_file_write(t.path, buf_bytes(&sound));
		testing_sql(t.path, rows[i]);
		fault = testing_ledger_fails(&t, load);
		check_expect(check, fault.kind == FAULT_DATA && strstr(fault.text, t.path), __FILE__, __LINE__,
			     "%s: %s", rows[i], fault.text);
	}
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "kept, changed, dropped", kept },
		{ "rows that nobody of us wrote", hostile },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
