/* SPDX-License-Identifier: Apache-2.0 */
/* The fake server itself, spoken to by a few lines: what it says is what real servers say,
 * and what is wrong it complains about. */
#include <stdio.h>
#include <string.h>

#include "lib/fake-talk.h"

static const char mailbox[] =
	"server from\n"
	"folder INBOX uidvalidity 7 uidnext 10\n"
	"message 3 text \"Subject: hi\\r\\n\\r\\nbody\\r\\n"
	"\" flags (\\Seen) date \" 1-Feb-2020 03:04:05 +0000\"\n"
	"message 5..6 size 300\n"
	"folder \"Sent Mail\" attributes (\\Sent)\n";

static void serves(struct check *check)
{
	struct fake_talk t = { .dialogue = mailbox, .says =
		"a CAPABILITY\r\nb LOGIN \"u\" {6+}\r\nsecret\r\n"
		"c NAMESPACE\r\nd LIST \"\" \"*\"\r\n"
		"e STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)\r\n"
		"f EXAMINE INBOX\r\ng UID FETCH 1:* (FLAGS RFC822.SIZE INTERNALDATE)\r\n"
		"h UID FETCH 3 (UID BODY.PEEK[])\r\n"
		"i UID FETCH 3 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])\r\n"
		"j UID SEARCH ALL\r\nk UID FETCH 3 BODY.PEEK[]<2.4>\r\n"
		"l LIST \"\" \"S%\" RETURN (STATUS (MESSAGES))\r\n"
		"z LOGOUT\r\n" };

	fake_talk(check, &t);
	CHECK_STR(t.verdict, "");
	fake_talk_hears(check, &t, "b OK [CAPABILITY IMAP4rev1 ");
	fake_talk_hears(check, &t, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	fake_talk_hears(check, &t, "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\n"
		      "* LIST (\\Sent \\HasNoChildren) \"/\" \"Sent Mail\"\r\nd OK");
	fake_talk_hears(check, &t, "* STATUS \"INBOX\" (MESSAGES 3 UIDNEXT 10 UIDVALIDITY 7 UNSEEN 2)\r\n");
	fake_talk_hears(check, &t, "* 3 EXISTS\r\n");
	fake_talk_hears(check, &t, "* 1 FETCH (UID 3 FLAGS (\\Seen) RFC822.SIZE 21 INTERNALDATE "
		      "\" 1-Feb-2020 03:04:05 +0000\")\r\n"
		"* 2 FETCH (UID 5 FLAGS () RFC822.SIZE 300 ");
	fake_talk_hears(check, &t, "* 1 FETCH (UID 3 BODY[] {21}\r\nSubject: hi\r\n\r\nbody\r\n)\r\nh OK");
	fake_talk_hears(check, &t, "BODY[HEADER.FIELDS (SUBJECT)] {15}\r\nSubject: hi\r\n\r\n)\r\ni OK");
	fake_talk_hears(check, &t, "* SEARCH 3 5 6\r\n");
	fake_talk_hears(check, &t, "BODY[]<2> {4}\r\nbjec)\r\nk OK");
	fake_talk_hears(check, &t, "\"Sent Mail\"\r\n* STATUS \"Sent Mail\" (MESSAGES 0)\r\nl OK");
	fake_talk_hears(check, &t, "* BYE see you\r\nz OK done\r\n");
	buf_done(&t.heard);
}

static void appends(struct check *check)
{
	struct fake_talk t = { .dialogue =
		"server from\nfolder INBOX\n"
		"expect \"INBOX\" has 3 messages\n"
		"expect \"INBOX\" 1 flags ($x \\Seen)\n"
		"expect \"INBOX\" 1 date \"01-Jan-2020 01:00:00 +0100\"\n"
		"expect \"INBOX\" 3 size 2\n"
		"expect \"INBOX\" 3 sha256 7dacbadbdcf61e39d7ae35c4f9fd80b3\n"
		"expect 1 commands APPEND *\n"
		"expect no folder Sent\n",
		.says = "a LOGIN u secret\r\n"
			"b APPEND INBOX (\\Seen $x) \" 1-Jan-2020 00:00:00 +0000\" {3+}\r\n"
			"abc (\\Seen) {2+}\r\nde {2+}\r\nfg\r\n"
			"c APPEND Sent {3+}\r\nabc\r\nz LOGOUT\r\n" };

	fake_talk(check, &t);
	fake_talk_hears(check, &t, "b OK [APPENDUID 1700000001 1:3] appended\r\n");
	fake_talk_hears(check, &t, "c NO [TRYCREATE]");
	CHECK(strstr(t.verdict, "file:7: UID 3 of INBOX has sha256 "));
	CHECK(strstr(t.verdict, "file:8: this does not hold: 1 commands"));
	CHECK(!strstr(t.verdict, "file:3") && !strstr(t.verdict, "file:4"));
	CHECK(!strstr(t.verdict, "file:5") && !strstr(t.verdict, "file:9"));
	buf_done(&t.heard);
}

static void rules_step_in(struct check *check)
{
	struct fake_talk t = { .dialogue =
		"server from\nfolder INBOX\nmessage 1..3 text \"abcdef\"\n"
		"on nth 2: NOOP\nS: * 9 EXISTS\ndefault\n"
		"on: message INBOX 2\nS-raw: * {seq} FETCH (UID {uid} BODY[]\\x20\nS-message\n"
		"S:  FLAGS ())\n"
		"on at 2: message INBOX 3\nS-raw: <here>\n"
		"on early: APPEND INBOX *\nS: {tag} NO [OVERQUOTA] full\n"
		"on: arrived Sent poison\nS: {tag} NO virus\n"
		"on: LOGOUT\nlater\nS: {tag} OK late\n"
		"folder Sent\nexpect \"Sent\" has 1 messages\n",
		.says = "a LOGIN u secret\r\nb NOOP\r\nc NOOP\r\nd SELECT INBOX\r\n"
			"e UID FETCH 1:3 BODY.PEEK[]\r\n"
			"f APPEND INBOX {3+}\r\nabc\r\n"
			"g APPEND Sent {19+}\r\nSubject: poison\r\n\r\n\r\n"
			"h APPEND Sent {17+}\r\nSubject: fine\r\n\r\n\r\nx LOGOUT\r\ny NOOP\r\n" };

	fake_talk(check, &t);
	CHECK_STR(t.verdict, "");
	fake_talk_hears(check, &t, "b OK done\r\n* 9 EXISTS\r\nc OK done\r\n");
	fake_talk_hears(check, &t, "BODY[] {6}\r\nabcdef)\r\n* 2 FETCH (UID 2 BODY[] {6}\r\n"
		"abcdef FLAGS ())\r\n");
	fake_talk_hears(check, &t, "{6}\r\nab<here>cdef)\r\ne OK");
	fake_talk_hears(check, &t, "f NO [OVERQUOTA] full\r\ng NO virus\r\nh OK [APPENDUID");
	fake_talk_hears(check, &t, "y OK done\r\nx OK late\r\n");
	buf_done(&t.heard);
}

static void plays_scripts(struct check *check)
{
	struct fake_talk t = { .dialogue =
		"server from\nconnection any\nS: * OK hi\nC-optional: {x} CAPABILITY\n"
		"C: {a} APPEND x {3}\nS: + go\n"
		"C-literal: \"ab\\n\"\nC: \nS: {a} OK\nS-repeat: 5 xy\nbye\n",
		.says = "t1 APPEND x {3}\r\nab\n\r\nt2 LOGOUT\r\n" };

	fake_talk(check, &t);
	CHECK_STR(t.verdict, "");
	CHECK_STR(buf_str(&t.heard), "* OK hi\r\n+ go\r\nt1 OK\r\nxyxyxyxyxy* BYE\r\nt2 OK\r\n");
	buf_done(&t.heard);

	t.says = "t1 APPEND x {3}\r\nabc\r\n";
	t.heard = BUF_NULL;
	fake_talk(check, &t);
	CHECK(strstr(t.verdict, "file:7: another literal was expected"));
	buf_done(&t.heard);

	t.says = "t1 SELECT x\r\n";
	t.heard = BUF_NULL;
	fake_talk(check, &t);
	CHECK_STR(t.verdict, "file:5: expected \"{a} APPEND x {3}\", got \"t1 SELECT x\"\n");
	buf_done(&t.heard);
}

static void complains(struct check *check)
{
	static const struct {
		const char *says, *complaint;
	} cases[] = {
		{ "a LOGIN u secret\r\nb FROB\r\n", "a command the server does not know: FROB" },
		{ "b LIST \"\" *\r\n", "a command that this state does not allow" },
		{ "a LOGIN u secret\r\nb COMPRESS DEFLATE\r\n", "not advertised: COMPRESS" },
		{ "a LOGIN u secret\r\n"
			"b LIST \"\" * RETURN (SPECIAL-USE)\r\n", "LIST with what was" },
		{ "a LOGIN u {6+}\r\nsecret\r\n", "did not wait" },
		{ "a LOGIN u secret\r\nb APPEND INBOX \"1-Jan-2020 00:00:00 +0000\" {1}\r\n"
			"x\r\n", "not a date" },
		{ "a LOGIN u secret\r\nb APPEND INBOX (\\Foo) {1}\r\nx\r\n", "a system flag" },
		{ "a LOGIN u secret\r\nb APPEND INBOX {9}\r\n123456789\r\n", "over APPENDLIMIT" },
		{ "a NOOP\n", "without CR" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fake_talk t = { .says = cases[i].says, .dialogue =
			"server from\n"
			"capability: -LITERAL+ -LIST-EXTENDED -LIST-STATUS +APPENDLIMIT=8\n" };

		fake_talk(check, &t);
		if (!strstr(t.verdict, cases[i].complaint))
			CHECK_FAIL("\"%s\" gave \"%s\"", cases[i].says, t.verdict);
		buf_done(&t.heard);
	}
}

static void compares_copies(struct check *check)
{
	struct fake_talk t = { .dialogue =
		"server from\nfolder INBOX\nmessage 1 flags (\\Seen)\nfolder A\nmessage 1..2\n"
		"message 4 size 700\n"
		"expect \"INBOX\" copies to INBOX\n"
		"expect \"A\" copies to A\n"
		"expect \"A\" part-of to A except 1 2\n"
		"expect \"INBOX\" copies to INBOX ignoring flags\n"
		"server to\nfolder INBOX\nmessage 1\nfolder A\nmessage 1..4\n",
		.says = "" };

	fake_talk(check, &t);
	CHECK(strstr(t.verdict, "file:7: folder INBOX lacks a true copy of UID 1 of INBOX"));
	CHECK(strstr(t.verdict, "file:7: folder INBOX holds a message that should not be there"));
	CHECK(strstr(t.verdict, "file:8: folder A lacks a true copy of UID 3"));
	CHECK(strstr(t.verdict, "file:8: folder A lacks a true copy of UID 4"));
	CHECK(!strstr(t.verdict, "file:8: folder A lacks a true copy of UID 2"));
	CHECK(strstr(t.verdict, "file:9: folder A holds a message that should not be"));
	CHECK(!strstr(t.verdict, "file:9: folder A lacks"));
	CHECK(!strstr(t.verdict, "file:10"));
	buf_done(&t.heard);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "serves", serves }, { "appends", appends }, { "rules step in", rules_step_in },
		{ "plays scripts", plays_scripts }, { "complains", complains },
		{ "compares copies", compares_copies }, { 0 },
	};

	return check_main(argc, argv, cases);
}
