/* SPDX-License-Identifier: Apache-2.0 */
/* Capability names to bits: every name, in any case, and what servers put between them. */
#include "imap/capability.h"

#include <stdio.h>

#include "lib/check.h"

static struct imap_capabilities read_words(const char *text)
{
	struct imap_capabilities c = { .has = ~UINT64_C(0), .append_limit = 7, .auth_n = 3 };
	struct bytes words[64], rest = bytes_of(text);
	size_t n = 0;

	while (rest.n)
		words[n++] = bytes_cut(&rest, ' ');
	imap_capabilities_read(&c, (struct imap_atoms){ words, n });
	return c;
}

static uint64_t bit(enum imap_cap cap)
{
	return UINT64_C(1) << cap;
}

static void each_name(struct check *check)
{
	static const char *const names[] = {
		"IMAP4rev1", "IMAP4rev2", "STARTTLS", "LOGINDISABLED", "SASL-IR", "LITERAL+", "LITERAL-",
		"UIDPLUS", "MULTIAPPEND", "NAMESPACE", "ID", "SPECIAL-USE", "CREATE-SPECIAL-USE", "XLIST",
		"LIST-EXTENDED", "LIST-STATUS", "CHILDREN", "CONDSTORE", "QRESYNC", "ENABLE", "ESEARCH",
		"COMPRESS=DEFLATE", "UTF8=ACCEPT", "UTF8=ONLY", "APPENDLIMIT", "STATUS=SIZE", "OBJECTID",
		"UNSELECT", "MOVE", "BINARY", "QUOTA",
	};

	CHECK_EQ(ARRAY_SIZE(names), IMAP_CAP_COUNT);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char text[100], other[100];

		snprintf(text, sizeof(text), "X %s Y", names[i]);
		CHECK_EQ(read_words(text).has & bit(i), bit(i));
		for (char *p = text; *p; p++)
			*p = ascii_lower(*p);
		CHECK_EQ(read_words(text).has & bit(i), bit(i));

		snprintf(other, sizeof(other), "X-%s %sX %.*s", names[i], names[i],
			 (int)strlen(names[i]) - 1, names[i]);
		CHECK_EQ(read_words(other).has & bit(i), 0);
	}
}

static void replaces(struct check *check)
{
	struct imap_capabilities c = read_words("");

	CHECK_EQ(c.has, 0);
	CHECK_EQ(c.append_limit, 0);
	CHECK_EQ(c.auth_n, 0);
}

static void rev2_alone(struct check *check)
{
	struct imap_capabilities only = read_words("IMAP4rev2 AUTH=PLAIN");
	struct imap_capabilities both = read_words("IMAP4rev1 IMAP4rev2");

	CHECK(imap_can(&only, IMAP_CAP_UIDPLUS) && imap_can(&only, IMAP_CAP_LITERAL_MINUS));
	CHECK(imap_can(&only, IMAP_CAP_LIST_STATUS) && imap_can(&only, IMAP_CAP_NAMESPACE));
	CHECK(!imap_can(&only, IMAP_CAP_LITERAL_PLUS) && !imap_can(&only, IMAP_CAP_MULTIAPPEND));
	CHECK(!imap_can(&only, IMAP_CAP_CONDSTORE) && !imap_can(&only, IMAP_CAP_STARTTLS));

	/* It may serve either; what it did not name is not to be had until rev2 is enabled. */
	CHECK_EQ(both.has, bit(IMAP_CAP_IMAP4REV1) | bit(IMAP_CAP_IMAP4REV2));
}

static void append_limits(struct check *check)
{
	static const struct {
		const char *text;
		uint64_t limit;
	} cases[] = {
		{ "APPENDLIMIT=35651584", 35651584 },
		{ "appendlimit=1", 1 },
		{ "APPENDLIMIT=18446744073709551615", UINT64_MAX },
		{ "APPENDLIMIT=18446744073709551616", 0 }, /* not to be read: as if not told */
		{ "APPENDLIMIT=", 0 },
		{ "APPENDLIMIT=12x", 0 },
		{ "APPENDLIMIT=-1", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct imap_capabilities c = read_words(cases[i].text);

		CHECK(imap_can(&c, IMAP_CAP_APPENDLIMIT));
		CHECK_EQ(c.append_limit, cases[i].limit);
	}
}

static void mechanisms(struct check *check)
{
	struct imap_capabilities c = read_words("auth=plain AUTH=SCRAM-SHA-256-PLUS AUTH= AUTH=X");

	CHECK_EQ(c.auth_n, 3);
	CHECK_STR(c.auth[0], "PLAIN");
	CHECK_STR(c.auth[1], "SCRAM-SHA-256-PLUS");
	CHECK_STR(c.auth[2], "X");

	c = read_words("AUTH=A234567890123456789012345678901 AUTH=A2345678901234567890123456789012");
	CHECK_EQ(c.auth_n, 1); /* 31 letters fit, 32 are nobody's mechanism */
}

static void too_many_mechanisms(struct check *check)
{
	struct bytes words[41];
	struct imap_capabilities c;

	for (size_t i = 0; i < 40; i++)
		words[i] = BYTES("AUTH=M");
	words[40] = BYTES("ID");
	imap_capabilities_read(&c, (struct imap_atoms){ words, 41 });
	CHECK_EQ(c.auth_n, ARRAY_SIZE(c.auth));
	CHECK(imap_can(&c, IMAP_CAP_ID));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "each name, in any case, whole", each_name },
		{ "a later list replaces the one before", replaces },
		{ "IMAP4rev2 alone brings what is part of it", rev2_alone },
		{ "append limits", append_limits },
		{ "mechanisms", mechanisms },
		{ "more mechanisms than there are", too_many_mechanisms },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
