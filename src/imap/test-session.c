/* SPDX-License-Identifier: Apache-2.0 */
/* What session.h promises, against a peer in memory that says exactly what each case wants said: sharing,
 * order, silence, cancellation, ends, literals. What servers say is in tests/dialogue/. */
#include <stdio.h>

#include "base/xalloc.h"
#include "imap/test-talk.h"

/* --- sharing --------------------------------------------------------------------------------- */

struct waiter {
	struct talk *t;
	size_t index;
};

static int wait_one(void *arg, struct fault *fault)
{
	struct waiter *w = arg;
	struct talk *t = w->t;

	if (imap_wait(t->s, &t->commands[w->index], fault) < 0)
		t->faults[w->index] = *fault;
	return 0;
}

static int send_one(struct talk *t, size_t index, const char *verb, struct fault *fault)
{
	imap_begin(t->s, &t->commands[index], verb);
	return imap_send(t->s, &t->commands[index], fault);
}

/* Sends three commands; a fiber for each waits for its own answer. */
static int three_wait(struct talk *t, struct fault *fault)
{
	struct waiter waiters[3] = { { t, 0 }, { t, 1 }, { t, 2 } };
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "waiters");
	for (size_t i = 0; i < 3; i++) {
		if (send_one(t, i, "NOOP", fault) < 0)
			return -1;
		nursery_start(&nursery, wait_one, &waiters[i], "waiter");
	}
	return nursery_wait(&nursery, fault);
}

static int three_answers(struct talk *t, struct fault *fault)
{
	static const char *const texts[] = { "one", "two", "three" };
	struct check *check = t->check;

	if (three_wait(t, fault) < 0)
		return -1;
	for (size_t i = 0; i < 3; i++) {
		struct imap_command *c = &t->commands[i];

		EXPECT(c->done && strcmp(c->text, texts[i]) == 0);
		EXPECT(c->condition == (i == 1 ? IMAP_NO : IMAP_OK));
	}
	EXPECT(list_is_empty(&t->s->pending) && !t->s->broken && !t->s->spoiled);
	return 0;
}

static int answer_backwards(struct talk *t, struct fault *fault)
{
	return hear_and_say(t, "m1 NOOP\r\nm2 NOOP\r\nm3 NOOP\r\n",
			    "m3 OK three\r\n* 5 EXISTS\r\nm2 NO two\r\n* OK still here\r\nm1 OK one\r\n", fault);
}

static int answer_forwards(struct talk *t, struct fault *fault)
{
	return hear_and_say(t, "m1 NOOP\r\nm2 NOOP\r\nm3 NOOP\r\n",
			    "m1 OK one\r\nm2 NO two\r\nm3 OK three\r\n", fault);
}

/* Tags that were never given, are not ours, or were answered already. */
static int answer_wrongly(struct talk *t, struct fault *fault)
{
	return hear_and_say(t, "m1 NOOP\r\nm2 NOOP\r\nm3 NOOP\r\n",
			    "m99 BAD who\r\nx NO what\r\nm OK\r\nm1 OK one\r\nm1 NO again\r\nm11 NO eleven\r\n"
			    "m2 NO two\r\nM3 OK wrong case\r\nm3 OK three\r\n", fault);
}

static void shared(struct check *check)
{
	play(check, &(struct play){ .client = three_answers, .server = answer_backwards });
	play(check, &(struct play){ .client = three_answers, .server = answer_forwards });
}

static void unknown_tags(struct check *check)
{
	play(check, &(struct play){ .client = three_answers, .server = answer_wrongly });
}

static int all_learn_the_end(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;

	if (three_wait(t, fault) < 0)
		return -1;
	EXPECT(t->commands[0].done && !t->commands[1].done && !t->commands[2].done);
	for (size_t i = 1; i < 3; i++) {
		EXPECT(t->faults[i].kind == FAULT_TRANSPORT && t->faults[i].reach == REACH_SESSION);
		EXPECT(t->faults[i].again == AGAIN_NOW);
		EXPECT(strstr(t->faults[i].text, "source: the server ended the session"));
		EXPECT(strcmp(t->faults[i].server, "Too many of you") == 0);
	}
	EXPECT(t->s->broken);
	EXPECT(send_one(t, 3, "NOOP", fault) < 0 && strstr(fault->server, "Too many"));
	return 0;
}

