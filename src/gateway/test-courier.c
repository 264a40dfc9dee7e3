/* SPDX-License-Identifier: Apache-2.0 */
/* The courier against servers good and bad. T1 … are the behaviours of targets that docs/design/delivery.md lists. */
#include "config/gateway.h"
#include "gateway/test-courier-talk.h"

#include <stdio.h>

#define SCRIPTS(...) (const char *const[]){ __VA_ARGS__, NULL }
#define RUN(keeper_fn, ...)                                                                        \
	courier_case_run(check, &(struct courier_case){ .scripts = SCRIPTS(__VA_ARGS__),           \
			 .target.tls = CONFIG_TLS_NONE, .keeper = (keeper_fn) })
#define TEXT BYTES("Subject: hi\r\n\r\n.dot\r\n")
#define T_EXPECT(condition) check_expect(t->check, (condition), __FILE__, __LINE__, "%s", #condition)

/* Jobs one after the other, each to the recipients of one word list. */
static int jobs(struct courier_talk *t, const char *const *to, struct fault *fault)
{
	for (uint64_t id = 1; *to; id++, to++) {
		courier_talk_job(t, id, 0, *to, TEXT);
		if (courier_talk_wait(t, 1, fault) < 0)
			return -1;
	}
	return 0;
}

#define JOBS(t, fault, ...) jobs(t, (const char *const[]){ __VA_ARGS__, NULL }, fault)

/* --- work ------------------------------------------------------------------------------------ */

static int one_connection(struct courier_talk *t, struct fault *fault)
{
	if (JOBS(t, fault, "a", "b c") < 0)
		return -1;

	courier_talk_has(t, "1 0: accepted 250 2.0.0 id=SINK1\n1 worked\n"
			    "2 0: accepted 250 2.0.0 id=SINK1\n2 1: accepted 250 2.0.0 id=SINK1\n"
			    "2 worked reused\n");
	T_EXPECT(t->asked == 2 && t->sinks[0]->connections == 1 && t->sinks[0]->dots == 2);
	check_expect(t->check, strcmp(buf_str(&t->sinks[0]->books), "s>a\ns>b,c\n") == 0, __FILE__, __LINE__,
		     "%s", buf_str(&t->sinks[0]->books));
	check_expect(t->check, bytes_equal(buf_bytes(&t->sinks[0]->content), TEXT), __FILE__, __LINE__,
		     "%s", buf_str(&t->sinks[0]->content));
	return 0;
}

static void a_connection_is_used_again(struct check *check)
{
	RUN(one_connection, "");
}

static int two_then_new(struct courier_talk *t, struct fault *fault)
{
	if (JOBS(t, fault, "a", "b", "c") < 0)
		return -1;

	T_EXPECT(t->sinks[0]->messages == 3 && t->sinks[0]->quits == 1);
	T_EXPECT(t->sinks[0]->connections == 2);
	return 0;
}

static void only_so_many_messages(struct check *check)
{
	courier_case_run(check, &(struct courier_case){ .scripts = SCRIPTS(""), .keeper = two_then_new,
			 .target = { .tls = CONFIG_TLS_NONE, .messages_a_connection = 2 } });
}

static int shrink_to_none(struct courier_talk *t, struct fault *fault)
{
	struct courier_shrink shrink = { 0, 0, 0 };

	if (JOBS(t, fault, "a") < 0)
		return -1;
	T_EXPECT(t->sinks[0]->at_once == 1);
	courier_put_order(t->link, ORDER_SHRINK, 0, &shrink);
	for (int i = 0; i < 200 && t->sinks[0]->at_once > 0; i++)
		if (run_sleep(5 * MSEC, fault) < 0)
			return -1;
	T_EXPECT(t->sinks[0]->at_once == 0 && t->sinks[0]->quits == 1);
	return 0;
}

static void idle_connections_are_closed(struct check *check)
{
	RUN(shrink_to_none, "");
}

