/* SPDX-License-Identifier: Apache-2.0 */
/* Commands against a peer in memory: what is sent to the byte, and what is made of answers good and bad. What concerns
 * CONDSTORE is in test-changes.c. */
#include <inttypes.h>
#include <stdio.h>

#include "base/xalloc.h"
#include "imap/test-talk.h"
#include "imap/write.h"

static const struct imap_range some[] = { { 2, 3 }, { 7, 7 } };

/* --- FETCH of attributes --------------------------------------------------------------------- */

static int items_of(struct talk *t, unsigned items)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	struct imap_messages messages;
	struct fault why;

	imap_messages_init(&messages);
	if (imap_fetch_items_of(t->s, some, 2, items, &messages, &why) < 0)
		put_fault(&got, &why);
	else
		put_messages(&got, &messages);
	same(t, &got);
	imap_messages_done(&messages);
	return 0;
}

static int no_items(struct talk *t, struct fault *fault)
{
	return items_of(t, 0);
}

static int all_items(struct talk *t, struct fault *fault)
{
	return items_of(t, IMAP_ITEM_SIZE | IMAP_ITEM_FLAGS | IMAP_ITEM_DATE);
}

static void fetch(struct check *check, int (*client)(struct talk *t, struct fault *fault), const char *items,
		  const char *answer, const char *want)
{
	char line[100];
	const char *script[] = { line, answer, NULL };

	snprintf(line, sizeof(line), "m1 UID FETCH 2:3,7 (UID%s)\r\n", items);
	play(check, &(struct play){ .client = client, .script = script, .want = want });
}

static void items(struct check *check)
{
	static const char all[] = " FLAGS INTERNALDATE RFC822.SIZE";

	fetch(check, no_items, "", "* 1 FETCH (UID 2)\r\n* 3 FETCH (UID 7)\r\nm1 OK\r\n", "2() 7() ");
	fetch(check, all_items, all,
	      "* 1 FETCH (UID 2 FLAGS (\\Seen \\Recent) INTERNALDATE \" 1-Jan-1970 00:00:09 +0000\" RFC822.SIZE 5)\r\n"
	      "* 2 FETCH (UID 3 MODSEQ (5) FLAGS (A B))\r\nm1 OK\r\n", "2(\\Seen)s5d9 3(A B) ");

	/* Only those asked for, each once, the later flags, in order whatever the server's. */
	fetch(check, all_items, all,
	      "* 9 FETCH (UID 7 FLAGS (old) RFC822.SIZE 9)\r\n* 1 FETCH (UID 2 FLAGS (x))\r\n* 2 FETCH (UID 3 FLAGS (y))\r\n"
	      "* 9 FETCH (UID 7 FLAGS (new))\r\n* 4 FETCH (UID 5 FLAGS ())\r\n* 5 FETCH (UID 1)\r\n* 6 FETCH (FLAGS (z))\r\n"
	      "m1 OK\r\n", "2(x) 3(y) 7(new)s9 ");
	fetch(check, all_items, all,
	      "* 9 FETCH (UID 7 FLAGS (old))\r\n* 1 FETCH (UID 2)\r\n* 9 FETCH (UID 7 FLAGS () RFC822.SIZE 3)\r\nm1 OK\r\n",
	      "2() 7()s3 ");
	fetch(check, all_items, all,
	      "* 9 FETCH (UID 7 FLAGS (told))\r\n* 1 FETCH (UID 2)\r\n* 9 FETCH (UID 7 RFC822.SIZE 3)\r\nm1 OK\r\n",
	      "2() 7(told)s3 ");
}

/* NO: with what came it is taken, without it is not; who wants to be left in peace is heard in any case. */
static void items_refused(struct check *check)
{
	fetch(check, no_items, "", "* 1 FETCH (UID 2)\r\nm1 NO Some messages could not be FETCHed (Failure)\r\n", "2() ");
	fetch(check, no_items, "", "m1 NO what\r\n", "refused message 2");
	fetch(check, no_items, "", "* 1 FETCH (UID 2)\r\nm1 NO [LIMIT] UID FETCH Rate limit hit.\r\n", "limit mailbox 1");
	fetch(check, no_items, "", "m1 OK\r\n", "");
}

/* So many single UIDs that they need several lines. */
enum { MANY = 4000 };