static int answer_one_and_leave(struct talk *t, struct fault *fault)
{
	if (hear_and_say(t, "m1 NOOP\r\nm2 NOOP\r\nm3 NOOP\r\n",
			 "m1 OK one\r\n* BYE Too many\001of you\r\n", fault) < 0)
		return -1;
	close_server(t);
	return 0;
}

static void bye(struct check *check)
{
	play(check, &(struct play){ .client = all_learn_the_end, .server = answer_one_and_leave });
}

/* --- the end without a word, and nonsense ---------------------------------------------------- */

static int learn_fault(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct fault again;

	if (send_one(t, 0, "NOOP", fault) < 0)
		return -1;
	EXPECT(imap_wait(t->s, &t->commands[0], fault) < 0);
	EXPECT(imap_wait(t->s, &t->commands[0], &again) < 0 && strcmp(again.text, fault->text) == 0);
	t->faults[0] = *fault;
	return 0;
}

static int learn_close(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;

	if (learn_fault(t, fault) < 0)
		return -1;
	EXPECT(t->faults[0].kind == FAULT_TRANSPORT && t->faults[0].again == AGAIN_NOW);
	EXPECT(strstr(t->faults[0].text, "source: the server closed the connection without a word"));
	return 0;
}

static int half_an_answer(struct talk *t, struct fault *fault)
{
	if (hear_and_say(t, "m1 NOOP\r\n", "m1 OK not a whole li", fault) < 0)
		return -1;
	close_server(t);
	return 0;
}

static int learn_nonsense(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;

	if (learn_fault(t, fault) < 0)
		return -1;
	EXPECT(t->faults[0].kind == FAULT_PROTOCOL && strstr(t->faults[0].text, "source: "));
	return 0;
}

static int nonsense(struct talk *t, struct fault *fault)
{
	return hear_and_say(t, "m1 NOOP\r\n", "* 1 FETCH (UID 1 BODY[] {3}\r\nabc nonsense\r\nm1 OK\r\n", fault);
}

static void ends(struct check *check)
{
	play(check, &(struct play){ .client = learn_close, .server = half_an_answer });
	play(check, &(struct play){ .client = learn_nonsense, .server = nonsense });
}

/* --- silence --------------------------------------------------------------------------------- */

static int learn_silence(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;

	if (learn_fault(t, fault) < 0)
		return -1;
	EXPECT(t->faults[0].kind == FAULT_TIMEOUT && t->faults[0].reach == REACH_SESSION);
	EXPECT(t->faults[0].again == AGAIN_NOW);
	EXPECT(strstr(t->faults[0].text, "source: the server said nothing for"));
	EXPECT(strstr(t->faults[0].text, "--timeout"));
	return 0;
}

static int say_nothing(struct talk *t, struct fault *fault)
{
	return hear(t, "m1 NOOP\r\n", fault) < 0 ? -1 : hear_end(t, fault);
}

static void silence(struct check *check)
{
	play(check, &(struct play){ .client = learn_silence, .server = say_nothing, .silence_us = 20 * MSEC });
}

static int begin_append(struct talk *t, struct imap_append *a, uint64_t size, struct fault *fault)
{
	imap_append_begin(t->s, a, BYTES("INBOX"));
	return imap_append_message(t->s, a, BYTES("INBOX"), "\\Seen", BYTES_NULL, size, fault);
}

/* The literal takes several times the silence to be sent; the server owes us nothing until it is there. */
static int append_slowly(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct imap_append a;
	struct imap_input input;

	if (begin_append(t, &a, 6, fault) < 0 || imap_append_data(t->s, BYTES("abc"), fault) < 0 ||
	    imap_flush(t->s, fault) < 0)
		return -1;

	if (imap_read(t->s, &input, fault) < 0) /* "* OK" comes after four times the silence */
		return -1;
	EXPECT(input.event == IMAP_EVENT_RESPONSE && input.response->kind == IMAP_CONDITION);
	if (imap_append_data(t->s, BYTES("def"), fault) < 0 || imap_append_end(t->s, &a, fault) < 0)
		return -1;
	EXPECT(imap_wait(t->s, &a.command, fault) == 0 && a.command.condition == IMAP_OK);
	return 0;
}

