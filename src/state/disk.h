/* SPDX-License-Identifier: Apache-2.0 */
/* The disk as SQLite sees it: its own file system layer, with three things added.
 *
 *	- Each write and sync passes step points (os/step.h): "ledger-write", "ledger-write-half",
 *	  "ledger-sync", "ledger-synced", "ledger-truncate", "ledger-delete"; "open", "write" and
 *	  "sync" of MAILFERRY_STEP_FAIL hold here, too.
 *	- After one write or sync failed nothing is written any more: what an fsync lost stays
 *	  lost, and trying again would only look well.
 *	- One made for reading never writes, makes or removes a file, not even a WAL that a crash
 *	  left: that is read into memory. It takes no locks either; FILE.lock keeps our own kind out.
 *
 * There is no shared memory: only a connection in exclusive mode can use a WAL through this. */
#ifndef STATE_DISK_H
#define STATE_DISK_H

#include <stdbool.h>

#include "base/cleanup.h"

struct disk;

/* Known to SQLite under disk_name() until it is freed; outlives the connections that use it. */
struct disk *disk_new(bool read_only);
struct disk *disk_free(struct disk *disk); /* accepts NULL, returns NULL */
DEFINE_FREEP(struct disk, disk_free);

const char *disk_name(const struct disk *disk);

/* The errno of the first write or sync that failed; 0: none did. */
int disk_error(const struct disk *disk);

/* Whether the file exists and is not empty. */
bool disk_has(const char *path);

#endif
