/* SPDX-License-Identifier: Apache-2.0 */
/* What servers say and what the parser makes of it, as text (test-dump.h). Every row is fed
 * whole, cut at every byte, and byte by byte: the events must be the same. */
#include "imap/response.h"
#include "imap/test-dump.h"
#include "lib/check.h"

struct row {
	struct bytes in;
	const char *out;
};

#define SAYS(in, out) { BYTES(in), out }

static const struct row conditions[] = {
	SAYS("* OK ready\r\n", "condition OK text=ready\n"),
	SAYS("* OK\r\n", "condition OK text=\n"),
	SAYS("* ok \r\n", "condition OK text=\n"),
	SAYS("* OK bare LF\n", "condition OK text=bare LF\n"),
	SAYS("* BYE see you  \r\n", "condition BYE text=see you\n"),
	SAYS("* PREAUTH hello\r\n", "condition PREAUTH text=hello\n"),
	SAYS("* NO text that ends like a literal {3}\r\nA1 OK\r\n",
	     "condition NO text=text that ends like a literal {3}\ntagged tag=A1 OK text=\n"),
	SAYS("* OK a\0b\r\n", "condition OK text=a<00>b\n"),
	SAYS("A1 OK done\r\n", "tagged tag=A1 OK text=done\n"),
	SAYS("any.tag/1 bad what {1}\r\n", "tagged tag=any.tag/1 BAD text=what {1}\n"),
	SAYS("a NO\r\n", "tagged tag=a NO text=\n"),
	SAYS("+ go ahead\r\n", "continuation text=go ahead\n"),
	SAYS("+\r\n", "continuation text=\n"),
	SAYS("+ \r\n", "continuation text=\n"),
	SAYS("+ PDEyMw==\r\n", "continuation text=PDEyMw==\n"),
	SAYS("\r\n\n* OK after empty lines\r\n", "condition OK text=after empty lines\n"),
	SAYS("*\r\n", "other text=\n"),
	SAYS("* OK no line end", ""),
};

static const struct row codes[] = {
	SAYS("* OK [UIDVALIDITY 0] x\r\n", "condition OK code=UIDVALIDITY rest=0 text=x\n"),
	SAYS("* OK [uidnext 4392]\r\n", "condition OK code=UIDNEXT rest=4392 number=4392 text=\n"),
	SAYS("* OK [HIGHESTMODSEQ 90060115205545359] x\r\n",
	     "condition OK code=HIGHESTMODSEQ rest=90060115205545359 number=90060115205545359 "
	     "text=x\n"),
	SAYS("* OK [NOMODSEQ] x\r\n", "condition OK code=NOMODSEQ text=x\n"),
	SAYS("* OK [PERMANENTFLAGS (\\Seen \\* [Gmail] domain.com)] x\r\n",
	     "condition OK code=PERMANENTFLAGS rest=(\\Seen \\* [Gmail] domain.com) "
	     "atoms=(\\Seen \\* [Gmail] domain.com) text=x\n"),
	SAYS("* OK [PERMANENTFLAGS ()] x\r\n", "condition OK code=PERMANENTFLAGS rest=() text=x\n"),
	SAYS("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x\r\n",
	     "condition OK code=CAPABILITY rest=IMAP4rev1 AUTH=PLAIN "
	     "atoms=(IMAP4rev1 AUTH=PLAIN) text=x\n"),
	SAYS("A1 OK [APPENDUID 38505 3955] done\r\n",
	     "tagged tag=A1 OK code=APPENDUID rest=38505 3955 number=38505 uids=3955 text=done\n"),
	SAYS("A1 OK [APPENDUID 38505 3955:3957,3960] done\r\n",
	     "tagged tag=A1 OK code=APPENDUID rest=38505 3955:3957,3960 number=38505 "
	     "uids=3955:3957,3960 text=done\n"),
	SAYS("A1 OK [APPENDUID 1 1:4294967295] done\r\n",
	     "tagged tag=A1 OK code=APPENDUID rest=1 1:4294967295 number=1 uids=1:4294967295 "
	     "text=done\n"),
	SAYS("A1 OK [APPENDUID 1 0] d\r\n", "tagged tag=A1 OK code=APPENDUID rest=1 0 text=d\n"),
	SAYS("A1 OK [APPENDUID 1] d\r\n", "tagged tag=A1 OK code=APPENDUID rest=1 text=d\n"),
	SAYS("A1 OK [APPENDUID 1 9,4294967296] d\r\n",
	     "tagged tag=A1 OK code=APPENDUID rest=1 9,4294967296 text=d\n"),
	SAYS("A1 OK [COPYUID 38505 304,319:320 3956:3958] d\r\n",
	     "tagged tag=A1 OK code=COPYUID rest=38505 304,319:320 3956:3958 number=38505 "
	     "source=304,319:320 uids=3956:3958 text=d\n"),
	SAYS("A1 OK [MODIFIED 7,9] d\r\n",
	     "tagged tag=A1 OK code=MODIFIED rest=7,9 uids=7,9 text=d\n"),
	SAYS("A1 NO [BADCHARSET (US-ASCII \"x]y\" UTF-8)] d\r\n",
	     "tagged tag=A1 NO code=BADCHARSET rest=(US-ASCII \"x]y\" UTF-8) "
	     "atoms=(US-ASCII x]y UTF-8) text=d\n"),
	SAYS("A1 NO [BADCHARSET] d\r\n", "tagged tag=A1 NO code=BADCHARSET text=d\n"),
	SAYS("A1 NO [X-NEW (a (b)) c] d\r\n",
	     "tagged tag=A1 NO code=X-NEW rest=(a (b)) c text=d\n"),
	SAYS("A1 NO [X-NEW (a] d\r\n", "tagged tag=A1 NO code=X-NEW rest=(a text=d\n"),
	SAYS("A1 NO [UIDNEXT 5 no bracket\r\n",
	     "tagged tag=A1 NO code=UIDNEXT rest=5 no bracket number=5 "
	     "text=[UIDNEXT 5 no bracket\n"),
	SAYS("A1 NO [] d\r\n", "tagged tag=A1 NO text=d\n"),
	SAYS("* OK [MAILBOXID (F2212)] x\r\n",
	     "condition OK code=MAILBOXID rest=(F2212) atoms=(F2212) text=x\n"),
	SAYS("* NO [ALERT]\r\n", "condition NO code=ALERT text=\n"),
};

