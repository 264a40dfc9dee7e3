/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a server says: no crash, every slice where it must be (test-dump.c insists), and
 * the same events when the same bytes come in pieces. The first byte seeds the sizes of the
 * pieces. */
#include <stdio.h>
#include <stdlib.h>

#include "imap/response.h"
#include "imap/test-dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t next_size(void *context)
{
	uint32_t *seed = context;

	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 24) % 16 == 0 ? *seed >> 26 : (*seed >> 28) + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct imap_parser_limits limits = { 4096, 65536 };
	_cleanup_(buf_done) struct buf whole = BUF_NULL, cut = BUF_NULL;
	struct bytes input = { (const char *)data, size };
	uint32_t seed;

	if (size == 0)
		return 0;

	seed = data[0];
	input = bytes_skip(input, 1);
	imap_dump(&whole, limits, input, NULL, NULL);
	imap_dump(&cut, limits, input, next_size, &seed);
	if (!bytes_equal(buf_bytes(&whole), buf_bytes(&cut))) {
		fprintf(stderr, "whole:\n%scut:\n%s", buf_str(&whole), buf_str(&cut));
		abort();
	}
	return 0;
}
