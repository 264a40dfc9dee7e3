/* SPDX-License-Identifier: Apache-2.0 */
/* What a NO or BAD means: by code, by the words of servers that have none, and when neither says. */
#include <stdio.h>

#include "base/xalloc.h"
#include "imap/session.h"
#include "lib/check.h"

static const struct imap_account account = { .label = "source old.example" };
static const struct imap_session session = { .account = &account };

#define SLOWER FAULT_LIMIT, REACH_MAILBOX, AGAIN_LATER
#define FEWER FAULT_LIMIT, REACH_SESSION, AGAIN_LATER
#define FULL FAULT_LIMIT, REACH_MAILBOX, AGAIN_NEVER
#define NOT_US FAULT_AUTH, REACH_MAILBOX, AGAIN_NEVER

static const int64_t day_us = 24 * 3600 * SECOND;

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
		{ "HASCHILDREN", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
		{ "OVERQUOTA", FULL },
		{ "TOOBIG", FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER },
		{ "LIMIT", SLOWER },
		{ "THROTTLED", SLOWER },
		{ "UNAVAILABLE", SLOWER },
		{ "TEMPFAIL", SLOWER },
		{ "INUSE", FAULT_REFUSED, REACH_SESSION, AGAIN_LATER },
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

/* As servers write them, with where that was seen; the code as in "[CODE] words". */
static const struct wording {
	const char *code, *text;
	enum imap_doing doing;
	enum fault_kind kind;
	enum fault_reach reach;
	enum fault_again again;
	int64_t after_us;
} wordings_seen[] = {
	/* Q1, Exchange and 21Vianet: imapsync 198, imap_tools 135, email-oauth2-proxy 191 */
	{ "", "Request is throttled. Suggested Backoff Time: 299609 milliseconds", IMAP_FILLS, SLOWER, 299609 * MSEC },
	{ "", "Request is throttled. Suggested Backoff Time: 89117 milliseconds", IMAP_FETCHES, SLOWER, 89117 * MSEC },
	{ "", "Request is throttled.", IMAP_FETCHES, SLOWER, 0 },
	/* Q2, Yahoo: imapflow 75, imapsync 119, imap_tools 229 */
	{ "LIMIT", "UID FETCH Rate limit hit.", IMAP_FETCHES, SLOWER, 0 },
	{ "LIMIT", "CAPABILITY Rate limit hit.", IMAP_DOES_OTHERS, SLOWER, 0 },
	{ "LIMIT", "APPEND Rate limit hit.", IMAP_FILLS, SLOWER, 0 },
	{ "", "UID FETCH Rate limit hit.", IMAP_FETCHES, SLOWER, 0 },
	{ "UNAVAILABLE", "UID FETCH Server error - Please try again later", IMAP_FETCHES, SLOWER, 0 },
	{ "", "UID FETCH Server error - Please try again later", IMAP_FETCHES, SLOWER, 0 },
	{ "UNAVAILABLE", "Failed to open mailbox", IMAP_DOES_OTHERS, SLOWER, 0 },
	{ "TEMPFAIL", "SELECT completed", IMAP_DOES_OTHERS, SLOWER, 0 },
	{ "UNAVAILABLE", "LOGIN Server error", IMAP_DOES_OTHERS, FEWER, 0 },
	{ "UNAVAILABLE", "UID FETCH Server error while fetching messages", IMAP_FETCHES, FAULT_REFUSED,
	  REACH_MESSAGE, AGAIN_LATER, 0 },
	/* Q3, Gmail: ha-email-sensor 16, MailKit 377, wildduck 35, node-imap 593 */
	{ "OVERQUOTA", "Account exceeded command or bandwidth limits.", IMAP_FETCHES, SLOWER, 24 * 3600 * SECOND },
	{ "OVERQUOTA", "Account exceeded command or bandwidth limits.", IMAP_FILLS, SLOWER, 24 * 3600 * SECOND },
	{ "OVERQUOTA", "Account exceeded command or bandwidth limits.", IMAP_DOES_OTHERS, SLOWER,
	  24 * 3600 * SECOND },
	{ "OVERQUOTA", "", IMAP_FETCHES, SLOWER, 24 * 3600 * SECOND },
	{ "", "Account has exceeded the Gmail bandwidth limit", IMAP_FETCHES, SLOWER, 24 * 3600 * SECOND },
	{ "", "Over your daily limit", IMAP_FETCHES, SLOWER, 24 * 3600 * SECOND },
	{ "ALERT", "Too many simultaneous connections. (Failure)", IMAP_DOES_OTHERS, FEWER, 0 },
	{ "", "Too many simultaneous connections. (Failure)", IMAP_DOES_OTHERS, FEWER, 0 },
	{ "THROTTLED", "", IMAP_FETCHES, SLOWER, 0 },
	{ "", "Temporary System Error", IMAP_DOES_OTHERS, SLOWER, 0 },
	/* Q4, Dovecot; Cyrus, Stalwart, Kerio, others */
	{ "UNAVAILABLE", "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
	  IMAP_DOES_OTHERS, FEWER, 0 },
	{ "ALERT", "Maximum number of connections from user+IP exceeded", IMAP_DOES_OTHERS, FEWER, 0 },
	{ "", "Too many open connections from 192.0.2.1", IMAP_DOES_OTHERS, FEWER, 0 },
	{ "LIMIT", "Too many concurrent IMAP connections.", IMAP_DOES_OTHERS, FEWER, 0 },
	{ "", "rejected: too many connections", IMAP_DOES_OTHERS, FEWER, 0 },
	{ "", "Maximum number of connections exceeded", IMAP_DOES_OTHERS, FEWER, 0 },
	{ "", "Allowed number of connections exceeded", IMAP_DOES_OTHERS, FEWER, 0 },
	{ "", "Too many active connections", IMAP_DOES_OTHERS, FEWER, 0 },
	{ "", "Connection limit reached", IMAP_DOES_OTHERS, FEWER, 0 },
	/* Q5: full, but only for what needs room */
	{ "OVERQUOTA", "", IMAP_FILLS, FULL, 0 },
	{ "OVERQUOTA", "Quota exceeded (mailbox for user is full)", IMAP_FILLS, FULL, 0 },
	{ "", "Quota exceeded (mailbox for user is full)", IMAP_FILLS, FULL, 0 },
	{ "", "Not enough disk quota (Blocks limit)", IMAP_FILLS, FULL, 0 },
	{ "", "Blocks limit exceeded", IMAP_FILLS, FULL, 0 },
	{ "", "Inode limit exceeded", IMAP_FILLS, FULL, 0 },
	{ "", "Mailbox is full", IMAP_FILLS, FULL, 0 },
	{ "", "Not enough space on the server", IMAP_FILLS, FULL, 0 },
	{ "", "Over quota", IMAP_FETCHES, SLOWER, 24 * 3600 * SECOND },
	{ "", "Server Unavailable. 15", IMAP_FILLS, FULL, 0 },
	{ "", "Server Unavailable. 15", IMAP_FETCHES, SLOWER, 0 }, /* imapfilter 146 */
	{ "", "Server Unavailable. 15", IMAP_DOES_OTHERS, SLOWER, 0 },
	/* Q6 */
	{ "", "Message exceeds the maximum size of appendable message", IMAP_FILLS, FAULT_LIMIT, REACH_MESSAGE,
	  AGAIN_NEVER, 0 },
	{ "", "message TOO LARGE", IMAP_FILLS, FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER, 0 },
	{ "", "too big", IMAP_FILLS, FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER, 0 },
	/* RFC 9051: a limit on keywords; the message is tried without */
	{ "LIMIT", "Too many keywords", IMAP_FILLS, FAULT_REFUSED, REACH_MESSAGE, AGAIN_NEVER, 0 },
	/* at login: Tencent; Fastmail (OpenArchiver 37); Mailu 2283; others */
	{ "", "Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited, "
	      "or system is busy. More information at https://", IMAP_DOES_OTHERS, FAULT_AUTH, REACH_MAILBOX, AGAIN_LATER, 0 },
	{ "", "login not available on this server. 451 Already reached per-10 minute limit for logins by \"a@b\" "
	      "of 500, try again later", IMAP_DOES_OTHERS, SLOWER, 600 * SECOND },
	{ "", "Temporary authentication failure (rate-limit)", IMAP_DOES_OTHERS, SLOWER, 0 },
	{ "AUTHENTICATIONFAILED", "Too many login failures, please try again in 15 minutes", IMAP_DOES_OTHERS, SLOWER,
	  900 * SECOND },
	{ "AUTHENTICATIONFAILED", "Too many failed attempts", IMAP_DOES_OTHERS, SLOWER, 0 },
	{ "AUTHENTICATIONFAILED", "Locked. Wait 2 hours", IMAP_DOES_OTHERS, SLOWER, 7200 * SECOND },
	{ "", "Too many auth attempts", IMAP_DOES_OTHERS, SLOWER, 0 },
	{ "", "Too many requests", IMAP_DOES_OTHERS, SLOWER, 0 },
	{ "AUTHENTICATIONFAILED", "Invalid credentials (Failure)", IMAP_DOES_OTHERS, NOT_US, 0 },
	{ "", "Busy; retry after 30 seconds", IMAP_FETCHES, SLOWER, 30 * SECOND }, /* no word but the hint */
	/* Q11, Q12, Q13 */
	{ "", "User is authenticated but not connected.", IMAP_DOES_OTHERS, NOT_US, 0 },
	{ "", "Session invalidated - AccessTokenExpired", IMAP_FETCHES, NOT_US, 0 },
	{ "", "OAuth token expired", IMAP_FETCHES, NOT_US, 0 },
	{ "", "The access token has expired", IMAP_FETCHES, NOT_US, 0 },
	{ "", "SELECT Unsafe Login. Please contact us for help", IMAP_DOES_OTHERS, NOT_US, 0 },
	/* the rest */
	{ "", "Permission denied", IMAP_FILLS, FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER, 0 },
	{ "", "Mailbox is read-only", IMAP_FILLS, FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER, 0 },
	{ "", "Command Argument Error. 11", IMAP_FILLS, FAULT_REFUSED, REACH_MESSAGE, AGAIN_NEVER, 0 }, /* Q7 */
	{ "", "I do not like it", IMAP_FILLS, FAULT_REFUSED, REACH_MESSAGE, AGAIN_NEVER, 0 },
	{ "", "", IMAP_FILLS, FAULT_REFUSED, REACH_MESSAGE, AGAIN_NEVER, 0 },
};

static void wordings(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(wordings_seen); i++) {
		const struct wording *w = &wordings_seen[i];
		struct imap_command c = answer(i % 2 ? IMAP_NO : IMAP_BAD, w->code, w->text);
		struct fault fault;

		c.doing = w->doing;
		CHECK(imap_refused(&session, &c, &fault, "cannot") < 0);
		same(check, &fault, &(struct meaning){ w->text, w->kind, w->reach, w->again });
		if (fault.after_us != w->after_us)
			CHECK_FAIL("\"%s\": after %lld µs", w->text, (long long)fault.after_us);
		CHECK_EQ(imap_is_throttle(&fault), w->kind == FAULT_LIMIT && w->again == AGAIN_LATER);
		CHECK_EQ(imap_is_one_too_many(&fault), imap_is_throttle(&fault) && w->reach == REACH_SESSION);
	}
}

