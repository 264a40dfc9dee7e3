/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include "lib/check.h"

static void reads_and_writes(struct check *check)
{
	static const char *const same[] = { "192.0.2.1", "0.0.0.0", "2001:db8::1", "::1", "::", NULL };
	static const char *const none[] = { "", "1.2.3", "1.2.3.4 ", "256.1.1.1", "[::1]", "::1%lo", "a",
					    "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NULL };
	struct ip ip;

	for (size_t i = 0; same[i]; i++) {
		_cleanup_(buf_done) struct buf text = BUF_NULL;

		CHECK_EQ(ip_parse(bytes_of(same[i]), &ip), 0);
		ip_append(&text, &ip);
		CHECK_STR(buf_str(&text), same[i]);
	}
	for (size_t i = 0; none[i]; i++)
		CHECK_EQ(ip_parse(bytes_of(none[i]), &ip), -1);
	CHECK_EQ(ip_parse(BYTES("::1\0"), &ip), -1);
}

static void mapped_is_ipv4(struct check *check)
{
	struct ip a, b;

	CHECK_EQ(ip_parse(BYTES("::ffff:192.0.2.1"), &a), 0);
	CHECK_EQ(ip_parse(BYTES("192.0.2.1"), &b), 0);
	CHECK(ip_equal(&a, &b));
	CHECK_EQ(ip_parse(BYTES("192.0.2.2"), &b), 0);
	CHECK(!ip_equal(&a, &b));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "reads and writes", reads_and_writes },
		{ "an IPv4 address mapped into IPv6 is IPv4", mapped_is_ipv4 },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
