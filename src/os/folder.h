/* SPDX-License-Identifier: Apache-2.0 */
/* Folders full of small files that many processes share and nobody needs after a crash: what each
 * is doing now, and who took which piece of work. Nothing here is synced; after a crash of the
 * machine any of it may be gone or empty. Faults name the file. Everything blocks: inside
 * run_main() call it through pool_call(). */
#ifndef OS_FOLDER_H
#define OS_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/fault.h"

/* Replaces the file by one with this content, mode 0600: readers see the old one or the new one.
 * For a second's news: os_replace_file() without its syncs. Uses path.new for a moment: one writer
 * at a time. */
int os_replace_quickly(const char *path, struct bytes content, struct fault *fault);

/* Takes `path` for oneself, together with a text of at most 1,000 bytes (not empty, no NUL), in one
 * step: of several who try at the same moment one gets it. 0 taken, 1 somebody had it already, -1
 * fault. A symbolic link that leads nowhere holds the text: the one thing that a file system makes
 * at once with its content. */
int os_claim(const char *path, const char *text, struct fault *fault);

/* What was said with the claim, cut to size, with a NUL. 0, or 1 when nobody has claimed it. */
int os_read_claim(const char *path, char *to, size_t size, struct fault *fault);

/* Enough to see that a file is another one than before. */
struct os_stamp {
	uint64_t inode, size;
	int64_t changed_ns;
};

/* 0, or 1 when there is no such file. */
int os_stamp(const char *path, struct os_stamp *ret, struct fault *fault);

/* The names in a folder without those that begin with a dot, NULL-terminated and in no order, in
 * the arena; none when there is no such folder. */
int os_list_folder(const char *path, struct arena *arena, const char ***ret, size_t *ret_n,
		   struct fault *fault);

/* Removes a folder with the files, links and empty folders in it. What is not there is fine. */
int os_remove_folder(const char *path, struct fault *fault);

#endif
