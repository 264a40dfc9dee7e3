/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a PROXY header: the answer for a part of it is never another one than "more" or the final one. */
#include <stdlib.h>

#include "smtp/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { (const char *)data, size };
	struct smtp_proxy p;
	int got = smtp_proxy_parse(in, &p);

	insist(got >= -1 && (got < 0 || (size_t)got <= size) && got <= SMTP_PROXY_MAX);
	insist(got != 0 || size < SMTP_PROXY_MAX);
	if (got > 0)
		insist(p.is_local || (p.source.family && p.destination.family));
	for (size_t n = 0; n < size; n++) {
		int part = smtp_proxy_parse(bytes_head(in, n), &p);

		insist(part == 0 || part == got);
		insist(got <= 0 || n >= (size_t)got || part == 0);
	}
	return 0;
}
