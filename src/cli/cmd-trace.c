/* SPDX-License-Identifier: Apache-2.0 */
/* mailferry trace: what happened to a message, from the gateway that has it or from its journal. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/operate.h"
#include "cli/trace-show.h"
#include "gateway/custody.h"

enum { LIMIT = 20 };

struct options {
	const char *config, *state;
	unsigned limit;
	bool json;
};

static const struct option_line lines[] = {
	{ "config", OPTION_STRING, offsetof(struct options, config), "FILE",
	  "the configuration (default mailferry.conf in the current folder)", 0, 0 },
	{ "state", OPTION_STRING, offsetof(struct options, state), "DIR", "in place of the configuration's", 0, 0 },
	{ "limit", OPTION_COUNT, offsetof(struct options, limit), "N", "the newest N messages (default 20)", 1, CONTROL_TRACED },
	{ "json", OPTION_FLAG, offsetof(struct options, json), NULL, "one JSON object a line on standard output", 0, 0 },
};

static void help(void)
{
	puts("usage: mailferry trace MESSAGE-ID|QUEUE-ID|ADDRESS [option …]\n\n"
	     "What happened to the messages that have this Message-ID, queue id, sender or recipient, in order:\n"
	     "accepted from whom, routed by which epoch of the table of routes, each attempt and its answer,\n"
	     "delivered with the other server's id; or where it is now, and why. Delivered ones too, as long\n"
	     "as the journal has them. Of an address that is a recipient's only what is about him is shown.\n"
	     "When no gateway runs, its journal is read.");
	options_help(lines, ARRAY_SIZE(lines));
	puts("\nExit status: 0 something was found; 1 nothing was; 2 wrong usage; 3 the gateway did not answer, or\n"
	     "its journal cannot be read.");
}

static void end_json(const struct trace *t, const struct control_end *end, uint64_t damaged)
{
	operate_print(json_pack("{s:s, s:I, s:I, s:s, s:I}", "event", "trace", "messages", (json_int_t)end->n, "more",
				(json_int_t)end->more, "source", t->is_offline ? "journal" : "gateway", "damaged",
				(json_int_t)damaged));
}

static void end_text(const struct trace *t, const struct control_end *end)
{
	if (end->n == 0)
		printf("nothing in the journal has the queue id, Message-ID or address \"%.*s\"\n", BYTES_ARG(t->name));
	if (end->more)
		printf("%" PRIu64 " older ones are not shown (--limit)\n", end->more);
}

static int from_journal(struct operate *operate, struct trace *t, unsigned limit, struct custody_result *ret,
			struct fault *fault)
{
	t->is_offline = true;
	fputs("mailferry trace: no gateway runs here: this is from its journal\n", stderr);
	if (custody_read(buf_str(&operate->state), t->name, limit, trace_said, t, ret, fault) < 0)
		return -1;
	if (ret->damaged)
		fprintf(stderr, "mailferry trace: %s (%" PRIu64 " such places: mailferry audit names them)\n", ret->damage,
			ret->damaged);
	return 0;
}

static int run(struct operate *operate, void *options, struct string_list *words, struct fault *fault)
{
	const struct options *o = options;
	unsigned limit = o->limit ? o->limit : LIMIT;
	struct trace t = { .json = o->json };
	struct control_name name;
	struct control_ask ask = { .names = &name, .n_names = 1, .limit = limit };
	struct custody_result result = { .damaged = 0 };
	bool is_absent;
	int r;

	if (words->n != 1)
		return fault_usage(fault, "trace needs one queue id, Message-ID or address");
	t.name = name.text = bytes_trim(bytes_of(words->p[0]));
	if (name.text.n == 0 || name.text.n > 1000)
		return fault_usage(fault, "that is no queue id, no Message-ID and no address");
	if (operate_open(operate, fault) < 0)
		return -1;
	r = operate_ask(operate, CONTROL_TRACE, &ask, trace_said, &t, &result.end, &is_absent, fault);
	if (r < 0 && is_absent)
		r = from_journal(operate, &t, limit, &result, fault);
	if (r == 0) {
		trace_end(&t);
		if (o->json)
			end_json(&t, &result.end, result.damaged);
		else
			end_text(&t, &result.end);
		r = result.end.n ? EXIT_DONE : EXIT_EXCEPTIONS;
	}
	trace_done(&t);
	return r;
}

int cmd_trace(int argc, char **argv)
{
	static const struct operate_command command = { "trace", lines, ARRAY_SIZE(lines), help, run };
	struct options o = { .json = false };

	return operate_command(&command, &o, &o.config, &o.state, argc, argv);
}
