/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for headers and bytes, against a server in memory with the habits of real ones: bodies
 * that are NIL or empty, NO for all because of one, UIDs behind the body, messages that are gone.
 */
#include <stdio.h>

#include "base/xalloc.h"
#include "copy/rematch-keys.h"
#include "lib/check.h"
#include "run/run.h"

enum habit {
	GOOD,
	NIL,         /* for a bad message: BODY[] NIL */
	EMPTY,       /* … BODY[] "" */
	LEFT_OUT,    /* … nothing, and OK */
	STOPS,       /* … NO, and nothing of those behind it */
	ALL_OR_NONE, /* … NO, and nothing at all */
	BACKWARDS, /* from the last to the first, UIDs behind the bodies, with news of flags between
		    */
	THROTTLED, /* NO: come back later */
	HANGS_UP,  /* at a bad message, in the middle of it */
};

enum { MOST_COMMANDS = 2000 };

struct server {
	enum habit habit;
	bool (*is_bad)(uint32_t uid);
	uint32_t number;     /* added to the UIDs to give what the messages are */
	struct stream *end;
	unsigned commands, bodies, headers;
	size_t longest;      /* line */
};

struct talk {
	struct check *check;
	struct server servers[2];
	struct imap_account accounts[2];
	struct stream *client_ends[2];
	struct imap_session *sessions[2];
	struct copy copy;
	struct copy_worker worker;
	int (*client)(struct talk *t, struct fault *fault);
};

/* --- the server ------------------------------------------------------------------------------ */

static void message_text(uint32_t number, char to[200])
{
	snprintf(to, 200,
		 "Message-ID: <%u@test.example>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
		 "Subject: %u\r\n\r\nHello %u\r\n",
		 number, number, number);
}

static int say_message(struct server *s, uint32_t uid, bool header, struct fault *fault)
{
	char text[200], line[400];
	size_t n;
	bool bad = s->is_bad && s->is_bad(uid);
	const char *section = header ? "HEADER" : "";

	message_text(uid + s->number, text);
	n = header ? (size_t)(strstr(text, "\r\n\r\n") + 4 - text) : strlen(text);
	s->headers += header;
	s->bodies += !header;
	if (bad && s->habit == LEFT_OUT)
		return 0;
	if (bad && s->habit == NIL)
		snprintf(line, sizeof(line), "* %u FETCH (UID %u BODY[%s] NIL)\r\n", uid, uid,
			 section);
	else if (bad && s->habit == EMPTY)
		snprintf(line, sizeof(line), "* %u FETCH (UID %u BODY[%s] \"\")\r\n", uid, uid,
			 section);
	else if (bad && s->habit == HANGS_UP)
		snprintf(line, sizeof(line), "* %u FETCH (UID %u BODY[%s] {%zu}\r\nMess", uid, uid,
			 section, n);
	else if (s->habit == BACKWARDS)
		snprintf(line, sizeof(line),
			 "* 9 FETCH (UID 4 FLAGS (\\Seen))\r\n* %u FETCH (BODY[%s] {%zu}\r\n%.*s"
			 " UID %u)\r\n",
			 uid, section, n, (int)n, text, uid);
	else
		snprintf(line, sizeof(line), "* %u FETCH (UID %u BODY[%s] {%zu}\r\n%.*s)\r\n", uid,
			 uid, section, n, (int)n, text);
	if (stream_write(s->end, bytes_of(line), fault) < 0)
		return -1;
	if (bad && s->habit == HANGS_UP)
		s->end = stream_free(s->end);
	return 0;
}

static size_t read_set(const char *set, uint32_t *uids, size_t most)
{
	size_t n = 0;

	while (*set >= '0' && *set <= '9') {
		char *end;
		uint32_t low = (uint32_t)strtoul(set, &end, 10), high = low;

		if (*end == ':')
			high = (uint32_t)strtoul(end + 1, &end, 10);
		for (uint32_t uid = low; uid <= high && n < most; uid++)
			uids[n++] = uid;
		set = end + (*end == ',');
	}
	return n;
}

