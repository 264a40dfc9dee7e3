/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger as its users see it. */
#include "lib/check.h"
#include "os/testing.h"
#include "state/ledger.h"

static const struct ledger_ends ends = { "imaps://anna@old.example:993", "imaps://anna.b@new.example:993" };

#define FOLDER                                                                                     \
	_cleanup_(testing_folder_remove) struct testing_folder folder;                             \
	testing_folder_make(&folder)

struct job {
	struct check *check;
	const char *path;
};

/* Runs fn in a fiber; a failure is the case's. */
static void run(struct check *check, fiber_fn fn, const char *path)
{
	struct job job = { check, path };
	struct fault fault = FAULT_INIT;

	if (run_main("test", fn, &job, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK(!check->failed);
}

static struct ledger_message a_message(uint32_t folder, uint32_t uid)
{
	struct ledger_message m = {
		.folder = folder, .uid = uid, .copy_uid = 1000 + uid, .state = LEDGER_COPIED,
		.has = LEDGER_HAS_DIGEST | LEDGER_HAS_HEADER, .size = 100 * (uint64_t)uid,
		.date = 1700000000 + (int64_t)uid, .zone_minutes = -90, .message_id = "<A@b>",
		.detail = "",
	};

	memset(m.digest, (int)uid, sizeof(m.digest));
	memset(m.header, (int)uid + 1, sizeof(m.header));
	return m;
}

static int write_and_read(void *arg, struct fault *fault)
{
	struct job *job = arg;
	struct check *check = job->check;
	struct ledger *ledger = NULL;
	struct ledger_folder folder = { .current = true, .source_name = BYTES("INBOX"),
					.destination_name = BYTES("INBOX"), .since = INT64_MIN,
					.before = INT64_MIN };
	struct ledger_messages messages;

	if (ledger_open(job->path, &ends, LEDGER_CREATE, &ledger, fault) < 0)
		return -1;
	EXPECT(ledger_is_new(ledger));
	ledger_add_folder(ledger, &folder);
	for (uint32_t uid = 1; uid <= 10; uid++) {
		struct ledger_message m = a_message(folder.id, uid);

		m.flags = ledger_flags_id(ledger, uid % 2 ? "\\Seen Work" : "work \\seen");
		ledger_put_message(ledger, &m);
	}
	if (ledger_load_messages(ledger, folder.id, 3, 5, &messages, fault) < 0)
		return -1;
	EXPECT(messages.n == 3 && messages.p[0].uid == 3 && messages.p[0].flags == 1);
	EXPECT(strcmp(messages.p[0].message_id, "<A@b>") == 0);
	ledger_messages_done(&messages);
	ledger_close(ledger);

	if (ledger_open(job->path, &ends, LEDGER_READ, &ledger, fault) < 0)
		return -1;
	if (ledger_load_bare(ledger, folder.id, 1, 100, &messages, fault) < 0)
		return -1;
	EXPECT(messages.n == 10);
	ledger_messages_done(&messages);
	ledger_close(ledger);
	return 0;
}

static void writes_and_reads(struct check *check)
{
	FOLDER;

	run(check, write_and_read, testing_path(&folder, "a.db"));
	testing_folder_remove(&folder);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "writes and reads", writes_and_reads },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