static const struct row simple[] = {
	SAYS("* CAPABILITY IMAP4rev1 UIDPLUS \r\n", "capability atoms=(IMAP4rev1 UIDPLUS)\n"),
	SAYS("* capability\r\n", "capability atoms=()\n"),
	SAYS("* ENABLED CONDSTORE\r\n", "enabled atoms=(CONDSTORE)\n"),
	SAYS("* FLAGS (\\Seen $NotJunk \\X-Foo)\r\n", "flags atoms=(\\Seen $NotJunk \\X-Foo)\n"),
	SAYS("* FLAGS ()\r\n", "flags atoms=()\n"),
	SAYS("* 23 EXISTS\r\n", "exists number=23\n"),
	SAYS("* 0 exists \r\n", "exists number=0\n"),
	SAYS("* 4 RECENT\r\n* 44 EXPUNGE\r\n", "recent number=4\nexpunge number=44\n"),
	SAYS("*  7  EXISTS\r\n", "exists number=7\n"),
	SAYS("* 7 COOKIES (a {3}\r\nb)c d)\r\n", "other text=7 COOKIES (a {3}<0d><0a>b)c d)\n"),
	SAYS("* XYZZY {5}\r\n* 1 X\r\n* OK\r\n",
	     "other text=XYZZY {5}<0d><0a>* 1 X\ncondition OK text=\n"),
	SAYS("* QUOTA \"\" (STORAGE 10 512)\r\n", "quota text=QUOTA \"\" (STORAGE 10 512)\n"),
	SAYS("* QUOTAROOT INBOX \"\"\r\n", "quota text=QUOTAROOT INBOX \"\"\n"),
	SAYS("* ID (\"name\" \"Dovecot\" \"version\" NIL)\r\n", "id name=Dovecot version=NIL\n"),
	SAYS("* ID NIL\r\n", "id\n"),
	SAYS("* ID (\"name\" oops)\r\n", "id\n"),
	SAYS("* NAMESPACE ((\"\" \"/\")(\"INBOX.\" \".\")) NIL "
	     "((\"#shared/\" \"/\" \"X\" (\"y\")))\r\n",
	     "namespace personal=(:/ INBOX.:.) others=() shared=(#shared/:/)\n"),
	SAYS("* NAMESPACE ((\"\" NIL)) nil\r\n", "namespace personal=(:NIL) others=() shared=()\n"),
	SAYS("* NAMESPACE ((\"\" \"/\")) ((\"x\") NIL\r\n",
	     "namespace personal=(:/) others=() shared=()\n"),
	SAYS("* FLAGS what\r\n", "flags atoms=()\n"),
	SAYS("* VANISHED (EARLIER) 41,43:116,118\r\n", "vanished earlier uids=41,43:116,118\n"),
	SAYS("* VANISHED 5\r\n", "vanished uids=5\n"),
};

