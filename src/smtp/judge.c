/* SPDX-License-Identifier: Apache-2.0 */
/* What a reply means, see reply.h: a table that is read from the top, the first rule that fits decides. Words of
 * servers come before enhanced codes, as many servers have one code for everything (5.7.1, 4.7.0, 4.3.2). */
#include <string.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "smtp/reply.h"

enum { ANY = 0xffff };

struct rule {
	unsigned code;         /* 0: any; 4 or 5: that class */
	unsigned enhanced[2];  /* subject and detail; ANY */
	const char *words;     /* in the text, case aside; NULL: whatever it says */
	enum smtp_about about;
	bool temporary;        /* though the code says permanent */
};

#define NO_ENHANCED { ANY, ANY }

static const struct rule rules[] = {
	/* Too many recipients: RFC 5321 section 4.5.3.1.10 (452, and the older 552), RFC 3463 (X.5.3). */
	{ 0, { 5, 3 }, NULL, SMTP_ABOUT_MANY_RECIPIENTS, true },
	{ 0, NO_ENHANCED, "too many recipients", SMTP_ABOUT_MANY_RECIPIENTS, true },
	{ 0, NO_ENHANCED, "too many rcpt", SMTP_ABOUT_MANY_RECIPIENTS, true },

	/* Of one mailbox. Gmail: 450 4.2.1 "receiving mail at a rate", 452 4.2.2 / 552 5.2.2 "out of storage space".
	 * Exchange Online: 432 4.3.2 STOREDRV "concurrent connections limit", 554 5.2.2 mailbox full. */
	{ 0, NO_ENHANCED, "receiving mail at a rate", SMTP_ABOUT_MAILBOX_THROTTLE, true },
	{ 0, NO_ENHANCED, "receiving mail too quickly", SMTP_ABOUT_MAILBOX_THROTTLE, true },
	{ 432, NO_ENHANCED, NULL, SMTP_ABOUT_MAILBOX_THROTTLE, false },
	{ 4, NO_ENHANCED, "recipient thread limit", SMTP_ABOUT_MAILBOX_THROTTLE, false },
	{ 0, { 2, 2 }, NULL, SMTP_ABOUT_MAILBOX_FULL, false },
	{ 0, NO_ENHANCED, "mailbox full", SMTP_ABOUT_MAILBOX_FULL, false },
	{ 0, NO_ENHANCED, "mailbox is full", SMTP_ABOUT_MAILBOX_FULL, false },
	{ 0, NO_ENHANCED, "over quota", SMTP_ABOUT_MAILBOX_FULL, false },
	{ 0, NO_ENHANCED, "quota exceeded", SMTP_ABOUT_MAILBOX_FULL, false },
	{ 0, NO_ENHANCED, "exceeded storage allocation", SMTP_ABOUT_MAILBOX_FULL, false }, /* Postfix, RFC 5321's words */
	{ 4, { 2, 1 }, NULL, SMTP_ABOUT_MAILBOX_THROTTLE, false }, /* Gmail; also Postfix for a mailbox that is off */

	/* Of the server, in its own words. Exchange Online 451 4.7.500 (S77719), Gmail 421 4.7.0 / 4.7.28, Yahoo
	 * 421 4.7.0 [TSS04], Postfix anvil 450 4.7.1, Exim smtp_accept_max, Sendmail "connection rate limit". */
	{ 4, { 7, 500 }, NULL, SMTP_ABOUT_SERVER_THROTTLE, false },
	{ 4, { 7, 28 }, NULL, SMTP_ABOUT_SERVER_THROTTLE, false },
	{ 4, NO_ENHANCED, "server busy", SMTP_ABOUT_SERVER_THROTTLE, false },
	{ 4, NO_ENHANCED, "too many connections", SMTP_ABOUT_SERVER_THROTTLE, false },
	{ 4, NO_ENHANCED, "too many concurrent", SMTP_ABOUT_SERVER_THROTTLE, false },
	{ 4, NO_ENHANCED, "too much mail", SMTP_ABOUT_SERVER_THROTTLE, false },
	{ 4, NO_ENHANCED, "too many messages", SMTP_ABOUT_SERVER_THROTTLE, false },
	{ 4, NO_ENHANCED, "rate limit", SMTP_ABOUT_SERVER_THROTTLE, false },
	{ 4, NO_ENHANCED, "throttl", SMTP_ABOUT_SERVER_THROTTLE, false },
	{ 4, NO_ENHANCED, "unusual rate", SMTP_ABOUT_SERVER_THROTTLE, false },
	{ 4, NO_ENHANCED, "temporarily deferred", SMTP_ABOUT_SERVER_THROTTLE, false },

	/* Greylisting: waiting is all it wants. */
	{ 4, NO_ENHANCED, "greylist", SMTP_ABOUT_POLICY, false },
	{ 4, NO_ENHANCED, "graylist", SMTP_ABOUT_POLICY, false },

	/* TLS before anything else: RFC 3207's 530, Exchange's and Postfix's 5.7.0 / 5.7.10 / 4.7.4 and 454 4.7.0. */
	{ 0, NO_ENHANCED, "starttls", SMTP_ABOUT_TLS, false },
	{ 0, { 7, 4 }, NULL, SMTP_ABOUT_TLS, false },
	{ 0, { 7, 10 }, NULL, SMTP_ABOUT_TLS, false },
	{ 454, { 7, 0 }, NULL, SMTP_ABOUT_TLS, false },
	{ 0, NO_ENHANCED, "tls not available", SMTP_ABOUT_TLS, false },

	/* Loops: RFC 3463 X.4.6, Exchange 5.4.14, Postfix and others by their words. */
	{ 0, { 4, 6 }, NULL, SMTP_ABOUT_LOOP, false },
	{ 0, { 4, 14 }, NULL, SMTP_ABOUT_LOOP, false },
	{ 0, NO_ENHANCED, "too many hops", SMTP_ABOUT_LOOP, false },
	{ 0, NO_ENHANCED, "hop count exceeded", SMTP_ABOUT_LOOP, false },
	{ 0, NO_ENHANCED, "mail loop", SMTP_ABOUT_LOOP, false },

	/* Users: RFC 3463 X.1.x and X.2.1, Exchange 5.1.10 and 5.4.1 (directory-based edge blocking), then words. */
	{ 0, { 1, 1 }, NULL, SMTP_ABOUT_UNKNOWN_USER, false },
	{ 0, { 1, 2 }, NULL, SMTP_ABOUT_UNKNOWN_USER, false },
	{ 0, { 1, 3 }, NULL, SMTP_ABOUT_UNKNOWN_USER, false },
	{ 0, { 1, 6 }, NULL, SMTP_ABOUT_UNKNOWN_USER, false },
	{ 0, { 1, 10 }, NULL, SMTP_ABOUT_UNKNOWN_USER, false },
	{ 5, { 2, 1 }, NULL, SMTP_ABOUT_UNKNOWN_USER, false },
	{ 5, { 4, 1 }, "recipient address rejected", SMTP_ABOUT_UNKNOWN_USER, false },
	{ 5, NO_ENHANCED, "user unknown", SMTP_ABOUT_UNKNOWN_USER, false },
	{ 5, NO_ENHANCED, "unknown user", SMTP_ABOUT_UNKNOWN_USER, false },
	{ 5, NO_ENHANCED, "no such user", SMTP_ABOUT_UNKNOWN_USER, false },
	{ 5, NO_ENHANCED, "recipient unknown", SMTP_ABOUT_UNKNOWN_USER, false },
	{ 5, NO_ENHANCED, "unknown recipient", SMTP_ABOUT_UNKNOWN_USER, false },
	{ 5, NO_ENHANCED, "invalid recipient", SMTP_ABOUT_UNKNOWN_USER, false }, /* OpenSMTPD */
	{ 5, NO_ENHANCED, "mailbox unavailable", SMTP_ABOUT_UNKNOWN_USER, false },
	{ 5, NO_ENHANCED, "doesn't exist", SMTP_ABOUT_UNKNOWN_USER, false }, /* Dovecot LMTP, Gmail */
	{ 5, NO_ENHANCED, "does not exist", SMTP_ABOUT_UNKNOWN_USER, false },
	{ 551, NO_ENHANCED, NULL, SMTP_ABOUT_UNKNOWN_USER, false },

	/* Sizes and the server's disk: RFC 1870, RFC 3463 X.2.3, X.3.1, X.3.4. */
	{ 0, { 3, 4 }, NULL, SMTP_ABOUT_SIZE, false },
	{ 0, { 2, 3 }, NULL, SMTP_ABOUT_SIZE, false },
	{ 0, NO_ENHANCED, "message size exceeds", SMTP_ABOUT_SIZE, false },
	{ 0, NO_ENHANCED, "message too large", SMTP_ABOUT_SIZE, false },
	{ 0, NO_ENHANCED, "message too big", SMTP_ABOUT_SIZE, false },
	{ 0, { 3, 1 }, NULL, SMTP_ABOUT_STORAGE, false },
	{ 0, NO_ENHANCED, "insufficient system storage", SMTP_ABOUT_STORAGE, false },
	{ 0, NO_ENHANCED, "insufficient disk", SMTP_ABOUT_STORAGE, false },
	{ 0, NO_ENHANCED, "no space left", SMTP_ABOUT_STORAGE, false },

	/* Content: RFC 3463 X.6.x (Exchange 5.6.11: bare line feeds), RFC 6531 X.6.7. */
	{ 0, { 6, ANY }, NULL, SMTP_ABOUT_CONTENT, false },
	{ 0, NO_ENHANCED, "bare <lf>", SMTP_ABOUT_CONTENT, false },
	{ 0, NO_ENHANCED, "bare lf", SMTP_ABOUT_CONTENT, false },
	{ 0, NO_ENHANCED, "bare line feed", SMTP_ABOUT_CONTENT, false },

	/* What is left of the codes. */
	{ 421, NO_ENHANCED, NULL, SMTP_ABOUT_CONNECTION, false },
	{ 521, NO_ENHANCED, NULL, SMTP_ABOUT_CONNECTION, false }, /* RFC 7504 */
	{ 556, NO_ENHANCED, NULL, SMTP_ABOUT_CONNECTION, false },
	{ 0, { 7, ANY }, NULL, SMTP_ABOUT_POLICY, false },
	{ 0, { 3, ANY }, NULL, SMTP_ABOUT_CONNECTION, false },
	{ 0, { 4, ANY }, NULL, SMTP_ABOUT_CONNECTION, false },
	{ 0, NO_ENHANCED, "spam", SMTP_ABOUT_POLICY, false },
	{ 0, NO_ENHANCED, "blocked", SMTP_ABOUT_POLICY, false },
	{ 0, NO_ENHANCED, "blacklist", SMTP_ABOUT_POLICY, false },
	{ 0, NO_ENHANCED, "blocklist", SMTP_ABOUT_POLICY, false },
	{ 0, NO_ENHANCED, "access denied", SMTP_ABOUT_POLICY, false },
	{ 0, NO_ENHANCED, "relay", SMTP_ABOUT_POLICY, false },
	{ 452, NO_ENHANCED, NULL, SMTP_ABOUT_STORAGE, false },
	{ 552, NO_ENHANCED, NULL, SMTP_ABOUT_MAILBOX_FULL, false },
	{ 0, { 5, ANY }, NULL, SMTP_ABOUT_PROTOCOL, false },
	{ 500, NO_ENHANCED, NULL, SMTP_ABOUT_PROTOCOL, false },
	{ 501, NO_ENHANCED, NULL, SMTP_ABOUT_PROTOCOL, false },
	{ 502, NO_ENHANCED, NULL, SMTP_ABOUT_PROTOCOL, false },
	{ 503, NO_ENHANCED, NULL, SMTP_ABOUT_PROTOCOL, false },
	{ 504, NO_ENHANCED, NULL, SMTP_ABOUT_PROTOCOL, false },
	{ 555, NO_ENHANCED, NULL, SMTP_ABOUT_PROTOCOL, false },
};

