/* SPDX-License-Identifier: Apache-2.0 */
#include "base/endpoint.h"

#include <string.h>

#include "lib/check.h"

static const struct endpoint_scheme smtp[] = { { "smtp", 25 }, { "lmtp", 0 } };
static const struct endpoint_scheme plain[] = { { "", 0 } };

static void good(struct check *check)
{
	static const struct {
		const char *text, *shown;
		unsigned scheme;
	} cases[] = {
		{ "smtp://mx.example.org", "mx.example.org:25", 0 },
		{ "SMTP://mx.example.org:2525", "mx.example.org:2525", 0 },
		{ "lmtp://127.0.0.1:24", "127.0.0.1:24", 1 },
		{ "smtp://[2001:db8::1]", "[2001:db8::1]:25", 0 },
		{ "smtp://[::1]:65535", "[::1]:65535", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fault fault = FAULT_INIT;
		struct endpoint e;
		char shown[264];

		if (endpoint_parse(bytes_of(cases[i].text), smtp, 2, &e, &fault) < 0)
			CHECK_FAIL("%s: %s", cases[i].text, fault.text);
		endpoint_format(&e, shown);
		CHECK_STR(shown, cases[i].shown);
		CHECK_EQ(e.scheme, cases[i].scheme);
	}
}

static void bad(struct check *check)
{
	static const char *const texts[] = {
		"", "mx.example.org", "smtp://", "smtp://:25", "smtp://mx:0", "smtp://mx:65536", "smtp://mx:",
		"smtp://mx:2x", "smtp://::1", "smtp://[::1", "smtp://[::1]25", "smtp://[mx]", "smtp://a b",
		"smtp://a/b", "smtp://user@mx", "lmtp://mx", "imap://mx", "smtp://-mx", "smtp://mx:000025",
	};
	struct fault fault = FAULT_INIT;
	struct endpoint e;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (endpoint_parse(bytes_of(texts[i]), smtp, 2, &e, &fault) == 0)
			CHECK_FAIL("\"%s\" was taken", texts[i]);
	CHECK(strstr(fault.text, "smtp://HOST[:PORT]") && strstr(fault.text, "lmtp://HOST:PORT"));
	CHECK_EQ(endpoint_parse(bytes_of("127.0.0.1"), plain, 1, &e, &fault), -1);
	CHECK_EQ(endpoint_parse(bytes_of("[::]:25"), plain, 1, &e, &fault), 0);
	CHECK_STR(e.host, "::");
	CHECK_EQ(endpoint_parse((struct bytes){ "smtp://a\0b", 10 }, smtp, 2, &e, &fault), -1);
}

static void networks(struct check *check)
{
	static const struct {
		const char *network, *address;
		bool holds;
	} cases[] = {
		{ "127.0.0.0/8", "127.1.2.3", true },	{ "127.0.0.0/8", "128.0.0.1", false },
		{ "192.0.2.128/25", "192.0.2.129", true }, { "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.1", "192.0.2.1", true },	{ "192.0.2.1", "192.0.2.2", false },
		{ "0.0.0.0/0", "203.0.113.9", true },	{ "0.0.0.0/0", "::1", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true }, { "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::/0", "192.0.2.1", false },		{ "::1", "::1", true },
		{ "192.0.2.0/24", "::ffff:192.0.2.7", true },
	};
	static const char *const wrong[] = { "", "x", "127.0.0.1/33", "127.0.0.1/", "::1/129", "::1/1x", "1.2.3/8" };
	struct fault fault = FAULT_INIT;
	struct network n;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip address;

		CHECK_EQ(network_parse(bytes_of(cases[i].network), &n, &fault), 0);
		CHECK_EQ(ip_parse(bytes_of(cases[i].address), &address), 0);
		if (network_holds(&n, &address) != cases[i].holds)
			CHECK_FAIL("%s in %s", cases[i].address, cases[i].network);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (network_parse(bytes_of(wrong[i]), &n, &fault) == 0)
			CHECK_FAIL("\"%s\" was taken", wrong[i]);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "good", good }, { "bad", bad }, { "networks", networks }, { 0 },
	};

	return check_main(argc, argv, cases);
}
