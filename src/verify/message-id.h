/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two Message-IDs are the same: ASCII case and brackets do not count. No I/O. */
#ifndef VERIFY_MESSAGE_ID_H
#define VERIFY_MESSAGE_ID_H

#include <stdbool.h>
#include <stdint.h>

uint64_t verify_id_hash(const char *id);            /* 0 for "" and NULL */
bool verify_id_same(const char *a, const char *b);  /* "" is the same as nothing */

#endif