static struct imap_range *many_uids(void)
{
	struct imap_range *uids = xmalloc(MANY * sizeof(*uids));

	for (uint32_t i = 0; i < MANY; i++)
		uids[i] = (struct imap_range){ 1000001 + 2 * i, 1000001 + 2 * i };
	return uids;
}

static int fetch_many(struct talk *t, struct fault *fault)
{
	_cleanup_(freep) struct imap_range *uids = many_uids();
	struct check *check = t->check;
	struct imap_messages messages;

	imap_messages_init(&messages);
	EXPECT(imap_fetch_items_of(t->s, uids, MANY, 0, &messages, fault) == 0);
	EXPECT(messages.n == MANY && messages.p[0].uid == uids[0].low && messages.p[MANY - 1].uid == uids[MANY - 1].low);
	imap_messages_done(&messages);
	EXPECT(imap_store(t->s, uids, MANY, false, "\\Seen", fault) == 0);
	return imap_fetch_items_of(t->s, uids, 0, 0, &messages, fault); /* nothing to do: nothing is sent */
}

/* Takes lines until all UIDs were named, in order; answers each UID. */
static int answer_many(struct talk *t, const char *verb, bool with_data, struct fault *fault)
{
	struct check *check = t->check;
	_cleanup_(buf_done) struct buf line = BUF_NULL, answer = BUF_NULL;
	uint32_t next = 1000001, lines = 0;

	while (next < 1000001 + 2 * MANY) {
		char tag[12] = "", c = '\0';
		const char *at;

		buf_reset(&line);
		buf_reset(&answer);
		while (c != '\n') {
			if (stream_read(t->server_end, &c, 1, fault) <= 0)
				return -1;
			buf_append_char(&line, c);
		}
		EXPECT(line.n <= 8192);
		EXPECT(sscanf(buf_str(&line), "%11s", tag) == 1);
		at = strstr(buf_str(&line), verb);
		if (!EXPECT(at != NULL))
			return -1;
		for (at += strlen(verb); *at != ' '; at += *at == ',') {
			char *end;

			if (!EXPECT(strtoul(at, &end, 10) == next))
				return -1;
			if (with_data)
				buf_appendf(&answer, "* 1 FETCH (UID %" PRIu32 ")\r\n", next);
			next += 2;
			at = end;
		}
		buf_appendf(&answer, "%s OK\r\n", tag);
		if (stream_write(t->server_end, buf_bytes(&answer), fault) < 0)
			return -1;
		lines++;
	}
	EXPECT(lines == 4); /* 8 bytes a UID */
	return 0;
}

static int answer_both(struct talk *t, struct fault *fault)
{
	return answer_many(t, "UID FETCH ", true, fault) < 0 ? -1 : answer_many(t, "UID STORE ", false, fault);
}

static void long_sets(struct check *check)
{
	play(check, &(struct play){ .client = fetch_many, .server = answer_both });
}

/* --- headers --------------------------------------------------------------------------------- */

static int identities(struct talk *t, struct fault *fault)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	struct check *check = t->check;
	struct imap_identities all;
	struct fault why;

	if (imap_fetch_identities(t->s, some, 2, &all, &why) < 0)
		put_fault(&got, &why);
	for (size_t i = 0; i < all.n; i++) {
		buf_appendf(&got, "%" PRIu32 " %" PRIu64 " %s;", all.p[i].uid, all.p[i].header_size,
			    all.p[i].identity.message_id);
		EXPECT(imap_identities_find(&all, all.p[i].uid) == &all.p[i]);
		if (i && all.p[i].header_size && all.p[i - 1].header_size)
			EXPECT(memcmp(all.p[i].identity.header, all.p[i - 1].identity.header, 16) != 0);
	}
	EXPECT(!imap_identities_find(&all, 4));
	same(t, &got);
	imap_identities_done(&all);
	return 0;
}

#define THRICE                                                                                     \
	"* 7 FETCH (UID 7 BODY[HEADER] \"x\")\r\n* 3 FETCH (UID 3 BODY[HEADER] \"xy\")\r\n"            \
	"* 2 FETCH (UID 2 BODY[HEADER] \"xyz\")\r\n"

