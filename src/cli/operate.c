/* SPDX-License-Identifier: Apache-2.0 */
/* See operate.h. */
#include "cli/operate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/choose.h"
#include "cli/commands.h"
#include "cli/state-dir.h"
#include "gateway/book.h"
#include "gateway/link-frames.h"
#include "gateway/tell.h"

#define ANSWER_TIME (2 * MINUTE)

int operate_open(struct operate *o, struct fault *fault)
{
	const char *path = o->config_path ? o->config_path : CHOOSE_CONFIG;

	if (o->config_path || o->is_config_needed || !o->state_option) {
		if (config_read_for_gateway(path, &o->config, fault) < 0)
			return -1;
		o->has_config = true;
	}
	return state_dir(o->state_option ? o->state_option : o->config.state, &o->state, fault);
}

void operate_done(struct operate *o)
{
	if (o->has_config)
		config_done(&o->config);
	buf_done(&o->state);
}

/* --- asking ---------------------------------------------------------------------------------- */

struct talk {
	const char *path;
	enum control_ask_type type;
	const struct control_ask *ask;
	operate_fn fn;
	void *arg;
	struct control_end *end;
	bool *is_absent;
};

static const struct field_table *table_of(uint16_t type)
{
	static const struct field_table *const tables[] = {
		[CONTROL_ROUTE] = &control_route_table,     [CONTROL_LEG] = &control_leg_table,
		[CONTROL_COUNT] = &control_count_table,     [CONTROL_MESSAGE] = &control_message_table,
		[CONTROL_STEP] = &control_step_table,       [CONTROL_END] = &control_end_table,
		[CONTROL_REFUSED] = &link_word_table,
	};

	return type < ARRAY_SIZE(tables) ? tables[type] : NULL;
}

/* 1: another answer may come; 0: that was the end. */
SUSPENDS static int hear(struct talk *talk, struct link *link, struct buf *payload, struct arena *arena, struct fault *fault)
{
	union {
		struct control_route route;
		struct control_leg leg;
		struct control_count count;
		struct control_message message;
		struct control_step step;
		struct control_end end;
		struct link_word word;
	} said;
	uint16_t type;
	int r = control_next(link, CONTROL_SAY_MAX, &type, payload, fault);

	if (r == 0)
		return fault_transport(fault, "the gateway ended before it had answered");
	if (r < 0)
		return -1;
	arena_reset(arena);
	if (fields_decode(table_of(type), buf_bytes(payload), arena, &said, fault) < 0)
		return -1;
	if (type == CONTROL_REFUSED)
		return fault_set(fault, FAULT_REFUSED, REACH_PROCESS, AGAIN_NEVER, "%.*s", BYTES_ARG(said.word.text));
	if (type == CONTROL_END) {
		*talk->end = said.end;
		return 0;
	}
	return talk->fn && talk->fn(talk->arg, (enum control_say_type)type, &said, fault) < 0 ? -1 : 1;
}

static int talk_main(void *arg, struct fault *fault)
{
	struct talk *talk = arg;
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(buf_done) struct buf payload = BUF_NULL;
	_cleanup_(link_freep) struct link *link = NULL;
	struct stream *stream;
	int r = 1;

	if (local_connect(talk->path, &stream, fault) < 0) {
		*talk->is_absent = fault->kind == FAULT_TRANSPORT;
		return -1;
	}
	link = link_new(stream, CONTROL_SAYS);
	control_put(link, talk->type, CONTROL_ASK_PART, &control_ask_table, talk->ask, &payload);
	while (r > 0) {
		int64_t former = run_deadline_narrow(ANSWER_TIME);

		r = hear(talk, link, &payload, &arena, fault);
		run_deadline_restore(former);
	}
	return r;
}

int operate_ask(struct operate *o, enum control_ask_type type, const struct control_ask *ask, operate_fn fn, void *arg,
		struct control_end *ret, bool *ret_is_absent, struct fault *fault)
{
	_cleanup_(buf_done) struct buf path = BUF_NULL;
	struct talk talk = { .type = type, .ask = ask, .fn = fn, .arg = arg, .end = ret, .is_absent = ret_is_absent };

	*ret_is_absent = false;
	buf_appendf(&path, "%s/gateway/control", buf_str(&o->state));
	talk.path = buf_str(&path);
	if (run_main("operator", talk_main, &talk, fault) == 0)
		return 0;
	if (*ret_is_absent)
		fault_prefix(fault, "no gateway runs here");
	return -1;
}

const char *operate_who(void)
{
	const char *who = getenv("SUDO_USER");

	who = who && who[0] ? who : getenv("USER");
	who = who && who[0] ? who : getenv("LOGNAME");
	return who && who[0] && strlen(who) <= 64 ? who : "operator";
}

struct control_name *operate_names(const struct string_list *words)
{
	struct control_name *names = xreallocarray(NULL, words->n + 1, sizeof(*names));

	for (size_t i = 0; i < words->n; i++)
		names[i].text = bytes_of(words->p[i]);
	return names;
}

/* --- printing -------------------------------------------------------------------------------- */

void operate_print(json_t *object)
{
	char *line = json_dumps(object, JSON_COMPACT);

	if (line)
		puts(line);
	free(line);
	json_decref(object);
}

void operate_put(json_t *object, const char *key, struct bytes value)
{
	json_object_set_new(object, key, json_string(""));
	tell_put(object, key, value, SIZE_MAX);
}

const char *operate_time(char to[32], int64_t wall_us)
{
	return tell_time(to, wall_us, false);
}

void operate_put_time(json_t *object, const char *key, int64_t wall_us)
{
	char text[32];

	if (wall_us > 0)
		json_object_set_new(object, key, json_string(operate_time(text, wall_us)));
}

void operate_text(struct bytes value)
{
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		putchar(c < 0x20 || c == 0x7f ? '?' : c);
	}
}

const char *operate_target(uint64_t target)
{
	return target == BOOK_OLD ? "old" : target == BOOK_NEW ? "new" : "-";
}

static int end(const char *verb, int r, const struct fault *fault)
{
	char text[700];

	if (r >= 0)
		return r;
	fault_format(fault, text, sizeof(text));
	fprintf(stderr, "mailferry %s: %s\n", verb, text);
	return fault->kind == FAULT_USAGE || fault->kind == FAULT_REFUSED ? EXIT_USAGE : EXIT_STOPPED;
}

int operate_command(const struct operate_command *c, void *options, const char *const *config, const char *const *state,
		    int argc, char **argv)
{
	_cleanup_(string_list_done) struct string_list words = { NULL, 0, 0 };
	struct operate operate = { .json = false };
	struct fault fault;
	int r = options_parse(c->lines, c->n_lines, argc, argv, options, &words, &fault);

	if (r == 1) {
		c->help();
		return EXIT_DONE;
	}
	operate.config_path = *config;
	operate.state_option = *state;
	if (r == 0)
		r = c->run(&operate, options, &words, &fault);
	operate_done(&operate);
	return end(c->verb, r, &fault);
}
