/* SPDX-License-Identifier: Apache-2.0 */
/* From a NO, BAD or BYE to a fault: what kind it is, how far it reaches and whether to try again. Response codes
 * (RFC 5530 and others) come first; where servers only have words, the words they are known to use
 * (docs/servers/). Some codes mean too many things: there the words go first.
 *
 * A server that wants less of us is FAULT_LIMIT with AGAIN_LATER, and the reach says less of what:
 *	REACH_SESSION  fewer connections: this one is one too many, those there are may go on
 *	REACH_MAILBOX  slower, all of them, or not at all for a while
 * after_us is what the server asked for, a day where it counts bytes by the day, else 0: the caller's own pace. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "imap/session.h"

struct meaning {
	const char *word;
	enum fault_kind kind;
	enum fault_reach reach;
	enum fault_again again;
	int64_t after_us;
	enum imap_doing to; /* in answer to such a command only; 0: to any */
	bool unclear;     /* a code: the words, if we know them, are better */
	bool renewable;   /* with OAuth, in the middle of a session: a new login brings a new token */
};

#define SLOWER FAULT_LIMIT, REACH_MAILBOX, AGAIN_LATER
#define FEWER FAULT_LIMIT, REACH_SESSION, AGAIN_LATER
#define FULL FAULT_LIMIT, REACH_MAILBOX, AGAIN_NEVER
#define NOT_US FAULT_AUTH, REACH_MAILBOX, AGAIN_NEVER

static const int64_t day_us = 24 * 3600 * SECOND;

