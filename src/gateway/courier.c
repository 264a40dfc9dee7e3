/* SPDX-License-Identifier: Apache-2.0 */
/* See courier.h: the link's side. What it says is passed on to the fibers of jobs (courier-job.c). */
#include "gateway/courier.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/gateway.h"
#include "gateway/courier-inside.h"
#include "os/sandbox.h"

#define IDLE_TIME (5 * SECOND)
#define SWEEP_TIME (1 * SECOND)

enum { TARGETS_MAX = 16, JOBS_MAX = 4096 };

/* --- SETUP ----------------------------------------------------------------------------------- */

static bool has_smtps(const struct courier_target *target)
{
	for (size_t h = 0; h < target->n_hosts; h++)
		if (target->hosts[h].scheme == CONFIG_SMTPS)
			return true;

	return false;
}

/* Files are read before the walls go up; and no thread is made before they do. It blocks: there is nothing else to do. */
static int load_trust(struct courier *courier, struct fault *fault)
{
	const struct courier_setup *setup = &courier->setup;

	for (size_t i = 0; i < setup->n_targets; i++) {
		const struct courier_target *target = &setup->targets[i];
		enum smtp_tls tls = courier_tls_of(target->tls);
		struct tls_config config = { .insecure = tls != SMTP_TLS_VERIFIED };

		if ((tls == SMTP_TLS_NONE && !has_smtps(target)) || target->n_hosts == 0)
			continue;
		if (target->ca_file.n && !config.insecure)
			config.ca_file = arena_str(&courier->arena, target->ca_file);
		if (tls_context_new(&config, &courier->tls[i], fault) < 0)
			return -1;
	}
	return 0;
}

static int make_places(struct courier *courier, struct fault *fault)
{
	const struct courier_setup *setup = &courier->setup;

	for (size_t t = 0; t < setup->n_targets; t++) {
		const struct courier_target *target = &setup->targets[t];

		if (target->n_hosts > CONFIG_HOSTS_MAX)
			return fault_protocol(fault, "the keeper named %zu hosts", target->n_hosts);
		courier->places[t] = xzalloc((target->n_hosts + 1) * sizeof(struct courier_place));
		for (size_t h = 0; h < target->n_hosts; h++) {
			const struct courier_host *host = &target->hosts[h];
			struct courier_place *place = &courier->places[t][h];

			place->target = target;
			place->link = courier->link;
			place->number_of_target = t;
			place->number = h;
			place->name = arena_str(&courier->arena, host->name);
			place->port = (uint16_t)host->port;
			place->scheme = (unsigned)host->scheme;
			courier_place_init(courier, place, courier->tls[t]);
		}
	}
	return 0;
}

SUSPENDS static int set_up(struct courier *courier, struct bytes payload, struct fault *fault)
{
	struct os_walls walls;
	struct bytes kept = arena_copy(&courier->arena, payload);

	if (courier->is_set)
		return fault_protocol(fault, "the keeper set the courier up twice");
	if (fields_decode(courier_order_table(ORDER_SETUP), kept, &courier->arena, &courier->setup, fault) < 0)
		return -1;
	if (courier->setup.n_targets > TARGETS_MAX)
		return fault_protocol(fault, "the keeper named %zu targets", courier->setup.n_targets);

	courier->places = xzalloc((courier->setup.n_targets + 1) * sizeof(struct courier_place *));
	courier->tls = xzalloc((courier->setup.n_targets + 1) * sizeof(struct tls_context *));
	if (load_trust(courier, fault) < 0 || make_places(courier, fault) < 0)
		return -1;
	if (courier->setup.sandbox && os_sandbox_enter(OS_SANDBOX_CLIENT, &walls, fault) < 0)
		return -1;
	courier->is_set = true;
	courier_put_report(courier->link, REPORT_READY, 0, NULL);
	return 0;
}

static struct courier_place *find_place(struct courier *courier, uint64_t target, uint64_t host)
{
	if (target >= courier->setup.n_targets || host >= courier->setup.targets[target].n_hosts)
		return NULL;
	return &courier->places[target][host];
}

