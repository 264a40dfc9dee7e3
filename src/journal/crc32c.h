/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli, RFC 3720 appendix B.4): by the processor's own instruction where it has one. No I/O. */
#ifndef JOURNAL_CRC32C_H
#define JOURNAL_CRC32C_H

#include <stdint.h>

#include "base/bytes.h"

/* Of `before` (0 at the start) and then b: crc32c(crc32c(0, x), y) is that of x and y together. */
uint32_t crc32c(uint32_t before, struct bytes b);

/* The same by tables: what a processor without the instruction does. */
uint32_t crc32c_plain(uint32_t before, struct bytes b);

#endif
