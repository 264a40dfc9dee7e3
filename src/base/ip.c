/* SPDX-License-Identifier: Apache-2.0 */
/* IP addresses, see ip.h. */
#include "base/ip.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

struct ip ip_of(const void *bytes, int n)
{
	struct ip ip = { .family = n == 4 ? 4 : 6 };
	const char *p = bytes;

	assert(n == 4 || n == 16);
	if (n == 16 && memcmp(p, mapped, sizeof(mapped)) == 0) {
		ip.family = 4;
		p += sizeof(mapped);
		n = 4;
	}
	memcpy(ip.bytes, p, (size_t)n);
	return ip;
}

int ip_parse(struct bytes text, struct ip *ret)
{
	char name[INET6_ADDRSTRLEN] = "";
	uint8_t bytes[16];

	if (text.n == 0 || text.n >= sizeof(name) || bytes_find_char(text, '\0') >= 0)
		return -1;

	memcpy(name, text.p, text.n);
	if (inet_pton(AF_INET, name, bytes) == 1)
		*ret = ip_of(bytes, 4);
	else if (inet_pton(AF_INET6, name, bytes) == 1)
		*ret = ip_of(bytes, 16);
	else
		return -1;
	return 0;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void ip_append(struct buf *to, const struct ip *ip)
{
	char name[INET6_ADDRSTRLEN];

	if (ip->family && inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, ip->bytes, name, sizeof(name)))
		buf_append_str(to, name);
}
