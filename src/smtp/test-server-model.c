/* SPDX-License-Identifier: Apache-2.0 */
/* P7: random sessions against a small machine that says, by the book, what a server must answer and which messages
 * it must have taken. It knows nothing of server.c: four states, and the transaction as two lists of letters. Groups
 * are pipelined at random, and end where RFC 2920 says they must. The seed is printed; MAILFERRY_MODEL_SEED
 * gives another. */
#include <inttypes.h>
#include <stdio.h>

#include "base/rand.h"
#include "base/xalloc.h"
#include "smtp/test-serve.h"

enum { SESSIONS = 1500, COMMANDS = 40, MAX_RECIPIENTS = 5 };

struct model {
	struct rand rand;
	uint64_t seed;
	bool greeted, tls, open;
	char sender[20], recipients[MAX_RECIPIENTS + 1];
	unsigned errors, idle;
	bool over;
	struct buf books;
	struct talk *talk;

	/* The group at hand: what is sent, and what must come back. */
	struct buf group;
	int codes[COMMANDS * 2];
	size_t codes_n;
};

/* --- the reference ----------------------------------------------------------------------------- */

static void forget(struct model *m)
{
	m->open = false;
	m->sender[0] = m->recipients[0] = '\0';
}

static void answer(struct model *m, int code)
{
	if (code >= 500 && ++m->errors > 20) {
		code = 421;
		m->over = true;
	}
	m->codes[m->codes_n++] = code;
}

/* False: it was the last word. */
static bool idle(struct model *m)
{
	if (++m->idle <= 30)
		return true;

	answer(m, 421);
	m->over = true;
	return false;
}

static void say(struct model *m, const char *text)
{
	buf_append_str(&m->group, text);
}

static void do_hello(struct model *m, const char *line)
{
	say(m, line);
	if (idle(m)) {
		forget(m);
		m->greeted = true;
		answer(m, 250);
	}
}

static int model_mail(struct model *m, const char *sender, int if_good)
{
	bool nested = m->open;

	if (!m->greeted)
		return 503;
	forget(m);
	if (nested)
		return 503;
	if (if_good == 250) {
		m->open = true;
		snprintf(m->sender, sizeof(m->sender), "%s", sender);
	}
	return if_good;
}

static void do_mail(struct model *m)
{
	static const struct {
		const char *sender;
		int code;
	} senders[] = { { "a", 250 }, { "a", 250 }, { "a", 250 }, { "no", 550 }, { "later", 450 }, { "fault", 451 },
			{ "begin-no", 250 }, { "begin-later", 250 }, { "end-no", 250 }, { "end-later", 250 },
			{ "end-fault", 250 }, { "piece-fault", 250 } };
	size_t i = (size_t)rand_below(&m->rand, ARRAY_SIZE(senders));

	buf_appendf(&m->group, "MAIL FROM:<%s@x>\r\n", senders[i].sender);
	answer(m, model_mail(m, senders[i].sender, senders[i].code));
}

/* Refused by its grammar or size, in any state; the transaction does not outlive it. */
static void do_bad_mail(struct model *m)
{
	bool large = rand_below(&m->rand, 2), before = m->greeted, nested = m->open;

	say(m, large ? "MAIL FROM:<a@x> SIZE=999999\r\n" : "MAIL FROM:<a@x> FOO=1\r\n");
	forget(m);
	answer(m, !large ? 555 : !before || nested ? 503 : 552);
}

static int model_rcpt(struct model *m, char name)
{
	size_t n = strlen(m->recipients);

	if (!m->open)
		return 503;
	if (name == 'N')
		return 550;
	if (strchr(m->recipients, name))
		return 250;
	if (n == MAX_RECIPIENTS)
		return 452;
	m->recipients[n] = name;
	m->recipients[n + 1] = '\0';
	return 250;
}

