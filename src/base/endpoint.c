/* SPDX-License-Identifier: Apache-2.0 */
/* See endpoint.h. */
#include "base/endpoint.h"

#include <arpa/inet.h>
#include <string.h>

static int wrong(const struct endpoint_scheme *schemes, unsigned n, struct fault *fault)
{
	char forms[200] = "";
	size_t at = 0;

	for (unsigned i = 0; i < n && at < sizeof(forms) - 1; i++)
		at += (size_t)snprintf(forms + at, sizeof(forms) - at, "%s%s%sHOST%s", i ? ", " : "",
				       schemes[i].name, schemes[i].name[0] ? "://" : "",
				       schemes[i].port ? "[:PORT]" : ":PORT");
	return fault_usage(fault, "write %s; an IPv6 address stands in brackets", forms);
}

/* Which scheme the text is written with, which is taken off; n: none of them. */
static unsigned take_scheme(struct bytes *text, const struct endpoint_scheme *schemes, unsigned n)
{
	unsigned none = n;

	for (unsigned i = 0; i < n; i++) {
		struct bytes name = bytes_of(schemes[i].name);

		if (!name.n) {
			none = i;
		} else if (bytes_starts_nocase(*text, name) &&
			   bytes_starts(bytes_skip(*text, name.n), BYTES("://"))) {
			*text = bytes_skip(*text, name.n + 3);
			return i;
		}
	}
	return none;
}

static bool is_name(struct bytes host)
{
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && !strchr("-._", c))
			return false;
	}
	return host.n > 0 && host.p[0] != '.' && host.p[0] != '-';
}

static int take_host(struct bytes *text, char to[256])
{
	bool literal = text->n && text->p[0] == '[';
	const char *end = text->n ? memchr(text->p, literal ? ']' : ':', text->n) : NULL;
	struct bytes host;
	struct in6_addr v6;

	if (literal && !end)
		return -1;
	host = bytes_head(*text, end ? (size_t)(end - text->p) : text->n);
	*text = bytes_skip(*text, host.n + (literal ? 1 : 0));
	host = bytes_skip(host, literal ? 1 : 0);
	if (host.n == 0 || host.n > 255 || memchr(host.p, '\0', host.n))
		return -1;

	memcpy(to, host.p, host.n);
	to[host.n] = '\0';
	return literal ? (inet_pton(AF_INET6, to, &v6) == 1 ? 0 : -1) : (is_name(host) ? 0 : -1);
}

static int take_port(struct bytes text, uint16_t usual, uint16_t *ret)
{
	unsigned port = 0;

	*ret = usual;
	if (!text.n)
		return usual ? 0 : -1;
	if (text.p[0] != ':' || text.n < 2 || text.n > 6)
		return -1;
	for (size_t i = 1; i < text.n; i++) {
		if (!ascii_is_digit(text.p[i]))
			return -1;
		port = port * 10 + (unsigned)(text.p[i] - '0');
	}
	*ret = (uint16_t)port;
	return port >= 1 && port <= 65535 ? 0 : -1;
}

int endpoint_parse(struct bytes text, const struct endpoint_scheme *schemes, unsigned n,
		   struct endpoint *ret, struct fault *fault)
{
	struct endpoint found;

	found.scheme = take_scheme(&text, schemes, n);
	if (found.scheme == n || take_host(&text, found.host) < 0 ||
	    take_port(text, schemes[found.scheme].port, &found.port) < 0)
		return wrong(schemes, n, fault);

	*ret = found;
	return 0;
}

void endpoint_format(const struct endpoint *e, char to[264])
{
	snprintf(to, 264, strchr(e->host, ':') ? "[%s]:%u" : "%s:%u", e->host, (unsigned)e->port);
}

/* --- networks -------------------------------------------------------------------------------- */

int network_parse(struct bytes text, struct network *ret, struct fault *fault)
{
	bool all = bytes_find_char(text, '/') < 0;
	struct bytes address = bytes_cut(&text, '/');
	uint64_t bits;
	unsigned most;

	if (ip_parse(address, &ret->address) < 0)
		return fault_usage(fault, "write an address, or a network as 192.0.2.0/24 or 2001:db8::/32");
	most = ret->address.family == 4 ? 32 : 128;
	if (!all && bytes_to_u64(text, most, &bits) < 0)
		return fault_usage(fault, "behind the \"/\" stands how many bits are the network's, at most %u", most);
	ret->bits = all ? most : (unsigned)bits;
	return 0;
}

bool network_holds(const struct network *n, const struct ip *address)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;
	unsigned char mask = (unsigned char)(0xff00 >> rest);

	return n->address.family == address->family && memcmp(n->address.bytes, address->bytes, whole) == 0 &&
	       (!rest || ((n->address.bytes[whole] ^ address->bytes[whole]) & mask) == 0);
}
