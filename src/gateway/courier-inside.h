/* SPDX-License-Identifier: Apache-2.0 */
/* What courier*.c share. */
#ifndef GATEWAY_COURIER_INSIDE_H
#define GATEWAY_COURIER_INSIDE_H

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "gateway/courier-frames.h"
#include "gateway/courier.h"
#include "smtp/client.h"

/* A connection of ours. Idle, or in use by one job. */
struct courier_connection {
	struct list link; /* in host->idle */
	struct smtp_client *client;
	unsigned messages;     /* begun on it */
	int64_t idle_since;
};

struct courier_place { /* a host of a target */
	struct link *link;      /* the courier's */
	uint64_t number_of_target, number;
	const struct courier_target *target;
	const char *name;
	uint16_t port;
	unsigned scheme;
	struct smtp_client_settings settings;
	struct smtp_pin pin;
	struct list idle; /* of struct courier_connection, the one used last first */
	unsigned n_idle;
};

struct courier {
	struct link *link;
	struct arena arena; /* of setup and places */
	struct courier_setup setup;
	bool is_set;
	struct courier_place **places; /* by target, then host */
	struct tls_context **tls; /* of each target, or NULL */
	struct map by_id; /* of struct courier_work: jobs under way */
	struct nursery nursery;
};

enum courier_word { COURIER_NOTHING_SAID, COURIER_SAID_GO, COURIER_SAID_NO };

/* A job under way: its own fiber reads what the link's fiber puts here. */
struct courier_work {
	struct courier *courier;
	uint64_t id;
	struct arena arena;
	struct courier_job job;
	struct courier_place *place;

	struct list pieces; /* of content that came and is not sent */
	size_t waiting;     /* bytes in them */
	uint64_t came, sent; /* bytes in all */
	uint64_t told;      /* of sent, in TAKEN */
	struct piece *at_hand;
	struct waiters news; /* content, or a word */
	enum courier_word word;
	bool asked, is_over;
	struct smtp_delivery *deliveries;
};

/* courier-pool.c: of enum config_smtp_tls. */
enum smtp_tls courier_tls_of(uint64_t tls);

/* The settings of connections to a host; tls contexts are the courier's. */
void courier_place_init(struct courier *courier, struct courier_place *place, struct tls_context *tls);
void courier_place_done(struct courier_place *place);

/* An idle connection that still works, or NULL. */
SUSPENDS struct courier_connection *courier_take_idle(struct courier_place *place);

/* A new one. Its client is there even when it fails, for smtp_client_refusal(). origin: for XCLIENT, or NULL. */
SUSPENDS int courier_connect(struct courier_place *place, const struct smtp_origin *origin,
			     struct courier_connection **ret, struct fault *fault);

/* Keeps it for the next job, or ends it. */
SUSPENDS void courier_give_back(struct courier_place *place, struct courier_connection *connection);
struct courier_connection *courier_connection_free(struct courier_connection *connection);

/* Closes idle connections to a host above `keep`, those idle since before `since` first. */
SUSPENDS void courier_shrink(struct courier_place *place, unsigned keep, int64_t since);

/* courier-job.c: runs a job to its last RESULT; a fiber of its own. The work is freed. */
SUSPENDS int courier_run_job(void *work, struct fault *fault);
void courier_work_take_content(struct courier_work *work, struct bytes content);
void courier_work_free(struct courier_work *work);

#endif