static void do_rcpt(struct model *m)
{
	char name = "bcdefghN"[rand_below(&m->rand, 8)];
	bool full = strlen(m->recipients) == MAX_RECIPIENTS;

	if (name == 'N')
		say(m, "RCPT TO:<no@y>\r\n");
	else
		buf_appendf(&m->group, rand_below(&m->rand, 2) ? "RCPT TO:<%c@y>\r\n" : "rcpt to:<\"%c\"@Y> NOTIFY=NEVER\r\n", name);
	answer(m, name == 'N' && m->open && full ? 452 : model_rcpt(m, name));
}

static void do_small(struct model *m)
{
	static const struct {
		const char *line;
		int code;
	} lines[] = { { "NOOP\r\n", 250 }, { "RSET\r\n", 250 }, { "HELP\r\n", 214 }, { "VRFY b\r\n", 252 },
		      { "EXPN l\r\n", 502 }, { "BDAT 1\r\n", 502 }, { "AUTH PLAIN\r\n", 502 }, { "HUH\r\n", 500 },
		      { "NOOP \x01\r\n", 500 }, { "RSET x\r\n", 501 }, { "RCPT TO:b\r\n", 501 } };
	size_t i = (size_t)rand_below(&m->rand, ARRAY_SIZE(lines));

	say(m, lines[i].line);
	if (i == 3 && !m->greeted) {
		answer(m, 503);
		return;
	}
	if (i < 4 && !idle(m))
		return;
	if (i == 1)
		forget(m);
	answer(m, lines[i].code);
}

/* What the server must have kept of a message. */
static int model_end(struct model *m, const char *content, int bad)
{
	static const struct {
		const char *sender;
		int code;
	} ends[] = { { "end-no", 550 }, { "end-later", 450 }, { "end-fault", 451 }, { "piece-fault", 451 } };
	int code = bad ? bad : 250;

	for (size_t i = 0; !bad && i < ARRAY_SIZE(ends); i++)
		if (strcmp(m->sender, ends[i].sender) == 0 && (i < 3 || content[0]))
			code = ends[i].code;
	if (code == 250) {
		buf_appendf(&m->books, "%s>", m->sender);
		for (const char *r = m->recipients; *r; r++)
			buf_appendf(&m->books, "%s%c", r == m->recipients ? "" : ",", *r);
		buf_appendf(&m->books, ":%s\n", content);
		m->errors = m->idle = 0;
	}
	return code;
}

/* --- playing ----------------------------------------------------------------------------------- */

/* Sends the group and hears what the reference says of it. */
SUSPENDS static int flush(struct model *m, struct fault *fault)
{
	if (m->group.n && stream_write(m->talk->client, buf_bytes(&m->group), fault) < 0)
		return -1;
	for (size_t i = 0; i < m->codes_n; i++) {
		int got = talk_hear(m->talk, fault);

		if (got < 0)
			return -1;
		if (got != m->codes[i])
			return fault_protocol(fault, "%d, not %d, is answer %zu to \"%s\"", got, m->codes[i], i,
					      buf_str(&m->group));
	}
	buf_reset(&m->group);
	m->codes_n = 0;
	return 0;
}

/* DATA ends a group; what follows the data may be in a group with its end. */
SUSPENDS static int do_data(struct model *m, struct fault *fault)
{
	static const struct {
		const char *sent, *content;
		int bad;
	} bodies[] = { { ".\r\n", "", 0 }, { "x\r\n.\r\n", "x\r\n", 0 }, { "..\r\nRSET\r\n.\r\n", ".\r\nRSET\r\n", 0 },
		       { "x\n.\r\nQUIT\r\n.\r\n", "", 550 }, { "x\r.\r\r\n.\r\n", "", 550 },
		       { "\r\nDATA\r\n.x\r\n.\r\n", "\r\nDATA\r\nx\r\n", 0 } };
	size_t i = (size_t)rand_below(&m->rand, ARRAY_SIZE(bodies));
	bool refused = strncmp(m->sender, "begin-", 6) == 0;
	int code = !m->greeted || !m->open ? 503 : m->recipients[0] == '\0' ? 554 : refused ? m->sender[6] == 'n' ? 550 : 450 : 354;

	say(m, "DATA\r\n");
	answer(m, code);
	if (flush(m, fault) < 0)
		return -1;
	if (code == 354) {
		say(m, bodies[i].sent);
		answer(m, model_end(m, bodies[i].content, bodies[i].bad));
	}
	forget(m);
	return 0;
}

