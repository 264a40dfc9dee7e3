/* SPDX-License-Identifier: Apache-2.0 */
/* What a NO or BAD means: by code, by the words of servers that have none, and when neither says. */
#include <stdio.h>

#include "imap/session.h"
#include "lib/check.h"

static const struct imap_account account = { .label = "source old.example" };
static const struct imap_session session = { .account = &account };

static struct imap_command answer(enum imap_condition condition, const char *code, const char *text)
{
	struct imap_command c = { .done = true, .condition = condition };

	snprintf(c.code, sizeof(c.code), "%s", code);
	snprintf(c.text, sizeof(c.text), "%s", text);
	return c;
}

static struct fault fault_of(struct check *check, const char *code, const char *text)
{
	struct imap_command c = answer(IMAP_NO, code, text);
	struct fault fault;

	CHECK(imap_refused(&session, &c, &fault, "cannot do %s", "it") < 0);
	CHECK_STR(fault.text, "source old.example: cannot do it");
	return fault;
}

struct meaning {
	const char *word;
	enum fault_kind kind;
	enum fault_reach reach;
	enum fault_again again;
};

static void same(struct check *check, const struct fault *fault, const struct meaning *want)
{
	if (fault->kind != want->kind || fault->reach != want->reach || fault->again != want->again)
		CHECK_FAIL("\"%s\": kind %s, reach %s, again %d", want->word,
			   fault_kind_name(fault->kind), fault_reach_name(fault->reach),
			   (int)fault->again);
}

static const struct meaning unknown = { "unknown", FAULT_REFUSED, REACH_MESSAGE, AGAIN_NEVER };