static int answer(struct server *s, const char *line, struct fault *fault)
{
	uint32_t uids[500];
	char tag[20], tagged[100];
	const char *set = strstr(line, " UID FETCH "), *outcome = "OK done";
	bool header = strstr(line, "BODY.PEEK[HEADER]");
	size_t n;

	snprintf(tag, sizeof(tag), "%.*s", (int)strcspn(line, " "), line);
	if (!set || ++s->commands > MOST_COMMANDS)
		return fault_protocol(fault, "nobody expected %.100s", line);

	n = read_set(set + strlen(" UID FETCH "), uids, ARRAY_SIZE(uids));
	for (size_t i = 0; i < n; i++)
		if (s->habit == ALL_OR_NONE && s->is_bad(uids[i]))
			n = 0, outcome = "NO one of them cannot be read";
	if (s->habit == THROTTLED)
		n = 0,
		outcome = "NO Request is throttled. Suggested Backoff Time: 3000 milliseconds";
	for (size_t i = 0; i < n && s->end; i++) {
		uint32_t uid = uids[s->habit == BACKWARDS ? n - 1 - i : i];

		if (s->habit == STOPS && s->is_bad(uid)) {
			outcome = "NO this one cannot be read";
			break;
		}
		if (say_message(s, uid, header, fault) < 0)
			return -1;
	}
	snprintf(tagged, sizeof(tagged), "%s %s\r\n", tag, outcome);
	return s->end ? stream_write(s->end, bytes_of(tagged), fault) : 0;
}

static int serve(void *arg, struct fault *fault)
{
	struct server *s = arg;
	struct buf line = BUF_NULL;
	char c;
	int r = stream_write(s->end, bytes_of("* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n"), fault);

	while (r >= 0 && s->end && (r = stream_read(s->end, &c, 1, fault)) > 0) {
		buf_append_char(&line, c);
		if (c != '\n')
			continue;
		s->longest = line.n > s->longest ? line.n : s->longest;
		r = answer(s, buf_str(&line), fault);
		buf_reset(&line);
	}
	buf_done(&line);
	return r < 0 ? -1 : 0;
}

/* --- the client ------------------------------------------------------------------------------ */

static int dial(void *arg, struct stream **ret, struct fault *fault)
{
	struct stream **end = arg;

	*ret = TAKE_PTR(*end);
	return 0;
}

static int connect_all(struct talk *t, struct nursery *nursery, struct fault *fault)
{
	for (unsigned i = 0; i < 2; i++) {
		memory_stream_pair(0, &t->client_ends[i], &t->servers[i].end);
		nursery_start(nursery, serve, &t->servers[i], "server %u", i);
		t->accounts[i] = (struct imap_account){
			.label = "source", .host = "fake", .security = IMAP_PLAIN,
			.silence_us = 20 * SECOND, .dial = dial, .dial_arg = &t->client_ends[i],
		};
		if (imap_connect(&t->accounts[i], &t->sessions[i], fault) < 0)
			return -1;
		t->sessions[i]->selected.is_selected = true;
	}
	return 0;
}

static int run(void *arg, struct fault *fault)
{
	struct talk *t = arg;
	struct nursery nursery;
	int r;

	nursery_init(&nursery, "case");
	r = connect_all(t, &nursery, fault);
	if (r == 0)
		r = t->client(t, fault);
	for (unsigned i = 0; i < 2; i++)
		t->sessions[i] = imap_session_free(t->sessions[i]);
	if (r == 0)
		r = nursery_wait(&nursery, fault);
	nursery_done(&nursery);
	for (unsigned i = 0; i < 2; i++) {
		stream_free(t->servers[i].end);
		stream_free(t->client_ends[i]);
	}
	return r;
}

static struct talk *play(struct check *check, enum habit habit, bool (*is_bad)(uint32_t uid),
			 int (*client)(struct talk *t, struct fault *fault))
{
	struct talk *t = xzalloc(sizeof(*t));
	struct fault fault = FAULT_INIT;

	t->check = check;
	t->client = client;
	t->servers[0].habit = t->servers[1].habit = habit;
	t->servers[0].is_bad = t->servers[1].is_bad = is_bad;
	t->worker = (struct copy_worker){ .copy = &t->copy, .hash = EVP_MD_CTX_new() };
	if (run_main("test", run, t, &fault) < 0 && !check->failed)
		check_expect(check, false, __FILE__, __LINE__, "%s %s", fault.text, fault.server);
	EVP_MD_CTX_free(t->worker.hash);
	return t;
}

/* --- bytes ----------------------------------------------------------------------------------- */

static bool is_right(const struct rematch_item *item, uint32_t number)
{
	unsigned char digest[32];
	char text[200];

	message_text(number, text);
	EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL);
	return item->has == REMATCH_DIGEST && item->size == strlen(text) &&
	       memcmp(item->digest, digest, 32) == 0;
}