SUSPENDS static int do_starttls(struct model *m, struct fault *fault)
{
	int code = !m->greeted ? 503 : m->tls ? 503 : 220;

	say(m, "STARTTLS\r\n");
	if (m->greeted && !idle(m))
		return flush(m, fault);
	answer(m, code);
	if (flush(m, fault) < 0)
		return -1;
	if (code != 220)
		return 0;

	forget(m);
	m->greeted = false;
	m->tls = true;
	return tls_client_start(&m->talk->client, m->talk->client_tls, "good.example", fault);
}

/* RCPT and MAIL come most often, or few sessions would get anywhere. */
SUSPENDS static int do_one(struct model *m, struct fault *fault)
{
	switch (rand_below(&m->rand, 15)) {
	case 0:
		do_hello(m, rand_below(&m->rand, 2) ? "EHLO c\r\n" : "HELO c\r\n");
		return flush(m, fault);
	case 1:
	case 2:
	case 3:
		do_mail(m);
		return 0;
	case 4:
	case 5:
	case 6:
	case 7:
		do_rcpt(m);
		return 0;
	case 8:
		do_bad_mail(m);
		return 0;
	case 9:
	case 10:
	case 11:
		return do_data(m, fault);
	case 12:
		return rand_below(&m->rand, 4) ? 0 : do_starttls(m, fault);
	case 13:
		say(m, "DATA x\r\n"); /* one that is refused ends a group as well */
		answer(m, 501);
		return flush(m, fault);
	default:
		do_small(m);
		return 0;
	}
}

SUSPENDS static int play(struct model *m, struct fault *fault)
{
	struct step greeting = STEP("", "220");

	if (talk_step(m->talk, &greeting, fault) < 0)
		return -1;
	do_hello(m, "EHLO c\r\n");
	if (flush(m, fault) < 0)
		return -1;

	for (int i = 0; i < COMMANDS && !m->over; i++) {
		if (do_one(m, fault) < 0)
			return -1;
		if ((m->over || rand_below(&m->rand, 3) == 0) && flush(m, fault) < 0)
			return -1;
	}
	if (!m->over) {
		say(m, "QUIT\r\n");
		answer(m, 221);
	}
	if (flush(m, fault) < 0)
		return -1;
	return talk_hear(m->talk, fault) == 0 ? 0 : fault_protocol(fault, "more than was asked for");
}

static int client(void *arg, struct fault *fault)
{
	struct model *m = arg;

	if (play(m, fault) < 0)
		return fault_prefix(fault, "session of seed %" PRIu64 ": ", m->seed);
	return 0;
}

static void random_sessions(struct check *check)
{
	const char *given = getenv("MAILFERRY_MODEL_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : 20261201;
	struct talk talk = { .check = check, .settings = test_settings() };
	struct certs certs;

	printf("# seed %" PRIu64 "\n", seed);
	talk_certs(check, &certs, &talk);
	for (uint64_t i = 0; i < SESSIONS; i++) {
		struct model m = { .talk = &talk };

		rand_init(&m.rand, seed + i);
		talk.max_read = (size_t)rand_below(&m.rand, 20); /* 0: whole */
		test_host_init(&talk.host, check);
		m.seed = seed + i;
		talk_run_with(&talk, client, &m);
		if (!bytes_equal(buf_bytes(&talk.host.books), buf_bytes(&m.books)))
			CHECK_FAIL("session of seed %" PRIu64 ": \"%s\", not \"%s\"", m.seed, buf_str(&talk.host.books),
				   buf_str(&m.books));
		test_host_done(&talk.host);
		buf_done(&m.books);
		buf_done(&m.group);
	}
	buf_done(&talk.heard);
	talk_certs_done(&certs, &talk);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "P7: random sessions as the reference has them", random_sessions },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