static const struct row lists[] = {
	SAYS("* LIST (\\HasNoChildren) \"/\" INBOX\r\n",
	     "list list attributes=(\\HasNoChildren) separator=/ name=INBOX\n"),
	SAYS("* LIST () NIL 2016\r\n", "list list attributes=() separator=NIL name=2016\n"),
	SAYS("* list () \".\" \"a \\\"b\\\\c\"\r\n",
	     "list list attributes=() separator=. name=a \"b\\c\n"),
	SAYS("* LIST () \"/\" \"a\\b\"\r\n", "list list attributes=() separator=/ name=a\\b\n"),
	SAYS("* LIST () \"/\" {7}\r\na\r\n\"(b)\r\n",
	     "list list attributes=() separator=/ name=a<0d><0a>\"(b)\n"),
	SAYS("* LIST () \"/\" {0}\r\n\r\n", "list list attributes=() separator=/ name=\n"),
	SAYS("* LIST () \"/\" {3}\na\r\r\n",
	     "list list attributes=() separator=/ name=a<0d><0d>\n"),
	SAYS("* LIST () \"/\" {3+}\nabc\n", "list list attributes=() separator=/ name=abc\n"),
	SAYS("* LIST () \"/\" Entw\303\274rfe\r\n",
	     "list list attributes=() separator=/ name=Entw<c3><bc>rfe\n"),
	SAYS("* LIST () \"\\\\\" \"a\\\\b\"\r\n",
	     "list list attributes=() separator=\\ name=a\\b\n"),
	SAYS("* LIST () \"\\\" INBOX\r\n", "list list attributes=() separator=\\ name=INBOX\n"),
	SAYS("* LIST (\\Noselect) \"/\" \"\"\r\n",
	     "list list attributes=(\\Noselect) separator=/ name=\n"),
	SAYS("* LIST (\\Noselect) \"/\"\r\n",
	     "list list attributes=(\\Noselect) separator=/ name=\n"),
	SAYS("* LIST () \"|\" [Gmail]/100%*\r\n",
	     "list list attributes=() separator=| name=[Gmail]/100%*\n"),
	SAYS("* LIST () \"/\" foo{3}\r\n", "list list attributes=() separator=/ name=foo{3}\n"),
	SAYS("* LIST () \"/\" Sent Items\r\n",
	     "list list attributes=() separator=/ name=Sent Items\n"),
	SAYS("* LIST () \"/\" NIL\r\n", "list list attributes=() separator=/ name=NIL\n"),
	SAYS("* LSUB () \"/\" x \r\n", "list lsub attributes=() separator=/ name=x\n"),
	SAYS("* XLIST (\\HasNoChildren \\Inbox) \"/\" \"&kK5O9g-\"\r\n",
	     "list xlist attributes=(\\HasNoChildren \\Inbox) separator=/ name=&kK5O9g-\n"),
	SAYS("* LIST () \"/\" foo (CHILDINFO (\"SUBSCRIBED\"))\r\n",
	     "list list attributes=() separator=/ name=foo\n"),
	SAYS("* LIST () \"/\" \"new\" (\"X\" 5 \"OLDNAME\" (\"old \\\"one\"))\r\n",
	     "list list attributes=() separator=/ name=new old=old \"one\n"),
	SAYS("* LIST () \"/\" new (OLDNAME ({3}\r\nold) X\r\n",
	     "list list attributes=() separator=/ name=new old=old\n"),
};

static const struct row statuses[] = {
	SAYS("* STATUS INBOX (MESSAGES 231 UIDNEXT 44292 UIDVALIDITY 1 UNSEEN 5)\r\n",
	     "status name=INBOX messages=231 uidnext=44292 uidvalidity=1 unseen=5\n"),
	SAYS("* STATUS \"a b\" (SIZE 1125899906842624 HIGHESTMODSEQ 0 DELETED 3 )\r\n",
	     "status name=a b highestmodseq=0 size=1125899906842624 deleted=3\n"),
	SAYS("* STATUS {3}\r\na b (appendlimit NIL MAILBOXID (F22))\r\n",
	     "status name=a b appendlimit=18446744073709551615 mailboxid=F22\n"),
	SAYS("* STATUS a (APPENDLIMIT 257890)\r\n", "status name=a appendlimit=257890\n"),
	SAYS("* STATUS Sent Items (MESSAGES 2)\r\n", "status name=Sent Items messages=2\n"),
	SAYS("* STATUS a (X-NEW (1 (2)) MESSAGES 1 UNSEEN NIL UIDNEXT 99999999999)\r\n",
	     "status name=a messages=1 uidnext=99999999999\n"),
	SAYS("* STATUS what\r\n", "other text=STATUS what\n"),
	SAYS("* STATUS a ()\r\n", "status name=a\n"),
	SAYS("* STATUS a (MESSAGES 1\r\n", "status name=a messages=1\n"),
};

