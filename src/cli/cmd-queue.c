/* SPDX-License-Identifier: Apache-2.0 */
/* mailferry queue: what waits in a running gateway, and orders about it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/commands.h"
#include "cli/operate.h"
#include "gateway/queue.h"

struct options {
	const char *config, *state, *cause, *reason;
	unsigned target, fate, limit;
	bool json, all;
	bool is_long; /* show */
};

static const struct option_line lines[] = {
	{ "config", OPTION_STRING, offsetof(struct options, config), "FILE",
	  "the configuration (default mailferry.conf in the current folder)", 0, 0 },
	{ "state", OPTION_STRING, offsetof(struct options, state), "DIR", "in place of the configuration's", 0, 0 },
	{ "target", OPTION_CHOICE, offsetof(struct options, target), "any|old|new", "only mail on its way there", 0, 0 },
	{ "fate", OPTION_CHOICE, offsetof(struct options, fate), "any|open|attempting|doubt|held", "only mail that is", 0, 0 },
	{ "cause", OPTION_STRING, offsetof(struct options, cause), "WORD",
	  "only mail that waits or is held for this cause", 0, 0 },
	{ "limit", OPTION_COUNT, offsetof(struct options, limit), "N", "list: at most so many lines (default all)", 1, 1000000000 },
	{ "all", OPTION_FLAG, offsetof(struct options, all), NULL,
	  "retry, hold, release: everything, when nothing else is said", 0, 0 },
	{ "reason", OPTION_STRING, offsetof(struct options, reason), "TEXT", "why, for the journal", 0, 0 },
	{ "json", OPTION_FLAG, offsetof(struct options, json), NULL, "one JSON object a line on standard output", 0, 0 },
};

static void help(void)
{
	puts("usage: mailferry queue list [WHICH …] [option …]\n"
	     "       mailferry queue show WHICH … [option …]\n"
	     "       mailferry queue retry|hold|release WHICH …|--all [--reason TEXT] [option …]\n\n"
	     "What a running gateway has accepted and not settled yet, a line for each recipient; list also\n"
	     "counts all of it by target and cause. WHICH is a queue id, an address or @DOMAIN; none are all.\n"
	     "retry tries at once what waits; hold keeps it until it is released; release lets what is held\n"
	     "go on. What is being delivered at that moment is left alone.");
	options_help(lines, ARRAY_SIZE(lines));
	puts("\nExit status: 0 done; 2 wrong usage, or refused; 3 no gateway runs, or it did not answer.");
}

static const char *fate_word(uint64_t fate)
{
	const char *word = fate < JOURNAL_FATES ? journal_fate_name((unsigned)fate) : NULL;

	return word ? word : "?";
}

/* --- legs ------------------------------------------------------------------------------------ */

static void leg_json(const struct control_leg *leg)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:I, s:b, s:I, s:I, s:I, s:b}", "event", "leg", "fate", fate_word(leg->fate),
				   "target", operate_target(leg->target), "recipient", (json_int_t)leg->recipient, "copy",
				   (int)leg->copy, "size", (json_int_t)leg->size, "attempts", (json_int_t)leg->attempts, "code",
				   (json_int_t)leg->code, "possible_duplicate", (int)leg->flagged);

	operate_put(object, "queue_id", leg->queue_id);
	operate_put(object, "address", leg->key);
	operate_put(object, "cause", leg->cause);
	operate_put_time(object, "accepted", leg->accepted_us);
	operate_put_time(object, "since", leg->since_us);
	operate_put_time(object, "due", leg->due_us);
	operate_print(object);
}

static void leg_line(const struct control_leg *leg)
{
	char accepted[32];

	operate_text(leg->queue_id);
	printf("  %s  %-10s %-3s  ", operate_time(accepted, leg->accepted_us), fate_word(leg->fate), operate_target(leg->target));
	operate_text(leg->key);
	if (leg->copy)
		fputs(" (copy)", stdout);
	if (leg->cause.n) {
		fputs("  ", stdout);
		operate_text(leg->cause);
	}
	putchar('\n');
}

static void leg_paragraph(const struct control_leg *leg)
{
	char when[32];

	leg_line(leg);
	printf("  %llu bytes, recipient %llu, %s since %s\n", (unsigned long long)leg->size, (unsigned long long)leg->recipient,
	       fate_word(leg->fate), operate_time(when, leg->since_us));
	if (leg->attempt)
		printf("  last attempt %llu, the last reply was %llu, refused for now %llu times\n", (unsigned long long)leg->attempt,
		       (unsigned long long)leg->code, (unsigned long long)leg->attempts);
	if (leg->fate == JOURNAL_OPEN && leg->due_us)
		printf("  next attempt not before %s\n", operate_time(when, leg->due_us));
	if (leg->flagged)
		puts("  the next attempt may make a duplicate");
}

static int on_leg(void *arg, enum control_say_type type, const void *said, struct fault *fault)
{
	const struct options *o = arg;

	(void)fault;
	if (type != CONTROL_LEG)
		return 0;
	if (o->json)
		leg_json(said);
	else if (o->is_long)
		leg_paragraph(said);
	else
		leg_line(said);
	return 0;
}