static void headers(struct check *check)
{
	static const char asked[] = "m1 UID FETCH 2:3,7 (UID BODY.PEEK[HEADER])\r\n";
	static const struct {
		const char *answer, *want;
	} cases[] = {
		{ "* 1 FETCH (UID 2 BODY[HEADER] {25}\r\nMessage-ID: <a\r\n b@c>\r\n\r\n)\r\n"
		  "* 2 FETCH (BODY[HEADER] {8}\r\nx: y\r\n\r\n UID 3)\r\n"
		  "* 3 FETCH (FLAGS (x) UID 7)\r\n* 3 FETCH (UID 7 BODY[HEADER] \"a: b\")\r\nm1 OK\r\n",
		  "2 25 <ab@c>;3 8 ;7 4 ;" },
		/* not handed out, not asked for, twice, in another order */
		{ "* 7 FETCH (UID 7 BODY[HEADER] {8}\r\nx: y\r\n\r\n)\r\n* 3 FETCH (UID 3 BODY[HEADER] NIL)\r\n"
		  "* 4 FETCH (UID 4 BODY[HEADER] {8}\r\nx: y\r\n\r\n)\r\n* 2 FETCH (UID 2 BODY[HEADER] {0}\r\n)\r\n"
		  "* 7 FETCH (UID 7 BODY[HEADER] {8}\r\nx: y\r\n\r\n)\r\n* 9 FETCH (BODY[HEADER] {1}\r\nx)\r\nm1 OK\r\n",
		  "2 0 ;3 0 ;7 8 ;" },
		{ "* 2 FETCH (UID 2 BODY[HEADER] {8}\r\nx: y\r\n\r\n BODY[TEXT] {5}\r\nz: 1\n)\r\nm1 NO one of many\r\n",
		  "2 8 ;" },
		/* the same again and again is kept once */
		{ THRICE THRICE THRICE THRICE "m1 OK\r\n", "2 3 ;3 2 ;7 1 ;" },
		{ "m1 NO no\r\n", "" },
		{ "* 2 FETCH (UID 2 BODY[HEADER] {8}\r\nx: y\r\n\r\n)\r\nm1 NO Request is throttled.\r\n", "limit mailbox 12 8 ;" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		play(check, &(struct play){ .client = identities, .want = cases[i].want,
					    .script = (const char *const[]){ asked, cases[i].answer, NULL } });
}

static int dates(struct talk *t, struct fault *fault)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	struct check *check = t->check;
	struct imap_message of[] = { { .uid = 2, .date = 1 }, { .uid = 3, .date = 1 }, { .uid = 7, .date = 1 } };
	struct imap_messages messages = { .p = of, .n = 3 };
	struct imap_message one = { .uid = 5, .date = 77 };

	if (imap_fetch_dates(t->s, some, 2, &messages, fault) < 0)
		return -1;
	for (size_t i = 0; i < 3; i++)
		buf_appendf(&got, "%" PRId64 "/%d ", of[i].date, of[i].zone_minutes);
	same(t, &got);

	EXPECT(imap_fetch_date_header(t->s, &one, fault) == 0 && one.date == 60 && one.zone_minutes == -60);
	EXPECT(imap_fetch_date_header(t->s, &one, fault) == 1 && one.date == IMAP_NO_DATE);
	return 0;
}

static void date_headers(struct check *check)
{
	static const char *const script[] = {
		"m1 UID FETCH 2:3,7 (UID BODY.PEEK[HEADER.FIELDS (DATE)])\r\n",
		"* 2 FETCH (UID 3 BODY[HEADER.FIELDS (DATE)] {48}\r\nDate: Thu, 1 Jan\r\n 1970 00:02:00 +0100 (CET)\r\n\r\n)\r\n"
		"* 1 FETCH (BODY[HEADER.FIELDS (DATE)] {41}\r\nDate: Thu, 01 Jan 1970 00:00:09 +0000\r\n\r\n UID 2)\r\n"
		"* 3 FETCH (UID 7 BODY[HEADER.FIELDS (DATE)] {16}\r\nDate: whenever\r\n)\r\nm1 OK\r\n",
		"m2 UID FETCH 5 (UID BODY.PEEK[HEADER.FIELDS (DATE)])\r\n",
		"* 4 FETCH (UID 4 BODY[HEADER.FIELDS (DATE)] {2}\r\n\r\n)\r\n"
		"* 5 FETCH (UID 5 BODY[HEADER.FIELDS (DATE)] {78}\r\n"
		"Date: Wed, 31 Dec 1969 23:01:00 -0100\r\nDate: Thu, 01 Jan 1970 00:00:09 +0000\r\n)\r\nm2 OK\r\n",
		"m3 UID FETCH 5 (UID BODY.PEEK[HEADER.FIELDS (DATE)])\r\n",
		"* 5 FETCH (UID 5 BODY[HEADER.FIELDS (DATE)] {2}\r\n\r\n)\r\nm3 OK\r\n", NULL,
	};

	play(check, &(struct play){ .client = dates, .script = script, .want = "9/0 -3480/60 1/0 " });
}

static int message_id(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	char id[9];

	EXPECT(imap_fetch_message_id(t->s, 5, id, sizeof(id), fault) == 0 && strcmp(id, "<a@long.") == 0);
	EXPECT(imap_fetch_message_id(t->s, 5, id, sizeof(id), fault) == 0 && strcmp(id, "") == 0);
	EXPECT(imap_fetch_message_id(t->s, 5, id, sizeof(id), fault) == 0 && strcmp(id, "") == 0);
	return 0;
}

static void message_ids(struct check *check)
{
	PLAY(message_id, NULL, "m1 UID FETCH 5 (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])\r\n",
	     "* 1 FETCH (UID 5 BODY[HEADER.FIELDS (MESSAGE-ID)] {31}\r\nMessage-ID:\r\n <a@long.er>\r\nx: y)\r\nm1 OK\r\n",
	     "m2 UID FETCH 5 (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])\r\n",
	     "* 1 FETCH (UID 5 BODY[HEADER.FIELDS (MESSAGE-ID)] {2}\r\n\r\n)\r\nm2 OK\r\n",
	     "m3 UID FETCH 5 (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])\r\n",
	     "* 1 FETCH (UID 5 BODY[HEADER.FIELDS (MESSAGE-ID)] NIL)\r\nm3 NO\r\n");
}

/* --- STORE, EXPUNGE -------------------------------------------------------------------------- */

static int store(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;

	EXPECT(imap_store(t->s, some, 2, true, "\\Seen Work", fault) == 0);
	EXPECT(imap_store(t->s, some, 2, false, "Work", fault) == 0); /* some were gone */
	EXPECT(imap_store(t->s, some, 2, true, "", fault) == 0);      /* nothing to do */
	EXPECT(imap_store(t->s, some, 0, true, "Work", fault) == 0);
	EXPECT(imap_store(t->s, some, 1, true, "\\Odd", fault) < 0 && fault->kind == FAULT_REFUSED);
	EXPECT(imap_expunge(t->s, some, 2, fault) == 0 && t->s->selected.exists == 6);
	EXPECT(imap_expunge(t->s, some, 1, fault) < 0 && fault->reach == REACH_FOLDER);
	return 0;
}

static void stores(struct check *check)
{
	PLAY(store, "UIDPLUS", "m1 UID STORE 2:3,7 +FLAGS.SILENT (\\Seen Work)\r\n",
	     "* 9 EXISTS\r\n* 1 FETCH (UID 2 MODSEQ (7))\r\nm1 OK\r\n", "m2 UID STORE 2:3,7 -FLAGS.SILENT (Work)\r\n",
	     "m2 NO [EXPUNGEISSUED] some are gone\r\n", "m3 UID STORE 2:3 +FLAGS.SILENT (\\Odd)\r\n",
	     "m3 BAD [CANNOT] no such flag\r\n", "m4 UID EXPUNGE 2:3,7\r\n", "* VANISHED 2:3\r\n* 1 EXPUNGE\r\nm4 OK\r\n",
	     "m5 UID EXPUNGE 2:3\r\n", "m5 NO [NOPERM] no\r\n");
}

static int expunge_without(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct imap_copied copied;

	EXPECT(imap_expunge(t->s, some, 2, fault) < 0 && fault->kind == FAULT_REFUSED && fault->again == AGAIN_NEVER);
	EXPECT(imap_copy(t->s, some, 2, true, BYTES("x"), &copied, fault) < 0 && fault->kind == FAULT_REFUSED);
	EXPECT(copied.n == 0 && !copied.p);
	return imap_simple(t->s, "NOOP", fault);
}

static void not_sent(struct check *check)
{
	PLAY(expunge_without, NULL, "m1 NOOP\r\n", "m1 OK\r\n");
}

/* --- COPY, MOVE ------------------------------------------------------------------------------ */

static int copy(struct talk *t, bool move)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	struct imap_copied copied;
	struct fault why;

	if (imap_copy(t->s, some, 2, move, BYTES("Old \"mail\""), &copied, &why) < 0)
		put_fault(&got, &why);
	buf_appendf(&got, "%" PRIu32 ":", copied.uidvalidity);
	for (size_t i = 0; i < copied.n; i++)
		buf_appendf(&got, " %" PRIu32 ">%" PRIu32, copied.p[i].from, copied.p[i].to);
	same(t, &got);
	free(copied.p);
	return 0;
}