static const struct row searches[] = {
	SAYS("* SEARCH\r\n", "search found=\n"),
	SAYS("* SEARCH \r\n", "search found=\n"),
	SAYS("* SEARCH 2 84 882\r\n", "search found=2,84,882\n"),
	SAYS("* SEARCH 2 5 (MODSEQ 917162500)\r\n", "search found=2,5 modseq=917162500\n"),
	SAYS("* SEARCH 0\r\n", "search found=\n"),
	SAYS("* ESEARCH\r\n", "search found=\n"),
	SAYS("* ESEARCH (TAG \"A285\") UID MIN 7 MAX 3800 COUNT 15 ALL 7,10:12\r\n",
	     "search tag=A285 by_uid found=7,10:12 count=15 min=7 max=3800\n"),
	SAYS("* ESEARCH (TAG A1) COUNT 0 X-NEW (1 2) MODSEQ 5\r\n",
	     "search tag=A1 found= count=0 modseq=5\n"),
};

static const struct row fetches[] = {
	SAYS("* 12 FETCH (UID 3 FLAGS (\\Seen) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" "
	     "RFC822.SIZE 123)\r\n",
	     "fetch sequence=12 uid=3 flags=(\\Seen) date=17-Jul-1996 02:44:25 -0700 size=123\n"),
	SAYS("* 1 FETCH (FLAGS ())\r\n", "fetch sequence=1 flags=()\n"),
	SAYS("* 1 fetch (flags (\\X-Foo $NotJunk domain.com [Gmail] \"quoted\"))\r\n",
	     "fetch sequence=1 flags=(\\X-Foo $NotJunk domain.com [Gmail] quoted)\n"),
	SAYS("* 1 FETCH (MODSEQ (624140003) UID 7 X-GM-MSGID 1278455344230334865)\r\n",
	     "fetch sequence=1 uid=7 modseq=624140003 gm_msgid=1278455344230334865\n"),
	SAYS("* 1 FETCH (EMAILID (M6d99ac3275bb4e) THREADID NIL UID 7)\r\n",
	     "fetch sequence=1 uid=7 emailid=M6d99ac3275bb4e\n"),
	SAYS("* 1 FETCH (UID 4294967296 RFC822.SIZE 18446744073709551615)\r\n",
	     "fetch sequence=1 size=18446744073709551615\n"),
	SAYS("* 1 FETCH (UID 0 RFC822.SIZE -1 FLAGS (a))\r\n", "fetch sequence=1 flags=(a)\n"),
	SAYS("* 99999999999 FETCH (UID 1)\r\n", "fetch sequence=0 uid=1\n"),
	SAYS("* -1 FETCH (UID 1)\r\n", "fetch sequence=0 uid=1\n"),
	SAYS("* 1 FETCH ()\r\n", "fetch sequence=1\n"),
	SAYS("* 1 FETCH\r\n", "fetch sequence=1\n"),
	SAYS("* 1 FETCH (UID 5 \r\n", "fetch sequence=1 uid=5\n"),
	SAYS("* 1 FETCH (X-GM-LABELS (\\Inbox \"\\\\Sent\" \"a (b\") UID 1)\r\n",
	     "fetch sequence=1 uid=1\n"),
	SAYS("* 1 FETCH (ENVELOPE (NIL {4}\r\n\"(x\" NIL) UID 1 BODY (\"text\" 1) "
	     "BINARY.SIZE[1] 5)\r\n",
	     "fetch sequence=1 uid=1\n"),
};

static const struct row dates[] = {
	SAYS("* 1 FETCH (INTERNALDATE \" 7-Jul-1996 02:44:25 +0000\")\r\n",
	     "fetch sequence=1 date= 7-Jul-1996 02:44:25 +0000\n"),
	SAYS("* 1 FETCH (INTERNALDATE \"garbage\" UID 1)\r\n",
	     "fetch sequence=1 uid=1 bad_date=garbage\n"),
	SAYS("* 1 FETCH (INTERNALDATE \"\" UID 1)\r\n", "fetch sequence=1 uid=1 bad_date=\n"),
	SAYS("* 1 FETCH (INTERNALDATE NIL UID 1)\r\n", "fetch sequence=1 uid=1\n"),
};

