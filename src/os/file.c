/* SPDX-License-Identifier: Apache-2.0 */
/* Files, see file.h. What must stay true: nothing is called durable that was not synced with success, and a
 * sync that failed is never tried again on the same file. */
#include "os/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "os/step.h"

enum { SECRET_MAX = 65536 };

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int open_file(const char *path, int flags)
{
	int fd;

	if (step_fails("open"))
		return -1;
	do
		fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0600);
	while (fd < 0 && errno == EINTR);
	return fd;
}

static int fault_file(struct fault *fault, const char *what, const char *path)
{
	int error = errno;

	return fault_local(fault, "cannot %s %s: %s", what, path, strerror(error));
}

/* --- reading --------------------------------------------------------------------------------- */

/* Filled from outside, a buffer needs its NUL again. */
static void set_length(struct buf *b, size_t n)
{
	b->n = n;
	b->p[n] = '\0';
}

/* Reads at most max_bytes and one more, which tells that there is more. */
static ssize_t read_all(int fd, size_t max_bytes, struct buf *to)
{
	size_t start = to->n;

	while (to->n - start <= max_bytes) {
		size_t want = max_bytes + 1 - (to->n - start);
		ssize_t n;

		if (want > 65536)
			want = 65536;
		n = read(fd, buf_reserve(to, want), want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		set_length(to, to->n + (size_t)n);
	}
	return (ssize_t)(to->n - start);
}

int os_read_file(const char *path, size_t max_bytes, struct buf *to, struct fault *fault)
{
	_cleanup_(closep) int fd = open_file(path, O_RDONLY);
	size_t start = to->n;
	ssize_t n;

	if (fd < 0)
		return fault_usage(fault, "cannot open %s: %s", path, strerror(errno));

	n = read_all(fd, max_bytes, to);
	if (n >= 0 && (size_t)n <= max_bytes)
		return 0;

	set_length(to, start);
	if (n < 0 && errno == EISDIR)
		return fault_usage(fault, "%s is a folder, not a file", path);
	if (n < 0)
		return fault_file(fault, "read", path);
	return fault_usage(fault, "%s is larger than %zu bytes", path, max_bytes);
}

int os_read_secret(const char *path, char **ret, struct fault *fault)
{
	_cleanup_(buf_wipe) struct buf content = BUF_NULL;
	struct bytes rest, line;

	/* All at once: growing would leave copies behind. */
	buf_reserve(&content, SECRET_MAX + 1);
	if (os_read_file(path, SECRET_MAX, &content, fault) < 0) {
		fault->kind = FAULT_USAGE;
		return -1;
	}

	rest = buf_bytes(&content);
	line = bytes_cut(&rest, '\n');
	while (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0)
		return fault_usage(fault, "%s has nothing on its first line, where the secret "
				   "should be", path);

	*ret = bytes_to_str(line);
	if (!*ret)
		return fault_usage(fault, "the first line of %s holds a NUL: a secret is text", path);
	return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int write_bytes(int fd, struct bytes bytes)
{
	size_t half = bytes.n / 2;

	if (step_fails("write"))
		return -1;
	if (!step_is_on())
		return write_all(fd, bytes.p, bytes.n);

	/* A crash may leave any part of it. */
	step_point("write");
	if (write_all(fd, bytes.p, half) < 0)
		return -1;
	step_point("write-half");
	return write_all(fd, bytes.p + half, bytes.n - half);
}

static int sync_fd(int fd)
{
	step_point("sync");
	if (step_fails("sync"))
		return -1;
	return fdatasync(fd);
}

static int sync_folder(const char *folder)
{
	_cleanup_(closep) int fd = open_file(folder, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return -1;

	step_point("sync-folder");
	if (step_fails("sync"))
		return -1;
	return fsync(fd);
}

/* Makes the names in path's folder durable. */
static int sync_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_(freep) char *folder = NULL;

	if (!slash)
		folder = xstrdup(".");
	else if (slash == path)
		folder = xstrdup("/");
	else
		folder = xstrndup(path, (size_t)(slash - path));
	return sync_folder(folder);
}

static int write_new(const char *path, struct bytes content, struct fault *fault)
{
	_cleanup_(closep) int fd = -1;

	/* Left by a crash; and never write into what somebody else put there. */
	unlink(path);
	fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
	if (fd < 0)
		return fault_file(fault, "create", path);
	if (write_bytes(fd, content) < 0)
		return fault_file(fault, "write", path);
	if (sync_fd(fd) < 0)
		return fault_file(fault, "sync", path);
	return 0;
}

static int rename_file(const char *from, const char *to)
{
	step_point("rename");
	if (step_fails("rename"))
		return -1;
	return rename(from, to);
}

int os_replace_file(const char *path, struct bytes content, struct fault *fault)
{
	_cleanup_(buf_done) struct buf new = BUF_NULL;

	buf_appendf(&new, "%s.new", path);
	if (write_new(buf_str(&new), content, fault) < 0) {
		unlink(buf_str(&new));
		return -1;
	}
	if (rename_file(buf_str(&new), path) < 0) {
		fault_file(fault, "replace", path);
		unlink(buf_str(&new));
		return -1;
	}
	if (sync_folder_of(path) < 0)
		return fault_file(fault, "sync the folder of", path);
	return 0;
}

int os_move_durably(const char *from, const char *to, struct fault *fault)
{
	if (rename_file(from, to) < 0)
		return fault_file(fault, "rename to", to);
	if (sync_folder_of(to) < 0)
		return fault_file(fault, "sync the folder of", to);
	return 0;
}

int os_sync_folder(const char *path, struct fault *fault)
{
	return sync_folder(path) < 0 ? fault_file(fault, "sync the folder", path) : 0;
}

int os_remove_durably(const char *path, struct fault *fault)
{
	step_point("remove");
	if (unlink(path) < 0 && errno != ENOENT)
		return fault_file(fault, "remove", path);
	if (sync_folder_of(path) < 0)
		return fault_file(fault, "sync the folder of", path);
	return 0;
}

int os_free_space(const char *path, uint64_t *ret_bytes, struct fault *fault)
{
	struct statvfs fs;

	if (statvfs(path, &fs) < 0)
		return fault_file(fault, "ask for the free space of", path);

	*ret_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return 0;
}

int os_space_of(const char *path, uint64_t *ret_bytes, struct fault *fault)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return fault_file(fault, "look at", path);

	/* What the file system needs to find it is not of the file. */
	*ret_bytes = (uint64_t)st.st_blocks * 512 < (uint64_t)st.st_size ? (uint64_t)st.st_blocks * 512 : (uint64_t)st.st_size;
	return 0;
}

/* --- folders --------------------------------------------------------------------------------- */

static int make_folder(const char *path, struct fault *fault)
{
	if (mkdir(path, 0700) < 0)
		return errno == EEXIST ? 0 : fault_file(fault, "make the folder", path);
	step_point("mkdir");
	if (sync_folder_of(path) < 0)
		return fault_file(fault, "sync the folder of", path);
	return 0;
}

int os_make_folder_of(const char *path, struct fault *fault)
{
	_cleanup_(freep) char *folder = xstrdup(path);

	for (char *slash = folder + 1; path[0] && (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (make_folder(folder, fault) < 0)
			return -1;
		*slash = '/';
	}
	return 0;
}

/* --- files that grow ------------------------------------------------------------------------- */

struct os_file {
	int fd;
	char *path;
	uint64_t size;
	bool named;  /* its name in the folder is durable */
	bool broken; /* a write or sync failed */
	struct fault why;
};

static int open_growing(const char *path, int flags, struct os_file **ret, struct fault *fault)
{
	struct os_file *file;
	struct stat st;
	int fd = open_file(path, O_WRONLY | O_CREAT | O_APPEND | flags);

	if (fd < 0)
		return fault_file(fault, flags & O_EXCL ? "create" : "open", path);
	if (fstat(fd, &st) < 0) {
		fault_file(fault, "open", path);
		close(fd);
		return -1;
	}

	file = xzalloc(sizeof(*file));
	file->fd = fd;
	file->path = xstrdup(path);
	file->size = (uint64_t)st.st_size;
	*ret = file;
	return 0;
}

int os_file_create(const char *path, struct os_file **ret, struct fault *fault)
{
	return open_growing(path, O_EXCL, ret, fault);
}

int os_file_append(const char *path, struct os_file **ret, struct fault *fault)
{
	return open_growing(path, 0, ret, fault);
}

uint64_t os_file_size(const struct os_file *file)
{
	return file->size;
}

static int fail(struct os_file *file, const char *what, struct fault *fault)
{
	if (!file->broken)
		fault_file(&file->why, what, file->path);
	file->broken = true;
	*fault = file->why;
	return -1;
}

int os_file_write(struct os_file *file, struct bytes bytes, struct fault *fault)
{
	if (file->broken || write_bytes(file->fd, bytes) < 0)
		return fail(file, "write", fault);

	file->size += bytes.n;
	return 0;
}

int os_sync(struct os_file *file, struct fault *fault)
{
	if (file->broken || sync_fd(file->fd) < 0)
		return fail(file, "sync", fault);
	if (!file->named && sync_folder_of(file->path) < 0)
		return fail(file, "sync the folder of", fault);

	file->named = true;
	return 0;
}

struct os_file *os_file_close(struct os_file *file)
{
	if (!file)
		return NULL;

	close(file->fd);
	free(file->path);
	free(file);
	return NULL;
}
