/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C, see crc32c.h. */
#include "journal/crc32c.h"

#include <stddef.h>
#include <string.h>

/* The polynomial 0x1EDC6F41, bits reversed, for half a byte at a time. */
static const uint32_t table[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
	0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c_plain(uint32_t before, struct bytes b)
{
	uint32_t crc = ~before;

	for (size_t i = 0; i < b.n; i++) {
		crc ^= (unsigned char)b.p[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse(uint32_t before, struct bytes b)
{
	uint64_t crc = (uint32_t)~before;

	for (; b.n >= 8; b = bytes_skip(b, 8)) {
		uint64_t word;

		memcpy(&word, b.p, 8);
		crc = __builtin_ia32_crc32di(crc, word);
	}
	for (size_t i = 0; i < b.n; i++)
		crc = __builtin_ia32_crc32qi((uint32_t)crc, (unsigned char)b.p[i]);
	return ~(uint32_t)crc;
}

uint32_t crc32c(uint32_t before, struct bytes b)
{
	return __builtin_cpu_supports("sse4.2") ? crc32c_sse(before, b) : crc32c_plain(before, b);
}

#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)

#include <arm_acle.h>

uint32_t crc32c(uint32_t before, struct bytes b)
{
	uint32_t crc = ~before;

	for (; b.n >= 8; b = bytes_skip(b, 8)) {
		uint64_t word;

		memcpy(&word, b.p, 8);
		crc = __crc32cd(crc, word);
	}
	for (size_t i = 0; i < b.n; i++)
		crc = __crc32cb(crc, (unsigned char)b.p[i]);
	return ~crc;
}

#else

uint32_t crc32c(uint32_t before, struct bytes b)
{
	return crc32c_plain(before, b);
}

#endif