static const struct row bodies[] = {
	SAYS("* 1 FETCH (UID 5 FLAGS (\\Seen) BODY[] {5}\r\nhello)\r\n",
	     "begin fetch sequence=1 uid=5 flags=(\\Seen) section= body_size=5\n"
	     "body hello\nend\n"
	     "fetch sequence=1 uid=5 flags=(\\Seen) section= body_size=5\n"),
	SAYS("* 1 FETCH (BODY.PEEK[] {1}\r\nx)\r\n",
	     "begin fetch sequence=1 section= body_size=1\nbody x\nend\n"
	     "fetch sequence=1 section= body_size=1\n"),
	SAYS("* 1 FETCH (BODY[HEADER.FIELDS (\"a]b\" c)] \"x\" UID[1] 7 UID 5)\r\n",
	     "begin fetch sequence=1 section=HEADER.FIELDS (\"a]b\" c) body_size=1\nbody x\nend\n"
	     "fetch sequence=1 uid=5 section=HEADER.FIELDS (\"a]b\" c) body_size=1\n"),
	SAYS("* 1 FETCH (UID 5 UID[1] 7)\r\n", "fetch sequence=1 uid=5\n"),
	SAYS("* 1 FETCH (BODY[HEADER] ~{3+}\na\0b UID 5 FLAGS (\\Seen))\n",
	     "begin fetch sequence=1 section=HEADER body_size=3\nbody a<00>b\nend\n"
	     "fetch sequence=1 uid=5 flags=(\\Seen) section=HEADER body_size=3\n"),
	SAYS("* 1 FETCH (BINARY[1.2] {1}\r\n) RFC822.HEADER {2}\r\n\r\n UID 1 RFC822 {1}\r\nx "
	     "RFC822.TEXT {0}\r\n)\r\n",
	     "begin fetch sequence=1 section=1.2 body_size=1\nbody )\nend\n"
	     "begin fetch sequence=1 section=HEADER body_size=2\nbody <0d><0a>\nend\n"
	     "begin fetch sequence=1 uid=1 section= body_size=1\nbody x\nend\n"
	     "begin fetch sequence=1 uid=1 section=TEXT body_size=0\nend\n"
	     "fetch sequence=1 uid=1 section=TEXT body_size=0\n"),
	SAYS("* 1 FETCH (BODY[HEADER.FIELDS (Message-ID \"X (\")]<0> {3}\r\nabc)\r\n",
	     "begin fetch sequence=1 section=HEADER.FIELDS (Message-ID \"X (\") body_size=3\n"
	     "body abc\nend\n"
	     "fetch sequence=1 section=HEADER.FIELDS (Message-ID \"X (\") body_size=3\n"),
	SAYS("* 1 FETCH (body[]{3}\r\nabc)\r\n",
	     "begin fetch sequence=1 section= body_size=3\nbody abc\nend\n"
	     "fetch sequence=1 section= body_size=3\n"),
	SAYS("* 1 FETCH (BODY[] \"a \\\"q\\\\\" UID 5)\r\n",
	     "begin fetch sequence=1 section= body_size=5\nbody a \"q\\\nend\n"
	     "fetch sequence=1 uid=5 section= body_size=5\n"),
	SAYS("* 1 FETCH (UID 5 FLAGS (x) BODY[] \"\")\r\n",
	     "begin fetch sequence=1 uid=5 flags=(x) section= body_size=0\nend\n"
	     "fetch sequence=1 uid=5 flags=(x) section= body_size=0\n"),
	SAYS("* 1 FETCH (BODY[1] \"one\" FLAGS (x) BODY[2] {3}\r\ntwo BODY[3] \"three\")\r\n",
	     "begin fetch sequence=1 section=1 body_size=3\nbody one\nend\n"
	     "begin fetch sequence=1 flags=(x) section=2 body_size=3\nbody two\nend\n"
	     "begin fetch sequence=1 flags=(x) section=3 body_size=5\nbody three\nend\n"
	     "fetch sequence=1 flags=(x) section=3 body_size=5\n"),
	SAYS("* 1 FETCH (BODY[] NIL UID 5)\r\n", "fetch sequence=1 uid=5 body_nil\n"),
	SAYS("* 1 FETCH (UID 5 RFC822.HEADER )\r\n", "fetch sequence=1 uid=5 body_nil\n"),
	/* A header name as literal in the section: not streamed from the wire, yet a body. */
	SAYS("* 1 FETCH (BODY[HEADER.FIELDS ({1}\r\nX)] {3}\r\nabc UID 5)\r\n",
	     "begin fetch sequence=1 section=HEADER.FIELDS ({1}<0d><0a>X) body_size=3\n"
	     "body abc\nend\n"
	     "fetch sequence=1 uid=5 section=HEADER.FIELDS ({1}<0d><0a>X) body_size=3\n"),
	SAYS("* 1 FETCH (X-BODY[] {3}\r\nabc UID 5)\r\n", "fetch sequence=1 uid=5\n"),
	/* A server that breaks the line between the body and the bracket. */
	SAYS("* 1 FETCH (BODY[] {3}\r\nabc\r\n)\r\n* 2 EXISTS\r\n",
	     "begin fetch sequence=1 section= body_size=3\nbody abc\nend\n"
	     "fetch sequence=1 section= body_size=3\nexists number=2\n"),
};

