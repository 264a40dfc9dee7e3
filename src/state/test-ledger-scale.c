/* SPDX-License-Identifier: Apache-2.0 */
/* A large ledger: that its size does not matter where it must not, and what things cost,
 * printed as TAP comments. MAILFERRY_LEDGER_ROWS sets the number of messages: 200,000 for the
 * figures of docs/design/ledger.md. */
#include <sys/resource.h>
#include <sys/stat.h>

#include "lib/check.h"
#include "os/testing.h"
#include "state/ledger.h"

static const struct ledger_ends ends = { "imaps://anna@old.example:993",
					 "imaps://anna@new.example:993" };

enum { BATCH = 500, WINDOW = 16384 };

struct job {
	struct check *check;
	const char *path;
	uint32_t rows;
	struct ledger *ledger;
	int64_t wall, cpu;
};

static int64_t cpu_us(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * SECOND + use.ru_utime.tv_usec +
	       use.ru_stime.tv_usec;
}

static void start(struct job *job)
{
	job->wall = run_now();
	job->cpu = cpu_us();
}

static void stop(struct job *job, const char *what)
{
	printf("# %-44s %8.2f ms, CPU %8.2f ms\n", what, (double)(run_now() - job->wall) / 1000,
	       (double)(cpu_us() - job->cpu) / 1000);
	start(job);
}

static struct ledger_message a_message(struct ledger *ledger, uint32_t folder, uint32_t uid,
				       char *id, size_t size)
{
	static const char *const flags[] = { "", "\\Seen", "\\Seen \\Answered",
					     "\\Seen $Forwarded" };
	struct ledger_message m = {
		.folder = folder, .uid = uid, .copy_uid = 70000 + uid, .state = LEDGER_COPIED,
		.has = LEDGER_HAS_DIGEST | LEDGER_HAS_HEADER, .size = 3000 + uid % 70000,
		.date = 1500000000 + 300 * (int64_t)uid, .zone_minutes = 60, .message_id = id,
	};
	uint64_t mix = uid * UINT64_C(0x9e3779b97f4a7c15);

	m.flags = m.copy_flags = ledger_flags_id(ledger, flags[uid % ARRAY_SIZE(flags)]);
	for (size_t i = 0; i < sizeof(m.digest); i++)
		m.digest[i] = (unsigned char)(mix >> i % 8 * 8);
	memcpy(m.header, m.digest, sizeof(m.header));
	snprintf(id, size, "<%016llx.%u@mail-%u.old.example>", (unsigned long long)mix, uid,
		 uid % 50);
	if (uid % 1000 == 0)
		m.cause = 8;
	if (uid % 5000 == 0)
		m.state = LEDGER_GONE;
	return m;
}

/* The intent first, as a copy does: state SENDING, without a digest. */
static void put_intent(struct ledger *ledger, const struct ledger_message *message)
{
	struct ledger_message m = *message;

	m.state = LEDGER_SENDING;
	m.cause = 0;
	m.has = 0;
	m.copy_uid = 0;
	ledger_put_message(ledger, &m);
}

static int fill_intents(struct job *job, struct fault *fault)
{
	char id[100];

	start(job);
	for (uint32_t uid = 1; uid <= job->rows + BATCH; uid++) {
		struct ledger_message m = a_message(job->ledger, 49, uid, id, sizeof(id));

		if (uid <= job->rows)
			put_intent(job->ledger, &m);
		if (uid > BATCH) {
			m = a_message(job->ledger, 49, uid - BATCH, id, sizeof(id));
			ledger_put_message(job->ledger, &m);
		}
		if (ledger_queued(job->ledger) >= BATCH && ledger_commit(job->ledger, fault) < 0)
			return -1;
	}
	if (ledger_commit(job->ledger, fault) < 0)
		return -1;
	stop(job, "writing all rows again, each SENDING before");
	return 0;
}

static int fill(struct job *job, struct fault *fault)
{
	struct ledger_folder folder = { .current = true, .source_name = BYTES("INBOX"),
					.destination_name = BYTES("INBOX") };
	char id[100];

	if (ledger_open(job->path, &ends, LEDGER_CREATE, &job->ledger, fault) < 0)
		return -1;
	start(job);
	for (int i = 0; i < 50; i++)
		ledger_add_folder(job->ledger, &folder);
	for (uint32_t uid = 1; uid <= job->rows; uid++) {
		struct ledger_message m = a_message(job->ledger, folder.id, uid, id, sizeof(id));

		ledger_put_message(job->ledger, &m);
		if (ledger_queued(job->ledger) >= BATCH && ledger_commit(job->ledger, fault) < 0)
			return -1;
	}
	if (ledger_commit(job->ledger, fault) < 0)
		return -1;
	stop(job, "writing all rows, 500 a commit");
	job->ledger = ledger_close(job->ledger);
	stop(job, "closing after that");
	return 0;
}