static int copy_them(struct talk *t, struct fault *fault)
{
	return copy(t, false);
}

static int move_them(struct talk *t, struct fault *fault)
{
	return copy(t, true);
}

static void copies(struct check *check)
{
	static const struct {
		bool move;
		const char *answer, *want;
	} cases[] = {
		{ false, "m1 OK [COPYUID 38505 2:3,7 304:305,3956] Done\r\n", "38505: 2>304 3>305 7>3956" },
		{ false, "m1 OK [copyuid 38505 7,2:3 1:3] Done\r\n", "38505: 7>1 2>2 3>3" }, /* the server's order */
		{ false, "m1 OK [COPYUID 1 3:2,7 9,7:8]\r\n", "1: 2>9 3>7 7>8" }, /* 3:2 is 2:3 */
		{ false, "m1 OK [COPYUID 1 2,7 9,7] one was gone\r\n", "1: 2>9 7>7" },
		{ false, "m1 OK Done\r\n", "0:" },
		{ true, "* OK [COPYUID 5 2:3,7 10:12] Moved\r\n* 1 EXPUNGE\r\n* 1 EXPUNGE\r\nm1 OK Done\r\n",
		  "5: 2>10 3>11 7>12" },
		{ true, "* 2 EXPUNGE\r\nm1 OK [COPYUID 5 7 12] Done\r\n", "5: 7>12" },
		{ true, "* OK [COPYUID 5 7 12] Moved\r\n* VANISHED 7\r\nm1 OK [COPYUID 5 7 12] Done\r\n", "5: 7>12" },
		/* worth nothing: sizes that differ, what was not asked for, no folder, no numbers, too many */
		{ false, "m1 OK [COPYUID 1 2:3,7 1:2] Done\r\n", "0:" },
		{ false, "m1 OK [COPYUID 1 2:3 1:3] Done\r\n", "0:" },
		{ false, "m1 OK [COPYUID 1 2:4 1:3] Done\r\n", "1:" },
		{ false, "m1 OK [COPYUID 1 4,2 1:2] Done\r\n", "1:" },
		{ false, "m1 OK [COPYUID 0 2:3 1:2] Done\r\n", "0:" },
		{ false, "m1 OK [COPYUID 4294967296 2:3 1:2] Done\r\n", "0:" },
		{ false, "m1 OK [COPYUID 1 x 1:2] Done\r\n", "0:" },
		{ false, "m1 OK [COPYUID 1] Done\r\n", "0:" },
		{ false, "m1 OK [COPYUID 1 2:4294967295 2:4294967295] Done\r\n", "0:" },
		{ false, "m1 OK [COPYUID 1 2:3,2 1:3] Done\r\n", "1: 2>1 3>2 2>3" }, /* odd, but as told */
		{ false, "m1 OK [COPYUID 1 2:3,2:3 1:4] Done\r\n", "0:" },
		/* refused: what was told before counts */
		{ false, "m1 NO [TRYCREATE] No such folder\r\n", "refused folder 20:" },
		{ false, "m1 NO [COPYUID 1 7 12] no\r\n", "refused folder 20:" },
		{ true, "* OK [COPYUID 5 7 12] Moved\r\n* VANISHED 7\r\nm1 NO [OVERQUOTA] rest\r\n", "limit mailbox 25: 7>12" },
		{ false, "m1 NO no\r\n", "refused folder 20:" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char line[60];

		snprintf(line, sizeof(line), "m1 UID %s 2:3,7 \"Old \\\"mail\\\"\"\r\n", cases[i].move ? "MOVE" : "COPY");
		play(check, &(struct play){ .client = cases[i].move ? move_them : copy_them, .capabilities = "MOVE UIDPLUS",
					    .want = cases[i].want,
					    .script = (const char *const[]){ line, cases[i].answer, NULL } });
	}
}

/* The folder was replaced between two lines: pairs of the one say nothing of the other. */
static int copy_long(struct talk *t, struct fault *fault)
{
	_cleanup_(freep) struct imap_range *uids = many_uids();
	struct check *check = t->check;
	struct imap_copied copied;

	EXPECT(imap_copy(t->s, uids, 1500, false, BYTES("x"), &copied, fault) == 0);
	EXPECT(copied.n == (t->play->want ? 1 : 2) * (size_t)!copied.contradicts);
	EXPECT(copied.contradicts == !t->play->want);
	free(copied.p);
	return 0;
}

static int answer_copy(struct talk *t, struct fault *fault)
{
	static const char *const answers[2][2] = {
		{ "m1 OK [COPYUID 1 1000001 5]\r\n", "m2 OK [COPYUID 2 1002997 5]\r\n" },
		{ "m1 OK [COPYUID 1 1000001 5]\r\n", "m2 OK [COPYUID 1 1000001 5]\r\n" }, /* not of this line */
	};

	for (int i = 0; i < 2; i++) {
		char c = '\0';

		while (c != '\n')
			if (stream_read(t->server_end, &c, 1, fault) <= 0)
				return -1;
		if (say(t, answers[t->play->want != NULL][i], fault) < 0)
			return -1;
	}
	return 0;
}

static void copies_contradict(struct check *check)
{
	play(check, &(struct play){ .client = copy_long, .server = answer_copy });
	play(check, &(struct play){ .client = copy_long, .server = answer_copy, .want = "" });
}

/* --- RENAME, UNSUBSCRIBE, STATUS --------------------------------------------------------------- */

static int rename_folders(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;

	EXPECT(imap_rename(t->s, BYTES("a"), BYTES("b\nc"), fault) == 0);
	EXPECT(imap_rename(t->s, BYTES("a"), BYTES("b"), fault) < 0 && fault->reach == REACH_FOLDER);
	EXPECT(imap_rename(t->s, BYTES("a"), BYTES("b\nc"), fault) < 0 && fault->reach == REACH_FOLDER);
	EXPECT(imap_rename(t->s, BYTES("a"), BYTES("b\0c"), fault) < 0 && fault->kind == FAULT_DATA);
	EXPECT(imap_unsubscribe(t->s, BYTES("a"), fault) == 0);
	EXPECT(imap_unsubscribe(t->s, BYTES("a"), fault) < 0 && fault->reach == REACH_FOLDER);
	return 0;
}

static void renames(struct check *check)
{
	PLAY(rename_folders, NULL, "m1 RENAME \"a\" {3}\r\n", "+\r\n", "b\nc\r\n", "m1 OK\r\n",
	     "m2 RENAME \"a\" \"b\"\r\n", "m2 NO [ALREADYEXISTS] no\r\n", "m3 RENAME \"a\" {3}\r\n", "m3 NO no\r\n",
	     "m5 UNSUBSCRIBE \"a\"\r\n", "m5 OK\r\n", "m6 UNSUBSCRIBE \"a\"\r\n", "m6 BAD\r\n");
}

static int status_object(struct talk *t, struct fault *fault)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	struct imap_folder folder;

	for (int i = 0; i < 4; i++) {
		if (imap_status(t->s, BYTES("a"), &folder, fault) < 0)
			return -1;
		buf_appendf(&got, "%" PRIu64 "=%.*s ", folder.messages, BYTES_ARG(folder.object));
	}
	same(t, &got);
	return 0;
}