/* BODYSTRUCTURE and ENVELOPE whose quotes do not match, as NetEase sends them. */
static const struct row broken[] = {
	SAYS("* 1 FETCH (UID 5 BODYSTRUCTURE (\"a\" \"\"\"\" NIL) FLAGS (x))\r\n",
	     "fetch sequence=1 uid=5 flags=(x)\n"),
	SAYS("* 1 FETCH (UID 5 BODYSTRUCTURE (\"a\" \"b\"c\" NIL) FLAGS (x))\r\n",
	     "fetch sequence=1 uid=5 flags=(x)\n"),
	SAYS("* 1 FETCH (UID 5 ENVELOPE (\"a\" \"b\" \"c NIL)) FLAGS (x))\r\n* 2 EXISTS\r\n",
	     "fetch sequence=1 uid=5\nexists number=2\n"),
	SAYS("* 1 FETCH (UID 5 ENVELOPE (((\"a\") FLAGS (x))\r\n* 2 EXISTS\r\n",
	     "fetch sequence=1 uid=5\nexists number=2\n"),
	SAYS("* 1 FETCH (UID 5 ENVELOPE (\"a \"b\" \"c) BODY[] {3}\r\nabc FLAGS (x))\r\n",
	     "begin fetch sequence=1 uid=5 section= body_size=3\nbody abc\nend\n"
	     "fetch sequence=1 uid=5 flags=(x) section= body_size=3\n"),
};

static const struct row refused[] = {
	SAYS("* 1 FETCH (BODY[] {3}\r\nabc FLAGS (\r\n",
	     "begin fetch sequence=1 section= body_size=3\nbody abc\nend\n"
	     "bad a FETCH that does not end after its body: \" FLAGS (??\"\n"),
	SAYS("HTTP/1.1 400 Bad Request\r\n",
	     "bad a response that cannot be read: \"HTTP/1.1 400 Bad Request\"\n"),
	SAYS("garbage\001\r\n", "bad a response that cannot be read: \"garbage?\"\n"),
	SAYS("* SEARCH 1 x 3\r\n", "bad a response that cannot be read: \"* SEARCH 1 x 3\"\n"),
	SAYS("* ESEARCH ALL 1,,3\r\n",
	     "bad a response that cannot be read: \"* ESEARCH ALL 1,,3\"\n"),
	SAYS("* VANISHED\r\n", "bad a response that cannot be read: \"* VANISHED\"\n"),
	SAYS("* 4294967296 EXISTS\r\n",
	     "bad a response that cannot be read: \"* 4294967296 EXISTS\"\n"),
	SAYS("* LIST what\r\n", "bad a response that cannot be read: \"* LIST what\"\n"),
	SAYS("* LIST () \"/\" {99999999999}\r\n",
	     "bad a literal of 99999999999 bytes in a response of at most 1000\n"),
	SAYS("* LIST () \"/\" {18446744073709551616}\r\n",
	     "bad a literal of more bytes than can be: \"18446744073709551616\"\n"),
	SAYS("* 1 FETCH (BODY[] {18446744073709551615}\r\n",
	     "bad a body of 18446744073709551615 bytes\n"),
	SAYS("* 1 FETCH (BODY[] {2001}\r\n", "bad a body of 2001 bytes\n"),
	SAYS("* 1 FETCH (X {1001}\r\n",
	     "bad a literal of 1001 bytes in a response of at most 1000\n"),
	/* The literal was longer than its number: what follows is the rest of the message. */
	SAYS("* 1 FETCH (BODY[] {5}\r\nhello world)\r\n",
	     "begin fetch sequence=1 section= body_size=5\nbody hello\nend\n"
	     "bad a FETCH that cannot be read after its body: \" world)\"\n"),
	SAYS("* 1 FETCH (BODY[] {4}\r\nhello)\r\n",
	     "begin fetch sequence=1 section= body_size=4\nbody hell\nend\n"
	     "bad a FETCH that does not go on after a body of 4 bytes\n"),
	SAYS("* 1 FETCH (BODY[] {5}\r\nhello\r\n* OK\r\n",
	     "begin fetch sequence=1 section= body_size=5\nbody hello\nend\n"
	     "bad a FETCH that does not go on after a body of 5 bytes\n"),
	SAYS("* 1 FETCH (BODY[] {5}\r\nhello UID 5\r\n",
	     "begin fetch sequence=1 section= body_size=5\nbody hello\nend\n"
	     "bad a FETCH that does not end after its body: \" UID 5??\"\n"),
};

