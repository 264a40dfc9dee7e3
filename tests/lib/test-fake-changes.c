/* SPDX-License-Identifier: Apache-2.0 */
/* The fake server over several runs of a client: what changes in its mailbox, how it tells
 * (RFC 7162), what it lets a client change, and what a file may expect of it all. */
#include <stdio.h>
#include <string.h>

#include "lib/fake-talk.h"

static void silent(struct check *check, struct fake_talk *t, const char *text)
{
	if (strstr(buf_str(&t->heard), text))
		CHECK_FAIL("\"%s\" was said: %s", text, buf_str(&t->heard));
}

static void complains(struct check *check, struct fake_talk *t, const char *text)
{
	if (!strstr(t->verdict, text))
		CHECK_FAIL("\"%s\" was not complained about, but: %s", text, t->verdict);
}

/* --- asking what changed --------------------------------------------------------------------- */

static const char changing[] =
	"run\nexit: 0\n"
	"change from\n"
	"remove \"INBOX\" 2,4..5\n"
	"flags \"INBOX\" 3 (\\Seen $Work)\n"
	"flags \"INBOX\" 6 add (\\Flagged)\n"
	"flags \"INBOX\" 7 remove (\\Seen)\n"
	"add \"INBOX\" message 9 text \"new\"\n"
	"run\nexit: 0\n"
	"server from\nfolder INBOX uidvalidity 7\nmessage 1..6\nmessage 7 flags (\\Seen)\n"
	"expect after run 1: \"INBOX\" has 7 messages\n"
	"expect after run 2: \"INBOX\" has 5 messages\n"
	"expect \"INBOX\" uid 3 flags ($Work \\Seen)\n"
	"expect \"INBOX\" uid 6 flags (\\Flagged)\n"
	"expect \"INBOX\" uid 7 flags ()\n"
	"expect \"INBOX\" no uid 2\n"
	"expect \"INBOX\" uidvalidity 7\n"
	"expect after run 1: 1 commands STATUS *\n"
	"expect after run 2: no command STATUS *\n";

static void tells_what_changed(struct check *check)
{
	struct fake_talk t = {
		.dialogue = changing,
		.says = "a LOGIN u secret\r\nb ENABLE QRESYNC\r\n"
			"c STATUS INBOX (UIDNEXT HIGHESTMODSEQ)\r\nd EXAMINE INBOX\r\n"
			"e UID FETCH 1 (MODSEQ)\r\nf UID FETCH 1:* FLAGS (CHANGEDSINCE 8)\r\n",
		.next = { "a LOGIN u secret\r\nb ENABLE QRESYNC\r\n"
			  "c EXAMINE INBOX (QRESYNC (7 8 1:8))\r\n"
			  "d UID FETCH 1:8 (UID FLAGS) (CHANGEDSINCE 8 VANISHED)\r\n"
			  "e UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 11)\r\n"
			  "f EXAMINE INBOX (QRESYNC (6 8))\r\n"
			  "g UID FETCH 1:2 FLAGS (CHANGEDSINCE 9 VANISHED)\r\n"
			  "h UID FETCH 1:8 FLAGS (CHANGEDSINCE 9 VANISHED)\r\n" },
	};

	fake_talk(check, &t);
	CHECK_STR(t.verdict, "");
	fake_talk_hears(check, &t, "* ENABLED QRESYNC\r\n");
	fake_talk_hears(check, &t, "(UIDNEXT 8 HIGHESTMODSEQ 8)\r\n");
	fake_talk_hears(check, &t, "* OK [HIGHESTMODSEQ 8] highest\r\nd OK");
	fake_talk_hears(check, &t, "* 1 FETCH (UID 1 MODSEQ (2))\r\ne OK done\r\nf OK done\r\n");
	fake_talk_hears(check, &t, "* OK [HIGHESTMODSEQ 15] highest\r\n"
			"* VANISHED (EARLIER) 2,4:5\r\n"
			"* 2 FETCH (UID 3 FLAGS (\\Seen $Work) MODSEQ (12))\r\n"
			"* 3 FETCH (UID 6 FLAGS (\\Flagged) MODSEQ (13))\r\n"
			"* 4 FETCH (UID 7 FLAGS () MODSEQ (14))\r\nc OK");
	fake_talk_hears(check, &t, "c OK [READ-ONLY] selected\r\n* VANISHED (EARLIER) 2,4:5\r\n"
			"* 2 FETCH (UID 3 FLAGS (\\Seen $Work) MODSEQ (12))\r\n");
	fake_talk_hears(check, &t, "d OK done\r\n* 2 FETCH (UID 3 FLAGS (\\Seen $Work) MODSEQ (12))\r\n"
			"* 3 FETCH (UID 6 FLAGS (\\Flagged) MODSEQ (13))\r\n"
			"* 4 FETCH (UID 7 FLAGS () MODSEQ (14))\r\n"
			"* 5 FETCH (UID 9 FLAGS () MODSEQ (15))\r\ne OK");
	fake_talk_hears(check, &t, "e OK done\r\n* OK [CLOSED] before\r\n");
	fake_talk_hears(check, &t, "highest\r\nf OK [READ-ONLY] selected\r\ng OK done\r\n"
			"* VANISHED (EARLIER) 4:5\r\n");
	buf_done(&t.heard);
}