/* RFC 5530 and others; what each has to do with the copy. */
static void codes(struct check *check)
{
	static const struct meaning meanings[] = {
		{ "AUTHENTICATIONFAILED", FAULT_AUTH, REACH_MAILBOX, AGAIN_NEVER },
		{ "AUTHORIZATIONFAILED", FAULT_AUTH, REACH_MAILBOX, AGAIN_NEVER },
		{ "EXPIRED", FAULT_AUTH, REACH_MAILBOX, AGAIN_NEVER },
		{ "PRIVACYREQUIRED", FAULT_AUTH, REACH_SERVER, AGAIN_NEVER },
		{ "CONTACTADMIN", FAULT_REFUSED, REACH_MAILBOX, AGAIN_NEVER },
		{ "NOPERM", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
		{ "TRYCREATE", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
		{ "NONEXISTENT", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
		{ "ALREADYEXISTS", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
		{ "CANNOT", FAULT_REFUSED, REACH_MESSAGE, AGAIN_NEVER },
		{ "READ-ONLY", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
		{ "OVERQUOTA", FAULT_LIMIT, REACH_MAILBOX, AGAIN_NEVER },
		{ "TOOBIG", FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER },
		{ "LIMIT", FAULT_LIMIT, REACH_MAILBOX, AGAIN_LATER },
		{ "UNAVAILABLE", FAULT_LIMIT, REACH_SESSION, AGAIN_LATER },
		{ "INUSE", FAULT_LIMIT, REACH_SESSION, AGAIN_LATER },
		{ "SERVERBUG", FAULT_REFUSED, REACH_MESSAGE, AGAIN_LATER },
		{ "CORRUPTION", FAULT_DATA, REACH_FOLDER, AGAIN_NEVER },
		{ "BADCHARSET", FAULT_PROTOCOL, REACH_FOLDER, AGAIN_NEVER },
	};
	char longer[40], words[100];

	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
		struct fault fault = fault_of(check, meanings[i].word, "no");

		same(check, &fault, &meanings[i]);
		snprintf(words, sizeof(words), "[%s] no", meanings[i].word);
		CHECK_STR(fault.server, words);

		snprintf(longer, sizeof(longer), "%sX", meanings[i].word);
		fault = fault_of(check, longer, "no");
		same(check, &fault, &unknown);
	}
}

/* As servers write them, docs/servers/. */
static void wordings(struct check *check)
{
	static const struct meaning meanings[] = {
		{ "Request is throttled. Suggested Backoff Time: 1 milliseconds", FAULT_LIMIT,
		  REACH_SESSION, AGAIN_LATER },
		{ "UID FETCH Rate limit hit.", FAULT_LIMIT, REACH_SESSION,
		  AGAIN_LATER },
		{ "Too many simultaneous connections. (Failure)", FAULT_LIMIT, REACH_SESSION, AGAIN_LATER },
		{ "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
		  FAULT_LIMIT, REACH_SESSION, AGAIN_LATER },
		{ "Quota exceeded (mailbox for user is full)", FAULT_LIMIT, REACH_MAILBOX, AGAIN_NEVER },
		{ "Mailbox is full", FAULT_LIMIT, REACH_MAILBOX, AGAIN_NEVER },
		{ "Not enough space on the server", FAULT_LIMIT, REACH_MAILBOX, AGAIN_NEVER },
		{ "Message exceeds the maximum size of appendable message", FAULT_LIMIT, REACH_MESSAGE,
		  AGAIN_NEVER },
		{ "message TOO LARGE", FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER },
		{ "too big", FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER },
		{ "User is authenticated but not connected.", FAULT_AUTH, REACH_MAILBOX, AGAIN_NEVER },
		{ "SELECT Unsafe Login. Please contact us for help", FAULT_AUTH, REACH_MAILBOX,
		  AGAIN_NEVER },
		{ "Permission denied", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
		{ "Mailbox is read-only", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
		{ "I do not like it", FAULT_REFUSED, REACH_MESSAGE, AGAIN_NEVER },
		{ "", FAULT_REFUSED, REACH_MESSAGE, AGAIN_NEVER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
		struct fault fault = fault_of(check, "", meanings[i].word);

		same(check, &fault, &meanings[i]);
		CHECK_STR(fault.server, meanings[i].word[0] ? meanings[i].word : "NO");
	}
}

static void code_before_words(struct check *check)
{
	struct fault fault = fault_of(check, "TOOBIG", "quota, throttled, permission");

	same(check, &fault, &(struct meaning){ "code", FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER });

	/* A code nobody knows leaves the word to the text. */
	fault = fault_of(check, "X-THING", "over quota");
	same(check, &fault, &(struct meaning){ "text", FAULT_LIMIT, REACH_MAILBOX, AGAIN_NEVER });
	CHECK_STR(fault.server, "[X-THING] over quota");

	/* Of two known wordings the one that can be waited for. */
	fault = fault_of(check, "", "Request is throttled because of your quota");
	same(check, &fault, &(struct meaning){ "two", FAULT_LIMIT, REACH_SESSION, AGAIN_LATER });
}

static void backoff(struct check *check)
{
	static const struct {
		const char *text;
		int64_t after_us;
	} cases[] = {
		{ "throttled. Suggested Backoff Time: 299609 milliseconds", 299609 * MSEC },
		{ "throttled. suggested backoff time:7 milliseconds", 7 * MSEC },
		{ "Backoff Time: 0 milliseconds", 0 },
		{ "Backoff Time: 86400000 milliseconds", 86400 * SECOND },
		{ "Backoff Time: 86400001 milliseconds", 0 }, /* more than a day is no hint */
		{ "Backoff Time: 99999999999999999999999 milliseconds", 0 },
		{ "Backoff Time: -5 milliseconds", 0 },
		{ "Backoff Time: soon", 0 },
		{ "Backoff Time:", 0 },
		{ "Backoff Time", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_EQ(fault_of(check, "", cases[i].text).after_us, cases[i].after_us);
	CHECK_EQ(fault_of(check, "UNAVAILABLE", cases[0].text).after_us, cases[0].after_us);
}

static void not_refused(struct check *check)
{
	struct imap_command c = answer(IMAP_OK, "TOOBIG", "quota");
	struct fault fault = { .kind = FAULT_NONE, .text = "as before" };

	CHECK_EQ(imap_refused(&session, &c, &fault, "cannot"), 0);
	CHECK_STR(fault.text, "as before");
}

static void bad_without_a_word(struct check *check)
{
	struct imap_command c = answer(IMAP_BAD, "", "");
	struct fault fault;

	CHECK(imap_refused(&session, &c, &fault, "cannot") < 0);
	same(check, &fault, &unknown);
	CHECK_STR(fault.server, "BAD");
}

/* What is shown of a server's words cannot drive a terminal, and fits. */
static void hostile_text(struct check *check)
{
	char text[200], what[600], shown[800];
	struct imap_command c = answer(IMAP_NO, "", "a\033[2Jb\r\nc\177\001");
	struct fault fault;

	CHECK(imap_refused(&session, &c, &fault, "cannot") < 0);
	CHECK_STR(fault.server, "a?[2Jb??c??");

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	memset(what, 'y', sizeof(what));
	what[sizeof(what) - 1] = '\0';
	c = answer(IMAP_NO, "ABCDEFGHIJKLMNOPQRSTUVW", text);
	CHECK(imap_refused(&session, &c, &fault, "%s", what) < 0);
	CHECK(strlen(fault.text) < sizeof(fault.text));
	CHECK(bytes_starts(bytes_of(fault.text), BYTES("source old.example: yyyy")));
	CHECK_EQ(strlen(fault.server), strlen("[ABCDEFGHIJKLMNOPQRSTUVW] ") + 199);
	fault_format(&fault, shown, sizeof(shown));
	CHECK(strstr(shown, "; the server said: [ABCDEFGHIJKLMNOPQRSTUVW] xxx"));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "codes", codes },
		{ "wordings", wordings },
		{ "a known code goes before words", code_before_words },
		{ "suggested backoff", backoff },
		{ "OK is no refusal", not_refused },
		{ "BAD without a word", bad_without_a_word },
		{ "hostile and very long texts", hostile_text },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
