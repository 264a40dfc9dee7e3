/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for a message in a mailbox: of a scripted IMAP server (tests/lib/fake-imap.h). */
#include "gateway/doubt.h"

#include <stdio.h>

#include "lib/check.h"
#include "lib/fake-imap.h"

#define TOKEN "k3f9z-00001a 00112233445566778899aabbccddeeff"

static const struct doubt_question question = {
	.token = BYTES(TOKEN), .queue_id = BYTES("k3f9z-00001a"), .message_id = BYTES("<1@y.org>"),
};

static void a_header(struct check *check)
{
	static const struct {
		const char *block;
		enum doubt_evidence want;
	} all[] = {
		{ "X-Mailferry-Trace: " TOKEN "\r\n\r\n", DOUBT_BY_TRACE },
		{ "Message-ID: <1@y.org>\r\nx-mailferry-trace: " TOKEN "\r\n", DOUBT_BY_TRACE },
		{ "X-Mailferry-Trace: k3f9z-00001a ffff\r\nMessage-ID: <1@y.org>\r\n", DOUBT_NOT_FOUND },
		{ "X-Mailferry-Trace: k3f9z-00001b 0011\r\nMessage-ID: <1@y.org>\r\n", DOUBT_NOT_FOUND },
		{ "Received: from c ([192.0.2.1])\r\n\tby gw with ESMTP id k3f9z-00001a\r\n\tfor <a@b>; x\r\n",
		  DOUBT_BY_RECEIVED },
		{ "Received: by gw with ESMTP id k3f9z-00001a; x\r\n", DOUBT_BY_RECEIVED },
		{ "Received: by gw with ESMTP id k3f9z-00001ab; x\r\n", DOUBT_NOT_FOUND },
		{ "Received: by gw with ESMTP grid k3f9z-00001a; x\r\n", DOUBT_NOT_FOUND },
		{ "Message-ID: <1@y.org>\r\n", DOUBT_BY_MESSAGE_ID },
		{ "Message-ID: <2@y.org>\r\n", DOUBT_NOT_FOUND },
		{ "", DOUBT_NOT_FOUND },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		enum doubt_evidence got = doubt_judge(&question, bytes_of(all[i].block));

		if (got != all[i].want)
			CHECK_FAIL("\"%s\": %s", all[i].block, doubt_evidence_name(got));
	}
}

/* --- mailboxes ------------------------------------------------------------------------------- */

struct look {
	struct check *check;
	const char *dialogue, *want; /* "INBOX 4 trace", "none", "fault" */
	struct fake_imap *fake;
	struct nursery *nursery;
	struct stream *server;
};

SUSPENDS static int serve(void *arg, struct fault *fault)
{
	struct look *look = arg;

	(void)fault;
	fake_imap_serve(look->fake, look->server, -1);
	return 0;
}

SUSPENDS static int dial(void *arg, struct stream **ret, struct fault *fault)
{
	struct look *look = arg;

	(void)fault;
	memory_stream_pair(0, ret, &look->server);
	nursery_start(look->nursery, serve, look, "server");
	return 0;
}

SUSPENDS static int run(void *arg, struct fault *fault)
{
	struct look *look = arg;
	struct check *check = look->check;
	struct nursery nursery;
	struct imap_account account = {
		.label = "new", .host = "mail.example", .port = 143, .security = IMAP_PLAIN, .user = "u",
		.password = "secret", .silence_us = 5 * SECOND, .dial = dial, .dial_arg = look,
	};
	_cleanup_(dialogue_freep) struct dialogue *dialogue = NULL;
	_cleanup_(fake_imap_freep) struct fake_imap *fake = NULL;
	struct doubt_answer answer;
	char got[700];

	if (dialogue_parse("file", bytes_of(look->dialogue), &dialogue, fault) < 0)
		return -1;
	look->fake = fake = fake_imap_new(dialogue, "to");
	look->nursery = &nursery;
	nursery_init(&nursery, "servers");
	if (doubt_look(&account, &question, &answer, fault) < 0)
		snprintf(got, sizeof(got), "fault: %.200s", fault->text);
	else if (answer.evidence == DOUBT_NOT_FOUND)
		snprintf(got, sizeof(got), "none of %u", answer.looked_at);
	else
		snprintf(got, sizeof(got), "%s %u %s", answer.folder, answer.uid,
			 doubt_evidence_name(answer.evidence));
	check_expect(check, strcmp(got, look->want) == 0, __FILE__, __LINE__, "\"%s\", not \"%s\"", got,
		     look->want);
	nursery_done(&nursery);
	EXPECT(strcmp(fake_imap_verdict(fake), "") == 0);
	return 0;
}

static void look(struct check *check, const char *dialogue, const char *want)
{
	struct look l = { .check = check, .dialogue = dialogue, .want = want };
	struct fault fault = FAULT_INIT;

	if (run_main("test", run, &l, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
}

#define OTHER "message 1 text \"Subject: hi\\r\\nMessage-ID: <2@y.org>\\r\\n\\r\\n\"\n"
#define OURS "text \"X-Mailferry-Trace: " TOKEN "\\r\\nMessage-ID: <1@y.org>\\r\\n\\r\\nbody\\r\\n\"\n"

static void in_the_inbox(struct check *check)
{
	look(check, "server to\nfolder INBOX\n" OTHER "message 4 " OURS "message 9 text \"A: b\\r\\n\\r\\n\"\n",
	     "INBOX 4 trace");
}

static void filed_elsewhere(struct check *check)
{
	look(check, "server to\nfolder INBOX\n" OTHER "folder Junk\nmessage 7 " OURS "folder Sent\n" OTHER,
	     "Junk 7 trace");
}

static void not_there(struct check *check)
{
	look(check, "server to\nfolder INBOX\n" OTHER "folder Junk\n" OTHER "folder Empty\n", "none of 2");
}

static void another_copy_with_the_same_id(struct check *check)
{
	look(check, "server to\nfolder INBOX\nmessage 3 text \"X-Mailferry-Trace: k3f9z-000019 aa\\r\\n"
		    "Message-ID: <1@y.org>\\r\\n\\r\\n\"\nfolder Sent\n", "none of 1");
}

/* The Message-ID alone counts, but less than our own trace in another folder. */
static void by_message_id(struct check *check)
{
	look(check, "server to\nfolder INBOX\nmessage 3 text \"Message-ID: <1@y.org>\\r\\n\\r\\n\"\n",
	     "INBOX 3 message-id");
	look(check, "server to\nfolder INBOX\nmessage 3 text \"Message-ID: <1@y.org>\\r\\n\\r\\n\"\nfolder Z\nmessage 5 " OURS,
	     "Z 5 trace");
}

static void in_the_newest_of_many(struct check *check)
{
	look(check, "server to\nfolder INBOX\nmessage 1..3000 size 300\nmessage 3001 " OURS, "INBOX 3001 trace");
}

/* Half of the headers is no answer. */
static void what_cannot_be_read_is_no_answer(struct check *check)
{
	look(check, "server to\nfolder INBOX\n" OTHER "on: UID FETCH * BODY.PEEK*\n    S: {tag} NO not now\n",
	     "fault: 1 of the 1 newest messages of INBOX cannot be read");
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "a header", a_header },
		{ "in the inbox", in_the_inbox },
		{ "filed elsewhere", filed_elsewhere },
		{ "not there", not_there },
		{ "another copy with the same id", another_copy_with_the_same_id },
		{ "by message id", by_message_id },
		{ "in the newest of many", in_the_newest_of_many },
		{ "what cannot be read is no answer", what_cannot_be_read_is_no_answer },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