static const char news[] =
	"server from\nfolder INBOX uidvalidity 7\nmessage 1..6 size 4\nfolder Old\nmessage 1\n"
	"on nth 1: NOOP\ndo: remove \"INBOX\" 2\ndo: remove \"INBOX\" 4\n"
	"do: flags \"INBOX\" 5 (\\Seen)\ndo: add \"INBOX\" message 9\ndo: remove \"INBOX\" 9\n"
	"do: add \"INBOX\" message 11\ndefault\n"
	"on: message INBOX 3\ndo: remove \"INBOX\" 1\ndo: remove \"INBOX\" 5\ndefault\n"
	"on nth 3: NOOP\ndo: delete \"Old\"\ndefault\n";

static void tells_what_changes(struct check *check)
{
	struct fake_talk t = {
		.dialogue = news,
		.says = "a LOGIN u secret\r\nb EXAMINE INBOX\r\nc NOOP\r\nd UID FETCH 3 (FLAGS)\r\n"
			"e UID FETCH 1:* (BODY.PEEK[])\r\nf FETCH 3:* UID\r\ng NOOP\r\n"
			"h UNSELECT\r\ni EXAMINE Old\r\nj NOOP\r\nk NOOP\r\n",
	};

	fake_talk(check, &t);
	CHECK_STR(t.verdict, "");
	fake_talk_hears(check, &t, "* 2 EXPUNGE\r\n* 3 EXPUNGE\r\n* 3 FETCH (UID 5 FLAGS (\\Seen))\r\n"
			"* 5 EXISTS\r\nc OK");
	fake_talk_hears(check, &t, "c OK done\r\n* 2 FETCH (UID 3 FLAGS ())\r\nd OK");
	fake_talk_hears(check, &t, "* 1 FETCH (UID 1 BODY[] {4}\r\nFrom)\r\n"
			"* 2 FETCH (UID 3 BODY[] {4}\r\nFrom)\r\n* 4 FETCH (UID 6 ");
	/* numbers stay while nothing was said of the two that are gone */
	fake_talk_hears(check, &t, "e OK done\r\n* 4 FETCH (UID 6)\r\n* 5 FETCH (UID 11)\r\nf OK");
	fake_talk_hears(check, &t, "f OK done\r\n* 1 EXPUNGE\r\n* 2 EXPUNGE\r\ng OK");
	fake_talk_hears(check, &t, "i OK [READ-ONLY] selected\r\n* BYE ");
	silent(check, &t, "k OK");
	buf_done(&t.heard);
}

