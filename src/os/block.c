/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a fixed size, see block.h. */
#include "os/block.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "os/step.h"

enum { FILL_PIECE = 1 << 20, FILL_SYNC = 8 << 20, AT_ONCE = 128 };

struct os_block {
	int fd;
	char *path;
	uint64_t size;
	bool broken; /* a write or sync failed */
	struct fault why;
};

static int fault_block(struct fault *fault, const char *what, const char *path)
{
	int error = errno;

	if (error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE || error == ENOMEM)
		return fault_set(fault, FAULT_LIMIT, REACH_PROCESS, AGAIN_LATER, "cannot %s %s: %s", what,
				 path, strerror(error));
	return fault_local(fault, "cannot %s %s: %s", what, path, strerror(error));
}

static int open_block(const char *path, int flags)
{
	int fd;

	if (step_fails("open"))
		return -1;
	do
		fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600);
	while (fd < 0 && errno == EINTR);
	return fd;
}

static struct os_block *block_new(int fd, const char *path, uint64_t size)
{
	struct os_block *block = xzalloc(sizeof(*block));

	block->fd = fd;
	block->path = xstrdup(path);
	block->size = size;
	return block;
}

/* --- writing --------------------------------------------------------------------------------- */

/* All of it, at most AT_ONCE pieces a call. */
static int write_pieces(int fd, uint64_t offset, const struct bytes *pieces, size_t n)
{
	size_t skip = 0;

	while (n > 0) {
		struct iovec iov[AT_ONCE];
		size_t count = n < AT_ONCE ? n : AT_ONCE;
		ssize_t done;

		for (size_t i = 0; i < count; i++) {
			struct bytes b = bytes_skip(pieces[i], i == 0 ? skip : 0);

			/* pwritev() does not write to it; its type cannot say so */
			memcpy(&iov[i].iov_base, &b.p, sizeof(b.p));
			iov[i].iov_len = b.n;
		}
		done = pwritev(fd, iov, (int)count, (off_t)offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		offset += (uint64_t)done;
		skip += (size_t)done;
		for (; n > 0 && skip >= pieces->n; n--, pieces++)
			skip -= pieces->n;
	}
	return 0;
}

/* Past the kernel's cache, or not. False: this file system does not know that. */
static bool set_direct(int fd, bool direct)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

/* Zeros past the cache: through it they cost as much as what is written over them later. */
static int fill(int fd, uint64_t size)
{
	_cleanup_(freep) char *room = xzalloc(FILL_PIECE + OS_BLOCK_PAGE);
	const char *zeros = room + (OS_BLOCK_PAGE - (uintptr_t)room % OS_BLOCK_PAGE);
	bool direct = size % OS_BLOCK_PAGE == 0 && set_direct(fd, true);

	for (uint64_t at = 0; at < size;) {
		uint64_t left = size - at;
		struct bytes piece = { zeros, left < FILL_PIECE ? (size_t)left : FILL_PIECE };

		step_point("block-fill");
		if (step_fails("fill"))
			return -1;
		if (write_pieces(fd, at, &piece, 1) < 0) {
			if (!direct || errno != EINVAL)
				return -1;
			/* It wants more alignment than that. */
			direct = !set_direct(fd, false);
			continue;
		}
		at += piece.n;
		/* A little at a time: others wait for this disk. */
		if ((at % FILL_SYNC == 0 || at == size) && fdatasync(fd) < 0)
			return -1;
	}
	return direct && !set_direct(fd, false) ? -1 : 0;
}

int os_block_create(const char *path, uint64_t size, struct os_block **ret, struct fault *fault)
{
	int fd;

	/* Left by a crash; and never write into what somebody else put there. */
	unlink(path);
	fd = open_block(path, O_RDWR | O_CREAT | O_EXCL);
	if (fd < 0)
		return fault_block(fault, "create", path);
	if (fill(fd, size) < 0) {
		fault_block(fault, "fill", path);
		close(fd);
		unlink(path);
		return -1;
	}

	*ret = block_new(fd, path, size);
	return 0;
}

static int fail(struct os_block *block, const char *what, struct fault *fault)
{
	if (!block->broken)
		fault_block(&block->why, what, block->path);
	block->broken = true;
	*fault = block->why;
	return -1;
}

/* A crash may leave any part of it, in whole sectors: here the first half, down to a multiple of 8, where sectors may cut what is
 * aligned to 8. */
static int write_in_halves(struct os_block *block, uint64_t offset, const struct bytes *pieces, size_t n, uint64_t sum)
{
	uint64_t left = sum / 2 & ~UINT64_C(7), at = offset;

	step_point("block-write");
	for (size_t i = 0; i < n && left > 0; i++) {
		struct bytes piece = bytes_head(pieces[i], left);

		if (write_pieces(block->fd, at, &piece, 1) < 0)
			return -1;
		at += piece.n;
		left -= piece.n;
	}
	step_point("block-write-half");
	return write_pieces(block->fd, offset, pieces, n);
}

int os_block_write(struct os_block *block, uint64_t offset, const struct bytes *pieces, size_t n,
		   struct fault *fault)
{
	uint64_t sum = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		sum += pieces[i].n;
	assert(offset + sum <= block->size);
	if (block->broken || step_fails("write"))
		return fail(block, "write", fault);

	r = step_is_on() ? write_in_halves(block, offset, pieces, n, sum)
			 : write_pieces(block->fd, offset, pieces, n);
	return r < 0 ? fail(block, "write", fault) : 0;
}

int os_block_sync(struct os_block *block, struct fault *fault)
{
	step_point("block-sync");
	if (block->broken || step_fails("sync") || fdatasync(block->fd) < 0)
		return fail(block, "sync", fault);
	step_point("block-synced");
	return 0;
}

static int punch(struct os_block *block, uint64_t offset, uint64_t n)
{
	_cleanup_(freep) char *zeros = NULL;
	struct bytes piece;

	step_point("block-punch");
	if (step_fails("punch"))
		return -1;
	if (fallocate(block->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)n) == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return -1;

	zeros = xzalloc((size_t)n);
	piece = (struct bytes){ zeros, (size_t)n };
	return write_pieces(block->fd, offset, &piece, 1);
}

int os_block_punch(struct os_block *block, uint64_t offset, uint64_t n, struct fault *fault)
{
	assert(offset <= block->size && n <= block->size - offset);
	if (n == 0 || punch(block, offset, n) == 0)
		return 0;
	return fault_block(fault, "free a part of", block->path);
}

/* --- reading --------------------------------------------------------------------------------- */

int os_block_open(const char *path, bool writable, struct os_block **ret, struct fault *fault)
{
	int fd = open_block(path, writable ? O_RDWR : O_RDONLY);
	struct stat st;

	if (fd < 0)
		return fault_block(fault, "open", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return fault_local(fault, "%s is not a file that can be read", path);
	}

	*ret = block_new(fd, path, (uint64_t)st.st_size);
	return 0;
}

int64_t os_block_read(struct os_block *block, uint64_t offset, void *to, size_t n, struct fault *fault)
{
	size_t got = 0;

	if (step_fails("read"))
		return fault_block(fault, "read", block->path);
	while (got < n) {
		ssize_t r = pread(block->fd, (char *)to + got, n - got, (off_t)(offset + got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return fault_block(fault, "read", block->path);
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (int64_t)got;
}

const char *os_block_path(const struct os_block *block)
{
	return block->path;
}

uint64_t os_block_size(const struct os_block *block)
{
	return block->size;
}

int os_block_expect_at(const struct os_block *block, const char *path, struct fault *fault)
{
	struct stat ours, there;

	if (fstat(block->fd, &ours) < 0 || lstat(path, &there) < 0)
		return fault_block(fault, "look at", path);
	if (ours.st_dev != there.st_dev || ours.st_ino != there.st_ino)
		return fault_local(fault, "%s is not the file that was written: something else puts files there", path);
	return 0;
}

int os_block_fd(const struct os_block *block)
{
	return block->fd;
}

struct os_block *os_block_close(struct os_block *block)
{
	if (!block)
		return NULL;

	close(block->fd);
	free(block->path);
	free(block);
	return NULL;
}