static struct imap_session *new_session(const struct imap_account *of)
{
	struct imap_session *s = xzalloc(sizeof(*s));

	s->account = of;
	list_init(&s->pending);
	return s;
}

/* What it still answers then is about that (imapsync 250), unless it says what it means. */
static void late_answers(struct check *check, const struct imap_session *s, const struct wording *w)
{
	struct imap_command late = answer(IMAP_BAD, "", "Command received in Invalid state.");
	struct fault fault;

	CHECK(imap_refused(s, &late, &fault, "cannot") < 0);
	same(check, &fault, &(struct meaning){ w->text, w->kind, w->reach, w->again });
	late = answer(IMAP_NO, "TOOBIG", "");
	CHECK(imap_refused(s, &late, &fault, "cannot") < 0 && fault.reach == REACH_MESSAGE);
}

static void bye(struct check *check, const struct wording *w)
{
	_cleanup_(freep) struct imap_session *s = new_session(&account);
	struct imap_command under_way = { .doing = w->doing };
	struct fault fault;
	char words[200];

	list_append(&s->pending, &under_way.link);
	snprintf(s->bye, sizeof(s->bye), "%s", w->text);
	snprintf(s->bye_code, sizeof(s->bye_code), "%s", w->code);
	CHECK(imap_said_bye(s, &fault) < 0);
	same(check, &fault, &(struct meaning){ w->text, w->kind, w->reach, w->again });
	CHECK_EQ(fault.after_us, w->after_us);
	CHECK_STR(fault.text, "source old.example: the server ended the session");
	snprintf(words, sizeof(words), w->code[0] ? "[%s] %s" : "%s%s", w->code, w->text);
	CHECK_STR(fault.server, words);
	if (w->text[0])
		late_answers(check, s, w);
}

