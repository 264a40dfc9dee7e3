/* SPDX-License-Identifier: Apache-2.0 */
/* Lines to a file and to a log daemon. */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/check.h"
#include "os/log.h"
#include "os/testing.h"

static void appends(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	_cleanup_(os_log_closep) struct os_log *log = NULL;
	struct fault fault = FAULT_INIT;
	struct buf content;
	struct stat st;
	char path[300];
	size_t n;

	testing_folder_make(&folder);
	snprintf(path, sizeof(path), "%s", testing_path(&folder, "log"));
	CHECK_EQ(os_log_file(path, &log, &fault), 0);
	CHECK_EQ(os_log_write(log, BYTES("one\ntwo\n"), NULL, &n, &fault), 0);
	CHECK_EQ(n, 2);
	log = os_log_close(log);
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0600);

	CHECK_EQ(os_log_file(path, &log, &fault), 0);
	CHECK_EQ(os_log_write(log, BYTES("three\n"), NULL, &n, &fault), 0);
	content = testing_read(path);
	CHECK_STR(buf_str(&content), "one\ntwo\nthree\n");
	buf_done(&content);

	/* moved away: it is written on, until it is opened again */
	CHECK_EQ(rename(path, testing_path(&folder, "moved")), 0);
	CHECK_EQ(os_log_write(log, BYTES("four\n"), NULL, &n, &fault), 0);
	CHECK_EQ(access(path, F_OK), -1);
	content = testing_read(testing_path(&folder, "moved"));
	CHECK_STR(buf_str(&content), "one\ntwo\nthree\nfour\n");
	buf_done(&content);
}

static void what_is_no_file(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	struct fault fault = FAULT_INIT;
	struct os_log *log;

	testing_folder_make(&folder);
	CHECK_EQ(os_log_file(folder.path, &log, &fault), -1);
	CHECK_EQ(os_log_file("/dev/null", &log, &fault), -1);
	CHECK(strstr(fault.text, "no plain file"));
	CHECK_EQ(mkfifo(testing_path(&folder, "pipe"), 0600), 0);
	CHECK_EQ(os_log_file(testing_path(&folder, "pipe"), &log, &fault), -1);
	CHECK_EQ(fault.kind, FAULT_USAGE);
	CHECK_EQ(os_log_file(testing_path(&folder, "no/file"), &log, &fault), -1);
}

static int write_torn(void *arg)
{
	_cleanup_(os_log_closep) struct os_log *log = NULL;
	struct rlimit limit = { .rlim_cur = 10, .rlim_max = RLIM_INFINITY };
	struct fault fault = FAULT_INIT;
	size_t n;

	signal(SIGXFSZ, SIG_IGN);
	if (os_log_file(arg, &log, &fault) < 0 || setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 1;
	if (os_log_write(log, BYTES("123456\nabcdef\nxyz\n"), NULL, &n, &fault) == 0 || n != 1)
		return 2;
	if (os_log_write(log, BYTES("no\n"), NULL, &n, &fault) == 0 || n != 0)
		return 3;
	limit.rlim_cur = RLIM_INFINITY;
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 4;
	return os_log_write(log, BYTES("next\n"), NULL, &n, &fault) == 0 && n == 1 ? 0 : 5;
}

static void ends_half_a_line(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	const char *path;
	struct buf content;

	testing_folder_make(&folder);
	path = testing_path(&folder, "log");
	CHECK_EQ(testing_fork(write_torn, (void *)(uintptr_t)path, NULL, NULL), 0);
	content = testing_read(path);
	CHECK_STR(buf_str(&content), "123456\nabc\nnext\n");
	buf_done(&content);
}

static int daemon_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : fd;
}

static enum os_log_level level_of(struct bytes line)
{
	return bytes_starts(line, BYTES("bad")) ? OS_LOG_WARNING : OS_LOG_INFO;
}

static void expect(struct check *check, int fd, const char *head, const char *text)
{
	char got[200] = "", want[200];
	ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	snprintf(want, sizeof(want), "%s[%ld]: %s", head, (long)getpid(), text);
	got[n > 0 ? n : 0] = '\0';
	CHECK_STR(got, want);
}

static void tells_the_system(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	_cleanup_(os_log_closep) struct os_log *log = NULL;
	struct fault fault = FAULT_INIT;
	char path[300];
	size_t n;
	int fd;

	testing_folder_make(&folder);
	snprintf(path, sizeof(path), "%s", testing_path(&folder, "daemon"));
	CHECK_EQ(os_log_system(path, "mailferry", &log, &fault), -1);
	CHECK_EQ(fault.kind, FAULT_LOCAL);

	fd = daemon_at(path);
	CHECK_EQ(os_log_system(path, "mailferry", &log, &fault), 0);
	CHECK_EQ(os_log_write(log, BYTES("good\nbad\n"), level_of, &n, &fault), 0);
	CHECK_EQ(n, 2);
	expect(check, fd, "<22>mailferry", "good");
	expect(check, fd, "<20>mailferry", "bad");

	/* another daemon in its place */
	close(fd);
	fd = daemon_at(path);
	CHECK_EQ(os_log_write(log, BYTES("again\n"), NULL, &n, &fault), 0);
	expect(check, fd, "<22>mailferry", "again");

	/* one that does not read: it is waited for, a second, and then that is a failure */
	fault = FAULT_INIT;
	for (int i = 0; i < 10000 && fault.kind == FAULT_NONE; i++)
		os_log_write(log, BYTES("one\n"), NULL, &n, &fault);
	CHECK_EQ(fault.kind, FAULT_LOCAL);
	CHECK_EQ(n, 0);
	close(fd);
	CHECK_EQ(os_log_write(log, BYTES("nobody\n"), NULL, &n, &fault), -1);
	unlink(path);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "appends", appends },
		{ "what is no file", what_is_no_file },
		{ "ends half a line", ends_half_a_line },
		{ "tells the system's log", tells_the_system },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
