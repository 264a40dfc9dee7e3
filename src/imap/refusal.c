/* SPDX-License-Identifier: Apache-2.0 */
/* From a NO or BAD to a fault: what kind it is, how far it reaches and whether to try again. Response
 * codes (RFC 5530 and others) come first; where servers only have words, the words they are known to
 * use (docs/servers/). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "imap/session.h"

struct meaning {
	const char *word;
	enum fault_kind kind;
	enum fault_reach reach;
	enum fault_again again;
};

static const struct meaning by_code[] = {
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

static const struct meaning by_text[] = {
	{ "throttled", FAULT_LIMIT, REACH_SESSION, AGAIN_LATER },            /* Exchange (Q1) */
	{ "rate limit", FAULT_LIMIT, REACH_SESSION, AGAIN_LATER },           /* Yahoo (Q2) */
	{ "too many simultaneous", FAULT_LIMIT, REACH_SESSION, AGAIN_LATER }, /* Gmail (Q3) */
	{ "maximum number of connections", FAULT_LIMIT, REACH_SESSION, AGAIN_LATER }, /* Dovecot (Q4) */
	{ "quota", FAULT_LIMIT, REACH_MAILBOX, AGAIN_NEVER },                /* Q5 */
	{ "not enough space", FAULT_LIMIT, REACH_MAILBOX, AGAIN_NEVER },
	{ "mailbox is full", FAULT_LIMIT, REACH_MAILBOX, AGAIN_NEVER },
	{ "maximum size of appendable", FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER }, /* Exchange (Q6) */
	{ "too large", FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER },
	{ "too big", FAULT_LIMIT, REACH_MESSAGE, AGAIN_NEVER },
	{ "authenticated but not connected", FAULT_AUTH, REACH_MAILBOX, AGAIN_NEVER }, /* Q11 */
	{ "unsafe login", FAULT_AUTH, REACH_MAILBOX, AGAIN_NEVER },          /* NetEase (Q13) */
	{ "permission", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
	{ "read-only", FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER },
};

static const struct meaning *find(const struct meaning *table, size_t n, const char *word, bool whole)
{
	for (size_t i = 0; i < n; i++)
		if (whole ? strcmp(table[i].word, word) == 0
			  : strcasestr(word, table[i].word) != NULL)
			return &table[i];

	return NULL;
}

/* "Suggested Backoff Time: 299609 milliseconds" (Exchange). */
int64_t imap_suggested_wait(const char *text)
{
	const char *at = strcasestr(text, "backoff time:");
	uint64_t ms = 0;
	size_t n = 0;

	if (!at)
		return 0;

	at += strlen("backoff time:");
	at += strspn(at, " ");
	n = strspn(at, "0123456789");
	if (bytes_to_u64((struct bytes){ at, n }, 24 * 3600 * 1000, &ms) < 0)
		return 0;

	return (int64_t)ms * MSEC;
}

int imap_refused(const struct imap_session *s, const struct imap_command *c, struct fault *fault,
		 const char *format, ...)
{
	static const struct meaning unknown = { "", FAULT_REFUSED, REACH_MESSAGE, AGAIN_NEVER };
	const struct meaning *m = NULL;
	char what[300];
	va_list args;

	if (c->done && c->condition == IMAP_OK)
		return 0;

	m = find(by_code, ARRAY_SIZE(by_code), c->code, true);
	if (!m)
		m = find(by_text, ARRAY_SIZE(by_text), c->text, false);
	if (!m)
		m = &unknown;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	fault_set(fault, m->kind, m->reach, m->again, "%s: %s", s->account->label, what);
	fault->after_us = imap_suggested_wait(c->text);
	if (c->code[0]) {
		char words[sizeof(c->code) + sizeof(c->text) + 4];

		snprintf(words, sizeof(words), "[%s] %s", c->code, c->text);
		return fault_server(fault, bytes_of(words));
	}
	return fault_server(fault, bytes_of(c->text[0] ? c->text
					    : c->condition == IMAP_NO ? "NO" : "BAD"));
}
