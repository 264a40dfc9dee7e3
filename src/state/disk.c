/* SPDX-License-Identifier: Apache-2.0 */
/* The disk as SQLite sees it, see disk.h. A VFS on top of SQLite's own; registered for one
 * ledger each, so that what it knows (a failure) belongs to that ledger and nothing is global. */
#include "state/disk.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>

#include "base/xalloc.h"
#include "os/step.h"

struct disk {
	sqlite3_vfs vfs; /* first: SQLite hands this back */
	sqlite3_vfs *below;
	bool read_only;
	int failed; /* SQLite's code of the first write or sync that failed */
	int error;  /* its errno */
	char name[40];
};

struct disk_file {
	sqlite3_file base; /* first: SQLite hands this back */
	struct disk *disk;
	sqlite3_file *below; /* NULL: does not exist, reads as empty */
};

static struct disk_file *file_of(sqlite3_file *file)
{
	return (struct disk_file *)file;
}

static int fail(struct disk *disk, int code)
{
	if (disk->failed == SQLITE_OK) {
		disk->failed = code;
		disk->error = errno;
	}
	return disk->failed;
}

/* --- files ----------------------------------------------------------------------------------- */

static int file_close(sqlite3_file *file)
{
	struct disk_file *f = file_of(file);

	return f->below ? f->below->pMethods->xClose(f->below) : SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *to, int n, sqlite3_int64 offset)
{
	struct disk_file *f = file_of(file);

	if (f->below)
		return f->below->pMethods->xRead(f->below, to, n, offset);
	memset(to, 0, (size_t)n);
	return SQLITE_IOERR_SHORT_READ;
}

static int write_below(struct disk_file *f, const void *p, int n, sqlite3_int64 offset)
{
	int r = f->below->pMethods->xWrite(f->below, p, n, offset);

	return r == SQLITE_OK ? r : fail(f->disk, r);
}

static int file_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 offset)
{
	struct disk_file *f = file_of(file);
	int half = n / 2;
	int r;

	if (f->disk->read_only)
		return SQLITE_READONLY;
	if (f->disk->failed)
		return f->disk->failed;
	if (step_fails("write"))
		return fail(f->disk, errno == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE);
	if (!step_is_on())
		return write_below(f, p, n, offset);

	/* A crash may leave any part of it. */
	step_point("ledger-write");
	r = write_below(f, p, half, offset);
	if (r != SQLITE_OK)
		return r;
	step_point("ledger-write-half");
	return write_below(f, (const char *)p + half, n - half, offset + half);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct disk_file *f = file_of(file);
	int r;

	if (f->disk->read_only)
		return SQLITE_READONLY;
	if (f->disk->failed)
		return f->disk->failed;

	step_point("ledger-truncate");
	r = f->below->pMethods->xTruncate(f->below, size);
	return r == SQLITE_OK ? r : fail(f->disk, r);
}

static int file_sync(sqlite3_file *file, int flags)
{
	struct disk_file *f = file_of(file);
	int r;

	if (f->disk->read_only)
		return SQLITE_READONLY;
	if (f->disk->failed)
		return f->disk->failed;

	step_point("ledger-sync");
	if (step_fails("sync"))
		return fail(f->disk, SQLITE_IOERR_FSYNC);
	r = f->below->pMethods->xSync(f->below, flags);
	if (r != SQLITE_OK)
		return fail(f->disk, r);
	step_point("ledger-synced");
	return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret)
{
	struct disk_file *f = file_of(file);

	if (f->below)
		return f->below->pMethods->xFileSize(f->below, ret);
	*ret = 0;
	return SQLITE_OK;
}

static int file_lock(sqlite3_file *file, int level)
{
	struct disk_file *f = file_of(file);

	return f->disk->read_only ? SQLITE_OK : f->below->pMethods->xLock(f->below, level);
}