static void objects(struct check *check)
{
	static const char *const script[] = {
		"m1 STATUS \"a\" (MESSAGES UIDNEXT UIDVALIDITY MAILBOXID)\r\n",
		"* STATUS a (MESSAGES 4 MAILBOXID (F-1_x) UIDNEXT 9 UIDVALIDITY 7)\r\nm1 OK\r\n",
		"m2 STATUS \"a\" (MESSAGES UIDNEXT UIDVALIDITY MAILBOXID)\r\n", /* not told */
		"* STATUS a (MESSAGES 5 UIDNEXT 9 UIDVALIDITY 7)\r\nm2 OK\r\n",
		"m3 STATUS \"a\" (MESSAGES UIDNEXT UIDVALIDITY MAILBOXID)\r\n", /* no such thing */
		"* STATUS a (MESSAGES 6 MAILBOXID (\"a b\"))\r\nm3 OK\r\n",
		"m4 STATUS \"a\" (MESSAGES UIDNEXT UIDVALIDITY MAILBOXID)\r\n", "m4 BAD\r\n", /* EXAMINE tells too */
		"m5 EXAMINE \"a\"\r\n", "* 7 EXISTS\r\n* OK [MAILBOXID (G)]\r\nm5 OK\r\n", "m6 UNSELECT\r\n", "m6 OK\r\n", NULL,
	};

	play(check, &(struct play){ .client = status_object, .capabilities = "OBJECTID UNSELECT", .script = script,
				    .want = "4=F-1_x 5= 6= 7=G " });
}

