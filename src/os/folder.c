/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of small files, see folder.h. */
#include "os/folder.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/xalloc.h"

enum { CLAIM_MAX = 1000 };

static int fault_path(struct fault *fault, const char *what, const char *path)
{
	int error = errno;

	return fault_local(fault, "cannot %s %s: %s", what, path, strerror(error));
}

/* --- replacing ------------------------------------------------------------------------------- */

static int write_whole(const char *path, struct bytes content)
{
	int fd, error = 0;

	/* Left by a crash; and never write into what somebody else put there. */
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;

	while (content.n && !error) {
		ssize_t done = write(fd, content.p, content.n);

		if (done >= 0)
			content = bytes_skip(content, (size_t)done);
		else if (errno != EINTR)
			error = errno;
	}
	close(fd);
	errno = error;
	return error ? -1 : 0;
}

int os_replace_quickly(const char *path, struct bytes content, struct fault *fault)
{
	_cleanup_(buf_done) struct buf new = BUF_NULL;

	buf_appendf(&new, "%s.new", path);
	if (write_whole(buf_str(&new), content) == 0 && rename(buf_str(&new), path) == 0)
		return 0;

	fault_path(fault, "write", path);
	unlink(buf_str(&new));
	return -1;
}

/* --- claims ---------------------------------------------------------------------------------- */

int os_claim(const char *path, const char *text, struct fault *fault)
{
	assert(text[0] && strlen(text) <= CLAIM_MAX);
	if (symlink(text, path) == 0)
		return 0;
	if (errno == EEXIST)
		return 1;
	return fault_path(fault, "write", path);
}

int os_read_claim(const char *path, char *to, size_t size, struct fault *fault)
{
	ssize_t n = readlink(path, to, size - 1);

	if (n >= 0) {
		to[n] = '\0';
		return 0;
	}
	if (errno == ENOENT)
		return 1;
	return fault_path(fault, "read", path);
}

/* --- looking --------------------------------------------------------------------------------- */

int os_stamp(const char *path, struct os_stamp *ret, struct fault *fault)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? 1 : fault_path(fault, "look at", path);

	*ret = (struct os_stamp){
		.inode = st.st_ino, .size = (uint64_t)st.st_size,
		.changed_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
	};
	return 0;
}

int os_list_folder(const char *path, struct arena *arena, const char ***ret, size_t *ret_n,
		   struct fault *fault)
{
	_cleanup_(freep) const char **names = NULL;
	size_t n = 0, size = 0;
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir && errno != ENOENT)
		return fault_path(fault, "look into", path);

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		names = xgrow(names, &size, n + 1, sizeof(*names));
		names[n++] = arena_strdup(arena, entry->d_name);
	}
	if (dir)
		closedir(dir);

	*ret = arena_alloc(arena, (n + 1) * sizeof(**ret));
	if (n)
		memcpy(*ret, names, n * sizeof(**ret));
	*ret_n = n;
	return 0;
}

int os_remove_folder(const char *path, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(buf_done) struct buf name = BUF_NULL;
	const char **names;
	size_t n;

	if (os_list_folder(path, &arena, &names, &n, fault) < 0)
		return -1;

	for (size_t i = 0; i < n; i++) {
		buf_reset(&name);
		buf_appendf(&name, "%s/%s", path, names[i]);
		if (remove(buf_str(&name)) < 0 && errno != ENOENT)
			return fault_path(fault, "remove", buf_str(&name));
	}
	if (rmdir(path) < 0 && errno != ENOENT)
		return fault_path(fault, "remove", path);
	return 0;
}
