/* SPDX-License-Identifier: Apache-2.0 */
/* See message-id.h. */
#include "verify/message-id.h"

#include "base/bytes.h"
#include "base/map.h"

enum { LONGEST = 256 }; /* what ledger and header scan keep of one */

static struct bytes bare(const char *id)
{
	struct bytes b = bytes_trim(bytes_of(id));

	if (b.n && b.p[0] == '<')
		b = bytes_skip(b, 1);
	b = bytes_head(b, LONGEST);
	if (b.n && b.p[b.n - 1] == '>')
		b.n--;
	return b;
}

uint64_t verify_id_hash(const char *id)
{
	struct bytes b = bare(id);
	char lower[LONGEST];
	uint64_t hash;

	if (!b.n)
		return 0;

	for (size_t i = 0; i < b.n; i++)
		lower[i] = ascii_lower(b.p[i]);
	hash = siphash13(0, 0, (struct bytes){ lower, b.n });
	return hash ? hash : 1;
}

bool verify_id_same(const char *a, const char *b)
{
	struct bytes x = bare(a), y = bare(b);

	return x.n && bytes_equal_nocase(x, y);
}