/* Wants all but each tenth of n messages whose UIDs rise by `step`, and checks what it gets. */
static int read_many(struct talk *t, uint32_t n, uint32_t step, struct fault *fault)
{
	struct check *check = t->check;
	_cleanup_(freep) struct rematch_item *items = xzalloc(n * sizeof(*items));
	_cleanup_(freep) uint32_t *want = xzalloc(n * sizeof(*want));
	struct rematch_side side = { .p = items, .n = n, .session = t->sessions[0] };
	size_t wanted = 0;

	for (uint32_t i = 0; i < n; i++) {
		items[i] = (struct rematch_item){ .uid = 1 + i * step, .size = 77 };
		if (i % 10 != 5)
			want[wanted++] = i;
	}
	if (rematch_read_digests(&t->worker, &side, want, wanted, fault) < 0)
		return -1;

	for (uint32_t i = 0; i < n; i++) {
		const struct rematch_item *item = &items[i];

		if (i % 10 == 5)
			EXPECT(item->has == 0);
		else if (t->servers[0].is_bad && t->servers[0].is_bad(item->uid))
			EXPECT(item->has == REMATCH_NO_BODY && item->size == 77);
		else
			EXPECT(is_right(item, item->uid));
	}
	EXPECT(t->servers[0].longest < 8192);
	return 0;
}

static int read_forty(struct talk *t, struct fault *fault)
{
	return read_many(t, 40, 1, fault);
}

static int read_long_lines(struct talk *t, struct fault *fault)
{
	return read_many(t, 3000, 1431655, fault);
}

static bool is_seventh(uint32_t uid)
{
	return uid == 7;
}

static bool is_third(uint32_t uid)
{
	return uid % 3 == 0;
}

static bool is_any(uint32_t uid)
{
	return true;
}

static const struct {
	const char *what;
	enum habit habit;
	bool (*is_bad)(uint32_t uid);
	unsigned least, most; /* commands */
} readings[] = {
	{ "all", GOOD, NULL, 1, 1 },
	{ "backwards", BACKWARDS, NULL, 1, 1 },
	{ "NIL", NIL, is_third, 1, 1 },
	{ "empty", EMPTY, is_third, 1, 1 },
	{ "some are gone", LEFT_OUT, is_third, 2, 2 },
	{ "all are gone", LEFT_OUT, is_any, 1, 1 },
	{ "stops at one", STOPS, is_seventh, 7, 12 },
	{ "stops at some", STOPS, is_third, 12, 60 },
	{ "NO to all for one", ALL_OR_NONE, is_seventh, 7, 16 },
	{ "NO to all for some", ALL_OR_NONE, is_third, 24, 80 },
	{ "NO to each", ALL_OR_NONE, is_any, 36, 42 },
};

static void bodies(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(readings); i++) {
		struct talk *t = play(check, readings[i].habit, readings[i].is_bad, read_forty);
		unsigned commands = t->servers[0].commands;

		free(t);
		if (!check->failed)
			check_expect(check,
				     commands >= readings[i].least && commands <= readings[i].most,
				     __FILE__, __LINE__, "%s: %u commands", readings[i].what,
				     commands);
		if (check->failed)
			return;
	}
}

static void long_lines(struct check *check)
{
	struct talk *t = play(check, GOOD, NULL, read_long_lines);

	EXPECT(t->servers[0].commands >= 8 && t->servers[0].longest > 3000);
	free(t);
}

static int read_five_hundred(struct talk *t, struct fault *fault)
{
	return read_many(t, 500, 1, fault);
}

/* A server that reads nothing to anybody is not asked for each message. */
static void gives_up(struct check *check)
{
	struct talk *t = play(check, ALL_OR_NONE, is_any, read_five_hundred);

	EXPECT(t->servers[0].commands <= 120);
	free(t);

	/* Each third costs some that bring nothing, but what is between them comes. */
	free(play(check, ALL_OR_NONE, is_third, read_five_hundred));
}

static int read_without_server(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct rematch_item item = { .uid = 1, .has = REMATCH_HEADER };
	struct rematch_side side = { .p = &item, .n = 1 };
	uint32_t want = 0;

	EXPECT(rematch_read_digests(&t->worker, &side, &want, 1, fault) == 0);
	EXPECT(item.has == (REMATCH_HEADER | REMATCH_NO_BODY));
	return 0;
}

static void without_server(struct check *check)
{
	free(play(check, GOOD, NULL, read_without_server));
}