static void tells_with_qresync(struct check *check)
{
	struct fake_talk t = {
		.dialogue = news,
		.says = "a LOGIN u secret\r\nb ENABLE QRESYNC\r\nc EXAMINE INBOX\r\nd NOOP\r\n",
	};

	fake_talk(check, &t);
	fake_talk_hears(check, &t, "* VANISHED 2,4\r\n* 3 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (10))\r\n"
			"* 5 EXISTS\r\nd OK");
	buf_done(&t.heard);
}

static void has_no_modseq(struct check *check)
{
	struct fake_talk t = {
		.dialogue = "server from\nfolder INBOX nomodseq\nmessage 1\n",
		.says = "a LOGIN u secret\r\nb STATUS INBOX (HIGHESTMODSEQ)\r\nc EXAMINE INBOX\r\n",
	};

	fake_talk(check, &t);
	CHECK_STR(t.verdict, "");
	fake_talk_hears(check, &t, "(HIGHESTMODSEQ 0)\r\n");
	fake_talk_hears(check, &t, "* OK [NOMODSEQ]");
	buf_done(&t.heard);
}

/* --- changing it oneself --------------------------------------------------------------------- */

static void edits(struct check *check)
{
	struct fake_talk t = {
		.dialogue =
			"server from\npermanentflags: \\Seen \\Deleted $Work\n"
			"folder INBOX uidvalidity 7\nmessage 1..9\nfolder Box uidvalidity 9\nmessage 4\n"
			"expect \"INBOX\" uid 1 flags (\\Seen $Work)\nexpect \"INBOX\" uid 2 flags (\\Seen)\n"
			"expect \"INBOX\" has 3 messages\nexpect \"INBOX\" no uid 9\n"
			"expect \"Box\" has 5 messages\nexpect \"Box\" uid 8 is from INBOX 8\n"
			"expect \"Box\" uid 8 date \" 9-Jan-2020 10:00:08 +0100\"\n",
		.says = "a LOGIN u secret\r\nb SELECT INBOX\r\n"
			"c UID STORE 1:2 +FLAGS (\\Seen $Work \\Flagged $Other)\r\n"
			"d UID STORE 2 -FLAGS.SILENT ($work)\r\ne UID STORE 3,4 FLAGS.SILENT (\\Deleted)\r\n"
			"f UID EXPUNGE 1:3\r\ng UID COPY 5:6 Box\r\nh UID MOVE 6:6,8 Box\r\n"
			"i UID COPY 5 Nowhere\r\nj UID COPY 77 Box\r\nk STATUS INBOX (HIGHESTMODSEQ)\r\n"
			"l UID STORE 5 +FLAGS.SILENT \\Deleted\r\nm UID SEARCH DELETED\r\n"
			"n UID SEARCH NOT DELETED UID 1:7\r\no EXPUNGE\r\n"
			"p UID STORE 9 +FLAGS.SILENT (\\Deleted)\r\nq CLOSE\r\n",
	};

	fake_talk(check, &t);
	CHECK_STR(t.verdict, "");
	fake_talk_hears(check, &t, "* 1 FETCH (UID 1 FLAGS (\\Seen $Work))\r\n"
			"* 2 FETCH (UID 2 FLAGS (\\Seen $Work))\r\nc OK done\r\nd OK done\r\ne OK");
	fake_talk_hears(check, &t, "* 3 EXPUNGE\r\nf OK done\r\ng OK [COPYUID 9 5:6 5:6] copied\r\n");
	fake_talk_hears(check, &t, "* OK [COPYUID 9 6,8 7:8] moved\r\n* 5 EXPUNGE\r\n* 6 EXPUNGE\r\nh OK");
	fake_talk_hears(check, &t, "i NO [TRYCREATE] No such mailbox\r\nj OK copied\r\n");
	fake_talk_hears(check, &t, "* 4 FETCH (UID 5 MODSEQ (");
	fake_talk_hears(check, &t, "* SEARCH 4 5\r\nm OK");
	fake_talk_hears(check, &t, "* SEARCH 1 2 7\r\nn OK");
	fake_talk_hears(check, &t, "* 3 EXPUNGE\r\n* 3 EXPUNGE\r\no OK");
	buf_done(&t.heard);
}

