/* SPDX-License-Identifier: Apache-2.0 */
/* How a session comes to be or does not: whoever counts connections is told of each once, and a login that fails says
 * whether another may help. */
#include <stdio.h>

#include "base/xalloc.h"
#include "imap/test-talk.h"

/* --- counting connections -------------------------------------------------------------------- */

struct counter {
	int entered, left;
	bool refuses, waits;
};

static int enter(void *arg, struct fault *fault)
{
	struct counter *c = arg;

	if (c->waits && run_sleep(3600 * SECOND, fault) < 0)
		return -1;
	if (c->refuses)
		return fault_set(fault, FAULT_LIMIT, REACH_MAILBOX, AGAIN_LATER, "no place");

	c->entered++;
	return 0;
}

static void leave(void *arg)
{
	struct counter *c = arg;

	c->left++;
}

static void count(struct talk *t, struct counter *c)
{
	t->account.enter = enter;
	t->account.leave = leave;
	t->account.enter_arg = c;
	t->account.user = "anna";
	t->account.password = "secret";
}

static int counted(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct counter c = { .entered = 0 };

	count(t, &c);
	if (imap_connect(&t->account, &t->s, fault) < 0)
		return -1;
	EXPECT(c.entered == 1 && c.left == 0);
	imap_logout(TAKE_PTR(t->s));
	EXPECT(c.entered == 1 && c.left == 1);
	return 0;
}

/* The connection that is lost still counts until its session is freed. */
static int counted_when_lost(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct counter c = { .entered = 0 };
	struct fault why;

	count(t, &c);
	if (imap_connect(&t->account, &t->s, fault) < 0)
		return -1;
	EXPECT(imap_simple(t->s, "NOOP", &why) < 0 && t->s->broken && c.left == 0);
	t->s = imap_session_free(t->s);
	EXPECT(c.entered == 1 && c.left == 1);
	return 0;
}

/* want: "kind reach again" of the fault. */
static int counted_when_failed(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct counter c = { .entered = 0 };
	struct fault why = FAULT_INIT;
	char got[60];

	count(t, &c);
	EXPECT(imap_connect(&t->account, &t->s, &why) < 0 && !t->s);
	EXPECT(c.entered == 1 && c.left == 1);
	snprintf(got, sizeof(got), "%s %s %d", fault_kind_name(why.kind), fault_reach_name(why.reach), (int)why.again);
	check_expect(check, strcmp(got, t->play->want) == 0, __FILE__, __LINE__, "%s: %s", got, why.text);
	EXPECT(!strstr(why.text, "secret") && !strstr(why.server, "secret"));
	return 0;
}

static int not_entered(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct counter c = { .refuses = true };
	struct fault why;

	count(t, &c);
	EXPECT(imap_connect(&t->account, &t->s, &why) < 0 && strcmp(why.text, "no place") == 0);
	EXPECT(c.entered == 0 && c.left == 0 && t->client_end); /* nobody was called */
	return 0;
}

struct attempt {
	struct talk *t;
	struct fault why;
};

static int attempt(void *arg, struct fault *fault)
{
	struct attempt *a = arg;

	return imap_connect(&a->t->account, &a->t->s, &a->why);
}

/* Told to stop while it waits: for its turn, for the greeting. */
static int cancelled(struct talk *t, bool before)
{
	struct check *check = t->check;
	struct counter c = { .waits = before };
	struct attempt a = { .t = t };
	struct nursery nursery;

	count(t, &c);
	nursery_init(&nursery, "attempt");
	nursery_start(&nursery, attempt, &a, "attempt");
	let_wait(&a.why);
	nursery_cancel(&nursery);
	nursery_done(&nursery);
	EXPECT(a.why.kind == FAULT_CANCELLED && !t->s);
	EXPECT(c.entered == !before && c.left == !before);
	return 0;
}

static int cancelled_before(struct talk *t, struct fault *fault)
{
	return cancelled(t, true);
}

static int cancelled_after(struct talk *t, struct fault *fault)
{
	return cancelled(t, false);
}

static int no_dial(void *arg, struct stream **ret, struct fault *fault)
{
	return fault_transport(fault, "nobody answers");
}

static int not_dialled(struct talk *t, struct fault *fault)
{
	t->account.dial = no_dial;
	return counted_when_failed(t, fault);
}

static int without_tls(struct talk *t, struct fault *fault)
{
	t->account.security = IMAP_STARTTLS;
	return counted_when_failed(t, fault);
}

static int pipe_that_ends(struct talk *t, struct fault *fault)
{
	t->account.dial = NULL;
	t->account.host = NULL;
	t->account.command = "exit 3";
	return counted_when_failed(t, fault);
}

static void failing(struct check *check, int (*client)(struct talk *t, struct fault *fault), const char *want,
		    const char *greeting, const char *const *script)
{
	play(check, &(struct play){ .client = client, .want = want, .greeting = greeting, .script = script });
}

#define FAILING(client, want, greeting, ...)                                                       \
	failing(check, client, want, greeting, (const char *const[]){ __VA_ARGS__ __VA_OPT__(,) NULL })

#define HELLO "* OK [CAPABILITY IMAP4rev1] hi\r\n"
#define LOGIN "m1 LOGIN \"anna\" \"secret\"\r\n"