static const struct imap_parser_limits small = { 1000, 2000 };

/* Pieces of `first` bytes and then of `then` bytes. */
struct cut {
	size_t first, then;
};

static size_t cut_size(void *context)
{
	struct cut *cut = context;
	size_t n = cut->first;

	cut->first = cut->then;
	return n;
}

static void check_cut(struct check *check, struct bytes in, const char *want, struct cut cut)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	size_t first = cut.first;

	imap_dump(&got, small, in, cut_size, &cut);
	if (strcmp(buf_str(&got), want) != 0)
		CHECK_FAIL("%.*s\ncut at %zu gives\n%swant\n%s", BYTES_ARG(in), first,
			   buf_str(&got), want);
}

static void check_cuts(struct check *check, struct bytes in, const char *want)
{
	check_cut(check, in, want, (struct cut){ in.n, in.n });
	for (size_t i = 1; i < in.n; i++)
		check_cut(check, in, want, (struct cut){ i, in.n });
	check_cut(check, in, want, (struct cut){ 1, 1 });
	check_cut(check, in, want, (struct cut){ 2, 3 });
}

static void check_rows(struct check *check, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_cuts(check, rows[i].in, rows[i].out);
}

#define ROWS_TEST(rows)                                                                            \
	static void test_##rows(struct check *check)                                               \
	{                                                                                          \
		check_rows(check, rows, ARRAY_SIZE(rows));                                         \
	}                                                                                          \
	struct rows_test_needs_semicolon_

ROWS_TEST(conditions);
ROWS_TEST(codes);
ROWS_TEST(simple);
ROWS_TEST(lists);
ROWS_TEST(statuses);
ROWS_TEST(searches);
ROWS_TEST(fetches);
ROWS_TEST(dates);
ROWS_TEST(bodies);
ROWS_TEST(broken);
ROWS_TEST(refused);

static void test_dialogue(struct check *check)
{
	static const struct {
		const struct row *rows;
		size_t n;
	} parts[] = {
		{ simple, ARRAY_SIZE(simple) },   { lists, ARRAY_SIZE(lists) },
		{ codes, ARRAY_SIZE(codes) },     { statuses, ARRAY_SIZE(statuses) },
		{ fetches, ARRAY_SIZE(fetches) }, { broken, ARRAY_SIZE(broken) },
		{ bodies, ARRAY_SIZE(bodies) },   { searches, ARRAY_SIZE(searches) },
	};
	_cleanup_(buf_done) struct buf in = BUF_NULL, want = BUF_NULL;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		for (size_t j = 0; j < parts[i].n; j++) {
			buf_append_bytes(&in, parts[i].rows[j].in);
			buf_append_str(&want, parts[i].rows[j].out);
		}
	}
	check_cuts(check, buf_bytes(&in), buf_str(&want));
}

/* A line of n bytes, all told. */
static void make_line(struct buf *to, size_t n)
{
	buf_reset(to);
	buf_append_str(to, "* OK ");
	while (to->n < n - 2)
		buf_append_char(to, 'x');
	buf_append_str(to, "\r\n");
}

static void test_limit(struct check *check)
{
	_cleanup_(buf_done) struct buf in = BUF_NULL, got = BUF_NULL;

	make_line(&in, 1000);
	imap_dump(&got, small, buf_bytes(&in), NULL, NULL);
	CHECK(bytes_starts(buf_bytes(&got), BYTES("condition OK")));
	check_cuts(check, buf_bytes(&in), buf_str(&got));

	make_line(&in, 1001);
	check_cuts(check, buf_bytes(&in), "bad a response of more than 1000 bytes\n");
}

