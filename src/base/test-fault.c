/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#include "lib/check.h"

static void sets(struct check *check)
{
	struct fault f = FAULT_INIT;

	fault_server(&f, BYTES("old words"));
	CHECK_EQ(fault_set(&f, FAULT_LIMIT, REACH_FOLDER, AGAIN_LATER, "%d of %s", 3, "x"), -1);
	CHECK_EQ(f.kind, FAULT_LIMIT);
	CHECK_EQ(f.reach, REACH_FOLDER);
	CHECK_EQ(f.again, AGAIN_LATER);
	CHECK_STR(f.text, "3 of x");
	CHECK_STR(f.server, ""); /* nothing is left of an earlier fault */
}

static void everyday_ones(struct check *check)
{
	struct fault f;

	CHECK_EQ(fault_transport(&f, "a"), -1);
	CHECK(f.kind == FAULT_TRANSPORT && f.reach == REACH_SESSION && f.again == AGAIN_NOW);
	CHECK_EQ(fault_protocol(&f, "a"), -1);
	CHECK(f.kind == FAULT_PROTOCOL && f.reach == REACH_SESSION && f.again == AGAIN_NOW);
	CHECK_EQ(fault_local(&f, "a"), -1);
	CHECK(f.kind == FAULT_LOCAL && f.reach == REACH_PROCESS && f.again == AGAIN_NEVER);
	CHECK_EQ(fault_usage(&f, "a"), -1);
	CHECK(f.kind == FAULT_USAGE && f.reach == REACH_PROCESS && f.again == AGAIN_NEVER);
	CHECK_EQ(fault_cancelled(&f), -1);
	CHECK(f.kind == FAULT_CANCELLED && f.reach == REACH_PROCESS && f.again == AGAIN_LATER);
}

static void words_of_the_server_are_tamed(struct check *check)
{
	struct fault f = FAULT_INIT;
	char long_words[1000], text[1024];

	fault_protocol(&f, "no");
	CHECK_EQ(fault_server(&f, BYTES("a\x1b[2J\r\nb\0c\x7f")), -1);
	CHECK_STR(f.server, "a?[2J??b?c?");
	fault_format(&f, text, sizeof(text));
	CHECK_STR(text, "no; the server said: a?[2J??b?c?");

	memset(long_words, 'x', sizeof(long_words));
	fault_server(&f, (struct bytes){ long_words, sizeof(long_words) });
	CHECK_EQ(strlen(f.server), sizeof(f.server) - 1);
	fault_server(&f, BYTES_NULL);
	CHECK_STR(f.server, "");
	fault_format(&f, text, sizeof(text));
	CHECK_STR(text, "no");
	fault_format(&f, text, 2);
	CHECK_STR(text, "n");
}

static void prefixes(struct check *check)
{
	struct fault f = FAULT_INIT;

	fault_protocol(&f, "broken");
	CHECK_EQ(fault_prefix(&f, "folder %s", "Sent"), -1);
	CHECK_STR(f.text, "folder Sent: broken");
	CHECK_EQ(f.kind, FAULT_PROTOCOL);
	for (int i = 0; i < 100; i++)
		fault_prefix(&f, "again and again");
	CHECK_EQ(strlen(f.text), sizeof(f.text) - 1);
}

/* The names are in JSON that people parse: changing one must hurt here. */
static void names(struct check *check)
{
	static const char *const kinds[] = { "none", "transport", "timeout", "tls",
					     "auth", "protocol", "refused", "limit",
					     "data", "local", "usage", "cancelled" };
	static const char *const reaches[] = { "message", "folder", "session", "mailbox", "server",
					       "process" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		CHECK_STR(fault_kind_name((enum fault_kind)i), kinds[i]);
	for (size_t i = 0; i < ARRAY_SIZE(reaches); i++)
		CHECK_STR(fault_reach_name((enum fault_reach)i), reaches[i]);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "sets", sets },
		{ "everyday-ones", everyday_ones },
		{ "words-of-the-server-are-tamed", words_of_the_server_are_tamed },
		{ "prefixes", prefixes },
		{ "names", names },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