static int answer_slowly(struct talk *t, struct fault *fault)
{
	if (hear(t, "m1 APPEND \"INBOX\" (\\Seen) {6+}\r\nabc", fault) < 0 ||
	    run_sleep(4 * t->account.silence_us, fault) < 0 || say(t, "* OK still here\r\n", fault) < 0)
		return -1;

	return hear_and_say(t, "def\r\n", "m1 OK done\r\n", fault);
}

static void silence_while_sending(struct check *check)
{
	play(check, &(struct play){ .client = append_slowly, .server = answer_slowly,
				    .capabilities = "LITERAL+", .silence_us = 30 * MSEC });
}

/* The caller's own deadline ends the waiting, however long the append takes. */
static int append_with_deadline(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct imap_append a;
	struct imap_input input;

	if (begin_append(t, &a, 6, fault) < 0 || imap_append_data(t->s, BYTES("abc"), fault) < 0 ||
	    imap_flush(t->s, fault) < 0)
		return -1;

	{
		_deadline_(50 * MSEC);

		EXPECT(imap_read(t->s, &input, fault) < 0);
		EXPECT(fault->kind == FAULT_TIMEOUT);
	}
	EXPECT(t->s->broken);
	return 0;
}

static int hear_half(struct talk *t, struct fault *fault)
{
	return hear(t, "m1 APPEND \"INBOX\" (\\Seen) {6+}\r\nabc", fault) < 0 ? -1 : hear_end(t, fault);
}

static void deadline_while_sending(struct check *check)
{
	play(check, &(struct play){ .client = append_with_deadline, .server = hear_half,
				    .capabilities = "LITERAL+", .silence_us = 20 * MSEC });
}

/* --- cancellation ---------------------------------------------------------------------------- */

/* The fiber that waits is told to stop; another still learns what became of the command. */
static int cancelled(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct waiter waiter = { t, 0 };
	struct nursery nursery;

	nursery_init(&nursery, "waiters");
	if (send_one(t, 0, "NOOP", fault) < 0)
		return -1;
	nursery_start(&nursery, wait_one, &waiter, "waiter");
	run_yield(fault);
	run_yield(fault);
	nursery_cancel(&nursery);
	nursery_done(&nursery);
	EXPECT(t->faults[0].kind == FAULT_CANCELLED);
	EXPECT(t->s->spoiled && !t->s->broken && !t->commands[0].done);

	t->step = 1;
	EXPECT(imap_wait(t->s, &t->commands[0], fault) == 0 && t->commands[0].condition == IMAP_OK);
	imap_logout(TAKE_PTR(t->s)); /* says no LOGOUT: what went out may have been half a command */
	return 0;
}

static int answer_late(struct talk *t, struct fault *fault)
{
	if (hear(t, "m1 NOOP\r\n", fault) < 0)
		return -1;
	while (!t->step)
		if (run_yield(fault) < 0)
			return -1;
	return say(t, "m1 OK\r\n", fault) < 0 ? -1 : hear_end(t, fault);
}

static int simple(void *arg, struct fault *fault)
{
	struct talk *t = arg;

	return imap_simple(t->s, "NOOP", fault);
}

/* A command that lived on the stack of the cancelled fiber is forgotten; its answer finds nobody. */
static int cancelled_on_stack(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct nursery nursery;

	nursery_init(&nursery, "waiters");
	if (send_one(t, 0, "NOOP", fault) < 0)
		return -1;
	nursery_start(&nursery, simple, t, "waiter");
	run_yield(fault);
	run_yield(fault);
	EXPECT(t->s->pending.prev != &t->commands[0].link);
	nursery_cancel(&nursery);
	nursery_done(&nursery);
	EXPECT(t->s->spoiled && t->s->pending.next == &t->commands[0].link);
	EXPECT(t->s->pending.prev == &t->commands[0].link);

	t->step = 1;
	EXPECT(imap_wait(t->s, &t->commands[0], fault) == 0 && t->commands[0].condition == IMAP_NO);
	EXPECT(list_is_empty(&t->s->pending));
	return 0;
}

