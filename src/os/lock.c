/* SPDX-License-Identifier: Apache-2.0 */
/* Lock files, see lock.h. An "open file description" lock: unlike flock() it works between the clients of one NFS
 * server, and unlike the classic fcntl() lock it is not lost when somebody closes another descriptor. */
#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/xalloc.h"

struct os_lock {
	int fd;
};

/* What the holder wrote; by anybody's hand, so bounded and made printable. */
static void read_holder(int fd, char *to, size_t size)
{
	ssize_t n = pread(fd, to, size - 1, 0);

	if (n < 0)
		n = 0;
	to[n] = '\0';
	to[strcspn(to, "\r\n")] = '\0';
	for (; *to; to++) {
		if ((unsigned char)*to < 0x20 || (unsigned char)*to >= 0x7f)
			*to = '?';
	}
}

static int fault_held(struct fault *fault, const char *path, int fd)
{
	char holder[200];

	read_holder(fd, holder, sizeof(holder));
	return fault_set(fault, FAULT_REFUSED, REACH_PROCESS, AGAIN_LATER, "%s is locked by %s", path,
			 holder[0] ? holder : "another process, which did not leave its name");
}

static int write_holder(int fd)
{
	char host[65] = "this host", text[200], since[32] = "";
	time_t now = time(NULL);
	struct tm utc;
	int n;

	gethostname(host, sizeof(host) - 1);
	if (gmtime_r(&now, &utc))
		strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S UTC", &utc);
	n = snprintf(text, sizeof(text), "process %ld on %s since %s\n", (long)getpid(), host, since);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return -1;
	return 0;
}

int os_lock_take(const char *path, struct os_lock **ret, struct fault *fault)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = 0;

	if (fd < 0)
		return fault_local(fault, "cannot open the lock file %s: %s", path, strerror(errno));

	if (fcntl(fd, F_OFD_SETLK, &whole) < 0)
		r = errno == EAGAIN || errno == EACCES
			  ? fault_held(fault, path, fd)
			  : fault_local(fault, "cannot lock %s: %s", path, strerror(errno));
	else if (write_holder(fd) < 0)
		r = fault_local(fault, "cannot write the lock file %s: %s", path, strerror(errno));
	if (r < 0) {
		close(fd);
		return -1;
	}

	*ret = xmalloc(sizeof(**ret));
	(*ret)->fd = fd;
	return 0;
}

struct os_lock *os_lock_release(struct os_lock *lock)
{
	if (!lock)
		return NULL;

	/* The file stays: whoever removed it could remove the next holder's. */
	if (ftruncate(lock->fd, 0) < 0)
		(void)0; /* a stale name in an unlocked file misleads nobody */
	close(lock->fd);
	free(lock);
	return NULL;
}
