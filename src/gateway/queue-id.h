/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a message's number, as replies, trace fields and people have it: the journal's id, "-", and the number in
 * Crockford's base 32, lower case, at least 6 digits: "k3f9z-00001a". No I/O. */
#ifndef GATEWAY_QUEUE_ID_H
#define GATEWAY_QUEUE_ID_H

#include <stdint.h>

#include "base/bytes.h"
#include "journal/format.h"

enum { QUEUE_ID_SIZE = JOURNAL_ID_LEN + 1 + 13 + 1 }; /* with its NUL */

void queue_id_write(char to[QUEUE_ID_SIZE], const char *journal_id, uint64_t number);

/* 0 and the number; -1: no queue id of this journal. Letters in either case; o reads as 0, i and l as 1. */
int queue_id_read(struct bytes text, const char *journal_id, uint64_t *ret_number);

#endif
