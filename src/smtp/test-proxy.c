/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY headers: good ones in every prefix, bad ones, bounds. */
#include "smtp/proxy.h"

#include "base/buf.h"
#include "lib/check.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define V4_BODY "\300\000\002\001" "\300\000\002\002" "\x10\x01" "\x00\x19"
#define V6_BODY "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2" "\x10\x01" "\x00\x19"
#define UNIX_BODY "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

struct proxy_case {
	struct bytes in;
	const char *source; /* NULL: local */
	unsigned port;
};

static const struct proxy_case good[] = {
	{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4097 25\r\n"), "192.0.2.1", 4097 },
	{ BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 4097 25\r\n"), "2001:db8::1", 4097 },
	{ BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::1 0 65535\r\n"), "192.0.2.1", 0 },
	{ BYTES("PROXY UNKNOWN\r\n"), NULL, 0 },
	{ BYTES("PROXY UNKNOWN ffff::1 whatever\r\n"), NULL, 0 },
	{ BYTES(V2 "\x21\x11\x00\x0c" V4_BODY), "192.0.2.1", 4097 },
	{ BYTES(V2 "\x21\x21\x00\x24" V6_BODY), "2001:db8::1", 4097 },
	{ BYTES(V2 "\x21\x11\x00\x11" V4_BODY "\x04\x00\x02xx"), "192.0.2.1", 4097 },
	{ BYTES(V2 "\x20\x00\x00\x00"), NULL, 0 },
	{ BYTES(V2 "\x20\x11\x00\x03xxx"), NULL, 0 },
	{ BYTES(V2 "\x21\x00\x00\x02xx"), NULL, 0 },
	{ BYTES(V2 "\x21\x31\x00\xd8" UNIX_BODY UNIX_BODY UNIX_BODY UNIX_BODY UNIX_BODY UNIX_BODY UNIX_BODY UNIX_BODY), NULL, 0 },
};

static const struct bytes bad[] = {
	BYTES("EHLO x\r\n"),
	BYTES("PROXY\r\n"),
	BYTES("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n"),
	BYTES("PROXY TCP4 ::1 ::1 1 2\r\n"),
	BYTES("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"),
	BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"),
	BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"),
	BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"),
	BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"),
	BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n"),
	BYTES("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"),
	BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"),
	BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n"),
	BYTES("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),
	BYTES("PROXY UNKNOWN xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"),
	BYTES(V2 "\x11\x11\x00\x0c" V4_BODY),         /* another version */
	BYTES(V2 "\x22\x11\x00\x0c" V4_BODY),         /* another command */
	BYTES(V2 "\x21\x12\x00\x0c" V4_BODY),         /* UDP */
	BYTES(V2 "\x21\x41\x00\x0c" V4_BODY),         /* another family */
	BYTES(V2 "\x21\x11\x00\x0b" V4_BODY),         /* too short for its family */
	BYTES(V2 "\x21\x21\x00\x0c" V4_BODY),
	BYTES(V2 "\x21\x11\x00\x10" V4_BODY "\x04\x00\x02x"), /* a TLV longer than what is left */
	BYTES(V2 "\x21\x11\x00\x0e" V4_BODY "\x04\x00"),
	BYTES(V2 "\x21\x11\xff\xff" V4_BODY),         /* more than we take */
};

static void reads_good_ones(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_cleanup_(buf_done) struct buf text = BUF_NULL, more = BUF_NULL;
		const struct proxy_case *c = &good[i];
		struct smtp_proxy p;

		for (size_t n = 0; n < c->in.n; n++)
			CHECK_EQ(smtp_proxy_parse(bytes_head(c->in, n), &p), 0);
		buf_append_bytes(&more, c->in);
		buf_append_str(&more, "EHLO x\r\n");
		CHECK_EQ(smtp_proxy_parse(buf_bytes(&more), &p), c->in.n);
		CHECK_EQ(p.is_local, !c->source);
		ip_append(&text, &p.source);
		CHECK_STR(buf_str(&text), c->source ? c->source : "");
		CHECK_EQ(p.source_port, c->port);
	}
}

static void refuses_bad_ones(struct check *check)
{
	struct smtp_proxy p;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (smtp_proxy_parse(bad[i], &p) != -1)
			CHECK_FAIL("case %zu is taken for a header", i);
		for (size_t n = 0; n < bad[i].n; n++)
			CHECK(smtp_proxy_parse(bytes_head(bad[i], n), &p) <= 0);
	}
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "good headers, in every prefix", reads_good_ones },
		{ "bad headers", refuses_bad_ones },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