static int answer_both_late(struct talk *t, struct fault *fault)
{
	if (hear(t, "m1 NOOP\r\nm2 NOOP\r\n", fault) < 0)
		return -1;
	while (!t->step)
		if (run_yield(fault) < 0)
			return -1;
	return say(t, "m2 OK\r\nm1 NO\r\n", fault);
}

static void cancellation(struct check *check)
{
	play(check, &(struct play){ .client = cancelled, .server = answer_late });
	play(check, &(struct play){ .client = cancelled_on_stack, .server = answer_both_late });
}

/* --- literals -------------------------------------------------------------------------------- */

static void suffixes(struct check *check)
{
	static const struct {
		enum imap_cap cap;
		uint64_t size;
		const char *suffix;
	} cases[] = {
		{ IMAP_CAP_LITERAL_PLUS, 0, "+" }, { IMAP_CAP_LITERAL_PLUS, UINT64_MAX, "+" },
		{ IMAP_CAP_LITERAL_MINUS, 0, "+" }, { IMAP_CAP_LITERAL_MINUS, 4096, "+" },
		{ IMAP_CAP_LITERAL_MINUS, 4097, "" }, { IMAP_CAP_IMAP4REV1, 1, "" },
	};

	_cleanup_(freep) struct imap_session *s = xzalloc(sizeof(*s));

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		s->capabilities.has = UINT64_C(1) << cases[i].cap;
		CHECK_STR(imap_literal_suffix(s, cases[i].size), cases[i].suffix);
	}
}

/* A "+" that came for nothing before does not open the gate. */
static int send_literal(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct imap_command *c = &t->commands[1];

	if (send_one(t, 0, "NOOP", fault) < 0 || imap_wait(t->s, &t->commands[0], fault) < 0)
		return -1;

	imap_begin(t->s, c, "SELECT ");
	EXPECT(imap_put_string(t->s, c, BYTES("a\nb"), fault) == 0);
	t->step = 1;
	imap_put(t->s, " %s", "rest");
	EXPECT(imap_send(t->s, c, fault) == 0);
	EXPECT(imap_wait(t->s, c, fault) == 0 && c->condition == IMAP_OK);
	return 0;
}

static int take_literal(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;

	if (hear_and_say(t, "m1 NOOP\r\n", "+ stray\r\nm1 OK\r\n", fault) < 0 ||
	    hear(t, "m2 SELECT {3}\r\n", fault) < 0 || let_wait(fault) < 0)
		return -1;
	EXPECT(t->step == 0); /* it waits */
	return say(t, "* 3 EXISTS\r\n+ go\r\n", fault) < 0 ? -1
		: hear_and_say(t, "a\nb rest\r\n", "m2 OK\r\n", fault);
}

static int take_literal_at_once(struct talk *t, struct fault *fault)
{
	if (hear_and_say(t, "m1 NOOP\r\n", "m1 OK\r\n", fault) < 0)
		return -1;
	return hear_and_say(t, "m2 SELECT {3+}\r\na\nb rest\r\n", "m2 OK\r\n", fault);
}

static void literals(struct check *check)
{
	play(check, &(struct play){ .client = send_literal, .server = take_literal });
	play(check, &(struct play){ .client = send_literal, .server = take_literal_at_once,
				    .capabilities = "LITERAL-" });
	play(check, &(struct play){ .client = send_literal, .server = take_literal_at_once,
				    .capabilities = "LITERAL+" });
}