static void edits_folders(struct check *check)
{
	struct fake_talk t = {
		.dialogue = "server from\ncapability: +OBJECTID\nfolder A\nfolder A/B\nfolder C\n"
			    "expect folder X/B\nexpect no folder A/B\nexpect no folder C\n"
			    "expect not subscribed X\n",
		.says = "a LOGIN u secret\r\nb STATUS A (MAILBOXID)\r\nc RENAME A X\r\n"
			"d STATUS X (MAILBOXID)\r\ne DELETE X\r\nf DELETE C\r\ng CREATE C\r\n"
			"h EXAMINE C\r\ni DELETE C\r\nj UID FETCH 1 FLAGS\r\n",
		.next = { "a LOGIN u secret\r\nb UNSUBSCRIBE X\r\nc RENAME INBOX Y\r\nd RENAME X X/B\r\n" },
	};

	fake_talk(check, &t);
	CHECK_STR(t.verdict, "");
	fake_talk_hears(check, &t, "\"A\" (MAILBOXID (F1))\r\nb OK done\r\nc OK renamed\r\n"
			"* STATUS \"X\" (MAILBOXID (F1))\r\nd OK done\r\ne NO [HASCHILDREN]");
	fake_talk_hears(check, &t, "f OK deleted\r\ng OK [MAILBOXID (F5)] created\r\n");
	fake_talk_hears(check, &t, "* OK [MAILBOXID (F5)] id\r\n");
	fake_talk_hears(check, &t, "i OK deleted\r\n* BYE");
	fake_talk_hears(check, &t, "c NO [CANNOT]");
	fake_talk_hears(check, &t, "d NO [ALREADYEXISTS]");
	buf_done(&t.heard);
}