const char *smtp_about_name(enum smtp_about about)
{
	static const char *const names[SMTP_ABOUTS] = {
		[SMTP_ABOUT_NOTHING] = "nothing named",
		[SMTP_ABOUT_CONNECTION] = "connection",
		[SMTP_ABOUT_SERVER_THROTTLE] = "server throttle",
		[SMTP_ABOUT_MAILBOX_THROTTLE] = "mailbox throttle",
		[SMTP_ABOUT_MANY_RECIPIENTS] = "too many recipients",
		[SMTP_ABOUT_MAILBOX_FULL] = "mailbox full",
		[SMTP_ABOUT_UNKNOWN_USER] = "unknown user",
		[SMTP_ABOUT_STORAGE] = "server storage",
		[SMTP_ABOUT_SIZE] = "message size",
		[SMTP_ABOUT_CONTENT] = "content",
		[SMTP_ABOUT_POLICY] = "policy",
		[SMTP_ABOUT_TLS] = "TLS",
		[SMTP_ABOUT_LOOP] = "loop",
		[SMTP_ABOUT_PROTOCOL] = "protocol",
	};

	return names[about];
}

static bool says(const struct smtp_reply *reply, const char *words)
{
	struct bytes text = { reply->text, reply->text_n }, want = bytes_of(words);

	for (; text.n >= want.n; text = bytes_skip(text, 1))
		if (bytes_starts_nocase(text, want))
			return true;

	return false;
}

