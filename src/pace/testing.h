/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of pace/: a fiber to be in, and limits to take from. */
#ifndef PACE_TESTING_H
#define PACE_TESTING_H

#include "lib/check.h"
#include "pace/inside.h"

static inline void in_fiber(struct check *check, fiber_fn fn)
{
	struct fault fault = FAULT_INIT;

	CHECK_EQ(run_main("test", fn, check, &fault), 0);
}

static inline struct pace *limit(unsigned connections, struct pace *above)
{
	struct pace_settings settings = { .name = "server old.example", .limits.connections = connections };

	return pace_new(&settings, above);
}

/* A server and its accounts. */
enum { ACCOUNTS = 6 };

struct tree {
	struct pace *all, *server, *accounts[ACCOUNTS];
};

static inline void tree_init(struct tree *t, unsigned of_all, unsigned of_server, unsigned of_account)
{
	t->all = limit(of_all, NULL);
	t->server = limit(of_server, t->all);
	for (int i = 0; i < ACCOUNTS; i++)
		t->accounts[i] = limit(of_account, t->server);
}

static inline void tree_done(struct tree *t)
{
	for (int i = 0; i < ACCOUNTS; i++)
		t->accounts[i] = pace_free(t->accounts[i]);
	t->server = pace_free(t->server);
	t->all = pace_free(t->all);
}

#endif