static const struct meaning by_code[] = {
	{ "AUTHENTICATIONFAILED", NOT_US, .unclear = true, .renewable = true },
	{ "AUTHORIZATIONFAILED", NOT_US },
	{ "EXPIRED", NOT_US, .renewable = true },
	{ "PRIVACYREQUIRED", FAULT_AUTH, REACH_SERVER, AGAIN_NEVER },
	{ "CONTACTADMIN", FAULT_REFUSED, REACH_MAILBOX, AGAIN_NEVER },
	{ "NOPERM", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
	{ "TRYCREATE", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
	{ "NONEXISTENT", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
	{ "ALREADYEXISTS", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
	{ "HASCHILDREN", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER }, /* RFC 9051 */
	{ "CANNOT", FAULT_REFUSED, REACH_MESSAGE, AGAIN_NEVER },
	{ "READ-ONLY", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
	{ "OVERQUOTA", SLOWER, .after_us = day_us, .to = IMAP_FETCHES, .unclear = true }, /* Gmail (Q3) */
	{ "OVERQUOTA", FULL, .unclear = true },                       /* Q5 */
	{ "TOOBIG", FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER },
	{ "LIMIT", FAULT_REFUSED, REACH_MESSAGE, AGAIN_NEVER, .to = IMAP_FILLS, .unclear = true }, /* keywords */
	{ "LIMIT", SLOWER, .unclear = true },                         /* Yahoo (Q2) */
	{ "THROTTLED", SLOWER },                                      /* Gmail: node-imap 593 */
	{ "UNAVAILABLE", SLOWER, .unclear = true },
	{ "TEMPFAIL", SLOWER, .unclear = true },                      /* Yahoo, when it has enough */
	{ "INUSE", FAULT_REFUSED, REACH_SESSION, AGAIN_LATER },       /* a lock: no wish for less */
	{ "SERVERBUG", FAULT_REFUSED, REACH_MESSAGE, AGAIN_LATER },
	{ "CORRUPTION", FAULT_DATA, REACH_FOLDER, AGAIN_NEVER },
	{ "BADCHARSET", FAULT_PROTOCOL, REACH_FOLDER, AGAIN_NEVER },
};

/* Those who want less of us: looked for before unclear codes. The first that fits. */
static const struct meaning by_wish[] = {
	{ "too many simultaneous", FEWER },                           /* Gmail (Q3) */
	{ "maximum number of connections", FEWER },                   /* Dovecot (Q4) */
	{ "number of connections exceeded", FEWER },
	{ "too many connections", FEWER },                            /* Kerio Connect */
	{ "too many open connections", FEWER },                       /* Cyrus */
	{ "too many concurrent", FEWER },                             /* Stalwart */
	{ "too many active", FEWER },
	{ "connection limit", FEWER },                                /* Courier's log, hMailServer */
	{ "login server error", FEWER },                              /* Yahoo, from the sixth connection on */

	{ "bandwidth limit", SLOWER, .after_us = day_us },            /* Gmail (Q3): 2,500 MB a day */
	{ "exceeded command or bandwidth", SLOWER, .after_us = day_us },
	{ "daily limit", SLOWER, .after_us = day_us },

	{ "throttled", SLOWER },                                      /* Exchange, 21Vianet too (Q1) */
	{ "connection closed. 14", SLOWER },                          /* Exchange's BYE after it */
	{ "rate limit", SLOWER },                                     /* Yahoo (Q2) */
	{ "rate-limit", SLOWER },                                     /* Mailu: Mailu 2283 */
	{ "limit for logins", SLOWER },                               /* Fastmail: OpenArchiver 37 */
	/* Tencent; it names a wrong password in the same breath, so this is not to be tried for ever. */
	{ "login frequency limited", FAULT_AUTH, REACH_MAILBOX, AGAIN_LATER },
	{ "too many login", SLOWER },
	{ "too many failed", SLOWER },
	{ "too many auth", SLOWER },
	{ "too many requests", SLOWER },
	{ "server unavailable. 15", FULL, .to = IMAP_FILLS },            /* Exchange: its quota (Q5) */
	{ "server unavailable. 15", SLOWER },                         /* Exchange: imapfilter 146 */
	{ "server error while fetching", FAULT_REFUSED, REACH_MESSAGE, AGAIN_LATER }, /* Yahoo: imapsync 119 */
	{ "try again later", SLOWER },                                /* Yahoo: imap_tools 229; Fastmail */
	{ "temporary system error", SLOWER },                         /* Gmail's BYE */
};

static const struct meaning by_text[] = {
	{ "accesstokenexpired", NOT_US, .renewable = true },          /* Exchange (Q12) */
	{ "token expired", NOT_US, .renewable = true },
	{ "token has expired", NOT_US, .renewable = true },
	{ "quota", SLOWER, .after_us = day_us, .to = IMAP_FETCHES },
	{ "quota", FULL },                                            /* Q5 */
	{ "blocks limit", FULL },                                     /* Q5: the disk's quotas, as Courier tells them */
	{ "inode limit", FULL },
	{ "not enough space", FULL },
	{ "mailbox is full", FULL },
	{ "maximum size of appendable", FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER }, /* Exchange (Q6) */
	{ "too large", FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER },
	{ "too big", FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER },
	{ "authenticated but not connected", NOT_US },                /* Exchange (Q11) */
	{ "unsafe login", NOT_US },                                   /* NetEase (Q13) */
	{ "permission", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
	{ "read-only", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
};

/* --- how long --------------------------------------------------------------------------------- */

/* What stands before a duration, and what its number counts when no unit follows; 0: then it is none. */
static const struct {
	const char *words;
	int64_t unit_us;
} before_durations[] = {
	{ "backoff time:", MSEC }, /* "Suggested Backoff Time: 299609 milliseconds" (Exchange) */
	{ "retry after", SECOND },
	{ "retry in", SECOND },
	{ "try again after", SECOND },
	{ "try again in", SECOND },
	{ "wait for", 0 },
	{ "wait", 0 },
	{ "per-", 0 },             /* "Already reached per-10 minute limit for logins" (Fastmail) */
};

static const struct {
	const char *name;
	int64_t us;
} units[] = {
	{ "millisecond", MSEC }, { "ms", MSEC }, { "second", SECOND }, { "sec", SECOND }, { "s", SECOND },
	{ "minute", MINUTE }, { "min", MINUTE }, { "hour", 3600 * SECOND }, { "h", 3600 * SECOND },
};

/* "hours," begins with "hour" and may have an s more, but is no "hourglass". */
static bool begins_with_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	if (strncasecmp(text, word, n) != 0)
		return false;

	text += n + (text[n] == 's' || text[n] == 'S');
	return !ascii_is_alpha(*text);
}

/* "5 minutes", "an hour", "299609 milliseconds"; 0: it is nothing of the kind, or more than a day. */
static int64_t duration(const char *text, int64_t unit_us)
{
	uint64_t number = 0;
	size_t n;

	text += strspn(text, " :=\"'(");
	n = strspn(text, "0123456789");
	if (n && bytes_to_u64((struct bytes){ text, n }, 24 * 3600 * 1000, &number) < 0)
		return 0;
	if (!n && (begins_with_word(text, "a") || begins_with_word(text, "an") ||
		   begins_with_word(text, "one"))) {
		number = 1;
		n = strcspn(text, " ");
		unit_us = 0;
	}

	text += n;
	text += strspn(text, " -");
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (begins_with_word(text, units[i].name)) {
			unit_us = units[i].us;
			break;
		}

	return number <= (uint64_t)day_us && (int64_t)number * unit_us <= day_us
		? (int64_t)number * unit_us : 0;
}

int64_t imap_suggested_wait(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(before_durations); i++) {
		const char *words = before_durations[i].words, *at = text;

		while ((at = strcasestr(at, words))) {
			int64_t us;

			at += strlen(words);
			us = duration(at, before_durations[i].unit_us);
			if (us)
				return us;
		}
	}
	return 0;
}

/* --- what it means ---------------------------------------------------------------------------- */

static bool fits(const struct meaning *m, enum imap_doing doing)
{
	return !m->to || m->to == doing;
}

static const struct meaning *find_code(const char *code, enum imap_doing doing)
{
	for (size_t i = 0; i < ARRAY_SIZE(by_code); i++)
		if (strcmp(by_code[i].word, code) == 0 && fits(&by_code[i], doing))
			return &by_code[i];

	return NULL;
}

static const struct meaning *find_words(const struct meaning *table, size_t n, const char *text,
					enum imap_doing doing)
{
	for (size_t i = 0; i < n; i++)
		if (strcasestr(text, table[i].word) && fits(&table[i], doing))
			return &table[i];

	return NULL;
}

/* One that says how long has a reason that passes. */
static const struct meaning passing = { "", SLOWER };

static const struct meaning *meaning_of(const char *code, const char *text, enum imap_doing doing)
{
	const struct meaning *m = find_code(code, doing), *wish = NULL;

	if (!m || m->unclear)
		wish = find_words(by_wish, ARRAY_SIZE(by_wish), text, doing);
	if (!wish && (!m || m->kind == FAULT_AUTH) && imap_suggested_wait(text))
		wish = &passing;
	if (wish)
		return wish;

	return m ? m : find_words(by_text, ARRAY_SIZE(by_text), text, doing);
}

static void set_meaning(const struct meaning *m, const char *text, struct fault *fault)
{
	fault->kind = m->kind;
	fault->reach = m->reach;
	fault->again = m->again;
	fault->after_us = m->again == AGAIN_LATER ? imap_suggested_wait(text) : 0;
	if (!fault->after_us)
		fault->after_us = m->after_us;
}

static void pass_on(const struct imap_session *s, const struct fault *fault)
{
	const struct imap_account *account = s->account;

	if (account->told_off && imap_is_throttle(fault))
		account->told_off(account->enter_arg, fault->after_us, imap_is_one_too_many(fault));
}

int imap_said_bye(const struct imap_session *s, struct fault *fault)
{
	enum imap_doing doing = IMAP_FETCHES;
	const struct meaning *m;
	char words[sizeof(s->bye_code) + sizeof(s->bye) + 4];

	list_for_each(link, &s->pending)
		if (list_entry(link, struct imap_command, link)->doing == IMAP_FILLS)
			doing = IMAP_FILLS;

	fault_transport(fault, "%s: the server ended the session", s->account->label);
	m = meaning_of(s->bye_code, s->bye, doing);
	if (m && m->kind == FAULT_LIMIT && m->again == AGAIN_LATER)
		set_meaning(m, s->bye, fault);
	pass_on(s, fault);

	snprintf(words, sizeof(words), s->bye_code[0] ? "[%s] %s" : "%s%s", s->bye_code, s->bye);
	return fault_server(fault, bytes_of(words));
}

int imap_refused(const struct imap_session *s, const struct imap_command *c, struct fault *fault,
		 const char *format, ...)
{
	static const struct meaning unknown = { "", FAULT_REFUSED, REACH_MESSAGE, AGAIN_NEVER };
	const struct meaning *m;
	char what[300];
	va_list args;

	if (c->done && c->condition == IMAP_OK)
		return 0;

	m = meaning_of(c->code, c->text, c->doing);
	if (!m && s->bye[0]) /* what it still says on its way out is about that */
		return imap_said_bye(s, fault);

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	fault_set(fault, FAULT_REFUSED, REACH_MESSAGE, AGAIN_NEVER, "%s: %s", s->account->label, what);
	set_meaning(m ? m : &unknown, c->text, fault);
	pass_on(s, fault);
	if (m && m->renewable && s->logged_in && s->account->token) {
		fault->reach = REACH_SESSION;
		fault->again = AGAIN_NOW;
	}
	if (c->code[0]) {
		char words[sizeof(c->code) + sizeof(c->text) + 4];

		snprintf(words, sizeof(words), "[%s] %s", c->code, c->text);
		return fault_server(fault, bytes_of(words));
	}
	return fault_server(fault, bytes_of(c->text[0] ? c->text
					    : c->condition == IMAP_NO ? "NO" : "BAD"));
}

int imap_told_off(const struct imap_session *s, const struct imap_command *c, const char *what,
		  struct fault *fault)
{
	struct fault why;

	if (imap_refused(s, c, &why, "%s", what) == 0 || !imap_is_throttle(&why))
		return 0;

	*fault = why;
	return -1;
}