/* More than the window: TAKEN must come before the rest is sent. */
static int send_much(struct courier_talk *t, struct fault *fault)
{
	enum { LINE = 64, N = 2 << 20 };
	char *content = arena_alloc(&t->arena, N);
	uint64_t sent = 0;
	struct courier_recipient to = { .to = BYTES("a@x.org") };
	struct courier_job job = { .from = BYTES("s@y.org"), .size = N, .recipients = &to, .n_recipients = 1 };

	memset(content, 'x', N);
	for (size_t i = LINE; i <= N; i += LINE)
		memcpy(content + i - 2, "\r\n", 2);
	courier_put_order(t->link, ORDER_JOB, 1, &job);
	while (sent < N) {
		while (sent < N && sent - t->content_taken + COURIER_PIECE <= COURIER_WINDOW) {
			link_put(t->link, ORDER_CONTENT, 1, (struct bytes){ content + sent, COURIER_PIECE },
				 BYTES_NULL);
			sent += COURIER_PIECE;
		}
		if (sent < N && courier_talk_wait(t, 1, fault) < 0)
			return -1;
	}
	while (!t->results.n)
		if (courier_talk_wait(t, 1, fault) < 0)
			return -1;
	courier_talk_has(t, "1 0: accepted 250 2.0.0 id=SINK1\n1 worked\n");
	T_EXPECT(bytes_equal(buf_bytes(&t->sinks[0]->content), ((struct bytes){ content, N })));
	return 0;
}

static void large_content_flows(struct check *check)
{
	RUN(send_much, "");
}

static int not_now(struct courier_talk *t, struct fault *fault)
{
	if (JOBS(t, fault, "a") < 0)
		return -1;

	courier_talk_has(t, "1 0: untried\n1 stopped\n");
	T_EXPECT(t->sinks[0]->dots == 0 && t->sinks[0]->messages == 0);
	return 0;
}

static void no_dot_without_go(struct check *check)
{
	courier_case_run(check, &(struct courier_case){ .scripts = SCRIPTS(""), .keeper = not_now,
			 .target.tls = CONFIG_TLS_NONE, .refuses_go = true });
}

/* Hundred recipients: their outcomes come in several frames. */
static int a_hundred(struct courier_talk *t, struct fault *fault)
{
	_cleanup_(buf_done) struct buf to = BUF_NULL, want = BUF_NULL;

	for (int i = 0; i < 100; i++)
		buf_appendf(&to, "%su%d", i ? " " : "", i);
	for (int i = 0; i < 100; i++)
		buf_appendf(&want, i == 50 ? "1 %d: permanent 550 5.1.1 (unknown user)\n"
					   : "1 %d: accepted 250 2.0.0 id=SINK1\n", i);
	buf_append_str(&want, "1 worked\n");
	if (JOBS(t, fault, to.p) < 0)
		return -1;
	courier_talk_has(t, want.p);
	return 0;
}

static void many_recipients(struct check *check)
{
	RUN(a_hundred, "rcpt=u50 550 5.1.1 no such user");
}

static int lmtp_each(struct courier_talk *t, struct fault *fault)
{
	if (JOBS(t, fault, "a b c") < 0)
		return -1;

	courier_talk_has(t, "1 0: accepted 250 2.1.5\n1 1: temporary 452 4.2.2 (mailbox full)\n"
			    "1 2: accepted 250 2.1.5\n1 worked\n");
	T_EXPECT(strcmp(buf_str(&t->sinks[0]->books), "s>a,c\n") == 0);
	return 0;
}

static void lmtp_answers_each(struct check *check)
{
	courier_case_run(check, &(struct courier_case){ .scripts = SCRIPTS("end=b 452 4.2.2 full"),
			 .keeper = lmtp_each, .lmtp = true, .target.tls = CONFIG_TLS_NONE });
}

static int forward(struct courier_talk *t, struct fault *fault)
{
	t->sinks[0]->xforward = true;
	if (JOBS(t, fault, "a") < 0)
		return -1;

	T_EXPECT(strstr(buf_str(&t->sinks[0]->commands), "XFORWARD NAME=[UNAVAILABLE] ADDR=192.0.2.7 "));
	T_EXPECT(strstr(buf_str(&t->sinks[0]->commands), "HELO=client.example"));
	return 0;
}

static void says_who_sent_it(struct check *check)
{
	courier_case_run(check, &(struct courier_case){ .scripts = SCRIPTS(""), .keeper = forward,
			 .target = { .tls = CONFIG_TLS_NONE, .client = CONFIG_CLIENT_XFORWARD } });
}

/* The server closed while the connection was idle, at the very moment it is used: nothing is lost by it. */
static int closed_while_idle(struct courier_talk *t, struct fault *fault)
{
	if (JOBS(t, fault, "a", "b") < 0)
		return -1;

	courier_talk_has(t, "1 0: accepted 250 2.0.0 id=SINK1\n1 worked\n"
			    "2 0: accepted 250 2.0.0 id=SINK1\n2 worked\n");
	T_EXPECT(t->sinks[0]->connections == 2);
	return 0;
}