static void counting(struct check *check)
{
	FAILING(counted, NULL, "* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n", "m1 LOGOUT\r\n", "* BYE\r\nm1 OK\r\n");
	FAILING(counted_when_lost, NULL, "* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n", "m1 NOOP\r\n", "* nonsense\r\nm1\r\n");
	FAILING(not_entered, NULL, HELLO);
	FAILING(cancelled_before, NULL, "");
	play(check, &(struct play){ .client = cancelled_after, .server = hear_end, .greeting = "* O" });
	FAILING(not_dialled, "transport session 0", HELLO);
	FAILING(without_tls, "tls server 2", HELLO);
	FAILING(pipe_that_ends, "local server 2", HELLO);
	FAILING(counted_when_failed, "protocol session 0", "220 smtp.example ESMTP\r\n");
	FAILING(counted_when_failed, "transport session 0", HELLO, LOGIN, "* BYE gone\r\n");
}

/* --- who turns us away ----------------------------------------------------------------------- */

static void turned_away(struct check *check)
{
	FAILING(counted_when_failed, "refused server 1", "* BYE not today\r\n");
	FAILING(counted_when_failed, "limit session 1", "* BYE Too many connections\r\n");
	FAILING(counted_when_failed, "limit session 1", "* BYE [UNAVAILABLE] Maximum number of connections\r\n");
	FAILING(counted_when_failed, "limit mailbox 1", "* BYE [ALERT] Too many requests, try again in 5 minutes\r\n");

	FAILING(counted_when_failed, "auth mailbox 2", HELLO, LOGIN, "m1 NO wrong\r\n");
	FAILING(counted_when_failed, "auth mailbox 2", HELLO, LOGIN, "m1 NO [AUTHENTICATIONFAILED] secret is wrong\r\n");
	FAILING(counted_when_failed, "limit session 1", HELLO, LOGIN,
		"m1 NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded\r\n");
	FAILING(counted_when_failed, "limit session 1", HELLO, LOGIN, "m1 NO [ALERT] Too many simultaneous connections.\r\n");
	FAILING(counted_when_failed, "limit mailbox 1", HELLO, LOGIN, "m1 NO [LIMIT] LOGIN Rate limit hit.\r\n");
	FAILING(counted_when_failed, "limit mailbox 1", HELLO, LOGIN,
		"* BYE [OVERQUOTA] Account exceeded command or bandwidth limits.\r\n");
	FAILING(counted_when_failed, "refused session 1", HELLO, LOGIN, "m1 NO [SERVERBUG] oops\r\n");
}

/* --- OAuth ----------------------------------------------------------------------------------- */

static int token(void *arg, char **ret, struct fault *fault)
{
	*ret = xstrdup("abc");
	return 0;
}

static void use_token(struct talk *t)
{
	t->account.user = "anna";
	t->account.token = token;
	t->account.mechanism = "XOAUTH2";
}

/* A token fetched just now that is refused: another will not be better. */
static int refused_token(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct fault why;

	use_token(t);
	EXPECT(imap_connect(&t->account, &t->s, &why) < 0);
	EXPECT(why.kind == FAULT_AUTH && why.reach == REACH_MAILBOX && why.again == AGAIN_NEVER);
	return 0;
}

/* One that ran out: a new login has a new one. */
static int expired_token(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct fault why;

	use_token(t);
	if (imap_connect(&t->account, &t->s, fault) < 0)
		return -1;
	EXPECT(imap_simple(t->s, "NOOP", &why) < 0);
	EXPECT(why.reach == REACH_SESSION && why.again == AGAIN_NOW && why.server[0]);
	return 0;
}

#define HELLO_OAUTH "* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR] hi\r\n"
#define LOGIN_OAUTH "m1 AUTHENTICATE XOAUTH2 dXNlcj1hbm5hAWF1dGg9QmVhcmVyIGFiYwEB\r\n"
#define WELCOME "m1 OK [CAPABILITY IMAP4rev1] welcome\r\n"

static void tokens(struct check *check)
{
	FAILING(refused_token, NULL, HELLO_OAUTH, LOGIN_OAUTH, "m1 NO [AUTHENTICATIONFAILED] Invalid credentials\r\n");
	FAILING(refused_token, NULL, HELLO_OAUTH, LOGIN_OAUTH, "m1 NO [EXPIRED] access token has expired\r\n");
	FAILING(refused_token, NULL, HELLO_OAUTH, LOGIN_OAUTH, "m1 NO AUTHENTICATE failed.\r\n");
	FAILING(expired_token, NULL, HELLO_OAUTH, LOGIN_OAUTH, WELCOME, "m2 NOOP\r\n", "m2 NO [EXPIRED] token\r\n");
	FAILING(expired_token, NULL, HELLO_OAUTH, LOGIN_OAUTH, WELCOME, "m2 NOOP\r\n",
		"m2 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n");
	FAILING(expired_token, NULL, HELLO_OAUTH, LOGIN_OAUTH, WELCOME, "m2 NOOP\r\n",
		"* BYE Session invalidated - AccessTokenExpired\r\nm2 BAD Command received in Invalid state.\r\n");
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "connections are counted", counting },
		{ "servers that turn us away", turned_away },
		{ "tokens refused and tokens that ran out", tokens },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