static bool fits(const struct rule *rule, const struct smtp_reply *reply)
{
	const uint16_t *enhanced = reply->enhanced;

	if (rule->code && rule->code != reply->code && rule->code != reply->code / 100)
		return false;
	if (rule->enhanced[0] != ANY && (enhanced[0] == 0 || enhanced[1] != rule->enhanced[0]))
		return false;
	if (rule->enhanced[1] != ANY && enhanced[2] != rule->enhanced[1])
		return false;
	return !rule->words || says(reply, rule->words);
}

/* --- "try again in …" ------------------------------------------------------------------------ */

static int64_t unit_of(struct bytes rest)
{
	static const struct {
		const char *name;
		int64_t us;
	} units[] = { { "hour", HOUR }, { "hr", HOUR }, { "h", HOUR }, { "min", MINUTE }, { "m", MINUTE } };

	while (rest.n && rest.p[0] == ' ')
		rest = bytes_skip(rest, 1);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (bytes_starts_nocase(rest, bytes_of(units[i].name)))
			return units[i].us;

	return SECOND;
}

/* A number within two words behind `words`: "try again in 5 minutes", "retry after 300 seconds". */
static int64_t time_after(const struct smtp_reply *reply, const char *words)
{
	struct bytes text = { reply->text, reply->text_n }, want = bytes_of(words);
	int64_t us = 0;
	size_t n = 0;

	while (text.n >= want.n && !bytes_starts_nocase(text, want))
		text = bytes_skip(text, 1);
	if (text.n < want.n)
		return 0;

	text = bytes_skip(text, want.n);
	while (text.n && n++ < 12 && !ascii_is_digit(text.p[0]) && text.p[0] != '.' && text.p[0] != '\n')
		text = bytes_skip(text, 1);
	for (n = 0; n < 6 && n < text.n && ascii_is_digit(text.p[n]); n++)
		us = us * 10 + (text.p[n] - '0');

	us *= unit_of(bytes_skip(text, n));
	return us < 24 * HOUR ? us : 24 * HOUR;
}

static int64_t find_time(const struct smtp_reply *reply)
{
	static const char *const words[] = { "again in", "again after", "retry in", "retry after", "retry-after",
					     "wait for", "wait " };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		int64_t us = time_after(reply, words[i]);

		if (us)
			return us;
	}
	return 0;
}

/* --- the judgement --------------------------------------------------------------------------- */

void smtp_judge(const struct smtp_reply *reply, enum smtp_stage stage, struct smtp_judgement *ret)
{
	unsigned class = reply->code / 100;

	*ret = (struct smtp_judgement){ .closes = reply->code == 421 || reply->code == 521 };
	if (stage == SMTP_AT_DATA ? reply->code == 354 : class == 2)
		return;

	ret->class = class == 5 ? SMTP_CLASS_PERMANENT : SMTP_CLASS_TEMPORARY;
	if (class < 4) {
		ret->about = SMTP_ABOUT_PROTOCOL;
		return;
	}

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (!fits(&rules[i], reply))
			continue;
		ret->about = rules[i].about;
		if (rules[i].temporary)
			ret->class = SMTP_CLASS_TEMPORARY;
		break;
	}
	if (ret->class == SMTP_CLASS_TEMPORARY)
		ret->after_us = find_time(reply);
}