static void a_stale_connection_is_replaced(struct check *check)
{
	RUN(closed_while_idle, "mail *2 close");
}

/* --- targets that misbehave ------------------------------------------------------------------ */

struct one {
	const char *script, *to, *want;
	unsigned dots;
};

static const struct one *one_at_hand;

static int play_one(struct courier_talk *t, struct fault *fault)
{
	const struct one *one = one_at_hand;

	if (JOBS(t, fault, one->to) < 0)
		return -1;
	courier_talk_has(t, one->want);
	check_expect(t->check, t->sinks[0]->dots == one->dots, __FILE__, __LINE__, "%s: %u dots",
		     one->script, t->sinks[0]->dots);
	return 0;
}

static void targets_that_misbehave(struct check *check)
{
	static const struct one all[] = {
		/* T1: 421 at the banner, at EHLO, at MAIL, among recipients, at DATA. */
		{ "greeting 421 4.7.0 busy+close", "a", "1 0: untried\n1 too many\n", 0 },
		{ "greeting 554 5.7.1 not you+close", "a", "1 0: untried\n1 unreachable\n", 0 },
		{ "ehlo 421 4.3.2 going down+close", "a", "1 0: untried\n1 too many\n", 0 },
		{ "mail 421 4.3.2 going down+close", "a b",
		  "1 0: temporary 421 4.3.2 (connection)\n1 1: temporary 421 4.3.2 (connection)\n1 worked\n", 0 },
		{ "rcpt=b 421 4.3.2 going down+close", "a b c",
		  "1 0: temporary 421 4.3.2 (connection)\n1 1: temporary 421 4.3.2 (connection)\n"
		  "1 2: temporary 421 4.3.2 (connection)\n1 worked\n", 0 },
		/* T2 */
		{ "mail 451 4.7.500 Server busy. Please try again later (S77719)", "a",
		  "1 0: temporary 451 4.7.500 (server throttle)\n1 worked\n", 0 },
		/* T3 */
		{ "rcpt 2+ 452 4.5.3 too many recipients", "a b c",
		  "1 0: accepted 250 2.0.0 id=SINK1\n1 1: temporary 452 4.5.3 (too many recipients)\n"
		  "1 2: temporary 452 4.5.3 (too many recipients)\n1 worked\n", 1 },
		/* T4, T5, T6 */
		{ "end 432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded", "a",
		  "1 0: temporary 432 4.3.2 (mailbox throttle)\n1 worked\n", 1 },
		{ "rcpt 450 4.2.1 The user you are trying to contact is receiving mail too quickly", "a",
		  "1 0: temporary 450 4.2.1 (mailbox throttle)\n1 worked\n", 0 },
		{ "rcpt 552 5.2.2 mailbox full", "a", "1 0: permanent 552 5.2.2 (mailbox full)\n1 worked\n", 0 },
		/* T7, T8 */
		{ "rcpt=b 550 5.1.1 no such user;rcpt=c 450 4.2.0 later", "a b c d",
		  "1 0: accepted 250 2.0.0 id=SINK1\n1 1: permanent 550 5.1.1 (unknown user)\n"
		  "1 2: temporary 450 4.2.0\n1 3: accepted 250 2.0.0 id=SINK1\n1 worked\n", 1 },
		/* T9: closed behind 354, and behind the dot. */
		{ "data 354 go+close", "a", "1 0: untried\n1 lost\n", 0 },
		{ "end close", "a b", "1 0: doubt\n1 1: doubt\n1 lost\n", 1 },
		{ "end take+close", "a", "1 0: doubt\n1 lost\n", 1 },
		/* T12 */
		{ "end 250 ok", "a", "1 0: accepted 250\n1 worked\n", 1 },
		/* T14: slow, and in time. */
		{ "greeting drip;rcpt drip;end drip", "a", "1 0: accepted 250 2.0.0 id=SINK1\n1 worked\n", 1 },
		/* T15 */
		{ "rcpt 550 9.8.7654321 \x01what", "a", "1 0: permanent 550\n1 worked\n", 0 },
		{ "end nonsense", "a", "1 0: doubt\n1 lost\n", 1 },
		{ "data 250 what", "a", "1 0: temporary 250 (protocol)\n1 lost\n", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		one_at_hand = &all[i];
		RUN(play_one, all[i].script);
	}
}

static int too_late(struct courier_talk *t, struct fault *fault)
{
	if (JOBS(t, fault, "a") < 0)
		return -1;

	courier_talk_has(t, "1 0: doubt\n1 lost\n");
	return 0;
}

static int never_greeted(struct courier_talk *t, struct fault *fault)
{
	if (JOBS(t, fault, "a") < 0)
		return -1;

	courier_talk_has(t, "1 0: untried\n1 unreachable\n");
	return 0;
}

/* T10, and a host that accepts connections and says nothing. */
static void too_slow(struct check *check)
{
	courier_case_run(check, &(struct courier_case){ .scripts = SCRIPTS("end hang"), .keeper = too_late,
			 .timeout_us = 200 * MSEC, .target.tls = CONFIG_TLS_NONE });
	courier_case_run(check, &(struct courier_case){ .scripts = SCRIPTS("greeting hang"),
			 .timeout_us = 200 * MSEC, .keeper = never_greeted, .target.tls = CONFIG_TLS_NONE });
}

/* T11: what was said twice must not be taken for the answer to what comes next. */
static int twice(struct courier_talk *t, struct fault *fault)
{
	if (JOBS(t, fault, "a", "b") < 0)
		return -1;

	courier_talk_has(t, "1 0: accepted 250\n1 worked\n2 0: accepted 250 2.0.0 id=SINK1\n2 worked\n");
	T_EXPECT(t->sinks[0]->connections == 2);
	return 0;
}

static void said_twice(struct check *check)
{
	RUN(twice, "end *1 250 ok|250 ok");
}

/* T1: 421 after so many messages on a connection; the next goes over another one. */
static int after_two(struct courier_talk *t, struct fault *fault)
{
	if (JOBS(t, fault, "a", "b", "c", "c") < 0)
		return -1;

	courier_talk_has(t, "1 0: accepted 250 2.0.0 id=SINK1\n1 worked\n"
			    "2 0: accepted 250 2.0.0 id=SINK1\n2 worked reused\n"
			    "3 0: temporary 421 4.7.0 (connection)\n3 worked reused\n"
			    "4 0: accepted 250 2.0.0 id=SINK1\n4 worked\n");
	return 0;
}

static void refused_after_some(struct check *check)
{
	RUN(after_two, "mail 3 421 4.7.0 enough+close");
}

/* T13: a server that must prove itself and cannot is not spoken to. */
static void tls_is_not_given_up(struct check *check)
{
	courier_case_run(check, &(struct courier_case){ .scripts = SCRIPTS(""), .keeper = never_greeted,
			 .target.tls = CONFIG_TLS_VERIFIED });
	courier_case_run(check, &(struct courier_case){ .scripts = SCRIPTS(""), .keeper = never_greeted,
			 .target = { .tls = CONFIG_TLS_PINNED, .pin = BYTES("0000000000000000000000000000000000000000000000000000000000000000") } });
}

/* --- a keeper that misbehaves ---------------------------------------------------------------- */

static int say_wrong(struct courier_talk *t, struct fault *fault)
{
	struct link_frame frame;
	int r;

	courier_put_order(t->link, ORDER_GO, 7, NULL); /* nobody: passed over */
	courier_talk_job(t, 1, 9, "a", TEXT); /* a host that is none */
	while ((r = link_next(t->link, &frame, fault)) > 0)
		;
	T_EXPECT(r == 0);
	return 0;
}

static int expect_end(struct courier_talk *t, struct fault *fault)
{
	return say_wrong(t, fault);
}

static void a_keeper_out_of_order_ends_it(struct check *check)
{
	struct fault fault = FAULT_INIT;
	struct courier_case c = { .scripts = SCRIPTS(""), .keeper = expect_end, .target.tls = CONFIG_TLS_NONE };
	struct check inner = { .name = check->name };

	(void)fault;
	courier_case_run(&inner, &c);
	CHECK(inner.failed);
	CHECK(strstr(inner.note, "a job for nobody"));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "a connection is used again", a_connection_is_used_again },
		{ "only so many messages", only_so_many_messages },
		{ "idle connections are closed", idle_connections_are_closed },
		{ "large content flows", large_content_flows },
		{ "no dot without go", no_dot_without_go },
		{ "many recipients", many_recipients },
		{ "lmtp answers each", lmtp_answers_each },
		{ "says who sent it", says_who_sent_it },
		{ "a stale connection is replaced", a_stale_connection_is_replaced },
		{ "targets that misbehave", targets_that_misbehave },
		{ "too slow", too_slow },
		{ "said twice", said_twice },
		{ "refused after some", refused_after_some },
		{ "tls is not given up", tls_is_not_given_up },
		{ "a keeper out of order ends it", a_keeper_out_of_order_ends_it },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
