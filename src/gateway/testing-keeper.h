/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of what operators and sources say: a keeper with a queue in a folder, routes for example.org, and nobody who
 * delivers. Without the check library: whoever uses it says what went wrong. */
#ifndef GATEWAY_TESTING_KEEPER_H
#define GATEWAY_TESTING_KEEPER_H

#include "gateway/keeper.h"

struct testing_keeper {
	struct keeper k;
	struct config config;
	struct queue_settings settings;
	struct schedule_settings targets[BOOK_TARGETS];
	struct nursery nursery;
	char folder[320];
	unsigned alarms;
};

/* state: a folder that is there. example.org and example.net are ours, who is unknown there is refused; anna@example.org goes to the
 * old side. */
SUSPENDS int testing_keeper_open(struct testing_keeper *t, const char *state, struct fault *fault);
SUSPENDS void testing_keeper_close(struct testing_keeper *t);

SUSPENDS int testing_keeper_route(struct testing_keeper *t, const char *key, uint64_t route, struct fault *fault);

/* to: addresses with blanks between them. */
SUSPENDS int testing_keeper_accept(struct testing_keeper *t, const char *from, const char *to, const char *message_id,
				uint64_t *ret_number, struct fault *fault);

#endif