static int learn_throttle(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;

	EXPECT(read_many(t, 40, 1, fault) < 0);
	EXPECT(fault->kind == FAULT_LIMIT && fault->again == AGAIN_LATER &&
	       fault->after_us == 3 * SECOND);
	return 0;
}

static int learn_end(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;

	EXPECT(read_many(t, 40, 1, fault) < 0);
	EXPECT(fault->kind == FAULT_TRANSPORT && fault->reach == REACH_SESSION);
	EXPECT(list_is_empty(&t->sessions[0]->pending));
	return 0;
}

static void faults(struct check *check)
{
	free(play(check, THROTTLED, NULL, learn_throttle));
	free(play(check, HANGS_UP, is_seventh, learn_end));
}

/* --- all of it ------------------------------------------------------------------------------- */

/* The second server's UIDs are 100 higher for the same messages. Twelve here, ten of them there. */
static int match_both(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	_cleanup_(freep) struct rematch_item *all = xzalloc(2 * 12 * sizeof(*all));
	struct rematch_item *items[2] = { all, all + 12 };
	struct rematch_side sides[2];
	bool prove = t->servers[0].habit != GOOD;

	for (unsigned s = 0; s < 2; s++) {
		for (uint32_t i = 0; i < 12; i++)
			items[s][i] = (struct rematch_item){
				.uid = 1 + i + 100 * s, .size = s ? 0 : 77, .date = 5,
			};
		sides[s] = (struct rematch_side){
			.p = items[s], .n = s ? 10 : 12, .session = t->sessions[s],
		};
	}
	if (copy_rematch(&t->worker, &sides[0], &sides[1], prove, fault) < 0)
		return -1;

	for (uint32_t i = 0; i < 12; i++) {
		bool lost = i >= 10 || (t->servers[0].is_bad && t->servers[0].is_bad(i + 1));

		EXPECT(items[0][i].mate == (lost ? 0 : i + 1));
		EXPECT(!items[0][i].differs);
		if (lost && i < 10)
			EXPECT(items[0][i].has & (REMATCH_NO_HEADER | REMATCH_NO_BODY));
	}
	EXPECT(items[0][0].id == rematch_id("1@TEST.example"));
	return 0;
}

static int match_shifted(struct talk *t, struct fault *fault)
{
	t->servers[1].number = UINT32_MAX - 99; /* 100 less */
	return match_both(t, fault);
}

static void both_sides(struct check *check)
{
	struct talk *t = play(check, GOOD, NULL, match_shifted);

	EXPECT(t->servers[0].headers == 12 && t->servers[1].headers == 10);
	EXPECT(t->servers[0].bodies == 0 && t->servers[1].bodies == 0);
	EXPECT(t->servers[0].commands == 1 && t->servers[1].commands == 1);
	free(t);

	t = play(check, BACKWARDS, NULL, match_shifted);
	EXPECT(t->servers[0].bodies == 10 && t->servers[1].bodies == 10);
	free(t);

	free(play(check, NIL, is_seventh, match_shifted));

	/* UID 7 here cannot be had, and those behind it only by asking again. */
	free(play(check, STOPS, is_seventh, match_shifted));
}

/* So many that another thread sorts them. */
static int match_many(struct talk *t, struct fault *fault)
{
	enum { MANY = 20001 };
	struct check *check = t->check;
	_cleanup_(freep) struct rematch_item *items = xzalloc(2 * MANY * sizeof(*items));
	struct rematch_side a = { .p = items, .n = MANY }, b = { .p = items + MANY, .n = MANY };

	for (uint32_t i = 0; i < 2 * MANY; i++) {
		uint32_t what = i < MANY ? i + 1 : 2 * MANY - i;

		items[i] = (struct rematch_item){ .uid = i + 1, .has = REMATCH_HEADER, .id = what };
		memcpy(items[i].header, &what, sizeof(what));
	}
	if (copy_rematch(&t->worker, &a, &b, false, fault) < 0)
		return -1;
	for (uint32_t i = 0; i < MANY; i++)
		EXPECT(items[i].mate == MANY - i && !items[i].differs);
	return 0;
}

static void many(struct check *check)
{
	free(play(check, GOOD, NULL, match_many));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "bytes of many", bodies },
		{ "lines are not too long", long_lines },
		{ "nothing to be had", gives_up },
		{ "nobody to ask", without_server },
		{ "faults", faults },
		{ "headers and bytes of both sides", both_sides },
		{ "many", many },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