/* Not asked of Cyrus but by opening the folder. */
static int cyrus_object(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct imap_folder folder;

	if (imap_connect(&t->account, &t->s, fault) < 0 || imap_status(t->s, BYTES("a"), &folder, fault) < 0 ||
	    imap_select(t->s, BYTES("a"), true, fault) < 0)
		return -1;
	EXPECT(folder.messages == 4 && folder.object.n == 0 && strcmp(t->s->selected.object, "3oxjq1u5") == 0);
	return 0;
}

static void objects_of_cyrus(struct check *check)
{
	static const char *const script[] = {
		"m1 ID (\"name\" \"mailferry\" \"version\" \"" MAILFERRY_VERSION "\")\r\n",
		"* ID (\"name\" \"Cyrus IMAPD\")\r\nm1 OK\r\n",
		"m2 STATUS \"a\" (MESSAGES UIDNEXT UIDVALIDITY)\r\n", "* STATUS a (MESSAGES 4)\r\nm2 OK\r\n",
		"m3 EXAMINE \"a\"\r\n", "* OK [MAILBOXID (3oxjq1u5)] Ok\r\nm3 OK\r\n", NULL,
	};

	play(check, &(struct play){ .client = cyrus_object, .script = script,
				    .greeting = "* PREAUTH [CAPABILITY IMAP4rev1 OBJECTID ID] x Cyrus IMAP 3.6.1 ready\r\n" });
}