/* What comes as BYE, when the session ends with it. */
static void byes(struct check *check)
{
	static const struct wording cases[] = {
		{ "", "Connection closed. 14", IMAP_FETCHES, SLOWER, 0 }, /* Exchange, after it throttled */
		{ "", "Request is throttled. Suggested Backoff Time: 3000 milliseconds", IMAP_FILLS, SLOWER,
		  3 * SECOND },
		{ "OVERQUOTA", "Account exceeded command or bandwidth limits.", IMAP_FETCHES, SLOWER,
		  24 * 3600 * SECOND },
		{ "OVERQUOTA", "", IMAP_FETCHES, SLOWER, 24 * 3600 * SECOND },
		{ "OVERQUOTA", "", IMAP_FILLS, FAULT_TRANSPORT, REACH_SESSION, AGAIN_NOW, 0 },
		{ "UNAVAILABLE", "Maximum number of connections", IMAP_DOES_OTHERS, FEWER, 0 },
		{ "", "Too many connections", IMAP_DOES_OTHERS, FEWER, 0 },
		{ "UNAVAILABLE", "", IMAP_DOES_OTHERS, SLOWER, 0 },
		{ "", "Session expired, please login again", IMAP_FETCHES, FAULT_TRANSPORT, REACH_SESSION,
		  AGAIN_NOW, 0 },
		{ "", "Session invalidated - AccessTokenExpired", IMAP_FETCHES, FAULT_TRANSPORT, REACH_SESSION,
		  AGAIN_NOW, 0 },
		{ "", "Server shutting down", IMAP_FETCHES, FAULT_TRANSPORT, REACH_SESSION, AGAIN_NOW, 0 },
		{ "", "Back at once: try again in 20 seconds", IMAP_FETCHES, SLOWER, 20 * SECOND },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		bye(check, &cases[i]);
}

static int no_token(void *arg, char **ret, struct fault *fault)
{
	return -1;
}

static struct fault of_session(struct check *check, const struct imap_account *of, bool logged_in, const char *code,
			       const char *text)
{
	_cleanup_(freep) struct imap_session *s = new_session(of);
	struct imap_command c = answer(IMAP_NO, code, text);
	struct fault fault;

	s->logged_in = logged_in;
	CHECK(imap_refused(s, &c, &fault, "cannot") < 0);
	return fault;
}

/* A token that ran out is renewed by a new login; one that was refused at login is not. */
static void tokens(struct check *check)
{
	static const struct imap_account oauth = { .label = "source", .token = no_token };
	static const char *const renewable[][2] = {
		{ "AUTHENTICATIONFAILED", "Invalid credentials (Failure)" }, { "EXPIRED", "" },
		{ "", "Session invalidated - AccessTokenExpired" }, { "", "access token has expired" },
	};
	struct fault no_rights;

	for (size_t i = 0; i < ARRAY_SIZE(renewable); i++)
		for (int k = 0; k < 4; k++) {
			const struct imap_account *of = k & 1 ? &oauth : &account;
			struct fault fault = of_session(check, of, k & 2, renewable[i][0], renewable[i][1]);

			CHECK_EQ(fault.kind, FAULT_AUTH);
			CHECK_EQ(fault.reach, k == 3 ? REACH_SESSION : REACH_MAILBOX);
			CHECK_EQ(fault.again, k == 3 ? AGAIN_NOW : AGAIN_NEVER);
		}

	/* No rights, not no token: a new one changes nothing (Q11). */
	no_rights = of_session(check, &oauth, true, "", "User is authenticated but not connected.");
	same(check, &no_rights, &(struct meaning){ "rights", NOT_US });
}

static void code_before_words(struct check *check)
{
	struct fault fault = fault_of(check, "TOOBIG", "quota, throttled, permission");

	same(check, &fault, &(struct meaning){ "code", FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER });

	/* A hint is no reason to try again what can never be taken. */
	fault = fault_of(check, "TOOBIG", "retry after 5 minutes");
	same(check, &fault, &(struct meaning){ "code", FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER });
	CHECK_EQ(fault.after_us, 0);

	/* A code nobody knows leaves the word to the text. */
	fault = fault_of(check, "X-THING", "over quota");
	same(check, &fault, &(struct meaning){ "text", FULL });
	CHECK_STR(fault.server, "[X-THING] over quota");

	/* Of two known wordings the one that can be waited for. */
	fault = fault_of(check, "", "Request is throttled because of your quota");
	same(check, &fault, &(struct meaning){ "two", SLOWER });
}

static void waits(struct check *check)
{
	static const struct {
		const char *text;
		int64_t after_us;
	} cases[] = {
		{ "throttled. Suggested Backoff Time: 299609 milliseconds", 299609 * MSEC },
		{ "throttled. suggested backoff time:7 milliseconds", 7 * MSEC },
		{ "Backoff Time: 7", 7 * MSEC },
		{ "Backoff Time: 0 milliseconds", 0 },
		{ "Backoff Time: 86400000 milliseconds", 24 * 3600 * SECOND },
		{ "Backoff Time: 86400001 milliseconds", 0 }, /* more than a day is no hint */
		{ "Backoff Time: 99999999999999999999999 milliseconds", 0 },
		{ "Backoff Time: -5 milliseconds", 0 },
		{ "Backoff Time: soon", 0 },
		{ "Backoff Time:", 0 },
		{ "Backoff Time", 0 },
		{ "retry after 30 seconds", 30 * SECOND },
		{ "Retry after 30", 30 * SECOND },
		{ "Retry-After: 30", 0 }, /* HTTP's, not seen here */
		{ "retry in 5 min", 300 * SECOND },
		{ "try again in 15 minutes.", 900 * SECOND },
		{ "Try again in 1 minute", MINUTE },
		{ "try again in a minute", MINUTE },
		{ "try again in an hour", 3600 * SECOND },
		{ "try again in one hour", 3600 * SECOND },
		{ "try again in a few minutes", 0 },
		{ "try again in 24 hours", 24 * 3600 * SECOND },
		{ "try again in 25 hours", 0 },
		{ "try again in 99999999 hours", 0 },
		{ "try again after 10 secs", 10 * SECOND },
		{ "please try again in (90s)", 90 * SECOND },
		{ "wait 10 minutes before", 600 * SECOND },
		{ "you must wait for 2h", 7200 * SECOND },
		{ "wait 10", 0 },
		{ "waited 5 seconds for a lock", 0 },
		{ "per-10 minute limit", 600 * SECOND },
		{ "per-user limit of 5 minutes", 0 },
		{ "try again in 5 hourglasses", 5 * SECOND },
		{ "per-10 hourglasses", 0 },
		{ "try again later", 0 },
		{ "", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (imap_suggested_wait(cases[i].text) != cases[i].after_us)
			CHECK_FAIL("\"%s\": %lld µs", cases[i].text, (long long)imap_suggested_wait(cases[i].text));
	CHECK_EQ(fault_of(check, "UNAVAILABLE", cases[0].text).after_us, cases[0].after_us);

	/* The server's own word goes before the day it usually takes. */
	CHECK_EQ(fault_of(check, "", "bandwidth limits, retry after 1 hour").after_us, 3600 * SECOND);
	CHECK_EQ(fault_of(check, "", "bandwidth limits").after_us, day_us);
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
		{ "BYE", byes },
		{ "OAuth tokens that ran out", tokens },
		{ "how long to stay away", waits },
		{ "OK is no refusal", not_refused },
		{ "BAD without a word", bad_without_a_word },
		{ "hostile and very long texts", hostile_text },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
