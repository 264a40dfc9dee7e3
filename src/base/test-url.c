/* SPDX-License-Identifier: Apache-2.0 */
#include "base/url.h"

#include "lib/check.h"

static void reads_networks(struct check *check)
{
	static const struct {
		const char *text;
		enum url_kind kind;
		const char *user, *host;
		uint16_t port;
		const char *folder, *canonical;
	} known[] = {
		{ "imaps://ann@mail.example.org", URL_IMAPS, "ann", "mail.example.org", 993, NULL,
		  "imaps://ann@mail.example.org" },
		{ "IMAP://ann@mail.example.org/", URL_IMAP, "ann", "mail.example.org", 143, NULL,
		  "imap://ann@mail.example.org" },
		{ "imaps://ann@example.org@mail.example.org:1993", URL_IMAPS, "ann@example.org",
		  "mail.example.org", 1993, NULL,
		  "imaps://ann%40example.org@mail.example.org:1993" },
		{ "imaps://ann%40example.org@h:993", URL_IMAPS, "ann@example.org", "h", 993, NULL,
		  "imaps://ann%40example.org@h" },
		{ "imaps://d%3aa%2Fb%25@h", URL_IMAPS, "d:a/b%", "h", 993, NULL,
		  "imaps://d%3Aa%2Fb%25@h" },
		{ "imaps://user*master@h", URL_IMAPS, "user*master", "h", 993, NULL,
		  "imaps://user*master@h" },
		{ "imaps://a@[::1]:1143/x", URL_IMAPS, "a", "::1", 1143, "x",
		  "imaps://a@[::1]:1143/x" },
		{ "imap://a@[2001:DB8::1]", URL_IMAP, "a", "2001:DB8::1", 143, NULL,
		  "imap://a@[2001:DB8::1]" },
		{ "imap://a@127.0.0.1:143", URL_IMAP, "a", "127.0.0.1", 143, NULL,
		  "imap://a@127.0.0.1" },
		{ "imaps://a@h/Entw%C3%BCrfe/Sub%20x", URL_IMAPS, "a", "h", 993, "Entwürfe/Sub x",
		  "imaps://a@h/Entwürfe/Sub%20x" },
		{ "imaps://a@h/b@c:d", URL_IMAPS, "a", "h", 993, "b@c:d", "imaps://a@h/b@c:d" },
		{ "imaps://a@h/What?#1", URL_IMAPS, "a", "h", 993, "What?#1",
		  "imaps://a@h/What%3F%231" },
		{ "imaps://a@bücher.example", URL_IMAPS, "a", "bücher.example", 993, NULL,
		  "imaps://a@bücher.example" },
		{ "imaps://a@h:65535", URL_IMAPS, "a", "h", 65535, NULL, "imaps://a@h:65535" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		_cleanup_(url_done) struct store_url url = { 0 };
		_cleanup_(buf_done) struct buf b = BUF_NULL;
		struct fault fault = FAULT_INIT;

		if (url_parse(known[i].text, &url, &fault) < 0)
			CHECK_FAIL("%s: %s", known[i].text, fault.text);
		CHECK_EQ(url.kind, known[i].kind);
		CHECK_STR(url.user, known[i].user);
		CHECK_STR(url.host, known[i].host);
		CHECK_EQ(url.port, known[i].port);
		CHECK_STR(url.folder, known[i].folder);
		CHECK_EQ(url.folder == NULL, known[i].folder == NULL);
		CHECK(url.command == NULL && url.path == NULL);
		url_format(&url, &b);
		CHECK_STR(buf_str(&b), known[i].canonical);
	}
}

static void reads_local_ones(struct check *check)
{
	static const struct {
		const char *text;
		enum url_kind kind;
		const char *command, *path, *canonical;
	} known[] = {
		{ "imap+pipe:ssh host \"imapd --x\"", URL_IMAP_PIPE, "ssh host \"imapd --x\"", NULL,
		  "imap+pipe:ssh …" },
		{ "imap+pipe:imapd", URL_IMAP_PIPE, "imapd", NULL, "imap+pipe:imapd" },
		{ "maildir:~/Mail dir", URL_MAILDIR, NULL, "~/Mail dir", "maildir:~/Mail dir" },
		{ "mbox:a:b%20", URL_MBOX, NULL, "a:b%20", "mbox:a:b%20" },
		{ "bag:x", URL_BAG, NULL, "x", "bag:x" },
		{ "PST:x.pst", URL_PST, NULL, "x.pst", "pst:x.pst" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		_cleanup_(url_done) struct store_url url = { 0 };
		_cleanup_(buf_done) struct buf b = BUF_NULL;
		struct fault fault = FAULT_INIT;

		CHECK_EQ(url_parse(known[i].text, &url, &fault), 0);
		CHECK_EQ(url.kind, known[i].kind);
		CHECK_STR(url.command, known[i].command);
		CHECK_STR(url.path, known[i].path);
		CHECK(!url.user && !url.host && !url.folder);
		url_format(&url, &b);
		CHECK_STR(buf_str(&b), known[i].canonical);
	}
}

/* What each fault must speak of, so that the user knows what to do. */
static void refuses(struct check *check)
{
	static const struct { const char *text, *speaks_of; } bad[] = {
		{ "", "imap+pipe:COMMAND" }, { "imaps", "imap+pipe:COMMAND" },
		{ "ann@example.org", "imaps://user@host" },
		{ "http://a@b", "imaps://user@host" }, { "pop3:x", "imaps://user@host" },
		{ "imaps:a@b", "\"//\"" }, { "imaps:/a@b", "\"//\"" },
		{ "imaps://", "user" }, { "imaps://host", "no user" },
		{ "imaps://host:993/x", "no user" },
		{ "imaps://@host", "user" }, { "imaps://a@", "host" }, { "imaps://a@/x", "host" },
		{ "imaps://a@h:", "port" }, { "imaps://a@h:0", "port" },
		{ "imaps://a@h:65536", "port" },
		{ "imaps://a@h:99x", "port" }, { "imaps://a@h:-1", "port" },
		{ "imaps://a@::1", "brackets" },
		{ "imaps://a@[::1", "]" }, { "imaps://a@[::1]x", ":port" },
		{ "imaps://a@[::1]:", "port" },
		{ "imaps://a@[nonsense]", "IPv6" }, { "imaps://a@[127.0.0.1]", "IPv6" },
		{ "imaps://a@h h", "host" }, { "imaps://a@h\n", "host" },
		{ "imaps://a@h?x", "host" },
		{ "imaps://a@h%41", "host" }, { "imaps://a%@h", "%25" }, { "imaps://a%4@h", "%25" },
		{ "imaps://a%zz@h", "%25" }, { "imaps://a%00@h", "two hex digits" },
		{ "imaps://a%0a@h", "control" }, { "imaps://a\x7f@h", "control" },
		{ "imaps://a@h/%", "%25" },
		{ "imaps://a@h/x%00", "two hex digits" }, { "imap+pipe:", "command" },
		{ "imap+pipe:  ", "command" },
		{ "maildir:", "path" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct store_url url = { .port = 4711 };
		struct fault fault = FAULT_INIT;

		if (url_parse(bad[i].text, &url, &fault) == 0)
			CHECK_FAIL("\"%s\" was read", bad[i].text);
		CHECK_EQ(fault.kind, FAULT_USAGE);
		CHECK_EQ(url.port, 4711);
		if (!strstr(fault.text, bad[i].speaks_of))
			CHECK_FAIL("\"%s\": %s", bad[i].text, fault.text);
		CHECK(strlen(fault.text) < sizeof(fault.text) - 1); /* nothing was cut */
	}
}

static void refuses_passwords_without_repeating_them(struct check *check)
{
	static const char *const bad[] = {
		"imaps://ann:Hunter2@host", "imaps://ann:Hunter2@host:993/x", "imaps://ann:@host",
		"imaps://ann:Hun@ter2@host", "imaps://ann:Hun/ter2@host",
		"imap://ann@x.org:Hunter2@host",
		"imaps://:Hunter2@host", "imaps://ann:Hun/Hunter2/@host:143",
	};
	static const char *const odd[] = {
		"imaps://ann@host:Hunter2", "Hunter2", "Hunter2://ann@host", "imaps://ann@Hun ter2",
		"imaps://ann%Hunter2@host",
	};
	struct store_url url;
	struct fault fault;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_EQ(url_parse(bad[i], &url, &fault), -1);
		CHECK_EQ(fault.kind, FAULT_USAGE);
		CHECK(strstr(fault.text, "--from-password-file"));
		CHECK(!strstr(fault.text, "ter2") && !strstr(fault.text, "Hun"));
		CHECK(strlen(fault.text) < sizeof(fault.text) - 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		CHECK_EQ(url_parse(odd[i], &url, &fault), -1);
		CHECK(!strstr(fault.text, "ter2"));
	}
}

static void loopback(struct check *check)
{
	static const char *const yes[] = {
		"localhost", "LOCALHOST", "127.0.0.1", "127.255.0.3", "::1", "0:0:0:0:0:0:0:1",
		"::ffff:127.0.0.1",
	};
	static const char *const no[] = {
		"", "example.org", "localhost.example.org", "notlocalhost", "128.0.0.1", "127.1",
		"127.0.0.1.example.org", "127.0.0.256", "::2", "::", "0.0.0.0", "::ffff:128.0.0.1",
		"::127.0.0.1", "1::1", "[::1]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		if (!host_is_loopback(yes[i]))
			CHECK_FAIL("%s is loopback", yes[i]);
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		if (host_is_loopback(no[i]))
			CHECK_FAIL("%s is not loopback", no[i]);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "reads-networks", reads_networks },
		{ "reads-local-ones", reads_local_ones },
		{ "refuses", refuses },
		{ "refuses-passwords-without-repeating-them",
		  refuses_passwords_without_repeating_them },
		{ "loopback", loopback },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
