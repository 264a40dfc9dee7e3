/* SPDX-License-Identifier: Apache-2.0 */
/* mailferry audit: what it prints and its exit status; and that the chain can be recomputed as docs/design/journal.md says. */
#include <fcntl.h>
#include <jansson.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/commands.h"
#include "journal/test-common.h"

#define JOURNAL                                                                                    \
	_cleanup_(testing_journal_remove) struct testing_journal t;                                \
	testing_journal_make(&t, check)

static int fill(void *arg, struct fault *fault)
{
	struct journal_tallies books = { .messages = 1, .legs = 2, .open = 2 };
	struct testing_journal *t = arg;
	uint64_t sequence;

	if (testing_open(t, fault) < 0 || testing_message(t->journal, 1, 1000, &sequence, fault) < 0)
		return -1;
	return journal_sign_off(t->journal, &books, fault);
}

/* Exit status; *out is what it printed. */
static int audit(struct testing_journal *t, const char *option, struct buf *out)
{
	const char *path = testing_path(&t->folder, "out");
	char verb[] = "audit", folder[300], word[40];
	char *argv[] = { verb, folder, word, NULL };
	int status, fd;
	pid_t pid;

	snprintf(folder, sizeof(folder), "%s", t->path);
	snprintf(word, sizeof(word), "%s", option ? option : "");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		dup2(fd, 1);
		dup2(fd, 2);
		status = cmd_audit(option ? 3 : 2, argv);
		fflush(stdout);
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		abort();
	buf_done(out);
	*out = testing_read(path);
	return WEXITSTATUS(status);
}

static void statuses(struct check *check)
{
	_cleanup_(buf_done) struct buf out = BUF_NULL;
	struct fault fault = FAULT_INIT;
	JOURNAL;

	CHECK_EQ(audit(&t, NULL, &out), EXIT_USAGE);
	CHECK(strstr(buf_str(&out), "is not a journal"));
	if (testing_run(&t, fill, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK_EQ(audit(&t, NULL, &out), EXIT_DONE);
	CHECK(strstr(buf_str(&out), "1 messages, 2 recipients = 0 delivered + 2 open + 0 under way + 0 in doubt + 0 held + "
				    "0 returned\nnothing is wrong\n"));
	CHECK_EQ(audit(&t, "--message=1", &out), EXIT_DONE);
	CHECK(strstr(buf_str(&out), "record 2: accept, segment 0000000001.seg, offset "));
	CHECK_EQ(audit(&t, "--message=x", &out), EXIT_USAGE);
	CHECK_EQ(audit(&t, "--help", &out), EXIT_DONE);

	testing_flip(t.path, 1, JOURNAL_FIRST + 64 + 1000 + 20);
	CHECK_EQ(audit(&t, NULL, &out), EXIT_GATE);
	CHECK(strstr(buf_str(&out), "flipped: segment 0000000001.seg, offset 5160: the header of record 2 is damaged\n"));
}

static void json(struct check *check)
{
	_cleanup_(buf_done) struct buf out = BUF_NULL;
	struct fault fault = FAULT_INIT;
	struct bytes rest;
	json_t *object;
	JOURNAL;

	if (testing_run(&t, fill, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	testing_flip(t.path, 1, JOURNAL_FIRST + 64 + 1);
	CHECK_EQ(audit(&t, "--json", &out), EXIT_GATE);
	rest = buf_bytes(&out);
	for (int i = 0; i < 2; i++) {
		struct bytes line = bytes_cut(&rest, '\n');

		object = json_loadb(line.p, line.n, 0, NULL);
		CHECK(object);
		CHECK_STR(json_string_value(json_object_get(object, "event")), i ? "audit" : "finding");
		if (i)
			CHECK(json_integer_value(json_object_get(object, "findings")) == 1);
		else
			CHECK(json_integer_value(json_object_get(object, "offset")) == JOURNAL_FIRST);
		json_decref(object);
	}
	CHECK_EQ(rest.n, 0);
}

/* The program in the manual of the journal, as it stands there; its last line against what was signed. */
static void by_hand(struct check *check)
{
	_cleanup_(buf_done) struct buf command = BUF_NULL, out = BUF_NULL, text = BUF_NULL;
	const char *source = getenv("MAILFERRY_SOURCE");
	struct fault fault = FAULT_INIT;
	char path[400];
	JOURNAL;

	if (!source || system("python3 -c '' 2>/dev/null") != 0)
		check_skip(check, "there is no python3, or no MAILFERRY_SOURCE");
	if (testing_run(&t, fill, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	buf_appendf(&command, "sed -n '/^    import glob/,/^    *at, n =/s/^    //p' %s/docs/design/journal.md >%s/check.py && "
		    "cd %s && python3 %s/check.py >%s/out", source, t.folder.path, t.path, t.folder.path, t.folder.path);
	CHECK_EQ(system(buf_str(&command)), 0);
	out = testing_read(testing_path(&t.folder, "out"));
	snprintf(path, sizeof(path), "%s/checkpoints/00000000000000000002.txt", t.path);
	text = testing_read(path);
	CHECK(text.n > 66 && out.n > 100);
	text.p[text.n - 1] = '\0';
	CHECK(strstr(buf_str(&out), text.p + text.n - 65));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "exit statuses", statuses },
		{ "JSON", json },
		{ "the chain by hand (J4)", by_hand },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
