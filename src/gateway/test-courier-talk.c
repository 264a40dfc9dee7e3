/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/test-courier-talk.h"

#include "base/xalloc.h"
#include "config/gateway.h"
#include "smtp/client.h"

enum { HOSTS = 4 };

/* --- the keeper's side ----------------------------------------------------------------------- */

void courier_talk_job(struct courier_talk *t, uint64_t id, unsigned host, const char *to, struct bytes content)
{
	struct courier_recipient *recipients = arena_alloc(&t->arena, 200 * sizeof(*recipients));
	struct courier_job job = {
		.host = host, .from = BYTES("s@y.org"), .size = content.n, .recipients = recipients,
		.addr = BYTES("192.0.2.7"), .helo = BYTES("client.example"),
	};
	struct bytes rest = bytes_of(to);

	while (rest.n > 0) {
		struct bytes word = bytes_cut(&rest, ' ');

		recipients[job.n_recipients++].to =
			bytes_of(arena_printf(&t->arena, "%.*s@x.org", BYTES_ARG(word)));
	}
	courier_put_order(t->link, ORDER_JOB, id, &job);
	while (content.n > 0) {
		struct bytes piece = bytes_head(content, COURIER_PIECE);

		link_put(t->link, ORDER_CONTENT, id, piece, BYTES_NULL);
		content = bytes_skip(content, piece.n);
	}
}

static void put_outcome(struct courier_talk *t, uint64_t id, const struct courier_outcome *o)
{
	static const char *const names[] = { "untried", "accepted", "temporary", "permanent", "doubt" };

	buf_appendf(&t->results, "%llu %llu: %s", (unsigned long long)id,
		    (unsigned long long)o->recipient, o->outcome < 5 ? names[o->outcome] : "?");
	if (o->code)
		buf_appendf(&t->results, " %llu", (unsigned long long)o->code);
	if (o->enhanced.n)
		buf_appendf(&t->results, " %.*s", BYTES_ARG(o->enhanced));
	if (o->about)
		buf_appendf(&t->results, " (%s)", smtp_about_name((enum smtp_about)o->about));
	if (o->after_us)
		buf_appendf(&t->results, " in %llu s", (unsigned long long)(o->after_us / SECOND));
	if (o->remote_id.n)
		buf_appendf(&t->results, " id=%.*s", BYTES_ARG(o->remote_id));
	buf_append_char(&t->results, '\n');
}

static int take_result(struct courier_talk *t, const struct link_frame *frame, unsigned *jobs, struct fault *fault)
{
	static const char *const ends[] = { "worked", "unreachable", "too many", "lost", "stopped" };
	struct courier_result result;

	if (fields_decode(courier_report_table(REPORT_RESULT), frame->payload, &t->arena, &result, fault) < 0)
		return -1;
	for (size_t i = 0; i < result.n_outcomes; i++)
		put_outcome(t, frame->id, &result.outcomes[i]);
	if (result.last) {
		buf_appendf(&t->results, "%llu %s%s%s\n", (unsigned long long)frame->id, ends[result.end],
			    result.reused ? " reused" : "", result.tls.n ? " tls" : "");
		--*jobs;
	}
	return 0;
}

SUSPENDS int courier_talk_wait(struct courier_talk *t, unsigned jobs, struct fault *fault)
{
	struct courier_taken taken;
	struct link_frame frame;

	while (jobs > 0) {
		int r = link_next(t->link, &frame, fault);

		if (r <= 0)
			return r < 0 ? -1 : fault_transport(fault, "the courier ended");
		switch (frame.type) {
		case REPORT_ASK:
			t->asked++;
			courier_put_order(t->link, t->refuses_go ? ORDER_NO_GO : ORDER_GO, frame.id, NULL);
			break;
		case REPORT_TAKEN:
			if (fields_decode(courier_report_table(REPORT_TAKEN), frame.payload, &t->arena, &taken,
					  fault) < 0)
				return -1;
			t->content_taken += taken.bytes;
			return 0; /* who sends much sends more */
		case REPORT_RESULT:
			if (take_result(t, &frame, &jobs, fault) < 0)
				return -1;
			break;
		default:
			break;
		}
	}
	return 0;
}

bool courier_talk_has(struct courier_talk *t, const char *want)
{
	bool same = check_expect(t->check, strcmp(buf_str(&t->results), want) == 0, __FILE__, __LINE__,
				 "results are \"%s\", not \"%s\"", buf_str(&t->results), want);

	buf_reset(&t->results);
	return same;
}

/* --- a case ---------------------------------------------------------------------------------- */

struct run {
	struct check *check;
	const struct courier_case *c;
};

SUSPENDS static int courier_fiber(void *arg, struct fault *fault)
{
	return courier_serve(arg, fault);
}

static void set_up(struct courier_talk *t, const struct courier_case *c)
{
	struct courier_host hosts[HOSTS];
	struct courier_target target = c->target;
	struct courier_setup setup = { .helo = BYTES("gw.example"), .timeout_us = (uint64_t)c->timeout_us,
				       .targets = &target, .n_targets = 1 };

	for (unsigned i = 0; i < t->n_sinks; i++)
		hosts[i] = (struct courier_host){ c->lmtp ? CONFIG_LMTP : CONFIG_SMTP, BYTES("127.0.0.1"),
						  sink_port(t->sinks[i]) };
	target.hosts = hosts;
	target.n_hosts = t->n_sinks;
	if (!target.messages_a_connection)
		target.messages_a_connection = 100;
	courier_put_order(t->link, ORDER_SETUP, 0, &setup);
}

SUSPENDS static int run_case(void *arg, struct fault *fault)
{
	struct run *run = arg;
	struct courier_talk t = { .check = run->check, .refuses_go = run->c->refuses_go };
	struct stream *keeper, *courier;
	struct nursery nursery;
	int r = 0;

	_deadline_(30 * SECOND);

	for (unsigned i = 0; run->c->scripts[i] && i < HOSTS; i++) {
		t.sinks[t.n_sinks] = sink_start(run->check, run->c->scripts[i], fault);
		if (!t.sinks[t.n_sinks])
			return -1;
		t.sinks[t.n_sinks++]->lmtp = run->c->lmtp;
	}
	memory_stream_pair(0, &keeper, &courier);
	nursery_init(&nursery, "courier");
	nursery_start(&nursery, courier_fiber, courier, "courier");
	t.link = link_new(keeper, REPORT_REPORTS);
	set_up(&t, run->c);
	r = run->c->keeper(&t, fault);
	link_free(t.link);
	if (nursery_wait(&nursery, fault) < 0)
		r = -1;
	for (unsigned i = 0; i < t.n_sinks; i++)
		sink_stop(t.sinks[i]);
	buf_done(&t.results);
	arena_done(&t.arena);
	return r;
}

void courier_case_run(struct check *check, const struct courier_case *c)
{
	struct run run = { check, c };
	struct fault fault = FAULT_INIT;

	if (run_main("test", run_case, &run, &fault) < 0)
		check_expect(check, false, __FILE__, __LINE__, "%s; %s", fault.text, fault.server);
}
