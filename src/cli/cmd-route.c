/* SPDX-License-Identifier: Apache-2.0 */
/* mailferry route: where a running gateway sends each recipient's mail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/commands.h"
#include "cli/operate.h"
#include "gateway/router.h"

struct options {
	const char *config, *state, *wave, *reason;
	bool json;
};

static const struct option_line lines[] = {
	{ "config", OPTION_STRING, offsetof(struct options, config), "FILE",
	  "the configuration (default mailferry.conf in the current folder)", 0, 0 },
	{ "state", OPTION_STRING, offsetof(struct options, state), "DIR", "in place of the configuration's", 0, 0 },
	{ "wave", OPTION_STRING, offsetof(struct options, wave), "W",
	  "set: all mailboxes of this wave, besides those that are named", 0, 0 },
	{ "reason", OPTION_STRING, offsetof(struct options, reason), "TEXT", "set: why, for the journal", 0, 0 },
	{ "json", OPTION_FLAG, offsetof(struct options, json), NULL, "one JSON object a line on standard output", 0, 0 },
};

static void help(void)
{
	puts("usage: mailferry route show [ADDRESS …] [option …]\n"
	     "       mailferry route set old|new|both|hold ADDRESS …|--wave W [--reason TEXT] [option …]\n\n"
	     "Asks the running gateway where mail for these addresses goes (for none: its whole table), or\n"
	     "changes it: for all of them at once, written into its journal before it takes effect, and for\n"
	     "mail that waits too. @DOMAIN stands for addresses of the domain that nobody knows. A change is\n"
	     "refused as a whole when one of the addresses is none, or of none of the gateway's domains.");
	options_help(lines, ARRAY_SIZE(lines));
	puts("\nExit status: 0 done; 2 wrong usage, or refused; 3 no gateway runs, or it did not answer.");
}

static const char *route_word(uint64_t route)
{
	static const char *const words[] = { "none", "old", "new", "both", "hold", "unknown" };

	return route < ARRAY_SIZE(words) ? words[route] : "?";
}

static int on_route(void *arg, enum control_say_type type, const void *said, struct fault *fault)
{
	const struct options *o = arg;
	const struct control_route *route = said;
	const char *match = route->match <= ROUTER_DOMAIN ? router_match_name((enum router_match)route->match) : "?";
	char since[32];

	(void)fault;
	if (type != CONTROL_ROUTE)
		return 0;
	if (o->json) {
		json_t *object = json_pack("{s:s, s:s, s:s}", "event", "route", "route", route_word(route->route), "match", match);

		operate_put(object, "address", route->name);
		operate_put(object, "entry", route->key);
		if (route->target.n)
			operate_put(object, "alias_of", route->target);
		operate_put_time(object, "since", (int64_t)route->changed_s * SECOND);
		operate_print(object);
		return 0;
	}
	operate_text(route->name);
	printf("  %s  (%s", route->target.n && !route->route ? "alias" : route_word(route->route), match);
	if (route->key.n && !bytes_equal(route->key, route->name)) {
		putchar(' ');
		operate_text(route->key);
	}
	if (route->target.n) {
		fputs(" of ", stdout);
		operate_text(route->target);
	}
	if (route->changed_s)
		printf(", since %s", operate_time(since, (int64_t)route->changed_s * SECOND));
	puts(")");
	return 0;
}

static int show(struct operate *operate, const struct options *o, const struct string_list *words, struct fault *fault)
{
	_cleanup_(freep) struct control_name *names = operate_names(words);
	struct control_ask ask = { .names = names, .n_names = words->n };
	struct control_end end;
	bool is_absent;

	if (o->wave || o->reason)
		return fault_usage(fault, "--wave and --reason are for route set");
	if (operate_open(operate, fault) < 0 ||
	    operate_ask(operate, CONTROL_ROUTE_SHOW, &ask, on_route, (void *)(uintptr_t)o, &end, &is_absent, fault) < 0)
		return -1;
	if (o->json)
		operate_print(json_pack("{s:s, s:I, s:I}", "event", "routes", "n", (json_int_t)end.n, "epoch", (json_int_t)end.epoch));
	else
		printf("epoch %llu\n", (unsigned long long)end.epoch);
	return 0;
}

static int add_wave(const struct operate *operate, const char *wave, struct string_list *words, struct fault *fault)
{
	size_t before = words->n;

	if (!config_wave(&operate->config, wave))
		return fault_usage(fault, "there is no wave \"%s\"", wave);
	for (size_t i = 0; i < operate->config.mailboxes_n; i++)
		if (strcmp(operate->config.mailboxes[i].wave, wave) == 0 && !operate->config.mailboxes[i].skip)
			string_list_add(words, operate->config.mailboxes[i].address);
	return words->n > before ? 0 : fault_usage(fault, "no mailbox of the list belongs to the wave \"%s\"", wave);
}

static int set(struct operate *operate, const struct options *o, struct bytes route_text, struct string_list *words,
	       struct fault *fault)
{
	_cleanup_(freep) struct control_name *names = NULL;
	struct control_ask ask = { .operator = bytes_of(operate_who()), .reason = bytes_of(o->reason) };
	struct control_end end;
	enum route route;
	bool is_absent;

	if (route_from(route_text, &route) < 0 || route == ROUTE_UNKNOWN)
		return fault_usage(fault, "\"%.*s\" is no route: write old, new, both or hold", BYTES_ARG(route_text));
	operate->is_config_needed = o->wave != NULL;
	if (operate_open(operate, fault) < 0 || (o->wave && add_wave(operate, o->wave, words, fault) < 0))
		return -1;
	if (words->n == 0)
		return fault_usage(fault, "route set needs addresses, or --wave");
	names = operate_names(words);
	ask.names = names;
	ask.n_names = words->n;
	ask.route = route;
	if (operate_ask(operate, CONTROL_ROUTE_SET, &ask, NULL, NULL, &end, &is_absent, fault) < 0)
		return -1;
	if (o->json)
		operate_print(json_pack("{s:s, s:s, s:I, s:I}", "event", "routes_set", "route", route_word(route), "n",
					(json_int_t)end.n, "epoch", (json_int_t)end.epoch));
	else
		printf("epoch %llu: %llu to %s\n", (unsigned long long)end.epoch, (unsigned long long)end.n, route_word(route));
	return 0;
}

static int run(struct operate *operate, void *options, struct string_list *words, struct fault *fault)
{
	const struct options *o = options;
	struct string_list rest = { NULL, 0, 0 };
	bool is_set = words->n > 0 && strcmp(words->p[0], "set") == 0;
	int r;

	if (!is_set && (words->n == 0 || strcmp(words->p[0], "show") != 0))
		return fault_usage(fault, "write route show or route set");
	if (is_set && words->n < 2)
		return fault_usage(fault, "route set needs old, new, both or hold, and addresses");
	for (size_t i = is_set ? 2 : 1; i < words->n; i++)
		string_list_add(&rest, words->p[i]);
	r = is_set ? set(operate, o, bytes_of(words->p[1]), &rest, fault) : show(operate, o, &rest, fault);
	string_list_done(&rest);
	return r;
}

int cmd_route(int argc, char **argv)
{
	static const struct operate_command command = { "route", lines, ARRAY_SIZE(lines), help, run };
	struct options o = { .json = false };

	return operate_command(&command, &o, &o.config, &o.state, argc, argv);
}