static void complains_of_clients(struct check *check)
{
	static const struct {
		const char *says, *complaint;
	} cases[] = {
		{ "b ENABLE QRESYNC\r\n", "ENABLE of what was not advertised: QRESYNC" },
		{ "b SELECT INBOX (CONDSTORE)\r\n", "SELECT with parameters nobody" },
		{ "b SELECT INBOX\r\nc UID FETCH 1 (FLAGS) (CHANGEDSINCE 1)\r\n", "modifiers nobody" },
		{ "b SELECT INBOX\r\nc UID FETCH 1 (MODSEQ)\r\n", "FETCH of what was not" },
		{ "b STATUS INBOX (HIGHESTMODSEQ)\r\n", "a STATUS item that was not" },
		{ "b STATUS INBOX (MAILBOXID)\r\n", "a STATUS item that was not" },
		{ "b SELECT INBOX\r\nc UID MOVE 1 Box\r\n", "not advertised: UID MOVE" },
		{ "b SELECT INBOX\r\nc UID EXPUNGE 1\r\n", "not advertised: UID EXPUNGE" },
		{ "b EXAMINE INBOX\r\nc UID STORE 1 +FLAGS (\\Seen)\r\n", "STORE in a folder opened" },
		{ "b EXAMINE INBOX\r\nc EXPUNGE\r\n", "EXPUNGE in a folder opened" },
		{ "b SELECT INBOX\r\nc UID STORE 1 +FLAGS (\\Foo)\r\n", "a system flag" },
		{ "b SELECT INBOX\r\nc UID SEARCH FROB\r\n", "a SEARCH this server" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char says[256];
		struct fake_talk t = { .says = says, .dialogue =
			"server from\ncapability: -CONDSTORE -QRESYNC -MOVE -UIDPLUS\n"
			"folder INBOX\nmessage 1\n" };

		snprintf(says, sizeof(says), "a LOGIN u secret\r\n%s", cases[i].says);
		fake_talk(check, &t);
		complains(check, &t, cases[i].complaint);
		buf_done(&t.heard);
	}
}

static void wants_qresync(struct check *check)
{
	struct fake_talk t = {
		.dialogue = "server from\nfolder INBOX\nmessage 1\n",
		.says = "a LOGIN u secret\r\nb SELECT INBOX (QRESYNC (7 1))\r\nc SELECT INBOX\r\n"
			"d UID FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)\r\n",
	};

	fake_talk(check, &t);
	complains(check, &t, "QRESYNC that is not enabled");
	complains(check, &t, "VANISHED without QRESYNC");
	buf_done(&t.heard);
}

/* --- changes, expectations, rules over runs -------------------------------------------------- */

static const char all_changes[] =
	"run\nexit: 0\n"
	"change from\n"
	"move \"INBOX\" 2 to \"Box\" as 20\ncopy \"INBOX\" 1 to \"INBOX\"\n"
	"rename \"Old\" \"New\"\ndelete \"Gone\"\ncreate \"Fresh\" uidvalidity 77 uidnext 5\n"
	"add \"Fresh\" message 5 like from Box 3\nuidvalidity \"Box\" 8 renumber from 100\n"
	"empty \"Full\"\nunsubscribe \"Box\"\nmodseq \"INBOX\" 2\n"
	"change to\nadd \"Mine\" message 1\n"
	"run\nexit: 0\n"
	"change from\nrefill \"Full\"\nsubscribe \"Box\"\n"
	"run\nexit: 0\n"
	"server from\n"
	"folder INBOX uidvalidity 7\nmessage 1..2\nfolder Box uidvalidity 7\nmessage 3 flags (\\Seen)\n"
	"folder Old uidvalidity 5\nmessage 1 text \"old\"\nfolder Gone\nfolder Full\nmessage 1..3\n"
	"expect after run 1: \"INBOX\" copies from INBOX\n"
	"expect after run 1: folder Gone\n"
	"expect after run 2: \"INBOX\" has 2 messages\n"
	"expect after run 2: \"INBOX\" uid 3 is from INBOX 1\n"
	"expect after run 2: \"Box\" has 2 messages\n"
	"expect after run 2: \"Box\" uid 100 flags (\\Seen)\n"
	"expect after run 2: \"Box\" uid 101 date \" 3-Jan-2020 10:00:02 +0100\"\n"
	"expect after run 2: \"Box\" uid 101 is from Box 101\n"
	"expect after run 2: \"Box\" uidvalidity 8\n"
	"expect after run 2: \"New\" has 1 messages\n"
	"expect after run 2: \"New\" uidvalidity 5\n"
	"expect after run 2: no folder Gone\n"
	"expect after run 2: \"Fresh\" uidvalidity 77\n"
	"expect after run 2: \"Fresh\" uid 5 flags (\\Seen)\n"
	"expect after run 2: \"Full\" has 0 messages\n"
	"expect after run 2: not subscribed Box\n"
	"expect \"Full\" has 3 messages\nexpect \"Full\" no uid 3\nexpect \"Full\" uid 4 size 512\n"
	"expect \"Full\" copies from Full in order\nexpect subscribed Box\n"
	"expect connections 3\nexpect after run 2: connections 1\n"
	"server to\nfolder Mine\n";

static void changes_between_runs(struct check *check)
{
	struct fake_talk t = {
		.dialogue = all_changes,
		.says = "a LOGIN u secret\r\nb STATUS INBOX (HIGHESTMODSEQ)\r\n",
		.next = { "a LOGIN u secret\r\nb STATUS INBOX (HIGHESTMODSEQ)\r\n",
			  "a LOGIN u secret\r\nc EXAMINE Full\r\nd UID FETCH 1:* UID\r\n" },
	};

	fake_talk(check, &t);
	CHECK_STR(t.verdict, "");
	fake_talk_hears(check, &t, "(HIGHESTMODSEQ 3)\r\n");
	fake_talk_hears(check, &t, "(HIGHESTMODSEQ 2)\r\n");
	fake_talk_hears(check, &t, "* 1 FETCH (UID 4)\r\n* 2 FETCH (UID 5)\r\n* 3 FETCH (UID 6)\r\n");
	buf_done(&t.heard);
}

static void complains_of_changes(struct check *check)
{
	struct fake_talk t = {
		.dialogue =
			"run\nexit: 0\nchange from\nremove \"INBOX\" 9\nrename \"Nix\" \"Y\"\n"
			"add \"INBOX\" message 1\ncreate \"INBOX\"\nmove \"INBOX\" 1 to \"Nix\"\n"
			"rename \"INBOX\" \"Box\"\ncopy \"INBOX\" 1 to \"Box\" as 1\n"
			"add \"INBOX\" message 9 like from INBOX 8\n"
			"run\nexit: 0\nserver from\nfolder INBOX\nmessage 1\nfolder Box\nmessage 1\n",
		.says = "", .next = { "" },
	};

	fake_talk(check, &t);
	complains(check, &t, "file:4: no such message: INBOX\n");
	complains(check, &t, "file:5: there is no folder: Nix\n");
	complains(check, &t, "file:6: UID 1 does not rise\n");
	complains(check, &t, "file:7: there is such a folder already: INBOX\n");
	complains(check, &t, "file:8: no folder to bring messages to from: INBOX\n");
	complains(check, &t, "file:9: there is a folder of that name already, for: INBOX\n");
	complains(check, &t, "file:10: UIDs would not rise, coming from: INBOX\n");
	complains(check, &t, "file:11: there is no message 8 to be like\n");
	buf_done(&t.heard);
}

static void expects_after_runs(struct check *check)
{
	struct fake_talk t = {
		.dialogue =
			"run\nexit: 0\nchange from\nadd \"INBOX\" message 2\nrun\nexit: 0\nserver from\n"
			"folder INBOX\nmessage 1\n"
			"expect after run 1: \"INBOX\" has 2 messages\n"
			"expect after run 2: \"INBOX\" has 1 messages\n"
			"expect after run 2: 1 commands NOOP\nexpect 2 commands NOOP\n"
			"expect after run 2: \"INBOX\" uid 2 is from INBOX 1\n"
			"expect after run 1: \"INBOX\" uid 2 flags ()\n"
			"expect after run 2: \"INBOX\" no uid 2\n",
		.says = "a NOOP\r\n", .next = { "a NOOP\r\nb NOOP\r\n" },
	};

	fake_talk(check, &t);
	complains(check, &t, "file:10: folder INBOX has 1 messages, not 2\n");
	complains(check, &t, "file:11: folder INBOX has 2 messages, not 1\n");
	complains(check, &t, "file:12: this does not hold: 1 commands NOOP\n");
	complains(check, &t, "file:13: this does not hold: 2 commands NOOP\n");
	complains(check, &t, "file:14: UID 2 of INBOX has is not");
	complains(check, &t, "file:15: folder INBOX has 1 messages, and not this");
	complains(check, &t, "file:16: this does not hold");
	buf_done(&t.heard);
}

static void rules_know_runs(struct check *check)
{
	struct fake_talk t = {
		.dialogue =
			"sweep k 2..9\nrun\nexit: 0\nrun\nexit: 0\nrun\nexit: 0\nserver from\n"
			"on run 2: NOOP\nS: {tag} OK second\n"
			"on from run 3: NOOP\nS: {tag} OK third\n"
			"on until run 1 nth {k}: NOOP\nS: {tag} OK {k}\n"
			"on command nth {k} run 3: *\nanswer: nothing\ndefault\nclose\n"
			"connection 1 run 2\nS: * OK script\nserve\n",
		.says = "a NOOP\r\nb NOOP\r\n",
		.next = { "c NOOP\r\n", "d NOOP\r\ne NOOP\r\n" },
	};

	fake_talk(check, &t);
	CHECK_STR(t.verdict, "");
	fake_talk_hears(check, &t, "a OK done\r\nb OK 2\r\n* OK script\r\nc OK second\r\n* OK [CAP");
	fake_talk_hears(check, &t, "d OK third\r\ne OK third\r\n");
	buf_done(&t.heard);

	t.next[1] = "d NOOP\r\ne CAPABILITY\r\nf CAPABILITY\r\n";
	t.heard = BUF_NULL;
	fake_talk(check, &t);
	fake_talk_hears(check, &t, "d OK third\r\n* CAPABILITY ");
	silent(check, &t, "e OK");
	buf_done(&t.heard);

	t.says = "a NOOP\r\n";
	t.heard = BUF_NULL;
	fake_talk(check, &t);
	complains(check, &t, "file:13: this rule never acted\n");
	buf_done(&t.heard);
}

static void keeps_fronts_apart(struct check *check)
{
	struct fake_talk t = {
		.dialogue =
			"server from\nrewrites: X-Kept: here\n"
			"folder INBOX\nmessage 1 like to INBOX 1 front \"X-Tool: yes\\r\\n\" date \"01-Jan-1999 00:00:00 +0000\"\n"
			"message 2..3 like to INBOX\nfolder Box\n"
			"expect \"INBOX\" copies to INBOX ignoring dates\nexpect \"INBOX\" uid 1 size 19\n"
			"expect \"INBOX\" uid 1 flags (\\Seen)\nexpect \"Box\" copies to Box\n"
			"expect \"Box\" 1 size 19\n"
			"server to\nfolder INBOX\nmessage 1 text \"tiny\\r\\n\" flags (\\Seen)\nmessage 2..3 size 300\n"
			"folder Box\nmessage 1 text \"a\\r\\n\\r\\n\" date \"01-Jan-2020 00:00:00 +0000\"\n",
		.says = "a LOGIN u secret\r\nb EXAMINE INBOX\r\nc UID FETCH 1 (RFC822.SIZE BODY.PEEK[])\r\n"
			"d UID FETCH 1 (BODY.PEEK[]<9.5>)\r\n"
			"e APPEND Box \"01-Jan-2020 00:00:00 +0000\" {5+}\r\na\r\n\r\n\r\nf EXAMINE Box\r\n"
			"g UID FETCH 1 BODY.PEEK[]\r\n",
	};

	fake_talk(check, &t);
	CHECK_STR(t.verdict, "");
	fake_talk_hears(check, &t, "RFC822.SIZE 19 BODY[] {19}\r\nX-Tool: yes\r\ntiny\r\n)\r\n");
	fake_talk_hears(check, &t, "BODY[]<9> {5}\r\nes\r\nt)\r\n");
	fake_talk_hears(check, &t, "BODY[] {19}\r\nX-Kept: here\r\na\r\n\r\n)\r\n");
	buf_done(&t.heard);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "tells what changed", tells_what_changed },
		{ "tells what changes", tells_what_changes },
		{ "tells with QRESYNC", tells_with_qresync },
		{ "has no modseq", has_no_modseq },
		{ "edits", edits },
		{ "edits folders", edits_folders },
		{ "complains of clients", complains_of_clients },
		{ "wants QRESYNC", wants_qresync },
		{ "changes between runs", changes_between_runs },
		{ "complains of changes", complains_of_changes },
		{ "expects after runs", expects_after_runs },
		{ "rules know runs", rules_know_runs },
		{ "keeps fronts apart", keeps_fronts_apart },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