static int literal_refused(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct imap_command *c = &t->commands[0];
	struct fault no;

	imap_begin(t->s, c, "SELECT ");
	EXPECT(imap_put_string(t->s, c, BYTES("a\nb"), fault) == 1);
	EXPECT(c->done && c->condition == IMAP_NO);
	EXPECT(imap_refused(t->s, c, &no, "cannot select") < 0 && no.kind == FAULT_LIMIT);
	EXPECT(t->s->out.n == 0);
	return imap_simple(t->s, "NOOP", fault); /* both sides are still in step */
}

static int refuse_literal(struct talk *t, struct fault *fault)
{
	if (hear_and_say(t, "m1 SELECT {3}\r\n", "m1 NO [TOOBIG] too long a name\r\n", fault) < 0)
		return -1;
	return hear_and_say(t, "m2 NOOP\r\n", "m2 OK\r\n", fault);
}

static int no_nul(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct imap_command *c = &t->commands[0];

	imap_begin(t->s, c, "SELECT ");
	EXPECT(imap_put_string(t->s, c, BYTES("a\0b"), fault) < 0);
	EXPECT(fault->kind == FAULT_DATA && fault->reach == REACH_FOLDER && fault->again == AGAIN_NEVER);
	return 0;
}

static void literals_not_sent(struct check *check)
{
	play(check, &(struct play){ .client = literal_refused, .server = refuse_literal });
	play(check, &(struct play){ .client = no_nul, .server = hear_end });
}

/* --- APPEND ---------------------------------------------------------------------------------- */

static int append_two(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct imap_append a;

	if (begin_append(t, &a, 3, fault) < 0 || imap_append_data(t->s, BYTES("a"), fault) < 0 ||
	    imap_append_data(t->s, BYTES("bc"), fault) < 0)
		return -1;
	EXPECT(imap_append_message(t->s, &a, BYTES("INBOX"), "", BYTES("\"date\""), 2, fault) == 0);
	if (imap_append_data(t->s, BYTES("de"), fault) < 0 || imap_append_end(t->s, &a, fault) < 0 ||
	    imap_wait(t->s, &a.command, fault) < 0)
		return -1;
	EXPECT(a.messages == 2 && a.command.condition == IMAP_OK);
	EXPECT(strcmp(a.command.code, "APPENDUID") == 0 && a.command.code_number == 7);
	EXPECT(a.command.first_uid == 11 && a.command.last_uid == 12);
	return 0;
}

static int take_two(struct talk *t, struct fault *fault)
{
	return hear_and_say(t, "m1 APPEND \"INBOX\" (\\Seen) {3+}\r\nabc \"date\" {2+}\r\nde\r\n",
			    "m1 OK [appenduid 7 11:12] done\r\n", fault);
}

static int take_two_asking(struct talk *t, struct fault *fault)
{
	if (hear_and_say(t, "m1 APPEND \"INBOX\" (\\Seen) {3}\r\n", "+\r\n", fault) < 0 ||
	    hear_and_say(t, "abc \"date\" {2}\r\n", "+ go on\r\n", fault) < 0)
		return -1;
	return hear_and_say(t, "de\r\n", "m1 OK [APPENDUID 7 11:12] done\r\n", fault);
}

static void appends(struct check *check)
{
	play(check, &(struct play){ .client = append_two, .server = take_two, .capabilities = "LITERAL+" });
	play(check, &(struct play){ .client = append_two, .server = take_two_asking });
}