/* Bodies do not count, all else of the response does, before and after them. */
static void test_limit_around_bodies(struct check *check)
{
	_cleanup_(buf_done) struct buf in = BUF_NULL, got = BUF_NULL;

	buf_append_str(&in, "* 1 FETCH (BODY[] {2000}\r\n");
	for (int i = 0; i < 2000; i++)
		buf_append_char(&in, 'b');
	while (in.n < 2997)
		buf_append_char(&in, ' ');
	buf_append_str(&in, ")\r\n");
	imap_dump(&got, small, buf_bytes(&in), NULL, NULL);
	CHECK(bytes_find(buf_bytes(&got), BYTES("\nfetch ")) > 0);

	in.n -= 3;
	buf_append_str(&in, " )\r\n");
	buf_reset(&got);
	imap_dump(&got, small, buf_bytes(&in), NULL, NULL);
	CHECK(bytes_find(buf_bytes(&got), BYTES("\nbad a response of more than 1000")) > 0);
}

/* The body must come as slices of the caller's own memory. */
static void test_body_is_not_copied(struct check *check)
{
	_cleanup_(imap_parser_freep) struct imap_parser *parser =
		imap_parser_new(IMAP_PARSER_LIMITS);
	struct bytes input = BYTES("* 1 FETCH (BODY[] {5}\r\nhello)\r\n"), all = input, data;
	const struct imap_response *response;

	CHECK_EQ(imap_parser_next(parser, &input, &response, &data), IMAP_EVENT_BODY_BEGIN);
	CHECK_EQ(imap_parser_next(parser, &input, &response, &data), IMAP_EVENT_BODY);
	CHECK(data.p == all.p + 23 && data.n == 5);
	CHECK_EQ(imap_parser_next(parser, &input, &response, &data), IMAP_EVENT_BODY_END);
	CHECK_EQ(imap_parser_next(parser, &input, &response, &data), IMAP_EVENT_RESPONSE);
	CHECK_EQ(imap_parser_next(parser, &input, &response, &data), IMAP_EVENT_MORE);
}

static void test_bad_stays_until_reset(struct check *check)
{
	_cleanup_(imap_parser_freep) struct imap_parser *parser =
		imap_parser_new(IMAP_PARSER_LIMITS);
	struct bytes input = BYTES("junk\r\n* 1 EXISTS\r\n"), data;
	const struct imap_response *response;

	CHECK_EQ(imap_parser_next(parser, &input, &response, &data), IMAP_EVENT_BAD);
	CHECK_EQ(imap_parser_next(parser, &input, &response, &data), IMAP_EVENT_BAD);
	CHECK(imap_parser_error(parser)[0] != '\0');
	imap_parser_reset(parser);
	CHECK_STR(imap_parser_error(parser), "");
	CHECK_EQ(imap_parser_next(parser, &input, &response, &data), IMAP_EVENT_RESPONSE);
	CHECK_EQ(response->number, 1);
}

static void test_reset_forgets_half_a_line(struct check *check)
{
	_cleanup_(imap_parser_freep) struct imap_parser *parser =
		imap_parser_new(IMAP_PARSER_LIMITS);
	struct bytes half = BYTES("* 1 FETCH (BODY[] {99}\r\nabc"), input = BYTES("* 2 EXISTS\r\n");
	const struct imap_response *response;
	struct bytes data;

	while (imap_parser_next(parser, &half, &response, &data) != IMAP_EVENT_MORE)
		;
	imap_parser_reset(parser);
	CHECK_EQ(imap_parser_next(parser, &input, &response, &data), IMAP_EVENT_RESPONSE);
	CHECK_EQ(response->kind, IMAP_EXISTS);
}

static void test_atoms_has(struct check *check)
{
	const struct bytes words[] = { BYTES("IMAP4rev1"), BYTES("UIDPLUS") };
	struct imap_atoms atoms = { words, 2 };

	CHECK(imap_atoms_has(atoms, "uidplus"));
	CHECK(!imap_atoms_has(atoms, "uid"));
	CHECK(!imap_atoms_has((struct imap_atoms){ NULL, 0 }, "uid"));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "conditions", test_conditions },
		{ "codes", test_codes },
		{ "simple responses", test_simple },
		{ "lists", test_lists },
		{ "statuses", test_statuses },
		{ "searches", test_searches },
		{ "fetches", test_fetches },
		{ "dates in fetches", test_dates },
		{ "bodies", test_bodies },
		{ "broken fetches", test_broken },
		{ "refused", test_refused },
		{ "a dialogue cut everywhere", test_dialogue },
		{ "limit", test_limit },
		{ "limit around bodies", test_limit_around_bodies },
		{ "body is not copied", test_body_is_not_copied },
		{ "bad stays until reset", test_bad_stays_until_reset },
		{ "reset forgets half a line", test_reset_forgets_half_a_line },
		{ "atoms_has", test_atoms_has },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
