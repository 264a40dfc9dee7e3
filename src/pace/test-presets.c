/* SPDX-License-Identifier: Apache-2.0 */
/* The table of platforms: complete, and found by name and host. */
#include "lib/check.h"
#include "pace/pace.h"

static void complete(struct check *check)
{
	static const char *const needed[] = {
		"dovecot", "cyrus", "courier", "m365", "m365-21vianet", "gmail", "alimail", "exmail", "netease", "yahoo",
		"zimbra",
	};
	const struct pace_preset *all;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		CHECK(pace_preset(needed[i]) != NULL);

	all = pace_presets(&n);
	CHECK_EQ(n, ARRAY_SIZE(needed));
	for (size_t i = 0; i < n; i++) {
		const struct pace_preset *p = &all[i];

		CHECK(p->title[0] && p->hosts && p->advice && p->advice[0]);
		CHECK(p->limits.connections >= 1 && p->limits.connections <= 16);
		CHECK(strncmp(p->source, "https://", 8) == 0 || strcmp(p->source, "observed") == 0);
		CHECK(strlen(p->date) == 7 && p->date[4] == '-' && strncmp(p->date, "20", 2) == 0);
		CHECK(p->advice[strlen(p->advice) - 1] != '.');
		CHECK(pace_preset(p->name) == p);
	}
}

static void by_name(struct check *check)
{
	CHECK(pace_preset("Gmail") == pace_preset("gmail"));
	CHECK(pace_preset("") == NULL);
	CHECK(pace_preset("m365 ") == NULL);
	CHECK_EQ(pace_preset("gmail")->largest_message, 35651584);
}

static void by_host(struct check *check)
{
	static const struct {
		const char *host, *name;
	} cases[] = {
		{ "outlook.office365.com", "m365" }, { "OUTLOOK.office365.COM", "m365" },
		{ "partner.outlook.cn", "m365-21vianet" }, { "imap.gmail.com", "gmail" }, { "imap.gmail.com.", "gmail" },
		{ "imap.qiye.aliyun.com", "alimail" }, { "imap.sg.mail.aliyun.com", "alimail" },
		{ "imap.exmail.qq.com", "exmail" }, { "imap.qiye.163.com", "netease" }, { "imap.126.com", "netease" },
		{ "imap.mail.yahoo.com", "yahoo" },
		{ "localhost", NULL }, { "", NULL }, { "gmail.com.example.org", NULL }, { "imap.gmail.com.example", NULL },
		{ "notoutlook.office365.com", NULL }, { "127.0.0.1", NULL }, { ".", NULL },
	};
	char longest[1000];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct pace_preset *p = pace_preset_of_host(cases[i].host);

		if (!!p != !!cases[i].name || (p && strcmp(p->name, cases[i].name) != 0))
			CHECK_FAIL("%s: %s", cases[i].host, p ? p->name : "none");
	}
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	CHECK(pace_preset_of_host(longest) == NULL);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "complete", complete },
		{ "by name", by_name },
		{ "by host", by_host },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