/* Pieces of any size arrive as they were given, in order. */
static int append_pieces(struct talk *t, struct fault *fault)
{
	static const size_t pieces[] = { 1, 8191, 1, 8192, 8193, 100000, 3, 0, 20000, 1 };
	struct check *check = t->check;
	_cleanup_(freep) char *data = xmalloc(100000);
	struct imap_append a;
	size_t total = 0;

	for (size_t i = 0; i < 100000; i++)
		data[i] = (char)('a' + i % 26);
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		total += pieces[i];
	if (begin_append(t, &a, total, fault) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		if (imap_append_data(t->s, (struct bytes){ data, pieces[i] }, fault) < 0)
			return -1;
	if (imap_append_end(t->s, &a, fault) < 0 || imap_wait(t->s, &a.command, fault) < 0)
		return -1;
	EXPECT(a.command.condition == IMAP_OK);
	return 0;
}

static int take_pieces(struct talk *t, struct fault *fault)
{
	static const size_t pieces[] = { 1, 8191, 1, 8192, 8193, 100000, 3, 0, 20000, 1 };
	_cleanup_(freep) char *want = xmalloc(100001);

	if (hear(t, "m1 APPEND \"INBOX\" (\\Seen) {144582+}\r\n", fault) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		for (size_t k = 0; k < pieces[i]; k++)
			want[k] = (char)('a' + k % 26);
		want[pieces[i]] = '\0';
		if (hear(t, want, fault) < 0)
			return -1;
	}
	return hear_and_say(t, "\r\n", "m1 OK\r\n", fault);
}

static void append_in_pieces(struct check *check)
{
	play(check, &(struct play){ .client = append_pieces, .server = take_pieces, .capabilities = "LITERAL+" });
}

/* --- what is noted --------------------------------------------------------------------------- */

static int learn_state(struct talk *t, struct fault *fault)
{
	struct check *check = t->check;
	struct imap_selected *selected = &t->s->selected;

	if (send_one(t, 0, "NOOP", fault) < 0 || imap_wait(t->s, &t->commands[0], fault) < 0)
		return -1;
	EXPECT(selected->exists == 0 && selected->uidvalidity == 7 && selected->uidnext == 12);
	EXPECT(selected->highestmodseq == UINT64_C(9007199254740993));
	EXPECT(selected->permanent_told && selected->permanent_star && selected->read_only);
	EXPECT(strcmp(buf_str(&selected->permanent), "\\seen work \\* ") == 0);
	EXPECT(imap_can(&t->s->capabilities, IMAP_CAP_MOVE) && !imap_can(&t->s->capabilities, IMAP_CAP_IMAP4REV1));
	EXPECT(strcmp(t->commands[0].code, "READ-ONLY") == 0);
	EXPECT(strlen(t->commands[0].text) == sizeof(t->commands[0].text) - 1);
	return 0;
}

static int tell_state(struct talk *t, struct fault *fault)
{
	char answer[500] = "m1 NO [read-only] ";

	memset(answer + strlen(answer), 'x', 300);
	memcpy(answer + 318, "\r\n", 3);
	if (hear(t, "m1 NOOP\r\n", fault) < 0 ||
	    say(t, "* 1 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT 12] next\r\n* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n"
		"* OK [HIGHESTMODSEQ 9007199254740993]\r\n* OK [PERMANENTFLAGS (\\Seen Work \\*)]\r\n"
		"* CAPABILITY MOVE\r\n", fault) < 0)
		return -1;
	return say(t, answer, fault);
}

static void notes(struct check *check)
{
	play(check, &(struct play){ .client = learn_state, .server = tell_state });
}

/* --- leaving --------------------------------------------------------------------------------- */

static int leave(struct talk *t, struct fault *fault)
{
	imap_logout(TAKE_PTR(t->s));
	imap_logout(NULL);
	return 0;
}

static int see_off(struct talk *t, struct fault *fault)
{
	return hear_and_say(t, "m1 LOGOUT\r\n", "* BYE\r\nm1 OK\r\n", fault) < 0 ? -1 : hear_end(t, fault);
}

static void logout(struct check *check)
{
	play(check, &(struct play){ .client = leave, .server = see_off });
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "several fibers wait, each for its own answer", shared },
		{ "tags that are not ours", unknown_tags },
		{ "BYE reaches everybody who waits", bye },
		{ "the end in the middle, and nonsense", ends },
		{ "silence is a fault", silence },
		{ "silence while we are sending is none", silence_while_sending },
		{ "the caller's deadline while we are sending", deadline_while_sending },
		{ "cancellation leaves answers to be read", cancellation },
		{ "when a literal may go at once", suffixes },
		{ "literals wait for their own +", literals },
		{ "literals that are not sent", literals_not_sent },
		{ "APPEND of two messages", appends },
		{ "APPEND in pieces of any size", append_in_pieces },
		{ "what servers tell is noted", notes },
		{ "LOGOUT", logout },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
