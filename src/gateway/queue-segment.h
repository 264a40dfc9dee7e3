/* SPDX-License-Identifier: Apache-2.0 */
/* Single records out of the journal's segments, by their places. Blocks. What is read is proved by its digest. */
#ifndef GATEWAY_QUEUE_SEGMENT_H
#define GATEWAY_QUEUE_SEGMENT_H

#include "base/buf.h"
#include "gateway/book.h"
#include "journal/format.h"

/* The record at that place: its head, and its payload appended. path: the journal's folder. FAULT_DATA: another one stands there,
 * or it was dropped. */
int queue_read_record(const char *path, const struct book_place *place, struct journal_head *ret_head, struct buf *payload,
		      struct fault *fault);

/* Content from `offset` on that these BODY records hold together. Their lengths are filled in. */
int queue_read_bodies(const char *path, struct book_place *bodies, size_t n_bodies, uint64_t offset, char *to, size_t n,
		      size_t *ret_n, struct fault *fault);

#endif