/* --- jobs ------------------------------------------------------------------------------------ */

static struct courier_work *find_work(struct courier *courier, uint64_t id)
{
	return map_get(&courier->by_id, (struct bytes){ (const char *)&id, sizeof(id) });
}

static int begin_job(struct courier *courier, const struct link_frame *frame, struct fault *fault)
{
	struct courier_work *work;
	struct bytes kept;

	if (find_work(courier, frame->id) || map_count(&courier->by_id) >= JOBS_MAX)
		return fault_protocol(fault, "the keeper gave a job twice, or too many");

	work = xzalloc(sizeof(*work));
	work->courier = courier;
	work->id = frame->id;
	list_init(&work->pieces);
	waiters_init(&work->news);
	kept = arena_copy(&work->arena, frame->payload);
	if (fields_decode(courier_order_table(ORDER_JOB), kept, &work->arena, &work->job, fault) < 0) {
		courier_work_free(work);
		return -1;
	}
	work->place = find_place(courier, work->job.target, work->job.host);
	if (!work->place || work->job.n_recipients == 0) {
		courier_work_free(work);
		return fault_protocol(fault, "the keeper gave a job for nobody");
	}
	map_put(&courier->by_id, (struct bytes){ (const char *)&work->id, sizeof(work->id) }, work);
	nursery_start(&courier->nursery, courier_run_job, work, "job %llu", (unsigned long long)work->id);
	return 0;
}

static int take_content(struct courier *courier, const struct link_frame *frame, struct fault *fault)
{
	struct courier_work *work = find_work(courier, frame->id);

	if (!work)
		return 0; /* its result was on its way */
	if (work->waiting + frame->payload.n > COURIER_WINDOW || work->came + frame->payload.n > work->job.size)
		return fault_protocol(fault, "the keeper sent more content than there may be");
	courier_work_take_content(work, frame->payload);
	return 0;
}

static int take_word(struct courier *courier, const struct link_frame *frame, enum courier_word word,
		     struct fault *fault)
{
	struct courier_work *work = find_work(courier, frame->id);

	if (!work)
		return 0;
	if (word == COURIER_SAID_GO && (!work->asked || work->word != COURIER_NOTHING_SAID))
		return fault_protocol(fault, "the keeper said go where nobody asked");
	work->word = word;
	waiters_wake_all(&work->news);
	return 0;
}

struct shrinking {
	struct courier_place *place;
	unsigned keep;
	int64_t since;
};

SUSPENDS static int shrink_in_fiber(void *arg, struct fault *fault)
{
	struct shrinking *shrinking = arg;

	(void)fault;
	courier_shrink(shrinking->place, shrinking->keep, shrinking->since);
	free(shrinking);
	return 0;
}

/* Ending connections waits for their servers. */
static void start_shrinking(struct courier *courier, struct courier_place *place, unsigned keep, int64_t since)
{
	struct shrinking *shrinking = xmalloc(sizeof(*shrinking));

	*shrinking = (struct shrinking){ place, keep, since };
	nursery_start(&courier->nursery, shrink_in_fiber, shrinking, "closing connections to %s", place->name);
}

static int take_shrink(struct courier *courier, const struct link_frame *frame, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct courier_shrink shrink;
	struct courier_place *place;

	if (fields_decode(courier_order_table(ORDER_SHRINK), frame->payload, &arena, &shrink, fault) < 0)
		return -1;
	place = find_place(courier, shrink.target, shrink.host);
	if (!place)
		return fault_protocol(fault, "the keeper named a host that it never told of");
	start_shrinking(courier, place, shrink.keep < UINT32_MAX ? (unsigned)shrink.keep : UINT32_MAX, 0);
	return 0;
}

/* What comes of it is told by courier_connect(); the next job may have the connection. */
SUSPENDS static int probe(void *arg, struct fault *fault)
{
	struct courier_place *place = arg;
	struct courier_connection *connection;

	if (courier_connect(place, NULL, &connection, fault) == 0)
		courier_give_back(place, connection);
	else
		courier_connection_free(connection);
	return 0;
}