static int on_count(void *arg, enum control_say_type type, const void *said, struct fault *fault)
{
	const struct options *o = arg;
	const struct control_count *count = said;

	(void)fault;
	if (type != CONTROL_COUNT)
		return 0;
	if (o->json) {
		json_t *object = json_pack("{s:s, s:s, s:s, s:I}", "event", "count", "target", operate_target(count->target), "fate",
					   fate_word(count->fate), "legs", (json_int_t)count->legs);

		operate_put(object, "cause", count->cause);
		operate_print(object);
		return 0;
	}
	printf("%10llu  %-10s %-3s  ", (unsigned long long)count->legs, fate_word(count->fate), operate_target(count->target));
	operate_text(count->cause);
	putchar('\n');
	return 0;
}

/* --- verbs ----------------------------------------------------------------------------------- */

static const char *const orders[] = { [QUEUE_RETRY] = "retry", [QUEUE_HOLD] = "hold", [QUEUE_RELEASE] = "release" };

static int list(struct operate *operate, struct options *o, const struct control_ask *ask, struct fault *fault)
{
	static const struct control_ask everything = { .n_names = 0 };
	struct control_end end, total;
	bool is_absent;

	if (operate_ask(operate, CONTROL_QUEUE_LIST, ask, on_leg, o, &end, &is_absent, fault) < 0)
		return -1;
	if (o->is_long) {
		if (end.n == 0 && !o->json)
			puts("nothing of that waits");
		return 0;
	}
	if (!o->json && end.n)
		putchar('\n');
	if (operate_ask(operate, CONTROL_QUEUE_COUNT, &everything, on_count, o, &total, &is_absent, fault) < 0)
		return -1;
	if (o->json)
		operate_print(json_pack("{s:s, s:I, s:I}", "event", "queue", "listed", (json_int_t)end.n, "legs", (json_int_t)total.n));
	else
		printf("%10llu  in all\n", (unsigned long long)total.n);
	return 0;
}

static int order(struct operate *operate, const struct options *o, const char *verb, struct control_ask *ask, struct fault *fault)
{
	struct control_end end;
	bool is_absent;

	for (unsigned i = 0; i < ARRAY_SIZE(orders); i++)
		if (strcmp(verb, orders[i]) == 0)
			ask->order = i + 1;
	if (ask->n_names == 0 && !ask->target && !ask->fate && !ask->cause.n && !o->all)
		return fault_usage(fault, "queue %s needs queue ids, addresses, --target, --fate, --cause or --all", verb);
	if (operate_ask(operate, CONTROL_QUEUE_ORDER, ask, NULL, NULL, &end, &is_absent, fault) < 0)
		return -1;
	if (o->json)
		operate_print(json_pack("{s:s, s:s, s:I}", "event", "order", "order", verb, "legs", (json_int_t)end.n));
	else
		printf("%s: %llu\n", verb, (unsigned long long)end.n);
	return 0;
}

static int check_verb(const char *verb, const struct options *o, size_t n_names, bool *ret_is_order, struct fault *fault)
{
	*ret_is_order = false;
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		*ret_is_order = *ret_is_order || strcmp(verb, orders[i]) == 0;
	if (!*ret_is_order && strcmp(verb, "list") != 0 && strcmp(verb, "show") != 0)
		return fault_usage(fault, "\"%s\" is none of list, show, retry, hold and release", verb);
	if (!*ret_is_order && (o->all || o->reason))
		return fault_usage(fault, "--all and --reason are for retry, hold and release");
	if (strcmp(verb, "list") != 0 && o->limit)
		return fault_usage(fault, "--limit is for list");
	if (strcmp(verb, "show") == 0 && n_names == 0)
		return fault_usage(fault, "queue show needs queue ids or addresses");
	return 0;
}

static int run(struct operate *operate, void *options, struct string_list *words, struct fault *fault)
{
	struct options *o = options;
	struct string_list names_only = { words->p ? words->p + 1 : NULL, words->n ? words->n - 1 : 0, 0 };
	_cleanup_(freep) struct control_name *names = operate_names(&names_only);
	struct control_ask ask = { .names = names, .n_names = names_only.n, .target = o->target, .fate = o->fate,
				   .limit = o->limit, .cause = bytes_of(o->cause), .reason = bytes_of(o->reason),
				   .operator = bytes_of(operate_who()) };
	bool is_order;

	if (words->n == 0)
		return fault_usage(fault, "write queue list, show, retry, hold or release");
	if (check_verb(words->p[0], o, names_only.n, &is_order, fault) < 0 || operate_open(operate, fault) < 0)
		return -1;
	o->is_long = strcmp(words->p[0], "show") == 0;
	return is_order ? order(operate, o, words->p[0], &ask, fault) : list(operate, o, &ask, fault);
}

int cmd_queue(int argc, char **argv)
{
	static const struct operate_command command = { "queue", lines, ARRAY_SIZE(lines), help, run };
	struct options o = { .json = false };

	return operate_command(&command, &o, &o.config, &o.state, argc, argv);
}
