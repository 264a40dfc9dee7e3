/* SPDX-License-Identifier: Apache-2.0 */
/* The PROXY header, see proxy.h. */
#include "smtp/proxy.h"

#include <string.h>

enum { V1_MAX = 107, V2_FIXED = 16 };

static const struct bytes v1_start = BYTES("PROXY ");
static const struct bytes v2_start = BYTES("\r\n\r\n\0\r\nQUIT\n");

/* --- version 1 ------------------------------------------------------------------------------- */

static int take_address(struct bytes *rest, int family, struct ip *ret)
{
	struct bytes word = bytes_cut(rest, ' ');
	bool colon = bytes_find_char(word, ':') >= 0;

	return colon == (family == 6) ? ip_parse(word, ret) : -1;
}

static int take_port(struct bytes *rest, uint16_t *ret)
{
	struct bytes word = bytes_cut(rest, ' ');
	uint64_t port;

	if (word.n > 5 || (word.n > 1 && word.p[0] == '0') || bytes_to_u64(word, UINT16_MAX, &port) < 0)
		return -1;
	*ret = (uint16_t)port;
	return 0;
}

static int parse_v1_line(struct bytes rest, struct smtp_proxy *p)
{
	struct bytes protocol = bytes_cut(&rest, ' ');
	int family;

	if (bytes_equal(protocol, BYTES("UNKNOWN"))) {
		p->is_local = true;
		return 0;
	}
	if (!bytes_equal(protocol, BYTES("TCP4")) && !bytes_equal(protocol, BYTES("TCP6")))
		return -1;

	family = protocol.p[3] - '0';
	if (take_address(&rest, family, &p->source) < 0 || take_address(&rest, family, &p->destination) < 0 ||
	    take_port(&rest, &p->source_port) < 0)
		return -1;
	if (bytes_find_char(rest, ' ') >= 0) /* nothing may follow the last port */
		return -1;
	return take_port(&rest, &p->destination_port);
}

static int parse_v1(struct bytes in, struct smtp_proxy *p)
{
	struct bytes head = bytes_head(in, V1_MAX), line;
	ptrdiff_t lf = bytes_find_char(head, '\n');

	if (lf < 0)
		return in.n >= V1_MAX ? -1 : 0;
	if (lf < 1 || in.p[lf - 1] != '\r')
		return -1;

	line = bytes_head(in, (size_t)lf - 1);
	return parse_v1_line(bytes_skip(line, v1_start.n), p) < 0 ? -1 : (int)lf + 1;
}

/* --- version 2 ------------------------------------------------------------------------------- */

static unsigned u16_at(struct bytes b, size_t at)
{
	return (unsigned)((unsigned char)b.p[at] << 8 | (unsigned char)b.p[at + 1]);
}

static bool are_tlvs(struct bytes rest)
{
	while (rest.n) {
		if (rest.n < 3 || rest.n - 3 < u16_at(rest, 1))
			return false;
		rest = bytes_skip(rest, 3 + u16_at(rest, 1));
	}
	return true;
}

/* The addresses behind the fixed part, by family; *ret_n is what they take. */
static int parse_v2_addresses(struct bytes body, unsigned family, struct smtp_proxy *p, size_t *ret_n)
{
	int n = family == 1 ? 4 : 16;

	*ret_n = family == 1 ? 12 : family == 2 ? 36 : family == 3 ? 216 : 0;
	if (body.n < *ret_n)
		return -1;
	if (family != 1 && family != 2) { /* unspecified, or Unix sockets: nobody with an address */
		p->is_local = true;
		return 0;
	}

	p->source = ip_of(body.p, n);
	p->destination = ip_of(body.p + n, n);
	p->source_port = (uint16_t)u16_at(body, 2 * (size_t)n);
	p->destination_port = (uint16_t)u16_at(body, 2 * (size_t)n + 2);
	return 0;
}

static int parse_v2(struct bytes in, struct smtp_proxy *p)
{
	unsigned command, family, transport;
	struct bytes body;
	size_t n;

	if (in.n < V2_FIXED)
		return 0;

	command = (unsigned char)in.p[12];
	family = (unsigned char)in.p[13] >> 4;
	transport = (unsigned char)in.p[13] & 0xf;
	n = u16_at(in, 14);
	if ((command != 0x20 && command != 0x21) || family > 3 || transport > 2 || n > SMTP_PROXY_MAX - V2_FIXED)
		return -1;
	if (in.n < V2_FIXED + n)
		return 0;

	body = bytes_head(bytes_skip(in, V2_FIXED), n);
	if (command == 0x20) { /* LOCAL: whatever follows is to be skipped */
		p->is_local = true;
		return (int)(V2_FIXED + body.n);
	}
	if (family && transport != 1) /* SMTP comes over streams */
		return -1;
	if (parse_v2_addresses(body, family, p, &n) < 0 || (family && !are_tlvs(bytes_skip(body, n))))
		return -1;
	return (int)(V2_FIXED + body.n);
}

static bool may_be(struct bytes in, struct bytes start)
{
	return bytes_starts(start, bytes_head(in, start.n));
}

int smtp_proxy_parse(struct bytes in, struct smtp_proxy *ret)
{
	*ret = (struct smtp_proxy){ 0 };
	if (in.n == 0)
		return 0;
	if (may_be(in, v1_start))
		return in.n < v1_start.n ? 0 : parse_v1(in, ret);
	if (may_be(in, v2_start))
		return in.n < v2_start.n ? 0 : parse_v2(in, ret);
	return -1;
}
