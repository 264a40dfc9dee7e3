/* SPDX-License-Identifier: Apache-2.0 */
/* Limits in fibers: places, order, being told off, being cancelled. Nothing here waits longer than some 10 ms. */
#include "lib/check.h"
#include "pace/inside.h"

static void in_fiber(struct check *check, fiber_fn fn)
{
	struct fault fault = FAULT_INIT;

	CHECK_EQ(run_main("test", fn, check, &fault), 0);
}

static struct pace *limit(unsigned connections, struct pace *above)
{
	struct pace_settings settings = { .name = "server old.example", .limits.connections = connections };

	return pace_new(&settings, above);
}

/* --- places ------------------------------------------------------------------------------------ */

struct user {
	struct check *check;
	struct pace *pace;
	struct buf *log;
	const char *name;
	int yields; /* how long it holds its place */
	struct fault fault;
	int result;
};

static int use_place(void *arg, struct fault *fault)
{
	struct user *u = arg;

	u->result = pace_enter(u->pace, &u->fault);
	if (u->result < 0)
		return 0;

	buf_append_str(u->log, u->name);
	for (int i = 0; i < u->yields; i++) {
		if (run_yield(fault) < 0)
			break;
	}
	pace_leave(u->pace);
	return 0;
}

/* One place at the server; a has two connections waiting before b comes: b has none yet and goes first. */
static int take_turns(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pace *server = limit(1, NULL), *a = limit(0, server), *b = limit(0, server);
	_cleanup_(buf_done) struct buf log = BUF_NULL;
	struct user users[] = {
		{ check, a, &log, "a", 3 }, { check, a, &log, "A", 1 }, { check, b, &log, "b", 1 },
		{ check, a, &log, "x", 1 },
	};
	_cleanup_(nursery_done) struct nursery nursery;
	struct pace_state state;

	nursery_init(&nursery, "users");
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		nursery_start(&nursery, use_place, &users[i], "%s", users[i].name);
	EXPECT(run_yield(fault) == 0);
	pace_look(server, &state);
	EXPECT(state.connections == 1 && state.bearable == 1);
	EXPECT(nursery_wait(&nursery, fault) == 0);
	EXPECT(strcmp(buf_str(&log), "aAbx") == 0);
	EXPECT(server->connections == 0 && a->connections == 0 && b->connections == 0);
	a = pace_free(a);
	b = pace_free(b);
	server = pace_free(server);
	return 0;
}

static void places(struct check *check)
{
	in_fiber(check, take_turns);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "places, in turn", places },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