static int load_windows(struct job *job, bool bare, struct fault *fault)
{
	struct check *check = job->check;
	size_t n = 0;

	for (uint32_t low = 1; low <= job->rows; low += WINDOW) {
		struct ledger_messages m;
		int r = bare ? ledger_load_bare(job->ledger, 50, low, low + WINDOW - 1, &m, fault)
			     : ledger_load_messages(job->ledger, 50, low, low + WINDOW - 1, &m,
						    fault);

		n += m.n;
		ledger_messages_done(&m);
		if (r < 0)
			return -1;
	}
	EXPECT(n == job->rows);
	return 0;
}

static int reopen(struct job *job, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct check *check = job->check;
	struct ledger_folder *folders;
	size_t n;

	for (int i = 0; i < 3; i++) {
		if (ledger_open(job->path, &ends, LEDGER_CREATE, &job->ledger, fault) < 0 ||
		    ledger_load_folders(job->ledger, &arena, &folders, &n, fault) < 0)
			return -1;
		EXPECT(n == 50);
		job->ledger = ledger_close(job->ledger);
		stop(job, "open, folders, close");
	}
	return 0;
}

static int query(struct job *job, struct fault *fault)
{
	struct check *check = job->check;
	struct ledger_folder folder = { .id = 50 };
	struct ledger_messages m;
	uint32_t *uids;
	size_t n;

	if (load_windows(job, true, fault) < 0)
		return -1;
	stop(job, "load_bare, all windows");
	if (load_windows(job, false, fault) < 0)
		return -1;
	stop(job, "load_messages, all windows");
	if (ledger_count_folder(job->ledger, &folder, fault) < 0)
		return -1;
	EXPECT(folder.tally.copied == job->rows - job->rows / 5000);
	EXPECT(folder.tally.gone == job->rows / 5000 && folder.tally.noted[8] == job->rows / 1000);
	stop(job, "count_folder");
	if (ledger_load_copy_uids(job->ledger, 50, 70000 + job->rows - 1000, &uids, &n, fault) < 0)
		return -1;
	EXPECT(n == 1001);
	free(uids);
	stop(job, "load_copy_uids, the last 1,000");
	if (ledger_find_message_id(job->ledger, "<nowhere@old.example>", 10, &m, fault) < 0)
		return -1;
	EXPECT(m.n == 0);
	ledger_messages_done(&m);
	stop(job, "find_message_id, not there");
	if (ledger_load_causes(job->ledger, 0, 100000, &m, fault) < 0)
		return -1;
	EXPECT(m.n == job->rows / 1000);
	ledger_messages_done(&m);
	stop(job, "load_causes, 1 in 1,000");
	if (ledger_load_state(job->ledger, 0, LEDGER_GONE, 100000, &m, fault) < 0)
		return -1;
	EXPECT(m.n == job->rows / 5000);
	ledger_messages_done(&m);
	stop(job, "load_state GONE, 1 in 5,000");
	return 0;
}

static int change(struct job *job, struct fault *fault)
{
	for (uint32_t uid = 1; uid <= job->rows; uid += 7) {
		ledger_set_flags(job->ledger, 50, uid, 1, 1);
		if (ledger_queued(job->ledger) >= BATCH && ledger_commit(job->ledger, fault) < 0)
			return -1;
	}
	if (ledger_commit(job->ledger, fault) < 0)
		return -1;
	stop(job, "set_flags of each 7th, 500 a commit");
	return 0;
}

static int all(void *arg, struct fault *fault)
{
	struct job *job = arg;
	struct stat st = { 0 };

	if (fill(job, fault) < 0)
		return -1;
	stat(job->path, &st);
	printf("# %u rows, %.1f MB\n", job->rows, (double)st.st_size / 1e6);
	if (reopen(job, fault) < 0 ||
	    ledger_open(job->path, &ends, LEDGER_CREATE, &job->ledger, fault) < 0)
		return -1;
	start(job);
	if (query(job, fault) < 0 || change(job, fault) < 0 || fill_intents(job, fault) < 0)
		return -1;
	start(job);
	job->ledger = ledger_close(job->ledger);
	stop(job, "closing after that");
	return 0;
}

static void large(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	const char *rows = getenv("MAILFERRY_LEDGER_ROWS");
	struct fault fault = FAULT_INIT;
	uint64_t n = 20000;
	struct job job = { .check = check };

	testing_folder_make(&folder);
	if (rows)
		CHECK(bytes_to_u64(bytes_of(rows), 100 * 1000 * 1000, &n) == 0);
	job.path = testing_path(&folder, "a.db");
	job.rows = (uint32_t)n;
	if (run_main("test", all, &job, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK(!check->failed);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "a large ledger", large },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
