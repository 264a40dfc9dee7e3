/* SPDX-License-Identifier: Apache-2.0 */
/* mailferry gateway: mail comes in by SMTP, and goes to the platform where its recipient is. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/choose.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/state-dir.h"
#include "config/config.h"
#include "gateway/courier.h"
#include "gateway/edge.h"
#include "gateway/gateway.h"
#include "os/notify.h"
#include "os/process.h"

enum { PART_KEEPER, PART_OF_EDGE, PART_OF_COURIER };

struct options {
	const char *config, *state;
	unsigned part, listeners;
};

static const struct option_line lines[] = {
	{ "What it is to do", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "config", OPTION_STRING, offsetof(struct options, config), "FILE",
	  "the configuration (default " CHOOSE_CONFIG " in the current folder)" },
	{ "state", OPTION_STRING, offsetof(struct options, state), "DIR", "in place of the configuration's" },
	{ "Of its own other processes", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "part", OPTION_CHOICE, offsetof(struct options, part), "keeper|edge|courier",
	  "which of the gateway's processes this is (default keeper, which\n"
	  "starts the others; by themselves they are of no use)", 0, 0 },
	{ "listeners", OPTION_COUNT, offsetof(struct options, listeners), "N",
	  "so many sockets of an edge are open from descriptor 3 on", 0, 64 },
};

static void help(void)
{
	puts("usage: mailferry gateway [--config FILE] [option …]\n\n"
	     "Takes mail by SMTP for the domains of [gateway], keeps it safe, and delivers it to the\n"
	     "platform where the recipient is. Stays in the foreground, for a service manager; SIGTERM\n"
	     "ends it when what is under way has been answered, SIGHUP has it read its configuration and\n"
	     "certificates anew.");
	options_help(lines, ARRAY_SIZE(lines));
	puts("\nExit status: 0 stopped in order; 2 wrong usage or configuration; 3 it could not go on.");
}

static int say(const struct fault *fault)
{
	char text[700];

	fault_format(fault, text, sizeof(text));
	fprintf(stderr, "mailferry gateway: %s\n", text);
	return fault->kind == FAULT_USAGE ? EXIT_USAGE : EXIT_STOPPED;
}

/* A service manager takes how bad it is from the front of the line. */
static bool show(bool is_alarm, const char *kind, const char *text)
{
	if (!os_has_room(STDERR_FILENO))
		return false;
	fprintf(stderr, "%smailferry: %s: %s\n", !os_is_service() ? "" : is_alarm ? "<4>" : "<6>", kind, text);
	return true;
}

static int run_keeper(const struct options *o, struct fault *fault)
{
	_cleanup_(buf_done) struct buf state = BUF_NULL;
	const char *path = o->config ? o->config : CHOOSE_CONFIG;
	struct gateway_options options = { .config = path, .show = show };
	struct config config;
	int r;

	if (config_read_for_gateway(path, &config, fault) < 0)
		return -1;
	r = state_dir(o->state ? o->state : config.state, &state, fault);
	options.state = buf_str(&state);
	if (r == 0)
		r = gateway_run(&options, &config, fault);
	config_done(&config);
	return r;
}

static int run_part(const struct options *o, struct fault *fault)
{
	os_keep_memory();
	if (o->part == PART_OF_EDGE)
		return edge_process(o->listeners, fault);
	if (o->part == PART_OF_COURIER)
		return courier_process(fault);
	return run_keeper(o, fault);
}

int cmd_gateway(int argc, char **argv)
{
	struct options options = { .config = NULL };
	_cleanup_(string_list_done) struct string_list rest = { NULL, 0, 0 };
	struct fault fault;
	int r = options_parse(lines, ARRAY_SIZE(lines), argc, argv, &options, &rest, &fault);

	if (r == 1) {
		help();
		return EXIT_DONE;
	}
	if (r == 0 && rest.n)
		r = fault_usage(&fault, "\"%s\" is no option", rest.p[0]);
	if (r == 0)
		r = run_part(&options, &fault);
	return r < 0 ? say(&fault) : EXIT_DONE;
}
