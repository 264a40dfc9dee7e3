/* SPDX-License-Identifier: Apache-2.0 */
/* Files: small ones read whole, and writing that survives a crash. Everything here blocks: inside run_main()
 * call it through pool_call(). Faults name the file. */
#ifndef OS_FILE_H
#define OS_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fault.h"

/* Appends the whole file (or pipe) to *to; on failure *to is as before. FAULT_USAGE when it cannot be opened or is
 * larger than max_bytes, FAULT_LOCAL when the disk fails. */
int os_read_file(const char *path, size_t max_bytes, struct buf *to, struct fault *fault);

/* The first line of a file that holds a password or token, without CR and LF. The caller frees it, and
 * wipes it before. FAULT_USAGE when the file is missing, unreadable, larger than 64 KiB, or its first line is
 * empty or holds a NUL. */
int os_read_secret(const char *path, char **ret, struct fault *fault);

/* Replaces the file by one with this content, mode 0600: after a crash there is the old one or the new
 * one, never a mixture. Durable when it returns 0; on failure the old one stays, or (if only the last sync
 * of the folder failed) the new one is in place but may not survive a crash. Uses path.new for a moment: one
 * writer at a time. */
int os_replace_file(const char *path, struct bytes content, struct fault *fault);

/* Makes the folder that the file `path` is to lie in, and those above it, mode 0700, each durable. */
int os_make_folder_of(const char *path, struct fault *fault);

/* Renames within one folder and makes the name durable. */
int os_move_durably(const char *from, const char *to, struct fault *fault);

/* Makes the names in a folder durable. */
int os_sync_folder(const char *path, struct fault *fault);

/* Removes a file, durably. That it is not there is fine. */
int os_remove_durably(const char *path, struct fault *fault);

/* What the file system that holds path has left for us. */
int os_free_space(const char *path, uint64_t *ret_bytes, struct fault *fault);

/* What of a file takes room on the disk: less than its size if it has holes. */
int os_space_of(const char *path, uint64_t *ret_bytes, struct fault *fault);

/* A file that only grows. */
struct os_file;

/* Makes a new file, mode 0600; it must not exist yet. */
int os_file_create(const char *path, struct os_file **ret, struct fault *fault);

/* Opens a file for appending, or makes it. */
int os_file_append(const char *path, struct os_file **ret, struct fault *fault);

uint64_t os_file_size(const struct os_file *file);

/* Appends all bytes. After a failure the end of the file is uncertain: every later write and sync fails
 * with the same words, because the kernel may have dropped what it could not write and then says
 * that all is well. Read the file again instead. */
int os_file_write(struct os_file *file, struct bytes bytes, struct fault *fault);

/* Makes everything written so far durable; the first time the file's name in its folder too. */
int os_sync(struct os_file *file, struct fault *fault);

struct os_file *os_file_close(struct os_file *file); /* syncs nothing; accepts NULL, returns NULL */
DEFINE_FREEP(struct os_file, os_file_close);

#endif
