/* SPDX-License-Identifier: Apache-2.0 */
/* See testing-keeper.h. */
#include "gateway/testing-keeper.h"

#include <stdio.h>

#include "base/xalloc.h"

enum { RECIPIENTS = 24 };

int testing_keeper_route(struct testing_keeper *t, const char *key, uint64_t route, struct fault *fault)
{
	struct journal_route_entry entry = { .address = bytes_of(key), .route = route };
	struct journal_routes routes = { .operator = BYTES("test"), .entries = &entry, .n_entries = 1 };

	return queue_change_routes(t->k.queue, &routes, fault);
}

static void set_config(struct testing_keeper *t)
{
	static const char *const domains[] = { "example.org", "example.net", NULL };

	t->config.gateway.hostname = "mx.example.org";
	t->config.gateway.domains = domains;
	t->config.gateway.recipients_refresh_us = HOUR;
	t->k.config = &t->config;
	t->k.seed[0] = 1;
}

int testing_keeper_open(struct testing_keeper *t, const char *state, struct fault *fault)
{
	*t = (struct testing_keeper){ .alarms = 0 };
	set_config(t);
	for (unsigned i = 0; i < BOOK_TARGETS; i++) {
		t->targets[i] = (struct schedule_settings){ .name = i == BOOK_OLD ? "old" : "new", .hosts = 1 };
		t->settings.targets[i] = &t->targets[i];
	}
	t->settings.state = state;
	t->settings.segment_size = JOURNAL_SEGMENT_MIN;
	t->settings.separator = '+';
	snprintf(t->folder, sizeof(t->folder), "%s/gateway", state);
	t->k.folder = t->folder;
	nursery_init(&t->nursery, "keeper");
	t->k.nursery = &t->nursery;
	waiters_init(&t->k.changed);
	waiters_init(&t->k.routes_given);
	if (queue_open(&t->settings, &t->k.queue, fault) < 0)
		return -1;
	if (router_epoch(queue_router(t->k.queue)) > 0)
		return 0;
	if (testing_keeper_route(t, "@example.org", JOURNAL_ROUTE_UNKNOWN, fault) < 0 ||
	    testing_keeper_route(t, "@example.net", JOURNAL_ROUTE_UNKNOWN, fault) < 0)
		return -1;
	return testing_keeper_route(t, "anna@example.org", JOURNAL_ROUTE_OLD, fault);
}

void testing_keeper_close(struct testing_keeper *t)
{
	nursery_done(&t->nursery);
	t->k.queue = queue_close(t->k.queue);
}

int testing_keeper_accept(struct testing_keeper *t, const char *from, const char *to, const char *message_id, uint64_t *ret_number,
		       struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct bytes content = BYTES("Subject: test\r\n\r\ntest\r\n"), rest = bytes_of(to);
	struct queue_accept a = { .record = { .reverse_path = bytes_of(from), .message_id = bytes_of(message_id), .size = content.n,
					      .peer = BYTES("192.0.2.7"), .protocol = BYTES("ESMTP") },
				  .content = content };

	a.record.recipients = arena_alloc(&arena, RECIPIENTS * sizeof(*a.record.recipients));
	while (rest.n > 0 && a.record.n_recipients < RECIPIENTS)
		a.record.recipients[a.record.n_recipients++].address = bytes_cut(&rest, ' ');
	if (queue_put_content(t->k.queue, content, &arena, &a.record.bodies, &a.record.n_bodies, fault) < 0)
		return -1;
	return queue_accept(t->k.queue, &a, ret_number, fault);
}