static int file_unlock(sqlite3_file *file, int level)
{
	struct disk_file *f = file_of(file);

	return f->disk->read_only ? SQLITE_OK : f->below->pMethods->xUnlock(f->below, level);
}

static int file_check_reserved_lock(sqlite3_file *file, int *ret)
{
	struct disk_file *f = file_of(file);

	*ret = 0;
	return f->disk->read_only ? SQLITE_OK
				  : f->below->pMethods->xCheckReservedLock(f->below, ret);
}

static int file_control(sqlite3_file *file, int what, void *arg)
{
	struct disk_file *f = file_of(file);

	return f->disk->read_only ? SQLITE_NOTFOUND
				  : f->below->pMethods->xFileControl(f->below, what, arg);
}

static int file_sector_size(sqlite3_file *file)
{
	struct disk_file *f = file_of(file);

	return f->below ? f->below->pMethods->xSectorSize(f->below) : 4096;
}

static int file_characteristics(sqlite3_file *file)
{
	struct disk_file *f = file_of(file);

	return f->below ? f->below->pMethods->xDeviceCharacteristics(f->below) : 0;
}

static const sqlite3_io_methods methods = {
	.iVersion = 1, /* no shared memory, no mapping */
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_reserved_lock,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
};

/* --- the file system -------------------------------------------------------------------------- */

static bool exists(sqlite3_vfs *below, const char *path)
{
	int found = 0;

	return below->xAccess(below, path, SQLITE_ACCESS_EXISTS, &found) == SQLITE_OK && found;
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
		     int *ret_flags)
{
	struct disk *disk = (struct disk *)vfs;
	struct disk_file *f = file_of(file);
	int r;

	f->base.pMethods = NULL;
	f->disk = disk;
	f->below = (sqlite3_file *)(f + 1);
	if (step_fails("open"))
		return SQLITE_CANTOPEN;

	if (disk->read_only) {
		flags &= ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
		flags |= SQLITE_OPEN_READONLY;
	}
	if (disk->read_only && flags & SQLITE_OPEN_WAL && !exists(disk->below, name)) {
		f->below = NULL;
		f->base.pMethods = &methods;
		if (ret_flags)
			*ret_flags = flags;
		return SQLITE_OK;
	}

	r = disk->below->xOpen(disk->below, name, f->below, flags, ret_flags);
	if (r == SQLITE_OK)
		f->base.pMethods = &methods;
	return r;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
	struct disk *disk = (struct disk *)vfs;

	if (disk->read_only)
		return SQLITE_READONLY;
	if (disk->failed)
		return disk->failed;

	step_point("ledger-delete");
	return disk->below->xDelete(disk->below, name, sync_folder);
}

struct disk *disk_new(bool read_only)
{
	sqlite3_vfs *below = sqlite3_vfs_find(NULL);
	struct disk *disk = xzalloc(sizeof(*disk));

	assert(below);
	/* What it does not change is the other's, called with a struct that has the other's
	 * pAppData. */
	disk->vfs = *below;
	disk->vfs.pNext = NULL;
	disk->vfs.szOsFile = (int)sizeof(struct disk_file) + below->szOsFile;
	disk->vfs.zName = disk->name;
	disk->vfs.xOpen = disk_open;
	disk->vfs.xDelete = disk_delete;
	disk->below = below;
	disk->read_only = read_only;
	snprintf(disk->name, sizeof(disk->name), "mailferry-%p", (void *)disk);
	if (sqlite3_vfs_register(&disk->vfs, 0) != SQLITE_OK)
		abort(); /* out of memory is all that can be */
	return disk;
}

struct disk *disk_free(struct disk *disk)
{
	if (!disk)
		return NULL;

	sqlite3_vfs_unregister(&disk->vfs);
	free(disk);
	return NULL;
}

const char *disk_name(const struct disk *disk)
{
	return disk->name;
}

int disk_error(const struct disk *disk)
{
	return disk->error;
}

bool disk_has(const char *path)
{
	return exists(sqlite3_vfs_find(NULL), path);
}
