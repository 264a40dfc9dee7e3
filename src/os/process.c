/* SPDX-License-Identifier: Apache-2.0 */
/* See process.h. */
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <pwd.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* A failure of either changes nothing that we could do better, so it is not looked at: a system
 * without them still runs us. The soft limit alone, so that programs we start may raise it again.
 */
void os_forbid_dumps(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = 0;
		setrlimit(RLIMIT_CORE, &limit);
	}
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void os_keep_memory(void)
{
	/* By default glibc gives back what is above 128 KiB at the end of the heap, page by page anew each time. */
	mallopt(M_TRIM_THRESHOLD, 8 << 20);
	mallopt(M_TOP_PAD, 1 << 20);
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

void os_yield_to_others(void)
{
	setpriority(PRIO_PROCESS, 0, 5);
}

unsigned os_raise_file_limit(void)
{
	struct rlimit limit = { 0, 0 };

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024;

	if (limit.rlim_cur < limit.rlim_max) {
		rlim_t before = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			limit.rlim_cur = before;
	}
	return limit.rlim_cur > INT32_MAX ? INT32_MAX : (unsigned)limit.rlim_cur;
}

/* Field 22 of /proc/PID/stat; the name before it may hold anything, blanks and brackets too. */
static uint64_t began(long pid)
{
	char path[40], text[1024];
	const char *at;
	uint64_t ticks = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;

	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, "%" SCNu64, &ticks) != 1)
		return 0;
	return ticks;
}

struct os_process os_this_process(void)
{
	long pid = getpid();

	return (struct os_process){ pid, began(pid) };
}

bool os_process_runs(const struct os_process *process)
{
	uint64_t now;

	if (process->pid <= 0 || process->pid > INT32_MAX ||
	    (kill((pid_t)process->pid, 0) < 0 && errno == ESRCH))
		return false;

	now = began(process->pid);
	return !now || !process->began || now == process->began;
}

void os_host_name(char to[65])
{
	if (gethostname(to, 65) < 0)
		to[0] = '\0';
	to[64] = '\0';
}

void os_user_name(unsigned uid, char to[65])
{
	struct passwd entry, *found = NULL;
	char room[2048];

	if (getpwuid_r((uid_t)uid, &entry, room, sizeof(room), &found) == 0 && found && found->pw_name[0])
		snprintf(to, 65, "%.64s", found->pw_name);
	else
		snprintf(to, 65, "uid %u", uid);
}

bool os_has_room(int fd)
{
	struct pollfd one = { .fd = fd, .events = POLLOUT };

	/* Of a pipe: PIPE_BUF bytes. */
	return poll(&one, 1, 0) == 1 && (one.revents & POLLOUT);
}
