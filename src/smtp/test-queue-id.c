/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/check.h"
#include "smtp/client.h"

static void known_forms(struct check *check)
{
	static const struct {
		const char *text, *id;
	} cases[] = {
		{ "2.0.0 Ok: queued as 4XyZ123abc", "4XyZ123abc" },
		{ "2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 3F2A1", "3F2A1" },
		{ "OK id=1rXyZa-000abc-2X", "1rXyZa-000abc-2X" },
		{ "2.6.0 <a@b.example> [InternalId=8132, Hostname=EX1.example] 1234 bytes in 0.1, 10 "
		  "KB/sec Queued mail for delivery", "8132" },
		{ "2.0.0 1d2c3b4a Message accepted for delivery", "1d2c3b4a" },
		{ "2.0.0 3A1B2c3d012345 Message accepted for delivery", "3A1B2c3d012345" },
		{ "2.0.0 <ann@x.org> YKdqB2+Q12DHFQAA Saved", "YKdqB2+Q12DHFQAA" },
		{ "2.0.0 OK  1700000000 d9443c01a7336-1bd-20si12345678pgb.123 - gsmtp",
		  "d9443c01a7336-1bd-20si12345678pgb.123" },
		{ "2.1.5 Ok SESSIONID=<host-123-456>", "host-123-456" },
		{ "Message Queued (6B7A-11D2.1)", "6B7A-11D2.1" },
		{ "ok 1700000000 qp 12345", "12345" },
		{ "2.0.0 Ok: queued as k3f9z-00001a", "k3f9z-00001a" },
		{ "2.0.0 Ok", "" },
		{ "", "" },
		{ "queued as ", "" },
		{ " Saved", "" },
	};
	char longest[200] = "queued as ";

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_BYTES(smtp_queue_id(bytes_of(cases[i].text)), bytes_of(cases[i].id));
	memset(longest + 10, 'x', 180);
	CHECK_EQ(smtp_queue_id(bytes_of(longest)).n, 0);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = { { "known forms", known_forms }, { 0 } };

	return check_main(argc, argv, cases);
}