static int list_objects(struct talk *t, struct fault *fault)
{
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	struct imap_folders folders;
	int r = imap_list(t->s, false, &folders, fault);

	if (r == 0)
		r = imap_status_all(t->s, &folders, false, fault);
	for (size_t i = 0; i < folders.n && r == 0; i++)
		buf_appendf(&got, "%.*s=%.*s ", BYTES_ARG(folders.p[i].name), BYTES_ARG(folders.p[i].object));
	if (r == 0)
		same(t, &got);
	imap_folders_done(&folders);
	return r;
}

static void objects_listed(struct check *check)
{
	static const char *const script[] = {
		"m1 LIST \"\" \"*\" RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT UIDVALIDITY MAILBOXID))\r\n",
		"* LIST () \"/\" a\r\n* STATUS a (MESSAGES 1 MAILBOXID (A))\r\n* LIST () \"/\" b\r\n"
		"* STATUS a (MESSAGES 1 MAILBOXID (Z))\r\nm1 OK\r\n",
		"m2 STATUS \"b\" (MESSAGES UIDNEXT UIDVALIDITY MAILBOXID)\r\n",
		"* STATUS b (MESSAGES 1 MAILBOXID (B))\r\nm2 OK\r\n", NULL,
	};

	play(check, &(struct play){ .client = list_objects, .capabilities = "OBJECTID LIST-EXTENDED LIST-STATUS",
				    .script = script, .want = "a=A b=B " });
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "attributes of some messages", items },
		{ "attributes refused", items_refused },
		{ "sets longer than a line", long_sets },
		{ "identities", headers },
		{ "Date headers", date_headers },
		{ "Message-IDs", message_ids },
		{ "STORE and EXPUNGE", stores },
		{ "what the server cannot do is not sent", not_sent },
		{ "COPY and MOVE", copies },
		{ "COPYUIDs that contradict each other", copies_contradict },
		{ "RENAME and UNSUBSCRIBE", renames },
		{ "MAILBOXID of STATUS", objects },
		{ "MAILBOXID of Cyrus", objects_of_cyrus },
		{ "MAILBOXID of lists", objects_listed },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