static int take_probe(struct courier *courier, const struct link_frame *frame, struct fault *fault)
{
	struct arena none = { NULL };
	struct courier_offers of;
	struct courier_place *place;

	if (fields_decode(courier_order_table(ORDER_PROBE), frame->payload, &none, &of, fault) < 0)
		return -1;
	place = find_place(courier, of.target, of.host);
	if (!place)
		return fault_protocol(fault, "the keeper named a host that it never told of");
	nursery_start(&courier->nursery, probe, place, "asking %s what it offers", place->name);
	return 0;
}

SUSPENDS static int sweep(void *arg, struct fault *fault)
{
	struct courier *courier = arg;

	for (;;) {
		if (run_sleep(SWEEP_TIME, fault) < 0)
			return fault->kind == FAULT_CANCELLED ? 0 : -1;
		for (size_t t = 0; t < courier->setup.n_targets; t++)
			for (size_t h = 0; h < courier->setup.targets[t].n_hosts; h++) {
				struct courier_place *place = &courier->places[t][h];
				struct list *oldest = place->idle.prev;
				int64_t since = run_now() - IDLE_TIME;

				if (place->n_idle > 0 &&
				    list_entry(oldest, struct courier_connection, link)->idle_since <= since)
					start_shrinking(courier, place, UINT32_MAX, since);
			}
	}
}

/* --- the link -------------------------------------------------------------------------------- */

SUSPENDS static int obey(struct courier *courier, const struct link_frame *frame, struct fault *fault)
{
	if (frame->type == ORDER_SETUP) {
		if (set_up(courier, frame->payload, fault) < 0)
			return -1;
		nursery_start(&courier->nursery, sweep, courier, "idle connections");
		return 0;
	}
	if (!courier->is_set)
		return fault_protocol(fault, "the keeper did not begin with its setup");

	switch (frame->type) {
	case ORDER_JOB:
		return begin_job(courier, frame, fault);
	case ORDER_CONTENT:
		return take_content(courier, frame, fault);
	case ORDER_GO:
		return take_word(courier, frame, COURIER_SAID_GO, fault);
	case ORDER_NO_GO:
		return take_word(courier, frame, COURIER_SAID_NO, fault);
	case ORDER_PROBE:
		return take_probe(courier, frame, fault);
	default:
		return take_shrink(courier, frame, fault);
	}
}

/* The keeper needs no more of us: idle connections are ended as servers like it. */
SUSPENDS static void part_in_peace(struct courier *courier)
{
	struct fault ignored = FAULT_INIT;

	nursery_init(&courier->nursery, "parting");
	for (size_t t = 0; courier->is_set && t < courier->setup.n_targets; t++)
		for (size_t h = 0; h < courier->setup.targets[t].n_hosts; h++)
			start_shrinking(courier, &courier->places[t][h], 0, 0);
	nursery_wait(&courier->nursery, &ignored);
}

static void done(struct courier *courier)
{
	for (size_t t = 0; courier->places && t < courier->setup.n_targets && courier->places[t]; t++) {
		for (size_t h = 0; h < courier->setup.targets[t].n_hosts; h++)
			courier_place_done(&courier->places[t][h]);
		free(courier->places[t]);
	}
	free(courier->places);
	for (size_t t = 0; courier->tls && t < courier->setup.n_targets; t++)
		tls_context_free(courier->tls[t]);
	free(courier->tls);
	map_done(&courier->by_id);
	arena_done(&courier->arena);
	link_free(courier->link);
}

SUSPENDS int courier_serve(struct stream *keeper, struct fault *fault)
{
	struct courier courier = { .link = link_new(keeper, ORDER_ORDERS) };
	struct link_frame frame;
	uint64_t seed;
	int r;

	run_random(&seed, sizeof(seed));
	map_init(&courier.by_id, seed);
	nursery_init(&courier.nursery, "jobs");
	while ((r = link_next(courier.link, &frame, fault)) > 0)
		if (obey(&courier, &frame, fault) < 0) {
			r = -1;
			break;
		}
	nursery_done(&courier.nursery);
	if (r == 0)
		part_in_peace(&courier);
	done(&courier);
	return r;
}
